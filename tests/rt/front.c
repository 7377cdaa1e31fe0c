/*
 * The front: a server that has no objects of its own and gives every call on, whatever its method.
 */
#include "capos/kernel.client.h"
#include "programs/bank/bank.server.h"
#include "programs/counter/counter.server.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"
#include "tests/rt/rt_test.h"

static struct loop loop;
static struct server server;
static struct server_object counter;
static struct server_object account;
static struct server_object timer;
static struct client_ref counter_behind;
static struct client_ref account_behind;
static struct client_ref timer_behind;

static status_t give_on(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return call_forward(call, *(const struct client_ref *)self);
}

static const struct server_class counter_front = { &counter_interface, give_on, NULL };
static const struct server_class account_front = { &account_interface, give_on, NULL };
static const struct server_class timer_front = { &timer_interface, give_on, NULL };

int front_main(void)
{
	struct client_ref serve = rt_grant("serve", ENDPOINT_INTERFACE_ID);

	counter_behind = rt_grant("counter", COUNTER_INTERFACE_ID);
	account_behind = rt_grant("account", ACCOUNT_INTERFACE_ID);
	timer_behind = rt_grant("timer", TIMER_INTERFACE_ID);
	loop_init(&loop);
	server_root(&server, &counter, 0, &counter_front, &counter_behind);
	server_root(&server, &account, 1, &account_front, &account_behind);
	server_root(&server, &timer, 2, &timer_front, &timer_behind);
	if (loop_serve(&loop, &server, rt_id(serve)) != STATUS_OK)
		return 2;
	return loop_run(&loop) == STATUS_OK ? 0 : 1;
}
