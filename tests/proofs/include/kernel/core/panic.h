/*
 * What a proof reads instead of kernel/core/panic.h: an assertion that could fail, and a panic that could be reached,
 * are goals that cannot be proved.
 */
#ifndef KERNEL_CORE_PANIC_H
#define KERNEL_CORE_PANIC_H

/*@ requires unreachable: \false;
  @ assigns \nothing;
 */
void panic(const char *format, ...);
/*@ requires holds: \false;
  @ assigns \nothing;
  @ ensures \false;
 */
void assertion_failed(void);

#define ASSERT(cond) \
	do { \
		if (!(cond)) \
			assertion_failed(); \
	} while (0)
#define DEBUG_ASSERT(cond) ASSERT(cond)

#endif
