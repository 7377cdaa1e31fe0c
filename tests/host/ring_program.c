/*
 * A program that keeps its queue full; see ring_program.h. What touches the ring is lib/rt/ring.c.
 */
#include "tests/host/ring_program.h"

#include <sched.h>

#include "rt/ring.h"

#define OPERATIONS 48u

static struct ring ring;
static struct ring_operation operations[OPERATIONS];
static uint64_t numbers[OPERATIONS];

/* The kernel looks by itself. */
int64_t cap_enter(uint64_t flags, uint64_t min_complete, uint64_t deadline_ns)
{
	sched_yield();
	return 0;
}

static uint32_t finish(uint32_t place)
{
	while (!operations[place].done) {
		ring_reap(&ring);
		sched_yield();
	}
	return operations[place].completion.detail != numbers[place];
}

static void send(uint32_t place, uint64_t number, bool seeded)
{
	const struct ring_entry entry = { .op = CAP_OP_NOP, .interface = number,
		.user_data = (uint64_t)(uintptr_t)&operations[place] };

	numbers[place] = number;
	operations[place].done = false;
	if (seeded) {
		struct ring_entry *early = ring_next(&ring);

		ring_push(&ring);
		*early = entry;
	} else {
		ring_put(&ring, &entry);
	}
}

uint32_t ring_program_run(struct ring_header *header, uint32_t entries, bool seeded)
{
	uint32_t wrong = 0;

	ring_init(&ring, header);
	for (uint32_t i = 0; i < entries; i++) {
		if (i >= OPERATIONS)
			wrong += finish(i % OPERATIONS);
		send(i % OPERATIONS, 1 + i, seeded);
	}
	for (uint32_t i = 0; i < OPERATIONS && i < entries; i++)
		wrong += finish(i);
	return wrong;
}
