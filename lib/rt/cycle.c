/*
 * Cycles at fixed times. See cycle.h.
 */
#include "rt/cycle.h"

#include "abi/compiler.h"
#include "capos/kernel.client.h"
#include "rt/clock.h"
#include "rt/park.h"
#include "rt/program.h"

#define PAGE_BYTES 4096u

status_t cycle_begin(struct cycle *cycle, uint64_t period_ns)
{
	uint64_t now_ns;
	status_t st = clock_now(&now_ns);

	*cycle = (struct cycle){ .period_ns = period_ns };
	if (st == STATUS_OK)
		cycle->next_ns = now_ns + period_ns;
	return st;
}

/* Leaves out the cycles whose time has passed. */
static void skip(struct cycle *cycle, uint64_t now_ns)
{
	uint64_t passed;

	if (now_ns < cycle->next_ns)
		return;
	passed = (now_ns - cycle->next_ns) / cycle->period_ns + 1;
	cycle->missed += passed;
	cycle->next_ns += passed * cycle->period_ns;
}

static void note(struct cycle *cycle, uint64_t now_ns)
{
	uint64_t late_ns = now_ns - cycle->next_ns;

	histogram_add(&cycle->late, late_ns);
	if (cycle->cycles++ > 0) {
		uint64_t before_ns = cycle->woke_ns - cycle->began_ns;

		histogram_add(&cycle->jitter,
				late_ns > before_ns ? late_ns - before_ns : before_ns - late_ns);
	}
	cycle->woke_ns = now_ns;
	cycle->began_ns = cycle->next_ns;
	cycle->next_ns += cycle->period_ns;
}

status_t cycle_wait(struct cycle *cycle)
{
	static const uint32_t never;
	uint64_t now_ns;
	status_t st = clock_now(&now_ns);

	if (st != STATUS_OK)
		return st;
	skip(cycle, now_ns);
	/* Nobody unparks it, but who sleeps for a word may be woken for nothing. */
	while (now_ns < cycle->next_ns) {
		st = park(&never, 0, cycle->next_ns);
		if (st != STATUS_OK && st != STATUS_DEADLINE_EXCEEDED)
			return st;
		st = clock_now(&now_ns);
		if (st != STATUS_OK)
			return st;
	}
	note(cycle, now_ns);
	return STATUS_OK;
}

status_t resident_make(uint64_t bytes, void **memory)
{
	uint64_t whole = ALIGN_UP(bytes, (uint64_t)PAGE_BYTES), address = 0;
	struct memory_object_ref object;
	status_t st = object_factory_memory(RT_GRANT(object_factory, "factory"), whole, &object);

	if (st != STATUS_OK)
		return st;
	/* The pages of an object are made with it, and shown by the mapping at once. */
	st = virtual_memory_map(RT_GRANT(virtual_memory, "memory"),
			memory_object_as_memory_view(object), 0, whole, 0, ACCESS_READ_WRITE,
			&address);
	client_release(object.ref);
	*memory = (void *)(uintptr_t)address;
	return st;
}

void resident_stack(void)
{
	uint8_t stack[RESIDENT_STACK_BYTES];

	/* The compiler keeps only so much of an array as somebody could see. */
	__asm__ volatile("" : : "r"(stack) : "memory");
	for (uint32_t at = 0; at < RESIDENT_STACK_BYTES; at += PAGE_BYTES)
		*(volatile uint8_t *)&stack[at] = 0;
}
