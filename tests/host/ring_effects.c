/*
 * What entries bring about in the graph: the end of questions, of incarnations, endpoints and
 * processes; capabilities that leave and arrive; calls and events that reach a receiver. Called by
 * ring_entries.c and ring_objects.c for what an entry does, by ring_oracle.c for what a completion
 * says. Always true: a question that something else ends leaves a completion that is due, unless
 * its process has ended.
 */
#include "tests/host/ring_oracle.h"

#include "kernel/cap/transfer.h"

/* --- The end of questions -----------------------------------------------------------------------
 */

void items_drop(struct mquestion *question)
{
	promises_drop(question);
	for (uint32_t i = 0; i < question->item_count; i++) {
		struct mitem *item = &question->items[i];

		if (!item->object)
			continue;
		if (item->moving)
			item->moving->state = CAP_LIVE;
		mgrant_unuse(item->grant);
		mobj_unhold(item->object);
	}
	question->item_count = 0;
}

/* The question is free again, and what it kept is let go. */
void question_end(struct mquestion *question)
{
	struct mproc *process = question->process;
	struct mobj *object = question->object, *export = question->export;
	enum mstate state = question->state;
	bool kept = question->entry.op == CAP_OP_CALL && (question->entry.flags & ENTRY_KEEP);

	MODEL_ASSERT(!others_wait(question),
			"a question ends before calls on its answer have started");
	list_remove(&question->link);
	mledger_refund(process->ledger, RESOURCE_CLASS_SLOTS, question->reserved);
	question->reserved = 0;
	if (question->grant)
		mgrant_unuse(question->grant);
	question->grant = NULL;
	question->object = NULL;
	question->export = NULL;
	question->state = kept ? MQ_KEPT : MQ_FREE;
	if (process->sync == question)
		process->sync = NULL;
	else
		process->in_flight--;
	if (state == MQ_SLEEP)
		mledger_refund(process->ledger, RESOURCE_CLASS_TIMERS, 1);
	if (export)
		mobj_unhold(export);
	else if (object && state != MQ_RECV)
		mobj_put(object);
}

void expect(const struct mquestion *question, const struct mexpected *due)
{
	struct mproc *process = question->process;
	struct mexpected *expected = &process->expected[process->expected_count];

	MODEL_ASSERT(process->expected_count < MODEL_EXPECTED, "too many completions are due");
	process->expected_count++;
	*expected = *due;
	expected->user_data = question->entry.user_data;
	expected->sync = process->sync == question;
}

void question_doom(struct mquestion *question, uint64_t statuses)
{
	const struct mexpected due = { .statuses = statuses };
	struct mproc *process = question->process;

	if (question->state == MQ_QUEUED || question->state == MQ_HELD) {
		list_remove(&question->link);
		question->state = MQ_RETURNING;
	}
	items_drop(question);
	while (process->phase != MP_RUNNING && !list_empty(&question->held))
		question_doom(QUESTION(question->held.next), statuses);
	if (others_wait(question)) {
		held_push(question, &due);
		held_run();
		return;
	}
	if (process->phase == MP_RUNNING)
		expect(question, &due);
	question_end(question);
}

/* A call in service that nobody waits for any more. */
void service_abandon(struct mquestion *call)
{
	struct mservice *service = &call->object->services[call->service];

	service->state = SERVICE_ABANDONED;
	service->call = NULL;
	service->told = false;
}

void service_free(struct mservice *service)
{
	service->state = SERVICE_FREE;
	service->generation = (service->generation + 1) & SERVICE_GENERATION_MASK;
	service->call = NULL;
	service->server = NULL;
}

struct mquestion *forward_part(struct mquestion *question)
{
	struct mquestion *other = question->forward;

	question->forward = NULL;
	if (other)
		other->forward = NULL;
	return other;
}

void question_take_back(struct mquestion *question, uint64_t statuses)
{
	bool was_forwarded = question->state == MQ_FORWARDED;
	struct mquestion *other = forward_part(question);

	if (question->state == MQ_DELIVERED)
		service_abandon(question);
	if (other) {
		list_remove(&question->link);
		question->state = MQ_RETURNING;
		question_doom(other, status_bit(was_forwarded ? STATUS_GONE : STATUS_DISCONNECTED));
	}
	question_doom(question, statuses);
	if (!list_empty(&question->process->stalled))
		stalled_run(question->process);      /* what waited behind it */
}

void pending_fail(struct mquestion *call)
{
	struct mquestion *forwarded = forward_part(call);

	if (forwarded)
		forwarded->state = MQ_RETURNING;
	question_doom(call, status_bit(STATUS_DISCONNECTED));
	if (forwarded)
		question_doom(forwarded, status_bit(STATUS_DISCONNECTED));
}

/* --- Endpoints ----------------------------------------------------------------------------------
 */

bool export_is_stale(const struct mobj *export)
{
	const struct mobj *endpoint = export->endpoint;

	return export->retired || endpoint->closed ||
			(export->incarnation && export->incarnation != endpoint->incarnation);
}

void export_retire(struct mobj *export)
{
	export->retired = true;
	list_remove(&export->export_link);
	mobj_put(export);
}

/* Those that have ended and that nobody holds are gone. */
static void exports_settle(struct mobj *endpoint)
{
	for (struct list *link = endpoint->exports.next, *next; link != &endpoint->exports;
			link = next) {
		struct mobj *export = EXPORT(link);

		next = link->next;
		if (export_is_stale(export) && export->holds == 0)
			export_retire(export);
	}
}

void endpoint_set_server(struct mobj *endpoint, struct mproc *server)
{
	struct mproc *previous = endpoint->server;

	if (server)
		mobj_get(&server->obj);
	endpoint->server = server;
	if (previous)
		mobj_put(&previous->obj);
}

static void receivers_doom(
		struct mobj *endpoint, const struct mproc *process, uint32_t keep_incarnation)
{
	for (struct list *link = endpoint->receivers.next, *next; link != &endpoint->receivers;
			link = next) {
		struct mquestion *receiver = QUESTION(link);

		next = link->next;
		if ((!process || receiver->process == process) &&
				(!keep_incarnation || receiver->incarnation != keep_incarnation))
			question_doom(receiver, status_bit(STATUS_DISCONNECTED));
	}
}

/* Calls in service with this process (NULL: any) but those of the incarnation that goes on. */
static void services_doom(
		struct mobj *endpoint, const struct mproc *server, uint32_t keep_incarnation)
{
	for (uint32_t slot = 1; slot <= endpoint->calls; slot++) {
		struct mservice *service = &endpoint->services[slot];
		struct mquestion *call = service->call;

		if (service->state == SERVICE_FREE || (server && service->server != server) ||
				(keep_incarnation && service->incarnation == keep_incarnation))
			continue;
		service_free(service);
		if (call)
			question_doom(call, status_bit(STATUS_DISCONNECTED));
	}
}

static struct mquestion *pending_that(
		const struct mobj *endpoint, bool stale_only, bool fail_fast_only)
{
	for (struct list *link = endpoint->pending.next; link != &endpoint->pending;
			link = link->next) {
		struct mquestion *call = QUESTION(link);
		const struct mquestion *caller = call->forward ? call->forward : call;

		if ((!stale_only || export_is_stale(call->export)) &&
				(!fail_fast_only || (caller->entry.flags & ENTRY_FAIL_FAST)))
			return call;
	}
	return NULL;
}

/* Each may drop what ends others, so the list is walked anew. */
static void pending_doom(struct mobj *endpoint, bool stale_only, bool fail_fast_only)
{
	struct mquestion *call;

	while ((call = pending_that(endpoint, stale_only, fail_fast_only)))
		pending_fail(call);
}

void endpoint_end_incarnation(struct mobj *endpoint)
{
	mobj_get(endpoint);
	if (++endpoint->incarnation == 0)
		endpoint->incarnation = 1;
	endpoint_set_server(endpoint, NULL);
	for (struct list *link = endpoint->exports.next; link != &endpoint->exports;
			link = link->next)
		EXPORT(link)->told = false;
	pending_doom(endpoint, true, false);
	receivers_doom(endpoint, NULL, endpoint->incarnation);
	services_doom(endpoint, NULL, endpoint->incarnation);
	exports_settle(endpoint);
	mobj_put(endpoint);
}

void endpoint_end(struct mobj *endpoint)
{
	if (endpoint->closed)
		return;
	mobj_get(endpoint);
	endpoint->closed = true;
	endpoint_set_server(endpoint, NULL);
	pending_doom(endpoint, false, false);
	receivers_doom(endpoint, NULL, 0);
	services_doom(endpoint, NULL, 0);
	exports_settle(endpoint);
	mobj_put(endpoint);
}

/* The process has ended, or cannot answer at this endpoint any more. */
static void endpoint_server_ended(struct mobj *endpoint, struct mproc *process)
{
	mobj_get(endpoint);
	receivers_doom(endpoint, process, 0);
	services_doom(endpoint, process, 0);
	settle();
	if (endpoint->server == process) {
		endpoint_set_server(endpoint, NULL);
		pending_doom(endpoint, false, true);
	}
	mobj_put(endpoint);
}

static bool endpoint_serves(const struct mobj *endpoint, const struct mproc *process)
{
	if (endpoint->server == process)
		return true;
	for (struct list *link = endpoint->receivers.next; link != &endpoint->receivers;
			link = link->next) {
		if (QUESTION(link)->process == process)
			return true;
	}
	for (uint32_t slot = 1; slot <= endpoint->calls; slot++) {
		if (endpoint->services[slot].server == process)
			return true;
	}
	return false;
}

bool object_has_ended(const struct mobj *object)
{
	switch (object->type) {
	case M_ENDPOINT:
		return object->closed;
	case M_EXPORT:
		return export_is_stale(object);
	case M_PROCESS:
		return object->process->phase == MP_ENDED;
	default:
		return false;
	}
}

void oracle_last_hold(struct mobj *obj)
{
	switch (obj->type) {
	case M_ENDPOINT:
		endpoint_end(obj);
		break;
	case M_EXPORT:
		if (!obj->retired && export_is_stale(obj))
			export_retire(obj);
		break;
	case M_BUILDER:
		if (obj->process->phase == MP_BUILDING)
			process_end_in_model(obj->process);
		break;
	default:
		break;
	}
}

/* A capability to `object` has left the table of the process. */
static void capability_left(struct mproc *process, struct mobj *object)
{
	if (object->type == M_ENDPOINT && endpoint_serves(object, process) &&
			!mproc_holds(process, object))
		endpoint_server_ended(object, process);
}

void capability_release(struct mproc *process, struct mcap *cap)
{
	struct mobj *object = mcap_remove(process, cap);

	capability_left(process, object);
	mobj_unhold(object);
}

/* --- Processes ----------------------------------------------------------------------------------
 */

void process_end_in_model(struct mproc *process)
{
	if (process->phase >= MP_ENDING)
		return;
	process->phase = MP_ENDING;
	process->expected_count = 0;
	journal_forget(process);
	model.unsettled = true;
	for (uint32_t i = 0; i < RING_QUESTIONS; i++)
		promises_drop(&process->q[i]);
	for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
		if (process->q[i].state > MQ_KEPT)
			question_take_back(&process->q[i], status_bit(STATUS_CANCELLED));
		process->q[i].state = MQ_FREE;
	}
}

void process_take_apart(struct mproc *process)
{
	bool ran = process->ring != NULL;

	for (uint32_t slot = 1; slot < process->slots_seen; slot++) {
		struct mcap *cap = &process->slots[slot];

		if (cap->state != CAP_FREE && cap->object->type == M_ENDPOINT) {
			endpoint_server_ended(cap->object, process);
			settle();
		}
	}
	for (uint32_t slot = 1; slot < process->slots_seen; slot++) {
		if (process->slots[slot].state != CAP_FREE) {
			MODEL_ASSERT(process->slots[slot].state == CAP_LIVE,
					"an ended process has a capability on its way");
			capability_release(process, &process->slots[slot]);
			settle();
		}
	}
	if (ran) {
		mledger_refund(process->ledger, RESOURCE_CLASS_THREADS, 1);
		mledger_refund(process->ledger, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER);
		mledger_refund(process->ledger, RESOURCE_CLASS_OBJECTS, 1);
	}
	process->ring = NULL;
	mobj_put(process->space);
	mledger_close(process->ledger);
	process->phase = MP_ENDED;
	settle();
	list_remove(&process->link);
	mobj_put(&process->obj);
}

/* --- Revocation ---------------------------------------------------------------------------------
 */

static bool hangs_on_revoked(struct mquestion *question)
{
	struct mcap *cap;

	if (question->state <= MQ_KEPT || question->state == MQ_RETURNING ||
			(question->state == MQ_HELD && (question->entry.flags & ENTRY_PIPELINED)))
		return false;
	if (question->grant)
		return question->grant->revoked;
	return mcap_lookup(question->process, question->entry.target, &cap) == STATUS_DISCONNECTED;
}

void questions_end_revoked(void)
{
	for (struct list *link = model.processes.next; link != &model.processes;
			link = link->next) {
		struct mproc *process = PROCESS(link);

		for (uint32_t i = 0; process->phase == MP_RUNNING && i < RING_QUESTIONS; i++) {
			struct mquestion *question = &process->q[i];

			if (!hangs_on_revoked(question))
				continue;
			question_take_back(question,
					status_bit(question->state == MQ_DEATH
									? STATUS_OK
									: STATUS_DISCONNECTED));
		}
	}
	settle();
}

/* --- Delivery -----------------------------------------------------------------------------------
 */

/* The items leave their sender, for those that move. */
void items_leave(struct mproc *sender, struct mitem *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].moving) {
			mobj_get(items[i].object);
			mobj_unhold(mcap_remove(sender, items[i].moving));
		}
	}
	/* What their arrival brought about comes before what their leaving does. */
	settle();
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].moving) {
			capability_left(sender, items[i].object);
			mobj_put(items[i].object);
		}
		items[i].moving = NULL;
	}
}

/* The items arrive: what the records say must be them. `serving`: the receiver's endpoint. */
void items_arrive(struct mproc *receiver, const uint64_t *records, struct mitem *items,
		uint32_t count, const struct mobj *serving, uint32_t granter)
{
	for (uint32_t i = 0; i < count; i++) {
		struct mitem *item = &items[i];
		uint32_t kind = (uint32_t)records[2 * i] & 0xff,
			 id = (uint32_t)(records[2 * i] >> 32);
		uint64_t value = records[2 * i + 1];

		if (!item->object) {
			MODEL_ASSERT(records[2 * i] == RECORD_KIND_NONE && value == 0,
					"a null capability arrived as something");
			continue;
		}
		if (serving && item->object->type == M_EXPORT &&
				item->object->endpoint == serving &&
				!export_is_stale(item->object) &&
				item->facet->rows[0].id == ACTOR_INTERFACE) {
			MODEL_ASSERT(kind == RECORD_KIND_YOURS && value == item->object->tag,
					"an own export arrived as kind %u", kind);
		} else {
			MODEL_ASSERT(kind == RECORD_KIND_CAPABILITY &&
							value == item->facet->rows[0].id,
					"a capability arrived as kind %u, interface 0x%lx", kind,
					value);
			mledger_charge(receiver->ledger, RESOURCE_CLASS_SLOTS, 1);
			mcap_insert(receiver, id, item->object, item->facet, NULL, item->grant,
					granter);
		}
		mgrant_unuse(item->grant);
		item->grant = NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].object)
			mobj_unhold(items[i].object);
	}
}

/* `call` was sent, or forwarded by who sent `sent`. */
static void call_compare(const struct mquestion *call, const struct mquestion *sent,
		const struct recv_header *header, const struct ring_completion *completion,
		const uint64_t *message)
{
	const struct ring_entry *entry = &sent->entry;
	struct recv_header wanted = { .kind = RECV_KIND_CALL,
		.method = entry->method,
		.cap_count = entry->cap_count,
		.tag = call->export->tag,
		.interface = entry->interface,
		.sequence = call->entry.deadline_ns,
		.reply_words = call->entry.reply_words,
		.reply_caps = call->entry.reply_caps };

	MODEL_ASSERT(header->kind == wanted.kind && header->method == wanted.method &&
					header->cap_count == wanted.cap_count &&
					header->tag == wanted.tag &&
					header->interface == wanted.interface &&
					header->sequence == wanted.sequence &&
					header->reply_words == wanted.reply_words &&
					header->reply_caps == wanted.reply_caps,
			"the header of a call is not what was sent");
	MODEL_ASSERT(completion->msg_words == entry->msg_words &&
					completion->cap_count == entry->cap_count &&
					completion->detail == call->export->tag,
			"the completion of a receive is not what was sent");
	for (uint32_t i = 0; sent->patterned && i < MIN(entry->msg_words, ACTOR_PARAM_WORDS); i++)
		MODEL_ASSERT(message[i] == actor_word(entry->user_data, i),
				"word %u of a call came over changed", i);
}

/* Calls of one program through one endpoint keep their order: one that waits longer has been
 * delivered or has ended. */
static bool is_first_of_its_program(const struct mobj *endpoint, const struct mquestion *call)
{
	for (struct list *link = endpoint->pending.next; link != &call->link; link = link->next) {
		if (QUESTION(link)->process == call->process)
			return false;
	}
	return true;
}

bool deliver_call(struct mquestion *receiver, const struct mevent *event)
{
	const struct ring_completion *completion = &event->completion;
	struct mproc *process = receiver->process;
	struct mobj *endpoint = receiver->object;
	const struct recv_header *header = (const struct recv_header *)(const void *)words_at(
			process, receiver->entry.reply_off);
	const uint64_t *records = (const uint64_t *)(const void *)(header + 1);
	const uint64_t *message = records + 2u * receiver->entry.reply_caps;
	uint32_t slot = completion->id & ((1u << SERVICE_SLOT_BITS) - 1);
	struct mservice *service = &endpoint->services[slot];
	struct mquestion *call = event->call;
	struct mquestion *sent = call->state == MQ_FORWARDED ? call->forward : call;

	if (slot == 0 || slot > endpoint->calls || service->state != SERVICE_FREE ||
			service->generation != completion->id >> SERVICE_SLOT_BITS)
		return false;
	if (sent->state != MQ_QUEUED || sent->object != endpoint ||
			!is_first_of_its_program(endpoint, sent) || carries_revoked(sent))
		return false;
	call_compare(call, sent, header, completion, message);
	list_remove(&sent->link);
	call->state = MQ_DELIVERED;
	model.delivered++;
	call->service = slot;
	*service = (struct mservice){ SERVICE_ACTIVE, service->generation, false, call, process,
		endpoint->incarnation };
	question_end(receiver);
	items_arrive(process, records, sent->items, sent->item_count, endpoint, sent->process->id);
	items_leave(sent->process, sent->items, sent->item_count);
	sent->item_count = 0;
	if (forward_part(call)) {
		model.forwarded++;
		sent->state = MQ_RETURNING;
		question_doom(sent, status_bit(STATUS_OK));
	}
	return true;
}

/* The export that nobody holds and that this event names, or NULL. */
static struct mobj *idle_export(const struct mobj *endpoint, uint64_t tag, uint64_t sequence)
{
	struct mobj *unknown = NULL;

	for (struct list *link = endpoint->exports.next; link != &endpoint->exports;
			link = link->next) {
		struct mobj *export = EXPORT(link);

		if (export->tag != tag || export->holds != 0 || export->told ||
				export_is_stale(export))
			continue;
		if (export->sequence == sequence)
			return export;
		if (!export->sequence && !unknown)
			unknown = export;
	}
	return unknown;
}

bool deliver_event(struct mquestion *receiver, const struct ring_completion *completion)
{
	struct mobj *endpoint = receiver->object, *export;
	const struct recv_header *header = (const struct recv_header *)(const void *)words_at(
			receiver->process, receiver->entry.reply_off);
	uint32_t slot = completion->id & ((1u << SERVICE_SLOT_BITS) - 1);

	if (header->kind == RECV_KIND_NO_HOLDERS) {
		export = idle_export(endpoint, header->tag, header->sequence);
		if (!export)
			return false;
		export->told = true;
		export->sequence = header->sequence;
	} else {
		struct mservice *service =
				&endpoint->services[MIN(slot, (uint32_t)endpoint->calls)];

		if (header->kind != RECV_KIND_CANCELLED || service->state != SERVICE_ABANDONED ||
				service->told ||
				service->generation != completion->id >> SERVICE_SLOT_BITS)
			return false;
		service->told = true;
	}
	model.events++;
	question_end(receiver);
	return true;
}
