/*
 * What Linux does for the same purposes as bench/smp/guest.c, with the same work, and the lines that it prints. Runs as the first
 * process of a machine that has nothing else, and ends the machine; started as another process it only measures.
 *
 *   processes_total   vfork and execve of this program, which maps the block; wait
 *   threads_total     pthread_create to pthread_join; threads_work from opening a gate that all stand at to the last result
 *   call_pairs        one byte through two pipes, there and back
 *   wake              clock_nanosleep to a deadline
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../sort.h"
#include "work.h"

#define BLOCK_FILE 100      /* the descriptor under which workers find the block */
#define PAIRS_MAX  2u

/* Behind the block, shared by all processes */
struct shared {
	uint64_t sums[WORK_WORKERS_MAX];
	uint64_t took_ns[PAIRS_MAX];
	uint32_t arrived;
	uint32_t open;
};

static uint64_t *words;
static struct shared *shared;
static uint32_t rounds = WORK_ROUNDS, calls = WORK_CALLS;
static char *self;

static void end_machine(int status)
{
	fflush(stdout);
	if (getpid() != 1)
		exit(status);
	/* The serial line is drained by interrupts: ending at once would lose the last lines. */
	tcdrain(1);
	usleep(200000);
	if (ioperm(0x501, 1, 1) == 0)
		outb(status ? 0x11 : 0x10, 0x501);
	reboot(RB_POWER_OFF);
}

static void require(bool condition, const char *what)
{
	if (!condition) {
		printf("FAILED %s\n", what);
		end_machine(1);
	}
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void report(const char *id, const char *unit, uint64_t *values, uint32_t count)
{
	sort_values(values, count);
	printf("BENCH %s %s %lu %lu\n", id, unit, (unsigned long)values[count / 2], (unsigned long)values[0]);
	fflush(stdout);
}

static void block_map(void)
{
	char *memory = mmap(NULL, WORK_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, BLOCK_FILE, 0);

	require(memory != MAP_FAILED, "mmap of the block");
	words = (uint64_t *)(void *)memory;
	shared = (struct shared *)(void *)(memory + WORK_BYTES);
}

static uint64_t expected(uint32_t workers)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < workers; i++)
		sum ^= work_part(words, i, workers, rounds);
	return sum;
}

static uint64_t sum_of(uint32_t workers)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < workers; i++) {
		sum ^= shared->sums[i];
		shared->sums[i] = 0;
	}
	return sum;
}

/* --- The block ---------------------------------------------------------------------------------- */

static uint64_t by_processes(uint32_t workers)
{
	char text[3][16], *arguments[] = { self, "work", text[0], text[1], text[2], NULL };
	uint64_t started = now();

	snprintf(text[1], sizeof(text[1]), "%u", workers);
	snprintf(text[2], sizeof(text[2]), "%u", rounds);
	for (uint32_t i = 0; i < workers; i++) {
		snprintf(text[0], sizeof(text[0]), "%u", i);
		if (vfork() == 0) {
			execve(self, arguments, arguments + 5);
			_exit(9);
		}
	}
	for (uint32_t i = 0; i < workers; i++) {
		int status;

		require(wait(&status) > 0 && status == 0, "a worker");
	}
	return now() - started;
}

static uint32_t thread_workers;
static uint64_t thread_ended[WORK_WORKERS_MAX];

static void *thread_work(void *argument)
{
	uint32_t index = (uint32_t)(uintptr_t)argument;

	__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_ACQ_REL);
	while (!__atomic_load_n(&shared->open, __ATOMIC_ACQUIRE))
		sched_yield();
	shared->sums[index] = work_part(words, index, thread_workers, rounds);
	thread_ended[index] = now();
	return NULL;
}

/* Answers the total; *work_ns is what it took once all threads were there. */
static uint64_t by_threads(uint32_t workers, uint64_t *work_ns)
{
	pthread_t threads[WORK_WORKERS_MAX];
	uint64_t started = now(), opened, last = 0;

	shared->arrived = 0;
	shared->open = 0;
	thread_workers = workers;
	for (uintptr_t i = 0; i < workers; i++)
		require(pthread_create(&threads[i], NULL, thread_work, (void *)i) == 0, "pthread_create");
	while (__atomic_load_n(&shared->arrived, __ATOMIC_ACQUIRE) != workers)
		sched_yield();
	opened = now();
	__atomic_store_n(&shared->open, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < workers; i++) {
		pthread_join(threads[i], NULL);
		last = thread_ended[i] > last ? thread_ended[i] : last;
	}
	*work_ns = last - opened;
	return now() - started;
}

static void measure_block(void)
{
	uint64_t processes[2][WORK_REPEATS], total[2][WORK_REPEATS], work[2][WORK_REPEATS];

	const uint64_t right[] = { expected(1), expected(2) };

	for (uint32_t i = 0; i < WORK_REPEATS; i++) {
		for (uint32_t workers = 1; workers <= 2; workers++) {
			uint32_t at = workers - 1;

			processes[at][i] = by_processes(workers);
			require(sum_of(workers) == right[at], "the sum of processes");
			total[at][i] = by_threads(workers, &work[at][i]);
			require(sum_of(workers) == right[at], "the sum of threads");
		}
	}
	report("processes_total_1", "ns", processes[0], WORK_REPEATS);
	report("processes_total_2", "ns", processes[1], WORK_REPEATS);
	report("threads_work_1", "ns", work[0], WORK_REPEATS);
	report("threads_work_2", "ns", work[1], WORK_REPEATS);
	report("threads_total_1", "ns", total[0], WORK_REPEATS);
	report("threads_total_2", "ns", total[1], WORK_REPEATS);
}

/* --- Calls -------------------------------------------------------------------------------------- */

static void pass(int from, int to)
{
	char byte;

	if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
		_exit(0);
}

static void client(uint32_t index, int to, int from)
{
	char byte = 0;
	uint64_t started;

	for (uint32_t i = 0; i < WORK_CALLS_QUICK; i++)
		require(write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1, "a call");
	__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_ACQ_REL);
	while (!__atomic_load_n(&shared->open, __ATOMIC_ACQUIRE))
		sched_yield();
	started = now();
	for (uint32_t i = 0; i < calls; i++)
		require(write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1, "a call");
	shared->took_ns[index] = now() - started;
	_exit(0);
}

static uint64_t by_pairs(uint32_t count)
{
	uint64_t longest = 1;

	shared->arrived = 0;
	shared->open = 0;
	for (uint32_t i = 0; i < count; i++) {
		int there[2], back[2];

		require(pipe(there) == 0 && pipe(back) == 0, "pipe");
		if (fork() == 0) {
			close(there[1]);
			for (;;)
				pass(there[0], back[1]);
		}
		if (fork() == 0)
			client(i, there[1], back[0]);
		close(there[0]);
		close(there[1]);
		close(back[0]);
		close(back[1]);
	}
	while (__atomic_load_n(&shared->arrived, __ATOMIC_ACQUIRE) != count)
		sched_yield();
	__atomic_store_n(&shared->open, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < 2 * count; i++) {
		int status;

		require(wait(&status) > 0 && status == 0, "a pair");
	}
	for (uint32_t i = 0; i < count; i++)
		longest = shared->took_ns[i] > longest ? shared->took_ns[i] : longest;
	return (uint64_t)calls * count * 1000000000u / longest;
}

static void measure_pairs(void)
{
	uint64_t values[PAIRS_MAX][WORK_REPEATS];

	for (uint32_t i = 0; i < WORK_REPEATS; i++) {
		values[0][i] = by_pairs(1);
		values[1][i] = by_pairs(2);
	}
	report("call_pairs_1", "calls_per_s", values[0], WORK_REPEATS);
	report("call_pairs_2", "calls_per_s", values[1], WORK_REPEATS);
}

/* --- Waking up ---------------------------------------------------------------------------------- */

static void measure_wakes(void)
{
	static const struct { const char *id; uint32_t of_1000; } rows[] = {
		{ "wake_p50", 500 }, { "wake_p99", 990 }, { "wake_max", 1000 },
	};
	static uint64_t late[WORK_WAKES];

	for (uint32_t i = 0; i < WORK_WAKES; i++) {
		uint64_t deadline_ns = now() + WORK_WAKE_NS;
		struct timespec deadline = { (time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u) };

		require(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == 0, "clock_nanosleep");
		late[i] = now() - deadline_ns;
	}
	sort_values(late, WORK_WAKES);
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("BENCH %s ns %lu %lu\n", rows[i].id,
				(unsigned long)late[(WORK_WAKES * rows[i].of_1000 - 1) / 1000], (unsigned long)late[0]);
}

/* "work INDEX WORKERS ROUNDS", as capOS's parties. */
static int work(char **arguments)
{
	uint32_t index = (uint32_t)atoi(arguments[0]);

	block_map();
	shared->sums[index] = work_part(words, index, (uint32_t)atoi(arguments[1]), (uint32_t)atoi(arguments[2]));
	return 0;
}

int main(int argc, char **argv)
{
	int file;

	self = argv[0];
	if (argc == 5 && strcmp(argv[1], "work") == 0)
		return work(argv + 2);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "quick") == 0) {
			rounds = WORK_ROUNDS_QUICK;
			calls = WORK_CALLS_QUICK;
		}
	}
	file = memfd_create("block", 0);
	require(file >= 0 && dup2(file, BLOCK_FILE) == BLOCK_FILE && ftruncate(BLOCK_FILE, WORK_BYTES + 4096) == 0,
			"memfd_create");
	block_map();
	work_fill(words);
	measure_block();
	measure_pairs();
	measure_wakes();
	end_machine(0);
	return 0;
}
