/*
 * Paged memory: a memory object whose pages come from a process. A thread that touches a page that
 * is not there sleeps; whoever holds the Pager is told which page, and supplies or refuses it. A
 * thread never waits longer than the object's deadline: then, and where a page is refused or nobody
 * is left to supply it, its process ends with a crash record of its own kind.
 */
#ifndef KERNEL_OBJECT_PAGER_H
#define KERNEL_OBJECT_PAGER_H

#include "kernel/core/list.h"
#include "kernel/object/memory_object.h"

struct crash_info;
struct thread;

#define PAGER_DEADLINE_NS_MAX 60000000000ul

/*  I fixed after creation   w under the lock of all waits   a atomic  */
struct paging {
	uint64_t    deadline_ns;   /* I, from the miss on */
	uint64_t    pages;         /* I */
	struct list waiters;       /* w, page_wait.link */
	struct list questions;     /* w, of those who want to know what is missed next */
	bool        closed;        /* w, nobody holds the pager any more */
	uint64_t    bits[];        /* a, a word for 64 pages: claimed by a supplier; then there */
};

/* A thread's wait for a page; all under the lock of all waits. */
struct page_wait {
	struct list           link;
	struct memory_object *object;   /* counted */
	uint64_t              index;
	bool                  told;     /* to the pager */
	struct crash_info    *crash;    /* what becomes of its process if the page does not come; may be NULL */
};

/* A page that is missed; the object is counted. */
struct page_miss {
	struct memory_object *object;
	uint64_t              index;
};

/* An object of absent pages, paid for like any other, and its pager. Counted references. */
status_t pager_create(struct ledger *ledger, uint64_t bytes, uint64_t deadline_ns,
		struct memory_object **object, struct object **pager, uint64_t *detail) MUST_USE;

bool paging_is_there(const struct memory_object *object, uint64_t index);

enum page_wait_outcome { PAGE_AWAITED, PAGE_IS_THERE, PAGE_NEVER };
/* The running thread begins to wait for a page, or need not, or cannot. Consumes the miss; the record
 * too if it waits. */
enum page_wait_outcome page_wait_begin(
		struct thread *thread, const struct page_miss *miss, struct crash_info *crash) MUST_USE;
/* Its process ends. */
void page_wait_cancel(struct thread *thread);

#endif
