/*
 * The boot package as init sees it. See world.h.
 */
#include "services/init/world.h"

#include <stdlib.h>

#include "capnp/capnp_file.h"

/* Room for a file of several segments brought into one, and for the index of its nodes. */
static uint32_t arena_words(uint64_t file_words)
{
	return (uint32_t)(file_words + file_words / 8);
}

/* Maps a file that must be there and gives an arena to open it with. */
static status_t world_map(const struct world *world, const char *name, struct launch_file *file,
		uint64_t **arena)
{
	status_t st = launch_file_open(world->package, world->memory, capnp_text(name), file);

	if (st != STATUS_OK)
		return st;
	if (file->bytes == NULL)
		return STATUS_DISCONNECTED;
	*arena = malloc((size_t)arena_words(file->count / 8) * 8);
	return *arena != NULL ? STATUS_OK : STATUS_OVERLOADED;
}

status_t world_open(struct world *world, struct boot_package_ref package,
		struct virtual_memory_ref memory)
{
	struct launch_file file;
	uint64_t *arena;
	status_t st;

	world->package = package;
	world->memory = memory;
	st = world_map(world, "schemas.bin", &file, &arena);
	if (st != STATUS_OK)
		return st;
	return schema_open(&world->schema, file.bytes, file.count / 8, arena,
			arena_words(file.count / 8));
}

status_t world_read_manifest(const struct world *world, struct capnp_message *message)
{
	struct launch_file file;
	uint64_t *arena;
	status_t st = world_map(world, "manifest.bin", &file, &arena);

	if (st != STATUS_OK)
		return st;
	st = capnp_file_open(
			file.bytes, file.count / 8, arena, arena_words(file.count / 8), message);
	/* Somebody wrote it by hand: what it may make us traverse is bounded. */
	if (st == STATUS_OK)
		capnp_message_init(message, message->words, message->count, NULL, 0);
	return st;
}

/* --- Questions of the plan checker --------------------------------------------------------------- */

static bool has_file(void *self, struct capnp_text name)
{
	const struct world *world = self;
	struct memory_view_ref file = { 0 };
	bool found = false;

	if (boot_package_open(world->package, name, &found, &file, NULL) != STATUS_OK)
		return false;
	client_release(file.ref);
	return found;
}

static bool knows_interface(void *self, uint64_t id)
{
	const struct world *world = self;
	struct schema_node ancestors[LAUNCH_ROWS_MAX];
	struct schema_node node = schema_find(&world->schema, id);

	return !schema_node_is_null(node) && schema_node_kind(node) == SCHEMA_INTERFACE &&
			schema_ancestors(node, ancestors, LAUNCH_ROWS_MAX) < LAUNCH_ROWS_MAX;
}

static bool interface_is(void *self, uint64_t id, uint64_t as)
{
	struct launch_row rows[LAUNCH_ROWS_MAX];
	uint32_t count = world_rows(self, id, rows);

	for (uint32_t i = 0; i < count; i++) {
		if (rows[i].id == as)
			return true;
	}
	return false;
}

struct plan_world world_for_plan(struct world *world, struct system_info_ref info)
{
	struct plan_world answers = {
		.self = world,
		.has_file = has_file,
		.knows_interface = knows_interface,
		.interface_is = interface_is,
	};
	uint64_t free_pages;

	for (uint32_t class = 0; class < RESOURCE_CLASS_COUNT; class ++)
		answers.available[class] = UINT64_MAX;
	if (system_info_memory(info, NULL, &free_pages, NULL) == STATUS_OK)
		answers.available[RESOURCE_CLASS_FRAMES] = free_pages;
	return answers;
}

/* --- Interfaces ----------------------------------------------------------------------------------- */

/* Which of `nodes` are ancestors of one of them, as bits. */
static uint16_t ancestors_among(
		struct schema_node of, const struct schema_node *nodes, uint32_t count)
{
	struct schema_node ancestors[LAUNCH_ROWS_MAX];
	uint32_t found = MIN(schema_ancestors(of, ancestors, LAUNCH_ROWS_MAX), LAUNCH_ROWS_MAX);
	uint16_t bits = 0;

	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t j = 0; j < found; j++) {
			if (schema_node_id(nodes[i]) == schema_node_id(ancestors[j]))
				bits |= (uint16_t)(1u << i);
		}
	}
	return bits;
}

uint32_t world_rows(const struct world *world, uint64_t id, struct launch_row rows[LAUNCH_ROWS_MAX])
{
	struct schema_node nodes[LAUNCH_ROWS_MAX];
	uint32_t count;

	nodes[0] = schema_find(&world->schema, id);
	if (schema_node_is_null(nodes[0]))
		return 0;
	count = 1 + schema_ancestors(nodes[0], nodes + 1, LAUNCH_ROWS_MAX - 1);
	for (uint32_t i = 0; i < count; i++) {
		rows[i].id = schema_node_id(nodes[i]);
		rows[i].methods = (uint16_t)schema_method_count(nodes[i]);
		rows[i].ancestors = ancestors_among(nodes[i], nodes, count);
	}
	return count;
}
