/*
 * Ends at every point of a call: the server's, the client's, by exit, crash and kill.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"
#include "rt/ring.h"

static uint32_t endpoint, export;

static bool fixture_open(void)
{
	endpoint = endpoint_new();
	export = export_new(endpoint, 1, false);
	return export != 0;
}

static void fixture_close(void)
{
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static struct process_handle_ref client(const char *role, const char *arg)
{
	struct child_spec spec = { .role = role, .arg = arg, .grants = { { "service", export } } };

	return child_start(&spec);
}

static struct process_handle_ref server(const char *role, const char *arg)
{
	struct child_spec spec = {
		.role = role, .arg = arg, .grants = { { "endpoint", endpoint } }
	};

	return child_start(&spec);
}

static void await_pending(uint32_t count)
{
	for (uint32_t i = 0; i < 1000 && info_pending(endpoint) != count; i++)
		sleep_ns(100000);
	CHECK_EQUAL(info_pending(endpoint), count);
}

static void a_client_dies_while_its_call_is_queued(void)
{
	struct process_handle_ref child;

	REQUIRE(fixture_open());
	child = client("calls", "1");
	await_pending(1);
	child_kill(child);
	CHECK_EQUAL(info_pending(endpoint), 0);
	fixture_close();
}

static void a_client_dies_while_its_call_is_served(void)
{
	struct process_handle_ref child;
	uint32_t id;

	REQUIRE(fixture_open());
	start(entry_recv(endpoint, Q0));
	child = client("calls", "1");
	id = finish(Q0).id;
	start(entry_recv(endpoint, Q0));
	child_kill(child);
	CHECK_EQUAL(finish(Q0).id, id);
	CHECK_EQUAL(seat_header(Q0)->kind, RECV_KIND_CANCELLED);
	CHECK_EQUAL(info_in_service(endpoint), 1);
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_GONE);
	CHECK_EQUAL(info_in_service(endpoint), 0);
	fixture_close();
}

static void a_client_dies_with_a_capability_on_its_way(void)
{
	uint32_t gift = notification_new();
	struct process_handle_ref child;
	struct child_spec spec = { .role = "send-and-hang" };

	REQUIRE(fixture_open());
	spec.grants[0] = (struct grant){ "service", export };
	spec.grants[1] = (struct grant){ "gift", gift };
	child = child_start(&spec);
	await_pending(1);
	child_kill(child);
	CHECK_EQUAL(info_pending(endpoint), 0);
	CHECK_EQUAL(release(gift), STATUS_OK);
	fixture_close();
}

static void a_server_dies_with_calls_in_service(void)
{
	struct process_handle_ref child;
	struct ring_completion ended;

	REQUIRE(fixture_open());
	child = server("take-and-end", "2");
	start(entry_call(export, Q0));
	start(entry_call(export, Q0 + 1));
	start(entry_call(export, Q0 + 2));
	for (uint16_t i = 0; i < 2; i++) {
		ended = finish((uint16_t)(Q0 + i));
		CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
		CHECK_EQUAL(reason_of(ended.detail), REASON_DIED);
	}
	CHECK_EQUAL(child_finish(child).status, 0);
	CHECK(!is_done(Q0 + 2)); /* not received: it waits for the next server */
	child = server("take-and-end", "1");
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(child_finish(child).status, 0);
	fixture_close();
}

/* It gave the receive side back before it died: its calls are as dead as it is. */
static void a_server_dies_without_its_endpoint(void)
{
	struct process_handle_ref child;
	struct ring_completion ended;

	REQUIRE(fixture_open());
	child = server("take-let-go-and-end", "1");
	start(entry_call(export, Q0));
	ended = finish(Q0);
	CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(ended.detail), REASON_DIED);
	CHECK_EQUAL(child_finish(child).status, 0);
	if (ended.status == TIMED_OUT)
		(void)!endpoint_reset((struct endpoint_ref){ rt_ref(endpoint) }, NULL);
	CHECK_EQUAL(info_in_service(endpoint), 0);
	fixture_close();
}

/* Two processes serve; the one that took every service slot dies; the other goes on at once. */
static void another_server_goes_on(void)
{
	struct process_handle_ref taker, echo;

	REQUIRE(fixture_open());
	taker = server("take-and-hang", NULL);
	for (uint16_t i = 0; i < SERVICE_CALLS; i++)
		start(entry_call(export, (uint16_t)(Q0 + i)));
	for (uint32_t i = 0; i < 1000 && info_in_service(endpoint) != SERVICE_CALLS; i++)
		sleep_ns(100000);
	CHECK_EQUAL(info_in_service(endpoint), SERVICE_CALLS);
	start(entry_call(export, Q0 + 6));
	echo = server("echo", NULL);
	sleep_ns(2000000);
	CHECK(!is_done(Q0 + 6));
	child_kill(taker);
	for (uint16_t i = 0; i < SERVICE_CALLS; i++)
		CHECK_EQUAL(finish((uint16_t)(Q0 + i)).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(finish(Q0 + 6).status, STATUS_OK);
	child_kill(echo);
	fixture_close();
}

static void a_server_dies_while_it_receives(void)
{
	struct process_handle_ref child;
	struct ring_entry entry;
	struct ring_completion refused;
	uint32_t receivers = 0;

	REQUIRE(fixture_open());
	child = server("arm-and-hang", NULL);
	for (uint32_t i = 0; i < 1000 && receivers != 3; i++) {
		sleep_ns(100000);
		(void)!endpoint_info((struct endpoint_ref){ rt_ref(endpoint) }, NULL, NULL, NULL,
				NULL, &receivers);
	}
	CHECK_EQUAL(receivers, 3);
	child_kill(child);
	(void)!endpoint_info((struct endpoint_ref){ rt_ref(endpoint) }, NULL, NULL, NULL, NULL,
			&receivers);
	CHECK_EQUAL(receivers, 0);
	entry = entry_call(export, Q0);
	entry.flags = ENTRY_FAIL_FAST;
	refused = perform(entry);
	CHECK_EQUAL(refused.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(refused.detail), REASON_NO_RECEIVER);
	fixture_close();
}

static void a_call_that_does_not_wait_fails_with_its_server(void)
{
	struct process_handle_ref child;
	struct ring_entry entry;
	struct ring_completion ended;

	REQUIRE(fixture_open());
	child = server("take-and-end", "1");
	for (uint32_t i = 0; i < 100;
			i++) { /* until it has received once: then it counts as running */
		uint32_t receivers = 0;

		(void)!endpoint_info((struct endpoint_ref){ rt_ref(endpoint) }, NULL, NULL, NULL,
				NULL, &receivers);
		if (receivers)
			break;
		sleep_ns(1000000);
	}
	start(entry_call(export, Q0));
	entry = entry_call(export, Q0 + 1);
	entry.flags = ENTRY_FAIL_FAST;
	start(entry);
	(void)finish(Q0);
	ended = finish(Q0 + 1);
	CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
	CHECK_EQUAL(reason_of(ended.detail), REASON_NO_RECEIVER);
	(void)child_finish(child);
	fixture_close();
}

static void a_circle_of_synchronous_calls_is_refused(void)
{
	struct process_handle_ref child;
	struct child_spec spec = { .role = "call-back" };
	uint32_t own = endpoint_new(), back = export_new(own, 9, false);

	REQUIRE(fixture_open());
	start(entry_recv(own, Q0 + 1)); /* so that this process counts as the server of `own` */
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	(void)finish(Q0 + 1);
	spec.grants[0] = (struct grant){ "endpoint", endpoint };
	spec.grants[1] = (struct grant){ "service", back };
	child = child_start(&spec);
	CHECK_EQUAL(perform_sync(entry_call(export, Q0)).status, STATUS_OK);
	CHECK_EQUAL(child_finish(child).status, 0);
	CHECK_EQUAL(release(back), STATUS_OK);
	CHECK_EQUAL(release(own), STATUS_OK);
	fixture_close();
}

static void the_end_of_a_service_is_seen_by_its_holder(void)
{
	struct process_handle_ref child;

	REQUIRE(fixture_open());
	child = client("await-death", NULL);
	sleep_ns(3000000);
	CHECK_EQUAL(endpoint_close((struct endpoint_ref){ rt_ref(endpoint) }), STATUS_OK);
	CHECK_EQUAL(child_finish(child).status, 0);
	fixture_close();
}

/* What the end of a process brings about is told to those who live, not to its own receive. */
static void the_dead_are_told_nothing(void)
{
	uint32_t shared = endpoint_new(), other = endpoint_new(), held = export_new(shared, 7, false);
	uint32_t silent = export_new(other, 1, false);
	struct child_spec spec = { .role = "hold-by-a-call-and-end",
		.grants = { { "endpoint", shared }, { "export", held }, { "other", silent } } };
	struct process_handle_ref child = child_start(&spec);

	CHECK_EQUAL(release(held), STATUS_OK);
	CHECK_EQUAL(child_finish(child).status, 0);
	start(entry_recv(shared, Q0 + 1));
	REQUIRE_OK(finish(Q0 + 1).status);
	CHECK_EQUAL(seat_header(Q0 + 1)->kind, RECV_KIND_NO_HOLDERS);
	CHECK_EQUAL(seat_header(Q0 + 1)->tag, 7);
	CHECK_EQUAL(release(silent), STATUS_OK);
	CHECK_EQUAL(release(other), STATUS_OK);
	CHECK_EQUAL(release(shared), STATUS_OK);
}

static const struct test tests[] = {
	{ "a client dies while its call is queued", a_client_dies_while_its_call_is_queued },
	{ "a client dies while its call is served", a_client_dies_while_its_call_is_served },
	{ "a client dies with a capability on its way",
			a_client_dies_with_a_capability_on_its_way },
	{ "a server dies with calls in service", a_server_dies_with_calls_in_service },
	{ "a server dies without its endpoint", a_server_dies_without_its_endpoint },
	{ "another server goes on", another_server_goes_on },
	{ "the dead are told nothing", the_dead_are_told_nothing },
	{ "a server dies while it receives", a_server_dies_while_it_receives },
	{ "a call that does not wait fails with its server",
			a_call_that_does_not_wait_fails_with_its_server },
	{ "a circle of synchronous calls is refused", a_circle_of_synchronous_calls_is_refused },
	{ "the end of a service is seen by its holder",
			the_end_of_a_service_is_seen_by_its_holder },
};

TEST_LIST(death_tests, tests);
