/*
 * Cap'n Proto messages: reading and building one segment in memory that the caller owns.
 *
 * Generated headers (tools/capnpc-capos) give each schema struct a typed face over these. Files
 * with several segments and packed files are brought into this form by capnp_file.h.
 *
 * Always true:
 *  - Nothing is allocated. Nothing but memcpy, memmove, memset and memcmp is needed.
 *  - A reader never leaves its message: each pointer is checked when it is followed, each scalar
 *    against the size that the struct really has, so older and newer structs both read.
 *  - A malformed pointer reads as the empty value and latches CAPNP_BAD_MESSAGE in the message.
 *  - A builder that runs out of words or capability slots latches CAPNP_TOO_LARGE; everything
 *    built after that is dropped, so the caller checks once, at the end.
 *  - Words handed out by a builder are zero, padding included; but for arrays, whose elements the
 *    caller sets, every one of them (capnp_init_array).
 *
 * Readers and builders of structs and lists are small values; copy them freely. They borrow the
 * message and end with it.
 */
#ifndef CAPNP_CAPNP_H
#define CAPNP_CAPNP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same numbers as STATUS_OK, STATUS_BAD_MESSAGE and STATUS_TOO_LARGE (client.h asserts it):
 * the generator is built on this library before there is a status header. */
#define CAPNP_OK          ((int32_t)0)
#define CAPNP_BAD_MESSAGE ((int32_t)-5)
#define CAPNP_TOO_LARGE   ((int32_t)-6)

/* What happens so rarely that it is not to cost its callers registers. For functions that return
 * nothing: clang 14 would keep the result's register as well. */
#define CAPNP_RARE __attribute__((noinline, cold, preserve_most))

/* Levels that code which follows pointers recursively allows (copy, text, canonical form). */
#define CAPNP_DEPTH_MAX   64u

/* Words that a reader may traverse, as a multiple of the message's own: bounds what a small
 * message that points to the same object many times can cost. */
#define CAPNP_BUDGET_FACTOR 8u

/* Element sizes of lists, as on the wire. */
enum capnp_size {
	CAPNP_VOID = 0,
	CAPNP_BIT = 1,
	CAPNP_BYTE = 2,
	CAPNP_TWO_BYTES = 3,
	CAPNP_FOUR_BYTES = 4,
	CAPNP_EIGHT_BYTES = 5,
	CAPNP_POINTER = 6,
	CAPNP_COMPOSITE = 7,
};

enum capnp_kind {
	CAPNP_KIND_NULL,
	CAPNP_KIND_STRUCT,
	CAPNP_KIND_LIST,
	CAPNP_KIND_CAP,
	CAPNP_KIND_BAD,
};

/* One entry of the capability table beside a message. Only whoever hosts the message (kernel,
 * runtime, test) gives the fields a meaning. */
struct capnp_cap_slot {
	uint8_t kind;
	uint8_t path_len;
	uint32_t id;
	union {
		void *object;
		uint64_t path;
	};
};

/* A capability as a message names it: an index in the table beside it. Borrowed. */
struct capnp_cap {
	uint32_t index;
};
#define CAPNP_CAP_NULL_INDEX UINT32_MAX
#define CAPNP_CAP_NULL ((struct capnp_cap){ CAPNP_CAP_NULL_INDEX })

static inline bool capnp_cap_is_null(struct capnp_cap cap)
{
	return cap.index == CAPNP_CAP_NULL_INDEX;
}

/* Bytes without the NUL that ends them on the wire. Borrowed from a message or a literal. */
struct capnp_text {
	const char *chars;
	uint32_t bytes;
};

struct capnp_data {
	const uint8_t *bytes;
	uint32_t count;
};

static inline struct capnp_text capnp_text_of(const char *chars, uint32_t bytes)
{
	return (struct capnp_text){ chars, bytes };
}

/* From a string that ends with NUL. */
static inline struct capnp_text capnp_text(const char *string)
{
	return (struct capnp_text){ string, (uint32_t)__builtin_strlen(string) };
}

static inline bool capnp_text_is(struct capnp_text a, struct capnp_text b)
{
	return a.bytes == b.bytes && (a.bytes == 0 || __builtin_memcmp(a.chars, b.chars, a.bytes) == 0);
}

/* Whether the text is exactly this string. */
static inline bool capnp_text_equals(struct capnp_text a, const char *string)
{
	return capnp_text_is(a, capnp_text(string));
}

static inline struct capnp_data capnp_data_of(const void *bytes, uint32_t count)
{
	return (struct capnp_data){ (const uint8_t *)bytes, count };
}

/* --- Reading --------------------------------------------------------------------------------- */

/* A message being read. The words stay the caller's and must not change meanwhile. */
struct capnp_message {
	const uint64_t *words;
	const struct capnp_cap_slot *caps;
	uint64_t budget;                /* words that may still be traversed */
	uint32_t count;
	uint32_t cap_count;
	int32_t status;                 /* CAPNP_OK, or CAPNP_BAD_MESSAGE once something was refused */
};

/* A pointer in a message, not followed yet; `pointer` NULL is a null pointer. */
struct capnp_any {
	const uint64_t *pointer;
	struct capnp_message *message;
};

struct capnp_struct_reader {
	const uint8_t *data;            /* the pointers follow it */
	struct capnp_message *message;
	uint32_t data_bytes;
	uint32_t pointer_count;
};

struct capnp_list {
	const uint8_t *data;
	struct capnp_message *message;
	uint32_t count;
	uint32_t step_bits;             /* from element to element */
	uint32_t data_bytes;            /* of data in an element; 0 for bits */
	uint16_t pointer_count;         /* of an element */
	uint16_t size;                  /* enum capnp_size, as on the wire */
};

/* Prepares to read another message that came to stand in the same place, where the last was
 * well-formed and had no capabilities. */
static inline void capnp_message_resize(struct capnp_message *message, uint32_t count)
{
	message->budget = (uint64_t)count * CAPNP_BUDGET_FACTOR;
	message->count = count;
}

/* The same, whatever the last was. */
static inline void capnp_message_restart(struct capnp_message *message, uint32_t count, uint32_t cap_count)
{
	capnp_message_resize(message, count);
	message->cap_count = cap_count;
	message->status = CAPNP_OK;
}

/* Prepares to read `count` words at `words` (8-byte aligned) that someone else wrote. */
static inline void capnp_message_init(struct capnp_message *message, const uint64_t *words,
		uint32_t count, const struct capnp_cap_slot *caps, uint32_t cap_count)
{
	message->words = words;
	message->caps = caps;
	capnp_message_restart(message, count, cap_count);
}

/* As capnp_message_init, for our own words (constants, our builder, the boot package's schemas):
 * bounds are checked, the amount of traversal is not. */
static inline void capnp_message_init_trusted(struct capnp_message *message, const uint64_t *words,
		uint32_t count, const struct capnp_cap_slot *caps, uint32_t cap_count)
{
	capnp_message_init(message, words, count, caps, cap_count);
	message->budget = UINT64_MAX;
}

/* The root pointer. */
static inline struct capnp_any capnp_root(struct capnp_message *message)
{
	return (struct capnp_any){ message->count > 0 ? message->words : NULL, message };
}

/* What the pointer points to, without following it. */
enum capnp_kind capnp_any_kind(struct capnp_any any);

/* Follow a pointer. A null pointer gives the empty value (a struct of no size, a list of no
 * elements, empty text, a null capability); so does a bad one, which also latches. */
struct capnp_struct_reader capnp_any_struct(struct capnp_any any);
struct capnp_list capnp_any_list(struct capnp_any any, enum capnp_size expected);
/* The same for numbers of 8 to 64 bits, quickly where the list is just that. */
static inline struct capnp_list capnp_any_numbers(struct capnp_any any, enum capnp_size expected);
/* A list of whatever element size it has. */
struct capnp_list capnp_any_list_any(struct capnp_any any);
struct capnp_text capnp_any_text(struct capnp_any any);
struct capnp_data capnp_any_data(struct capnp_any any);
struct capnp_cap capnp_any_cap(struct capnp_any any);

/* The pointer word of a struct that starts `offset` words behind it. */
#define CAPNP_STRUCT_POINTER(offset, data_words, pointer_count)                                 \
	((uint64_t)(offset) << 2 | (uint64_t)(data_words) << 32 | (uint64_t)(pointer_count) << 48)

/* That of a struct of no size, which points to itself so that it is not null. */
#define CAPNP_EMPTY_STRUCT_POINTER UINT64_C(0xfffffffc)

/* The root pointer of a message whose root stands right behind it. */
#define CAPNP_ROOT_POINTER(data_words, pointer_count)                                           \
	((data_words) + (pointer_count) == 0 ? CAPNP_EMPTY_STRUCT_POINTER :                     \
			CAPNP_STRUCT_POINTER(0, data_words, pointer_count))

/* The root as a struct that mostly has this size and stands right behind its pointer: then it takes
 * one comparison. */
static inline struct capnp_struct_reader capnp_root_struct(struct capnp_message *message,
		uint32_t data_words, uint32_t pointer_count)
{
	if (message->count > data_words + pointer_count &&
	    message->words[0] == CAPNP_ROOT_POINTER(data_words, pointer_count))
		return (struct capnp_struct_reader){ (const uint8_t *)(message->words + 1), message,
			data_words * 8, pointer_count };
	return capnp_any_struct(capnp_root(message));
}

/* Structs of scalars up to this size, with their pointer, are read and built without checks of each
 * field. */
#define CAPNP_SCALARS_WORDS 16u

/* Sees to it that the root is a struct of at least `data_words` right behind its pointer. What an older
 * writer left out becomes zero, as all of it does where the root is no struct. The words must be ours
 * to change, with room for one more than `data_words`. */
void capnp_fit_root(struct capnp_message *message, uint32_t data_words) CAPNP_RARE;

/* The root as a struct of nothing but scalars, fitted if need be: exactly `data_words`, whatever its
 * writer's age, so that no getter has anything left to check. */
static inline struct capnp_struct_reader capnp_root_scalars(struct capnp_message *message,
		uint32_t data_words)
{
	if (__builtin_expect(message->count <= data_words ||
			    message->words[0] != CAPNP_ROOT_POINTER(data_words, 0), 0))
		capnp_fit_root(message, data_words);
	return (struct capnp_struct_reader){ (const uint8_t *)(message->words + 1), message,
		data_words * 8, 0 };
}

/* The bits of a pointer that say that it points to a list, of which elements. */
#define CAPNP_LIST_KIND(size) ((uint64_t)(size) << 32 | 1)

static inline struct capnp_list capnp_any_numbers(struct capnp_any any, enum capnp_size expected)
{
	struct capnp_message *m = any.message;
	uint32_t bits = 8u << (expected - CAPNP_BYTE);
	uint64_t pointer, start, words;

	if (any.pointer == NULL)
		return capnp_any_list(any, expected);
	pointer = *any.pointer;
	start = (uint64_t)(any.pointer - m->words + 1 + ((int32_t)(uint32_t)pointer >> 2));
	words = ((pointer >> 35) * bits + 63) / 64;
	if ((pointer & CAPNP_LIST_KIND(7)) != CAPNP_LIST_KIND(expected) || (pointer & 2) != 0 ||
	    start >= m->count || words > m->count - start || words == 0 ||
	    words > m->budget || m->budget == UINT64_MAX)
		return capnp_any_list(any, expected);
	m->budget -= words;
	return (struct capnp_list){ (const uint8_t *)(m->words + start), m,
		(uint32_t)(pointer >> 35), bits, bits / 8, 0, (uint16_t)expected };
}

static inline bool capnp_any_is_null(struct capnp_any any)
{
	return any.pointer == NULL || *any.pointer == 0;
}

/* The table entry that a capability names; NULL for a null capability. */
static inline const struct capnp_cap_slot *capnp_cap_slot(const struct capnp_message *message,
		struct capnp_cap cap)
{
	return cap.index < message->cap_count ? &message->caps[cap.index] : NULL;
}

/* Pointer `index` of a struct; a null pointer beyond its end. */
static inline struct capnp_any capnp_pointer(struct capnp_struct_reader s, uint32_t index)
{
	struct capnp_any any = { NULL, s.message };

	if (index < s.pointer_count)
		any.pointer = (const uint64_t *)(const void *)(s.data + s.data_bytes) + index;
	return any;
}

static inline bool capnp_has(struct capnp_struct_reader s, uint32_t index)
{
	return !capnp_any_is_null(capnp_pointer(s, index));
}

/* Copies the first `bytes` bytes of `count` elements from `first` on, side by side; what the elements do
 * not have is zero. */
void capnp_list_gather(struct capnp_list list, uint32_t first, uint32_t count, void *to, uint32_t bytes);

/* Scalars of a struct, by byte offset; zero where the struct is too short to have it. And of a list: one
 * by one, or as arrays (`struct capnp_u64s`), whose elements are the compiler's to unroll.
 *
 * capnp_list_u64s gives elements from `first` on: all that there are, in place, or, of a list that a
 * newer writer made one of structs, as many as `pad` has room for, copied there. At least one, unless
 * `first` is beyond the last:
 *
 *	for (first = 0; first < list.count; first += part.count) {
 *		part = capnp_list_u64s(list, first, pad, ARRAY_LEN(pad));
 *		for (i = 0; i < part.count; i++)
 *			sum += part.at[i];
 *	}
 */
#define CAPNP_DEFINE_GET(name, type)                                                            \
	struct capnp_##name##s {                                                                \
		const type *at;                                                                 \
		uint32_t count;                                                                 \
	};                                                                                      \
	static inline struct capnp_##name##s capnp_list_##name##s(struct capnp_list list,       \
			uint32_t first, type *pad, uint32_t pad_count)                          \
	{                                                                                       \
		uint32_t count = first < list.count ? list.count - first : 0;                   \
                                                                                                \
		if (list.step_bits == sizeof(type) * 8 && list.data_bytes == sizeof(type))      \
			return (struct capnp_##name##s){                                        \
				(const type *)(const void *)list.data + first, count };         \
		count = count < pad_count ? count : pad_count;                                  \
		capnp_list_gather(list, first, count, pad, sizeof(type));                       \
		return (struct capnp_##name##s){ pad, count };                                  \
	}                                                                                       \
	static inline type capnp_get_##name(struct capnp_struct_reader s, uint32_t offset)      \
	{                                                                                       \
		type value = 0;                                                                 \
                                                                                                \
		if (offset + (uint32_t)sizeof(value) <= s.data_bytes)                           \
			__builtin_memcpy(&value, s.data + offset, sizeof(value));               \
		return value;                                                                   \
	}                                                                                       \
	static inline type capnp_list_##name(struct capnp_list list, uint32_t index)            \
	{                                                                                       \
		type value = 0;                                                                 \
                                                                                                \
		if (index < list.count && list.data_bytes >= sizeof(value))                     \
			__builtin_memcpy(&value,                                                \
					list.data + (uint64_t)index * (list.step_bits / 8),     \
					sizeof(value));                                         \
		return value;                                                                   \
	}
CAPNP_DEFINE_GET(u8, uint8_t)
CAPNP_DEFINE_GET(u16, uint16_t)
CAPNP_DEFINE_GET(u32, uint32_t)
CAPNP_DEFINE_GET(u64, uint64_t)
CAPNP_DEFINE_GET(i8, int8_t)
CAPNP_DEFINE_GET(i16, int16_t)
CAPNP_DEFINE_GET(i32, int32_t)
CAPNP_DEFINE_GET(i64, int64_t)
#ifndef CAPOS_KERNEL
CAPNP_DEFINE_GET(f32, float)
CAPNP_DEFINE_GET(f64, double)
#endif
#undef CAPNP_DEFINE_GET

static inline bool capnp_get_bool(struct capnp_struct_reader s, uint32_t bit)
{
	return ((capnp_get_u8(s, bit / 8) >> (bit % 8)) & 1) != 0;
}

static inline bool capnp_list_bool(struct capnp_list list, uint32_t index)
{
	if (index >= list.count || list.size != CAPNP_BIT)
		return false;
	return ((list.data[index / 8] >> (index % 8)) & 1) != 0;
}

/* Element `index` as a struct; the empty struct beyond the end. */
static inline struct capnp_struct_reader capnp_list_struct(struct capnp_list list, uint32_t index)
{
	struct capnp_struct_reader s = { NULL, list.message, 0, 0 };

	if (index < list.count && list.size != CAPNP_BIT) {
		s.data = list.data + (uint64_t)index * (list.step_bits / 8);
		s.data_bytes = list.data_bytes;
		s.pointer_count = list.pointer_count;
	}
	return s;
}

/* Element `index` as a pointer; also the first pointer of each struct where the list was upgraded. */
static inline struct capnp_any capnp_list_pointer(struct capnp_list list, uint32_t index)
{
	return capnp_pointer(capnp_list_struct(list, index), 0);
}

static inline struct capnp_text capnp_list_text(struct capnp_list list, uint32_t index)
{
	return capnp_any_text(capnp_list_pointer(list, index));
}

static inline struct capnp_data capnp_list_data(struct capnp_list list, uint32_t index)
{
	return capnp_any_data(capnp_list_pointer(list, index));
}

static inline struct capnp_cap capnp_list_cap(struct capnp_list list, uint32_t index)
{
	return capnp_any_cap(capnp_list_pointer(list, index));
}

/* Element `index` as a list of `expected` elements. */
static inline struct capnp_list capnp_list_list(struct capnp_list list, uint32_t index,
		enum capnp_size expected)
{
	return capnp_any_list(capnp_list_pointer(list, index), expected);
}

/* --- Building -------------------------------------------------------------------------------- */

struct capnp_builder {
	uint64_t *words;
	struct capnp_cap_slot *caps;
	uint32_t capacity;              /* words */
	uint32_t used;                  /* words; the message is the first `used` */
	uint32_t cap_max;
	uint32_t cap_count;
	int32_t status;                 /* CAPNP_OK, CAPNP_TOO_LARGE or CAPNP_BAD_MESSAGE; latched */
	struct capnp_message view;      /* for reading what was built; see capnp_builder_view */
};

/* A pointer to be set; `pointer` NULL swallows everything (after an overflow). */
struct capnp_any_builder {
	uint64_t *pointer;
	struct capnp_builder *message;
};

struct capnp_struct_builder {
	uint8_t *data;
	struct capnp_builder *message;
	uint32_t data_bytes;
	uint32_t pointer_count;
};

struct capnp_list_builder {
	uint8_t *data;
	struct capnp_builder *message;
	uint32_t count;
	uint32_t step_bits;
	uint32_t data_bytes;
	uint16_t pointer_count;
	uint16_t size;
};

/* Starts a message in the caller's `capacity_words` words, which need not be zero. */
static inline void capnp_builder_init(struct capnp_builder *builder, uint64_t *words,
		uint32_t capacity_words, struct capnp_cap_slot *caps, uint32_t caps_max)
{
	builder->words = words;
	builder->caps = caps;
	builder->capacity = capacity_words;
	builder->used = 0;
	builder->cap_max = caps_max;
	builder->cap_count = 0;
	builder->status = CAPNP_OK;
	builder->view.status = CAPNP_OK;
}

/* Words of the finished message. */
static inline uint32_t capnp_builder_words(const struct capnp_builder *builder)
{
	return builder->used;
}

/* Enters a capability in the table beside the message; give the result to a setter. What the slot
 * means and who owns it is the host's business. */
struct capnp_cap capnp_builder_add_cap(struct capnp_builder *builder, struct capnp_cap_slot slot);

/* What was built so far, as a message to read. Valid until more is built. */
struct capnp_message *capnp_builder_view(struct capnp_builder *builder);

/* Starts the message afresh and gives its root pointer. */
struct capnp_any_builder capnp_init_root(struct capnp_builder *builder);
struct capnp_struct_builder capnp_init_struct(struct capnp_any_builder any, uint32_t data_words,
		uint32_t pointer_count);

/* Latches that the root does not fit, and starts the message afresh. */
void capnp_refuse_root(struct capnp_builder *builder) CAPNP_RARE;

/* The same with a struct as root, in one step. */
static inline struct capnp_struct_builder capnp_init_root_struct(struct capnp_builder *builder,
		uint32_t data_words, uint32_t pointer_count)
{
	uint32_t words = data_words + pointer_count;
	uint64_t *at = builder->words;

	if (__builtin_expect(builder->capacity <= words || builder->status != CAPNP_OK, 0)) {
		capnp_refuse_root(builder);
		return (struct capnp_struct_builder){ NULL, builder, 0, 0 };
	}
	*at++ = CAPNP_ROOT_POINTER(data_words, pointer_count);
	__builtin_memset(at, 0, words * 8ull);
	builder->used = words + 1;
	return (struct capnp_struct_builder){ (uint8_t *)at, builder, data_words * 8,
		pointer_count };
}

/* These, and capnp_init_struct, make the pointer point to something new. What it pointed to before
 * stays as unused words. */
struct capnp_list_builder capnp_init_list(struct capnp_any_builder any, enum capnp_size size,
		uint32_t count);
struct capnp_list_builder capnp_init_struct_list(struct capnp_any_builder any, uint32_t count,
		uint32_t data_words, uint32_t pointer_count);
/* Space for numbers, text or data that the caller fills; NULL when there is none. That of an array is
 * not zeroed first: an element that is not set shows what stood there, of the caller's own. In debug
 * builds it is CAPNP_UNSET in each byte. */
#define CAPNP_UNSET 0xa5
void *capnp_init_array(struct capnp_any_builder any, enum capnp_size size, uint32_t count);
char *capnp_init_text(struct capnp_any_builder any, uint32_t bytes);
uint8_t *capnp_init_data(struct capnp_any_builder any, uint32_t count);
void capnp_set_text(struct capnp_any_builder any, struct capnp_text text);
void capnp_set_data(struct capnp_any_builder any, struct capnp_data data);
void capnp_set_cap(struct capnp_any_builder any, struct capnp_cap cap);
/* The struct that the pointer already points to in the same builder, to be changed; the swallowing
 * builder when there is none. */
struct capnp_struct_builder capnp_edit_struct(struct capnp_any_builder any);
/* Copies what `from` points to. Capabilities of another message are entered in this one's table. */
void capnp_set_any(struct capnp_any_builder any, struct capnp_any from);
void capnp_set_struct(struct capnp_any_builder any, struct capnp_struct_reader from);
void capnp_set_list(struct capnp_any_builder any, struct capnp_list from);
/* Copies fields and pointers of `from` into an existing struct; what does not fit is left out. */
void capnp_copy_into(struct capnp_struct_builder to, struct capnp_struct_reader from);

static inline void capnp_set_null(struct capnp_any_builder any)
{
	if (any.pointer != NULL)
		*any.pointer = 0;
}

static inline struct capnp_any_builder capnp_pointer_builder(struct capnp_struct_builder s,
		uint32_t index)
{
	struct capnp_any_builder any = { NULL, s.message };

	if (index < s.pointer_count)
		any.pointer = (uint64_t *)(void *)(s.data + s.data_bytes) + index;
	return any;
}

static inline struct capnp_struct_reader capnp_struct_as_reader(struct capnp_struct_builder s)
{
	return (struct capnp_struct_reader){ s.data, capnp_builder_view(s.message), s.data_bytes,
		s.pointer_count };
}

static inline struct capnp_any capnp_any_as_reader(struct capnp_any_builder any)
{
	return (struct capnp_any){ any.pointer, capnp_builder_view(any.message) };
}

static inline struct capnp_list capnp_list_as_reader(struct capnp_list_builder list)
{
	return (struct capnp_list){ list.data, capnp_builder_view(list.message), list.count,
		list.step_bits, list.data_bytes, list.pointer_count, list.size };
}

/* The size of elements of a type. */
#define CAPNP_SIZE_OF(type)                                                                     \
	(sizeof(type) == 1 ? CAPNP_BYTE : sizeof(type) == 2 ? CAPNP_TWO_BYTES :                 \
			sizeof(type) == 4 ? CAPNP_FOUR_BYTES : CAPNP_EIGHT_BYTES)

/* Scalars of a struct, by byte offset. And of a list: one by one, or all as an array, which is empty
 * if the list could not be made or is one of another type. capnp_fill_u64s makes a list as an array
 * whose elements are all to be set (capnp_init_array). */
#define CAPNP_DEFINE_SET(name, type)                                                            \
	struct capnp_##name##s_builder {                                                        \
		type *at;                                                                       \
		uint32_t count;                                                                 \
	};                                                                                      \
	static inline struct capnp_##name##s_builder capnp_list_##name##s_builder(              \
			struct capnp_list_builder list)                                         \
	{                                                                                       \
		if (list.step_bits != sizeof(type) * 8 || list.data_bytes != sizeof(type))      \
			list.count = 0;                                                         \
		return (struct capnp_##name##s_builder){ (type *)(void *)list.data, list.count }; \
	}                                                                                       \
	static inline struct capnp_##name##s_builder capnp_fill_##name##s(                      \
			struct capnp_any_builder any, uint32_t count)                           \
	{                                                                                       \
		type *at = (type *)capnp_init_array(any, CAPNP_SIZE_OF(type), count);           \
                                                                                                \
		return (struct capnp_##name##s_builder){ at, at != NULL ? count : 0 };          \
	}                                                                                       \
	static inline void capnp_set_##name(struct capnp_struct_builder s, uint32_t offset,     \
			type value)                                                             \
	{                                                                                       \
		if (offset + (uint32_t)sizeof(value) <= s.data_bytes)                           \
			__builtin_memcpy(s.data + offset, &value, sizeof(value));               \
	}                                                                                       \
	static inline void capnp_list_set_##name(struct capnp_list_builder list, uint32_t index,\
			type value)                                                             \
	{                                                                                       \
		if (index < list.count && list.data_bytes >= sizeof(value))                     \
			__builtin_memcpy(list.data + (uint64_t)index * (list.step_bits / 8),    \
					&value, sizeof(value));                                 \
	}
CAPNP_DEFINE_SET(u8, uint8_t)
CAPNP_DEFINE_SET(u16, uint16_t)
CAPNP_DEFINE_SET(u32, uint32_t)
CAPNP_DEFINE_SET(u64, uint64_t)
CAPNP_DEFINE_SET(i8, int8_t)
CAPNP_DEFINE_SET(i16, int16_t)
CAPNP_DEFINE_SET(i32, int32_t)
CAPNP_DEFINE_SET(i64, int64_t)
#ifndef CAPOS_KERNEL
CAPNP_DEFINE_SET(f32, float)
CAPNP_DEFINE_SET(f64, double)
#endif
#undef CAPNP_DEFINE_SET

static inline void capnp_set_bool(struct capnp_struct_builder s, uint32_t bit, bool value)
{
	uint8_t mask = (uint8_t)(1u << (bit % 8));

	if (bit / 8 < s.data_bytes)
		s.data[bit / 8] = (uint8_t)(value ? s.data[bit / 8] | mask : s.data[bit / 8] & ~mask);
}

static inline void capnp_list_set_bool(struct capnp_list_builder list, uint32_t index, bool value)
{
	struct capnp_struct_builder bits = { list.data, list.message, (list.count + 7) / 8, 0 };

	if (index < list.count && list.size == CAPNP_BIT)
		capnp_set_bool(bits, index, value);
}

static inline struct capnp_struct_builder capnp_list_struct_builder(struct capnp_list_builder list,
		uint32_t index)
{
	struct capnp_struct_builder s = { NULL, list.message, 0, 0 };

	if (index < list.count && list.size != CAPNP_BIT) {
		s.data = list.data + (uint64_t)index * (list.step_bits / 8);
		s.data_bytes = list.data_bytes;
		s.pointer_count = list.pointer_count;
	}
	return s;
}

static inline struct capnp_any_builder capnp_list_pointer_builder(struct capnp_list_builder list,
		uint32_t index)
{
	return capnp_pointer_builder(capnp_list_struct_builder(list, index), 0);
}

static inline void capnp_list_set_text(struct capnp_list_builder list, uint32_t index,
		struct capnp_text text)
{
	capnp_set_text(capnp_list_pointer_builder(list, index), text);
}

static inline void capnp_list_set_data(struct capnp_list_builder list, uint32_t index,
		struct capnp_data data)
{
	capnp_set_data(capnp_list_pointer_builder(list, index), data);
}

static inline void capnp_list_set_cap(struct capnp_list_builder list, uint32_t index,
		struct capnp_cap cap)
{
	capnp_set_cap(capnp_list_pointer_builder(list, index), cap);
}

/* --- Interfaces ------------------------------------------------------------------------------ */

/* What a generated header says about an interface. */
struct capnp_method {
	const char *name;
	uint16_t reply_words;           /* that a client offers ($replyWords; 64 without it) */
	uint16_t flags;                 /* CAPNP_METHOD_* */
};

#define CAPNP_METHOD_IDEMPOTENT 1u
#define CAPNP_METHOD_STREAM     2u

struct capnp_interface {
	uint64_t id;
	const char *name;
	const struct capnp_method *methods;
	const struct capnp_interface *const *ancestors; /* each once, nearest first, self excluded */
	uint16_t method_count;
	uint16_t ancestor_count;
};

/* Words that a client offers for results where the schema does not say. */
#define CAPNP_REPLY_WORDS_DEFAULT 64u
/* The same of a `-> stream` method, whose answer is empty or an exception with a sentence. */
#define CAPNP_REPLY_WORDS_STREAM 16u

#endif
