/*
 * Capabilities on their way: copies, moves, moves that fail, a server's own exports, and what bytes
 * arrive.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/ring.h"

static uint32_t endpoint, export;

static bool fixture_open(void)
{
	endpoint = endpoint_new();
	export = export_new(endpoint, 5, false);
	return export != 0;
}

static void fixture_close(void)
{
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Answers the call that was received on the seat. */
static void answer(uint16_t seat)
{
	CHECK_EQUAL(perform(entry_return(endpoint, finish(seat).id)).status, STATUS_OK);
}

static void a_copy_leaves_the_original(void)
{
	struct ring_entry call;
	const struct cap_record *record = seat_records(Q0 + 1, true);
	uint32_t id = copy_of(rt_id(world.timer.ref));

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_COPY, id);
	send_cap(&call, TRANSFER_KIND_NONE, 0);
	send_cap(&call, TRANSFER_KIND_COPY, id);
	start(call);
	CHECK_EQUAL(finish(Q0 + 1).cap_count, 3);
	CHECK_EQUAL(record[0].kind, RECORD_KIND_CAPABILITY);
	CHECK_EQUAL(record[0].value, TIMER_INTERFACE_ID);
	CHECK_EQUAL(record[1].kind, RECORD_KIND_NONE);
	CHECK_EQUAL(record[1].id, 0);
	CHECK(record[0].id != id && record[2].id != record[0].id);
	CHECK(is_live(id) && is_live(record[0].id) && is_live(record[2].id));
	CHECK_EQUAL(release(record[0].id), STATUS_OK);
	CHECK_EQUAL(release(record[2].id), STATUS_OK);
	CHECK_EQUAL(release(id), STATUS_OK);
	answer(Q0 + 1);
	(void)finish(Q0);
	fixture_close();
}

static void a_move_leaves_when_it_is_delivered(void)
{
	struct ring_entry call;
	uint32_t id = copy_of(rt_id(world.timer.ref)), moved;

	REQUIRE(fixture_open());
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_MOVE, id);
	start(call);
	CHECK(!is_live(id));
	CHECK_EQUAL(release(id), STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(copy_of(id), 0);
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(finish(Q0 + 1).cap_count, 1);
	moved = seat_records(Q0 + 1, true)[0].id;
	CHECK(is_live(moved) && !is_live(id));
	CHECK_EQUAL(release(moved), STATUS_OK);
	answer(Q0 + 1);
	(void)finish(Q0);
	fixture_close();
}

static void a_cancelled_move_comes_back_under_its_id(void)
{
	struct ring_entry call;
	uint32_t id = copy_of(rt_id(world.timer.ref));

	REQUIRE(fixture_open());
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_MOVE, id);
	start(call);
	CHECK(!is_live(id));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	CHECK(is_live(id));
	CHECK_EQUAL(release(id), STATUS_OK);
	fixture_close();
}

static void a_send_that_fails_moves_nothing(void)
{
	static const struct {
		struct cap_descriptor second;
		status_t status;
	} rows[] = {
		{ { .kind = TRANSFER_KIND_COPY, .id = 0x7ff00001 }, STATUS_BAD_CAPABILITY },
		{ { .kind = TRANSFER_KIND_MOVE, .id = 0 }, STATUS_BAD_CAPABILITY },
		{ { .kind = TRANSFER_KIND_NONE, .id = 1 }, STATUS_BAD_DESCRIPTOR },
		{ { .kind = TRANSFER_KIND_NONE, .path = { 0, 0, 0, 1 } }, STATUS_BAD_DESCRIPTOR },
		{ { .kind = TRANSFER_KIND_COPY, .flags = 1 }, STATUS_BAD_DESCRIPTOR },
		{ { .kind = TRANSFER_KIND_MOVE, .path_len = 1 }, STATUS_BAD_DESCRIPTOR },
		{ { .kind = TRANSFER_KIND_MOVE, .path = { 1 } }, STATUS_BAD_DESCRIPTOR },
		{ { .kind = TRANSFER_KIND_ANSWER }, STATUS_BAD_DESCRIPTOR },
		{ { .kind = 4 }, STATUS_BAD_DESCRIPTOR },
		{ { .kind = 255, .flags = 255, .path_len = 255, .id = UINT32_MAX },
				STATUS_BAD_DESCRIPTOR },
	};
	uint32_t id = copy_of(rt_id(world.timer.ref));
	struct ring_entry call;

	REQUIRE(fixture_open());
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		call = entry_call(export, Q0);
		send_cap(&call, TRANSFER_KIND_MOVE, id);
		send_cap(&call, TRANSFER_KIND_NONE, 0);
		descriptors()[1] = rows[i].second;
		CHECK_EQUAL(perform(call).status, rows[i].status);
		CHECK(is_live(id));
	}
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_MOVE, id);
	send_cap(&call, TRANSFER_KIND_MOVE, id);
	CHECK_EQUAL(perform(call).status, STATUS_BAD_CAPABILITY);
	CHECK(is_live(id));
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_MOVE, id);
	call.flags = ENTRY_FAIL_FAST;
	CHECK_EQUAL(perform(call).status, STATUS_DISCONNECTED);
	CHECK(is_live(id));
	CHECK_EQUAL(release(id), STATUS_OK);
	fixture_close();
}

static void what_calls_can_be_moved_by_the_call(void)
{
	struct ring_entry call;
	uint32_t other, own;

	REQUIRE(fixture_open());
	other = copy_of(export);
	start(entry_recv(endpoint, Q0 + 1));
	call = entry_call(other, Q0);
	send_cap(&call, TRANSFER_KIND_MOVE, other);
	start(call);
	CHECK_EQUAL(finish(Q0 + 1).cap_count, 1);
	CHECK(!is_live(other));
	CHECK_EQUAL(seat_records(Q0 + 1, true)[0].kind, RECORD_KIND_YOURS);
	answer(Q0 + 1);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	/* The receive side itself travels too. */
	own = copy_of(endpoint);
	start(entry_recv(endpoint, Q0 + 1));
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_MOVE, own);
	start(call);
	CHECK_EQUAL(finish(Q0 + 1).cap_count, 1);
	CHECK_EQUAL(seat_records(Q0 + 1, true)[0].value, ENDPOINT_INTERFACE_ID);
	CHECK_EQUAL(release(seat_records(Q0 + 1, true)[0].id), STATUS_OK);
	answer(Q0 + 1);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	fixture_close();
}

static void own_exports_come_home_as_their_tag(void)
{
	struct ring_entry call;
	const struct cap_record *record = seat_records(Q0 + 1, true);
	struct usage before;
	uint32_t other, foreign_endpoint, foreign;

	REQUIRE(fixture_open());
	foreign_endpoint = endpoint_new();
	foreign = export_new(foreign_endpoint, 5, false);
	other = export_new(endpoint, 0x1234567812345678, false);
	start(entry_recv(endpoint, Q0 + 1));
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_COPY, other);
	send_cap(&call, TRANSFER_KIND_COPY, foreign);
	start(call);
	(void)finish(Q0 + 1);
	CHECK_EQUAL(record[0].kind, RECORD_KIND_YOURS);
	CHECK_EQUAL(record[0].id, 0);
	CHECK_EQUAL(record[0].value, 0x1234567812345678);
	CHECK_EQUAL(record[1].kind, RECORD_KIND_CAPABILITY);
	CHECK_EQUAL(release(record[1].id), STATUS_OK);
	answer(Q0 + 1);
	(void)finish(Q0);
	before = usage_self();
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	(void)finish(Q0 + 1);
	CHECK(usage_settles(&before));
	CHECK_EQUAL(release(other), STATUS_OK);
	CHECK_EQUAL(release(foreign), STATUS_OK);
	CHECK_EQUAL(release(foreign_endpoint), STATUS_OK);
	fixture_close();
}

static void answers_carry_capabilities(void)
{
	struct ring_entry entry;
	uint32_t moved = copy_of(rt_id(world.timer.ref)), id;
	const struct cap_record *record = seat_records(Q0, false);

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	id = finish(Q0 + 1).id;
	entry = entry_return(endpoint, id);
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	send_cap(&entry, TRANSFER_KIND_COPY, 0x7ff00001);
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_CAPABILITY);
	CHECK(is_live(moved) && !is_done(Q0));
	entry.cap_count = 0;
	for (uint32_t i = 0; i <= MESSAGE_CAPS; i++)
		send_cap(&entry, TRANSFER_KIND_NONE, 0);
	descriptors()[0] = (struct cap_descriptor){ .kind = TRANSFER_KIND_MOVE, .id = moved };
	CHECK_EQUAL(perform(entry).status, STATUS_REPLY_TOO_LARGE);
	CHECK(is_live(moved) && !is_done(Q0));
	entry.cap_count = 0;
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	send_cap(&entry, TRANSFER_KIND_COPY, rt_id(world.console.ref));
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	CHECK(!is_live(moved));
	CHECK_EQUAL(finish(Q0).cap_count, 2);
	CHECK_EQUAL(record[0].value, TIMER_INTERFACE_ID);
	CHECK_EQUAL(record[1].value, CONSOLE_INTERFACE_ID);
	CHECK_EQUAL(release(record[0].id), STATUS_OK);
	CHECK_EQUAL(release(record[1].id), STATUS_OK);
	fixture_close();
}

static void an_answer_to_nobody_moves_nothing(void)
{
	struct ring_entry entry;
	uint32_t moved = copy_of(rt_id(world.timer.ref)), id;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	id = finish(Q0 + 1).id;
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	(void)finish(Q0);
	entry = entry_return(endpoint, id);
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	CHECK_EQUAL(perform(entry).status, STATUS_GONE);
	CHECK(is_live(moved));
	CHECK_EQUAL(release(moved), STATUS_OK);
	fixture_close();
}

static void a_released_original_still_arrives(void)
{
	struct ring_entry call;
	uint32_t id = copy_of(rt_id(world.timer.ref));

	REQUIRE(fixture_open());
	call = entry_call(export, Q0);
	send_cap(&call, TRANSFER_KIND_COPY, id);
	start(call);
	CHECK_EQUAL(release(id), STATUS_OK);
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(finish(Q0 + 1).cap_count, 1);
	CHECK_EQUAL(release(seat_records(Q0 + 1, true)[0].id), STATUS_OK);
	answer(Q0 + 1);
	(void)finish(Q0);
	fixture_close();
}

static void an_argument_that_moves_to_the_kernel_leaves_on_success(void)
{
	struct memory_object_ref object;
	struct virtual_memory_map_params_builder params;
	struct virtual_memory_map_call call;
	uint64_t address = 0;

	REQUIRE_OK(object_factory_memory(world.factory, 4096, &object));
	for (uint32_t round = 0; round < 2; round++) {
		call = virtual_memory_map_begin(world.memory, &params);
		virtual_memory_map_params_set_object(params, client_give(&call.call, object.ref));
		virtual_memory_map_params_set_bytes(
				params, round == 0 ? 8192 : 4096); /* the first: too many */
		virtual_memory_map_params_set_access(params, ACCESS_READ_WRITE);
		virtual_memory_map_send(&call);
		CHECK_EQUAL(virtual_memory_map_wait(&call),
				round == 0 ? STATUS_INVALID_ARGUMENT : STATUS_OK);
		if (round == 1)
			address = virtual_memory_map_results_get_address(
					virtual_memory_map_results(&call));
		virtual_memory_map_done(&call);
		CHECK(is_live(rt_id(object.ref)) == (round == 0));
	}
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, 4096), STATUS_OK);
}

/* What arrives is the message and nothing else: no byte of the receiver's arena outside what was
 * delivered changes, and none of the sender's arena outside the message arrives. */
static void no_other_byte_travels(void)
{
	uint8_t *area = (uint8_t *)seat_words(Q0 + 1);
	const uint32_t message_at = 8 * (8 + RECORDS_WORDS), words = 5;
	struct ring_entry call;
	uint32_t wrong = 0;

	REQUIRE(fixture_open());
	memset(area, 0xa5, SEAT_WORDS * 8);
	memset(message(), 0x5a, MESSAGE_WORDS_SENT * 8);
	memset(message() + 8, 0x77, words * 8);
	start(entry_recv(endpoint, Q0 + 1));
	call = entry_call(export, Q0);
	call.msg_off = world.message_off + 8;
	call.msg_words = words;
	start(call);
	(void)finish(Q0 + 1);
	for (uint32_t i = 64; i < SEAT_WORDS * 8; i++) {
		bool delivered = i >= message_at && i < message_at + words * 8;

		wrong += area[i] != (delivered ? 0x77 : 0xa5);
	}
	CHECK_EQUAL(wrong, 0);
	for (uint32_t i = 59; i < 64; i++)
		CHECK_EQUAL(area[i], 0);
	answer(Q0 + 1);
	(void)finish(Q0);
	fixture_close();
}

static const struct test tests[] = {
	{ "a copy leaves the original", a_copy_leaves_the_original },
	{ "a move leaves when it is delivered", a_move_leaves_when_it_is_delivered },
	{ "a cancelled move comes back under its id", a_cancelled_move_comes_back_under_its_id },
	{ "a send that fails moves nothing", a_send_that_fails_moves_nothing },
	{ "what calls can be moved by the call", what_calls_can_be_moved_by_the_call },
	{ "own exports come home as their tag", own_exports_come_home_as_their_tag },
	{ "answers carry capabilities", answers_carry_capabilities },
	{ "an answer to nobody moves nothing", an_answer_to_nobody_moves_nothing },
	{ "a released original still arrives", a_released_original_still_arrives },
	{ "an argument that moves to the kernel leaves on success",
			an_argument_that_moves_to_the_kernel_leaves_on_success },
	{ "no other byte travels", no_other_byte_travels },
};

TEST_LIST(transfer_tests, tests);
