/*
 * What time of day it is; see wall_time.h. Always true: a refusal changes nothing; sums stop at the largest number there
 * is instead of coming round.
 */
#include "services/clock/wall_time.h"

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void place(struct wall_time *wall, int64_t unix_ns, uint64_t uncertainty_ns, uint64_t monotonic_ns)
{
	wall->unix_ns = unix_ns;
	wall->uncertainty_ns = uncertainty_ns;
	wall->monotonic_ns = monotonic_ns;
}

void wall_time_begin(struct wall_time *wall, int64_t unix_ns, uint64_t uncertainty_ns, uint64_t monotonic_ns)
{
	place(wall, unix_ns, uncertainty_ns, monotonic_ns);
	wall->source = TIME_SOURCE_RTC;
	wall->trust = TIME_TRUST_UNTRUSTED;
}

status_t wall_time_set(struct wall_time *wall, int64_t unix_ns, uint64_t uncertainty_ns, uint64_t monotonic_ns)
{
	if (unix_ns < 0)
		return STATUS_INVALID_ARGUMENT;
	place(wall, unix_ns, uncertainty_ns, monotonic_ns);
	wall->source = TIME_SOURCE_CONTROL;
	wall->trust = TIME_TRUST_ASSERTED;
	wall->changes++;
	return STATUS_OK;
}

status_t wall_time_adjust(struct wall_time *wall, int64_t offset_ns, uint64_t uncertainty_ns, uint64_t monotonic_ns)
{
	struct wall_time_now now = wall_time_now(wall, monotonic_ns);
	int64_t unix_ns;

	if (wall->source == TIME_SOURCE_NONE || __builtin_add_overflow(now.unix_ns, offset_ns, &unix_ns))
		return STATUS_INVALID_ARGUMENT;
	return wall_time_set(wall, unix_ns, uncertainty_ns, monotonic_ns);
}

struct wall_time_now wall_time_now(const struct wall_time *wall, uint64_t monotonic_ns)
{
	uint64_t passed = monotonic_ns - wall->monotonic_ns;
	int64_t unix_ns;

	if (wall->source == TIME_SOURCE_NONE)
		return (struct wall_time_now){ 0, 0 };
	if (passed > INT64_MAX || __builtin_add_overflow(wall->unix_ns, (int64_t)passed, &unix_ns))
		unix_ns = INT64_MAX;
	return (struct wall_time_now){ unix_ns,
		add(wall->uncertainty_ns, passed / (1000000 / WALL_TIME_DRIFT_PPM)) };
}
