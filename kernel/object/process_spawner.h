/*
 * ProcessSpawner: the one object that makes processes.
 */
#ifndef KERNEL_OBJECT_PROCESS_SPAWNER_H
#define KERNEL_OBJECT_PROCESS_SPAWNER_H

#include "kernel/object/object.h"

/* The spawner; lives for ever. Borrowed. */
struct object *process_spawner_object(void);

#endif
