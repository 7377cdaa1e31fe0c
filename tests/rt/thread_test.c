/*
 * Threads of one program: what they share (heap, locks), what each has of its own (ring, references), and how they
 * end.
 */
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/mutex.h"
#include "rt/park.h"
#include "rt/program.h"
#include "rt/self.h"
#include "rt/thread.h"
#include "tests/rt/rt_test.h"

#define THREADS     4u
#define ROUNDS      2000u
#define MILLISECOND 1000000ull

static uint64_t now_ns(void)
{
	uint64_t now = 0;

	(void)!timer_now(RT_GRANT(timer, "timer"), &now);
	return now;
}

static struct thread *start(int64_t (*run)(void *argument), void *argument)
{
	const struct thread_request request = { .run = run, .argument = argument, .name = "worker" };
	struct thread *thread = NULL;

	return thread_start(&request, &thread) == STATUS_OK ? thread : NULL;
}

/* Whether it exited so; false for one that did not start. */
static int ends_with(struct thread *thread, int64_t status)
{
	struct thread_end end = { PROCESS_STATE_NONE, 0 };

	return thread != NULL && thread_join(thread, &end) == STATUS_OK && end.state == PROCESS_STATE_EXITED &&
			end.status == status;
}

/* --- Their own ------------------------------------------------------------------------------ */

static int64_t call_and_allocate(void *argument)
{
	uint8_t *blocks[16];
	uint32_t seed = (uint32_t)(uintptr_t)argument;
	int64_t wrong = 0;

	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < ARRAY_LEN(blocks); i++) {
			size_t bytes = 16 + (seed * 37 + i * 113 + round) % 900;

			blocks[i] = malloc(bytes);
			if (blocks[i] == NULL)
				return 1000;
			memset(blocks[i], (int)(seed + i), bytes);
		}
		wrong += now_ns() == 0;
		for (uint32_t i = 0; i < ARRAY_LEN(blocks); i++) {
			wrong += blocks[i][0] != (uint8_t)(seed + i);
			free(blocks[i]);
		}
		rt_yield();
	}
	wrong += thread_current() == NULL;
	return wrong;
}

static int refusals_are_each_threads_own(void)
{
	uint32_t copy;
	int right = rt_copy(0xfff0, &copy) == STATUS_BAD_CAPABILITY;
	struct thread *thread = start(call_and_allocate, (void *)9);

	return right & ends_with(thread, 0);
}

static int all_call_and_allocate(void)
{
	struct thread *threads[THREADS];
	int right = 1;

	for (uint32_t i = 0; i < THREADS; i++)
		threads[i] = start(call_and_allocate, (void *)(uintptr_t)(i + 1));
	right &= call_and_allocate((void *)77) == 1;      /* the first thread is none that was started */
	for (uint32_t i = 0; i < THREADS; i++)
		right &= ends_with(threads[i], 0);
	return right;
}

/* --- Mutex and condition -------------------------------------------------------------------- */

static struct mutex lock = MUTEX_INIT;
static struct condition changed = CONDITION_INIT;
static uint64_t counter, items, taken;
static bool closed;

static int64_t count_up(void *argument)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		mutex_lock(&lock);
		counter++;
		/* Now and then somebody else wants it meanwhile. */
		if (i % 64 == 0)
			rt_yield();
		mutex_unlock(&lock);
	}
	return 0;
}

static int a_mutex_excludes(void)
{
	struct thread *threads[THREADS];
	int right = 1;

	counter = 0;
	for (uint32_t i = 0; i < THREADS; i++)
		threads[i] = start(count_up, NULL);
	for (uint32_t i = 0; i < THREADS; i++)
		right &= ends_with(threads[i], 0);
	return right && counter == (uint64_t)THREADS * ROUNDS && mutex_holder(&lock) == 0;
}

static int an_uncontended_mutex_enters_no_kernel(void)
{
	const struct ring_header *header = ring_self()->header;
	uint32_t before;

	ring_self()->header->reply_detail = 0x1234567;
	before = header->reply_id;
	for (uint32_t i = 0; i < 100; i++) {
		mutex_lock(&lock);
		condition_signal(&changed);
		mutex_unlock(&lock);
	}
	/* Each operation that is waited for would have written the reply slot. */
	return header->reply_detail == 0x1234567 && header->reply_id == before;
}

static int64_t consume(void *argument)
{
	int64_t mine = 0;

	mutex_lock(&lock);
	for (;;) {
		while (items == 0 && !closed)
			condition_wait(&changed, &lock);
		if (items == 0)
			break;
		items--;
		taken++;
		mine++;
	}
	mutex_unlock(&lock);
	return mine > 0 ? 0 : 1;
}

static int a_condition_wakes_those_who_wait(void)
{
	struct thread *threads[THREADS];
	int right = 1;

	items = taken = 0;
	closed = false;
	for (uint32_t i = 0; i < THREADS; i++)
		threads[i] = start(consume, NULL);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		mutex_lock(&lock);
		items++;
		mutex_unlock(&lock);
		condition_signal(&changed);
		if (i % 16 == 0)
			rt_yield();
	}
	mutex_lock(&lock);
	closed = true;
	condition_broadcast(&changed);
	mutex_unlock(&lock);
	for (uint32_t i = 0; i < THREADS; i++)
		right &= threads[i] != NULL && thread_join(threads[i], NULL) == STATUS_OK;
	return right && taken == ROUNDS;
}

static int a_condition_waits_no_longer_than_asked(void)
{
	uint64_t begin = now_ns();
	status_t status;

	mutex_lock(&lock);
	status = condition_wait_until(&changed, &lock, begin + 5 * MILLISECOND);
	mutex_unlock(&lock);
	return status == STATUS_DEADLINE_EXCEEDED && now_ns() >= begin + 5 * MILLISECOND;
}

static struct mutex left_behind = MUTEX_INIT;
static uint32_t holder;

static int64_t hold_and_die(void *argument)
{
	mutex_lock(&left_behind);
	__atomic_store_n(&holder, mutex_thread(), __ATOMIC_RELEASE);
	return 3;
}

/* What a thread holds when it ends stays held. */
static int a_mutex_outlives_its_holder(void)
{
	int right = ends_with(start(hold_and_die, NULL), 3);

	return right && mutex_holder(&left_behind) == holder &&
			mutex_lock_until(&left_behind, now_ns() + 2 * MILLISECOND) == STATUS_DEADLINE_EXCEEDED &&
			!mutex_try_lock(&left_behind);
}

/* --- Once, readers and writers -------------------------------------------------------------- */

static struct once once = ONCE_INIT;
static uint32_t runs;

static void run_slowly(void *argument)
{
	for (uint32_t i = 0; i < 20; i++)
		rt_yield();
	__atomic_add_fetch(&runs, 1, __ATOMIC_RELAXED);
}

static int64_t run_once(void *argument)
{
	once_run(&once, run_slowly, NULL);
	return (int64_t)__atomic_load_n(&runs, __ATOMIC_ACQUIRE);
}

static int once_is_once(void)
{
	struct thread *threads[THREADS];
	int right = 1;

	for (uint32_t i = 0; i < THREADS; i++)
		threads[i] = start(run_once, NULL);
	right &= run_once(NULL) == 1;
	for (uint32_t i = 0; i < THREADS; i++)
		right &= ends_with(threads[i], 1);
	return right;
}

static struct rwlock table_lock = RWLOCK_INIT;
static uint64_t table[2];
static uint32_t readers;

static int64_t read_or_write(void *argument)
{
	bool writes = argument != NULL;
	int64_t wrong = 0;

	for (uint32_t i = 0; i < ROUNDS / 4; i++) {
		if (writes) {
			rwlock_write_lock(&table_lock);
			table[0]++;
			if (i % 32 == 0)
				rt_yield();
			table[1]++;
			wrong += __atomic_load_n(&readers, __ATOMIC_RELAXED) != 0;
			rwlock_write_unlock(&table_lock);
		} else {
			rwlock_read_lock(&table_lock);
			__atomic_add_fetch(&readers, 1, __ATOMIC_RELAXED);
			wrong += table[0] != table[1];
			if (i % 32 == 0)
				rt_yield();
			wrong += table[0] != table[1];
			__atomic_sub_fetch(&readers, 1, __ATOMIC_RELAXED);
			rwlock_read_unlock(&table_lock);
		}
	}
	return wrong;
}

static int64_t read_once(void *argument)
{
	rwlock_read_lock(&table_lock);
	rwlock_read_unlock(&table_lock);
	return 0;
}

static int readers_share_and_writers_exclude(void)
{
	struct thread *threads[2 * THREADS];
	int right;

	/* The other reader does not wait for this one. */
	rwlock_read_lock(&table_lock);
	right = ends_with(start(read_once, NULL), 0);
	rwlock_read_unlock(&table_lock);

	for (uint32_t i = 0; i < 2 * THREADS; i++)
		threads[i] = start(read_or_write, i % 4 == 3 ? &table_lock : NULL);
	for (uint32_t i = 0; i < 2 * THREADS; i++)
		right &= ends_with(threads[i], 0);
	return right && table[0] == 2 * (ROUNDS / 4);
}

/* --- Ends ----------------------------------------------------------------------------------- */

static uint32_t never;

static int64_t park_for_ever(void *argument)
{
	return park(&never, 0, 0);
}

static int a_thread_that_sleeps_is_killed(void)
{
	struct thread *thread = start(park_for_ever, NULL);
	struct thread_end end = { PROCESS_STATE_NONE, 0 };

	rt_yield();
	return thread != NULL && thread_kill(thread, 12) == STATUS_OK && thread_join(thread, &end) == STATUS_OK &&
			end.state == PROCESS_STATE_KILLED && end.status == 12;
}

static uint64_t committed_pages(void)
{
	uint64_t pages = 0;

	(void)!virtual_memory_info(RT_GRANT(virtual_memory, "memory"), NULL, &pages, NULL);
	return pages;
}

static int64_t do_nothing(void *argument)
{
	return 0;
}

/* Their memory comes back when others start. */
static int detached_threads_leave_nothing(void)
{
	uint64_t before = committed_pages();

	for (uint32_t i = 0; i < 20; i++) {
		struct thread *thread = start(do_nothing, NULL);

		if (thread == NULL)
			return 0;
		thread_detach(thread);
		for (uint32_t turn = 0; turn < 5; turn++)
			rt_yield();
	}
	for (uint32_t i = 0; i < 1000 && committed_pages() > before; i++) {
		rt_yield();
		if (!ends_with(start(do_nothing, NULL), 0))
			return 0;
	}
	return committed_pages() <= before;
}

/* Of many at a time only a few stay, and who starts next needs no memory. */
static int some_stacks_are_kept(void)
{
	struct thread *threads[12], *next;
	uint64_t least = committed_pages(), kept, running;
	int right = 1;

	for (uint32_t i = 0; i < ARRAY_LEN(threads); i++)
		right &= (threads[i] = start(do_nothing, NULL)) != NULL;
	running = committed_pages();
	for (uint32_t i = 0; i < ARRAY_LEN(threads); i++)
		right &= ends_with(threads[i], 0);
	kept = committed_pages();
	right &= kept - least < (running - least) / 2 + THREAD_STACK_BYTES / 4096;
	next = start(do_nothing, NULL);
	running = committed_pages();
	return right & ends_with(next, 0) & (running == kept) & (committed_pages() == kept);
}

static int64_t join_self(void *argument)
{
	struct thread *const *self = argument;

	while (__atomic_load_n(self, __ATOMIC_ACQUIRE) == NULL)
		rt_yield();
	return thread_join(*self, NULL);
}

static int a_thread_cannot_join_itself(void)
{
	static struct thread *told;
	struct thread *thread = start(join_self, &told);

	__atomic_store_n(&told, thread, __ATOMIC_RELEASE);
	return ends_with(thread, STATUS_WOULD_DEADLOCK);
}

static int64_t run_off_the_limit(void *argument)
{
	return park(&never, 0, 0);
}

/* Until the kernel refuses; then all of it comes back. */
static int threads_are_counted(void)
{
	struct thread *threads[80];
	uint32_t count = 0;
	int right;

	while (count < ARRAY_LEN(threads) && (threads[count] = start(run_off_the_limit, NULL)) != NULL)
		count++;
	right = count > 8 && count < ARRAY_LEN(threads) && (rt_detail() & 0xff) == REASON_LEDGER;
	for (uint32_t i = 0; i < count; i++) {
		right &= thread_kill(threads[i], 0) == STATUS_OK;
		right &= thread_join(threads[i], NULL) == STATUS_OK;
	}
	return right & ends_with(start(do_nothing, NULL), 0);
}

void test_threads(void)
{
	tap(all_call_and_allocate(), "threads call and allocate at the same time");
	tap(refusals_are_each_threads_own(), "what was refused is each thread's own");
	tap(a_mutex_excludes(), "a mutex excludes");
	tap(an_uncontended_mutex_enters_no_kernel(), "a mutex that nobody else wants enters no kernel");
	tap(a_condition_wakes_those_who_wait(), "a condition wakes those who wait");
	tap(a_condition_waits_no_longer_than_asked(), "a condition waits no longer than asked");
	tap(a_mutex_outlives_its_holder(), "a mutex outlives its holder, and says so");
	tap(once_is_once(), "once is once");
	tap(readers_share_and_writers_exclude(), "readers share and writers exclude");
	tap(a_thread_that_sleeps_is_killed(), "a thread that sleeps is killed");
	tap(a_thread_cannot_join_itself(), "a thread cannot join itself");
	tap(some_stacks_are_kept(), "some stacks are kept for the threads to come");
	tap(detached_threads_leave_nothing(), "detached threads leave nothing");
	tap(threads_are_counted(), "threads are counted, and come back");
}
