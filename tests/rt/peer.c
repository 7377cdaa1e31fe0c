/*
 * The peer: a server in another process with something of everything. Its counter defers
 * (`reach`), its bank exports objects, and what became of them can be asked: `value` answers
 * accounts in being times 1000 plus calls that their callers cancelled.
 */
#include <stdlib.h>

#include "capos/kernel.client.h"
#include "programs/bank/bank.server.h"
#include "programs/counter/counter.server.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"
#include "tests/rt/rt_test.h"

struct account {
	struct server_object object;
	uint64_t balance;
};

#define HELD_NS 20000000ull

static struct loop loop;
static struct server server;
static struct server_object counter;
static struct server_object bank;
static struct call *waiting;
static uint64_t wanted;
static uint64_t sum;
static uint64_t accounts;
static uint64_t cancels;

/* --- The counter -------------------------------------------------------------------------------
 * */

static void answer_waiting(void)
{
	struct counter_reach_results_builder out;
	struct call *call = waiting;

	if (call == NULL || sum < wanted)
		return;
	waiting = NULL;
	out = counter_reach_results_init_root(call_results(call));
	counter_reach_results_set_value(out, sum);
	call_answer(call, STATUS_OK);
}

static status_t counter_add_handler(void *self, struct call *call,
		struct counter_add_params_reader in, struct counter_add_results_builder *out)
{
	sum += counter_add_params_get_amount(in);
	counter_add_results_set_value(*out, sum);
	answer_waiting();
	return STATUS_OK;
}

static status_t counter_value_handler(void *self, struct call *call,
		struct counter_value_params_reader in, struct counter_value_results_builder *out)
{
	counter_value_results_set_value(*out, accounts * 1000 + cancels);
	return STATUS_OK;
}

static void reach_cancelled(struct call *call, void *context)
{
	waiting = NULL;
	cancels++;
	call_answer(call, STATUS_FAILED);
}

static status_t counter_reach_handler(void *self, struct call *call,
		struct counter_reach_params_reader in, struct counter_reach_results_builder *out)
{
	if (waiting != NULL)
		return STATUS_OVERLOADED;
	wanted = counter_reach_params_get_value(in);
	waiting = call;
	call_defer(call);
	call_on_cancel(call, reach_cancelled, NULL);
	answer_waiting();
	return STATUS_OK;
}

static const struct counter_server counter_handlers = {
	.add = counter_add_handler,
	.value = counter_value_handler,
	.reach = counter_reach_handler,
};
SERVER_CLASS(counter_class, counter, counter_handlers, NULL);

/* --- The bank ----------------------------------------------------------------------------------
 * */

static void account_no_holders(void *self)
{
	accounts--;
	free(self);
}

static status_t account_balance_handler(void *self, struct call *call,
		struct balance_view_balance_params_reader in,
		struct balance_view_balance_results_builder *out)
{
	struct account *account = self;

	balance_view_balance_results_set_owner(*out, capnp_text("nobody"));
	balance_view_balance_results_set_balance(*out, account->balance);
	return STATUS_OK;
}

static status_t account_deposit_handler(void *self, struct call *call,
		struct deposit_account_deposit_params_reader in,
		struct deposit_account_deposit_results_builder *out)
{
	struct account *account = self;

	account->balance += deposit_account_deposit_params_get_amount(in);
	deposit_account_deposit_results_set_outcome(*out, OUTCOME_DONE);
	return STATUS_OK;
}

static const struct account_server account_handlers;

/* Answers done if the facet is one of our own accounts. */
static status_t account_revoke_handler(void *self, struct call *call,
		struct account_revoke_params_reader in, struct account_revoke_results_builder *out);

static const struct account_server account_handlers = {
	.balance_view = { .balance = account_balance_handler },
	.deposit_account = { .deposit = account_deposit_handler },
	.revoke = account_revoke_handler,
};
SERVER_CLASS(account_class, account, account_handlers, account_no_holders);

static status_t account_revoke_handler(void *self, struct call *call,
		struct account_revoke_params_reader in, struct account_revoke_results_builder *out)
{
	const struct account *other =
			call_own_object(call, account_revoke_params_get_facet(in), &account_class);

	account_revoke_results_set_outcome(*out, other == self ? OUTCOME_DONE : OUTCOME_NOT_OURS);
	return STATUS_OK;
}

static struct call *held_open;
static struct loop_timer open_timer;

/* Answers with a new account, long after the caller has gone to sleep. */
static void answer_held_open(void *context)
{
	struct bank_open_results_builder out = bank_open_results_init_root(call_results(held_open));
	struct account *account = calloc(1, sizeof(*account));
	struct call *call = held_open;
	status_t status = STATUS_OVERLOADED;

	held_open = NULL;
	if (account != NULL)
		bank_open_results_set_account(
				out, call_export(call, &account->object, &account_class, account, &status));
	if (status == STATUS_OK)
		accounts++;
	else
		free(account);
	call_answer(call, status);
}

static status_t bank_open_handler(void *self, struct call *call, struct bank_open_params_reader in,
		struct bank_open_results_builder *out)
{
	struct account *account;
	status_t status;

	if (bank_open_params_get_owner(in).bytes == 0)
		return call_fail(call, STATUS_INVALID_ARGUMENT, "an account has an owner");
	if (capnp_text_equals(bank_open_params_get_owner(in), "later") && held_open == NULL) {
		held_open = call;
		call_defer(call);
		return loop_after(&loop, &open_timer, HELD_NS, answer_held_open, NULL);
	}
	account = calloc(1, sizeof(*account));
	if (account == NULL)
		return STATUS_OVERLOADED;
	bank_open_results_set_account(*out,
			call_export(call, &account->object, &account_class, account, &status));
	bank_open_results_set_outcome(*out, OUTCOME_DONE);
	if (status == STATUS_OK)
		accounts++;
	else
		free(account);
	return status;
}

static const struct bank_server bank_handlers = { .open = bank_open_handler };
SERVER_CLASS(bank_class, bank, bank_handlers, NULL);

int peer_main(void)
{
	struct client_ref serve = rt_grant("serve", ENDPOINT_INTERFACE_ID);

	loop_init(&loop);
	server_root(&server, &counter, 0, &counter_class, NULL);
	server_root(&server, &bank, 1, &bank_class, NULL);
	if (loop_serve(&loop, &server, rt_id(serve)) != STATUS_OK)
		return 2;
	return loop_run(&loop) == STATUS_OK ? 0 : 1;
}
