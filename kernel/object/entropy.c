/*
 * EntropySource and the kernel's pool. The seed comes from the processor's random source and from
 * how long things take; each draw mixes in both again. The pool itself is core/entropy_pool.c.
 */
#include "kernel/object/entropy.h"

#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/entropy_pool.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/call.h"
#include "kernel/object/roots.h"

#define FILL_MAX     1024 /* bytes a call */
#define SEED_WORDS   16
#define SEED_SAMPLES 4096 /* of the processor's counter */

/*  p under pool_lock  */
static struct spinlock pool_lock = SPINLOCK_INIT(LOCK_RANK_ENTROPY, "entropy");
static struct entropy_pool pool; /* p */

void entropy_init(void)
{
	uint32_t words = 0;

	spin_lock(&pool_lock);
	for (uint32_t i = 0; i < SEED_WORDS; i++) {
		uint64_t word;

		if (arch_random(&word)) {
			entropy_pool_add(&pool, &word, sizeof(word));
			words++;
		}
	}
	for (uint32_t i = 0; i < SEED_SAMPLES; i++) {
		uint64_t ticks = arch_ticks();

		entropy_pool_add(&pool, &ticks, sizeof(ticks));
	}
	spin_unlock(&pool_lock);
	/* Not a warning of a fault: the machine is as it is. */
	if (words < SEED_WORDS / 2)
		log_line(LOG_INFO, "the processor has no random source; keys rest on timing alone");
}

void entropy_fill(void *bytes, size_t count)
{
	uint64_t fresh[2] = { arch_ticks(), 0 };

	(void)arch_random(&fresh[1]);
	spin_lock(&pool_lock);
	entropy_pool_add(&pool, fresh, sizeof(fresh));
	entropy_pool_fill(&pool, bytes, count);
	spin_unlock(&pool_lock);
}

static status_t method_fill(void *self, struct call *call,
		struct entropy_source_fill_params_reader in,
		struct entropy_source_fill_results_builder *out)
{
	uint32_t count = entropy_source_fill_params_get_count(in);
	uint8_t *bytes;

	if (count > FILL_MAX)
		return call_fail_argument(call, 0, FILL_MAX);
	bytes = entropy_source_fill_results_init_bytes(*out, count);
	if (bytes)
		entropy_fill(bytes, count);
	return STATUS_OK;
}

static status_t entropy_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct entropy_source_server server = { .fill = method_fill };

	return entropy_source_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type entropy_type = { .name = "entropy", .call = entropy_call };

struct object *entropy_object(void)
{
	static struct object entropy = ROOT_OBJECT(&entropy_type);

	return &entropy;
}
