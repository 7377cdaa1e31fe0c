/*
 * Values of the shell: objects (received memory with its capabilities) and things (typed places in
 * them). See shell.h.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "services/shell/shell.h"

/* How often one look at an answer may visit each of its words: a table is read by columns, and a
 * value that is broken into lines once more for each level. */
#define LOOKS 64u

/* --- Objects ---------------------------------------------------------------------------------- */

static struct shell_object *object_create(struct shell *sh, uint32_t words, uint32_t caps)
{
	struct shell_object *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->shell = sh;
	o->references = 1;
	o->words = calloc(words + 1, sizeof(uint64_t));
	o->caps = calloc(caps + 1, sizeof(struct capnp_cap_slot));
	if (!o->words || !o->caps) {
		free(o->words);
		free(o->caps);
		free(o);
		return NULL;
	}
	o->word_count = words;
	o->cap_count = caps;
	capnp_message_init_trusted(&o->message, o->words, words, o->caps, caps);
	return o;
}

void object_put(struct shell_object *o)
{
	if (!o || --o->references > 0)
		return;
	for (uint32_t i = 0; i < o->cap_count; i++) {
		if (o->caps[i].id != 0)
			client_release(client_ref_of(o->shell->transport, o->caps[i].id));
	}
	free(o->words);
	free(o->caps);
	free(o);
}

void object_renew(struct shell_object *o)
{
	if (o && o->foreign)
		o->message.budget = (uint64_t)LOOKS * o->word_count;
}

struct thing thing_get(struct thing t)
{
	if (t.object)
		t.object->references++;
	object_renew(t.object);
	return t;
}

void thing_put(struct thing t)
{
	object_put(t.object);
}

struct shell_object *object_of_words(struct shell *sh, uint32_t words)
{
	return object_create(sh, words, 0);
}

struct shell_object *object_of_capability(struct shell *sh, uint32_t capability)
{
	struct shell_object *o = object_create(sh, 0, 1);

	if (o)
		o->caps[0].id = capability;
	return o;
}

/* Copies the answer's words and takes each capability of its table. One that cannot be taken stays
 * null: its place in the message then reads as no capability. */
struct shell_object *object_of_call(struct shell *sh, struct client_call *call)
{
	struct capnp_message *answer = client_results(call).message;
	uint32_t words = answer ? answer->count : 0;
	uint32_t caps = answer ? answer->cap_count : 0;
	struct shell_object *o = object_create(sh, words, caps);

	if (!o || !answer)
		return o;
	memcpy(o->words, answer->words, words * sizeof(uint64_t));
	o->foreign = true;
	object_renew(o);
	for (uint32_t i = 0; i < caps; i++) {
		struct client_ref ref;

		if (client_take(call, (struct capnp_cap){ i }, &ref) == STATUS_OK)
			o->caps[i].id = ref.target;
	}
	return o;
}

/* --- Things ----------------------------------------------------------------------------------- */

struct thing thing_of_struct(struct shell_object *object, struct schema_node node)
{
	return (struct thing){ .kind = THING_STRUCT, .object = object, .node = node,
		.s = capnp_any_struct(capnp_root(&object->message)) };
}

struct thing thing_of_capability(struct shell_object *object, struct schema_node interface)
{
	return (struct thing){ .kind = THING_CAPABILITY, .object = object, .node = interface,
		.capability = object->caps[0].id };
}

static uint32_t tag_of(struct thing s)
{
	return capnp_get_u16(s.s, schema_struct_discriminant_offset(s.node) * 2);
}

bool thing_field_is_set(struct thing s, struct schema_member field)
{
	uint32_t tag = schema_field_discriminant(field);

	return tag == SCHEMA_NO_DISCRIMINANT || tag == tag_of(s);
}

static uint64_t scalar_bits(struct capnp_struct_reader s, enum schema_type_kind kind, uint32_t offset)
{
	switch (kind) {
	case SCHEMA_BOOL: return capnp_get_bool(s, offset);
	case SCHEMA_INT8: return (uint64_t)(int64_t)capnp_get_i8(s, offset);
	case SCHEMA_INT16: return (uint64_t)(int64_t)capnp_get_i16(s, offset * 2);
	case SCHEMA_INT32: return (uint64_t)(int64_t)capnp_get_i32(s, offset * 4);
	case SCHEMA_UINT8: return capnp_get_u8(s, offset);
	case SCHEMA_UINT16:
	case SCHEMA_ENUM_TYPE: return capnp_get_u16(s, offset * 2);
	case SCHEMA_UINT32:
	case SCHEMA_FLOAT32: return capnp_get_u32(s, offset * 4);
	case SCHEMA_INT64:
	case SCHEMA_UINT64:
	case SCHEMA_FLOAT64: return capnp_get_u64(s, offset * 8);
	default: return 0;
	}
}

/* A default is stored by XOR, so the same operation brings the value back, sign and all. */
static uint64_t with_default(uint64_t bits, struct schema_member field)
{
	return bits ^ schema_value_bits(schema_field_default(field));
}

struct thing thing_field(struct thing s, struct schema_member field)
{
	struct thing t = { .kind = THING_FIELD, .object = s.object, .field = field };
	uint32_t offset;

	if (schema_field_is_group(field)) {
		t.kind = THING_STRUCT;
		t.node = schema_field_group(field);
		t.s = s.s;
		return t;
	}
	t.type = schema_field_type(field);
	offset = schema_field_offset(field);
	if (!schema_type_is_pointer(t.type)) {
		t.bits = with_default(scalar_bits(s.s, schema_type_kind(t.type), offset), field);
		return t;
	}
	t.any = capnp_pointer(s.s, offset);
	if (capnp_any_is_null(t.any) && schema_field_has_explicit_default(field))
		t.any = schema_value_pointer(schema_field_default(field));
	if (schema_type_kind(t.type) == SCHEMA_STRUCT_TYPE) {
		t.kind = THING_STRUCT;
		t.node = schema_type_node(t.type);
		t.s = capnp_any_struct(t.any);
	} else if (schema_type_kind(t.type) == SCHEMA_INTERFACE_TYPE || schema_type_is_capability(t.type)) {
		const struct capnp_cap_slot *slot =
			t.any.message ? capnp_cap_slot(t.any.message, capnp_any_cap(t.any)) : NULL;

		t.kind = THING_CAPABILITY;
		t.node = schema_type_node(t.type);
		t.capability = slot ? slot->id : 0;
	}
	return t;
}

struct thing thing_single(struct thing t)
{
	if (t.kind != THING_STRUCT || schema_field_count(t.node) != 1)
		return t;
	return thing_field(t, schema_field_at(t.node, 0));
}

bool thing_as_capability(struct thing t, struct thing *out)
{
	uint32_t found = 0;

	if (t.kind == THING_CAPABILITY) {
		*out = t;
		return t.capability != 0;
	}
	if (t.kind != THING_STRUCT)
		return false;
	for (uint32_t i = 0; i < schema_field_count(t.node); i++) {
		struct schema_member field = schema_field_at(t.node, i);
		struct thing value = thing_field(t, field);

		if (value.kind == THING_CAPABILITY && value.capability != 0 && thing_field_is_set(t, field)) {
			*out = value;
			found++;
		}
	}
	return found == 1;
}

/* --- Literals --------------------------------------------------------------------------------- */

static const struct shell_value *copy_value(struct shell_arena *arena, const struct shell_value *v);

static bool copy_word(struct shell_arena *arena, struct shell_word *w)
{
	char *chars = shell_arena_take(arena, w->bytes + 1);

	if (!chars)
		return false;
	memcpy(chars, w->chars, w->bytes);
	w->chars = chars;
	return true;
}

static bool copy_fields(struct shell_arena *arena, struct shell_value *v)
{
	struct shell_field **tail = &v->fields;

	for (const struct shell_field *from = v->fields; from; from = from->next) {
		struct shell_field *field = shell_arena_take(arena, sizeof(*field));

		if (!field)
			return false;
		*field = *from;
		field->value = (struct shell_value *)(uintptr_t)copy_value(arena, from->value);
		if (!field->value || !copy_word(arena, &field->name))
			return false;
		*tail = field;
		tail = &field->next;
	}
	return true;
}

static bool copy_items(struct shell_arena *arena, struct shell_value *v)
{
	struct shell_value **tail = &v->items;

	for (const struct shell_value *from = v->items; from; from = from->next) {
		struct shell_value *item = (struct shell_value *)(uintptr_t)copy_value(arena, from);

		if (!item)
			return false;
		*tail = item;
		tail = &item->next;
	}
	return true;
}

/* A deep copy; NULL: no room, or a reference, which a kept literal cannot hold. */
static const struct shell_value *copy_value(struct shell_arena *arena, const struct shell_value *v)
{
	struct shell_value *copy = shell_arena_take(arena, sizeof(*copy));

	if (!copy || v->kind == SHELL_REFERENCE)
		return NULL;
	*copy = *v;
	copy->next = NULL;
	if (v->word.bytes > 0 && !copy_word(arena, &copy->word))
		return NULL;
	return copy_fields(arena, copy) && copy_items(arena, copy) ? copy : NULL;
}

struct thing thing_literal(struct shell *sh, const struct shell_value *literal, bool *refers)
{
	struct thing t = { .kind = THING_LITERAL };
	/* Names lie in the line, outside the arena; twice the room covers them and the alignment. */
	uint32_t room = ALIGN_UP(2 * (sh->arena.used + sh->line_bytes) + 64, 8u);
	struct shell_arena arena = { NULL, room, 0 };

	t.object = object_of_words(sh, room / 8);
	*refers = t.object != NULL;
	if (!t.object)
		return (struct thing){ .kind = THING_NOTHING };
	arena.bytes = (uint8_t *)t.object->words;
	t.literal = copy_value(&arena, literal);
	if (!t.literal) {
		object_put(t.object);
		return (struct thing){ .kind = THING_NOTHING };
	}
	*refers = false;
	return t;
}
