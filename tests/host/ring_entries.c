/*
 * The operations on the graph: what each refuses, with which statuses, and what it does; see
 * ring_oracle.h. `plays` is the table. What a refusal may be is all that is wrong with an entry,
 * whatever the kernel looks at first. Always true: an entry that is refused changes nothing.
 */
#include "tests/host/ring_oracle.h"

#include <string.h>

#include "kernel/cap/transfer.h"

#define DEADLOCK_HOPS 32u
#define PATH_HOPS     4u

/* --- Playing an entry ---------------------------------------------------------------------------
 */

/* The completion of the entry, if it came at once; it may stand behind others. */
void outcome_find(struct played *played)
{
	const struct mevent *event = NULL;

	if (played->process->kernel_lives) /* else it ended itself, and its ring is gone */
		event = event_of(played->process, played->entry->user_data, played->sync);
	played->found = event != NULL;
	if (event)
		played->outcome = event->completion;
}

/* A call that never was in flight can be named all the same. */
static void question_keep(const struct played *played)
{
	struct mquestion *question = &played->process->q[played->entry->question % RING_QUESTIONS];

	if (!played->keeps || !(played->entry->flags & ENTRY_KEEP) || question->state != MQ_FREE)
		return;
	question->state = MQ_KEPT;
	question->entry = *played->entry;
}

struct ring_completion played_take(struct played *played)
{
	struct mquestion *question = &played->process->q[played->entry->question % RING_QUESTIONS];
	struct mevent *event;

	settle();
	if (played->keeps && others_wait(question))
		held_run_at_once(question, played);
	settle();
	event = event_next(played->process);
	MODEL_ASSERT(event && event->sync == played->sync,
			"an entry that needs not wait has not completed");
	MODEL_ASSERT(event->completion.user_data == played->entry->user_data,
			"before the completion of 0x%lx stands that of 0x%lx, status %d, id 0x%x, "
			"detail 0x%lx",
			played->entry->user_data, event->completion.user_data,
			event->completion.status, event->completion.id, event->completion.detail);
	question_keep(played);
	event_take(event);
	return event->completion;
}

bool played_accepted(struct played *played)
{
	status_t status = played->found ? played->outcome.status : STATUS_OK;

	if (model.unsettled)
		played->maybe |= status_bit(STATUS_OVERLOADED);
	if (!played->refusals && (status == STATUS_OK || !(played->maybe & status_bit(status)))) {
		model.outcomes[MIN(played->entry->op, 16)][32]++;
		return true;
	}
	MODEL_ASSERT(played->found,
			"an entry of operation %u was accepted that must be refused with 0x%lx",
			played->entry->op, played->refusals);
	MODEL_ASSERT((played->refusals | played->maybe) & status_bit(status),
			"an entry of operation %u was refused with %d, allowed are 0x%lx",
			played->entry->op, status, played->refusals | played->maybe);
	model.refused++;
	model.outcomes[MIN(played->entry->op, 16)][status + 32]++;
	(void)played_take(played);
	return false;
}

/* The end of an entry without a question: nothing for one that is quiet, its completion for others.
 */
struct ring_completion played_end(struct played *played)
{
	struct ring_completion completion = { .status = STATUS_OK };

	settle();
	if (!played->sync && (played->entry->flags & ENTRY_QUIET))
		MODEL_ASSERT(!played->found, "a quiet entry has completed with %d",
				played->outcome.status);
	else
		completion = played_take(played);
	MODEL_ASSERT(completion.status == STATUS_OK, "operation %u completed with %d",
			played->entry->op, completion.status);
	return completion;
}

status_t mcap_lookup(struct mproc *process, uint32_t id, struct mcap **cap)
{
	*cap = mcap_find(process, id);
	if (!*cap || (*cap)->state != CAP_LIVE)
		return STATUS_BAD_CAPABILITY;
	return (*cap)->grant->revoked ? STATUS_DISCONNECTED : STATUS_OK;
}

/* The target of the entry, or NULL with the refusal noted. */
struct mcap *target_find(struct played *played)
{
	struct mcap *cap;
	status_t status = mcap_lookup(played->process, played->entry->target, &cap);

	refuse_if(played, status != STATUS_OK, status);
	return status == STATUS_OK ? cap : NULL;
}

/* The endpoint whose receive side this is, or NULL with the refusal noted. */
static struct mobj *endpoint_named(struct played *played, uint32_t id)
{
	struct mcap *cap;
	status_t status = mcap_lookup(played->process, id, &cap);

	refuse_if(played, status != STATUS_OK, status);
	if (status != STATUS_OK)
		return NULL;
	refuse_if(played, cap->object->type != M_ENDPOINT, STATUS_UNIMPLEMENTED);
	return cap->object->type == M_ENDPOINT ? cap->object : NULL;
}

static struct mobj *endpoint_find(struct played *played)
{
	return endpoint_named(played, played->entry->target);
}

void question_check(struct played *played)
{
	uint32_t number = played->entry->question;

	refuse_if(played, number >= RING_QUESTIONS, STATUS_BAD_ENTRY);
	refuse_if(played, number < RING_QUESTIONS && played->process->q[number].state != MQ_FREE,
			STATUS_QUESTION_BUSY);
}

static bool span_is_valid(uint32_t off, uint32_t words)
{
	if (words == 0)
		return off == 0;
	return off >= RING_ARENA_OFF && (uint64_t)off + words <= RING_WORDS;
}

static void reply_span_check(struct played *played, uint32_t before)
{
	const struct ring_entry *entry = played->entry;

	refuse_if(played,
			entry->reply_words > MESSAGE_WORDS_MAX ||
					!span_is_valid(entry->reply_off,
							before + 2u * entry->reply_caps +
									entry->reply_words),
			STATUS_BAD_SPAN);
}

static void message_span_check(struct played *played)
{
	const struct ring_entry *entry = played->entry;

	refuse_if(played,
			entry->msg_words > MESSAGE_WORDS_MAX ||
					!span_is_valid(entry->msg_off, entry->msg_words) ||
					entry->cap_count > TRANSFER_CAPS_MAX ||
					!span_is_valid(entry->caps_off, 2u * entry->cap_count),
			STATUS_BAD_SPAN);
}

static void slots_check(struct played *played, uint32_t count)
{
	refuse_if(played, !mledger_has(played->process->ledger, RESOURCE_CLASS_SLOTS, count),
			STATUS_OVERLOADED);
}

struct mquestion *question_start(struct played *played, enum mstate state, struct mobj *object)
{
	struct mproc *process = played->process;
	struct mquestion *question = &process->q[played->entry->question];

	question->state = state;
	question->entry = *played->entry;
	question->object = object;
	question->export = NULL;
	question->grant = NULL;
	question->item_count = 0;
	question->forward = NULL;
	question->arrival = ++model.arrivals;
	question->reserved = played->entry->reply_caps;
	mledger_charge(process->ledger, RESOURCE_CLASS_SLOTS, question->reserved);
	if (played->sync)
		process->sync = question;
	else
		process->in_flight++;
	return question;
}

/* The kernel's question that began with this entry and still waits, or NULL. */
static const struct question *kernel_question(
		const struct mproc *process, const struct ring_entry *entry)
{
	const struct question *question = &process->ring->questions[entry->question];

	if (!process->kernel_lives || entry->question >= ring_questions(process->ring) ||
			!question_in_flight(question) ||
			question->entry.user_data != entry->user_data)
		return NULL;
	return question;
}

/* Names of grants that are in use by something other than an entry of a table, for who revokes them
 * by name. */
void grants_name(struct mquestion *question)
{
	const struct question *kernel = kernel_question(question->process, &question->entry);

	if (kernel && kernel->grant && question->grant)
		question->grant->name = mgrant_name(kernel->grant);
	for (uint32_t i = 0; kernel && kernel->transfer && i < question->item_count; i++) {
		if (question->items[i].object)
			question->items[i].grant->name = mgrant_name(
					kernel->transfer->items[i].grant);
	}
}

/* --- Capabilities that an entry sends -----------------------------------------------------------
 */

static status_t place_read(const uint64_t *words, struct mitem *item)
{
	uint64_t question = words[0] >> 32, path_len = words[0] >> 16 & 0xff;

	if ((words[0] & 0xff00ff00) || question > UINT16_MAX || path_len == 0 ||
			path_len > PATH_HOPS ||
			(path_len < PATH_HOPS && words[1] >> 16 * path_len != 0))
		return STATUS_BAD_DESCRIPTOR;
	item->base = (uint16_t)question;
	item->path_len = (uint16_t)path_len;
	memcpy(item->path, &words[1], sizeof(item->path));
	return STATUS_OK;
}

static status_t capture_one(struct mproc *sender, const uint64_t *words, bool places,
		struct mitem *item)
{
	uint8_t kind = (uint8_t)words[0];
	struct mcap *cap;
	status_t status;

	*item = (struct mitem){ 0 };
	if (kind == TRANSFER_KIND_NONE)
		return words[0] == 0 && words[1] == 0 ? STATUS_OK : STATUS_BAD_DESCRIPTOR;
	if (kind == TRANSFER_KIND_ANSWER && places)
		return place_read(words, item);
	if ((kind != TRANSFER_KIND_COPY && kind != TRANSFER_KIND_MOVE) || (words[0] & 0xffffff00) ||
			words[1])
		return STATUS_BAD_DESCRIPTOR;
	status = mcap_lookup(sender, (uint32_t)(words[0] >> 32), &cap);
	if (status != STATUS_OK)
		return status;
	if (kind == TRANSFER_KIND_MOVE) {
		cap->state = CAP_MOVING;
		item->moving = cap;
	}
	item->object = cap->object;
	item->facet = cap->facet;
	item->grant = cap->grant;
	mobj_hold(item->object);
	mgrant_use(item->grant);
	return STATUS_OK;
}

static void uncapture(struct mitem *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!items[i].object)
			continue;
		if (items[i].moving)
			items[i].moving->state = CAP_LIVE;
		mgrant_unuse(items[i].grant);
		mobj_unhold(items[i].object);
	}
}

/* All of them, or the first refusal and none. `places`: of answers, too. */
static status_t capture(struct played *played, bool places, struct mitem *items)
{
	for (uint32_t i = 0; i < played->entry->cap_count; i++) {
		status_t status = capture_one(
				played->process, &played->sent->descriptors[2 * i], places, &items[i]);

		if (status != STATUS_OK) {
			uncapture(items, i);
			return status;
		}
	}
	return STATUS_OK;
}

/* --- Operations ---------------------------------------------------------------------------------
 */

static void play_nop(struct played *played)
{
	if (played_accepted(played))
		(void)played_end(played);
}

/* True if the answer would have to come from the thread that sleeps for it. */
static bool would_deadlock(const struct mproc *caller, const struct mobj *endpoint)
{
	if (!list_empty(&endpoint->receivers))
		return QUESTION(endpoint->receivers.next)->process == caller;
	for (uint32_t hops = 0; hops < DEADLOCK_HOPS; hops++) {
		const struct mproc *server = endpoint->server;

		if (!server)
			return false;
		if (server == caller)
			return true;
		if (!server->sync ||
				(server->sync->state != MQ_QUEUED &&
						server->sync->state != MQ_DELIVERED &&
						server->sync->state != MQ_FORWARDED))
			return false;
		endpoint = server->sync->object;
	}
	return true;
}

static bool endpoint_is_full(const struct mobj *endpoint)
{
	for (uint32_t slot = 1; slot <= endpoint->calls; slot++) {
		if (endpoint->services[slot].state == SERVICE_FREE)
			return false;
	}
	return true;
}

/* What the service refuses of a call by `caller` with these flags. */
static void caller_check(struct played *played, const struct mproc *caller, uint8_t flags,
		const struct mobj *export)
{
	const struct mobj *endpoint = export->endpoint;
	bool fail_fast = flags & ENTRY_FAIL_FAST;

	refuse_if(played, export_is_stale(export) || (fail_fast && !endpoint->server),
			STATUS_DISCONNECTED);
	refuse_if(played, fail_fast && endpoint_is_full(endpoint), STATUS_OVERLOADED);
	refuse_if(played, (flags & ENTRY_SYNC) && would_deadlock(caller, endpoint),
			STATUS_WOULD_DEADLOCK);
}

static void message_fits_check(struct played *played, const struct mobj *endpoint)
{
	const struct ring_entry *entry = played->entry;

	refuse_if(played,
			entry->msg_words > endpoint->message_words ||
					entry->cap_count > endpoint->capabilities,
			STATUS_TOO_LARGE);
}

void export_check(struct played *played, const struct mobj *export)
{
	message_fits_check(played, export->endpoint);
	caller_check(played, played->process, played->entry->flags, export);
}

void call_wait(struct mquestion *call, struct mobj *export, bool patterned)
{
	call->state = MQ_QUEUED;
	call->object = export->endpoint;
	call->export = export;
	call->patterned = patterned;
	mobj_hold(export);
	list_append(&export->endpoint->pending, &call->link);
}

/* The call begins with what it carries, or is refused; NULL. */
static struct mquestion *call_start(struct played *played, enum mstate state)
{
	const struct ring_entry *entry = played->entry;
	struct mitem items[TRANSFER_CAPS_MAX];
	status_t captured = capture(played, state == MQ_HELD, items);
	struct mquestion *call;

	if (captured == STATUS_OK) {
		captured = places_check(played->process, items, entry->cap_count);
		if (captured != STATUS_OK)
			uncapture(items, entry->cap_count);
	}
	refuse_if(played, captured != STATUS_OK, captured);
	if (!played_accepted(played)) {
		if (captured == STATUS_OK)
			uncapture(items, entry->cap_count);
		return NULL;
	}
	call = question_start(played, state, NULL);
	MODEL_ASSERT(entry->cap_count <= ARRAY_LEN(call->items),
			"more capabilities than the model carries");
	memcpy(call->items, items, entry->cap_count * sizeof(*items));
	call->item_count = entry->cap_count;
	promises_note(call);
	grants_name(call);
	return call;
}

static void export_call_play(struct played *played, struct mobj *export)
{
	const struct ring_entry *entry = played->entry;
	struct mquestion *call;

	export_check(played, export);
	call = call_start(played, MQ_QUEUED);
	if (!call)
		return;
	/* Not the parameters of a call that was meant for a kernel object. */
	call_wait(call, export,
			entry->msg_off < actor_wild_off(played->process->actor) &&
					entry->msg_words &&
					played->sent->message[0] == entry->user_data);
	settle();
}

static bool names_answers(const struct played *played)
{
	for (uint32_t i = 0; i < played->entry->cap_count; i++) {
		if ((uint8_t)played->sent->descriptors[2 * i] == TRANSFER_KIND_ANSWER)
			return true;
	}
	return false;
}

/* It waits for what it carries, or behind one that does. */
static void stalled_call_play(struct played *played, uint32_t id)
{
	struct mquestion *call = call_start(played, MQ_HELD);

	if (!call)
		return;
	model.held++;
	stall(call, id);
	stalled_run(played->process);
}

/* The target of a call on an answer; NULL with *base: it is to be held; NULL without: refused. */
static struct mcap *pipelined_target(struct played *played, struct mquestion **base)
{
	const struct ring_entry *entry = played->entry;
	struct mcap *target = NULL;
	struct mquestion *named;
	status_t status;
	uint32_t id;

	refuse_if(played, entry->target >= RING_QUESTIONS, STATUS_BAD_ENTRY);
	if (entry->target >= RING_QUESTIONS)
		return NULL;
	named = &played->process->q[entry->target];
	if (named->state != MQ_KEPT) {
		refuse_if(played, named->state == MQ_FREE || named->entry.op != CAP_OP_CALL,
				STATUS_GONE);
		*base = named;
		return NULL;
	}
	status = answer_place(named, entry->path, entry->path_len, &id);
	if (status == STATUS_OK)
		status = mcap_lookup(played->process, id, &target);
	refuse_if(played, status != STATUS_OK, status);
	return status == STATUS_OK ? target : NULL;
}

static bool path_is_wrong(const struct ring_entry *entry)
{
	bool wrong = ((entry->flags & ENTRY_PIPELINED) != 0) != (entry->path_len > 0) ||
			entry->path_len > PATH_HOPS;

	for (uint32_t i = entry->path_len; i < PATH_HOPS; i++)
		wrong |= entry->path[i] != 0;
	return wrong;
}

static void play_call(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	struct mquestion *base = NULL, *call;
	struct mcap *target;
	uint32_t id;

	played->keeps = entry->question < RING_QUESTIONS &&
			played->process->q[entry->question].state == MQ_FREE;
	refuse_if(played, path_is_wrong(entry), STATUS_BAD_ENTRY);
	refuse_if(played, entry->deadline_ns && entry->deadline_ns <= model.entered_ns,
			STATUS_DEADLINE_EXCEEDED);
	question_check(played);
	message_span_check(played);
	reply_span_check(played, 0);
	slots_check(played, entry->reply_caps);
	target = entry->flags & ENTRY_PIPELINED ? pipelined_target(played, &base)
						: target_find(played);
	refuse_if(played,
			target &&
					!mfacet_has_method(target->facet, entry->interface,
							entry->method),
			STATUS_UNIMPLEMENTED);
	if (base) {
		call = call_start(played, MQ_HELD);
		if (call) {
			model.held++;
			list_append(&base->held, &call->link);
		}
		return;
	}
	if (played->refusals) {
		/* What the object itself would refuse is not looked at, and might be looked at by
		 * the kernel first. */
		played->maybe |= target && entry->reply_caps ? status_bit(STATUS_OVERLOADED) : 0;
		(void)played_accepted(played);
		return;
	}
	id = target->id;
	if (names_answers(played) || stalls_behind(played->process, id))
		stalled_call_play(played, id);
	else if (target->object->type == M_EXPORT)
		export_call_play(played, target->object);
	else
		object_method_play(played, target);
	/* From now on it is as if it had named the capability. */
	played->process->q[entry->question].entry.target = id;
}

static void receive_check(struct played *played, const struct mobj *endpoint)
{
	const struct ring_entry *entry = played->entry;

	refuse_if(played,
			entry->reply_words < endpoint->message_words ||
					entry->reply_caps < endpoint->capabilities,
			STATUS_REPLY_TOO_LARGE);
	slots_check(played, entry->reply_caps);
}

static void receive_arm(struct played *played, struct mobj *endpoint)
{
	struct mquestion *receiver = question_start(played, MQ_RECV, endpoint);

	receiver->incarnation = endpoint->incarnation;
	list_append(&endpoint->receivers, &receiver->link);
	if (endpoint->server != played->process)
		endpoint_set_server(endpoint, played->process);
}

static void play_recv(struct played *played)
{
	struct mobj *endpoint = endpoint_find(played);

	question_check(played);
	reply_span_check(played, RECV_HEADER_WORDS);
	if (endpoint)
		receive_check(played, endpoint);
	refuse_if(played, endpoint && endpoint->closed, STATUS_DISCONNECTED);
	if (!played_accepted(played))
		return;
	receive_arm(played, endpoint);
	settle();
}

static void return_check(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	bool exception = entry->flags & ENTRY_EXCEPTION;

	message_span_check(played);
	refuse_if(played,
			exception ? entry->method < STATUS_FAILED ||
							entry->method > STATUS_INVALID_ARGUMENT
				  : entry->method != 0,
			STATUS_BAD_ENTRY);
	if (entry->flags & ENTRY_REARM) {
		question_check(played);
		reply_span_check(played, RECV_HEADER_WORDS);
	} else {
		refuse_if(played,
				(entry->flags & ENTRY_SYNC) || entry->question ||
						entry->reply_off || entry->reply_words ||
						entry->reply_caps,
				STATUS_BAD_ENTRY);
	}
}

/* What the caller of the answered call must see. */
static void answer_expect(
		struct mexpected *due, const struct played *played, const struct mquestion *call)
{
	const struct ring_entry *entry = played->entry;

	due->answer = true;
	due->flags = (entry->flags & ENTRY_EXCEPTION) && entry->msg_words ? COMPLETION_EXCEPTION
									  : 0;
	due->msg_words = entry->msg_words;
	due->message_of = entry->msg_off < actor_wild_off(played->process->actor) &&
					entry->msg_words <= ACTOR_SCRATCH_WORDS -
									2 * ACTOR_DESCRIPTORS &&
					call->entry.reply_off < actor_wild_off(call->process->actor)
			? entry->user_data
			: 0;
	due->reply_off = call->entry.reply_off;
	due->reply_caps = call->entry.reply_caps;
	due->cap_count = entry->cap_count;
}

/* The answer goes to its caller, which gets the capabilities as it completes or, if calls wait for
 * them, at once. */
static void answer_deliver(struct played *played, struct mservice *service, struct mitem *items)
{
	const struct ring_entry *entry = played->entry;
	struct mquestion *call = service->call;
	struct mproc *caller = call->process;
	struct mexpected due = { .statuses = status_bit((status_t)entry->method),
		.item_count = entry->cap_count,
		.granter = played->process->id };

	MODEL_ASSERT(entry->cap_count <= MODEL_CAPS, "more capabilities than the model carries");
	answer_expect(&due, played, call);
	memcpy(due.items, items, entry->cap_count * sizeof(*items));
	for (uint32_t i = 0; i < entry->cap_count; i++)
		due.items[i].moving = NULL;
	model.answered++;
	service_free(service);
	if (!others_wait(call)) {
		expect(call, &due);
		question_end(call);
		return;
	}
	items_arrive(caller, words_at(caller, call->entry.reply_off), due.items, due.item_count,
			NULL, due.granter);
	due.item_count = 0;
	held_push(call, &due);
}

/* The service slot of a call id that is not free, or NULL. */
static struct mservice *service_find(struct mobj *endpoint, uint64_t id)
{
	uint64_t slot = id & ((1u << SERVICE_SLOT_BITS) - 1);

	if (id > UINT32_MAX || slot == 0 || slot > endpoint->calls ||
			endpoint->services[slot].state == SERVICE_FREE ||
			endpoint->services[slot].generation != id >> SERVICE_SLOT_BITS)
		return NULL;
	return &endpoint->services[slot];
}

/* The status of a return that passed its checks, with the effect of one that is OK or GONE. */
static status_t return_effect(struct played *played, struct mobj *endpoint, struct mitem *items)
{
	const struct ring_entry *entry = played->entry;
	struct mservice *service = service_find(endpoint, entry->interface);

	if (!service || service->state == SERVICE_ABANDONED) {
		if (service)
			service_free(service);
		uncapture(items, entry->cap_count);
		return STATUS_GONE;
	}
	if (entry->msg_words > service->call->entry.reply_words ||
			entry->cap_count > service->call->entry.reply_caps) {
		uncapture(items, entry->cap_count);
		return STATUS_REPLY_TOO_LARGE;
	}
	answer_deliver(played, service, items);
	return STATUS_OK;
}

/* How a return that does not receive again, or could not, completes. */
static void return_completes(struct played *played, status_t status)
{
	struct ring_completion completion = { .status = STATUS_OK };
	bool quiet = status == STATUS_OK &&
			(played->entry->flags & (ENTRY_QUIET | ENTRY_REARM)) == ENTRY_QUIET;

	settle();
	if (!quiet || played->sync)
		completion = played_take(played);
	MODEL_ASSERT(completion.status == status, "a return completed with %d, not %d",
			completion.status, status);
	MODEL_ASSERT(!(played->entry->flags & ENTRY_REARM) || completion.flags == COMPLETION_RETURN,
			"a return that failed looks like a receive");
}

static void play_return(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	bool rearm = entry->flags & ENTRY_REARM;
	struct mobj *endpoint = endpoint_find(played);
	struct mitem items[TRANSFER_CAPS_MAX];
	status_t captured = STATUS_FAILED, status;

	return_check(played);
	if (rearm && endpoint)
		receive_check(played, endpoint);
	if (!played->refusals) {
		captured = capture(played, false, items);
		refuse_if(played, captured != STATUS_OK, captured);
		refuse_if(played,
				captured == STATUS_OK && rearm &&
						mcap_find(played->process, entry->target)->state !=
								CAP_LIVE,
				STATUS_BAD_DESCRIPTOR);
	}
	if (!played_accepted(played)) {
		MODEL_ASSERT(!rearm || played->outcome.flags == COMPLETION_RETURN,
				"a refused return looks like a receive");
		if (captured == STATUS_OK)
			uncapture(items, entry->cap_count);
		return;
	}
	mobj_get(endpoint);
	status = return_effect(played, endpoint, items);
	if (rearm && (status == STATUS_OK || status == STATUS_GONE)) {
		if (endpoint->closed)
			status = STATUS_DISCONNECTED;
		else
			receive_arm(played, endpoint);
		rearm = status == STATUS_DISCONNECTED;
	} else {
		rearm = true;
	}
	settle(); /* they arrive before they leave, which matters to who gives an endpoint to itself
		   */
	if (captured == STATUS_OK && entry->cap_count)
		items_leave(played->process, items, status == STATUS_OK ? entry->cap_count : 0);
	held_run();
	if (rearm)
		return_completes(played, status);
	settle();
	mobj_put(endpoint);
}

/* The call goes on to where the export is served; in its place waits the forwarder's question. */
static void forward_start(struct mquestion *forwarder, struct mquestion *call, struct mobj *export,
		bool patterned)
{
	struct mobj *before = call->export;

	call_wait(forwarder, export, patterned);
	forwarder->forward = call;
	call->forward = forwarder;
	call->state = MQ_FORWARDED;
	call->object = export->endpoint;
	call->export = export;
	mobj_hold(export);
	mobj_unhold(before);
}

static void play_forward(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	struct mobj *endpoint = endpoint_named(played, (uint32_t)(entry->deadline_ns >> 32));
	struct mservice *service =
			endpoint ? service_find(endpoint, (uint32_t)entry->deadline_ns) : NULL;
	struct mquestion *call = service ? service->call : NULL, *forwarder;
	struct mcap *target = target_find(played);
	bool is_export = target && target->object->type == M_EXPORT;

	question_check(played);
	message_span_check(played);
	refuse_if(played, target && !mfacet_has_method(target->facet, entry->interface, entry->method),
			STATUS_UNIMPLEMENTED);
	refuse_if(played, target && !is_export, STATUS_UNIMPLEMENTED);
	refuse_if(played, endpoint && !call, STATUS_GONE);
	if (is_export)
		message_fits_check(played, target->object->endpoint);
	if (is_export && call)
		caller_check(played, call->process, call->entry.flags, target->object);
	/* Who tries to forward what was cancelled has heard of it. */
	if (service && !call && played->found && played->outcome.status == STATUS_GONE)
		service_free(service);
	forwarder = call_start(played, MQ_QUEUED);
	if (!forwarder)
		return;
	service_free(service);
	forward_start(forwarder, call, target->object,
			entry->msg_off < actor_wild_off(played->process->actor) &&
					entry->msg_words &&
					played->sent->message[0] == entry->user_data);
	settle();
}

static void play_release(struct played *played)
{
	struct mcap *cap = mcap_find(played->process, played->entry->target);

	refuse_if(played, !cap || cap->state != CAP_LIVE, STATUS_BAD_CAPABILITY);
	if (!played_accepted(played))
		return;
	capability_release(played->process, cap);
	(void)played_end(played);
}

static void copy_as(struct played *played, struct mcap *cap, const struct mfacet *facet)
{
	slots_check(played, 1);
	if (!played_accepted(played))
		return;
	mledger_charge(played->process->ledger, RESOURCE_CLASS_SLOTS, 1);
	mcap_insert(played->process, played_end(played).id, cap->object, facet, cap->grant, NULL,
			0);
}

static void play_copy(struct played *played)
{
	struct mcap *cap = target_find(played);

	copy_as(played, cap, cap ? cap->facet : NULL);
}

static void play_narrow(struct played *played)
{
	struct mcap *cap = target_find(played);
	const struct mfacet *facet = cap ? mfacet_narrow(cap->facet, played->entry->interface)
					 : NULL;

	refuse_if(played, cap && !facet, STATUS_UNIMPLEMENTED);
	copy_as(played, cap, facet);
}

static void play_cancel(struct played *played)
{
	uint32_t number = played->entry->question;

	refuse_if(played, number >= RING_QUESTIONS, STATUS_BAD_ENTRY);
	refuse_if(played, number < RING_QUESTIONS && played->process->q[number].state <= MQ_KEPT,
			STATUS_GONE);
	if (!played_accepted(played))
		return;
	question_take_back(&played->process->q[number], status_bit(STATUS_CANCELLED));
	(void)played_end(played);
}

static void play_finish(struct played *played)
{
	uint32_t number = played->entry->question;
	enum mstate state = number < RING_QUESTIONS ? played->process->q[number].state : MQ_KEPT;

	refuse_if(played, number >= RING_QUESTIONS, STATUS_BAD_ENTRY);
	refuse_if(played, state == MQ_FREE, STATUS_GONE);
	refuse_if(played, state > MQ_KEPT, STATUS_QUESTION_BUSY);
	if (!played_accepted(played))
		return;
	played->process->q[number].state = MQ_FREE;
	(void)played_end(played);
}

static void play_wait(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	bool death = entry->flags & ENTRY_DEATH, waits;
	struct mquestion *question;
	struct mcap *cap;
	status_t status = mcap_lookup(played->process, entry->target, &cap);

	refuse_if(played,
			(entry->flags & ENTRY_MULTISHOT) &&
					(entry->flags & (ENTRY_DEATH | ENTRY_SYNC)),
			STATUS_BAD_ENTRY);
	question_check(played);
	refuse_if(played, death && entry->interface, STATUS_BAD_ENTRY);
	if (status == STATUS_DISCONNECTED && death && !played->refusals) {
		if (played_accepted(played))
			(void)played_end(played);
		return;
	}
	refuse_if(played, status != STATUS_OK, status);
	if (status == STATUS_OK) {
		waits = death ? cap->object->type == M_ENDPOINT || cap->object->type == M_EXPORT ||
						cap->object->type == M_PROCESS
			      : cap->object->type == M_NOTIFICATION &&
						mfacet_has(cap->facet, NOTIFICATION_INTERFACE_ID);
		refuse_if(played, !waits, STATUS_UNIMPLEMENTED);
	}
	if (!played_accepted(played))
		return;
	mobj_get(cap->object);
	question = question_start(played, death ? MQ_DEATH : MQ_BITS, cap->object);
	question->grant = cap->grant;
	mgrant_use(cap->grant);
	grants_name(question);
	settle();
}

static void play_signal(struct played *played)
{
	struct mcap *cap = target_find(played);

	refuse_if(played, cap && cap->object->type != M_NOTIFICATION, STATUS_UNIMPLEMENTED);
	if (!played_accepted(played))
		return;
	cap->object->bits |= played->entry->interface;
	(void)played_end(played);
}

static void play_retire(struct played *played)
{
	struct mobj *endpoint = endpoint_find(played), *found = NULL;

	for (struct list *link = endpoint ? endpoint->exports.next : NULL;
			link && link != &endpoint->exports; link = link->next) {
		struct mobj *export = EXPORT(link);

		if (export->sequence && export->sequence == played->entry->deadline_ns &&
				export->tag == played->entry->interface)
			found = export;
	}
	refuse_if(played, endpoint && !found, STATUS_GONE);
	refuse_if(played, found && found->holds != 0, STATUS_STALE);
	if (!played_accepted(played))
		return;
	export_retire(found);
	(void)played_end(played);
}

/* --- The table ----------------------------------------------------------------------------------
 */

#define SPAN_REPLY .reply_off = UINT32_MAX, .reply_words = UINT16_MAX, .reply_caps = UINT8_MAX
#define SPAN_MESSAGE                                                            \
	.msg_off = UINT32_MAX, .msg_words = UINT16_MAX, .caps_off = UINT32_MAX, \
	.cap_count = UINT8_MAX

static const struct {
	void (*play)(struct played *played);
	struct ring_entry used; /* op and user data aside, which fields may be other than zero */
} plays[] = {
	[CAP_OP_NOP] = { play_nop, { .flags = ENTRY_SYNC | ENTRY_QUIET } },
	[CAP_OP_CALL] = { play_call,
			{ .flags = ENTRY_SYNC | ENTRY_KEEP | ENTRY_FAIL_FAST | ENTRY_PIPELINED,
					.method = UINT16_MAX,
					.target = UINT32_MAX,
					.interface = UINT64_MAX,
					.deadline_ns = UINT64_MAX,
					SPAN_MESSAGE,
					SPAN_REPLY,
					.question = UINT16_MAX,
					.path_len = UINT8_MAX,
					.path = { UINT16_MAX, UINT16_MAX, UINT16_MAX,
							UINT16_MAX } } },
	[CAP_OP_RECV] = { play_recv,
			{ .flags = ENTRY_SYNC,
					.target = UINT32_MAX,
					SPAN_REPLY,
					.question = UINT16_MAX } },
	[CAP_OP_RETURN] = { play_return,
			{ .flags = ENTRY_SYNC | ENTRY_EXCEPTION | ENTRY_REARM | ENTRY_QUIET,
					.method = UINT16_MAX,
					.target = UINT32_MAX,
					.interface = UINT64_MAX,
					SPAN_MESSAGE,
					SPAN_REPLY,
					.question = UINT16_MAX } },
	[CAP_OP_FORWARD] = { play_forward,
			{ .flags = ENTRY_SYNC,
					.method = UINT16_MAX,
					.target = UINT32_MAX,
					.interface = UINT64_MAX,
					.deadline_ns = UINT64_MAX,
					SPAN_MESSAGE,
					.question = UINT16_MAX } },
	[CAP_OP_RELEASE] = { play_release,
			{ .flags = ENTRY_SYNC | ENTRY_QUIET, .target = UINT32_MAX } },
	[CAP_OP_COPY] = { play_copy, { .flags = ENTRY_SYNC, .target = UINT32_MAX } },
	[CAP_OP_NARROW] = { play_narrow,
			{ .flags = ENTRY_SYNC, .target = UINT32_MAX, .interface = UINT64_MAX } },
	[CAP_OP_FINISH] = { play_finish,
			{ .flags = ENTRY_SYNC | ENTRY_QUIET, .question = UINT16_MAX } },
	[CAP_OP_CANCEL] = { play_cancel,
			{ .flags = ENTRY_SYNC | ENTRY_QUIET, .question = UINT16_MAX } },
	[CAP_OP_WAIT] = { play_wait,
			{ .flags = ENTRY_SYNC | ENTRY_DEATH | ENTRY_MULTISHOT,
					.target = UINT32_MAX,
					.interface = UINT64_MAX,
					.question = UINT16_MAX } },
	[CAP_OP_SIGNAL] = { play_signal,
			{ .flags = ENTRY_SYNC | ENTRY_QUIET,
					.target = UINT32_MAX,
					.interface = UINT64_MAX } },
	[CAP_OP_PARK] = { park_play,
			{ .flags = ENTRY_SYNC,
					.target = UINT32_MAX,
					.interface = UINT64_MAX,
					.deadline_ns = UINT64_MAX,
					.msg_off = UINT32_MAX,
					.question = UINT16_MAX } },
	[CAP_OP_UNPARK] = { unpark_play,
			{ .flags = ENTRY_SYNC | ENTRY_QUIET,
					.target = UINT32_MAX,
					.interface = UINT64_MAX,
					.msg_off = UINT32_MAX } },
	[CAP_OP_YIELD] = { play_nop, { .flags = ENTRY_SYNC | ENTRY_QUIET } },
	[CAP_OP_RETIRE] = { play_retire,
			{ .flags = ENTRY_SYNC | ENTRY_QUIET,
					.target = UINT32_MAX,
					.interface = UINT64_MAX,
					.deadline_ns = UINT64_MAX } },
};

static bool uses_more(const struct ring_entry *entry, const struct ring_entry *used)
{
	const uint8_t *bytes = (const uint8_t *)entry, *allowed = (const uint8_t *)used;

	for (size_t i = 0; i < sizeof(*entry); i++) {
		bool own = i == offsetof(struct ring_entry, op) ||
				(i >= offsetof(struct ring_entry, user_data) &&
						i < offsetof(struct ring_entry, user_data) +
										sizeof(entry->user_data));

		if (!own && (bytes[i] & ~allowed[i]))
			return true;
	}
	return false;
}

void entry_play(struct mproc *process, struct mentry *sent, bool sync)
{
	struct played played = {
		.process = process, .sent = sent, .entry = &sent->entry, .sync = sync
	};

	model.entries++;
	outcome_find(&played);
	if ((sent->entry.flags & ENTRY_SYNC) && !sync) {
		sent->entry.flags = 0; /* where it may not stand */
		refuse_if(&played, true, STATUS_BAD_ENTRY);
	} else if (sent->entry.op >= ARRAY_LEN(plays)) {
		refuse_if(&played, true, STATUS_UNIMPLEMENTED);
	} else if (uses_more(&sent->entry, &plays[sent->entry.op].used)) {
		refuse_if(&played, true, STATUS_BAD_ENTRY);
	}
	if (played.refusals)
		(void)played_accepted(&played);
	else
		plays[sent->entry.op].play(&played);
}
