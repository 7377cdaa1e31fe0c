/*
 * Cap'n Proto files: framed messages of one or more segments, packed files, the canonical form.
 * Messages between processes need none of it (capnp.h).
 *
 * Always true: nothing is allocated; output goes to a builder or a buffer of the caller's.
 */
#ifndef CAPNP_FILE_H
#define CAPNP_FILE_H

#include "capnp/capnp.h"

#define CAPNP_SEGMENTS_MAX 512u

/* Words of the framed message at the start of a file of `count` words, framing included; 0 when the
 * framing is bad or the file too short. Several messages may follow each other. */
uint64_t capnp_file_message_words(const uint64_t *file, uint64_t count);

/* Copies the framed message into the builder as one segment; far pointers are resolved. Returns
 * CAPNP_OK, CAPNP_BAD_MESSAGE or CAPNP_TOO_LARGE; also latched in the builder. */
int32_t capnp_file_copy(const uint64_t *file, uint64_t count, struct capnp_builder *to);

/* Opens the framed message: in place if it has one segment, else copied to `arena`. The result is
 * read as trusted (see capnp_message_init_trusted). */
int32_t capnp_file_open(const uint64_t *file, uint64_t count, uint64_t *arena, uint32_t arena_words,
		struct capnp_message *message);

/* The framing word that stands before a one-segment message of `words` words in a file. */
static inline uint64_t capnp_file_header(uint32_t words)
{
	return (uint64_t)words << 32;
}

/* Packed encoding. Both return CAPNP_OK, CAPNP_TOO_LARGE (no room in the output) or, unpacking,
 * CAPNP_BAD_MESSAGE (input ends inside a word). `*used` is the size of the output. */
int32_t capnp_pack(const uint64_t *words, uint64_t count, uint8_t *out, uint64_t out_bytes,
		uint64_t *used);
int32_t capnp_unpack(const uint8_t *in, uint64_t in_bytes, uint64_t *words, uint64_t words_max,
		uint64_t *used);

/* Builds the canonical form of a struct as the root of `to`: objects in preorder, structs without
 * trailing zeros, no capabilities. Equal values give equal words, for hashing and signing. */
int32_t capnp_canonical(struct capnp_struct_reader from, struct capnp_builder *to);

#endif
