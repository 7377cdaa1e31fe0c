/*
 * The shell proper: names bound to capabilities and values, and the evaluation of a parsed line by
 * reflection on the system's schemas. Nothing here knows a capability by name: the parser has
 * rewritten commands to calls, and each call is built from the schema at run time; only authority.c knows
 * the one interface that tells who holds what.
 *
 *   parse.c -> evaluate.c -> encode.c (arguments) -> transport -> value.c (results) -> print.c
 *                         -> help.c, authority.c      complete.c serves the line editor
 *   refusal.c says why a call failed, by the names in the schemas
 *
 * It runs on any transport (lib/capnp/client.h); what else it needs of its process is in shell_ops, so
 * the tests run it against a double. Always true: every capability that the shell received is held
 * by one shell_object and released with its last reference.
 */
#ifndef SERVICES_SHELL_SHELL_H
#define SERVICES_SHELL_SHELL_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"
#include "capnp/client.h"
#include "capnp/schema.h"
#include "services/shell/parse.h"
#include "term/editor.h"
#include "term/history.h"

#define SHELL_NAMES_MAX 96
#define SHELL_NAME_BYTES 32
#define SHELL_LINE_MAX TERM_LINE_MAX
#define SHELL_ARENA_BYTES 24576
#define SHELL_SENTENCE_BYTES 400
#define SHELL_GRANTS_MAX 32
#define SHELL_STRINGS_MAX 32
#define SHELL_PASSED_MAX 16

/* $? where a line or a call was refused by the shell itself. */
#define SHELL_REFUSED 1

struct shell;

/* --- Values ----------------------------------------------------------------------------------- */

/* Memory with references: a message that was received with its capabilities, or a literal. */
struct shell_object {
	struct shell *shell;
	uint32_t references;
	uint64_t *words;
	uint32_t word_count;
	struct capnp_cap_slot *caps;	/* `id` is the capability for the shell's transport; owned */
	uint32_t cap_count;
	struct capnp_message message;
	bool foreign;			/* somebody else wrote the words: what they make us visit is bounded */
};

enum thing_kind {
	THING_NOTHING,
	THING_STRUCT,		/* node, s */
	THING_FIELD,		/* type with bits or any; never a struct or capability */
	THING_CAPABILITY,	/* node: its interface (null: not known), capability */
	THING_LITERAL,		/* literal, in the object's words */
};

/* A value and where it lives. Borrows the object unless thing_get was called for it. */
struct thing {
	enum thing_kind kind;
	struct shell_object *object;
	struct schema_node node;
	struct capnp_struct_reader s;
	struct schema_member field;	/* FIELD: for its name and unit; else schema NULL */
	struct schema_type type;
	uint64_t bits;			/* scalars, zero- or sign-extended */
	struct capnp_any any;
	uint32_t capability;		/* 0: null */
	const struct shell_value *literal;
};

struct shell_name {
	char name[SHELL_NAME_BYTES];
	struct thing thing;		/* holds its object */
	bool given;			/* the shell began with it: not bound to something else by accident */
};

/* --- The process around it -------------------------------------------------------------------- */

struct shell_launch_grant {
	struct capnp_text name;
	uint32_t capability;		/* borrowed */
	bool own_memory;		/* instead: the program's own address space */
	struct schema_node interface;
};

struct shell_launch_variable {
	struct capnp_text name;
	struct capnp_text value;
};

struct shell_launch_request {
	struct capnp_text program;
	bool foreground;
	struct capnp_text args[SHELL_STRINGS_MAX];
	uint32_t arg_count;
	struct shell_launch_variable env[SHELL_STRINGS_MAX];
	uint32_t env_count;
	struct shell_launch_grant grants[SHELL_GRANTS_MAX];
	uint32_t grant_count;
};

/* A call that was typed, for those who tell why it failed. */
struct shell_asked {
	struct schema_node declared;		/* the interface that has the method */
	struct schema_member method;
	const struct shell_value *arguments;	/* NULL: none were written */
};

/* A capability in the parameters of the last call that was typed. */
struct shell_passed {
	struct capnp_text name;			/* of the parameter */
	uint32_t capability;
};

struct shell_ops {
	void (*output)(void *arg, const char *bytes, uint32_t count);
	/* What was put out must be seen before whatever a call or a program prints. */
	void (*flush)(void *arg);
	/* Waits for an answered call or for Ctrl-C, which cancels it. */
	status_t (*await)(void *arg, struct client_call *call);
	/* As await, for the end of a foreground program: Ctrl-C ends the process instead. */
	status_t (*await_process)(void *arg, struct client_call *call, uint32_t process);
	status_t (*narrow)(void *arg, uint32_t capability, uint64_t interface_id, uint32_t *narrowed);
	/* Starts a program and answers a ProcessHandle, owned. On failure `reason` is a sentence or "". */
	status_t (*launch)(void *arg, const struct shell_launch_request *request, uint32_t *process,
			char *reason, uint32_t reason_bytes);
	/* What the kernel said beside the status of the call that failed last; NULL: nothing. */
	uint64_t (*detail)(void *arg);
	/* The programs that could be started, for completion; NULL without. */
	void (*programs)(void *arg, struct term_candidates *out);
	/* The shell's own process id, as traces name it. */
	uint32_t (*process_id)(void *arg);
};

struct shell {
	const struct schema *schema;
	struct transport *transport;
	const struct shell_ops *ops;
	void *arg;
	uint32_t columns;		/* output is laid out for this width */
	uint32_t rows;			/* and what is drawn over itself, for this height */
	const struct term_history *history;

	struct shell_name names[SHELL_NAMES_MAX];
	uint32_t name_count;
	int64_t status;			/* $? */
	bool leave;			/* `exit` was said */
	int64_t leave_status;
	bool tour;			/* `tour` was said */
	bool sensitive;			/* the last line held something that history must not keep */

	/* The line being run. */
	const char *line;
	uint32_t line_bytes;
	bool printed;			/* something was printed since it began */
	bool reprint;			/* an error shows the line again: it does not stand right above */
	bool failed;
	uint32_t failed_at;
	int64_t failure;		/* what $? becomes if this statement fails */
	struct shell_passed passed[SHELL_PASSED_MAX];	/* in the order of the message's table */
	uint32_t passed_count;
	struct shell_tracing *tracing;	/* while `trace` runs statements: the calls that they make */
	char sentence[SHELL_SENTENCE_BYTES];
	_Alignas(8) uint8_t arena_bytes[SHELL_ARENA_BYTES];
	struct shell_arena arena;
};

void shell_init(struct shell *sh, const struct schema *schema, struct transport *transport,
		const struct shell_ops *ops, void *arg);

/* Releases everything. */
void shell_fini(struct shell *sh);

/* Binds a capability, which the shell owns or releases from here on. interface_id 0: not known. */
status_t shell_bind_capability(struct shell *sh, const char *name, uint32_t capability, uint64_t interface_id);

/* Runs one line, prints what it gives, sets status. False: something failed. */
bool shell_run(struct shell *sh, const char *line, uint32_t bytes);

/* Says why a line is not even run, and sets status. */
void shell_refuse(struct shell *sh, const char *sentence);

/* For the line editor: what Tab could put there. */
void shell_complete(void *shell, const char *line, uint32_t bytes, uint32_t cursor,
		struct term_candidates *out);

uint32_t shell_capability_count(const struct shell *sh);

/* --- Between the parts ------------------------------------------------------------------------ */

/* Notes the first failure of the line: where and why. Always false. */
bool shell_fail(struct shell *sh, uint32_t at, const char *format, ...) PRINTF_LIKE(3, 4);

void shell_print(struct shell *sh, const char *format, ...) PRINTF_LIKE(2, 3);
void shell_print_text(struct shell *sh, const char *chars, uint32_t bytes);

/* value.c */
void object_put(struct shell_object *object);
struct thing thing_get(struct thing t);		/* the copy holds the object */
/* Before an answer is looked at once more: gives its reader what one look may cost. */
void object_renew(struct shell_object *object);
void thing_put(struct thing t);
/* Takes the answer out of a finished call: an object with one reference, or NULL without memory. */
struct shell_object *object_of_call(struct shell *sh, struct client_call *call);
struct shell_object *object_of_capability(struct shell *sh, uint32_t capability);
struct shell_object *object_of_words(struct shell *sh, uint32_t words);
struct thing thing_of_struct(struct shell_object *object, struct schema_node node);
struct thing thing_of_capability(struct shell_object *object, struct schema_node interface);
/* A field's value, and the one that stands for a result with exactly one field. */
struct thing thing_field(struct thing s, struct schema_member field);
struct thing thing_single(struct thing t);
/* Whether a union member is the current one; true outside unions. */
bool thing_field_is_set(struct thing s, struct schema_member field);
/* The capability that is meant where one is needed; false: none, or several. */
bool thing_as_capability(struct thing t, struct thing *out);
/* NOTHING: without memory, or where *refers says so the literal holds a reference, which none may. */
struct thing thing_literal(struct shell *sh, const struct shell_value *literal, bool *refers);

/* names.c */
struct shell_name *shell_find(struct shell *sh, const char *name, uint32_t bytes);
bool shell_can_bind(struct shell *sh, struct shell_word name);	/* false: it said why not */
bool shell_bind(struct shell *sh, struct shell_word name, struct thing thing);	/* consumes the thing */
void shell_unbind(struct shell *sh, struct shell_name *name);

/* evaluate.c: follows a chain of names and, if `calls`, of calls. The thing holds its object. */
bool shell_follow(struct shell *sh, const struct shell_chain *chain, bool calls, struct thing *out);
bool shell_run_statement(struct shell *sh, const struct shell_statement *s);

/* trace.c: runs the statement's body and shows who called whom. Calls that a statement
 * makes are noted when they are sent. */
bool shell_trace(struct shell *sh, const struct shell_statement *s);
void shell_trace_note(struct shell *sh, const struct client_call *call, uint64_t interface_id, uint16_t method);

/* Says that there is no such method, and which there are; always false. */
bool shell_no_method(struct shell *sh, uint32_t at, struct schema_node interface,
		struct capnp_text name);

/* refusal.c: why a call that was typed failed, as a sentence. */
void shell_refusal_into(char *out, size_t size, struct shell *sh, const struct shell_asked *asked,
		status_t status);
bool shell_is_revoked(struct shell *sh, uint32_t capability);
/* What a command needs beside what the line names: the capability that is bound to the name, with
 * this interface. False: it said what is missing. */
bool shell_need(struct shell *sh, uint32_t at, const char *name, uint64_t interface_id,
		struct thing *cap);
bool shell_lacks(struct shell *sh, uint32_t at, const char *name, const char *interface);

/* encode.c: fills the struct from fields written by the person; says what is wrong and where. */
bool shell_encode(struct shell *sh, struct client_call *call, struct capnp_struct_builder to,
		struct schema_node node, const struct shell_value *fields, struct capnp_text what);
bool shell_interface_is(struct schema_node interface, uint64_t id);
const char *shell_type_name(struct schema_type type, char *buffer, uint32_t bytes);

/* print.c */
void shell_print_thing(struct shell *sh, struct thing t, struct capnp_text bound);
/* The same in one line, with its NUL; what does not fit is cut. Answers its length. `redact`: what is
 * $sensitive is not shown. */
uint32_t shell_line_of_thing(struct shell *sh, struct thing t, bool redact, char *out,
		uint32_t bytes);
/* In the text below, a blank at which no line may end. */
#define SHELL_TIED "\x01"
/* A span of time in the unit that suits it, with its NUL; answers its length. */
#define SHELL_DURATION_BYTES 32
uint32_t shell_duration(uint64_t ns, char out[SHELL_DURATION_BYTES]);
/* Prints words within the terminal's width: the first line behind `first` blanks, others behind
 * `rest`. Line ends in the text count as blanks. */
void shell_print_wrapped(struct shell *sh, const char *text, size_t bytes, uint32_t first, uint32_t rest);
/* Whether the character that begins here can be shown as it is; *used are its bytes, at least 1. */
bool shell_is_printable(const char *chars, uint32_t bytes, uint32_t *used);
/* What others said may hold no terminal sequences: blanks take the place of what is not printable. */
void shell_make_printable(char *chars, uint32_t bytes);

/* help.c */
bool shell_help(struct shell *sh, const struct shell_statement *s);
void shell_caps(struct shell *sh);

/* authority.c: what is drawn of the whole system. */
bool shell_holders(struct shell *sh, const struct shell_statement *s);
bool shell_reach(struct shell *sh, const struct shell_statement *s);
bool shell_authority(struct shell *sh, const struct shell_statement *s);

/* processes.c: who runs, and how much of the time each has. */
bool shell_ps(struct shell *sh, const struct shell_statement *s);
bool shell_top(struct shell *sh, const struct shell_statement *s);

/* launch.c: run or spawn; the process handle is *out. */
bool shell_launch(struct shell *sh, const struct shell_statement *s, struct thing *out);

#endif
