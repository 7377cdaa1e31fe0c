/*
 * What is measured. Each run is what a program does: entries filled, outcomes read, values checked.
 */
#include <string.h>

#include "abi/syscall.h"
#include "bench/guest/bench.client.h"
#include "bench/guest/bench.h"
#include "bench/guest/buffers.h"
#include "bench/guest/party.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/clock.h"
#include "rt/program.h"
#include "rt/server.h"
#include "rt/thread.h"

#define PAGE_BYTES 4096u

static struct timer_ref timer;
static struct virtual_memory_ref memory;
static struct launch_image image, nothing;
static struct bench_target_ref target;
static struct memory_object_ref page;
static struct process_handle_ref yielder;
static uint32_t ping, pong, unheard;

/* --- The kernel alone ------------------------------------------------------------------------- */

static bool null_enter(uint32_t count)
{
	int64_t sum = 0;

	while (count-- > 0)
		sum |= cap_enter(0, 0, 0);
	return sum == 0;
}

static bool nop_sync(uint32_t count)
{
	struct ring *ring = ring_self();
	status_t worst = STATUS_OK;

	while (count-- > 0) {
		(void)ring_entry_sync(ring, CAP_OP_NOP);
		worst |= ring_enter_sync(ring);
	}
	return worst == STATUS_OK;
}

static bool nop_32(uint32_t count)
{
	struct ring *ring = ring_self();

	while (count-- > 0) {
		for (uint32_t i = 0; i < 32; i++)
			ring_put(ring, &(struct ring_entry){ .op = CAP_OP_NOP });
		ring_submit(ring);
		ring_reap(ring);
	}
	return true;
}

static bool kernel_call(uint32_t count)
{
	status_t worst = STATUS_OK;
	uint64_t now = 0;

	while (count-- > 0)
		worst |= timer_now(timer, &now);
	return worst == STATUS_OK && now != 0;
}

static bool clock_read(uint32_t count)
{
	status_t worst = STATUS_OK;
	uint64_t now = 0;

	while (count-- > 0)
		worst |= clock_now(&now);
	return worst == STATUS_OK && now != 0;
}

static bool signal(uint32_t count)
{
	status_t worst = STATUS_OK;

	while (count-- > 0)
		worst |= rt_signal(unheard, 1);
	return worst == STATUS_OK;
}

static bool cap_copy_release(uint32_t count)
{
	status_t worst = STATUS_OK;

	while (count-- > 0) {
		uint32_t copy;

		worst |= rt_copy(unheard, &copy);
		rt_release(copy);
	}
	return worst == STATUS_OK;
}

static bool map_touch_unmap(uint32_t count)
{
	status_t worst = STATUS_OK;

	while (count-- > 0) {
		uint64_t address = 0;

		worst |= virtual_memory_map(memory, memory_object_as_memory_view(page), 0,
				PAGE_BYTES, 0, ACCESS_READ_WRITE, &address);
		if (worst != STATUS_OK)
			return false;
		*(volatile uint64_t *)(uintptr_t)address = count;
		worst |= virtual_memory_unmap(memory, address, PAGE_BYTES);
	}
	return worst == STATUS_OK;
}

/* --- Two processes ---------------------------------------------------------------------------- */

static bool call_empty(uint32_t count)
{
	status_t worst = STATUS_OK;

	while (count-- > 0)
		worst |= bench_target_nothing(target);
	return worst == STATUS_OK;
}

static bool call_64(uint32_t count)
{
	uint64_t sum = 0, rounds = count;

	while (count-- > 0) {
		uint64_t a, b, c, d, e, f, g;

		if (bench_target_seven(target, 1, 2, 3, 4, 5, 6, 7, &a, &b, &c, &d, &e, &f, &g) !=
				STATUS_OK)
			return false;
		sum += a + b + c + d + e + f + g;
	}
	return sum == rounds * 35;
}

static uint64_t list_sum(struct capnp_list list)
{
	uint64_t pad[8], sum = 0;
	struct capnp_u64s part;

	for (uint32_t first = 0; first < list.count; first += part.count) {
		part = capnp_list_u64s(list, first, pad, ARRAY_LEN(pad));
		for (uint32_t i = 0; i < part.count; i++)
			sum += part.at[i];
	}
	return sum;
}

static bool call_960(uint32_t count)
{
	uint64_t sum = 0, rounds = count;

	while (count-- > 0) {
		struct bench_target_list_params_builder params;
		struct bench_target_list_call call = bench_target_list_begin(target, &params);
		struct capnp_u64s_builder values =
				bench_target_list_params_fill_values(params, LIST_VALUES);

		for (uint64_t i = 0; i < values.count; i++)
			values.at[i] = i;
		if (bench_target_list_ask(&call) != STATUS_OK)
			return false;
		sum += list_sum(bench_target_list_results_get_values(bench_target_list_results(&call)));
		bench_target_list_done(&call);
	}
	return sum == rounds * (LIST_VALUES * (LIST_VALUES + 1) / 2);
}

static bool stream_64(uint32_t count)
{
	struct client_stream stream = { 0 };
	status_t worst = STATUS_OK;

	while (count-- > 0)
		worst |= bench_target_put_stream(target, &stream, 1, 2, 3, 4, 5, 6, 7);
	return worst == STATUS_OK && client_stream_finish(&stream, 0) == STATUS_OK;
}

/* Signals and waits in one enter; so does the other side. */
static bool signal_pingpong(uint32_t count)
{
	struct ring *ring = ring_self();
	uint16_t question = ring_question_take(ring);
	status_t worst = STATUS_OK;

	while (count-- > 0) {
		struct ring_entry *entry = ring_entry(ring, CAP_OP_SIGNAL, NULL);

		entry->flags = ENTRY_QUIET;
		entry->target = ping;
		entry->interface = 1;
		ring_push(ring);
		entry = ring_entry_sync(ring, CAP_OP_WAIT);
		entry->target = pong;
		entry->interface = 1;
		entry->question = question;
		worst |= ring_enter_sync(ring);
	}
	ring_question_give(ring, question);
	return worst == STATUS_OK;
}

/* --- Processes -------------------------------------------------------------------------------- */

static bool process_cycle(uint32_t count)
{
	while (count-- > 0) {
		struct process_handle_ref process;
		int64_t status;

		if (!party_start(&nothing, "", NULL, 0, &process) || !party_await(process, &status))
			return false;
	}
	return true;
}

static int64_t thread_nothing(void *argument)
{
	return 0;
}

static bool thread_cycle(uint32_t count)
{
	while (count-- > 0) {
		struct thread *thread;

		if (thread_start(&(struct thread_request){ .run = thread_nothing }, &thread) != STATUS_OK ||
				thread_join(thread, NULL) != STATUS_OK)
			return false;
	}
	return true;
}

/* Two switches a time: there and back. The other one runs from here on, so this row is the last. */
static bool yield(uint32_t count)
{
	if (client_ref_is_null(yielder.ref) && !party_start(&image, "yield", NULL, 0, &yielder))
		return false;
	while (count-- > 0)
		rt_yield();
	return true;
}

/* --- Preparing -------------------------------------------------------------------------------- */

static bool start_server(void)
{
	struct process_handle_ref process;
	struct endpoint_ref endpoint;

	return party_target(&endpoint, &target) &&
			party_start(&image, "serve",
					&(struct party_grant){ "serve", rt_id(endpoint.ref), &endpoint_interface }, 1,
					&process);
}

static bool start_signals(void)
{
	struct notification_ref there, back, third;
	struct process_handle_ref process;
	struct object_factory_ref factory = party_authority.factory;

	if (object_factory_notification(factory, &there) != STATUS_OK ||
			object_factory_notification(factory, &back) != STATUS_OK ||
			object_factory_notification(factory, &third) != STATUS_OK)
		return false;
	ping = rt_id(there.ref);
	pong = rt_id(back.ref);
	unheard = rt_id(third.ref);
	const struct party_grant grants[] = { { "ping", ping, &notification_interface },
		{ "pong", pong, &notification_interface } };
	return party_start(&image, "signals", grants, 2, &process);
}

static bool start_bulk(void)
{
	struct notification_ref there, back;
	struct process_handle_ref process;
	struct memory_object_ref shared;
	uint64_t bytes = buffers_bulk_bytes(), address = 0;

	if (object_factory_notification(party_authority.factory, &there) != STATUS_OK ||
			object_factory_notification(party_authority.factory, &back) != STATUS_OK ||
			object_factory_memory(party_authority.factory, bytes, &shared) != STATUS_OK ||
			virtual_memory_map(memory, memory_object_as_memory_view(shared), 0, bytes, 0, ACCESS_READ_WRITE,
					&address) != STATUS_OK)
		return false;
	const struct party_grant grants[] = { { "ping", rt_id(there.ref), &notification_interface },
		{ "pong", rt_id(back.ref), &notification_interface }, { "shared", rt_id(shared.ref), &memory_object_interface },
		{ "memory", 0, &virtual_memory_interface } };
	return buffers_bulk_open((void *)(uintptr_t)address, rt_id(there.ref), rt_id(back.ref)) &&
			party_start(&image, "bulk", grants, 4, &process);
}

uint32_t rows_prepare(const struct row **rows)
{
	static const struct row all[] = {
		{ "null_enter", 200, 1, null_enter, true },
		{ "nop_1", 200, 1, nop_sync, true },
		{ "nop_32", 20, 32, nop_32, true },
		{ "kernel_call", 100, 1, kernel_call, true },
		{ "clock_read", 200, 1, clock_read, true },
		{ "call_empty", 100, 1, call_empty, true },
		{ "call_64", 100, 1, call_64, true },
		{ "call_960", 50, 1, call_960, true },
		{ "stream_64", 160, 1, stream_64, true },
		{ "signal", 100, 1, signal, true },
		{ "signal_pingpong", 100, 1, signal_pingpong, true },
		{ "cap_copy_release", 100, 1, cap_copy_release, true },
		{ "map_touch_unmap", 50, 1, map_touch_unmap, false },
		{ "process_cycle", 2, 1, process_cycle, false },
		{ "thread_cycle", 10, 1, thread_cycle, false },
		{ "yield", 100, 2, yield, true },
		{ "buffer_10", 20, BUFFERS_ACTIVE, buffers_streams_10, true },
		{ "buffer_1000", 20, BUFFERS_ACTIVE, buffers_streams_1000, true },
		{ "buffer_mebibyte", 4, 1, buffers_bulk_mebibyte, true },
	};
	timer = RT_GRANT(timer, "timer");
	memory = RT_GRANT(virtual_memory, "memory");
	*rows = all;
	if (!party_program_open("bin/init", &image) || !party_program_open("bin/nothing", &nothing) ||
			object_factory_memory(party_authority.factory, PAGE_BYTES, &page) != STATUS_OK)
		return 0;
	return start_server() && start_signals() && start_bulk() ? (uint32_t)ARRAY_LEN(all) : 0;
}
