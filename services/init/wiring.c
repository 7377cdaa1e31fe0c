/*
 * Wiring: everything that connects services is made here, once, before the first of them runs. An
 * endpoint for each that provides something, an export for each object (for each client, where it is
 * perClient), and for each grant the capability that its service will get at every start.
 */
#include "rt/capability.h"
#include "rt/program.h"
#include "services/init/init.h"

/* --- Exports -------------------------------------------------------------------------------------- */

/* A lasting root export: it outlives the incarnations of the service. Owned by the caller. */
static status_t export_make(struct endpoint_ref endpoint, uint64_t tag, uint64_t interface,
		struct client_ref *capability)
{
	struct launch_row rows[LAUNCH_ROWS_MAX];
	uint32_t count = world_rows(&init.world, interface, rows);
	struct endpoint_export_params_builder params;
	struct endpoint_export_call call = endpoint_export_begin(endpoint, &params);
	struct capnp_list_builder list = endpoint_export_params_init_interfaces(params, count);
	status_t st;

	endpoint_export_params_set_tag(params, tag);
	endpoint_export_params_set_lasting(params, true);
	for (uint32_t i = 0; i < count; i++) {
		interface_row_set_id(interface_row_builder_at(list, i), rows[i].id);
		interface_row_set_methods(interface_row_builder_at(list, i), rows[i].methods);
		interface_row_set_ancestors(interface_row_builder_at(list, i), rows[i].ancestors);
	}
	endpoint_export_send(&call);
	st = endpoint_export_wait(&call);
	if (st == STATUS_OK)
		st = endpoint_export_take_capability(&call, capability);
	endpoint_export_done(&call);
	return st;
}

static status_t wire_provided(struct supervised *service)
{
	const struct plan_service *plan = service->plan;
	status_t st;

	if (plan->provided_count == 0)
		return STATUS_OK;
	st = object_factory_endpoint(init.launch.factory, SERVER_MESSAGE_WORDS, SERVER_MESSAGE_CAPS,
			SERVER_CALLS, &service->endpoint);
	for (uint16_t i = 0; i < plan->provided_count && st == STATUS_OK; i++) {
		if (!plan->provided[i].per_client)
			st = export_make(service->endpoint, i, plan->provided[i].interface,
					&service->provided[i]);
	}
	return st;
}

/* --- Grants --------------------------------------------------------------------------------------- */

/* The service comes earlier in the start order, so its endpoint and exports are there. */
static status_t wire_from_service(const struct plan_grant *grant, struct client_ref *capability)
{
	const struct supervised *from = &init.services[grant->service];

	if (from->plan->provided[grant->provided].per_client)
		return export_make(from->endpoint, plan_grant_tag(&init.plan, grant),
				from->plan->provided[grant->provided].interface, capability);
	return client_copy(from->provided[grant->provided], capability);
}

/* The kernel grants its objects to init under the names that the manifest has for them. */
static status_t wire_from_kernel(const struct plan_grant *grant, struct client_ref *capability)
{
	struct client_ref own;

	if (plan_grant_is_own(grant))
		return STATUS_OK;
	own = rt_grant(kernel_object_name(grant->kernel),
			plan_kernel_interface(grant->kernel));
	return client_copy(own, capability);
}

static status_t wire_ports(const struct plan_grant *grant, struct client_ref *capability)
{
	struct io_ports_ref range = { 0 };
	status_t st = io_ports_range(
			RT_GRANT(io_ports, "ports"), grant->port_start, grant->port_count, &range);

	*capability = range.ref;
	return st;
}

static status_t wire_interrupt(const struct plan_grant *grant, struct client_ref *capability)
{
	struct interrupt_ref line = { 0 };
	status_t st = interrupt_controller_line(
			RT_GRANT(interrupt_controller, "interrupts"), grant->interrupt, &line);

	*capability = line.ref;
	return st;
}

/* The widest policy, made narrower. */
static status_t wire_policy(const struct plan_grant *grant, struct client_ref *capability)
{
	struct scheduling_control_ref control = RT_GRANT(scheduling_control, "scheduling");
	struct scheduling_policy_ref widest = { 0 }, narrow = { 0 };
	uint64_t processors = 0;
	uint32_t weight = 0;
	enum latency_class class;
	status_t st = scheduling_control_policy(control, &widest);

	if (st == STATUS_OK)
		st = scheduling_policy_info(widest, &weight, &class, &processors);
	if (grant->policy_processors && st == STATUS_OK) {
		processors &= grant->policy_processors;
		if (!processors)
			st = STATUS_INVALID_ARGUMENT;
	}
	if (st == STATUS_OK)
		st = scheduling_policy_narrow(widest, grant->policy_weight, grant->policy_class, processors, &narrow);
	client_release(widest.ref);
	*capability = narrow.ref;
	return st;
}

static status_t wire_source(const struct plan_grant *grant, struct client_ref *capability)
{
	switch (grant->kind) {
	case GRANT_SOURCE_WHICH_NONE:
		break;
	case GRANT_SOURCE_WHICH_KERNEL:
		return wire_from_kernel(grant, capability);
	case GRANT_SOURCE_WHICH_PORTS:
		return wire_ports(grant, capability);
	case GRANT_SOURCE_WHICH_INTERRUPT:
		return wire_interrupt(grant, capability);
	case GRANT_SOURCE_WHICH_POLICY:
		return wire_policy(grant, capability);
	case GRANT_SOURCE_WHICH_SERVICE:
		return wire_from_service(grant, capability);
	case GRANT_SOURCE_WHICH_INIT:
		return client_copy(supervisor_object(grant->init), capability);
	}
	return STATUS_INVALID_ARGUMENT;
}

/* Replaces the capability by its facet. */
static status_t wire_narrow(const struct plan_grant *grant, struct client_ref *capability)
{
	uint32_t narrowed;
	status_t st = rt_narrow(rt_id(*capability), grant->interface, &narrowed);

	if (st != STATUS_OK)
		return st;
	client_release(*capability);
	*capability = rt_ref(narrowed);
	return STATUS_OK;
}

static status_t wire_grants(struct supervised *service)
{
	for (uint16_t i = 0; i < service->plan->grant_count; i++) {
		const struct plan_grant *grant = &service->plan->grants[i];
		status_t st = wire_source(grant, &service->grants[i]);

		if (st == STATUS_OK && grant->narrowed)
			st = wire_narrow(grant, &service->grants[i]);
		if (st != STATUS_OK) {
			init_say(LOG_LEVEL_ERROR, "cannot grant %.*s to %.*s: %s",
					(int)grant->name.bytes, grant->name.chars,
					(int)service->plan->name.bytes, service->plan->name.chars,
					status_sentence(st));
			return st;
		}
	}
	return STATUS_OK;
}

status_t wiring_make(void)
{
	for (uint16_t i = 0; i < init.plan.service_count; i++) {
		uint16_t index = init.plan.order[i];
		struct supervised *service = &init.services[index];
		status_t st;

		service->plan = &init.plan.services[index];
		service->state = SERVICE_STATE_STOPPED;
		st = wire_provided(service);
		if (st != STATUS_OK) {
			init_say(LOG_LEVEL_ERROR, "no endpoint for %.*s: %s",
					(int)service->plan->name.bytes, service->plan->name.chars,
					status_sentence(st));
			return st;
		}
		st = wire_grants(service);
		if (st != STATUS_OK)
			return st;
	}
	return STATUS_OK;
}
