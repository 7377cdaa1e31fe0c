/*
 * The direct way of a blocking call and of its answer: one straight line each for what nearly all of them are, a SYNC
 * call without capabilities to a server that waits in a SYNC receive (or to a kernel object), and the SYNC return that
 * receives again.
 *
 * Asked by ring/dispatch.c before its table. Answers false, and then nothing has happened, for whatever is unusual or
 * wrong: endpoint_call.c is the general way and says what everything means.
 * Always true: what is done here, the general way would have done with the same outcome.
 */
#include "kernel/cap/cap_table.h"
#include "kernel/core/counters.h"
#include "kernel/core/string.h"
#include "kernel/object/endpoint_internal.h"
#include "kernel/object/process.h"
#include "kernel/ring/dispatch.h"

/* An entry's first four bytes: operation, flags, method. */
#define ENTRY_HEAD(op, flags) ((uint32_t)(op) | (uint32_t)(flags) << 8)
#define ENTRY_HEAD_CALL       ENTRY_HEAD(CAP_OP_CALL, ENTRY_SYNC)
#define ENTRY_HEAD_RETURN     ENTRY_HEAD(CAP_OP_RETURN, ENTRY_SYNC | ENTRY_REARM)

/* Words 5 and 6 of an entry (sizes; capabilities, question and path): the bits that must be zero here. */
#define SIZES_CALL            0xffffffff00000000ull     /* records for the answer */
#define SIZES_RETURN          0xffffff0000000000ull
#define QUESTION_ONLY         (~((RING_QUESTIONS - 1ull) << 32))

STATIC_ASSERT((RING_QUESTIONS & (RING_QUESTIONS - 1)) == 0);
STATIC_ASSERT(offsetof(struct ring_entry, msg_words) == 40 && offsetof(struct ring_entry, reply_caps) == 44);
STATIC_ASSERT(offsetof(struct ring_entry, caps_off) == 48 && offsetof(struct ring_entry, question) == 52);
STATIC_ASSERT(offsetof(struct ring_entry, deadline_ns) == 24 && offsetof(struct ring_entry, path) == 56);

/* No capabilities, deadline or path, nothing that must be zero; a message; a question that is not in use. */
HOT_INLINE static inline bool is_plain(const struct ring *ring, const struct ring_entry *entry, uint64_t sizes)
{
	const uint64_t *words = (const uint64_t *)entry;

	if ((words[3] | words[7] | (words[5] & sizes) | (words[6] & QUESTION_ONLY)) != 0)
		return false;
	return entry->msg_off >= RING_ARENA_OFF && entry->msg_words != 0 &&
			(uint64_t)entry->msg_off + entry->msg_words <= RING_WORDS &&
			ring->questions[entry->question].kind == QUESTION_FREE;
}

/* The span of an answer or a receive; `before`: header and records. */
HOT_INLINE static inline bool reply_is_valid(const struct ring_entry *entry, uint32_t before)
{
	return entry->reply_off >= RING_ARENA_OFF && entry->reply_words <= MESSAGE_WORDS_MAX &&
			(uint64_t)entry->reply_off + before + entry->reply_words <= RING_WORDS;
}

/* --- Call --------------------------------------------------------------------------------------- */

/* Gives the call to the first receiver, if there is one that sleeps for it alone. Lock held. */
HOT_INLINE static inline bool call_meet(struct ring *ring, const struct ring_entry *entry, struct export *export,
		struct endpoint *endpoint) REQUIRES(endpoint->lock)
{
	struct question *receiver = container_of(endpoint->receivers.next, struct question, link);
	struct ring_completion outcome = { .status = STATUS_OK, .msg_words = entry->msg_words, .detail = export->tag };
	uint32_t slot = endpoint->service_free;
	struct service *service = &endpoint->services[slot];
	const struct session *session = ring->process->session;
	struct recv_header *header;
	struct question *call;
	struct ring *to;

	if (list_empty(&endpoint->receivers) || endpoint->pending_count || !slot || endpoint->closed ||
			(export->incarnation && export->incarnation != endpoint->incarnation) ||
			endpoint->seen_session != session->number + 1 || !(receiver->entry.flags & ENTRY_SYNC))
		return false;
	call = question_begin(ring, entry, QUESTION_CALL, &endpoint->object);
	call->export = export;
	call->call_state = CALL_DELIVERED;
	call->service = slot;
	object_hold(&export->object);
	list_remove(&receiver->link);
	endpoint->receiver_count--;
	to = receiver->ring;
	endpoint->service_free = service->next_free;
	endpoint->service_count++;
	service->state = SERVICE_ACTIVE;
	service->call = call;
	service->server = to->process;
	service->incarnation = endpoint->incarnation;
	outcome.id = slot | service->generation << SERVICE_SLOT_BITS;
	header = (struct recv_header *)(to->words + receiver->entry.reply_off);
	*header = (struct recv_header){ .kind = RECV_KIND_CALL, .method = entry->method, .tag = export->tag,
			.interface = entry->interface, .session_low = endpoint->reference.low,
			.session_high = endpoint->reference.high, .epoch = session->epoch,
			.reply_words = entry->reply_words };
	memcpy((uint64_t *)(header + 1) + 2u * receiver->entry.reply_caps, ring->words + entry->msg_off,
			entry->msg_words * 8ul);
	question_complete_sync(receiver, &outcome);
	return true;
}

NO_BUFFER HOT_INLINE static inline bool call_fast(struct ring *ring, const struct ring_entry *entry)
{
	struct cap_entry *target;
	struct endpoint *endpoint;
	struct export *export;
	bool has_interface, met;

	if (unlikely(!is_plain(ring, entry, SIZES_CALL) || !reply_is_valid(entry, 0) ||
			cap_table_lookup(&ring->process->caps, entry->target, &target) != STATUS_OK ||
			!facet_has_method(target->facet, entry->interface, entry->method, &has_interface)))
		return false;
	if (target->object->type != &export_type) {
		if (unlikely(entry->msg_words > MESSAGE_WORDS_MAX || !target->object->type->call))
			return false;
		counters.calls++;
		object_call(ring, entry, target);
		return true;
	}
	export = container_of(target->object, struct export, object);
	endpoint = export->endpoint;
	if (unlikely(entry->msg_words > endpoint->message_words))
		return false;
	spin_lock(&endpoint->lock);
	met = call_meet(ring, entry, export, endpoint);
	spin_unlock(&endpoint->lock);
	if (likely(met))
		counters.calls++;
	return met;
}

/* --- Return ------------------------------------------------------------------------------------- */

/* The call in service that this answers, if nothing else is to be done at this endpoint; NULL otherwise. Lock held. */
HOT_INLINE static inline struct service *return_service(const struct ring *ring, const struct ring_entry *entry,
		const struct endpoint *endpoint) REQUIRES(endpoint->lock)
{
	uint32_t slot = (uint32_t)entry->interface & ((1u << SERVICE_SLOT_BITS) - 1);
	struct service *service = &endpoint->services[slot];
	const struct question *call;

	if (slot == 0 || slot > endpoint->calls || service->state != SERVICE_ACTIVE ||
			service->generation != entry->interface >> SERVICE_SLOT_BITS || endpoint->closed ||
			endpoint->server != ring->process || endpoint->pending_count ||
			!list_empty(&endpoint->cancelled) || !list_empty(&endpoint->idle_exports))
		return NULL;
	call = service->call;
	if ((call->entry.flags & (ENTRY_SYNC | ENTRY_KEEP)) != ENTRY_SYNC || call->reserved || call->timer.queued ||
			entry->msg_words > call->entry.reply_words)
		return NULL;
	return service;
}

/* Answers the call and receives again: the export that the call was made through. Lock held. */
HOT_INLINE static inline struct export *return_meet(struct ring *ring, const struct ring_entry *entry,
		struct endpoint *endpoint, struct service *service) REQUIRES(endpoint->lock)
{
	struct question *call = service->call, *receiver;
	struct ring_completion outcome = { .status = STATUS_OK, .msg_words = entry->msg_words, .id = call->number };
	struct export *export = call->export;

	memcpy(question_reply_message(call), ring->words + entry->msg_off, entry->msg_words * 8ul);
	service->state = SERVICE_FREE;
	service->generation = (service->generation + 1) & SERVICE_GENERATION_MASK;
	service->call = NULL;
	service->server = NULL;
	service->next_free = endpoint->service_free;
	endpoint->service_free = call->service;
	endpoint->service_count--;
	question_complete_sync(call, &outcome);
	receiver = question_begin(ring, entry, QUESTION_RECV, &endpoint->object);
	receiver->incarnation = endpoint->incarnation;
	list_append(&endpoint->receivers, &receiver->link);
	endpoint->receiver_count++;
	return export;
}

NO_BUFFER HOT_INLINE static inline bool return_fast(struct ring *ring, const struct ring_entry *entry)
{
	struct cap_table *caps = &ring->process->caps;
	struct export *export = NULL;
	struct cap_entry *target;
	struct endpoint *endpoint;
	struct service *service;
	uint64_t detail;

	if (unlikely(!is_plain(ring, entry, SIZES_RETURN) ||
			!reply_is_valid(entry, RECV_HEADER_WORDS + 2u * entry->reply_caps) ||
			cap_table_lookup(caps, entry->target, &target) != STATUS_OK ||
			target->object->type != &endpoint_type))
		return false;
	endpoint = container_of(target->object, struct endpoint, object);
	if (unlikely(entry->reply_words < endpoint->message_words || entry->reply_caps < endpoint->capabilities ||
			cap_table_reserve(caps, entry->reply_caps, &detail) != STATUS_OK))
		return false;
	spin_lock(&endpoint->lock);
	service = return_service(ring, entry, endpoint);
	if (likely(service))
		export = return_meet(ring, entry, endpoint, service);
	spin_unlock(&endpoint->lock);
	if (unlikely(!service)) {
		cap_table_unreserve(caps, entry->reply_caps);
		return false;
	}
	object_unhold(&export->object);
	return true;
}

NO_BUFFER bool endpoint_fast(struct ring *ring, const struct ring_entry *entry)
{
	const uint32_t head = *(const uint32_t *)(const void *)entry;

	if ((head & 0xffff) == ENTRY_HEAD_CALL)
		return call_fast(ring, entry);
	return head == ENTRY_HEAD_RETURN && return_fast(ring, entry);
}
