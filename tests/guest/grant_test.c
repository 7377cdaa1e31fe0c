/*
 * Grants: who holds what, revocation of one grant with everything derived from it.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"
#include "rt/launch.h"

struct page {
	uint32_t start, slot;
};

/* Looks for the process in one page of holders and moves on. */
static uint64_t grant_in_page(uint32_t capability, uint32_t process_id, struct page *page)
{
	struct capability_manager_holders_params_builder params;
	struct capability_manager_holders_call call = capability_manager_holders_begin(
			world.authority, &params);
	uint64_t grant = 0;

	capability_manager_holders_params_set_capability(
			params, client_cap(&call.call, rt_ref(capability)));
	capability_manager_holders_params_set_start(params, page->start);
	capability_manager_holders_params_set_start_slot(params, page->slot);
	*page = (struct page){ 0 };
	capability_manager_holders_send(&call);
	if (capability_manager_holders_wait(&call) == STATUS_OK) {
		struct capability_manager_holders_results_reader in =
				capability_manager_holders_results(&call);
		struct capnp_list rows = capability_manager_holders_results_get_holders(in);

		for (uint32_t i = 0; i < rows.count; i++) {
			struct holder_reader row = holder_at(rows, i);

			if (holder_get_process_id(row) == process_id)
				grant = holder_get_grant(row);
		}
		page->start = capability_manager_holders_results_get_next(in);
		page->slot = capability_manager_holders_results_get_next_slot(in);
	}
	capability_manager_holders_done(&call);
	return grant;
}

/* The grant by which a process holds a capability; 0: it does not. */
static uint64_t grant_of(uint32_t capability, uint32_t process_id)
{
	struct page page = { 0 };
	uint64_t grant;

	do {
		grant = grant_in_page(capability, process_id, &page);
	} while (!grant && (page.start || page.slot));
	return grant;
}

static uint32_t id_of(struct process_handle_ref process)
{
	struct process_observer_info_params_builder params;
	struct process_observer_info_call call = process_observer_info_begin(
			process_handle_as_process_observer(process), &params);
	uint32_t id = 0;

	process_observer_info_send(&call);
	if (process_observer_info_wait(&call) == STATUS_OK)
		id = process_observer_info_results_get_process_id(
				process_observer_info_results(&call));
	process_observer_info_done(&call);
	return id;
}

/* Serves one call of an endpoint. */
static void serve_one(uint32_t endpoint)
{
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
}

/* Serves what is waiting once everybody has got as far as it can. */
static void serve_rest(uint32_t endpoint)
{
	sleep_ns(2000000);
	while (info_pending(endpoint) > 0) {
		serve_one(endpoint);
		sleep_ns(1000000);
	}
}

/* Serves calls until the process holds the capability. */
static void serve_until_held(
		uint32_t endpoint, uint32_t capability, struct process_handle_ref process)
{
	for (uint32_t i = 0; i < 100 && grant_of(capability, id_of(process)) == 0; i++) {
		sleep_ns(1000000);
		if (info_pending(endpoint) > 0)
			serve_one(endpoint);
	}
	CHECK(grant_of(capability, id_of(process)) != 0);
}

static uint32_t revoke_derived(uint32_t capability)
{
	uint32_t revoked = 0;

	CHECK_EQUAL(capability_manager_revoke_derived(
				    world.authority, rt_ref(capability), &revoked),
			STATUS_OK);
	return revoked;
}

static void a_revoked_grant_answers_so(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false), revoked = 0;
	struct child_spec spec = {
		.role = "calls", .arg = "0", .grants = { { "service", export } }
	};
	struct process_handle_ref child = child_start(&spec), other = child_start(&spec);
	uint64_t grant;

	serve_one(endpoint);
	serve_one(endpoint);
	grant = grant_of(export, id_of(child));
	REQUIRE(grant != 0);
	CHECK_EQUAL(capability_manager_revoke(world.authority, grant, &revoked), STATUS_OK);
	CHECK_EQUAL(revoked, 1);
	CHECK_EQUAL(grant_of(export, id_of(child)), 0);
	for (uint32_t i = 0; i < 4; i++) /* of the other */
		serve_one(endpoint);
	CHECK_EQUAL(child_finish(child).status, 100 + REASON_REVOKED);
	serve_one(endpoint);
	CHECK_EQUAL(capability_manager_revoke(world.authority, grant, NULL),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(capability_manager_revoke(world.authority, 0, NULL), STATUS_INVALID_ARGUMENT);
	CHECK(is_live(export));
	child_kill(other);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void revocation_reaches_what_was_passed_on(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t sink_endpoint = endpoint_new(), sink = export_new(sink_endpoint, 1, false);
	struct child_spec second = { .role = "receiver-of-one",
		.grants = { { "endpoint", sink_endpoint } } };
	struct child_spec first = { .role = "pass-on",
		.grants = { { "service", export }, { "sink", sink } } };
	struct process_handle_ref b = child_start(&second), a = child_start(&first);

	serve_until_held(endpoint, export, b);
	CHECK_EQUAL(revoke_derived(export), 2);
	CHECK_EQUAL(revoke_derived(export), 0);
	serve_rest(endpoint);
	CHECK_EQUAL(child_finish(a).status, 100 + REASON_REVOKED);
	CHECK_EQUAL(child_finish(b).status, 100 + REASON_REVOKED);
	CHECK(is_live(export));
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(sink), STATUS_OK);
	CHECK_EQUAL(release(sink_endpoint), STATUS_OK);
}

/* The one in the middle is gone; what it passed on still hangs below the first grant. */
static void revocation_passes_over_the_dead(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t sink_endpoint = endpoint_new(), sink = export_new(sink_endpoint, 1, false);
	struct child_spec second = { .role = "receiver-of-one",
		.grants = { { "endpoint", sink_endpoint } } };
	struct child_spec first = { .role = "pass-on",
		.grants = { { "service", export }, { "sink", sink } } };
	struct process_handle_ref b = child_start(&second), a = child_start(&first);

	serve_until_held(endpoint, export, b);
	child_kill(a);
	CHECK_EQUAL(revoke_derived(export), 1);
	serve_rest(endpoint);
	CHECK_EQUAL(child_finish(b).status, 100 + REASON_REVOKED);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(sink), STATUS_OK);
	CHECK_EQUAL(release(sink_endpoint), STATUS_OK);
}

/* Revoked between send and receive: the call fails and nothing of it moves. */
static void revocation_catches_what_is_under_way(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false),
		 gift = notification_new();
	struct child_spec spec = { .role = "send-and-hang",
		.grants = { { "service", export }, { "gift", gift } } };
	struct process_handle_ref child = child_start(&spec);

	while (info_pending(endpoint) == 0)
		(void)perform(entry_of(CAP_OP_YIELD, 0));
	CHECK_EQUAL(revoke_derived(gift), 1);
	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(child_finish(child).status, 1);
	CHECK(!is_done(Q0 + 1));
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	(void)finish(Q0 + 1);
	CHECK_EQUAL(release(gift), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static uint32_t info_receivers(uint32_t endpoint)
{
	uint32_t receivers = 0;
	struct endpoint_info_call call = endpoint_info_start((struct endpoint_ref){ rt_ref(endpoint) });

	if (endpoint_info_wait(&call) == STATUS_OK)
		receivers = endpoint_info_results_get_receivers(endpoint_info_results(&call));
	endpoint_info_done(&call);
	return receivers;
}

/* A receive that is armed, a call that waits, and one in service, each through what is revoked. */
static void revocation_ends_what_waits(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct child_spec serves = { .role = "receive", .grants = { { "endpoint", endpoint } } };
	struct child_spec calls = { .role = "calls", .arg = "1", .grants = { { "service", export } } };
	struct process_handle_ref child = child_start(&serves);

	while (info_receivers(endpoint) == 0)
		sleep_ns(1000000);
	CHECK_EQUAL(revoke_derived(endpoint), 1);
	CHECK_EQUAL(child_finish(child).status, 100 + REASON_REVOKED);
	CHECK_EQUAL(info_receivers(endpoint), 0);
	for (uint32_t in_service = 0; in_service < 2; in_service++) {
		struct ring_completion taken = { 0 };

		child = child_start(&calls);
		while (info_pending(endpoint) == 0)
			sleep_ns(1000000);
		if (in_service) {
			start(entry_recv(endpoint, Q0 + 1));
			taken = finish(Q0 + 1);
			start(entry_recv(endpoint, Q0 + 1));
		}
		CHECK_EQUAL(revoke_derived(export), 1);
		CHECK_EQUAL(child_finish(child).status, 100 + REASON_REVOKED);
		if (in_service) {
			CHECK_EQUAL(finish(Q0 + 1).id, taken.id);
			CHECK_EQUAL(seat_header(Q0 + 1)->kind, RECV_KIND_CANCELLED);
			CHECK_EQUAL(perform(entry_return(endpoint, taken.id)).status, STATUS_GONE);
		}
	}
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void revocation_is_an_end_that_can_be_waited_for(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct child_spec spec = {
		.role = "await-death", .arg = "1", .grants = { { "service", export } }
	};
	struct process_handle_ref child = child_start(&spec);
	struct child_end end;

	serve_one(endpoint);
	sleep_ns(2000000);
	CHECK_EQUAL(revoke_derived(export), 1);
	end = child_finish(child);
	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, 0);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static const struct launch_limit many_slots[] = { { RESOURCE_CLASS_SLOTS, 2000 } };

/* Sends 4 * calls copies of a capability to a role "echo", which keeps them. */
static void send_copies(uint32_t service, uint32_t capability, uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i++) {
		struct ring_entry entry = entry_call(service, Q0);

		for (uint32_t n = 0; n < MESSAGE_CAPS; n++)
			send_cap(&entry, TRANSFER_KIND_COPY, capability);
		CHECK_EQUAL(perform_sync(entry).status, STATUS_OK);
	}
}

/* Many more than are marked in one step; the answer comes when all are. */
static void a_large_tree_is_revoked_as_a_whole(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t gift = notification_new();
	struct child_spec spec = { .role = "echo",
		.limits = many_slots,
		.limit_count = 1,
		.grants = { { "endpoint", endpoint } } };
	struct process_handle_ref child = child_start(&spec);

	send_copies(export, gift, 200);
	CHECK(grant_of(gift, id_of(child)) != 0);
	CHECK_EQUAL(revoke_derived(gift), 200 * MESSAGE_CAPS);
	CHECK_EQUAL(grant_of(gift, id_of(child)), 0);
	CHECK(is_live(gift));
	kernel_check();
	child_kill(child);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(gift), STATUS_OK);
}

#define AT_ONCE 20u /* more than may wait */
#define LARGE   80u /* calls with copies, so that a revocation takes several steps */

static struct ring_operation at_once[AT_ONCE];

/* Asks for the revocation of what was derived from each capability, all in one batch. */
static void revoke_at_once(const uint32_t *capabilities, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ring_entry call = { .op = CAP_OP_CALL,
			.target = rt_id(world.authority.ref),
			.interface = CAPABILITY_MANAGER_INTERFACE_ID,
			.method = CAPABILITY_MANAGER_METHOD_REVOKE_DERIVED,
			.question = (uint16_t)(20 + i) };
		struct ring_entry *place;

		/* A struct whose only pointer is capability 0; the answer has room in the arena. */
		message()[2 * i] = 1ull << 48;
		message()[2 * i + 1] = 3;
		call.msg_off = world.message_off + 2 * i;
		call.msg_words = 2;
		call.reply_off = world.message_off + 2 * AT_ONCE + 8 * i;
		call.reply_words = 8;
		descriptors()[i] = (struct cap_descriptor){ .kind = TRANSFER_KIND_COPY, .id = capabilities[i] };
		call.caps_off = world.caps_off + 2 * i;
		call.cap_count = 1;
		place = ring_entry(ring_self(), CAP_OP_CALL, &at_once[i]);
		call.user_data = place->user_data;
		*place = call;
		ring_push(ring_self());
	}
}

static void revocations_wait_for_each_other(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct child_spec spec = { .role = "echo",
		.limits = many_slots,
		.limit_count = 1,
		.grants = { { "endpoint", endpoint } } };
	struct process_handle_ref child = child_start(&spec);
	uint32_t gifts[AT_ONCE], done = 0, refused = 0;

	for (uint32_t i = 0; i < AT_ONCE; i++) {
		gifts[i] = notification_new();
		send_copies(export, gifts[i], i == 0 ? LARGE : 1);
	}
	revoke_at_once(gifts, AT_ONCE);
	ring_submit(ring_self());
	for (uint32_t i = 0; i < AT_ONCE; i++) {
		struct ring_completion *completion = &at_once[i].completion;

		ring_wait(ring_self(), &at_once[i]);
		if (completion->status == STATUS_OK) {
			done++;
			CHECK_EQUAL(message()[2 * AT_ONCE + 8 * i + 1],
					(i == 0 ? LARGE : 1) * MESSAGE_CAPS);
			CHECK_EQUAL(grant_of(gifts[i], id_of(child)), 0);
		} else {
			refused++;
			CHECK_EQUAL(completion->status, STATUS_OVERLOADED);
			CHECK_EQUAL(reason_of(completion->detail), REASON_QUEUE_FULL);
			CHECK(grant_of(gifts[i], id_of(child)) != 0);
		}
	}
	/* Where there is another processor it may have ended some before the next was submitted. */
	CHECK(done + refused == AT_ONCE && (world.processors > 1 ? done >= 16 : done == 16));
	child_kill(child);
	for (uint32_t i = 0; i < AT_ONCE; i++)
		CHECK_EQUAL(release(gifts[i]), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Two are sent and cancelled in one batch: the first is under way by then and is finished, the other never begins; unless
 * another processor comes in between two entries and goes on with them. */
static void a_cancelled_revocation_is_whole_or_nothing(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t gifts[2] = { notification_new(), notification_new() };
	struct child_spec spec = { .role = "echo",
		.limits = many_slots,
		.limit_count = 1,
		.grants = { { "endpoint", endpoint } } };
	struct process_handle_ref child = child_start(&spec);
	struct ring_operation cancelled[2];
	uint64_t left;

	send_copies(export, gifts[0], LARGE);
	send_copies(export, gifts[1], 1);
	revoke_at_once(gifts, 2);
	for (uint16_t i = 0; i < 2; i++) {
		ring_entry(ring_self(), CAP_OP_CANCEL, &cancelled[i])->question = (uint16_t)(20 + i);
		ring_push(ring_self());
	}
	ring_submit(ring_self());
	for (uint32_t i = 0; i < 2; i++) {
		ring_wait(ring_self(), &at_once[i]);
		ring_wait(ring_self(), &cancelled[i]);
		CHECK(at_once[i].completion.status == STATUS_CANCELLED ||
				(world.processors > 1 && at_once[i].completion.status == STATUS_OK));
	}
	left = revoke_derived(gifts[1]); /* waits for the first to be finished */
	CHECK(left == MESSAGE_CAPS || (world.processors > 1 && left == 0));
	CHECK_EQUAL(grant_of(gifts[0], id_of(child)), 0);
	CHECK_EQUAL(revoke_derived(gifts[0]), 0);
	child_kill(child);
	for (uint32_t i = 0; i < 2; i++)
		CHECK_EQUAL(release(gifts[i]), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static const struct test tests[] = {
	{ "a revoked grant answers so", a_revoked_grant_answers_so },
	{ "revocation reaches what was passed on", revocation_reaches_what_was_passed_on },
	{ "revocation passes over the dead", revocation_passes_over_the_dead },
	{ "a large tree is revoked as a whole", a_large_tree_is_revoked_as_a_whole },
	{ "revocations wait for each other", revocations_wait_for_each_other },
	{ "a cancelled revocation is whole or nothing",
			a_cancelled_revocation_is_whole_or_nothing },
	{ "revocation catches what is under way", revocation_catches_what_is_under_way },
	{ "revocation ends what waits", revocation_ends_what_waits },
	{ "revocation is an end that can be waited for",
			revocation_is_an_end_that_can_be_waited_for },
};

TEST_LIST(grant_tests, tests);
