/*
 * The kernel's refusals in words: a status and the detail word beside it, as one sentence. Pure; the
 * sentences are those of schema/capos/status.capnp.
 */
#ifndef LIB_RT_REASON_H
#define LIB_RT_REASON_H

#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"

/*
 * Writes the sentence for `status`, with what `detail` says if it says something: "memory pages are used up in ledger
 * 7 (limit 6144)". `detail` is rt_detail() after the refusal, or 0. Always terminated; answers the
 * length without the NUL, cut to size - 1.
 */
size_t reason_into(char *out, size_t size, status_t status, uint64_t detail);

#endif
