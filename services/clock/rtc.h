/*
 * The battery clock of PC machines (Motorola MC146818A and what came after it). Pure: whoever calls brings the way to
 * its registers; main.c's goes through the two I/O ports.
 */
#ifndef SERVICES_CLOCK_RTC_H
#define SERVICES_CLOCK_RTC_H

#include <stdint.h>

#include "abi/status.h"

/* Reads one register. */
typedef status_t rtc_register_read(void *context, uint8_t index, uint8_t *value);

/* The clock shows whole seconds: the time is between *seconds and one more, if it shows UTC. FAILED: what it shows is
 * no date, or it does not come to rest; otherwise what `read` refused with. */
MUST_USE status_t rtc_read(rtc_register_read *read, void *context, uint64_t *seconds);

#endif
