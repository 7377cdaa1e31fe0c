/*
 * Sleeping for a word of memory until somebody unparks it (docs/threads.md): what locks are made of. Whoever is
 * woken looks at the word again: it may have been woken for nothing.
 */
#ifndef LIB_RT_PARK_H
#define LIB_RT_PARK_H

#include <stdint.h>

#include "abi/status.h"
#include "capos/ring.capnp.h"

#define PARK_ALL UINT32_MAX

/* Sleeps as long as the word has this value, at most until the absolute time (0: none). STATUS_OK: it has another,
 * or somebody unparked it. STATUS_DEADLINE_EXCEEDED; STATUS_INVALID_ARGUMENT: this is no word to sleep for. */
MUST_USE status_t park(const uint32_t *word, uint32_t expected, uint64_t deadline_ns);
/* Wakes so many of those who sleep for the word by its address in this process, the oldest first. */
void unpark(const uint32_t *word, uint32_t count);

/* The same for a word of a memory object, among all who hold it. */
MUST_USE status_t park_shared(uint32_t memory, uint64_t offset, uint32_t expected, uint64_t deadline_ns);
MUST_USE status_t unpark_shared(uint32_t memory, uint64_t offset, uint32_t count);

#endif
