/*
 * The names that a person binds: a small table in the order of binding. See shell.h.
 * Always true: each bound thing holds its object once.
 */
#include <string.h>

#include "abi/compiler.h"
#include "services/shell/shell.h"

struct shell_name *shell_find(struct shell *sh, const char *name, uint32_t bytes)
{
	for (uint32_t i = 0; i < sh->name_count; i++) {
		if (strlen(sh->names[i].name) == bytes && memcmp(sh->names[i].name, name, bytes) == 0)
			return &sh->names[i];
	}
	return NULL;
}

bool shell_can_bind(struct shell *sh, struct shell_word name)
{
	const struct shell_name *slot = shell_find(sh, name.chars, name.bytes);

	if (slot && slot->given)
		return shell_fail(sh, name.at, "%.*s is a capability that this shell began with; choose another name, or "
				"`drop %.*s` first", (int)name.bytes, name.chars, (int)name.bytes, name.chars);
	if (name.bytes >= SHELL_NAME_BYTES)
		return shell_fail(sh, name.at, "a name has at most %d characters", SHELL_NAME_BYTES - 1);
	if (sh->name_count == SHELL_NAMES_MAX && !slot)
		return shell_fail(sh, name.at, "%d names are in use; drop one first", SHELL_NAMES_MAX);
	return true;
}

bool shell_bind(struct shell *sh, struct shell_word name, struct thing thing)
{
	struct shell_name *slot = shell_find(sh, name.chars, name.bytes);

	if (!shell_can_bind(sh, name)) {
		thing_put(thing);
		return false;
	}
	if (slot) {
		thing_put(slot->thing);
	} else {
		slot = &sh->names[sh->name_count++];
		memset(slot->name, 0, sizeof(slot->name));
		memcpy(slot->name, name.chars, name.bytes);
	}
	slot->thing = thing;
	slot->given = false;
	return true;
}

void shell_unbind(struct shell *sh, struct shell_name *name)
{
	uint32_t index = (uint32_t)(name - sh->names);

	thing_put(name->thing);
	memmove(name, name + 1, (sh->name_count - index - 1) * sizeof(*name));
	sh->name_count--;
}

status_t shell_bind_capability(struct shell *sh, const char *name, uint32_t capability, uint64_t interface_id)
{
	struct shell_object *object = object_of_capability(sh, capability);
	struct shell_word word = { name, (uint32_t)strlen(name), 0 };

	if (!object) {
		client_release(client_ref_of(sh->transport, capability));
		return STATUS_OVERLOADED;
	}
	if (!shell_bind(sh, word, thing_of_capability(object, schema_find(sh->schema, interface_id))))
		return STATUS_INVALID_ARGUMENT;
	shell_find(sh, word.chars, word.bytes)->given = true;
	return STATUS_OK;
}

uint32_t shell_capability_count(const struct shell *sh)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < sh->name_count; i++)
		count += sh->names[i].thing.kind == THING_CAPABILITY;
	return count;
}
