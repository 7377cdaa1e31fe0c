/*
 * The ring fuzzer in a guest: the programs of actor.c on real rings, in a booted system. The first process of the package
 * test-ring-fuzz makes endpoints and exports, starts children that do anything with them, and looks after who sleeps for ever.
 *
 * A child takes its ring from the runtime and never gives it back. It sees only what a program sees: every question that it asks
 * must complete once, and cap_enter must answer what it may. The kernel's own walk and the ledgers, which must stand where they
 * did, say the rest. The kernel's command line may carry seed=N and entries=N.
 */
#include <string.h>

#include "abi/syscall.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "tests/guest/tap.h"
#include "tests/guest/world.h"
#include "tests/ring/actor.h"

#define CHILDREN       5u
#define AWAKE          2u           /* of them, never sleep without a deadline */
#define LIFE_ENTRIES   10000u       /* of all children together; then everything is made anew */
#define ENTRIES        100000u
#define ENDPOINTS      2u
#define PAGE           4096u
#define LOOK_NS        2000000ull   /* how often the parent looks */
#define STUCK_ENTRIES  1500u        /* of the others, without one of its own: a child is replaced */
#define SETTLE_NS      50000000ull  /* for children to end by themselves */
#define LOOKS_MAX      20000u       /* without an entry of anybody */
#define LOOKS_STUCK    10u          /* the same: another child is replaced */
#define CALIBRATE_NS   1000000ull
#define CLOCK_SLACK_NS 100000000ull   /* between the kernel's time and a child's idea of it */

/* What a child's exit status says: 0 well, or what went wrong. */
enum verdict { VERDICT_WELL, VERDICT_LOST_QUESTION = 2, VERDICT_BAD_RESULT, VERDICT_NO_PLACE };

struct board {
	uint64_t entries[CHILDREN];      /* each written by one child */
	uint64_t wanted;                 /* of all together; then children end by themselves */
};

static uint64_t seed = 20261122;
static uint64_t entries_wanted = ENTRIES;

/* --- A child ------------------------------------------------------------------------------------ */

static struct actor actor;
static uint64_t tick_start, time_start, ticks_per_us;

static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* The time without asking the kernel: by the processor's counter, which was compared once. */
static uint64_t time_now(void)
{
	return time_start + (ticks() - tick_start) * 1000 / ticks_per_us;
}

static void calibrate(void)
{
	tick_start = ticks();
	time_start = now_ns();
	while (now_ns() < time_start + CALIBRATE_NS)
		;
	ticks_per_us = (ticks() - tick_start) * 1000 / (now_ns() - time_start) + 1;
}

static struct board *board_map(void)
{
	uint64_t address = 0;

	if (virtual_memory_map(world.memory, (struct memory_view_ref){ rt_ref(grant_id("board")) }, 0, PAGE, 0, ACCESS_READ_WRITE,
			&address) != STATUS_OK)
		process_exit(VERDICT_NO_PLACE);
	return (struct board *)(uintptr_t)address;
}

/* What it was given, but for what its parent wants to keep whole. */
static void learn_grants(void)
{
	static const struct {
		const char *name;
		uint64_t interface;
	} grants[] = {
		{ "timer", TIMER_INTERFACE_ID },
		{ "factory", OBJECT_FACTORY_INTERFACE_ID },
		{ "endpoint-0", ENDPOINT_INTERFACE_ID },
		{ "endpoint-1", ENDPOINT_INTERFACE_ID },
		{ "export-0", ACTOR_INTERFACE },
		{ "export-1", ACTOR_INTERFACE },
		{ "notification", NOTIFICATION_INTERFACE_ID },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(grants); i++)
		actor_learn(&actor, grant_id(grants[i].name), grants[i].interface);
}

static uint32_t available(void)
{
	return actor.header->cq_tail - actor.header->cq_head;
}

static void result_check(struct actor_enter enter, int64_t result, bool sync)
{
	bool well;

	if (enter.flags || enter.min_complete > actor.header->cq_entries)
		well = result == STATUS_BAD_ENTRY;
	else if (result == STATUS_DEADLINE_EXCEEDED && enter.deadline_ns)
		well = time_now() + CLOCK_SLACK_NS >= enter.deadline_ns;
	else if (sync)      /* taken as such, or refused as one that stands where it must not */
		well = result == actor.header->reply_status || result >= 0;
	else
		well = result >= (int64_t)enter.min_complete && result <= available();
	if (!well)
		process_exit(VERDICT_BAD_RESULT);
}

/* A SYNC entry at the queue's end is as good in the header, from where the direct way takes it. */
static void enter_by_header(uint64_t *entries)
{
	struct ring_entry *last = &actor.entries[(actor.sq_tail - 1) & (actor.header->sq_entries - 1)];
	int64_t result;

	memcpy(actor.header->sync_entry, last, sizeof(*last));
	STORE_RELEASE(&actor.header->sq_tail, actor.sq_tail - 1);
	result = cap_enter(ENTER_SYNC, 0, 0);
	if (result == STATUS_NO_CREDIT) {
		STORE_RELEASE(&actor.header->sq_tail, actor.sq_tail);
		return;
	}
	actor.sq_tail--;
	__atomic_fetch_add(entries, 1, __ATOMIC_RELAXED);
	if (result != actor.header->reply_status)
		process_exit(VERDICT_BAD_RESULT);
}

static uint32_t questions_open(void)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < ACTOR_BLOCKS; i++)
		open += actor.blocks[i].busy && !actor.blocks[i].kept;
	return open;
}

/* Takes everything back: each question must complete. */
static void questions_end(void)
{
	for (uint32_t turn = 0; turn < 8 && questions_open(); turn++) {
		actor_collect(&actor);
		for (uint32_t i = 0; i < ACTOR_BLOCKS; i++) {
			if (!actor.blocks[i].busy || actor.blocks[i].kept)
				continue;
			actor.entries[actor.sq_tail++ & (actor.header->sq_entries - 1)] = (struct ring_entry){
				.op = CAP_OP_CANCEL, .question = actor.blocks[i].entry.question };
			STORE_RELEASE(&actor.header->sq_tail, actor.sq_tail);
			(void)cap_enter(0, 0, 0);
			actor_collect(&actor);
		}
	}
	if (questions_open())
		process_exit(VERDICT_LOST_QUESTION);
}

/* The argument: the child's number, its seed, both in decimal, with a comma between. */
static int child(const char *arg)
{
	uint32_t number = (uint32_t)number_of(arg);
	struct board *board = board_map();

	calibrate();
	while (*arg != ',')
		arg++;
	actor_init(&actor, number + 1, number_of(arg + 1), ring_self()->words, ring_self()->header->arena_off);
	actor.sleeps = number >= AWAKE;
	learn_grants();
	while (LOAD_ACQUIRE(&board->wanted) != 0) {
		struct actor_enter enter = actor_turn(&actor, time_now());
		uint32_t head = actor.header->sq_head;
		bool sync = head != actor.sq_tail && (actor.entries[(actor.sq_tail - 1) &
				(actor.header->sq_entries - 1)].flags & ENTRY_SYNC);

		if (sync && (head & 1) && !(enter.flags | enter.min_complete | enter.deadline_ns))
			enter_by_header(&board->entries[number]);
		else
			result_check(enter, cap_enter(enter.flags, enter.min_complete, enter.deadline_ns), sync);
		__atomic_fetch_add(&board->entries[number], LOAD_ACQUIRE(&actor.header->sq_head) - head, __ATOMIC_RELAXED);
	}
	questions_end();
	process_exit(VERDICT_WELL);
}

/* --- The parent --------------------------------------------------------------------------------- */

static struct {
	struct board            *board;
	struct memory_object_ref memory;
	uint32_t endpoints[ENDPOINTS], exports[ENDPOINTS], notification;
	struct process_handle_ref children[CHILDREN];
	uint64_t seen[CHILDREN];         /* entries of a child when last looked at */
	uint64_t since[CHILDREN];        /* entries of all when it did its last */
	uint32_t started;
} life;

static void digits_add(char **at, uint64_t number)
{
	char digits[24];
	uint32_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count)
		*(*at)++ = digits[--count];
}

static uint64_t entries_done(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < CHILDREN; i++)
		sum += LOAD_ACQUIRE(&life.board->entries[i]);
	return sum;
}

static void child_begin(uint32_t number)
{
	char arg[64], *at = arg;
	struct child_spec spec = { .role = "actor", .arg = arg, .grants = {
		{ "memory", 0 }, { "board", rt_id(life.memory.ref) }, { "timer", rt_id(world.timer.ref) },
		{ "factory", rt_id(world.factory.ref) }, { "endpoint-0", life.endpoints[0] },
		{ "endpoint-1", life.endpoints[1] }, { "export-0", life.exports[0] }, { "export-1", life.exports[1] },
		{ "notification", life.notification } } };

	digits_add(&at, number);
	*at++ = ',';
	digits_add(&at, seed++);
	*at = '\0';
	life.children[number] = child_start(&spec);
	life.since[number] = entries_done();
	life.started++;
}

static void child_replace(uint32_t number)
{
	child_kill(life.children[number]);
	child_begin(number);
}

/* Who does nothing while others do much sleeps for what nobody will do: another takes its place. */
static void look_after(uint32_t number, uint64_t all)
{
	uint64_t entries = LOAD_ACQUIRE(&life.board->entries[number]);

	if (entries != life.seen[number])
		life.since[number] = all;
	life.seen[number] = entries;
	if (all - life.since[number] >= STUCK_ENTRIES)
		child_replace(number);
}

static bool life_begin(void)
{
	uint64_t address = 0;

	memset(&life, 0, sizeof(life));
	if (object_factory_memory(world.factory, PAGE, &life.memory) != STATUS_OK ||
			virtual_memory_map(world.memory, memory_object_as_memory_view(life.memory), 0, PAGE, 0,
					ACCESS_READ_WRITE, &address) != STATUS_OK)
		return false;
	life.board = (struct board *)(uintptr_t)address;
	life.board->wanted = LIFE_ENTRIES;
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		life.endpoints[i] = endpoint_sized(16, 4, 4);
		life.exports[i] = export_new(life.endpoints[i], i, i == 0);
	}
	life.notification = notification_new();
	for (uint32_t i = 0; i < CHILDREN; i++)
		child_begin(i);
	return true;
}

static void life_end(void)
{
	STORE_RELEASE(&life.board->wanted, 0);
	sleep_ns(SETTLE_NS);
	for (uint32_t i = 0; i < CHILDREN; i++) {
		struct child_end end;

		(void)!process_handle_kill(life.children[i], 0);      /* who sleeps; others have ended */
		end = child_finish(life.children[i]);
		if (end.state == PROCESS_STATE_EXITED)
			CHECK_EQUAL(end.status, VERDICT_WELL);
		else
			CHECK_EQUAL(end.state, PROCESS_STATE_KILLED);
	}
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		(void)!release(life.exports[i]);
		(void)!release(life.endpoints[i]);
	}
	(void)!release(life.notification);
	(void)!virtual_memory_unmap(world.memory, (uint64_t)(uintptr_t)life.board, PAGE);
	client_release(life.memory.ref);
}

static void programs_that_do_anything(void)
{
	uint64_t done = 0, first = seed;
	uint32_t started = 0;

	while (done < entries_wanted) {
		uint64_t sum, before = 0;
		uint32_t looks = 0;

		REQUIRE(life_begin());
		while ((sum = entries_done()) < LIFE_ENTRIES && looks < LOOKS_MAX) {
			looks = sum == before ? looks + 1 : 0;
			before = sum;
			sleep_ns(LOOK_NS);
			for (uint32_t i = 0; i < CHILDREN; i++)
				look_after(i, sum);
			/* All sleep for each other; with several processors that comes soon. */
			if (looks % LOOKS_STUCK == LOOKS_STUCK - 1)
				child_replace(looks / LOOKS_STUCK % CHILDREN);
		}
		CHECK(looks < LOOKS_MAX);
		life_end();
		kernel_check();
		done += sum;
		started += life.started;
	}
	tap_note("from seed %lu: %lu entries by %u programs", (unsigned long)first, (unsigned long)done, started);
}

/* --- Main --------------------------------------------------------------------------------------- */

static struct usage usage_before;

static void before(void)
{
	usage_before = usage_self();
}

static void after(void)
{
	CHECK(usage_settles(&usage_before));
	kernel_check();
}

/* The number behind `name` in the command line, or what it is now. */
static void option(const char *line, const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	for (; *line; line++) {
		if (strncmp(line, name, length) == 0)
			*number = number_of(line + length);
	}
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "actor", child } };
	static const struct test tests[] = { { "programs that do anything", programs_that_do_anything } };

	role_main(argc, argv, roles, ARRAY_LEN(roles));
	world_init(true);
	if (argc > 1) {
		option(argv[1], "seed=", &seed);
		option(argv[1], "entries=", &entries_wanted);
	}
	/* What stays for good is there before the first ledger is read. */
	CHECK(life_begin());
	life_end();
	tap_run(tests, ARRAY_LEN(tests), before, after);
	tap_end();
}
