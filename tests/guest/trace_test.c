/*
 * Tracing from a program's side: what each event says, that one number leads through a call, what the two facets allow, that
 * readers do not disturb each other, and that a trace ends with its holder.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "capos/trace.client.h"
#include "rt/capability.h"
#include "rt/program.h"

#define EVENTS_MAX 512u
#define TAG        0x7ace

static struct trace_event {
	uint64_t time_ns, call, within, interface, detail, position;
	uint32_t process, other;
	int32_t  status;
	uint16_t kind, method, words, question, capabilities, processor;
} events[EVENTS_MAX];
static uint32_t event_count;
static uint64_t events_lost;

static struct payload_tracer_ref root(void)
{
	return RT_GRANT(payload_tracer, "tracer");
}

/* A trace of at least so many events of these kinds (none: all). */
static status_t trace_begin(uint32_t count, const enum trace_kind *kinds, uint32_t kind_count, struct trace_ref *trace)
{
	struct tracer_start_params_builder params;
	struct tracer_start_call call = tracer_start_begin(payload_tracer_as_tracer(root()), &params);
	struct capnp_list_builder list = tracer_start_params_init_kinds(params, kind_count);
	status_t status;

	tracer_start_params_set_events(params, count);
	for (uint32_t i = 0; i < kind_count; i++)
		capnp_list_set_u16(list, i, (uint16_t)kinds[i]);
	tracer_start_send(&call);
	status = tracer_start_wait(&call);
	if (status == STATUS_OK)
		status = tracer_start_take_trace(&call, trace);
	tracer_start_done(&call);
	return status;
}

static struct trace_ref trace_of_all(void)
{
	struct trace_ref trace = { { 0 } };

	CHECK_EQUAL(trace_begin(EVENTS_MAX - 64, NULL, 0, &trace), STATUS_OK);
	return trace;
}

static void keep_event(struct trace_event_reader from, uint16_t processor, uint64_t position)
{
	if (event_count == EVENTS_MAX)
		return;
	events[event_count++] = (struct trace_event){
		.time_ns = trace_event_get_time_ns(from), .call = trace_event_get_call(from),
		.within = trace_event_get_within(from), .interface = trace_event_get_interface_id(from),
		.detail = trace_event_get_detail(from), .position = position, .processor = processor,
		.process = trace_event_get_process_id(from), .other = trace_event_get_other_id(from),
		.status = trace_event_get_status(from), .kind = (uint16_t)trace_event_get_kind(from),
		.method = trace_event_get_method(from), .words = trace_event_get_words(from),
		.question = trace_event_get_question(from), .capabilities = trace_event_get_capabilities(from),
	};
}

/* Adds a processor's events from a position on to those kept; answers where they end. */
static uint64_t read_of(struct trace_ref trace, uint16_t processor, uint64_t position)
{
	struct trace_read_call call = trace_read_start(trace, processor, position);
	struct trace_read_results_reader in;
	struct capnp_list list;
	uint64_t next = position;

	if (trace_read_wait(&call) == STATUS_OK) {
		in = trace_read_results(&call);
		list = trace_read_results_get_events(in);
		next = trace_read_results_get_next(in);
		events_lost += trace_read_results_get_lost(in);
		for (uint32_t i = 0; i < list.count; i++)
			keep_event(trace_event_at(list, i), processor, next - list.count + i);
	}
	trace_read_done(&call);
	return next;
}

static uint64_t read_once(struct trace_ref trace, uint64_t position)
{
	return read_of(trace, 0, position);
}

/* By time, as they happened; each processor's are so already. */
static void sort_events(void)
{
	for (uint32_t i = 1; i < event_count; i++) {
		struct trace_event event = events[i];
		uint32_t at = i;

		for (; at > 0 && events[at - 1].time_ns > event.time_ns; at--)
			events[at] = events[at - 1];
		events[at] = event;
	}
}

static void read_all(struct trace_ref trace)
{
	event_count = 0;
	events_lost = 0;
	for (uint16_t processor = 0; processor < world.processors; processor++) {
		uint64_t position = 0, next;

		while ((next = read_of(trace, processor, position)) != position)
			position = next;
	}
	sort_events();
}

static void stop_and_read(struct trace_ref trace)
{
	CHECK_EQUAL(trace_stop(trace), STATUS_OK);
	read_all(trace);
}

/* The n-th event of a kind (from 0) at or after `from`; an empty one if there is none. */
static const struct trace_event *event_of(enum trace_kind kind, uint64_t interface, uint32_t n)
{
	static const struct trace_event none;

	for (uint32_t i = 0; i < event_count; i++) {
		if (events[i].kind == kind && (interface == 0 || events[i].interface == interface) && n-- == 0)
			return &events[i];
	}
	return &none;
}

/* --- What events say ---------------------------------------------------------------------------- */

static void a_kernel_call_is_seen_from_beginning_to_end(void)
{
	struct trace_ref trace = trace_of_all();
	const struct trace_event *call, *answer, *completion;
	uint64_t before = now_ns(), between;

	between = now_ns();
	stop_and_read(trace);
	call = event_of(TRACE_KIND_CALL, TIMER_INTERFACE_ID, 0);
	answer = event_of(TRACE_KIND_ANSWER, TIMER_INTERFACE_ID, 0);
	completion = event_of(TRACE_KIND_COMPLETION, TIMER_INTERFACE_ID, 0);
	CHECK(call->call != 0 && call->call == answer->call && call->call == completion->call);
	CHECK_EQUAL(call->method, TIMER_METHOD_NOW);
	CHECK_EQUAL(call->process, world.process_id);
	CHECK_EQUAL(call->other, 0);
	CHECK_EQUAL(call->within, 0);
	CHECK_EQUAL(answer->words, 2);
	CHECK_EQUAL(completion->status, STATUS_OK);
	CHECK_EQUAL(completion->question, call->question);
	CHECK(call->time_ns <= before && before <= answer->time_ns && answer->time_ns <= completion->time_ns);
	CHECK(completion->time_ns <= between);
	CHECK_EQUAL(event_of(TRACE_KIND_CALL, TIMER_INTERFACE_ID, 1)->call, call->call + 1);
	/* The call that started the trace began before it. */
	CHECK_EQUAL(event_of(TRACE_KIND_ANSWER, TRACER_INTERFACE_ID, 0)->call, 0);
	client_release(trace.ref);
}

static void a_call_is_followed_to_the_server_and_what_it_calls(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, TAG, false);
	struct trace_ref trace = trace_of_all();
	struct ring_entry entry = entry_call(export, Q0);
	const struct trace_event *call, *nested;
	struct ring_entry refusal;

	entry.method = 2;
	start(entry_recv(endpoint, Q0 + 1));
	start(entry);
	(void)now_ns();
	refusal = entry_return(endpoint, finish(Q0 + 1).id);
	refusal.flags = ENTRY_EXCEPTION;
	refusal.method = STATUS_OVERLOADED;
	CHECK_EQUAL(perform(refusal).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OVERLOADED);
	(void)now_ns();
	stop_and_read(trace);
	call = event_of(TRACE_KIND_CALL, TEST_INTERFACE, 0);
	nested = event_of(TRACE_KIND_CALL, TIMER_INTERFACE_ID, 0);
	CHECK(call->call != 0);
	CHECK_EQUAL(call->method, 2);
	CHECK_EQUAL(call->question, Q0);
	CHECK_EQUAL(call->other, world.process_id);
	CHECK_EQUAL(event_of(TRACE_KIND_DELIVERY, TEST_INTERFACE, 0)->call, call->call);
	CHECK_EQUAL(nested->within, call->call);
	CHECK_EQUAL(event_of(TRACE_KIND_ANSWER, TEST_INTERFACE, 0)->call, call->call);
	CHECK_EQUAL(event_of(TRACE_KIND_ANSWER, TEST_INTERFACE, 0)->status, STATUS_OVERLOADED);
	CHECK_EQUAL(event_of(TRACE_KIND_COMPLETION, TEST_INTERFACE, 0)->call, call->call);
	CHECK_EQUAL(event_of(TRACE_KIND_COMPLETION, TEST_INTERFACE, 0)->status, STATUS_OVERLOADED);
	/* After the answer nothing is within the call any more. */
	CHECK_EQUAL(event_of(TRACE_KIND_CALL, TIMER_INTERFACE_ID, 1)->within, 0);
	client_release(trace.ref);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* To another server, at once or when that receives: one number from the caller to who answers. */
static void a_forwarded_call_keeps_its_number(void)
{
	uint32_t first = endpoint_new(), second = endpoint_new();
	uint32_t export = export_new(first, TAG, false), other = export_new(second, TAG, false);

	for (uint32_t later = 0; later < 2; later++) {
		struct trace_ref trace = trace_of_all();
		struct ring_entry forward = { .op = CAP_OP_FORWARD, .target = other, .interface = TEST_INTERFACE, .method = 1,
			.question = Q0 + 3 };
		uint64_t number;

		start(entry_recv(first, Q0 + 1));
		start(entry_call(export, Q0));
		forward.deadline_ns = (uint64_t)first << 32 | finish(Q0 + 1).id;
		if (!later)
			start(entry_recv(second, Q0 + 2));
		start(forward);
		if (later)
			start(entry_recv(second, Q0 + 2));
		CHECK_EQUAL(finish(Q0 + 3).status, STATUS_OK);
		CHECK_EQUAL(perform(entry_return(second, finish(Q0 + 2).id)).status, STATUS_OK);
		CHECK_EQUAL(finish(Q0).status, STATUS_OK);
		(void)now_ns();
		stop_and_read(trace);
		number = event_of(TRACE_KIND_CALL, TEST_INTERFACE, 0)->call;
		CHECK(number != 0);
		CHECK_EQUAL(event_of(TRACE_KIND_CALL, TEST_INTERFACE, 1)->call, 0);
		CHECK_EQUAL(event_of(TRACE_KIND_DELIVERY, TEST_INTERFACE, 0)->call, number);
		CHECK_EQUAL(event_of(TRACE_KIND_DELIVERY, TEST_INTERFACE, 1)->call, number);
		CHECK_EQUAL(event_of(TRACE_KIND_DELIVERY, TEST_INTERFACE, 1)->method, 1);
		CHECK_EQUAL(event_of(TRACE_KIND_ANSWER, TEST_INTERFACE, 0)->call, number);
		CHECK_EQUAL(event_of(TRACE_KIND_COMPLETION, TEST_INTERFACE, 0)->call, number);
		CHECK_EQUAL(event_of(TRACE_KIND_CALL, TIMER_INTERFACE_ID, 0)->within, 0);
		client_release(trace.ref);
	}
	CHECK_EQUAL(release(other), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(second), STATUS_OK);
	CHECK_EQUAL(release(first), STATUS_OK);
}

/* A call of a time of tracing before, and one that began while nobody traced, have no number. */
static void numbers_do_not_outlive_the_tracing(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, TAG, false);
	struct trace_ref trace = trace_of_all();

	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	CHECK_EQUAL(trace_stop(trace), STATUS_OK);
	client_release(trace.ref);
	trace = trace_of_all();
	(void)now_ns();
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	stop_and_read(trace);
	CHECK_EQUAL(event_of(TRACE_KIND_ANSWER, TEST_INTERFACE, 0)->other, world.process_id);
	CHECK_EQUAL(event_of(TRACE_KIND_ANSWER, TEST_INTERFACE, 0)->call, 0);
	CHECK_EQUAL(event_of(TRACE_KIND_COMPLETION, TEST_INTERFACE, 0)->call, 0);
	CHECK_EQUAL(event_of(TRACE_KIND_CALL, TIMER_INTERFACE_ID, 0)->within, 0);
	client_release(trace.ref);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void refusals_and_transfers_are_events(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, TAG, false);
	struct trace_ref trace = trace_of_all();
	struct ring_entry entry = entry_call(rt_id(world.timer.ref), Q0);
	const struct trace_event *event;

	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_COUNT;
	CHECK_EQUAL(perform(entry).status, STATUS_UNIMPLEMENTED);
	start(entry_recv(endpoint, Q0 + 1));
	entry = entry_call(export, Q0);
	send_cap(&entry, TRANSFER_KIND_COPY, rt_id(world.timer.ref));
	start(entry);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
	(void)finish(Q0);
	stop_and_read(trace);
	event = event_of(TRACE_KIND_REFUSED, TIMER_INTERFACE_ID, 0);
	CHECK_EQUAL(event->status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(event->method, TIMER_METHOD_COUNT);
	event = event_of(TRACE_KIND_TRANSFER, TIMER_INTERFACE_ID, 0);
	CHECK_EQUAL(event->call, event_of(TRACE_KIND_CALL, TEST_INTERFACE, 0)->call);
	CHECK_EQUAL(event->other, world.process_id);
	CHECK_EQUAL(event->detail, 0);
	CHECK_EQUAL(event_of(TRACE_KIND_CALL, TEST_INTERFACE, 0)->capabilities, 1);
	/* What the kernel gives to the holder of a tracer, it gives after the trace has begun. */
	CHECK_EQUAL(event_of(TRACE_KIND_TRANSFER, TRACE_INTERFACE_ID, 0)->other, world.process_id);
	client_release(trace.ref);
	CHECK_EQUAL(release(seat_records(Q0 + 1, true)[0].id), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void name_is(struct trace_ref trace, uint32_t process, const char *name, bool has_ended)
{
	struct trace_process_call call = trace_process_start(trace, process);
	struct trace_process_results_reader in;

	CHECK_EQUAL(trace_process_wait(&call), STATUS_OK);
	in = trace_process_results(&call);
	CHECK_EQUAL(trace_process_results_get_found(in), name[0] != 0);
	CHECK_EQUAL(trace_process_results_get_ended(in), has_ended);
	CHECK(capnp_text_equals(trace_process_results_get_name(in), name));
	trace_process_done(&call);
}

static void processes_switches_and_faults_are_events(void)
{
	struct trace_ref trace = trace_of_all();
	struct child_spec spec = { .role = "crash", .arg = "w" };
	struct process_handle_ref child = child_start(&spec);
	uint32_t id;

	CHECK_EQUAL(child_finish(child).state, PROCESS_STATE_CRASHED);
	stop_and_read(trace);
	id = event_of(TRACE_KIND_PROCESS_START, 0, 0)->process;
	CHECK(id > world.process_id);
	CHECK_EQUAL(event_of(TRACE_KIND_PROCESS_START, 0, 0)->other, world.process_id);
	CHECK_EQUAL(event_of(TRACE_KIND_FAULT, 0, 0)->process, id);
	CHECK_EQUAL(event_of(TRACE_KIND_FAULT, 0, 0)->status, 14);
	CHECK_EQUAL(event_of(TRACE_KIND_FAULT, 0, 0)->detail, 0x10);
	CHECK_EQUAL(event_of(TRACE_KIND_PROCESS_END, 0, 0)->process, id);
	CHECK_EQUAL(event_of(TRACE_KIND_PROCESS_END, 0, 0)->status, PROCESS_STATE_CRASHED);
	/* With several processors it runs on one that had nothing to do. */
	if (world.processors == 1) {
		CHECK_EQUAL(event_of(TRACE_KIND_SWITCH, 0, 0)->process, world.process_id);
		CHECK_EQUAL(event_of(TRACE_KIND_SWITCH, 0, 0)->other, id);
	}
	name_is(trace, id, "crash", true);
	name_is(trace, world.process_id, "init", false);
	name_is(trace, 0, "", false);
	name_is(trace, id + 1000, "", false);
	client_release(trace.ref);
}

/* --- Rings and readers -------------------------------------------------------------------------- */

static void the_newest_overwrite_the_oldest_and_losses_are_counted(void)
{
	static const enum trace_kind calls[] = { TRACE_KIND_CALL };
	struct trace_ref trace = { { 0 } };
	uint32_t capacity = 0;
	uint64_t written, again;

	/* With several processors it is not known which of them has how many. */
	if (world.processors > 1)
		return;
	REQUIRE_OK(trace_begin(1, calls, 1, &trace));
	CHECK_EQUAL(trace_info(trace, NULL, NULL, &capacity, NULL, NULL), STATUS_OK);
	CHECK_EQUAL(capacity, 64);     /* one page */
	for (uint32_t i = 0; i < 200; i++)
		(void)now_ns();
	CHECK_EQUAL(trace_stop(trace), STATUS_OK);
	read_all(trace);
	written = events_lost + event_count;
	CHECK_EQUAL(written, 202);     /* info and stop are calls, too */
	CHECK_EQUAL(event_count, capacity);
	CHECK_EQUAL(events[0].position, written - capacity);
	for (uint32_t i = 0; i < event_count; i++) {
		CHECK_EQUAL(events[i].kind, TRACE_KIND_CALL);
		CHECK(i == 0 || (events[i].call == events[i - 1].call + 1 && events[i].time_ns >= events[i - 1].time_ns));
	}
	/* Reading took nothing away: another reader sees the same. */
	event_count = 0;
	again = read_once(trace, written - 5);
	CHECK_EQUAL(event_count, 5);
	CHECK_EQUAL(again, written);
	CHECK_EQUAL(read_once(trace, written), written);
	client_release(trace.ref);
}

static void two_traces_are_two(void)
{
	static const enum trace_kind answers[] = { TRACE_KIND_ANSWER };
	struct trace_ref all = trace_of_all(), some = { { 0 } };
	uint64_t number;

	REQUIRE_OK(trace_begin(100, answers, 1, &some));
	(void)now_ns();
	stop_and_read(all);
	number = event_of(TRACE_KIND_CALL, TIMER_INTERFACE_ID, 0)->call;
	CHECK(number != 0);
	client_release(all.ref);
	(void)now_ns();
	stop_and_read(some);
	CHECK_EQUAL(event_of(TRACE_KIND_CALL, 0, 0)->call, 0);
	CHECK_EQUAL(event_of(TRACE_KIND_ANSWER, TIMER_INTERFACE_ID, 0)->call, number);
	CHECK(event_of(TRACE_KIND_ANSWER, TIMER_INTERFACE_ID, 1)->call > number);
	client_release(some.ref);
}

static void unfit_arguments_are_refused(void)
{
	static const enum trace_kind none[] = { TRACE_KIND_NONE }, beyond[] = { (enum trace_kind)40 };
	struct trace_ref trace = { { 0 } };
	struct payload_trace_ref payload = { { 0 } };
	struct trace_read_call call;

	CHECK_EQUAL(trace_begin(0, NULL, 0, &trace), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(trace_begin(TRACE_BYTES_MAX / 64 + 1, NULL, 0, &trace), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(trace_begin(10, none, 1, &trace), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(trace_begin(10, beyond, 1, &trace), STATUS_INVALID_ARGUMENT);
	for (uint32_t words = 0; words <= TRACE_PAYLOAD_MAX + 1; words += TRACE_PAYLOAD_MAX + 1) {
		struct payload_tracer_start_payload_params_builder params;
		struct payload_tracer_start_payload_call start = payload_tracer_start_payload_begin(root(), &params);

		payload_tracer_start_payload_params_set_events(params, 10);
		payload_tracer_start_payload_params_set_words(params, (uint16_t)words);
		payload_tracer_start_payload_send(&start);
		CHECK_EQUAL(payload_tracer_start_payload_wait(&start), STATUS_INVALID_ARGUMENT);
		(void)!payload_tracer_start_payload_take_trace(&start, &payload);
		payload_tracer_start_payload_done(&start);
	}
	trace = trace_of_all();
	call = trace_read_start(trace, (uint16_t)world.processors, 0);
	CHECK_EQUAL(trace_read_wait(&call), STATUS_INVALID_ARGUMENT);
	trace_read_done(&call);
	call = trace_read_start(trace, 0, 1000000);
	CHECK_EQUAL(trace_read_wait(&call), STATUS_INVALID_ARGUMENT);
	trace_read_done(&call);
	client_release(trace.ref);
}

/* --- Payload ------------------------------------------------------------------------------------ */

static struct payload_trace_ref payload_begin(uint16_t words)
{
	struct payload_tracer_start_payload_params_builder params;
	struct payload_tracer_start_payload_call call = payload_tracer_start_payload_begin(root(), &params);
	struct payload_trace_ref trace = { { 0 } };

	payload_tracer_start_payload_params_set_events(params, 300);
	payload_tracer_start_payload_params_set_words(params, words);
	payload_tracer_start_payload_send(&call);
	CHECK_EQUAL(payload_tracer_start_payload_wait(&call), STATUS_OK);
	CHECK_EQUAL(payload_tracer_start_payload_take_trace(&call, &trace), STATUS_OK);
	payload_tracer_start_payload_done(&call);
	return trace;
}

/* Whether the message of that event begins so, and no more of it was kept. */
static void payload_is(struct payload_trace_ref trace, const struct trace_event *event, const uint64_t *words,
		uint32_t count)
{
	struct payload_trace_payload_call call = payload_trace_payload_start(trace, event->processor, event->position);
	struct payload_trace_payload_results_reader in;
	struct capnp_list list;

	CHECK_EQUAL(payload_trace_payload_wait(&call), STATUS_OK);
	in = payload_trace_payload_results(&call);
	list = payload_trace_payload_results_get_words(in);
	CHECK(payload_trace_payload_results_get_found(in));
	CHECK_EQUAL(list.count, count);
	for (uint32_t i = 0; i < list.count && i < count; i++)
		CHECK_EQUAL(capnp_list_u64(list, i), words[i]);
	payload_trace_payload_done(&call);
}

static void messages_are_kept_up_to_the_bound(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, TAG, false);
	struct payload_trace_ref trace = payload_begin(4);
	struct trace_ref headers = payload_trace_as_trace(trace);
	static const uint64_t question[] = { 11, 22, 33, 44, 55, 66 }, reply[] = { 7, 8 };
	struct ring_entry entry = entry_call(export, Q0);

	start(entry_recv(endpoint, Q0 + 1));
	memcpy(message(), question, sizeof(question));
	entry.msg_off = world.message_off;
	entry.msg_words = ARRAY_LEN(question);
	start(entry);
	entry = entry_return(endpoint, finish(Q0 + 1).id);
	memcpy(message(), reply, sizeof(reply));
	entry.msg_off = world.message_off;
	entry.msg_words = ARRAY_LEN(reply);
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	stop_and_read(headers);
	CHECK_EQUAL(event_of(TRACE_KIND_CALL, TEST_INTERFACE, 0)->words, 6);
	payload_is(trace, event_of(TRACE_KIND_CALL, TEST_INTERFACE, 0), question, 4);
	payload_is(trace, event_of(TRACE_KIND_ANSWER, TEST_INTERFACE, 0), reply, 2);
	payload_is(trace, event_of(TRACE_KIND_DELIVERY, TEST_INTERFACE, 0), NULL, 0);
	client_release(trace.ref);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void the_narrow_facets_show_headers_only(void)
{
	struct payload_trace_ref trace = payload_begin(8);
	uint32_t tracer = narrow_of(rt_id(root().ref), TRACER_INTERFACE_ID), reader = narrow_of(rt_id(trace.ref),
			TRACE_INTERFACE_ID);
	struct payload_tracer_ref narrow_tracer = { rt_ref(tracer) };
	struct payload_trace_ref narrow_trace = { rt_ref(reader) };
	struct trace_ref headers = trace_of_all();
	struct payload_tracer_start_payload_params_builder params;
	struct payload_tracer_start_payload_call begin = payload_tracer_start_payload_begin(narrow_tracer, &params);
	struct payload_trace_payload_call call = payload_trace_payload_start(narrow_trace, 0, 0);

	CHECK_EQUAL(payload_trace_payload_wait(&call), STATUS_UNIMPLEMENTED);
	payload_trace_payload_done(&call);
	payload_tracer_start_payload_send(&begin);
	CHECK_EQUAL(payload_tracer_start_payload_wait(&begin), STATUS_UNIMPLEMENTED);
	payload_tracer_start_payload_done(&begin);
	/* What a Tracer starts is a Trace, and nothing makes it wider. */
	CHECK_EQUAL(narrow_of(rt_id(headers.ref), PAYLOAD_TRACE_INTERFACE_ID), 0);
	stop_and_read((struct trace_ref){ rt_ref(reader) });
	CHECK(event_count > 0);
	client_release(headers.ref);
	client_release(trace.ref);
	CHECK_EQUAL(release(reader), STATUS_OK);
	CHECK_EQUAL(release(tracer), STATUS_OK);
}

/* --- Ends --------------------------------------------------------------------------------------- */

static void a_trace_ends_with_its_holder(void)
{
	struct child_spec spec = { .role = "trace", .grants = { { "tracer", rt_id(root().ref) } },
		.interfaces = { &payload_tracer_interface } };
	struct trace_ref traces[TRACE_SESSIONS_MAX] = { { { 0 } } }, beyond = { { 0 } };
	static const enum trace_kind ends[] = { TRACE_KIND_PROCESS_END };
	struct child_end end;

	/* The child starts all that there can be, finds one more refused, and ends with them. */
	end = child_finish(child_start(&spec));
	CHECK_EQUAL(end.state, PROCESS_STATE_CRASHED);
	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX; i++)
		CHECK_EQUAL(trace_begin(10, ends, 1, &traces[i]), STATUS_OK);
	CHECK_EQUAL(trace_begin(10, ends, 1, &beyond), STATUS_OVERLOADED);
	/* One that is stopped makes room, and can still be read. */
	CHECK_EQUAL(trace_stop(traces[0]), STATUS_OK);
	CHECK_EQUAL(trace_stop(traces[0]), STATUS_OK);
	CHECK_EQUAL(trace_begin(10, ends, 1, &beyond), STATUS_OK);
	read_all(traces[0]);
	CHECK_EQUAL(event_count, 0);
	client_release(beyond.ref);
	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX; i++)
		client_release(traces[i].ref);
}

int trace_role(const char *arg)
{
	struct trace_ref trace;

	for (uint32_t i = 0; i < TRACE_SESSIONS_MAX; i++) {
		if (trace_begin(16, NULL, 0, &trace) != STATUS_OK)
			return 1;
	}
	if (trace_begin(16, NULL, 0, &trace) != STATUS_OVERLOADED)
		return 2;
	*(volatile uint8_t *)0x10 = 1;
	return 3;
}

static void the_memory_is_the_callers(void)
{
	struct usage before = usage_self(), with;
	struct trace_ref trace = { { 0 } };
	uint64_t bytes = 0;

	REQUIRE_OK(trace_begin(1000, NULL, 0, &trace));
	CHECK_EQUAL(trace_info(trace, NULL, NULL, NULL, NULL, &bytes), STATUS_OK);
	CHECK_EQUAL(bytes, 65536 * world.processors);
	with = usage_self();
	CHECK_EQUAL(with.used[RESOURCE_CLASS_FRAMES] - before.used[RESOURCE_CLASS_FRAMES],
			16 * world.processors);
	CHECK_EQUAL(with.used[RESOURCE_CLASS_OBJECTS] - before.used[RESOURCE_CLASS_OBJECTS], 1);
	client_release(trace.ref);
	CHECK(usage_settles(&before));
}

static void each_allocation_may_fail(void)
{
	struct usage before = usage_self();
	bool waiting = false;

	/* Only debug builds let allocations fail. */
	if (system_info_fail_allocation(world.info, 0, NULL) == STATUS_UNIMPLEMENTED)
		return;
	for (uint64_t n = 1; n < 100 && !waiting; n++) {
		struct trace_ref trace = { { 0 } };
		status_t status;

		REQUIRE_OK(system_info_fail_allocation(world.info, n, NULL));
		status = trace_begin(100, NULL, 0, &trace);
		REQUIRE_OK(system_info_fail_allocation(world.info, 0, &waiting));
		CHECK_EQUAL(status, waiting ? STATUS_OK : STATUS_OVERLOADED);
		client_release(trace.ref);
		CHECK(usage_settles(&before));
	}
	CHECK(waiting);
}

static const struct test tests[] = {
	{ "a kernel call is seen from beginning to end", a_kernel_call_is_seen_from_beginning_to_end },
	{ "a call is followed to the server and what it calls", a_call_is_followed_to_the_server_and_what_it_calls },
	{ "a forwarded call keeps its number", a_forwarded_call_keeps_its_number },
	{ "numbers do not outlive the tracing", numbers_do_not_outlive_the_tracing },
	{ "refusals and transfers are events", refusals_and_transfers_are_events },
	{ "processes, switches and faults are events", processes_switches_and_faults_are_events },
	{ "the newest events overwrite the oldest and losses are counted",
		the_newest_overwrite_the_oldest_and_losses_are_counted },
	{ "two traces are two", two_traces_are_two },
	{ "unfit arguments of a trace are refused", unfit_arguments_are_refused },
	{ "messages are kept up to the bound", messages_are_kept_up_to_the_bound },
	{ "the narrow facets show headers only", the_narrow_facets_show_headers_only },
	{ "a trace ends with its holder", a_trace_ends_with_its_holder },
	{ "the memory of a trace is the caller's", the_memory_is_the_callers },
	{ "each allocation of a trace may fail", each_allocation_may_fail },
};

TEST_LIST(trace_tests, tests);
