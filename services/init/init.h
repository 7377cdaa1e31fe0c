/*
 * Init's parts to each other.
 *
 *   main.c        reads and checks the manifest, then runs the loop
 *   world.c       files and interfaces
 *   plan.c        the manifest, checked
 *   wiring.c      endpoints, exports and grants of every service, made once
 *   service.c     one service: start, end, restart, give up; and the orderly shutdown
 *   restart.c     when to restart
 *   supervisor.c  what the shell may ask of init
 *
 * Always true once wiring is done: a service's endpoint, exports and grants stay the same for all of its
 * incarnations, and init holds them. Only the process changes.
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include "abi/status.h"
#include "capos/init.capnp.h"
#include "capos/kernel.client.h"
#include "rt/server.h"
#include "services/init/plan.h"
#include "services/init/restart.h"
#include "services/init/world.h"

#define END_TEXT_BYTES 96u

/* One service of the plan and what became of it. */
struct supervised {
	const struct plan_service *plan;
	struct endpoint_ref endpoint;             /* null: it provides nothing, or init gave up */
	struct client_ref provided[PROVIDED_MAX]; /* null for perClient objects */
	struct client_ref grants[GRANTS_MAX];     /* null for what is the service's own */
	enum service_state state;
	struct process_handle_ref process; /* while running */
	struct loop_watch watch;           /* of its end */
	uint32_t process_id;
	uint32_t starts;
	struct restart_history history;
	struct loop_timer timer; /* the back-off */
	bool stop_requested;
	char last_end[END_TEXT_BYTES]; /* in words; ends with NUL */
};

/* What init was given, and what it makes of it. There is one. */
struct init {
	struct plan plan;
	struct world world;
	struct capnp_message manifest;
	struct supervised services[SERVICES_MAX];
	struct loop loop;
	struct launch_authority launch;
	struct system_control_ref system;
	uint32_t level_max; /* enum log_level */
	bool shutting_down;
	bool reboot;
	uint32_t exit_status;
};

extern struct init init;

/* A line on the kernel's log, if the manifest's log level takes it. */
void init_say(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* --- wiring.c --- */

/* Makes endpoints, exports and grants of all services, in start order. On failure says what could
 * not be made. */
status_t wiring_make(void) MUST_USE;

/* --- service.c --- */

/* Starts a service that does not run. A failure is handled as an end of the service. */
void service_start(struct supervised *service);

/* Ends all services, the newest first, then the system. Returns before that is done. */
void init_shut_down(uint32_t status, bool reboot);

/* --- supervisor.c --- */

/* Begins to serve init's own objects. */
status_t supervisor_serve(void) MUST_USE;
/* A capability to the object, which init keeps; null if it cannot be made. */
struct client_ref supervisor_object(enum init_object object);

#endif
