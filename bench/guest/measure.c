/*
 * Measuring: batches between two readings of the counter, median and minimum of them.
 */
#include <string.h>

#include "bench/guest/bench.h"
#include "bench/sort.h"
#include "capos/kernel.client.h"
#include "rt/format.h"
#include "rt/program.h"

#define BATCHES           41u
#define WARM_UP           2u
#define READING_TICKS     3u
#define CALIBRATION       200000u
#define CALIBRATION_SLACK 100u

uint64_t ticks_read(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void print(const char *id, uint64_t *values)
{
	sort_values(values, BATCHES);
	rt_print("BENCH %s instructions %lu %lu", id, (unsigned long)values[BATCHES / 2],
			(unsigned long)values[0]);
}

static uint64_t slab_allocations(void)
{
	struct system_info_ref info = RT_GRANT(system_info, "info");
	uint64_t count = 0;

	(void)!system_info_counters(info, NULL, &count, NULL, NULL, NULL);
	return count;
}

bool row_measure(const struct row *row)
{
	uint64_t values[BATCHES], allocations;

	for (uint32_t i = 0; i < WARM_UP; i++) {
		if (!row->run(row->count))
			return false;
	}
	allocations = slab_allocations();
	for (uint32_t i = 0; i < BATCHES; i++) {
		uint64_t started = ticks_read(), ended;
		bool good = row->run(row->count);

		ended = ticks_read();
		if (!good)
			return false;
		values[i] = (ended - started - READING_TICKS) / (row->count * row->parts);
	}
	allocations = slab_allocations() - allocations;
	if (row->no_slab && allocations != 0) {
		rt_print("bench: %s made %lu kernel allocations", row->id,
				(unsigned long)allocations);
		return false;
	}
	print(row->id, values);
	return true;
}

bool calibrate(void)
{
	uint64_t values[BATCHES];

	for (uint32_t i = 0; i < BATCHES; i++) {
		uint32_t turns = CALIBRATION / 2;
		uint64_t started = ticks_read(), ended;

		__asm__ volatile("1: dec %0; jnz 1b" : "+r"(turns) : : "cc");
		ended = ticks_read();
		values[i] = ended - started - READING_TICKS;
	}
	print("calibration", values);
	return values[BATCHES / 2] + CALIBRATION_SLACK >= CALIBRATION &&
			values[BATCHES / 2] <= CALIBRATION + CALIBRATION_SLACK;
}
