/*
 * Interrupt lines: each has at most one owner, an Interrupt object. A line is masked from the
 * moment it fires until its owner acknowledges, so a level that stays up fires once for each
 * acknowledgement.
 */
#ifndef KERNEL_IRQ_IRQ_H
#define KERNEL_IRQ_IRQ_H

#include "abi/compiler.h"
#include "abi/status.h"

struct list;
struct question;

/* A line fired: masks it and tells its owner. The caller ends the interrupt at the controller
 * afterwards. core/entry.c, for lines that arch_irq_line names. */
void kernel_irq(uint32_t line);

/* Owning a line. All may be called without locks only. */
enum irq_claim { IRQ_CLAIMED, IRQ_TAKEN, IRQ_NONE };
/* Makes the caller the owner and unmasks the line. NONE: there is no such line, or it is the
 * kernel's. */
/* `bindings` to the line are fired with it (object/binding.h). */
enum irq_claim irq_claim(uint32_t line, struct list *bindings) MUST_USE;
/* Ends owning: masks the line; waiting questions end disconnected. */
void irq_release(uint32_t line);
/* True: the line has fired since the last acknowledgement; *count is how often since it was
 * claimed. False: the question waits for that. */
bool irq_wait(uint32_t line, struct question *question, uint64_t *count);
/* Takes a waiting question back; false if it did not wait. */
bool irq_wait_cancel(uint32_t line, struct question *question);
void irq_acknowledge(uint32_t line);
/* Whether it has fired since the last acknowledgement. */
bool irq_has_fired(uint32_t line);

#endif
