/*
 * Arena: which parts of a ring's message arena are in use. Spans are counted in words from the
 * start of the ring; each lies within one chunk, as the kernel demands. A bitmap holds one bit
 * per granule.
 *
 * Pure: it never looks at the words themselves. lib/rt/ring.c is the only caller.
 */
#ifndef LIB_RT_ARENA_H
#define LIB_RT_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#define ARENA_GRANULE_WORDS 8u
#define ARENA_CHUNK_WORDS 4096u /* CHUNK_BYTES of the ring's schema */
#define ARENA_CHUNKS_MAX 4u
#define ARENA_GRANULES_MAX (ARENA_CHUNKS_MAX * ARENA_CHUNK_WORDS / ARENA_GRANULE_WORDS)

struct arena {
	uint64_t used[ARENA_GRANULES_MAX /
			64]; /* a bit a granule, counted from word 0 of the ring */
	uint32_t first; /* granules below it and from `end` on are never given out */
	uint32_t end;
	uint32_t used_count;
	uint32_t hint; /* no granule below it is free */
};

/* Words [first_word, end_word) may be given out. */
void arena_init(struct arena *arena, uint32_t first_word, uint32_t end_word);

/* Finds `words` words (at least 1). False if no stretch is long enough. */
bool arena_take(struct arena *arena, uint32_t words, uint32_t *word);

/* Gives back what arena_take answered for the same number of words. */
void arena_give(struct arena *arena, uint32_t word, uint32_t words);

/* Walks the bitmap: its population is what used_count says. */
bool arena_check(const struct arena *arena);

#endif
