/*
 * Processes: making, ending, watching and crashing them; direct switches and fair shares.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/ring.h"

static status_t create(const char *name, struct process_builder_ref *builder)
{
	struct process_spawner_create_params_builder params;
	struct process_spawner_create_call call = process_spawner_create_begin(
			world.spawner, &params);
	status_t status;

	process_spawner_create_params_set_name(params, capnp_text_of(name, (uint32_t)strlen(name)));
	process_spawner_create_send(&call);
	status = process_spawner_create_wait(&call);
	if (status == STATUS_OK)
		status = process_spawner_create_take_builder(&call, builder);
	process_spawner_create_done(&call);
	return status;
}

static void names_are_checked(void)
{
	static const char *const bad[] = { "", "a b", "tab\t", "\x7f",
		"12345678901234567890123456789012", "\xc3\xa4" };
	struct process_builder_ref builder;

	for (uint32_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQUAL(create(bad[i], &builder), STATUS_INVALID_ARGUMENT);
	REQUIRE_OK(create("1234567890123456789012345678901", &builder));
	client_release(builder.ref);
}

static void a_dropped_builder_leaves_nothing(void)
{
	struct process_builder_ref builder;
	struct virtual_memory_ref memory;
	uint64_t address = 0;
	uint32_t id = 0;

	for (uint32_t i = 0; i < 20; i++) {
		REQUIRE_OK(create("dropped", &builder));
		CHECK_EQUAL(process_builder_memory(builder, &memory), STATUS_OK);
		CHECK_EQUAL(virtual_memory_reserve(memory, 1 << 20, 0, &address), STATUS_OK);
		CHECK_EQUAL(virtual_memory_commit(memory, address, 65536, ACCESS_READ_WRITE),
				STATUS_OK);
		CHECK_EQUAL(process_builder_grant(builder, world.timer.ref, &id), STATUS_OK);
		CHECK_EQUAL(process_builder_grant_memory(builder, &id), STATUS_OK);
		client_release(memory.ref);
		client_release(builder.ref);
	}
}

/* The address space outlives its process as an empty shell. */
static void the_memory_of_a_dropped_builder_is_dead(void)
{
	struct process_builder_ref builder;
	struct virtual_memory_ref memory;
	uint64_t address = 0;

	REQUIRE_OK(create("dropped", &builder));
	CHECK_EQUAL(process_builder_memory(builder, &memory), STATUS_OK);
	client_release(builder.ref);
	for (uint32_t i = 0; i < 100; i++)
		(void)perform(entry_of(CAP_OP_YIELD, 0));
	CHECK(virtual_memory_reserve(memory, 4096, 0, &address) != STATUS_OK);
	client_release(memory.ref);
}

/* A builder inside the process that it builds would keep both alive for ever. */
static void a_builder_cannot_be_granted(void)
{
	struct process_builder_ref a, b;
	uint32_t id = 0;

	REQUIRE_OK(create("a", &a));
	REQUIRE_OK(create("b", &b));
	CHECK_EQUAL(process_builder_grant(a, a.ref, &id), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_grant(a, b.ref, &id), STATUS_INVALID_ARGUMENT);
	client_release(a.ref);
	client_release(b.ref);
}

struct part {
	uint64_t address, bytes;
	enum access access;
	struct client_ref object; /* null: memory of its own */
	uint64_t offset;
};

static status_t furnish(struct process_builder_ref builder, const struct part *parts, uint32_t count)
{
	struct process_builder_furnish_params_builder params;
	struct process_builder_furnish_call call = process_builder_furnish_begin_sized(builder, 120, &params);
	struct capnp_list_builder list = process_builder_furnish_params_init_parts(params, count);
	status_t status;

	for (uint32_t i = 0; i < count; i++) {
		struct memory_part_builder part = memory_part_builder_at(list, i);

		memory_part_set_address(part, parts[i].address);
		memory_part_set_bytes(part, parts[i].bytes);
		memory_part_set_access(part, parts[i].access);
		memory_part_set_offset(part, parts[i].offset);
		if (!client_ref_is_null(parts[i].object))
			memory_part_set_object(part, client_cap(&call.call, parts[i].object));
	}
	process_builder_furnish_send(&call);
	status = process_builder_furnish_wait(&call);
	process_builder_furnish_done(&call);
	return status;
}

static void check_pages(struct virtual_memory_ref memory, uint64_t reserved, uint64_t committed, uint64_t mapped)
{
	uint64_t now[3] = { 0 };

	CHECK_EQUAL(virtual_memory_info(memory, &now[0], &now[1], &now[2]), STATUS_OK);
	CHECK_EQUAL(now[0], reserved);
	CHECK_EQUAL(now[1], committed);
	CHECK_EQUAL(now[2], mapped);
}

/* What a child's memory is made of, in one call; each kind of part that is refused leaves the others as they are. */
static void a_child_is_furnished(void)
{
	struct process_builder_ref builder;
	struct virtual_memory_ref memory;
	struct memory_object_ref object;

	REQUIRE_OK(create("furnished", &builder));
	REQUIRE_OK(process_builder_memory(builder, &memory));
	REQUIRE_OK(object_factory_memory(world.factory, 8192, &object));
	const struct part good[] = {
		{ 0x400000, 8192, ACCESS_READ_EXECUTE, object.ref, 0 },
		{ 0x402000, 12288, ACCESS_READ_WRITE, { 0 }, 0 },
		{ 0x405000, 4096, ACCESS_NONE, { 0 }, 0 },
		{ 0x406000, 4096, ACCESS_READ, object.ref, 4096 },
	};
	const struct part bad[] = {
		{ 0, 4096, ACCESS_READ_WRITE, { 0 }, 0 },                       /* nowhere */
		{ 0x402000, 4096, ACCESS_READ_WRITE, { 0 }, 0 },                /* something is there */
		{ 0x404000, 8192, ACCESS_NONE, { 0 }, 0 },
		{ 0x400000, 4096, ACCESS_READ, object.ref, 0 },
		{ 0x500001, 4096, ACCESS_READ_WRITE, { 0 }, 0 },
		{ 0x500000, 4095, ACCESS_READ_WRITE, { 0 }, 0 },
		{ 0x500000, 0, ACCESS_READ_WRITE, { 0 }, 0 },
		{ 0x500000, 4096, (enum access)4, { 0 }, 0 },
		{ 0xffff800000000000, 4096, ACCESS_READ_WRITE, { 0 }, 0 },
		{ 0x500000, 4096, ACCESS_READ, world.timer.ref, 0 },            /* no memory */
		{ 0x500000, 4096, ACCESS_READ, object.ref, 8192 },
		{ 0x500000, 12288, ACCESS_READ, object.ref, 0 },
		{ 0x500000, 4097ul * 4096, ACCESS_READ_WRITE, { 0 }, 0 },       /* more than a call takes */
	};

	CHECK_EQUAL(furnish(builder, good, 0), STATUS_OK);
	CHECK_EQUAL(furnish(builder, good, ARRAY_LEN(good)), STATUS_OK);
	check_pages(memory, 1, 3, 3);
	for (uint32_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQUAL(furnish(builder, &bad[i], 1), STATUS_INVALID_ARGUMENT);
	check_pages(memory, 1, 3, 3);
	/* What came before the refused one stays. */
	const struct part half[] = { { 0x600000, 4096, ACCESS_READ_WRITE, { 0 }, 0 }, bad[1],
		{ 0x700000, 4096, ACCESS_READ_WRITE, { 0 }, 0 } };

	CHECK_EQUAL(furnish(builder, half, 3), STATUS_INVALID_ARGUMENT);
	check_pages(memory, 1, 4, 3);
	client_release(object.ref);
	client_release(memory.ref);
	client_release(builder.ref);
}

/* A builder writes what is its child's own, whatever the child may do with it, and nothing else. */
static void a_builder_writes_only_its_childs_own_memory(void)
{
	static const uint8_t bytes[64] = { 1, 2, 3 };
	struct process_builder_ref builder;
	struct process_handle_ref process;
	struct memory_object_ref object;
	struct capnp_data data = capnp_data_of(bytes, sizeof(bytes));

	REQUIRE_OK(create("written", &builder));
	REQUIRE_OK(object_factory_memory(world.factory, 4096, &object));
	const struct part parts[] = {
		{ 0x400000, 4096, ACCESS_READ, { 0 }, 0 },
		{ 0x401000, 4096, ACCESS_READ_WRITE, { 0 }, 0 },
		{ 0x402000, 4096, ACCESS_NONE, { 0 }, 0 },
		{ 0x403000, 4096, ACCESS_READ_WRITE, object.ref, 0 },
	};

	REQUIRE_OK(furnish(builder, parts, ARRAY_LEN(parts)));
	CHECK_EQUAL(process_builder_write(builder, 0x400ff0, data), STATUS_OK);
	CHECK_EQUAL(process_builder_write(builder, 0x401fc0, data), STATUS_OK);
	CHECK_EQUAL(process_builder_write(builder, 0x401fc1, data), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_write(builder, 0x3fffff, data), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_write(builder, 0x402000, data), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_write(builder, 0x403000, data), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_write(builder, 0, data), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_write(builder, 0xfffffffffffffff0, data), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_write(builder, 0x500000, capnp_data_of(bytes, 0)), STATUS_OK);
	REQUIRE_OK(process_builder_start(builder, 0x400000, 0x402000, 0, &process));
	CHECK_EQUAL(process_builder_write(builder, 0x400000, data), STATUS_FAILED);
	CHECK_EQUAL(furnish(builder, parts, 0), STATUS_FAILED);
	CHECK_EQUAL(child_finish(process).state, PROCESS_STATE_CRASHED);
	client_release(object.ref);
	client_release(builder.ref);
}

static void start_checks_its_arguments_and_works_once(void)
{
	struct process_builder_ref builder;
	struct process_handle_ref process = { 0 };
	struct virtual_memory_ref memory;
	struct child_end end;
	uint32_t id = 0;

	REQUIRE_OK(create("started", &builder));
	CHECK_EQUAL(process_builder_start(builder, 0, 0x500000, 0, &process),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_start(builder, 0xffff800000000000, 0x500000, 0, &process),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_start(builder, 0x800000000000, 0x500000, 0, &process),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_start(builder, 0x400000, 0x800000000001, 0, &process),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(process_builder_start(builder, 0x400000, 0xffffffffffffffff, 0, &process),
			STATUS_INVALID_ARGUMENT);
	/* An entry point where nothing is: it starts, and crashes. */
	REQUIRE_OK(process_builder_start(builder, 0x400000, 0x500000, 0, &process));
	CHECK_EQUAL(process_builder_start(builder, 0x400000, 0x500000, 0, NULL), STATUS_FAILED);
	CHECK_EQUAL(process_builder_memory(builder, &memory), STATUS_FAILED);
	CHECK_EQUAL(process_builder_grant(builder, world.timer.ref, &id), STATUS_FAILED);
	CHECK_EQUAL(process_builder_grant_memory(builder, &id), STATUS_FAILED);
	end = child_finish(process);
	CHECK_EQUAL(end.state, PROCESS_STATE_CRASHED);
	client_release(builder.ref);
}

static void exits_and_kills_have_their_status(void)
{
	struct process_handle_ref child = child_start(
			&(struct child_spec){ .role = "end", .arg = "42" });
	struct child_end end = child_finish(child);

	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, 42);
	child = child_start(&(struct child_spec){ .role = "hang" });
	CHECK_EQUAL(process_handle_kill(child, -7), STATUS_OK);
	CHECK_EQUAL(process_handle_kill(child, -8), STATUS_OK);
	end = child_wait(child);
	CHECK_EQUAL(end.state, PROCESS_STATE_KILLED);
	CHECK_EQUAL(end.status, -7);
	CHECK_EQUAL(process_handle_kill(child, 1), STATUS_OK);
	CHECK_EQUAL(child_finish(child).status, -7);
	child = child_start(&(struct child_spec){ .role = "spin" });
	CHECK_EQUAL(process_handle_kill(child, 1), STATUS_OK);
	CHECK_EQUAL(child_finish(child).state, PROCESS_STATE_KILLED);
}

static void many_can_wait(void)
{
	struct process_handle_ref child = child_start(&(struct child_spec){ .role = "hang" });
	struct process_observer_wait_call waits[5];
	struct ring_entry entry = entry_of(CAP_OP_WAIT, rt_id(child.ref));
	uint32_t observer = narrow_of(rt_id(child.ref), PROCESS_OBSERVER_INTERFACE_ID);
	struct process_observer_wait_params_builder params;

	entry.flags = ENTRY_DEATH;
	entry.question = Q0;
	start(entry);
	for (uint32_t i = 0; i < 5; i++) {
		waits[i] = process_observer_wait_begin(
				(struct process_observer_ref){ rt_ref(observer) }, &params);
		process_observer_wait_send(&waits[i]);
	}
	CHECK(!is_done(Q0));
	client_cancel(&waits[2].call);
	CHECK_EQUAL(process_observer_wait_wait(&waits[2]), STATUS_CANCELLED);
	CHECK_EQUAL(process_handle_kill((struct process_handle_ref){ rt_ref(observer) }, 1),
			STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(process_handle_kill(child, 3), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	for (uint32_t i = 0; i < 5; i++) {
		if (i != 2)
			CHECK_EQUAL(process_observer_wait_wait(&waits[i]), STATUS_OK);
		process_observer_wait_done(&waits[i]);
	}
	CHECK_EQUAL(release(observer), STATUS_OK);
	client_release(child.ref);
}

static void crashes_leave_a_record(void)
{
	static const struct {
		const char *how;
		enum crash_kind kind;
		uint32_t vector;
	} rows[] = {
		{ "w", CRASH_KIND_ACCESS_FAULT, 14 },
		{ "x", CRASH_KIND_ACCESS_FAULT, 14 },
		{ "t", CRASH_KIND_ACCESS_FAULT, 14 },
		{ "d", CRASH_KIND_ARITHMETIC, 0 },
		{ "u", CRASH_KIND_ILLEGAL_INSTRUCTION, 6 },
		{ "b", CRASH_KIND_BREAKPOINT, 3 },
		{ "p", CRASH_KIND_PROTECTION, 13 },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct child_spec spec = { .role = "crash", .arg = rows[i].how };
		struct process_handle_ref child = child_start(&spec);
		struct process_observer_crash_params_builder params;
		struct process_observer_crash_call call;
		struct crash_record_reader record;

		CHECK_EQUAL(child_wait(child).state, PROCESS_STATE_CRASHED);
		call = process_observer_crash_begin(
				process_handle_as_process_observer(child), &params);
		process_observer_crash_send(&call);
		CHECK_EQUAL(process_observer_crash_wait(&call), STATUS_OK);
		record = process_observer_crash_results_get_record(
				process_observer_crash_results(&call));
		CHECK_EQUAL(crash_record_get_kind(record), rows[i].kind);
		CHECK_EQUAL(crash_record_get_vector(record), rows[i].vector);
		CHECK(crash_record_get_instruction(record) >= 0x400000);
		if (rows[i].how[0] == 'w')
			CHECK_EQUAL(crash_record_get_address(record), 0x10);
		CHECK(crash_record_get_registers(record).count >= 16);
		CHECK(crash_record_get_backtrace(record).count >= 1);
		process_observer_crash_done(&call);
		client_release(child.ref);
	}
}

static void a_child_needs_what_it_was_given(void)
{
	struct child_spec spec = { .role = "end" };
	struct process_handle_ref child;
	struct usage usage;

	child = child_start(&spec);
	CHECK_EQUAL(child_wait(child).status, 0);
	usage = usage_of(child);
	for (uint32_t i = 0; i < ARRAY_LEN(usage.used); i++)
		CHECK_EQUAL(usage.used[i], 0);
	client_release(child.ref);
}

/* While somebody else always wants the processor, a synchronous call still goes straight to its
 * server and its answer straight back: two switches a round. */
static void a_synchronous_call_switches_directly(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct process_handle_ref server = child_start(&(struct child_spec){
			.role = "echo", .grants = { { "endpoint", endpoint } } });
	struct process_handle_ref other = child_start(&(struct child_spec){ .role = "spin" });
	const uint32_t rounds = 200;
	uint64_t before = 0, after = 0;

	sleep_ns(5000000);
	CHECK_EQUAL(perform_sync(entry_call(export, Q0)).status, STATUS_OK);
	(void)!system_info_counters(world.info, &before, NULL, NULL, NULL, NULL);
	for (uint32_t i = 0; i < rounds; i++) {
		if (perform_sync(entry_call(export, Q0)).status != STATUS_OK)
			break;
	}
	(void)!system_info_counters(world.info, &after, NULL, NULL, NULL, NULL);
	CHECK(after - before >= 2 * rounds);
	CHECK(after - before <
			3 * rounds); /* the rest: slices of the other; through the queue it would be 4 */
	if (after - before >= 3 * rounds)
		tap_note("%lu switches for %u rounds", (unsigned long)(after - before), rounds);
	child_kill(other);
	child_kill(server);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* One client has eight calls waiting, the other two: they are served alike. */
static void clients_get_equal_shares(void)
{
	uint32_t endpoint = endpoint_new();
	uint32_t greedy = export_new(endpoint, 0, false), modest = export_new(endpoint, 1, false);
	struct process_handle_ref a = child_start(&(struct child_spec){
			.role = "flood", .arg = "8", .grants = { { "service", greedy } } });
	struct process_handle_ref b = child_start(&(struct child_spec){
			.role = "flood", .arg = "2", .grants = { { "service", modest } } });
	uint32_t served[2] = { 0 };

	for (uint32_t i = 0; i < 1000 && info_pending(endpoint) < 10; i++)
		sleep_ns(1000000);
	start(entry_recv(endpoint, Q0));
	for (uint32_t i = 0; i < 200; i++) {
		struct ring_completion call = finish(Q0);

		if (call.status != STATUS_OK)
			break;
		served[call.detail & 1]++;
		start(entry_return_rearm(endpoint, call.id, Q0));
		/* Only who has calls waiting has a share: both have sent anew what was answered. */
		for (uint32_t turns = 0; turns < 1000 && info_pending(endpoint) < 9; turns++)
			(void)perform(entry_of(CAP_OP_YIELD, 0));
	}
	CHECK(served[0] + served[1] == 200);
	CHECK(served[0] >= 90 && served[1] >= 90);
	if (served[0] < 90 || served[1] < 90)
		tap_note("%u and %u calls were served", served[0], served[1]);
	child_kill(a);
	child_kill(b);
	if (!is_done(Q0))
		(void)perform(entry_cancel(Q0));
	CHECK_EQUAL(endpoint_close((struct endpoint_ref){ rt_ref(endpoint) }), STATUS_OK);
	CHECK_EQUAL(release(greedy), STATUS_OK);
	CHECK_EQUAL(release(modest), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static uint64_t cpu_ns_of(struct process_handle_ref process)
{
	struct process_observer_info_params_builder info_params;
	struct process_observer_info_call info = process_observer_info_begin(
			process_handle_as_process_observer(process), &info_params);
	struct capability_manager_processes_params_builder params;
	struct capability_manager_processes_call call;
	uint64_t cpu_ns = 0;
	uint32_t id;

	process_observer_info_send(&info);
	(void)!process_observer_info_wait(&info);
	id = process_observer_info_results_get_process_id(process_observer_info_results(&info));
	process_observer_info_done(&info);
	call = capability_manager_processes_begin(world.authority, &params);
	capability_manager_processes_params_set_start(params, id);
	capability_manager_processes_send(&call);
	if (capability_manager_processes_wait(&call) == STATUS_OK) {
		struct capnp_list rows = capability_manager_processes_results_get_processes(
				capability_manager_processes_results(&call));

		if (rows.count && process_row_get_process_id(process_row_at(rows, 0)) == id)
			cpu_ns = process_row_get_cpu_ns(process_row_at(rows, 0));
	}
	capability_manager_processes_done(&call);
	return cpu_ns;
}

/* Direct switches go past the queue, but not past the end of a slice. */
static void two_that_call_each_other_starve_nobody(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	struct process_handle_ref server = child_start(&(struct child_spec){
			.role = "echo", .grants = { { "endpoint", endpoint } } });
	struct process_handle_ref client = child_start(&(struct child_spec){
			.role = "calls", .arg = "0", .grants = { { "service", export } } });
	struct process_handle_ref other = child_start(&(struct child_spec){ .role = "busy" });
	uint64_t both, alone;

	sleep_ns(100000000);
	both = cpu_ns_of(server) + cpu_ns_of(client);
	alone = cpu_ns_of(other);
	CHECK(alone > 20000000 && both > 20000000);
	if (alone <= 20000000 || both <= 20000000)
		tap_note("%lu ns for the two, %lu ns for the other", (unsigned long)both,
				(unsigned long)alone);
	child_kill(other);
	child_kill(client);
	child_kill(server);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static const struct test tests[] = {
	{ "names are checked", names_are_checked },
	{ "a dropped builder leaves nothing", a_dropped_builder_leaves_nothing },
	{ "the memory of a dropped builder is dead", the_memory_of_a_dropped_builder_is_dead },
	{ "a builder cannot be granted", a_builder_cannot_be_granted },
	{ "a child is furnished", a_child_is_furnished },
	{ "a builder writes only its child's own memory", a_builder_writes_only_its_childs_own_memory },
	{ "start checks its arguments and works once", start_checks_its_arguments_and_works_once },
	{ "exits and kills have their status", exits_and_kills_have_their_status },
	{ "many can wait", many_can_wait },
	{ "crashes leave a record", crashes_leave_a_record },
	{ "a child needs what it was given", a_child_needs_what_it_was_given },
	{ "a synchronous call switches directly", a_synchronous_call_switches_directly },
	{ "clients get equal shares", clients_get_equal_shares },
	{ "two that call each other starve nobody", two_that_call_each_other_starve_nobody },
};

TEST_LIST(process_tests, tests);
