/*
 * A kill storm: services are ended again and again, in the middle of calls too, and must come back each time
 * without leaving anything behind. Reports as TAP. Started by init from manifests/test-storm.capnp.
 */
#include "capos/init.client.h"
#include "capos/kernel.client.h"
#include "capos/log.client.h"
#include "programs/bank/bank.client.h"
#include "programs/counter/counter.client.h"
#include "rt/program.h"

#define ROUNDS 60

static struct supervisor_ref services;
static struct counter_ref counter;
static struct bank_ref bank;
static struct log_sink_ref sink;

static void kill_service(const char *name)
{
	enum service_outcome outcome;

	(void)supervisor_kill(services, capnp_text(name), &outcome);
}

/* One end of everything while calls are under way. Answers whether all came back. */
static bool round_of_ends(unsigned int round)
{
	struct counter_reach_call waiting = counter_reach_start(counter, 1000000);
	struct account_ref account = { 0 };
	uint64_t value = 0;
	bool back;

	(void)bank_open(bank, capnp_text("ann"), &account, NULL);
	kill_service("counter");
	if (round % 2 == 0)
		kill_service("bank");
	if (round % 3 == 0)
		kill_service("logger");
	/* Whether it was received before the end is a race: both answers are right. */
	(void)counter_add(counter, 1, &value);
	counter_reach_done(&waiting);
	client_release(account.ref);
	account = (struct account_ref){ 0 };
	back = bank_open(bank, capnp_text("bob"), &account, NULL) != STATUS_BAD_CAPABILITY;
	client_release(account.ref);
	return back && log_sink_write(sink, LOG_LEVEL_INFO, capnp_text("round")) !=
			STATUS_BAD_CAPABILITY;
}

/* Pages free once everything that was ended has come back. */
static uint64_t free_pages(void)
{
	uint64_t pages = 0;
	uint64_t value;
	struct account_ref account = { 0 };

	(void)timer_sleep(RT_GRANT(timer, "timer"), UINT64_C(200000000));
	(void)counter_value(counter, &value);
	(void)bank_open(bank, capnp_text("eve"), &account, NULL);
	client_release(account.ref);
	(void)log_sink_write(sink, LOG_LEVEL_INFO, capnp_text("quiet"));
	(void)timer_sleep(RT_GRANT(timer, "timer"), UINT64_C(50000000));
	(void)system_info_memory(RT_GRANT(system_info, "info"), NULL, &pages, NULL);
	return pages;
}

int main(int argc, char **argv)
{
	unsigned int back = 0;
	uint64_t before;
	uint64_t after;

	services = RT_GRANT(supervisor, "services");
	counter = RT_GRANT(counter, "counter");
	bank = RT_GRANT(bank, "bank");
	sink = RT_GRANT(log_sink, "log");
	/* The first rounds fill the allocators' caches. */
	for (unsigned int round = 0; round < ROUNDS / 4; round++)
		(void)round_of_ends(round);
	before = free_pages();
	for (unsigned int round = 0; round < ROUNDS; round++)
		back += round_of_ends(round);
	after = free_pages();
	rt_print("TAP %s 1 - services came back after %u of %u rounds",
			back == ROUNDS ? "ok" : "not ok", back, ROUNDS);
	rt_print("TAP %s 2 - no page was lost (%llu before, %llu after)",
			before == after ? "ok" : "not ok", (unsigned long long)before,
			(unsigned long long)after);
	rt_print("TAP 1..2");
	return back == ROUNDS && before == after ? 0 : 1;
}
