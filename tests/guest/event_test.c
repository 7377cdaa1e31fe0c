/*
 * Thread events: threads that are diverted wherever they are, and faults that are handled by those
 * who make them. What a thread had in its registers it has again afterwards; where nobody handles
 * an event, or nobody can, only its own process falls.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "abi/syscall.h"
#include "rt/capability.h"
#include "rt/launch.h"
#include "rt/mutex.h"
#include "rt/park.h"
#include "rt/program.h"
#include "rt/thread.h"
#include "rt/thread_event.h"
#include "tests/guest/registers.h"

#define PAGE        4096ull
#define MILLISECOND 1000000ull
#define SPIN_TURNS  3000000u
#define STORM       3000u
#define STACK_BYTES 8192u
#define ANSWER      0x600df00dull

/* A thread with a handler, and what both saw. Written by the thread, read by the test. */
struct actor {
	struct thread *thread;
	struct thread_handle_ref handle;
	int64_t (*run)(struct actor *actor);
	void (*on_event)(struct actor *actor, struct event_record *record);
	volatile uint32_t ready;
	volatile uint32_t word;             /* of the test's, for whatever the two agree on */
	volatile uint32_t events;
	volatile uint64_t bits;             /* of all diversions */
	struct event_record last;
	uint64_t lowest, highest;           /* where the handler's frames stood */
	volatile uint64_t *page;
	uint32_t notification;
	status_t status;
	struct thread_events registered;
	uint8_t stack[STACK_BYTES] __attribute__((aligned(64)));
};

static struct actor actor;

static void on_event(struct event_record *record, void *argument)
{
	struct actor *self = argument;
	uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);

	self->last = *record;
	self->lowest = MIN(self->lowest, here);
	self->highest = MAX(self->highest, here);
	self->bits |= record->bits;
	self->events++;
	if (self->on_event)
		self->on_event(self, record);
}

static int64_t begin(void *argument)
{
	struct actor *self = argument;
	int64_t result;

	self->registered.handle = on_event;
	self->registered.argument = self;
	if (thread_events_begin(&self->registered, self->stack, sizeof(self->stack)) != STATUS_OK)
		return -1;
	self->ready = 1;
	result = self->run(self);
	thread_events_end(&self->registered);
	return result;
}

/* Starts it, and comes back when its events are handled. */
static void actor_start(int64_t (*run)(struct actor *self), void (*handler)(struct actor *self, struct event_record *record))
{
	const struct thread_request request = { .run = begin, .argument = &actor, .name = "actor" };
	volatile uint64_t *page = actor.page;
	uint32_t notification = actor.notification;

	memset(&actor, 0, sizeof(actor));
	actor.page = page;
	actor.notification = notification;
	actor.lowest = UINT64_MAX;
	actor.run = run;
	actor.on_event = handler;
	CHECK_EQUAL(thread_start(&request, &actor.thread), STATUS_OK);
	actor.handle.ref = rt_ref(thread_handle_of(actor.thread));
	for (uint32_t i = 0; i < 4000 && !actor.ready; i++)
		sleep_ns(MILLISECOND / 4);
	CHECK(actor.ready);
}

static struct thread_end actor_join(void)
{
	struct thread_end end = { 0 };

	CHECK_EQUAL(thread_join(actor.thread, &end), STATUS_OK);
	actor.page = NULL;
	actor.notification = 0;
	return end;
}

static void actor_kill(void)
{
	CHECK_EQUAL(thread_kill(actor.thread, 0), STATUS_OK);
	(void)actor_join();
}

static void divert(uint64_t bits)
{
	CHECK_EQUAL(thread_handle_divert(actor.handle, bits), STATUS_OK);
}

static void await_events(uint32_t events)
{
	for (uint32_t i = 0; i < 4000 && actor.events < events; i++)
		sleep_ns(MILLISECOND / 4);
	CHECK(actor.events >= events);
}

static void await_waiting(void)
{
	struct thread_handle_info_params_builder params;
	enum thread_condition condition = THREAD_CONDITION_NONE;

	for (uint32_t i = 0; i < 4000 && condition != THREAD_CONDITION_WAITING; i++) {
		struct thread_handle_info_call call = thread_handle_info_begin(actor.handle, &params);

		thread_handle_info_send(&call);
		if (thread_handle_info_wait(&call) == STATUS_OK)
			condition = thread_handle_info_results_get_condition(thread_handle_info_results(&call));
		thread_handle_info_done(&call);
		if (condition != THREAD_CONDITION_WAITING)
			sleep_ns(MILLISECOND / 4);
	}
	CHECK_EQUAL(condition, THREAD_CONDITION_WAITING);
}

/* --- Diverted
 * ----------------------------------------------------------------------------------- */

static void scribble_registers(struct actor *self, struct event_record *record)
{
	static struct registers own, seen;

	memset(&own, 0xa5, sizeof(own));
	own.general[RCX] = 1;
	registers_spin(&own, &seen, 1);
}

/* Spins with all registers full until it has been told to stop; what was lost. */
static int64_t run_full(struct actor *self)
{
	static struct registers own, seen;
	int64_t lost = 0;

	for (uint32_t i = 0; i < sizeof(own) / 8; i++)
		((uint64_t *)(void *)&own)[i] = 0xac70000000000000ull + i;
	while (!self->word) {
		registers_spin(&own, &seen, SPIN_TURNS);
		own.general[RCX] = seen.general[RCX];
		own.general[RSP] = seen.general[RSP];
		lost += memcmp(&own, &seen, sizeof(own)) != 0;
	}
	return lost;
}

static void a_computing_thread_is_diverted_and_loses_nothing(void)
{
	actor_start(run_full, scribble_registers);
	for (uint32_t i = 0; i < 50; i++) {
		divert(1ull << i);
		await_events(i + 1);
		CHECK_EQUAL(actor.last.kind, EVENT_KIND_DIVERT);
	}
	kernel_check();
	CHECK_EQUAL(actor.bits, (1ull << 50) - 1);
	actor.word = 1;
	CHECK_EQUAL(actor_join().status, 0);
}

/* However often: the handler's stack does not grow. */
static void a_storm_of_diversions_is_weathered(void)
{
	actor_start(run_full, NULL);
	for (uint32_t i = 0; i < STORM; i++) {
		divert(1ull << i % 64);
		if (i % 50 == 0)      /* lets it run where there is one processor */
			sleep_ns(1000);
	}
	actor.word = 1;
	CHECK_EQUAL(actor_join().status, 0);
	CHECK_EQUAL(actor.bits, UINT64_MAX);
	CHECK_EQUAL(actor.lowest, actor.highest);
	tap_note("%u diversions, the handler ran %u times", STORM, actor.events);
}

static int64_t run_sleep(struct actor *self)
{
	return cap_enter(0, 1, 0);
}

static void a_sleep_ends_when_its_thread_is_diverted(void)
{
	actor_start(run_sleep, NULL);
	await_waiting();
	divert(5);
	CHECK_EQUAL(actor_join().status, STATUS_INTERRUPTED);
	CHECK_EQUAL(actor.events, 1);
	CHECK_EQUAL(actor.last.bits, 5);
	CHECK_EQUAL((int64_t)actor.last.registers[EVENT_RAX], STATUS_INTERRUPTED);
}

static int64_t run_wait(struct actor *self)
{
	uint64_t bits = 0;
	status_t status = rt_wait_bits(self->notification, 1, &bits);

	return status == STATUS_INTERRUPTED && rt_wait_bits(self->notification, 3, &bits) == STATUS_OK ? (int64_t)bits : -1;
}

static void signal_two(struct actor *self, struct event_record *record)
{
	self->status = thread_event_enter(&(struct ring_entry){ .op = CAP_OP_SIGNAL, .target = self->notification,
			.interface = 2 });
}

/* An entry that the handler performs leaves the interrupted one's answer as it was. */
static void a_handler_enters_the_kernel(void)
{
	uint32_t notification = notification_new();

	actor.notification = notification;
	actor_start(run_wait, signal_two);
	await_waiting();
	divert(0);
	CHECK_EQUAL(actor_join().status, 2);
	CHECK_EQUAL(actor.events, 1);
	CHECK_EQUAL(actor.status, STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void wait_for_word(struct actor *self, struct event_record *record)
{
	while (self->events == 1 && !self->word)
		;
}

static int64_t run_until_two(struct actor *self)
{
	while (self->events < 2)
		;
	return 3;
}

/* What comes while the handler runs is not lost, and does not come in between. */
static void bits_wait_while_a_thread_is_masked(void)
{
	actor_start(run_until_two, wait_for_word);
	divert(1);
	await_events(1);
	divert(2);
	divert(4);
	sleep_ns(MILLISECOND);
	CHECK_EQUAL(actor.events, 1);
	actor.word = 1;
	CHECK_EQUAL(actor_join().status, 3);
	CHECK_EQUAL(actor.last.bits, 6);
	CHECK_EQUAL(actor.events, 2);
}

static int64_t run_divert_self(struct actor *self)
{
	while (!self->word)
		;
	(void)thread_handle_divert((struct thread_handle_ref){ rt_ref(self->word) }, 9);
	return self->bits == 9 ? 4 : -1;
}

static void a_thread_diverts_itself(void)
{
	actor_start(run_divert_self, NULL);
	actor.word = thread_handle_of(actor.thread);
	CHECK_EQUAL(actor_join().status, 4);
}

static int64_t run_forever(struct actor *self)
{
	for (;;)
		self->word++;
}

static void a_suspended_thread_is_diverted_when_it_is_resumed(void)
{
	actor_start(run_forever, NULL);
	CHECK_EQUAL(thread_handle_suspend(actor.handle), STATUS_OK);
	divert(1);
	divert(2);
	sleep_ns(MILLISECOND);
	CHECK_EQUAL(actor.events, 0);
	CHECK_EQUAL(thread_handle_resume(actor.handle, NULL), STATUS_OK);
	await_events(1);
	CHECK_EQUAL(actor.bits, 3);
	CHECK_EQUAL(actor.last.registers[EVENT_RIP] - (uint64_t)(uintptr_t)run_forever < 256, true);
	actor_kill();
}

static struct mutex mutex = MUTEX_INIT;

static int64_t run_hold(struct actor *self)
{
	mutex_lock(&mutex);
	self->word = 1;
	while (self->word == 1)
		;
	mutex_unlock(&mutex);
	return 0;
}

/* Whoever suspends the holder of what it wants waits for itself, and nobody else does. */
static void what_a_suspended_thread_holds_it_keeps(void)
{
	actor_start(run_hold, NULL);
	for (uint32_t i = 0; i < 4000 && !actor.word; i++)
		sleep_ns(MILLISECOND / 4);
	CHECK_EQUAL(thread_handle_suspend(actor.handle), STATUS_OK);
	actor.word = 2;
	CHECK_EQUAL(mutex_lock_until(&mutex, now_ns() + 2 * MILLISECOND), STATUS_DEADLINE_EXCEEDED);
	CHECK_EQUAL(thread_handle_resume(actor.handle, NULL), STATUS_OK);
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	CHECK_EQUAL(actor_join().status, 0);
}

static int64_t run_want(struct actor *self)
{
	mutex_lock(&mutex);
	self->word = 1;
	mutex_unlock(&mutex);
	return 0;
}

static void a_thread_that_wants_a_mutex_is_diverted(void)
{
	mutex_lock(&mutex);
	actor_start(run_want, NULL);
	for (uint32_t i = 0; i < 20; i++) {
		await_waiting();
		divert(1);
		await_events(i + 1);
		CHECK_EQUAL(actor.word, 0);
	}
	mutex_unlock(&mutex);
	CHECK_EQUAL(actor_join().status, 0);
	CHECK_EQUAL(actor.word, 1);
}

/* --- Faults
 * ------------------------------------------------------------------------------------- */

/* Has the test make the page, by a word that both sleep for. */
static void ask_for_page(struct actor *self, struct event_record *record)
{
	self->word = 1;
	while (self->word == 1) {
		(void)thread_event_enter(&(struct ring_entry){ .op = CAP_OP_PARK,
				.interface = (uint64_t)(uintptr_t)&self->word, .msg_off = 1, .question = 50 });
	}
}

static int64_t run_read(struct actor *self)
{
	return (int64_t)*self->page;
}

static void a_fault_is_repaired_and_the_access_done_again(void)
{
	uint64_t address = 0;

	REQUIRE_OK(virtual_memory_reserve(world.memory, PAGE, 0, &address));
	actor.page = (volatile uint64_t *)(uintptr_t)address;
	actor_start(run_read, ask_for_page);
	await_events(1);
	CHECK_EQUAL(actor.last.kind, EVENT_KIND_FAULT);
	CHECK_EQUAL(actor.last.fault, CRASH_KIND_ACCESS_FAULT);
	CHECK_EQUAL(actor.last.vector, 14);
	CHECK_EQUAL(actor.last.address, address);
	CHECK_EQUAL(virtual_memory_commit(world.memory, address, PAGE, ACCESS_READ_WRITE), STATUS_OK);
	*(volatile uint64_t *)(uintptr_t)address = ANSWER;
	actor.word = 2;
	unpark((const uint32_t *)(uintptr_t)&actor.word, 1);
	CHECK_EQUAL(actor_join().status, ANSWER);
	CHECK_EQUAL(actor.events, 1);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
}

/* Behind the instruction, which has two bytes, with an answer in rax. */
static void skip_two(struct actor *self, struct event_record *record)
{
	record->registers[EVENT_RIP] += 2;
	record->registers[EVENT_RAX] = ANSWER;
}

static int64_t run_bad_instruction(struct actor *self)
{
	int64_t answer = 0;

	__asm__ volatile("ud2" : "+a"(answer));
	return answer;
}

static void a_bad_instruction_is_emulated(void)
{
	actor_start(run_bad_instruction, skip_two);
	CHECK_EQUAL(actor_join().status, ANSWER);
	CHECK_EQUAL(actor.last.fault, CRASH_KIND_ILLEGAL_INSTRUCTION);
}

/* Where a page is refused nobody has to die. */
static int64_t run_try_page(struct actor *self)
{
	int64_t answer = 0;

	/* mov (%rcx), %rax has three bytes. */
	__asm__ volatile("movq (%1), %0" : "+a"(answer) : "c"(self->page));
	return answer;
}

static void skip_three(struct actor *self, struct event_record *record)
{
	record->registers[EVENT_RIP] += 3;
	record->registers[EVENT_RAX] = ANSWER;
}

static void a_refused_page_is_an_event(void)
{
	struct memory_object_ref object = { 0 };
	struct pager_ref pager = { 0 };
	uint64_t address = 0, page = 1;

	REQUIRE_OK(object_factory_paged_memory(world.factory, PAGE, 4000 * MILLISECOND, &object, &pager));
	REQUIRE_OK(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0, PAGE, 0, ACCESS_READ,
			&address));
	actor.page = (volatile uint64_t *)(uintptr_t)address;
	actor_start(run_try_page, skip_three);
	CHECK_EQUAL(pager_next(pager, &page), STATUS_OK);
	CHECK_EQUAL(pager_refuse(pager, page), STATUS_OK);
	CHECK_EQUAL(actor_join().status, ANSWER);
	CHECK_EQUAL(actor.last.fault, CRASH_KIND_PAGE_MISSING);
	CHECK_EQUAL(actor.last.address, address);
	/* Nobody is left who could supply it; and a thread that waits for a page can be diverted. */
	actor.page = (volatile uint64_t *)(uintptr_t)address;
	actor_start(run_try_page, skip_three);
	CHECK_EQUAL(pager_next(pager, &page), STATUS_OK);
	divert(7);
	CHECK_EQUAL(actor_join().status, ANSWER);
	CHECK_EQUAL(actor.last.bits, 7);
	client_release(pager.ref);
	actor.page = (volatile uint64_t *)(uintptr_t)address;
	actor_start(run_try_page, skip_three);
	CHECK_EQUAL(actor_join().status, ANSWER);
	CHECK_EQUAL(actor.last.fault, CRASH_KIND_PAGE_MISSING);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
	client_release(object.ref);
}

/* --- Refusals and harm
 * -------------------------------------------------------------------------- */

static int64_t run_until_word(struct actor *self)
{
	while (!self->word)
		;
	return 0;
}

static void where_there_is_no_entry_nobody_is_diverted(void)
{
	struct ring_header *header;
	uint64_t entry;
	uint32_t record;

	actor_start(run_until_word, NULL);
	header = actor.registered.header;
	entry = header->event_entry;
	record = header->event_record;
	for (uint32_t i = 0; i < 6; i++) {
		static const struct { uint64_t entry; uint32_t record; } bad[] = { { 0, 0 }, { 0x800000000000ull, 0 },
			{ 0xffffffff80200000ull, 0 }, { 1, 4095 }, { 1, 8 }, { 1, UINT32_MAX - 8 } };

		header->event_entry = bad[i].entry == 1 ? entry : bad[i].entry;
		header->event_record = bad[i].record ? bad[i].record : record;
		CHECK_EQUAL(thread_handle_divert(actor.handle, 1), STATUS_FAILED);
		CHECK_EQUAL(reason_of(rt_detail()), REASON_STATE);
	}
	header->event_record = record;
	header->event_entry = entry;
	actor.word = 1;
	CHECK_EQUAL(actor_join().status, 0);
	CHECK_EQUAL(actor.events, 0);
}

/* Changes entry, record and mask all the time; the record is wherever it points to then. */
static int64_t run_tamper(struct actor *self)
{
	struct ring_header *header = ring_self()->header;
	const uint64_t entry = header->event_entry;
	const uint32_t record = header->event_record;
	struct chance chance = { 4711 };

	while (!self->word) {
		header->event_mask = 1;
		header->event_record = chance_below(&chance, 2) ? (uint32_t)chance_next(&chance) : record;
		header->event_entry = chance_below(&chance, 2) ? chance_next(&chance) : entry;
		header->event_bits = chance_next(&chance);
		header->event_record = record;
		header->event_entry = entry;
		header->event_mask = 0;
	}
	return 0;
}

static void a_header_that_changes_harms_nobody(void)
{
	uint32_t refused = 0;

	actor_start(run_tamper, NULL);
	for (uint32_t i = 0; i < STORM; i++)
		refused += thread_handle_divert(actor.handle, i) != STATUS_OK;
	kernel_check();
	actor.word = 1;
	CHECK_EQUAL(actor_join().status, 0);
	tap_note("%u of %u diversions refused", refused, STORM);
}

/* The children's part: ends by a crash, unless it answers. */
static void fault_again(struct actor *self, struct event_record *record)
{
	*(volatile uint64_t *)16 = 1;
}

static int64_t run_fault(struct actor *self)
{
	return (int64_t)*(volatile uint64_t *)8;
}

static void bad_resume(struct actor *self, struct event_record *record)
{
	record->registers[EVENT_RIP] = 0x800000000000ull;
	if (self->events > 5)
		thread_exit_now(8);
}

int event_role(const char *arg)
{
	uint64_t address = 0;
	struct thread_handle_ref self = { 0 };
	bool found = false;

	(void)thread_spawner_open(world.threads, ring_self()->header->thread_id, &found, &self);
	memset(&actor, 0, sizeof(actor));
	if (strcmp(arg, "handler-faults") == 0) {
		actor.run = run_fault;
		actor.on_event = fault_again;
		return (int)begin(&actor);
	}
	if (strcmp(arg, "resumes-nowhere") == 0) {
		actor.run = run_fault;
		actor.on_event = bad_resume;
		return (int)begin(&actor);
	}
	if (virtual_memory_reserve(world.memory, 2 * PAGE, 0, &address) != STATUS_OK)
		return 1;
	ring_self()->header->event_record = world.message_off;
	if (strcmp(arg, "entry-unmapped") == 0) {
		ring_self()->header->event_entry = address;
	} else {      /* no stack */
		actor.registered.handle = on_event;
		if (thread_events_begin(&actor.registered, actor.stack, sizeof(actor.stack)) != STATUS_OK)
			return 2;
		((struct event_record *)(void *)(ring_self()->words + actor.registered.record_off))->own[0] = address + PAGE;
	}
	return (int)thread_handle_divert(self, 1);
}

static struct child_end child_of(const char *arg)
{
	return child_finish(child_start(&(struct child_spec){ .role = "event", .arg = arg,
			.grants = { { "threads", OWN_THREADS }, { "timer", rt_id(world.timer.ref) }, { "memory", 0 } } }));
}

static void what_cannot_be_handled_ends_its_own_process(void)
{
	CHECK_EQUAL(child_of("handler-faults").state, PROCESS_STATE_CRASHED);
	CHECK_EQUAL(child_of("entry-unmapped").state, PROCESS_STATE_CRASHED);
	CHECK_EQUAL(child_of("no-stack").state, PROCESS_STATE_CRASHED);
	/* Each try is one more event, at the instruction that resumes: the handler has had enough of it. */
	CHECK_EQUAL(child_of("resumes-nowhere").status, 8);
}

static const struct test tests[] = {
	{ "a computing thread is diverted and loses nothing", a_computing_thread_is_diverted_and_loses_nothing },
	{ "a storm of diversions is weathered", a_storm_of_diversions_is_weathered },
	{ "a sleep ends when its thread is diverted", a_sleep_ends_when_its_thread_is_diverted },
	{ "a handler enters the kernel", a_handler_enters_the_kernel },
	{ "bits wait while a thread is masked", bits_wait_while_a_thread_is_masked },
	{ "a thread diverts itself", a_thread_diverts_itself },
	{ "a suspended thread is diverted when it is resumed", a_suspended_thread_is_diverted_when_it_is_resumed },
	{ "what a suspended thread holds it keeps", what_a_suspended_thread_holds_it_keeps },
	{ "a thread that wants a mutex is diverted", a_thread_that_wants_a_mutex_is_diverted },
	{ "a fault is repaired and the access done again", a_fault_is_repaired_and_the_access_done_again },
	{ "a bad instruction is emulated", a_bad_instruction_is_emulated },
	{ "a refused page is an event", a_refused_page_is_an_event },
	{ "where there is no entry nobody is diverted", where_there_is_no_entry_nobody_is_diverted },
	{ "a header that changes harms nobody", a_header_that_changes_harms_nobody },
	{ "what cannot be handled ends its own process", what_cannot_be_handled_ends_its_own_process },
};

TEST_LIST(event_tests, tests);
