/*
 * What was issued: leases of the kernel that this service holds for its clients.
 *
 * The service alone holds the kernel's lease. So nobody else can bind another thread to it, the
 * operator can end it whoever holds what, and it ends with this process. Always true: a lease that is
 * active by its state has the kernel's lease; one that has ended has neither that nor a thread, and keeps
 * its account until nobody holds it any more.
 */
#ifndef SERVICES_ISOLATION_ISSUED_H
#define SERVICES_ISOLATION_ISSUED_H

#include <stdbool.h>
#include <stdint.h>

#include "capos/isolation.server.h"
#include "capos/kernel.client.h"
#include "rt/server.h"
#include "services/isolation/rule.h"

#define HELD_MAX 16u /* by one client, those that have ended too */

struct client {
	struct server_object object;
	char name[NAME_BYTES_MAX + 1];
};

struct issued {
	struct server_object object;
	struct issued *next;
	const struct client *client;
	uint64_t id;
	enum lease_state state;
	struct cpu_isolation_lease_ref lease;
	struct client_ref thread; /* ThreadHandle or ProcessHandle; null: none yet */
	struct loop_watch watch;  /* for the thread's end */
	uint32_t process_id;
	uint32_t thread_id;
	char thread_name[NAME_BYTES_MAX + 1];
	/* As the kernel told it last. */
	enum lease_kind kind;
	uint32_t processor;
	uint64_t remaining_ns;
	uint64_t used_ns;
	uint64_t interrupts;
	uint64_t quiet_ns;
	uint64_t depletions;
	uint64_t missed;
};

/* Finds out how many processors there are. */
void issued_init(struct loop *loop);

/* How many of a client's are active now, and how many it holds. */
uint32_t issued_active(const struct client *client);
uint32_t issued_held(const struct client *client);

/* Has the kernel make the lease, for nobody yet. On failure nothing is left, and the sentence says why.
 * The result is in the list until issued_free. */
MUST_USE status_t issued_make(const struct client *client, const struct lease_wish *wish,
		uint64_t allowed, struct issued **made, char sentence[RULE_SENTENCE_BYTES]);
/* Whose it is: the thread, which is borrowed. Once. */
MUST_USE status_t issued_bind(struct issued *issued, struct client_ref thread,
		char sentence[RULE_SENTENCE_BYTES]);
/* Words for the kernel's refusal to bind a thread. */
status_t issued_refuse_thread(char sentence[RULE_SENTENCE_BYTES], status_t st);
/* And for any other, as the kernel says it. */
status_t issued_refuse(char sentence[RULE_SENTENCE_BYTES], status_t st);

/* How many processors there are, and the next id. */
uint32_t issued_processors(void);
uint64_t issued_next_id(void);
/* Ends it, if it is active: `state` says why. */
void issued_end(struct issued *issued, enum lease_state state);
void issued_free(struct issued *issued);

/* The oldest, and NULL for an id that nobody has. */
struct issued *issued_first(void);
struct issued *issued_find(uint64_t id);

/* Asks the kernel how it stands. */
void issued_refresh(struct issued *issued);
void issued_write_info(const struct issued *issued, struct issued_lease_info_results_builder to);
void issued_write_row(const struct issued *issued, struct lease_row_builder to);

#endif
