/*
 * The code whose instructions the cost test counts. Compiled apart from the test, as programs are.
 */
#ifndef TESTS_CAPNP_COST_CODE_H
#define TESTS_CAPNP_COST_CODE_H

#include <stdint.h>

#define COST_WORDS 16u

/* Encodes, copies and decodes seven numbers; returns them all exclusive-ored. */
uint64_t cost_message(const uint64_t *values, uint64_t *from, uint64_t *to);
/* The same call without any of it. */
uint64_t cost_nothing(const uint64_t *values, uint64_t *from, uint64_t *to);

#endif
