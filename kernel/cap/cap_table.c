/*
 * Capability tables; see cap_table.h. Looked up by ring/dispatch.c, filled by cap/transfer.c and the calls of
 * kernel objects, emptied by release and by the reaper.
 * Always true: kept <= reserved <= free_count; each live or moving entry has one hold, one facet reference and one use
 * of a grant of its own table; reserved <= free_grant_count.
 */
#include "kernel/cap/cap_table.h"

#include "capos/kernel.capnp.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/object/ledger.h"

/*@ requires valid: chunks_valid(table) && slot_there(table, slot);
  @ assigns \nothing;
  @ ensures entry: \result == entry_at(table, slot) && \valid(\result);
 */
static struct cap_entry *slot_entry(const struct cap_table *table, uint32_t slot)
{
	return &table->chunks[slot / CAP_CHUNK_ENTRIES]->entries[slot % CAP_CHUNK_ENTRIES];
}

static uint32_t entry_id(uint32_t slot, const struct cap_entry *entry)
{
	return cap_id(slot, entry->generation);
}

/*@ requires valid: chunks_valid(table) && slot_there(table, slot) && slot_there(table, table->free_tail);
  @ requires used: slot != 0 && slot != table->free_tail;
  @ requires fits: table->free_count < 65536;
  @ assigns entry_at(table, slot)->state, entry_at(table, slot)->next_free, entry_at(table, table->free_tail)->next_free,
  @     table->free_head, table->free_tail, table->free_count;
  @ ensures free: entry_at(table, slot)->state == CAP_FREE;
  @ ensures end: entry_at(table, slot)->next_free == 0;
  @ ensures last: table->free_tail == slot;
  @ ensures behind: \old(table->free_tail) != 0 ==>
  @     entry_at(table, \old(table->free_tail))->next_free == slot && table->free_head == \old(table->free_head);
  @ ensures alone: \old(table->free_tail) == 0 ==> table->free_head == slot;
  @ ensures counted: table->free_count == \old(table->free_count) + 1;
 */
static void free_slot_append(struct cap_table *table, uint32_t slot)
{
	struct cap_entry *entry = slot_entry(table, slot);

	/*@ assert other: slot / CAP_CHUNK_ENTRIES != table->free_tail / CAP_CHUNK_ENTRIES ||
	  @     slot % CAP_CHUNK_ENTRIES != table->free_tail % CAP_CHUNK_ENTRIES; */
	/*@ assert chunks: slot / CAP_CHUNK_ENTRIES != table->free_tail / CAP_CHUNK_ENTRIES ==>
	  @     \separated(table->chunks[slot / CAP_CHUNK_ENTRIES], table->chunks[table->free_tail / CAP_CHUNK_ENTRIES]); */
	/*@ assert apart: entry != entry_at(table, table->free_tail); */
	entry->state = CAP_FREE;
	entry->next_free = 0;
	if (table->free_tail)
		slot_entry(table, table->free_tail)->next_free = slot;
	else
		table->free_head = slot;
	table->free_tail = slot;
	table->free_count++;
}

static bool grow_directory(struct cap_table *table)
{
	uint32_t capacity = table->chunk_capacity ? table->chunk_capacity * 2 : 8;
	struct cap_chunk **chunks = heap_alloc(capacity * sizeof(*chunks));

	if (!chunks)
		return false;
	if (table->chunks) {
		memcpy(chunks, table->chunks, table->chunk_count * sizeof(*chunks));
		heap_free(table->chunks, table->chunk_capacity * sizeof(*chunks));
	}
	table->chunks = chunks;
	table->chunk_capacity = capacity;
	return true;
}

static bool grow(struct cap_table *table)
{
	STATIC_ASSERT(CAP_CHUNKS_MAX * CAP_CHUNK_ENTRIES <= 1u << GRANT_PLACE_BITS);
	struct cap_chunk *chunk;
	uint32_t first = table->chunk_count * CAP_CHUNK_ENTRIES;

	if (table->chunk_count == CAP_CHUNKS_MAX)
		return false;
	if (table->chunk_count == table->chunk_capacity && !grow_directory(table))
		return false;
	chunk = heap_alloc(sizeof(*chunk));
	if (!chunk)
		return false;
	table->chunks[table->chunk_count++] = chunk;
	spin_lock(&grant_lock);
	for (uint32_t i = 0; i < CAP_CHUNK_ENTRIES; i++) {
		chunk->grants[i].table = table;
		chunk->grants[i].id = first + i;
		chunk->grants[i].next = table->free_grants;
		table->free_grants = &chunk->grants[i];
	}
	table->free_grant_count += CAP_CHUNK_ENTRIES;
	spin_unlock(&grant_lock);
	/* Slot 0 stays out: its id of generation 0 is null. */
	for (uint32_t i = first ? 0 : 1; i < CAP_CHUNK_ENTRIES; i++)
		free_slot_append(table, first + i);
	return true;
}

status_t cap_table_init(struct cap_table *table, struct ledger *ledger, uint32_t process_id)
{
	memset(table, 0, sizeof(*table));
	spin_init(&table->lock, LOCK_RANK_CAP_TABLE, "cap_table");
	table->ledger = ledger;
	table->process_id = process_id;
	if (!grow(table)) {
		cap_table_fini(table);
		return STATUS_OVERLOADED;
	}
	ledger_get(ledger);
	return STATUS_OK;
}

void cap_table_fini(struct cap_table *table)
{
	cap_table_unkeep(table);
	ASSERT(table->live == 0 && table->reserved == 0);
	for (uint32_t i = 0; i < table->chunk_count; i++)
		heap_free(table->chunks[i], sizeof(*table->chunks[i]));
	if (table->chunks)
		heap_free(table->chunks, table->chunk_capacity * sizeof(*table->chunks));
	if (table->chunk_count)
		ledger_put(table->ledger);
	table->chunks = NULL;
	table->chunk_count = 0;
	table->free_count = 0;
}

/* Slots with grants that nobody counts on. There can be fewer grants than slots: waits and capabilities on their way keep
 * grants in use whose entries are gone. */
/*@ requires valid: \valid_read(table);
  @ requires promised: table->reserved <= table->free_count && table->reserved <= table->free_grant_count;
  @ assigns \nothing;
  @ ensures rest: \result + table->reserved == \min(table->free_count, table->free_grant_count);
 */
static uint32_t unpromised(const struct cap_table *table)
{
	return MIN(table->free_count, READ_ONCE(table->free_grant_count)) - table->reserved;
}

NO_BUFFER static status_t reserve(struct cap_table *table, uint32_t count, uint64_t *detail)
{
	status_t status = ledger_charge(table->ledger, RESOURCE_CLASS_SLOTS, count, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&table->lock);
	while (status == STATUS_OK && unpromised(table) < count) {
		if (!grow(table))
			status = STATUS_OVERLOADED;
	}
	if (status == STATUS_OK)
		table->reserved += count;
	spin_unlock(&table->lock);
	if (status != STATUS_OK) {
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		ledger_refund(table->ledger, RESOURCE_CLASS_SLOTS, count);
	}
	return status;
}

NO_BUFFER status_t cap_table_reserve(struct cap_table *table, uint32_t count, uint64_t *detail)
{
	status_t status;

	/* What is only kept goes before the table grows. */
	if (READ_ONCE(table->kept) && unpromised(table) < count)
		cap_table_unkeep(table);
	status = reserve(table, count, detail);
	if (likely(status == STATUS_OK) || !READ_ONCE(table->kept))
		return status;
	cap_table_unkeep(table);
	return reserve(table, count, detail);
}

NO_BUFFER void cap_table_unreserve(struct cap_table *table, uint32_t count)
{
	spin_lock(&table->lock);
	ASSERT(table->reserved >= count);
	table->reserved -= count;
	spin_unlock(&table->lock);
	ledger_refund(table->ledger, RESOURCE_CLASS_SLOTS, count);
}

/* Takes the oldest free slot, which a reservation promised. */
/*@ requires valid: chunks_valid(table) && \valid(slot) && \separated(slot, table, table->chunks + (0 .. table->chunk_count - 1));
  @ requires apart: \forall integer i; 0 <= i < table->chunk_count ==> \separated(slot, table->chunks[i]);
  @ requires promised: 0 < table->reserved <= table->free_count;
  @ requires head: slot_there(table, table->free_head) && entry_at(table, table->free_head)->state == CAP_FREE;
  @ requires fits: table->live < 65536;
  @ assigns *slot, table->free_head, table->free_tail, table->free_count, table->reserved, table->live;
  @ ensures oldest: *slot == \old(table->free_head) && \result == entry_at(table, *slot);
  @ ensures next: table->free_head == \result->next_free;
  @ ensures empty: table->free_head == 0 ==> table->free_tail == 0;
  @ ensures rest: table->free_head != 0 ==> table->free_tail == \old(table->free_tail);
  @ ensures counted: table->free_count == \old(table->free_count) - 1 && table->reserved == \old(table->reserved) - 1 &&
  @     table->live == \old(table->live) + 1;
 */
static struct cap_entry *take_slot(struct cap_table *table, uint32_t *slot)
{
	struct cap_entry *entry;

	ASSERT(table->reserved != 0 && table->free_count != 0);
	*slot = table->free_head;
	entry = slot_entry(table, *slot);
	DEBUG_ASSERT(entry->state == CAP_FREE);
	table->free_head = entry->next_free;
	if (!table->free_head)
		table->free_tail = 0;
	table->free_count--;
	table->reserved--;
	table->live++;
	return entry;
}

static uint32_t fill_slot(struct cap_table *table, struct object *object, struct facet *facet, struct grant *grant)
{
	uint32_t slot;
	struct cap_entry *entry = take_slot(table, &slot);

	entry->object = object;
	entry->facet = facet;
	entry->grant = grant;
	entry->state = CAP_LIVE;
	return entry_id(slot, entry);
}

uint32_t cap_table_insert(struct cap_table *table, struct object *object, struct facet *facet,
		struct grant *parent, uint32_t granter)
{
	struct grant *grant;
	uint32_t id;

	spin_lock(&table->lock);
	spin_lock(&grant_lock);
	grant = grant_create_locked(table, parent, granter);
	spin_unlock(&grant_lock);
	id = fill_slot(table, object, facet, grant);
	spin_unlock(&table->lock);
	return id;
}

/* The entry is free: the last of its kind in the queue, under an id that no one has been given yet. */
/*@ requires valid: chunks_valid(table) && slot_there(table, slot) && slot_there(table, table->free_tail);
  @ requires used: slot != 0 && slot != table->free_tail && entry == entry_at(table, slot);
  @ requires generation: entry->generation < CAP_GENERATIONS;
  @ requires counts: counts_right(table) && table->live > 0;
  @ assigns *entry, entry_at(table, table->free_tail)->next_free,
  @     table->free_head, table->free_tail, table->free_count, table->live;
  @ ensures free: entry->state == CAP_FREE;
  @ ensures emptied: entry->object == \null && entry->facet == \null && entry->grant == \null;
  @ ensures next_id: entry->generation == (\old(entry->generation) + 1) % CAP_GENERATIONS;
  @ ensures last: table->free_tail == slot;
  @ ensures counts: counts_right(table);
 */
static void slot_empty(struct cap_table *table, struct cap_entry *entry, uint32_t slot)
{
	entry->object = NULL;
	entry->facet = NULL;
	entry->grant = NULL;
	entry->generation = cap_generation_next(entry->generation);
	table->live--;
	free_slot_append(table, slot);
}

/* Empties an entry; the caller drops what it held after unlocking. */
static void clear_slot(struct cap_table *table, struct cap_entry *entry, uint32_t slot, struct object **object,
		struct facet **facet)
{
	*object = entry->object;
	*facet = entry->facet;
	grant_unuse(entry->grant);
	slot_empty(table, entry, slot);
	table->emptied++;
}

/* Empties the entry of an id; its hold on *object goes to the caller. */
static status_t remove_in_state(struct cap_table *table, uint32_t id, enum cap_state state, struct object **object)
{
	struct facet *facet;
	struct cap_entry *entry;

	spin_lock(&table->lock);
	entry = cap_table_find(table, id);
	if (!entry || entry->state != state) {
		spin_unlock(&table->lock);
		return STATUS_BAD_CAPABILITY;
	}
	clear_slot(table, entry, cap_id_slot(id), object, &facet);
	spin_unlock(&table->lock);
	ledger_refund(table->ledger, RESOURCE_CLASS_SLOTS, 1);
	facet_put(facet);
	return STATUS_OK;
}

bool cap_table_release_plain(struct cap_table *table, uint32_t id)
{
	struct object *object;
	struct facet *facet;
	struct cap_entry *entry;

	spin_lock(&table->lock);
	entry = cap_table_find(table, id);
	if (unlikely(!entry || entry->state != CAP_LIVE || entry->object->type->on_release ||
			!object_unhold_plain(entry->object))) {
		spin_unlock(&table->lock);
		return false;
	}
	clear_slot(table, entry, cap_id_slot(id), &object, &facet);
	spin_unlock(&table->lock);
	ledger_refund(table->ledger, RESOURCE_CLASS_SLOTS, 1);
	facet_put(facet);
	return true;
}

status_t cap_table_release(struct cap_table *table, uint32_t id)
{
	struct object *object;
	status_t status = remove_in_state(table, id, CAP_LIVE, &object);

	if (status != STATUS_OK)
		return status;
	if (unlikely(object->type->on_release))
		object->type->on_release(object, table);
	object_unhold(object);
	return STATUS_OK;
}

/* Reserves one slot and takes the lock; without it if it refuses. */
NO_BUFFER static status_t reserve_and_lock(
		struct cap_table *table, uint64_t *detail) NO_LOCK_ANALYSIS
{
	status_t status = ledger_charge(table->ledger, RESOURCE_CLASS_SLOTS, 1, detail);

	if (likely(status == STATUS_OK)) {
		spin_lock(&table->lock);
		if (likely(unpromised(table) != 0)) {
			table->reserved++;
			return STATUS_OK;
		}
		spin_unlock(&table->lock);
		ledger_refund(table->ledger, RESOURCE_CLASS_SLOTS, 1);
	}
	/* The table has to grow, or something that is only kept to go. */
	status = cap_table_reserve(table, 1, detail);
	if (status == STATUS_OK)
		spin_lock(&table->lock);
	return status;
}

NO_BUFFER status_t cap_table_copy(struct cap_table *table, uint32_t id, struct facet *facet,
		uint32_t *copy, uint64_t *detail) NO_LOCK_ANALYSIS
{
	struct cap_entry *entry;
	status_t status = reserve_and_lock(table, detail);

	if (unlikely(status != STATUS_OK))
		return status;
	status = cap_table_lookup(table, id, &entry);
	if (unlikely(status != STATUS_OK)) {
		spin_unlock(&table->lock);
		cap_table_unreserve(table, 1);
		return status;
	}
	if (!facet) {
		facet = entry->facet;
		facet_get(facet);
	}
	object_hold(entry->object);
	grant_use(entry->grant);
	*copy = fill_slot(table, entry->object, facet, entry->grant);
	spin_unlock(&table->lock);
	return STATUS_OK;
}

/*@ requires valid: chunks_valid(table);
  @ assigns entry_at(table, id % CAP_SLOTS)->state;
  @ ensures changed: \result == STATUS_OK ==> slot_there(table, id % CAP_SLOTS) &&
  @     entry_at(table, id % CAP_SLOTS)->generation == id / CAP_SLOTS &&
  @     \old(entry_at(table, id % CAP_SLOTS)->state) == from && entry_at(table, id % CAP_SLOTS)->state == (uint8_t)to;
  @ ensures refused: \result == STATUS_OK || \result == STATUS_BAD_CAPABILITY;
 */
static status_t change_state(struct cap_table *table, uint32_t id, enum cap_state from, enum cap_state to)
{
	struct cap_entry *entry;
	status_t status = STATUS_BAD_CAPABILITY;

	spin_lock(&table->lock);
	entry = cap_table_find(table, id);
	if (entry && entry->state == from) {
		entry->state = (uint8_t)to;
		status = STATUS_OK;
	}
	spin_unlock(&table->lock);
	return status;
}

status_t cap_table_move_begin(struct cap_table *table, uint32_t id)
{
	return change_state(table, id, CAP_LIVE, CAP_MOVING);
}

void cap_table_move_cancel(struct cap_table *table, uint32_t id)
{
	status_t status = change_state(table, id, CAP_MOVING, CAP_LIVE);

	ASSERT(status == STATUS_OK);
}

void cap_table_move_commit(struct cap_table *table, uint32_t id)
{
	struct object *object;
	status_t status = remove_in_state(table, id, CAP_MOVING, &object);

	ASSERT(status == STATUS_OK);
	object_unhold(object);      /* not the last one */
}

void cap_table_revoke_all(struct cap_table *table)
{
	spin_lock(&grant_lock);
	table->revoked = true;
	for (uint32_t i = 0; i < table->chunk_count * CAP_CHUNK_ENTRIES; i++) {
		struct grant *grant = &table->chunks[i / CAP_CHUNK_ENTRIES]->grants[i % CAP_CHUNK_ENTRIES];

		if (grant->uses)
			(void)grant_revoke_locked(grant);
	}
	spin_unlock(&grant_lock);
}

bool cap_table_drain(struct cap_table *table, uint32_t *cursor, uint32_t budget)
{
	uint32_t slots = table->chunk_count * CAP_CHUNK_ENTRIES;

	for (; *cursor < slots && table->live; (*cursor)++) {
		struct cap_entry *entry = slot_entry(table, *cursor);

		if (budget-- == 0)
			return false;
		if (entry->state == CAP_FREE)
			continue;
		/* Calls of a dead process were ended before, so nothing is moving any more. */
		ASSERT(entry->state == CAP_LIVE);
		if (cap_table_release(table, entry_id(*cursor, entry)) != STATUS_OK)
			panic("a live capability could not be released");
	}
	return true;
}

const struct cap_entry *cap_table_slot(const struct cap_table *table, uint32_t slot, uint32_t *id, bool *end)
{
	const struct cap_entry *entry;

	*end = slot / CAP_CHUNK_ENTRIES >= table->chunk_count;
	if (*end || slot == 0)
		return NULL;
	entry = slot_entry(table, slot);
	*id = entry_id(slot, entry);
	return entry->state != CAP_FREE ? entry : NULL;
}

bool cap_table_is_live(const struct cap_table *table, uint32_t id)
{
	const struct cap_entry *entry = cap_table_find(table, id);

	return entry && entry->state == CAP_LIVE;
}

bool cap_table_holds(const struct cap_table *table, const struct object *object)
{
	for (uint32_t slot = 1; slot < table->chunk_count * CAP_CHUNK_ENTRIES; slot++) {
		const struct cap_entry *entry = slot_entry(table, slot);

		if (entry->state != CAP_FREE && entry->object == object)
			return true;
	}
	return false;
}

void cap_table_check(struct cap_table *table)
{
	uint32_t live = 0, free_slots = 0, free_grants = 0, used_grants = 0;

	spin_lock(&table->lock);
	spin_lock(&grant_lock);
	for (uint32_t slot = 1; slot < table->chunk_count * CAP_CHUNK_ENTRIES; slot++) {
		const struct cap_entry *entry = slot_entry(table, slot);

		if (entry->state == CAP_FREE)
			continue;
		live++;
		ASSERT(entry->object->holds != 0);
		ASSERT(entry->grant->table == table);
		ASSERT(entry->grant->uses != 0);
	}
	for (uint32_t slot = table->free_head; slot; slot = slot_entry(table, slot)->next_free)
		free_slots++;
	for (struct grant *grant = table->free_grants; grant; grant = grant->next) {
		ASSERT(grant->uses == 0 && grant->children == NULL);
		free_grants++;
	}
	for (uint32_t i = 0; i < table->chunk_count * CAP_CHUNK_ENTRIES; i++) {
		const struct grant *grant = &table->chunks[i / CAP_CHUNK_ENTRIES]->grants[i % CAP_CHUNK_ENTRIES];

		if (grant->uses == 0)
			continue;
		used_grants++;
		/* What the revocation under way is at has a revoked parent, just below the top. */
		if (grant->parent && grant->parent->revoked)
			ASSERT(grant->revoked || (grant->parent->parent && grant_is_top(grant->parent->parent)));
	}
	ASSERT(live == table->live);
	ASSERT(free_slots == table->free_count);
	ASSERT(table->reserved <= table->free_count);
	ASSERT(table->kept <= table->reserved);
	ASSERT(free_grants + used_grants == table->chunk_count * CAP_CHUNK_ENTRIES);
	ASSERT(free_grants == table->free_grant_count);
	ASSERT(free_grants >= table->reserved);
	spin_unlock(&grant_lock);
	spin_unlock(&table->lock);
}
