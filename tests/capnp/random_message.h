/*
 * Random messages of any schema, by reflection, for tests that compare two ways of doing something.
 */
#ifndef TESTS_CAPNP_RANDOM_MESSAGE_H
#define TESTS_CAPNP_RANDOM_MESSAGE_H

#include "capnp/schema.h"

/* xorshift; the seed must not be 0. */
uint64_t random_next(uint64_t *state);

/* Fills a fresh struct with random values; nesting ends after `depth` levels. */
void random_struct(uint64_t *state, struct schema_node type, struct capnp_struct_builder to,
		uint32_t depth);

/* The whole file as words; exits when it cannot be read. Lives until the
 * test ends. */
uint64_t *file_load(const char *path, uint64_t *words);
void file_save(const char *path, const void *bytes, uint64_t count);
/* Opens a compiled schema; exits when it cannot. */
void schema_load(struct schema *schema, const char *path);

#endif
