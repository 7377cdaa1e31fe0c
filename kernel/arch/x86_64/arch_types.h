/*
 * The types that the x86_64 port gives to the rest of the kernel. Fields are the port's own, except
 * where a comment names another reader.
 */
#ifndef KERNEL_ARCH_X86_64_ARCH_TYPES_H
#define KERNEL_ARCH_X86_64_ARCH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "arch/x86_64/layout.h"

/*
 * A thread's registers while it does not run. After a system call (CONTEXT_KIND_SYSCALL) only what
 * the C calling convention preserves is meaningful, and vector registers are lost; after an
 * interrupt or exception (CONTEXT_KIND_INTERRUPT) all fields are.
 *
 * Always true: the live vector registers belong to the processor's current context exactly when its
 * kind is CONTEXT_KIND_INTERRUPT.
 */
struct arch_context {
	uint64_t rbx, rbp, r12, r13, r14, r15;
	uint64_t rip, rsp, rflags;
	uint64_t rax;               /* after a system call: its result */
	uint64_t kind;
	uint64_t rcx, rdx, rsi, rdi, r8, r9, r10, r11;
	uint64_t fs_base;           /* meaningful while another context is current */
	uint64_t gs_base;           /* fixed: the ring's user address */
	void    *vector;            /* save area, owned */
	uint64_t vector_saved;      /* the area holds state to be restored */
};

STATIC_ASSERT(offsetof(struct arch_context, rbx) == CONTEXT_RBX);
STATIC_ASSERT(offsetof(struct arch_context, rbp) == CONTEXT_RBP);
STATIC_ASSERT(offsetof(struct arch_context, r12) == CONTEXT_R12);
STATIC_ASSERT(offsetof(struct arch_context, r15) == CONTEXT_R15);
STATIC_ASSERT(offsetof(struct arch_context, rip) == CONTEXT_RIP);
STATIC_ASSERT(offsetof(struct arch_context, rsp) == CONTEXT_RSP);
STATIC_ASSERT(offsetof(struct arch_context, rflags) == CONTEXT_RFLAGS);
STATIC_ASSERT(offsetof(struct arch_context, rax) == CONTEXT_RAX);
STATIC_ASSERT(offsetof(struct arch_context, kind) == CONTEXT_KIND);
STATIC_ASSERT(offsetof(struct arch_context, rcx) == CONTEXT_RCX);
STATIC_ASSERT(offsetof(struct arch_context, rdi) == CONTEXT_RDI);
STATIC_ASSERT(offsetof(struct arch_context, r8) == CONTEXT_R8);
STATIC_ASSERT(offsetof(struct arch_context, r11) == CONTEXT_R11);
STATIC_ASSERT(offsetof(struct arch_context, gs_base) == CONTEXT_GS_BASE);

struct arch_space {
	uint64_t       root;        /* physical address of the top table, 0: none */
	uint64_t       tables;      /* the last table made: they are linked, the root is the first */
	uint64_t       table_pages; /* all levels, the root included; charged to `ledger` */
	uint64_t       recent;      /* a: the table of leaves used last; space.c */
	struct ledger *ledger;      /* borrowed */
};

/* An exception in user mode. Any part of the kernel may read it. */
struct arch_fault {
	uint32_t vector;
	uint32_t kind;              /* enum crash_kind */
	uint64_t error_code;
	uint64_t address;           /* that could not be accessed; 0 if it was not about memory */
	uint64_t instruction;
	uint64_t stack;
	bool     write;             /* of a page fault: the access that was tried */
	bool     execute;
	bool     mapped;            /* of a page fault: a page is there and forbids the access */
};

/* What the processor reads on a change of privilege (Intel SDM vol. 3, 8.7). */
struct arch_task_state {
	uint32_t reserved_0;
	uint32_t rsp0[2];
	uint32_t rsp1[2];
	uint32_t rsp2[2];
	uint32_t reserved_28[2];
	uint32_t ist[7][2];
	uint32_t reserved_92[2];
	uint16_t reserved_100;
	uint16_t io_map_offset;
};

STATIC_ASSERT(sizeof(struct arch_task_state) == 104);

/* So many pages are dropped one by one; beyond that it is cheaper to drop all translations. */
#define STALE_MAX 32u

/* First member of struct cpu; what the entry code and this port need of a processor. */
struct arch_cpu {
	struct cpu            *self;
	uint64_t               stack_top;
	struct arch_context   *context;     /* whose registers are live; may be NULL */
	struct arch_context   *entered;     /* by the last system call, unless initialised since */
	uint64_t               root;        /* what CR3 holds; read by all */
	bool                   must_leave;  /* set by another one that destroys this space: space.c */
	uint32_t               stale_count; /* pages in `stale`, written by others; STALE_MAX + 1: all */
	uint64_t               stale[STALE_MAX];
	uint32_t               interrupt_id;    /* of its local interrupt controller */
	bool                   idle;        /* in arch_idle or arch_take_interrupts: an interrupt may hit the kernel */
	bool                   called;      /* in arch_sleep_until_called: a call may hit the kernel */
	uint64_t               segments[8]; /* descriptor table */
	struct arch_task_state task_state;
};

STATIC_ASSERT(offsetof(struct arch_cpu, self) == CPU_SELF);
STATIC_ASSERT(offsetof(struct arch_cpu, stack_top) == CPU_STACK);
STATIC_ASSERT(offsetof(struct arch_cpu, context) == CPU_CONTEXT);
STATIC_ASSERT(offsetof(struct arch_cpu, entered) == CPU_ENTERED);

#endif
