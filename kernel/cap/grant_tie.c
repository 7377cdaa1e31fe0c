/*
 * Ties to grants; see grant_tie.h. Made and ended by mm/ with each mapping, moved by grant.c.
 * Always true: a tie with a grant is in that grant's list and the grant is in use and not revoked;
 * a tie without one is in the list of those that were cut, or in none.
 */
#include "kernel/cap/grant_tie.h"

#include "kernel/cap/cap_table.h"
#include "kernel/core/panic.h"

static struct grant_tie *cut_ties; /* under grant_lock */

static void link_at(struct grant_tie **place, struct grant_tie *tie)
{
	tie->next = *place;
	if (tie->next)
		tie->next->link = &tie->next;
	tie->link = place;
	*place = tie;
}

static void unlink_tie(struct grant_tie *tie)
{
	*tie->link = tie->next;
	if (tie->next)
		tie->next->link = tie->link;
	tie->link = NULL;
}

bool grant_tie(struct grant_tie *tie, struct grant *grant)
{
	bool tied;

	spin_lock(&grant_lock);
	DEBUG_ASSERT(grant->uses != 0);
	tied = !grant->revoked;
	if (tied) {
		tie->grant = grant;
		tie->process_id = grant->table->process_id;
		link_at(&grant->ties, tie);
	}
	spin_unlock(&grant_lock);
	return tied;
}

void grant_tie_beside(struct grant_tie *copy, struct grant_tie *tie)
{
	spin_lock(&grant_lock);
	copy->grant = tie->grant;
	copy->process_id = tie->process_id;
	copy->link = NULL;
	if (tie->link)
		link_at(&tie->next, copy);
	spin_unlock(&grant_lock);
}

void grant_untie(struct grant_tie *tie)
{
	spin_lock(&grant_lock);
	if (tie->link)
		unlink_tie(tie);
	tie->grant = NULL;
	spin_unlock(&grant_lock);
}

struct grant_tie *grant_tie_cut_locked(void)
{
	return cut_ties;
}

void grant_ties_pass_locked(struct grant *grant, struct grant *parent)
{
	struct grant_tie *tie;

	while ((tie = grant->ties)) {
		unlink_tie(tie);
		tie->grant = parent;
		if (parent)
			link_at(&parent->ties, tie);
	}
}

void grant_ties_cut_locked(struct grant *grant, uint32_t spared)
{
	struct grant_tie *tie, *next;

	for (tie = grant->ties; tie; tie = next) {
		next = tie->next;
		if (spared != GRANT_SPARE_NOBODY && tie->process_id == spared)
			continue;
		unlink_tie(tie);
		tie->grant = NULL;
		link_at(&cut_ties, tie);
	}
}
