/*
 * Fuzzer of the ELF parser: no input may make it read outside the file, and what it accepts must be
 * what the loaders rely on.
 */
#include "elf/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct elf_limits limits = { 0x10000, 0x800000000000, 1u << 28 };
	struct elf_image image;
	uint64_t end = limits.address_min;
	uint64_t total = 0;
	uint32_t i;

	if (elf_parse(data, bytes, &limits, &image) != ELF_OK) {
		check(image.segment_count == 0);
		return 0;
	}
	check(image.segment_count >= 1 && image.segment_count <= ELF_SEGMENTS_MAX);
	for (i = 0; i < image.segment_count; i++) {
		const struct elf_segment *segment = &image.segments[i];

		check(segment->file_offset <= bytes);
		check(segment->file_bytes <= bytes - segment->file_offset);
		check(segment->file_bytes <= segment->memory_bytes && segment->memory_bytes != 0);
		check(elf_segment_page_address(segment) >= end);
		end = elf_segment_page_address(segment) + elf_segment_page_bytes(segment);
		total += elf_segment_page_bytes(segment);
	}
	check(end <= limits.address_end && total <= limits.memory_bytes_max);
	return 0;
}
