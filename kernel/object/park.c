/*
 * Parking; see park.h. Entered from ring/dispatch.c; parks end here, by their deadline, cancelled, or with their
 * thread (question_cancel), and shared ones when the grant of the memory is revoked (process_sweep_revoked).
 *
 * No wake-up is lost. Whoever parks (1) takes the lot's lock, (2) reads the word, (3) joins the lot if it has the
 * value expected, (4) lets the lock go. Whoever wakes (a) writes the word in user mode, (b) takes the lock, (c) takes
 * waiters out. If (b) comes before (1) then (2) sees (a), because the lock orders them; if (4) comes before (b)
 * then (c) finds the waiter.
 * Always true: a question in a lot is in flight, of kind OBJECT at the lot's owner; whoever takes it out completes it.
 * The first that parked for a word `leads`: it is in the lot's treap, and the others are its followers in order.
 */
#include "kernel/object/park.h"

#include "kernel/core/panic.h"
#include "kernel/mm/vm.h"
#include "kernel/object/entropy.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/pager.h"
#include "kernel/object/process.h"
#include "kernel/ring/dispatch.h"

#define WORD_BYTES 4u

static struct park_lot *lot_of(struct object *object)
{
	if (object->type == &memory_object_type)
		return &container_of(object, struct memory_object, object)->parked;
	return &container_of(object, struct vm, object)->parked;
}

static status_t refuse_argument(uint64_t *detail, uint64_t limit)
{
	*detail = reason_detail(REASON_ARGUMENT, 0, 0, limit);
	return STATUS_INVALID_ARGUMENT;
}

/* --- Places ----------------------------------------------------------------------------------- */

static status_t shared_find(struct process *process, uint32_t target, struct park_place *place, uint64_t *detail)
{
	const struct memory_object *memory;
	struct cap_entry *cap;
	status_t status = cap_table_lookup(&process->caps, target, &cap);

	if (status == STATUS_DISCONNECTED)
		*detail = reason_detail(process_revoked_reason(process), 0, 0, 0);
	if (status != STATUS_OK)
		return status;
	if (cap->object->type != &memory_object_type) {
		*detail = reason_detail(REASON_NO_INTERFACE, 0, 0, 0);
		return STATUS_UNIMPLEMENTED;
	}
	memory = container_of(cap->object, struct memory_object, object);
	if (memory->backing == MEMORY_DEVICE) {
		*detail = reason_detail(REASON_WRONG_TYPE, 0, 0, 0);
		return STATUS_INVALID_ARGUMENT;
	}
	if (memory->bytes < WORD_BYTES || place->offset > memory->bytes - WORD_BYTES)
		return refuse_argument(detail, memory->bytes);
	place->object = cap->object;
	place->grant = cap->grant;
	return STATUS_OK;
}

status_t park_place_find(struct process *process, const struct ring_entry *entry, struct park_place *place,
		uint64_t *detail)
{
	*place = (struct park_place){ .object = &process->vm->object, .offset = entry->interface };
	if (place->offset % WORD_BYTES != 0)
		return refuse_argument(detail, WORD_BYTES);
	return entry->target ? shared_find(process, entry->target, place, detail) : STATUS_OK;
}

/* Where the place's word stands in the direct map. Nothing is mapped otherwise while its reader is in the kernel. */
static status_t word_find(const struct park_place *place, const uint32_t **word, uint64_t *detail)
{
	struct memory_object *memory;
	uint64_t physical;

	if (place->object->type != &memory_object_type)
		return vm_word_find(container_of(place->object, struct vm, object), place->offset, word, detail);
	memory = container_of(place->object, struct memory_object, object);
	if (memory->backing == MEMORY_PAGER && !paging_is_there(memory, place->offset / PAGE_SIZE)) {
		*detail = reason_detail(REASON_STATE, 0, 0, 0);
		return STATUS_FAILED;
	}
	spin_lock(&memory->lock);
	physical = memory_object_page(memory, place->offset / PAGE_SIZE);
	spin_unlock(&memory->lock);
	*word = arch_direct(physical + place->offset % PAGE_SIZE);
	return STATUS_OK;
}

/* --- Words of a lot --------------------------------------------------------------------------- */

static uint64_t word_of(const struct question *question)
{
	return question->entry.interface;
}

/* Drawn when somebody parks first, so that nobody can foresee ranks. */
static uint64_t rank_key;

/* Who is nearer to the root: different for all questions, in an order that no program knows. The mixing of
 * MurmurHash3 loses nothing. */
static uint64_t rank_of(const struct question *question)
{
	uint64_t rank = (uint64_t)(uintptr_t)question ^ rank_key;

	rank = (rank ^ rank >> 33) * 0xff51afd7ed558ccdull;
	rank = (rank ^ rank >> 33) * 0xc4ceb9fe1a85ec53ull;
	return rank ^ rank >> 33;
}

/* Which branch of the node the word is on. */
static struct question **branch_of(struct question *node, uint64_t word)
{
	return &node->branches[word > word_of(node)];
}

/* Where the one who leads for a word hangs, or NULL stands. */
static struct question **leader_find(struct park_lot *lot, uint64_t word)
{
	struct question **place = &lot->words;

	while (*place && word_of(*place) != word)
		place = branch_of(*place, word);
	return place;
}

/* Its word is in the lot from now on, with nobody else for it. */
static void leader_add(struct park_lot *lot, struct question *question)
{
	uint64_t word = word_of(question);
	struct question **place = &lot->words, *rest;
	struct question **lower = &question->branches[0], **higher = &question->branches[1];

	if (unlikely(rank_key == 0))
		entropy_fill(&rank_key, sizeof(rank_key));
	while (*place && rank_of(*place) > rank_of(question))
		place = branch_of(*place, word);
	/* What was there is below it, parted by the word. */
	for (rest = *place; rest; rest = rest->branches[word_of(rest) < word]) {
		struct question ***side = word_of(rest) < word ? &lower : &higher;

		**side = rest;
		*side = &rest->branches[word_of(rest) < word];
	}
	*lower = *higher = NULL;
	*place = question;
	question->leads = true;
	list_init(&question->followers);
}

static void leader_remove(struct question **place)
{
	struct question *question = *place, *lower = question->branches[0], *higher = question->branches[1];

	while (lower && higher) {
		bool is_lower = rank_of(lower) > rank_of(higher);
		struct question **next = is_lower ? &lower : &higher;

		*place = *next;
		place = &(*next)->branches[is_lower];
		*next = *place;
	}
	*place = lower ? lower : higher;
	question->leads = false;
	list_init(&question->link);
}

/* Who leads for its word is out of the lot; the next one leads. */
static void leader_leave(struct park_lot *lot, struct question **place)
{
	struct question *leader = *place;
	struct list *next = list_take(&leader->followers);

	leader_remove(place);
	if (next) {
		struct question *question = container_of(next, struct question, link);

		leader_add(lot, question);
		list_move_all(&question->followers, &leader->followers);
	}
}

/* --- Parking ---------------------------------------------------------------------------------- */

/* Makes the entry's question one that waits in the lot, the last for its word. Lock held. */
static void lot_join(struct park_lot *lot, struct ring *ring, const struct ring_entry *entry,
		const struct park_place *place)
{
	struct question *question = question_begin(ring, entry, QUESTION_OBJECT, place->object);
	struct question *leader = *leader_find(lot, place->offset);

	if (place->grant) {
		question->grant = place->grant;
		grant_use(place->grant);
	}
	if (leader)
		list_append(&leader->followers, &question->link);
	else
		leader_add(lot, question);
}

status_t park(struct ring *ring, const struct ring_entry *entry, const struct park_place *place, uint64_t *detail)
{
	struct ring_completion outcome = { .status = STATUS_OK, .id = entry->question, .detail = PARK_CHANGED };
	struct park_lot *lot = lot_of(place->object);
	const uint32_t *word;
	bool parks;
	status_t status = word_find(place, &word, detail);

	if (status != STATUS_OK)
		return status;
	spin_lock(&lot->lock);
	parks = LOAD_ACQUIRE(word) == entry->msg_off;
	if (parks)
		lot_join(lot, ring, entry, place);
	spin_unlock(&lot->lock);
	if (!parks)
		ring_complete_entry(ring, entry, &outcome);
	return STATUS_OK;
}

/* The oldest that parked for the word, out of its lot; NULL when there is none. */
static struct question *waiter_take(struct park_lot *lot, const struct park_place *place)
{
	struct question **first, *found;

	spin_lock(&lot->lock);
	first = leader_find(lot, place->offset);
	found = *first;
	if (found)
		leader_leave(lot, first);
	spin_unlock(&lot->lock);
	return found;
}

uint32_t unpark(const struct park_place *place, uint32_t count)
{
	struct park_lot *lot = lot_of(place->object);
	uint32_t woken = 0;

	count = MIN(count, UNPARK_MAX);
	while (woken < count) {
		struct question *question = waiter_take(lot, place);

		if (!question)
			break;
		question_answer(question, STATUS_OK, 0, NULL, 0);
		woken++;
	}
	return woken;
}

bool park_cancel(struct object *object, struct question *question)
{
	struct park_lot *lot = lot_of(object);
	bool waited;

	spin_lock(&lot->lock);
	waited = question->leads || list_queued(&question->link);
	if (question->leads)
		leader_leave(lot, leader_find(lot, word_of(question)));
	else
		list_remove(&question->link);
	spin_unlock(&lot->lock);
	return waited;
}
