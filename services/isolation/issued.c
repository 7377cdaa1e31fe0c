/*
 * Leases in service. See issued.h. The kernel's lease ends by itself with its time; that is found out
 * when somebody looks, or asks for another.
 */
#include "services/isolation/issued.h"

#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capos/status.capnp.h"
#include "rt/capability.h"
#include "rt/format.h"
#include "rt/program.h"
#include "rt/reason.h"

#define PROCESSORS_MAX 64u

static struct loop *loop;
static struct issued *first; /* by id */
static uint64_t last_id;
static uint32_t processors;

static struct scheduling_control_ref control(void)
{
	return RT_GRANT(scheduling_control, "scheduling");
}

void issued_init(struct loop *serving)
{
	loop = serving;
	while (processors < PROCESSORS_MAX &&
			scheduling_control_capacity(
					control(), processors, NULL, NULL, NULL, NULL) == STATUS_OK)
		processors++;
}

uint32_t issued_processors(void)
{
	return processors;
}

uint64_t issued_next_id(void)
{
	return ++last_id;
}

/* --- How it stands ------------------------------------------------------------------------------ */

static void account(struct issued *issued, bool *active)
{
	(void)!cpu_isolation_lease_info(issued->lease, &issued->processor, &issued->kind, active,
			NULL, &issued->remaining_ns, &issued->used_ns, &issued->interrupts,
			&issued->quiet_ns, &issued->depletions, &issued->missed);
}

void issued_end(struct issued *issued, enum lease_state state)
{
	bool active = false;

	if (issued->state != LEASE_STATE_ACTIVE)
		return;
	issued->state = state;
	loop_watch_stop(&issued->watch);
	(void)!cpu_isolation_lease_end(issued->lease);
	account(issued, &active);
	client_release(issued->lease.ref);
	client_release(issued->thread);
	issued->thread = (struct client_ref){ 0 };
}

void issued_refresh(struct issued *issued)
{
	bool active = false;

	if (issued->state != LEASE_STATE_ACTIVE)
		return;
	account(issued, &active);
	if (!active)
		issued_end(issued, LEASE_STATE_TIMEOUT);
}

static void thread_ended(void *context, status_t status, uint64_t bits)
{
	issued_end(context, LEASE_STATE_DIED);
}

/* --- Making ------------------------------------------------------------------------------------- */

status_t issued_refuse(char sentence[RULE_SENTENCE_BYTES], status_t st)
{
	reason_into(sentence, RULE_SENTENCE_BYTES, st, rt_detail());
	return st;
}

static status_t ask_kernel(const struct lease_wish *wish, uint32_t processor,
		struct cpu_isolation_lease_ref *lease)
{
	return scheduling_control_lease(control(), processor, wish->kind, wish->duration_ns,
			wish->budget_ns, wish->period_ns, lease);
}

/* Why the kernel made no lease. The parameters that it counts are those of SchedulingControl.lease. */
static status_t refuse_lease(char sentence[RULE_SENTENCE_BYTES], status_t st, uint32_t processor)
{
	static const char *const sentences[] = {
		"processor: they are numbered from 0, and 0 is never leased",
		"kind: there is no such lease",
		"durationNs: from 1 ms to an hour",
		"budgetNs at least 10 us, periodNs 100 us to 4 s",
	};
	uint64_t detail = rt_detail();
	uint32_t parameter = detail >> 8 & 0xff;

	if ((detail & 0xff) == REASON_IN_USE) {
		format_into(sentence, RULE_SENTENCE_BYTES, "processor %u is leased to somebody",
				processor);
		return st;
	}
	if ((detail & 0xff) == REASON_OVERCOMMITTED) {
		format_into(sentence, RULE_SENTENCE_BYTES,
				"processor %u has promised budgets, perhaps to an island: end that first",
				processor);
		return st;
	}
	if ((detail & 0xff) != REASON_ARGUMENT || parameter >= ARRAY_LEN(sentences))
		return issued_refuse(sentence, st);
	format_into(sentence, RULE_SENTENCE_BYTES, "%s", sentences[parameter]);
	return st;
}

/* The processor that was asked for, or the first that can be leased. */
static status_t make_lease(const struct lease_wish *wish, uint64_t allowed,
		struct cpu_isolation_lease_ref *lease, char sentence[RULE_SENTENCE_BYTES])
{
	status_t st = STATUS_OVERLOADED;

	if (processors == 1) {
		format_into(sentence, RULE_SENTENCE_BYTES,
				"this machine has one processor, and that one serves everybody");
		return STATUS_FAILED;
	}
	if (wish->processor != 0) {
		st = ask_kernel(wish, wish->processor, lease);
		return st == STATUS_OK ? st : refuse_lease(sentence, st, wish->processor);
	}
	format_into(sentence, RULE_SENTENCE_BYTES, "no processor that the rule allows is free");
	for (uint32_t i = 1; i < processors && st == STATUS_OVERLOADED; i++) {
		if (allowed >> i & 1)
			st = ask_kernel(wish, i, lease);
	}
	return st == STATUS_OK || st == STATUS_OVERLOADED ? st : refuse_lease(sentence, st, 0);
}

status_t issued_refuse_thread(char sentence[RULE_SENTENCE_BYTES], status_t st)
{
	if (st == STATUS_INVALID_ARGUMENT || st == STATUS_BAD_CAPABILITY) {
		format_into(sentence, RULE_SENTENCE_BYTES,
				"thread: a ThreadHandle or a ProcessHandle is needed");
		return STATUS_INVALID_ARGUMENT;
	}
	if (st != STATUS_FAILED)
		return issued_refuse(sentence, st);
	format_into(sentence, RULE_SENTENCE_BYTES,
			"thread: it has ended, or has a lease or a budget already");
	return st;
}

static void keep_name(struct issued *issued, struct capnp_text name)
{
	format_into(issued->thread_name, sizeof(issued->thread_name), "%.*s", (int)name.bytes,
			name.chars);
}

/* Whose it is. The kernel has bound it, so it is one of its handles, which answers at once. */
static void look_at_thread(struct issued *issued)
{
	struct thread_handle_info_call of_thread = thread_handle_info_start(
			(struct thread_handle_ref){ issued->thread });
	struct process_observer_info_call of_process;

	if (thread_handle_info_wait(&of_thread) == STATUS_OK) {
		struct thread_handle_info_results_reader info = thread_handle_info_results(
				&of_thread);

		issued->process_id = thread_handle_info_results_get_process_id(info);
		issued->thread_id = thread_handle_info_results_get_thread_id(info);
		keep_name(issued, thread_handle_info_results_get_name(info));
	} else {
		of_process = process_observer_info_start(
				(struct process_observer_ref){ issued->thread });
		if (process_observer_info_wait(&of_process) == STATUS_OK) {
			struct process_observer_info_results_reader info =
					process_observer_info_results(&of_process);

			issued->process_id = process_observer_info_results_get_process_id(info);
			keep_name(issued, process_observer_info_results_get_name(info));
		}
		process_observer_info_done(&of_process);
	}
	thread_handle_info_done(&of_thread);
}

/* The thread is bound, kept and watched, or the lease ends: the kernel does not unbind it. */
status_t issued_bind(
		struct issued *issued, struct client_ref thread, char sentence[RULE_SENTENCE_BYTES])
{
	status_t st = cpu_isolation_lease_bind(issued->lease, thread);

	issued_refresh(issued);
	if (issued->state != LEASE_STATE_ACTIVE) {
		format_into(sentence, RULE_SENTENCE_BYTES,
				"the lease's time was over before it had a thread");
		return STATUS_FAILED;
	}
	if (st != STATUS_OK)
		return issued_refuse_thread(sentence, st);
	st = client_copy(thread, &issued->thread);
	if (st == STATUS_OK)
		st = loop_watch_end(
				loop, &issued->watch, rt_id(issued->thread), thread_ended, issued);
	if (st != STATUS_OK) {
		issued_end(issued, LEASE_STATE_ENDED);
		return issued_refuse(sentence, st);
	}
	look_at_thread(issued);
	return STATUS_OK;
}

static void insert(struct issued *issued)
{
	struct issued **link = &first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = issued;
	issued->id = issued_next_id();
}

status_t issued_make(const struct client *client, const struct lease_wish *wish, uint64_t allowed,
		struct issued **made, char sentence[RULE_SENTENCE_BYTES])
{
	struct issued *issued = calloc(1, sizeof(*issued));
	status_t st;

	if (issued == NULL) {
		format_into(sentence, RULE_SENTENCE_BYTES, "no memory for another lease");
		return STATUS_OVERLOADED;
	}
	st = make_lease(wish, allowed, &issued->lease, sentence);
	if (st != STATUS_OK) {
		free(issued);
		return st;
	}
	issued->client = client;
	issued->state = LEASE_STATE_ACTIVE;
	insert(issued);
	issued_refresh(issued);
	*made = issued;
	return STATUS_OK;
}

void issued_free(struct issued *issued)
{
	struct issued **link = &first;

	issued_end(issued, LEASE_STATE_ENDED);
	while (*link != issued)
		link = &(*link)->next;
	*link = issued->next;
	free(issued);
}

/* --- The list ----------------------------------------------------------------------------------- */

struct issued *issued_first(void)
{
	return first;
}

struct issued *issued_find(uint64_t id)
{
	struct issued *issued = first;

	while (issued != NULL && issued->id != id)
		issued = issued->next;
	return issued;
}

uint32_t issued_active(const struct client *client)
{
	uint32_t count = 0;

	for (struct issued *issued = first; issued != NULL; issued = issued->next) {
		issued_refresh(issued);
		count += issued->client == client && issued->state == LEASE_STATE_ACTIVE;
	}
	return count;
}

uint32_t issued_held(const struct client *client)
{
	uint32_t count = 0;

	for (const struct issued *issued = first; issued != NULL; issued = issued->next)
		count += issued->client == client;
	return count;
}

void issued_write_info(const struct issued *issued, struct issued_lease_info_results_builder to)
{
	issued_lease_info_results_set_id(to, issued->id);
	issued_lease_info_results_set_state(to, issued->state);
	issued_lease_info_results_set_processor(to, issued->processor);
	issued_lease_info_results_set_kind(to, issued->kind);
	issued_lease_info_results_set_process_id(to, issued->process_id);
	issued_lease_info_results_set_thread_id(to, issued->thread_id);
	issued_lease_info_results_set_thread(to, capnp_text(issued->thread_name));
	issued_lease_info_results_set_remaining_ns(to, issued->remaining_ns);
	issued_lease_info_results_set_used_ns(to, issued->used_ns);
	issued_lease_info_results_set_interrupts(to, issued->interrupts);
	issued_lease_info_results_set_quiet_ns(to, issued->quiet_ns);
}

void issued_write_row(const struct issued *issued, struct lease_row_builder to)
{
	lease_row_set_id(to, issued->id);
	lease_row_set_processor(to, issued->processor);
	lease_row_set_kind(to, issued->kind);
	lease_row_set_state(to, issued->state);
	lease_row_set_client(to, capnp_text(issued->client->name));
	lease_row_set_process(to, issued->process_id);
	lease_row_set_remaining_ns(to, issued->remaining_ns);
	lease_row_set_interrupts(to, issued->interrupts);
	lease_row_set_quiet_ns(to, issued->quiet_ns);
}
