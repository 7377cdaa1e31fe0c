/*
 * The byte-stream double: see stream_transport.h. Frames are written to one of two queues and read
 * when they are complete; each end looks only at its queue. Nothing runs in the background: the far
 * end works while the near end waits.
 */
#include "tests/capnp/stream_transport.h"

#include <string.h>

#define QUEUE_BYTES   65536u
#define MESSAGE_WORDS 512u
#define CAPS_MAX      8u
#define QUESTIONS_MAX 16u
#define EXPORTS_MAX   32u

enum frame_kind { FRAME_CALL, FRAME_ANSWER, FRAME_RELEASE, FRAME_HOLD, FRAME_CANCEL };

struct frame {
	uint32_t kind;
	uint32_t question;
	uint32_t target;
	int32_t status;
	uint64_t interface_id;
	uint32_t method;
	uint32_t given;                 /* bit i: capability i moves */
	uint32_t cap_count;
	uint32_t words;
	uint32_t caps[CAPS_MAX];
	uint64_t message[MESSAGE_WORDS];
};
#define FRAME_HEAD offsetof(struct frame, message)

struct queue {
	uint8_t bytes[QUEUE_BYTES];
	uint32_t count;
};

static struct queue to_far;
static struct queue to_near;

static void queue_write(struct queue *queue, const struct frame *frame)
{
	uint32_t bytes = (uint32_t)FRAME_HEAD + frame->words * 8;

	memcpy(queue->bytes + queue->count, frame, bytes);
	queue->count += bytes;
}

static bool queue_read(struct queue *queue, struct frame *frame)
{
	uint32_t bytes;

	if (queue->count < FRAME_HEAD)
		return false;
	memcpy(frame, queue->bytes, FRAME_HEAD);
	bytes = (uint32_t)FRAME_HEAD + frame->words * 8;
	if (queue->count < bytes)
		return false;
	memcpy(frame, queue->bytes, bytes);
	queue->count -= bytes;
	memmove(queue->bytes, queue->bytes + bytes, queue->count);
	return true;
}

/* --- The far end ----------------------------------------------------------------------------- */

struct export {
	struct worker *worker;
	uint32_t holders;
	struct call *running; /* a stream call that is deferred: others wait */
	struct call *first_waiting;
	struct frame broken; /* the answer of a stream call that failed; status OK: none */
};

struct call {
	struct frame frame;
	struct capnp_message params;
	struct capnp_builder results;
	struct capnp_cap_slot in_caps[CAPS_MAX];
	struct capnp_cap_slot out_caps[CAPS_MAX];
	uint64_t words[MESSAGE_WORDS];
	bool is_used;
	bool is_deferred;
	bool is_stream;
	bool has_reason;
	bool is_holder; /* of the worker that it is made to */
	struct call *next_waiting;
};

static struct export exports[EXPORTS_MAX];
static struct call calls[QUESTIONS_MAX];

struct capnp_message *call_params(struct call *call)
{
	return &call->params;
}

struct capnp_builder *call_results(struct call *call)
{
	return &call->results;
}

static void export_release(uint32_t id)
{
	if (id < EXPORTS_MAX && exports[id].worker != NULL && --exports[id].holders == 0) {
		worker_drop(exports[id].worker);
		exports[id].worker = NULL;
	}
}

static uint32_t export_add(struct worker *worker)
{
	for (uint32_t i = 1; i < EXPORTS_MAX; i++) {
		if (exports[i].worker == NULL) {
			exports[i] = (struct export){ .worker = worker, .holders = 1 };
			return i;
		}
	}
	return 0;
}

struct capnp_cap worker_host_export(struct call *call, struct worker *worker)
{
	return capnp_builder_add_cap(&call->results,
			(struct capnp_cap_slot){ .id = export_add(worker) });
}

struct worker *worker_host_find(struct call *call, struct capnp_cap cap)
{
	const struct capnp_cap_slot *slot = capnp_cap_slot(&call->params, cap);

	return slot != NULL && slot->id < EXPORTS_MAX ? exports[slot->id].worker : NULL;
}

void worker_host_defer(struct call *call)
{
	call->is_deferred = true;
}

void worker_host_reason(struct call *call, struct capnp_text reason)
{
	struct capnp_struct_builder exception = capnp_init_struct(capnp_init_root(&call->results), 0, 1);

	capnp_set_text(capnp_pointer_builder(exception, 0), reason);
	call->has_reason = true;
}

static void far_dispatch(struct call *call);

static struct export *export_of(const struct call *call)
{
	return &exports[call->frame.target % EXPORTS_MAX];
}

void call_stream_entered(struct call *call)
{
	call->is_stream = true;
}

status_t call_stream_left(struct call *call, status_t status)
{
	if (call->is_deferred && call->is_used)
		export_of(call)->running = call;
	return status;
}

/* The call is over for this end. */
static void call_end(struct call *call)
{
	call->is_used = false;
	if (call->is_holder)
		export_release(call->frame.target);
}

/* What waited for a stream call to the same worker goes on. */
static void export_resume(struct export *export)
{
	while (export->running == NULL && export->first_waiting != NULL) {
		struct call *call = export->first_waiting;

		export->first_waiting = call->next_waiting;
		far_dispatch(call);
	}
}

static void stream_answered(
		struct export *export, const struct call *call, const struct frame *answer)
{
	if (export->running == call)
		export->running = NULL;
	if (answer->status != STATUS_OK && answer->status != STATUS_CANCELLED &&
			export->broken.status == STATUS_OK)
		export->broken = *answer;
	export_resume(export);
}

void worker_host_answer(struct call *call, status_t status)
{
	struct frame answer = { .kind = FRAME_ANSWER, .question = call->frame.question,
		.status = status };

	if (status == STATUS_OK && call->params.status != CAPNP_OK)
		answer.status = call->params.status;
	if (answer.status == STATUS_OK && call->results.status != CAPNP_OK)
		answer.status = STATUS_REPLY_TOO_LARGE;
	if (answer.status == STATUS_OK || call->has_reason) {
		answer.words = call->results.used;
		memcpy(answer.message, call->words, answer.words * 8);
		answer.cap_count = call->results.cap_count;
	}
	for (uint32_t i = 0; i < call->results.cap_count; i++) {
		answer.caps[i] = call->out_caps[i].id;
		if (answer.status != STATUS_OK)
			export_release(answer.caps[i]);
	}
	for (uint32_t i = 0; i < call->frame.cap_count; i++)
		if ((call->frame.given >> i & 1) != 0)
			export_release(call->frame.caps[i]);
	queue_write(&to_near, &answer);
	if (call->is_stream)
		stream_answered(export_of(call), call, &answer);
	call_end(call);
}

/* A stream that has failed: every call answers as the one did that failed. */
static void far_refuse(struct call *call, const struct frame *broken)
{
	struct frame answer = *broken;

	answer.question = call->frame.question;
	queue_write(&to_near, &answer);
	call_end(call);
}

static void far_dispatch(struct call *call)
{
	struct export *target = export_of(call);
	status_t status = STATUS_BAD_CAPABILITY;

	if (target->worker != NULL && target->broken.status != STATUS_OK) {
		far_refuse(call, &target->broken);
		return;
	}
	if (target->worker != NULL)
		status = worker_dispatch(&worker_handlers, target->worker, call,
				call->frame.interface_id, (uint16_t)call->frame.method);
	if (!call->is_deferred)
		worker_host_answer(call, status);
}

static void far_wait(struct export *target, struct call *call)
{
	struct call **link = &target->first_waiting;

	while (*link != NULL)
		link = &(*link)->next_waiting;
	*link = call;
}

static void far_call(const struct frame *frame)
{
	struct call *call = &calls[frame->question];
	struct export *target = &exports[frame->target % EXPORTS_MAX];

	memset(call, 0, sizeof(*call));
	call->frame = *frame;
	call->is_used = true;
	for (uint32_t i = 0; i < frame->cap_count; i++)
		call->in_caps[i].id = frame->caps[i];
	capnp_message_init(&call->params, call->frame.message, frame->words, call->in_caps,
			frame->cap_count);
	capnp_builder_init(&call->results, call->words, MESSAGE_WORDS, call->out_caps, CAPS_MAX);
	if (target->worker != NULL) {
		call->is_holder = true;
		target->holders++;
	}
	if (target->running != NULL)
		far_wait(target, call);
	else
		far_dispatch(call);
}

static void far_cancel(uint32_t question)
{
	struct call **link = &export_of(&calls[question])->first_waiting;

	if (!calls[question].is_used)
		return;
	while (*link != NULL && *link != &calls[question])
		link = &(*link)->next_waiting;
	if (*link != NULL)
		*link = calls[question].next_waiting;
	worker_forget(&calls[question]);
	worker_host_answer(&calls[question], STATUS_CANCELLED);
}

static void far_run(void)
{
	static struct frame frame;

	while (queue_read(&to_far, &frame)) {
		switch ((enum frame_kind)frame.kind) {
		case FRAME_CALL:
			far_call(&frame);
			break;
		case FRAME_RELEASE:
			export_release(frame.target);
			break;
		case FRAME_HOLD:
			exports[frame.target].holders++;
			break;
		case FRAME_CANCEL:
			far_cancel(frame.question);
			break;
		case FRAME_ANSWER:
			break;
		}
	}
}

/* --- The near end ---------------------------------------------------------------------------- */

enum question_state { QUESTION_FREE, QUESTION_BEGUN, QUESTION_SENT, QUESTION_ANSWERED };

struct question {
	enum question_state state;
	struct client_begin what;
	struct frame call;
	struct frame answer;
	struct capnp_builder params;
	struct capnp_message results;
	struct capnp_cap_slot put[CAPS_MAX];
	struct capnp_cap_slot got[CAPS_MAX];
	bool is_taken[CAPS_MAX];
	bool is_done;                   /* before the answer came */
	status_t put_failure;           /* what a parameter stands on has failed */
	client_then_fn *then;
	void *then_arg;
};

static struct question questions[QUESTIONS_MAX];
static int32_t held;
static struct transport transport;
static struct client_scalars scalars;

static void target_send(enum frame_kind kind, uint32_t target)
{
	struct frame frame = { .kind = kind, .target = target };

	queue_write(&to_far, &frame);
}

static void near_release(struct transport *t, uint32_t target)
{
	held--;
	target_send(FRAME_RELEASE, target);
}

static status_t near_copy(struct transport *t, uint32_t target, uint32_t *copy)
{
	held++;
	target_send(FRAME_HOLD, target);
	*copy = target;
	return STATUS_OK;
}

static status_t near_begin(struct transport *t, const struct client_begin *what, uint32_t *question)
{
	for (uint32_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *q = &questions[i];

		if (q->state != QUESTION_FREE)
			continue;
		memset(q, 0, sizeof(*q));
		q->state = QUESTION_BEGUN;
		q->what = *what;
		capnp_builder_init(&q->params, q->call.message, what->params_words < MESSAGE_WORDS ?
				what->params_words : MESSAGE_WORDS, q->put, CAPS_MAX);
		*question = i;
		return STATUS_OK;
	}
	return STATUS_OVERLOADED;
}

static struct capnp_builder *near_params(struct transport *t, uint32_t question)
{
	return &questions[question].params;
}

static void question_end(struct question *q)
{
	for (uint32_t i = 0; i < q->answer.cap_count; i++)
		if (!q->is_taken[i])
			near_release(&transport, q->answer.caps[i]);
	q->state = QUESTION_FREE;
}

static void answer_take(const struct frame *frame)
{
	struct question *q = &questions[frame->question];

	q->answer = *frame;
	q->state = QUESTION_ANSWERED;
	held += (int32_t)frame->cap_count;
	for (uint32_t i = 0; i < frame->cap_count; i++)
		q->got[i].id = frame->caps[i];
	capnp_message_init(&q->results, q->answer.message, frame->words, q->got, frame->cap_count);
	if (q->is_done) {
		question_end(q);
	} else if (q->then != NULL) {
		struct client_call call = { .transport = &transport, .question = frame->question,
			.status = frame->status };

		q->then(q->then_arg, &call);
	}
}

static void near_run(void)
{
	static struct frame frame;

	far_run();
	while (queue_read(&to_near, &frame))
		answer_take(&frame);
}

void client_host_run(void)
{
	near_run();
}

static status_t near_wait(struct transport *t, uint32_t question)
{
	struct question *q = &questions[question];

	/* The far end does all that it can in one go: what is not answered then waits for us. */
	near_run();
	return q->state == QUESTION_ANSWERED ? q->answer.status : STATUS_GONE;
}

/* As with near_wait, what the far end does not answer now it never will: waiting without end is over too. */
static bool near_await(
		struct transport *t, uint32_t question, uint32_t together, uint64_t deadline_ns)
{
	if (deadline_ns != CLIENT_NO_WAIT)
		near_run();
	return questions[question].state == QUESTION_ANSWERED || deadline_ns == 0;
}

static bool near_is_answered(struct transport *t, uint32_t question)
{
	near_run();
	return questions[question].state == QUESTION_ANSWERED;
}

static struct capnp_message *near_results(struct transport *t, uint32_t question)
{
	struct question *q = &questions[question];

	return q->state == QUESTION_ANSWERED && q->answer.words > 0 ? &q->results : NULL;
}

/* The capability that a reference means, once the answer that it stands on is there. */
static status_t ref_resolve(const struct client_ref *ref, uint32_t *target)
{
	struct capnp_message results;
	struct capnp_any any;
	struct capnp_cap cap;
	status_t status;

	*target = ref->target;
	if (ref->question == CLIENT_NO_QUESTION)
		return STATUS_OK;
	status = near_wait(ref->transport, ref->question);
	if (status != STATUS_OK)
		return status;
	/* A copy: walking there again and again does not use up what may be read. */
	results = questions[ref->question].results;
	any = capnp_root(&results);
	for (uint32_t i = 0; i < ref->path_len; i++)
		any = capnp_pointer(capnp_any_struct(any), ref->path[i]);
	cap = capnp_any_cap(any);
	if (capnp_cap_is_null(cap) || questions[ref->question].is_taken[cap.index])
		return STATUS_BAD_CAPABILITY;
	*target = questions[ref->question].got[cap.index].id;
	return STATUS_OK;
}

static struct capnp_cap near_put(struct transport *t, uint32_t question, const struct client_ref *ref,
		bool is_given)
{
	struct question *q = &questions[question];
	uint32_t target;
	status_t status = ref_resolve(ref, &target);

	if (status != STATUS_OK) {
		q->put_failure = status;
		return CAPNP_CAP_NULL;
	}
	if (is_given)
		q->call.given |= 1u << q->params.cap_count;
	return capnp_builder_add_cap(&q->params, (struct capnp_cap_slot){ .id = target });
}

static status_t near_send(struct transport *t, uint32_t question, uint64_t deadline_ns)
{
	struct question *q = &questions[question];
	status_t status = ref_resolve(&q->what.target, &q->call.target);

	if (status == STATUS_OK)
		status = q->put_failure;
	if (status != STATUS_OK)
		return status;
	q->call.kind = FRAME_CALL;
	q->call.question = question;
	q->call.interface_id = q->what.interface_id;
	q->call.method = q->what.method;
	q->call.words = q->params.used;
	q->call.cap_count = q->params.cap_count;
	for (uint32_t i = 0; i < q->params.cap_count; i++)
		q->call.caps[i] = q->put[i].id;
	held -= __builtin_popcount(q->call.given);
	queue_write(&to_far, &q->call);
	q->state = QUESTION_SENT;
	return STATUS_OK;
}

static status_t near_take(struct transport *t, uint32_t question, struct capnp_cap cap,
		uint32_t *target)
{
	struct question *q = &questions[question];

	if (q->state != QUESTION_ANSWERED || cap.index >= q->answer.cap_count || q->is_taken[cap.index])
		return STATUS_BAD_CAPABILITY;
	q->is_taken[cap.index] = true;
	*target = q->answer.caps[cap.index];
	return STATUS_OK;
}

static status_t near_then(struct transport *t, uint32_t question, client_then_fn *then, void *arg)
{
	questions[question].then = then;
	questions[question].then_arg = arg;
	return STATUS_OK;
}

static void near_cancel(struct transport *t, uint32_t question)
{
	struct frame frame = { .kind = FRAME_CANCEL, .question = question };

	if (questions[question].state == QUESTION_SENT)
		queue_write(&to_far, &frame);
}

static void near_done(struct transport *t, uint32_t question)
{
	struct question *q = &questions[question];

	if (q->state == QUESTION_SENT) {
		near_cancel(t, question);
		q->is_done = true;
		near_run();
	} else {
		question_end(q);
	}
}

static const struct transport_ops ops = {
	.begin = near_begin,
	.params = near_params,
	.put = near_put,
	.send = near_send,
	.wait = near_wait,
	.ask_scalars = client_ask_in_parts,
	.await = near_await,
	.is_answered = near_is_answered,
	.results = near_results,
	.take = near_take,
	.then = near_then,
	.cancel = near_cancel,
	.done = near_done,
	.copy = near_copy,
	.release = near_release,
};

struct worker_ref stream_connect(void)
{
	for (uint32_t i = 0; i < EXPORTS_MAX; i++)
		while (exports[i].worker != NULL)
			export_release(i);
	memset(questions, 0, sizeof(questions));
	to_far.count = 0;
	to_near.count = 0;
	held = 1;
	transport.ops = &ops;
	transport.scalars = &scalars;
	return (struct worker_ref){ client_ref_of(&transport, export_add(worker_make(capnp_text("root")))) };
}

uint32_t stream_held(void)
{
	near_run();
	return (uint32_t)held;
}

uint32_t stream_questions(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < QUESTIONS_MAX; i++)
		count += questions[i].state != QUESTION_FREE;
	return count;
}
