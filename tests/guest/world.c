/*
 * What the guest tests stand on; see world.h.
 */
#include "tests/guest/world.h"

#include <stdlib.h>
#include <string.h>

#include "rt/capability.h"
#include "rt/launch.h"
#include "rt/panic.h"
#include "rt/program.h"
#include "tests/guest/tap.h"

#define PERFORM_QUESTION 39u
#define MAP_BYTES        (16ull << 20)
#define SETTLE_TURNS     500u /* ended processes are taken apart in steps */
#define SETTLE_SLEEPS 3000

struct world world;
static struct ring_operation seats[SEATS];
static struct ring_operation performed;

static struct client_ref need(const char *name, uint64_t interface_id, bool complete)
{
	/* Children are told names only, not interfaces. */
	struct client_ref ref = complete ? rt_grant(name, interface_id) : rt_ref(grant_id(name));

	ASSERT(!complete || !client_ref_is_null(ref));
	return ref;
}

/* Page tables stay where something was mapped once, and are paid for. Makes those that tests
 * will need. */
static void make_page_tables(void)
{
	uint64_t address[5];
	struct memory_object_ref object;

	free(malloc(1)); /* the heap takes its place first, and mappings go behind it */
	ASSERT(object_factory_memory(world.factory, MAP_BYTES, &object) == STATUS_OK);
	for (uint32_t i = 0; i < ARRAY_LEN(address); i++)
		ASSERT(virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0,
				       MAP_BYTES, 0, ACCESS_READ, &address[i]) == STATUS_OK);
	for (uint32_t i = 0; i < ARRAY_LEN(address); i++)
		ASSERT(virtual_memory_unmap(world.memory, address[i], MAP_BYTES) == STATUS_OK);
	client_release(object.ref);
}

static uint32_t processors_count(void)
{
	struct system_info_describe_call call = system_info_describe_start(world.info);
	uint32_t count;

	ASSERT(system_info_describe_wait(&call) == STATUS_OK);
	count = system_info_describe_results_get_processors(system_info_describe_results(&call));
	system_info_describe_done(&call);
	return count;
}

void world_init(bool complete)
{
	bool found = false;

	world.console.ref = need("console", CONSOLE_INTERFACE_ID, complete);
	world.timer.ref = need("timer", TIMER_INTERFACE_ID, complete);
	world.info.ref = need("info", SYSTEM_INFO_INTERFACE_ID, complete);
	world.factory.ref = need("factory", OBJECT_FACTORY_INTERFACE_ID, complete);
	world.spawner.ref = need("spawner", PROCESS_SPAWNER_INTERFACE_ID, complete);
	world.package.ref = need("package", BOOT_PACKAGE_INTERFACE_ID, complete);
	world.system.ref = need("system", SYSTEM_CONTROL_INTERFACE_ID, complete);
	world.authority.ref = need("authority", CAPABILITY_MANAGER_INTERFACE_ID, complete);
	world.sessions.ref = need("sessions", SESSION_MANAGER_INTERFACE_ID, complete);
	world.memory.ref = need("memory", VIRTUAL_MEMORY_INTERFACE_ID, complete);
	world.threads.ref = need("threads", THREAD_SPAWNER_INTERFACE_ID, complete);
	world.process_id = ring_self()->header->process_id;
	world.processors = complete ? processors_count() : 0;
	ASSERT(ring_span_take(ring_self(), MESSAGE_WORDS_SENT, &world.message_off));
	ASSERT(ring_span_take(ring_self(), 128, &world.caps_off));
	ASSERT(ring_span_take(ring_self(), SEATS * SEAT_WORDS, &world.seats_off));
	if (complete)
		ASSERT(capability_manager_open(world.authority, world.process_id, &found,
				       &world.self) == STATUS_OK &&
				found);
	if (complete)
		make_page_tables();
}

uint32_t grant_id(const char *name)
{
	for (uint32_t i = 0; i < rt_grant_count(); i++) {
		struct rt_grant_info grant = rt_grant_at(i);

		if (capnp_text_equals(grant.name, name))
			return grant.id;
	}
	return 0;
}

/* --- Entries ---------------------------------------------------------------------------------- */

static void put(struct ring_entry entry, struct ring_operation *operation)
{
	struct ring_entry *place = ring_entry(ring_self(), entry.op, operation);

	entry.user_data = place->user_data;
	*place = entry;
	ring_push(ring_self());
}

struct ring_completion perform(struct ring_entry entry)
{
	put(entry, &performed);
	ring_wait(ring_self(), &performed);
	return performed.completion;
}

struct ring_completion perform_sync(struct ring_entry entry)
{
	ring_put_sync(ring_self(), &entry);
	(void)!ring_enter_sync(ring_self());
	return *ring_reply(ring_self());
}

static struct ring_operation *seat(uint16_t question)
{
	ASSERT(question >= Q0 && question < Q0 + SEATS);
	return &seats[question - Q0];
}

void start(struct ring_entry entry)
{
	put(entry, seat(entry.question));
	ring_submit(ring_self());
}

bool is_done(uint16_t question)
{
	ring_submit(ring_self());
	ring_reap(ring_self());
	return seat(question)->done;
}

struct ring_completion finish(uint16_t question)
{
	struct ring_operation *operation = seat(question);
	uint64_t deadline_ns;

	ring_reap(ring_self());
	if (operation->done)
		return operation->completion;
	deadline_ns = now_ns() + WAIT_NS;
	while (!operation->done) {
		if (!ring_turn(ring_self(), deadline_ns)) {
			tap_note("question %u has not completed", question);
			return (struct ring_completion){ .status = TIMED_OUT };
		}
	}
	return operation->completion;
}

uint32_t seat_off(uint16_t question)
{
	return world.seats_off + (question - Q0) * SEAT_WORDS;
}

uint64_t *seat_words(uint16_t question)
{
	return ring_words_at(ring_self(), seat_off(question));
}

struct cap_record *seat_records(uint16_t question, bool receive)
{
	return (struct cap_record *)(void *)(seat_words(question) + (receive ? 8 : 0));
}

uint64_t *seat_message(uint16_t question, bool receive)
{
	return seat_words(question) + (receive ? 8 : 0) + RECORDS_WORDS;
}

uint64_t *message(void)
{
	return ring_words_at(ring_self(), world.message_off);
}

struct cap_descriptor *descriptors(void)
{
	return (struct cap_descriptor *)(void *)ring_words_at(ring_self(), world.caps_off);
}

struct ring_entry entry_call(uint32_t target, uint16_t question)
{
	return (struct ring_entry){ .op = CAP_OP_CALL,
		.target = target,
		.interface = TEST_INTERFACE,
		.question = question,
		.reply_off = seat_off(question),
		.reply_words = MESSAGE_WORDS,
		.reply_caps = MESSAGE_CAPS };
}

struct ring_entry entry_recv(uint32_t endpoint, uint16_t question)
{
	return (struct ring_entry){ .op = CAP_OP_RECV,
		.target = endpoint,
		.question = question,
		.reply_off = seat_off(question),
		.reply_words = MESSAGE_WORDS,
		.reply_caps = MESSAGE_CAPS };
}

struct ring_entry entry_return(uint32_t endpoint, uint32_t call_id)
{
	return (struct ring_entry){ .op = CAP_OP_RETURN, .target = endpoint, .interface = call_id };
}

struct ring_entry entry_return_rearm(uint32_t endpoint, uint32_t call_id, uint16_t question)
{
	struct ring_entry entry = entry_recv(endpoint, question);

	entry.op = CAP_OP_RETURN;
	entry.flags = ENTRY_REARM;
	entry.interface = call_id;
	return entry;
}

struct ring_entry entry_pipelined(uint16_t base, uint16_t field, uint16_t question)
{
	struct ring_entry entry = entry_call(base, question);

	entry.flags = ENTRY_PIPELINED;
	entry.path_len = 1;
	entry.path[0] = field;
	return entry;
}

status_t finish_answer(uint16_t question)
{
	return perform((struct ring_entry){ .op = CAP_OP_FINISH, .question = question }).status;
}

uint32_t received_cap(uint16_t question)
{
	return seat_records(question, false)[0].id;
}

void send_cap(struct ring_entry *entry, enum transfer_kind kind, uint32_t id)
{
	struct cap_descriptor *descriptor = &descriptors()[entry->cap_count];

	memset(descriptor, 0, sizeof(*descriptor));
	descriptor->kind = (uint8_t)kind;
	descriptor->id = id;
	entry->caps_off = world.caps_off;
	entry->cap_count++;
}

status_t release(uint32_t id)
{
	return perform(entry_of(CAP_OP_RELEASE, id)).status;
}

uint32_t copy_of(uint32_t id)
{
	return perform(entry_of(CAP_OP_COPY, id)).id;
}

uint32_t narrow_of(uint32_t id, uint64_t interface_id)
{
	struct ring_entry entry = entry_of(CAP_OP_NARROW, id);

	entry.interface = interface_id;
	return perform(entry).id;
}

bool is_live(uint32_t id)
{
	struct ring_entry entry = entry_call(id, PERFORM_QUESTION - 1);

	entry.interface = 1; /* nobody has it: unimplemented */
	entry.reply_off = entry.reply_words = entry.reply_caps = 0;
	return perform(entry).status == STATUS_UNIMPLEMENTED;
}

/* --- Objects ---------------------------------------------------------------------------------- */

uint32_t endpoint_sized(uint16_t words, uint8_t caps, uint16_t calls)
{
	struct endpoint_ref endpoint;

	if (object_factory_endpoint(world.factory, words, caps, calls, &endpoint) != STATUS_OK)
		return 0;
	return rt_id(endpoint.ref);
}

uint32_t endpoint_new(void)
{
	return endpoint_sized(MESSAGE_WORDS, MESSAGE_CAPS, SERVICE_CALLS);
}

static status_t export_make(uint32_t endpoint, uint64_t tag, bool lasting, enum transfer_scope scope, uint32_t *id)
{
	struct endpoint_export_params_builder params;
	struct endpoint_export_call call = endpoint_export_begin(
			(struct endpoint_ref){ rt_ref(endpoint) }, &params);
	struct capnp_list_builder rows;
	struct client_ref capability = { 0 };
	status_t status;

	endpoint_export_params_set_tag(params, tag);
	endpoint_export_params_set_lasting(params, lasting);
	endpoint_export_params_set_scope(params, scope);
	rows = endpoint_export_params_init_interfaces(params, 2);
	interface_row_set_id(interface_row_builder_at(rows, 0), TEST_INTERFACE);
	interface_row_set_methods(interface_row_builder_at(rows, 0), 3);
	interface_row_set_ancestors(interface_row_builder_at(rows, 0), 2);
	interface_row_set_id(interface_row_builder_at(rows, 1), TEST_ANCESTOR);
	interface_row_set_methods(interface_row_builder_at(rows, 1), 1);
	endpoint_export_send(&call);
	status = endpoint_export_wait(&call);
	if (status == STATUS_OK)
		status = endpoint_export_take_capability(&call, &capability);
	endpoint_export_done(&call);
	*id = rt_id(capability);
	return status;
}

status_t export_status(uint32_t endpoint, uint64_t tag, bool lasting, uint32_t *id)
{
	return export_make(endpoint, tag, lasting, TRANSFER_SCOPE_SHAREABLE, id);
}

uint32_t export_scoped(uint32_t endpoint, uint64_t tag, enum transfer_scope scope)
{
	uint32_t id = 0;

	return export_make(endpoint, tag, false, scope, &id) == STATUS_OK ? id : 0;
}

uint32_t export_of(uint32_t endpoint, uint64_t tag, const struct capnp_interface *interface)
{
	struct endpoint_export_params_builder params;
	struct endpoint_export_call call = endpoint_export_begin(
			(struct endpoint_ref){ rt_ref(endpoint) }, &params);
	struct capnp_list_builder rows;
	struct client_ref capability = { 0 };

	endpoint_export_params_set_tag(params, tag);
	rows = endpoint_export_params_init_interfaces(params, 1);
	interface_row_set_id(interface_row_builder_at(rows, 0), interface->id);
	interface_row_set_methods(interface_row_builder_at(rows, 0), interface->method_count);
	endpoint_export_send(&call);
	if (endpoint_export_wait(&call) == STATUS_OK)
		(void)!endpoint_export_take_capability(&call, &capability);
	endpoint_export_done(&call);
	return rt_id(capability);
}

uint32_t export_new(uint32_t endpoint, uint64_t tag, bool lasting)
{
	uint32_t id;

	return export_status(endpoint, tag, lasting, &id) == STATUS_OK ? id : 0;
}

uint32_t notification_new(void)
{
	struct notification_ref notification;

	if (object_factory_notification(world.factory, &notification) != STATUS_OK)
		return 0;
	return rt_id(notification.ref);
}

uint32_t info_exports(uint32_t endpoint)
{
	uint32_t exports = UINT32_MAX;

	(void)!endpoint_info((struct endpoint_ref){ rt_ref(endpoint) }, NULL, &exports, NULL, NULL,
			NULL);
	return exports;
}

uint32_t info_pending(uint32_t endpoint)
{
	uint32_t pending = UINT32_MAX;

	(void)!endpoint_info((struct endpoint_ref){ rt_ref(endpoint) }, NULL, NULL, &pending, NULL,
			NULL);
	return pending;
}

uint32_t info_in_service(uint32_t endpoint)
{
	uint32_t in_service = UINT32_MAX;

	(void)!endpoint_info((struct endpoint_ref){ rt_ref(endpoint) }, NULL, NULL, NULL,
			&in_service, NULL);
	return in_service;
}

struct usage usage_of(struct process_handle_ref process)
{
	struct process_observer_usage_params_builder params;
	struct process_observer_usage_call call = process_observer_usage_begin(
			process_handle_as_process_observer(process), &params);
	struct usage usage = { 0 };

	process_observer_usage_send(&call);
	if (process_observer_usage_wait(&call) == STATUS_OK) {
		struct capnp_list rows = process_observer_usage_results_get_resources(
				process_observer_usage_results(&call));

		for (uint32_t i = 0; i < rows.count && i < ARRAY_LEN(usage.used); i++)
			usage.used[i] = resource_limit_get_used(resource_limit_at(rows, i));
	}
	process_observer_usage_done(&call);
	return usage;
}

struct usage usage_self(void)
{
	return usage_of(world.self);
}

static bool same(const struct usage *a, const struct usage *b)
{
	return memcmp(a->used, b->used, sizeof(a->used)) == 0;
}

bool usage_settles(const struct usage *before)
{
	struct usage usage = usage_self();

	for (uint32_t i = 0; i < SETTLE_TURNS && !same(&usage, before); i++) {
		(void)perform(entry_of(CAP_OP_YIELD, 0));
		usage = usage_self();
	}
	/* Another processor may be at it, and that one may be slow. */
	for (uint32_t i = 0; world.processors > 1 && i < SETTLE_SLEEPS && !same(&usage, before); i++) {
		sleep_ns(1000000);
		usage = usage_self();
	}
	for (uint32_t i = 0; i < ARRAY_LEN(usage.used); i++) {
		if (usage.used[i] != before->used[i])
			tap_note("%s: %lu in use, were %lu", resource_class_name(i),
					(unsigned long)usage.used[i],
					(unsigned long)before->used[i]);
	}
	return same(&usage, before);
}

uint64_t free_pages(void)
{
	uint64_t pages = 0;

	(void)!system_info_memory(world.info, NULL, &pages, NULL);
	return pages;
}

uint64_t now_ns(void)
{
	uint64_t now = 0;

	(void)!timer_now(world.timer, &now);
	return now;
}

void sleep_ns(uint64_t duration_ns)
{
	(void)!timer_sleep(world.timer, duration_ns);
}

void kernel_check(void)
{
	CHECK_EQUAL(system_info_check(world.info), STATUS_OK);
}

/* --- Children --------------------------------------------------------------------------------- */

/* The file of this program stays open. */
static const struct launch_file *file_open(const char *name, struct launch_file *other)
{
	static struct launch_file own;
	struct launch_file *file = name ? other : &own;

	if (!name && own.bytes)
		return &own;
	name = name ? name : "bin/init";
	if (launch_file_open(world.package, world.memory,
			    capnp_text_of(name, (uint32_t)strlen(name)), file) != STATUS_OK ||
			!file->bytes)
		return NULL;
	return file;
}

status_t child_try(const struct child_spec *spec, struct process_handle_ref *process)
{
	static struct launch_row rows[ARRAY_LEN(spec->grants)][LAUNCH_ROWS_MAX];
	struct launch_file other = { 0 };
	const struct launch_file *file = file_open(spec->file, &other);
	struct launch_authority authority = { world.spawner, world.factory, world.memory };
	struct launch_grant grants[ARRAY_LEN(spec->grants)] = { 0 };
	struct capnp_text args[3] = { capnp_text("init"),
		capnp_text_of(spec->role, (uint32_t)strlen(spec->role)) };
	struct launch_request request = { .name = args[1],
		.args = args,
		.arg_count = 2,
		.grants = grants,
		.limits = spec->limits,
		.limit_count = spec->limit_count,
		.session = spec->session };
	struct launch_result result = { 0 };
	status_t status;

	if (!file)
		return STATUS_FAILED;
	if (spec->arg)
		args[request.arg_count++] = capnp_text_of(spec->arg, (uint32_t)strlen(spec->arg));
	while (request.grant_count < ARRAY_LEN(grants) && spec->grants[request.grant_count].name) {
		const struct grant *grant = &spec->grants[request.grant_count];

		grants[request.grant_count] = (struct launch_grant){ .capability = grant->id,
			.name = capnp_text_of(grant->name, (uint32_t)strlen(grant->name)),
			.own_memory = grant->id == 0,
			.own_threads = grant->id == OWN_THREADS,
			.rows = rows[request.grant_count] };
		if (spec->interfaces[request.grant_count])
			grants[request.grant_count].row_count = launch_rows(
					spec->interfaces[request.grant_count],
					rows[request.grant_count], LAUNCH_ROWS_MAX);
		request.grant_count++;
	}
	request.image = file->bytes;
	request.image_bytes = file->count;
	request.image_view = file->view;
	status = launch(&authority, &request, &result);
	launch_file_close(world.memory, &other);
	*process = result.process;
	return status;
}

struct process_handle_ref child_start(const struct child_spec *spec)
{
	struct process_handle_ref process = { 0 };
	status_t status = child_try(spec, &process);

	CHECK_EQUAL(status, STATUS_OK);
	return process;
}

struct child_end child_wait(struct process_handle_ref process)
{
	struct process_observer_wait_params_builder params;
	struct process_observer_wait_call call;
	struct child_end end = { PROCESS_STATE_NONE, TIMED_OUT };

	if (client_ref_is_null(process.ref))
		return end;
	call = process_observer_wait_begin(process_handle_as_process_observer(process), &params);
	process_observer_wait_send(&call);
	if (process_observer_wait_wait(&call) == STATUS_OK) {
		struct exit_status_reader exit = process_observer_wait_results_get_exit(
				process_observer_wait_results(&call));

		end = (struct child_end){ exit_status_get_state(exit),
			exit_status_get_status(exit) };
	}
	process_observer_wait_done(&call);
	return end;
}

struct child_end child_finish(struct process_handle_ref process)
{
	struct child_end end = child_wait(process);

	client_release(process.ref);
	return end;
}

void child_kill(struct process_handle_ref process)
{
	(void)!process_handle_kill(process, 0);
	(void)child_finish(process);
}

void role_main(int argc, char **argv, const struct role *roles, uint32_t count)
{
	if (argc < 2 || strcmp(argv[0], "init") != 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(argv[1], roles[i].name) == 0) {
			world_init(false);
			rt_exit(roles[i].run(argc > 2 ? argv[2] : ""));
		}
	}
}

uint64_t number_of(const char *digits)
{
	uint64_t number = 0;

	for (; *digits >= '0' && *digits <= '9'; digits++)
		number = number * 10 + (uint64_t)(*digits - '0');
	return number;
}

/* xorshift64* */
uint64_t chance_next(struct chance *chance)
{
	chance->state ^= chance->state >> 12;
	chance->state ^= chance->state << 25;
	chance->state ^= chance->state >> 27;
	return chance->state * 0x2545f4914f6cdd1dull;
}
