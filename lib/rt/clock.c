/*
 * The clock page of this process; see clock.h. Always true: the page is mapped for reading only, for as long as
 * the process lives; a thread that sees its address sees it mapped.
 */
#include "rt/clock.h"

#include <stdbool.h>

#include "abi/compiler.h"
#include "capos/clock.capnp.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/program.h"

#define PAGE_BYTES 4096u

/* Threads may meet at the first use: each maps, one is kept. */
static const struct clock_page *page;
static bool was_tried;

/* The address of a mapping of the page; 0 if it cannot be had or used. */
static uint64_t page_map(struct virtual_memory_ref memory)
{
	struct memory_view_ref view;
	uint64_t address = 0;

	if (timer_clock_page(RT_GRANT(timer, "timer"), &view) != STATUS_OK)
		return 0;
	if (virtual_memory_map(memory, view, 0, PAGE_BYTES, 0, ACCESS_READ, &address) != STATUS_OK)
		address = 0;
	rt_release(rt_id(view.ref));
	return address;
}

static bool page_is_usable(const struct clock_page *clock)
{
	return clock->layout == CLOCK_LAYOUT && (clock->flags & CLOCK_COUNTER_USABLE) != 0;
}

static void page_open(void)
{
	struct virtual_memory_ref memory = RT_GRANT(virtual_memory, "memory");
	uint64_t address = rt_id(memory.ref) != 0 ? page_map(memory) : 0;
	const struct clock_page *mapped = (const struct clock_page *)(uintptr_t)address;
	const struct clock_page *none = NULL;

	if (mapped != NULL && (!page_is_usable(mapped) || !__atomic_compare_exchange_n(&page, &none, mapped, false,
			__ATOMIC_RELEASE, __ATOMIC_RELAXED)))
		(void)!virtual_memory_unmap(memory, address, PAGE_BYTES);
	__atomic_store_n(&was_tried, true, __ATOMIC_RELEASE);
}

/* After all that the thread has read before: a time never lies before what was seen to happen. */
static uint64_t counter_read(void)
{
	__asm__ volatile("lfence" : : : "memory");
	return __builtin_ia32_rdtsc();
}

status_t clock_now(uint64_t *now_ns)
{
	const struct clock_page *clock = __atomic_load_n(&page, __ATOMIC_ACQUIRE);

	if (unlikely(clock == NULL)) {
		if (!__atomic_load_n(&was_tried, __ATOMIC_ACQUIRE))
			page_open();
		return timer_now(RT_GRANT(timer, "timer"), now_ns);
	}
	*now_ns = (uint64_t)((unsigned __int128)(counter_read() - clock->start_ticks) * clock->ns_per_tick >> 32);
	return STATUS_OK;
}

bool clock_is_mapped(void)
{
	return __atomic_load_n(&page, __ATOMIC_ACQUIRE) != NULL;
}
