/*
 * Memory and ending of freestanding programs: the part of ISO C's header that lib/rt supplies. The
 * heap is lib/rt/heap.c; exit and abort are lib/rt/start.c's.
 */
#ifndef LIB_RT_INCLUDE_STDLIB_H
#define LIB_RT_INCLUDE_STDLIB_H

#include <stddef.h>

#include "abi/compiler.h"

void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *block, size_t bytes);
void free(void *block);

NORETURN void exit(int status);
NORETURN void abort(void);

#endif
