/*
 * Islands: time for tasks that work in cycles, admitted together or not at all. On an ordinary one each
 * task has a budget of one processor (the kernel's SchedulingContext); an exclusive one is a lease with
 * one task. The memory that tasks need is their own business: lib/rt/cycle.h has it made before the
 * first cycle, and their own ledger pays for it.
 */
#ifndef SERVICES_ISOLATION_ISLAND_H
#define SERVICES_ISOLATION_ISLAND_H

#include "services/isolation/issued.h"

struct task {
	struct scheduling_context_ref context; /* null: the lease's, or the island has ended */
	uint64_t budget_ns;
	uint64_t period_ns;
	/* As the kernel told it last. */
	bool is_bound;
	uint64_t used_ns;
	uint64_t depletions;
	uint64_t missed;
};

struct island {
	struct server_object object;
	struct island *next;
	const struct client *client;
	struct issued *lease; /* NULL: not exclusive */
	uint64_t id;
	uint64_t needed; /* billionths of the processor */
	uint32_t processor;
	uint32_t count;
	bool has_ended;
	struct task tasks[ISLAND_TASKS_MAX];
};

/* Billionths of a processor that a client's islands have, and how many it holds. */
uint64_t island_promised(const struct client *client);
uint32_t island_held(const struct client *client);

/* Admits all tasks on the processor. On failure nothing is left, and the sentence says why. In the list
 * until island_free. */
MUST_USE status_t island_make(const struct client *client, struct capnp_list tasks,
		uint32_t processor, struct island **made, char sentence[RULE_SENTENCE_BYTES]);
/* The one task of an exclusive island, on a lease that was made; the island owns it from here on. */
MUST_USE status_t island_make_exclusive(const struct client *client, struct cyclic_task_reader task,
		struct issued *lease, struct island **made, char sentence[RULE_SENTENCE_BYTES]);
MUST_USE status_t island_bind(struct island *island, uint32_t task, struct client_ref thread,
		char sentence[RULE_SENTENCE_BYTES]);
void island_end(struct island *island);
void island_free(struct island *island);

struct island *island_first(void);
struct island *island_find(uint64_t id);

/* Asks the kernel how it stands. */
void island_refresh(struct island *island);

#endif
