/*
 * The queue of one processor; see run_queue.h. Called by sched/sched.c and, on the host, by the
 * simulator. Always true: the distances of all members' virtual times from the clock, each times its
 * weight, add up to `rest`, which is below `weight`; an EARLY or ASLEEP member is in the heap `early` by its
 * virtual time, a READY one in `ready` by its deadline; the runner is in neither. All products fit: a lag is
 * below 2^56, a weight below 2^14, virtual times are no further apart than lags.
 */
#include "kernel/sched/run_queue.h"

#include "kernel/core/panic.h"

/* More is not charged at once: it keeps products within 64 bits. Who ran longer ran alone, or no clock
 * could interrupt it. */
#define CHARGE_MAX_TICKS (1ull << 38)
#define SLICE_MAX_TICKS  (1u << 30)
/* Nor does anybody take more along, or less than its negative. */
#define LAG_MAX          ((int64_t)SLICE_MAX_TICKS << SCHED_FRACTION_BITS)

void run_queue_init(struct run_queue *queue, uint32_t processor)
{
	*queue = (struct run_queue){ .processor = processor };
}

static void shape_set(struct sched_entity *entity, uint32_t weight, uint32_t slice_ticks)
{
	ASSERT(weight >= SCHED_WEIGHT_MIN && weight <= SCHED_WEIGHT_MAX && slice_ticks < SLICE_MAX_TICKS);
	entity->weight = weight;
	entity->slice_ticks = slice_ticks;
	entity->request = ((uint64_t)slice_ticks << SCHED_FRACTION_BITS) / weight;
}

void sched_entity_init(
		struct sched_entity *entity, uint32_t weight, uint32_t slice_ticks, uint64_t affinity)
{
	*entity = (struct sched_entity){ .affinity = affinity, .place = SCHED_OUT };
	shape_set(entity, weight, slice_ticks);
}

static bool is_eligible(const struct run_queue *queue, const struct sched_entity *entity)
{
	return (int64_t)(entity->virtual_time - queue->clock) <= 0;
}

/* The sum over the members changes by `service`, so the clock has to. */
static void clock_move(struct run_queue *queue, int64_t service)
{
	int64_t sum = (int64_t)queue->rest + service;
	int64_t weight = (int64_t)queue->weight;
	int64_t rest = sum % weight;

	queue->clock += (uint64_t)(sum / weight);
	if (rest < 0) {
		rest += weight;
		queue->clock--;
	}
	queue->rest = (uint64_t)rest;
}

/* A member begins to wait. */
static void wait(struct run_queue *queue, struct sched_entity *entity)
{
	if (is_eligible(queue, entity)) {
		entity->place = SCHED_READY;
		heap_add(&queue->ready, &entity->link, entity->deadline);
	} else {
		entity->place = SCHED_EARLY;
		heap_add(&queue->early, &entity->link, entity->virtual_time);
	}
}

/* A member neither waits nor runs any more. */
static void stop(struct run_queue *queue, struct sched_entity *entity)
{
	switch (entity->place) {
	case SCHED_ASLEEP:
	case SCHED_EARLY:
		heap_remove(&queue->early, &entity->link);
		break;
	case SCHED_READY:
		heap_remove(&queue->ready, &entity->link);
		break;
	case SCHED_RUNNER:
		queue->runner = NULL;
		break;
	case SCHED_OUT:
		ASSERT(false);
	}
}

void run_queue_leave(struct sched_entity *entity)
{
	struct run_queue *queue = entity->queue;
	int64_t lag = (int64_t)(queue->clock - entity->virtual_time) * (int64_t)entity->weight;

	if (entity->place != SCHED_ASLEEP) {
		queue->load -= entity->weight;
		queue->count--;
	}
	stop(queue, entity);
	entity->place = SCHED_OUT;
	queue->weight -= entity->weight;
	if (queue->weight > 0)
		clock_move(queue, lag);
	else
		DEBUG_ASSERT(queue->rest == 0 && lag == 0);
	entity->lag = MAX(MIN(lag, LAG_MAX), -LAG_MAX);
}

/* Whoever slept until the clock had reached it, or would have, begins anew. */
static void forget(struct sched_entity *entity)
{
	struct sched_entity *dead = &entity->queue->dead;

	run_queue_leave(entity);
	entity->lag = 0;
	if (entity == dead)
		dead->weight = 0;
}

/* A member that neither waits nor runs will not until it is woken. */
static void sleep(struct run_queue *queue, struct sched_entity *entity)
{
	entity->place = SCHED_ASLEEP;
	heap_add(&queue->early, &entity->link, entity->virtual_time);
}

void run_queue_sleep(struct run_queue *queue)
{
	struct sched_entity *entity = queue->runner;

	if (is_eligible(queue, entity)) {
		forget(entity);
		return;
	}
	queue->runner = NULL;
	queue->load -= entity->weight;
	queue->count--;
	sleep(queue, entity);
}

/* Those that the clock has reached may run, once in each request, and those asleep have nothing to pay any more. */
static void make_ready(struct run_queue *queue)
{
	struct heap_node *first;

	while ((first = queue->early.first) != NULL) {
		struct sched_entity *entity = container_of(first, struct sched_entity, link);

		if (!is_eligible(queue, entity))
			break;
		if (entity->place == SCHED_ASLEEP) {
			forget(entity);
			continue;
		}
		heap_remove(&queue->early, first);
		entity->place = SCHED_READY;
		heap_add(&queue->ready, first, entity->deadline);
	}
}

/* Whether the clock has reached somebody asleep: others must not pay for it any longer. */
static bool is_sleeper_due(const struct run_queue *queue)
{
	const struct sched_entity *entity;

	if (!queue->early.first)
		return false;
	entity = container_of(queue->early.first, struct sched_entity, link);
	return entity->place == SCHED_ASLEEP && is_eligible(queue, entity);
}

void run_queue_charge(struct run_queue *queue, uint64_t now_ticks)
{
	uint64_t ticks = now_ticks - queue->time_ticks;
	struct sched_entity *runner = queue->runner;
	uint64_t virtual;

	if (unlikely((int64_t)ticks <= 0))
		return;        /* somebody on another processor, whose ticks are a little later, was here */
	queue->time_ticks = now_ticks;
	if (!runner)
		return;
	virtual = (MIN(ticks, CHARGE_MAX_TICKS) << SCHED_FRACTION_BITS) / runner->weight;
	runner->virtual_time += virtual;
	clock_move(queue, (int64_t)(virtual * runner->weight));
	if (unlikely(is_sleeper_due(queue)))
		make_ready(queue);
}

/*
 * An entity becomes a member. The clock is the mean of all virtual times, the new one's included: for its lag to
 * be the same afterwards, it begins further from the clock by as much as it draws that to itself.
 */
static void become_member(struct run_queue *queue, struct sched_entity *entity)
{
	int64_t weight = (int64_t)entity->weight;
	int64_t behind = 0;

	if (queue->weight > 0 && entity->lag != 0)
		behind = entity->lag / weight + entity->lag / (int64_t)queue->weight;
	entity->virtual_time = queue->clock - (uint64_t)behind;
	entity->queue = queue;
	queue->weight += entity->weight;
	clock_move(queue, -behind * weight);
}

void run_queue_join(struct run_queue *queue, struct sched_entity *entity)
{
	if (entity->place == SCHED_ASLEEP) {
		run_queue_leave(entity);
		entity->lag = MIN(entity->lag, 0);
	}
	DEBUG_ASSERT(entity->place == SCHED_OUT);
	become_member(queue, entity);
	entity->deadline = entity->virtual_time + entity->request;
	queue->load += entity->weight;
	queue->count++;
	wait(queue, entity);
}

void run_queue_end(struct sched_entity *entity)
{
	struct run_queue *queue = entity->queue;
	struct sched_entity *dead;

	if (entity->place == SCHED_OUT)
		return;
	run_queue_leave(entity);
	if (entity->lag >= 0 || queue->count == 0)
		return;
	dead = &queue->dead;
	if (dead->place == SCHED_ASLEEP)
		run_queue_leave(dead);
	dead->weight = MIN(dead->weight + entity->weight, SCHED_WEIGHT_MAX);
	dead->lag += entity->lag;
	become_member(queue, dead);
	sleep(queue, dead);
}

/* A waiting member's turn begins. */
static void run(struct run_queue *queue, struct sched_entity *entity)
{
	stop(queue, entity);
	entity->place = SCHED_RUNNER;
	queue->runner = entity;
}

void run_queue_enter(struct run_queue *queue, struct sched_entity *entity)
{
	DEBUG_ASSERT(!queue->runner);
	run_queue_join(queue, entity);
	run(queue, entity);
}

void sched_entity_change(struct sched_entity *entity, uint32_t weight, uint32_t slice_ticks)
{
	struct run_queue *queue = entity->queue;
	enum sched_place place = entity->place;

	if (place != SCHED_OUT)
		run_queue_leave(entity);
	shape_set(entity, weight, slice_ticks);
	if (place == SCHED_OUT || place == SCHED_ASLEEP)
		return;
	if (place == SCHED_RUNNER)
		run_queue_enter(queue, entity);
	else
		run_queue_join(queue, entity);
}

/* Nobody is eligible: everybody is asleep, and the processor has time for all; or who is has just yielded. */
static COLD struct heap_node *first_early(struct run_queue *queue)
{
	struct heap_node *first;

	while ((first = queue->early.first) != NULL) {
		struct sched_entity *entity = container_of(first, struct sched_entity, link);

		if (entity->place != SCHED_ASLEEP)
			break;
		forget(entity);
	}
	return first;
}

struct sched_entity *run_queue_pick(struct run_queue *queue)
{
	struct heap_node *first;
	struct sched_entity *next;

	DEBUG_ASSERT(!queue->runner);
	make_ready(queue);
	first = queue->ready.first;
	if (unlikely(!first))
		first = first_early(queue);
	if (!first)
		return NULL;
	next = container_of(first, struct sched_entity, link);
	run(queue, next);
	return next;
}

/* The runner waits again; what it asked for has been given, or some of it is still to come. */
static void runner_wait(struct run_queue *queue, struct sched_entity *runner)
{
	if (!heap_before(runner->virtual_time, runner->deadline))
		runner->deadline = runner->virtual_time + runner->request;
	wait(queue, runner);
}

struct sched_entity *run_queue_turn(struct run_queue *queue)
{
	struct sched_entity *runner = queue->runner;

	queue->runner = NULL;
	runner_wait(queue, runner);
	return run_queue_pick(queue);
}

/* A member begins anew at the clock. Answers by how much the sum of all distances changes. */
static int64_t settle(const struct run_queue *queue, struct sched_entity *entity)
{
	uint64_t behind = queue->clock - entity->virtual_time;

	entity->virtual_time = queue->clock;
	entity->deadline = queue->clock + entity->request;
	return (int64_t)(behind * entity->weight);
}

/* The same as below, where it is most frequent: of two alone, if one is ahead, the other is owed as much. */
static struct sched_entity *other_of_two(struct run_queue *queue)
{
	struct sched_entity *runner = queue->runner;
	struct heap *heap = queue->ready.first ? &queue->ready : &queue->early;
	struct sched_entity *next = container_of(heap->first, struct sched_entity, link);

	heap->first = NULL;
	if (!is_eligible(queue, next)) {
		queue->rest = 0;
		runner->virtual_time = queue->clock;
		next->virtual_time = queue->clock;
		next->deadline = queue->clock + next->request;
	}
	next->place = SCHED_RUNNER;
	queue->runner = next;
	runner->deadline = runner->virtual_time + runner->request;
	wait(queue, runner);
	return next;
}

struct sched_entity *run_queue_yield(struct run_queue *queue)
{
	struct sched_entity *runner = queue->runner;
	struct sched_entity *next;
	int64_t moved = 0;

	if (likely(queue->count == 2 && queue->weight == queue->load))
		return other_of_two(queue);
	queue->runner = NULL;
	next = run_queue_pick(queue);
	if (!next) {
		queue->runner = runner;
		return runner;
	}
	if (!is_eligible(queue, next))
		moved += settle(queue, next);
	if (is_eligible(queue, runner))
		moved += settle(queue, runner);
	clock_move(queue, moved);
	runner->deadline = runner->virtual_time + runner->request;     /* the next turn is another request */
	runner_wait(queue, runner);
	return next;
}

bool run_queue_preempts(const struct run_queue *queue, const struct sched_entity *entity)
{
	return entity->place == SCHED_READY && heap_before(entity->deadline, queue->runner->deadline);
}

uint64_t run_queue_left_ticks(const struct run_queue *queue)
{
	const struct sched_entity *runner = queue->runner;
	uint64_t left = runner->deadline - runner->virtual_time;

	if ((int64_t)left <= 0)
		return 0;
	return ((left * runner->weight) >> SCHED_FRACTION_BITS) + 1;
}

/* --- Checking ----------------------------------------------------------------------------------- */

struct sums {
	uint64_t weight, load;
	int64_t  distance;
	uint32_t count;
};

static void member_add(const struct run_queue *queue, const struct sched_entity *entity, struct sums *sums)
{
	ASSERT(entity->queue == queue);
	sums->weight += entity->weight;
	sums->distance += (int64_t)(entity->virtual_time - queue->clock) * (int64_t)entity->weight;
	if (entity->place == SCHED_ASLEEP)
		return;
	/* Who pays for whoever runs here may have to run elsewhere. */
	ASSERT(entity->place == SCHED_RUNNER || queue->processor == SCHED_SHELTER ||
			(entity->affinity & run_queue_bit(queue)));
	ASSERT((int64_t)(entity->deadline - entity->virtual_time) <= (int64_t)entity->request);
	sums->load += entity->weight;
	sums->count++;
}

static void heap_sum(const struct run_queue *queue, const struct heap *heap, struct sums *sums)
{
	heap_check(heap);
	for (struct heap_node *node = heap->first; node; node = heap_walk(node)) {
		const struct sched_entity *entity = container_of(node, struct sched_entity, link);

		if (heap == &queue->ready) {
			ASSERT(entity->place == SCHED_READY && node->key == entity->deadline);
		} else {
			ASSERT(entity->place == SCHED_EARLY || entity->place == SCHED_ASLEEP);
			ASSERT(node->key == entity->virtual_time);
		}
		member_add(queue, entity, sums);
	}
}

void run_queue_check(const struct run_queue *queue)
{
	struct sums sums = { 0 };

	heap_sum(queue, &queue->ready, &sums);
	heap_sum(queue, &queue->early, &sums);
	if (queue->runner) {
		ASSERT(queue->runner->place == SCHED_RUNNER);
		member_add(queue, queue->runner, &sums);
	}
	ASSERT(sums.count == queue->count && sums.load == queue->load && sums.weight == queue->weight);
	ASSERT(sums.distance == (int64_t)queue->rest);
	ASSERT(queue->weight == 0 ? queue->rest == 0 : queue->rest < queue->weight);
}
