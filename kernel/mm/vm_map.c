/*
 * Mappings: windows of an address space on memory objects, the kernel's own mappings, and faults;
 * see vm.h. What all kinds of regions share is vm_region.c's; reserving and committing are vm.c's.
 */
#include "kernel/mm/vm_internal.h"

#include "kernel/object/memory_object.h"
#include "kernel/object/pager.h"

static const struct vm_arguments map_arguments = {
	.offset = 1, .bytes = 2, .address = 3, .access = 4
};

static enum arch_memory memory_of(const struct memory_object *object)
{
	return object->backing == MEMORY_DEVICE ? ARCH_MEMORY_DEVICE : ARCH_MEMORY_NORMAL;
}

/* Maps the pages of a region that is filled in. Its object is locked; it gets a reference. */
static void map_perform(struct vm *vm, struct vm_region *region)
{
	enum arch_memory memory = memory_of(region->object);
	uint64_t index = region->offset / PAGE_SIZE;

	object_get(&region->object->object);
	for (uint64_t address = region->start; address < region->end; address += PAGE_SIZE) {
		if (page_is_there(region, address))
			page_map(vm, address, memory_object_page(region->object, index),
					page_access(region, address), memory);
		index++;
	}
	region_enter(vm, region);
}

static status_t map_check(const struct memory_object *object, bool writable, uint64_t offset,
		uint64_t bytes, enum access access, uint64_t *detail)
{
	status_t status = vm_access_check(access, &map_arguments, detail);

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
NO_BUFFER static status_t map_prepare(struct vm *vm, uint64_t bytes, uint64_t *place,
		struct region_list *spares, uint64_t *detail)
{
	status_t status = vm_ended_check(vm, detail);

	if (status == STATUS_OK)
		status = vm_place_find(vm, bytes, VM_CALL_PAGES_MAX, &map_arguments, place, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, spares, 1, detail);
	if (status == STATUS_OK &&
			arch_space_prepare(&vm->space, *place, bytes / PAGE_SIZE) != STATUS_OK)
		status = vm_refuse_tables(vm->ledger, detail);
	return status;
}

/* Maps, unless a seal or a revocation still refuses. Everything else has been prepared. */
NO_BUFFER HOT_INLINE static inline status_t map_commit(
		struct vm *vm, struct vm_region *region, struct grant *grant, uint64_t *detail)
{
	struct memory_object *object = region->object;
	uint64_t pages = (region->end - region->start) / PAGE_SIZE;
	bool writes = region->access == ACCESS_READ_WRITE;
	status_t status = STATUS_OK;

	spin_lock(&object->lock);
	if (writes && object->sealed) {
		status = refuse(detail, REASON_SEALED);
	} else if (grant && !grant_tie(&region->tie, grant)) {
		*detail = reason_detail(REASON_REVOKED, 0, 0, 0);
		status = STATUS_DISCONNECTED;
	} else {
		if (writes)
			object->writable_pages += pages;
		map_perform(vm, region);
	}
	spin_unlock(&object->lock);
	return status;
}

NO_BUFFER status_t vm_map(struct vm *vm, struct memory_object *object, struct grant *grant, bool writable,
		uint64_t offset, uint64_t bytes, uint64_t *address, enum access access,
		uint64_t *detail)
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

		region_init(region, REGION_MAPPED, place, place + bytes, access);
		region->object = object;
		region->offset = offset;
		region->writable = writable;
		region->mapping = ++vm->last_mapping;
		region->vm = vm;
		region->tie = (struct grant_tie){ 0 };
		status = map_commit(vm, region, grant, detail);
		if (status == STATUS_OK) {
			*address = place;
		} else {
			region->object = NULL;
			region_list_push(&spares, region);
		}
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

		region_init(region, REGION_FIXED, place, place + bytes, ACCESS_READ_WRITE);
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

void vm_unmap_fixed(struct vm *vm, uint64_t address)
{
	struct region_list ended = { NULL };
	struct vm_region *region;

	spin_lock(&vm->lock);
	region = region_tree_from(vm->regions, address);
	ASSERT(vm->ended || (region && region->start == address && region->kind == REGION_FIXED));
	if (region && region->start == address && region->kind == REGION_FIXED)
		region_cut(vm, region, region->start, region->end, &ended);
	spin_unlock(&vm->lock);
	region_list_free(vm, &ended);
}

/* --- Pages that change ------------------------------------------------------------------------ */

void vm_show_page(struct memory_object *object, uint64_t index)
{
	LOCK_ASSERT_HELD(&object->lock);
	for (struct list *link = object->mappings.next; link != &object->mappings;
			link = link->next) {
		const struct vm_region *region = container_of(link, struct vm_region, object_link);
		uint64_t address = region->start + index * PAGE_SIZE - region->offset, before;

		if (index * PAGE_SIZE < region->offset || address >= region->end)
			continue;
		(void)arch_space_unmap(&region->vm->space, address, &before);
		page_map(region->vm, address, memory_object_page(object, index),
				page_access(region, address), memory_of(object));
	}
}

/* --- Words ------------------------------------------------------------------------------------ */

/* The page of a mapped object. Its object is locked. */
static status_t mapped_page(const struct vm_region *region, uint64_t address, uint64_t *physical, uint64_t *detail)
{
	struct memory_object *object = region->object;

	if (object->backing == MEMORY_DEVICE)
		return refuse(detail, REASON_WRONG_TYPE);
	if (!page_is_there(region, address)) {
		*detail = reason_detail(REASON_STATE, 0, 0, 0);
		return STATUS_FAILED;
	}
	*physical = memory_object_page(object, region_page_index(region, address));
	return STATUS_OK;
}

static status_t region_page(struct vm *vm, const struct vm_region *region, uint64_t page, uint64_t *physical,
		uint64_t *detail)
{
	status_t status;

	switch (region->kind) {
	case REGION_RESERVED:
	case REGION_FIXED:
		return refuse_argument(detail, 0, 0);
	case REGION_COMMITTED:
		*physical = committed_page(vm, region, page);
		return STATUS_OK;
	case REGION_MAPPED:
		region_lock(region);
		status = mapped_page(region, page, physical, detail);
		region_unlock(region);
		return status;
	}
	panic("a word in a region of kind %d", (int)region->kind);
}

status_t vm_word_find(struct vm *vm, uint64_t address, const uint32_t **word, uint64_t *detail)
{
	uint64_t page = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE), physical;
	const struct vm_region *region;
	status_t status;

	spin_lock(&vm->lock);
	region = region_tree_from(vm->regions, address);
	if (region && region->start <= address && region->access != ACCESS_NONE)
		status = region_page(vm, region, page, &physical, detail);
	else
		status = refuse_argument(detail, 0, 0);
	spin_unlock(&vm->lock);
	if (status == STATUS_OK)
		*word = arch_direct(physical + (address - page));
	return status;
}

/* --- Revocation ------------------------------------------------------------------------------- */

static struct vm_region *cut_region_locked(void) REQUIRES(grant_lock)
{
	struct grant_tie *tie = grant_tie_cut_locked();

	return tie ? container_of(tie, struct vm_region, tie) : NULL;
}

/* A space with a mapping that a revocation has cut, counted; NULL: there is none. */
static struct vm *cut_space(void)
{
	const struct vm_region *region;
	struct vm *vm = NULL;

	spin_lock(&grant_lock);
	region = cut_region_locked();
	if (region) {
		vm = region->vm;
		object_get(&vm->object);      /* it has a region, so it has references */
	}
	spin_unlock(&grant_lock);
	return vm;
}

/* Unmaps what was cut, as long as it is of this space. */
static void space_end_cut(struct vm *vm)
{
	struct region_list ended = { NULL };

	spin_lock(&vm->lock);
	for (;;) {
		struct vm_region *region;

		spin_lock(&grant_lock);
		region = cut_region_locked();
		if (region && region->vm != vm)
			region = NULL;
		spin_unlock(&grant_lock);
		if (!region)
			break;
		region_cut(vm, region, region->start, region->end, &ended);
	}
	spin_unlock(&vm->lock);
	region_list_free(vm, &ended);
}

void vm_end_revoked(void)
{
	struct vm *vm;

	while ((vm = cut_space())) {
		space_end_cut(vm);
		object_put(&vm->object);
	}
}

/* --- Faults ----------------------------------------------------------------------------------- */

static bool access_allows(enum access access, enum access wanted)
{
	return wanted == access || (wanted == ACCESS_READ && access != ACCESS_NONE);
}

/* A page of a pager's that is there is mapped when it is touched. */
static enum vm_fault paged_fault(
		struct vm *vm, const struct vm_region *region, uint64_t page, struct page_miss *miss)
{
	uint64_t index = region_page_index(region, page), physical;
	enum access access;

	if (!paging_is_there(region->object, index)) {
		object_get(&region->object->object);
		*miss = (struct page_miss){ region->object, index };
		return VM_FAULT_MISSING;
	}
	if (!arch_space_lookup(&vm->space, page, &physical, &access))
		page_map(vm, page, memory_object_page(region->object, index),
				(enum access)region->access, ARCH_MEMORY_NORMAL);
	return VM_FAULT_RESOLVED;
}

/* A fault at a mapped object's page that the region allows, by backing. */
static enum vm_fault mapped_fault(struct vm *vm, const struct vm_region *region, uint64_t page,
		enum access wanted, struct page_miss *miss)
{
	struct memory_object *object = region->object;

	switch (object->backing) {
	case MEMORY_ANONYMOUS:
		/* Without sharing, pages are as the region says since the mapping was made. */
		if (!object->sharing)
			return VM_FAULT_CRASH;
		if (wanted == ACCESS_READ_WRITE)
			memory_object_page_own(object, region_page_index(region, page));
		return VM_FAULT_RESOLVED;
	case MEMORY_DEVICE:
	case MEMORY_FIXED:
		return VM_FAULT_CRASH;
	case MEMORY_PAGER:
		return paged_fault(vm, region, page, miss);
	}
	panic("a memory object with backing %d", (int)object->backing);
}

/* The first touch of a committed page. */
static enum vm_fault committed_fault(struct vm *vm, const struct vm_region *region, uint64_t page)
{
	(void)page_make(vm, region, page);
	return VM_FAULT_RESOLVED;
}

/* The page is there with this access: another thread has faulted for it, or its access has been widened, since the
 * processor looked. */
static bool page_serves(const struct vm *vm, uint64_t page, enum access wanted)
{
	uint64_t physical;
	enum access access;

	return arch_space_lookup(&vm->space, page, &physical, &access) && access_allows(access, wanted);
}

/* A fault that the region's access allows, by its kind. */
static enum vm_fault region_fault(struct vm *vm, const struct vm_region *region, uint64_t page,
		enum access wanted, struct page_miss *miss)
{
	enum vm_fault answer;

	switch (region->kind) {
	case REGION_RESERVED:
	case REGION_FIXED:
		return VM_FAULT_CRASH;
	case REGION_COMMITTED:
		return committed_fault(vm, region, page);
	case REGION_MAPPED:
		region_lock(region);
		answer = mapped_fault(vm, region, page, wanted, miss);
		region_unlock(region);
		return answer;
	}
	panic("a fault in a region of kind %d", (int)region->kind);
}

enum vm_fault vm_fault(struct vm *vm, uint64_t address, enum access wanted, struct page_miss *miss)
{
	enum vm_fault answer = VM_FAULT_CRASH;
	uint64_t page = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
	const struct vm_region *region;

	spin_lock(&vm->lock);
	region = region_tree_from(vm->regions, address);
	if (region && region->start <= address && access_allows((enum access)region->access, wanted))
		answer = page_serves(vm, page, wanted) ? VM_FAULT_RESOLVED :
				region_fault(vm, region, page, wanted, miss);
	spin_unlock(&vm->lock);
	return answer;
}
