/*
 * The second role of the transport test's program: see ring_test.c.
 */
#ifndef TESTS_CAPNP_RING_WORKER_H
#define TESTS_CAPNP_RING_WORKER_H

/* Serves workers on the endpoint granted as "serve" until it is closed. */
int ring_worker_main(void);

#endif
