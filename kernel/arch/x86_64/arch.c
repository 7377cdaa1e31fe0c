/*
 * The port's part of starting once memory works, and idling.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/log.h"
#include "kernel/sched/cpu.h"

const char *arch_name(void)
{
	return "x86_64";
}

void arch_init(const struct boot_info *boot)
{
	vector_init();
	apic_init();
	timer_init();
	processors_init(boot);
	arch_cpu()->arch.interrupt_id = apic_id();
	if (!features.umip)
		log_line(LOG_INFO,
				"This processor has no UMIP: programs can read where its tables "
				"are.");
#if CONFIG_DEBUG
	selftest_crash(boot->command_line);
	if (boot_command_line_has(boot->command_line, "arch-selftest"))
		selftest_run();
#endif
}

void arch_take_interrupts(void)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	cpu->idle = true;
	__asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
	cpu->idle = false;
}

/* With everything but a call held back. */
void arch_sleep_until_called(void)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	apic_hold_back(VECTOR_CALL & 0xf0);
	cpu->called = true;
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	cpu->called = false;
	apic_hold_back(0);
}

void arch_idle(void)
{
	struct arch_cpu *cpu = &arch_cpu()->arch;

	cpu->idle = true;
	/* sti takes effect after the next instruction: no interrupt can slip in before the hlt. */
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	cpu->idle = false;
}
