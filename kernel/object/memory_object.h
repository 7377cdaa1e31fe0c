/*
 * Memory objects: frames that several address spaces may map. Behind MemoryView (read, execute) and
 * MemoryObject (also write). Frames are made with the object and charged to its ledger; they
 * go when the last reference does (each mapping is one).
 *
 * A clone has the same contents and shares frames with its original until one of them is written:
 * the writer parts from the rest with a copy, for which a page was set aside when the clone was
 * made and charged. An object that is sealed is never written again.
 */
#ifndef KERNEL_OBJECT_MEMORY_OBJECT_H
#define KERNEL_OBJECT_MEMORY_OBJECT_H

#include "kernel/core/list.h"
#include "kernel/object/ledger.h"
#include "kernel/object/object.h"
#include "kernel/object/park.h"

enum memory_backing {
	MEMORY_ANONYMOUS,
	MEMORY_DEVICE,       /* fixed physical range, not owned */
	MEMORY_FIXED,        /* a range of ordinary memory, not owned, and sealed */
	MEMORY_PAGER,        /* anonymous, but pages are there once they are supplied: pager.h */
};

struct paging;

/*  I fixed after creation   o under lock  */
struct memory_object {
	struct object       object;
	struct spinlock     lock;
	enum memory_backing backing;         /* I */
	bool                sharing;         /* o, has been cloned or is a clone */
	bool                sealed;          /* o, once true stays true */
	uint64_t            pages;           /* I */
	uint64_t            bytes;           /* I, <= pages * PAGE_SIZE; what info() says */
	uint32_t           *frames;          /* o, ANONYMOUS: page frame numbers */
	uint64_t            physical;        /* I, DEVICE, FIXED: start */
	uint64_t            writable_pages;  /* o, of mappings that may be written now */
	struct list         mappings;        /* o, regions of address spaces: mm/vm_map.c */
	struct paging      *paging;          /* I, PAGER: object/pager.c */
	size_t              paging_bytes;    /* I */
	struct ledger      *payer;           /* I, counted: frames */
	struct park_lot     parked;          /* who sleeps for words of it */
};

/* The largest object, in bytes: all of it is zeroed in one call. */
#define MEMORY_OBJECT_BYTES_MAX (64ul << 20)

extern const struct object_type memory_object_type;    /* object/memory_view.c */
void memory_object_destroy(struct object *object);     /* its destroy */

/* Zeroed frames, none for 0 bytes. `ledger` pays for one object and the pages. Counted reference.
 * */
status_t memory_object_create(struct ledger *ledger, uint64_t bytes, struct memory_object **object,
		uint64_t *detail) MUST_USE;
/* A window on physical memory that is not owned: device registers, or (FIXED) ordinary memory of whole
 * pages that stays as it is for ever. `physical` is a page's. The ledger pays for one object. */
status_t memory_object_create_window(struct ledger *ledger, enum memory_backing backing, uint64_t physical,
		uint64_t bytes, struct memory_object **object, uint64_t *detail) MUST_USE;
/* A new object with the contents that this one has now; `ledger` pays for it as for a new one. While
 * somebody could write through a mapping, and of a window on ordinary memory, the pages are copied at
 * once, else they are shared. FAILED: device memory, a pager's. */
status_t memory_object_clone(struct memory_object *object, struct ledger *ledger,
		struct memory_object **clone, uint64_t *detail) MUST_USE;
/* From now on nobody writes, by whatever way. False, and nothing has happened, while pages are
 * mapped for writing: *writable_pages of them. */
bool memory_object_seal(struct memory_object *object, uint64_t *writable_pages) MUST_USE;

/* Copies through the direct map; the range must lie inside. INVALID_ARGUMENT: sealed. */
void memory_object_read(struct memory_object *object, uint64_t offset, void *out, size_t bytes);
status_t memory_object_write(struct memory_object *object, uint64_t offset, const void *in,
		size_t bytes, uint64_t *detail) MUST_USE;

/* --- For mappings (mm/) ----------------------------------------------------------------------- */

/* Counts pages that are about to be mapped for writing, without lock. INVALID_ARGUMENT: sealed. */
status_t memory_object_writers_add(
		struct memory_object *object, uint64_t pages, uint64_t *detail) MUST_USE;
void memory_object_writers_drop(struct memory_object *object, uint64_t pages);

/* These with the object's lock held. */
uint64_t memory_object_page(const struct memory_object *object, uint64_t index);   /* physical */
bool memory_object_page_is_shared(const struct memory_object *object, uint64_t index);
/* Makes a page the object's own if it is shared, and writable where mappings allow it. */
void memory_object_page_own(struct memory_object *object, uint64_t index);

#endif
