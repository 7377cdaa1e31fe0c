/*
 * Tests of pages that memory objects share, and of sealed ones: who is copied when, what every
 * mapping shows then, and what is refused.
 */
#include "kernel/mm/vm_test_machine.h"

/* Only what is written is copied, whichever side writes, and what was charged is enough. */
static void a_clone_shares_until_written(void **state)
{
	uint64_t here = page_address(0), there = page_address(8);
	uint64_t live = frames_live, detail;

	(void)state;
	assert_int_equal(memory_object_clone(objects[0], ledger, &objects[3], &detail), STATUS_OK);
	assert_int_equal(frames_live, live);
	assert_int_equal(frames_aside, OBJECT_PAGES);
	assert_int_equal(vm_map(vm, objects[0], NULL, true, 0, 8 * PAGE_SIZE, &here, ACCESS_READ_WRITE,
					 &detail),
			STATUS_OK);
	assert_int_equal(vm_map(vm, objects[3], NULL, true, 0, 8 * PAGE_SIZE, &there, ACCESS_READ_WRITE,
					 &detail),
			STATUS_OK);
	model_set(0, 8, (struct page){ PAGE_MAPPED, ACCESS_READ_WRITE, 0, 0, true, GRANTS, 0 });
	model_set(8, 8, (struct page){ PAGE_MAPPED, ACCESS_READ_WRITE, 3, 0, true, GRANTS, 0 });
	assert_model();
	ledger->limit[RESOURCE_CLASS_FRAMES] = used(RESOURCE_CLASS_FRAMES);
	fail_in = 1;      /* no allocation: what would fail is not asked for */
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t writer = i % 2 ? i : 8 + i, other = i % 2 ? 8 + i : i;

		assert_int_equal(leaves[writer].access, ACCESS_READ);
		assert_int_equal(vm_fault(vm, page_address(writer), ACCESS_READ_WRITE, NULL),
				VM_FAULT_RESOLVED);
		assert_int_equal(leaves[writer].access, ACCESS_READ_WRITE);
		assert_int_not_equal(leaves[writer].physical, leaves[other].physical);
		assert_int_equal(frames_live, live + i + 1);
		/* The other side is alone with its page now, and writes it in place. */
		assert_int_equal(vm_fault(vm, page_address(other), ACCESS_READ_WRITE, NULL),
				VM_FAULT_RESOLVED);
		assert_int_equal(frames_live, live + i + 1);
	}
	assert_int_equal(frames_aside, 0);
	assert_model();
	ledger->limit[RESOURCE_CLASS_FRAMES] = 3000;
}

/* While somebody could write, a clone is a copy: nothing written later shows in it. */
static void what_is_mapped_for_writing_is_copied_at_once(void **state)
{
	uint64_t address = page_address(0), live = frames_live, detail;

	(void)state;
	assert_int_equal(vm_map(vm, objects[0], NULL, true, 0, PAGE_SIZE, &address, ACCESS_READ_WRITE,
					 &detail),
			STATUS_OK);
	model_set(0, 1, (struct page){ PAGE_MAPPED, ACCESS_READ_WRITE, 0, 0, true, GRANTS, 0 });
	assert_int_equal(memory_object_clone(objects[0], ledger, &objects[3], &detail), STATUS_OK);
	assert_int_equal(frames_live, live + OBJECT_PAGES);
	assert_int_equal(leaves[0].access, ACCESS_READ_WRITE);
	*(uint64_t *)arch_direct(leaves[0].physical) = contents[0][0] = 77;
	assert_model();
}

/* Every mapping of an object shows what is written through one of them, or through its method. */
static void readers_see_what_a_writer_parted_with(void **state)
{
	uint64_t reader = page_address(0), writer = page_address(4), value = 5, detail;

	(void)state;
	assert_int_equal(vm_map(vm, objects[0], NULL, false, 0, 2 * PAGE_SIZE, &reader, ACCESS_READ,
					 &detail),
			STATUS_OK);
	assert_int_equal(memory_object_clone(objects[0], ledger, &objects[3], &detail), STATUS_OK);
	assert_int_equal(vm_map(vm, objects[0], NULL, true, PAGE_SIZE, PAGE_SIZE, &writer,
					 ACCESS_READ_WRITE, &detail),
			STATUS_OK);
	model_set(0, 2, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 0, false, GRANTS, 0 });
	model_set(4, 1, (struct page){ PAGE_MAPPED, ACCESS_READ_WRITE, 0, 1, true, GRANTS, 0 });
	assert_int_equal(vm_fault(vm, writer, ACCESS_READ_WRITE, NULL), VM_FAULT_RESOLVED);
	assert_int_equal(leaves[4].physical, leaves[1].physical);
	*(uint64_t *)arch_direct(leaves[4].physical) = contents[0][1] = 6;
	assert_int_equal(memory_object_write(objects[0], 0, &value, sizeof(value), &detail),
			STATUS_OK);
	contents[0][0] = value;
	assert_model();
	assert_int_equal(vm_fault(vm, reader, ACCESS_READ_WRITE, NULL), VM_FAULT_CRASH);
	assert_int_equal(vm_fault(vm, reader, ACCESS_READ_EXECUTE, NULL), VM_FAULT_CRASH);
}

static void a_sealed_object_is_never_writable(void **state)
{
	uint64_t address = page_address(0), value = 1, pages, detail;

	(void)state;
	assert_int_equal(vm_map(vm, objects[0], NULL, true, 0, 4 * PAGE_SIZE, &address, ACCESS_READ_WRITE,
					 &detail),
			STATUS_OK);
	model_set(0, 4, (struct page){ PAGE_MAPPED, ACCESS_READ_WRITE, 0, 0, true, GRANTS, 0 });
	assert_false(memory_object_seal(objects[0], &pages));
	assert_int_equal(pages, 4);
	assert_int_equal(vm_protect(vm, address, 3 * PAGE_SIZE, ACCESS_READ, &detail), STATUS_OK);
	model_set(0, 3, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 0, true, GRANTS, 0 });
	assert_model();
	assert_false(memory_object_seal(objects[0], &pages));
	assert_int_equal(pages, 1);
	assert_int_equal(vm_unmap(vm, address + 3 * PAGE_SIZE, PAGE_SIZE, &detail), STATUS_OK);
	model_set(3, 1, (struct page){ .kind = PAGE_FREE });
	assert_true(memory_object_seal(objects[0], &pages));
	assert_true(memory_object_seal(objects[0], &pages));
	sealed[0] = true;
	assert_refused(vm_protect(vm, address, PAGE_SIZE, ACCESS_READ_WRITE, &detail), detail,
			REASON_SEALED);
	assert_refused(memory_object_write(objects[0], 0, &value, sizeof(value), &detail), detail,
			REASON_SEALED);
	address = page_address(8);
	assert_refused(vm_map(vm, objects[0], NULL, true, 0, PAGE_SIZE, &address, ACCESS_READ_WRITE,
				       &detail),
			detail, REASON_SEALED);
	assert_int_equal(vm_fault(vm, page_address(0), ACCESS_READ_WRITE, NULL), VM_FAULT_CRASH);
	/* A clone is another object. */
	assert_int_equal(memory_object_clone(objects[0], ledger, &objects[3], &detail), STATUS_OK);
	assert_int_equal(memory_object_write(objects[3], 0, &value, sizeof(value), &detail),
			STATUS_OK);
	contents[3][0] = value;
	assert_model();
}

/* A range over several objects becomes writable as a whole or not at all. */
static void one_sealed_object_keeps_its_neighbours_read_only(void **state)
{
	uint64_t pages, detail;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t address = page_address(i);

		assert_int_equal(vm_map(vm, objects[i], NULL, true, 0, PAGE_SIZE, &address, ACCESS_READ,
						 &detail),
				STATUS_OK);
		model_set(i, 1, (struct page){ PAGE_MAPPED, ACCESS_READ, i, 0, true, GRANTS, 0 });
	}
	assert_true(memory_object_seal(objects[2], &pages));
	sealed[2] = true;
	assert_refused(vm_protect(vm, page_address(0), 3 * PAGE_SIZE, ACCESS_READ_WRITE, &detail),
			detail, REASON_SEALED);
	assert_true(memory_object_seal(objects[0], &pages));
	assert_int_equal(pages, 0);
	sealed[0] = true;
	assert_model();
}

static void device_memory_is_neither_cloned_nor_sealed(void **state)
{
	struct memory_object *device, *clone;
	uint64_t detail;

	(void)state;
	assert_int_equal(memory_object_create_window(ledger, MEMORY_DEVICE, 0, PAGE_SIZE, &device, &detail),
			STATUS_OK);
	assert_int_equal(memory_object_clone(device, ledger, &clone, &detail), STATUS_FAILED);
	assert_int_equal(detail & 0xff, REASON_STATE);
	object_put(&device->object);
	assert_model();
}

static void a_clone_is_charged_in_full(void **state)
{
	struct memory_object *clone;
	uint64_t detail;

	(void)state;
	ledger->limit[RESOURCE_CLASS_FRAMES] = used(RESOURCE_CLASS_FRAMES) + OBJECT_PAGES - 1;
	assert_int_equal(memory_object_clone(objects[0], ledger, &clone, &detail),
			STATUS_OVERLOADED);
	assert_int_equal(detail & 0xffff, REASON_LEDGER | RESOURCE_CLASS_FRAMES << 8);
	assert_model();
	ledger->limit[RESOURCE_CLASS_FRAMES] = 3000;
}

static enum vm_fault touch(uint64_t address, enum access access, struct page_miss *miss)
{
	enum vm_fault answer = vm_fault(vm, address, access, miss);

	vm_check(vm);
	if (answer == VM_FAULT_MISSING)
		object_put(&miss->object->object);
	return answer;
}

/* Pages of paged memory come one by one, when they are there and touched, and go with their mapping. */
static void paged_memory_is_mapped_as_it_comes(void **state)
{
	uint64_t address = page_address(0), detail;
	struct page_miss miss;

	(void)state;
	objects[0]->backing = MEMORY_PAGER;
	pages_there[1] = true;
	assert_int_equal(vm_map(vm, objects[0], NULL, true, 0, 4 * PAGE_SIZE, &address, ACCESS_READ,
					 &detail),
			STATUS_OK);
	vm_check(vm);
	assert_false(leaves[0].mapped);
	assert_true(leaves[1].mapped);
	assert_int_equal(touch(page_address(0), ACCESS_READ_WRITE, &miss), VM_FAULT_CRASH);
	assert_int_equal(touch(page_address(2) + 8, ACCESS_READ, &miss), VM_FAULT_MISSING);
	assert_ptr_equal(miss.object, objects[0]);
	assert_int_equal(miss.index, 2);
	pages_there[2] = true;
	assert_int_equal(touch(page_address(2) + 8, ACCESS_READ, &miss), VM_FAULT_RESOLVED);
	assert_true(leaves[2].mapped);
	assert_int_equal(touch(page_address(2) + 8, ACCESS_READ, &miss), VM_FAULT_RESOLVED);
	assert_int_equal(vm_protect(vm, address, 4 * PAGE_SIZE, ACCESS_READ_WRITE, &detail),
			STATUS_OK);
	vm_check(vm);
	assert_int_equal(leaves[2].access, ACCESS_READ_WRITE);
	assert_false(leaves[3].mapped);
	assert_int_equal(objects[0]->writable_pages, 4);
	assert_int_equal(touch(page_address(3), ACCESS_READ_WRITE, &miss), VM_FAULT_MISSING);
	assert_int_equal(vm_unmap(vm, address + PAGE_SIZE, 2 * PAGE_SIZE, &detail), STATUS_OK);
	vm_check(vm);
	assert_int_equal(touch(page_address(2), ACCESS_READ, &miss), VM_FAULT_CRASH);
	assert_int_equal(vm_unmap(vm, address, 4 * PAGE_SIZE, &detail), STATUS_OK);
	assert_int_equal(objects[0]->writable_pages, 0);
	assert_int_equal(memory_object_clone(objects[0], ledger, &objects[3], &detail),
			STATUS_FAILED);
	assert_model();
}

/* Words that can be slept for are those of memory that a program has and may read. */
static void words_are_found_where_memory_is(void **state)
{
	uint64_t address = page_address(0), detail;
	struct memory_object *device;
	const uint32_t *word = NULL;

	(void)state;
	assert_int_equal(vm_map(vm, objects[0], NULL, true, PAGE_SIZE, 2 * PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(vm_word_find(vm, address + PAGE_SIZE + 8, &word, &detail), STATUS_OK);
	assert_ptr_equal(word, (uint8_t *)arch_direct(memory_object_page(objects[0], 2)) + 8);
	assert_int_equal(vm_word_find(vm, address + 2 * PAGE_SIZE, &word, &detail), STATUS_INVALID_ARGUMENT);
	objects[0]->backing = MEMORY_PAGER;
	assert_int_equal(vm_word_find(vm, address, &word, &detail), STATUS_FAILED);
	assert_int_equal(detail & 0xff, REASON_STATE);
	objects[0]->backing = MEMORY_ANONYMOUS;
	assert_int_equal(vm_unmap(vm, address, 2 * PAGE_SIZE, &detail), STATUS_OK);
	assert_int_equal(memory_object_create_window(ledger, MEMORY_DEVICE, 0, PAGE_SIZE, &device, &detail), STATUS_OK);
	assert_int_equal(vm_map(vm, device, NULL, true, 0, PAGE_SIZE, &address, ACCESS_READ, &detail), STATUS_OK);
	assert_int_equal(vm_word_find(vm, address, &word, &detail), STATUS_INVALID_ARGUMENT);
	assert_int_equal(detail & 0xff, REASON_WRONG_TYPE);
	assert_int_equal(vm_unmap(vm, address, PAGE_SIZE, &detail), STATUS_OK);
	object_put(&device->object);
	/* One that was not touched is made. */
	assert_int_equal(vm_commit_new(vm, address, 2 * PAGE_SIZE, ACCESS_READ_WRITE, &detail), STATUS_OK);
	assert_int_equal(vm_protect(vm, address + PAGE_SIZE, PAGE_SIZE, ACCESS_NONE, &detail), STATUS_OK);
	assert_int_equal(vm_word_find(vm, address + 4, &word, &detail), STATUS_OK);
	assert_int_equal(*word, 0);
	assert_int_equal(vm_word_find(vm, address + PAGE_SIZE, &word, &detail), STATUS_INVALID_ARGUMENT);
	vm_check(vm);
	assert_int_equal(vm_unmap(vm, address, 2 * PAGE_SIZE, &detail), STATUS_OK);
	assert_model();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_SPACE(a_clone_shares_until_written),
		TEST_IN_SPACE(what_is_mapped_for_writing_is_copied_at_once),
		TEST_IN_SPACE(readers_see_what_a_writer_parted_with),
		TEST_IN_SPACE(a_sealed_object_is_never_writable),
		TEST_IN_SPACE(one_sealed_object_keeps_its_neighbours_read_only),
		TEST_IN_SPACE(device_memory_is_neither_cloned_nor_sealed),
		TEST_IN_SPACE(a_clone_is_charged_in_full),
		TEST_IN_SPACE(paged_memory_is_mapped_as_it_comes),
		TEST_IN_SPACE(words_are_found_where_memory_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
