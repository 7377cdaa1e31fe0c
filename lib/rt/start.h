/*
 * Start-up, between entry.S and main.
 */
#ifndef LIB_RT_START_H
#define LIB_RT_START_H

#include <stdint.h>

#include "abi/compiler.h"
#include "capos/ring.capnp.h"

NORETURN void rt_start(struct ring_header *header, const uint64_t *parameters);

/* Reads the launch parameters; NULL for none. */
void program_parameters_open(const uint64_t *parameters);

/* Fills argv from the launch parameters; answers argc. */
int program_args_fill(char **argv, uint32_t args_max);

/* What stack frames are checked against; the compiler refers to it. */
extern uintptr_t __stack_chk_guard;
NORETURN void __stack_chk_fail(void);

#endif
