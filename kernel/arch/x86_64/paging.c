/*
 * The kernel's half of every address space: its image with the access each part needs, all usable
 * memory (never executable, the kernel's constant parts never writable), and device registers.
 * Built once; tables come straight from the boot map, because the allocators need the direct map
 * first.
 * Always true: no page is both writable and executable, and each stack lies above an unmapped
 * page.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/page_table.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/sched/cpu.h"

extern const char kernel_start_address[], kernel_end_address[];
extern const char kernel_text_end[], kernel_rodata_end[];
extern struct cpu boot_cpu_area;

uint64_t kernel_root;
static uint64_t device_next = DEVICE_BASE;

/* Tables are taken from the start of this region of the boot map. */
static struct boot_region *table_source;

static void table_source_choose(struct boot_info *boot)
{
	uint64_t mapped_end = (uint64_t)BOOT_MAPPED_GIB << 30;

	table_source = NULL;
	for (uint32_t i = 0; i < boot->usable_count; i++) {
		struct boot_region *region = &boot->usable[i];

		if (region->start < KERNEL_PHYSICAL || region->end > mapped_end)
			continue;
		if (table_source == NULL ||
				region->end - region->start >
						table_source->end - table_source->start)
			table_source = region;
	}
	if (table_source == NULL)
		panic("the boot loader told of no memory between 2 MiB and %u GiB",
				BOOT_MAPPED_GIB);
}

static uint64_t table_take(void)
{
	uint64_t table = table_source->start;

	if (table + PAGE_SIZE >= table_source->end)
		panic("no memory for the kernel's page tables");
	table_source->start += PAGE_SIZE;
	memset(arch_direct(table), 0, PAGE_SIZE);
	return table;
}

static uint64_t *entry_make(uint64_t address, uint32_t level)
{
	uint64_t *table = arch_direct(kernel_root);

	for (uint32_t at = TABLE_TOP; at > level; at--) {
		uint64_t *entry = &table[table_index(address, at)];

		if ((*entry & ENTRY_PRESENT) == 0)
			*entry = table_take() | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_ACCESSED;
		ASSERT((*entry & ENTRY_LARGE) == 0);
		table = table_of(*entry);
	}
	return &table[table_index(address, level)];
}

static uint64_t entry_bits(uint32_t flags)
{
	uint64_t bits = ENTRY_PRESENT | ENTRY_GLOBAL | ENTRY_ACCESSED;

	ASSERT((flags & (MAP_WRITE | MAP_EXECUTE)) != (MAP_WRITE | MAP_EXECUTE));
	if ((flags & MAP_WRITE) != 0)
		bits |= ENTRY_WRITE | ENTRY_DIRTY;
	if ((flags & MAP_EXECUTE) == 0)
		bits |= ENTRY_NO_EXECUTE;
	if ((flags & MAP_DEVICE) != 0)
		bits |= ENTRY_UNCACHED;
	return bits;
}

/* The largest page that begins here, is wholly inside and that the processor has. */
static uint32_t level_for(uint64_t address, uint64_t physical, uint64_t bytes)
{
	for (uint32_t level = features.gigabyte_pages ? 2 : 1; level > 0; level--) {
		uint64_t size = 1ul << LEVEL_SHIFT(level);

		if (((address | physical) & (size - 1)) == 0 && bytes >= size)
			return level;
	}
	return 0;
}

static void map_range(uint64_t address, uint64_t physical, uint64_t bytes, uint32_t flags)
{
	while (bytes > 0) {
		uint32_t level = level_for(address, physical, bytes);
		uint64_t size = 1ul << LEVEL_SHIFT(level);
		uint64_t *entry = entry_make(address, level);

		ASSERT(*entry == 0);
		*entry = physical | entry_bits(flags) | (level > 0 ? ENTRY_LARGE : 0);
		address += size;
		physical += size;
		bytes -= size;
	}
}

static void map_direct(uint64_t start, uint64_t end, uint32_t flags)
{
	map_range(DIRECT_BASE + start, start, end - start, flags);
}

static void unmap_page(const void *address)
{
	*entry_make((uint64_t)address, 0) = 0;
}

static void map_image(const struct boot_info *boot)
{
	uint64_t start = (uint64_t)kernel_start_address, text_end = (uint64_t)kernel_text_end;
	uint64_t rodata_end = (uint64_t)kernel_rodata_end, end = (uint64_t)kernel_end_address;
	const uint8_t *area = (const uint8_t *)&boot_cpu_area;

	map_range(start, boot->kernel.start, text_end - start, MAP_EXECUTE);
	map_range(text_end, text_end - KERNEL_BASE, rodata_end - text_end, 0);
	map_range(rodata_end, rodata_end - KERNEL_BASE, end - rodata_end, MAP_WRITE);
	unmap_page(area + CPU_STACK_GUARD);
	unmap_page(area + CPU_FAULT_STACK_GUARD);
	unmap_page(area + CPU_NMI_STACK_GUARD);
	unmap_page(area + CPU_CHECK_STACK_GUARD);
	map_direct(boot->kernel.start, rodata_end - KERNEL_BASE, 0);
	map_direct(rodata_end - KERNEL_BASE, boot->kernel.end, MAP_WRITE);
}

/* All of the boot map as it was before tables were taken from it. */
static void map_memory(const struct boot_info *boot, const struct boot_info *before)
{
	for (uint32_t i = 0; i < before->usable_count; i++)
		map_direct(before->usable[i].start, before->usable[i].end, MAP_WRITE);
	map_direct(ALIGN_DOWN(boot->package.start, (uint64_t)PAGE_SIZE),
			ALIGN_UP(boot->package.end, (uint64_t)PAGE_SIZE), 0);
	if (boot->low_page != 0)
		map_direct(boot->low_page, boot->low_page + PAGE_SIZE, MAP_WRITE);
}

void paging_init(struct boot_info *boot)
{
	static struct boot_info before;

	before = *boot;
	table_source_choose(boot);
	kernel_root = table_take();
	map_image(boot);
	map_memory(boot, &before);
	/* The tables of these windows exist from now on, so that user spaces share them. */
	entry_make(DEVICE_BASE, 0);
	entry_make(CPU_AREAS_BASE, 0);
	write_cr3(kernel_root);
	arch_cpu()->arch.root = kernel_root;
}

void *paging_map_device(uint64_t physical, uint64_t bytes)
{
	uint64_t page = ALIGN_DOWN(physical, (uint64_t)PAGE_SIZE);
	uint64_t span = ALIGN_UP(physical + bytes, (uint64_t)PAGE_SIZE) - page;
	uint64_t address = device_next;

	if (span > DEVICE_BASE + DEVICE_BYTES - device_next)
		panic("no room for device registers at %lx", physical);
	device_next += span;
	for (uint64_t at = 0; at < span; at += PAGE_SIZE)
		*entry_make(address + at, 0) = (page + at) | entry_bits(MAP_WRITE | MAP_DEVICE);
	return (void *)(address + (physical - page));
}

/* The pages of an area that are not guards. */
static bool area_page_is_used(uint64_t offset)
{
	return offset != CPU_STACK_GUARD && offset != CPU_FAULT_STACK_GUARD &&
			offset != CPU_NMI_STACK_GUARD && offset != CPU_CHECK_STACK_GUARD;
}

struct cpu *paging_map_area(uint32_t number)
{
	uint64_t area = CPU_AREAS_BASE + (number - 1ul) * CPU_AREA_BYTES;

	ASSERT(number > 0 && area < CPU_AREAS_BASE + CPU_AREAS_BYTES);
	for (uint64_t at = 0; at < CPU_AREA_BYTES; at += PAGE_SIZE) {
		uint64_t page;

		if (!area_page_is_used(at))
			continue;
		page = frame_alloc_zeroed(0);
		if (page == FRAME_NONE)
			return NULL;
		*entry_make(area + at, 0) = page | entry_bits(MAP_WRITE);
	}
	return (struct cpu *)area;
}
