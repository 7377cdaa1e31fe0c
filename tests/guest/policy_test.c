/*
 * Policies: who may say how threads share the processors, that it is so afterwards wherever a thread is when it is
 * said, and that nobody gains by saying it again and again. Times are the kernel's account of who ran, so what a
 * host does meanwhile is nobody's; shares are of one processor.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/program.h"

#define MS 1000000ull

static struct scheduling_policy_ref root_policy(void)
{
	struct scheduling_control_ref control = { rt_grant(
			"scheduling", SCHEDULING_CONTROL_INTERFACE_ID) };
	struct scheduling_policy_ref policy = { 0 };

	CHECK_EQUAL(scheduling_control_policy(control, &policy), STATUS_OK);
	return policy;
}

static uint64_t all_processors(void)
{
	return (1ull << world.processors) - 1;
}

/* --- Roles ------------------------------------------------------------------------------------ */

/* Says of its own thread what is so already, for ever. */
int policy_again_role(const char *arg)
{
	struct scheduling_policy_ref policy = { rt_grant(
			"policy", SCHEDULING_POLICY_INTERFACE_ID) };
	struct thread_spawner_ref threads = { rt_grant("threads", THREAD_SPAWNER_INTERFACE_ID) };
	struct thread_handle_ref self = { 0 };
	bool found = false;

	if (thread_spawner_open(threads, ring_self()->header->thread_id, &found, &self) !=
			STATUS_OK)
		return 1;
	while (scheduling_policy_apply(policy, self.ref, 100, LATENCY_CLASS_NORMAL, 0) == STATUS_OK)
		continue;
	return 2;
}

/* --- What is so ------------------------------------------------------------------------------- */

struct row {
	uint64_t cpu_ns, processors, runs_on, budget_ns, period_ns, available_ns;
	uint32_t id, weight, threads;
	enum latency_class class;
};

static uint32_t id_of(struct process_handle_ref process)
{
	struct process_observer_info_params_builder params;
	struct process_observer_info_call info = process_observer_info_begin(
			process_handle_as_process_observer(process), &params);
	uint32_t id;

	process_observer_info_send(&info);
	(void)!process_observer_info_wait(&info);
	id = process_observer_info_results_get_process_id(process_observer_info_results(&info));
	process_observer_info_done(&info);
	return id;
}

static struct row row_of(struct process_handle_ref process)
{
	struct row row = { .id = id_of(process) };
	struct capability_manager_processes_params_builder params;
	struct capability_manager_processes_call call = capability_manager_processes_begin(
			world.authority, &params);
	struct process_row_reader in;

	capability_manager_processes_params_set_start(params, row.id);
	capability_manager_processes_send(&call);
	CHECK_EQUAL(capability_manager_processes_wait(&call), STATUS_OK);
	in = process_row_at(capability_manager_processes_results_get_processes(
					    capability_manager_processes_results(&call)),
			0);
	CHECK_EQUAL(process_row_get_process_id(in), row.id);
	row.cpu_ns = process_row_get_cpu_ns(in);
	row.threads = process_row_get_threads(in);
	row.weight = process_row_get_weight(in);
	row.class = process_row_get_class(in);
	row.processors = process_row_get_processors(in);
	row.runs_on = process_row_get_runs_on(in);
	row.budget_ns = process_row_get_budget_ns(in);
	row.period_ns = process_row_get_period_ns(in);
	row.available_ns = process_row_get_available_ns(in);
	capability_manager_processes_done(&call);
	return row;
}

struct thread_row {
	uint64_t processors;
	uint32_t weight, processor;
	enum latency_class class;
	bool budgeted;
};

static struct thread_row thread_row_of(struct thread_handle_ref thread)
{
	struct thread_handle_info_params_builder params;
	struct thread_handle_info_call call = thread_handle_info_begin(thread, &params);
	struct thread_handle_info_results_reader in;
	struct thread_row row;

	thread_handle_info_send(&call);
	CHECK_EQUAL(thread_handle_info_wait(&call), STATUS_OK);
	in = thread_handle_info_results(&call);
	row = (struct thread_row){
		.processors = thread_handle_info_results_get_processors(in),
		.weight = thread_handle_info_results_get_weight(in),
		.processor = thread_handle_info_results_get_processor(in),
		.class = thread_handle_info_results_get_class(in),
		.budgeted = thread_handle_info_results_get_budgeted(in),
	};
	thread_handle_info_done(&call);
	return row;
}

static struct thread_handle_ref own_thread(void)
{
	struct thread_handle_ref handle = { 0 };
	bool found = false;

	CHECK_EQUAL(thread_spawner_open(
				    world.threads, ring_self()->header->thread_id, &found, &handle),
			STATUS_OK);
	CHECK(found);
	return handle;
}

/* Whether the process comes to run on these processors, and goes on there. */
static bool settles_on(struct process_handle_ref process, uint64_t processors)
{
	struct row before, after;

	for (uint32_t i = 0; i < 2000; i++) {
		before = row_of(process);
		if ((before.runs_on & ~processors) == 0)
			break;
		sleep_ns(MS);
	}
	for (uint32_t i = 0; i < 2000; i++) {
		after = row_of(process);
		if (after.cpu_ns > before.cpu_ns + MS)
			return (after.runs_on & ~processors) == 0;
		sleep_ns(MS);
	}
	return false;
}

static status_t apply(struct process_handle_ref process, uint32_t weight, enum latency_class class,
		uint64_t processors)
{
	struct scheduling_policy_ref policy = root_policy();
	status_t status = scheduling_policy_apply(policy, process.ref, weight, class, processors);

	client_release(policy.ref);
	return status;
}

static struct process_handle_ref busy_start(void)
{
	return child_start(&(struct child_spec){ .role = "busy" });
}

/* --- Bounds ----------------------------------------------------------------------------------- */

static bool info_is(struct scheduling_policy_ref policy, uint32_t weight, enum latency_class class,
		uint64_t processors)
{
	enum latency_class is_class = LATENCY_CLASS_NONE;
	uint64_t is_processors = 0;
	uint32_t is_weight = 0;

	CHECK_EQUAL(scheduling_policy_info(policy, &is_weight, &is_class, &is_processors),
			STATUS_OK);
	return is_weight == weight && is_class == class && is_processors == processors;
}

/* Refused, with the parameter and the bound named. */
#define CHECK_REFUSED(status, parameter, limit)                       \
	do {                                                          \
		CHECK_EQUAL(status, STATUS_INVALID_ARGUMENT);         \
		CHECK_EQUAL(reason_of(rt_detail()), REASON_ARGUMENT); \
		CHECK_EQUAL(class_of(rt_detail()), parameter);        \
		CHECK_EQUAL(rt_detail() >> 32, limit);                \
	} while (0)

static void what_is_beyond_the_bounds_is_refused(void)
{
	struct process_handle_ref child = child_start(&(struct child_spec){ .role = "hang" });
	struct scheduling_policy_ref policy = root_policy();
	uint32_t id = narrow_of(rt_id(child.ref), PROCESS_OBSERVER_INTERFACE_ID);
	struct row row;

	CHECK(info_is(policy, 10000, LATENCY_CLASS_INTERACTIVE, all_processors()));
	CHECK_REFUSED(scheduling_policy_apply(policy, child.ref, 10001, 0, 0), 1, 10000);
	CHECK_REFUSED(scheduling_policy_apply(policy, child.ref, UINT32_MAX, 0, 0), 1, 10000);
	CHECK_REFUSED(scheduling_policy_apply(policy, child.ref, 7, (enum latency_class)4, 0), 2,
			LATENCY_CLASS_INTERACTIVE);
	CHECK_REFUSED(scheduling_policy_apply(policy, child.ref, 7, 0, all_processors() + 1), 3,
			all_processors());
	CHECK_REFUSED(scheduling_policy_apply(policy, child.ref, 7, 0, UINT64_MAX), 3,
			all_processors());
	/* What may be told of, but not ended, and what is no thread at all. */
	CHECK_EQUAL(scheduling_policy_apply(policy, (struct client_ref)rt_ref(id), 7, 0, 0),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_WRONG_TYPE);
	CHECK_EQUAL(scheduling_policy_apply(policy, world.timer.ref, 7, 0, 0),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(scheduling_policy_apply(policy, (struct client_ref){ 0 }, 7, 0, 0),
			STATUS_INVALID_ARGUMENT);
	row = row_of(child);
	CHECK(row.weight == 100 && row.class == LATENCY_CLASS_NORMAL &&
			row.processors == all_processors());
	/* Nothing said, nothing changed. */
	CHECK_EQUAL(scheduling_policy_apply(policy, child.ref, 0, 0, 0), STATUS_OK);
	CHECK_EQUAL(row_of(child).weight, 100);
	CHECK_EQUAL(release(id), STATUS_OK);
	REQUIRE_OK(process_handle_kill(child, 3));
	CHECK_EQUAL(child_wait(child).status, 3);
	CHECK_EQUAL(scheduling_policy_apply(policy, child.ref, 7, 0, 0), STATUS_FAILED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_STATE);
	client_release(child.ref);
	client_release(policy.ref);
}

static void bounds_only_shrink(void)
{
	struct process_handle_ref child = child_start(&(struct child_spec){ .role = "hang" });
	struct scheduling_policy_ref policy = root_policy(), narrow, again, same;

	REQUIRE_OK(scheduling_policy_narrow(policy, 200, LATENCY_CLASS_NORMAL, 1, &narrow));
	CHECK(info_is(narrow, 200, LATENCY_CLASS_NORMAL, 1));
	REQUIRE_OK(scheduling_policy_narrow(narrow, 0, 0, 0, &same));
	CHECK(info_is(same, 200, LATENCY_CLASS_NORMAL, 1));
	REQUIRE_OK(scheduling_policy_narrow(narrow, 50, LATENCY_CLASS_BATCH, 0, &again));
	CHECK(info_is(again, 50, LATENCY_CLASS_BATCH, 1));
	CHECK_REFUSED(scheduling_policy_narrow(again, 51, 0, 0, &same), 0, 50);
	CHECK_REFUSED(scheduling_policy_narrow(again, 0, LATENCY_CLASS_NORMAL, 0, &same), 1,
			LATENCY_CLASS_BATCH);
	CHECK_REFUSED(scheduling_policy_narrow(again, 0, 0, 3, &same), 2, 1);
	CHECK_REFUSED(scheduling_policy_apply(again, child.ref, 51, 0, 0), 1, 50);
	CHECK_REFUSED(scheduling_policy_apply(again, child.ref, 0, LATENCY_CLASS_INTERACTIVE, 0), 2,
			LATENCY_CLASS_BATCH);
	CHECK_REFUSED(scheduling_policy_apply(again, child.ref, 0, 0, 2), 3, 1);
	CHECK_EQUAL(row_of(child).weight, 100);
	REQUIRE_OK(scheduling_policy_apply(again, child.ref, 1, LATENCY_CLASS_BATCH, 1));
	CHECK_EQUAL(row_of(child).class, LATENCY_CLASS_BATCH);
	client_release(same.ref);
	client_release(again.ref);
	client_release(narrow.ref);
	client_release(policy.ref);
	child_kill(child);
}

static void what_was_applied_outlives_the_policy(void)
{
	struct process_handle_ref child = child_start(&(struct child_spec){ .role = "hang" });
	struct scheduling_policy_ref policy = root_policy(), narrow;
	uint32_t revoked = 0;

	REQUIRE_OK(scheduling_policy_narrow(policy, 500, 0, 0, &narrow));
	REQUIRE_OK(scheduling_policy_apply(narrow, child.ref, 400, 0, 1));
	REQUIRE_OK(capability_manager_revoke_derived(world.authority, policy.ref, &revoked));
	CHECK_EQUAL(revoked, 1);
	CHECK_EQUAL(scheduling_policy_apply(narrow, child.ref, 300, 0, 0), STATUS_DISCONNECTED);
	CHECK(row_of(child).weight == 400 && row_of(child).processors == 1);
	client_release(narrow.ref);
	client_release(policy.ref);
	CHECK_EQUAL(row_of(child).weight, 400);
	child_kill(child);
}

/* --- Who it is of ----------------------------------------------------------------------------- */

static void threads_and_processes_made_later_have_it(void)
{
	struct scheduling_policy_ref policy = root_policy();
	struct process_handle_ref child;
	struct thread_handle_ref self = own_thread();
	struct thread_row row;

	REQUIRE_OK(scheduling_policy_apply(policy, world.self.ref, 150, LATENCY_CLASS_BATCH, 1));
	row = thread_row_of(self);
	CHECK(row.weight == 150 && row.class == LATENCY_CLASS_BATCH && row.processors == 1 &&
			row.processor == 0);
	CHECK(!row.budgeted);
	/* Of a thread alone it is not passed on. */
	REQUIRE_OK(scheduling_policy_apply(policy, self.ref, 160, 0, 0));
	CHECK_EQUAL(thread_row_of(self).weight, 160);
	child = child_start(&(struct child_spec){ .role = "hang" });
	CHECK(row_of(child).weight == 150 && row_of(child).class == LATENCY_CLASS_BATCH);
	CHECK(row_of(child).processors == 1 && row_of(child).runs_on == 1);
	REQUIRE_OK(scheduling_policy_apply(
			policy, world.self.ref, 100, LATENCY_CLASS_NORMAL, all_processors()));
	CHECK_EQUAL(row_of(child).weight, 150);
	CHECK_EQUAL(thread_row_of(self).weight, 100);
	CHECK_EQUAL(thread_row_of(self).processors, all_processors());
	child_kill(child);
	client_release(self.ref);
	client_release(policy.ref);
}

/* --- Shares ----------------------------------------------------------------------------------- */

/* How much of what the two had in half a second was the first one's, per mille. */
static uint64_t share_of(struct process_handle_ref one, struct process_handle_ref other)
{
	uint64_t one_ns = row_of(one).cpu_ns, other_ns = row_of(other).cpu_ns;

	sleep_ns(500 * MS);
	one_ns = row_of(one).cpu_ns - one_ns;
	other_ns = row_of(other).cpu_ns - other_ns;
	return one_ns * 1000 / MAX(one_ns + other_ns, 1ull);
}

static bool share_comes_to(struct process_handle_ref one, struct process_handle_ref other,
		uint64_t least, uint64_t most)
{
	uint64_t share = 0;

	for (uint32_t round = 0; round < 6; round++) {
		share = share_of(one, other);
		if (share >= least && share <= most)
			break;
	}
	tap_note("a share of %lu per mille where %lu to %lu are wanted", share, least, most);
	return share >= least && share <= most;
}

static void time_is_shared_by_weight(void)
{
	struct process_handle_ref one = busy_start(), other = busy_start();
	uint64_t last = 1ull << (world.processors - 1);

	REQUIRE_OK(apply(one, 0, 0, last));
	REQUIRE_OK(apply(other, 0, 0, last));
	CHECK(settles_on(one, last) && settles_on(other, last));
	CHECK(share_comes_to(one, other, 450, 550));
	REQUIRE_OK(apply(one, 300, LATENCY_CLASS_INTERACTIVE, 0));
	CHECK(share_comes_to(one, other, 700, 800));
	REQUIRE_OK(apply(other, 2700, LATENCY_CLASS_BATCH, 0));
	CHECK(share_comes_to(one, other, 60, 140));
	child_kill(one);
	child_kill(other);
}

static void saying_it_again_gains_nothing(void)
{
	struct scheduling_policy_ref policy = root_policy();
	struct process_handle_ref hog = child_start(&(struct child_spec){ .role = "policy-again",
			.grants = { { "policy", rt_id(policy.ref) }, { "threads", OWN_THREADS } },
			.interfaces = { &scheduling_policy_interface,
					&thread_spawner_interface } });
	struct process_handle_ref other = busy_start();

	REQUIRE_OK(apply(hog, 0, 0, 1));
	REQUIRE_OK(apply(other, 0, 0, 1));
	CHECK(share_comes_to(hog, other, 400, 550));
	child_kill(hog);
	child_kill(other);
	client_release(policy.ref);
}

/* --- Processors ------------------------------------------------------------------------------- */

static void who_computes_moves_at_once(void)
{
	struct process_handle_ref child = busy_start();
	struct chance chance = { 61 };

	for (uint32_t round = 0; round < 20; round++) {
		uint64_t to = 1 + chance_below(&chance, (uint32_t)all_processors());

		REQUIRE_OK(apply(child, 1 + chance_below(&chance, 300),
				1 + chance_below(&chance, 3), to));
		kernel_check();
		CHECK(settles_on(child, to));
		CHECK_EQUAL(row_of(child).processors, to);
	}
	child_kill(child);
}

static void who_sleeps_wakes_where_it_may_run(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct process_handle_ref server = child_start(&(struct child_spec){
			.role = "echo", .grants = { { "endpoint", endpoint } } });
	struct thread_handle_ref self = own_thread();
	struct scheduling_policy_ref policy = root_policy();

	for (uint32_t processor = 0; processor < world.processors; processor++) {
		uint32_t other = (processor + 1) % world.processors;

		/* It waits for a call, and this thread calls from another processor. */
		REQUIRE_OK(apply(server, 0, 0, 1ull << processor));
		REQUIRE_OK(scheduling_policy_apply(policy, self.ref, 0, 0, 1ull << other));
		for (uint32_t i = 0; i < 50; i++) {
			CHECK_EQUAL(perform_sync(entry_call(export, Q0)).status, STATUS_OK);
			CHECK_EQUAL(row_of(server).runs_on, 1ull << processor);
			CHECK_EQUAL(thread_row_of(self).processor, other);
		}
	}
	REQUIRE_OK(scheduling_policy_apply(policy, self.ref, 0, 0, all_processors()));
	client_release(policy.ref);
	client_release(self.ref);
	child_kill(server);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Two that call each other all the time, and one that computes, are moved while they call, answer, wait and run. */
static void who_is_in_a_call_moves_too(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct process_handle_ref children[] = {
		child_start(&(struct child_spec){
				.role = "echo", .grants = { { "endpoint", endpoint } } }),
		child_start(&(struct child_spec){
				.role = "calls", .arg = "0", .grants = { { "service", export } } }),
		child_start(&(struct child_spec){
				.role = "calls", .arg = "0", .grants = { { "service", export } } }),
		busy_start(),
	};
	struct chance chance = { 62 };

	for (uint32_t round = 0; round < 400; round++) {
		struct process_handle_ref child =
				children[chance_below(&chance, ARRAY_LEN(children))];

		REQUIRE_OK(apply(child, 1 + chance_below(&chance, 300), chance_below(&chance, 4),
				chance_below(&chance, (uint32_t)all_processors() + 1)));
		if (chance_below(&chance, 4) == 0)
			kernel_check();
		if (chance_below(&chance, 2))
			sleep_ns(chance_below(&chance, 2000) * 1000);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(children); i++) {
		REQUIRE_OK(apply(children[i], 100, LATENCY_CLASS_NORMAL, all_processors()));
		CHECK(settles_on(children[i], all_processors()));
	}
	for (uint32_t i = ARRAY_LEN(children); i-- > 0;)
		child_kill(children[i]);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* A lease takes its processor from everybody, and everybody goes on. */
static void whose_only_processor_is_leased_goes_on(void)
{
	struct scheduling_control_ref control = { rt_grant(
			"scheduling", SCHEDULING_CONTROL_INTERFACE_ID) };
	struct process_handle_ref one = busy_start(), other = busy_start();
	struct cpu_isolation_lease_ref lease;

	if (world.processors > 1) {
		REQUIRE_OK(apply(one, 0, 0, 2));
		CHECK(settles_on(one, 2));
		REQUIRE_OK(scheduling_control_lease(
				control, 1, LEASE_KIND_THREAD, 60000 * MS, 0, 0, &lease));
		CHECK(settles_on(one, 1));
		REQUIRE_OK(apply(other, 0, 0, 2));
		CHECK(settles_on(other, 1));
		kernel_check();
		REQUIRE_OK(cpu_isolation_lease_end(lease));
		CHECK(settles_on(one, 2) && settles_on(other, 2));
		kernel_check();
		client_release(lease.ref);
	}
	child_kill(one);
	child_kill(other);
}

/* A budget names its processor, and comes before. */
static void a_budget_goes_before_an_affinity(void)
{
	struct scheduling_control_ref control = { rt_grant(
			"scheduling", SCHEDULING_CONTROL_INTERFACE_ID) };
	struct process_handle_ref child = busy_start();
	struct scheduling_context_ref context;
	uint32_t last = world.processors - 1;
	struct row row;

	REQUIRE_OK(scheduling_control_create(control, 5 * MS, 10 * MS, last, &context));
	REQUIRE_OK(apply(child, 0, 0, 1));
	REQUIRE_OK(scheduling_context_bind(context, child.ref));
	CHECK(settles_on(child, 1ull << last));
	REQUIRE_OK(apply(child, 30, LATENCY_CLASS_BATCH, 1));
	CHECK(settles_on(child, 1ull << last));
	row = row_of(child);
	CHECK(row.budget_ns == 5 * MS && row.period_ns == 10 * MS && row.available_ns <= 5 * MS);
	REQUIRE_OK(scheduling_context_unbind(context));
	CHECK(settles_on(child, 1));
	CHECK_EQUAL(row_of(child).budget_ns, 0);
	client_release(context.ref);
	child_kill(child);
}

static const struct test tests[] = {
	{ "what is beyond the bounds is refused", what_is_beyond_the_bounds_is_refused },
	{ "bounds only shrink", bounds_only_shrink },
	{ "what was applied outlives the policy", what_was_applied_outlives_the_policy },
	{ "threads and processes made later have it", threads_and_processes_made_later_have_it },
	{ "time is shared by weight", time_is_shared_by_weight },
	{ "saying it again gains nothing", saying_it_again_gains_nothing },
	{ "who computes moves at once", who_computes_moves_at_once },
	{ "who sleeps wakes where it may run", who_sleeps_wakes_where_it_may_run },
	{ "who is in a call moves, too", who_is_in_a_call_moves_too },
	{ "whose only processor is leased goes on", whose_only_processor_is_leased_goes_on },
	{ "a budget goes before an affinity", a_budget_goes_before_an_affinity },
};

TEST_LIST(policy_tests, tests);
