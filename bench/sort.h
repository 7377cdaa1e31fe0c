/*
 * Sorting of what was measured, for medians. It needs no library, so that the same serves on the host, in Linux and in
 * capOS.
 */
#ifndef BENCH_SORT_H
#define BENCH_SORT_H

#include <stdint.h>

/* The least first. For some hundred values. */
static inline void sort_values(uint64_t *values, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint64_t value = values[i];
		uint32_t place = i;

		for (; place > 0 && values[place - 1] > value; place--)
			values[place] = values[place - 1];
		values[place] = value;
	}
}

#endif
