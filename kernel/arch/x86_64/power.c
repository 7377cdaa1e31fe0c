/*
 * Ending: power off, reset, stop. Each tries what is most certain to be there last.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"

/* QEMU's isa-debug-exit: writing v ends the emulator with status (v << 1) | 1. On other machines
 * nothing answers at this port. */
#define DEBUG_EXIT_PORT 0x501
#define DEBUG_EXIT_BASE 0x10

#define ACPI_CONTROL_ENABLED 0x0001
#define ACPI_CONTROL_SLEEP   0x2000
#define ACPI_POLLS_MAX       1000000

#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_BUSY    0x02
#define KEYBOARD_RESET   0xfe

void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

/* ACPI 6.4, 4.8.3.2: the firmware hands the power registers over when told to. */
static void acpi_mode_enter(void)
{
	if (acpi.command_port == 0 || (in16(acpi.control_a) & ACPI_CONTROL_ENABLED) != 0)
		return;
	out8(acpi.command_port, acpi.command_enable);
	for (uint32_t i = 0; i < ACPI_POLLS_MAX; i++) {
		if ((in16(acpi.control_a) & ACPI_CONTROL_ENABLED) != 0)
			return;
	}
}

void arch_power_off(uint32_t status)
{
	out8(DEBUG_EXIT_PORT, (uint8_t)(status + DEBUG_EXIT_BASE));
	if (acpi.sleep_known && acpi.control_a != 0) {
		acpi_mode_enter();
		out16(acpi.control_a, (uint16_t)(ACPI_CONTROL_SLEEP | acpi.sleep_a << 10));
		if (acpi.control_b != 0)
			out16(acpi.control_b, (uint16_t)(ACPI_CONTROL_SLEEP | acpi.sleep_b << 10));
	}
	arch_halt();
}

void arch_panic_exit(void)
{
	out8(DEBUG_EXIT_PORT, 0x0e);
	arch_halt();
}

void arch_reboot(void)
{
	const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) nothing = { 0, 0 };

	if (acpi.reset_port != 0)
		out8(acpi.reset_port, acpi.reset_value);
	for (uint32_t i = 0; i < ACPI_POLLS_MAX && (in8(KEYBOARD_COMMAND) & KEYBOARD_BUSY) != 0;
			i++)
		arch_relax();
	out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
	/* No interrupt table: the next exception cannot be delivered and resets the processor. */
	__asm__ volatile("lidt %0\n\tint3" : : "m"(nothing));
	arch_halt();
}

uint8_t arch_port_read(uint16_t port)
{
	return in8(port);
}

void arch_port_write(uint16_t port, uint8_t value)
{
	out8(port, value);
}
