/*
 * Interned facet types; see facet.h. Made by kernel objects (facet_of_interface) and by endpoints that mint
 * exports (facet_intern); read by every call.
 * Always true: two facets in the table differ in some row; a facet in the table has at least one reference.
 */
#include "kernel/cap/facet.h"

#include "capnp/capnp.h"
#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"

#define FACET_BUCKETS 256

static struct spinlock facet_lock = SPINLOCK_INIT(LOCK_RANK_FACET, "facet");
static struct facet *buckets[FACET_BUCKETS];

static size_t facet_bytes(uint32_t count)
{
	return sizeof(struct facet) + count * sizeof(struct facet_row);
}

static uint32_t rows_bucket(const struct facet_row *rows, uint32_t count)
{
	uint64_t hash = count;

	for (uint32_t i = 0; i < count; i++)
		hash = (hash ^ rows[i].id ^ rows[i].methods ^ (uint64_t)rows[i].ancestors << 32) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(hash >> 56) % FACET_BUCKETS;
}

static bool rows_equal(const struct facet *facet, const struct facet_row *rows, uint32_t count)
{
	if (facet->count != count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (facet->rows[i].id != rows[i].id || facet->rows[i].methods != rows[i].methods ||
				facet->rows[i].ancestors != rows[i].ancestors)
			return false;
	}
	return true;
}

struct facet *facet_intern(const struct facet_row *rows, uint32_t count)
{
	uint32_t bucket = rows_bucket(rows, count);
	struct facet *facet;

	ASSERT(count >= 1 && count <= FACET_ROWS_MAX);
	spin_lock(&facet_lock);
	for (facet = buckets[bucket]; facet; facet = facet->next) {
		if (rows_equal(facet, rows, count)) {
			facet_get(facet);
			spin_unlock(&facet_lock);
			return facet;
		}
	}
	facet = heap_alloc(facet_bytes(count));
	if (facet) {
		facet->references = 1;
		facet->count = count;
		for (uint32_t i = 0; i < count; i++) {
			facet->rows[i] = rows[i];
			facet->rows[i].reserved = 0;
		}
		facet->next = buckets[bucket];
		buckets[bucket] = facet;
	}
	spin_unlock(&facet_lock);
	return facet;
}

struct facet *facet_of_interface(const struct capnp_interface *interface)
{
	struct facet_row rows[FACET_ROWS_MAX] = { 0 };
	uint32_t count = 1u + interface->ancestor_count;

	ASSERT(count <= FACET_ROWS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		const struct capnp_interface *row = i == 0 ? interface : interface->ancestors[i - 1];

		rows[i].id = row->id;
		rows[i].methods = row->method_count;
		for (uint32_t a = 0; a < row->ancestor_count; a++) {
			for (uint32_t j = 1; j < count; j++) {
				if (interface->ancestors[j - 1] == row->ancestors[a])
					rows[i].ancestors |= (uint16_t)(1u << j);
			}
		}
	}
	return facet_intern(rows, count);
}

struct facet *facet_narrow(const struct facet *facet, uint64_t interface_id, status_t *status)
{
	struct facet_row rows[FACET_ROWS_MAX];
	uint8_t place[FACET_ROWS_MAX] = { 0 };
	struct facet *narrowed;
	uint32_t count = 1, self = 0;

	while (self < facet->count && facet->rows[self].id != interface_id)
		self++;
	if (self == facet->count) {
		*status = STATUS_UNIMPLEMENTED;
		return NULL;
	}
	rows[0] = facet->rows[self];
	for (uint32_t i = 0; i < facet->count; i++) {
		if (i != self && (facet->rows[self].ancestors >> i & 1)) {
			place[i] = (uint8_t)count;
			rows[count++] = facet->rows[i];
		}
	}
	/* Ancestor bits name rows of the old list: renumber those that were kept. */
	for (uint32_t i = 0; i < count; i++) {
		uint16_t old = rows[i].ancestors, renumbered = 0;

		for (uint32_t j = 0; j < facet->count; j++) {
			if ((old >> j & 1) && place[j])
				renumbered |= (uint16_t)(1u << place[j]);
		}
		rows[i].ancestors = renumbered;
	}
	narrowed = facet_intern(rows, count);
	*status = narrowed ? STATUS_OK : STATUS_OVERLOADED;
	return narrowed;
}

void facet_get(struct facet *facet)
{
	__atomic_fetch_add(&facet->references, 1, __ATOMIC_RELAXED);
}

void facet_put(struct facet *facet)
{
	struct facet **link;

	/* The last reference is dropped under the lock, so that intern never finds a dying facet. */
	for (uint32_t seen = __atomic_load_n(&facet->references, __ATOMIC_RELAXED); seen > 1;) {
		if (__atomic_compare_exchange_n(&facet->references, &seen, seen - 1, false, __ATOMIC_RELEASE,
				__ATOMIC_RELAXED))
			return;
	}
	spin_lock(&facet_lock);
	if (__atomic_sub_fetch(&facet->references, 1, __ATOMIC_ACQ_REL) == 0) {
		link = &buckets[rows_bucket(facet->rows, facet->count)];
		while (*link != facet)
			link = &(*link)->next;
		*link = facet->next;
		heap_free(facet, facet_bytes(facet->count));
	}
	spin_unlock(&facet_lock);
}
