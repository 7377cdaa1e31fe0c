/*
 * Lets the hostile programs loose, alone and together.
 */
#include "tests/hostile/hostile.h"

#include "programs/counter/counter.client.h"
#include "rt/capability.h"
#include "rt/format.h"
#include "rt/launch.h"
#include "rt/server.h"

#define SEEDS 3u

/* The digits of a seed. Another sequence of chances: boot with "seed=N". */
static const char *seed_digits(uint32_t number)
{
	static char digits[SEEDS * 2][12];
	char *place = digits[number % (SEEDS * 2)];

	(void)format_into(place, sizeof(digits[0]), "%u", hostile_seed * 100 + number);
	return place;
}

/* It ends: by itself, or because it took its own memory away. Answers how much of what it sent
 * was done. */
static uint64_t done_by(struct process_handle_ref child)
{
	struct child_end end = child_finish(child);

	CHECK(end.state == PROCESS_STATE_EXITED || end.state == PROCESS_STATE_CRASHED);
	return end.state == PROCESS_STATE_EXITED ? (uint64_t)end.status : 0;
}

static void ends_well(struct process_handle_ref child)
{
	struct child_end end = child_finish(child);

	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, 0);
}

/* Three of them share an endpoint from both sides, so that what one sends the others get. */
static void garbage_in_the_queue(void)
{
	uint64_t done = 0;

	for (uint32_t round = 0; round < 2; round++) {
		struct process_handle_ref children[SEEDS];
		uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, true);
		uint32_t notification = notification_new();

		for (uint32_t i = 0; i < SEEDS; i++) {
			struct child_spec spec = { .role = "entries",
				.arg = seed_digits(round * SEEDS + i),
				.grants = { { "endpoint", endpoint }, { "service", export },
						{ "notification", notification },
						{ "timer", rt_id(world.timer.ref) },
						{ "factory", rt_id(world.factory.ref) },
						{ "spawner", rt_id(world.spawner.ref) },
						{ "memory", 0 } } };

			children[i] = child_start(&spec);
		}
		for (uint32_t i = 0; i < SEEDS; i++)
			done += done_by(children[i]);
		kernel_check();
		CHECK_EQUAL(release(export), STATUS_OK);
		CHECK_EQUAL(release(endpoint), STATUS_OK);
		CHECK_EQUAL(release(notification), STATUS_OK);
	}
	CHECK(done > 2000); /* else nothing would be tested */
	tap_note("%lu entries were done", (unsigned long)done);
}

static void writing_over_header_and_queues(void)
{
	uint64_t rounds = 0;

	for (uint32_t i = 0; i < SEEDS; i++) {
		struct child_spec spec = { .role = "header",
			.arg = seed_digits(i),
			.grants = { { "timer", rt_id(world.timer.ref) }, { "memory", 0 } } };
		struct process_handle_ref child = child_start(&spec);

		struct child_end end;

		/* A SYNC entry may have come about that never completes. */
		sleep_ns(100000000);
		(void)!process_handle_kill(child, 0);
		end = child_finish(child);
		rounds += end.state == PROCESS_STATE_EXITED ? (uint64_t)end.status : 0;
	}
	tap_note("in %lu rounds entries were taken", (unsigned long)rounds);
}

static void forged_ids(void)
{
	struct child_spec spec = {
		.role = "ids", .arg = "1", .grants = { { "timer", rt_id(world.timer.ref) } }
	};

	ends_well(child_start(&spec));
}

static void answers_to_other_peoples_calls(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false),
		 theirs = endpoint_new();
	struct child_spec spec = { .role = "returns",
		.arg = "1",
		.grants = { { "theirs", theirs }, { "service", export } } };
	uint32_t id;

	start(entry_recv(endpoint, Q0 + 1));
	start(entry_call(export, Q0));
	id = finish(Q0 + 1).id;
	ends_well(child_start(&spec));
	CHECK(!is_done(Q0));
	CHECK_EQUAL(perform(entry_return(endpoint, id)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(release(theirs), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

/* Kernel objects and an honest service get broken messages; the service still counts afterwards. */
static void broken_messages(void)
{
	uint32_t endpoint = endpoint_sized(SERVER_MESSAGE_WORDS, SERVER_MESSAGE_CAPS, SERVER_CALLS);
	uint32_t export = export_of(endpoint, 0, &counter_interface),
		 notification = notification_new();
	struct child_spec victim = { .file = "bin/counter-service",
		.role = "victim",
		.grants = { { "serve", endpoint }, { "memory", 0 } },
		.interfaces = { &endpoint_interface, &virtual_memory_interface } };
	struct process_handle_ref service = child_start(&victim);
	uint64_t value = 0, again = 0, done = 0;

	for (uint32_t i = 0; i < SEEDS; i++) {
		struct child_spec spec = { .role = "messages",
			.arg = seed_digits(i),
			.grants = { { "counter", export }, { "timer", rt_id(world.timer.ref) },
					{ "notification", notification },
					{ "info", rt_id(world.info.ref) },
					{ "factory", rt_id(world.factory.ref) },
					{ "spawner", rt_id(world.spawner.ref) },
					{ "package", rt_id(world.package.ref) },
					{ "memory", 0 } } };

		done += done_by(child_start(&spec));
	}
	CHECK(done > 500);
	CHECK_EQUAL(counter_value((struct counter_ref){ rt_ref(export) }, &value), STATUS_OK);
	CHECK_EQUAL(counter_add((struct counter_ref){ rt_ref(export) }, 0, &again), STATUS_OK);
	CHECK(value == again);
	child_kill(service);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	CHECK_EQUAL(release(notification), STATUS_OK);
}

static void spawn_storm(void)
{
	const struct launch_limit limits[] = { { RESOURCE_CLASS_FRAMES, 20000 },
		{ RESOURCE_CLASS_SLOTS, 8000 }, { RESOURCE_CLASS_OBJECTS, 4000 },
		{ RESOURCE_CLASS_EXPORTS, 1000 }, { RESOURCE_CLASS_CALLS, 1000 },
		{ RESOURCE_CLASS_TIMERS, 1000 }, { RESOURCE_CLASS_THREADS, 40 } };
	struct child_spec spec = { .role = "storm",
		.arg = "2",
		.limits = limits,
		.limit_count = ARRAY_LEN(limits),
		.grants = { { "spawner", rt_id(world.spawner.ref) },
				{ "factory", rt_id(world.factory.ref) },
				{ "package", rt_id(world.package.ref) }, { "memory", 0 } } };

	ends_well(child_start(&spec));
	sleep_ns(200000000); /* what it left behind runs to its end */
}

static void programs_without_their_memory(void)
{
	static const char *const whats[] = { "r", "p", "a", "o", "s" };

	for (uint32_t i = 0; i < ARRAY_LEN(whats); i++) {
		struct child_spec spec = { .role = "unmap",
			.arg = whats[i],
			.grants = { { "factory", rt_id(world.factory.ref) }, { "memory", 0 } } };
		struct child_end end = child_finish(child_start(&spec));

		/* The kernel may keep a program from parting with its ring. */
		CHECK(end.state == PROCESS_STATE_CRASHED || end.state == PROCESS_STATE_EXITED);
	}
}

/* Ends the caller, then the server, each time somewhere else in their calls. */
static void deaths_at_each_point_of_a_call(void)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, true),
		 gift = notification_new();
	struct child_spec server_spec = { .role = "echo", .grants = { { "endpoint", endpoint } } };
	struct child_spec caller_spec = { .role = "caller",
		.grants = { { "service", export }, { "gift", gift } } };
	struct process_handle_ref server = child_start(&server_spec),
				  caller = child_start(&caller_spec);

	for (uint32_t point = 0; point < 80; point++) {
		if (point < 20)
			(void)perform(entry_of(CAP_OP_YIELD, 0));
		else
			sleep_ns(1000 + 7777 * point);
		if (point % 2) {
			child_kill(server);
			server = child_start(&server_spec);
		} else {
			child_kill(caller);
			caller = child_start(&caller_spec);
		}
		if (point % 8 == 7)
			kernel_check();
	}
	child_kill(caller);
	child_kill(server);
	CHECK_EQUAL(release(gift), STATUS_OK);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

#define CROWD       6u
#define CROWD_STEPS 100u

/* What the crowd shares; each of them may be revoked, reset or closed at any time and is then
 * made anew. */
struct shared {
	uint32_t endpoint, lasting, passing, gift;
};

static void shared_make(struct shared *shared)
{
	shared->endpoint = endpoint_new();
	shared->lasting = export_new(shared->endpoint, 1, true);
	shared->passing = export_new(shared->endpoint, 2, false);
	shared->gift = notification_new();
	CHECK(shared->endpoint && shared->lasting && shared->passing && shared->gift);
}

static void shared_drop(struct shared *shared)
{
	rt_release(shared->lasting);
	rt_release(shared->passing);
	rt_release(shared->gift);
	rt_release(shared->endpoint);
}

static void one_of_the_crowd(struct process_handle_ref *child, const struct shared *shared,
		struct chance *chance)
{
	static const char *const names[] = { "entries", "caller", "echo", "entries" };
	struct child_spec spec = { .role = names[chance_below(chance, ARRAY_LEN(names))],
		.arg = seed_digits(chance_below(chance, 1000)),
		.grants = { { "endpoint", shared->endpoint }, { "service", shared->lasting },
				{ "passing", shared->passing }, { "gift", shared->gift },
				{ "notification", shared->gift },
				{ "timer", rt_id(world.timer.ref) },
				{ "factory", rt_id(world.factory.ref) },
				{ "spawner", rt_id(world.spawner.ref) }, { "memory", 0 } } };

	*child = child_start(&spec);
}

static void trouble(struct shared *shared, struct chance *chance)
{
	const uint32_t things[] = { shared->endpoint, shared->lasting, shared->passing,
		shared->gift };

	switch (chance_below(chance, 6)) {
	case 0:
		(void)!endpoint_reset((struct endpoint_ref){ rt_ref(shared->endpoint) }, NULL);
		rt_release(shared->passing);
		shared->passing = export_new(shared->endpoint, 2, false);
		break;
	case 1:
		(void)!endpoint_close((struct endpoint_ref){ rt_ref(shared->endpoint) });
		shared_drop(shared);
		shared_make(shared);
		break;
	case 2:
		shared_drop(shared);
		shared_make(shared);
		break;
	default:
		(void)!capability_manager_revoke_derived(
				world.authority, rt_ref(things[chance_below(chance, 4)]), NULL);
	}
}

/* Many at once come, go, are ended, and lose what they hold, all by chance. `failing`: and while
 * they run, some of the kernel's allocations fail. */
static void crowd(struct chance chance, bool failing)
{
	struct process_handle_ref children[CROWD] = { 0 };
	struct shared shared;

	shared_make(&shared);
	for (uint32_t step = 0; step < CROWD_STEPS; step++) {
		struct process_handle_ref *child = &children[chance_below(&chance, CROWD)];

		if (client_ref_is_null(child->ref)) {
			one_of_the_crowd(child, &shared, &chance);
		} else if (chance_below(&chance, 3) == 0) {
			child_kill(*child);
			*child = (struct process_handle_ref){ 0 };
		} else if (chance_below(&chance, 3) == 0) {
			trouble(&shared, &chance);
		}
		for (uint32_t turn = chance_below(&chance, 3); turn > 0; turn--) {
			if (failing)
				(void)!system_info_fail_allocation(
						world.info, 1 + chance_below(&chance, 12), NULL);
			(void)perform(entry_of(CAP_OP_YIELD, 0));
		}
		if (failing)
			(void)!system_info_fail_allocation(world.info, 0, NULL);
		if (step % 16 == 15)
			kernel_check();
	}
	for (uint32_t i = 0; i < CROWD; i++) {
		if (!client_ref_is_null(children[i].ref))
			child_kill(children[i]);
	}
	shared_drop(&shared);
}

static void a_crowd(void)
{
	crowd((struct chance){ 99 + hostile_seed }, false);
}

static void a_crowd_that_runs_out_of_memory(void)
{
	crowd((struct chance){ 77 + hostile_seed }, true);
}

static void deeds_against_the_processor(void)
{
	for (uint32_t deed = 0; deed < DEEDS; deed++) {
		char digits[3] = { (char)('0' + deed / 10), (char)('0' + deed % 10), 0 };
		struct child_spec spec = { .role = "deed", .arg = digits };
		struct child_end end = child_finish(child_start(&spec));
		bool harmless = deed == 22 || deed == 25;
		enum process_state state = harmless ? PROCESS_STATE_EXITED : PROCESS_STATE_CRASHED;

		if (end.state != state)
			tap_note("deed %u", deed);
		CHECK_EQUAL(end.state, state);
	}
}

static const struct test tests[] = {
	{ "garbage in the queue", garbage_in_the_queue },
	{ "writing over header and queues", writing_over_header_and_queues },
	{ "forged ids", forged_ids },
	{ "answers to other people's calls", answers_to_other_peoples_calls },
	{ "broken messages", broken_messages },
	{ "spawn storm", spawn_storm },
	{ "programs without their memory", programs_without_their_memory },
	{ "deaths at each point of a call", deaths_at_each_point_of_a_call },
	{ "a crowd", a_crowd },
	{ "a crowd that runs out of memory", a_crowd_that_runs_out_of_memory },
	{ "deeds against the processor", deeds_against_the_processor },
};

const struct test_list evil_tests = { tests, ARRAY_LEN(tests) };
