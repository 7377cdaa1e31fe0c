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
#include "rt/self.h"

uintptr_t __stack_chk_guard = 0x5bd1e995a1b2c300u;

static struct thread_self main_self;
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
	thread_self_init(&main_self, header);
	program_parameters_open(parameters);
	rt_exit(main(program_args_fill(args, PROGRAM_ARGS_MAX), args));
}

void thread_self_init(struct thread_self *self, struct ring_header *header)
{
	ring_init(&self->ring, header);
	ring_transport_init(&self->transport, &self->ring);
	self->park_question = ring_question_take(&self->ring);
	ASSERT(self->park_question != RING_NO_QUESTION);
}

/* Entries that the thread has filled but not handed over, releases and returns above all, still count. */
void rt_exit(int64_t status)
{
	struct ring *ring = ring_self();

	if (ring != NULL)
		ring_submit(ring);
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
