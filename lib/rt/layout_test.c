/*
 * Tests of the layout of launched programs.
 */
#include "rt/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct elf_image image = {
	.entry = 0x401000,
	.segment_count = 3,
	.segments = {
		{ 0, 0x300, 0x400000, 0x300, ELF_ACCESS_READ },
		{ 0x1000, 0x10, 0x401000, 0x10, ELF_ACCESS_READ_EXECUTE },
		{ 0x2010, 0x20, 0x402010, 0x2000, ELF_ACCESS_READ_WRITE },
	},
};

static void what_is_only_read_is_shared(void **state)
{
	struct launch_layout layout;

	(void)state;
	assert_true(launch_layout_make(&image, 513, 0, &layout));
	assert_int_equal(layout.segment_offset[0], 0);
	assert_int_equal(layout.segment_offset[1], 0x1000);
	assert_int_equal(layout.shared_bytes, 0x2000);
	assert_int_equal(layout.parameters_bytes, 0x2000);
	assert_false(launch_is_shared(&image.segments[2]));
}

static void stack_ends_at_its_end(void **state)
{
	struct launch_layout layout;

	(void)state;
	assert_true(launch_layout_make(&image, 1, 5000, &layout));
	assert_int_equal(layout.stack_bytes, 0x2000);
	assert_int_equal(layout.stack_address + layout.stack_bytes, LAUNCH_STACK_END);
	assert_true(launch_layout_make(&image, 1, 0, &layout));
	assert_int_equal(layout.stack_bytes, LAUNCH_STACK_BYTES);
}

static void too_much_is_refused(void **state)
{
	struct launch_layout layout;

	(void)state;
	assert_true(launch_layout_make(
			&image, LAUNCH_PARAMETERS_BYTES_MAX / 8, LAUNCH_STACK_BYTES_MAX, &layout));
	assert_true(layout.stack_address - 0x1000 >= LAUNCH_PARAMETERS + layout.parameters_bytes);
	assert_false(launch_layout_make(&image, LAUNCH_PARAMETERS_BYTES_MAX / 8 + 1, 0, &layout));
	assert_false(launch_layout_make(&image, 1, LAUNCH_STACK_BYTES_MAX + 1, &layout));
	assert_false(launch_layout_make(&image, UINT64_MAX, UINT64_MAX, &layout));
}

static void bytes_land_at_their_addresses(void **state)
{
	static uint8_t file[0x2100];
	static uint8_t memory[0x3000];
	struct launch_layout layout;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7 + 1);
	assert_true(launch_layout_make(&image, 1, 0, &layout));
	assert_int_equal(layout.shared_bytes, 0x2000);
	launch_layout_fill(&layout, &image, file, memory);
	assert_memory_equal(memory, file, 0x300);
	assert_memory_equal(memory + 0x1000, file + 0x1000, 0x10);
	assert_int_equal(memory[0x1010], 0);
	/* What is written is not there. */
	for (i = 0x2000; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_only_read_is_shared),
		cmocka_unit_test(stack_ends_at_its_end),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(bytes_land_at_their_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
