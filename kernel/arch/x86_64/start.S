/*
 * From the boot loader to C. Two doors lead here, both in 32-bit protected mode without paging: PVH
 * (ebx: start info) and Multiboot2 (eax: magic, ebx: information). Builds tables that map the first
 * 4 GiB at 0, at DIRECT_BASE and, as far as the image reaches, at KERNEL_BASE; enters long mode and
 * calls boot_main(door magic, information) on the boot processor's own stack. paging.c replaces the
 * tables.
 */
#include "arch/x86_64/layout.h"

#define PHYSICAL(symbol) ((symbol) - KERNEL_BASE)

#define PAGE_PRESENT 0x1
#define PAGE_WRITE   0x2
#define PAGE_LARGE   0x80

/* Xen's ELF note 18: the physical address of the 32-bit entry. */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18
	.asciz "Xen"
	.long PHYSICAL(pvh_entry)

/* Multiboot2 specification 2.0, section 3.1: tags module alignment (6), entry address (3), end
 * (0). */
	.section .multiboot2, "a"
	.balign 8
multiboot2_header:
	.long 0xe85250d6, 0, multiboot2_end - multiboot2_header
	.long -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))
	.balign 8
	.short 6, 0
	.long 8
	.balign 8
	.short 3, 0
	.long 12, PHYSICAL(multiboot2_entry)
	.balign 8
	.short 0, 0
	.long 8
multiboot2_end:

/* All but the segments and paging itself, on the boot tables; for 16 and 32 bits. */
.macro LONG_MODE_PREPARE
	movl $PHYSICAL(boot_root), %eax
	movl %eax, %cr3
	movl $0x220, %eax               /* CR4: PAE, OSFXSR for memset */
	movl %eax, %cr4
	movl $0xc0000080, %ecx          /* EFER: long mode, no-execute, syscall */
	rdmsr
	orl $0x901, %eax
	wrmsr
.endm

	.section .boot.text, "ax"
	.code32

	.globl pvh_entry
pvh_entry:
	movl $0x336ec578, %eax
multiboot2_entry:
	cld
	cli
	movl %eax, %ebp
	movl %ebx, %esi                 /* cpuid overwrites ebx */
	movl $PHYSICAL(boot_cpu_area + CPU_STACK_TOP), %esp

	/* Without long mode there is nothing to run: say so and stop. */
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc no_long_mode
	btl $20, %edx
	jnc no_execute_disable

	/* 4 GiB of 2 MiB pages. */
	movl $PHYSICAL(boot_directories), %edi
	movl $(PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE), %eax
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $8, %edi
	addl $0x200000, %eax
	cmpl $PHYSICAL(boot_directories + BOOT_MAPPED_GIB * PAGE_SIZE), %edi
	jne 1b

	movl $PHYSICAL(boot_directories + (PAGE_PRESENT | PAGE_WRITE)), %eax
	movl $PHYSICAL(boot_pointers_low), %edi
	movl %eax, PHYSICAL(boot_pointers_high + 510 * 8)
2:	movl %eax, (%edi)
	addl $8, %edi
	addl $PAGE_SIZE, %eax
	cmpl $PHYSICAL(boot_pointers_low + BOOT_MAPPED_GIB * 8), %edi
	jne 2b

	movl $PHYSICAL(boot_pointers_low + (PAGE_PRESENT | PAGE_WRITE)), %eax
	movl %eax, PHYSICAL(boot_root)
	movl %eax, PHYSICAL(boot_root + 256 * 8)
	movl $PHYSICAL(boot_pointers_high + (PAGE_PRESENT | PAGE_WRITE)), %eax
	movl %eax, PHYSICAL(boot_root + 511 * 8)

	LONG_MODE_PREPARE
	movl $0x80010033, %eax          /* CR0: PG WP NE ET MP PE */
	movl %eax, %cr0
	lgdtl PHYSICAL(boot_segment_register)
	ljmpl $SELECTOR_KERNEL_CODE, $PHYSICAL(long_mode)

no_long_mode:
	movl $PHYSICAL(sentence_long_mode), %esi
	jmp refuse
no_execute_disable:
	movl $PHYSICAL(sentence_execute_disable), %esi
refuse:
	movl $0x3fd, %edx
	movl $0x100000, %ecx
3:	inb %dx, %al
	testb $0x20, %al
	loopz 3b
	lodsb
	testb %al, %al
	jz 4f
	movl $0x3f8, %edx
	outb %al, %dx
	jmp refuse
4:	movl $0x501, %edx               /* as arch_panic_exit */
	movb $0x0e, %al
	outb %al, %dx
5:	hlt
	jmp 5b

sentence_long_mode:
	.asciz "capos: this processor has no 64-bit mode, which capOS needs. Stopped.\r\n"
sentence_execute_disable:
	.ascii "capos: this processor cannot forbid execution of data (NX), "
	.asciz "which capOS needs. Stopped.\r\n"

	.balign 8
boot_segments:
	.quad 0
	.quad 0x00af9b000000ffff        /* code, 64 bit, privilege 0 */
	.quad 0x00cf93000000ffff        /* data */
boot_segment_register:
	.short . - boot_segments - 1
	.long PHYSICAL(boot_segments)

	.code64
long_mode:
	movabsq $long_mode_high, %rax
	jmp *%rax
long_mode_high:
	xorl %eax, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movq $boot_cpu_area + CPU_STACK_TOP, %rsp
	movl %ebp, %edi
	movl %esi, %esi                 /* clears the upper half */
	xorl %ebp, %ebp
	pushq %rbp                      /* ends backtraces */
	pushq %rbp
	call boot_main
	ud2

/*
 * Any other processor starts in real mode at the beginning of a page below 1 MiB, where the kernel
 * has copied this (Intel SDM vol. 3, 8.4.4). Straight to long mode on the boot tables, which map that
 * page at its own address, then to the kernel's tables and to processor_main(area) on the stack of
 * its own area.
 */
	.section .rodata.processor_start, "a"
	.globl processor_start, processor_start_end
	.code16
processor_start:
	cli
	cld
	LONG_MODE_PREPARE
	lgdtl %cs:(processor_segment_register - processor_start)
	movl $0x80010033, %eax          /* CR0: PG WP NE ET MP PE */
	movl %eax, %cr0
	ljmpl $SELECTOR_KERNEL_CODE, $PHYSICAL(processor_long_mode)
processor_segment_register:
	.short 23                       /* three of boot_segments */
	.long PHYSICAL(boot_segments)
processor_start_end:

	.section .boot.text, "ax"
	.code64
processor_long_mode:
	movabsq $processor_long_mode_high, %rax
	jmp *%rax
processor_long_mode_high:
	xorl %eax, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movq kernel_root, %rax
	movq %rax, %cr3
	movq processor_start_area, %rdi
	leaq CPU_STACK_TOP(%rdi), %rsp
	xorl %ebp, %ebp
	pushq %rbp                      /* ends backtraces */
	pushq %rbp
	call processor_main
	ud2

	.section .bss.boot_tables, "aw", @nobits
	.balign PAGE_SIZE
boot_root:
	.skip PAGE_SIZE
boot_pointers_low:
	.skip PAGE_SIZE
boot_pointers_high:
	.skip PAGE_SIZE
boot_directories:
	.skip BOOT_MAPPED_GIB * PAGE_SIZE

	.section .bss.cpu_area, "aw", @nobits
	.balign CPU_AREA_BYTES
	.globl boot_cpu_area
boot_cpu_area:
	.skip CPU_AREA_BYTES

	.section .note.GNU-stack, "", @progbits
