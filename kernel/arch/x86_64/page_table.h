/*
 * Page-table entries, four levels (Intel SDM vol. 3, 4.5). Level 0 maps 4 KiB pages, level 1 2 MiB,
 * level 2 1 GiB; level 3 is the top. Private to paging.c and space.c.
 */
#ifndef KERNEL_ARCH_X86_64_PAGE_TABLE_H
#define KERNEL_ARCH_X86_64_PAGE_TABLE_H

#include <stdint.h>

#include "arch/arch.h"

#define ENTRY_PRESENT    (1ul << 0)
#define ENTRY_WRITE      (1ul << 1)
#define ENTRY_USER       (1ul << 2)
#define ENTRY_UNCACHED   (3ul << 3)    /* PWT and PCD; the attribute table is as after reset */
#define ENTRY_ACCESSED   (1ul << 5)
#define ENTRY_DIRTY      (1ul << 6)
#define ENTRY_LARGE      (1ul << 7)
#define ENTRY_GLOBAL     (1ul << 8)
#define ENTRY_HIDDEN     (1ul << 9)    /* ours: not present, but a page is kept (access none) */
#define ENTRY_NO_EXECUTE (1ul << 63)
#define ENTRY_ADDRESS    0x000ffffffffff000ul

#define TABLE_ENTRIES 512
#define TABLE_TOP     3
#define USER_ENTRIES  256              /* of the top table */

#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * (level))

static inline uint32_t table_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> LEVEL_SHIFT(level)) % TABLE_ENTRIES;
}

static inline uint64_t *table_of(uint64_t entry)
{
	return arch_direct(entry & ENTRY_ADDRESS);
}

#endif
