/*
 * Threads without a runtime; see raw_thread.h.
 */
#include "tests/guest/raw_thread.h"

#include <string.h>

#include "abi/syscall.h"
#include "rt/capability.h"

#define MILLISECOND 1000000ull

struct raw raws[RAWS];

int64_t raw_perform(struct ring_header *header, const struct ring_entry *entry)
{
	struct ring_entry *place = (struct ring_entry *)(void *)header->sync_entry;

	*place = *entry;
	place->flags |= ENTRY_SYNC;
	return cap_enter(ENTER_SYNC, 0, 0);
}

/* Every thread's entry point. */
static void begin(struct ring_header *header, struct raw *raw)
{
	raw->thread_id = header->thread_id;
	thread_exit_now(raw->run(header, raw));
}

int64_t raw_run_entry(struct ring_header *header, struct raw *raw)
{
	raw->status = raw_perform(header, &raw->entry);
	raw->word = 1;
	return 5;
}

int64_t raw_run_spin(struct ring_header *header, struct raw *raw)
{
	for (;;)
		raw->word++;
}

int64_t raw_run_sleep(struct ring_header *header, struct raw *raw)
{
	return cap_enter(0, 1, 0);
}

int64_t raw_run_touch(struct ring_header *header, struct raw *raw)
{
	return (int64_t)*raw->page;
}

struct ring_entry raw_call(uint32_t export)
{
	return (struct ring_entry){ .op = CAP_OP_CALL, .target = export, .interface = TEST_INTERFACE,
		.reply_off = RING_ARENA_WORD, .reply_words = 1 };
}

struct ring_entry raw_recv(uint32_t endpoint)
{
	return (struct ring_entry){ .op = CAP_OP_RECV, .target = endpoint, .reply_off = RING_ARENA_WORD,
		.reply_words = MESSAGE_WORDS, .reply_caps = MESSAGE_CAPS };
}

status_t raw_spawn_at(uint64_t entry, uint64_t stack, uint64_t argument, uint64_t tls_base, struct capnp_text name,
		struct thread_handle_ref *handle)
{
	return thread_spawner_spawn(world.threads, entry, stack, argument, tls_base, name, handle);
}

status_t raw_spawn_try(struct raw *raw, uint64_t tls_base)
{
	/* As if it had been called. */
	return raw_spawn_at((uint64_t)(uintptr_t)begin, (uint64_t)(uintptr_t)&raw->stack[STACK_WORDS - 1],
			(uint64_t)(uintptr_t)raw, tls_base, capnp_text("raw"), &raw->handle);
}

struct raw *raw_new(uint32_t number, int64_t (*run)(struct ring_header *header, struct raw *raw))
{
	struct raw *raw = &raws[number];

	memset(raw, 0, sizeof(*raw));
	raw->run = run;
	return raw;
}

struct raw *raw_go(struct raw *raw)
{
	CHECK_EQUAL(raw_spawn_try(raw, 0), STATUS_OK);
	return raw;
}

struct raw *raw_go_entry(uint32_t number, struct ring_entry entry)
{
	struct raw *raw = raw_new(number, raw_run_entry);

	raw->entry = entry;
	return raw_go(raw);
}

struct thread_info thread_info_of(struct thread_handle_ref handle)
{
	struct thread_handle_info_params_builder params;
	struct thread_handle_info_call call = thread_handle_info_begin(handle, &params);
	struct thread_info info = { 0 };

	thread_handle_info_send(&call);
	CHECK_EQUAL(thread_handle_info_wait(&call), STATUS_OK);
	info.thread_id = thread_handle_info_results_get_thread_id(thread_handle_info_results(&call));
	info.process_id = thread_handle_info_results_get_process_id(thread_handle_info_results(&call));
	info.cpu_ns = thread_handle_info_results_get_cpu_ns(thread_handle_info_results(&call));
	info.condition = thread_handle_info_results_get_condition(thread_handle_info_results(&call));
	info.is_worker = capnp_text_equals(thread_handle_info_results_get_name(thread_handle_info_results(&call)),
			"worker");
	thread_handle_info_done(&call);
	return info;
}

enum thread_condition thread_condition_of(struct thread_handle_ref handle)
{
	return thread_info_of(handle).condition;
}

void thread_await_condition(struct thread_handle_ref handle, enum thread_condition condition)
{
	for (uint32_t i = 0; i < 2000 && thread_condition_of(handle) != condition; i++)
		sleep_ns(MILLISECOND / 10);
	CHECK_EQUAL(thread_condition_of(handle), condition);
}

status_t raw_join_status(struct thread_handle_ref handle, struct child_end *end)
{
	struct thread_handle_join_params_builder params;
	struct thread_handle_join_call call = thread_handle_join_begin(handle, &params);
	status_t status;

	thread_handle_join_send(&call);
	status = thread_handle_join_wait(&call);
	if (status == STATUS_OK) {
		struct exit_status_reader exit = thread_handle_join_results_get_exit(thread_handle_join_results(&call));

		*end = (struct child_end){ exit_status_get_state(exit), exit_status_get_status(exit) };
	}
	thread_handle_join_done(&call);
	return status;
}

struct child_end raw_join(struct raw *raw)
{
	struct child_end end = { PROCESS_STATE_NONE, TIMED_OUT };

	CHECK_EQUAL(raw_join_status(raw->handle, &end), STATUS_OK);
	client_release(raw->handle.ref);
	return end;
}

void raw_kill_and_join(struct raw *raw)
{
	struct child_end end;

	CHECK_EQUAL(thread_handle_kill(raw->handle, -3), STATUS_OK);
	end = raw_join(raw);
	CHECK_EQUAL(end.state, PROCESS_STATE_KILLED);
	CHECK_EQUAL(end.status, -3);
}

struct thread_handle_ref thread_own_handle(void)
{
	struct thread_handle_ref handle = { 0 };
	bool found = false;

	CHECK_EQUAL(thread_spawner_open(world.threads, ring_self()->header->thread_id, &found, &handle), STATUS_OK);
	CHECK(found);
	return handle;
}

bool raw_interrupt(struct raw *raw)
{
	bool asleep = false;

	CHECK_EQUAL(thread_handle_interrupt(raw->handle, &asleep), STATUS_OK);
	return asleep;
}

uint64_t thread_register(struct thread_handle_ref handle, const char *name)
{
	struct thread_handle_registers_params_builder params;
	struct thread_handle_registers_call call = thread_handle_registers_begin(handle, &params);
	struct capnp_list rows;
	uint64_t value = 0;

	thread_handle_registers_send(&call);
	CHECK_EQUAL(thread_handle_registers_wait(&call), STATUS_OK);
	rows = thread_handle_registers_results_get_registers(thread_handle_registers_results(&call));
	for (uint32_t i = 0; i < rows.count; i++) {
		if (capnp_text_equals(register_get_name(register_at(rows, i)), name))
			value = register_get_value(register_at(rows, i));
	}
	thread_handle_registers_done(&call);
	return value;
}

void raw_await_word(const struct raw *raw)
{
	for (uint32_t i = 0; i < 4000 && !raw->word; i++)
		sleep_ns(MILLISECOND);
	CHECK(raw->word != 0);
}

bool raw_runs(const struct raw *raw)
{
	uint64_t before = raw->word;

	for (uint32_t i = 0; i < 20 && raw->word == before; i++)
		sleep_ns(MILLISECOND);
	return raw->word != before;
}
