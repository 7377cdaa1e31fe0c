/*
 * A pool of randomness: a ChaCha20 key that is replaced by its own output on every use, so that
 * whoever reads the pool later cannot work out what it gave before. No locks: the owner's.
 */
#ifndef KERNEL_CORE_ENTROPY_POOL_H
#define KERNEL_CORE_ENTROPY_POOL_H

#include "abi/compiler.h"

#define CHACHA20_BLOCK_BYTES 64
#define CHACHA20_KEY_WORDS 8

struct entropy_pool {
	uint32_t key[CHACHA20_KEY_WORDS];
};

/* The block function of RFC 8439, 2.3. */
void chacha20_block(const uint32_t key[CHACHA20_KEY_WORDS], uint32_t counter,
		const uint32_t nonce[3], uint8_t out[CHACHA20_BLOCK_BYTES]);

/* Mixes in what may be unpredictable; never makes the pool worse. */
void entropy_pool_add(struct entropy_pool *pool, const void *bytes, size_t count);
/* Draws random bytes. */
void entropy_pool_fill(struct entropy_pool *pool, void *bytes, size_t count);

#endif
