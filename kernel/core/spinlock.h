/*
 * Spin locks. The kernel runs with interrupts off and is not preemptible, so a lock only keeps
 * other processors out. In debug builds every acquisition is checked against the one order of all
 * locks: a lock may be taken only while all locks held have a lower rank (same rank: never). The
 * list of ranks is the order in docs/invariants.md.
 */
#ifndef KERNEL_CORE_SPINLOCK_H
#define KERNEL_CORE_SPINLOCK_H

#include <stdint.h>

#include "abi/compiler.h"

enum lock_rank {
	LOCK_RANK_REVOCATION = 1,
	LOCK_RANK_PROCESS_TREE,
	LOCK_RANK_PROCESS,
	LOCK_RANK_VM,
	LOCK_RANK_BINDING,
	LOCK_RANK_OBJECT,      /* notification, interrupt, process waiters, memory object */
	LOCK_RANK_SHARING,     /* pages of several memory objects */
	LOCK_RANK_PARK,        /* who parks for words of one address space or memory object */
	LOCK_RANK_ENDPOINT,
	LOCK_RANK_CAP_TABLE,
	LOCK_RANK_GRANT,
	LOCK_RANK_RING,
	LOCK_RANK_TIMER,
	LOCK_RANK_RUN_QUEUE,
	LOCK_RANK_LEDGER_TREE,
	LOCK_RANK_LEDGER,
	LOCK_RANK_FACET,
	LOCK_RANK_SLAB,
	LOCK_RANK_FRAME,
	LOCK_RANK_TRACE,
	LOCK_RANK_ENTROPY,
	LOCK_RANK_LOG,
};

struct CAPABILITY("spinlock") spinlock {
	uint32_t word;          /* 0 free, 1 held */
#if CONFIG_DEBUG
	uint32_t rank;
	const char *name;
#endif
};

#if CONFIG_DEBUG
#define SPINLOCK_INIT(rank_, name_) { .word = 0, .rank = (rank_), .name = (name_) }
void spin_debug_acquire(struct spinlock *lock);
void spin_debug_release(struct spinlock *lock);
void spin_debug_assert_held(const struct spinlock *lock);
#define LOCK_ASSERT_HELD(lock) spin_debug_assert_held(lock)
#else
#define SPINLOCK_INIT(rank_, name_) { .word = 0 }
static inline void spin_debug_acquire(struct spinlock *lock) { (void)lock; }
static inline void spin_debug_release(struct spinlock *lock) { (void)lock; }
#define LOCK_ASSERT_HELD(lock) ((void)(lock))
#endif

static inline void spin_init(struct spinlock *lock, enum lock_rank rank, const char *name)
{
	lock->word = 0;
#if CONFIG_DEBUG
	lock->rank = rank;
	lock->name = name;
#else
	(void)rank;
	(void)name;
#endif
}

/* Takes a lock that somebody held just now. */
static COLD inline void spin_lock_contended(struct spinlock *lock)
{
	do {
		while (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) != 0)
			__builtin_ia32_pause();
	} while (__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE) != 0);
}

static inline void spin_lock(struct spinlock *lock) ACQUIRES(lock) NO_LOCK_ANALYSIS
{
	spin_debug_acquire(lock);
	if (unlikely(__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE) != 0))
		spin_lock_contended(lock);
}

static inline void spin_unlock(struct spinlock *lock) RELEASES(lock) NO_LOCK_ANALYSIS
{
	spin_debug_release(lock);
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

#endif
