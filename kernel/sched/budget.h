/*
 * Budgets: so much processor time in every so much time, kept as a sporadic server. A budget is cut
 * into at most BUDGET_REFILLS parts, each with the time from which it may be used. What is used
 * comes back one period after the time from which it could be.
 *
 * Always true: the parts together are the whole budget, the latest of them lies no more than the
 * debt of an overrun ahead, and their times do not fall. Nothing here reads a clock, takes a lock
 * or knows a thread; who keeps the lock of a budget says so (sched/reserved.h).
 *
 * What follows, and budget_test.c checks: in any window of one period a holder uses no more than
 * its budget; if others keep it from running when it could, at most twice that, since what it was
 * kept from is not lost to it for one period. What it uses beyond its budget, because the end was
 * noticed late, is paid back.
 */
#ifndef KERNEL_SCHED_BUDGET_H
#define KERNEL_SCHED_BUDGET_H

#include "abi/compiler.h"
#include "abi/status.h"

#define BUDGET_REFILLS       8u
#define BUDGET_PERIOD_NS_MIN 100000ull     /* 100 us */
#define BUDGET_PERIOD_NS_MAX 4000000000ull /* 4 s: products with BUDGET_WHOLE fit 64 bits */
#define BUDGET_NS_MIN        10000ull      /* less is not worth a switch */

struct budget_refill {
	uint64_t at_ns; /* from then on */
	uint64_t amount_ns;
};

struct budget {
	uint64_t budget_ns;
	uint64_t period_ns;
	uint32_t count; /* of refills in use, at least 1 */
	struct budget_refill refills[BUDGET_REFILLS];
};

/* Whether a budget can be made of these. */
bool budget_is_valid(uint64_t budget_ns, uint64_t period_ns);
/* The whole budget, from now on. The numbers are valid. */
void budget_init(struct budget *budget, uint64_t budget_ns, uint64_t period_ns, uint64_t now_ns);
/* What could be used before `from_ns` counts as if it could from then on only. When somebody begins
 * to want the time, that is now: nothing was saved up. When somebody gets to run who wanted it
 * all along, it is one period ago: no more than that is saved up. */
void budget_begin(struct budget *budget, uint64_t from_ns);
/* How much can be used at once; 0 where it is less than BUDGET_NS_MIN. */
uint64_t budget_available_ns(const struct budget *budget, uint64_t now_ns);
/* So much has been used. More than was there is taken from what comes next. */
void budget_charge(struct budget *budget, uint64_t used_ns);
/* When something can be used, if nothing can now. */
uint64_t budget_eligible_ns(const struct budget *budget);
/* When what is used first now has to be done: one period after it could be. */
static inline uint64_t budget_deadline_ns(const struct budget *budget)
{
	return budget->refills[0].at_ns + budget->period_ns;
}
/* Panics unless what is always true is true. */
void budget_check(const struct budget *budget);

/*
 * Admission: what part of a processor's time has been promised, in parts of BUDGET_WHOLE. A part is
 * rounded up, so that promises never come to more than they say; of budgets and periods that are
 * round in decimals nothing is lost by it.
 */
#define BUDGET_WHOLE    1000000000ull
#define BUDGET_PROMISED 900000000ull /* nine tenths at most: the others keep one */

struct admission {
	uint64_t promised;
};

/* Promises, or refuses and changes nothing: true if it fits. */
bool admission_take(struct admission *admission, uint64_t budget_ns, uint64_t period_ns) MUST_USE;
/* Takes back exactly what was promised for these. */
void admission_give(struct admission *admission, uint64_t budget_ns, uint64_t period_ns);

#endif
