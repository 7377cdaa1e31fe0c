/*
 * The benchmark of several processors: first process of the package `bench-smp`, or one of its other parties. Prints
 * medians of what was measured on the kernel's console and powers off, with status 0 if every row was measured; what is
 * made of them, beside Linux, is tools/runner/bench_smp.py's.
 *
 * Times are the wall's as the clock page gives them, so a run says something only while the host has a processor for
 * each of ours. "quick" on the kernel's command line takes a fraction of the work: to see that all of it runs.
 */
#include <stdbool.h>
#include <string.h>

#include "bench/guest/party.h"
#include "bench/smp/work.h"
#include "bench/sort.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/clock.h"
#include "rt/format.h"
#include "rt/park.h"
#include "rt/program.h"
#include "rt/thread.h"

#define PAIRS_MAX 2u
#define FAILED    UINT64_MAX

static struct launch_image image;
static struct memory_object_ref block;
static uint64_t *words;
static uint32_t rounds = WORK_ROUNDS, calls = WORK_CALLS;

static uint64_t now(void)
{
	uint64_t now_ns = 0;

	return clock_now(&now_ns) == STATUS_OK ? now_ns : 0;
}

/* Prints the median and the least of what was measured; false if something was not. */
static bool report(const char *id, const char *unit, uint64_t *values, uint32_t count)
{
	sort_values(values, count);
	if (values[count - 1] == FAILED) {
		rt_print("bench-smp: %s failed", id);
		return false;
	}
	rt_print("BENCH %s %s %lu %lu", id, unit, (unsigned long)values[count / 2], (unsigned long)values[0]);
	return true;
}

/* The number behind the n-th blank of a role. */
static uint32_t role_number(const char *role, uint32_t n)
{
	uint32_t number = 0;

	while (n-- > 0 && role != NULL) {
		role = strchr(role, ' ');
		role = role != NULL ? role + 1 : NULL;
	}
	for (; role != NULL && *role >= '0' && *role <= '9'; role++)
		number = number * 10 + (uint32_t)(*role - '0');
	return number;
}

/* --- The block, by processes -------------------------------------------------------------------- */

/* "work INDEX WORKERS ROUNDS": its exit status is what it found. */
static int work(const char *role)
{
	struct memory_view_ref view = { rt_grant("block", MEMORY_VIEW_INTERFACE_ID) };
	uint64_t address = 0;

	if (virtual_memory_map(RT_GRANT(virtual_memory, "memory"), view, 0, WORK_BYTES, 0, ACCESS_READ, &address) !=
			STATUS_OK)
		return 0;
	rt_exit((int64_t)work_part((const uint64_t *)(uintptr_t)address, role_number(role, 1), role_number(role, 2),
			role_number(role, 3)));
}

/* From starting the first to the end of the last; FAILED if the sum is wrong. */
static uint64_t by_processes(uint32_t workers, uint64_t right)
{
	const struct party_grant grants[] = { { "block", rt_id(block.ref), &memory_object_interface },
		{ "memory", 0, &virtual_memory_interface } };
	struct process_handle_ref processes[WORK_WORKERS_MAX];
	uint64_t started = now(), sum = 0;
	bool good = true;
	char role[32];

	for (uint32_t i = 0; i < workers; i++) {
		format_into(role, sizeof(role), "work %u %u %u", i, workers, rounds);
		if (!party_start(&image, role, grants, 2, &processes[i]))
			return FAILED;
	}
	for (uint32_t i = 0; i < workers; i++) {
		int64_t part = 0;

		good = party_await(processes[i], &part) && good;
		sum ^= (uint64_t)part;
	}
	return good && sum == right ? now() - started : FAILED;
}

static uint64_t expected(uint32_t workers)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < workers; i++)
		sum ^= work_part(words, i, workers, rounds);
	return sum;
}

/* --- The block, by threads ---------------------------------------------------------------------- */

static struct worker {
	uint32_t index, workers;
	uint64_t ended_ns;
} workers_of_threads[WORK_WORKERS_MAX];
static uint32_t threads_here, gate;      /* how many stand at the gate; 1: it is open */

static int64_t thread_work(void *argument)
{
	struct worker *worker = argument;
	uint64_t sum;

	__atomic_add_fetch(&threads_here, 1, __ATOMIC_ACQ_REL);
	unpark(&threads_here, PARK_ALL);
	while (!__atomic_load_n(&gate, __ATOMIC_ACQUIRE))
		(void)!park(&gate, 0, 0);
	sum = work_part(words, worker->index, worker->workers, rounds);
	worker->ended_ns = now();
	return (int64_t)sum;
}

static void await_threads(uint32_t workers)
{
	uint32_t here;

	while ((here = __atomic_load_n(&threads_here, __ATOMIC_ACQUIRE)) != workers)
		(void)!park(&threads_here, here, 0);
}

/* From starting the first to having joined the last; *work_ns from opening the gate to the last result. */
static uint64_t by_threads(uint32_t workers, uint64_t right, uint64_t *work_ns)
{
	struct thread *threads[WORK_WORKERS_MAX];
	uint64_t started = now(), opened, last = 0, sum = 0;
	bool good = true;

	threads_here = 0;
	gate = 0;
	for (uint32_t i = 0; i < workers; i++) {
		workers_of_threads[i] = (struct worker){ .index = i, .workers = workers };
		if (thread_start(&(struct thread_request){ .run = thread_work, .argument = &workers_of_threads[i] },
				    &threads[i]) != STATUS_OK)
			return *work_ns = FAILED;
	}
	await_threads(workers);
	opened = now();
	__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
	unpark(&gate, PARK_ALL);
	for (uint32_t i = 0; i < workers; i++) {
		struct thread_end end = { 0 };

		good = thread_join(threads[i], &end) == STATUS_OK && end.state == PROCESS_STATE_EXITED && good;
		sum ^= (uint64_t)end.status;
		last = MAX(last, workers_of_threads[i].ended_ns);
	}
	good = good && sum == right;
	*work_ns = good ? last - opened : FAILED;
	return good ? now() - started : FAILED;
}

/* One and two in turns, threads and processes, so that whatever else the host does meets all. */
static bool measure_block(void)
{
	static uint64_t processes[WORK_WORKERS_MAX][WORK_REPEATS], total[WORK_WORKERS_MAX][WORK_REPEATS],
			work_only[WORK_WORKERS_MAX][WORK_REPEATS];
	const uint64_t right[WORK_WORKERS_MAX] = { expected(1), expected(2) };

	for (uint32_t i = 0; i < WORK_REPEATS; i++) {
		for (uint32_t workers = 1; workers <= WORK_WORKERS_MAX; workers++) {
			uint32_t at = workers - 1;

			processes[at][i] = by_processes(workers, right[at]);
			total[at][i] = by_threads(workers, right[at], &work_only[at][i]);
		}
	}
	return report("processes_total_1", "ns", processes[0], WORK_REPEATS) &&
			report("processes_total_2", "ns", processes[1], WORK_REPEATS) &&
			report("threads_work_1", "ns", work_only[0], WORK_REPEATS) &&
			report("threads_work_2", "ns", work_only[1], WORK_REPEATS) &&
			report("threads_total_1", "ns", total[0], WORK_REPEATS) &&
			report("threads_total_2", "ns", total[1], WORK_REPEATS);
}

/* --- Calls, by pairs of processes --------------------------------------------------------------- */

static struct pair {
	struct bench_target_ref target;
	struct process_handle_ref server, client;
} pairs[PAIRS_MAX];
static struct notification_ref ready, go;

/* "calls INDEX COUNT": its exit status is how long they took, in nanoseconds; 0 if one failed. */
static int call_away(const char *role)
{
	struct bench_target_ref target = RT_GRANT(bench_target, "target");
	uint64_t bit = 1ull << role_number(role, 1), started, bits;
	uint32_t count = role_number(role, 2);
	status_t worst = STATUS_OK;

	for (uint32_t i = 0; i < WORK_CALLS_QUICK; i++)
		worst |= bench_target_nothing(target);
	worst |= rt_signal(rt_id(rt_grant("ready", NOTIFICATION_INTERFACE_ID)), bit);
	worst |= rt_wait_bits(rt_id(rt_grant("go", NOTIFICATION_INTERFACE_ID)), bit, &bits);
	started = now();
	for (uint32_t i = 0; i < count; i++)
		worst |= bench_target_nothing(target);
	rt_exit(worst == STATUS_OK ? (int64_t)(now() - started) : 0);
}

static bool pairs_open(void)
{
	for (uint32_t i = 0; i < PAIRS_MAX; i++) {
		struct endpoint_ref endpoint;

		if (!party_target(&endpoint, &pairs[i].target) ||
				!party_start(&image, "serve",
						&(struct party_grant){ "serve", rt_id(endpoint.ref), &endpoint_interface },
						1, &pairs[i].server))
			return false;
	}
	return object_factory_notification(party_authority.factory, &ready) == STATUS_OK &&
			object_factory_notification(party_authority.factory, &go) == STATUS_OK;
}

/* All clients stand ready before the first begins: calls a second of all together. */
static uint64_t by_pairs(uint32_t count)
{
	uint64_t all = (1ull << count) - 1, arrived = 0, bits, longest = 0;
	bool good = true;
	char role[32];

	for (uint32_t i = 0; i < count; i++) {
		const struct party_grant grants[] = { { "target", rt_id(pairs[i].target.ref), &bench_target_interface },
			{ "ready", rt_id(ready.ref), &notification_interface },
			{ "go", rt_id(go.ref), &notification_interface },
			{ "timer", rt_id(rt_grant("timer", TIMER_INTERFACE_ID)), &timer_interface },
			{ "memory", 0, &virtual_memory_interface } };

		format_into(role, sizeof(role), "calls %u %u", i, calls);
		if (!party_start(&image, role, grants, 5, &pairs[i].client))
			return FAILED;
	}
	while (arrived != all) {
		if (rt_wait_bits(rt_id(ready.ref), all, &bits) != STATUS_OK)
			return FAILED;
		arrived |= bits;
	}
	if (rt_signal(rt_id(go.ref), all) != STATUS_OK)
		return FAILED;
	for (uint32_t i = 0; i < count; i++) {
		int64_t took_ns = 0;

		good = party_await(pairs[i].client, &took_ns) && took_ns > 0 && good;
		longest = MAX(longest, (uint64_t)took_ns);
	}
	return good ? (uint64_t)calls * count * 1000000000u / longest : FAILED;
}

/* For a kernel that says which cache lines it writes: both pairs for a long time, nothing else. "together": both
 * clients call one server. */
static bool pairs_alone(bool together)
{
	calls = WORK_CALLS_LONG;
	if (!pairs_open())
		return false;
	if (together)
		pairs[1].target = pairs[0].target;
	return by_pairs(2) != FAILED;
}

static bool measure_pairs(void)
{
	uint64_t values[PAIRS_MAX][WORK_REPEATS];

	if (!pairs_open())
		return false;
	for (uint32_t i = 0; i < WORK_REPEATS; i++) {
		values[0][i] = by_pairs(1);
		values[1][i] = by_pairs(2);
	}
	return report("call_pairs_1", "calls_per_s", values[0], WORK_REPEATS) &&
			report("call_pairs_2", "calls_per_s", values[1], WORK_REPEATS);
}

/* --- Waking up ---------------------------------------------------------------------------------- */

/* How late a sleeper comes back, on a machine that has nothing else to do. */
static bool measure_wakes(void)
{
	static const struct { const char *id; uint32_t of_1000; } rows[] = {
		{ "wake_p50", 500 }, { "wake_p99", 990 }, { "wake_max", 1000 },
	};
	static uint64_t late[WORK_WAKES];
	struct timer_ref timer = RT_GRANT(timer, "timer");

	for (uint32_t i = 0; i < WORK_WAKES; i++) {
		uint64_t deadline_ns = now() + WORK_WAKE_NS;

		if (timer_sleep_until(timer, deadline_ns) != STATUS_OK)
			return false;
		late[i] = now() - deadline_ns;
	}
	sort_values(late, WORK_WAKES);
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++)
		rt_print("BENCH %s ns %lu %lu", rows[i].id,
				(unsigned long)late[(WORK_WAKES * rows[i].of_1000 - 1) / 1000], (unsigned long)late[0]);
	return true;
}

/* --- The first process -------------------------------------------------------------------------- */

static bool prepare(const char *command_line)
{
	uint64_t address = 0;

	if (strstr(command_line, "quick") != NULL) {
		rounds = WORK_ROUNDS_QUICK;
		calls = WORK_CALLS_QUICK;
	}
	if (!party_program_open("bin/init", &image) ||
			object_factory_memory(party_authority.factory, WORK_BYTES, &block) != STATUS_OK ||
			virtual_memory_map(party_authority.memory, memory_object_as_memory_view(block), 0, WORK_BYTES, 0,
					ACCESS_READ_WRITE, &address) != STATUS_OK)
		return false;
	words = (uint64_t *)(uintptr_t)address;
	work_fill(words);
	return true;
}

int main(int argc, char **argv)
{
	struct system_control_ref system = RT_GRANT(system_control, "system");
	const char *role = argc > 1 ? argv[1] : "";
	bool good;

	if (client_ref_is_null(system.ref)) {
		if (strncmp(role, "work", 4) == 0)
			return work(role);
		return strncmp(role, "calls", 5) == 0 ? call_away(role) : peer_serve();
	}
	good = prepare(role);
	if (strstr(role, "pairs") != NULL)
		good = good && pairs_alone(strstr(role, "together") != NULL);
	else
		good = good && measure_block() && measure_pairs() && measure_wakes();
	(void)!system_control_power_off(system, good ? 0 : 1);
	return 1;
}
