/*
 * ps and top: the processes, and how they share the processors. What they show is what `authority.processes` answers;
 * `top` asks twice, with `timer` between, and shows what each used meanwhile.
 *
 * Always true: a table of `top` has fewer lines than the terminal, so that the next one can be drawn over it.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.client.h"
#include "rt/format.h"
#include "services/shell/system_view.h"

#define CELL_BYTES  64
#define LINE_BYTES  256
#define INTERVAL_NS UINT64_C(1000000000)
#define TIMES_MAX   1000u
#define TOP_LINES   3u /* beside those of processes: what stands above them, and the prompt */

/* --- Cells ------------------------------------------------------------------------------------ */

struct table {
	struct shell *sh;
	const struct system_view *view;
	uint64_t everywhere; /* every processor that some process may run on */
	uint32_t lines;      /* printed so far */
};

struct column {
	const char *head;
	bool right;
	void (*fill)(const struct table *t, const struct view_process *p, char cell[CELL_BYTES]);
};

static void fill_id(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	format_into(cell, CELL_BYTES, "%u", p->id);
}

static void fill_name(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	format_into(cell, CELL_BYTES, "%s", p->name);
}

static void fill_threads(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	format_into(cell, CELL_BYTES, "%u", p->threads);
}

static void fill_weight(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	format_into(cell, CELL_BYTES, "%u", p->weight);
}

static void fill_class(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	format_into(cell, CELL_BYTES, "%s", latency_class_name(p->class));
}

/* Their numbers, and spans of them: 0,2-5 */
static void fill_processors(uint64_t set, char cell[CELL_BYTES])
{
	size_t used = 0;

	format_into(cell, CELL_BYTES, "-");
	while (set && used + 8 < CELL_BYTES) {
		uint32_t first = (uint32_t)__builtin_ctzll(set), last = first;

		while (last < 63 && (set >> (last + 1) & 1))
			last++;
		set = last == 63 ? 0 : set & ~((UINT64_C(2) << last) - 1);
		used += format_into(cell + used, CELL_BYTES - used,
				first == last ? "%s%u" : "%s%u-%u", used ? "," : "", first, last);
	}
}

static void fill_runs_on(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	fill_processors(p->runs_on, cell);
}

static void fill_allowed(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	if (p->processors == t->everywhere)
		format_into(cell, CELL_BYTES, "all");
	else
		fill_processors(p->processors, cell);
}

static void fill_share(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	format_into(cell, CELL_BYTES, "%u.%u%%", p->share / 10, p->share % 10);
}

static void fill_time(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	char time[SHELL_DURATION_BYTES];

	(void)shell_duration(p->cpu_ns, time);
	format_into(cell, CELL_BYTES, "%s", time);
}

static void fill_pages(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	format_into(cell, CELL_BYTES, "%llu", (unsigned long long)p->memory_pages);
}

/* What of the budget of each period is used. */
static void fill_context(const struct table *t, const struct view_process *p, char cell[CELL_BYTES])
{
	char used[SHELL_DURATION_BYTES], budget[SHELL_DURATION_BYTES], period[SHELL_DURATION_BYTES];

	format_into(cell, CELL_BYTES, "-");
	if (!p->budget_ns)
		return;
	(void)shell_duration(p->budget_ns - MIN(p->available_ns, p->budget_ns), used);
	(void)shell_duration(p->budget_ns, budget);
	(void)shell_duration(p->period_ns, period);
	format_into(cell, CELL_BYTES, "%s of %s/%s", used, budget, period);
}

static const struct column ps_columns[] = {
	{ "id", true, fill_id },
	{ "name", false, fill_name },
	{ "threads", true, fill_threads },
	{ "weight", true, fill_weight },
	{ "class", false, fill_class },
	{ "allowed", false, fill_allowed },
	{ "on", false, fill_runs_on },
	{ "share", true, fill_share },
	{ "time", true, fill_time },
	{ "pages", true, fill_pages },
};

static const struct column top_columns[] = {
	{ "id", true, fill_id },
	{ "name", false, fill_name },
	{ "share", true, fill_share },
	{ "weight", true, fill_weight },
	{ "class", false, fill_class },
	{ "on", false, fill_runs_on },
	{ "threads", true, fill_threads },
	{ "time", true, fill_time },
	{ "context", false, fill_context },
};

/* --- Lines ------------------------------------------------------------------------------------ */

#define COLUMNS_MAX 10u
STATIC_ASSERT(ARRAY_LEN(ps_columns) <= COLUMNS_MAX && ARRAY_LEN(top_columns) <= COLUMNS_MAX);

struct layout {
	const struct column *columns;
	uint32_t count;
	uint32_t widths[COLUMNS_MAX];
};

static void layout_widen(struct layout *layout, const struct table *t, const struct view_process *p)
{
	char cell[CELL_BYTES];

	for (uint32_t i = 0; i < layout->count; i++) {
		layout->columns[i].fill(t, p, cell);
		layout->widths[i] = MAX(layout->widths[i], (uint32_t)strlen(cell));
	}
}

static struct layout layout_of(const struct column *columns, uint32_t count)
{
	struct layout layout = { .columns = columns, .count = count };

	for (uint32_t i = 0; i < count; i++)
		layout.widths[i] = (uint32_t)strlen(columns[i].head);
	return layout;
}

/* One line, cut at the terminal's width. */
static void print_line(struct table *t, const char *line)
{
	uint32_t bytes = MIN((uint32_t)strlen(line), t->sh->columns - 1);

	while (bytes > 0 && line[bytes - 1] == ' ')
		bytes--;
	shell_print_text(t->sh, line, bytes);
	shell_print(t->sh, "\n");
	t->lines++;
}

/* The heads of the columns (NULL), or a process. */
static void print_row(struct table *t, const struct layout *layout, const struct view_process *p)
{
	char line[LINE_BYTES] = "", cell[CELL_BYTES];
	size_t used = 0;

	for (uint32_t i = 0; i < layout->count; i++) {
		const struct column *column = &layout->columns[i];
		int blanks;

		if (p)
			column->fill(t, p, cell);
		else
			format_into(cell, CELL_BYTES, "%s", column->head);
		blanks = (int)(layout->widths[i] - strlen(cell));
		if (i > 0)
			used += format_into(line + used, sizeof(line) - used, " ");
		if (column->right)
			used += format_into(line + used, sizeof(line) - used, "%*s%s", blanks, "",
					cell);
		else
			used += format_into(line + used, sizeof(line) - used, "%s%*s", cell, blanks,
					"");
	}
	print_line(t, line);
}

static struct table table_of(struct shell *sh, const struct system_view *view)
{
	struct table t = { .sh = sh, .view = view };

	for (uint32_t i = 0; i < view->process_count; i++)
		t.everywhere |= view->processes[i].processors;
	return t;
}

/* --- ps --------------------------------------------------------------------------------------- */

/* Of the time that all of them have used. */
static void share_all_time(struct system_view *view)
{
	uint64_t all_ns = 0;

	for (uint32_t i = 0; i < view->process_count; i++)
		all_ns += view->processes[i].cpu_ns / 1000;
	for (uint32_t i = 0; i < view->process_count; i++)
		view->processes[i].share = (uint32_t)(view->processes[i].cpu_ns /
				MAX(all_ns, UINT64_C(1)));
}

bool shell_ps(struct shell *sh, const struct shell_statement *s)
{
	struct layout layout = layout_of(ps_columns, ARRAY_LEN(ps_columns));
	struct system_view view;
	bool ok = system_view_read_processes(sh, s->at, &view);

	if (ok) {
		struct table t = table_of(sh, &view);

		share_all_time(&view);
		for (uint32_t i = 0; i < view.process_count; i++)
			layout_widen(&layout, &t, &view.processes[i]);
		print_row(&t, &layout, NULL);
		for (uint32_t i = 0; i < view.process_count; i++)
			print_row(&t, &layout, &view.processes[i]);
	}
	system_view_free(&view);
	return ok;
}

/* --- top -------------------------------------------------------------------------------------- */

struct sample {
	struct system_view view;
	uint64_t now_ns;
};

static bool sample_take(
		struct shell *sh, uint32_t at, struct timer_ref timer, struct sample *sample)
{
	struct timer_now_call call;
	bool ok = system_view_read_processes(sh, at, &sample->view);

	if (!ok)
		return false;
	call = timer_now_start(timer);
	ok = shell_answered(sh, at, "timer", &call.call, TIMER_INTERFACE_ID, TIMER_METHOD_NOW);
	if (ok)
		sample->now_ns = timer_now_results_get_monotonic_ns(timer_now_results(&call));
	timer_now_done(&call);
	return ok;
}

/* What each used of one processor's time since the sample before; both are by rising id. */
static void share_since(struct sample *now, const struct sample *before)
{
	uint64_t elapsed_us = MAX((now->now_ns - before->now_ns) / 1000, UINT64_C(1));
	uint32_t at = 0;

	for (uint32_t i = 0; i < now->view.process_count; i++) {
		struct view_process *p = &now->view.processes[i];
		uint64_t before_ns = 0;

		while (at < before->view.process_count && before->view.processes[at].id < p->id)
			at++;
		if (at < before->view.process_count && before->view.processes[at].id == p->id)
			before_ns = MIN(before->view.processes[at].cpu_ns, p->cpu_ns);
		p->share = (uint32_t)MIN((p->cpu_ns - before_ns) / elapsed_us, UINT64_C(999999));
	}
}

/* Who comes after `last` (NULL: at the start) when those with the greater share come first, then those with the lesser
 * id; NULL: nobody. */
static const struct view_process *next_by_share(
		const struct system_view *view, const struct view_process *last)
{
	const struct view_process *next = NULL;

	for (uint32_t i = 0; i < view->process_count; i++) {
		const struct view_process *p = &view->processes[i];

		if (last && (p->share > last->share || (p->share == last->share && p <= last)))
			continue;
		if (!next || p->share > next->share)
			next = p;
	}
	return next;
}

static void print_sum(struct table *t)
{
	char line[LINE_BYTES];
	uint32_t share = 0, threads = 0, processors = (uint32_t)__builtin_popcountll(t->everywhere);

	for (uint32_t i = 0; i < t->view->process_count; i++) {
		share += t->view->processes[i].share;
		threads += t->view->processes[i].threads;
	}
	format_into(line, sizeof(line), "%u processes, %u threads; %u.%u%% of %u processor%s",
			t->view->process_count, threads, share / 10, share % 10, processors,
			processors == 1 ? "" : "s");
	print_line(t, line);
}

/* To where a table of so many lines begins, and nothing stands from there on. Not text, so it is not printed as text. */
static void go_back(struct shell *sh, uint32_t lines)
{
	char sequence[24];

	sh->ops->output(sh->arg, sequence,
			(uint32_t)format_into(
					sequence, sizeof(sequence), "\x1b[%uA\r\x1b[J", lines));
}

/* Draws a table, over the last one's so many lines; answers its own lines. */
static uint32_t draw(struct shell *sh, const struct system_view *view, uint32_t over_lines)
{
	struct layout layout = layout_of(top_columns, ARRAY_LEN(top_columns));
	struct table t = table_of(sh, view);
	uint32_t count = sh->rows > TOP_LINES ? sh->rows - TOP_LINES : 1;
	const struct view_process *p = NULL;

	if (over_lines > 0)
		go_back(sh, over_lines);
	for (uint32_t i = 0; i < count && (p = next_by_share(view, p)); i++)
		layout_widen(&layout, &t, p);
	print_sum(&t);
	print_row(&t, &layout, NULL);
	p = NULL;
	for (uint32_t i = 0; i < count && (p = next_by_share(view, p)); i++)
		print_row(&t, &layout, p);
	return t.lines;
}

/* Waits for the next time; false: no more of it is wanted, or it failed. */
static bool sleep_until_next(struct shell *sh, uint32_t at, struct timer_ref timer)
{
	struct timer_sleep_call call;
	bool ok;

	sh->ops->flush(sh->arg);
	call = timer_sleep_start(timer, INTERVAL_NS);
	if (call.call.status == STATUS_OK)
		client_fail(&call.call, sh->ops->await(sh->arg, &call.call));
	ok = call.call.status == STATUS_OK ||
			(call.call.status != STATUS_CANCELLED &&
					shell_answered(sh, at, "timer", &call.call,
							TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP));
	timer_sleep_done(&call);
	return ok;
}

static bool times_of(struct shell *sh, const struct shell_statement *s, uint64_t *times)
{
	*times = UINT64_MAX;
	if (!s->literal)
		return true;
	*times = s->literal->number.magnitude;
	return (s->literal->number.whole && !s->literal->number.negative && *times > 0 &&
			       *times <= TIMES_MAX) ||
			shell_fail(sh, s->literal->at, "`top` shows 1 to %u times, or until Ctrl-C",
					TIMES_MAX);
}

bool shell_top(struct shell *sh, const struct shell_statement *s)
{
	struct sample samples[2] = { 0 };
	struct timer_ref timer;
	struct thing cap;
	uint64_t times;
	uint32_t lines = 0;
	bool ok = times_of(sh, s, &times) &&
			shell_need(sh, s->at, "timer", TIMER_INTERFACE_ID, &cap);

	if (!ok)
		return false;
	timer.ref = client_ref_of(sh->transport, cap.capability);
	ok = sample_take(sh, s->at, timer, &samples[0]);
	for (uint64_t i = 0; i < times && ok; i++) {
		struct sample *now = &samples[(i + 1) % 2];
		const struct sample *before = &samples[i % 2];

		if (!sleep_until_next(sh, s->at, timer))
			break;
		system_view_free(&now->view);
		ok = sample_take(sh, s->at, timer, now);
		if (!ok)
			break;
		share_since(now, before);
		lines = draw(sh, &now->view, lines);
	}
	system_view_free(&samples[0].view);
	system_view_free(&samples[1].view);
	return ok && !sh->failed;
}
