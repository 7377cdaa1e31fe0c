/*
 * Locks on park and unpark; see mutex.h.
 *
 * Always true: a thread sleeps for a word only while the word says so (MUTEX_WAITERS, RWLOCK_WAITERS, ONCE_AWAITED),
 * and whoever takes that mark away wakes somebody who marks it again, or all.
 */
#include "rt/mutex.h"

#include "rt/panic.h"
#include "rt/park.h"

static uint32_t word_read(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Whether the word was `from` and is `to` now. */
static bool word_change(uint32_t *word, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Marks a word that was `seen`, if it was not marked, and sleeps for it. */
static status_t word_sleep(uint32_t *word, uint32_t seen, uint32_t mark, uint64_t deadline_ns)
{
	if (!(seen & mark) && !word_change(word, seen, seen | mark))
		return STATUS_OK;
	return park(word, seen | mark, deadline_ns);
}

/* --- Mutex ---------------------------------------------------------------------------------- */

/* Who has slept cannot know whether others still do, and so takes the mutex marked. */
status_t mutex_wait(struct mutex *mutex, uint64_t deadline_ns)
{
	const uint32_t self = mutex_thread();
	status_t status = STATUS_OK;

	ASSERT(mutex_holder(mutex) != self);
	while (status != STATUS_DEADLINE_EXCEEDED) {
		uint32_t seen = word_read(&mutex->word);

		if (seen != 0)
			status = word_sleep(&mutex->word, seen, MUTEX_WAITERS, deadline_ns);
		else if (word_change(&mutex->word, 0, self | MUTEX_WAITERS))
			return STATUS_OK;
	}
	return status;
}

void mutex_unlock(struct mutex *mutex)
{
	ASSERT(mutex_holder(mutex) == mutex_thread());
	if (unlikely(__atomic_exchange_n(&mutex->word, 0, __ATOMIC_RELEASE) & MUTEX_WAITERS))
		unpark(&mutex->word, 1);
}

/* --- Condition ------------------------------------------------------------------------------ */

status_t condition_wait_until(struct condition *condition, struct mutex *mutex, uint64_t deadline_ns)
{
	uint32_t signals = word_read(&condition->signals);
	status_t status;

	__atomic_add_fetch(&condition->waiters, 1, __ATOMIC_ACQ_REL);
	mutex_unlock(mutex);
	status = park(&condition->signals, signals, deadline_ns);
	__atomic_sub_fetch(&condition->waiters, 1, __ATOMIC_ACQ_REL);
	mutex_lock(mutex);
	return status;
}

static void condition_wake(struct condition *condition, uint32_t count)
{
	if (word_read(&condition->waiters) == 0)
		return;
	__atomic_add_fetch(&condition->signals, 1, __ATOMIC_ACQ_REL);
	unpark(&condition->signals, count);
}

void condition_signal(struct condition *condition)
{
	condition_wake(condition, 1);
}

void condition_broadcast(struct condition *condition)
{
	condition_wake(condition, PARK_ALL);
}

/* --- Once ----------------------------------------------------------------------------------- */

#define ONCE_RUNNING 1u
#define ONCE_DONE    2u
#define ONCE_AWAITED 4u

void once_run(struct once *once, void (*run)(void *argument), void *argument)
{
	for (;;) {
		uint32_t state = word_read(&once->state);

		if (likely(state == ONCE_DONE))
			return;
		if (state & ONCE_RUNNING) {
			(void)!word_sleep(&once->state, state, ONCE_AWAITED, 0);
		} else if (word_change(&once->state, 0, ONCE_RUNNING)) {
			run(argument);
			if (__atomic_exchange_n(&once->state, ONCE_DONE, __ATOMIC_ACQ_REL) & ONCE_AWAITED)
				unpark(&once->state, PARK_ALL);
			return;
		}
	}
}

/* --- Readers and writers -------------------------------------------------------------------- */

#define RWLOCK_WRITER  0x80000000u
#define RWLOCK_WAITERS 0x40000000u      /* somebody may sleep for the state */

/* A writer that waits goes before readers that would join others; but where nobody is inside, whoever comes first
 * goes, so that a writer that has died while it waited keeps nobody out. */
void rwlock_read_lock(struct rwlock *lock)
{
	for (;;) {
		uint32_t state = word_read(&lock->state);
		bool others = (state & ~RWLOCK_WAITERS) != 0;

		if ((state & RWLOCK_WRITER) || (others && word_read(&lock->writers) != 0))
			(void)!word_sleep(&lock->state, state, RWLOCK_WAITERS, 0);
		else if (word_change(&lock->state, state, state + 1))
			return;
	}
}

void rwlock_read_unlock(struct rwlock *lock)
{
	uint32_t state = __atomic_sub_fetch(&lock->state, 1, __ATOMIC_ACQ_REL);

	if (unlikely(state == RWLOCK_WAITERS) && word_change(&lock->state, RWLOCK_WAITERS, 0))
		unpark(&lock->state, PARK_ALL);
}

void rwlock_write_lock(struct rwlock *lock)
{
	if (likely(word_change(&lock->state, 0, RWLOCK_WRITER)))
		return;
	__atomic_add_fetch(&lock->writers, 1, __ATOMIC_ACQ_REL);
	for (;;) {
		uint32_t state = word_read(&lock->state);

		if (state & ~RWLOCK_WAITERS)
			(void)!word_sleep(&lock->state, state, RWLOCK_WAITERS, 0);
		else if (word_change(&lock->state, state, state | RWLOCK_WRITER))
			break;
	}
	__atomic_sub_fetch(&lock->writers, 1, __ATOMIC_ACQ_REL);
}

void rwlock_write_unlock(struct rwlock *lock)
{
	uint32_t state = __atomic_exchange_n(&lock->state, 0, __ATOMIC_ACQ_REL);

	ASSERT(state & RWLOCK_WRITER);
	if (unlikely(state & RWLOCK_WAITERS))
		unpark(&lock->state, PARK_ALL);
}
