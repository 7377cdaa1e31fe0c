/*
 * Cap'n Proto files: see capnp_file.h. The copy between segments walks the source with its own
 * bounds; what it makes is an ordinary one-segment message of capnp.c.
 */
#include "capnp/capnp_file.h"

#include "capnp/capnp_internal.h"

struct segment {
	const uint64_t *words;
	uint32_t count;
};

struct file {
	const uint32_t *table;          /* segment count - 1, then each segment's words */
	const uint64_t *first;          /* the first segment; the others follow it */
	uint32_t segments;
	uint64_t budget;                /* words that may still be copied */
};

/* An object found: where its content starts, and the pointer that describes it. */
struct place {
	struct segment segment;
	const uint64_t *at;
	struct pointer pointer;
};

static uint32_t table_get(const uint32_t *table, uint64_t index)
{
	uint32_t value;

	__builtin_memcpy(&value, table + index, sizeof(value));
	return value;
}

uint64_t capnp_file_message_words(const uint64_t *file, uint64_t count)
{
	const uint32_t *table = (const uint32_t *)(const void *)file;
	uint64_t segments;
	uint64_t words;

	if (count == 0)
		return 0;
	segments = (uint64_t)table_get(table, 0) + 1;
	words = segments / 2 + 1;
	if (segments > CAPNP_SEGMENTS_MAX || words > count)
		return 0;
	for (uint64_t i = 0; i < segments; i++)
		words += table_get(table, 1 + i);
	return words <= count ? words : 0;
}

static bool file_segment(const struct file *file, uint32_t id, struct segment *segment)
{
	segment->words = file->first;
	if (id >= file->segments)
		return false;
	for (uint32_t i = 0; i < id; i++)
		segment->words += table_get(file->table, 1 + i);
	segment->count = table_get(file->table, 1 + id);
	return true;
}

static bool file_claim(struct file *file, const struct place *place, uint64_t words)
{
	int64_t start = place->at - place->segment.words;
	uint64_t cost = words > 0 ? words : 1;

	if (start < 0 || start > (int64_t)place->segment.count ||
	    words > place->segment.count - (uint64_t)start || cost > file->budget)
		return false;
	file->budget -= cost;
	return true;
}

/* Where a far pointer's landing pad is. */
static bool far_pad(struct file *file, uint64_t word, uint32_t pad_words, struct place *place)
{
	if (!file_segment(file, (uint32_t)(word >> 32), &place->segment))
		return false;
	place->at = place->segment.words + ((uint32_t)word >> 3);
	return file_claim(file, place, pad_words);
}

static bool file_resolve(struct file *file, struct segment segment, const uint64_t *pointer,
		struct place *place)
{
	const uint64_t *pad;

	place->segment = segment;
	if ((*pointer & 3) == 2) {
		bool is_double = (*pointer & 4) != 0;

		if (!far_pad(file, *pointer, is_double ? 2 : 1, place))
			return false;
		pad = place->at;
		if (is_double) {
			/* The pad is a far pointer to the content, then the tag that describes it. */
			if ((pad[0] & 7) != 2 || !far_pad(file, pad[0], 0, place))
				return false;
			place->pointer = pointer_decode(pad[1]);
			return place->pointer.kind != CAPNP_KIND_BAD;
		}
		pointer = pad;
	}
	place->pointer = pointer_decode(*pointer);
	place->at = pointer + 1 + place->pointer.offset;
	return place->pointer.kind != CAPNP_KIND_BAD;
}

static bool pointer_copy(struct file *file, struct capnp_any_builder to, struct segment segment,
		const uint64_t *from, uint32_t depth);

static bool element_copy(struct file *file, struct capnp_struct_builder to, const struct place *from,
		const uint64_t *at, uint32_t depth)
{
	uint32_t data_words = to.data_bytes / 8;

	if (data_words > 0)
		__builtin_memcpy(to.data, at, to.data_bytes);
	for (uint32_t i = 0; i < to.pointer_count; i++)
		if (!pointer_copy(file, capnp_pointer_builder(to, i), from->segment,
				at + data_words + i, depth))
			return false;
	return true;
}

static bool composite_copy(struct file *file, struct capnp_any_builder to, const struct place *from,
		uint32_t depth)
{
	struct capnp_list_builder list;
	struct pointer tag;
	uint64_t step_words;
	uint32_t count;

	if (!file_claim(file, from, (uint64_t)from->pointer.count + 1))
		return false;
	tag = pointer_decode(*from->at);
	count = (uint32_t)*from->at >> 2;
	step_words = (uint64_t)tag.data_words + tag.pointer_count;
	if ((*from->at & 3) != 0 || count * step_words > from->pointer.count)
		return false;
	list = capnp_init_struct_list(to, count, tag.data_words, tag.pointer_count);
	if (list.data == NULL)
		return false;
	for (uint32_t i = 0; i < count && step_words > 0; i++)
		if (!element_copy(file, capnp_list_struct_builder(list, i), from,
				from->at + 1 + i * step_words, depth))
			return false;
	return true;
}

static bool list_copy(struct file *file, struct capnp_any_builder to, const struct place *from,
		uint32_t depth)
{
	struct capnp_list_builder list;
	uint64_t bits;

	if (from->pointer.size == CAPNP_COMPOSITE)
		return composite_copy(file, to, from, depth);
	bits = (uint64_t)from->pointer.count * size_bits(from->pointer.size);
	if (!file_claim(file, from, (bits + 63) / 64))
		return false;
	list = capnp_init_list(to, from->pointer.size, from->pointer.count);
	if (list.data == NULL)
		return false;
	if (from->pointer.size != CAPNP_POINTER) {
		if (bits > 0)
			__builtin_memcpy(list.data, from->at, (bits + 7) / 8);
		return true;
	}
	for (uint32_t i = 0; i < list.count; i++)
		if (!pointer_copy(file, capnp_list_pointer_builder(list, i), from->segment,
				from->at + i, depth))
			return false;
	return true;
}

static bool struct_copy(struct file *file, struct capnp_any_builder to, const struct place *from,
		uint32_t depth)
{
	uint64_t words = (uint64_t)from->pointer.data_words + from->pointer.pointer_count;
	struct capnp_struct_builder s;

	if (!file_claim(file, from, words))
		return false;
	s = capnp_init_struct(to, from->pointer.data_words, from->pointer.pointer_count);
	return s.data != NULL && element_copy(file, s, from, from->at, depth);
}

static bool pointer_copy(struct file *file, struct capnp_any_builder to, struct segment segment,
		const uint64_t *from, uint32_t depth)
{
	struct place place;

	if (depth == 0 || !file_resolve(file, segment, from, &place))
		return false;
	switch (place.pointer.kind) {
	case CAPNP_KIND_NULL:
		capnp_set_null(to);
		return true;
	case CAPNP_KIND_STRUCT:
		return struct_copy(file, to, &place, depth - 1);
	case CAPNP_KIND_LIST:
		return list_copy(file, to, &place, depth - 1);
	case CAPNP_KIND_CAP:
		capnp_set_cap(to, (struct capnp_cap){ place.pointer.count });
		return true;
	case CAPNP_KIND_BAD:
		break;
	}
	return false;
}

int32_t capnp_file_copy(const uint64_t *file, uint64_t count, struct capnp_builder *to)
{
	uint64_t words = capnp_file_message_words(file, count);
	struct capnp_any_builder root = capnp_init_root(to);
	struct segment first;
	struct file f;

	f.table = (const uint32_t *)(const void *)file;
	f.budget = words * CAPNP_BUDGET_FACTOR;
	if (words == 0)
		goto bad;
	f.segments = table_get(f.table, 0) + 1;
	f.first = file + f.segments / 2 + 1;
	if (!file_segment(&f, 0, &first) || first.count == 0)
		goto bad;
	if (pointer_copy(&f, root, first, first.words, CAPNP_DEPTH_MAX))
		return to->status;
bad:
	if (to->status == CAPNP_OK)
		to->status = CAPNP_BAD_MESSAGE;
	return to->status;
}

int32_t capnp_file_open(const uint64_t *file, uint64_t count, uint64_t *arena, uint32_t arena_words,
		struct capnp_message *message)
{
	uint64_t words = capnp_file_message_words(file, count);
	struct capnp_builder builder;

	capnp_message_init_trusted(message, file, 0, NULL, 0);
	if (words == 0)
		return CAPNP_BAD_MESSAGE;
	if ((uint32_t)*file == 0) {
		capnp_message_init_trusted(message, file + 1, (uint32_t)(words - 1), NULL, 0);
		return CAPNP_OK;
	}
	capnp_builder_init(&builder, arena, arena_words, NULL, 0);
	if (capnp_file_copy(file, count, &builder) != CAPNP_OK)
		return builder.status;
	capnp_message_init_trusted(message, arena, builder.used, NULL, 0);
	return CAPNP_OK;
}
