/*
 * The ring fuzzer on the host: several programs that do anything (tests/ring/actor.c) on the shipped kernel (machine.c), and
 * after each entry of theirs the reference graph is asked (ring_model.h).
 *
 *     ring_fuzz                         two fixed seeds, as many entries each as host.mk says
 *     ring_fuzz ENTRIES SEED            from this seed, with every check after each entry
 *
 * Programs live for LIFE_ENTRIES entries; then all are ended, every ledger must stand where it started, and others begin with
 * the next seed. A failure prints the seed of that life and its last entries; the same seed comes to the same place.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/core/panic.h"
#include "kernel/object/capability_manager.h"
#include "kernel/object/process_spawner.h"
#include "kernel/object/roots.h"
#include "kernel/sched/sched.h"
#include "tests/host/ring_model.h"

#define FIXED_SEED     20261122u
#define SECOND_SEED 1001u
#define MEMORY_PAGES   16384u
#define PROCESSES      6u         /* that the first program tries to keep alive */
#define LIFE_ENTRIES   8000u      /* after which all are ended and others begin */
#define COMPARE_TURNS  512u
#define BOTH_WAYS      8u         /* every so many lives are lived twice */
#define LOOK_EVERY     8u
#define SETTLE_NS      1000000000u
#define HISTORY        64u        /* entries that a failure prints */

static struct {
	uint64_t seed;
	uint64_t turns;
	uint64_t until;               /* entries */
	uint32_t actors;              /* made so far */
	struct dice dice;
	struct mproc *first;
	struct { uint32_t process; struct ring_entry entry; struct actor_enter enter; bool last; } history[HISTORY];
	uint64_t history_count;
} fuzz;

static uint64_t programs;         /* of all lives */
static uint64_t boot_used[LEDGER_CLASSES];      /* by what the kernel made for itself */

/* --- Failing ------------------------------------------------------------------------------------ */

static void entry_print(uint32_t process, const struct ring_entry *entry)
{
	fprintf(stderr, "# process %u: op %u flags 0x%02x method %u target 0x%x interface 0x%lx deadline %lu msg %u+%u caps %u+%u "
			"reply %u+%u/%u question %u path %u data 0x%lx\n", process, entry->op, entry->flags, entry->method,
			entry->target, entry->interface, entry->deadline_ns, entry->msg_off, entry->msg_words, entry->caps_off,
			entry->cap_count, entry->reply_off, entry->reply_words, entry->reply_caps, entry->question,
			entry->path_len, entry->user_data);
}

static void how_to_come_here(void)
{
	uint64_t from = fuzz.history_count > HISTORY ? fuzz.history_count - HISTORY : 0;

	fprintf(stderr, "# the last entries, oldest first:\n");
	for (; from < fuzz.history_count; from++) {
		entry_print(fuzz.history[from % HISTORY].process, &fuzz.history[from % HISTORY].entry);
		if (fuzz.history[from % HISTORY].last)
			fprintf(stderr, "#   cap_enter(0x%lx, %lu, %lu)\n", fuzz.history[from % HISTORY].enter.flags,
					fuzz.history[from % HISTORY].enter.min_complete,
					fuzz.history[from % HISTORY].enter.deadline_ns);
	}
	fprintf(stderr, "# seed %lu, in turn %lu; again: ring_fuzz %u %lu\n", fuzz.seed, fuzz.turns, LIFE_ENTRIES, fuzz.seed);
}

void model_fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("# FAILED: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\n", stderr);
	how_to_come_here();
	abort();
}

/* --- Programs ----------------------------------------------------------------------------------- */

static struct mproc *process_of_thread(const struct thread *thread)
{
	for (struct list *link = model.processes.next; link != &model.processes; link = link->next) {
		struct mproc *process = container_of(link, struct mproc, link);

		if (process->kernel == thread->process)
			return process;
	}
	model_fail("a thread runs whose process the model does not know");
}

/* A program that runs for the first time knows what its maker gave it. */
static void actor_make(struct mproc *process)
{
	process->actor = calloc(1, sizeof(*process->actor));
	actor_init(process->actor, ++fuzz.actors & 0xffff, fuzz.seed, process->ring->words, RING_ARENA_OFF);
	for (uint32_t slot = 1; slot < process->slots_seen; slot++) {
		if (process->slots[slot].state == CAP_LIVE)
			actor_learn(process->actor, process->slots[slot].id, process->slots[slot].facet->rows[0].id);
	}
}

static void others_tell(struct actor *actor)
{
	uint32_t running = 0;

	actor->other_count = 0;
	for (struct list *link = model.processes.next; link != &model.processes; link = link->next) {
		const struct mproc *process = container_of(link, struct mproc, link);

		running += process->phase <= MP_RUNNING;
		if (process != fuzz.first && actor->other_count < ACTOR_PROCESSES)
			actor->others[actor->other_count++] = process->id;
	}
	actor->spawns = running < PROCESSES;
}

static void root_give(struct mproc *process, struct object *object, const struct capnp_interface *interface)
{
	struct mobj *root = mobj_new(M_ROOT, NULL);
	uint32_t id = machine_grant(process->kernel, object, interface);

	root->kernel = object;
	mledger_charge(process->ledger, RESOURCE_CLASS_SLOTS, 1);
	mcap_insert(process, id, root, mfacet_of(interface->id), NULL, NULL, 0);
}

static void first_make(void)
{
	static const uint64_t limit[LEDGER_CLASSES] = { 2000, 3000, 400, 300, 600, 100, 30 };
	struct process *kernel = machine_process("first", limit);

	fuzz.first = mproc_new(kernel, model.root, limit);
	mproc_started(fuzz.first);
	root_give(fuzz.first, timer_object(), &timer_interface);
	root_give(fuzz.first, object_factory_object(), &object_factory_interface);
	root_give(fuzz.first, process_spawner_object(), &process_spawner_interface);
	root_give(fuzz.first, capability_manager_object(), &capability_manager_interface);
	actor_make(fuzz.first);
	fuzz.first->actor->sleeps = false;
	fuzz.first->actor->pinned = fuzz.first->actor->cap_count;
	object_put(&kernel->object);
}

/* --- Turns -------------------------------------------------------------------------------------- */

static void history_add(const struct mproc *process, struct actor_enter enter)
{
	for (uint32_t i = 0; i < process->actor->batch_count; i++) {
		uint64_t at = fuzz.history_count++ % HISTORY;

		fuzz.history[at].process = process->id;
		fuzz.history[at].entry = process->actor->batch[i];
		fuzz.history[at].enter = enter;
		fuzz.history[at].last = i + 1 == process->actor->batch_count;
	}
}

/* Afterwards the process may be gone, and its actor with it. */
static void turn(void)
{
	struct mproc *process = process_of_thread(machine_thread());
	struct actor *actor = process->actor;
	struct actor_enter enter;

	if (!actor) {
		actor_make(process);
		actor = process->actor;
	} else {
		oracle_resumed(process, machine_result(process_next_thread(process->kernel, NULL)));
	}
	others_tell(actor);
	if (process != fuzz.first && dice_one_in(&fuzz.dice, 3000)) {
		machine_exit(7);
		machine_reap();
		oracle_exited(process);
		return;
	}
	enter = actor_turn(actor, machine_now_ns());
	history_add(process, enter);
	oracle_before(process, enter);
	machine_enter(enter.flags, enter.min_complete, enter.deadline_ns);
	journal_batch_done();
	machine_reap();
	oracle_after(process, enter);
}

static void end_all(void)
{
	struct list *link;

	while ((link = model.processes.next) != &model.processes) {
		struct mproc *process = container_of(link, struct mproc, link);

		if (process->phase == MP_BUILDING) {
			/* Goes with its builder. */
			list_remove(link);
			list_append(&model.processes, link);
			continue;
		}
		process_end(process->kernel, PROCESS_STATE_KILLED, 0, NULL);
		machine_reap();
		oracle_exited(process);
	}
}

static struct mledger *root_new(void)
{
	struct mledger *root = mledger_new(NULL, ledger_root()->limit);

	memcpy(root->used, boot_used, sizeof(root->used));
	return root;
}

/* One life of all programs: as many entries, then everybody is ended. */
static void life(uint64_t entries, uint64_t seed)
{
	struct machine_usage before = machine_usage(), after;

	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.seed = seed;
	fuzz.dice.state = seed * 0x9e3779b97f4a7c15ull | 1;
	fuzz.until = model.entries + entries;
	model.course = 0;
	machine_random = seed << 1 | 1;
	model.kept_shows = machine_no_fast && model.kept_shows;      /* of either life */
	machine_pass(SETTLE_NS);      /* no slice of the life before runs on */
	machine_tick();
	model_init(root_new());
	first_make();
	while (model.entries < fuzz.until) {
		turn();
		machine_pass(200 + dice_below(&fuzz.dice, 400));
		machine_tick();
		machine_reap();
		oracle_time();
		if (++fuzz.turns % COMPARE_TURNS == 0)
			model_compare();
	}
	model_compare();
	end_all();
	after = machine_usage();
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		MODEL_ASSERT(after.ledger[i] == before.ledger[i], "class %u of the root ledger: %lu in use, were %lu", i,
				after.ledger[i], before.ledger[i]);
	MODEL_ASSERT(after.blocks == before.blocks, "%lu blocks live, %lu did", after.blocks, before.blocks);
	machine_check();
	model_fini();
}

/* The same life without the direct way of calls takes the same course. */
static void live_again(uint64_t seed)
{
	uint64_t course = model.course;

	machine_no_fast = true;
	life(LIFE_ENTRIES, seed);
	machine_no_fast = false;
	if (model.course == course || model.kept_shows)
		return;
	/* Who takes a time that it once read for something else goes another way at another time: then this life does so again. */
	life(LIFE_ENTRIES, seed);
	MODEL_ASSERT(model.course != course, "without the direct way of calls this life takes another course");
}

/* Lives one after the other, each with the next seed. */
static void run(uint64_t entries, uint64_t seed, bool replay)
{
	struct timespec start, end;

	memset(&model, 0, sizeof(model));
	model.look_every = replay ? 1 : LOOK_EVERY;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint64_t i = 0; model.entries < entries; i++) {
		life(LIFE_ENTRIES, seed + i);
		programs += fuzz.actors;
		if (i % BOTH_WAYS == 0)
			live_again(seed + i);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	printf("# from seed %lu: %lu entries, %lu refused, %lu calls delivered, %lu programs, %.1f s\n", seed, model.entries,
			model.refused, model.delivered, programs, (double)(end.tv_sec - start.tv_sec) +
			(double)(end.tv_nsec - start.tv_nsec) / 1e9);
}

static const char *const op_names[17] = { "nop", "call", "recv", "return", "forward", "release", "copy", "narrow", "finish",
	"cancel", "wait", "signal", "park", "unpark", "yield", "retire", "other" };

/* How far the programs came, for a person. */
static void table_print(void)
{
	for (uint32_t op = 0; op < ARRAY_LEN(op_names); op++) {
		printf("# %-8s", op_names[op]);
		for (int status = -31; status < 32; status++) {
			if (model.outcomes[op][status + 32])
				printf(" %s %lu", status_name(status), model.outcomes[op][status + 32]);
		}
		printf("\n");
	}
	printf("# %lu calls delivered, %lu answered, %lu events, %lu forwarded, %lu held, of them %lu started, "
			"%lu promised, %lu reports\n", model.delivered, model.answered, model.events, model.forwarded, model.held,
			model.started, model.promised, model.reported);
}

int main(int argc, char **argv)
{
	uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 0) : ENTRIES;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : SECOND_SEED;

	machine_boot(MEMORY_PAGES);
	memcpy(boot_used, ledger_root()->used, sizeof(boot_used));
	machine_on_panic = how_to_come_here;
	machine_on_unlock = journal_unlocked;
	machine_on_leave = journal_batch_done;
	printf("1..%d\n", argc > 2 ? 1 : 2);
	if (argc <= 2) {
		run(entries, FIXED_SEED, false);
		printf("ok 1 - ring_fuzz: the fixed seed\n");
	}
	printf("# seed %lu\n", seed);
	fflush(stdout);
	run(entries, seed, argc > 2);
	if (argc > 2)
		table_print();
	printf("ok %d - ring_fuzz: another seed\n", argc > 2 ? 1 : 2);
	return 0;
}
