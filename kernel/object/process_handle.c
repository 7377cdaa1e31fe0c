/*
 * The process as a kernel object: ProcessObserver (info, wait, crash record, usage), ProcessHandle (also kill) and, with
 * the methods of thread_handle.c, ThreadSpawner.
 * The life of processes is in process.c.
 */
#include "kernel/object/process_handle.h"

#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/object/call.h"
#include "kernel/object/thread_handle.h"
#include "kernel/ring/ring.h"

#define EXIT_WORDS 16

static enum process_state process_state(const struct process *process)
{
	return process->phase == PROCESS_ENDED ? process->end_state : PROCESS_STATE_RUNNING;
}

static void fill_exit(struct exit_status_builder exit, const struct process *process)
{
	exit_status_set_state(exit, process->end_state);
	exit_status_set_status(exit, process->end_status);
}

void process_answer_waiter(struct process *process, struct question *question)
{
	uint64_t words[EXIT_WORDS];
	struct capnp_builder results;

	if (question->entry.flags & ENTRY_DEATH) {
		question_answer(question, STATUS_OK, 0, NULL, 0);
		return;
	}
	capnp_builder_init(&results, words, EXIT_WORDS, NULL, 0);
	fill_exit(process_observer_wait_results_init_exit(process_observer_wait_results_init_root(&results)), process);
	ASSERT(results.status == CAPNP_OK);
	question_answer(question, STATUS_OK, 0, words, results.used);
}

static status_t method_info(void *self, struct call *call, struct process_observer_info_params_reader in,
		struct process_observer_info_results_builder *out)
{
	const struct process *process = self;

	process_observer_info_results_set_process_id(*out, process->id);
	process_observer_info_results_set_name(*out, capnp_text(process->name));
	process_observer_info_results_set_state(*out, process_state(process));
	process_observer_info_results_set_parent_id(*out, process->parent_id);
	return STATUS_OK;
}

/* Links the question unless the process has ended. */
static bool wait_link(struct process *process, struct question *question)
{
	bool ended;

	spin_lock(&process->lock);
	ended = process->phase == PROCESS_ENDED;
	if (!ended)
		list_append(&process->waiters, &question->link);
	spin_unlock(&process->lock);
	return !ended;
}

static status_t method_wait(void *self, struct call *call, struct process_observer_wait_params_reader in,
		struct process_observer_wait_results_builder *out)
{
	struct process *process = self;

	if (wait_link(process, call->question))
		call_defer(call);
	else
		fill_exit(process_observer_wait_results_init_exit(*out), process);
	return STATUS_OK;
}

static void fill_registers(struct crash_record_builder record, const struct crash_info *crash)
{
	struct capnp_list_builder registers = crash_record_init_registers(record, crash->register_count);
	struct capnp_list_builder backtrace = crash_record_init_backtrace(record, crash->backtrace_count);

	for (uint32_t i = 0; i < crash->register_count; i++) {
		struct register_builder row = register_builder_at(registers, i);

		register_set_name(row, capnp_text(crash->registers[i].name));
		register_set_value(row, crash->registers[i].value);
	}
	for (uint32_t i = 0; i < crash->backtrace_count; i++)
		capnp_list_set_u64(backtrace, i, crash->backtrace[i]);
}

static status_t method_crash(void *self, struct call *call, struct process_observer_crash_params_reader in,
		struct process_observer_crash_results_builder *out)
{
	const struct process *process = self;
	const struct crash_info *crash = process->phase == PROCESS_ENDED ? process->crash : NULL;
	struct crash_record_builder record;

	if (!crash)
		return STATUS_OK;
	record = process_observer_crash_results_init_record(*out);
	crash_record_set_kind(record, (enum crash_kind)crash->kind);
	crash_record_set_vector(record, crash->vector);
	crash_record_set_error_code(record, crash->error_code);
	crash_record_set_address(record, crash->address);
	crash_record_set_instruction(record, crash->instruction);
	crash_record_set_stack(record, crash->stack);
	fill_registers(record, crash);
	return STATUS_OK;
}

static status_t method_usage(void *self, struct call *call, struct process_observer_usage_params_reader in,
		struct process_observer_usage_results_builder *out)
{
	struct process *process = self;
	struct capnp_list_builder rows;

	/* The ledger goes in the reaper's last step, which runs on this processor's way out and not inside a call. */
	if (!process->ledger)
		return STATUS_OK;
	cap_table_unkeep(&process->caps);      /* promised to nobody, so not in use */
	rows = process_observer_usage_results_init_resources(*out, LEDGER_CLASSES);
	spin_lock(&process->ledger->lock);
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
		struct resource_limit_builder row = resource_limit_builder_at(rows, i);

		resource_limit_set_class(row, (enum resource_class)i);
		resource_limit_set_limit(row, process->ledger->limit[i]);
		resource_limit_set_used(row, process->ledger->used[i]);
	}
	spin_unlock(&process->ledger->lock);
	return STATUS_OK;
}

static status_t method_kill(void *self, struct call *call, struct process_handle_kill_params_reader in,
		struct process_handle_kill_results_builder *out)
{
	int64_t number = process_handle_kill_params_get_status(in);
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		process_end(self, PROCESS_STATE_KILLED, number, NULL);
	return status;
}

static status_t process_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct process_handle_server server = {
		.process_observer = {
			.info = method_info,
			.wait = method_wait,
			.crash = method_crash,
			.usage = method_usage,
		},
		.kill = method_kill,
	};

	if (interface_id == THREAD_SPAWNER_INTERFACE_ID)
		return thread_spawner_call(container_of(object, struct process, object), call, interface_id, method);
	return process_handle_dispatch(&server, container_of(object, struct process, object), call, interface_id, method);
}

static bool process_cancel(struct object *object, struct question *question)
{
	struct process *process = container_of(object, struct process, object);
	bool waited;

	spin_lock(&process->lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	spin_unlock(&process->lock);
	return waited;
}

static status_t process_wait_death(struct object *object, struct question *question, bool *ended)
{
	*ended = !wait_link(container_of(object, struct process, object), question);
	return STATUS_OK;
}

static struct list *process_bindings(struct object *object)
{
	return &container_of(object, struct process, object)->enders;
}

static bool process_has_ended(struct object *object)
{
	return LOAD_ACQUIRE(&container_of(object, struct process, object)->phase) == PROCESS_ENDED;
}

const struct object_type process_type = {
	.name = "process",
	.call = process_object_call,
	.destroy = process_destroy,
	.cancel = process_cancel,
	.wait_death = process_wait_death,
	.bindings = process_bindings,
	.event_is_due = process_has_ended,
	.event_is_end = true,
};
