/*
 * The end of a program that found itself broken. It may be in any state, so little is relied on:
 * a second panic on the way out says nothing more.
 */
#include "rt/panic.h"

#include <stdarg.h>

#include "abi/syscall.h"
#include "rt/format.h"
#include "rt/program.h"

#define SENTENCE_BYTES 400u

static bool panicking;

void panic(const char *format, ...)
{
	char sentence[SENTENCE_BYTES];
	struct capnp_text name;
	va_list args;

	if (!__atomic_exchange_n(&panicking, true, __ATOMIC_RELAXED)) {
		va_start(args, format);
		(void)format_into_va(sentence, sizeof(sentence), format, args);
		va_end(args);
		name = rt_name();
		rt_print("%.*s: %s", (int)name.bytes, name.chars, sentence);
	}
	process_exit(PANIC_EXIT_STATUS);
}
