/*
 * Events of a thread: its record in the arena, and what stands around the handler. The entry is
 * x86_64/thread_event_entry.S.
 */
#include "rt/thread_event.h"

#include <string.h>

#include "abi/syscall.h"
#include "rt/self.h"

#define RECORD_WORDS (sizeof(struct event_record) / 8)

STATIC_ASSERT(offsetof(struct event_record, kind) == RECORD_KIND && EVENT_KIND_DIVERT == RECORD_KIND_DIVERT);
STATIC_ASSERT(offsetof(struct event_record, bits) == RECORD_BITS);
STATIC_ASSERT(offsetof(struct event_record, own) == RECORD_AREA && RECORD_EVENTS == RECORD_AREA + 8);
STATIC_ASSERT(offsetof(struct event_record, registers) == RECORD_REGISTERS);
STATIC_ASSERT(offsetof(struct ring_header, event_mask) == HEADER_EVENT_MASK);
STATIC_ASSERT(offsetof(struct ring_header, event_bits) == HEADER_EVENT_BITS);
STATIC_ASSERT(offsetof(struct ring_header, event_own) == HEADER_EVENT_RIP && HEADER_EVENT_RSP == HEADER_EVENT_RIP + 8);
STATIC_ASSERT(offsetof(struct thread_events, header) == 0);

void thread_event_entry(void);
void thread_event_run(struct event_record *record);

/* What the thread may have half written or half read of its ring: its SYNC entry, and the answer
 * to the one before. */
struct half_done {
	uint64_t entry[sizeof(struct ring_entry) / 8];
	uint64_t reply[sizeof(struct ring_completion) / 8];
};

static void half_done_save(const struct ring_header *header, struct half_done *half_done)
{
	memcpy(half_done->entry, header->sync_entry, sizeof(half_done->entry));
	memcpy(half_done->reply, &header->reply_user_data, sizeof(half_done->reply));
}

static void half_done_restore(struct ring_header *header, const struct half_done *half_done)
{
	memcpy(header->sync_entry, half_done->entry, sizeof(half_done->entry));
	memcpy(&header->reply_user_data, half_done->reply, sizeof(half_done->reply));
}

void thread_event_run(struct event_record *record)
{
	const struct thread_events *events = (const struct thread_events *)(uintptr_t)record->own[1];
	struct half_done half_done;

	half_done_save(events->header, &half_done);
	events->handle(record, events->argument);
	half_done_restore(events->header, &half_done);
}

status_t thread_events_begin(struct thread_events *events, void *stack, size_t stack_bytes)
{
	struct ring *ring = ring_self();
	uint64_t top = ((uint64_t)(uintptr_t)stack + stack_bytes - EVENT_AREA_BYTES) & ~63ull;
	struct event_record *record;

	if (stack_bytes < THREAD_EVENT_STACK_MIN)
		return STATUS_INVALID_ARGUMENT;
	if (!ring_span_take(ring, RECORD_WORDS, &events->record_off))
		return STATUS_OVERLOADED;
	events->header = ring->header;
	record = (struct event_record *)(void *)(ring->words + events->record_off);
	record->own[0] = top;
	record->own[1] = (uint64_t)(uintptr_t)events;
	ring->header->event_bits = 0;
	ring->header->event_mask = 0;
	ring->header->event_record = events->record_off;
	STORE_RELEASE(&ring->header->event_entry, (uint64_t)(uintptr_t)thread_event_entry);
	return STATUS_OK;
}

void thread_events_end(struct thread_events *events)
{
	STORE_RELEASE(&events->header->event_entry, 0);
	ring_span_give(ring_self(), events->record_off, RECORD_WORDS);
}

status_t thread_event_enter(const struct ring_entry *entry)
{
	struct ring *ring = ring_self();
	struct ring_header *header = ring->header;

	/* The thread may just be about to enter for its last entry alone. It is taken now, and ring_sync finds what
	 * came of it among the completions. */
	if (header->sq_tail != LOAD_ACQUIRE(&header->sq_head))
		ring->entries[(header->sq_tail - 1) & ring->sq_mask].flags &= (uint8_t)~ENTRY_SYNC;
	memcpy(header->sync_entry, entry, sizeof(*entry));
	((struct ring_entry *)(void *)header->sync_entry)->flags |= ENTRY_SYNC;
	return (status_t)cap_enter(ENTER_SYNC, 0, 0);
}
