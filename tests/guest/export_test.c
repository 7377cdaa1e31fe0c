/*
 * Exports and endpoints: no holders, retire, incarnations, closing, ten thousand of them.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"
#include "rt/ring.h"

#define MANY 10000u

static status_t retire(uint32_t endpoint, uint64_t tag, uint64_t sequence)
{
	struct ring_entry entry = entry_of(CAP_OP_RETIRE, endpoint);

	entry.interface = tag;
	entry.deadline_ns = sequence;
	return perform(entry).status;
}

static status_t reset(uint32_t endpoint, uint32_t *incarnation)
{
	return endpoint_reset((struct endpoint_ref){ rt_ref(endpoint) }, incarnation);
}

static status_t close(uint32_t endpoint)
{
	return endpoint_close((struct endpoint_ref){ rt_ref(endpoint) });
}

static void start_death_wait(uint32_t target, uint16_t question)
{
	struct ring_entry entry = entry_of(CAP_OP_WAIT, target);

	entry.flags = ENTRY_DEATH;
	entry.question = question;
	start(entry);
}

static void the_last_holder_is_told_and_retired(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 99, false),
		 copy = copy_of(export);
	struct ring_completion event;
	uint64_t sequence;

	start(entry_recv(endpoint, Q0));
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(release(copy), STATUS_OK);
	event = finish(Q0);
	CHECK_EQUAL(event.status, STATUS_OK);
	CHECK_EQUAL(event.detail, 99);
	CHECK_EQUAL(event.id, 0);
	CHECK_EQUAL(seat_header(Q0)->kind, RECV_KIND_NO_HOLDERS);
	CHECK_EQUAL(seat_header(Q0)->tag, 99);
	sequence = seat_header(Q0)->sequence;
	CHECK_EQUAL(info_exports(endpoint), 1);
	CHECK_EQUAL(retire(endpoint, 98, sequence), STATUS_GONE);
	CHECK_EQUAL(retire(endpoint, 99, sequence + 1), STATUS_GONE);
	CHECK_EQUAL(retire(endpoint, 99, sequence + (1ull << 32)), STATUS_GONE);
	CHECK_EQUAL(retire(endpoint, 99, sequence), STATUS_OK);
	CHECK_EQUAL(retire(endpoint, 99, sequence), STATUS_GONE);
	CHECK_EQUAL(info_exports(endpoint), 0);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void an_export_in_use_is_not_retired(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 4, false);

	/* The first export of an endpoint has number 1 at index 0. */
	CHECK_EQUAL(retire(endpoint, 4, 1ull << 32), STATUS_STALE);
	CHECK_EQUAL(retire(endpoint, 4, UINT64_MAX), STATUS_GONE);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* The only capability is inside a call that has not been received: that counts as a holder. */
static void an_export_in_transit_has_a_holder(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t other = endpoint_new(), travels = export_new(other, 2, false);
	struct ring_entry call = entry_call(export, Q0);

	start(entry_recv(other, Q0 + 2));
	send_cap(&call, TRANSFER_KIND_MOVE, travels);
	start(call);
	CHECK(!is_done(Q0 + 2));
	CHECK_EQUAL(retire(other, 2, 1ull << 32), STATUS_STALE);
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(finish(Q0 + 1).cap_count, 1);
	CHECK(!is_done(Q0 + 2));
	CHECK_EQUAL(release(seat_records(Q0 + 1, true)[0].id), STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 2).detail, 2);
	CHECK_EQUAL(retire(other, 2, seat_header(Q0 + 2)->sequence), STATUS_OK);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
	(void)finish(Q0);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(other), STATUS_OK);
}

/* A call that waits for its receiver keeps its target, whatever becomes of the caller's
 * capability. */
static void a_queued_call_keeps_its_export(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 3, false);

	start(entry_call(export, Q0));
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(retire(endpoint, 3, 1ull << 32), STATUS_STALE);
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(finish(Q0 + 1).detail, 3);
	CHECK_EQUAL(seat_header(Q0 + 1)->kind, RECV_KIND_CALL);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	start(entry_recv(endpoint, Q0 + 1));
	(void)finish(Q0 + 1);
	CHECK_EQUAL(seat_header(Q0 + 1)->kind, RECV_KIND_NO_HOLDERS);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void a_reset_begins_the_next_incarnation(void)
{
	uint32_t endpoint = endpoint_new(), lasting = export_new(endpoint, 1, true);
	uint32_t passing = export_new(endpoint, 2, false), incarnation = 0, id;
	struct ring_completion ended;

	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(lasting, Q0));
	id = finish(Q0 + 1).id;
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(reset(endpoint, &incarnation), STATUS_OK);
	CHECK_EQUAL(incarnation, 2);
	ended = finish(Q0);
	CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(ended.detail), REASON_INCARNATION);
	ended = finish(Q0 + 1);
	CHECK(ended.status == STATUS_DISCONNECTED || ended.status == STATUS_CANCELLED);
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_GONE);
	ended = perform(entry_call(passing, Q0));
	CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(ended.detail), REASON_INCARNATION);
	start(entry_call(lasting, Q0));
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(finish(Q0 + 1).detail, 1);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	/* Nobody is told of the end of an export that no living server knows. */
	CHECK_EQUAL(release(passing), STATUS_OK);
	CHECK_EQUAL(info_exports(endpoint), 1);
	CHECK_EQUAL(release(lasting), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* A call that waits must not reach the next incarnation through an export of the last: its tag
 * means nothing there. */
static void a_queued_call_waits_through_a_reset_if_its_export_lasts(void)
{
	uint32_t endpoint = endpoint_new(), lasting = export_new(endpoint, 1, true);
	uint32_t passing = export_new(endpoint, 2, false), moved = copy_of(rt_id(world.timer.ref));
	struct ring_entry call = entry_call(passing, Q0);
	struct ring_completion ended;

	send_cap(&call, TRANSFER_KIND_MOVE, moved);
	start(call);
	start(entry_call(lasting, Q0 + 1));
	CHECK_EQUAL(reset(endpoint, NULL), STATUS_OK);
	CHECK(!is_done(Q0 + 1));
	CHECK(is_done(Q0));
	start(entry_recv(endpoint, Q0 + 2));
	CHECK_EQUAL(finish(Q0 + 2).detail, 1);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 2).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	ended = finish(Q0);
	CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(ended.detail), REASON_INCARNATION);
	CHECK(is_live(moved));
	CHECK_EQUAL(release(moved), STATUS_OK);
	CHECK_EQUAL(release(passing), STATUS_OK);
	CHECK_EQUAL(release(lasting), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void closing_ends_everything(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, true), id;
	struct ring_completion ended;

	start(entry_recv(endpoint, Q0 + 7));
	start(entry_call(export, Q0));
	(void)finish(Q0 + 7);
	start_death_wait(endpoint, Q0 + 2);
	start_death_wait(export, Q0 + 3);
	start(entry_recv(endpoint, Q0 + 4));
	CHECK(!is_done(Q0 + 2) && !is_done(Q0 + 3) && !is_done(Q0 + 4));
	CHECK_EQUAL(close(endpoint), STATUS_OK);
	ended = finish(Q0);
	CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(ended.detail), REASON_CLOSED);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 3).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 4).status, STATUS_DISCONNECTED);
	ended = perform(entry_call(export, Q0));
	CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(ended.detail), REASON_CLOSED);
	CHECK_EQUAL(perform(entry_recv(endpoint, Q0)).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(export_status(endpoint, 5, false, &id), STATUS_DISCONNECTED);
	start_death_wait(export, Q0);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(close(endpoint), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void the_last_receive_side_closes(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);

	start(entry_call(export, Q0));
	start_death_wait(export, Q0 + 1);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
}

/* What the answer has no room for is refused before there is an export that the server would hear of. */
static void an_export_that_cannot_be_given_is_not_made(void)
{
	uint32_t endpoint = endpoint_new();
	struct ring_entry entry = entry_call(endpoint, Q0);
	struct endpoint_export_params_builder params;
	struct capnp_list_builder rows;
	struct capnp_builder builder;

	capnp_builder_init(&builder, message(), MESSAGE_WORDS_SENT, NULL, 0);
	params = endpoint_export_params_init_root(&builder);
	rows = endpoint_export_params_init_interfaces(params, 1);
	interface_row_set_id(interface_row_builder_at(rows, 0), TEST_INTERFACE);
	entry.interface = ENDPOINT_INTERFACE_ID;
	entry.method = ENDPOINT_METHOD_EXPORT;
	entry.msg_off = world.message_off;
	entry.msg_words = (uint16_t)builder.used;
	entry.reply_caps = 0;
	CHECK_EQUAL(perform(entry).status, STATUS_REPLY_TOO_LARGE);
	CHECK_EQUAL(info_exports(endpoint), 0);
	entry.reply_caps = 1;
	entry.reply_words = 1;
	CHECK_EQUAL(perform(entry).status, STATUS_REPLY_TOO_LARGE);
	CHECK_EQUAL(info_exports(endpoint), 0);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* An export whose last holder was a call that the reset ends: the next incarnation hears of it, and not the last one. */
static void a_reset_ends_the_receives_first(void)
{
	uint32_t endpoint = endpoint_sized(MESSAGE_WORDS, MESSAGE_CAPS, 1), lasting = export_new(endpoint, 7, true);
	uint32_t passing = export_new(endpoint, 8, false);
	struct ring_entry carrier = entry_call(passing, Q0 + 2);

	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(passing, Q0));      /* takes the one place for calls in service */
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	start(entry_recv(endpoint, Q0 + 1));
	send_cap(&carrier, TRANSFER_KIND_COPY, lasting);
	start(carrier);
	CHECK_EQUAL(release(lasting), STATUS_OK);
	CHECK(!is_done(Q0 + 1));
	CHECK_EQUAL(reset(endpoint, NULL), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_DISCONNECTED);
	start(entry_recv(endpoint, Q0 + 1));
	REQUIRE_OK(finish(Q0 + 1).status);
	CHECK_EQUAL(seat_header(Q0 + 1)->kind, RECV_KIND_NO_HOLDERS);
	CHECK_EQUAL(seat_header(Q0 + 1)->tag, 7);
	CHECK_EQUAL(release(passing), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void export_refuses_bad_rows(void)
{
	static const struct {
		uint64_t id[3];
		uint16_t ancestors[3];
		uint32_t count;
	} rows[] = {
		{ { 0 }, { 0 }, 0 },
		{ { 0 }, { 0 }, 1 },
		{ { 1, 1 }, { 0 }, 2 },
		{ { 1, 0 }, { 0 }, 2 },
		{ { 1 }, { 2 }, 1 },
		{ { 1, 2 }, { 4 }, 2 },
		{ { 1, 2 }, { 0x8000 }, 2 },
	};
	uint32_t endpoint = endpoint_new();

	for (uint32_t i = 0; i <= ARRAY_LEN(rows); i++) {
		struct endpoint_export_params_builder params;
		struct endpoint_export_call call = endpoint_export_begin(
				(struct endpoint_ref){ rt_ref(endpoint) }, &params);
		uint32_t count = i < ARRAY_LEN(rows) ? rows[i].count : 17;
		struct capnp_list_builder list = endpoint_export_params_init_interfaces(
				params, count);

		for (uint32_t row = 0; row < count; row++) {
			struct interface_row_builder builder = interface_row_builder_at(list, row);

			interface_row_set_id(
					builder, i < ARRAY_LEN(rows) ? rows[i].id[row] : row + 1);
			interface_row_set_ancestors(
					builder, i < ARRAY_LEN(rows) ? rows[i].ancestors[row] : 0);
		}
		endpoint_export_send(&call);
		CHECK_EQUAL(endpoint_export_wait(&call), STATUS_INVALID_ARGUMENT);
		endpoint_export_done(&call);
	}
	CHECK_EQUAL(info_exports(endpoint), 0);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* One endpoint, one receive: each export is minted, called, let go and retired. */
static void ten_thousand_exports(void)
{
	static uint32_t ids[MANY];
	uint32_t endpoint = endpoint_new(), made = 0, called = 0, told = 0;
	uint64_t tags = 0;
	struct usage full;

	while (made < MANY && (ids[made] = export_new(endpoint, made, false)))
		made++;
	REQUIRE(made == MANY);
	CHECK_EQUAL(info_exports(endpoint), MANY);
	full = usage_self();
	CHECK(full.used[RESOURCE_CLASS_EXPORTS] >= MANY && full.used[RESOURCE_CLASS_SLOTS] >= MANY);
	start(entry_recv(endpoint, Q0 + 1));
	for (uint32_t i = 0; i < MANY; i += 7) {
		start(entry_call(ids[i], Q0));
		if (finish(Q0 + 1).detail != i)
			break;
		start(entry_return_rearm(endpoint, finish(Q0 + 1).id, Q0 + 1));
		called += finish(Q0).status == STATUS_OK;
	}
	CHECK_EQUAL(called, (MANY + 6) / 7);
	for (uint32_t i = 0; i < MANY; i++) {
		rt_release(ids[i]);
		if (finish(Q0 + 1).status != STATUS_OK ||
				seat_header(Q0 + 1)->kind != RECV_KIND_NO_HOLDERS)
			break;
		tags += seat_header(Q0 + 1)->tag;
		told += retire(endpoint, seat_header(Q0 + 1)->tag, seat_header(Q0 + 1)->sequence) ==
				STATUS_OK;
		start(entry_recv(endpoint, Q0 + 1));
	}
	CHECK_EQUAL(told, MANY);
	CHECK_EQUAL(tags, (uint64_t)MANY * (MANY - 1) / 2);
	CHECK_EQUAL(info_exports(endpoint), 0);
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	(void)finish(Q0 + 1);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static const struct test tests[] = {
	{ "the last holder is told and retired", the_last_holder_is_told_and_retired },
	{ "an export in use is not retired", an_export_in_use_is_not_retired },
	{ "an export in transit has a holder", an_export_in_transit_has_a_holder },
	{ "a queued call keeps its export", a_queued_call_keeps_its_export },
	{ "a reset begins the next incarnation", a_reset_begins_the_next_incarnation },
	{ "a queued call waits through a reset if its export lasts",
			a_queued_call_waits_through_a_reset_if_its_export_lasts },
	{ "closing ends everything", closing_ends_everything },
	{ "the last receive side closes", the_last_receive_side_closes },
	{ "an export that cannot be given is not made", an_export_that_cannot_be_given_is_not_made },
	{ "a reset ends the receives first", a_reset_ends_the_receives_first },
	{ "export refuses bad rows", export_refuses_bad_rows },
	{ "ten thousand exports", ten_thousand_exports },
};

TEST_LIST(export_tests, tests);
