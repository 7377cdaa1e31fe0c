/*
 * Fuzzer of the boot package's reader: no input may make it read outside the archive, and in an archive
 * that it accepts each file is found by its name.
 */
#include "kernel/core/cpio.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct cpio_cursor cursor;
	struct cpio_file file;
	uint32_t files;
	uint32_t seen = 0;
	enum cpio_step step;

	if (!cpio_check(data, bytes, &files))
		return 0;
	cpio_start(&cursor, data, bytes);
	while ((step = cpio_next(&cursor, &file)) == CPIO_FILE) {
		struct cpio_file found;

		check(file.name_bytes > 0 && file.name[file.name_bytes] == 0);
		check(file.data >= data && file.bytes <= (uint64_t)(data + bytes - file.data));
		check(cpio_find(data, bytes, file.name, file.name_bytes, &found));
		check(found.data == file.data && found.bytes == file.bytes);
		seen++;
	}
	check(step == CPIO_END && seen == files);
	return 0;
}
