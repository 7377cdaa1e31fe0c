/*
 * Entries and queues: what every operation refuses, SYNC, spans, indices, completion credits.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/ring.h"

static status_t outcome(struct ring_entry entry)
{
	return perform(entry).status;
}

static void nop_completes(void)
{
	struct ring_completion completion = perform(entry_of(CAP_OP_NOP, 0));

	CHECK_EQUAL(completion.status, STATUS_OK);
	CHECK_EQUAL(completion.flags, 0);
	CHECK_EQUAL(completion.detail, 0);
	CHECK_EQUAL(perform_sync(entry_of(CAP_OP_NOP, 0)).status, STATUS_OK);
}

static void quiet_is_silent_on_success_only(void)
{
	struct ring_header *header = ring_self()->header;
	struct ring_entry entry = { .op = CAP_OP_NOP, .flags = ENTRY_QUIET };
	uint32_t tail;

	ring_submit(ring_self());
	tail = header->cq_tail;
	ring_put(ring_self(), &entry);
	ring_submit(ring_self());
	CHECK_EQUAL(header->cq_tail, tail);
	entry = (struct ring_entry){
		.op = CAP_OP_RELEASE, .flags = ENTRY_QUIET, .target = 0x7ff00001
	};
	CHECK_EQUAL(outcome(entry), STATUS_BAD_CAPABILITY);
}

static void operations_of_the_future_are_unimplemented(void)
{
	static const uint8_t ops[] = { 16, 17, 100, 255 };

	for (uint32_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct ring_completion completion = perform(entry_of(ops[i], 0));

		CHECK_EQUAL(completion.status, STATUS_UNIMPLEMENTED);
		CHECK_EQUAL(reason_of(completion.detail), REASON_NOT_BUILT);
	}
}

#define ALL8  0xff
#define ALL16 0xffff
#define ALL32 0xffffffff
#define ALL64 0xffffffffffffffffull

/* What docs/ring.md lets each operation use, besides operation, flags and user data. */
static const struct ring_entry used[] = {
	{ .op = CAP_OP_NOP },
	{ .op = CAP_OP_YIELD },
	{ .op = CAP_OP_RELEASE, .target = ALL32 },
	{ .op = CAP_OP_COPY, .target = ALL32 },
	{ .op = CAP_OP_NARROW, .target = ALL32, .interface = ALL64 },
	{ .op = CAP_OP_SIGNAL, .target = ALL32, .interface = ALL64 },
	{ .op = CAP_OP_CANCEL, .question = ALL16 },
	{ .op = CAP_OP_FINISH, .question = ALL16 },
	{ .op = CAP_OP_FORWARD,
			.method = ALL16,
			.target = ALL32,
			.interface = ALL64,
			.deadline_ns = ALL64,
			.msg_off = ALL32,
			.msg_words = ALL16,
			.caps_off = ALL32,
			.question = ALL16,
			.cap_count = ALL8 },
	{ .op = CAP_OP_WAIT, .target = ALL32, .interface = ALL64, .question = ALL16 },
	{ .op = CAP_OP_RETIRE, .target = ALL32, .interface = ALL64, .deadline_ns = ALL64 },
	{ .op = CAP_OP_RECV,
			.target = ALL32,
			.question = ALL16,
			.reply_off = ALL32,
			.reply_words = ALL16,
			.reply_caps = ALL8 },
	{ .op = CAP_OP_RETURN,
			.method = ALL16,
			.target = ALL32,
			.interface = ALL64,
			.msg_off = ALL32,
			.msg_words = ALL16,
			.reply_off = ALL32,
			.reply_words = ALL16,
			.reply_caps = ALL8,
			.caps_off = ALL32,
			.question = ALL16,
			.cap_count = ALL8 },
	{ .op = CAP_OP_CALL,
			.method = ALL16,
			.target = ALL32,
			.interface = ALL64,
			.deadline_ns = ALL64,
			.msg_off = ALL32,
			.msg_words = ALL16,
			.reply_off = ALL32,
			.reply_words = ALL16,
			.reply_caps = ALL8,
			.caps_off = ALL32,
			.question = ALL16,
			.cap_count = ALL8,
			.path_len = ALL8,
			.path = { ALL16, ALL16, ALL16, ALL16 } },
};

static void unused_bytes_are_refused(void)
{
	for (uint32_t row = 0; row < ARRAY_LEN(used); row++) {
		for (uint32_t at = offsetof(struct ring_entry, method);
				at < sizeof(struct ring_entry); at++) {
			struct ring_entry entry = entry_of(used[row].op, 0);
			bool is_user_data = at >= 8 && at < 16;
			status_t status;

			if (is_user_data || ((const uint8_t *)&used[row])[at])
				continue;
			((uint8_t *)&entry)[at] = 0x80;
			status = outcome(entry);
			if (status != STATUS_BAD_ENTRY)
				tap_note("operation %u with byte %u set", used[row].op, at);
			CHECK_EQUAL(status, STATUS_BAD_ENTRY);
		}
	}
}

static void flags_without_meaning_are_refused(void)
{
	static const struct {
		uint8_t op;
		uint8_t allowed;
	} rows[] = {
		{ CAP_OP_NOP, ENTRY_SYNC | ENTRY_QUIET },
		{ CAP_OP_RELEASE, ENTRY_SYNC | ENTRY_QUIET },
		{ CAP_OP_CALL, ENTRY_SYNC | ENTRY_KEEP | ENTRY_FAIL_FAST | ENTRY_PIPELINED },
		{ CAP_OP_RECV, ENTRY_SYNC },
		{ CAP_OP_COPY, ENTRY_SYNC },
		{ CAP_OP_NARROW, ENTRY_SYNC },
		{ CAP_OP_RETURN, ENTRY_SYNC | ENTRY_EXCEPTION | ENTRY_REARM | ENTRY_QUIET },
		{ CAP_OP_WAIT, ENTRY_SYNC | ENTRY_DEATH | ENTRY_MULTISHOT },
		{ CAP_OP_SIGNAL, ENTRY_SYNC | ENTRY_QUIET },
		{ CAP_OP_YIELD, ENTRY_SYNC | ENTRY_QUIET },
		{ CAP_OP_CANCEL, ENTRY_SYNC | ENTRY_QUIET },
		{ CAP_OP_FINISH, ENTRY_SYNC | ENTRY_QUIET },
		{ CAP_OP_FORWARD, ENTRY_SYNC },
		{ CAP_OP_RETIRE, ENTRY_SYNC | ENTRY_QUIET },
	};

	for (uint32_t row = 0; row < ARRAY_LEN(rows); row++) {
		for (uint32_t bit = 0; bit < 8; bit++) {
			struct ring_entry entry = { .op = rows[row].op,
				.flags = (uint8_t)(1u << bit) };

			if (!(rows[row].allowed >> bit & 1))
				CHECK_EQUAL(outcome(entry), STATUS_BAD_ENTRY);
		}
	}
}

/* A SYNC entry that is not the last, and one beside a wait for completions. */
static void misplaced_sync_is_an_ordinary_refusal(void)
{
	struct ring *ring = ring_self();
	struct ring_operation first = { 0 }, second = { 0 };

	ring_entry(ring, CAP_OP_NOP, &first)->flags = ENTRY_SYNC;
	ring_push(ring);
	(void)ring_entry(ring, CAP_OP_NOP, &second);
	ring_push(ring);
	ring_wait(ring, &second);
	CHECK(first.done);
	CHECK_EQUAL(first.completion.status, STATUS_BAD_ENTRY);
	CHECK_EQUAL(second.completion.status, STATUS_OK);
	first = (struct ring_operation){ 0 };
	ring_entry(ring, CAP_OP_NOP, &first)->flags = ENTRY_SYNC;
	ring_push(ring);
	ring_wait(ring, &first); /* with min_complete 1 */
	CHECK_EQUAL(first.completion.status, STATUS_BAD_ENTRY);
	CHECK_EQUAL(perform(entry_of(CAP_OP_NOP, 0)).status, STATUS_OK);
}

static void sync_outcomes_are_in_the_reply_slot(void)
{
	uint32_t id = copy_of(rt_id(world.console.ref));
	struct ring_completion reply = perform_sync(entry_of(CAP_OP_COPY, id));

	CHECK_EQUAL(reply.status, STATUS_OK);
	CHECK(reply.id != 0 && reply.id != id);
	CHECK_EQUAL(release(reply.id), STATUS_OK);
	CHECK_EQUAL(perform_sync(entry_of(CAP_OP_RELEASE, id)).status, STATUS_OK);
	CHECK_EQUAL(perform_sync(entry_of(CAP_OP_RELEASE, id)).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(perform_sync((struct ring_entry){ .op = 99 }).status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(perform_sync((struct ring_entry){ .op = CAP_OP_NOP, .method = 1 }).status,
			STATUS_BAD_ENTRY);
	CHECK_EQUAL(perform_sync((struct ring_entry){ .op = CAP_OP_RETURN }).status,
			STATUS_BAD_ENTRY);
}

/* A plain call with any one byte of its entry changed: SYNC, which has a way of its own, and otherwise, which goes
 * by the table. */
static void a_sync_call_is_answered_as_any_other(void)
{
	static const uint8_t changes[] = { 0x00, 0x01, 0x02, 0x09, 0x40, 0x80, 0xff };
	struct ring_entry plain = entry_call(rt_id(world.timer.ref), Q0);

	plain.interface = TIMER_INTERFACE_ID;
	plain.method = TIMER_METHOD_NOW;
	plain.msg_off = world.message_off;
	plain.msg_words = 1;
	plain.reply_off = seat_off(Q0);
	plain.reply_words = 8;
	plain.reply_caps = 0;
	message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
	CHECK_EQUAL(perform_sync(plain).status, STATUS_OK);
	for (uint32_t at = offsetof(struct ring_entry, method); at < sizeof(plain); at++) {
		bool is_user_data = at >= 8 && at < 16;

		for (uint32_t i = 0; i < ARRAY_LEN(changes) && !is_user_data; i++) {
			struct ring_entry entry = plain;
			struct ring_completion direct, queued;

			((uint8_t *)&entry)[at] ^= changes[i];
			message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
			/* What is the same as before is not checked again. */
			CHECK_EQUAL(perform_sync(plain).status, STATUS_OK);
			message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
			direct = perform_sync(entry);
			message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
			queued = perform(entry);
			if (direct.status != queued.status)
				tap_note("byte %u changed by %x", at, changes[i]);
			CHECK_EQUAL(direct.status, queued.status);
			CHECK_EQUAL(direct.detail, queued.detail);
			CHECK_EQUAL(direct.msg_words, queued.msg_words);
		}
	}
}

/* The same entry again, after its capability has gone and another has come to the slot. */
static void a_repeated_entry_is_looked_up_again(void)
{
	uint32_t notification = notification_new(), copy = copy_of(notification);
	struct ring_entry wait = {
		.op = CAP_OP_WAIT, .target = copy, .interface = 1, .question = Q0
	};
	struct ring_entry call = entry_call(copy_of(rt_id(world.timer.ref)), Q0 + 1);

	call.interface = TIMER_INTERFACE_ID;
	call.method = TIMER_METHOD_NOW;
	call.msg_off = world.message_off;
	call.msg_words = 1;
	call.reply_caps = 0;
	message()[0] = CAPNP_EMPTY_STRUCT_POINTER;
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQUAL(perform_sync(call).status, STATUS_OK);
		CHECK_EQUAL(perform((struct ring_entry){ .op = CAP_OP_SIGNAL,
						    .target = copy,
						    .interface = 1 })
						.status,
				STATUS_OK);
		CHECK_EQUAL(perform_sync(wait).detail, 1);
	}
	CHECK_EQUAL(release(call.target), STATUS_OK);
	CHECK_EQUAL(release(copy), STATUS_OK);
	CHECK_EQUAL(perform_sync(call).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(perform_sync(wait).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(perform_sync(call).status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

/* The same for operations that name no more than a capability and some bits. What copies makes ids that differ. */
static void short_sync_entries_are_answered_as_any_other(void)
{
	static const uint8_t changes[] = { 0x00, 0x01, 0x02, 0x08, 0x40, 0x80, 0xff };
	uint32_t notification = notification_new();
	const struct ring_entry plain[] = {
		{ .op = CAP_OP_NOP },
		{ .op = CAP_OP_YIELD },
		{ .op = CAP_OP_SIGNAL, .target = notification, .interface = 3 },
		{ .op = CAP_OP_WAIT, .target = notification, .interface = 3, .question = Q0 },
		{ .op = CAP_OP_COPY, .target = notification },
	};

	for (uint32_t kind = 0; kind < ARRAY_LEN(plain); kind++) {
		for (uint32_t i = 0; i < sizeof(struct ring_entry) * ARRAY_LEN(changes); i++) {
			struct ring_entry entry = plain[kind];
			uint32_t at = i / ARRAY_LEN(changes);
			struct ring_completion outcomes[2];

			if (at < 2 || (at >= 8 && at < 16))
				continue;
			((uint8_t *)&entry)[at] ^= changes[i % ARRAY_LEN(changes)];
			for (uint32_t way = 0; way < 2; way++) {
				/* Whatever is waited for has been signalled. */
				CHECK_EQUAL(perform((struct ring_entry){ .op = CAP_OP_SIGNAL, .target = notification,
						.interface = UINT64_MAX }).status, STATUS_OK);
				if (entry.op == CAP_OP_WAIT && entry.interface == 0)
					entry.interface = 1;
				outcomes[way] = way == 0 ? perform_sync(entry) : perform(entry);
				if (entry.op == CAP_OP_COPY && outcomes[way].status == STATUS_OK) {
					CHECK_EQUAL(release(outcomes[way].id), STATUS_OK);
					outcomes[way].id = 0;
				}
			}
			if (outcomes[0].status != outcomes[1].status)
				tap_note("operation %u, byte %u", entry.op, at);
			CHECK_EQUAL(outcomes[0].status, outcomes[1].status);
			CHECK_EQUAL(outcomes[0].detail, outcomes[1].detail);
			CHECK_EQUAL(outcomes[0].id, outcomes[1].id);
		}
	}
	CHECK_EQUAL(release(notification), STATUS_OK);
}

/* Quiet signals and releases in front of a SYNC entry: each takes effect, and one that is refused completes. */
static void quiet_entries_come_before_the_sync_one(void)
{
	struct ring *ring = ring_self();
	uint32_t notification = notification_new(), copy = copy_of(notification);
	struct ring_operation refused = { 0 };
	struct ring_entry *entry = ring_entry(ring, CAP_OP_SIGNAL, NULL);

	entry->flags = ENTRY_QUIET;
	entry->target = copy;
	entry->interface = 6;
	ring_push(ring);
	entry = ring_entry(ring, CAP_OP_RELEASE, NULL);
	entry->flags = ENTRY_QUIET;
	entry->target = copy;
	ring_push(ring);
	entry = ring_entry(ring, CAP_OP_RELEASE, &refused);
	entry->flags = ENTRY_QUIET;
	entry->target = copy;
	ring_push(ring);
	entry = ring_entry(ring, CAP_OP_SIGNAL, NULL);
	entry->flags = ENTRY_QUIET;
	entry->target = notification;
	entry->interface = 1;
	ring_push(ring);
	CHECK_EQUAL(perform_sync((struct ring_entry){ .op = CAP_OP_WAIT, .target = notification, .interface = UINT64_MAX,
			.question = Q0 }).detail, 7);
	ring_reap(ring);
	CHECK(refused.done);
	CHECK_EQUAL(refused.completion.status, STATUS_BAD_CAPABILITY);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

/* --- Spans ------------------------------------------------------------------------------------ */

static status_t call_with_message(uint32_t target, uint32_t off, uint32_t words)
{
	struct ring_entry entry = entry_call(target, Q0);

	entry.msg_off = off;
	entry.msg_words = (uint16_t)words;
	entry.flags = ENTRY_FAIL_FAST;
	return outcome(entry);
}

static status_t call_with_reply(uint32_t target, uint32_t off, uint32_t words, uint32_t caps)
{
	struct ring_entry entry = entry_call(target, Q0);

	entry.reply_off = off;
	entry.reply_words = (uint16_t)words;
	entry.reply_caps = (uint8_t)caps;
	entry.flags = ENTRY_FAIL_FAST;
	return outcome(entry);
}

static void spans_lie_in_the_arena(void)
{
	const struct ring_header *header = ring_self()->header;
	uint32_t first = header->arena_off, end = header->arena_end;
	uint32_t endpoint = endpoint_sized(2048, 4, 4), export = export_new(endpoint, 1, false);
	static const uint32_t bad[] = { 0, 1, 64, 63, 600, 1000, 4096, 4097, 8192, 0x7fffffff,
		0xffffffff, 0xfffffff0 };

	REQUIRE(export != 0);
	CHECK_EQUAL(call_with_message(export, first, 1), STATUS_DISCONNECTED);
	CHECK_EQUAL(call_with_message(export, end - 1, 1), STATUS_DISCONNECTED);
	CHECK_EQUAL(call_with_message(export, first, 2048), STATUS_DISCONNECTED);
	CHECK_EQUAL(call_with_message(export, first, 2049), STATUS_BAD_SPAN);
	CHECK_EQUAL(call_with_message(export, first, 0xffff), STATUS_BAD_SPAN);
	CHECK_EQUAL(call_with_message(export, end - 1, 2), STATUS_BAD_SPAN);
	CHECK_EQUAL(call_with_message(export, end, 1), STATUS_BAD_SPAN);
	CHECK_EQUAL(call_with_message(export, first - 1, 2), STATUS_BAD_SPAN);
	CHECK_EQUAL(call_with_message(export, first, 0), STATUS_BAD_SPAN);
	for (uint32_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ring_entry entry = entry_call(export, Q0);

		CHECK_EQUAL(call_with_message(export, bad[i], 4), STATUS_BAD_SPAN);
		CHECK_EQUAL(call_with_reply(export, bad[i], 4, 0), STATUS_BAD_SPAN);
		CHECK_EQUAL(call_with_reply(export, bad[i], 0, 1), STATUS_BAD_SPAN);
		entry.caps_off = bad[i];
		entry.cap_count = 1;
		CHECK_EQUAL(outcome(entry), STATUS_BAD_SPAN);
		entry = entry_recv(endpoint, Q0);
		entry.reply_off = bad[i];
		CHECK_EQUAL(outcome(entry), STATUS_BAD_SPAN);
	}
	CHECK_EQUAL(call_with_reply(export, end - 6, 4, 1), STATUS_DISCONNECTED);
	CHECK_EQUAL(call_with_reply(export, end - 5, 4, 1), STATUS_BAD_SPAN);
	CHECK_EQUAL(call_with_reply(export, first, 2049, 0), STATUS_BAD_SPAN);
	CHECK_EQUAL(call_with_reply(export, 0, 0, 0), STATUS_DISCONNECTED);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* The kernel reads the message and then writes the answer: a span over itself is the program's
 * own affair. */
static void spans_may_overlap(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 7, false);
	struct ring_entry call = entry_call(export, Q0), recv = entry_recv(endpoint, Q0 + 1);
	struct ring_completion completion;

	start(recv);
	call.msg_off = seat_off(Q0);
	call.msg_words = 4;
	memset(seat_words(Q0), 0x11, 32);
	start(call);
	completion = finish(Q0 + 1);
	CHECK_EQUAL(completion.msg_words, 4);
	CHECK_EQUAL(seat_message(Q0 + 1, true)[3], 0x1111111111111111);
	call = entry_return(endpoint, completion.id);
	call.msg_off = seat_off(Q0);
	call.msg_words = MESSAGE_WORDS;
	CHECK_EQUAL(outcome(call), STATUS_OK);
	CHECK_EQUAL(finish(Q0).msg_words, MESSAGE_WORDS);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void questions_are_bounded_and_exclusive(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct ring_entry entry = entry_call(export, Q0);

	entry.question = (uint16_t)ring_self()->header->questions;
	CHECK_EQUAL(outcome(entry), STATUS_BAD_ENTRY);
	entry.question = 0xffff;
	CHECK_EQUAL(outcome(entry), STATUS_BAD_ENTRY);
	entry = entry_cancel((uint16_t)ring_self()->header->questions);
	CHECK_EQUAL(outcome(entry), STATUS_BAD_ENTRY);
	start(entry_call(export, Q0));
	CHECK(!is_done(Q0));
	CHECK_EQUAL(outcome(entry_call(export, Q0)), STATUS_QUESTION_BUSY);
	CHECK_EQUAL(outcome(entry_recv(endpoint, Q0)), STATUS_QUESTION_BUSY);
	entry = entry_return_rearm(endpoint, 1, Q0);
	CHECK_EQUAL(outcome(entry), STATUS_QUESTION_BUSY);
	CHECK_EQUAL(outcome(entry_cancel(Q0)), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	CHECK_EQUAL(outcome(entry_cancel(Q0)), STATUS_GONE);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* --- Queues, by a child: its ring is spoiled afterwards --------------------------------------- */

static void child_passes(const char *role)
{
	struct child_spec spec = { .role = role,
		.grants = { { "timer", rt_id(world.timer.ref) } } };
	struct child_end end = child_finish(child_start(&spec));

	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, 0); /* else: the number of the step that failed */
}

static void credits_hold_entries_back(void)
{
	child_passes("credits");
}

static void a_corrupt_tail_is_clamped(void)
{
	child_passes("bad-tail");
}

static void a_corrupt_head_is_clamped(void)
{
	child_passes("bad-head");
}

static void enter_checks_its_arguments(void)
{
	child_passes("enter-arguments");
	child_passes("header-entry");
}

static void deadlines_of_enter_pass(void)
{
	child_passes("deadline");
}

static void vector_and_scratch_registers_leak_nothing(void)
{
	child_passes("registers");
}

static const struct test tests[] = {
	{ "nop completes", nop_completes },
	{ "quiet is silent on success only", quiet_is_silent_on_success_only },
	{ "operations of the future are unimplemented",
			operations_of_the_future_are_unimplemented },
	{ "unused bytes are refused", unused_bytes_are_refused },
	{ "flags without meaning are refused", flags_without_meaning_are_refused },
	{ "misplaced sync is an ordinary refusal", misplaced_sync_is_an_ordinary_refusal },
	{ "sync outcomes are in the reply slot", sync_outcomes_are_in_the_reply_slot },
	{ "a sync call is answered as any other", a_sync_call_is_answered_as_any_other },
	{ "a repeated entry is looked up again", a_repeated_entry_is_looked_up_again },
	{ "short sync entries are answered as any other", short_sync_entries_are_answered_as_any_other },
	{ "quiet entries come before the sync one", quiet_entries_come_before_the_sync_one },
	{ "spans lie in the arena", spans_lie_in_the_arena },
	{ "spans may overlap", spans_may_overlap },
	{ "questions are bounded and exclusive", questions_are_bounded_and_exclusive },
	{ "credits hold entries back", credits_hold_entries_back },
	{ "a corrupt tail is clamped", a_corrupt_tail_is_clamped },
	{ "a corrupt head is clamped", a_corrupt_head_is_clamped },
	{ "enter checks its arguments", enter_checks_its_arguments },
	{ "deadlines of enter pass", deadlines_of_enter_pass },
	{ "registers leak nothing", vector_and_scratch_registers_leak_nothing },
};

TEST_LIST(entry_tests, tests);
