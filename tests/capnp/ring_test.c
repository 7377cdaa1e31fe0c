/*
 * Typed clients and server skeletons over the ring: the cases of client_cases.c against workers in
 * another process. The same cases run on the host over the byte-stream double (client_test.c).
 *
 * The program launches itself as the workers' process, prints TAP and powers off.
 */
#include <string.h>

#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/launch.h"
#include "rt/program.h"
#include "rt/server.h"
#include "tests/capnp/ring_worker.h"
#include "tests/capnp/worker.h"

#define PROGRAM "bin/transport-test"

static struct launch_authority authority;
static struct endpoint_ref endpoint;
static struct loop loop;

void client_host_run(void)
{
	loop_init(&loop);
	if (loop_run(&loop) != STATUS_OK)
		rt_print("TAP # the loop failed");
}

/* Mints the workers' root with tag 0. */
static status_t root_export(struct worker_ref *root)
{
	struct endpoint_export_params_builder params;
	struct endpoint_export_call call = endpoint_export_begin(endpoint, &params);
	struct interface_row_builder row = interface_row_builder_at(
			endpoint_export_params_init_interfaces(params, 1), 0);
	status_t status;

	endpoint_export_params_set_tag(params, 0);
	endpoint_export_params_set_lasting(params, true);
	interface_row_set_id(row, WORKER_INTERFACE_ID);
	interface_row_set_methods(row, WORKER_METHOD_COUNT);
	endpoint_export_send(&call);
	status = endpoint_export_wait(&call);
	if (status == STATUS_OK)
		status = endpoint_export_take_capability(&call, &root->ref);
	endpoint_export_done(&call);
	return status;
}

static status_t workers_launch(void)
{
	struct launch_row rows[LAUNCH_ROWS_MAX];
	struct launch_grant grants[] = {
		{ .name = capnp_text("serve"), .capability = rt_id(endpoint.ref), .rows = rows,
			.row_count = launch_rows(&endpoint_interface, rows, LAUNCH_ROWS_MAX) },
		{ .name = capnp_text("memory"), .own_memory = true },
	};
	struct capnp_text args[] = { capnp_text(PROGRAM), capnp_text("worker") };
	struct launch_request request = { .name = capnp_text("workers"), .args = args, .arg_count = 2,
		.grants = grants, .grant_count = 2 };
	struct launch_result result;
	struct launch_file file;
	status_t status = launch_file_open(RT_GRANT(boot_package, "package"), authority.memory,
			capnp_text(PROGRAM), &file);

	if (status != STATUS_OK || file.bytes == NULL)
		return STATUS_FAILED;
	request.image = file.bytes;
	request.image_bytes = file.count;
	request.image_view = file.view;
	status = launch(&authority, &request, &result);
	launch_file_close(authority.memory, &file);
	return status;
}

static uint32_t cases_run(struct worker_ref root)
{
	uint32_t failed = 0;

	for (uint32_t i = 0; i < client_case_count; i++) {
		const char *wrong = client_cases[i].run(root);

		rt_print("TAP %s %u - ring: %s", wrong == NULL ? "ok" : "not ok", i + 1,
				client_cases[i].name);
		if (wrong != NULL) {
			rt_print("TAP # %s, detail %lx", wrong, rt_detail());
			failed++;
		}
	}
	rt_print("TAP 1..%u", client_case_count);
	return failed;
}

int main(int argc, char **argv)
{
	struct worker_ref root = { { 0 } };
	uint32_t failed = 1;
	status_t status;

	if (argc > 1 && strcmp(argv[1], "worker") == 0)
		return ring_worker_main();
	authority.spawner = RT_GRANT(process_spawner, "spawner");
	authority.factory = RT_GRANT(object_factory, "factory");
	authority.memory = RT_GRANT(virtual_memory, "memory");
	status = object_factory_endpoint(authority.factory, SERVER_MESSAGE_WORDS, SERVER_MESSAGE_CAPS,
			SERVER_CALLS, &endpoint);
	if (status == STATUS_OK)
		status = root_export(&root);
	if (status == STATUS_OK)
		status = workers_launch();
	if (status == STATUS_OK)
		failed = cases_run(root);
	else
		rt_print("TAP Bail out! %s", status_sentence(status));
	(void)!system_control_power_off(RT_GRANT(system_control, "system"), failed != 0);
	return failed != 0;
}
