/*
 * Address spaces: regions over page tables. A region is reserved (no memory), committed (anonymous
 * frames of its own) or mapped (a window on a memory object). Table pages are made and frames set
 * aside when a region is made, and charged then: the first touch of a committed page takes the frame
 * that was promised, zeroed, and a fault that copies a shared page takes one that was set aside when
 * sharing began. So no fault fails for want of memory. The kernel object behind VirtualMemory.
 */
#ifndef KERNEL_MM_VM_H
#define KERNEL_MM_VM_H

#include "abi/status.h"
#include "capos/kernel.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"
#include "kernel/object/park.h"

struct grant;
struct memory_object;
struct page_miss;
struct vm_region;

/* Pages that one commit, protect or map covers at most (16 MiB), and backed pages that one unmap
 * ends: a longer loop would keep the processor. */
#define VM_CALL_PAGES_MAX 4096

/*  I fixed after creation   v under lock   a atomic  */
struct vm {
	struct object      object;
	struct spinlock    lock;
	struct arch_space  space;
	struct ledger     *ledger;           /* I, counted: pays for frames */
	struct vm_region  *regions;          /* v, tree by address: mm/region_tree.h */
	struct vm_region  *spare;            /* a, kept from the last region that ended, or NULL */
	uint64_t           reserved_pages;   /* v */
	uint64_t           committed_pages;  /* v */
	uint64_t           promised_pages;   /* v, of those committed: not touched yet */
	uint64_t           mapped_pages;     /* v */
	uint64_t           last_mapping;     /* v, the number of the last mapping of an object */
	bool               ended;            /* v, its process is gone: everything is refused */
	struct park_lot    parked;      /* who sleeps for words at its addresses */
};

extern const struct object_type vm_type;   /* object/virtual_memory.c */
void vm_destroy(struct object *object);    /* its destroy */

status_t vm_create(struct ledger *ledger, struct vm **vm,
		uint64_t *detail) MUST_USE;   /* counted reference */

/* All sizes in bytes and page multiples; addresses page aligned, within USER_BASE..USER_END. See
 * VirtualMemory in schema/capos/kernel.capnp. Refusals: INVALID_ARGUMENT, OVERLOADED; nothing
 * changes then. */
status_t vm_reserve(struct vm *vm, uint64_t bytes, uint64_t *address, uint64_t *detail) MUST_USE;
status_t vm_commit(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail) MUST_USE;
/* Backs a range where nothing is: reserving and committing in one. */
status_t vm_commit_new(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail) MUST_USE;
/* Copies into committed memory, whatever access the program has to it. No thread uses the space. */
status_t vm_write(struct vm *vm, uint64_t address, const void *in, uint64_t bytes,
		uint64_t *detail) MUST_USE;
status_t vm_protect(struct vm *vm, uint64_t address, uint64_t bytes, enum access access,
		uint64_t *detail) MUST_USE;
/* The mapping ends when `grant`, by which the caller has the object, is revoked (NULL: never). If it
 * is already: DISCONNECTED. */
status_t vm_map(struct vm *vm, struct memory_object *object, struct grant *grant, bool writable,
		uint64_t offset, uint64_t bytes, uint64_t *address, enum access access,
		uint64_t *detail) MUST_USE;
status_t vm_unmap(struct vm *vm, uint64_t address, uint64_t bytes, uint64_t *detail) MUST_USE;
/* Maps kernel-owned frames (a ring) that no operation can unmap, protect or cover. */
status_t vm_map_fixed(struct vm *vm, uint64_t physical, uint64_t bytes, uint64_t *address,
		uint64_t *detail) MUST_USE;
/* Ends such a mapping, unless the space has been taken apart already. */
void vm_unmap_fixed(struct vm *vm, uint64_t address);

/* Unmaps everything whose grant has been revoked. Whoever has marked grants calls it afterwards,
 * without locks, before the revocation counts as done. */
void vm_end_revoked(void);

/* Puts a page of an object into the page tables of every mapping of it, in place of what it was.
 * The object's lock is held, and no space's is needed. */
void vm_show_page(struct memory_object *object, uint64_t index);

enum vm_fault { VM_FAULT_RESOLVED, VM_FAULT_MISSING, VM_FAULT_CRASH };
/* A page fault in user mode at `address`. MISSING: *miss says which page has to be waited for; its
 * object is counted. */
enum vm_fault vm_fault(struct vm *vm, uint64_t address, enum access wanted, struct page_miss *miss);

/* The word at a user address, a multiple of four, in the direct map, and made if it was not touched yet.
 * INVALID_ARGUMENT: it is not in memory that was committed or mapped from an object with RAM, or may not be read; FAILED
 * (state): its pager has not supplied it. It stays there as long as nothing is mapped otherwise. */
status_t vm_word_find(struct vm *vm, uint64_t address, const uint32_t **word, uint64_t *detail) MUST_USE;

/* Gives back up to `budget` pages of everything mapped; true when nothing is left. Sets `ended`. */
bool vm_teardown(struct vm *vm, uint32_t budget);
void vm_check(struct vm *vm);

#endif
