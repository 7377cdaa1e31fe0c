/*
 * Heap: blocks out of one contiguous stretch of memory that grows at its end.
 *
 * Segregated free lists with boundary tags: taking and giving a block cost the same whatever the
 * heap holds, and neighbours that are free are joined at once. Pure: memory comes from the caller's
 * `grow`. lib/rt/malloc.c makes the process' malloc of it.
 */
#ifndef LIB_RT_HEAP_H
#define LIB_RT_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_ALIGNMENT 16u
#define HEAP_BINS 128u /* four for each power of two */
#define HEAP_BLOCK_BYTES_MAX ((size_t)1 << 32)

struct heap_block;

struct heap {
	struct heap_block *bins[HEAP_BINS]; /* free blocks by size, doubly linked */
	uint64_t nonempty[HEAP_BINS / 64];
	uint8_t *start;
	uint8_t *end; /* behind the usable bytes; the last header stands before it */
	/* Makes `bytes` more bytes usable at heap->end, zeroed or not. False: there are none. */
	bool (*grow)(void *context, uint8_t *end, size_t bytes);
	void *context;
	size_t grow_bytes; /* the step, a multiple of HEAP_ALIGNMENT */
	size_t used_bytes; /* in blocks that are taken, their headers included */
};

/* Begins with `bytes` usable bytes at start (HEAP_ALIGNMENT; at least 64 bytes). grow may be
 * NULL. */
void heap_init(struct heap *heap, void *start, size_t bytes,
		bool (*grow)(void *context, uint8_t *end, size_t bytes), void *context,
		size_t grow_bytes);

/* A block of at least `bytes` bytes, aligned to HEAP_ALIGNMENT, not zeroed. NULL: no memory. */
void *heap_take(struct heap *heap, size_t bytes);

/* Gives a block back; NULL is allowed. Stops the program on a block that is not in use. */
void heap_give(struct heap *heap, void *memory);

/* As realloc: the block keeps its bytes up to the smaller size. On NULL the old block stays. */
void *heap_resize(struct heap *heap, void *memory, size_t bytes);

/* Bytes that the block has room for. */
size_t heap_block_bytes(const void *memory);

/* Walks every block and list. True if all of it fits together. */
bool heap_check(const struct heap *heap);

#endif
