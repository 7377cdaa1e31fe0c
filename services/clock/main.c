/*
 * The clock service: what time of day it is, where that comes from, and how far to trust it. It reads the battery clock
 * once, when it starts; from then on the time goes on with the monotonic clock. Who holds its control says another.
 * rtc.c knows the device, wall_time.c what was said; this file connects them to calls.
 */
#include "capos/clock.server.h"
#include "capos/kernel.client.h"
#include "capos/log.client.h"
#include "rt/capability.h"
#include "rt/clock.h"
#include "rt/program.h"
#include "rt/server.h"
#include "services/clock/rtc.h"
#include "services/clock/wall_time.h"

/* What the manifest's `provides` names, in this order. */
#define OBJECT_CLOCK   0u
#define OBJECT_CONTROL 1u

#define PORT_INDEX 0u
#define PORT_DATA  1u

#define NS_PER_SECOND   1000000000ll
#define SECONDS_MAX     (INT64_MAX / NS_PER_SECOND - 1)

static struct loop loop;
static struct server server;
static struct server_object clock, control;
static struct wall_time wall;

/* --- The battery clock -------------------------------------------------------------------------- */

static status_t port_register_read(void *context, uint8_t index, uint8_t *value)
{
	struct io_ports_ref ports = RT_GRANT(io_ports, "ports");
	status_t st = io_ports_write(ports, PORT_INDEX, index);

	return st == STATUS_OK ? io_ports_read(ports, PORT_DATA, value) : st;
}

static void say(const char *text)
{
	(void)!log_sink_write(RT_GRANT(log_sink, "log"), LOG_LEVEL_WARNING, capnp_text(text));
}

/* Its second has begun somewhere within the last one: the middle is at most half a second wrong. */
static void begin(void)
{
	uint64_t seconds, before_ns = 0, after_ns = 0;
	status_t st = clock_now(&before_ns);

	if (st == STATUS_OK)
		st = rtc_read(port_register_read, NULL, &seconds);
	if (st == STATUS_OK)
		st = clock_now(&after_ns);
	if (st != STATUS_OK || seconds > SECONDS_MAX) {
		say("the battery clock tells no time; nobody knows what time it is");
		return;
	}
	wall_time_begin(&wall, (int64_t)seconds * NS_PER_SECOND + NS_PER_SECOND / 2,
			NS_PER_SECOND / 2 + (after_ns - before_ns), after_ns);
}

/* --- Calls -------------------------------------------------------------------------------------- */

static status_t clock_now_(void *self, struct call *call, struct wall_clock_now_params_reader in,
		struct wall_clock_now_results_builder *out)
{
	struct wall_time_now now;
	uint64_t monotonic_ns;
	status_t st = clock_now(&monotonic_ns);

	if (st != STATUS_OK)
		return st;
	now = wall_time_now(&wall, monotonic_ns);
	wall_clock_now_results_set_unix_ns(*out, now.unix_ns);
	wall_clock_now_results_set_uncertainty_ns(*out, now.uncertainty_ns);
	wall_clock_now_results_set_source(*out, wall.source);
	wall_clock_now_results_set_trust(*out, wall.trust);
	wall_clock_now_results_set_changes(*out, wall.changes);
	return STATUS_OK;
}

static status_t control_set(void *self, struct call *call, struct wall_clock_control_set_params_reader in,
		struct wall_clock_control_set_results_builder *out)
{
	uint64_t monotonic_ns;
	status_t st = clock_now(&monotonic_ns);

	return st != STATUS_OK ? st : wall_time_set(&wall, wall_clock_control_set_params_get_unix_ns(in),
			wall_clock_control_set_params_get_uncertainty_ns(in), monotonic_ns);
}

static status_t control_adjust(void *self, struct call *call, struct wall_clock_control_adjust_params_reader in,
		struct wall_clock_control_adjust_results_builder *out)
{
	uint64_t monotonic_ns;
	status_t st = clock_now(&monotonic_ns);

	return st != STATUS_OK ? st : wall_time_adjust(&wall, wall_clock_control_adjust_params_get_offset_ns(in),
			wall_clock_control_adjust_params_get_uncertainty_ns(in), monotonic_ns);
}

static const struct wall_clock_server clock_handlers = { .now = clock_now_ };
static const struct wall_clock_control_server control_handlers = { .set = control_set, .adjust = control_adjust };
SERVER_CLASS(clock_class, wall_clock, clock_handlers, NULL);
SERVER_CLASS(control_class, wall_clock_control, control_handlers, NULL);

int main(int argc, char **argv)
{
	status_t st;

	begin();
	loop_init(&loop);
	server_root(&server, &clock, OBJECT_CLOCK, &clock_class, NULL);
	server_root(&server, &control, OBJECT_CONTROL, &control_class, NULL);
	st = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (st == STATUS_OK)
		st = loop_run(&loop);
	return st == STATUS_OK ? 0 : 1;
}
