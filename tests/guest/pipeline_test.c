/*
 * Calls on answers that are still to come, kept answers, deadlines, forwarding, and what a service does that is full.
 * This process is client and service, so each step is visible; pipeline_peers_test.c has other processes in between.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/ring.h"
#include "rt/transport.h"

/* Messages: the root has no data and pointers as named. */
#define ROOT(pointers)        ((uint64_t)(pointers) << 48)
#define STRUCT(off, pointers) ((uint64_t)(uint32_t)((off)*4) | (uint64_t)(pointers) << 48)
#define CAP_POINTER(index)    (3u | (uint64_t)(index) << 32)

static uint32_t endpoint, export, other;

static bool fixture_open(void)
{
	endpoint = endpoint_new();
	export = export_new(endpoint, 1, false);
	other = export_new(endpoint, 2, false);
	return other != 0;
}

static void fixture_close(void)
{
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(other), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	kernel_check();
}

/* Answers with a copy of `id` at pointer 0 of the root. */
static struct ring_entry entry_return_cap(uint32_t call_id, uint32_t id)
{
	struct ring_entry entry = entry_return(endpoint, call_id);

	message()[0] = ROOT(1);
	message()[1] = CAP_POINTER(0);
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	send_cap(&entry, TRANSFER_KIND_COPY, id);
	return entry;
}

/* Serves one call; its completion. */
static struct ring_completion take_call(uint16_t question)
{
	start(entry_recv(endpoint, question));
	return finish(question);
}

static void held_calls_start_in_order_before_the_base_is_seen(void)
{
	struct ring_completion base, first, second, third;

	REQUIRE(fixture_open());
	start(keep(entry_call(export, Q0)));
	base = take_call(Q0 + 5);
	start(entry_pipelined(Q0, 0, Q0 + 1));
	start(entry_pipelined(Q0, 0, Q0 + 2));
	CHECK(!is_done(Q0 + 1) && !is_done(Q0 + 2));
	start(entry_recv(endpoint, Q0 + 5));
	start(entry_recv(endpoint, Q0 + 6));
	CHECK_EQUAL(perform(entry_return_cap(base.id, other)).status, STATUS_OK);
	first = finish(Q0 + 5);
	second = finish(Q0 + 6);
	CHECK_EQUAL(first.status, STATUS_OK);
	CHECK_EQUAL(first.detail, 2);
	CHECK_EQUAL(second.status, STATUS_OK);
	CHECK_EQUAL(second.detail, 2);
	CHECK(is_done(Q0));
	/* The answer stays addressable. */
	start(entry_pipelined(Q0, 0, Q0 + 3));
	third = take_call(Q0 + 5);
	CHECK_EQUAL(third.detail, 2);
	CHECK_EQUAL(perform(entry_return(endpoint, first.id)).status, STATUS_OK);
	CHECK(is_done(Q0 + 1) && !is_done(Q0 + 2));
	CHECK_EQUAL(perform(entry_return(endpoint, second.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_OK);
	CHECK_EQUAL(perform(entry_return(endpoint, third.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 3).status, STATUS_OK);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	CHECK_EQUAL(finish_answer(Q0), STATUS_GONE);
	CHECK_EQUAL(perform(entry_pipelined(Q0, 0, Q0 + 1)).status, STATUS_GONE);
	CHECK_EQUAL(release(received_cap(Q0)), STATUS_OK);
	fixture_close();
}

static void without_keep_completion_is_finish(void)
{
	struct ring_completion base, held;

	REQUIRE(fixture_open());
	start(entry_call(export, Q0));
	base = take_call(Q0 + 5);
	start(entry_pipelined(Q0, 0, Q0 + 1));
	start(entry_recv(endpoint, Q0 + 5));
	CHECK_EQUAL(perform(entry_return_cap(base.id, other)).status, STATUS_OK);
	held = finish(Q0 + 5);
	CHECK_EQUAL(held.detail, 2);
	CHECK_EQUAL(perform(entry_return(endpoint, held.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(finish_answer(Q0), STATUS_GONE);
	CHECK_EQUAL(release(received_cap(Q0)), STATUS_OK);
	fixture_close();
}

/* Each stands on the answer of the one before. */
static void a_chain_is_walked_step_by_step(void)
{
	struct ring_completion step;

	REQUIRE(fixture_open());
	start(keep(entry_call(export, Q0)));
	for (uint16_t i = 1; i < 5; i++)
		start(keep(entry_pipelined((uint16_t)(Q0 + i - 1), 0, (uint16_t)(Q0 + i))));
	for (uint16_t i = 0; i < 5; i++) {
		step = take_call(Q0 + 7);
		CHECK_EQUAL(step.status, STATUS_OK);
		CHECK_EQUAL(step.detail, i == 0 ? 1 : 2);
		CHECK_EQUAL(perform(entry_return_cap(step.id, other)).status, STATUS_OK);
		CHECK_EQUAL(finish((uint16_t)(Q0 + i)).status, STATUS_OK);
	}
	for (uint16_t i = 0; i < 5; i++) {
		CHECK_EQUAL(finish_answer((uint16_t)(Q0 + i)), STATUS_OK);
		CHECK_EQUAL(release(received_cap((uint16_t)(Q0 + i))), STATUS_OK);
	}
	fixture_close();
}

static void start_chain(void)
{
	start(keep(entry_call(export, Q0)));
	start(keep(entry_pipelined(Q0, 0, Q0 + 1)));
	start(keep(entry_pipelined(Q0 + 1, 0, Q0 + 2)));
	start(entry_pipelined(Q0 + 2, 0, Q0 + 3));
	start(entry_pipelined(Q0, 0, Q0 + 4));
}

static void expect_chain(status_t status, uint32_t reason)
{
	for (uint16_t i = 0; i < 5; i++) {
		struct ring_completion completion = finish((uint16_t)(Q0 + i));

		CHECK_EQUAL(completion.status, status);
		CHECK_EQUAL(reason_of(completion.detail), reason);
	}
	for (uint16_t i = 0; i < 3; i++)
		CHECK_EQUAL(finish_answer((uint16_t)(Q0 + i)), STATUS_OK);
}

static void a_broken_promise_breaks_what_stands_on_it(void)
{
	struct ring_completion base;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	start_chain();
	base = take_call(Q0 + 5);
	entry = entry_return(endpoint, base.id);
	entry.flags = ENTRY_EXCEPTION;
	entry.method = STATUS_OVERLOADED;
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	expect_chain(STATUS_OVERLOADED, 0);
	start_chain();
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	expect_chain(STATUS_CANCELLED, 0);
	/* A base that was refused is known as such to the calls behind it. */
	start(keep(entry_call(0x7ff00001, Q0)));
	CHECK_EQUAL(finish(Q0).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(perform(entry_pipelined(Q0, 0, Q0 + 1)).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	/* One link cancelled: those behind it end, those before go on. */
	start_chain();
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 3).status, STATUS_CANCELLED);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_CANCELLED);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	CHECK(!is_done(Q0) && !is_done(Q0 + 4));
	base = take_call(Q0 + 5);
	CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 4).status, STATUS_FAILED);
	CHECK_EQUAL(reason_of(finish(Q0 + 4).detail), REASON_NO_CAPABILITY);
	for (uint16_t i = 0; i < 3; i++)
		CHECK_EQUAL(finish_answer((uint16_t)(Q0 + i)), STATUS_OK);
	fixture_close();
}

/* Serves the call of Q0 with `words` message words and one capability, and calls on `path` of its answer. */
static struct ring_completion answer_and_walk(
		uint32_t words, const uint16_t *path, uint8_t path_len)
{
	struct ring_completion base, walked;
	struct ring_entry entry;

	start(keep(entry_call(export, Q0)));
	base = take_call(Q0 + 5);
	entry = entry_return(endpoint, base.id);
	entry.msg_off = world.message_off;
	entry.msg_words = (uint16_t)words;
	send_cap(&entry, TRANSFER_KIND_COPY, other);
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	entry = entry_pipelined(Q0, 0, Q0 + 1);
	entry.path_len = path_len;
	memcpy(entry.path, path, path_len * sizeof(path[0]));
	start(entry);
	if (is_done(Q0 + 1)) {
		walked = finish(Q0 + 1);
	} else {
		walked = take_call(Q0 + 5);
		CHECK_EQUAL(perform(entry_return(endpoint, walked.id)).status, STATUS_OK);
		CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	}
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	CHECK_EQUAL(release(received_cap(Q0)), STATUS_OK);
	return walked;
}

static void paths_lead_through_structs_only(void)
{
	static const uint16_t path[] = { 1, 0, 2, 0 };
	static const uint16_t one[] = { 0 }, past[] = { 9 };
	static const uint64_t wrong[] = { 0, STRUCT(0, 0), STRUCT(100, 1), STRUCT(-5, 1),
		STRUCT(0x1fffffff, 1), 1, CAP_POINTER(1), CAP_POINTER(0xffffffff),
		CAP_POINTER(0) | 4, UINT64_MAX, 2 | 1ull << 48 };

	REQUIRE(fixture_open());
	memset(message(), 0, 128);
	message()[0] = ROOT(2);
	message()[2] = STRUCT(0, 1);
	message()[3] = STRUCT(1, 3);
	message()[7] = STRUCT(0, 1);
	message()[8] = CAP_POINTER(0);
	CHECK_EQUAL(answer_and_walk(9, path, 4).detail, 2);
	CHECK_EQUAL(answer_and_walk(8, path, 4).status, STATUS_FAILED);
	CHECK_EQUAL(answer_and_walk(9, path, 3).status, STATUS_FAILED);
	for (uint32_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct ring_completion walked;

		message()[0] = ROOT(1);
		message()[1] = wrong[i];
		walked = answer_and_walk(2, one, 1);
		CHECK_EQUAL(walked.status, STATUS_FAILED);
		CHECK_EQUAL(reason_of(walked.detail), REASON_NO_CAPABILITY);
	}
	message()[1] = CAP_POINTER(0);
	CHECK_EQUAL(answer_and_walk(2, one, 1).detail, 2);
	CHECK_EQUAL(answer_and_walk(2, past, 1).status, STATUS_FAILED);
	/* A root that points at itself. */
	message()[0] = STRUCT(-1, 1);
	CHECK_EQUAL(answer_and_walk(2, path + 1, 3).status, STATUS_FAILED);
	fixture_close();
}

static void entries_that_name_no_answer_are_refused(void)
{
	static const uint16_t wrong[] = { RING_QUESTIONS_MAX, 1000, 0xffff };
	struct ring_entry entry;

	REQUIRE(fixture_open());
	for (uint32_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK_EQUAL(perform(entry_pipelined(wrong[i], 0, Q0 + 1)).status, STATUS_BAD_ENTRY);
	CHECK_EQUAL(perform(entry_pipelined(Q0, 0, Q0 + 1)).status, STATUS_GONE);
	CHECK_EQUAL(perform(entry_pipelined(Q0 + 1, 0, Q0 + 1)).status, STATUS_GONE);
	start(entry_recv(endpoint, Q0 + 5));
	CHECK_EQUAL(perform(entry_pipelined(Q0 + 5, 0, Q0 + 1)).status, STATUS_GONE);
	CHECK_EQUAL(perform(entry_cancel(Q0 + 5)).status, STATUS_OK);
	(void)finish(Q0 + 5);
	start(keep(entry_call(export, Q0)));
	entry = entry_pipelined(Q0, 0, Q0 + 1);
	entry.path_len = 5;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry.path_len = 0;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry.path_len = 1;
	entry.path[1] = 1;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry = entry_call(export, Q0 + 1);
	entry.path[0] = 1;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	entry.path[0] = 0;
	entry.path_len = 1;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_ENTRY);
	CHECK_EQUAL(finish_answer(Q0), STATUS_QUESTION_BUSY);
	CHECK_EQUAL(perform(entry_call(export, Q0)).status, STATUS_QUESTION_BUSY);
	CHECK_EQUAL(finish_answer(RING_QUESTIONS_MAX), STATUS_BAD_ENTRY);
	CHECK_EQUAL(finish_answer(Q0 + 1), STATUS_GONE);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	CHECK_EQUAL(perform(entry_call(export, Q0)).status, STATUS_QUESTION_BUSY);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	fixture_close();
}

/* A held call carries what it was given at once: the caller can let go of it. */
static void a_held_call_keeps_what_it_carries(void)
{
	struct usage before = usage_self();
	struct ring_completion base, held;
	struct ring_entry entry;
	uint32_t copied, moved;

	REQUIRE(fixture_open());
	copied = copy_of(export);
	moved = copy_of(rt_id(world.timer.ref));
	start(keep(entry_call(export, Q0)));
	base = take_call(Q0 + 5);
	entry = entry_pipelined(Q0, 0, Q0 + 1);
	send_cap(&entry, TRANSFER_KIND_COPY, copied);
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	start(entry);
	CHECK(!is_live(moved));
	CHECK_EQUAL(release(moved), STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(release(copied), STATUS_OK);
	start(entry_recv(endpoint, Q0 + 5));
	CHECK_EQUAL(perform(entry_return_cap(base.id, other)).status, STATUS_OK);
	held = finish(Q0 + 5);
	CHECK_EQUAL(held.cap_count, 2);
	CHECK_EQUAL(seat_records(Q0 + 5, true)[0].kind, RECORD_KIND_YOURS);
	CHECK_EQUAL(seat_records(Q0 + 5, true)[1].kind, RECORD_KIND_CAPABILITY);
	CHECK_EQUAL(release(seat_records(Q0 + 5, true)[1].id), STATUS_OK);
	CHECK_EQUAL(perform(entry_return(endpoint, held.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	CHECK_EQUAL(release(received_cap(Q0)), STATUS_OK);
	/* And has it back when the base breaks. */
	moved = copy_of(rt_id(world.timer.ref));
	start(entry_call(export, Q0));
	entry = entry_pipelined(Q0, 0, Q0 + 1);
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	start(entry);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	CHECK(is_live(moved));
	CHECK_EQUAL(release(moved), STATUS_OK);
	fixture_close();
	CHECK(usage_settles(&before));
}

/* Held calls to kernel objects are performed by whoever answers, on behalf of the caller. */
static void a_held_call_reaches_a_kernel_object(void)
{
	struct ring_completion base;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	start(keep(entry_call(export, Q0)));
	base = take_call(Q0 + 5);
	entry = entry_pipelined(Q0, 0, Q0 + 1);
	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_NOW;
	start(entry);
	entry.question = Q0 + 2;
	entry.reply_off = seat_off(Q0 + 2);
	entry.method = 77;
	start(entry);
	entry.question = Q0 + 3;
	entry.reply_off = seat_off(Q0 + 3);
	entry.interface = TEST_INTERFACE;
	start(entry);
	CHECK_EQUAL(perform(entry_return_cap(base.id, rt_id(world.timer.ref))).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	CHECK(seat_message(Q0 + 1, false)[1] != 0);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(reason_of(finish(Q0 + 2).detail), REASON_NO_METHOD);
	CHECK_EQUAL(reason_of(finish(Q0 + 3).detail), REASON_NO_INTERFACE);
	CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
	CHECK_EQUAL(release(received_cap(Q0)), STATUS_OK);
	fixture_close();
}

/* As many as a ring has questions, each behind the one before: neither the answer nor the failure takes stack. */
static void a_long_chain_settles(void)
{
	struct ring_completion base;

	REQUIRE(fixture_open());
	for (uint32_t round = 0; round < 2; round++) {
		struct ring *ring = ring_self();
		uint32_t count = 30, tail = ring->header->cq_tail;

		start(keep(entry_call(export, Q0)));
		base = take_call(Q0 + 5);
		for (uint32_t i = 0; i < count; i++) {
			struct ring_entry entry = entry_pipelined(
					i == 0 ? Q0 : (uint16_t)(i - 1), 0, (uint16_t)i);

			entry.reply_off = seat_off(Q0 + 6);
			entry.flags |= ENTRY_KEEP;
			ring_put(ring, &entry);
		}
		ring_submit(ring);
		tail = ring->header->cq_tail;
		if (round == 0)
			CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
		else
			CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_OK);
		CHECK_EQUAL(finish(Q0).status, round == 0 ? STATUS_CANCELLED : STATUS_OK);
		CHECK(ring->header->cq_tail - tail >= count + 1);
		for (uint32_t i = 0; i < count; i++)
			CHECK_EQUAL(finish_answer((uint16_t)i), STATUS_OK);
		CHECK_EQUAL(finish_answer(Q0), STATUS_OK);
		if (round == 0)
			(void)perform(entry_return(endpoint, base.id));
	}
	fixture_close();
}

/* --- Deadlines and full services ---------------------------------------------------------------- */

/* Long enough for the next steps of a test on a machine that is busy. */
#define IN_TIME_NS 200000000ull

static struct ring_entry with_deadline(struct ring_entry entry, uint64_t after_ns)
{
	entry.deadline_ns = now_ns() + after_ns;
	return entry;
}

static void a_deadline_ends_a_call_wherever_it_is(void)
{
	struct ring_completion base;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	/* Nobody receives. */
	start(with_deadline(entry_call(export, Q0), 2000000));
	CHECK_EQUAL(finish(Q0).status, STATUS_DEADLINE_EXCEEDED);
	CHECK_EQUAL(info_pending(endpoint), 0);
	/* In service: the server is told which call, and its answer finds nobody. */
	start(entry_recv(endpoint, Q0 + 5));
	entry = with_deadline(entry_call(export, Q0), IN_TIME_NS);
	start(entry);
	base = finish(Q0 + 5);
	CHECK_EQUAL(seat_header(Q0 + 5)->sequence, entry.deadline_ns);
	start(entry_recv(endpoint, Q0 + 5));
	CHECK_EQUAL(finish(Q0).status, STATUS_DEADLINE_EXCEEDED);
	CHECK_EQUAL(finish(Q0 + 5).id, base.id);
	CHECK_EQUAL(seat_header(Q0 + 5)->kind, RECV_KIND_CANCELLED);
	CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_GONE);
	/* Held, and what stands on it. */
	start(entry_call(export, Q0));
	start(keep(with_deadline(entry_pipelined(Q0, 0, Q0 + 1), IN_TIME_NS)));
	start(entry_pipelined(Q0 + 1, 0, Q0 + 2));
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_DEADLINE_EXCEEDED);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_DEADLINE_EXCEEDED);
	CHECK_EQUAL(finish_answer(Q0 + 1), STATUS_OK);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	(void)finish(Q0);
	/* A deadline that has passed, and one that does not come to pass. */
	entry = entry_call(export, Q0);
	entry.deadline_ns = 1;
	CHECK_EQUAL(perform(entry).status, STATUS_DEADLINE_EXCEEDED);
	start(entry_recv(endpoint, Q0 + 5));
	start(with_deadline(entry_call(export, Q0), 1000000000));
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 5).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	/* A synchronous call. */
	CHECK_EQUAL(perform_sync(with_deadline(entry_call(export, Q0), 2000000)).status,
			STATUS_WOULD_DEADLOCK);
	fixture_close();
}

static void deadlines_of_kernel_objects_calls(void)
{
	struct usage before = usage_self();
	struct ring_entry entry = entry_call(rt_id(world.timer.ref), Q0);
	uint64_t started = now_ns();

	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_SLEEP;
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	message()[0] = 1ull << 32;
	message()[1] = 100000000000;
	CHECK_EQUAL(perform(with_deadline(entry, 2000000)).status, STATUS_DEADLINE_EXCEEDED);
	CHECK_EQUAL(perform_sync(with_deadline(entry, 2000000)).status, STATUS_DEADLINE_EXCEEDED);
	CHECK(now_ns() - started < 50000000000);
	message()[1] = 2000000;
	CHECK_EQUAL(perform(with_deadline(entry, 50000000000)).status, STATUS_OK);
	CHECK(usage_settles(&before));
	kernel_check();
}

static void a_full_service_refuses_who_does_not_want_to_wait(void)
{
	struct ring_completion refused;
	struct ring_entry entry;
	uint32_t ids[SERVICE_CALLS];

	REQUIRE(fixture_open());
	for (uint16_t i = 0; i < SERVICE_CALLS; i++) {
		start(entry_recv(endpoint, Q0 + 7));
		start(entry_call(export, (uint16_t)(Q0 + i)));
		ids[i] = finish(Q0 + 7).id;
	}
	entry = entry_call(export, Q0 + 5);
	entry.flags = ENTRY_FAIL_FAST;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_OVERLOADED);
	CHECK_EQUAL(reason_of(refused.detail), REASON_QUEUE_FULL);
	CHECK_EQUAL(refused.detail >> 32, SERVICE_CALLS);
	start(with_deadline(entry_call(export, Q0 + 5), 2000000));
	CHECK_EQUAL(finish(Q0 + 5).status, STATUS_DEADLINE_EXCEEDED);
	for (uint16_t i = 0; i < SERVICE_CALLS; i++) {
		CHECK_EQUAL(perform(entry_return(endpoint, ids[i])).status, STATUS_OK);
		CHECK_EQUAL(finish((uint16_t)(Q0 + i)).status, STATUS_OK);
	}
	fixture_close();
}

/* --- Forwarding ----------------------------------------------------------------------------------- */

static uint32_t second_endpoint, second_export;

static bool forward_open(void)
{
	second_endpoint = endpoint_new();
	second_export = export_new(second_endpoint, 7, false);
	return fixture_open() && second_export != 0;
}

static void forward_close(void)
{
	CHECK_EQUAL(release(second_export), STATUS_OK);
	CHECK_EQUAL(release(second_endpoint), STATUS_OK);
	fixture_close();
}

static struct ring_entry entry_forward(uint32_t call_id, uint32_t target, uint16_t question)
{
	return (struct ring_entry){ .op = CAP_OP_FORWARD,
		.target = target,
		.interface = TEST_INTERFACE,
		.method = 2,
		.deadline_ns = (uint64_t)endpoint << 32 | call_id,
		.question = question };
}

static void a_forwarded_call_is_answered_by_another(void)
{
	struct ring_completion taken, base;
	struct ring_entry entry;

	REQUIRE(forward_open());
	for (uint32_t waits = 0; waits < 2; waits++) {
		uint32_t moved = copy_of(rt_id(world.timer.ref));

		start(entry_call(export, Q0));
		base = take_call(Q0 + 5);
		if (!waits)
			start(entry_recv(second_endpoint, Q0 + 6));
		entry = entry_forward(base.id, second_export, Q0 + 1);
		message()[0] = 0x1234;
		entry.msg_off = world.message_off;
		entry.msg_words = 1;
		send_cap(&entry, TRANSFER_KIND_MOVE, moved);
		start(entry);
		CHECK_EQUAL(is_done(Q0 + 1), !waits);
		CHECK_EQUAL(info_in_service(endpoint), 0);
		if (waits)
			start(entry_recv(second_endpoint, Q0 + 6));
		taken = finish(Q0 + 6);
		CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
		CHECK_EQUAL(taken.detail, 7);
		CHECK_EQUAL(taken.cap_count, 1);
		CHECK_EQUAL(seat_header(Q0 + 6)->method, 2);
		CHECK_EQUAL(seat_header(Q0 + 6)->reply_words, MESSAGE_WORDS);
		CHECK_EQUAL(seat_message(Q0 + 6, true)[0], 0x1234);
		CHECK_EQUAL(release(seat_records(Q0 + 6, true)[0].id), STATUS_OK);
		CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_GONE);
		CHECK(!is_done(Q0));
		message()[0] = 0x5678;
		entry = entry_return(second_endpoint, taken.id);
		entry.msg_off = world.message_off;
		entry.msg_words = 1;
		CHECK_EQUAL(perform(entry).status, STATUS_OK);
		CHECK_EQUAL(finish(Q0).status, STATUS_OK);
		CHECK_EQUAL(seat_message(Q0, false)[0], 0x5678);
	}
	forward_close();
}

static void forwards_that_are_refused_leave_the_call_open(void)
{
	struct ring_completion base, refused;
	struct ring_entry entry;

	REQUIRE(forward_open());
	start(entry_call(export, Q0));
	base = take_call(Q0 + 5);
	CHECK_EQUAL(perform(entry_forward(base.id, 0, Q0 + 1)).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(perform(entry_forward(base.id, rt_id(world.timer.ref), Q0 + 1)).status,
			STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(perform(entry_forward(base.id + 1, second_export, Q0 + 1)).status, STATUS_GONE);
	entry = entry_forward(base.id, second_export, Q0 + 1);
	entry.interface = 5;
	CHECK_EQUAL(perform(entry).status, STATUS_UNIMPLEMENTED);
	entry = entry_forward(base.id, second_export, Q0 + 1);
	entry.deadline_ns = base.id;
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_CAPABILITY);
	entry = entry_forward(base.id, second_export, Q0 + 1);
	entry.msg_off = world.message_off;
	entry.msg_words = MESSAGE_WORDS + 1;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_TOO_LARGE);
	CHECK_EQUAL(reason_of(refused.detail), REASON_SIZE);
	entry = entry_forward(base.id, second_export, Q0 + 1);
	send_cap(&entry, TRANSFER_KIND_COPY, 0x7ff00001);
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_CAPABILITY);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(perform(entry_return(endpoint, base.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	forward_close();
}

static void whoever_goes_ends_a_forwarded_call(void)
{
	struct ring_completion base;

	REQUIRE(forward_open());
	for (uint32_t who = 0; who < 4; who++) {
		start(who == 3 ? with_deadline(entry_call(export, Q0), IN_TIME_NS)
			       : entry_call(export, Q0));
		base = take_call(Q0 + 5);
		start(entry_forward(base.id, second_export, Q0 + 1));
		CHECK_EQUAL(info_pending(second_endpoint), 1);
		if (who == 0) { /* the caller */
			CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
			CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
			CHECK_EQUAL(finish(Q0 + 1).status, STATUS_GONE);
		} else if (who == 1) { /* the forwarder */
			CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
			CHECK_EQUAL(finish(Q0).status, STATUS_DISCONNECTED);
			CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
		} else if (who == 2) { /* the service */
			CHECK_EQUAL(endpoint_reset((struct endpoint_ref){ client_ref_of(
								   transport_self(),
								   second_endpoint) },
						    &(uint32_t){ 0 }),
					STATUS_OK);
			CHECK_EQUAL(finish(Q0).status, STATUS_DISCONNECTED);
			CHECK_EQUAL(finish(Q0 + 1).status, STATUS_DISCONNECTED);
			CHECK_EQUAL(release(second_export), STATUS_OK);
			second_export = export_new(second_endpoint, 7, false);
		} else { /* time */
			CHECK_EQUAL(finish(Q0).status, STATUS_DEADLINE_EXCEEDED);
			CHECK_EQUAL(finish(Q0 + 1).status, STATUS_GONE);
		}
		CHECK_EQUAL(info_pending(second_endpoint), 0);
	}
	forward_close();
}

/* The place in service that a forward gives up, or finds abandoned, is the next one's. */
static void a_forward_makes_room_for_who_waits(void)
{
	struct ring_completion base, next;
	struct ring_entry entry;

	REQUIRE(forward_open());
	for (uint32_t gone = 0; gone < 2; gone++) {
		uint32_t small = endpoint_sized(MESSAGE_WORDS, MESSAGE_CAPS, 1);
		uint32_t busy = export_new(small, 3, false);

		start(entry_call(busy, Q0));
		start(entry_recv(small, Q0 + 5));
		base = finish(Q0 + 5);
		if (gone) {
			CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
			CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
			start(entry_recv(small, Q0 + 5));
			CHECK_EQUAL(finish(Q0 + 5).id, base.id);
		}
		start(entry_call(busy, Q0 + 2));
		start(entry_recv(small, Q0 + 6));
		CHECK(!is_done(Q0 + 6));
		entry = entry_forward(base.id, second_export, Q0 + 1);
		entry.deadline_ns = (uint64_t)small << 32 | base.id;
		start(entry);
		REQUIRE(is_done(Q0 + 6));
		next = finish(Q0 + 6);
		CHECK_EQUAL(next.detail, 3);
		CHECK_EQUAL(perform(entry_return(small, next.id)).status, STATUS_OK);
		CHECK_EQUAL(finish(Q0 + 2).status, STATUS_OK);
		if (!gone) {
			start(entry_recv(second_endpoint, Q0 + 6));
			next = finish(Q0 + 6);
			CHECK_EQUAL(perform(entry_return(second_endpoint, next.id)).status,
					STATUS_OK);
			CHECK_EQUAL(finish(Q0).status, STATUS_OK);
		}
		CHECK_EQUAL(finish(Q0 + 1).status, gone ? STATUS_GONE : STATUS_OK);
		CHECK_EQUAL(release(busy), STATUS_OK);
		CHECK_EQUAL(release(small), STATUS_OK);
	}
	forward_close();
}

static const struct test tests[] = {
	{ "held calls start in order, before the base is seen",
			held_calls_start_in_order_before_the_base_is_seen },
	{ "without keep, completion is finish", without_keep_completion_is_finish },
	{ "a chain is walked step by step", a_chain_is_walked_step_by_step },
	{ "a broken promise breaks what stands on it", a_broken_promise_breaks_what_stands_on_it },
	{ "paths lead through structs only", paths_lead_through_structs_only },
	{ "entries that name no answer are refused", entries_that_name_no_answer_are_refused },
	{ "a held call keeps what it carries", a_held_call_keeps_what_it_carries },
	{ "a held call reaches a kernel object", a_held_call_reaches_a_kernel_object },
	{ "a long chain settles", a_long_chain_settles },
	{ "a deadline ends a call wherever it is", a_deadline_ends_a_call_wherever_it_is },
	{ "deadlines of kernel objects' calls", deadlines_of_kernel_objects_calls },
	{ "a full service refuses who does not want to wait",
			a_full_service_refuses_who_does_not_want_to_wait },
	{ "a forwarded call is answered by another", a_forwarded_call_is_answered_by_another },
	{ "forwards that are refused leave the call open",
			forwards_that_are_refused_leave_the_call_open },
	{ "whoever goes ends a forwarded call", whoever_goes_ends_a_forwarded_call },
	{ "a forward makes room for who waits", a_forward_makes_room_for_who_waits },
};

TEST_LIST(pipeline_tests, tests);
