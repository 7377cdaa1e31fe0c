/*
 * What hangs off a grant besides capabilities and ends with it: mappings. A tie follows the children
 * of a grant that goes, to its parent, so that revoking there still reaches it; where there is no
 * parent, nobody is left who could take it back.
 *
 * Revoking puts the ties of every grant that it marks into one list, from which their owners
 * (mm/vm_map.c) take and end them before the revocation answers.
 */
#ifndef KERNEL_CAP_GRANT_TIE_H
#define KERNEL_CAP_GRANT_TIE_H

#include "abi/status.h"
#include "kernel/cap/grant.h"

/*  g under grant_lock  */
struct grant_tie {
	struct grant_tie  *next;        /* g */
	struct grant_tie **link;        /* g, what points here; NULL: in no list */
	struct grant      *grant;       /* g, NULL: none, or revoked */
	uint32_t           process_id;  /* who held the capability that was used */
};

/* Ties to a grant in use; false if it is revoked. */
bool grant_tie(struct grant_tie *tie, struct grant *grant) MUST_USE;
/* Ties `copy` to whatever `tie` is tied to. */
void grant_tie_beside(struct grant_tie *copy, struct grant_tie *tie);
void grant_untie(struct grant_tie *tie);

/* The first tie that a revocation has cut, still in the list; NULL: none. */
struct grant_tie *grant_tie_cut_locked(void) REQUIRES(grant_lock);

/* --- For grant.c ------------------------------------------------------------------------------ */

/* A grant goes: its ties go to `parent` (NULL: nowhere). */
void grant_ties_pass_locked(struct grant *grant, struct grant *parent) REQUIRES(grant_lock);
/* A grant is revoked, or what was derived from it: then `spared` keeps what it did itself. */
void grant_ties_cut_locked(struct grant *grant, uint32_t spared) REQUIRES(grant_lock);
#define GRANT_SPARE_NOBODY 0u

#endif
