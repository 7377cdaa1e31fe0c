/*
 * The regions of an address space and what they cost; see vm_internal.h. Used by vm.c and vm_map.c,
 * always with the space's lock held, except for region_list_free. Keeps the page tables
 * (arch_space_*) in step with the tree of regions.
 *
 * Always true: a page of a MAPPED or FIXED region is in the page tables with the region's access (but
 * a shared page is never writable), and so is one of a COMMITTED region that has been touched; no
 * other user page is; for each that was not touched a frame is promised; the frames charged are those
 * of COMMITTED regions; each region is charged as one object; a MAPPED region is in its object's list.
 */
#include "kernel/mm/vm_internal.h"

#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/pager.h"

static struct slab_cache region_cache = SLAB_CACHE("vm region", struct vm_region);

/* Regions come and go with each mapping, so the last one waits for the next. */
static struct vm_region *spare_exchange(struct vm *vm, struct vm_region *region)
{
	return __atomic_exchange_n(&vm->spare, region, __ATOMIC_ACQ_REL);
}

void region_spare_free(struct vm *vm)
{
	struct vm_region *spare = spare_exchange(vm, NULL);

	if (spare)
		slab_free(&region_cache, spare);
}

NO_BUFFER void region_list_free(struct vm *vm, struct region_list *list)
{
	uint64_t count = 0;

	while (list->first) {
		struct vm_region *region = region_list_take(list);

		if (region->object)
			object_put(&region->object->object);
		region = spare_exchange(vm, region);
		if (region)
			slab_free(&region_cache, region);
		count++;
	}
	if (count > 0)
		ledger_refund(vm->ledger, RESOURCE_CLASS_OBJECTS, count);
}

NO_BUFFER status_t region_list_fill(
		struct vm *vm, struct region_list *list, uint32_t count, uint64_t *detail)
{
	for (uint32_t i = 0; i < count; i++) {
		status_t status = ledger_charge(vm->ledger, RESOURCE_CLASS_OBJECTS, 1, detail);
		struct vm_region *region;

		if (status != STATUS_OK)
			return status;
		region = spare_exchange(vm, NULL);
		if (!region)
			region = slab_alloc(&region_cache);
		if (!region) {
			ledger_refund(vm->ledger, RESOURCE_CLASS_OBJECTS, 1);
			return refuse_memory(detail);
		}
		region->object = NULL;
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

void region_lock(const struct vm_region *region) NO_LOCK_ANALYSIS
{
	if (region->object)
		spin_lock(&region->object->lock);
}

void region_unlock(const struct vm_region *region) NO_LOCK_ANALYSIS
{
	if (region->object)
		spin_unlock(&region->object->lock);
}

void region_enter(struct vm *vm, struct vm_region *region)
{
	region_tree_insert(&vm->regions, region);
	*region_count(vm, region->kind) += (region->end - region->start) / PAGE_SIZE;
	if (region->object)
		list_append(&region->object->mappings, &region->object_link);
}

/* Takes a region out of the tree. Its object is locked; the reference on it stays with the list. */
static void region_leave(struct vm *vm, struct vm_region *region, struct region_list *ended)
{
	region_tree_remove(&vm->regions, region);
	if (region->object) {
		list_remove(&region->object_link);
		grant_untie(&region->tie);
	}
	region_list_push(ended, region);
}

/* Moves the start of a region up. Its object is locked. */
static void region_trim_front(struct vm *vm, struct vm_region *region, uint64_t start)
{
	if (region->kind == REGION_MAPPED)
		region->offset += start - region->start;
	region_tree_resize(&vm->regions, region, start, region->end);
}

/* Cuts a region in two at an address inside; the upper half is a spare. Its object is locked. */
static void region_divide(struct vm *vm, struct vm_region *low, uint64_t address, struct vm_region *high)
{
	*high = *low;
	region_tree_resize(&vm->regions, low, low->start, address);
	high->start = address;
	if (high->kind == REGION_MAPPED) {
		high->offset += address - low->start;
		object_get(&high->object->object);
		list_append(&high->object->mappings, &high->object_link);
		grant_tie_beside(&high->tie, &low->tie);
	}
	region_tree_insert(&vm->regions, high);
}

void region_split(struct vm *vm, uint64_t address, struct region_list *spares)
{
	struct vm_region *region = region_tree_from(vm->regions, address);

	if (!region || region->start >= address)
		return;
	region_lock(region);
	region_divide(vm, region, address, region_list_take(spares));
	region_unlock(region);
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
		return low->mapping == high->mapping;
	case REGION_FIXED:
		return false;
	}
	return false;
}

void regions_merge(struct vm *vm, uint64_t start, uint64_t end, struct region_list *ended)
{
	struct vm_region *low = region_tree_from(vm->regions, start - 1);

	while (low && low->start <= end) {
		struct vm_region *high = low->next;

		if (high && regions_join(low, high)) {
			uint64_t high_end = high->end;

			region_lock(low);
			region_leave(vm, high, ended);
			region_tree_resize(&vm->regions, low, low->start, high_end);
			region_unlock(low);
		} else {
			low = high;
		}
	}
}

/* --- Pages ------------------------------------------------------------------------------------ */

NO_BUFFER void page_map(struct vm *vm, uint64_t address, uint64_t physical, enum access access,
		enum arch_memory memory)
{
	status_t status = arch_space_map(&vm->space, address, physical, access, memory);

	ASSERT(status == STATUS_OK);
}

bool region_is_paged(const struct vm_region *region)
{
	return region->kind == REGION_MAPPED && region->object->backing == MEMORY_PAGER;
}

bool region_is_lazy(const struct vm_region *region)
{
	return region->kind == REGION_COMMITTED || region_is_paged(region);
}

bool page_is_there(const struct vm_region *region, uint64_t address)
{
	return !region_is_paged(region) ||
			paging_is_there(region->object, region_page_index(region, address));
}

enum access page_access(const struct vm_region *region, uint64_t address)
{
	if (region->access == ACCESS_READ_WRITE && region->kind == REGION_MAPPED &&
			memory_object_page_is_shared(
					region->object, region_page_index(region, address)))
		return ACCESS_READ;
	return (enum access)region->access;
}

uint64_t page_make(struct vm *vm, const struct vm_region *region, uint64_t address)
{
	uint64_t physical = frame_alloc_promised();

	memset(arch_direct(physical), 0, PAGE_SIZE);
	vm->promised_pages--;
	page_map(vm, address, physical, (enum access)region->access, ARCH_MEMORY_NORMAL);
	return physical;
}

uint64_t committed_page(struct vm *vm, const struct vm_region *region, uint64_t address)
{
	uint64_t physical;
	enum access access;

	if (arch_space_lookup(&vm->space, address, &physical, &access))
		return physical;
	return page_make(vm, region, address);
}

/* Takes pages [start, end) of a region out of the page tables and gives their frames back. The
 * region itself stays; its object is locked. */
static void region_unback(
		struct vm *vm, const struct vm_region *region, uint64_t start, uint64_t end)
{
	uint64_t pages = (end - start) / PAGE_SIZE, missing = 0;

	*region_count(vm, region->kind) -= pages;
	if (region->kind == REGION_RESERVED)
		return;
	for (uint64_t address = start; address < end; address += PAGE_SIZE) {
		uint64_t physical;
		bool mapped = arch_space_unmap(&vm->space, address, &physical);

		ASSERT(mapped || region_is_lazy(region));
		missing += !mapped;
		if (mapped && region->kind == REGION_COMMITTED)
			frame_free(physical, 0);
	}
	if (region->kind == REGION_COMMITTED) {
		vm->promised_pages -= missing;
		frame_promise_end(missing);
		ledger_refund(vm->ledger, RESOURCE_CLASS_FRAMES, pages);
	}
	if (region->kind == REGION_MAPPED && region->access == ACCESS_READ_WRITE)
		region->object->writable_pages -= pages;
}

NO_BUFFER void region_cut(struct vm *vm, struct vm_region *region, uint64_t start, uint64_t end,
		struct region_list *spares)
{
	region_lock(region);
	region_unback(vm, region, start, end);
	if (start > region->start) {
		if (end < region->end)
			region_divide(vm, region, end, region_list_take(spares));
		region_tree_resize(&vm->regions, region, region->start, start);
	} else if (end < region->end) {
		region_trim_front(vm, region, end);
	} else {
		region_leave(vm, region, spares);
	}
	region_unlock(region);
}

bool vm_teardown(struct vm *vm, uint32_t budget)
{
	struct region_list ended = { NULL };
	bool empty;

	spin_lock(&vm->lock);
	vm->ended = true;
	while (vm->regions && budget > 0) {
		struct vm_region *region = region_tree_from(vm->regions, 0);
		uint64_t pages = region->kind == REGION_RESERVED
				? 1
				: (region->end - region->start) / PAGE_SIZE;

		if (pages > budget) {
			region_cut(vm, region, region->start,
					region->start + (uint64_t)budget * PAGE_SIZE, &ended);
			break;
		}
		region_cut(vm, region, region->start, region->end, &ended);
		budget -= (uint32_t)pages;
	}
	empty = !vm->regions;
	spin_unlock(&vm->lock);
	region_list_free(vm, &ended);
	return empty;
}

/* --- Checking --------------------------------------------------------------------------------- */

/* A page is what its region says; false if it is not in the page tables. Where the object's pages may
 * be shared, one that may be written can still be read-only. */
static bool page_check(struct vm *vm, const struct vm_region *region, uint64_t address)
{
	uint64_t physical;
	enum access access;
	bool mapped = arch_space_lookup(&vm->space, address, &physical, &access);

	if (!mapped) {
		ASSERT(region_is_lazy(region));
		return false;
	}
	ASSERT(page_is_there(region, address));
	if (region->kind != REGION_MAPPED) {
		ASSERT((uint32_t)access == region->access);
		return true;
	}
	ASSERT(physical == memory_object_page(region->object, region_page_index(region, address)));
	if (access != page_access(region, address))
		ASSERT(access == ACCESS_READ && region->access == ACCESS_READ_WRITE &&
				region->object->sharing);
	return true;
}

/* What an object knows of its mappings is so. */
static void mappings_check(const struct memory_object *object)
{
	uint64_t writable_pages = 0;

	for (struct list *link = object->mappings.next; link != &object->mappings;
			link = link->next) {
		const struct vm_region *region = container_of(link, struct vm_region, object_link);

		ASSERT(region->object == object && region->kind == REGION_MAPPED);
		if (region->access == ACCESS_READ_WRITE)
			writable_pages += (region->end - region->start) / PAGE_SIZE;
	}
	ASSERT(object->writable_pages == writable_pages);
	if (object->sealed)
		ASSERT(writable_pages == 0);
}

static void region_check(struct vm *vm, const struct vm_region *region, uint64_t pages[4], uint64_t *promised)
{
	ASSERT(region->start >= USER_BASE && region->end <= USER_END);
	ASSERT((region->start | region->end) % PAGE_SIZE == 0);
	ASSERT((region->kind == REGION_MAPPED) == (region->object != NULL));
	if (region->object)
		ASSERT(region->vm == vm && (region->tie.grant != NULL) == (region->tie.link != NULL));
	if (region->tie.grant)
		ASSERT(!grant_is_revoked(region->tie.grant) && *region->tie.link == &region->tie);
	pages[region->kind] += (region->end - region->start) / PAGE_SIZE;
	if (region->kind == REGION_RESERVED)
		return;
	region_lock(region);
	for (uint64_t address = region->start; address < region->end; address += PAGE_SIZE) {
		bool there = page_check(vm, region, address);

		*promised += !there && region->kind == REGION_COMMITTED;
	}
	/* Once for all mappings of an object. */
	if (region->object && region->object->mappings.next == &region->object_link)
		mappings_check(region->object);
	region_unlock(region);
}

void vm_check(struct vm *vm)
{
	uint64_t pages[4] = { 0 }, promised = 0;
	const struct vm_region *before = NULL;

	spin_lock(&vm->lock);
	region_tree_check(vm->regions);
	for (const struct vm_region *region = region_tree_from(vm->regions, 0); region;
			region = region->next) {
		if (before)
			ASSERT(!regions_join(before, region));
		region_check(vm, region, pages, &promised);
		before = region;
	}
	ASSERT(vm->reserved_pages == pages[REGION_RESERVED]);
	ASSERT(vm->committed_pages == pages[REGION_COMMITTED]);
	ASSERT(vm->promised_pages == promised);
	ASSERT(vm->mapped_pages == pages[REGION_MAPPED] + pages[REGION_FIXED]);
	spin_unlock(&vm->lock);
}
