/*
 * ELF parser: checks every field that the loaders rely on before any segment is handed out.
 *
 * Callers are kernel/core (init) and lib/rt/launch.c (everything else). The layouts are those of
 * the System V ABI, "Object Files"; x86_64 numbers are from its processor supplement. Always
 * true: no byte outside [file, file + file_bytes) is read, and sums of foreign numbers are formed
 * only after a comparison has shown that they cannot wrap. The mem* builtins become calls to what
 * the kernel, the runtime or the host's library supplies.
 */
#include "elf/elf.h"

#include <stdbool.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type;
	uint16_t machine;
	uint32_t version;
	uint64_t entry;
	uint64_t program_header_offset;
	uint64_t section_header_offset;
	uint32_t flags;
	uint16_t header_bytes;
	uint16_t program_header_bytes;
	uint16_t program_header_count;
	uint16_t section_header_bytes;
	uint16_t section_header_count;
	uint16_t section_names_index;
};
STATIC_ASSERT(sizeof(struct elf_header) == 64);

struct elf_program_header {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t physical_address;
	uint64_t file_bytes;
	uint64_t memory_bytes;
	uint64_t alignment;
};
STATIC_ASSERT(sizeof(struct elf_program_header) == 56);

#define IDENT_CLASS 4
#define IDENT_DATA 5
#define IDENT_VERSION 6
#define IDENT_ABI 7
#define IDENT_ABI_VERSION 8

#define CLASS_64 2
#define DATA_LITTLE_ENDIAN 1
#define VERSION_CURRENT 1
#define TYPE_EXECUTABLE 2
#define MACHINE_X86_64 62

#define SEGMENT_NULL 0u
#define SEGMENT_LOAD 1u
#define SEGMENT_DYNAMIC 2u
#define SEGMENT_INTERPRETER 3u
#define SEGMENT_NOTE 4u
#define SEGMENT_PROGRAM_HEADERS 6u
#define SEGMENT_THREAD_LOCAL 7u
#define SEGMENT_GNU_EH_FRAME 0x6474e550u
#define SEGMENT_GNU_STACK 0x6474e551u
#define SEGMENT_GNU_RELRO 0x6474e552u
#define SEGMENT_GNU_PROPERTY 0x6474e553u

#define FLAG_EXECUTE 1u
#define FLAG_WRITE 2u
#define FLAG_READ 4u

static const char *const sentences[ELF_ERROR_COUNT] = {
	[ELF_OK] = "the file is a program",
	[ELF_TRUNCATED_HEADER] = "the file is shorter than an ELF header",
	[ELF_NOT_ELF] = "the file is not ELF",
	[ELF_WRONG_CLASS] = "the file is not 64-bit little-endian ELF of version 1",
	[ELF_WRONG_MACHINE] = "the program is not for x86_64",
	[ELF_NOT_EXECUTABLE] = "the file is not a static executable",
	[ELF_BAD_HEADER] = "a field of the ELF header is not acceptable",
	[ELF_BAD_PROGRAM_HEADERS] = "the program headers lie outside the file or are too many",
	[ELF_DYNAMIC] = "the program needs dynamic linking",
	[ELF_THREAD_LOCAL] = "the program has thread-local storage",
	[ELF_UNKNOWN_SEGMENT] = "a program header has an unknown type",
	[ELF_EXECUTABLE_STACK] = "the program asks for an executable stack",
	[ELF_NO_SEGMENTS] = "the program has nothing to load",
	[ELF_TOO_MANY_SEGMENTS] = "the program has too many segments",
	[ELF_SEGMENT_OUTSIDE_FILE] = "a segment lies outside the file",
	[ELF_SEGMENT_SIZES] = "a segment has more bytes in the file than in memory",
	[ELF_SEGMENT_ALIGNMENT] = "a segment is not aligned to pages",
	[ELF_SEGMENT_ADDRESS] = "a segment lies outside the addresses of a program",
	[ELF_SEGMENT_ORDER] = "segments overlap, share a page or are not in order",
	[ELF_SEGMENT_ACCESS] = "a segment is not readable or has unknown flags",
	[ELF_WRITABLE_EXECUTABLE] = "a segment is both writable and executable",
	[ELF_TOO_LARGE] = "the segments need too much memory",
	[ELF_ENTRY] = "the entry point is not in code",
};

const char *elf_error_sentence(enum elf_error error)
{
	if ((unsigned int)error >= ELF_ERROR_COUNT)
		return "unknown error";
	return sentences[error];
}

static enum elf_error header_check(const struct elf_header *header)
{
	static const uint8_t magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (__builtin_memcmp(header->ident, magic, sizeof(magic)) != 0)
		return ELF_NOT_ELF;
	if (header->ident[IDENT_CLASS] != CLASS_64 ||
			header->ident[IDENT_DATA] != DATA_LITTLE_ENDIAN ||
			header->ident[IDENT_VERSION] != VERSION_CURRENT ||
			header->version != VERSION_CURRENT)
		return ELF_WRONG_CLASS;
	if (header->machine != MACHINE_X86_64)
		return ELF_WRONG_MACHINE;
	if (header->type != TYPE_EXECUTABLE)
		return ELF_NOT_EXECUTABLE;
	if (header->ident[IDENT_ABI] != 0 || header->ident[IDENT_ABI_VERSION] != 0 ||
			header->flags != 0 || header->header_bytes != sizeof(struct elf_header))
		return ELF_BAD_HEADER;
	return ELF_OK;
}

static enum elf_error program_headers_check(const struct elf_header *header, size_t file_bytes)
{
	uint64_t bytes = (uint64_t)header->program_header_count * sizeof(struct elf_program_header);

	if (header->program_header_bytes != sizeof(struct elf_program_header) ||
			header->program_header_count == 0 ||
			header->program_header_count > ELF_PROGRAM_HEADERS_MAX)
		return ELF_BAD_PROGRAM_HEADERS;
	if (header->program_header_offset > file_bytes ||
			bytes > file_bytes - header->program_header_offset)
		return ELF_BAD_PROGRAM_HEADERS;
	return ELF_OK;
}

static enum elf_error access_decode(uint32_t flags, enum elf_access *access)
{
	if ((flags & ~(FLAG_READ | FLAG_WRITE | FLAG_EXECUTE)) != 0 || (flags & FLAG_READ) == 0)
		return ELF_SEGMENT_ACCESS;
	if ((flags & FLAG_WRITE) != 0 && (flags & FLAG_EXECUTE) != 0)
		return ELF_WRITABLE_EXECUTABLE;
	if ((flags & FLAG_WRITE) != 0)
		*access = ELF_ACCESS_READ_WRITE;
	else if ((flags & FLAG_EXECUTE) != 0)
		*access = ELF_ACCESS_READ_EXECUTE;
	else
		*access = ELF_ACCESS_READ;
	return ELF_OK;
}

/* A segment's own numbers, without regard to its neighbours. */
static enum elf_error segment_check(const struct elf_program_header *header, size_t file_bytes,
		const struct elf_limits *limits)
{
	if (header->file_bytes > header->memory_bytes)
		return ELF_SEGMENT_SIZES;
	if (header->offset > file_bytes || header->file_bytes > file_bytes - header->offset)
		return ELF_SEGMENT_OUTSIDE_FILE;
	if (header->alignment < ELF_PAGE_BYTES ||
			(header->alignment & (header->alignment - 1)) != 0 ||
			((header->address - header->offset) & (ELF_PAGE_BYTES - 1)) != 0)
		return ELF_SEGMENT_ALIGNMENT;
	if (header->address < limits->address_min || header->address > limits->address_end ||
			header->memory_bytes > limits->address_end - header->address)
		return ELF_SEGMENT_ADDRESS;
	return ELF_OK;
}

/* Adds a checked segment behind those that the image has. */
static enum elf_error segment_append(struct elf_image *image, const struct elf_segment *segment,
		const struct elf_limits *limits, uint64_t *memory_bytes)
{
	if (image->segment_count == ELF_SEGMENTS_MAX)
		return ELF_TOO_MANY_SEGMENTS;
	if (image->segment_count != 0) {
		const struct elf_segment *last = &image->segments[image->segment_count - 1];
		uint64_t end = elf_segment_page_address(last) + elf_segment_page_bytes(last);

		if (elf_segment_page_address(segment) < end)
			return ELF_SEGMENT_ORDER;
	}
	if (elf_segment_page_bytes(segment) > limits->memory_bytes_max - *memory_bytes)
		return ELF_TOO_LARGE;
	*memory_bytes += elf_segment_page_bytes(segment);
	image->segments[image->segment_count++] = *segment;
	return ELF_OK;
}

static enum elf_error load_segment(const struct elf_program_header *header, size_t file_bytes,
		const struct elf_limits *limits, struct elf_image *image, uint64_t *memory_bytes)
{
	struct elf_segment segment = {
		.file_offset = header->offset,
		.file_bytes = header->file_bytes,
		.address = header->address,
		.memory_bytes = header->memory_bytes,
	};
	enum elf_error error;

	if (header->memory_bytes == 0 && header->file_bytes == 0)
		return ELF_OK;
	error = segment_check(header, file_bytes, limits);
	if (error != ELF_OK)
		return error;
	error = access_decode(header->flags, &segment.access);
	if (error != ELF_OK)
		return error;
	return segment_append(image, &segment, limits, memory_bytes);
}

static enum elf_error program_header_take(const struct elf_program_header *header,
		size_t file_bytes, const struct elf_limits *limits, struct elf_image *image,
		uint64_t *memory_bytes)
{
	switch (header->type) {
	case SEGMENT_LOAD:
		return load_segment(header, file_bytes, limits, image, memory_bytes);
	case SEGMENT_GNU_STACK:
		return (header->flags & FLAG_EXECUTE) != 0 ? ELF_EXECUTABLE_STACK : ELF_OK;
	case SEGMENT_NULL:
	case SEGMENT_NOTE:
	case SEGMENT_PROGRAM_HEADERS:
	case SEGMENT_GNU_EH_FRAME:
	case SEGMENT_GNU_RELRO:
	case SEGMENT_GNU_PROPERTY:
		return ELF_OK;
	case SEGMENT_DYNAMIC:
	case SEGMENT_INTERPRETER:
		return ELF_DYNAMIC;
	case SEGMENT_THREAD_LOCAL:
		return ELF_THREAD_LOCAL;
	default:
		return ELF_UNKNOWN_SEGMENT;
	}
}

static bool entry_is_code(const struct elf_image *image)
{
	uint32_t i;

	for (i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (segment->access == ELF_ACCESS_READ_EXECUTE &&
				image->entry >= segment->address &&
				image->entry - segment->address < segment->file_bytes)
			return true;
	}
	return false;
}

static enum elf_error image_fill(const uint8_t *file, size_t file_bytes,
		const struct elf_limits *limits, struct elf_image *image)
{
	struct elf_header header;
	uint64_t memory_bytes = 0;
	enum elf_error error;
	uint32_t i;

	if (file_bytes < sizeof(header))
		return ELF_TRUNCATED_HEADER;
	__builtin_memcpy(&header, file, sizeof(header));
	error = header_check(&header);
	if (error != ELF_OK)
		return error;
	error = program_headers_check(&header, file_bytes);
	if (error != ELF_OK)
		return error;

	for (i = 0; i < header.program_header_count; i++) {
		struct elf_program_header program_header;
		const uint8_t *from = file + header.program_header_offset +
				i * sizeof(program_header);

		__builtin_memcpy(&program_header, from, sizeof(program_header));
		error = program_header_take(
				&program_header, file_bytes, limits, image, &memory_bytes);
		if (error != ELF_OK)
			return error;
	}
	if (image->segment_count == 0)
		return ELF_NO_SEGMENTS;
	image->entry = header.entry;
	return entry_is_code(image) ? ELF_OK : ELF_ENTRY;
}

enum elf_error elf_parse(const void *file, size_t file_bytes, const struct elf_limits *limits,
		struct elf_image *image)
{
	enum elf_error error;

	__builtin_memset(image, 0, sizeof(*image));
	error = image_fill(file, file_bytes, limits, image);
	if (error != ELF_OK)
		__builtin_memset(image, 0, sizeof(*image));
	return error;
}
