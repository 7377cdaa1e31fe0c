/*
 * Images that are no programs: the loader refuses them, or what it starts ends by itself or is
 * ended. Nothing is left behind either way.
 */
#include "tests/hostile/hostile.h"

#include <stdlib.h>
#include <string.h>

#include "rt/launch.h"

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_off, section_off;
	uint32_t flags;
	uint16_t header_bytes, program_bytes, program_count, section_bytes, section_count, names;
};

struct program_header {
	uint32_t type, flags;
	uint64_t offset, address, physical, file_bytes, memory_bytes, align;
};

static struct launch_file original;
static uint8_t *image;

static struct elf_header *elf(void)
{
	return (struct elf_header *)(void *)image;
}

static struct program_header *program(uint32_t index)
{
	return (struct program_header *)(void *)(image + elf()->program_off) + index;
}

bool image_tests_prepare(void)
{
	if (launch_file_open(world.package, world.memory, capnp_text("bin/end"), &original) !=
			STATUS_OK)
		return false;
	image = malloc(original.count);
	return image != NULL;
}

static void restore(void)
{
	memcpy(image, original.bytes, original.count);
}

static status_t try(uint64_t bytes, struct launch_result *result)
{
	struct launch_authority authority = { world.spawner, world.factory, world.memory };
	struct launch_request request = {
		.image = image, .image_bytes = bytes, .name = capnp_text("image")
	};

	*result = (struct launch_result){ 0 };
	return launch(&authority, &request, result);
}

static void refused(const char *what)
{
	struct launch_result result;
	status_t status = try(original.count, &result);

	if (status == STATUS_OK) {
		tap_note("accepted: %s", what);
		child_kill(result.process);
	}
	CHECK(status != STATUS_OK);
	restore();
}

static void malformed_images_are_refused(void)
{
	uint64_t far[] = { 0, 1, 0xfff, 0x7fffffffffff, 0x800000000000, 0xffff800000000000,
		0xffffffff80100000, UINT64_MAX, UINT64_MAX - 0xfff, LAUNCH_STACK_END - 4096,
		LAUNCH_PARAMETERS };

	restore();
	for (uint32_t i = 0; i < ARRAY_LEN(far); i++) {
		program(0)->address = program(0)->physical = far[i];
		refused("first segment's address");
		program(2)->address = far[i];
		refused("last segment's address");
		elf()->entry = far[i];
		refused("entry");
		program(1)->offset = far[i] | 1ull << 40;
		refused("offset");
		program(2)->memory_bytes = far[i] | 1ull << 40;
		refused("memory size");
		program(2)->file_bytes = far[i] | 1ull << 40;
		refused("file size");
		elf()->program_off = far[i] | 1ull << 40;
		refused("program headers' offset");
	}
	program(1)->flags = 7;
	refused("writable and executable");
	program(2)->address = program(1)->address;
	refused("overlapping segments");
	program(1)->memory_bytes = program(1)->file_bytes - 1;
	refused("memory smaller than file");
	elf()->program_count = 0xffff;
	refused("too many program headers");
	elf()->program_count = 0;
	refused("no program headers");
	elf()->program_bytes = 1;
	refused("small program headers");
	elf()->machine = 3;
	refused("another machine");
	program(3)->flags = 7;
	refused("executable stack");
	program(0)->type = 2;
	refused("dynamic");
	memset(image, 0, 64);
	refused("zeroes");
}

static void truncated_images_are_refused(void)
{
	struct launch_result result;

	restore();
	for (uint64_t bytes = 0; bytes < 512; bytes += 7)
		CHECK(try(bytes, &result) != STATUS_OK);
	for (uint64_t bytes = 512; bytes + 64 < program(2)->offset + program(2)->file_bytes;
			bytes += 2048)
		CHECK(try(bytes, &result) != STATUS_OK);
}

static void changed_images_do_no_harm(void)
{
	struct chance chance = { 4711 + hostile_seed };
	uint32_t started = 0;

	for (uint32_t round = 0; round < 300; round++) {
		struct launch_result result;

		restore();
		for (uint32_t i = 0; i <= round % 3; i++)
			image[chance_below(&chance, 400)] = (uint8_t)chance_next(&chance);
		if (try(original.count, &result) != STATUS_OK)
			continue;
		started++;
		for (uint32_t i = 0; i < 20; i++)
			(void)perform(entry_of(CAP_OP_YIELD, 0));
		child_kill(result.process);
	}
	tap_note("%u of 300 started", started);
}

static const struct test tests[] = {
	{ "malformed images are refused", malformed_images_are_refused },
	{ "truncated images are refused", truncated_images_are_refused },
	{ "changed images do no harm", changed_images_do_no_harm },
};

const struct test_list image_tests = { tests, ARRAY_LEN(tests) };
