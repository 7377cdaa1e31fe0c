/*
 * Other parties of a benchmark: programs that the first process launches, with what it grants them.
 */
#ifndef BENCH_GUEST_PARTY_H
#define BENCH_GUEST_PARTY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/guest/bench.client.h"
#include "capos/kernel.client.h"
#include "rt/launch.h"

#define PARTY_GRANTS_MAX 5u

struct party_grant {
	const char *name;
	uint32_t id; /* 0: the party's own address space */
	const struct capnp_interface *interface;
};

/* What launching is done with; found by party_program_open. */
extern struct launch_authority party_authority;

/* Opens a program of the boot package, whose file stays mapped. */
bool party_program_open(const char *name, struct launch_image *program);

/* Starts it with `role` as its only argument. Says what went wrong. */
bool party_start(const struct launch_image *program, const char *role, const struct party_grant *grants,
		uint32_t grant_count, struct process_handle_ref *process);

/* Waits until it has ended, and lets go of it; false if it did not end by itself, with *status. */
bool party_await(struct process_handle_ref process, int64_t *status);

/* An endpoint to be served by peer_serve (its grant "serve"), and the capability to call it by. */
bool party_target(struct endpoint_ref *endpoint, struct bench_target_ref *target);

/* The server's side, until its endpoint closes; answers its exit status. */
int peer_serve(void);

#endif
