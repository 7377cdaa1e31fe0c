/*
 * Tests of the frame allocator: every page of the boot map is handed out once, blocks are aligned
 * and rejoin, and what must never happen panics.
 */
#include "kernel/mm/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "kernel/core/test_fakes.h"

#define PAGES  2048
#define BLOCKS 300

/* Three regions, two of them touching no alignment, and holes between them. */
static const struct boot_info map = {
	.usable = {
		{ 0x1000, 0x9f000 },
		{ 0x100000, 0x3fd000 },
		{ 0x405000, PAGES * PAGE_SIZE },
	},
	.usable_count = 3,
};

static bool usable(uint64_t page)
{
	for (uint32_t i = 0; i < map.usable_count; i++) {
		if (page >= map.usable[i].start && page + PAGE_SIZE <= map.usable[i].end)
			return true;
	}
	return false;
}

static int setup(void **state)
{
	test_memory_make(PAGES * PAGE_SIZE, 0x11);
	allocation_fail_after(0);
	frame_init(&map);
	return 0;
}

static int teardown(void **state)
{
	test_memory_free();
	return 0;
}

static void every_page_is_handed_out_once(void **state)
{
	static uint8_t seen[PAGES];
	uint64_t count = 0, physical;

	memset(seen, 0, sizeof(seen));
	while ((physical = frame_alloc(0)) != FRAME_NONE) {
		assert_true(usable(physical));
		assert_int_equal(seen[physical / PAGE_SIZE]++, 0);
		memset(arch_direct(physical), 0xff, PAGE_SIZE);
		count++;
	}
	assert_int_equal(frame_free_pages(), 0);
	/* All but the table, which takes 12 bytes a page. */
	assert_int_equal(frame_total_pages(), 0x9e + 0x2fd + PAGES - 0x405);
	assert_int_equal(
			frame_total_pages() - count, (PAGES * 12 - 12 + PAGE_SIZE - 1) / PAGE_SIZE);
	frame_check();
	for (uint64_t page = 0; page < PAGES; page++) {
		if (seen[page] != 0)
			frame_free(page * PAGE_SIZE, 0);
	}
	assert_int_equal(frame_free_pages(), count);
	frame_check();
}

static void blocks_rejoin_after_any_order_of_freeing(void **state)
{
	struct { uint64_t physical; uint32_t order; } blocks[BLOCKS];
	uint64_t before = frame_free_pages(), largest;
	uint32_t count = 0;

	srand(7);
	largest = frame_alloc(8);
	assert_int_not_equal(largest, FRAME_NONE);
	frame_free(largest, 8);
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t at = (uint32_t)rand() % BLOCKS, order = (uint32_t)rand() % 5;

		if (count < BLOCKS && rand() % 2 == 0) {
			uint64_t physical = frame_alloc(order);

			if (physical == FRAME_NONE)
				continue;
			assert_int_equal(physical % ((uint64_t)PAGE_SIZE << order), 0);
			blocks[count].physical = physical;
			blocks[count++].order = order;
		} else if (at < count) {
			frame_free(blocks[at].physical, blocks[at].order);
			blocks[at] = blocks[--count];
		}
		if (round % 500 == 0)
			frame_check();
	}
	while (count > 0) {
		count--;
		frame_free(blocks[count].physical, blocks[count].order);
	}
	frame_check();
	assert_int_equal(frame_free_pages(), before);
	assert_int_equal(frame_alloc(8), largest);
}

static void zeroed_frames_are_zero(void **state)
{
	uint64_t physical = frame_alloc(2);
	static const uint8_t zero[4 * PAGE_SIZE];

	memset(arch_direct(physical), 0x77, 4 * PAGE_SIZE);
	frame_free(physical, 2);
	assert_int_equal(frame_alloc_zeroed(2), physical);
	assert_memory_equal(arch_direct(physical), zero, sizeof(zero));
}

static void freeing_wrongly_panics(void **state)
{
	uint64_t physical = frame_alloc(1);

	ASSERT_PANICS(frame_free(physical, 0));
	ASSERT_PANICS(frame_free(physical + 1, 1));
	ASSERT_PANICS(frame_free(0xa0000, 0));
	ASSERT_PANICS(frame_free((uint64_t)PAGES * 2 * PAGE_SIZE, 0));
	frame_free(physical, 1);
	ASSERT_PANICS(frame_free(physical, 1));
}

static void the_chosen_allocation_fails_once(void **state)
{
	uint64_t before = frame_free_pages();

	allocation_fail_after(2);
	assert_int_not_equal(frame_alloc(0), FRAME_NONE);
	assert_int_equal(frame_alloc(0), FRAME_NONE);
	assert_int_not_equal(frame_alloc(0), FRAME_NONE);
	assert_int_equal(frame_free_pages(), before - 2);
}

/* Each owner beyond the first has a page set aside, whichever way it gives up its share. */
static void sharing_sets_pages_aside(void **state)
{
	uint64_t page = frame_alloc(0), before = frame_free_pages(), own;

	assert_false(frame_is_shared(page));
	assert_true(frame_share(page));
	assert_true(frame_share(page));
	assert_true(frame_is_shared(page));
	assert_int_equal(frame_free_pages(), before - 2);
	frame_check();
	own = frame_alloc_aside();
	assert_int_not_equal(own, page);
	frame_free(page, 0);
	assert_int_equal(frame_free_pages(), before - 2);
	frame_check();
	frame_free(page, 0);
	assert_false(frame_is_shared(page));
	assert_int_equal(frame_free_pages(), before - 1);
	frame_free(page, 0);
	frame_free(own, 0);
	assert_int_equal(frame_free_pages(), before + 1);
	frame_check();
	ASSERT_PANICS(frame_alloc_aside());
}

static void blocks_can_be_linked(void **state)
{
	uint64_t first = frame_alloc(0), second = frame_alloc(2);

	frame_link_set(second, FRAME_NONE);
	frame_link_set(first, second);
	assert_int_equal(frame_link(first), second);
	assert_int_equal(frame_link(second), FRAME_NONE);
	frame_check();
	frame_free(first, 0);
	ASSERT_PANICS(frame_link(first));
	frame_free(second, 2);
}

/* What is set aside nobody else gets, and it is there when all other memory is gone. */
static void what_is_set_aside_is_kept(void **state)
{
	uint64_t page = frame_alloc(0), count = 0;

	assert_true(frame_share(page));
	while (frame_alloc(0) != FRAME_NONE)
		count++;
	assert_true(count > 0);
	assert_int_equal(frame_free_pages(), 0);
	assert_false(frame_share(page));
	assert_int_not_equal(frame_alloc_aside(), FRAME_NONE);
	frame_free(page, 0);
	frame_check();
	assert_int_equal(frame_alloc(0), FRAME_NONE);
}

/* A promise is for as many pages as are free, is kept when all others are gone, and can be given up. */
static void promises_are_kept(void **state)
{
	uint64_t before = frame_free_pages(), taken;

	assert_false(frame_promise(before + 1));
	assert_true(frame_promise(3));
	assert_int_equal(frame_free_pages(), before - 3);
	while (frame_alloc(0) != FRAME_NONE)
		;
	assert_int_equal(frame_free_pages(), 0);
	assert_false(frame_promise(1));
	taken = frame_alloc_promised();
	assert_int_not_equal(taken, FRAME_NONE);
	frame_check();
	frame_promise_end(1);
	assert_int_equal(frame_free_pages(), 1);
	frame_free(taken, 0);
	assert_int_equal(frame_free_pages(), 2);
	ASSERT_PANICS(frame_promise_end(2));
}

static void promises_may_be_made_to_fail(void **state)
{
	uint64_t before = frame_free_pages();

	allocation_fail_after(1);
	assert_false(frame_promise(1));
	assert_int_equal(frame_free_pages(), before);
}

static void a_page_has_a_bounded_number_of_owners(void **state)
{
	uint64_t page;

	test_memory_free();
	test_memory_make(PAGES * 64ul * PAGE_SIZE, 0x11);
	frame_init(&(struct boot_info){
			.usable = { { 0x100000, PAGES * 64ul * PAGE_SIZE } }, .usable_count = 1 });
	page = frame_alloc(0);
	for (uint32_t i = 0; i < UINT16_MAX; i++)
		assert_true(frame_share(page));
	assert_false(frame_share(page));
	for (uint32_t i = 0; i < UINT16_MAX; i++)
		frame_free(page, 0);
	assert_false(frame_is_shared(page));
	frame_check();
}

static void sharing_may_be_made_to_fail(void **state)
{
	uint64_t page = frame_alloc(0), before = frame_free_pages();

	allocation_fail_after(1);
	assert_false(frame_share(page));
	assert_false(frame_is_shared(page));
	assert_int_equal(frame_free_pages(), before);
}

static void a_far_outlier_is_left_out(void **state)
{
	struct boot_info far = map;

	far.usable[far.usable_count++] = (struct boot_region){ 1ul << 40, (1ul << 40) + 0x100000 };
	frame_init(&far);
	assert_int_equal(frame_total_pages(), 0x9e + 0x2fd + PAGES - 0x405);
	frame_check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_page_is_handed_out_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
				blocks_rejoin_after_any_order_of_freeing, setup, teardown),
		cmocka_unit_test_setup_teardown(zeroed_frames_are_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(freeing_wrongly_panics, setup, teardown),
		cmocka_unit_test_setup_teardown(the_chosen_allocation_fails_once, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_can_be_linked, setup, teardown),
		cmocka_unit_test_setup_teardown(sharing_sets_pages_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_set_aside_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(promises_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(promises_may_be_made_to_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_page_has_a_bounded_number_of_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(sharing_may_be_made_to_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(a_far_outlier_is_left_out, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
