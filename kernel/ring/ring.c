/*
 * Rings: making, ending and checking them, and what of the program's indices is believed; see ring.h.
 * Always true: in_flight + unread completions <= RING_CQ_ENTRIES, so a completion always has a place.
 */
#include "kernel/ring/ring.h"

#include "kernel/arch/arch.h"
#include "kernel/cap/transfer.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"

STATIC_ASSERT(RING_BYTES == CHUNK_BYTES);
STATIC_ASSERT(RING_BYTES == PAGE_SIZE << RING_ORDER);
STATIC_ASSERT(sizeof(struct ring_header) == RING_CQ_OFF);
STATIC_ASSERT(sizeof(struct ring_entry) == 64 && sizeof(struct ring_completion) == 32);

static void header_fill(struct ring *ring)
{
	struct ring_header *header = ring->header;

	header->magic = RING_MAGIC;
	header->version = RING_VERSION;
	header->bytes = RING_BYTES;
	header->chunk_count = 1;
	header->sq_off = RING_SQ_OFF;
	header->sq_entries = RING_SQ_ENTRIES;
	header->cq_off = RING_CQ_OFF;
	header->cq_entries = RING_CQ_ENTRIES;
	header->arena_off = RING_ARENA_OFF;
	header->arena_end = RING_WORDS;
	header->questions = RING_QUESTIONS;
	header->thread_id = ring->thread->id;
	header->process_id = ring->process->id;
}

struct ring *ring_create(struct thread *thread, struct process *process)
{
	struct ring *ring = heap_alloc_raw(sizeof(*ring));

	if (!ring)
		return NULL;
	memset(ring, 0, offsetof(struct ring, questions));
	ring->physical = frame_alloc_zeroed(RING_ORDER);
	if (ring->physical == FRAME_NONE) {
		heap_free(ring, sizeof(*ring));
		return NULL;
	}
	spin_init(&ring->lock, LOCK_RANK_RING, "ring");
	ring->words = arch_direct(ring->physical);
	ring->header = (struct ring_header *)ring->words;
	ring->sq = (struct ring_entry *)(ring->words + RING_SQ_OFF / 8);
	ring->cq = (struct ring_completion *)(ring->words + RING_CQ_OFF / 8);
	ring->thread = thread;
	ring->process = process;
	list_init(&ring->stalled);
	header_fill(ring);
	return ring;
}

bool ring_question_make(struct ring *ring, uint32_t number)
{
	if (number >= RING_QUESTIONS)
		return false;
	while (ring->questions_end <= number) {
		struct question *question = &ring->questions[ring->questions_end];

		memset(question, 0, sizeof(*question));
		question->ring = ring;
		question->number = (uint16_t)ring->questions_end;
		list_init(&question->link);
		list_init(&question->held);
		/* Whoever sweeps rings may look at it from here on. */
		STORE_RELEASE(&ring->questions_end, ring->questions_end + 1);
	}
	return true;
}

void ring_set_address(struct ring *ring, uint64_t address)
{
	ring->address = address;
	ring->header->address = address;
}

void ring_destroy(struct ring *ring)
{
	ASSERT(!ring->poller && !ring->rest.queue);
	for (uint32_t i = 0; i < ring_questions(ring); i++)
		ASSERT(ring->questions[i].kind == QUESTION_FREE);
	frame_free(ring->physical, RING_ORDER);
	heap_free(ring, sizeof(*ring));
}

void ring_check(struct ring *ring)
{
	uint32_t in_flight = 0, promised = 0, named = 0;

	spin_lock(&ring->lock);
	for (uint32_t i = 0; i < ring_questions(ring); i++) {
		const struct question *question = &ring->questions[i];

		if (!question_in_flight(question)) {
			ASSERT(!question->object && !question->export && !question->transfer);
			ASSERT(!question->forward && !question->timer.queue && list_empty(&question->held));
			ASSERT(!question->named);
			continue;
		}
		ASSERT((question->kind == QUESTION_HELD) == (question->object == NULL));
		if (!(question->entry.flags & ENTRY_SYNC))
			in_flight++;
		else
			ASSERT(ring->sync == question);
		named += question->named;
		if (question->transfer)
			promised += question->transfer->promised;
		ASSERT(!question->transfer || !question->transfer->promised || question->kind == QUESTION_HELD);
	}
	ASSERT(in_flight == ring->in_flight && promised == named);
	ASSERT(ring->in_flight + ring_index_count(ring->cq_head_seen, ring->cq_tail) <= RING_CQ_ENTRIES);
	spin_unlock(&ring->lock);
}
