/*
 * Who can do what, drawn: holders (who holds an object, and from whom), reach (who can get something done with it,
 * through which services) and authority (what each process holds; as a graph too). See shell.h; what is drawn is read
 * by system_view.c.
 *
 * Always true: a line of a tree is within the terminal's width and 80 columns; what lies deeper than the width allows
 * is named, not lost.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "rt/format.h"
#include "services/shell/system_view.h"

#define TREE_COLUMNS 80u
#define TREE_LEVELS 15u
#define TEXT_BYTES 512u
#define REACH_FAR UINT32_MAX

/* --- Trees ------------------------------------------------------------------------------------ */

struct tree {
	struct shell *sh;
	struct system_view view;
	uint64_t object;
	char interface[40];		/* of the capability that was named */
	uint32_t columns;
	uint32_t levels;		/* below this one nothing is drawn */
	bool last[TREE_LEVELS + 1];	/* whether the line of a level is the last of its list */
};

struct text {
	char chars[TEXT_BYTES];
	size_t used;
};

static void add(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->used += format_into_va(t->chars + t->used, sizeof(t->chars) - t->used, format, args);
	va_end(args);
}

/* The lines that lead to a row of this level. */
static void draw_stem(struct tree *t, uint32_t level, bool branch)
{
	for (uint32_t i = 1; i < level; i++)
		shell_print(t->sh, "%s", t->last[i] ? "   " : "|  ");
	if (level > 0)
		shell_print(t->sh, "%s", !branch ? t->last[level] ? "   " : "|  " : t->last[level] ? "`- " : "|- ");
}

static bool is_count(const char *word)
{
	return word[0] == 'x' && word[1] >= '1' && word[1] <= '9';
}

/* How many bytes of the text to put on a line of `room`: all of it, or whole words, each with its count. */
static uint32_t fitting(const struct text *text, uint32_t from, uint32_t room)
{
	uint32_t left = (uint32_t)text->used - from, bytes = room;

	if (left <= room)
		return left;
	while (bytes > 1 && (text->chars[from + bytes] != ' ' || is_count(text->chars + from + bytes + 1)))
		bytes--;
	return bytes > 1 ? bytes : room;
}

/* One node, on as many lines as it takes; `right` stands at the end of the first if it fits there, else after
 * the text. */
static void draw(struct tree *t, uint32_t level, bool last, struct text *text, const char *right)
{
	uint32_t room = t->columns - 1 - 3 * level, gap, bytes, from = 0;
	uint32_t right_bytes = (uint32_t)strlen(right);

	t->last[level] = last;
	if (right_bytes && text->used + 2 + right_bytes > room) {
		add(text, "  %s", right);
		right_bytes = 0;
	}
	do {
		uint32_t indent = from > 0 ? 2 : 0;

		bytes = fitting(text, from, room - indent);
		draw_stem(t, level, from == 0);
		shell_print(t->sh, "%*s%.*s", (int)indent, "", (int)bytes, text->chars + from);
		if (from == 0 && right_bytes) {
			gap = room - bytes - right_bytes;
			shell_print(t->sh, "%*s%s", (int)gap, "", right);
		}
		shell_print(t->sh, "\n");
		from += bytes;
		while (from < text->used && text->chars[from] == ' ')
			from++;
	} while (from < text->used);
}

static void draw_deeper(struct tree *t, uint32_t level)
{
	struct text text = { .used = 0 };

	add(&text, "... more in `authority --dot`");
	draw(t, level, true, &text, "");
}

static void tree_begin(struct shell *sh, struct tree *t)
{
	memset(t, 0, sizeof(*t));
	t->sh = sh;
	t->columns = MAX(MIN(sh->columns, TREE_COLUMNS), 24u);
	t->levels = MIN((t->columns - 20) / 3, TREE_LEVELS - 1);
}

/* --- Names ------------------------------------------------------------------------------------ */

static void add_process(struct text *text, const struct tree *t, uint32_t index)
{
	char label[VIEW_LABEL_BYTES];

	add(text, "%s", system_view_label(&t->view, index, label));
}

static void add_interface(struct text *text, const struct tree *t, const struct view_row *row)
{
	struct schema_node node = schema_find(t->sh->schema, row->interface);
	struct capnp_text name;
	char label[VIEW_LABEL_BYTES];

	if (schema_node_is_null(node)) {
		add(text, "interface 0x%llx", (unsigned long long)row->interface);
		return;
	}
	name = schema_node_name(node);
	add(text, "%.*s", (int)name.bytes, name.chars);
	if (row->kind == VIEW_PROCESS)
		add(text, " of %s", system_view_label_id(&t->view, row->subject, label));
	else if (row->kind == VIEW_ENDPOINT && row->server != VIEW_NONE)
		add(text, " of %s", system_view_label(&t->view, row->server, label));
}

static void add_copies(struct text *text, uint32_t count)
{
	if (count > 1)
		add(text, " x%u", count);
}

static void add_granter(struct text *text, const struct tree *t, const struct view_row *row)
{
	char label[VIEW_LABEL_BYTES];

	if (row->granter)
		add(text, ", from %s", system_view_label_id(&t->view, row->granter, label));
}

static void grant_text(const struct view_row *row, char grant[24])
{
	(void)format_into(grant, 24, "0x%llx", (unsigned long long)row->grant);
}

/* "acct: Account, served by bank": what the tree below is about. */
static void draw_object(struct tree *t, const struct shell_chain *chain)
{
	struct text text = { .used = 0 };
	const struct view_row *row = NULL;

	for (uint32_t i = 0; i < t->view.row_count && !row; i++) {
		if (t->view.rows[i].object == t->object)
			row = &t->view.rows[i];
	}
	add(&text, "%.*s", (int)chain->start.bytes, chain->start.chars);
	for (const struct shell_step *step = chain->steps; step; step = step->next)
		add(&text, ".%.*s", (int)step->name.bytes, step->name.chars);
	add(&text, ": %s, ", t->interface);
	if (!row || row->kind != VIEW_EXPORT) {
		add(&text, "an object of the kernel's");
	} else if (row->ended) {
		add(&text, "which its service has ended");
	} else if (row->server == VIEW_NONE) {
		add(&text, "whose service does not run");
	} else {
		add(&text, "served by ");
		add_process(&text, t, row->server);
	}
	draw(t, 0, false, &text, "");
}

/* --- holders ---------------------------------------------------------------------------------- */

/* The first row from `i` on along the list that refers to the tree's object; any, without one. */
static uint32_t same_object(const struct tree *t, uint32_t i)
{
	while (i != VIEW_NONE && t->object && t->view.rows[i].object != t->object)
		i = t->view.rows[i].sibling;
	return i;
}

static void draw_grant(struct tree *t, uint32_t index, uint32_t level, bool last);

static void draw_derived(struct tree *t, const struct view_row *row, uint32_t level)
{
	uint32_t next;

	for (uint32_t i = same_object(t, row->children); i != VIEW_NONE; i = next) {
		if (level > t->levels) {
			draw_deeper(t, level);
			return;
		}
		next = same_object(t, t->view.rows[i].sibling);
		draw_grant(t, i, level, next == VIEW_NONE);
	}
}

/* One holder, and below it whom it gave the object. */
static void draw_grant(struct tree *t, uint32_t index, uint32_t level, bool last)
{
	const struct view_row *row = &t->view.rows[index];
	struct text text = { .used = 0 };
	char grant[24];

	add_process(&text, t, row->process);
	add(&text, ": ");
	add_interface(&text, t, row);
	add_copies(&text, row->copies);
	grant_text(row, grant);
	draw(t, level, last, &text, grant);
	draw_derived(t, row, level + 1);
}

/* A holder that has it from nobody who still holds it. */
static bool begins_tree(const struct tree *t, uint32_t i)
{
	const struct view_row *row = &t->view.rows[i];

	return row->object == t->object && row->copies > 0 &&
			(row->origin == VIEW_NONE || t->view.rows[row->origin].object != t->object);
}

static void draw_holders(struct tree *t)
{
	uint32_t next = 0;

	while (next < t->view.row_count && !begins_tree(t, next))
		next++;
	while (next < t->view.row_count) {
		uint32_t i = next++;

		while (next < t->view.row_count && !begins_tree(t, next))
			next++;
		draw_grant(t, i, 1, next == t->view.row_count);
	}
}

/* The object that the statement names; false: it said why there is none. */
static bool find_object(struct tree *t, const struct shell_statement *s)
{
	struct thing found, cap;
	bool ok;

	if (!shell_follow(t->sh, s->chain, false, &found))
		return false;
	ok = thing_as_capability(found, &cap) ||
			shell_fail(t->sh, s->chain->at, "this is no capability; `caps` lists those that you hold");
	if (ok && shell_is_revoked(t->sh, cap.capability))
		ok = shell_fail(t->sh, s->chain->start.at,
				"%.*s: the capability was revoked; `drop %.*s` forgets it",
				(int)s->chain->start.bytes, s->chain->start.chars,
				(int)s->chain->start.bytes,
				s->chain->start.chars);
	if (ok) {
		struct capnp_text name = schema_node_is_null(cap.node) ? capnp_text("Capability") :
				schema_node_name(cap.node);

		(void)format_into(t->interface, sizeof(t->interface), "%.*s", (int)name.bytes, name.chars);
		ok = system_view_identify(t->sh, s->at, cap.capability, &t->object);
	}
	thing_put(found);
	return ok;
}

bool shell_holders(struct shell *sh, const struct shell_statement *s)
{
	struct tree t;
	bool ok;

	tree_begin(sh, &t);
	ok = find_object(&t, s) && system_view_read(sh, s->at, &t.view);
	if (ok) {
		draw_object(&t, s->chain);
		draw_holders(&t);
	}
	system_view_free(&t.view);
	return ok;
}

/* What a process holds is grouped by who answers the calls: 0 the kernel, 1 + index a process, then nobody. */
static uint32_t group_of(const struct tree *t, const struct view_row *row)
{
	if (row->kind != VIEW_EXPORT)
		return 0;
	return row->server == VIEW_NONE ? t->view.process_count + 1 : row->server + 1;
}

/* --- reach ------------------------------------------------------------------------------------ */

/* How each process reaches the object: by so many services one after the other, the last of them `through`. */
struct way {
	uint32_t steps;			/* 0: it holds or serves the object itself; REACH_FAR: not at all */
	uint32_t through;		/* index of a process */
};

/* The next row at or after `i` by which process `client` can call what `server` serves; VIEW_NONE: no more. */
static uint32_t client_row(const struct tree *t, uint32_t client, uint32_t server, uint32_t i)
{
	const struct view_process *p = &t->view.processes[client];

	for (i = MAX(i, p->first_row); i < p->first_row + p->capabilities; i++) {
		const struct view_row *row = &t->view.rows[i];

		if (row->kind == VIEW_EXPORT && row->server == server && !row->ended && row->copies > 0)
			return i;
	}
	return VIEW_NONE;
}

static bool holds(const struct tree *t, uint32_t process, const struct view_row **row)
{
	const struct view_process *p = &t->view.processes[process];

	for (uint32_t i = p->first_row; i < p->first_row + p->capabilities; i++) {
		*row = &t->view.rows[i];
		if ((*row)->object == t->object)
			return true;
	}
	return false;
}

/* The process that answers the object's calls, if one does. */
static uint32_t server_of_object(const struct tree *t)
{
	for (uint32_t i = 0; i < t->view.row_count; i++) {
		if (t->view.rows[i].object == t->object && t->view.rows[i].kind == VIEW_EXPORT)
			return t->view.rows[i].server;
	}
	return VIEW_NONE;
}

/* The shortest way of every process: holders first, then their clients, and so on. */
static void find_ways(const struct tree *t, struct way *ways, uint32_t *queue)
{
	const struct view_row *row;
	uint32_t server = server_of_object(t), head = 0, tail = 0;

	for (uint32_t i = 0; i < t->view.process_count; i++) {
		ways[i] = (struct way){ REACH_FAR, VIEW_NONE };
		if (i == server || holds(t, i, &row)) {
			ways[i].steps = 0;
			queue[tail++] = i;
		}
	}
	while (head < tail) {
		uint32_t from = queue[head++];

		for (uint32_t i = 0; i < t->view.process_count; i++) {
			if (ways[i].steps == REACH_FAR && client_row(t, i, from, 0) != VIEW_NONE) {
				ways[i] = (struct way){ ways[from].steps + 1, from };
				queue[tail++] = i;
			}
		}
	}
}

/* The next process after `after` that reaches the object through `server` by a shortest way; VIEW_NONE: no more. */
static uint32_t next_client(const struct tree *t, const struct way *ways, uint32_t server, uint32_t from)
{
	for (uint32_t i = from; i < t->view.process_count; i++) {
		if (ways[i].steps != REACH_FAR && ways[i].steps == ways[server].steps + 1 &&
				client_row(t, i, server, 0) != VIEW_NONE)
			return i;
	}
	return VIEW_NONE;
}

/* How many rows from `row` on, of the same process, are to the same interface of the same server; 0: not the first. */
static uint32_t count_alike(const struct tree *t, uint32_t index)
{
	const struct view_row *row = &t->view.rows[index];
	const struct view_process *p = &t->view.processes[row->process];
	uint32_t count = 0;

	for (uint32_t i = p->first_row; i < p->first_row + p->capabilities; i++) {
		const struct view_row *other = &t->view.rows[i];
		bool alike = other->interface == row->interface && group_of(t, other) == group_of(t, row);

		if (alike && i < index)
			return 0;
		count += alike;
	}
	return count;
}

/* What a client can call of a server: "Bank, Account x2". */
static void add_services(struct text *text, const struct tree *t, uint32_t client, uint32_t server)
{
	const char *separator = "";

	for (uint32_t i = 0; (i = client_row(t, client, server, i)) != VIEW_NONE; i++) {
		uint32_t alike = count_alike(t, i);

		if (alike == 0)
			continue;
		add(text, "%s", separator);
		add_interface(text, t, &t->view.rows[i]);
		add_copies(text, alike);
		separator = ", ";
	}
}

/* Those who reach the object through this process, each with its own below it. */
static void draw_clients(struct tree *t, const struct way *ways, uint32_t server, uint32_t level)
{
	uint32_t next;

	for (uint32_t i = next_client(t, ways, server, 0); i != VIEW_NONE; i = next) {
		struct text text = { .used = 0 };

		if (level > t->levels) {
			draw_deeper(t, level);
			return;
		}
		next = next_client(t, ways, server, i + 1);
		add_process(&text, t, i);
		add(&text, ", through ");
		add_services(&text, t, i, server);
		if (ways[i].through != server)
			add(&text, " (again)");
		draw(t, level, next == VIEW_NONE, &text, "");
		if (ways[i].through == server)
			draw_clients(t, ways, i, level + 1);
	}
}

static uint32_t next_near(const struct tree *t, const struct way *ways, uint32_t from)
{
	while (from < t->view.process_count && ways[from].steps != 0)
		from++;
	return from;
}

static void draw_ways(struct tree *t, const struct way *ways)
{
	const struct view_row *row;
	uint32_t next;

	for (uint32_t i = next_near(t, ways, 0); i < t->view.process_count; i = next) {
		struct text text = { .used = 0 };

		next = next_near(t, ways, i + 1);
		add_process(&text, t, i);
		if (holds(t, i, &row)) {
			add(&text, " holds it: ");
			add_interface(&text, t, row);
		} else {
			add(&text, " serves it");
		}
		draw(t, 1, next == t->view.process_count, &text, "");
		draw_clients(t, ways, i, 2);
	}
}

bool shell_reach(struct shell *sh, const struct shell_statement *s)
{
	struct way *ways = NULL;
	uint32_t *queue = NULL;
	struct tree t;
	bool ok;

	tree_begin(sh, &t);
	ok = find_object(&t, s) && system_view_read(sh, s->at, &t.view);
	if (ok) {
		ways = calloc(t.view.process_count + 1ul, sizeof(*ways));
		queue = calloc(t.view.process_count + 1ul, sizeof(*queue));
		ok = (ways && queue) || shell_fail(sh, s->at, "the shell has no memory for what there is to show");
	}
	if (ok) {
		find_ways(&t, ways, queue);
		draw_object(&t, s->chain);
		draw_ways(&t, ways);
	}
	free(queue);
	free(ways);
	system_view_free(&t.view);
	return ok;
}

/* --- authority -------------------------------------------------------------------------------- */

/* The first row of the process in this group at or after `i`; VIEW_NONE: no more. */
static uint32_t group_row(const struct tree *t, uint32_t process, uint32_t group, uint32_t i)
{
	const struct view_process *p = &t->view.processes[process];

	for (i = MAX(i, p->first_row); i < p->first_row + p->capabilities; i++) {
		if (t->view.rows[i].copies > 0 && group_of(t, &t->view.rows[i]) == group)
			return i;
	}
	return VIEW_NONE;
}

static uint32_t next_group(const struct tree *t, uint32_t process, uint32_t group)
{
	while (group <= t->view.process_count + 1 && group_row(t, process, group, 0) == VIEW_NONE)
		group++;
	return group;
}

static void add_group(struct text *text, const struct tree *t, uint32_t group)
{
	if (group == 0)
		add(text, "kernel");
	else if (group > t->view.process_count)
		add(text, "services that do not run");
	else
		add_process(text, t, group - 1);
}

/* All of a group on one node: "kernel: Console, MemoryObject x3". */
static void draw_group_in_short(struct tree *t, uint32_t process, uint32_t group, bool last)
{
	struct text text = { .used = 0 };
	const char *separator = ": ";

	add_group(&text, t, group);
	for (uint32_t i = 0; (i = group_row(t, process, group, i)) != VIEW_NONE; i++) {
		struct view_row plain = t->view.rows[i];
		uint32_t alike = count_alike(t, i);

		if (alike == 0)
			continue;
		if (plain.kind == VIEW_PROCESS || plain.kind == VIEW_ENDPOINT)
			plain.kind = VIEW_OBJECT;	/* one item, whosever they are */
		add(&text, "%s", separator);
		add_interface(&text, t, &plain);
		add_copies(&text, alike);
		separator = ", ";
	}
	draw(t, 1, last, &text, "");
}

/* A group with each capability on a node of its own, and below it to whom it was given on. */
static void draw_group(struct tree *t, uint32_t process, uint32_t group, bool last)
{
	struct text text = { .used = 0 };
	uint32_t next;

	add_group(&text, t, group);
	draw(t, 1, last, &text, "");
	for (uint32_t i = group_row(t, process, group, 0); i != VIEW_NONE; i = next) {
		const struct view_row *row = &t->view.rows[i];
		char grant[24];

		text.used = 0;
		next = group_row(t, process, group, i + 1);
		add_interface(&text, t, row);
		add_copies(&text, row->copies);
		add_granter(&text, t, row);
		grant_text(row, grant);
		draw(t, 2, next == VIEW_NONE, &text, grant);
		draw_derived(t, row, 3);
	}
}

static uint32_t next_served(const struct tree *t, uint32_t server, uint32_t from)
{
	while (from < t->view.process_count && client_row(t, from, server, 0) == VIEW_NONE)
		from++;
	return from;
}

/* Who can call the process. */
static void draw_served(struct tree *t, uint32_t server)
{
	struct text text = { .used = 0 };
	uint32_t next;

	add(&text, "serves");
	draw(t, 1, true, &text, "");
	for (uint32_t i = next_served(t, server, 0); i < t->view.process_count; i = next) {
		text.used = 0;
		next = next_served(t, server, i + 1);
		add_process(&text, t, i);
		add(&text, ": ");
		add_services(&text, t, i, server);
		draw(t, 2, next == t->view.process_count, &text, "");
	}
}

static void draw_process(struct tree *t, uint32_t process, bool whole)
{
	const struct view_process *p = &t->view.processes[process];
	bool serves = whole && next_served(t, process, 0) < t->view.process_count;
	struct text text = { .used = 0 };
	char label[VIEW_LABEL_BYTES];
	uint32_t next;

	add_process(&text, t, process);
	if (p->parent_id)
		add(&text, ", started by %s", system_view_label_id(&t->view, p->parent_id, label));
	add(&text, ": %u %s", p->capabilities, p->capabilities == 1 ? "capability" : "capabilities");
	draw(t, 0, false, &text, "");
	for (uint32_t group = next_group(t, process, 0); group <= t->view.process_count + 1; group = next) {
		bool last;

		next = next_group(t, process, group + 1);
		last = !serves && next > t->view.process_count + 1;
		if (whole)
			draw_group(t, process, group, last);
		else
			draw_group_in_short(t, process, group, last);
	}
	if (serves)
		draw_served(t, process);
}

/* A row that refers to the object which is bound to this name; NULL: there is none. */
static const struct view_row *bound_row(struct tree *t, const struct shell_statement *s)
{
	struct shell_name *name = shell_find(t->sh, s->topic[0].chars, s->topic[0].bytes);
	struct thing cap;
	uint64_t object;

	if (!name || !thing_as_capability(name->thing, &cap) ||
			shell_is_revoked(t->sh, cap.capability) ||
			!system_view_identify(t->sh, s->topic[0].at, cap.capability, &object))
		return NULL;
	for (uint32_t i = 0; i < t->view.row_count; i++) {
		if (t->view.rows[i].object == object)
			return &t->view.rows[i];
	}
	return NULL;
}

/* Draws every process that the word means: a name that several can have, a number, or a bound handle. */
static bool draw_processes(struct tree *t, const struct shell_statement *s)
{
	const struct shell_word *word = &s->topic[0];
	const struct view_row *row;
	uint32_t found = 0, id = s->literal ? (uint32_t)s->literal->number.magnitude : 0;

	if (s->literal && (!s->literal->number.whole || s->literal->number.negative ||
			s->literal->number.magnitude > UINT32_MAX))
		return shell_fail(t->sh, s->literal->at, "a process' number is a whole one; `ps` lists them");
	for (uint32_t i = 0; i < t->view.process_count; i++) {
		const struct view_process *p = &t->view.processes[i];

		if (s->literal ? p->id == id : shell_word_is(*word, p->name)) {
			draw_process(t, i, true);
			found++;
		}
	}
	if (found > 0)
		return true;
	if (s->literal)
		return shell_fail(t->sh, s->literal->at, "no process has the number %u; `ps` lists them", id);
	row = bound_row(t, s);
	if (row && row->kind == VIEW_EXPORT && row->server == VIEW_NONE)
		return shell_fail(t->sh, word->at, "the service behind %.*s does not run",
				(int)word->bytes,
				word->chars);
	id = row && row->kind == VIEW_PROCESS ? row->subject : 0;
	if (id && system_view_process(&t->view, id) == VIEW_NONE)
		return shell_fail(t->sh, word->at, "the process of %.*s has ended", (int)word->bytes, word->chars);
	if (id) {
		draw_process(t, system_view_process(&t->view, id), true);
		return true;
	}
	return shell_fail(t->sh, word->at, "no process has the name %.*s; `ps` lists them", (int)word->bytes,
			word->chars);
}

/* --- authority --dot -------------------------------------------------------------------------- */

/* A text in the quotes of the graph language. */
static void print_quoted(struct shell *sh, const char *text)
{
	shell_print(sh, "\"");
	for (; *text; text++)
		shell_print(sh, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	shell_print(sh, "\"");
}

/* Whether no row before this one, from `from` on, refers to its object. */
static bool is_first_of_object(const struct tree *t, uint32_t from, uint32_t index)
{
	for (uint32_t i = from; i < index; i++) {
		if (t->view.rows[i].object == t->view.rows[index].object)
			return false;
	}
	return true;
}

/* An object, and the process behind it. */
static void print_object_node(struct tree *t, const struct view_row *row)
{
	struct text text = { .used = 0 };
	uint32_t subject = system_view_process(&t->view, row->subject);

	add_interface(&text, t, row);
	shell_print(t->sh, "  o%llu [label=", (unsigned long long)row->object);
	print_quoted(t->sh, text.chars);
	shell_print(t->sh, "];\n");
	if (row->server != VIEW_NONE)
		shell_print(t->sh, "  o%llu -> p%u [style=dashed];\n", (unsigned long long)row->object,
				t->view.processes[row->server].id);
	if (row->kind == VIEW_PROCESS && subject != VIEW_NONE)
		shell_print(t->sh, "  o%llu -> p%u [style=dotted];\n", (unsigned long long)row->object, row->subject);
}

/* Processes are boxes; a solid edge leads to what one holds, a dashed one from there to who serves it, and a dotted
 * one from a handle to its process. */
static void print_graph(struct tree *t)
{
	char label[VIEW_LABEL_BYTES];

	shell_print(t->sh, "digraph authority {\n  rankdir=LR;\n");
	for (uint32_t i = 0; i < t->view.process_count; i++) {
		shell_print(t->sh, "  p%u [shape=box, label=", t->view.processes[i].id);
		print_quoted(t->sh, system_view_label(&t->view, i, label));
		shell_print(t->sh, "];\n");
	}
	for (uint32_t i = 0; i < t->view.row_count; i++) {
		const struct view_row *row = &t->view.rows[i];

		if (is_first_of_object(t, 0, i))
			print_object_node(t, row);
		if (is_first_of_object(t, t->view.processes[row->process].first_row, i))
			shell_print(t->sh, "  p%u -> o%llu;\n", t->view.processes[row->process].id,
					(unsigned long long)row->object);
	}
	shell_print(t->sh, "}\n");
}

bool shell_authority(struct shell *sh, const struct shell_statement *s)
{
	struct tree t;
	bool ok;

	tree_begin(sh, &t);
	ok = system_view_read(sh, s->at, &t.view);

	if (ok && s->graph)
		print_graph(&t);
	else if (ok && (s->literal || s->topic[0].bytes > 0))
		ok = draw_processes(&t, s);
	else
		for (uint32_t i = 0; ok && i < t.view.process_count; i++)
			draw_process(&t, i, false);
	system_view_free(&t.view);
	return ok;
}
