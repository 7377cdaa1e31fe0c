/*
 * Reads a newc archive; see cpio.h. Format: cpio(5): a header of 6 + 13 * 8 ASCII characters, the
 * name with its NUL padded to 4 bytes, the contents padded to 4 bytes; a member named TRAILER!!!
 * ends it. Always true: position <= bytes, and nothing beyond `bytes` is looked at.
 */
#include "kernel/core/cpio.h"

#include "kernel/core/string.h"

#define HEADER_BYTES 110
#define TRAILER      "TRAILER!!!"
#define MODE_TYPE    0170000
#define MODE_REGULAR 0100000

enum header_field {
	FIELD_MODE = 1,
	FIELD_FILE_BYTES = 6,
	FIELD_NAME_BYTES = 11,
	FIELD_CHECKSUM = 12,
};

/* The value of 8 hexadecimal digits; false if one is none. */
static bool field_read(const uint8_t *header, uint32_t field, uint32_t *value)
{
	const uint8_t *digits = header + 6 + field * 8;

	*value = 0;
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t digit;

		if (digits[i] >= '0' && digits[i] <= '9')
			digit = digits[i] - (uint32_t)'0';
		else if (digits[i] >= 'a' && digits[i] <= 'f')
			digit = digits[i] - (uint32_t)'a' + 10;
		else if (digits[i] >= 'A' && digits[i] <= 'F')
			digit = digits[i] - (uint32_t)'A' + 10;
		else
			return false;
		*value = *value << 4 | digit;
	}
	return true;
}

static bool all_zero(const uint8_t *bytes, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* Takes `count` bytes and their padding to a multiple of 4 from the cursor; NULL if they are not
 * there. */
static const uint8_t *take(struct cpio_cursor *cursor, uint64_t count)
{
	const uint8_t *start = cursor->archive + cursor->position;
	uint64_t left = cursor->bytes - cursor->position;
	uint64_t padding;

	if (count > left)
		return NULL;
	padding = -(cursor->position + count) & 3;
	if (padding > left - count || !all_zero(start + count, padding))
		return NULL;
	cursor->position += count + padding;
	return start;
}

/* How long a name is that is followed by NULs only, of field_bytes bytes in all; 0: it is none. */
static uint32_t name_length(const uint8_t *name, uint32_t field_bytes)
{
	uint32_t bytes = 0;

	while (bytes < field_bytes && name[bytes] != 0)
		bytes++;
	if (bytes == field_bytes || bytes > CPIO_NAME_MAX || !all_zero(name + bytes, field_bytes - bytes))
		return 0;
	return bytes;
}

void cpio_start(struct cpio_cursor *cursor, const void *archive, uint64_t bytes)
{
	cursor->archive = archive;
	cursor->bytes = bytes;
	cursor->position = 0;
}

enum cpio_step cpio_next(struct cpio_cursor *cursor, struct cpio_file *file)
{
	const uint8_t *header = cursor->archive + cursor->position;
	const uint8_t *name;
	uint32_t mode;
	uint32_t bytes;
	uint32_t name_bytes;
	uint32_t checksum;

	if (cursor->bytes - cursor->position < HEADER_BYTES || memcmp(header, "070701", 6) != 0)
		return CPIO_BAD;
	if (!field_read(header, FIELD_MODE, &mode) ||
			!field_read(header, FIELD_FILE_BYTES, &bytes) ||
			!field_read(header, FIELD_NAME_BYTES, &name_bytes) ||
			!field_read(header, FIELD_CHECKSUM, &checksum))
		return CPIO_BAD;
	if (checksum != 0 || name_bytes > CPIO_NAME_FIELD_MAX)
		return CPIO_BAD;
	/* Header and name are padded together. */
	if (!take(cursor, HEADER_BYTES + (uint64_t)name_bytes))
		return CPIO_BAD;
	name = header + HEADER_BYTES;
	name_bytes = name_length(name, name_bytes);
	if (name_bytes == 0)
		return CPIO_BAD;
	if (name_bytes == sizeof(TRAILER) - 1 && memcmp(name, TRAILER, name_bytes) == 0) {
		uint64_t left = cursor->bytes - cursor->position;

		return bytes == 0 && all_zero(cursor->archive + cursor->position, left) ? CPIO_END
											: CPIO_BAD;
	}
	if ((mode & MODE_TYPE) != MODE_REGULAR)
		return CPIO_BAD;
	file->name = (const char *)name;
	file->name_bytes = name_bytes;
	file->bytes = bytes;
	file->data = take(cursor, bytes);
	return file->data ? CPIO_FILE : CPIO_BAD;
}

static bool file_is_named(const struct cpio_file *file, const char *name, size_t name_bytes)
{
	return file->name_bytes == name_bytes && memcmp(file->name, name, name_bytes) == 0;
}

bool cpio_find(const void *archive, uint64_t bytes, const char *name, size_t name_bytes,
		struct cpio_file *file)
{
	struct cpio_cursor cursor;

	cpio_start(&cursor, archive, bytes);
	while (cpio_next(&cursor, file) == CPIO_FILE) {
		if (file_is_named(file, name, name_bytes))
			return true;
	}
	return false;
}

bool cpio_check(const void *archive, uint64_t bytes, uint32_t *files)
{
	struct cpio_cursor cursor;
	struct cpio_file file;
	enum cpio_step step;

	*files = 0;
	cpio_start(&cursor, archive, bytes);
	while ((step = cpio_next(&cursor, &file)) == CPIO_FILE) {
		struct cpio_file first;

		if (++*files > CPIO_FILES_MAX)
			return false;
		/* The first of this name must be this one. */
		if (!cpio_find(archive, bytes, file.name, file.name_bytes, &first) ||
				first.name != file.name)
			return false;
	}
	return step == CPIO_END;
}
