/*
 * Starting the other processors, one after the other, and interrupting them. The first one wakes each by
 * INIT and two START messages (Intel SDM vol. 3, 8.4.4); it comes from start.S to processor_main, with
 * a page-table root, stacks and descriptors like the first one's.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/log.h"
#include "kernel/core/main.h"
#include "kernel/core/string.h"
#include "kernel/sched/cpu.h"

#define INIT_WAIT_NS  10000000ul      /* as the SDM asks */
#define START_WAIT_NS 200000ul
#define START_LAST_NS 500000000ul

struct cpu *processor_start_area;
static uint64_t start_page;

NORETURN void processor_main(struct cpu *cpu)
{
	cpu->arch.self = cpu;
	cpu->arch.stack_top = (uint64_t)cpu + CPU_STACK_TOP;
	cpu->arch.root = kernel_root;
	descriptors_load(&cpu->arch);
	features_enable();
	apic_local_enable();
	timer_enable();
	cpu->arch.interrupt_id = apic_id();
	cpu_add(cpu);
	kernel_processor_start();
}

/* True as soon as there are so many processors; false: not within this time. */
static bool wait_for_count(uint32_t count, uint64_t ns)
{
	uint64_t end = arch_time_ns() + ns;

	while (LOAD_ACQUIRE(&processor_count) < count) {
		if (arch_time_ns() > end)
			return false;
		arch_relax();
	}
	return true;
}

static bool processor_begin(uint32_t id)
{
	uint32_t count = processor_count + 1;

	apic_send_init(id);
	(void)wait_for_count(count, INIT_WAIT_NS);
	apic_send_start(id, start_page);
	if (wait_for_count(count, START_WAIT_NS))
		return true;
	apic_send_start(id, start_page);
	return wait_for_count(count, START_LAST_NS);
}

/* False: no more can be started. One that does not answer may do so late, so its area is never
 * another's. */
static bool processor_add(uint32_t id)
{
	if (processor_count == PROCESSORS_MAX)
		return false;
	processor_start_area = paging_map_area(processor_count);
	if (processor_start_area == NULL)
		return false;
	if (processor_begin(id))
		return true;
	log_line(LOG_WARNING, "Processor %u does not start; those after it are left alone.", id);
	return false;
}

void arch_processors_start(void)
{
	uint32_t told = MIN(acpi.processors, ACPI_PROCESSORS_MAX), here = apic_id();

	if (told > 1 && start_page == 0)
		log_line(LOG_WARNING, "There is no free page below 1 MiB: one processor is used.");
	for (uint32_t i = 0; i < told && start_page != 0; i++) {
		uint32_t id = acpi.processor_ids[i];

		if (id != here && apic_reaches(id) && !processor_add(id))
			break;
	}
	if (told > 1)
		log_line(LOG_INFO, "%u of %u processors run.", processor_count, acpi.processors);
}

void processors_init(const struct boot_info *boot)
{
	start_page = boot->low_page;
	if (start_page != 0)
		memcpy(arch_direct(start_page), processor_start,
				(size_t)(processor_start_end - processor_start));
}

void arch_processor_interrupt(const struct cpu *cpu)
{
	apic_send(cpu->arch.interrupt_id, ARCH_VECTOR_WAKE);
}

void arch_processor_call(const struct cpu *cpu)
{
	apic_send(cpu->arch.interrupt_id, VECTOR_CALL);
}
