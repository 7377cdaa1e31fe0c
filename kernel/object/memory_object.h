/*
 * Memory objects: frames that several address spaces may map. Behind MemoryView (read, execute) and
 * MemoryObject (also write). Frames are made with the object and charged to its ledger; they
 * go when the last reference does (each mapping is one).
 */
#ifndef KERNEL_OBJECT_MEMORY_OBJECT_H
#define KERNEL_OBJECT_MEMORY_OBJECT_H

#include "kernel/object/ledger.h"
#include "kernel/object/object.h"

enum memory_backing {
	MEMORY_ANONYMOUS,
	MEMORY_DEVICE,       /* fixed physical range, not owned */
	MEMORY_CLONE,        /* copy on write; number reserved */
	MEMORY_PAGER,        /* asks an endpoint for pages; number reserved */
};

/*  I fixed after creation  */
struct memory_object {
	struct object       object;
	enum memory_backing backing;   /* I */
	uint64_t            pages;     /* I */
	uint64_t            bytes;     /* I, <= pages * PAGE_SIZE; what info() says */
	uint32_t           *frames;    /* I, ANONYMOUS: page frame numbers */
	uint64_t            physical;  /* I, DEVICE: start */
	struct ledger      *payer;     /* I, counted: frames */
};

/* The largest object, in bytes: all of it is zeroed in one call. */
#define MEMORY_OBJECT_BYTES_MAX (64ul << 20)

extern const struct object_type memory_object_type;    /* object/memory_view.c */
void memory_object_destroy(struct object *object);     /* its destroy */

/* Zeroed frames, none for 0 bytes. `ledger` pays for one object and the pages. Counted reference.
 * */
status_t memory_object_create(struct ledger *ledger, uint64_t bytes, struct memory_object **object,
		uint64_t *detail) MUST_USE;
/* A window on physical memory that is not owned (boot package, device registers). */
status_t memory_object_create_device(struct ledger *ledger, uint64_t physical, uint64_t bytes,
		struct memory_object **object, uint64_t *detail) MUST_USE;
uint64_t memory_object_page(const struct memory_object *object, uint64_t index);   /* physical */
/* Copies through the direct map; the range must lie inside. */
void memory_object_read(const struct memory_object *object, uint64_t offset, void *out,
		size_t bytes);
void memory_object_write(struct memory_object *object, uint64_t offset, const void *in,
		size_t bytes);

#endif
