/*
 * What a hostile program does to the processor: instructions and addresses that are not its
 * business, flags and registers that system calls and exceptions must not trust. Each deed ends the
 * process, or comes to nothing.
 */
#include "abi/syscall.h"
#include "tests/hostile/hostile.h"

#define KERNEL_ADDRESS 0xffffffff80100000ull
#define NOT_CANONICAL  0x0000800000000000ull

static void jump(uint64_t address)
{
	__asm__ volatile("jmp *%0" : : "r"(address) : "memory");
}

static uint64_t recurse(uint64_t depth)
{
	volatile uint64_t space[64];

	if (depth == UINT64_MAX)
		return 0;
	space[depth % 64] = depth;
	return recurse(depth + 1) + space[depth % 64];
}

/* System calls with everything set to a value, flags included. */
static void system_calls(uint64_t value)
{
	for (uint64_t number = 2; number < 66; number++) {
		uint64_t result = number;

		__asm__ volatile("mov %1, %%rdi; mov %1, %%rsi; mov %1, %%rdx; mov %1, %%r8; mov "
				 "%1, %%r9; mov %1, %%r10\n\t"
				 "syscall"
				 : "+a"(result)
				 : "r"(value)
				 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
	}
	for (uint64_t bit = 6; bit < 64; bit++)
		(void)cap_enter(value & (1ull << bit), bit % 2 ? 1ull << bit : 0, 1);
}

/* The flags that a program can set, at a system call: nested task, alignment check, direction,
 * single step. */
static void call_with_flags(uint64_t flags)
{
	int64_t result = 77;

	__asm__ volatile("pushfq; pop %%rcx; or %1, %%rcx; push %%rcx; popfq\n\t"
			 "syscall\n\t"
			 "cld; pushfq; andq $0xfffffffffffbbeff, (%%rsp); popfq"
			 : "+a"(result)
			 : "r"(flags), "D"(0), "S"(0), "d"(0)
			 : "rcx", "r11", "memory", "cc");
}

int evil_deed(const char *number)
{
	static uint64_t scratch[8];
	uint64_t value;

	switch (number_of(number)) {
	case 0:
		jump(KERNEL_ADDRESS);
		break;
	case 1:
		jump(NOT_CANONICAL);
		break;
	case 2:
		jump(0xffff800000000000);
		break;
	case 3:
		jump(0x7fffffffffff);
		break;
	case 4:
		jump(0);
		break;
	case 5:
		*(volatile uint64_t *)KERNEL_ADDRESS = 1;
		break;
	case 6:
		value = *(volatile uint64_t *)0xffff800000000000;
		break;
	case 7:
		value = *(volatile uint64_t *)NOT_CANONICAL;
		break;
	case 8:
		__asm__ volatile("cli");
		break;
	case 9:
		__asm__ volatile("hlt");
		break;
	case 10:
		__asm__ volatile("mov %%cr3, %0" : "=r"(value));
		break;
	case 11:
		__asm__ volatile("mov %0, %%cr0" : : "r"(0ull));
		break;
	case 12:
		__asm__ volatile("wrmsr" : : "c"(0xc0000082), "a"(0), "d"(0));
		break;
	case 13:
		__asm__ volatile("lgdt %0" : : "m"(scratch));
		break;
	case 14:
		__asm__ volatile("sgdt %0" : "=m"(scratch)); /* UMIP */
		break;
	case 15:
		__asm__ volatile("inb $0x64, %%al" : : : "al");
		break;
	case 16:
		__asm__ volatile("outl %0, $0xf4" : : "a"(0));
		break;
	case 17:
		__asm__ volatile("int $0x80");
		break;
	case 18:
		__asm__ volatile("int $14"); /* a page fault that is none */
		break;
	case 19:
		__asm__ volatile("int $2");
		break;
	case 20:
		__asm__ volatile("sysenter");
		break;
	case 21:
		return (int)recurse(1);
	case 22:
		system_calls(0);
		system_calls(UINT64_MAX);
		system_calls(KERNEL_ADDRESS);
		return 0;
	case 23: /* a stack pointer of the kernel's */
		__asm__ volatile("mov %0, %%rsp; xor %%eax, %%eax; xor %%edi, %%edi; xor %%esi, "
				 "%%esi; xor %%edx, %%edx; "
				 "syscall; push %%rax"
				 :
				 : "r"(KERNEL_ADDRESS)
				 : "memory");
		break;
	case 24: /* GS and FS bases of the kernel's, and then interrupts, exceptions and system calls */
		__asm__ volatile("wrgsbase %0; wrfsbase %0" : : "r"(KERNEL_ADDRESS));
		for (uint32_t i = 0; i < 3; i++)
			__asm__ volatile("syscall"
					 : "=a"(value)
					 : "0"(0), "D"(0), "S"(0), "d"(0)
					 : "rcx", "r8", "r9", "r10", "r11", "memory");
		for (volatile uint32_t i = 0; i < 3000000; i++)
			;
		__asm__ volatile("ud2");
		break;
	case 25:
		call_with_flags(1 << 14); /* nested task */
		call_with_flags(1 << 18); /* alignment check */
		call_with_flags(1 << 10); /* direction */
		return 0;
	case 26:
		call_with_flags(1 << 8); /* single step */
		break;
	case 27:
		__asm__ volatile(".byte 0xf1"); /* int1 */
		break;
	case 28: /* selectors of the kernel's */
		__asm__ volatile("mov %0, %%ss" : : "r"(16));
		break;
	case 29:
		__asm__ volatile("pushq $8; pushq %0; lretq" : : "r"(KERNEL_ADDRESS) : "memory");
		break;
	case 30:
		__asm__ volatile("pushq $0; pushq %%rsp; pushq $0x3202; pushq $8; pushq %0; iretq"
				 :
				 : "r"(KERNEL_ADDRESS)
				 : "memory");
		break;
	}
	return 0;
}
