/*
 * The guest test of the runtime: one program in several roles. `main` launches the others and
 * judges.
 */
#ifndef TESTS_RT_RT_TEST_H
#define TESTS_RT_RT_TEST_H

#include "capos/kernel.client.h"
#include "rt/launch.h"

/* peer.c: serves a counter (tag 0) and a bank (tag 1) in another process. */
int peer_main(void);

/* flow_peer.c: serves a source of flows (tag 0). */
int flow_peer_main(void);

/* front.c: serves a counter (tag 0), an account (tag 1) and a timer (tag 2) in another process by
 * giving each call on to the grants of these names. */
int front_main(void);

/* Prints one TAP line. */
void tap(int right, const char *name);

/* stream_test.c */
void test_streams(void);

/* thread_test.c */
void test_threads(void);

/* Mints the capability to a root of a server that is launched later. */
MUST_USE status_t export_root(struct endpoint_ref at, uint64_t tag,
		const struct capnp_interface *interface, struct client_ref *capability);

/* Launches this program in the role of a server. */
MUST_USE status_t launch_server(
		const char *role, struct endpoint_ref at, struct launch_result *result);

#endif
