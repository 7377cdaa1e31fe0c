/*
 * Tests of the heap: a seeded storm of takes, gives and resizes against a model that remembers what
 * each block must hold, with heap_check after each step; then running out and corruption.
 */
#include "rt/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "rt/panic.h"

#define STEP_BYTES 4096u
#define LIMIT_BYTES (256u * 1024)
#define SLOTS 200

static _Alignas(16) uint8_t memory[LIMIT_BYTES];
static jmp_buf panicked;

NORETURN void panic(const char *format, ...)
{
	longjmp(panicked, 1);
}

static bool grow(void *context, uint8_t *end, size_t bytes)
{
	const uint8_t *limit = memory + *(const size_t *)context;

	return bytes <= (size_t)(limit - end);
}

static uint32_t seed = 1;

static uint32_t random_below(uint32_t bound)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % bound;
}

struct slot {
	uint8_t *block;
	size_t bytes;
	uint8_t fill;
};

static void slot_verify(const struct slot *slot, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		assert_int_equal(slot->block[i], slot->fill);
}

static void slot_fill(struct slot *slot, size_t bytes)
{
	slot->bytes = bytes;
	slot->fill = (uint8_t)random_below(256);
	memset(slot->block, slot->fill, bytes);
}

static size_t random_bytes(void)
{
	return random_below(4) == 0 ? random_below(9000) : random_below(300);
}

static void slot_step(struct heap *heap, struct slot *slot)
{
	size_t bytes = random_bytes();
	uint8_t *moved;

	if (slot->block == NULL) {
		slot->block = heap_take(heap, bytes);
		if (slot->block != NULL) {
			assert_int_equal((uintptr_t)slot->block % HEAP_ALIGNMENT, 0);
			assert_true(heap_block_bytes(slot->block) >= bytes);
			slot_fill(slot, bytes);
		}
		return;
	}
	slot_verify(slot, slot->bytes);
	if (random_below(3) == 0) {
		moved = heap_resize(heap, slot->block, bytes);
		if (moved == NULL)
			return;
		slot->block = moved;
		slot_verify(slot, MIN(bytes, slot->bytes));
		slot_fill(slot, bytes);
		return;
	}
	heap_give(heap, slot->block);
	slot->block = NULL;
}

static void storm_keeps_every_byte(void **state)
{
	static struct slot slots[SLOTS];
	size_t limit = LIMIT_BYTES;
	struct heap heap;
	int step;
	int i;

	(void)state;
	heap_init(&heap, memory, STEP_BYTES, grow, &limit, STEP_BYTES);
	for (step = 0; step < 20000; step++) {
		slot_step(&heap, &slots[random_below(SLOTS)]);
		if (step % 16 == 0)
			assert_true(heap_check(&heap));
	}
	for (i = 0; i < SLOTS; i++)
		heap_give(&heap, slots[i].block);
	assert_true(heap_check(&heap));
	assert_int_equal(heap.used_bytes, 0);
}

static void running_out_leaves_the_heap_whole(void **state)
{
	size_t limit = 8 * STEP_BYTES;
	struct heap heap;
	void *blocks[64];
	size_t count = 0;

	(void)state;
	heap_init(&heap, memory, STEP_BYTES, grow, &limit, STEP_BYTES);
	while ((blocks[count] = heap_take(&heap, 1000)) != NULL)
		count++;
	assert_true(count >= 28);
	assert_true(heap_check(&heap));
	assert_null(heap_resize(&heap, blocks[0], 5000));
	assert_null(heap_take(&heap, HEAP_BLOCK_BYTES_MAX + 1));
	while (count-- != 0)
		heap_give(&heap, blocks[count]);
	assert_true(heap_check(&heap));
	assert_non_null(heap_take(&heap, 20000));
}

static void heap_without_growth_stays_in_its_bytes(void **state)
{
	struct heap heap;

	(void)state;
	heap_init(&heap, memory, 1024, NULL, NULL, 16);
	assert_null(heap_take(&heap, 1024));
	assert_non_null(heap_take(&heap, 500));
	assert_true(heap_check(&heap));
}

static void giving_twice_or_writing_over_the_end_is_found(void **state)
{
	struct heap heap;
	uint8_t *volatile block;

	(void)state;
	heap_init(&heap, memory, STEP_BYTES, NULL, NULL, 16);
	block = heap_take(&heap, 100);
	heap_give(&heap, block);
	if (setjmp(panicked) == 0) {
		heap_give(&heap, block);
		fail();
	}
	block = heap_take(&heap, 32);
	memset(block, 0xff, 40);
	assert_false(heap_check(&heap));
	if (setjmp(panicked) == 0) {
		heap_give(&heap, block);
		fail();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(storm_keeps_every_byte),
		cmocka_unit_test(running_out_leaves_the_heap_whole),
		cmocka_unit_test(heap_without_growth_stays_in_its_bytes),
		cmocka_unit_test(giving_twice_or_writing_over_the_end_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
