/*
 * The inline part of the seam. Host tests get physical memory and a processor as plain variables,
 * which the test defines.
 */
#ifndef KERNEL_ARCH_X86_64_ARCH_INLINE_H
#define KERNEL_ARCH_X86_64_ARCH_INLINE_H

#ifdef CAPOS_HOST

extern uint8_t *arch_host_memory;      /* what stands for physical address 0 */
/* Tests in which each processor is a thread say _Thread_local, and how a thread waits for another. */
#ifdef HOST_PER_PROCESSOR
extern HOST_PER_PROCESSOR struct cpu *arch_host_cpu;
void arch_host_relax(void);
#else
extern struct cpu *arch_host_cpu;
static inline void arch_host_relax(void)
{
}
#endif

static inline void *arch_direct(uint64_t physical)
{
	return arch_host_memory + physical;
}

static inline uint64_t arch_direct_physical(const void *address)
{
	return (uint64_t)((const uint8_t *)address - arch_host_memory);
}

static inline struct cpu *arch_cpu(void)
{
	return arch_host_cpu;
}

static inline void arch_relax(void)
{
	arch_host_relax();
}

#else

static inline void *arch_direct(uint64_t physical)
{
	return (void *)(DIRECT_BASE + physical);
}

static inline uint64_t arch_direct_physical(const void *address)
{
	return (uint64_t)address - DIRECT_BASE;
}

static inline struct cpu *arch_cpu(void)
{
	struct cpu *cpu;

	__asm__("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(CPU_SELF));
	return cpu;
}

static inline void arch_relax(void)
{
	__builtin_ia32_pause();
}

#endif

/* On a machine of the tests that has a clock of its own, that; else the processor's. */
#ifdef HOST_CLOCK
uint64_t arch_host_ticks(void);
#endif

static inline uint64_t arch_ticks(void)
{
#ifdef HOST_CLOCK
	return arch_host_ticks();
#else
	return __builtin_ia32_rdtsc();
#endif
}

/* Copies whole words, none included; the two stretches do not overlap. */
static inline void arch_copy_words(uint64_t *to, const uint64_t *from, uint64_t words)
{
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static inline void arch_context_set_result(struct arch_context *context, int64_t result)
{
	context->rax = (uint64_t)result;
}

static inline void arch_context_set_tls(struct arch_context *context, uint64_t base)
{
	context->fs_base = base;
}

#endif
