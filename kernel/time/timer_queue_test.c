/*
 * Tests of the timer queue against a model: an array that is searched. The hardware timer is a
 * variable.
 */
#include "kernel/time/timer_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/reserved.h"

#define NODES 200

static struct cpu test_cpu;
struct cpu *arch_host_cpu = &test_cpu;
static struct timer_node nodes[NODES];
static bool model_queued[NODES];
static uint64_t model_deadline[NODES];
static uint64_t hardware_ns;
static uint32_t hardware_sets;
static uint32_t fired[NODES];
static uint64_t last_fired_ns;
static struct timer_node *add_again; /* a node that queues itself again when it fires */

void reserved_init(struct cpu *cpu)
{
	(void)cpu;
}

void arch_timer_set(uint64_t deadline_ns)
{
	hardware_ns = deadline_ns;
	hardware_sets++;
}

void spin_debug_acquire(struct spinlock *lock)
{
	(void)lock;
}

void spin_debug_release(struct spinlock *lock)
{
	(void)lock;
}

void panic(const char *format, ...)
{
	fprintf(stderr, "%s\n", format);
	abort();
}

static void fire(struct timer_node *node)
{
	assert_false(node->queue);
	assert_true(node->deadline_ns >= last_fired_ns);
	last_fired_ns = node->deadline_ns;
	fired[node - nodes]++;
	if (node == add_again)
		timer_queue_add(node, node->deadline_ns + 100, fire);
}

static int empty_queue(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < NODES; i++) {
		(void)timer_queue_remove(&nodes[i]);
		model_queued[i] = false;
		fired[i] = 0;
	}
	add_again = NULL;
	(void)timer_queue_run(0);
	last_fired_ns = 0;
	hardware_ns = 0;
	hardware_sets = 0;
	return 0;
}

static uint64_t model_next(void)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < NODES; i++) {
		if (model_queued[i])
			next = MIN(next, model_deadline[i]);
	}
	return next;
}

static void hardware_is_set_only_for_an_earlier_deadline(void **state)
{
	(void)state;
	timer_queue_add(&nodes[0], 500, fire);
	assert_int_equal(hardware_ns, 500);
	timer_queue_add(&nodes[1], 900, fire);
	assert_int_equal(hardware_sets, 1);
	timer_queue_add(&nodes[2], 100, fire);
	assert_int_equal(hardware_ns, 100);
	assert_int_equal(hardware_sets, 2);
	assert_true(timer_queue_remove(&nodes[2]));
	assert_int_equal(hardware_sets, 2);
	/* The early shot finds nothing due and sets the timer again. */
	assert_int_equal(timer_queue_run(100), 500);
	assert_int_equal(hardware_ns, 500);
	assert_int_equal(fired[0] + fired[1] + fired[2], 0);
	/* A shot that comes a little too early is repeated as well. */
	assert_int_equal(timer_queue_run(499), 500);
	assert_int_equal(hardware_sets, 4);
	assert_int_equal(timer_queue_run(500), 900);
	assert_int_equal(fired[0], 1);
}

static void removing_says_whether_it_was_queued(void **state)
{
	(void)state;
	assert_false(timer_queue_remove(&nodes[0]));
	timer_queue_add(&nodes[0], 5, fire);
	assert_int_equal(timer_queue_next(), 5);
	assert_true(timer_queue_remove(&nodes[0]));
	assert_false(timer_queue_remove(&nodes[0]));
	assert_int_equal(timer_queue_next(), UINT64_MAX);
	timer_queue_add(&nodes[0], 5, fire);
	assert_int_equal(timer_queue_run(5), UINT64_MAX);
	assert_false(timer_queue_remove(&nodes[0]));
}

static void a_node_may_queue_itself_again(void **state)
{
	(void)state;
	add_again = &nodes[3];
	timer_queue_add(&nodes[3], 10, fire);
	assert_int_equal(timer_queue_run(250), 310);
	assert_int_equal(fired[3], 3);
}

/* Every due node fires once, in order; no other does; the answers are the model's. */
static void model_run(uint64_t now_ns)
{
	bool due[NODES];

	last_fired_ns = 0;
	for (uint32_t i = 0; i < NODES; i++) {
		due[i] = model_queued[i] && model_deadline[i] <= now_ns;
		fired[i] = 0;
	}
	for (uint32_t i = 0; i < NODES; i++)
		model_queued[i] = model_queued[i] && model_deadline[i] > now_ns;
	assert_int_equal(timer_queue_run(now_ns), model_next());
	for (uint32_t i = 0; i < NODES; i++)
		assert_int_equal(fired[i], due[i]);
}

static void random_use_agrees_with_the_model(void **state)
{
	uint64_t now_ns = 0;

	(void)state;
	srand(1);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % NODES;

		switch (rand() % 8) {
		case 0:
		case 1:
			assert_int_equal(timer_queue_remove(&nodes[i]), model_queued[i]);
			model_queued[i] = false;
			break;
		case 2:
			now_ns += (uint64_t)(rand() % 40);
			model_run(now_ns);
			break;
		default:
			if (model_queued[i])
				break;
			model_deadline[i] = now_ns + (uint64_t)(rand() % 500);
			model_queued[i] = true;
			timer_queue_add(&nodes[i], model_deadline[i], fire);
			break;
		}
		timer_queue_check();
		assert_int_equal(timer_queue_next(), model_next());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(hardware_is_set_only_for_an_earlier_deadline, empty_queue),
		cmocka_unit_test_setup(removing_says_whether_it_was_queued, empty_queue),
		cmocka_unit_test_setup(a_node_may_queue_itself_again, empty_queue),
		cmocka_unit_test_setup(random_use_agrees_with_the_model, empty_queue),
	};

	cpu_add(&test_cpu);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
