/*
 * Entering the kernel from user mode and leaving it.
 *
 * `syscall`: number in rax, arguments in rdi, rsi, rdx. The processor put rip in rcx and rflags in
 * r11, and cleared IF, DF, AC, TF and NT by its mask. Only what C functions preserve is saved, in
 * the current context; the other registers come back as zero, the result in rax. On the way back
 * to the context that entered, C has preserved those registers already; `entered` names it, and
 * arch_context_init makes it forgotten.
 *
 * Interrupts and exceptions: all registers go to the current context. From kernel mode they are
 * fatal, but for interrupts in arch_idle.
 *
 * C runs on the processor's one stack, always from its top, and answers the context to leave
 * through. GS holds the kernel's base exactly between the two swapgs; user GS bases lie in the
 * shadow, and are written on the way out to a context that may not be the one that entered.
 */
#include "arch/x86_64/layout.h"

	.text

/* --- System calls --------------------------------------------------------------------------- */

.macro SYSCALL_ENTRY name, target
	.globl \name
	.type \name, @function
	.balign 64
\name:
	swapgs
	movq %gs:CPU_CONTEXT, %r8
	movq %rbx, CONTEXT_RBX(%r8)
	movq %rbp, CONTEXT_RBP(%r8)
	movq %r12, CONTEXT_R12(%r8)
	movq %r13, CONTEXT_R13(%r8)
	movq %r14, CONTEXT_R14(%r8)
	movq %r15, CONTEXT_R15(%r8)
	movq %rcx, CONTEXT_RIP(%r8)
	movq %rsp, CONTEXT_RSP(%r8)
	movq %r11, CONTEXT_RFLAGS(%r8)
	movq $CONTEXT_KIND_SYSCALL, CONTEXT_KIND(%r8)
	movq %r8, %gs:CPU_ENTERED
	movq %gs:CPU_STACK, %rsp
	movq %rax, %rcx
	call \target                   /* (argument, argument, argument, number) */
	cmpq %rax, %gs:CPU_ENTERED
	jne context_leave
	movq CONTEXT_RIP(%rax), %rcx
	movq CONTEXT_RFLAGS(%rax), %r11
	movq CONTEXT_RSP(%rax), %rsp
	movq CONTEXT_RAX(%rax), %rax
	SCRATCH_CLEAR
	swapgs
	sysretq
	.size \name, . - \name
.endm

/* What C used may not be read in user mode. */
.macro SCRATCH_CLEAR
	xorl %edx, %edx
	xorl %esi, %esi
	xorl %edi, %edi
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
.endm

SYSCALL_ENTRY syscall_entry, kernel_syscall
#if CONFIG_DEBUG
/* The same for the self test of this port. */
SYSCALL_ENTRY selftest_syscall_entry, selftest_syscall
#endif

/* rax: the context to leave through. It may be another than before, so the user's GS base comes
 * with it; from the first swapgs on nothing is addressed through GS. */
	.globl context_leave
	.type context_leave, @function
context_leave:
	cmpq $CONTEXT_KIND_SYSCALL, CONTEXT_KIND(%rax)
	jne leave_interrupted
	.globl context_leave_syscall
context_leave_syscall:
	movq CONTEXT_GS_BASE(%rax), %rdx
	movq CONTEXT_RBX(%rax), %rbx
	movq CONTEXT_RBP(%rax), %rbp
	movq CONTEXT_R12(%rax), %r12
	movq CONTEXT_R13(%rax), %r13
	movq CONTEXT_R14(%rax), %r14
	movq CONTEXT_R15(%rax), %r15
	movq CONTEXT_RIP(%rax), %rcx
	movq CONTEXT_RFLAGS(%rax), %r11
	movq CONTEXT_RSP(%rax), %rsp
	movq CONTEXT_RAX(%rax), %rax
	swapgs
	wrgsbase %rdx
	SCRATCH_CLEAR
	sysretq

leave_interrupted:
	pushq $SELECTOR_USER_DATA
	pushq CONTEXT_RSP(%rax)
	pushq CONTEXT_RFLAGS(%rax)
	pushq $SELECTOR_USER_CODE
	pushq CONTEXT_RIP(%rax)
	movq CONTEXT_GS_BASE(%rax), %rdx
	swapgs
	wrgsbase %rdx
	movq CONTEXT_RBX(%rax), %rbx
	movq CONTEXT_RBP(%rax), %rbp
	movq CONTEXT_R12(%rax), %r12
	movq CONTEXT_R13(%rax), %r13
	movq CONTEXT_R14(%rax), %r14
	movq CONTEXT_R15(%rax), %r15
	movq CONTEXT_RCX(%rax), %rcx
	movq CONTEXT_RDX(%rax), %rdx
	movq CONTEXT_RSI(%rax), %rsi
	movq CONTEXT_RDI(%rax), %rdi
	movq CONTEXT_R8(%rax), %r8
	movq CONTEXT_R9(%rax), %r9
	movq CONTEXT_R10(%rax), %r10
	movq CONTEXT_R11(%rax), %r11
	movq CONTEXT_RAX(%rax), %rax
	iretq
	.size context_leave, . - context_leave

/* NORETURN void arch_enter_user(struct arch_context *context) */
	.globl arch_enter_user
	.type arch_enter_user, @function
arch_enter_user:
	movq %rdi, %rax
	movq %gs:CPU_STACK, %rsp
	jmp context_leave
	.size arch_enter_user, . - arch_enter_user

/* --- Interrupts and exceptions -------------------------------------------------------------- */

/*
 * One stub per vector, so that the stack always holds: vector, error code (0 if the processor gives
 * none), rip, cs, rflags, rsp, ss.
 */
.macro TRAP_STUB vector
	.balign 16
trap_stub_\vector:
	.if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \
			\vector == 21 || \vector == 29 || \vector == 30)
	pushq $0
	.endif
	pushq $\vector
	.if \vector == 2 || \vector == 8 || \vector == 18
	jmp trap_fatal
	.else
	jmp trap_common
	.endif
.endm

.macro TRAP_STUB_ADDRESS vector
	.quad trap_stub_\vector
.endm

.altmacro
	.set i, 0
	.rept 256
	TRAP_STUB %i
	.set i, i + 1
	.endr

	.section .rodata
	.balign 8
	.globl trap_stubs
trap_stubs:
	.set i, 0
	.rept 256
	TRAP_STUB_ADDRESS %i
	.set i, i + 1
	.endr
.noaltmacro

	.text
	.type trap_common, @function
trap_common:
	testb $3, 24(%rsp)
	jz trap_kernel
	swapgs
	clac
	cld
	pushq %rax
	movq %gs:CPU_CONTEXT, %rax
	movq %rbx, CONTEXT_RBX(%rax)
	movq %rbp, CONTEXT_RBP(%rax)
	movq %r12, CONTEXT_R12(%rax)
	movq %r13, CONTEXT_R13(%rax)
	movq %r14, CONTEXT_R14(%rax)
	movq %r15, CONTEXT_R15(%rax)
	movq %rcx, CONTEXT_RCX(%rax)
	movq %rdx, CONTEXT_RDX(%rax)
	movq %rsi, CONTEXT_RSI(%rax)
	movq %rdi, CONTEXT_RDI(%rax)
	movq %r8, CONTEXT_R8(%rax)
	movq %r9, CONTEXT_R9(%rax)
	movq %r10, CONTEXT_R10(%rax)
	movq %r11, CONTEXT_R11(%rax)
	movq $CONTEXT_KIND_INTERRUPT, CONTEXT_KIND(%rax)
	popq CONTEXT_RAX(%rax)
	popq %rdi                       /* vector */
	popq %rsi                       /* error code */
	popq CONTEXT_RIP(%rax)
	popq %rcx                       /* cs */
	popq CONTEXT_RFLAGS(%rax)
	popq CONTEXT_RSP(%rax)
	movq %rax, %rdx
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	call trap_from_user             /* (vector, error code, context) */
	jmp context_leave
	.size trap_common, . - trap_common

/*
 * From kernel mode: the whole frame stays on the stack in the order of struct trap_frame. What is
 * not an interrupt in arch_idle never comes back; GS may be the user's, so it is set from the
 * stack.
 */
	.type trap_kernel, @function
trap_fatal:
trap_kernel:
	clac
	cld
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	leaq -1(%rsp), %rax
	andq $-CPU_AREA_BYTES, %rax
	wrgsbase %rax
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	xorl %ebp, %ebp
	call trap_from_kernel
	movq %rbx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $16, %rsp
	iretq
	.size trap_kernel, . - trap_kernel

	.section .note.GNU-stack, "", @progbits
