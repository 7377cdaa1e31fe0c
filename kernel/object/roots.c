/*
 * The list of objects that exist once; see roots.h. Called by core/start.c, which adds what it
 * makes itself (spawner, capability manager) to init's capabilities.
 */
#include "kernel/object/roots.h"

#include "capos/kernel.capnp.h"
#include "capos/trace.capnp.h"
#include "kernel/core/panic.h"
#include "kernel/object/boot_package.h"
#include "kernel/object/entropy.h"
#include "kernel/object/session.h"

void roots_init(const struct boot_info *boot, struct ledger *ledger)
{
	entropy_init();
	boot_package_init(boot);
	clock_page_init(ledger);
}

uint32_t roots_list(struct root roots[ROOTS_MAX])
{
	const struct root all[] = {
		{ "console", console_object(), &console_interface },
		{ "timer", timer_object(), &timer_interface },
		{ "entropy", entropy_object(), &entropy_source_interface },
		{ "info", system_info_object(), &system_info_interface },
		{ "factory", object_factory_object(), &object_factory_interface },
		{ "package", boot_package_object(), &boot_package_interface },
		{ "system", system_control_object(), &system_control_interface },
		{ "ports", io_ports_object(), &io_ports_interface },
		{ "interrupts", interrupt_controller_object(), &interrupt_controller_interface },
		{ "tracer", tracer_object(), &payload_tracer_interface },
		{ "sessions", session_manager_object(), &session_manager_interface },
		{ "scheduling", scheduling_control_object(), &scheduling_control_interface },
	};
	uint32_t count = 0;

	STATIC_ASSERT(ARRAY_LEN(all) <= ROOTS_MAX);
	for (uint32_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].object)
			roots[count++] = all[i];
	}
	return count;
}
