/*
 * SchedulingControl and SchedulingContext: who may have how much of a processor's time. What a
 * context does to a thread is sched/donation.c's and sched/reserved.c's.
 *
 * Always true: an open context has its part of the processor promised, and one timer is charged to
 * its ledger; one that has ended has neither, and no thread.
 */
#include "kernel/object/scheduling_context.h"

#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/binding.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/donation.h"
#include "kernel/sched/sched.h"

static struct slab_cache context_cache = SLAB_CACHE("scheduling context", struct scheduling_context);

/* --- SchedulingContext ---------------------------------------------------------------------- */

/* Gives everything back, once. */
static void end(struct scheduling_context *context)
{
	struct cpu *cpu = context->cpu;

	if (context->has_ended)
		return;
	context_end(context);
	reserved_forget(context);
	admission_give(&cpu->reserved.admission, context->budget.budget_ns, context->budget.period_ns);
	cpu->reserved.contexts--;
	ledger_refund(context->object.ledger, RESOURCE_CLASS_TIMERS, 1);
	bindings_end(&context->bindings);
}

static status_t method_info(void *self, struct call *call,
		struct scheduling_context_info_params_reader in,
		struct scheduling_context_info_results_builder *out)
{
	struct scheduling_context *context = self;
	uint32_t backed = 0;

	for (const struct list *link = context->backed.next; link != &context->backed; link = link->next)
		backed++;
	reserved_account(context->cpu);
	scheduling_context_info_results_set_processor(*out, context->cpu->number);
	scheduling_context_info_results_set_budget_ns(*out, context->budget.budget_ns);
	scheduling_context_info_results_set_period_ns(*out, context->budget.period_ns);
	scheduling_context_info_results_set_used_ns(*out, context->used_ns);
	scheduling_context_info_results_set_available_ns(
			*out, budget_available_ns(&context->budget, arch_time_ns()));
	scheduling_context_info_results_set_depletions(*out, context->depletions);
	scheduling_context_info_results_set_missed_deadlines(*out, context->missed);
	scheduling_context_info_results_set_bound(*out, context->thread != NULL);
	scheduling_context_info_results_set_backed(*out, backed);
	scheduling_context_info_results_set_ended(*out, context->has_ended);
	return STATUS_OK;
}

status_t thread_argument(struct call *call, struct capnp_cap cap, struct thread **thread)
{
	struct cap_entry *entry;

	if (call_argument(call, cap, THREAD_HANDLE_INTERFACE_ID, &thread_type, &entry) == STATUS_OK) {
		*thread = container_of(entry->object, struct thread, object);
	} else {
		status_t status = call_argument(
				call, cap, PROCESS_HANDLE_INTERFACE_ID, &process_type, &entry);

		if (status != STATUS_OK)
			return status;
		*thread = process_next_thread(
				container_of(entry->object, struct process, object), NULL);
	}
	call->detail = 0;
	if (!*thread || (*thread)->phase != THREAD_LIVES)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	return STATUS_OK;
}

/* A thread to be bound or backed: it has neither. */
status_t free_thread_argument(struct call *call, const struct scheduling_context *context,
		struct capnp_cap cap, struct thread **thread)
{
	status_t status = thread_argument(call, cap, thread);

	if (status != STATUS_OK)
		return status;
	if (context->has_ended || (*thread)->context_own || (*thread)->reserve)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	return call_ready(call);
}

static status_t method_bind(void *self, struct call *call,
		struct scheduling_context_bind_params_reader in,
		struct scheduling_context_bind_results_builder *out)
{
	struct scheduling_context *context = self;
	struct thread *thread;
	status_t status = free_thread_argument(
			call, context, scheduling_context_bind_params_get_thread(in), &thread);

	if (status == STATUS_OK && context->thread)
		status = call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (status == STATUS_OK)
		context_bind(context, thread);
	return status;
}

static status_t method_unbind(void *self, struct call *call,
		struct scheduling_context_unbind_params_reader in,
		struct scheduling_context_unbind_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		context_unbind(self);
	return status;
}

static status_t method_back(void *self, struct call *call,
		struct scheduling_context_back_params_reader in,
		struct scheduling_context_back_results_builder *out)
{
	struct thread *thread;
	status_t status = free_thread_argument(
			call, self, scheduling_context_back_params_get_thread(in), &thread);

	if (status == STATUS_OK)
		context_back(self, thread);
	return status;
}

static status_t method_release(void *self, struct call *call,
		struct scheduling_context_release_params_reader in,
		struct scheduling_context_release_results_builder *out)
{
	struct thread *thread;
	status_t status = thread_argument(
			call, scheduling_context_release_params_get_thread(in), &thread);

	if (status == STATUS_OK && thread->reserve != self)
		status = call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (status == STATUS_OK)
		status = call_ready(call);
	if (status == STATUS_OK)
		context_release(thread);
	return status;
}

static status_t method_end(void *self, struct call *call,
		struct scheduling_context_end_params_reader in,
		struct scheduling_context_end_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		end(self);
	return status;
}

static status_t scheduling_context_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct scheduling_context_server server = {
		.info = method_info,
		.bind = method_bind,
		.unbind = method_unbind,
		.back = method_back,
		.release = method_release,
		.end = method_end,
	};

	return scheduling_context_dispatch(&server,
			container_of(object, struct scheduling_context, object), call, interface_id,
			method);
}

static void scheduling_context_last_hold(struct object *object)
{
	end(container_of(object, struct scheduling_context, object));
}

static struct list *scheduling_context_bindings(struct object *object)
{
	return &container_of(object, struct scheduling_context, object)->bindings;
}

/* What happened before somebody wanted to know is in `info`. */
static bool scheduling_context_event_is_due(struct object *object)
{
	(void)object;
	return false;
}

static void scheduling_context_destroy(struct object *object)
{
	struct scheduling_context *context = container_of(object, struct scheduling_context, object);

	ASSERT(context->has_ended && !context->users && !context->thread);
	slab_free(&context_cache, context);
}

const struct object_type scheduling_context_type = {
	.name = "scheduling context",
	.call = scheduling_context_call,
	.on_last_hold = scheduling_context_last_hold,
	.destroy = scheduling_context_destroy,
	.bindings = scheduling_context_bindings,
	.event_is_due = scheduling_context_event_is_due,
};

/* --- SchedulingControl ---------------------------------------------------------------------- */

static status_t processor_argument(struct call *call, uint32_t n, uint32_t number, struct cpu **cpu)
{
	if (number >= processor_count)
		return call_fail_argument(call, n, processor_count - 1);
	*cpu = processors[number];
	return STATUS_OK;
}

/* Promises the time, or says what is left of it. */
static status_t admit(struct call *call, struct cpu *cpu, uint64_t budget_ns, uint64_t period_ns)
{
	struct reserved *reserved = &cpu->reserved;

	if (reserved->contexts == CONTEXTS_MAX)
		return call_refuse(call, STATUS_OVERLOADED, REASON_IN_USE, 0, 0, CONTEXTS_MAX);
	if (!admission_take(&reserved->admission, budget_ns, period_ns))
		return call_refuse(call, STATUS_OVERLOADED, REASON_OVERCOMMITTED, 0, cpu->number,
				BUDGET_PROMISED - reserved->admission.promised);
	reserved->contexts++;
	return STATUS_OK;
}

void context_init(struct scheduling_context *context, struct cpu *cpu, uint64_t budget_ns,
		uint64_t period_ns)
{
	context->cpu = cpu;
	budget_init(&context->budget, budget_ns, period_ns, arch_time_ns());
	list_init(&context->waiting);
	list_init(&context->tell_link);
	list_init(&context->backed);
	list_init(&context->bindings);
}

static struct scheduling_context *context_create(
		struct call *call, struct cpu *cpu, uint64_t budget_ns, uint64_t period_ns)
{
	struct scheduling_context *context = slab_alloc(&context_cache);

	if (!context)
		return NULL;
	object_init(&context->object, &scheduling_context_type, call->payer);
	context_init(context, cpu, budget_ns, period_ns);
	return context;
}

static status_t create(struct call *call, struct cpu *cpu, uint64_t budget_ns, uint64_t period_ns,
		struct capnp_cap *cap)
{
	struct scheduling_context *context;
	status_t status = call_charge_object(call);

	if (status != STATUS_OK)
		return status;
	status = ledger_charge(call->payer, RESOURCE_CLASS_TIMERS, 1, &call->detail);
	if (status != STATUS_OK)
		goto undo_object;
	status = admit(call, cpu, budget_ns, period_ns);
	if (status != STATUS_OK)
		goto undo_timer;
	context = context_create(call, cpu, budget_ns, period_ns);
	if (!context) {
		status = call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
		goto undo_admission;
	}
	object_hold(&context->object);
	object_put(&context->object);
	/* From here on the last hold gives everything back. */
	return call_give(call, &context->object, &scheduling_context_interface, true, cap);
undo_admission:
	admission_give(&cpu->reserved.admission, budget_ns, period_ns);
	cpu->reserved.contexts--;
undo_timer:
	ledger_refund(call->payer, RESOURCE_CLASS_TIMERS, 1);
undo_object:
	ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}

static status_t method_create(void *self, struct call *call,
		struct scheduling_control_create_params_reader in,
		struct scheduling_control_create_results_builder *out)
{
	uint64_t budget_ns = scheduling_control_create_params_get_budget_ns(in);
	uint64_t period_ns = scheduling_control_create_params_get_period_ns(in);
	uint32_t processor = scheduling_control_create_params_get_processor(in);
	struct capnp_cap cap = CAPNP_CAP_NULL;
	status_t status = call_ready_to_give(call);
	struct cpu *cpu;

	if (status != STATUS_OK)
		return status;
	if (period_ns < BUDGET_PERIOD_NS_MIN || period_ns > BUDGET_PERIOD_NS_MAX)
		return call_fail_argument(call, 1, BUDGET_PERIOD_NS_MAX);
	if (!budget_is_valid(budget_ns, period_ns))
		return call_fail_argument(call, 0, period_ns);
	status = processor_argument(call, 2, processor, &cpu);
	if (status == STATUS_OK)
		status = create(call, cpu, budget_ns, period_ns, &cap);
	scheduling_control_create_results_set_context(*out, cap);
	return status;
}

static status_t method_capacity(void *self, struct call *call,
		struct scheduling_control_capacity_params_reader in,
		struct scheduling_control_capacity_results_builder *out)
{
	uint32_t processor = scheduling_control_capacity_params_get_processor(in);
	struct cpu *cpu;
	status_t status = processor_argument(call, 0, processor, &cpu);

	if (status != STATUS_OK)
		return status;
	scheduling_control_capacity_results_set_promised(*out, cpu->reserved.admission.promised);
	scheduling_control_capacity_results_set_most(*out, BUDGET_PROMISED);
	scheduling_control_capacity_results_set_whole(*out, BUDGET_WHOLE);
	scheduling_control_capacity_results_set_contexts(*out, cpu->reserved.contexts);
	return STATUS_OK;
}

static status_t method_lease(void *self, struct call *call,
		struct scheduling_control_lease_params_reader in,
		struct scheduling_control_lease_results_builder *out)
{
	struct lease_terms terms = { .kind = (uint32_t)scheduling_control_lease_params_get_kind(in),
		.duration_ns = scheduling_control_lease_params_get_duration_ns(in),
		.budget_ns = scheduling_control_lease_params_get_budget_ns(in),
		.period_ns = scheduling_control_lease_params_get_period_ns(in) };
	uint32_t processor = scheduling_control_lease_params_get_processor(in);
	struct capnp_cap cap = CAPNP_CAP_NULL;
	status_t status = call_ready_to_give(call);

	if (status == STATUS_OK)
		status = processor_argument(call, 0, processor, &terms.cpu);
	if (status == STATUS_OK)
		status = isolation_lease_make(call, &terms, &cap);
	scheduling_control_lease_results_set_lease(*out, cap);
	return status;
}

static status_t method_policy(void *self, struct call *call,
		struct scheduling_control_policy_params_reader in,
		struct scheduling_control_policy_results_builder *out)
{
	const struct sched_policy bounds = { sched_processors(), SCHED_WEIGHT_MAX, SCHED_INTERACTIVE };
	struct capnp_cap cap = CAPNP_CAP_NULL;
	status_t status = scheduling_policy_make(call, &bounds, &cap);

	scheduling_control_policy_results_set_policy(*out, cap);
	return status;
}

static status_t scheduling_control_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct scheduling_control_server server = {
		.create = method_create,
		.capacity = method_capacity,
		.lease = method_lease,
		.policy = method_policy,
	};

	return scheduling_control_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type scheduling_control_type = {
	.name = "scheduling control",
	.call = scheduling_control_call,
};

struct object *scheduling_control_object(void)
{
	static struct object control = ROOT_OBJECT(&scheduling_control_type);

	return &control;
}
