/*
 * Tests of the arena: spans never overlap, never cross a chunk, and all of it comes back.
 */
#include "rt/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/panic.h"

#define SPANS 64

NORETURN void panic(const char *format, ...)
{
	abort();
}

static uint8_t owner[ARENA_CHUNKS_MAX * ARENA_CHUNK_WORDS];
static uint32_t seed = 7;

static uint32_t random_below(uint32_t bound)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % bound;
}

static void mark(uint32_t word, uint32_t words, uint8_t from, uint8_t to)
{
	uint32_t i;

	for (i = word; i < word + words; i++) {
		assert_int_equal(owner[i], from);
		owner[i] = to;
	}
}

static void spans_are_disjoint_and_in_one_chunk(void **state)
{
	struct { uint32_t word, words; } spans[SPANS] = { { 0, 0 } };
	struct arena arena;
	int step;
	uint32_t i;

	(void)state;
	arena_init(&arena, 837, 3 * ARENA_CHUNK_WORDS);
	for (step = 0; step < 50000; step++) {
		i = random_below(SPANS);
		if (spans[i].words != 0) {
			mark(spans[i].word, spans[i].words, (uint8_t)(i + 1), 0);
			arena_give(&arena, spans[i].word, spans[i].words);
			spans[i].words = 0;
		} else {
			uint32_t words = 1 + random_below(random_below(8) == 0 ? 2048 : 300);

			if (!arena_take(&arena, words, &spans[i].word))
				continue;
			spans[i].words = words;
			assert_true(spans[i].word >= 837);
			assert_int_equal(spans[i].word / ARENA_CHUNK_WORDS,
					(spans[i].word + words - 1) / ARENA_CHUNK_WORDS);
			mark(spans[i].word, words, 0, (uint8_t)(i + 1));
		}
		assert_true(arena_check(&arena));
	}
}

static void everything_can_be_taken_and_given_back(void **state)
{
	struct arena arena;
	uint32_t taken[600];
	uint32_t count = 0;
	uint32_t word;

	(void)state;
	arena_init(&arena, 800, ARENA_CHUNK_WORDS);
	while (arena_take(&arena, ARENA_GRANULE_WORDS, &taken[count]))
		count++;
	assert_int_equal(count, (ARENA_CHUNK_WORDS - 800) / ARENA_GRANULE_WORDS);
	assert_false(arena_take(&arena, 1, &word));
	while (count-- != 0)
		arena_give(&arena, taken[count], ARENA_GRANULE_WORDS);
	assert_int_equal(arena.used_count, 0);
	assert_true(arena_take(&arena, ARENA_CHUNK_WORDS - 800, &word));
	assert_int_equal(word, 800);
}

static void sizes_that_no_chunk_holds_are_refused(void **state)
{
	struct arena arena;
	uint32_t word;

	(void)state;
	arena_init(&arena, 800, 2 * ARENA_CHUNK_WORDS);
	assert_false(arena_take(&arena, 0, &word));
	assert_false(arena_take(&arena, ARENA_CHUNK_WORDS + 1, &word));
	assert_true(arena_take(&arena, ARENA_CHUNK_WORDS, &word));
	assert_int_equal(word, ARENA_CHUNK_WORDS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_disjoint_and_in_one_chunk),
		cmocka_unit_test(everything_can_be_taken_and_given_back),
		cmocka_unit_test(sizes_that_no_chunk_holds_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
