/*
 * What generated typed clients are made of: references, calls, and the table of functions by which a
 * transport (the ring of lib/rt, a byte stream) carries them.
 *
 * A reference names a capability, or the place in an answer where one will be. A call is a value
 * and may be moved; the transport keeps its state under the question number. Setters and starts
 * return nothing: a failure latches in the call and surfaces once, at wait.
 *
 * Always true:
 *  - each call that was begun is ended by client_done, whatever happened meanwhile;
 *  - results and references into them are borrowed and end with client_done; what was not taken is
 *    released then;
 *  - capabilities given with client_give stay the sender's if the call is not sent.
 */
#ifndef CAPNP_CLIENT_H
#define CAPNP_CLIENT_H

#include "capnp/capnp.h"
#include "compiler.h"
#include "status.h"

STATIC_ASSERT(CAPNP_OK == STATUS_OK);
STATIC_ASSERT(CAPNP_BAD_MESSAGE == STATUS_BAD_MESSAGE);
STATIC_ASSERT(CAPNP_TOO_LARGE == STATUS_TOO_LARGE);

#define CLIENT_PATH_MAX     4u
#define CLIENT_NO_QUESTION  UINT32_MAX

/* Words for parameters where the caller does not say. */
#define CLIENT_PARAMS_WORDS 128u

/* A time that has passed, for transport_ops.await: look, and do not even enter the kernel. */
#define CLIENT_NO_WAIT 1u

/* No capability can be in the results: the transport need not keep room for any. */
#define CLIENT_PLAIN_RESULTS 0x100u

/* The longest messages of a scalar call (see below): its parameters, and what it offers for results. */
#define CLIENT_SCALAR_PARAMS_WORDS  CAPNP_SCALARS_WORDS
#define CLIENT_SCALAR_RESULTS_WORDS CAPNP_REPLY_WORDS_DEFAULT

struct transport;
struct client_call;

/* A capability (question is CLIENT_NO_QUESTION), or what the answer to `question` has at `path`.
 * transport NULL: no capability. */
struct client_ref {
	struct transport *transport;
	uint32_t target;
	uint32_t question;
	uint8_t path_len;
	uint16_t path[CLIENT_PATH_MAX];
};

struct client_call {
	struct transport *transport;
	uint64_t deadline_ns;           /* absolute, monotonic; 0 none; set it before sending */
	uint32_t question;              /* CLIENT_NO_QUESTION: nothing was begun */
	status_t status;                /* the first failure; STATUS_OK so far */
};

/* What to call, for transport_ops.begin. */
struct client_begin {
	struct client_ref target;
	uint64_t interface_id;
	uint16_t method;
	uint16_t flags;                 /* CAPNP_METHOD_*, CLIENT_* */
	uint32_t params_words;          /* that the parameters may take */
	uint32_t reply_words;           /* offered for the results */
};

/*
 * A method whose parameters and results are nothing but scalars. Blocking calls of such methods take
 * a way of their own: the parameters are built where the transport sends them from, one function
 * asks, and the results are read at fixed offsets. See client_scalar_params.
 */
struct client_scalar_method {
	uint64_t interface_id;
	uint64_t results_root;          /* the results' root pointer, from a server of the same age */
	uint16_t method;
	uint16_t flags;                 /* CAPNP_METHOD_* */
	uint16_t params_words;          /* of their message: a pointer and data */
	uint16_t results_words;         /* of their data */
};

/* Messages of the one scalar call that a thread can be in; between calls nobody's. */
struct client_scalars {
	uint64_t params[CLIENT_SCALAR_PARAMS_WORDS];
	uint64_t results[CLIENT_SCALAR_RESULTS_WORDS];
};

/* Runs once when the answer is there; ends the call with client_done. */
typedef void client_then_fn(void *arg, struct client_call *call);

/*
 * A transport. Each function gets the transport and the number of a question that `begin` reserved
 * and `done` has not ended.
 */
struct transport_ops {
	/* Reserves a question and space for its parameters. Fails with STATUS_OVERLOADED when there
	 * is none. Does not wait. */
	status_t (*begin)(struct transport *transport, const struct client_begin *what,
			uint32_t *question);
	/* The parameters to fill in, between begin and send. */
	struct capnp_builder *(*params)(struct transport *transport, uint32_t question);
	/* Enters a capability of this transport in the question's parameters: a copy, or (is_given)
	 * the capability itself. What a pipelined reference stands for is copied when it has come: the call waits
	 * for that, or put does. */
	struct capnp_cap (*put)(struct transport *transport, uint32_t question,
			const struct client_ref *ref, bool is_given);
	/* Sends. A pipelined target may make it wait for the answer that it stands on. */
	status_t (*send)(struct transport *transport, uint32_t question, uint64_t deadline_ns);
	/* Waits until answered; STATUS_OK, the exception or the transport's failure. Repeatable. */
	status_t (*wait)(struct transport *transport, uint32_t question);
	/* Send, wait and results in one: *results is the answer's message where there is one. NULL: the
	 * transport has no shorter way than these three. */
	status_t (*ask)(struct transport *transport, uint32_t question, uint64_t deadline_ns,
			struct capnp_message **results);
	/* Sends the scalar parameters to a capability, waits, and has the results stand in the
	 * transport's scalars as client_scalar_fit leaves them. client_ask_in_parts does it for
	 * any transport. */
	status_t (*ask_scalars)(struct transport *transport, uint32_t target,
			const struct client_scalar_method *method);
	/* Waits until answered or until the absolute time (0: none); whether it is answered.
	 * `together` is how many questions of the caller, this one among them, are still to be
	 * answered before it goes on anyway, so that it need not be woken for each; 0 and 1 say
	 * nothing. */
	bool (*await)(struct transport *transport, uint32_t question, uint32_t together,
			uint64_t deadline_ns);
	/* Whether wait would not wait; hands over what was sent. */
	bool (*is_answered)(struct transport *transport, uint32_t question);
	/* The answer's message after wait: results, or the Exception; NULL when there is none. */
	struct capnp_message *(*results)(struct transport *transport, uint32_t question);
	/* The kernel's word for why it ended the question, after wait; 0: none. NULL: the transport
	 * never has one. */
	uint64_t (*detail)(struct transport *transport, uint32_t question);
	/* Moves a capability out of the answer to the caller; once for each. */
	status_t (*take)(struct transport *transport, uint32_t question, struct capnp_cap cap,
			uint32_t *target);
	/* Has `then` run, from the transport's event loop, when the answer is there. */
	status_t (*then)(struct transport *transport, uint32_t question, client_then_fn *then,
			void *arg);
	/* Asks that the call end early; it still is to be waited for and done. */
	void (*cancel)(struct transport *transport, uint32_t question);
	/* Ends the question: cancels it if unanswered, releases what was not taken. */
	void (*done)(struct transport *transport, uint32_t question);
	/* One more holder of the same capability. */
	status_t (*copy)(struct transport *transport, uint32_t target, uint32_t *copy);
	void (*release)(struct transport *transport, uint32_t target);
};

struct transport {
	const struct transport_ops *ops;
	struct client_scalars *scalars;
};

/* --- References ------------------------------------------------------------------------------ */

static inline struct client_ref client_ref_of(struct transport *transport, uint32_t target)
{
	return (struct client_ref){ .transport = transport, .target = target,
		.question = CLIENT_NO_QUESTION };
}

static inline bool client_ref_is_null(struct client_ref ref)
{
	return ref.transport == NULL;
}

static inline bool client_ref_is_pipelined(struct client_ref ref)
{
	return ref.question != CLIENT_NO_QUESTION && ref.transport != NULL;
}

/* Gives up a capability. Nothing happens for a null or pipelined reference (its call's). */
static inline void client_release(struct client_ref ref)
{
	if (ref.transport != NULL && !client_ref_is_pipelined(ref))
		ref.transport->ops->release(ref.transport, ref.target);
}

/* Returns owned in `*copy`. The reference must be settled. */
static inline status_t client_copy(struct client_ref ref, struct client_ref *copy)
{
	uint32_t target;
	status_t status;

	*copy = (struct client_ref){ 0 };
	if (ref.transport == NULL || client_ref_is_pipelined(ref))
		return STATUS_BAD_CAPABILITY;
	status = ref.transport->ops->copy(ref.transport, ref.target, &target);
	if (status == STATUS_OK)
		*copy = client_ref_of(ref.transport, target);
	return status;
}

/* --- Calls ----------------------------------------------------------------------------------- */

static inline void client_fail(struct client_call *call, status_t status)
{
	if (call->status == STATUS_OK)
		call->status = status;
}

static inline struct client_call client_call_begin(const struct client_begin *what)
{
	struct transport *transport = what->target.transport;
	struct client_call call = { .transport = transport, .question = CLIENT_NO_QUESTION };

	if (transport == NULL)
		call.status = STATUS_BAD_CAPABILITY;
	else
		call.status = transport->ops->begin(transport, what, &call.question);
	if (call.status != STATUS_OK)
		call.question = CLIENT_NO_QUESTION;
	return call;
}

/* The builder of the parameters; NULL where begin failed. */
static inline struct capnp_builder *client_params(const struct client_call *call)
{
	if (call->question == CLIENT_NO_QUESTION)
		return NULL;
	return call->transport->ops->params(call->transport, call->question);
}

static inline struct capnp_cap client_put(struct client_call *call, struct client_ref ref,
		bool is_given)
{
	if (call->question == CLIENT_NO_QUESTION || client_ref_is_null(ref))
		return CAPNP_CAP_NULL;
	if (ref.transport != call->transport) {
		client_fail(call, STATUS_BAD_CAPABILITY);
		return CAPNP_CAP_NULL;
	}
	return call->transport->ops->put(call->transport, call->question, &ref, is_given);
}

/* A capability for a setter of the call's parameters: the receiver gets one, the caller keeps its. */
static inline struct capnp_cap client_cap(struct client_call *call, struct client_ref ref)
{
	return client_put(call, ref, false);
}

/* As client_cap; the caller's own goes when the call is sent. */
static inline struct capnp_cap client_give(struct client_call *call, struct client_ref ref)
{
	return client_put(call, ref, true);
}

static inline void client_send(struct client_call *call)
{
	struct capnp_builder *params = client_params(call);

	if (params == NULL)
		return;
	client_fail(call, params->status);
	if (call->status == STATUS_OK)
		client_fail(call, call->transport->ops->send(call->transport, call->question,
				call->deadline_ns));
}

static inline status_t client_wait(struct client_call *call)
{
	if (call->status == STATUS_OK)
		client_fail(call, call->transport->ops->wait(call->transport, call->question));
	return call->status;
}

/* Sends and waits; *results is the answer's message, NULL unless it answers STATUS_OK. */
static inline status_t client_ask(struct client_call *call, struct capnp_message **results)
{
	const struct transport_ops *ops;

	*results = NULL;
	if (unlikely(call->status != STATUS_OK))
		return call->status;
	ops = call->transport->ops;
	if (likely(ops->ask != NULL)) {
		call->status = ops->ask(call->transport, call->question, call->deadline_ns, results);
		return call->status;
	}
	client_send(call);
	if (client_wait(call) == STATUS_OK)
		*results = ops->results(call->transport, call->question);
	return call->status;
}

/* The same for results that are read later, until client_done. */
static inline status_t client_send_and_wait(struct client_call *call)
{
	struct capnp_message *results;

	return client_ask(call, &results);
}

static inline bool client_is_answered(const struct client_call *call)
{
	return call->status != STATUS_OK ||
		call->transport->ops->is_answered(call->transport, call->question);
}

/* The answer's root; a null pointer unless the call was waited for and has a message. */
static inline struct capnp_any client_results(const struct client_call *call)
{
	struct capnp_any any = { NULL, NULL };
	struct capnp_message *message;

	if (call->question == CLIENT_NO_QUESTION)
		return any;
	message = call->transport->ops->results(call->transport, call->question);
	return message != NULL ? capnp_root(message) : any;
}

static inline struct capnp_struct_reader client_results_struct(const struct client_call *call)
{
	struct capnp_any any = { NULL, NULL };

	return capnp_any_struct(call->status == STATUS_OK ? client_results(call) : any);
}

/* The root of an answer that mostly has this size (see capnp_root_struct); empty without one. */
static inline struct capnp_struct_reader client_message_sized(struct capnp_message *message,
		uint32_t data_words, uint32_t pointer_count)
{
	if (message == NULL)
		return (struct capnp_struct_reader){ 0 };
	return capnp_root_struct(message, data_words, pointer_count);
}

/* The same for the results of a call that was waited for. */
static inline struct capnp_struct_reader client_results_sized(const struct client_call *call,
		uint32_t data_words, uint32_t pointer_count)
{
	struct capnp_message *message = NULL;

	if (call->status == STATUS_OK && call->question != CLIENT_NO_QUESTION)
		message = call->transport->ops->results(call->transport, call->question);
	return client_message_sized(message, data_words, pointer_count);
}

/* Whether what was read from the results may be believed: how the call failed, STATUS_BAD_MESSAGE
 * when something was malformed or when there are no results, because nobody waited for them. */
static inline status_t client_results_status(const struct client_call *call)
{
	struct capnp_message *message = client_results(call).message;

	if (call->status != STATUS_OK)
		return call->status;
	return message != NULL ? message->status : STATUS_BAD_MESSAGE;
}

/* The server's own words for an exception; empty when it gave none. */
static inline struct capnp_text client_reason(const struct client_call *call)
{
	if (call->status <= STATUS_OK)
		return capnp_text_of("", 0);
	return capnp_any_text(capnp_pointer(capnp_any_struct(client_results(call)), 0));
}

/* Why the kernel ended the call, beside call->status: rt_detail of this call, for reason_into. 0 when
 * it did not say, when the server answered, and after client_done. */
static inline uint64_t client_detail(const struct client_call *call)
{
	if (call->question == CLIENT_NO_QUESTION || call->transport->ops->detail == NULL)
		return 0;
	return call->transport->ops->detail(call->transport, call->question);
}

/* The capability at pointer `index` of the results: pipelined before the answer, borrowed after. */
static inline struct client_ref client_pipeline(const struct client_call *call, uint16_t index)
{
	struct client_ref ref = { .transport = call->transport, .question = call->question,
		.path_len = 1, .path = { index } };

	if (call->question == CLIENT_NO_QUESTION)
		ref.transport = NULL;
	return ref;
}

/* What taking no capability answers: STATUS_OK if that is what the results have. */
static inline status_t client_take_none(struct client_call *call)
{
	const struct transport_ops *ops = call->transport->ops;

	if (call->question == CLIENT_NO_QUESTION ||
			ops->results(call->transport, call->question) == NULL)
		return STATUS_BAD_CAPABILITY;
	return client_wait(call);
}

/* Moves a capability of the results out of the call, once; null where the results have none. As long
 * as nobody waited for the call, and after client_done, it answers STATUS_BAD_CAPABILITY. */
static inline status_t client_take(struct client_call *call, struct capnp_cap cap,
		struct client_ref *out)
{
	uint32_t target;
	status_t status;

	*out = (struct client_ref){ 0 };
	if (call->status != STATUS_OK)
		return call->status;
	if (capnp_cap_is_null(cap))
		return client_take_none(call);
	status = call->transport->ops->take(call->transport, call->question, cap, &target);
	if (status == STATUS_OK)
		*out = client_ref_of(call->transport, target);
	return status;
}

static inline void client_then(struct client_call *call, client_then_fn *then, void *arg)
{
	if (call->status == STATUS_OK)
		client_fail(call, call->transport->ops->then(call->transport, call->question, then,
				arg));
	if (call->status != STATUS_OK)
		then(arg, call);
}

static inline void client_cancel(struct client_call *call)
{
	if (call->question != CLIENT_NO_QUESTION)
		call->transport->ops->cancel(call->transport, call->question);
}

/* Ends the call. Harmless when repeated. */
static inline void client_done(struct client_call *call)
{
	if (call->question != CLIENT_NO_QUESTION)
		call->transport->ops->done(call->transport, call->question);
	call->question = CLIENT_NO_QUESTION;
}

/* --- Scalar calls ---------------------------------------------------------------------------- */

/* The parameters of a scalar call, zero, to be set right before it is asked. */
static inline struct capnp_struct_builder client_scalar_params(struct transport *transport,
		uint32_t data_words)
{
	uint64_t *words = transport->scalars->params;

	words[0] = CAPNP_ROOT_POINTER(data_words, 0);
	__builtin_memset(words + 1, 0, data_words * 8ull);
	return (struct capnp_struct_builder){ (uint8_t *)(words + 1), NULL, data_words * 8, 0 };
}

/* The results after ask_scalars answered STATUS_OK, to be read before the next call. */
static inline struct capnp_struct_reader client_scalar_results(const struct transport *transport,
		uint32_t data_words)
{
	return (struct capnp_struct_reader){ (const uint8_t *)(transport->scalars->results + 1), NULL,
		data_words * 8, 0 };
}

/* Brings results that are not as expected into place: see capnp_fit_root. */
static inline status_t client_scalar_fit(struct transport *transport, uint32_t count, uint32_t data_words)
{
	struct capnp_message message;

	capnp_message_init(&message, transport->scalars->results, count, NULL, 0);
	capnp_fit_root(&message, data_words);
	return message.status;
}

/* A scalar call as any other, of a capability or of a place in an answer. */
static COLD inline status_t client_ask_ref_in_parts(const struct client_ref *target,
		const struct client_scalar_method *method)
{
	struct transport *transport = target->transport;
	struct client_begin what = { .target = *target, .interface_id = method->interface_id,
		.method = method->method, .flags = method->flags | CLIENT_PLAIN_RESULTS,
		.params_words = method->params_words, .reply_words = CLIENT_SCALAR_RESULTS_WORDS };
	struct client_call call = client_call_begin(&what);
	struct capnp_builder *params = client_params(&call);
	uint64_t *results = transport->scalars->results;

	if (params != NULL) {
		params->used = what.params_words;
		__builtin_memcpy(params->words, transport->scalars->params, what.params_words * 8ull);
	}
	client_send(&call);
	if (client_wait(&call) == STATUS_OK) {
		const struct capnp_message *message = transport->ops->results(transport, call.question);
		uint32_t count = message != NULL ? message->count : 0;

		if (count > CLIENT_SCALAR_RESULTS_WORDS)
			count = CLIENT_SCALAR_RESULTS_WORDS;
		if (count != 0)
			__builtin_memcpy(results, message->words, count * 8ull);
		call.status = client_scalar_fit(transport, count, method->results_words);
	}
	client_done(&call);
	return call.status;
}

/* The same for transports that have no shorter way. */
static inline status_t client_ask_in_parts(struct transport *transport, uint32_t target,
		const struct client_scalar_method *method)
{
	const struct client_ref ref = client_ref_of(transport, target);

	return client_ask_ref_in_parts(&ref, method);
}

/* Asks with the parameters that were set; the results can be read if it answers STATUS_OK. */
static inline status_t client_ask_scalars(struct client_ref target, const struct client_scalar_method *method)
{
	if (unlikely(client_ref_is_pipelined(target))) {
		const struct client_ref place = target;

		return client_ask_ref_in_parts(&place, method);
	}
	return target.transport->ops->ask_scalars(target.transport, target.target, method);
}

#endif
