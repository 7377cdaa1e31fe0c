/*
 * Capabilities beside messages, as slots, descriptors and records.
 */
#include "rt/slots.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/server.h"

static void descriptor_of_answer(struct cap_descriptor *descriptor,
		const struct capnp_cap_slot *slot)
{
	descriptor->kind = TRANSFER_KIND_ANSWER;
	descriptor->path_len = slot->path_len;
	memcpy(descriptor->path, &slot->path, sizeof(descriptor->path));
}

void descriptors_write(struct cap_descriptor *descriptors, const struct capnp_cap_slot *slots,
		uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct cap_descriptor descriptor = { .kind = TRANSFER_KIND_NONE };

		if (slots[i].kind == SLOT_COPY)
			descriptor.kind = TRANSFER_KIND_COPY;
		else if (slots[i].kind == SLOT_MOVE)
			descriptor.kind = TRANSFER_KIND_MOVE;
		else if (slots[i].kind == SLOT_ANSWER)
			descriptor_of_answer(&descriptor, &slots[i]);
		if (descriptor.kind != TRANSFER_KIND_NONE)
			descriptor.id = slots[i].id;
		descriptors[i] = descriptor;
	}
}

void records_read(const struct cap_record *records, struct capnp_cap_slot *slots, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct capnp_cap_slot slot = { .kind = SLOT_NULL };

		if (records[i].kind == RECORD_KIND_CAPABILITY) {
			slot.kind = SLOT_OWNED;
			slot.id = records[i].id;
		} else if (records[i].kind == RECORD_KIND_YOURS) {
			slot.kind = SLOT_OWN;
			slot.object = server_object_of_tag(records[i].value);
		}
		slots[i] = slot;
	}
}

void slots_release(struct capnp_cap_slot *slots, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (slots[i].kind == SLOT_OWNED)
			rt_release(slots[i].id);
		slots[i].kind = SLOT_NULL;
	}
}
