/*
 * What the boot loader told, in one form for all doors (PVH, Multiboot2). Filled once by
 * arch/<name>/boot_*.c before the allocators exist; constant afterwards.
 */
#ifndef KERNEL_CORE_BOOT_INFO_H
#define KERNEL_CORE_BOOT_INFO_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_REGIONS_MAX 64
#define BOOT_COMMAND_LINE_MAX 512

struct boot_region {
	uint64_t start;     /* physical, bytes */
	uint64_t end;       /* one past the last */
};

struct boot_info {
	const char        *door;            /* "pvh" or "multiboot2" */
	/* Sorted, page aligned, disjoint; the kernel and the package are already cut out. */
	struct boot_region usable[BOOT_REGIONS_MAX];
	uint32_t           usable_count;
	struct boot_region kernel;
	struct boot_region package;         /* the boot package; empty if there is none */
	uint64_t           rsdp;            /* the ACPI root pointer, physical; 0 unknown */
	uint64_t           low_page;        /* a free page below 1 MiB for starting processors */
	char               command_line[BOOT_COMMAND_LINE_MAX];   /* terminated */
};

/* Whether the command line has this word; words are separated by spaces. */
bool boot_command_line_has(const char *command_line, const char *word);

#endif
