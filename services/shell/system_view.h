/*
 * What the capability manager tells of the whole system, read once: processes, and the capabilities that each of them
 * holds. holders, reach and authority (authority.c) are drawn from it.
 *
 * The system goes on while it is read, so the parts may be of slightly different times. Rows that were revoked are
 * left out. Rows refer to each other by index; VIEW_NONE ends a list.
 */
#ifndef SERVICES_SHELL_SYSTEM_VIEW_H
#define SERVICES_SHELL_SYSTEM_VIEW_H

#include "capos/kernel.capnp.h"
#include "services/shell/shell.h"

#define VIEW_NONE UINT32_MAX
#define VIEW_LABEL_BYTES 48

enum view_kind {
	VIEW_OBJECT,		/* the kernel answers its calls */
	VIEW_EXPORT,
	VIEW_ENDPOINT,
	VIEW_PROCESS,		/* `subject` is whose handle this is */
};

struct view_row {
	uint32_t process;	/* index of the holder */
	uint32_t server;	/* EXPORT, ENDPOINT: index of who serves it; VIEW_NONE: nobody does */
	uint32_t granter;	/* process id; 0: nobody */
	uint32_t subject;	/* process id */
	uint32_t copies;	/* of the same grant in this process, with this row; 0: this is one, not the first */
	uint32_t children;	/* first row that was derived from this row's grant, of any process */
	uint32_t sibling;	/* next row that was derived from the same grant */
	uint32_t origin;	/* row that this one was derived from; VIEW_NONE: none is there */
	bool ended;		/* the object behind it */
	enum view_kind kind;
	uint64_t object;
	uint64_t interface;
	uint64_t grant;
	uint64_t parent;
};

struct view_process {
	uint32_t id;
	uint32_t parent_id;
	uint32_t first_row;	/* of its capabilities, which stand together */
	uint32_t capabilities;
	bool namesake;		/* another process has the same name */
	uint32_t threads;
	uint32_t weight;	/* of its new threads, as the next two */
	enum latency_class class;
	uint64_t processors;	/* bit n: they may run on processor n */
	uint64_t runs_on;	/* bit n: a thread is, or was last, on processor n */
	uint64_t memory_pages;
	uint64_t cpu_ns;
	uint64_t budget_ns;	/* of its first context; 0: it has none */
	uint64_t period_ns;
	uint64_t available_ns;
	uint32_t share;		/* per mille, of what says who sets it */
	char name[SHELL_NAME_BYTES];
};

struct system_view {
	struct view_process *processes;
	struct view_row *rows;
	uint32_t *table;	/* rows by grant */
	uint32_t process_count;
	uint32_t process_room;
	uint32_t row_count;
	uint32_t row_room;
	uint32_t table_size;
};

/* Reads everything through what is bound to `authority`; false: it said why, with this place. To be freed either way. */
bool system_view_read(struct shell *sh, uint32_t at, struct system_view *view);
/* The same without capabilities. */
bool system_view_read_processes(struct shell *sh, uint32_t at, struct system_view *view);
void system_view_free(struct system_view *view);

/* Waits for the answer to a call that a command makes on what is bound to `name`; false: it said why. */
bool shell_answered(struct shell *sh, uint32_t at, const char *name, struct client_call *call, uint64_t interface_id,
		uint16_t method);

/* The number of the object behind a capability. */
bool system_view_identify(struct shell *sh, uint32_t at, uint32_t capability, uint64_t *object);

/* The index of the process with this id; VIEW_NONE: it has ended. */
uint32_t system_view_process(const struct system_view *view, uint32_t id);
/* A process for people: its name, with its id where others have that name too. */
const char *system_view_label(const struct system_view *view, uint32_t index, char label[VIEW_LABEL_BYTES]);
/* The same by id, also of one that has ended. */
const char *system_view_label_id(const struct system_view *view, uint32_t id, char label[VIEW_LABEL_BYTES]);

#endif
