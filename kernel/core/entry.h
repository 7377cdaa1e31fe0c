/*
 * What the direct way of calls (object/endpoint_fast.c) leaves to the general one. The ways into
 * the kernel themselves are declared in arch/arch.h.
 */
#ifndef KERNEL_CORE_ENTRY_H
#define KERNEL_CORE_ENTRY_H

struct arch_context;

struct ring;

/* cap_enter without arguments by the running thread, from the start: the context to leave with. */
struct arch_context *enter_generally(void);

/* The SYNC entry of the running thread has been performed: answers its outcome, or sleeps until
 * its question is answered. The context to leave with. */
struct arch_context *enter_finish(struct ring *ring);

#endif
