/*
 * Processes; see process.h. Made by the spawner (object/process_spawner.c) and at boot (core/start.c), ended by
 * exit, by a fault, by kill; taken apart by the reaper, after their threads (object/thread.c).
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
	REAP_THREADS,
	REAP_ENDPOINTS,
	REAP_CAPABILITIES,
	REAP_MEMORY,
	REAP_REST,
};

static struct slab_cache process_cache = SLAB_CACHE("process", struct process);
static struct slab_cache crash_cache = SLAB_CACHE("crash_info", struct crash_info);

struct spinlock process_tree_lock = SPINLOCK_INIT(LOCK_RANK_PROCESS_TREE, "process_tree");
struct list process_tree = LIST_INIT(process_tree);
/* Each lane has about every eighth process of the lane below it (of the tree, the first), by rising id too. */
static struct list process_lanes[PROCESS_LANES] = {
	LIST_INIT(process_lanes[0]), LIST_INIT(process_lanes[1]), LIST_INIT(process_lanes[2]), LIST_INIT(process_lanes[3]),
};
static const struct process *init_process;
static uint32_t last_process_id;

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
	process->policy = SCHED_POLICY_USUAL;
	process->session = session;
	object_get(&session->object);
	memcpy(process->name, name, MIN(name_bytes, PROCESS_NAME_MAX - 1ul));
	list_init(&process->threads);
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

status_t process_start(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument, uint64_t *detail)
{
	const struct thread_start start = { .entry = entry, .stack = stack, .argument = argument,
			.name = "main", .name_bytes = 4 };
	struct thread *thread;
	status_t status;

	if (process->phase != PROCESS_BUILDING || session_has_ended(process->session)) {
		*detail = reason_detail(session_has_ended(process->session) ? REASON_LOGGED_OUT : REASON_STATE, 0, 0, 0);
		return STATUS_FAILED;
	}
	status = thread_create(process, &start, &thread, detail);
	if (status != STATUS_OK)
		return status;
	process->phase = PROCESS_RUNNING;
	trace_process(process, TRACE_KIND_PROCESS_START);
	thread_run(thread);
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

struct thread *process_next_thread(const struct process *process, const struct thread *thread)
{
	struct list *link = thread ? thread->process_link.next : process->threads.next;

	return link == &process->threads ? NULL : container_of(link, struct thread, process_link);
}

struct thread *process_thread_find(const struct process *process, uint32_t id)
{
	struct thread *thread = process_next_thread(process, NULL);

	while (thread && (thread->id != id || thread->phase != THREAD_LIVES))
		thread = process_next_thread(process, thread);
	return thread;
}

uint64_t process_ticks(const struct process *process)
{
	uint64_t ticks = process->cpu_ticks;

	for (struct thread *thread = NULL; (thread = process_next_thread(process, thread));)
		ticks += sched_ticks(thread);
	return ticks;
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

static void ring_sweep_revoked(struct ring *ring)
{
	const struct process *process = ring->process;

	for (uint32_t i = 0; i < ring_questions(ring); i++) {
		struct question *question = &ring->questions[i];
		bool ended = question->entry.op == CAP_OP_WAIT && (question->entry.flags & ENTRY_DEATH);

		/* Who waits for the end of what was revoked has it. */
		if (hangs_on_revoked(process, question))
			(void)question_cancel(question, ended ? STATUS_OK : STATUS_DISCONNECTED,
					ended ? 0 : reason_detail(process_revoked_reason(process), 0, 0, 0));
	}
}

void process_sweep_revoked(struct process *process)
{
	for (struct thread *thread = NULL; (thread = process_next_thread(process, thread));)
		ring_sweep_revoked(thread->ring);
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

/* Stops every thread, then ends what they wait for: at once, so that no call is delivered to the dead; but for a call
 * of the kernel's that is just performed. */
static void threads_end(struct process *process)
{
	struct thread *thread;

	for (thread = NULL; (thread = process_next_thread(process, thread));) {
		if (thread->phase != THREAD_LIVES)
			continue;
		thread->phase = THREAD_ENDING;
		thread->end_state = process->end_state;
		thread->end_status = process->end_status;
		thread_stop(thread);
	}
	process->live_threads = 0;
	/* Receives of all of them first: what the end of a call brings about is told to those who live. */
	for (thread = NULL; (thread = process_next_thread(process, thread));)
		thread_end_receives(thread);
	for (thread = NULL; (thread = process_next_thread(process, thread));)
		(void)thread_end_questions(thread);
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
	threads_end(process);
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
	case REAP_THREADS:
		/* Each has work of its own on the reaper's list. */
		done = bindings_end_of(process, REAP_ENTRIES) && list_empty(&process->threads);
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
	reaper_remove(work);
	spin_lock(&process_tree_lock);
	list_remove(&process->tree_link);
	for (uint32_t i = 0; i < PROCESS_LANES; i++)
		list_remove(&process->lane_links[i]);
	spin_unlock(&process_tree_lock);
	announce(process);
	object_put(&process->object);      /* the tree's */
	object_put(&process->object);      /* the reaper's */
	return true;
}

void process_destroy(struct object *object)
{
	struct process *process = container_of(object, struct process, object);

	ASSERT(process->phase == PROCESS_ENDED && list_empty(&process->waiters) && list_empty(&process->threads));
	crash_info_destroy(process->crash);
	slab_free(&process_cache, process);
}

static void threads_check(const struct process *process)
{
	uint32_t live = 0;

	for (struct thread *thread = NULL; (thread = process_next_thread(process, thread));) {
		ASSERT(thread->process == process && thread->phase != THREAD_GONE);
		ring_check(thread->ring);
		live += thread->phase == THREAD_LIVES;
	}
	ASSERT(live == process->live_threads);
}

void process_check(struct process *process)
{
	if (process->phase >= PROCESS_ENDING)
		return;
	cap_table_check(&process->caps);
	vm_check(process->vm);
	ledger_check(process->ledger);
	threads_check(process);
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
