/*
 * Locks between the threads of a process, made of words to park for. Where nobody else wants one, taking it and
 * giving it back do not enter the kernel.
 *
 * A thread that ends while it holds a lock leaves it held: what the lock guards may be half done, and nobody but the
 * program knows what to do about that. mutex_lock_until gives up after a time, and mutex_holder says whom to ask
 * after.
 *
 *     static struct mutex lock = MUTEX_INIT;
 *
 *     mutex_lock(&lock);
 *     while (queue_is_empty())
 *             condition_wait(&filled, &lock);
 *     ...
 *     mutex_unlock(&lock);
 */
#ifndef LIB_RT_MUTEX_H
#define LIB_RT_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "rt/ring.h"

/* --- Mutex ---------------------------------------------------------------------------------- */

#define MUTEX_WAITERS 0x80000000u

struct mutex {
	uint32_t word;          /* the holder's thread id, 0: nobody; MUTEX_WAITERS: somebody may sleep for it */
};
#define MUTEX_INIT { 0 }

/* What a mutex knows a thread by. */
static inline uint32_t mutex_thread(void)
{
	return ring_self()->header->thread_id & ~MUTEX_WAITERS;
}

static inline bool mutex_try_lock(struct mutex *mutex)
{
	uint32_t nobody = 0;

	return __atomic_compare_exchange_n(&mutex->word, &nobody, mutex_thread(), false, __ATOMIC_ACQUIRE,
			__ATOMIC_RELAXED);
}

/* Waits for it, at most until the absolute time (0: none): STATUS_OK, STATUS_DEADLINE_EXCEEDED. Stops the program if
 * the calling thread has it already. */
MUST_USE status_t mutex_wait(struct mutex *mutex, uint64_t deadline_ns);

static inline void mutex_lock(struct mutex *mutex)
{
	if (unlikely(!mutex_try_lock(mutex)))
		(void)!mutex_wait(mutex, 0);
}

MUST_USE static inline status_t mutex_lock_until(struct mutex *mutex, uint64_t deadline_ns)
{
	return likely(mutex_try_lock(mutex)) ? STATUS_OK : mutex_wait(mutex, deadline_ns);
}

/* Stops the program if the calling thread does not hold it. */
void mutex_unlock(struct mutex *mutex);

/* The id of the thread that holds it; 0: nobody. */
static inline uint32_t mutex_holder(const struct mutex *mutex)
{
	return __atomic_load_n(&mutex->word, __ATOMIC_RELAXED) & ~MUTEX_WAITERS;
}

/* --- Condition ------------------------------------------------------------------------------ */

struct condition {
	uint32_t signals;       /* how many so far; who waits sleeps for it to change */
	uint32_t waiters;
};
#define CONDITION_INIT { 0, 0 }

/* Gives the mutex back while it waits for a signal, at most until the absolute time (0: none), and has it again
 * whatever it answers. May return without a signal: look again at what was waited for. */
status_t condition_wait_until(struct condition *condition, struct mutex *mutex, uint64_t deadline_ns);

static inline void condition_wait(struct condition *condition, struct mutex *mutex)
{
	(void)condition_wait_until(condition, mutex, 0);
}

/* Wakes one of those who wait, or all. What they wait for was changed with the mutex held. */
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

/* --- Once ----------------------------------------------------------------------------------- */

struct once {
	uint32_t state;
};
#define ONCE_INIT { 0 }

/* Runs `run` if nobody has; returns when it has been run. */
void once_run(struct once *once, void (*run)(void *argument), void *argument);

/* --- Readers and writers -------------------------------------------------------------------- */

struct rwlock {
	uint32_t state;         /* how many readers; see mutex.c */
	uint32_t writers;       /* that wait: new readers do not join others before them */
};
#define RWLOCK_INIT { 0, 0 }

void rwlock_read_lock(struct rwlock *lock);
void rwlock_read_unlock(struct rwlock *lock);
void rwlock_write_lock(struct rwlock *lock);
void rwlock_write_unlock(struct rwlock *lock);

#endif
