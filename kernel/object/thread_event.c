/*
 * Thread events; see thread_event.h. Sent by object/thread_handle.c, faults come from core/entry.c
 * and object/pager.c, delivered by sched/sched.c on the way out.
 * Always true: `event_due` says that a diversion was sent and has not been looked at since; the
 * thread is special then, so that it comes by here before it runs its program. Words that the
 * program can write are read once.
 */
#include "kernel/object/thread_event.h"

#include "kernel/core/panic.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/sched.h"

#define RECORD_WORDS      (sizeof(struct event_record) / 8)
#define REGISTERS_MAX     (sizeof(((struct event_record *)NULL)->registers) / 8)

STATIC_ASSERT(REGISTERS_MAX >= CRASH_REGISTERS_MAX);

struct event_place {
	struct event_record *record;
	uint64_t address;            /* of the record, for the program */
	uint64_t entry;
};

/* Where the thread's program wants events; false: nowhere. */
static bool place_find(const struct thread *thread, struct event_place *place)
{
	const struct ring *ring = thread->ring;
	uint32_t off = READ_ONCE(ring->header->event_record);

	place->entry = READ_ONCE(ring->header->event_entry);
	if (place->entry < USER_BASE || place->entry >= USER_END ||
			!ring_span_inside(off, RECORD_WORDS, RING_ARENA_OFF, RING_WORDS))
		return false;
	place->record = (struct event_record *)(void *)(ring->words + off);
	place->address = ring->address + off * 8ull;
	return true;
}

/* What is in the record beside the registers and the program's own words. */
struct event {
	uint32_t kind;               /* enum event_kind */
	uint64_t bits;
	struct event_fault fault;
};

/* The context goes on at the entry, and what it had is in the record. */
static void divert(struct thread *thread, const struct event_place *place, const struct event *event)
{
	struct event_record *record = place->record;
	struct arch_register registers[CRASH_REGISTERS_MAX];
	uint32_t count;

	arch_context_complete(&thread->context);
	count = arch_context_registers(&thread->context, registers, CRASH_REGISTERS_MAX);
	for (uint32_t i = 0; i < count; i++)
		record->registers[i] = registers[i].value;
	record->kind = event->kind;
	record->fault = event->fault.kind;
	record->vector = event->fault.vector;
	record->error_code = event->fault.error_code;
	record->address = event->fault.address;
	record->bits = event->bits;
	WRITE_ONCE(thread->ring->header->event_mask, 1);
	arch_context_divert(&thread->context, place->entry, place->address);
}

static bool is_masked(const struct thread *thread)
{
	return READ_ONCE(thread->ring->header->event_mask) != 0;
}

bool thread_event_send(struct thread *thread, uint64_t bits)
{
	struct event_place place;

	DEBUG_ASSERT(thread->phase == THREAD_LIVES);
	if (!place_find(thread, &place))
		return false;
	/* A full barrier: a program that clears the mask looks at the bits after another one. */
	__atomic_fetch_or(&thread->ring->header->event_bits, bits, __ATOMIC_SEQ_CST);
	if (is_masked(thread))
		return true;
	thread->event_due = true;
	thread_special_update(thread);
	if (thread->state == THREAD_WAIT_PAGE) {
		page_wait_cancel(thread);
		sched_wake(thread, false);
	} else {
		(void)thread_interrupt(thread);
	}
	/* Out of a handoff place, too. */
	sched_requeue(thread);
	return true;
}

bool thread_event_fault(struct thread *thread, const struct event_fault *fault)
{
	const struct event event = { .kind = EVENT_KIND_FAULT, .fault = *fault };
	struct event_place place;

	if (is_masked(thread) || !place_find(thread, &place))
		return false;
	divert(thread, &place, &event);
	return true;
}

void thread_event_deliver(struct thread *thread)
{
	struct event event = { .kind = EVENT_KIND_DIVERT };
	struct event_place place;

	thread->event_due = false;
	thread_special_update(thread);
	/* It may have changed its mind. */
	if (is_masked(thread) || !place_find(thread, &place))
		return;
	event.bits = __atomic_exchange_n(&thread->ring->header->event_bits, 0, __ATOMIC_RELAXED);
	divert(thread, &place, &event);
}
