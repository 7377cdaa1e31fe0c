/*
 * What the parts of address spaces share: vm.c (life, committed memory), vm_region.c (regions, what
 * they cost, their pages) and vm_map.c (mappings and faults). Unless said otherwise the space's
 * lock is held.
 */
#ifndef KERNEL_MM_VM_INTERNAL_H
#define KERNEL_MM_VM_INTERNAL_H

#include "kernel/core/panic.h"
#include "kernel/mm/region_tree.h"
#include "kernel/mm/vm.h"
#include "kernel/object/ledger.h"

/* --- Refusals (vm.c) -------------------------------------------------------------------------- */

/* The numbers that refusals name arguments by. */
struct vm_arguments {
	uint8_t address;
	uint8_t bytes;
	uint8_t access;
	uint8_t offset;
};

static inline status_t refuse_argument(uint64_t *detail, uint32_t argument, uint64_t limit)
{
	*detail = reason_detail(REASON_ARGUMENT, argument, 0, limit);
	return STATUS_INVALID_ARGUMENT;
}

static inline status_t refuse(uint64_t *detail, uint32_t reason)
{
	*detail = reason_detail(reason, 0, 0, 0);
	return STATUS_INVALID_ARGUMENT;
}

static inline status_t refuse_memory(uint64_t *detail)
{
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	return STATUS_OVERLOADED;
}

/* Why table pages could not be had: the ledger says so if it is the ledger. */
status_t vm_refuse_tables(struct ledger *ledger, uint64_t *detail);
status_t vm_access_check(enum access access, const struct vm_arguments *arguments,
		uint64_t *detail) MUST_USE;
status_t vm_ended_check(const struct vm *vm, uint64_t *detail) MUST_USE;
/* Chooses *address if it is 0, or checks that nothing is there. */
status_t vm_place_find(struct vm *vm, uint64_t bytes, uint64_t pages_max,
		const struct vm_arguments *arguments, uint64_t *address,
		uint64_t *detail) MUST_USE;

/* --- Regions (vm_region.c) -------------------------------------------------------------------- */

/* Regions outside the tree, linked through `left`: spare ones for an operation, or ended ones whose
 * references are dropped after the lock. */
struct region_list {
	struct vm_region *first;
};

static inline void region_list_push(struct region_list *list, struct vm_region *region)
{
	region->left = list->first;
	list->first = region;
}

static inline struct vm_region *region_list_take(struct region_list *list)
{
	struct vm_region *region = list->first;

	ASSERT(region);
	list->first = region->left;
	return region;
}

/* Adds charged regions with contents undefined; those added before a refusal stay in the list. */
status_t region_list_fill(struct vm *vm, struct region_list *list, uint32_t count,
		uint64_t *detail) MUST_USE;
/* A region's part of the tree is set when it enters. */
static inline void region_init(struct vm_region *region, enum region_kind kind, uint64_t start,
		uint64_t end, enum access access)
{
	region->start = start;
	region->end = end;
	region->kind = kind;
	region->access = access;
	region->object = NULL;
	region->tie.grant = NULL;
}

/* The memory of the spare region, when the space ends. */
void region_spare_free(struct vm *vm);
/* Ends regions; one stays as spare. No lock is held: the last mapping may end its memory object. */
void region_list_free(struct vm *vm, struct region_list *list);

/* The lock of a MAPPED region's object; nothing for other regions. */
void region_lock(const struct vm_region *region);
void region_unlock(const struct vm_region *region);
/* Where a page of a MAPPED region is in its object. */
static inline uint64_t region_page_index(const struct vm_region *region, uint64_t address)
{
	return (region->offset + (address - region->start)) / PAGE_SIZE;
}

/* Adds a region whose fields are set; a MAPPED one brings its reference and has its object locked. */
void region_enter(struct vm *vm, struct vm_region *region);
/* Cuts the region around `address` in two there; the upper half is a spare. */
void region_split(struct vm *vm, uint64_t address, struct region_list *spares);
/* Gives back the pages [start, end) of a region and then the range itself. A hole takes a spare, a
 * region that ends joins them. */
void region_cut(struct vm *vm, struct vm_region *region, uint64_t start, uint64_t end,
		struct region_list *spares);
/* Joins neighbours of the same kind from just below `start` to just above `end`. */
void regions_merge(struct vm *vm, uint64_t start, uint64_t end, struct region_list *ended);

/* Whether a page of a region may be in the page tables: of paged memory, when it has been supplied. */
bool page_is_there(const struct vm_region *region, uint64_t address);
/* Pages of paged memory come into the page tables one by one. */
bool region_is_paged(const struct vm_region *region);
/* Pages of the region come into the page tables one by one, when they are touched. */
bool region_is_lazy(const struct vm_region *region);
/* Maps a page whose table has been prepared. */
void page_map(struct vm *vm, uint64_t address, uint64_t physical, enum access access,
		enum arch_memory memory);
/* Makes a page of a COMMITTED region that was not touched yet: the frame that was promised, zeroed. */
uint64_t page_make(struct vm *vm, const struct vm_region *region, uint64_t address);
/* The frame of a page of a COMMITTED region, made if it was not touched yet. */
uint64_t committed_page(struct vm *vm, const struct vm_region *region, uint64_t address);
/* The access that page tables give to a page of a region: none may write a page that is shared. */
enum access page_access(const struct vm_region *region, uint64_t address);

#endif
