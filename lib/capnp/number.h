/*
 * Floating point numbers as decimal text, exactly and without floating point instructions.
 */
#ifndef CAPNP_NUMBER_H
#define CAPNP_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that number_print_float needs at most. */
#define NUMBER_FLOAT_BYTES 32u

/* Prints the IEEE number with these bits as "%.15g" does, or "%.17g" where that is not exact ("%.6g",
 * "%.8g" and "%.9g" for single precision), without "+" in the exponent. Returns the length. */
uint32_t number_print_float(char *out, uint64_t bits, bool is_single);

/* The nearest IEEE number to a decimal number without sign ("12", "1.5", ".5e-3"), all of whose
 * `bytes` characters belong to it. False when it is not one. Too large becomes infinity. */
bool number_parse_float(const char *text, uint32_t bytes, bool is_single, uint64_t *bits);

#endif
