/*
 * Rows of shared buffers.
 */
#ifndef BENCH_GUEST_BUFFERS_H
#define BENCH_GUEST_BUFFERS_H

#include <stdbool.h>
#include <stdint.h>

#define BUFFERS_ACTIVE 10u /* streams used in a round */

/* Rounds in which each active stream passes one chunk: of 10 streams, or of 1000. */
bool buffers_streams_10(uint32_t count);
bool buffers_streams_1000(uint32_t count);

/* Mebibytes to another process, in chunks of 64 KiB. `shared`: zeroed, of buffers_bulk_bytes,
 * mapped by both; ping and pong are notifications. */
uint64_t buffers_bulk_bytes(void);
bool buffers_bulk_open(void *shared, uint32_t ping, uint32_t pong);
bool buffers_bulk_mebibyte(uint32_t count);
/* The other process' part; does not return unless it fails. */
int buffers_bulk_receive(void *shared, uint32_t ping, uint32_t pong);

#endif
