/*
 * Init: the first process. It holds what the kernel gives away, checks the manifest as a whole, gives
 * each service exactly what the manifest names, and keeps the services running until somebody
 * ends the system. It never calls a service, so no service can hold it up.
 */
#include <stdarg.h>

#include "rt/format.h"
#include "rt/program.h"
#include "services/init/init.h"

#define LINE_BYTES          512u
#define STATUS_BAD_MANIFEST 1u
#define STATUS_NO_RESOURCES 2u

struct init init;

void init_say(enum log_level level, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	if (level > init.level_max)
		return;
	va_start(args, format);
	format_into_va(line, sizeof(line), format, args);
	va_end(args);
	rt_print("%s", line);
}

/* Ends the system before any service runs. Returns, with the process' exit status, only if even
 * that is refused. */
static int stop(uint32_t status)
{
	(void)system_control_power_off(init.system, status);
	return (int)status;
}

/* Reads and checks. Says what is wrong. */
static bool read_plan(void)
{
	struct plan_world world;
	status_t st = world_open(&init.world, RT_GRANT(boot_package, "package"),
			RT_GRANT(virtual_memory, "memory"));

	if (st != STATUS_OK) {
		init_say(LOG_LEVEL_ERROR, "schemas.bin cannot be read: %s", status_sentence(st));
		return false;
	}
	st = world_read_manifest(&init.world, &init.manifest);
	if (st != STATUS_OK) {
		init_say(LOG_LEVEL_ERROR, "manifest.bin cannot be read: %s", status_sentence(st));
		return false;
	}
	world = world_for_plan(&init.world, RT_GRANT(system_info, "info"));
	if (!plan_check(&init.plan, &init.manifest, &world)) {
		init_say(LOG_LEVEL_ERROR, "manifest refused: %s", init.plan.error);
		return false;
	}
	/* It was checked; each start of a service reads its part again, however often. */
	init.manifest.budget = UINT64_MAX;
	init.level_max = (uint32_t)manifest_get_log_level(init.plan.manifest);
	return true;
}

int main(int argc, char **argv)
{
	struct capnp_text name;
	status_t st;

	init.level_max = LOG_LEVEL_INFO;
	init.system = RT_GRANT(system_control, "system");
	init.launch.spawner = RT_GRANT(process_spawner, "spawner");
	init.launch.factory = RT_GRANT(object_factory, "factory");
	init.launch.memory = RT_GRANT(virtual_memory, "memory");
	if (!read_plan())
		return stop(STATUS_BAD_MANIFEST);
	loop_init(&init.loop);
	st = supervisor_serve();
	if (st == STATUS_OK)
		st = wiring_make();
	if (st != STATUS_OK) {
		init_say(LOG_LEVEL_ERROR, "the services cannot be connected: %s",
				status_sentence(st));
		return stop(STATUS_NO_RESOURCES);
	}
	name = manifest_get_name(init.plan.manifest);
	init_say(LOG_LEVEL_INFO, "system %.*s, %u services", (int)name.bytes, name.chars,
			init.plan.service_count);
	for (uint16_t i = 0; i < init.plan.service_count && !init.shutting_down; i++)
		service_start(&init.services[init.plan.order[i]]);
	st = loop_run(&init.loop);
	init_say(LOG_LEVEL_ERROR, "nothing is left to wait for: %s", status_sentence(st));
	return stop(STATUS_NO_RESOURCES);
}
