/*
 * bulk: moves mebibytes from a service to itself without copying them and says what that took.
 *
 *     run bulk with { log: @console, @bulk, @factory, memory: own } args ["1024"]
 *
 * Arguments: mebibytes (1024), streams (10), how many of them are used (10), and "filled" to
 * write and read every word.
 */
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.client.h"
#include "programs/bulk/bulk.h"
#include "rt/format.h"
#include "rt/program.h"

#define STATUS_MUTE 2 /* exit status: nowhere to report to */

static struct console_ref log;

static void report(const char *line)
{
	(void)console_write(log, capnp_text(line));
}

/* Argument `index` as a number of at most six digits. */
static uint32_t number_of(int argc, char **argv, int index, uint32_t otherwise)
{
	uint32_t number = 0;

	if (index >= argc || strlen(argv[index]) > 6)
		return otherwise;
	for (const char *digit = argv[index]; *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return otherwise;
		number = number * 10 + (uint32_t)(*digit - '0');
	}
	return number;
}

static void report_transfer(const struct bulk_order *order, const struct bulk_report *transfer)
{
	char line[160];

	format_into(line, sizeof(line), "bulk: %u MiB in %llu chunks over %u of %u streams, %llu wrong", order->mebibytes,
			(unsigned long long)transfer->chunks, order->active, order->streams,
			(unsigned long long)transfer->wrong);
	report(line);
	format_into(line, sizeof(line), "bulk: %llu events, %llu looks, %llu sleeps, %llu signals; %llu ticks a MiB",
			(unsigned long long)transfer->events, (unsigned long long)transfer->looks,
			(unsigned long long)transfer->sleeps, (unsigned long long)transfer->signals,
			(unsigned long long)(transfer->ticks / MAX(order->mebibytes, 1u)));
	report(line);
}

int main(int argc, char **argv)
{
	struct window_authority authority = { RT_GRANT(object_factory, "factory"), RT_GRANT(virtual_memory, "memory") };
	struct bulk_order order = { .mebibytes = number_of(argc, argv, 1, 1024), .streams = number_of(argc, argv, 2, 10) };
	struct bulk_report transfer;
	char line[96];
	status_t status;

	order.active = number_of(argc, argv, 3, order.streams < 10 ? order.streams : 10);
	order.filled = argc > 4 && strcmp(argv[4], "filled") == 0;
	log = RT_GRANT(console, "log");
	if (client_ref_is_null(log.ref))
		return STATUS_MUTE;
	status = bulk_receive(&authority, RT_GRANT(bulk, "bulk"), &order, &transfer);
	if (status != STATUS_OK) {
		format_into(line, sizeof(line), "bulk: %s", status_sentence(status));
		report(line);
		return 1;
	}
	report_transfer(&order, &transfer);
	return transfer.wrong == 0 ? 0 : 1;
}
