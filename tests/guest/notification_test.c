/*
 * Notifications: waits that complete again and again, waits for any of several, and bindings:
 * bits that the end of an object or a point of time sets.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"

#define MILLISECOND 1000000ull
#define FLOOD       200u /* signals: more than a completion queue has room for */

static struct signal_ref signal_of(uint32_t notification)
{
	return (struct signal_ref){ rt_ref(notification) };
}

static status_t signal_bits(uint32_t notification, uint64_t bits)
{
	struct ring_entry entry = entry_of(CAP_OP_SIGNAL, notification);

	entry.interface = bits;
	return perform_sync(entry).status;
}

/* What is set now. */
static uint64_t take(uint32_t notification)
{
	uint64_t bits = 0;

	(void)!notification_take((struct notification_ref){ rt_ref(notification) }, &bits);
	return bits;
}

static struct ring_entry entry_wait(uint32_t notification, uint64_t mask, uint8_t flags, uint16_t question)
{
	struct ring_entry entry = entry_of(CAP_OP_WAIT, notification);

	entry.interface = mask;
	entry.flags = flags;
	entry.question = question;
	return entry;
}

/* --- Multishot -------------------------------------------------------------------------------- */

static struct ring_operation shots;

static void start_shots(uint32_t notification, uint64_t mask)
{
	struct ring_entry *place = ring_entry(ring_self(), CAP_OP_WAIT, &shots), entry = *place;

	entry.target = notification;
	entry.interface = mask;
	entry.flags = ENTRY_MULTISHOT;
	entry.question = Q0;
	*place = entry;
	ring_push(ring_self());
	ring_submit(ring_self());
}

/* The next completion of the wait; with status TIMED_OUT if there is none now. */
static struct ring_completion next_shot(void)
{
	ring_submit(ring_self());
	ring_reap(ring_self());
	if (!shots.done)
		return (struct ring_completion){ .status = TIMED_OUT };
	shots.done = false;
	return shots.completion;
}

static void check_shot(uint64_t bits)
{
	struct ring_completion shot = next_shot();

	CHECK_EQUAL(shot.status, STATUS_OK);
	CHECK_EQUAL(shot.detail, bits);
	CHECK_EQUAL(shot.flags, COMPLETION_MORE);
	CHECK_EQUAL(shot.id, Q0);
}

static void a_multishot_wait_goes_on_until_cancelled(void)
{
	uint32_t notification = notification_new();
	struct ring_completion last;

	CHECK_EQUAL(signal_bits(notification, 2), STATUS_OK);
	start_shots(notification, 6);
	check_shot(2); /* what was set before */
	CHECK_EQUAL(next_shot().status, TIMED_OUT);
	CHECK_EQUAL(signal_bits(notification, 9), STATUS_OK);
	CHECK_EQUAL(next_shot().status, TIMED_OUT); /* bits of nobody's */
	for (uint32_t i = 0; i < 300; i++) { /* more often than the queue is long */
		CHECK_EQUAL(signal_bits(notification, 7), STATUS_OK);
		check_shot(6);
	}
	CHECK_EQUAL(take(notification), 9);
	CHECK_EQUAL(perform(entry_wait(notification, 1, 0, Q0)).status, STATUS_QUESTION_BUSY);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	last = next_shot();
	CHECK_EQUAL(last.status, STATUS_CANCELLED);
	CHECK_EQUAL(last.flags, 0);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_GONE);
	CHECK_EQUAL(signal_bits(notification, 2), STATUS_OK);
	CHECK_EQUAL(next_shot().status, TIMED_OUT);
	CHECK_EQUAL(perform(entry_wait(notification, 2, 0, Q0)).detail, 2);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

/* Reads the queue without ring_reap, which keeps only the last of several. */
static uint32_t read_shots(uint64_t *bits, bool *ended)
{
	struct ring *ring = ring_self();
	uint32_t tail = LOAD_ACQUIRE(&ring->header->cq_tail), count = 0;

	for (uint32_t at = ring->cq_head; at != tail; at++) {
		const struct ring_completion *shot = &ring->completions[at & ring->cq_mask];

		CHECK_EQUAL(shot->user_data, (uint64_t)(uintptr_t)&shots);
		CHECK_EQUAL(shot->status, STATUS_OK);
		CHECK(!*ended);
		*ended = shot->flags == 0;
		*bits |= shot->detail;
		count++;
	}
	ring_reap(ring);
	return count;
}

/* Signals are SYNC here, which need no room for completions. */
static void a_multishot_wait_without_room_ends_and_loses_nothing(void)
{
	uint32_t notification = notification_new(), room = ring_self()->header->cq_entries;
	uint64_t bits = 0;
	bool ended = false;

	start_shots(notification, UINT64_MAX);
	for (uint32_t i = 0; i < FLOOD; i++)
		CHECK_EQUAL(signal_bits(notification, 1ull << (i % 64)), STATUS_OK);
	CHECK_EQUAL(read_shots(&bits, &ended), room);
	CHECK(ended);
	CHECK_EQUAL(bits, UINT64_MAX);
	bits = 0;
	for (uint32_t i = room; i < FLOOD; i++) /* what came later waits in the notification */
		bits |= 1ull << (i % 64);
	CHECK_EQUAL(take(notification), bits);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_GONE);
	start_shots(notification, 1);
	CHECK_EQUAL(signal_bits(notification, 1), STATUS_OK);
	check_shot(1);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(next_shot().status, STATUS_CANCELLED);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void two_multishot_waits_take_turns(void)
{
	uint32_t notification = notification_new();
	struct ring_operation operations[2] = { 0 };

	for (uint16_t i = 0; i < 2; i++) {
		struct ring_entry *place = ring_entry(ring_self(), CAP_OP_WAIT, &operations[i]);

		place->target = notification;
		place->interface = 1;
		place->flags = ENTRY_MULTISHOT;
		place->question = (uint16_t)(Q0 + i);
		ring_push(ring_self());
	}
	ring_submit(ring_self());
	for (uint32_t i = 0; i < 6; i++) {
		CHECK_EQUAL(signal_bits(notification, 1), STATUS_OK);
		ring_reap(ring_self());
		CHECK_EQUAL(operations[i % 2].done, true);
		CHECK_EQUAL(operations[(i + 1) % 2].done, false);
		operations[i % 2].done = false;
	}
	for (uint16_t i = 0; i < 2; i++)
		CHECK_EQUAL(perform(entry_cancel((uint16_t)(Q0 + i))).status, STATUS_OK);
	ring_reap(ring_self());
	CHECK(operations[0].done && operations[1].done);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void a_multishot_wait_is_neither_synchronous_nor_for_an_end(void)
{
	uint32_t notification = notification_new(), endpoint = endpoint_new();

	CHECK_EQUAL(perform_sync(entry_wait(notification, 1, ENTRY_MULTISHOT, Q0)).status, STATUS_BAD_ENTRY);
	CHECK_EQUAL(perform(entry_wait(endpoint, 0, ENTRY_MULTISHOT | ENTRY_DEATH, Q0)).status,
			STATUS_BAD_ENTRY);
	CHECK_EQUAL(perform(entry_wait(endpoint, 1, ENTRY_MULTISHOT, Q0)).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(perform(entry_wait(endpoint, 0, ENTRY_DEATH, Q0 + SEATS + 40)).status, STATUS_BAD_ENTRY);
	CHECK_EQUAL(release(notification), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* The child's wait ends disconnected, and what it was told before is counted. */
static void revocation_ends_a_multishot_wait(void)
{
	uint32_t notification = notification_new(), done = notification_new(), revoked = 0;
	struct child_spec spec = { .role = "multishot",
		.grants = { { "notification", notification }, { "done", done } } };
	struct process_handle_ref child = child_start(&spec);

	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQUAL(signal_bits(notification, 1), STATUS_OK);
		CHECK_EQUAL(perform_sync(entry_wait(done, 1, 0, Q0)).status, STATUS_OK);
	}
	CHECK_EQUAL(capability_manager_revoke_derived(world.authority, rt_ref(notification), &revoked),
			STATUS_OK);
	CHECK_EQUAL(revoked, 1);
	CHECK_EQUAL(child_finish(child).status, 103);
	CHECK_EQUAL(signal_bits(notification, 1), STATUS_OK);
	CHECK_EQUAL(take(notification), 1);
	CHECK_EQUAL(release(notification), STATUS_OK);
	CHECK_EQUAL(release(done), STATUS_OK);
}

static void the_end_of_a_process_ends_its_multishot_wait(void)
{
	uint32_t notification = notification_new(), done = notification_new();
	struct child_spec spec = { .role = "multishot",
		.grants = { { "notification", notification }, { "done", done } } };
	struct process_handle_ref child = child_start(&spec);

	CHECK_EQUAL(signal_bits(notification, 1), STATUS_OK);
	CHECK_EQUAL(perform_sync(entry_wait(done, 1, 0, Q0)).status, STATUS_OK);
	child_kill(child);
	CHECK_EQUAL(signal_bits(notification, 1), STATUS_OK);
	CHECK_EQUAL(take(notification), 1);
	CHECK_EQUAL(release(notification), STATUS_OK);
	CHECK_EQUAL(release(done), STATUS_OK);
}

/* --- Any of several --------------------------------------------------------------------------- */

static void one_of_several_waits_is_enough(void)
{
	uint32_t notifications[3];
	struct binding_ref binding;
	uint64_t now = now_ns();

	for (uint16_t i = 0; i < 3; i++) {
		notifications[i] = notification_new();
		start(entry_wait(notifications[i], 1, 0, (uint16_t)(Q0 + i)));
	}
	REQUIRE_OK(signal_bind_timer(signal_of(notifications[1]), 1, world.timer, now + 2 * MILLISECOND, 0, &binding));
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK); /* sleeps with min_complete 1 */
	CHECK(now_ns() >= now + 2 * MILLISECOND);
	CHECK(!is_done(Q0) && !is_done(Q0 + 2));
	client_release(binding.ref);
	for (uint16_t i = 0; i < 3; i += 2) {
		CHECK_EQUAL(perform(entry_cancel((uint16_t)(Q0 + i))).status, STATUS_OK);
		(void)finish((uint16_t)(Q0 + i));
	}
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQUAL(release(notifications[i]), STATUS_OK);
}

/* --- Bindings --------------------------------------------------------------------------------- */

static uint64_t fired_of(struct binding_ref binding, bool *active)
{
	uint64_t fired = UINT64_MAX;

	CHECK_EQUAL(binding_info(binding, active, &fired), STATUS_OK);
	return fired;
}

static void check_binding(struct binding_ref binding, bool active, uint64_t fired)
{
	bool is_active = !active;

	CHECK_EQUAL(fired_of(binding, &is_active), fired);
	CHECK_EQUAL(is_active, active);
}

static void bits_can_be_bound_to_ends(void)
{
	uint32_t notification = notification_new(), endpoint = endpoint_new(),
		 export = export_new(endpoint, 1, false);
	struct process_handle_ref child = child_start(&(struct child_spec){ .role = "end" });
	struct binding_ref bindings[4];

	REQUIRE_OK(signal_bind_end(signal_of(notification), 1, child.ref, &bindings[0]));
	REQUIRE_OK(signal_bind_end(signal_of(notification), 2, rt_ref(endpoint), &bindings[1]));
	REQUIRE_OK(signal_bind_end(signal_of(notification), 4, rt_ref(export), &bindings[2]));
	REQUIRE_OK(signal_bind_end(signal_of(notification), 4, rt_ref(export), &bindings[3]));
	CHECK_EQUAL(perform_sync(entry_wait(notification, UINT64_MAX, 0, Q0)).detail, 1);
	check_binding(bindings[0], false, 1);
	check_binding(bindings[1], true, 0);
	client_release(bindings[3].ref);
	CHECK_EQUAL(endpoint_close((struct endpoint_ref){ rt_ref(endpoint) }), STATUS_OK);
	CHECK_EQUAL(take(notification), 6);
	for (uint32_t i = 0; i < 3; i++) {
		check_binding(bindings[i], false, 1);
		client_release(bindings[i].ref);
	}
	/* What has ended already sets its bits at once. */
	REQUIRE_OK(signal_bind_end(signal_of(notification), 8, child.ref, &bindings[0]));
	REQUIRE_OK(signal_bind_end(signal_of(notification), 16, rt_ref(export), &bindings[1]));
	check_binding(bindings[0], false, 1);
	CHECK_EQUAL(take(notification), 24);
	for (uint32_t i = 0; i < 2; i++)
		client_release(bindings[i].ref);
	(void)child_finish(child);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void bits_can_be_bound_to_times(void)
{
	uint32_t notification = notification_new();
	struct binding_ref once, again, past;
	uint64_t started = now_ns(), fired;
	bool active;

	REQUIRE_OK(signal_bind_timer(signal_of(notification), 1, world.timer, started + 100 * MILLISECOND, 0, &once));
	REQUIRE_OK(signal_bind_timer(signal_of(notification), 2, world.timer, 1, 0, &past));
	CHECK_EQUAL(take(notification), 2);
	check_binding(once, true, 0);
	check_binding(past, false, 1);
	CHECK_EQUAL(perform_sync(entry_wait(notification, UINT64_MAX, 0, Q0)).detail, 1);
	CHECK(now_ns() >= started + 100 * MILLISECOND);
	check_binding(once, false, 1);
	started = now_ns();
	REQUIRE_OK(signal_bind_timer(signal_of(notification), 4, world.timer, started + MILLISECOND, MILLISECOND,
			&again));
	for (uint32_t i = 1; i <= 4; i++)
		CHECK_EQUAL(perform_sync(entry_wait(notification, UINT64_MAX, 0, Q0)).detail, 4);
	CHECK(now_ns() >= started + 4 * MILLISECOND);
	fired = fired_of(again, &active);
	CHECK(active && fired >= 4);
	client_release(again.ref);
	(void)perform(entry_of(CAP_OP_NOP, 0));
	(void)take(notification);
	sleep_ns(3 * MILLISECOND);
	CHECK_EQUAL(take(notification), 0);
	client_release(once.ref);
	client_release(past.ref);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void bindings_that_make_no_sense_are_refused(void)
{
	uint32_t notification = notification_new(), endpoint = endpoint_new();
	struct signal_ref signal = signal_of(notification);
	struct binding_ref binding;

	CHECK_EQUAL(signal_bind_end(signal, 0, rt_ref(endpoint), &binding), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(signal_bind_end(signal, 1, rt_ref(notification), &binding), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_WRONG_TYPE);
	CHECK_EQUAL(signal_bind_end(signal, 1, rt_ref(0), &binding), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(signal_bind_timer(signal, 1, (struct timer_ref){ rt_ref(endpoint) }, 1, 0, &binding),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(signal_bind_timer(signal, 1, world.timer, 1, 999999, &binding), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_ARGUMENT);
	CHECK_EQUAL(signal_bind_interrupt(signal, 1, (struct interrupt_ref){ rt_ref(endpoint) }, &binding),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(take(notification), 0);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void a_binding_ends_with_its_notification(void)
{
	uint32_t notification = notification_new();
	struct binding_ref binding;

	REQUIRE_OK(signal_bind_timer(signal_of(notification), 1, world.timer, UINT64_MAX, 0, &binding));
	check_binding(binding, true, 0);
	CHECK_EQUAL(release(notification), STATUS_OK);
	check_binding(binding, false, 0);
	client_release(binding.ref);
}

/* A child binds what it was given and is then deprived of one of both; see bind_and_wait in
 * peer.c. */
static void revoke_from_binder(bool signal_side)
{
	uint32_t notification = notification_new(), endpoint = endpoint_new(),
		 export = export_new(endpoint, 1, true), ready = notification_new(), revoked = 0;
	struct child_spec spec = { .role = "bind-and-wait",
		.grants = { { "signal", notification }, { "service", export }, { "timer", rt_id(world.timer.ref) },
				{ "ready", ready } } };
	struct process_handle_ref child = child_start(&spec);

	CHECK_EQUAL(perform_sync(entry_wait(ready, 1, 0, Q0)).status, STATUS_OK);
	CHECK_EQUAL(perform_sync(entry_wait(notification, 2, 0, Q0)).detail, 2); /* its timer goes */
	CHECK_EQUAL(capability_manager_revoke_derived(world.authority,
				    rt_ref(signal_side ? notification : export), &revoked), STATUS_OK);
	CHECK(revoked >= 1);
	if (signal_side) {
		(void)take(notification);
		sleep_ns(3 * MILLISECOND);
		CHECK_EQUAL(endpoint_close((struct endpoint_ref){ rt_ref(endpoint) }), STATUS_OK);
		CHECK_EQUAL(take(notification), 0);
	} else {
		CHECK_EQUAL(take(notification) & 1, 1); /* as a wait for the end: losing it is its end */
		(void)take(notification);
		CHECK_EQUAL(perform_sync(entry_wait(notification, 2, 0, Q0)).detail, 2);
	}
	child_kill(child);
	sleep_ns(3 * MILLISECOND);
	(void)take(notification);
	sleep_ns(3 * MILLISECOND);
	CHECK_EQUAL(take(notification), 0); /* with its maker the other binding has ended too */
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(ready), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void revoking_the_signal_ends_bindings(void)
{
	revoke_from_binder(true);
}

static void revoking_the_source_counts_as_its_end(void)
{
	revoke_from_binder(false);
}

/* Each binding costs an object, a timer's also a timer: at the limit it is refused and nothing
 * stays. */
static void bindings_are_charged(void)
{
	uint32_t notification = notification_new();
	struct usage before = usage_self(), after;
	struct binding_ref bindings[3];

	for (uint32_t i = 0; i < ARRAY_LEN(bindings); i++)
		REQUIRE_OK(signal_bind_timer(signal_of(notification), 1, world.timer,
				i == 2 ? 1 : UINT64_MAX, 0, &bindings[i]));
	after = usage_self();
	CHECK_EQUAL(after.used[RESOURCE_CLASS_OBJECTS], before.used[RESOURCE_CLASS_OBJECTS] + 3);
	CHECK_EQUAL(after.used[RESOURCE_CLASS_TIMERS], before.used[RESOURCE_CLASS_TIMERS] + 2);
	for (uint32_t i = 0; i < ARRAY_LEN(bindings); i++)
		client_release(bindings[i].ref);
	CHECK(usage_settles(&before));
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static const struct test tests[] = {
	{ "a multishot wait goes on until cancelled", a_multishot_wait_goes_on_until_cancelled },
	{ "a multishot wait without room ends and loses nothing",
			a_multishot_wait_without_room_ends_and_loses_nothing },
	{ "two multishot waits take turns", two_multishot_waits_take_turns },
	{ "a multishot wait is neither synchronous nor for an end",
			a_multishot_wait_is_neither_synchronous_nor_for_an_end },
	{ "revocation ends a multishot wait", revocation_ends_a_multishot_wait },
	{ "the end of a process ends its multishot wait", the_end_of_a_process_ends_its_multishot_wait },
	{ "one of several waits is enough", one_of_several_waits_is_enough },
	{ "bits can be bound to ends", bits_can_be_bound_to_ends },
	{ "bits can be bound to times", bits_can_be_bound_to_times },
	{ "bindings that make no sense are refused", bindings_that_make_no_sense_are_refused },
	{ "a binding ends with its notification", a_binding_ends_with_its_notification },
	{ "revoking the signal ends bindings", revoking_the_signal_ends_bindings },
	{ "revoking the source counts as its end", revoking_the_source_counts_as_its_end },
	{ "bindings are charged", bindings_are_charged },
};

TEST_LIST(notification_tests, tests);
