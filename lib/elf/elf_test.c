/*
 * Tests of the ELF parser: one acceptable file, then each refusal made by changing one field of it.
 */
#include "elf/elf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEADERS 3u
#define FILE_BYTES 0x3100u

/* Offsets of the fields that the tests change (ELF64). */
#define E_TYPE 16
#define E_MACHINE 18
#define E_ENTRY 24
#define E_PHOFF 32
#define E_FLAGS 48
#define E_PHENTSIZE 54
#define E_PHNUM 56
#define PH(i) (64u + 56u * (i))
#define P_TYPE 0
#define P_FLAGS 4
#define P_OFFSET 8
#define P_VADDR 16
#define P_FILESZ 32
#define P_MEMSZ 40
#define P_ALIGN 48

static const struct elf_limits limits = { 0x400000, 0x800000, 0x10000 };

static uint8_t file[FILE_BYTES];

static void put(size_t offset, uint64_t value, size_t bytes)
{
	memcpy(file + offset, &value, bytes);
}

static void put_segment(unsigned int i, uint64_t offset, uint64_t file_bytes, uint64_t memory_bytes,
		uint32_t flags)
{
	put(PH(i) + P_TYPE, 1, 4);
	put(PH(i) + P_FLAGS, flags, 4);
	put(PH(i) + P_OFFSET, offset, 8);
	put(PH(i) + P_VADDR, 0x400000 + offset, 8);
	put(PH(i) + P_FILESZ, file_bytes, 8);
	put(PH(i) + P_MEMSZ, memory_bytes, 8);
	put(PH(i) + P_ALIGN, 4096, 8);
}

/* R, RX and RW segments, each on its own pages; the last has zeroed memory behind it. */
static int good_file(void **state)
{
	static const uint8_t ident[16] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	(void)state;
	memset(file, 0, sizeof(file));
	memcpy(file, ident, sizeof(ident));
	put(E_TYPE, 2, 2);
	put(E_MACHINE, 62, 2);
	put(20, 1, 4);
	put(E_ENTRY, 0x401010, 8);
	put(E_PHOFF, 64, 8);
	put(52, 64, 2);
	put(E_PHENTSIZE, 56, 2);
	put(E_PHNUM, HEADERS, 2);
	put_segment(0, 0, 0x200, 0x200, 4);
	put_segment(1, 0x1000, 0x80, 0x80, 5);
	put_segment(2, 0x3020, 0xe0, 0x2000, 6);
	return 0;
}

static enum elf_error parse(void)
{
	struct elf_image image;

	return elf_parse(file, sizeof(file), &limits, &image);
}

static void accepts_a_static_executable(void **state)
{
	struct elf_image image;

	(void)state;
	assert_int_equal(elf_parse(file, sizeof(file), &limits, &image), ELF_OK);
	assert_int_equal(image.entry, 0x401010);
	assert_int_equal(image.segment_count, 3);
	assert_int_equal(image.segments[0].access, ELF_ACCESS_READ);
	assert_int_equal(image.segments[1].access, ELF_ACCESS_READ_EXECUTE);
	assert_int_equal(image.segments[2].access, ELF_ACCESS_READ_WRITE);
	assert_int_equal(image.segments[2].address, 0x403020);
	assert_int_equal(image.segments[2].file_bytes, 0xe0);
	assert_int_equal(elf_segment_page_address(&image.segments[2]), 0x403000);
	assert_int_equal(elf_segment_page_bytes(&image.segments[2]), 0x3000);
}

static void every_shorter_file_is_refused(void **state)
{
	struct elf_image image;
	size_t bytes;

	(void)state;
	for (bytes = 0; bytes < sizeof(file); bytes += bytes < 512 ? 1 : 97) {
		assert_int_not_equal(elf_parse(file, bytes, &limits, &image), ELF_OK);
		assert_int_equal(image.segment_count, 0);
	}
}

/* Each row changes one field of the good file. */
static void one_wrong_field_has_its_own_error(void **state)
{
	static const struct {
		size_t offset;
		uint64_t value;
		size_t bytes;
		enum elf_error error;
	} rows[] = {
		{ 0, 0, 1, ELF_NOT_ELF },
		{ 4, 1, 1, ELF_WRONG_CLASS },
		{ 5, 2, 1, ELF_WRONG_CLASS },
		{ 7, 3, 1, ELF_BAD_HEADER },
		{ E_MACHINE, 183, 2, ELF_WRONG_MACHINE },
		{ E_TYPE, 3, 2, ELF_NOT_EXECUTABLE },
		{ E_FLAGS, 1, 4, ELF_BAD_HEADER },
		{ E_PHENTSIZE, 64, 2, ELF_BAD_PROGRAM_HEADERS },
		{ E_PHNUM, 0, 2, ELF_BAD_PROGRAM_HEADERS },
		{ E_PHNUM, 0xffff, 2, ELF_BAD_PROGRAM_HEADERS },
		{ E_PHOFF, UINT64_MAX - 8, 8, ELF_BAD_PROGRAM_HEADERS },
		{ E_PHOFF, FILE_BYTES - 56 * HEADERS + 1, 8, ELF_BAD_PROGRAM_HEADERS },
		{ E_ENTRY, 0x400010, 8, ELF_ENTRY },
		{ E_ENTRY, 0x401080, 8, ELF_ENTRY },
		{ PH(0) + P_TYPE, 2, 4, ELF_DYNAMIC },
		{ PH(0) + P_TYPE, 3, 4, ELF_DYNAMIC },
		{ PH(0) + P_TYPE, 7, 4, ELF_THREAD_LOCAL },
		{ PH(0) + P_TYPE, 5, 4, ELF_UNKNOWN_SEGMENT },
		{ PH(0) + P_FLAGS, 0, 4, ELF_SEGMENT_ACCESS },
		{ PH(0) + P_FLAGS, 2, 4, ELF_SEGMENT_ACCESS },
		{ PH(0) + P_FLAGS, 12, 4, ELF_SEGMENT_ACCESS },
		{ PH(0) + P_FLAGS, 7, 4, ELF_WRITABLE_EXECUTABLE },
		{ PH(0) + P_MEMSZ, 0x1ff, 8, ELF_SEGMENT_SIZES },
		{ PH(0) + P_MEMSZ, 0x1001, 8, ELF_SEGMENT_ORDER },
		{ PH(2) + P_OFFSET, 0x7000, 8, ELF_SEGMENT_OUTSIDE_FILE },
		{ PH(2) + P_OFFSET, UINT64_MAX - 0xfff + 0x20, 8, ELF_SEGMENT_OUTSIDE_FILE },
		{ PH(2) + P_FILESZ, 0xe1, 8, ELF_SEGMENT_OUTSIDE_FILE },
		{ PH(2) + P_ALIGN, 16, 8, ELF_SEGMENT_ALIGNMENT },
		{ PH(2) + P_ALIGN, 0x3000, 8, ELF_SEGMENT_ALIGNMENT },
		{ PH(2) + P_VADDR, 0x403021, 8, ELF_SEGMENT_ALIGNMENT },
		{ PH(2) + P_VADDR, 0x3ff020, 8, ELF_SEGMENT_ADDRESS },
		{ PH(2) + P_VADDR, 0x7ff020, 8, ELF_SEGMENT_ADDRESS },
		{ PH(2) + P_VADDR, UINT64_MAX - 0xfff + 0x20, 8, ELF_SEGMENT_ADDRESS },
		{ PH(2) + P_VADDR, 0x401020, 8, ELF_SEGMENT_ORDER },
		{ PH(2) + P_MEMSZ, UINT64_MAX, 8, ELF_SEGMENT_ADDRESS },
		{ PH(2) + P_MEMSZ, 0xf000, 8, ELF_TOO_LARGE },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		good_file(state);
		put(rows[i].offset, rows[i].value, rows[i].bytes);
		if (parse() != rows[i].error)
			print_error("row %zu\n", i);
		assert_int_equal(parse(), rows[i].error);
	}
}

static void executable_stack_is_refused(void **state)
{
	(void)state;
	put(PH(0) + P_TYPE, 0x6474e551, 4);
	put(PH(0) + P_FLAGS, 6, 4);
	assert_int_equal(parse(), ELF_OK);
	put(PH(0) + P_FLAGS, 7, 4);
	assert_int_equal(parse(), ELF_EXECUTABLE_STACK);
}

static void file_without_segments_is_refused(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < HEADERS; i++)
		put(PH(i) + P_TYPE, 4, 4);
	assert_int_equal(parse(), ELF_NO_SEGMENTS);
}

static void too_many_segments_are_refused(void **state)
{
	unsigned int i;

	(void)state;
	put(E_PHNUM, ELF_SEGMENTS_MAX + 1, 2);
	for (i = 0; i < ELF_SEGMENTS_MAX; i++) {
		put_segment(i, 0, 0x10, 0x10, 5);
		put(PH(i) + P_VADDR, 0x400000 + i * 0x1000, 8);
	}
	put(E_ENTRY, 0x400000, 8);
	put(PH(i) + P_TYPE, 0, 4);
	assert_int_equal(parse(), ELF_OK);
	put_segment(i, 0, 0x10, 0x10, 4);
	put(PH(i) + P_VADDR, 0x400000 + i * 0x1000, 8);
	assert_int_equal(parse(), ELF_TOO_MANY_SEGMENTS);
}

static void every_error_has_a_sentence(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < ELF_ERROR_COUNT; i++)
		assert_non_null(elf_error_sentence((enum elf_error)i));
	assert_string_equal(elf_error_sentence((enum elf_error)ELF_ERROR_COUNT), "unknown error");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(accepts_a_static_executable, good_file),
		cmocka_unit_test_setup(every_shorter_file_is_refused, good_file),
		cmocka_unit_test(one_wrong_field_has_its_own_error),
		cmocka_unit_test_setup(executable_stack_is_refused, good_file),
		cmocka_unit_test_setup(file_without_segments_is_refused, good_file),
		cmocka_unit_test_setup(too_many_segments_are_refused, good_file),
		cmocka_unit_test(every_error_has_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
