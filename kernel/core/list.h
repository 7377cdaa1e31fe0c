/*
 * Intrusive doubly linked circular lists. A link that is in no list points at itself, so removing
 * twice is harmless and "is it queued" is a question one can ask. No locks here: the owner's lock
 * guards the list.
 */
#ifndef KERNEL_CORE_LIST_H
#define KERNEL_CORE_LIST_H

#include "abi/compiler.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline bool list_queued(const struct list *link)
{
	return link->next != link;
}

static inline void list_append(struct list *list, struct list *link)
{
	struct list *last = list->prev;

	link->prev = last;
	link->next = list;
	last->next = link;
	list->prev = link;
}

static inline void list_prepend(struct list *list, struct list *link)
{
	list_append(list->next, link);
}

static inline void list_remove(struct list *link)
{
	struct list *next = link->next, *prev = link->prev;

	prev->next = next;
	next->prev = prev;
	list_init(link);
}

/* Moves all links of `from` to the end of `list`. */
static inline void list_move_all(struct list *list, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = list->prev;
	list->prev->next = from->next;
	from->prev->next = list;
	list->prev = from->prev;
	list_init(from);
}

/* The first link, removed; NULL when the list is empty. */
static inline struct list *list_take(struct list *list)
{
	struct list *link = list->next;

	if (link == list)
		return NULL;
	list_remove(link);
	return link;
}

#endif
