/*
 * The smallest program: what process_cycle makes, runs and takes apart.
 */
#include "rt/program.h"

int main(int argc, char **argv)
{
	return 0;
}
