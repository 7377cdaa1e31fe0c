/*
 * The machine under the tests of address spaces: page tables, frames and slabs that count, and the
 * model that an address space and its memory objects are held against. The ledger, the objects and
 * the tree of regions are the kernel's own.
 */
#include "kernel/mm/vm_test_machine.h"

#include <stdio.h>

#include "kernel/core/panic.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"

/* --- Memory ------------------------------------------------------------------------------------ */

#define FRAMES 4096u

uint8_t *arch_host_memory;
struct cpu *arch_host_cpu;

static bool frame_used[FRAMES];
static uint32_t frame_sharers[FRAMES];
uint64_t frames_aside, frames_promised;
static uint32_t frame_next;
uint64_t frames_live;
static uint64_t slabs_live;
uint64_t fail_in; /* the allocation that fails, counted down; 0: none */

static bool allocation_fails(void)
{
	return fail_in != 0 && --fail_in == 0;
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

void spin_debug_acquire(struct spinlock *lock)
{
	(void)lock;
}

void spin_debug_release(struct spinlock *lock)
{
	(void)lock;
}

void spin_debug_assert_held(const struct spinlock *lock)
{
	assert_int_equal(lock->word, 1);
}

static uint64_t frame_take(void)
{
	while (frame_used[frame_next % FRAMES])
		frame_next++;
	frame_used[frame_next % FRAMES] = true;
	frames_live++;
	memset(arch_host_memory + frame_next % FRAMES * PAGE_SIZE, 0x5a, PAGE_SIZE);
	return (uint64_t)(frame_next++ % FRAMES) * PAGE_SIZE;
}

static uint64_t frames_left(void)
{
	return FRAMES - frames_live - frames_aside - frames_promised;
}

uint64_t frame_alloc(uint32_t order)
{
	assert_int_equal(order, 0);
	return frames_left() == 0 || allocation_fails() ? FRAME_NONE : frame_take();
}

uint64_t frame_alloc_zeroed(uint32_t order)
{
	uint64_t physical = frame_alloc(order);

	if (physical != FRAME_NONE)
		memset(arch_host_memory + physical, 0, PAGE_SIZE);
	return physical;
}

bool frame_promise(uint64_t pages)
{
	if (frames_left() < pages || allocation_fails())
		return false;
	frames_promised += pages;
	return true;
}

void frame_promise_end(uint64_t pages)
{
	assert_true(frames_promised >= pages);
	frames_promised -= pages;
}

uint64_t frame_alloc_promised(void)
{
	frame_promise_end(1);
	return frame_take();
}

bool frame_share(uint64_t physical)
{
	assert_true(frame_used[physical / PAGE_SIZE]);
	if (frames_left() == 0 || allocation_fails())
		return false;
	frame_sharers[physical / PAGE_SIZE]++;
	frames_aside++;
	return true;
}

bool frame_is_shared(uint64_t physical)
{
	assert_true(frame_used[physical / PAGE_SIZE]);
	return frame_sharers[physical / PAGE_SIZE] > 0;
}

uint64_t frame_alloc_aside(void)
{
	assert_true(frames_aside > 0);
	return frame_take();
}

void frame_free(uint64_t physical, uint32_t order)
{
	assert_int_equal(order, 0);
	assert_true(frame_used[physical / PAGE_SIZE]);
	if (frame_sharers[physical / PAGE_SIZE] > 0) {
		frame_sharers[physical / PAGE_SIZE]--;
		frames_aside--;
		return;
	}
	frame_used[physical / PAGE_SIZE] = false;
	frames_live--;
	memset(arch_host_memory + physical, 0xa5, PAGE_SIZE);
}

void *slab_alloc(struct slab_cache *cache)
{
	if (allocation_fails())
		return NULL;
	slabs_live++;
	return calloc(1, cache->size);
}

void slab_free(struct slab_cache *cache, void *object)
{
	(void)cache;
	slabs_live--;
	free(object);
}

void *heap_alloc(size_t bytes)
{
	if (allocation_fails())
		return NULL;
	slabs_live++;
	return calloc(1, bytes);
}

void heap_free(void *memory, size_t bytes)
{
	(void)bytes;
	slabs_live -= memory != NULL;
	free(memory);
}

/* --- Page tables ------------------------------------------------------------------------------ */

struct leaf leaves[PAGES];
static bool prepared[PAGES];

uint64_t page_address(uint32_t page)
{
	return page < WINDOW_PAGES ? WINDOW_LOW + page * (uint64_t)PAGE_SIZE
				   : WINDOW_HIGH + (page - WINDOW_PAGES) * (uint64_t)PAGE_SIZE;
}

uint32_t page_of(uint64_t address)
{
	if (address >= WINDOW_LOW && address < WINDOW_LOW + WINDOW_BYTES)
		return (uint32_t)((address - WINDOW_LOW) / PAGE_SIZE);
	if (address >= WINDOW_HIGH && address < WINDOW_HIGH + WINDOW_BYTES)
		return WINDOW_PAGES + (uint32_t)((address - WINDOW_HIGH) / PAGE_SIZE);
	return PAGES;
}

status_t arch_space_create(struct arch_space *space, struct ledger *payer)
{
	space->ledger = payer;
	return allocation_fails() ? STATUS_OVERLOADED : STATUS_OK;
}

void arch_space_destroy(struct arch_space *space)
{
	(void)space;
	for (uint32_t i = 0; i < PAGES; i++)
		assert_false(leaves[i].mapped);
	memset(prepared, 0, sizeof(prepared));
}

status_t arch_space_prepare(struct arch_space *space, uint64_t address, uint64_t pages)
{
	(void)space;
	if (allocation_fails())
		return STATUS_OVERLOADED;
	for (uint64_t i = 0; i < pages; i++)
		prepared[page_of(address + i * PAGE_SIZE)] = true;
	return STATUS_OK;
}

status_t arch_space_map(struct arch_space *space, uint64_t address, uint64_t physical,
		enum access access, enum arch_memory memory)
{
	struct leaf *leaf = &leaves[page_of(address)];

	(void)space;
	(void)memory;
	assert_true(prepared[page_of(address)]);
	assert_false(leaf->mapped);
	*leaf = (struct leaf){ true, physical, access };
	return STATUS_OK;
}

bool arch_space_unmap(struct arch_space *space, uint64_t address, uint64_t *physical)
{
	struct leaf *leaf = &leaves[page_of(address)];
	bool mapped = leaf->mapped;

	(void)space;
	*physical = leaf->physical;
	leaf->mapped = false;
	return mapped;
}

bool arch_space_protect(struct arch_space *space, uint64_t address, enum access access)
{
	(void)space;
	leaves[page_of(address)].access = access;
	return leaves[page_of(address)].mapped;
}

bool arch_space_lookup(const struct arch_space *space, uint64_t address, uint64_t *physical,
		enum access *access)
{
	uint32_t page = page_of(address);

	(void)space;
	if (page == PAGES || !leaves[page].mapped)
		return false;
	*physical = leaves[page].physical;
	*access = leaves[page].access;
	return true;
}

const struct object_type vm_type = { .name = "vm", .destroy = vm_destroy };
const struct object_type memory_object_type = { .name = "memory",
	.destroy = memory_object_destroy };

bool paging_is_there(const struct memory_object *object, uint64_t index)
{
	(void)object;
	return pages_there[index];
}

/* --- The model ------------------------------------------------------------------------------- */

struct page model[PAGES];
struct memory_object *objects[OBJECTS]; /* NULL: there is none of this number */
uint64_t contents[OBJECTS][OBJECT_PAGES];
bool sealed[OBJECTS];
struct grant *grants[GRANTS];
bool pages_there[OBJECT_PAGES];
static struct grant grant_pool[HOLDERS][GRANTS];
static struct cap_table tables[HOLDERS];
struct ledger *ledger;
struct vm *vm;

uint64_t used(enum resource_class resource)
{
	return ledger->used[resource];
}

struct page page_now(uint32_t page)
{
	static const enum page_kind kinds[] = {
		[REGION_RESERVED] = PAGE_RESERVED,
		[REGION_COMMITTED] = PAGE_COMMITTED,
		[REGION_MAPPED] = PAGE_MAPPED,
		[REGION_FIXED] = PAGE_FIXED,
	};
	uint64_t address = page_address(page);
	const struct vm_region *region = region_tree_from(vm->regions, address);
	struct page now = { PAGE_FREE, ACCESS_NONE, 0, 0, false, 0, 0 };

	if (!region || region->start > address)
		return now;
	now.kind = kinds[region->kind];
	now.access = (enum access)region->access;
	if (region->kind == REGION_MAPPED) {
		while (objects[now.object] != region->object)
			now.object++;
		now.index = (uint32_t)((region->offset + address - region->start) / PAGE_SIZE);
		now.writable = region->writable;
		now.holder = region->tie.process_id;
		while (now.grant < GRANTS &&
				(!region->tie.grant || grants[now.grant] != region->tie.grant))
			now.grant++;
	}
	return now;
}

static uint32_t model_count(enum page_kind kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PAGES; i++)
		count += model[i].kind == kind;
	return count;
}

static uint32_t region_total(void)
{
	uint32_t count = 0;

	for (const struct vm_region *region = region_tree_from(vm->regions, 0); region;
			region = region->next)
		count++;
	return count;
}

uint32_t live_objects(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < OBJECTS; i++)
		count += objects[i] != NULL;
	return count;
}

/* Each object has the contents of the model, through its methods and through every mapping. */
static void assert_contents(void)
{
	for (uint32_t i = 0; i < OBJECTS; i++) {
		for (uint64_t page = 0; objects[i] && page < OBJECT_PAGES; page++) {
			uint64_t value;

			memory_object_read(objects[i], page * PAGE_SIZE, &value, sizeof(value));
			assert_int_equal(value, contents[i][page]);
		}
	}
	for (uint32_t i = 0; i < PAGES; i++) {
		const uint64_t *words = arch_direct(leaves[i].physical);

		if (model[i].kind == PAGE_MAPPED)
			assert_int_equal(words[0], contents[model[i].object][model[i].index]);
	}
}

void assert_model(void)
{
	assert_contents();
	vm_check(vm);
	for (uint32_t i = 0; i < PAGES; i++) {
		struct page now = page_now(i);

		assert_int_equal(now.kind, model[i].kind);
		assert_int_equal(now.access, model[i].access);
		assert_int_equal(now.object, model[i].object);
		assert_int_equal(now.index, model[i].index);
		assert_int_equal(now.writable, model[i].writable);
		assert_int_equal(now.grant, model[i].grant);
		assert_int_equal(now.holder, model[i].holder);
		if (model[i].kind == PAGE_FREE || model[i].kind == PAGE_RESERVED)
			assert_false(leaves[i].mapped);
	}
	assert_int_equal(vm->reserved_pages, model_count(PAGE_RESERVED));
	assert_int_equal(vm->committed_pages, model_count(PAGE_COMMITTED));
	assert_int_equal(used(RESOURCE_CLASS_FRAMES),
			model_count(PAGE_COMMITTED) + live_objects() * OBJECT_PAGES);
	assert_int_equal(frames_live + frames_aside + frames_promised, used(RESOURCE_CLASS_FRAMES));
	assert_int_equal(used(RESOURCE_CLASS_OBJECTS), 1 + live_objects() + region_total());
}

bool model_all(uint32_t start, uint32_t pages, enum page_kind kind)
{
	for (uint32_t i = start; i < start + pages; i++) {
		if (model[i].kind != kind)
			return false;
	}
	return true;
}

void model_set(uint32_t start, uint32_t pages, struct page page)
{
	for (uint32_t i = start; i < start + pages; i++) {
		model[i] = page;
		page.index += page.kind == PAGE_MAPPED;
	}
}

uint32_t model_room(uint32_t pages)
{
	for (uint32_t i = WINDOW_PAGES; i + pages <= PAGES; i++) {
		if (model_all(i, pages, PAGE_FREE))
			return i;
	}
	return PAGES;
}

static void tables_create(void)
{
	memset(grants, 0, sizeof(grants));
	memset(grant_pool, 0, sizeof(grant_pool));
	memset(tables, 0, sizeof(tables));
	for (uint32_t holder = 0; holder < HOLDERS; holder++) {
		tables[holder].process_id = holder + 1;
		for (uint32_t i = 0; i < GRANTS; i++) {
			grant_pool[holder][i].table = &tables[holder];
			grant_pool[holder][i].next = tables[holder].free_grants;
			tables[holder].free_grants = &grant_pool[holder][i];
			tables[holder].free_grant_count++;
		}
	}
}

struct grant *grant_new(struct grant *parent, uint32_t holder)
{
	struct grant *grant;

	spin_lock(&grant_lock);
	grant = grant_create_locked(&tables[holder - 1], parent, 0);
	spin_unlock(&grant_lock);
	return grant;
}

int space_create(void **state)
{
	static const uint64_t limit[LEDGER_CLASSES] = { 100000, 1000, 100000, 1000, 1000, 1000,
		10 };
	uint64_t detail;

	(void)state;
	if (!ledger_root()->references)
		(void)ledger_root_init(limit);
	arch_host_memory = calloc(FRAMES, PAGE_SIZE);
	memset(model, 0, sizeof(model));
	memset(leaves, 0, sizeof(leaves));
	memset(contents, 0, sizeof(contents));
	memset(sealed, 0, sizeof(sealed));
	memset(objects, 0, sizeof(objects));
	memset(pages_there, 0, sizeof(pages_there));
	tables_create();
	fail_in = 0;
	assert_int_equal(ledger_create(ledger_root(), (uint64_t[]){ 3000, 0, 3000, 0, 0, 0, 0 },
					 &ledger, &detail),
			STATUS_OK);
	assert_int_equal(vm_create(ledger, &vm, &detail), STATUS_OK);
	for (uint32_t i = 0; i < OBJECTS / 2; i++)
		assert_int_equal(memory_object_create(ledger, OBJECT_PAGES * PAGE_SIZE, &objects[i],
						 &detail),
				STATUS_OK);
	return 0;
}

int space_end(void **state)
{
	(void)state;
	fail_in = 0;
	while (!vm_teardown(vm, 7))
		vm_check(vm);
	object_put(&vm->object);
	for (uint32_t i = 0; i < OBJECTS; i++) {
		if (objects[i])
			object_put(&objects[i]->object);
	}
	for (uint32_t i = 0; i < GRANTS; i++)
		assert_true(!grants[i] || !grants[i]->ties);
	assert_int_equal(frames_live, 0);
	assert_int_equal(frames_aside, 0);
	assert_int_equal(frames_promised, 0);
	assert_int_equal(slabs_live, 1); /* the ledger */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		assert_int_equal(ledger->used[i], 0);
	ledger_close(ledger);
	assert_int_equal(slabs_live, 0);
	free(arch_host_memory);
	return 0;
}

size_t peek(uint64_t address, void *out, size_t bytes)
{
	uint8_t *to = out;
	size_t copied = 0;

	while (copied < bytes) {
		uint64_t at = address + copied;
		size_t part = MIN(bytes - copied, (size_t)(PAGE_SIZE - at % PAGE_SIZE));
		uint64_t physical;
		enum access access;

		if (at < USER_BASE || at >= USER_END ||
				!arch_space_lookup(&vm->space, ALIGN_DOWN(at, (uint64_t)PAGE_SIZE),
						&physical, &access))
			break;
		memcpy(to + copied, (const uint8_t *)arch_direct(physical) + at % PAGE_SIZE, part);
		copied += part;
	}
	return copied;
}

void assert_refused(status_t status, uint64_t detail, enum reason reason)
{
	assert_int_equal(status, STATUS_INVALID_ARGUMENT);
	assert_int_equal(detail & 0xff, reason);
	assert_model();
}
