/*
 * The generator: its output for a small schema is the text in tests/capnp/golden (to accept a change,
 * copy the new text there), every generated header compiles alone for kernel, programs and host,
 * and what it cannot make sense of it refuses with a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WARNINGS "-Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes " \
	"-Wundef -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings -Wno-unused-parameter"

static char directory[64];

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/generator-XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int teardown(void **state)
{
	(void)state;
	return shell("rm -r %s", directory);
}

static void output_is_the_golden_text(void **state)
{
	static const char *const kinds[] = { "capnp.h", "capnp.c", "server.h", "client.h" };

	(void)state;
	assert_int_equal(shell("capnp compile -I schema -o- tests/capnp/small.capnp > %s/request && "
			"generator=$(realpath %s) && cd %s && $generator < request", directory, CAPNPC,
			directory), 0);
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(shell("diff tests/capnp/golden/small.%s.golden "
				"%s/tests/capnp/small.%s", kinds[i], directory, kinds[i]), 0);
}

/* Unchanged output is left alone, so that nothing is built again for it. */
static void unchanged_output_keeps_its_time(void **state)
{
	(void)state;
	assert_int_equal(shell("generator=$(realpath %s) && cd %s && "
			"touch -d 2001-01-01 tests/capnp/small.capnp.h && $generator < request && "
			"test -z \"$(find tests -name small.capnp.h -newermt 2002-01-01)\"", CAPNPC,
			directory), 0);
}

static void headers_compile_alone(void **state)
{
	static const char *const targets[] = {
		"--target=x86_64-unknown-none-elf -ffreestanding -mgeneral-regs-only -DCAPOS_KERNEL=1",
		"--target=x86_64-unknown-none-elf -ffreestanding",
		"-DCAPOS_HOST=1",
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		assert_int_equal(shell("for h in $(cd %s && find . -name '*.h'); do "
				"echo \"#include \\\"$h\\\"\" | clang -std=gnu11 -fsyntax-only -x c %s "
				WARNINGS " -I. -Iabi -Ilib -I%s - || exit 1; done", GEN_DIRECTORY,
				targets[i], GEN_DIRECTORY), 0);
}

static void nonsense_is_refused_in_words(void **state)
{
	static const struct {
		const char *schema;
		const char *sentence;
	} cases[] = {
		{ "struct S $abi(8) { a @0 :UInt32; }", "has no offset: a" },
		{ "struct S $abi(8) { a @0 :UInt64 $at(4); }", "does not fit" },
		{ "struct S $abi(8) { a @0 :UInt64 $at(0); b @1 :UInt8 $at(4); }", "overlap" },
		{ "struct S $abi(8) { a @0 :Text $at(0); }", "a scalar was expected" },
		{ "struct S $abi(8) { a @0 :Bool $at(0); }", "does not fit" },
	};

	(void)state;
	assert_int_not_equal(shell("echo nonsense nonsense | %s 2> %s/words", CAPNPC, directory), 0);
	assert_int_equal(shell("grep -q 'not a CodeGeneratorRequest' %s/words", directory), 0);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(shell("printf '%%s\\n' '@0xd6e1a4c7b3f25890;' "
				"'using import \"/capos/annotations.capnp\".abi;' "
				"'using import \"/capos/annotations.capnp\".at;' '%s' > %s/bad.capnp && "
				"capnp compile -I schema --src-prefix=%s -o- %s/bad.capnp > %s/request",
				cases[i].schema, directory, directory, directory, directory), 0);
		assert_int_not_equal(shell("generator=$(realpath %s) && cd %s && "
				"$generator < request 2> words", CAPNPC, directory), 0);
		if (shell("grep -q '%s' %s/words", cases[i].sentence, directory) != 0)
			fail_msg("case %u: not \"%s\"", i, cases[i].sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_is_the_golden_text),
		cmocka_unit_test(unchanged_output_keeps_its_time),
		cmocka_unit_test(headers_compile_alone),
		cmocka_unit_test(nonsense_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
