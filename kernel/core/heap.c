/*
 * Pairing heaps; see heap.h. Always true: no node has a smaller key than its parent; the first node
 * has no siblings.
 */
#include "kernel/core/heap.h"

#include "kernel/core/panic.h"

struct heap_node *heap_join(struct heap_node *tree, struct heap_node *other)
{
	struct heap_node *top = tree;
	struct heap_node *under = other;

	if (heap_before(other->key, tree->key)) {
		top = other;
		under = tree;
	}
	under->next = top->child;
	if (under->next)
		under->next->prev = under;
	under->prev = top;
	top->child = under;
	return top;
}

/* In pairs from the left, then those from the right. */
struct heap_node *heap_gather(struct heap_node *children)
{
	struct heap_node *pairs = NULL;
	struct heap_node *tree;

	while (children) {
		struct heap_node *pair = children;
		struct heap_node *other = pair->next;

		children = other ? other->next : NULL;
		pair->next = NULL;
		pair->prev = NULL;
		if (other) {
			other->next = NULL;
			other->prev = NULL;
			pair = heap_join(pair, other);
		}
		pair->next = pairs;
		pairs = pair;
	}
	tree = pairs;
	pairs = pairs->next;
	tree->next = NULL;
	while (pairs) {
		struct heap_node *pair = pairs;

		pairs = pair->next;
		pair->next = NULL;
		tree = heap_join(tree, pair);
	}
	return tree;
}

void heap_remove_inner(struct heap *heap, struct heap_node *node)
{
	if (node->prev->child == node)
		node->prev->child = node->next;
	else
		node->prev->next = node->next;
	if (node->next)
		node->next->prev = node->prev;
	if (node->child)
		heap->first = heap_join(heap->first, heap_gather(node->child));
}

struct heap_node *heap_walk(const struct heap_node *node)
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

void heap_check(const struct heap *heap)
{
	if (heap->first)
		ASSERT(!heap->first->prev && !heap->first->next);
	for (const struct heap_node *node = heap->first; node; node = heap_walk(node)) {
		if (node->child)
			ASSERT(node->child->prev == node);
		if (node->next)
			ASSERT(node->next->prev == node);
		for (const struct heap_node *child = node->child; child; child = child->next)
			ASSERT(!heap_before(child->key, node->key));
	}
}
