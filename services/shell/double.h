/*
 * A system in one process for the shell's tests: a transport whose capabilities lead to generated
 * server skeletons, and a few objects behind them (timer, console, bank, authority, processes).
 * Calls are dispatched while they are sent. It counts holders, so a test can tell that nothing leaks.
 */
#ifndef SERVICES_SHELL_DOUBLE_H
#define SERVICES_SHELL_DOUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "services/shell/shell.h"

#define DOUBLE_OBJECTS_MAX 64

struct call;

struct double_object {
	status_t (*dispatch)(void *self, struct call *call, uint64_t interface_id, uint16_t method);
	uint64_t value;
	char text[32];
	uint32_t holders;
	bool ended;
	bool revoked;
};

/* A capability somewhere in the system, as the capability manager tells of it. */
struct double_row {
	uint32_t process;
	uint32_t granter;
	uint64_t object;		/* the shell's own: its capability id */
	const char *kind;
	uint64_t interface;
	uint64_t grant;
	uint64_t parent;
	uint32_t server;
	uint32_t subject;
	bool revoked;
};

/* What a trace recorded, for the tests to say; `payload` begins the message of `words` words. */
struct double_event {
	uint16_t kind;
	uint16_t method;
	uint64_t time_ns, call, within, interface_id, detail;
	uint32_t process, other;
	int32_t status;
	uint16_t question, words;
	uint8_t capabilities;
	const uint64_t *payload;
	uint32_t payload_words;
};

struct double_system {
	struct transport transport;
	struct client_scalars scalars;
	struct double_object object[DOUBLE_OBJECTS_MAX];	/* capability id is 1 + index */
	char console[1024];		/* what was printed on the console */
	uint32_t powered_off;		/* 1 + the status */
	uint64_t slept_ns;
	uint32_t interrupted;		/* how often the next waits answer as after Ctrl-C */
	const uint64_t *answer;		/* not NULL: every call is answered with these words instead */
	uint32_t answer_words;
	status_t refusal;		/* not ok: every call's end, with the detail */
	uint64_t detail;
	const struct double_row *rows;	/* what the 40 processes hold */
	uint32_t row_count;

	/* The last launch. */
	char program[32];
	char grants[256];
	char strings[256];
	int64_t exit_status;		/* of programs to come */
	bool crash;

	const struct double_event *trace;	/* what every trace recorded */
	uint32_t trace_count;
	uint64_t trace_lost;
	uint32_t trace_status;		/* with which tracing is refused; 0: it is not */
	uint32_t traces_stopped;
};

#define DOUBLE_SHELL 7u			/* process id of the shell; others are called process-N */

void double_init(struct double_system *d);

/* Makes the shell hold timer, console, bank, authority and system. */
void double_grant_all(struct double_system *d, struct shell *sh);

/* And a tracer: headers only, or also messages. */
void double_grant_tracer(struct double_system *d, struct shell *sh, bool payload);

extern const struct shell_ops double_ops;	/* arg: the double_system; output goes to double_output */
extern char double_output[65536];

/* A new object that nobody but the caller holds: its capability. */
uint32_t double_keep(struct double_system *d);

/* How many capabilities are held by anybody. */
uint32_t double_holders(const struct double_system *d);

#endif
