/*
 * Capability transfer; see transfer.h. Used by object/endpoint.c for both directions of a call.
 * Always true: between capture and deliver (or drop) an item has one hold, one facet reference and one use of the
 * sender's grant, so neither a release nor the sender's revocation frees anything under it.
 */
#include "kernel/cap/transfer.h"

#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/ledger.h"

static bool place_read(uint32_t question, uint64_t path_len, uint64_t path, struct answer_place *place)
{
	if (question > UINT16_MAX || path_len == 0 || path_len > TRANSFER_PATH_MAX ||
			(path_len < TRANSFER_PATH_MAX && path >> 16 * path_len != 0))
		return false;
	place->question = (uint16_t)question;
	place->path_len = (uint16_t)path_len;
	memcpy(place->path, &path, sizeof(place->path));
	return true;
}

status_t descriptor_read(const uint64_t *words, struct descriptor *out)
{
	uint64_t first = READ_ONCE(words[0]), path = READ_ONCE(words[1]);

	*out = (struct descriptor){ .kind = (uint8_t)first, .id = (uint32_t)(first >> 32) };
	switch (out->kind) {
	case TRANSFER_KIND_NONE:
		return first == 0 && path == 0 ? STATUS_OK : STATUS_BAD_DESCRIPTOR;
	case TRANSFER_KIND_COPY:
	case TRANSFER_KIND_MOVE:
		return (first & 0xffffff00) == 0 && path == 0 ? STATUS_OK : STATUS_BAD_DESCRIPTOR;
	case TRANSFER_KIND_ANSWER:
		return (first & 0xff00ff00) == 0 && place_read(out->id, first >> 16 & 0xff, path, &out->place) ? STATUS_OK :
				STATUS_BAD_DESCRIPTOR;
	default:
		return STATUS_BAD_DESCRIPTOR;
	}
}

void transfer_item_of(const struct cap_entry *entry, struct transfer_item *item)
{
	*item = (struct transfer_item){ .object = entry->object, .facet = entry->facet, .grant = entry->grant };
	object_hold(item->object);
	facet_get(item->facet);
	spin_lock(&grant_lock);
	grant_use(item->grant);
	spin_unlock(&grant_lock);
}

static status_t capture_one(struct cap_table *sender, const struct descriptor *descriptor, struct transfer_item *item)
{
	struct cap_entry *entry;
	status_t status;

	*item = (struct transfer_item){ .place = descriptor->place };
	if (descriptor->kind == TRANSFER_KIND_NONE || descriptor->kind == TRANSFER_KIND_ANSWER)
		return STATUS_OK;
	status = cap_table_lookup(sender, descriptor->id, &entry);
	if (status == STATUS_OK && descriptor->kind == TRANSFER_KIND_MOVE)
		status = cap_table_move_begin(sender, descriptor->id);
	if (status != STATUS_OK)
		return status;
	transfer_item_of(entry, item);
	if (descriptor->kind == TRANSFER_KIND_MOVE)
		item->moving_id = descriptor->id;
	return STATUS_OK;
}

static status_t capture(struct cap_table *sender, const uint64_t *descriptors, uint32_t count, bool places,
		struct transfer_item *items)
{
	struct descriptor descriptor;

	for (uint32_t i = 0; i < count; i++) {
		status_t status = descriptor_read(&descriptors[2 * i], &descriptor);

		if (status == STATUS_OK && descriptor.kind == TRANSFER_KIND_ANSWER && !places)
			status = STATUS_BAD_DESCRIPTOR;
		if (status == STATUS_OK)
			status = capture_one(sender, &descriptor, &items[i]);
		if (status != STATUS_OK) {
			transfer_drop(items, i, sender);
			return status;
		}
	}
	return STATUS_OK;
}

status_t transfer_capture(struct cap_table *sender, const uint64_t *descriptors, uint32_t count,
		struct transfer_item *items)
{
	return capture(sender, descriptors, count, false, items);
}

status_t transfer_may_cross(const struct transfer_item *items, uint32_t count, const struct process *from,
		const struct process *to, uint64_t *detail)
{
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].object && !export_may_cross(items[i].object, from, to)) {
			*detail = reason_detail(REASON_SCOPE, i, 0, 0);
			return STATUS_BAD_DESCRIPTOR;
		}
	}
	return STATUS_OK;
}

status_t transfer_still_valid(const struct transfer_item *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].object && grant_is_revoked(items[i].grant))
			return STATUS_DISCONNECTED;
	}
	return STATUS_OK;
}

static void record_write(uint64_t *record, enum record_kind kind, uint32_t id, uint64_t value)
{
	record[0] = (uint64_t)kind | (uint64_t)id << 32;
	record[1] = value;
}

uint32_t transfer_deliver(struct transfer_item *items, uint32_t count, struct cap_table *sender,
		struct cap_table *receiver, struct endpoint *serving, uint64_t *records)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct transfer_item *item = &items[i];
		uint64_t tag;

		if (!item->object) {
			record_write(&records[2 * i], RECORD_KIND_NONE, 0, 0);
			continue;
		}
		if (serving && export_is_served_by(item->object, item->facet, serving, &tag)) {
			record_write(&records[2 * i], RECORD_KIND_YOURS, 0, tag);
			item->drop = true;
		} else {
			uint64_t interface = item->facet->rows[0].id;
			uint32_t id = cap_table_insert(receiver, item->object, item->facet, item->grant,
					sender->process_id);

			record_write(&records[2 * i], RECORD_KIND_CAPABILITY, id, interface);
			used++;
		}
		if (item->moving_id) {
			if (item->object->type->on_release) {
				object_get(item->object);
				item->left = sender;
			}
			cap_table_move_commit(sender, item->moving_id);
		}
		spin_lock(&grant_lock);
		grant_unuse_locked(item->grant);
		spin_unlock(&grant_lock);
	}
	return used;
}

void transfer_finish(struct transfer_item *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct transfer_item *item = &items[i];

		if (item->left) {
			item->object->type->on_release(item->object, item->left);
			object_put(item->object);
		}
		if (item->drop) {
			facet_put(item->facet);
			object_unhold(item->object);
		}
	}
}

static void item_drop(struct transfer_item *item)
{
	spin_lock(&grant_lock);
	grant_unuse_locked(item->grant);
	spin_unlock(&grant_lock);
	facet_put(item->facet);
	object_unhold(item->object);
}

void transfer_consume(struct transfer_item *items, uint32_t count, struct cap_table *sender)
{
	for (uint32_t i = 0; i < count; i++) {
		struct transfer_item *item = &items[i];

		if (!item->object)
			continue;
		if (item->moving_id) {
			cap_table_move_commit(sender, item->moving_id);
			if (item->object->type->on_release)
				item->object->type->on_release(item->object, sender);
		}
		item_drop(item);
	}
}

void transfer_drop(struct transfer_item *items, uint32_t count, struct cap_table *sender)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!items[i].object)
			continue;
		if (items[i].moving_id)
			cap_table_move_cancel(sender, items[i].moving_id);
		item_drop(&items[i]);
	}
}

static size_t call_transfer_bytes(uint32_t count)
{
	return sizeof(struct call_transfer) + count * sizeof(struct transfer_item);
}

struct call_transfer *call_transfer_create(const struct transfer_item *items, uint32_t count)
{
	struct call_transfer *transfer = heap_alloc(call_transfer_bytes(count));

	if (transfer) {
		*transfer = (struct call_transfer){ .count = count };
		memcpy(transfer->items, items, count * sizeof(*items));
		for (uint32_t i = 0; i < count; i++)
			transfer->promised += items[i].place.path_len > 0;
	}
	return transfer;
}

void call_transfer_destroy(struct call_transfer *transfer)
{
	heap_free(transfer, call_transfer_bytes(transfer->count));
}

status_t call_transfer_capture(struct cap_table *sender, const uint64_t *descriptors, uint32_t count, bool places,
		struct call_transfer **transfer, uint64_t *detail)
{
	struct transfer_item items[TRANSFER_CAPS_MAX];
	status_t status;

	*transfer = NULL;
	if (count == 0)
		return STATUS_OK;
	status = capture(sender, descriptors, count, places, items);
	if (status != STATUS_OK)
		return status;
	*transfer = call_transfer_create(items, count);
	if (*transfer)
		return STATUS_OK;
	transfer_drop(items, count, sender);
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	return STATUS_OVERLOADED;
}

void call_transfer_drop(struct call_transfer *transfer, struct cap_table *sender)
{
	if (!transfer)
		return;
	transfer_drop(transfer->items, transfer->count, sender);
	call_transfer_destroy(transfer);
}
