/*
 * Any bytes as lines for the whole shell, on a system of doubles: parsed, completed at their end,
 * evaluated and printed. Whatever is said, nothing crashes, errors lie within the line, and when the shell
 * ends no capability is held any more.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.capnp.h"
#include "programs/bank/bank.capnp.h"
#include "services/shell/double.h"
#include "services/shell/schemas_test_data.h"
#include "services/shell/shell.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* A system of two services, one of which calls the other, for what is drawn of it. */
static const struct double_row rows[] = {
	{ 2, 1, 1, "timer", TIMER_INTERFACE_ID, 0x21, 0, 0, 0, false },
	{ 2, 1, 4, "export", BANK_INTERFACE_ID, 0x22, 0, 3, 0, false },
	{ 3, 2, 4, "export", BANK_INTERFACE_ID, 0x31, 0x22, 3, 0, false },
	{ 3, 2, 40, "export", ACCOUNT_INTERFACE_ID, 0x32, 0, 2, 0, false },
	{ 4, 2, 41, "process", PROCESS_HANDLE_INTERFACE_ID, 0x41, 0, 0, 3, false },
};

/* What is recorded, whatever is traced: calls within the first timer.now, a process, a fault. */
static const struct double_event events[] = {
	{ .kind = 1, .call = 1, .interface_id = TIMER_INTERFACE_ID, .process = DOUBLE_SHELL, .detail = 1 },
	{ .kind = 3, .call = 1, .process = 3, .time_ns = 1500 },
	{ .kind = 1, .call = 2, .within = 1, .interface_id = BANK_INTERFACE_ID, .process = 3, .words = 9, .time_ns = 2000 },
	{ .kind = 6, .call = 2, .interface_id = ACCOUNT_INTERFACE_ID, .process = 3, .other = 200, .time_ns = 2100 },
	{ .kind = 5, .call = 2, .status = 2, .time_ns = 3000 },
	{ .kind = 9, .process = 5, .other = DOUBLE_SHELL, .time_ns = 3500 },
	{ .kind = 8, .process = 5, .status = 14, .time_ns = 3600 },
	{ .kind = 5, .call = 1, .time_ns = 4000000 },
};

static struct schema schema;

static void open_schemas(void)
{
	static uint64_t arena[65536];

	if (!schema.order && schema_open(&schema, test_schemas_start,
			(uint64_t)(test_schemas_end - test_schemas_start), arena, ARRAY_LEN(arena)) != CAPNP_OK)
		abort();
}

static void run(struct shell *sh, const char *line, uint32_t bytes)
{
	static struct term_candidates candidates;

	shell_complete(sh, line, bytes, bytes, &candidates);
	(void)shell_run(sh, line, bytes);
	if (sh->failed && sh->failed_at > bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct double_system system_;
	static struct shell sh;
	const char *text = (const char *)bytes;
	size_t at = 0;

	if (count > 1000)
		return 0;
	open_schemas();
	double_init(&system_);
	shell_init(&sh, &schema, &system_.transport, &double_ops, &system_);
	double_grant_all(&system_, &sh);
	double_grant_tracer(&system_, &sh, true);
	system_.trace = events;
	system_.trace_count = ARRAY_LEN(events);
	system_.rows = rows;
	system_.row_count = ARRAY_LEN(rows);
	while (at < count) {
		size_t length = 0;

		while (at + length < count && text[at + length] != '\n')
			length++;
		double_output[0] = 0;
		run(&sh, text + at, (uint32_t)length);
		at += length + 1;
	}
	shell_fini(&sh);
	if (double_holders(&system_) != 0)
		abort();
	return 0;
}
