/*
 * The canonical form: a copy in preorder in which structs lose what is zero at their ends, so that
 * equal values have equal words.
 */
#include "capnp/capnp_file.h"

static bool any_canonical(struct capnp_any_builder to, struct capnp_any from, uint32_t depth);

/* Grows the size, in words and pointers, to what this struct needs. */
static void size_cover(struct capnp_struct_reader s, uint32_t *data_words, uint32_t *pointer_count)
{
	uint32_t bytes = s.data_bytes;
	uint32_t pointers = s.pointer_count;

	while (bytes > 0 && s.data[bytes - 1] == 0)
		bytes--;
	while (pointers > 0 && !capnp_has(s, pointers - 1))
		pointers--;
	if ((bytes + 7) / 8 > *data_words)
		*data_words = (bytes + 7) / 8;
	if (pointers > *pointer_count)
		*pointer_count = pointers;
}

static bool fields_canonical(struct capnp_struct_builder to, struct capnp_struct_reader from,
		uint32_t depth)
{
	uint32_t bytes = to.data_bytes < from.data_bytes ? to.data_bytes : from.data_bytes;

	if (bytes > 0)
		__builtin_memcpy(to.data, from.data, bytes);
	for (uint32_t i = 0; i < to.pointer_count; i++)
		if (!any_canonical(capnp_pointer_builder(to, i), capnp_pointer(from, i), depth))
			return false;
	return true;
}

static bool struct_canonical(struct capnp_any_builder to, struct capnp_struct_reader from,
		uint32_t depth)
{
	uint32_t data_words = 0;
	uint32_t pointer_count = 0;

	size_cover(from, &data_words, &pointer_count);
	return fields_canonical(capnp_init_struct(to, data_words, pointer_count), from, depth);
}

static bool composite_canonical(struct capnp_any_builder to, struct capnp_list from, uint32_t depth)
{
	struct capnp_list_builder list;
	uint32_t data_words = 0;
	uint32_t pointer_count = 0;

	for (uint32_t i = 0; i < from.count; i++)
		size_cover(capnp_list_struct(from, i), &data_words, &pointer_count);
	list = capnp_init_struct_list(to, from.count, data_words, pointer_count);
	for (uint32_t i = 0; i < list.count; i++)
		if (!fields_canonical(capnp_list_struct_builder(list, i), capnp_list_struct(from, i),
				depth))
			return false;
	return true;
}

static bool list_canonical(struct capnp_any_builder to, struct capnp_list from, uint32_t depth)
{
	struct capnp_list_builder list;

	if (from.size == CAPNP_COMPOSITE)
		return composite_canonical(to, from, depth);
	if (from.size != CAPNP_POINTER) {
		capnp_set_list(to, from);
		return true;
	}
	list = capnp_init_list(to, CAPNP_POINTER, from.count);
	for (uint32_t i = 0; i < list.count; i++)
		if (!any_canonical(capnp_list_pointer_builder(list, i), capnp_list_pointer(from, i),
				depth))
			return false;
	return true;
}

static bool any_canonical(struct capnp_any_builder to, struct capnp_any from, uint32_t depth)
{
	switch (capnp_any_kind(from)) {
	case CAPNP_KIND_NULL:
		return true;
	case CAPNP_KIND_STRUCT:
		return depth > 0 && struct_canonical(to, capnp_any_struct(from), depth - 1);
	case CAPNP_KIND_LIST:
		return depth > 0 && list_canonical(to, capnp_any_list_any(from), depth - 1);
	case CAPNP_KIND_CAP:
	case CAPNP_KIND_BAD:
		break;
	}
	return false;
}

int32_t capnp_canonical(struct capnp_struct_reader from, struct capnp_builder *to)
{
	bool is_done = struct_canonical(capnp_init_root(to), from, CAPNP_DEPTH_MAX);

	if (to->status == CAPNP_OK && (!is_done ||
			(from.message != NULL && from.message->status != CAPNP_OK)))
		to->status = CAPNP_BAD_MESSAGE;
	return to->status;
}
