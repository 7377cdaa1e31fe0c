/*
 * The pointer word of the wire format, taken apart. Private to lib/capnp: capnp.c follows pointers
 * inside one segment, capnp_file.c between segments.
 */
#ifndef CAPNP_INTERNAL_H
#define CAPNP_INTERNAL_H

#include "capnp/capnp.h"

#define LIST_COUNT_MAX ((1u << 29) - 1)

/* The target starts `offset` words after the pointer's own end. */
struct pointer {
	enum capnp_kind kind;
	int32_t offset;
	uint32_t data_words;    /* struct */
	uint32_t pointer_count; /* struct */
	enum capnp_size size;   /* list */
	uint32_t count;         /* list: elements, or words for CAPNP_COMPOSITE; cap: index */
};

/* Bits of an element; 0 for CAPNP_COMPOSITE, where the tag says. */
static inline uint32_t size_bits(enum capnp_size size)
{
	static const uint8_t bits[8] = { 0, 1, 8, 16, 32, 64, 64, 0 };

	return bits[size];
}

static inline struct pointer pointer_decode(uint64_t word)
{
	struct pointer p = { CAPNP_KIND_BAD, (int32_t)(uint32_t)word >> 2, 0, 0, CAPNP_VOID, 0 };

	if (word == 0) {
		p.kind = CAPNP_KIND_NULL;
	} else if ((word & 3) == 0) {
		p.kind = CAPNP_KIND_STRUCT;
		p.data_words = (uint32_t)(word >> 32) & 0xffff;
		p.pointer_count = (uint32_t)(word >> 48);
	} else if ((word & 3) == 1) {
		p.kind = CAPNP_KIND_LIST;
		p.size = (enum capnp_size)((word >> 32) & 7);
		p.count = (uint32_t)(word >> 35);
	} else if ((uint32_t)word == 3) {
		p.kind = CAPNP_KIND_CAP;
		p.count = (uint32_t)(word >> 32);
	}
	return p;
}

#endif
