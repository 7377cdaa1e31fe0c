/*
 * Where things are in virtual memory, for C and assembly. The linker script repeats KERNEL_BASE and
 * KERNEL_PHYSICAL.
 *
 *   0000000000010000 .. 00007ffffffff000   a program's half (USER_BASE, USER_END)
 *   ffff800000000000 .. ffffc00000000000   all physical memory, not executable (direct map)
 *   ffffffff80000000 .. ffffffffc0000000   the kernel's image
 *   ffffffffc0000000 .. ffffffffc0200000   device registers of the kernel, uncached
 *   ffffffffc0200000 .. ffffffffc0400000   areas of the processors but the first
 *
 * The last page below the hole in the address space is never mapped: a `syscall` instruction at its
 * end would return to a non-canonical address, and `sysretq` would fault with kernel privilege.
 */
#ifndef KERNEL_ARCH_X86_64_LAYOUT_H
#define KERNEL_ARCH_X86_64_LAYOUT_H

#define PAGE_SHIFT 12
#define PAGE_SIZE  0x1000

#define USER_BASE 0x10000
#define USER_END  0x7ffffffff000

#define DIRECT_BASE     0xffff800000000000
#define DIRECT_BYTES    0x400000000000
#define KERNEL_BASE     0xffffffff80000000
#define KERNEL_PHYSICAL 0x200000
#define DEVICE_BASE     0xffffffffc0000000
#define DEVICE_BYTES    0x200000
#define CPU_AREAS_BASE  0xffffffffc0200000
#define CPU_AREAS_BYTES 0x200000

/* What the tables of the boot code map, at 0 and at DIRECT_BASE. */
#define BOOT_MAPPED_GIB 4

/* Segment selectors. The order is what `syscall` and `sysretq` prescribe: user data lies right
 * below user code. */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_SYSRET_BASE 0x18
#define SELECTOR_USER_DATA   0x23
#define SELECTOR_USER_CODE   0x2b
#define SELECTOR_TSS         0x30

/*
 * Each processor's area: 64 KiB, aligned, so that fatal traps find it by masking the stack pointer.
 * One page of data, then stacks, each below an unmapped page.
 */
#define CPU_AREA_BYTES        0x10000
#define CPU_STACK_GUARD       0x1000
#define CPU_STACK_TOP         0xa000
#define CPU_FAULT_STACK_GUARD 0xa000
#define CPU_FAULT_STACK_TOP   0xc000
#define CPU_NMI_STACK_GUARD   0xc000
#define CPU_NMI_STACK_TOP     0xe000
#define CPU_CHECK_STACK_GUARD 0xe000
#define CPU_CHECK_STACK_TOP   0x10000

/* Offsets into struct arch_cpu and struct arch_context; arch_types.h asserts them. */
#define CPU_SELF    0
#define CPU_STACK   8
#define CPU_CONTEXT 16
#define CPU_ENTERED 24

#define CONTEXT_RBX    0
#define CONTEXT_RBP    8
#define CONTEXT_R12    16
#define CONTEXT_R13    24
#define CONTEXT_R14    32
#define CONTEXT_R15    40
#define CONTEXT_RIP    48
#define CONTEXT_RSP    56
#define CONTEXT_RFLAGS 64
#define CONTEXT_RAX    72
#define CONTEXT_KIND   80
#define CONTEXT_RCX    88
#define CONTEXT_RDX    96
#define CONTEXT_RSI    104
#define CONTEXT_RDI    112
#define CONTEXT_R8     120
#define CONTEXT_R9     128
#define CONTEXT_R10    136
#define CONTEXT_R11    144
#define CONTEXT_GS_BASE 160

#define CONTEXT_KIND_SYSCALL   0
#define CONTEXT_KIND_INTERRUPT 1

#endif
