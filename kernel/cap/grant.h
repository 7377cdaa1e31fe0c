/*
 * Grants: who gave what to whom. When a capability crosses to another process a grant {parent,
 * granter, holder} is made there; copies inside a process share it. Revoking a grant marks its whole
 * subtree, and a lookup tests the one mark. A grant that no entry uses any more is spliced out, its children
 * go to its parent, so their number is bounded by live entries.
 *
 * Grants stand in the memory of their holder's capability table, one per slot, so a reserved slot always has one.
 * The tree has one lock; lookups do not take it.
 */
#ifndef KERNEL_CAP_GRANT_H
#define KERNEL_CAP_GRANT_H

#include "kernel/core/spinlock.h"

struct cap_table;
struct grant_tie;

/*  g under grant_lock   a atomic reads, written under grant_lock  */
struct grant {
	struct grant     *parent;      /* g, NULL: a root */
	struct grant     *children;    /* g, first child */
	struct grant     *next;        /* g, sibling; or next free in the table's pool */
	struct grant     *prev;        /* g, sibling */
	struct grant_tie *ties;        /* g, what ends with it: grant_tie.h */
	struct cap_table *table;       /* I, the holder */
	uint32_t          granter;     /* g, process id that gave it; 0 the kernel or the holder itself */
	uint32_t          uses;        /* a, entries, captured transfers, waits and bindings that share it; 0: free */
	uint32_t          revoked;     /* a */
	uint32_t          id;          /* g, its name in `table`: place in the low 16 bits, generation above */
};

extern struct spinlock grant_lock;

/* Takes a free grant of `table` and links it below `parent` (NULL: root); one use. Never fails: the caller
 * reserved a slot. A child of a revoked grant is revoked. */
struct grant *grant_create_locked(struct cap_table *table, struct grant *parent, uint32_t granter)
		REQUIRES(grant_lock);
/* One more use by somebody who has one. */
static inline void grant_use(struct grant *grant)
{
	(void)__atomic_fetch_add(&grant->uses, 1, __ATOMIC_RELAXED);
}
/* Drops one use; splices and frees the grant at zero. */
void grant_unuse_locked(struct grant *grant) REQUIRES(grant_lock);
/* The same without the lock, which it takes for the last use only. */
void grant_unuse(struct grant *grant);
/*
 * A revocation marks a grant and everything derived from it, or only the latter, and cuts what is tied to them. It goes
 * in bounded steps between which everything may change: what is still to be marked hangs below `top`, a grant in no
 * table, so what is derived from it meanwhile, or passed up by a grant that goes, is below `top` too. A grant that is marked
 * is taken out of the tree once nothing hangs below it: nobody will ever ask for its parent again.
 */
struct revocation {
	struct grant  top;         /* g */
	struct grant *source;      /* g, whose children are still to be hung below top; NULL: they are, or it has gone */
	uint32_t      marked;      /* g, how many so far */
};

/* Begins the only revocation that goes in steps; a grant that is revoked itself is so from here on. */
void revocation_begin_locked(struct revocation *revocation, struct grant *root, bool derived_only)
		REQUIRES(grant_lock);
/* Goes on by `budget` grants at most; true: it is done, and no longer referred to. */
bool revocation_step_locked(struct revocation *revocation, uint32_t budget) REQUIRES(grant_lock);

/* Both in one go, also while a revocation is under way; answer how many were marked. */
uint32_t grant_revoke_locked(struct grant *root) REQUIRES(grant_lock);
uint32_t grant_revoke_derived_locked(struct grant *root) REQUIRES(grant_lock);

/* True for the top of a revocation. */
static inline bool grant_is_top(const struct grant *grant)
{
	return !grant->table;
}

/* The grant's name for people and tools: its holder's process id and its id there. NULL: 0. */
uint64_t grant_name_locked(const struct grant *grant) REQUIRES(grant_lock);
/* The grant in use of this table with this id, or NULL. */
struct grant *grant_find_locked(const struct cap_table *table, uint32_t id) REQUIRES(grant_lock);

static inline bool grant_is_revoked(const struct grant *grant)
{
	return __atomic_load_n(&grant->revoked, __ATOMIC_ACQUIRE) != 0;
}

#endif
