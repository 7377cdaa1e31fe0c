/*
 * Processes; see process.h. Made by the spawner (object/process_spawner.c) and at boot (core/start.c), ended by
 * exit, by a fault, by kill; taken apart by the reaper, which the scheduler runs.
 * Always true: a process in phase ENDING is on the reaper's list once; in phase ENDED it holds nothing but its record.
 */
#include "kernel/object/process.h"

#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/object/binding.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/process_handle.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/sched.h"
#include "kernel/trace/trace.h"

#define REAP_ENTRIES 64       /* table slots looked at in one step */
#define REAP_PAGES 64         /* pages given back in one step */
#define INIT_ENDED_STATUS 2   /* what the machine's power-off reports when init is gone */

enum reap_step {
	REAP_QUESTIONS,
	REAP_ENDPOINTS,
	REAP_CAPABILITIES,
	REAP_MEMORY,
	REAP_REST,
};

static struct slab_cache process_cache = SLAB_CACHE("process", struct process);
static struct slab_cache thread_cache = SLAB_CACHE("thread", struct thread);
static struct slab_cache crash_cache = SLAB_CACHE("crash_info", struct crash_info);

struct spinlock process_tree_lock = SPINLOCK_INIT(LOCK_RANK_PROCESS_TREE, "process_tree");
struct list process_tree = LIST_INIT(process_tree);
static struct list reaper_list = LIST_INIT(reaper_list);
/* Each lane has about every eighth process of the lane below it (of the tree, the first), by rising id too. */
static struct list process_lanes[PROCESS_LANES] = {
	LIST_INIT(process_lanes[0]), LIST_INIT(process_lanes[1]), LIST_INIT(process_lanes[2]), LIST_INIT(process_lanes[3]),
};
static const struct process *init_process;
static uint32_t last_process_id;
static uint32_t last_thread_id;

static bool reap_work(struct reaper_work *work);

/* --- Making ------------------------------------------------------------------------------------- */

/* How many lanes a process joins. Nobody can choose or foresee it, or the lanes could be made useless. */
static uint32_t lanes_drawn(void)
{
	uint64_t chance = arch_ticks() * UINT64_C(0x9e3779b97f4a7c15) >> 40;
	uint32_t lanes = 0;

	while (lanes < PROCESS_LANES && (chance >> 3 * lanes & 7) == 0)
		lanes++;
	return lanes;
}

static void tree_enter(struct process *process)
{
	uint32_t lanes = lanes_drawn();

	for (uint32_t i = 0; i < PROCESS_LANES; i++)
		list_init(&process->lane_links[i]);
	spin_lock(&process_tree_lock);
	process->id = ++last_process_id;
	process->caps.process_id = process->id;
	list_append(&process_tree, &process->tree_link);
	for (uint32_t i = 0; i < lanes; i++)
		list_append(&process_lanes[i], &process->lane_links[i]);
	object_get(&process->object);      /* the tree's, until it has ended */
	spin_unlock(&process_tree_lock);
}

status_t process_create(const char *name, size_t name_bytes, uint32_t parent_id, struct session *session,
		struct ledger *parent_ledger, const uint64_t limit[LEDGER_CLASSES], struct process **out, uint64_t *detail)
{
	struct process *process;
	status_t status = ledger_charge(parent_ledger, RESOURCE_CLASS_OBJECTS, 1, detail);

	if (status != STATUS_OK)
		return status;
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	process = slab_alloc(&process_cache);
	if (!process) {
		status = STATUS_OVERLOADED;
		goto undo_charge;
	}
	status = ledger_create(parent_ledger, limit, &process->ledger, detail);
	if (status != STATUS_OK)
		goto undo_process;
	status = cap_table_init(&process->caps, process->ledger, 0);
	if (status != STATUS_OK)
		goto undo_ledger;
	status = vm_create(process->ledger, &process->vm, detail);
	if (status != STATUS_OK)
		goto undo_caps;
	object_init(&process->object, &process_type, parent_ledger);
	spin_init(&process->lock, LOCK_RANK_PROCESS, "process");
	process->parent_id = parent_id;
	process->session = session;
	object_get(&session->object);
	memcpy(process->name, name, MIN(name_bytes, PROCESS_NAME_MAX - 1ul));
	list_init(&process->waiters);
	list_init(&process->bindings);
	list_init(&process->enders);
	process->reap_work.step = reap_work;
	list_init(&process->reap_work.link);
	tree_enter(process);
	*out = process;
	return STATUS_OK;
undo_caps:
	cap_table_fini(&process->caps);
undo_ledger:
	ledger_close(process->ledger);
undo_process:
	slab_free(&process_cache, process);
undo_charge:
	ledger_refund(parent_ledger, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}

void thread_deadline_passed(struct timer_node *node)
{
	struct thread *thread = container_of(node, struct thread, deadline);
	struct ring *ring = thread->ring;

	spin_lock(&ring->lock);
	if (thread->state == THREAD_WAIT_COMPLETIONS) {
		arch_context_set_result(&thread->context, STATUS_DEADLINE_EXCEEDED);
		sched_wake(thread, false);
	}
	spin_unlock(&ring->lock);
}

static void thread_destroy(struct thread *thread)
{
	struct ledger *ledger = thread->process->ledger;

	(void)timer_queue_remove(&thread->deadline);
	arch_context_destroy(&thread->context);
	ring_destroy(thread->ring);
	slab_free(&thread_cache, thread);
	ledger_refund(ledger, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER);
	ledger_refund(ledger, RESOURCE_CLASS_THREADS, 1);
}

static status_t thread_create(struct process *process, struct thread **out, uint64_t *detail)
{
	struct ledger *ledger = process->ledger;
	struct thread *thread;
	status_t status = ledger_charge(ledger, RESOURCE_CLASS_THREADS, 1, detail);

	if (status != STATUS_OK)
		return status;
	status = ledger_charge(ledger, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER, detail);
	if (status != STATUS_OK)
		goto undo_thread_charge;
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	status = STATUS_OVERLOADED;
	thread = slab_alloc(&thread_cache);
	if (!thread)
		goto undo_frame_charge;
	if (arch_context_create(&thread->context) != STATUS_OK)
		goto undo_thread;
	thread->id = __atomic_add_fetch(&last_thread_id, 1, __ATOMIC_RELAXED);
	thread->process = process;
	list_init(&thread->run_link);
	list_init(&thread->page_wait.link);
	thread->ring = ring_create(thread, process);
	if (!thread->ring)
		goto undo_context;
	*out = thread;
	return STATUS_OK;
undo_context:
	arch_context_destroy(&thread->context);
undo_thread:
	slab_free(&thread_cache, thread);
undo_frame_charge:
	ledger_refund(ledger, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER);
undo_thread_charge:
	ledger_refund(ledger, RESOURCE_CLASS_THREADS, 1);
	return status;
}

status_t process_start(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument, uint64_t *detail)
{
	struct thread *thread;
	uint64_t address = 0;
	status_t status;

	if (process->phase != PROCESS_BUILDING || process->thread || session_has_ended(process->session)) {
		*detail = reason_detail(session_has_ended(process->session) ? REASON_LOGGED_OUT : REASON_STATE, 0, 0, 0);
		return STATUS_FAILED;
	}
	status = thread_create(process, &thread, detail);
	if (status != STATUS_OK)
		return status;
	status = vm_map_fixed(process->vm, thread->ring->physical, RING_BYTES, &address, detail);
	if (status != STATUS_OK) {
		thread_destroy(thread);
		return status;
	}
	ring_set_address(thread->ring, address);
	arch_context_init(&thread->context, entry, stack, address, argument);
	process->thread = thread;
	process->phase = PROCESS_RUNNING;
	trace_process(process, TRACE_KIND_PROCESS_START);
	sched_wake(thread, false);
	return STATUS_OK;
}

status_t process_set_session(struct process *process, struct session *session, uint64_t *detail)
{
	if (session_has_ended(session)) {
		*detail = reason_detail(REASON_LOGGED_OUT, 0, 0, 0);
		return STATUS_FAILED;
	}
	object_get(&session->object);
	object_put(&process->session->object);
	process->session = session;
	return STATUS_OK;
}

/* --- Finding ------------------------------------------------------------------------------------ */

/* The last process of a lane, not before `from` (NULL: its first), whose id is below `id`; `from` if there is none. */
static struct process *lane_last_below(uint32_t lane, struct process *from, uint32_t id)
{
	struct list *link = from ? from->lane_links[lane].next : process_lanes[lane].next;

	for (; link != &process_lanes[lane]; link = link->next) {
		struct process *process = container_of(link, struct process, lane_links[lane]);

		if (process->id >= id)
			break;
		from = process;
	}
	return from;
}

/* Down the lanes, from the thinnest, to just before the process; among 10 000 some 30 are looked at. */
struct process *process_find(uint32_t id, bool at_least)
{
	struct process *before = NULL, *found = NULL;
	struct list *link;

	spin_lock(&process_tree_lock);
	for (uint32_t lane = PROCESS_LANES; lane-- > 0;)
		before = lane_last_below(lane, before, id);
	for (link = before ? before->tree_link.next : process_tree.next; link != &process_tree; link = link->next) {
		struct process *process = container_of(link, struct process, tree_link);

		if (process->id < id)
			continue;
		if (process->id == id || at_least) {
			object_get(&process->object);
			found = process;
		}
		break;
	}
	spin_unlock(&process_tree_lock);
	return found;
}

/* --- Ending ------------------------------------------------------------------------------------- */

void process_set_init(const struct process *process)
{
	init_process = process;
}

/* Nobody is left who could start or stop anything: a recorded stop. */
static NORETURN void init_ended(const struct process *process)
{
	if (process->end_state == PROCESS_STATE_EXITED)
		log_line(LOG_ERROR, "init has ended with status %ld; the system stops.", process->end_status);
	else
		log_line(LOG_ERROR, "init was ended (%s); the system stops.", process_state_name(process->end_state));
	arch_power_off(INIT_ENDED_STATUS);
}

struct crash_info *crash_info_create(void)
{
	return slab_alloc(&crash_cache);
}

void crash_info_destroy(struct crash_info *crash)
{
	if (crash)
		slab_free(&crash_cache, crash);
}

/* Takes back all that the process waits for; true when nothing of it is left. */
static bool end_questions(struct process *process)
{
	struct ring *ring = process->thread ? process->thread->ring : NULL;
	bool done = true;

	/* Receives first: what the end of a call brings about is told to those who live. */
	for (uint32_t i = 0; ring && i < ring_questions(ring); i++) {
		if (ring->questions[i].kind == QUESTION_RECV)
			(void)question_cancel(&ring->questions[i], STATUS_CANCELLED, 0);
	}
	for (uint32_t i = 0; ring && i < ring_questions(ring); i++)
		(void)question_cancel(&ring->questions[i], STATUS_CANCELLED, 0);
	for (uint32_t i = 0; ring && i < ring_questions(ring); i++) {
		if (question_finish(&ring->questions[i]) == STATUS_QUESTION_BUSY)
			done = false;
	}
	return done;
}

/* What the question was asked through has been revoked. */
static bool hangs_on_revoked(const struct process *process, const struct question *question)
{
	struct cap_entry *entry;

	if (!question_in_flight(question) || (question->kind == QUESTION_HELD && (question->entry.flags & ENTRY_PIPELINED)))
		return false;
	if (question->grant)
		return grant_is_revoked(question->grant);
	return cap_table_lookup(&process->caps, question->entry.target, &entry) == STATUS_DISCONNECTED;
}

void process_sweep_revoked(struct process *process)
{
	struct ring *ring = process->thread ? process->thread->ring : NULL;

	for (uint32_t i = 0; ring && i < ring_questions(ring); i++) {
		struct question *question = &ring->questions[i];
		bool ended = question->entry.op == CAP_OP_WAIT && (question->entry.flags & ENTRY_DEATH);

		/* Who waits for the end of what was revoked has it. */
		if (hangs_on_revoked(process, question))
			(void)question_cancel(question, ended ? STATUS_OK : STATUS_DISCONNECTED,
					ended ? 0 : reason_detail(process_revoked_reason(process), 0, 0, 0));
	}
	bindings_end_revoked(process);
}

void processes_sweep_revoked(void)
{
	struct process *process;

	vm_end_revoked();
	for (uint32_t next = 0; (process = process_find(next, true)); object_put(&process->object)) {
		next = process->id + 1;
		process_sweep_revoked(process);
	}
}

void process_end(struct process *process, enum process_state state, int64_t status, struct crash_info *crash)
{
	bool first;

	spin_lock(&process->lock);
	first = process->phase < PROCESS_ENDING;
	if (first) {
		process->phase = PROCESS_ENDING;
		process->end_state = state;
		process->end_status = status;
		process->crash = crash;
	}
	spin_unlock(&process->lock);
	if (!first) {
		crash_info_destroy(crash);
		return;
	}
	trace_process(process, TRACE_KIND_PROCESS_END);
	if (process == init_process)
		init_ended(process);
	if (process->thread) {
		sched_remove(process->thread);
		page_wait_cancel(process->thread);
		(void)timer_queue_remove(&process->thread->deadline);
	}
	/* At once, so that no call is delivered to the dead; but for a call of the kernel's that is just performed. */
	(void)end_questions(process);
	object_get(&process->object);      /* the reaper's */
	reaper_add(&process->reap_work);
}

static bool reap_endpoints(struct process *process)
{
	for (uint32_t budget = REAP_ENTRIES; budget > 0; budget--) {
		bool end;
		uint32_t id;
		const struct cap_entry *entry = cap_table_slot(&process->caps, process->reap_cursor, &id, &end);

		if (end)
			return true;
		process->reap_cursor++;
		if (entry && entry->object->type == &endpoint_type)
			endpoint_process_ended(container_of(entry->object, struct endpoint, object), process);
	}
	return false;
}

static void reap_rest(struct process *process)
{
	if (process->thread) {
		process->cpu_ticks = process->thread->ticks;
		thread_destroy(process->thread);
		process->thread = NULL;
	}
	cap_table_fini(&process->caps);
	object_put(&process->vm->object);
	process->vm = NULL;
	object_put(&process->session->object);
	process->session = NULL;
	ledger_close(process->ledger);
	process->ledger = NULL;
}

/* Tells everybody who waits that the process has ended and nothing of it is left. */
static void announce(struct process *process)
{
	struct list *link;

	spin_lock(&process->lock);
	process->phase = PROCESS_ENDED;
	while ((link = list_take(&process->waiters))) {
		spin_unlock(&process->lock);
		process_answer_waiter(process, container_of(link, struct question, link));
		spin_lock(&process->lock);
	}
	spin_unlock(&process->lock);
	bindings_fire_last(&process->enders);
}

/* One step; true when the process is done. */
static bool reap(struct process *process)
{
	bool done = true;

	switch ((enum reap_step)process->reap_step) {
	case REAP_QUESTIONS:
		done = end_questions(process);
		done = bindings_end_of(process, REAP_ENTRIES) && done;
		break;
	case REAP_ENDPOINTS:
		done = reap_endpoints(process);
		break;
	case REAP_CAPABILITIES:
		done = cap_table_drain(&process->caps, &process->reap_cursor, REAP_ENTRIES);
		break;
	case REAP_MEMORY:
		done = vm_teardown(process->vm, REAP_PAGES);
		break;
	case REAP_REST:
		reap_rest(process);
		return true;
	}
	if (done) {
		process->reap_step++;
		process->reap_cursor = 0;
	}
	return false;
}

static bool reap_work(struct reaper_work *work)
{
	struct process *process = container_of(work, struct process, reap_work);

	if (!reap(process))
		return false;
	spin_lock(&process_tree_lock);
	list_remove(&work->link);
	list_remove(&process->tree_link);
	for (uint32_t i = 0; i < PROCESS_LANES; i++)
		list_remove(&process->lane_links[i]);
	spin_unlock(&process_tree_lock);
	announce(process);
	object_put(&process->object);      /* the tree's */
	object_put(&process->object);      /* the reaper's */
	return true;
}

void reaper_add(struct reaper_work *work)
{
	spin_lock(&process_tree_lock);
	list_append(&reaper_list, &work->link);
	spin_unlock(&process_tree_lock);
	sched_reap();
}

void reaper_remove(struct reaper_work *work)
{
	spin_lock(&process_tree_lock);
	list_remove(&work->link);
	spin_unlock(&process_tree_lock);
}

bool reaper_step(void)
{
	struct reaper_work *work = NULL;

	spin_lock(&process_tree_lock);
	if (!list_empty(&reaper_list))
		work = container_of(reaper_list.next, struct reaper_work, link);
	spin_unlock(&process_tree_lock);
	if (work && !work->step(work)) {
		/* In turns, so that a large process does not keep those who wait for a small one. */
		spin_lock(&process_tree_lock);
		list_remove(&work->link);
		list_append(&reaper_list, &work->link);
		spin_unlock(&process_tree_lock);
	}
	return !list_empty(&reaper_list);
}

void process_destroy(struct object *object)
{
	struct process *process = container_of(object, struct process, object);

	ASSERT(process->phase == PROCESS_ENDED && list_empty(&process->waiters));
	crash_info_destroy(process->crash);
	slab_free(&process_cache, process);
}

void process_check(struct process *process)
{
	if (process->phase >= PROCESS_ENDING)
		return;
	cap_table_check(&process->caps);
	vm_check(process->vm);
	ledger_check(process->ledger);
	if (process->thread)
		ring_check(process->thread->ring);
	for (uint32_t slot = 1;; slot++) {
		bool end;
		uint32_t id;
		const struct cap_entry *entry = cap_table_slot(&process->caps, slot, &id, &end);

		if (end)
			return;
		if (entry && entry->object->type == &endpoint_type)
			endpoint_check(container_of(entry->object, struct endpoint, object));
	}
}
