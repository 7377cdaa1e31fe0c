/* The compiled schemas of this build, for tests on the host: a framed file in words. */
#ifndef SERVICES_SHELL_SCHEMAS_TEST_DATA_H
#define SERVICES_SHELL_SCHEMAS_TEST_DATA_H

#include <stdint.h>

extern const uint64_t test_schemas_start[];
extern const uint64_t test_schemas_end[];

#endif
