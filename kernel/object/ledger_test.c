/*
 * Ledgers on the host: carving, closing in any order, and chains of processes that each start the next and end.
 */
#include "kernel/object/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capos/kernel.capnp.h"
#include "kernel/core/test_fakes.h"
#include "kernel/mm/slab.h"

#define SLOTS RESOURCE_CLASS_SLOTS
#define LIMIT 100u
#define OPEN_MAX 12u
#define STEPS 20000u

static uint64_t ledgers_live;

void *slab_alloc(struct slab_cache *cache)
{
	ledgers_live++;
	return calloc(1, cache->size);
}

void slab_free(struct slab_cache *cache, void *object)
{
	(void)cache;
	ledgers_live--;
	free(object);
}

static struct ledger *root_make(void)
{
	uint64_t limit[LEDGER_CLASSES] = { 0 };

	limit[SLOTS] = LIMIT;
	return ledger_root_init(limit);
}

static status_t carve(struct ledger *parent, uint64_t slots, struct ledger **child)
{
	uint64_t limit[LEDGER_CLASSES] = { 0 }, detail;

	limit[SLOTS] = slots;
	return ledger_create(parent, limit, child, &detail);
}

/* Each starts the next with all that it has, and ends; each leaves one object behind for a while. */
static void a_chain_of_ledgers_keeps_none(void **state)
{
	struct ledger *root = root_make(), *tip, *next, *before = NULL;
	uint64_t detail;

	(void)state;
	assert_int_equal(carve(root, 50, &tip), STATUS_OK);
	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(ledger_charge(tip, SLOTS, 1, &detail), STATUS_OK);
		ledger_get(tip);
		assert_int_equal(carve(tip, 49 - i, &next), STATUS_OK);
		ledger_close(tip);
		if (before) {
			ledger_refund(before, SLOTS, 1);
			ledger_put(before);
		}
		before = tip;
		tip = next;
		ledger_check(tip);
		assert_true(ledgers_live <= 3);
		assert_int_equal(root->used[SLOTS], 50 - i);
	}
	ledger_refund(before, SLOTS, 1);
	ledger_put(before);
	ledger_close(tip);
	assert_int_equal(root->used[SLOTS], 0);
	assert_int_equal(root->carved[SLOTS], 0);
	assert_int_equal(ledgers_live, 0);
}

struct model {
	struct ledger *ledger;
	uint64_t charged;
	bool open;
};

static uint64_t chance_state = 1;

static uint32_t chance(uint32_t end)
{
	chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(chance_state >> 33) % end;
}

/* Up as far as the parent goes, or not at all; down as far as what is used. */
static void change_limit(struct ledger *ledger)
{
	uint64_t before = ledger->limit[SLOTS], used = ledger->used[SLOTS], wanted = chance(30), set = 0, detail = 0;

	if (ledger_set_limit(ledger, SLOTS, wanted, &set, &detail) == STATUS_OK) {
		assert_int_equal(set, wanted > used ? wanted : used);
	} else {
		assert_true(wanted > before && ledger->parent->used[SLOTS] + wanted - before >
				ledger->parent->limit[SLOTS]);
		assert_int_equal(detail & 0xff, REASON_LEDGER);
		set = before;
	}
	assert_int_equal(ledger->limit[SLOTS], set);
	assert_int_equal(ledger_used(ledger, SLOTS), used);
}

/* What is carved out of each ledger is what its open children may use. */
static void check_carved(const struct ledger *ledger, const struct model *models)
{
	uint64_t carved = 0;

	for (uint32_t at = 0; at < OPEN_MAX; at++) {
		if (models[at].open && models[at].ledger->parent == ledger)
			carved += models[at].ledger->limit[SLOTS];
	}
	assert_int_equal(ledger->carved[SLOTS], carved);
}

static void step(struct ledger *root, struct model *models)
{
	struct model *model = &models[chance(OPEN_MAX)], *other = &models[chance(OPEN_MAX)];
	uint64_t detail;

	if (!model->ledger) {
		if (carve(other->open ? other->ledger : root, chance(20), &model->ledger) == STATUS_OK) {
			model->open = true;
			ledger_get(model->ledger);
		} else {
			model->ledger = NULL;
		}
	} else if (model->open && chance(3) == 0) {
		ledger_close(model->ledger);
		model->open = false;
	} else if (model->open && chance(4) == 0) {
		change_limit(model->ledger);
	} else if (chance(2) == 0) {
		if (ledger_charge(model->ledger, SLOTS, 1, &detail) == STATUS_OK)
			model->charged++;
	} else if (model->charged) {
		ledger_refund(model->ledger, SLOTS, 1);
		model->charged--;
	}
	if (model->ledger && !model->open && model->charged == 0) {
		ledger_put(model->ledger);
		*model = (struct model){ 0 };
	}
}

/* However they are made, changed, closed and refunded, the sums are right and nothing stays. */
static void ledgers_close_in_any_order(void **state)
{
	struct ledger *root = root_make();
	struct model models[OPEN_MAX] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < STEPS; i++) {
		step(root, models);
		ledger_check(root);
		check_carved(root, models);
		for (uint32_t at = 0; at < OPEN_MAX; at++) {
			if (models[at].ledger) {
				ledger_check(models[at].ledger);
				check_carved(models[at].ledger, models);
				/* What closed children still use counts as well. */
				assert_true(ledger_own(models[at].ledger, SLOTS) >= models[at].charged);
			}
		}
		assert_true(ledgers_live <= 2 * OPEN_MAX);
	}
	for (uint32_t at = 0; at < OPEN_MAX; at++) {
		if (!models[at].ledger)
			continue;
		if (models[at].open)
			ledger_close(models[at].ledger);
		ledger_refund(models[at].ledger, SLOTS, models[at].charged);
		ledger_put(models[at].ledger);
	}
	assert_int_equal(root->used[SLOTS], 0);
	assert_int_equal(root->carved[SLOTS], 0);
	assert_int_equal(ledgers_live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_of_ledgers_keeps_none),
		cmocka_unit_test(ledgers_close_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
