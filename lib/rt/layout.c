/*
 * Layout of launched programs.
 */
#include "rt/layout.h"

#include <string.h>

#include "abi/compiler.h"

#define PAGE ((uint64_t)ELF_PAGE_BYTES)

STATIC_ASSERT(LAUNCH_PARAMETERS + LAUNCH_PARAMETERS_BYTES_MAX + PAGE + LAUNCH_STACK_BYTES_MAX <=
		LAUNCH_STACK_END);

struct elf_limits launch_limits(void)
{
	return (struct elf_limits){
		.address_min = LAUNCH_IMAGE_MIN,
		.address_end = LAUNCH_IMAGE_END,
		.memory_bytes_max = LAUNCH_IMAGE_BYTES_MAX,
	};
}

bool launch_layout_make(const struct elf_image *image, uint64_t parameter_words,
		uint64_t stack_bytes, struct launch_layout *layout)
{
	uint64_t offset = 0;
	uint32_t i;

	if (parameter_words > LAUNCH_PARAMETERS_BYTES_MAX / 8 ||
			stack_bytes > LAUNCH_STACK_BYTES_MAX)
		return false;
	memset(layout, 0, sizeof(*layout));
	for (i = 0; i < image->segment_count; i++) {
		if (!launch_is_shared(&image->segments[i]))
			continue;
		layout->segment_offset[i] = offset;
		offset += elf_segment_page_bytes(&image->segments[i]);
	}
	layout->shared_bytes = offset;
	layout->parameters_bytes = ALIGN_UP(parameter_words * 8, PAGE);
	layout->stack_bytes = ALIGN_UP(stack_bytes != 0 ? stack_bytes : LAUNCH_STACK_BYTES, PAGE);
	layout->stack_address = LAUNCH_STACK_END - layout->stack_bytes;
	return true;
}

void launch_layout_fill(const struct launch_layout *layout, const struct elf_image *image,
		const void *file, void *memory)
{
	uint32_t i;

	for (i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		uint64_t in_page = segment->address - elf_segment_page_address(segment);

		if (launch_is_shared(segment))
			memcpy((uint8_t *)memory + layout->segment_offset[i] + in_page,
					(const uint8_t *)file + segment->file_offset, segment->file_bytes);
	}
}
