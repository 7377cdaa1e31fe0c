/*
 * What this processor can do. The minimum is refused in a sentence where it is missing; the rest is
 * remembered in `features`. Bits: Intel SDM vol. 2, CPUID.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"

#define XSTATE_X87 (1ul << 0)
#define XSTATE_SSE (1ul << 1)
#define XSTATE_AVX (1ul << 2)

#define LEAF_1_ECX_X2APIC   (1u << 21)
#define LEAF_1_ECX_DEADLINE (1u << 24)
#define LEAF_1_ECX_XSAVE    (1u << 26)
#define LEAF_1_ECX_RDRAND   (1u << 30)
#define LEAF_1_ECX_EMULATED (1u << 31)
#define LEAF_1_EDX_APIC     (1u << 9)
#define LEAF_7_EBX_FSGSBASE (1u << 0)
#define LEAF_7_EBX_SMEP     (1u << 7)
#define LEAF_7_EBX_SMAP     (1u << 20)
#define LEAF_7_ECX_UMIP     (1u << 2)
#define LEAF_EXTENDED_EDX_SYSCALL (1u << 11)
#define LEAF_EXTENDED_EDX_1G      (1u << 26)
#define LEAF_POWER_EDX_INVARIANT  (1u << 8)

struct features features;

/* QEMU's emulation does not say so, but all its processors read the host's one counter. A hypervisor that
 * says nothing may move the machine to a host with another rate. */
static bool counter_is_constant(struct cpuid one)
{
	struct cpuid emulator = { 0 };

	if (cpuid(0x80000000, 0).eax >= 0x80000007 &&
			(cpuid(0x80000007, 0).edx & LEAF_POWER_EDX_INVARIANT) != 0)
		return true;
	if ((one.ecx & LEAF_1_ECX_EMULATED) != 0)
		emulator = cpuid(0x40000000, 0);
	/* "TCGTCGTCGTCG" */
	return emulator.ebx == 0x54474354 && emulator.ecx == 0x43544743 && emulator.edx == 0x47435447;
}

const char *features_read(void)
{
	struct cpuid one = cpuid(1, 0);
	struct cpuid seven = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){ 0 };
	struct cpuid extended = cpuid(0x80000001, 0);

	if ((extended.edx & LEAF_EXTENDED_EDX_SYSCALL) == 0)
		return "This processor has no SYSCALL instruction, which capOS needs.";
	if ((one.edx & LEAF_1_EDX_APIC) == 0)
		return "This processor has no local interrupt controller (APIC), which capOS "
		       "needs.";
	if ((one.ecx & LEAF_1_ECX_XSAVE) == 0)
		return "This processor has no XSAVE, which capOS needs.";
	if ((seven.ebx & LEAF_7_EBX_FSGSBASE) == 0)
		return "This processor has no FSGSBASE, which capOS needs.";
	if ((seven.ebx & LEAF_7_EBX_SMEP) == 0 || (seven.ebx & LEAF_7_EBX_SMAP) == 0)
		return "This processor cannot keep the kernel out of user memory (SMEP and SMAP), "
		       "which capOS needs.";

	features.gigabyte_pages = (extended.edx & LEAF_EXTENDED_EDX_1G) != 0;
	features.umip = (seven.ecx & LEAF_7_ECX_UMIP) != 0;
	features.random = (one.ecx & LEAF_1_ECX_RDRAND) != 0;
	features.x2apic = (one.ecx & LEAF_1_ECX_X2APIC) != 0;
	features.deadline_timer = (one.ecx & LEAF_1_ECX_DEADLINE) != 0;
	features.constant_counter = counter_is_constant(one);
	features.vector_mask = XSTATE_X87 | XSTATE_SSE | (cpuid(0xd, 0).eax & XSTATE_AVX);
	return NULL;
}

void features_enable(void)
{
	write_cr0((read_cr0() | CR0_MP | CR0_NE | CR0_WP) & ~(CR0_EM | CR0_TS | CR0_AM));
	write_cr4(read_cr4() | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE |
			CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | (features.umip ? CR4_UMIP : 0));
	xsetbv(0, features.vector_mask);
	features.vector_bytes = cpuid(0xd, 0).ebx;      /* for what XCR0 enables now */
}

bool arch_random(uint64_t *value)
{
	/* Intel SDM vol. 1, 7.3.17: ten tries are enough unless the generator is broken. */
	for (int tries = 0; features.random && tries < 10; tries++) {
		bool ok;

		__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
		if (ok)
			return true;
	}
	return false;
}
