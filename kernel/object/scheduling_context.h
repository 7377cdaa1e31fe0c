/*
 * The kernel objects over sched/reserved.h: SchedulingContext, and SchedulingControl, which makes
 * them (roots.h).
 */
#ifndef KERNEL_OBJECT_SCHEDULING_CONTEXT_H
#define KERNEL_OBJECT_SCHEDULING_CONTEXT_H

#include "capnp/capnp.h"
#include "kernel/object/object.h"
#include "kernel/sched/reserved.h"

struct call;
struct cpu;
struct thread;

extern const struct object_type scheduling_context_type;

/* A context's parts but for its object. */
void context_init(struct scheduling_context *context, struct cpu *cpu, uint64_t budget_ns,
		uint64_t period_ns);
/* The thread that a parameter names, itself or as the first of its process; it has not ended. */
status_t thread_argument(struct call *call, struct capnp_cap cap, struct thread **thread) MUST_USE;
/* The same, to be bound: it lives and has neither context nor reserve. */
status_t free_thread_argument(struct call *call, const struct scheduling_context *context,
		struct capnp_cap cap, struct thread **thread) MUST_USE;

/* SchedulingControl.lease, with the processor found. */
struct lease_terms {
	struct cpu *cpu;
	uint32_t kind;               /* enum lease_kind, or what a caller said */
	uint64_t duration_ns;
	uint64_t budget_ns;
	uint64_t period_ns;
};
status_t isolation_lease_make(struct call *call, const struct lease_terms *terms,
		struct capnp_cap *cap) MUST_USE;

/* SchedulingControl.policy, SchedulingPolicy.narrow. */
struct sched_policy;
status_t scheduling_policy_make(struct call *call, const struct sched_policy *bounds,
		struct capnp_cap *cap) MUST_USE;

#endif
