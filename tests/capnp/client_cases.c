/*
 * What a typed client may expect of any transport: see worker.h.
 */
#include "tests/capnp/worker.h"

/* Ends a case with the words of what failed. */
#define CHECK(condition)                                                                        \
	do {                                                                                    \
		if (!(condition))                                                               \
			return #condition;                                                      \
	} while (0)

static const char *blocking_call(struct worker_ref root)
{
	int64_t sum = 0;

	CHECK(worker_add(root, 40, 2, &sum) == STATUS_OK);
	CHECK(sum == 42);
	CHECK(worker_add(root, -1, -1, NULL) == STATUS_OK);
	return NULL;
}

static const char *started_calls_overlap(struct worker_ref root)
{
	struct worker_add_call first = worker_add_start(root, 1, 2);
	struct worker_add_call second = worker_add_start(root, 3, 4);

	CHECK(worker_add_wait(&second) == STATUS_OK);
	CHECK(worker_add_results_get_sum(worker_add_results(&second)) == 7);
	CHECK(worker_add_wait(&first) == STATUS_OK);
	CHECK(worker_add_wait(&first) == STATUS_OK);
	CHECK(worker_add_results_get_sum(worker_add_results(&first)) == 3);
	worker_add_done(&first);
	worker_add_done(&first);
	worker_add_done(&second);
	return NULL;
}

static const char *text_result_is_borrowed(struct worker_ref root)
{
	struct worker_name_call call = worker_name_start(root);

	CHECK(worker_name_wait(&call) == STATUS_OK);
	CHECK(capnp_text_equals(worker_name_results_get_name(worker_name_results(&call)), "root"));
	worker_name_done(&call);
	CHECK(worker_name_results_get_name(worker_name_results(&call)).bytes == 0);
	return NULL;
}

static const char *list_parameters(struct worker_ref root)
{
	struct worker_numbers_params_builder params;
	struct worker_numbers_call call = worker_numbers_begin(root, &params);
	struct capnp_list_builder numbers = worker_numbers_params_init_numbers(params, 5);

	for (uint32_t i = 0; i < 5; i++)
		capnp_list_set_i32(numbers, i, (int32_t)i - 10);
	worker_numbers_send(&call);
	CHECK(worker_numbers_wait(&call) == STATUS_OK);
	CHECK(worker_numbers_results_get_total(worker_numbers_results(&call)) == -40);
	worker_numbers_done(&call);
	return NULL;
}

static const char *overflow_latches_until_wait(struct worker_ref root)
{
	struct worker_numbers_params_builder params;
	struct worker_numbers_call call = worker_numbers_begin_sized(root, 4, &params);
	struct capnp_list_builder numbers = worker_numbers_params_init_numbers(params, 1000);

	capnp_list_set_i32(numbers, 3, 1);
	worker_numbers_send(&call);
	CHECK(worker_numbers_wait(&call) == STATUS_TOO_LARGE);
	CHECK(worker_numbers_results_get_total(worker_numbers_results(&call)) == 0);
	worker_numbers_done(&call);
	return NULL;
}

static const char *named_structs_as_parameters(struct worker_ref root)
{
	int32_t x = 0;
	int32_t y = 0;

	CHECK(worker_describe(root, 3, -4, &x, &y) == STATUS_OK);
	CHECK(x == -4 && y == 3);
	return NULL;
}

static const char *capability_results_are_owned(struct worker_ref root)
{
	struct worker_ref child;
	uint32_t serial = 0;
	int64_t sum = 0;

	CHECK(worker_child(root, capnp_text("one"), &child, &serial) == STATUS_OK);
	CHECK(serial != 0 && !client_ref_is_null(child.ref));
	CHECK(worker_add(child, 5, 6, &sum) == STATUS_OK && sum == 11);
	client_release(child.ref);
	return NULL;
}

static const char *capability_results_not_wanted_are_released(struct worker_ref root)
{
	/* More often than there can be workers: nothing may stay. */
	for (uint32_t i = 0; i < WORKERS_MAX * 2; i++)
		CHECK(worker_child(root, capnp_text("unwanted"), NULL, NULL) == STATUS_OK);
	return NULL;
}

static const char *capability_is_taken_once(struct worker_ref root)
{
	struct worker_child_call call = worker_child_start(root, capnp_text("two"));
	struct worker_ref child;
	struct worker_ref again;

	CHECK(worker_child_wait(&call) == STATUS_OK);
	CHECK(worker_child_take_child(&call, &child) == STATUS_OK);
	CHECK(worker_child_take_child(&call, &again) != STATUS_OK);
	worker_child_done(&call);
	CHECK(worker_add(child, 1, 1, NULL) == STATUS_OK);
	client_release(child.ref);
	return NULL;
}

static const char *nothing_is_there_before_the_wait(struct worker_ref root)
{
	struct worker_child_call call = worker_child_start(root, capnp_text("early"));
	struct worker_ref child = root;

	CHECK(worker_child_take_child(&call, &child) == STATUS_BAD_CAPABILITY);
	CHECK(client_ref_is_null(child.ref));
	CHECK(worker_child_results_get_serial(worker_child_results(&call)) == 0);
	CHECK(client_results_status(&call.call) == STATUS_BAD_MESSAGE);
	/* It did no harm. */
	CHECK(worker_child_wait(&call) == STATUS_OK);
	CHECK(client_results_status(&call.call) == STATUS_OK);
	CHECK(worker_child_results_get_serial(worker_child_results(&call)) != 0);
	CHECK(worker_child_take_child(&call, &child) == STATUS_OK);
	worker_child_done(&call);
	CHECK(worker_add(child, 1, 1, NULL) == STATUS_OK);
	client_release(child.ref);
	CHECK(worker_child_take_child(&call, &child) == STATUS_BAD_CAPABILITY);
	CHECK(client_ref_is_null(child.ref));
	return NULL;
}

static const char *nothing_is_taken_from_a_failure(struct worker_ref root)
{
	struct worker_child_call call = worker_child_start(root,
			capnp_text("a name that is longer than any worker's may be"));
	struct worker_ref child = root;

	CHECK(worker_child_wait(&call) == STATUS_OVERLOADED);
	CHECK(worker_child_take_child(&call, &child) == STATUS_OVERLOADED);
	CHECK(client_ref_is_null(child.ref));
	CHECK(client_results_status(&call.call) == STATUS_OVERLOADED);
	worker_child_done(&call);
	return NULL;
}

static const char *pipelined_call(struct worker_ref root)
{
	struct worker_child_call child = worker_child_start(root, capnp_text("pipe"));
	struct worker_child_call grandchild = worker_child_start(worker_child_child(&child),
			capnp_text("line"));
	struct worker_name_call name = worker_name_start(worker_child_child(&grandchild));

	CHECK(worker_name_wait(&name) == STATUS_OK);
	CHECK(capnp_text_equals(worker_name_results_get_name(worker_name_results(&name)), "line"));
	worker_name_done(&name);
	/* After the answer the same reference is a borrowed one, as often as one likes. */
	CHECK(worker_child_wait(&child) == STATUS_OK);
	for (int64_t i = 0; i < 100; i++)
		CHECK(worker_add(worker_child_child(&child), i, 2, NULL) == STATUS_OK);
	worker_child_done(&grandchild);
	worker_child_done(&child);
	return NULL;
}

static const char *pipelined_call_on_a_failure(struct worker_ref root)
{
	struct worker_child_call child = worker_child_start(root,
			capnp_text("a name that is longer than any worker's may be"));
	struct worker_name_call name = worker_name_start(worker_child_child(&child));

	CHECK(worker_name_wait(&name) != STATUS_OK);
	worker_name_done(&name);
	CHECK(worker_child_wait(&child) == STATUS_OVERLOADED);
	worker_child_done(&child);
	return NULL;
}

static const char *capabilities_as_parameters(struct worker_ref root)
{
	struct worker_ref child;
	bool same = false;

	CHECK(worker_adopt(root, root, root.ref, &same) == STATUS_OK && same);
	CHECK(worker_child(root, capnp_text("three"), &child, NULL) == STATUS_OK);
	CHECK(worker_adopt(root, child, root.ref, &same) == STATUS_OK && !same);
	CHECK(worker_adopt(root, child, child.ref, &same) == STATUS_OK && same);
	CHECK(worker_adopt(root, (struct worker_ref){ 0 }, child.ref, &same) == STATUS_OK && !same);
	/* Copies were sent, so the child is still ours. */
	CHECK(worker_add(child, 1, 1, NULL) == STATUS_OK);
	client_release(child.ref);
	return NULL;
}

static const char *pipelined_capabilities_as_parameters(struct worker_ref root)
{
	struct worker_child_call child = worker_child_start(root, capnp_text("given"));
	struct worker_child_call other = worker_child_start(root, capnp_text("other"));
	struct worker_adopt_call same = worker_adopt_start(root, worker_child_child(&child),
			worker_child_child(&child).ref);
	struct worker_adopt_call not_same = worker_adopt_start(worker_child_child(&other),
			worker_child_child(&other), worker_child_child(&child).ref);

	CHECK(worker_adopt_wait(&not_same) == STATUS_OK);
	CHECK(!worker_adopt_results_get_same(worker_adopt_results(&not_same)));
	CHECK(worker_adopt_wait(&same) == STATUS_OK);
	CHECK(worker_adopt_results_get_same(worker_adopt_results(&same)));
	worker_adopt_done(&same);
	worker_adopt_done(&not_same);
	worker_child_done(&other);
	worker_child_done(&child);
	return NULL;
}

static const char *pipelined_parameter_of_a_failure(struct worker_ref root)
{
	struct worker_child_call child = worker_child_start(root,
			capnp_text("a name that is longer than any worker's may be"));
	struct worker_adopt_call adopt = worker_adopt_start(root, worker_child_child(&child), root.ref);

	CHECK(worker_adopt_wait(&adopt) != STATUS_OK);
	worker_adopt_done(&adopt);
	worker_child_done(&child);
	return NULL;
}

static const char *given_capability_moves(struct worker_ref root)
{
	struct worker_adopt_params_builder params;
	struct worker_adopt_call call;
	struct worker_ref child;

	CHECK(worker_child(root, capnp_text("four"), &child, NULL) == STATUS_OK);
	call = worker_adopt_begin(root, &params);
	worker_adopt_params_set_worker(params, client_give(&call.call, child.ref));
	worker_adopt_send(&call);
	CHECK(worker_adopt_wait(&call) == STATUS_OK);
	worker_adopt_done(&call);
	CHECK(worker_add(child, 1, 1, NULL) != STATUS_OK);
	return NULL;
}

static const char *given_capability_stays_if_not_sent(struct worker_ref root)
{
	struct worker_adopt_params_builder params;
	struct worker_adopt_call call;
	struct worker_ref child;

	CHECK(worker_child(root, capnp_text("five"), &child, NULL) == STATUS_OK);
	call = worker_adopt_begin(root, &params);
	worker_adopt_params_set_worker(params, client_give(&call.call, child.ref));
	worker_adopt_done(&call);
	CHECK(worker_add(child, 1, 1, NULL) == STATUS_OK);
	client_release(child.ref);
	return NULL;
}

static const char *copies_are_holders_of_their_own(struct worker_ref root)
{
	struct worker_ref child;
	struct worker_ref copy;

	CHECK(worker_child(root, capnp_text("six"), &child, NULL) == STATUS_OK);
	CHECK(client_copy(child.ref, &copy.ref) == STATUS_OK);
	client_release(child.ref);
	CHECK(worker_add(copy, 1, 1, NULL) == STATUS_OK);
	client_release(copy.ref);
	return NULL;
}

static const char *exception_has_words(struct worker_ref root)
{
	struct worker_fail_call call = worker_fail_start(root, capnp_text("because"));

	CHECK(worker_fail_wait(&call) == STATUS_FAILED);
	CHECK(capnp_text_equals(client_reason(&call.call), "because"));
	/* It was not the transport that refused. */
	CHECK(client_detail(&call.call) == 0);
	worker_fail_done(&call);
	CHECK(client_reason(&call.call).bytes == 0 && client_detail(&call.call) == 0);
	return NULL;
}

static const char *stream_calls_have_no_results(struct worker_ref root)
{
	static const uint8_t bytes[10];

	for (uint32_t i = 0; i < 3; i++)
		CHECK(worker_feed(root, capnp_data_of(bytes, sizeof(bytes))) == STATUS_OK);
	return NULL;
}

static const char *deferred_answer_comes(struct worker_ref root)
{
	struct worker_later_call call = worker_later_start(root);
	struct worker_name_call answer;

	CHECK(worker_add(root, 1, 1, NULL) == STATUS_OK);
	CHECK(!client_is_answered(&call.call));
	answer = worker_name_start(root);
	CHECK(worker_name_wait(&answer) == STATUS_OK);
	worker_name_done(&answer);
	CHECK(worker_later_wait(&call) == STATUS_OK);
	CHECK(worker_later_results_get_value(worker_later_results(&call)) == 4711);
	worker_later_done(&call);
	return NULL;
}

struct then_state {
	status_t status;
	int64_t sum;
	uint32_t runs;
};

static void then_runs(void *arg, struct client_call *call)
{
	struct then_state *state = arg;
	struct worker_add_call add = { *call };

	state->runs++;
	state->status = add.call.status;
	state->sum = worker_add_results_get_sum(worker_add_results(&add));
	worker_add_done(&add);
}

static const char *callback_runs_once(struct worker_ref root)
{
	struct then_state state = { STATUS_GONE, 0, 0 };
	struct worker_add_call call = worker_add_start(root, 20, 1);

	worker_add_then(&call, then_runs, &state);
	client_host_run();
	CHECK(state.runs == 1 && state.status == STATUS_OK && state.sum == 21);
	return NULL;
}

static const char *null_reference_fails(struct worker_ref root)
{
	struct worker_ref none = { { 0 } };
	struct worker_name_call call = worker_name_start(none);

	CHECK(worker_add(none, 1, 2, NULL) == STATUS_BAD_CAPABILITY);
	CHECK(worker_name_wait(&call) == STATUS_BAD_CAPABILITY);
	CHECK(client_ref_is_null(worker_child_child(&(struct worker_child_call){ call.call }).ref));
	worker_name_done(&call);
	client_release(none.ref);
	return NULL;
}

static const char *wrong_interface_is_unimplemented(struct worker_ref root)
{
	struct named2_ref other = { root.ref };
	uint32_t size;

	CHECK(named2_title(other, &size) == STATUS_UNIMPLEMENTED);
	return NULL;
}

/* Asks for a sum as a client that knows `results_words` words of results; the words that they come to
 * hold something else before. */
static status_t add_as_of_age(struct worker_ref root, uint16_t results_words)
{
	const struct client_scalar_method method = { .interface_id = WORKER_INTERFACE_ID,
		.method = WORKER_METHOD_ADD, .params_words = 1 + WORKER_ADD_PARAMS_DATA_WORDS,
		.results_words = results_words,
		.results_root = CAPNP_ROOT_POINTER((uint32_t)results_words, 0) };
	struct transport *transport = root.ref.transport;
	struct worker_add_params_builder params;

	for (uint32_t i = 0; i < CLIENT_SCALAR_PARAMS_WORDS; i++)
		transport->scalars->params[i] = UINT64_MAX;
	for (uint32_t i = 0; i < CLIENT_SCALAR_RESULTS_WORDS; i++)
		transport->scalars->results[i] = UINT64_MAX;
	params.s = client_scalar_params(transport, WORKER_ADD_PARAMS_DATA_WORDS);
	worker_add_params_set_left(params, 5);
	return client_ask_scalars(root.ref, &method);
}

static const char *scalar_results_of_another_age(struct worker_ref root)
{
	const struct transport *transport = root.ref.transport;
	struct capnp_struct_reader results = client_scalar_results(transport, 3);

	/* A parameter that was not set is zero, not what stood there. */
	CHECK(add_as_of_age(root, WORKER_ADD_RESULTS_DATA_WORDS) == STATUS_OK);
	CHECK(capnp_get_i64(results, 0) == 5);
	/* An older server: what it does not know is zero. */
	CHECK(add_as_of_age(root, 3) == STATUS_OK);
	CHECK(capnp_get_i64(results, 0) == 5);
	CHECK(capnp_get_u64(results, 8) == 0 && capnp_get_u64(results, 16) == 0);
	/* A newer server: what we do not know does no harm. */
	CHECK(add_as_of_age(root, 0) == STATUS_OK);
	return NULL;
}

static const char *scalar_call_on_a_place_in_an_answer(struct worker_ref root)
{
	struct worker_child_call child = worker_child_start(root, capnp_text("place"));
	int64_t sum = 0;

	CHECK(worker_add(worker_child_child(&child), 20, 22, &sum) == STATUS_OK && sum == 42);
	worker_child_done(&child);
	child = worker_child_start(root, capnp_text("a name that is longer than any worker's may be"));
	CHECK(worker_add(worker_child_child(&child), 20, 22, &sum) != STATUS_OK);
	worker_child_done(&child);
	return NULL;
}

/* While scalar calls come and go, messages of started calls stay as they are. */
static const char *scalar_calls_between_others(struct worker_ref root)
{
	struct worker_add_call first = worker_add_start(root, 1, 2);
	struct worker_name_call name = worker_name_start(root);
	int64_t sum = 0;

	for (int64_t i = 0; i < 100; i++)
		CHECK(worker_add(root, i, i, &sum) == STATUS_OK && sum == 2 * i);
	CHECK(worker_name_wait(&name) == STATUS_OK);
	CHECK(worker_add(root, -1, -1, NULL) == STATUS_OK);
	CHECK(capnp_text_equals(worker_name_results_get_name(worker_name_results(&name)), "root"));
	CHECK(worker_add_wait(&first) == STATUS_OK);
	CHECK(worker_add_results_get_sum(worker_add_results(&first)) == 3);
	worker_name_done(&name);
	worker_add_done(&first);
	return NULL;
}

/* --- Streams --------------------------------------------------------------------------------- */

#define FEED_BYTES 16u

/* A worker of the stream's own: one whose stream fails does nothing any more. */
struct fed_worker {
	struct worker_ref worker;
	uint32_t serial;
};

static bool fed_open(struct worker_ref root, struct fed_worker *fed)
{
	return worker_child(root, capnp_text("fed"), &fed->worker, &fed->serial) == STATUS_OK;
}

static status_t feed(const struct fed_worker *fed, struct client_stream *stream, uint8_t op,
		uint8_t number)
{
	const uint8_t bytes[FEED_BYTES] = { op, number };

	return worker_feed_stream(fed->worker, stream, capnp_data_of(bytes, FEED_BYTES));
}

/* Whether so many calls ran, and in order. */
static bool fed_is(struct worker_ref root, const struct fed_worker *fed, uint32_t expected)
{
	uint32_t calls = 0;
	bool in_order = false;

	return worker_fed(root, fed->serial, &calls, NULL, &in_order) == STATUS_OK &&
			calls == expected && in_order;
}

/* Has the held call answered. */
static bool let_go(struct worker_ref root)
{
	struct worker_name_call call = worker_name_start(root);
	bool done = worker_name_wait(&call) == STATUS_OK;

	worker_name_done(&call);
	return done;
}

static const char *stream_runs_in_order(struct worker_ref root)
{
	struct client_stream stream = { 0 };
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	for (uint32_t i = 0; i < 100; i++) {
		CHECK(feed(&fed, &stream, FEED_TAKE, (uint8_t)i) == STATUS_OK);
		CHECK(client_stream_in_flight(&stream) <= CLIENT_STREAM_CALLS);
	}
	CHECK(client_stream_in_flight(&stream) != 0);
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	CHECK(client_stream_in_flight(&stream) == 0);
	CHECK(fed_is(root, &fed, 100));
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_failure_ends_it(struct worker_ref root)
{
	struct client_stream stream = { 0 };
	status_t status = STATUS_OK;
	struct fed_worker fed;
	uint32_t sent = 6;

	CHECK(fed_open(root, &fed));
	for (uint8_t i = 0; i < 5; i++)
		CHECK(feed(&fed, &stream, FEED_TAKE, i) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_FAIL, 5) == STATUS_OK);
	for (; status == STATUS_OK && sent < 100; sent++)
		status = feed(&fed, &stream, FEED_TAKE, (uint8_t)sent);
	CHECK(status == STATUS_FAILED && sent < 6 + 2 * CLIENT_STREAM_CALLS);
	/* Nothing more is sent. */
	sent = client_stream_in_flight(&stream);
	CHECK(feed(&fed, &stream, FEED_TAKE, 0) == STATUS_FAILED);
	CHECK(client_stream_in_flight(&stream) <= sent);
	CHECK(client_stream_finish(&stream, 0) == STATUS_FAILED);
	CHECK(capnp_text_equals(client_stream_reason(&stream), "not this one"));
	/* It is reported once. */
	CHECK(client_stream_in_flight(&stream) == 0);
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	CHECK(fed_is(root, &fed, 5));
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_failure_stays_with_the_object(struct worker_ref root)
{
	struct worker_fail_call last;
	struct client_stream stream = { 0 };
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	CHECK(feed(&fed, &stream, FEED_FAIL, 0) == STATUS_OK);
	/* A call behind the stream hears of it without waiting for its answers, in the same words. */
	last = worker_fail_start(fed.worker, capnp_text("of its own"));
	CHECK(worker_fail_wait(&last) == STATUS_FAILED);
	CHECK(capnp_text_equals(client_reason(&last.call), "not this one"));
	worker_fail_done(&last);
	CHECK(client_stream_finish(&stream, 0) == STATUS_FAILED);
	CHECK(feed(&fed, &stream, FEED_TAKE, 0) == STATUS_OK);
	CHECK(client_stream_finish(&stream, 0) == STATUS_FAILED);
	CHECK(fed_is(root, &fed, 0));
	/* Other objects are not concerned. */
	CHECK(worker_add(root, 1, 1, NULL) == STATUS_OK);
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_window_of_calls(struct worker_ref root)
{
	struct client_stream stream = { .calls_max = 3 };
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	CHECK(feed(&fed, &stream, FEED_HOLD, 0) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_TAKE, 1) == STATUS_OK);
	CHECK(client_stream_has_room(&stream, 4));
	CHECK(feed(&fed, &stream, FEED_TAKE, 2) == STATUS_OK);
	CHECK(!client_stream_has_room(&stream, 4));
	/* Long ago: finish does not wait, and takes nothing away. */
	CHECK(client_stream_finish(&stream, 2) == STATUS_DEADLINE_EXCEEDED);
	CHECK(client_stream_in_flight(&stream) == 3);
	CHECK(fed_is(root, &fed, 0));
	CHECK(let_go(root));
	CHECK(feed(&fed, &stream, FEED_TAKE, 3) == STATUS_OK);
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	CHECK(fed_is(root, &fed, 4));
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_window_of_words(struct worker_ref root)
{
	struct client_stream stream = { .words_max = 10 };
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	/* Each call is root, pointer and two words of bytes. */
	CHECK(feed(&fed, &stream, FEED_HOLD, 0) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_TAKE, 1) == STATUS_OK);
	CHECK(client_stream_has_room(&stream, 2) && !client_stream_has_room(&stream, 3));
	CHECK(let_go(root));
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	/* What is larger than the window goes alone. */
	CHECK(client_stream_has_room(&stream, 11));
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_calls_wait_for_a_deferred_one(struct worker_ref root)
{
	struct client_stream stream = { 0 };
	struct worker_fed_call between;
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	CHECK(feed(&fed, &stream, FEED_HOLD, 0) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_TAKE, 1) == STATUS_OK);
	between = worker_fed_start(fed.worker, 0);
	CHECK(feed(&fed, &stream, FEED_TAKE, 2) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_HOLD, 3) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_TAKE, 4) == STATUS_OK);
	CHECK(!client_is_answered(&between.call));
	CHECK(fed_is(root, &fed, 0));
	CHECK(let_go(root));
	CHECK(worker_fed_wait(&between) == STATUS_OK);
	CHECK(worker_fed_results_get_calls(worker_fed_results(&between)) == 2);
	worker_fed_done(&between);
	CHECK(let_go(root));
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	CHECK(fed_is(root, &fed, 5));
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_calls_behind_a_deferred_failure(struct worker_ref root)
{
	struct client_stream stream = { 0 };
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	CHECK(feed(&fed, &stream, FEED_TAKE, 0) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_HOLD_AND_FAIL, 1) == STATUS_OK);
	for (uint8_t i = 2; i < 6; i++)
		CHECK(feed(&fed, &stream, FEED_TAKE, i) == STATUS_OK);
	client_stream_flush(&stream);
	CHECK(let_go(root));
	CHECK(client_stream_finish(&stream, 0) == STATUS_OVERLOADED);
	CHECK(fed_is(root, &fed, 1));
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_that_is_dropped(struct worker_ref root)
{
	struct client_stream stream = { 0 };
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	CHECK(feed(&fed, &stream, FEED_TAKE, 0) == STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_HOLD, 1) == STATUS_OK);
	for (uint8_t i = 2; i < 6; i++)
		CHECK(feed(&fed, &stream, FEED_TAKE, i) == STATUS_OK);
	client_stream_flush(&stream);
	client_stream_drop(&stream);
	CHECK(client_stream_in_flight(&stream) == 0);
	CHECK(fed_is(root, &fed, 1));
	/* Giving up is no failure: the object goes on. */
	CHECK(feed(&fed, &stream, FEED_TAKE, 1) == STATUS_OK);
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	CHECK(fed_is(root, &fed, 2));
	client_stream_drop(&stream);
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_outlives_its_capability(struct worker_ref root)
{
	struct client_stream stream = { 0 };
	struct fed_worker fed;

	CHECK(fed_open(root, &fed));
	CHECK(feed(&fed, &stream, FEED_HOLD, 0) == STATUS_OK);
	for (uint8_t i = 1; i < 6; i++)
		CHECK(feed(&fed, &stream, FEED_TAKE, i) == STATUS_OK);
	client_release(fed.worker.ref);
	CHECK(let_go(root));
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	return NULL;
}

static const char *stream_call_that_is_too_large(struct worker_ref root)
{
	static const uint8_t bytes[100000];
	struct client_stream stream = { 0 };
	struct fed_worker fed;
	status_t status;

	CHECK(fed_open(root, &fed));
	CHECK(feed(&fed, &stream, FEED_TAKE, 0) == STATUS_OK);
	status = worker_feed_stream(fed.worker, &stream, capnp_data_of(bytes, sizeof(bytes)));
	CHECK(status != STATUS_OK);
	CHECK(feed(&fed, &stream, FEED_TAKE, 1) == status);
	CHECK(client_stream_finish(&stream, 0) == status);
	CHECK(fed_is(root, &fed, 1));
	CHECK(feed(&fed, &stream, FEED_TAKE, 1) == STATUS_OK);
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_call_set_in_parts(struct worker_ref root)
{
	struct worker_feed_params_builder params;
	struct client_stream stream = { 0 };
	struct worker_feed_call call;
	struct fed_worker fed;
	uint8_t *data;

	CHECK(fed_open(root, &fed));
	call = worker_feed_begin_stream(fed.worker, &stream, 16, &params);
	data = worker_feed_params_init_bytes(params, 100);
	CHECK(data != NULL);
	data[0] = FEED_TAKE;
	CHECK(worker_feed_send_stream(&call, &stream) == STATUS_OK);
	/* One that does not fit where it was begun, and one that is begun and not sent. */
	call = worker_feed_begin_stream(fed.worker, &stream, 16, &params);
	worker_feed_done(&call);
	call = worker_feed_begin_stream(fed.worker, &stream, 16, &params);
	(void)worker_feed_params_init_bytes(params, 1000);
	CHECK(worker_feed_send_stream(&call, &stream) == STATUS_TOO_LARGE);
	CHECK(client_stream_finish(&stream, 0) == STATUS_TOO_LARGE);
	CHECK(fed_is(root, &fed, 1));
	client_release(fed.worker.ref);
	return NULL;
}

static const char *stream_to_a_place_in_an_answer(struct worker_ref root)
{
	struct worker_child_call child = worker_child_start(root, capnp_text("later"));
	struct fed_worker fed = { .worker = worker_child_child(&child) };
	struct client_stream stream = { 0 };

	for (uint8_t i = 0; i < 20; i++)
		CHECK(feed(&fed, &stream, FEED_TAKE, i) == STATUS_OK);
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	CHECK(worker_child_wait(&child) == STATUS_OK);
	fed.serial = worker_child_results_get_serial(worker_child_results(&child));
	CHECK(fed_is(root, &fed, 20));
	worker_child_done(&child);
	return NULL;
}

static const char *stream_to_nobody(struct worker_ref root)
{
	struct fed_worker none = { { { 0 } }, 0 };
	struct client_stream stream = { 0 };

	CHECK(feed(&none, &stream, FEED_TAKE, 0) == STATUS_BAD_CAPABILITY);
	CHECK(client_stream_finish(&stream, 0) == STATUS_BAD_CAPABILITY);
	CHECK(client_stream_finish(&stream, 0) == STATUS_OK);
	client_stream_drop(&stream);
	return NULL;
}

static const char *three_streams_at_once(struct worker_ref root)
{
	struct client_stream streams[3] = { { .calls_max = 4 }, { .calls_max = 4 },
		{ .calls_max = 4 } };
	struct fed_worker fed[3];

	for (uint32_t i = 0; i < 3; i++)
		CHECK(fed_open(root, &fed[i]));
	for (uint8_t number = 0; number < 30; number++)
		for (uint32_t i = 0; i < 3; i++)
			CHECK(feed(&fed[i], &streams[i],
					      number == 20 && i == 1 ? FEED_FAIL : FEED_TAKE,
					      number) == STATUS_OK ||
					(i == 1 && number > 20));
	CHECK(client_stream_finish(&streams[0], 0) == STATUS_OK);
	CHECK(client_stream_finish(&streams[1], 0) == STATUS_FAILED);
	CHECK(client_stream_finish(&streams[2], 0) == STATUS_OK);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK(fed_is(root, &fed[i], i == 1 ? 20 : 30));
		client_release(fed[i].worker.ref);
	}
	return NULL;
}

struct pump {
	struct client_stream stream;
	struct fed_worker fed;
	uint32_t left;
	uint32_t runs;
};

/* Sends as much as there is room for, and is run again when there is more. */
static void pump_run(void *arg)
{
	struct pump *pump = arg;

	pump->runs++;
	while (pump->left != 0 && client_stream_has_room(&pump->stream, FEED_BYTES / 8 + 2)) {
		(void)feed(&pump->fed, &pump->stream, FEED_TAKE, (uint8_t)(30 - pump->left));
		pump->left--;
	}
	if (client_stream_in_flight(&pump->stream) != 0)
		client_stream_then(&pump->stream, pump_run, pump);
}

static const char *stream_without_waiting(struct worker_ref root)
{
	struct pump pump = { .left = 30 };

	CHECK(fed_open(root, &pump.fed));
	client_stream_then(&pump.stream, pump_run, &pump);
	CHECK(pump.runs == 1 && pump.left == 30 - CLIENT_STREAM_CALLS);
	while (client_stream_in_flight(&pump.stream) != 0)
		client_host_run();
	CHECK(pump.left == 0 && pump.runs > 1);
	CHECK(client_stream_finish(&pump.stream, 0) == STATUS_OK);
	CHECK(fed_is(root, &pump.fed, 30));
	client_release(pump.fed.worker.ref);
	return NULL;
}

const struct client_case client_cases[] = {
	{ "blocking call", blocking_call },
	{ "started calls overlap", started_calls_overlap },
	{ "text result is borrowed", text_result_is_borrowed },
	{ "list parameters", list_parameters },
	{ "overflow latches until wait", overflow_latches_until_wait },
	{ "named structs as parameters", named_structs_as_parameters },
	{ "capability results are owned", capability_results_are_owned },
	{ "capability results not wanted are released",
			capability_results_not_wanted_are_released },
	{ "capability is taken once", capability_is_taken_once },
	{ "nothing is there before the wait", nothing_is_there_before_the_wait },
	{ "nothing is taken from a failure", nothing_is_taken_from_a_failure },
	{ "pipelined call", pipelined_call },
	{ "pipelined call on a failure", pipelined_call_on_a_failure },
	{ "pipelined capabilities as parameters", pipelined_capabilities_as_parameters },
	{ "pipelined parameter of a failure", pipelined_parameter_of_a_failure },
	{ "capabilities as parameters", capabilities_as_parameters },
	{ "given capability moves", given_capability_moves },
	{ "given capability stays if not sent", given_capability_stays_if_not_sent },
	{ "copies are holders of their own", copies_are_holders_of_their_own },
	{ "exception has words", exception_has_words },
	{ "stream calls have no results", stream_calls_have_no_results },
	{ "stream runs in order", stream_runs_in_order },
	{ "stream's failure ends it", stream_failure_ends_it },
	{ "stream's failure stays with the object", stream_failure_stays_with_the_object },
	{ "stream's window of calls", stream_window_of_calls },
	{ "stream's window of words", stream_window_of_words },
	{ "stream's calls wait for a deferred one", stream_calls_wait_for_a_deferred_one },
	{ "stream's calls behind a deferred failure", stream_calls_behind_a_deferred_failure },
	{ "stream that is dropped", stream_that_is_dropped },
	{ "stream outlives its capability", stream_outlives_its_capability },
	{ "stream call that is too large", stream_call_that_is_too_large },
	{ "stream call set in parts", stream_call_set_in_parts },
	{ "stream to a place in an answer", stream_to_a_place_in_an_answer },
	{ "stream to nobody", stream_to_nobody },
	{ "three streams at once", three_streams_at_once },
	{ "stream without waiting", stream_without_waiting },
	{ "deferred answer comes", deferred_answer_comes },
	{ "callback runs once", callback_runs_once },
	{ "scalar results of another age", scalar_results_of_another_age },
	{ "scalar call on a place in an answer", scalar_call_on_a_place_in_an_answer },
	{ "scalar calls between others", scalar_calls_between_others },
	{ "null reference fails", null_reference_fails },
	{ "wrong interface is unimplemented", wrong_interface_is_unimplemented },
};
const uint32_t client_case_count = ARRAY_LEN(client_cases);
