/*
 * Polled rings: a leased processor takes what a thread puts into its queue, sleeps when nothing
 * comes, and is woken; and when the lease ends, at any moment, each entry has been performed once
 * or waits for cap_enter. On one processor nothing can be leased, and these tests are skipped.
 *
 * Most tests speak to the queues by hand: the entries are NOPs whose user data counts, and their
 * completions are read here and not by the runtime.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"
#include "rt/program.h"
#include "rt/thread.h"

#define MS       1000000ull
#define NUMBERED (1ull << 40) /* user data of numbered entries from here on: no address */

static struct scheduling_control_ref control(void)
{
	return (struct scheduling_control_ref){ rt_grant(
			"scheduling", SCHEDULING_CONTROL_INTERFACE_ID) };
}

static bool is_skipped(void)
{
	if (world.processors > 1)
		return false;
	tap_note("skipped: one processor is nobody's to lease");
	return true;
}

static status_t lease_try(
		uint32_t processor, uint64_t duration_ns, struct cpu_isolation_lease_ref *lease)
{
	return scheduling_control_lease(
			control(), processor, LEASE_KIND_RING, duration_ns, 0, 0, lease);
}

/* Processor 1 for a ring; a null reference if that failed. */
static struct cpu_isolation_lease_ref lease_new(uint64_t duration_ns)
{
	struct cpu_isolation_lease_ref lease = { 0 };

	CHECK_EQUAL(lease_try(1, duration_ns, &lease), STATUS_OK);
	return lease;
}

/* The same, for this thread's ring. */
static struct cpu_isolation_lease_ref lease_own(uint64_t duration_ns)
{
	struct cpu_isolation_lease_ref lease = lease_new(duration_ns);

	CHECK_EQUAL(cpu_isolation_lease_bind(lease, world.self.ref), STATUS_OK);
	return lease;
}

struct account {
	bool bound, asleep;
	uint64_t entries, sleeps, wakes;
};

static struct account account_of(struct cpu_isolation_lease_ref lease)
{
	struct account account = { 0 };

	CHECK_EQUAL(cpu_isolation_lease_poller(lease, &account.bound, &account.asleep,
				    &account.entries, &account.sleeps, &account.wakes),
			STATUS_OK);
	return account;
}

/* --- Queues by hand ----------------------------------------------------------------------------- */

static struct ring_header *header(void)
{
	return ring_self()->header;
}

static uint32_t word(void)
{
	return READ_ONCE(header()->poller);
}

static uint32_t untaken(void)
{
	return header()->sq_tail - LOAD_ACQUIRE(&header()->sq_head);
}

/* An entry whose completion `numbers_read` will count; there is room. */
static void put_number(uint8_t op, uint8_t flags, uint64_t number)
{
	ring_put(ring_self(),
			&(struct ring_entry){
					.op = op, .flags = flags, .user_data = NUMBERED + number });
}

/* What has completed, in order; how many had another number or status than was expected. */
struct numbers {
	uint64_t next;
	uint64_t wrong;
};

/* Reads up to `most` completions. */
static uint32_t numbers_read(struct numbers *numbers, status_t expected, uint32_t most)
{
	struct ring *ring = ring_self();
	uint32_t count = 0;

	while (count < most && ring->cq_head != LOAD_ACQUIRE(&header()->cq_tail)) {
		const struct ring_completion *completion =
				&ring->completions[ring->cq_head++ & ring->cq_mask];

		numbers->wrong += completion->user_data != NUMBERED + numbers->next ||
				completion->status != expected;
		numbers->next++;
		STORE_RELEASE(&header()->cq_head, ring->cq_head);
		count++;
	}
	return count;
}

/* Has `count` NOPs performed, with at most half a queue of them under way. */
static void numbers_perform(struct numbers *numbers, uint64_t count)
{
	uint64_t end = numbers->next + count, put = numbers->next;

	while (numbers->next < end) {
		while (put < end && put - numbers->next < 32)
			put_number(CAP_OP_NOP, 0, put++);
		ring_kick(ring_self());
		(void)numbers_read(numbers, STATUS_OK, UINT32_MAX);
	}
}

/* The same by the poller alone, if it does not go to sleep. */
static bool numbers_perform_alone(
		struct cpu_isolation_lease_ref lease, struct numbers *numbers, uint64_t count)
{
	struct account before = account_of(lease), after;

	numbers_perform(numbers, count);
	after = account_of(lease);
	CHECK(after.entries - before.entries <= count);
	return after.entries - before.entries == count && after.wakes == before.wakes;
}

/* Waits for the poller to sleep; what asks it puts nothing into the queue. */
static bool falls_asleep(struct cpu_isolation_lease_ref lease)
{
	uint64_t until_ns = now_ns() + WAIT_NS;

	while (!account_of(lease).asleep && now_ns() < until_ns)
		continue;
	return account_of(lease).asleep;
}

/* --- Tests -------------------------------------------------------------------------------------- */

static void entries_are_taken_without_cap_enter(void)
{
	struct cpu_isolation_lease_ref lease;
	struct numbers numbers = { 0 };
	uint32_t alone = 0;

	if (is_skipped())
		return;
	CHECK_EQUAL(word(), POLLER_NONE);
	lease = lease_own(10000 * MS);
	CHECK(word() != POLLER_NONE);
	CHECK(account_of(lease).bound);
	/* A host that stops this processor meanwhile has the poller fall asleep. */
	for (uint32_t round = 0; round < 1000 && alone < 10; round++)
		alone += numbers_perform_alone(lease, &numbers, 32);
	CHECK_EQUAL(alone, 10);
	CHECK_EQUAL(numbers.wrong, 0);
	CHECK_EQUAL(cpu_isolation_lease_end(lease), STATUS_OK);
	CHECK_EQUAL(word(), POLLER_NONE);
	CHECK(!account_of(lease).bound && account_of(lease).entries >= 320);
	client_release(lease.ref);
}

static void an_idle_poller_sleeps_and_is_woken(void)
{
	struct cpu_isolation_lease_ref lease;
	struct numbers numbers = { 0 };
	struct account before, after;

	if (is_skipped())
		return;
	lease = lease_own(10000 * MS);
	REQUIRE(falls_asleep(lease));
	CHECK_EQUAL(word(), POLLER_ASLEEP);
	before = account_of(lease);
	sleep_ns(50 * MS);
	after = account_of(lease);
	/* Nothing wakes it but entries. */
	CHECK(after.asleep && after.sleeps == before.sleeps && after.wakes == before.wakes);
	put_number(CAP_OP_NOP, 0, 0);
	ring_kick(ring_self());
	CHECK_EQUAL(untaken(), 0);
	CHECK_EQUAL(account_of(lease).wakes, before.wakes + 1);
	CHECK(falls_asleep(lease));
	CHECK_EQUAL(account_of(lease).sleeps, before.sleeps + 1);
	(void)numbers_read(&numbers, STATUS_OK, UINT32_MAX);
	CHECK(numbers.next == 1 && numbers.wrong == 0);
	/* To ask without an entry wakes nobody. */
	(void)cap_enter(0, 0, 0);
	CHECK(account_of(lease).asleep);
	client_release(lease.ref);
	ring_submit(ring_self());
	CHECK_EQUAL(word(), POLLER_NONE);
}

/* Typed calls, one that waits for another, and calls under way while the program waits. */
static void a_program_goes_on_with_its_ring_polled(void)
{
	struct system_info_counters_call calls[8];
	struct cpu_isolation_lease_ref lease;
	uint32_t failed = 0;

	if (is_skipped())
		return;
	lease = lease_own(10000 * MS);
	for (uint32_t round = 0; round < 200; round++) {
		/* Ended in the middle, and again. */
		if (round % 50 == 49) {
			client_release(lease.ref);
			lease = lease_own(10000 * MS);
		}
		for (uint32_t i = 0; i < ARRAY_LEN(calls); i++)
			calls[i] = system_info_counters_start(world.info);
		for (uint32_t i = 0; i < ARRAY_LEN(calls); i++) {
			uint32_t chosen = (i * 3 + round) % ARRAY_LEN(calls);

			failed += system_info_counters_wait(&calls[chosen]) != STATUS_OK;
			system_info_counters_done(&calls[chosen]);
		}
		failed += perform(entry_of(CAP_OP_NOP, 0)).status != STATUS_OK;
		failed += release(copy_of(rt_id(world.timer.ref))) != STATUS_OK;
		if (round % 40 == 0)
			sleep_ns(2 * MS);
	}
	CHECK_EQUAL(failed, 0);
	client_release(lease.ref);
}

/* The last one waits for its cap_enter; one that is not the last is refused. */
static void sync_entries_are_not_the_pollers(void)
{
	struct cpu_isolation_lease_ref lease;
	struct numbers numbers = { 0 };

	if (is_skipped())
		return;
	lease = lease_own(10000 * MS);
	header()->reply_user_data = 0;
	put_number(CAP_OP_NOP, ENTRY_SYNC, 0);
	/* It has looked again and again when it falls asleep. */
	while (word() == POLLER_AWAKE)
		continue;
	CHECK_EQUAL(untaken(), 1);
	CHECK_EQUAL(cap_enter(0, 0, 0), STATUS_OK);
	CHECK_EQUAL(header()->reply_user_data, NUMBERED);
	CHECK_EQUAL(numbers_read(&numbers, STATUS_OK, UINT32_MAX), 0);
	CHECK_EQUAL(untaken(), 0);
	numbers = (struct numbers){ .next = 1 };
	header()->reply_user_data = 0;
	put_number(CAP_OP_NOP, ENTRY_SYNC, 1);
	put_number(CAP_OP_NOP, ENTRY_SYNC | ENTRY_QUIET, 2);
	put_number(CAP_OP_NOP, 0, 3);
	ring_kick(ring_self());
	while (untaken() != 0)
		ring_kick(ring_self());
	CHECK_EQUAL(numbers_read(&numbers, STATUS_BAD_ENTRY, 2), 2);
	CHECK_EQUAL(numbers_read(&numbers, STATUS_OK, 1), 1);
	CHECK_EQUAL(numbers.wrong, 0);
	CHECK_EQUAL(header()->reply_user_data, 0);
	client_release(lease.ref);
}

/* An entry that lacks a credit stays, and goes on when a completion has been read. */
static void entries_wait_for_credits(void)
{
	struct cpu_isolation_lease_ref lease;
	struct numbers numbers = { 0 };
	uint64_t put = 0;

	if (is_skipped())
		return;
	lease = lease_own(10000 * MS);
	while (put < header()->cq_entries + 8) {
		if (untaken() < header()->sq_entries)
			put_number(CAP_OP_NOP, 0, put++);
		ring_kick(ring_self());
	}
	while (untaken() > 8)
		ring_kick(ring_self());
	while (word() == POLLER_AWAKE)
		continue;
	CHECK_EQUAL(untaken(), 8);
	CHECK_EQUAL(header()->cq_tail - ring_self()->cq_head, header()->cq_entries);
	for (uint32_t left = 8; left > 0; left--) {
		CHECK_EQUAL(numbers_read(&numbers, STATUS_OK, 1), 1);
		while (untaken() >= left)
			ring_kick(ring_self());
		CHECK_EQUAL(untaken(), left - 1);
	}
	(void)numbers_read(&numbers, STATUS_OK, UINT32_MAX);
	CHECK(numbers.next == put && numbers.wrong == 0);
	client_release(lease.ref);
}

static struct ring *sleeper;
static uint32_t sleepers_turn; /* a */

/* Puts an entry into the queue of a thread that is going to sleep, each time it is its turn. */
static int64_t put_for_sleeper(void *argument)
{
	for (;;) {
		while (LOAD_ACQUIRE(&sleepers_turn) == 0)
			continue;
		for (uint32_t i = 0; i < 20000; i++)
			__asm__ volatile("");
		ring_put(sleeper,
				&(struct ring_entry){ .op = CAP_OP_NOP,
						.user_data = NUMBERED + sleepers_turn - 1 });
		STORE_RELEASE(&sleepers_turn, 0);
	}
	return 0;
}

/* What the poller completes wakes the thread whose ring it is. */
static void the_poller_wakes_who_waits(void)
{
	struct thread_request request = { .run = put_for_sleeper };
	struct cpu_isolation_lease_ref lease;
	struct numbers numbers = { 0 };
	struct thread *thread;
	uint32_t woken = 0;

	if (is_skipped())
		return;
	sleeper = ring_self();
	REQUIRE_OK(thread_start(&request, &thread));
	lease = lease_own(10000 * MS);
	/* Now and then the poller sleeps already when the entry comes; then nobody wakes it. */
	for (uint32_t round = 0; round < 200 && woken < 10; round++) {
		put_number(CAP_OP_NOP, 0, 2 * round);
		ring_kick(ring_self());
		STORE_RELEASE(&sleepers_turn, 2 * round + 2);
		woken += cap_enter(0, 2, now_ns() + 50 * MS) == 2;
		while (LOAD_ACQUIRE(&sleepers_turn) != 0)
			continue;
		ring_submit(ring_self());
		CHECK_EQUAL(numbers_read(&numbers, STATUS_OK, UINT32_MAX), 2);
	}
	CHECK(woken > 0);
	CHECK_EQUAL(numbers.wrong, 0);
	CHECK_EQUAL(thread_kill(thread, 0), STATUS_OK);
	CHECK_EQUAL(thread_join(thread, NULL), STATUS_OK);
	client_release(lease.ref);
}

/* Leases that last for a millisecond or a little longer, or are dropped, while entries come. */
static void a_lease_may_end_at_any_moment(void)
{
	struct numbers numbers = { 0 };
	struct chance chance = { 4711 };
	uint64_t polled = 0;

	if (is_skipped())
		return;
	for (uint32_t round = 0; round < 60; round++) {
		struct cpu_isolation_lease_ref lease = lease_new(
				MS + chance_below(&chance, 2000) * 1000);
		bool ended = cpu_isolation_lease_bind(lease, world.self.ref) != STATUS_OK;
		uint64_t end;

		while (!ended && word() != POLLER_NONE) {
			numbers_perform(&numbers, 1 + chance_below(&chance, 100));
			if (chance_below(&chance, 30) == 0)
				break;
		}
		/* Some under way when it ends, or is dropped. */
		end = numbers.next + 10;
		for (uint64_t number = numbers.next; number < end; number++)
			put_number(CAP_OP_NOP, 0, number);
		if (chance_below(&chance, 2))
			polled += account_of(lease).entries;
		client_release(lease.ref);
		while (numbers.next < end || untaken() > 0) {
			ring_kick(ring_self());
			(void)numbers_read(&numbers, STATUS_OK, UINT32_MAX);
		}
	}
	tap_note("%lu entries, %lu of them polled", numbers.next, polled);
	CHECK(polled > 0);
	CHECK_EQUAL(numbers.wrong, 0);
}

/* What was handed over to a poller that is then taken away is performed without cap_enter. */
/* Puts entries until the word says that nobody looks for them, all but the last of them before; answers
 * the number after the last. */
static uint64_t put_while_awake(struct numbers *numbers)
{
	uint64_t put = numbers->next;
	bool awake = true;

	while (awake) {
		(void)numbers_read(numbers, STATUS_OK, UINT32_MAX);
		if (put - numbers->next == 32)
			continue;
		put_number(CAP_OP_NOP, 0, put++);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		awake = word() == POLLER_AWAKE;
	}
	return put;
}

static void the_rest_is_taken(void)
{
	struct numbers numbers = { 0 };
	uint32_t ended = 0;

	if (is_skipped())
		return;
	for (uint32_t round = 0; round < 20; round++) {
		struct cpu_isolation_lease_ref lease = lease_new(2 * MS);
		uint64_t end;

		if (cpu_isolation_lease_bind(lease, world.self.ref) == STATUS_OK) {
			end = put_while_awake(&numbers);
			ended += word() == POLLER_NONE;
			while (word() == POLLER_NONE && numbers.next + 1 < end)
				(void)numbers_read(&numbers, STATUS_OK, UINT32_MAX);
			ring_submit(ring_self());
			(void)numbers_read(&numbers, STATUS_OK, UINT32_MAX);
			CHECK_EQUAL(numbers.next, end);
		}
		client_release(lease.ref);
	}
	CHECK(ended > 0);
	CHECK_EQUAL(numbers.wrong, 0);
}

static void what_cannot_be_polled_is_refused(void)
{
	struct cpu_isolation_lease_ref lease, other;
	struct process_handle_ref child;

	CHECK_EQUAL(lease_try(0, 100 * MS, &lease), STATUS_FAILED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_EVERYBODYS);
	CHECK_EQUAL(scheduling_control_lease(
				    control(), 0, LEASE_KIND_RING, 100 * MS, MS, 2 * MS, &lease),
			STATUS_INVALID_ARGUMENT);
	if (is_skipped())
		return;
	child = child_start(&(struct child_spec){ .role = "hang" });
	lease = lease_new(10000 * MS);
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, world.timer.ref), STATUS_INVALID_ARGUMENT);
	REQUIRE_OK(cpu_isolation_lease_bind(lease, child.ref));
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, child.ref), STATUS_FAILED);
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, world.self.ref), STATUS_FAILED);
	if (world.processors > 2) {
		REQUIRE_OK(lease_try(2, 10000 * MS, &other));
		CHECK_EQUAL(cpu_isolation_lease_bind(other, child.ref), STATUS_FAILED);
		CHECK_EQUAL(cpu_isolation_lease_bind(other, world.self.ref), STATUS_OK);
		client_release(other.ref);
	}
	/* Whose ring it was has ended: it is another's. */
	child_kill(child);
	CHECK(!account_of(lease).bound);
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, world.self.ref), STATUS_OK);
	CHECK_EQUAL(cpu_isolation_lease_end(lease), STATUS_OK);
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, world.self.ref), STATUS_FAILED);
	client_release(lease.ref);
}

/* --- Ends -------------------------------------------------------------------------------------- */

static int64_t flood(void *argument)
{
	struct numbers numbers = { 0 };

	for (;;)
		numbers_perform(&numbers, 1000);
	return 0;
}

int poll_flood_role(const char *arg)
{
	return (int)flood(NULL);
}

static void threads_and_processes_end_while_polled(void)
{
	struct thread_request request = { .run = flood };
	struct cpu_isolation_lease_ref lease;
	struct chance chance = { 99 };

	if (is_skipped())
		return;
	lease = lease_new(20000 * MS);
	for (uint32_t round = 0; round < 20; round++) {
		struct process_handle_ref child = { 0 };
		struct thread *thread = NULL;
		bool whole = round % 2;

		if (whole)
			child = child_start(&(struct child_spec){ .role = "poll-flood" });
		else
			REQUIRE_OK(thread_start(&request, &thread));
		CHECK_EQUAL(cpu_isolation_lease_bind(lease,
					    whole ? child.ref : rt_ref(thread_handle_of(thread))),
				STATUS_OK);
		sleep_ns(chance_below(&chance, 3000) * 1000);
		if (whole) {
			child_kill(child);
		} else {
			CHECK_EQUAL(thread_kill(thread, 0), STATUS_OK);
			CHECK_EQUAL(thread_join(thread, NULL), STATUS_OK);
		}
		CHECK(!account_of(lease).bound);
	}
	CHECK(account_of(lease).entries > 0);
	client_release(lease.ref);
}

/* The holder of the lease dies, and with it the lease. */
static void a_holders_death_ends_the_polling(void)
{
	struct cpu_isolation_lease_ref lease;
	struct process_handle_ref child;

	if (is_skipped())
		return;
	lease = lease_own(20000 * MS);
	child = child_start(&(struct child_spec){
			.role = "hang", .grants = { { "lease", rt_id(lease.ref) } } });
	client_release(lease.ref);
	CHECK_EQUAL(perform(entry_of(CAP_OP_NOP, 0)).status, STATUS_OK);
	CHECK(word() != POLLER_NONE);
	child_kill(child);
	CHECK_EQUAL(word(), POLLER_NONE);
	CHECK_EQUAL(perform(entry_of(CAP_OP_NOP, 0)).status, STATUS_OK);
	REQUIRE_OK(lease_try(1, 100 * MS, &lease));
	client_release(lease.ref);
}

/* --- Bad input ----------------------------------------------------------------------------------- */

/* Writes whatever it can into its ring while that is polled, and enters now and then. */
int poll_spoil_role(const char *arg)
{
	struct chance chance = { number_of(arg) };
	struct ring *ring = ring_self();

	for (uint32_t round = 0; round < 3000; round++) {
		struct ring_entry *entry =
				&ring->entries[chance_below(&chance, header()->sq_entries)];
		uint64_t *words = (uint64_t *)(void *)entry;

		for (uint32_t i = 0; i < sizeof(*entry) / 8; i++)
			words[i] = chance_below(&chance, 3) ? 0 : chance_next(&chance);
		entry->op = (uint8_t)chance_below(&chance, CAP_OP_RETIRE + 3);
		switch (chance_below(&chance, 8)) {
		case 0:
			header()->sq_tail = (uint32_t)chance_next(&chance);
			break;
		case 1:
			header()->cq_head = (uint32_t)chance_next(&chance);
			break;
		case 2:
			header()->poller = (uint32_t)chance_below(&chance, 4);
			break;
		case 3:
			(void)cap_enter(0, chance_below(&chance, 2), 1);
			break;
		case 4:
			header()->cq_head = LOAD_ACQUIRE(&header()->cq_tail);
			break;
		default:
			STORE_RELEASE(&header()->sq_tail,
					header()->sq_tail + chance_below(&chance, 5));
			break;
		}
	}
	process_exit(0);
}

static void a_spoiled_ring_harms_its_own(void)
{
	struct cpu_isolation_lease_ref lease;
	static const char *const seeds[] = { "17", "23", "31", "47", "59", "61" };

	if (is_skipped())
		return;
	lease = lease_new(20000 * MS);
	for (uint32_t i = 0; i < ARRAY_LEN(seeds); i++) {
		struct process_handle_ref child = child_start(
				&(struct child_spec){ .role = "poll-spoil", .arg = seeds[i] });

		/* It may be through already. */
		(void)!cpu_isolation_lease_bind(lease, child.ref);
		sleep_ns(20 * MS);
		child_kill(child);
		CHECK(!account_of(lease).bound);
		kernel_check();
	}
	client_release(lease.ref);
}

static const struct test tests[] = {
	{ "entries are taken without cap_enter", entries_are_taken_without_cap_enter },
	{ "an idle poller sleeps and is woken", an_idle_poller_sleeps_and_is_woken },
	{ "a program goes on with its ring polled", a_program_goes_on_with_its_ring_polled },
	{ "SYNC entries are not the poller's", sync_entries_are_not_the_pollers },
	{ "entries wait for credits", entries_wait_for_credits },
	{ "the poller wakes who waits", the_poller_wakes_who_waits },
	{ "a lease of a ring may end at any moment", a_lease_may_end_at_any_moment },
	{ "what a poller was to take is taken", the_rest_is_taken },
	{ "what cannot be polled is refused", what_cannot_be_polled_is_refused },
	{ "threads and processes end while polled", threads_and_processes_end_while_polled },
	{ "a holder's death ends the polling", a_holders_death_ends_the_polling },
	{ "a spoiled ring harms its own", a_spoiled_ring_harms_its_own },
};

TEST_LIST(poller_tests, tests);
