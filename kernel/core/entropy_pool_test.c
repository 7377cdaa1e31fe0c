/*
 * Tests of the entropy pool: the published ChaCha20 vector, and what the pool promises.
 */
#include "kernel/core/entropy_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 8439, 2.3.2. */
static void block_is_the_published_one(void **state)
{
	static const uint8_t expected[64] = {
		0x10,
		0xf1,
		0xe7,
		0xe4,
		0xd1,
		0x3b,
		0x59,
		0x15,
		0x50,
		0x0f,
		0xdd,
		0x1f,
		0xa3,
		0x20,
		0x71,
		0xc4,
		0xc7,
		0xd1,
		0xf4,
		0xc7,
		0x33,
		0xc0,
		0x68,
		0x03,
		0x04,
		0x22,
		0xaa,
		0x9a,
		0xc3,
		0xd4,
		0x6c,
		0x4e,
		0xd2,
		0x82,
		0x64,
		0x46,
		0x07,
		0x9f,
		0xaa,
		0x09,
		0x14,
		0xc2,
		0xd7,
		0x05,
		0xd9,
		0x8b,
		0x02,
		0xa2,
		0xb5,
		0x12,
		0x9c,
		0xd1,
		0xde,
		0x16,
		0x4e,
		0xb9,
		0xcb,
		0xd0,
		0x83,
		0xe8,
		0xa2,
		0x50,
		0x3c,
		0x4e,
	};
	static const uint8_t nonce_bytes[12] = { 0, 0, 0, 9, 0, 0, 0, 0x4a };
	uint8_t key_bytes[32];
	uint32_t key[8];
	uint32_t nonce[3];
	uint8_t out[64];

	(void)state;
	for (uint8_t i = 0; i < 32; i++)
		key_bytes[i] = i;
	memcpy(key, key_bytes, 32);
	memcpy(nonce, nonce_bytes, 12);
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, expected, 64);
}

static void every_draw_differs_and_changes_the_key(void **state)
{
	struct entropy_pool pool = { { 0 } };
	struct entropy_pool before = pool;
	uint8_t a[100];
	uint8_t b[100];

	(void)state;
	entropy_pool_fill(&pool, a, sizeof(a));
	assert_memory_not_equal(&pool, &before, sizeof(pool));
	entropy_pool_fill(&pool, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

/* The key that is kept occurs nowhere in what was given out. */
static void output_does_not_show_the_key(void **state)
{
	struct entropy_pool pool = { { 1, 2, 3 } };
	uint8_t out[1024];

	(void)state;
	entropy_pool_fill(&pool, out, sizeof(out));
	for (size_t i = 0; i + sizeof(pool.key) <= sizeof(out); i++)
		assert_memory_not_equal(out + i, pool.key, sizeof(pool.key));
}

static void each_added_byte_matters(void **state)
{
	uint8_t seed[70] = { 0 };
	uint8_t plain[32];
	uint8_t changed[32];

	(void)state;
	for (size_t i = 0; i < sizeof(seed); i++) {
		struct entropy_pool one = { { 0 } };
		struct entropy_pool other = { { 0 } };

		entropy_pool_add(&one, seed, sizeof(seed));
		seed[i] = 1;
		entropy_pool_add(&other, seed, sizeof(seed));
		seed[i] = 0;
		entropy_pool_fill(&one, plain, sizeof(plain));
		entropy_pool_fill(&other, changed, sizeof(changed));
		assert_memory_not_equal(plain, changed, sizeof(plain));
	}
}

/* Drawing in one piece and the length asked for agree: a short draw is the start of a long one. */
static void lengths_are_exact(void **state)
{
	uint8_t whole[200];

	(void)state;
	for (size_t count = 0; count < 150; count++) {
		struct entropy_pool one = { { 7 } };
		struct entropy_pool other = { { 7 } };
		uint8_t out[200];

		memset(out, 0xee, sizeof(out));
		entropy_pool_fill(&one, whole, sizeof(whole));
		entropy_pool_fill(&other, out, count);
		assert_memory_equal(out, whole, count);
		assert_int_equal(out[count], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_is_the_published_one),
		cmocka_unit_test(every_draw_differs_and_changes_the_key),
		cmocka_unit_test(output_does_not_show_the_key),
		cmocka_unit_test(each_added_byte_matters),
		cmocka_unit_test(lengths_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
