/*
 * Physical memory: a buddy allocator over the boot map. One `struct frame` of at most 16 bytes per
 * page. Blocks are 2^order pages, aligned to their size. Accounting to ledgers is the callers'
 * business; this module only knows what is free.
 *
 * A page may have several owners, who then only read it. For each owner beyond the first a free
 * page is set aside, so that whoever wants to write can part from the others without fail. Pages can
 * also be promised, and be taken one by one when they are needed.
 */
#ifndef KERNEL_MM_FRAME_H
#define KERNEL_MM_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "kernel/core/boot_info.h"

#define FRAME_ORDER_MAX 18
#define FRAME_NONE UINT64_MAX

void frame_init(const struct boot_info *boot);

/* A block of 2^order pages: its physical address, or FRAME_NONE. Contents are undefined (poisoned
 * in debug builds); `frame_alloc_zeroed` clears them. */
uint64_t frame_alloc(uint32_t order) MUST_USE;
uint64_t frame_alloc_zeroed(uint32_t order) MUST_USE;
/* The block must have been allocated with this order. A shared page only loses one owner, and the
 * page that was set aside for it is anybody's again. */
void frame_free(uint64_t physical, uint32_t order);

/* Blocks of one owner can be linked without touching them: the next block, or FRAME_NONE. Meaningless
 * until it is set. */
void frame_link_set(uint64_t physical, uint64_t next);
uint64_t frame_link(uint64_t physical);

/* One more owner of a page (order 0). False: no free page can be set aside for it, or the page has
 * 65 536 owners. */
bool frame_share(uint64_t physical) MUST_USE;
bool frame_is_shared(uint64_t physical);
/* For an owner who parts: a page that was set aside for it, contents undefined; never fails. It
 * copies what it needs and then drops its share with frame_free. One at a time: the caller keeps
 * other parting owners out until then. */
uint64_t frame_alloc_aside(void);

/* Sets pages aside for the caller, of whatever number; false if as many cannot be had. Each is either
 * taken, which never fails (contents undefined), or given up. */
bool frame_promise(uint64_t pages) MUST_USE;
uint64_t frame_alloc_promised(void);
void frame_promise_end(uint64_t pages);

uint64_t frame_total_pages(void);
uint64_t frame_free_pages(void);    /* that can be had: without those set aside */

/* Walks every free list: panics if a block overlaps, is misaligned or miscounted. */
void frame_check(void);

/* Test support: the n-th allocation from now on fails, once (0: none). Frames and slabs share it.
 * Answers whether an earlier order is still waiting; it is replaced. */
bool allocation_fail_after(uint64_t n);
bool allocation_should_fail(void);

#endif
