/*
 * The simulated processors; see sim.h. Always true: after each event every queue agrees with the model
 * on who is in it; a processor runs the runner of its queue.
 */
#include "tests/sched/sim.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/core/panic.h"

/* Queue and model may differ by so much: each charge rounds off less than a tick. */
#define ACCOUNT_TICKS (40.0 * SIM_US)

const uint32_t sim_slices[SIM_CLASSES] = { 500 * SIM_US, 4 * SIM_MS, 16 * SIM_MS };

enum sim_state { AWAY, ASLEEP, MEMBER };      /* ASLEEP: away, but the queue still counts it */

struct sim_thread {
	struct sched_entity     own;
	struct sched_entity    *entity;       /* its own, or that of a queue's dead */
	const struct sim_habit *habit;
	enum sim_state          state;
	uint64_t                affinity;
	uint64_t                wakes_at;     /* AWAY */
	uint64_t                work_left;    /* until it sleeps or yields */
	uint64_t                life_left;
	uint64_t                woke_at;      /* SIM_NEVER: has run since */
	uint32_t                class;
	/* The model: in real numbers of ticks. */
	double                  lag, weight;
	double                  window_lag;   /* when the last one came or went */
	double                  owed;         /* while it waits */
};

struct sim_processor {
	struct run_queue queue;
	uint64_t         timer_at;
	uint64_t         moved_at;            /* by balancing */
	uint64_t         idle_beside;         /* since when it has idled while somebody might run here; SIM_NEVER */
	double           weight;
};

bool sim_found[SIM_FINDINGS];
struct sim_figures sim_figures;
uint64_t sim_service[SIM_THREADS_MAX];

static struct sim_processor processors[SIM_PROCESSORS_MAX];
static struct run_queue *queues[SIM_PROCESSORS_MAX];
/* Behind all threads the dead of each processor. */
static struct sim_thread threads[SIM_THREADS_MAX + SIM_PROCESSORS_MAX];
static uint32_t members;
static const struct sim_setup *setup;
static uint64_t now, usable, dice;
static double slice;                  /* the longest that any of them has, and how late a timer may be */
static jmp_buf give_up;

uint64_t sim_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

uint64_t sim_below(uint64_t *state, uint64_t end)
{
	return (uint64_t)(((unsigned __int128)sim_random(state) * end) >> 64);
}

static uint64_t about(uint64_t ticks)
{
	return ticks == SIM_NEVER ? SIM_NEVER : ticks / 2 + sim_below(&dice, ticks + ticks / 2 + 1);
}

static void PRINTF_LIKE(2, 3) find(enum sim_finding finding, const char *format, ...)
{
	static const char *const names[SIM_FINDINGS] = { "shape", "account", "share", "starved", "affinity", "moves",
		"idle", "latency" };
	va_list arguments;

	if (!sim_found[finding]) {
		fprintf(stderr, "# %s: seed %lu at %.3f ms: ", names[finding], setup->seed, (double)now / SIM_MS);
		va_start(arguments, format);
		vfprintf(stderr, format, arguments);
		va_end(arguments);
		fprintf(stderr, "\n");
	}
	sim_found[finding] = true;
}

void panic(const char *format, ...)
{
	(void)format;
	find(SIM_SHAPE, "%s", format);
	longjmp(give_up, 1);
}

static struct sim_processor *processor_of(const struct sim_thread *thread)
{
	return &processors[thread->entity->queue->processor];
}

static uint32_t number_of(const struct sim_thread *thread)
{
	return (uint32_t)(thread - threads);
}

static bool is_on(const struct sim_thread *thread, const struct sim_processor *processor)
{
	return thread->state != AWAY && thread->entity->queue == &processor->queue;
}

#define FOR_MEMBERS(thread, processor_) \
	for (struct sim_thread *thread = threads; thread < threads + members; thread++) \
		if (is_on(thread, processor_))

/* --- The model ---------------------------------------------------------------------------------- */

/* Somebody came or went: shares are other ones from now on. */
static void model_window(struct sim_processor *processor)
{
	FOR_MEMBERS(thread, processor)
		thread->window_lag = thread->lag;
}

/* Everybody else pays, by weight, for what one brings; and gets what one leaves. */
static void model_spread(struct sim_processor *processor, const struct sim_thread *but, double lag)
{
	if (processor->weight <= 0)
		return;
	FOR_MEMBERS(thread, processor) {
		if (thread != but)
			thread->lag += lag * thread->weight / processor->weight;
	}
}

static void model_join(struct sim_thread *thread)
{
	struct sim_processor *processor = processor_of(thread);

	if (processor->weight <= 0)
		thread->lag = 0;
	model_spread(processor, thread, -thread->lag);
	thread->weight = thread->entity->weight;
	processor->weight += thread->weight;
	thread->owed = 0;
	thread->state = MEMBER;
	model_window(processor);
}

static void model_leave(struct sim_thread *thread)
{
	struct sim_processor *processor = processor_of(thread);

	processor->weight -= thread->weight;
	model_spread(processor, thread, thread->lag);
	thread->state = AWAY;
	model_window(processor);
}

/* A processor is passed on of one's own will: who is next owes nothing, who gives it away is owed nothing. */
static void model_yield(struct sim_processor *processor, struct sim_thread *from, struct sim_thread *to)
{
	double given = fmax(from->lag, 0) + fmin(to->lag, 0);

	from->lag = fmin(from->lag, 0);
	to->lag = fmax(to->lag, 0);
	FOR_MEMBERS(member, processor)
		member->lag += given * member->weight / processor->weight;
	model_window(processor);
}

/* Of those who were asleep and whom the queue has forgotten, the one that is owed most for its weight. */
static struct sim_thread *first_forgotten(const struct sim_processor *processor)
{
	struct sim_thread *first = NULL;

	FOR_MEMBERS(thread, processor) {
		if (thread->state == ASLEEP && thread->entity->place == SCHED_OUT
				&& (!first || thread->lag / thread->weight > first->lag / first->weight))
			first = thread;
	}
	return first;
}

static void model_forget(struct sim_processor *processor, bool may_be_early)
{
	struct sim_thread *thread;

	while ((thread = first_forgotten(processor)) != NULL) {
		if (!may_be_early && thread->lag < -ACCOUNT_TICKS)
			find(SIM_ACCOUNT, "thread %u is forgiven %.0f", number_of(thread), -thread->lag);
		model_leave(thread);
		thread->lag = 0;
	}
}

static void model_pass(uint64_t ticks)
{
	for (uint32_t i = 0; i < setup->processors; i++) {
		struct sim_processor *processor = &processors[i];

		if (processor->weight <= 0)
			continue;
		FOR_MEMBERS(thread, processor) {
			double share = (double)ticks * thread->weight / processor->weight;

			thread->lag += share;
			thread->owed += share;
			if (processor->queue.runner == thread->entity) {
				thread->lag -= (double)ticks;
				thread->owed = 0;
			}
		}
	}
}

/* --- What should always be so ------------------------------------------------------------------- */

#ifndef SIM_ORDER_ONLY
static void check_account(const struct sim_thread *thread)
{
	const struct sched_entity *entity = thread->entity;
	double lag = (double)((int64_t)(entity->queue->clock - entity->virtual_time) * (int64_t)entity->weight) / 65536;
	double difference = fabs(lag - thread->lag);

	sim_figures.account_max = fmax(sim_figures.account_max, difference);
	if (difference > ACCOUNT_TICKS) {
		find(SIM_ACCOUNT, "thread %u of weight %u has lag %.0f, should be %.0f", number_of(thread),
				entity->weight, lag, thread->lag);
		longjmp(give_up, 1);
	}
}
#endif

static void check_share(const struct sim_thread *thread, const struct sim_processor *processor)
{
	double lag = thread->lag / slice;
	double window = fabs(thread->lag - thread->window_lag) / slice;
	double owed = thread->owed / slice;

	sim_figures.lag_max = fmax(sim_figures.lag_max, lag);
	sim_figures.lag_min = fmin(sim_figures.lag_min, lag);
	sim_figures.window_max = fmax(sim_figures.window_max, window);
	sim_figures.owed_max = fmax(sim_figures.owed_max, owed);
	if (window > setup->window_limit)
		find(SIM_SHARE, "thread %u of weight %u of %.0f: %.2f slices from its share since the others have been these",
				number_of(thread), thread->entity->weight, processor->weight, window);
	if (fabs(lag) > setup->lag_limit)
		find(SIM_SHARE, "thread %u of weight %u of %.0f is owed %.2f slices", number_of(thread),
				thread->entity->weight, processor->weight, lag);
	if (owed > setup->wait_limit)
		find(SIM_STARVED, "thread %u of weight %u of %.0f has waited for %.2f slices of its own",
				number_of(thread), thread->entity->weight, processor->weight, owed);
}

static void check_members(const struct sim_processor *processor)
{
	FOR_MEMBERS(thread, processor) {
#ifndef SIM_ORDER_ONLY
		check_account(thread);
#endif
		if (thread->state == ASLEEP)
			continue;
		check_share(thread, processor);
		if (!(thread->entity->affinity & run_queue_bit(&processor->queue)))
			find(SIM_AFFINITY, "thread %u is on processor %u", number_of(thread),
					processor->queue.processor);
	}
}

/* A processor takes from others when it becomes idle; whoever has too many gives some away in time. */
static void check_idle(struct sim_processor *processor)
{
	const struct sim_thread *waiting = NULL;

	if (processor->queue.count == 0) {
		for (uint32_t i = 0; i < setup->threads; i++) {
			if (threads[i].state == MEMBER && threads[i].entity->place != SCHED_RUNNER
					&& (threads[i].entity->affinity & run_queue_bit(&processor->queue)))
				waiting = &threads[i];
		}
	}
	if (!waiting) {
		processor->idle_beside = SIM_NEVER;
		return;
	}
	if (processor->idle_beside == SIM_NEVER)
		processor->idle_beside = now;
	else if (now - processor->idle_beside > 2 * SIM_BALANCE_TICKS + 2 * sim_slices[SIM_BATCH])
		find(SIM_IDLE, "processor %u idles, thread %u waits on %u", processor->queue.processor,
				number_of(waiting), waiting->entity->queue->processor);
}

static void check_all(void)
{
	for (uint32_t i = 0; i < setup->processors; i++) {
		check_members(&processors[i]);
		run_queue_check(&processors[i].queue);
		check_idle(&processors[i]);
	}
	sim_figures.steps++;
}

/* --- What sched.c does -------------------------------------------------------------------------- */

static struct sim_thread *runner_of(const struct sim_processor *processor)
{
	struct sched_entity *runner = processor->queue.runner;

	return runner ? container_of(runner, struct sim_thread, own) : NULL;
}

/* An earlier shot stays: it finds nothing to do and sets the timer again. */
static void timer_set(struct sim_processor *processor)
{
	uint64_t at;

	if (!processor->queue.runner || processor->queue.count < 2)
		return;
	at = now + run_queue_left_ticks(&processor->queue) + sim_below(&dice, SIM_LATE_TICKS);
	processor->timer_at = MIN(processor->timer_at, at);
}

static void turn_begins(struct sim_processor *processor)
{
	struct sim_thread *thread = runner_of(processor);

	model_forget(processor, false);
	sim_figures.switches++;
	timer_set(processor);
	thread->owed = 0;
	if (thread->woke_at != SIM_NEVER) {
		uint64_t latency = now - thread->woke_at;

		sim_figures.latency_sum[thread->class] += (double)latency;
		sim_figures.latency_max[thread->class] = MAX(sim_figures.latency_max[thread->class], latency);
		sim_figures.wakes[thread->class]++;
		if (thread->class == SIM_INTERACTIVE && latency > setup->latency_limit)
			find(SIM_LATENCY, "thread %u waited %.3f ms", number_of(thread), (double)latency / SIM_MS);
		thread->woke_at = SIM_NEVER;
	}
}

static void arrive(struct run_queue *queue, struct sim_thread *thread)
{
	struct sim_processor *processor = &processors[queue->processor];

	run_queue_join(queue, thread->entity);
	model_join(thread);
	if (!queue->runner) {
		(void)run_queue_pick(queue);
		turn_begins(processor);
	} else if (run_queue_preempts(queue, thread->entity)) {
		(void)run_queue_turn(queue);
		turn_begins(processor);
	} else {
		timer_set(processor);
	}
}

static void wake(struct sim_thread *thread)
{
	struct run_queue *queue = run_queue_choose(queues, usable, thread->entity);

	if (thread->state == ASLEEP) {
		model_leave(thread);
		thread->lag = fmin(thread->lag, 0);
		if (queue != thread->entity->queue)
			run_queue_leave(thread->entity);
	}
	arrive(queue, thread);
}

/* One thread moves, if it may. */
static bool move(struct run_queue *from, struct run_queue *to)
{
	struct sched_entity *entity = run_queue_give(from, to, now, SIM_BALANCE_TICKS);
	struct sim_thread *thread;

	if (!entity)
		return false;
	thread = container_of(entity, struct sim_thread, own);
	model_leave(thread);
	sim_figures.moves++;
	arrive(to, thread);
	return true;
}

static void idle(struct sim_processor *processor)
{
	uint64_t candidates = usable & ~run_queue_bit(&processor->queue);
	uint64_t before = sim_figures.moves;
	struct run_queue *from;

	while ((from = run_queue_busiest(queues, &candidates)) != NULL) {
		if (move(from, &processor->queue))
			break;
	}
	if (sim_figures.moves > before + 1)
		find(SIM_MOVES, "%lu at once", sim_figures.moves - before);
}

static void next(struct sim_processor *processor)
{
	if (run_queue_pick(&processor->queue)) {
		turn_begins(processor);
	} else {
		model_forget(processor, true);
		idle(processor);
	}
}

static void balance(struct sim_processor *processor)
{
	uint64_t candidates = usable & ~run_queue_bit(&processor->queue);
	struct run_queue *to;

	if (!run_queue_balance_due(&processor->queue, now))
		return;
	while ((to = run_queue_lightest(queues, &candidates, &processor->queue)) != NULL) {
		if (!move(&processor->queue, to))
			continue;
		if (processor->moved_at && now - processor->moved_at < SIM_BALANCE_TICKS)
			find(SIM_MOVES, "again after %lu", now - processor->moved_at);
		processor->moved_at = now;
		break;
	}
}

static void timer(struct sim_processor *processor)
{
	processor->timer_at = SIM_NEVER;
	if (!processor->queue.runner)
		return;
	if (processor->queue.count > 1 && run_queue_left_ticks(&processor->queue) == 0) {
		(void)run_queue_turn(&processor->queue);
		turn_begins(processor);
	}
	balance(processor);
	timer_set(processor);
}

/* --- What threads do ---------------------------------------------------------------------------- */

static void leave(struct sim_thread *thread)
{
	run_queue_leave(thread->entity);
	model_leave(thread);
}

/* Its debt goes to the dead of the queue. */
static void ends(struct sim_thread *thread)
{
	struct sim_processor *processor = processor_of(thread);
	struct sim_thread *dead = &threads[setup->threads + processor->queue.processor];

	run_queue_end(thread->entity);
	model_leave(thread);
	if (thread->lag >= 0 || dead->entity->place == SCHED_OUT)
		return;
	if (dead->state == ASLEEP)
		model_leave(dead);
	else
		dead->lag = 0;
	dead->lag += thread->lag;
	model_join(dead);
	dead->state = ASLEEP;
}

static void is_born(struct sim_thread *thread)
{
	thread->work_left = about(thread->habit->work_ticks);
	thread->life_left = about(thread->habit->life_ticks);
	thread->class = thread->habit->class;
	thread->entity = &thread->own;
	sched_entity_init(thread->entity, thread->habit->weight, sim_slices[thread->class],
			thread->habit->affinity & usable);
	thread->lag = 0;
}

static void yield(struct sim_thread *thread)
{
	struct sim_processor *processor = processor_of(thread);
	struct sched_entity *following = run_queue_yield(&processor->queue);
	struct sim_thread *next = container_of(following, struct sim_thread, own);

	model_forget(processor, true);
	if (following == thread->entity)
		return;
	model_yield(processor, thread, next);
	turn_begins(processor);
}

static void ends_work(struct sim_thread *thread)
{
	struct sim_processor *processor = processor_of(thread);
	bool dies = thread->life_left == 0;

	thread->work_left = about(thread->habit->work_ticks);
	if (!dies && thread->habit->sleep_ticks == 0) {
		yield(thread);
		return;
	}
	thread->wakes_at = now + about(thread->habit->sleep_ticks);
	if (dies) {
		ends(thread);
		is_born(thread);
	} else {
		run_queue_sleep(&processor->queue);
		thread->state = ASLEEP;
		if (thread->entity->place == SCHED_OUT) {
			model_leave(thread);
			thread->lag = 0;
		}
	}
	next(processor);
}

/* The owner of its policy gives some thread another weight, class or place. */
static void change_something(void)
{
	struct sim_thread *thread = &threads[sim_below(&dice, setup->threads)];
	struct sim_processor *processor = thread->state != AWAY ? processor_of(thread) : NULL;
	bool was_member = thread->state == MEMBER;
	bool ran = processor && processor->queue.runner == thread->entity;
	uint32_t weight = (uint32_t)(1 + sim_below(&dice, sim_below(&dice, 2) ? 100 : SCHED_WEIGHT_MAX));

	thread->class = (uint32_t)sim_below(&dice, SIM_CLASSES);
	if (processor)
		model_leave(thread);
	sched_entity_change(thread->entity, weight, sim_slices[thread->class]);
	if (was_member) {
		model_join(thread);
		timer_set(processor);
	}
	if (thread->habit->affinity != SCHED_ANYWHERE)
		return;
	thread->entity->affinity = (1 + sim_below(&dice, usable)) & usable;
	if (was_member && !(thread->entity->affinity & run_queue_bit(&processor->queue))) {
		leave(thread);
		arrive(run_queue_choose(queues, usable, thread->entity), thread);
		if (ran)
			next(processor);
	}
}

/* --- Time --------------------------------------------------------------------------------------- */

static uint64_t next_event(void)
{
	uint64_t at = setup->ticks;

	for (uint32_t i = 0; i < setup->processors; i++) {
		const struct sim_thread *runner = runner_of(&processors[i]);

		at = MIN(at, processors[i].timer_at);
		if (runner)
			at = MIN(at, now + MIN(MIN(runner->work_left, runner->life_left), setup->ticks));
	}
	for (uint32_t i = 0; i < setup->threads; i++) {
		if (threads[i].state != MEMBER)
			at = MIN(at, threads[i].wakes_at);
	}
	return MAX(at, now);
}

static void pass_until(uint64_t at)
{
	uint64_t ticks = at - now;

	for (uint32_t i = 0; i < setup->processors; i++) {
		struct sim_thread *runner = runner_of(&processors[i]);

		if (!runner)
			continue;
		sim_service[number_of(runner)] += ticks;
		if (runner->work_left != SIM_NEVER)
			runner->work_left -= ticks;
		if (runner->life_left != SIM_NEVER)
			runner->life_left -= ticks;
	}
	model_pass(ticks);
	now = at;
	for (uint32_t i = 0; i < setup->processors; i++) {
		run_queue_charge(&processors[i].queue, now);
		model_forget(&processors[i], false);
	}
}

static void events(void)
{
	for (uint32_t i = 0; i < setup->processors; i++) {
		struct sim_thread *runner = runner_of(&processors[i]);

		if (runner && (runner->work_left == 0 || runner->life_left == 0))
			ends_work(runner);
		if (processors[i].timer_at <= now)
			timer(&processors[i]);
	}
	for (uint32_t i = 0; i < setup->threads; i++) {
		if (threads[i].state != MEMBER && threads[i].wakes_at <= now) {
			threads[i].woke_at = now;
			wake(&threads[i]);
		}
	}
	if (setup->changes && sim_below(&dice, 200) == 0)
		change_something();
}

static void begin(void)
{
	now = 0;
	slice = 0;
	dice = setup->seed * 0x9e3779b97f4a7c15ull + 1;
	usable = (1ull << setup->processors) - 1;
	memset(sim_service, 0, sizeof(sim_service));
	memset(processors, 0, sizeof(processors));
	memset(threads, 0, sizeof(threads));
	for (uint32_t i = 0; i < setup->processors; i++) {
		run_queue_init(&processors[i].queue, i);
		queues[i] = &processors[i].queue;
		processors[i].timer_at = SIM_NEVER;
		processors[i].idle_beside = SIM_NEVER;
		threads[setup->threads + i].entity = &processors[i].queue.dead;
	}
	members = setup->threads + setup->processors;
	for (uint32_t i = 0; i < setup->threads; i++) {
		threads[i].habit = &setup->habits[i];
		is_born(&threads[i]);
		threads[i].wakes_at = threads[i].habit->arrives_at;
		slice = fmax(slice, sim_slices[setup->changes ? SIM_BATCH : threads[i].class] + SIM_LATE_TICKS);
	}
}

bool sim_run(const struct sim_setup *setup_)
{
	setup = setup_;
	if (setjmp(give_up) != 0)
		return false;
	begin();
	while (now < setup->ticks) {
		events();
		check_all();
		pass_until(next_event());
	}
	return true;
}
