/*
 * What the cost test measures: a message of seven numbers (64 bytes with its pointer) is built, copied
 * as the kernel would, and read by the other side.
 */
#include "tests/capnp/cost_code.h"

#include <string.h>

#include "tests/capnp/all.capnp.h"

/* Kept apart, or the compiler would see that what is read is what was written. */
#define APART __attribute__((noinline))

static APART uint32_t encode(const uint64_t *values, uint64_t *words)
{
	struct capnp_builder builder;
	struct seven_builder b;

	capnp_builder_init(&builder, words, COST_WORDS, NULL, 0);
	b = seven_init_root(&builder);
	seven_set_a(b, values[0]);
	seven_set_b(b, values[1]);
	seven_set_c(b, values[2]);
	seven_set_d(b, values[3]);
	seven_set_e(b, values[4]);
	seven_set_f(b, values[5]);
	seven_set_g(b, values[6]);
	return builder.status == CAPNP_OK ? capnp_builder_words(&builder) : 0;
}

static APART void copy(uint64_t *to, const uint64_t *from, uint32_t words)
{
	memcpy(to, from, words * 8);
}

static APART uint64_t decode(const uint64_t *words, uint32_t count)
{
	struct capnp_message message;
	struct seven_reader r;

	capnp_message_init(&message, words, count, NULL, 0);
	r = seven_get_root(&message);
	return seven_get_a(r) ^ seven_get_b(r) ^ seven_get_c(r) ^ seven_get_d(r) ^ seven_get_e(r) ^
		seven_get_f(r) ^ seven_get_g(r);
}

uint64_t cost_message(const uint64_t *values, uint64_t *from, uint64_t *to)
{
	uint32_t words = encode(values, from);

	copy(to, from, words);
	return decode(to, words);
}

uint64_t cost_nothing(const uint64_t *values, uint64_t *from, uint64_t *to)
{
	(void)from;
	(void)to;
	return values[0];
}
