/*
 * SystemInfo: what machine and system this is, and what it has done since boot. Read only.
 */
#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/counters.h"
#include "kernel/core/panic.h"
#include "kernel/core/version.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/roots.h"
#include "kernel/sched/sched.h"

struct counters counters;

static status_t method_describe(void *self, struct call *call,
		struct system_info_describe_params_reader in,
		struct system_info_describe_results_builder *out)
{
	system_info_describe_results_set_name(*out, capnp_text("capOS"));
	system_info_describe_results_set_version(*out, capnp_text(CAPOS_VERSION));
	system_info_describe_results_set_architecture(*out, capnp_text(arch_name()));
	system_info_describe_results_set_build(*out, capnp_text(CAPOS_BUILD));
	system_info_describe_results_set_processors(*out, 1);
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
	system_info_counters_results_set_context_switches(*out, sched_switches());
	system_info_counters_results_set_slab_allocations(*out, slab_allocations());
	system_info_counters_results_set_interrupts(*out, counters.interrupts);
	system_info_counters_results_set_calls(*out, counters.calls);
	return STATUS_OK;
}

static status_t system_info_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct system_info_server server = {
		.describe = method_describe,
		.memory = method_memory,
		.counters = method_counters,
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
