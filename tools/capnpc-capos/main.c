/*
 * capnpc-capos: writes the C face of Cap'n Proto schemas.
 *
 * A plugin of `capnp compile`: reads a CodeGeneratorRequest from standard input and writes, below
 * the current directory, for each requested file X.capnp:
 *   X.capnp.h    enums, constants, layouts, readers and builders, descriptions of interfaces
 *   X.capnp.c    the descriptions' data
 *   X.server.h   server skeletons
 *   X.client.h   typed clients
 * The request is read with lib/capnp itself.
 */
#include <stdlib.h>

#include "gen.h"

/* All of standard input, as words. */
static uint64_t *input_read(uint64_t *count)
{
	size_t capacity = 1 << 16;
	size_t bytes = 0;
	char *buffer = NULL;

	for (;;) {
		size_t got;

		buffer = realloc(buffer, capacity);
		if (buffer == NULL)
			die("out of memory");
		got = fread(buffer + bytes, 1, capacity - bytes, stdin);
		bytes += got;
		if (got == 0)
			break;
		if (bytes == capacity)
			capacity *= 2;
	}
	*count = bytes / 8;
	return (uint64_t *)(void *)buffer;
}

static struct schema *schema_load(void)
{
	struct schema *schema = calloc(1, sizeof(*schema));
	uint64_t count;
	uint64_t *file = input_read(&count);
	uint64_t *arena = calloc(count * 2 + 1024, sizeof(*arena));

	if (schema == NULL || arena == NULL)
		die("out of memory");
	if (schema_open(schema, file, count, arena, (uint32_t)count * 2 + 1024) != CAPNP_OK)
		die("standard input is not a CodeGeneratorRequest");
	return schema;
}

int main(void)
{
	generate(schema_load());
	names_free();
	return 0;
}
