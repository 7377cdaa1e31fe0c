/*
 * Tracer and PayloadTracer: the root from which traces of the whole system are started; Trace and PayloadTrace: one of them.
 * What is recorded and when is kernel/trace/; here is who may, who pays, and how it is read.
 *
 * The facet is the permission: a Tracer starts traces without payload, and only of a PayloadTracer one gets traces whose
 * messages can be read. A trace is its holder's like any object: it ends with its last capability, so with its holder.
 * Always true: a session that records has a hold on its object; its frames are charged to its payer until it is destroyed.
 */
#include "capos/trace.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/roots.h"
#include "kernel/trace/session.h"

#define ANSWER_WORDS 5u      /* of read, beside the events: root pointer, two words and a pointer, the list's tag */
#define KINDS_ALL    (((2u << TRACE_KIND_PROCESS_END) - 1) & ~1u)

STATIC_ASSERT(ANSWER_WORDS + TRACE_EVENTS_READ * sizeof(struct trace_record) / 8 <= CALL_RESULT_WORDS_MAX);

/*  I fixed after creation  */
struct trace_object {
	struct object  object;
	struct ledger *payer;                       /* I, counted: frames */
	uint32_t       order;                       /* I, of each block */
	uint64_t       physical[PROCESSORS_MAX];    /* I, blocks; FRAME_NONE: not made */
	struct trace_session session;
};

static const struct object_type trace_type;
static struct slab_cache trace_cache = SLAB_CACHE("trace", struct trace_object);

/* --- Making ------------------------------------------------------------------------------------- */

static uint64_t pages_of(uint32_t order)
{
	return (uint64_t)processor_count << order;
}

static void blocks_free(struct trace_object *trace)
{
	for (uint32_t i = 0; i < processor_count; i++) {
		if (trace->physical[i] != FRAME_NONE)
			frame_free(trace->physical[i], trace->order);
	}
}

static bool blocks_make(struct trace_object *trace, uint32_t payload_max)
{
	uint32_t capacity = (uint32_t)(((uint64_t)PAGE_SIZE << trace->order) / trace_ring_slot_bytes(payload_max));

	for (uint32_t i = 0; i < processor_count; i++)
		trace->physical[i] = FRAME_NONE;
	for (uint32_t i = 0; i < processor_count; i++) {
		trace->physical[i] = frame_alloc(trace->order);
		if (trace->physical[i] == FRAME_NONE) {
			blocks_free(trace);
			return false;
		}
		trace_ring_init(&trace->session.rings[i], arch_direct(trace->physical[i]), capacity, payload_max);
	}
	return true;
}

/* A trace that does not record yet: a counted reference. Charges the caller one object and the frames. */
static status_t trace_create(struct call *call, uint32_t order, uint32_t payload_max, uint32_t kinds,
		struct trace_object **out)
{
	struct trace_object *trace;
	status_t status = call_charge_object(call);

	if (status != STATUS_OK)
		return status;
	status = ledger_charge(call->payer, RESOURCE_CLASS_FRAMES, pages_of(order), &call->detail);
	if (status != STATUS_OK)
		goto undo_object;
	trace = slab_alloc(&trace_cache);
	status = call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	if (!trace)
		goto undo_frames;
	trace->order = order;
	trace->session.kinds = kinds;
	if (!blocks_make(trace, payload_max))
		goto undo_trace;
	object_init(&trace->object, &trace_type, call->payer);
	trace->payer = call->payer;
	ledger_get(trace->payer);
	call->detail = 0;
	*out = trace;
	return STATUS_OK;
undo_trace:
	slab_free(&trace_cache, trace);
undo_frames:
	ledger_refund(call->payer, RESOURCE_CLASS_FRAMES, pages_of(order));
undo_object:
	ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}

static void trace_on_last_hold(struct object *object)
{
	trace_session_end(&container_of(object, struct trace_object, object)->session);
}

static void trace_destroy(struct object *object)
{
	struct trace_object *trace = container_of(object, struct trace_object, object);
	struct ledger *payer = trace->payer;

	DEBUG_ASSERT(!trace->session.recording);
	blocks_free(trace);
	ledger_refund(payer, RESOURCE_CLASS_FRAMES, pages_of(trace->order));
	slab_free(&trace_cache, trace);
	ledger_put(payer);
}

/* --- Tracer ------------------------------------------------------------------------------------- */

/* No kinds named are all of them. */
static status_t kinds_read(struct call *call, struct capnp_list list, uint32_t *kinds)
{
	*kinds = list.count == 0 ? KINDS_ALL : 0;
	if (list.count > TRACE_KIND_PROCESS_END)
		return call_fail_argument(call, 1, TRACE_KIND_PROCESS_END);
	for (uint32_t i = 0; i < list.count; i++) {
		uint32_t kind = capnp_list_u16(list, i);

		if (kind == TRACE_KIND_NONE || kind > TRACE_KIND_PROCESS_END)
			return call_fail_argument(call, 1, TRACE_KIND_PROCESS_END);
		*kinds |= 1u << kind;
	}
	return call_ready(call);
}

/* The smallest blocks that hold so many events. */
static status_t order_read(struct call *call, uint32_t events, uint32_t payload_max, uint32_t *order)
{
	uint64_t slot = trace_ring_slot_bytes(payload_max);

	if (events == 0 || events > TRACE_BYTES_MAX / slot)
		return call_fail_argument(call, 0, TRACE_BYTES_MAX / slot);
	for (*order = 0; ((uint64_t)PAGE_SIZE << *order) / slot < events; (*order)++)
		;
	return STATUS_OK;
}

/* The capability's index in *cap. From then on the trace belongs to the answer. */
static status_t trace_start(struct call *call, uint32_t events, struct capnp_list kinds_list, uint32_t payload_max,
		const struct capnp_interface *interface, struct capnp_cap *cap)
{
	struct trace_object *trace = NULL;
	uint32_t kinds, order = 0;
	status_t status = kinds_read(call, kinds_list, &kinds);

	if (status == STATUS_OK)
		status = order_read(call, events, payload_max, &order);
	if (status == STATUS_OK)
		status = trace_create(call, order, payload_max, kinds, &trace);
	if (status != STATUS_OK)
		return status;
	object_hold(&trace->object);
	object_put(&trace->object);
	status = call_give(call, &trace->object, interface, true, cap);
	if (status == STATUS_OK && !trace_session_begin(&trace->session))
		status = call_refuse(call, STATUS_OVERLOADED, REASON_IN_USE, 0, 0,
				TRACE_SESSIONS_MAX);
	return status;
}

static status_t tracer_start(void *self, struct call *call, struct tracer_start_params_reader in,
		struct tracer_start_results_builder *out)
{
	struct capnp_cap cap;
	status_t status = trace_start(call, tracer_start_params_get_events(in), tracer_start_params_get_kinds(in), 0,
			&trace_interface, &cap);

	if (status == STATUS_OK)
		tracer_start_results_set_trace(*out, cap);
	return status;
}

static status_t tracer_start_payload(void *self, struct call *call, struct payload_tracer_start_payload_params_reader in,
		struct payload_tracer_start_payload_results_builder *out)
{
	uint16_t words = payload_tracer_start_payload_params_get_words(in);
	struct capnp_cap cap;
	status_t status;

	if (words == 0 || words > TRACE_PAYLOAD_MAX)
		return call_fail_argument(call, 2, TRACE_PAYLOAD_MAX);
	status = trace_start(call, payload_tracer_start_payload_params_get_events(in),
			payload_tracer_start_payload_params_get_kinds(in), words, &payload_trace_interface, &cap);
	if (status == STATUS_OK)
		payload_tracer_start_payload_results_set_trace(*out, cap);
	return status;
}

static status_t tracer_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct payload_tracer_server server = {
		.tracer = { .start = tracer_start },
		.start_payload = tracer_start_payload,
	};

	return payload_tracer_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type tracer_type = { .name = "tracer", .call = tracer_call };

struct object *tracer_object(void)
{
	static struct object tracer = ROOT_OBJECT(&tracer_type);

	return &tracer;
}

/* --- Trace -------------------------------------------------------------------------------------- */

static void event_fill(struct trace_event_builder event, const struct trace_record *record)
{
	trace_event_set_time_ns(event, record->time_ns);
	trace_event_set_call(event, record->call);
	trace_event_set_within(event, record->within);
	trace_event_set_interface_id(event, record->interface);
	trace_event_set_detail(event, record->detail);
	trace_event_set_process_id(event, record->process);
	trace_event_set_other_id(event, record->other);
	trace_event_set_status(event, record->status);
	trace_event_set_kind(event, (enum trace_kind)record->kind);
	trace_event_set_method(event, record->method);
	trace_event_set_words(event, record->words);
	trace_event_set_question(event, record->question);
	trace_event_set_capabilities(event, record->capabilities);
	trace_event_set_processor(event, record->processor);
}

/* How many events the caller has room for, at least one: where there is not even that much, the answer is refused. */
static uint64_t events_that_fit(const struct call *call)
{
	uint64_t words = call->results.capacity;
	uint64_t fit = words > ANSWER_WORDS ? (words - ANSWER_WORDS) / (sizeof(struct trace_record) / 8) : 0;

	return MAX(1u, MIN(fit, TRACE_EVENTS_READ));
}

static status_t trace_read(void *self, struct call *call, struct trace_read_params_reader in,
		struct trace_read_results_builder *out)
{
	struct trace_session *session = &((struct trace_object *)self)->session;
	uint16_t processor = trace_read_params_get_processor(in);
	uint64_t position = trace_read_params_get_position(in), first, count;
	const struct trace_ring *ring;
	const uint64_t *payload;
	struct capnp_list_builder list;
	status_t status = STATUS_OK;

	if (processor >= processor_count)
		return call_fail_argument(call, 0, processor_count - 1);
	ring = &session->rings[processor];
	spin_lock(&trace_lock);
	if (position > ring->written) {
		status = call_fail_argument(call, 1, ring->written);
	} else {
		first = MAX(position, trace_ring_oldest(ring));
		count = MIN(ring->written - first, events_that_fit(call));
		list = trace_read_results_init_events(*out, (uint32_t)count);
		for (uint32_t i = 0; i < count; i++)
			event_fill(trace_event_builder_at(list, i), trace_ring_get(ring, first + i, &payload));
		trace_read_results_set_next(*out, first + count);
		trace_read_results_set_lost(*out, first - position);
	}
	spin_unlock(&trace_lock);
	return status;
}

static status_t trace_stop(void *self, struct call *call, struct trace_stop_params_reader in,
		struct trace_stop_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		trace_session_end(&((struct trace_object *)self)->session);
	return status;
}

static status_t trace_info(void *self, struct call *call, struct trace_info_params_reader in,
		struct trace_info_results_builder *out)
{
	const struct trace_object *trace = self;

	trace_info_results_set_recording(*out, trace->session.recording);
	trace_info_results_set_processors(*out, (uint16_t)processor_count);
	trace_info_results_set_capacity(*out, trace->session.rings[0].capacity);
	trace_info_results_set_payload_words(*out, (uint16_t)trace->session.rings[0].payload_max);
	trace_info_results_set_bytes(*out, pages_of(trace->order) * PAGE_SIZE);
	return STATUS_OK;
}

static void name_of_ended(struct trace_session *session, uint32_t id, struct trace_process_results_builder out)
{
	spin_lock(&trace_lock);
	for (uint32_t i = 0; i < TRACE_ENDED_MAX; i++) {
		if (session->ended[i].id != id)
			continue;
		trace_process_results_set_found(out, true);
		trace_process_results_set_ended(out, true);
		trace_process_results_set_name(out, capnp_text(session->ended[i].name));
		break;
	}
	spin_unlock(&trace_lock);
}

static status_t trace_process_name(void *self, struct call *call, struct trace_process_params_reader in,
		struct trace_process_results_builder *out)
{
	uint32_t id = trace_process_params_get_process_id(in);
	struct process *process = id ? process_find(id, false) : NULL;

	if (process) {
		trace_process_results_set_found(*out, true);
		trace_process_results_set_ended(*out, process->phase >= PROCESS_ENDING);
		trace_process_results_set_name(*out, capnp_text(process->name));
		object_put(&process->object);
	} else if (id) {
		name_of_ended(&((struct trace_object *)self)->session, id, *out);
	}
	return STATUS_OK;
}

static status_t trace_payload(void *self, struct call *call, struct payload_trace_payload_params_reader in,
		struct payload_trace_payload_results_builder *out)
{
	struct trace_session *session = &((struct trace_object *)self)->session;
	uint16_t processor = payload_trace_payload_params_get_processor(in);
	uint64_t position = payload_trace_payload_params_get_position(in);
	const struct trace_record *record;
	const uint64_t *payload = NULL;
	struct capnp_list_builder words;

	if (processor >= processor_count)
		return call_fail_argument(call, 0, processor_count - 1);
	spin_lock(&trace_lock);
	record = trace_ring_get(&session->rings[processor], position, &payload);
	payload_trace_payload_results_set_found(*out, record != NULL);
	words = payload_trace_payload_results_init_words(*out, record ? record->payload_words : 0);
	for (uint32_t i = 0; record && i < record->payload_words; i++)
		capnp_list_set_u64(words, i, payload[i]);
	spin_unlock(&trace_lock);
	return STATUS_OK;
}

static status_t trace_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct payload_trace_server server = {
		.trace = { .read = trace_read, .stop = trace_stop, .info = trace_info, .process = trace_process_name },
		.payload = trace_payload,
	};

	return payload_trace_dispatch(&server, container_of(object, struct trace_object, object), call, interface_id, method);
}

static const struct object_type trace_type = {
	.name = "trace",
	.call = trace_object_call,
	.on_last_hold = trace_on_last_hold,
	.destroy = trace_destroy,
};
