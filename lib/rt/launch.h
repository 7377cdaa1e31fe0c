/*
 * Launching programs: from an ELF image in memory to a running process with exactly the
 * capabilities that its launcher names. A library, not an authority: everything is done with
 * capabilities that the caller holds.
 *
 * The new process gets: its segments, a stack with an unmapped page below it, its launch
 * parameters (read-only), and the grants. Whatever fails, nothing is left behind.
 *
 * What the processes of an image only read they share. It is mapped from the file itself where the
 * launcher has that as memory, as it has files of the boot package. Otherwise whoever launches a program
 * again and again opens its image once: it is loaded then, into memory that nobody can write any more.
 */
#ifndef LIB_RT_LAUNCH_H
#define LIB_RT_LAUNCH_H

#include <stdint.h>

#include "abi/status.h"
#include "capnp/capnp.h"
#include "capos/kernel.client.h"
#include "elf/elf.h"
#include "rt/layout.h"

#define LAUNCH_ROWS_MAX 16u

/* What launching is done with; all borrowed. */
struct launch_authority {
	struct process_spawner_ref spawner;
	struct object_factory_ref factory;
	struct virtual_memory_ref memory;       /* the caller's own address space */
};

/* One row of a grant's interfaces: its own first, then every ancestor once. */
struct launch_row {
	uint64_t id;
	uint16_t methods;
	uint16_t ancestors;             /* bit n: row n is an ancestor of this one */
};

struct launch_grant {
	struct capnp_text name;
	uint32_t capability;            /* borrowed; the child gets a copy */
	bool own_memory;                /* instead: the child's own VirtualMemory */
	bool own_threads;               /* instead: the making of threads of its own, ThreadSpawner */
	/* What the child is told about it: rows, or a List(InterfaceRow) copied from elsewhere. */
	const struct launch_row *rows;
	uint32_t row_count;
	struct capnp_list row_list;     /* used if row_count is 0 */
};

struct launch_variable {
	struct capnp_text name;
	struct capnp_text value;
};

struct launch_limit {
	enum resource_class class;
	uint64_t limit;
};

/* A program that has been read and checked, for any number of launches. */
struct launch_image {
	struct elf_image elf;
	const void *file;                       /* borrowed: what is written is copied from it at each launch */
	struct memory_view_ref view;            /* the file, borrowed, if pages of it can be mapped as they are; or null: */
	struct memory_object_ref shared;        /* owned and sealed; processes that run keep its memory */
};

struct launch_request {
	const struct launch_image *opened;      /* or NULL, and then: */
	const void *image;              /* an ELF file, anywhere in the caller's memory */
	uint64_t image_bytes;
	struct memory_view_ref image_view;      /* its memory, which nobody can write; may be null */
	struct capnp_text name;         /* for people, at most 31 bytes */
	const struct capnp_text *args;  /* args[0] by convention the program's name */
	uint32_t arg_count;
	const struct launch_variable *env;
	uint32_t env_count;
	const struct launch_grant *grants;
	uint32_t grant_count;
	const struct launch_limit *limits;
	uint32_t limit_count;
	struct capnp_any config;        /* copied; a null pointer for none */
	uint32_t session;               /* the Session that it acts for; 0: the caller's */
	uint64_t stack_bytes;           /* 0: LAUNCH_STACK_BYTES */
};

/* Which part of launching failed. */
enum launch_step {
	LAUNCH_STEP_NONE,
	LAUNCH_STEP_IMAGE,              /* not a program: see elf_error */
	LAUNCH_STEP_PARAMETERS,         /* args, env, config and grants do not fit */
	LAUNCH_STEP_CREATE,             /* the spawner refused */
	LAUNCH_STEP_MEMORY,             /* memory for the image or the stack */
	LAUNCH_STEP_GRANT,              /* a grant was refused: see grant_index */
	LAUNCH_STEP_START,
};

struct launch_result {
	struct process_handle_ref process;      /* owned by the caller; null on failure */
	enum launch_step step;
	enum elf_error elf_error;
	uint32_t grant_index;
};

/* Opens an image; `file` stays as it is until it is closed. With its `view` (or null), which nobody can
 * write, nothing of it is copied to be shared. On failure `result` says where. */
MUST_USE status_t launch_image_open(const struct launch_authority *authority, const void *file, uint64_t file_bytes,
		struct memory_view_ref view, struct launch_image *image, struct launch_result *result);
void launch_image_close(struct launch_image *image);

/* Makes and starts a process. On failure `result` says where. */
MUST_USE status_t launch(const struct launch_authority *authority,
		const struct launch_request *request, struct launch_result *result);

/* One sentence, without a full stop, for a failed launch. */
const char *launch_sentence(const struct launch_result *result);

/* The rows of an interface that the caller knows by a generated header; answers how many. */
uint32_t launch_rows(const struct capnp_interface *interface, struct launch_row *rows,
		uint32_t rows_max);

/* A file of the boot package, mapped read-only into the caller's memory. */
struct launch_file {
	const void *bytes;
	uint64_t count;
	uint64_t mapped_bytes;
	struct memory_view_ref view;
};
/* STATUS_OK with bytes NULL: there is no such file. */
MUST_USE status_t launch_file_open(struct boot_package_ref package,
		struct virtual_memory_ref memory, struct capnp_text name, struct launch_file *file);
void launch_file_close(struct virtual_memory_ref memory, struct launch_file *file);

#endif
