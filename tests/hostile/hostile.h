/*
 * Hostile programs and the tests that let them loose: the roles of children (evil.c for what a
 * program does to its ring, its messages and capabilities, processor.c for what it does to the
 * processor) and the lists of tests.
 */
#ifndef TESTS_HOSTILE_HOSTILE_H
#define TESTS_HOSTILE_HOSTILE_H

#include "tests/guest/tap.h"
#include "tests/guest/world.h"

int evil_entries(const char *seed);
int evil_header(const char *seed);
int evil_ids(const char *seed);
int evil_returns(const char *seed);
int evil_messages(const char *seed);
int evil_storm(const char *depth);
int evil_unmap(const char *what);
int evil_caller(const char *arg);
int evil_echo(const char *arg);
int evil_end(const char *arg);
/* A deed by its number; ends otherwise than by returning, or answers 0. */
int evil_deed(const char *number);
#define DEEDS 31u

/* Which sequence of chances to take; 0 unless the command line says. */
extern uint32_t hostile_seed;

/* Takes for good what the tests of images need; false if it cannot be had. */
bool image_tests_prepare(void);

struct test_list {
	const struct test *tests;
	uint32_t count;
};

extern const struct test_list evil_tests, image_tests, allocation_tests;

#endif
