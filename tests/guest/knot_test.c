/*
 * Knots that programs tie with capabilities: receive sides that move while they are in use, chains of endpoints
 * that end one another, grants that outlive their slots, and a server's own export that comes home narrowed.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"

#define CHAINS 6u

/* Outlives this process' hold on the endpoint; to be killed. */
static struct process_handle_ref keeper_of(uint32_t endpoint)
{
	return child_start(&(struct child_spec){ .role = "hang", .grants = { { "endpoint", endpoint } } });
}

static void who_lets_go_of_a_receive_side_receives_no_more(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct process_handle_ref keeper = keeper_of(endpoint);

	start(entry_recv(endpoint, Q0));
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_DISCONNECTED);
	start(entry_call(export, Q0 + 1));
	CHECK(!is_done(Q0 + 1));
	child_kill(keeper);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(release(export), STATUS_OK);
}

/* A call in service ends when the receive side moves away from who serves it, whichever way that is. */
static void moving_a_receive_side_ends_what_it_serves(void)
{
	uint32_t sink_endpoint = endpoint_new(), sink = export_new(sink_endpoint, 1, false);
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 2, false);
	struct child_spec spec = { .role = "receiver-of-one", .grants = { { "endpoint", sink_endpoint } } };
	struct process_handle_ref child = child_start(&spec);
	struct ring_entry call;

	start(entry_recv(endpoint, Q0));
	start(entry_call(export, Q0 + 1));
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	call = entry_call(sink, Q0 + 2);
	send_cap(&call, TRANSFER_KIND_MOVE, endpoint);
	start(call);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_DISCONNECTED);
	child_kill(child);
	CHECK_EQUAL(release(sink_endpoint), STATUS_OK);
	(void)finish(Q0 + 2);
	CHECK(!is_live(endpoint));
	CHECK_EQUAL(release(sink), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
}

static void a_receive_side_moves_through_itself(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 2, false), moved;
	struct ring_entry call;

	start(entry_recv(endpoint, Q0));
	call = entry_call(export, Q0 + 1);
	send_cap(&call, TRANSFER_KIND_MOVE, endpoint);
	start(call);
	CHECK_EQUAL(finish(Q0).cap_count, 1);
	moved = seat_records(Q0, true)[0].id;
	call = entry_return(moved, finish(Q0).id);
	send_cap(&call, TRANSFER_KIND_MOVE, moved);
	CHECK_EQUAL(perform(call).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).cap_count, 1);
	CHECK_EQUAL(release(seat_records(Q0 + 1, false)[0].id), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
}

static void who_gives_the_receive_side_away_cannot_receive_again(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 2, false);
	struct ring_entry entry;
	uint32_t id;

	start(entry_recv(endpoint, Q0));
	start(entry_call(export, Q0 + 1));
	id = finish(Q0).id;
	entry = entry_return_rearm(endpoint, id, Q0);
	send_cap(&entry, TRANSFER_KIND_MOVE, endpoint);
	CHECK_EQUAL(perform(entry).status, STATUS_BAD_DESCRIPTOR);
	CHECK(!is_done(Q0 + 1));
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Whoever holds less than the whole object shows its server no more than that. */
static void a_narrowed_export_does_not_come_home_as_the_whole(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 7, false);
	uint32_t narrow = narrow_of(export, TEST_ANCESTOR);
	const struct cap_record *record = seat_records(Q0, true);
	struct ring_entry call = entry_call(export, Q0 + 1);

	start(entry_recv(endpoint, Q0));
	send_cap(&call, TRANSFER_KIND_COPY, narrow);
	send_cap(&call, TRANSFER_KIND_COPY, export);
	start(call);
	CHECK_EQUAL(finish(Q0).cap_count, 2);
	CHECK_EQUAL(record[0].kind, RECORD_KIND_CAPABILITY);
	CHECK_EQUAL(record[0].value, TEST_ANCESTOR);
	CHECK_EQUAL(record[1].kind, RECORD_KIND_YOURS);
	CHECK_EQUAL(record[1].value, 7);
	CHECK_EQUAL(release(record[0].id), STATUS_OK);
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0).id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	CHECK_EQUAL(release(narrow), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Whoever serves next has not been told. */
static void a_lasting_export_without_holders_is_told_again(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 3, true);
	struct ring_entry retire = entry_of(CAP_OP_RETIRE, endpoint);

	CHECK_EQUAL(release(export), STATUS_OK);
	for (uint32_t round = 0; round < 2; round++) {
		start(entry_recv(endpoint, Q0));
		CHECK_EQUAL(finish(Q0).detail, 3);
		CHECK_EQUAL(seat_header(Q0)->kind, RECV_KIND_NO_HOLDERS);
		start(entry_recv(endpoint, Q0));
		CHECK(!is_done(Q0));
		CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
		(void)finish(Q0);
		retire.deadline_ns = seat_header(Q0)->sequence;
		CHECK_EQUAL(endpoint_reset((struct endpoint_ref){ rt_ref(endpoint) }, NULL), STATUS_OK);
	}
	retire.interface = 3;
	CHECK_EQUAL(perform(retire).status, STATUS_OK);
	CHECK_EQUAL(info_exports(endpoint), 0);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Also if the kernel answers later. */
static void an_argument_of_a_call_that_waits_leaves(void)
{
	uint32_t gift = notification_new();
	struct ring_entry call = entry_call(rt_id(world.self.ref), Q0);

	call.interface = PROCESS_OBSERVER_INTERFACE_ID;
	call.method = PROCESS_OBSERVER_METHOD_WAIT;
	send_cap(&call, TRANSFER_KIND_MOVE, gift);
	start(call);
	CHECK(!is_done(Q0));
	CHECK(!is_live(gift));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
}

/* Waits and capabilities on their way use grants of entries that are gone: there are enough for all others. */
static void grants_without_slots_are_not_missed(void)
{
	static uint32_t many[400];
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);

	for (uint32_t i = 0; i < 4; i++) {
		uint32_t notification = notification_new();
		struct ring_entry wait = entry_of(CAP_OP_WAIT, notification);

		wait.interface = 1;
		wait.question = (uint16_t)(Q0 + i);
		start(wait);
		CHECK_EQUAL(release(notification), STATUS_OK);
	}
	for (uint32_t i = 4; i < SEATS; i++) {
		struct ring_entry call = entry_call(export, (uint16_t)(Q0 + i));

		for (uint32_t cap = 0; cap < MESSAGE_CAPS; cap++)
			send_cap(&call, TRANSFER_KIND_COPY, notification_new());
		start(call);
		for (uint32_t cap = 0; cap < MESSAGE_CAPS; cap++)
			CHECK_EQUAL(release(descriptors()[cap].id), STATUS_OK);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = notification_new();
	kernel_check();
	for (uint32_t i = 0; i < ARRAY_LEN(many); i++)
		CHECK_EQUAL(release(many[i]), STATUS_OK);
	for (uint16_t i = 0; i < SEATS; i++) {
		CHECK_EQUAL(perform(entry_cancel((uint16_t)(Q0 + i))).status, STATUS_OK);
		CHECK_EQUAL(finish((uint16_t)(Q0 + i)).status, STATUS_CANCELLED);
	}
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Endpoints of which each is held by nothing but a call that waits at the one before: closing the first ends them all,
 * however many there are. */
static void a_long_chain_of_endpoints_ends(void)
{
	uint32_t endpoints[CHAINS + 1], done = notification_new();
	struct process_handle_ref children[CHAINS];

	for (uint32_t i = 0; i <= CHAINS; i++)
		endpoints[i] = endpoint_new();
	for (uint32_t i = 0; i < CHAINS; i++) {
		uint32_t head = export_new(endpoints[i], 1, false);
		struct child_spec spec = { .role = "chain", .grants = { { "factory", rt_id(world.factory.ref) },
				{ "head", head }, { "next", endpoints[i + 1] }, { "done", done } } };
		struct ring_entry wait = entry_of(CAP_OP_WAIT, done);

		children[i] = child_start(&spec);
		CHECK_EQUAL(release(head), STATUS_OK);
		wait.interface = 1;
		wait.question = Q0;
		start(wait);
		CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	}
	for (uint32_t i = CHAINS + 1; i-- > 0;)
		CHECK_EQUAL(release(endpoints[i]), STATUS_OK);
	for (uint32_t i = 0; i < CHAINS; i++)
		CHECK_EQUAL(child_finish(children[i]).status, 0);
	CHECK_EQUAL(release(done), STATUS_OK);
}

static const struct test tests[] = {
	{ "who lets go of a receive side receives no more", who_lets_go_of_a_receive_side_receives_no_more },
	{ "moving a receive side ends what it serves", moving_a_receive_side_ends_what_it_serves },
	{ "a receive side moves through itself", a_receive_side_moves_through_itself },
	{ "who gives the receive side away cannot receive again", who_gives_the_receive_side_away_cannot_receive_again },
	{ "a narrowed export does not come home as the whole", a_narrowed_export_does_not_come_home_as_the_whole },
	{ "a lasting export without holders is told again", a_lasting_export_without_holders_is_told_again },
	{ "an argument of a call that waits leaves", an_argument_of_a_call_that_waits_leaves },
	{ "grants without slots are not missed", grants_without_slots_are_not_missed },
	{ "a long chain of endpoints ends", a_long_chain_of_endpoints_ends },
};

TEST_LIST(knot_tests, tests);
