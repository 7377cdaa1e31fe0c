/*
 * Tests of the plan checker. Each starts from one acceptable manifest, changes one thing, and
 * demands the exact refusal, path included. The manifest: a logger that provides a sink to each
 * client and a reader; a line on ports and an interrupt; an app that uses both.
 */
#include "services/init/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "capos/kernel.capnp.h"

#define WORDS 65536u

/* Two interfaces that the fake world knows; WIDE extends NARROW. */
#define NARROW UINT64_C(0xa100)
#define WIDE   UINT64_C(0xa200)

enum { LOGGER, LINE, APP, SERVICES };
enum { PERSON, SMALL, PROFILES };

static uint64_t words[WORDS];
static struct capnp_builder builder;
static struct manifest_builder manifest;
static struct capnp_list_builder services;
static struct capnp_list_builder profiles;
static struct capnp_list_builder app_grants;
static struct capnp_list_builder line_grants;
static struct plan plan;

static bool has_file(void *self, struct capnp_text name)
{
	(void)self;
	return name.bytes > 4 && memcmp(name.chars, "bin/", 4) == 0;
}

static bool knows_interface(void *self, uint64_t id)
{
	(void)self;
	return id == NARROW || id == WIDE || id == TIMER_INTERFACE_ID ||
			id == VIRTUAL_MEMORY_INTERFACE_ID;
}

static bool interface_is(void *self, uint64_t id, uint64_t as)
{
	(void)self;
	return id == as || (id == WIDE && as == NARROW) ||
			(id == VIRTUAL_MEMORY_INTERFACE_ID && as == NARROW);
}

static struct plan_world world;

/* --- The acceptable manifest ------------------------------------------------------------------ */

static struct service_builder service(uint32_t index)
{
	return service_builder_at(services, index);
}

static struct grant_source_builder source(uint32_t grant)
{
	return grant_init_source(grant_builder_at(app_grants, grant));
}

static void name_service(uint32_t index, const char *name, const char *program)
{
	service_set_name(service(index), capnp_text(name));
	service_set_program(service(index), capnp_text(program));
}

static void provide(struct capnp_list_builder list, uint32_t index, const char *name, uint64_t id)
{
	struct provided_builder provided = provided_builder_at(list, index);

	provided_set_name(provided, capnp_text(name));
	provided_set_interface(provided, id);
}

static void grant_from(uint32_t grant, const char *name, const char *from, const char *provided)
{
	struct grant_source_service_builder s = grant_source_init_service(source(grant));

	grant_set_name(grant_builder_at(app_grants, grant), capnp_text(name));
	grant_source_service_set_name(s, capnp_text(from));
	grant_source_service_set_provided(s, capnp_text(provided));
}

static void limit(uint32_t profile, uint32_t index, uint32_t count, enum resource_class class,
		uint64_t value)
{
	static struct capnp_list_builder limits;

	if (index == 0)
		limits = profile_init_limits(profile_builder_at(profiles, profile), count);
	limit_set_class(limit_builder_at(limits, index), class);
	limit_set_limit(limit_builder_at(limits, index), value);
}

static void set_ports(uint16_t start, uint16_t count)
{
	struct port_range_builder ports = grant_source_init_ports(
			grant_init_source(grant_builder_at(line_grants, 0)));

	port_range_set_start(ports, start);
	port_range_set_count(ports, count);
}

static void build_line(void)
{
	provide(service_init_provides(service(LINE), 1), 0, "line", WIDE);
	line_grants = service_init_grants(service(LINE), 2);
	grant_set_name(grant_builder_at(line_grants, 0), capnp_text("ports"));
	set_ports(0x2f8, 8);
	grant_set_name(grant_builder_at(line_grants, 1), capnp_text("interrupt"));
	grant_source_set_interrupt(grant_init_source(grant_builder_at(line_grants, 1)), 3);
}

static void build_app(void)
{
	service_set_profile(service(APP), capnp_text("person"));
	app_grants = service_init_grants(service(APP), 4);
	grant_from(0, "log", "logger", "sink");
	grant_from(1, "logs", "logger", "reader");
	grant_from(2, "line", "line", "line");
	grant_set_name(grant_builder_at(app_grants, 3), capnp_text("timer"));
	grant_source_set_kernel(source(3), KERNEL_OBJECT_TIMER);
}

static int build(void **state)
{
	struct capnp_list_builder provides;

	(void)state;
	capnp_builder_init(&builder, words, WORDS, NULL, 0);
	manifest = manifest_init_root(&builder);
	profiles = manifest_init_profiles(manifest, PROFILES);
	profile_set_name(profile_builder_at(profiles, PERSON), capnp_text("person"));
	limit(PERSON, 0, 2, RESOURCE_CLASS_FRAMES, 100);
	limit(PERSON, 1, 2, RESOURCE_CLASS_THREADS, 10);
	profile_set_name(profile_builder_at(profiles, SMALL), capnp_text("small"));
	limit(SMALL, 0, 1, RESOURCE_CLASS_FRAMES, 20);
	services = manifest_init_services(manifest, SERVICES);
	name_service(LOGGER, "logger", "bin/logger");
	name_service(LINE, "line", "bin/line");
	name_service(APP, "app", "bin/app");
	provides = service_init_provides(service(LOGGER), 2);
	provide(provides, 0, "sink", NARROW);
	provided_set_per_client(provided_builder_at(provides, 0), true);
	provide(provides, 1, "reader", NARROW);
	build_line();
	build_app();
	world = (struct plan_world){
		.has_file = has_file,
		.knows_interface = knows_interface,
		.interface_is = interface_is,
	};
	for (uint32_t class = 0; class < RESOURCE_CLASS_COUNT; class ++)
		world.available[class] = UINT64_MAX;
	return 0;
}

static bool check(void)
{
	struct capnp_message message;

	assert_int_equal(builder.status, CAPNP_OK);
	capnp_message_init(&message, words, capnp_builder_words(&builder), NULL, 0);
	return plan_check(&plan, &message, &world);
}

static void accepted(void)
{
	bool ok = check();

	assert_string_equal(plan.error, "");
	assert_true(ok);
}

static void refused(const char *error)
{
	bool ok = check();

	assert_string_equal(plan.error, error);
	assert_false(ok);
}

/* --- What is accepted ------------------------------------------------------------------------- */

static void the_plan_says_what_the_manifest_says(void **state)
{
	const struct plan_service *app = &plan.services[APP];

	(void)state;
	accepted();
	assert_int_equal(plan.service_count, SERVICES);
	assert_true(capnp_text_equals(app->program, "bin/app"));
	assert_int_equal(app->grant_count, 4);
	assert_int_equal(app->grants[0].kind, GRANT_SOURCE_WHICH_SERVICE);
	assert_int_equal(app->grants[0].service, LOGGER);
	assert_int_equal(app->grants[1].provided, 1);
	assert_int_equal(app->grants[3].interface, TIMER_INTERFACE_ID);
	assert_int_equal(app->profile, PERSON);
	assert_int_equal(plan.services[LINE].profile, PLAN_NO_PROFILE);
	assert_int_equal(plan.services[LINE].grants[0].port_start, 0x2f8);
	assert_int_equal(plan.services[LINE].grants[1].interrupt, 3);
}

static void restart_numbers_have_defaults(void **state)
{
	(void)state;
	accepted();
	assert_int_equal(plan.services[APP].restart.policy, RESTART_POLICY_NEVER);
	assert_int_equal(plan.services[APP].restart.budget, 5);
	assert_int_equal(plan.services[APP].restart.window_ns, 60000000000);
}

static void services_precede_their_clients(void **state)
{
	(void)state;
	name_service(LOGGER, "zzz", "bin/app");
	name_service(APP, "logger", "bin/logger");
	service_init_grants(service(APP), 0);
	provide(service_init_provides(service(APP), 1), 0, "sink", NARROW);
	app_grants = service_init_grants(service(LOGGER), 1);
	grant_from(0, "log", "logger", "sink");
	accepted();
	assert_int_equal(plan.order[0], LINE);
	assert_int_equal(plan.order[1], APP);
	assert_int_equal(plan.order[2], LOGGER);
}

static void tags_tell_the_clients_of_one_object_apart(void **state)
{
	(void)state;
	line_grants = service_init_grants(service(LINE), 1);
	app_grants = line_grants;
	grant_from(0, "log", "logger", "sink");
	build_app();
	accepted();
	assert_int_equal(plan_grant_tag(&plan, &plan.services[LINE].grants[0]), 1u << 16);
	assert_int_equal(plan_grant_tag(&plan, &plan.services[APP].grants[0]), 2u << 16);
	assert_int_equal(plan_grant_tag(&plan, &plan.services[APP].grants[1]), 1);
	assert_int_equal(plan.services[LOGGER].client_count, 2);
	assert_int_equal(plan.services[LOGGER].clients[0], LINE);
	assert_int_equal(plan.services[LOGGER].clients[1], APP);
}

static void a_grant_narrows_to_an_ancestor(void **state)
{
	(void)state;
	grant_set_narrow(grant_builder_at(app_grants, 2), NARROW);
	accepted();
	assert_int_equal(plan.services[APP].grants[2].interface, NARROW);
	assert_true(plan.services[APP].grants[2].narrowed);
}

static void narrowing_to_itself_changes_nothing(void **state)
{
	(void)state;
	grant_set_narrow(grant_builder_at(app_grants, 2), WIDE);
	accepted();
	assert_false(plan.services[APP].grants[2].narrowed);
}

static void as_many_services_as_allowed(void **state)
{
	char names[SERVICES_MAX][8];

	(void)state;
	services = manifest_init_services(manifest, SERVICES_MAX);
	for (uint32_t i = 0; i < SERVICES_MAX; i++) {
		memcpy(names[i], "s00", 4);
		names[i][1] = (char)('0' + i / 10);
		names[i][2] = (char)('0' + i % 10);
		name_service(i, names[i], "bin/x");
	}
	accepted();
	assert_int_equal(plan.order[SERVICES_MAX - 1], SERVICES_MAX - 1);
}

static void the_last_port_can_be_granted(void **state)
{
	(void)state;
	set_ports(0xfff8, 8);
	accepted();
}

/* --- Refusals: the message -------------------------------------------------------------------- */

static void an_empty_message_has_no_services(void **state)
{
	struct capnp_message message;

	(void)state;
	capnp_message_init(&message, words, 0, NULL, 0);
	assert_false(plan_check(&plan, &message, &world));
	assert_string_equal(plan.error, "services: there are none");
}

static void a_truncated_message_is_refused(void **state)
{
	struct capnp_message message;

	(void)state;
	for (uint32_t count = 1; count < capnp_builder_words(&builder); count++) {
		capnp_message_init(&message, words, count, NULL, 0);
		assert_false(plan_check(&plan, &message, &world));
		assert_string_not_equal(plan.error, "");
	}
}

static void a_wild_pointer_is_named_as_such(void **state)
{
	(void)state;
	words[0] = UINT64_C(0x0004000400fffffc);
	refused("manifest: is not a valid message");
}

static void unknown_log_level(void **state)
{
	(void)state;
	manifest_set_log_level(manifest, (enum log_level)17);
	refused("logLevel: no such level: 17");
}

/* --- Refusals: profiles ----------------------------------------------------------------------- */

static void too_many_profiles(void **state)
{
	(void)state;
	manifest_init_profiles(manifest, 17);
	refused("profiles: has 17 elements, at most 16");
}

static void profile_without_name(void **state)
{
	(void)state;
	profile_set_name(profile_builder_at(profiles, 1), capnp_text(""));
	refused("profiles[1].name: is empty");
}

static void profile_name_twice(void **state)
{
	(void)state;
	profile_set_name(profile_builder_at(profiles, 1), capnp_text("person"));
	refused("profiles[1].name: is used by an earlier profile: \"person\"");
}

static void unknown_resource_class(void **state)
{
	(void)state;
	limit(PERSON, 0, 1, (enum resource_class)40, 1);
	refused("profiles[0].limits[0].class: no such resource class: 40");
}

static void class_limited_twice(void **state)
{
	(void)state;
	limit(PERSON, 0, 2, RESOURCE_CLASS_SLOTS, 1);
	limit(PERSON, 1, 2, RESOURCE_CLASS_SLOTS, 1);
	refused("profiles[0].limits[1].class: is limited twice in this profile");
}

static void unknown_profile(void **state)
{
	(void)state;
	service_set_profile(service(APP), capnp_text("persom"));
	refused("services[2].profile: no profile \"persom\"");
}

static void profiles_need_more_than_there_is(void **state)
{
	(void)state;
	service_set_profile(service(LINE), capnp_text("small"));
	world.available[RESOURCE_CLASS_FRAMES] = 120;
	accepted();
	world.available[RESOURCE_CLASS_FRAMES] = 119;
	refused("services[2].profile: the profiles of all services together need more than there "
		"is "
		"of: memory pages");
}

static void profile_sums_do_not_wrap(void **state)
{
	(void)state;
	limit(PERSON, 0, 1, RESOURCE_CLASS_FRAMES, UINT64_MAX);
	service_set_profile(service(LINE), capnp_text("small"));
	refused("services[2].profile: the profiles of all services together need more than there "
		"is "
		"of: memory pages");
}

/* --- Refusals: services ----------------------------------------------------------------------- */

static void no_services(void **state)
{
	(void)state;
	manifest_init_services(manifest, 0);
	refused("services: there are none");
}

static void too_many_services(void **state)
{
	(void)state;
	manifest_init_services(manifest, 33);
	refused("services: has 33 elements, at most 32");
}

static void service_without_name(void **state)
{
	(void)state;
	service_set_name(service(1), capnp_text(""));
	refused("services[1].name: is empty");
}

static void service_name_too_long(void **state)
{
	(void)state;
	service_set_name(service(1), capnp_text("a23456789012345678901234567890"));
	grant_from(2, "line", "a23456789012345678901234567890", "line");
	accepted();
	service_set_name(service(1), capnp_text("a2345678901234567890123456789012"));
	refused("services[1].name: is too long; bytes allowed: 31");
}

static void service_name_with_other_characters(void **state)
{
	(void)state;
	service_set_name(service(1), capnp_text("li ne\x1b"));
	refused("services[1].name: has characters other than a-z 0-9 - _: \"li ne?\"");
}

static void service_name_twice(void **state)
{
	(void)state;
	service_set_name(service(APP), capnp_text("logger"));
	refused("services[2].name: is used by an earlier service: \"logger\"");
}

static void missing_program(void **state)
{
	(void)state;
	service_set_program(service(APP), capnp_text("sbin/app"));
	refused("services[2].program: the boot package has no file \"sbin/app\"");
}

static void too_many_arguments(void **state)
{
	(void)state;
	service_init_args(service(APP), 17);
	refused("services[2].args: has 17 elements, at most 16");
}

static void environment_name_empty(void **state)
{
	(void)state;
	service_init_env(service(APP), 1);
	refused("services[2].env[0].name: is empty");
}

static void environment_name_twice(void **state)
{
	struct capnp_list_builder env = service_init_env(service(APP), 2);

	(void)state;
	environment_variable_set_name(environment_variable_builder_at(env, 0), capnp_text("A"));
	environment_variable_set_name(environment_variable_builder_at(env, 1), capnp_text("A"));
	refused("services[2].env[1].name: is set twice: \"A\"");
}

static void too_many_provided(void **state)
{
	(void)state;
	service_init_provides(service(LOGGER), 9);
	refused("services[0].provides: has 9 elements, at most 8");
}

static void provided_without_name(void **state)
{
	(void)state;
	provide(service_init_provides(service(LOGGER), 1), 0, "", NARROW);
	refused("services[0].provides[0].name: is empty");
}

static void provided_twice(void **state)
{
	struct capnp_list_builder provides = service_init_provides(service(LOGGER), 2);

	(void)state;
	provide(provides, 0, "sink", NARROW);
	provide(provides, 1, "sink", NARROW);
	refused("services[0].provides[1].name: is provided twice by this service: \"sink\"");
}

static void provided_interface_unknown(void **state)
{
	(void)state;
	provide(service_init_provides(service(LINE), 1), 0, "line", 0xbad);
	refused("services[1].provides[0].interface: no schema in the boot package has interface "
		"0x0000000000000bad");
}

/* --- Refusals: restart ------------------------------------------------------------------------ */

static void unknown_policy(void **state)
{
	(void)state;
	restart_set_policy(service_init_restart(service(APP)), (enum restart_policy)9);
	refused("services[2].restart.policy: no such policy: 9");
}

static void budget_out_of_range(void **state)
{
	(void)state;
	restart_set_budget(service_init_restart(service(APP)), 1001);
	refused("services[2].restart.budget: is more than 1000");
}

static void window_out_of_range(void **state)
{
	(void)state;
	restart_set_window_ns(service_init_restart(service(APP)), 0);
	refused("services[2].restart.windowNs: is not between 1 ns and one day");
	restart_set_window_ns(service_init_restart(service(APP)), PLAN_RESTART_WINDOW_MAX_NS + 1);
	refused("services[2].restart.windowNs: is not between 1 ns and one day");
}

static void backoff_out_of_range(void **state)
{
	(void)state;
	restart_set_backoff_max_ns(service_init_restart(service(APP)), UINT64_MAX);
	refused("services[2].restart.backoffMaxNs: is more than one hour");
}

static void backoff_above_its_maximum(void **state)
{
	struct restart_builder restart = service_init_restart(service(APP));

	(void)state;
	restart_set_backoff_ns(restart, 11);
	restart_set_backoff_max_ns(restart, 10);
	refused("services[2].restart.backoffNs: is more than backoffMaxNs");
}

/* --- Refusals: grants ------------------------------------------------------------------------- */

static void too_many_grants(void **state)
{
	(void)state;
	service_init_grants(service(APP), 25);
	refused("services[2].grants: has 25 elements, at most 24");
}

static void grant_without_name(void **state)
{
	(void)state;
	grant_set_name(grant_builder_at(app_grants, 1), capnp_text(""));
	refused("services[2].grants[1].name: is empty");
}

static void grant_name_twice(void **state)
{
	(void)state;
	grant_set_name(grant_builder_at(app_grants, 1), capnp_text("log"));
	refused("services[2].grants[1].name: is granted twice to this service: \"log\"");
}

static void grant_with_the_endpoints_name(void **state)
{
	(void)state;
	grant_set_name(grant_builder_at(app_grants, 1), capnp_text("serve"));
	refused("services[2].grants[1].name: is the name of the service's own endpoint");
}

static void grant_without_source(void **state)
{
	(void)state;
	grant_source_set_none(source(1));
	refused("services[2].grants[1].source: says no source");
}

static void unknown_kind_of_source(void **state)
{
	(void)state;
	/* The discriminant is the first field that a newer schema would give another number. */
	for (uint32_t offset = 0; offset + 2 <= GRANT_DATA_WORDS * 8; offset += 2) {
		struct grant_builder grant = grant_builder_at(app_grants, 1);

		capnp_set_u16(grant.s, offset, 99);
		if ((uint32_t)grant_source_which(grant_get_source(grant_as_reader(grant))) == 99)
			break;
		capnp_set_u16(grant.s, offset, 0);
	}
	refused("services[2].grants[1].source: no such kind of source: 99");
}

static void unknown_service(void **state)
{
	(void)state;
	grant_from(1, "logs", "logg", "reader");
	refused("services[2].grants[1].source: no service \"logg\"");
}

static void not_provided(void **state)
{
	(void)state;
	grant_from(1, "logs", "logger", "writer");
	refused("services[2].grants[1].source: service \"logger\" provides no \"writer\"");
}

static void no_kernel_object(void **state)
{
	(void)state;
	grant_source_set_kernel(source(3), KERNEL_OBJECT_NONE);
	refused("services[2].grants[3].source: no such kernel object: 0");
	grant_source_set_kernel(source(3), (enum kernel_object)77);
	refused("services[2].grants[3].source: no such kernel object: 77");
}

static void no_object_of_inits(void **state)
{
	(void)state;
	grant_source_set_init(source(3), (enum init_object)5);
	refused("services[2].grants[3].source: no such object of init's: 5");
}

static void empty_port_range(void **state)
{
	(void)state;
	set_ports(0x2f8, 0);
	refused("services[1].grants[0].source: the range of ports is empty");
}

static void port_range_beyond_the_last(void **state)
{
	(void)state;
	set_ports(0xfff9, 8);
	refused("services[1].grants[0].source: the range of ports goes beyond 65535");
}

static void set_policy(uint32_t weight, enum latency_class class)
{
	struct policy_bounds_builder bounds = grant_source_init_policy(source(3));

	policy_bounds_set_weight(bounds, weight);
	policy_bounds_set_class(bounds, class);
	policy_bounds_set_processors(bounds, 6);
}

static void a_policy_has_bounds(void **state)
{
	const struct plan_grant *grant = &plan.services[APP].grants[3];

	(void)state;
	set_policy(10000, LATENCY_CLASS_BATCH);
	accepted();
	assert_int_equal(grant->interface, SCHEDULING_POLICY_INTERFACE_ID);
	assert_int_equal(grant->policy_weight, 10000);
	assert_int_equal(grant->policy_class, LATENCY_CLASS_BATCH);
	assert_int_equal(grant->policy_processors, 6);
}

static void a_policy_beyond_all_weights(void **state)
{
	(void)state;
	set_policy(10001, LATENCY_CLASS_NONE);
	refused("services[2].grants[3].source: no thread has such a weight: 10001");
}

static void a_policy_of_an_unknown_class(void **state)
{
	(void)state;
	set_policy(0, (enum latency_class)4);
	refused("services[2].grants[3].source: no such latency class: 4");
}

static void unknown_interrupt_line(void **state)
{
	(void)state;
	grant_source_set_interrupt(source(3), 16);
	refused("services[2].grants[3].source: no such interrupt line: 16");
}

static void interrupt_line_granted_twice(void **state)
{
	(void)state;
	grant_source_set_interrupt(source(3), 3);
	refused("services[2].grants[3].source: an earlier grant has interrupt line 3");
}

static void narrow_to_an_unknown_interface(void **state)
{
	(void)state;
	grant_set_narrow(grant_builder_at(app_grants, 2), 0xbad);
	refused("services[2].grants[2].narrow: no schema in the boot package has interface "
		"0x0000000000000bad");
}

static void narrow_to_no_ancestor(void **state)
{
	(void)state;
	grant_set_narrow(grant_builder_at(app_grants, 1), WIDE);
	refused("services[2].grants[1].narrow: the source is not of interface 0x000000000000a200");
}

static void own_memory_cannot_be_narrowed(void **state)
{
	(void)state;
	grant_source_set_kernel(source(3), KERNEL_OBJECT_MEMORY);
	grant_set_narrow(grant_builder_at(app_grants, 3), NARROW);
	refused("services[2].grants[3].narrow: what is a process' own is granted whole");
}

/* --- Refusals: cycles ------------------------------------------------------------------------- */

static void a_service_that_depends_on_itself(void **state)
{
	(void)state;
	app_grants = line_grants;
	grant_from(1, "self", "line", "line");
	refused("services[1].grants[1].source: services depend on each other: \"line\" -> "
		"\"line\"");
}

static void two_services_that_depend_on_each_other(void **state)
{
	(void)state;
	provide(service_init_provides(service(APP), 1), 0, "app", NARROW);
	app_grants = line_grants;
	grant_from(1, "app", "app", "app");
	refused("services[1].grants[1].source: services depend on each other: \"line\" -> \"app\" "
		"-> "
		"\"line\"");
}

static void a_cycle_is_named_without_those_who_wait_for_it(void **state)
{
	(void)state;
	/* app waits for line, which waits for the logger, which waits for line. */
	app_grants = line_grants;
	grant_from(1, "log", "logger", "sink");
	app_grants = service_init_grants(service(LOGGER), 1);
	grant_from(0, "line", "line", "line");
	refused("services[0].grants[0].source: services depend on each other: \"logger\" -> "
		"\"line\" "
		"-> \"logger\"");
}

#define TEST(name) cmocka_unit_test_setup(name, build)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_plan_says_what_the_manifest_says),
		TEST(restart_numbers_have_defaults),
		TEST(services_precede_their_clients),
		TEST(tags_tell_the_clients_of_one_object_apart),
		TEST(a_grant_narrows_to_an_ancestor),
		TEST(narrowing_to_itself_changes_nothing),
		TEST(as_many_services_as_allowed),
		TEST(the_last_port_can_be_granted),
		TEST(an_empty_message_has_no_services),
		TEST(a_truncated_message_is_refused),
		TEST(a_wild_pointer_is_named_as_such),
		TEST(unknown_log_level),
		TEST(too_many_profiles),
		TEST(profile_without_name),
		TEST(profile_name_twice),
		TEST(unknown_resource_class),
		TEST(class_limited_twice),
		TEST(unknown_profile),
		TEST(profiles_need_more_than_there_is),
		TEST(profile_sums_do_not_wrap),
		TEST(no_services),
		TEST(too_many_services),
		TEST(service_without_name),
		TEST(service_name_too_long),
		TEST(service_name_with_other_characters),
		TEST(service_name_twice),
		TEST(missing_program),
		TEST(too_many_arguments),
		TEST(environment_name_empty),
		TEST(environment_name_twice),
		TEST(too_many_provided),
		TEST(provided_without_name),
		TEST(provided_twice),
		TEST(provided_interface_unknown),
		TEST(unknown_policy),
		TEST(budget_out_of_range),
		TEST(window_out_of_range),
		TEST(backoff_out_of_range),
		TEST(backoff_above_its_maximum),
		TEST(too_many_grants),
		TEST(grant_without_name),
		TEST(grant_name_twice),
		TEST(grant_with_the_endpoints_name),
		TEST(grant_without_source),
		TEST(unknown_kind_of_source),
		TEST(unknown_service),
		TEST(not_provided),
		TEST(no_kernel_object),
		TEST(no_object_of_inits),
		TEST(empty_port_range),
		TEST(port_range_beyond_the_last),
		TEST(a_policy_has_bounds),
		TEST(a_policy_beyond_all_weights),
		TEST(a_policy_of_an_unknown_class),
		TEST(unknown_interrupt_line),
		TEST(interrupt_line_granted_twice),
		TEST(narrow_to_an_unknown_interface),
		TEST(narrow_to_no_ancestor),
		TEST(own_memory_cannot_be_narrowed),
		TEST(a_service_that_depends_on_itself),
		TEST(two_services_that_depend_on_each_other),
		TEST(a_cycle_is_named_without_those_who_wait_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
