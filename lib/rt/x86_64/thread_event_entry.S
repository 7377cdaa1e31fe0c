/*
 * Where a thread goes on when it is diverted: rdi = its record; all other registers but the flags
 * are what they were. Saves the vector registers in the area at the top of the handler's stack,
 * has C call the handler, and goes back to where the record says with every register restored. The
 * way back needs neither the kernel nor the interrupted stack: registers come from a frame that
 * lies at one place, right below the area, and the last two, for which no register is left, from
 * the ring's header, where the GS base points.
 * Always true: between window_begin and window_end the frame holds what is resumed. A thread that
 * is diverted again there, when the mask has just been cleared, takes its registers from the
 * frame: so the handler's stack never grows, however often that happens. In all other code here
 * the mask is set.
 */
#include "rt/x86_64/event_registers.h"

	.text
	.globl thread_event_entry
	.type thread_event_entry, @function
thread_event_entry:
	movq RECORD_AREA(%rdi), %rsp
	movq RECORD_REGISTERS + 8 * EVENT_RIP(%rdi), %rax
	leaq window_begin(%rip), %rcx
	cmpq %rcx, %rax
	jb handle
	leaq window_end(%rip), %rcx
	cmpq %rcx, %rax
	jae handle
	movq %rdi, %rdx
	leaq -EVENT_FRAME_BYTES(%rsp), %rsi
	leaq RECORD_REGISTERS(%rdi), %rdi
	movl $EVENT_REGISTERS, %ecx
	rep movsq
	movq %rdx, %rdi
handle:
	movq %rdi, %rbx
	movq %rsp, %r12
	xorl %eax, %eax
	leaq EVENT_AREA_HEADER(%rsp), %rdi
	movl $8, %ecx
	rep stosq
	movl $-1, %eax
	movl $-1, %edx
	xsave64 (%rsp)
	subq $EVENT_FRAME_BYTES, %rsp
	movq %rbx, %rdi
	xorl %ebp, %ebp
	call thread_event_run           /* (record) */
	movl $-1, %eax
	movl $-1, %edx
	xrstor64 (%r12)
	leaq RECORD_REGISTERS(%rbx), %rsi
	movq %rsp, %rdi
	movl $EVENT_REGISTERS, %ecx
	rep movsq
	movq RECORD_EVENTS(%rbx), %rsi
	movq (%rsi), %rsi
	movq 8 * EVENT_RIP(%rsp), %rax
	movq %rax, HEADER_EVENT_RIP(%rsi)
	movq 8 * EVENT_RSP(%rsp), %rax
	movq %rax, HEADER_EVENT_RSP(%rsi)
	xorl %eax, %eax
	/* A full barrier: who sends bits from here on sees the mask clear, or they are seen below. */
	xchgl %eax, HEADER_EVENT_MASK(%rsi)
window_begin:
	cmpq $0, HEADER_EVENT_BITS(%rsi)
	jne again
	movq 8 * EVENT_RBP(%rsp), %rbp
	movq 8 * EVENT_RAX(%rsp), %rax
	movq 8 * EVENT_RBX(%rsp), %rbx
	movq 8 * EVENT_RCX(%rsp), %rcx
	movq 8 * EVENT_RDX(%rsp), %rdx
	movq 8 * EVENT_RSI(%rsp), %rsi
	movq 8 * EVENT_RDI(%rsp), %rdi
	movq 8 * EVENT_R8(%rsp), %r8
	movq 8 * EVENT_R9(%rsp), %r9
	movq 8 * EVENT_R10(%rsp), %r10
	movq 8 * EVENT_R11(%rsp), %r11
	movq 8 * EVENT_R12(%rsp), %r12
	movq 8 * EVENT_R13(%rsp), %r13
	movq 8 * EVENT_R14(%rsp), %r14
	movq 8 * EVENT_R15(%rsp), %r15
	leaq 8 * EVENT_RFLAGS(%rsp), %rsp
	popfq
	movq %gs:HEADER_EVENT_RSP, %rsp
	jmp *%gs:HEADER_EVENT_RIP
again:
	movl $1, HEADER_EVENT_MASK(%rsi)
window_end:
	/* Sent while it was masked. */
	xorl %eax, %eax
	xchgq %rax, HEADER_EVENT_BITS(%rsi)
	movq %rax, RECORD_BITS(%rbx)
	movl $RECORD_KIND_DIVERT, RECORD_KIND(%rbx)
	movq %rbx, %rdi
	movq %r12, %rsp
	jmp handle
	.size thread_event_entry, . - thread_event_entry

	.section .note.GNU-stack, "", @progbits
