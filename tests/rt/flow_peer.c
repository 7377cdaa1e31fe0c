/*
 * The peer of the test of streams: a server in another process whose flows defer their stream
 * calls, each for a while, and count what arrives.
 */
#include <stdlib.h>

#include "capos/kernel.capnp.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"
#include "tests/rt/flow.server.h"
#include "tests/rt/rt_test.h"

struct flow {
	struct server_object object;
	struct loop_timer timer;
	struct call *held; /* the push that is kept */
	uint64_t hold_ns;
	uint64_t pushed;
};

static struct loop loop;
static struct server server;
static struct server_object source;
static uint64_t newest_pushed;
static bool newest_in_order;
static uint32_t flows;
static const struct flow *newest;

static void push_let_go(void *context)
{
	struct flow *flow = context;
	struct call *call = flow->held;

	flow->held = NULL;
	call_answer(call, STATUS_OK);
}

static void push_cancelled(struct call *call, void *context)
{
	struct flow *flow = context;

	loop_timer_stop(&loop, &flow->timer);
	flow->held = NULL;
	call_answer(call, STATUS_FAILED);
}

static status_t flow_push_handler(void *self, struct call *call, struct flow_push_params_reader in)
{
	struct flow *flow = self;

	if (flow == newest) {
		newest_in_order &= flow_push_params_get_number(in) == flow->pushed &&
				flow->held == NULL;
		newest_pushed++;
	}
	flow->pushed++;
	if (flow->hold_ns == 0)
		return STATUS_OK;
	flow->held = call;
	call_defer(call);
	call_on_cancel(call, push_cancelled, flow);
	return loop_after(&loop, &flow->timer, flow->hold_ns, push_let_go, flow);
}

static void flow_no_holders(void *self)
{
	flows--;
	free(self);
}

static const struct flow_server flow_handlers = { .push = flow_push_handler };
SERVER_CLASS(flow_class, flow, flow_handlers, flow_no_holders);

static status_t source_open_handler(void *self, struct call *call,
		struct flow_source_open_params_reader in,
		struct flow_source_open_results_builder *out)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	status_t status;

	if (flow == NULL)
		return STATUS_OVERLOADED;
	flow->hold_ns = flow_source_open_params_get_hold_ns(in);
	flow_source_open_results_set_flow(
			*out, call_export(call, &flow->object, &flow_class, flow, &status));
	if (status != STATUS_OK) {
		free(flow);
		return status;
	}
	newest = flow;
	newest_pushed = 0;
	newest_in_order = true;
	flows++;
	return STATUS_OK;
}

static status_t source_newest_handler(void *self, struct call *call,
		struct flow_source_newest_params_reader in,
		struct flow_source_newest_results_builder *out)
{
	flow_source_newest_results_set_pushed(*out, newest_pushed);
	flow_source_newest_results_set_in_order(*out, newest_in_order);
	flow_source_newest_results_set_flows(*out, flows);
	return STATUS_OK;
}

static const struct flow_source_server source_handlers = {
	.open = source_open_handler,
	.newest = source_newest_handler,
};
SERVER_CLASS(source_class, flow_source, source_handlers, NULL);

int flow_peer_main(void)
{
	loop_init(&loop);
	server_root(&server, &source, 0, &source_class, NULL);
	if (loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID))) !=
			STATUS_OK)
		return 2;
	return loop_run(&loop) == STATUS_OK ? 0 : 1;
}
