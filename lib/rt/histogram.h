/*
 * How often which amount was seen, in fixed memory and without allocation: sixteen steps from one power
 * of two to the next, so that what is told of a quantile is at most a sixteenth too much. Needs nothing.
 */
#ifndef LIB_RT_HISTOGRAM_H
#define LIB_RT_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS   16u
#define HISTOGRAM_BUCKETS (61u * HISTOGRAM_STEPS)

/* All zero: nothing was seen. */
struct histogram {
	uint64_t count;
	uint64_t least;
	uint64_t most;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t amount);

/* An amount that so many thousandths of all were not above; 0 if nothing was seen. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t thousandths);

#endif
