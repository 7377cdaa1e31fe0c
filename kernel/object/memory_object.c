/*
 * Memory objects; see memory_object.h. Made by object_factory.c and boot_package.c, mapped by
 * mm/vm_map.c; the methods that programs call are in memory_view.c. Always true: an anonymous object
 * owns exactly `pages` frames, charged to `payer`; a device object owns none.
 */
#include "kernel/object/memory_object.h"

#include "capos/kernel.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"

static struct slab_cache memory_object_cache = SLAB_CACHE("memory object", struct memory_object);

/* A charged object without pages. */
static status_t object_make(struct ledger *ledger, enum memory_backing backing, uint64_t bytes,
		struct memory_object **object, uint64_t *detail)
{
	status_t status = ledger_charge(ledger, RESOURCE_CLASS_OBJECTS, 1, detail);
	struct memory_object *made;

	if (status != STATUS_OK)
		return status;
	made = slab_alloc(&memory_object_cache);
	if (!made) {
		ledger_refund(ledger, RESOURCE_CLASS_OBJECTS, 1);
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		return STATUS_OVERLOADED;
	}
	object_init(&made->object, &memory_object_type, ledger);
	ledger_get(ledger);
	made->payer = ledger;
	made->backing = backing;
	made->bytes = bytes;
	*object = made;
	return STATUS_OK;
}

/* Frames for all pages; `pages` counts those made so far. */
static bool frames_fill(struct memory_object *object, uint64_t pages)
{
	object->frames = heap_alloc(pages * sizeof(*object->frames));
	if (!object->frames)
		return false;
	for (; object->pages < pages; object->pages++) {
		uint64_t physical = frame_alloc_zeroed(0);

		if (physical == FRAME_NONE)
			return false;
		object->frames[object->pages] = (uint32_t)(physical / PAGE_SIZE);
	}
	return true;
}

static void frames_free(struct memory_object *object, uint64_t pages)
{
	for (uint64_t i = 0; i < object->pages; i++)
		frame_free((uint64_t)object->frames[i] * PAGE_SIZE, 0);
	if (object->frames)
		heap_free(object->frames, pages * sizeof(*object->frames));
	object->frames = NULL;
	object->pages = 0;
}

status_t memory_object_create(struct ledger *ledger, uint64_t bytes, struct memory_object **object,
		uint64_t *detail)
{
	uint64_t pages = bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
	struct memory_object *made;
	status_t status;

	if (bytes > MEMORY_OBJECT_BYTES_MAX) {
		*detail = reason_detail(REASON_ARGUMENT, 0, 0, MEMORY_OBJECT_BYTES_MAX);
		return STATUS_INVALID_ARGUMENT;
	}
	status = object_make(ledger, MEMORY_ANONYMOUS, bytes, &made, detail);
	if (status != STATUS_OK)
		return status;
	status = ledger_charge(ledger, RESOURCE_CLASS_FRAMES, pages, detail);
	if (status != STATUS_OK)
		goto undo_object;
	if (pages > 0 && !frames_fill(made, pages)) {
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		status = STATUS_OVERLOADED;
		goto undo_frames;
	}
	*object = made;
	return STATUS_OK;
undo_frames:
	frames_free(made, pages);
	ledger_refund(ledger, RESOURCE_CLASS_FRAMES, pages);
undo_object:
	object_put(&made->object);
	return status;
}

status_t memory_object_create_device(struct ledger *ledger, uint64_t physical, uint64_t bytes,
		struct memory_object **object, uint64_t *detail)
{
	struct memory_object *made;
	status_t status;

	ASSERT(physical % PAGE_SIZE == 0);
	status = object_make(ledger, MEMORY_DEVICE, bytes, &made, detail);
	if (status != STATUS_OK)
		return status;
	made->pages = bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
	made->physical = physical;
	*object = made;
	return STATUS_OK;
}

void memory_object_destroy(struct object *base)
{
	struct memory_object *object = container_of(base, struct memory_object, object);
	struct ledger *payer = object->payer;

	if (object->backing == MEMORY_ANONYMOUS) {
		uint64_t pages = object->pages;

		frames_free(object, pages);
		ledger_refund(payer, RESOURCE_CLASS_FRAMES, pages);
	}
	slab_free(&memory_object_cache, object);
	ledger_put(payer);
}

uint64_t memory_object_page(const struct memory_object *object, uint64_t index)
{
	ASSERT(index < object->pages);
	if (object->backing == MEMORY_DEVICE)
		return object->physical + index * PAGE_SIZE;
	return (uint64_t)object->frames[index] * PAGE_SIZE;
}

/* Where `offset` stands in the direct map, and how much of its page follows. */
static uint8_t *page_at(const struct memory_object *object, uint64_t offset, size_t *left)
{
	*left = PAGE_SIZE - offset % PAGE_SIZE;
	return (uint8_t *)arch_direct(memory_object_page(object, offset / PAGE_SIZE)) +
			offset % PAGE_SIZE;
}

void memory_object_read(
		const struct memory_object *object, uint64_t offset, void *out, size_t bytes)
{
	uint8_t *to = out;

	while (bytes > 0) {
		size_t part;
		const uint8_t *from = page_at(object, offset, &part);

		part = MIN(part, bytes);
		memcpy(to, from, part);
		to += part;
		offset += part;
		bytes -= part;
	}
}

void memory_object_write(
		struct memory_object *object, uint64_t offset, const void *in, size_t bytes)
{
	const uint8_t *from = in;

	while (bytes > 0) {
		size_t part;
		uint8_t *to = page_at(object, offset, &part);

		part = MIN(part, bytes);
		memcpy(to, from, part);
		from += part;
		offset += part;
		bytes -= part;
	}
}
