/*
 * The kernel's randomness: one pool, seeded at boot, for EntropySource and for the kernel itself.
 */
#ifndef KERNEL_OBJECT_ENTROPY_H
#define KERNEL_OBJECT_ENTROPY_H

#include "abi/compiler.h"

/* Seeds the pool; once, with time running. Warns when the processor has no random source. */
void entropy_init(void);
/* Random bytes fit for keys. */
void entropy_fill(void *bytes, size_t count);

#endif
