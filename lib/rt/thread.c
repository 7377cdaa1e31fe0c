/*
 * Threads: memory for each, and ThreadSpawner. One stretch of addresses holds all of a thread:
 *
 *   | page that is never committed | stack ...... | struct thread |
 *
 * Stretches of the common size are kept for threads to come, a few of them.
 * Always true: a detached thread is in `detached` until its memory is given back; nobody else refers to it. Of those
 * in `kept` no thread is left.
 */
#include "rt/thread.h"

#include <string.h>

#include "abi/syscall.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/mutex.h"
#include "rt/panic.h"
#include "rt/program.h"
#include "rt/self.h"

#define PAGE_BYTES 4096ull
#define KEPT_MAX   4u

struct thread {
	struct thread_self self;
	int64_t (*run)(void *argument);
	void *argument;
	uint32_t handle;
	uint64_t block;                 /* where its addresses begin */
	uint64_t block_bytes;
	struct thread *next;            /* in `detached` or `kept` */
};

static struct mutex lock = MUTEX_INIT;      /* of what follows */
static struct thread *detached, *kept;
static uint32_t kept_count;

/* --- Memory --------------------------------------------------------------------------------- */

static void block_give(uint64_t block, uint64_t bytes)
{
	(void)!virtual_memory_unmap(RT_GRANT(virtual_memory, "memory"), block, bytes);
}

static status_t block_take(uint64_t bytes, uint64_t *block)
{
	struct virtual_memory_ref memory = RT_GRANT(virtual_memory, "memory");
	status_t status = virtual_memory_reserve(memory, bytes, 0, block);

	if (status != STATUS_OK)
		return status;
	status = virtual_memory_commit(memory, *block + PAGE_BYTES, bytes - PAGE_BYTES, ACCESS_READ_WRITE);
	if (status != STATUS_OK)
		block_give(*block, bytes);
	return status;
}

static uint64_t block_bytes(uint64_t stack_bytes)
{
	return PAGE_BYTES + ALIGN_UP(stack_bytes + sizeof(struct thread), PAGE_BYTES);
}

static struct thread *kept_take(void)
{
	struct thread *thread;

	mutex_lock(&lock);
	thread = kept;
	if (thread != NULL) {
		kept = thread->next;
		kept_count--;
	}
	mutex_unlock(&lock);
	return thread;
}

static bool kept_add(struct thread *thread)
{
	bool is_kept;

	mutex_lock(&lock);
	is_kept = kept_count < KEPT_MAX && thread->block_bytes == block_bytes(THREAD_STACK_BYTES);
	if (is_kept) {
		thread->next = kept;
		kept = thread;
		kept_count++;
	}
	mutex_unlock(&lock);
	return is_kept;
}

/* Addresses with committed memory, where a thread stands that has its block's fields set. */
static status_t thread_take(uint64_t stack_bytes, struct thread **out)
{
	uint64_t bytes = block_bytes(stack_bytes), block = 0;
	struct thread *thread = stack_bytes == THREAD_STACK_BYTES ? kept_take() : NULL;
	status_t status;

	if (thread == NULL) {
		status = block_take(bytes, &block);
		if (status != STATUS_OK)
			return status;
		thread = (struct thread *)(uintptr_t)((block + bytes - sizeof(*thread)) & ~15ull);
		thread->block = block;
		thread->block_bytes = bytes;
	}
	*out = thread;
	return STATUS_OK;
}

static void thread_give(struct thread *thread)
{
	if (!kept_add(thread))
		block_give(thread->block, thread->block_bytes);
}

/* --- Starting ------------------------------------------------------------------------------- */

/* Where every thread begins, on its own stack. */
static void begin(struct ring_header *header, struct thread *thread)
{
	thread_self_init(&thread->self, header);
	thread->self.thread = thread;
	thread_exit(thread->run(thread->argument));
}

static bool has_ended(const struct thread *thread)
{
	struct thread_handle_ref handle = { rt_ref(thread->handle) };
	struct thread_handle_info_params_builder params;
	struct thread_handle_info_call call = thread_handle_info_begin(handle, &params);
	bool ended;

	thread_handle_info_send(&call);
	ended = thread_handle_info_wait(&call) == STATUS_OK &&
			thread_handle_info_results_get_condition(thread_handle_info_results(&call)) ==
					THREAD_CONDITION_ENDED;
	thread_handle_info_done(&call);
	return ended;
}

/* Gives back what detached threads have left that have ended. */
static void detached_sweep(void)
{
	struct thread **link = &detached, *ended = NULL;

	mutex_lock(&lock);
	while (*link != NULL) {
		struct thread *thread = *link;

		if (has_ended(thread)) {
			*link = thread->next;
			thread->next = ended;
			ended = thread;
		} else {
			link = &thread->next;
		}
	}
	mutex_unlock(&lock);
	while (ended != NULL) {
		struct thread *thread = ended;

		ended = thread->next;
		rt_release(thread->handle);
		thread_give(thread);
	}
}

static status_t spawn(const struct thread_request *request, struct thread *thread)
{
	struct thread_handle_ref handle;
	struct capnp_text name = capnp_text(request->name != NULL ? request->name : "");
	/* As if it had been called. */
	uint64_t stack = ((uint64_t)(uintptr_t)thread & ~15ull) - 8;
	status_t status = thread_spawner_spawn(RT_GRANT(thread_spawner, "threads"), (uint64_t)(uintptr_t)begin, stack,
			(uint64_t)(uintptr_t)thread, request->tls_base, name, &handle);

	/* The thread itself does not look at it. */
	if (status == STATUS_OK)
		thread->handle = rt_id(handle.ref);
	return status;
}

status_t thread_start(const struct thread_request *request, struct thread **out)
{
	uint64_t stack_bytes = request->stack_bytes != 0 ? request->stack_bytes : THREAD_STACK_BYTES;
	struct thread *thread;
	status_t status;

	if (stack_bytes > UINT32_MAX)
		return STATUS_INVALID_ARGUMENT;
	detached_sweep();
	status = thread_take(stack_bytes, &thread);
	if (status != STATUS_OK)
		return status;
	thread->run = request->run;
	thread->argument = request->argument;
	status = spawn(request, thread);
	if (status != STATUS_OK) {
		thread_give(thread);
		return status;
	}
	*out = thread;
	return STATUS_OK;
}

/* --- Ending --------------------------------------------------------------------------------- */

status_t thread_join(struct thread *thread, struct thread_end *end)
{
	struct thread_handle_ref handle = { rt_ref(thread->handle) };
	struct thread_handle_join_params_builder params;
	struct thread_handle_join_call call = thread_handle_join_begin(handle, &params);
	status_t status;

	thread_handle_join_send(&call);
	status = thread_handle_join_wait(&call);
	if (status == STATUS_OK && end != NULL) {
		struct exit_status_reader exit = thread_handle_join_results_get_exit(thread_handle_join_results(&call));

		*end = (struct thread_end){ exit_status_get_state(exit), exit_status_get_status(exit) };
	}
	thread_handle_join_done(&call);
	if (status == STATUS_OK) {
		rt_release(thread->handle);
		thread_give(thread);
	}
	return status;
}

void thread_detach(struct thread *thread)
{
	mutex_lock(&lock);
	thread->next = detached;
	detached = thread;
	mutex_unlock(&lock);
}

status_t thread_kill(struct thread *thread, int64_t status)
{
	return thread_handle_kill((struct thread_handle_ref){ rt_ref(thread->handle) }, status);
}

uint32_t thread_handle_of(const struct thread *thread)
{
	return thread->handle;
}

/* Entries that were filled but not handed over still count. */
void thread_exit(int64_t status)
{
	ring_submit(ring_self());
	thread_exit_now(status);
}

struct thread *thread_current(void)
{
	return thread_self()->thread;
}
