/*
 * ProcessSpawner: the one object that makes processes.
 */
#ifndef KERNEL_OBJECT_PROCESS_SPAWNER_H
#define KERNEL_OBJECT_PROCESS_SPAWNER_H

#include "kernel/object/object.h"

/* The spawner; lives for ever. Borrowed. */
struct object *process_spawner_object(void);

/* True for a ProcessBuilder, which nothing may hold that its process would keep alive. */
bool process_is_builder(const struct object *object);

#endif
