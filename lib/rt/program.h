/*
 * What a program starts with: its arguments, environment, configuration and the capabilities that
 * it was granted by name. start.c fills this from the launch parameters before main runs; all of
 * it is read-only and lives as long as the process.
 *
 * A program has nothing else. A grant that was not given is a null reference, and whether to go on
 * without it is the program's decision.
 */
#ifndef LIB_RT_PROGRAM_H
#define LIB_RT_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "capnp/capnp.h"
#include "capnp/client.h"

#define PROGRAM_ARGS_MAX 64u

/* The program's own. argv[argc] is NULL; argv[0] is the first of the launch parameters' args,
 * which by convention is the program's name. The result is the exit status of the process. */
int main(int argc, char **argv);

/* The name that the launcher gave, for people. */
struct capnp_text rt_name(void);

/* The value of an environment variable; empty text if there is none. */
struct capnp_text rt_env(const char *name);

/* The configuration message, to be read by the program's own schema; null if none was given:
 *     struct bank_config_reader config = bank_config_of_any(rt_config()); */
struct capnp_any rt_config(void);

/* The capability granted as `name`, if it has the interface (as its own or as an ancestor). The
 * null reference otherwise. The process holds it; the reference is borrowed. */
struct client_ref rt_grant(const char *name, uint64_t interface_id);

/* The same with the type of a generated client: struct console_ref c = RT_GRANT(console,
 * "console"). The name is a literal; the launch parameters are searched once for each place that
 * asks. Any thread. */
#define RT_GRANT(type, name) ((struct type##_ref){ ({ \
	static uint32_t known; \
	rt_grant_known(&known, "" name, type##_interface.id); }) })

/* rt_grant with a word that remembers the answer; it begins as 0. */
struct client_ref rt_grant_known(uint32_t *known, const char *name, uint64_t interface_id);

/* Every grant, in the order of the launch parameters. `interfaces` is a List(InterfaceRow). */
struct rt_grant_info {
	struct capnp_text name;
	uint32_t id;
	struct capnp_list interfaces;
};
uint32_t rt_grant_count(void);
struct rt_grant_info rt_grant_at(uint32_t index);

/* Prints a line on the granted "console"; without one nothing happens. For diagnosis and for the
 * smallest programs. At most 900 bytes; an end of line is added where there is none. */
void rt_print(const char *format, ...) PRINTF_LIKE(1, 2);

/* Ends the process. exit() of <stdlib.h> does the same. */
NORETURN void rt_exit(int64_t status);

#endif
