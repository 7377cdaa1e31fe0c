/*
 * Ring client. Only this file and ring.h touch the ring's indices and call cap_enter.
 *
 * The pairs of barriers: sq_tail is released here after entries were filled; cq_tail is acquired
 * here after the kernel has filled completions; cq_head is released here after they were copied.
 * On a polled ring the word `poller` is read after a full barrier behind what was written, as the
 * kernel writes it before its last look.
 */
#include "rt/ring.h"

#include <string.h>

#include "abi/syscall.h"
#include "rt/panic.h"

void ring_init(struct ring *ring, struct ring_header *header)
{
	uint8_t *bytes = (uint8_t *)header;
	uint16_t i;

	memset(ring, 0, sizeof(*ring));
	ring->header = header;
	header->runtime = (uint64_t)(uintptr_t)ring;
	ASSERT(header->magic == RING_MAGIC && header->version == RING_VERSION);
	ring->entries = (struct ring_entry *)(void *)(bytes + header->sq_off);
	ring->completions = (const struct ring_completion *)(const void *)(bytes + header->cq_off);
	ring->words = (uint64_t *)(void *)header;
	ring->sq_mask = header->sq_entries - 1;
	ring->cq_mask = header->cq_entries - 1;
	ring->sq_limit = header->sq_head + header->sq_entries;
	ring->cq_head = header->cq_head;
	ring->question_limit = (uint16_t)MIN(header->questions, RING_QUESTIONS_MAX);
	for (i = ring->question_limit; i != 0; i--)
		ring->free_questions[ring->question_count++] = (uint16_t)(i - 1);
	arena_init(&ring->arena, header->arena_off, header->arena_end);
}

static bool queue_is_empty(const struct ring *ring)
{
	return ring->header->sq_tail == LOAD_ACQUIRE(&ring->header->sq_head);
}

void ring_make_room(struct ring *ring)
{
	for (;;) {
		ring->sq_limit = LOAD_ACQUIRE(&ring->header->sq_head) + ring->sq_mask + 1;
		if ((int32_t)(ring->sq_limit - ring->header->sq_tail) > 0)
			return;
		ring_submit(ring);
	}
}

COLD status_t ring_enter_again(struct ring *ring, uint64_t flags)
{
	int64_t status;

	do {
		ring_reap(ring);
		status = cap_enter(flags, 0, 0);
	} while (!queue_is_empty(ring));
	return (status_t)status;
}

const struct ring_completion *ring_sync(struct ring *ring, struct ring_operation *operation)
{
	struct ring_header *header = ring->header;

	header->reply_user_data = 0;
	ring->entries[(header->sq_tail - 1) & ring->sq_mask].flags |= ENTRY_SYNC;
	(void)cap_enter(0, 0, 0);
	if (unlikely(!queue_is_empty(ring)))
		(void)ring_enter_again(ring, 0);
	if (likely(header->reply_user_data == (uint64_t)(uintptr_t)operation)) {
		operation->done = true;
		return ring_reply(ring);
	}
	/* A kernel that polls the ring had taken it before. */
	ring_wait(ring, operation);
	return &operation->completion;
}

COLD void ring_kick(struct ring *ring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(ring->header->poller) != POLLER_AWAKE && !queue_is_empty(ring))
		(void)cap_enter(0, 0, 0);
}

void ring_submit(struct ring *ring)
{
	(void)cap_enter(0, 0, 0);
	if (!queue_is_empty(ring))
		ring_reap(ring);
}

static void ready_append(struct ring *ring, struct ring_operation *operation)
{
	operation->queued = true;
	operation->next_ready = NULL;
	if (ring->ready_last != NULL)
		ring->ready_last->next_ready = operation;
	else
		ring->ready_first = operation;
	ring->ready_last = operation;
}

static void completion_take(struct ring *ring, struct ring_operation *operation, const struct ring_completion *from)
{
	/* A multishot wait may complete again before it is its turn. */
	if (unlikely(operation->queued))
		operation->earlier_bits |= operation->completion.detail;
	operation->completion = *from;
	operation->done = true;
	if (operation->ready != NULL && !operation->queued)
		ready_append(ring, operation);
}

/* Completions that stand side by side. */
static void completions_take(struct ring *ring, const struct ring_completion *from, const struct ring_completion *end)
{
	for (; from != end; from++) {
		if (from->user_data != 0)
			completion_take(ring, (struct ring_operation *)(uintptr_t)from->user_data, from);
	}
}

void ring_reap(struct ring *ring)
{
	uint32_t tail = LOAD_ACQUIRE(&ring->header->cq_tail);
	const struct ring_completion *first = &ring->completions[ring->cq_head & ring->cq_mask];
	const struct ring_completion *last = &ring->completions[tail & ring->cq_mask];

	if (tail == ring->cq_head)
		return;
	if (last <= first) {
		completions_take(ring, first, &ring->completions[ring->cq_mask + 1]);
		first = ring->completions;
	}
	completions_take(ring, first, last);
	ring->cq_head = tail;
	STORE_RELEASE(&ring->header->cq_head, tail);
	/* What lacked credit goes on. */
	ring_hand_over(ring);
}

static bool has_completions(const struct ring *ring)
{
	return LOAD_ACQUIRE(&ring->header->cq_tail) != ring->cq_head;
}

/* How often a polled ring is looked at before its thread enters the kernel, which takes the entries
 * out of the poller's hands: longer than most of them take. */
#define LOOKS 1000u

static COLD void watch_poller(const struct ring *ring)
{
	for (uint32_t i = 0; i < LOOKS && !has_completions(ring); i++) {
		if (READ_ONCE(ring->header->poller) != POLLER_AWAKE)
			break;
		__builtin_ia32_pause();
	}
}

void ring_wait(struct ring *ring, struct ring_operation *operation)
{
	ring_reap(ring);
	while (!operation->done) {
		if (unlikely(ring_is_polled(ring)))
			watch_poller(ring);
		if (likely(!has_completions(ring)))
			(void)cap_enter(0, 1, 0);
		ring_reap(ring);
	}
}

bool ring_wait_until(struct ring *ring, const struct ring_operation *operation,
		uint32_t completions, uint64_t deadline_ns)
{
	int64_t result = 0;

	ring_reap(ring);
	while (!operation->done && result != STATUS_DEADLINE_EXCEEDED) {
		result = cap_enter(0, completions, deadline_ns);
		completions = 1;
		ring_reap(ring);
	}
	return operation->done;
}

bool ring_turn(struct ring *ring, uint64_t deadline_ns)
{
	bool idle = ring->ready_first == NULL;
	int64_t result;

	result = cap_enter(0, idle ? 1 : 0, idle ? deadline_ns : 0);
	ring_reap(ring);
	return result != STATUS_DEADLINE_EXCEEDED;
}

bool ring_run_ready(struct ring *ring)
{
	struct ring_operation *operation = ring->ready_first;
	void (*ready)(struct ring_operation *operation);

	if (operation == NULL)
		return false;
	ready = operation->ready;
	ring_set_ready(ring, operation, NULL);
	ready(operation);
	return true;
}

static void ready_remove(struct ring *ring, struct ring_operation *operation)
{
	struct ring_operation **link = &ring->ready_first;
	struct ring_operation *last = NULL;

	for (; *link != operation; link = &(*link)->next_ready)
		last = *link;
	*link = operation->next_ready;
	if (ring->ready_last == operation)
		ring->ready_last = last;
	operation->queued = false;
}

void ring_set_ready(struct ring *ring, struct ring_operation *operation,
		void (*ready)(struct ring_operation *operation))
{
	if (operation->ready != NULL)
		ring->awaited--;
	if (ready != NULL)
		ring->awaited++;
	operation->ready = ready;
	if (ready == NULL && operation->queued)
		ready_remove(ring, operation);
	else if (ready != NULL && operation->done && !operation->queued)
		ready_append(ring, operation);
}

bool ring_span_take(struct ring *ring, uint32_t words, uint32_t *off)
{
	return arena_take(&ring->arena, words, off);
}

void ring_span_give(struct ring *ring, uint32_t off, uint32_t words)
{
	arena_give(&ring->arena, off, words);
}
