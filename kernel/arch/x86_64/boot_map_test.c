/*
 * Tests of the boot map: whatever list the loader gives, what comes out is sorted, disjoint and
 * free of everything that is in use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/internal.h"

#define MIB 0x100000ul

static struct boot_info boot;
static struct boot_raw raw;

static int setup(void **state)
{
	memset(&boot, 0, sizeof(boot));
	memset(&raw, 0, sizeof(raw));
	boot.kernel = (struct boot_region){ 2 * MIB, 3 * MIB };
	return 0;
}

static void assert_sound(void)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < boot.usable_count; i++) {
		struct boot_region region = boot.usable[i];

		assert_true(region.start < region.end && region.start >= last);
		assert_int_equal((region.start | region.end) % PAGE_SIZE, 0);
		assert_true(region.end <= boot.kernel.start || region.start >= boot.kernel.end);
		assert_true(region.end <= boot.package.start || region.start >= boot.package.end);
		assert_false(boot.low_page >= region.start && boot.low_page < region.end);
		last = region.end;
	}
}

static uint64_t usable_bytes(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < boot.usable_count; i++)
		sum += boot.usable[i].end - boot.usable[i].start;
	return sum;
}

static void a_usual_map(void **state)
{
	boot.package = (struct boot_region){ 0x3100, 0x4010 };
	boot_raw_add(&raw, MIB, 511 * MIB);
	boot_raw_add(&raw, 0, 0x9fc00);
	boot_map_finish(&boot, &raw);
	assert_sound();
	assert_int_equal(boot.low_page, 0x9e000);
	/* Without page 0, the package's two pages, the low page and the kernel. */
	assert_int_equal(usable_bytes(), 0x9f000 - 4 * PAGE_SIZE + 510 * MIB);
	assert_int_equal(boot.usable[0].start, PAGE_SIZE);
	assert_int_equal(boot.usable[0].end, 0x3000);
	assert_int_equal(boot.usable[1].start, 0x5000);
}

static void overlapping_regions_count_once(void **state)
{
	boot_raw_add(&raw, 8 * MIB, 4 * MIB);
	boot_raw_add(&raw, 4 * MIB, 6 * MIB);
	boot_raw_add(&raw, 5 * MIB, MIB);
	boot_map_finish(&boot, &raw);
	assert_sound();
	assert_int_equal(boot.usable_count, 1);
	assert_int_equal(usable_bytes(), 8 * MIB);
	assert_int_equal(boot.low_page, 0);
}

static void nonsense_is_harmless(void **state)
{
	boot_raw_add(&raw, UINT64_MAX - 10, UINT64_MAX);
	boot_raw_add(&raw, 0x1800, 0x1000);
	boot_raw_add(&raw, 4 * MIB, 0);
	boot_raw_add(&raw, 1ul << 60, MIB);
	boot.package = (struct boot_region){ 6 * MIB + 5, 6 * MIB + 5 };
	boot_raw_add(&raw, 4 * MIB, 4 * MIB);
	boot_map_finish(&boot, &raw);
	assert_int_equal(boot.usable_count, 1);
	assert_int_equal(usable_bytes(), 4 * MIB);
	assert_int_equal(boot.package.end, 0);
}

static void random_maps_are_sound(void **state)
{
	srand(11);
	for (uint32_t round = 0; round < 2000; round++) {
		setup(state);
		boot.package.start = (uint64_t)rand() % (64 * MIB);
		boot.package.end = boot.package.start + (uint64_t)rand() % MIB;
		for (uint32_t i = 0; i < 80; i++)
			boot_raw_add(&raw, (uint64_t)rand() % (64 * MIB),
					(uint64_t)rand() % (2 * MIB));
		boot_map_finish(&boot, &raw);
		assert_sound();
	}
}

static void command_lines_have_words(void **state)
{
	assert_true(boot_command_line_has("a log=debug b", "log=debug"));
	assert_true(boot_command_line_has("log=debug", "log=debug"));
	assert_false(boot_command_line_has("xlog=debug log=debugx", "log=debug"));
	assert_false(boot_command_line_has("", "a"));
	boot_command_line_set(&boot, "abc\0def", 7);
	assert_string_equal(boot.command_line, "abc");
	boot_command_line_set(&boot, "abcdef", 3);
	assert_string_equal(boot.command_line, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_usual_map, setup),
		cmocka_unit_test_setup(overlapping_regions_count_once, setup),
		cmocka_unit_test_setup(nonsense_is_harmless, setup),
		cmocka_unit_test_setup(random_maps_are_sound, setup),
		cmocka_unit_test_setup(command_lines_have_words, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
