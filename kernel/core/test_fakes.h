/*
 * What host tests of kernel code link instead of the kernel: physical memory is a buffer, locks do
 * nothing, the log is dropped, and a panic either is expected or fails the test. Include it after
 * cmocka's own headers.
 */
#ifndef KERNEL_CORE_TEST_FAKES_H
#define KERNEL_CORE_TEST_FAKES_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes `bytes` of physical memory, from address 0 on, all bytes `pattern`. Frees what was
 * before. */
void test_memory_make(size_t bytes, uint8_t pattern);
void test_memory_free(void);

extern jmp_buf test_panic_return;
extern bool test_panic_expected;

/* The statement must end in a panic. */
#define ASSERT_PANICS(statement) \
	do { \
		test_panic_expected = true; \
		if (setjmp(test_panic_return) == 0) { \
			statement; \
			fail_msg("no panic: %s", #statement); \
		} \
		test_panic_expected = false; \
	} while (0)

#endif
