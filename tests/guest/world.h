/*
 * What the guest tests stand on: the capabilities that the kernel gives to the first process, ring
 * entries of every kind made short, endpoints, ledgers, and children that play a role.
 *
 * Tests speak to the ring in its own terms (docs/ring.md); the typed clients serve where something
 * is only needed. Each of the questions Q0 to Q0 + SEATS - 1 has a seat: an operation and a part of
 * the arena.
 */
#ifndef TESTS_GUEST_WORLD_H
#define TESTS_GUEST_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"
#include "capos/kernel.client.h"
#include "capos/ring.capnp.h"
#include "rt/ring.h"

#define Q0             40u /* the runtime takes question numbers from 0 up */
#define SEATS          8u
#define SEAT_WORDS     96u
#define MESSAGE_WORDS  16u /* of test endpoints: largest call */
#define MESSAGE_CAPS   4u
#define SERVICE_CALLS  4u
#define RECORDS_WORDS  (2u * MESSAGE_CAPS)
#define TIMED_OUT      9999 /* a status of nobody's: a test waited too long */
#define WAIT_NS        4000000000ull

#define TEST_INTERFACE 0xb000000000000001ull /* three methods */
#define TEST_ANCESTOR  0xb000000000000002ull /* one method */

struct world {
	struct console_ref console;
	struct timer_ref timer;
	struct system_info_ref info;
	struct object_factory_ref factory;
	struct process_spawner_ref spawner;
	struct boot_package_ref package;
	struct system_control_ref system;
	struct capability_manager_ref authority;
	struct session_manager_ref sessions;
	struct virtual_memory_ref memory;
	struct thread_spawner_ref threads;
	struct process_handle_ref self;
	uint32_t process_id;
	uint32_t processors;
	uint32_t message_off; /* words; MESSAGE_WORDS_SENT of them */
	uint32_t caps_off;    /* 64 descriptors */
	uint32_t seats_off;
};
#define MESSAGE_WORDS_SENT 320u

extern struct world world;

/* Takes the grants and scratch in the arena. `complete`: the first process, which must have all
 * of them. */
void world_init(bool complete);
/* The capability granted under this name; 0: none. */
uint32_t grant_id(const char *name);

/* --- Entries ---------------------------------------------------------------------------------- */

/* Sends the entry and waits for its completion in the queue. */
struct ring_completion perform(struct ring_entry entry);
/* The same as SYNC entry: the outcome from the reply slot. */
struct ring_completion perform_sync(struct ring_entry entry);

/* Sends the entry; its question is a seat. */
void start(struct ring_entry entry);
/* Whether the entry sent on this seat has completed. */
bool is_done(uint16_t question);
/* Waits for it; status TIMED_OUT when that takes longer than WAIT_NS. */
struct ring_completion finish(uint16_t question);

/* The arena of a seat: records first (calls) or the RecvHeader (receives). */
uint32_t seat_off(uint16_t question);
uint64_t *seat_words(uint16_t question);
static inline struct recv_header *seat_header(uint16_t question)
{
	return (struct recv_header *)(void *)seat_words(question);
}
struct cap_record *seat_records(uint16_t question, bool receive);
uint64_t *seat_message(uint16_t question, bool receive);
uint64_t *message(void); /* what calls and returns send */
struct cap_descriptor *descriptors(void);

struct ring_entry entry_call(uint32_t target, uint16_t question);
struct ring_entry entry_recv(uint32_t endpoint, uint16_t question);
struct ring_entry entry_return(uint32_t endpoint, uint32_t call_id);
struct ring_entry entry_return_rearm(uint32_t endpoint, uint32_t call_id, uint16_t question);
/* A call on pointer field `field` of the answer to `base`. */
struct ring_entry entry_pipelined(uint16_t base, uint16_t field, uint16_t question);
/* The same call, whose answer can be named until finish_answer. */
static inline struct ring_entry keep(struct ring_entry entry)
{
	entry.flags |= ENTRY_KEEP;
	return entry;
}
status_t finish_answer(uint16_t question);
/* The first capability of the answer to a call on this seat. */
uint32_t received_cap(uint16_t question);
/* Adds one descriptor to what an entry sends. */
void send_cap(struct ring_entry *entry, enum transfer_kind kind, uint32_t id);

static inline struct ring_entry entry_of(uint8_t op, uint32_t target)
{
	return (struct ring_entry){ .op = op, .target = target };
}
static inline struct ring_entry entry_cancel(uint16_t question)
{
	return (struct ring_entry){ .op = CAP_OP_CANCEL, .question = question };
}

/* Outcomes of an operation that is waited for, as one status. */
status_t release(uint32_t id);
uint32_t copy_of(uint32_t id); /* 0: refused */
uint32_t narrow_of(uint32_t id, uint64_t interface_id);

/* Whether an id is live: a call to it is refused for another reason than badCapability. */
bool is_live(uint32_t id);

static inline uint32_t reason_of(uint64_t detail)
{
	return (uint32_t)detail & 0xff;
}
static inline uint32_t class_of(uint64_t detail)
{
	return (uint32_t)(detail >> 8) & 0xff;
}

/* --- Objects ---------------------------------------------------------------------------------- */

uint32_t endpoint_new(void); /* with the sizes above; 0: refused */
uint32_t endpoint_sized(uint16_t words, uint8_t caps, uint16_t calls);
/* Mints an export with TEST_INTERFACE and its ancestor; 0: refused. */
uint32_t export_new(uint32_t endpoint, uint64_t tag, bool lasting);
status_t export_status(uint32_t endpoint, uint64_t tag, bool lasting, uint32_t *id);
/* One with an interface that has no ancestors. */
uint32_t export_of(uint32_t endpoint, uint64_t tag, const struct capnp_interface *interface);
/* As export_new, with a transfer scope. */
uint32_t export_scoped(uint32_t endpoint, uint64_t tag, enum transfer_scope scope);
uint32_t notification_new(void);
uint32_t info_exports(uint32_t endpoint);
uint32_t info_pending(uint32_t endpoint);
uint32_t info_in_service(uint32_t endpoint);

struct usage {
	uint64_t used[7];
};
/* What a process' ledger has in use. */
struct usage usage_of(struct process_handle_ref process);
struct usage usage_self(void);
/* Whether the ledger of this process comes to what it was; notes what differs. */
bool usage_settles(const struct usage *before);
uint64_t free_pages(void);
uint64_t now_ns(void);
void sleep_ns(uint64_t duration_ns);
/* The kernel walks all that it has. */
void kernel_check(void);

/* --- Children --------------------------------------------------------------------------------- */

#define OWN_THREADS UINT32_MAX
struct grant {
	const char *name;
	uint32_t id; /* 0: the child's own memory; OWN_THREADS: the making of its own threads */
};

struct child_spec {
	const char *file;        /* in the package; NULL: this very program */
	const char *role;        /* argv[1]; see role_main */
	const char *arg;         /* argv[2]; NULL none */
	struct grant grants[10]; /* name NULL ends them */
	const struct capnp_interface
			*interfaces[10]; /* what the child is told they are; NULL: nothing */
	const struct launch_limit *limits;
	uint32_t limit_count;
	uint32_t session; /* 0: ours */
};

/* Starts a child. Null reference: it could not be started. */
struct process_handle_ref child_start(const struct child_spec *spec);
status_t child_try(const struct child_spec *spec, struct process_handle_ref *process);

struct child_end {
	enum process_state state;
	int64_t status;
};
/* Waits for the end and gives the handle back. */
struct child_end child_finish(struct process_handle_ref process);
struct child_end child_wait(struct process_handle_ref process);
void child_kill(struct process_handle_ref process); /* and waits, and gives the handle back */

/* Roles of a program: what main does when it was started as a child. */
struct role {
	const char *name;
	int (*run)(const char *arg);
};
/* The child's part of main: does not return if this is a child. */
void role_main(int argc, char **argv, const struct role *roles, uint32_t count);

uint64_t number_of(const char *digits);

/* --- Chance, the same at every run ------------------------------------------------------------ */

struct chance {
	uint64_t state; /* not 0 */
};
uint64_t chance_next(struct chance *chance);
static inline uint32_t chance_below(struct chance *chance, uint32_t end)
{
	return (uint32_t)((chance_next(chance) >> 32) % end);
}

#endif
