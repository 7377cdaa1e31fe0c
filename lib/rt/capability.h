/*
 * What a process can do with a capability that it holds, besides calling it. Each of these is one
 * entry in the ring; all of them wait for its outcome.
 *
 * Capabilities are named here by their number in the process' table; 0 is null. rt_ref and rt_id
 * lead to references of typed clients and back.
 */
#ifndef LIB_RT_CAPABILITY_H
#define LIB_RT_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"
#include "capnp/client.h"

/* A reference that goes through this thread's ring; rt_ref(0) is the null reference. */
struct client_ref rt_ref(uint32_t capability);

/* The number behind a settled reference; 0 for null and for a pipelined one. */
uint32_t rt_id(struct client_ref ref);

/* Drops it, at the latest when the thread enters the kernel next. Releasing null does nothing. */
void rt_release(uint32_t capability);

/* Another entry for the same grant; the caller owns it. */
MUST_USE status_t rt_copy(uint32_t capability, uint32_t *copy);

/* Another entry that has only this ancestor's methods; the caller owns it. */
MUST_USE status_t rt_narrow(uint32_t capability, uint64_t interface_id, uint32_t *narrowed);

/* Waits until any bit of the mask is set in a Notification, takes those bits and answers them. */
MUST_USE status_t rt_wait_bits(uint32_t notification, uint64_t mask, uint64_t *bits);

/* Waits until the object has ended: process exited, endpoint closed, export ended or revoked. */
MUST_USE status_t rt_wait_end(uint32_t capability);

/* Sets bits of a Notification, through any of its facets. */
MUST_USE status_t rt_signal(uint32_t notification, uint64_t bits);

/* Why the kernel refused the call, copy, narrow or wait of this thread that failed last: the Reason in
 * the low 8 bits (see schema/capos/status.capnp), 0 if it did not say or the server answered. For one
 * call: client_detail. */
uint64_t rt_detail(void);

/* Lets others run. */
void rt_yield(void);

#endif
