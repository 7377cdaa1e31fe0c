/*
 * What a proof reads instead of kernel/mm/slab.h: functions that allocate are not among those that are proved.
 */
#ifndef KERNEL_MM_SLAB_H
#define KERNEL_MM_SLAB_H

#include <stddef.h>

struct slab_cache {
	size_t size;
};

#define SLAB_CACHE(name, type) { .size = sizeof(type) }

void *slab_alloc(struct slab_cache *cache);
void slab_free(struct slab_cache *cache, void *object);
void *heap_alloc(size_t bytes);
void heap_free(void *memory, size_t bytes);

#endif
