/*
 * The promise that a 64-byte message costs at most 200 instructions, encoded, copied and decoded. The
 * code runs in a child that is single-stepped, so that the count is exact and the same on every
 * run; what the stepping itself adds is measured with an empty call and taken off.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/capnp/cost_code.h"

#define INSTRUCTIONS_MAX 200

typedef uint64_t cost_fn(const uint64_t *values, uint64_t *from, uint64_t *to);

static const uint64_t values[7] = { 1, 2, 4, 8, 16, 32, 64 };

static void child_run(cost_fn *fn)
{
	uint64_t from[COST_WORDS];
	uint64_t to[COST_WORDS];
	uint64_t result;

	/* Once before, so that no symbol is left to be resolved. */
	(void)fn(values, from, to);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	result = fn(values, from, to);
	raise(SIGSTOP);
	_exit((int)result);
}

/* Instructions between the child's two stops; -1 where this system does not let us step. */
static long steps_count(cost_fn *fn, int *result)
{
	pid_t child = fork();
	long steps = 0;
	int status;

	if (child == 0)
		child_run(fn);
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return -1;
	do {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
		    waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
			return -1;
		steps++;
	} while (WSTOPSIG(status) == SIGTRAP);
	ptrace(PTRACE_CONT, child, NULL, NULL);
	waitpid(child, &status, 0);
	*result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return steps;
}

static void message_of_64_bytes_costs_at_most_200_instructions(void **state)
{
	int result = 0;
	long nothing = steps_count(cost_nothing, &result);
	long message;

	(void)state;
	if (nothing < 0)
		skip();
	assert_int_equal(result, 1);
	message = steps_count(cost_message, &result);
	assert_int_equal(result, 127);
	print_message("# %ld instructions for encode, copy and decode of 64 bytes\n", message - nothing);
	assert_true(message - nothing <= INSTRUCTIONS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_of_64_bytes_costs_at_most_200_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
