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
 * Everything but the stack comes from one memory object: the pages of the segments, one after the
 * other, then the launch parameters. Parameters and stack share page tables.
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
	uint64_t segment_offset[ELF_SEGMENTS_MAX]; /* in the object; of the segment's first page */
	uint64_t parameters_offset;
	uint64_t parameters_bytes;                 /* whole pages */
	uint64_t object_bytes;
	uint64_t stack_address;                    /* lowest usable byte */
	uint64_t stack_bytes;
	uint64_t reserved_address;                 /* the guard page, then the stack */
	uint64_t reserved_bytes;
};

/* The addresses that a launched program may have. */
struct elf_limits launch_limits(void);

/* Answers false if the parameters or the stack (0: the usual size) are too large. */
bool launch_layout_make(const struct elf_image *image, uint64_t parameter_words,
		uint64_t stack_bytes, struct launch_layout *layout);

/* Copies the segments' bytes from the file to zeroed memory of object_bytes bytes. */
void launch_layout_fill(const struct launch_layout *layout, const struct elf_image *image,
		const void *file, void *memory);

#endif
