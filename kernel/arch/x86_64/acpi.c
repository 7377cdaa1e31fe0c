/*
 * Reads the ACPI tables into `acpi` (ACPI 6.4, chapter 5). The tables are foreign bytes: each is
 * used only if its whole length lies in the part of memory that the boot tables map and its
 * checksum is right, and each structure inside only if it lies within its table.
 */
#include "arch/x86_64/internal.h"
#include "kernel/core/log.h"
#include "kernel/core/string.h"

#define TABLE_BYTES_MAX 0x100000

#define RSDP_BYTES_OLD 20
#define RSDP_BYTES_NEW 36
#define BIOS_AREA      0xe0000
#define BIOS_AREA_END  0x100000
#define EBDA_POINTER   0x40e
#define EBDA_BYTES     1024

struct __attribute__((packed)) acpi_rsdp {
	char     signature[8];
	uint8_t  checksum;
	char     oem[6];
	uint8_t  revision;
	uint32_t rsdt;
	uint32_t bytes;
	uint64_t xsdt;
};

struct __attribute__((packed)) acpi_table {
	char     signature[4];
	uint32_t bytes;
	uint8_t  revision;
	uint8_t  checksum;
	char     oem[6];
	char     oem_table[8];
	uint32_t oem_revision;
	uint32_t creator;
	uint32_t creator_revision;
};

struct __attribute__((packed)) acpi_madt {
	struct acpi_table header;
	uint32_t local_apic;
	uint32_t flags;
};

/* Fields of the FADT by offset: tables of old revisions end early. */
enum fadt_field {
	FADT_DSDT = 40,
	FADT_COMMAND_PORT = 48,
	FADT_COMMAND_ENABLE = 52,
	FADT_CONTROL_A = 64,
	FADT_CONTROL_B = 68,
	FADT_TIMER = 76,
	FADT_FLAGS = 112,
	FADT_RESET = 116,
	FADT_RESET_VALUE = 128,
	FADT_DSDT_64 = 140,
};

#define FADT_FLAG_RESET     (1u << 10)
#define ADDRESS_SPACE_PORTS 1

enum madt_entry {
	MADT_LOCAL_APIC = 0,
	MADT_IO_APIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LOCAL_APIC_ADDRESS = 5,
	MADT_LOCAL_X2APIC = 9,
};

#define MADT_PROCESSOR_USABLE (1u << 0)

struct acpi_info acpi;

static bool bytes_readable(uint64_t address, uint64_t bytes)
{
	uint64_t end = (uint64_t)BOOT_MAPPED_GIB << 30;

	return address != 0 && address < end && bytes <= end - address;
}

static bool checksum_right(const void *memory, uint64_t bytes)
{
	const uint8_t *at = memory;
	uint8_t sum = 0;

	for (uint64_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + at[i]);
	return sum == 0;
}

/* A field of a table, 0 where the table ends before it. */
static uint64_t field(const struct acpi_table *table, uint32_t offset, uint32_t bytes)
{
	uint64_t value = 0;

	if (offset + bytes <= table->bytes)
		memcpy(&value, (const uint8_t *)table + offset, bytes);
	return value;
}

static const struct acpi_table *table_at(uint64_t address)
{
	const struct acpi_table *table;

	if (!bytes_readable(address, sizeof(*table)))
		return NULL;
	table = arch_direct(address);
	if (table->bytes < sizeof(*table) || table->bytes > TABLE_BYTES_MAX ||
			!bytes_readable(address, table->bytes) ||
			!checksum_right(table, table->bytes))
		return NULL;
	return table;
}

static const struct acpi_rsdp *rsdp_at(uint64_t address)
{
	const struct acpi_rsdp *rsdp;

	if (!bytes_readable(address, RSDP_BYTES_NEW))
		return NULL;
	rsdp = arch_direct(address);
	if (memcmp(rsdp->signature, "RSD PTR ", 8) != 0 || !checksum_right(rsdp, RSDP_BYTES_OLD))
		return NULL;
	return rsdp;
}

static const struct acpi_rsdp *rsdp_scan(uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at + RSDP_BYTES_NEW <= end; at += 16) {
		const struct acpi_rsdp *rsdp = rsdp_at(at);

		if (rsdp != NULL)
			return rsdp;
	}
	return NULL;
}

static const struct acpi_rsdp *rsdp_find(uint64_t told)
{
	const struct acpi_rsdp *rsdp = rsdp_at(told);
	uint64_t ebda;

	if (rsdp != NULL)
		return rsdp;
	ebda = (uint64_t)*(const uint16_t *)arch_direct(EBDA_POINTER) << 4;
	if (ebda >= 0x80000 && ebda < 0xa0000)
		rsdp = rsdp_scan(ebda, ebda + EBDA_BYTES);
	return rsdp != NULL ? rsdp : rsdp_scan(BIOS_AREA, BIOS_AREA_END);
}

/* The first table with this signature that the root table names. */
static const struct acpi_table *table_find(const struct acpi_rsdp *rsdp, const char *signature)
{
	bool wide = rsdp->revision >= 2 && rsdp->xsdt != 0 && checksum_right(rsdp, RSDP_BYTES_NEW);
	const struct acpi_table *root = table_at(wide ? rsdp->xsdt : rsdp->rsdt);
	uint32_t step = wide ? 8 : 4;

	if (root == NULL || memcmp(root->signature, wide ? "XSDT" : "RSDT", 4) != 0)
		return NULL;
	for (uint32_t at = sizeof(*root); at + step <= root->bytes; at += step) {
		const struct acpi_table *table = table_at(field(root, at, step));

		if (table != NULL && memcmp(table->signature, signature, 4) == 0)
			return table;
	}
	return NULL;
}

/* --- Interrupt controllers ------------------------------------------------------------------ */

static void override_read(const uint8_t *entry)
{
	uint8_t line = entry[3];
	uint16_t flags = (uint16_t)(entry[8] | entry[9] << 8);

	if (line >= ACPI_ISA_LINES)
		return;
	memcpy(&acpi.lines[line].input, entry + 4, 4);
	acpi.lines[line].low = (flags & 3) == 3;
	acpi.lines[line].level = ((flags >> 2) & 3) == 3;
}

static void io_apic_read(const uint8_t *entry)
{
	uint32_t address, first;

	if (acpi.io_apic_count == ACPI_IO_APICS_MAX)
		return;
	memcpy(&address, entry + 4, 4);
	memcpy(&first, entry + 8, 4);
	acpi.io_apics[acpi.io_apic_count].address = address;
	acpi.io_apics[acpi.io_apic_count].first_input = first;
	acpi.io_apic_count++;
}

static void processor_read(uint32_t id, uint32_t flags)
{
	if ((flags & MADT_PROCESSOR_USABLE) == 0)
		return;
	for (uint32_t i = 0; i < MIN(acpi.processors, ACPI_PROCESSORS_MAX); i++) {
		if (acpi.processor_ids[i] == id)
			return;
	}
	if (acpi.processors < ACPI_PROCESSORS_MAX)
		acpi.processor_ids[acpi.processors] = id;
	acpi.processors++;
}

static void madt_entry_read(const uint8_t *entry, uint8_t bytes)
{
	switch (entry[0]) {
	case MADT_LOCAL_APIC:
		if (bytes >= 8)
			processor_read(entry[3], entry[4]);
		break;
	case MADT_LOCAL_X2APIC:
		if (bytes >= 16) {
			uint32_t id, flags;

			memcpy(&id, entry + 4, 4);
			memcpy(&flags, entry + 8, 4);
			processor_read(id, flags);
		}
		break;
	case MADT_IO_APIC:
		if (bytes >= 12)
			io_apic_read(entry);
		break;
	case MADT_OVERRIDE:
		if (bytes >= 10)
			override_read(entry);
		break;
	case MADT_LOCAL_APIC_ADDRESS:
		if (bytes >= 12)
			memcpy(&acpi.local_apic, entry + 4, 8);
		break;
	default:
		break;
	}
}

static void madt_read(const struct acpi_table *table)
{
	const struct acpi_madt *madt = (const void *)table;
	const uint8_t *bytes = (const void *)table;
	uint32_t at = sizeof(*madt);

	if (table->bytes < sizeof(*madt))
		return;
	acpi.local_apic = madt->local_apic;
	while (at + 2 <= table->bytes) {
		uint8_t size = bytes[at + 1];

		if (size < 2 || size > table->bytes - at)
			return;
		madt_entry_read(bytes + at, size);
		at += size;
	}
}

/* --- Power ---------------------------------------------------------------------------------- */

/* A small AML integer: ZeroOp, OneOp or BytePrefix and a byte. Answers how long it is, 0: none. */
static uint32_t aml_integer(const uint8_t *at, uint32_t left, uint8_t *value)
{
	if (left >= 1 && at[0] <= 1) {
		*value = at[0];
		return 1;
	}
	if (left >= 2 && at[0] == 0x0a) {
		*value = at[1];
		return 2;
	}
	return 0;
}

/* Name(_S5_, Package(n) { a, b, ... }): 08 '_S5_' 12 <length, 1-4 bytes> <n> a b. */
static void sleep_types_read(const uint8_t *aml, uint32_t bytes)
{
	for (uint32_t at = 1; at + 8 < bytes; at++) {
		uint32_t value_at, a;

		if (memcmp(aml + at, "_S5_", 4) != 0 || aml[at + 4] != 0x12)
			continue;
		/* The top two bits of the first length byte say how many follow. */
		value_at = at + 5 + (aml[at + 5] >> 6) + 2;
		if (value_at >= bytes)
			return;
		a = aml_integer(aml + value_at, bytes - value_at, &acpi.sleep_a);
		if (a == 0)
			return;
		if (aml_integer(aml + value_at + a, bytes - value_at - a, &acpi.sleep_b) == 0)
			acpi.sleep_b = acpi.sleep_a;
		acpi.sleep_known = acpi.sleep_a < 8 && acpi.sleep_b < 8;
		return;
	}
}

static void fadt_read(const struct acpi_table *fadt)
{
	uint64_t dsdt_at = field(fadt, FADT_DSDT_64, 8);
	const struct acpi_table *dsdt = table_at(
			dsdt_at != 0 ? dsdt_at : field(fadt, FADT_DSDT, 4));
	bool reset = (field(fadt, FADT_FLAGS, 4) & FADT_FLAG_RESET) != 0;

	acpi.control_a = (uint16_t)field(fadt, FADT_CONTROL_A, 4);
	acpi.control_b = (uint16_t)field(fadt, FADT_CONTROL_B, 4);
	acpi.command_port = (uint16_t)field(fadt, FADT_COMMAND_PORT, 4);
	acpi.command_enable = (uint8_t)field(fadt, FADT_COMMAND_ENABLE, 1);
	if (acpi.command_enable == 0)
		acpi.command_port = 0;
	acpi.timer_port = (uint16_t)field(fadt, FADT_TIMER, 4);
	/* The reset register is a generic address: space, width, offset, size, then 8 bytes. */
	if (reset && field(fadt, FADT_RESET, 1) == ADDRESS_SPACE_PORTS) {
		acpi.reset_port = (uint16_t)field(fadt, FADT_RESET + 4, 8);
		acpi.reset_value = (uint8_t)field(fadt, FADT_RESET_VALUE, 1);
	}
	if (dsdt != NULL && memcmp(dsdt->signature, "DSDT", 4) == 0)
		sleep_types_read(
				(const uint8_t *)(dsdt + 1), dsdt->bytes - (uint32_t)sizeof(*dsdt));
}

void acpi_read(uint64_t told)
{
	const struct acpi_rsdp *rsdp = rsdp_find(told);
	const struct acpi_table *table;

	memset(&acpi, 0, sizeof(acpi));
	for (uint32_t line = 0; line < ACPI_ISA_LINES; line++)
		acpi.lines[line].input = line;
	if (rsdp == NULL) {
		log_line(LOG_INFO, "There are no ACPI tables.");
		return;
	}
	table = table_find(rsdp, "APIC");
	if (table != NULL)
		madt_read(table);
	table = table_find(rsdp, "FACP");
	if (table != NULL)
		fadt_read(table);
}
