/*
 * BootPackage: the archive that the boot loader brought, read in place. Checked once at boot, so
 * later walks cannot fail. A file of whole pages, as programs are packed, is given out where it is,
 * to be read only. Others are given as a copy, paid by the caller: the bytes around them in the
 * archive are another's.
 */
#include "kernel/object/boot_package.h"

#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/object/call.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/roots.h"

#define LIST_FILES_MAX 32  /* an answer */
#define LIST_WORDS_MAX 480 /* of names and rows in an answer, below CALL_RESULT_WORDS_MAX */
#define LIST_ROW_WORDS 2

/*  I fixed after boot  */
static const void *archive;    /* I, NULL: there is none */
static uint64_t archive_bytes; /* I */
static uint32_t archive_files; /* I */

void boot_package_init(const struct boot_info *boot)
{
	const void *package = arch_direct(boot->package.start);
	uint64_t bytes = boot->package.end - boot->package.start;

	if (bytes == 0)
		return;
	if (!cpio_check(package, bytes, &archive_files)) {
		log_line(LOG_ERROR, "the boot package is not a well-formed archive");
		return;
	}
	archive = package;
	archive_bytes = bytes;
}

bool boot_package_find(const char *name, size_t name_bytes, struct cpio_file *file)
{
	return archive && cpio_find(archive, archive_bytes, name, name_bytes, file);
}

/* Text takes its NUL and whole words. */
static uint32_t file_words(const struct cpio_file *file)
{
	return LIST_ROW_WORDS + (file->name_bytes + 8) / 8;
}

/* Moves the cursor past `start` files; counts how many of those after it fit an answer. */
static uint32_t list_place(struct cpio_cursor *cursor, uint32_t start)
{
	struct cpio_cursor ahead;
	struct cpio_file file;
	uint32_t count = 0;
	uint32_t words = 0;

	cpio_start(cursor, archive, archive_bytes);
	for (uint32_t i = 0; i < start; i++) {
		if (cpio_next(cursor, &file) != CPIO_FILE)
			return 0;
	}
	ahead = *cursor;
	while (count < LIST_FILES_MAX && cpio_next(&ahead, &file) == CPIO_FILE) {
		words += file_words(&file);
		if (words > LIST_WORDS_MAX)
			break;
		count++;
	}
	return count;
}

static status_t method_list(void *self, struct call *call,
		struct boot_package_list_params_reader in,
		struct boot_package_list_results_builder *out)
{
	struct cpio_cursor cursor;
	uint32_t count = list_place(&cursor, boot_package_list_params_get_start(in));
	struct capnp_list_builder files = boot_package_list_results_init_files(*out, count);

	boot_package_list_results_set_total(*out, archive_files);
	for (uint32_t i = 0; i < count; i++) {
		struct boot_file_builder row = boot_file_builder_at(files, i);
		struct cpio_file file;

		if (cpio_next(&cursor, &file) != CPIO_FILE)
			break;
		boot_file_set_name(row, capnp_text_of(file.name, file.name_bytes));
		boot_file_set_bytes(row, file.bytes);
	}
	return STATUS_OK;
}

static status_t file_give(struct call *call, const struct cpio_file *file, struct memory_object **object)
{
	uint64_t physical = arch_direct_physical(file->data);
	status_t status;

	if (file->bytes > 0 && (physical | file->bytes) % PAGE_SIZE == 0)
		return memory_object_create_window(
				call->payer, MEMORY_FIXED, physical, file->bytes, object, &call->detail);
	status = memory_object_create(call->payer, file->bytes, object, &call->detail);
	if (status != STATUS_OK)
		return status;
	status = memory_object_write(*object, 0, file->data, file->bytes, &call->detail);
	if (status != STATUS_OK)
		object_put(&(*object)->object);
	return status;
}

static status_t method_open(void *self, struct call *call,
		struct boot_package_open_params_reader in,
		struct boot_package_open_results_builder *out)
{
	struct capnp_text name = boot_package_open_params_get_name(in);
	struct memory_object *object;
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct cpio_file file;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (!boot_package_find(name.chars, name.bytes, &file))
		return STATUS_OK;
	status = file_give(call, &file, &object);
	if (status != STATUS_OK)
		return status;
	object_hold(&object->object);
	object_put(&object->object);
	status = call_give(call, &object->object, &memory_view_interface, true, &cap);
	boot_package_open_results_set_found(*out, true);
	boot_package_open_results_set_file(*out, cap);
	boot_package_open_results_set_bytes(*out, file.bytes);
	return status;
}

static status_t boot_package_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct boot_package_server server = {
		.list = method_list,
		.open = method_open,
	};

	return boot_package_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type boot_package_type = {
	.name = "boot package",
	.call = boot_package_call,
};

struct object *boot_package_object(void)
{
	static struct object package = ROOT_OBJECT(&boot_package_type);

	return archive ? &package : NULL;
}
