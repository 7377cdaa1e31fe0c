/*
 * The two halves of a thread's ring against each other, each a thread, under ThreadSanitizer: the program hands entries over
 * and reads completions with lib/rt/ring.c, the kernel takes them and completes them with kernel/ring, at any time, as
 * a kernel does that polls a ring. What one half writes the other reads whole, in order, and with no race.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The host has one as well. */
#define sched_yield kernel_sched_yield
#include "kernel/core/panic.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/process.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/cpu.h"
#undef sched_yield
#include "tests/host/ring_program.h"
#include "tests/host/seeded.h"

#define ENTRIES 200000u
#define SEEDED_ENTRIES 20000u

static uint8_t memory[RING_BYTES] __attribute__((aligned(4096)));
uint8_t *arch_host_memory = memory;
static struct cpu cpu;
_Thread_local struct cpu *arch_host_cpu = &cpu;
struct cpu *processors[PROCESSORS_MAX] = { &cpu };
uint32_t processor_count = 1;
static struct process process;
static struct thread thread = { .id = 1, .process = &process };

void panic(const char *format, ...)
{
	fprintf(stderr, "panic: %s\n", format);
	abort();
}

void arch_host_relax(void)
{
	sched_yield();
}

void *heap_alloc_raw(size_t bytes)
{
	return malloc(bytes);
}

void heap_free(void *pointer, size_t bytes)
{
	free(pointer);
}

/* The only ones. */
uint64_t frame_alloc_zeroed(uint32_t order)
{
	return order == RING_ORDER ? 0 : FRAME_NONE;
}

void frame_free(uint64_t physical, uint32_t order)
{
}

/* The kernel's half until so many have been completed. */
struct half {
	struct ring *ring;
	uint32_t entries;
};

static void *run_kernel(void *argument)
{
	const struct half *half = argument;
	struct ring *ring = half->ring;
	uint32_t done = 0;

	while (done < half->entries) {
		for (uint32_t count = ring_submitted(ring); count > 0 && ring_has_credit(ring); count--) {
			const struct ring_entry taken = ring->sq[ring_index_place(ring->sq_head, RING_SQ_ENTRIES)];
			struct ring_completion outcome = { .status = STATUS_OK, .detail = taken.interface };

			ring_head_advance(ring);
			ring_complete_entry(ring, &taken, &outcome);
			done++;
		}
		sched_yield();
	}
	return NULL;
}

/* How many numbers came back wrong. */
static uint32_t run(uint32_t entries, bool seeded)
{
	struct half half = { .ring = ring_create(&thread, &process), .entries = entries };
	pthread_t kernel;
	uint32_t wrong;

	if (!half.ring || pthread_create(&kernel, NULL, run_kernel, &half) != 0)
		return UINT32_MAX;
	wrong = ring_program_run(half.ring->header, entries, seeded);
	pthread_join(kernel, NULL);
	wrong += half.ring->header->clamped;
	ring_destroy(half.ring);
	return wrong;
}

static void what_is_sent_comes_back(void **state)
{
	assert_int_equal(run(ENTRIES, false), 0);
}

static void an_entry_handed_over_too_early_is_found(void **state)
{
	assert_true(seeded_race_is_found());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_handed_over_too_early_is_found),
		cmocka_unit_test(what_is_sent_comes_back),
	};

	if (seeded_is_asked(argc, argv))
		return run(SEEDED_ENTRIES, true) != 0;
	(void)alarm(2 * SEEDED_PATIENCE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
