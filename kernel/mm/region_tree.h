/*
 * The regions of one address space, in order: a balanced (AVL) tree of disjoint ranges that also
 * knows the largest gap in each subtree, so that finding a region and finding room both take
 * logarithmic time; neighbours are linked besides. No locks, no allocation: the owner's.
 */
#ifndef KERNEL_MM_REGION_TREE_H
#define KERNEL_MM_REGION_TREE_H

#include "abi/compiler.h"
#include "kernel/cap/grant_tie.h"
#include "kernel/core/list.h"

struct memory_object;
struct vm;

enum region_kind {
	REGION_RESERVED,        /* no memory */
	REGION_COMMITTED,       /* frames of its own */
	REGION_MAPPED,          /* a window on a memory object */
	REGION_FIXED,           /* the kernel's frames; no operation of the program's touches it */
};

/* Of a MAPPED region start, end, offset and access change only under the lock of its object too. */
struct vm_region {
	uint64_t              start;       /* bytes, page aligned */
	uint64_t              end;         /* one past the last byte; > start */
	enum region_kind      kind;
	uint32_t              access;      /* enum access */
	struct memory_object *object;      /* MAPPED, counted */
	uint64_t              offset;      /* MAPPED: of `start` in the object, bytes */
	uint64_t              mapping;     /* MAPPED: the same for all pieces of what one call mapped */
	struct grant_tie      tie;         /* MAPPED: to the grant by which the object was had */
	struct vm            *vm;          /* MAPPED: whose region it is */
	struct list           object_link; /* MAPPED, under the object's lock: all that show it */

	bool                  writable;    /* MAPPED: through a capability that allows writing */

	/* The tree's own. */
	uint32_t              height;
	struct vm_region     *left;        /* outside the tree: next in a list */
	struct vm_region     *right;
	struct vm_region     *prev;        /* by address */
	struct vm_region     *next;
	uint64_t              before;      /* free bytes between the one before (or address 0) and this */
	uint64_t              room;        /* the largest `before` in this subtree */
};

/* Adds a region that overlaps no other. */
void region_tree_insert(struct vm_region **root, struct vm_region *region);
/* Takes out a region that is in the tree. */
void region_tree_remove(struct vm_region **root, struct vm_region *region);
/* Moves the ends of a region in the tree; it must still overlap no other. */
void region_tree_resize(struct vm_region **root, struct vm_region *region, uint64_t start,
		uint64_t end);

/* The lowest region that ends above `address`: the one around it, else the next. NULL: none. */
struct vm_region *region_tree_from(struct vm_region *root, uint64_t address);
/* The lowest address of at least `base` with `bytes` free bytes below `limit`; 0 when there is
 * none. */
uint64_t region_tree_room(struct vm_region *root, uint64_t base, uint64_t limit,
		uint64_t bytes);

/* Panics if order, balance or gaps are wrong. */
void region_tree_check(const struct vm_region *root);

#endif
