/*
 * The kernel's lock and its spin locks with a thread for each processor, under ThreadSanitizer: what is touched exclusively races
 * with nothing, what a spin lock keeps races with nothing inside, and nobody waits for ever. Tickets, doors and the
 * stopping of a processor are the shipped code; a program's turn in user mode is a yield.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/arch/arch.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"

#define PROCESSORS 4u
#define ROUNDS     30000u
#define PATIENCE   120u /* seconds until waiting counts as for ever */

static struct cpu cpus[PROCESSORS];
struct cpu *processors[PROCESSORS_MAX] = { &cpus[0], &cpus[1], &cpus[2], &cpus[3] };
uint32_t processor_count = PROCESSORS;
uint8_t *arch_host_memory;
_Thread_local struct cpu *arch_host_cpu;

/* Plain: only the lock keeps them. */
static uint64_t alone_total;             /* exclusive */
static uint64_t own[PROCESSORS][8];      /* the processor's own inside shared; anybody's exclusive */
static uint64_t shared_total;            /* under the spin lock, inside shared or exclusive */
static struct spinlock shared_lock;
static uint64_t kept[PROCESSORS];        /* registers of the thread that runs there: its own in user mode */
static uint64_t stops;                   /* exclusive */
static uint64_t lets;                    /* exclusive */

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

void arch_host_relax(void)
{
	sched_yield();
}

void arch_space_refresh(void)
{
}

void arch_space_yield(void)
{
}

/* Comes at the next turn in user mode. */
static uint32_t interrupts[PROCESSORS];
static uint32_t calls[PROCESSORS];
void arch_processor_interrupt(const struct cpu *cpu)
{
	__atomic_store_n(&interrupts[cpu->number], 1, __ATOMIC_RELEASE);
}

void arch_processor_call(const struct cpu *cpu)
{
	__atomic_store_n(&calls[cpu->number], 1, __ATOMIC_RELEASE);
}

/* A call that does not come is a test that does not end. */
void arch_sleep_until_called(void)
{
	while (!__atomic_exchange_n(&calls[arch_cpu()->number], 0, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void work_shared(uint32_t number)
{
	own[number][0]++;
	spin_lock(&shared_lock);
	shared_total++;
	spin_unlock(&shared_lock);
}

/* All others stand still: what is theirs is ours, and so are the registers of one that was stopped. */
static void work_exclusive(struct cpu *cpu, uint32_t other)
{
	alone_total++;
	for (uint32_t i = 0; i < PROCESSORS; i++)
		own[i][0] += i;
	if (other != cpu->number) {
		processor_stop(processors[other]);
		kept[other]++;
		stops++;
	}
}

static void user_mode(uint32_t number)
{
	for (uint32_t i = 0; i < 3 && !__atomic_load_n(&interrupts[number], __ATOMIC_ACQUIRE); i++)
		kept[number]++;
	__atomic_store_n(&interrupts[number], 0, __ATOMIC_RELEASE);
}

/* Enters and leaves as core/entry.c does: mostly shared, sometimes on to exclusive, by either way. */
static void *run_processor(void *argument)
{
	struct cpu *cpu = argument;
	uint64_t dice = cpu->number * 2654435761u + 1;

	arch_host_cpu = cpu;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		dice = dice * 6364136223846793005u + 1442695040888963407u;
		if (dice >> 60 == 0) {
			kernel_enter_exclusive(cpu);
			work_exclusive(cpu, (uint32_t)(dice >> 40) % PROCESSORS);
			if (kernel_is_wanted()) {      /* a batch goes on after the others */
				kernel_let_others(cpu);
				work_exclusive(cpu, (uint32_t)(dice >> 44) % PROCESSORS);
				lets++;
			}
		} else {
			(void)!kernel_enter_shared(cpu);
			work_shared(cpu->number);
			if (dice >> 60 == 1 && kernel_upgrade(cpu))
				work_exclusive(cpu, (uint32_t)(dice >> 40) % PROCESSORS);
			else if (dice >> 60 == 2)
				kernel_enter_exclusive(cpu);
		}
		if (dice >> 60 == 3) {
			kernel_leave_idle(cpu);
			sched_yield();
			continue;
		}
		kernel_leave(cpu);
		user_mode(cpu->number);
	}
	(void)!kernel_enter_shared(cpu);
	kernel_leave_idle(cpu);
	return NULL;
}

static void processors_keep_out_of_each_others_way(void **state)
{
	pthread_t threads[PROCESSORS];
	uint64_t own_total = 0;

	kernel_lock.serving = kernel_lock.next;      /* the boot processor has left */
	spin_init(&shared_lock, LOCK_RANK_OBJECT, "shared");
	alarm(PATIENCE);
	for (uint32_t i = 0; i < PROCESSORS; i++)
		cpus[i].number = i;
	for (uint32_t i = 0; i < PROCESSORS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_processor, &cpus[i]), 0);
	for (uint32_t i = 0; i < PROCESSORS; i++)
		pthread_join(threads[i], NULL);
	alarm(0);
	for (uint32_t i = 0; i < PROCESSORS; i++)
		own_total += own[i][0];
	assert_int_equal(own_total, shared_total + alone_total * (PROCESSORS * (PROCESSORS - 1) / 2));
	assert_true(alone_total > ROUNDS / 16 && stops > 0 && lets > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processors_keep_out_of_each_others_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
