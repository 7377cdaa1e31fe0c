/*
 * Heap: segregated free lists over blocks with boundary tags.
 *
 *   | header | payload ........ | header | payload ... | last header |
 *
 * Always true: the blocks fill [start, end) without gaps; each header says how large its block
 * and the one before it are; no two neighbours are both free; a free block is in the bin of its
 * size; the last header stands for an empty block in use, so that joining stops there. A header's
 * mark tells a block in use, a free one and foreign bytes apart.
 */
#include "rt/heap.h"

#include <string.h>

#include "abi/compiler.h"
#include "rt/panic.h"

#define MARK_USED 0x6b6f6c42u
#define MARK_FREE 0x65657246u

struct heap_block {
	uint32_t units; /* of HEAP_ALIGNMENT bytes, header included; 1 only in the last header */
	uint32_t previous_units; /* of the block before; 0 for the first */
	uint32_t mark;
	uint32_t reserved;
	/* The payload; while the block is free: */
	struct heap_block *next;
	struct heap_block *previous;
};

#define HEADER_BYTES offsetof(struct heap_block, next)
#define UNITS_MIN 2u
STATIC_ASSERT(HEADER_BYTES == HEAP_ALIGNMENT);
STATIC_ASSERT(sizeof(struct heap_block) == UNITS_MIN * HEAP_ALIGNMENT);

static struct heap_block *block_after(const struct heap_block *block)
{
	uintptr_t at = (uintptr_t)block + (size_t)block->units * HEAP_ALIGNMENT;

	return (struct heap_block *)at;
}

static struct heap_block *block_before(const struct heap_block *block)
{
	uintptr_t at = (uintptr_t)block - (size_t)block->previous_units * HEAP_ALIGNMENT;

	return (struct heap_block *)at;
}

static struct heap_block *block_of(const void *memory)
{
	return (struct heap_block *)((uintptr_t)memory - HEADER_BYTES);
}

static void *payload_of(struct heap_block *block)
{
	return (uint8_t *)block + HEADER_BYTES;
}

static struct heap_block *last_header(const struct heap *heap)
{
	return (struct heap_block *)(void *)(heap->end - HEADER_BYTES);
}

/* The bin whose blocks have [4..8) quarters of a power of two: the two bits below the highest. */
static uint32_t bin_of(uint32_t units)
{
	uint32_t log = 31 - (uint32_t)__builtin_clz(units);
	uint32_t quarter = log >= 2 ? (units >> (log - 2)) & 3 : (units << (2 - log)) & 3;

	return log * 4 + quarter;
}

/* The first bin in which every block has at least `units`. */
static uint32_t bin_for(uint32_t units)
{
	uint32_t log = 31 - (uint32_t)__builtin_clz(units);
	uint32_t below = log >= 2 ? (1u << (log - 2)) - 1 : 0;

	return bin_of(units) + ((units & below) != 0 ? 1 : 0);
}

static void list_insert(struct heap *heap, struct heap_block *block)
{
	uint32_t bin = bin_of(block->units);

	block->mark = MARK_FREE;
	block->previous = NULL;
	block->next = heap->bins[bin];
	if (block->next != NULL)
		block->next->previous = block;
	heap->bins[bin] = block;
	heap->nonempty[bin / 64] |= 1ull << (bin % 64);
}

static void list_remove(struct heap *heap, struct heap_block *block)
{
	uint32_t bin = bin_of(block->units);

	ASSERT(block->mark == MARK_FREE);
	if (block->previous != NULL)
		block->previous->next = block->next;
	else
		heap->bins[bin] = block->next;
	if (block->next != NULL)
		block->next->previous = block->previous;
	if (heap->bins[bin] == NULL)
		heap->nonempty[bin / 64] &= ~(1ull << (bin % 64));
}

/* Joins the block with free neighbours and enters it in its bin. */
static void block_release(struct heap *heap, struct heap_block *block)
{
	struct heap_block *after = block_after(block);

	if (after->mark == MARK_FREE) {
		list_remove(heap, after);
		block->units += after->units;
	}
	if (block->previous_units != 0 && block_before(block)->mark == MARK_FREE) {
		struct heap_block *before = block_before(block);

		list_remove(heap, before);
		before->units += block->units;
		block = before;
	}
	block_after(block)->previous_units = block->units;
	list_insert(heap, block);
}

/* Cuts a block in use down to `units`; what is left over becomes free. */
static void block_cut(struct heap *heap, struct heap_block *block, uint32_t units)
{
	struct heap_block *rest;

	if (block->units - units < UNITS_MIN)
		return;
	rest = (struct heap_block *)((uintptr_t)block + (size_t)units * HEAP_ALIGNMENT);
	rest->units = block->units - units;
	rest->previous_units = units;
	rest->mark = MARK_USED;
	rest->reserved = 0;
	block->units = units;
	block_after(rest)->previous_units = rest->units;
	block_release(heap, rest);
}

static void last_header_write(struct heap *heap, uint32_t previous_units)
{
	struct heap_block *last = last_header(heap);

	last->units = 1;
	last->previous_units = previous_units;
	last->mark = MARK_USED;
	last->reserved = 0;
}

void heap_init(struct heap *heap, void *start, size_t bytes,
		bool (*grow)(void *context, uint8_t *end, size_t bytes), void *context,
		size_t grow_bytes)
{
	struct heap_block *first = start;

	ASSERT((uintptr_t)start % HEAP_ALIGNMENT == 0 && bytes >= 64 &&
			bytes % HEAP_ALIGNMENT == 0);
	ASSERT(grow_bytes % HEAP_ALIGNMENT == 0);
	memset(heap, 0, sizeof(*heap));
	heap->start = start;
	heap->end = heap->start + bytes;
	heap->grow = grow;
	heap->context = context;
	heap->grow_bytes = grow_bytes;
	first->units = (uint32_t)(bytes / HEAP_ALIGNMENT) - 1;
	first->previous_units = 0;
	first->reserved = 0;
	last_header_write(heap, first->units);
	list_insert(heap, first);
}

/* The old last header becomes the header of the new bytes, which then join what is free before. */
static bool heap_extend(struct heap *heap, uint32_t units)
{
	size_t wanted = (size_t)units * HEAP_ALIGNMENT;
	struct heap_block *block = last_header(heap);
	size_t bytes;

	if (heap->grow == NULL)
		return false;
	bytes = ALIGN_UP(wanted, heap->grow_bytes);
	if (!heap->grow(heap->context, heap->end, bytes))
		return false;
	heap->end += bytes;
	block->units = (uint32_t)(bytes / HEAP_ALIGNMENT);
	last_header_write(heap, block->units);
	block_release(heap, block);
	return true;
}

static struct heap_block *find(const struct heap *heap, uint32_t units)
{
	uint32_t bin = bin_for(units);
	uint32_t word;

	for (word = bin / 64; word < ARRAY_LEN(heap->nonempty); word++) {
		uint64_t bits = heap->nonempty[word];

		if (word == bin / 64)
			bits &= ~0ull << (bin % 64);
		if (bits != 0)
			return heap->bins[word * 64 + (uint32_t)__builtin_ctzll(bits)];
	}
	return NULL;
}

static uint32_t units_for(size_t bytes)
{
	uint32_t units = (uint32_t)((bytes + HEADER_BYTES + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT);

	return MAX(units, UNITS_MIN);
}

/* Room that heap_extend must add so that `find` succeeds: bins round up by at most a quarter. */
static uint32_t units_to_extend(uint32_t units)
{
	return units + units / 4 + 1;
}

void *heap_take(struct heap *heap, size_t bytes)
{
	struct heap_block *block;
	uint32_t units;

	if (bytes > HEAP_BLOCK_BYTES_MAX)
		return NULL;
	units = units_for(bytes);
	block = find(heap, units);
	if (block == NULL && heap_extend(heap, units_to_extend(units)))
		block = find(heap, units);
	if (block == NULL)
		return NULL;
	ASSERT(block->mark == MARK_FREE && block->units >= units);
	list_remove(heap, block);
	block->mark = MARK_USED;
	block_cut(heap, block, units);
	heap->used_bytes += (size_t)block->units * HEAP_ALIGNMENT;
	return payload_of(block);
}

void heap_give(struct heap *heap, void *memory)
{
	struct heap_block *block;

	if (memory == NULL)
		return;
	ASSERT((uintptr_t)memory % HEAP_ALIGNMENT == 0);
	ASSERT((uint8_t *)memory > heap->start && (uint8_t *)memory < heap->end);
	block = block_of(memory);
	ASSERT(block->mark == MARK_USED && block->units >= UNITS_MIN);
	ASSERT(block_after(block)->previous_units == block->units);
	heap->used_bytes -= (size_t)block->units * HEAP_ALIGNMENT;
	block_release(heap, block);
}

size_t heap_block_bytes(const void *memory)
{
	return (size_t)block_of(memory)->units * HEAP_ALIGNMENT - HEADER_BYTES;
}

/* Takes in the free block behind, if that makes the block large enough. */
static bool grow_in_place(struct heap *heap, struct heap_block *block, uint32_t units)
{
	struct heap_block *after = block_after(block);

	if (after->mark != MARK_FREE || block->units + after->units < units)
		return false;
	list_remove(heap, after);
	block->units += after->units;
	block_after(block)->previous_units = block->units;
	return true;
}

void *heap_resize(struct heap *heap, void *memory, size_t bytes)
{
	struct heap_block *block;
	uint32_t units;
	void *moved;

	if (memory == NULL)
		return heap_take(heap, bytes);
	if (bytes > HEAP_BLOCK_BYTES_MAX)
		return NULL;
	block = block_of(memory);
	ASSERT(block->mark == MARK_USED);
	units = units_for(bytes);
	heap->used_bytes -= (size_t)block->units * HEAP_ALIGNMENT;
	if (units <= block->units || grow_in_place(heap, block, units)) {
		block_cut(heap, block, units);
		heap->used_bytes += (size_t)block->units * HEAP_ALIGNMENT;
		return memory;
	}
	heap->used_bytes += (size_t)block->units * HEAP_ALIGNMENT;
	moved = heap_take(heap, bytes);
	if (moved == NULL)
		return NULL;
	memcpy(moved, memory, heap_block_bytes(memory));
	heap_give(heap, memory);
	return moved;
}

static bool list_holds(const struct heap *heap, const struct heap_block *block)
{
	const struct heap_block *at;

	for (at = heap->bins[bin_of(block->units)]; at != NULL; at = at->next) {
		if (at == block)
			return true;
	}
	return false;
}

bool heap_check(const struct heap *heap)
{
	const struct heap_block *last = last_header(heap);
	const struct heap_block *block = (const struct heap_block *)(void *)heap->start;
	uint32_t previous_units = 0;
	bool previous_free = false;
	size_t used_bytes = 0;

	for (; block < last; block = block_after(block)) {
		bool is_free = block->mark == MARK_FREE;

		if (!is_free && block->mark != MARK_USED)
			return false;
		if (block->previous_units != previous_units || block->units < UNITS_MIN)
			return false;
		if (is_free && (previous_free || !list_holds(heap, block)))
			return false;
		if (!is_free)
			used_bytes += (size_t)block->units * HEAP_ALIGNMENT;
		previous_units = block->units;
		previous_free = is_free;
	}
	return block == last && last->mark == MARK_USED && last->previous_units == previous_units &&
			used_bytes == heap->used_bytes;
}
