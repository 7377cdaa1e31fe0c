/*
 * Address spaces; see vm.h. Called by object/virtual_memory.c for programs and by object/process.c
 * for rings, the end of a process and faults; keeps the page tables (arch_space_*) in step with the
 * tree of regions.
 *
 * Every operation looks at everything first, then takes what it needs (tree nodes, table pages,
 * ledger, frames), then acts, and acting cannot fail. What a page is decides alone: neighbouring
 * regions of the same kind are one region, and operations may cut regions anywhere.
 *
 * Always true: a page of a COMMITTED, MAPPED or FIXED region is in the page tables with the
 * region's access, no other user page is; the frames charged are those of COMMITTED regions; each
 * region is charged as one object.
 */
#include "kernel/mm/vm.h"

#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/region_tree.h"
#include "kernel/mm/slab.h"
#include "kernel/object/ledger.h"
#include "kernel/object/memory_object.h"

/* Where addresses are chosen from: above what programs are linked at. */
#define VM_CHOOSE_BASE 0x100000000

static struct slab_cache vm_cache = SLAB_CACHE("vm", struct vm);
static struct slab_cache region_cache = SLAB_CACHE("vm region", struct vm_region);

/* The numbers that refusals name arguments by. */
struct vm_arguments {
	uint8_t address;
	uint8_t bytes;
	uint8_t access;
	uint8_t offset;
};

static const struct vm_arguments reserve_arguments = { .bytes = 0, .address = 1 };
static const struct vm_arguments commit_arguments = { .address = 0, .bytes = 1, .access = 2 };
static const struct vm_arguments map_arguments = {
	.offset = 1, .bytes = 2, .address = 3, .access = 4
};

static status_t refuse_argument(uint64_t *detail, uint32_t argument, uint64_t limit)
{
	*detail = reason_detail(REASON_ARGUMENT, argument, 0, limit);
	return STATUS_INVALID_ARGUMENT;
}

static status_t refuse(uint64_t *detail, uint32_t reason)
{
	*detail = reason_detail(reason, 0, 0, 0);
	return STATUS_INVALID_ARGUMENT;
}

static status_t refuse_memory(uint64_t *detail)
{
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	return STATUS_OVERLOADED;
}

/* Why table pages could not be had: the ledger says so if it is the ledger. */
static status_t refuse_tables(struct ledger *ledger, uint64_t *detail)
{
	status_t status = ledger_charge(ledger, RESOURCE_CLASS_FRAMES, 1, detail);

	if (status != STATUS_OK)
		return status;
	ledger_refund(ledger, RESOURCE_CLASS_FRAMES, 1);
	return refuse_memory(detail);
}

/* --- Regions and what they cost --------------------------------------------------------------- */

/* Regions outside the tree, linked through `left`: spare ones for an operation, or ended ones whose
 * references are dropped after the lock. */
struct region_list {
	struct vm_region *first;
};

static void region_list_push(struct region_list *list, struct vm_region *region)
{
	region->left = list->first;
	list->first = region;
}

static struct vm_region *region_list_take(struct region_list *list)
{
	struct vm_region *region = list->first;

	ASSERT(region);
	list->first = region->left;
	return region;
}

/* Ends regions. No lock is held: the last mapping may end its memory object. */
static void region_list_free(struct vm *vm, struct region_list *list)
{
	while (list->first) {
		struct vm_region *region = region_list_take(list);

		if (region->object)
			object_put(&region->object->object);
		slab_free(&region_cache, region);
		ledger_refund(vm->ledger, RESOURCE_CLASS_OBJECTS, 1);
	}
}

static status_t region_list_fill(
		struct vm *vm, struct region_list *list, uint32_t count, uint64_t *detail)
{
	for (uint32_t i = 0; i < count; i++) {
		status_t status = ledger_charge(vm->ledger, RESOURCE_CLASS_OBJECTS, 1, detail);
		struct vm_region *region;

		if (status != STATUS_OK)
			return status;
		region = slab_alloc(&region_cache);
		if (!region) {
			ledger_refund(vm->ledger, RESOURCE_CLASS_OBJECTS, 1);
			return refuse_memory(detail);
		}
		region_list_push(list, region);
	}
	return STATUS_OK;
}

static uint64_t *region_count(struct vm *vm, enum region_kind kind)
{
	switch (kind) {
	case REGION_RESERVED:
		return &vm->reserved_pages;
	case REGION_COMMITTED:
		return &vm->committed_pages;
	case REGION_MAPPED:
	case REGION_FIXED:
		return &vm->mapped_pages;
	}
	panic("a region of kind %d", (int)kind);
}

static void region_enter(struct vm *vm, struct vm_region *region)
{
	region_tree_insert(&vm->regions, region);
	*region_count(vm, region->kind) += (region->end - region->start) / PAGE_SIZE;
}

/* Moves the start of a region up. Pages in between have been given back. */
static void region_trim_front(struct vm *vm, struct vm_region *region, uint64_t start)
{
	if (region->kind == REGION_MAPPED)
		region->offset += start - region->start;
	region_tree_resize(vm->regions, region, start, region->end);
}

/* Cuts the region around `address` in two there; the upper half is a spare. */
static void region_split(struct vm *vm, uint64_t address, struct region_list *spares)
{
	struct vm_region *low = region_tree_from(vm->regions, address);
	struct vm_region *high;

	if (!low || low->start >= address)
		return;
	high = region_list_take(spares);
	*high = *low;
	region_tree_resize(vm->regions, low, low->start, address);
	high->start = address;
	if (high->kind == REGION_MAPPED) {
		high->offset += address - low->start;
		object_get(&high->object->object);
	}
	region_tree_insert(&vm->regions, high);
}

static bool regions_join(const struct vm_region *low, const struct vm_region *high)
{
	if (low->end != high->start || low->kind != high->kind || low->access != high->access)
		return false;
	switch (low->kind) {
	case REGION_RESERVED:
	case REGION_COMMITTED:
		return true;
	case REGION_MAPPED:
		return low->object == high->object && low->writable == high->writable &&
				low->offset + (low->end - low->start) == high->offset;
	case REGION_FIXED:
		return false;
	}
	return false;
}

/* Joins neighbours of the same kind from just below `start` to just above `end`. */
static void regions_merge(struct vm *vm, uint64_t start, uint64_t end, struct region_list *ended)
{
	struct vm_region *low = region_tree_from(vm->regions, start - 1);

	while (low && low->start <= end) {
		struct vm_region *high = region_tree_from(vm->regions, low->end);

		if (high && regions_join(low, high)) {
			uint64_t high_end = high->end;

			region_tree_remove(&vm->regions, high);
			region_list_push(ended, high);
			region_tree_resize(vm->regions, low, low->start, high_end);
		} else {
			low = high;
		}
	}
}

/* --- Pages ------------------------------------------------------------------------------------ */

/* Frames for a commitment, linked through their first word; zeroed otherwise. */
struct frame_chain {
	uint64_t first; /* physical, FRAME_NONE: empty */
};

static uint64_t chain_take(struct frame_chain *chain)
{
	uint64_t physical = chain->first;
	uint64_t *link = arch_direct(physical);

	chain->first = *link;
	*link = 0;
	return physical;
}

static void chain_free(struct frame_chain *chain)
{
	while (chain->first != FRAME_NONE)
		frame_free(chain_take(chain), 0);
}

static bool chain_fill(struct frame_chain *chain, uint64_t pages)
{
	chain->first = FRAME_NONE;
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t physical = frame_alloc_zeroed(0);

		if (physical == FRAME_NONE) {
			chain_free(chain);
			return false;
		}
		*(uint64_t *)arch_direct(physical) = chain->first;
		chain->first = physical;
	}
	return true;
}

/* Maps a page whose table has been prepared. */
static void page_map(struct vm *vm, uint64_t address, uint64_t physical, enum access access,
		enum arch_memory memory)
{
	status_t status = arch_space_map(&vm->space, address, physical, access, memory);

	ASSERT(status == STATUS_OK);
}

/* Takes pages [start, end) of a region out of the page tables and gives their frames back. The
 * region itself stays. */
static void region_unback(
		struct vm *vm, const struct vm_region *region, uint64_t start, uint64_t end)
{
	uint64_t pages = (end - start) / PAGE_SIZE;

	*region_count(vm, region->kind) -= pages;
	if (region->kind == REGION_RESERVED)
		return;
	for (uint64_t address = start; address < end; address += PAGE_SIZE) {
		uint64_t physical;
		enum access access;
		bool mapped = arch_space_lookup(&vm->space, address, &physical, &access);

		ASSERT(mapped);
		(void)arch_space_unmap(&vm->space, address);
		if (region->kind == REGION_COMMITTED)
			frame_free(physical, 0);
	}
	if (region->kind == REGION_COMMITTED)
		ledger_refund(vm->ledger, RESOURCE_CLASS_FRAMES, pages);
}

/* --- Checking arguments ----------------------------------------------------------------------- */

static status_t bytes_check(uint64_t bytes, uint64_t pages_max,
		const struct vm_arguments *arguments, uint64_t *detail)
{
	if (bytes == 0 || bytes % PAGE_SIZE != 0 || bytes / PAGE_SIZE > pages_max)
		return refuse_argument(detail, arguments->bytes, pages_max);
	return STATUS_OK;
}

static status_t range_check(uint64_t address, uint64_t bytes, uint64_t pages_max,
		const struct vm_arguments *arguments, uint64_t *detail)
{
	if (address % PAGE_SIZE != 0 || address < USER_BASE || address >= USER_END)
		return refuse_argument(detail, arguments->address, 0);
	if (bytes > USER_END - address)
		return refuse_argument(detail, arguments->bytes, (USER_END - address) / PAGE_SIZE);
	return bytes_check(bytes, pages_max, arguments, detail);
}

static status_t access_check(
		enum access access, const struct vm_arguments *arguments, uint64_t *detail)
{
	if ((uint32_t)access > ACCESS_READ_EXECUTE)
		return refuse_argument(detail, arguments->access, ACCESS_READ_EXECUTE);
	return STATUS_OK;
}

static status_t ended_check(const struct vm *vm, uint64_t *detail)
{
	if (!vm->ended)
		return STATUS_OK;
	*detail = reason_detail(REASON_DIED, 0, 0, 0);
	return STATUS_DISCONNECTED;
}

/* Chooses *address if it is 0, or checks that nothing is there. */
static status_t place_find(struct vm *vm, uint64_t bytes, uint64_t pages_max,
		const struct vm_arguments *arguments, uint64_t *address, uint64_t *detail)
{
	status_t status;

	if (*address == 0) {
		status = bytes_check(bytes, pages_max, arguments, detail);
		if (status != STATUS_OK)
			return status;
		*address = region_tree_room(vm->regions, VM_CHOOSE_BASE, USER_END, bytes);
		return *address ? STATUS_OK : refuse_argument(detail, arguments->bytes, 0);
	}
	status = range_check(*address, bytes, pages_max, arguments, detail);
	if (status == STATUS_OK) {
		const struct vm_region *region = region_tree_from(vm->regions, *address);

		if (region && region->start < *address + bytes)
			status = refuse(detail, REASON_OVERLAP);
	}
	return status;
}

/* --- Operations ------------------------------------------------------------------------------- */

status_t vm_create(struct ledger *ledger, struct vm **vm, uint64_t *detail)
{
	status_t status = ledger_charge(ledger, RESOURCE_CLASS_OBJECTS, 1, detail);
	struct vm *made;

	if (status != STATUS_OK)
		return status;
	made = slab_alloc(&vm_cache);
	if (!made) {
		status = refuse_memory(detail);
		goto undo_charge;
	}
	if (arch_space_create(&made->space, ledger) != STATUS_OK) {
		status = refuse_tables(ledger, detail);
		goto undo_alloc;
	}
	object_init(&made->object, &vm_type, ledger);
	spin_init(&made->lock, LOCK_RANK_VM, "vm");
	ledger_get(ledger);
	made->ledger = ledger;
	*vm = made;
	return STATUS_OK;
undo_alloc:
	slab_free(&vm_cache, made);
undo_charge:
	ledger_refund(ledger, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}

void vm_destroy(struct object *object)
{
	struct vm *vm = container_of(object, struct vm, object);
	struct ledger *ledger = vm->ledger;

	while (!vm_teardown(vm, UINT32_MAX))
		;
	arch_space_destroy(&vm->space);
	slab_free(&vm_cache, vm);
	ledger_put(ledger);
}

status_t vm_reserve(struct vm *vm, uint64_t bytes, uint64_t *address, uint64_t *detail)
{
	struct region_list spares = { NULL };
	uint64_t place = *address;
	status_t status;

	spin_lock(&vm->lock);
	status = ended_check(vm, detail);
	if (status == STATUS_OK)
		status = place_find(vm, bytes, USER_END / PAGE_SIZE, &reserve_arguments, &place,
				detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, 1, detail);
	if (status == STATUS_OK) {
		struct vm_region *region = region_list_take(&spares);

		region->start = place;
		region->end = place + bytes;
		region->kind = REGION_RESERVED;
		region->access = ACCESS_NONE;
		region_enter(vm, region);
		regions_merge(vm, place, place + bytes, &spares);
		*address = place;
	}
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

/* The range is wholly reserved. One region holds it then, since neighbours are joined. */
static status_t reserved_check(struct vm *vm, uint64_t start, uint64_t end, uint64_t *detail)
{
	const struct vm_region *region = region_tree_from(vm->regions, start);

	if (!region || region->start > start)
		return refuse(detail, REASON_STATE);
	if (region->kind != REGION_RESERVED)
		return refuse(detail, REASON_OVERLAP);
	return region->end < end ? refuse(detail, REASON_STATE) : STATUS_OK;
}

/* Table pages, charge and frames for a commitment, all or nothing. */
static status_t commit_prepare(struct vm *vm, uint64_t start, uint64_t pages,
		struct frame_chain *chain, uint64_t *detail)
{
	status_t status = ledger_charge(vm->ledger, RESOURCE_CLASS_FRAMES, pages, detail);

	if (status != STATUS_OK)
		return status;
	if (arch_space_prepare(&vm->space, start, pages) != STATUS_OK)
		status = refuse_tables(vm->ledger, detail);
	else if (!chain_fill(chain, pages))
		status = refuse_memory(detail);
	if (status != STATUS_OK)
		ledger_refund(vm->ledger, RESOURCE_CLASS_FRAMES, pages);
	return status;
}

static void commit_perform(struct vm *vm, uint64_t start, uint64_t end, enum access access,
		struct frame_chain *chain, struct region_list *spares)
{
	struct vm_region *region;

	region_split(vm, start, spares);
	region_split(vm, end, spares);
	region = region_tree_from(vm->regions, start);
	ASSERT(region->start == start && region->end == end);
	for (uint64_t address = start; address < end; address += PAGE_SIZE)
		page_map(vm, address, chain_take(chain), access, ARCH_MEMORY_NORMAL);
	vm->reserved_pages -= (end - start) / PAGE_SIZE;
	vm->committed_pages += (end - start) / PAGE_SIZE;
	region->kind = REGION_COMMITTED;
	region->access = access;
	regions_merge(vm, start, end, spares);
}

status_t vm_commit(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail)
{
	struct region_list spares = { NULL };
	struct frame_chain chain;
	status_t status = range_check(address, bytes, VM_CALL_PAGES_MAX, &commit_arguments, detail);

	if (status == STATUS_OK)
		status = access_check(access, &commit_arguments, detail);
	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = ended_check(vm, detail);
	if (status == STATUS_OK)
		status = reserved_check(vm, address, address + bytes, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, 2, detail);
	if (status == STATUS_OK)
		status = commit_prepare(vm, address, bytes / PAGE_SIZE, &chain, detail);
	if (status == STATUS_OK)
		commit_perform(vm, address, address + bytes, access, &chain, &spares);
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

/* Every page in the range is backed, and may have this access. */
static status_t protect_check(
		struct vm *vm, uint64_t start, uint64_t end, enum access access, uint64_t *detail)
{
	while (start < end) {
		const struct vm_region *region = region_tree_from(vm->regions, start);

		if (!region || region->start > start || region->kind == REGION_RESERVED)
			return refuse(detail, REASON_STATE);
		if (region->kind == REGION_FIXED)
			return refuse(detail, REASON_OVERLAP);
		if (region->kind == REGION_MAPPED && access == ACCESS_READ_WRITE &&
				!region->writable)
			return refuse(detail, REASON_WRONG_TYPE);
		start = region->end;
	}
	return STATUS_OK;
}

static void protect_perform(struct vm *vm, uint64_t start, uint64_t end, enum access access,
		struct region_list *spares)
{
	struct vm_region *region;

	region_split(vm, start, spares);
	region_split(vm, end, spares);
	for (region = region_tree_from(vm->regions, start); region && region->start < end;
			region = region_tree_from(vm->regions, region->end))
		region->access = access;
	for (uint64_t address = start; address < end; address += PAGE_SIZE) {
		bool mapped = arch_space_protect(&vm->space, address, access);

		ASSERT(mapped);
	}
	regions_merge(vm, start, end, spares);
}

status_t vm_protect(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail)
{
	struct region_list spares = { NULL };
	status_t status = range_check(address, bytes, VM_CALL_PAGES_MAX, &commit_arguments, detail);

	if (status == STATUS_OK)
		status = access_check(access, &commit_arguments, detail);
	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = ended_check(vm, detail);
	if (status == STATUS_OK)
		status = protect_check(vm, address, address + bytes, access, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, 2, detail);
	if (status == STATUS_OK)
		protect_perform(vm, address, address + bytes, access, &spares);
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

static void map_perform(struct vm *vm, struct vm_region *region, struct region_list *spares)
{
	enum arch_memory memory = region->object->backing == MEMORY_DEVICE ? ARCH_MEMORY_DEVICE
									   : ARCH_MEMORY_NORMAL;
	uint64_t index = region->offset / PAGE_SIZE;

	for (uint64_t address = region->start; address < region->end; address += PAGE_SIZE)
		page_map(vm, address, memory_object_page(region->object, index++),
				(enum access)region->access, memory);
	region_enter(vm, region);
	regions_merge(vm, region->start, region->end, spares);
}

static status_t map_check(const struct memory_object *object, bool writable, uint64_t offset,
		uint64_t bytes, enum access access, uint64_t *detail)
{
	status_t status = access_check(access, &map_arguments, detail);

	if (status != STATUS_OK)
		return status;
	if (access == ACCESS_READ_WRITE && !writable)
		return refuse(detail, REASON_WRONG_TYPE);
	if (offset % PAGE_SIZE != 0 || offset / PAGE_SIZE >= object->pages)
		return refuse_argument(detail, map_arguments.offset, object->pages);
	if (bytes > object->pages * PAGE_SIZE - offset)
		return refuse_argument(
				detail, map_arguments.bytes, object->pages - offset / PAGE_SIZE);
	return STATUS_OK;
}

/* Finds the place, a region and the table pages of a mapping, after which it cannot fail. Lock held. */
static status_t map_prepare(struct vm *vm, uint64_t bytes, uint64_t *place,
		struct region_list *spares, uint64_t *detail)
{
	status_t status = ended_check(vm, detail);

	if (status == STATUS_OK)
		status = place_find(vm, bytes, VM_CALL_PAGES_MAX, &map_arguments, place, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, spares, 1, detail);
	if (status == STATUS_OK &&
			arch_space_prepare(&vm->space, *place, bytes / PAGE_SIZE) != STATUS_OK)
		status = refuse_tables(vm->ledger, detail);
	return status;
}

status_t vm_map(struct vm *vm, struct memory_object *object, bool writable, uint64_t offset,
		uint64_t bytes, uint64_t *address, enum access access, uint64_t *detail)
{
	struct region_list spares = { NULL };
	uint64_t place = *address;
	status_t status = map_check(object, writable, offset, bytes, access, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = map_prepare(vm, bytes, &place, &spares, detail);
	if (status == STATUS_OK) {
		struct vm_region *region = region_list_take(&spares);

		object_get(&object->object);
		*region = (struct vm_region){ .start = place,
			.end = place + bytes,
			.kind = REGION_MAPPED,
			.access = access,
			.object = object,
			.offset = offset,
			.writable = writable };
		map_perform(vm, region, &spares);
		*address = place;
	}
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

status_t vm_map_fixed(struct vm *vm, uint64_t physical, uint64_t bytes, uint64_t *address,
		uint64_t *detail)
{
	struct region_list spares = { NULL };
	uint64_t place = 0;
	status_t status;

	spin_lock(&vm->lock);
	status = map_prepare(vm, bytes, &place, &spares, detail);
	if (status == STATUS_OK) {
		struct vm_region *region = region_list_take(&spares);

		region->start = place;
		region->end = place + bytes;
		region->kind = REGION_FIXED;
		region->access = ACCESS_READ_WRITE;
		for (uint64_t at = 0; at < bytes; at += PAGE_SIZE)
			page_map(vm, place + at, physical + at, ACCESS_READ_WRITE,
					ARCH_MEMORY_NORMAL);
		region_enter(vm, region);
		*address = place;
	}
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

/* No fixed region is touched, and the work is bounded. *holes: spare regions needed, 0 or 1. */
static status_t unmap_check(
		struct vm *vm, uint64_t start, uint64_t end, uint32_t *holes, uint64_t *detail)
{
	uint64_t pages = 0;
	uint32_t regions = 0;

	*holes = 0;
	for (const struct vm_region *region = region_tree_from(vm->regions, start);
			region && region->start < end;
			region = region_tree_from(vm->regions, region->end)) {
		if (region->kind == REGION_FIXED)
			return refuse(detail, REASON_OVERLAP);
		if (region->kind != REGION_RESERVED)
			pages += (MIN(end, region->end) - MAX(start, region->start)) / PAGE_SIZE;
		if (pages > VM_CALL_PAGES_MAX || ++regions > VM_CALL_PAGES_MAX)
			return refuse_argument(detail, commit_arguments.bytes, VM_CALL_PAGES_MAX);
		if (region->start < start && region->end > end)
			*holes = 1;
	}
	return STATUS_OK;
}

static void unmap_perform(struct vm *vm, uint64_t start, uint64_t end, struct region_list *spares)
{
	struct vm_region *region = region_tree_from(vm->regions, start);

	while (region && region->start < end) {
		uint64_t low = MAX(start, region->start);
		uint64_t high = MIN(end, region->end);

		region_unback(vm, region, low, high);
		if (low > region->start && high < region->end)
			region_split(vm, high, spares);
		if (low > region->start) {
			region_tree_resize(vm->regions, region, region->start, low);
		} else if (high < region->end) {
			region_trim_front(vm, region, high);
		} else {
			region_tree_remove(&vm->regions, region);
			region_list_push(spares, region);
		}
		region = region_tree_from(vm->regions, high);
	}
}

status_t vm_unmap(struct vm *vm, uint64_t address, uint64_t bytes, uint64_t *detail)
{
	struct region_list spares = { NULL };
	uint32_t holes;
	status_t status = range_check(
			address, bytes, USER_END / PAGE_SIZE, &commit_arguments, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = ended_check(vm, detail);
	if (status == STATUS_OK)
		status = unmap_check(vm, address, address + bytes, &holes, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, holes, detail);
	if (status == STATUS_OK)
		unmap_perform(vm, address, address + bytes, &spares);
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

/* --- Faults and the end ----------------------------------------------------------------------- */

/* A fault at a mapped object's page, by backing. */
static enum vm_fault mapped_fault(const struct memory_object *object)
{
	switch (object->backing) {
	case MEMORY_ANONYMOUS:
	case MEMORY_DEVICE:
		/* Present since the mapping was made: the access itself is not allowed. */
		return VM_FAULT_CRASH;
	case MEMORY_CLONE:
	case MEMORY_PAGER:
		break;
	}
	panic("a memory object with backing %d", (int)object->backing);
}

enum vm_fault vm_fault(struct vm *vm, uint64_t address, enum access wanted)
{
	enum vm_fault answer = VM_FAULT_CRASH;
	const struct vm_region *region;

	spin_lock(&vm->lock);
	region = region_tree_from(vm->regions, address);
	if (region && region->start <= address && region->kind == REGION_MAPPED)
		answer = mapped_fault(region->object);
	spin_unlock(&vm->lock);
	return answer;
}

bool vm_teardown(struct vm *vm, uint32_t budget)
{
	struct region_list ended = { NULL };
	bool empty;

	spin_lock(&vm->lock);
	vm->ended = true;
	while (vm->regions && budget > 0) {
		struct vm_region *region = region_tree_from(vm->regions, 0);
		uint64_t pages = (region->end - region->start) / PAGE_SIZE;

		if (region->kind != REGION_RESERVED && pages > budget) {
			uint64_t end = region->start + (uint64_t)budget * PAGE_SIZE;

			region_unback(vm, region, region->start, end);
			region_trim_front(vm, region, end);
			break;
		}
		region_unback(vm, region, region->start, region->end);
		budget -= region->kind == REGION_RESERVED ? 1 : (uint32_t)pages;
		region_tree_remove(&vm->regions, region);
		region_list_push(&ended, region);
	}
	empty = !vm->regions;
	spin_unlock(&vm->lock);
	region_list_free(vm, &ended);
	return empty;
}

static void region_check(struct vm *vm, const struct vm_region *region, uint64_t pages[4])
{
	ASSERT(region->start >= USER_BASE && region->end <= USER_END);
	ASSERT((region->start | region->end) % PAGE_SIZE == 0);
	ASSERT((region->kind == REGION_MAPPED) == (region->object != NULL));
	pages[region->kind] += (region->end - region->start) / PAGE_SIZE;
	if (region->kind == REGION_RESERVED)
		return;
	for (uint64_t address = region->start; address < region->end; address += PAGE_SIZE) {
		uint64_t physical;
		enum access access;

		ASSERT(arch_space_lookup(&vm->space, address, &physical, &access));
		ASSERT((uint32_t)access == region->access);
		if (region->kind == REGION_MAPPED)
			ASSERT(physical ==
					memory_object_page(region->object,
							(region->offset +
									(address - region->start)) /
									PAGE_SIZE));
	}
}

void vm_check(struct vm *vm)
{
	uint64_t pages[4] = { 0 };
	const struct vm_region *before = NULL;

	spin_lock(&vm->lock);
	region_tree_check(vm->regions);
	for (const struct vm_region *region = region_tree_from(vm->regions, 0); region;
			region = region_tree_from(vm->regions, region->end)) {
		if (before)
			ASSERT(!regions_join(before, region));
		region_check(vm, region, pages);
		before = region;
	}
	ASSERT(vm->reserved_pages == pages[REGION_RESERVED]);
	ASSERT(vm->committed_pages == pages[REGION_COMMITTED]);
	ASSERT(vm->mapped_pages == pages[REGION_MAPPED] + pages[REGION_FIXED]);
	spin_unlock(&vm->lock);
}
