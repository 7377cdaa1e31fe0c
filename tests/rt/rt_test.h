/*
 * The guest test of the runtime: one program in several roles. `main` launches the others and
 * judges.
 */
#ifndef TESTS_RT_RT_TEST_H
#define TESTS_RT_RT_TEST_H

/* peer.c: serves a counter (tag 0) and a bank (tag 1) in another process. */
int peer_main(void);

/* Prints one TAP line. */
void tap(int right, const char *name);

#endif
