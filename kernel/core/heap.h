/*
 * Intrusive pairing heaps: the node with the least key is first. Adding is one comparison, removing
 * is logarithmic on average. Keys are compared by their signed distance, so they may wrap as long as
 * all keys of a heap stay within 2^63 of each other. No locks here: the owner's lock guards the heap.
 */
#ifndef KERNEL_CORE_HEAP_H
#define KERNEL_CORE_HEAP_H

#include "abi/compiler.h"

struct heap_node {
	uint64_t          key;
	struct heap_node *child;
	struct heap_node *next;
	struct heap_node *prev;        /* the parent for a first child, else the left sibling */
};

struct heap {
	struct heap_node *first;       /* NULL: empty */
};

static inline bool heap_before(uint64_t key, uint64_t other)
{
	return (int64_t)(key - other) < 0;
}

/* Joins two heaps that are trees without siblings, the first of which is not empty. */
struct heap_node *heap_join(struct heap_node *tree, struct heap_node *other);
/* The children of a node that is taken out become one tree. */
struct heap_node *heap_gather(struct heap_node *children);
/* Takes out a node that is not the first. */
void heap_remove_inner(struct heap *heap, struct heap_node *node);
/* The node after `node` in a walk of the whole heap, parents before children; NULL at the end. */
struct heap_node *heap_walk(const struct heap_node *node);
/* Panics if the heap's shape is broken. */
void heap_check(const struct heap *heap);

/* Adds a node that is in no heap. Among equal keys the one that came first stays first. */
static inline void heap_add(struct heap *heap, struct heap_node *node, uint64_t key)
{
	node->key = key;
	node->child = NULL;
	node->next = NULL;
	node->prev = NULL;
	heap->first = heap->first ? heap_join(heap->first, node) : node;
}

static inline void heap_remove(struct heap *heap, struct heap_node *node)
{
	if (unlikely(node != heap->first))
		heap_remove_inner(heap, node);
	else
		heap->first = node->child ? heap_gather(node->child) : NULL;
}

#endif
