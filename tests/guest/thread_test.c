/*
 * Threads: making, joining, killing them wherever they are, and what the last one's end means.
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

/* --- What threads do -------------------------------------------------------------------------- */

static int64_t run_identity(struct ring_header *header, struct raw *raw)
{
	uint64_t fs_base, gs_base;

	__asm__ volatile("rdfsbase %0" : "=r"(fs_base));
	__asm__ volatile("rdgsbase %0" : "=r"(gs_base));
	raw->word = fs_base;
	raw->status = gs_base == (uint64_t)(uintptr_t)header && header->address == gs_base &&
			header->process_id == world.process_id;
	return -7;
}

/* Puts its own words into both bases, a kernel address among them, and lets others run meanwhile. */
static int64_t run_bases(struct ring_header *header, struct raw *raw)
{
	const struct ring_entry yield = { .op = CAP_OP_YIELD };
	uint64_t wanted = raw->word, fs_base = 0;
	int64_t wrong = 0;

	__asm__ volatile("wrfsbase %0" : : "r"(wanted));
	__asm__ volatile("wrgsbase %0" : : "r"(wanted));
	for (uint32_t i = 0; i < 20; i++) {
		(void)raw_perform(header, &yield);
		__asm__ volatile("rdfsbase %0" : "=r"(fs_base));
		wrong += fs_base != wanted;
	}
	return wrong;
}

/* Waits until it has been told its own handle. */
static int64_t run_kill_self(struct ring_header *header, struct raw *raw)
{
	const struct ring_entry yield = { .op = CAP_OP_YIELD };
	struct ring_entry kill = { .op = CAP_OP_CALL, .interface = THREAD_HANDLE_INTERFACE_ID,
		.method = THREAD_HANDLE_METHOD_KILL, .msg_off = RING_ARENA_WORD, .msg_words = 1,
		.reply_off = RING_ARENA_WORD + 8, .reply_words = 8 };

	while (!raw->word)
		(void)raw_perform(header, &yield);
	kill.target = (uint32_t)raw->word;
	raw->status = 0;
	raw->status = 1 + raw_perform(header, &kill);
	return 5;
}

/* --- What tests do with them ------------------------------------------------------------------ */

/* A call of join that stays on a seat. */
static struct ring_entry entry_join(struct thread_handle_ref handle, uint16_t question)
{
	struct ring_entry entry = entry_call(rt_id(handle.ref), question);

	entry.interface = THREAD_HANDLE_INTERFACE_ID;
	entry.method = THREAD_HANDLE_METHOD_JOIN;
	entry.msg_off = world.message_off;
	entry.msg_words = 1;
	message()[0] = 0;
	return entry;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void a_thread_runs_with_its_own_ring_and_tls(void)
{
	struct raw *raw = raw_new(0, run_identity);
	struct child_end end;

	REQUIRE_OK(raw_spawn_try(raw, 0x123456789000ull));
	end = raw_join(raw);
	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, -7);
	CHECK_EQUAL(raw->word, 0x123456789000ull);
	CHECK_EQUAL(raw->status, 1);
	CHECK(raw->thread_id != ring_self()->header->thread_id);
}

static void a_thread_tells_about_itself(void)
{
	struct raw *raw = raw_go_entry(0, (struct ring_entry){ .op = CAP_OP_YIELD });
	struct thread_handle_ref none = { 0 };
	struct thread_info info;
	bool found = true;

	thread_await_condition(raw->handle, THREAD_CONDITION_ENDED);
	CHECK_EQUAL(thread_handle_rename(raw->handle, capnp_text("worker")), STATUS_OK);
	CHECK_EQUAL(thread_handle_rename(raw->handle, capnp_text("a b")), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(thread_handle_rename(raw->handle, capnp_text("0123456789012345678901234567890x")),
			STATUS_INVALID_ARGUMENT);
	info = thread_info_of(raw->handle);
	CHECK(info.is_worker);
	CHECK_EQUAL(info.thread_id, raw->thread_id);
	CHECK_EQUAL(info.process_id, world.process_id);
	CHECK_EQUAL(thread_spawner_open(world.threads, info.thread_id, &found, &none), STATUS_OK);
	CHECK(!found);
	(void)raw_join(raw);
}

static void many_may_join(void)
{
	uint32_t notification = notification_new();
	struct ring_entry wait = { .op = CAP_OP_WAIT, .target = notification, .interface = 1 };
	struct raw *raw = raw_go_entry(0, wait);
	struct ring_entry death = entry_of(CAP_OP_WAIT, rt_id(raw->handle.ref));

	death.flags = ENTRY_DEATH;
	death.question = Q0 + 3;
	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	for (uint16_t i = 0; i < 3; i++)
		start(entry_join(raw->handle, (uint16_t)(Q0 + i)));
	start(death);
	CHECK(!is_done(Q0) && !is_done(Q0 + 3));
	CHECK_EQUAL(perform(entry_cancel(Q0 + 1)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_CANCELLED);
	CHECK_EQUAL(rt_signal(notification, 1), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 3).status, STATUS_OK);
	CHECK_EQUAL(raw->status, STATUS_OK);
	CHECK_EQUAL(raw_join(raw).status, 5);      /* again, when it is gone */
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void a_notification_hears_of_the_end(void)
{
	struct notification_ref notification = { rt_ref(notification_new()) };
	struct raw *raw = raw_go(raw_new(0, raw_run_sleep));
	struct binding_ref binding = { 0 };
	uint64_t bits = 0;

	REQUIRE_OK(signal_bind_end(notification_as_signal(notification), 4, raw->handle.ref, &binding));
	CHECK_EQUAL(thread_handle_kill(raw->handle, 0), STATUS_OK);
	CHECK_EQUAL(rt_wait_bits(rt_id(notification.ref), 4, &bits), STATUS_OK);
	CHECK_EQUAL(bits, 4);
	(void)raw_join(raw);
	client_release(binding.ref);
	client_release(notification.ref);
}

static void a_thread_cannot_join_itself(void)
{
	struct thread_handle_ref self = thread_own_handle();
	struct child_end end;
	struct raw *raw = raw_new(0, raw_run_entry);

	CHECK_EQUAL(raw_join_status(self, &end), STATUS_WOULD_DEADLOCK);
	/* Another thread of the process may. */
	raw->entry = entry_join(self, 0);
	raw->entry.reply_off = raw->entry.msg_off = RING_ARENA_WORD;
	(void)raw_go(raw);
	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	raw_kill_and_join(raw);
	client_release(self.ref);
}

static void a_detached_thread_is_not_joined(void)
{
	struct raw *raw = raw_go(raw_new(0, raw_run_sleep));
	struct child_end end;

	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	start(entry_join(raw->handle, Q0));
	CHECK(!is_done(Q0));
	CHECK_EQUAL(thread_handle_detach(raw->handle), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_FAILED);
	CHECK_EQUAL(thread_handle_detach(raw->handle), STATUS_FAILED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_STATE);
	CHECK_EQUAL(raw_join_status(raw->handle, &end), STATUS_FAILED);
	CHECK_EQUAL(thread_handle_kill(raw->handle, 0), STATUS_OK);
	CHECK_EQUAL(thread_handle_kill(raw->handle, 0), STATUS_OK);
	CHECK_EQUAL(rt_wait_end(rt_id(raw->handle.ref)), STATUS_OK);
	client_release(raw->handle.ref);
}

static void an_unwatched_thread_leaves_nothing(void)
{
	struct raw *raw = raw_new(0, raw_run_entry);

	raw->entry = (struct ring_entry){ .op = CAP_OP_YIELD };
	(void)raw_go(raw);
	client_release(raw->handle.ref);
	for (uint32_t i = 0; i < 1000 && !raw->word; i++)
		sleep_ns(MILLISECOND / 10);
	CHECK_EQUAL(raw->word, 1);
}

/* --- Killed wherever it is -------------------------------------------------------------------- */

static void a_thread_is_killed_while_it_runs(void)
{
	struct raw *raw = raw_go(raw_new(0, raw_run_spin));

	for (uint32_t i = 0; i < 1000 && !raw->word; i++)
		sleep_ns(MILLISECOND);
	CHECK(raw->word > 0);
	CHECK_EQUAL(thread_condition_of(raw->handle), THREAD_CONDITION_RUNNABLE);
	CHECK(thread_info_of(raw->handle).cpu_ns > 0);
	raw_kill_and_join(raw);
}

static void a_thread_is_killed_in_every_wait(void)
{
	uint32_t notification = notification_new();
	struct ring_entry wait = { .op = CAP_OP_WAIT, .target = notification, .interface = 1 };
	struct ring_entry sleep = { .op = CAP_OP_CALL, .target = rt_id(world.timer.ref),
		.interface = TIMER_INTERFACE_ID, .method = TIMER_METHOD_SLEEP_UNTIL, .msg_off = RING_ARENA_WORD,
		.reply_off = RING_ARENA_WORD + 8, .reply_words = 8, .msg_words = 1 };
	struct raw *in_bits = raw_go_entry(0, wait), *in_completions = raw_go(raw_new(1, raw_run_sleep));
	struct raw *in_sleep = raw_go_entry(2, sleep);

	thread_await_condition(in_bits->handle, THREAD_CONDITION_WAITING);
	thread_await_condition(in_completions->handle, THREAD_CONDITION_WAITING);
	kernel_check();
	raw_kill_and_join(in_bits);
	raw_kill_and_join(in_completions);
	(void)raw_join(in_sleep);      /* until time 0, which has passed */
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void a_thread_is_killed_while_it_waits_for_a_page(void)
{
	struct memory_object_ref object = { 0 };
	struct pager_ref pager = { 0 };
	uint64_t address = 0;
	struct raw *raw = raw_new(0, raw_run_touch);

	REQUIRE_OK(object_factory_paged_memory(world.factory, PAGE, 4000 * MILLISECOND, &object, &pager));
	REQUIRE_OK(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0, PAGE, 0, ACCESS_READ,
			&address));
	raw->page = (volatile uint64_t *)(uintptr_t)address;
	(void)raw_go(raw);
	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	raw_kill_and_join(raw);
	CHECK_EQUAL(virtual_memory_unmap(world.memory, address, PAGE), STATUS_OK);
	client_release(object.ref);
	client_release(pager.ref);
}

static void a_thread_kills_itself(void)
{
	struct raw *raw = raw_new(0, run_kill_self);
	struct child_end end;

	(void)raw_go(raw);
	raw->word = rt_id(raw->handle.ref);
	end = raw_join(raw);
	CHECK_EQUAL(end.state, PROCESS_STATE_KILLED);
	CHECK_EQUAL(raw->status, 0);
}

/* --- In calls --------------------------------------------------------------------------------- */

/* A thread whose call, *id, this one has received; it receives again, for what is told of that. */
static struct raw *raw_in_call(uint32_t endpoint, uint32_t export, uint32_t *id)
{
	struct raw *raw;

	start(entry_recv(endpoint, Q0));
	raw = raw_go_entry(0, raw_call(export));
	*id = finish(Q0).id;
	start(entry_recv(endpoint, Q0));
	return raw;
}

static void a_client_thread_dies_in_its_call(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false), id;
	struct raw *raw = raw_in_call(endpoint, export, &id);

	raw_kill_and_join(raw);
	CHECK_EQUAL(finish(Q0).id, id);
	CHECK_EQUAL(seat_header(Q0)->kind, RECV_KIND_CANCELLED);
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_GONE);
	/* And one that waits in the queue. */
	raw = raw_go_entry(0, raw_call(export));
	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	CHECK_EQUAL(info_pending(endpoint), 1);
	raw_kill_and_join(raw);
	CHECK_EQUAL(info_pending(endpoint), 0);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Its calls stay with the process: any thread may return them. */
static void a_server_thread_dies_with_a_call_in_service(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct raw *server = raw_new(0, raw_run_entry);

	server->entry = raw_recv(endpoint);
	(void)raw_go(server);
	thread_await_condition(server->handle, THREAD_CONDITION_WAITING);
	start(entry_call(export, Q0));
	CHECK_EQUAL(raw_join(server).status, 5);
	CHECK_EQUAL(server->status, STATUS_OK);
	CHECK_EQUAL(info_in_service(endpoint), 1);
	CHECK(!is_done(Q0));
	/* The first call's id: slot 1 of a new endpoint. */
	CHECK_EQUAL(perform(entry_return(endpoint, 1)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void a_receiving_thread_dies_and_another_receives(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false), id;
	struct raw *server = raw_go_entry(0, raw_recv(endpoint));

	thread_await_condition(server->handle, THREAD_CONDITION_WAITING);
	raw_kill_and_join(server);
	start(entry_call(export, Q0));
	CHECK_EQUAL(info_pending(endpoint), 1);
	start(entry_recv(endpoint, Q0 + 1));
	id = finish(Q0 + 1).id;
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* A synchronous call to the own process is no deadlock where another thread can serve it. */
static void a_thread_calls_another_of_its_process(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct raw *client;
	uint32_t id;

	client = raw_go_entry(0, raw_call(export));
	thread_await_condition(client->handle, THREAD_CONDITION_WAITING);
	start(entry_recv(endpoint, Q0));
	id = finish(Q0).id;
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_OK);
	CHECK_EQUAL(raw_join(client).status, 5);
	CHECK_EQUAL(client->status, STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* --- Interrupted ------------------------------------------------------------------------------ */

static void a_sleep_is_interrupted(void)
{
	uint32_t notification = notification_new();
	struct ring_entry wait = { .op = CAP_OP_WAIT, .target = notification, .interface = 1 };
	struct raw *in_completions = raw_go(raw_new(0, raw_run_sleep)), *in_bits = raw_go_entry(1, wait);
	struct raw *runs = raw_go(raw_new(2, raw_run_spin));

	thread_await_condition(in_completions->handle, THREAD_CONDITION_WAITING);
	thread_await_condition(in_bits->handle, THREAD_CONDITION_WAITING);
	CHECK(raw_interrupt(in_completions) && raw_interrupt(in_bits) && !raw_interrupt(runs));
	CHECK_EQUAL(raw_join(in_completions).status, STATUS_INTERRUPTED);
	CHECK_EQUAL(raw_join(in_bits).status, 5);
	CHECK_EQUAL(in_bits->status, STATUS_INTERRUPTED);
	/* The bits are not lost to it. */
	CHECK_EQUAL(rt_signal(notification, 1), STATUS_OK);
	CHECK_EQUAL(perform_sync((struct ring_entry){ .op = CAP_OP_WAIT, .target = notification, .interface = 1,
				    .question = Q0 })
				    .detail,
			1);
	raw_kill_and_join(runs);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void a_call_is_interrupted(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false), id;
	struct raw *raw = raw_in_call(endpoint, export, &id);

	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	CHECK(raw_interrupt(raw));
	CHECK_EQUAL(finish(Q0).id, id);
	CHECK_EQUAL(seat_header(Q0)->kind, RECV_KIND_CANCELLED);
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_GONE);
	CHECK_EQUAL(raw_join(raw).status, 5);
	CHECK_EQUAL(raw->status, STATUS_INTERRUPTED);
	/* A receiver, which then can receive again. */
	raw = raw_go_entry(0, raw_recv(endpoint));
	thread_await_condition(raw->handle, THREAD_CONDITION_WAITING);
	CHECK(raw_interrupt(raw));
	CHECK_EQUAL(raw_join(raw).status, 5);
	CHECK_EQUAL(raw->status, STATUS_INTERRUPTED);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static bool is_on_stack(uint64_t address, const struct raw *raw)
{
	return address > (uint64_t)(uintptr_t)raw->stack && address <= (uint64_t)(uintptr_t)(raw->stack + STACK_WORDS);
}

static void registers_can_be_looked_at(void)
{
	struct raw *runs = raw_go(raw_new(0, raw_run_spin)), *sleeps = raw_go(raw_new(1, raw_run_sleep));
	uint64_t before = 0;

	thread_await_condition(sleeps->handle, THREAD_CONDITION_WAITING);
	for (uint32_t i = 0; i < 1000 && !runs->word; i++)
		sleep_ns(MILLISECOND);
	for (uint32_t i = 0; i < 5; i++) {
		CHECK(is_on_stack(thread_register(runs->handle, "rsp"), runs));
		CHECK_EQUAL(thread_register(runs->handle, "rip") - (uint64_t)(uintptr_t)raw_run_spin < 256, true);
		CHECK(is_on_stack(thread_register(sleeps->handle, "rsp"), sleeps));
	}
	/* It goes on. */
	before = runs->word;
	for (uint32_t i = 0; i < 1000 && runs->word == before; i++)
		sleep_ns(MILLISECOND);
	CHECK(runs->word != before);
	CHECK_EQUAL(thread_handle_kill(runs->handle, 0), STATUS_OK);
	CHECK_EQUAL(thread_register(runs->handle, "rip"), 0);
	(void)raw_join(runs);
	raw_kill_and_join(sleeps);
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void a_bad_start_is_refused(void)
{
	const uint64_t code = (uint64_t)(uintptr_t)raw_run_spin, stack = (uint64_t)(uintptr_t)&raws[0].stack[8];
	const uint64_t kernel = 0xffffffff80000000ull, odd = 0x800000000000ull;
	struct thread_handle_ref handle;

	CHECK_EQUAL(raw_spawn_at(kernel, stack, 0, 0, capnp_text("x"), &handle), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(raw_spawn_at(0, stack, 0, 0, capnp_text("x"), &handle), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(raw_spawn_at(code, kernel, 0, 0, capnp_text("x"), &handle), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(raw_spawn_at(code, odd + 1, 0, 0, capnp_text("x"), &handle), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(raw_spawn_at(code, stack, 0, kernel, capnp_text("x"), &handle), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(raw_spawn_at(code, stack, 0, odd, capnp_text("x"), &handle), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(class_of(rt_detail()), 3);
	CHECK_EQUAL(raw_spawn_at(code, stack, 0, 0, capnp_text("a\nb"), &handle), STATUS_INVALID_ARGUMENT);
}

static void tls_is_each_threads_own(void)
{
	struct raw *low = raw_new(0, run_bases), *high = raw_new(1, run_bases);

	low->word = 0x7000;
	high->word = 0xffffffff80001000ull;      /* a kernel address, which the processor lets it hold */
	(void)raw_go(low);
	(void)raw_go(high);
	CHECK_EQUAL(raw_join(low).status, 0);
	CHECK_EQUAL(raw_join(high).status, 0);
}

/* --- Processes of several threads ------------------------------------------------------------- */

static struct child_spec threads_spec(const char *arg, uint32_t endpoint, struct launch_limit *limit)
{
	*limit = (struct launch_limit){ RESOURCE_CLASS_THREADS, 6 };
	return (struct child_spec){ .role = "threads", .arg = arg, .limits = limit, .limit_count = 1,
		.grants = { { "threads", OWN_THREADS }, { "endpoint", endpoint }, { "timer", rt_id(world.timer.ref) },
				{ "memory", 0 } } };
}

static struct child_end run_child(const char *arg)
{
	uint32_t endpoint = endpoint_new();
	struct launch_limit limit;
	struct child_spec spec = threads_spec(arg, endpoint, &limit);
	struct child_end end = child_finish(child_start(&spec));

	CHECK_EQUAL(release(endpoint), STATUS_OK);
	return end;
}

/* The children's part: no checks, only a status. */
int threads_role(const char *arg)
{
	uint32_t endpoint = grant_id("endpoint"), count = 0;

	if (strcmp(arg, "last") == 0) {
		struct raw *raw = raw_new(0, raw_run_entry);

		/* The second thread waits for the end of the first. */
		raw->entry = entry_of(CAP_OP_WAIT, rt_id(thread_own_handle().ref));
		raw->entry.flags = ENTRY_DEATH;
		if (raw_spawn_try(raw, 0) != STATUS_OK)
			return 1;
		thread_exit_now(77);
	}
	if (strcmp(arg, "alone") == 0)
		thread_exit_now(78);
	if (strcmp(arg, "crash") == 0) {
		struct raw *raw = raw_new(0, raw_run_touch);

		return raw_spawn_try(raw, 0) == STATUS_OK ? (int)cap_enter(0, 1, 0) : 1;
	}
	if (strcmp(arg, "limit") == 0) {
		while (count < RAWS && raw_spawn_try(raw_new(count, raw_run_sleep), 0) == STATUS_OK)
			count++;
		if (count != 5 || reason_of(rt_detail()) != REASON_LEDGER || class_of(rt_detail()) != RESOURCE_CLASS_THREADS)
			return 2;
		for (uint32_t i = 0; i < count; i++) {
			if (thread_handle_kill(raws[i].handle, 0) != STATUS_OK ||
					rt_wait_end(rt_id(raws[i].handle.ref)) != STATUS_OK)
				return 3;
			client_release(raws[i].handle.ref);
		}
		/* All of it came back. */
		for (uint32_t i = 0; i < count; i++) {
			if (raw_spawn_try(raw_new(i, raw_run_sleep), 0) != STATUS_OK)
				return 4;
		}
		return 0;
	}
	/* "everywhere": one that runs, and one in each kind of wait; then it waits to be killed. */
	(void)raw_spawn_try(raw_new(0, raw_run_spin), 0);
	(void)raw_spawn_try(raw_new(1, raw_run_sleep), 0);
	for (uint32_t i = 2; i < 5; i++) {
		struct raw *raw = raw_new(i, raw_run_entry);

		raw->entry = raw_recv(endpoint);
		(void)raw_spawn_try(raw, 0);
	}
	return (int)cap_enter(0, 1, 0);
}

static void the_last_threads_end_is_the_process_end(void)
{
	struct child_end end = run_child("last");

	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, 5);
	end = run_child("alone");
	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, 78);
}

static void a_threads_fault_is_the_process_crash(void)
{
	CHECK_EQUAL(run_child("crash").state, PROCESS_STATE_CRASHED);
}

static void threads_end_with_their_ledger(void)
{
	CHECK_EQUAL(run_child("limit").status, 0);
}

static void a_process_ends_with_threads_everywhere(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct launch_limit limit;
	struct child_spec spec = threads_spec("everywhere", endpoint, &limit);
	struct process_handle_ref child = child_start(&spec);
	struct ring_completion ended;

	for (uint16_t i = 0; i < 2; i++)
		start(entry_call(export, (uint16_t)(Q0 + i)));
	for (uint32_t i = 0; i < 1000 && info_in_service(endpoint) != 2; i++)
		sleep_ns(MILLISECOND);
	CHECK_EQUAL(info_in_service(endpoint), 2);
	/* One more thread receives; two have ended, and their calls are the process'. */
	kernel_check();
	CHECK(!is_done(Q0) && !is_done(Q0 + 1));
	child_kill(child);
	for (uint16_t i = 0; i < 2; i++) {
		ended = finish((uint16_t)(Q0 + i));
		CHECK_EQUAL(ended.status, STATUS_DISCONNECTED);
		CHECK_EQUAL(reason_of(ended.detail), REASON_DIED);
	}
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static const struct test tests[] = {
	{ "a thread runs with its own ring and TLS base", a_thread_runs_with_its_own_ring_and_tls },
	{ "a thread tells about itself", a_thread_tells_about_itself },
	{ "many may join", many_may_join },
	{ "a notification hears of a thread's end", a_notification_hears_of_the_end },
	{ "a thread cannot join itself", a_thread_cannot_join_itself },
	{ "a detached thread is not joined", a_detached_thread_is_not_joined },
	{ "an unwatched thread leaves nothing", an_unwatched_thread_leaves_nothing },
	{ "a thread is killed while it runs", a_thread_is_killed_while_it_runs },
	{ "a thread is killed in every wait", a_thread_is_killed_in_every_wait },
	{ "a thread is killed while it waits for a page", a_thread_is_killed_while_it_waits_for_a_page },
	{ "a thread kills itself", a_thread_kills_itself },
	{ "a client thread dies in its call", a_client_thread_dies_in_its_call },
	{ "a server thread dies with a call in service", a_server_thread_dies_with_a_call_in_service },
	{ "a receiving thread dies and another receives", a_receiving_thread_dies_and_another_receives },
	{ "a thread calls another of its process", a_thread_calls_another_of_its_process },
	{ "a sleep is interrupted", a_sleep_is_interrupted },
	{ "a call is interrupted", a_call_is_interrupted },
	{ "registers can be looked at", registers_can_be_looked_at },
	{ "a bad start is refused", a_bad_start_is_refused },
	{ "TLS is each thread's own", tls_is_each_threads_own },
	{ "the last thread's end is the process' end", the_last_threads_end_is_the_process_end },
	{ "a thread's fault is the process' crash", a_threads_fault_is_the_process_crash },
	{ "threads end with their ledger", threads_end_with_their_ledger },
	{ "a process ends with threads everywhere", a_process_ends_with_threads_everywhere },
};
TEST_LIST(thread_tests, tests);
