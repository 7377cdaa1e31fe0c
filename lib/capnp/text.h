/*
 * Cap'n Proto text by reflection: prints any struct as the official tool does, and parses text into
 * a builder with errors that name the column. The shell, the tracer and the audit log use it.
 *
 * Capabilities, which the official text cannot say, print and parse as `@name`; what a name means
 * is the caller's (struct capnp_names). An AnyPointer can be given as a capability only.
 *
 * Always true: nothing is allocated, no floating point register is used, recursion is bounded by
 * CAPNP_DEPTH_MAX.
 */
#ifndef CAPNP_TEXT_H
#define CAPNP_TEXT_H

#include "capnp/schema.h"

enum capnp_name_result {
	CAPNP_NAME_FOUND,
	CAPNP_NAME_UNKNOWN,
	CAPNP_NAME_WRONG_TYPE,
};

/* How capabilities are named. Either function may be NULL. */
struct capnp_names {
	/* The name, without "@", of a capability of a message that is printed; empty: it has none. */
	struct capnp_text (*name_of)(void *arg, const struct capnp_message *message,
			struct capnp_cap cap);
	/* Enters the capability with this name in the message that is built. It must have the
	 * interface; 0: any. */
	enum capnp_name_result (*cap_of)(void *arg, struct capnp_text name, uint64_t interface_id,
			struct capnp_builder *to, struct capnp_cap *cap);
	void *arg;
};

/* --- Printing --- */

#define CAPNP_PRINT_LINES  1u   /* long values on several lines, as the official tool without --short */
#define CAPNP_PRINT_REDACT 2u   /* fields marked $sensitive print as <redacted> */

/* Each prints into `out` and returns the length that the whole text has, which may be more than
 * `capacity`; nothing is written past it, and no NUL. `names` may be NULL. */
uint32_t capnp_print_struct(char *out, uint32_t capacity, struct schema_node type,
		struct capnp_struct_reader value, const struct capnp_names *names, uint32_t flags);
/* The value of one field, with its default where the struct does not have it. */
uint32_t capnp_print_field(char *out, uint32_t capacity, struct schema_member field,
		struct capnp_struct_reader value, const struct capnp_names *names, uint32_t flags);

/* --- Parsing --- */

struct capnp_parse_error {
	uint32_t column;                /* bytes before the place, from 0 */
	uint32_t bytes;                 /* length of what is wrong; 0: something is missing there */
	char message[112];              /* ends with NUL */
};

/* Parses `(field = value, ...)` into a struct of this type, which must be freshly made. Space and
 * comments around it are skipped. With `end` NULL the text must end there; else `*end` is where
 * parsing stopped. Returns whether it succeeded; otherwise `*error` says why and the builder's
 * contents are to be thrown away. */
bool capnp_parse_struct(struct capnp_text text, struct schema_node type,
		struct capnp_struct_builder to, const struct capnp_names *names, uint32_t *end,
		struct capnp_parse_error *error);

#endif
