/*
 * Amounts counted by size. See histogram.h.
 */
#include "rt/histogram.h"

#include "abi/compiler.h"

#define STEP_BITS 4u
STATIC_ASSERT(HISTOGRAM_STEPS == 1u << STEP_BITS);

/* Small amounts have buckets of their own; others share one with those that begin with the same bits. */
static uint32_t bucket_of(uint64_t amount)
{
	uint32_t shift;

	if (amount < HISTOGRAM_STEPS)
		return (uint32_t)amount;
	shift = 63 - (uint32_t)__builtin_clzll(amount) - STEP_BITS;
	return (shift << STEP_BITS) + (uint32_t)(amount >> shift);
}

/* The greatest amount in a bucket. */
static uint64_t bucket_top(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < 2 * HISTOGRAM_STEPS)
		return bucket;
	shift = (bucket >> STEP_BITS) - 1;
	return ((((uint64_t)bucket & (HISTOGRAM_STEPS - 1)) + HISTOGRAM_STEPS) << shift) +
			((1ull << shift) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t amount)
{
	if (histogram->count == 0 || amount < histogram->least)
		histogram->least = amount;
	histogram->most = MAX(histogram->most, amount);
	histogram->buckets[bucket_of(amount)]++;
	histogram->count++;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t thousandths)
{
	uint64_t wanted = (histogram->count * thousandths + 999) / 1000;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
		seen += histogram->buckets[i];
		if (seen >= MAX(wanted, 1u))
			return MIN(bucket_top(i), histogram->most);
	}
	return 0;
}
