/*
 * Capability tables, grants, facets and transfers of the kernel, against a model: random operations
 * on three tables, with generations of two bits so that ids come round again, and with every
 * allocation failing in turn. Memory is a fake that counts; ledgers and objects are the kernel's
 * own.
 *
 * The model has one row for each id that was ever live and one for each grant. Always true after a
 * step: what the tables say of an id is what its row says, and each object has as many holds as
 * rows and captured items.
 */
#define CAP_GENERATION_BITS 2
#include "kernel/cap/cap_table.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/cap/transfer.h"
#include "kernel/core/test_fakes.h"
#include "kernel/object/endpoint.h"

#define TABLES   3u
#define OBJECTS  4u
#define ROWS     400u
#define GRANTS   4000u
#define STEPS    30000u
#define NO_GRANT UINT32_MAX

/* --- Memory ----------------------------------------------------------------------------------- */

static uint64_t blocks_live;
static uint64_t fail_in; /* the allocation that fails, counted down; 0: none */

void *heap_alloc(size_t bytes)
{
	if (fail_in != 0 && --fail_in == 0)
		return NULL;
	blocks_live++;
	return calloc(1, bytes);
}

void heap_free(void *memory, size_t bytes)
{
	(void)bytes;
	blocks_live--;
	free(memory);
}

void *slab_alloc(struct slab_cache *cache)
{
	return heap_alloc(cache->size);
}

void slab_free(struct slab_cache *cache, void *object)
{
	heap_free(object, cache->size);
}

/* --- Objects ---------------------------------------------------------------------------------- */

static struct object objects[OBJECTS];

static void object_gone(struct object *object)
{
	fail_msg("object %zu lost its last reference", (size_t)(object - objects));
}

static const struct object_type plain_type = { .name = "plain", .destroy = object_gone };
static const struct object_type own_type = { .name = "own", .destroy = object_gone };

bool export_may_cross(struct object *object, const struct process *from, const struct process *to)
{
	(void)object;
	(void)from;
	(void)to;
	return true;
}

/* Object 0 is the one export that the endpoint of the tests serves. */
bool export_is_served_by(struct object *object, const struct facet *facet,
		const struct endpoint *endpoint, uint64_t *tag)
{
	(void)facet;
	(void)endpoint;
	*tag = 77;
	return object->type == &own_type;
}

/* Everything here is of one session. */
/* --- The model -------------------------------------------------------------------------------- */

struct row {
	uint32_t table;
	uint32_t id;
	uint32_t object;
	uint32_t grant;
	enum cap_state state;
};

struct model_grant {
	uint32_t parent;
	uint32_t uses;
	bool revoked;
	bool due;   /* the revocation under way has still to come to it */
	bool maybe; /* derived from the root of that meanwhile: it may come to it or not */
};

static struct ledger *ledger;
static struct cap_table tables[TABLES];
static struct facet *facet;
static struct row rows[ROWS];
static uint32_t row_count;
static struct model_grant grants[GRANTS];
static uint32_t grant_count;
static uint64_t chance_state;
static struct revocation revocation;
static bool revoking; /* it is under way */
static uint32_t revoked_root; /* of which only the derived are revoked; else NO_GRANT */

static uint32_t chance(uint32_t end)
{
	chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(chance_state >> 33) % end;
}

static uint32_t model_grant_new(uint32_t parent)
{
	assert_true(grant_count < GRANTS);
	bool child = parent != NO_GRANT;

	grants[grant_count] = (struct model_grant){ parent, 1, child && grants[parent].revoked,
		child && grants[parent].due,
		child && (grants[parent].maybe || (revoking && parent == revoked_root)) };
	return grant_count++;
}

/* A grant without uses is passed over: its children hang below its parent. */
static uint32_t model_parent(uint32_t grant)
{
	uint32_t parent = grants[grant].parent;

	while (parent != NO_GRANT && grants[parent].uses == 0)
		parent = grants[parent].parent;
	return parent;
}

static bool model_is_below(uint32_t grant, uint32_t ancestor)
{
	for (uint32_t at = model_parent(grant); at != NO_GRANT; at = model_parent(at)) {
		if (at == ancestor)
			return true;
	}
	return false;
}

static struct row *row_add(uint32_t table, uint32_t id, uint32_t object, uint32_t grant)
{
	assert_true(row_count < ROWS);
	rows[row_count] = (struct row){ table, id, object, grant, CAP_LIVE };
	return &rows[row_count++];
}

static void row_remove(struct row *row)
{
	grants[row->grant].uses--;
	*row = rows[--row_count];
}

static struct row *some_row(void)
{
	return row_count ? &rows[chance(row_count)] : NULL;
}

static void row_check(const struct row *row)
{
	struct cap_entry *entry;
	status_t status = cap_table_lookup(&tables[row->table], row->id, &entry);

	if (row->state == CAP_MOVING)
		assert_int_equal(status, STATUS_BAD_CAPABILITY);
	else if (grants[row->grant].revoked)
		assert_int_equal(status, STATUS_DISCONNECTED);
	else
		assert_int_equal(status, STATUS_OK);
	if (status == STATUS_OK)
		assert_ptr_equal(entry->object, &objects[row->object]);
}

static void all_check(uint32_t captured)
{
	uint32_t holds[OBJECTS] = { 0 }, sum = 0;

	for (uint32_t i = 0; i < row_count; i++) {
		row_check(&rows[i]);
		holds[rows[i].object]++;
	}
	for (uint32_t i = 0; i < OBJECTS; i++) {
		assert_true(objects[i].holds >= holds[i]);
		sum += objects[i].holds - holds[i];
	}
	assert_int_equal(sum, captured);
	for (uint32_t i = 0; i < TABLES; i++)
		cap_table_check(&tables[i]);
	sum = row_count;
	for (uint32_t i = 0; i < TABLES; i++)
		sum += tables[i].reserved;
	assert_int_equal(ledger->used[RESOURCE_CLASS_SLOTS], sum);
}

/* --- Steps ------------------------------------------------------------------------------------ */

static void step_insert(void)
{
	uint32_t table = chance(TABLES), object = chance(OBJECTS), id;
	uint64_t detail;

	assert_int_equal(cap_table_reserve(&tables[table], 1, &detail), STATUS_OK);
	object_hold(&objects[object]);
	facet_get(facet);
	id = cap_table_insert(&tables[table], &objects[object], facet, NULL, 0);
	assert_int_not_equal(id, 0);
	(void)row_add(table, id, object, model_grant_new(NO_GRANT));
}

static void step_copy(struct row *row)
{
	uint64_t detail;
	uint32_t copy = 0;
	status_t status = cap_table_copy(&tables[row->table], row->id, NULL, &copy, &detail);

	assert_int_equal(status, grants[row->grant].revoked ? STATUS_DISCONNECTED : STATUS_OK);
	if (status != STATUS_OK)
		return;
	grants[row->grant].uses++;
	(void)row_add(row->table, copy, row->object, row->grant);
}

static void step_release(struct row *row)
{
	uint32_t table = row->table, id = row->id;

	assert_int_equal(cap_table_release(&tables[table], id), STATUS_OK);
	row_remove(row);
	assert_int_equal(cap_table_release(&tables[table], id), STATUS_BAD_CAPABILITY);
}

static void step_revoke(struct row *row)
{
	struct cap_entry *entry;
	uint32_t marked, expected = 0;
	bool derived_only = chance(2);

	if (cap_table_lookup(&tables[row->table], row->id, &entry) != STATUS_OK)
		return;
	spin_lock(&grant_lock);
	marked = derived_only ? grant_revoke_derived_locked(entry->grant)
			      : grant_revoke_locked(entry->grant);
	spin_unlock(&grant_lock);
	for (uint32_t i = 0; i < grant_count; i++) {
		if (grants[i].uses != 0 && !grants[i].revoked &&
				((!derived_only && i == row->grant) ||
						model_is_below(i, row->grant))) {
			grants[i].revoked = true;
			expected++;
		}
	}
	assert_int_equal(marked, expected);
}

/* What the steps have come to so far must have been due, or may have been. */
static void model_follow(void)
{
	for (uint32_t i = 0; i < row_count; i++) {
		struct model_grant *grant = &grants[rows[i].grant];
		const struct cap_entry *entry = cap_table_find(&tables[rows[i].table], rows[i].id);

		if (!grant_is_revoked(entry->grant)) {
			assert_false(grant->revoked);
			continue;
		}
		assert_true(grant->revoked || grant->due || grant->maybe);
		grant->revoked = true;
		grant->due = false;
	}
}

static void step_revocation_begin(struct row *row)
{
	struct cap_entry *entry;
	bool derived_only = chance(2);

	if (revoking || cap_table_lookup(&tables[row->table], row->id, &entry) != STATUS_OK)
		return;
	for (uint32_t i = 0; i < grant_count; i++) {
		grants[i].maybe = false;
		grants[i].due = grants[i].uses != 0 && !grants[i].revoked &&
				((!derived_only && i == row->grant) || model_is_below(i, row->grant));
	}
	revoking = true;
	revoked_root = derived_only ? row->grant : NO_GRANT;
	spin_lock(&grant_lock);
	revocation_begin_locked(&revocation, entry->grant, derived_only);
	spin_unlock(&grant_lock);
	model_follow();
}

static void step_revocation(uint32_t budget)
{
	uint32_t before = revocation.marked;

	if (!revoking)
		return;
	spin_lock(&grant_lock);
	revoking = !revocation_step_locked(&revocation, budget);
	spin_unlock(&grant_lock);
	assert_true(revocation.marked - before <= budget);
	model_follow();
	for (uint32_t i = 0; i < row_count && !revoking; i++)
		assert_false(grants[rows[i].grant].due);
}

/* Up to four capabilities from one table to another: captured, then delivered or dropped;
 * sometimes with a descriptor that refuses all of them. */
static void step_transfer(void)
{
	struct transfer_item items[4];
	uint64_t descriptors[8] = { 0 }, records[8], detail;
	uint32_t from = chance(TABLES), to = chance(TABLES), count = 1 + chance(4), captured = 0;
	struct row *sent[4] = { NULL };
	bool moves[4] = { false }, bad = false, serving = chance(2);
	status_t status;

	for (uint32_t i = 0; i < count; i++) {
		struct row *row = some_row();

		if (!row || row->table != from)
			continue;
		sent[i] = row;
		moves[i] = chance(2);
		descriptors[2 * i] = (moves[i] ? TRANSFER_KIND_MOVE : TRANSFER_KIND_COPY) |
				(uint64_t)row->id << 32;
		for (uint32_t j = 0; j < i; j++)
			bad |= sent[j] == row && moves[j]; /* moved already */
		bad |= grants[row->grant].revoked;
		captured++;
	}
	if (chance(6) == 0) {
		descriptors[2 * (count - 1)] = 0x0100 | TRANSFER_KIND_COPY;
		bad = true;
	}
	status = transfer_capture(&tables[from], descriptors, count, items);
	assert_int_equal(status != STATUS_OK, bad);
	if (bad) {
		all_check(0); /* every moved one is back, nothing is held */
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (sent[i] && moves[i])
			sent[i]->state = CAP_MOVING;
	}
	all_check(captured);
	if (chance(3) == 0) {
		transfer_drop(items, count, &tables[from]);
		for (uint32_t i = 0; i < count; i++) {
			if (sent[i])
				sent[i]->state = CAP_LIVE;
		}
		all_check(0);
		return;
	}
	assert_int_equal(cap_table_reserve(&tables[to], captured, &detail), STATUS_OK);
	cap_table_unreserve(&tables[to],
			captured -
					transfer_deliver(items, count, &tables[from], &tables[to],
							serving ? (struct endpoint *)&tables : NULL,
							records));
	transfer_finish(items, count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t parent, object;

		if (!sent[i]) {
			assert_int_equal(records[2 * i], RECORD_KIND_NONE);
			continue;
		}
		parent = sent[i]->grant;
		object = sent[i]->object;
		if (serving && object == 0) {
			assert_int_equal(records[2 * i], RECORD_KIND_YOURS);
			assert_int_equal(records[2 * i + 1], 77);
		} else {
			assert_int_equal((uint8_t)records[2 * i], RECORD_KIND_CAPABILITY);
			(void)row_add(to, (uint32_t)(records[2 * i] >> 32), object,
					model_grant_new(parent));
		}
	}
	/* From the last on, as removing a row moves the last one into its place. */
	for (uint32_t i = row_count; i-- > 0;) {
		if (rows[i].state == CAP_MOVING)
			row_remove(&rows[i]);
	}
	all_check(0);
}

static void tables_open(uint64_t slots)
{
	uint64_t limit[LEDGER_CLASSES] = { 0 }, detail;
	const struct facet_row facet_rows[] = { { .id = 11, .methods = 3 } };

	limit[RESOURCE_CLASS_SLOTS] = slots;
	if (!ledger_root()->limit[RESOURCE_CLASS_SLOTS]) {
		limit[RESOURCE_CLASS_SLOTS] = 1u << 20;
		(void)ledger_root_init(limit);
		limit[RESOURCE_CLASS_SLOTS] = slots;
	}
	assert_int_equal(ledger_create(ledger_root(), limit, &ledger, &detail), STATUS_OK);
	for (uint32_t i = 0; i < OBJECTS; i++)
		object_init(&objects[i], i == 0 ? &own_type : &plain_type, NULL);
	for (uint32_t i = 0; i < TABLES; i++)
		assert_int_equal(cap_table_init(&tables[i], ledger, i + 1), STATUS_OK);
	facet = facet_intern(facet_rows, 1);
	assert_non_null(facet);
	row_count = grant_count = 0;
	chance_state = 1;
}

static void tables_close(void)
{
	for (uint32_t i = 0; i < TABLES; i++) {
		uint32_t cursor = 0;

		while (!cap_table_drain(&tables[i], &cursor, 7))
			;
		cap_table_fini(&tables[i]);
	}
	facet_put(facet);
	for (uint32_t i = 0; i < OBJECTS; i++) {
		assert_int_equal(objects[i].holds, 0);
		assert_int_equal(objects[i].references, 1);
	}
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		assert_int_equal(ledger->used[i], 0);
	ledger_close(ledger);
	assert_int_equal(blocks_live, 0);
}

/* Grants of the model that nothing refers to any more are forgotten now and then. */
static void model_compact(void)
{
	if (grant_count < GRANTS - 8)
		return;
	while (row_count)
		step_release(&rows[row_count - 1]);
	step_revocation(UINT32_MAX);
	grant_count = 0;
}

static void random_operations(void **state)
{
	(void)state;
	tables_open(1 << 16);
	for (uint32_t step = 0; step < STEPS; step++) {
		struct row *row = some_row();

		model_compact();
		row = some_row();
		if (!row || (row_count < ROWS / 2 && chance(8) == 0))
			step_insert();
		else if (row_count > ROWS - 8 || chance(3) == 0)
			step_release(row);
		else if (chance(3) == 0)
			step_copy(row);
		else if (chance(12) == 0 && !revoking)
			step_revoke(row);
		else if (chance(12) == 0)
			step_revocation_begin(row);
		else
			step_transfer();
		if (chance(4) == 0)
			step_revocation(1 + chance(3));
		if (step % 16 == 0)
			all_check(0);
	}
	step_revocation(UINT32_MAX);
	tables_close();
}

/* A capability of table `table` whose grant hangs below that of another. */
static uint32_t derive(uint32_t table, struct grant *parent)
{
	uint64_t detail;

	assert_int_equal(cap_table_reserve(&tables[table], 1, &detail), STATUS_OK);
	object_hold(&objects[1]);
	facet_get(facet);
	return cap_table_insert(&tables[table], &objects[1], facet, parent, 1);
}

static struct grant *grant_of_id(uint32_t table, uint32_t id)
{
	return cap_table_find(&tables[table], id)->grant;
}

static bool go_on(uint32_t budget)
{
	bool done;

	spin_lock(&grant_lock);
	done = revocation_step_locked(&revocation, budget);
	spin_unlock(&grant_lock);
	cap_table_check(&tables[0]);
	cap_table_check(&tables[1]);
	return done;
}

/* The root of a revocation, or a grant in the middle of its tree, goes after every number of
 * steps; what hung below is revoked all the same, and what was derived meanwhile too. */
static void a_revocation_goes_on_without_those_who_leave(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 48; round++) {
		uint32_t steps = round / 4, above, root, middle[3], leaves[3], late;
		bool derived_only = round & 1, root_leaves = round & 2;

		tables_open(1 << 16);
		above = derive(0, NULL);
		root = derive(0, grant_of_id(0, above));
		for (uint32_t i = 0; i < 3; i++) {
			middle[i] = derive(1, grant_of_id(0, root));
			leaves[i] = derive(0, grant_of_id(1, middle[i]));
		}
		spin_lock(&grant_lock);
		revocation_begin_locked(&revocation, grant_of_id(0, root), derived_only);
		spin_unlock(&grant_lock);
		for (uint32_t i = 0; i < steps; i++)
			(void)go_on(1);
		late = derive(1, grant_of_id(0, leaves[2]));
		if (root_leaves)
			assert_int_equal(cap_table_release(&tables[0], root), STATUS_OK);
		else
			assert_int_equal(cap_table_release(&tables[1], middle[1]), STATUS_OK);
		while (!go_on(1))
			;
		for (uint32_t i = 0; i < 3; i++)
			assert_true(grant_is_revoked(grant_of_id(0, leaves[i])));
		assert_true(grant_is_revoked(grant_of_id(1, late)));
		assert_false(grant_is_revoked(grant_of_id(0, above)));
		if (!root_leaves)
			assert_int_equal(grant_is_revoked(grant_of_id(0, root)), !derived_only);
		tables_close();
	}
}

/* As a logout does while a revocation is under way: in the same tree, and above it. */
static void a_revocation_at_once_passes_one_in_steps(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 16; round++) {
		uint32_t above, root, leaves[4], marked;

		tables_open(1 << 16);
		above = derive(0, NULL);
		root = derive(1, grant_of_id(0, above));
		for (uint32_t i = 0; i < 4; i++)
			leaves[i] = derive(0, grant_of_id(1, root));
		spin_lock(&grant_lock);
		revocation_begin_locked(&revocation, grant_of_id(1, root), round & 1);
		spin_unlock(&grant_lock);
		for (uint32_t i = 0; i < round / 2; i++)
			(void)go_on(1);
		spin_lock(&grant_lock);
		marked = grant_revoke_locked(grant_of_id(1, root));
		marked += grant_revoke_locked(grant_of_id(0, above));
		spin_unlock(&grant_lock);
		while (!go_on(1))
			;
		for (uint32_t i = 0; i < 4; i++)
			assert_true(grant_is_revoked(grant_of_id(0, leaves[i])));
		assert_true(grant_is_revoked(grant_of_id(0, above)));
		assert_int_equal(marked + revocation.marked, 6);
		tables_close();
	}
}

/* With two bits of generation an id comes back after four rounds through the free slots, and not
 * before. */
static void ids_come_round(void **state)
{
	uint32_t first, id = 0, releases = 0;
	uint64_t detail;

	(void)state;
	tables_open(1 << 16);
	assert_int_equal(cap_table_reserve(&tables[0], 1, &detail), STATUS_OK);
	object_hold(&objects[1]);
	facet_get(facet);
	first = cap_table_insert(&tables[0], &objects[1], facet, NULL, 0);
	for (id = first; releases == 0 || id != first; releases++) {
		assert_int_equal(cap_table_release(&tables[0], id), STATUS_OK);
		assert_int_equal(cap_table_reserve(&tables[0], 1, &detail), STATUS_OK);
		object_hold(&objects[1]);
		facet_get(facet);
		id = cap_table_insert(&tables[0], &objects[1], facet, NULL, 0);
		assert_int_not_equal(cap_id_slot(id), 0);
	}
	assert_int_equal(releases, (CAP_CHUNK_ENTRIES - 1) << CAP_GENERATION_BITS);
	tables_close();
}

static status_t reserve_kept(struct cap_table *table, uint32_t count, uint64_t *detail)
{
	return cap_table_take_kept(table, count) ? STATUS_OK
						 : cap_table_reserve(table, count, detail);
}

/* What is kept is taken again by who wants as many, stays out of nobody's way when slots are
 * short, and goes with the table. */
static void kept_reservations_are_there_when_wanted(void **state)
{
	struct cap_table *table = &tables[0];
	uint64_t detail = 0;

	(void)state;
	tables_open(20);
	assert_int_equal(reserve_kept(table, 8, &detail), STATUS_OK);
	cap_table_keep(table, 8);
	assert_int_equal(table->reserved, 8);
	assert_int_equal(ledger->used[RESOURCE_CLASS_SLOTS], 8);
	assert_int_equal(reserve_kept(table, 8, &detail), STATUS_OK);
	assert_int_equal(table->kept, 0);
	assert_int_equal(ledger->used[RESOURCE_CLASS_SLOTS], 8);
	/* Only one reservation is kept; a second one is given back. */
	assert_int_equal(reserve_kept(table, 4, &detail), STATUS_OK);
	cap_table_keep(table, 8);
	cap_table_keep(table, 4);
	assert_int_equal(table->kept, 8);
	assert_int_equal(ledger->used[RESOURCE_CLASS_SLOTS], 8);
	/* Who wants another number leaves it; who would find the ledger exhausted gets it. */
	assert_int_equal(reserve_kept(table, 12, &detail), STATUS_OK);
	assert_int_equal(table->kept, 8);
	cap_table_check(table);
	assert_int_equal(cap_table_reserve(table, 8, &detail), STATUS_OK);
	assert_int_equal(table->kept, 0);
	assert_int_equal(ledger->used[RESOURCE_CLASS_SLOTS], 20);
	assert_int_equal(cap_table_reserve(table, 1, &detail), STATUS_OVERLOADED);
	cap_table_unreserve(table, 12);
	cap_table_keep(table, 8);
	cap_table_check(table);
	tables_close();
}

static void reservations_fail_cleanly(void **state)
{
	uint64_t detail = 0;
	uint32_t n;

	(void)state;
	tables_open(500);
	assert_int_equal(cap_table_reserve(&tables[0], 501, &detail), STATUS_OVERLOADED);
	assert_int_equal(detail & 0xff, REASON_LEDGER);
	assert_int_equal(detail >> 8 & 0xff, RESOURCE_CLASS_SLOTS);
	/* Several pieces, and a larger directory of them: each allocation fails in turn. */
	for (n = 1; n < 20; n++) {
		struct cap_table table;
		status_t status;

		fail_in = n;
		status = cap_table_init(&table, ledger, 9);
		if (status == STATUS_OK) {
			status = cap_table_reserve(&table, 500, &detail);
			if (status == STATUS_OK)
				cap_table_unreserve(&table, 500);
			else
				assert_int_equal(detail & 0xff, REASON_KERNEL_MEMORY);
			cap_table_check(&table);
			cap_table_fini(&table);
		}
		assert_int_equal(ledger->used[RESOURCE_CLASS_SLOTS], 0);
		assert_int_equal(status, fail_in ? STATUS_OK : STATUS_OVERLOADED);
		if (fail_in)
			break;
	}
	assert_in_range(n, 5, 19);
	fail_in = 0;
	tables_close();
}

static void facets_are_interned_and_narrowed(void **state)
{
	/* A diamond: 1 over 2 and 3, both over 4. */
	const struct facet_row whole[] = {
		{ .id = 1, .methods = 1, .ancestors = 0xe },
		{ .id = 2, .methods = 2, .ancestors = 8 },
		{ .id = 3, .methods = 3, .ancestors = 8 },
		{ .id = 4, .methods = 4, .ancestors = 0 },
	};
	struct facet *a = facet_intern(whole, 4), *b = facet_intern(whole, 4), *three, *four,
		     *again;
	status_t status;
	bool has;

	(void)state;
	assert_ptr_equal(a, b);
	three = facet_narrow(a, 3, &status);
	assert_int_equal(status, STATUS_OK);
	assert_int_equal(three->count, 2);
	assert_int_equal(three->rows[0].id, 3);
	assert_int_equal(three->rows[0].ancestors, 2);
	assert_int_equal(three->rows[1].id, 4);
	assert_true(facet_has_method(three, 4, 3, &has) && has);
	assert_false(facet_has_method(three, 4, 4, &has));
	assert_false(facet_has_method(three, 2, 0, &has) || has);
	assert_null(facet_narrow(three, 1, &status));
	assert_int_equal(status, STATUS_UNIMPLEMENTED);
	four = facet_narrow(three, 4, &status);
	again = facet_narrow(a, 4, &status);
	assert_ptr_equal(four, again);
	fail_in = 1;
	assert_null(facet_narrow(a, 2, &status));
	assert_int_equal(status, STATUS_OVERLOADED);
	fail_in = 0;
	facet_put(a);
	facet_put(b);
	facet_put(three);
	facet_put(four);
	facet_put(again);
	assert_int_equal(blocks_live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(a_revocation_goes_on_without_those_who_leave),
		cmocka_unit_test(a_revocation_at_once_passes_one_in_steps),
		cmocka_unit_test(ids_come_round),
		cmocka_unit_test(kept_reservations_are_there_when_wanted),
		cmocka_unit_test(reservations_fail_cleanly),
		cmocka_unit_test(facets_are_interned_and_narrowed),
	};

	return cmocka_run_group_tests_name("kernel_cap", tests, NULL, NULL);
}
