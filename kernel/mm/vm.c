/*
 * Address spaces: their life, reserving, committing, protecting, unmapping; see vm.h. Called by
 * object/virtual_memory.c for programs and by object/process.c for rings and the end of a process.
 * Regions are vm_region.c's, mappings of memory objects vm_map.c's.
 *
 * Every operation looks at everything first, then takes what it needs (tree nodes, table pages,
 * ledger, the promise of frames), then acts, and acting cannot fail. What a page is decides alone:
 * neighbouring pieces of one kind are one region, and operations may cut regions anywhere.
 */
#include "kernel/mm/vm_internal.h"

#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/memory_object.h"

/* Where addresses are chosen from: above what programs are linked at. */
#define VM_CHOOSE_BASE 0x100000000

static struct slab_cache vm_cache = SLAB_CACHE("vm", struct vm);

static const struct vm_arguments reserve_arguments = { .bytes = 0, .address = 1 };
static const struct vm_arguments commit_arguments = { .address = 0, .bytes = 1, .access = 2 };
static const struct vm_arguments write_arguments = { .address = 0, .bytes = 1 };

status_t vm_refuse_tables(struct ledger *ledger, uint64_t *detail)
{
	status_t status = ledger_charge(ledger, RESOURCE_CLASS_FRAMES, 1, detail);

	if (status != STATUS_OK)
		return status;
	ledger_refund(ledger, RESOURCE_CLASS_FRAMES, 1);
	return refuse_memory(detail);
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

status_t vm_access_check(
		enum access access, const struct vm_arguments *arguments, uint64_t *detail)
{
	if ((uint32_t)access > ACCESS_READ_EXECUTE)
		return refuse_argument(detail, arguments->access, ACCESS_READ_EXECUTE);
	return STATUS_OK;
}

status_t vm_ended_check(const struct vm *vm, uint64_t *detail)
{
	if (!vm->ended)
		return STATUS_OK;
	*detail = reason_detail(REASON_DIED, 0, 0, 0);
	return STATUS_DISCONNECTED;
}

status_t vm_place_find(struct vm *vm, uint64_t bytes, uint64_t pages_max,
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

/* --- Life ------------------------------------------------------------------------------------- */

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
		status = vm_refuse_tables(ledger, detail);
		goto undo_alloc;
	}
	object_init(&made->object, &vm_type, ledger);
	spin_init(&made->lock, LOCK_RANK_VM, "vm");
	park_lot_init(&made->parked);
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
	region_spare_free(vm);
	arch_space_destroy(&vm->space);
	slab_free(&vm_cache, vm);
	ledger_put(ledger);
}

/* --- Committed memory ------------------------------------------------------------------------- */

status_t vm_reserve(struct vm *vm, uint64_t bytes, uint64_t *address, uint64_t *detail)
{
	struct region_list spares = { NULL };
	uint64_t place = *address;
	status_t status;

	spin_lock(&vm->lock);
	status = vm_ended_check(vm, detail);
	if (status == STATUS_OK)
		status = vm_place_find(vm, bytes, USER_END / PAGE_SIZE, &reserve_arguments, &place,
				detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, 1, detail);
	if (status == STATUS_OK) {
		struct vm_region *region = region_list_take(&spares);

		region_init(region, REGION_RESERVED, place, place + bytes, ACCESS_NONE);
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

/* Charge, table pages and the promise of frames for a commitment, all or nothing. */
static status_t commit_prepare(struct vm *vm, uint64_t start, uint64_t pages, uint64_t *detail)
{
	status_t status = ledger_charge(vm->ledger, RESOURCE_CLASS_FRAMES, pages, detail);

	if (status != STATUS_OK)
		return status;
	if (arch_space_prepare(&vm->space, start, pages) != STATUS_OK)
		status = vm_refuse_tables(vm->ledger, detail);
	else if (!frame_promise(pages))
		status = refuse_memory(detail);
	if (status != STATUS_OK)
		ledger_refund(vm->ledger, RESOURCE_CLASS_FRAMES, pages);
	return status;
}

static void commit_perform(struct vm *vm, uint64_t start, uint64_t end, enum access access,
		struct region_list *spares)
{
	struct vm_region *region;

	region_split(vm, start, spares);
	region_split(vm, end, spares);
	region = region_tree_from(vm->regions, start);
	ASSERT(region->start == start && region->end == end);
	vm->reserved_pages -= (end - start) / PAGE_SIZE;
	vm->committed_pages += (end - start) / PAGE_SIZE;
	vm->promised_pages += (end - start) / PAGE_SIZE;
	region->kind = REGION_COMMITTED;
	region->access = access;
	regions_merge(vm, start, end, spares);
}

/* What is wrong with the range and the access of committed memory in themselves. */
static status_t commit_check(uint64_t address, uint64_t bytes, enum access access, uint64_t *detail)
{
	status_t status = range_check(address, bytes, VM_CALL_PAGES_MAX, &commit_arguments, detail);

	return status == STATUS_OK ? vm_access_check(access, &commit_arguments, detail) : status;
}

status_t vm_commit(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail)
{
	struct region_list spares = { NULL };
	status_t status = commit_check(address, bytes, access, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = vm_ended_check(vm, detail);
	if (status == STATUS_OK)
		status = reserved_check(vm, address, address + bytes, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, 2, detail);
	if (status == STATUS_OK)
		status = commit_prepare(vm, address, bytes / PAGE_SIZE, detail);
	if (status == STATUS_OK)
		commit_perform(vm, address, address + bytes, access, &spares);
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

status_t vm_commit_new(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail)
{
	struct region_list spares = { NULL };
	status_t status = commit_check(address, bytes, access, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = vm_ended_check(vm, detail);
	if (status == STATUS_OK)
		status = vm_place_find(vm, bytes, VM_CALL_PAGES_MAX, &commit_arguments, &address, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, 1, detail);
	if (status == STATUS_OK)
		status = commit_prepare(vm, address, bytes / PAGE_SIZE, detail);
	if (status == STATUS_OK) {
		struct vm_region *region = region_list_take(&spares);

		region_init(region, REGION_COMMITTED, address, address + bytes, access);
		region_enter(vm, region);
		vm->promised_pages += bytes / PAGE_SIZE;
		regions_merge(vm, address, address + bytes, &spares);
	}
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

/* All of the range is committed. */
static status_t committed_check(struct vm *vm, uint64_t start, uint64_t end, uint64_t *detail)
{
	while (start < end) {
		const struct vm_region *region = region_tree_from(vm->regions, start);

		if (!region || region->start > start || region->kind != REGION_COMMITTED)
			return refuse(detail, REASON_STATE);
		start = region->end;
	}
	return STATUS_OK;
}

status_t vm_write(struct vm *vm, uint64_t address, const void *in, uint64_t bytes, uint64_t *detail)
{
	const uint8_t *from = in;
	status_t status;

	if (address < USER_BASE || address >= USER_END || bytes > USER_END - address)
		return refuse_argument(detail, write_arguments.address, 0);
	spin_lock(&vm->lock);
	status = vm_ended_check(vm, detail);
	if (status == STATUS_OK)
		status = committed_check(vm, address, address + bytes, detail);
	while (status == STATUS_OK && bytes > 0) {
		uint64_t in_page = address % PAGE_SIZE, part = MIN(bytes, PAGE_SIZE - in_page);
		uint8_t *page = arch_direct(committed_page(
				vm, region_tree_from(vm->regions, address), address - in_page));

		memcpy(page + in_page, from, part);
		from += part;
		address += part;
		bytes -= part;
	}
	spin_unlock(&vm->lock);
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

/* Takes back what writers_prepare did up to `end`. */
static void writers_undo(struct vm *vm, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vm_region *region = region_tree_from(vm->regions, start);
		uint64_t high = MIN(end, region->end);

		if (region->kind == REGION_MAPPED && region->access != ACCESS_READ_WRITE)
			memory_object_writers_drop(region->object, (high - start) / PAGE_SIZE);
		start = high;
	}
}

/* Lets the memory objects know that pages of theirs may be written; one that is sealed refuses, and
 * then none knows. */
static status_t writers_prepare(struct vm *vm, uint64_t start, uint64_t end, uint64_t *detail)
{
	for (uint64_t at = start; at < end;) {
		const struct vm_region *region = region_tree_from(vm->regions, at);
		uint64_t high = MIN(end, region->end);

		if (region->kind == REGION_MAPPED && region->access != ACCESS_READ_WRITE) {
			status_t status = memory_object_writers_add(
					region->object, (high - at) / PAGE_SIZE, detail);

			if (status != STATUS_OK) {
				writers_undo(vm, start, at);
				return status;
			}
		}
		at = high;
	}
	return STATUS_OK;
}

/* Gives a whole region another access; objects know of new writers already. */
static void region_protect(struct vm *vm, struct vm_region *region, enum access access)
{
	region_lock(region);
	if (region->kind == REGION_MAPPED && region->access == ACCESS_READ_WRITE &&
			access != ACCESS_READ_WRITE)
		region->object->writable_pages -= (region->end - region->start) / PAGE_SIZE;
	region->access = access;
	for (uint64_t address = region->start; address < region->end; address += PAGE_SIZE) {
		bool mapped = arch_space_protect(
				&vm->space, address, page_access(region, address));

		ASSERT(mapped || region_is_lazy(region));
	}
	region_unlock(region);
}

static void protect_perform(struct vm *vm, uint64_t start, uint64_t end, enum access access,
		struct region_list *spares)
{
	region_split(vm, start, spares);
	region_split(vm, end, spares);
	for (struct vm_region *region = region_tree_from(vm->regions, start);
			region && region->start < end; region = region->next)
		region_protect(vm, region, access);
	regions_merge(vm, start, end, spares);
}

status_t vm_protect(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail)
{
	struct region_list spares = { NULL };
	status_t status = commit_check(address, bytes, access, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = vm_ended_check(vm, detail);
	if (status == STATUS_OK)
		status = protect_check(vm, address, address + bytes, access, detail);
	if (status == STATUS_OK)
		status = region_list_fill(vm, &spares, 2, detail);
	if (status == STATUS_OK && access == ACCESS_READ_WRITE)
		status = writers_prepare(vm, address, address + bytes, detail);
	if (status == STATUS_OK)
		protect_perform(vm, address, address + bytes, access, &spares);
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}

/* No fixed region is touched from `region` on, and the work is bounded. *holes: spare regions
 * needed, 0 or 1. */
static status_t unmap_check(const struct vm_region *region, uint64_t start, uint64_t end,
		uint32_t *holes, uint64_t *detail)
{
	uint64_t pages = 0;
	uint32_t regions = 0;

	*holes = 0;
	for (; region && region->start < end; region = region->next) {
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

static void unmap_perform(struct vm *vm, struct vm_region *region, uint64_t start, uint64_t end,
		struct region_list *spares)
{
	while (region && region->start < end) {
		struct vm_region *next = region->next;

		region_cut(vm, region, MAX(start, region->start), MIN(end, region->end), spares);
		region = next;
	}
}

NO_BUFFER status_t vm_unmap(struct vm *vm, uint64_t address, uint64_t bytes, uint64_t *detail)
{
	struct region_list spares = { NULL };
	struct vm_region *first = NULL;
	uint32_t holes = 0;
	status_t status = range_check(
			address, bytes, USER_END / PAGE_SIZE, &commit_arguments, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&vm->lock);
	status = vm_ended_check(vm, detail);
	if (status == STATUS_OK) {
		first = region_tree_from(vm->regions, address);
		status = unmap_check(first, address, address + bytes, &holes, detail);
	}
	if (status == STATUS_OK && holes > 0)
		status = region_list_fill(vm, &spares, holes, detail);
	if (status == STATUS_OK)
		unmap_perform(vm, first, address, address + bytes, &spares);
	spin_unlock(&vm->lock);
	region_list_free(vm, &spares);
	return status;
}
