/*
 * What lib/rt/ring.c has on the host in the place of abi/syscall.h: the test answers it.
 */
#ifndef ABI_SYSCALL_H
#define ABI_SYSCALL_H

#include <stdint.h>

int64_t cap_enter(uint64_t flags, uint64_t min_complete, uint64_t deadline_ns);

#endif
