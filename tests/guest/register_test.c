/*
 * Registers: nothing that one process has in a register is to be seen in another, after a call or
 * its return by the direct way and by the general one, and after preemption; and each process
 * keeps its own. Every value that a process of these tests puts in a register carries its name in
 * the upper half, so a foreign one is known wherever it turns up.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/ring.h"
#include "tests/guest/registers.h"

#define OTHERS_MAX 16u
#define NAME_TESTER  0x5ec2e701u
#define NAME_SERVER  0x5ec2e702u
#define NAME_SPINNER 0x5ec2e703u
#define NAME_MASK    0xffffff00u
#define KERNEL_HALF  0xffff800000000000ull
#define ROUNDS       50u
#define SPIN_TURNS   20000000u /* several time slices */

static void fill(struct registers *registers, uint32_t name)
{
	uint64_t *values = (uint64_t *)(void *)registers;

	for (uint32_t i = 0; i < sizeof(*registers) / 8; i++)
		values[i] = (uint64_t)name << 32 | (i + 1);
}

/* How many registers hold what is none of `name`'s: another's value, or an address of the
 * kernel's. */
static uint32_t foreign(const struct registers *seen, uint32_t name)
{
	const uint64_t *values = (const uint64_t *)(const void *)seen;
	uint32_t found = 0;

	for (uint32_t i = 0; i < sizeof(*seen) / 8; i++) {
		uint32_t high = (uint32_t)(values[i] >> 32);

		if (i == RSP || i == RAX)
			continue;
		found += ((high & NAME_MASK) == (name & NAME_MASK) && high != name) || values[i] >= KERNEL_HALF;
	}
	return found;
}

/* What a system call keeps. */
static bool keeps(const struct registers *own, const struct registers *seen)
{
	static const uint8_t kept[] = { RBX, RBP, R12, R13, R14, R15 };

	for (uint32_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (own->general[kept[i]] != seen->general[kept[i]])
			return false;
	}
	return true;
}

/* Performs a SYNC entry with full registers; false if a foreign value was
 * seen or an own one lost. */
static bool enter(struct ring_entry entry, uint32_t name, struct ring_completion *reply)
{
	static struct registers own, seen;
	struct ring *ring = ring_self();

	fill(&own, name);
	memset(&seen, 0, sizeof(seen));
	ring_put_sync(ring, &entry);
	registers_enter(&own, &seen);
	*reply = *ring_reply(ring);
	return foreign(&seen, name) == 0 && keeps(&own, &seen);
}

/* --- Children --------------------------------------------------------------------------------- */

/* Answers calls of "endpoint" with full registers, `arg` words each: with none the general way,
 * with some the direct one. A word more tells that it saw something foreign. */
int register_serve_role(const char *arg)
{
	uint32_t endpoint = grant_id("endpoint");
	uint16_t words = (uint16_t)number_of(arg);
	struct ring_completion reply;
	bool good = enter(entry_recv(endpoint, Q0), NAME_SERVER, &reply);

	while (reply.status == STATUS_OK) {
		struct ring_entry entry = entry_return_rearm(endpoint, reply.id, Q0);

		entry.msg_words = good ? words : words + 1;
		entry.msg_off = entry.msg_words ? world.message_off : 0;
		good = enter(entry, NAME_SERVER, &reply);
	}
	return 1;
}

/* Runs on and on with full registers. */
int register_spin_role(const char *arg)
{
	static struct registers own, seen;

	fill(&own, NAME_SPINNER);
	for (;;) {
		registers_spin(&own, &seen, SPIN_TURNS);
		own.general[RCX] = seen.general[RCX];
		if (foreign(&seen, NAME_SPINNER) || memcmp(own.vector, seen.vector, sizeof(own.vector)) != 0)
			return 1;
	}
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void calls_with(const char *words, uint16_t sent)
{
	uint32_t endpoint = endpoint_new(), export = export_new(endpoint, 1, false), bad = 0;
	struct process_handle_ref server = child_start(&(struct child_spec){
			.role = "serve-full", .arg = words, .grants = { { "endpoint", endpoint } } });
	struct ring_completion reply;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct ring_entry entry = entry_call(export, Q0);

		entry.msg_off = sent ? world.message_off : 0;
		entry.msg_words = sent;
		entry.reply_caps = 0;
		if (!enter(entry, NAME_TESTER, &reply))
			bad++;
		CHECK_EQUAL(reply.status, STATUS_OK);
		CHECK_EQUAL(reply.msg_words, number_of(words)); /* else the server saw something of ours */
	}
	CHECK_EQUAL(bad, 0);
	child_kill(server);
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
}

static void a_direct_call_shows_no_registers(void)
{
	calls_with("3", 5);
}

static void a_general_call_shows_no_registers(void)
{
	calls_with("0", 0);
}

/* Processes that run with full registers, one more than there are processors, take turns when their
 * slices end; this one also by yielding, which leaves the other's vector registers in the processor
 * unless they are scrubbed. */
static void preemption_shows_no_registers_and_keeps_all(void)
{
	static struct registers own, seen;
	struct process_handle_ref others[OTHERS_MAX];
	struct ring_completion reply;
	uint64_t before = 0, after = 0;
	uint32_t bad = 0;

	CHECK(world.processors <= OTHERS_MAX);
	for (uint32_t i = 0; i < world.processors; i++)
		others[i] = child_start(&(struct child_spec){ .role = "spin-full" });
	fill(&own, NAME_TESTER);
	(void)!system_info_counters(world.info, &before, NULL, NULL, NULL, NULL);
	for (uint32_t i = 0; i < 5; i++) {
		registers_spin(&own, &seen, SPIN_TURNS);
		own.general[RCX] = seen.general[RCX];
		own.general[RSP] = seen.general[RSP];
		CHECK(memcmp(&own, &seen, sizeof(own)) == 0);
		if (!enter(entry_of(CAP_OP_YIELD, 0), NAME_TESTER, &reply))
			bad++;
	}
	(void)!system_info_counters(world.info, &after, NULL, NULL, NULL, NULL);
	CHECK_EQUAL(bad, 0);
	CHECK(after - before >= 10); /* they did take turns */
	for (uint32_t i = 0; i < world.processors; i++)
		child_kill(others[i]);
}

static const struct test tests[] = {
	{ "a direct call shows no registers", a_direct_call_shows_no_registers },
	{ "a general call shows no registers", a_general_call_shows_no_registers },
	{ "preemption shows no registers and keeps all", preemption_shows_no_registers_and_keeps_all },
};

TEST_LIST(register_tests, tests);
