/*
 * Where a launched program has what, and how its image is put together. Pure; launch.c does the
 * calls.
 *
 *   LAUNCH_PARAMETERS    launch parameters, read-only
 *   ...                  free
 *   stack - one page     reserved, never committed: running off the stack is an access fault
 *   stack                ends at LAUNCH_STACK_END
 *   LAUNCH_IMAGE_MIN     the segments, up to LAUNCH_IMAGE_END
 *
 * Segments that are only read come from one memory object, which all processes of an image share: their
 * pages, one after the other. Everything else is memory of the process' own. Parameters and stack share
 * page tables.
 */
#ifndef LIB_RT_LAYOUT_H
#define LIB_RT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/elf.h"

#define LAUNCH_PARAMETERS           0x200000ull
#define LAUNCH_PARAMETERS_BYTES_MAX 0x10000ull
#define LAUNCH_STACK_END            0x400000ull
#define LAUNCH_STACK_BYTES          0x10000ull  /* where the launcher does not say */
#define LAUNCH_STACK_BYTES_MAX      0x100000ull
#define LAUNCH_IMAGE_MIN            0x400000ull
#define LAUNCH_IMAGE_END            0x100000000ull
#define LAUNCH_IMAGE_BYTES_MAX      0x800000ull

struct launch_layout {
	uint64_t segment_offset[ELF_SEGMENTS_MAX]; /* in the shared object, of what is only read */
	uint64_t shared_bytes;                     /* of that object */
	uint64_t parameters_bytes;                 /* whole pages */
	uint64_t stack_address;                    /* lowest usable byte; the guard page is below it */
	uint64_t stack_bytes;
};

/* Whether a segment's pages are in the shared object. */
static inline bool launch_is_shared(const struct elf_segment *segment)
{
	return segment->access != ELF_ACCESS_READ_WRITE;
}

/* The addresses that a launched program may have. */
struct elf_limits launch_limits(void);

/* Answers false if the parameters or the stack (0: the usual size) are too large. */
bool launch_layout_make(const struct elf_image *image, uint64_t parameter_words,
		uint64_t stack_bytes, struct launch_layout *layout);

/* Copies the bytes of segments that are only read from the file to zeroed memory of shared_bytes bytes. */
void launch_layout_fill(const struct launch_layout *layout, const struct elf_image *image,
		const void *file, void *memory);

#endif
