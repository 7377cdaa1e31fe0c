/*
 * Islands. See island.h. Always true: an island that has not ended has a context for each task, or one
 * task and an active lease.
 */
#include "services/isolation/island.h"

#include <stdlib.h>

#include "abi/compiler.h"
#include "capos/status.capnp.h"
#include "rt/capability.h"
#include "rt/format.h"
#include "rt/program.h"

static struct island *first; /* by id */

/* --- Making ------------------------------------------------------------------------------------- */

static struct island *create(const struct client *client, char sentence[RULE_SENTENCE_BYTES])
{
	struct island *island = calloc(1, sizeof(*island));

	if (island == NULL)
		format_into(sentence, RULE_SENTENCE_BYTES, "no memory for another island");
	else
		island->client = client;
	return island;
}

static void insert(struct island *island)
{
	struct island **link = &first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = island;
}

static void release_contexts(struct island *island)
{
	for (uint32_t i = 0; i < island->count; i++) {
		client_release(island->tasks[i].context.ref);
		island->tasks[i].context = (struct scheduling_context_ref){ 0 };
	}
}

/* The kernel admits each by itself; what it refuses takes the earlier ones along. */
static status_t admit(
		struct island *island, struct capnp_list tasks, char sentence[RULE_SENTENCE_BYTES])
{
	for (uint32_t i = 0; i < tasks.count; i++) {
		struct task *task = &island->tasks[i];
		status_t st;

		task->budget_ns = cyclic_task_get_budget_ns(cyclic_task_at(tasks, i));
		task->period_ns = cyclic_task_get_period_ns(cyclic_task_at(tasks, i));
		st = scheduling_control_create(RT_GRANT(scheduling_control, "scheduling"),
				task->budget_ns, task->period_ns, island->processor,
				&task->context);
		if (st == STATUS_INVALID_ARGUMENT)
			format_into(sentence, RULE_SENTENCE_BYTES,
					"tasks: a budget is at least 10 us, a period 100 us to 4 "
					"s");
		else if (st != STATUS_OK && (rt_detail() & 0xff) == REASON_OVERCOMMITTED)
			format_into(sentence, RULE_SENTENCE_BYTES,
					"processor %u has not so much time left: it is leased, or has "
					"promised other budgets",
					island->processor);
		else if (st != STATUS_OK)
			(void)issued_refuse(sentence, st);
		if (st != STATUS_OK) {
			release_contexts(island);
			return st;
		}
		island->count++;
	}
	return STATUS_OK;
}

status_t island_make(const struct client *client, struct capnp_list tasks, uint32_t processor,
		struct island **made, char sentence[RULE_SENTENCE_BYTES])
{
	struct island *island;
	status_t st;

	if (processor >= issued_processors()) {
		format_into(sentence, RULE_SENTENCE_BYTES, "processor: there are %u, numbered from 0",
				issued_processors());
		return STATUS_INVALID_ARGUMENT;
	}
	island = create(client, sentence);
	if (island == NULL)
		return STATUS_OVERLOADED;
	island->processor = processor;
	island->needed = tasks_need(tasks);
	st = admit(island, tasks, sentence);
	if (st != STATUS_OK) {
		free(island);
		return st;
	}
	island->id = issued_next_id();
	insert(island);
	*made = island;
	return STATUS_OK;
}

status_t island_make_exclusive(const struct client *client, struct cyclic_task_reader task,
		struct issued *lease, struct island **made, char sentence[RULE_SENTENCE_BYTES])
{
	struct island *island = create(client, sentence);

	if (island == NULL)
		return STATUS_OVERLOADED;
	island->lease = lease;
	island->id = lease->id;
	island->processor = lease->processor;
	island->count = 1;
	island->tasks[0].budget_ns = cyclic_task_get_budget_ns(task);
	island->tasks[0].period_ns = cyclic_task_get_period_ns(task);
	insert(island);
	*made = island;
	return STATUS_OK;
}

/* --- Threads ------------------------------------------------------------------------------------ */

status_t island_bind(struct island *island, uint32_t task, struct client_ref thread,
		char sentence[RULE_SENTENCE_BYTES])
{
	status_t st;

	island_refresh(island);
	if (task >= island->count || island->has_ended) {
		format_into(sentence, RULE_SENTENCE_BYTES,
				island->has_ended ? "the island has ended"
						  : "task: there is no such task");
		return island->has_ended ? STATUS_FAILED : STATUS_INVALID_ARGUMENT;
	}
	if (island->tasks[task].is_bound) {
		format_into(sentence, RULE_SENTENCE_BYTES, "task: it has a thread");
		return STATUS_FAILED;
	}
	if (island->lease != NULL)
		return issued_bind(island->lease, thread, sentence);
	st = scheduling_context_bind(island->tasks[task].context, thread);
	return st == STATUS_OK ? st : issued_refuse_thread(sentence, st);
}

/* --- How it stands ------------------------------------------------------------------------------ */

static void refresh_lease(struct island *island)
{
	struct task *task = &island->tasks[0];

	issued_refresh(island->lease);
	task->used_ns = island->lease->used_ns;
	task->depletions = island->lease->depletions;
	task->missed = island->lease->missed;
	task->is_bound = !client_ref_is_null(island->lease->thread);
	island->has_ended = island->lease->state != LEASE_STATE_ACTIVE;
}

void island_refresh(struct island *island)
{
	if (island->lease != NULL) {
		refresh_lease(island);
		return;
	}
	for (uint32_t i = 0; i < island->count && !island->has_ended; i++) {
		struct task *task = &island->tasks[i];

		(void)!scheduling_context_info(task->context, NULL, NULL, NULL, &task->used_ns,
				NULL, &task->depletions, &task->missed, &task->is_bound, NULL,
				NULL);
	}
}

void island_end(struct island *island)
{
	island_refresh(island);
	if (island->lease != NULL) {
		issued_end(island->lease, LEASE_STATE_ENDED);
		refresh_lease(island);
		return;
	}
	release_contexts(island);
	for (uint32_t i = 0; i < island->count; i++)
		island->tasks[i].is_bound = false;
	island->has_ended = true;
}

void island_free(struct island *island)
{
	struct island **link = &first;

	island_end(island);
	if (island->lease != NULL)
		issued_free(island->lease);
	while (*link != island)
		link = &(*link)->next;
	*link = island->next;
	free(island);
}

/* --- The list ----------------------------------------------------------------------------------- */

struct island *island_first(void)
{
	return first;
}

struct island *island_find(uint64_t id)
{
	struct island *island = first;

	while (island != NULL && island->id != id)
		island = island->next;
	return island;
}

uint64_t island_promised(const struct client *client)
{
	uint64_t promised = 0;

	for (const struct island *island = first; island != NULL; island = island->next)
		promised += island->client == client && !island->has_ended ? island->needed : 0;
	return promised;
}

uint32_t island_held(const struct client *client)
{
	uint32_t count = 0;

	for (const struct island *island = first; island != NULL; island = island->next)
		count += island->client == client;
	return count;
}
