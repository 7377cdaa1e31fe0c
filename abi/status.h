/*
 * Status: the one result type of kernel, libraries, drivers and services.
 *
 * Codes, names and sentences come from schema/capos/status.capnp. Zero is success, positive codes
 * are exceptions, negative codes are transport refusals; a method's own outcomes are in its results.
 */
#ifndef ABI_STATUS_H
#define ABI_STATUS_H

#include <stdint.h>

#include "capos/status.capnp.h"

#define MUST_USE __attribute__((warn_unused_result))

typedef int32_t status_t;

#endif
