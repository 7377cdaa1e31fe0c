/*
 * Budgets; see budget.h. Asked by sched/reserved.c, which knows the clock and the threads, and by
 * object/scheduling_context.c, which admits.
 */
#include "kernel/sched/budget.h"

#include "kernel/core/panic.h"

bool budget_is_valid(uint64_t budget_ns, uint64_t period_ns)
{
	return period_ns >= BUDGET_PERIOD_NS_MIN && period_ns <= BUDGET_PERIOD_NS_MAX &&
			budget_ns >= BUDGET_NS_MIN && budget_ns <= period_ns;
}

void budget_init(struct budget *budget, uint64_t budget_ns, uint64_t period_ns, uint64_t now_ns)
{
	DEBUG_ASSERT(budget_is_valid(budget_ns, period_ns));
	*budget = (struct budget){ .budget_ns = budget_ns, .period_ns = period_ns, .count = 1 };
	budget->refills[0] = (struct budget_refill){ now_ns, budget_ns };
}

/* Takes out the first `count`. */
static void refills_drop(struct budget *budget, uint32_t count)
{
	budget->count -= count;
	for (uint32_t i = 0; i < budget->count; i++)
		budget->refills[i] = budget->refills[i + count];
}

/* Adds what comes back last. Where there is no place, or nothing to tell the two apart, it joins
 * the one before, which then waits as long: later is always right. */
static void refill_append(struct budget *budget, uint64_t at_ns, uint64_t amount_ns)
{
	uint32_t last = budget->count - 1; /* wraps where there is none */
	bool joins = budget->count &&
			(budget->count == BUDGET_REFILLS || budget->refills[last].at_ns == at_ns);

	if (joins)
		amount_ns += budget->refills[last].amount_ns;
	else
		last = budget->count++;
	budget->refills[last] = (struct budget_refill){ at_ns, amount_ns };
}

void budget_begin(struct budget *budget, uint64_t from_ns)
{
	uint32_t due = 0;
	uint64_t amount_ns = 0;

	while (due < budget->count && budget->refills[due].at_ns <= from_ns)
		amount_ns += budget->refills[due++].amount_ns;
	if (!due)
		return;
	refills_drop(budget, due - 1);
	budget->refills[0] = (struct budget_refill){ from_ns, amount_ns };
}

uint64_t budget_available_ns(const struct budget *budget, uint64_t now_ns)
{
	uint64_t amount_ns = 0;

	for (uint32_t i = 0; i < budget->count && budget->refills[i].at_ns <= now_ns; i++)
		amount_ns += budget->refills[i].amount_ns;
	return amount_ns >= BUDGET_NS_MIN ? amount_ns : 0;
}

void budget_charge(struct budget *budget, uint64_t used_ns)
{
	uint64_t rounds = used_ns / budget->budget_ns;

	/* The whole budget as often as it was used up: each part comes back as many periods later. */
	for (uint32_t i = 0; rounds && i < budget->count; i++)
		budget->refills[i].at_ns += rounds * budget->period_ns;
	used_ns %= budget->budget_ns;
	while (used_ns) {
		struct budget_refill first = budget->refills[0];
		uint64_t taken_ns = used_ns < first.amount_ns ? used_ns : first.amount_ns;

		budget->refills[0].amount_ns -= taken_ns;
		if (taken_ns == first.amount_ns)
			refills_drop(budget, 1);
		refill_append(budget, first.at_ns + budget->period_ns, taken_ns);
		used_ns -= taken_ns;
	}
}

uint64_t budget_eligible_ns(const struct budget *budget)
{
	uint64_t amount_ns = 0;
	uint32_t i = 0;

	/* The whole is at least BUDGET_NS_MIN. */
	while ((amount_ns += budget->refills[i].amount_ns) < BUDGET_NS_MIN)
		i++;
	return budget->refills[i].at_ns;
}

void budget_check(const struct budget *budget)
{
	uint64_t amount_ns = 0;

	ASSERT(budget->count >= 1 && budget->count <= BUDGET_REFILLS);
	for (uint32_t i = 0; i < budget->count; i++) {
		ASSERT(budget->refills[i].amount_ns > 0);
		ASSERT(i == 0 || budget->refills[i - 1].at_ns <= budget->refills[i].at_ns);
		amount_ns += budget->refills[i].amount_ns;
	}
	ASSERT(amount_ns == budget->budget_ns);
	ASSERT(budget->refills[budget->count - 1].at_ns - budget->refills[0].at_ns <=
			budget->period_ns);
}

/* --- Admission ------------------------------------------------------------------------------ */

static uint64_t part_of(uint64_t budget_ns, uint64_t period_ns)
{
	return (budget_ns * BUDGET_WHOLE + period_ns - 1) / period_ns;
}

bool admission_take(struct admission *admission, uint64_t budget_ns, uint64_t period_ns)
{
	uint64_t part = part_of(budget_ns, period_ns);

	if (part > BUDGET_PROMISED - admission->promised)
		return false;
	admission->promised += part;
	return true;
}

void admission_give(struct admission *admission, uint64_t budget_ns, uint64_t period_ns)
{
	uint64_t part = part_of(budget_ns, period_ns);

	ASSERT(part <= admission->promised);
	admission->promised -= part;
}
