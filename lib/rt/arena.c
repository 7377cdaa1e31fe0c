/*
 * Arena: first fit over a bitmap. Spans are few and short-lived, so the search is short; the hint
 * skips the part below which everything is in use.
 */
#include "rt/arena.h"

#include <string.h>

#include "abi/compiler.h"
#include "rt/panic.h"

#define CHUNK_GRANULES (ARENA_CHUNK_WORDS / ARENA_GRANULE_WORDS)

static uint32_t granules_of(uint32_t words)
{
	return (words + ARENA_GRANULE_WORDS - 1) / ARENA_GRANULE_WORDS;
}

static bool is_used(const struct arena *arena, uint32_t granule)
{
	return ((arena->used[granule / 64] >> (granule % 64)) & 1) != 0;
}

static void flip(struct arena *arena, uint32_t granule, uint32_t count)
{
	for (; count != 0; granule++, count--)
		arena->used[granule / 64] ^= 1ull << (granule % 64);
}

void arena_init(struct arena *arena, uint32_t first_word, uint32_t end_word)
{
	memset(arena, 0, sizeof(*arena));
	arena->first = granules_of(first_word);
	arena->end = MIN(end_word / ARENA_GRANULE_WORDS, ARENA_GRANULES_MAX);
	arena->hint = arena->first;
}

/* The next free granule from `granule` on, or arena->end. */
static uint32_t next_free(const struct arena *arena, uint32_t granule)
{
	while (granule < arena->end) {
		uint64_t free_bits = ~arena->used[granule / 64] >> (granule % 64);

		if (free_bits != 0)
			return MIN(granule + (uint32_t)__builtin_ctzll(free_bits), arena->end);
		granule = ALIGN_DOWN(granule, 64u) + 64;
	}
	return arena->end;
}

/* Whether [granule, granule + count) is free; if not, *resume is where to look next. */
static bool stretch_is_free(const struct arena *arena, uint32_t granule, uint32_t count,
		uint32_t *resume)
{
	uint32_t i;

	if (granule / CHUNK_GRANULES != (granule + count - 1) / CHUNK_GRANULES) {
		*resume = ALIGN_UP(granule, CHUNK_GRANULES);
		return false;
	}
	for (i = 1; i < count; i++) {
		if (is_used(arena, granule + i)) {
			*resume = granule + i + 1;
			return false;
		}
	}
	return true;
}

bool arena_take(struct arena *arena, uint32_t words, uint32_t *word)
{
	uint32_t count = granules_of(words);
	uint32_t granule = next_free(arena, arena->hint);

	arena->hint = granule;
	if (count == 0 || count > CHUNK_GRANULES)
		return false;
	while (granule < arena->end && count <= arena->end - granule) {
		uint32_t resume = 0;

		if (stretch_is_free(arena, granule, count, &resume)) {
			flip(arena, granule, count);
			arena->used_count += count;
			*word = granule * ARENA_GRANULE_WORDS;
			return true;
		}
		granule = next_free(arena, resume);
	}
	return false;
}

void arena_give(struct arena *arena, uint32_t word, uint32_t words)
{
	uint32_t granule = word / ARENA_GRANULE_WORDS;
	uint32_t count = granules_of(words);
	uint32_t i;

	ASSERT(word % ARENA_GRANULE_WORDS == 0 && granule >= arena->first);
	ASSERT(granule + count <= arena->end && count <= arena->used_count);
	for (i = 0; i < count; i++)
		DEBUG_ASSERT(is_used(arena, granule + i));
	flip(arena, granule, count);
	arena->used_count -= count;
	if (granule < arena->hint)
		arena->hint = granule;
}

bool arena_check(const struct arena *arena)
{
	uint32_t count = 0;
	uint32_t i;

	for (i = 0; i < ARRAY_LEN(arena->used); i++)
		count += (uint32_t)__builtin_popcountll(arena->used[i]);
	return count == arena->used_count && count <= arena->end - arena->first;
}
