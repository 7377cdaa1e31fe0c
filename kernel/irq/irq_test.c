/*
 * Tests of interrupt lines: ownership, masking and waiting, step by step and at random against the
 * rule that a line is unmasked exactly while it is owned and has not fired since the last acknowledgement.
 */
#include "kernel/irq/irq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capos/kernel.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/object/binding.h"
#include "kernel/object/interrupt.h"
#include "kernel/ring/ring.h"

#define LINE 5u
#define QUESTIONS 4u

static bool unmasked[ARCH_IRQ_LINES];
static struct question questions[QUESTIONS];
static uint32_t answers;
static status_t answer_status;
static uint64_t answer_count;
static struct list bindings = LIST_INIT(bindings);
static uint32_t told;

void arch_irq_enable(uint32_t line)
{
	unmasked[line] = true;
}

void arch_irq_disable(uint32_t line)
{
	unmasked[line] = false;
}

void interrupt_answer(struct question *question, status_t status, uint64_t detail, uint64_t count)
{
	assert_false(list_queued(&question->link));
	answers++;
	answer_status = status;
	answer_count = count;
}

void bindings_fire(struct list *fired_bindings)
{
	assert_ptr_equal(fired_bindings, &bindings);
	told++;
}

static int line_claimed(void **state)
{
	(void)state;
	answers = 0;
	told = 0;
	for (uint32_t i = 0; i < QUESTIONS; i++)
		list_init(&questions[i].link);
	assert_int_equal(irq_claim(LINE, &bindings), IRQ_CLAIMED);
	return 0;
}

static int line_released(void **state)
{
	(void)state;
	irq_release(LINE);
	assert_false(unmasked[LINE]);
	return 0;
}

static void a_line_has_one_owner(void **state)
{
	(void)state;
	assert_true(unmasked[LINE]);
	assert_int_equal(irq_claim(LINE, &bindings), IRQ_TAKEN);
	irq_release(LINE);
	assert_int_equal(irq_claim(LINE, &bindings), IRQ_CLAIMED);
}

static void some_lines_are_nobodys(void **state)
{
	(void)state;
	assert_int_equal(irq_claim(0, &bindings), IRQ_NONE);
	assert_int_equal(irq_claim(2, &bindings), IRQ_NONE);
	assert_int_equal(irq_claim(ARCH_IRQ_LINES, &bindings), IRQ_NONE);
	assert_int_equal(irq_claim(UINT32_MAX, &bindings), IRQ_NONE);
}

static void a_line_is_masked_from_arrival_to_acknowledgement(void **state)
{
	uint64_t count;

	(void)state;
	assert_false(irq_wait(LINE, &questions[0], &count));
	assert_false(irq_wait(LINE, &questions[1], &count));
	kernel_irq(LINE);
	assert_false(unmasked[LINE]);
	assert_int_equal(answers, 2);
	assert_int_equal(answer_status, STATUS_OK);
	assert_int_equal(answer_count, 1);
	/* Fired and not acknowledged: waiting answers at once. */
	assert_true(irq_wait(LINE, &questions[0], &count));
	assert_int_equal(count, 1);
	irq_acknowledge(LINE);
	assert_true(unmasked[LINE]);
	assert_false(irq_wait(LINE, &questions[0], &count));
	assert_true(irq_wait_cancel(LINE, &questions[0]));
	assert_false(irq_wait_cancel(LINE, &questions[0]));
	assert_int_equal(told, 1);
	kernel_irq(LINE);
	assert_int_equal(answers, 2);
	assert_int_equal(told, 2); /* bindings are told each time */
	assert_true(irq_has_fired(LINE));
}

static void waiting_ends_with_the_owner(void **state)
{
	uint64_t count;

	(void)state;
	assert_false(irq_wait(LINE, &questions[0], &count));
	irq_release(LINE);
	assert_int_equal(answers, 1);
	assert_int_equal(answer_status, STATUS_DISCONNECTED);
	/* The next owner begins afresh. */
	assert_int_equal(irq_claim(LINE, &bindings), IRQ_CLAIMED);
	kernel_irq(LINE);
	assert_true(irq_wait(LINE, &questions[0], &count));
	assert_int_equal(count, 1);
}

static void an_interrupt_of_nobody_is_masked(void **state)
{
	(void)state;
	unmasked[LINE + 1] = true;
	kernel_irq(LINE + 1);
	assert_false(unmasked[LINE + 1]);
	irq_acknowledge(LINE + 1);
	assert_false(unmasked[LINE + 1]);
}

static void random_use_keeps_the_rule(void **state)
{
	bool waiting[QUESTIONS] = { false };
	bool fired = false;
	uint64_t count;

	(void)state;
	srand(3);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % QUESTIONS;

		switch (rand() % 4) {
		case 0:
			if (unmasked[LINE]) {
				kernel_irq(LINE);
				fired = true;
				for (uint32_t j = 0; j < QUESTIONS; j++)
					waiting[j] = false;
			}
			break;
		case 1:
			irq_acknowledge(LINE);
			fired = false;
			break;
		case 2:
			if (!waiting[i]) {
				assert_int_equal(irq_wait(LINE, &questions[i], &count), fired);
				waiting[i] = !fired;
			}
			break;
		default:
			assert_int_equal(irq_wait_cancel(LINE, &questions[i]), waiting[i]);
			waiting[i] = false;
			break;
		}
		assert_int_equal(unmasked[LINE], !fired);
		for (uint32_t j = 0; j < QUESTIONS; j++)
			assert_int_equal(list_queued(&questions[j].link), waiting[j]);
	}
}

#define TEST_OF_LINE(name) cmocka_unit_test_setup_teardown(name, line_claimed, line_released)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF_LINE(a_line_has_one_owner),
		TEST_OF_LINE(some_lines_are_nobodys),
		TEST_OF_LINE(a_line_is_masked_from_arrival_to_acknowledgement),
		TEST_OF_LINE(waiting_ends_with_the_owner),
		TEST_OF_LINE(an_interrupt_of_nobody_is_masked),
		TEST_OF_LINE(random_use_keeps_the_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
