/*
 * The two counts of every kernel object; see object.h. Nothing else changes them but what is inline there.
 * Always true: an object with holds has a reference for them; a count never wraps; an object at zero references is never revived.
 */
#include "kernel/object/object.h"

#include "capos/kernel.capnp.h"
#include "kernel/core/panic.h"
#include "kernel/object/ledger.h"
#include "kernel/sched/cpu.h"

void object_init(struct object *object, const struct object_type *type, struct ledger *ledger)
{
	object->type = type;
	object->ledger = ledger;
	object->references = 1;
	object->holds = 0;
	object->next_ending = NULL;
	object->number = 0;
	if (ledger)
		ledger_get(ledger);
}

/* Given when first asked for, so that making objects costs nothing for it. */
uint64_t object_number(struct object *object)
{
	static uint64_t last;
	uint64_t number = __atomic_load_n(&object->number, __ATOMIC_RELAXED);

	if (number)
		return number;
	number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	if (!__atomic_compare_exchange_n(&object->number, &(uint64_t){ 0 }, number, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED))
		number = __atomic_load_n(&object->number, __ATOMIC_RELAXED);
	return number;
}

COLD void object_count_wrong(const struct object *object)
{
	panic("a %s has %u references and %u holds", object->type->name, object->references, object->holds);
}

void object_last_put(struct object *object)
{
	struct ledger *ledger = object->ledger;

	ASSERT(object->references == 0 && object->holds == 0);
	object->type->destroy(object);
	if (ledger) {
		ledger_refund(ledger, RESOURCE_CLASS_OBJECTS, 1);
		ledger_put(ledger);
	}
}

void object_first_hold(struct object *object, uint32_t before)
{
	ASSERT(before == 0);
	object_get(object);
}

/*
 * Closes an object that nobody holds. That may drop the last hold of another, which a program may have made a chain of:
 * they are closed one after the other and not inside each other, so that the chain's length is not the stack's depth.
 */
static void close_in_turn(struct object *object)
{
	struct cpu *cpu = arch_cpu();

	object->next_ending = cpu->ending;
	cpu->ending = object;
	if (cpu->closing)
		return;
	cpu->closing = true;
	while ((object = cpu->ending)) {
		cpu->ending = object->next_ending;
		object->type->on_last_hold(object);
		object_put(object);
	}
	cpu->closing = false;
}

void object_last_unhold(struct object *object, uint32_t before)
{
	ASSERT(before == 1);
	if (object->type->on_last_hold)
		close_in_turn(object);
	else
		object_put(object);
}
