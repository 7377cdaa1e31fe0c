/*
 * ELF: what a strict reader accepts as a program, and where its parts go.
 *
 * The kernel loads init with this parser and the user loader (lib/rt/launch.c) everything else,
 * so a file means the same to both. It reads a byte buffer, allocates nothing and keeps no
 * pointer to the buffer. A program is a static ELF64 executable for x86_64 whose segments have
 * one protection a page and are never both writable and executable.
 */
#ifndef LIB_ELF_H
#define LIB_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "abi/compiler.h"

#define ELF_PAGE_BYTES 4096u
#define ELF_PROGRAM_HEADERS_MAX 32u
#define ELF_SEGMENTS_MAX 8u

/* Why a file is not a program that can be loaded. */
enum elf_error {
	ELF_OK,
	ELF_TRUNCATED_HEADER,
	ELF_NOT_ELF,
	ELF_WRONG_CLASS,
	ELF_WRONG_MACHINE,
	ELF_NOT_EXECUTABLE,
	ELF_BAD_HEADER,
	ELF_BAD_PROGRAM_HEADERS,
	ELF_DYNAMIC,
	ELF_THREAD_LOCAL,
	ELF_UNKNOWN_SEGMENT,
	ELF_EXECUTABLE_STACK,
	ELF_NO_SEGMENTS,
	ELF_TOO_MANY_SEGMENTS,
	ELF_SEGMENT_OUTSIDE_FILE,
	ELF_SEGMENT_SIZES,
	ELF_SEGMENT_ALIGNMENT,
	ELF_SEGMENT_ADDRESS,
	ELF_SEGMENT_ORDER,
	ELF_SEGMENT_ACCESS,
	ELF_WRITABLE_EXECUTABLE,
	ELF_TOO_LARGE,
	ELF_ENTRY,
	ELF_ERROR_COUNT,
};

/* What a segment's pages allow. The numbers are those of Access in schema/capos/kernel.capnp. */
enum elf_access {
	ELF_ACCESS_READ = 1,
	ELF_ACCESS_READ_WRITE = 2,
	ELF_ACCESS_READ_EXECUTE = 3,
};

/* The addresses that the caller lets a program have. */
struct elf_limits {
	uint64_t address_min;      /* first byte, a page boundary */
	uint64_t address_end;      /* one past the last byte, a page boundary */
	uint64_t memory_bytes_max; /* whole pages of all segments together */
};

/* One stretch of memory. The first file_bytes come from the file, the rest is zero. */
struct elf_segment {
	uint64_t file_offset;
	uint64_t file_bytes;   /* at most memory_bytes */
	uint64_t address;      /* need not be a page boundary */
	uint64_t memory_bytes; /* not 0 */
	enum elf_access access;
};

struct elf_image {
	uint64_t entry; /* in file-backed bytes of an executable segment */
	uint32_t segment_count;
	struct elf_segment segments[ELF_SEGMENTS_MAX]; /* by rising address; no two share a page */
};

/* First page of a segment, and the bytes of all its pages. */
static inline uint64_t elf_segment_page_address(const struct elf_segment *segment)
{
	return ALIGN_DOWN(segment->address, (uint64_t)ELF_PAGE_BYTES);
}

static inline uint64_t elf_segment_page_bytes(const struct elf_segment *segment)
{
	return ALIGN_UP(segment->address + segment->memory_bytes, (uint64_t)ELF_PAGE_BYTES) -
			elf_segment_page_address(segment);
}

/* Checks the whole file and fills `image`. On any error but ELF_OK the image is empty. */
enum elf_error elf_parse(const void *file, size_t file_bytes, const struct elf_limits *limits,
		struct elf_image *image);

/* One sentence for people, without a full stop. Any value may be passed. */
const char *elf_error_sentence(enum elf_error error);

#endif
