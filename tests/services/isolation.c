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

#define MS          UINT64_C(1000000)
#define LONG_NS     (10000 * MS)        /* what the manifest's rule allows */
#define WAITS_MAX   500u                /* of 10 ms: what a slow machine may need */
#define HOLDER_REFUSED 3

static unsigned int count, failed;
static uint32_t processors;
static uint32_t stop;                   /* set: busy threads end */

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
	struct isolation_lease_call call = isolation_lease_start(isolation(), wish.thread, wish.kind,
			wish.duration_ns, wish.processor, wish.budget_ns, wish.period_ns);
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
	return isolation_lease(isolation(), wish.thread, wish.kind, wish.duration_ns, wish.processor,
			wish.budget_ns, wish.period_ns, lease);
}

struct seen {
	enum lease_state state;
	uint32_t processor, process_id, thread_id;
	uint64_t id, remaining_ns, used_ns;
	bool is_busy;                   /* by the thread's name */
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
		seen.is_busy = capnp_text_equals(issued_lease_info_results_get_thread(info), "busy");
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
		list = isolation_control_leases_results_get_leases(isolation_control_leases_results(&call));
		rows = list.count;
	}
	for (uint32_t i = list.count; i-- > 0;) {
		struct lease_row_reader row = lease_row_at(list, i);

		if (capnp_text_equals(lease_row_get_client(row), client))
			*seen = (struct seen){ .id = lease_row_get_id(row), .state = lease_row_get_state(row),
				.processor = lease_row_get_processor(row), .process_id = lease_row_get_process(row) };
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
	if (thread_start(&(struct thread_request){ .run = busy, .name = "busy" }, &thread) != STATUS_OK)
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
	check(is_refused((struct wish){ .thread = whom, .kind = (enum lease_kind)9 }, STATUS_INVALID_ARGUMENT,
			      "there is no lease of kind 9"),
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
	check(is_refused((struct wish){ .thread = whom, .kind = LEASE_KIND_COMPUTE, .budget_ns = 51 * MS,
					 .period_ns = 100 * MS },
			      STATUS_FAILED, "the operator's rule allows 500 thousandths of a processor"),
			"a greater share than the rule allows is refused");
	if (processors == 1)
		check(is_refused((struct wish){ .thread = whom }, STATUS_FAILED,
				      "this machine has one processor, and that one serves everybody"),
				"one processor is leased to nobody");
	else
		check(is_refused((struct wish){ .thread = RT_GRANT(timer, "timer").ref }, STATUS_INVALID_ARGUMENT,
				      "thread: a ThreadHandle or a ProcessHandle is needed") &&
						is_refused((struct wish){ 0 }, STATUS_INVALID_ARGUMENT,
								"thread: a ThreadHandle or a ProcessHandle is needed"),
				"what is no thread is refused");
	if (processors > 1)
		check(is_refused((struct wish){ .thread = whom, .kind = LEASE_KIND_COMPUTE }, STATUS_INVALID_ARGUMENT,
				      "budgetNs, periodNs: such a lease cannot be made") &&
						is_refused((struct wish){ .thread = whom, .duration_ns = 1 },
								STATUS_INVALID_ARGUMENT,
								"durationNs: such a lease cannot be made"),
				"what the kernel refuses is said in the client's words");
	busy_stop(thread);
}

/* Sets a rule for a client; the words of the refusal go to the log. */
static status_t rule_set(const char *client, uint64_t duration_ns, uint32_t share)
{
	struct isolation_control_set_rule_params_builder params;
	struct isolation_control_set_rule_call call = isolation_control_set_rule_begin(operator(), &params);
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
		rows = isolation_control_rules_results_get_rules(isolation_control_rules_results(&call)).count;
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
	check(rule_set("a-name-that-no-service-could-ever-have", LONG_NS, 0) == STATUS_INVALID_ARGUMENT &&
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

	check(ask((struct wish){ .thread = handle(thread) }, &lease) == STATUS_OK, "a lease is issued");
	first = look(lease, &st);
	check(st == STATUS_OK && first.state == LEASE_STATE_ACTIVE && first.processor == 1 &&
					first.is_busy && first.thread_id != 0 && first.process_id != 0,
			"it says whose it is and where");
	check(first.remaining_ns > 0 && first.remaining_ns <= LONG_NS, "it lasts as long as the rule allows");
	check(listed("tester", &seen) == 1 && seen.id == first.id && seen.process_id == first.process_id, "the operator sees it");
	check(is_refused((struct wish){ .thread = handle(thread) }, STATUS_OVERLOADED,
			      "the operator's rule allows 1 at a time, and so many are active"),
			"one more than the rule allows is refused");
	for (uint32_t i = 0; i < WAITS_MAX && look(lease, &st).used_ns <= first.used_ns; i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS);
	check(look(lease, &st).used_ns > first.used_ns, "its thread runs there");
	check(issued_lease_end(lease) == STATUS_OK && issued_lease_end(lease) == STATUS_OK &&
					state_of(lease) == LEASE_STATE_ENDED,
			"it ends when it is ended, once");
	check(ask((struct wish){ .thread = handle(thread), .kind = LEASE_KIND_COMPUTE, .budget_ns = 5 * MS,
					 .period_ns = 10 * MS, .processor = 1 },
			      &other) == STATUS_OK && look(other, &st).id == first.id + 1,
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

	check(ask((struct wish){ .thread = handle(thread), .duration_ns = 20 * MS }, &lease) == STATUS_OK &&
					becomes(lease, LEASE_STATE_TIMEOUT),
			"a lease ends with its time");
	client_release(lease.ref);
	check(ask((struct wish){ .thread = handle(thread) }, &lease) == STATUS_OK &&
					listed("tester", &seen) > 0 &&
					is_refused((struct wish){ .thread = handle(thread) }, STATUS_OVERLOADED,
							"the operator's rule allows 1 at a time, and so many are active"),
			"what has timed out does not count");
	(void)listed("tester", &seen);
	for (uint64_t id = seen.id; id < seen.id + 3 && !revoked; id++)
		(void)!isolation_control_revoke(operator(), id, &revoked);
	check(revoked && state_of(lease) == LEASE_STATE_REVOKED, "the operator revokes it");
	client_release(lease.ref);
	check(ask((struct wish){ .thread = handle(thread) }, &next) == STATUS_OK, "and another is issued");
	busy_stop(thread);
	check(becomes(next, LEASE_STATE_DIED), "a lease ends with its thread");
	check(nothing_is_listed_soon() == false, "and is kept as long as somebody holds it");
	client_release(next.ref);
	check(nothing_is_listed_soon(), "and no longer");
}

/* --- Ends of processes -------------------------------------------------------------------------- */

static enum service_outcome service(status_t (*what)(struct supervisor_ref, struct capnp_text,
						    enum service_outcome *),
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
	check(service(supervisor_stop, "holder") == SERVICE_OUTCOME_DONE && nothing_is_listed_soon(),
			"a client's end ends its lease");
}

static void test_service_ends(void)
{
	struct thread *thread = busy_start();
	struct issued_lease_ref lease, next;
	status_t st;

	check(ask((struct wish){ .thread = handle(thread) }, &lease) == STATUS_OK, "a lease is issued for long");
	check(service(supervisor_kill, "isolation") == SERVICE_OUTCOME_DONE, "the service is killed");
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
	struct system_info_describe_call call = system_info_describe_start(RT_GRANT(system_info, "info"));
	uint32_t number = 0;

	if (system_info_describe_wait(&call) == STATUS_OK)
		number = system_info_describe_results_get_processors(system_info_describe_results(&call));
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

	(void)!thread_spawner_open(RT_GRANT(thread_spawner, "threads"), mutex_thread(), &found, &self);
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
	if (processors > 1) {
		test_lease();
		test_ends();
		test_clients_end();
		test_service_ends();
	}
	rt_print("TAP 1..%u", count);
	return failed == 0 ? 0 : 1;
}
