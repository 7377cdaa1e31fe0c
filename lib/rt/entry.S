/*
 * The entry point of every program: rdi = address of the thread's ring, rsi = address of the launch
 * parameters or 0, rsp = end of the stack. The frame pointer is cleared so that backtraces end here.
 */
	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	xorl %ebp, %ebp
	andq $-16, %rsp
	call rt_start
	ud2
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
