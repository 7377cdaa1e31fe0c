/*
 * Uses the services as their clients do and reports as TAP on the console. Started by init from
 * manifests/test-services.capnp, as an essential service: its end ends the system.
 */
#include <string.h>

#include "abi/compiler.h"
#include "capos/init.client.h"
#include "capos/kernel.client.h"
#include "capos/log.client.h"
#include "capos/terminal.client.h"
#include "programs/bank/bank.client.h"
#include "programs/counter/counter.client.h"
#include "rt/capability.h"
#include "rt/program.h"

#define MS_NS UINT64_C(1000000)

static unsigned int count;
static unsigned int failed;

static void check(bool ok, const char *what)
{
	rt_print("TAP %s %u - %s", ok ? "ok" : "not ok", ++count, what);
	if (!ok)
		failed++;
}

/* --- The bank ------------------------------------------------------------------------------------- */

static bool balance_is(struct account_ref account, uint64_t expected)
{
	struct balance_view_balance_call call = balance_view_balance_start(
			account_as_balance_view(account));
	bool same = balance_view_balance_wait(&call) == STATUS_OK &&
			balance_view_balance_results_get_balance(
					balance_view_balance_results(&call)) == expected;

	balance_view_balance_done(&call);
	return same;
}

/* The bank is told of the account's end by an event, which calls may overtake. */
static bool ends_soon(struct deposit_account_ref gift)
{
	enum outcome outcome;

	for (int i = 0; i < 100; i++) {
		if (deposit_account_deposit(gift, 1, &outcome) == STATUS_DISCONNECTED)
			return true;
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS_NS);
	}
	return false;
}

static void test_bank(void)
{
	struct bank_ref bank = RT_GRANT(bank, "bank");
	struct account_ref account = { 0 };
	struct limited_account_ref few = { 0 };
	struct deposit_account_ref gift = { 0 };
	enum outcome outcome = OUTCOME_NONE;
	status_t st = bank_open(bank, capnp_text("ann"), &account, &outcome);

	check(st == STATUS_OK && outcome == OUTCOME_DONE, "an account is opened");
	st = deposit_account_deposit(account_as_deposit_account(account), 5, &outcome);
	check(st == STATUS_OK && outcome == OUTCOME_DONE && balance_is(account, 5),
			"money is paid in");
	st = account_withdraw(account, 6, &outcome);
	check(st == STATUS_OK && outcome == OUTCOME_INSUFFICIENT_FUNDS && balance_is(account, 5),
			"more than there is cannot be taken");
	st = account_limited(account, 3, &few);
	check(st == STATUS_OK, "a limited facet is made");
	st = limited_account_withdraw(few, 4, &outcome);
	check(st == STATUS_OK && outcome == OUTCOME_OVER_LIMIT, "the facet keeps its limit");
	st = limited_account_withdraw(few, 2, &outcome);
	check(st == STATUS_OK && outcome == OUTCOME_DONE && balance_is(account, 3),
			"within the limit it takes");
	st = account_withdraw((struct account_ref){ few.ref }, 1, &outcome);
	check(st == STATUS_UNIMPLEMENTED, "the facet is not an account");
	st = account_deposit_only(account, &gift);
	check(st == STATUS_OK && deposit_account_deposit(gift, 1, &outcome) == STATUS_OK &&
					balance_is(account, 4),
			"a deposit-only facet pays in");
	st = account_revoke(account, few.ref, &outcome);
	check(st == STATUS_OK && outcome == OUTCOME_DONE, "the limited facet is revoked");
	st = limited_account_withdraw(few, 1, &outcome);
	check(st == STATUS_DISCONNECTED && balance_is(account, 4), "a revoked facet does nothing");
	st = account_revoke(account, few.ref, &outcome);
	check(st == STATUS_OK && outcome == OUTCOME_NOT_OURS, "it cannot be revoked twice");
	st = account_revoke(account, bank.ref, &outcome);
	check(st == STATUS_OK && outcome == OUTCOME_NOT_OURS, "something else is not ours");
	client_release(few.ref);
	client_release(account.ref);
	check(ends_soon(gift), "a facet ends with its account");
	client_release(gift.ref);
}

/* --- The counter ---------------------------------------------------------------------------------- */

static void test_counter(void)
{
	struct counter_ref counter = RT_GRANT(counter, "counter");
	struct counter_reach_call early = counter_reach_start(counter, 3);
	struct counter_reach_call cancelled = counter_reach_start(counter, 1000);
	uint64_t value = 0;
	status_t st = counter_add(counter, 2, &value);

	check(st == STATUS_OK && value == 2, "the counter adds");
	check(!client_is_answered(&early.call), "who waits for more still waits");
	st = counter_add(counter, 2, &value);
	check(st == STATUS_OK && value == 4, "the service goes on while calls wait");
	st = counter_reach_wait(&early);
	check(st == STATUS_OK &&
					counter_reach_results_get_value(
							counter_reach_results(&early)) == 4,
			"the waiting call is answered");
	counter_reach_done(&early);
	counter_reach_done(&cancelled);
	st = counter_add(counter, UINT64_MAX, &value);
	check(st == STATUS_OK && value == UINT64_MAX, "the counter stops at the largest number");
}

#define CROWD 34

static enum service_outcome service_kill(const char *name);

/* A call whose only parameter is a number, in as little of the ring's arena as it can be. */
static struct client_call small_call(struct client_ref target, uint64_t interface_id, uint16_t method,
		uint64_t number, uint32_t reply_words)
{
	struct client_begin what = {
		.target = target,
		.interface_id = interface_id,
		.method = method,
		.params_words = 4,
		.reply_words = reply_words,
		.flags = CLIENT_PLAIN_RESULTS,
	};
	struct client_call call = client_call_begin(&what);
	struct capnp_builder *params = client_params(&call);

	if (params != NULL)
		capnp_set_u64(capnp_init_struct(capnp_init_root(params), 1, 0), 0, number);
	client_send(&call);
	return call;
}

/* Fills the service with calls that wait. Answers whether one of another kind is answered meanwhile
 * and the last of the crowd was told that there are too many. */
static bool survives_crowd(struct client_ref target, uint64_t interface_id, uint16_t method,
		struct client_ref other, uint64_t other_id, uint16_t other_method)
{
	static struct client_call crowd[CROWD];
	struct client_call *last = &crowd[CROWD - 1], call;
	bool answered;
	bool told;

	for (int i = 0; i < CROWD; i++)
		crowd[i] = small_call(target, interface_id, method, 1000000, 4);
	call = small_call(other, other_id, other_method, 0, 4);
	/* As long as a slow machine may need; a service that is kept from it never answers. */
	for (int i = 0; i < 500 && !(client_is_answered(&call) && client_is_answered(last)); i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), 10 * MS_NS);
	answered = client_is_answered(&call);
	client_done(&call);
	told = client_is_answered(last) && client_wait(last) == STATUS_OVERLOADED;
	for (int i = 0; i < CROWD; i++)
		client_done(&crowd[i]);
	return answered && told;
}

/* Callers who offer much room for an answer take nothing from those who wait with them. */
static void test_large_offers(void)
{
	static const uint32_t offers[] = { 4, 800, 600, 500, 400, 100, 4, 4, 4, 4, 4, 4, 4, 4, 4 };
	struct log_reader_ref reader = RT_GRANT(log_reader, "logs");
	struct client_call follow[ARRAY_LEN(offers)];
	struct client_call write;
	uint64_t written = 0;
	uint32_t told = 0;

	(void)log_reader_status(reader, NULL, NULL, &written, NULL);
	for (uint32_t i = 0; i < ARRAY_LEN(offers); i++)
		follow[i] = small_call(reader.ref, LOG_READER_INTERFACE_ID, LOG_READER_METHOD_FOLLOW,
				written, offers[i]);
	write = small_call(RT_GRANT(log_sink, "log").ref, LOG_SINK_INTERFACE_ID, LOG_SINK_METHOD_WRITE,
			LOG_LEVEL_INFO, 4);
	(void)client_wait(&write);
	client_done(&write);
	for (uint32_t i = 0; i < ARRAY_LEN(offers); i++) {
		told += client_wait(&follow[i]) == STATUS_OK;
		client_done(&follow[i]);
	}
	check(told == ARRAY_LEN(offers), "every follower is told, however much room others offer");
}

/* One client's waiting calls must not keep a service from everybody else. */
static void test_crowds(void)
{
	struct counter_ref counter = RT_GRANT(counter, "counter");
	struct log_reader_ref reader = RT_GRANT(log_reader, "logs");
	struct log_sink_ref sink = RT_GRANT(log_sink, "log");
	struct byte_stream_ref line = RT_GRANT(byte_stream, "line");

	(void)service_kill("counter");
	check(survives_crowd(counter.ref, COUNTER_INTERFACE_ID, COUNTER_METHOD_REACH, counter.ref,
					COUNTER_INTERFACE_ID, COUNTER_METHOD_VALUE),
			"those who wait do not keep the counter from others");
	check(survives_crowd(reader.ref, LOG_READER_INTERFACE_ID, LOG_READER_METHOD_FOLLOW, sink.ref,
					LOG_SINK_INTERFACE_ID, LOG_SINK_METHOD_WRITE),
			"followers do not keep the logger from those who write");
	check(survives_crowd(line.ref, BYTE_SOURCE_INTERFACE_ID, BYTE_SOURCE_METHOD_READ, line.ref,
					BYTE_SINK_INTERFACE_ID, BYTE_SINK_METHOD_FINISH),
			"readers do not keep the serial line from those who write");
}

/* --- The logger ----------------------------------------------------------------------------------- */

/* Whether the newest record says this. */
static bool last_record_is(struct log_reader_ref reader, const char *source, const char *text)
{
	struct log_reader_read_call call = log_reader_read_start(reader, 0, 0);
	struct capnp_list records;
	struct log_record_reader record;
	bool same = false;

	if (log_reader_read_wait(&call) == STATUS_OK) {
		records = log_reader_read_results_get_records(log_reader_read_results(&call));
		record = log_record_at(records, records.count - 1);
		same = records.count > 0 &&
				capnp_text_equals(log_record_get_source(record), source) &&
				capnp_text_equals(log_record_get_text(record), text);
	}
	log_reader_read_done(&call);
	return same;
}

static status_t say(struct log_sink_ref sink, enum log_level level, const char *text)
{
	return log_sink_write(sink, level, capnp_text(text));
}

static void test_logger(void)
{
	struct log_sink_ref sink = RT_GRANT(log_sink, "log");
	struct log_reader_ref reader = RT_GRANT(log_reader, "logs");
	struct log_reader_follow_call follow = log_reader_follow_start(reader, 1000000);

	check(say(sink, LOG_LEVEL_INFO, "hello") == STATUS_OK &&
					last_record_is(reader, "clients", "hello"),
			"a record carries the name of the sink's holder");
	check(say(sink, LOG_LEVEL_DEBUG, "detail") == STATUS_OK &&
					last_record_is(reader, "clients", "hello"),
			"records above the log level are not kept");
	check(say(sink, (enum log_level)9, "odd") == STATUS_INVALID_ARGUMENT,
			"an unknown level is refused");
	for (int i = 0; i < 20; i++)
		(void)say(sink, LOG_LEVEL_INFO, "more");
	check(last_record_is(reader, "clients", "more"), "twenty more records are kept");
	check(!client_is_answered(&follow.call), "a follower waits for its record");
	log_reader_follow_done(&follow);
}

/* --- Supervision ----------------------------------------------------------------------------------- */

static enum service_outcome service_kill(const char *name)
{
	enum service_outcome outcome = SERVICE_OUTCOME_NONE;

	(void)supervisor_kill(RT_GRANT(supervisor, "services"), capnp_text(name), &outcome);
	return outcome;
}

static void test_restart(void)
{
	struct log_sink_ref sink = RT_GRANT(log_sink, "log");
	struct log_reader_ref reader = RT_GRANT(log_reader, "logs");
	struct counter_ref counter = RT_GRANT(counter, "counter");
	struct counter_reach_call waiting = counter_reach_start(counter, 0);
	uint64_t value = 1;

	(void)counter_reach_wait(&waiting);
	counter_reach_done(&waiting);
	check(service_kill("nobody") == SERVICE_OUTCOME_NO_SUCH_SERVICE, "nobody cannot be killed");
	check(service_kill("logger") == SERVICE_OUTCOME_DONE, "the logger is killed");
	check(say(sink, LOG_LEVEL_INFO, "again") == STATUS_OK &&
					last_record_is(reader, "clients", "again"),
			"a call waits for the logger's return and the old sink works");
	check(service_kill("counter") == SERVICE_OUTCOME_DONE, "the counter is killed");
	check(counter_value(counter, &value) == STATUS_OK && value == 0,
			"the counter comes back and begins anew");
}

static void test_stop(void)
{
	struct supervisor_ref services = RT_GRANT(supervisor, "services");
	struct counter_ref counter = RT_GRANT(counter, "counter");
	enum service_outcome outcome = SERVICE_OUTCOME_NONE;
	struct counter_value_call call;

	(void)supervisor_stop(services, capnp_text("counter"), &outcome);
	check(outcome == SERVICE_OUTCOME_DONE, "the counter is stopped");
	call = counter_value_start(counter);
	(void)timer_sleep(RT_GRANT(timer, "timer"), 50 * MS_NS);
	check(!client_is_answered(&call.call), "a call to a stopped service waits");
	(void)supervisor_start(services, capnp_text("counter"), &outcome);
	check(outcome == SERVICE_OUTCOME_DONE, "the counter is started");
	check(counter_value_wait(&call) == STATUS_OK, "then the call is answered");
	counter_value_done(&call);
	(void)supervisor_start(services, capnp_text("counter"), &outcome);
	check(outcome == SERVICE_OUTCOME_ALREADY_RUNNING, "it cannot be started twice");
}

/* --- The serial line -------------------------------------------------------------------------------- */

static void test_serial(void)
{
	static uint8_t bytes[1024];
	struct byte_stream_ref line = RT_GRANT(byte_stream, "line");
	struct byte_sink_ref sink = byte_stream_as_byte_sink(line);
	struct byte_source_read_call read;
	status_t st = STATUS_OK;

	memset(bytes, 'u', sizeof(bytes));
	for (int i = 0; i < 8 && st == STATUS_OK; i++) {
		struct byte_sink_write_call call = byte_sink_write_start(
				sink, capnp_data_of(bytes, 1000));

		st = byte_sink_write_wait(&call);
		byte_sink_write_done(&call);
	}
	check(st == STATUS_OK, "eight thousand bytes go out on the line");
	read = byte_source_read_start(byte_stream_as_byte_source(line), 16);
	check(!client_is_answered(&read.call), "a read waits for bytes");
	byte_source_read_done(&read);
	check(service_kill("serial") == SERVICE_OUTCOME_DONE, "the serial driver is killed");
	check(byte_sink_write(sink, capnp_data_of(bytes, 10)) == STATUS_OK,
			"it comes back with its device");
}

/* --- Nonsense --------------------------------------------------------------------------------------- */

#define NONSENSE_ROUNDS 150
#define NONSENSE_WORDS  24u

static uint64_t random_state = 88172645463325252;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A word of a message: often a pointer or a small number, so that some of it makes sense. */
static uint64_t nonsense_word(void)
{
	uint64_t word = random_word();

	switch (random_word() % 6) {
	case 0: return word;
	case 1: return word & UINT64_C(0x000300030000000c);      /* a struct, near */
	case 2: return (word & UINT64_C(0x000000ff0000001c)) | 1; /* a list, near */
	case 3: return (word & UINT64_C(0x0000000700000000)) | 3; /* a capability */
	case 4: return word % 5;
	default: return 0;
	}
}

/* One call with a message of nonsense and up to two capabilities, given up after it was received. */
static void nonsense_call(struct client_ref target, uint64_t interface_id, uint16_t method,
		struct client_ref with)
{
	struct client_begin what = {
		.target = target,
		.interface_id = interface_id,
		.method = method,
		.params_words = NONSENSE_WORDS,
		.reply_words = (uint32_t)(random_word() % 100),
	};
	struct client_call call = client_call_begin(&what);
	struct capnp_builder *params = client_params(&call);

	if (params != NULL) {
		params->used = (uint32_t)(random_word() % (NONSENSE_WORDS + 1));
		for (uint32_t i = 0; i < params->used; i++)
			params->words[i] = nonsense_word();
		for (uint64_t caps = random_word() % 3; caps > 0; caps--)
			(void)client_cap(&call, with);
	}
	client_send(&call);
	if (client_is_answered(&call))
		(void)client_wait(&call);
	client_done(&call);
}

static void nonsense(struct client_ref target, uint64_t interface_id, uint16_t methods,
		struct client_ref with)
{
	for (uint32_t round = 0; round < NONSENSE_ROUNDS; round++) {
		for (uint16_t method = 0; method <= methods; method++)
			nonsense_call(target, interface_id, method, with);
	}
}

/* How often services were started, all together. */
static uint32_t starts(void)
{
	struct service_view_list_call call = service_view_list_start(
			supervisor_as_service_view(RT_GRANT(supervisor, "services")));
	struct capnp_list list;
	uint32_t sum = 0;

	(void)service_view_list_wait(&call);
	list = service_view_list_results_get_services(service_view_list_results(&call));
	for (uint32_t i = 0; i < list.count; i++)
		sum += service_status_get_starts(service_status_at(list, i));
	service_view_list_done(&call);
	return sum;
}

static void test_nonsense(void)
{
	struct client_ref bank = RT_GRANT(bank, "bank").ref;
	struct client_ref line = RT_GRANT(byte_stream, "line").ref;
	struct terminal_session_ref session = { 0 };
	struct account_ref account = { 0 };
	struct limited_account_ref few = { 0 };
	uint32_t before = starts();
	status_t st;

	(void)bank_open((struct bank_ref){ bank }, capnp_text("ann"), &account, NULL);
	(void)account_limited(account, 3, &few);
	st = terminal_factory_open(RT_GRANT(terminal_factory, "terminals"),
			(struct byte_stream_ref){ line }, 80, 24, &session);
	check(st == STATUS_OK, "a terminal is opened on the line");
	nonsense(bank, BANK_INTERFACE_ID, BANK_METHOD_COUNT, account.ref);
	nonsense(account.ref, ACCOUNT_INTERFACE_ID, ACCOUNT_METHOD_COUNT, few.ref);
	nonsense(few.ref, LIMITED_ACCOUNT_INTERFACE_ID, LIMITED_ACCOUNT_METHOD_COUNT, bank);
	nonsense(RT_GRANT(counter, "counter").ref, COUNTER_INTERFACE_ID, COUNTER_METHOD_COUNT, bank);
	nonsense(RT_GRANT(log_sink, "log").ref, LOG_SINK_INTERFACE_ID, LOG_SINK_METHOD_COUNT, bank);
	nonsense(RT_GRANT(log_reader, "logs").ref, LOG_READER_INTERFACE_ID, LOG_READER_METHOD_COUNT,
			bank);
	nonsense(line, BYTE_SOURCE_INTERFACE_ID, BYTE_SOURCE_METHOD_COUNT, bank);
	nonsense(line, BYTE_SINK_INTERFACE_ID, BYTE_SINK_METHOD_COUNT, bank);
	nonsense(session.ref, TERMINAL_SESSION_INTERFACE_ID, TERMINAL_SESSION_METHOD_COUNT, bank);
	nonsense(session.ref, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_COUNT, bank);
	nonsense(RT_GRANT(supervisor, "services").ref, SUPERVISOR_INTERFACE_ID,
			SUPERVISOR_METHOD_COUNT, bank);
	check(starts() == before && before > 0, "nonsense ends no service");
	client_release(few.ref);
	client_release(account.ref);
	client_release(session.ref);
}

int main(int argc, char **argv)
{
	test_bank();
	test_counter();
	test_logger();
	test_crowds();
	test_large_offers();
	test_restart();
	test_stop();
	test_serial();
	test_nonsense();
	rt_print("TAP 1..%u", count);
	return failed == 0 ? 0 : 1;
}
