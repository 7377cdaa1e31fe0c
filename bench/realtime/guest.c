/*
 * Cyclic work beside noisy neighbours: as an ordinary thread, on an island, and on an island with a
 * processor to itself. Started by init from manifests/test-realtime.capnp. Prints how late each kind's
 * cycles began, for `./capos bench realtime`, and checks as TAP what does not depend on the host: that
 * all cycles were run, that none touched a page that was not there, and that time is given and given
 * back.
 *
 * Each neighbour computes and calls the kernel again and again, one for each processor and one more.
 */
#include "abi/compiler.h"
#include "capos/isolation.client.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/clock.h"
#include "rt/cycle.h"
#include "rt/park.h"
#include "rt/program.h"
#include "rt/thread.h"

#define MS             UINT64_C(1000000)
#define PERIOD_NS      (5 * MS)
#define BUDGET_NS      (1 * MS)
#define WORK_NS        (MS / 5)
#define CYCLES         200u
#define WARM_UP        5u /* cycles that bring in what the code touches */
#define DURATION_NS    (60000 * MS)
#define NEIGHBOURS_MAX 17u
#define RESIDENT_PAGES 64u
#define PAGE_BYTES     4096u

enum kind { ORDINARY, ISLAND, EXCLUSIVE, KIND_COUNT };
static const char *const names[] = { "ordinary", "island", "exclusive" };

/* Of the cyclic thread, all of it in memory that is there from the start. */
struct work {
	struct cycle cycle;
	uint32_t gate; /* 1: it may begin */
	status_t status;
	uint64_t faults;       /* while cycles were counted */
	uint64_t stack_faults; /* by touching the stack */
	uint64_t page_faults;  /* by writing to RESIDENT_PAGES of resident memory */
};

static unsigned int count, failed;
static uint32_t stop;
static struct thread *neighbours[NEIGHBOURS_MAX];
static struct thread *worker;

static void check(bool ok, const char *name, const char *what)
{
	rt_print("TAP %s %u - %s: %s", ok ? "ok" : "not ok", ++count, name, what);
	if (!ok)
		failed++;
}

static uint32_t processors(void)
{
	struct system_info_describe_call call = system_info_describe_start(
			RT_GRANT(system_info, "info"));
	uint32_t number = 1;

	if (system_info_describe_wait(&call) == STATUS_OK)
		number = system_info_describe_results_get_processors(
				system_info_describe_results(&call));
	system_info_describe_done(&call);
	return number;
}

static uint64_t faults_of(uint32_t thread)
{
	struct thread_handle_info_call call = thread_handle_info_start(
			(struct thread_handle_ref){ rt_ref(thread) });
	uint64_t faults = UINT64_MAX;

	if (thread_handle_info_wait(&call) == STATUS_OK)
		faults = thread_handle_info_results_get_faults(thread_handle_info_results(&call));
	thread_handle_info_done(&call);
	return faults;
}

/* --- Neighbours --------------------------------------------------------------------------------- */

static void compute(uint64_t duration_ns)
{
	uint64_t now_ns = 0, until_ns;

	(void)!clock_now(&now_ns);
	for (until_ns = now_ns + duration_ns; now_ns < until_ns;)
		(void)!clock_now(&now_ns);
}

static int64_t neighbour(void *argument)
{
	uint64_t pages;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		compute(MS / 20);
		(void)!system_info_memory(RT_GRANT(system_info, "info"), &pages, NULL, NULL);
	}
	return 0;
}

static void neighbours_start(uint32_t number)
{
	for (uint32_t i = 0; i < number; i++) {
		if (thread_start(&(struct thread_request){ .run = neighbour, .name = "noise" },
				    &neighbours[i]) != STATUS_OK)
			rt_exit(2);
	}
}

static void neighbours_end(uint32_t number)
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < number; i++)
		(void)!thread_join(neighbours[i], NULL);
}

/* --- The cyclic thread -------------------------------------------------------------------------- */

static status_t cycles_run(struct cycle *cycle, uint32_t cycles)
{
	status_t st = cycle_begin(cycle, PERIOD_NS);

	for (uint32_t i = 0; i < cycles && st == STATUS_OK; i++) {
		st = cycle_wait(cycle);
		compute(WORK_NS);
	}
	return st;
}

/* What touching costs, the stack's committed pages and those of resident memory. */
static status_t count_faults(struct work *work, uint32_t self)
{
	uint64_t before = faults_of(self);
	void *memory = NULL;
	status_t st;

	resident_stack();
	work->stack_faults = faults_of(self) - before;
	st = resident_make(RESIDENT_PAGES * PAGE_BYTES, &memory);
	before = faults_of(self);
	for (uint32_t i = 0; i < RESIDENT_PAGES && st == STATUS_OK; i++)
		((volatile uint8_t *)memory)[i * PAGE_BYTES] = 1;
	work->page_faults = faults_of(self) - before;
	return st;
}

static int64_t work_run(void *argument)
{
	struct work *work = argument;
	uint32_t self;

	while (!__atomic_load_n(&work->gate, __ATOMIC_ACQUIRE))
		(void)!park(&work->gate, 0, 0);
	self = thread_handle_of(worker);
	work->status = count_faults(work, self);
	if (work->status == STATUS_OK)
		work->status = cycles_run(&work->cycle, WARM_UP);
	work->faults = faults_of(self);
	if (work->status == STATUS_OK)
		work->status = cycles_run(&work->cycle, CYCLES);
	work->faults = faults_of(self) - work->faults;
	return 0;
}

/* --- Islands ------------------------------------------------------------------------------------ */

static status_t ask(
		uint64_t budget_ns, uint32_t processor, bool exclusive, struct island_ref *island)
{
	struct isolation_island_params_builder params;
	struct isolation_island_call call = isolation_island_begin(
			RT_GRANT(isolation, "isolation"), &params);
	struct capnp_list_builder tasks = isolation_island_params_init_tasks(params, 1);
	status_t st;

	cyclic_task_set_budget_ns(cyclic_task_builder_at(tasks, 0), budget_ns);
	cyclic_task_set_period_ns(cyclic_task_builder_at(tasks, 0), PERIOD_NS);
	isolation_island_params_set_processor(params, processor);
	isolation_island_params_set_exclusive(params, exclusive);
	isolation_island_params_set_duration_ns(params, exclusive ? DURATION_NS : 0);
	isolation_island_send(&call);
	st = isolation_island_wait(&call);
	if (st == STATUS_OK)
		st = isolation_island_take_island(&call, island);
	isolation_island_done(&call);
	return st;
}

/* What the island says of its task, after the run. */
static void tell_account(const char *name, struct island_ref island)
{
	struct island_info_call call = island_info_start(island);

	if (island_info_wait(&call) == STATUS_OK) {
		struct task_row_reader task = task_row_at(
				island_info_results_get_tasks(island_info_results(&call)), 0);

		check(task_row_get_budget_ns(task) == BUDGET_NS &&
						task_row_get_period_ns(task) == PERIOD_NS,
				name, "the budget is what was asked for");
		check(task_row_get_used_ns(task) >= CYCLES * WORK_NS / 2, name,
				"the work was done on it");
		rt_print("REALTIME %s used_ns %lu depletions %lu deadlines %lu", name,
				(unsigned long)task_row_get_used_ns(task),
				(unsigned long)task_row_get_depletions(task),
				(unsigned long)task_row_get_missed(task));
	}
	island_info_done(&call);
}

/* --- A run -------------------------------------------------------------------------------------- */

static void tell_row(const char *name, const char *what, const char *unit, uint64_t value)
{
	rt_print("BENCH realtime_%s_%s %s %lu %lu", name, what, unit, (unsigned long)value,
			(unsigned long)value);
}

static void tell(const char *name, const struct work *work)
{
	const struct cycle *cycle = &work->cycle;

	check(work->status == STATUS_OK && cycle->cycles == CYCLES && cycle->late.count == CYCLES &&
					cycle->jitter.count == CYCLES - 1,
			name, "every cycle is run and counted");
	check(work->faults == 0, name, "no cycle touches a page that is not there");
	check(work->page_faults == 0, name, "resident memory is there before it is touched");
	tell_row(name, "late_min", "ns", cycle->late.least);
	tell_row(name, "late_p50", "ns", histogram_quantile(&cycle->late, 500));
	tell_row(name, "late_p99", "ns", histogram_quantile(&cycle->late, 990));
	tell_row(name, "late_max", "ns", cycle->late.most);
	tell_row(name, "jitter_p50", "ns", histogram_quantile(&cycle->jitter, 500));
	tell_row(name, "jitter_p99", "ns", histogram_quantile(&cycle->jitter, 990));
	tell_row(name, "jitter_max", "ns", cycle->jitter.most);
	tell_row(name, "missed", "cycles", cycle->missed);
}

static void run(enum kind kind, uint32_t number)
{
	const char *name = names[kind];
	struct island_ref island = { 0 }, other;
	struct work *work;

	if (resident_make(sizeof(*work), (void **)&work) != STATUS_OK ||
			thread_start(&(struct thread_request){ .run = work_run,
						     .argument = work,
						     .name = "cyclic" },
					&worker) != STATUS_OK)
		rt_exit(2);
	if (kind != ORDINARY) {
		check(ask(BUDGET_NS, number - 1, kind == EXCLUSIVE, &island) == STATUS_OK, name,
				"the task is admitted");
		check(island_bind(island, 0, rt_ref(thread_handle_of(worker))) == STATUS_OK, name,
				"and has its thread");
		check(ask(4 * MS, number - 1, false, &other) == STATUS_OVERLOADED, name,
				"beside it more than there is left is refused");
	}
	__atomic_store_n(&work->gate, 1, __ATOMIC_RELEASE);
	unpark(&work->gate, PARK_ALL);
	(void)!thread_join(worker, NULL);
	tell(name, work);
	/* Later threads may get a stack that was touched before. */
	if (kind == ORDINARY)
		check(work->stack_faults > 0, name,
				"a stack's pages are made when they are touched");
	if (kind == ISLAND)
		tell_account(name, island);
	if (kind != ORDINARY) {
		check(island_end(island) == STATUS_OK &&
						ask(4 * MS, number - 1, false, &other) == STATUS_OK,
				name, "its end gives everything back");
		client_release(other.ref);
		client_release(island.ref);
	}
}

int main(int argc, char **argv)
{
	uint32_t number = processors(), noisy = MIN(number + 1, NEIGHBOURS_MAX);

	neighbours_start(noisy);
	run(ORDINARY, number);
	run(ISLAND, number);
	if (number > 1)
		run(EXCLUSIVE, number);
	neighbours_end(noisy);
	rt_print("TAP 1..%u", count);
	return failed == 0 ? 0 : 1;
}
