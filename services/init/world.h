/*
 * What init finds around the manifest: the files of the boot package and, in one of them, the
 * schemas. It answers the plan checker's questions and knows every interface by reflection, so that a
 * service with an interface of its own needs no change to init.
 */
#ifndef INIT_WORLD_H
#define INIT_WORLD_H

#include "abi/status.h"
#include "capnp/schema.h"
#include "capos/kernel.client.h"
#include "rt/launch.h"
#include "services/init/plan.h"

struct world {
	struct boot_package_ref package;
	struct virtual_memory_ref memory;
	struct schema schema;
};

/* Maps and opens the schemas. Borrows both references for good. *disconnected* without them. */
status_t world_open(struct world *world, struct boot_package_ref package,
		struct virtual_memory_ref memory) MUST_USE;

/* Reads manifest.bin into `message`, whose words stay mapped for good. */
status_t world_read_manifest(const struct world *world, struct capnp_message *message) MUST_USE;

/* The face of the world that plan_check asks. */
struct plan_world world_for_plan(struct world *world, struct system_info_ref info);

/* The rows of an interface that the world knows: its own first, then every ancestor once. */
uint32_t world_rows(
		const struct world *world, uint64_t id, struct launch_row rows[LAUNCH_ROWS_MAX]);

#endif
