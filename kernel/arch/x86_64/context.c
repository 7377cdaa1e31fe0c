/*
 * Switching the processor from one thread's context to another's. What the entry code does not save
 * is moved here, once per switch and never on the way back to the same thread: vector registers of
 * preempted threads, the user's FS base, the page-table root. The GS base goes with the way out.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/sched/cpu.h"

/* x87, SSE and AVX in the standard form (Intel SDM vol. 1, 13.4). */
#define VECTOR_AREA_BYTES 832
#define VECTOR_ALIGN      64
#define MXCSR_OFFSET      24
#define MXCSR_RESET       0x1f80

struct vector_area {
	uint8_t bytes[VECTOR_AREA_BYTES];
} __attribute__((aligned(VECTOR_ALIGN)));

static struct slab_cache vector_areas = SLAB_CACHE("vector areas", struct vector_area);

/* Its header says that nothing is saved, so that restoring it gives the state of reset. */
static struct vector_area vector_reset;

void vector_init(void)
{
	const uint32_t mxcsr = MXCSR_RESET;

	ASSERT(features.vector_bytes <= VECTOR_AREA_BYTES);
	memcpy(vector_reset.bytes + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

static void vector_save(struct vector_area *area)
{
	__asm__ volatile("xsave64 %0" : "+m"(*area) : "a"(0xffffffff), "d"(0xffffffff));
}

static void vector_restore(const struct vector_area *area)
{
	__asm__ volatile("xrstor64 %0" : : "m"(*area), "a"(0xffffffff), "d"(0xffffffff));
}

status_t arch_context_create(struct arch_context *context)
{
	*context = (struct arch_context){ 0 };
	context->vector = slab_alloc(&vector_areas);
	return context->vector != NULL ? STATUS_OK : STATUS_OVERLOADED;
}

void arch_context_destroy(struct arch_context *context)
{
	if (context->vector != NULL)
		slab_free(&vector_areas, context->vector);
	context->vector = NULL;
}

/*
 * Leaves by iretq. An entry or ring outside user space would make the kernel itself fault, so such
 * an entry becomes 0, where nothing is ever mapped: the thread faults there, as it deserves.
 */
void arch_context_init(struct arch_context *context, uint64_t entry, uint64_t stack, uint64_t ring,
		uint64_t argument)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;
	void *vector = context->vector;

	/* Its registers are no longer those it entered with. */
	if (cpu->entered == context)
		cpu->entered = NULL;
	*context = (struct arch_context){
		.rip = entry < USER_END ? entry : 0,
		.rsp = stack,
		.rflags = RFLAGS_IF | RFLAGS_ONE,
		.kind = CONTEXT_KIND_INTERRUPT,
		.rdi = ring,
		.rsi = argument,
		.gs_base = ring < USER_END ? ring : 0,
		.vector = vector,
	};
}

HOT_INLINE static inline void root_load(struct arch_cpu *cpu, uint64_t root)
{
	if (cpu->root != root) {
		cpu->root = root;
		write_cr3(root);
	}
}

HOT_INLINE void arch_context_save(struct arch_context *context)
{
	context->fs_base = rdfsbase();
	if (unlikely(context->kind == CONTEXT_KIND_INTERRUPT)) {
		vector_save(context->vector);
		context->vector_saved = true;
	}
}

void arch_context_load(struct arch_context *next, struct arch_space *space)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	cpu->context = next;
	cpu->entered = NULL;      /* it may have run elsewhere since it entered here */
	/* Whoever ran before must not be readable in the vector registers. */
	if (next->vector_saved) {
		vector_restore(next->vector);
		next->vector_saved = false;
	} else {
		vector_restore(&vector_reset);
	}
	wrfsbase(next->fs_base);
	root_load(cpu, space->root);
}

HOT_INLINE void arch_context_load_syscall(struct arch_context *next, struct arch_space *space)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	DEBUG_ASSERT(next->kind == CONTEXT_KIND_SYSCALL && !next->vector_saved);
	cpu->context = next;
	vector_restore(&vector_reset);
	wrfsbase(next->fs_base);
	root_load(cpu, space->root);
}

HOT_INLINE struct arch_context *arch_context_leave(struct arch_context *context)
{
	/* Nobody wants back what C has saved on the way here. */
	__asm__ volatile("jmp context_leave_syscall" : : "a"(context) : "memory");
	__builtin_unreachable();
}

/* --- Registers of others ----------------------------------------------------------------------- */

#define REGISTER(name) { #name, offsetof(struct arch_context, name) / 8 }

static const struct {
	const char *name;
	uint32_t    word;      /* of the context */
} general[] = {
	REGISTER(rip), REGISTER(rsp), REGISTER(rflags), REGISTER(rbp), REGISTER(rax), REGISTER(rbx),
	REGISTER(rcx), REGISTER(rdx), REGISTER(rsi), REGISTER(rdi), REGISTER(r8), REGISTER(r9),
	REGISTER(r10), REGISTER(r11), REGISTER(r12), REGISTER(r13), REGISTER(r14), REGISTER(r15),
};

uint32_t arch_context_registers(const struct arch_context *context,
		struct arch_register *out, uint32_t max)
{
	const uint64_t *words = (const uint64_t *)(const void *)context;
	uint32_t count = MIN((uint32_t)ARRAY_LEN(general), max);

	for (uint32_t i = 0; i < count; i++)
		out[i] = (struct arch_register){ general[i].name, words[general[i].word] };
	return count;
}

void arch_context_complete(struct arch_context *context)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	if (cpu->entered == context)
		cpu->entered = NULL;
	if (context->kind == CONTEXT_KIND_INTERRUPT)
		return;
	context->kind = CONTEXT_KIND_INTERRUPT;
	/* As `sysretq` leaves them. */
	context->rcx = context->rip;
	context->r11 = context->rflags;
	context->rdx = context->rsi = context->rdi = 0;
	context->r8 = context->r9 = context->r10 = 0;
}

bool arch_context_set_registers(struct arch_context *context, const struct arch_register *registers, uint32_t count)
{
	struct arch_context changed = *context;
	uint64_t *words = (uint64_t *)(void *)&changed;

	for (uint32_t i = 0; i < count; i++)
		words[general[i].word] = registers[i].value;
	if (changed.rip >= USER_END)
		return false;
	changed.rflags = (changed.rflags & RFLAGS_USER) | (context->rflags & ~RFLAGS_USER);
	*context = changed;
	return true;
}

void arch_context_divert(struct arch_context *context, uint64_t entry, uint64_t argument)
{
	DEBUG_ASSERT(context->kind == CONTEXT_KIND_INTERRUPT);
	context->rip = entry;
	context->rdi = argument;
	context->rflags = RFLAGS_IF | RFLAGS_ONE;
}
