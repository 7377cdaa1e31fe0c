/*
 * The controller: starts workers, moves them between processors and kills them wherever they are,
 * joins them, and does the same with processes full of threads beside them. At the end everything
 * has come back: the ledger is what it was, and the kernel's own walk over all that it has finds
 * nothing wrong.
 */
#include "tests/stress/stress.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/launch.h"
#include "rt/program.h"

#define MILLISECOND  1000000ull
#define SECOND       (1000 * MILLISECOND)
#define SECONDS      3u              /* where the command line does not say */
#define PAGE         4096ull
#define CROWD        5u
#define THREADS_MAX  8u

static struct worker workers[WORKERS];
static uint64_t started, killed, moved, crowds;
static struct scheduling_policy_ref policy;
static uint64_t seconds = SECONDS;

/* --- Workers ---------------------------------------------------------------------------------- */

static bool worker_start(uint32_t place, enum kind kind, uint64_t seed)
{
	struct worker *worker = &workers[place];
	const struct thread_request request = { .run = worker_run, .argument = worker, .name = "worker",
		.stack_bytes = 0x4000 };

	*worker = (struct worker){ .kind = kind, .chance = { seed | 1 }, .range = RANGES_BASE + place * RANGE_BYTES };
	if (thread_start(&request, &worker->thread) != STATUS_OK) {
		worker->thread = NULL;
		return false;
	}
	started++;
	return true;
}

/* Waits for its end and gives back what it has left in its own addresses. */
static void worker_join(struct worker *worker, bool may_be_killed)
{
	struct thread_end end = { PROCESS_STATE_NONE, 0 };

	CHECK_EQUAL(thread_join(worker->thread, &end), STATUS_OK);
	CHECK(end.state == PROCESS_STATE_EXITED || (may_be_killed && end.state == PROCESS_STATE_KILLED));
	killed += end.state == PROCESS_STATE_KILLED;
	CHECK_EQUAL(virtual_memory_unmap(world.memory, worker->range, RANGE_BYTES), STATUS_OK);
	worker->thread = NULL;
}

static void worker_kill(struct worker *worker)
{
	CHECK_EQUAL(thread_kill(worker->thread, 1), STATUS_OK);
	worker_join(worker, true);
}

/* --- Processes -------------------------------------------------------------------------------- */

/* A child: a few workers, of kinds that need nothing but threads; then it waits to be killed. */
static int crowd_role(const char *arg)
{
	static const enum kind kinds[] = { KIND_PARKS, KIND_CALLS, KIND_SERVES, KIND_YIELDS, KIND_LOCKS };

	stage.endpoint = grant_id("endpoint");
	stage.export = grant_id("export");
	for (uint32_t i = 0; i < CROWD; i++)
		(void)worker_start(i, kinds[i], number_of(arg) + i * 77);
	for (;;)
		sleep_ns(SECOND);
}

static struct process_handle_ref crowd_start(void)
{
	const struct launch_limit limit = { RESOURCE_CLASS_THREADS, THREADS_MAX };
	const struct child_spec spec = { .role = "crowd",
		.arg = "12345",
		.limits = &limit,
		.limit_count = 1,
		.grants = { { "threads", OWN_THREADS }, { "memory", 0 }, { "timer", rt_id(world.timer.ref) },
				{ "endpoint", stage.endpoint }, { "export", stage.export } },
		.interfaces = { &thread_spawner_interface, &virtual_memory_interface, &timer_interface } };

	crowds++;
	return child_start(&spec);
}

/* --- Moves ------------------------------------------------------------------------------------ */

static uint32_t processors(void)
{
	struct system_info_describe_params_builder params;
	struct system_info_describe_call call = system_info_describe_begin(world.info, &params);
	uint32_t count = 0;

	system_info_describe_send(&call);
	if (system_info_describe_wait(&call) == STATUS_OK)
		count = system_info_describe_results_get_processors(system_info_describe_results(&call));
	system_info_describe_done(&call);
	return count;
}

/* Another weight and class for a thread or process, and other processors, perhaps not the one that it is on. */
static void move(struct chance *chance, struct client_ref target)
{
	uint32_t all = (1u << processors()) - 1;
	enum latency_class class = (enum latency_class)(1 + chance_below(chance, LATENCY_CLASS_BATCH));

	CHECK_EQUAL(scheduling_policy_apply(policy, target, 50 + chance_below(chance, 100), class,
				    1 + chance_below(chance, all)),
			STATUS_OK);
	moved++;
}

/* --- The run ---------------------------------------------------------------------------------- */

static void turn(struct chance *chance)
{
	struct worker *worker = &workers[chance_below(chance, WORKERS)];

	if (chance_below(chance, 3) == 0 && worker->thread)
		move(chance, rt_ref(thread_handle_of(worker->thread)));
	if (worker->thread == NULL)
		CHECK(worker_start((uint32_t)(worker - workers), (enum kind)chance_below(chance, KINDS),
				chance_next(chance)));
	else if (worker->kind < KIND_LOCKS && chance_below(chance, 2))
		worker_kill(worker);
	else
		sleep_ns(chance_below(chance, 3) * MILLISECOND);
}

static void stop_all(void)
{
	__atomic_store_n(&stage.stop, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < WORKERS; i++) {
		if (workers[i].thread == NULL)
			continue;
		/* Whoever may wait for something that will not come any more is killed. */
		if (workers[i].kind < KIND_LOCKS)
			worker_kill(&workers[i]);
		else
			worker_join(&workers[i], false);
	}
}

static void stage_open(void)
{
	struct memory_object_ref object = { 0 };

	memset(&stage, 0, sizeof(stage));
	stage.endpoint = endpoint_new();
	stage.export = export_new(stage.endpoint, 1, true);
	CHECK_EQUAL(scheduling_control_policy(RT_GRANT(scheduling_control, "scheduling"), &policy), STATUS_OK);
	CHECK_EQUAL(object_factory_memory(world.factory, PAGE, &object), STATUS_OK);
	stage.object = rt_id(object.ref);
}

static void stage_close(void)
{
	client_release(policy.ref);
	CHECK_EQUAL(release(stage.export), STATUS_OK);
	CHECK_EQUAL(release(stage.endpoint), STATUS_OK);
	CHECK_EQUAL(release(stage.object), STATUS_OK);
}

static void threads_come_and_go(void)
{
	struct chance chance = { 0x5eed0001 };
	uint64_t end_ns = now_ns() + seconds * SECOND, crowd_ns = 0;
	struct process_handle_ref crowd = { 0 };

	stage_open();
	for (uint32_t i = 0; i < KINDS; i++)
		CHECK(worker_start(i, (enum kind)i, chance_next(&chance)));
	while (now_ns() < end_ns) {
		turn(&chance);
		if (!client_ref_is_null(crowd.ref) && chance_below(&chance, 8) == 0)
			move(&chance, crowd.ref);
		if (now_ns() < crowd_ns)
			continue;
		if (!client_ref_is_null(crowd.ref))
			child_kill(crowd);
		crowd = crowd_start();
		crowd_ns = now_ns() + (20 + chance_below(&chance, 150)) * MILLISECOND;
	}
	stop_all();
	child_kill(crowd);
	CHECK_EQUAL(stage.wrong, 0);
	CHECK_EQUAL(stage.pair[0], stage.pair[1]);
	/* With more processors than the host has, little may be done in any time. */
	for (uint32_t i = 0; i < KINDS; i++)
		CHECK(stage.done[i] > 0 || processors() > 1);
	tap_note("%lu s: %lu threads started, %lu killed, %lu moved, %lu crowds; done: %lu parks "
		 "%lu calls %lu serves %lu maps %lu yields %lu locks",
			seconds, started, killed, moved, crowds, stage.done[KIND_PARKS],
			stage.done[KIND_CALLS], stage.done[KIND_SERVES], stage.done[KIND_MAPS],
			stage.done[KIND_YIELDS], stage.done[KIND_LOCKS]);
	stage_close();
}

/* Page tables stay where something was mapped once: those that workers will need are made before. */
static void ranges_prepare(void)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		uint64_t address = RANGES_BASE + i * RANGE_BYTES;

		CHECK_EQUAL(virtual_memory_reserve(world.memory, RANGE_BYTES, address, &address), STATUS_OK);
		CHECK_EQUAL(virtual_memory_commit(world.memory, address, RANGE_BYTES, ACCESS_READ_WRITE), STATUS_OK);
		CHECK_EQUAL(virtual_memory_unmap(world.memory, address, RANGE_BYTES), STATUS_OK);
	}
}

static struct usage usage_before;

static void before(void)
{
	usage_before = usage_self();
}

static void after(void)
{
	CHECK(usage_settles(&usage_before));
	kernel_check();
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "crowd", crowd_role } };
	static const struct test tests[] = { { "threads come and go", threads_come_and_go } };
	const char *asked;

	role_main(argc, argv, roles, ARRAY_LEN(roles));
	asked = argc > 1 ? strstr(argv[1], "seconds=") : NULL;
	if (asked)
		seconds = number_of(asked + strlen("seconds="));
	world_init(true);
	(void)now_ns();
	stage_open();
	child_kill(crowd_start());
	stage_close();
	ranges_prepare();
	tap_run(tests, ARRAY_LEN(tests), before, after);
	tap_end();
}
