/*
 * The PVH door: reads Xen's hvm_start_info (xen/include/public/arch-x86/hvm/start_info.h),
 * version 1, as QEMU's -kernel and small monitors leave it.
 */
#include "arch/x86_64/internal.h"

#define PVH_MAGIC         0x336ec578
#define PVH_ENTRIES_MAX   1024
#define PVH_MEMORY_USABLE 1

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memory_map;        /* version 1 on */
	uint32_t memory_map_entries;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t address;
	uint64_t bytes;
	uint64_t command_line;
	uint64_t reserved;
};

struct pvh_memory {
	uint64_t start;
	uint64_t bytes;
	uint32_t type;
	uint32_t reserved;
};

/* What the boot tables map can be read. */
static bool pvh_readable(uint64_t address, uint64_t bytes)
{
	uint64_t end = (uint64_t)BOOT_MAPPED_GIB << 30;

	return address != 0 && address < end && bytes <= end - address;
}

const char *boot_from_pvh(uint64_t address, struct boot_info *boot, struct boot_raw *raw)
{
	const struct pvh_start_info *info;
	const struct pvh_memory *memory;

	if (!pvh_readable(address, sizeof(*info)))
		return "The PVH start information is not where it can be read.";
	info = arch_direct(address);
	if (info->magic != PVH_MAGIC || info->version < 1)
		return "The PVH start information has no memory map (version 1).";
	if (info->memory_map_entries > PVH_ENTRIES_MAX ||
			!pvh_readable(info->memory_map, info->memory_map_entries * sizeof(*memory)))
		return "The PVH memory map is not where it can be read.";

	boot->door = "pvh";
	memory = arch_direct(info->memory_map);
	for (uint32_t i = 0; i < info->memory_map_entries; i++) {
		if (memory[i].type == PVH_MEMORY_USABLE)
			boot_raw_add(raw, memory[i].start, memory[i].bytes);
	}
	if (info->module_count > 0 && pvh_readable(info->modules, sizeof(struct pvh_module))) {
		const struct pvh_module *module = arch_direct(info->modules);

		boot->package.start = module->address;
		boot->package.end = module->address + module->bytes;
	}
	if (pvh_readable(info->command_line, BOOT_COMMAND_LINE_MAX))
		boot_command_line_set(boot, arch_direct(info->command_line), BOOT_COMMAND_LINE_MAX);
	boot->rsdp = info->rsdp;
	return NULL;
}
