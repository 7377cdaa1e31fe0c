/*
 * Memory objects; see memory_object.h. Made by object_factory.c and boot_package.c, mapped by
 * mm/vm_map.c; the methods that programs call are in memory_view.c. Always true: an anonymous object
 * owns or shares exactly `pages` frames, charged to `payer`; a window owns none; no page of a
 * sealed object and no shared page is writable in any address space.
 */
#include "kernel/object/memory_object.h"

#include "capos/kernel.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/vm.h"

static struct slab_cache memory_object_cache = SLAB_CACHE("memory object", struct memory_object);

/* Who parts from a shared page: the others decide only afterwards whether it is still shared. */
static struct spinlock sharing_lock = SPINLOCK_INIT(LOCK_RANK_SHARING, "page sharing");

static status_t refuse_memory(uint64_t *detail)
{
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	return STATUS_OVERLOADED;
}

static status_t refuse_sealed(uint64_t *detail)
{
	*detail = reason_detail(REASON_SEALED, 0, 0, 0);
	return STATUS_INVALID_ARGUMENT;
}

/* --- Making ----------------------------------------------------------------------------------- */

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
		return refuse_memory(detail);
	}
	object_init(&made->object, &memory_object_type, ledger);
	spin_init(&made->lock, LOCK_RANK_OBJECT, "memory object");
	list_init(&made->mappings);
	park_lot_init(&made->parked);
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
		status = refuse_memory(detail);
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

/* Whether the object's pages are not its own. */
static bool is_window(const struct memory_object *object)
{
	return object->backing == MEMORY_DEVICE || object->backing == MEMORY_FIXED;
}

status_t memory_object_create_window(struct ledger *ledger, enum memory_backing backing, uint64_t physical,
		uint64_t bytes, struct memory_object **object, uint64_t *detail)
{
	struct memory_object *made;
	status_t status;

	ASSERT(physical % PAGE_SIZE == 0);
	status = object_make(ledger, backing, bytes, &made, detail);
	if (status != STATUS_OK)
		return status;
	made->pages = bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
	made->physical = physical;
	made->sealed = backing == MEMORY_FIXED;
	*object = made;
	return STATUS_OK;
}

void memory_object_destroy(struct object *base)
{
	struct memory_object *object = container_of(base, struct memory_object, object);
	struct ledger *payer = object->payer;

	ASSERT(list_empty(&object->mappings) && object->writable_pages == 0);
	ASSERT(!object->parked.words);
	if (!is_window(object)) {
		uint64_t pages = object->pages;

		frames_free(object, pages);
		ledger_refund(payer, RESOURCE_CLASS_FRAMES, pages);
	}
	heap_free(object->paging, object->paging_bytes);
	slab_free(&memory_object_cache, object);
	ledger_put(payer);
}

/* --- Clones ----------------------------------------------------------------------------------- */

/* A copy of a page; FRAME_NONE: there is no memory. */
static uint64_t page_copy(uint64_t physical)
{
	uint64_t copy = frame_alloc(0);

	if (copy != FRAME_NONE)
		memcpy(arch_direct(copy), arch_direct(physical), PAGE_SIZE);
	return copy;
}

/* Gives a clone all pages of an object whose lock is held; `pages` of the clone counts them. */
static bool frames_clone(struct memory_object *object, struct memory_object *clone)
{
	/* Pages that are not the object's own have no owners to count. */
	bool share = object->writable_pages == 0 && object->backing == MEMORY_ANONYMOUS;

	for (; clone->pages < object->pages; clone->pages++) {
		uint64_t physical = memory_object_page(object, clone->pages);

		if (!share)
			physical = page_copy(physical);
		if (physical == FRAME_NONE || (share && !frame_share(physical)))
			return false;
		clone->frames[clone->pages] = (uint32_t)(physical / PAGE_SIZE);
	}
	clone->sharing = share;
	object->sharing |= share;
	return true;
}

static bool clone_fill(struct memory_object *object, struct memory_object *clone)
{
	bool filled;

	if (object->pages == 0)
		return true;
	clone->frames = heap_alloc(object->pages * sizeof(*clone->frames));
	if (!clone->frames)
		return false;
	spin_lock(&object->lock);
	filled = frames_clone(object, clone);
	spin_unlock(&object->lock);
	return filled;
}

status_t memory_object_clone(struct memory_object *object, struct ledger *ledger,
		struct memory_object **clone, uint64_t *detail)
{
	struct memory_object *made;
	status_t status;

	if (object->backing != MEMORY_ANONYMOUS && object->backing != MEMORY_FIXED) {
		*detail = reason_detail(REASON_STATE, 0, 0, 0);
		return STATUS_FAILED;
	}
	status = object_make(ledger, MEMORY_ANONYMOUS, object->bytes, &made, detail);
	if (status != STATUS_OK)
		return status;
	status = ledger_charge(ledger, RESOURCE_CLASS_FRAMES, object->pages, detail);
	if (status != STATUS_OK)
		goto undo_object;
	if (!clone_fill(object, made)) {
		status = refuse_memory(detail);
		goto undo_frames;
	}
	*clone = made;
	return STATUS_OK;
undo_frames:
	frames_free(made, object->pages);
	ledger_refund(ledger, RESOURCE_CLASS_FRAMES, object->pages);
undo_object:
	object_put(&made->object);
	return status;
}

bool memory_object_page_is_shared(const struct memory_object *object, uint64_t index)
{
	return object->sharing && frame_is_shared(memory_object_page(object, index));
}

void memory_object_page_own(struct memory_object *object, uint64_t index)
{
	uint64_t shared = memory_object_page(object, index);

	LOCK_ASSERT_HELD(&object->lock);
	spin_lock(&sharing_lock);
	if (memory_object_page_is_shared(object, index)) {
		uint64_t own = frame_alloc_aside();

		memcpy(arch_direct(own), arch_direct(shared), PAGE_SIZE);
		object->frames[index] = (uint32_t)(own / PAGE_SIZE);
		vm_show_page(object, index);
		/* Only now, since until it was shown the old one could still be read. */
		frame_free(shared, 0);
	} else {
		vm_show_page(object, index);
	}
	spin_unlock(&sharing_lock);
}

/* --- Writers ---------------------------------------------------------------------------------- */

bool memory_object_seal(struct memory_object *object, uint64_t *writable_pages)
{
	bool sealed;

	spin_lock(&object->lock);
	*writable_pages = object->writable_pages;
	if (object->writable_pages == 0)
		object->sealed = true;
	sealed = object->sealed;
	spin_unlock(&object->lock);
	return sealed;
}

status_t memory_object_writers_add(struct memory_object *object, uint64_t pages, uint64_t *detail)
{
	status_t status = STATUS_OK;

	spin_lock(&object->lock);
	if (object->sealed)
		status = refuse_sealed(detail);
	else
		object->writable_pages += pages;
	spin_unlock(&object->lock);
	return status;
}

void memory_object_writers_drop(struct memory_object *object, uint64_t pages)
{
	spin_lock(&object->lock);
	ASSERT(object->writable_pages >= pages);
	object->writable_pages -= pages;
	spin_unlock(&object->lock);
}

/* --- Pages ------------------------------------------------------------------------------------ */

uint64_t memory_object_page(const struct memory_object *object, uint64_t index)
{
	ASSERT(index < object->pages);
	if (is_window(object))
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

void memory_object_read(struct memory_object *object, uint64_t offset, void *out, size_t bytes)
{
	uint8_t *to = out;

	spin_lock(&object->lock);
	while (bytes > 0) {
		size_t part;
		const uint8_t *from = page_at(object, offset, &part);

		part = MIN(part, bytes);
		memcpy(to, from, part);
		to += part;
		offset += part;
		bytes -= part;
	}
	spin_unlock(&object->lock);
}

static void object_write(
		struct memory_object *object, uint64_t offset, const uint8_t *from, size_t bytes)
{
	while (bytes > 0) {
		size_t part;
		uint8_t *to;

		if (memory_object_page_is_shared(object, offset / PAGE_SIZE))
			memory_object_page_own(object, offset / PAGE_SIZE);
		to = page_at(object, offset, &part);
		part = MIN(part, bytes);
		memcpy(to, from, part);
		from += part;
		offset += part;
		bytes -= part;
	}
}

status_t memory_object_write(struct memory_object *object, uint64_t offset, const void *in,
		size_t bytes, uint64_t *detail)
{
	status_t status = STATUS_OK;

	spin_lock(&object->lock);
	if (object->sealed)
		status = refuse_sealed(detail);
	else
		object_write(object, offset, in, bytes);
	spin_unlock(&object->lock);
	return status;
}
