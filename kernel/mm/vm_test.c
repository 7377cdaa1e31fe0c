/*
 * Tests of address spaces and memory objects: random operations against a model that is an array of
 * pages and the contents of each object, each refusal with its reason, and the n-th allocation
 * failing for every n.
 */
#include "kernel/mm/vm_test_machine.h"

/* --- Random operations ----------------------------------------------------------------------- */

static uint64_t last_value; /* that was written to a page */

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)rand() % limit;
}

static enum access random_access(void)
{
	return (enum access)random_below(4);
}

struct range {
	uint32_t start; /* page number */
	uint32_t pages;
};

static struct range random_range(void)
{
	uint32_t window = random_below(2) * WINDOW_PAGES;
	uint32_t start = random_below(WINDOW_PAGES - 24);

	return (struct range){ window + start, 1 + random_below(24) };
}

/* The start of the range, or 0 with the range moved to what the kernel should choose. */
static uint64_t random_place(struct range *range)
{
	uint32_t room = model_room(range->pages);

	if (room == PAGES || random_below(2))
		return page_address(range->start);
	range->start = room;
	return 0;
}

static bool ok(status_t status, bool expected)
{
	/* Memory may be short when the test makes it so; refusals then are allowed and change
	 * nothing. */
	if (expected && status == STATUS_OVERLOADED)
		return false;
	assert_int_equal(status, expected ? STATUS_OK : STATUS_INVALID_ARGUMENT);
	return expected;
}

static void random_reserve(void)
{
	struct range range = random_range();
	uint64_t address = random_place(&range);
	uint64_t detail;
	bool room = model_all(range.start, range.pages, PAGE_FREE);

	if (!ok(vm_reserve(vm, range.pages * (uint64_t)PAGE_SIZE, &address, &detail), room))
		return;
	assert_int_equal(address, page_address(range.start));
	model_set(range.start, range.pages, (struct page){ .kind = PAGE_RESERVED });
}

static void random_commit(void)
{
	struct range range = random_range();
	enum access access = random_access();
	uint64_t detail;

	if (ok(vm_commit(vm, page_address(range.start), range.pages * (uint64_t)PAGE_SIZE, access,
			       &detail),
			    model_all(range.start, range.pages, PAGE_RESERVED)))
		model_set(range.start, range.pages,
				(struct page){ .kind = PAGE_COMMITTED, .access = access });
}

static bool model_protectable(struct range range, enum access access)
{
	for (uint32_t i = range.start; i < range.start + range.pages; i++) {
		if (model[i].kind != PAGE_COMMITTED && model[i].kind != PAGE_MAPPED)
			return false;
		if (model[i].kind == PAGE_MAPPED && access == ACCESS_READ_WRITE &&
				(!model[i].writable || sealed[model[i].object]))
			return false;
	}
	return true;
}

static void random_protect(void)
{
	struct range range = random_range();
	enum access access = random_access();
	uint64_t detail;

	range.pages = 1 + random_below(6);
	if (!ok(vm_protect(vm, page_address(range.start), range.pages * (uint64_t)PAGE_SIZE, access,
				&detail),
			    model_protectable(range, access)))
		return;
	for (uint32_t i = range.start; i < range.start + range.pages; i++)
		model[i].access = access;
}

/* The number of an object that there is. */
static uint32_t random_object(void)
{
	uint32_t object = random_below(OBJECTS);

	while (!objects[object])
		object = (object + 1) % OBJECTS;
	return object;
}

/* The number of a grant, or GRANTS for none. Now and then there is a new one. */
static uint32_t random_grant(void)
{
	uint32_t grant = random_below(GRANTS), parent = random_below(GRANTS);

	if (random_below(4) == 0)
		return GRANTS;
	if (!grants[grant])
		grants[grant] = grant_new(grants[parent], 1 + random_below(HOLDERS));
	return grant;
}

static bool grant_is_below(uint32_t grant, const struct grant *above)
{
	const struct grant *at = grant < GRANTS ? grants[grant] : NULL;

	while (at && at != above)
		at = at->parent;
	return at != NULL;
}

/* A grant is revoked, or what is derived from it: the mappings that hang off it are gone, others stay. */
static void random_revoke(void)
{
	uint32_t grant = random_below(GRANTS);
	bool derived = random_below(2);

	if (!grants[grant])
		return;
	for (uint32_t i = 0; i < PAGES; i++) {
		bool own = model[i].grant == grant && derived &&
				model[i].holder == grants[grant]->table->process_id;

		if (model[i].kind == PAGE_MAPPED && grant_is_below(model[i].grant, grants[grant]) &&
				!own)
			model[i] = (struct page){ .kind = PAGE_FREE };
	}
	spin_lock(&grant_lock);
	(void)(derived ? grant_revoke_derived_locked(grants[grant])
		       : grant_revoke_locked(grants[grant]));
	spin_unlock(&grant_lock);
	vm_end_revoked();
}

/* A grant goes: what hung off it hangs off its parent. Revoked ones go sooner. */
static void random_grant_end(void)
{
	uint32_t grant = random_below(GRANTS), parent = 0;

	if (!grants[grant])
		return;
	while (parent < GRANTS && (!grants[parent] || grants[parent] != grants[grant]->parent))
		parent++;
	for (uint32_t i = 0; i < PAGES; i++) {
		if (model[i].kind == PAGE_MAPPED && model[i].grant == grant)
			model[i].grant = parent;
	}
	spin_lock(&grant_lock);
	grant_unuse_locked(grants[grant]);
	spin_unlock(&grant_lock);
	grants[grant] = NULL;
}

static void random_map(void)
{
	struct range range = random_range();
	enum access access = random_access();
	uint32_t object = random_object();
	uint32_t index = random_below(OBJECT_PAGES + 1);
	bool writable = random_below(2);
	uint32_t grant = random_grant();
	uint64_t address;
	uint64_t detail;
	bool expected;

	range.pages = 1 + random_below(OBJECT_PAGES);
	address = random_place(&range);
	expected = index + range.pages <= OBJECT_PAGES &&
			((writable && !sealed[object]) || access != ACCESS_READ_WRITE) &&
			model_all(range.start, range.pages, PAGE_FREE);
	if (grant < GRANTS && grants[grant]->revoked) {
		assert_int_not_equal(vm_map(vm, objects[object], grants[grant], writable,
						     index * (uint64_t)PAGE_SIZE,
						     range.pages * (uint64_t)PAGE_SIZE, &address,
						     access, &detail),
				STATUS_OK);
		return;
	}
	if (!ok(vm_map(vm, objects[object], grant < GRANTS ? grants[grant] : NULL, writable, index * (uint64_t)PAGE_SIZE,
				range.pages * (uint64_t)PAGE_SIZE, &address, access, &detail),
			    expected))
		return;
	assert_int_equal(address, page_address(range.start));
	model_set(range.start, range.pages,
			(struct page){ PAGE_MAPPED, access, object, index, writable, grant,
					grant < GRANTS ? grants[grant]->table->process_id : 0 });
}

static void random_unmap(void)
{
	struct range range = random_range();
	bool fixed = false;
	uint64_t detail;

	for (uint32_t i = range.start; i < range.start + range.pages; i++)
		fixed |= model[i].kind == PAGE_FIXED;
	if (ok(vm_unmap(vm, page_address(range.start), range.pages * (uint64_t)PAGE_SIZE, &detail),
			    !fixed))
		model_set(range.start, range.pages, (struct page){ .kind = PAGE_FREE });
}

/* A program writes to a page: it faults if the tables do not allow it. */
static void random_store(void)
{
	uint32_t page = random_below(PAGES);
	bool allowed = model[page].kind == PAGE_MAPPED && model[page].access == ACCESS_READ_WRITE;
	uint64_t *words;

	if (model[page].kind != PAGE_MAPPED)
		return;
	if (leaves[page].access != ACCESS_READ_WRITE)
		assert_int_equal(vm_fault(vm, page_address(page), ACCESS_READ_WRITE, NULL),
				allowed ? VM_FAULT_RESOLVED : VM_FAULT_CRASH);
	assert_int_equal(leaves[page].access == ACCESS_READ_WRITE, allowed);
	if (!allowed)
		return;
	words = arch_direct(leaves[page].physical);
	words[0] = ++last_value;
	contents[model[page].object][model[page].index] = last_value;
}

/* The first touch of a committed page brings zeroes; nothing is there before it. */
static void random_touch(void)
{
	uint32_t page = random_below(PAGES);
	const uint64_t *words;

	if (model[page].kind != PAGE_COMMITTED || leaves[page].mapped)
		return;
	assert_int_equal(vm_fault(vm, page_address(page), ACCESS_READ, NULL),
			model[page].access == ACCESS_NONE ? VM_FAULT_CRASH : VM_FAULT_RESOLVED);
	assert_int_equal(leaves[page].mapped, model[page].access != ACCESS_NONE);
	if (!leaves[page].mapped)
		return;
	assert_int_equal(leaves[page].access, model[page].access);
	words = arch_direct(leaves[page].physical);
	for (uint32_t i = 0; i < PAGE_SIZE / 8; i++)
		assert_int_equal(words[i], 0);
}

static void random_write(void)
{
	uint32_t object = random_object();
	uint32_t index = random_below(OBJECT_PAGES);
	uint64_t value = ++last_value;
	uint64_t detail;

	if (ok(memory_object_write(objects[object], index * (uint64_t)PAGE_SIZE, &value,
			       sizeof(value), &detail),
			    !sealed[object]))
		contents[object][index] = value;
}

/* A new object in a free place: a clone, or an empty one. */
static void random_create(void)
{
	uint32_t object = random_object();
	uint32_t made = random_below(OBJECTS);
	bool clone = random_below(4) != 0;
	uint64_t detail;

	if (objects[made])
		return;
	if (!ok(clone ? memory_object_clone(objects[object], ledger, &objects[made], &detail)
		      : memory_object_create(ledger, OBJECT_PAGES * PAGE_SIZE, &objects[made],
					&detail),
			    true))
		return;
	sealed[made] = false;
	memset(contents[made], 0, sizeof(contents[made]));
	if (clone)
		memcpy(contents[made], contents[object], sizeof(contents[made]));
}

static uint32_t model_pages_of(uint32_t object, bool writable_only)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PAGES; i++)
		count += model[i].kind == PAGE_MAPPED && model[i].object == object &&
				(!writable_only || model[i].access == ACCESS_READ_WRITE);
	return count;
}

static void random_drop(void)
{
	uint32_t object = random_object();

	if (live_objects() == 1 || model_pages_of(object, false) > 0)
		return;
	object_put(&objects[object]->object);
	objects[object] = NULL;
}

static void random_seal(void)
{
	uint32_t object = random_object();
	uint64_t writable_pages;
	bool now;

	if (live_objects() < OBJECTS / 2)
		return;
	now = memory_object_seal(objects[object], &writable_pages);
	assert_int_equal(writable_pages, model_pages_of(object, true));
	assert_int_equal(now, writable_pages == 0);
	sealed[object] = now;
}

static void random_object_operation(void)
{
	switch (random_below(10)) {
	case 0:
		random_seal();
		break;
	case 1:
		random_drop();
		break;
	case 2:
	case 3:
		random_create();
		break;
	case 4:
	case 5:
		random_write();
		break;
	default:
		random_store();
		break;
	}
}

static void random_operation(void)
{
	/* Half of what is committed is touched at some time. */
	for (uint32_t i = random_below(12); i > 0; i--)
		random_touch();
	switch (random_below(11)) {
	case 0:
		random_reserve();
		break;
	case 1:
	case 2:
		random_commit();
		break;
	case 3:
		random_protect();
		break;
	case 4:
		random_map();
		break;
	case 5:
		if (random_below(2))
			random_grant_end();
		else
			random_revoke();
		break;
	case 6:
	case 7:
	case 8:
		random_object_operation();
		break;
	default:
		random_unmap();
		break;
	}
}

static void random_operations_agree_with_the_model(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 4; seed++) {
		srand(seed);
		for (int step = 0; step < 2500; step++) {
			random_operation();
			assert_model();
		}
	}
}

/* Allocations fail now and then: a refused operation leaves the address space as it was. */
static void random_operations_survive_failing_allocations(void **state)
{
	(void)state;
	srand(99);
	for (int step = 0; step < 8000; step++) {
		fail_in = random_below(3) == 0 ? 1 + random_below(30) : 0;
		random_operation();
		assert_model();
	}
}

/* Each operation with its first, second, ... allocation failing until none is left to fail. */
static void every_allocation_may_fail(void **state)
{
	uint64_t address;
	uint64_t detail;
	status_t status;

	(void)state;
	for (int operation = 0; operation < 7; operation++) {
		for (uint64_t n = 1;; n++) {
			uint64_t at = page_address(4);

			address = operation == 0 ? page_address(0) : 0;
			fail_in = n;
			switch (operation) {
			case 0:
				status = vm_reserve(vm, 16 * PAGE_SIZE, &address, &detail);
				break;
			case 1:
				status = vm_commit(vm, at, 8 * PAGE_SIZE, ACCESS_READ, &detail);
				break;
			case 2:
				status = vm_protect(vm, at + PAGE_SIZE, PAGE_SIZE,
						ACCESS_READ_WRITE, &detail);
				break;
			case 3:
				status = vm_map(vm, objects[0], NULL, true, 0, 4 * PAGE_SIZE, &address,
						ACCESS_READ, &detail);
				break;
			case 4:
				status = vm_map_fixed(vm, 0, 4 * PAGE_SIZE, &address, &detail);
				break;
			case 5:
				status = vm_unmap(vm, at + 3 * PAGE_SIZE, PAGE_SIZE, &detail);
				break;
			default:
				status = memory_object_clone(
						objects[0], ledger, &objects[3], &detail);
				break;
			}
			if (status == STATUS_OK)
				break;
			assert_int_equal(status, STATUS_OVERLOADED);
			assert_int_equal(detail & 0xff, REASON_KERNEL_MEMORY);
			assert_model();
		}
		fail_in = 0;
		for (uint32_t i = 0; i < PAGES; i++)
			model[i] = page_now(i);
		assert_model();
	}
}

/* --- Refusals -------------------------------------------------------------------------------- */

static void ranges_outside_user_space_are_refused(void **state)
{
	static const struct {
		uint64_t address, bytes;
	} bad[] = {
		{ 0, PAGE_SIZE },
		{ USER_BASE - PAGE_SIZE, PAGE_SIZE },
		{ USER_BASE + 1, PAGE_SIZE },
		{ USER_BASE, 0 },
		{ USER_BASE, PAGE_SIZE + 1 },
		{ USER_END, PAGE_SIZE },
		{ USER_END - PAGE_SIZE, 2 * PAGE_SIZE },
		{ USER_BASE, UINT64_MAX - PAGE_SIZE + 1 },
		{ UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE },
		{ UINT64_MAX - PAGE_SIZE + 1, UINT64_MAX - PAGE_SIZE + 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t address = bad[i].address;
		uint64_t bytes = bad[i].bytes;
		uint64_t detail;

		if (address != 0)
			assert_refused(vm_reserve(vm, bytes, &address, &detail), detail,
					REASON_ARGUMENT);
		assert_refused(vm_commit(vm, address, bytes, ACCESS_READ, &detail), detail,
				REASON_ARGUMENT);
		assert_refused(vm_protect(vm, address, bytes, ACCESS_READ, &detail), detail,
				REASON_ARGUMENT);
		assert_refused(vm_unmap(vm, address, bytes, &detail), detail, REASON_ARGUMENT);
	}
}

static void a_call_is_bounded(void **state)
{
	uint64_t bytes = (VM_CALL_PAGES_MAX + 1ul) * PAGE_SIZE;
	uint64_t address = 0x200000000;
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_reserve(vm, 1ul << 36, &address, &detail), STATUS_OK);
	assert_int_equal(vm_commit(vm, address, bytes, ACCESS_READ, &detail),
			STATUS_INVALID_ARGUMENT);
	assert_int_equal(detail, reason_detail(REASON_ARGUMENT, 1, 0, VM_CALL_PAGES_MAX));
	assert_int_equal(vm_protect(vm, address, bytes, ACCESS_READ, &detail),
			STATUS_INVALID_ARGUMENT);
	assert_int_equal(vm_unmap(vm, address, 1ul << 36, &detail), STATUS_OK);
	assert_int_equal(vm->reserved_pages, 0);
	address = 0;
	assert_int_equal(vm_reserve(vm, USER_END, &address, &detail), STATUS_INVALID_ARGUMENT);
}

static void fixed_regions_stay(void **state)
{
	uint64_t address;
	uint64_t other;
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_map_fixed(vm, 0, 2 * PAGE_SIZE, &address, &detail), STATUS_OK);
	model_set(page_of(address), 2,
			(struct page){ .kind = PAGE_FIXED, .access = ACCESS_READ_WRITE });
	assert_model();
	assert_refused(vm_unmap(vm, address, PAGE_SIZE, &detail), detail, REASON_OVERLAP);
	assert_refused(vm_unmap(vm, address - PAGE_SIZE, 8 * PAGE_SIZE, &detail), detail,
			REASON_OVERLAP);
	assert_refused(vm_protect(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_OVERLAP);
	assert_refused(vm_commit(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_OVERLAP);
	other = address + PAGE_SIZE;
	assert_refused(vm_reserve(vm, PAGE_SIZE, &other, &detail), detail, REASON_OVERLAP);
	assert_refused(vm_map(vm, objects[0], NULL, true, 0, PAGE_SIZE, &other, ACCESS_READ, &detail),
			detail, REASON_OVERLAP);
}

static void refusals_name_their_reason(void **state)
{
	uint64_t address = page_address(0);
	uint64_t detail;

	(void)state;
	assert_refused(vm_commit(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_STATE);
	assert_refused(vm_protect(vm, address, PAGE_SIZE, ACCESS_READ, &detail), detail,
			REASON_STATE);
	assert_refused(vm_commit(vm, address, PAGE_SIZE, (enum access)4, &detail), detail,
			REASON_ARGUMENT);
	assert_refused(vm_map(vm, objects[0], NULL, false, 0, PAGE_SIZE, &address, ACCESS_READ_WRITE,
				       &detail),
			detail, REASON_WRONG_TYPE);
	assert_refused(vm_map(vm, objects[0], NULL, true, 1, PAGE_SIZE, &address, ACCESS_READ, &detail),
			detail, REASON_ARGUMENT);
	assert_refused(vm_map(vm, objects[0], NULL, true, UINT64_MAX - PAGE_SIZE + 1, 2 * PAGE_SIZE,
				       &address, ACCESS_READ, &detail),
			detail, REASON_ARGUMENT);
	assert_refused(vm_map(vm, objects[0], NULL, true, 0, 9 * PAGE_SIZE, &address, ACCESS_READ,
				       &detail),
			detail, REASON_ARGUMENT);
	assert_int_equal(
			vm_map(vm, objects[0], NULL, false, 0, PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_OK);
	model_set(0, 1, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 0, false, GRANTS, 0 });
	assert_refused(vm_protect(vm, address, PAGE_SIZE, ACCESS_READ_WRITE, &detail), detail,
			REASON_WRONG_TYPE);
}

static void a_full_ledger_refuses_and_keeps_nothing(void **state)
{
	uint64_t address = page_address(0);
	uint64_t other = page_address(64);
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_reserve(vm, 16 * PAGE_SIZE, &address, &detail), STATUS_OK);
	model_set(0, 16, (struct page){ .kind = PAGE_RESERVED });
	ledger->limit[RESOURCE_CLASS_FRAMES] = ledger->used[RESOURCE_CLASS_FRAMES] + 4;
	assert_int_equal(vm_commit(vm, address, 5 * PAGE_SIZE, ACCESS_READ, &detail),
			STATUS_OVERLOADED);
	assert_int_equal(detail & 0xffff, REASON_LEDGER | RESOURCE_CLASS_FRAMES << 8);
	assert_model();
	ledger->limit[RESOURCE_CLASS_FRAMES] = 3000;
	ledger->limit[RESOURCE_CLASS_OBJECTS] = ledger->used[RESOURCE_CLASS_OBJECTS];
	assert_int_equal(vm_reserve(vm, PAGE_SIZE, &other, &detail), STATUS_OVERLOADED);
	assert_int_equal(detail & 0xffff, REASON_LEDGER | RESOURCE_CLASS_OBJECTS << 8);
	assert_int_equal(other, page_address(64));
	assert_model();
	/* Ending a whole reservation needs nothing. */
	assert_int_equal(vm_unmap(vm, address, 16 * PAGE_SIZE, &detail), STATUS_OK);
	model_set(0, 16, (struct page){ .kind = PAGE_FREE });
	assert_model();
	ledger->limit[RESOURCE_CLASS_OBJECTS] = 3000;
}

/* --- The rest -------------------------------------------------------------------------------- */

static void a_mapping_keeps_its_object(void **state)
{
	struct memory_object *object;
	uint64_t address = 0;
	uint64_t detail;
	char text[8];

	(void)state;
	assert_int_equal(memory_object_create(ledger, 2 * PAGE_SIZE, &object, &detail), STATUS_OK);
	assert_int_equal(memory_object_write(object, PAGE_SIZE - 3, "capOS!", 7, &detail),
			STATUS_OK);
	assert_int_equal(
			vm_map(vm, object, NULL, false, 0, 2 * PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(vm_unmap(vm, address, PAGE_SIZE, &detail), STATUS_OK);
	object_put(&object->object);
	assert_int_equal(peek(address + PAGE_SIZE, text, 4), 4);
	assert_memory_equal(text, "OS!", 4);
	assert_int_equal(peek(address, text, 4), 0);
	assert_int_equal(peek(address + 2 * PAGE_SIZE - 2, text, 8), 2);
	assert_int_equal(used(RESOURCE_CLASS_FRAMES), live_objects() * OBJECT_PAGES + 2);
	assert_int_equal(vm_unmap(vm, address, 2 * PAGE_SIZE, &detail), STATUS_OK);
	assert_int_equal(used(RESOURCE_CLASS_FRAMES), live_objects() * OBJECT_PAGES);
	assert_model();
}

/* Neighbours that show consecutive pages, but only one of which may become writable. */
static void a_view_beside_its_object_stays_read_only(void **state)
{
	uint64_t low = page_address(0);
	uint64_t high = page_address(1);
	uint64_t detail;

	(void)state;
	assert_int_equal(vm_map(vm, objects[0], NULL, true, 0, PAGE_SIZE, &low, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(vm_map(vm, objects[0], NULL, false, PAGE_SIZE, PAGE_SIZE, &high, ACCESS_READ,
					 &detail),
			STATUS_OK);
	model_set(0, 1, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 0, true, GRANTS, 0 });
	model_set(1, 1, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 1, false, GRANTS, 0 });
	assert_model();
	assert_refused(vm_protect(vm, low, 2 * PAGE_SIZE, ACCESS_READ_WRITE, &detail), detail,
			REASON_WRONG_TYPE);
}

/* What one call mapped is one region again when its pieces are alike; two calls are never one. */
static void mappings_stay_apart(void **state)
{
	uint64_t address = page_address(0), next = page_address(4), objects_used, detail;

	(void)state;
	assert_int_equal(vm_map(vm, objects[0], NULL, true, 0, 4 * PAGE_SIZE, &address, ACCESS_READ,
					 &detail),
			STATUS_OK);
	objects_used = used(RESOURCE_CLASS_OBJECTS);
	assert_int_equal(vm_protect(vm, address + PAGE_SIZE, PAGE_SIZE, ACCESS_NONE, &detail),
			STATUS_OK);
	assert_int_equal(used(RESOURCE_CLASS_OBJECTS), objects_used + 2);
	assert_int_equal(vm_protect(vm, address + PAGE_SIZE, PAGE_SIZE, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(used(RESOURCE_CLASS_OBJECTS), objects_used);
	assert_int_equal(vm_map(vm, objects[0], NULL, true, 4 * PAGE_SIZE, 4 * PAGE_SIZE, &next,
					 ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(used(RESOURCE_CLASS_OBJECTS), objects_used + 1);
	model_set(0, 8, (struct page){ PAGE_MAPPED, ACCESS_READ, 0, 0, true, GRANTS, 0 });
	assert_model();
}

/* Revoking what was derived spares the holder's own mappings, whoever else's hang beside them by now. */
static void revocation_ends_mappings(void **state)
{
	uint64_t mine = page_address(0), theirs = page_address(8), detail;

	(void)state;
	grants[0] = grant_new(NULL, 1);
	grants[1] = grant_new(grants[0], 2);
	assert_int_equal(vm_map(vm, objects[0], grants[0], true, 0, 2 * PAGE_SIZE, &mine,
					 ACCESS_READ_WRITE, &detail),
			STATUS_OK);
	assert_int_equal(vm_map(vm, objects[0], grants[1], true, 0, 4 * PAGE_SIZE, &theirs,
					 ACCESS_READ_WRITE, &detail),
			STATUS_OK);
	assert_int_equal(vm_protect(vm, theirs + PAGE_SIZE, PAGE_SIZE, ACCESS_READ, &detail),
			STATUS_OK);
	spin_lock(&grant_lock);
	grant_unuse_locked(grants[1]);
	grants[1] = NULL;
	assert_int_equal(grant_revoke_derived_locked(grants[0]), 0);
	spin_unlock(&grant_lock);
	vm_end_revoked();
	model_set(0, 2, (struct page){ PAGE_MAPPED, ACCESS_READ_WRITE, 0, 0, true, 0, 1 });
	assert_model();
	assert_int_equal(objects[0]->writable_pages, 2);
	spin_lock(&grant_lock);
	assert_int_equal(grant_revoke_locked(grants[0]), 1);
	spin_unlock(&grant_lock);
	vm_end_revoked();
	model_set(0, 2, (struct page){ .kind = PAGE_FREE });
	assert_model();
	assert_int_equal(vm_map(vm, objects[0], grants[0], true, 0, PAGE_SIZE, &mine,
					 ACCESS_READ_WRITE, &detail),
			STATUS_DISCONNECTED);
	assert_int_equal(detail & 0xff, REASON_REVOKED);
	assert_int_equal(objects[0]->writable_pages, 0);
	assert_model();
}

static void committed_memory_is_zero(void **state)
{
	uint64_t address = page_address(0);
	static const uint8_t zeros[PAGE_SIZE];
	uint8_t page[PAGE_SIZE];
	uint64_t detail;

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(vm_reserve(vm, 4 * PAGE_SIZE, &address, &detail), STATUS_OK);
		assert_int_equal(vm_commit(vm, address, 4 * PAGE_SIZE, ACCESS_READ_WRITE, &detail),
				STATUS_OK);
		for (uint64_t i = 0; i < 4; i++) {
			assert_int_equal(vm_fault(vm, address + i * PAGE_SIZE + 8 * i, ACCESS_READ_WRITE, NULL),
					VM_FAULT_RESOLVED);
			assert_int_equal(peek(address + i * PAGE_SIZE, page, PAGE_SIZE),
					PAGE_SIZE);
			assert_memory_equal(page, zeros, PAGE_SIZE);
		}
		assert_int_equal(vm_unmap(vm, address, 4 * PAGE_SIZE, &detail), STATUS_OK);
	}
}

/* What was promised is there when all other memory is gone. */
static void a_committed_page_is_there_when_memory_is_not(void **state)
{
	uint64_t address = page_address(0), live = frames_live, detail;

	(void)state;
	assert_int_equal(vm_reserve(vm, 4 * PAGE_SIZE, &address, &detail), STATUS_OK);
	assert_int_equal(vm_commit(vm, address, 4 * PAGE_SIZE, ACCESS_READ_WRITE, &detail), STATUS_OK);
	assert_int_equal(frames_live, live);
	assert_int_equal(frames_promised, 4);
	fail_in = 1;
	assert_int_equal(vm_fault(vm, address + PAGE_SIZE, ACCESS_READ_WRITE, NULL), VM_FAULT_RESOLVED);
	assert_int_equal(fail_in, 1);
	fail_in = 0;
	assert_int_equal(frames_live, live + 1);
	assert_int_equal(frames_promised, 3);
	/* Nothing is missing there any more: another thread that faulted at the same time only goes on. */
	assert_int_equal(vm_fault(vm, address + PAGE_SIZE, ACCESS_READ_WRITE, NULL), VM_FAULT_RESOLVED);
	assert_int_equal(frames_live, live + 1);
	/* An access that is not allowed takes nothing. */
	assert_int_equal(vm_fault(vm, address, ACCESS_READ_EXECUTE, NULL), VM_FAULT_CRASH);
	assert_int_equal(vm_unmap(vm, address, 2 * PAGE_SIZE, &detail), STATUS_OK);
	assert_int_equal(frames_live, live);
	assert_int_equal(frames_promised, 2);
	vm_check(vm);
}

static void faults_are_crashes(void **state)
{
	uint64_t address = page_address(0);
	uint64_t detail;

	(void)state;
	assert_int_equal(
			vm_map(vm, objects[0], NULL, false, 0, PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_OK);
	assert_int_equal(vm_fault(vm, address, ACCESS_READ_WRITE, NULL), VM_FAULT_CRASH);
	assert_int_equal(vm_fault(vm, address + PAGE_SIZE, ACCESS_READ, NULL), VM_FAULT_CRASH);
	assert_int_equal(vm_fault(vm, UINT64_MAX, ACCESS_READ, NULL), VM_FAULT_CRASH);
}

static void an_ended_space_refuses_everything(void **state)
{
	uint64_t address = 0;
	uint64_t detail;

	(void)state;
	assert_false(!vm_teardown(vm, 0));
	assert_int_equal(vm_reserve(vm, PAGE_SIZE, &address, &detail), STATUS_DISCONNECTED);
	assert_int_equal(
			vm_map(vm, objects[0], NULL, false, 0, PAGE_SIZE, &address, ACCESS_READ, &detail),
			STATUS_DISCONNECTED);
	assert_int_equal(vm_unmap(vm, WINDOW_LOW, PAGE_SIZE, &detail), STATUS_DISCONNECTED);
	assert_int_equal(vm_map_fixed(vm, 0, PAGE_SIZE, &address, &detail), STATUS_DISCONNECTED);
}

/* Ten thousand regions: the tree stays balanced, and finding room stays exact. */
static void many_regions_stay_fast(void **state)
{
	uint64_t base = 0x200000000;
	uint64_t detail;

	(void)state;
	ledger->limit[RESOURCE_CLASS_OBJECTS] = 20000;
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t address = base + (i * 7919 % 10000) * 4 * PAGE_SIZE;

		assert_int_equal(vm_reserve(vm, 2 * PAGE_SIZE, &address, &detail), STATUS_OK);
	}
	vm_check(vm);
	assert_true(vm->regions->height < 20);
	for (uint64_t i = 0; i < 10000; i += 2) {
		assert_int_equal(vm_unmap(vm, base + (i * 7919 % 10000) * 4 * PAGE_SIZE,
						 4 * PAGE_SIZE, &detail),
				STATUS_OK);
	}
	vm_check(vm);
	assert_int_equal(vm->reserved_pages, 10000);
	for (uint64_t i = 0; i < 10000; i += 1000) {
		assert_int_equal(vm_unmap(vm, base + i * 4 * PAGE_SIZE, 1000 * 4 * PAGE_SIZE,
						 &detail),
				STATUS_OK);
	}
	ledger->limit[RESOURCE_CLASS_OBJECTS] = 3000;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_SPACE(random_operations_agree_with_the_model),
		TEST_IN_SPACE(random_operations_survive_failing_allocations),
		TEST_IN_SPACE(every_allocation_may_fail),
		TEST_IN_SPACE(ranges_outside_user_space_are_refused),
		TEST_IN_SPACE(a_call_is_bounded),
		TEST_IN_SPACE(fixed_regions_stay),
		TEST_IN_SPACE(refusals_name_their_reason),
		TEST_IN_SPACE(a_full_ledger_refuses_and_keeps_nothing),
		TEST_IN_SPACE(a_mapping_keeps_its_object),
		TEST_IN_SPACE(a_view_beside_its_object_stays_read_only),
		TEST_IN_SPACE(mappings_stay_apart),
		TEST_IN_SPACE(revocation_ends_mappings),
		TEST_IN_SPACE(committed_memory_is_zero),
		TEST_IN_SPACE(a_committed_page_is_there_when_memory_is_not),
		TEST_IN_SPACE(faults_are_crashes),
		TEST_IN_SPACE(an_ended_space_refuses_everything),
		TEST_IN_SPACE(many_regions_stay_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
