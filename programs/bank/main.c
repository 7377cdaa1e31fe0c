/*
 * The bank: accounts that can be narrowed, handed out and taken back. It shows four things:
 *
 *  - An object is reached by its capability and by nothing else. `open` answers one, and there is no
 *    method that finds an account by its owner's name.
 *  - Less authority is another object, made by whoever holds more: a facet forwards to its account
 *    what it allows.
 *  - Taking back is cutting that connection. Nobody needs to know where the facet has gone since.
 *  - The last holder's end is the object's end: the runtime tells us, and we free it.
 *
 * Always true: an account's `facets` are those that still reach it; a facet that is cut off, or
 * whose account was closed, has no account and answers *disconnected*.
 */
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.capnp.h"
#include "programs/bank/bank.server.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"

#define OWNER_BYTES_MAX 64u

struct account {
	struct server_object object;
	struct facet *facets;
	uint64_t balance;
	uint32_t owner_bytes;
	char owner[OWNER_BYTES_MAX];
};

struct facet {
	struct server_object object;
	struct account *account; /* NULL: cut off */
	struct facet *next;
	uint64_t remaining; /* that may still be taken through it */
};

static struct loop loop;
static struct server server;
static struct server_object bank;

/* --- Money ------------------------------------------------------------------------------------- */

static enum outcome account_put(struct account *account, uint64_t amount)
{
	if (amount > UINT64_MAX - account->balance)
		return OUTCOME_TOO_MUCH;
	account->balance += amount;
	return OUTCOME_DONE;
}

static enum outcome account_take(struct account *account, uint64_t amount)
{
	if (amount > account->balance)
		return OUTCOME_INSUFFICIENT_FUNDS;
	account->balance -= amount;
	return OUTCOME_DONE;
}

/* --- Facets: less than an account --------------------------------------------------------------- */

static void facet_cut(struct facet *facet)
{
	struct facet **link;

	if (facet->account == NULL)
		return;
	for (link = &facet->account->facets; *link != facet; link = &(*link)->next)
		;
	*link = facet->next;
	facet->account = NULL;
}

static void facet_no_holders(void *self)
{
	facet_cut(self);
	free(self);
}

static status_t facet_deposit(void *self, struct call *call,
		struct deposit_account_deposit_params_reader in,
		struct deposit_account_deposit_results_builder *out)
{
	struct facet *facet = self;
	uint64_t amount = deposit_account_deposit_params_get_amount(in);

	if (facet->account == NULL)
		return STATUS_DISCONNECTED;
	deposit_account_deposit_results_set_outcome(*out, account_put(facet->account, amount));
	return STATUS_OK;
}

static status_t facet_withdraw(void *self, struct call *call,
		struct limited_account_withdraw_params_reader in,
		struct limited_account_withdraw_results_builder *out)
{
	struct facet *facet = self;
	uint64_t amount = limited_account_withdraw_params_get_amount(in);
	enum outcome outcome = OUTCOME_OVER_LIMIT;

	if (facet->account == NULL)
		return STATUS_DISCONNECTED;
	if (amount <= facet->remaining)
		outcome = account_take(facet->account, amount);
	if (outcome == OUTCOME_DONE)
		facet->remaining -= amount;
	limited_account_withdraw_results_set_outcome(*out, outcome);
	return STATUS_OK;
}

static status_t facet_remaining(void *self, struct call *call,
		struct limited_account_remaining_params_reader in,
		struct limited_account_remaining_results_builder *out)
{
	const struct facet *facet = self;

	if (facet->account == NULL)
		return STATUS_DISCONNECTED;
	limited_account_remaining_results_set_amount(*out, facet->remaining);
	return STATUS_OK;
}

static const struct deposit_account_server deposit_only_handlers = {
	.deposit = facet_deposit,
};
SERVER_CLASS(deposit_only_class, deposit_account, deposit_only_handlers, facet_no_holders);

static const struct limited_account_server limited_handlers = {
	.deposit_account = { .deposit = facet_deposit },
	.withdraw = facet_withdraw,
	.remaining = facet_remaining,
};
SERVER_CLASS(limited_class, limited_account, limited_handlers, facet_no_holders);

/* A new facet of the account, as a capability for the results of the call. */
static struct capnp_cap facet_make(struct account *account, struct call *call,
		const struct server_class *class, uint64_t limit, status_t *st)
{
	struct facet *facet = calloc(1, sizeof(*facet));
	struct capnp_cap cap;

	*st = STATUS_OVERLOADED;
	if (facet == NULL)
		return CAPNP_CAP_NULL;
	cap = call_export(call, &facet->object, class, facet, st);
	if (*st != STATUS_OK) {
		free(facet);
		return CAPNP_CAP_NULL;
	}
	facet->remaining = limit;
	facet->account = account;
	facet->next = account->facets;
	account->facets = facet;
	return cap;
}

/* --- Accounts ----------------------------------------------------------------------------------- */

static void account_no_holders(void *self)
{
	struct account *account = self;

	while (account->facets != NULL)
		facet_cut(account->facets);
	free(account);
}

static status_t account_balance(void *self, struct call *call,
		struct balance_view_balance_params_reader in,
		struct balance_view_balance_results_builder *out)
{
	const struct account *account = self;

	balance_view_balance_results_set_owner(
			*out, capnp_text_of(account->owner, account->owner_bytes));
	balance_view_balance_results_set_balance(*out, account->balance);
	return STATUS_OK;
}

static status_t account_deposit(void *self, struct call *call,
		struct deposit_account_deposit_params_reader in,
		struct deposit_account_deposit_results_builder *out)
{
	uint64_t amount = deposit_account_deposit_params_get_amount(in);

	deposit_account_deposit_results_set_outcome(*out, account_put(self, amount));
	return STATUS_OK;
}

static status_t account_withdraw(void *self, struct call *call,
		struct account_withdraw_params_reader in,
		struct account_withdraw_results_builder *out)
{
	uint64_t amount = account_withdraw_params_get_amount(in);

	account_withdraw_results_set_outcome(*out, account_take(self, amount));
	return STATUS_OK;
}

static status_t account_deposit_only(void *self, struct call *call,
		struct account_deposit_only_params_reader in,
		struct account_deposit_only_results_builder *out)
{
	status_t st;

	account_deposit_only_results_set_account(
			*out, facet_make(self, call, &deposit_only_class, 0, &st));
	return st;
}

static status_t account_limited(void *self, struct call *call,
		struct account_limited_params_reader in,
		struct account_limited_results_builder *out)
{
	uint64_t amount = account_limited_params_get_amount(in);
	status_t st;

	account_limited_results_set_account(
			*out, facet_make(self, call, &limited_class, amount, &st));
	return st;
}

/* The facet comes back as a capability to an object of our own, and the runtime tells which. */
static status_t account_revoke(void *self, struct call *call,
		struct account_revoke_params_reader in, struct account_revoke_results_builder *out)
{
	struct capnp_cap cap = account_revoke_params_get_facet(in);
	struct facet *facet = call_own_object(call, cap, &limited_class);
	enum outcome outcome = OUTCOME_NOT_OURS;

	if (facet == NULL)
		facet = call_own_object(call, cap, &deposit_only_class);
	if (facet != NULL && facet->account == self) {
		facet_cut(facet);
		outcome = OUTCOME_DONE;
	}
	account_revoke_results_set_outcome(*out, outcome);
	return STATUS_OK;
}

static const struct account_server account_handlers = {
	.balance_view = { .balance = account_balance },
	.deposit_account = { .deposit = account_deposit },
	.withdraw = account_withdraw,
	.deposit_only = account_deposit_only,
	.limited = account_limited,
	.revoke = account_revoke,
};
SERVER_CLASS(account_class, account, account_handlers, account_no_holders);

/* --- The bank ----------------------------------------------------------------------------------- */

static status_t bank_open(void *self, struct call *call, struct bank_open_params_reader in,
		struct bank_open_results_builder *out)
{
	struct capnp_text owner = bank_open_params_get_owner(in);
	struct capnp_cap cap = CAPNP_CAP_NULL;
	status_t st = STATUS_OVERLOADED;
	struct account *account;

	if (owner.bytes == 0)
		return call_fail(call, STATUS_INVALID_ARGUMENT, "an account needs an owner");
	account = calloc(1, sizeof(*account));
	if (account != NULL)
		cap = call_export(call, &account->object, &account_class, account, &st);
	if (st != STATUS_OK) {
		free(account);
		bank_open_results_set_outcome(*out, OUTCOME_NO_ROOM);
		return STATUS_OK;
	}
	account->owner_bytes = MIN(owner.bytes, OWNER_BYTES_MAX);
	memcpy(account->owner, owner.chars, account->owner_bytes);
	bank_open_results_set_account(*out, cap);
	bank_open_results_set_outcome(*out, OUTCOME_DONE);
	return STATUS_OK;
}

static const struct bank_server bank_handlers = { .open = bank_open };
SERVER_CLASS(bank_class, bank, bank_handlers, NULL);

int main(int argc, char **argv)
{
	status_t st;

	loop_init(&loop);
	server_root(&server, &bank, 0, &bank_class, NULL);
	st = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (st == STATUS_OK)
		st = loop_run(&loop);
	return st == STATUS_OK ? 0 : 1;
}
