/*
 * The parts of schema-check to each other: compare.c holds two compiled schemas against each other,
 * golden.c keeps and reads messages of a release.
 */
#ifndef SCHEMA_CHECK_CHECK_H
#define SCHEMA_CHECK_CHECK_H

#include "capnp/schema.h"

/* Says on standard output what was broken; counts. */
void complain(struct schema_node node, const char *format, ...)
		__attribute__((format(printf, 2, 3)));
uint32_t complaints(void);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains about everything that `old` promised and `now` does not keep. */
void schemas_compare(const struct schema *old, const struct schema *now);

/* Writes messages of every struct into <directory>/golden.bin and golden.txt. */
void golden_write(const struct schema *schema, const char *directory);
/* Complains about messages of a release that mean something else now. */
void golden_check(const struct schema *now, const char *directory);

#endif
