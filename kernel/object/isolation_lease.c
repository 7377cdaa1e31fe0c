/*
 * CpuIsolationLease: a processor that runs one thread and nothing else, for a time, or polls one
 * thread's ring. Made by SchedulingControl (scheduling_context.c); what it keeps away from the
 * processor is sched.c's. The thread runs there on a context that the lease contains; the polling
 * is ring/poller.c's.
 *
 * It creates no time: a processor that has promised budgets cannot be leased, and one that is
 * leased promises none. Always true: while a lease is active its processor is isolated, never the
 * first, and all of it promised; once it has ended, by whatever came first, none of that is so.
 */
#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/object/scheduling_context.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/donation.h"
#include "kernel/sched/sched.h"

#define LEASE_NS_MIN 1000000ull       /* 1 ms */
#define LEASE_NS_MAX 3600000000000ull /* an hour */

/*  I fixed after creation   x exclusive only  */
struct isolation_lease {
	struct object             object;
	struct scheduling_context context;   /* what the thread runs on */
	enum lease_kind           kind;      /* I */
	uint64_t                  until_ns;  /* I */
	struct timer_node         timeout;
	bool                      is_active; /* x */
	bool                      has_expired; /* x */
	uint64_t                  interrupts; /* x, once it has ended */
	uint64_t                  longest_ns; /* x, likewise */
	struct poller             poller;     /* x, likewise, its counts */
};

static struct slab_cache lease_cache = SLAB_CACHE("isolation lease", struct isolation_lease);

/* Back to what the processor was: it serves everybody, and whoever ran there runs like any other. */
static void lease_end(struct isolation_lease *lease)
{
	struct cpu *cpu = lease->context.cpu;

	if (!lease->is_active)
		return;
	lease->is_active = false;
	context_end(&lease->context);
	reserved_forget(&lease->context);
	lease->interrupts = cpu->isolation.interrupts;
	lease->longest_ns = MAX(cpu->isolation.longest_ns, arch_time_ns() - cpu->isolation.since_ns);
	poller_unbind(cpu);
	lease->poller = cpu->poller;
	sched_isolate(cpu, false);
	cpu->reserved.admission.promised = 0;
	(void)timer_queue_remove(&lease->timeout);
	ledger_refund(lease->object.ledger, RESOURCE_CLASS_TIMERS, 1);
}

static void lease_expire(struct timer_node *node)
{
	struct isolation_lease *lease = container_of(node, struct isolation_lease, timeout);

	lease->has_expired = true;
	lease_end(lease);
}

static void lease_begin(struct isolation_lease *lease)
{
	struct cpu *cpu = lease->context.cpu;

	lease->is_active = true;
	cpu->reserved.admission.promised = BUDGET_PROMISED;
	cpu->poller = (struct poller){ 0 };
	sched_isolate(cpu, true);
	timer_queue_add(&lease->timeout, lease->until_ns, lease_expire);
}

/* --- The object ----------------------------------------------------------------------------- */

/* What of the polling there is to tell. */
static const struct poller *poller_of(const struct isolation_lease *lease)
{
	return lease->is_active ? &lease->context.cpu->poller : &lease->poller;
}

static status_t method_info(void *self, struct call *call,
		struct cpu_isolation_lease_info_params_reader in,
		struct cpu_isolation_lease_info_results_builder *out)
{
	const struct isolation_lease *lease = self;
	const struct isolation *isolation = &lease->context.cpu->isolation;
	uint64_t now_ns = arch_time_ns(), interrupts = lease->interrupts, longest_ns = lease->longest_ns;

	if (lease->is_active) {
		reserved_account(lease->context.cpu);
		interrupts = isolation->interrupts;
		longest_ns = MAX(isolation->longest_ns, now_ns - isolation->since_ns);
	}
	cpu_isolation_lease_info_results_set_processor(*out, lease->context.cpu->number);
	cpu_isolation_lease_info_results_set_kind(*out, lease->kind);
	cpu_isolation_lease_info_results_set_active(*out, lease->is_active);
	cpu_isolation_lease_info_results_set_expired(*out, lease->has_expired);
	cpu_isolation_lease_info_results_set_remaining_ns(*out,
			lease->is_active && lease->until_ns > now_ns ? lease->until_ns - now_ns : 0);
	cpu_isolation_lease_info_results_set_used_ns(*out, lease->kind == LEASE_KIND_RING ?
			arch_ticks_to_ns(poller_of(lease)->taking_ticks) : lease->context.used_ns);
	if (lease->kind == LEASE_KIND_COMPUTE) {
		cpu_isolation_lease_info_results_set_depletions(*out, lease->context.depletions);
		cpu_isolation_lease_info_results_set_missed_deadlines(*out, lease->context.missed);
	}
	cpu_isolation_lease_info_results_set_interrupts(*out, interrupts);
	cpu_isolation_lease_info_results_set_longest_quiet_ns(*out, longest_ns);
	return STATUS_OK;
}

/* The ring of a thread, which runs elsewhere and may have a context there. */
static status_t bind_ring(struct isolation_lease *lease, struct call *call, struct capnp_cap cap)
{
	struct cpu *cpu = lease->context.cpu;
	struct thread *thread;
	status_t status = thread_argument(call, cap, &thread);

	if (status != STATUS_OK)
		return status;
	if (!lease->is_active || cpu->poller.ring || thread->ring->poller)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	status = call_ready(call);
	if (status == STATUS_OK)
		poller_bind(cpu, thread->ring);
	return status;
}

static status_t bind_thread(struct isolation_lease *lease, struct call *call, struct capnp_cap cap)
{
	struct thread *thread;
	status_t status = free_thread_argument(call, &lease->context, cap, &thread);

	if (status == STATUS_OK && lease->context.thread)
		status = call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (status == STATUS_OK)
		context_bind(&lease->context, thread);
	return status;
}

static status_t method_bind(void *self, struct call *call,
		struct cpu_isolation_lease_bind_params_reader in,
		struct cpu_isolation_lease_bind_results_builder *out)
{
	struct isolation_lease *lease = self;
	struct capnp_cap thread = cpu_isolation_lease_bind_params_get_thread(in);

	return lease->kind == LEASE_KIND_RING ? bind_ring(lease, call, thread) : bind_thread(lease, call, thread);
}

static status_t method_end(void *self, struct call *call,
		struct cpu_isolation_lease_end_params_reader in,
		struct cpu_isolation_lease_end_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		lease_end(self);
	return status;
}

static status_t method_poller(void *self, struct call *call,
		struct cpu_isolation_lease_poller_params_reader in,
		struct cpu_isolation_lease_poller_results_builder *out)
{
	const struct isolation_lease *lease = self;
	const struct poller *poller = poller_of(lease);

	cpu_isolation_lease_poller_results_set_bound(*out, poller->ring != NULL);
	cpu_isolation_lease_poller_results_set_asleep(*out, poller->ring && poller->is_asleep);
	cpu_isolation_lease_poller_results_set_entries(*out, poller->entries);
	cpu_isolation_lease_poller_results_set_sleeps(*out, poller->sleeps);
	cpu_isolation_lease_poller_results_set_wakes(*out, poller->wakes);
	return STATUS_OK;
}

static status_t isolation_lease_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct cpu_isolation_lease_server server = {
		.info = method_info,
		.bind = method_bind,
		.end = method_end,
		.poller = method_poller,
	};

	return cpu_isolation_lease_dispatch(&server,
			container_of(object, struct isolation_lease, object), call, interface_id,
			method);
}

static void isolation_lease_last_hold(struct object *object)
{
	lease_end(container_of(object, struct isolation_lease, object));
}

static void isolation_lease_destroy(struct object *object)
{
	struct isolation_lease *lease = container_of(object, struct isolation_lease, object);

	ASSERT(!lease->is_active && !lease->context.users && !lease->context.thread);
	slab_free(&lease_cache, lease);
}

static const struct object_type isolation_lease_type = {
	.name = "isolation lease",
	.call = isolation_lease_call,
	.on_last_hold = isolation_lease_last_hold,
	.destroy = isolation_lease_destroy,
};

/* --- Making --------------------------------------------------------------------------------- */

/* Whether such a lease can be given now; whatever it says refuses nothing else. */
static status_t lease_check(struct call *call, const struct lease_terms *terms)
{
	const struct reserved *reserved = &terms->cpu->reserved;

	if (terms->kind > LEASE_KIND_COMPUTE)
		return call_fail_argument(call, 1, LEASE_KIND_COMPUTE);
	if (terms->duration_ns < LEASE_NS_MIN || terms->duration_ns > LEASE_NS_MAX)
		return call_fail_argument(call, 2, LEASE_NS_MAX);
	if (terms->kind == LEASE_KIND_COMPUTE ? !budget_is_valid(terms->budget_ns, terms->period_ns)
					      : (terms->budget_ns | terms->period_ns) != 0)
		return call_fail_argument(call, 3, terms->period_ns);
	if (terms->cpu == processors[0])
		return call_refuse(call, STATUS_FAILED, REASON_EVERYBODYS, 0, 0, 0);
	if (terms->cpu->isolation.is_on)
		return call_refuse(call, STATUS_OVERLOADED, REASON_IN_USE, 0, 0, 1);
	if (reserved->admission.promised)
		return call_refuse(call, STATUS_OVERLOADED, REASON_OVERCOMMITTED, 0,
				terms->cpu->number, BUDGET_PROMISED - reserved->admission.promised);
	return STATUS_OK;
}

static struct isolation_lease *lease_create(struct call *call, const struct lease_terms *terms)
{
	bool whole = terms->kind != LEASE_KIND_COMPUTE;
	struct isolation_lease *lease = slab_alloc(&lease_cache);

	if (!lease)
		return NULL;
	object_init(&lease->object, &isolation_lease_type, call->payer);
	context_init(&lease->context, terms->cpu, whole ? BUDGET_PERIOD_NS_MAX : terms->budget_ns,
			whole ? BUDGET_PERIOD_NS_MAX : terms->period_ns);
	lease->kind = (enum lease_kind)terms->kind;
	lease->until_ns = arch_time_ns() + terms->duration_ns;
	return lease;
}

status_t isolation_lease_make(struct call *call, const struct lease_terms *terms, struct capnp_cap *cap)
{
	struct isolation_lease *lease;
	status_t status = lease_check(call, terms);

	if (status != STATUS_OK)
		return status;
	status = call_charge_object(call);
	if (status != STATUS_OK)
		return status;
	status = ledger_charge(call->payer, RESOURCE_CLASS_TIMERS, 1, &call->detail);
	if (status != STATUS_OK)
		goto undo_object;
	lease = lease_create(call, terms);
	if (!lease) {
		status = call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
		goto undo_timer;
	}
	lease_begin(lease);
	object_hold(&lease->object);
	object_put(&lease->object);
	/* From here on the last hold ends it. */
	return call_give(call, &lease->object, &cpu_isolation_lease_interface, true, cap);
undo_timer:
	ledger_refund(call->payer, RESOURCE_CLASS_TIMERS, 1);
undo_object:
	ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}
