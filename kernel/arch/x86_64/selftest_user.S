/*
 * The user half of selftest.c: position-independent code that is copied to a page of its own. It
 * reports by system calls, step number in rax; r12 says where to go on after a fault that is meant.
 */
#include "arch/x86_64/selftest.h"

.macro REPORT step
	movl $\step, %eax
	syscall
.endm

	.section .rodata.selftest, "a"
	.globl selftest_user_start, selftest_user_second, selftest_user_end
	.balign 16
selftest_user_start:
	/* What the first registers and GS show. */
	rdgsbase %rdx
	REPORT STEP_START

	/* Which registers a system call keeps, and that the others come back as zero. */
	movl $0x11, %ebx
	movl $0x12, %ebp
	movl $0x13, %r12d
	movl $0x14, %r13d
	movl $0x15, %r14d
	movl $0x16, %r15d
	movq $-1, %rdi
	movq $-1, %rsi
	movq $-1, %rdx
	movq $-1, %r8
	movq $-1, %r9
	movq $-1, %r10
	REPORT STEP_RESULT
	orq %rdx, %rdi
	orq %r8, %rdi
	orq %r9, %rdi
	orq %r10, %rdi
	orq %rdi, %rsi
	movq %rax, %rdi
	leaq (%rbx, %rbp), %rdx
	addq %r12, %rdx
	addq %r13, %rdx
	addq %r14, %rdx
	addq %r15, %rdx
	REPORT STEP_REGISTERS

	/* A page fault that the kernel serves: all registers survive it. */
	movl $1, %eax
	movl $2, %ebx
	movl $3, %ecx
	movl $4, %edx
	movl $5, %esi
	movl $6, %edi
	movl $7, %ebp
	movl $8, %r8d
	movl $9, %r9d
	movl $10, %r10d
	movl $11, %r11d
	movl $12, %r12d
	movl $13, %r13d
	movl $14, %r14d
	addq $SELFTEST_LAZY, SELFTEST_LAZY
	addq %rbx, %rax
	addq %rcx, %rax
	addq %rdx, %rax
	addq %rsi, %rax
	addq %rdi, %rax
	addq %rbp, %rax
	addq %r8, %rax
	addq %r9, %rax
	addq %r10, %rax
	addq %r11, %rax
	addq %r12, %rax
	addq %r13, %rax
	addq %r14, %rax
	movq %rax, %rdi
	movq SELFTEST_LAZY, %rsi
	REPORT STEP_FAULT_SERVED

	/* Faults that are refused. */
	leaq 1f(%rip), %r12
	movq $1, SELFTEST_CODE
1:	REPORT STEP_WRITE_CODE
	leaq 1f(%rip), %r12
	movl $SELFTEST_DATA, %eax
	jmp *%rax
1:	REPORT STEP_EXECUTE_DATA
	leaq 1f(%rip), %r12
	movabsq $0xffffffff80200000, %rax
	movq (%rax), %rax
1:	REPORT STEP_READ_KERNEL
	leaq 1f(%rip), %r12
	int $0xfe
1:	REPORT STEP_CALL_GATE
	leaq 1f(%rip), %r12
	ud2
1:	REPORT STEP_INVALID
	leaq 1f(%rip), %r12
	movq SELFTEST_HIDDEN, %rax
1:	REPORT STEP_HIDDEN

	/* Preempted while vector registers, FS and GS are in use; another thread runs meanwhile. */
	movl $SELFTEST_DATA, %eax
	movq $0x5a5a5a5a, %rdx
	movq %rdx, %xmm3
	wrfsbase %rdx
	movl $0x1000, %edx
	wrgsbase %rdx
	REPORT STEP_TIMER_START
1:	movq SELFTEST_DATA, %rax
	testq %rax, %rax
	jz 1b
	movq %xmm3, %rdi
	rdfsbase %rsi
	rdgsbase %rdx
	REPORT STEP_PREEMPTED

	/* What a system call costs, by the tick counter. */
	movq $100, %rbx
2:	rdtsc
	movl %eax, %r14d
	REPORT STEP_COST
	rdtsc
	subl %r14d, %eax
	movl %eax, %r13d
	decq %rbx
	jnz 2b
	movl %r13d, %edi
	REPORT STEP_COST_KNOWN
	REPORT STEP_END

	.balign 16
selftest_user_second:
	movq %xmm3, %rdi
	rdfsbase %rsi
	movl $77, %edx
	movq %rdx, %xmm3
	wrfsbase %rdx
	REPORT STEP_SECOND
	ud2
selftest_user_end:

	.section .note.GNU-stack, "", @progbits
