/*
 * Sessions: what a service sees of them, what their end ends, and whom capabilities may be given to.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/transport.h"

static uint32_t session_new(void)
{
	struct session_control_ref session = { 0 };

	if (session_manager_create(world.sessions, &session) != STATUS_OK)
		return 0;
	return rt_id(session.ref);
}

static struct session_control_ref control(uint32_t session)
{
	return (struct session_control_ref){ rt_ref(session) };
}

/* What a service sees of a caller. */
struct seen {
	uint64_t low, high, epoch;
};

static bool seen_same(struct seen a, struct seen b)
{
	return a.low == b.low && a.high == b.high;
}

static struct seen serve_and_see(uint32_t endpoint)
{
	const struct recv_header *header = seat_header(Q0 + 1);
	struct ring_completion received;
	struct seen seen;

	start(entry_recv(endpoint, Q0 + 1));
	received = finish(Q0 + 1);
	CHECK_EQUAL(received.status, STATUS_OK);
	seen = (struct seen){ header->session_low, header->session_high, header->epoch };
	CHECK_EQUAL(perform(entry_return(endpoint, received.id)).status, STATUS_OK);
	return seen;
}

/* A child of the session that calls once. */
static struct seen see_child(uint32_t endpoint, uint32_t export, uint32_t session)
{
	struct child_spec spec = {
		.role = "calls", .arg = "1", .grants = { { "service", export } }, .session = session
	};
	struct process_handle_ref child = child_start(&spec);
	struct seen seen = serve_and_see(endpoint);

	CHECK_EQUAL(child_finish(child).status, 0);
	return seen;
}

static void a_reference_tells_sessions_apart_here_only(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t other = endpoint_new(), other_export = export_new(other, 1, false);
	uint32_t a = session_new(), b = session_new();
	struct seen first = see_child(endpoint, export, a), ours;

	CHECK(first.low != 0 && first.high != 0);
	CHECK(seen_same(first, see_child(endpoint, export, a)));
	CHECK(!seen_same(first, see_child(endpoint, export, b)));
	ours = see_child(endpoint, export, 0);
	CHECK(!seen_same(first, ours));
	CHECK(seen_same(ours, see_child(endpoint, export, 0)));
	CHECK(seen_same(first, see_child(endpoint, export, a)));
	CHECK(!seen_same(first, see_child(other, other_export, a)));
	CHECK_EQUAL(first.epoch, 1);
	CHECK_EQUAL(session_control_renew(control(a), NULL), STATUS_OK);
	first = see_child(endpoint, export, a);
	CHECK_EQUAL(first.epoch, 2);
	CHECK(seen_same(first, see_child(endpoint, export, a)));
	CHECK_EQUAL(release(a), STATUS_OK);
	CHECK_EQUAL(release(b), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(other_export), STATUS_OK);
	CHECK_EQUAL(release(other), STATUS_OK);
}

static void logout_ends_what_its_processes_do(void)
{
	struct usage before = usage_self();
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false),
		 session = session_new();
	uint32_t sink_endpoint = endpoint_new(), sink = export_new(sink_endpoint, 1, false), given;
	struct child_spec calls = {
		.role = "calls", .arg = "0", .grants = { { "service", export } }, .session = session
	};
	struct child_spec gives = { .role = "pass-on",
		.grants = { { "service", export }, { "sink", sink } },
		.session = session };
	struct child_spec serves = {
		.role = "receive", .grants = { { "endpoint", endpoint_new() } }, .session = session
	};
	struct process_handle_ref waits, gave, receives, stranger;
	struct ring_completion taken, in_service;
	struct ring_entry death = entry_of(CAP_OP_WAIT, session);

	/* One has given something away and waits for an answer, one waits for its call to be taken, one receives. */
	gave = child_start(&gives);
	start(entry_recv(sink_endpoint, Q0 + 1));
	taken = finish(Q0 + 1);
	given = seat_records(Q0 + 1, true)[0].id;
	CHECK(is_live(given));
	CHECK_EQUAL(perform(entry_return(sink_endpoint, taken.id)).status, STATUS_OK);
	start(entry_recv(endpoint, Q0 + 1));
	in_service = finish(Q0 + 1);
	waits = child_start(&calls);
	receives = child_start(&serves);
	while (info_pending(endpoint) == 0)
		sleep_ns(1000000);
	calls.session = 0;
	calls.arg = "1";
	stranger = child_start(&calls);
	while (info_pending(endpoint) < 2)
		sleep_ns(1000000);
	death.flags = ENTRY_DEATH;
	death.question = Q0 + 4;
	start(death);
	start(entry_recv(sink_endpoint, Q0 + 2));
	CHECK_EQUAL(session_control_logout(control(session)), STATUS_OK);
	CHECK_EQUAL(session_control_logout(control(session)), STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 4).status, STATUS_OK);
	CHECK_EQUAL(child_finish(waits).status, 100 + REASON_LOGGED_OUT);
	CHECK_EQUAL(child_finish(gave).status, 100 + REASON_LOGGED_OUT);
	CHECK_EQUAL(child_finish(receives).status, 100 + REASON_LOGGED_OUT);
	CHECK_EQUAL(perform(entry_return(endpoint, in_service.id)).status, STATUS_GONE);
	/* What it gave away is worth nothing, what others hold of the same object is. */
	CHECK_EQUAL(perform(entry_call(given, Q0 + 3)).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(info_pending(endpoint), 1);
	(void)serve_and_see(endpoint);
	CHECK_EQUAL(child_finish(stranger).status, 0);
	/* Nobody begins in a session that has ended. */
	calls.session = session;
	CHECK_EQUAL(child_try(&calls, &waits), STATUS_FAILED);
	CHECK_EQUAL(session_control_renew(control(session), NULL), STATUS_FAILED);
	CHECK_EQUAL(perform(entry_cancel(Q0 + 2)).status, STATUS_OK);
	(void)finish(Q0 + 2);
	CHECK_EQUAL(release(given), STATUS_OK);
	CHECK_EQUAL(release(session), STATUS_OK);
	CHECK_EQUAL(release(serves.grants[0].id), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(sink), STATUS_OK);
	CHECK_EQUAL(release(sink_endpoint), STATUS_OK);
	CHECK(usage_settles(&before));
	kernel_check();
}

/* A process of the session that serves: what reaches it after the end is revoked as it arrives. */
static void what_arrives_after_logout_is_revoked(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false),
		 session = session_new();
	struct child_spec spec = { .role = "receiver-of-one",
		.grants = { { "endpoint", endpoint } },
		.session = session };
	struct process_handle_ref child = child_start(&spec);
	struct ring_entry entry = entry_call(export, Q0);

	CHECK_EQUAL(session_control_logout(control(session)), STATUS_OK);
	CHECK_EQUAL(child_finish(child).status, 1);
	send_cap(&entry, TRANSFER_KIND_COPY, export);
	start(entry);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	(void)finish(Q0);
	CHECK_EQUAL(release(session), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void capabilities_keep_to_their_scope(void)
{
	static const struct {
		enum transfer_scope scope;
		bool same, shared;
		int expected;
	} rows[] = {
		{ TRANSFER_SCOPE_SHAREABLE, false, false, 0 },
		{ TRANSFER_SCOPE_SAME_SESSION, true, false, 0 },
		{ TRANSFER_SCOPE_SAME_SESSION, false, false, 100 + REASON_SCOPE },
		{ TRANSFER_SCOPE_SERVICE_ONLY, true, false, 100 + REASON_SCOPE },
		{ TRANSFER_SCOPE_SERVICE_ONLY, false, true, 0 }, /* back to its service */
	};
	uint32_t session = session_new(), endpoint = endpoint_new();

	/* This process serves the endpoint, so it may give its capabilities to anybody. */
	start(entry_recv(endpoint, Q0 + 2));
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t scoped = export_scoped(endpoint, i, rows[i].scope);
		uint32_t sink_endpoint = endpoint_new(), sink = export_new(sink_endpoint, 1, false);
		struct child_spec takes = { .role = "echo",
			.grants = { { "endpoint", sink_endpoint } },
			.session = rows[i].same ? session : 0 };
		struct child_spec gives = { .role = "give",
			.grants = { { "service", scoped }, { "sink", sink } },
			.session = session };
		struct process_handle_ref taker = { 0 }, giver;

		if (!rows[i].shared)
			taker = child_start(&takes);
		giver = child_start(&gives);
		if (rows[i].shared) {
			start(entry_recv(sink_endpoint, Q0 + 1));
			CHECK_EQUAL(perform(entry_return(sink_endpoint, finish(Q0 + 1).id)).status,
					STATUS_OK);
			CHECK_EQUAL(seat_header(Q0 + 1)->cap_count, 1);
			CHECK_EQUAL(release(seat_records(Q0 + 1, true)[0].id), STATUS_OK);
		}
		CHECK_EQUAL(child_finish(giver).status, rows[i].expected);
		if (!rows[i].shared)
			child_kill(taker);
		CHECK_EQUAL(release(scoped), STATUS_OK);
		CHECK_EQUAL(release(sink), STATUS_OK);
		CHECK_EQUAL(release(sink_endpoint), STATUS_OK);
	}
	CHECK_EQUAL(export_scoped(endpoint, 1, (enum transfer_scope)3), 0);
	/* The receive was told of the first of them that nobody held any more. */
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_OK);
	CHECK_EQUAL(seat_header(Q0 + 2)->kind, RECV_KIND_NO_HOLDERS);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(session), STATUS_OK);
}

/* Answers and grants to children are held to it as well. */
static void scopes_hold_for_answers_and_children(void)
{
	uint32_t session = session_new(), endpoint = endpoint_new(), other = endpoint_new();
	uint32_t scoped = export_scoped(endpoint, 1, TRANSFER_SCOPE_SAME_SESSION),
		 export = export_new(other, 1, false);
	struct child_spec calls = {
		.role = "calls", .arg = "1", .grants = { { "service", export } }, .session = session
	};
	struct child_spec inherits = {
		.role = "end", .arg = "0", .grants = { { "service", scoped } }
	};
	struct process_handle_ref child;
	struct ring_completion received, refused;
	struct ring_entry entry;

	/* Nobody serves the endpoint: this process only holds the capability. */
	child = child_start(&calls);
	start(entry_recv(other, Q0 + 1));
	received = finish(Q0 + 1);
	entry = entry_return(other, received.id);
	send_cap(&entry, TRANSFER_KIND_COPY, scoped);
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_BAD_DESCRIPTOR);
	CHECK_EQUAL(reason_of(refused.detail), REASON_SCOPE);
	CHECK_EQUAL(perform(entry_return(other, received.id)).status, STATUS_OK);
	CHECK_EQUAL(child_finish(child).status, 0);
	CHECK_EQUAL(child_finish(child_start(&inherits)).status, 0);
	inherits.session = session;
	CHECK_EQUAL(child_try(&inherits, &child), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(release(scoped), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(other), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(session), STATUS_OK);
	kernel_check();
}

static struct process_builder_ref builder_new(void)
{
	struct process_spawner_create_params_builder params;
	struct process_spawner_create_call call = process_spawner_create_begin(
			world.spawner, &params);
	struct process_builder_ref builder = { 0 };

	process_spawner_create_params_set_name(params, capnp_text("scoped"));
	process_spawner_create_send(&call);
	CHECK_EQUAL(process_spawner_create_wait(&call), STATUS_OK);
	CHECK_EQUAL(process_spawner_create_take_builder(&call, &builder), STATUS_OK);
	process_spawner_create_done(&call);
	return builder;
}

/* A child is not taken to another session with what may not leave this one. */
static void a_scope_holds_while_a_child_is_built(void)
{
	uint32_t session = session_new(), endpoint = endpoint_new(), id;
	uint32_t scoped = export_scoped(endpoint, 1, TRANSFER_SCOPE_SAME_SESSION);
	struct session_ref other = { rt_ref(session) };
	struct process_builder_ref builder = builder_new();

	CHECK_EQUAL(process_builder_grant(builder, world.timer.ref, &id), STATUS_OK);
	CHECK_EQUAL(process_builder_set_session(builder, other), STATUS_OK);
	CHECK_EQUAL(process_builder_grant(builder, rt_ref(scoped), &id), STATUS_INVALID_ARGUMENT);
	client_release(builder.ref);
	builder = builder_new();
	CHECK_EQUAL(process_builder_grant(builder, rt_ref(scoped), &id), STATUS_OK);
	CHECK_EQUAL(process_builder_set_session(builder, other), STATUS_FAILED);
	client_release(builder.ref);
	CHECK_EQUAL(release(scoped), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(session), STATUS_OK);
	kernel_check();
}

static const struct test tests[] = {
	{ "a reference tells sessions apart, here only",
			a_reference_tells_sessions_apart_here_only },
	{ "logout ends what its processes do", logout_ends_what_its_processes_do },
	{ "what arrives after logout is revoked", what_arrives_after_logout_is_revoked },
	{ "capabilities keep to their scope", capabilities_keep_to_their_scope },
	{ "scopes hold for answers and children", scopes_hold_for_answers_and_children },
	{ "a scope holds while a child is built", a_scope_holds_while_a_child_is_built },
};

TEST_LIST(session_tests, tests);
