/* A system in one process for the shell's tests; see double.h. */
#include "services/shell/double.h"

#include <stdio.h>
#include <string.h>

#include "abi/compiler.h"
#include "capnp/server.h"
#include "capos/kernel.server.h"
#include "capos/terminal.server.h"
#include "capos/trace.server.h"
#include "programs/bank/bank.server.h"

#define QUESTIONS 8
#define CAPS 8

struct call {
	struct double_system *system;
	uint32_t self;			/* capability id */
	bool used;
	bool answered;
	status_t status;
	struct client_begin what;
	uint64_t params_words[512];
	uint64_t results_words[2048];
	struct capnp_cap_slot params_caps[CAPS];
	struct capnp_cap_slot results_caps[CAPS];
	struct capnp_builder params_builder;
	struct capnp_builder results_builder;
	struct capnp_message params;
	struct capnp_message results;
};

static struct call questions[QUESTIONS];
static struct double_system *sys;
char double_output[65536];

struct capnp_message *call_params(struct call *call)
{
	return &call->params;
}

struct capnp_builder *call_results(struct call *call)
{
	return &call->results_builder;
}

/* --- Objects ---------------------------------------------------------------------------------- */

static struct double_object *object_of(uint32_t capability)
{
	if (capability == 0 || capability > DOUBLE_OBJECTS_MAX || !sys->object[capability - 1].dispatch)
		return NULL;
	return &sys->object[capability - 1];
}

static uint32_t object_make(status_t (*dispatch)(void *, struct call *, uint64_t, uint16_t), uint64_t value,
		const char *text)
{
	for (uint32_t i = 0; i < DOUBLE_OBJECTS_MAX; i++) {
		struct double_object *o = &sys->object[i];

		if (o->dispatch)
			continue;
		memset(o, 0, sizeof(*o));
		o->dispatch = dispatch;
		o->value = value;
		o->holders = 1;
		snprintf(o->text, sizeof(o->text), "%s", text);
		return i + 1;
	}
	return 0;
}

static struct capnp_cap give(struct call *call, uint32_t capability)
{
	return capnp_builder_add_cap(&call->results_builder, (struct capnp_cap_slot){ .kind = 1, .id = capability });
}

static status_t timer_now_(void *self, struct call *call, struct timer_now_params_reader in,
		struct timer_now_results_builder *out)
{
	timer_now_results_set_monotonic_ns(*out, 7123456789 + sys->slept_ns);
	return STATUS_OK;
}

static status_t timer_sleep_(void *self, struct call *call, struct timer_sleep_params_reader in,
		struct timer_sleep_results_builder *out)
{
	sys->slept_ns += timer_sleep_params_get_duration_ns(in);
	return STATUS_OK;
}

static const struct timer_server timer_handlers = { .now = timer_now_, .sleep = timer_sleep_ };

static status_t timer_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return timer_dispatch(&timer_handlers, self, call, interface_id, method);
}

static status_t console_write_(void *self, struct call *call, struct console_write_params_reader in,
		struct console_write_results_builder *out)
{
	struct capnp_text text = console_write_params_get_text(in);

	strncat(sys->console, text.chars, MIN(text.bytes, sizeof(sys->console) - strlen(sys->console) - 1));
	return STATUS_OK;
}

static status_t size_(void *self, struct call *call, struct terminal_session_size_params_reader in,
		struct terminal_session_size_results_builder *out)
{
	terminal_session_size_results_set_columns(*out, 80);
	terminal_session_size_results_set_rows(*out, 24);
	return STATUS_OK;
}

static const struct terminal_session_server term_handlers = { .console = { .write = console_write_ },
	.size = size_ };

static status_t term_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return terminal_session_dispatch(&term_handlers, self, call, interface_id, method);
}

static status_t deposit_(void *self, struct call *call, struct deposit_account_deposit_params_reader in,
		struct deposit_account_deposit_results_builder *out)
{
	struct double_object *account = self;

	account->value += deposit_account_deposit_params_get_amount(in);
	deposit_account_deposit_results_set_outcome(*out, OUTCOME_DONE);
	return STATUS_OK;
}

static status_t balance_(void *self, struct call *call, struct balance_view_balance_params_reader in,
		struct balance_view_balance_results_builder *out)
{
	struct double_object *account = self;

	balance_view_balance_results_set_owner(*out, capnp_text(account->text));
	balance_view_balance_results_set_balance(*out, account->value);
	return STATUS_OK;
}

static status_t revoke_(void *self, struct call *call, struct account_revoke_params_reader in,
		struct account_revoke_results_builder *out)
{
	const struct capnp_cap_slot *slot = capnp_cap_slot(&call->params, account_revoke_params_get_facet(in));

	account_revoke_results_set_outcome(*out, slot ? OUTCOME_DONE : OUTCOME_NOT_OURS);
	if (slot)
		object_of(slot->id)->ended = true;
	return STATUS_OK;
}

static status_t account_(void *self, struct call *call, uint64_t interface_id, uint16_t method);

static status_t deposit_only_(void *self, struct call *call, struct account_deposit_only_params_reader in,
		struct account_deposit_only_results_builder *out)
{
	account_deposit_only_results_set_account(*out, give(call, object_make(account_, 0, "facet")));
	return STATUS_OK;
}

static const struct account_server account_handlers = {
	.balance_view = { .balance = balance_ },
	.deposit_account = { .deposit = deposit_ },
	.deposit_only = deposit_only_,
	.revoke = revoke_,
};

static status_t account_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return account_dispatch(&account_handlers, self, call, interface_id, method);
}

static status_t bank_open_(void *self, struct call *call, struct bank_open_params_reader in,
		struct bank_open_results_builder *out)
{
	struct capnp_text owner = bank_open_params_get_owner(in);
	char name[32] = "";

	memcpy(name, owner.chars, MIN(owner.bytes, sizeof(name) - 1));
	if (strcmp(name, "nobody") == 0) {
		bank_open_results_set_outcome(*out, OUTCOME_NO_ROOM);
		return STATUS_OK;
	}
	bank_open_results_set_account(*out, give(call, object_make(account_, 0, name)));
	bank_open_results_set_outcome(*out, OUTCOME_DONE);
	return STATUS_OK;
}

static const struct bank_server bank_handlers = { .open = bank_open_ };

static status_t bank_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return bank_dispatch(&bank_handlers, self, call, interface_id, method);
}

/* 40 processes, 16 a page. */
static status_t processes_(void *self, struct call *call, struct capability_manager_processes_params_reader in,
		struct capability_manager_processes_results_builder *out)
{
	uint32_t start = MAX(capability_manager_processes_params_get_start(in), 1u);
	uint32_t count = MIN(16, 41 - start);
	struct capnp_list_builder rows = capability_manager_processes_results_init_processes(*out, count);

	for (uint32_t i = 0; i < count; i++) {
		struct process_row_builder row = process_row_builder_at(rows, i);
		char name[16];

		snprintf(name, sizeof(name), "process-%u", start + i);
		process_row_set_process_id(row, start + i);
		process_row_set_name(row, capnp_text(name));
		process_row_set_state(row, PROCESS_STATE_RUNNING);
		process_row_set_memory_pages(row, 100 + i);
		process_row_set_cpu_ns(row, 1234567 * (uint64_t)(i + 1) + (start + i == 3 ? sys->slept_ns / 2 : 0));
		process_row_set_threads(row, 1 + i);
		process_row_set_weight(row, 100);
		process_row_set_class(row, start + i == 7 ? (enum latency_class)9 : LATENCY_CLASS_NORMAL);
		process_row_set_processors(row, start + i == 5 ? 0x8000000000000016 : UINT64_MAX);
		process_row_set_runs_on(row, 1ull << i);
		process_row_set_budget_ns(row, start + i == 3 ? 1000000 : 0);
		process_row_set_period_ns(row, start + i == 3 ? 10000000 : 0);
		process_row_set_available_ns(row, start + i == 3 ? 250000 : 0);
	}
	capability_manager_processes_results_set_next(*out, start + count <= 40 ? start + count : 0);
	return STATUS_OK;
}

static status_t holders_(void *self, struct call *call, struct capability_manager_holders_params_reader in,
		struct capability_manager_holders_results_builder *out)
{
	struct capnp_list_builder rows = capability_manager_holders_results_init_holders(*out, 1);
	struct holder_builder row = holder_builder_at(rows, 0);

	holder_set_process_id(row, 7);
	holder_set_process_name(row, capnp_text("shell"));
	holder_set_capability_id(row, 12);
	holder_set_grant(row, UINT64_C(0x700000017));
	holder_set_interface_id(row, ACCOUNT_INTERFACE_ID);
	capability_manager_holders_results_set_object(*out,
			capnp_cap_slot(&call->params, capability_manager_holders_params_get_capability(in))->id);
	return STATUS_OK;
}

static void row_fill(struct capability_row_builder to, const struct double_row *from)
{
	capability_row_set_granted_by(to, from->granter);
	capability_row_set_object(to, from->object);
	capability_row_set_kind(to, capnp_text(from->kind));
	capability_row_set_interface_id(to, from->interface);
	capability_row_set_grant(to, from->grant);
	capability_row_set_parent_grant(to, from->parent);
	capability_row_set_server(to, from->server);
	capability_row_set_process(to, from->subject);
	capability_row_set_revoked(to, from->revoked);
}

/* The rows of the test's that are this process', two a page. */
static status_t capabilities_(void *self, struct call *call, struct capability_manager_capabilities_params_reader in,
		struct capability_manager_capabilities_results_builder *out)
{
	uint32_t process = capability_manager_capabilities_params_get_process_id(in);
	uint32_t at = capability_manager_capabilities_params_get_start(in);
	const struct double_row *page[2];
	struct capnp_list_builder rows;
	uint32_t count = 0;

	for (; at < sys->row_count && count < ARRAY_LEN(page); at++) {
		if (sys->rows[at].process == process)
			page[count++] = &sys->rows[at];
	}
	rows = capability_manager_capabilities_results_init_capabilities(*out, count);
	for (uint32_t i = 0; i < count; i++)
		row_fill(capability_row_builder_at(rows, i), page[i]);
	capability_manager_capabilities_results_set_next(*out, at < sys->row_count ? at : 0);
	capability_manager_capabilities_results_set_found(*out, true);
	return STATUS_OK;
}

static status_t process_(void *self, struct call *call, uint64_t interface_id, uint16_t method);

static status_t open_process_(void *self, struct call *call,
		struct capability_manager_open_params_reader in,
		struct capability_manager_open_results_builder *out)
{
	uint32_t id = capability_manager_open_params_get_process_id(in);

	if (id == 0 || id > 40)
		return STATUS_OK;
	capability_manager_open_results_set_found(*out, true);
	capability_manager_open_results_set_process(*out, give(call, object_make(process_, id,
			"")));
	return STATUS_OK;
}

static const struct capability_manager_server authority_handlers = {
	.processes = processes_,
	.holders = holders_,
	.open = open_process_,
	.capabilities = capabilities_,
};

static status_t authority_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return capability_manager_dispatch(&authority_handlers, self, call, interface_id, method);
}

static status_t power_off_(void *self, struct call *call, struct system_control_power_off_params_reader in,
		struct system_control_power_off_results_builder *out)
{
	sys->powered_off = 1 + system_control_power_off_params_get_status(in);
	return STATUS_OK;
}

static const struct system_control_server system_handlers = { .power_off = power_off_ };

static status_t system_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return system_control_dispatch(&system_handlers, self, call, interface_id, method);
}

static status_t process_wait_(void *self, struct call *call, struct process_observer_wait_params_reader in,
		struct process_observer_wait_results_builder *out)
{
	struct exit_status_builder exit = process_observer_wait_results_init_exit(*out);

	exit_status_set_state(exit, sys->crash ? PROCESS_STATE_CRASHED :
			((struct double_object *)self)->ended ? PROCESS_STATE_KILLED : PROCESS_STATE_EXITED);
	exit_status_set_status(exit, sys->exit_status);
	return STATUS_OK;
}

static status_t process_crash_(void *self, struct call *call, struct process_observer_crash_params_reader in,
		struct process_observer_crash_results_builder *out)
{
	struct crash_record_builder record = process_observer_crash_results_init_record(*out);

	crash_record_set_kind(record, CRASH_KIND_ACCESS_FAULT);
	crash_record_set_address(record, 0x10);
	crash_record_set_instruction(record, 0x401000);
	return STATUS_OK;
}

static status_t process_kill_(void *self, struct call *call, struct process_handle_kill_params_reader in,
		struct process_handle_kill_results_builder *out)
{
	((struct double_object *)self)->ended = true;
	return STATUS_OK;
}

static const struct process_handle_server process_handlers = {
	.process_observer = { .wait = process_wait_, .crash = process_crash_ },
	.kill = process_kill_,
};

static status_t process_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return process_handle_dispatch(&process_handlers, self, call, interface_id, method);
}

/* --- Tracing ------------------------------------------------------------------------------------ */

#define TRACE_PAGE 3u		/* events in one answer: readers must go on */

static status_t trace_read_(void *self, struct call *call, struct trace_read_params_reader in,
		struct trace_read_results_builder *out)
{
	uint64_t end = sys->trace_lost + sys->trace_count;
	uint64_t position = MIN(MAX(trace_read_params_get_position(in), sys->trace_lost), end);
	uint32_t count = (uint32_t)MIN(TRACE_PAGE, end - position);
	struct capnp_list_builder list = trace_read_results_init_events(*out, count);

	for (uint32_t i = 0; i < count; i++) {
		struct trace_event_builder event = trace_event_builder_at(list, i);
		const struct double_event *from = &sys->trace[position - sys->trace_lost + i];

		trace_event_set_kind(event, (enum trace_kind)from->kind);
		trace_event_set_method(event, from->method);
		trace_event_set_time_ns(event, from->time_ns);
		trace_event_set_call(event, from->call);
		trace_event_set_within(event, from->within);
		trace_event_set_interface_id(event, from->interface_id);
		trace_event_set_detail(event, from->detail);
		trace_event_set_process_id(event, from->process);
		trace_event_set_other_id(event, from->other);
		trace_event_set_status(event, from->status);
		trace_event_set_question(event, from->question);
		trace_event_set_words(event, from->words);
		trace_event_set_capabilities(event, from->capabilities);
	}
	trace_read_results_set_next(*out, position + count);
	trace_read_results_set_lost(*out, position - trace_read_params_get_position(in));
	return STATUS_OK;
}

static status_t trace_stop_(void *self, struct call *call, struct trace_stop_params_reader in,
		struct trace_stop_results_builder *out)
{
	sys->traces_stopped++;
	return STATUS_OK;
}

static status_t trace_info_(void *self, struct call *call, struct trace_info_params_reader in,
		struct trace_info_results_builder *out)
{
	trace_info_results_set_processors(*out, 1);
	return STATUS_OK;
}

static status_t trace_process_(void *self, struct call *call, struct trace_process_params_reader in,
		struct trace_process_results_builder *out)
{
	uint32_t id = trace_process_params_get_process_id(in);
	char name[16];

	snprintf(name, sizeof(name), "process-%u", id);
	trace_process_results_set_found(*out, id < 100);
	if (id < 100)
		trace_process_results_set_name(*out, capnp_text(id == DOUBLE_SHELL ? "shell" : name));
	return STATUS_OK;
}

static status_t trace_payload_(void *self, struct call *call, struct payload_trace_payload_params_reader in,
		struct payload_trace_payload_results_builder *out)
{
	uint64_t index = payload_trace_payload_params_get_position(in) - sys->trace_lost;
	const struct double_event *event = &sys->trace[index];
	struct capnp_list_builder words;

	if (index >= sys->trace_count)
		return STATUS_OK;
	words = payload_trace_payload_results_init_words(*out, event->payload_words);
	for (uint32_t i = 0; i < event->payload_words; i++)
		capnp_list_set_u64(words, i, event->payload[i]);
	payload_trace_payload_results_set_found(*out, true);
	return STATUS_OK;
}

static const struct payload_trace_server trace_handlers = {
	.trace = { .read = trace_read_, .stop = trace_stop_, .info = trace_info_, .process = trace_process_ },
	.payload = trace_payload_,
};

static status_t trace_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return payload_trace_dispatch(&trace_handlers, self, call, interface_id, method);
}

static status_t tracer_start_(void *self, struct call *call, struct tracer_start_params_reader in,
		struct tracer_start_results_builder *out)
{
	if (sys->trace_status == 0)
		tracer_start_results_set_trace(*out, give(call, object_make(trace_, 0, "")));
	return (status_t)sys->trace_status;
}

static status_t tracer_start_payload_(void *self, struct call *call, struct payload_tracer_start_payload_params_reader in,
		struct payload_tracer_start_payload_results_builder *out)
{
	payload_tracer_start_payload_results_set_trace(*out, give(call, object_make(trace_, 0, "")));
	return STATUS_OK;
}

static const struct payload_tracer_server tracer_handlers = {
	.tracer = { .start = tracer_start_ },
	.start_payload = tracer_start_payload_,
};

static status_t tracer_(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	return payload_tracer_dispatch(&tracer_handlers, self, call, interface_id, method);
}

/* --- Transport -------------------------------------------------------------------------------- */

static status_t t_begin(struct transport *transport, const struct client_begin *what, uint32_t *question)
{
	for (uint32_t i = 0; i < QUESTIONS; i++) {
		struct call *call = &questions[i];

		if (call->used)
			continue;
		memset(call, 0, sizeof(*call));
		call->used = true;
		call->what = *what;
		capnp_builder_init(&call->params_builder, call->params_words, MIN(what->params_words, 512u),
				call->params_caps, CAPS);
		*question = i;
		return STATUS_OK;
	}
	return STATUS_OVERLOADED;
}

static struct capnp_builder *t_params(struct transport *transport, uint32_t question)
{
	return &questions[question].params_builder;
}

static struct capnp_cap t_put(struct transport *transport, uint32_t question, const struct client_ref *ref,
		bool is_given)
{
	return capnp_builder_add_cap(&questions[question].params_builder,
			(struct capnp_cap_slot){ .kind = 1, .id = ref->target });
}

static status_t t_send(struct transport *transport, uint32_t question, uint64_t deadline_ns)
{
	struct call *call = &questions[question];
	struct double_object *target = object_of(call->what.target.target);

	if (!target)
		return STATUS_BAD_CAPABILITY;
	for (uint32_t i = 0; i < call->params_builder.cap_count; i++) {
		if (object_of(call->params_caps[i].id)->revoked)
			return STATUS_DISCONNECTED;
	}
	capnp_message_init(&call->params, call->params_words, call->params_builder.used, call->params_caps,
			call->params_builder.cap_count);
	capnp_builder_init(&call->results_builder, call->results_words, MIN(call->what.reply_words, 2048u),
			call->results_caps, CAPS);
	call->status = sys->refusal ? sys->refusal : target->ended && target->dispatch != process_ ?
			STATUS_DISCONNECTED :
			target->dispatch(target, call, call->what.interface_id, call->what.method);
	if (call->status == STATUS_OK && call->results_builder.status != CAPNP_OK)
		call->status = STATUS_REPLY_TOO_LARGE;
	capnp_message_init(&call->results, call->results_words, call->results_builder.used, call->results_caps,
			call->results_builder.cap_count);
	if (sys->answer)
		capnp_message_init(&call->results, sys->answer, sys->answer_words, NULL, 0);
	call->answered = true;
	return STATUS_OK;
}

static status_t t_wait(struct transport *transport, uint32_t question)
{
	return questions[question].status;
}

static bool t_is_answered(struct transport *transport, uint32_t question)
{
	return questions[question].answered;
}

static struct capnp_message *t_results(struct transport *transport, uint32_t question)
{
	return questions[question].answered && questions[question].status == STATUS_OK ?
			&questions[question].results : NULL;
}

static status_t t_take(struct transport *transport, uint32_t question, struct capnp_cap cap, uint32_t *target)
{
	struct capnp_cap_slot *slot = &questions[question].results_caps[cap.index];

	if (slot->id == 0)
		return STATUS_BAD_CAPABILITY;
	*target = slot->id;
	slot->id = 0;
	return STATUS_OK;
}

static void t_release(struct transport *transport, uint32_t target)
{
	struct double_object *o = object_of(target);

	if (!o || o->holders == 0)
		__builtin_trap();	/* released twice */
	if (--o->holders == 0)
		o->dispatch = NULL;
}

static void t_done(struct transport *transport, uint32_t question)
{
	struct call *call = &questions[question];

	for (uint32_t i = 0; call->answered && i < call->results_builder.cap_count; i++) {
		if (call->results_caps[i].id != 0)
			t_release(transport, call->results_caps[i].id);
	}
	call->used = false;
}

static status_t t_copy(struct transport *transport, uint32_t target, uint32_t *copy)
{
	struct double_object *o = object_of(target);

	if (!o)
		return STATUS_BAD_CAPABILITY;
	if (o->revoked)
		return STATUS_DISCONNECTED;
	o->holders++;
	*copy = target;
	return STATUS_OK;
}

static const struct transport_ops transport_ops = {
	.begin = t_begin, .params = t_params, .put = t_put, .send = t_send, .wait = t_wait,
	.is_answered = t_is_answered, .results = t_results, .take = t_take, .done = t_done, .copy = t_copy,
	.release = t_release, .ask_scalars = client_ask_in_parts,
};

/* --- The shell's process ---------------------------------------------------------------------- */

static void o_output(void *arg, const char *bytes, uint32_t count)
{
	size_t used = strlen(double_output);

	count = (uint32_t)MIN(count, sizeof(double_output) - used - 1);
	memcpy(double_output + used, bytes, count);
	double_output[used + count] = 0;
}

static void o_flush(void *arg)
{
}

static status_t o_await(void *arg, struct client_call *call)
{
	if (sys->interrupted > 0) {
		sys->interrupted--;
		return STATUS_CANCELLED;
	}
	return client_wait(call);
}

static status_t o_await_process(void *arg, struct client_call *call, uint32_t process)
{
	return client_wait(call);
}

static status_t o_narrow(void *arg, uint32_t capability, uint64_t interface_id, uint32_t *narrowed)
{
	return t_copy(&sys->transport, capability, narrowed);
}

static void note(char *to, size_t size, const char *a, struct capnp_text text)
{
	size_t used = strlen(to);

	snprintf(to + used, size - used, "%s%.*s", a, (int)text.bytes, text.chars);
}

static status_t o_launch(void *arg, const struct shell_launch_request *request, uint32_t *process, char *reason,
		uint32_t reason_bytes)
{
	sys->program[0] = 0;
	sys->grants[0] = 0;
	sys->strings[0] = 0;
	note(sys->program, sizeof(sys->program), "", request->program);
	for (uint32_t i = 0; i < request->grant_count; i++) {
		note(sys->grants, sizeof(sys->grants), " ", request->grants[i].name);
		note(sys->grants, sizeof(sys->grants), ":", schema_node_name(request->grants[i].interface));
	}
	for (uint32_t i = 0; i < request->arg_count; i++)
		note(sys->strings, sizeof(sys->strings), " ", request->args[i]);
	for (uint32_t i = 0; i < request->env_count; i++) {
		note(sys->strings, sizeof(sys->strings), " ", request->env[i].name);
		note(sys->strings, sizeof(sys->strings), "=", request->env[i].value);
	}
	if (strcmp(sys->program, "missing") == 0) {
		snprintf(reason, reason_bytes, "there is no such program");
		return STATUS_FAILED;
	}
	*process = object_make(process_, 0, sys->program);
	return STATUS_OK;
}

static void o_programs(void *arg, struct term_candidates *out)
{
	term_candidates_add(out, "hello", 5, " ");
	term_candidates_add(out, "counter", 7, " ");
}

static uint64_t o_detail(void *arg)
{
	return sys->detail;
}

static uint32_t o_process_id(void *arg)
{
	return DOUBLE_SHELL;
}

const struct shell_ops double_ops = {
	.output = o_output, .flush = o_flush, .await = o_await, .await_process = o_await_process, .narrow = o_narrow,
	.launch = o_launch, .detail = o_detail, .programs = o_programs, .process_id = o_process_id,
};

void double_init(struct double_system *d)
{
	memset(d, 0, sizeof(*d));
	memset(questions, 0, sizeof(questions));
	double_output[0] = 0;
	d->transport.ops = &transport_ops;
	d->transport.scalars = &d->scalars;
	sys = d;
}

void double_grant_all(struct double_system *d, struct shell *sh)
{
	(void)shell_bind_capability(sh, "timer", object_make(timer_, 0, ""), TIMER_INTERFACE_ID);
	(void)shell_bind_capability(sh, "term", object_make(term_, 0, ""), TERMINAL_SESSION_INTERFACE_ID);
	(void)shell_bind_capability(sh, "console", object_make(term_, 0, ""), CONSOLE_INTERFACE_ID);
	(void)shell_bind_capability(sh, "bank", object_make(bank_, 0, ""), BANK_INTERFACE_ID);
	(void)shell_bind_capability(sh, "authority", object_make(authority_, 0, ""),
			CAPABILITY_MANAGER_INTERFACE_ID);
	(void)shell_bind_capability(sh, "system", object_make(system_, 0, ""), SYSTEM_CONTROL_INTERFACE_ID);
}

void double_grant_tracer(struct double_system *d, struct shell *sh, bool payload)
{
	(void)shell_bind_capability(sh, "tracer", object_make(tracer_, 0, ""),
			payload ? PAYLOAD_TRACER_INTERFACE_ID : TRACER_INTERFACE_ID);
}

uint32_t double_keep(struct double_system *d)
{
	return object_make(timer_, 0, "");
}

uint32_t double_holders(const struct double_system *d)
{
	uint32_t holders = 0;

	for (uint32_t i = 0; i < DOUBLE_OBJECTS_MAX; i++)
		holders += d->object[i].dispatch ? d->object[i].holders : 0;
	return holders;
}
