/*
 * Threads for tests that use no runtime: each performs one SYNC entry after the other in its own
 * ring, so that a test sees exactly one thing. Checks are noted by the thread that makes them, so
 * only the test itself makes any.
 */
#ifndef TESTS_GUEST_RAW_THREAD_H
#define TESTS_GUEST_RAW_THREAD_H

#include "tests/guest/tap.h"
#include "tests/guest/world.h"

#define STACK_WORDS 512u
#define RAWS        8u
#define RING_ARENA_WORD 1100u           /* somewhere in a ring's arena */

struct raw {
	uint64_t stack[STACK_WORDS] __attribute__((aligned(16)));
	int64_t (*run)(struct ring_header *header, struct raw *raw);
	struct ring_entry entry;            /* what raw_run_entry performs */
	int64_t status;                     /* what it came to */
	volatile uint64_t word;
	volatile uint64_t *page;
	struct thread_handle_ref handle;
	uint32_t thread_id;
};

struct thread_info {
	uint32_t thread_id;
	uint32_t process_id;
	uint64_t cpu_ns;
	enum thread_condition condition;
	bool is_worker;         /* that is its name */
};

extern struct raw raws[RAWS];

/* --- What threads do -------------------------------------------------------------------------- */

/* Performs an entry as SYNC entry; cap_enter's answer. */
int64_t raw_perform(struct ring_header *header, const struct ring_entry *entry);
/* Performs its entry, sets its word, and ends with 5. */
int64_t raw_run_entry(struct ring_header *header, struct raw *raw);
/* Counts its word up. */
int64_t raw_run_spin(struct ring_header *header, struct raw *raw);
/* Sleeps for a completion that never comes. */
int64_t raw_run_sleep(struct ring_header *header, struct raw *raw);
/* Reads its page. */
int64_t raw_run_touch(struct ring_header *header, struct raw *raw);

/* --- What tests do with them ------------------------------------------------------------------ */

/* For raw_run_entry: a call without words, a receive. */
struct ring_entry raw_call(uint32_t export);
struct ring_entry raw_recv(uint32_t endpoint);

/* Number `number`, not started. */
struct raw *raw_new(uint32_t number, int64_t (*run)(struct ring_header *header, struct raw *raw));
/* Starts it; checks that it could be. */
struct raw *raw_go(struct raw *raw);
struct raw *raw_go_entry(uint32_t number, struct ring_entry entry);
status_t raw_spawn_try(struct raw *raw, uint64_t tls_base);
status_t raw_spawn_at(uint64_t entry, uint64_t stack, uint64_t argument, uint64_t tls_base, struct capnp_text name,
		struct thread_handle_ref *handle);
/* Waits for its end and gives the handle back. */
struct child_end raw_join(struct raw *raw);
status_t raw_join_status(struct thread_handle_ref handle, struct child_end *end);
void raw_kill_and_join(struct raw *raw);
/* Whether it slept. */
bool raw_interrupt(struct raw *raw);
/* Waits until its word is not 0. */
void raw_await_word(const struct raw *raw);
/* Whether its word still changes. */
bool raw_runs(const struct raw *raw);

struct thread_info thread_info_of(struct thread_handle_ref handle);
enum thread_condition thread_condition_of(struct thread_handle_ref handle);
void thread_await_condition(struct thread_handle_ref handle, enum thread_condition condition);
/* On the thread that asks. */
struct thread_handle_ref thread_own_handle(void);
/* A register by its name; 0 if there is none. */
uint64_t thread_register(struct thread_handle_ref handle, const char *name);

#endif
