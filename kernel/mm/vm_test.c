/*
 * Tests of address spaces: random operations against a model that is an array of pages, each
 * refusal with its reason, and the n-th allocation failing for every n. Page tables, frames and
 * slabs are fakes that count; the ledger, the objects and the tree of regions are the kernel's own.
 */
#include "kernel/mm/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/core/panic.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/region_tree.h"
#include "kernel/mm/slab.h"
#include "kernel/object/ledger.h"
#include "kernel/object/memory_object.h"

/* --- The machine -------------------------------------------------------------------------------
 * */

#define FRAMES 4096u

uint8_t *arch_host_memory;
struct cpu *arch_host_cpu;

static bool frame_used[FRAMES];
static uint32_t frame_next;
static uint64_t frames_live;
static uint64_t slabs_live;
static uint64_t fail_in; /* the allocation that fails, counted down; 0: none */

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

uint64_t frame_alloc_zeroed(uint32_t order)
{
	assert_int_equal(order, 0);
	if (frames_live == FRAMES || allocation_fails())
		return FRAME_NONE;
	while (frame_used[frame_next % FRAMES])
		frame_next++;
	frame_used[frame_next % FRAMES] = true;
	frames_live++;
	memset(arch_host_memory + frame_next % FRAMES * PAGE_SIZE, 0, PAGE_SIZE);
	return (uint64_t)(frame_next++ % FRAMES) * PAGE_SIZE;
}

void frame_free(uint64_t physical, uint32_t order)
{
	assert_int_equal(order, 0);
	assert_true(frame_used[physical / PAGE_SIZE]);
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
	slabs_live--;
	free(memory);
}

/* Page tables: one array for the two windows of addresses that the tests use. */
#define WINDOW_PAGES 128u
#define WINDOW_LOW   0x41000000ul
#define WINDOW_HIGH  0x100000000ul /* where the kernel chooses addresses */
#define WINDOW_BYTES (WINDOW_PAGES * (uint64_t)PAGE_SIZE)
#define PAGES        (2 * WINDOW_PAGES)

struct leaf {
	bool mapped;
	uint64_t physical;
	enum access access;
};

static struct leaf leaves[PAGES];
static bool prepared[PAGES];

static uint64_t page_address(uint32_t page)
{
	return page < WINDOW_PAGES ? WINDOW_LOW + page * (uint64_t)PAGE_SIZE
				   : WINDOW_HIGH + (page - WINDOW_PAGES) * (uint64_t)PAGE_SIZE;
}

/* PAGES if the address is in no window. */
static uint32_t page_of(uint64_t address)
{
	if (address >= WINDOW_LOW && address < WINDOW_LOW + WINDOW_BYTES)
		return (uint32_t)((address - WINDOW_LOW) / PAGE_SIZE);
	if (address >= WINDOW_HIGH && address < WINDOW_HIGH + WINDOW_BYTES)
		return WINDOW_PAGES + (uint32_t)((address - WINDOW_HIGH) / PAGE_SIZE);
	return PAGES;
}

status_t arch_space_create(struct arch_space *space, struct ledger *ledger)
{
	space->ledger = ledger;
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

bool arch_space_unmap(struct arch_space *space, uint64_t address)
{
	struct leaf *leaf = &leaves[page_of(address)];
	bool mapped = leaf->mapped;

	(void)space;
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

/* --- The model ---------------------------------------------------------------------------------
 * */

enum page_kind { PAGE_FREE, PAGE_RESERVED, PAGE_COMMITTED, PAGE_MAPPED, PAGE_FIXED };

struct page {
	enum page_kind kind;
	enum access access;
	uint32_t object; /* MAPPED: number of the object and its page */
	uint32_t index;
	bool writable;
};

#define OBJECTS      3u
#define OBJECT_PAGES 8u

static struct page model[PAGES];
static struct memory_object *objects[OBJECTS];
static struct ledger *ledger;
static struct vm *vm;

static uint64_t used(enum resource_class resource)
{
	return ledger->used[resource];
}

/* A page as the address space has it. */
static struct page page_now(uint32_t page)
{
	static const enum page_kind kinds[] = {
		[REGION_RESERVED] = PAGE_RESERVED,
		[REGION_COMMITTED] = PAGE_COMMITTED,
		[REGION_MAPPED] = PAGE_MAPPED,
		[REGION_FIXED] = PAGE_FIXED,
	};
	uint64_t address = page_address(page);
	const struct vm_region *region = region_tree_from(vm->regions, address);
	struct page now = { PAGE_FREE, ACCESS_NONE, 0, 0, false };

	if (!region || region->start > address)
		return now;
	now.kind = kinds[region->kind];
	now.access = (enum access)region->access;
	if (region->kind == REGION_MAPPED) {
		while (objects[now.object] != region->object)
			now.object++;
		now.index = (uint32_t)((region->offset + address - region->start) / PAGE_SIZE);
		now.writable = region->writable;
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
			region = region_tree_from(vm->regions, region->end))
		count++;
	return count;
}

/* The address space is the model's, and what it is charged is what it has. */
static void assert_model(void)
{
	vm_check(vm);
	for (uint32_t i = 0; i < PAGES; i++) {
		struct page now = page_now(i);

		assert_int_equal(now.kind, model[i].kind);
		assert_int_equal(now.access, model[i].access);
		assert_int_equal(now.object, model[i].object);
		assert_int_equal(now.index, model[i].index);
		assert_int_equal(now.writable, model[i].writable);
		if (model[i].kind == PAGE_FREE || model[i].kind == PAGE_RESERVED)
			assert_false(leaves[i].mapped);
	}
	assert_int_equal(vm->reserved_pages, model_count(PAGE_RESERVED));
	assert_int_equal(vm->committed_pages, model_count(PAGE_COMMITTED));
	assert_int_equal(used(RESOURCE_CLASS_FRAMES),
			model_count(PAGE_COMMITTED) + OBJECTS * OBJECT_PAGES);
	assert_int_equal(frames_live, used(RESOURCE_CLASS_FRAMES));
	assert_int_equal(used(RESOURCE_CLASS_OBJECTS), 1 + OBJECTS + region_total());
}

static bool model_all(uint32_t start, uint32_t pages, enum page_kind kind)
{
	for (uint32_t i = start; i < start + pages; i++) {
		if (model[i].kind != kind)
			return false;
	}
	return true;
}

static void model_set(uint32_t start, uint32_t pages, struct page page)
{
	for (uint32_t i = start; i < start + pages; i++) {
		model[i] = page;
		page.index += page.kind == PAGE_MAPPED;
	}
}

/* First fit from where the kernel chooses; PAGES if there is no room in the window. */
static uint32_t model_room(uint32_t pages)
{
	for (uint32_t i = WINDOW_PAGES; i + pages <= PAGES; i++) {
		if (model_all(i, pages, PAGE_FREE))
			return i;
	}
	return PAGES;
}

static int space_create(void **state)
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
	fail_in = 0;
	assert_int_equal(ledger_create(ledger_root(), (uint64_t[]){ 3000, 0, 3000, 0, 0, 0, 0 },
					 &ledger, &detail),
			STATUS_OK);
	assert_int_equal(vm_create(ledger, &vm, &detail), STATUS_OK);
	for (uint32_t i = 0; i < OBJECTS; i++)
		assert_int_equal(memory_object_create(ledger, OBJECT_PAGES * PAGE_SIZE, &objects[i],
						 &detail),
				STATUS_OK);
	return 0;
}

/* The end gives everything back. */
static int space_end(void **state)
{
	(void)state;
	fail_in = 0;
	while (!vm_teardown(vm, 7))
		vm_check(vm);
	object_put(&vm->object);
	for (uint32_t i = 0; i < OBJECTS; i++)
		object_put(&objects[i]->object);
	assert_int_equal(frames_live, 0);
	assert_int_equal(slabs_live, 1); /* the ledger */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		assert_int_equal(ledger->used[i], 0);
	ledger_close(ledger);
	assert_int_equal(slabs_live, 0);
	free(arch_host_memory);
	return 0;
}

/* Copies what a program would see, through the page tables; the bytes that are there. */
static size_t peek(uint64_t address, void *out, size_t bytes)
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

/* --- Random operations --------------------------------------------------------------------------
 * */

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)rand() % limit;
}

static enum access random_access(void)
{
	return (enum access)random_below(4);
}

struct range {
	uint32_t start; /* page number */
	uint32_t pages;
};

static struct range random_range(void)
{
	uint32_t window = random_below(2) * WINDOW_PAGES;
	uint32_t start = random_below(WINDOW_PAGES - 24);

	return (struct range){ window + start, 1 + random_below(24) };
}

/* The start of the range, or 0 with the range moved to what the kernel should choose. */
static uint64_t random_place(struct range *range)
{
	uint32_t room = model_room(range->pages);

	if (room == PAGES || random_below(2))
		return page_address(range->start);
	range->start = room;
	return 0;
}

static bool ok(status_t status, bool expected)
{
	/* Memory may be short when the test makes it so; refusals then are allowed and change
	 * nothing. */
	if (expected && status == STATUS_OVERLOADED)
		return false;
	assert_int_equal(status, expected ? STATUS_OK : STATUS_INVALID_ARGUMENT);
	return expected;
}

static void random_reserve(void)
{
	struct range range = random_range();
	uint64_t address = random_place(&range);
	uint64_t detail;
	bool room = model_all(range.start, range.pages, PAGE_FREE);

	if (!ok(vm_reserve(vm, range.pages * (uint64_t)PAGE_SIZE, &address, &detail), room))
		return;
	assert_int_equal(address, page_address(range.start));
	model_set(range.start, range.pages, (struct page){ .kind = PAGE_RESERVED });
}

static void random_commit(void)
{
	struct range range = random_range();
	enum access access = random_access();
	uint64_t detail;

	if (ok(vm_commit(vm, page_address(range.start), range.pages * (uint64_t)PAGE_SIZE, access,
			       &detail),
			    model_all(range.start, range.pages, PAGE_RESERVED)))
		model_set(range.start, range.pages,
				(struct page){ .kind = PAGE_COMMITTED, .access = access });
}

static bool model_protectable(struct range range, enum access access)
{
	for (uint32_t i = range.start; i < range.start + range.pages; i++) {
		if (model[i].kind != PAGE_COMMITTED && model[i].kind != PAGE_MAPPED)
			return false;
		if (model[i].kind == PAGE_MAPPED && !model[i].writable &&
				access == ACCESS_READ_WRITE)
			return false;
	}
	return true;
}

static void random_protect(void)
{
	struct range range = random_range();
	enum access access = random_access();
	uint64_t detail;

	range.pages = 1 + random_below(6);
	if (!ok(vm_protect(vm, page_address(range.start), range.pages * (uint64_t)PAGE_SIZE, access,
				&detail),
			    model_protectable(range, access)))
		return;
	for (uint32_t i = range.start; i < range.start + range.pages; i++)
		model[i].access = access;
}

static void random_map(void)
{
	struct range range = random_range();
	enum access access = random_access();
	uint32_t object = random_below(OBJECTS);
	uint32_t index = random_below(OBJECT_PAGES + 1);
	bool writable = random_below(2);
	uint64_t address;
	uint64_t detail;
	bool expected;

	range.pages = 1 + random_below(OBJECT_PAGES);
	address = random_place(&range);
	expected = index + range.pages <= OBJECT_PAGES &&
			(writable || access != ACCESS_READ_WRITE) &&
			model_all(range.start, range.pages, PAGE_FREE);
	if (!ok(vm_map(vm, objects[object], writable, index * (uint64_t)PAGE_SIZE,
				range.pages * (uint64_t)PAGE_SIZE, &address, access, &detail),
			    expected))
		return;
	assert_int_equal(address, page_address(range.start));
	model_set(range.start, range.pages,
			(struct page){ PAGE_MAPPED, access, object, index, writable });
}

static void random_unmap(void)
{
	struct range range = random_range();
	bool fixed = false;
	uint64_t detail;

	for (uint32_t i = range.start; i < range.start + range.pages; i++)
		fixed |= model[i].kind == PAGE_FIXED;
	if (ok(vm_unmap(vm, page_address(range.start), range.pages * (uint64_t)PAGE_SIZE, &detail),
			    !fixed))
		model_set(range.start, range.pages, (struct page){ .kind = PAGE_FREE });
}

static void random_operation(void)
{
	switch (random_below(6)) {
	case 0:
		random_reserve();
		break;
	case 1:
	case 2:
		random_commit();
		break;
	case 3:
		random_protect();
		break;
	case 4:
		random_map();
		break;
	default:
		random_unmap();
		break;
	}
}

static void random_operations_agree_with_the_model(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 4; seed++) {
		srand(seed);
		for (int step = 0; step < 2500; step++) {
			random_operation();
			assert_model();
		}
	}
}

/* Allocations fail now and then: a refused operation leaves the address space as it was. */
static void random_operations_survive_failing_allocations(void **state)
{
	(void)state;
	srand(99);
	for (int step = 0; step < 8000; step++) {
		fail_in = random_below(3) == 0 ? 1 + random_below(30) : 0;
		random_operation();
		assert_model();
	}
}

/* Each operation with its first, second, ... allocation failing until none is left to fail. */
static void every_allocation_may_fail(void **state)
{
	uint64_t address;
	uint64_t detail;
	status_t status;

	(void)state;
	for (int operation = 0; operation < 6; operation++) {
		for (uint64_t n = 1;; n++) {
			uint64_t at = page_address(4);

			address = operation == 0 ? page_address(0) : 0;
			fail_in = n;
			switch (operation) {
			case 0:
				status = vm_reserve(vm, 16 * PAGE_SIZE, &address, &detail);
				break;
			case 1:
				status = vm_commit(vm, at, 8 * PAGE_SIZE, ACCESS_READ, &detail);
				break;
			case 2:
				status = vm_protect(vm, at + PAGE_SIZE, PAGE_SIZE,
						ACCESS_READ_WRITE, &detail);
				break;
			case 3:
				status = vm_map(vm, objects[0], true, 0, 4 * PAGE_SIZE, &address,
						ACCESS_READ, &detail);
				break;
			case 4:
				status = vm_map_fixed(vm, 0, 4 * PAGE_SIZE, &address, &detail);
				break;
			default:
				status = vm_unmap(vm, at + 3 * PAGE_SIZE, PAGE_SIZE, &detail);
				break;
			}
			if (status == STATUS_OK)
				break;
			assert_int_equal(status, STATUS_OVERLOADED);
			assert_int_equal(detail & 0xff, REASON_KERNEL_MEMORY);
			assert_model();
		}
		fail_in = 0;
		for (uint32_t i = 0; i < PAGES; i++)
			model[i] = page_now(i);
		assert_model();
	}
}

/* --- Refusals ------------------------------------------------------------------------------------
 * */

static void assert_refused(status_t status, uint64_t detail, enum reason reason)
{
	assert_int_equal(status, STATUS_INVALID_ARGUMENT);
	assert_int_equal(detail & 0xff, reason);
	assert_model();
}

static void ranges_outside_user_space_are_refused(void **state)
{
	static const struct {
		uint64_t address, bytes;
	} bad[] = {
		{ 0, PAGE_SIZE },
		{ USER_BASE - PAGE_SIZE, PAGE_SIZE },
		{ USER_BASE + 1, PAGE_SIZE },
		{ USER_BASE, 0 },
		{ USER_BASE, PAGE_SIZE + 1 },
		{ USER_END, PAGE_SIZE },
		{ USER_END - PAGE_SIZE, 2 * PAGE_SIZE },
		{ USER_BASE, UINT64_MAX - PAGE_SIZE + 1 },
		{ UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE },
		{ UINT64_MAX - PAGE_SIZE + 1, UINT64_MAX - PAGE_SIZE + 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t address = bad[i].address;
		uint64_t bytes = bad[i].bytes;
		uint64_t detail;

		if (address != 0)
			assert_refused(vm_reserve(vm, bytes, &address, &detail), detail,
					REASON_ARGUMENT);
		assert_refused(vm_commit(vm, address, bytes, ACCESS_READ, &detail), detail,
				REASON_ARGUMENT);
		assert_refused(vm_protect(vm, address, bytes, ACCESS_READ, &detail), detail,
				REASON_ARGUMENT);
		assert_refused(vm_unmap(vm, address, bytes, &detail), detail, REASON_ARGUMENT);
	}
}

static void a_call_is_bounded(void **state)
{
	uint64_t bytes = (VM_CALL_PAGES_MAX + 1ul) * PAGE_SIZE;
	uint64_t address = 0x200000000;
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_reserve(vm, 1ul << 36, &address, &detail), STATUS_OK);
	assert_int_equal(vm_commit(vm, address, bytes, ACCESS_READ, &detail),
			STATUS_INVALID_ARGUMENT);
	assert_int_equal(detail, reason_detail(REASON_ARGUMENT, 1, 0, VM_CALL_PAGES_MAX));
	assert_int_equal(vm_protect(vm, address, bytes, ACCESS_READ, &detail),
			STATUS_INVALID_ARGUMENT);
	assert_int_equal(vm_unmap(vm, address, 1ul << 36, &detail), STATUS_OK);
	assert_int_equal(vm->reserved_pages, 0);
	address = 0;
	assert_int_equal(vm_reserve(vm, USER_END, &address, &detail), STATUS_INVALID_ARGUMENT);
}

static void fixed_regions_stay(void **state)
{
	uint64_t address;
	uint64_t other;
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_map_fixed(vm, 0, 2 * PAGE_SIZE, &address, &detail), STATUS_OK);
	model_set(page_of(address), 2,
			(struct page){ .kind = PAGE_FIXED, .access = ACCESS_READ_WRITE });
	assert_model();
	assert_refused(vm_unmap(vm, address, PAGE_SIZE, &detail), detail, REASON_OVERLAP);
	assert_refused(vm_unmap(vm, address - PAGE_SIZE, 8 * PAGE_SIZE, &detail), detail,
			REASON_OVERLAP);
	assert_refused(vm_protect(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_OVERLAP);
	assert_refused(vm_commit(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_OVERLAP);
	other = address + PAGE_SIZE;
	assert_refused(vm_reserve(vm, PAGE_SIZE, &other, &detail), detail, REASON_OVERLAP);
	assert_refused(vm_map(vm, objects[0], true, 0, PAGE_SIZE, &other, ACCESS_READ, &detail),
			detail, REASON_OVERLAP);
}

static void refusals_name_their_reason(void **state)
{
	uint64_t address = page_address(0);
	uint64_t detail;

	(void)state;
	assert_refused(vm_commit(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_STATE);
	assert_refused(vm_protect(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_STATE);
	assert_refused(vm_commit(vm, address, PAGE_SIZE, (enum access)4, &detail), detail,
			REASON_ARGUMENT);
	assert_refused(vm_map(vm, objects[0], false, 0, PAGE_SIZE, &address, ACCESS_READ_WRITE,
				       &detail),
			detail, REASON_WRONG_TYPE);
	assert_refused(vm_map(vm, objects[0], true, 1, PAGE_SIZE, &address, ACCESS_READ, &detail),
			detail, REASON_ARGUMENT);
	assert_refused(vm_map(vm, objects[0], true, UINT64_MAX - PAGE_SIZE + 1, 2 * PAGE_SIZE,
				       &address, ACCESS_READ, &detail),
			detail, REASON_ARGUMENT);
	assert_refused(vm_map(vm, objects[0], true, 0, 9 * PAGE_SIZE, &address, ACCESS_READ,
				       &detail),
			detail, REASON_ARGUMENT);
	assert_int_equal(
			vm_map(vm, objects[0], false, 0, PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_OK);
	model_set(0, 1, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 0, false });
	assert_refused(vm_protect(vm, address, PAGE_SIZE, ACCESS_READ_WRITE, &detail), detail,
			REASON_WRONG_TYPE);
}

static void a_full_ledger_refuses_and_keeps_nothing(void **state)
{
	uint64_t address = page_address(0);
	uint64_t other = page_address(64);
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_reserve(vm, 16 * PAGE_SIZE, &address, &detail), STATUS_OK);
	model_set(0, 16, (struct page){ .kind = PAGE_RESERVED });
	ledger->limit[RESOURCE_CLASS_FRAMES] = ledger->used[RESOURCE_CLASS_FRAMES] + 4;
	assert_int_equal(vm_commit(vm, address, 5 * PAGE_SIZE, ACCESS_READ, &detail),
			STATUS_OVERLOADED);
	assert_int_equal(detail & 0xffff, REASON_LEDGER | RESOURCE_CLASS_FRAMES << 8);
	assert_model();
	ledger->limit[RESOURCE_CLASS_FRAMES] = 3000;
	ledger->limit[RESOURCE_CLASS_OBJECTS] = ledger->used[RESOURCE_CLASS_OBJECTS];
	assert_int_equal(vm_reserve(vm, PAGE_SIZE, &other, &detail), STATUS_OVERLOADED);
	assert_int_equal(detail & 0xffff, REASON_LEDGER | RESOURCE_CLASS_OBJECTS << 8);
	assert_int_equal(other, page_address(64));
	assert_model();
	/* Ending a whole reservation needs nothing. */
	assert_int_equal(vm_unmap(vm, address, 16 * PAGE_SIZE, &detail), STATUS_OK);
	model_set(0, 16, (struct page){ .kind = PAGE_FREE });
	assert_model();
	ledger->limit[RESOURCE_CLASS_OBJECTS] = 3000;
}

/* --- The rest
 * -------------------------------------------------------------------------------------- */

static void a_mapping_keeps_its_object(void **state)
{
	struct memory_object *object;
	uint64_t address = 0;
	uint64_t detail;
	char text[8];

	(void)state;
	assert_int_equal(memory_object_create(ledger, 2 * PAGE_SIZE, &object, &detail), STATUS_OK);
	memory_object_write(object, PAGE_SIZE - 3, "capOS!", 7);
	assert_int_equal(
			vm_map(vm, object, false, 0, 2 * PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(vm_unmap(vm, address, PAGE_SIZE, &detail), STATUS_OK);
	object_put(&object->object);
	assert_int_equal(peek(address + PAGE_SIZE, text, 4), 4);
	assert_memory_equal(text, "OS!", 4);
	assert_int_equal(peek(address, text, 4), 0);
	assert_int_equal(peek(address + 2 * PAGE_SIZE - 2, text, 8), 2);
	assert_int_equal(used(RESOURCE_CLASS_FRAMES), OBJECTS * OBJECT_PAGES + 2);
	assert_int_equal(vm_unmap(vm, address, 2 * PAGE_SIZE, &detail), STATUS_OK);
	assert_int_equal(used(RESOURCE_CLASS_FRAMES), OBJECTS * OBJECT_PAGES);
	assert_model();
}

/* Neighbours that show consecutive pages, but only one of which may become writable. */
static void a_view_beside_its_object_stays_read_only(void **state)
{
	uint64_t low = page_address(0);
	uint64_t high = page_address(1);
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_map(vm, objects[0], true, 0, PAGE_SIZE, &low, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(vm_map(vm, objects[0], false, PAGE_SIZE, PAGE_SIZE, &high, ACCESS_READ,
					 &detail),
			STATUS_OK);
	model_set(0, 1, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 0, true });
	model_set(1, 1, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 1, false });
	assert_model();
	assert_refused(vm_protect(vm, low, 2 * PAGE_SIZE, ACCESS_READ_WRITE, &detail), detail,
			REASON_WRONG_TYPE);
}

static void committed_memory_is_zero(void **state)
{
	uint64_t address = page_address(0);
	static const uint8_t zeros[PAGE_SIZE];
	uint8_t page[PAGE_SIZE];
	uint64_t detail;

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(vm_reserve(vm, 4 * PAGE_SIZE, &address, &detail), STATUS_OK);
		assert_int_equal(vm_commit(vm, address, 4 * PAGE_SIZE, ACCESS_READ_WRITE, &detail),
				STATUS_OK);
		for (uint64_t i = 0; i < 4; i++) {
			assert_int_equal(peek(address + i * PAGE_SIZE, page, PAGE_SIZE),
					PAGE_SIZE);
			assert_memory_equal(page, zeros, PAGE_SIZE);
		}
		assert_int_equal(vm_unmap(vm, address, 4 * PAGE_SIZE, &detail), STATUS_OK);
	}
}

static void faults_are_crashes(void **state)
{
	uint64_t address = page_address(0);
	uint64_t detail;

	(void)state;
	assert_int_equal(
			vm_map(vm, objects[0], false, 0, PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(vm_fault(vm, address, ACCESS_READ_WRITE), VM_FAULT_CRASH);
	assert_int_equal(vm_fault(vm, address + PAGE_SIZE, ACCESS_READ), VM_FAULT_CRASH);
	assert_int_equal(vm_fault(vm, UINT64_MAX, ACCESS_READ), VM_FAULT_CRASH);
}

static void an_ended_space_refuses_everything(void **state)
{
	uint64_t address = 0;
	uint64_t detail;

	(void)state;
	assert_false(!vm_teardown(vm, 0));
	assert_int_equal(vm_reserve(vm, PAGE_SIZE, &address, &detail), STATUS_DISCONNECTED);
	assert_int_equal(
			vm_map(vm, objects[0], false, 0, PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_DISCONNECTED);
	assert_int_equal(vm_unmap(vm, WINDOW_LOW, PAGE_SIZE, &detail), STATUS_DISCONNECTED);
	assert_int_equal(vm_map_fixed(vm, 0, PAGE_SIZE, &address, &detail), STATUS_DISCONNECTED);
}

/* Ten thousand regions: the tree stays balanced, and finding room stays exact. */
static void many_regions_stay_fast(void **state)
{
	uint64_t base = 0x200000000;
	uint64_t detail;

	(void)state;
	ledger->limit[RESOURCE_CLASS_OBJECTS] = 20000;
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t address = base + (i * 7919 % 10000) * 4 * PAGE_SIZE;

		assert_int_equal(vm_reserve(vm, 2 * PAGE_SIZE, &address, &detail), STATUS_OK);
	}
	vm_check(vm);
	assert_true(vm->regions->height < 20);
	for (uint64_t i = 0; i < 10000; i += 2) {
		assert_int_equal(vm_unmap(vm, base + (i * 7919 % 10000) * 4 * PAGE_SIZE,
						 4 * PAGE_SIZE, &detail),
				STATUS_OK);
	}
	vm_check(vm);
	assert_int_equal(vm->reserved_pages, 10000);
	for (uint64_t i = 0; i < 10000; i += 1000) {
		assert_int_equal(vm_unmap(vm, base + i * 4 * PAGE_SIZE, 1000 * 4 * PAGE_SIZE,
						 &detail),
				STATUS_OK);
	}
	ledger->limit[RESOURCE_CLASS_OBJECTS] = 3000;
}

#define TEST_IN_SPACE(name) cmocka_unit_test_setup_teardown(name, space_create, space_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_SPACE(random_operations_agree_with_the_model),
		TEST_IN_SPACE(random_operations_survive_failing_allocations),
		TEST_IN_SPACE(every_allocation_may_fail),
		TEST_IN_SPACE(ranges_outside_user_space_are_refused),
		TEST_IN_SPACE(a_call_is_bounded),
		TEST_IN_SPACE(fixed_regions_stay),
		TEST_IN_SPACE(refusals_name_their_reason),
		TEST_IN_SPACE(a_full_ledger_refuses_and_keeps_nothing),
		TEST_IN_SPACE(a_mapping_keeps_its_object),
		TEST_IN_SPACE(a_view_beside_its_object_stays_read_only),
		TEST_IN_SPACE(committed_memory_is_zero),
		TEST_IN_SPACE(faults_are_crashes),
		TEST_IN_SPACE(an_ended_space_refuses_everything),
		TEST_IN_SPACE(many_regions_stay_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
