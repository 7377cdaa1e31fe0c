/*
 * Runs a test program of threads again with a defect that was put in, and tells whether ThreadSanitizer has found it: a
 * run that finds nothing says little unless it would have found something.
 */
#ifndef TESTS_HOST_SEEDED_H
#define TESTS_HOST_SEEDED_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEDED_FOUND 66
#define SEEDED_PATIENCE 120u /* seconds until a run counts as one that does not end */

/* Whether this is such a run. */
static inline bool seeded_is_asked(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "seeded") == 0;
}

static inline bool seeded_race_is_found(void)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		(void)alarm(SEEDED_PATIENCE);
		(void)!dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		setenv("TSAN_OPTIONS", "exitcode=66 halt_on_error=1", 1);
		execl("/proc/self/exe", "seeded-run", "seeded", (char *)NULL);
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == SEEDED_FOUND;
}

#endif
