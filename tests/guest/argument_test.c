/*
 * Capabilities that are still to come, as arguments: a call that names answers waits for them, keeps its place, and has what
 * it named when it starts. This process is client and service, so each step is visible.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/ring.h"
#include "rt/transport.h"

/* A message whose root has no data and one pointer, to capability 0. */
#define ROOT_OF_ONE ((uint64_t)1 << 48)
#define CAP_POINTER 3u

static uint32_t endpoint, export, other, timer;

static bool fixture_open(void)
{
	endpoint = endpoint_new();
	export = export_new(endpoint, 1, false);
	other = export_new(endpoint, 2, false);
	timer = rt_id(world.timer.ref);
	return other != 0;
}

static void fixture_close(void)
{
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(other), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	kernel_check();
}

/* Adds what pointer 0 of the answer to `base` will be. */
static void send_promised(struct ring_entry *entry, uint16_t base)
{
	send_cap(entry, TRANSFER_KIND_ANSWER, base);
	descriptors()[entry->cap_count - 1].path_len = 1;
}

static struct ring_entry call_with(uint32_t target, uint16_t base, uint16_t question)
{
	struct ring_entry entry = entry_call(target, question);

	send_promised(&entry, base);
	return entry;
}

static struct ring_entry return_cap(uint32_t call_id, uint32_t id)
{
	struct ring_entry entry = entry_return(endpoint, call_id);

	message()[0] = ROOT_OF_ONE;
	message()[1] = CAP_POINTER;
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	send_cap(&entry, TRANSFER_KIND_COPY, id);
	return entry;
}

static struct ring_completion take_call(uint16_t question)
{
	start(entry_recv(endpoint, question));
	return finish(question);
}

static void answer_plainly(struct ring_completion taken, uint16_t question)
{
	CHECK_EQUAL(perform(entry_return(endpoint, taken.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(question).status, STATUS_OK);
}

/* Drops a kept answer and the capability in it. */
static void drop_answer(uint16_t question)
{
	CHECK_EQUAL(finish_answer(question), STATUS_OK);
	CHECK_EQUAL(release(received_cap(question)), STATUS_OK);
}

/* The call on Q0, in service. */
static struct ring_completion base_open(void)
{
	start(keep(entry_call(export, Q0)));
	return take_call(Q0 + 5);
}

static void a_call_waits_for_what_it_carries(void)
{
	struct usage before = usage_self();
	struct ring_completion base, second, taken;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	base = base_open();
	start(keep(entry_call(export, Q0 + 1)));
	second = take_call(Q0 + 5);
	entry = call_with(other, Q0, Q0 + 2);
	send_promised(&entry, Q0 + 1);
	send_cap(&entry, TRANSFER_KIND_COPY, timer);
	start(entry);
	CHECK_EQUAL(info_pending(endpoint), 0);
	CHECK_EQUAL(perform(return_cap(second.id, other)).status, STATUS_OK);
	CHECK_EQUAL(info_pending(endpoint), 0);
	CHECK_EQUAL(perform(return_cap(base.id, timer)).status, STATUS_OK);
	CHECK(is_done(Q0) && is_done(Q0 + 1) && !is_done(Q0 + 2));
	taken = take_call(Q0 + 5);
	CHECK_EQUAL(taken.detail, 2);
	CHECK_EQUAL(taken.cap_count, 3);
	CHECK_EQUAL(seat_records(Q0 + 5, true)[0].kind, RECORD_KIND_CAPABILITY);
	CHECK_EQUAL(seat_records(Q0 + 5, true)[0].value, TIMER_INTERFACE_ID);
	/* What is the service's own comes home as such. */
	CHECK_EQUAL(seat_records(Q0 + 5, true)[1].kind, RECORD_KIND_YOURS);
	CHECK_EQUAL(seat_records(Q0 + 5, true)[1].value, 2);
	CHECK_EQUAL(seat_records(Q0 + 5, true)[2].kind, RECORD_KIND_CAPABILITY);
	CHECK_EQUAL(release(seat_records(Q0 + 5, true)[0].id), STATUS_OK);
	CHECK_EQUAL(release(seat_records(Q0 + 5, true)[2].id), STATUS_OK);
	answer_plainly(taken, Q0 + 2);
	drop_answer(Q0);
	drop_answer(Q0 + 1);
	fixture_close();
	CHECK(usage_settles(&before));
}

static void calls_through_one_capability_keep_their_order(void)
{
	struct ring_completion base, taken;

	REQUIRE(fixture_open());
	base = base_open();
	start(call_with(other, Q0, Q0 + 1));
	start(entry_call(other, Q0 + 2));
	start(call_with(other, Q0, Q0 + 3));
	CHECK_EQUAL(info_pending(endpoint), 0);
	/* Another capability is another order. */
	start(entry_call(export, Q0 + 4));
	taken = take_call(Q0 + 5);
	CHECK_EQUAL(taken.detail, 1);
	answer_plainly(taken, Q0 + 4);
	CHECK_EQUAL(perform(return_cap(base.id, timer)).status, STATUS_OK);
	CHECK_EQUAL(info_pending(endpoint), 3);
	for (uint16_t i = 1; i <= 3; i++) {
		taken = take_call(Q0 + 5);
		CHECK_EQUAL(taken.cap_count, i == 2 ? 0 : 1);
		if (i != 2)
			CHECK_EQUAL(release(seat_records(Q0 + 5, true)[0].id), STATUS_OK);
		answer_plainly(taken, (uint16_t)(Q0 + i));
	}
	drop_answer(Q0);
	fixture_close();
}

/* One is called, one is given: what waits for one answer starts in the order in which it was submitted. */
static void what_waits_for_one_answer_keeps_its_order(void)
{
	struct ring_completion base, taken;

	REQUIRE(fixture_open());
	base = base_open();
	start(entry_pipelined(Q0, 0, Q0 + 1));
	start(call_with(export, Q0, Q0 + 2));
	start(entry_pipelined(Q0, 0, Q0 + 3));
	CHECK_EQUAL(perform(return_cap(base.id, other)).status, STATUS_OK);
	for (uint16_t i = 1; i <= 3; i++) {
		taken = take_call(Q0 + 5);
		CHECK_EQUAL(taken.detail, i == 2 ? 1 : 2);
		CHECK_EQUAL(taken.cap_count, i == 2);
		answer_plainly(taken, (uint16_t)(Q0 + i));
	}
	drop_answer(Q0);
	fixture_close();
}

static void a_kept_answer_gives_at_once(void)
{
	struct ring_completion base, taken;

	REQUIRE(fixture_open());
	base = base_open();
	CHECK_EQUAL(perform(return_cap(base.id, timer)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	start(call_with(other, Q0, Q0 + 1));
	taken = take_call(Q0 + 5);
	CHECK_EQUAL(seat_records(Q0 + 5, true)[0].value, TIMER_INTERFACE_ID);
	CHECK_EQUAL(release(seat_records(Q0 + 5, true)[0].id), STATUS_OK);
	answer_plainly(taken, Q0 + 1);
	/* Whoever let go of the capability has none to give. */
	CHECK_EQUAL(release(received_cap(Q0)), STATUS_OK);
	CHECK_EQUAL(perform(call_with(other, Q0, Q0 + 1)).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	CHECK_EQUAL(perform(call_with(other, Q0, Q0 + 1)).status, STATUS_GONE);
	fixture_close();
}

/* Who is called and what is given are still to come, from two answers or from one. */
static void target_and_argument_may_both_be_promised(void)
{
	struct ring_completion base, second, taken;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	for (uint32_t target_first = 0; target_first < 2; target_first++) {
		base = base_open();
		start(keep(entry_call(export, Q0 + 1)));
		second = take_call(Q0 + 5);
		entry = entry_pipelined(Q0, 0, Q0 + 2);
		send_promised(&entry, Q0 + 1);
		start(entry);
		entry = entry_pipelined(Q0, 0, Q0 + 3);
		send_promised(&entry, Q0);
		start(entry);
		if (target_first)
			CHECK_EQUAL(perform(return_cap(base.id, other)).status, STATUS_OK);
		else
			CHECK_EQUAL(perform(return_cap(second.id, timer)).status, STATUS_OK);
		CHECK_EQUAL(info_pending(endpoint), 0);
		if (target_first)
			CHECK_EQUAL(perform(return_cap(second.id, timer)).status, STATUS_OK);
		else
			CHECK_EQUAL(perform(return_cap(base.id, other)).status, STATUS_OK);
		taken = take_call(Q0 + 5);
		CHECK_EQUAL(taken.detail, 2);
		CHECK_EQUAL(seat_records(Q0 + 5, true)[0].value, TIMER_INTERFACE_ID);
		CHECK_EQUAL(release(seat_records(Q0 + 5, true)[0].id), STATUS_OK);
		answer_plainly(taken, Q0 + 2);
		taken = take_call(Q0 + 5);
		CHECK_EQUAL(seat_records(Q0 + 5, true)[0].kind, RECORD_KIND_YOURS);
		answer_plainly(taken, Q0 + 3);
		drop_answer(Q0);
		drop_answer(Q0 + 1);
	}
	fixture_close();
}

static void what_does_not_come_ends_the_call(void)
{
	struct usage before = usage_self();
	struct ring_completion base, taken;
	struct ring_entry entry;
	uint32_t moved;

	REQUIRE(fixture_open());
	moved = copy_of(timer);
	/* The base fails. */
	base = base_open();
	entry = call_with(other, Q0, Q0 + 1);
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	start(keep(entry));
	start(entry_call(other, Q0 + 2));
	start(entry_pipelined(Q0 + 1, 0, Q0 + 3));
	CHECK(!is_live(moved));
	entry = entry_return(endpoint, base.id);
	entry.flags = ENTRY_EXCEPTION;
	entry.method = STATUS_OVERLOADED;
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OVERLOADED);
	CHECK_EQUAL(finish(Q0 + 3).status, STATUS_OVERLOADED);
	CHECK(is_live(moved));
	taken = take_call(Q0 + 5);
	CHECK_EQUAL(taken.cap_count, 0);
	answer_plainly(taken, Q0 + 2);
	CHECK_EQUAL(perform(call_with(other, Q0, Q0 + 2)).status, STATUS_OVERLOADED);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	CHECK_EQUAL(finish_answer(Q0 + 1), STATUS_OK);
	/* The answer has no capability there; one of two is enough to end the call. */
	base = base_open();
	start(keep(entry_call(export, Q0 + 1)));
	taken = take_call(Q0 + 5);
	entry = call_with(other, Q0 + 1, Q0 + 2);
	send_promised(&entry, Q0);
	start(entry);
	CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_FAILED);
	CHECK_EQUAL(reason_of(finish(Q0 + 2).detail), REASON_NO_CAPABILITY);
	CHECK_EQUAL(perform(return_cap(taken.id, timer)).status, STATUS_OK);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	drop_answer(Q0 + 1);
	CHECK_EQUAL(release(moved), STATUS_OK);
	fixture_close();
	CHECK(usage_settles(&before));
}

static void a_stalled_call_can_be_taken_back(void)
{
	struct usage before = usage_self();
	struct ring_completion base, taken;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	base = base_open();
	/* By its caller: those behind it go on. */
	start(call_with(other, Q0, Q0 + 1));
	start(entry_call(other, Q0 + 2));
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	taken = take_call(Q0 + 5);
	answer_plainly(taken, Q0 + 2);
	/* By its deadline. */
	entry = call_with(other, Q0, Q0 + 1);
	entry.deadline_ns = now_ns() + 2000000;
	start(entry);
	start(entry_call(other, Q0 + 2));
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_DEADLINE_EXCEEDED);
	taken = take_call(Q0 + 5);
	answer_plainly(taken, Q0 + 2);
	/* By the end of what it waits for, and one behind it by nobody. */
	start(call_with(other, Q0, Q0 + 1));
	start(entry_call(other, Q0 + 2));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	taken = take_call(Q0 + 5);
	CHECK_EQUAL(seat_header(Q0 + 5)->kind, RECV_KIND_CANCELLED);
	CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_GONE);
	taken = take_call(Q0 + 5);
	answer_plainly(taken, Q0 + 2);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	fixture_close();
	CHECK(usage_settles(&before));
}

/* What is called goes before its turn comes. */
static void a_target_that_goes_ends_the_call_in_its_turn(void)
{
	struct ring_completion base;
	uint32_t copy;

	REQUIRE(fixture_open());
	base = base_open();
	copy = copy_of(other);
	start(call_with(copy, Q0, Q0 + 1));
	CHECK_EQUAL(release(copy), STATUS_OK);
	CHECK_EQUAL(perform(return_cap(base.id, timer)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_BAD_CAPABILITY);
	drop_answer(Q0);
	fixture_close();
}

static void places_that_name_no_answer_are_refused(void)
{
	static const struct {
		struct cap_descriptor descriptor;
		status_t status;
	} rows[] = {
		{ { .path_len = 1, .id = Q0 + 1 }, STATUS_GONE },
		{ { .path_len = 1, .id = Q0 + 6 }, STATUS_GONE },
		{ { .path_len = 1, .id = RING_QUESTIONS_MAX }, STATUS_BAD_DESCRIPTOR },
		{ { .path_len = 1, .id = 0x10000 + Q0 }, STATUS_BAD_DESCRIPTOR },
		{ { .path_len = 1, .id = UINT32_MAX }, STATUS_BAD_DESCRIPTOR },
		{ { .path_len = 0, .id = Q0 }, STATUS_BAD_DESCRIPTOR },
		{ { .path_len = 5, .id = Q0 }, STATUS_BAD_DESCRIPTOR },
		{ { .path_len = 255, .id = Q0 }, STATUS_BAD_DESCRIPTOR },
		{ { .path_len = 1, .id = Q0, .flags = 1 }, STATUS_BAD_DESCRIPTOR },
		{ { .path_len = 1, .id = Q0, .path = { 0, 1 } }, STATUS_BAD_DESCRIPTOR },
	};
	struct ring_completion base;
	struct ring_entry entry;
	uint32_t moved;

	REQUIRE(fixture_open());
	moved = copy_of(timer);
	base = base_open();
	start(entry_recv(endpoint, Q0 + 6));
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		entry = entry_call(other, Q0 + 1);
		send_cap(&entry, TRANSFER_KIND_MOVE, moved);
		send_cap(&entry, TRANSFER_KIND_ANSWER, 0);
		descriptors()[1] = rows[i].descriptor;
		descriptors()[1].kind = TRANSFER_KIND_ANSWER;
		CHECK_EQUAL(perform(entry).status, rows[i].status);
		CHECK(is_live(moved));
	}
	CHECK_EQUAL(perform(entry_cancel(Q0 + 6)).status, STATUS_OK);
	(void)finish(Q0 + 6);
	/* Only a call can wait. */
	entry = entry_return(endpoint, base.id);
	send_promised(&entry, Q0);
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_DESCRIPTOR);
	CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	CHECK_EQUAL(release(moved), STATUS_OK);
	fixture_close();
}

/* A process that ends while its calls stall leaves nothing behind. */
static void stalled_calls_end_with_their_process(void)
{
	struct usage before = usage_self();
	struct process_handle_ref child;
	struct ring_completion base;
	struct child_spec spec = { .role = "stall-and-hang" };

	REQUIRE(fixture_open());
	spec.grants[0] = (struct grant){ "service", export };
	start(entry_recv(endpoint, Q0 + 5));
	child = child_start(&spec);
	REQUIRE(!client_ref_is_null(child.ref));
	base = finish(Q0 + 5);
	CHECK_EQUAL(base.status, STATUS_OK);
	/* All that it sent at once has been taken by now, or will never be. */
	CHECK_EQUAL(info_pending(endpoint), 0);
	child_kill(child);
	start(entry_recv(endpoint, Q0 + 5));
	CHECK_EQUAL(finish(Q0 + 5).status, STATUS_OK);
	CHECK_EQUAL(seat_header(Q0 + 5)->kind, RECV_KIND_CANCELLED);
	CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_GONE);
	CHECK_EQUAL(info_pending(endpoint), 0);
	fixture_close();
	CHECK(usage_settles(&before));
}

/* A synchronous call does not take the direct way past one that stalls. */
static void a_synchronous_call_keeps_its_place(void)
{
	uint32_t echo_endpoint = endpoint_new(), echo_export = export_new(echo_endpoint, 1, true);
	struct child_spec echo = { .role = "echo" }, spec = { .role = "stall-and-follow" };
	struct process_handle_ref server, child;
	struct ring_completion base;

	REQUIRE(fixture_open());
	echo.grants[0] = (struct grant){ "endpoint", echo_endpoint };
	server = child_start(&echo);
	spec.grants[0] = (struct grant){ "base", export };
	spec.grants[1] = (struct grant){ "service", echo_export };
	child = child_start(&spec);
	REQUIRE(!client_ref_is_null(child.ref));
	base = take_call(Q0 + 5);
	sleep_ns(5000000);
	CHECK_EQUAL(perform(return_cap(base.id, timer)).status, STATUS_OK);
	CHECK_EQUAL(child_finish(child).status, 0);
	child_kill(server);
	CHECK_EQUAL(release(echo_export), STATUS_OK);
	CHECK_EQUAL(release(echo_endpoint), STATUS_OK);
	fixture_close();
}

static const struct test tests[] = {
	{ "a call waits for what it carries", a_call_waits_for_what_it_carries },
	{ "calls through one capability keep their order",
			calls_through_one_capability_keep_their_order },
	{ "what waits for one answer keeps its order", what_waits_for_one_answer_keeps_its_order },
	{ "a kept answer gives at once", a_kept_answer_gives_at_once },
	{ "target and argument may both be promised", target_and_argument_may_both_be_promised },
	{ "what does not come ends the call", what_does_not_come_ends_the_call },
	{ "a stalled call can be taken back", a_stalled_call_can_be_taken_back },
	{ "a target that goes ends the call in its turn",
			a_target_that_goes_ends_the_call_in_its_turn },
	{ "places that name no answer are refused", places_that_name_no_answer_are_refused },
	{ "a synchronous call keeps its place", a_synchronous_call_keeps_its_place },
	{ "stalled calls end with their process", stalled_calls_end_with_their_process },
};

TEST_LIST(argument_tests, tests);
