/*
 * Time: the processor's tick counter, scaled to nanoseconds since boot, and the local timer as a
 * one shot clock event. Both are measured once against a counter of known frequency (ACPI's
 * power-management timer, else the 8254). There is no periodic tick.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/log.h"

#define NS_PER_SECOND 1000000000ul
#define TIMER_FAR_NS  (1ul << 60)     /* 36 years: later than that need not be told apart */

#define POWER_TIMER_HZ   3579545
#define POWER_TIMER_MASK 0xffffff

#define PIT_HZ      1193182
#define PIT_MASK    0xffff
#define PIT_CHANNEL 0x42
#define PIT_CONTROL 0x43
#define PIT_GATE    0x61

/* The window: 1.3 ms at 3 GHz, 4 ms at 1 GHz. A step of the reference is found to within two
 * reads. */
#define WINDOW_TICKS 4000000
#define EDGE_TRIES   8
#define EDGE_POLLS   100000

/*
 * An emulator that counts instructions has a counter of exactly 1 GHz, and then one tick must be
 * one nanosecond: what is measured within this distance of it is taken for it.
 */
#define EXACT_HZ   NS_PER_SECOND
#define EXACT_NEAR (NS_PER_SECOND / 5000)

struct reference {
	uint32_t (*read)(void);
	uint32_t hz;
	uint32_t mask;
	const char *name;
};

/* A step of the reference: its new value, and the ticks when it was seen. */
struct edge {
	uint32_t value;
	uint64_t tsc;
	uint32_t timer;
};

static uint64_t tsc_start;
static uint64_t ns_per_tick;        /* in units of 2^-32 */
static uint64_t tsc_per_ns;         /* in units of 2^-32 */
static uint64_t timer_per_ns;       /* in units of 2^-32 */
static bool deadline_mode;

static uint32_t power_timer_read(void)
{
	return in32(acpi.timer_port) & POWER_TIMER_MASK;
}

/* Counts up, as the other one does. */
static uint32_t pit_read(void)
{
	uint32_t low;

	out8(PIT_CONTROL, 0x80);                /* latch channel 2 */
	low = in8(PIT_CHANNEL);
	return PIT_MASK - (low | (uint32_t)in8(PIT_CHANNEL) << 8);
}

static struct reference pit_start(void)
{
	out8(PIT_GATE, (uint8_t)((in8(PIT_GATE) & ~2) | 1));    /* gate on, speaker off */
	out8(PIT_CONTROL, 0xb4);                /* channel 2, both bytes, rate generator */
	out8(PIT_CHANNEL, 0);
	out8(PIT_CHANNEL, 0);
	return (struct reference){ pit_read, PIT_HZ, PIT_MASK, "8254" };
}

static struct reference reference_choose(void)
{
	if (acpi.timer_port != 0 && power_timer_read() != POWER_TIMER_MASK)
		return (struct reference){ power_timer_read, POWER_TIMER_HZ, POWER_TIMER_MASK,
			"ACPI timer" };
	return pit_start();
}

/* Waits for a step. The best of some tries, because a try may be interrupted by whoever emulates
 * us. */
static struct edge edge_find(const struct reference *reference, uint64_t *width)
{
	struct edge best = { 0 };

	*width = UINT64_MAX;
	for (uint32_t try = 0; try < EDGE_TRIES; try++) {
		uint32_t value, last = reference->read();
		uint64_t before, after = rdtsc();
		uint32_t polls = 0;

		do {
			before = after;
			value = reference->read();
			after = rdtsc();
		} while (value == last && ++polls < EDGE_POLLS);
		if (value == last || after - before >= *width)
			continue;
		*width = after - before;
		best = (struct edge){ value, before + (after - before) / 2, apic_timer_count() };
	}
	return best;
}

static uint64_t exact(uint64_t hz)
{
	uint64_t distance = hz > EXACT_HZ ? hz - EXACT_HZ : EXACT_HZ - hz;

	return distance < EXACT_NEAR ? EXACT_HZ : hz;
}

/* Short against the window. No pause, no counter read: an emulator leaves its fast path for
 * those. */
static void spin(void)
{
	for (uint32_t i = 0; i < 10000; i++)
		__asm__ volatile("");
}

struct rates {
	uint64_t tsc_hz;
	uint64_t timer_hz;
};

static struct rates rates_measure(const struct reference *reference)
{
	struct edge first, last;
	uint64_t width, steps;

	apic_timer_measure();
	first = edge_find(reference, &width);
	while (rdtsc() - first.tsc < WINDOW_TICKS)
		spin();
	last = edge_find(reference, &width);
	steps = (last.value - first.value) & reference->mask;
	if (width == UINT64_MAX || steps == 0)
		return (struct rates){ 0, 0 };
	return (struct rates){
		exact((last.tsc - first.tsc) * reference->hz / steps),
		exact((uint64_t)(first.timer - last.timer) * reference->hz / steps),
	};
}

static uint64_t scale(uint64_t numerator, uint64_t denominator)
{
	return (numerator << 32) / denominator;
}

static uint64_t scaled(uint64_t value, uint64_t factor)
{
	return (uint64_t)(((unsigned __int128)value * factor) >> 32);
}

void timer_enable(void)
{
	if (deadline_mode)
		apic_timer_use_deadline();
	else
		apic_timer_use_count();
}

void timer_init(void)
{
	struct reference reference = reference_choose();
	struct rates rates = rates_measure(&reference);

	if (rates.tsc_hz == 0 || rates.timer_hz == 0) {
		log_line(LOG_ERROR, "The processor's clock could not be measured. Stopped.");
		arch_halt();
	}
	tsc_start = boot_tsc_start;
	ns_per_tick = scale(NS_PER_SECOND, rates.tsc_hz);
	tsc_per_ns = scale(rates.tsc_hz, NS_PER_SECOND);
	timer_per_ns = scale(rates.timer_hz, NS_PER_SECOND);
	deadline_mode = features.deadline_timer;
	timer_enable();
	log_line(LOG_INFO, "The clock runs at %lu kHz, the timer at %lu kHz (by the %s).",
			rates.tsc_hz / 1000, rates.timer_hz / 1000, reference.name);
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
	return scaled(ticks, ns_per_tick);
}

uint64_t arch_time_ns(void)
{
	return scaled(rdtsc() - tsc_start, ns_per_tick);
}

struct arch_counter arch_counter(void)
{
	return (struct arch_counter){ tsc_start, ns_per_tick, features.constant_counter };
}

/* The timer may fire up to a few ticks early, or much too early if the deadline is far: whoever
 * takes the interrupt looks at the time and sets it again. */
void arch_timer_set(uint64_t deadline_ns)
{
	uint64_t now, count;

	if (deadline_mode) {
		/* A product beyond 64 bits would be a time in the past, and fire for ever. */
		count = tsc_start + scaled(MIN(deadline_ns, TIMER_FAR_NS), tsc_per_ns) + 1;
		wrmsr(MSR_TSC_DEADLINE, deadline_ns == UINT64_MAX ? 0 : count);
		return;
	}
	if (deadline_ns == UINT64_MAX) {
		apic_timer_start(0);
		return;
	}
	now = arch_time_ns();
	count = deadline_ns > now ? scaled(MIN(deadline_ns - now, TIMER_FAR_NS), timer_per_ns) + 1 : 1;
	apic_timer_start((uint32_t)MIN(count, UINT32_MAX));
}
