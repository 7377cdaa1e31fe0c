/*
 * One service's life: start, end, and what follows from the end. Also the orderly shutdown, which
 * is the end of all of them.
 *
 * The end of a service that runs is watched, which costs no words of the ring however many run; the
 * watch is the only way into service_ended. States:
 *
 *   stopped -> running -> waiting -> running ...      restarted after its back-off
 *                      -> stopped                     its policy asks for no restart, or a person did
 *                      -> failed                      the budget is used up: the endpoint is closed
 */
#include "capos/kernel.capnp.h"
#include "rt/capability.h"
#include "rt/clock.h"
#include "rt/format.h"
#include "rt/program.h"
#include "services/init/init.h"

#define CONFIG_WORDS          4096u
#define STATUS_FAILED_SERVICE 1u /* exit status of the system when an essential service failed */

static void service_ended(struct supervised *service, bool failed);

static int name_bytes(const struct supervised *service)
{
	return (int)service->plan->name.bytes;
}

static const char *name_chars(const struct supervised *service)
{
	return service->plan->name.chars;
}

/* --- Starting ------------------------------------------------------------------------------------- */

/* The configuration message of a service: the manifest's words to it, and what init adds. */
static struct capnp_any service_config(
		const struct supervised *service, struct capnp_builder *builder)
{
	struct service_config_builder config = service_config_init_root(builder);
	const struct plan_service *plan = service->plan;
	struct capnp_list_builder clients = service_config_init_clients(config, plan->client_count);

	for (uint16_t i = 0; i < plan->client_count; i++)
		capnp_list_set_text(clients, i, init.plan.services[plan->clients[i]].name);
	service_config_set_own(config, service_get_config(plan->manifest));
	service_config_set_log_level(config, manifest_get_log_level(init.plan.manifest));
	service_config_set_motd(config, manifest_get_motd(init.plan.manifest));
	return capnp_root(capnp_builder_view(builder));
}

/* Arguments: the service's name, then the manifest's. */
static uint32_t service_args(const struct supervised *service, struct capnp_text *args)
{
	struct capnp_list list = service_get_args(service->plan->manifest);

	args[0] = service->plan->name;
	for (uint32_t i = 0; i < list.count; i++)
		args[1 + i] = capnp_list_text(list, i);
	return 1 + list.count;
}

static uint32_t service_env(const struct supervised *service, struct launch_variable *env)
{
	struct capnp_list list = service_get_env(service->plan->manifest);

	for (uint32_t i = 0; i < list.count; i++) {
		struct environment_variable_reader variable = environment_variable_at(list, i);

		env[i].name = environment_variable_get_name(variable);
		env[i].value = environment_variable_get_value(variable);
	}
	return list.count;
}

static uint32_t service_limits(const struct supervised *service, struct launch_limit *limits)
{
	const struct plan_profile *profile;
	uint32_t count = 0;

	if (service->plan->profile == PLAN_NO_PROFILE)
		return 0;
	profile = &init.plan.profiles[service->plan->profile];
	for (uint32_t class = 0; class < RESOURCE_CLASS_COUNT; class ++) {
		if (profile->set[class])
			limits[count++] = (struct launch_limit){
				.class = (enum resource_class) class,
				.limit = profile->limits[class],
			};
	}
	return count;
}

/* Every grant of the plan, and `serve` where there is an endpoint. */
static uint32_t service_grants(const struct supervised *service, struct launch_grant *grants,
		struct launch_row rows[][LAUNCH_ROWS_MAX])
{
	uint32_t count = service->plan->grant_count;

	for (uint32_t i = 0; i < count; i++) {
		const struct plan_grant *plan = &service->plan->grants[i];

		grants[i] = (struct launch_grant){
			.name = plan->name,
			.capability = rt_id(service->grants[i]),
			.own_memory = plan_grant_is_own(plan) && plan->kernel == KERNEL_OBJECT_MEMORY,
			.own_threads = plan_grant_is_own(plan) && plan->kernel == KERNEL_OBJECT_THREADS,
			.rows = rows[i],
			.row_count = world_rows(&init.world, plan->interface, rows[i]),
		};
	}
	if (client_ref_is_null(service->endpoint.ref))
		return count;
	grants[count] = (struct launch_grant){
		.name = capnp_text(PLAN_SERVE_GRANT),
		.capability = rt_id(service->endpoint.ref),
		.rows = rows[count],
		.row_count = world_rows(&init.world, ENDPOINT_INTERFACE_ID, rows[count]),
	};
	return count + 1;
}

/* Puts the request together and launches. On failure `why` is a sentence. */
static status_t service_launch(struct supervised *service, const char **why)
{
	static uint64_t words[CONFIG_WORDS];
	static struct capnp_text args[1 + ARGUMENTS_MAX];
	static struct launch_variable env[ARGUMENTS_MAX];
	static struct launch_limit limits[RESOURCE_CLASS_COUNT];
	static struct launch_grant grants[GRANTS_MAX + 1];
	static struct launch_row rows[GRANTS_MAX + 1][LAUNCH_ROWS_MAX];
	struct capnp_builder builder;
	struct launch_request request = { .name = service->plan->name };
	struct launch_result result;
	struct launch_file file;
	status_t st;

	*why = "its program cannot be read";
	st = launch_file_open(init.world.package, init.world.memory, service->plan->program, &file);
	if (st != STATUS_OK || file.bytes == NULL)
		return st != STATUS_OK ? st : STATUS_FAILED;
	capnp_builder_init(&builder, words, CONFIG_WORDS, NULL, 0);
	request.image = file.bytes;
	request.image_bytes = file.count;
	request.image_view = file.view;
	request.args = args;
	request.arg_count = service_args(service, args);
	request.env = env;
	request.env_count = service_env(service, env);
	request.limits = limits;
	request.limit_count = service_limits(service, limits);
	request.grants = grants;
	request.grant_count = service_grants(service, grants, rows);
	request.config = service_config(service, &builder);
	*why = "its configuration is too large";
	st = builder.status;
	if (st == STATUS_OK) {
		st = launch(&init.launch, &request, &result);
		*why = launch_sentence(&result);
		service->process = result.process;
	}
	launch_file_close(init.world.memory, &file);
	return st;
}

static void process_ended(void *context, status_t status, uint64_t bits);

static void service_watch(struct supervised *service)
{
	status_t st = loop_watch_end(&init.loop, &service->watch, rt_id(service->process.ref),
			process_ended, service);

	/* Nobody would notice its end. */
	if (st != STATUS_OK) {
		(void)process_handle_kill(service->process, 1);
		process_ended(service, st, 0);
	}
}

/* For people; 0 if the kernel does not say. */
static uint32_t process_number(struct process_handle_ref process)
{
	struct process_observer_info_call call = process_observer_info_start(
			process_handle_as_process_observer(process));
	uint32_t number;

	(void)process_observer_info_wait(&call);
	number = process_observer_info_results_get_process_id(process_observer_info_results(&call));
	process_observer_info_done(&call);
	return number;
}

void service_start(struct supervised *service)
{
	const char *why;
	status_t st = service_launch(service, &why);

	service->starts++;
	service->stop_requested = false;
	if (st != STATUS_OK) {
		service->process = (struct process_handle_ref){ 0 };
		format_into(service->last_end, sizeof(service->last_end),
				"could not be started: %s (%s)", why, status_sentence(st));
		service_ended(service, true);
		return;
	}
	service->state = SERVICE_STATE_RUNNING;
	service->process_id = process_number(service->process);
	init_say(service->starts == 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
			"%.*s started as process %u", name_bytes(service), name_chars(service),
			service->process_id);
	service_watch(service);
}

static void service_back_off_passed(void *context)
{
	service_start(context);
}

/* --- Ending --------------------------------------------------------------------------------------- */

/* Prints where a crashed process was, for whoever looks for the reason. */
static void service_say_backtrace(const struct supervised *service, struct capnp_list backtrace)
{
	for (uint32_t i = 0; i < backtrace.count; i++)
		init_say(LOG_LEVEL_INFO, "  %.*s was called from 0x%llx", name_bytes(service),
				name_chars(service),
				(unsigned long long)capnp_list_u64(backtrace, i));
}

static void service_describe_crash(struct supervised *service)
{
	struct process_observer_crash_call call = process_observer_crash_start(
			process_handle_as_process_observer(service->process));
	struct crash_record_reader record;

	(void)process_observer_crash_wait(&call);
	record = process_observer_crash_results_get_record(process_observer_crash_results(&call));
	format_into(service->last_end, sizeof(service->last_end),
			"crashed: %s at instruction 0x%llx, address 0x%llx",
			crash_kind_name(crash_record_get_kind(record)),
			(unsigned long long)crash_record_get_instruction(record),
			(unsigned long long)crash_record_get_address(record));
	service_say_backtrace(service, crash_record_get_backtrace(record));
	process_observer_crash_done(&call);
}

/* Writes the end into last_end; answers whether it was a failure. */
static bool service_describe_end(
		struct supervised *service, enum process_state state, int64_t status)
{
	switch (state) {
	case PROCESS_STATE_EXITED:
		format_into(service->last_end, sizeof(service->last_end), "ended with status %lld",
				(long long)status);
		return status != 0;
	case PROCESS_STATE_CRASHED:
		service_describe_crash(service);
		return true;
	case PROCESS_STATE_KILLED:
		format_into(service->last_end, sizeof(service->last_end), "was killed");
		return true;
	case PROCESS_STATE_NONE:
	case PROCESS_STATE_RUNNING:
		break;
	}
	format_into(service->last_end, sizeof(service->last_end), "is gone");
	return true;
}

static void process_ended(void *context, status_t status, uint64_t bits)
{
	struct supervised *service = context;
	struct process_observer_wait_call call = process_observer_wait_start(
			process_handle_as_process_observer(service->process));
	struct exit_status_reader exit_status;
	bool failed;

	/* Answered at once, since it has ended. */
	(void)process_observer_wait_wait(&call);
	exit_status = process_observer_wait_results_get_exit(process_observer_wait_results(&call));
	failed = service_describe_end(service, exit_status_get_state(exit_status),
			exit_status_get_status(exit_status));
	process_observer_wait_done(&call);
	client_release(service->process.ref);
	service->process = (struct process_handle_ref){ 0 };
	service->process_id = 0;
	service_ended(service, failed);
}

/* The end for good. Clients' calls, which would wait for ever, are told. */
static void service_give_up(struct supervised *service, enum service_state state)
{
	service->state = state;
	if (!client_ref_is_null(service->endpoint.ref)) {
		(void)endpoint_close(service->endpoint);
		client_release(service->endpoint.ref);
		service->endpoint = (struct endpoint_ref){ 0 };
	}
	if (service->plan->essential) {
		bool failed = state == SERVICE_STATE_FAILED;

		init_say(failed ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "%.*s is essential",
				name_bytes(service), name_chars(service));
		init_shut_down(failed ? STATUS_FAILED_SERVICE : 0, false);
	}
}

static void service_restart_later(struct supervised *service, uint64_t delay_ns)
{
	service->state = SERVICE_STATE_WAITING;
	if (loop_after(&init.loop, &service->timer, delay_ns, service_back_off_passed, service) !=
			STATUS_OK)
		service_start(service);
}

static void shut_down_step(void);

/* Decides what follows from an end that last_end describes. */
static void service_ended(struct supervised *service, bool failed)
{
	uint64_t now_ns = 0;
	uint64_t delay_ns = 0;

	/* The next incarnation: calls in service end, calls not yet received wait for it. */
	if (!client_ref_is_null(service->endpoint.ref))
		(void)endpoint_reset(service->endpoint, NULL);
	if (init.shutting_down) {
		service->state = SERVICE_STATE_STOPPED;
		shut_down_step();
		return;
	}
	if (service->stop_requested) {
		service->state = SERVICE_STATE_STOPPED;
		init_say(LOG_LEVEL_INFO, "%.*s stopped", name_bytes(service), name_chars(service));
		return;
	}
	(void)!clock_now(&now_ns);
	switch (restart_decide(
			&service->plan->restart, &service->history, failed, now_ns, &delay_ns)) {
	case RESTART_NEVER:
		init_say(failed ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "%.*s %s", name_bytes(service),
				name_chars(service), service->last_end);
		service_give_up(service, failed ? SERVICE_STATE_FAILED : SERVICE_STATE_STOPPED);
		break;
	case RESTART_LATER:
		init_say(LOG_LEVEL_WARNING, "%.*s %s; restart in %llu ms", name_bytes(service),
				name_chars(service), service->last_end,
				(unsigned long long)(delay_ns / 1000000));
		service_restart_later(service, delay_ns);
		break;
	case RESTART_GIVE_UP:
		init_say(LOG_LEVEL_ERROR, "%.*s %s; given up after %u restarts",
				name_bytes(service), name_chars(service), service->last_end,
				service->history.count);
		service_give_up(service, SERVICE_STATE_FAILED);
		break;
	}
}

/* --- The end of the system ------------------------------------------------------------------------ */

/* Ends the newest service that runs; its end comes back here. When none runs, ends the system. */
static void shut_down_step(void)
{
	for (uint16_t i = init.plan.service_count; i > 0; i--) {
		struct supervised *service = &init.services[init.plan.order[i - 1]];

		if (service->state != SERVICE_STATE_RUNNING)
			continue;
		if (process_handle_kill(service->process, 0) == STATUS_OK)
			return;
		service->state = SERVICE_STATE_FAILED;
	}
	init_say(LOG_LEVEL_INFO, "every service has ended; %s",
			init.reboot ? "reboot" : "power off");
	if (init.reboot)
		(void)system_control_reboot(init.system);
	else
		(void)system_control_power_off(init.system, init.exit_status);
}

void init_shut_down(uint32_t status, bool reboot)
{
	if (init.shutting_down)
		return;
	init.shutting_down = true;
	init.exit_status = status;
	init.reboot = reboot;
	for (uint16_t i = 0; i < init.plan.service_count; i++) {
		struct supervised *service = &init.services[i];

		if (service->state == SERVICE_STATE_WAITING) {
			loop_timer_stop(&init.loop, &service->timer);
			service->state = SERVICE_STATE_STOPPED;
		}
	}
	shut_down_step();
}
