/*
 * The two system calls, for programs on x86_64. See docs/ring.md for their contract.
 */
#ifndef ABI_SYSCALL_H
#define ABI_SYSCALL_H

#include <stdint.h>

#include "abi/compiler.h"

#define SYSCALL_CAP_ENTER 0
#define SYSCALL_EXIT 1

/* Second argument of SYSCALL_EXIT: only the calling thread ends. Anything else: the process. */
#define EXIT_THREAD 1

/* Submits what is in the ring and waits. Answers a count of completions, or the status of a SYNC entry.
 * Vector registers are lost. */
static inline int64_t cap_enter(uint64_t flags, uint64_t min_complete, uint64_t deadline_ns)
{
	int64_t result = SYSCALL_CAP_ENTER;

	__asm__ volatile("syscall"
			: "+a"(result), "+D"(flags), "+S"(min_complete), "+d"(deadline_ns)
			:
			: "rcx", "r8", "r9", "r10", "r11", "memory", "cc",
			  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return result;
}

/* Ends the process. */
NORETURN static inline void process_exit(int64_t status)
{
	__asm__ volatile("syscall" : : "a"((uint64_t)SYSCALL_EXIT), "D"(status), "S"(0ul) : "memory");
	__builtin_unreachable();
}

/* Ends the calling thread, and the process if it is the last one. */
NORETURN static inline void thread_exit_now(int64_t status)
{
	__asm__ volatile("syscall" : : "a"((uint64_t)SYSCALL_EXIT), "D"(status), "S"((uint64_t)EXIT_THREAD) : "memory");
	__builtin_unreachable();
}

#endif
