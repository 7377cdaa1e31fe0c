/*
 * Turns the loader's list of usable memory into boot_info's: sorted, page aligned, disjoint,
 * without the first page, the kernel, the package and one page below 1 MiB. Nothing here trusts
 * the order or sanity of the list. Pure: the host test runs it as it is.
 */
#include "arch/x86_64/internal.h"

#define LOW_MEMORY_END 0x100000

void boot_raw_add(struct boot_raw *raw, uint64_t start, uint64_t bytes)
{
	uint64_t end = start + bytes;

	if (start >= DIRECT_BYTES)
		return;
	if (end < start || end > DIRECT_BYTES)
		end = DIRECT_BYTES;
	start = ALIGN_UP(start, (uint64_t)PAGE_SIZE);
	end = ALIGN_DOWN(end, (uint64_t)PAGE_SIZE);
	if (start >= end || raw->usable_count == BOOT_REGIONS_MAX)
		return;
	raw->usable[raw->usable_count++] = (struct boot_region){ start, end };
}

void boot_command_line_set(struct boot_info *boot, const char *chars, size_t max)
{
	size_t n = 0;

	while (n < max && n < BOOT_COMMAND_LINE_MAX - 1 && chars[n] != '\0') {
		boot->command_line[n] = chars[n];
		n++;
	}
	boot->command_line[n] = '\0';
}

static void region_insert(struct boot_info *boot, struct boot_region region)
{
	uint32_t at = boot->usable_count;

	if (region.start >= region.end || at == BOOT_REGIONS_MAX)
		return;
	while (at > 0 && boot->usable[at - 1].start > region.start) {
		boot->usable[at] = boot->usable[at - 1];
		at--;
	}
	boot->usable[at] = region;
	boot->usable_count++;
}

static void region_remove(struct boot_info *boot, uint32_t at)
{
	boot->usable_count--;
	for (; at < boot->usable_count; at++)
		boot->usable[at] = boot->usable[at + 1];
}

static void regions_merge(struct boot_info *boot)
{
	uint32_t at = 0;

	while (at + 1 < boot->usable_count) {
		struct boot_region *one = &boot->usable[at], *next = &boot->usable[at + 1];

		if (next->start > one->end) {
			at++;
			continue;
		}
		one->end = MAX(one->end, next->end);
		region_remove(boot, at + 1);
	}
}

/* Takes whole pages out; what it splits off is lost if there is no place in the list. */
static void regions_cut(struct boot_info *boot, uint64_t start, uint64_t end)
{
	start = ALIGN_DOWN(start, (uint64_t)PAGE_SIZE);
	end = ALIGN_UP(end, (uint64_t)PAGE_SIZE);
	if (start >= end)
		return;
	for (uint32_t at = 0; at < boot->usable_count; at++) {
		struct boot_region *region = &boot->usable[at];
		struct boot_region rest = { MAX(end, region->start), region->end };

		if (end <= region->start || start >= region->end)
			continue;
		region->end = start;
		if (region->start >= region->end)
			region_remove(boot, at--);
		region_insert(boot, rest);
	}
}

/* The highest free page below 1 MiB: the farthest from what firmware keeps at the bottom. */
static uint64_t low_page_take(struct boot_info *boot)
{
	for (uint32_t at = boot->usable_count; at-- > 0;) {
		struct boot_region region = boot->usable[at];
		uint64_t page = MIN(region.end, LOW_MEMORY_END) - PAGE_SIZE;

		if (region.start >= LOW_MEMORY_END)
			continue;
		regions_cut(boot, page, page + PAGE_SIZE);
		return page;
	}
	return 0;
}

/* A package that is empty or nowhere is none. */
static void package_normalise(struct boot_region *package)
{
	if (package->start >= package->end || package->end > DIRECT_BYTES)
		*package = (struct boot_region){ 0, 0 };
}

void boot_map_finish(struct boot_info *boot, const struct boot_raw *raw)
{
	package_normalise(&boot->package);
	boot->usable_count = 0;
	for (uint32_t i = 0; i < raw->usable_count; i++)
		region_insert(boot, raw->usable[i]);
	regions_merge(boot);
	regions_cut(boot, 0, PAGE_SIZE);
	regions_cut(boot, boot->kernel.start, boot->kernel.end);
	regions_cut(boot, boot->package.start, boot->package.end);
	boot->low_page = low_page_take(boot);
}
