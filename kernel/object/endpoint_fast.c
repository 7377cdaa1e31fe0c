/*
 * The direct way of a blocking call and of its answer: one straight line each for what nearly all
 * of them are, a SYNC call without capabilities to a server that sleeps in a SYNC receive or to a
 * kernel object, and the SYNC return that receives again.
 *
 * Asked by ring/direct.c. What is unusual or wrong is left, with nothing done, to the general way
 * (enter_generally, then ring/dispatch.c and endpoint_call.c).
 * Always true: what is done here, the general way would have done with the same outcome.
 */
#include "kernel/cap/cap_table.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/object/endpoint_internal.h"
#include "kernel/object/process.h"
#include "kernel/ring/direct.h"
#include "kernel/sched/sched.h"

/* Word 5 of an entry, sizes: the bits that must be zero here. */
#define SIZES_CALL   0xffffffff00000000ull /* records for the answer */
#define SIZES_RETURN 0xffffff0000000000ull

#define ARENA_WORDS  (RING_WORDS - RING_ARENA_OFF)

STATIC_ASSERT(offsetof(struct recv_header, method) == 4 &&
		offsetof(struct recv_header, reply_words) == 56);
STATIC_ASSERT(offsetof(struct recv_header, session_low) == 24 &&
		offsetof(struct recv_header, epoch) == 40);
/* What span_is_valid relies on: the largest span with all that can stand before it fits. */
STATIC_ASSERT(MESSAGE_WORDS_MAX + RECV_HEADER_WORDS + 2 * UINT8_MAX <= ARENA_WORDS);

/* The span of a message of 1 to MESSAGE_WORDS_MAX words (the caller sees to that) with `before`
 * words of header and records. */
HOT_INLINE static inline bool span_is_valid(uint32_t off, uint32_t before, uint32_t words)
{
	return off - RING_ARENA_OFF <= ARENA_WORDS - before - words;
}

/* --- Who stands by -------------------------------------------------------------------------- */

void endpoint_end_standby(struct endpoint *endpoint)
{
	struct question *receiver = endpoint->standby;

	endpoint->standby = NULL;
	receiver->incarnation = endpoint->incarnation;
	list_append(&endpoint->receivers, &receiver->link);
	endpoint->receiver_count++;
	service_free_locked(endpoint, endpoint->standby_service);
}

/* The only receiver stands by if it sleeps for this alone and a service slot is free. Lock held. */
static NOINLINE bool standby_begin(struct endpoint *endpoint) NO_LOCK_ANALYSIS
{
	struct list *first = endpoint->receivers.next;
	struct question *receiver = container_of(first, struct question, link);
	struct service *service;

	if (endpoint->receiver_count != 1 || endpoint->pending_count || !endpoint->service_free ||
			endpoint->closed || !sleeper_lock(receiver->ring, receiver))
		return false;
	spin_unlock(&receiver->ring->lock);
	list_remove(first);
	endpoint->receiver_count--;
	service = &endpoint->services[endpoint->service_free];
	endpoint->service_free = service->next_free;
	endpoint->service_count++;
	service->state = SERVICE_ACTIVE;
	service->server = receiver->ring->process;
	service->incarnation = endpoint->incarnation;
	endpoint->standby_service = service;
	endpoint->standby = receiver;
	return true;
}

/* --- Call ----------------------------------------------------------------------------------- */

/* Header and message, where the receiver reads them. */
HOT_INLINE static inline void message_deliver(const struct ring *from, const struct question *call,
		const struct ring *to, const struct question *receiver, const struct export *export,
		const struct session *session)
{
	const struct ring_entry *entry = &call->entry;
	const struct endpoint *endpoint = export->endpoint;
	uint64_t *span = to->words + receiver->entry.reply_off;

	span[0] = RECV_KIND_CALL | (uint64_t)entry->method << 32;
	span[1] = export->tag;
	span[2] = entry->interface;
	span[3] = endpoint->reference.low;
	span[4] = endpoint->reference.high;
	span[5] = session->epoch;
	span[6] = 0;
	span[7] = entry->reply_words;
	arch_copy_words(span + RECV_HEADER_WORDS + 2u * receiver->entry.reply_caps,
			from->words + entry->msg_off, entry->msg_words);
}

/* Gives the call to the receiver that stands by: its thread, or NULL. Lock held. */
HOT_INLINE static inline struct thread *call_meet(struct ring *ring, struct question *call,
		struct export *export, struct endpoint *endpoint) REQUIRES(endpoint->lock)
{
	const struct session *session = ring->process->session;
	struct ring_completion outcome = { .status = STATUS_OK, .detail = export->tag };
	struct question *receiver;
	struct service *service;
	struct thread *server;
	struct ring *to;

	if (unlikely(!endpoint->standby && !standby_begin(endpoint)))
		return NULL;
	receiver = endpoint->standby;
	to = receiver->ring;
	server = to->thread;
	if (unlikely((export->incarnation && export->incarnation != endpoint->incarnation) ||
			    endpoint->seen_session != session->number + 1 ||
			    server->state != THREAD_WAIT_SYNC ||
			    (server->is_confined && !sched_may_pass(server))))
		return NULL;
	service = endpoint->standby_service;
	endpoint->standby = NULL;
	call->kind = QUESTION_CALL;
	call->call_state = CALL_DELIVERED;
	call->export = export;
	call->service = service->id & SERVICE_SLOT_MASK;
	object_hold(&export->object);
	question_sleep(ring, call, &endpoint->object);
	service->call = call;
	service->is_plain = true;
	message_deliver(ring, call, to, receiver, export, session);
	outcome.msg_words = call->entry.msg_words;
	outcome.id = service->id;
	question_complete_direct(receiver, &outcome);
	if (receiver->entry.reply_caps)
		cap_table_keep(&to->process->caps, receiver->entry.reply_caps);
	arch_cpu()->counters.calls++;
	return server;
}

/* A call of a kernel object, performed at once and exclusive; it may leave the caller waiting. */
NO_BUFFER static struct arch_context *call_object(
		struct ring *ring, struct question *call, struct cap_entry *target)
{
	struct cpu *cpu = arch_cpu();

	if (unlikely(!kernel_upgrade(cpu)))
		return enter_generally();
	cpu->counters.calls++;
	object_call(ring, &call->entry, target);
	return enter_finish(ring);
}

/*
 * Checks the entry of a call as it has not been checked before: the capability that it names, and
 * the entry in its question from here on. NULL if there is anything unusual.
 */
static NOINLINE struct cap_entry *call_check(struct ring *ring, struct question *call,
		uint64_t head, uint64_t interface, uint64_t spans, uint64_t sizes)
{
	const struct ring_entry *entry = &call->entry;
	struct cap_entry *target;

	question_write(call, head, interface, spans, sizes);
	if ((head & 0xffff) != ENTRY_HEAD(CAP_OP_CALL, ENTRY_SYNC) || (sizes & SIZES_CALL) ||
			entry->msg_words - 1u >= MESSAGE_WORDS_MAX ||
			!span_is_valid(entry->msg_off, 0, entry->msg_words) ||
			entry->reply_words > MESSAGE_WORDS_MAX ||
			(!entry->reply_words && entry->reply_off) ||
			!span_is_valid(entry->reply_off, 0, entry->reply_words) ||
			cap_table_lookup(&ring->process->caps, entry->target, &target) !=
					STATUS_OK ||
			!facet_has_own_method(target->facet, interface, entry->method))
		return NULL;
	if (target->object->type == &export_type ? entry->msg_words >
							container_of(target->object, struct export,
									object)
									->endpoint->message_words
						 : !target->object->type->call)
		return NULL;
	question_know(&ring->process->caps, call, target);
	return target;
}

NO_BUFFER NOINLINE struct arch_context *call_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	const volatile uint64_t *from = ((const union entry_words *)shared)->words;
	uint64_t interface = from[2], spans = from[4], sizes = from[5];
	struct question *call = question_for(ring, from[6]);
	struct cap_entry *target;
	struct endpoint *endpoint;
	struct export *export;
	struct thread *server;

	/* No deadline and no path; a call that waits for another's answer is not overtaken. */
	if (unlikely(!call || (from[3] | from[7]) || !list_empty(&ring->stalled)))
		return enter_generally();
	target = question_known(&ring->process->caps, call, head, spans, sizes);
	if (unlikely(!target || call->entry.interface != interface)) {
		target = call_check(ring, call, head, interface, spans, sizes);
		if (!target)
			return enter_generally();
	}
	call->entry.user_data = from[1];
	if (target->object->type != &export_type)
		return call_object(ring, call, target);
	export = container_of(target->object, struct export, object);
	endpoint = export->endpoint;
	spin_lock(&endpoint->lock);
	server = call_meet(ring, call, export, endpoint);
	spin_unlock(&endpoint->lock);
	return likely(server) ? sched_pass(ring->thread, server) : enter_generally();
}

/* --- Return --------------------------------------------------------------------------------- */

/* Whether a call that was not made by the direct way can be answered by it: its thread sleeps for it
 * alone, and neither room for capabilities nor a deadline has to be given back. */
static NOINLINE bool service_is_plain(const struct service *service)
{
	const struct question *call = service->call;

	return service->state == SERVICE_ACTIVE && call && call->entry.flags == ENTRY_SYNC &&
			!call->reserved && !call->timer.queue;
}

/* The call in service that is answered, if nothing else is to be done at this endpoint; NULL
 * otherwise. Lock held. */
HOT_INLINE static inline struct service *return_service(const struct ring *ring,
		const struct endpoint *endpoint, uint64_t id) REQUIRES(endpoint->lock)
{
	uint32_t slot = (uint32_t)id & SERVICE_SLOT_MASK;
	struct service *service = &endpoint->services[slot];

	OPAQUE(service);
	/* Slot 0 has no call. */
	if (unlikely(slot > endpoint->calls || endpoint->plain_server != ring->process ||
			    service->id != id || !(service->is_plain || service_is_plain(service))))
		return NULL;
	return service;
}

/* Answers the call, which its thread sleeps for, and stands by for the next: that thread, or NULL.
 * The call was not the last to hold its export. Lock held. */
HOT_INLINE static inline struct thread *return_meet(struct ring *ring, struct question *receiver,
		struct endpoint *endpoint, uint64_t id) REQUIRES(endpoint->lock)
{
	const struct ring_entry *entry = &receiver->entry;
	struct service *service = return_service(ring, endpoint, id);
	struct ring_completion outcome = { .status = STATUS_OK };
	struct thread *caller;
	struct question *call;
	struct ring *to;

	if (unlikely(!service))
		return NULL;
	call = service->call;
	to = call->ring;
	caller = to->thread;
	if (unlikely(entry->msg_words - 1u >= call->entry.reply_words ||
			    caller->state != THREAD_WAIT_SYNC ||
			    (caller->is_confined && !sched_may_pass(caller)) ||
			    endpoint->standby || !list_empty(&endpoint->receivers) ||
			    !object_unhold_plain(&call->export->object)))
		return NULL;
	arch_copy_words(to->words + call->entry.reply_off, ring->words + entry->msg_off,
			entry->msg_words);
	service->id = service_id_next(service->id);
	service->call = NULL;
	service->is_plain = false;
	service->server = ring->process;
	service->incarnation = endpoint->incarnation;
	endpoint->standby_service = service;
	endpoint->standby = receiver;
	receiver->kind = QUESTION_RECV;
	receiver->call_state = CALL_NONE;
	receiver->reserved = entry->reply_caps;
	question_sleep(ring, receiver, &endpoint->object);
	outcome.msg_words = entry->msg_words;
	outcome.id = call->number;
	question_complete_direct(call, &outcome);
	return caller;
}

/* As call_check, of a return. */
static NOINLINE struct cap_entry *return_check(struct ring *ring, struct question *receiver,
		uint64_t head, uint64_t spans, uint64_t sizes)
{
	const struct ring_entry *entry = &receiver->entry;
	const struct endpoint *endpoint;
	struct cap_entry *target;

	question_write(receiver, head, 0, spans, sizes);
	if ((uint32_t)head != ENTRY_HEAD(CAP_OP_RETURN, ENTRY_SYNC | ENTRY_REARM) ||
			(sizes & SIZES_RETURN) || entry->msg_words - 1u >= MESSAGE_WORDS_MAX ||
			!span_is_valid(entry->msg_off, 0, entry->msg_words) ||
			entry->reply_words > MESSAGE_WORDS_MAX ||
			!span_is_valid(entry->reply_off, RECV_HEADER_WORDS + 2u * entry->reply_caps,
					entry->reply_words) ||
			cap_table_lookup(&ring->process->caps, entry->target, &target) !=
					STATUS_OK ||
			target->object->type != &endpoint_type)
		return NULL;
	endpoint = container_of(target->object, struct endpoint, object);
	if (entry->reply_words < endpoint->message_words ||
			entry->reply_caps < endpoint->capabilities)
		return NULL;
	question_know(&ring->process->caps, receiver, target);
	return target;
}

NO_BUFFER NOINLINE struct arch_context *return_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	const volatile uint64_t *from = ((const union entry_words *)shared)->words;
	uint64_t id = from[2], spans = from[4], sizes = from[5];
	struct question *receiver = question_for(ring, from[6]);
	struct cap_table *caps = &ring->process->caps;
	struct cap_entry *target;
	struct endpoint *endpoint;
	struct thread *caller;
	uint32_t slots;

	if (unlikely(!receiver || (from[3] | from[7])))
		return enter_generally();
	target = question_known(caps, receiver, head, spans, sizes);
	if (unlikely(!target)) {
		target = return_check(ring, receiver, head, spans, sizes);
		if (!target)
			return enter_generally();
	}
	receiver->entry.user_data = from[1];
	slots = receiver->entry.reply_caps;
	if (slots && unlikely(!cap_table_take_kept(caps, slots)))
		return enter_generally();
	endpoint = container_of(target->object, struct endpoint, object);
	spin_lock(&endpoint->lock);
	caller = return_meet(ring, receiver, endpoint, id);
	spin_unlock(&endpoint->lock);
	if (unlikely(!caller)) {
		if (slots)
			cap_table_keep(caps, slots);
		return enter_generally();
	}
	return sched_pass_back(ring->thread, caller);
}
