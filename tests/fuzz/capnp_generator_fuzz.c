/*
 * Fuzzer of what reads compiled schemas: schema_open, every question that can be asked of a schema,
 * and the generator, whose output is thrown away. No request may make them read outside it, loop or
 * recurse without end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "capnp/capnp_file.h"
#include "tools/capnpc-capos/gen.h"

#define ARENA_WORDS (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* --- The generator's output functions, with nothing behind them --- */

static jmp_buf died;
static uint64_t emitted;

_Noreturn void die(const char *format, ...)
{
	longjmp(died, 1);
}

void emit_open(const char *path)
{
}

void emit_close(void)
{
}

void emit(const char *format, ...)
{
	static char line[4096];
	va_list args;

	/* Read every argument, and end where a small request means endless output. */
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (++emitted > 200000)
		die("enough");
}

void emit_doc(struct capnp_text doc, const char *indent)
{
	emit("%.*s", (int)doc.bytes, doc.chars);
}

void emit_literal(struct capnp_text text)
{
	emit("%.*s", (int)text.bytes, text.chars);
}

void emit_words(const char *name, struct capnp_any any)
{
	static uint64_t words[4096];
	struct capnp_builder builder;

	capnp_builder_init(&builder, words, 4096, NULL, 0);
	capnp_set_any(capnp_init_root(&builder), any);
	emit("%s", name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint64_t arena[ARENA_WORDS];
	static struct schema schema;
	uint64_t *words = malloc(bytes / 8 * 8 + 1);

	if (words == NULL)
		abort();
	memcpy(words, data, bytes / 8 * 8);
	emitted = 0;
	if (schema_open(&schema, words, bytes / 8, arena, ARENA_WORDS) == CAPNP_OK) {
		/* A compiled schema of our own is trusted; one that is not has a budget. */
		schema.message.budget = 1 << 20;
		if (setjmp(died) == 0)
			generate(&schema);
		names_free();
	}
	free(words);
	return 0;
}
