/*
 * Tests of the archive reader: one good archive, then each way in which an archive can be bad.
 * Archives lie in memory of exactly their size, so that the sanitizer sees a read beyond the end.
 */
#include "kernel/core/cpio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t build[8192];
static size_t built;

static void pad(void)
{
	while (built % 4 != 0)
		build[built++] = 0;
}

static void add(const char *name, uint32_t mode, const void *data, size_t bytes)
{
	built += (size_t)sprintf((char *)build + built,
			"070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1u, mode,
			0u, 0u, 1u, 0u, bytes, 0u, 0u, 0u, 0u, strlen(name) + 1, 0u);
	memcpy(build + built, name, strlen(name) + 1);
	built += strlen(name) + 1;
	pad();
	memcpy(build + built, data, bytes);
	built += bytes;
	pad();
}

static void end(void)
{
	add("TRAILER!!!", 0, "", 0);
}

static int two_files(void **state)
{
	(void)state;
	memset(build, 0xee, sizeof(build));
	built = 0;
	add("manifest.bin", 0100444, "12345", 5);
	add("init", 0100755, "", 0);
	end();
	return 0;
}

/* What cpio_check says of the first `bytes` bytes of the archive. */
static bool check(size_t bytes, uint32_t *files)
{
	uint8_t *exact = malloc(bytes + 1);
	bool good;

	memcpy(exact + 1, build, bytes);
	good = cpio_check(exact + 1, bytes, files);
	free(exact);
	return good;
}

static void assert_bad(void)
{
	uint32_t files;

	assert_false(check(built, &files));
}

static void files_are_found(void **state)
{
	struct cpio_file file;
	uint32_t files;

	(void)state;
	assert_true(check(built, &files));
	assert_int_equal(files, 2);
	assert_true(cpio_find(build, built, "manifest.bin", 12, &file));
	assert_int_equal(file.bytes, 5);
	assert_memory_equal(file.data, "12345", 5);
	assert_true(cpio_find(build, built, "init", 4, &file));
	assert_int_equal(file.bytes, 0);
	assert_false(cpio_find(build, built, "ini", 3, &file));
	assert_false(cpio_find(build, built, "initx", 5, &file));
	assert_false(cpio_find(build, built, "TRAILER!!!", 10, &file));
}

static void zeros_may_follow_and_nothing_else(void **state)
{
	uint32_t files;

	(void)state;
	memset(build + built, 0, 512);
	built += 512;
	assert_true(check(built, &files));
	build[built - 1] = 1;
	assert_bad();
}

static void every_shorter_archive_is_bad(void **state)
{
	uint32_t files;

	(void)state;
	for (size_t bytes = 0; bytes < built - 1; bytes++)
		assert_false(check(bytes, &files));
}

/* No change of one byte makes the reader leave the archive (the sanitizer watches), and changes of
 * magic, padding, sizes and name ends are refused. */
static void every_changed_byte_is_survived(void **state)
{
	uint32_t files;

	(void)state;
	for (size_t i = 0; i < built; i++) {
		static const uint8_t values[] = { 0, 1, '0', 'f', 'g', 0x7f, 0xff };
		uint8_t before = build[i];

		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			build[i] = values[v];
			(void)check(built, &files);
		}
		build[i] = before;
	}
	for (size_t i = 0; i < 6; i++) {
		build[i]++;
		assert_bad();
		build[i]--;
	}
}

static void put_field(uint32_t field, const char *digits)
{
	memcpy(build + 6 + field * 8, digits, 8);
}

static void bad_fields_are_refused(void **state)
{
	(void)state;
	put_field(6, "fffffffc");
	assert_bad();
	put_field(6, "0000000g");
	assert_bad();
	put_field(6, "00000005");
	put_field(11, "00000000");
	assert_bad();
	put_field(11, "00000101");
	assert_bad();
	put_field(11, "ffffffff");
	assert_bad();
	put_field(11, "0000000c");
	assert_bad();
	put_field(11, "0000000d");
	put_field(12, "00000001");
	assert_bad();
	put_field(12, "00000000");
	put_field(1, "000041ed"); /* a directory */
	assert_bad();
	put_field(1, "0000a1ff"); /* a symbolic link */
	assert_bad();
}

static void bad_names_are_refused(void **state)
{
	(void)state;
	build[112] = 0; /* a NUL inside */
	assert_bad();
	build[112] = 'n';
	build[110 + 12] = 'x'; /* none at the end */
	assert_bad();
	built = 0;
	add("", 0100444, "a", 1);
	end();
	assert_bad();
}

/* By which the contents of files are aligned. */
static void nuls_may_follow_a_name(void **state)
{
	struct cpio_cursor cursor;
	struct cpio_file file;

	(void)state;
	built = 0;
	add("x", 0100444, "", 0);
	built = 110;
	memset(build + 110, 0, 200);
	build[110] = 'x';
	put_field(11, "00000064");
	built += 102;           /* with the name's padding */
	end();
	cpio_start(&cursor, build, built);
	assert_int_equal(cpio_next(&cursor, &file), CPIO_FILE);
	assert_int_equal(file.name_bytes, 1);
	assert_true(cpio_find(build, built, "x", 1, &file));
	build[110 + 50] = 'y';
	assert_bad();
	build[110 + 50] = 0;
	put_field(11, "00002001");
	assert_bad();
}

static void padding_is_zero(void **state)
{
	size_t data = ALIGN_UP(110 + 13, 4);

	(void)state;
	build[data - 1] = 1;
	assert_bad();
	build[data - 1] = 0;
	build[data + 7] = 1;
	assert_bad();
}

static void a_name_occurs_once(void **state)
{
	(void)state;
	built = 0;
	add("a", 0100444, "1", 1);
	add("b", 0100444, "1", 1);
	add("a", 0100444, "2", 1);
	end();
	assert_bad();
}

static void trailer_is_needed_and_empty(void **state)
{
	(void)state;
	built = 0;
	add("a", 0100444, "1", 1);
	assert_bad();
	add("TRAILER!!!", 0, "1", 1);
	assert_bad();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(files_are_found, two_files),
		cmocka_unit_test_setup(zeros_may_follow_and_nothing_else, two_files),
		cmocka_unit_test_setup(every_shorter_archive_is_bad, two_files),
		cmocka_unit_test_setup(every_changed_byte_is_survived, two_files),
		cmocka_unit_test_setup(bad_fields_are_refused, two_files),
		cmocka_unit_test_setup(bad_names_are_refused, two_files),
		cmocka_unit_test(nuls_may_follow_a_name),
		cmocka_unit_test_setup(padding_is_zero, two_files),
		cmocka_unit_test_setup(a_name_occurs_once, two_files),
		cmocka_unit_test_setup(trailer_is_needed_and_empty, two_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
