/*
 * The journal: every completion in the order in which the kernel made it, with the entry of the
 * batch that was being performed; see ring_model.h. The machine calls it whenever the lock of a
 * ring or an endpoint is let go (machine.h). Always true: within a ring events have the order of its completion
 * queue; none of an earlier batch is left when one begins.
 */
#include "tests/host/ring_oracle.h"

#include "kernel/object/thread.h"

static struct {
	struct mproc *process; /* whose batch the kernel performs, or NULL */
	uint32_t base;         /* entries taken from its ring before */
	uint32_t last;         /* how many the batch can have */
	bool over;             /* its entries are done: what comes now, others or time bring */
} journal;

/* --- Writing ------------------------------------------------------------------------------------
 */

static uint32_t step_now(void)
{
	if (!journal.process || journal.over)
		return JOURNAL_AFTER;
	return MIN(journal.process->ring->sq_head - journal.base + machine_goes_directly, journal.last);
}

/* NOPs complete several at once, before the kernel says that it has taken them. */
static uint32_t step_of(const struct mproc *process, const struct ring_completion *completion)
{
	const struct ring *ring = process->ring;

	for (uint32_t at = ring->sq_head; process == journal.process && !journal.over &&
			at - journal.base < journal.last;
			at++) {
		if (process->sq[at % RING_SQ_ENTRIES].entry.user_data == completion->user_data)
			return at - journal.base + 1;
	}
	return step_now();
}

static struct mproc *process_of(const struct process *kernel)
{
	for (struct list *link = model.processes.next; link != &model.processes;
			link = link->next) {
		if (PROCESS(link)->kernel == kernel && PROCESS(link)->id == kernel->id)
			return PROCESS(link);
	}
	return NULL;
}

static uint32_t service_id_of(const struct question *call)
{
	const struct endpoint *endpoint = container_of(call->object, struct endpoint, object);

	return endpoint->services[call->service].id;
}

/* The call of this process that has just been delivered with this id, or NULL. What is known of deliveries that are
 * over is forgotten: a call that is given on may come back with an id that it had. */
static struct mquestion *delivered_of(const struct ring *ring, struct mproc *process, uint32_t id)
{
	struct mquestion *found = NULL;

	for (uint32_t i = 0; i < ring_questions(ring); i++) {
		const struct question *question = &ring->questions[i];
		struct mdelivered *seen = &process->delivered[i];

		if (question->kind != QUESTION_CALL || question->call_state != CALL_DELIVERED ||
				seen->user_data != question->entry.user_data ||
				seen->id != service_id_of(question) || seen->endpoint != question->object)
			*seen = (struct mdelivered){ 0 };
		if (question->kind != QUESTION_CALL || question->call_state != CALL_DELIVERED ||
				service_id_of(question) != id || seen->endpoint || found)
			continue;
		*seen = (struct mdelivered){ question->entry.user_data, id, question->object };
		found = &process->q[i];
	}
	return found;
}

/* The call that has just been delivered with this id: each delivery is written down at once. */
static struct mquestion *delivered(uint32_t id)
{
	struct mquestion *call = NULL, *found = NULL;

	for (struct list *link = process_tree.next; link != &process_tree; link = link->next) {
		const struct process *kernel = container_of(link, struct process, tree_link);
		const struct thread *thread = process_next_thread(kernel, NULL);
		struct mproc *process = process_of(kernel);

		/* Slot 0 has no call: once it is found, the others only forget. */
		if (process && thread)
			found = delivered_of(thread->ring, process, call ? 0 : id);
		if (found)
			call = found;
	}
	return call;
}

/* Whether a receive got a call or an event. */
static bool is_receive(const struct ring *ring, const struct ring_completion *completion)
{
	uint32_t number = actor_question_of(completion->user_data);
	const struct ring_entry *entry = &ring->questions[number % RING_QUESTIONS].entry;

	return number < ring_questions(ring) && entry->user_data == completion->user_data &&
			(entry->op == CAP_OP_RECV || entry->op == CAP_OP_RETURN) &&
			completion->status == STATUS_OK && completion->flags == 0;
}

static void event_add(const struct ring *ring, struct mproc *process,
		const struct ring_completion *completion, bool sync)
{
	struct mevent *event = &model.journal[model.journal_count];

	MODEL_ASSERT(model.journal_count < MODEL_EVENTS, "too many completions in one go");
	model.journal_count++;
	*event = (struct mevent){ .process = process, .completion = *completion, .sync = sync };
	event->step = step_of(process, completion);
	event->now_ns = machine_now_ns();
	if (is_receive(ring, completion))
		event->call = delivered(completion->id);      /* NULL: it is an event */
}

/* What the kernel has written to the ring since it was last looked at. */
static void ring_look(const struct ring *ring, struct mproc *process)
{
	const struct ring_completion *reply = (const struct ring_completion *)(const void *)&ring
							      ->header->reply_user_data;

	for (; process->cq_journal != ring->cq_tail; process->cq_journal++)
		event_add(ring, process, &ring->cq[process->cq_journal % RING_CQ_ENTRIES], false);
	if (process->sync_sent && reply->user_data == process->sync_sent) {
		process->sync_sent = 0;
		event_add(ring, process, reply, true);
	}
}

/* The direct way of calls writes to rings with the lock of an endpoint alone. */
static void endpoint_unlocked(void)
{
	for (struct list *link = process_tree.next; link != &process_tree; link = link->next) {
		const struct process *kernel = container_of(link, struct process, tree_link);
		const struct thread *thread = process_next_thread(kernel, NULL);
		struct mproc *process = process_of(kernel);

		if (process && thread && process->ring == thread->ring)
			ring_look(process->ring, process);
	}
}

void journal_unlocked(struct spinlock *lock)
{
	const struct ring *ring = container_of(lock, struct ring, lock);
	struct mproc *process;

	if (lock->rank == LOCK_RANK_ENDPOINT)
		endpoint_unlocked();
	if (lock->rank != LOCK_RANK_RING)
		return;
	process = process_of(ring->process);
	if (process && process->ring)
		ring_look(ring, process);
}

void journal_begin(struct mproc *process, uint32_t entries)
{
	MODEL_ASSERT(model.journal_count == 0, "a completion was not looked at");
	journal.process = process;
	journal.base = process->ring->sq_head;
	journal.last = entries;
	journal.over = false;
}

void journal_batch_done(void)
{
	/* The outcome of a SYNC entry that needs not wait is written without a lock. */
	if (journal.process && !journal.over)
		ring_look(journal.process->ring, journal.process);
	journal.over = true;
}

/* --- Reading ------------------------------------------------------------------------------------
 */

struct mevent *event_next(const struct mproc *process)
{
	for (uint32_t i = 0; i < model.journal_count; i++) {
		struct mevent *event = &model.journal[i];

		if (event->process == process && !event->taken)
			return event->step <= model.step ? event : NULL;
	}
	return NULL;
}

struct mevent *event_of(const struct mproc *process, uint64_t user_data, bool sync)
{
	for (uint32_t i = 0; i < model.journal_count; i++) {
		struct mevent *event = &model.journal[i];

		if (event->process == process && !event->taken && event->step <= model.step &&
				event->sync == sync && event->completion.user_data == user_data)
			return event;
	}
	return NULL;
}

/* A completion has been accounted for. Details are left out of the course: they may name ledgers,
 * which are numbered for ever. */
void event_take(struct mevent *event)
{
	const struct ring_completion *completion = &event->completion;
	const uint64_t words[] = { event->process->actor->number, completion->user_data,
		(uint64_t)(uint32_t)completion->status,
		(uint64_t)completion->flags << 32 | completion->cap_count, completion->msg_words,
		completion->id };

	struct mquestion *question = &event->process->q[actor_question_of(completion->user_data) %
			RING_QUESTIONS];

	event->taken = true;
	if (question->state == MQ_KEPT && question->entry.user_data == completion->user_data)
		question->answer = *completion;
	if (!event->sync)
		event->process->cq_seen++;
	for (uint32_t i = 0; i < ARRAY_LEN(words); i++)
		model.course = (model.course ^ words[i]) * 0x100000001b3ull;
}

void journal_forget(const struct mproc *process)
{
	for (uint32_t i = 0; i < model.journal_count; i++)
		model.journal[i].taken |= model.journal[i].process == process;
	if (journal.process == process)
		journal.process = NULL;
}

void journal_end(void)
{
	for (uint32_t i = 0; i < model.journal_count; i++)
		MODEL_ASSERT(model.journal[i].taken,
				"process %u: a completion that nothing allows: status %d, of 0x%lx",
				model.journal[i].process->id, model.journal[i].completion.status,
				model.journal[i].completion.user_data);
	model.journal_count = 0;
	journal.process = NULL;
}
