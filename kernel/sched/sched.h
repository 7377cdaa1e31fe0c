/*
 * The scheduler: a fair queue per processor (run_queue.h), moves between them (balance.h), and the
 * handoff of a direct switch. It decides whose context the processor leaves the kernel with;
 * nothing ever sleeps inside. All of it may be called shared (core/kernel_lock.h) but for what says
 * otherwise.
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include "kernel/arch/arch.h"
#include "kernel/sched/run_queue.h"

struct cpu;
struct thread;

enum sched_class {
	SCHED_INTERACTIVE,      /* wakes often for little */
	SCHED_NORMAL,
	SCHED_BATCH,            /* computes; is interrupted rarely */
	SCHED_CLASSES,
};

/* How a thread shares the processors with others; also the bounds of what somebody may say about that. */
struct sched_policy {
	uint64_t         affinity;      /* bit n: may run on processor n; not 0 */
	uint32_t         weight;
	enum sched_class class;
};
#define SCHED_POLICY_USUAL ((struct sched_policy){ SCHED_ANYWHERE, SCHED_WEIGHT_DEFAULT, SCHED_NORMAL })

/* Before the first thread, when time can be told. */
void sched_init(void);

/* A new thread, which is in no queue. */
void sched_thread_init(struct thread *thread, const struct sched_policy *policy);

/* From now on the thread shares the processors so, wherever it is; if it runs or waits for its turn where it may not
 * run any more, it goes. Exclusive. */
void sched_set_policy(struct thread *thread, const struct sched_policy *policy);

/* Whether a thread that is confined may all the same be passed this processor directly. */
bool sched_may_pass(const struct thread *thread);

/* The number of the processor where the thread runs or waits for its turn, or ran last. Exclusive. */
uint32_t sched_processor(const struct thread *thread);

/* A bit for each processor there is. */
uint64_t sched_processors(void);

/* Makes a new or waiting thread runnable. `handoff`: if the running thread now goes to sleep, this
 * one is next, before the queue (it was waited for by a synchronous call). Caller holds the lock
 * that guards its waiting state. */
void sched_wake(struct thread *thread, bool handoff);

/* The same with handoff for a thread that the running one has answered; see sched_pass_back. */
void sched_wake_back(struct thread *thread);

/* Takes a thread out for good; it may be running, here or elsewhere, runnable or waiting. Exclusive. */
void sched_remove(struct thread *thread);

/* Queues a thread that can run and is in no queue; one that is suspended waits to be resumed. */
void sched_enqueue(struct thread *thread);

/* What a thread is to run on has changed, or something is due to it: if it can run, it is queued anew. */
void sched_requeue(struct thread *thread);

/* A thread that has been suspended (`suspends`) runs no more: at once, or if it runs as soon as its processor
 * comes by, which then calls thread_stopped. Exclusive. */
void sched_suspend(struct thread *thread);
/* It is suspended no more: if nothing else keeps it, it is queued. Exclusive. */
void sched_continue(struct thread *thread);

/* From now on the processor runs only threads whose context is its own; or again all. Exclusive. */
void sched_isolate(struct cpu *cpu, bool is_on);

/* Asks for another thread at the next way out of the kernel. */
void sched_yield(void);

/* A process has ended: asks for the reaper on the ways out of the kernel, until it has nothing
 * left to do, and by one that idles. Exclusive. */
void sched_reap(void);

/* The context to leave with: the running thread's, unless it waits, yielded or its slice is over.
 * Idles when there is none; never answers NULL. Leaves the processor inside, shared or exclusive. */
struct arch_context *sched_resume(void);

/* The same, as a function of its own for those who rarely need it. */
struct arch_context *sched_leave(void);

/* The thread that runs entered by a system call and waits for one question from now on; `next`,
 * which waited likewise, has its answer and is nobody else's, runs at once: the context to leave
 * with. Shared; leaves the kernel. */
struct arch_context *sched_pass(struct thread *running, struct thread *next);

/* The same for an answer: if the service began to run on its own account, who is answered goes on on its
 * own and not on the service's. */
struct arch_context *sched_pass_back(struct thread *running, struct thread *next);

/* The same for whoever is next: of a direct switch or of the queue. */
struct arch_context *sched_sleep(struct thread *running);

/* The running thread begins to wait; sched_resume will choose another. */
void sched_wait(struct thread *thread, uint32_t state);

/* Processor time that the thread has used, up to now if it runs. Exclusive. */
uint64_t sched_ticks(const struct thread *thread);

/* A timer interrupt: fires deadlines and ends the slice. */
void sched_timer(void);

/* Another processor has interrupted this one, perhaps since it queued a thread here. */
void sched_woken(void);

#endif
