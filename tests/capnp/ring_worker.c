/*
 * Workers in a process of their own: the host functions of worker.h over lib/rt.
 */
#include "tests/capnp/ring_worker.h"

#include "capos/kernel.capnp.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"
#include "tests/capnp/worker.h"

static struct loop loop;
static struct server server;
static struct server_object objects[WORKERS_MAX];

static void worker_no_holders(void *self)
{
	worker_drop(self);
}

SERVER_CLASS(worker_class, worker, worker_handlers, worker_no_holders);

struct capnp_cap worker_host_export(struct call *call, struct worker *worker)
{
	status_t status;
	struct capnp_cap cap = call_export(call, &objects[worker_index(worker)], &worker_class, worker,
			&status);

	if (status != STATUS_OK)
		worker_drop(worker);
	return cap;
}

struct worker *worker_host_find(struct call *call, struct capnp_cap cap)
{
	return call_own_object(call, cap, &worker_class);
}

static void later_cancelled(struct call *call, void *context)
{
	worker_forget(call);
	call_answer(call, STATUS_CANCELLED);
}

void worker_host_defer(struct call *call)
{
	call_defer(call);
	call_on_cancel(call, later_cancelled, NULL);
}

void worker_host_answer(struct call *call, status_t status)
{
	call_answer(call, status);
}

void worker_host_reason(struct call *call, struct capnp_text reason)
{
	/* The handler returns this status itself. */
	(void)call_fail(call, STATUS_FAILED, reason.chars);
}

int ring_worker_main(void)
{
	struct worker *root = worker_make(capnp_text("root"));
	status_t status;

	loop_init(&loop);
	server_root(&server, &objects[worker_index(root)], 0, &worker_class, root);
	status = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (status == STATUS_OK)
		status = loop_run(&loop);
	return status == STATUS_OK ? 0 : 1;
}
