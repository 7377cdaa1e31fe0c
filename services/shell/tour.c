/*
 * The tour; see tour.h. It is data: paragraphs and commands. Each command is shown as if it had been typed
 * and runs when the person presses Enter. Some are meant to be refused; the text says so.
 */
#include "services/shell/tour.h"

#include <string.h>

#include "abi/compiler.h"

struct tour_step {
	const char *text;	/* "" for none */
	const char *command;
};

static const struct tour_step steps[] = {
	{ "A program in capOS can act only through capabilities that somebody gave it.\n"
	  "There is no global name, no user id, no file that it could open by itself.\n"
	  "Here is a program that wants to print one line, started with nothing:\n",
	  "run hello" },
	{ "It was refused: without a console it could only end, and all that it could say\n"
	  "is its exit status. Now the same program with one capability. @console is the\n"
	  "one you hold; inside the program it has the name `console`. It is this\n"
	  "terminal, with printing as its only method:\n",
	  "run hello with { console: @console }" },
	{ "Services hand out capabilities too. This bank answers with a new account:\n",
	  "acct = bank.open(owner = \"ann\")" },
	{ "Nobody else can reach this account: there is no name by which to ask for it.\n",
	  "acct.deposit(amount = 100)" },
	{ "Whoever holds an object can make a lesser one of it. This may take 10 in all:\n",
	  "gift = acct.limited(amount = 10)" },
	{ "It could be given to any program. It works up to its limit, and not beyond:\n",
	  "gift.withdraw(amount = 8)" },
	{ "", "gift.withdraw(amount = 8)" },
	{ "What was handed out can be taken back, wherever it has gone meanwhile:\n",
	  "acct.revoke(facet = @gift)" },
	{ "It still has its name here, but it leads nowhere now. This is to be refused:\n",
	  "gift.withdraw(amount = 1)" },
	{ "Drivers and services are programs like any other, and may die. The logger:\n",
	  "services.list" },
	{ "Kill it as a crash would:\n", "services.kill(name = \"logger\")" },
	{ "It comes back, because the manifest says so; calls meanwhile wait for it:\n",
	  "log.write(level = info, text = \"hello again\")" },
	{ "No answer but no error: the record was taken. See how often it was started:\n",
	  "services.list" },
	{ "At last: who holds what? The kernel knows who holds the account:\n", "holders @acct" },
	{ "And who can get at the bank, by itself or through others:\n", "reach bank" },
	{ "And who calls whom? Printing a line, followed from here to the driver:\n",
	  "trace console.write(text = \"hi\")" },
	{ "When nobody holds it any more, the account is closed:\n", "drop acct; drop gift" },
};

static const char goodbye[] =
	"That was the tour. `caps` lists what you hold, `help timer` tells about one of\n"
	"them, `help` about the shell; Tab completes. `poweroff` ends the system.\n";

/* Waits for Enter; false: the person has had enough. */
static bool go_on(struct shell_process *p)
{
	enum term_edit outcome = process_line(p, "-- Enter goes on, q and Enter stops -- ");

	return outcome == TERM_EDIT_LINE && p->editor.line[0] != 'q';
}

void tour_run(struct shell_process *p)
{
	for (uint32_t i = 0; i < ARRAY_LEN(steps); i++) {
		process_say("\n");
		process_say(steps[i].text);
		process_say(steps[i].text[0] ? "\n  capos> " : "  capos> ");
		process_say(steps[i].command);
		process_say("\n");
		if (!go_on(p))
			return;
		p->shell.reprint = true;
		(void)shell_run(&p->shell, steps[i].command, (uint32_t)strlen(steps[i].command));
		p->shell.reprint = false;
	}
	process_say("\n");
	process_say(goodbye);
}
