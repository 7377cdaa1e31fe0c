/*
 * A call to a kernel object: the kernel's `struct call` behind the generated server skeletons. Parameters have
 * been copied to scratch of the processor before a handler sees them; results are built in scratch and
 * copied once to the caller's reply span. A handler that cannot answer at once defers: it links the
 * question to its object and answers later with question_answer.
 */
#ifndef KERNEL_OBJECT_CALL_H
#define KERNEL_OBJECT_CALL_H

#include "abi/status.h"
#include "capnp/capnp.h"
#include "kernel/cap/cap_table.h"

struct facet;
struct process;
struct question;
struct ring;

#define CALL_PARAM_WORDS_MAX 128u     /* 1 KiB */
#define CALL_RESULT_WORDS_MAX 512u    /* 4 KiB */
#define CALL_CAPS_MAX 4u              /* capabilities in, capabilities out */

struct call_result_cap {
	struct object *object;        /* one hold, consumed by insertion or dropped on failure */
	struct facet  *facet;         /* one reference, likewise */
	struct grant  *parent;        /* derived from; NULL root */
};

struct call {
	struct process    *process;   /* the caller */
	struct ledger     *payer;
	struct question   *question;  /* the caller's, accepted */
	struct cap_entry  *target;    /* the capability called through */
	struct capnp_message params;
	struct capnp_builder results;
	struct capnp_cap_slot param_slots[CALL_CAPS_MAX];
	struct capnp_cap_slot result_slots[CALL_CAPS_MAX];
	struct cap_entry  *caps[CALL_CAPS_MAX];          /* resolved arguments, borrowed; NULL: null */
	struct cap_entry   captured[CALL_CAPS_MAX];      /* what `caps` points to where the call was held */
	struct call_transfer *transfer;                  /* what it carried then; NULL otherwise */
	uint32_t           cap_ids[CALL_CAPS_MAX];
	uint32_t           cap_count;
	struct call_result_cap result_caps[CALL_CAPS_MAX];
	uint32_t           result_cap_count;
	uint32_t           move_mask;     /* arguments that leave the caller's table when the call succeeds */
	uint8_t            reply_caps;    /* result capabilities that the caller takes */
	bool               deferred;
	uint64_t           detail;    /* goes out with an exception; see Reason */
};

/* What generated dispatchers use. */
struct capnp_message *call_params(struct call *call);
struct capnp_builder *call_results(struct call *call);

/* The argument capability at `cap` if its facet has `interface_id` (0: any) and its object is of `type` (NULL: any).
 * On refusal sets detail to WRONG_TYPE and answers INVALID_ARGUMENT. */
status_t call_argument(struct call *call, struct capnp_cap cap, uint64_t interface_id,
		const struct object_type *type, struct cap_entry **entry) MUST_USE;

/* Adds a result capability: its index in *cap, for the results message. Consumes one hold on the object (also when it fails);
 * `derived`: its grant hangs below the grant of the capability that was called. */
status_t call_give(struct call *call, struct object *object, const struct capnp_interface *interface, bool derived,
		struct capnp_cap *cap) MUST_USE;

/* The same with a facet that the caller made; consumes one reference on it. */
status_t call_give_facet(struct call *call, struct object *object, struct facet *facet, bool derived,
		struct capnp_cap *cap) MUST_USE;

/* The handler will answer later through call->question. */
void call_defer(struct call *call);

/* Sets the detail and answers the status: `return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_ARGUMENT, 1, 0, max)`. */
status_t call_refuse(struct call *call, status_t status, uint32_t reason, uint32_t class_, uint32_t id,
		uint64_t limit);
#define call_fail_argument(call, n, limit) \
	call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_ARGUMENT, n, 0, limit)

/* Refuses what would otherwise be refused only after the effect: parameters (read so far) that are no valid message,
 * results that do not fit what the caller offered. For handlers whose effect outlives a refusal. */
static inline status_t call_ready(struct call *call)
{
	if (call->params.status != CAPNP_OK)
		return STATUS_BAD_MESSAGE;
	if (call->results.status != CAPNP_OK)
		return call_refuse(call, STATUS_REPLY_TOO_LARGE, REASON_SIZE, 0, CALL_RESULT_WORDS_MAX,
				call->results.capacity);
	return STATUS_OK;
}

/* The same for one that gives a capability, which dropping again would not undo. */
static inline status_t call_ready_to_give(struct call *call)
{
	if (call->reply_caps == 0)
		return call_refuse(call, STATUS_REPLY_TOO_LARGE, REASON_CAPABILITIES, 0, 1, 0);
	return call_ready(call);
}

/* Charges one object (and `frames` pages) to the payer; on refusal sets the detail. Refunds are the object's destroy
 * (frames) and object_put (the object itself). */
status_t call_charge_object(struct call *call) MUST_USE;

#endif
