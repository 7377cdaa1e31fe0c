/*
 * What the kernel takes from the firmware's ACPI tables: where the interrupt controllers are, the
 * power-management timer, how to power off and reset. Tables are read once, early at boot, while
 * the first 4 GiB are mapped; each length and checksum is checked and a bad table counts as absent.
 * There is no AML interpreter: the \_S5_ package is found by its bytes.
 */
#ifndef KERNEL_ARCH_X86_64_ACPI_H
#define KERNEL_ARCH_X86_64_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#define ACPI_IO_APICS_MAX 4
#define ACPI_ISA_LINES    16
#define ACPI_PROCESSORS_MAX 64

struct acpi_line {
	uint32_t input;             /* global number of the controllers' input pin */
	bool     low;               /* active low */
	bool     level;
};

struct acpi_info {
	uint64_t local_apic;        /* physical address; 0: not told */
	uint32_t processors;        /* usable ones */
	uint32_t processor_ids[ACPI_PROCESSORS_MAX];   /* their local controllers', of the first ones */
	uint32_t io_apic_count;
	struct {
		uint64_t address;
		uint32_t first_input;
	} io_apics[ACPI_IO_APICS_MAX];
	struct acpi_line lines[ACPI_ISA_LINES];

	uint16_t timer_port;        /* counts 3.579545 MHz in 24 bits; 0: none */
	uint16_t control_a;         /* PM1 control ports; 0: none */
	uint16_t control_b;
	uint16_t command_port;      /* SMI command; 0: ACPI mode is always on */
	uint8_t  command_enable;
	bool     sleep_known;       /* sleep_a and sleep_b are the types of S5 */
	uint8_t  sleep_a;
	uint8_t  sleep_b;
	uint16_t reset_port;        /* 0: none */
	uint8_t  reset_value;
};

extern struct acpi_info acpi;

/* `rsdp`: physical address of the root pointer, 0 to search the BIOS areas for it. */
void acpi_read(uint64_t rsdp);

#endif
