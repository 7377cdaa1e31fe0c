/*
 * Silence: a processor that has nothing to do, or one thread alone, takes no timer interrupts; and a
 * leased one takes none but the lease's, runs its thread and no other, and serves everybody again
 * when the lease ends, however it does.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"
#include "rt/program.h"

#define MS 1000000ull

static struct scheduling_control_ref control(void)
{
	return (struct scheduling_control_ref){ rt_grant("scheduling", SCHEDULING_CONTROL_INTERFACE_ID) };
}

static uint64_t timer_interrupts(void)
{
	uint64_t switches, allocations, interrupts, calls, timers = 0;

	CHECK_EQUAL(system_info_counters(world.info, &switches, &allocations, &interrupts, &calls, &timers),
			STATUS_OK);
	return timers;
}

static void work(uint64_t duration_ns)
{
	uint64_t until_ns = now_ns() + duration_ns;

	while (now_ns() < until_ns)
		continue;
}

/* --- Silence ---------------------------------------------------------------------------------- */

static void nobody_is_interrupted_who_is_alone(void)
{
	uint64_t before;

	sleep_ns(20 * MS); /* what others left behind is over */
	before = timer_interrupts();
	work(100 * MS);
	/* A slice that was armed before may still end: once on each processor. */
	CHECK(timer_interrupts() - before <= world.processors);
}

static void an_idle_system_is_silent(void)
{
	uint64_t before;

	sleep_ns(20 * MS);
	before = timer_interrupts();
	sleep_ns(100 * MS);
	/* The end of the sleep, which may come in two steps. */
	CHECK(timer_interrupts() - before <= world.processors + 2);
}

/* --- Leases ----------------------------------------------------------------------------------- */

struct account {
	bool active, expired;
	uint64_t remaining_ns, used_ns, interrupts, longest_ns;
};

static status_t lease_try(uint32_t processor, uint64_t duration_ns, struct cpu_isolation_lease_ref *lease)
{
	return scheduling_control_lease(control(), processor, LEASE_KIND_THREAD, duration_ns, 0, 0, lease);
}

static struct account account_of(struct cpu_isolation_lease_ref lease)
{
	struct account account = { 0 };
	enum lease_kind kind;
	uint32_t processor;

	CHECK_EQUAL(cpu_isolation_lease_info(lease, &processor, &kind, &account.active, &account.expired,
				    &account.remaining_ns, &account.used_ns, &account.interrupts,
				    &account.longest_ns, NULL, NULL),
			STATUS_OK);
	return account;
}

static void what_cannot_be_leased_is_refused(void)
{
	struct cpu_isolation_lease_ref lease;

	CHECK_EQUAL(lease_try(0, 100 * MS, &lease), STATUS_FAILED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_EVERYBODYS);
	CHECK_EQUAL(lease_try(world.processors, 100 * MS, &lease), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(lease_try(0, 0, &lease), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(lease_try(0, 3601000 * MS, &lease), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(scheduling_control_lease(control(), 0, LEASE_KIND_THREAD, 100 * MS, MS, 2 * MS, &lease),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(scheduling_control_lease(control(), 0, LEASE_KIND_COMPUTE, 100 * MS, 2 * MS, MS, &lease),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(scheduling_control_lease(control(), 0, (enum lease_kind)7, 100 * MS, 0, 0, &lease),
			STATUS_INVALID_ARGUMENT);
}

/* One processor stays for everybody, and no processor is given twice or beside promises. */
static void leases_on_every_processor_are_refused(void)
{
	struct cpu_isolation_lease_ref leases[16], again;
	struct scheduling_context_ref context;
	uint32_t count = world.processors;

	for (uint32_t i = 1; i < count; i++) {
		REQUIRE_OK(lease_try(i, 1000 * MS, &leases[i]));
		CHECK_EQUAL(lease_try(i, 100 * MS, &again), STATUS_OVERLOADED);
		CHECK_EQUAL(scheduling_control_create(control(), MS, 100 * MS, i, &context), STATUS_OVERLOADED);
	}
	CHECK_EQUAL(lease_try(0, 100 * MS, &again), STATUS_FAILED);
	work(5 * MS);
	for (uint32_t i = 1; i < count; i++)
		client_release(leases[i].ref);
	for (uint32_t i = 1; i < count; i++) {
		REQUIRE_OK(scheduling_control_create(control(), MS, 100 * MS, i, &context));
		CHECK_EQUAL(lease_try(i, 100 * MS, &again), STATUS_OVERLOADED);
		CHECK_EQUAL(reason_of(rt_detail()), REASON_OVERCOMMITTED);
		client_release(context.ref);
	}
}

/* Others that never rest stay away, and the thread is not interrupted. */
static void a_leased_processor_is_one_threads(void)
{
	struct process_handle_ref children[4];
	struct cpu_isolation_lease_ref lease;
	struct account before = { 0 }, after = { 0 };
	uint64_t start_ns, elapsed_ns = 1;
	bool good = false;

	if (world.processors == 1)
		return;
	for (uint32_t i = 0; i < ARRAY_LEN(children); i++)
		children[i] = child_start(&(struct child_spec){ .role = "busy" });
	REQUIRE_OK(lease_try(1, 5000 * MS, &lease));
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, world.timer.ref), STATUS_INVALID_ARGUMENT);
	REQUIRE_OK(cpu_isolation_lease_bind(lease, children[0].ref));
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, children[1].ref), STATUS_FAILED);
	sleep_ns(20 * MS);
	/* A host that stops one processor and not the other is measured again. */
	for (uint32_t round = 0; round < 5 && !good; round++) {
		start_ns = now_ns();
		before = account_of(lease);
		sleep_ns(200 * MS);
		after = account_of(lease);
		elapsed_ns = now_ns() - start_ns;
		good = (after.used_ns - before.used_ns) * 100 >= elapsed_ns * 95 || world.processors > 2;
	}
	tap_note("a leased processor: %lu per mille its thread's, %lu interrupts, %lu us quiet",
			(after.used_ns - before.used_ns) * 1000 / elapsed_ns,
			after.interrupts - before.interrupts, after.longest_ns / 1000);
	CHECK(after.active && after.remaining_ns > 0);
	CHECK(good);
	CHECK(after.interrupts - before.interrupts <= 2);
	CHECK(after.longest_ns >= 100 * MS);
	/* It dies with the lease still there, and another takes its place. */
	child_kill(children[0]);
	REQUIRE_OK(cpu_isolation_lease_bind(lease, children[1].ref));
	sleep_ns(5 * MS);
	CHECK(account_of(lease).used_ns > after.used_ns);
	REQUIRE_OK(cpu_isolation_lease_end(lease));
	REQUIRE_OK(cpu_isolation_lease_end(lease));
	after = account_of(lease);
	CHECK(!after.active && !after.expired && after.remaining_ns == 0);
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, children[2].ref), STATUS_FAILED);
	sleep_ns(5 * MS);
	CHECK_EQUAL(account_of(lease).used_ns, after.used_ns);
	for (uint32_t i = 1; i < ARRAY_LEN(children); i++)
		child_kill(children[i]);
	client_release(lease.ref);
}

/* Half a processor, for a tenth of a second; answers how much of that the child had. */
static uint64_t compute_for_a_while(struct process_handle_ref child)
{
	struct cpu_isolation_lease_ref lease;
	struct account account;

	CHECK_EQUAL(scheduling_control_lease(
				    control(), 1, LEASE_KIND_COMPUTE, 100 * MS, 5 * MS, 10 * MS, &lease),
			STATUS_OK);
	CHECK_EQUAL(cpu_isolation_lease_bind(lease, child.ref), STATUS_OK);
	sleep_ns(120 * MS);
	account = account_of(lease);
	CHECK(!account.active && account.expired && account.remaining_ns == 0);
	sleep_ns(10 * MS);
	CHECK_EQUAL(account_of(lease).used_ns, account.used_ns);
	client_release(lease.ref);
	return account.used_ns;
}

static void a_lease_ends_with_its_time(void)
{
	struct process_handle_ref child;
	struct cpu_isolation_lease_ref lease;
	uint64_t used_ns = 0;

	if (world.processors == 1)
		return;
	child = child_start(&(struct child_spec){ .role = "busy" });
	/* The host may not run this processor for as long. */
	for (uint32_t round = 0; round < 10 && used_ns == 0; round++)
		used_ns = compute_for_a_while(child);
	tap_note("half a processor for 100 ms came to %lu us", used_ns / 1000);
	CHECK(used_ns > 0);
	child_kill(child);
	/* The processor is there for everybody. */
	REQUIRE_OK(lease_try(1, 100 * MS, &lease));
	client_release(lease.ref);
}

/* Leases that begin and end at any time under threads that come and go. */
static void leases_come_and_go(void)
{
	struct process_handle_ref children[3];
	struct chance chance = { 77 };
	uint32_t count = world.processors;

	if (count == 1)
		return;
	for (uint32_t i = 0; i < ARRAY_LEN(children); i++)
		children[i] = child_start(&(struct child_spec){ .role = chance_below(&chance, 2) ? "busy" : "spin" });
	for (uint32_t round = 0; round < 60; round++) {
		uint32_t chosen = chance_below(&chance, ARRAY_LEN(children));
		struct cpu_isolation_lease_ref lease;

		REQUIRE_OK(lease_try(1 + chance_below(&chance, count - 1), (1 + chance_below(&chance, 4)) * MS, &lease));
		(void)!cpu_isolation_lease_bind(lease, children[chosen].ref); /* unless it is over */
		sleep_ns(chance_below(&chance, 3000) * 1000);
		if (chance_below(&chance, 4) == 0) {
			child_kill(children[chosen]);
			children[chosen] = child_start(&(struct child_spec){ .role = "spin" });
		}
		if (chance_below(&chance, 2))
			CHECK_EQUAL(cpu_isolation_lease_end(lease), STATUS_OK);
		client_release(lease.ref);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(children); i++)
		child_kill(children[i]);
}

static const struct test tests[] = {
	{ "nobody is interrupted who is alone", nobody_is_interrupted_who_is_alone },
	{ "an idle system is silent", an_idle_system_is_silent },
	{ "what cannot be leased is refused", what_cannot_be_leased_is_refused },
	{ "leases on every processor are refused", leases_on_every_processor_are_refused },
	{ "a leased processor is one thread's", a_leased_processor_is_one_threads },
	{ "a lease ends with its time", a_lease_ends_with_its_time },
	{ "leases come and go", leases_come_and_go },
};

TEST_LIST(lease_tests, tests);
