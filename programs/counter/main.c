/*
 * counter: adds to a counter three times and reports to its log.
 *
 *     run counter with { log: @console, counter: @counter } args ["-v"] env { BY = "2" }
 *
 * It shows that a program has what it was granted and nothing else. Without `counter` it counts for
 * itself; without `log` it cannot say a word, and its exit status is all that is left.
 */
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.client.h"
#include "programs/counter/counter.client.h"
#include "rt/format.h"
#include "rt/program.h"

#define ROUNDS      3
#define STATUS_MUTE 2 /* exit status: nowhere to report to */

static struct console_ref log;
static struct counter_ref counter;

static void report(const char *line)
{
	/* A log that has gone away is no reason to stop counting. */
	(void)console_write(log, capnp_text(line));
}

static void report_authority(void)
{
	char line[96];

	for (uint32_t i = 0; i < rt_grant_count(); i++) {
		struct capnp_text name = rt_grant_at(i).name;

		format_into(line, sizeof(line), "counter: granted %.*s", (int)name.bytes,
				name.chars);
		report(line);
	}
}

/* How much to add: the environment's BY, or 1. */
static uint64_t amount_from_environment(void)
{
	struct capnp_text by = rt_env("BY");
	uint64_t amount = 0;

	for (uint32_t i = 0; i < by.bytes && i < 9; i++) {
		if (by.chars[i] < '0' || by.chars[i] > '9')
			return 1;
		amount = amount * 10 + (uint64_t)(by.chars[i] - '0');
	}
	return by.bytes > 0 ? amount : 1;
}

/* Adds to the service's number where there is one, to our own where not. */
static status_t add(uint64_t amount, uint64_t *value)
{
	if (!client_ref_is_null(counter.ref))
		return counter_add(counter, amount, value);
	*value += amount;
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	uint64_t amount = amount_from_environment();
	uint64_t value = 0;
	char line[96];

	log = RT_GRANT(console, "log");
	counter = RT_GRANT(counter, "counter");
	if (client_ref_is_null(log.ref))
		return STATUS_MUTE;
	if (argc > 1 && strcmp(argv[1], "-v") == 0)
		report_authority();
	if (client_ref_is_null(counter.ref))
		report("counter: no `counter` was granted, counting alone");
	for (int round = 0; round < ROUNDS; round++) {
		status_t st = add(amount, &value);

		if (st != STATUS_OK) {
			format_into(line, sizeof(line), "counter: %s", status_sentence(st));
			report(line);
			return 1;
		}
		format_into(line, sizeof(line), "counter: %llu", (unsigned long long)value);
		report(line);
	}
	return 0;
}
