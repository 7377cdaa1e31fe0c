/*
 * The program's half of ring_threads_test.c; a file of its own, since both halves have a struct ring.
 */
#ifndef TESTS_HOST_RING_PROGRAM_H
#define TESTS_HOST_RING_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

struct ring_header;

/* Sends so many no-ops, numbered, through the ring, and reads their completions; answers how many came back with another
 * number than they were sent with. `seeded`: an entry is handed over before it is filled. */
uint32_t ring_program_run(struct ring_header *header, uint32_t entries, bool seeded);

#endif
