/*
 * The clock page: one sealed page, the same for everybody, from which a program computes the time since
 * boot by itself (schema/capos/clock.capnp). Timer gives it out, as a MemoryView; a program that was given
 * no Timer gets none. Always true: it is written once, before the first process is made.
 */
#include "capos/clock.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/roots.h"

static struct memory_object *page;      /* counted, for ever */

void clock_page_init(struct ledger *ledger)
{
	struct arch_counter counter = arch_counter();
	const struct clock_page contents = {
		.layout = CLOCK_LAYOUT,
		.flags = counter.constant ? CLOCK_COUNTER_USABLE : 0,
		.start_ticks = counter.start,
		.ns_per_tick = counter.ns_per_tick,
	};
	uint64_t detail, writable_pages;

	if (memory_object_create(ledger, PAGE_SIZE, &page, &detail) != STATUS_OK ||
			memory_object_write(page, 0, &contents, sizeof(contents), &detail) != STATUS_OK ||
			!memory_object_seal(page, &writable_pages))
		panic("the clock page cannot be made");
	if (!counter.constant)
		log_line(LOG_INFO, "This processor's counter may change its rate: programs ask the kernel for the time.");
}

struct object *clock_page_object(void)
{
	return &page->object;
}
