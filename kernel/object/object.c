/*
 * The two counts of every kernel object; see object.h. Nothing else changes them.
 * Always true: an object with holds has a reference for them; a count never wraps; an object at zero references is never revived.
 */
#include "kernel/object/object.h"

#include "capos/kernel.capnp.h"
#include "kernel/core/panic.h"
#include "kernel/object/ledger.h"

void object_init(struct object *object, const struct object_type *type, struct ledger *ledger)
{
	object->type = type;
	object->ledger = ledger;
	object->references = 1;
	object->holds = 0;
	if (ledger)
		ledger_get(ledger);
}

void object_get(struct object *object)
{
	uint32_t before = __atomic_fetch_add(&object->references, 1, __ATOMIC_RELAXED);

	ASSERT(before != 0 && before != UINT32_MAX);
}

void object_put(struct object *object)
{
	struct ledger *ledger = object->ledger;
	uint32_t before = __atomic_fetch_sub(&object->references, 1, __ATOMIC_ACQ_REL);

	ASSERT(before != 0);
	if (before != 1)
		return;
	ASSERT(object->holds == 0);
	object->type->destroy(object);
	if (ledger) {
		ledger_refund(ledger, RESOURCE_CLASS_OBJECTS, 1);
		ledger_put(ledger);
	}
}

void object_hold(struct object *object)
{
	uint32_t before = __atomic_fetch_add(&object->holds, 1, __ATOMIC_RELAXED);

	ASSERT(before != UINT32_MAX);
	if (before == 0)
		object_get(object);
}

void object_unhold(struct object *object)
{
	uint32_t before = __atomic_fetch_sub(&object->holds, 1, __ATOMIC_ACQ_REL);

	ASSERT(before != 0);
	if (likely(before != 1))
		return;
	if (object->type->on_last_hold)
		object->type->on_last_hold(object);
	object_put(object);
}
