/*
 * The n-th allocation of the kernel fails, for every n, through process start, call, transfer and
 * spawn: each time the answer is clean and nothing is left behind.
 */
#include "tests/hostile/hostile.h"

#include "rt/capability.h"
#include "rt/launch.h"

#define GRANTS      140u /* a piece of a capability table has 128 */
#define PAGES_SLACK 8u   /* slabs that the kernel keeps for the next time */

static uint32_t endpoint, export;

/* A process from an image: made, filled, run, taken apart. */
static status_t attempt_process(void)
{
	struct child_spec spec = { .role = "end",
		.arg = "5",
		.grants = { { "timer", rt_id(world.timer.ref) }, { "memory", 0 } } };
	struct process_handle_ref process;
	struct child_end end;
	status_t status = child_try(&spec, &process);

	if (status != STATUS_OK)
		return status;
	end = child_finish(process);
	return end.state == PROCESS_STATE_EXITED && end.status == 5 ? STATUS_OK : STATUS_FAILED;
}

/* Only the builder, with an address space that has pages and a capability table that grows. */
static status_t attempt_builder(void)
{
	struct process_spawner_create_params_builder params;
	struct process_spawner_create_call call = process_spawner_create_begin(
			world.spawner, &params);
	struct process_builder_ref builder = { 0 };
	struct virtual_memory_ref memory = { 0 };
	uint64_t address = 0;
	status_t status;

	process_spawner_create_params_set_name(params, capnp_text("spawned"));
	process_spawner_create_send(&call);
	status = process_spawner_create_wait(&call);
	if (status == STATUS_OK)
		status = process_spawner_create_take_builder(&call, &builder);
	process_spawner_create_done(&call);
	if (status == STATUS_OK)
		status = process_builder_memory(builder, &memory);
	if (status == STATUS_OK)
		status = virtual_memory_reserve(memory, 1 << 20, 0, &address);
	if (status == STATUS_OK)
		status = virtual_memory_commit(memory, address, 65536, ACCESS_READ_WRITE);
	for (uint32_t i = 0; i < GRANTS && status == STATUS_OK; i++) {
		uint32_t id;

		status = process_builder_grant(builder, world.timer.ref, &id);
	}
	client_release(memory.ref);
	client_release(builder.ref);
	return status;
}

/* A call with capabilities that waits for its receiver, its answer with more. */
static status_t attempt_transfer(void)
{
	struct ring_entry entry = entry_call(export, Q0);
	uint32_t moved = copy_of(rt_id(world.timer.ref)), id;
	struct ring_completion received;
	status_t status;

	if (!moved)
		return STATUS_OVERLOADED;
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	send_cap(&entry, TRANSFER_KIND_COPY, rt_id(world.console.ref));
	start(entry);
	if (is_done(Q0)) {
		(void)release(moved); /* back under its id */
		return finish(Q0).status;
	}
	start(entry_recv(endpoint, Q0 + 1));
	received = finish(Q0 + 1);
	if (received.status != STATUS_OK) {
		(void)perform(entry_cancel(Q0));
		(void)finish(Q0);
		(void)release(moved);
		return received.status;
	}
	entry = entry_return(endpoint, received.id);
	send_cap(&entry, TRANSFER_KIND_MOVE, seat_records(Q0 + 1, true)[0].id);
	send_cap(&entry, TRANSFER_KIND_MOVE, seat_records(Q0 + 1, true)[1].id);
	status = perform(entry).status;
	if (status != STATUS_OK)
		return STATUS_FAILED;
	(void)finish(Q0);
	for (uint32_t i = 0; i < 2; i++) {
		id = seat_records(Q0, false)[i].id;
		if (release(id) != STATUS_OK)
			return STATUS_FAILED;
	}
	return STATUS_OK;
}

/* An endpoint with exports enough for its table to grow. */
static status_t attempt_exports(void)
{
	uint32_t made = endpoint_new(), ids[40], count = 0;
	status_t status = made ? STATUS_OK : STATUS_OVERLOADED;

	while (status == STATUS_OK && count < ARRAY_LEN(ids)) {
		status = export_status(made, count, false, &ids[count]);
		if (status == STATUS_OK)
			count++;
	}
	for (uint32_t i = 0; i < count; i++)
		rt_release(ids[i]);
	rt_release(made);
	return status;
}

/* A clone that is mapped and written. */
static status_t attempt_clone(void)
{
	struct memory_object_ref object = { 0 }, clone = { 0 };
	uint64_t address = 0;
	status_t status = object_factory_memory(world.factory, 4 * 4096, &object);

	if (status == STATUS_OK)
		status = memory_view_clone(memory_object_as_memory_view(object), &clone);
	if (status == STATUS_OK)
		status = virtual_memory_map(world.memory, memory_object_as_memory_view(clone), 0,
				4 * 4096, 0, ACCESS_READ_WRITE, &address);
	if (status == STATUS_OK) {
		for (uint32_t i = 0; i < 4; i++)
			((volatile uint64_t *)(uintptr_t)address)[i * 512] = i;
		status = virtual_memory_unmap(world.memory, address, 4 * 4096);
	}
	client_release(clone.ref);
	client_release(object.ref);
	return status;
}

/* Paged memory, of which one page is supplied and read. */
static status_t attempt_paged(void)
{
	struct memory_object_ref object = { 0 }, source = { 0 };
	struct pager_ref pager = { 0 };
	uint64_t address = 0;
	bool accepted;
	status_t status = object_factory_paged_memory(
			world.factory, 4 * 4096, 1000000000, &object, &pager);

	if (status == STATUS_OK)
		status = object_factory_memory(world.factory, 4096, &source);
	if (status == STATUS_OK)
		status = virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0,
				4 * 4096, 0, ACCESS_READ, &address);
	if (status == STATUS_OK) {
		status = pager_supply(
				pager, 1, memory_object_as_memory_view(source), 0, &accepted);
		if (status == STATUS_OK && *(volatile uint64_t *)(uintptr_t)(address + 4096))
			status = STATUS_FAILED;
		(void)!virtual_memory_unmap(world.memory, address, 4 * 4096);
	}
	client_release(pager.ref);
	client_release(source.ref);
	client_release(object.ref);
	return status;
}

static void fail_each(status_t (*attempt)(void))
{
	struct usage before;
	uint64_t pages, n;
	bool waiting = false;

	before = usage_self();
	CHECK_EQUAL(attempt(), STATUS_OK);
	CHECK(usage_settles(&before));
	pages = free_pages();
	for (n = 1; n < 1000 && !waiting; n++) {
		status_t status;

		REQUIRE_OK(system_info_fail_allocation(world.info, n, NULL));
		status = attempt();
		REQUIRE_OK(system_info_fail_allocation(world.info, 0, &waiting));
		/* An allocation that failed is a refusal, unless what failed could be done without. */
		CHECK(status == STATUS_OK || (!waiting && status == STATUS_OVERLOADED));
		if (status != STATUS_OK && status != STATUS_OVERLOADED)
			tap_note("allocation %lu failed: status %d", (unsigned long)n, status);
		CHECK(usage_settles(&before));
		if (n % 8 == 0)
			kernel_check();
	}
	CHECK(waiting);
	CHECK(free_pages() + PAGES_SLACK >= pages);
	tap_note("%lu allocations failed in turn; %lu pages were free, %lu are",
			(unsigned long)n - 2, (unsigned long)pages, (unsigned long)free_pages());
}

static void process_start(void)
{
	fail_each(attempt_process);
}

static void spawn(void)
{
	fail_each(attempt_builder);
}

static void transfer(void)
{
	endpoint = endpoint_new();
	export = export_new(endpoint, 1, false);
	fail_each(attempt_transfer);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void exports(void)
{
	fail_each(attempt_exports);
}

static void clones(void)
{
	fail_each(attempt_clone);
}

static void paged(void)
{
	fail_each(attempt_paged);
}

static const struct test tests[] = {
	{ "each allocation of a process start fails", process_start },
	{ "each allocation of a spawn fails", spawn },
	{ "each allocation of a call with capabilities fails", transfer },
	{ "each allocation of exports fails", exports },
	{ "each allocation of a clone fails", clones },
	{ "each allocation of paged memory fails", paged },
};

const struct test_list allocation_tests = { tests, ARRAY_LEN(tests) };
