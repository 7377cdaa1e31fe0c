/*
 * Interrupt controllers: the local APIC (Intel SDM vol. 3, chapter 11) and the I/O APICs (Intel
 * 82093AA) behind it. The local one is driven as an xAPIC, by memory, unless firmware left it in
 * x2APIC mode or a processor has an id that xAPIC cannot name: then by the same registers as MSRs.
 * Lines 0 to 15 are numbered as on ISA and routed as ACPI tells; 16 to 23 are the first
 * controller's own inputs, level and active low as PCI has them. All are masked until enabled. The
 * old controllers (8259) are masked for good.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/log.h"
#include "kernel/sched/cpu.h"

#define VECTOR_LINES    0x20
#define VECTOR_SPURIOUS 0xff
#define VECTOR_OLD      0xe0      /* where 8259s would send spurious interrupts */

#define LOCAL_BYTES       0x400
#define LOCAL_ID          0x020
#define LOCAL_TASK        0x080
#define LOCAL_END         0x0b0
#define LOCAL_SPURIOUS    0x0f0
#define LOCAL_COMMAND     0x300
#define LOCAL_COMMAND_TO  0x310
#define LOCAL_TIMER       0x320
#define LOCAL_PERFORMANCE 0x340
#define LOCAL_LINT0       0x350
#define LOCAL_LINT1       0x360
#define LOCAL_ERROR       0x370
#define LOCAL_INITIAL     0x380
#define LOCAL_CURRENT     0x390
#define LOCAL_DIVIDE      0x3e0

#define LOCAL_SOFTWARE_ENABLE 0x100
#define LOCAL_MASKED          0x10000
#define LOCAL_NMI             0x400
#define LOCAL_TIMER_DEADLINE  0x40000
#define LOCAL_DIVIDE_BY_1     0xb

#define COMMAND_INIT    0x4500      /* assert */
#define COMMAND_START   0x4600
#define COMMAND_FIXED   0x4000
#define COMMAND_STOP    0xc4400     /* non-maskable, to all others */
#define COMMAND_PENDING (1u << 12)
#define COMMAND_TO_SHIFT 24

/* In x2APIC mode a register is the MSR at its offset over 16 from here (table 11-6). */
#define MSR_LOCAL       0x800
#define MSR_SHIFT       4
#define X2_TO_SHIFT     32
#define XAPIC_ID_MAX    254u

#define APIC_BASE_ENABLE   (1ul << 11)
#define APIC_BASE_X2APIC   (1ul << 10)
#define APIC_BASE_ADDRESS  0x000ffffffffff000ul
#define APIC_ADDRESS_USUAL 0xfee00000

#define IO_BYTES        0x20
#define IO_SELECT       0x00
#define IO_WINDOW       0x10
#define IO_VERSION      0x01
#define IO_ENTRY        0x10
#define IO_ENTRY_LOW    (1u << 13)
#define IO_ENTRY_LEVEL  (1u << 15)
#define IO_ENTRY_MASKED (1u << 16)
#define IO_ADDRESS_USUAL 0xfec00000

#define OLD_MASTER 0x20
#define OLD_SLAVE  0xa0

static volatile uint8_t *local;      /* NULL before the start, and in x2APIC mode */
static bool is_x2;

static struct io_apic {
	volatile uint8_t *registers;
	uint32_t first_input;
	uint32_t inputs;
} io_apics[ACPI_IO_APICS_MAX];
static uint32_t io_apic_count;

static uint32_t local_read(uint32_t offset)
{
	if (unlikely(is_x2))
		return (uint32_t)rdmsr(MSR_LOCAL + (offset >> MSR_SHIFT));
	return *(volatile uint32_t *)(local + offset);
}

static void local_write(uint32_t offset, uint32_t value)
{
	if (unlikely(is_x2))
		wrmsr(MSR_LOCAL + (offset >> MSR_SHIFT), value);
	else
		*(volatile uint32_t *)(local + offset) = value;
}

static uint32_t io_read(const struct io_apic *io, uint32_t index)
{
	*(volatile uint32_t *)(io->registers + IO_SELECT) = index;
	return *(volatile uint32_t *)(io->registers + IO_WINDOW);
}

static void io_write(const struct io_apic *io, uint32_t index, uint32_t value)
{
	*(volatile uint32_t *)(io->registers + IO_SELECT) = index;
	*(volatile uint32_t *)(io->registers + IO_WINDOW) = value;
}

/* --- Start ---------------------------------------------------------------------------------- */

/* Moved off the exception vectors first: they can send spurious interrupts even while masked. */
static void old_controllers_mask(void)
{
	out8(OLD_MASTER, 0x11);
	out8(OLD_SLAVE, 0x11);
	out8(OLD_MASTER + 1, VECTOR_OLD);
	out8(OLD_SLAVE + 1, VECTOR_OLD + 8);
	out8(OLD_MASTER + 1, 4);
	out8(OLD_SLAVE + 1, 2);
	out8(OLD_MASTER + 1, 1);
	out8(OLD_SLAVE + 1, 1);
	out8(OLD_MASTER + 1, 0xff);
	out8(OLD_SLAVE + 1, 0xff);
}

static bool ids_are_large(void)
{
	for (uint32_t i = 0; i < MIN(acpi.processors, ACPI_PROCESSORS_MAX); i++) {
		if (acpi.processor_ids[i] > XAPIC_ID_MAX)
			return true;
	}
	return false;
}

/* There is no way back from x2APIC mode but by switching the controller off. */
static void local_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	is_x2 = (base & APIC_BASE_X2APIC) != 0 || (features.x2apic && ids_are_large());
	if (!is_x2)
		local = paging_map_device(base & APIC_BASE_ADDRESS, LOCAL_BYTES);
	apic_local_enable();
}

void apic_local_enable(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	/* In two steps (11.12.5). */
	if (is_x2)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	local_write(LOCAL_TASK, 0);
	local_write(LOCAL_TIMER, LOCAL_MASKED | ARCH_VECTOR_TIMER);
	local_write(LOCAL_PERFORMANCE, LOCAL_MASKED);
	local_write(LOCAL_LINT0, LOCAL_MASKED);
	local_write(LOCAL_LINT1, LOCAL_NMI);
	local_write(LOCAL_ERROR, LOCAL_MASKED | VECTOR_SPURIOUS);
	local_write(LOCAL_SPURIOUS, LOCAL_SOFTWARE_ENABLE | VECTOR_SPURIOUS);
	local_write(LOCAL_DIVIDE, LOCAL_DIVIDE_BY_1);
}

static void io_add(uint64_t address, uint32_t first_input)
{
	struct io_apic *io = &io_apics[io_apic_count++];

	io->registers = paging_map_device(address, IO_BYTES);
	io->first_input = first_input;
	io->inputs = (io_read(io, IO_VERSION) >> 16 & 0xff) + 1;
	for (uint32_t input = 0; input < io->inputs; input++) {
		io_write(io, IO_ENTRY + 2 * input, IO_ENTRY_MASKED);
		io_write(io, IO_ENTRY + 2 * input + 1, 0);
	}
}

void apic_init(void)
{
	old_controllers_mask();
	local_init();
	for (uint32_t i = 0; i < acpi.io_apic_count; i++)
		io_add(acpi.io_apics[i].address, acpi.io_apics[i].first_input);
	if (io_apic_count == 0) {
		log_line(LOG_INFO,
				"ACPI names no I/O interrupt controller; the usual place is used.");
		io_add(IO_ADDRESS_USUAL, 0);
	}
}

/* --- Other processors ----------------------------------------------------------------------- */

uint32_t apic_id(void)
{
	return is_x2 ? local_read(LOCAL_ID) : local_read(LOCAL_ID) >> COMMAND_TO_SHIFT;
}

static void command_send(uint32_t id, uint32_t command)
{
	if (unlikely(is_x2)) {
		/* What was written before is to be seen by who is interrupted; this write waits for nothing by itself
		 * (11.12.3). */
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_LOCAL + (LOCAL_COMMAND >> MSR_SHIFT), (uint64_t)id << X2_TO_SHIFT | command);
		return;
	}
	while ((local_read(LOCAL_COMMAND) & COMMAND_PENDING) != 0)
		arch_relax();
	local_write(LOCAL_COMMAND_TO, id << COMMAND_TO_SHIFT);
	local_write(LOCAL_COMMAND, command);
}

bool apic_reaches(uint32_t id)
{
	return is_x2 || id <= XAPIC_ID_MAX;
}

void apic_send_init(uint32_t id)
{
	command_send(id, COMMAND_INIT);
}

void apic_send_start(uint32_t id, uint64_t page)
{
	command_send(id, COMMAND_START | (uint32_t)(page >> PAGE_SHIFT));
}

void apic_send(uint32_t id, uint32_t vector)
{
	command_send(id, COMMAND_FIXED | vector);
}

void apic_hold_back(uint32_t vector)
{
	local_write(LOCAL_TASK, vector ? vector - 0x10 : 0);
}

void arch_processors_halt(void)
{
	if ((local != NULL || is_x2) && processor_count > 1)
		command_send(0, COMMAND_STOP);
}

/* --- Lines ---------------------------------------------------------------------------------- */

static struct acpi_line line_route(uint32_t line)
{
	if (line < ACPI_ISA_LINES)
		return acpi.lines[line];
	return (struct acpi_line){ .input = line, .low = true, .level = true };
}

static const struct io_apic *io_of(uint32_t input)
{
	for (uint32_t i = 0; i < io_apic_count; i++) {
		const struct io_apic *io = &io_apics[i];

		if (input >= io->first_input && input - io->first_input < io->inputs)
			return io;
	}
	return NULL;
}

int arch_irq_line(uint32_t vector)
{
	if (vector < VECTOR_LINES || vector >= VECTOR_LINES + ARCH_IRQ_LINES)
		return -1;
	return (int)(vector - VECTOR_LINES);
}

void arch_irq_enable(uint32_t line)
{
	struct acpi_line route = line_route(line);
	const struct io_apic *io = io_of(route.input);
	uint32_t entry = IO_ENTRY + 2 * (route.input - (io != NULL ? io->first_input : 0));

	if (io == NULL)
		return;
	io_write(io, entry + 1, processors[0]->arch.interrupt_id << COMMAND_TO_SHIFT);
	io_write(io, entry, (VECTOR_LINES + line) | (route.low ? IO_ENTRY_LOW : 0) |
			(route.level ? IO_ENTRY_LEVEL : 0));
}

void arch_irq_disable(uint32_t line)
{
	struct acpi_line route = line_route(line);
	const struct io_apic *io = io_of(route.input);

	if (io == NULL)
		return;
	route.input -= io->first_input;
	io_write(io, IO_ENTRY + 2 * route.input,
			io_read(io, IO_ENTRY + 2 * route.input) | IO_ENTRY_MASKED);
}

void arch_irq_end(uint32_t vector)
{
	local_write(LOCAL_END, 0);
}

/* --- Timer ---------------------------------------------------------------------------------- */

void apic_timer_start(uint32_t count)
{
	local_write(LOCAL_INITIAL, count);
}

void apic_timer_measure(void)
{
	local_write(LOCAL_TIMER, LOCAL_MASKED | ARCH_VECTOR_TIMER);
	local_write(LOCAL_INITIAL, UINT32_MAX);
}

uint32_t apic_timer_count(void)
{
	return local_read(LOCAL_CURRENT);
}

void apic_timer_use_count(void)
{
	local_write(LOCAL_INITIAL, 0);
	local_write(LOCAL_TIMER, ARCH_VECTOR_TIMER);
}

void apic_timer_use_deadline(void)
{
	local_write(LOCAL_TIMER, LOCAL_TIMER_DEADLINE | ARCH_VECTOR_TIMER);
	/* The SDM asks for a fence between this mode and the first deadline (11.5.4.1). */
	__asm__ volatile("mfence" : : : "memory");
}
