/*
 * The order that capOS does not use, for comparison in the simulator: start-time fair queueing. Next is who has
 * the least virtual time; a slice is only how long it then runs. The queue's clock is the virtual time of whoever
 * runs. Who wakes starts at the clock, half a slice before it at the most, and takes the processor from one
 * that is a millisecond ahead of it. Everything else is as in kernel/sched/run_queue.c, of which this has the functions.
 */
#include "kernel/sched/run_queue.h"

#define WAKE_TICKS 1000000ull

void run_queue_init(struct run_queue *queue, uint32_t processor)
{
	*queue = (struct run_queue){ .processor = processor };
}

void sched_entity_init(struct sched_entity *entity, uint32_t weight, uint32_t slice_ticks, uint64_t affinity)
{
	*entity = (struct sched_entity){ .affinity = affinity };
	sched_entity_change(entity, weight, slice_ticks);
}

void run_queue_charge(struct run_queue *queue, uint64_t now_ticks)
{
	uint64_t ticks = now_ticks - queue->time_ticks;
	struct heap_node *first = queue->early.first;
	uint64_t least;

	queue->time_ticks = now_ticks;
	if (!queue->runner)
		return;
	queue->runner->virtual_time += (ticks << SCHED_FRACTION_BITS) / queue->runner->weight;
	least = queue->runner->virtual_time;
	if (first && heap_before(first->key, least))
		least = first->key;
	if (heap_before(queue->clock, least))
		queue->clock = least;
}

static void wait(struct run_queue *queue, struct sched_entity *entity)
{
	entity->place = SCHED_EARLY;
	heap_add(&queue->early, &entity->link, entity->virtual_time);
}

/* Out of a queue `lag` is how far its virtual time is from the clock, and it has been set if it moves. */
void run_queue_join(struct run_queue *queue, struct sched_entity *entity)
{
	uint64_t earliest = queue->clock - entity->request / 2;

	if (entity->queue != queue || entity->lag != 0)
		entity->virtual_time = queue->clock - (uint64_t)entity->lag;
	else if (heap_before(entity->virtual_time, earliest))
		entity->virtual_time = earliest;
	entity->lag = 0;
	entity->queue = queue;
	queue->count++;
	queue->load += entity->weight;
	wait(queue, entity);
}

static void remove(struct sched_entity *entity)
{
	struct run_queue *queue = entity->queue;

	if (entity->place == SCHED_RUNNER)
		queue->runner = NULL;
	else
		heap_remove(&queue->early, &entity->link);
	queue->count--;
	queue->load -= entity->weight;
	entity->place = SCHED_OUT;
}

void run_queue_sleep(struct run_queue *queue)
{
	remove(queue->runner);
}

void run_queue_leave(struct sched_entity *entity)
{
	remove(entity);
	entity->lag = (int64_t)(entity->queue->clock - entity->virtual_time);
}

void run_queue_end(struct sched_entity *entity)
{
	remove(entity);
}

void sched_entity_change(struct sched_entity *entity, uint32_t weight, uint32_t slice_ticks)
{
	struct run_queue *queue = entity->queue;

	if (entity->place != SCHED_OUT)
		queue->load += weight - entity->weight;
	entity->weight = weight;
	entity->slice_ticks = slice_ticks;
	entity->request = ((uint64_t)slice_ticks << SCHED_FRACTION_BITS) / weight;
}

struct sched_entity *run_queue_pick(struct run_queue *queue)
{
	struct heap_node *first = queue->early.first;
	struct sched_entity *next;

	if (!first)
		return NULL;
	next = container_of(first, struct sched_entity, link);
	heap_remove(&queue->early, first);
	next->place = SCHED_RUNNER;
	next->deadline = next->virtual_time + next->request;
	queue->runner = next;
	return next;
}

struct sched_entity *run_queue_turn(struct run_queue *queue)
{
	struct sched_entity *runner = queue->runner;

	queue->runner = NULL;
	wait(queue, runner);
	return run_queue_pick(queue);
}

struct sched_entity *run_queue_yield(struct run_queue *queue)
{
	struct sched_entity *runner = queue->runner;
	struct sched_entity *next;

	queue->runner = NULL;
	next = run_queue_pick(queue);
	if (!next) {
		queue->runner = runner;
		return runner;
	}
	wait(queue, runner);
	return next;
}

bool run_queue_preempts(const struct run_queue *queue, const struct sched_entity *entity)
{
	uint64_t ahead = (WAKE_TICKS << SCHED_FRACTION_BITS) / entity->weight;

	return heap_before(entity->virtual_time + ahead, queue->runner->virtual_time);
}

uint64_t run_queue_left_ticks(const struct run_queue *queue)
{
	const struct sched_entity *runner = queue->runner;
	uint64_t left = runner->deadline - runner->virtual_time;

	if ((int64_t)left <= 0)
		return 0;
	return ((left * runner->weight) >> SCHED_FRACTION_BITS) + 1;
}

void run_queue_check(const struct run_queue *queue)
{
	heap_check(&queue->early);
}
