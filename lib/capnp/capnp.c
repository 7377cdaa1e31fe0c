/*
 * Cap'n Proto messages: following pointers, allocating objects and copying them.
 *
 * See capnp.h for what is always true. Wire format: https://capnproto.org/encoding.html. A pointer
 * word is decoded in one place (pointer_decode), a bound is checked in one place (span_claim).
 */
#include "capnp/capnp_internal.h"

static void message_refuse(struct capnp_message *message)
{
	if (message != NULL)
		message->status = CAPNP_BAD_MESSAGE;
}

/* Checks that `words` words lie in the message after the pointer and charges them, at least one,
 * plus `extra`. Gives their place, or NULL having latched the refusal. */
static const uint64_t *span_claim(struct capnp_any any, int32_t offset, uint64_t words,
		uint64_t extra)
{
	struct capnp_message *m = any.message;
	int64_t start = (any.pointer - m->words) + 1 + offset;
	uint64_t cost = (words > 0 ? words : 1) + extra;

	if (start < 0 || start > (int64_t)m->count || words > m->count - (uint64_t)start ||
	    cost > m->budget) {
		message_refuse(m);
		return NULL;
	}
	if (m->budget != UINT64_MAX)
		m->budget -= cost;
	return m->words + start;
}

enum capnp_kind capnp_any_kind(struct capnp_any any)
{
	return any.pointer == NULL ? CAPNP_KIND_NULL : pointer_decode(*any.pointer).kind;
}

struct capnp_struct_reader capnp_any_struct(struct capnp_any any)
{
	struct capnp_struct_reader s = { NULL, any.message, 0, 0 };
	struct pointer p;
	const uint64_t *at;

	if (capnp_any_is_null(any))
		return s;
	p = pointer_decode(*any.pointer);
	if (p.kind != CAPNP_KIND_STRUCT) {
		message_refuse(any.message);
		return s;
	}
	at = span_claim(any, p.offset, (uint64_t)p.data_words + p.pointer_count, 0);
	if (at == NULL)
		return s;
	s.data = (const uint8_t *)at;
	s.data_bytes = p.data_words * 8;
	s.pointer_count = p.pointer_count;
	return s;
}

void capnp_fit_root(struct capnp_message *message, uint32_t data_words)
{
	uint64_t *words = (uint64_t *)(uintptr_t)message->words;
	struct capnp_struct_reader root = capnp_any_struct(capnp_root(message));
	uint32_t bytes = root.data_bytes < data_words * 8 ? root.data_bytes : data_words * 8;

	/* An element of the message that follows the pointer stays where it is if it is long enough. */
	if (root.data == (const uint8_t *)(words + 1) && bytes == data_words * 8)
		return;
	if (bytes != 0)
		__builtin_memmove(words + 1, root.data, bytes);
	__builtin_memset((uint8_t *)(words + 1) + bytes, 0, data_words * 8ull - bytes);
	words[0] = CAPNP_ROOT_POINTER(data_words, 0);
	if (message->count <= data_words)
		message->count = data_words + 1;
}

static struct capnp_list list_follow_composite(struct capnp_any any, struct pointer p)
{
	struct capnp_list list = { NULL, any.message, 0, 0, 0, 0, CAPNP_VOID };
	const uint64_t *at = span_claim(any, p.offset, (uint64_t)p.count + 1, 0);
	struct pointer tag;
	uint64_t step_words;
	uint32_t count;

	if (at == NULL)
		return list;
	tag = pointer_decode(*at);
	count = (uint32_t)*at >> 2;
	step_words = (uint64_t)tag.data_words + tag.pointer_count;
	if ((*at & 3) != 0 || count * step_words > p.count) {
		message_refuse(any.message);
		return list;
	}
	/* Elements of no size cost a word each, or a few bytes would buy half a billion visits. */
	if (step_words == 0 && span_claim(any, p.offset, 0, count) == NULL)
		return list;
	list.data = (const uint8_t *)(at + 1);
	list.count = count;
	list.step_bits = (uint32_t)step_words * 64;
	list.data_bytes = tag.data_words * 8;
	list.pointer_count = (uint16_t)tag.pointer_count;
	list.size = CAPNP_COMPOSITE;
	return list;
}

/* A list of `count` elements that are no structs. */
static inline struct capnp_list list_follow_flat(struct capnp_any any, int32_t offset, uint32_t count,
		enum capnp_size size)
{
	struct capnp_list list = { NULL, any.message, 0, 0, 0, 0, CAPNP_VOID };
	uint32_t bits = size_bits(size);
	const uint64_t *at = span_claim(any, offset, ((uint64_t)count * bits + 63) / 64,
			size == CAPNP_VOID ? count : 0);

	if (at == NULL)
		return list;
	list.data = (const uint8_t *)at;
	list.count = count;
	list.step_bits = bits;
	list.size = (uint16_t)size;
	list.pointer_count = size == CAPNP_POINTER;
	list.data_bytes = size == CAPNP_POINTER ? 0 : bits / 8;
	return list;
}

struct capnp_list capnp_any_list_any(struct capnp_any any)
{
	struct capnp_list list = { NULL, any.message, 0, 0, 0, 0, CAPNP_VOID };
	struct pointer p;

	if (capnp_any_is_null(any))
		return list;
	p = pointer_decode(*any.pointer);
	if (p.kind != CAPNP_KIND_LIST) {
		message_refuse(any.message);
		return list;
	}
	if (p.size == CAPNP_COMPOSITE)
		return list_follow_composite(any, p);
	return list_follow_flat(any, p.offset, p.count, p.size);
}

/* Whether a list found on the wire can serve where elements of size `expected` are read. Larger
 * elements do: a struct whose first field is the old element. Bits were never upgradable. */
static bool list_serves(struct capnp_list list, enum capnp_size expected)
{
	if (expected == CAPNP_VOID)
		return true;
	if (expected == CAPNP_BIT || list.size == CAPNP_BIT)
		return (uint32_t)expected == list.size;
	if (expected == CAPNP_POINTER)
		return list.pointer_count > 0;
	if (expected == CAPNP_COMPOSITE)
		return true;
	return list.data_bytes >= size_bits(expected) / 8u;
}

struct capnp_list capnp_any_list(struct capnp_any any, enum capnp_size expected)
{
	struct capnp_list list = capnp_any_list_any(any);

	if (list.data != NULL && !list_serves(list, expected)) {
		message_refuse(any.message);
		list.count = 0;
	}
	return list;
}

static struct capnp_data bytes_follow(struct capnp_any any)
{
	struct capnp_data data = { NULL, 0 };
	const uint64_t *at;
	struct pointer p;

	if (capnp_any_is_null(any))
		return data;
	p = pointer_decode(*any.pointer);
	if (p.kind != CAPNP_KIND_LIST || p.size != CAPNP_BYTE) {
		message_refuse(any.message);
		return data;
	}
	at = span_claim(any, p.offset, ((uint64_t)p.count + 7) / 8, 0);
	if (at == NULL)
		return data;
	data.bytes = (const uint8_t *)at;
	data.count = p.count;
	return data;
}

struct capnp_data capnp_any_data(struct capnp_any any)
{
	struct capnp_data data = bytes_follow(any);

	if (data.bytes == NULL)
		data.bytes = (const uint8_t *)"";
	return data;
}

struct capnp_text capnp_any_text(struct capnp_any any)
{
	struct capnp_data data = bytes_follow(any);

	if (data.bytes == NULL)
		return (struct capnp_text){ "", 0 };
	if (data.count == 0 || data.bytes[data.count - 1] != 0) {
		message_refuse(any.message);
		return (struct capnp_text){ "", 0 };
	}
	return (struct capnp_text){ (const char *)data.bytes, data.count - 1 };
}

struct capnp_cap capnp_any_cap(struct capnp_any any)
{
	struct pointer p;

	if (capnp_any_is_null(any))
		return CAPNP_CAP_NULL;
	p = pointer_decode(*any.pointer);
	if (p.kind != CAPNP_KIND_CAP || p.count >= any.message->cap_count) {
		message_refuse(any.message);
		return CAPNP_CAP_NULL;
	}
	return (struct capnp_cap){ p.count };
}

void capnp_list_gather(struct capnp_list list, uint32_t first, uint32_t count, void *to, uint32_t bytes)
{
	uint8_t *out = to;
	uint32_t own = list.data_bytes < bytes ? list.data_bytes : bytes;

	__builtin_memset(out, 0, (uint64_t)count * bytes);
	for (uint32_t i = 0; i < count; i++)
		__builtin_memcpy(out + (uint64_t)i * bytes,
				list.data + (uint64_t)(first + i) * (list.step_bits / 8), own);
}

/* --- Building -------------------------------------------------------------------------------- */

static void builder_refuse(struct capnp_builder *builder, int32_t status)
{
	if (builder != NULL && builder->status == CAPNP_OK)
		builder->status = status;
}

/* Words at the end of the message, as they are; NULL having latched when they do not fit. After the
 * first refusal nothing more is allocated, so that a message never has holes. */
static inline uint64_t *builder_take(struct capnp_builder *builder, uint64_t words)
{
	uint64_t *at = builder->words + builder->used;

	if (builder->status != CAPNP_OK)
		return NULL;
	if (words > builder->capacity - builder->used) {
		builder_refuse(builder, CAPNP_TOO_LARGE);
		return NULL;
	}
	builder->used += (uint32_t)words;
	return at;
}

/* The same, zeroed. */
static uint64_t *builder_alloc(struct capnp_builder *builder, uint64_t words)
{
	uint64_t *at = builder_take(builder, words);

	if (at != NULL)
		__builtin_memset(at, 0, words * 8);
	return at;
}

struct capnp_cap capnp_builder_add_cap(struct capnp_builder *builder, struct capnp_cap_slot slot)
{
	if (builder->cap_count >= builder->cap_max) {
		builder_refuse(builder, CAPNP_TOO_LARGE);
		return CAPNP_CAP_NULL;
	}
	builder->caps[builder->cap_count] = slot;
	return (struct capnp_cap){ builder->cap_count++ };
}

struct capnp_message *capnp_builder_view(struct capnp_builder *builder)
{
	if (builder == NULL)
		return NULL;
	builder->view.words = builder->words;
	builder->view.caps = builder->caps;
	builder->view.budget = UINT64_MAX;
	builder->view.count = builder->used;
	builder->view.cap_count = builder->cap_count;
	return &builder->view;
}

struct capnp_any_builder capnp_init_root(struct capnp_builder *builder)
{
	builder->used = 0;
	return (struct capnp_any_builder){ builder_alloc(builder, 1), builder };
}

void capnp_refuse_root(struct capnp_builder *builder)
{
	builder->used = 0;
	builder_refuse(builder, CAPNP_TOO_LARGE);
}

/* The low half of a pointer at `from` to words at `to`, with its two kind bits. */
static uint64_t pointer_offset(const uint64_t *from, const uint64_t *to, uint32_t kind)
{
	return ((uint32_t)(to - from - 1) << 2) | kind;
}

struct capnp_struct_builder capnp_init_struct(struct capnp_any_builder any, uint32_t data_words,
		uint32_t pointer_count)
{
	struct capnp_struct_builder s = { NULL, any.message, 0, 0 };
	uint32_t words = data_words + pointer_count;
	uint64_t *at;

	if (any.pointer == NULL)
		return s;
	at = builder_alloc(any.message, words);
	if (at == NULL)
		return s;
	/* A struct of no size points to itself (offset -1), so that it is not null. */
	*any.pointer = pointer_offset(any.pointer, words == 0 ? any.pointer : at, 0) |
		(uint64_t)data_words << 32 | (uint64_t)pointer_count << 48;
	s.data = (uint8_t *)at;
	s.data_bytes = data_words * 8;
	s.pointer_count = pointer_count;
	return s;
}

struct capnp_list_builder capnp_init_list(struct capnp_any_builder any, enum capnp_size size,
		uint32_t count)
{
	struct capnp_list_builder list = { NULL, any.message, 0, 0, 0, 0, CAPNP_VOID };
	uint64_t *at;

	if (any.pointer == NULL)
		return list;
	if (count > LIST_COUNT_MAX) {
		builder_refuse(any.message, CAPNP_TOO_LARGE);
		return list;
	}
	at = builder_alloc(any.message, ((uint64_t)count * size_bits(size) + 63) / 64);
	if (at == NULL)
		return list;
	*any.pointer = pointer_offset(any.pointer, at, 1) | (uint64_t)size << 32 |
		(uint64_t)count << 35;
	list.data = (uint8_t *)at;
	list.count = count;
	list.step_bits = size_bits(size);
	list.size = (uint16_t)size;
	list.pointer_count = size == CAPNP_POINTER;
	list.data_bytes = size == CAPNP_POINTER ? 0 : size_bits(size) / 8u;
	return list;
}

struct capnp_list_builder capnp_init_struct_list(struct capnp_any_builder any, uint32_t count,
		uint32_t data_words, uint32_t pointer_count)
{
	struct capnp_list_builder list = { NULL, any.message, 0, 0, 0, 0, CAPNP_VOID };
	uint64_t step_words = (uint64_t)data_words + pointer_count;
	uint64_t words = step_words * count;
	uint64_t *at;

	if (any.pointer == NULL)
		return list;
	if (count > LIST_COUNT_MAX || words > LIST_COUNT_MAX) {
		builder_refuse(any.message, CAPNP_TOO_LARGE);
		return list;
	}
	at = builder_alloc(any.message, words + 1);
	if (at == NULL)
		return list;
	*any.pointer = pointer_offset(any.pointer, at, 1) | (uint64_t)CAPNP_COMPOSITE << 32 |
		words << 35;
	*at = (uint64_t)count << 2 | (uint64_t)data_words << 32 | (uint64_t)pointer_count << 48;
	list.data = (uint8_t *)(at + 1);
	list.count = count;
	list.step_bits = (uint32_t)step_words * 64;
	list.data_bytes = data_words * 8;
	list.pointer_count = (uint16_t)pointer_count;
	list.size = CAPNP_COMPOSITE;
	return list;
}

void *capnp_init_array(struct capnp_any_builder any, enum capnp_size size, uint32_t count)
{
	uint64_t bits = (uint64_t)count * size_bits(size), words = (bits + 63) / 64;
	uint64_t *at;

	if (any.pointer == NULL)
		return NULL;
	if (count > LIST_COUNT_MAX) {
		builder_refuse(any.message, CAPNP_TOO_LARGE);
		return NULL;
	}
	at = builder_take(any.message, words);
	if (at == NULL)
		return NULL;
	if (bits % 64 != 0)
		at[words - 1] = 0;
#if CONFIG_DEBUG
	__builtin_memset(at, CAPNP_UNSET, bits / 8);
#endif
	*any.pointer = pointer_offset(any.pointer, at, 1) | (uint64_t)size << 32 |
			(uint64_t)count << 35;
	return at;
}

char *capnp_init_text(struct capnp_any_builder any, uint32_t bytes)
{
	struct capnp_list_builder list;

	if (bytes >= LIST_COUNT_MAX) {
		builder_refuse(any.message, CAPNP_TOO_LARGE);
		return NULL;
	}
	list = capnp_init_list(any, CAPNP_BYTE, bytes + 1);
	return (char *)list.data;
}

uint8_t *capnp_init_data(struct capnp_any_builder any, uint32_t count)
{
	return capnp_init_list(any, CAPNP_BYTE, count).data;
}

void capnp_set_text(struct capnp_any_builder any, struct capnp_text text)
{
	char *to;

	if (text.bytes >= LIST_COUNT_MAX) {
		builder_refuse(any.message, CAPNP_TOO_LARGE);
		return;
	}
	to = capnp_init_array(any, CAPNP_BYTE, text.bytes + 1);
	if (to == NULL)
		return;
	if (text.bytes > 0)
		__builtin_memcpy(to, text.chars, text.bytes);
	to[text.bytes] = '\0';
}

void capnp_set_data(struct capnp_any_builder any, struct capnp_data data)
{
	uint8_t *to = capnp_init_array(any, CAPNP_BYTE, data.count);

	if (to != NULL && data.count > 0)
		__builtin_memcpy(to, data.bytes, data.count);
}

void capnp_set_cap(struct capnp_any_builder any, struct capnp_cap cap)
{
	if (any.pointer != NULL)
		*any.pointer = capnp_cap_is_null(cap) ? 0 : (uint64_t)cap.index << 32 | 3;
}

struct capnp_struct_builder capnp_edit_struct(struct capnp_any_builder any)
{
	struct capnp_struct_builder s = { NULL, any.message, 0, 0 };
	struct pointer p;

	if (any.pointer == NULL)
		return s;
	p = pointer_decode(*any.pointer);
	if (p.kind != CAPNP_KIND_STRUCT)
		return s;
	/* Our own words: the pointer is one that we wrote. */
	s.data = (uint8_t *)(any.pointer + 1 + p.offset);
	s.data_bytes = p.data_words * 8;
	s.pointer_count = p.pointer_count;
	return s;
}

/* --- Copying --------------------------------------------------------------------------------- */

static void any_copy(struct capnp_any_builder to, struct capnp_any from, uint32_t depth);

static void fields_copy(struct capnp_struct_builder to, struct capnp_struct_reader from,
		uint32_t depth)
{
	uint32_t bytes = to.data_bytes < from.data_bytes ? to.data_bytes : from.data_bytes;

	if (bytes > 0)
		__builtin_memcpy(to.data, from.data, bytes);
	for (uint32_t i = 0; i < to.pointer_count && i < from.pointer_count; i++)
		any_copy(capnp_pointer_builder(to, i), capnp_pointer(from, i), depth);
}

static void list_copy(struct capnp_any_builder to, struct capnp_list from, uint32_t depth)
{
	struct capnp_list_builder list;

	if (from.size == CAPNP_COMPOSITE)
		list = capnp_init_struct_list(to, from.count, from.data_bytes / 8, from.pointer_count);
	else
		list = capnp_init_list(to, (enum capnp_size)from.size, from.count);
	if (list.data == NULL)
		return;
	if (from.pointer_count == 0) {
		uint64_t bits = (uint64_t)from.count * from.step_bits;

		if (bits > 0)
			__builtin_memcpy(list.data, from.data, (bits + 7) / 8);
		if (bits % 8 != 0)
			list.data[bits / 8] &= (uint8_t)((1u << (bits % 8)) - 1);
		return;
	}
	for (uint32_t i = 0; i < from.count && list.message->status == CAPNP_OK; i++)
		fields_copy(capnp_list_struct_builder(list, i), capnp_list_struct(from, i), depth);
}

static void cap_copy(struct capnp_any_builder to, struct capnp_any from)
{
	struct capnp_cap cap = capnp_any_cap(from);
	const struct capnp_cap_slot *slot = capnp_cap_slot(from.message, cap);

	if (slot != NULL && from.message != &to.message->view)
		cap = capnp_builder_add_cap(to.message, *slot);
	capnp_set_cap(to, cap);
}

static void any_copy(struct capnp_any_builder to, struct capnp_any from, uint32_t depth)
{
	if (to.pointer == NULL)
		return;
	if (depth == 0) {
		message_refuse(from.message);
		builder_refuse(to.message, CAPNP_BAD_MESSAGE);
		return;
	}
	switch (capnp_any_kind(from)) {
	case CAPNP_KIND_NULL:
		*to.pointer = 0;
		break;
	case CAPNP_KIND_STRUCT: {
		struct capnp_struct_reader s = capnp_any_struct(from);

		fields_copy(capnp_init_struct(to, s.data_bytes / 8, s.pointer_count), s, depth - 1);
		break;
	}
	case CAPNP_KIND_LIST:
		list_copy(to, capnp_any_list_any(from), depth - 1);
		break;
	case CAPNP_KIND_CAP:
		cap_copy(to, from);
		break;
	case CAPNP_KIND_BAD:
		message_refuse(from.message);
		break;
	}
	if (from.message->status != CAPNP_OK)
		builder_refuse(to.message, CAPNP_BAD_MESSAGE);
}

void capnp_set_any(struct capnp_any_builder any, struct capnp_any from)
{
	any_copy(any, from, CAPNP_DEPTH_MAX);
}

void capnp_set_struct(struct capnp_any_builder any, struct capnp_struct_reader from)
{
	/* An element of a list that was upgraded has fewer than 8 bytes. */
	fields_copy(capnp_init_struct(any, (from.data_bytes + 7) / 8, from.pointer_count), from,
			CAPNP_DEPTH_MAX);
}

void capnp_set_list(struct capnp_any_builder any, struct capnp_list from)
{
	list_copy(any, from, CAPNP_DEPTH_MAX);
}

void capnp_copy_into(struct capnp_struct_builder to, struct capnp_struct_reader from)
{
	fields_copy(to, from, CAPNP_DEPTH_MAX);
}
