/*
 * The kernel's slabs and heap on the host's own heap, so that the address sanitizer sees each object: links in the place of
 * kernel/mm/slab.c. Always true: `blocks` is how many live.
 */
#include <stdlib.h>

#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "tests/host/machine.h"

static uint64_t blocks, allocations;

static void *block_alloc(size_t bytes)
{
	void *block;

	if (allocation_should_fail())
		return NULL;
	/* Some objects want the alignment that slabs give; sizes are what was asked for, so that an overrun is seen. */
	if (posix_memalign(&block, bytes % 64 == 0 ? 64 : 16, bytes) != 0)
		return NULL;
	__builtin_memset(block, 0, bytes);
	blocks++;
	allocations++;
	return block;
}

static void block_free(void *block)
{
	if (!block)
		return;
	blocks--;
	free(block);
}

void *slab_alloc(struct slab_cache *cache)
{
	return block_alloc(cache->size);
}

void slab_free(struct slab_cache *cache, void *object)
{
	block_free(object);
}

void *heap_alloc(size_t bytes)
{
	return block_alloc(bytes);
}

/* Not zero, as what another has left. */
void *heap_alloc_raw(size_t bytes)
{
	void *block = block_alloc(bytes);

	if (block)
		__builtin_memset(block, 0xa5, bytes);
	return block;
}

void heap_free(void *memory, size_t bytes)
{
	block_free(memory);
}

uint64_t slab_allocations(void)
{
	return allocations;
}

void slab_check(void)
{
}

uint64_t machine_blocks(void)
{
	return blocks;
}
