/*
 * The queue of deadlines; see timer_queue.h. A pairing heap: adding is one comparison, taking the
 * first is logarithmic on average. Callers are sleeps and waits with a deadline; kernel_interrupt
 * runs it. Always true: no node has an earlier deadline than its parent; the hardware fires no
 * later than the root's deadline.
 */
#include "kernel/time/timer_queue.h"

#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/sched/cpu.h"

void timer_queue_init(struct timer_queue *queue)
{
	spin_init(&queue->lock, LOCK_RANK_TIMER, "timer queue");
	queue->root = NULL;
	queue->armed_ns = UINT64_MAX;
}

/* Joins two heaps; neither root has siblings. Either may be NULL. */
static struct timer_node *heap_meld(struct timer_node *a, struct timer_node *b)
{
	struct timer_node *top = a;
	struct timer_node *under = b;

	if (!a || !b)
		return a ? a : b;
	if (b->deadline_ns < a->deadline_ns) {
		top = b;
		under = a;
	}
	under->next = top->child;
	if (under->next)
		under->next->prev = under;
	under->prev = top;
	top->child = under;
	return top;
}

/* Joins a list of siblings into one heap: in pairs from the left, then those from the right. */
static struct timer_node *heap_gather(struct timer_node *sibling)
{
	struct timer_node *pairs = NULL;
	struct timer_node *heap = NULL;

	while (sibling) {
		struct timer_node *a = sibling;
		struct timer_node *b = a->next;

		sibling = b ? b->next : NULL;
		a->next = NULL;
		a->prev = NULL;
		if (b) {
			b->next = NULL;
			b->prev = NULL;
		}
		a = heap_meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct timer_node *rest = pairs->next;

		pairs->next = NULL;
		heap = heap_meld(heap, pairs);
		pairs = rest;
	}
	return heap;
}

static void heap_remove(struct timer_queue *queue, struct timer_node *node)
{
	struct timer_node *children = heap_gather(node->child);

	if (node == queue->root) {
		queue->root = children;
	} else {
		if (node->prev->child == node)
			node->prev->child = node->next;
		else
			node->prev->next = node->next;
		if (node->next)
			node->next->prev = node->prev;
		queue->root = heap_meld(queue->root, children);
	}
	node->child = NULL;
	node->next = NULL;
	node->prev = NULL;
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

	spin_lock(&queue->lock);
	ASSERT(!node->queue);
	node->deadline_ns = deadline_ns;
	node->fire = fire;
	node->child = NULL;
	node->next = NULL;
	node->prev = NULL;
	node->queue = queue;
	queue->root = heap_meld(queue->root, node);
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
		heap_remove(queue, node);
	spin_unlock(&queue->lock);
	return queued;
}

/* Takes out the first node if it is due. */
static struct timer_node *queue_take_due(struct timer_queue *queue, uint64_t now_ns)
{
	struct timer_node *node;

	spin_lock(&queue->lock);
	node = queue->root;
	if (node && node->deadline_ns <= now_ns)
		heap_remove(queue, node);
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
	next = queue->root ? queue->root->deadline_ns : UINT64_MAX;
	hardware_arm(queue, next);
	spin_unlock(&queue->lock);
	return next;
}

uint64_t timer_queue_next(void)
{
	struct timer_queue *queue = &arch_cpu()->timers;
	uint64_t next;

	spin_lock(&queue->lock);
	next = queue->root ? queue->root->deadline_ns : UINT64_MAX;
	spin_unlock(&queue->lock);
	return next;
}

/* The node after `node` in a walk of the whole heap, without a stack. */
static const struct timer_node *heap_walk(const struct timer_node *node)
{
	if (node->child)
		return node->child;
	while (node && !node->next) {
		/* Up: over the left siblings to the parent. */
		while (node->prev && node->prev->child != node)
			node = node->prev;
		node = node->prev;
	}
	return node ? node->next : NULL;
}

static void queue_check(struct timer_queue *queue)
{
	const struct timer_node *root;

	spin_lock(&queue->lock);
	root = queue->root;
	if (root)
		ASSERT(!root->prev && !root->next && queue->armed_ns <= root->deadline_ns);
	for (const struct timer_node *node = root; node; node = heap_walk(node)) {
		ASSERT(node->queue == queue);
		if (node->child)
			ASSERT(node->child->prev == node);
		if (node->next)
			ASSERT(node->next->prev == node);
		for (const struct timer_node *child = node->child; child; child = child->next)
			ASSERT(child->deadline_ns >= node->deadline_ns);
	}
	spin_unlock(&queue->lock);
}

void timer_queue_check(void)
{
	for (uint32_t i = 0; i < processor_count; i++)
		queue_check(&processors[i]->timers);
}
