/*
 * The isolation service: gives processors to threads, as the operator's rules allow. It holds the
 * kernel's SchedulingControl, which no client does. rule.c decides, issued.c keeps what was issued;
 * this file connects them to calls.
 *
 * Who asks is told by the object that it asks: init gives each client one of its own, so a rule
 * cannot be had by claiming a name. Whoever a client hands its object to asks on its account.
 */
#include "capos/isolation.server.h"
#include "capos/log.client.h"
#include "capos/manifest.capnp.h"
#include "rt/capability.h"
#include "rt/format.h"
#include "rt/program.h"
#include "rt/server.h"
#include "services/isolation/island.h"
#include "services/isolation/issued.h"
#include "services/isolation/rule.h"

/* What the manifest's `provides` names, in this order. */
#define OBJECT_ISOLATION 0u
#define OBJECT_CONTROL   1u

static struct loop loop;
static struct server server;
static struct server_object control;
static struct client clients[SERVICES_MAX];
static struct rules rules;

/* --- A lease that was issued -------------------------------------------------------------------- */

static status_t issued_info(void *self, struct call *call,
		struct issued_lease_info_params_reader in,
		struct issued_lease_info_results_builder *out)
{
	issued_refresh(self);
	issued_write_info(self, *out);
	return STATUS_OK;
}

static status_t issued_end_(void *self, struct call *call, struct issued_lease_end_params_reader in,
		struct issued_lease_end_results_builder *out)
{
	issued_refresh(self);
	issued_end(self, LEASE_STATE_ENDED);
	return STATUS_OK;
}

static void issued_no_holders(void *self)
{
	issued_free(self);
}

static const struct issued_lease_server issued_handlers = { .info = issued_info,
	.end = issued_end_ };
SERVER_CLASS(issued_class, issued_lease, issued_handlers, issued_no_holders);

/* --- An island ---------------------------------------------------------------------------------- */

static status_t island_bind_(void *self, struct call *call, struct island_bind_params_reader in,
		struct island_bind_results_builder *out)
{
	char sentence[RULE_SENTENCE_BYTES];
	status_t st = island_bind(self, island_bind_params_get_task(in),
			call_borrow(call, island_bind_params_get_thread(in)), sentence);

	return st == STATUS_OK ? st : call_fail(call, st, sentence);
}

static status_t island_info_(void *self, struct call *call, struct island_info_params_reader in,
		struct island_info_results_builder *out)
{
	struct island *island = self;
	struct capnp_list_builder rows = island_info_results_init_tasks(*out, island->count);

	island_refresh(island);
	island_info_results_set_id(*out, island->id);
	island_info_results_set_processor(*out, island->processor);
	island_info_results_set_ended(*out, island->has_ended);
	for (uint32_t i = 0; i < island->count; i++) {
		const struct task *task = &island->tasks[i];
		struct task_row_builder row = task_row_builder_at(rows, i);

		task_row_set_budget_ns(row, task->budget_ns);
		task_row_set_period_ns(row, task->period_ns);
		task_row_set_bound(row, task->is_bound);
		task_row_set_used_ns(row, task->used_ns);
		task_row_set_depletions(row, task->depletions);
		task_row_set_missed(row, task->missed);
	}
	return STATUS_OK;
}

static status_t island_end_(void *self, struct call *call, struct island_end_params_reader in,
		struct island_end_results_builder *out)
{
	island_end(self);
	return STATUS_OK;
}

static void island_no_holders(void *self)
{
	island_free(self);
}

static const struct island_server island_handlers = {
	.bind = island_bind_,
	.info = island_info_,
	.end = island_end_,
};
SERVER_CLASS(island_class, island, island_handlers, island_no_holders);

/* --- Asking ------------------------------------------------------------------------------------- */

static status_t isolation_lease_(void *self, struct call *call,
		struct isolation_lease_params_reader in,
		struct isolation_lease_results_builder *out)
{
	const struct client *client = self;
	const struct rule *rule = rules_find(&rules, client->name);
	struct lease_wish wish = { .kind = isolation_lease_params_get_kind(in),
		.processor = isolation_lease_params_get_processor(in),
		.duration_ns = isolation_lease_params_get_duration_ns(in),
		.budget_ns = isolation_lease_params_get_budget_ns(in),
		.period_ns = isolation_lease_params_get_period_ns(in) };
	char sentence[RULE_SENTENCE_BYTES];
	struct issued *issued;
	struct capnp_cap cap;
	status_t st = rule_check(rule, &wish, issued_active(client), sentence);

	if (st == STATUS_OK && issued_held(client) + island_held(client) >= HELD_MAX)
		return call_fail(call, STATUS_OVERLOADED,
				"drop leases that have ended: there are too many");
	if (wish.duration_ns == 0)
		wish.duration_ns = rule->longest_ns;
	if (st == STATUS_OK)
		st = issued_make(client, &wish, rule->processors, &issued, sentence);
	if (st != STATUS_OK)
		return call_fail(call, st, sentence);
	st = issued_bind(
			issued, call_borrow(call, isolation_lease_params_get_thread(in)), sentence);
	if (st != STATUS_OK) {
		issued_free(issued);
		return call_fail(call, st, sentence);
	}
	cap = call_export(call, &issued->object, &issued_class, issued, &st);
	if (st != STATUS_OK)
		issued_free(issued);
	else
		isolation_lease_results_set_lease(*out, cap);
	return st;
}

/* Budgets of one processor for all tasks. */
static status_t island_of_budgets(const struct client *client, struct capnp_list tasks,
		uint32_t processor, struct island **island, char sentence[RULE_SENTENCE_BYTES])
{
	status_t st = rule_check_island(rules_find(&rules, client->name), processor,
			tasks_need(tasks), island_promised(client), sentence);

	return st == STATUS_OK ? island_make(client, tasks, processor, island, sentence) : st;
}

/* A lease of kind compute for the one task. */
static status_t island_of_lease(const struct client *client, struct capnp_list tasks,
		uint32_t processor, uint64_t duration_ns, struct island **island,
		char sentence[RULE_SENTENCE_BYTES])
{
	const struct rule *rule = rules_find(&rules, client->name);
	struct cyclic_task_reader task = cyclic_task_at(tasks, 0);
	struct lease_wish wish = { .kind = LEASE_KIND_COMPUTE,
		.processor = processor,
		.duration_ns = duration_ns == 0 ? rule->longest_ns : duration_ns,
		.budget_ns = cyclic_task_get_budget_ns(task),
		.period_ns = cyclic_task_get_period_ns(task) };
	struct issued *lease;
	status_t st = rule_check(rule, &wish, issued_active(client), sentence);

	if (st == STATUS_OK)
		st = issued_make(client, &wish, rule->processors, &lease, sentence);
	if (st != STATUS_OK)
		return st;
	st = island_make_exclusive(client, task, lease, island, sentence);
	if (st != STATUS_OK)
		issued_free(lease);
	return st;
}

static status_t isolation_island_(void *self, struct call *call,
		struct isolation_island_params_reader in,
		struct isolation_island_results_builder *out)
{
	struct capnp_list tasks = isolation_island_params_get_tasks(in);
	uint32_t processor = isolation_island_params_get_processor(in);
	bool exclusive = isolation_island_params_get_exclusive(in);
	char sentence[RULE_SENTENCE_BYTES];
	struct island *island;
	struct capnp_cap cap;
	status_t st;

	if (tasks.count == 0 || tasks.count > ISLAND_TASKS_MAX)
		return call_fail(call, STATUS_INVALID_ARGUMENT, "tasks: one to eight");
	if (tasks_need(tasks) == UINT64_MAX)
		return call_fail(call, STATUS_INVALID_ARGUMENT,
				"tasks: each has a budget, and a period of 4 s at most that is no "
				"shorter");
	if (!exclusive && isolation_island_params_get_duration_ns(in) != 0)
		return call_fail(call, STATUS_INVALID_ARGUMENT,
				"durationNs: only an exclusive island has one; this one lasts until "
				"it is ended or dropped");
	if (exclusive && tasks.count > 1)
		return call_fail(call, STATUS_INVALID_ARGUMENT,
				"tasks: an exclusive island has one");
	if (island_held(self) + issued_held(self) >= HELD_MAX)
		return call_fail(call, STATUS_OVERLOADED,
				"drop islands that have ended: there are too many");
	st = exclusive ? island_of_lease(self, tasks, processor,
					 isolation_island_params_get_duration_ns(in), &island,
					 sentence)
		       : island_of_budgets(self, tasks, processor, &island, sentence);
	if (st != STATUS_OK)
		return call_fail(call, st, sentence);
	cap = call_export(call, &island->object, &island_class, island, &st);
	if (st != STATUS_OK)
		island_free(island);
	else
		isolation_island_results_set_island(*out, cap);
	return st;
}

static status_t isolation_rule_(void *self, struct call *call,
		struct isolation_rule_params_reader in, struct isolation_rule_results_builder *out)
{
	const struct client *client = self;

	rule_write(rules_find(&rules, client->name), isolation_rule_results_init_rule(*out));
	return STATUS_OK;
}

static const struct isolation_server isolation_handlers = {
	.lease = isolation_lease_,
	.rule = isolation_rule_,
	.island = isolation_island_,
};
SERVER_CLASS(isolation_class, isolation, isolation_handlers, NULL);

/* --- The operator ------------------------------------------------------------------------------- */

/* How many leases, the oldest first, fit what the caller offers for the answer. */
static uint32_t leases_that_fit(const struct capnp_builder *results)
{
	uint32_t room = results->capacity - results->used,
		 used = 1; /* the list begins with a tag word */
	uint32_t count = 0;

	for (const struct issued *issued = issued_first(); issued != NULL; issued = issued->next) {
		used += LEASE_ROW_DATA_WORDS + LEASE_ROW_POINTERS +
				capnp_text(issued->client->name).bytes / 8 + 1;
		if (used > room)
			break;
		count++;
	}
	return count;
}

static status_t control_leases(void *self, struct call *call,
		struct isolation_control_leases_params_reader in,
		struct isolation_control_leases_results_builder *out)
{
	uint32_t count = leases_that_fit(call_results(call));
	struct capnp_list_builder list = isolation_control_leases_results_init_leases(*out, count);
	struct issued *issued = issued_first();

	for (uint32_t i = 0; i < count; i++, issued = issued->next) {
		issued_refresh(issued);
		issued_write_row(issued, lease_row_builder_at(list, i));
	}
	return STATUS_OK;
}

static status_t control_revoke(void *self, struct call *call,
		struct isolation_control_revoke_params_reader in,
		struct isolation_control_revoke_results_builder *out)
{
	uint64_t id = isolation_control_revoke_params_get_id(in);
	struct issued *issued = issued_find(id);
	struct island *island = island_find(id);

	if (issued != NULL) {
		issued_refresh(issued);
		isolation_control_revoke_results_set_revoked(
				*out, issued->state == LEASE_STATE_ACTIVE);
		issued_end(issued, LEASE_STATE_REVOKED);
	} else if (island != NULL) {
		isolation_control_revoke_results_set_revoked(*out, !island->has_ended);
		island_end(island);
	}
	return STATUS_OK;
}

/* How many islands, the oldest first, fit what the caller offers for the answer. */
static uint32_t islands_that_fit(const struct capnp_builder *results)
{
	uint32_t room = results->capacity - results->used,
		 used = 1; /* the list begins with a tag word */
	uint32_t count = 0;

	for (const struct island *island = island_first(); island != NULL; island = island->next) {
		used += ISLAND_ROW_DATA_WORDS + ISLAND_ROW_POINTERS +
				capnp_text(island->client->name).bytes / 8 + 1;
		if (used > room)
			break;
		count++;
	}
	return count;
}

static status_t control_islands(void *self, struct call *call,
		struct isolation_control_islands_params_reader in,
		struct isolation_control_islands_results_builder *out)
{
	uint32_t count = islands_that_fit(call_results(call));
	struct capnp_list_builder list = isolation_control_islands_results_init_islands(
			*out, count);
	struct island *island = island_first();

	for (uint32_t i = 0; i < count; i++, island = island->next) {
		struct island_row_builder row = island_row_builder_at(list, i);

		island_refresh(island);
		island_row_set_id(row, island->id);
		island_row_set_processor(row, island->processor);
		island_row_set_exclusive(row, island->lease != NULL);
		island_row_set_ended(row, island->has_ended);
		island_row_set_client(row, capnp_text(island->client->name));
		island_row_set_tasks(row, island->count);
	}
	return STATUS_OK;
}

static status_t control_rules(void *self, struct call *call,
		struct isolation_control_rules_params_reader in,
		struct isolation_control_rules_results_builder *out)
{
	struct capnp_list_builder list = isolation_control_rules_results_init_rules(
			*out, rules.count);

	for (uint32_t i = 0; i < rules.count; i++)
		rule_write(&rules.rows[i], lease_rule_builder_at(list, i));
	return STATUS_OK;
}

static status_t control_set_rule(void *self, struct call *call,
		struct isolation_control_set_rule_params_reader in,
		struct isolation_control_set_rule_results_builder *out)
{
	char sentence[RULE_SENTENCE_BYTES];
	status_t st = rules_set(&rules, isolation_control_set_rule_params_get_rule(in), sentence);

	return st == STATUS_OK ? st : call_fail(call, st, sentence);
}

static const struct isolation_control_server control_handlers = {
	.leases = control_leases,
	.revoke = control_revoke,
	.rules = control_rules,
	.set_rule = control_set_rule,
	.islands = control_islands,
};
SERVER_CLASS(control_class, isolation_control, control_handlers, NULL);

/* --- Start -------------------------------------------------------------------------------------- */

/* An object for each client, under the tag with which init minted it. */
static void serve_clients(struct service_config_reader config)
{
	struct capnp_list names = service_config_get_clients(config);

	for (uint32_t i = 0; i < names.count && i < SERVICES_MAX; i++) {
		struct capnp_text name = capnp_list_text(names, i);

		format_into(clients[i].name, sizeof(clients[i].name), "%.*s", (int)name.bytes,
				name.chars);
		server_root(&server, &clients[i].object,
				((uint64_t)i + 1) << CLIENT_TAG_SHIFT | OBJECT_ISOLATION,
				&isolation_class, &clients[i]);
	}
}

/* A rule that cannot be is left out, which allows less, and said. */
static void read_rules(struct service_config_reader config)
{
	struct capnp_list from = isolation_config_get_rules(
			isolation_config_of_any(service_config_get_own(config)));
	char sentence[RULE_SENTENCE_BYTES];

	for (uint32_t i = 0; i < from.count; i++) {
		if (rules_set(&rules, lease_rule_at(from, i), sentence) != STATUS_OK)
			(void)!log_sink_write(RT_GRANT(log_sink, "log"), LOG_LEVEL_WARNING,
					capnp_text(sentence));
	}
}

int main(int argc, char **argv)
{
	struct service_config_reader config = service_config_of_any(rt_config());
	status_t st;

	read_rules(config);
	loop_init(&loop);
	issued_init(&loop);
	serve_clients(config);
	server_root(&server, &control, OBJECT_CONTROL, &control_class, NULL);
	st = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (st == STATUS_OK)
		st = loop_run(&loop);
	return st == STATUS_OK ? 0 : 1;
}
