/*
 * schema-check on pairs of small schemas: what a later version may do and what it may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A schema in which each case replaces one piece. */
static const char base[] =
	"@0xd1a2b3c4d5e6f708;\n"
	"using import \"/capos/annotations.capnp\".abi;\n"
	"using import \"/capos/annotations.capnp\".at;\n"
	"using import \"/capos/annotations.capnp\".code;\n"
	"const limit @0xb000000000000001 :UInt8 = 7;\n"
	"enum Color @0xb000000000000002 { red @0 $code(5); green @1; }\n"
	"struct Row @0xb000000000000003 $abi(16) { x @0 :UInt32 $at(0); y @1 :UInt64 $at(8); }\n"
	"struct Item @0xb000000000000004 {\n"
	"a @0 :UInt32 = 3;\n"
	"b @1 :Text;\n"
	"union { c @2 :UInt8; d @3 :List(Item); }\n"
	"}\n"
	"interface Base @0xb000000000000005 { m @0 (x :Text) -> (y :UInt8); }\n"
	"interface Derived @0xb000000000000006 extends(Base) { n @0 (x :Item) -> (); o @1 () -> (); }\n";

static const struct {
	const char *from;
	const char *to;
	const char *complaint;          /* NULL: kept */
} cases[] = {
	{ "a @0", "a @0", NULL },
	{ "b @1 :Text;\n", "b @1 :Text;\nlater @4 :UInt64;\n", NULL },
	{ "green @1;", "green @1; blue @2;", NULL },
	{ "o @1 () -> ();", "o @1 () -> (); p @2 () -> ();", NULL },
	{ "(x :Text) -> (y :UInt8)", "(x :Text, more :Bool) -> (y :UInt8, z :UInt8)", NULL },
	{ "d @3 :List(Item);", "d @3 :List(Item); e @4 :Float64;", NULL },
	{ "a @0 :UInt32", "renamed @0 :UInt32", "number 0 was named a" },
	{ "a @0 :UInt32 = 3", "a @0 :UInt32 = 4", "a has another default" },
	{ "a @0 :UInt32 = 3", "a @0 :Int32 = 3", "a has another type" },
	{ "a @0 :UInt32 = 3", "a @0 :UInt64 = 3", "a has another type" },
	{ "d @3 :List(Item)", "d @3 :List(Text)", "d has another type" },
	{ "a @0 :UInt32 = 3;\nb @1 :Text;", "b @0 :Text;\na @1 :UInt32 = 3;", "number 0 was named a" },
	{ "= 7", "= 8", "the constant has another value" },
	{ "$code(5)", "$code(6)", "red has another code, offset or count" },
	{ "red @0 $code(5); green @1;", "red @0 $code(5);", "1 values are missing" },
	{ "$at(8)", "$at(4)", "y has another code, offset or count" },
	{ "$abi(16)", "$abi(24)", "the layout has another size" },
	{ "extends(Base) ", "", "no longer extends Base" },
	{ "n @0 (x :Item) -> (); o @1", "o @0", "1 methods are missing" },
	{ "n @0 (x :Item)", "n @0 Item", "n takes another struct" },
	{ "(y :UInt8)", "(y :UInt16)", "y has another type" },
	{ "@0xb000000000000004", "@0xb0000000000000ff",
		"there is no node with id 0xb000000000000004 any more" },
	{ "d @3 :List(Item); }\n}", "d @3 :List(Item); }\n}\nstruct Extra {}", NULL },
};

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static void schema_write(const char *path, const char *from, const char *to)
{
	const char *at = strstr(base, from);
	FILE *file = fopen(path, "w");

	assert_non_null(at);
	assert_non_null(file);
	fprintf(file, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
	fclose(file);
}

static void each_change_is_judged(void **state)
{
	char directory[] = "/tmp/schema-check-XXXXXX";
	char path[128];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s.capnp", directory);
	schema_write(path, "a @0", "a @0");
	assert_int_equal(shell("capnp compile -I schema -o- %s --src-prefix=%s > %s/old.bin && "
			"%s --release %s/old.bin %s/1", path, directory, directory, SCHEMA_CHECK,
			directory, directory), 0);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		schema_write(path, cases[i].from, cases[i].to);
		if (shell("capnp compile -I schema -o- %s --src-prefix=%s > %s/new.bin", path, directory,
				directory) != 0)
			fail_msg("case %u does not compile", i);
		if (shell("%s %s/new.bin %s/1 > %s/out", SCHEMA_CHECK, directory, directory,
				directory) != (cases[i].complaint == NULL ? 0 : 256) ||
		    (cases[i].complaint != NULL &&
		     shell("grep -q '%s' %s/out", cases[i].complaint, directory) != 0)) {
			shell("cat %s/out", directory);
			fail_msg("case %u: \"%s\" to \"%s\"", i, cases[i].from, cases[i].to);
		}
	}
	assert_int_equal(shell("rm -r %s", directory), 0);
}

static void golden_messages_are_decoded(void **state)
{
	char directory[] = "/tmp/schema-check-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(shell("%s --release %s/schemas.bin %s/1", SCHEMA_CHECK, GEN_DIRECTORY,
			directory), 0);
	assert_int_equal(shell("%s %s/schemas.bin %s/1", SCHEMA_CHECK, GEN_DIRECTORY, directory), 0);
	/* A release is never written again. */
	assert_int_not_equal(shell("%s --release %s/schemas.bin %s/1 2>/dev/null", SCHEMA_CHECK,
			GEN_DIRECTORY, directory), 0);
	/* Another text for the same message. */
	assert_int_equal(shell("sed -i '0,/true/s//false/;0,/ = [1-9]/s// = 8/' %s/1/golden.txt", directory), 0);
	assert_int_equal(shell("%s %s/schemas.bin %s/1 | grep -q 'golden message means something else'",
			SCHEMA_CHECK, GEN_DIRECTORY, directory), 0);
	assert_int_equal(shell("rm -r %s", directory), 0);
}

static void releases_are_kept(void **state)
{
	(void)state;
	assert_int_equal(shell("for d in schema/released/*/; do test ! -d $d || %s %s/schemas.bin $d || "
			"exit 1; done", SCHEMA_CHECK, GEN_DIRECTORY), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_is_judged),
		cmocka_unit_test(golden_messages_are_decoded),
		cmocka_unit_test(releases_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
