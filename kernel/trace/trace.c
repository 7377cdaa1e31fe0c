/*
 * From what happens to records in the rings of those who trace; see trace.h. Called under whatever locks the event happens
 * under, so it takes only trace_lock, calls nothing that could wait or allocate, and touches no object but reads it.
 * Always true: trace_kinds is the union of the kinds of the sessions that record; a session that is not in `sessions` is
 * written by nobody.
 */
#include "kernel/trace/trace.h"

#include "kernel/arch/arch.h"
#include "kernel/cap/transfer.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"
#include "kernel/trace/session.h"

#define KIND_BIT(kind) (1u << (kind))

uint32_t trace_kinds;
struct spinlock trace_lock = SPINLOCK_INIT(LOCK_RANK_TRACE, "trace");
static struct trace_session *sessions[TRACE_SESSIONS_MAX];
static uint64_t last_call;        /* number of the call that was numbered last */
static uint64_t first_call;       /* the first since tracing was last switched on */

/* --- Sessions ----------------------------------------------------------------------------------- */

static void kinds_update(void)
{
	uint32_t kinds = 0;

	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX; i++)
		kinds |= sessions[i] ? sessions[i]->kinds : 0;
	if (trace_kinds == 0)
		first_call = last_call + 1;
	trace_kinds = kinds;
}

bool trace_session_begin(struct trace_session *session)
{
	DEBUG_ASSERT(session->kinds != 0);
	spin_lock(&trace_lock);
	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX && !session->recording; i++) {
		if (!sessions[i]) {
			sessions[i] = session;
			session->recording = true;
		}
	}
	kinds_update();
	spin_unlock(&trace_lock);
	return session->recording;
}

void trace_session_end(struct trace_session *session)
{
	spin_lock(&trace_lock);
	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX; i++) {
		if (sessions[i] == session)
			sessions[i] = NULL;
	}
	session->recording = false;
	kinds_update();
	spin_unlock(&trace_lock);
}

/* --- Writing ------------------------------------------------------------------------------------ */

static void record_write(struct trace_record *record, const uint64_t *payload, uint32_t words)
{
	uint32_t processor = arch_cpu()->number;

	if (!(trace_kinds & KIND_BIT(record->kind)))
		return;
	record->time_ns = arch_time_ns();
	record->processor = (uint8_t)processor;
	spin_lock(&trace_lock);
	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX; i++) {
		if (sessions[i] && (sessions[i]->kinds & KIND_BIT(record->kind)))
			trace_ring_put(&sessions[i]->rings[processor], record, payload, words);
	}
	spin_unlock(&trace_lock);
}

/* A number from before the tracing of today is none. */
static uint64_t number_of(uint64_t call)
{
	return call >= first_call ? call : 0;
}

static bool is_call(const struct question *question)
{
	return question->entry.op == CAP_OP_CALL;
}

/* --- Calls -------------------------------------------------------------------------------------- */

static struct trace_record record_of_entry(const struct ring *ring, const struct ring_entry *entry, enum trace_kind kind)
{
	return (struct trace_record){ .kind = (uint16_t)kind, .process = ring->process->id,
			.within = number_of(ring->trace_within), .interface = entry->interface, .method = entry->method,
			.words = entry->msg_words, .capabilities = entry->cap_count, .question = entry->question };
}

void trace_record_call(struct question *call, const struct process *server)
{
	struct ring *ring = call->ring;
	struct trace_record record = record_of_entry(ring, &call->entry, TRACE_KIND_CALL);

	if (!is_call(call))
		return;      /* a forward: the call has its number already */
	call->trace_call = __atomic_add_fetch(&last_call, 1, __ATOMIC_RELAXED);
	record.call = call->trace_call;
	record.other = server ? server->id : 0;
	record.detail = call->kind == QUESTION_CALL;
	record_write(&record, ring->words + call->entry.msg_off, call->entry.msg_words);
}

void trace_record_refusal(struct ring *ring, const struct ring_entry *entry, status_t status)
{
	struct trace_record record = record_of_entry(ring, entry, TRACE_KIND_REFUSED);

	record.status = status;
	record_write(&record, NULL, 0);
}

void trace_record_delivery(const struct question *call, const struct ring_entry *entry, struct ring *from, struct ring *server)
{
	struct trace_record record = { .kind = TRACE_KIND_DELIVERY, .process = server->process->id,
			.call = number_of(call->trace_call), .other = from->process->id, .interface = entry->interface,
			.method = entry->method, .words = entry->msg_words, .capabilities = entry->cap_count };

	record.within = record.call;
	if (from != call->ring && from->trace_within == call->trace_call)
		from->trace_within = 0;      /* who forwards a call serves it no more */
	server->trace_within = record.call;
	record_write(&record, NULL, 0);
}

void trace_record_answer(const struct question *call, struct ring *server, const uint64_t *message,
		const struct ring_completion *outcome)
{
	struct trace_record record;

	if (!is_call(call))
		return;      /* a wait */
	record = (struct trace_record){ .kind = TRACE_KIND_ANSWER, .call = number_of(call->trace_call),
			.process = server ? server->process->id : 0, .other = call->ring->process->id,
			.interface = call->entry.interface, .method = call->entry.method, .status = outcome->status,
			.words = (uint16_t)outcome->msg_words, .capabilities = (uint8_t)outcome->cap_count };

	record.within = record.call;
	if (server && server->trace_within == call->trace_call)
		server->trace_within = 0;
	record_write(&record, message, outcome->msg_words);
}

void trace_record_completion(struct question *question, const struct ring_completion *outcome)
{
	struct trace_record record = { .kind = TRACE_KIND_COMPLETION, .process = question->ring->process->id,
			.within = number_of(question->ring->trace_within), .question = question->number,
			.status = outcome->status };

	if (is_call(question)) {
		record.call = number_of(question->trace_call);
		record.interface = question->entry.interface;
		record.method = question->entry.method;
	}
	question->trace_call = 0;
	record_write(&record, NULL, 0);
}

void trace_record_transfer(const struct question *call, uint32_t from, uint32_t to, uint64_t interface, bool moved)
{
	struct trace_record record = { .kind = TRACE_KIND_TRANSFER, .process = from, .other = to,
			.call = number_of(call->trace_call), .interface = interface, .detail = moved };

	record.within = record.call;
	record_write(&record, NULL, 0);
}

void trace_record_transfers(const struct question *call, const struct ring *from, const struct ring *to,
		const struct transfer_item *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].object)
			trace_record_transfer(call, from->process->id, to->process->id, items[i].facet->rows[0].id,
					items[i].moving_id != 0);
	}
}

/* --- Processors and processes -------------------------------------------------------------------- */

void trace_record_switch(const struct thread *from, const struct thread *to)
{
	struct trace_record record = { .kind = TRACE_KIND_SWITCH, .process = from ? from->process->id : 0,
			.other = to ? to->process->id : 0 };

	record_write(&record, NULL, 0);
}

void trace_record_fault(const struct thread *thread, uint32_t vector, uint64_t address)
{
	struct trace_record record = { .kind = TRACE_KIND_FAULT, .process = thread->process->id,
			.within = number_of(thread->ring->trace_within), .status = (status_t)vector, .detail = address };

	record_write(&record, NULL, 0);
}

/* Sessions outlive processes and want to tell their names. */
static void remember_ended(const struct process *process)
{
	spin_lock(&trace_lock);
	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX; i++) {
		struct trace_ended *ended;

		if (!sessions[i])
			continue;
		ended = &sessions[i]->ended[sessions[i]->ended_count++ % TRACE_ENDED_MAX];
		ended->id = process->id;
		memcpy(ended->name, process->name, sizeof(ended->name));
	}
	spin_unlock(&trace_lock);
}

void trace_record_process(const struct process *process, enum trace_kind kind)
{
	struct trace_record record = { .kind = (uint16_t)kind, .process = process->id, .other = process->parent_id };

	if (kind == TRACE_KIND_PROCESS_END) {
		record.status = (status_t)process->end_state;
		record.detail = (uint64_t)process->end_status;
		remember_ended(process);
	}
	record_write(&record, NULL, 0);
}
