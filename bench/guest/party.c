/*
 * Other parties of a benchmark; see party.h.
 */
#include "bench/guest/party.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"

struct launch_authority party_authority;

bool party_program_open(const char *name, struct launch_image *program)
{
	struct launch_file file;
	struct launch_result result;

	party_authority = (struct launch_authority){ RT_GRANT(process_spawner, "spawner"),
		RT_GRANT(object_factory, "factory"), RT_GRANT(virtual_memory, "memory") };
	return launch_file_open(RT_GRANT(boot_package, "package"), party_authority.memory,
			       capnp_text_of(name, (uint32_t)strlen(name)), &file) == STATUS_OK &&
			launch_image_open(&party_authority, file.bytes, file.count, file.view, program, &result) == STATUS_OK;
}

bool party_start(const struct launch_image *program, const char *role, const struct party_grant *party_grants,
		uint32_t grant_count, struct process_handle_ref *process)
{
	static struct launch_row rows[PARTY_GRANTS_MAX][LAUNCH_ROWS_MAX];
	struct launch_grant grants[PARTY_GRANTS_MAX] = { 0 };
	struct capnp_text args[2] = { capnp_text("bench"),
		capnp_text_of(role, (uint32_t)strlen(role)) };
	struct launch_request request = { .opened = program,
		.name = args[0],
		.args = args,
		.arg_count = 2,
		.grants = grants,
		.grant_count = grant_count };
	struct launch_result result;

	for (uint32_t i = 0; i < grant_count; i++) {
		const struct party_grant *grant = &party_grants[i];

		grants[i] = (struct launch_grant){ .capability = grant->id,
			.own_memory = grant->id == 0,
			.rows = rows[i],
			.name = capnp_text_of(grant->name, (uint32_t)strlen(grant->name)),
			.row_count = launch_rows(grant->interface, rows[i], LAUNCH_ROWS_MAX) };
	}
	if (launch(&party_authority, &request, &result) != STATUS_OK) {
		rt_print("bench: %s", launch_sentence(&result));
		return false;
	}
	*process = result.process;
	return true;
}

bool party_await(struct process_handle_ref process, int64_t *exit_status)
{
	struct process_observer_wait_params_builder params;
	struct process_observer_wait_call call = process_observer_wait_begin(
			process_handle_as_process_observer(process), &params);
	bool ended;

	process_observer_wait_send(&call);
	ended = process_observer_wait_wait(&call) == STATUS_OK;
	if (ended) {
		struct exit_status_reader exit =
				process_observer_wait_results_get_exit(process_observer_wait_results(&call));

		ended = exit_status_get_state(exit) == PROCESS_STATE_EXITED;
		*exit_status = exit_status_get_status(exit);
	}
	process_observer_wait_done(&call);
	client_release(process.ref);
	return ended;
}

bool party_target(struct endpoint_ref *endpoint, struct bench_target_ref *target)
{
	struct endpoint_export_params_builder params;
	struct endpoint_export_call call;
	struct capnp_list_builder rows;
	status_t status;

	if (object_factory_endpoint(party_authority.factory, SERVER_MESSAGE_WORDS, SERVER_MESSAGE_CAPS, SERVER_CALLS,
			    endpoint) != STATUS_OK)
		return false;
	call = endpoint_export_begin(*endpoint, &params);
	rows = endpoint_export_params_init_interfaces(params, 1);
	interface_row_set_id(interface_row_builder_at(rows, 0), BENCH_TARGET_INTERFACE_ID);
	interface_row_set_methods(interface_row_builder_at(rows, 0), BENCH_TARGET_METHOD_COUNT);
	endpoint_export_send(&call);
	status = endpoint_export_wait(&call);
	if (status == STATUS_OK)
		status = endpoint_export_take_capability(&call, &target->ref);
	endpoint_export_done(&call);
	return status == STATUS_OK;
}
