/*
 * What stands in for parts of the kernel that an image was linked without: an image without them
 * starts, says so and powers off. All weak.
 */
#include "arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/main.h"
#include "kernel/core/panic.h"
#include "kernel/object/ledger.h"

__attribute__((weak)) void kernel_start(const struct boot_info *boot)
{
	log_line(LOG_INFO, "There is nothing to run.");
	arch_power_off(0);
}

__attribute__((weak)) struct arch_context *kernel_syscall(
		uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	panic("a system call, but there are no system calls");
}

__attribute__((weak)) struct arch_context *kernel_interrupt(uint32_t vector)
{
	panic("interrupt %u, but nobody takes interrupts", vector);
}

__attribute__((weak)) struct arch_context *kernel_fault(const struct arch_fault *fault)
{
	panic("exception %u, but nobody takes exceptions", fault->vector);
}

__attribute__((weak)) void kernel_interrupt_idle(uint32_t vector)
{
	panic("interrupt %u, but nobody takes interrupts", vector);
}

__attribute__((weak)) status_t ledger_charge(
		struct ledger *ledger, uint32_t resource, uint64_t count, uint64_t *detail)
{
	return STATUS_OK;
}

__attribute__((weak)) void ledger_refund(struct ledger *ledger, uint32_t resource, uint64_t count)
{
}
