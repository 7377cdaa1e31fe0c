/*
 * The direct way into the kernel: what nearly every cap_enter brings, one SYNC entry of a usual
 * kind in the header, alone or behind a few QUIET ones in the queue. It is read once, straight to
 * where it is needed, and performed in one line.
 *
 * Asked by core/entry.c. Calls and returns go on in object/endpoint_fast.c, and what names no more
 * than a capability and some bits is performed here. What is unusual or wrong is left, with
 * nothing done, to the general way (enter_generally, then ring/dispatch.c), which reads the entry
 * anew and says what everything means.
 * Always true: what is done here, the general way would have done with the same outcome. It is done
 * with the kernel's lock shared (core/kernel_lock.h): what another processor may use at the same
 * time has a lock of its own, and nothing is ended or destroyed.
 */
#include "kernel/ring/direct.h"

#include "kernel/cap/cap_table.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/notification.h"
#include "kernel/object/process.h"
#include "kernel/sched/sched.h"
#include "kernel/trace/trace.h"

HOT_INLINE static inline const struct ring_entry *ring_oldest(
		const struct ring_header *header, uint32_t sq_head)
{
	const struct ring_entry *entries = (const void *)((const uint8_t *)header + RING_SQ_OFF);

	return &entries[ring_index_place(sq_head, RING_SQ_ENTRIES)];
}

HOT_INLINE static inline uint64_t head_read(const struct ring_entry *shared)
{
	return READ_ONCE(((const union entry_words *)shared)->words[0]);
}

/* What an entry may say behind its head; the rest of it is zero. */
struct operands {
	uint64_t user_data;
	uint64_t interface;
};

/* Reads each word behind the head once; false: something else than the operands is not zero. */
HOT_INLINE static inline bool operands_read(
		const struct ring_entry *shared, struct operands *operands)
{
	const volatile uint64_t *from = ((const union entry_words *)shared)->words;

	operands->user_data = from[1];
	operands->interface = from[2];
	return likely((from[3] | from[4] | from[5] | from[6] | from[7]) == 0);
}

/* The entry was performed without a question, and succeeded. */
HOT_INLINE static inline struct arch_context *finish(
		struct ring *ring, const struct operands *operands, uint32_t id, uint64_t detail)
{
	const struct ring_completion outcome = { .status = STATUS_OK, .id = id, .detail = detail };

	ring_reply_write(ring->header, operands->user_data, &outcome);
	return enter_answer(ring->thread, STATUS_OK);
}

/* The notification that an entry names; NULL if it names none. */
HOT_INLINE static inline struct notification *notification_named(
		const struct ring *ring, uint64_t head)
{
	struct cap_entry *target;

	if (unlikely(cap_table_lookup(&ring->process->caps, (uint32_t)(head >> 32), &target) !=
					    STATUS_OK ||
			    target->object->type != &notification_type))
		return NULL;
	return container_of(target->object, struct notification, object);
}

NO_BUFFER static NOINLINE struct arch_context *nop_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	struct operands operands;

	if (unlikely(head != ENTRY_HEAD(CAP_OP_NOP, ENTRY_SYNC) ||
			    !operands_read(shared, &operands) || operands.interface))
		return enter_generally();
	return finish(ring, &operands, 0, 0);
}

NO_BUFFER static NOINLINE struct arch_context *yield_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	struct operands operands;

	if (unlikely(head != ENTRY_HEAD(CAP_OP_YIELD, ENTRY_SYNC) ||
			    !operands_read(shared, &operands) || operands.interface))
		return enter_generally();
	sched_yield();
	return finish(ring, &operands, 0, 0);
}

NO_BUFFER static NOINLINE struct arch_context *signal_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	struct operands operands;
	struct notification *notification;

	if (unlikely((uint32_t)head != ENTRY_HEAD(CAP_OP_SIGNAL, ENTRY_SYNC)))
		return enter_generally();
	notification = notification_named(ring, head);
	if (unlikely(!notification || !operands_read(shared, &operands)))
		return enter_generally();
	if (unlikely(!notification_signal_shared(notification, operands.interface)))
		return enter_generally();
	return finish(ring, &operands, 0, 0);
}

/* Whether the table is this thread's alone: lookups of others take no lock, so what they read may not
 * change beside them. */
HOT_INLINE static inline bool table_is_own(const struct ring *ring)
{
	return likely(READ_ONCE(ring->process->live_threads) == 1);
}

NO_BUFFER static NOINLINE struct arch_context *copy_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	struct operands operands;
	uint64_t detail;
	uint32_t id;

	if (unlikely((uint32_t)head != ENTRY_HEAD(CAP_OP_COPY, ENTRY_SYNC) ||
			    !operands_read(shared, &operands) || operands.interface ||
			    !table_is_own(ring) ||
			    cap_table_copy(&ring->process->caps, (uint32_t)(head >> 32), NULL, &id,
					    &detail) != STATUS_OK))
		return enter_generally();
	return finish(ring, &operands, id, 0);
}

/* The capability of a wait, and the entry in its question from here on; NULL if there is anything
 * unusual. */
static COLD struct cap_entry *wait_check(
		struct ring *ring, struct question *question, uint64_t head)
{
	struct cap_entry *target;

	if (cap_table_lookup(&ring->process->caps, (uint32_t)(head >> 32), &target) != STATUS_OK ||
			target->object->type != &notification_type ||
			!facet_has_interface(target->facet, NOTIFICATION_INTERFACE_ID))
		return NULL;
	question_write(question, head, 0, 0, 0);
	question_know(&ring->process->caps, question, target);
	return target;
}

/* Waits for bits of a notification: takes those that are set, or sleeps for them. */
NO_BUFFER static NOINLINE struct arch_context *wait_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	const volatile uint64_t *from = ((const union entry_words *)shared)->words;
	struct operands operands = { from[1], from[2] };
	struct question *question = question_for(ring, from[6]);
	struct cap_entry *target;
	uint64_t bits;

	if (unlikely((uint32_t)head != ENTRY_HEAD(CAP_OP_WAIT, ENTRY_SYNC) || !question ||
			    (from[3] | from[4] | from[5] | from[7]) != 0))
		return enter_generally();
	target = question_known(&ring->process->caps, question, head, 0, 0);
	if (unlikely(!target)) {
		target = wait_check(ring, question, head);
		if (!target)
			return enter_generally();
	}
	question->entry.user_data = operands.user_data;
	question->entry.interface = operands.interface;
	if (notification_sleep(container_of(target->object, struct notification, object), question,
			    target->grant, &bits))
		return sched_sleep(ring->thread);
	return finish(ring, &operands, question->number, bits);
}

/* Everything else. */
NO_BUFFER static NOINLINE struct arch_context *other_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	return enter_generally();
}

/* By the low bits of the operation. Whoever is asked compares the whole of it, and its flags. */
#define WAYS 16u
static struct arch_context *(*const ways[WAYS])(
		struct ring *ring, const struct ring_entry *shared, uint64_t head) = {
	[CAP_OP_NOP] = nop_enter,
	[CAP_OP_CALL] = call_enter,
	[CAP_OP_RECV] = other_enter,
	[CAP_OP_RETURN] = return_enter,
	[CAP_OP_FORWARD] = other_enter,
	[CAP_OP_RELEASE] = other_enter,
	[CAP_OP_COPY] = copy_enter,
	[CAP_OP_NARROW] = other_enter,
	[CAP_OP_FINISH] = other_enter,
	[CAP_OP_CANCEL] = other_enter,
	[CAP_OP_WAIT] = wait_enter,
	[CAP_OP_SIGNAL] = signal_enter,
	[CAP_OP_PARK] = other_enter,
	[CAP_OP_UNPARK] = other_enter,
	[CAP_OP_YIELD] = yield_enter,
	[CAP_OP_RETIRE] = other_enter,
};
STATIC_ASSERT(CAP_OP_RETIRE == WAYS - 1);

/* The entry in the header, with nothing left in the queue. */
HOT_INLINE static inline struct arch_context *header_enter(
		struct ring *ring, const struct ring_header *header)
{
	const struct ring_entry *shared = ring_header_entry(header);
	uint64_t head = head_read(shared);

	return ways[head % WAYS](ring, shared, head);
}

/* Performs the oldest entry of the queue, one that says nothing when it succeeds; false: it is
 * none of those, or would not succeed. */
HOT_INLINE static inline bool quiet_perform(struct ring *ring)
{
	const struct ring_entry *shared = ring_oldest(ring->header, ring->sq_head);
	uint64_t head = head_read(shared);
	struct notification *notification;
	struct operands operands;

	if (unlikely(!operands_read(shared, &operands) || !ring_has_credit(ring)))
		return false;
	if ((uint32_t)head == ENTRY_HEAD(CAP_OP_SIGNAL, ENTRY_QUIET)) {
		notification = notification_named(ring, head);
		if (unlikely(!notification ||
				    !notification_signal_shared(notification, operands.interface)))
			return false;
	} else if ((uint32_t)head != ENTRY_HEAD(CAP_OP_RELEASE, ENTRY_QUIET) ||
			operands.interface || !table_is_own(ring) ||
			!cap_table_release_plain(&ring->process->caps, (uint32_t)(head >> 32))) {
		return false;
	}
	ring_head_advance(ring);
	return true;
}

NO_BUFFER static NOINLINE struct arch_context *several_enter(struct ring *ring, uint32_t count)
{
	if (unlikely(count > RING_SQ_ENTRIES))
		return enter_generally();
	while (count-- > 0) {
		if (unlikely(!quiet_perform(ring)))
			return enter_generally();
	}
	return header_enter(ring, ring->header);
}

NO_BUFFER HOT_INLINE struct arch_context *ring_enter(struct ring *ring)
{
	const struct ring_header *header = ring->header;
	uint32_t count = ring_index_count(ring->sq_head, LOAD_ACQUIRE(&header->sq_tail));

	/* The direct way tells nobody what it does, and takes no account of budgets. */
	if (unlikely(trace_is_on() || ring->thread->is_special))
		return enter_generally();
	return likely(count == 0) ? header_enter(ring, header) : several_enter(ring, count);
}
