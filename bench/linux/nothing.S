/* The smallest program: it ends. What process_cycle starts. */
.globl _start
_start:
	mov $60, %eax
	xor %edi, %edi
	syscall
