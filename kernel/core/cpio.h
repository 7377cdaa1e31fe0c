/*
 * The boot package's format: a cpio archive in the "newc" form, read strictly. Pure: it looks at
 * the bytes it is given and nothing else. Names and contents are borrowed from the archive.
 */
#ifndef KERNEL_CORE_CPIO_H
#define KERNEL_CORE_CPIO_H

#include "abi/compiler.h"

#define CPIO_NAME_MAX 255        /* bytes, without the NUL */
#define CPIO_NAME_FIELD_MAX 8192 /* the same with NULs, by which contents are aligned */
#define CPIO_FILES_MAX 1024

struct cpio_file {
	const char    *name;         /* name_bytes bytes, then a NUL */
	uint32_t       name_bytes;
	const uint8_t *data;
	uint64_t       bytes;
};

/* Where reading stands. Start with cpio_start. */
struct cpio_cursor {
	const uint8_t *archive;
	uint64_t       bytes;
	uint64_t       position;
};

enum cpio_step {
	CPIO_FILE,         /* *file is the next one */
	CPIO_END,          /* the trailer was read, and only zeros follow */
	CPIO_BAD,          /* the archive is not what it should be */
};

void cpio_start(struct cpio_cursor *cursor, const void *archive, uint64_t bytes);
enum cpio_step cpio_next(struct cpio_cursor *cursor, struct cpio_file *file);

/* The whole archive is well formed: regular files only, at most CPIO_FILES_MAX, no name twice. */
bool cpio_check(const void *archive, uint64_t bytes, uint32_t *files);
/* The file of this name in a well-formed archive. */
bool cpio_find(const void *archive, uint64_t bytes, const char *name, size_t name_bytes,
		struct cpio_file *file);

#endif
