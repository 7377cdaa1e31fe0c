/*
 * The queue of deadlines; see timer_queue.h. Callers are sleeps and waits with a deadline, and the
 * scheduler's slices; kernel_interrupt runs it. Always true: the hardware fires no later than the
 * first deadline.
 */
#include "kernel/time/timer_queue.h"

#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/sched/cpu.h"

/* Heaps compare distances: deadlines that nobody will see are equally far. */
#define KEY_MAX ((uint64_t)INT64_MAX)

void timer_queue_init(struct timer_queue *queue)
{
	spin_init(&queue->lock, LOCK_RANK_TIMER, "timer queue");
	queue->heap.first = NULL;
	queue->armed_ns = UINT64_MAX;
}

static struct timer_node *first_node(const struct timer_queue *queue)
{
	struct heap_node *first = queue->heap.first;

	return first ? container_of(first, struct timer_node, link) : NULL;
}

static uint64_t first_deadline(const struct timer_queue *queue)
{
	return queue->heap.first ? queue->heap.first->key : UINT64_MAX;
}

static void node_remove(struct timer_queue *queue, struct timer_node *node)
{
	heap_remove(&queue->heap, &node->link);
	WRITE_ONCE(node->queue, NULL);
}

/* Of this processor. Lock held. */
static void hardware_arm(struct timer_queue *queue, uint64_t deadline_ns)
{
	queue->armed_ns = deadline_ns;
	if (deadline_ns != UINT64_MAX)
		arch_timer_set(deadline_ns);
}

void timer_queue_add(
		struct timer_node *node, uint64_t deadline_ns, void (*fire)(struct timer_node *))
{
	struct timer_queue *queue = &arch_cpu()->timers;

	deadline_ns = MIN(deadline_ns, KEY_MAX);
	spin_lock(&queue->lock);
	ASSERT(!node->queue);
	node->fire = fire;
	node->queue = queue;
	heap_add(&queue->heap, &node->link, deadline_ns);
	if (deadline_ns < queue->armed_ns)
		hardware_arm(queue, deadline_ns);
	spin_unlock(&queue->lock);
}

bool timer_queue_remove(struct timer_node *node)
{
	struct timer_queue *queue = READ_ONCE(node->queue);
	bool queued;

	if (!queue)
		return false;
	spin_lock(&queue->lock);
	queued = node->queue == queue;
	if (queued)
		node_remove(queue, node);
	spin_unlock(&queue->lock);
	return queued;
}

/* Takes out the first node if it is due. */
static struct timer_node *queue_take_due(struct timer_queue *queue, uint64_t now_ns)
{
	struct timer_node *node;

	spin_lock(&queue->lock);
	node = first_node(queue);
	if (node && node->deadline_ns <= now_ns)
		node_remove(queue, node);
	else
		node = NULL;
	spin_unlock(&queue->lock);
	return node;
}

uint64_t timer_queue_run(uint64_t now_ns)
{
	struct timer_queue *queue = &arch_cpu()->timers;
	struct timer_node *node;
	uint64_t next;

	while ((node = queue_take_due(queue, now_ns)) != NULL)
		node->fire(node);
	/* Set again even if nothing was due: the shot that brought us here is spent. */
	spin_lock(&queue->lock);
	next = first_deadline(queue);
	hardware_arm(queue, next);
	spin_unlock(&queue->lock);
	return next;
}

uint64_t timer_queue_next(void)
{
	struct timer_queue *queue = &arch_cpu()->timers;
	uint64_t next;

	spin_lock(&queue->lock);
	next = first_deadline(queue);
	spin_unlock(&queue->lock);
	return next;
}

static void queue_check(struct timer_queue *queue)
{
	spin_lock(&queue->lock);
	heap_check(&queue->heap);
	ASSERT(queue->armed_ns <= first_deadline(queue));
	for (struct heap_node *link = queue->heap.first; link; link = heap_walk(link))
		ASSERT(container_of(link, struct timer_node, link)->queue == queue);
	spin_unlock(&queue->lock);
}

void timer_queue_check(void)
{
	for (uint32_t i = 0; i < processor_count; i++)
		queue_check(&processors[i]->timers);
}
