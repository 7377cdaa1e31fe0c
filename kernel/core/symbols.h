/*
 * Names of the kernel's own functions, for backtraces. The table is put into the image by
 * symbol_table.py from a first link; that link, and tests, have an empty one.
 */
#ifndef KERNEL_CORE_SYMBOLS_H
#define KERNEL_CORE_SYMBOLS_H

#include <stdint.h>

/* The function that an address lies in and the distance from its start; NULL if it is unknown. */
const char *kernel_symbol_lookup(uint64_t address, uint64_t *offset);

#endif
