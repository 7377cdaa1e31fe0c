/*
 * The time since boot, read without entering the kernel where that can be done.
 *
 * The first use maps the page that Timer.clockPage gives, if the program was granted a "timer" and its own
 * "memory", and if the page says that the processor's counter can be used. In all other cases each use is a
 * call of Timer.now.
 */
#ifndef LIB_RT_CLOCK_H
#define LIB_RT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"

/* The same clock as Timer's. *now_ns stays as it was if the status is not STATUS_OK, which can be only where the
 * program has no Timer. Any thread. */
MUST_USE status_t clock_now(uint64_t *now_ns);

/* Whether clock_now reads the page: for tests and for those who count instructions. */
bool clock_is_mapped(void);

#endif
