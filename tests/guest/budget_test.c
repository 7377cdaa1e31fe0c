/*
 * Budgets: what scheduling contexts promise and refuse, that a runaway takes its part and no more,
 * that budgets go along with calls and come back however the call ends, and what passive servers
 * run on. Times are the guest's own, from the kernel's account; where the host may stop the machine
 * meanwhile, the middle of many is judged.
 */
#include "tests/guest/tests.h"

#include <stdlib.h>
#include <string.h>

#include "bench/sort.h"
#include "rt/capability.h"
#include "rt/program.h"

#define MS 1000000ull

/* --- Roles ------------------------------------------------------------------------------------ */

static void work(uint64_t duration_ns)
{
	uint64_t until_ns = now_ns() + duration_ns;

	while (now_ns() < until_ns)
		continue;
}

/* A call that asks for so much work: a struct with one word. */
static struct ring_entry entry_work(uint32_t target, uint16_t question, uint64_t duration_ns)
{
	struct ring_entry entry = entry_call(target, question);

	message()[0] = 1ull << 32;
	message()[1] = duration_ns;
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	return entry;
}

/* Works as long as each call of "endpoint" says in its first word; "next", if it is there, works
 * first. */
int budget_work_role(const char *arg)
{
	uint32_t endpoint = grant_id("endpoint"), next = grant_id("next");
	struct ring_completion reply = perform_sync(entry_recv(endpoint, Q0));

	while (reply.status == STATUS_OK) {
		uint32_t call_id = reply.id;
		uint64_t duration_ns = seat_message(Q0, true)[1];

		if (next)
			(void)perform_sync(entry_work(next, Q0 + 1, duration_ns));
		work(duration_ns);
		reply = perform_sync(entry_return_rearm(endpoint, call_id, Q0));
	}
	return 1;
}

/* Calls "service" again and again, each time for so much work, until nobody serves. */
int budget_call_role(const char *arg)
{
	uint64_t duration_ns = number_of(arg);
	struct ring_entry call = entry_work(grant_id("service"), Q0, duration_ns);

	while (perform_sync(call).status == STATUS_OK)
		call.flags = ENTRY_FAIL_FAST; /* the first may come before the server has begun */
	return 1;
}

/* --- Contexts --------------------------------------------------------------------------------- */

struct account {
	uint64_t used_ns, available_ns, depletions, missed;
	uint32_t backed;
	bool bound, ended;
};

static struct scheduling_control_ref control(void)
{
	return (struct scheduling_control_ref){ rt_grant("scheduling", SCHEDULING_CONTROL_INTERFACE_ID) };
}

static status_t context_try(uint64_t budget_ns, uint64_t period_ns, struct scheduling_context_ref *context)
{
	return scheduling_control_create(control(), budget_ns, period_ns, 0, context);
}

/* On one of the processors. */
static struct scheduling_context_ref context_anywhere(struct chance *chance, uint64_t budget_ns, uint64_t period_ns)
{
	struct scheduling_context_ref context = { 0 };
	uint32_t processor = chance_below(chance, world.processors);

	CHECK_EQUAL(scheduling_control_create(control(), budget_ns, period_ns, processor, &context), STATUS_OK);
	return context;
}

/* A null reference where it is refused. */
static struct scheduling_context_ref context_new(uint64_t budget_ns, uint64_t period_ns)
{
	struct scheduling_context_ref context = { 0 };

	CHECK_EQUAL(context_try(budget_ns, period_ns, &context), STATUS_OK);
	return context;
}

static struct account account_of(struct scheduling_context_ref context)
{
	struct account account = { 0 };
	uint64_t budget_ns, period_ns;
	uint32_t processor;

	CHECK_EQUAL(scheduling_context_info(context, &processor, &budget_ns, &period_ns,
				    &account.used_ns, &account.available_ns, &account.depletions,
				    &account.missed, &account.bound, &account.backed, &account.ended),
			STATUS_OK);
	return account;
}

static uint64_t promised(void)
{
	uint64_t now = 0, most, whole;
	uint32_t contexts;

	CHECK_EQUAL(scheduling_control_capacity(control(), 0, &now, &most, &whole, &contexts), STATUS_OK);
	CHECK_EQUAL(most, 900000000);
	CHECK_EQUAL(whole, 1000000000);
	return now;
}

static void a_processor_promises_nine_tenths_exactly(void)
{
	struct scheduling_context_ref contexts[9], other;

	CHECK_EQUAL(promised(), 0);
	for (uint32_t i = 0; i < ARRAY_LEN(contexts); i++)
		contexts[i] = context_new(MS, 10 * MS);
	CHECK_EQUAL(promised(), 900000000);
	CHECK_EQUAL(context_try(10000, 4000 * MS, &other), STATUS_OVERLOADED);
	CHECK_EQUAL(promised(), 900000000);
	client_release(contexts[0].ref);
	CHECK_EQUAL(promised(), 800000000);
	CHECK_EQUAL(context_try(MS + 1, 10 * MS, &other), STATUS_OVERLOADED);
	contexts[0] = context_new(400 * MS, 4000 * MS);
	/* Ended for good, and given back once. */
	CHECK_EQUAL(scheduling_context_end(contexts[1]), STATUS_OK);
	CHECK_EQUAL(scheduling_context_end(contexts[1]), STATUS_OK);
	CHECK(account_of(contexts[1]).ended);
	CHECK_EQUAL(promised(), 800000000);
	CHECK_EQUAL(scheduling_context_bind(contexts[1], world.self.ref), STATUS_FAILED);
	for (uint32_t i = 0; i < ARRAY_LEN(contexts); i++)
		client_release(contexts[i].ref);
	CHECK_EQUAL(promised(), 0);
}

static void what_cannot_be_a_budget_is_refused(void)
{
	static const uint64_t wrong[][2] = { { 9999, MS }, { 2 * MS, MS }, { 50000, 99999 },
		{ MS, 4001 * MS }, { 0, 0 }, { UINT64_MAX, UINT64_MAX } };
	struct scheduling_context_ref context;

	for (uint32_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK_EQUAL(context_try(wrong[i][0], wrong[i][1], &context), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(scheduling_control_create(control(), MS, 10 * MS, 4000, &context),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(promised(), 0);
}

static void a_thread_has_one_context(void)
{
	struct process_handle_ref child = child_start(&(struct child_spec){ .role = "hang" });
	struct scheduling_context_ref first = context_new(MS, 10 * MS), second = context_new(MS, 10 * MS);

	CHECK_EQUAL(scheduling_context_bind(first, world.timer.ref), STATUS_INVALID_ARGUMENT);
	REQUIRE_OK(scheduling_context_bind(first, child.ref));
	CHECK(account_of(first).bound);
	CHECK_EQUAL(scheduling_context_bind(first, world.self.ref), STATUS_FAILED);
	CHECK_EQUAL(scheduling_context_bind(second, child.ref), STATUS_FAILED);
	CHECK_EQUAL(scheduling_context_back(second, child.ref), STATUS_FAILED);
	CHECK_EQUAL(scheduling_context_release(second, child.ref), STATUS_FAILED);
	REQUIRE_OK(scheduling_context_unbind(first));
	REQUIRE_OK(scheduling_context_unbind(first));
	CHECK(!account_of(first).bound);
	REQUIRE_OK(scheduling_context_back(second, child.ref));
	CHECK_EQUAL(account_of(second).backed, 1);
	CHECK_EQUAL(scheduling_context_bind(first, child.ref), STATUS_FAILED);
	REQUIRE_OK(scheduling_context_release(second, child.ref));
	REQUIRE_OK(scheduling_context_bind(second, child.ref));
	child_kill(child);
	CHECK(!account_of(second).bound);
	client_release(first.ref);
	client_release(second.ref);
}

/* --- Isolation -------------------------------------------------------------------------------- */

#define ISOLATION_NS (600 * MS)
#define SLEEPS       100u

/* How late this thread wakes from sleeps of a millisecond: a quarter of them is no later, since a host stops the
 * machine now and then. */
static uint64_t lateness_ns(void)
{
	static uint64_t late[SLEEPS];

	for (uint32_t i = 0; i < SLEEPS; i++) {
		uint64_t due_ns = now_ns() + MS;

		(void)!timer_sleep_until(world.timer, due_ns);
		late[i] = now_ns() - due_ns;
	}
	sort_values(late, SLEEPS);
	return late[SLEEPS / 4];
}

/* How much of the time somebody used, in tenths of a per cent; and how late this thread woke. */
static uint64_t measure_share(struct scheduling_context_ref context, uint64_t *late_ns)
{
	uint64_t start_ns = now_ns(), before_ns = account_of(context).used_ns, elapsed_ns;

	*late_ns = lateness_ns();
	(void)!timer_sleep_until(world.timer, start_ns + ISOLATION_NS);
	before_ns = account_of(context).used_ns - before_ns;
	elapsed_ns = now_ns() - start_ns;
	return before_ns * 1000 / elapsed_ns;
}

/* Two that never stop: one on a tenth, one beside all budgets. A third, with a budget, keeps its
 * latency. A host that stops the machine for long lets whoever runs then overrun, and pay later:
 * then it is measured again, and with more processors than a host may have it is not judged. */
static void a_runaway_takes_its_tenth_and_no_more(void)
{
	struct process_handle_ref runaway = child_start(&(struct child_spec){ .role = "busy" });
	struct process_handle_ref other = child_start(&(struct child_spec){ .role = "busy" });
	struct scheduling_context_ref tenth = context_new(MS, 10 * MS), own = context_new(4 * MS, 10 * MS);
	uint64_t share = 0, late_ns = 0;
	bool share_good = false, late_good = false;

	REQUIRE_OK(scheduling_context_bind(own, world.self.ref));
	REQUIRE_OK(scheduling_context_bind(tenth, runaway.ref));
	sleep_ns(20 * MS);
	for (uint32_t round = 0; round < 8 && !(share_good && late_good); round++) {
		share = measure_share(tenth, &late_ns);
		tap_note("a runaway took %lu per mille; a thread with budget woke %lu us late", share,
				late_ns / 1000);
		/* A slice of the other's is five milliseconds. */
		share_good |= (share >= 90 && share <= 110) || world.processors > 2;
		late_good |= late_ns < MS || world.processors > 2;
	}
	CHECK(share_good && late_good);
	CHECK(account_of(tenth).depletions >= 5);
	child_kill(runaway);
	child_kill(other);
	client_release(own.ref);
	client_release(tenth.ref);
}

static void a_notification_tells_of_the_budgets_end(void)
{
	struct process_handle_ref runaway = child_start(&(struct child_spec){ .role = "busy" });
	struct scheduling_context_ref context = context_new(MS, 20 * MS);
	uint32_t notification = notification_new();
	struct signal_ref signal = { rt_ref(notification) };
	struct binding_ref binding;
	bool active;
	uint64_t fired = 0;

	REQUIRE_OK(signal_bind_context(signal, 4, context, &binding));
	REQUIRE_OK(scheduling_context_bind(context, runaway.ref));
	for (uint32_t i = 0; i < 3; i++) {
		struct ring_entry wait = entry_of(CAP_OP_WAIT, notification);

		wait.interface = ~0ull;
		wait.question = Q0;
		CHECK_EQUAL(perform(wait).status, STATUS_OK);
	}
	CHECK(account_of(context).depletions >= 2);
	CHECK_EQUAL(account_of(context).missed, 1); /* it has not come to rest since it began */
	REQUIRE_OK(binding_info(binding, &active, &fired));
	CHECK(active && fired >= 3);
	REQUIRE_OK(scheduling_context_end(context));
	REQUIRE_OK(binding_info(binding, &active, &fired));
	CHECK(!active);
	child_kill(runaway);
	client_release(binding.ref);
	client_release(context.ref);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void who_ends_its_own_context_goes_on_without(void)
{
	struct scheduling_context_ref context = context_new(50 * MS, 4000 * MS);
	uint64_t start_ns = now_ns();

	REQUIRE_OK(scheduling_context_bind(context, world.self.ref));
	REQUIRE_OK(scheduling_context_end(context));
	work(100 * MS);
	CHECK(now_ns() - start_ns < 3500 * MS);
	CHECK(account_of(context).ended && !account_of(context).bound);
	client_release(context.ref);
	/* The same by dropping it, which nobody else holds. */
	context = context_new(50 * MS, 4000 * MS);
	start_ns = now_ns();
	REQUIRE_OK(scheduling_context_bind(context, world.self.ref));
	client_release(context.ref);
	work(100 * MS);
	CHECK(now_ns() - start_ns < 3500 * MS);
	CHECK_EQUAL(promised(), 0);
}

/* --- Donation --------------------------------------------------------------------------------- */

struct service {
	uint32_t endpoint, export;
	struct process_handle_ref server;
};

/* One that works, and has `next` work before (0: nobody). */
static struct service service_start(uint32_t next)
{
	struct service service = { .endpoint = endpoint_new() };

	service.export = export_new(service.endpoint, 1, false);
	service.server = child_start(&(struct child_spec){ .role = "budget-work",
			.grants = { { "endpoint", service.endpoint }, { "timer", rt_id(world.timer.ref) },
					{ next ? "next" : NULL, next } } });
	return service;
}

static void service_end(const struct service *service)
{
	child_kill(service->server);
	CHECK_EQUAL(release(service->export), STATUS_OK);
	CHECK_EQUAL(release(service->endpoint), STATUS_OK);
}

static struct process_handle_ref client_start(uint32_t service, const char *work)
{
	return child_start(&(struct child_spec){
			.role = "budget-call", .arg = work, .grants = { { "service", service } } });
}

static struct ring_completion call_for(uint32_t export, uint64_t work_ns)
{
	return perform_sync(entry_work(export, Q0, work_ns));
}

static void a_budget_goes_along_with_calls(void)
{
	struct service last = service_start(0), first = service_start(last.export);
	struct scheduling_context_ref context = { 0 };
	struct account account;

	REQUIRE_OK(scheduling_control_create(control(), 50 * MS, 100 * MS, world.processors - 1, &context));
	CHECK_EQUAL(call_for(first.export, 0).status, STATUS_OK);
	REQUIRE_OK(scheduling_context_bind(context, world.self.ref));
	/* Two servers, two milliseconds each. */
	CHECK_EQUAL(call_for(first.export, 2 * MS).status, STATUS_OK);
	CHECK(account_of(context).used_ns >= 4 * MS);
	/* Servers that have their own use their own. */
	REQUIRE_OK(scheduling_context_unbind(context));
	REQUIRE_OK(scheduling_context_bind(context, last.server.ref));
	CHECK_EQUAL(call_for(first.export, 2 * MS).status, STATUS_OK);
	CHECK(account_of(context).used_ns >= account.used_ns + 2 * MS);
	client_release(context.ref);
	CHECK_EQUAL(call_for(first.export, 0).status, STATUS_OK);
	service_end(&first);
	service_end(&last);
}

static void an_ordinary_server_does_not_wait_for_its_callers_budget(void)
{
	struct service service = service_start(0);
	struct scheduling_context_ref context = context_new(MS, 2000 * MS);
	struct process_handle_ref client = client_start(service.export, "5000000");
	uint64_t start_ns = now_ns();

	REQUIRE_OK(scheduling_context_bind(context, client.ref));
	sleep_ns(20 * MS);
	/* The client is out of budget and will be for two seconds; its call is done. */
	CHECK(account_of(context).depletions >= 1);
	CHECK_EQUAL(call_for(service.export, MS).status, STATUS_OK);
	CHECK(now_ns() - start_ns < 1000 * MS);
	child_kill(client);
	client_release(context.ref);
	service_end(&service);
}

/* From stopping one thread to starting the next nobody pays; a host can make that longer. */
#define CHANGING_NS (MS / 4)

static void a_passive_server_goes_on_its_reserve_and_the_donor_pays(void)
{
	struct service service = service_start(0);
	struct scheduling_context_ref context = context_new(MS, 100 * MS), reserve = context_new(3 * MS, 10 * MS);
	struct account account;
	uint64_t spent_ns;

	CHECK_EQUAL(call_for(service.export, 0).status, STATUS_OK);
	REQUIRE_OK(scheduling_context_back(reserve, service.server.ref));
	/* Called by one without a budget it has nothing but the reserve. */
	CHECK_EQUAL(call_for(service.export, MS).status, STATUS_OK);
	CHECK(account_of(reserve).used_ns >= MS - CHANGING_NS);
	account = account_of(reserve);
	REQUIRE_OK(scheduling_context_bind(context, world.self.ref));
	/* One on the donor's budget, three of every ten on the reserve, and all of it paid. */
	CHECK_EQUAL(call_for(service.export, 15 * MS).status, STATUS_OK);
	spent_ns = account_of(reserve).used_ns - account.used_ns;
	CHECK(spent_ns > 0);
	CHECK(account_of(context).used_ns > spent_ns);
	REQUIRE_OK(scheduling_context_end(context));
	/* A reserve that ends lets its servers run like any other. */
	REQUIRE_OK(scheduling_context_end(reserve));
	CHECK_EQUAL(call_for(service.export, MS).status, STATUS_OK);
	client_release(context.ref);
	client_release(reserve.ref);
	service_end(&service);
}

static void a_budget_comes_back_when_the_server_dies(void)
{
	struct service last = service_start(0), first = service_start(last.export);
	struct scheduling_context_ref context = context_new(20 * MS, 40 * MS);
	struct process_handle_ref client = client_start(first.export, "3000000");
	struct child_end ended;

	REQUIRE_OK(scheduling_context_bind(context, client.ref));
	sleep_ns(30 * MS);
	/* In the middle of the chain. */
	child_kill(first.server);
	ended = child_finish(client);
	CHECK_EQUAL(ended.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(ended.status, 1);
	CHECK(!account_of(context).bound);
	CHECK_EQUAL(call_for(last.export, MS).status, STATUS_OK);
	client_release(context.ref);
	CHECK_EQUAL(release(first.export), STATUS_OK);
	CHECK_EQUAL(release(first.endpoint), STATUS_OK);
	service_end(&last);
}

static void a_server_goes_on_when_the_donor_dies_or_gives_up(void)
{
	struct service last = service_start(0), first = service_start(last.export);
	struct scheduling_context_ref context = context_new(20 * MS, 40 * MS);
	struct scheduling_context_ref reserve = context_new(10 * MS, 40 * MS);
	uint64_t used_ns;

	REQUIRE_OK(scheduling_context_back(reserve, last.server.ref));
	for (uint32_t round = 0; round < 4; round++) {
		struct process_handle_ref client = client_start(first.export, "3000000");
		struct ring_entry call = entry_work(first.export, Q0, 4 * MS);

		REQUIRE_OK(scheduling_context_bind(context, client.ref));
		sleep_ns(7 * MS + round * 1300000);
		child_kill(client);
		CHECK(!account_of(context).bound);
		used_ns = account_of(context).used_ns;
		CHECK_EQUAL(call_for(first.export, MS).status, STATUS_OK);
		CHECK_EQUAL(account_of(context).used_ns, used_ns);
		/* A deadline in the middle of the chain. */
		REQUIRE_OK(scheduling_context_bind(context, world.self.ref));
		call.deadline_ns = now_ns() + 2 * MS;
		message()[1] = 4 * MS; /* the calls meanwhile used the same words */
		CHECK_EQUAL(perform_sync(call).status, STATUS_DEADLINE_EXCEEDED);
		REQUIRE_OK(scheduling_context_unbind(context));
		used_ns = account_of(context).used_ns;
		CHECK_EQUAL(call_for(first.export, MS).status, STATUS_OK);
		CHECK_EQUAL(account_of(context).used_ns, used_ns);
	}
	client_release(context.ref);
	client_release(reserve.ref);
	service_end(&first);
	service_end(&last);
}

/* Contexts end at any time under clients and servers that never rest. */
static void contexts_end_under_calls_at_any_time(void)
{
	struct service last = service_start(0), first = service_start(last.export);
	struct process_handle_ref clients[2] = { client_start(first.export, "100000"),
		client_start(last.export, "70000") };
	struct chance chance = { 44 };

	for (uint32_t round = 0; round < 60; round++) {
		struct scheduling_context_ref context = context_anywhere(&chance, 2 * MS, 10 * MS);
		struct scheduling_context_ref reserve = context_anywhere(&chance, MS, 5 * MS);
		uint32_t chosen = chance_below(&chance, 2);

		REQUIRE_OK(scheduling_context_bind(context, clients[chosen].ref));
		REQUIRE_OK(scheduling_context_back(reserve, chance_below(&chance, 2) ? last.server.ref : first.server.ref));
		sleep_ns(chance_below(&chance, 4000) * 1000);
		if (chance_below(&chance, 2))
			CHECK_EQUAL(scheduling_context_end(reserve), STATUS_OK);
		client_release(context.ref);
		sleep_ns(chance_below(&chance, 500) * 1000);
		client_release(reserve.ref);
		kernel_check();
	}
	CHECK_EQUAL(promised(), 0);
	child_kill(clients[0]);
	child_kill(clients[1]);
	CHECK_EQUAL(call_for(first.export, 0).status, STATUS_OK);
	service_end(&first);
	service_end(&last);
}

static const struct test tests[] = {
	{ "a processor promises nine tenths exactly", a_processor_promises_nine_tenths_exactly },
	{ "what cannot be a budget is refused", what_cannot_be_a_budget_is_refused },
	{ "a thread has one context", a_thread_has_one_context },
	{ "a runaway takes its tenth and no more", a_runaway_takes_its_tenth_and_no_more },
	{ "a notification tells of the budget's end", a_notification_tells_of_the_budgets_end },
	{ "who ends its own context goes on without", who_ends_its_own_context_goes_on_without },
	{ "a budget goes along with calls", a_budget_goes_along_with_calls },
	{ "an ordinary server does not wait for its caller's budget",
			an_ordinary_server_does_not_wait_for_its_callers_budget },
	{ "a passive server goes on its reserve and the donor pays",
			a_passive_server_goes_on_its_reserve_and_the_donor_pays },
	{ "a budget comes back when the server dies", a_budget_comes_back_when_the_server_dies },
	{ "a server goes on when the donor dies or gives up", a_server_goes_on_when_the_donor_dies_or_gives_up },
	{ "contexts end under calls at any time", contexts_end_under_calls_at_any_time },
};

TEST_LIST(budget_tests, tests);
