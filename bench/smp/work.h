/*
 * The work that is shared out among processors: one text for capOS, for Linux and for
 * the host on which both are emulated. Needs nothing but <stdint.h>.
 *
 * A block of memory is summed up so many times. Workers take equal parts of the block, and what they find is put together by
 * exclusive or, so that each number of workers has another right answer, known beforehand.
 */
#ifndef BENCH_SMP_WORK_H
#define BENCH_SMP_WORK_H

#include <stdint.h>

#define WORK_BYTES       (16u << 20)
#define WORK_ROUNDS      64u
#define WORK_ROUNDS_QUICK 2u
#define WORK_REPEATS     9u        /* medians are of these */
#define WORK_WORKERS_MAX 2u
#define WORK_WAKES       200u
#define WORK_WAKE_NS     2000000u  /* asleep before each */
#define WORK_CALLS       10000u    /* there and back, by each client */
#define WORK_CALLS_QUICK 200u
#define WORK_CALLS_LONG  15000u

/* What the block holds. */
static inline void work_fill(uint64_t *words)
{
	for (uint64_t i = 0; i < WORK_BYTES / 8; i++)
		words[i] = i * 0x9e3779b97f4a7c15u;
}

/* FNV-1a by words: each step waits for the last, so that no compiler makes other work of it. */
static inline uint64_t work_sum(const uint64_t *words, uint64_t count, uint32_t rounds)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (uint32_t round = 0; round < rounds; round++) {
		for (uint64_t i = 0; i < count; i++)
			sum = (sum ^ words[i]) * 0x100000001b3u;
	}
	return sum;
}

/* The part of worker `index` of `workers`. */
static inline uint64_t work_part(const uint64_t *words, uint32_t index, uint32_t workers, uint32_t rounds)
{
	uint64_t count = WORK_BYTES / 8 / workers;

	return work_sum(words + index * count, count, rounds);
}

#endif
