/*
 * The regions of an address space and what they cost; see vm_internal.h. Used by vm.c and vm_map.c,
 * always with the space's lock held, except for region_list_free. Keeps the page tables
 * (arch_space_*) in step with the tree of regions.
 *
 * Always true: a page of a COMMITTED, MAPPED or FIXED region is in the page tables with the
 * region's access, no other user page is; the frames charged are those of COMMITTED regions; each
 * region is charged as one object.
 */
#include "kernel/mm/vm_internal.h"

#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/memory_object.h"

static struct slab_cache region_cache = SLAB_CACHE("vm region", struct vm_region);

void region_list_free(struct vm *vm, struct region_list *list)
{
	while (list->first) {
		struct vm_region *region = region_list_take(list);

		if (region->object)
			object_put(&region->object->object);
		slab_free(&region_cache, region);
		ledger_refund(vm->ledger, RESOURCE_CLASS_OBJECTS, 1);
	}
}

status_t region_list_fill(
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

void region_enter(struct vm *vm, struct vm_region *region)
{
	region_tree_insert(&vm->regions, region);
	*region_count(vm, region->kind) += (region->end - region->start) / PAGE_SIZE;
}

void region_trim_front(struct vm *vm, struct vm_region *region, uint64_t start)
{
	if (region->kind == REGION_MAPPED)
		region->offset += start - region->start;
	region_tree_resize(vm->regions, region, start, region->end);
}

void region_split(struct vm *vm, uint64_t address, struct region_list *spares)
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

void regions_merge(struct vm *vm, uint64_t start, uint64_t end, struct region_list *ended)
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

void page_map(struct vm *vm, uint64_t address, uint64_t physical, enum access access,
		enum arch_memory memory)
{
	status_t status = arch_space_map(&vm->space, address, physical, access, memory);

	ASSERT(status == STATUS_OK);
}

void region_unback(
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
