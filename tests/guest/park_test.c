/*
 * Parking for words: private and shared ones, order, time limits, cancelling, and words that nobody can park for.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "abi/syscall.h"
#include "rt/capability.h"
#include "rt/program.h"

#define PAGE        4096ull
#define MILLISECOND 1000000ull
#define STACK_WORDS 512u
#define PINGS       2000u
#define PLACES      5u
#define PLAYS       3000u

static uint32_t words[4];
static uint32_t many[PLACES];

static struct ring_entry entry_park(const uint32_t *word, uint32_t expected, uint16_t question)
{
	return (struct ring_entry){ .op = CAP_OP_PARK, .interface = (uint64_t)(uintptr_t)word, .msg_off = expected,
		.question = question };
}

static struct ring_entry entry_park_in(uint32_t object, uint64_t offset, uint32_t expected, uint16_t question)
{
	return (struct ring_entry){ .op = CAP_OP_PARK, .target = object, .interface = offset, .msg_off = expected,
		.question = question };
}

/* How many were woken. */
static uint64_t unpark_in(uint32_t object, uint64_t offset, uint32_t count)
{
	struct ring_entry entry = { .op = CAP_OP_UNPARK, .target = object, .interface = offset, .msg_off = count };
	struct ring_completion completion = perform(entry);

	CHECK_EQUAL(completion.status, STATUS_OK);
	return completion.detail;
}

static uint64_t unpark_word(const uint32_t *word, uint32_t count)
{
	return unpark_in(0, (uint64_t)(uintptr_t)word, count);
}

static void those_who_park_are_woken_in_order(void)
{
	words[0] = words[1] = 7;
	for (uint16_t i = 0; i < 4; i++)
		start(entry_park(&words[0], 7, (uint16_t)(Q0 + i)));
	start(entry_park(&words[1], 7, Q0 + 4));
	kernel_check();
	CHECK_EQUAL(unpark_word(&words[2], 4), 0);
	CHECK_EQUAL(unpark_word(&words[0], 0), 0);
	CHECK_EQUAL(unpark_word(&words[0], 2), 2);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).detail, 0);
	CHECK(!is_done(Q0 + 2) && !is_done(Q0 + 3) && !is_done(Q0 + 4));
	CHECK_EQUAL(unpark_word(&words[0], UINT32_MAX), 2);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 3).status, STATUS_OK);
	CHECK_EQUAL(unpark_word(&words[1], 1), 1);
	CHECK_EQUAL(finish(Q0 + 4).status, STATUS_OK);
	CHECK_EQUAL(unpark_word(&words[0], 1), 0);
}

static void a_word_that_changed_is_not_parked_for(void)
{
	struct ring_completion completion;

	words[0] = 8;
	completion = perform_sync(entry_park(&words[0], 7, Q0));
	CHECK_EQUAL(completion.status, STATUS_OK);
	CHECK_EQUAL(completion.detail, PARK_CHANGED);
	completion = perform(entry_park(&words[0], 9, Q0));
	CHECK_EQUAL(completion.detail, PARK_CHANGED);
}

static void a_park_ends_with_its_time(void)
{
	struct ring_entry entry = entry_park(&words[0], 0, Q0);
	uint64_t begin = now_ns();

	words[0] = 0;
	entry.deadline_ns = begin + 5 * MILLISECOND;
	CHECK_EQUAL(perform_sync(entry).status, STATUS_DEADLINE_EXCEEDED);
	CHECK(now_ns() >= begin + 5 * MILLISECOND);
	entry.deadline_ns = 1;
	CHECK_EQUAL(perform_sync(entry).status, STATUS_DEADLINE_EXCEEDED);
	CHECK_EQUAL(unpark_word(&words[0], 1), 0);
}

static void a_park_is_cancelled(void)
{
	words[0] = 0;
	start(entry_park(&words[0], 0, Q0));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	CHECK_EQUAL(unpark_word(&words[0], 1), 0);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_GONE);
}

/* --- Many words ------------------------------------------------------------------------------- */

/* What stands on a seat: when it parked, 0: it does not; and for which word. */
struct parked {
	uint32_t arrival;
	uint32_t place;
};

/* The seat that has parked longest for the word; SEATS: none. */
static uint32_t oldest(const struct parked *parked, uint32_t place)
{
	uint32_t found = SEATS;

	for (uint32_t i = 0; i < SEATS; i++) {
		if (parked[i].arrival && parked[i].place == place &&
				(found == SEATS || parked[i].arrival < parked[found].arrival))
			found = i;
	}
	return found;
}

static void unpark_and_look(struct parked *parked, uint32_t place, uint32_t count)
{
	uint32_t seats[SEATS], expected = 0;

	while (expected < count && oldest(parked, place) < SEATS) {
		seats[expected] = oldest(parked, place);
		parked[seats[expected++]].arrival = 0;
	}
	CHECK_EQUAL(unpark_word(&many[place], count), expected);
	for (uint32_t i = 0; i < expected; i++)
		CHECK_EQUAL(finish((uint16_t)(Q0 + seats[i])).status, STATUS_OK);
	for (uint32_t i = 0; i < SEATS; i++)
		CHECK(!parked[i].arrival || !is_done((uint16_t)(Q0 + i)));
}

/* Parks, wakes and cancels as chance has it, beside a model that has no tree. */
static void sleepers_of_many_words_are_told_apart(void)
{
	struct parked parked[SEATS] = { { 0, 0 } };
	struct chance chance = { 31 };

	for (uint32_t play = 1; play <= PLAYS; play++) {
		uint32_t seat = chance_below(&chance, SEATS), place = chance_below(&chance, PLACES);
		uint16_t question = (uint16_t)(Q0 + seat);

		if (!parked[seat].arrival) {
			start(entry_park(&many[place], 0, question));
			parked[seat] = (struct parked){ play, place };
		} else if (chance_below(&chance, 2)) {
			CHECK_EQUAL(perform(entry_cancel(question)).status, STATUS_OK);
			CHECK_EQUAL(finish(question).status, STATUS_CANCELLED);
			parked[seat].arrival = 0;
		} else {
			unpark_and_look(parked, place, 1 + chance_below(&chance, 4));
		}
	}
	for (uint32_t place = 0; place < PLACES; place++)
		unpark_and_look(parked, place, SEATS);
	kernel_check();
}

/* --- Where nobody can park -------------------------------------------------------------------- */

static status_t park_at(uint64_t address)
{
	return perform_sync(entry_park((const uint32_t *)(uintptr_t)address, 0, Q0)).status;
}

static void words_that_are_not_the_programs_are_refused(void)
{
	uint64_t address = 0;
	struct ring_entry entry = entry_park(&words[0], 0, Q0);

	REQUIRE_OK(virtual_memory_reserve(world.memory, 2 * PAGE, 0, &address));
	REQUIRE_OK(virtual_memory_commit(world.memory, address, PAGE, ACCESS_NONE));
	CHECK_EQUAL(park_at((uint64_t)(uintptr_t)&words[0] + 2), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(park_at(0), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(park_at(address), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(park_at(address + PAGE), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(park_at(0xffffffff80200000ull), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(park_at(0x800000000000ull), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(park_at(UINT64_MAX - 3), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(park_at((uint64_t)(uintptr_t)ring_self()->header), STATUS_INVALID_ARGUMENT);
	entry.target = rt_id(world.timer.ref);
	CHECK_EQUAL(perform_sync(entry).status, STATUS_UNIMPLEMENTED);
	entry.target = 0xfff0;
	CHECK_EQUAL(perform_sync(entry).status, STATUS_BAD_CAPABILITY);
	entry.target = 0;
	entry.question = 64;
	CHECK_EQUAL(perform_sync(entry).status, STATUS_BAD_ENTRY);
	entry.question = Q0;
	entry.reply_off = 1;
	CHECK_EQUAL(perform_sync(entry).status, STATUS_BAD_ENTRY);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, 2 * PAGE), STATUS_OK);
}

/* A page that was not touched yet is one of zeroes. */
static void a_page_need_not_have_been_touched(void)
{
	uint64_t address = 0;

	REQUIRE_OK(virtual_memory_reserve(world.memory, PAGE, 0, &address));
	REQUIRE_OK(virtual_memory_commit(world.memory, address, PAGE, ACCESS_READ_WRITE));
	start(entry_park((const uint32_t *)(uintptr_t)address, 0, Q0));
	CHECK(!is_done(Q0));
	CHECK_EQUAL(unpark_in(0, address, 1), 1);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	/* Nor need it be there any more when somebody is woken. */
	start(entry_park((const uint32_t *)(uintptr_t)address, 0, Q0));
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
	CHECK_EQUAL(unpark_in(0, address, 1), 1);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
}

static void missing_memory_is_refused(void)
{
	struct memory_object_ref paged = { 0 };
	struct pager_ref pager = { 0 };
	uint64_t address = 0;

	REQUIRE_OK(object_factory_paged_memory(world.factory, PAGE, 1000 * MILLISECOND, &paged, &pager));
	CHECK_EQUAL(perform_sync(entry_park_in(rt_id(paged.ref), 0, 0, Q0)).status, STATUS_FAILED);
	REQUIRE_OK(virtual_memory_map(world.memory, memory_object_as_memory_view(paged), 0, PAGE, 0, ACCESS_READ,
			&address));
	CHECK_EQUAL(park_at(address), STATUS_FAILED);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
	client_release(paged.ref);
	client_release(pager.ref);
}

/* --- Shared words ----------------------------------------------------------------------------- */

static void shared_and_private_words_do_not_meet(void)
{
	struct memory_object_ref object = { 0 };
	uint64_t address = 0;
	uint32_t id, view;

	REQUIRE_OK(object_factory_memory(world.factory, 100, &object));
	id = rt_id(object.ref);
	view = narrow_of(id, MEMORY_VIEW_INTERFACE_ID);
	REQUIRE_OK(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0, PAGE, 0,
			ACCESS_READ_WRITE, &address));
	CHECK_EQUAL(perform_sync(entry_park_in(id, 97, 0, Q0)).status, STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(perform_sync(entry_park_in(id, 100, 0, Q0)).status, STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(perform_sync(entry_park_in(id, UINT64_MAX - 3, 0, Q0)).status, STATUS_INVALID_ARGUMENT);
	*(volatile uint32_t *)(uintptr_t)(address + 96) = 5;
	CHECK_EQUAL(perform_sync(entry_park_in(view, 96, 4, Q0)).detail, PARK_CHANGED);
	start(entry_park_in(view, 96, 5, Q0));
	start(entry_park((const uint32_t *)(uintptr_t)(address + 96), 5, Q0 + 1));
	CHECK_EQUAL(unpark_in(0, address + 96, 8), 1);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(unpark_in(id, 96, 8), 1);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
	CHECK_EQUAL(release(view), STATUS_OK);
	client_release(object.ref);
}

/* The child's part: parks for the first word of "object". */
int park_role(const char *arg)
{
	struct ring_completion completion = perform_sync(entry_park_in(grant_id("object"), 0, 0, Q0));

	return completion.status == STATUS_OK ? 40 + (int)completion.detail : -(int)completion.status;
}

static struct process_handle_ref parker_start(struct memory_object_ref object)
{
	struct child_spec spec = { .role = "park", .grants = { { "object", rt_id(object.ref) } } };

	return child_start(&spec);
}

static void a_word_is_shared_between_processes(void)
{
	struct memory_object_ref object = { 0 };
	struct process_handle_ref child;
	uint64_t woken = 0;

	REQUIRE_OK(object_factory_memory(world.factory, PAGE, &object));
	child = parker_start(object);
	for (uint32_t i = 0; i < 2000 && !woken; i++) {
		sleep_ns(MILLISECOND / 10);
		woken = unpark_in(rt_id(object.ref), 0, 1);
	}
	CHECK_EQUAL(child_finish(child).status, 40);
	/* One that dies while it waits. */
	child = parker_start(object);
	sleep_ns(5 * MILLISECOND);
	child_kill(child);
	CHECK_EQUAL(unpark_in(rt_id(object.ref), 0, 1), 0);
	client_release(object.ref);
}

static void a_revoked_word_is_not_waited_for(void)
{
	struct memory_object_ref object = { 0 };
	struct process_handle_ref child;
	uint32_t revoked = 0;

	REQUIRE_OK(object_factory_memory(world.factory, PAGE, &object));
	child = parker_start(object);
	sleep_ns(10 * MILLISECOND);
	CHECK_EQUAL(capability_manager_revoke_derived(world.authority, object.ref, &revoked), STATUS_OK);
	CHECK_EQUAL(revoked, 1);
	CHECK_EQUAL(child_finish(child).status, -STATUS_DISCONNECTED);
	CHECK_EQUAL(unpark_in(rt_id(object.ref), 0, 1), 0);
	client_release(object.ref);
}

/* --- Threads ---------------------------------------------------------------------------------- */

static struct {
	uint64_t stack[STACK_WORDS] __attribute__((aligned(16)));
	uint32_t ball;          /* even: the test's turn; odd: the thread's */
	int64_t wrong;
} table;

static int64_t perform_in(struct ring_header *header, struct ring_entry entry)
{
	struct ring_entry *place = (struct ring_entry *)(void *)header->sync_entry;

	entry.flags |= ENTRY_SYNC;
	*place = entry;
	return cap_enter(ENTER_SYNC, 0, 0);
}

/* Waits for the own turn and passes the ball. */
static void play(struct ring_header *header, uint32_t rounds, uint32_t own)
{
	const struct ring_entry wake = { .op = CAP_OP_UNPARK, .interface = (uint64_t)(uintptr_t)&table.ball,
		.msg_off = 1 };

	for (uint32_t i = 0; i < rounds; i++) {
		for (uint32_t seen; (seen = __atomic_load_n(&table.ball, __ATOMIC_ACQUIRE)) % 2 != own;)
			table.wrong += perform_in(header, entry_park(&table.ball, seen, 1)) != STATUS_OK;
		__atomic_add_fetch(&table.ball, 1, __ATOMIC_ACQ_REL);
		table.wrong += perform_in(header, wake) != STATUS_OK;
	}
}

static void opponent(struct ring_header *header, uint64_t argument)
{
	play(header, (uint32_t)argument, 1);
	thread_exit_now(0);
}

static struct thread_handle_ref opponent_start(uint32_t rounds)
{
	struct thread_handle_ref handle = { 0 };

	memset(&table, 0, sizeof(table));
	CHECK_EQUAL(thread_spawner_spawn(world.threads, (uint64_t)(uintptr_t)opponent,
				    (uint64_t)(uintptr_t)&table.stack[STACK_WORDS - 1], rounds, 0,
				    capnp_text("opponent"), &handle),
			STATUS_OK);
	return handle;
}

static void no_wake_up_is_lost(void)
{
	struct thread_handle_ref handle = opponent_start(PINGS);

	play(ring_self()->header, PINGS, 0);
	CHECK_EQUAL(rt_wait_end(rt_id(handle.ref)), STATUS_OK);
	CHECK_EQUAL(table.ball, 2 * PINGS);
	CHECK_EQUAL(table.wrong, 0);
	client_release(handle.ref);
}

static void a_thread_that_parks_is_killed(void)
{
	struct thread_handle_ref handle = opponent_start(1);

	sleep_ns(2 * MILLISECOND);
	CHECK_EQUAL(thread_handle_kill(handle, 0), STATUS_OK);
	CHECK_EQUAL(unpark_word(&table.ball, 8), 0);
	CHECK_EQUAL(rt_wait_end(rt_id(handle.ref)), STATUS_OK);
	client_release(handle.ref);
}

static const struct test tests[] = {
	{ "those who park are woken in order", those_who_park_are_woken_in_order },
	{ "sleepers of many words are told apart", sleepers_of_many_words_are_told_apart },
	{ "a word that changed is not parked for", a_word_that_changed_is_not_parked_for },
	{ "a park ends with its time", a_park_ends_with_its_time },
	{ "a park is cancelled", a_park_is_cancelled },
	{ "words that are not the program's are refused", words_that_are_not_the_programs_are_refused },
	{ "a page need not have been touched", a_page_need_not_have_been_touched },
	{ "memory that was not supplied is refused", missing_memory_is_refused },
	{ "shared and private words do not meet", shared_and_private_words_do_not_meet },
	{ "a word is shared between processes", a_word_is_shared_between_processes },
	{ "a revoked word is not waited for", a_revoked_word_is_not_waited_for },
	{ "no wake-up is lost", no_wake_up_is_lost },
	{ "a thread that parks is killed", a_thread_that_parks_is_killed },
};
TEST_LIST(park_tests, tests);
