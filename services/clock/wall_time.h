/*
 * What time of day it is, as far as anybody has said: a point in both clocks, where it comes from, and how wrong it may
 * be. Pure: the caller says what the monotonic time is. main.c serves it.
 */
#ifndef SERVICES_CLOCK_WALL_TIME_H
#define SERVICES_CLOCK_WALL_TIME_H

#include <stdint.h>

#include "abi/status.h"
#include "capos/clock.capnp.h"

/* By how much a clock that nobody corrects is believed to go wrong, in parts of a million. Crystals keep within 100; what the
 * kernel measured the counter's rate against, and for how short a time, adds to it. */
#define WALL_TIME_DRIFT_PPM 500u

/* Always true: source none and trust unknown go together, and then everything but `changes` is 0. */
struct wall_time {
	int64_t          unix_ns;               /* at monotonic_ns */
	uint64_t         monotonic_ns;
	uint64_t         uncertainty_ns;        /* then */
	enum time_source source;
	enum time_trust  trust;
	uint32_t         changes;               /* by whoever controls it */
};

struct wall_time_now {
	int64_t  unix_ns;
	uint64_t uncertainty_ns;
};

/* The battery clock's, when the service starts: no change. Before that a zeroed `wall` has no time. */
void wall_time_begin(struct wall_time *wall, int64_t unix_ns, uint64_t uncertainty_ns, uint64_t monotonic_ns);
/* From now on. INVALID_ARGUMENT: before 1970. */
MUST_USE status_t wall_time_set(struct wall_time *wall, int64_t unix_ns, uint64_t uncertainty_ns, uint64_t monotonic_ns);
/* The same, by so much. INVALID_ARGUMENT: there is no time, or it would be before 1970 or beyond what can be said. */
MUST_USE status_t wall_time_adjust(
		struct wall_time *wall, int64_t offset_ns, uint64_t uncertainty_ns, uint64_t monotonic_ns);
/* 0 and 0 while there is no time. */
struct wall_time_now wall_time_now(const struct wall_time *wall, uint64_t monotonic_ns);

#endif
