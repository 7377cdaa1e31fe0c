/*
 * Tests of slabs and heap over a real frame allocator: objects are zeroed, aligned and distinct,
 * all memory comes back, and writes after free are found.
 */
#include "kernel/mm/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "kernel/core/test_fakes.h"
#include "kernel/mm/frame.h"

#define PAGES   4096
#define OBJECTS 2000

struct small { uint8_t bytes[24]; };
struct line { uint8_t bytes[64 * 13]; };
struct large { uint8_t bytes[SLAB_OBJECT_MAX]; };

/* Made anew with the memory: caches remember slabs. */
static struct slab_cache small_cache, line_cache, large_cache;
static uint64_t free_before;

static int setup(void **state)
{
	static const struct boot_info map = {
		.usable = { { 0x1000, PAGES * PAGE_SIZE } },
		.usable_count = 1,
	};

	/* The list of all caches and their kept slabs outlive a test, so memory is made only
	 * once. */
	test_memory_make(PAGES * PAGE_SIZE, 0x11);
	frame_init(&map);
	small_cache = (struct slab_cache)SLAB_CACHE("small", struct small);
	line_cache = (struct slab_cache)SLAB_CACHE("line", struct line);
	large_cache = (struct slab_cache)SLAB_CACHE("large", struct large);
	return 0;
}

static int before(void **state)
{
	allocation_fail_after(0);
	free_before = frame_free_pages();
	return 0;
}

static void objects_are_zero_and_distinct(void **state)
{
	static struct small *objects[OBJECTS];
	static const struct small zero;

	for (uint32_t i = 0; i < OBJECTS; i++) {
		objects[i] = slab_alloc(&small_cache);
		assert_non_null(objects[i]);
		assert_int_equal((uint64_t)objects[i] % 16, 0);
		assert_memory_equal(objects[i], &zero, sizeof(zero));
		memset(objects[i], (int)i, sizeof(*objects[i]));
	}
	slab_check();
	for (uint32_t i = 0; i < OBJECTS; i++) {
		for (uint32_t at = 0; at < sizeof(struct small); at++)
			assert_int_equal(objects[i]->bytes[at], (uint8_t)i);
	}
	for (uint32_t i = 0; i < OBJECTS; i++)
		slab_free(&small_cache, objects[(i * 7919) % OBJECTS]);
	slab_check();
	assert_int_equal(small_cache.live, 0);
	/* One empty slab is kept. */
	assert_int_equal(frame_free_pages(), free_before - 1);
}

static void sizes_decide_alignment(void **state)
{
	void *line = slab_alloc(&line_cache), *second = slab_alloc(&line_cache);
	void *large = slab_alloc(&large_cache);

	assert_int_equal((uint64_t)line % 64, 0);
	assert_int_equal((uint64_t)second % 64, 0);
	assert_int_equal((uint64_t)large % 64, 0);
	memset(large, 1, SLAB_OBJECT_MAX);
	slab_check();
	slab_free(&large_cache, large);
	slab_free(&line_cache, line);
	slab_free(&line_cache, second);
	slab_check();
}

static void a_write_after_free_is_found(void **state)
{
	struct small *object = slab_alloc(&small_cache), *other = slab_alloc(&small_cache);
	uint8_t was;

	slab_free(&small_cache, object);
	was = object->bytes[12];
	object->bytes[12] = 0;
	ASSERT_PANICS(slab_check());
	object->bytes[12] = was;
	small_cache.lock.word = 0;
	slab_check();
	slab_free(&small_cache, other);
	ASSERT_PANICS(slab_free(&line_cache, other));
}

static void running_out_is_an_answer(void **state)
{
	static void *objects[PAGES];
	uint32_t count = 0;

	while (count < PAGES && (objects[count] = slab_alloc(&large_cache)) != NULL)
		count++;
	assert_true(count > 1000 && count < PAGES);
	assert_null(slab_alloc(&large_cache));
	slab_check();
	while (count > 0)
		slab_free(&large_cache, objects[--count]);
	slab_check();
	frame_check();
	for (uint64_t n = 1; n < 3; n++) {
		allocation_fail_after(n);
		objects[0] = slab_alloc(&line_cache);
		objects[1] = slab_alloc(&line_cache);
		assert_true((objects[0] == NULL) != (objects[1] == NULL));
		slab_free(&line_cache, objects[objects[0] == NULL]);
	}
}

static void heap_serves_any_size(void **state)
{
	static const size_t sizes[] = { 1, 16, 17, 100, 2048, 2049, 4096, 5000, 70000 };
	uint64_t count = slab_allocations();

	for (uint32_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint8_t *memory = heap_alloc(sizes[i]);

		assert_non_null(memory);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(memory[at], 0);
		memset(memory, 0xee, sizes[i]);
		heap_free(memory, sizes[i]);
	}
	assert_int_equal(slab_allocations(), count + ARRAY_LEN(sizes));
	assert_null(heap_alloc((size_t)1 << 40));
	heap_free(NULL, 10);
	slab_check();
}

static int finish(void **state)
{
	test_memory_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(objects_are_zero_and_distinct, before),
		cmocka_unit_test_setup(sizes_decide_alignment, before),
		cmocka_unit_test_setup(a_write_after_free_is_found, before),
		cmocka_unit_test_setup(running_out_is_an_answer, before),
		cmocka_unit_test_setup(heap_serves_any_size, before),
	};

	return cmocka_run_group_tests(tests, setup, finish);
}
