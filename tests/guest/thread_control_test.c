/*
 * Threads in the hands of another: suspended wherever they are, resumed, and their registers written. Hostile values are
 * let loose in children, which may crash; the kernel may not.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "abi/syscall.h"
#include "rt/capability.h"
#include "rt/launch.h"
#include "rt/program.h"
#include "tests/guest/raw_thread.h"

#define PAGE        4096ull
#define MILLISECOND 1000000ull
#define SET_WORDS   112u
#define SETS_MAX    18u

static bool resume(struct raw *raw)
{
	bool suspended = true;

	CHECK_EQUAL(thread_handle_resume(raw->handle, &suspended), STATUS_OK);
	return suspended;
}

static void suspend(struct raw *raw)
{
	CHECK_EQUAL(thread_handle_suspend(raw->handle), STATUS_OK);
	CHECK_EQUAL(thread_condition_of(raw->handle), THREAD_CONDITION_SUSPENDED);
}

/* --- Suspended wherever it is ----------------------------------------------------------------- */

static void a_running_thread_is_suspended(void)
{
	struct raw *raw = raw_go(raw_new(0, raw_run_spin));

	raw_await_word(raw);
	for (uint32_t i = 0; i < 20; i++) {
		suspend(raw);
		CHECK(!raw_runs(raw));
		CHECK(!resume(raw));
		CHECK_EQUAL(thread_condition_of(raw->handle), THREAD_CONDITION_RUNNABLE);
	}
	CHECK(raw_runs(raw));
	kernel_check();
	raw_kill_and_join(raw);
}

static void a_thread_is_resumed_as_often_as_suspended(void)
{
	struct raw *raw = raw_go(raw_new(0, raw_run_spin));
	bool suspended;

	suspend(raw);
	suspend(raw);
	CHECK(resume(raw));
	CHECK(!raw_runs(raw));
	CHECK(!resume(raw));
	CHECK_EQUAL(thread_handle_resume(raw->handle, &suspended), STATUS_FAILED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_STATE);
	for (uint32_t i = 0; i < 255; i++)
		CHECK_EQUAL(thread_handle_suspend(raw->handle), STATUS_OK);
	CHECK_EQUAL(thread_handle_suspend(raw->handle), STATUS_FAILED);
	for (uint32_t i = 0; i < 254; i++)
		CHECK(resume(raw));
	CHECK(!resume(raw));
	CHECK(raw_runs(raw));
	raw_kill_and_join(raw);
}

static void many_are_suspended_at_once(void)
{
	struct thread_handle_suspend_call calls[4];

	for (uint32_t i = 0; i < ARRAY_LEN(calls); i++)
		(void)raw_go(raw_new(i, raw_run_spin));
	for (uint32_t i = 0; i < ARRAY_LEN(calls); i++)
		calls[i] = thread_handle_suspend_start(raws[i].handle);
	for (uint32_t i = 0; i < ARRAY_LEN(calls); i++) {
		CHECK_EQUAL(thread_handle_suspend_wait(&calls[i]), STATUS_OK);
		thread_handle_suspend_done(&calls[i]);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(calls); i++) {
		CHECK(!raw_runs(&raws[i]));
		raw_kill_and_join(&raws[i]);
	}
}

static void a_sleeper_wakes_and_does_not_run(void)
{
	uint32_t notification = notification_new();
	struct raw *raw = raw_go_entry(0, (struct ring_entry){ .op = CAP_OP_WAIT, .target = notification, .interface = 1 });
	struct raw *sleeper = raw_go(raw_new(1, raw_run_sleep));

	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	thread_await_condition(sleeper->handle, THREAD_CONDITION_WAITING);
	suspend(raw);
	suspend(sleeper);
	CHECK_EQUAL(rt_signal(notification, 1), STATUS_OK);
	CHECK(raw_interrupt(sleeper));
	CHECK(!raw_interrupt(sleeper));      /* it has no sleep any more */
	CHECK(!raw_runs(raw));
	CHECK_EQUAL(thread_condition_of(sleeper->handle), THREAD_CONDITION_SUSPENDED);
	kernel_check();
	CHECK(!resume(raw));
	CHECK(!resume(sleeper));
	CHECK_EQUAL(raw_join(raw).status, 5);
	CHECK_EQUAL(raw->status, STATUS_OK);
	CHECK_EQUAL(raw_join(sleeper).status, STATUS_INTERRUPTED);
	/* One whose sleep goes on. */
	raw = raw_go_entry(0, (struct ring_entry){ .op = CAP_OP_WAIT, .target = notification, .interface = 1 });
	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	suspend(raw);
	CHECK(!resume(raw));
	CHECK_EQUAL(thread_condition_of(raw->handle), THREAD_CONDITION_WAITING);
	CHECK_EQUAL(rt_signal(notification, 1), STATUS_OK);
	CHECK_EQUAL(raw_join(raw).status, 5);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void suspended_threads_are_killed(void)
{
	uint32_t notification = notification_new();
	struct raw *sleeps = raw_go_entry(0, (struct ring_entry){ .op = CAP_OP_WAIT, .target = notification, .interface = 1 });
	struct raw *runs = raw_go(raw_new(1, raw_run_spin));

	thread_await_condition(sleeps->handle, THREAD_CONDITION_WAITING);
	suspend(sleeps);
	suspend(runs);
	CHECK_EQUAL(thread_handle_kill(runs->handle, -3), STATUS_OK);
	CHECK_EQUAL(thread_handle_suspend(runs->handle), STATUS_FAILED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_STATE);
	raw_kill_and_join(runs);
	raw_kill_and_join(sleeps);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

/* Waits until it has been told its own handle; word 2: it goes on. */
static int64_t run_suspend_self(struct ring_header *header, struct raw *raw)
{
	const struct ring_entry yield = { .op = CAP_OP_YIELD };
	struct ring_entry call = { .op = CAP_OP_CALL, .interface = THREAD_HANDLE_INTERFACE_ID,
		.method = THREAD_HANDLE_METHOD_SUSPEND, .msg_off = RING_ARENA_WORD, .msg_words = 1,
		.reply_off = RING_ARENA_WORD + 8, .reply_words = 8 };

	while (!raw->word)
		(void)raw_perform(header, &yield);
	call.target = (uint32_t)raw->word;
	raw->status = raw_perform(header, &call);
	raw->word = 0;
	return 6;
}

static void a_thread_suspends_itself(void)
{
	struct raw *raw = raw_go(raw_new(0, run_suspend_self));

	raw->status = 1;
	raw->word = rt_id(raw->handle.ref);
	thread_await_condition(raw->handle, THREAD_CONDITION_SUSPENDED);
	sleep_ns(MILLISECOND);
	CHECK(raw->word != 0);
	CHECK(!resume(raw));
	CHECK_EQUAL(raw_join(raw).status, 6);
	CHECK_EQUAL(raw->status, STATUS_OK);
}

static uint32_t signalled;

static int64_t run_wait_again(struct ring_header *header, struct raw *raw)
{
	const struct ring_entry wait = { .op = CAP_OP_WAIT, .target = signalled, .interface = 1 };

	for (;;) {
		(void)raw_perform(header, &wait);
		raw->word++;
	}
}

/* Whether it is still on its way to sleep or sleeps already, whoever suspends it is answered. */
static void a_thread_that_goes_to_sleep_is_suspended(void)
{
	struct raw *raw;

	signalled = notification_new();
	raw = raw_go(raw_new(0, run_wait_again));
	for (uint32_t i = 0; i < 1000; i++) {
		CHECK_EQUAL(rt_signal(signalled, 1), STATUS_OK);
		for (volatile uint32_t turn = 0; turn < i % 100 * 100; turn++)
			continue;
		CHECK_EQUAL(thread_handle_suspend(raw->handle), STATUS_OK);
		CHECK(!resume(raw));
	}
	raw_kill_and_join(raw);
	CHECK_EQUAL(release(signalled), STATUS_OK);
}

static void a_suspended_threads_page_comes(void)
{
	struct memory_object_ref object = { 0 }, source = { 0 };
	struct pager_ref pager = { 0 };
	uint64_t address = 0, page = 1;
	struct raw *raw = raw_new(0, raw_run_touch);
	bool accepted = false;

	REQUIRE_OK(object_factory_paged_memory(world.factory, PAGE, 4000 * MILLISECOND, &object, &pager));
	REQUIRE_OK(object_factory_memory(world.factory, PAGE, &source));
	REQUIRE_OK(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0, PAGE, 0, ACCESS_READ,
			&address));
	raw->page = (volatile uint64_t *)(uintptr_t)address;
	(void)raw_go(raw);
	CHECK_EQUAL(pager_next(pager, &page), STATUS_OK);
	suspend(raw);
	CHECK_EQUAL(pager_supply(pager, page, memory_object_as_memory_view(source), 0, &accepted), STATUS_OK);
	CHECK(accepted);
	CHECK_EQUAL(thread_condition_of(raw->handle), THREAD_CONDITION_SUSPENDED);
	CHECK(!resume(raw));
	CHECK_EQUAL(raw_join(raw).status, 0);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
	client_release(object.ref);
	client_release(source.ref);
	client_release(pager.ref);
}

/* Who calls a suspended server waits for it: one that stands by for direct calls, too. */
static void callers_wait_for_a_suspended_server(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct ring_entry call = raw_call(export);
	struct raw *server, *caller;

	call.msg_off = RING_ARENA_WORD + 64;
	call.msg_words = 1;
	for (uint32_t round = 0; round < 2; round++) {
		server = raw_go_entry(0, raw_recv(endpoint));
		thread_await_condition(server->handle, THREAD_CONDITION_WAITING);
		suspend(server);
		caller = raw_go_entry(1, call);
		thread_await_condition(caller->handle, THREAD_CONDITION_WAITING);
		CHECK(!raw_runs(server));
		CHECK_EQUAL(info_in_service(endpoint), 1);
		/* The caller as well, when it is answered. */
		suspend(caller);
		CHECK(!resume(server));
		CHECK_EQUAL(raw_join(server).status, 5);
		/* Slot 1 of a new endpoint; the second call is given up. */
		if (round == 0)
			CHECK_EQUAL(perform(entry_return(endpoint, 1)).status, STATUS_OK);
		else
			CHECK(raw_interrupt(caller));
		CHECK(!raw_runs(caller));
		CHECK(!resume(caller));
		CHECK_EQUAL(raw_join(caller).status, 5);
		CHECK_EQUAL(caller->status, round == 0 ? STATUS_OK : STATUS_INTERRUPTED);
	}
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

#define BATCH 32u

/* Hands over one batch after the other, of unparks of a word that nobody sleeps for. */
static int64_t run_batches(struct ring_header *header, struct raw *raw)
{
	struct ring_entry *entries = (struct ring_entry *)(void *)((uint8_t *)header + header->sq_off);
	uint32_t tail = header->sq_tail;

	for (;;) {
		for (uint32_t i = 0; i < BATCH; i++) {
			entries[tail++ % header->sq_entries] = (struct ring_entry){ .op = CAP_OP_UNPARK,
				.interface = (uint64_t)(uintptr_t)&raw->status, .msg_off = 1 };
		}
		header->sq_tail = tail;
		if (cap_enter(0, 0, 0) != BATCH || header->sq_head != tail)
			return 1;
		header->cq_head = header->cq_tail;
		raw->word++;
	}
}

/* Between any two entries of a batch others may come in, and suspend or kill who handed it over. */
static void a_thread_is_stopped_between_two_entries(void)
{
	struct raw *raw = NULL;

	for (uint32_t i = 0; i < 30; i++) {
		raw = raw_go(raw_new(0, run_batches));
		raw_await_word(raw);
		for (uint32_t j = 0; j < 20; j++) {
			suspend(raw);
			CHECK(!resume(raw));
		}
		raw_kill_and_join(raw);
	}
	kernel_check();
}

/* One that runs on a budget gives its context up meanwhile. */
static void a_thread_on_a_budget_is_suspended(void)
{
	struct scheduling_control_ref control = { rt_ref(grant_id("scheduling")) };
	struct scheduling_context_ref context = { 0 };
	struct raw *raw = raw_go(raw_new(0, raw_run_spin));

	REQUIRE_OK(scheduling_control_create(control, 2 * MILLISECOND, 10 * MILLISECOND, 0, &context));
	CHECK_EQUAL(scheduling_context_bind(context, raw->handle.ref), STATUS_OK);
	raw_await_word(raw);
	for (uint32_t i = 0; i < 10; i++) {
		suspend(raw);
		kernel_check();
		CHECK(!raw_runs(raw));
		CHECK(!resume(raw));
		sleep_ns(3 * MILLISECOND);      /* it waits for its budget, too */
	}
	suspend(raw);
	CHECK_EQUAL(scheduling_context_unbind(context), STATUS_OK);
	CHECK(!raw_runs(raw));
	CHECK(!resume(raw));
	CHECK(raw_runs(raw));
	raw_kill_and_join(raw);
	client_release(context.ref);
}

/* --- Registers ---------------------------------------------------------------------------------- */

struct set {
	const char *name;
	uint64_t value;
};

static status_t registers_set(struct thread_handle_ref handle, const struct set *sets, uint32_t count)
{
	struct thread_handle_set_registers_params_builder params;
	struct thread_handle_set_registers_call call =
			thread_handle_set_registers_begin_sized(handle, SET_WORDS, &params);
	struct capnp_list_builder rows = thread_handle_set_registers_params_init_registers(params, count);
	status_t status;

	for (uint32_t i = 0; i < count; i++) {
		register_set_name(register_builder_at(rows, i), capnp_text(sets[i].name));
		register_set_value(register_builder_at(rows, i), sets[i].value);
	}
	thread_handle_set_registers_send(&call);
	status = thread_handle_set_registers_wait(&call);
	thread_handle_set_registers_done(&call);
	return status;
}

static status_t register_set(struct thread_handle_ref handle, const char *name, uint64_t value)
{
	return registers_set(handle, &(struct set){ name, value }, 1);
}

/* Where a thread is sent. */
static void land(struct raw *raw, uint64_t value)
{
	raw->word = value;
	thread_exit_now(9);
}

static status_t send_to_land(struct raw *raw, uint64_t value)
{
	const struct set sets[] = { { "rip", (uint64_t)(uintptr_t)land }, { "rdi", (uint64_t)(uintptr_t)raw },
		{ "rsi", value }, { "rsp", (uint64_t)(uintptr_t)&raw->stack[STACK_WORDS - 1] } };

	return registers_set(raw->handle, sets, ARRAY_LEN(sets));
}

static void a_thread_is_sent_elsewhere(void)
{
	struct raw *runs = raw_go(raw_new(0, raw_run_spin)), *sleeps = raw_go(raw_new(1, raw_run_sleep));

	raw_await_word(runs);
	CHECK_EQUAL(send_to_land(runs, 1), STATUS_FAILED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_STATE);
	suspend(runs);
	CHECK_EQUAL(send_to_land(runs, 0x1234567890abcdefull), STATUS_OK);
	CHECK(!resume(runs));
	CHECK_EQUAL(raw_join(runs).status, 9);
	CHECK_EQUAL(runs->word, 0x1234567890abcdefull);
	/* From a system call only when that has ended. */
	thread_await_condition(sleeps->handle, THREAD_CONDITION_WAITING);
	suspend(sleeps);
	CHECK_EQUAL(send_to_land(sleeps, 2), STATUS_FAILED);
	CHECK(raw_interrupt(sleeps));
	CHECK_EQUAL((int64_t)thread_register(sleeps->handle, "rax"), STATUS_INTERRUPTED);
	CHECK_EQUAL(send_to_land(sleeps, 2), STATUS_OK);
	CHECK(!resume(sleeps));
	CHECK_EQUAL(raw_join(sleeps).status, 9);
	CHECK_EQUAL(sleeps->word, 2);
}

static void all_registers_are_set(void)
{
	static const char *const names[] = { "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		"r12", "r13", "r14", "r15" };
	struct set sets[ARRAY_LEN(names)];
	struct raw *raw = raw_go(raw_new(0, raw_run_spin));
	uint64_t rip;

	raw_await_word(raw);
	suspend(raw);
	rip = thread_register(raw->handle, "rip");
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		sets[i] = (struct set){ names[i], 0xfedcba9876543200ull + i };
	CHECK_EQUAL(registers_set(raw->handle, sets, ARRAY_LEN(sets)), STATUS_OK);
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		CHECK_EQUAL(thread_register(raw->handle, names[i]), sets[i].value);
	/* One bad row, and nothing has changed. */
	sets[3].name = "fs_base";
	sets[2].value = 1;
	CHECK_EQUAL(registers_set(raw->handle, sets, ARRAY_LEN(sets)), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(thread_register(raw->handle, "rax"), 0xfedcba9876543202ull);
	CHECK_EQUAL(register_set(raw->handle, "cr3", 0), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(register_set(raw->handle, "", 0), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(registers_set(raw->handle, NULL, 0), STATUS_OK);
	CHECK_EQUAL(thread_register(raw->handle, "rip"), rip);
	raw_kill_and_join(raw);
}

#define FLAG_ONE  (1ull << 1)
#define FLAG_IF   (1ull << 9)
#define FLAGS_OWN 0x240dd5ull

static void only_a_programs_own_flags_are_set(void)
{
	struct raw *raw = raw_go(raw_new(0, raw_run_spin));

	raw_await_word(raw);
	suspend(raw);
	for (uint32_t bit = 0; bit < 64; bit++) {
		CHECK_EQUAL(register_set(raw->handle, "rflags", 1ull << bit), STATUS_OK);
		CHECK_EQUAL(thread_register(raw->handle, "rflags"), (1ull << bit & FLAGS_OWN) | FLAG_ONE | FLAG_IF);
	}
	CHECK_EQUAL(register_set(raw->handle, "rflags", UINT64_MAX & ~(1ull << 8)), STATUS_OK);
	CHECK_EQUAL(thread_register(raw->handle, "rflags"), (FLAGS_OWN & ~(1ull << 8)) | FLAG_ONE | FLAG_IF);
	CHECK(!resume(raw));
	CHECK(raw_runs(raw));
	raw_kill_and_join(raw);
}

static void an_instruction_pointer_of_nobodys_is_refused(void)
{
	static const uint64_t bad[] = { 0x7ffffffff000ull, 0x7fffffffffffull, 0x800000000000ull, 0xffff800000000000ull,
		0xffffffff80200000ull, UINT64_MAX };
	struct raw *raw = raw_go(raw_new(0, raw_run_spin));
	uint64_t rip;

	raw_await_word(raw);
	suspend(raw);
	rip = thread_register(raw->handle, "rip");
	for (uint32_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_EQUAL(register_set(raw->handle, "rip", bad[i]), STATUS_INVALID_ARGUMENT);
		CHECK_EQUAL(thread_register(raw->handle, "rip"), rip);
	}
	CHECK(!resume(raw));
	CHECK(raw_runs(raw));
	raw_kill_and_join(raw);
}

/* --- Children ----------------------------------------------------------------------------------- */

static const struct set hostile[] = {
	{ "rip", 0 }, { "rip", 0x7fffffffefffull }, { "rip", 0x10000 }, { "rflags", UINT64_MAX }, { "rflags", 1ull << 8 },
	{ "rsp", 0 }, { "rsp", 0x7ffffffff000ull }, { "rsp", 0x800000000000ull }, { "rsp", 0xffff800000000000ull },
	{ "rsp", 0xffffffff80200000ull }, { "rsp", UINT64_MAX },
};

/* The children's part: no checks, only a status. */
int thread_control_role(const char *arg)
{
	uint64_t number = number_of(arg);
	struct raw *raw = raw_new(0, raw_run_spin);

	if (number < ARRAY_LEN(hostile)) {
		if (raw_spawn_try(raw, 0) != STATUS_OK || thread_handle_suspend(raw->handle) != STATUS_OK ||
				register_set(raw->handle, hostile[number].name, hostile[number].value) != STATUS_OK)
			return 1;
		(void)thread_handle_resume(raw->handle, NULL);
		sleep_ns(20 * MILLISECOND);
		return 0;
	}
	/* All of its threads, the last one by itself. */
	if (raw_spawn_try(raw, 0) != STATUS_OK || thread_handle_suspend(raw->handle) != STATUS_OK)
		return 1;
	(void)rt_signal(grant_id("notification"), 1);
	(void)thread_handle_suspend(thread_own_handle());
	return 2;
}

static struct process_handle_ref child_of(const char *arg, uint32_t notification)
{
	const struct launch_limit limit = { RESOURCE_CLASS_THREADS, 4 };

	return child_start(&(struct child_spec){ .role = "thread-control", .arg = arg, .limits = &limit, .limit_count = 1,
			.grants = { { "threads", OWN_THREADS }, { "notification", notification },
					{ "timer", rt_id(world.timer.ref) }, { "memory", 0 } } });
}

/* Whatever a register holds, at most its own process falls. */
static void hostile_registers_harm_nobody_else(void)
{
	uint32_t notification = notification_new(), crashed = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(hostile); i++) {
		const char digits[] = { (char)('0' + i / 10), (char)('0' + i % 10), 0 };
		struct child_end end = child_finish(child_of(digits, notification));

		crashed += end.state == PROCESS_STATE_CRASHED;
		CHECK(end.state == PROCESS_STATE_CRASHED || (end.state == PROCESS_STATE_EXITED && end.status == 0));
	}
	CHECK(crashed >= 5);      /* where no instruction is, and the trap flag */
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void a_process_that_is_all_suspended_is_killed(void)
{
	uint32_t notification = notification_new();
	struct process_handle_ref child = child_of("99", notification);
	uint64_t bits = 0;

	CHECK_EQUAL(rt_wait_bits(notification, 1, &bits), STATUS_OK);
	sleep_ns(5 * MILLISECOND);
	kernel_check();
	child_kill(child);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static const struct test tests[] = {
	{ "a running thread is suspended", a_running_thread_is_suspended },
	{ "a thread is resumed as often as suspended", a_thread_is_resumed_as_often_as_suspended },
	{ "many are suspended at once", many_are_suspended_at_once },
	{ "a suspended sleeper wakes and does not run", a_sleeper_wakes_and_does_not_run },
	{ "suspended threads are killed", suspended_threads_are_killed },
	{ "a thread that goes to sleep is suspended", a_thread_that_goes_to_sleep_is_suspended },
	{ "a thread suspends itself", a_thread_suspends_itself },
	{ "a suspended thread's page comes", a_suspended_threads_page_comes },
	{ "callers wait for a suspended server", callers_wait_for_a_suspended_server },
	{ "a thread is stopped between two entries", a_thread_is_stopped_between_two_entries },
	{ "a thread on a budget is suspended", a_thread_on_a_budget_is_suspended },
	{ "a thread is sent elsewhere", a_thread_is_sent_elsewhere },
	{ "all registers are set", all_registers_are_set },
	{ "only a program's own flags are set", only_a_programs_own_flags_are_set },
	{ "an instruction pointer of nobody's is refused", an_instruction_pointer_of_nobodys_is_refused },
	{ "hostile registers harm nobody else", hostile_registers_harm_nobody_else },
	{ "a process that is all suspended is killed", a_process_that_is_all_suspended_is_killed },
};

TEST_LIST(thread_control_tests, tests);
