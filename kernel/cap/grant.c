/*
 * The grant tree; see grant.h. Entries come and go through cap_table.c, crossings through transfer.c and
 * endpoint.c, revocation through object/capability_manager.c.
 * Always true: a child of a revoked grant is revoked; a grant with no uses is in its table's free pool
 * and has no children.
 */
#include "kernel/cap/grant.h"

#include "kernel/cap/cap_table.h"
#include "kernel/cap/grant_tie.h"
#include "kernel/core/panic.h"

struct spinlock grant_lock = SPINLOCK_INIT(LOCK_RANK_GRANT, "grant");

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
	return grant ? (uint64_t)grant->table->process_id << 32 | grant->id : 0;
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

/* The next grant of the subtree of `root` in depth-first order, or NULL. */
static struct grant *subtree_next(struct grant *root, struct grant *grant)
{
	if (grant->children)
		return grant->children;
	while (grant != root && !grant->next)
		grant = grant->parent;
	return grant == root ? NULL : grant->next;
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

uint32_t grant_revoke_derived_locked(struct grant *root)
{
	uint32_t marked = 0;

	/* What others did through grants that are gone by now. */
	grant_ties_cut_locked(root, root->table->process_id);
	for (struct grant *grant = subtree_next(root, root); grant; grant = subtree_next(root, grant))
		marked += mark(grant);
	return marked;
}

uint32_t grant_revoke_locked(struct grant *grant)
{
	uint32_t marked = mark(grant);

	return marked + grant_revoke_derived_locked(grant);
}
