/*
 * Threads: memory for each, and ThreadSpawner. One stretch of addresses holds all of a thread:
 *
 *   | page that is never committed | stack ...... | struct thread |
 *
 * Always true: a detached thread is in `detached` until its memory is given back; nobody else refers to it.
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

struct thread {
	struct thread_self self;
	int64_t (*run)(void *argument);
	void *argument;
	uint32_t handle;
	uint64_t block;                 /* where its addresses begin */
	uint64_t block_bytes;
	struct thread *next_detached;
};

static struct mutex detached_lock = MUTEX_INIT;
static struct thread *detached;

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

static void thread_give(struct thread *thread)
{
	rt_release(thread->handle);
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
	struct thread **link = &detached;

	mutex_lock(&detached_lock);
	while (*link != NULL) {
		struct thread *thread = *link;

		if (has_ended(thread)) {
			*link = thread->next_detached;
			thread_give(thread);
		} else {
			link = &thread->next_detached;
		}
	}
	mutex_unlock(&detached_lock);
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
	uint64_t bytes, block = 0;
	struct thread *thread;
	status_t status;

	if (stack_bytes > UINT32_MAX)
		return STATUS_INVALID_ARGUMENT;
	detached_sweep();
	bytes = PAGE_BYTES + ALIGN_UP(stack_bytes + sizeof(*thread), PAGE_BYTES);
	status = block_take(bytes, &block);
	if (status != STATUS_OK)
		return status;
	thread = (struct thread *)(uintptr_t)((block + bytes - sizeof(*thread)) & ~15ull);
	thread->run = request->run;
	thread->argument = request->argument;
	thread->block = block;
	thread->block_bytes = bytes;
	status = spawn(request, thread);
	if (status != STATUS_OK) {
		block_give(block, bytes);
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
	if (status == STATUS_OK)
		thread_give(thread);
	return status;
}

void thread_detach(struct thread *thread)
{
	mutex_lock(&detached_lock);
	thread->next_detached = detached;
	detached = thread;
	mutex_unlock(&detached_lock);
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
