/*
 * What init answers for: the services, and the end of the system. Whoever holds Supervisor can end and
 * start every service; whoever holds SystemControl can end everything. The manifest says who.
 */
#include "capos/init.server.h"
#include "capos/kernel.server.h"
#include "rt/capability.h"
#include "services/init/init.h"

static struct server server;
static struct server_object supervisor;
static struct server_object system_control;
static struct client_ref supervisor_capability;
static struct client_ref system_capability;

/* --- Supervisor ------------------------------------------------------------------------------------ */

static struct supervised *find(struct capnp_text name)
{
	for (uint16_t i = 0; i < init.plan.service_count; i++) {
		if (capnp_text_is(init.services[i].plan->name, name))
			return &init.services[i];
	}
	return NULL;
}

static status_t supervisor_list(void *self, struct call *call,
		struct service_view_list_params_reader in,
		struct service_view_list_results_builder *out)
{
	struct capnp_list_builder list = service_view_list_results_init_services(
			*out, init.plan.service_count);

	for (uint16_t i = 0; i < init.plan.service_count; i++) {
		const struct supervised *service = &init.services[init.plan.order[i]];
		struct service_status_builder to = service_status_builder_at(list, i);

		service_status_set_name(to, service->plan->name);
		service_status_set_state(to, service->state);
		service_status_set_process_id(to, service->process_id);
		service_status_set_starts(to, service->starts);
		service_status_set_last_end(to, capnp_text(service->last_end));
	}
	return STATUS_OK;
}

/* Ends the process if it runs. */
static enum service_outcome end_process(struct supervised *service)
{
	if (service == NULL)
		return SERVICE_OUTCOME_NO_SUCH_SERVICE;
	if (service->state != SERVICE_STATE_RUNNING)
		return SERVICE_OUTCOME_NOT_RUNNING;
	/* It may have ended by itself just now; then this has no effect, which is what was wanted. */
	(void)process_handle_kill(service->process, 1);
	return SERVICE_OUTCOME_DONE;
}

static status_t supervisor_kill(void *self, struct call *call,
		struct supervisor_kill_params_reader in,
		struct supervisor_kill_results_builder *out)
{
	struct capnp_text name = supervisor_kill_params_get_name(in);

	supervisor_kill_results_set_outcome(*out, end_process(find(name)));
	return STATUS_OK;
}

static status_t supervisor_stop(void *self, struct call *call,
		struct supervisor_stop_params_reader in,
		struct supervisor_stop_results_builder *out)
{
	struct supervised *service = find(supervisor_stop_params_get_name(in));
	enum service_outcome outcome = SERVICE_OUTCOME_DONE;

	if (service != NULL && service->state == SERVICE_STATE_WAITING) {
		loop_timer_stop(&init.loop, &service->timer);
		service->state = SERVICE_STATE_STOPPED;
	} else {
		outcome = end_process(service);
		if (outcome == SERVICE_OUTCOME_DONE)
			service->stop_requested = true;
	}
	supervisor_stop_results_set_outcome(*out, outcome);
	return STATUS_OK;
}

static enum service_outcome start(struct supervised *service)
{
	if (service == NULL)
		return SERVICE_OUTCOME_NO_SUCH_SERVICE;
	if (service->state == SERVICE_STATE_RUNNING || init.shutting_down)
		return SERVICE_OUTCOME_ALREADY_RUNNING;
	if (service->plan->provided_count > 0 && client_ref_is_null(service->endpoint.ref))
		return SERVICE_OUTCOME_GIVEN_UP;
	loop_timer_stop(&init.loop, &service->timer);
	restart_forget(&service->history);
	service_start(service);
	return service->state == SERVICE_STATE_RUNNING ? SERVICE_OUTCOME_DONE
						       : SERVICE_OUTCOME_START_FAILED;
}

static status_t supervisor_start(void *self, struct call *call,
		struct supervisor_start_params_reader in,
		struct supervisor_start_results_builder *out)
{
	struct capnp_text name = supervisor_start_params_get_name(in);

	supervisor_start_results_set_outcome(*out, start(find(name)));
	return STATUS_OK;
}

static const struct supervisor_server supervisor_handlers = {
	.service_view = { .list = supervisor_list },
	.kill = supervisor_kill,
	.stop = supervisor_stop,
	.start = supervisor_start,
};
SERVER_CLASS(supervisor_class, supervisor, supervisor_handlers, NULL);

/* --- SystemControl --------------------------------------------------------------------------------- */

/* The caller is about to be ended like all others: its call waits for that. */
static void caller_ended(struct call *call, void *context)
{
	call_answer(call, STATUS_FAILED);
}

static status_t system_power_off(void *self, struct call *call,
		struct system_control_power_off_params_reader in,
		struct system_control_power_off_results_builder *out)
{
	uint32_t status = system_control_power_off_params_get_status(in);

	call_on_cancel(call, caller_ended, NULL);
	call_defer(call);
	init_shut_down(status, false);
	return STATUS_OK;
}

static status_t system_reboot(void *self, struct call *call,
		struct system_control_reboot_params_reader in,
		struct system_control_reboot_results_builder *out)
{
	call_on_cancel(call, caller_ended, NULL);
	call_defer(call);
	init_shut_down(0, true);
	return STATUS_OK;
}

static const struct system_control_server system_handlers = {
	.power_off = system_power_off,
	.reboot = system_reboot,
};
SERVER_CLASS(system_class, system_control, system_handlers, NULL);

/* --- Both ------------------------------------------------------------------------------------------- */

static status_t export_own(struct server_object *object, const struct server_class *class,
		struct client_ref *capability)
{
	uint32_t id;
	status_t st = server_export(&server, object, class, NULL, &id);

	if (st == STATUS_OK)
		*capability = rt_ref(id);
	return st;
}

status_t supervisor_serve(void)
{
	struct endpoint_ref endpoint;
	status_t st = object_factory_endpoint(init.launch.factory, SERVER_MESSAGE_WORDS,
			SERVER_MESSAGE_CAPS, SERVER_CALLS, &endpoint);

	if (st == STATUS_OK)
		st = loop_serve(&init.loop, &server, rt_id(endpoint.ref));
	if (st == STATUS_OK)
		st = export_own(&supervisor, &supervisor_class, &supervisor_capability);
	if (st == STATUS_OK)
		st = export_own(&system_control, &system_class, &system_capability);
	return st;
}

struct client_ref supervisor_object(enum init_object object)
{
	switch (object) {
	case INIT_OBJECT_SYSTEM:
		return system_capability;
	case INIT_OBJECT_SUPERVISOR:
		return supervisor_capability;
	case INIT_OBJECT_NONE:
		break;
	}
	return (struct client_ref){ 0 };
}
