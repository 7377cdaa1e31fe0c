/*
 * Tests of bytes and strings: every length around the places where the method changes, every
 * overlap, against plain loops. The functions get other names here, so that the host's own stay
 * in use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define memcpy rt_memcpy
#define memmove rt_memmove
#define memset rt_memset
#define memcmp rt_memcmp
#define memchr rt_memchr
#define strlen rt_strlen
#define strnlen rt_strnlen
#define strcmp rt_strcmp
#define strncmp rt_strncmp
#define strchr rt_strchr
#define strrchr rt_strrchr
#define strstr rt_strstr
#include "rt/include/string.h"
#include "rt/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr

#define AREA 9000

static uint8_t area[AREA];
static uint8_t model[AREA];

static void fill(void)
{
	size_t i;

	for (i = 0; i < AREA; i++)
		area[i] = model[i] = (uint8_t)(i * 31 + i / 256);
}

static void blocks_move_at_every_distance(void **state)
{
	static const size_t distances[] = { 0, 1, 3, 7, 8, 9, 15, 16, 17, 40, 300 };
	size_t count;
	size_t i;

	(void)state;
	for (count = 0; count < 200; count++) {
		for (i = 0; i < ARRAY_LEN(distances); i++) {
			fill();
			assert_ptr_equal(rt_memmove(area + 100 + distances[i], area + 100, count),
					area + 100 + distances[i]);
			memmove(model + 100 + distances[i], model + 100, count);
			assert_memory_equal(area, model, 1000);
			fill();
			(void)rt_memmove(area + 100, area + 100 + distances[i], count);
			memmove(model + 100, model + 100 + distances[i], count);
			assert_memory_equal(area, model, 1000);
		}
	}
}

static void blocks_are_copied_and_set(void **state)
{
	size_t count;

	(void)state;
	for (count = 0; count < 4200; count += count < 300 ? 1 : 37) {
		fill();
		assert_ptr_equal(rt_memcpy(area + 4501, area + 3, count), area + 4501);
		memcpy(model + 4501, model + 3, count);
		assert_memory_equal(area, model, AREA);
		assert_ptr_equal(rt_memset(area + 5, 0xa5, count), area + 5);
		memset(model + 5, 0xa5, count);
		assert_memory_equal(area, model, AREA);
	}
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void comparisons_agree_with_the_host(void **state)
{
	static const char *const strings[] = { "", "a", "ab", "abc", "b", "\x80", "abcabd" };
	size_t i;
	size_t j;

	(void)state;
	for (i = 0; i < ARRAY_LEN(strings); i++) {
		for (j = 0; j < ARRAY_LEN(strings); j++) {
			const char *a = strings[i];
			const char *b = strings[j];
			size_t shorter = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

			assert_int_equal(sign(rt_strcmp(a, b)), sign(strcmp(a, b)));
			assert_int_equal(sign(rt_strncmp(a, b, 2)), sign(strncmp(a, b, 2)));
			assert_int_equal(sign(rt_memcmp(a, b, shorter)),
					sign(memcmp(a, b, shorter)));
			assert_ptr_equal(rt_strstr(a, b), strstr(a, b));
		}
		assert_int_equal(rt_strlen(strings[i]), strlen(strings[i]));
		assert_int_equal(rt_strnlen(strings[i], 2), strnlen(strings[i], 2));
		assert_ptr_equal(rt_strchr(strings[i], 'b'), strchr(strings[i], 'b'));
		assert_ptr_equal(rt_strrchr(strings[i], 'a'), strrchr(strings[i], 'a'));
		assert_ptr_equal(rt_memchr(strings[i], 0, 7),
				memchr(strings[i], 0, strlen(strings[i]) + 1));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_move_at_every_distance),
		cmocka_unit_test(blocks_are_copied_and_set),
		cmocka_unit_test(comparisons_agree_with_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
