/*
 * CapabilityManager: what each process holds, page by page and exactly once, how much a running process may
 * use, and parameters that nobody would send who means well.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/launch.h"

#define MANY 2300 /* more than two calls look at */

/* --- Reading pages ---------------------------------------------------------------------------- */

struct row {
	uint32_t id, granter, server, process;
	uint64_t object, interface, grant, parent, endpoint;
	bool revoked, ended, moving;
	char kind[20];
};

struct page {
	struct row rows[40];
	uint32_t count, next;
	bool found;
};

static struct page page; /* large */

static status_t read_page(uint32_t process_id, uint32_t start)
{
	struct capability_manager_capabilities_call call = capability_manager_capabilities_start(
			world.authority, process_id, start);
	status_t status = capability_manager_capabilities_wait(&call);

	memset(&page, 0, sizeof(page));
	if (status == STATUS_OK) {
		struct capability_manager_capabilities_results_reader in =
				capability_manager_capabilities_results(&call);
		struct capnp_list list =
				capability_manager_capabilities_results_get_capabilities(in);

		page.next = capability_manager_capabilities_results_get_next(in);
		page.found = capability_manager_capabilities_results_get_found(in);
		page.count = list.count;
		for (uint32_t i = 0; i < list.count && i < ARRAY_LEN(page.rows); i++) {
			struct capability_row_reader row = capability_row_at(list, i);
			struct capnp_text kind = capability_row_get_kind(row);

			page.rows[i] = (struct row){
				.id = capability_row_get_capability_id(row),
				.granter = capability_row_get_granted_by(row),
				.server = capability_row_get_server(row),
				.process = capability_row_get_process(row),
				.object = capability_row_get_object(row),
				.interface = capability_row_get_interface_id(row),
				.grant = capability_row_get_grant(row),
				.parent = capability_row_get_parent_grant(row),
				.endpoint = capability_row_get_endpoint(row),
				.revoked = capability_row_get_revoked(row),
				.ended = capability_row_get_ended(row),
				.moving = capability_row_get_moving(row),
			};
			memcpy(page.rows[i].kind, kind.chars, MIN(kind.bytes, 19u));
		}
	}
	capability_manager_capabilities_done(&call);
	return status;
}

/* The row of a capability; id 0: not there. */
static struct row row_of(uint32_t process_id, uint32_t capability)
{
	uint32_t start = 0;

	do {
		if (read_page(process_id, start) != STATUS_OK)
			break;
		for (uint32_t i = 0; i < page.count; i++) {
			if (page.rows[i].id == capability)
				return page.rows[i];
		}
		start = page.next;
	} while (start);
	return (struct row){ 0 };
}

/* The first row of a process that refers to the object; id 0: none does. */
static struct row row_of_object(uint32_t process_id, uint64_t object)
{
	uint32_t start = 0;

	do {
		if (read_page(process_id, start) != STATUS_OK)
			break;
		for (uint32_t i = 0; i < page.count; i++) {
			if (page.rows[i].object == object)
				return page.rows[i];
		}
		start = page.next;
	} while (start);
	return (struct row){ 0 };
}

static uint32_t id_of(struct process_handle_ref process)
{
	uint32_t id = 0;
	struct process_observer_info_call call = process_observer_info_start(
			process_handle_as_process_observer(process));

	if (process_observer_info_wait(&call) == STATUS_OK)
		id = process_observer_info_results_get_process_id(
				process_observer_info_results(&call));
	process_observer_info_done(&call);
	return id;
}

/* --- What a process holds --------------------------------------------------------------------- */

static void rows_tell_what_is_held_and_from_whom(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t gift = notification_new();
	struct child_spec spec = { .role = "echo",
		.grants = { { "endpoint", endpoint }, { "service", export }, { "gift", gift } } };
	struct process_handle_ref child = child_start(&spec);
	uint32_t child_id = id_of(child);
	struct row ours = row_of(world.process_id, gift), served = row_of(world.process_id, export);
	struct row its;

	CHECK(strcmp(ours.kind, "notification") == 0 && ours.object != 0);
	CHECK_EQUAL(ours.interface, NOTIFICATION_INTERFACE_ID);
	CHECK(ours.endpoint == 0 && ours.server == 0 && ours.process == 0 && !ours.revoked &&
			!ours.ended);
	its = row_of_object(child_id, ours.object);
	CHECK(its.id != 0 && its.parent == ours.grant && its.granter == world.process_id);
	CHECK(its.grant >> 32 == child_id && ours.grant >> 32 == world.process_id);
	CHECK(its.interface == ours.interface && strcmp(its.kind, "notification") == 0);

	CHECK(strcmp(served.kind, "export") == 0);
	CHECK_EQUAL(served.interface, TEST_INTERFACE);
	CHECK_EQUAL(served.endpoint, row_of(world.process_id, endpoint).object);
	CHECK_EQUAL(row_of(world.process_id, endpoint).endpoint, served.endpoint);
	CHECK_EQUAL(served.object == served.endpoint, false);
	for (uint32_t i = 0; i < 100 && served.server == 0; i++) {
		sleep_ns(1000000);
		served = row_of(world.process_id, export);
	}
	CHECK_EQUAL(served.server, child_id);
	CHECK_EQUAL(row_of(world.process_id, endpoint).server, child_id);
	CHECK_EQUAL(row_of(world.process_id, rt_id(child.ref)).process, child_id);
	CHECK(strcmp(row_of(world.process_id, rt_id(world.timer.ref)).kind, "timer") == 0);

	child_kill(child);
	served = row_of(world.process_id, export);
	CHECK_EQUAL(served.server, 0);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	served = row_of(world.process_id, export);
	CHECK(served.ended && served.id != 0);
	CHECK_EQUAL(row_of(world.process_id, gift).object, ours.object);
	CHECK_EQUAL(release(gift), STATUS_OK);
	CHECK_EQUAL(row_of(world.process_id, gift).id, 0);
	CHECK_EQUAL(release(export), STATUS_OK);
	gift = notification_new();
	CHECK(row_of(world.process_id, gift).object != ours.object);
	CHECK_EQUAL(release(gift), STATUS_OK);
}

/* Whether the grant's name revokes something; sets how much. */
static status_t revoke(uint64_t grant, uint32_t *revoked)
{
	*revoked = 0;
	return capability_manager_revoke(world.authority, grant, revoked);
}

static void a_grants_name_means_one_grant(void)
{
	uint32_t gift = notification_new(), copy = copy_of(gift), kept = notification_new();
	uint32_t revoked, again;
	struct row row = row_of(world.process_id, gift);

	CHECK_EQUAL(row_of(world.process_id, copy).grant, row.grant);
	CHECK(row_of(world.process_id, kept).grant != row.grant);
	CHECK_EQUAL(release(gift), STATUS_OK); /* the copy keeps it */
	CHECK_EQUAL(revoke(row.grant, &revoked), STATUS_OK);
	CHECK_EQUAL(revoked, 1);
	CHECK(row_of(world.process_id, copy).revoked);
	CHECK_EQUAL(reason_of(perform_sync(entry_call(copy, Q0)).detail), REASON_REVOKED);
	CHECK_EQUAL(revoke(row.grant, &revoked), STATUS_OK);
	CHECK_EQUAL(revoked, 0);
	CHECK_EQUAL(release(copy), STATUS_OK);
	/* Its place is used again; the name is not. */
	CHECK_EQUAL(revoke(row.grant, &revoked), STATUS_INVALID_ARGUMENT);
	again = notification_new();
	CHECK(row_of(world.process_id, again).grant != row.grant);
	CHECK_EQUAL(revoke(row.grant, &revoked), STATUS_INVALID_ARGUMENT);
	CHECK(is_live(again) && is_live(kept));
	CHECK_EQUAL(release(again), STATUS_OK);
	CHECK_EQUAL(release(kept), STATUS_OK);
}

/* Nobody hides what it holds by sending it where nobody receives. */
static void what_is_on_its_way_is_listed(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false);
	uint32_t gift = notification_new();
	struct ring_entry entry = entry_call(export, Q0);

	send_cap(&entry, TRANSFER_KIND_MOVE, gift);
	start(entry);
	CHECK(!is_live(gift));
	CHECK(row_of(world.process_id, gift).moving);
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	(void)finish(Q0);
	CHECK(is_live(gift) && !row_of(world.process_id, gift).moving);
	CHECK_EQUAL(release(gift), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* --- Pages ------------------------------------------------------------------------------------ */

static uint32_t many[MANY];

/* Reads all pages of the holders of a capability: how many there are in this process. */
static uint32_t count_holders(uint32_t capability, uint32_t *calls)
{
	uint32_t count = 0, start = 0, slot = 0;

	*calls = 0;
	do {
		struct capability_manager_holders_params_builder params;
		struct capability_manager_holders_call call =
				capability_manager_holders_begin(world.authority, &params);
		struct capability_manager_holders_results_reader in;
		struct capnp_list list;

		capability_manager_holders_params_set_capability(
				params, client_cap(&call.call, rt_ref(capability)));
		capability_manager_holders_params_set_start(params, start);
		capability_manager_holders_params_set_start_slot(params, slot);
		capability_manager_holders_send(&call);
		if (capability_manager_holders_wait(&call) != STATUS_OK) {
			capability_manager_holders_done(&call);
			return 0;
		}
		in = capability_manager_holders_results(&call);
		list = capability_manager_holders_results_get_holders(in);
		start = capability_manager_holders_results_get_next(in);
		slot = capability_manager_holders_results_get_next_slot(in);
		for (uint32_t i = 0; i < list.count; i++)
			count += holder_get_process_id(holder_at(list, i)) == world.process_id;
		capability_manager_holders_done(&call);
		(*calls)++;
	} while ((start || slot) && *calls < 1000);
	return count;
}

/* One call looks at a part of a large table and shows a page of it; all pages show each row once. */
static void large_tables_come_in_pages(void)
{
	uint32_t gift = notification_new(), seen = 0, pages = 0, start = 0, calls, copies = 0;
	uint32_t lonely = notification_new();
	uint64_t object = row_of(world.process_id, gift).object;

	while (copies < MANY && (many[copies] = copy_of(gift)))
		copies++;
	CHECK_EQUAL(copies, MANY);
	do {
		REQUIRE_OK(read_page(world.process_id, start));
		CHECK(page.count <= 32 && page.found);
		for (uint32_t i = 0; i < page.count; i++)
			seen += page.rows[i].object == object;
		start = page.next;
		pages++;
	} while (start && pages < 1000);
	CHECK_EQUAL(seen, MANY + 1);
	CHECK(pages >= MANY / 32);
	CHECK_EQUAL(count_holders(gift, &calls), MANY + 1);
	CHECK(calls >= MANY / 24);
	CHECK_EQUAL(count_holders(lonely, &calls), 1);
	CHECK(calls >= 2); /* the table is longer than what one call looks at */
	for (uint32_t i = 0; i < copies; i++)
		CHECK_EQUAL(release(many[i]), STATUS_OK);
	CHECK_EQUAL(count_holders(gift, &calls), 1);
	CHECK_EQUAL(release(lonely), STATUS_OK);
	CHECK_EQUAL(release(gift), STATUS_OK);
}

static void strange_pages_are_empty(void)
{
	static const uint32_t starts[] = { 1u << 16, 1u << 20, UINT32_MAX - 1, UINT32_MAX };
	static const uint32_t nobody[] = { 0, 1u << 30, UINT32_MAX };
	uint32_t revoked;

	for (uint32_t i = 0; i < ARRAY_LEN(starts); i++) {
		REQUIRE_OK(read_page(world.process_id, starts[i]));
		CHECK(page.found && page.count == 0 && page.next == 0);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(nobody); i++) {
		REQUIRE_OK(read_page(nobody[i], 0));
		CHECK(!page.found && page.count == 0 && page.next == 0);
		CHECK_EQUAL(revoke((uint64_t)nobody[i] << 32 | 1, &revoked),
				STATUS_INVALID_ARGUMENT);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(starts); i++)
		CHECK_EQUAL(revoke((uint64_t)world.process_id << 32 | starts[i], &revoked),
				STATUS_INVALID_ARGUMENT);
}

static void holders_of_nothing_are_refused(void)
{
	struct capability_manager_holders_params_builder params;
	struct capability_manager_holders_call call =
			capability_manager_holders_begin(world.authority, &params);

	capability_manager_holders_params_set_start(params, UINT32_MAX);
	capability_manager_holders_params_set_start_slot(params, UINT32_MAX);
	capability_manager_holders_send(&call);
	CHECK_EQUAL(capability_manager_holders_wait(&call), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_WRONG_TYPE);
	capability_manager_holders_done(&call);

	call = capability_manager_holders_begin(world.authority, &params);
	capability_manager_holders_params_set_capability(
			params, client_cap(&call.call, world.timer.ref));
	capability_manager_holders_params_set_start(params, world.process_id);
	capability_manager_holders_params_set_start_slot(params, UINT32_MAX);
	capability_manager_holders_send(&call);
	CHECK_EQUAL(capability_manager_holders_wait(&call), STATUS_OK);
	CHECK_EQUAL(capability_manager_holders_results_get_next(
				    capability_manager_holders_results(&call)),
			0);
	capability_manager_holders_done(&call);
}

/* --- Limits ----------------------------------------------------------------------------------- */

struct limit {
	uint64_t limit, used;
	bool found;
};

static status_t set_limit(uint32_t process_id, uint32_t class, uint64_t limit, struct limit *now)
{
	*now = (struct limit){ 0 };
	return capability_manager_set_limit(world.authority, process_id, (enum resource_class) class,
			limit, &now->found, &now->limit, &now->used);
}

/* How many objects the child could make before it was refused: the next call of the role "grow". */
static uint64_t next_growth(uint32_t endpoint)
{
	uint64_t made;

	start(entry_recv(endpoint, Q0 + 1));
	(void)finish(Q0 + 1);
	made = seat_message(Q0 + 1, true)[1];
	return made;
}

static void let_grow(uint32_t endpoint)
{
	CHECK_EQUAL(perform(entry_return(endpoint, finish(Q0 + 1).id)).status, STATUS_OK);
}

static void limits_of_running_processes_change(void)
{
	const struct launch_limit limits[] = { { RESOURCE_CLASS_OBJECTS, 20 } };
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false), id;
	struct child_spec spec = { .role = "grow",
		.arg = "4",
		.limits = limits,
		.limit_count = 1,
		.grants = { { "service", export }, { "factory", rt_id(world.factory.ref) } } };
	struct process_handle_ref child = child_start(&spec);
	const uint32_t class = RESOURCE_CLASS_OBJECTS;
	uint64_t before;
	struct limit now;

	id = id_of(child);
	CHECK(next_growth(endpoint) > 0);
	before = usage_self().used[class];
	CHECK_EQUAL(usage_of(child).used[class], 20);

	/* Up: carved from this process, to the last unit. */
	REQUIRE_OK(set_limit(id, class, 30, &now));
	CHECK(now.found && now.limit == 30 && now.used == 20);
	CHECK_EQUAL(usage_self().used[class], before + 10);
	let_grow(endpoint);
	CHECK_EQUAL(next_growth(endpoint), 10);

	/* More than there is: refused, and nothing has changed. */
	CHECK_EQUAL(set_limit(id, class, UINT64_MAX, &now), STATUS_OVERLOADED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_LEDGER);
	CHECK_EQUAL(class_of(rt_detail()), class);
	CHECK_EQUAL(usage_self().used[class], before + 10);

	/* Down to what is free, and below what is used: only growth ends. */
	REQUIRE_OK(set_limit(id, class, 50, &now));
	REQUIRE_OK(set_limit(id, class, 35, &now));
	CHECK(now.limit == 35 && now.used == 30);
	CHECK_EQUAL(usage_self().used[class], before + 15);
	REQUIRE_OK(set_limit(id, class, 0, &now));
	CHECK(now.limit == 30 && now.used == 30);
	CHECK_EQUAL(usage_self().used[class], before + 10);
	let_grow(endpoint);
	CHECK_EQUAL(next_growth(endpoint), 0);

	REQUIRE_OK(set_limit(id, class, 35, &now));
	let_grow(endpoint);
	CHECK_EQUAL(next_growth(endpoint), 5);
	kernel_check();
	let_grow(endpoint);
	CHECK_EQUAL(child_finish(child).status, 0);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	REQUIRE_OK(set_limit(id, class, 50, &now));
	CHECK(!now.found);
}

static void limits_of_every_class_go_up_and_down(void)
{
	struct child_spec spec = { .role = "hang" };
	struct process_handle_ref child = child_start(&spec);
	uint32_t id = id_of(child);
	struct limit now, was;

	for (uint32_t class = 0; class <= RESOURCE_CLASS_THREADS; class++) {
		uint64_t before = usage_self().used[class];

		REQUIRE_OK(set_limit(id, class, 0, &was));
		CHECK_EQUAL(was.limit, was.used);
		REQUIRE_OK(set_limit(id, class, was.used + 3, &now));
		CHECK_EQUAL(now.limit, was.used + 3);
		CHECK(usage_self().used[class] <= before + 3);
		REQUIRE_OK(set_limit(id, class, 0, &now));
		CHECK_EQUAL(now.limit, was.used);
	}
	child_kill(child);
}

static void strange_limits_are_refused(void)
{
	struct usage before = usage_self();
	struct limit now;

	CHECK_EQUAL(set_limit(world.process_id, RESOURCE_CLASS_THREADS + 1, 5, &now),
			STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_ARGUMENT);
	CHECK_EQUAL(set_limit(world.process_id, UINT16_MAX, 5, &now), STATUS_INVALID_ARGUMENT);
	REQUIRE_OK(set_limit(0, RESOURCE_CLASS_FRAMES, 5, &now));
	CHECK(!now.found);
	REQUIRE_OK(set_limit(UINT32_MAX, RESOURCE_CLASS_FRAMES, 5, &now));
	CHECK(!now.found);
	CHECK_EQUAL(set_limit(world.process_id, RESOURCE_CLASS_SLOTS, UINT64_MAX, &now),
			STATUS_OVERLOADED);
	CHECK(usage_settles(&before));
}

#define CROWD 60

/* However they come and go, each is found by its id and all are listed once, in order. */
static void processes_are_found_among_many(void)
{
	struct child_spec spec = { .role = "hang" };
	struct process_handle_ref crowd[CROWD], found;
	uint32_t ids[CROWD], start = 0, last = 0, listed = 0, living = 0;
	bool there;

	for (uint32_t i = 0; i < CROWD; i++) {
		crowd[i] = child_start(&spec);
		ids[i] = id_of(crowd[i]);
	}
	for (uint32_t i = 0; i < CROWD; i++) {
		if (i % 3 == 1)
			child_kill(crowd[i]);
	}
	for (uint32_t i = 0; i < CROWD; i++) {
		found = (struct process_handle_ref){ 0 };
		CHECK_EQUAL(capability_manager_open(world.authority, ids[i], &there, &found), STATUS_OK);
		CHECK_EQUAL(there, i % 3 != 1);
		if (there) {
			CHECK_EQUAL(id_of(found), ids[i]);
			CHECK_EQUAL(release(rt_id(found.ref)), STATUS_OK);
			living++;
		}
	}
	do {
		struct capability_manager_processes_call call =
				capability_manager_processes_start(world.authority, start);
		struct capability_manager_processes_results_reader in;
		struct capnp_list rows;

		CHECK_EQUAL(capability_manager_processes_wait(&call), STATUS_OK);
		in = capability_manager_processes_results(&call);
		rows = capability_manager_processes_results_get_processes(in);
		for (uint32_t i = 0; i < rows.count; i++, listed++) {
			uint32_t id = process_row_get_process_id(process_row_at(rows, i));

			CHECK(id > last);
			last = id;
		}
		start = capability_manager_processes_results_get_next(in);
		capability_manager_processes_done(&call);
	} while (start);
	CHECK_EQUAL(listed, living + 1);
	for (uint32_t i = 0; i < CROWD; i++) {
		if (i % 3 != 1)
			child_kill(crowd[i]);
	}
}

static const struct test tests[] = {
	{ "rows tell what is held and from whom", rows_tell_what_is_held_and_from_whom },
	{ "a grant's name means one grant", a_grants_name_means_one_grant },
	{ "what is on its way is listed", what_is_on_its_way_is_listed },
	{ "processes are found among many", processes_are_found_among_many },
	{ "large tables come in pages", large_tables_come_in_pages },
	{ "strange pages are empty", strange_pages_are_empty },
	{ "holders of nothing are refused", holders_of_nothing_are_refused },
	{ "limits of running processes change", limits_of_running_processes_change },
	{ "limits of every class go up and down", limits_of_every_class_go_up_and_down },
	{ "strange limits are refused", strange_limits_are_refused },
};

TEST_LIST(manager_tests, tests);
