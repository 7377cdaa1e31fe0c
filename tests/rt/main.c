/*
 * The guest test of the runtime: calls to the kernel, the heap, servers in another process,
 * launching and its refusals, deaths. Prints TAP to the console and powers off; status 1 if one
 * failed.
 */
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.client.h"
#include "programs/bank/bank.client.h"
#include "programs/counter/counter.client.h"
#include "rt/capability.h"
#include "rt/clock.h"
#include "rt/launch.h"
#include "rt/program.h"
#include "rt/reason.h"
#include "rt/server.h"
#include "tests/rt/rt_test.h"

#define MILLISECOND 1000000ull
#define PROGRAM "bin/rt-test"

static struct launch_authority authority;
static struct boot_package_ref package;
static struct console_ref console;
static struct timer_ref timer;
static struct counter_ref counter;
static struct bank_ref bank;
static struct process_handle_ref peer;
static struct loop loop;
static int tap_count;
static int tap_failed;

void tap(int right, const char *name)
{
	rt_print("TAP %s %d - rt %s", right ? "ok" : "not ok", ++tap_count, name);
	if (!right) {
		tap_failed++;
		rt_print("TAP # detail %lx", rt_detail());
	}
}

/* --- The kernel's objects ------------------------------------------------------------------- */

static void test_grants(void)
{
	tap(!client_ref_is_null(console.ref) && !client_ref_is_null(timer.ref), "finds its grants");
	tap(client_ref_is_null(rt_grant("console", TIMER_INTERFACE_ID)),
			"does not find a grant under another interface");
	tap(client_ref_is_null(rt_grant("nonsense", TIMER_INTERFACE_ID)),
			"does not find what was not granted");
}

static void test_time(void)
{
	uint64_t before = 0;
	uint64_t after = 0;
	status_t status = timer_now(timer, &before);

	if (status == STATUS_OK)
		status = timer_sleep(timer, 2 * MILLISECOND);
	if (status == STATUS_OK)
		status = timer_now(timer, &after);
	tap(status == STATUS_OK && after - before >= 2 * MILLISECOND, "sleeps");
}

/* What the page says decides how it is read; the time is the kernel's either way. */
static void test_clock(void)
{
	uint64_t before = 0, read = 0, after = 0;
	bool ordered = true;

	for (int i = 0; i < 100; i++) {
		ordered = ordered && timer_now(timer, &before) == STATUS_OK && clock_now(&read) == STATUS_OK &&
				timer_now(timer, &after) == STATUS_OK && before <= read && read <= after;
	}
	tap(ordered, "reads the kernel's time");
	rt_print("the clock is %s", clock_is_mapped() ? "mapped" : "asked");
}

static void test_capabilities(void)
{
	uint32_t copy = 0;
	uint32_t narrowed = 0;
	uint64_t now;
	status_t status = rt_copy(rt_id(timer.ref), &copy);
	struct timer_ref copied = { rt_ref(copy) };

	tap(status == STATUS_OK && timer_now(copied, &now) == STATUS_OK, "calls a copy");
	rt_release(copy);
	tap(timer_now(copied, &now) == STATUS_BAD_CAPABILITY, "cannot call what it released");
	tap(rt_narrow(rt_id(timer.ref), CONSOLE_INTERFACE_ID, &narrowed) == STATUS_UNIMPLEMENTED,
			"cannot narrow to a stranger");
	tap(console_write((struct console_ref){ timer.ref }, capnp_text("x")) ==
					STATUS_UNIMPLEMENTED,
			"an object does not have another's methods");
	tap(timer_now((struct timer_ref){ rt_ref(0) }, &now) == STATUS_BAD_CAPABILITY,
			"a null reference answers badCapability");
}

static void test_started_calls(void)
{
	struct timer_now_call calls[20];
	uint64_t last = 0;
	int right = 1;
	int i;

	for (i = 0; i < 20; i++)
		calls[i] = timer_now_start(timer);
	for (i = 19; i >= 0; i--)
		right &= timer_now_wait(&calls[i]) == STATUS_OK;
	for (i = 0; i < 20; i++) {
		uint64_t now = timer_now_results_get_monotonic_ns(timer_now_results(&calls[i]));

		right &= now >= last;
		last = now;
		timer_now_done(&calls[i]);
	}
	tap(right, "waits for twenty started calls in any order");
}

static void test_heap(void)
{
	uint8_t *blocks[40];
	int right = 1;
	int i;

	for (i = 0; i < 40; i++) {
		blocks[i] = malloc(10000);
		right &= blocks[i] != NULL;
		if (blocks[i] != NULL)
			memset(blocks[i], i, 10000);
	}
	for (i = 0; i < 40; i++) {
		right &= blocks[i] != NULL && blocks[i][0] == i && blocks[i][9999] == i;
		free(blocks[i]);
	}
	tap(right, "the heap grows over its memory grant");
}

/* --- Launching ------------------------------------------------------------------------------ */

static status_t launch_program(const char *program, const char *arg,
		const struct launch_grant *grants, uint32_t grant_count,
		struct launch_result *result)
{
	struct capnp_text args[] = { capnp_text(program), capnp_text(arg) };
	struct launch_request request = {
		.name = capnp_text("child"),
		.args = args,
		.arg_count = 2,
		.grants = grants,
		.grant_count = grant_count,
	};
	struct launch_file file;
	status_t status = launch_file_open(package, authority.memory, capnp_text(program), &file);

	if (status != STATUS_OK || file.bytes == NULL)
		return STATUS_FAILED;
	request.image = file.bytes;
	request.image_bytes = file.count;
	request.image_view = file.view;
	status = launch(&authority, &request, result);
	if (status != STATUS_OK)
		rt_print("TAP # %s: %s", launch_sentence(result), status_sentence(status));
	launch_file_close(authority.memory, &file);
	return status;
}

/* Waits for the end and answers how it ended; releases the handle. */
static enum process_state child_end(struct process_handle_ref process, int64_t *exit_status)
{
	struct process_observer_wait_call wait =
			process_observer_wait_start(process_handle_as_process_observer(process));
	enum process_state state = PROCESS_STATE_NONE;
	struct exit_status_reader end;

	if (process_observer_wait_wait(&wait) == STATUS_OK) {
		end = process_observer_wait_results_get_exit(process_observer_wait_results(&wait));
		state = exit_status_get_state(end);
		*exit_status = exit_status_get_status(end);
	}
	process_observer_wait_done(&wait);
	client_release(process.ref);
	return state;
}

static void test_hello(void)
{
	struct launch_row rows[LAUNCH_ROWS_MAX];
	struct launch_grant grant = {
		.name = capnp_text("console"),
		.capability = rt_id(console.ref),
		.rows = rows,
		.row_count = launch_rows(&console_interface, rows, LAUNCH_ROWS_MAX),
	};
	struct launch_result result;
	int64_t status = -1;

	tap(launch_program("bin/hello", "", &grant, 1, &result) == STATUS_OK &&
			child_end(result.process, &status) == PROCESS_STATE_EXITED && status == 0,
			"hello prints on the console that it was given");
	tap(launch_program("bin/hello", "", NULL, 0, &result) == STATUS_OK &&
			child_end(result.process, &status) == PROCESS_STATE_EXITED && status == 3,
			"hello without a grant can only exit");
}

static uint64_t free_pages(void)
{
	struct system_info_ref info = RT_GRANT(system_info, "info");
	uint64_t pages = 0;

	(void)!system_info_memory(info, NULL, &pages, NULL);
	return pages;
}

static void test_many_launches(void)
{
	struct launch_result result;
	uint64_t before = 0;
	int64_t status = -1;
	int right = 1;
	int i;

	for (i = 0; i < 60; i++) {
		if (i == 20)
			before = free_pages();
		right &= launch_program("bin/hello", "", NULL, 0, &result) == STATUS_OK &&
				child_end(result.process, &status) == PROCESS_STATE_EXITED;
	}
	tap(right, "launches sixty programs one after the other");
	tap(free_pages() + 4 >= before, "and none of them leaves pages behind");
}

/* A child whose memory begins as the image says, and who then spoils it: what it was, and what it is. */
static volatile uint64_t image_word = 0x1996, image_zero;

static int spoil(void)
{
	bool fresh = image_word == 0x1996 && image_zero == 0;

	image_word = 1;
	image_zero = 1;
	return fresh ? 7 : 8;
}

/* Of a text that all processes of the image share: the store must not come through. */
static const volatile uint64_t image_constant = 0x2014;

static int store_to_constant(void)
{
	*(volatile uint64_t *)(uintptr_t)&image_constant = 1;
	return 0;
}

#define AT_ONCE 3

static status_t launch_again(const struct launch_image *image, const char *role, struct launch_result *result)
{
	struct capnp_text args[] = { capnp_text("again"), capnp_text_of(role, (uint32_t)strlen(role)) };
	struct launch_request request = { .opened = image, .name = args[0], .args = args, .arg_count = 2 };
	status_t status = launch(&authority, &request, result);

	if (status != STATUS_OK)
		rt_print("TAP # %s: %s", launch_sentence(result), status_sentence(status));
	return status;
}

/* A hundred processes share an image, three at a time: none sees what another has written, and none can write what is
 * shared. */
static void test_shared_image(void)
{
	struct launch_result results[AT_ONCE], crash;
	struct launch_image image;
	struct launch_file file;
	int64_t status = -1;
	bool right, crashed = true;

	right = launch_file_open(package, authority.memory, capnp_text(PROGRAM), &file) == STATUS_OK &&
			launch_image_open(&authority, file.bytes, file.count, file.view, &image, &crash) == STATUS_OK;
	for (int round = 0; right && round <= 100 / AT_ONCE; round++) {
		for (int i = 0; i < AT_ONCE; i++)
			right &= launch_again(&image, "spoil", &results[i]) == STATUS_OK;
		crashed &= launch_again(&image, "constant", &crash) == STATUS_OK &&
				child_end(crash.process, &status) == PROCESS_STATE_CRASHED;
		for (int i = 0; i < AT_ONCE; i++)
			right &= child_end(results[i].process, &status) == PROCESS_STATE_EXITED && status == 7;
	}
	tap(right, "a hundred processes of one image have memory of their own each");
	tap(crashed && image_constant == 0x2014, "what they share none of them can write");
	right = launch_again(&image, "spoil", &results[0]) == STATUS_OK;
	launch_image_close(&image);
	launch_file_close(authority.memory, &file);
	tap(right && child_end(results[0].process, &status) == PROCESS_STATE_EXITED && status == 7,
			"a process keeps its image when the launcher has closed it");
}

static void test_crash(void)
{
	struct launch_result result;
	int64_t status = -1;

	tap(launch_program(PROGRAM, "crash", NULL, 0, &result) == STATUS_OK &&
			child_end(result.process, &status) == PROCESS_STATE_CRASHED,
			"a child that writes to nowhere crashes alone");
	tap(launch_program(PROGRAM, "overflow", NULL, 0, &result) == STATUS_OK &&
			child_end(result.process, &status) == PROCESS_STATE_CRASHED,
			"a child that runs off its stack crashes alone");
	tap(launch_program(PROGRAM, "panic", NULL, 0, &result) == STATUS_OK &&
			child_end(result.process, &status) == PROCESS_STATE_EXITED && status == 134,
			"a child that panics exits with 134");
}

static void test_refused_launches(void)
{
	struct launch_request request = {
		.name = capnp_text("x"), .image = "no program", .image_bytes = 10
	};
	struct launch_grant nothing = { .name = capnp_text("none"), .capability = 0xfffff };
	struct launch_result result;

	tap(launch(&authority, &request, &result) == STATUS_INVALID_ARGUMENT &&
			result.step == LAUNCH_STEP_IMAGE, "a file that is no program is refused");
	tap(launch_program("bin/hello", "", &nothing, 1, &result) != STATUS_OK &&
					result.step == LAUNCH_STEP_GRANT,
			"a capability that is not held cannot be granted");
}

/* --- A server in another process ------------------------------------------------------------ */

status_t export_root(struct endpoint_ref at, uint64_t tag, const struct capnp_interface *interface,
		struct client_ref *capability)
{
	struct launch_row rows[LAUNCH_ROWS_MAX];
	uint32_t count = launch_rows(interface, rows, LAUNCH_ROWS_MAX);
	struct endpoint_export_params_builder params;
	struct endpoint_export_call call = endpoint_export_begin(at, &params);
	struct capnp_list_builder list = endpoint_export_params_init_interfaces(params, count);
	status_t status;
	uint32_t i;

	endpoint_export_params_set_tag(params, tag);
	endpoint_export_params_set_lasting(params, true);
	for (i = 0; i < count; i++) {
		interface_row_set_id(interface_row_builder_at(list, i), rows[i].id);
		interface_row_set_methods(interface_row_builder_at(list, i), rows[i].methods);
		interface_row_set_ancestors(interface_row_builder_at(list, i), rows[i].ancestors);
	}
	endpoint_export_send(&call);
	status = endpoint_export_wait(&call);
	if (status == STATUS_OK)
		status = endpoint_export_take_capability(&call, capability);
	endpoint_export_done(&call);
	return status;
}

status_t launch_server(const char *role, struct endpoint_ref at, struct launch_result *result)
{
	static struct launch_row rows[3][LAUNCH_ROWS_MAX];
	const struct launch_grant grants[] = {
		{ .name = capnp_text("serve"),
				.capability = rt_id(at.ref),
				.rows = rows[0],
				.row_count = launch_rows(
						&endpoint_interface, rows[0], LAUNCH_ROWS_MAX) },
		{ .name = capnp_text("console"),
				.capability = rt_id(console.ref),
				.rows = rows[1],
				.row_count = launch_rows(
						&console_interface, rows[1], LAUNCH_ROWS_MAX) },
		{ .name = capnp_text("timer"),
				.capability = rt_id(timer.ref),
				.rows = rows[2],
				.row_count = launch_rows(
						&timer_interface, rows[2], LAUNCH_ROWS_MAX) },
		{ .name = capnp_text("memory"), .own_memory = true },
	};

	return launch_program(PROGRAM, role, grants, ARRAY_LEN(grants), result);
}

static void test_peer_starts(void)
{
	struct launch_result result = { 0 };
	struct endpoint_ref made = { 0 };
	status_t status = object_factory_endpoint(authority.factory, SERVER_MESSAGE_WORDS,
			SERVER_MESSAGE_CAPS, SERVER_CALLS, &made);

	if (status == STATUS_OK)
		status = export_root(made, 0, &counter_interface, &counter.ref);
	if (status == STATUS_OK)
		status = export_root(made, 1, &bank_interface, &bank.ref);
	if (status == STATUS_OK)
		status = launch_server("peer", made, &result);
	peer = result.process;
	tap(status == STATUS_OK, "a server starts with its endpoint");
}

static void test_calls(void)
{
	uint64_t value = 0;
	int right = 1;
	uint64_t i;

	for (i = 1; i <= 1000; i++)
		right &= counter_add(counter, 1, &value) == STATUS_OK && value == i;
	tap(right, "a thousand calls are answered in order");
}

static void test_many_at_once(void)
{
	struct counter_add_call calls[16];
	uint64_t first = 0;
	int right = 1;
	int i;

	right &= counter_add(counter, 0, &first) == STATUS_OK;
	for (i = 0; i < 16; i++)
		calls[i] = counter_add_start(counter, 1);
	for (i = 0; i < 16; i++) {
		right &= counter_add_wait(&calls[i]) == STATUS_OK;
		right &= counter_add_results_get_value(counter_add_results(&calls[i])) ==
				first + 1 + (uint64_t)i;
		counter_add_done(&calls[i]);
	}
	tap(right, "calls through one reference start in order");
}

/* Has 5 added by a client that knows `data_words` of the parameters and offers `reply_words`. */
static status_t add_as_of_age(uint32_t data_words, uint32_t reply_words)
{
	struct client_begin what = { .target = counter.ref, .interface_id = COUNTER_INTERFACE_ID,
		.method = COUNTER_METHOD_ADD, .flags = CLIENT_PLAIN_RESULTS,
		.params_words = data_words + 1, .reply_words = reply_words };
	struct client_call call = client_call_begin(&what);
	struct capnp_struct_builder params =
			capnp_init_root_struct(client_params(&call), data_words, 0);
	status_t status;

	for (uint32_t i = 0; i < data_words; i++)
		capnp_set_u64(params, i * 8, i == 0 ? 5 : UINT64_MAX);
	client_send(&call);
	status = client_wait(&call);
	client_done(&call);
	return status;
}

static void test_ages(void)
{
	uint64_t before = 0;
	uint64_t value = 0;
	int right = counter_add(counter, 0, &before) == STATUS_OK;

	right &= add_as_of_age(0, 8) == STATUS_OK && counter_add(counter, 0, &value) == STATUS_OK;
	tap(right && value == before, "a parameter that an older client does not know is zero");
	right &= add_as_of_age(3, 8) == STATUS_OK && counter_add(counter, 0, &value) == STATUS_OK;
	tap(right && value == before + 5, "parameters of a newer client do no harm");
	right &= add_as_of_age(1, 1) == STATUS_FAILED && counter_add(counter, 0, &value) == STATUS_OK;
	tap(right && value == before + 5, "a call whose results cannot fit does nothing");
}

static void test_deferral(void)
{
	struct counter_reach_call reach;
	uint64_t value = 0;
	int right = counter_add(counter, 0, &value) == STATUS_OK;

	reach = counter_reach_start(counter, value + 2);
	right &= counter_add(counter, 1, NULL) == STATUS_OK;
	right &= !client_is_answered(&reach.call);
	right &= counter_add(counter, 1, NULL) == STATUS_OK;
	right &= counter_reach_wait(&reach) == STATUS_OK;
	right &= counter_reach_results_get_value(counter_reach_results(&reach)) == value + 2;
	counter_reach_done(&reach);
	tap(right, "an answer may come later");
}

/* Accounts in being and cancelled calls, as the peer counts them. */
static uint64_t peer_state(void)
{
	uint64_t value = UINT64_MAX;

	(void)!counter_value(counter, &value);
	return value;
}

static void test_cancel(void)
{
	struct counter_reach_call reach = counter_reach_start(counter, UINT64_MAX);
	uint64_t before = peer_state();
	status_t status;

	client_cancel(&reach.call);
	status = counter_reach_wait(&reach);
	counter_reach_done(&reach);
	tap(status == STATUS_CANCELLED, "a cancelled call ends cancelled");
	tap(peer_state() == before + 1, "and its server is told");
}

static void test_objects(void)
{
	struct bank_open_call open = bank_open_start(bank, capnp_text("ann"));
	struct deposit_account_deposit_call deposit = deposit_account_deposit_start(
			account_as_deposit_account(bank_open_account(&open)), 5);
	struct deposit_account_ref narrowed = { 0 };
	struct account_ref account = { 0 };
	enum outcome outcome = OUTCOME_NONE;
	uint32_t view = 0;
	bool right;

	tap(deposit_account_deposit_wait(&deposit) == STATUS_OK,
			"a call on a place in an answer arrives");
	deposit_account_deposit_done(&deposit);
	tap(bank_open_wait(&open) == STATUS_OK && bank_open_take_account(&open, &account) == STATUS_OK &&
					peer_state() / 1000 == 1,
			"an object's capability is taken from an answer");
	bank_open_done(&open);
	tap(account_revoke(account, account.ref, &outcome) == STATUS_OK && outcome == OUTCOME_DONE,
			"a capability that comes home is known there");
	tap(account_revoke(account, console.ref, &outcome) == STATUS_OK &&
					outcome == OUTCOME_NOT_OURS,
			"a stranger's capability is not");
	right = rt_narrow(rt_id(account.ref), BALANCE_VIEW_INTERFACE_ID, &view) == STATUS_OK;
	narrowed.ref = rt_ref(view);
	tap(right && deposit_account_deposit(narrowed, 1, NULL) == STATUS_UNIMPLEMENTED,
			"a narrowed capability has fewer methods");
	rt_release(view);
	client_release(account.ref);
	tap(peer_state() / 1000 == 0, "an object without holders is gone");
}

/* --- A front that gives calls on --------------------------------------------------------------- */

static struct endpoint_ref front_endpoint;
static struct client_ref front_counter, front_account, front_timer;
static struct account_ref behind;
static struct process_handle_ref front;

static struct launch_grant grant_of(const char *name, struct client_ref ref,
		const struct capnp_interface *interface, struct launch_row *rows)
{
	return (struct launch_grant){ .name = capnp_text(name),
		.capability = rt_id(ref),
		.rows = rows,
		.row_count = launch_rows(interface, rows, LAUNCH_ROWS_MAX) };
}

static status_t front_exports(void)
{
	status_t status = export_root(front_endpoint, 0, &counter_interface, &front_counter);

	if (status == STATUS_OK)
		status = export_root(front_endpoint, 1, &account_interface, &front_account);
	if (status == STATUS_OK)
		status = export_root(front_endpoint, 2, &timer_interface, &front_timer);
	return status;
}

static status_t front_start(void)
{
	static struct launch_row rows[4][LAUNCH_ROWS_MAX];
	struct launch_grant grants[5];
	struct launch_result result;
	status_t status = object_factory_endpoint(authority.factory, SERVER_MESSAGE_WORDS,
			SERVER_MESSAGE_CAPS, SERVER_CALLS, &front_endpoint);

	if (status == STATUS_OK)
		status = bank_open(bank, capnp_text("behind"), &behind, NULL);
	if (status == STATUS_OK)
		status = front_exports();
	if (status != STATUS_OK)
		return status;
	grants[0] = grant_of("serve", front_endpoint.ref, &endpoint_interface, rows[0]);
	grants[1] = grant_of("counter", counter.ref, &counter_interface, rows[1]);
	grants[2] = grant_of("account", behind.ref, &account_interface, rows[2]);
	grants[3] = grant_of("timer", timer.ref, &timer_interface, rows[3]);
	grants[4] = (struct launch_grant){ .name = capnp_text("memory"), .own_memory = true };
	status = launch_program(PROGRAM, "front", grants, 5, &result);
	front = result.process;
	return status;
}

static void test_forward(void)
{
	struct counter_ref through;
	struct account_ref account;
	uint64_t before = peer_state() % 1000, value = 0, later = 0;
	enum outcome outcome = OUTCOME_NONE;
	struct counter_reach_call reach;
	int64_t status;

	tap(front_start() == STATUS_OK, "a front starts that serves nothing itself");
	through.ref = front_counter;
	account.ref = front_account;
	tap(counter_add(counter, 1, &value) == STATUS_OK && counter_add(through, 1, &later) == STATUS_OK &&
					later == value + 1,
			"a call through it is answered by who is behind");
	tap(account_revoke(account, behind.ref, &outcome) == STATUS_OK && outcome == OUTCOME_DONE,
			"capabilities go along");
	tap(account_revoke(account, front_account, &outcome) == STATUS_OK &&
					outcome == OUTCOME_NOT_OURS,
			"the front's own, too");
	reach = counter_reach_start(through, later + 2);
	tap(counter_add(through, 1, NULL) == STATUS_OK && !client_is_answered(&reach.call) &&
					counter_add(through, 1, NULL) == STATUS_OK &&
					counter_reach_wait(&reach) == STATUS_OK,
			"what is behind may answer late");
	counter_reach_done(&reach);
	reach = counter_reach_start(through, UINT64_MAX);
	(void)!counter_add(through, 1, NULL);
	client_cancel(&reach.call);
	tap(counter_reach_wait(&reach) == STATUS_CANCELLED && peer_state() % 1000 == before + 1,
			"a cancelled call reaches who has it");
	counter_reach_done(&reach);
	tap(timer_now((struct timer_ref){ front_timer }, &value) == STATUS_UNIMPLEMENTED,
			"a kernel object is not given calls");
	(void)!process_handle_kill(front, 1);
	tap(child_end(front, &status) == PROCESS_STATE_KILLED, "the front is killed");
	client_release(behind.ref);
	client_release(front_counter);
	client_release(front_account);
	client_release(front_timer);
	client_release(front_endpoint.ref);
	tap(peer_state() / 1000 == 0, "and holds nothing any more");
}

/*
 * Another process holds the first answer back while two calls stand on it. Nothing is handed to the kernel before the last
 * of them is waited for, and waiting is one system call: the caller sleeps until all three are answered.
 */
static void test_pipelining(void)
{
	struct bank_open_call open = bank_open_start(bank, capnp_text("later"));
	struct account_ref account = bank_open_account(&open);
	struct deposit_account_deposit_call deposit = deposit_account_deposit_start(
			(struct deposit_account_ref){ account.ref }, 7);
	struct balance_view_balance_call balance = balance_view_balance_start(
			(struct balance_view_ref){ account.ref });
	const struct ring_header *header = ring_self()->header;
	uint32_t handed_over = header->sq_head;
	uint64_t counted;
	bool waits = header->sq_tail - handed_over == 3 && header->sq_head == handed_over;
	status_t status = balance_view_balance_wait(&balance);

	tap(waits && status == STATUS_OK && header->sq_head == handed_over + 3 && header->sq_tail == handed_over + 3,
			"three calls, each on the answer before, are one system call");
	counted = balance_view_balance_results_get_balance(balance_view_balance_results(&balance));
	tap(counted == 7, "calls on an answer arrive in order");
	tap(deposit_account_deposit_wait(&deposit) == STATUS_OK && bank_open_wait(&open) == STATUS_OK,
			"and their answers are there");
	balance_view_balance_done(&balance);
	deposit_account_deposit_done(&deposit);
	bank_open_done(&open);
	tap(peer_state() / 1000 == 0, "what was not taken is released with the call");
}

static bool call_says(const struct client_call *call, const char *sentence)
{
	char words[100];

	(void)reason_of_call(words, sizeof(words), call);
	return strcmp(words, sentence) == 0;
}

static void test_words(void)
{
	struct bank_open_call open = bank_open_start(bank, capnp_text(""));

	tap(bank_open_wait(&open) == STATUS_INVALID_ARGUMENT &&
			call_says(&open.call, "an account has an owner") && rt_detail() == 0,
			"an exception carries the server's words");
	bank_open_done(&open);
}

/* Two calls that the kernel refuses for different reasons, asked about after both. */
static void test_kernel_words(void)
{
	struct console_ref no_console = { timer.ref };
	struct boot_package_open_call none = boot_package_open_start(package, capnp_text("nothing"));
	struct bank_open_call open = bank_open_start(bank, capnp_text("nobody"));
	struct deposit_account_deposit_call nowhere = deposit_account_deposit_start(
			(struct deposit_account_ref){ client_pipeline(&open.call, 7) }, 1);
	struct console_write_call wrong = console_write_start(no_console, capnp_text("x"));
	struct memory_view_ref file = { console.ref };

	tap(console_write_wait(&wrong) == STATUS_UNIMPLEMENTED &&
			deposit_account_deposit_wait(&nowhere) == STATUS_FAILED &&
			(client_detail(&wrong.call) & 0xff) == REASON_NO_INTERFACE &&
			call_says(&wrong.call, "the object does not have this interface") &&
			call_says(&nowhere.call, "the answer that the call waited for has no capability at that place"),
			"started calls carry the kernel's words, each its own");
	tap(bank_open_wait(&open) == STATUS_OK && call_says(&open.call, "done"),
			"and one that went well says so");
	console_write_done(&wrong);
	deposit_account_deposit_done(&nowhere);
	bank_open_done(&open);
	tap(boot_package_open_wait(&none) == STATUS_OK &&
			boot_package_open_take_file(&none, &file) == STATUS_OK &&
			client_ref_is_null(file.ref),
			"an answer may have no capability where one can be");
	boot_package_open_done(&none);
}

/* --- The loop ------------------------------------------------------------------------------- */

static int events;
static uint64_t seen_bits;
static uint32_t notification;

static void on_timer(void *context)
{
	events |= 1;
	if (rt_signal(notification, 6) != STATUS_OK)
		loop_stop(&loop, STATUS_FAILED);
}

static void on_answer(void *arg, struct client_call *answered)
{
	struct counter_add_call call = { *answered };

	if (counter_add_results_get_value(counter_add_results(&call)) != 0)
		events |= 4;
	counter_add_done(&call);
	loop_stop(&loop, STATUS_OK);
}

static void on_bits(void *context, status_t status, uint64_t bits)
{
	struct counter_add_call call = counter_add_start(counter, 1);

	events |= status == STATUS_OK ? 2 : 0;
	seen_bits = bits;
	counter_add_then(&call, on_answer, NULL);
}

static void test_loop(void)
{
	static struct loop_timer early;
	static struct loop_timer never;
	static struct loop_watch watch;
	struct notification_ref made = { 0 };
	status_t status = object_factory_notification(authority.factory, &made);

	notification = rt_id(made.ref);
	loop_init(&loop);
	if (status == STATUS_OK)
		status = loop_after(&loop, &early, MILLISECOND, on_timer, NULL);
	if (status == STATUS_OK)
		status = loop_after(&loop, &never, 3600000 * MILLISECOND, on_timer, NULL);
	if (status == STATUS_OK)
		status = loop_watch_bits(&loop, &watch, notification, 2, on_bits, NULL);
	if (status == STATUS_OK)
		status = loop_run(&loop);
	loop_watch_stop(&watch);
	loop_timer_stop(&loop, &never);
	tap(status == STATUS_OK && events == 7 && seen_bits == 2,
			"the loop runs timers, watches and callbacks");
}

#define FLOODS 3u
#define FLOOD  200u /* more signals than the ring has room for completions */

static uint64_t flood_bits;
static uint32_t floods;

static void flood(void)
{
	flood_bits = 0;
	for (uint32_t i = 0; i < FLOOD; i++) {
		if (rt_signal(notification, 1ull << (i % 64)) != STATUS_OK)
			loop_stop(&loop, STATUS_FAILED);
	}
}

static void on_flood(void *context, status_t status, uint64_t bits)
{
	flood_bits |= bits;
	if (status != STATUS_OK)
		loop_stop(&loop, status);
	else if (flood_bits == UINT64_MAX && ++floods == FLOODS)
		loop_stop(&loop, STATUS_OK);
	else if (flood_bits == UINT64_MAX)
		flood();
}

static void test_watch_under_flood(void)
{
	static struct loop_watch watch;
	status_t status;

	loop_init(&loop);
	status = loop_watch_bits(&loop, &watch, notification, UINT64_MAX, on_flood, NULL);
	if (status == STATUS_OK) {
		ring_submit(ring_self());
		flood();
		status = loop_run(&loop);
	}
	loop_watch_stop(&watch);
	tap(status == STATUS_OK && floods == FLOODS, "a watch loses no bits, however many signals come at once");
}

static void test_deaths(void)
{
	struct counter_reach_call reach = counter_reach_start(counter, UINT64_MAX);
	int64_t status = -1;

	tap(!client_is_answered(&reach.call), "a call waits in a server");
	tap(process_handle_kill(peer, 9) == STATUS_OK, "the server is killed");
	tap(rt_wait_end(rt_id(peer.ref)) == STATUS_OK, "its end can be waited for");
	tap(counter_reach_wait(&reach) == STATUS_DISCONNECTED, "calls in service end disconnected");
	counter_reach_done(&reach);
	tap(child_end(peer, &status) == PROCESS_STATE_KILLED && status == 9, "the end says killed");
}

/* --- Roles ---------------------------------------------------------------------------------- */

static int overflow(int levels);
static int (*volatile overflow_next)(int levels) = overflow;

/* Needs some stack for each level; the pointer keeps the compiler from making a loop of it. */
static int overflow(int levels)
{
	volatile int here = levels;

	return levels == 0 ? 0 : overflow_next(levels - 1) + here;
}

static void run_tests(void)
{
	test_grants();
	test_time();
	test_clock();
	test_capabilities();
	test_started_calls();
	test_heap();
	test_hello();
	test_many_launches();
	test_shared_image();
	test_crash();
	test_refused_launches();
	test_peer_starts();
	test_calls();
	test_many_at_once();
	test_ages();
	test_deferral();
	test_cancel();
	test_objects();
	test_forward();
	test_pipelining();
	test_words();
	test_kernel_words();
	test_loop();
	test_watch_under_flood();
	test_deaths();
	test_streams();
	test_threads();
	rt_print("TAP 1..%d", tap_count);
}

int main(int argc, char **argv)
{
	const char *role = argc > 1 ? argv[1] : "";

	if (strcmp(role, "peer") == 0)
		return peer_main();
	if (strcmp(role, "flow") == 0)
		return flow_peer_main();
	if (strcmp(role, "front") == 0)
		return front_main();
	if (strcmp(role, "crash") == 0)
		*(volatile int *)8 = 1;
	if (strcmp(role, "overflow") == 0)
		return overflow(1000000);
	if (strcmp(role, "panic") == 0)
		abort();
	if (strcmp(role, "spoil") == 0)
		return spoil();
	if (strcmp(role, "constant") == 0)
		return store_to_constant();
	console = RT_GRANT(console, "console");
	timer = RT_GRANT(timer, "timer");
	package = RT_GRANT(boot_package, "package");
	authority.spawner = RT_GRANT(process_spawner, "spawner");
	authority.factory = RT_GRANT(object_factory, "factory");
	authority.memory = RT_GRANT(virtual_memory, "memory");
	run_tests();
	(void)!system_control_power_off(RT_GRANT(system_control, "system"), tap_failed != 0);
	return tap_failed != 0;
}
