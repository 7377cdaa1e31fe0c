/*
 * The parts of capnpc-capos to each other. main.c reads the request, generate.c opens one output
 * after the other; types.c, structs.c and interfaces.c write declarations to the current output.
 *
 * Always true: names come from names.c only; what a schema says is asked of lib/capnp/schema.h.
 */
#ifndef CAPNPC_CAPOS_GEN_H
#define CAPNPC_CAPOS_GEN_H

#include <stdio.h>

#include "capnp/schema.h"

/* --- generate.c: the order of things --- */
void generate(const struct schema *schema);

/* --- emit.c: the current output --- */
void emit_open(const char *path);
void emit_close(void);
void emit(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A doc comment as a C comment, indented by `indent`; nothing for an empty one. */
void emit_doc(struct capnp_text doc, const char *indent);
/* A C string literal. */
void emit_literal(struct capnp_text text);
/* `static const uint64_t <name>_words[]` and the message over it, with a copy of what `any` points
 * to as root. */
void emit_words(const char *name, struct capnp_any any);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- names.c: C names; all strings live until names_free --- */
void names_free(void);
const char *name_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* camelCase and CamelCase and scopes (".", "$") to snake_case. */
const char *name_snake(struct capnp_text text);
const char *name_upper(struct capnp_text text);
/* A member's name as part of function names; "root_" for "root", which the whole struct has. */
const char *name_member(struct schema_member member);
/* A field's name as C struct member or parameter: with "_" after a keyword. */
const char *name_field(struct schema_member member);
/* "manifest_service" of a node. */
const char *name_node(struct schema_node node);
const char *name_node_upper(struct schema_node node);
/* "capos/kernel.capnp": the file part of a node's name. */
const char *name_file(struct schema_node node);
/* "CAPOS_KERNEL_CAPNP_H" */
const char *name_guard(const char *file, const char *suffix);
const char *name_of_text(struct capnp_text text);

/* --- types.c: enums, constants, layouts --- */
void enum_emit(struct schema_node node);
void enum_helpers_emit(struct schema_node node);
bool enum_has_codes(struct schema_node node);
void const_emit(struct schema_node node);
bool const_needs_struct(struct schema_node node);
bool layout_is(struct schema_node node);
void layout_emit(struct schema_node node);

/* --- structs.c: readers and builders --- */
void struct_declare(struct schema_node node);
void struct_emit(struct schema_node node);
/* "uint32_t" of a scalar or enum type. */
const char *type_scalar_c(struct schema_type type);
/* "u32": the part of accessor names that says the type. */
const char *type_accessor(struct schema_type type);
/* "CAPNP_BYTE" of the elements of a list type. */
const char *type_size_c(struct schema_type element);
bool type_is_float(struct schema_type type);

/* --- interfaces.c: descriptions, server skeletons --- */
void interface_declare(struct schema_node node);
/* Words that clients offer for the results. */
uint32_t method_reply_words(struct schema_member method);
/* Whether it has methods `-> stream` of its own. */
bool interface_streams(struct schema_node node);
void interface_define(struct schema_node node);
/* A server's table comes behind those of its ancestors; servers_restart forgets what came. */
void server_emit(struct schema_node node);
void servers_restart(void);

/* --- clients.c: typed clients --- */
void client_declare(struct schema_node node);
void client_emit(struct schema_node node);

#endif
