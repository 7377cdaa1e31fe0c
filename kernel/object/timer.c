/*
 * Timer: the time since boot, a page to compute it from, and sleeping. A sleep is the caller's question in the timer queue,
 * nothing else; it costs the caller one timer of its ledger until it ends. Always true: a question
 * of this object is charged exactly while it is queued or being fired.
 */
#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"
#include "kernel/ring/ring.h"
#include "kernel/time/timer_queue.h"

static void sleep_refund(struct question *question)
{
	ledger_refund(question->ring->process->ledger, RESOURCE_CLASS_TIMERS, 1);
}

static void sleep_fire(struct timer_node *node)
{
	struct question *question = container_of(node, struct question, timer);

	sleep_refund(question);
	/* The results have no fields: the empty message says it all. */
	question_answer(question, STATUS_OK, 0, NULL, 0);
}

static status_t sleep_begin(struct call *call, uint64_t deadline_ns)
{
	struct question *question = call->question;
	status_t status;

	if (deadline_ns <= arch_time_ns())
		return STATUS_OK;
	status = ledger_charge(call->process->ledger, RESOURCE_CLASS_TIMERS, 1, &call->detail);
	if (status != STATUS_OK)
		return status;
	call_defer(call);
	/* A call's deadline that comes first takes the node, and with it the sleep's place. A call that was held or waited at
	 * a promise has its deadline queued already. */
	if (!question->entry.deadline_ns || deadline_ns <= question->entry.deadline_ns) {
		(void)timer_queue_remove(&question->timer);
		timer_queue_add(&question->timer, deadline_ns, sleep_fire);
	} else if (!question->timer.queue) {
		question->timer.fire = NULL;
	}
	return STATUS_OK;
}

static status_t method_now(void *self, struct call *call, struct timer_now_params_reader in,
		struct timer_now_results_builder *out)
{
	timer_now_results_set_monotonic_ns(*out, arch_time_ns());
	return STATUS_OK;
}

static status_t method_sleep(void *self, struct call *call, struct timer_sleep_params_reader in,
		struct timer_sleep_results_builder *out)
{
	uint64_t duration_ns = timer_sleep_params_get_duration_ns(in);
	uint64_t now_ns = arch_time_ns();

	/* A sum beyond the end of time is the end of time. */
	return sleep_begin(call,
			duration_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + duration_ns);
}

static status_t method_sleep_until(void *self, struct call *call,
		struct timer_sleep_until_params_reader in,
		struct timer_sleep_until_results_builder *out)
{
	return sleep_begin(call, timer_sleep_until_params_get_deadline_ns(in));
}

static status_t method_clock_page(void *self, struct call *call, struct timer_clock_page_params_reader in,
		struct timer_clock_page_results_builder *out)
{
	struct object *page = clock_page_object();
	struct capnp_cap cap = CAPNP_CAP_NULL;
	status_t status;

	object_hold(page);
	status = call_give(call, page, &memory_view_interface, true, &cap);
	timer_clock_page_results_set_page(*out, cap);
	return status;
}

static status_t timer_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct timer_server server = {
		.now = method_now,
		.sleep = method_sleep,
		.sleep_until = method_sleep_until,
		.clock_page = method_clock_page,
	};

	return timer_dispatch(&server, object, call, interface_id, method);
}

static bool timer_cancel(struct object *object, struct question *question)
{
	if (question->timer.fire == sleep_fire && !timer_queue_remove(&question->timer))
		return false;
	sleep_refund(question);
	return true;
}

static const struct object_type timer_type = {
	.name = "timer",
	.call = timer_call,
	.cancel = timer_cancel,
};

struct object *timer_object(void)
{
	static struct object timer = ROOT_OBJECT(&timer_type);

	return &timer;
}
