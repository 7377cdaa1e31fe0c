/*
 * Segments, task state and the interrupt table. One descriptor table and task state per processor;
 * one interrupt table for all. All gates are interrupt gates that user code cannot call, except
 * breakpoint and overflow.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"

#define VECTOR_NMI           2
#define VECTOR_BREAKPOINT    3
#define VECTOR_OVERFLOW      4
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_MACHINE_CHECK 18

#define SEGMENT_KERNEL_CODE 0x00af9b000000ffff
#define SEGMENT_KERNEL_DATA 0x00cf93000000ffff
#define SEGMENT_USER_DATA   0x00cff3000000ffff
#define SEGMENT_USER_CODE   0x00affb000000ffff
#define SEGMENT_TSS         0x0000890000000000

#define GATE_INTERRUPT 0x8e
#define GATE_FROM_USER 0x60

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t  stack;             /* 1..7: index into the task state's ist + 1; 0: none */
	uint8_t  type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

static struct gate gates[256] __attribute__((aligned(16)));

static void gate_set(uint32_t vector, uint8_t stack, uint8_t type)
{
	uint64_t entry = trap_stubs[vector];

	gates[vector] = (struct gate){
		.offset_low = (uint16_t)entry,
		.selector = SELECTOR_KERNEL_CODE,
		.stack = stack,
		.type = type,
		.offset_middle = (uint16_t)(entry >> 16),
		.offset_high = (uint32_t)(entry >> 32),
	};
}

static void gates_init(void)
{
	for (uint32_t vector = 0; vector < ARRAY_LEN(gates); vector++)
		gate_set(vector, 0, GATE_INTERRUPT);
	gate_set(VECTOR_BREAKPOINT, 0, GATE_INTERRUPT | GATE_FROM_USER);
	gate_set(VECTOR_OVERFLOW, 0, GATE_INTERRUPT | GATE_FROM_USER);
	gate_set(VECTOR_DOUBLE_FAULT, 1, GATE_INTERRUPT);
	gate_set(VECTOR_NMI, 2, GATE_INTERRUPT);
	gate_set(VECTOR_MACHINE_CHECK, 3, GATE_INTERRUPT);
}

static void stack_set(uint32_t words[2], uint64_t address)
{
	words[0] = (uint32_t)address;
	words[1] = (uint32_t)(address >> 32);
}

static void task_state_init(struct arch_cpu *cpu)
{
	struct arch_task_state *state = &cpu->task_state;
	uint64_t area = (uint64_t)cpu;

	stack_set(state->rsp0, area + CPU_STACK_TOP);
	stack_set(state->ist[0], area + CPU_FAULT_STACK_TOP);
	stack_set(state->ist[1], area + CPU_NMI_STACK_TOP);
	stack_set(state->ist[2], area + CPU_CHECK_STACK_TOP);
	state->io_map_offset = sizeof(*state);          /* past the limit: no port is allowed */
}

static void segments_init(struct arch_cpu *cpu)
{
	uint64_t state = (uint64_t)&cpu->task_state;
	uint64_t limit = sizeof(cpu->task_state) - 1;

	cpu->segments[SELECTOR_KERNEL_CODE / 8] = SEGMENT_KERNEL_CODE;
	cpu->segments[SELECTOR_KERNEL_DATA / 8] = SEGMENT_KERNEL_DATA;
	cpu->segments[SELECTOR_USER_DATA / 8] = SEGMENT_USER_DATA;
	cpu->segments[SELECTOR_USER_CODE / 8] = SEGMENT_USER_CODE;
	cpu->segments[SELECTOR_TSS / 8] = SEGMENT_TSS | limit | (state & 0xffffff) << 16 |
			((state >> 24) & 0xff) << 56;
	cpu->segments[SELECTOR_TSS / 8 + 1] = state >> 32;
}

static void segments_load(struct arch_cpu *cpu)
{
	struct table_register segments = { sizeof(cpu->segments) - 1, (uint64_t)cpu->segments };
	struct table_register interrupts = { sizeof(gates) - 1, (uint64_t)gates };

	__asm__ volatile("lgdt %0" : : "m"(segments));
	__asm__ volatile("pushq %0\n\t"
			"leaq 1f(%%rip), %%rax\n\t"
			"pushq %%rax\n\t"
			"lretq\n"
			"1:" : : "i"(SELECTOR_KERNEL_CODE) : "rax", "memory");
	__asm__ volatile("movl %0, %%ss" : : "r"(SELECTOR_KERNEL_DATA));
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
	__asm__ volatile("lidt %0" : : "m"(interrupts));
}

static void syscall_init(void)
{
	uint64_t kernel = SELECTOR_KERNEL_CODE, user = SELECTOR_SYSRET_BASE | 3;

	wrmsr(MSR_STAR, kernel << 32 | user << 48);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_CSTAR, 0);
	wrmsr(MSR_SYSCALL_MASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC |
			RFLAGS_IOPL | RFLAGS_RF);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
}

/* The GS base needs no FSGSBASE here: boot checks features after this. */
void descriptors_load(struct arch_cpu *cpu)
{
	task_state_init(cpu);
	segments_init(cpu);
	segments_load(cpu);
	wrmsr(MSR_GS_BASE, (uint64_t)cpu);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	syscall_init();
}

void descriptors_init(struct arch_cpu *cpu)
{
	gates_init();
	descriptors_load(cpu);
}
