/*
 * First C of the boot processor, called by start.S with interrupts off and the boot tables live:
 * reads what the loader told into one boot_info, refuses a machine without the minimum, builds the
 * kernel's own page tables and goes on to kernel_main.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/log.h"
#include "kernel/core/main.h"
#include "kernel/sched/cpu.h"

#define PVH_DOOR        0x336ec578
#define MULTIBOOT2_DOOR 0x36d76289

extern struct cpu boot_cpu_area;
extern const char kernel_start_address[], kernel_end_address[];

/* Read by every function with a buffer; set before the first of them runs. */
uint64_t __stack_chk_guard;

static struct boot_info boot;
static struct boot_raw boot_raw;
uint64_t boot_tsc_start;

NORETURN void boot_main(uint32_t door, uint64_t information);

/* A word that nobody outside can know where the processor has a generator, and hardly guess where
 * it has none. The lowest byte is 0 so that string functions cannot write it. */
static __attribute__((no_stack_protector)) void canary_seed(void)
{
	uint64_t random = 0;

	if ((cpuid(1, 0).ecx >> 30) & 1)
		__asm__ volatile("rdrand %0" : "+r"(random) : : "cc");
	__stack_chk_guard = (random ^ rdtsc() * 0x9e3779b97f4a7c15) << 8;
}

static NORETURN void boot_refuse(const char *sentence)
{
	log_line(LOG_ERROR, "%s Stopped.", sentence);
	arch_panic_exit();
}

static const char *boot_read(uint32_t door, uint64_t information)
{
	if (door == PVH_DOOR)
		return boot_from_pvh(information, &boot, &boot_raw);
	if (door == MULTIBOOT2_DOOR)
		return boot_from_multiboot2(information, &boot, &boot_raw);
	return "The kernel was started by something that is neither PVH nor Multiboot2.";
}

__attribute__((no_stack_protector)) void boot_main(uint32_t door, uint64_t information)
{
	struct cpu *cpu = &boot_cpu_area;
	const char *refusal;

	canary_seed();
	boot_tsc_start = rdtsc();
	cpu->arch.self = cpu;
	cpu->arch.stack_top = (uint64_t)cpu + CPU_STACK_TOP;
	cpu->arch.root = read_cr3();
	cpu->door = DOOR_EXCLUSIVE;
	cpu_add(cpu);
	descriptors_init(&cpu->arch);
	console_init();

	refusal = features_read();
	if (refusal != NULL)
		boot_refuse(refusal);
	features_enable();
	refusal = boot_read(door, information);
	if (refusal != NULL)
		boot_refuse(refusal);
	boot.kernel.start = (uint64_t)kernel_start_address - KERNEL_BASE;
	boot.kernel.end = (uint64_t)kernel_end_address - KERNEL_BASE;
	boot_map_finish(&boot, &boot_raw);
	acpi_read(boot.rsdp);
	paging_init(&boot);
	kernel_main(&boot);
}
