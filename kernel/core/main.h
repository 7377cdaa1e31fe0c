/*
 * The order in which the kernel starts. The architecture's boot code calls kernel_main once, on the
 * boot processor's stack, with page tables of the kernel's own and interrupts off.
 */
#ifndef KERNEL_CORE_MAIN_H
#define KERNEL_CORE_MAIN_H

#include "abi/compiler.h"
#include "kernel/core/boot_info.h"

NORETURN void kernel_main(const struct boot_info *boot);

/* What runs once memory, traps and time work: makes the first process and enters it. */
NORETURN void kernel_start(const struct boot_info *boot);

/* What any other processor comes to, from arch_processors_start, as soon as it works. */
NORETURN void kernel_processor_start(void);

#endif
