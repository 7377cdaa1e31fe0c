/*
 * CapabilityManager: the view of all processes' tables, and revocation.
 */
#ifndef KERNEL_OBJECT_CAPABILITY_MANAGER_H
#define KERNEL_OBJECT_CAPABILITY_MANAGER_H

#include "kernel/object/object.h"

/* The manager; lives for ever. Borrowed. */
struct object *capability_manager_object(void);

#endif
