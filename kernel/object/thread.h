/*
 * Threads: a register context, a ring, and a place in the scheduler. A thread that does not run is in exactly one
 * state; it never sleeps inside the kernel, so there is no stack to keep. A thread is also the kernel object behind
 * ThreadHandle.
 *
 * A thread ends alone (by exit with EXIT_THREAD, or killed) or with its process; the last one's end is the process'.
 * What it waits for ends with it. Calls that it received stay with its process: any other thread may return
 * them. Ring and memory are given back by the reaper, and then those who join it are answered; a record of its end
 * remains as long as somebody has a handle, and counts as a thread of the ledger until then.
 */
#ifndef KERNEL_OBJECT_THREAD_H
#define KERNEL_OBJECT_THREAD_H

#include "capos/kernel.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"
#include "kernel/object/pager.h"
#include "kernel/object/reaper.h"
#include "kernel/sched/sched.h"
#include "kernel/time/timer_queue.h"

struct cpu;
struct ledger;
struct process;
struct ring;
struct scheduling_context;

#define THREAD_NAME_MAX 32      /* with the NUL */
#define THREAD_SUSPENDS_MAX UINT8_MAX

enum thread_state {
	THREAD_NEW,
	THREAD_RUNNABLE,         /* in a run queue or the processor's handoff */
	THREAD_RUNNING,
	THREAD_WAIT_SYNC,        /* for one question; see ring.sync */
	THREAD_WAIT_COMPLETIONS, /* for min_complete completions or the deadline */
	THREAD_WAIT_PAGE,        /* for a page that a pager supplies, or the deadline */
	THREAD_SUSPENDED,        /* could run, but for whoever suspended it */
	THREAD_ENDED,
};

enum thread_phase {
	THREAD_LIVES,
	THREAD_ENDING,           /* never runs again; on the reaper */
	THREAD_GONE,             /* everything given back; only the record remains */
};

/*  I fixed after creation   s under its run queue's lock   r under ring.lock   t under lock
 *  p under process.lock   a atomic   x exclusive only to write  */
struct thread {
	struct arch_context context;
	struct process     *process;        /* I, counted */
	struct ring        *ring;           /* I until it is GONE, then NULL */
	enum thread_state   state;          /* r for waits, s otherwise */
	uint32_t            min_complete;   /* r */
	struct sched_entity entity;         /* s; see sched/run_queue.h */
	struct cpu         *cpu;            /* a, whose registers it has; NULL: none, and they are in `context` */
	struct timer_node   deadline;       /* of a wait for completions or a page */
	struct page_wait    page_wait;      /* see object/pager.h */
	uint64_t            ticks;          /* processor time used */
	uint64_t            faults;         /* by touching pages that had to be made or waited for */
	uint32_t            id;             /* I */
	struct object       object;
	struct spinlock     lock;
	enum thread_phase   phase;          /* p, t */
	enum process_state  end_state;      /* p, exited, crashed or killed */
	int64_t             end_status;     /* p */
	bool                is_detached;    /* t */
	char                name[THREAD_NAME_MAX];   /* t */
	struct ledger      *payer;          /* I, counted: one thread, and the frames of its ring */
	struct list         process_link;   /* p, in the process' list until it is GONE */
	struct list         waiters;        /* t, questions: join and wait-for-death */
	struct list         stop_waiters;   /* t, questions: until it runs no more */
	struct list         enders;         /* under the lock of bindings: those to its end */
	struct reaper_work  reap_work;
	struct sched_policy policy;         /* x, what `entity` goes by */
	bool                is_confined;    /* x, is_special, or it may not run everywhere */
	bool                is_special;     /* it has some of what follows, so it never goes the direct way */
	bool                event_due;      /* see object/thread_event.h */
	uint8_t             suspends;       /* how often it is to be resumed before it runs. Exclusive */
	/* Budgets; see sched/donation.h. In exclusive mode, but for context_now. */
	struct scheduling_context *context_own; /* bound to it; NULL in most threads */
	struct scheduling_context *reserve; /* of a passive thread */
	struct scheduling_context *context_now; /* what it runs on, or waits for with all else it needs */
	struct list         reserved_link;  /* under its context's lock: `ready` or `waiting` */
	struct list         reserve_link;
	struct thread      *donor;          /* who sleeps for it in a call that it received first */
	struct thread      *donee;          /* for whom it sleeps likewise */
};

extern const struct object_type thread_type;

/* How a thread starts. */
struct thread_start {
	uint64_t entry;
	uint64_t stack;
	uint64_t argument;
	uint64_t tls_base;      /* what the TLS register holds */
	const char *name;       /* not terminated */
	uint32_t name_bytes;    /* below THREAD_NAME_MAX */
};

/* A thread of a process that has not ended, with its ring in the address space. It does not run yet; borrowed from
 * its process. */
status_t thread_create(struct process *process, const struct thread_start *start, struct thread **thread,
		uint64_t *detail) MUST_USE;
/* Lets it run. Once. */
void thread_run(struct thread *thread);

/* Ends it, and its process if no other thread lives; a second end changes nothing. */
void thread_end(struct thread *thread, enum process_state state, int64_t status);
/* Its process ends; it has been told so (`end_state`). Never runs again, and the reaper gets it. */
void thread_stop(struct thread *thread);
/* Ends its sleep in cap_enter with INTERRUPTED, with the SYNC entry that it sleeps for; false: there is no such sleep. */
bool thread_interrupt(struct thread *thread);
/* It runs no more until thread_resume has been called as often; false: not at once, and thread_stopped will be called, unless it
 * ends or is resumed before. At most THREAD_SUSPENDS_MAX times. */
bool thread_suspend(struct thread *thread) MUST_USE;
/* Takes back one of the suspensions that there are. */
void thread_resume(struct thread *thread);
/* A suspended thread runs no more: whoever waits for that is told. */
void thread_stopped(struct thread *thread);
/* Takes back what it waits for: receives, or everything. True when nothing of it is left. Without locks. */
void thread_end_receives(struct thread *thread);
bool thread_end_questions(struct thread *thread);

/* The deadline of a wait for completions has passed: the thread wakes with DEADLINE_EXCEEDED. */
void thread_deadline_passed(struct timer_node *node);

/* After any of what these two follow from has changed. Exclusive, or by the processor whose it is. */
static inline void thread_special_update(struct thread *thread)
{
	thread->is_special = thread->suspends || thread->event_due || thread->context_own || thread->reserve ||
			thread->donor || thread->donee;
	thread->is_confined = thread->is_special || thread->policy.affinity != SCHED_ANYWHERE;
}

/* A name of at most THREAD_NAME_MAX - 1 printable characters. */
bool thread_name_is_valid(const char *name, uint32_t bytes);

#endif
