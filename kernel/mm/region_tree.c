/*
 * The tree of regions; see region_tree.h. Used by the vm files alone. Insertion and removal note
 * the way down and mend it from below, until nothing changes any more.
 * Always true: in-order traversal gives rising, disjoint ranges, and so do the links to the next
 * region and the one before; heights of siblings differ by at most one; height and room of a node
 * follow from its children and from `before`.
 */
#include "kernel/mm/region_tree.h"

#include "kernel/core/panic.h"

#define DEPTH_MAX 40 /* an AVL tree of 2^27 nodes */

/* The links that were followed, from the root down. */
struct way {
	uint32_t           depth;
	struct vm_region **links[DEPTH_MAX];
};

static uint32_t height_of(const struct vm_region *region)
{
	return region ? region->height : 0;
}

static uint64_t room_of(const struct vm_region *region)
{
	return region ? region->room : 0;
}

/* True if height or room are not what they were. */
static bool region_refresh(struct vm_region *region)
{
	const struct vm_region *left = region->left, *right = region->right;
	uint32_t height = 1 + MAX(height_of(left), height_of(right));
	uint64_t room = MAX(region->before, MAX(room_of(left), room_of(right)));
	bool changed = height != region->height || room != region->room;

	region->height = height;
	region->room = room;
	return changed;
}

static void gap_refresh(struct vm_region *region)
{
	region->before = region->start - (region->prev ? region->prev->end : 0);
}

static struct vm_region *rotate_right(struct vm_region *region)
{
	struct vm_region *top = region->left;

	region->left = top->right;
	top->right = region;
	(void)region_refresh(region);
	return top;
}

static struct vm_region *rotate_left(struct vm_region *region)
{
	struct vm_region *top = region->right;

	region->right = top->left;
	top->left = region;
	(void)region_refresh(region);
	return top;
}

/* After a change below by one: the subtree leans by one at most again. True if it is not what it
 * was. */
static bool subtree_mend(struct vm_region **link)
{
	struct vm_region *region = *link;
	uint32_t left = height_of(region->left), right = height_of(region->right);

	if (likely(left <= right + 1 && right <= left + 1))
		return region_refresh(region);
	if (left > right) {
		if (height_of(region->left->left) < height_of(region->left->right)) {
			region->left = rotate_left(region->left);
			(void)region_refresh(region->left);
		}
		*link = rotate_right(region);
	} else {
		if (height_of(region->right->right) < height_of(region->right->left)) {
			region->right = rotate_right(region->right);
			(void)region_refresh(region->right);
		}
		*link = rotate_left(region);
	}
	(void)region_refresh(*link);
	return true;
}

/* Mends the way from below. What is above a subtree that stayed as it was stays too, unless it is
 * `next`, whose gap has changed. */
static void way_mend(struct way *way, const struct vm_region *next)
{
	while (way->depth > 0) {
		struct vm_region **link = way->links[--way->depth];
		bool is_next = *link == next;

		if (is_next)
			next = NULL;
		if (!subtree_mend(link) && !next)
			return;
	}
}

static void way_step(struct way *way, struct vm_region **link)
{
	ASSERT(way->depth < DEPTH_MAX);
	way->links[way->depth++] = link;
}

/* The link to a region that is in the tree, with the way to it, itself included. */
static struct vm_region **way_to(
		struct way *way, struct vm_region **root, const struct vm_region *region)
{
	struct vm_region **link = root;

	while (*link != region) {
		ASSERT(*link);
		way_step(way, link);
		link = region->start < (*link)->start ? &(*link)->left : &(*link)->right;
	}
	return link;
}

void region_tree_insert(struct vm_region **root, struct vm_region *region)
{
	struct vm_region **link = root, *prev = NULL, *next = NULL;
	struct way way;

	way.depth = 0;
	ASSERT(region->start < region->end);
	while (*link) {
		way_step(&way, link);
		if (region->start < (*link)->start) {
			next = *link;
			link = &next->left;
		} else {
			prev = *link;
			link = &prev->right;
		}
	}
	DEBUG_ASSERT(!prev || prev->end <= region->start);
	DEBUG_ASSERT(!next || region->end <= next->start);
	region->left = NULL;
	region->right = NULL;
	region->prev = prev;
	region->next = next;
	gap_refresh(region);
	if (prev)
		prev->next = region;
	if (next) {
		next->prev = region;
		gap_refresh(next);
	}
	region->height = 1;
	region->room = region->before;
	*link = region;
	way_mend(&way, next);
}

/* Puts the lowest region of the right subtree, which is `heir`, in the place of `region`. */
static void heir_raise(struct way *way, struct vm_region **link, struct vm_region *heir)
{
	struct vm_region *region = *link, **from = &region->right;
	uint32_t top = way->depth;

	way_step(way, link);
	while (*from != heir) {
		way_step(way, from);
		from = &(*from)->left;
	}
	*from = heir->right;
	heir->left = region->left;
	heir->right = region->right;
	heir->height = region->height;
	heir->room = region->room;
	*link = heir;
	if (way->depth > top + 1)
		way->links[top + 1] = &heir->right;
}

void region_tree_remove(struct vm_region **root, struct vm_region *region)
{
	struct vm_region *prev = region->prev, *next = region->next;
	struct vm_region **link;
	struct way way;

	way.depth = 0;
	link = way_to(&way, root, region);
	if (prev)
		prev->next = next;
	if (next) {
		next->prev = prev;
		gap_refresh(next);
	}
	if (region->right)
		heir_raise(&way, link, next);
	else
		*link = region->left;
	way_mend(&way, next);
}

/* Height and room of a region and of those above it, after its gap has changed. */
static void gap_changed(struct vm_region **root, struct vm_region *region)
{
	struct way way;

	way.depth = 0;
	gap_refresh(region);
	way_step(&way, way_to(&way, root, region));
	way_mend(&way, NULL);
}

void region_tree_resize(
		struct vm_region **root, struct vm_region *region, uint64_t start, uint64_t end)
{
	ASSERT(start < end);
	if (start != region->start) {
		/* Its place is among the others as it was. */
		region->start = start;
		gap_changed(root, region);
	}
	if (end != region->end) {
		region->end = end;
		if (region->next)
			gap_changed(root, region->next);
	}
}

struct vm_region *region_tree_from(struct vm_region *root, uint64_t address)
{
	struct vm_region *found = NULL;

	while (root) {
		if (root->end > address) {
			found = root;
			root = root->left;
		} else {
			root = root->right;
		}
	}
	return found;
}

/* The lowest region that starts above `start` with `bytes` free before it. Subtrees without are
 * passed over whole. */
static const struct vm_region *room_above(
		const struct vm_region *top, uint64_t start, uint64_t bytes)
{
	while (top && top->room >= bytes) {
		if (top->start > start) {
			const struct vm_region *lower = room_above(top->left, start, bytes);

			if (lower)
				return lower;
			if (top->before >= bytes)
				return top;
		}
		top = top->right;
	}
	return NULL;
}

static uint64_t end_of_last(const struct vm_region *root)
{
	while (root->right)
		root = root->right;
	return root->end;
}

uint64_t region_tree_room(struct vm_region *root, uint64_t base, uint64_t limit, uint64_t bytes)
{
	const struct vm_region *region = region_tree_from(root, base), *above;
	uint64_t place = base;

	if (region && (region->start < base || region->start - base < bytes)) {
		above = room_above(root, region->start, bytes);
		place = above ? above->start - above->before : end_of_last(root);
	}
	/* A region above the limit may have ended the search: the room must still lie below it. */
	return place <= limit && limit - place >= bytes ? place : 0;
}

static void subtree_check(const struct vm_region *top, const struct vm_region **before)
{
	struct vm_region same;

	if (!top)
		return;
	subtree_check(top->left, before);
	ASSERT(top->start < top->end);
	ASSERT(top->prev == *before);
	if (*before)
		ASSERT((*before)->next == top && (*before)->end <= top->start);
	*before = top;
	subtree_check(top->right, before);
	ASSERT(height_of(top->left) <= height_of(top->right) + 1);
	ASSERT(height_of(top->right) <= height_of(top->left) + 1);
	same = *top;
	gap_refresh(&same);
	ASSERT(same.before == top->before && !region_refresh(&same));
}

void region_tree_check(const struct vm_region *root)
{
	const struct vm_region *last = NULL;

	subtree_check(root, &last);
	ASSERT(!last || !last->next);
}
