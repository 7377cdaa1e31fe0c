/*
 * SystemControl: ending the system. Neither method returns.
 */
#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/object/call.h"
#include "kernel/object/roots.h"

static status_t method_power_off(void *self, struct call *call,
		struct system_control_power_off_params_reader in,
		struct system_control_power_off_results_builder *out)
{
	uint32_t status = system_control_power_off_params_get_status(in);

	log_line(LOG_INFO, "power off with status %u", status);
	arch_power_off(status);
}

static status_t method_reboot(void *self, struct call *call,
		struct system_control_reboot_params_reader in,
		struct system_control_reboot_results_builder *out)
{
	log_line(LOG_INFO, "reboot");
	arch_reboot();
}

static status_t system_control_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct system_control_server server = {
		.power_off = method_power_off,
		.reboot = method_reboot,
	};

	return system_control_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type system_control_type = {
	.name = "system control",
	.call = system_control_call,
};

struct object *system_control_object(void)
{
	static struct object control = ROOT_OBJECT(&system_control_type);

	return &control;
}
