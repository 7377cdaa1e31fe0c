/*
 * The graph itself and its comparison with the kernel's; see ring_model.h. What operations do to it is ring_oracle.c's.
 * Always true: a grant without uses is kept only while others hang below it, and counts as not there.
 */
#include "tests/host/ring_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.capnp.h"
#include "kernel/object/notification.h"

struct model model;

/* --- Ledgers ------------------------------------------------------------------------------------ */

struct mledger *mledger_new(struct mledger *parent, const uint64_t limit[LEDGER_CLASSES])
{
	struct mledger *ledger = calloc(1, sizeof(*ledger));

	ledger->parent = parent;
	ledger->next = model.ledgers;
	model.ledgers = ledger;
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
		ledger->limit[i] = limit[i];
		if (parent)
			mledger_charge(parent, i, limit[i]);
	}
	return ledger;
}

/* Who is charged for what was charged here: itself, or the nearest ancestor that is open. */
static struct mledger *ledger_open(struct mledger *ledger)
{
	while (ledger->closed)
		ledger = ledger->parent;
	return ledger;
}

void mledger_close(struct mledger *ledger)
{
	struct mledger *above = ledger_open(ledger->parent);

	ledger->closed = true;
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		above->used[i] = above->used[i] - ledger->limit[i] + ledger->used[i];
}

struct mledger *mledger_above(const struct mledger *ledger)
{
	return ledger_open(ledger->parent);
}

void mledger_set_limit(struct mledger *ledger, uint32_t class_, uint64_t limit, uint64_t aside)
{
	uint64_t set = MAX(limit, ledger->used[class_] + aside);

	mledger_above(ledger)->used[class_] += set - ledger->limit[class_];
	ledger->limit[class_] = set;
}

bool mledger_has(const struct mledger *ledger, uint32_t class_, uint64_t count)
{
	return count <= ledger->limit[class_] - ledger->used[class_];
}

void mledger_charge(struct mledger *ledger, uint32_t class_, uint64_t count)
{
	ledger_open(ledger)->used[class_] += count;
}

void mledger_refund(struct mledger *ledger, uint32_t class_, uint64_t count)
{
	ledger_open(ledger)->used[class_] -= count;
}

/* --- Facets ------------------------------------------------------------------------------------- */

const struct mfacet mfacet_export_wide = { 2, { { ACTOR_INTERFACE, ACTOR_METHODS },
	{ ACTOR_ANCESTOR, ACTOR_ANCESTOR_METHODS } } };
const struct mfacet mfacet_export_single = { 1, { { ACTOR_INTERFACE, ACTOR_METHODS } } };
static const struct mfacet export_narrow = { 1, { { ACTOR_ANCESTOR, ACTOR_ANCESTOR_METHODS } } };

#define ROW(name) { name##_INTERFACE_ID, name##_METHOD_COUNT }
static const struct mfacet kernel_facets[] = {
	{ 1, { ROW(TIMER) } },
	{ 1, { ROW(OBJECT_FACTORY) } },
	{ 1, { ROW(PROCESS_SPAWNER) } },
	{ 1, { ROW(PROCESS_BUILDER) } },
	{ 2, { ROW(PROCESS_HANDLE), ROW(PROCESS_OBSERVER) } },
	{ 1, { ROW(PROCESS_OBSERVER) } },
	{ 1, { ROW(CAPABILITY_MANAGER) } },
	{ 1, { ROW(ENDPOINT) } },
	{ 2, { ROW(NOTIFICATION), ROW(SIGNAL) } },
	{ 1, { ROW(SIGNAL) } },
	{ 2, { ROW(MEMORY_OBJECT), ROW(MEMORY_VIEW) } },
	{ 1, { ROW(MEMORY_VIEW) } },
	{ 1, { ROW(VIRTUAL_MEMORY) } },
};

const struct mfacet *mfacet_of(uint64_t interface)
{
	for (uint32_t i = 0; i < ARRAY_LEN(kernel_facets); i++) {
		if (kernel_facets[i].rows[0].id == interface)
			return &kernel_facets[i];
	}
	return interface == ACTOR_ANCESTOR ? &export_narrow : NULL;
}

const struct mfacet *mfacet_narrow(const struct mfacet *facet, uint64_t interface)
{
	if (facet->rows[0].id == interface)
		return facet;
	return mfacet_has(facet, interface) ? mfacet_of(interface) : NULL;
}

bool mfacet_has_method(const struct mfacet *facet, uint64_t interface, uint16_t method)
{
	for (uint32_t i = 0; i < facet->count; i++) {
		if (facet->rows[i].id == interface)
			return method < facet->rows[i].methods;
	}
	return false;
}

bool mfacet_has(const struct mfacet *facet, uint64_t interface)
{
	return mfacet_has_method(facet, interface, 0);
}

/* --- Objects ------------------------------------------------------------------------------------ */

static void object_init_in(struct mobj *obj, enum mtype type, struct mledger *payer)
{
	obj->type = type;
	obj->payer = payer;
	obj->refs = 1;
	list_init(&obj->receivers);
	list_init(&obj->pending);
	list_init(&obj->exports);
	list_init(&obj->export_link);
	list_append(&model.objects, &obj->link);
}

struct mobj *mobj_new(enum mtype type, struct mledger *payer)
{
	struct mobj *obj = calloc(1, sizeof(*obj));

	object_init_in(obj, type, payer);
	return obj;
}

static void object_destroy(struct mobj *obj)
{
	list_remove(&obj->link);
	switch (obj->type) {
	case M_ENDPOINT:
		mledger_refund(obj->payer, RESOURCE_CLASS_CALLS, obj->calls);
		free(obj->services);
		break;
	case M_EXPORT:
		mledger_refund(obj->payer, RESOURCE_CLASS_EXPORTS, 1);
		mobj_put(obj->endpoint);
		free(obj);
		return;
	case M_MEMORY:
		mledger_refund(obj->payer, RESOURCE_CLASS_FRAMES, obj->pages);
		break;
	case M_BUILDER:
		mobj_put(&obj->process->obj);
		break;
	case M_PROCESS:
		MODEL_ASSERT(obj->process->phase == MP_ENDED, "process %u is gone in phase %d", obj->process->id,
				obj->process->phase);
		break;
	case M_ROOT:
		model_fail("a root object is gone");
	case M_NOTIFICATION:
	case M_SPACE:
		break;
	}
	mledger_refund(obj->payer, RESOURCE_CLASS_OBJECTS, 1);
	if (obj->type == M_PROCESS) {
		free(obj->process->actor);
		free(obj->process);      /* the object is a part of it */
	} else {
		free(obj);
	}
}

void mobj_get(struct mobj *obj)
{
	obj->refs++;
}

void mobj_put(struct mobj *obj)
{
	MODEL_ASSERT(obj->refs != 0, "the model drops a reference too many");
	if (--obj->refs == 0)
		object_destroy(obj);
}

void mobj_hold(struct mobj *obj)
{
	if (obj->holds++ == 0)
		obj->refs++;
}

void mobj_unhold(struct mobj *obj)
{
	MODEL_ASSERT(obj->holds != 0, "the model drops a hold too many");
	if (--obj->holds == 0) {
		oracle_last_hold(obj);
		mobj_put(obj);
	}
}

/* --- Grants ------------------------------------------------------------------------------------- */

static struct mgrant *grant_new(struct mgrant *parent, uint32_t granter)
{
	struct mgrant *grant = calloc(1, sizeof(*grant));

	grant->parent = parent;
	grant->granter = granter;
	grant->uses = 1;
	grant->revoked = parent && parent->revoked;
	if (parent)
		parent->children++;
	list_append(&model.grants, &grant->link);
	return grant;
}

void mgrant_use(struct mgrant *grant)
{
	grant->uses++;
}

void mgrant_unuse(struct mgrant *grant)
{
	grant->uses--;
	while (grant && grant->uses == 0 && grant->children == 0) {
		struct mgrant *parent = grant->parent;

		list_remove(&grant->link);
		free(grant);
		if (parent)
			parent->children--;
		grant = parent;
	}
}

uint64_t mgrant_name(const struct grant *grant)
{
	return (uint64_t)grant->table->process_id << 32 | grant->id;
}

static struct mgrant *grant_parent(const struct mgrant *grant)
{
	struct mgrant *parent = grant->parent;

	while (parent && parent->uses == 0)
		parent = parent->parent;
	return parent;
}

bool mgrant_is_below(const struct mgrant *grant, const struct mgrant *root)
{
	while (grant && grant != root)
		grant = grant->parent;
	return grant != NULL;
}

uint32_t mgrant_revoke(struct mgrant *root, bool self)
{
	uint32_t marked = 0;

	for (struct list *link = model.grants.next; link != &model.grants; link = link->next) {
		struct mgrant *grant = container_of(link, struct mgrant, link);

		if (grant->uses == 0 || grant->revoked || (!self && grant == root) || !mgrant_is_below(grant, root))
			continue;
		grant->revoked = true;
		marked++;
	}
	return marked;
}

/* --- Capabilities ------------------------------------------------------------------------------- */

struct mcap *mcap_find(struct mproc *process, uint32_t id)
{
	uint32_t slot = id % CAP_SLOTS;

	if (slot == 0 || slot >= MODEL_SLOTS || process->slots[slot].state == CAP_FREE || process->slots[slot].id != id)
		return NULL;
	return &process->slots[slot];
}

void mcap_insert(struct mproc *process, uint32_t id, struct mobj *object, const struct mfacet *facet, struct mgrant *grant,
		struct mgrant *parent, uint32_t granter)
{
	uint32_t slot = id % CAP_SLOTS;
	struct mcap *cap = &process->slots[slot];
	const struct cap_entry *entry = process->kernel_lives ? cap_table_find(&process->kernel->caps, id) : NULL;

	MODEL_ASSERT(slot != 0 && slot < MODEL_SLOTS, "id 0x%x is out of the table", id);
	MODEL_ASSERT(cap->state == CAP_FREE, "id 0x%x is handed out, but its slot holds 0x%x", id, cap->id);
	process->inserted++;
	if (cap->id != 0) {
		MODEL_ASSERT(id / CAP_SLOTS == (cap->id / CAP_SLOTS + 1) % CAP_GENERATIONS,
				"slot %u went from id 0x%x to 0x%x", slot, cap->id, id);
		MODEL_ASSERT(process->inserted > cap->freed_at, "slot %u was used again before the slots that were free", slot);
	}
	cap->id = id;
	cap->state = CAP_LIVE;
	cap->object = object;
	cap->facet = facet;
	cap->grant = grant ? grant : grant_new(parent, granter);
	if (grant)
		mgrant_use(grant);
	mobj_hold(object);
	process->slots_seen = MAX(process->slots_seen, slot + 1);
	if (entry && entry->state != CAP_FREE) {
		if (!object->kernel)
			object->kernel = entry->object;
		MODEL_ASSERT(object->kernel == entry->object, "id 0x%x is another object", id);
		cap->grant->name = mgrant_name(entry->grant);
	}
	if (object->type == M_EXPORT && object->kernel && !object->sequence) {
		const struct export *export = container_of(object->kernel, struct export, object);

		object->sequence = (uint64_t)export->number << 32 | export->index;
	}
}

struct mobj *mcap_remove(struct mproc *process, struct mcap *cap)
{
	cap->state = CAP_FREE;
	cap->freed_at = process->inserted;
	mgrant_unuse(cap->grant);
	cap->grant = NULL;
	mledger_refund(process->ledger, RESOURCE_CLASS_SLOTS, 1);
	return cap->object;
}

bool mproc_holds(const struct mproc *process, const struct mobj *object)
{
	for (uint32_t slot = 1; slot < process->slots_seen; slot++) {
		if (process->slots[slot].state != CAP_FREE && process->slots[slot].object == object)
			return true;
	}
	return false;
}

/* --- Processes ---------------------------------------------------------------------------------- */

struct mproc *mproc_new(struct process *kernel, struct mledger *parent, const uint64_t limit[LEDGER_CLASSES])
{
	struct mproc *process = calloc(1, sizeof(*process));

	object_init_in(&process->obj, M_PROCESS, parent);      /* the reference is the tree's */
	process->obj.process = process;
	process->obj.kernel = &kernel->object;
	mledger_charge(parent, RESOURCE_CLASS_OBJECTS, 1);
	process->ledger = mledger_new(parent, limit);
	process->kernel = kernel;
	process->kernel_lives = true;
	process->id = kernel->id;
	process->space = mobj_new(M_SPACE, process->ledger);
	process->space->kernel = &kernel->vm->object;
	mledger_charge(process->ledger, RESOURCE_CLASS_OBJECTS, 1);
	list_init(&process->stalled);
	for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
		process->q[i].process = process;
		list_init(&process->q[i].link);
		list_init(&process->q[i].held);
	}
	list_append(&model.processes, &process->link);
	return process;
}

void mproc_started(struct mproc *process)
{
	const struct thread *thread = process_next_thread(process->kernel, NULL);

	process->phase = MP_RUNNING;
	process->ring = thread ? thread->ring : NULL;
	mledger_charge(process->ledger, RESOURCE_CLASS_THREADS, 1);
	mledger_charge(process->ledger, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER);
	mledger_charge(process->ledger, RESOURCE_CLASS_OBJECTS, 1);      /* the region where its ring is mapped */
}

void model_init(struct mledger *root)
{
	list_init(&model.processes);
	list_init(&model.objects);
	list_init(&model.grants);
	model.root = root;
	model.step = JOURNAL_AFTER;
	model.journal_count = 0;
}

void model_fini(void)
{
	while (!list_empty(&model.objects)) {
		struct mobj *obj = container_of(list_take(&model.objects), struct mobj, link);

		MODEL_ASSERT(obj->type == M_ROOT, "an object of type %d is left", obj->type);
		free(obj);
	}
	MODEL_ASSERT(list_empty(&model.grants), "a grant is left");
	while (model.ledgers) {
		struct mledger *ledger = model.ledgers;

		model.ledgers = ledger->next;
		free(ledger);
	}
}

/* --- Comparison --------------------------------------------------------------------------------- */

static void compare_cap(const struct mproc *process, uint32_t slot)
{
	const struct mcap *cap = &process->slots[slot];
	const struct cap_table *table = &process->kernel->caps;
	const struct cap_entry *entry = slot / CAP_CHUNK_ENTRIES < table->chunk_count ?
			&table->chunks[slot / CAP_CHUNK_ENTRIES]->entries[slot % CAP_CHUNK_ENTRIES] : NULL;

	if (cap->state == CAP_FREE) {
		MODEL_ASSERT(!entry || entry->state == CAP_FREE, "process %u: slot %u holds what nobody gave", process->id, slot);
		return;
	}
	MODEL_ASSERT(entry && entry->state == cap->state, "process %u: 0x%x is in state %d, not %d", process->id, cap->id,
			entry ? entry->state : -1, cap->state);
	MODEL_ASSERT(((uint32_t)entry->generation << CAP_SLOT_BITS | slot) == cap->id, "process %u: slot %u is not 0x%x",
			process->id, slot, cap->id);
	MODEL_ASSERT(entry->object == cap->object->kernel, "process %u: 0x%x is another object", process->id, cap->id);
	MODEL_ASSERT(entry->facet->count == cap->facet->count && entry->facet->rows[0].id == cap->facet->rows[0].id,
			"process %u: 0x%x has another facet", process->id, cap->id);
	if (cap->grant->compared != model.compares) {
		cap->grant->compared = model.compares;
		cap->grant->kernel = entry->grant;
		MODEL_ASSERT(entry->grant->uses == cap->grant->uses, "process %u: the grant of 0x%x has %u uses, not %u",
				process->id, cap->id, entry->grant->uses, cap->grant->uses);
		MODEL_ASSERT((entry->grant->revoked != 0) == cap->grant->revoked && entry->grant->granter == cap->grant->granter,
				"process %u: the grant of 0x%x: revoked %u, granter %u", process->id, cap->id,
				entry->grant->revoked, entry->grant->granter);
	}
	MODEL_ASSERT(cap->grant->kernel == entry->grant, "process %u: 0x%x hangs on another grant", process->id, cap->id);
}

static void compare_questions(const struct mproc *process)
{
	const struct ring *ring = process->ring;

	for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
		enum mstate state = process->q[i].state;
		uint8_t kind = i < ring_questions(ring) ? ring->questions[i].kind : QUESTION_FREE;

		MODEL_ASSERT((kind == QUESTION_FREE) == (state == MQ_FREE) && (kind == QUESTION_KEPT) == (state == MQ_KEPT) &&
				(kind == QUESTION_HELD) == (state == MQ_HELD) && state != MQ_RETURNING,
				"process %u: question %u is of kind %u, in the model %d", process->id, i, kind, state);
	}
	MODEL_ASSERT(ring->in_flight == process->in_flight, "process %u: %u in flight, not %u", process->id, ring->in_flight,
			process->in_flight);
}

static void compare_process(const struct mproc *process)
{
	for (uint32_t slot = 1; slot < process->slots_seen; slot++)
		compare_cap(process, slot);
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
		/* Slots that the table keeps for the next receive are given back as soon as somebody wants them. */
		uint64_t used = process->kernel->ledger->used[i] -
				(i == RESOURCE_CLASS_SLOTS ? process->kernel->caps.kept : 0);

		MODEL_ASSERT(used == process->ledger->used[i], "process %u: class %u has %lu in use, not %lu", process->id, i,
				used, process->ledger->used[i]);
	}
	if (process->phase == MP_RUNNING)
		compare_questions(process);
}

static uint32_t list_length(const struct list *list)
{
	uint32_t length = 0;

	for (const struct list *link = list->next; link != list; link = link->next)
		length++;
	return length;
}

static void compare_endpoint(const struct mobj *obj)
{
	const struct endpoint *endpoint = container_of(obj->kernel, struct endpoint, object);
	/* A receiver that stands by is one of the receivers, and the slot of its call to come is free. */
	uint32_t in_service = 0, standing_by = endpoint->standby != NULL;

	for (uint32_t slot = 1; slot <= obj->calls; slot++) {
		const struct mservice *service = &obj->services[slot];
		const struct service *real = &endpoint->services[slot];
		enum service_state state = standing_by && real == endpoint->standby_service
				? SERVICE_FREE
				: real->state;

		MODEL_ASSERT(state == service->state, "service slot %u is in state %d, not %d",
				slot, state, service->state);
		MODEL_ASSERT(real->id == (service->generation << SERVICE_SLOT_BITS | slot),
				"service slot %u: generation", slot);
		in_service += service->state != SERVICE_FREE;
	}
	MODEL_ASSERT(endpoint->service_count == in_service + standing_by,
			"%u calls in service, not %u", endpoint->service_count, in_service);
	MODEL_ASSERT(endpoint->closed == obj->closed && endpoint->incarnation == obj->incarnation, "endpoint: closed %d, %u",
			endpoint->closed, endpoint->incarnation);
	MODEL_ASSERT(endpoint->pending_count == list_length(&obj->pending), "%u calls wait, not %u", endpoint->pending_count,
			list_length(&obj->pending));
	MODEL_ASSERT(endpoint->receiver_count + standing_by == list_length(&obj->receivers),
			"%u receivers, not %u", endpoint->receiver_count,
			list_length(&obj->receivers));
	MODEL_ASSERT(endpoint->export_count == list_length(&obj->exports), "%u exports, not %u", endpoint->export_count,
			list_length(&obj->exports));
	MODEL_ASSERT(endpoint->server == (obj->server ? obj->server->kernel : NULL), "the endpoint has another server");
}

static void compare_object(const struct mobj *obj)
{
	if (!obj->kernel || obj->type == M_ROOT)
		return;
	if (obj->type != M_PROCESS)
		MODEL_ASSERT(obj->kernel->references == obj->refs, "%s has %u references, not %u", obj->kernel->type->name,
				obj->kernel->references, obj->refs);
	MODEL_ASSERT(obj->kernel->holds == obj->holds, "%s has %u holds, not %u", obj->kernel->type->name, obj->kernel->holds,
			obj->holds);
	if (obj->type == M_ENDPOINT)
		compare_endpoint(obj);
	if (obj->type == M_NOTIFICATION)
		MODEL_ASSERT(container_of(obj->kernel, struct notification, object)->bits == obj->bits, "bits of a notification");
}

static void compare_grants(void)
{
	for (struct list *link = model.grants.next; link != &model.grants; link = link->next) {
		const struct mgrant *grant = container_of(link, struct mgrant, link), *parent;

		/* What is revoked has left the tree: nobody asks for its parent any more. */
		if (grant->uses == 0 || grant->compared != model.compares || grant->revoked)
			continue;
		parent = grant_parent(grant);
		if (!parent)
			MODEL_ASSERT(grant->kernel->parent == NULL, "a grant of process %u has a parent too many", grant->granter);
		else if (parent->compared == model.compares)
			MODEL_ASSERT(grant->kernel->parent == parent->kernel, "a grant given by process %u hangs elsewhere",
					grant->granter);
	}
}

void model_compare(void)
{
	model.compares++;
	for (struct list *link = model.objects.next; link != &model.objects; link = link->next)
		compare_object(container_of(link, struct mobj, link));
	for (struct list *link = model.processes.next; link != &model.processes; link = link->next)
		compare_process(container_of(link, struct mproc, link));
	compare_grants();
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		MODEL_ASSERT(ledger_root()->used[i] == model.root->used[i], "the root ledger: class %u has %lu in use, not %lu", i,
				ledger_root()->used[i], model.root->used[i]);
	machine_check();
}
