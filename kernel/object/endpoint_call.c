/*
 * Calls through endpoints: call, receive, return, and how they meet. Entries come from ring/dispatch.c; bytes go from
 * arena to arena with one copy, capabilities through cap/transfer.c; life and death of endpoints are in endpoint.c.
 *
 * A call is its caller's question: QUEUED in one of the pending queues (its message still in the caller's arena),
 * then DELIVERED in a service slot, then done. The endpoint's lock is held whenever that changes.
 * Always true: pending calls and receivers are never both waiting when the lock is free, unless no service slot is.
 */
#include "kernel/cap/transfer.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/object/endpoint_internal.h"
#include "kernel/object/entropy.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"
#include "kernel/ring/dispatch.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/donation.h"
#include "kernel/trace/trace.h"

STATIC_ASSERT(sizeof(struct recv_header) == RECV_HEADER_WORDS * 8);

#define DEADLOCK_HOPS_MAX 32

/* What must happen after the lock is free. */
struct after {
	struct question_release release;
	struct call_transfer   *transfer;      /* delivered: finish and free */
	struct question        *forwarder;     /* whose call was delivered: completes */
};

static struct endpoint *question_endpoint(const struct question *question)
{
	return container_of(question->object, struct endpoint, object);
}

void question_end_with(struct question *question, status_t status, uint64_t detail)
{
	struct ring_completion outcome = { .status = status, .id = question->number, .detail = detail };
	struct question_release release;

	question->call_state = CALL_DONE;
	question_drop_transfer(question);
	question_complete(question, &outcome, false, &release);
	question_release(&release);
}

static void after_run(struct after *after)
{
	if (after->transfer) {
		transfer_finish(after->transfer->items, after->transfer->count);
		call_transfer_destroy(after->transfer);
	}
	question_release(&after->release);
	if (after->forwarder)
		question_end_with(after->forwarder, STATUS_OK, 0);
}

/* A queued question and the one that it was forwarded for part: the other of the two, or NULL. Lock held. */
static struct question *forward_part(struct question *question)
{
	struct question *other = question->forward;

	question->forward = NULL;
	if (other) {
		other->forward = NULL;
		other->call_state = CALL_RETURNING;
	}
	return other;
}

/* --- Queues ------------------------------------------------------------------------------------- */

/* The first of the ring's calls that wait here; NULL if there is none. */
static struct question *pending_leader(struct endpoint *endpoint, struct ring *ring)
{
	for (uint32_t i = 0; i < ring_questions(ring); i++) {
		struct question *question = &ring->questions[i];

		if (question->object == &endpoint->object && question->leads)
			return question;
	}
	return NULL;
}

/* Rings take turns: each gets the same share of the service. */
void pending_append(struct endpoint *endpoint, struct question *call)
{
	struct question *leader = pending_leader(endpoint, call->ring);

	call->call_state = CALL_QUEUED;
	call->leads = !leader;
	list_init(&call->followers);
	list_append(leader ? &leader->followers : &endpoint->pending, &call->link);
	endpoint->pending_count++;
}

/* Takes a call out of the queue. Where it led, the next of its ring does: in its place, or after a turn at the end. */
static void pending_remove(struct endpoint *endpoint, struct question *call, bool turn)
{
	struct list *next = list_take(&call->followers);

	if (next) {
		struct question *leader = container_of(next, struct question, link);

		leader->leads = true;
		list_append(turn ? &endpoint->pending : &call->link, next);
		list_move_all(&leader->followers, &call->followers);
	}
	list_remove(&call->link);
	call->leads = false;
	endpoint->pending_count--;
}

/* Of the next receiver; there is one. */
static struct process *receiver_process(const struct endpoint *endpoint)
{
	return container_of(endpoint->receivers.next, struct question, link)->ring->process;
}

static struct question *receiver_take(struct endpoint *endpoint)
{
	struct list *link = list_take(&endpoint->receivers);

	endpoint->receiver_count--;
	return container_of(link, struct question, link);
}

static struct service *service_take(struct endpoint *endpoint)
{
	struct service *service = &endpoint->services[endpoint->service_free];

	DEBUG_ASSERT(endpoint->service_free != 0 && service->state == SERVICE_FREE);
	endpoint->service_free = service->next_free;
	endpoint->service_count++;
	service->state = SERVICE_ACTIVE;
	return service;
}

void service_free_locked(struct endpoint *endpoint, struct service *service)
{
	if (unlikely(service->state == SERVICE_ABANDONED))
		list_remove(&service->event_link);
	service->state = SERVICE_FREE;
	service->id = service_id_next(service->id);
	service->call = NULL;
	service->is_plain = false;
	service->server = NULL;
	service->next_free = endpoint->service_free;
	endpoint->service_free = (uint32_t)(service - endpoint->services);
	endpoint->service_count--;
}

/* --- Delivery ----------------------------------------------------------------------------------- */

/* A message on its way to a receiver: who is to be answered, and whose arena and table it comes from. */
struct delivery {
	struct question         *call;      /* of the caller */
	struct ring             *from;      /* the caller's, or who forwards */
	const struct ring_entry *entry;     /* its CALL or FORWARD */
	struct transfer_item    *items;     /* entry->cap_count of them; NULL: none */
};

void endpoint_see_session(struct endpoint *endpoint, const struct session *session)
{
	if (endpoint->seen_session == 0)
		entropy_fill(endpoint->reference_key, sizeof(endpoint->reference_key));
	endpoint->reference = session_reference_make(endpoint->reference_key, session->number);
	endpoint->seen_session = session->number + 1;
}

/* Gives a call to a receiver. Everything was reserved: this cannot fail. */
NO_BUFFER static void deliver_call(struct endpoint *endpoint, const struct delivery *delivery, struct question *receiver,
		struct question_release *release)
{
	const struct ring_entry *entry = delivery->entry;
	struct question *call = delivery->call;
	struct ring *from = delivery->from, *to = receiver->ring;
	const struct session *session = from->process->session;
	uint16_t count = delivery->items ? entry->cap_count : 0;
	uint64_t *span = to->words + receiver->entry.reply_off;
	uint64_t *records = span + RECV_HEADER_WORDS;
	struct recv_header *header = (struct recv_header *)span;
	struct service *service = service_take(endpoint);
	struct ring_completion outcome = { .status = STATUS_OK, .cap_count = count, .msg_words = entry->msg_words,
			.id = service->id, .detail = call->export->tag };

	if (unlikely(endpoint->seen_session != session->number + 1))
		endpoint_see_session(endpoint, session);
	service->call = call;
	service->server = to->process;
	service->incarnation = endpoint->incarnation;
	call->call_state = CALL_DELIVERED;
	call->service = (uint32_t)(service - endpoint->services);
	*header = (struct recv_header){ .kind = RECV_KIND_CALL, .method = entry->method, .cap_count = count,
			.tag = call->export->tag, .interface = entry->interface, .session_low = endpoint->reference.low,
			.session_high = endpoint->reference.high, .epoch = session->epoch,
			.sequence = call->entry.deadline_ns,
			.reply_words = call->entry.reply_words, .reply_caps = call->entry.reply_caps };
	trace_delivery(call, entry, from, to);
	if (count) {
		trace_transfers(call, from, to, delivery->items, count);
		receiver->reserved = (uint8_t)(receiver->reserved - transfer_deliver(delivery->items, count,
				&from->process->caps, &to->process->caps, endpoint, records));
	}
	memcpy(records + 2u * receiver->entry.reply_caps, from->words + entry->msg_off, entry->msg_words * 8ul);
	if (unlikely(call->ring->thread->is_special) && (call->entry.flags & ENTRY_SYNC))
		donation_pass(call->ring->thread, to->thread);
	question_complete(receiver, &outcome, call->entry.flags & ENTRY_SYNC, release);
}

/* Gives an event to a receiver: a cancelled call, or an export that nobody holds. */
static void deliver_event(struct endpoint *endpoint, struct question *receiver, struct question_release *release)
{
	struct recv_header *header = (struct recv_header *)(receiver->ring->words + receiver->entry.reply_off);
	struct ring_completion outcome = { .status = STATUS_OK };
	struct list *link = list_take(&endpoint->cancelled);

	if (link) {
		struct service *service = container_of(link, struct service, event_link);

		outcome.id = service->id;
		*header = (struct recv_header){ .kind = RECV_KIND_CANCELLED };
	} else {
		struct export *export = container_of(list_take(&endpoint->idle_exports), struct export, idle_link);

		outcome.detail = export->tag;
		*header = (struct recv_header){ .kind = RECV_KIND_NO_HOLDERS, .tag = export->tag,
				.sequence = (uint64_t)export->number << 32 | export->index };
	}
	question_complete(receiver, &outcome, false, release);
}

/* Calls whose capabilities were revoked on the way, or may not reach this receiver, fail, and nothing of them moves. */
static void fail_pending(struct endpoint *endpoint, struct question *call, status_t status, uint64_t detail)
		REQUIRES(endpoint->lock)
{
	struct question *forwarded;

	pending_remove(endpoint, call, true);
	forwarded = forward_part(call);
	endpoint_unlock(endpoint);
	question_end_with(call, status, detail);
	if (forwarded)
		question_end_with(forwarded, STATUS_DISCONNECTED, 0);
	endpoint_lock(endpoint);
}

/* What a call carries can be delivered: it was not revoked while it waited, and its scope allows it. */
static status_t transfer_may_pass(const struct call_transfer *transfer, const struct process *from,
		const struct process *to, uint64_t *detail)
{
	status_t status = transfer_still_valid(transfer->items, transfer->count);

	if (status == STATUS_OK)
		return transfer_may_cross(transfer->items, transfer->count, from, to, detail);
	*detail = reason_detail(REASON_REVOKED, 0, 0, 0);
	return status;
}

/* The first queued call goes to the first receiver. Lock held. */
static void deliver_pending(struct endpoint *endpoint, struct question *pending, struct after *after)
		REQUIRES(endpoint->lock)
{
	struct question *forwarded = forward_part(pending);
	struct delivery delivery = { .call = forwarded ? forwarded : pending, .from = pending->ring,
			.entry = &pending->entry };

	pending_remove(endpoint, pending, true);
	after->transfer = pending->transfer;
	pending->transfer = NULL;
	if (after->transfer)
		delivery.items = after->transfer->items;
	if (forwarded) {
		pending->call_state = CALL_RETURNING;
		after->forwarder = pending;
	}
	deliver_call(endpoint, &delivery, receiver_take(endpoint), &after->release);
}

/*
 * One meeting of a receiver with an event or a call; false if there is none to be had. What was cancelled is told
 * before calls that came after: a service that ends what it had kept for one caller does not meet that caller's next
 * call first. For each there was a call in service, so it keeps no calls back; other events take turns with calls.
 * Lock held.
 */
static bool pump_one(struct endpoint *endpoint, struct after *after) REQUIRES(endpoint->lock)
{
	bool event = !list_empty(&endpoint->cancelled) || !list_empty(&endpoint->idle_exports);
	bool call = endpoint->pending_count && endpoint->service_free;
	struct question *pending;
	uint64_t detail = 0;
	status_t status = STATUS_OK;

	if (list_empty(&endpoint->receivers) || (!event && !call))
		return false;
	if (!list_empty(&endpoint->cancelled) || (event && (endpoint->event_turn || !call))) {
		endpoint->event_turn = false;
		deliver_event(endpoint, receiver_take(endpoint), &after->release);
		return true;
	}
	endpoint->event_turn = true;
	pending = container_of(endpoint->pending.next, struct question, link);
	if (pending->transfer)
		status = transfer_may_pass(pending->transfer, pending->ring->process, receiver_process(endpoint), &detail);
	if (status == STATUS_OK)
		deliver_pending(endpoint, pending, after);
	else
		fail_pending(endpoint, pending, status, detail);
	return true;
}

static void pump_all(struct endpoint *endpoint)
{
	for (;;) {
		struct after after = { 0 };
		bool met;

		endpoint_lock(endpoint);
		met = pump_one(endpoint, &after);
		endpoint_unlock(endpoint);
		if (!met)
			return;
		after_run(&after);
	}
}

/*
 * What a delivery moves may be another receive side, whose calls can be delivered then, and so on: endpoints are pumped one
 * after the other and not inside each other, so that the chain's length is not the stack's depth.
 */
void endpoint_pump(struct endpoint *endpoint)
{
	struct cpu *cpu = arch_cpu();

	if (__atomic_exchange_n(&endpoint->pump_queued, true, __ATOMIC_ACQ_REL))
		return;
	object_get(&endpoint->object);
	endpoint->pump_next = cpu->pumps;
	cpu->pumps = endpoint;
	if (cpu->pumping)
		return;
	cpu->pumping = true;
	while ((endpoint = cpu->pumps)) {
		cpu->pumps = endpoint->pump_next;
		__atomic_store_n(&endpoint->pump_queued, false, __ATOMIC_RELEASE);
		pump_all(endpoint);
		object_put(&endpoint->object);
	}
	cpu->pumping = false;
}

/* --- Call --------------------------------------------------------------------------------------- */

/*
 * True if a synchronous call would wait for its own caller: the service, or somebody whom the service waits for
 * synchronously, is the calling process. Looks at who waits now; a chain that closes later is found by the call that closes it.
 * A process of several threads is taken to have one that will receive.
 */
static bool would_deadlock(const struct process *caller, const struct endpoint *endpoint)
{
	for (uint32_t hops = 0; hops < DEADLOCK_HOPS_MAX; hops++) {
		const struct process *server = endpoint->server;
		const struct thread *thread = server ? process_only_thread(server) : NULL;
		const struct question *waits_for;

		if (!thread)
			return false;
		if (server == caller)
			return true;
		if (thread->state != THREAD_WAIT_SYNC)
			return false;
		waits_for = thread->ring->sync;
		if (!waits_for || waits_for->kind != QUESTION_CALL)
			return false;
		endpoint = question_endpoint(waits_for);
	}
	return true;
}

/* True if the call's answer would have to come from the thread that sleeps for it. */
static bool waits_for_itself(const struct ring *ring, const struct endpoint *endpoint)
{
	if (list_empty(&endpoint->receivers))
		return would_deadlock(ring->process, endpoint);
	return container_of(endpoint->receivers.next, struct question, link)->ring == ring;
}

status_t call_refusal(const struct ring *ring, const struct ring_entry *entry, const struct export *export,
		uint64_t *detail)
{
	const struct endpoint *endpoint = export->endpoint;
	bool fail_fast = entry->flags & ENTRY_FAIL_FAST;
	uint32_t reason = REASON_NONE;

	if (endpoint->closed)
		reason = REASON_CLOSED;
	else if (export->incarnation && export->incarnation != endpoint->incarnation)
		reason = REASON_INCARNATION;
	else if (fail_fast && !endpoint->server)
		reason = REASON_NO_RECEIVER;
	if (reason != REASON_NONE) {
		*detail = reason_detail(reason, 0, 0, 0);
		return STATUS_DISCONNECTED;
	}
	if (fail_fast && !endpoint->service_free) {
		*detail = reason_detail(REASON_QUEUE_FULL, 0, 0, endpoint->calls);
		return STATUS_OVERLOADED;
	}
	if ((entry->flags & ENTRY_SYNC) && waits_for_itself(ring, endpoint))
		return STATUS_WOULD_DEADLOCK;
	return STATUS_OK;
}

NO_BUFFER struct question *call_begin(struct ring *ring, const struct ring_entry *entry, struct export *export)
{
	struct question *call = call_question(ring, entry, QUESTION_CALL, &export->endpoint->object);

	call->export = export;
	object_hold(&export->object);
	trace_call(call, export->endpoint->server);
	return call;
}

/* Nobody can take the call now: it waits, with its capabilities. Consumes the capture if it answers OK. */
static status_t call_queue(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		struct export *export, struct call_transfer *transfer, const struct transfer_item *items, uint64_t *detail)
		REQUIRES(endpoint->lock)
{
	struct question *call;

	if (items && !transfer) {
		transfer = call_transfer_create(items, entry->cap_count);
		if (!transfer) {
			*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
			return STATUS_OVERLOADED;
		}
	}
	call = call_begin(ring, entry, export);
	call->transfer = transfer;
	pending_append(endpoint, call);
	return STATUS_OK;
}

/* Nobody else waits for a receiver, and one can take the call. Lock held. */
static bool can_meet(const struct endpoint *endpoint)
{
	return !list_empty(&endpoint->receivers) && !endpoint->pending_count && endpoint->service_free;
}

/* With captured capabilities (none: NULL), which stand in `transfer` if the call was held: delivers at once or queues.
 * Consumes the capture if it answers OK. */
NO_BUFFER static inline __attribute__((always_inline)) status_t call_start(struct ring *ring, const struct ring_entry *entry,
		struct export *export, struct call_transfer *transfer, struct transfer_item *items, uint64_t *detail)
{
	struct endpoint *endpoint = export->endpoint;
	struct question_release release = { 0 };
	struct delivery delivery = { .from = ring, .entry = entry, .items = items };
	status_t status;
	bool meet;

	endpoint_lock(endpoint);
	status = call_refusal(ring, entry, export, detail);
	meet = likely(status == STATUS_OK) && can_meet(endpoint);
	if (unlikely(items != NULL) && meet) {
		status = transfer_may_cross(items, entry->cap_count, ring->process, receiver_process(endpoint), detail);
		meet = status == STATUS_OK;
	}
	if (likely(meet)) {
		delivery.call = call_begin(ring, entry, export);
		delivery.call->transfer = NULL;
		deliver_call(endpoint, &delivery, receiver_take(endpoint), &release);
	} else if (status == STATUS_OK) {
		status = call_queue(ring, entry, endpoint, export, transfer, items, detail);
	}
	endpoint_unlock(endpoint);
	if (meet) {
		if (items)
			transfer_finish(items, entry->cap_count);
		if (transfer)
			call_transfer_destroy(transfer);
		question_release(&release);
	}
	return status;
}

static status_t call_captured(struct ring *ring, const struct ring_entry *entry, struct export *export,
		struct call_transfer *transfer, uint64_t *detail)
{
	status_t status = transfer_still_valid(transfer->items, transfer->count);

	if (status != STATUS_OK) {
		*detail = reason_detail(REASON_REVOKED, 0, 0, 0);
		return status;
	}
	return call_start(ring, entry, export, transfer, transfer->items, detail);
}

static status_t call_with_capabilities(struct ring *ring, const struct ring_entry *entry, struct export *export,
		uint64_t *detail)
{
	struct transfer_item items[TRANSFER_CAPS_MAX];
	const struct question *question = &ring->questions[entry->question];
	struct cap_table *sender = &ring->process->caps;
	status_t status;

	if (entry->cap_count > export->endpoint->capabilities) {
		*detail = reason_detail(REASON_CAPABILITIES, 0, entry->cap_count, export->endpoint->capabilities);
		return STATUS_TOO_LARGE;
	}
	if (question->kind == QUESTION_HELD)
		return call_captured(ring, entry, export, question->transfer, detail);
	status = transfer_capture(sender, ring->words + entry->caps_off, entry->cap_count, items);
	if (status != STATUS_OK)
		return status;
	status = call_start(ring, entry, export, NULL, items, detail);
	if (status != STATUS_OK)
		transfer_drop(items, entry->cap_count, sender);
	return status;
}

NO_BUFFER void endpoint_call(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target)
{
	struct export *export = container_of(target->object, struct export, object);
	uint64_t detail = 0;
	status_t status;

	if (unlikely(entry->msg_words > export->endpoint->message_words)) {
		status = STATUS_TOO_LARGE;
		detail = reason_detail(REASON_SIZE, 0, entry->msg_words, export->endpoint->message_words);
	} else if (unlikely(entry->cap_count)) {
		status = call_with_capabilities(ring, entry, export, &detail);
	} else {
		status = call_start(ring, entry, export, NULL, NULL, &detail);
	}
	if (unlikely(status != STATUS_OK))
		call_refuse_entry(ring, entry, status, detail);
}

/* --- Receive ------------------------------------------------------------------------------------ */

/* Sets aside what a receive promises. */
NO_BUFFER static status_t recv_reserve(struct ring *ring, const struct ring_entry *entry, const struct endpoint *endpoint,
		uint64_t *detail)
{
	if (entry->reply_words < endpoint->message_words) {
		*detail = reason_detail(REASON_SIZE, 0, entry->reply_words, endpoint->message_words);
		return STATUS_REPLY_TOO_LARGE;
	}
	if (entry->reply_caps < endpoint->capabilities) {
		*detail = reason_detail(REASON_CAPABILITIES, 0, entry->reply_caps, endpoint->capabilities);
		return STATUS_REPLY_TOO_LARGE;
	}
	return entry->reply_caps ? cap_table_reserve(&ring->process->caps, entry->reply_caps, detail) : STATUS_OK;
}

/* Gives back what a receive had set aside (nothing, for a return that does not re-arm). */
static void recv_unreserve(struct ring *ring, const struct ring_entry *entry)
{
	if (entry->reply_caps)
		cap_table_unreserve(&ring->process->caps, entry->reply_caps);
}

/* Arms a receive whose space is reserved; false if the endpoint is closed. *previous: drop after unlocking. Lock held. */
NO_BUFFER static bool recv_arm_locked(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		struct process **previous)
{
	struct question *receiver;

	if (unlikely(endpoint->closed))
		return false;
	receiver = question_begin(ring, entry, QUESTION_RECV, &endpoint->object);
	receiver->incarnation = endpoint->incarnation;
	list_append(&endpoint->receivers, &receiver->link);
	endpoint->receiver_count++;
	if (unlikely(endpoint->server != ring->process)) {
		*previous = endpoint->server;
		endpoint->server = ring->process;
		object_get(&ring->process->object);
	}
	return true;
}

static bool work_waits(const struct endpoint *endpoint)
{
	return endpoint->pending_count || !list_empty(&endpoint->cancelled) || !list_empty(&endpoint->idle_exports);
}

/* After arming, without the lock. */
NO_BUFFER static status_t recv_finish(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint, bool armed,
		bool work, struct process *previous, uint64_t *detail)
{
	if (unlikely(previous))
		object_put(&previous->object);
	if (unlikely(!armed)) {
		recv_unreserve(ring, entry);
		*detail = reason_detail(REASON_CLOSED, 0, 0, 0);
		return STATUS_DISCONNECTED;
	}
	if (unlikely(work))
		endpoint_pump(endpoint);
	return STATUS_OK;
}

NO_BUFFER status_t endpoint_recv(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint, uint64_t *detail)
{
	struct process *previous = NULL;
	status_t status = recv_reserve(ring, entry, endpoint, detail);
	bool armed, work;

	if (status != STATUS_OK)
		return status;
	endpoint_lock(endpoint);
	armed = recv_arm_locked(ring, entry, endpoint, &previous);
	work = work_waits(endpoint);
	endpoint_unlock(endpoint);
	return recv_finish(ring, entry, endpoint, armed, work, previous, detail);
}

/* --- Return ------------------------------------------------------------------------------------- */

struct service *service_find(struct endpoint *endpoint, uint64_t id)
{
	uint64_t slot = id & SERVICE_SLOT_MASK;
	struct service *service;

	if (id > UINT32_MAX || slot == 0 || slot > endpoint->calls)
		return NULL;
	service = &endpoint->services[slot];
	return service->state != SERVICE_FREE && service->id == id ? service : NULL;
}

static status_t answer_fits(const struct ring_entry *entry, const struct question *call, uint64_t *detail)
{
	if (entry->msg_words > call->entry.reply_words) {
		*detail = reason_detail(REASON_SIZE, 0, entry->msg_words, call->entry.reply_words);
		return STATUS_REPLY_TOO_LARGE;
	}
	if (entry->cap_count > call->entry.reply_caps) {
		*detail = reason_detail(REASON_CAPABILITIES, 0, entry->cap_count, call->entry.reply_caps);
		return STATUS_REPLY_TOO_LARGE;
	}
	return STATUS_OK;
}

/* An answered call, to be completed when the lock is free. */
struct answered {
	struct question        *call;       /* NULL: none */
	struct ring_completion  outcome;
};

/* Copies the answer to its caller. Nothing fails below the first line. Lock held. */
NO_BUFFER static void answer_deliver(struct endpoint *endpoint, struct service *service, struct ring *ring,
		const struct ring_entry *entry, struct transfer_item *items, struct answered *answered)
		REQUIRES(endpoint->lock)
{
	struct question *call = service->call;
	struct ring *to = call->ring;

	answered->call = call;
	answered->outcome = (struct ring_completion){ .status = entry->method, .cap_count = entry->cap_count,
			.msg_words = entry->msg_words, .id = call->number };
	if ((entry->flags & ENTRY_EXCEPTION) && entry->msg_words)
		answered->outcome.flags = COMPLETION_EXCEPTION;
	memcpy(question_reply_message(call), ring->words + entry->msg_off, entry->msg_words * 8ul);
	trace_answer(call, ring, ring->words + entry->msg_off, &answered->outcome);
	if (items) {
		trace_transfers(call, ring, to, items, entry->cap_count);
		call->reserved = (uint8_t)(call->reserved - transfer_deliver(items, entry->cap_count,
				&ring->process->caps, &to->process->caps, NULL, to->words + call->entry.reply_off));
	}
	service_free_locked(endpoint, service);
	call->call_state = CALL_RETURNING;
}

/* OK: answered; GONE: nobody waits, the slot is free again; others: the call stays open. */
NO_BUFFER static inline __attribute__((always_inline)) status_t answer_locked(struct ring *ring, const struct ring_entry *entry,
		struct endpoint *endpoint, struct transfer_item *items, struct answered *answered, uint64_t *detail)
		REQUIRES(endpoint->lock)
{
	struct service *service = service_find(endpoint, entry->interface);
	status_t status;

	if (unlikely(!service || service->state == SERVICE_ABANDONED)) {
		if (service)
			service_free_locked(endpoint, service);
		return STATUS_GONE;
	}
	status = answer_fits(entry, service->call, detail);
	if (items && status == STATUS_OK)
		status = transfer_may_cross(items, entry->cap_count, ring->process, service->call->ring->process, detail);
	if (likely(status == STATUS_OK))
		answer_deliver(endpoint, service, ring, entry, items, answered);
	return status;
}

NO_BUFFER static void answered_complete(struct answered *answered)
{
	struct question_release release;

	question_complete(answered->call, &answered->outcome, answered->call->entry.flags & ENTRY_SYNC, &release);
	question_release(&release);
}

/* With captured capabilities (none: NULL) and the space of the receive, both of which it consumes. Answers the status of
 * the return or, if that lets the receive be armed, of arming. */
NO_BUFFER static inline __attribute__((always_inline)) status_t return_start(struct ring *ring, const struct ring_entry *entry,
		struct endpoint *endpoint, struct transfer_item *items, uint64_t *detail)
{
	struct answered answered = { .call = NULL };
	struct process *previous = NULL;
	bool rearm = entry->flags & ENTRY_REARM, armed = false, work;
	status_t status;

	endpoint_lock(endpoint);
	status = answer_locked(ring, entry, endpoint, items, &answered, detail);
	rearm = rearm && (status == STATUS_OK || status == STATUS_GONE);
	if (likely(rearm))
		armed = recv_arm_locked(ring, entry, endpoint, &previous);
	work = work_waits(endpoint) && !list_empty(&endpoint->receivers);
	endpoint_unlock(endpoint);
	if (items && status == STATUS_OK)
		transfer_finish(items, entry->cap_count);
	else if (items)
		transfer_drop(items, entry->cap_count, &ring->process->caps);
	if (likely(answered.call))
		answered_complete(&answered);
	if (likely(rearm))
		return recv_finish(ring, entry, endpoint, armed, work, previous, detail);
	recv_unreserve(ring, entry);
	if (unlikely(work))
		endpoint_pump(endpoint);
	return status;
}

static status_t return_with_capabilities(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		uint64_t *detail)
{
	struct transfer_item items[TRANSFER_CAPS_MAX];
	status_t status = transfer_capture(&ring->process->caps, ring->words + entry->caps_off, entry->cap_count, items);

	/* Who gives the receive side itself away cannot receive with it again. */
	if (status == STATUS_OK && (entry->flags & ENTRY_REARM) && !cap_table_is_live(&ring->process->caps, entry->target)) {
		transfer_drop(items, entry->cap_count, &ring->process->caps);
		status = STATUS_BAD_DESCRIPTOR;
	}
	if (status == STATUS_OK)
		return return_start(ring, entry, endpoint, items, detail);
	recv_unreserve(ring, entry);
	return status;
}

NO_BUFFER status_t endpoint_return(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint, uint64_t *detail)
{
	status_t status;

	if (entry->flags & ENTRY_REARM) {
		status = recv_reserve(ring, entry, endpoint, detail);
		if (unlikely(status != STATUS_OK))
			return status;
	}
	if (unlikely(entry->cap_count))
		return return_with_capabilities(ring, entry, endpoint, detail);
	return return_start(ring, entry, endpoint, NULL, detail);
}

/* --- Taking back -------------------------------------------------------------------------------- */

/* Takes a question out of its place, if it is in one; *other: one that ends with it. Lock held. */
static bool take_back(struct endpoint *endpoint, struct question *question, struct question **other)
		REQUIRES(endpoint->lock)
{
	if (question->kind == QUESTION_RECV && list_queued(&question->link)) {
		list_remove(&question->link);
		endpoint->receiver_count--;
	} else if (question->kind == QUESTION_CALL && question->call_state == CALL_QUEUED) {
		pending_remove(endpoint, question, false);
		*other = forward_part(question);
	} else if (question->kind == QUESTION_CALL && question->call_state == CALL_FORWARDED) {
		*other = forward_part(question);
		pending_remove(endpoint, *other, false);
	} else if (question->kind == QUESTION_CALL && question->call_state == CALL_DELIVERED) {
		struct service *service = &endpoint->services[question->service];

		service->state = SERVICE_ABANDONED;
		service->call = NULL;
		service->is_plain = false;
		list_append(&endpoint->cancelled, &service->event_link);
	} else if (question->kind == QUESTION_OBJECT && list_queued(&question->link)) {
		list_remove(&question->link);
	} else {
		return false;
	}
	question->call_state = CALL_DONE;
	return true;
}

bool endpoint_cancel(struct object *object, struct question *question)
{
	struct endpoint *endpoint = container_of(object, struct endpoint, object);
	struct question *other = NULL;
	bool was_forwarded = question->call_state == CALL_FORWARDED, waited;

	endpoint_lock(endpoint);
	waited = take_back(endpoint, question, &other);
	endpoint_unlock(endpoint);
	/* The caller's end is the forwarder's, and a call whose forwarder goes has lost its server. */
	if (other)
		question_end_with(other, was_forwarded ? STATUS_GONE : STATUS_DISCONNECTED,
				was_forwarded ? 0 : reason_detail(REASON_DIED, 0, 0, 0));
	if (waited)
		endpoint_pump(endpoint);
	return waited;
}

/* A queued call that a sweep ends; NULL: none. Lock held. */
static bool sweep_picks(const struct endpoint_sweep *sweep, const struct question *call)
{
	const struct question *caller = call->forward ? call->forward : call;

	if (sweep->fail_fast_only && !(caller->entry.flags & ENTRY_FAIL_FAST))
		return false;
	return !sweep->stale_only || export_is_stale_locked(call->export);
}

static struct question *sweep_pending(struct endpoint *endpoint, const struct endpoint_sweep *sweep)
		REQUIRES(endpoint->lock)
{
	for (struct list *link = endpoint->pending.next; link != &endpoint->pending; link = link->next) {
		struct question *first = container_of(link, struct question, link);

		if (sweep_picks(sweep, first))
			return first;
		for (struct list *next = first->followers.next; next != &first->followers; next = next->next) {
			if (sweep_picks(sweep, container_of(next, struct question, link)))
				return container_of(next, struct question, link);
		}
	}
	return NULL;
}

/* One question that a sweep ends, taken out of its place; NULL when there is none left. Lock held. */
static struct question *sweep_one(struct endpoint *endpoint, const struct endpoint_sweep *sweep)
		REQUIRES(endpoint->lock)
{
	/* Receives first: the end of a call may drop the last hold of an export, which a receive that ends must not hear of. */
	for (struct list *link = endpoint->receivers.next; sweep->receivers && link != &endpoint->receivers;
			link = link->next) {
		struct question *receiver = container_of(link, struct question, link);

		if (sweep->server && receiver->ring->process != sweep->server)
			continue;
		if (sweep->keep_incarnation && receiver->incarnation == sweep->keep_incarnation)
			continue;
		list_remove(link);
		endpoint->receiver_count--;
		return receiver;
	}
	if (sweep->pending) {
		struct question *call = sweep_pending(endpoint, sweep);

		if (call) {
			pending_remove(endpoint, call, false);
			call->call_state = CALL_DONE;
			return call;
		}
	}
	for (uint32_t slot = 1; slot <= endpoint->calls && endpoint->service_count; slot++) {
		struct service *service = &endpoint->services[slot];
		struct question *call = service->call;

		if (service->state == SERVICE_FREE || (!sweep->all_services && service->server != sweep->server))
			continue;
		if (sweep->keep_incarnation && service->incarnation == sweep->keep_incarnation)
			continue;
		service_free_locked(endpoint, service);
		if (call) {
			call->call_state = CALL_DONE;
			return call;
		}
	}
	return NULL;
}

void endpoint_sweep(struct endpoint *endpoint, const struct endpoint_sweep *sweep)
{
	for (;;) {
		struct question *question, *forwarded = NULL;

		endpoint_lock(endpoint);
		question = sweep_one(endpoint, sweep);
		if (question)
			forwarded = forward_part(question);
		endpoint_unlock(endpoint);
		if (!question)
			return;
		question_end_with(question, sweep->status, sweep->detail);
		if (forwarded)
			question_end_with(forwarded, sweep->status, sweep->detail);
	}
}
