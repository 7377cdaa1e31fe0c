/*
 * Leases by an operator's rule, used as a client and as the operator do, reported as TAP on the console.
 * Started by init from manifests/test-isolation.capnp, once as `tester`, whose end ends the system, and as
 * `holder`, which takes a lease for itself and sleeps: it is there to be ended.
 *
 * With one processor every lease is refused; what needs one then counts as done.
 */
#include <string.h>

#include "abi/compiler.h"
#include "capos/init.client.h"
#include "capos/isolation.client.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/mutex.h"
#include "rt/park.h"
#include "rt/program.h"
#include "rt/thread.h"

#define MS             UINT64_C(1000000)
#define LONG_NS        (10000 * MS) /* what the manifest's rule allows */
#define WAITS_MAX      500u         /* of 10 ms: what a slow machine may need */
#define HOLDER_REFUSED 3

static unsigned int count, failed;
static uint32_t processors;
static uint32_t stop; /* set: busy threads end */

static void check(bool ok, const char *what)
{
	rt_print("TAP %s %u - %s", ok ? "ok" : "not ok", ++count, what);
	if (!ok)
		failed++;
}

static struct isolation_ref isolation(void)
{
	return RT_GRANT(isolation, "isolation");
}

static struct isolation_control_ref operator(void)
{
	return RT_GRANT(isolation_control, "control");
}

/* --- Asking ------------------------------------------------------------------------------------- */

struct wish {
	struct client_ref thread;
	enum lease_kind kind;
	uint64_t duration_ns;
	uint32_t processor;
	uint64_t budget_ns, period_ns;
};

/* Whether the wish is refused with these words. */
static bool is_refused(struct wish wish, status_t status, const char *words)
{
	struct isolation_lease_call call = isolation_lease_start(isolation(), wish.thread,
			wish.kind, wish.duration_ns, wish.processor, wish.budget_ns,
			wish.period_ns);
	status_t st = isolation_lease_wait(&call);
	struct capnp_text reason = client_reason(&call.call);
	bool same = st == status && capnp_text_equals(reason, words);

	if (!same)
		rt_print("TAP # %d: %.*s", (int)st, (int)reason.bytes, reason.chars);
	isolation_lease_done(&call);
	return same;
}

static status_t ask(struct wish wish, struct issued_lease_ref *lease)
{
	*lease = (struct issued_lease_ref){ 0 };
	return isolation_lease(isolation(), wish.thread, wish.kind, wish.duration_ns,
			wish.processor, wish.budget_ns, wish.period_ns, lease);
}

struct seen {
	enum lease_state state;
	uint32_t processor, process_id, thread_id;
	uint64_t id, remaining_ns, used_ns;
	bool is_busy; /* by the thread's name */
};

static struct seen look(struct issued_lease_ref lease, status_t *st)
{
	struct issued_lease_info_call call = issued_lease_info_start(lease);
	struct issued_lease_info_results_reader info;
	struct seen seen = { 0 };

	*st = issued_lease_info_wait(&call);
	if (*st == STATUS_OK) {
		info = issued_lease_info_results(&call);
		seen.id = issued_lease_info_results_get_id(info);
		seen.state = issued_lease_info_results_get_state(info);
		seen.processor = issued_lease_info_results_get_processor(info);
		seen.process_id = issued_lease_info_results_get_process_id(info);
		seen.thread_id = issued_lease_info_results_get_thread_id(info);
		seen.remaining_ns = issued_lease_info_results_get_remaining_ns(info);
		seen.used_ns = issued_lease_info_results_get_used_ns(info);
		seen.is_busy = capnp_text_equals(
				issued_lease_info_results_get_thread(info), "busy");
	}
	issued_lease_info_done(&call);
	return seen;
}

static enum lease_state state_of(struct issued_lease_ref lease)
{
	status_t st;

	return look(lease, &st).state;
}

/* How many leases the operator sees; of the first that `client` has, id, state and process. */
static uint32_t listed(const char *client, struct seen *seen)
{
	struct isolation_control_leases_call call = isolation_control_leases_start(operator());
	struct capnp_list list = { 0 };
	uint32_t rows = UINT32_MAX;

	*seen = (struct seen){ 0 };
	if (isolation_control_leases_wait(&call) == STATUS_OK) {
		list = isolation_control_leases_results_get_leases(
				isolation_control_leases_results(&call));
		rows = list.count;
	}
	for (uint32_t i = list.count; i-- > 0;) {
		struct lease_row_reader row = lease_row_at(list, i);

		if (capnp_text_equals(lease_row_get_client(row), client))
			*seen = (struct seen){ .id = lease_row_get_id(row),
				.state = lease_row_get_state(row),
				.processor = lease_row_get_processor(row),
				.process_id = lease_row_get_process(row) };
	}
	isolation_control_leases_done(&call);
	return rows;
}

/* The service learns of an object's last holder by an event, which calls may overtake. */
static bool nothing_is_listed_soon(void)
{
	struct seen seen;

	for (uint32_t i = 0; i < WAITS_MAX; i++) {
		if (listed("", &seen) == 0)
			return true;
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	}
	return false;
}

static bool becomes(struct issued_lease_ref lease, enum lease_state state)
{
	for (uint32_t i = 0; i < WAITS_MAX; i++) {
		if (state_of(lease) == state)
			return true;
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	}
	return false;
}

/* --- Whom it is for ----------------------------------------------------------------------------- */

static int64_t busy(void *argument)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		;
	return 0;
}

static struct thread *busy_start(void)
{
	struct thread *thread = NULL;

	stop = 0;
	if (thread_start(&(struct thread_request){ .run = busy, .name = "busy" }, &thread) !=
			STATUS_OK)
		rt_exit(2);
	return thread;
}

static void busy_stop(struct thread *thread)
{
	stop = 1;
	(void)!thread_join(thread, NULL);
}

static struct client_ref handle(struct thread *thread)
{
	return rt_ref(thread_handle_of(thread));
}

/* --- Refusals ----------------------------------------------------------------------------------- */

static void test_rule(void)
{
	struct thread *thread = busy_start();
	struct client_ref whom = handle(thread);

	check(is_refused((struct wish){ .thread = whom, .kind = LEASE_KIND_RING }, STATUS_FAILED,
			      "the operator's rule allows no lease of kind ring"),
			"a kind that the rule does not name is refused");
	check(is_refused((struct wish){ .thread = whom, .kind = (enum lease_kind)9 },
			      STATUS_INVALID_ARGUMENT, "there is no lease of kind 9"),
			"a kind that does not exist is refused");
	check(is_refused((struct wish){ .thread = whom, .processor = 2 }, STATUS_FAILED,
			      "the operator's rule does not allow processor 2"),
			"a processor that the rule does not name is refused");
	check(is_refused((struct wish){ .thread = whom, .processor = 200 }, STATUS_FAILED,
			      "the operator's rule does not allow processor 200"),
			"a processor that no rule could name is refused");
	check(is_refused((struct wish){ .thread = whom, .duration_ns = LONG_NS + 1 }, STATUS_FAILED,
			      "the operator's rule allows 10000 ms at most"),
			"a lease longer than the rule allows is refused");
	check(is_refused((struct wish){ .thread = whom,
					 .kind = LEASE_KIND_COMPUTE,
					 .budget_ns = 51 * MS,
					 .period_ns = 100 * MS },
			      STATUS_FAILED,
			      "the operator's rule allows 500 thousandths of a processor"),
			"a greater share than the rule allows is refused");
	if (processors == 1)
		check(is_refused((struct wish){ .thread = whom }, STATUS_FAILED,
				      "this machine has one processor, and that one serves "
				      "everybody"),
				"one processor is leased to nobody");
	else
		check(is_refused((struct wish){ .thread = RT_GRANT(timer, "timer").ref },
				      STATUS_INVALID_ARGUMENT,
				      "thread: a ThreadHandle or a ProcessHandle is needed") &&
						is_refused((struct wish){ 0 },
								STATUS_INVALID_ARGUMENT,
								"thread: a ThreadHandle or a "
								"ProcessHandle is needed"),
				"what is no thread is refused");
	if (processors > 1)
		check(is_refused((struct wish){ .thread = whom, .kind = LEASE_KIND_COMPUTE },
				      STATUS_INVALID_ARGUMENT,
				      "kind compute needs budgetNs and periodNs") &&
						is_refused((struct wish){ .thread = whom,
									   .duration_ns = 1 },
								STATUS_INVALID_ARGUMENT,
								"durationNs: from 1 ms to an hour"),
				"what the kernel refuses is said in the client's words");
	busy_stop(thread);
}

/* Sets a rule for a client; the words of the refusal go to the log. */
static status_t rule_set(const char *client, uint64_t duration_ns, uint32_t share)
{
	struct isolation_control_set_rule_params_builder params;
	struct isolation_control_set_rule_call call = isolation_control_set_rule_begin(operator(),
			&params);
	struct lease_rule_builder rule = isolation_control_set_rule_params_init_rule(params);
	struct capnp_list_builder kinds = lease_rule_init_kinds(rule, 1);
	status_t st;

	lease_rule_set_client(rule, capnp_text(client));
	lease_rule_set_processors(rule, 2);
	capnp_list_set_u16(kinds, 0, LEASE_KIND_THREAD);
	lease_rule_set_longest_ns(rule, duration_ns);
	lease_rule_set_at_once(rule, 1);
	lease_rule_set_share(rule, share);
	isolation_control_set_rule_send(&call);
	st = isolation_control_set_rule_wait(&call);
	isolation_control_set_rule_done(&call);
	return st;
}

static uint32_t rules_count(void)
{
	struct isolation_control_rules_call call = isolation_control_rules_start(operator());
	uint32_t rows = 0;

	if (isolation_control_rules_wait(&call) == STATUS_OK)
		rows = isolation_control_rules_results_get_rules(
				isolation_control_rules_results(&call))
				       .count;
	isolation_control_rules_done(&call);
	return rows;
}

static void test_operator(void)
{
	bool revoked = true;

	check(rules_count() == 1, "the manifest's rule is there");
	check(rule_set("holder", 3601000 * MS, 0) == STATUS_INVALID_ARGUMENT && rules_count() == 1,
			"a rule for more than an hour is refused");
	check(rule_set("holder", LONG_NS, 1001) == STATUS_INVALID_ARGUMENT && rules_count() == 1,
			"a rule for more than a processor is refused");
	check(rule_set("a-name-that-no-service-could-ever-have", LONG_NS, 0) ==
							STATUS_INVALID_ARGUMENT &&
					rules_count() == 1,
			"a rule for a name that is too long is refused");
	check(isolation_control_revoke(operator(), 77, &revoked) == STATUS_OK && !revoked,
			"a lease that was never issued is not revoked");
}

/* --- A lease ------------------------------------------------------------------------------------ */

static void test_lease(void)
{
	struct thread *thread = busy_start();
	struct issued_lease_ref lease, other;
	struct seen seen, first;
	status_t st;

	check(ask((struct wish){ .thread = handle(thread) }, &lease) == STATUS_OK,
			"a lease is issued");
	first = look(lease, &st);
	check(st == STATUS_OK && first.state == LEASE_STATE_ACTIVE && first.processor == 1 &&
					first.is_busy && first.thread_id != 0 &&
					first.process_id != 0,
			"it says whose it is and where");
	check(first.remaining_ns > 0 && first.remaining_ns <= LONG_NS,
			"it lasts as long as the rule allows");
	check(listed("tester", &seen) == 1 && seen.id == first.id &&
					seen.process_id == first.process_id,
			"the operator sees it");
	check(is_refused((struct wish){ .thread = handle(thread) }, STATUS_OVERLOADED,
			      "the operator's rule allows 1 at a time, and so many are active"),
			"one more than the rule allows is refused");
	for (uint32_t i = 0; i < WAITS_MAX && look(lease, &st).used_ns <= first.used_ns; i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	check(look(lease, &st).used_ns > first.used_ns, "its thread runs there");
	check(issued_lease_end(lease) == STATUS_OK && issued_lease_end(lease) == STATUS_OK &&
					state_of(lease) == LEASE_STATE_ENDED,
			"it ends when it is ended, once");
	check(ask((struct wish){ .thread = handle(thread),
				  .kind = LEASE_KIND_COMPUTE,
				  .budget_ns = 5 * MS,
				  .period_ns = 10 * MS,
				  .processor = 1 },
			      &other) == STATUS_OK &&
					look(other, &st).id == first.id + 1,
			"then another is issued, for a budget");
	client_release(lease.ref);
	client_release(other.ref);
	check(nothing_is_listed_soon(), "a lease that nobody holds is gone");
	busy_stop(thread);
}

static void test_ends(void)
{
	struct thread *thread = busy_start();
	struct issued_lease_ref lease, next;
	struct seen seen;
	bool revoked = false;

	check(ask((struct wish){ .thread = handle(thread), .duration_ns = 1000 * MS }, &lease) ==
							STATUS_OK &&
					becomes(lease, LEASE_STATE_TIMEOUT),
			"a lease ends with its time");
	client_release(lease.ref);
	check(ask((struct wish){ .thread = handle(thread) }, &lease) == STATUS_OK &&
					listed("tester", &seen) > 0 &&
					is_refused((struct wish){ .thread = handle(thread) },
							STATUS_OVERLOADED,
							"the operator's rule allows 1 at a time, "
							"and so many are active"),
			"what has timed out does not count");
	(void)listed("tester", &seen);
	for (uint64_t id = seen.id; id < seen.id + 3 && !revoked; id++)
		(void)!isolation_control_revoke(operator(), id, &revoked);
	check(revoked && state_of(lease) == LEASE_STATE_REVOKED, "the operator revokes it");
	client_release(lease.ref);
	check(ask((struct wish){ .thread = handle(thread) }, &next) == STATUS_OK,
			"and another is issued");
	busy_stop(thread);
	check(becomes(next, LEASE_STATE_DIED), "a lease ends with its thread");
	check(nothing_is_listed_soon() == false, "and is kept as long as somebody holds it");
	client_release(next.ref);
	check(nothing_is_listed_soon(), "and no longer");
}

/* --- Islands ------------------------------------------------------------------------------------ */

#define COUNT_REFUSED "tasks: one to eight"
#define TASKS_REFUSED "tasks: each has a budget, and a period of 4 s at most that is no shorter"

struct plan {
	uint32_t processor;
	bool exclusive;
	uint32_t count;
	uint64_t duration_ns;
	struct {
		uint64_t budget_ns, period_ns;
	} tasks[ISLAND_TASKS_MAX + 1];
};

/* Asks for an island; `words` is what it must be refused with, or NULL. */
static bool admit(const struct plan *plan, status_t status, const char *words,
		struct island_ref *island)
{
	struct isolation_island_params_builder params;
	struct isolation_island_call call = isolation_island_begin(isolation(), &params);
	struct capnp_list_builder tasks = isolation_island_params_init_tasks(params, plan->count);
	struct capnp_text reason;
	bool as_expected;
	status_t st;

	for (uint32_t i = 0; i < plan->count; i++) {
		cyclic_task_set_budget_ns(
				cyclic_task_builder_at(tasks, i), plan->tasks[i].budget_ns);
		cyclic_task_set_period_ns(
				cyclic_task_builder_at(tasks, i), plan->tasks[i].period_ns);
	}
	isolation_island_params_set_processor(params, plan->processor);
	isolation_island_params_set_exclusive(params, plan->exclusive);
	isolation_island_params_set_duration_ns(params, plan->duration_ns);
	isolation_island_send(&call);
	st = isolation_island_wait(&call);
	reason = client_reason(&call.call);
	as_expected = st == status && (words == NULL || capnp_text_equals(reason, words));
	if (!as_expected)
		rt_print("TAP # %d: %.*s", (int)st, (int)reason.bytes, reason.chars);
	if (st == STATUS_OK && island != NULL)
		as_expected = isolation_island_take_island(&call, island) == STATUS_OK &&
				as_expected;
	isolation_island_done(&call);
	return as_expected;
}

struct task_seen {
	bool ended, bound;
	uint32_t count;
	uint64_t id, budget_ns, used_ns, depletions, missed;
};

/* How the island stands, and one of its tasks. */
static struct task_seen look_at_task(struct island_ref island, uint32_t task)
{
	struct island_info_call call = island_info_start(island);
	struct task_seen seen = { 0 };

	if (island_info_wait(&call) == STATUS_OK) {
		struct island_info_results_reader info = island_info_results(&call);
		struct capnp_list tasks = island_info_results_get_tasks(info);
		struct task_row_reader row = task_row_at(tasks, task);

		seen = (struct task_seen){ .ended = island_info_results_get_ended(info),
			.count = tasks.count,
			.id = island_info_results_get_id(info),
			.bound = task_row_get_bound(row),
			.budget_ns = task_row_get_budget_ns(row),
			.used_ns = task_row_get_used_ns(row),
			.depletions = task_row_get_depletions(row),
			.missed = task_row_get_missed(row) };
	}
	island_info_done(&call);
	return seen;
}

/* Whether binding is refused with these words; NULL: it is not refused. */
static bool binds(struct island_ref island, uint32_t task, struct client_ref thread,
		const char *words)
{
	struct island_bind_call call = island_bind_start(island, task, thread);
	status_t st = island_bind_wait(&call);
	struct capnp_text reason = client_reason(&call.call);
	bool as_expected = words == NULL ? st == STATUS_OK
					 : st != STATUS_OK && capnp_text_equals(reason, words);

	if (!as_expected)
		rt_print("TAP # %d: %.*s", (int)st, (int)reason.bytes, reason.chars);
	island_bind_done(&call);
	return as_expected;
}

static uint32_t islands_listed(void)
{
	struct isolation_control_islands_call call = isolation_control_islands_start(operator());
	uint32_t rows = UINT32_MAX;

	if (isolation_control_islands_wait(&call) == STATUS_OK)
		rows = isolation_control_islands_results_get_islands(
				isolation_control_islands_results(&call))
				       .count;
	isolation_control_islands_done(&call);
	return rows;
}

static bool islands_go_soon(void)
{
	for (uint32_t i = 0; i < WAITS_MAX && islands_listed() != 0; i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	return islands_listed() == 0;
}

static const struct plan half = { .count = 2,
	.tasks = { { 20 * MS, 100 * MS }, { 3 * MS, 10 * MS } } };

static void test_island_refusals(void)
{
	struct plan many = { .count = ISLAND_TASKS_MAX + 1 };

	for (uint32_t i = 0; i < many.count; i++)
		many.tasks[i].budget_ns = many.tasks[i].period_ns = MS;
	check(admit(&(struct plan){ 0 }, STATUS_INVALID_ARGUMENT, COUNT_REFUSED, NULL) &&
					admit(&many, STATUS_INVALID_ARGUMENT, COUNT_REFUSED, NULL),
			"an island of no tasks, or of too many, is refused");
	check(admit(&(struct plan){ .count = 1, .tasks = { { 2 * MS, MS } } },
			      STATUS_INVALID_ARGUMENT, TASKS_REFUSED, NULL) &&
					admit(&(struct plan){ .count = 1,
							      .tasks = { { UINT64_MAX,
									      UINT64_MAX } } },
							STATUS_INVALID_ARGUMENT, TASKS_REFUSED,
							NULL),
			"a budget that cannot be is refused");
	check(admit(&(struct plan){ .count = 1, .processor = 2, .tasks = { { MS, 100 * MS } } },
			      STATUS_FAILED, "the operator's rule does not allow processor 2",
			      NULL),
			"an island on a processor that the rule does not name is refused");
	check(admit(&(struct plan){ .count = 2,
				    .tasks = { { 5 * MS, 10 * MS }, { 2 * MS, 10 * MS } } },
			      STATUS_FAILED,
			      "the operator's rule allows islands 600 thousandths of a processor",
			      NULL),
			"an island of more than the rule allows is refused");
	check(admit(&(struct plan){ .count = 2,
				    .tasks = { { 20 * MS, 100 * MS }, { 1000, 10 * MS } } },
			      STATUS_INVALID_ARGUMENT,
			      "tasks: a budget is at least 10 us, a period 100 us to 4 s", NULL) &&
					islands_listed() == 0,
			"an island of which one task is refused is refused as a whole");
	check(admit(&(struct plan){ .count = 2,
				    .exclusive = true,
				    .tasks = { { MS, 10 * MS }, { MS, 10 * MS } } },
			      STATUS_INVALID_ARGUMENT, "tasks: an exclusive island has one", NULL),
			"an exclusive island of two tasks is refused");
	check(admit(&(struct plan){ .count = 1, .duration_ns = MS, .tasks = { { MS, 10 * MS } } },
			      STATUS_INVALID_ARGUMENT,
			      "durationNs: only an exclusive island has one; this one lasts until it is "
			      "ended or dropped",
			      NULL),
			"a duration that would mean nothing is refused");
	if (processors == 1)
		check(admit(&(struct plan){ .count = 1,
					    .exclusive = true,
					    .tasks = { { MS, 10 * MS } } },
				      STATUS_FAILED,
				      "this machine has one processor, and that one serves "
				      "everybody",
				      NULL),
				"one processor is nobody's island");
}

static void test_island(void)
{
	struct thread *thread = busy_start();
	struct island_ref island, next;
	bool same = true;

	/* What was refused before has given everything back, or this would not fit. */
	check(admit(&half, STATUS_OK, NULL, &island) && look_at_task(island, 0).count == 2 &&
					look_at_task(island, 1).budget_ns == 3 * MS &&
					islands_listed() == 1,
			"an island of two tasks is admitted");
	check(admit(&(struct plan){ .count = 1, .tasks = { { 2 * MS, 10 * MS } } },
			      STATUS_OVERLOADED,
			      "the operator's rule allows islands 600 thousandths of a processor, "
			      "and your other islands have them",
			      NULL),
			"another that goes beyond the rule is refused");
	check(binds(island, 2, handle(thread), "task: there is no such task") &&
					binds(island, 0, RT_GRANT(timer, "timer").ref,
							"thread: a ThreadHandle or a ProcessHandle "
							"is needed"),
			"a task or a thread that does not exist is refused");
	check(binds(island, 1, handle(thread), NULL) && look_at_task(island, 1).bound,
			"a thread is bound to a task");
	check(binds(island, 1, handle(thread), "task: it has a thread") &&
					binds(island, 0, handle(thread),
							"thread: it has ended, or has a lease or a "
							"budget already"),
			"once");
	for (uint32_t i = 0; i < WAITS_MAX && look_at_task(island, 1).depletions < 3; i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	check(look_at_task(island, 1).depletions >= 3 && look_at_task(island, 1).used_ns >= 9 * MS,
			"it works on the task's budget and uses it up");
	check(island_end(island) == STATUS_OK && island_end(island) == STATUS_OK &&
					look_at_task(island, 1).ended &&
					look_at_task(island, 1).used_ns >= 9 * MS &&
					!look_at_task(island, 1).bound,
			"an island ends, once, and keeps its account");
	check(binds(island, 0, handle(thread), "the island has ended"),
			"nobody is bound to what has ended");
	client_release(island.ref);
	for (uint32_t i = 0; i < 50 && same; i++) {
		same = admit(&half, STATUS_OK, NULL, &next) &&
				binds(next, i % 2, handle(thread), NULL) &&
				(i % 3 != 0 || island_end(next) == STATUS_OK);
		client_release(next.ref);
		same = same && islands_go_soon();
	}
	check(same, "all is given back: fifty times what fits once");
	busy_stop(thread);
}

static void test_exclusive(void)
{
	const struct plan plan = {
		.count = 1, .exclusive = true, .tasks = { { 5 * MS, 10 * MS } }
	};
	struct thread *thread = busy_start();
	struct island_ref island, other;
	struct seen seen;
	bool revoked = false;

	check(admit(&plan, STATUS_OK, NULL, &island) && listed("tester", &seen) == 1 &&
					seen.id == look_at_task(island, 0).id,
			"an exclusive island is a lease");
	check(admit(&(struct plan){ .count = 1, .processor = 1, .tasks = { { MS, 100 * MS } } },
			      STATUS_OVERLOADED, NULL, &other),
			"which leaves nothing to others");
	check(binds(island, 0, handle(thread), NULL) &&
					binds(island, 0, handle(thread), "task: it has a thread"),
			"its task has a thread");
	for (uint32_t i = 0; i < WAITS_MAX && look_at_task(island, 0).used_ns == 0; i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	check(look_at_task(island, 0).used_ns > 0, "which runs there");
	/* It never comes to rest, so each period's budget is used up, and not in time. */
	for (uint32_t i = 0; i < WAITS_MAX && (look_at_task(island, 0).depletions == 0 ||
						      look_at_task(island, 0).missed == 0); i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	check(look_at_task(island, 0).depletions > 0 && look_at_task(island, 0).missed > 0,
			"its depletions and missed deadlines are counted");
	check(isolation_control_revoke(operator(), seen.id, &revoked) == STATUS_OK && revoked &&
					look_at_task(island, 0).ended,
			"the operator revokes it");
	client_release(island.ref);
	check(islands_go_soon() && nothing_is_listed_soon(), "and it is gone when nobody holds it");
	check(admit(&(struct plan){ .count = 1, .processor = 1, .tasks = { { MS, 100 * MS } } },
			      STATUS_OK, NULL, &other),
			"the processor can promise time again");
	client_release(other.ref);
	busy_stop(thread);
}

/* --- Ends of processes -------------------------------------------------------------------------- */

static enum service_outcome service(
		status_t (*what)(struct supervisor_ref, struct capnp_text, enum service_outcome *),
		const char *name)
{
	enum service_outcome outcome = SERVICE_OUTCOME_NONE;

	(void)what(RT_GRANT(supervisor, "services"), capnp_text(name), &outcome);
	return outcome;
}

static void test_clients_end(void)
{
	struct seen seen = { 0 };

	check(rule_set("holder", LONG_NS, 0) == STATUS_OK && rules_count() == 2,
			"the operator makes a rule for another client");
	check(service(supervisor_start, "holder") == SERVICE_OUTCOME_DONE, "which starts again");
	for (uint32_t i = 0; i < WAITS_MAX && seen.state != LEASE_STATE_ACTIVE; i++) {
		(void)listed("holder", &seen);
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	}
	check(seen.state == LEASE_STATE_ACTIVE && seen.process_id != 0 && seen.processor == 1,
			"and has a lease for its own thread");
	check(service(supervisor_stop, "holder") == SERVICE_OUTCOME_DONE &&
					nothing_is_listed_soon(),
			"a client's end ends its lease");
}

static void test_service_ends(void)
{
	struct thread *thread = busy_start();
	struct issued_lease_ref lease, next;
	status_t st;

	check(ask((struct wish){ .thread = handle(thread) }, &lease) == STATUS_OK,
			"a lease is issued for long");
	check(service(supervisor_kill, "isolation") == SERVICE_OUTCOME_DONE,
			"the service is killed");
	check(ask((struct wish){ .thread = handle(thread) }, &next) == STATUS_OK &&
					look(next, &st).id == 1,
			"it comes back, and the processor and the thread are free");
	(void)look(lease, &st);
	check(st == STATUS_DISCONNECTED, "the earlier lease is gone");
	check(rules_count() == 1, "the rules are the manifest's again");
	client_release(lease.ref);
	client_release(next.ref);
	busy_stop(thread);
}

/* --- Start -------------------------------------------------------------------------------------- */

static uint32_t count_processors(void)
{
	struct system_info_describe_call call = system_info_describe_start(
			RT_GRANT(system_info, "info"));
	uint32_t number = 0;

	if (system_info_describe_wait(&call) == STATUS_OK)
		number = system_info_describe_results_get_processors(
				system_info_describe_results(&call));
	system_info_describe_done(&call);
	return number;
}

/* As `holder`: a lease for this thread, by the handle that the process has on itself. */
static int hold(void)
{
	struct thread_handle_ref self = { 0 };
	struct issued_lease_ref lease;
	static const uint32_t never;
	bool found = false;

	(void)!thread_spawner_open(
			RT_GRANT(thread_spawner, "threads"), mutex_thread(), &found, &self);
	if (!found || ask((struct wish){ .thread = self.ref }, &lease) != STATUS_OK)
		return HOLDER_REFUSED;
	for (;;)
		(void)!park(&never, 0, 0);
}

int main(int argc, char **argv)
{
	if (capnp_text_equals(rt_name(), "holder"))
		return hold();
	processors = count_processors();
	test_rule();
	test_operator();
	test_island_refusals();
	test_island();
	if (processors > 1) {
		test_exclusive();
		test_lease();
		test_ends();
		test_clients_end();
		test_service_ends();
	}
	rt_print("TAP 1..%u", count);
	return failed == 0 ? 0 : 1;
}
