/*
 * Calls, receives and returns at one endpoint whose both sides are this process, and calls to
 * kernel objects.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/ring.h"

/* An endpoint with one export, for most tests here. */
static uint32_t endpoint, export;

static bool fixture_open(void)
{
	endpoint = endpoint_new();
	export = export_new(endpoint, 0xabcdef0123456789, false);
	return export != 0;
}

static void fixture_close(void)
{
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void kernel_objects_answer_both_ways(void)
{
	struct ring_entry entry = entry_call(rt_id(world.timer.ref), Q0);
	struct ring_completion completion;

	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_NOW;
	entry.reply_caps = 0;
	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_OK);
	CHECK_EQUAL(completion.id, Q0);
	CHECK_EQUAL(completion.msg_words, 2); /* root pointer and one word */
	CHECK(seat_words(Q0)[1] != 0);
	completion = perform_sync(entry);
	CHECK_EQUAL(completion.status, STATUS_OK);
	CHECK_EQUAL(completion.msg_words, 2);
	entry.reply_off = entry.reply_words = 0;
	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_REPLY_TOO_LARGE);
	CHECK_EQUAL(reason_of(completion.detail), REASON_SIZE);
}

static void kernel_objects_refuse(void)
{
	struct ring_entry entry = entry_call(rt_id(world.timer.ref), Q0);
	struct ring_completion completion;

	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(reason_of(completion.detail), REASON_NO_INTERFACE);
	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_COUNT;
	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(reason_of(completion.detail), REASON_NO_METHOD);
	entry.method = TIMER_METHOD_SLEEP;
	entry.msg_off = world.message_off;
	entry.msg_words = 129;
	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_TOO_LARGE);
	CHECK_EQUAL(reason_of(completion.detail), REASON_SIZE);
	CHECK_EQUAL((completion.detail >> 16) & 0xffff, 129);
	CHECK_EQUAL(completion.detail >> 32, 128);
	memset(message(), 0xff, 64);
	entry.msg_words = 8;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_MESSAGE);
	entry.msg_words = entry.msg_off = 0;
	for (uint32_t i = 0; i < 5; i++)
		send_cap(&entry, TRANSFER_KIND_NONE, 0);
	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_TOO_LARGE);
	CHECK_EQUAL(reason_of(completion.detail), REASON_CAPABILITIES);
}

static void unknown_capabilities_are_refused(void)
{
	static const uint32_t ids[] = { 0, 1u << 20, 0x000fffff, 0xffffffff, 0x7ff00001,
		0x00012345 };
	uint32_t id = copy_of(rt_id(world.timer.ref));

	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		CHECK_EQUAL(perform(entry_call(ids[i], Q0)).status, STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(perform(entry_recv(ids[i], Q0)).status, STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(perform(entry_return(ids[i], 1)).status, STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(release(ids[i]), STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(perform(entry_of(CAP_OP_COPY, ids[i])).status, STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(perform(entry_of(CAP_OP_NARROW, ids[i])).status, STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(perform(entry_of(CAP_OP_WAIT, ids[i])).status, STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(perform(entry_of(CAP_OP_SIGNAL, ids[i])).status, STATUS_BAD_CAPABILITY);
		CHECK_EQUAL(perform(entry_of(CAP_OP_RETIRE, ids[i])).status, STATUS_BAD_CAPABILITY);
	}
	CHECK(is_live(id));
	CHECK_EQUAL(release(id), STATUS_OK);
	CHECK(!is_live(id));
	CHECK_EQUAL(release(id), STATUS_BAD_CAPABILITY);
}

static void a_stale_id_stays_stale(void)
{
	uint32_t stale = copy_of(rt_id(world.timer.ref)), again = 0;

	CHECK_EQUAL(release(stale), STATUS_OK);
	/* Round the free slots until the same slot is handed out again: another generation. */
	for (uint32_t i = 0; i < 70000 && (again & 0xfffff) != (stale & 0xfffff); i++) {
		if (again)
			(void)release(again);
		again = copy_of(rt_id(world.timer.ref));
	}
	CHECK((again & 0xfffff) == (stale & 0xfffff) && again != stale);
	CHECK(is_live(again) && !is_live(stale));
	CHECK_EQUAL(release(again), STATUS_OK);
}

static void the_receive_side_is_not_callable_as_a_service(void)
{
	REQUIRE(fixture_open());
	CHECK_EQUAL(perform(entry_recv(export, Q0)).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(perform(entry_return(export, 1)).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(perform(entry_of(CAP_OP_RETIRE, export)).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(perform(entry_of(CAP_OP_SIGNAL, export)).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(perform(entry_call(endpoint, Q0)).status, STATUS_UNIMPLEMENTED);
	fixture_close();
}

static void a_call_carries_tag_interface_and_words(void)
{
	struct ring_entry call, answer;
	struct ring_completion received, answered;
	const struct recv_header *header = seat_header(Q0 + 1);

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	CHECK(!is_done(Q0 + 1));
	call = entry_call(export, Q0);
	call.method = 2;
	call.msg_off = world.message_off;
	call.msg_words = 3;
	memcpy(message(), (const uint64_t[]){ 11, 22, 33 }, 24);
	start(call);
	received = finish(Q0 + 1);
	CHECK_EQUAL(received.status, STATUS_OK);
	CHECK_EQUAL(received.detail, 0xabcdef0123456789);
	CHECK_EQUAL(received.msg_words, 3);
	CHECK_EQUAL(received.cap_count, 0);
	CHECK(received.id != 0);
	CHECK_EQUAL(header->kind, RECV_KIND_CALL);
	CHECK_EQUAL(header->method, 2);
	CHECK_EQUAL(header->interface, TEST_INTERFACE);
	CHECK_EQUAL(header->tag, 0xabcdef0123456789);
	CHECK_EQUAL(header->reply_words, MESSAGE_WORDS);
	CHECK_EQUAL(header->reply_caps, MESSAGE_CAPS);
	CHECK_EQUAL(memcmp(seat_message(Q0 + 1, true), message(), 24), 0);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(info_in_service(endpoint), 1);
	answer = entry_return(endpoint, received.id);
	answer.msg_off = world.message_off + 1;
	answer.msg_words = 2;
	CHECK_EQUAL(perform(answer).status, STATUS_OK);
	answered = finish(Q0);
	CHECK_EQUAL(answered.status, STATUS_OK);
	CHECK_EQUAL(answered.flags, 0);
	CHECK_EQUAL(answered.id, Q0);
	CHECK_EQUAL(answered.msg_words, 2);
	CHECK_EQUAL(seat_message(Q0, false)[1], 33);
	CHECK_EQUAL(info_in_service(endpoint), 0);
	CHECK_EQUAL(perform(answer).status, STATUS_GONE);
	fixture_close();
}

static void a_call_waits_for_its_receiver(void)
{
	struct ring_completion received;

	REQUIRE(fixture_open());
	start(entry_call(export, Q0));
	start(entry_call(export, Q0 + 1));
	CHECK_EQUAL(info_pending(endpoint), 2);
	start(entry_recv(endpoint, Q0 + 2));
	received = finish(Q0 + 2);
	CHECK_EQUAL(received.status, STATUS_OK);
	CHECK_EQUAL(perform(entry_return(endpoint, received.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK(!is_done(Q0 + 1));
	start(entry_recv(endpoint, Q0 + 2));
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 2).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	fixture_close();
}

static void an_ancestor_is_called_by_its_own_id(void)
{
	struct ring_entry call;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	call = entry_call(export, Q0);
	call.interface = TEST_ANCESTOR;
	call.method = 1;
	CHECK_EQUAL(perform(call).status, STATUS_UNIMPLEMENTED);
	call.method = 0;
	start(call);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
	CHECK_EQUAL(seat_header(Q0 + 1)->interface, TEST_ANCESTOR);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	fixture_close();
}

static void a_narrowed_capability_has_only_the_ancestor(void)
{
	struct ring_completion refused;
	struct ring_entry entry;
	uint32_t narrow;

	REQUIRE(fixture_open());
	narrow = narrow_of(export, TEST_ANCESTOR);
	CHECK(narrow != 0);
	CHECK_EQUAL(perform(entry_call(narrow, Q0)).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(narrow_of(narrow, TEST_INTERFACE), 0);
	entry = entry_of(CAP_OP_NARROW, export);
	entry.interface = 77;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(refused.id, 0);
	CHECK_EQUAL(release(narrow), STATUS_OK);
	fixture_close();
}

static void rearm_answers_and_receives(void)
{
	struct ring_completion received;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	for (uint32_t i = 0; i < 10; i++) {
		start(entry_call(export, Q0));
		received = finish(Q0 + 1);
		CHECK_EQUAL(received.status, STATUS_OK);
		start(entry_return_rearm(endpoint, received.id, Q0 + 1));
		CHECK_EQUAL(finish(Q0).status, STATUS_OK);
		CHECK(!is_done(Q0 + 1));
	}
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	fixture_close();
}

static void a_failed_rearm_arms_nothing(void)
{
	struct ring_completion completion;
	struct ring_entry entry;
	uint32_t id;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	id = finish(Q0 + 1).id;
	entry = entry_return_rearm(endpoint, id, Q0 + 1);
	entry.msg_off = world.message_off;
	entry.msg_words = MESSAGE_WORDS + 1;
	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_REPLY_TOO_LARGE);
	CHECK_EQUAL(completion.flags, COMPLETION_RETURN);
	CHECK_EQUAL((completion.detail >> 16) & 0xffff, MESSAGE_WORDS + 1);
	CHECK_EQUAL(completion.detail >> 32, MESSAGE_WORDS);
	entry = entry_return_rearm(endpoint, id, Q0 + 1);
	entry.reply_words = MESSAGE_WORDS - 1;
	completion = perform(entry);
	CHECK_EQUAL(completion.status, STATUS_REPLY_TOO_LARGE);
	CHECK_EQUAL(completion.flags, COMPLETION_RETURN);
	entry = entry_return_rearm(endpoint, id, Q0 + 1);
	entry.reply_off = 5;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_SPAN);
	CHECK(!is_done(Q0));
	/* The call is still open; a re-arm with an unknown call arms. */
	start(entry_return_rearm(endpoint, id, Q0 + 1));
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	(void)finish(Q0 + 1);
	start(entry_return_rearm(endpoint, id, Q0 + 1));
	CHECK(!is_done(Q0 + 1));
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	fixture_close();
}

static void returns_refuse_what_they_do_not_know(void)
{
	static const uint64_t ids[] = { 0, 2, 5, 4096, 0x1000001, 0xffffffff, 0x100000001,
		UINT64_MAX };
	struct ring_entry entry;
	uint32_t id;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	id = finish(Q0 + 1).id;
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		entry = entry_return(endpoint, 0);
		entry.interface = ids[i];
		if (ids[i] != id)
			CHECK_EQUAL(perform(entry).status, STATUS_GONE);
	}
	entry = entry_return(endpoint, id);
	entry.interface |= 1ull << 32;
	CHECK_EQUAL(perform(entry).status, STATUS_GONE);
	entry = entry_return(endpoint, id);
	entry.method = 1;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry.flags = ENTRY_EXCEPTION;
	entry.method = 0;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry.method = 6;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry = entry_return(endpoint, id);
	entry.question = Q0 + 2;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	fixture_close();
}

static void exceptions_have_a_code_and_maybe_words(void)
{
	struct ring_completion answered;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	for (uint16_t code = STATUS_FAILED; code <= STATUS_INVALID_ARGUMENT; code++) {
		start(entry_recv(endpoint, Q0 + 1));
		start(entry_call(export, Q0));
		entry = entry_return(endpoint, finish(Q0 + 1).id);
		entry.flags = ENTRY_EXCEPTION;
		entry.method = code;
		if (code & 1) {
			entry.msg_off = world.message_off;
			entry.msg_words = 2;
		}
		CHECK_EQUAL(perform(entry).status, STATUS_OK);
		answered = finish(Q0);
		CHECK_EQUAL(answered.status, code);
		CHECK_EQUAL(answered.flags, code & 1 ? COMPLETION_EXCEPTION : 0);
		CHECK_EQUAL(answered.msg_words, code & 1 ? 2 : 0);
		CHECK_EQUAL(answered.detail, 0);
	}
	fixture_close();
}

static void sizes_are_named_in_refusals(void)
{
	struct ring_completion refused;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	entry = entry_call(export, Q0);
	entry.msg_off = world.message_off;
	entry.msg_words = MESSAGE_WORDS + 1;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_TOO_LARGE);
	CHECK_EQUAL(reason_of(refused.detail), REASON_SIZE);
	CHECK_EQUAL((refused.detail >> 16) & 0xffff, MESSAGE_WORDS + 1);
	CHECK_EQUAL(refused.detail >> 32, MESSAGE_WORDS);
	entry = entry_call(export, Q0);
	for (uint32_t i = 0; i < MESSAGE_CAPS + 1; i++)
		send_cap(&entry, TRANSFER_KIND_NONE, 0);
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_TOO_LARGE);
	CHECK_EQUAL(reason_of(refused.detail), REASON_CAPABILITIES);
	CHECK_EQUAL(refused.detail >> 32, MESSAGE_CAPS);
	entry = entry_recv(endpoint, Q0);
	entry.reply_words = MESSAGE_WORDS - 1;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_REPLY_TOO_LARGE);
	CHECK_EQUAL(reason_of(refused.detail), REASON_SIZE);
	CHECK_EQUAL(refused.detail >> 32, MESSAGE_WORDS);
	entry = entry_recv(endpoint, Q0);
	entry.reply_caps = MESSAGE_CAPS - 1;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_REPLY_TOO_LARGE);
	CHECK_EQUAL(reason_of(refused.detail), REASON_CAPABILITIES);
	fixture_close();
}

static void service_slots_are_bounded(void)
{
	uint32_t ids[SERVICE_CALLS], count = SERVICE_CALLS;

	REQUIRE(fixture_open());
	for (uint16_t i = 0; i < count; i++) {
		start(entry_recv(endpoint, Q0 + 7));
		start(entry_call(export, (uint16_t)(Q0 + i)));
		ids[i] = finish(Q0 + 7).id;
	}
	start(entry_recv(endpoint, Q0 + 7));
	start(entry_call(export, Q0 + 5));
	CHECK(!is_done(Q0 + 7));
	CHECK_EQUAL(info_pending(endpoint), 1);
	/* One answer makes room, and the waiting call comes through. */
	CHECK_EQUAL(perform(entry_return(endpoint, ids[0])).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 7).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 5).status, STATUS_OK);
	for (uint16_t i = 1; i < count; i++) {
		CHECK_EQUAL(perform(entry_return(endpoint, ids[i])).status, STATUS_OK);
		CHECK_EQUAL(finish((uint16_t)(Q0 + i)).status, STATUS_OK);
	}
	fixture_close();
}

/* --- Cancel ----------------------------------------------------------------------------------- */

static void cancel_of_a_queued_call(void)
{
	REQUIRE(fixture_open());
	start(entry_call(export, Q0));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	CHECK_EQUAL(info_pending(endpoint), 0);
	fixture_close();
}

static void cancel_of_a_delivered_call(void)
{
	struct ring_completion event;
	uint32_t id;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	id = finish(Q0 + 1).id;
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	start(entry_recv(endpoint, Q0 + 1));
	event = finish(Q0 + 1);
	CHECK_EQUAL(event.status, STATUS_OK);
	CHECK_EQUAL(event.id, id);
	CHECK_EQUAL(seat_header(Q0 + 1)->kind, RECV_KIND_CANCELLED);
	CHECK_EQUAL(info_in_service(endpoint), 1);
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_GONE);
	CHECK_EQUAL(info_in_service(endpoint), 0);
	fixture_close();
}

static void a_return_before_the_cancelled_event_takes_it_back(void)
{
	uint32_t id;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	id = finish(Q0 + 1).id;
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	(void)finish(Q0);
	start(entry_return_rearm(endpoint, id, Q0 + 1));
	CHECK(!is_done(Q0 + 1));
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	fixture_close();
}

static void cancel_of_a_wait_and_a_sleep(void)
{
	uint32_t notification = notification_new();
	struct ring_entry entry = entry_of(CAP_OP_WAIT, notification);
	struct timer_sleep_call sleep;

	entry.question = Q0;
	entry.interface = 6;
	start(entry);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	sleep = timer_sleep_start(world.timer, 1000000000000ull);
	client_cancel(&sleep.call);
	CHECK_EQUAL(timer_sleep_wait(&sleep), STATUS_CANCELLED);
	timer_sleep_done(&sleep);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

/* --- Notifications ---------------------------------------------------------------------------- */

static void bits_are_taken_by_mask(void)
{
	uint32_t notification = notification_new();
	struct ring_entry wait = entry_of(CAP_OP_WAIT, notification),
			  signal = entry_of(CAP_OP_SIGNAL, notification);
	struct ring_completion completion;

	wait.question = Q0;
	signal.interface = 0x8000000000000005;
	CHECK_EQUAL(perform(signal).status, STATUS_OK);
	wait.interface = 4;
	completion = perform(wait);
	CHECK_EQUAL(completion.status, STATUS_OK);
	CHECK_EQUAL(completion.detail, 4);
	wait.interface = 6;
	start(wait);
	wait.question = Q0 + 1;
	wait.interface = UINT64_MAX;
	completion = perform(wait);
	CHECK_EQUAL(completion.detail, 0x8000000000000001);
	CHECK(!is_done(Q0));
	signal.interface = 0x13;
	CHECK_EQUAL(perform(signal).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).detail, 2);
	completion = perform(wait);
	CHECK_EQUAL(completion.detail, 0x11);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void a_signal_facet_signals_and_does_not_wait(void)
{
	uint32_t notification = notification_new(),
		 signal = narrow_of(notification, SIGNAL_INTERFACE_ID);
	struct ring_entry entry = entry_of(CAP_OP_SIGNAL, signal);

	entry.interface = 1;
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	entry = entry_of(CAP_OP_WAIT, signal);
	entry.interface = 1;
	entry.question = Q0;
	CHECK_EQUAL(perform(entry).status, STATUS_UNIMPLEMENTED);
	entry.target = notification;
	CHECK_EQUAL(perform(entry).detail, 1);
	entry.flags = ENTRY_DEATH;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry.interface = 0;
	CHECK_EQUAL(perform(entry).status, STATUS_UNIMPLEMENTED); /* it does not end by itself */
	CHECK_EQUAL(release(signal), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void yield_comes_back(void)
{
	CHECK_EQUAL(perform(entry_of(CAP_OP_YIELD, 0)).status, STATUS_OK);
	CHECK_EQUAL(perform_sync(entry_of(CAP_OP_YIELD, 0)).status, STATUS_OK);
}

static void a_synchronous_call_to_oneself_would_deadlock(void)
{
	struct ring_entry entry;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	entry = entry_call(export, Q0);
	CHECK_EQUAL(perform_sync(entry).status, STATUS_WOULD_DEADLOCK); /* armed, but nobody would return */
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	(void)finish(Q0 + 1);
	CHECK_EQUAL(perform_sync(entry).status, STATUS_WOULD_DEADLOCK);
	start(entry); /* asynchronous calls are one's own affair */
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	(void)finish(Q0);
	fixture_close();
}

static void fail_fast_does_not_wait_for_a_service(void)
{
	struct ring_entry entry;
	struct ring_completion refused;

	REQUIRE(fixture_open());
	entry = entry_call(export, Q0);
	entry.flags = ENTRY_FAIL_FAST;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(refused.detail), REASON_NO_RECEIVER);
	fixture_close();
}

static const struct test tests[] = {
	{ "kernel objects answer both ways", kernel_objects_answer_both_ways },
	{ "kernel objects refuse", kernel_objects_refuse },
	{ "unknown capabilities are refused", unknown_capabilities_are_refused },
	{ "a stale id stays stale", a_stale_id_stays_stale },
	{ "the receive side is not callable as a service",
			the_receive_side_is_not_callable_as_a_service },
	{ "a call carries tag, interface and words", a_call_carries_tag_interface_and_words },
	{ "a call waits for its receiver", a_call_waits_for_its_receiver },
	{ "an ancestor is called by its own id", an_ancestor_is_called_by_its_own_id },
	{ "a narrowed capability has only the ancestor",
			a_narrowed_capability_has_only_the_ancestor },
	{ "re-arm answers and receives", rearm_answers_and_receives },
	{ "a failed re-arm arms nothing", a_failed_rearm_arms_nothing },
	{ "returns refuse what they do not know", returns_refuse_what_they_do_not_know },
	{ "exceptions have a code and maybe words", exceptions_have_a_code_and_maybe_words },
	{ "sizes are named in refusals", sizes_are_named_in_refusals },
	{ "service slots are bounded", service_slots_are_bounded },
	{ "cancel of a queued call", cancel_of_a_queued_call },
	{ "cancel of a delivered call", cancel_of_a_delivered_call },
	{ "a return before the cancelled event takes it back",
			a_return_before_the_cancelled_event_takes_it_back },
	{ "cancel of a wait and a sleep", cancel_of_a_wait_and_a_sleep },
	{ "bits are taken by mask", bits_are_taken_by_mask },
	{ "a signal facet signals and does not wait", a_signal_facet_signals_and_does_not_wait },
	{ "yield comes back", yield_comes_back },
	{ "a synchronous call to oneself would deadlock",
			a_synchronous_call_to_oneself_would_deadlock },
	{ "fail fast does not wait for a service", fail_fast_does_not_wait_for_a_service },
};

TEST_LIST(call_tests, tests);
