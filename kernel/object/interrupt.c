/*
 * InterruptController and Interrupt. A line's Interrupt object owns it from `line` until its last
 * capability goes; what the line does meanwhile is irq/irq.c's.
 */
#include "kernel/object/interrupt.h"

#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/irq/irq.h"
#include "kernel/mm/slab.h"
#include "kernel/object/binding.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/object/roots.h"
#include "kernel/ring/ring.h"

#define WAIT_WORDS 4 /* of the answer to wait */

/*  I fixed after creation  */
struct interrupt {
	struct object object;
	uint32_t line; /* I, owned while there are holds */
	struct list bindings; /* under the lock of bindings */
};

static struct slab_cache interrupt_cache = SLAB_CACHE("interrupt", struct interrupt);

static status_t method_wait(void *self, struct call *call, struct interrupt_wait_params_reader in,
		struct interrupt_wait_results_builder *out)
{
	const struct interrupt *interrupt = self;
	uint64_t count;

	if (irq_wait(interrupt->line, call->question, &count))
		interrupt_wait_results_set_count(*out, count);
	else
		call_defer(call);
	return STATUS_OK;
}

void interrupt_answer(struct question *question, status_t status, uint64_t detail, uint64_t count)
{
	uint64_t words[WAIT_WORDS];
	struct capnp_builder results;

	if (status != STATUS_OK) {
		question_answer(question, status, detail, NULL, 0);
		return;
	}
	capnp_builder_init(&results, words, WAIT_WORDS, NULL, 0);
	interrupt_wait_results_set_count(interrupt_wait_results_init_root(&results), count);
	ASSERT(results.status == CAPNP_OK);
	question_answer(question, STATUS_OK, 0, words, results.used);
}

static status_t method_acknowledge(void *self, struct call *call,
		struct interrupt_acknowledge_params_reader in,
		struct interrupt_acknowledge_results_builder *out)
{
	const struct interrupt *interrupt = self;
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		irq_acknowledge(interrupt->line);
	return status;
}

static status_t interrupt_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct interrupt_server server = {
		.wait = method_wait,
		.acknowledge = method_acknowledge,
	};

	return interrupt_dispatch(&server, container_of(object, struct interrupt, object), call,
			interface_id, method);
}

static bool interrupt_cancel(struct object *object, struct question *question)
{
	return irq_wait_cancel(container_of(object, struct interrupt, object)->line, question);
}

static void interrupt_last_hold(struct object *object)
{
	struct interrupt *interrupt = container_of(object, struct interrupt, object);

	irq_release(interrupt->line);
	bindings_end(&interrupt->bindings);
}

static struct list *interrupt_bindings(struct object *object)
{
	return &container_of(object, struct interrupt, object)->bindings;
}

static bool interrupt_has_fired(struct object *object)
{
	return irq_has_fired(container_of(object, struct interrupt, object)->line);
}

static void interrupt_destroy(struct object *object)
{
	slab_free(&interrupt_cache, container_of(object, struct interrupt, object));
}

const struct object_type interrupt_type = {
	.name = "interrupt",
	.call = interrupt_call,
	.on_last_hold = interrupt_last_hold,
	.destroy = interrupt_destroy,
	.cancel = interrupt_cancel,
	.bindings = interrupt_bindings,
	.event_is_due = interrupt_has_fired,
};

/* --- The controller ------------------------------------------------------------------------------
 * */

static status_t line_claim(struct call *call, uint32_t line, struct list *bindings)
{
	switch (irq_claim(line, bindings)) {
	case IRQ_CLAIMED:
		return STATUS_OK;
	case IRQ_TAKEN:
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, line, 0);
	case IRQ_NONE:
		break;
	}
	return call_fail_argument(call, 0, ARCH_IRQ_LINES);
}

static status_t method_line(void *self, struct call *call,
		struct interrupt_controller_line_params_reader in,
		struct interrupt_controller_line_results_builder *out)
{
	uint32_t line = interrupt_controller_line_params_get_number(in);
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct interrupt *interrupt;
	status_t status = call_charge_object(call);

	if (status != STATUS_OK)
		return status;
	interrupt = slab_alloc(&interrupt_cache);
	if (interrupt)
		list_init(&interrupt->bindings);
	status = interrupt ? line_claim(call, line, &interrupt->bindings)
			   : call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	if (status != STATUS_OK)
		goto undo;
	interrupt->line = line;
	object_init(&interrupt->object, &interrupt_type, call->payer);
	object_hold(&interrupt->object);
	object_put(&interrupt->object);
	/* From here on the last hold gives the line back. */
	status = call_give(call, &interrupt->object, &interrupt_interface, true, &cap);
	interrupt_controller_line_results_set_interrupt(*out, cap);
	return status;
undo:
	if (interrupt)
		slab_free(&interrupt_cache, interrupt);
	ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}

static status_t interrupt_controller_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct interrupt_controller_server server = { .line = method_line };

	return interrupt_controller_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type interrupt_controller_type = {
	.name = "interrupt controller",
	.call = interrupt_controller_call,
};

struct object *interrupt_controller_object(void)
{
	static struct object controller = ROOT_OBJECT(&interrupt_controller_type);

	return &controller;
}
