/*
 * SchedulingPolicy: saying how threads share the processors (weight, latency class, affinity), within bounds. The
 * first one comes from SchedulingControl (scheduling_context.c); all others are narrower than the one they were
 * made from. What a policy does to a thread is sched.c's.
 *
 * A policy is a right and no state: what was applied belongs to the thread or process, and stays. Always true: a
 * policy's bounds are within those of the one that it was made from.
 */
#include "capos/kernel.server.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/process.h"
#include "kernel/object/scheduling_context.h"
#include "kernel/object/thread_handle.h"
#include "kernel/sched/sched.h"

struct scheduling_policy {
	struct object object;
	struct sched_policy bounds; /* fixed after creation */
};

static struct slab_cache policy_cache = SLAB_CACHE("scheduling policy", struct scheduling_policy);

/* What a caller asks for; 0: as it is. */
struct wish {
	uint64_t processors;
	uint32_t weight;
	uint32_t class; /* enum latency_class, or what a caller said */
};

/* Whether it is within the bounds; `first`: the number of the parameter `weight`. */
static status_t wish_check(struct call *call, const struct wish *wish,
		const struct sched_policy *bounds, uint32_t first)
{
	if (wish->weight > bounds->weight)
		return call_fail_argument(call, first, bounds->weight);
	if (wish->class &&
			(wish->class > LATENCY_CLASS_BATCH ||
					wish->class < latency_class(bounds->class)))
		return call_fail_argument(call, first + 1, latency_class(bounds->class));
	if (wish->processors & ~bounds->affinity)
		return call_fail_argument(call, first + 2, bounds->affinity);
	return STATUS_OK;
}

/* The policy with what is wished for in the place of what it was. */
static struct sched_policy wish_merge(const struct wish *wish, struct sched_policy policy)
{
	if (wish->weight)
		policy.weight = wish->weight;
	if (wish->class)
		policy.class = (enum sched_class)(wish->class - 1);
	if (wish->processors)
		policy.affinity = wish->processors;
	return policy;
}

/* All processors that there are is everywhere. */
static struct sched_policy wish_apply(const struct wish *wish, const struct sched_policy *policy)
{
	struct sched_policy merged = wish_merge(wish, *policy);

	if (merged.affinity == sched_processors())
		merged.affinity = SCHED_ANYWHERE;
	return merged;
}

static void thread_apply(struct thread *thread, const struct wish *wish)
{
	const struct sched_policy policy = wish_apply(wish, &thread->policy);

	sched_set_policy(thread, &policy);
}

static status_t process_apply(struct call *call, struct process *process, const struct wish *wish)
{
	if (process->phase != PROCESS_RUNNING)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	process->policy = wish_apply(wish, &process->policy);
	for (struct thread *thread = NULL; (thread = process_next_thread(process, thread));) {
		if (thread->phase == THREAD_LIVES)
			thread_apply(thread, wish);
	}
	return STATUS_OK;
}

/* --- The object ----------------------------------------------------------------------------- */

static status_t method_info(void *self, struct call *call,
		struct scheduling_policy_info_params_reader in,
		struct scheduling_policy_info_results_builder *out)
{
	const struct scheduling_policy *policy = self;

	scheduling_policy_info_results_set_weight(*out, policy->bounds.weight);
	scheduling_policy_info_results_set_class(*out, latency_class(policy->bounds.class));
	scheduling_policy_info_results_set_processors(*out, policy->bounds.affinity);
	return STATUS_OK;
}

static status_t method_apply(void *self, struct call *call,
		struct scheduling_policy_apply_params_reader in,
		struct scheduling_policy_apply_results_builder *out)
{
	const struct scheduling_policy *policy = self;
	struct capnp_cap target = scheduling_policy_apply_params_get_target(in);
	const struct wish wish = {
		.weight = scheduling_policy_apply_params_get_weight(in),
		.class = (uint32_t)scheduling_policy_apply_params_get_class(in),
		.processors = scheduling_policy_apply_params_get_processors(in),
	};
	struct cap_entry *entry;
	struct thread *thread;
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		status = wish_check(call, &wish, &policy->bounds, 1);
	if (status != STATUS_OK)
		return status;
	if (call_argument(call, target, PROCESS_HANDLE_INTERFACE_ID, &process_type, &entry) ==
			STATUS_OK)
		return process_apply(
				call, container_of(entry->object, struct process, object), &wish);
	status = call_argument(call, target, THREAD_HANDLE_INTERFACE_ID, &thread_type, &entry);
	if (status != STATUS_OK)
		return status;
	call->detail = 0;
	thread = container_of(entry->object, struct thread, object);
	if (thread->phase != THREAD_LIVES)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	thread_apply(thread, &wish);
	return STATUS_OK;
}

static status_t method_narrow(void *self, struct call *call,
		struct scheduling_policy_narrow_params_reader in,
		struct scheduling_policy_narrow_results_builder *out)
{
	const struct scheduling_policy *policy = self;
	const struct wish wish = {
		.weight = scheduling_policy_narrow_params_get_weight(in),
		.class = (uint32_t)scheduling_policy_narrow_params_get_class(in),
		.processors = scheduling_policy_narrow_params_get_processors(in),
	};
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct sched_policy bounds;
	status_t status = call_ready_to_give(call);

	if (status == STATUS_OK)
		status = wish_check(call, &wish, &policy->bounds, 0);
	if (status != STATUS_OK)
		return status;
	bounds = wish_merge(&wish, policy->bounds);
	status = scheduling_policy_make(call, &bounds, &cap);
	scheduling_policy_narrow_results_set_policy(*out, cap);
	return status;
}

static status_t scheduling_policy_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct scheduling_policy_server server = {
		.info = method_info,
		.apply = method_apply,
		.narrow = method_narrow,
	};

	return scheduling_policy_dispatch(&server,
			container_of(object, struct scheduling_policy, object), call, interface_id,
			method);
}

static void scheduling_policy_destroy(struct object *object)
{
	slab_free(&policy_cache, container_of(object, struct scheduling_policy, object));
}

static const struct object_type scheduling_policy_type = {
	.name = "scheduling policy",
	.call = scheduling_policy_call,
	.destroy = scheduling_policy_destroy,
};

status_t scheduling_policy_make(
		struct call *call, const struct sched_policy *bounds, struct capnp_cap *cap)
{
	struct scheduling_policy *policy;
	status_t status = call_ready_to_give(call);

	if (status == STATUS_OK)
		status = call_charge_object(call);
	if (status != STATUS_OK)
		return status;
	policy = slab_alloc(&policy_cache);
	if (!policy) {
		ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	}
	object_init(&policy->object, &scheduling_policy_type, call->payer);
	policy->bounds = *bounds;
	object_hold(&policy->object);
	object_put(&policy->object);
	return call_give(call, &policy->object, &scheduling_policy_interface, true, cap);
}
