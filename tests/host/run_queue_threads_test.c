/*
 * The run queues of several processors with a thread for each, under ThreadSanitizer: run_queue.c and balance.c with the locks that
 * sched.c takes around them. Entities run, take turns, go to sleep and are woken by any processor, are stolen and given
 * away. Who runs an entity is alone with it, and all that is known of a queue without its lock is its count and load.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/core/panic.h"
#include "kernel/sched/balance.h"
#include "kernel/sched/cpu.h"
#include "tests/host/seeded.h"

#define PROCESSORS 4u
#define ENTITIES   24u
#define ROUNDS     40000u
#define EVERYWHERE ((1ull << PROCESSORS) - 1)
#define SLICE      400u
#define INTERVAL   2000u

/* The counts of other queues are looked at by volatile reads; with -tsan-distinguish-volatile those come here. */
#define VOLATILE(name) void name(void *address)
VOLATILE(__tsan_volatile_read1);
VOLATILE(__tsan_volatile_read2);
VOLATILE(__tsan_volatile_read4);
VOLATILE(__tsan_volatile_read8);
VOLATILE(__tsan_volatile_write1);
VOLATILE(__tsan_volatile_write4);
VOLATILE(__tsan_volatile_write8);
VOLATILE(__tsan_volatile_read1) { }
VOLATILE(__tsan_volatile_read2) { }
VOLATILE(__tsan_volatile_read4) { }
VOLATILE(__tsan_volatile_read8) { }
VOLATILE(__tsan_volatile_write1) { }
VOLATILE(__tsan_volatile_write4) { }
VOLATILE(__tsan_volatile_write8) { }

struct worker {
	struct sched_entity entity;
	struct worker *next;            /* asleep */
	uint64_t runs;                  /* of whoever runs it */
};

static struct cpu cpus[PROCESSORS];
struct cpu *processors[PROCESSORS_MAX] = { &cpus[0], &cpus[1], &cpus[2], &cpus[3] };
static struct run_queue *queues[PROCESSORS] = { &cpus[0].queue, &cpus[1].queue, &cpus[2].queue, &cpus[3].queue };
uint32_t processor_count = PROCESSORS;
uint8_t *arch_host_memory;
_Thread_local struct cpu *arch_host_cpu;

static struct worker workers[ENTITIES];
static struct spinlock sleep_lock;      /* what a wait has in the kernel */
static struct worker *asleep;
static uint64_t ticks;                  /* a */
static uint64_t runs_total, steals, moves, leaves;   /* a */
static bool seeded;

void panic(const char *format, ...)
{
	fprintf(stderr, "panic: %s\n", format);
	abort();
}

void arch_host_relax(void)
{
	sched_yield();
}

static struct worker *worker_of(struct sched_entity *entity)
{
	return entity ? container_of(entity, struct worker, entity) : NULL;
}

/* --- As sched.c ----------------------------------------------------------------------------------- */

static uint64_t now_ticks(void)
{
	return __atomic_add_fetch(&ticks, 7, __ATOMIC_RELAXED);
}

static struct cpu *cpu_of(struct run_queue *queue)
{
	return container_of(queue, struct cpu, queue);
}

static struct run_queue *queue_lock(struct cpu *cpu) NO_LOCK_ANALYSIS
{
	spin_lock(&cpu->queue_lock);
	run_queue_charge(&cpu->queue, now_ticks());
	return &cpu->queue;
}

static void queue_unlock(struct cpu *cpu) NO_LOCK_ANALYSIS
{
	spin_unlock(&cpu->queue_lock);
}

/* An entity that runs nowhere waits on this processor for its turn. */
static void place(struct cpu *cpu, struct sched_entity *entity)
{
	if (entity->queue && entity->queue != &cpu->queue) {
		struct cpu *home = cpu_of(entity->queue);

		(void)queue_lock(home);
		if (entity->place == SCHED_ASLEEP) {
			run_queue_leave(entity);
			__atomic_add_fetch(&leaves, 1, __ATOMIC_RELAXED);
		}
		queue_unlock(home);
	}
	run_queue_join(queue_lock(cpu), entity);
	queue_unlock(cpu);
}

static void wake(struct worker *worker)
{
	place(cpu_of(run_queue_choose(queues, EVERYWHERE, &worker->entity)), &worker->entity);
}

static void balance(struct cpu *cpu)
{
	uint64_t candidates = EVERYWHERE & ~run_queue_bit(&cpu->queue);
	struct run_queue *to;

	if (!run_queue_balance_due(&cpu->queue, now_ticks()))
		return;
	while ((to = run_queue_lightest(queues, &candidates, &cpu->queue)) != NULL) {
		struct run_queue *queue = queue_lock(cpu);
		struct sched_entity *entity = run_queue_give(queue, to, queue->time_ticks, INTERVAL);

		queue_unlock(cpu);
		if (entity) {
			__atomic_add_fetch(&moves, 1, __ATOMIC_RELAXED);
			place(cpu_of(to), entity);
			return;
		}
	}
}

static struct worker *steal(struct cpu *cpu)
{
	uint64_t candidates = EVERYWHERE & ~run_queue_bit(&cpu->queue);
	struct run_queue *from;

	while ((from = run_queue_busiest(queues, &candidates)) != NULL) {
		struct run_queue *queue = seeded ? from : queue_lock(cpu_of(from));
		struct sched_entity *entity = run_queue_give(queue, &cpu->queue, queue->time_ticks, INTERVAL);

		if (!seeded)
			queue_unlock(cpu_of(from));
		if (!entity)
			continue;
		__atomic_add_fetch(&steals, 1, __ATOMIC_RELAXED);
		run_queue_enter(queue_lock(cpu), entity);
		queue_unlock(cpu);
		return worker_of(entity);
	}
	return NULL;
}

/* The runner, if there is one, sleeps or has had its turn: who is next. */
static struct worker *next(struct cpu *cpu, bool sleeps)
{
	struct run_queue *queue = queue_lock(cpu);
	struct sched_entity *entity;

	if (queue->runner && !sleeps) {
		entity = run_queue_turn(queue);
	} else {
		if (queue->runner)
			run_queue_sleep(queue);
		entity = run_queue_pick(queue);
	}
	queue_unlock(cpu);
	return entity ? worker_of(entity) : steal(cpu);
}

/* --- What happens ----------------------------------------------------------------------------------- */

static void fall_asleep(struct worker *worker)
{
	spin_lock(&sleep_lock);
	worker->next = asleep;
	asleep = worker;
	spin_unlock(&sleep_lock);
}

static void wake_somebody(void)
{
	struct worker *worker;

	spin_lock(&sleep_lock);
	worker = asleep;
	if (worker)
		asleep = worker->next;
	spin_unlock(&sleep_lock);
	if (worker)
		wake(worker);
}

static void *run_processor(void *argument)
{
	struct cpu *cpu = argument;
	uint64_t dice = cpu->number * 2654435761u + 1, runs = 0;
	struct worker *current = NULL;

	arch_host_cpu = cpu;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct worker *sleeper = NULL;

		dice = dice * 6364136223846793005u + 1442695040888963407u;
		if (current) {
			current->runs++;
			runs++;
			if (dice >> 62 == 0)
				sleeper = current;
		}
		current = next(cpu, sleeper != NULL);
		/* It can be woken from here on, as it can where a processor has let go of its thread. */
		if (sleeper)
			fall_asleep(sleeper);
		if (dice >> 61 & 1)
			wake_somebody();
		if ((dice >> 56 & 15) == 0)
			balance(cpu);
	}
	(void)next(cpu, false);
	__atomic_add_fetch(&runs_total, runs, __ATOMIC_RELAXED);
	return NULL;
}

static bool run(void)
{
	pthread_t threads[PROCESSORS];
	uint64_t runs = 0;

	spin_init(&sleep_lock, LOCK_RANK_OBJECT, "sleep");
	arch_host_cpu = &cpus[0];
	for (uint32_t i = 0; i < PROCESSORS; i++) {
		cpus[i].number = i;
		spin_init(&cpus[i].queue_lock, LOCK_RANK_RUN_QUEUE, "run queue");
		run_queue_init(&cpus[i].queue, i);
	}
	for (uint32_t i = 0; i < ENTITIES; i++) {
		sched_entity_init(&workers[i].entity, 50 + 10 * i, SLICE, i % 5 ? SCHED_ANYWHERE : 1ull << i % PROCESSORS);
		wake(&workers[i]);
	}
	for (uint32_t i = 0; i < PROCESSORS; i++) {
		if (pthread_create(&threads[i], NULL, run_processor, &cpus[i]) != 0)
			return false;
	}
	for (uint32_t i = 0; i < PROCESSORS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < PROCESSORS; i++)
		run_queue_check(&cpus[i].queue);
	for (uint32_t i = 0; i < ENTITIES; i++)
		runs += workers[i].runs;
	fprintf(stderr, "# %lu runs, %lu stolen, %lu given, %lu woken elsewhere\n", runs, steals, moves, leaves);
	return runs == runs_total && steals > 0 && moves > 0;
}

static void who_runs_is_alone_with_what_runs(void **state)
{
	assert_true(run());
}

static void a_theft_without_the_lock_is_found(void **state)
{
	assert_true(seeded_race_is_found());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_theft_without_the_lock_is_found),
		cmocka_unit_test(who_runs_is_alone_with_what_runs),
	};

	seeded = seeded_is_asked(argc, argv);
	if (seeded)
		return run() ? 0 : 1;
	(void)alarm(2 * SEEDED_PATIENCE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
