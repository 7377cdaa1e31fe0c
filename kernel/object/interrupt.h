/*
 * Interrupt: the owner of one line. The lines themselves are irq/irq.h's.
 */
#ifndef KERNEL_OBJECT_INTERRUPT_H
#define KERNEL_OBJECT_INTERRUPT_H

#include "kernel/object/object.h"

struct question;

extern const struct object_type interrupt_type;

/* Answers a deferred wait(). No lock is held. */
void interrupt_answer(struct question *question, status_t status, uint64_t detail, uint64_t count);

#endif
