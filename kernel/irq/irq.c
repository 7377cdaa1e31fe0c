/*
 * Interrupt lines; see irq.h. Fired by core/entry.c, owned by object/interrupt.c.
 * Always true: a line is unmasked exactly while it is owned and has not fired since the last
 * acknowledgement; questions wait only at such a line.
 */
#include "kernel/irq/irq.h"

#include "capos/kernel.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/object/binding.h"
#include "kernel/object/interrupt.h"
#include "kernel/object/ledger.h"
#include "kernel/ring/ring.h"

/*  q under irq_lock  */
struct irq_line {
	bool owned;          /* q */
	bool fired;          /* q, since the last acknowledgement */
	uint64_t count;      /* q, since it was claimed */
	struct list waiters; /* q, questions; initialised when first claimed */
	struct list *bindings; /* q, the owner's */
};

static struct spinlock irq_lock = SPINLOCK_INIT(LOCK_RANK_OBJECT, "irq");
static struct irq_line lines[ARCH_IRQ_LINES];

/* The interval timer and the second controller's line. */
static bool line_is_kernels(uint32_t line)
{
	return line == 0 || line == 2;
}

/* Ends every wait at a line. One question at a time is taken out, so that it can be answered
 * without the lock. */
static void waiters_answer(struct irq_line *line, status_t status, uint64_t detail, uint64_t count)
{
	for (;;) {
		struct list *link;

		spin_lock(&irq_lock);
		link = list_take(&line->waiters);
		spin_unlock(&irq_lock);
		if (!link)
			return;
		interrupt_answer(container_of(link, struct question, link), status, detail, count);
	}
}

void kernel_irq(uint32_t number)
{
	struct irq_line *line = &lines[number];
	uint64_t count;
	bool owned;

	ASSERT(number < ARCH_IRQ_LINES);
	spin_lock(&irq_lock);
	arch_irq_disable(number);
	owned = line->owned;
	line->fired = owned;
	count = ++line->count;
	spin_unlock(&irq_lock);
	if (!owned)
		return;
	waiters_answer(line, STATUS_OK, 0, count);
	bindings_fire(line->bindings);
}

enum irq_claim irq_claim(uint32_t number, struct list *bindings)
{
	struct irq_line *line;
	enum irq_claim claim = IRQ_TAKEN;

	if (number >= ARCH_IRQ_LINES || line_is_kernels(number))
		return IRQ_NONE;
	line = &lines[number];
	spin_lock(&irq_lock);
	if (!line->owned) {
		line->owned = true;
		line->fired = false;
		line->count = 0;
		list_init(&line->waiters);
		line->bindings = bindings;
		arch_irq_enable(number);
		claim = IRQ_CLAIMED;
	}
	spin_unlock(&irq_lock);
	return claim;
}

void irq_release(uint32_t number)
{
	struct irq_line *line = &lines[number];

	spin_lock(&irq_lock);
	ASSERT(line->owned);
	arch_irq_disable(number);
	spin_unlock(&irq_lock);
	waiters_answer(line, STATUS_DISCONNECTED, reason_detail(REASON_CLOSED, 0, 0, 0), 0);
	spin_lock(&irq_lock);
	line->owned = false;
	line->fired = false;
	spin_unlock(&irq_lock);
}

bool irq_wait(uint32_t number, struct question *question, uint64_t *count)
{
	struct irq_line *line = &lines[number];
	bool fired;

	spin_lock(&irq_lock);
	fired = line->fired;
	*count = line->count;
	if (!fired)
		list_append(&line->waiters, &question->link);
	spin_unlock(&irq_lock);
	return fired;
}

bool irq_wait_cancel(uint32_t number, struct question *question)
{
	bool waited;

	(void)number;
	spin_lock(&irq_lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	spin_unlock(&irq_lock);
	return waited;
}

void irq_acknowledge(uint32_t number)
{
	struct irq_line *line = &lines[number];

	spin_lock(&irq_lock);
	if (line->owned && line->fired) {
		line->fired = false;
		arch_irq_enable(number);
	}
	spin_unlock(&irq_lock);
}

bool irq_has_fired(uint32_t number)
{
	bool fired;

	spin_lock(&irq_lock);
	fired = lines[number].fired;
	spin_unlock(&irq_lock);
	return fired;
}
