/*
 * Physical memory: a buddy allocator. One table with a 12-byte `struct frame` per page covers all
 * from the first to the last usable page; free blocks of each order are in a doubly linked list of
 * their first frames. The table lies in the memory it describes.
 * Always true: a free block of order n is aligned to 2^n pages, its first frame says so, and its
 * buddy is not free with the same order (they would be one block). As many pages are set aside as
 * there are sharers and promises, and that many are free (but for one, while its taker parts from the
 * rest).
 */
#include "kernel/mm/frame.h"
#include "arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/core/string.h"

#define FRAME_NIL UINT32_MAX

/* A table larger than this share of memory means that the boot map has a far outlier. */
#define FRAME_TABLE_SHARE 64

#define FRAME_POISON       0xa5
#define FRAME_POISON_ORDER 4      /* larger blocks are not poisoned: it would take too long */

enum frame_state {
	FRAME_ABSENT = 0,  /* not memory, or the table itself */
	FRAME_INSIDE,      /* part of a block, not its first page */
	FRAME_FREE,        /* first page of a free block */
	FRAME_USED,        /* first page of a block handed out */
};

struct frame {
	uint32_t next;     /* FRAME_FREE: neighbours in the list of its order; FRAME_USED: its owner's */
	uint32_t prev;
	uint8_t  order;
	uint8_t  state;
	uint16_t sharers;  /* FRAME_USED, order 0: owners beyond the first */
};

STATIC_ASSERT(sizeof(struct frame) <= 16);

/* All under `lock`. */
static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_FRAME, "frame");
static struct frame *frames;       /* frames[i] describes page first_page + i */
static uint64_t first_page;
static uint64_t table_pages;       /* entries of `frames` */
static uint32_t free_heads[FRAME_ORDER_MAX + 1];
static uint64_t total_count;
static uint64_t free_count;
static uint64_t aside_count;       /* of these, set aside for those who share a page */
static uint64_t promised_count;    /* and for those who were promised one */
static uint64_t fail_after;

static void list_push(uint32_t index, uint32_t order)
{
	struct frame *frame = &frames[index];

	*frame = (struct frame){ free_heads[order], FRAME_NIL, (uint8_t)order, FRAME_FREE, 0 };
	if (frame->next != FRAME_NIL)
		frames[frame->next].prev = index;
	free_heads[order] = index;
}

static void list_remove_frame(uint32_t index)
{
	struct frame *frame = &frames[index];

	if (frame->prev != FRAME_NIL)
		frames[frame->prev].next = frame->next;
	else
		free_heads[frame->order] = frame->next;
	if (frame->next != FRAME_NIL)
		frames[frame->next].prev = frame->prev;
	frame->state = FRAME_INSIDE;
}

/* Alignment counts physical pages, not table entries. */
static uint32_t buddy_of(uint32_t index, uint32_t order)
{
	return (uint32_t)(((first_page + index) ^ (1ul << order)) - first_page);
}

static void block_release(uint32_t index, uint32_t order)
{
	free_count += 1ul << order;
	for (; order < FRAME_ORDER_MAX; order++) {
		uint32_t buddy = buddy_of(index, order);

		/* Below the table's start the subtraction wraps to a large number. */
		if (buddy >= table_pages || frames[buddy].state != FRAME_FREE ||
				frames[buddy].order != order)
			break;
		list_remove_frame(buddy);
		frames[index].state = FRAME_INSIDE;
		index = MIN(index, buddy);
	}
	list_push(index, order);
}

static bool block_take(uint32_t order, uint32_t *index)
{
	uint32_t from = order;

	while (from <= FRAME_ORDER_MAX && free_heads[from] == FRAME_NIL)
		from++;
	if (from > FRAME_ORDER_MAX)
		return false;
	*index = free_heads[from];
	list_remove_frame(*index);
	while (from > order) {
		from--;
		list_push(*index + (1u << from), from);
	}
	frames[*index].state = FRAME_USED;
	frames[*index].order = (uint8_t)order;
	frames[*index].sharers = 0;
	free_count -= 1ul << order;
	return true;
}

/* Free pages that anybody may have. */
static uint64_t free_unpromised(void)
{
	uint64_t kept = aside_count + promised_count;

	return free_count > kept ? free_count - kept : 0;
}

/* --- Start ---------------------------------------------------------------------------------- */

/* Gives a run of pages to the free lists, in blocks as large as alignment allows. */
static void run_release(uint64_t page, uint64_t end)
{
	while (page < end) {
		uint32_t order = 0;

		while (order < FRAME_ORDER_MAX && (page & (1ul << order)) == 0 &&
				page + (2ul << order) <= end)
			order++;
		block_release((uint32_t)(page - first_page), order);
		page += 1ul << order;
	}
}

/* How many regions to use, from the lowest: a far outlier would make the table too large. */
static uint32_t regions_worth(const struct boot_info *boot)
{
	uint32_t count = boot->usable_count;

	while (count > 1) {
		uint64_t span = boot->usable[count - 1].end - boot->usable[0].start, sum = 0;

		for (uint32_t i = 0; i < count; i++)
			sum += boot->usable[i].end - boot->usable[i].start;
		if (span / PAGE_SIZE * sizeof(struct frame) <= sum / FRAME_TABLE_SHARE)
			break;
		count--;
		log_line(LOG_WARNING, "Memory at %lx is too far from the rest and stays unused.",
				boot->usable[count].start);
	}
	return count;
}

/* The last region that holds the table keeps the others whole. */
static uint64_t table_place(const struct boot_info *boot, uint32_t count, uint64_t bytes)
{
	for (uint32_t i = count; i-- > 0;) {
		if (boot->usable[i].end - boot->usable[i].start >= bytes)
			return ALIGN_DOWN(boot->usable[i].end - bytes, (uint64_t)PAGE_SIZE);
	}
	panic("no region of memory is large enough for the frame table of %lu bytes", bytes);
}

void frame_init(const struct boot_info *boot)
{
	uint32_t count = regions_worth(boot);
	uint64_t bytes, table;

	if (count == 0)
		panic("the boot loader told of no usable memory");
	first_page = boot->usable[0].start >> PAGE_SHIFT;
	table_pages = (boot->usable[count - 1].end >> PAGE_SHIFT) - first_page;
	ASSERT(table_pages < FRAME_NIL);
	bytes = ALIGN_UP(table_pages * sizeof(struct frame), (uint64_t)PAGE_SIZE);
	table = table_place(boot, count, bytes);
	frames = arch_direct(table);
	memset(frames, 0, bytes);

	total_count = 0;
	free_count = 0;
	aside_count = 0;
	for (uint32_t order = 0; order <= FRAME_ORDER_MAX; order++)
		free_heads[order] = FRAME_NIL;
	for (uint32_t i = 0; i < count; i++) {
		struct boot_region region = boot->usable[i];

		total_count += (region.end - region.start) >> PAGE_SHIFT;
		if (table >= region.start && table < region.end) {
			run_release((table + bytes) >> PAGE_SHIFT, region.end >> PAGE_SHIFT);
			region.end = table;
		}
		run_release(region.start >> PAGE_SHIFT, region.end >> PAGE_SHIFT);
	}
}

/* --- Use ------------------------------------------------------------------------------------ */

uint64_t frame_alloc(uint32_t order)
{
	uint32_t index;
	bool found;

	ASSERT(order <= FRAME_ORDER_MAX);
	if (allocation_should_fail())
		return FRAME_NONE;
	spin_lock(&lock);
	found = free_unpromised() >= 1ul << order && block_take(order, &index);
	spin_unlock(&lock);
	return found ? (first_page + index) << PAGE_SHIFT : FRAME_NONE;
}

uint64_t frame_alloc_zeroed(uint32_t order)
{
	uint64_t physical = frame_alloc(order);

	if (physical != FRAME_NONE)
		memset(arch_direct(physical), 0, (size_t)PAGE_SIZE << order);
	return physical;
}

static uint32_t index_of(uint64_t physical)
{
	uint32_t index = (uint32_t)((physical >> PAGE_SHIFT) - first_page);

	ASSERT((physical & (PAGE_SIZE - 1)) == 0 && index < table_pages);
	ASSERT(frames[index].state == FRAME_USED);
	return index;
}

/* Drops one of several owners; false if there is only the one. */
static bool sharer_drop(struct frame *frame)
{
	bool shared;

	spin_lock(&lock);
	shared = frame->sharers > 0;
	if (shared) {
		frame->sharers--;
		aside_count--;
	}
	spin_unlock(&lock);
	return shared;
}

void frame_free(uint64_t physical, uint32_t order)
{
	uint32_t index = index_of(physical);

	ASSERT(frames[index].order == order);
	if (unlikely(READ_ONCE(frames[index].sharers)) && sharer_drop(&frames[index]))
		return;
#if CONFIG_DEBUG
	if (order <= FRAME_POISON_ORDER)
		memset(arch_direct(physical), FRAME_POISON, (size_t)PAGE_SIZE << order);
#endif
	spin_lock(&lock);
	frames[index].state = FRAME_INSIDE;
	block_release(index, order);
	spin_unlock(&lock);
}

void frame_link_set(uint64_t physical, uint64_t next)
{
	frames[index_of(physical)].next = next == FRAME_NONE ? FRAME_NIL : index_of(next);
}

uint64_t frame_link(uint64_t physical)
{
	uint32_t next = frames[index_of(physical)].next;

	return next == FRAME_NIL ? FRAME_NONE : (first_page + next) << PAGE_SHIFT;
}

/* --- Sharing -------------------------------------------------------------------------------- */

bool frame_share(uint64_t physical)
{
	struct frame *frame = &frames[index_of(physical)];
	bool shared;

	ASSERT(frame->order == 0);
	if (allocation_should_fail())
		return false;
	spin_lock(&lock);
	shared = free_unpromised() > 0 && frame->sharers < UINT16_MAX;
	if (shared) {
		frame->sharers++;
		aside_count++;
	}
	spin_unlock(&lock);
	return shared;
}

bool frame_is_shared(uint64_t physical)
{
	return READ_ONCE(frames[index_of(physical)].sharers) > 0;
}

uint64_t frame_alloc_aside(void)
{
	uint32_t index;
	bool found;

	spin_lock(&lock);
	found = aside_count > 0 && block_take(0, &index);
	spin_unlock(&lock);
	ASSERT(found);
	return (first_page + index) << PAGE_SHIFT;
}

/* --- Promises ------------------------------------------------------------------------------- */

bool frame_promise(uint64_t pages)
{
	bool promised;

	if (allocation_should_fail())
		return false;
	spin_lock(&lock);
	promised = pages <= free_unpromised();
	if (promised)
		promised_count += pages;
	spin_unlock(&lock);
	return promised;
}

void frame_promise_end(uint64_t pages)
{
	bool promised;

	spin_lock(&lock);
	promised = pages <= promised_count;
	promised_count -= promised ? pages : 0;
	spin_unlock(&lock);
	ASSERT(promised);
}

uint64_t frame_alloc_promised(void)
{
	uint32_t index;
	bool found;

	spin_lock(&lock);
	found = promised_count > 0 && block_take(0, &index);
	promised_count -= found;
	spin_unlock(&lock);
	ASSERT(found);
	return (first_page + index) << PAGE_SHIFT;
}

/* --- Counting and checking ------------------------------------------------------------------ */

uint64_t frame_total_pages(void)
{
	return total_count;
}

uint64_t frame_free_pages(void)
{
	uint64_t count;

	spin_lock(&lock);
	count = free_unpromised();
	spin_unlock(&lock);
	return count;
}

static void block_check(uint32_t index, uint32_t order)
{
	const struct frame *frame = &frames[index];
	uint32_t buddy = buddy_of(index, order);

	ASSERT(frame->state == FRAME_FREE && frame->order == order);
	ASSERT(((first_page + index) & ((1ul << order) - 1)) == 0);
	ASSERT(index + (1ul << order) <= table_pages);
	for (uint32_t i = 1; i < 1u << order; i++)
		ASSERT(frames[index + i].state <= FRAME_INSIDE);
	if (order < FRAME_ORDER_MAX && buddy < table_pages)
		ASSERT(frames[buddy].state != FRAME_FREE || frames[buddy].order != order);
}

void frame_check(void)
{
	uint64_t sum = 0;

	spin_lock(&lock);
	for (uint32_t order = 0; order <= FRAME_ORDER_MAX; order++) {
		uint32_t prev = FRAME_NIL;

		for (uint32_t i = free_heads[order]; i != FRAME_NIL; i = frames[i].next) {
			ASSERT(i < table_pages && frames[i].prev == prev);
			block_check(i, order);
			sum += 1ul << order;
			prev = i;
		}
	}
	ASSERT(sum == free_count);
	sum = 0;
	for (uint64_t i = 0; i < table_pages; i++)
		sum += frames[i].state == FRAME_USED ? frames[i].sharers : 0;
	ASSERT(sum == aside_count && sum + promised_count <= free_count);
	spin_unlock(&lock);
}

bool allocation_fail_after(uint64_t n)
{
	bool waiting = fail_after != 0;

	fail_after = n;
	return waiting;
}

bool allocation_should_fail(void)
{
	return unlikely(fail_after != 0) && --fail_after == 0;
}
