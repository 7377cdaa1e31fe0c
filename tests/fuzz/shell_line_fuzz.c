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
#include "services/shell/double.h"
#include "services/shell/schemas_test_data.h"
#include "services/shell/shell.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

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
