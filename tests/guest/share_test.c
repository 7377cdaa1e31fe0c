/*
 * Memory that several share: clones, seals, mappings that are taken back, and peers that go on
 * writing what they were given.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"

#define PAGE  4096ull
#define PAGES 16u

static struct memory_object_ref object_new(uint32_t pages)
{
	struct memory_object_ref object = { 0 };

	CHECK_EQUAL(object_factory_memory(world.factory, pages * PAGE, &object), STATUS_OK);
	return object;
}

static struct memory_object_ref clone_of(struct memory_object_ref object)
{
	struct memory_object_ref clone = { 0 };

	CHECK_EQUAL(memory_view_clone(memory_object_as_memory_view(object), &clone), STATUS_OK);
	return clone;
}

static volatile uint64_t *map(struct memory_object_ref object, uint32_t pages, enum access access)
{
	uint64_t address = 0;

	CHECK_EQUAL(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0,
				    pages * PAGE, 0, access, &address),
			STATUS_OK);
	return (volatile uint64_t *)(uintptr_t)address;
}

static void unmap(volatile uint64_t *words, uint32_t pages)
{
	CHECK_EQUAL(virtual_memory_unmap(world.memory, (uintptr_t)words, pages * PAGE), STATUS_OK);
}

static volatile uint64_t *word_of_page(volatile uint64_t *words, uint32_t page)
{
	return words + page * PAGE / sizeof(*words);
}

static bool is_sealed(struct memory_object_ref object)
{
	bool sealed = false;

	CHECK_EQUAL(memory_view_is_sealed(memory_object_as_memory_view(object), &sealed),
			STATUS_OK);
	return sealed;
}

/* Seals; answers how many pages stood against it, and whether it is sealed now is checked. */
static uint64_t seal(struct memory_object_ref object)
{
	uint64_t writable_pages = 99;
	bool sealed = false;

	CHECK_EQUAL(memory_object_seal(object, &sealed, &writable_pages), STATUS_OK);
	CHECK_EQUAL(sealed, writable_pages == 0);
	CHECK_EQUAL(is_sealed(object), sealed);
	return writable_pages;
}

static status_t write_word(struct memory_object_ref object, uint64_t offset, uint64_t value)
{
	return memory_object_write(object, offset,
			(struct capnp_data){ (const uint8_t *)&value, sizeof(value) });
}

/* A child with the role "scribble" that has written to the object once. `how`: see there. */
static struct process_handle_ref scribbler_start_as(
		const char *how, struct memory_object_ref object, volatile uint64_t *shown)
{
	struct child_spec spec = { .role = "scribble",
		.arg = how,
		.grants = { { "object", rt_id(object.ref) }, { "memory", 0 } } };
	struct process_handle_ref child = child_start(&spec);
	uint64_t begin = now_ns();

	while (shown[0] == 0 && now_ns() - begin < WAIT_NS)
		sleep_ns(1000000);
	CHECK(shown[0] != 0);
	return child;
}

static struct process_handle_ref scribbler_start(
		struct memory_object_ref object, volatile uint64_t *shown)
{
	return scribbler_start_as("keep", object, shown);
}

static uint32_t revoke_derived(struct memory_object_ref object)
{
	uint32_t revoked = 99;

	CHECK_EQUAL(capability_manager_revoke_derived(world.authority, object.ref, &revoked),
			STATUS_OK);
	return revoked;
}

static void neither_side_of_a_clone_sees_the_other_write(void)
{
	struct memory_object_ref object = object_new(PAGES), clone;
	volatile uint64_t *words, *copy;

	for (uint32_t i = 0; i < PAGES; i++)
		CHECK_EQUAL(write_word(object, i * PAGE, 100 + i), STATUS_OK);
	clone = clone_of(object);
	words = map(object, PAGES, ACCESS_READ_WRITE);
	copy = map(clone, PAGES, ACCESS_READ_WRITE);
	for (uint32_t i = 0; i < PAGES; i += 2) {
		*word_of_page(words, i) = 200 + i;
		*word_of_page(copy, i + 1) = 300 + i;
	}
	for (uint32_t i = 0; i < PAGES; i += 2) {
		CHECK_EQUAL(*word_of_page(words, i), 200 + i);
		CHECK_EQUAL(*word_of_page(copy, i), 100 + i);
		CHECK_EQUAL(*word_of_page(words, i + 1), 101 + i);
		CHECK_EQUAL(*word_of_page(copy, i + 1), 300 + i);
	}
	unmap(words, PAGES);
	client_release(object.ref);
	CHECK_EQUAL(*word_of_page(copy, 0), 100);
	*word_of_page(copy, 0) = 1;
	unmap(copy, PAGES);
	client_release(clone.ref);
}

/* Generations of clones, dropped in another order than made. */
static void clones_of_clones_are_their_own(void)
{
	struct memory_object_ref objects[8] = { object_new(2) };
	volatile uint64_t *words;

	for (uint32_t i = 1; i < ARRAY_LEN(objects); i++) {
		CHECK_EQUAL(write_word(objects[i - 1], 0, i), STATUS_OK);
		objects[i] = clone_of(objects[i / 2]);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(objects); i += 3) {
		client_release(objects[i].ref);
		objects[i] = (struct memory_object_ref){ 0 };
	}
	words = map(objects[7], 2, ACCESS_READ_WRITE);
	CHECK_EQUAL(words[0], 4);
	*word_of_page(words, 1) = 7;
	CHECK_EQUAL(words[0], 4);
	unmap(words, 2);
	for (uint32_t i = 0; i < ARRAY_LEN(objects); i++)
		client_release(objects[i].ref);
}

static void a_clone_is_charged_in_full(void)
{
	struct usage before = usage_self(), after;
	struct memory_object_ref object = object_new(PAGES), clone = clone_of(object);

	after = usage_self();
	CHECK_EQUAL(after.used[RESOURCE_CLASS_FRAMES] - before.used[RESOURCE_CLASS_FRAMES],
			2 * PAGES);
	CHECK_EQUAL(after.used[RESOURCE_CLASS_OBJECTS] - before.used[RESOURCE_CLASS_OBJECTS], 2);
	client_release(object.ref);
	after = usage_self();
	CHECK_EQUAL(after.used[RESOURCE_CLASS_FRAMES] - before.used[RESOURCE_CLASS_FRAMES], PAGES);
	client_release(clone.ref);
}

/* A peer goes on writing what it has mapped: the clone does not change under its owner. */
static void a_clone_of_what_a_peer_writes_stands_still(void)
{
	struct memory_object_ref object = object_new(1), clone;
	volatile uint64_t *shown = map(object, 1, ACCESS_READ), *copy;
	struct process_handle_ref child = scribbler_start(object, shown);
	uint64_t first;

	clone = clone_of(object);
	copy = map(clone, 1, ACCESS_READ_WRITE);
	first = copy[0];
	for (uint64_t before = shown[0], i = 0; shown[0] == before && i < 1000; i++)
		sleep_ns(1000000);
	CHECK(shown[0] > first);
	CHECK_EQUAL(copy[0], first);
	copy[0] = 0;
	CHECK(shown[0] > first);
	child_kill(child);
	unmap(shown, 1);
	unmap(copy, 1);
	client_release(clone.ref);
	client_release(object.ref);
}

/* Its original shares pages with a clone; what a peer then writes shows in every mapping of the original. */
static void what_a_peer_writes_shows_after_cloning_too(void)
{
	struct memory_object_ref object = object_new(1), clone = clone_of(object);
	volatile uint64_t *shown = map(object, 1, ACCESS_READ), *copy = map(clone, 1, ACCESS_READ);
	struct process_handle_ref child = scribbler_start(object, shown);

	CHECK_EQUAL(copy[0], 0);
	child_kill(child);
	unmap(shown, 1);
	unmap(copy, 1);
	client_release(clone.ref);
	client_release(object.ref);
}

static void a_view_can_be_cloned_and_not_sealed(void)
{
	struct memory_object_ref object = object_new(1), clone = { 0 };
	uint32_t view = narrow_of(rt_id(object.ref), MEMORY_VIEW_INTERFACE_ID);
	struct memory_view_ref as_view = { rt_ref(view) };

	CHECK_EQUAL(write_word(object, 8, 5), STATUS_OK);
	CHECK_EQUAL(memory_view_clone(as_view, &clone), STATUS_OK);
	CHECK_EQUAL(write_word(clone, 8, 6), STATUS_OK);
	CHECK_EQUAL(memory_object_seal((struct memory_object_ref){ as_view.ref }, NULL, NULL),
			STATUS_UNIMPLEMENTED);
	CHECK(!is_sealed(object));
	client_release(clone.ref);
	CHECK_EQUAL(release(view), STATUS_OK);
	client_release(object.ref);
}

static void what_is_sealed_stays_as_it_is(void)
{
	struct memory_object_ref object = object_new(2), clone;
	volatile uint64_t *words = map(object, 2, ACCESS_READ_WRITE);
	uint64_t address = 0;

	words[0] = 17;
	CHECK_EQUAL(seal(object), 2);
	CHECK_EQUAL(virtual_memory_protect(world.memory, (uintptr_t)words, 2 * PAGE, ACCESS_READ),
			STATUS_OK);
	CHECK_EQUAL(seal(object), 0);
	CHECK_EQUAL(seal(object), 0);
	CHECK_EQUAL(virtual_memory_protect(
				    world.memory, (uintptr_t)words, PAGE, ACCESS_READ_WRITE),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_SEALED);
	CHECK_EQUAL(write_word(object, 0, 1), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_SEALED);
	CHECK_EQUAL(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0, PAGE,
				    0, ACCESS_READ_WRITE, &address),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_SEALED);
	CHECK_EQUAL(words[0], 17);
	clone = clone_of(object);
	CHECK(!is_sealed(clone));
	CHECK_EQUAL(write_word(clone, 0, 18), STATUS_OK);
	CHECK_EQUAL(words[0], 17);
	unmap(words, 2);
	client_release(clone.ref);
	client_release(object.ref);
}

/* A peer that holds on to a writable mapping can hinder the sealing, but not outlive it, nor touch a
 * sealed clone. */
static void a_peer_that_writes_is_seen_before_sealing(void)
{
	struct memory_object_ref object = object_new(1), clone;
	volatile uint64_t *shown = map(object, 1, ACCESS_READ), *copy;
	struct process_handle_ref child = scribbler_start(object, shown);
	struct child_spec late = { .role = "write-sealed",
		.grants = { { "object", rt_id(object.ref) }, { "memory", 0 } } };
	uint64_t last;

	CHECK_EQUAL(seal(object), 1);
	clone = clone_of(object);
	CHECK_EQUAL(seal(clone), 0);
	copy = map(clone, 1, ACCESS_READ);
	last = copy[0];
	sleep_ns(5000000);
	CHECK_EQUAL(copy[0], last);
	child_kill(child);
	CHECK_EQUAL(seal(object), 0);
	last = shown[0];
	CHECK_EQUAL(child_finish(child_start(&late)).status, 0);
	CHECK_EQUAL(shown[0], last);
	unmap(shown, 1);
	unmap(copy, 1);
	client_release(clone.ref);
	client_release(object.ref);
}

/* Without memory left for anything else, a program that was promised its pages gets them. */
static void a_shared_page_can_be_written_when_memory_is_gone(void)
{
	struct memory_object_ref object = object_new(PAGES), clone = clone_of(object);
	volatile uint64_t *words = map(clone, PAGES, ACCESS_READ_WRITE);
	bool waiting = false;

	CHECK_EQUAL(system_info_fail_allocation(world.info, 1, NULL), STATUS_OK);
	for (uint32_t i = 0; i < PAGES; i++)
		*word_of_page(words, i) = i;
	CHECK_EQUAL(system_info_fail_allocation(world.info, 0, &waiting), STATUS_OK);
	CHECK(waiting);
	unmap(words, PAGES);
	client_release(clone.ref);
	client_release(object.ref);
}

/* What a child mapped through its grant is gone when the revocation answers; what its granter mapped stays. */
static void a_revoked_mapping_is_gone(const char *how, uint64_t writable_pages, uint32_t revoked)
{
	struct memory_object_ref object = object_new(3);
	volatile uint64_t *shown = map(object, 1, ACCESS_READ);
	struct process_handle_ref child = scribbler_start_as(how, object, shown);
	uint64_t last;

	CHECK_EQUAL(seal(object), writable_pages);
	CHECK_EQUAL(revoke_derived(object), revoked);
	last = shown[0];
	/* Nobody writes any more, so it can be sealed at once. */
	CHECK_EQUAL(seal(object), 0);
	CHECK_EQUAL(child_finish(child).state, PROCESS_STATE_CRASHED);
	CHECK_EQUAL(shown[0], last);
	CHECK_EQUAL(revoke_derived(object), 0);
	CHECK_EQUAL(shown[0], last);
	unmap(shown, 1);
	client_release(object.ref);
}

static void revocation_ends_mappings(void)
{
	a_revoked_mapping_is_gone("keep", 1, 1);
}

/* The grant that the mapping was made through is gone, and the mapping hangs off its granter's. */
static void revocation_ends_mappings_of_released_capabilities(void)
{
	a_revoked_mapping_is_gone("release", 1, 0);
}

/* All pieces of what was mapped once, after the child has cut it up. */
static void revocation_ends_each_piece_of_a_mapping(void)
{
	a_revoked_mapping_is_gone("cut", 2, 1);
}

/* A child that was passed the object by another child, which has ended since. */
static void revocation_of_mappings_passes_over_the_dead(void)
{
	struct memory_object_ref object = object_new(3);
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct child_spec last = { .role = "scribble-received",
		.grants = { { "endpoint", endpoint }, { "memory", 0 } } };
	struct child_spec first = { .role = "hand-on",
		.grants = { { "object", rt_id(object.ref) }, { "sink", export } } };
	volatile uint64_t *shown = map(object, 1, ACCESS_READ);
	struct process_handle_ref receiver = child_start(&last);
	uint64_t begin = now_ns();

	CHECK_EQUAL(child_finish(child_start(&first)).status, 0);
	while (shown[0] == 0 && now_ns() - begin < WAIT_NS)
		sleep_ns(1000000);
	CHECK(shown[0] != 0);
	CHECK_EQUAL(revoke_derived(object), 1);
	CHECK_EQUAL(seal(object), 0);
	CHECK_EQUAL(child_finish(receiver).state, PROCESS_STATE_CRASHED);
	unmap(shown, 1);
	client_release(object.ref);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static const struct test tests[] = {
	{ "neither side of a clone sees the other write",
			neither_side_of_a_clone_sees_the_other_write },
	{ "clones of clones are their own", clones_of_clones_are_their_own },
	{ "a clone is charged in full", a_clone_is_charged_in_full },
	{ "a clone of what a peer writes stands still",
			a_clone_of_what_a_peer_writes_stands_still },
	{ "what a peer writes shows after cloning too",
			what_a_peer_writes_shows_after_cloning_too },
	{ "a view can be cloned and not sealed", a_view_can_be_cloned_and_not_sealed },
	{ "what is sealed stays as it is", what_is_sealed_stays_as_it_is },
	{ "a peer that writes is seen before sealing", a_peer_that_writes_is_seen_before_sealing },
	{ "a shared page can be written when memory is gone",
			a_shared_page_can_be_written_when_memory_is_gone },
	{ "revocation ends mappings", revocation_ends_mappings },
	{ "revocation ends mappings of released capabilities",
			revocation_ends_mappings_of_released_capabilities },
	{ "revocation ends each piece of a mapping", revocation_ends_each_piece_of_a_mapping },
	{ "revocation of mappings passes over the dead",
			revocation_of_mappings_passes_over_the_dead },
};

TEST_LIST(share_tests, tests);
