/*
 * Calls to kernel objects; see call.h. Entered from ring/dispatch.c with the facet checked; the object's
 * generated dispatcher runs the handler.
 * Always true: a handler never reads memory that the caller can change; results and capabilities reach the caller
 * together or not at all.
 */
#include "kernel/object/call.h"

#include "kernel/cap/transfer.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"
#include "kernel/ring/dispatch.h"
#include "kernel/trace/trace.h"

struct capnp_message *call_params(struct call *call)
{
	return &call->params;
}

struct capnp_builder *call_results(struct call *call)
{
	return &call->results;
}

void call_defer(struct call *call)
{
	call->deferred = true;
}

status_t call_refuse(struct call *call, status_t status, uint32_t reason, uint32_t class_, uint32_t id, uint64_t limit)
{
	call->detail = reason_detail(reason, class_, id, limit);
	return status;
}

status_t call_charge_object(struct call *call)
{
	return ledger_charge(call->payer, RESOURCE_CLASS_OBJECTS, 1, &call->detail);
}

status_t call_argument(struct call *call, struct capnp_cap cap, uint64_t interface_id,
		const struct object_type *type, struct cap_entry **entry)
{
	struct cap_entry *found = NULL;

	if (!capnp_cap_is_null(cap) && cap.index < call->cap_count)
		found = call->caps[cap.index];
	if (!found || (type && found->object->type != type) ||
			(interface_id && !facet_has_interface(found->facet, interface_id)))
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE, cap.index, 0, 0);
	*entry = found;
	return STATUS_OK;
}

status_t call_give_facet(struct call *call, struct object *object, struct facet *facet, bool derived,
		struct capnp_cap *cap)
{
	struct call_result_cap *result = &call->result_caps[call->result_cap_count];

	if (call->result_cap_count == MIN(CALL_CAPS_MAX, call->reply_caps)) {
		facet_put(facet);
		object_unhold(object);
		return call_refuse(call, STATUS_REPLY_TOO_LARGE, REASON_CAPABILITIES, 0, call->result_cap_count + 1,
				call->reply_caps);
	}
	*result = (struct call_result_cap){ object, facet, derived ? call->target->grant : NULL };
	call->result_cap_count++;
	*cap = capnp_builder_add_cap(&call->results, (struct capnp_cap_slot){ 0 });
	return STATUS_OK;
}

status_t call_give(struct call *call, struct object *object, const struct capnp_interface *interface, bool derived,
		struct capnp_cap *cap)
{
	struct facet *facet = facet_of_interface(interface);

	if (!facet) {
		object_unhold(object);
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	}
	return call_give_facet(call, object, facet, derived, cap);
}

/* Resolves the argument capabilities. A moved one must be live; it is released when the call has succeeded. */
static status_t arguments_read(struct call *call, const uint64_t *descriptors, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct descriptor descriptor;
		status_t status = descriptor_read(&descriptors[2 * i], &descriptor);

		/* A call that names answers is held until they have come. */
		if (status == STATUS_OK && descriptor.kind == TRANSFER_KIND_ANSWER)
			status = STATUS_BAD_DESCRIPTOR;
		if (status != STATUS_OK)
			return status;
		call->caps[i] = NULL;
		call->param_slots[i] = (struct capnp_cap_slot){ 0 };
		if (descriptor.kind == TRANSFER_KIND_NONE)
			continue;
		call->cap_ids[i] = descriptor.id;
		status = cap_table_lookup(&call->process->caps, call->cap_ids[i], &call->caps[i]);
		if (status != STATUS_OK)
			return status;
		if (descriptor.kind == TRANSFER_KIND_MOVE)
			call->move_mask |= 1u << i;
	}
	call->cap_count = count;
	return STATUS_OK;
}

/* Those of a call that was held: they have left its table already. */
static void arguments_of_transfer(struct call *call, const struct call_transfer *transfer)
{
	for (uint32_t i = 0; i < transfer->count; i++) {
		const struct transfer_item *item = &transfer->items[i];

		call->captured[i] = (struct cap_entry){ .object = item->object, .facet = item->facet, .grant = item->grant,
				.state = CAP_LIVE };
		call->caps[i] = item->object ? &call->captured[i] : NULL;
		call->param_slots[i] = (struct capnp_cap_slot){ 0 };
	}
	call->cap_count = transfer->count;
}

static status_t arguments_resolve(struct call *call, struct ring *ring, const struct ring_entry *entry)
{
	const struct call_transfer *transfer = call->question->transfer;

	if (unlikely(transfer)) {
		arguments_of_transfer(call, transfer);
		return transfer_still_valid(transfer->items, transfer->count);
	}
	return arguments_read(call, ring->words + entry->caps_off, entry->cap_count);
}

static void call_fill(struct call *call, struct ring *ring, const struct ring_entry *entry, struct cap_entry *target,
		uint64_t *params, uint64_t *results)
{
	call->process = ring->process;
	call->payer = ring->process->ledger;
	call->question = &ring->questions[entry->question];
	call->target = target;
	call->cap_count = 0;
	call->result_cap_count = 0;
	call->move_mask = 0;
	call->reply_caps = entry->reply_caps;
	call->deferred = false;
	call->detail = 0;
	arch_copy_words(params, ring->words + entry->msg_off, entry->msg_words);
	capnp_message_init(&call->params, params, entry->msg_words, call->param_slots, entry->cap_count);
	capnp_builder_init(&call->results, results, MIN(CALL_RESULT_WORDS_MAX, entry->reply_words),
			call->result_slots, CALL_CAPS_MAX);
}

static void drop_results(struct call *call)
{
	for (uint32_t i = 0; i < call->result_cap_count; i++) {
		facet_put(call->result_caps[i].facet);
		object_unhold(call->result_caps[i].object);
	}
}

/* Puts results and their capabilities where the caller reads them; the slots were reserved. */
static void deliver_results(struct call *call, struct ring_completion *outcome)
{
	struct question *question = call->question;
	uint64_t *records = question->ring->words + question->entry.reply_off;

	for (uint32_t i = 0; i < call->result_cap_count; i++) {
		struct call_result_cap *result = &call->result_caps[i];
		uint64_t interface = result->facet->rows[0].id;
		uint32_t id = cap_table_insert(&call->process->caps, result->object, result->facet, result->parent, 0);

		trace_transfer(question, 0, call->process->id, interface, true);
		records[2 * i] = RECORD_KIND_CAPABILITY | (uint64_t)id << 32;
		records[2 * i + 1] = interface;
	}
	question->reserved = (uint8_t)(question->reserved - call->result_cap_count);
	outcome->cap_count = (uint16_t)call->result_cap_count;
	outcome->msg_words = call->results.used;
	arch_copy_words(question_reply_message(question), call->results.words, call->results.used);
}

static void release_moved(struct call *call)
{
	if (unlikely(call->transfer)) {
		transfer_consume(call->transfer->items, call->transfer->count, &call->process->caps);
		call_transfer_destroy(call->transfer);
	}
	for (uint32_t i = 0; call->move_mask >> i; i++) {
		/* Twice the same id: the second release finds nothing, as it should. */
		if (call->move_mask >> i & 1)
			(void)!cap_table_release(&call->process->caps, call->cap_ids[i]);
	}
}

void object_call(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target)
{
	uint64_t params[CALL_PARAM_WORDS_MAX], results[CALL_RESULT_WORDS_MAX];
	struct object *object = target->object;
	struct ring_completion outcome = { .status = STATUS_OK, .id = entry->question };
	struct call call;

	if (unlikely(entry->msg_words > CALL_PARAM_WORDS_MAX)) {
		outcome.status = STATUS_TOO_LARGE;
		outcome.detail = reason_detail(REASON_SIZE, 0, entry->msg_words, CALL_PARAM_WORDS_MAX);
	} else if (unlikely(entry->cap_count > CALL_CAPS_MAX)) {
		outcome.status = STATUS_TOO_LARGE;
		outcome.detail = reason_detail(REASON_CAPABILITIES, 0, entry->cap_count, CALL_CAPS_MAX);
	} else {
		call_fill(&call, ring, entry, target, params, results);
		if (entry->cap_count)
			outcome.status = arguments_resolve(&call, ring, entry);
	}
	if (unlikely(outcome.status != STATUS_OK)) {
		call_refuse_entry(ring, entry, outcome.status, outcome.detail);
		return;
	}
	call.transfer = call_question(ring, entry, QUESTION_OBJECT, object)->transfer;
	call.question->transfer = NULL;
	trace_call(call.question, NULL);
	outcome.status = object->type->call(object, &call, entry->interface, entry->method);
	if (call.deferred && outcome.status == STATUS_OK) {
		/* The question is the object's now and may even have been answered. */
		release_moved(&call);
		return;
	}
	if (outcome.status == STATUS_OK && call.params.status != CAPNP_OK)
		outcome.status = STATUS_BAD_MESSAGE;
	if (outcome.status == STATUS_OK && call.results.status != CAPNP_OK) {
		outcome.status = STATUS_REPLY_TOO_LARGE;
		call.detail = reason_detail(REASON_SIZE, 0, CALL_RESULT_WORDS_MAX, entry->reply_words);
	}
	if (outcome.status == STATUS_OK) {
		deliver_results(&call, &outcome);
		release_moved(&call);
	} else {
		drop_results(&call);
		call.question->transfer = call.transfer;
		question_drop_transfer(call.question);
		outcome.detail = call.detail;
	}
	trace_answer(call.question, NULL, call.results.words, &outcome);
	question_complete_own(call.question, &outcome);
}
