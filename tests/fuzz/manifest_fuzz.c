/*
 * Fuzzer of the manifest checker: any bytes are refused with an error or give a plan that keeps the
 * promises of services/init/plan.h, on which init relies without looking again.
 */
#include "services/init/plan.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct plan plan;

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* A world that has nearly everything, so that the later passes are reached. */
static bool has_file(void *self, struct capnp_text name)
{
	(void)self;
	return name.bytes > 0;
}

static bool knows_interface(void *self, uint64_t id)
{
	(void)self;
	return id != 0;
}

static bool interface_is(void *self, uint64_t id, uint64_t as)
{
	(void)self;
	return (as & 1) == 0 || id == as;
}

static void check_grant(const struct plan_service *service, const struct plan_grant *grant,
		const bool *started)
{
	check(grant->name.bytes >= 1 && grant->name.bytes <= NAME_BYTES_MAX);
	check(grant->interface != 0);
	if (grant->kind == GRANT_SOURCE_WHICH_SERVICE) {
		const struct plan_service *from = &plan.services[grant->service];

		check(grant->service < plan.service_count && started[grant->service]);
		check(grant->provided < from->provided_count);
		if (from->provided[grant->provided].per_client) {
			check(grant->client < from->client_count);
			check(&plan.services[from->clients[grant->client]] == service);
		}
	}
	if (grant->kind == GRANT_SOURCE_WHICH_PORTS)
		check(grant->port_count > 0 && grant->port_start + grant->port_count <= 65536);
	if (grant->kind == GRANT_SOURCE_WHICH_INTERRUPT)
		check(grant->interrupt < INTERRUPT_LINES);
	if (grant->kind == GRANT_SOURCE_WHICH_POLICY)
		check(grant->policy_weight <= WEIGHT_MAX && (uint32_t)grant->policy_class <= LATENCY_CLASS_BATCH);
}

/* Services in start order: everything that one is granted from has been started. */
static void check_plan(void)
{
	bool started[SERVICES_MAX] = { false };

	check(plan.error[0] == 0);
	check(plan.service_count >= 1 && plan.service_count <= SERVICES_MAX);
	for (uint16_t i = 0; i < plan.service_count; i++) {
		const struct plan_service *service = &plan.services[plan.order[i]];

		check(plan.order[i] < plan.service_count && !started[plan.order[i]]);
		check(service->profile == PLAN_NO_PROFILE || service->profile < plan.profile_count);
		check(service->restart.backoff_ns <= service->restart.backoff_max_ns);
		check(service->restart.backoff_max_ns <= PLAN_RESTART_BACKOFF_MAX_NS);
		for (uint16_t j = 0; j < service->grant_count; j++)
			check_grant(service, &service->grants[j], started);
		started[plan.order[i]] = true;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint64_t words[WORDS_MAX];
	struct plan_world world = {
		.has_file = has_file,
		.knows_interface = knows_interface,
		.interface_is = interface_is,
	};
	struct capnp_message message;

	if (bytes > sizeof(words))
		return 0;
	memset(words, 0, sizeof(words));
	memcpy(words, data, bytes);
	for (uint32_t class = 0; class < RESOURCE_CLASS_COUNT; class ++)
		world.available[class] = UINT64_MAX / 2;
	capnp_message_init(&message, words, (uint32_t)(bytes / 8), NULL, 0);
	if (plan_check(&plan, &message, &world))
		check_plan();
	else
		check(plan.error[0] != 0 && memchr(plan.error, 0, sizeof(plan.error)) != NULL);
	return 0;
}
