/*
 * Address spaces and memory objects, through their capabilities.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"

#define PAGE 4096ull

static void memory_is_reserved_committed_and_given_back(void)
{
	uint64_t address = 0;
	volatile uint8_t *bytes;

	REQUIRE_OK(virtual_memory_reserve(world.memory, 16 * PAGE, 0, &address));
	REQUIRE_OK(virtual_memory_commit(
			world.memory, address + PAGE, 2 * PAGE, ACCESS_READ_WRITE));
	bytes = (volatile uint8_t *)(uintptr_t)(address + PAGE);
	for (uint32_t i = 0; i < 2 * PAGE; i += 512)
		CHECK_EQUAL(bytes[i], 0);
	bytes[2 * PAGE - 1] = 1;
	CHECK(virtual_memory_commit(world.memory, address + PAGE, PAGE, ACCESS_READ_WRITE) !=
			STATUS_OK);
	CHECK_EQUAL(virtual_memory_protect(world.memory, address + PAGE, 2 * PAGE, ACCESS_READ),
			STATUS_OK);
	CHECK_EQUAL(bytes[2 * PAGE - 1], 1);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, 16 * PAGE), STATUS_OK);
}

static void ranges_are_checked(void)
{
	static const struct {
		uint64_t address, bytes;
	} rows[] = {
		{ 0, 0 },
		{ 0, 1 },
		{ 1, PAGE },
		{ 0x10000001, PAGE },
		{ 0xffff800000000000, PAGE },
		{ 0x7ffffffff000, 2 * PAGE },
		{ 0x800000000000, PAGE },
		{ 0xfffffffffffff000, PAGE },
		{ 0xfffffffffffff000, 2 * PAGE },
		{ 0x10000000, 0xfffffffffffff000 },
		{ 0, 1ull << 47 },
	};
	uint64_t address;

	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK(virtual_memory_reserve(world.memory, rows[i].bytes, rows[i].address,
				      &address) != STATUS_OK);
		CHECK(virtual_memory_commit(world.memory, rows[i].address, rows[i].bytes,
				      ACCESS_READ) != STATUS_OK);
		CHECK(virtual_memory_protect(world.memory, rows[i].address, rows[i].bytes,
				      ACCESS_READ) != STATUS_OK);
	}
}

static void access_is_one_of_four(void)
{
	uint64_t address = 0;

	REQUIRE_OK(virtual_memory_reserve(world.memory, PAGE, 0, &address));
	for (uint32_t access = ACCESS_COUNT; access < 0x10000; access = access * 2 + 1)
		CHECK_EQUAL(virtual_memory_commit(world.memory, address, PAGE, (enum access)access),
				STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
}

static void a_view_is_not_mapped_for_writing(void)
{
	struct memory_object_ref object;
	uint32_t view;
	uint64_t address = 0, again = 0;

	REQUIRE_OK(object_factory_memory(world.factory, PAGE, &object));
	CHECK_EQUAL(memory_object_write(
				    object, 8, (struct capnp_data){ (const uint8_t *)"hello", 5 }),
			STATUS_OK);
	CHECK_EQUAL(memory_object_write(object, PAGE - 4,
				    (struct capnp_data){ (const uint8_t *)"hello", 5 }),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(memory_object_write(object, UINT64_MAX - 2,
				    (struct capnp_data){ (const uint8_t *)"hello", 5 }),
			STATUS_INVALID_ARGUMENT);
	view = narrow_of(rt_id(object.ref), MEMORY_VIEW_INTERFACE_ID);
	CHECK(view != 0);
	CHECK(virtual_memory_map(world.memory, (struct memory_view_ref){ rt_ref(view) }, 0, PAGE, 0,
			      ACCESS_READ_WRITE, &address) != STATUS_OK);
	REQUIRE_OK(virtual_memory_map(world.memory, (struct memory_view_ref){ rt_ref(view) }, 0,
			PAGE, 0, ACCESS_READ, &address));
	REQUIRE_OK(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0, PAGE,
			0, ACCESS_READ_WRITE, &again));
	CHECK_EQUAL(memcmp((const void *)(uintptr_t)(address + 8), "hello", 5), 0);
	*(volatile uint8_t *)(uintptr_t)(again + 8) = 'j';
	CHECK_EQUAL(*(volatile uint8_t *)(uintptr_t)(address + 8), 'j');
	CHECK(virtual_memory_protect(world.memory, address, PAGE, ACCESS_READ_WRITE) != STATUS_OK);
	CHECK(virtual_memory_map(world.memory, memory_object_as_memory_view(object), PAGE, PAGE, 0,
			      ACCESS_READ, NULL) != STATUS_OK);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, again, PAGE), STATUS_OK);
	CHECK_EQUAL(release(view), STATUS_OK);
	client_release(object.ref);
}

static void a_mapping_keeps_its_object(void)
{
	struct memory_object_ref object;
	uint64_t address = 0;

	REQUIRE_OK(object_factory_memory(world.factory, 3 * PAGE, &object));
	REQUIRE_OK(virtual_memory_map(world.memory, memory_object_as_memory_view(object), PAGE,
			2 * PAGE, 0, ACCESS_READ_WRITE, &address));
	client_release(object.ref);
	(void)now_ns();
	((volatile uint8_t *)(uintptr_t)address)[2 * PAGE - 1] = 7;
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, 2 * PAGE), STATUS_OK);
}

static const struct test tests[] = {
	{ "memory is reserved, committed and given back",
			memory_is_reserved_committed_and_given_back },
	{ "ranges are checked", ranges_are_checked },
	{ "access is one of four", access_is_one_of_four },
	{ "a view is not mapped for writing", a_view_is_not_mapped_for_writing },
	{ "a mapping keeps its object", a_mapping_keeps_its_object },
};

TEST_LIST(memory_tests, tests);
