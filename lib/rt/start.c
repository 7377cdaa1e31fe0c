/*
 * Start-up and ending of a program.
 *
 * Nothing here runs with the final stack guard except main: rt_start does not return, so changing
 * the guard under it is safe.
 */
#include "rt/start.h"

#include <stdlib.h>

#include "abi/syscall.h"
#include "rt/panic.h"
#include "rt/program.h"
#include "rt/ring.h"
#include "rt/transport.h"

uintptr_t __stack_chk_guard = 0x5bd1e995a1b2c300u;

static struct ring main_ring;
static char *args[PROGRAM_ARGS_MAX + 1];

/* Unpredictable only as far as the processor's counter is. The low byte is zero, so that a string
 * that runs over the end of its buffer cannot write the guard. */
static uintptr_t guard_make(const struct ring_header *header)
{
	uint64_t counter = __builtin_ia32_rdtsc();
	uint64_t mixed = (counter ^ (uint64_t)(uintptr_t)header ^
			((uint64_t)header->process_id << 32)) * 0x9e3779b97f4a7c15u;

	return (uintptr_t)((mixed ^ mixed >> 29) & ~0xffull);
}

__attribute__((no_stack_protector))
void rt_start(struct ring_header *header, const uint64_t *parameters)
{
	__stack_chk_guard = guard_make(header);
	ring_init(&main_ring, header);
	ring_transport_init(&main_ring);
	program_parameters_open(parameters);
	rt_exit(main(program_args_fill(args, PROGRAM_ARGS_MAX), args));
}

/* Entries that were filled but not handed over, releases and returns above all, still count. */
void rt_exit(int64_t status)
{
	if (main_ring.header != NULL)
		ring_submit(&main_ring);
	process_exit(status);
}

void exit(int status)
{
	rt_exit(status);
}

void abort(void)
{
	panic("abort");
}

void __stack_chk_fail(void)
{
	panic("a stack buffer was overrun");
}
