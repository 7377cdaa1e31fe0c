/*
 * From a running processor to a running init: the root ledger, the first process and what it holds. Init is
 * the only program that the kernel loads, with the same strict parser as everybody else (lib/elf); it
 * gets every kernel object and decides who gets what of them.
 * A boot package without a usable init is a clean, recorded stop.
 */
#include "capos/kernel.capnp.h"
#include "elf/elf.h"
#include "kernel/arch/arch.h"
#include "kernel/core/cpio.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/core/log.h"
#include "kernel/core/main.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/capability_manager.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/process.h"
#include "kernel/object/process_spawner.h"
#include "kernel/object/roots.h"
#include "kernel/ring/dispatch.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"

#define INIT_NAME "bin/init"
#define INIT_STACK_BYTES (64ul * 1024)
#define LAUNCH_WORDS 1024u
#define INIT_FAILED_STATUS 1

static NORETURN void stop(const char *what)
{
	log_line(LOG_ERROR, "init cannot start: %s.", what);
	arch_power_off(INIT_FAILED_STATUS);
}

/* What the whole system may use. One eighth of memory is kept back for the kernel's own objects. */
static struct ledger *make_root_ledger(void)
{
	uint64_t kernel_pages = frame_free_pages() / 8;
	uint64_t limit[LEDGER_CLASSES] = {
		[RESOURCE_CLASS_FRAMES] = frame_free_pages() - kernel_pages,
		[RESOURCE_CLASS_SLOTS] = kernel_pages * 8,
		[RESOURCE_CLASS_OBJECTS] = kernel_pages * 2,
		[RESOURCE_CLASS_EXPORTS] = kernel_pages * 4,
		[RESOURCE_CLASS_CALLS] = kernel_pages * 4,
		[RESOURCE_CLASS_TIMERS] = kernel_pages,
		[RESOURCE_CLASS_THREADS] = kernel_pages / 16,
	};

	return ledger_root_init(limit);
}

/* Maps a new memory object with these contents; stops the system on any refusal. */
static uint64_t place(struct process *init, const void *bytes, uint64_t count, uint64_t offset, uint64_t size,
		uint64_t address, enum access access)
{
	struct memory_object *object;
	uint64_t detail;

	if (memory_object_create(init->ledger, size, &object, &detail) != STATUS_OK)
		stop("there is too little memory");
	if (memory_object_write(object, offset, bytes, count, &detail) != STATUS_OK ||
			vm_map(init->vm, object, NULL, access == ACCESS_READ_WRITE, 0, size, &address, access,
					&detail) != STATUS_OK)
		stop("its memory cannot be mapped");
	object_put(&object->object);      /* the mapping has its own reference */
	return address;
}

static uint64_t load_image(struct process *init, const struct cpio_file *file)
{
	const struct elf_limits limits = { .address_min = USER_BASE, .address_end = USER_END,
			.memory_bytes_max = 64ull * 1024 * 1024 };
	struct elf_image image;
	enum elf_error error = elf_parse(file->data, file->bytes, &limits, &image);

	if (error != ELF_OK)
		stop(elf_error_sentence(error));
	for (uint32_t i = 0; i < image.segment_count; i++) {
		const struct elf_segment *segment = &image.segments[i];
		uint64_t page = elf_segment_page_address(segment);

		(void)place(init, file->data + segment->file_offset, segment->file_bytes, segment->address - page,
				elf_segment_page_bytes(segment), page, (enum access)segment->access);
	}
	return image.entry;
}

static void grant_describe(struct named_grant_builder grant, const char *name, uint32_t id, const struct facet *facet)
{
	struct capnp_list_builder rows;

	named_grant_set_name(grant, capnp_text(name));
	named_grant_set_id(grant, id);
	rows = named_grant_init_interfaces(grant, facet->count);
	for (uint32_t i = 0; i < facet->count; i++) {
		struct interface_row_builder row = interface_row_builder_at(rows, i);

		interface_row_set_id(row, facet->rows[i].id);
		interface_row_set_methods(row, facet->rows[i].methods);
		interface_row_set_ancestors(row, facet->rows[i].ancestors);
	}
}

static void grant(struct process *init, struct named_grant_builder described, const struct root *root)
{
	struct facet *facet = facet_of_interface(root->interface);
	uint64_t detail;
	uint32_t id;

	if (!facet || cap_table_reserve(&init->caps, 1, &detail) != STATUS_OK)
		stop("its capabilities do not fit");
	object_hold(root->object);
	id = cap_table_insert(&init->caps, root->object, facet, NULL, 0);
	grant_describe(described, root->name, id, facet);
}

/* Fills init's table and its launch parameters; answers their address in init. */
static uint64_t make_launch_parameters(struct process *init, const struct boot_info *boot)
{
	struct root roots[ROOTS_MAX];
	uint32_t count = roots_list(roots);
	uint64_t *words = heap_alloc((LAUNCH_WORDS + 1) * 8), address;
	struct launch_parameters_builder launch;
	struct capnp_list_builder args, grants;
	struct capnp_builder builder;

	if (!words)
		stop("there is too little memory");
	ASSERT(count + 4 <= ROOTS_MAX);
	roots[count++] = (struct root){ "spawner", process_spawner_object(), &process_spawner_interface };
	roots[count++] = (struct root){ "authority", capability_manager_object(), &capability_manager_interface };
	roots[count++] = (struct root){ "memory", &init->vm->object, &virtual_memory_interface };
	roots[count++] = (struct root){ "threads", &init->object, &thread_spawner_interface };
	capnp_builder_init(&builder, words + 1, LAUNCH_WORDS, NULL, 0);
	launch = launch_parameters_init_root(&builder);
	launch_parameters_set_name(launch, capnp_text("init"));
	args = launch_parameters_init_args(launch, 2);
	capnp_list_set_text(args, 0, capnp_text("init"));
	capnp_list_set_text(args, 1, capnp_text(boot->command_line));
	grants = launch_parameters_init_grants(launch, count);
	for (uint32_t i = 0; i < count; i++)
		grant(init, named_grant_builder_at(grants, i), &roots[i]);
	ASSERT(builder.status == CAPNP_OK);
	words[0] = builder.used;
	address = place(init, words, (builder.used + 1) * 8ul, 0, ALIGN_UP((builder.used + 1) * 8ul, PAGE_SIZE), 0,
			ACCESS_READ);
	heap_free(words, (LAUNCH_WORDS + 1) * 8);
	return address;
}

static void start_init(struct ledger *root, const struct boot_info *boot)
{
	static const uint8_t nothing[1];
	const void *package = arch_direct(boot->package.start);
	uint64_t bytes = boot->package.end - boot->package.start, entry, stack, launch, detail;
	uint64_t limit[LEDGER_CLASSES];
	struct cpio_file file;
	struct process *init;
	uint32_t files;

	if (bytes == 0)
		stop("there is no boot package");
	if (!cpio_check(package, bytes, &files))
		stop("the boot package is damaged");
	if (!cpio_find(package, bytes, INIT_NAME, sizeof(INIT_NAME) - 1, &file))
		stop("the boot package has no " INIT_NAME);
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		limit[i] = root->limit[i] - root->used[i];
	limit[RESOURCE_CLASS_OBJECTS]--;      /* the process itself is charged to the root */
	if (process_create("init", 4, 0, session_system(), root, limit, &init, &detail) != STATUS_OK)
		stop("there is too little memory");
	entry = load_image(init, &file);
	stack = place(init, nothing, 0, 0, INIT_STACK_BYTES, 0, ACCESS_READ_WRITE) + INIT_STACK_BYTES;
	launch = make_launch_parameters(init, boot);
	if (process_start(init, entry, stack, launch, &detail) != STATUS_OK)
		stop("there is too little memory");
	process_set_init(init);
	object_put(&init->object);
}

/* To the first thread that this processor runs. */
static NORETURN void processor_enter(struct cpu *cpu)
{
	struct arch_context *context = sched_resume();

	kernel_leave(cpu);
	arch_enter_user(context);
}

void kernel_processor_start(void)
{
	struct cpu *cpu = arch_cpu();

	(void)!kernel_enter_shared(cpu);
	processor_enter(cpu);
}

void kernel_start(const struct boot_info *boot)
{
	struct ledger *root = make_root_ledger();

	ring_ops_init();
	roots_init(boot, root);
	sched_init();
	start_init(root, boot);
	arch_processors_start();
	processor_enter(arch_cpu());
}
