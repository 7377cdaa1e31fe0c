/*
 * Entering the kernel, and running, with every register full: what tests/guest/register_test.c
 * asks whether anybody else sees. struct registers: sixteen general registers as the instruction
 * set numbers them (rsp is left alone), sixteen vector registers of 32 bytes.
 */
	.text

#define VECTORS 128

	.macro SAVE_ALL
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rsi
	.endm

	.macro RESTORE_ALL
	addq $8, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	vzeroupper
	ret
	.endm

	/* From (%rax), all but rax, rcx, rdx, rsi, rdi. */
	.macro FILL
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu VECTORS + 32 * \n(%rax), %ymm\n
	.endr
	movq 24(%rax), %rbx
	movq 40(%rax), %rbp
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	movq 8 * \n(%rax), %r\n
	.endr
	.endm

	/* To what SAVE_ALL kept of rsi. */
	.macro STORE
	pushq %rax
	movq 8(%rsp), %rax
	movq %rcx, 8(%rax)
	movq %rdx, 16(%rax)
	movq %rbx, 24(%rax)
	movq %rbp, 40(%rax)
	movq %rsi, 48(%rax)
	movq %rdi, 56(%rax)
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	movq %r\n, 8 * \n(%rax)
	.endr
	popq (%rax)
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu %ymm\n, VECTORS + 32 * \n(%rax)
	.endr
	.endm

/* void registers_enter(const struct registers *own, struct registers *seen): cap_enter for the
 * entry in the header (ENTER_SYNC). */
	.globl registers_enter
	.type registers_enter, @function
registers_enter:
	SAVE_ALL
	movq %rdi, %rax
	FILL
	movl $1, %edi
	xorl %esi, %esi
	xorl %edx, %edx
	xorl %eax, %eax
	syscall
	STORE
	RESTORE_ALL
	.size registers_enter, . - registers_enter

/* void registers_spin(const struct registers *own, struct registers *seen, uint64_t turns): stays
 * in user mode. */
	.globl registers_spin
	.type registers_spin, @function
registers_spin:
	SAVE_ALL
	movq %rdx, %rcx
	movq %rdi, %rax
	FILL
	movq 16(%rax), %rdx
	movq 48(%rax), %rsi
	movq 56(%rax), %rdi
	movq 0(%rax), %rax
1:	decq %rcx
	jnz 1b
	STORE
	RESTORE_ALL
	.size registers_spin, . - registers_spin

	.section .note.GNU-stack, "", @progbits
