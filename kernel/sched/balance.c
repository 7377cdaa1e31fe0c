/*
 * Moving threads between processors; see balance.h. Called by sched/sched.c and, on the host, by the
 * simulator. Always true: who is moved may run where it goes; a move leaves the heaviest of the two queues
 * no heavier than it was, so the sum of what moves gain never falls, and between equals it goes round.
 */
#include "kernel/sched/balance.h"

/* Members of each heap that are looked at to find one that may move. */
#define LOOKS_MAX 8u

/* The lightest queue of a set, of equal ones the first after `processor` in the round; NULL if the set is empty. */
static struct run_queue *lightest_of(struct run_queue *const *queues, uint64_t set, uint32_t processor)
{
	struct run_queue *lightest = NULL;
	uint64_t later = set & ~((2ull << processor) - 1);

	while (set) {
		uint64_t part = later ? later : set;
		struct run_queue *queue = queues[__builtin_ctzll(part)];

		later &= later - 1;
		set &= ~run_queue_bit(queue);
		if (!lightest || READ_ONCE(queue->load) < READ_ONCE(lightest->load))
			lightest = queue;
	}
	return lightest;
}

struct run_queue *run_queue_choose(struct run_queue *const *queues, uint64_t usable,
		const struct sched_entity *entity)
{
	uint64_t allowed = entity->affinity & usable;
	struct run_queue *last = entity->queue;
	struct run_queue *lightest;

	if (last && !(run_queue_bit(last) & allowed))
		last = NULL;
	if (last && READ_ONCE(last->load) == 0)
		return last;
	lightest = lightest_of(queues, allowed, last ? last->processor : 0);
	return last && READ_ONCE(lightest->load) > 0 ? last : lightest;
}

static struct sched_entity *find_stray(const struct run_queue *queue, const struct heap *heap, uint64_t usable)
{
	for (struct heap_node *node = heap->first; node; node = heap_walk(node)) {
		struct sched_entity *entity = container_of(node, struct sched_entity, link);

		if (entity->place != SCHED_ASLEEP && !(entity->affinity & run_queue_bit(queue)) &&
				(entity->affinity & usable))
			return entity;
	}
	return NULL;
}

struct sched_entity *run_queue_stray(const struct run_queue *queue, uint64_t usable)
{
	struct sched_entity *entity = find_stray(queue, &queue->ready, usable);

	return entity ? entity : find_stray(queue, &queue->early, usable);
}

struct run_queue *run_queue_busiest(struct run_queue *const *queues, uint64_t *candidates)
{
	struct run_queue *busiest = NULL;

	for (uint64_t set = *candidates; set; set &= set - 1) {
		struct run_queue *queue = queues[__builtin_ctzll(set)];

		if (READ_ONCE(queue->count) < 2)
			*candidates &= ~run_queue_bit(queue);
		else if (!busiest || READ_ONCE(queue->load) > READ_ONCE(busiest->load))
			busiest = queue;
	}
	if (busiest)
		*candidates &= ~run_queue_bit(busiest);
	return busiest;
}

struct run_queue *run_queue_lightest(struct run_queue *const *queues, uint64_t *candidates,
		const struct run_queue *queue)
{
	struct run_queue *lightest;

	if (READ_ONCE(queue->count) < 2)
		return NULL;
	lightest = lightest_of(queues, *candidates, queue->processor);
	if (!lightest || READ_ONCE(lightest->load) >= READ_ONCE(queue->load))
		return NULL;
	*candidates &= ~run_queue_bit(lightest);
	return lightest;
}

bool run_queue_balance_due(const struct run_queue *queue, uint64_t now_ticks)
{
	return READ_ONCE(queue->count) > 1 && !heap_before(now_ticks, READ_ONCE(queue->balance_ticks));
}

/* Who may move, and why. */
struct move {
	uint64_t processor;            /* its bit */
	uint64_t from_load, to_load;
	uint64_t arrived_ticks;        /* who came later stays, unless its going makes the two queues more equal */
};

static bool may_move(const struct move *move, const struct sched_entity *entity)
{
	uint64_t there = move->to_load + entity->weight;

	if (entity->place == SCHED_ASLEEP || !(entity->affinity & move->processor))
		return false;
	return there < move->from_load
			|| (there == move->from_load && !heap_before(move->arrived_ticks, entity->moved_ticks));
}

/* Among the first few of a heap. */
static struct sched_entity *find_mobile(const struct heap *heap, const struct move *move)
{
	struct heap_node *node = heap->first;

	for (uint32_t looks = 0; node && looks < LOOKS_MAX; looks++) {
		struct sched_entity *entity = container_of(node, struct sched_entity, link);

		if (may_move(move, entity))
			return entity;
		node = heap_walk(node);
	}
	return NULL;
}

struct sched_entity *run_queue_give(
		struct run_queue *from, const struct run_queue *to, uint64_t now_ticks, uint64_t interval_ticks)
{
	struct move move = {
		.processor = run_queue_bit(to),
		.from_load = from->load,
		.to_load = READ_ONCE(to->load),
		.arrived_ticks = now_ticks - 2 * interval_ticks,
	};
	struct sched_entity *entity = find_mobile(&from->ready, &move);

	if (!entity)
		entity = find_mobile(&from->early, &move);
	if (!entity)
		return NULL;
	run_queue_leave(entity);
	entity->moved_ticks = now_ticks;
	from->balance_ticks = now_ticks + interval_ticks;
	return entity;
}
