/*
 * The tree of regions; see region_tree.h. Used by the vm files alone.
 * Always true: in-order traversal gives rising, disjoint ranges; heights of siblings differ by at
 * most one; first, last, gap and height of a node follow from its children.
 */
#include "kernel/mm/region_tree.h"

#include "kernel/core/panic.h"

static int32_t height_of(const struct vm_region *region)
{
	return region ? region->height : 0;
}

static void region_refresh(struct vm_region *region)
{
	const struct vm_region *left = region->left;
	const struct vm_region *right = region->right;

	region->height = 1 + MAX(height_of(left), height_of(right));
	region->first = left ? left->first : region->start;
	region->last = right ? right->last : region->end;
	region->gap = 0;
	if (left)
		region->gap = MAX(left->gap, region->start - left->last);
	if (right) {
		region->gap = MAX(region->gap, right->gap);
		region->gap = MAX(region->gap, right->first - region->end);
	}
}

static struct vm_region *rotate_right(struct vm_region *region)
{
	struct vm_region *top = region->left;

	region->left = top->right;
	top->right = region;
	region_refresh(region);
	region_refresh(top);
	return top;
}

static struct vm_region *rotate_left(struct vm_region *region)
{
	struct vm_region *top = region->right;

	region->right = top->left;
	top->left = region;
	region_refresh(region);
	region_refresh(top);
	return top;
}

/* After one insertion or removal below: the new top of this subtree. */
static struct vm_region *region_balance(struct vm_region *region)
{
	int32_t lean = height_of(region->left) - height_of(region->right);

	if (lean > 1) {
		if (height_of(region->left->left) < height_of(region->left->right))
			region->left = rotate_left(region->left);
		return rotate_right(region);
	}
	if (lean < -1) {
		if (height_of(region->right->right) < height_of(region->right->left))
			region->right = rotate_right(region->right);
		return rotate_left(region);
	}
	region_refresh(region);
	return region;
}

static struct vm_region *insert_below(struct vm_region *top, struct vm_region *region)
{
	if (!top)
		return region;
	if (region->start < top->start) {
		DEBUG_ASSERT(region->end <= top->start);
		top->left = insert_below(top->left, region);
	} else {
		DEBUG_ASSERT(region->start >= top->end);
		top->right = insert_below(top->right, region);
	}
	return region_balance(top);
}

void region_tree_insert(struct vm_region **root, struct vm_region *region)
{
	ASSERT(region->start < region->end);
	region->left = NULL;
	region->right = NULL;
	region_refresh(region);
	*root = insert_below(*root, region);
}

/* Takes the lowest node out of a subtree. */
static struct vm_region *take_lowest(struct vm_region *top, struct vm_region **lowest)
{
	if (!top->left) {
		*lowest = top;
		return top->right;
	}
	top->left = take_lowest(top->left, lowest);
	return region_balance(top);
}

static struct vm_region *remove_below(struct vm_region *top, struct vm_region *region)
{
	struct vm_region *heir;

	ASSERT(top);
	if (region->start < top->start) {
		top->left = remove_below(top->left, region);
		return region_balance(top);
	}
	if (region->start > top->start) {
		top->right = remove_below(top->right, region);
		return region_balance(top);
	}
	ASSERT(top == region);
	if (!top->right)
		return top->left;
	top->right = take_lowest(top->right, &heir);
	heir->left = top->left;
	heir->right = top->right;
	return region_balance(heir);
}

void region_tree_remove(struct vm_region **root, struct vm_region *region)
{
	*root = remove_below(*root, region);
	region->left = NULL;
	region->right = NULL;
}

void region_tree_resize(
		struct vm_region *root, struct vm_region *region, uint64_t start, uint64_t end)
{
	ASSERT(start < end);
	if (root == region) {
		region->start = start;
		region->end = end;
	} else {
		region_tree_resize(region->start < root->start ? root->left : root->right, region,
				start, end);
	}
	region_refresh(root);
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

/* *cursor is the end of everything looked at so far. True: there is room at *cursor, before the
 * next region. Subtrees without a large enough gap are passed over whole. */
static bool room_below(const struct vm_region *top, uint64_t *cursor, uint64_t bytes)
{
	if (!top || top->last <= *cursor)
		return false;
	if (top->first >= *cursor) {
		if (top->first - *cursor >= bytes)
			return true;
		if (top->gap < bytes) {
			*cursor = top->last;
			return false;
		}
	}
	if (room_below(top->left, cursor, bytes))
		return true;
	if (top->start >= *cursor && top->start - *cursor >= bytes)
		return true;
	*cursor = MAX(*cursor, top->end);
	return room_below(top->right, cursor, bytes);
}

uint64_t region_tree_room(
		const struct vm_region *root, uint64_t base, uint64_t limit, uint64_t bytes)
{
	uint64_t cursor = base;

	/* A region above the limit may have ended the search: the room must still lie below it. */
	(void)room_below(root, &cursor, bytes);
	return cursor <= limit && limit - cursor >= bytes ? cursor : 0;
}

void region_tree_check(const struct vm_region *root)
{
	struct vm_region same;

	if (!root)
		return;
	region_tree_check(root->left);
	region_tree_check(root->right);
	ASSERT(root->start < root->end);
	if (root->left)
		ASSERT(root->left->last <= root->start);
	if (root->right)
		ASSERT(root->right->first >= root->end);
	ASSERT(height_of(root->left) - height_of(root->right) <= 1);
	ASSERT(height_of(root->right) - height_of(root->left) <= 1);
	same = *root;
	region_refresh(&same);
	ASSERT(same.height == root->height && same.first == root->first);
	ASSERT(same.last == root->last && same.gap == root->gap);
}
