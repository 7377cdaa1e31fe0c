/*
 * A service that ends in the way its first argument says, for the tests of init's supervision.
 */
#include <stdlib.h>
#include <string.h>

#include "rt/program.h"

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "orderly";

	if (strcmp(how, "crash") == 0)
		*(volatile int *)16 = 1;
	return strcmp(how, "fail") == 0 ? 7 : 0;
}
