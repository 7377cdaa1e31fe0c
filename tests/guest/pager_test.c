/*
 * Paged memory: this process holds the pager, children touch the pages. Pagers that supply, and
 * those that are silent, refuse, answer twice, answer nonsense, let go or die.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"

#define PAGE        4096ull
#define PAGES       4u
#define MILLISECOND 1000000ull
#define SECOND      (1000 * MILLISECOND)

struct paged {
	struct memory_object_ref object;
	struct pager_ref pager;
	struct memory_object_ref source; /* page n begins with 1000 + n */
};

static struct paged paged_new(uint64_t deadline_ns)
{
	struct paged paged = { 0 };

	CHECK_EQUAL(object_factory_paged_memory(world.factory, PAGES * PAGE, deadline_ns,
				    &paged.object, &paged.pager),
			STATUS_OK);
	CHECK_EQUAL(object_factory_memory(world.factory, PAGES * PAGE, &paged.source), STATUS_OK);
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t value = 1000 + i;

		CHECK_EQUAL(memory_object_write(paged.source, i * PAGE,
					    (struct capnp_data){ (const uint8_t *)&value,
							    sizeof(value) }),
				STATUS_OK);
	}
	return paged;
}

static void paged_end(struct paged *paged)
{
	client_release(paged->pager.ref);
	client_release(paged->object.ref);
	client_release(paged->source.ref);
}

/* A child that touches every page and checks what it finds there. */
static struct process_handle_ref toucher_start(const struct paged *paged)
{
	struct child_spec spec = { .role = "touch",
		.grants = { { "object", rt_id(paged->object.ref) }, { "memory", 0 } } };

	return child_start(&spec);
}

static uint64_t next_of(const struct paged *paged)
{
	uint64_t page = 99;

	CHECK_EQUAL(pager_next(paged->pager, &page), STATUS_OK);
	return page;
}

static bool supply(const struct paged *paged, uint64_t page)
{
	bool accepted = false;

	CHECK_EQUAL(pager_supply(paged->pager, page, memory_object_as_memory_view(paged->source),
				    page * PAGE, &accepted),
			STATUS_OK);
	return accepted;
}

/* The child crashed for want of a page, within this time. */
static void check_missed(struct process_handle_ref child, uint64_t begin_ns, uint64_t within_ns)
{
	struct process_observer_crash_params_builder params;
	struct process_observer_crash_call call;
	struct crash_record_reader record;

	CHECK_EQUAL(child_wait(child).state, PROCESS_STATE_CRASHED);
	CHECK(now_ns() - begin_ns < within_ns);
	call = process_observer_crash_begin(process_handle_as_process_observer(child), &params);
	process_observer_crash_send(&call);
	CHECK_EQUAL(process_observer_crash_wait(&call), STATUS_OK);
	record = process_observer_crash_results_get_record(process_observer_crash_results(&call));
	CHECK_EQUAL(crash_record_get_kind(record), CRASH_KIND_PAGE_MISSING);
	CHECK(crash_record_get_registers(record).count >= 16);
	process_observer_crash_done(&call);
	client_release(child.ref);
}

static void pages_come_when_they_are_touched(void)
{
	struct paged paged = paged_new(10 * SECOND);
	struct process_handle_ref child = toucher_start(&paged);

	for (uint64_t i = 0; i < PAGES; i++) {
		CHECK_EQUAL(next_of(&paged), i);
		CHECK(supply(&paged, i));
	}
	CHECK_EQUAL(child_finish(child).status, 0);
	/* Now they are there for everybody, as the first child left them. */
	CHECK_EQUAL(child_finish(toucher_start(&paged)).status, 1);
	paged_end(&paged);
}

static void pages_may_come_before_they_are_touched(void)
{
	struct paged paged = paged_new(10 * SECOND);

	for (uint64_t i = PAGES; i-- > 0;)
		CHECK(supply(&paged, i));
	CHECK_EQUAL(child_finish(toucher_start(&paged)).status, 0);
	paged_end(&paged);
}

static void two_may_wait_for_one_page(void)
{
	struct paged paged = paged_new(10 * SECOND);
	struct process_handle_ref one = toucher_start(&paged), other = toucher_start(&paged);

	sleep_ns(20 * MILLISECOND); /* both wait for the first page by now */
	CHECK_EQUAL(next_of(&paged), 0);
	for (uint64_t i = PAGES; i-- > 0;)
		CHECK(supply(&paged, i));
	/* Whoever comes second may find what the first has written. */
	CHECK(child_finish(one).state == PROCESS_STATE_EXITED);
	CHECK(child_finish(other).state == PROCESS_STATE_EXITED);
	paged_end(&paged);
}

static void nobody_waits_longer_than_the_deadline(void)
{
	struct paged paged = paged_new(20 * MILLISECOND);
	uint64_t begin = now_ns();
	struct process_handle_ref child = toucher_start(&paged);

	check_missed(child, begin, 2 * SECOND);
	CHECK(now_ns() - begin >= 20 * MILLISECOND);
	/* Told of a page, and silent for the rest of it. */
	begin = now_ns();
	child = toucher_start(&paged);
	CHECK_EQUAL(next_of(&paged), 0);
	check_missed(child, begin, 2 * SECOND);
	/* Late is not too late for others. */
	for (uint64_t i = 0; i < PAGES; i++)
		CHECK(supply(&paged, i));
	CHECK_EQUAL(child_finish(toucher_start(&paged)).status, 0);
	paged_end(&paged);
}

static void a_page_can_be_refused(void)
{
	struct paged paged = paged_new(10 * SECOND);
	uint64_t begin = now_ns();
	struct process_handle_ref child = toucher_start(&paged);

	CHECK_EQUAL(next_of(&paged), 0);
	CHECK_EQUAL(pager_refuse(paged.pager, 1), STATUS_OK); /* nobody waits for that one */
	CHECK_EQUAL(pager_refuse(paged.pager, 0), STATUS_OK);
	check_missed(child, begin, 5 * SECOND);
	/* The next one asks again. */
	child = toucher_start(&paged);
	CHECK_EQUAL(next_of(&paged), 0);
	CHECK_EQUAL(pager_refuse(paged.pager, 0), STATUS_OK);
	check_missed(child, begin, 5 * SECOND);
	paged_end(&paged);
}

static void nobody_waits_for_a_pager_that_is_gone(void)
{
	struct paged paged = paged_new(10 * SECOND);
	struct child_spec spec = { .role = "next-and-end",
		.grants = { { "pager", rt_id(paged.pager.ref) } } };
	uint64_t begin = now_ns();
	struct process_handle_ref child = toucher_start(&paged), pager = child_start(&spec);

	client_release(paged.pager.ref);
	paged.pager = (struct pager_ref){ 0 };
	CHECK_EQUAL(child_finish(pager).status, 0);
	check_missed(child, begin, 5 * SECOND);
	check_missed(toucher_start(&paged), begin, 5 * SECOND);
	paged_end(&paged);
}

static void a_page_that_is_there_stays_as_it_is(void)
{
	struct paged paged = paged_new(10 * SECOND);
	volatile const uint64_t *words;
	uint64_t address = 0;
	bool accepted = true;

	CHECK_EQUAL(virtual_memory_map(world.memory, memory_object_as_memory_view(paged.object), 0,
				    PAGES * PAGE, 0, ACCESS_READ, &address),
			STATUS_OK);
	words = (const uint64_t *)(uintptr_t)address;
	CHECK(supply(&paged, 2));
	CHECK_EQUAL(words[2 * PAGE / 8], 1002);
	CHECK_EQUAL(pager_supply(paged.pager, 2, memory_object_as_memory_view(paged.source), 0,
				    &accepted),
			STATUS_OK);
	CHECK(!accepted);
	CHECK_EQUAL(words[2 * PAGE / 8], 1002);
	/* Pieces of it, with pages that are there and pages that are not. */
	CHECK_EQUAL(virtual_memory_protect(world.memory, address + PAGE, 2 * PAGE,
				    ACCESS_READ_WRITE),
			STATUS_OK);
	CHECK_EQUAL(words[2 * PAGE / 8], 1002);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address + PAGE, PAGE), STATUS_OK);
	CHECK_EQUAL(words[2 * PAGE / 8], 1002);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGES * PAGE), STATUS_OK);
	paged_end(&paged);
}

static void nonsense_from_a_pager_is_refused(void)
{
	struct paged paged = paged_new(10 * SECOND);
	struct memory_view_ref source = memory_object_as_memory_view(paged.source);
	struct memory_view_ref itself = memory_object_as_memory_view(paged.object);
	static const struct {
		uint64_t page, offset;
	} rows[] = { { PAGES, 0 }, { UINT64_MAX, 0 }, { 0, 1 }, { 0, PAGES * PAGE },
		{ 0, UINT64_MAX - PAGE + 1 } };
	bool accepted;

	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_EQUAL(pager_supply(paged.pager, rows[i].page, source, rows[i].offset,
					    &accepted),
				STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(pager_supply(paged.pager, 0, itself, 0, &accepted), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(pager_supply(paged.pager, 0, (struct memory_view_ref){ world.timer.ref }, 0,
				    &accepted),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(pager_refuse(paged.pager, PAGES), STATUS_INVALID_ARGUMENT);
	/* None of it took the page. */
	CHECK(supply(&paged, 0));
	paged_end(&paged);
}

static void paged_memory_is_only_mapped(void)
{
	struct paged paged = paged_new(SECOND);
	struct memory_object_ref clone, other;
	struct pager_ref pager;
	bool sealed;

	CHECK_EQUAL(memory_view_clone(memory_object_as_memory_view(paged.object), &clone),
			STATUS_FAILED);
	CHECK_EQUAL(memory_object_seal(paged.object, &sealed, NULL), STATUS_FAILED);
	CHECK_EQUAL(memory_object_write(paged.object, 0,
				    (struct capnp_data){ (const uint8_t *)"no", 2 }),
			STATUS_FAILED);
	CHECK_EQUAL(object_factory_paged_memory(world.factory, 0, SECOND, &other, &pager),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(object_factory_paged_memory(world.factory, PAGE, 0, &other, &pager),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(object_factory_paged_memory(world.factory, PAGE, 61 * SECOND, &other, &pager),
			STATUS_INVALID_ARGUMENT);
	paged_end(&paged);
}

static void who_waits_can_be_killed_and_who_asks_can_stop(void)
{
	struct paged paged = paged_new(10 * SECOND);
	struct ring_entry ask = entry_call(rt_id(paged.pager.ref), Q0);
	struct process_handle_ref child;

	ask.interface = PAGER_INTERFACE_ID;
	start(ask);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	child = toucher_start(&paged);
	CHECK_EQUAL(next_of(&paged), 0);
	child_kill(child);
	CHECK(supply(&paged, 0));
	/* Waits when the pager goes. */
	start(ask);
	client_release(paged.pager.ref);
	paged.pager = (struct pager_ref){ 0 };
	CHECK_EQUAL(finish(Q0).status, STATUS_DISCONNECTED);
	paged_end(&paged);
}

/* The mapping goes while its thread waits for a page of it. */
static void a_revoked_mapping_is_not_waited_for_for_ever(void)
{
	struct paged paged = paged_new(10 * SECOND);
	struct process_handle_ref child = toucher_start(&paged);
	uint64_t begin = now_ns();

	CHECK_EQUAL(next_of(&paged), 0);
	CHECK_EQUAL(capability_manager_revoke_derived(world.authority, paged.object.ref, NULL),
			STATUS_OK);
	CHECK(supply(&paged, 0));
	CHECK_EQUAL(child_finish(child).state, PROCESS_STATE_CRASHED);
	CHECK(now_ns() - begin < 5 * SECOND);
	paged_end(&paged);
}

static const struct test tests[] = {
	{ "pages come when they are touched", pages_come_when_they_are_touched },
	{ "pages may come before they are touched", pages_may_come_before_they_are_touched },
	{ "two may wait for one page", two_may_wait_for_one_page },
	{ "nobody waits longer than the deadline", nobody_waits_longer_than_the_deadline },
	{ "a page can be refused", a_page_can_be_refused },
	{ "nobody waits for a pager that is gone", nobody_waits_for_a_pager_that_is_gone },
	{ "a page that is there stays as it is", a_page_that_is_there_stays_as_it_is },
	{ "nonsense from a pager is refused", nonsense_from_a_pager_is_refused },
	{ "paged memory is only mapped", paged_memory_is_only_mapped },
	{ "who waits can be killed and who asks can stop",
			who_waits_can_be_killed_and_who_asks_can_stop },
	{ "a revoked mapping is not waited for for ever",
			a_revoked_mapping_is_not_waited_for_for_ever },
};

TEST_LIST(pager_tests, tests);
