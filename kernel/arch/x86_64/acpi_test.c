/*
 * Tests of the ACPI reader with tables made here: what they say is found, and no change of any
 * byte, with its checksum mended, makes it read outside the memory that holds them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/internal.h"
#include "kernel/core/test_fakes.h"

#define MEMORY_BYTES 0x200000

/* The tables, each at an address of its own. */
#define RSDP 0xe0010
#define XSDT 0x100000
#define MADT 0x101000
#define FADT 0x102000
#define DSDT 0x103000

static uint8_t *at(uint64_t physical)
{
	return arch_direct(physical);
}

static void put(uint64_t physical, uint64_t value, size_t bytes)
{
	memcpy(at(physical), &value, bytes);
}

static void checksum_mend(uint64_t table, uint32_t bytes, uint32_t where)
{
	uint8_t sum = 0;

	at(table)[where] = 0;
	for (uint32_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + at(table)[i]);
	at(table)[where] = (uint8_t)-sum;
}

static void table_make(uint64_t table, const char *signature, uint32_t bytes)
{
	memcpy(at(table), signature, 4);
	put(table + 4, bytes, 4);
	checksum_mend(table, bytes, 9);
}

static void madt_make(void)
{
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,                          /* a processor */
		0, 8, 1, 1, 0, 0, 0, 0,                          /* one that is off */
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* a processor with a large number */
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* told twice */
		9, 16, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* one that is off */
		1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,       /* I/O controller */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,                   /* line 0 is input 2 */
		2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,                /* line 9 is level, high */
	};

	put(MADT + 36, 0xfee00000, 4);
	memcpy(at(MADT + 44), entries, sizeof(entries));
	table_make(MADT, "APIC", 44 + sizeof(entries));
}

static void fadt_make(void)
{
	static const uint8_t aml[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x00,
		0, 0 };

	put(FADT + 40, DSDT, 4);
	put(FADT + 64, 0x604, 4);
	put(FADT + 76, 0x608, 4);
	put(FADT + 112, 1 << 10, 4);
	put(FADT + 116, 1, 1);
	put(FADT + 120, 0xcf9, 8);
	put(FADT + 128, 0x0f, 1);
	table_make(FADT, "FACP", 244);
	memcpy(at(DSDT + 36), aml, sizeof(aml));
	table_make(DSDT, "DSDT", 36 + sizeof(aml));
}

static int setup(void **state)
{
	test_memory_make(MEMORY_BYTES, 0);
	memcpy(at(RSDP), "RSD PTR ", 8);
	put(RSDP + 15, 2, 1);
	put(RSDP + 20, 36, 4);
	put(RSDP + 24, XSDT, 8);
	checksum_mend(RSDP, 20, 8);
	checksum_mend(RSDP, 36, 32);
	put(XSDT + 36, MADT, 8);
	put(XSDT + 44, FADT, 8);
	table_make(XSDT, "XSDT", 52);
	madt_make();
	fadt_make();
	return 0;
}

static int teardown(void **state)
{
	test_memory_free();
	return 0;
}

static void tables_are_read(void **state)
{
	acpi_read(0);           /* found by searching */
	assert_int_equal(acpi.local_apic, 0xfee00000);
	assert_int_equal(acpi.processors, 2);
	assert_int_equal(acpi.processor_ids[0], 0);
	assert_int_equal(acpi.processor_ids[1], 0x100);
	assert_int_equal(acpi.io_apic_count, 1);
	assert_int_equal(acpi.io_apics[0].address, 0xfec00000);
	assert_int_equal(acpi.lines[0].input, 2);
	assert_int_equal(acpi.lines[1].input, 1);
	assert_true(acpi.lines[9].level && !acpi.lines[9].low);
	assert_int_equal(acpi.control_a, 0x604);
	assert_int_equal(acpi.timer_port, 0x608);
	assert_true(acpi.sleep_known);
	assert_int_equal(acpi.sleep_a, 5);
	assert_int_equal(acpi.sleep_b, 0);
	assert_int_equal(acpi.reset_port, 0xcf9);
	assert_int_equal(acpi.reset_value, 0x0f);
}

static void a_wrong_checksum_is_an_absent_table(void **state)
{
	at(MADT)[50] ^= 1;
	acpi_read(RSDP);
	assert_int_equal(acpi.processors, 0);
	assert_int_equal(acpi.control_a, 0x604);
	at(XSDT)[40] ^= 1;
	acpi_read(RSDP);
	assert_int_equal(acpi.control_a, 0);
}

static void no_tables_are_no_tables(void **state)
{
	memset(at(RSDP), 0, 36);
	acpi_read(RSDP);
	assert_int_equal(acpi.io_apic_count, 0);
	assert_int_equal(acpi.lines[7].input, 7);
}

/* Tables end where memory ends, so that the sanitizer sees a read beyond. */
static void any_changed_byte_is_harmless(void **state)
{
	static const struct { uint64_t table; uint32_t bytes; } tables[] = {
		{ MADT, 92 }, { FADT, 244 }, { DSDT, 49 }, { XSDT, 52 },
	};

	for (uint32_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (uint32_t byte = 10; byte < tables[t].bytes; byte++) {
			for (uint32_t value = 0; value < 256; value += 5) {
				uint8_t *place = at(tables[t].table + byte), was = *place;

				/* An address in these may point anywhere; that is mapped on the
				 * machine. */
				if (t == 3 || (t == 1 && byte >= 40 && byte < 44) ||
						(t == 1 && byte >= 140))
					break;
				*place = (uint8_t)value;
				checksum_mend(tables[t].table, tables[t].bytes, 9);
				acpi_read(RSDP);
				*place = was;
			}
		}
		checksum_mend(tables[t].table, tables[t].bytes, 9);
	}
}

static void a_package_at_the_end_of_the_code_is_not_read_beyond(void **state)
{
	static const uint8_t aml[] = { 0x08, '_', 'S', '5', '_', 0x12, 0xc6, 0x04 };

	for (uint32_t left = 0; left <= sizeof(aml); left++) {
		uint64_t dsdt = MEMORY_BYTES - 36 - left;

		memset(at(dsdt), 0, 36);
		memcpy(at(dsdt + 36), aml, left);
		table_make(dsdt, "DSDT", 36 + left);
		put(FADT + 40, dsdt, 4);
		table_make(FADT, "FACP", 244);
		acpi_read(RSDP);
		assert_false(acpi.sleep_known);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tables_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_wrong_checksum_is_an_absent_table, setup, teardown),
		cmocka_unit_test_setup_teardown(no_tables_are_no_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(any_changed_byte_is_harmless, setup, teardown),
		cmocka_unit_test_setup_teardown(a_package_at_the_end_of_the_code_is_not_read_beyond,
				setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
