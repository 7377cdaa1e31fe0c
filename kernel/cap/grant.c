/*
 * The grant tree; see grant.h. Entries come and go through cap_table.c, crossings through transfer.c and
 * endpoint.c, revocation through object/capability_manager.c.
 * Always true: a child of a revoked grant is revoked, but for the grant that the revocation under way has just marked;
 * a grant with no uses is in its table's free pool and has no children.
 */
#include "kernel/cap/grant.h"

#include "kernel/cap/cap_table.h"
#include "kernel/cap/grant_tie.h"
#include "kernel/core/panic.h"

struct spinlock grant_lock = SPINLOCK_INIT(LOCK_RANK_GRANT, "grant");
static struct revocation *under_way;      /* under grant_lock, NULL: none */

static void link_child(struct grant *grant, struct grant *parent)
{
	grant->parent = parent;
	grant->prev = NULL;
	grant->next = parent ? parent->children : NULL;
	if (grant->next)
		grant->next->prev = grant;
	if (parent)
		parent->children = grant;
}

static void unlink_child(struct grant *grant)
{
	if (grant->prev)
		grant->prev->next = grant->next;
	else if (grant->parent)
		grant->parent->children = grant->next;
	if (grant->next)
		grant->next->prev = grant->prev;
	grant->next = NULL;
	grant->prev = NULL;
	grant->parent = NULL;
}

uint64_t grant_name_locked(const struct grant *grant)
{
	return grant && !grant_is_top(grant) ? (uint64_t)grant->table->process_id << 32 | grant->id : 0;
}

struct grant *grant_find_locked(const struct cap_table *table, uint32_t id)
{
	uint32_t place = id & GRANT_PLACE_MASK;
	struct grant *grant;

	if (place / CAP_CHUNK_ENTRIES >= table->chunk_count)
		return NULL;
	grant = &table->chunks[place / CAP_CHUNK_ENTRIES]->grants[place % CAP_CHUNK_ENTRIES];
	return grant->uses != 0 && grant->id == id ? grant : NULL;
}

struct grant *grant_create_locked(struct cap_table *table, struct grant *parent, uint32_t granter)
{
	struct grant *grant = table->free_grants;

	ASSERT(grant != NULL);
	table->free_grants = grant->next;
	table->free_grant_count--;
	grant->children = NULL;
	grant->granter = granter;
	grant->uses = 1;
	grant->revoked = table->revoked || (parent && parent->revoked);
	link_child(grant, parent);
	return grant;
}

/* What was derived from a grant that nobody uses hangs on below its parent, so that revoking there still reaches it. */
static void splice(struct grant *grant) REQUIRES(grant_lock)
{
	struct grant *parent = grant->parent, *child;

	/* Just when what was derived from it is being revoked: that goes on without it. */
	if (under_way && under_way->source == grant) {
		under_way->source = NULL;
		parent = &under_way->top;
	}
	unlink_child(grant);
	grant_ties_pass_locked(grant, parent);
	while ((child = grant->children)) {
		unlink_child(child);
		link_child(child, parent);
	}
}

void grant_unuse_locked(struct grant *grant)
{
	ASSERT(grant->uses != 0);
	if (--grant->uses != 0)
		return;
	splice(grant);
	grant->revoked = 0;
	grant->id += 1u << GRANT_PLACE_BITS;
	grant->next = grant->table->free_grants;
	grant->table->free_grants = grant;
	grant->table->free_grant_count++;
}

/* Marks one grant and cuts its ties; answers 1 if it was not marked yet. */
static uint32_t mark(struct grant *grant) REQUIRES(grant_lock)
{
	if (grant->revoked)
		return 0;
	__atomic_store_n(&grant->revoked, 1, __ATOMIC_RELEASE);
	grant_ties_cut_locked(grant, GRANT_SPARE_NOBODY);
	return 1;
}

static void hang(struct revocation *revocation, struct grant *grant) REQUIRES(grant_lock)
{
	unlink_child(grant);
	link_child(grant, &revocation->top);
}

static void begin(struct revocation *revocation, struct grant *root, bool derived_only) REQUIRES(grant_lock)
{
	*revocation = (struct revocation){ .top = { .uses = 1 } };
	if (derived_only) {
		revocation->source = root;
		/* What others did through grants that are gone by now. */
		grant_ties_cut_locked(root, root->table->process_id);
	} else {
		revocation->marked = mark(root);
		hang(revocation, root);
	}
}

void revocation_begin_locked(struct revocation *revocation, struct grant *root, bool derived_only)
{
	ASSERT(!under_way);
	begin(revocation, root, derived_only);
	under_way = revocation;
}

bool revocation_step_locked(struct revocation *revocation, uint32_t budget)
{
	for (; budget > 0; budget--) {
		struct grant *source = revocation->source, *grant = revocation->top.children;

		if (source && source->children) {
			hang(revocation, source->children);
		} else if (source) {
			revocation->source = NULL;
		} else if (grant) {
			revocation->marked += mark(grant);
			if (grant->children)
				hang(revocation, grant->children);
			else
				unlink_child(grant);
		} else {
			grant_ties_cut_locked(&revocation->top, GRANT_SPARE_NOBODY);
			if (under_way == revocation)
				under_way = NULL;
			return true;
		}
	}
	return false;
}

static uint32_t revoke_at_once(struct grant *root, bool derived_only) REQUIRES(grant_lock)
{
	struct revocation revocation;

	begin(&revocation, root, derived_only);
	while (!revocation_step_locked(&revocation, UINT32_MAX))
		;
	return revocation.marked;
}

uint32_t grant_revoke_derived_locked(struct grant *root)
{
	return revoke_at_once(root, true);
}

uint32_t grant_revoke_locked(struct grant *root)
{
	return revoke_at_once(root, false);
}
