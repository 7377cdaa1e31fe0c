/*
 * The life of threads; see thread.h. Made by process_start (process.c) and ThreadSpawner (thread_handle.c), ended by
 * exit, by kill and with their process, given back by the reaper.
 *
 * Ends are orderly: thread_end takes the thread off its processor and ends what it waits for at once, so that
 * nothing is delivered to the dead; its step of the reaper gives ring and context back when nothing of it is left
 * in any queue, and tells those who wait. A process goes on to be taken apart when all its threads are gone.
 * Always true: a thread in a process' list has a ring, mapped in that process as long as its address space is
 * there; `live_threads` of them live; a thread in phase ENDING is on the reaper's list once.
 */
#include "kernel/object/thread.h"

#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/object/binding.h"
#include "kernel/object/process.h"
#include "kernel/object/thread_handle.h"
#include "kernel/ring/poller.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/reserved.h"
#include "kernel/sched/sched.h"

static struct slab_cache thread_cache = SLAB_CACHE("thread", struct thread);
static uint32_t last_thread_id;

static bool reap_work(struct reaper_work *work);

/* --- Making ------------------------------------------------------------------------------------- */

bool thread_name_is_valid(const char *name, uint32_t bytes)
{
	if (bytes >= THREAD_NAME_MAX)
		return false;
	for (uint32_t i = 0; i < bytes; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	}
	return true;
}

static void thread_fill(struct thread *thread, struct process *process, const struct thread_start *start)
{
	object_init(&thread->object, &thread_type, NULL);
	spin_init(&thread->lock, LOCK_RANK_OBJECT, "thread");
	thread->id = __atomic_add_fetch(&last_thread_id, 1, __ATOMIC_RELAXED);
	thread->process = process;
	thread->payer = process->ledger;
	memcpy(thread->name, start->name, start->name_bytes);
	sched_thread_init(thread, &process->policy);
	list_init(&thread->page_wait.link);
	reserved_thread_init(thread);
	list_init(&thread->process_link);
	list_init(&thread->waiters);
	list_init(&thread->stop_waiters);
	list_init(&thread->enders);
	list_init(&thread->reap_work.link);
	thread->reap_work.step = reap_work;
}

/* Context and ring of a charged thread, the ring in the address space. */
static status_t thread_furnish(struct thread *thread, const struct thread_start *start, uint64_t *detail)
{
	struct process *process = thread->process;
	uint64_t address = 0;
	status_t status;

	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	if (arch_context_create(&thread->context) != STATUS_OK)
		return STATUS_OVERLOADED;
	status = STATUS_OVERLOADED;
	thread->ring = ring_create(thread, process);
	if (!thread->ring)
		goto undo_context;
	status = vm_map_fixed(process->vm, thread->ring->physical, RING_BYTES, &address, detail);
	if (status != STATUS_OK)
		goto undo_ring;
	ring_set_address(thread->ring, address);
	arch_context_init(&thread->context, start->entry, start->stack, address, start->argument);
	arch_context_set_tls(&thread->context, start->tls_base);
	return STATUS_OK;
undo_ring:
	ring_destroy(thread->ring);
undo_context:
	arch_context_destroy(&thread->context);
	return status;
}

static void process_enter(struct process *process, struct thread *thread)
{
	object_get(&process->object);
	ledger_get(thread->payer);
	spin_lock(&process->lock);
	list_append(&process->threads, &thread->process_link);
	process->live_threads++;
	spin_unlock(&process->lock);
}

status_t thread_create(struct process *process, const struct thread_start *start, struct thread **out, uint64_t *detail)
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
	thread_fill(thread, process, start);
	status = thread_furnish(thread, start, detail);
	if (status != STATUS_OK)
		goto undo_thread;
	process_enter(process, thread);
	*out = thread;
	return STATUS_OK;
undo_thread:
	slab_free(&thread_cache, thread);
undo_frame_charge:
	ledger_refund(ledger, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER);
undo_thread_charge:
	ledger_refund(ledger, RESOURCE_CLASS_THREADS, 1);
	return status;
}

void thread_run(struct thread *thread)
{
	DEBUG_ASSERT(thread->state == THREAD_NEW && thread->phase == THREAD_LIVES);
	sched_wake(thread, false);
}

/* --- Waiting ------------------------------------------------------------------------------------ */

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

bool thread_interrupt(struct thread *thread)
{
	struct ring *ring = thread->ring;
	bool sleeps;

	if (thread->state == THREAD_WAIT_SYNC)
		return ring->sync && question_cancel(ring->sync, STATUS_INTERRUPTED, 0);
	spin_lock(&ring->lock);
	sleeps = thread->state == THREAD_WAIT_COMPLETIONS;
	if (sleeps) {
		(void)timer_queue_remove(&thread->deadline);
		arch_context_set_result(&thread->context, STATUS_INTERRUPTED);
		sched_wake(thread, false);
	}
	spin_unlock(&ring->lock);
	return sleeps;
}

static void stop_waiters_answer(struct thread *thread, status_t status, uint64_t detail)
{
	struct list *link;

	spin_lock(&thread->lock);
	while ((link = list_take(&thread->stop_waiters))) {
		spin_unlock(&thread->lock);
		question_answer(container_of(link, struct question, link), status, detail, NULL, 0);
		spin_lock(&thread->lock);
	}
	spin_unlock(&thread->lock);
}

void thread_stopped(struct thread *thread)
{
	stop_waiters_answer(thread, STATUS_OK, 0);
}

bool thread_suspend(struct thread *thread)
{
	DEBUG_ASSERT(thread->suspends < THREAD_SUSPENDS_MAX);
	thread->suspends++;
	thread_special_update(thread);
	sched_suspend(thread);
	return thread->state != THREAD_RUNNING;
}

void thread_resume(struct thread *thread)
{
	DEBUG_ASSERT(thread->suspends > 0);
	if (--thread->suspends > 0)
		return;
	thread_special_update(thread);
	sched_continue(thread);
	/* It may have been faster than the processor that was to stop it. */
	thread_stopped(thread);
}

void thread_end_receives(struct thread *thread)
{
	struct ring *ring = thread->ring;

	for (uint32_t i = 0; i < ring_questions(ring); i++) {
		if (ring->questions[i].kind == QUESTION_RECV)
			(void)question_cancel(&ring->questions[i], STATUS_CANCELLED, 0);
	}
}

bool thread_end_questions(struct thread *thread)
{
	struct ring *ring = thread->ring;
	bool done = true;

	/* Receives first: what the end of a call brings about is told to those who live. */
	thread_end_receives(thread);
	for (uint32_t i = 0; i < ring_questions(ring); i++)
		(void)question_cancel(&ring->questions[i], STATUS_CANCELLED, 0);
	for (uint32_t i = 0; i < ring_questions(ring); i++) {
		if (question_finish(&ring->questions[i]) == STATUS_QUESTION_BUSY)
			done = false;
	}
	return done;
}

/* --- Ending ------------------------------------------------------------------------------------- */

void thread_stop(struct thread *thread)
{
	sched_remove(thread);
	poller_forget(thread->ring);
	page_wait_cancel(thread);
	(void)timer_queue_remove(&thread->deadline);
	object_get(&thread->object);      /* the reaper's */
	reaper_add(&thread->reap_work);
}

void thread_end(struct thread *thread, enum process_state state, int64_t status)
{
	struct process *process = thread->process;
	bool lives, last;

	spin_lock(&process->lock);
	lives = thread->phase == THREAD_LIVES && process->phase < PROCESS_ENDING;
	last = process->live_threads == 1;
	if (lives && !last) {
		thread->phase = THREAD_ENDING;
		thread->end_state = state;
		thread->end_status = status;
		process->live_threads--;
	}
	spin_unlock(&process->lock);
	if (!lives)
		return;
	if (last) {
		process_end(process, state, status, NULL);
		return;
	}
	thread_stop(thread);
	/* At once, so that nothing is delivered to the dead; but for a call of the kernel's that is just performed. */
	(void)thread_end_questions(thread);
}

/* Nothing refers to its ring any more: gives back all but the record. */
static void thread_give_back(struct thread *thread)
{
	struct ring *ring = thread->ring;

	thread->ring = NULL;
	vm_unmap_fixed(thread->process->vm, ring->address);
	arch_context_destroy(&thread->context);
	ring_destroy(ring);
	ledger_refund(thread->payer, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER);
}

/* Takes it out of its process and tells everybody who waits for its end. */
static void thread_announce(struct thread *thread)
{
	struct process *process = thread->process;
	struct list *link;

	spin_lock(&process->lock);
	list_remove(&thread->process_link);
	process->cpu_ticks += thread->ticks;
	spin_unlock(&process->lock);
	spin_lock(&thread->lock);
	thread->phase = THREAD_GONE;
	while ((link = list_take(&thread->waiters))) {
		spin_unlock(&thread->lock);
		thread_answer_waiter(thread, container_of(link, struct question, link));
		spin_lock(&thread->lock);
	}
	spin_unlock(&thread->lock);
	stop_waiters_answer(thread, STATUS_FAILED, reason_detail(REASON_STATE, 0, 0, 0));
	bindings_fire_last(&thread->enders);
	object_put(&thread->object);      /* the list's */
}

static bool reap_work(struct reaper_work *work)
{
	struct thread *thread = container_of(work, struct thread, reap_work);

	if (!thread_end_questions(thread))
		return false;
	reaper_remove(work);
	thread_give_back(thread);
	thread_announce(thread);
	object_put(&thread->object);      /* the reaper's */
	return true;
}

void thread_destroy(struct object *object)
{
	struct thread *thread = container_of(object, struct thread, object);
	struct process *process = thread->process;
	struct ledger *payer = thread->payer;

	ASSERT(thread->phase == THREAD_GONE && list_empty(&thread->waiters));
	slab_free(&thread_cache, thread);
	ledger_refund(payer, RESOURCE_CLASS_THREADS, 1);
	ledger_put(payer);
	object_put(&process->object);
}
