/*
 * Threads as kernel objects: ThreadSpawner, by which a process makes threads, and ThreadHandle. The life of threads is
 * in thread.c. A ThreadSpawner is a facet of the process itself (process_handle.c passes its calls on), so it
 * costs nothing and ends with it.
 */
#include "kernel/object/thread_handle.h"

#include "capos/kernel.server.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/object/call.h"
#include "kernel/object/process.h"
#include "kernel/object/thread_event.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/donation.h"
#include "kernel/sched/sched.h"

#define JOIN_WORDS 16

/* --- Handle ------------------------------------------------------------------------------------- */

static void fill_exit(struct exit_status_builder exit, const struct thread *thread)
{
	exit_status_set_state(exit, thread->end_state);
	exit_status_set_status(exit, thread->end_status);
}

void thread_answer_waiter(struct thread *thread, struct question *question)
{
	uint64_t words[JOIN_WORDS];
	struct capnp_builder results;

	if (question->entry.flags & ENTRY_DEATH) {
		question_answer(question, STATUS_OK, 0, NULL, 0);
		return;
	}
	capnp_builder_init(&results, words, JOIN_WORDS, NULL, 0);
	fill_exit(thread_handle_join_results_init_exit(thread_handle_join_results_init_root(&results)), thread);
	ASSERT(results.status == CAPNP_OK);
	question_answer(question, STATUS_OK, 0, words, results.used);
}

static enum thread_condition thread_condition(const struct thread *thread)
{
	if (thread->phase != THREAD_LIVES)
		return THREAD_CONDITION_ENDED;
	if (thread->suspends)
		return THREAD_CONDITION_SUSPENDED;
	switch (thread->state) {
	case THREAD_NEW:
	case THREAD_RUNNABLE:
	case THREAD_RUNNING:
		return THREAD_CONDITION_RUNNABLE;
	case THREAD_WAIT_SYNC:
	case THREAD_WAIT_COMPLETIONS:
	case THREAD_WAIT_PAGE:
		return THREAD_CONDITION_WAITING;
	case THREAD_SUSPENDED:
	case THREAD_ENDED:
		return THREAD_CONDITION_ENDED;
	}
	panic("a thread in state %d", (int)thread->state);
}

static status_t method_info(void *self, struct call *call, struct thread_handle_info_params_reader in,
		struct thread_handle_info_results_builder *out)
{
	struct thread *thread = self;

	spin_lock(&thread->lock);
	thread_handle_info_results_set_thread_id(*out, thread->id);
	thread_handle_info_results_set_name(*out, capnp_text(thread->name));
	thread_handle_info_results_set_condition(*out, thread_condition(thread));
	thread_handle_info_results_set_process_id(*out, thread->process->id);
	thread_handle_info_results_set_cpu_ns(*out, arch_ticks_to_ns(sched_ticks(thread)));
	thread_handle_info_results_set_weight(*out, thread->policy.weight);
	thread_handle_info_results_set_class(*out, latency_class(thread->policy.class));
	thread_handle_info_results_set_processors(*out, thread->policy.affinity & sched_processors());
	thread_handle_info_results_set_processor(*out, sched_processor(thread));
	thread_handle_info_results_set_budgeted(*out, thread_context(thread) != NULL);
	thread_handle_info_results_set_faults(*out, thread->faults);
	spin_unlock(&thread->lock);
	return STATUS_OK;
}

/* Links the question unless the thread is gone. */
static bool wait_link(struct thread *thread, struct question *question)
{
	bool waits;

	spin_lock(&thread->lock);
	waits = thread->phase != THREAD_GONE;
	if (waits)
		list_append(&thread->waiters, &question->link);
	spin_unlock(&thread->lock);
	return waits;
}

static status_t method_join(void *self, struct call *call, struct thread_handle_join_params_reader in,
		struct thread_handle_join_results_builder *out)
{
	struct thread *thread = self;

	if (call->question->ring->thread == thread)
		return STATUS_WOULD_DEADLOCK;
	if (thread->is_detached)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (wait_link(thread, call->question))
		call_defer(call);
	else
		fill_exit(thread_handle_join_results_init_exit(*out), thread);
	return STATUS_OK;
}

/* A join that waits; NULL when there is none. */
static struct question *joiner_take(struct thread *thread)
{
	struct question *joiner = NULL;

	spin_lock(&thread->lock);
	for (struct list *link = thread->waiters.next; !joiner && link != &thread->waiters; link = link->next) {
		struct question *question = container_of(link, struct question, link);

		if (!(question->entry.flags & ENTRY_DEATH))
			joiner = question;
	}
	if (joiner)
		list_remove(&joiner->link);
	spin_unlock(&thread->lock);
	return joiner;
}

static status_t method_detach(void *self, struct call *call, struct thread_handle_detach_params_reader in,
		struct thread_handle_detach_results_builder *out)
{
	struct thread *thread = self;
	struct question *joiner;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (thread->is_detached)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	thread->is_detached = true;
	while ((joiner = joiner_take(thread)))
		question_answer(joiner, STATUS_FAILED, reason_detail(REASON_STATE, 0, 0, 0), NULL, 0);
	return STATUS_OK;
}

static status_t method_kill(void *self, struct call *call, struct thread_handle_kill_params_reader in,
		struct thread_handle_kill_results_builder *out)
{
	int64_t number = thread_handle_kill_params_get_status(in);
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		thread_end(self, PROCESS_STATE_KILLED, number);
	return status;
}

static status_t method_rename(void *self, struct call *call, struct thread_handle_rename_params_reader in,
		struct thread_handle_rename_results_builder *out)
{
	struct thread *thread = self;
	struct capnp_text name = thread_handle_rename_params_get_name(in);
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (!thread_name_is_valid(name.chars, name.bytes))
		return call_fail_argument(call, 0, THREAD_NAME_MAX - 1);
	spin_lock(&thread->lock);
	memset(thread->name, 0, sizeof(thread->name));
	memcpy(thread->name, name.chars, name.bytes);
	spin_unlock(&thread->lock);
	return STATUS_OK;
}

static status_t method_interrupt(void *self, struct call *call, struct thread_handle_interrupt_params_reader in,
		struct thread_handle_interrupt_results_builder *out)
{
	struct thread *thread = self;
	status_t status = call_ready(call);

	if (status == STATUS_OK && thread->phase == THREAD_LIVES)
		thread_handle_interrupt_results_set_asleep(*out, thread_interrupt(thread));
	return status;
}

/* A processor that runs it meanwhile waits at the kernel's door, so that they stand in its context. */
static uint32_t registers_look(const struct thread *thread, struct arch_register *registers)
{
	struct cpu *cpu = LOAD_ACQUIRE(&thread->cpu);

	if (thread->phase != THREAD_LIVES)
		return 0;
	if (cpu && cpu != arch_cpu())
		processor_stop(cpu);
	return arch_context_registers(&thread->context, registers, CRASH_REGISTERS_MAX);
}

static status_t method_registers(void *self, struct call *call, struct thread_handle_registers_params_reader in,
		struct thread_handle_registers_results_builder *out)
{
	struct arch_register registers[CRASH_REGISTERS_MAX];
	uint32_t count = registers_look(self, registers);
	struct capnp_list_builder rows = thread_handle_registers_results_init_registers(*out, count);

	for (uint32_t i = 0; i < count; i++) {
		struct register_builder row = register_builder_at(rows, i);

		register_set_name(row, capnp_text(registers[i].name));
		register_set_value(row, registers[i].value);
	}
	return STATUS_OK;
}

static status_t refuse_state(struct call *call)
{
	return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
}

static status_t method_suspend(void *self, struct call *call, struct thread_handle_suspend_params_reader in,
		struct thread_handle_suspend_results_builder *out)
{
	struct thread *thread = self;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (thread->phase != THREAD_LIVES || thread->suspends == THREAD_SUSPENDS_MAX)
		return refuse_state(call);
	/* Itself it stops when it has this answer. */
	if (thread_suspend(thread) || call->question->ring->thread == thread)
		return STATUS_OK;
	spin_lock(&thread->lock);
	list_append(&thread->stop_waiters, &call->question->link);
	spin_unlock(&thread->lock);
	call_defer(call);
	return STATUS_OK;
}

static status_t method_resume(void *self, struct call *call, struct thread_handle_resume_params_reader in,
		struct thread_handle_resume_results_builder *out)
{
	struct thread *thread = self;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (thread->phase != THREAD_LIVES || !thread->suspends)
		return refuse_state(call);
	thread_resume(thread);
	thread_handle_resume_results_set_suspended(*out, thread->suspends > 0);
	return STATUS_OK;
}

/* Puts a value in its place among those that the thread has; false: there is no such register. */
static bool register_change(struct arch_register *registers, uint32_t count, struct register_reader row)
{
	for (uint32_t i = 0; i < count; i++) {
		if (capnp_text_equals(register_get_name(row), registers[i].name)) {
			registers[i].value = register_get_value(row);
			return true;
		}
	}
	return false;
}

/* Its registers stand in its context, complete, or can be made so. */
static bool registers_can_be_set(const struct thread *thread)
{
	return thread->phase == THREAD_LIVES && thread->suspends &&
			(thread->state == THREAD_SUSPENDED || thread->state == THREAD_WAIT_PAGE);
}

static status_t method_set_registers(void *self, struct call *call, struct thread_handle_set_registers_params_reader in,
		struct thread_handle_set_registers_results_builder *out)
{
	struct thread *thread = self;
	struct capnp_list rows = thread_handle_set_registers_params_get_registers(in);
	struct arch_register registers[CRASH_REGISTERS_MAX];
	uint32_t count;

	if (!registers_can_be_set(thread))
		return refuse_state(call);
	arch_context_complete(&thread->context);
	count = arch_context_registers(&thread->context, registers, CRASH_REGISTERS_MAX);
	for (uint32_t i = 0; i < rows.count; i++) {
		if (!register_change(registers, count, register_at(rows, i)))
			return call_fail_argument(call, 0, count);
	}
	if (call_ready(call) != STATUS_OK)
		return call_ready(call);
	if (!arch_context_set_registers(&thread->context, registers, count))
		return call_fail_argument(call, 0, USER_END);
	return STATUS_OK;
}

static status_t method_divert(void *self, struct call *call, struct thread_handle_divert_params_reader in,
		struct thread_handle_divert_results_builder *out)
{
	struct thread *thread = self;
	uint64_t bits = thread_handle_divert_params_get_bits(in);
	status_t status = call_ready(call);

	if (status == STATUS_OK && (thread->phase != THREAD_LIVES || !thread_event_send(thread, bits)))
		status = refuse_state(call);
	return status;
}

static status_t thread_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct thread_handle_server server = {
		.info = method_info,
		.join = method_join,
		.detach = method_detach,
		.kill = method_kill,
		.rename = method_rename,
		.interrupt = method_interrupt,
		.registers = method_registers,
		.suspend = method_suspend,
		.resume = method_resume,
		.set_registers = method_set_registers,
		.divert = method_divert,
	};

	return thread_handle_dispatch(&server, container_of(object, struct thread, object), call, interface_id, method);
}

static bool thread_cancel(struct object *object, struct question *question)
{
	struct thread *thread = container_of(object, struct thread, object);
	bool waited;

	spin_lock(&thread->lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	spin_unlock(&thread->lock);
	return waited;
}

static status_t thread_wait_death(struct object *object, struct question *question, bool *ended)
{
	*ended = !wait_link(container_of(object, struct thread, object), question);
	return STATUS_OK;
}

static struct list *thread_bindings(struct object *object)
{
	return &container_of(object, struct thread, object)->enders;
}

static bool thread_is_gone(struct object *object)
{
	return LOAD_ACQUIRE(&container_of(object, struct thread, object)->phase) == THREAD_GONE;
}

const struct object_type thread_type = {
	.name = "thread",
	.call = thread_object_call,
	.destroy = thread_destroy,
	.cancel = thread_cancel,
	.wait_death = thread_wait_death,
	.bindings = thread_bindings,
	.event_is_due = thread_is_gone,
	.event_is_end = true,
};

/* --- Spawner ------------------------------------------------------------------------------------ */

/* Addresses outside user space would fault in the kernel or not at all. */
static status_t start_check(struct call *call, const struct thread_start *start)
{
	if (start->entry < USER_BASE || start->entry >= USER_END)
		return call_fail_argument(call, 0, USER_END);
	if (start->stack < USER_BASE || start->stack > USER_END)
		return call_fail_argument(call, 1, USER_END);
	if (start->tls_base >= USER_END)
		return call_fail_argument(call, 3, USER_END);
	if (!thread_name_is_valid(start->name, start->name_bytes))
		return call_fail_argument(call, 4, THREAD_NAME_MAX - 1);
	return STATUS_OK;
}

static status_t spawner_spawn(void *self, struct call *call, struct thread_spawner_spawn_params_reader in,
		struct thread_spawner_spawn_results_builder *out)
{
	struct process *process = self;
	struct capnp_text name = thread_spawner_spawn_params_get_name(in);
	const struct thread_start start = {
		.entry = thread_spawner_spawn_params_get_entry(in),
		.stack = thread_spawner_spawn_params_get_stack(in),
		.argument = thread_spawner_spawn_params_get_argument(in),
		.tls_base = thread_spawner_spawn_params_get_tls_base(in),
		.name = name.chars,
		.name_bytes = name.bytes,
	};
	struct thread *thread;
	struct capnp_cap cap;
	status_t status = call_ready_to_give(call);

	if (status == STATUS_OK)
		status = start_check(call, &start);
	if (status == STATUS_OK && process->phase != PROCESS_RUNNING)
		status = call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (status != STATUS_OK)
		return status;
	status = thread_create(process, &start, &thread, &call->detail);
	if (status != STATUS_OK)
		return status;
	object_hold(&thread->object);
	status = call_give(call, &thread->object, &thread_handle_interface, false, &cap);
	if (status != STATUS_OK) {
		thread_end(thread, PROCESS_STATE_KILLED, 0);
		return status;
	}
	thread_run(thread);
	thread_spawner_spawn_results_set_thread(*out, cap);
	return STATUS_OK;
}

static status_t spawner_open(void *self, struct call *call, struct thread_spawner_open_params_reader in,
		struct thread_spawner_open_results_builder *out)
{
	struct process *process = self;
	uint32_t id = thread_spawner_open_params_get_thread_id(in);
	struct thread *thread = process_thread_find(process, id);
	struct capnp_cap cap;
	status_t status;

	if (!thread)
		return STATUS_OK;
	object_hold(&thread->object);
	status = call_give(call, &thread->object, &thread_handle_interface, false, &cap);
	if (status == STATUS_OK) {
		thread_spawner_open_results_set_found(*out, true);
		thread_spawner_open_results_set_thread(*out, cap);
	}
	return status;
}

status_t thread_spawner_call(struct process *process, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct thread_spawner_server server = { .spawn = spawner_spawn, .open = spawner_open };

	return thread_spawner_dispatch(&server, process, call, interface_id, method);
}
