/*
 * The machine under the tests of address spaces: page tables, frames and slabs that count, and the
 * model that an address space and its memory objects are held against. The ledger, the objects and
 * the tree of regions are the kernel's own.
 */
#ifndef KERNEL_MM_VM_TEST_MACHINE_H
#define KERNEL_MM_VM_TEST_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cap/cap_table.h"
#include "kernel/cap/grant_tie.h"
#include "kernel/mm/region_tree.h"
#include "kernel/mm/vm.h"
#include "kernel/object/ledger.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/pager.h"

/* Page tables: one array for the two windows of addresses that the tests use. */
#define WINDOW_PAGES 128u
#define WINDOW_LOW   0x41000000ul
#define WINDOW_HIGH  0x100000000ul /* where the kernel chooses addresses */
#define WINDOW_BYTES (WINDOW_PAGES * (uint64_t)PAGE_SIZE)
#define PAGES        (2 * WINDOW_PAGES)

struct leaf {
	bool mapped;
	uint64_t physical;
	enum access access;
};

extern struct leaf leaves[PAGES];
extern uint64_t frames_live;
extern uint64_t frames_aside; /* for those who share one */
extern uint64_t frames_promised;
extern uint64_t fail_in;      /* the allocation that fails, counted down; 0: none */

uint64_t page_address(uint32_t page);
/* PAGES if the address is in no window. */
uint32_t page_of(uint64_t address);
/* Copies what a program would see, through the page tables; the bytes that are there. */
size_t peek(uint64_t address, void *out, size_t bytes);

/* --- The model -------------------------------------------------------------------------------- */

enum page_kind { PAGE_FREE, PAGE_RESERVED, PAGE_COMMITTED, PAGE_MAPPED, PAGE_FIXED };

struct page {
	enum page_kind kind;
	enum access access;
	uint32_t object; /* MAPPED: number of the object and its page */
	uint32_t index;
	bool writable;
	uint32_t grant;  /* MAPPED: number of the grant that can end it; GRANTS: none */
	uint32_t holder; /* MAPPED: who held the grant that was used */
};

#define OBJECTS      6u
#define OBJECT_PAGES 8u
#define GRANTS       8u

extern struct page model[PAGES];
extern struct memory_object *objects[OBJECTS]; /* NULL: there is none of this number */
extern uint64_t contents[OBJECTS][OBJECT_PAGES];
extern bool sealed[OBJECTS];
extern struct grant *grants[GRANTS]; /* NULL: there is none of this number */
extern struct ledger *ledger;
extern struct vm *vm;

/* Which pages of paged memory there are; it has OBJECT_PAGES. */
extern bool pages_there[OBJECT_PAGES];

int space_create(void **state);
/* The end gives everything back. */
int space_end(void **state);
#define TEST_IN_SPACE(name) cmocka_unit_test_setup_teardown(name, space_create, space_end)

/* A grant in the table of process `holder` (1 to HOLDERS). */
struct grant *grant_new(struct grant *parent, uint32_t holder);
#define HOLDERS 2u

uint64_t used(enum resource_class resource);
uint32_t live_objects(void);
/* A page as the address space has it. */
struct page page_now(uint32_t page);
bool model_all(uint32_t start, uint32_t pages, enum page_kind kind);
void model_set(uint32_t start, uint32_t pages, struct page page);
/* First fit from where the kernel chooses; PAGES if there is no room in the window. */
uint32_t model_room(uint32_t pages);

/* The address space is the model's, and what it is charged is what it has. */
void assert_model(void);
void assert_refused(status_t status, uint64_t detail, enum reason reason);

#endif
