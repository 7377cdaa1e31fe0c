/*
 * Checking a manifest. See plan.h for what an accepted plan promises.
 *
 * The order of the passes matters: read_* copy each part into the plan's tables, refusing what can
 * be seen in that part alone; resolve_* then connect names between parts; order_services comes last
 * because it relies on resolved sources. Nothing is looked up in the message a second time.
 */
#include "services/init/plan_internal.h"

#include "capos/init.capnp.h"
#include "capos/kernel.capnp.h"
#include "capos/trace.capnp.h"

/* --- Small questions -------------------------------------------------------------------------- */

static bool name_char_allowed(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool check_name(struct plan *plan, struct plan_place place, struct capnp_text name)
{
	if (name.bytes == 0)
		return plan_refuse(plan, place, "is empty");
	if (name.bytes > NAME_BYTES_MAX)
		return plan_refuse_number(
				plan, place, "is too long; bytes allowed: ", NAME_BYTES_MAX);
	for (uint32_t i = 0; i < name.bytes; i++) {
		if (!name_char_allowed(name.chars[i]))
			return plan_refuse_text(plan, place,
					"has characters other than a-z 0-9 - _: ", name);
	}
	return true;
}

static bool check_count(struct plan *plan, struct plan_place place, uint32_t count, uint32_t max)
{
	if (count <= max)
		return true;
	(void)plan_refuse(plan, place, "has ");
	plan_put_number(plan, count);
	plan_put(plan, " elements, at most ");
	plan_put_number(plan, max);
	return false;
}

uint64_t plan_kernel_interface(enum kernel_object object)
{
	switch (object) {
	case KERNEL_OBJECT_NONE:
		return 0;
	case KERNEL_OBJECT_CONSOLE:
		return CONSOLE_INTERFACE_ID;
	case KERNEL_OBJECT_TIMER:
		return TIMER_INTERFACE_ID;
	case KERNEL_OBJECT_ENTROPY:
		return ENTROPY_SOURCE_INTERFACE_ID;
	case KERNEL_OBJECT_INFO:
		return SYSTEM_INFO_INTERFACE_ID;
	case KERNEL_OBJECT_MEMORY:
		return VIRTUAL_MEMORY_INTERFACE_ID;
	case KERNEL_OBJECT_FACTORY:
		return OBJECT_FACTORY_INTERFACE_ID;
	case KERNEL_OBJECT_SPAWNER:
		return PROCESS_SPAWNER_INTERFACE_ID;
	case KERNEL_OBJECT_PACKAGE:
		return BOOT_PACKAGE_INTERFACE_ID;
	case KERNEL_OBJECT_SYSTEM:
		return SYSTEM_CONTROL_INTERFACE_ID;
	case KERNEL_OBJECT_AUTHORITY:
		return CAPABILITY_MANAGER_INTERFACE_ID;
	case KERNEL_OBJECT_INTERRUPTS:
		return INTERRUPT_CONTROLLER_INTERFACE_ID;
	case KERNEL_OBJECT_TRACER:
		return PAYLOAD_TRACER_INTERFACE_ID;
	case KERNEL_OBJECT_THREADS:
		return THREAD_SPAWNER_INTERFACE_ID;
	case KERNEL_OBJECT_SESSIONS:
		return SESSION_MANAGER_INTERFACE_ID;
	case KERNEL_OBJECT_SCHEDULING:
		return SCHEDULING_CONTROL_INTERFACE_ID;
	}
	return 0; /* a number that this init does not know */
}

uint64_t plan_init_interface(enum init_object object)
{
	switch (object) {
	case INIT_OBJECT_NONE:
		return 0;
	case INIT_OBJECT_SYSTEM:
		return SYSTEM_CONTROL_INTERFACE_ID;
	case INIT_OBJECT_SUPERVISOR:
		return SUPERVISOR_INTERFACE_ID;
	}
	return 0;
}

/* --- Profiles --------------------------------------------------------------------------------- */

static bool read_limits(struct plan *plan, struct plan_profile *profile, uint32_t index,
		struct capnp_list limits)
{
	struct plan_place place = at("profiles", index, NULL);

	for (uint32_t i = 0; i < limits.count; i++) {
		struct limit_reader limit = limit_at(limits, i);
		uint32_t class = (uint32_t)limit_get_class(limit);

		if (class >= RESOURCE_CLASS_COUNT)
			return plan_refuse_number(plan, within(place, "limits", i, "class"),
					"no such resource class: ", class);
		if (profile->set[class])
			return plan_refuse(plan, within(place, "limits", i, "class"),
					"is limited twice in this profile");
		profile->set[class] = true;
		profile->limits[class] = limit_get_limit(limit);
	}
	return true;
}

static bool read_profiles(struct plan *plan, struct capnp_list profiles)
{
	struct plan_place whole = { .field = "profiles" };

	if (!check_count(plan, whole, profiles.count, PROFILES_MAX))
		return false;
	for (uint32_t i = 0; i < profiles.count; i++) {
		struct profile_reader reader = profile_at(profiles, i);
		struct plan_profile *profile = &plan->profiles[i];
		struct capnp_list limits = profile_get_limits(reader);

		profile->name = profile_get_name(reader);
		if (!check_name(plan, at("profiles", i, "name"), profile->name))
			return false;
		for (uint32_t j = 0; j < i; j++) {
			if (capnp_text_is(plan->profiles[j].name, profile->name))
				return plan_refuse_text(plan, at("profiles", i, "name"),
						"is used by an earlier profile: ", profile->name);
		}
		if (!read_limits(plan, profile, i, limits))
			return false;
		plan->profile_count++;
	}
	return true;
}

/* --- Services, each by itself ----------------------------------------------------------------- */

static bool read_strings(struct plan *plan, struct plan_place place, struct service_reader service)
{
	struct capnp_list args = service_get_args(service);
	struct capnp_list env = service_get_env(service);

	if (!check_count(plan, field_of(place, "args"), args.count, ARGUMENTS_MAX) ||
			!check_count(plan, field_of(place, "env"), env.count, ARGUMENTS_MAX))
		return false;
	for (uint32_t i = 0; i < env.count; i++) {
		struct capnp_text name = environment_variable_get_name(
				environment_variable_at(env, i));

		if (name.bytes == 0)
			return plan_refuse(plan, within(place, "env", i, "name"), "is empty");
		for (uint32_t j = 0; j < i; j++) {
			struct environment_variable_reader other = environment_variable_at(env, j);

			if (capnp_text_is(environment_variable_get_name(other), name))
				return plan_refuse_text(plan, within(place, "env", i, "name"),
						"is set twice: ", name);
		}
	}
	return true;
}

static bool read_provided(struct plan *plan, const struct plan_world *world,
		struct plan_place place, struct plan_service *service)
{
	struct capnp_list list = service_get_provides(service->manifest);

	if (!check_count(plan, field_of(place, "provides"), list.count, PROVIDED_MAX))
		return false;
	for (uint32_t i = 0; i < list.count; i++) {
		struct provided_reader reader = provided_at(list, i);
		struct plan_provided *provided = &service->provided[i];
		struct plan_place name_place = within(place, "provides", i, "name");

		provided->name = provided_get_name(reader);
		provided->interface = provided_get_interface(reader);
		provided->per_client = provided_get_per_client(reader);
		if (!check_name(plan, name_place, provided->name))
			return false;
		for (uint32_t j = 0; j < i; j++) {
			if (capnp_text_is(service->provided[j].name, provided->name))
				return plan_refuse_text(plan, name_place,
						"is provided twice by this service: ",
						provided->name);
		}
		if (!world->knows_interface(world->self, provided->interface))
			return plan_refuse_id(plan, within(place, "provides", i, "interface"),
					"no schema in the boot package has interface ",
					provided->interface);
		service->provided_count++;
	}
	return true;
}

static bool read_restart(struct plan *plan, struct plan_place place, struct plan_service *service)
{
	struct restart_reader reader = service_get_restart(service->manifest);
	struct plan_restart *restart = &service->restart;

	restart->policy = restart_get_policy(reader);
	restart->budget = restart_get_budget(reader);
	restart->window_ns = restart_get_window_ns(reader);
	restart->backoff_ns = restart_get_backoff_ns(reader);
	restart->backoff_max_ns = restart_get_backoff_max_ns(reader);
	if ((uint32_t)restart->policy > RESTART_POLICY_ALWAYS)
		return plan_refuse_number(plan, field_of(place, "restart.policy"),
				"no such policy: ", (uint32_t)restart->policy);
	if (restart->budget > RESTART_BUDGET_MAX)
		return plan_refuse_number(plan, field_of(place, "restart.budget"), "is more than ",
				RESTART_BUDGET_MAX);
	if (restart->window_ns == 0 || restart->window_ns > PLAN_RESTART_WINDOW_MAX_NS)
		return plan_refuse(plan, field_of(place, "restart.windowNs"),
				"is not between 1 ns and one day");
	if (restart->backoff_max_ns > PLAN_RESTART_BACKOFF_MAX_NS)
		return plan_refuse(plan, field_of(place, "restart.backoffMaxNs"),
				"is more than one hour");
	if (restart->backoff_ns > restart->backoff_max_ns)
		return plan_refuse(plan, field_of(place, "restart.backoffNs"),
				"is more than backoffMaxNs");
	return true;
}

static bool find_profile(struct plan *plan, struct plan_place place, struct plan_service *service)
{
	struct capnp_text name = service_get_profile(service->manifest);

	service->profile = PLAN_NO_PROFILE;
	if (name.bytes == 0)
		return true;
	for (uint16_t i = 0; i < plan->profile_count; i++) {
		if (capnp_text_is(plan->profiles[i].name, name)) {
			service->profile = i;
			return true;
		}
	}
	return plan_refuse_text(plan, field_of(place, "profile"), "no profile ", name);
}

static bool read_service(struct plan *plan, const struct plan_world *world, uint32_t index)
{
	struct plan_service *service = &plan->services[index];
	struct plan_place place = at("services", index, NULL);

	service->name = service_get_name(service->manifest);
	service->program = service_get_program(service->manifest);
	service->essential = service_get_essential(service->manifest);
	if (!check_name(plan, field_of(place, "name"), service->name))
		return false;
	for (uint32_t i = 0; i < index; i++) {
		if (capnp_text_is(plan->services[i].name, service->name))
			return plan_refuse_text(plan, field_of(place, "name"),
					"is used by an earlier service: ", service->name);
	}
	if (!world->has_file(world->self, service->program))
		return plan_refuse_text(plan, field_of(place, "program"),
				"the boot package has no file ", service->program);
	return read_strings(plan, place, service->manifest) &&
			read_provided(plan, world, place, service) &&
			read_restart(plan, place, service) && find_profile(plan, place, service);
}

static bool read_services(struct plan *plan, const struct plan_world *world)
{
	struct capnp_list services = manifest_get_services(plan->manifest);
	struct plan_place whole = { .field = "services" };

	if (services.count == 0)
		return plan_refuse(plan, whole, "there are none");
	if (!check_count(plan, whole, services.count, SERVICES_MAX))
		return false;
	for (uint32_t i = 0; i < services.count; i++) {
		plan->services[i].manifest = service_at(services, i);
		if (!read_service(plan, world, i))
			return false;
		plan->service_count++;
	}
	return true;
}

/* --- Grants: names resolved across services --------------------------------------------------- */

static bool find_service(const struct plan *plan, struct capnp_text name, uint16_t *index)
{
	for (uint16_t i = 0; i < plan->service_count; i++) {
		if (capnp_text_is(plan->services[i].name, name)) {
			*index = i;
			return true;
		}
	}
	return false;
}

static bool find_provided(
		const struct plan_service *service, struct capnp_text name, uint16_t *index)
{
	for (uint16_t i = 0; i < service->provided_count; i++) {
		if (capnp_text_is(service->provided[i].name, name)) {
			*index = i;
			return true;
		}
	}
	return false;
}

/* The number of `client` among the holders of the service's perClient objects, entering it first. */
static uint16_t client_number(struct plan_service *service, uint16_t client)
{
	for (uint16_t i = 0; i < service->client_count; i++) {
		if (service->clients[i] == client)
			return i;
	}
	service->clients[service->client_count] = client;
	return service->client_count++;
}

static bool resolve_service(struct plan *plan, struct plan_place place, uint16_t client,
		struct plan_grant *grant, struct grant_source_reader source)
{
	struct grant_source_service_reader reader = grant_source_get_service(source);
	struct capnp_text name = grant_source_service_get_name(reader);
	struct capnp_text provided = grant_source_service_get_provided(reader);
	struct plan_service *service;

	if (!find_service(plan, name, &grant->service))
		return plan_refuse_text(plan, place, "no service ", name);
	service = &plan->services[grant->service];
	if (!find_provided(service, provided, &grant->provided)) {
		(void)plan_refuse_text(plan, place, "service ", name);
		plan_put(plan, " provides no ");
		plan_put_quoted(plan, provided);
		return false;
	}
	grant->interface = service->provided[grant->provided].interface;
	if (service->provided[grant->provided].per_client)
		grant->client = client_number(service, client);
	return true;
}

static bool resolve_ports(struct plan *plan, struct plan_place place, struct plan_grant *grant,
		struct grant_source_reader source)
{
	struct port_range_reader ports = grant_source_get_ports(source);

	grant->port_start = port_range_get_start(ports);
	grant->port_count = port_range_get_count(ports);
	grant->interface = IO_PORTS_INTERFACE_ID;
	if (grant->port_count == 0)
		return plan_refuse(plan, place, "the range of ports is empty");
	if ((uint32_t)grant->port_start + grant->port_count > 65536)
		return plan_refuse(plan, place, "the range of ports goes beyond 65535");
	return true;
}

static bool resolve_policy(struct plan *plan, struct plan_place place, struct plan_grant *grant,
		struct grant_source_reader source)
{
	struct policy_bounds_reader bounds = grant_source_get_policy(source);

	grant->policy_weight = policy_bounds_get_weight(bounds);
	grant->policy_class = policy_bounds_get_class(bounds);
	grant->policy_processors = policy_bounds_get_processors(bounds);
	grant->interface = SCHEDULING_POLICY_INTERFACE_ID;
	if (grant->policy_weight > WEIGHT_MAX)
		return plan_refuse_number(plan, place, "no thread has such a weight: ", grant->policy_weight);
	if ((uint32_t)grant->policy_class > LATENCY_CLASS_BATCH)
		return plan_refuse_number(plan, place, "no such latency class: ", (uint32_t)grant->policy_class);
	return true;
}

/* A line has one owner: two services that share one would lose each other's interrupts. */
static bool resolve_interrupt(struct plan *plan, struct plan_place place, uint32_t service_index,
		uint32_t grant_index, uint32_t line)
{
	if (line >= INTERRUPT_LINES)
		return plan_refuse_number(plan, place, "no such interrupt line: ", line);
	for (uint32_t i = 0; i <= service_index; i++) {
		const struct plan_service *service = &plan->services[i];
		uint32_t count = i == service_index ? grant_index : service->grant_count;

		for (uint32_t j = 0; j < count; j++) {
			if (service->grants[j].kind == GRANT_SOURCE_WHICH_INTERRUPT &&
					service->grants[j].interrupt == line)
				return plan_refuse_number(plan, place,
						"an earlier grant has interrupt line ", line);
		}
	}
	return true;
}

static bool resolve_source(struct plan *plan, struct plan_place place, uint16_t service_index,
		uint32_t grant_index, struct grant_source_reader source)
{
	struct plan_grant *grant = &plan->services[service_index].grants[grant_index];

	grant->kind = grant_source_which(source);
	switch (grant->kind) {
	case GRANT_SOURCE_WHICH_NONE:
		return plan_refuse(plan, place, "says no source");
	case GRANT_SOURCE_WHICH_KERNEL:
		grant->kernel = grant_source_get_kernel(source);
		grant->interface = plan_kernel_interface(grant->kernel);
		if (grant->interface == 0)
			return plan_refuse_number(plan, place,
					"no such kernel object: ", (uint32_t)grant->kernel);
		return true;
	case GRANT_SOURCE_WHICH_INIT:
		grant->init = grant_source_get_init(source);
		grant->interface = plan_init_interface(grant->init);
		if (grant->interface == 0)
			return plan_refuse_number(plan, place,
					"no such object of init's: ", (uint32_t)grant->init);
		return true;
	case GRANT_SOURCE_WHICH_PORTS:
		return resolve_ports(plan, place, grant, source);
	case GRANT_SOURCE_WHICH_POLICY:
		return resolve_policy(plan, place, grant, source);
	case GRANT_SOURCE_WHICH_INTERRUPT:
		grant->interrupt = grant_source_get_interrupt(source);
		grant->interface = INTERRUPT_INTERFACE_ID;
		return resolve_interrupt(plan, place, service_index, grant_index, grant->interrupt);
	case GRANT_SOURCE_WHICH_SERVICE:
		return resolve_service(plan, place, service_index, grant, source);
	}
	return plan_refuse_number(plan, place, "no such kind of source: ", (uint32_t)grant->kind);
}

static bool narrow_grant(struct plan *plan, const struct plan_world *world, struct plan_place place,
		struct plan_grant *grant, uint64_t narrow)
{
	if (narrow == 0 || narrow == grant->interface)
		return true;
	if (!world->knows_interface(world->self, narrow))
		return plan_refuse_id(plan, place, "no schema in the boot package has interface ",
				narrow);
	if (!world->interface_is(world->self, grant->interface, narrow))
		return plan_refuse_id(plan, place, "the source is not of interface ", narrow);
	if (plan_grant_is_own(grant))
		return plan_refuse(plan, place, "what is a process' own is granted whole");
	grant->interface = narrow;
	grant->narrowed = true;
	return true;
}

static bool resolve_grants(struct plan *plan, const struct plan_world *world, uint16_t index)
{
	struct plan_service *service = &plan->services[index];
	struct capnp_list grants = service_get_grants(service->manifest);
	struct plan_place place = at("services", index, NULL);

	if (!check_count(plan, field_of(place, "grants"), grants.count, GRANTS_MAX))
		return false;
	for (uint32_t i = 0; i < grants.count; i++) {
		struct grant_reader reader = grant_at(grants, i);
		struct plan_grant *grant = &service->grants[i];
		struct plan_place name_place = within(place, "grants", i, "name");

		grant->name = grant_get_name(reader);
		if (!check_name(plan, name_place, grant->name))
			return false;
		if (capnp_text_equals(grant->name, PLAN_SERVE_GRANT))
			return plan_refuse(plan, name_place,
					"is the name of the service's own endpoint");
		for (uint32_t j = 0; j < i; j++) {
			if (capnp_text_is(service->grants[j].name, grant->name))
				return plan_refuse_text(plan, name_place,
						"is granted twice to this service: ", grant->name);
		}
		if (!resolve_source(plan, within(place, "grants", i, "source"), index, i,
				    grant_get_source(reader)))
			return false;
		if (!narrow_grant(plan, world, within(place, "grants", i, "narrow"), grant,
				    grant_get_narrow(reader)))
			return false;
		service->grant_count++;
	}
	return true;
}

/* --- The whole -------------------------------------------------------------------------------- */

/* Names the cycle that the service at `start` is in or leads to: "shell -> terminal -> shell".
 * Every service that is not placed has a grant from another one that is not placed either, so
 * following the first such grant for as many steps as there are services ends inside a cycle. */
static bool refuse_cycle(struct plan *plan, const bool *placed, uint16_t start)
{
	uint16_t step = start;
	uint16_t first;
	uint16_t via = 0;
	uint16_t grants[SERVICES_MAX] = { 0 };

	for (uint16_t n = 0; n < 2 * plan->service_count; n++) {
		const struct plan_service *service = &plan->services[step];

		for (via = 0; via < service->grant_count; via++) {
			if (service->grants[via].kind == GRANT_SOURCE_WHICH_SERVICE &&
					!placed[service->grants[via].service])
				break;
		}
		grants[step] = via;
		step = service->grants[via].service;
	}
	first = step;
	(void)plan_refuse(plan,
			within(at("services", first, NULL), "grants", grants[first], "source"),
			"services depend on each other: ");
	do {
		plan_put_quoted(plan, plan->services[step].name);
		plan_put(plan, " -> ");
		step = plan->services[step].grants[grants[step]].service;
	} while (step != first);
	plan_put_quoted(plan, plan->services[first].name);
	return false;
}

static bool service_is_ready(const struct plan_service *service, const bool *placed)
{
	for (uint16_t i = 0; i < service->grant_count; i++) {
		if (service->grants[i].kind == GRANT_SOURCE_WHICH_SERVICE &&
				!placed[service->grants[i].service])
			return false;
	}
	return true;
}

/* Manifest order, except that what a service is granted from comes before it. */
static bool order_services(struct plan *plan)
{
	bool placed[SERVICES_MAX] = { false };
	uint16_t count = 0;

	while (count < plan->service_count) {
		uint16_t i = 0;

		while (i < plan->service_count &&
				(placed[i] || !service_is_ready(&plan->services[i], placed)))
			i++;
		if (i == plan->service_count)
			break;
		placed[i] = true;
		plan->order[count++] = i;
	}
	for (uint16_t i = 0; i < plan->service_count; i++) {
		if (!placed[i])
			return refuse_cycle(plan, placed, i);
	}
	return true;
}

static bool check_sums(struct plan *plan, const struct plan_world *world)
{
	uint64_t left[RESOURCE_CLASS_COUNT];

	for (uint32_t class = 0; class < RESOURCE_CLASS_COUNT; class ++)
		left[class] = world->available[class];
	for (uint16_t i = 0; i < plan->service_count; i++) {
		const struct plan_profile *profile;

		if (plan->services[i].profile == PLAN_NO_PROFILE)
			continue;
		profile = &plan->profiles[plan->services[i].profile];
		for (uint32_t class = 0; class < RESOURCE_CLASS_COUNT; class ++) {
			if (!profile->set[class])
				continue;
			if (profile->limits[class] > left[class]) {
				(void)plan_refuse(plan, at("services", i, "profile"),
						"the profiles of all "
						"services together need more than there is of: ");
				plan_put(plan, resource_class_sentence(class));
				return false;
			}
			left[class] -= profile->limits[class];
		}
	}
	return true;
}

uint64_t plan_grant_tag(const struct plan *plan, const struct plan_grant *grant)
{
	const struct plan_service *service = &plan->services[grant->service];

	if (!service->provided[grant->provided].per_client)
		return grant->provided;
	return ((uint64_t)grant->client + 1) << CLIENT_TAG_SHIFT | grant->provided;
}

static bool check_parts(struct plan *plan, const struct plan_world *world)
{
	uint32_t level = (uint32_t)manifest_get_log_level(plan->manifest);

	if (level > LOG_LEVEL_DEBUG)
		return plan_refuse_number(plan, (struct plan_place){ .field = "logLevel" },
				"no such level: ", level);
	if (!read_profiles(plan, manifest_get_profiles(plan->manifest)) ||
			!read_services(plan, world))
		return false;
	for (uint16_t i = 0; i < plan->service_count; i++) {
		if (!resolve_grants(plan, world, i))
			return false;
	}
	return check_sums(plan, world) && order_services(plan);
}

bool plan_check(struct plan *plan, struct capnp_message *message, const struct plan_world *world)
{
	bool accepted;

	__builtin_memset(plan, 0, sizeof(*plan));
	plan->manifest = manifest_get_root(message);
	accepted = check_parts(plan, world);
	/* A bad pointer reads as empty. Whatever that led to above, this is the better answer. */
	if (message->status != CAPNP_OK)
		return plan_refuse(plan, (struct plan_place){ .field = "manifest" },
				"is not a valid message");
	return accepted;
}
