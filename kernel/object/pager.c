/*
 * Pagers; see pager.h. Made by object_factory.c; misses come from core/entry.c by way of mm/vm_map.c.
 * Always true: a thread in state WAIT_PAGE is among the waiters of one object once, has its deadline
 * set, and the object has a reference for it; a page that is there is never changed by its pager.
 */
#include "kernel/object/pager.h"

#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/process.h"
#include "kernel/object/thread_event.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/sched.h"

#define NEXT_WORDS 4 /* of the answer to next */

/*  I fixed after creation  */
struct pager {
	struct object         object;
	struct memory_object *memory;   /* I, counted */
};

static struct slab_cache pager_cache = SLAB_CACHE("pager", struct pager);
static const struct object_type pager_type;

/* Who waits for which page. Waits are rare and short to note, so one lock is enough. */
static struct spinlock wait_lock = SPINLOCK_INIT(LOCK_RANK_OBJECT, "page waits");

/* --- Pages ------------------------------------------------------------------------------------ */

static uint64_t paging_words(uint64_t pages)
{
	return (pages + 63) / 64;
}

static size_t paging_bytes(uint64_t pages)
{
	return sizeof(struct paging) + 2 * paging_words(pages) * sizeof(uint64_t);
}

/* The page is this supplier's to fill; false if it has been another's. */
static bool page_claim(struct paging *paging, uint64_t index)
{
	uint64_t bit = 1ul << index % 64;

	return (__atomic_fetch_or(&paging->bits[index / 64], bit, __ATOMIC_ACQ_REL) & bit) == 0;
}

static void page_set_there(struct paging *paging, uint64_t index)
{
	__atomic_fetch_or(&paging->bits[paging_words(paging->pages) + index / 64],
			1ul << index % 64, __ATOMIC_RELEASE);
}

bool paging_is_there(const struct memory_object *object, uint64_t index)
{
	const struct paging *paging = object->paging;

	return __atomic_load_n(&paging->bits[paging_words(paging->pages) + index / 64],
			       __ATOMIC_ACQUIRE) >>
			index % 64 & 1;
}

/* --- Waits ------------------------------------------------------------------------------------ */

static struct thread *thread_of(struct list *link)
{
	return container_of(link, struct thread, page_wait.link);
}

/* The first waiter for a page (any: UINT64_MAX), or NULL. */
static struct thread *waiter_find(const struct paging *paging, uint64_t index) REQUIRES(wait_lock)
{
	for (struct list *link = paging->waiters.next; link != &paging->waiters;
			link = link->next) {
		if (index == UINT64_MAX || thread_of(link)->page_wait.index == index)
			return thread_of(link);
	}
	return NULL;
}

/* What a wait leaves to its end, to be given back without locks. */
struct wait_end {
	struct memory_object *object;
	struct crash_info    *crash;
};

static struct wait_end waiter_take(struct thread *thread) REQUIRES(wait_lock)
{
	struct wait_end end = { thread->page_wait.object, thread->page_wait.crash };

	list_remove(&thread->page_wait.link);
	thread->page_wait.object = NULL;
	thread->page_wait.crash = NULL;
	(void)timer_queue_remove(&thread->deadline);
	return end;
}

/* The page has come: all who wait for it go on, and look for themselves. */
static void waiters_wake(struct paging *paging, uint64_t index)
{
	for (;;) {
		struct wait_end end;
		struct thread *thread;

		spin_lock(&wait_lock);
		thread = waiter_find(paging, index);
		if (thread) {
			end = waiter_take(thread);
			sched_wake(thread, false);
		}
		spin_unlock(&wait_lock);
		if (!thread)
			return;
		crash_info_destroy(end.crash);
		object_put(&end.object->object);
	}
}

/* It goes on where its program handles faults, if anywhere. */
static bool waiter_divert(struct thread *thread, const struct crash_info *crash)
{
	return crash && thread_event_fault(thread, &(struct event_fault){ crash->kind, crash->vector, crash->error_code,
			crash->address });
}

/* Ends the wait of a thread that the caller has found with the lock held, and most often its process. */
static void waiter_fail(struct thread *thread) REQUIRES(wait_lock)
{
	struct process *process = thread->process;
	struct wait_end end = waiter_take(thread);
	bool diverted = waiter_divert(thread, end.crash);

	if (diverted)
		sched_wake(thread, false);
	object_get(&process->object);
	spin_unlock(&wait_lock);
	if (diverted)
		crash_info_destroy(end.crash);
	else
		process_end(process, PROCESS_STATE_CRASHED, 0, end.crash);
	object_put(&end.object->object);
	object_put(&process->object);
	spin_lock(&wait_lock);
}

static void waiters_fail(struct paging *paging, uint64_t index)
{
	struct thread *thread;

	spin_lock(&wait_lock);
	while ((thread = waiter_find(paging, index)))
		waiter_fail(thread);
	spin_unlock(&wait_lock);
}

static void page_deadline_passed(struct timer_node *node)
{
	struct thread *thread = container_of(node, struct thread, deadline);

	spin_lock(&wait_lock);
	if (thread->page_wait.object)
		waiter_fail(thread);
	spin_unlock(&wait_lock);
}

void page_wait_cancel(struct thread *thread)
{
	struct wait_end end = { NULL, NULL };

	spin_lock(&wait_lock);
	if (thread->page_wait.object)
		end = waiter_take(thread);
	spin_unlock(&wait_lock);
	if (end.object) {
		crash_info_destroy(end.crash);
		object_put(&end.object->object);
	}
}

/* --- Telling the pager ------------------------------------------------------------------------ */

/* A page that somebody waits for and the pager has not been told of; UINT64_MAX: there is none. Now
 * it has been told. */
static uint64_t missed_take(struct paging *paging) REQUIRES(wait_lock)
{
	uint64_t index = UINT64_MAX;

	for (struct list *link = paging->waiters.next; link != &paging->waiters;
			link = link->next) {
		struct page_wait *wait = &thread_of(link)->page_wait;

		if (index == UINT64_MAX && !wait->told)
			index = wait->index;
		if (wait->index == index)
			wait->told = true;
	}
	return index;
}

static void next_answer(struct question *question, uint64_t index)
{
	uint64_t words[NEXT_WORDS];
	struct capnp_builder results;

	capnp_builder_init(&results, words, NEXT_WORDS, NULL, 0);
	pager_next_results_set_page(pager_next_results_init_root(&results), index);
	question_answer(question, STATUS_OK, 0, words, results.used);
}

/* Somebody begins to wait: a question that waits for that is answered. */
static void miss_tell(struct paging *paging)
{
	struct list *link = NULL;
	uint64_t index = UINT64_MAX;

	spin_lock(&wait_lock);
	if (!list_empty(&paging->questions)) {
		index = missed_take(paging);
		if (index != UINT64_MAX)
			link = list_take(&paging->questions);
	}
	spin_unlock(&wait_lock);
	if (link)
		next_answer(container_of(link, struct question, link), index);
}

enum page_wait_outcome page_wait_begin(
		struct thread *thread, const struct page_miss *miss, struct crash_info *crash)
{
	struct paging *paging = miss->object->paging;
	enum page_wait_outcome outcome = PAGE_AWAITED;
	const struct thread *other;

	spin_lock(&wait_lock);
	/* Whoever supplies it looks for waiters after it is there. */
	if (paging_is_there(miss->object, miss->index)) {
		outcome = PAGE_IS_THERE;
	} else if (paging->closed) {
		outcome = PAGE_NEVER;
	} else {
		other = waiter_find(paging, miss->index);
		thread->page_wait.object = miss->object;
		thread->page_wait.index = miss->index;
		thread->page_wait.told = other && other->page_wait.told;
		thread->page_wait.crash = crash;
		list_append(&paging->waiters, &thread->page_wait.link);
		sched_wait(thread, THREAD_WAIT_PAGE);
		timer_queue_add(&thread->deadline, arch_time_ns() + paging->deadline_ns,
				page_deadline_passed);
		object_get(&miss->object->object);
	}
	spin_unlock(&wait_lock);
	if (outcome == PAGE_AWAITED)
		miss_tell(paging);
	object_put(&miss->object->object);
	return outcome;
}

/* --- Methods ---------------------------------------------------------------------------------- */

static struct paging *paging_of(const struct pager *pager)
{
	return pager->memory->paging;
}

static status_t method_next(void *self, struct call *call, struct pager_next_params_reader in,
		struct pager_next_results_builder *out)
{
	struct paging *paging = paging_of(self);
	status_t status = call_ready(call);
	uint64_t index;

	if (status != STATUS_OK)
		return status;
	spin_lock(&wait_lock);
	index = missed_take(paging);
	if (index == UINT64_MAX) {
		list_append(&paging->questions, &call->question->link);
		call_defer(call);
	}
	spin_unlock(&wait_lock);
	if (index != UINT64_MAX)
		pager_next_results_set_page(*out, index);
	return STATUS_OK;
}

static status_t method_supply(void *self, struct call *call, struct pager_supply_params_reader in,
		struct pager_supply_results_builder *out)
{
	const struct pager *pager = self;
	struct paging *paging = paging_of(pager);
	uint64_t index = pager_supply_params_get_page(in);
	uint64_t offset = pager_supply_params_get_offset(in);
	struct memory_object *source;
	struct cap_entry *entry;
	status_t status = call_argument(call, pager_supply_params_get_source(in),
			MEMORY_VIEW_INTERFACE_ID, &memory_object_type, &entry);

	if (status == STATUS_OK)
		status = call_ready(call);
	if (status != STATUS_OK)
		return status;
	source = container_of(entry->object, struct memory_object, object);
	if (index >= paging->pages)
		return call_fail_argument(call, 0, paging->pages);
	if (source->backing != MEMORY_ANONYMOUS && source->backing != MEMORY_FIXED)
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE, 0, 0, 0);
	if (offset % PAGE_SIZE != 0 || offset / PAGE_SIZE >= source->pages)
		return call_fail_argument(call, 2, source->pages);
	if (!page_claim(paging, index))
		return STATUS_OK;
	/* Absent, so in no page table; claimed, so nobody else's. */
	memory_object_read(source, offset,
			arch_direct(memory_object_page(pager->memory, index)), PAGE_SIZE);
	page_set_there(paging, index);
	waiters_wake(paging, index);
	pager_supply_results_set_accepted(*out, true);
	return STATUS_OK;
}

static status_t method_refuse(void *self, struct call *call, struct pager_refuse_params_reader in,
		struct pager_refuse_results_builder *out)
{
	struct paging *paging = paging_of(self);
	uint64_t index = pager_refuse_params_get_page(in);
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (index >= paging->pages)
		return call_fail_argument(call, 0, paging->pages);
	waiters_fail(paging, index);
	return STATUS_OK;
}

static status_t pager_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct pager_server server = {
		.next = method_next,
		.supply = method_supply,
		.refuse = method_refuse,
	};

	return pager_dispatch(&server, container_of(object, struct pager, object), call,
			interface_id, method);
}

static bool pager_cancel(struct object *object, struct question *question)
{
	bool waited;

	spin_lock(&wait_lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	spin_unlock(&wait_lock);
	return waited;
}

/* Nobody is left who could supply. */
static void pager_last_hold(struct object *object)
{
	struct paging *paging = paging_of(container_of(object, struct pager, object));
	struct list *link;

	spin_lock(&wait_lock);
	paging->closed = true;
	while ((link = list_take(&paging->questions))) {
		spin_unlock(&wait_lock);
		question_answer(container_of(link, struct question, link), STATUS_DISCONNECTED,
				reason_detail(REASON_CLOSED, 0, 0, 0), NULL, 0);
		spin_lock(&wait_lock);
	}
	spin_unlock(&wait_lock);
	waiters_fail(paging, UINT64_MAX);
}

static void pager_destroy(struct object *object)
{
	struct pager *pager = container_of(object, struct pager, object);
	struct memory_object *memory = pager->memory;

	slab_free(&pager_cache, pager);
	object_put(&memory->object);
}

static const struct object_type pager_type = {
	.name = "pager",
	.call = pager_call,
	.on_last_hold = pager_last_hold,
	.destroy = pager_destroy,
	.cancel = pager_cancel,
};

/* --- Making ----------------------------------------------------------------------------------- */

static status_t refuse_memory(uint64_t *detail)
{
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	return STATUS_OVERLOADED;
}

/* Makes a new object's pages absent ones. */
static bool memory_make_paged(struct memory_object *memory, uint64_t deadline_ns)
{
	struct paging *paging = heap_alloc(paging_bytes(memory->pages));

	if (!paging)
		return false;
	paging->deadline_ns = deadline_ns;
	paging->pages = memory->pages;
	list_init(&paging->waiters);
	list_init(&paging->questions);
	memory->backing = MEMORY_PAGER;
	memory->paging = paging;
	memory->paging_bytes = paging_bytes(memory->pages);
	return true;
}

status_t pager_create(struct ledger *ledger, uint64_t bytes, uint64_t deadline_ns,
		struct memory_object **object, struct object **out, uint64_t *detail)
{
	struct memory_object *memory;
	struct pager *pager;
	status_t status = memory_object_create(ledger, bytes, &memory, detail);

	if (status != STATUS_OK)
		return status;
	status = ledger_charge(ledger, RESOURCE_CLASS_OBJECTS, 1, detail);
	if (status != STATUS_OK)
		goto undo_memory;
	pager = slab_alloc(&pager_cache);
	if (!pager || !memory_make_paged(memory, deadline_ns)) {
		status = refuse_memory(detail);
		goto undo_pager;
	}
	object_init(&pager->object, &pager_type, ledger);
	object_get(&memory->object);
	pager->memory = memory;
	*object = memory;
	*out = &pager->object;
	return STATUS_OK;
undo_pager:
	if (pager)
		slab_free(&pager_cache, pager);
	ledger_refund(ledger, RESOURCE_CLASS_OBJECTS, 1);
undo_memory:
	object_put(&memory->object);
	return status;
}
