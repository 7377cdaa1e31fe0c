/*
 * Schemas as data: a compiled schema (what `capnp compile -o-` writes) opened for reading. The
 * generator, the schema check, the shell and text.h look types up here.
 *
 * Always true: nothing is allocated beyond the arena that schema_open was given; nodes, fields and
 * texts are borrowed from the schema and live as long as it. Lookups that find nothing give a
 * null node (schema_node_is_null), and everything asked of a null node is empty.
 *
 * Offsets follow https://github.com/capnproto/capnproto, c++/src/capnp/schema.capnp.
 */
#ifndef CAPNP_SCHEMA_H
#define CAPNP_SCHEMA_H

#include "capnp/capnp.h"

enum schema_kind {
	SCHEMA_FILE = 0,
	SCHEMA_STRUCT = 1,
	SCHEMA_ENUM = 2,
	SCHEMA_INTERFACE = 3,
	SCHEMA_CONST = 4,
	SCHEMA_ANNOTATION = 5,
};

/* Types; the numbers also tell the kinds of values. */
enum schema_type_kind {
	SCHEMA_VOID = 0,
	SCHEMA_BOOL = 1,
	SCHEMA_INT8 = 2,
	SCHEMA_INT16 = 3,
	SCHEMA_INT32 = 4,
	SCHEMA_INT64 = 5,
	SCHEMA_UINT8 = 6,
	SCHEMA_UINT16 = 7,
	SCHEMA_UINT32 = 8,
	SCHEMA_UINT64 = 9,
	SCHEMA_FLOAT32 = 10,
	SCHEMA_FLOAT64 = 11,
	SCHEMA_TEXT = 12,
	SCHEMA_DATA = 13,
	SCHEMA_LIST = 14,
	SCHEMA_ENUM_TYPE = 15,
	SCHEMA_STRUCT_TYPE = 16,
	SCHEMA_INTERFACE_TYPE = 17,
	SCHEMA_ANY_POINTER = 18,
};

#define SCHEMA_NO_DISCRIMINANT 0xffffu

/* The result of a method declared `-> stream`. */
#define SCHEMA_STREAM_RESULT_ID UINT64_C(0x995f9a3377c0b16e)

struct schema {
	struct capnp_message message;   /* one segment, trusted */
	struct capnp_list nodes;
	struct capnp_list files;        /* those named on the command line */
	struct capnp_list sources;      /* doc comments, one entry a node */
	uint32_t *order;                /* node numbers sorted by id, in the arena; NULL: not sorted */
};

struct schema_node {
	const struct schema *schema;
	struct capnp_struct_reader s;
};

/* A field of a struct, an enumerant or a method; `index` is its place in the node. */
struct schema_member {
	const struct schema *schema;
	struct capnp_struct_reader s;
	uint32_t index;
};

struct schema_type {
	const struct schema *schema;
	struct capnp_struct_reader s;
};

/* Opens the framed file of `count` words. The arena must have room for the message if it has
 * several segments, plus half a word a node. Returns CAPNP_OK or why not. */
int32_t schema_open(struct schema *schema, const uint64_t *file, uint64_t count, uint64_t *arena,
		uint32_t arena_words);

/* --- Nodes --- */
uint32_t schema_node_count(const struct schema *schema);
struct schema_node schema_node_at(const struct schema *schema, uint32_t index);
struct schema_node schema_find(const struct schema *schema, uint64_t id);
/* A requested file's imports: structs of an id and a name. */
struct capnp_list schema_file_imports(struct capnp_struct_reader file);
/* By the name without its file: "Timer", "Manifest.Service"; parts match exactly. The first in
 * the schema's order if several files have it. */
struct schema_node schema_find_name(const struct schema *schema, struct capnp_text name);

static inline bool schema_node_is_null(struct schema_node node)
{
	return node.s.data_bytes == 0;
}
uint64_t schema_node_id(struct schema_node node);
enum schema_kind schema_node_kind(struct schema_node node);
uint64_t schema_node_scope(struct schema_node node);
/* "capos/kernel.capnp:Timer" */
struct capnp_text schema_node_display_name(struct schema_node node);
/* "Timer": the part after the enclosing scope. */
struct capnp_text schema_node_name(struct schema_node node);
/* "Manifest.Service": the part after the file. */
struct capnp_text schema_node_path(struct schema_node node);
bool schema_node_is_generic(struct schema_node node);
/* Doc comment as written, with line ends; empty when there is none. */
struct capnp_text schema_node_doc(struct schema_node node);
/* Doc comment of a field, enumerant or method, by its place among them. */
struct capnp_text schema_member_doc(struct schema_node node, uint32_t index);
struct capnp_list schema_node_annotations(struct schema_node node);

/* --- Structs --- */
uint32_t schema_struct_data_words(struct schema_node node);
uint32_t schema_struct_pointer_count(struct schema_node node);
bool schema_struct_is_group(struct schema_node node);
uint32_t schema_struct_discriminant_count(struct schema_node node);
/* In units of two bytes. */
uint32_t schema_struct_discriminant_offset(struct schema_node node);
uint32_t schema_field_count(struct schema_node node);
struct schema_member schema_field_at(struct schema_node node, uint32_t index);
bool schema_field_find(struct schema_node node, struct capnp_text name, struct schema_member *field);
/* The field that a union's discriminant selects. */
bool schema_field_of_tag(struct schema_node node, uint32_t tag, struct schema_member *field);
bool schema_field_is_group(struct schema_member field);
uint32_t schema_field_discriminant(struct schema_member field);
uint32_t schema_field_code_order(struct schema_member field);
/* In units of the field's size; bits for Bool, pointers for pointers. */
uint32_t schema_field_offset(struct schema_member field);
struct schema_type schema_field_type(struct schema_member field);
/* A Value struct; see schema_value_*. */
struct capnp_struct_reader schema_field_default(struct schema_member field);
bool schema_field_has_explicit_default(struct schema_member field);
/* The node of a group field. */
struct schema_node schema_field_group(struct schema_member field);

/* --- Fields, enumerants, methods --- */
struct capnp_text schema_member_name(struct schema_member member);
struct capnp_list schema_member_annotations(struct schema_member member);

/* --- Enums --- */
uint32_t schema_enumerant_count(struct schema_node node);
struct schema_member schema_enumerant_at(struct schema_node node, uint32_t index);

/* --- Interfaces --- */
uint32_t schema_method_count(struct schema_node node);
struct schema_member schema_method_at(struct schema_node node, uint32_t index);
struct schema_node schema_method_params(struct schema_member method);
struct schema_node schema_method_results(struct schema_member method);
bool schema_method_is_stream(struct schema_member method);
uint32_t schema_super_count(struct schema_node node);
struct schema_node schema_super_at(struct schema_node node, uint32_t index);
/* Every ancestor once, nearest first, self excluded. Returns how many there are; writes at most
 * `max`. */
uint32_t schema_ancestors(struct schema_node node, struct schema_node *out, uint32_t max);
/* Finds a method by name in the interface or an ancestor; tells which interface declares it. */
bool schema_method_find(struct schema_node node, struct capnp_text name,
		struct schema_node *declared_in, struct schema_member *method);

/* --- Types and values --- */
enum schema_type_kind schema_type_kind(struct schema_type type);
/* The node of an enum, struct or interface type. */
struct schema_node schema_type_node(struct schema_type type);
uint64_t schema_type_id(struct schema_type type);
struct schema_type schema_type_element(struct schema_type type);
/* Whether AnyPointer says Capability. */
bool schema_type_is_capability(struct schema_type type);
bool schema_type_is_pointer(struct schema_type type);
/* Bits of a scalar in a struct; 64 for pointers. */
uint32_t schema_type_bits(struct schema_type type);
/* The element size of a list of this type. */
enum capnp_size schema_type_size(struct schema_type type);

struct schema_type schema_const_type(struct schema_node node);
struct capnp_struct_reader schema_const_value(struct schema_node node);
/* A scalar value's bits, zero-extended to 64 (signed ones sign-extended). */
uint64_t schema_value_bits(struct capnp_struct_reader value);
/* A pointer value. */
struct capnp_any schema_value_pointer(struct capnp_struct_reader value);

/* The value of annotation `id` in a list of annotations; false when it is not there. */
bool schema_annotation_find(struct capnp_list annotations, uint64_t id,
		struct capnp_struct_reader *value);

/* Annotations of schema/capos/annotations.capnp. */
#define SCHEMA_ANNOTATION_CODE        UINT64_C(0x9c1c4c3f8d0c6b11)
#define SCHEMA_ANNOTATION_SENTENCE    UINT64_C(0xb7e2b0a5f3a41c52)
#define SCHEMA_ANNOTATION_ABI         UINT64_C(0xe83c2f6f4f0d7a93)
#define SCHEMA_ANNOTATION_AT          UINT64_C(0xd15a7c0e92b86e34)
#define SCHEMA_ANNOTATION_TIMES       UINT64_C(0xa46f0b7d1c2e9585)
#define SCHEMA_ANNOTATION_REPLY_WORDS UINT64_C(0x8d9be3f7265a40c6)
#define SCHEMA_ANNOTATION_UNIT        UINT64_C(0xc3d84f19a6e07b27)
#define SCHEMA_ANNOTATION_HEXADECIMAL UINT64_C(0xc7a90b3e5d18f264)
#define SCHEMA_ANNOTATION_SENSITIVE   UINT64_C(0xfa0712b8c95d3e68)
#define SCHEMA_ANNOTATION_LOCAL       UINT64_C(0x91e6d5a4b70c8f79)
#define SCHEMA_ANNOTATION_IDEMPOTENT  UINT64_C(0xbe4573c21f9a068a)
#define SCHEMA_ANNOTATION_DEBUG       UINT64_C(0xa2c9f80b6e17d59b)
#define SCHEMA_ANNOTATION_EXAMPLE     UINT64_C(0xd67f3e914ab02cac)

#endif
