/*
 * Tests of both doors: what a loader leaves in memory arrives in boot_info, and information with
 * any byte changed is read without leaving the memory that holds it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/internal.h"
#include "kernel/core/test_fakes.h"

#define MEMORY_BYTES 0x100000
#define START_INFO   0x1000
#define MEMORY_MAP   0x2000
#define MODULES      0x3000
#define COMMAND_LINE 0x4000
#define INFORMATION  0x5000
#define MIB          0x100000ul

static struct boot_info boot;
static struct boot_raw raw;
static uint32_t end;            /* of the Multiboot2 information, from its start */

static void put(uint64_t at, uint64_t value, size_t bytes)
{
	memcpy(arch_direct(at), &value, bytes);
}

static void clear(void)
{
	memset(&boot, 0, sizeof(boot));
	memset(&raw, 0, sizeof(raw));
}

static void pvh_make(void)
{
	put(START_INFO, 0x336ec578, 4);
	put(START_INFO + 4, 1, 4);
	put(START_INFO + 12, 1, 4);
	put(START_INFO + 16, MODULES, 8);
	put(START_INFO + 24, COMMAND_LINE, 8);
	put(START_INFO + 32, 0xf5000, 8);
	put(START_INFO + 40, MEMORY_MAP, 8);
	put(START_INFO + 48, 3, 4);
	for (uint64_t i = 0; i < 3; i++) {
		put(MEMORY_MAP + i * 24, i * 4 * MIB, 8);
		put(MEMORY_MAP + i * 24 + 8, 2 * MIB, 8);
		put(MEMORY_MAP + i * 24 + 16, i == 1 ? 2 : 1, 4);
	}
	put(MODULES, 0x7000, 8);
	put(MODULES + 8, 0x123, 8);
	strcpy(arch_direct(COMMAND_LINE), "log=debug x");
}

/* Appends a tag and answers the address of its contents. */
static uint64_t tag_make(uint32_t type, uint32_t bytes)
{
	uint64_t tag = INFORMATION + end;

	put(tag, type, 4);
	put(tag + 4, bytes + 8, 4);
	end += ALIGN_UP(bytes + 8, 8u);
	put(INFORMATION, end, 4);
	return tag + 8;
}

static void multiboot2_make(void)
{
	uint64_t at;

	end = 8;
	strcpy(arch_direct(tag_make(1, 4)), "abc");
	at = tag_make(3, 10);
	put(at, 0x7000, 4);
	put(at + 4, 0x7123, 4);
	at = tag_make(6, 8 + 2 * 24);
	put(at, 24, 4);
	put(at + 8, 0, 8);
	put(at + 16, 2 * MIB, 8);
	put(at + 24, 1, 4);
	put(at + 32, 8 * MIB, 8);
	put(at + 40, 2 * MIB, 8);
	put(at + 48, 2, 4);
	memcpy(arch_direct(tag_make(15, 36)), "RSD PTR ", 8);
	memcpy(arch_direct(tag_make(14, 20)), "RSD PTR ", 8);
	tag_make(0, 0);
}

static int setup(void **state)
{
	test_memory_make(MEMORY_BYTES, 0);
	clear();
	pvh_make();
	multiboot2_make();
	return 0;
}

static int teardown(void **state)
{
	test_memory_free();
	return 0;
}

static void pvh_arrives(void **state)
{
	assert_null(boot_from_pvh(START_INFO, &boot, &raw));
	assert_string_equal(boot.door, "pvh");
	assert_string_equal(boot.command_line, "log=debug x");
	assert_int_equal(boot.package.start, 0x7000);
	assert_int_equal(boot.package.end, 0x7123);
	assert_int_equal(boot.rsdp, 0xf5000);
	assert_int_equal(raw.usable_count, 2);
	assert_int_equal(raw.usable[1].start, 8 * MIB);
}

static void multiboot2_arrives(void **state)
{
	assert_null(boot_from_multiboot2(INFORMATION, &boot, &raw));
	assert_string_equal(boot.door, "multiboot2");
	assert_string_equal(boot.command_line, "abc");
	assert_int_equal(boot.package.start, 0x7000);
	assert_int_equal(boot.package.end, 0x7123);
	assert_int_not_equal(boot.rsdp, 0);
	assert_int_equal(raw.usable_count, 1);
	assert_int_equal(raw.usable[0].end, 2 * MIB);
}

static void what_is_no_information_is_refused(void **state)
{
	assert_non_null(boot_from_pvh(0, &boot, &raw));
	assert_non_null(boot_from_pvh(1ul << 40, &boot, &raw));
	assert_non_null(boot_from_pvh(COMMAND_LINE, &boot, &raw));
	put(START_INFO + 4, 0, 4);
	assert_non_null(boot_from_pvh(START_INFO, &boot, &raw));
	assert_non_null(boot_from_multiboot2(0, &boot, &raw));
	assert_non_null(boot_from_multiboot2(INFORMATION + 4, &boot, &raw));
	assert_non_null(boot_from_multiboot2(MODULES + 0x800, &boot, &raw));
}

/* The information is moved to the end of memory, so that the sanitizer sees a read beyond it. */
static void any_changed_byte_is_harmless(void **state)
{
	uint64_t moved = MEMORY_BYTES - end;

	memcpy(arch_direct(moved), arch_direct(INFORMATION), end);
	for (uint32_t byte = 4; byte < end; byte++) {
		uint8_t *place = arch_direct(moved + byte), was = *place;

		for (uint32_t value = 0; value < 256; value++) {
			*place = (uint8_t)value;
			clear();
			(void)boot_from_multiboot2(moved, &boot, &raw);
			boot_map_finish(&boot, &raw);
		}
		*place = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pvh_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(multiboot2_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_information_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(any_changed_byte_is_harmless, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
