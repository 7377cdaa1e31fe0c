/*
 * The counter's service: one number, and callers who wait for it to become large enough.
 *
 * `reach` shows a call that is answered later. Its handler defers it and returns, so the service goes
 * on; `add` answers those whose number has come. A caller that gives up is forgotten.
 */
#include <stdlib.h>

#include "capos/kernel.capnp.h"
#include "programs/counter/counter.server.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"

/* A deferred call of `reach`. */
struct waiter {
	struct waiter *next;
	struct call *call;
	uint64_t value;
};

static struct loop loop;
static struct server server;
static struct server_object counter;
static struct waiter *waiters;
static uint64_t value;

static void waiter_remove(struct waiter *waiter)
{
	struct waiter **link = &waiters;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	free(waiter);
}

static void waiter_cancelled(struct call *call, void *context)
{
	waiter_remove(context);
	call_answer(call, STATUS_FAILED);
}

static void waiter_answer(struct waiter *waiter)
{
	struct call *call = waiter->call;
	struct counter_reach_results_builder out =
			counter_reach_results_init_root(call_results(call));

	counter_reach_results_set_value(out, value);
	waiter_remove(waiter);
	call_answer(call, STATUS_OK);
}

static status_t counter_add(void *self, struct call *call, struct counter_add_params_reader in,
		struct counter_add_results_builder *out)
{
	uint64_t amount = counter_add_params_get_amount(in);
	struct waiter *next;

	value += MIN(amount, UINT64_MAX - value);
	counter_add_results_set_value(*out, value);
	for (struct waiter *waiter = waiters; waiter != NULL; waiter = next) {
		next = waiter->next;
		if (waiter->value <= value)
			waiter_answer(waiter);
	}
	return STATUS_OK;
}

static status_t counter_value(void *self, struct call *call, struct counter_value_params_reader in,
		struct counter_value_results_builder *out)
{
	counter_value_results_set_value(*out, value);
	return STATUS_OK;
}

static status_t counter_reach(void *self, struct call *call, struct counter_reach_params_reader in,
		struct counter_reach_results_builder *out)
{
	uint64_t wanted = counter_reach_params_get_value(in);
	struct waiter *waiter;

	if (wanted <= value) {
		counter_reach_results_set_value(*out, value);
		return STATUS_OK;
	}
	if (!call_may_wait(call))
		return STATUS_OVERLOADED;
	waiter = malloc(sizeof(*waiter));
	if (waiter == NULL)
		return STATUS_OVERLOADED;
	*waiter = (struct waiter){ .next = waiters, .call = call, .value = wanted };
	waiters = waiter;
	call_on_cancel(call, waiter_cancelled, waiter);
	call_defer(call);
	return STATUS_OK;
}

static const struct counter_server counter_handlers = {
	.add = counter_add,
	.value = counter_value,
	.reach = counter_reach,
};
SERVER_CLASS(counter_class, counter, counter_handlers, NULL);

int main(int argc, char **argv)
{
	status_t st;

	loop_init(&loop);
	server_root(&server, &counter, 0, &counter_class, NULL);
	st = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (st == STATUS_OK)
		st = loop_run(&loop);
	return st == STATUS_OK ? 0 : 1;
}
