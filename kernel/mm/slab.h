/*
 * Slabs: one cache per kernel object type, fixed size, no constructor. Memory comes from frames
 * and empty slabs go back. Freed objects are poisoned in debug builds and checked for writes
 * after free.
 */
#ifndef KERNEL_MM_SLAB_H
#define KERNEL_MM_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "kernel/core/spinlock.h"

#define SLAB_OBJECT_MAX 8192

struct slab_cache {
	struct spinlock    lock;
	const char        *name;
	uint32_t           size;        /* bytes, rounded up to 16 */
	struct slab       *partial;     /* slabs with free and used objects */
	struct slab       *full;        /* slabs with used objects only */
	struct slab       *empty;       /* at most one kept */
	uint64_t           live;        /* objects handed out */
	struct slab_cache *next_cache;  /* all caches, for checking */
	bool               listed;      /* in that list, since its first slab */
};

#define SLAB_CACHE(name_, type_) \
	{ .lock = SPINLOCK_INIT(LOCK_RANK_SLAB, name_), .name = (name_), .size = sizeof(type_) }

/* A zeroed object, or NULL when there is no memory. Aligned to 16 bytes, and to 64 if its size is a
 * multiple of 64. Sizes up to SLAB_OBJECT_MAX. */
void *slab_alloc(struct slab_cache *cache) MUST_USE;
void slab_free(struct slab_cache *cache, void *object);

/* Zeroed memory of any size for arrays (whole blocks above 2 KiB); free with the same size. */
void *heap_alloc(size_t bytes) MUST_USE;
/* The same with contents undefined, for what its user fills in by and by. */
void *heap_alloc_raw(size_t bytes) MUST_USE;
void heap_free(void *memory, size_t bytes);

uint64_t slab_allocations(void);    /* since boot, all caches and heap */
void slab_check(void);              /* walks all caches: counts, free lists, poison */

#endif
