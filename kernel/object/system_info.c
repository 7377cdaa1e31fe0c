/*
 * SystemInfo: what machine and system this is, and what it has done since boot. Read only, but for two
 * methods with which the tests of debug builds look into the kernel and let allocations fail.
 */
#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/core/version.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/timer_queue.h"


static status_t method_describe(void *self, struct call *call,
		struct system_info_describe_params_reader in,
		struct system_info_describe_results_builder *out)
{
	system_info_describe_results_set_name(*out, capnp_text("capOS"));
	system_info_describe_results_set_version(*out, capnp_text(CAPOS_VERSION));
	system_info_describe_results_set_architecture(*out, capnp_text(arch_name()));
	system_info_describe_results_set_build(*out, capnp_text(CAPOS_BUILD));
	system_info_describe_results_set_processors(*out, processor_count);
	return STATUS_OK;
}

static status_t method_memory(void *self, struct call *call,
		struct system_info_memory_params_reader in,
		struct system_info_memory_results_builder *out)
{
	system_info_memory_results_set_total_pages(*out, frame_total_pages());
	system_info_memory_results_set_free_pages(*out, frame_free_pages());
	system_info_memory_results_set_page_bytes(*out, PAGE_SIZE);
	return STATUS_OK;
}

static status_t method_counters(void *self, struct call *call,
		struct system_info_counters_params_reader in,
		struct system_info_counters_results_builder *out)
{
	struct counters counters = counters_sum();

	system_info_counters_results_set_context_switches(*out, counters.switches);
	system_info_counters_results_set_slab_allocations(*out, slab_allocations());
	system_info_counters_results_set_interrupts(*out, counters.interrupts);
	system_info_counters_results_set_calls(*out, counters.calls);
	system_info_counters_results_set_timer_interrupts(*out, counters.timer_interrupts);
	return STATUS_OK;
}

#if CONFIG_DEBUG
static status_t method_check(void *self, struct call *call, struct system_info_check_params_reader in,
		struct system_info_check_results_builder *out)
{
	struct process *process;
	uint32_t id = 0;

	while ((process = process_find(id + 1, true))) {
		id = process->id;
		process_check(process);
		object_put(&process->object);
	}
	frame_check();
	slab_check();
	timer_queue_check();
	return STATUS_OK;
}

static status_t method_fail_allocation(void *self, struct call *call,
		struct system_info_fail_allocation_params_reader in,
		struct system_info_fail_allocation_results_builder *out)
{
	bool waiting = allocation_fail_after(system_info_fail_allocation_params_get_number(in));

	system_info_fail_allocation_results_set_waiting(*out, waiting);
	return STATUS_OK;
}
#endif

static status_t system_info_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct system_info_server server = {
		.describe = method_describe,
		.memory = method_memory,
		.counters = method_counters,
#if CONFIG_DEBUG
		.check = method_check,
		.fail_allocation = method_fail_allocation,
#endif
	};

	return system_info_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type system_info_type = { .name = "system info",
	.call = system_info_call };

struct object *system_info_object(void)
{
	static struct object info = ROOT_OBJECT(&system_info_type);

	return &info;
}
