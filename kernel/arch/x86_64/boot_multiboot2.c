/*
 * The Multiboot2 door: reads the boot information of specification 2.0, section 3.6, as GRUB leaves
 * it under BIOS and UEFI. The first module is the boot package. The ACPI root pointer comes as a
 * copy inside the information, which is not kept, so it is copied once more.
 */
#include "arch/x86_64/internal.h"
#include "kernel/core/string.h"

#define INFORMATION_BYTES_MAX 0x100000

enum multiboot2_tag {
	MULTIBOOT2_END = 0,
	MULTIBOOT2_COMMAND_LINE = 1,
	MULTIBOOT2_MODULE = 3,
	MULTIBOOT2_MEMORY_MAP = 6,
	MULTIBOOT2_ACPI_OLD = 14,
	MULTIBOOT2_ACPI_NEW = 15,
};

#define MULTIBOOT2_MEMORY_USABLE 1

struct multiboot2_header {
	uint32_t type;              /* in the first header: the information's size */
	uint32_t bytes;
};

struct multiboot2_module {
	struct multiboot2_header header;
	uint32_t start;
	uint32_t end;
};

struct multiboot2_memory_map {
	struct multiboot2_header header;
	uint32_t entry_bytes;
	uint32_t entry_version;
};

struct multiboot2_memory {
	uint64_t start;
	uint64_t bytes;
	uint32_t type;
	uint32_t reserved;
};

static uint8_t rsdp_copy[64] __attribute__((aligned(16)));

static void memory_map_read(const struct multiboot2_memory_map *map, struct boot_raw *raw)
{
	const uint8_t *at = (const uint8_t *)(map + 1);
	uint32_t left = map->header.bytes - (uint32_t)sizeof(*map);

	if (map->entry_bytes < sizeof(struct multiboot2_memory))
		return;
	for (; left >= map->entry_bytes; left -= map->entry_bytes, at += map->entry_bytes) {
		const struct multiboot2_memory *memory = (const void *)at;

		if (memory->type == MULTIBOOT2_MEMORY_USABLE)
			boot_raw_add(raw, memory->start, memory->bytes);
	}
}

static void module_read(const struct multiboot2_module *module, struct boot_info *boot)
{
	if (boot->package.end != 0 || module->end < module->start)
		return;
	boot->package.start = module->start;
	boot->package.end = module->end;
}

/* The newer of both forms wins, in whichever order they come. */
static void rsdp_read(const struct multiboot2_header *tag, struct boot_info *boot)
{
	if (tag->type == MULTIBOOT2_ACPI_OLD && boot->rsdp != 0)
		return;
	memset(rsdp_copy, 0, sizeof(rsdp_copy));
	memcpy(rsdp_copy, tag + 1, MIN(tag->bytes - sizeof(*tag), sizeof(rsdp_copy)));
	boot->rsdp = (uint64_t)rsdp_copy - KERNEL_BASE;
}

static void tag_read(
		const struct multiboot2_header *tag, struct boot_info *boot, struct boot_raw *raw)
{
	switch (tag->type) {
	case MULTIBOOT2_COMMAND_LINE:
		boot_command_line_set(boot, (const char *)(tag + 1), tag->bytes - sizeof(*tag));
		break;
	case MULTIBOOT2_MODULE:
		if (tag->bytes >= sizeof(struct multiboot2_module))
			module_read((const void *)tag, boot);
		break;
	case MULTIBOOT2_MEMORY_MAP:
		if (tag->bytes >= sizeof(struct multiboot2_memory_map))
			memory_map_read((const void *)tag, raw);
		break;
	case MULTIBOOT2_ACPI_OLD:
	case MULTIBOOT2_ACPI_NEW:
		rsdp_read(tag, boot);
		break;
	default:
		break;
	}
}

const char *boot_from_multiboot2(uint64_t address, struct boot_info *boot, struct boot_raw *raw)
{
	const struct multiboot2_header *first = arch_direct(address);
	uint32_t offset = sizeof(*first), total;

	if (address == 0 || (address & 7) != 0 || first->type > INFORMATION_BYTES_MAX)
		return "The Multiboot2 information is not usable.";
	total = first->type;
	boot->door = "multiboot2";
	while (offset + sizeof(struct multiboot2_header) <= total) {
		const struct multiboot2_header *tag = arch_direct(address + offset);

		if (tag->type == MULTIBOOT2_END || tag->bytes < sizeof(*tag) ||
				tag->bytes > total - offset)
			break;
		tag_read(tag, boot, raw);
		offset += ALIGN_UP(tag->bytes, 8u);
	}
	if (raw->usable_count == 0)
		return "The Multiboot2 information has no memory map.";
	return NULL;
}
