/*
 * A program that only ends: the image that the loader's tests spoil.
 */
#include "rt/program.h"

int main(int argc, char **argv)
{
	return 0;
}
