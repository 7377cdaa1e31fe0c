/*
 * What Linux does for the same purposes as the rows of bench/rows.json, one function a row. Runs as the first process of a
 * machine that has nothing else, prints the lines that tools/runner/bench.py reads, and ends the machine.
 *
 * One tick of the time stamp counter is one guest instruction (QEMU -icount). Values are medians over batches; what two
 * readings of the counter cost is subtracted. Which row stands for what, and why, is in README.md.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define BATCHES      41
#define WARM_BATCHES 2
#define PAGE         4096
#define RING_ENTRIES 64

static uint64_t counter_cost;

static inline uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void fail(const char *what)
{
	printf("FAILED %s\n", what);
	fflush(stdout);
	reboot(RB_POWER_OFF);
}

static void require(int condition, const char *what)
{
	if (!condition)
		fail(what);
}

static int smaller(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Times batches of `count` operations and prints what one of `parts` in each costs. */
static void measure(const char *row, void (*operation)(void), unsigned count, unsigned parts)
{
	static uint64_t batch[BATCHES];

	for (int i = -WARM_BATCHES; i < BATCHES; i++) {
		uint64_t started = ticks();

		for (unsigned n = 0; n < count; n++)
			operation();
		if (i >= 0)
			batch[i] = ticks() - started - counter_cost;
	}
	qsort(batch, BATCHES, sizeof(batch[0]), smaller);
	printf("BENCH %s instructions %lu %lu\n", row,
			(unsigned long)(batch[BATCHES / 2] / count / parts),
			(unsigned long)(batch[0] / count / parts));
	fflush(stdout);
}

/* As the benchmark of capOS: a loop of 200 000 instructions. */
static void calibrate(void)
{
	uint64_t count = 100000, started;

	counter_cost = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		uint64_t first = ticks(), second = ticks();

		if (second - first < counter_cost)
			counter_cost = second - first;
	}
	started = ticks();
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(count) : : "cc");
	printf("BENCH calibration instructions %lu 0\n",
			(unsigned long)(ticks() - started - counter_cost));
}

/* --- System calls ------------------------------------------------------------------------------- */

static void null_call(void)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_getppid) : "rcx", "r11", "memory");
}

static struct io_uring_params ring_params;
static struct io_uring_sqe *ring_entries;
static struct io_uring_cqe *ring_completions;
static unsigned *ring_sq_tail, *ring_cq_head, *ring_cq_tail;
static int ring_file;

static void ring_open(void)
{
	size_t bytes;
	unsigned *array;
	char *queues;

	ring_file = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &ring_params);
	require(ring_file >= 0, "io_uring_setup");
	bytes = ring_params.cq_off.cqes + ring_params.cq_entries * sizeof(struct io_uring_cqe);
	queues = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_file,
			IORING_OFF_SQ_RING);
	ring_entries = mmap(NULL, ring_params.sq_entries * sizeof(*ring_entries),
			PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_file,
			IORING_OFF_SQES);
	require(queues != MAP_FAILED && ring_entries != MAP_FAILED, "mmap of io_uring");
	array = (unsigned *)(void *)(queues + ring_params.sq_off.array);
	for (unsigned i = 0; i < ring_params.sq_entries; i++)
		array[i] = i;
	ring_sq_tail = (unsigned *)(void *)(queues + ring_params.sq_off.tail);
	ring_cq_head = (unsigned *)(void *)(queues + ring_params.cq_off.head);
	ring_cq_tail = (unsigned *)(void *)(queues + ring_params.cq_off.tail);
	ring_completions = (struct io_uring_cqe *)(void *)(queues + ring_params.cq_off.cqes);
}

/* Submits so many no-ops, waits for all, reads their completions. */
static void ring_nops(unsigned count)
{
	unsigned tail = *ring_sq_tail, head = *ring_cq_head;
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *entry = &ring_entries[(tail + i) % ring_params.sq_entries];

		memset(entry, 0, sizeof(*entry));
		entry->opcode = IORING_OP_NOP;
		entry->user_data = i;
	}
	__atomic_store_n(ring_sq_tail, tail + count, __ATOMIC_RELEASE);
	require(syscall(SYS_io_uring_enter, ring_file, count, count, IORING_ENTER_GETEVENTS, NULL,
				0) == (long)count,
			"io_uring_enter");
	for (; head != __atomic_load_n(ring_cq_tail, __ATOMIC_ACQUIRE); head++)
		sum += ring_completions[head % ring_params.cq_entries].user_data;
	__atomic_store_n(ring_cq_head, head, __ATOMIC_RELEASE);
	*(volatile uint64_t *)&sum;
}

static void ring_one(void)
{
	ring_nops(1);
}

static void ring_many(void)
{
	ring_nops(32);
}

/* --- Two processes ------------------------------------------------------------------------------ */

static int to_peer, from_peer;
static size_t message_bytes;
static uint64_t message[128], answer[128];

static void transfer(int file, void *bytes, size_t count, int is_write)
{
	size_t done = 0;

	while (done < count) {
		ssize_t some = is_write ? write(file, (char *)bytes + done, count - done)
					: read(file, (char *)bytes + done, count - done);

		if (some <= 0)
			_exit(0);
		done += (size_t)some;
	}
}

/* One round: numbers filled in, there and back, and read. */
static void round_trip(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < message_bytes / 8; i++)
		message[i] = i;
	transfer(to_peer, message, message_bytes, 1);
	transfer(from_peer, answer, message_bytes, 0);
	for (size_t i = 0; i < message_bytes / 8; i++)
		sum += answer[i];
	*(volatile uint64_t *)&sum;
}

/* The other side: each number comes back one higher. */
static void echo(int in, int out)
{
	for (;;) {
		transfer(in, message, message_bytes, 0);
		for (size_t i = 0; i < message_bytes / 8; i++)
			answer[i] = message[i] + 1;
		transfer(out, message_bytes < 8 ? message : answer, message_bytes, 1);
	}
}

static void measure_pair(const char *row, int there[2], int back[2], size_t bytes)
{
	pid_t peer;

	message_bytes = bytes;
	peer = fork();
	if (peer == 0)
		echo(there[0], back[1]);
	to_peer = there[1];
	from_peer = back[0];
	measure(row, round_trip, 200, 1);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
}

static void calls(void)
{
	int there[2], back[2], pair[2];

	require(pipe(there) == 0 && pipe(back) == 0, "pipe");
	measure_pair("call_empty", there, back, 1);
	require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	measure_pair("call_64", (int[]){ pair[0], pair[1] }, (int[]){ pair[1], pair[0] }, 56);
	measure_pair("call_960", (int[]){ pair[0], pair[1] }, (int[]){ pair[1], pair[0] }, 960);
}

static int event, other_event;

static void signal_once(void)
{
	const uint64_t one = 1;

	require(write(event, &one, 8) == 8, "write to an eventfd");
}

static void signal_and_wait(void)
{
	uint64_t value = 1;

	require(write(event, &value, 8) == 8 && read(other_event, &value, 8) == 8, "eventfd");
}

static void signals(void)
{
	pid_t peer;

	event = eventfd(0, EFD_NONBLOCK);
	measure("signal", signal_once, 200, 1);
	event = eventfd(0, 0);
	other_event = eventfd(0, 0);
	peer = fork();
	while (peer == 0) {
		uint64_t value;

		if (read(event, &value, 8) != 8 || (value = 1, write(other_event, &value, 8)) != 8)
			_exit(0);
	}
	measure("signal_pingpong", signal_and_wait, 200, 1);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
}

static void yield_once(void)
{
	(void)sched_yield();
}

/* Two processes of one fixed priority take strict turns: two switches a round. */
static void yields(void)
{
	struct sched_param fixed = { .sched_priority = 1 }, usual = { 0 };
	pid_t peer;

	require(sched_setscheduler(0, SCHED_FIFO, &fixed) == 0, "sched_setscheduler");
	peer = fork();
	while (peer == 0)
		(void)sched_yield();
	measure("yield", yield_once, 200, 2);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	(void)sched_setscheduler(0, SCHED_OTHER, &usual);
}

/* --- Objects ------------------------------------------------------------------------------------ */

static int page_file;

static void copy_and_close(void)
{
	close(dup(page_file));
}

static void map_touch_unmap(void)
{
	volatile char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, page_file, 0);

	*page = 1;
	munmap((void *)page, PAGE);
}

static void process_cycle(void)
{
	char *arguments[] = { "/nothing", NULL };
	pid_t child = vfork();
	int status;

	if (child == 0) {
		execve(arguments[0], arguments, arguments + 1);
		_exit(9);
	}
	require(waitpid(child, &status, 0) == child && status == 0, "a process");
}

static void *thread_nothing(void *argument)
{
	return argument;
}

static void thread_cycle(void)
{
	pthread_t thread;

	require(pthread_create(&thread, NULL, thread_nothing, NULL) == 0 && pthread_join(thread, NULL) == 0,
			"pthread_create");
}

static void objects(void)
{
	page_file = memfd_create("page", 0);
	require(page_file >= 0 && ftruncate(page_file, PAGE) == 0, "memfd_create");
	map_touch_unmap();
	measure("cap_copy_release", copy_and_close, 200, 1);
	measure("map_touch_unmap", map_touch_unmap, 200, 1);
	measure("thread_cycle", thread_cycle, 10, 1);
	measure("process_cycle", process_cycle, 5, 1);
}

int main(void)
{
	calibrate();
	measure("null_enter", null_call, 1000, 1);
	ring_open();
	measure("nop_1", ring_one, 200, 1);
	measure("nop_32", ring_many, 20, 32);
	calls();
	signals();
	yields();
	objects();
	/* The serial line is drained by interrupts: ending at once would lose the last lines. */
	fflush(stdout);
	tcdrain(1);
	usleep(200000);
	if (ioperm(0x501, 1, 1) == 0)
		outb(0x10, 0x501);
	reboot(RB_POWER_OFF);
	return 0;
}
