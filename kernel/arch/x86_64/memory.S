/*
 * memcpy, memmove and memset for the kernel, whose compiler knows no vector registers. Whole words by
 * string instructions, the odd end by one word that overlaps what was done before: 64 bytes take 17
 * steps. Large fills, of pages above all, go by 16 bytes.
 * Always true: no vector register is changed when one of these returns. What is in them may be the
 * user's, so the one that a fill borrows is kept on the stack meanwhile and put back.
 */
#define FILL_LARGE 256          /* bytes from which 16 at a time are fewer steps */

	.text

/* void *memcpy(void *to, const void *from, size_t count) */
	.globl memcpy
	.type memcpy, @function
	.balign 16
memcpy:
	movq %rdi, %rax
	movq %rdx, %rcx
	cmpq $8, %rdx
	jb copy_small
	movq -8(%rsi, %rdx), %r8
	shrq $3, %rcx
	rep movsq
	movq %r8, -8(%rax, %rdx)
	ret
copy_small:
	cmpl $4, %edx
	jb 1f
	movl (%rsi), %r8d
	movl -4(%rsi, %rdx), %r9d
	movl %r8d, (%rdi)
	movl %r9d, -4(%rdi, %rdx)
	ret
1:	testl %edx, %edx
	jz 2f
	movzbl (%rsi), %r8d
	movzbl -1(%rsi, %rdx), %r9d
	movl %edx, %ecx
	shrl $1, %ecx
	movzbl (%rsi, %rcx), %r10d
	movb %r8b, (%rdi)
	movb %r10b, (%rdi, %rcx)
	movb %r9b, -1(%rdi, %rdx)
2:	ret
	.size memcpy, . - memcpy

/* void *memmove(void *to, const void *from, size_t count): forwards unless the target begins
 * inside the source. */
	.globl memmove
	.type memmove, @function
	.balign 16
memmove:
	movq %rdi, %r8
	subq %rsi, %r8
	cmpq %rdx, %r8
	jae memcpy
	movq %rdi, %rax
	cmpq $8, %rdx
	jb copy_small
	/* Backwards; the first word is kept, because the last step may overlap it. */
	movq (%rsi), %r9
1:	movq -8(%rsi, %rdx), %r8
	movq %r8, -8(%rdi, %rdx)
	subq $8, %rdx
	cmpq $8, %rdx
	jae 1b
	movq %r9, (%rdi)
	ret
	.size memmove, . - memmove

/* void *memset(void *to, int value, size_t count) */
	.globl memset
	.type memset, @function
	.balign 16
memset:
	movq %rdi, %r8
	movzbl %sil, %eax
	movabsq $0x0101010101010101, %rcx
	imulq %rcx, %rax
	movq %rdx, %rcx
	cmpq $8, %rdx
	jb 1f
	cmpq $FILL_LARGE, %rdx
	jae fill_large
	shrq $3, %rcx
	rep stosq
	movq %rax, -8(%r8, %rdx)
	movq %r8, %rax
	ret
fill_large:
	subq $16, %rsp
	movups %xmm0, (%rsp)
	movq %rax, %xmm0
	punpcklqdq %xmm0, %xmm0
	movups %xmm0, -16(%rdi, %rdx)
	shrq $8, %rcx
4:	.irp offset, 0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240
	movups %xmm0, \offset(%rdi)
	.endr
	addq $256, %rdi
	decq %rcx
	jnz 4b
	movups (%rsp), %xmm0
	addq $16, %rsp
	movl %edx, %ecx
	andl $255, %ecx
	shrl $3, %ecx
	rep stosq
	movq %r8, %rax
	ret
1:	jrcxz 3f
2:	movb %al, -1(%rdi, %rcx)
	decl %ecx
	jnz 2b
3:	movq %r8, %rax
	ret
	.size memset, . - memset

	.section .note.GNU-stack, "", @progbits
