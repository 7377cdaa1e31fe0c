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

/*@ requires valid: \valid(grant) && (parent == \null || \valid(parent));
  @ requires apart: parent != \null ==> \separated(grant, parent) && (parent->children == \null ||
  @     (\valid(parent->children) && \separated(parent->children, grant) && \separated(parent->children, parent)));
  @ assigns grant->parent, grant->prev, grant->next, parent->children, parent->children->prev;
  @ ensures kept: grant->children == \old(grant->children) && grant->revoked == \old(grant->revoked) &&
  @     grant->uses == \old(grant->uses) && grant->granter == \old(grant->granter);
  @ behavior root:
  @   assumes parent == \null;
  @   assigns grant->parent, grant->prev, grant->next;
  @   ensures alone: grant->parent == \null && grant->prev == \null && grant->next == \null;
  @ behavior only:
  @   assumes parent != \null && parent->children == \null;
  @   assigns grant->parent, grant->prev, grant->next, parent->children;
  @   ensures child: grant->parent == parent && parent->children == grant;
  @   ensures single: grant->prev == \null && grant->next == \null;
  @ behavior first:
  @   assumes parent != \null && parent->children != \null;
  @   assigns grant->parent, grant->prev, grant->next, parent->children, parent->children->prev;
  @   ensures child: grant->parent == parent && parent->children == grant;
  @   ensures sibling: grant->prev == \null && grant->next == \old(parent->children) && grant->next->prev == grant;
  @ complete behaviors;
  @ disjoint behaviors;
 */
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

/*@ predicate linked(struct grant *g) =
  @   (g->prev == \null || (\valid(g->prev) && \separated(g, g->prev) && g->prev->next == g)) &&
  @   (g->next == \null || (\valid(g->next) && \separated(g, g->next) && g->next->prev == g)) &&
  @   (g->parent == \null || (\valid(g->parent) && \separated(g, g->parent) &&
  @       (g->prev == \null ==> g->parent->children == g))) &&
  @   (g->prev != \null && g->next != \null ==> \separated(g->prev, g->next)) &&
  @   (g->prev != \null && g->parent != \null ==> \separated(g->prev, g->parent)) &&
  @   (g->next != \null && g->parent != \null ==> \separated(g->next, g->parent));
 */

/*@ requires valid: \valid(grant) && linked(grant);
  @ ensures out: grant->next == \null && grant->prev == \null && grant->parent == \null;
  @ ensures before: \old(grant->prev) != \null ==> \at(grant->prev, Pre)->next == \old(grant->next);
  @ ensures after: \old(grant->next) != \null ==> \at(grant->next, Pre)->prev == \old(grant->prev);
  @ ensures first: \old(grant->prev) == \null && \old(grant->parent) != \null ==>
  @     \at(grant->parent, Pre)->children == \old(grant->next);
  @ ensures kept: grant->children == \old(grant->children) && grant->revoked == \old(grant->revoked) &&
  @     grant->uses == \old(grant->uses);
 */
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

/*@ requires valid: \valid(table) && \valid(table->free_grants) && \separated(table, table->free_grants);
  @ requires pool: table->free_grant_count > 0;
  @ requires parent: parent == \null || (\valid(parent) && \separated(parent, table->free_grants) &&
  @     \separated(parent, table) && (parent->children == \null || (\valid(parent->children) &&
  @     \separated(parent->children, table->free_grants) && \separated(parent->children, parent) &&
  @     \separated(parent->children, table))));
  @ ensures first: \result == \old(table->free_grants);
  @ ensures taken: parent != \null ==> table->free_grants == \old(table->free_grants->next) &&
  @     table->free_grant_count == \old(table->free_grant_count) - 1;
  @ ensures used: \result->uses == 1 && \result->children == \null && \result->granter == granter;
  @ ensures below: \result->parent == parent && (parent != \null ==> parent->children == \result);
  @ ensures inherits: \result->revoked != 0 <==> (table->revoked || (parent != \null && parent->revoked != 0));
 */
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
	uint32_t before = __atomic_fetch_sub(&grant->uses, 1, __ATOMIC_ACQ_REL);

	ASSERT(before != 0);
	if (before != 1)
		return;
	splice(grant);
	grant->revoked = 0;
	grant->id += 1u << GRANT_PLACE_BITS;
	grant->next = grant->table->free_grants;
	grant->table->free_grants = grant;
	grant->table->free_grant_count++;
}

void grant_unuse(struct grant *grant)
{
	uint32_t uses = __atomic_load_n(&grant->uses, __ATOMIC_RELAXED);

	while (likely(uses > 1)) {
		if (likely(__atomic_compare_exchange_n(&grant->uses, &uses, uses - 1, false, __ATOMIC_ACQ_REL,
				__ATOMIC_RELAXED)))
			return;
	}
	spin_lock(&grant_lock);
	grant_unuse_locked(grant);
	spin_unlock(&grant_lock);
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
