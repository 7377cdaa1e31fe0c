/*
 * Long runs on the kernel of machine.h: clients connect, call and drop, services come and go, and in the end every ledger
 * stands where it started; numbers of calls and capabilities come round again only after as many uses as is written.
 *
 * A client and a server take turns by SYNC entries, so whose turn it is follows from what they did. Built twice: with the
 * kernel's own slabs for the long run, and sanitized, with generations of three bits, for a shorter one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capos/kernel.server.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/roots.h"
#include "tests/host/machine.h"

#ifndef CYCLES
#define CYCLES 100000u
#endif
#define MEMORY_PAGES    8192u
#define SERVER_CYCLES   500u      /* that one server serves */
#define CLIENT_CYCLES   3000u
#define HUB_TAG         7u
#define TEST_INTERFACE  0xb000000000000001ull
#define METHOD_CONNECT  0u
#define METHOD_CALL     1u
#define MESSAGE_OFF     RING_ARENA_OFF
#define CAPS_OFF        (RING_ARENA_OFF + 64u)
#define REPLY_OFF       (RING_ARENA_OFF + 128u)
#define RECV_OFF        (RING_ARENA_OFF + 256u)
#define RECV_WORDS      16u
#define RECV_CAPS       2u
#define RECV_QUESTION   1u
#define CALL_QUESTION   0u

/* One program: its process and what it remembers. */
struct program {
	struct process *process;
	uint32_t        target;       /* server: the receive side; client: the hub */
	bool            receives;     /* server: sleeps in a receive, or serves */
};

static struct endpoint *endpoint;
static struct export *hub;
static struct program client, server;

static struct ring *ring_of(const struct program *program)
{
	return process_next_thread(program->process, NULL)->ring;
}

static void assert_turn(const struct program *program)
{
	assert_ptr_equal(machine_thread(), process_next_thread(program->process, NULL));
}

/* The program's turn: it enters with one entry. */
static void enter(const struct program *program, struct ring_entry entry)
{
	struct ring *ring = ring_of(program);

	assert_turn(program);
	entry.flags |= ENTRY_SYNC;
	ring->sq[ring->header->sq_tail % RING_SQ_ENTRIES] = entry;
	ring->header->sq_tail++;
	machine_enter(0, 0, 0);
}

/* The same with an ordinary entry: its completion, which has come at once. */
static struct ring_completion perform(const struct program *program, struct ring_entry entry)
{
	struct ring *ring = ring_of(program);
	struct ring_completion completion;

	assert_turn(program);
	ring->sq[ring->header->sq_tail % RING_SQ_ENTRIES] = entry;
	ring->header->sq_tail++;
	machine_enter(0, 1, 0);
	assert_turn(program);
	completion = ring->cq[ring->header->cq_head % RING_CQ_ENTRIES];
	ring->header->cq_head++;
	return completion;
}

static const struct ring_completion *reply(const struct program *program)
{
	return (const struct ring_completion *)(const void *)&ring_of(program)->header->reply_user_data;
}

static struct ring_entry entry_recv(const struct program *program, uint8_t op)
{
	return (struct ring_entry){ .op = op, .target = program->target, .reply_off = RECV_OFF, .reply_words = RECV_WORDS,
		.reply_caps = RECV_CAPS, .question = RECV_QUESTION };
}

static void call_send(uint32_t target, uint16_t method)
{
	ring_of(&client)->words[MESSAGE_OFF] = 0x1234;
	enter(&client, (struct ring_entry){ .op = CAP_OP_CALL, .method = method, .target = target,
			.interface = TEST_INTERFACE, .msg_off = MESSAGE_OFF, .msg_words = 1, .reply_off = REPLY_OFF,
			.reply_words = 4, .reply_caps = 1, .question = CALL_QUESTION });
}

static struct recv_header *received(void)
{
	return (struct recv_header *)(void *)(ring_of(&server)->words + RECV_OFF);
}

static uint32_t record_id(const struct program *program)
{
	return (uint32_t)(ring_of(program)->words[REPLY_OFF] >> 32);
}

/* The server answers its call with `caps` descriptors and receives again. */
static void answer(uint32_t call_id, uint8_t caps)
{
	struct ring_entry entry = entry_recv(&server, CAP_OP_RETURN);

	entry.flags = ENTRY_REARM;
	entry.interface = call_id;
	entry.msg_off = MESSAGE_OFF;
	entry.msg_words = 1;
	entry.caps_off = caps ? CAPS_OFF : 0;
	entry.cap_count = caps;
	enter(&server, entry);
}

/* Endpoint.export with a tag of one's own: the new capability. */
static uint32_t export_new(uint64_t tag)
{
	struct ring *ring = ring_of(&server);
	struct endpoint_export_params_builder params;
	struct capnp_list_builder rows;
	struct capnp_builder builder;

	capnp_builder_init(&builder, ring->words + MESSAGE_OFF, 32, NULL, 0);
	params = endpoint_export_params_init_root(&builder);
	endpoint_export_params_set_tag(params, tag);
	rows = endpoint_export_params_init_interfaces(params, 1);
	interface_row_set_id(interface_row_builder_at(rows, 0), TEST_INTERFACE);
	interface_row_set_methods(interface_row_builder_at(rows, 0), 2);
	enter(&server, (struct ring_entry){ .op = CAP_OP_CALL, .method = ENDPOINT_METHOD_EXPORT, .target = server.target,
			.interface = ENDPOINT_INTERFACE_ID, .msg_off = MESSAGE_OFF, .msg_words = (uint16_t)builder.used,
			.reply_off = REPLY_OFF, .reply_words = 8, .reply_caps = 1, .question = CALL_QUESTION });
	assert_int_equal(reply(&server)->status, STATUS_OK);
	return record_id(&server);
}

static void server_make(void)
{
	server.process = machine_process("server", (const uint64_t[LEDGER_CLASSES]){ 64, 64, 16, 16, 16, 4, 1 });
	server.receives = false;
	server.target = machine_grant(server.process, &endpoint->object, &endpoint_interface);
}

static void client_make(void)
{
	struct facet_row row = { .id = TEST_INTERFACE, .methods = 2 };
	uint64_t detail;

	client.process = machine_process("client", (const uint64_t[LEDGER_CLASSES]){ 64, 64, 16, 16, 16, 4, 1 });
	assert_int_equal(cap_table_reserve(&client.process->caps, 1, &detail), STATUS_OK);
	object_hold(&hub->object);
	client.target = cap_table_insert(&client.process->caps, &hub->object, facet_intern(&row, 1), NULL, 0);
}

static void program_end(struct program *program)
{
	if (program->process) {
		process_end(program->process, PROCESS_STATE_KILLED, 0, NULL);
		machine_reap();
		object_put(&program->process->object);
		program->process = NULL;
	}
}

/* Ends the server and begins the next incarnation; the client waits for the new server meanwhile. */
static void server_change(void)
{
	program_end(&server);
	(void)endpoint_reset(endpoint);
	server_make();
}

/* A server that has just been made, if it is its turn: receives what already waits. */
static void first_receive(void)
{
	if (server.receives || machine_thread() != process_next_thread(server.process, NULL))
		return;
	enter(&server, entry_recv(&server, CAP_OP_RECV));
	server.receives = true;
}

/* Connect, call, drop; the server is told and retires. `die`: the server ends inside the call. */
static void cycle(uint64_t tag, bool die)
{
	uint32_t connected, call_id;

	first_receive();
	call_send(client.target, METHOD_CONNECT);
	first_receive();
	assert_int_equal(received()->kind, RECV_KIND_CALL);
	assert_int_equal(received()->tag, HUB_TAG);
	call_id = reply(&server)->id;
	ring_of(&server)->words[CAPS_OFF] = TRANSFER_KIND_MOVE | (uint64_t)export_new(tag) << 32;
	answer(call_id, 1);
	assert_int_equal(reply(&client)->status, STATUS_OK);
	connected = record_id(&client);
	call_send(connected, METHOD_CALL);
	assert_int_equal(received()->tag, tag);
	if (die) {
		assert_turn(&server);
		machine_exit(0);
		machine_reap();
		assert_int_equal(reply(&client)->status, STATUS_DISCONNECTED);
		server_change();
		enter(&client, (struct ring_entry){ .op = CAP_OP_RELEASE, .target = connected });
		return;
	}
	answer(reply(&server)->id, 0);
	enter(&client, (struct ring_entry){ .op = CAP_OP_RELEASE, .target = connected });
	enter(&client, (struct ring_entry){ .op = CAP_OP_YIELD });
	assert_int_equal(received()->kind, RECV_KIND_NO_HOLDERS);
	enter(&server, (struct ring_entry){ .op = CAP_OP_RETIRE, .target = server.target, .interface = tag,
			.deadline_ns = received()->sequence });
	assert_int_equal(reply(&server)->status, STATUS_OK);
	enter(&server, entry_recv(&server, CAP_OP_RECV));
}

static void usage_assert_equal(struct machine_usage usage, struct machine_usage expected)
{
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		assert_int_equal(usage.ledger[i], expected.ledger[i]);
	assert_int_equal(usage.blocks, expected.blocks);
}

static void world_make(void)
{
	uint64_t detail;

	assert_int_equal(endpoint_create(ledger_root(), RECV_WORDS, RECV_CAPS, 4, &endpoint, &detail), STATUS_OK);
	assert_int_equal(endpoint_export(endpoint, ledger_root(), HUB_TAG, TEST_INTERFACE, true, &hub, &detail), STATUS_OK);
	object_hold(&endpoint->object);
	object_hold(&hub->object);
	client_make();
	server_make();
}

static void world_end(void)
{
	program_end(&client);
	program_end(&server);
	object_unhold(&endpoint->object);
	object_unhold(&hub->object);
	object_put(&hub->object);
	object_put(&endpoint->object);
}

static void connect_call_drop_leaves_every_ledger_where_it_was(void **state)
{
	struct machine_usage before = machine_usage();

	(void)state;
	world_make();
	for (uint32_t i = 0; i < CYCLES; i++) {
		struct machine_usage running = machine_usage();

		cycle(1000 + i % 77, i % SERVER_CYCLES == SERVER_CYCLES - 1);
		usage_assert_equal(machine_usage(), running);
		if (i % CLIENT_CYCLES == CLIENT_CYCLES - 1) {
			machine_check();
			program_end(&client);
			client_make();
		}
	}
	machine_check();
	world_end();
	usage_assert_equal(machine_usage(), before);
}

/* A call id comes back after as many calls in its slot as generations have room for, and not before. */
static void call_ids_come_back_after_all_generations(void **state)
{
	uint32_t generations = SERVICE_GENERATION_MASK + 1, rounds = MIN(generations * 3, 100000u), last_id = 0;
	uint32_t *seen = calloc(generations, sizeof(*seen));      /* the round in which it was used last, plus 1 */

	(void)state;
	world_make();
	for (uint32_t round = 0; round < rounds; round++) {
		uint32_t id, generation;

		call_send(client.target, METHOD_CALL);
		first_receive();
		id = reply(&server)->id;
		generation = id >> SERVICE_SLOT_BITS;
		assert_true(generation < generations);
		if (round > 0)
			assert_int_equal(id & ((1u << SERVICE_SLOT_BITS) - 1), last_id & ((1u << SERVICE_SLOT_BITS) - 1));
		if (seen[generation])
			assert_int_equal(round + 1 - seen[generation], generations);
		seen[generation] = round + 1;
		/* The number of the call before names nothing any more. */
		if (round > 0)
			assert_int_equal(perform(&server, (struct ring_entry){ .op = CAP_OP_RETURN, .target = server.target,
					.interface = last_id }).status, STATUS_GONE);
		last_id = id;
		answer(id, 0);
		assert_int_equal(reply(&client)->status, STATUS_OK);
	}
	world_end();
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_call_drop_leaves_every_ledger_where_it_was),
		cmocka_unit_test(call_ids_come_back_after_all_generations),
	};

	machine_boot(MEMORY_PAGES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
