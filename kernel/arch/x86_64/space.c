/*
 * User address spaces. The upper half of every top table is the kernel's and equal in all; the
 * lower half has 4 KiB leaves only. Tables are frames charged to the space's ledger and stay
 * until the space is destroyed.
 * The table of leaves that was used last is remembered: since tables stay, it is always right.
 * Always true: no leaf is both writable and executable; a leaf with access none is not present
 * and keeps its page inverted, so that no processor speculates on the address (as L1TF would).
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/page_table.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/object/ledger.h"
#include "kernel/sched/cpu.h"

static status_t table_create(struct arch_space *space, uint64_t *physical)
{
	uint64_t detail;
	status_t st = ledger_charge(space->ledger, RESOURCE_CLASS_FRAMES, 1, &detail);

	if (st != STATUS_OK)
		return st;
	*physical = frame_alloc_zeroed(0);
	if (*physical == FRAME_NONE) {
		ledger_refund(space->ledger, RESOURCE_CLASS_FRAMES, 1);
		return STATUS_OVERLOADED;
	}
	frame_link_set(*physical, space->table_pages ? space->tables : FRAME_NONE);
	space->tables = *physical;
	space->table_pages++;
	return STATUS_OK;
}

status_t arch_space_create(struct arch_space *space, struct ledger *ledger)
{
	const uint64_t *kernel = arch_direct(kernel_root);
	uint64_t *top;
	status_t st;

	*space = (struct arch_space){ .ledger = ledger };
	st = table_create(space, &space->root);
	if (st != STATUS_OK) {
		space->root = 0;
		return st;
	}
	top = arch_direct(space->root);
	memcpy(top + USER_ENTRIES, kernel + USER_ENTRIES,
			(TABLE_ENTRIES - USER_ENTRIES) * sizeof(*top));
	return STATUS_OK;
}

/* Others see that the space is left when it is. */
void space_unload(void)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	cpu->entered = NULL;
	write_cr3(kernel_root);
	STORE_RELEASE(&cpu->root, kernel_root);
}

void arch_space_leave(struct arch_space *space)
{
	if (arch_cpu()->arch.root == space->root)
		space_unload();
	for (uint32_t i = 0; i < processor_count; i++) {
		const struct cpu *cpu = processors[i];

		if (READ_ONCE(cpu->arch.root) != space->root)
			continue;
		/* It waits at the door, perhaps asleep, or idles and comes there. */
		STORE_RELEASE(&processors[i]->arch.must_leave, true);
		arch_processor_interrupt(cpu);
		arch_processor_call(cpu);
		while (READ_ONCE(cpu->arch.root) == space->root)
			arch_relax();
	}
}

void arch_space_yield(void)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	if (likely(!LOAD_ACQUIRE(&cpu->must_leave)))
		return;
	cpu->must_leave = false;
	space_unload();
}

/* From the last one made to the root. What is in them no longer matters, so none is looked at. */
static void tables_destroy(struct arch_space *space)
{
	uint64_t table = space->tables, next;

	for (uint64_t left = space->table_pages; left > 0; left--) {
		next = frame_link(table);
		frame_free(table, 0);
		table = next;
	}
	ASSERT(table == FRAME_NONE);
	ledger_refund(space->ledger, RESOURCE_CLASS_FRAMES, space->table_pages);
}

void arch_space_destroy(struct arch_space *space)
{
	if (space->root == 0)
		return;
	arch_space_leave(space);
	tables_destroy(space);
	space->table_pages = 0;
	space->root = 0;
	space->recent = 0;
}

/* --- Leaves --------------------------------------------------------------------------------- */

static uint64_t leaf_make(uint64_t physical, enum access access, uint64_t kept)
{
	uint64_t leaf = physical | kept | ENTRY_PRESENT | ENTRY_USER | ENTRY_ACCESSED;

	switch (access) {
	case ACCESS_NONE:
		return (~physical & ENTRY_ADDRESS) | kept | ENTRY_HIDDEN;
	case ACCESS_READ:
		return leaf | ENTRY_NO_EXECUTE;
	case ACCESS_READ_WRITE:
		return leaf | ENTRY_NO_EXECUTE | ENTRY_WRITE | ENTRY_DIRTY;
	case ACCESS_READ_EXECUTE:
		return leaf;
	}
	panic("a page cannot be mapped with access %u", access);
}

static uint64_t leaf_physical(uint64_t leaf)
{
	return ((leaf & ENTRY_HIDDEN) != 0 ? ~leaf : leaf) & ENTRY_ADDRESS;
}

static enum access leaf_access(uint64_t leaf)
{
	if ((leaf & ENTRY_HIDDEN) != 0)
		return ACCESS_NONE;
	if ((leaf & ENTRY_WRITE) != 0)
		return ACCESS_READ_WRITE;
	return (leaf & ENTRY_NO_EXECUTE) != 0 ? ACCESS_READ : ACCESS_READ_EXECUTE;
}

/*
 * In one word, since nobody's lock guards it: the table's page number above, and below which 2 MiB it
 * is for, counted from 1, so that zero is no table.
 */
#define RECENT_RANGE_BITS 27
#define RECENT_RANGE_MASK ((1ul << RECENT_RANGE_BITS) - 1)
STATIC_ASSERT((USER_END >> LEVEL_SHIFT(1)) < RECENT_RANGE_MASK);

static uint64_t recent_range(uint64_t address)
{
	return (address >> LEVEL_SHIFT(1)) + 1;
}

/* The leaf's place if its table is the one used last, else NULL. */
static uint64_t *leaf_recent(const struct arch_space *space, uint64_t address)
{
	uint64_t recent = __atomic_load_n(&space->recent, __ATOMIC_RELAXED);
	uint64_t *table = arch_direct(recent >> RECENT_RANGE_BITS << PAGE_SHIFT);

	return likely((recent & RECENT_RANGE_MASK) == recent_range(address))
			? &table[table_index(address, 0)]
			: NULL;
}

static void recent_set(struct arch_space *space, uint64_t address, const uint64_t *table)
{
	uint64_t page = arch_direct_physical(table) >> PAGE_SHIFT;

	__atomic_store_n(&space->recent, page << RECENT_RANGE_BITS | recent_range(address),
			__ATOMIC_RELAXED);
}

/* The leaf's place by the way through all tables, or NULL where one is missing. */
static uint64_t *leaf_walk(const struct arch_space *space, uint64_t address)
{
	uint64_t *table = arch_direct(space->root);

	for (uint32_t level = TABLE_TOP; level > 0; level--) {
		uint64_t entry = table[table_index(address, level)];

		if ((entry & ENTRY_PRESENT) == 0)
			return NULL;
		table = table_of(entry);
	}
	return &table[table_index(address, 0)];
}

/* The same, with tables made where they are missing. */
static status_t leaf_make_way(struct arch_space *space, uint64_t address, uint64_t **leaf)
{
	uint64_t *table = arch_direct(space->root);

	for (uint32_t level = TABLE_TOP; level > 0; level--) {
		uint64_t *entry = &table[table_index(address, level)];

		if ((*entry & ENTRY_PRESENT) == 0) {
			uint64_t physical;
			status_t st = table_create(space, &physical);

			if (st != STATUS_OK)
				return st;
			*entry = physical | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER |
					ENTRY_ACCESSED;
		}
		table = table_of(*entry);
	}
	recent_set(space, address, table);
	*leaf = &table[table_index(address, 0)];
	return STATUS_OK;
}

static bool address_is_user(uint64_t address)
{
	return address >= USER_BASE && address < USER_END;
}

/* The leaf's place, or NULL where a table is missing. */
static inline uint64_t *leaf_find(const struct arch_space *space, uint64_t address)
{
	uint64_t *leaf;

	if (unlikely(!address_is_user(address)))
		return NULL;
	leaf = leaf_recent(space, address);
	return likely(leaf) ? leaf : leaf_walk(space, address);
}

/* The leaf's place, with the tables above it. */
static inline status_t leaf_prepare(struct arch_space *space, uint64_t address, uint64_t **leaf)
{
	if (unlikely(!address_is_user(address)))
		return STATUS_INVALID_ARGUMENT;
	*leaf = leaf_recent(space, address);
	return likely(*leaf) ? STATUS_OK : leaf_make_way(space, address, leaf);
}

/* Another processor that has the space loaded is brought out of user mode, or idles; what it has to
 * drop before it runs a program again is noted for it. */
static void flush_elsewhere(struct cpu *cpu, uint64_t address)
{
	struct arch_cpu *other = &cpu->arch;

	processor_stop(cpu);
	if (other->stale_count < STALE_MAX)
		other->stale[other->stale_count++] = address;
	else
		other->stale_count = STALE_MAX + 1;
}

static void leaf_flush(const struct arch_space *space, uint64_t address)
{
	const struct cpu *here = arch_cpu();

	for (uint32_t i = 0; i < processor_count; i++) {
		struct cpu *cpu = processors[i];

		if (READ_ONCE(cpu->arch.root) != space->root)
			continue;
		if (cpu == here)
			invlpg(address);
		else
			flush_elsewhere(cpu, address);
	}
}

void arch_space_refresh(void)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	cpu->entered = NULL;
	if (unlikely(cpu->stale_count > STALE_MAX))
		write_cr3(cpu->root);
	else
		for (uint32_t i = 0; i < cpu->stale_count; i++)
			invlpg(cpu->stale[i]);
	cpu->stale_count = 0;
}

NO_BUFFER status_t arch_space_map(struct arch_space *space, uint64_t address, uint64_t physical,
		enum access access, enum arch_memory memory)
{
	uint64_t *leaf;
	status_t st = leaf_prepare(space, address, &leaf);

	if (st != STATUS_OK)
		return st;
	ASSERT(*leaf == 0);
	*leaf = leaf_make(physical, access, memory == ARCH_MEMORY_DEVICE ? ENTRY_UNCACHED : 0);
	return STATUS_OK;
}

NO_BUFFER status_t arch_space_prepare(struct arch_space *space, uint64_t address, uint64_t pages)
{
	uint64_t table_bytes = 1ul << LEVEL_SHIFT(1);
	uint64_t end = address + pages * PAGE_SIZE;
	uint64_t *leaf;

	while (address < end) {
		status_t st = leaf_prepare(space, address, &leaf);

		if (st != STATUS_OK)
			return st;
		address = ALIGN_DOWN(address, table_bytes) + table_bytes;
	}
	return STATUS_OK;
}

bool arch_space_unmap(struct arch_space *space, uint64_t address, uint64_t *physical)
{
	uint64_t *leaf = leaf_find(space, address);

	if (leaf == NULL || *leaf == 0)
		return false;
	*physical = leaf_physical(*leaf);
	*leaf = 0;
	leaf_flush(space, address);
	return true;
}

bool arch_space_protect(struct arch_space *space, uint64_t address, enum access access)
{
	uint64_t *leaf = leaf_find(space, address);

	if (leaf == NULL || *leaf == 0)
		return false;
	*leaf = leaf_make(leaf_physical(*leaf), access, *leaf & ENTRY_UNCACHED);
	leaf_flush(space, address);
	return true;
}

bool arch_space_lookup(const struct arch_space *space, uint64_t address, uint64_t *physical,
		enum access *access)
{
	const uint64_t *leaf = leaf_find(space, address);

	if (leaf == NULL || *leaf == 0)
		return false;
	*physical = leaf_physical(*leaf) | (address & (PAGE_SIZE - 1));
	*access = leaf_access(*leaf);
	return true;
}
