/*
 * Why something failed, in words: a status and the kernel's detail word beside it, or all that a call
 * says, as one sentence. Pure; the kernel's sentences are those of schema/capos/status.capnp.
 */
#ifndef LIB_RT_REASON_H
#define LIB_RT_REASON_H

#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"
#include "capnp/client.h"

/*
 * Writes the sentence for `status`, with what `detail` says if it says something: "memory pages are used up in ledger
 * 7 (limit 6144)". `detail` is client_detail of the call, or rt_detail() after the refusal, or 0. Always
 * terminated; answers the length without the NUL, cut to size - 1.
 */
size_t reason_into(char *out, size_t size, status_t status, uint64_t detail);

/*
 * How a call ended that was waited for: the server's own words if it gave some, else the kernel's
 * sentence, else that of the status ("done"). Before client_done. Written as by reason_into.
 */
size_t reason_of_call(char *out, size_t size, const struct client_call *call);

#endif
