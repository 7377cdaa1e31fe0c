/*
 * hello: the smallest program. It says one line if it was given a console, and can do nothing at
 * all if it was not: then only its exit status speaks.
 */
#include "capos/kernel.client.h"
#include "rt/program.h"

#define STATUS_NO_CONSOLE 3
#define STATUS_CONSOLE_FAILED 4

int main(int argc, char **argv)
{
	struct console_ref console = RT_GRANT(console, "console");

	if (client_ref_is_null(console.ref))
		return STATUS_NO_CONSOLE;
	if (console_write(console, capnp_text("Hello from a program that holds one console.\n")) !=
			STATUS_OK)
		return STATUS_CONSOLE_FAILED;
	return 0;
}
