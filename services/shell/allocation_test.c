/*
 * The shell when memory runs out: the n-th allocation fails, for every n that a line reaches. It must
 * answer with a sentence or with the result, keep what was bound, lose no capability, and do the line as
 * soon as there is memory again. The linker leads the shell's allocations here (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "services/shell/double.h"
#include "services/shell/schemas_test_data.h"
#include "services/shell/shell.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);

static uint32_t fail_at;	/* this allocation from now on fails; 0: none does */
static bool did_fail;

static bool fails(void)
{
	if (fail_at == 0 || --fail_at > 0)
		return false;
	did_fail = true;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
	return fails() ? NULL : __real_realloc(block, bytes);
}

static struct schema schema;
static struct shell sh;
static struct double_system system_;

static int open_schemas(void **state)
{
	static uint64_t arena[65536];

	return schema_open(&schema, test_schemas_start, (uint64_t)(test_schemas_end - test_schemas_start), arena,
			ARRAY_LEN(arena)) == CAPNP_OK ? 0 : 1;
}

static bool run(const char *line)
{
	double_output[0] = 0;
	return shell_run(&sh, line, (uint32_t)strlen(line));
}

static void begin(void)
{
	double_init(&system_);
	shell_init(&sh, &schema, &system_.transport, &double_ops, &system_);
	double_grant_all(&system_, &sh);
	double_grant_tracer(&system_, &sh, true);
	assert_true(run("kept = bank.open(owner = \"kept\"); word = \"ann\""));
}

static const char *const lines[] = {
	"timer.now",
	"x = timer.now",
	"kept = bank.open(owner = $word)",
	"a = kept.account; b = a.depositOnly; b.deposit(amount = 1)",
	"word = [1, (a = \"text\", b = 0x\"00ff\")]",
	"c = @console as Console",
	"ps",
	"top 2",
	"holders @kept",
	"reach kept",
	"authority; authority process-7",
	"authority --dot",
	"run hello with { @console, log: @console } args [$word] env { A = \"b\" }",
	"p = spawn hello with { @timer }; wait p; kill p",
	"help; help bank; help Outcome; caps",
	"drop kept; bank.open(owner = \"new\")",
	"trace { t = timer.now; kept.balance }",
};

/* Each line with its n-th allocation failing; the number of n that the line reached. */
static uint32_t try_line(const char *line)
{
	for (uint32_t n = 1; ; n++) {
		bool ok;

		begin();
		did_fail = false;
		fail_at = n;
		ok = run(line);
		fail_at = 0;
		if (did_fail && !strstr(double_output, "no memory"))
			fail_msg("%s, allocation %u: no sentence in '%s'", line, n, double_output);
		if (!ok && !strstr(double_output, "error: "))
			fail_msg("%s, allocation %u: no error in '%s'", line, n, double_output);
		if (!ok && shell_find(&sh, "kept", 4))
			assert_true(run("kept.balance"));
		if (!ok && shell_find(&sh, "kept", 4) && !run(line))
			fail_msg("%s, allocation %u: then '%s'", line, n, double_output);
		shell_fini(&sh);
		if (double_holders(&system_) != 0)
			fail_msg("%s, allocation %u: a capability is lost", line, n);
		if (!did_fail)
			return n - 1;
	}
}

static void every_allocation_of_every_line_may_fail(void **state)
{
	uint32_t failed = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(lines); i++)
		failed += try_line(lines[i]);
	assert_true(failed > 3 * ARRAY_LEN(lines));
}

static void a_grant_without_memory_is_let_go(void **state)
{
	for (uint32_t n = 1; n <= 3; n++) {
		uint32_t names;

		begin();
		assert_true(run("gift = kept.account; drop kept"));
		names = sh.name_count;
		fail_at = n;
		assert_int_equal(shell_bind_capability(&sh, "late", double_keep(&system_), 0), STATUS_OVERLOADED);
		fail_at = 0;
		assert_int_equal(sh.name_count, names);
		shell_fini(&sh);
		assert_int_equal(double_holders(&system_), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_every_line_may_fail),
		cmocka_unit_test(a_grant_without_memory_is_let_go),
	};

	return cmocka_run_group_tests_name("shell_allocation", tests, open_schemas, NULL);
}
