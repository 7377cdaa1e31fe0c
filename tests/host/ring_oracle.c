/*
 * Completions: plays a batch again on the graph, one entry after the other (ring_entries.c), and
 * asks of every completion in any ring whether the graph allows it at that moment; see
 * ring_model.h.
 *
 * A completion is due (`expected`) as soon as an entry's effect brings it about, or is allowed by
 * the state that its question waits for. They are taken in the order in which the kernel made them
 * (ring_journal.c), each as early as it is allowed. Always true after a batch: nothing that is due
 * has failed to come, and nothing came that was not.
 */
#include "tests/host/ring_oracle.h"

/* --- What may complete now ----------------------------------------------------------------------
 */

static bool revoked(const struct mquestion *question)
{
	return question->grant && question->grant->revoked;
}

static bool receive_completes(struct mquestion *question, const struct mevent *event)
{
	const struct recv_header *header = (const struct recv_header *)(const void *)words_at(
			question->process, question->entry.reply_off);

	if (event->completion.status != STATUS_OK ||
			question->object->receivers.next != &question->link)
		return false;
	MODEL_ASSERT((event->call != NULL) == (header->kind == RECV_KIND_CALL),
			"a receive got a call, or an event, of nobody");
	return event->call ? deliver_call(question, event)
			   : deliver_event(question, &event->completion);
}

bool carries_revoked(const struct mquestion *call)
{
	for (uint32_t i = 0; i < call->item_count; i++) {
		if (call->items[i].object && call->items[i].grant->revoked)
			return true;
	}
	return false;
}

/* Whether an object that ends without holds has none but those of this call. */
static bool carries_last_hold(const struct mquestion *call)
{
	for (uint32_t i = 0; i < call->item_count; i++) {
		const struct mobj *object = call->items[i].object;
		uint32_t holds = 0;

		for (uint32_t j = 0; j < call->item_count; j++)
			holds += call->items[j].object == object;
		if (object && (object->type == M_ENDPOINT || object->type == M_BUILDER) &&
				object->holds == holds)
			return true;
	}
	return false;
}

/* Whether its ring has room for one completion more than those that are owed. */
static bool has_credit(const struct mproc *process)
{
	return process->in_flight + (process->cq_seen - process->cq_head) < RING_CQ_ENTRIES;
}

static bool bits_complete(struct mquestion *question, const struct ring_completion *completion)
{
	uint64_t taken = question->object->bits & question->entry.interface;
	bool goes_on;

	if (revoked(question) && completion->status == STATUS_DISCONNECTED) {
		question_end(question);
		return true;
	}
	if (completion->status != STATUS_OK || taken == 0)
		return false;
	for (struct list *link = model.processes.next; link != &model.processes;
			link = link->next) {
		for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
			const struct mquestion *other = &PROCESS(link)->q[i];

			/* Who waits longer and wants some of them comes first. */
			if (other->state == MQ_BITS && other->object == question->object &&
					other->arrival < question->arrival &&
					(other->entry.interface & question->object->bits) &&
					!revoked(other))
				return false;
		}
	}
	MODEL_ASSERT(completion->detail == taken, "bits 0x%lx were taken, not 0x%lx",
			completion->detail, taken);
	question->object->bits &= ~taken;
	goes_on = (question->entry.flags & ENTRY_MULTISHOT) && has_credit(question->process);
	MODEL_ASSERT(completion->flags == (goes_on ? COMPLETION_MORE : 0),
			"a wait %s on", goes_on ? "does not go" : "goes");
	if (!goes_on) {
		question_end(question);
		return true;
	}
	model.reported++;
	question->arrival = ++model.arrivals;      /* others that want the same bits come first now */
	return true;
}

/* Whether the question may complete so: what it waits for is there. */
static bool wait_is_met(const struct mquestion *question, const struct ring_completion *completion)
{
	switch (question->state) {
	case MQ_DEATH:
		return completion->status == STATUS_OK &&
				(revoked(question) || object_has_ended(question->object));
	case MQ_SLEEP:
		return completion->status == STATUS_OK && machine_now_ns() >= question->deadline_ns;
	case MQ_PROCESS:
		return (completion->status == STATUS_OK ||
				       completion->status == STATUS_REPLY_TOO_LARGE) &&
				object_has_ended(question->object);
	default:
		return false;
	}
}

static bool question_completes(struct mquestion *question, const struct mevent *event)
{
	const struct ring_completion *completion = &event->completion;

	switch (question->state) {
	case MQ_RECV:
		return receive_completes(question, event);
	case MQ_BITS:
		return bits_complete(question, completion);
	default:
		/* Calls on its answer come first; see settle_ahead. */
		if (others_wait(question) || !wait_is_met(question, completion))
			return false;
		question_end(question);
		return true;
	}
}

static void expected_consume(struct mproc *process, struct mexpected *expected,
		const struct ring_completion *completion)
{
	struct mexpected due = *expected;
	const uint64_t *message;

	*expected = process->expected[--process->expected_count];
	MODEL_ASSERT(due.statuses & status_bit(completion->status),
			"0x%lx completed with status %d, allowed are 0x%lx", completion->user_data,
			completion->status, due.statuses);
	if (!due.answer)
		return;
	MODEL_ASSERT(completion->flags == due.flags && completion->msg_words == due.msg_words &&
					completion->cap_count == due.cap_count,
			"an answer came as %u words and %u capabilities, flags %u",
			completion->msg_words, completion->cap_count, completion->flags);
	message = words_at(process, due.reply_off + 2 * due.reply_caps);
	for (uint32_t i = 0; due.message_of && i < due.msg_words; i++)
		MODEL_ASSERT(message[i] ==
						actor_answer_word(due.message_of, due.msg_words,
								due.cap_count, i),
				"word %u of the answer to 0x%lx, sent with 0x%lx, came over "
				"changed",
				i, due.user_data, due.message_of);
	items_arrive(process, words_at(process, due.reply_off), due.items, due.item_count, NULL,
			due.granter);
}

/* The question that an event is of, if it is in flight. */
static struct mquestion *question_of(const struct mevent *event)
{
	struct mproc *process = event->process;
	uint32_t number = actor_question_of(event->completion.user_data);

	if (number >= RING_QUESTIONS || process->q[number].state <= MQ_KEPT ||
			process->q[number].entry.user_data != event->completion.user_data)
		return NULL;
	return &process->q[number];
}

/* Whether this completion is one that is due or allowed; then its effect is there. */
static bool event_consume(struct mevent *event)
{
	struct mquestion *question = question_of(event);
	struct mproc *process = event->process;

	for (uint32_t i = 0; i < process->expected_count; i++) {
		if (process->expected[i].user_data == event->completion.user_data &&
				process->expected[i].sync == event->sync) {
			expected_consume(process, &process->expected[i], &event->completion);
			return true;
		}
	}
	if (!question)
		return false;
	MODEL_ASSERT((process->sync == question) == event->sync,
			"an outcome went to the wrong place");
	return question_completes(question, event);
}

/* Events in their order, until one is not allowed yet. Whether any was accounted for. */
static bool settle_pass(void)
{
	bool any = false;

	for (uint32_t i = 0; i < model.journal_count && model.journal[i].step <= model.step; i++) {
		struct mevent *event = &model.journal[i];

		if (event->taken || event->process->phase != MP_RUNNING ||
				!event->process->kernel_lives)
			continue;
		if (!event_consume(event))
			break;
		event_take(event);
		any = true;
	}
	return any;
}

/* Something that the waiting call carries was revoked: it drops the rest of it first. If that is the last of an endpoint,
 * the callers there complete before the call does, as do calls on its answer. */
static bool fails_with_revoked(const struct mquestion *call, const struct mevent *event)
{
	return call->state == MQ_QUEUED && event->completion.status == STATUS_DISCONNECTED &&
			carries_revoked(call);
}

/* Whose deadline is their end. */
static bool has_deadline(const struct mquestion *question)
{
	return (question->entry.op == CAP_OP_CALL || question->entry.op == CAP_OP_PARK) && question->entry.deadline_ns;
}

/* Its deadline has ended the call or park, and brought about what stands before its completion. */
static bool is_too_late(const struct mquestion *call, const struct mevent *event)
{
	return call->state > MQ_KEPT && call->state != MQ_RETURNING &&
			has_deadline(call) &&
			event->completion.status == STATUS_DEADLINE_EXCEEDED &&
			event->now_ns >= call->entry.deadline_ns;
}

/* What it waits for is there; calls on its answer start before it completes. */
static bool has_come_for_others(const struct mquestion *call, const struct mevent *event)
{
	return others_wait(call) && wait_is_met(call, &event->completion);
}

/* What time or revocation ends, and what others waited for, shows in others before it shows in itself. True: there is one
 * among the events that are not understood yet, and its effect is there now. */
static bool settle_ahead(void)
{
	bool first = true;

	for (uint32_t i = 0; i < model.journal_count && model.journal[i].step <= model.step; i++) {
		const struct mevent *event = &model.journal[i];
		struct mquestion *question;

		if (event->taken || event->process->phase != MP_RUNNING)
			continue;
		question = question_of(event);
		if (question && fails_with_revoked(question, event) &&
				(first || carries_last_hold(question) || others_wait(question))) {
			pending_fail(question);
			return true;
		}
		/* One after the other: what the last has set going comes to its end first. */
		if (question && !model.is_settling &&
				(is_too_late(question, event) ||
						has_come_for_others(question, event))) {
			question_take_back(question, status_bit(event->completion.status));
			return true;
		}
		first = false;
	}
	return false;
}

void settle(void)
{
	while (settle_pass() || settle_ahead())
		continue;
}

/* --- Entering and leaving -----------------------------------------------------------------------
 */

/* Copies words that an entry names, as far as they are in the ring. */
static void snap(const struct mproc *process, uint64_t *to, uint32_t off, uint32_t words)
{
	for (uint32_t i = 0; i < MIN(words, SNAP_WORDS) && (uint64_t)off + i < RING_WORDS; i++)
		to[i] = process->ring->words[off + i];
}

void oracle_before(struct mproc *process, struct actor_enter enter)
{
	const struct actor *actor = process->actor;

	for (uint32_t i = 0; i < actor->batch_count; i++) {
		struct mentry *sent = &process->sq[process->sq_tail++ % RING_SQ_ENTRIES];

		sent->entry = actor->batch[i];
		snap(process, sent->message, sent->entry.msg_off, sent->entry.msg_words);
		snap(process, sent->descriptors, sent->entry.caps_off, 2u * sent->entry.cap_count);
	}
	if (actor->batch_count && (actor->batch[actor->batch_count - 1].flags & ENTRY_SYNC))
		process->sync_sent = actor->batch[actor->batch_count - 1].user_data;
	journal_begin(process, process->sq_tail - process->sq_head);
	model.entered_ns = machine_now_ns();
	process->cq_head = process->ring->header->cq_head;
	process->entered = true;
	process->entered_sync = false;
	process->refused_enter = enter.flags != 0 || enter.min_complete > RING_CQ_ENTRIES;
	process->min_complete = enter.min_complete;
	process->deadline_ns = enter.deadline_ns;
}

/* The processes that the kernel took apart meanwhile. */
static void ended_processes_play(void)
{
	for (struct list *link = model.processes.next; link != &model.processes;) {
		struct mproc *process = PROCESS(link);

		link = link->next;
		if (process->phase == MP_ENDING) {
			process_take_apart(process);
			link = model.processes.next; /* others may have ended with it */
		}
	}
	model.unsettled = false;
}

/* Nobody waits for what there is. */
static void endpoint_check_met(const struct mobj *endpoint)
{
	const struct mquestion *receiver = QUESTION(endpoint->receivers.next);
	bool slot_free = false;

	if (list_empty(&endpoint->receivers))
		return;
	for (uint32_t slot = 1; slot <= endpoint->calls; slot++) {
		slot_free |= endpoint->services[slot].state == SERVICE_FREE;
		MODEL_ASSERT(endpoint->services[slot].state != SERVICE_ABANDONED ||
						endpoint->services[slot].told,
				"receive 0x%lx waits, and was not told that call %u was cancelled",
				receiver->entry.user_data, slot);
	}
	for (struct list *link = endpoint->exports.next; link != &endpoint->exports;
			link = link->next)
		MODEL_ASSERT(EXPORT(link)->holds != 0 || EXPORT(link)->told ||
						export_is_stale(EXPORT(link)),
				"receive 0x%lx waits, and was not told that nobody holds export "
				"%lu",
				receiver->entry.user_data, EXPORT(link)->tag);
	MODEL_ASSERT(!slot_free || list_empty(&endpoint->pending),
			"receive 0x%lx waits, and so does call 0x%lx", receiver->entry.user_data,
			QUESTION(endpoint->pending.next)->entry.user_data);
}

static void waits_check_met(const struct mproc *process)
{
	for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
		const struct mquestion *question = &process->q[i];

		if (question->state == MQ_BITS)
			MODEL_ASSERT(!(question->object->bits & question->entry.interface) &&
							!revoked(question),
					"a wait for bits that are there goes on");
		else if (question->state == MQ_PARK)
			MODEL_ASSERT(!revoked(question), "a park for revoked memory goes on");
		else if (question->state == MQ_DEATH || question->state == MQ_PROCESS)
			MODEL_ASSERT(!object_has_ended(question->object) && !revoked(question),
					"a wait for the dead goes on");
		else if (question->state == MQ_QUEUED)
			MODEL_ASSERT(!export_is_stale(question->export),
					"a call waits at what has ended");
	}
}

static void everything_came(void)
{
	bool thorough = ++model.looks % model.look_every == 0;

	journal_end();

	for (struct list *link = model.processes.next; link != &model.processes;
			link = link->next) {
		const struct mproc *process = PROCESS(link);

		if (process->phase != MP_RUNNING)
			continue;
		MODEL_ASSERT(process->expected_count == 0,
				"process %u: the completion of 0x%lx was due and has not come",
				process->id, process->expected[0].user_data);
		if (thorough)
			waits_check_met(process);
	}
	for (struct list *link = model.objects.next; thorough && link != &model.objects;
			link = link->next) {
		const struct mobj *obj = container_of(link, struct mobj, link);

		if (obj->type == M_ENDPOINT)
			endpoint_check_met(obj);
	}
}

/* Which processes the kernel still has. */
static void living_mark(void)
{
	for (struct list *link = model.processes.next; link != &model.processes;
			link = link->next) {
		struct mproc *process = PROCESS(link);

		process->kernel_lives = false;
		for (struct list *at = process_tree.next;
				at != &process_tree && !process->kernel_lives; at = at->next)
			process->kernel_lives = container_of(at, struct process, tree_link) ==
					process->kernel;
	}
}

/* What the entries so far brought about has been accounted for. */
static void step_check(void)
{
	for (uint32_t i = 0; i < model.journal_count && model.journal[i].step <= model.step; i++) {
		const struct mevent *event = &model.journal[i];

		MODEL_ASSERT(event->taken || !event->process->kernel_lives,
				"process %u: entry %u allows no completion of 0x%lx "
				"with status %d",
				event->process->id, model.step, event->completion.user_data,
				event->completion.status);
	}
}

void oracle_after(struct mproc *process, struct actor_enter enter)
{
	bool sync_allowed = enter.min_complete == 0 && enter.deadline_ns == 0, sync = false;

	model.step = 0;
	living_mark();
	while (!process->refused_enter && process->sq_head != process->sq_tail &&
			process->phase == MP_RUNNING && !sync) {
		struct mentry *sent = &process->sq[process->sq_head % RING_SQ_ENTRIES];

		sync = (sent->entry.flags & ENTRY_SYNC) &&
				process->sq_head + 1 == process->sq_tail && sync_allowed;
		if (!sync && !has_credit(process))
			break;
		process->sq_head++;
		process->entered_sync = sync;
		model.step++;
		entry_play(process, sent, sync);
		settle();
		step_check();
	}
	model.step = JOURNAL_AFTER;
	settle();
	if (process->phase == MP_RUNNING)
		MODEL_ASSERT(process->ring->sq_head == process->sq_head,
				"%u entries were taken, not %u", process->ring->sq_head,
				process->sq_head);
	ended_processes_play();
	settle();
	everything_came();
}

/* Nobody waits beyond the end of its time. */
static void times_check(void)
{
	for (struct list *link = model.processes.next; link != &model.processes;
			link = link->next) {
		for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
			const struct mquestion *question = &PROCESS(link)->q[i];
			uint64_t end_ns = has_deadline(question) ? question->entry.deadline_ns : 0;

			if (question->state == MQ_SLEEP &&
					(!end_ns || question->deadline_ns < end_ns))
				end_ns = question->deadline_ns;
			MODEL_ASSERT(question->state <= MQ_KEPT || !end_ns ||
							end_ns > machine_now_ns(),
					"process %u: question %u waits beyond its time",
					PROCESS(link)->id, i);
		}
	}
}

void oracle_time(void)
{
	living_mark();
	settle();
	ended_processes_play();
	settle();
	everything_came();
	if (model.looks % model.look_every == 0)
		times_check();
}

void oracle_exited(struct mproc *process)
{
	process_end_in_model(process);
	settle();
	ended_processes_play();
	settle();
	everything_came();
}

void oracle_resumed(struct mproc *process, int64_t result)
{
	uint32_t available = process->ring->cq_tail - process->ring->header->cq_head;

	if (!process->entered)
		return;
	process->entered = false;
	MODEL_ASSERT(process->sync == NULL, "process %u runs, though it sleeps for a question",
			process->id);
	if (process->refused_enter)
		MODEL_ASSERT(result == STATUS_BAD_ENTRY, "cap_enter answered %ld to nonsense",
				result);
	else if (process->entered_sync)
		MODEL_ASSERT(result == reply_slot(process)->status,
				"cap_enter answered %ld, the reply slot says %d", result,
				reply_slot(process)->status);
	else if (result == STATUS_DEADLINE_EXCEEDED)
		MODEL_ASSERT(process->deadline_ns && process->deadline_ns <= machine_now_ns(),
				"the deadline has not passed");
	else
		MODEL_ASSERT(result >= (int64_t)process->min_complete && result <= available,
				"cap_enter answered %ld: %lu were wanted, %u are there", result,
				process->min_complete, available);
}
