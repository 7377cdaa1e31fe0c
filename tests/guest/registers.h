/*
 * Running with every register full; registers.S.
 */
#ifndef TESTS_GUEST_REGISTERS_H
#define TESTS_GUEST_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

#include "abi/compiler.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GENERAL };

struct registers {
	uint64_t general[GENERAL];
	uint64_t vector[16][4];
};
STATIC_ASSERT(offsetof(struct registers, vector) == 128);

/* cap_enter for the entry in the header: with `own` in all registers, and what was in them after it. */
void registers_enter(const struct registers *own, struct registers *seen);
/* The same of a loop in user mode; rcx counts the turns. */
void registers_spin(const struct registers *own, struct registers *seen, uint64_t turns);

#endif
