/*
 * The server that benchmarks call: of the runtime's own kind.
 */
#include "bench/guest/bench.server.h"
#include "bench/guest/party.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"

static status_t target_nothing(void *self, struct call *call,
		struct bench_target_nothing_params_reader in,
		struct bench_target_nothing_results_builder *out)
{
	return STATUS_OK;
}

static status_t target_seven(void *self, struct call *call,
		struct bench_target_seven_params_reader in,
		struct bench_target_seven_results_builder *out)
{
	bench_target_seven_results_set_a(*out, bench_target_seven_params_get_a(in) + 1);
	bench_target_seven_results_set_b(*out, bench_target_seven_params_get_b(in) + 1);
	bench_target_seven_results_set_c(*out, bench_target_seven_params_get_c(in) + 1);
	bench_target_seven_results_set_d(*out, bench_target_seven_params_get_d(in) + 1);
	bench_target_seven_results_set_e(*out, bench_target_seven_params_get_e(in) + 1);
	bench_target_seven_results_set_f(*out, bench_target_seven_params_get_f(in) + 1);
	bench_target_seven_results_set_g(*out, bench_target_seven_params_get_g(in) + 1);
	return STATUS_OK;
}

static status_t target_list(void *self, struct call *call,
		struct bench_target_list_params_reader in,
		struct bench_target_list_results_builder *out)
{
	struct capnp_list values = bench_target_list_params_get_values(in);
	struct capnp_u64s_builder answers =
			bench_target_list_results_fill_values(*out, values.count);
	struct capnp_u64s part;
	uint64_t pad[8];

	for (uint32_t first = 0; first < answers.count; first += part.count) {
		uint64_t *to = answers.at + first;

		part = capnp_list_u64s(values, first, pad, ARRAY_LEN(pad));
		for (uint32_t i = 0; i < part.count; i++)
			to[i] = part.at[i] + 1;
	}
	return STATUS_OK;
}

static status_t target_put(void *self, struct call *call, struct bench_target_put_params_reader in)
{
	uint64_t wrong = bench_target_put_params_get_a(in) ^ 1;

	wrong |= bench_target_put_params_get_b(in) ^ 2;
	wrong |= bench_target_put_params_get_c(in) ^ 3;
	wrong |= bench_target_put_params_get_d(in) ^ 4;
	wrong |= bench_target_put_params_get_e(in) ^ 5;
	wrong |= bench_target_put_params_get_f(in) ^ 6;
	wrong |= bench_target_put_params_get_g(in) ^ 7;
	return wrong == 0 ? STATUS_OK : STATUS_INVALID_ARGUMENT;
}

static const struct bench_target_server target_handlers = {
	.nothing = target_nothing,
	.seven = target_seven,
	.list = target_list,
	.put = target_put,
};
SERVER_CLASS(target_class, bench_target, target_handlers, NULL);

int peer_serve(void)
{
	static struct loop loop;
	static struct server server;
	static struct server_object object;

	loop_init(&loop);
	server_root(&server, &object, 0, &target_class, &object);
	if (loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID))) !=
			STATUS_OK)
		return 1;
	return loop_run(&loop) == STATUS_OK ? 0 : 1;
}
