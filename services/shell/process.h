/*
 * The shell as a process: its terminal, what it waits for, and how it starts programs. main.c and
 * tour.c use it; evaluate.c reaches it through shell_ops.
 *
 * Everything that waits runs the event loop, so Ctrl-C is heard whatever the shell is doing.
 */
#ifndef SERVICES_SHELL_PROCESS_H
#define SERVICES_SHELL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "services/shell/shell.h"
#include "term/editor.h"

struct shell_process {
	struct shell shell;
	struct term_editor editor;
	struct term_keys keys;
	struct term_history history;
	struct term_candidates candidates;
};

/* Takes the grants, opens the schemas, begins to listen to the terminal. A failure is a sentence. */
const char *process_start(struct shell_process *p);

/* Edits one line under the prompt. What ended it; TERM_EDIT_END also when the terminal is gone. */
enum term_edit process_line(struct shell_process *p, const char *prompt);

/* Whether the terminal has hung up. */
bool process_is_alone(void);

/* Text for the person. */
void process_say(const char *text);
void process_flush(void);

#endif
