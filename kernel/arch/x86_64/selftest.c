/*
 * Tests this port on the machine it runs on, before anything else does: enters user mode, takes
 * system calls, faults and interrupts, and checks what arrives on both sides. Debug builds, when
 * the command line has "arch-selftest"; prints TAP lines and powers off, with status 1 if one
 * failed. "crash=..." tries one of the ends instead that the kernel must report as a panic.
 */
#include "arch/x86_64/selftest.h"
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/ledger.h"
#include "kernel/sched/cpu.h"

#define RING_ADDRESS 0x700000
#define ARGUMENT     0xabcdef
#define RESULT       (-5)
#define TIMER_NS     2000000

extern const uint8_t selftest_user_start[], selftest_user_second[], selftest_user_end[];

struct arch_context *selftest_syscall(uint64_t a, uint64_t b, uint64_t c, uint64_t number);
void selftest_syscall_entry(void);

bool selftest_running;

/* Before any other ledger exists. */
static struct ledger ledger = {
	.lock = SPINLOCK_INIT(LOCK_RANK_LEDGER, "selftest"),
	.limit = { [RESOURCE_CLASS_FRAMES] = 100 },
};
static struct arch_space space;
static struct arch_context first, second;
static struct arch_fault last_fault;
static uint32_t fault_count;
static uint64_t lazy_page, data_page;
static uint64_t timer_deadline;
static uint32_t idle_interrupts;
static uint32_t test_count, failed_count;

static void check(bool right, const char *name)
{
	char line[128];
	size_t count = format_chars(line, sizeof(line), "TAP %s %u - %s\n", right ? "ok" : "not ok",
			++test_count, name);

	failed_count += !right;
	log_chars(line, count);
}

static void test_number(const char *name, uint64_t value)
{
	char line[128];

	log_chars(line, format_chars(line, sizeof(line), "TAP # %s: %lu\n", name, value));
}

static NORETURN void selftest_end(void)
{
	char line[32];

	log_chars(line, format_chars(line, sizeof(line), "TAP 1..%u\n", test_count));
	arch_power_off(failed_count > 0);
}

/* --- Memory functions ----------------------------------------------------------------------- */

#define MEMORY_SPAN 200

static uint8_t memory_a[MEMORY_SPAN], memory_b[MEMORY_SPAN];

static void memory_fill(void)
{
	for (uint32_t i = 0; i < MEMORY_SPAN; i++) {
		memory_a[i] = (uint8_t)(i * 7 + 1);
		memory_b[i] = memory_a[i];
	}
}

/* Byte by byte, as the standard says: as if through a copy. */
static void move_slowly(volatile uint8_t *to, const uint8_t *from, uint32_t count)
{
	uint8_t between[MEMORY_SPAN];

	for (uint32_t i = 0; i < count; i++)
		*(volatile uint8_t *)&between[i] = from[i];
	for (uint32_t i = 0; i < count; i++)
		to[i] = between[i];
}

static bool move_right(uint32_t to, uint32_t from, uint32_t count)
{
	memory_fill();
	move_slowly(memory_b + to, memory_b + from, count);
	return memmove(memory_a + to, memory_a + from, count) == memory_a + to &&
			memcmp(memory_a, memory_b, MEMORY_SPAN) == 0;
}

static bool set_right(uint32_t to, uint32_t count)
{
	memory_fill();
	for (uint32_t i = 0; i < count; i++)
		*(volatile uint8_t *)&memory_b[to + i] = 0xc3;
	return memset(memory_a + to, 0x1c3, count) == memory_a + to &&
			memcmp(memory_a, memory_b, MEMORY_SPAN) == 0;
}

#define FILL_SPAN 1100

/* Fills by 16 bytes: all of the range and nothing beside it, and the vector register is as it was. */
static bool fill_right(uint32_t to, uint32_t count)
{
	static uint8_t span[FILL_SPAN];
	const uint64_t mark[2] = { 0x0123456789abcdef ^ count, 0xfedcba9876543210 + to };
	uint64_t before[2], after[2];
	bool right = true;

	for (uint32_t i = 0; i < FILL_SPAN; i++)
		*(volatile uint8_t *)&span[i] = 0x11;
	__asm__ volatile("movups %%xmm0, %0; movups %1, %%xmm0" : "=m"(before) : "m"(mark));
	memset(span + to, 0x1c3, count);
	__asm__ volatile("movups %%xmm0, %0; movups %1, %%xmm0" : "=m"(after) : "m"(before));
	for (uint32_t i = 0; i < FILL_SPAN; i++)
		right &= span[i] == (i >= to && i < to + count ? 0xc3 : 0x11);
	return right && after[0] == mark[0] && after[1] == mark[1];
}

static void test_memory(void)
{
	bool moves = true, sets = true;

	for (uint32_t count = 0; count < 80; count++) {
		for (uint32_t distance = 0; distance <= 100; distance++) {
			moves &= move_right(10, 10 + distance, count);
			moves &= move_right(10 + distance, 10, count);
		}
		sets &= set_right(count % 9, count);
	}
	check(moves, "memory moves right, overlapping or not");
	check(sets, "memory is set right");
	sets = true;
	for (uint32_t count = 240; count < FILL_SPAN - 20; count += count < 300 || count > 500 ? 1 : 19)
		sets &= fill_right(count % 19, count);
	check(sets, "much memory is set right, by a register that is kept");
	memory_fill();
	memory_b[70] ^= 0x80;
	check(memcmp(memory_a, memory_b, 70) == 0 && (memcmp(memory_a, memory_b, 71) > 0) ==
			(memory_a[70] > memory_b[70]), "memory compares right");
}

/* --- Kernel side only ----------------------------------------------------------------------- */

static void test_time(void)
{
	uint64_t start = arch_time_ns(), ticks = arch_ticks(), now;

	arch_timer_set(start + TIMER_NS);
	while (idle_interrupts == 0)
		arch_idle();
	now = arch_time_ns();
	check(now - start >= TIMER_NS * 9 / 10, "the timer does not fire much too early");
	check(now - start < 100 * TIMER_NS, "the timer fires");
	check(arch_ticks_to_ns(arch_ticks() - ticks) >= now - start,
			"ticks convert to nanoseconds");
	test_number("ns from a 2 ms timer", now - start);
}

static uint64_t page_make(uint64_t address, enum access access)
{
	uint64_t physical = frame_alloc_zeroed(0);

	check(arch_space_map(&space, address, physical, access, ARCH_MEMORY_NORMAL) == STATUS_OK,
			"a page can be mapped");
	return physical;
}

static void test_space(void)
{
	uint64_t physical, page;
	enum access access;
	bool found;

	check(arch_space_create(&space, &ledger) == STATUS_OK, "an address space can be made");
	page = page_make(SELFTEST_CODE, ACCESS_READ_WRITE);
	memcpy(arch_direct(page), selftest_user_start,
			(size_t)(selftest_user_end - selftest_user_start));
	check(arch_space_protect(&space, SELFTEST_CODE, ACCESS_READ_EXECUTE),
			"its access can be changed");
	data_page = page_make(SELFTEST_DATA, ACCESS_READ_WRITE);
	page = page_make(SELFTEST_HIDDEN, ACCESS_NONE);
	found = arch_space_lookup(&space, SELFTEST_HIDDEN + 8, &physical, &access);
	check(found && physical == page + 8 && access == ACCESS_NONE,
			"a page without access is kept");
	found = arch_space_lookup(&space, SELFTEST_CODE, &physical, &access);
	check(found && access == ACCESS_READ_EXECUTE, "a page tells its access");
	check(!arch_space_lookup(&space, SELFTEST_LAZY, &physical, &access), "a hole is a hole");
	lazy_page = frame_alloc_zeroed(0);
}

static void test_space_end(void)
{
	uint64_t before = frame_free_pages(), tables = space.table_pages, physical;

	arch_context_save(&first);
	space_unload();
	check(arch_space_unmap(&space, SELFTEST_DATA, &physical), "a page can be unmapped");
	check(physical == data_page, "and tells which it was");
	check(!arch_space_unmap(&space, SELFTEST_DATA, &physical), "but only once");
	arch_space_destroy(&space);
	check(frame_free_pages() == before + tables, "a space gives its tables back");
	check(ledger.used[RESOURCE_CLASS_FRAMES] == 0, "and refunds them");
	arch_context_destroy(&first);
	arch_context_destroy(&second);
	slab_check();
	frame_check();
	check(true, "the allocators are consistent");
}

/* --- With the user half --------------------------------------------------------------------- */

static void check_fault(uint32_t vector, uint64_t address, bool right, const char *name)
{
	check(fault_count == 1 && last_fault.vector == vector && last_fault.address == address &&
					right,
			name);
	fault_count = 0;
}

static struct arch_context *steps_preemption(uint64_t step, uint64_t a, uint64_t b, uint64_t c)
{
	switch (step) {
	case STEP_TIMER_START:
		timer_deadline = arch_time_ns() + TIMER_NS;
		arch_timer_set(timer_deadline);
		return &first;
	case STEP_SECOND:
		check(a == 0 && b == 0,
				"another thread sees no vector registers and its own FS base");
		arch_context_save(&second);
		arch_context_load(&first, &space);
		return &first;
	case STEP_PREEMPTED:
		check(a == 0x5a5a5a5a && b == 0x5a5a5a5a,
				"a preempted thread keeps vector registers and FS");
		check(c == RING_ADDRESS, "a resumed thread has its GS base again");
		break;
	case STEP_COST_KNOWN:
		test_number("ticks of a null system call, user stub and rdtsc included", a);
		break;
	case STEP_END:
		test_space_end();
		selftest_end();
	default:
		break;
	}
	arch_context_set_result(&first, RESULT);
	return &first;
}

struct arch_context *selftest_syscall(uint64_t a, uint64_t b, uint64_t c, uint64_t number)
{
	switch (number) {
	case STEP_COST:
		return &first;
	case STEP_START:
		check(a == RING_ADDRESS && b == ARGUMENT && c == RING_ADDRESS,
				"a new thread has its arguments");
		break;
	case STEP_RESULT:
		check(a == UINT64_MAX && b == UINT64_MAX && c == UINT64_MAX, "arguments arrive");
		break;
	case STEP_REGISTERS:
		check((int64_t)a == RESULT, "a system call has a result");
		check(b == 0, "registers that are not preserved come back as zero");
		check(c == 0x11 + 0x12 + 0x13 + 0x14 + 0x15 + 0x16,
				"preserved registers are preserved");
		break;
	case STEP_FAULT_SERVED:
		check(a == 14 * 15 / 2 && b == SELFTEST_LAZY,
				"a served page fault changes no register");
		check_fault(14, SELFTEST_LAZY, !last_fault.mapped, "and is described");
		break;
	case STEP_WRITE_CODE:
		check_fault(14, SELFTEST_CODE, last_fault.mapped && last_fault.write,
				"code cannot be written");
		break;
	case STEP_EXECUTE_DATA:
		check_fault(14, SELFTEST_DATA, last_fault.mapped && last_fault.execute,
				"data cannot be executed");
		break;
	case STEP_READ_KERNEL:
		check_fault(14, KERNEL_BASE + KERNEL_PHYSICAL, true, "the kernel cannot be read");
		break;
	case STEP_CALL_GATE:
		check_fault(13, 0, last_fault.kind == CRASH_KIND_PROTECTION,
				"interrupts cannot be called");
		break;
	case STEP_INVALID:
		check_fault(6, 0, last_fault.kind == CRASH_KIND_ILLEGAL_INSTRUCTION, "ud2 is told");
		break;
	case STEP_HIDDEN:
		check_fault(14, SELFTEST_HIDDEN, !last_fault.mapped,
				"a page without access cannot be read");
		break;
	default:
		return steps_preemption(number, a, b, c);
	}
	arch_context_set_result(&first, RESULT);
	return &first;
}

struct arch_context *selftest_fault(const struct arch_fault *fault)
{
	last_fault = *fault;
	fault_count++;
	if (fault->vector == 14 && fault->address == SELFTEST_LAZY) {
		check(arch_space_map(&space, SELFTEST_LAZY, lazy_page, ACCESS_READ_WRITE,
				      ARCH_MEMORY_NORMAL) == STATUS_OK,
				"a page can be mapped while it runs");
		return &first;
	}
	first.rip = first.r12;
	return &first;
}

struct arch_context *selftest_interrupt(uint32_t vector)
{
	arch_irq_end(vector);
	if (arch_time_ns() < timer_deadline) {
		arch_timer_set(timer_deadline);
		return &first;
	}
	check(vector == ARCH_VECTOR_TIMER, "the timer interrupts user mode");
	*(uint64_t *)arch_direct(data_page) = 1;
	arch_context_save(&first);
	arch_context_load(&second, &space);
	return &second;
}

void selftest_interrupt_idle(uint32_t vector)
{
	idle_interrupts++;
	arch_irq_end(vector);
}

/* --- Ends that must be told ----------------------------------------------------------------- */

static uint64_t overflow(volatile uint64_t depth)
{
	return depth == UINT64_MAX ? 0 : overflow(depth + 1) + depth;
}

static __attribute__((noinline)) void smash(volatile char *buffer, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buffer[i] = (char)i;
}

static __attribute__((noinline)) void canary(void)
{
	volatile char buffer[16];

	smash(buffer, 64);
}

static void read_user_memory(void)
{
	test_space();
	arch_context_load(&first, &space);
	test_number("user memory", *(volatile uint64_t *)SELFTEST_DATA);
}

static void lock_twice(void)
{
	static struct spinlock low = SPINLOCK_INIT(LOCK_RANK_FRAME, "low");
	static struct spinlock high = SPINLOCK_INIT(LOCK_RANK_SLAB, "high");

	spin_lock(&low);
	spin_lock(&high);
	spin_unlock(&high);
	spin_unlock(&low);
}

/* Ends the machine in the way that the command line names. */
void selftest_crash(const char *command_line)
{
	if (boot_command_line_has(command_line, "crash=assert"))
		panic("the command line asked for it");
	if (boot_command_line_has(command_line, "crash=read"))
		test_number("null", *(volatile uint64_t *)16);
	if (boot_command_line_has(command_line, "crash=write-text"))
		*(volatile uint8_t *)(uint64_t)selftest_crash = 0;
	if (boot_command_line_has(command_line, "crash=write-text-alias"))
		*(volatile uint8_t *)arch_direct((uint64_t)selftest_crash - KERNEL_BASE) = 0;
	if (boot_command_line_has(command_line, "crash=run-data"))
		((void (*)(void))(uint64_t)&first)();
	if (boot_command_line_has(command_line, "crash=overflow"))
		test_number("overflow", overflow(0));
	if (boot_command_line_has(command_line, "crash=canary"))
		canary();
	if (boot_command_line_has(command_line, "crash=user-memory"))
		read_user_memory();
	if (boot_command_line_has(command_line, "crash=lock-order"))
		lock_twice();
	if (boot_command_line_has(command_line, "crash=nmi"))
		__asm__ volatile("int $2");
	if (boot_command_line_has(command_line, "crash=reboot"))
		arch_reboot();
}

void selftest_run(void)
{
	selftest_running = true;
	wrmsr(MSR_LSTAR, (uint64_t)selftest_syscall_entry);
	test_memory();
	test_time();
	test_space();
	if (arch_context_create(&first) != STATUS_OK || arch_context_create(&second) != STATUS_OK)
		check(false, "contexts can be made");
	arch_context_init(&first, SELFTEST_CODE, 0, RING_ADDRESS, ARGUMENT);
	arch_context_init(&second,
			SELFTEST_CODE + (uint64_t)(selftest_user_second - selftest_user_start), 0,
			RING_ADDRESS, ARGUMENT);
	arch_context_load(&first, &space);
	arch_enter_user(&first);
}
