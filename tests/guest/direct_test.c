/*
 * What the direct way believes and what it leaves: an entry that is the same as its question's last one although the
 * capability is another, a question that was aimed elsewhere, quiet entries that wake somebody, and calls that were held.
 * That both ways have the same outcomes is in entry_test.c.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"

/* Copies `source` and lets the copies go until one has the id. */
static bool come_back(uint32_t source, uint32_t id)
{
	for (uint32_t rounds = 0; rounds < 1000000; rounds++) {
		struct ring_completion copied = perform_sync(entry_of(CAP_OP_COPY, source));

		if (copied.status != STATUS_OK || copied.id == id)
			return copied.id == id;
		if (perform_sync(entry_of(CAP_OP_RELEASE, copied.id)).status != STATUS_OK)
			return false;
	}
	return false;
}

/* A call without room for capabilities, with a root of nothing. */
static struct ring_entry plain_call(uint32_t target, uint64_t interface, uint16_t method, uint16_t question)
{
	struct ring_entry entry = entry_call(target, question);

	message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
	entry.interface = interface;
	entry.method = method;
	entry.msg_off = world.message_off;
	entry.msg_words = 1;
	entry.reply_caps = 0;
	return entry;
}

static const struct capnp_interface wide = {
	.id = NOTIFICATION_INTERFACE_ID, .method_count = 8, .name = "Wide"
};

/* An export of one's own with the interface of a kernel object makes an entry look right; then a narrower capability to
 * such an object comes to stand under the same id. */
static void an_id_that_comes_back_is_no_wider(void)
{
	uint32_t endpoint = endpoint_new(), mine = export_of(endpoint, 1, &wide);
	uint32_t notification = notification_new();
	uint32_t narrow = narrow_of(notification, SIGNAL_INTERFACE_ID);
	struct ring_entry call = plain_call(mine, NOTIFICATION_INTERFACE_ID, 0, Q0);

	start(entry_recv(endpoint, Q0 + 1));
	CHECK_EQUAL(perform_sync(call).status, STATUS_WOULD_DEADLOCK);
	CHECK_EQUAL(release(mine), STATUS_OK);
	CHECK(come_back(narrow, mine));
	message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
	CHECK_EQUAL(perform_sync(call).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(release(mine), STATUS_OK);
	CHECK_EQUAL(release(narrow), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK); /* nobody holds the export */
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void an_id_that_comes_back_has_its_own_type(void)
{
	uint32_t notification = notification_new(), copy = copy_of(notification);
	struct ring_entry wait = {
		.op = CAP_OP_WAIT, .target = copy, .interface = 1, .question = Q0 + 3
	};
	const struct ring_entry signal = { .op = CAP_OP_SIGNAL, .target = copy, .interface = 1 };

	for (uint32_t i = 0; i < 2; i++) {
		CHECK_EQUAL(perform(signal).status, STATUS_OK);
		CHECK_EQUAL(perform_sync(wait).detail, 1);
	}
	CHECK_EQUAL(release(copy), STATUS_OK);
	CHECK(come_back(rt_id(world.self.ref), copy));
	wait.interface = UINT64_MAX;
	CHECK_EQUAL(perform_sync(wait).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(release(copy), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

/* A pipelined call that is refused leaves its question with another target. */
static void a_question_that_was_aimed_elsewhere_is_checked(void)
{
	uint32_t timer = copy_of(rt_id(world.timer.ref)), other;
	struct ring_entry call = plain_call(timer, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, Q0 + 3);
	struct ring_entry make = plain_call(rt_id(world.factory.ref), OBJECT_FACTORY_INTERFACE_ID,
			OBJECT_FACTORY_METHOD_NOTIFICATION, Q0 + 4);
	struct ring_entry aimed = plain_call(Q0 + 4, NOTIFICATION_INTERFACE_ID, 0, Q0 + 3);

	make.flags = ENTRY_KEEP;
	make.reply_caps = 1;
	CHECK_EQUAL(perform(make).status, STATUS_OK);
	other = received_cap(Q0 + 4);
	for (uint32_t i = 0; i < 2; i++)
		CHECK_EQUAL(perform_sync(call).status, STATUS_OK);
	aimed.flags = ENTRY_PIPELINED;
	aimed.path_len = 1;
	aimed.msg_words = 300;
	CHECK_EQUAL(perform(aimed).status, STATUS_TOO_LARGE);
	message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
	call.target = other;
	CHECK_EQUAL(perform_sync(call).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(finish_answer(Q0 + 4), STATUS_OK);
	CHECK_EQUAL(release(other), STATUS_OK);
	CHECK_EQUAL(release(timer), STATUS_OK);
}

/* A quiet signal wakes who sleeps for it, and the call behind it goes directly to its server: both get their turn. */
static void a_quiet_signal_before_a_call_wakes_somebody(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, true);
	uint32_t notification = notification_new();
	struct process_handle_ref server = child_start(&(struct child_spec){
			.role = "echo", .grants = { { "endpoint", endpoint } } });
	struct process_handle_ref waiter = child_start(&(struct child_spec){
			.role = "wait-twice", .grants = { { "notification", notification } } });
	struct ring_entry *signal;

	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQUAL(perform_sync(plain_call(export, TEST_INTERFACE, 0, Q0)).status, STATUS_OK);
	for (uint32_t i = 0; i < 2; i++) {
		sleep_ns(20000000);
		signal = ring_entry(ring_self(), CAP_OP_SIGNAL, NULL);
		signal->flags = ENTRY_QUIET;
		signal->target = notification;
		signal->interface = 1;
		ring_push(ring_self());
		CHECK_EQUAL(perform_sync(plain_call(export, TEST_INTERFACE, 0, Q0)).status, STATUS_OK);
	}
	CHECK_EQUAL(child_finish(waiter).status, 0);
	child_kill(server);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
	kernel_check();
}

static const struct test tests[] = {
	{ "an id that comes back is no wider", an_id_that_comes_back_is_no_wider },
	{ "an id that comes back has its own type", an_id_that_comes_back_has_its_own_type },
	{ "a question that was aimed elsewhere is checked",
			a_question_that_was_aimed_elsewhere_is_checked },
	{ "a quiet signal before a call wakes somebody",
			a_quiet_signal_before_a_call_wakes_somebody },
};

TEST_LIST(direct_tests, tests);
