/*
 * Processes: address space, capability table, ledger, threads, and an end that observers can wait for. A process is
 * also the kernel object behind ProcessHandle and ThreadSpawner.
 *
 * Ends are orderly: process_end marks it and hands it to the reaper, which gives everything back in
 * bounded steps; observers are told when nothing is left.
 */
#ifndef KERNEL_OBJECT_PROCESS_H
#define KERNEL_OBJECT_PROCESS_H

#include "capos/kernel.capnp.h"
#include "kernel/arch/arch.h"
#include "kernel/cap/cap_table.h"
#include "kernel/mm/vm.h"
#include "kernel/object/ledger.h"
#include "kernel/object/object.h"
#include "kernel/object/session.h"
#include "kernel/object/thread.h"

#define PROCESS_NAME_MAX 32      /* with the NUL */
#define PROCESS_LANES 4
#define CRASH_REGISTERS_MAX 20
#define CRASH_BACKTRACE_MAX 16

struct crash_info {
	uint32_t kind;               /* enum crash_kind */
	uint32_t vector;
	uint64_t error_code;
	uint64_t address;
	uint64_t instruction;
	uint64_t stack;
	uint32_t register_count;
	uint32_t backtrace_count;
	struct arch_register registers[CRASH_REGISTERS_MAX];
	uint64_t backtrace[CRASH_BACKTRACE_MAX];
};

enum process_phase {
	PROCESS_BUILDING,            /* has a builder, no running thread */
	PROCESS_RUNNING,
	PROCESS_ENDING,              /* on the reaper */
	PROCESS_ENDED,               /* everything given back; only the record remains */
};

/*  I fixed after creation   p under lock   t under process_tree_lock   x exclusive only  */
struct process {
	struct object     object;
	struct spinlock   lock;
	uint32_t          id;                       /* I */
	uint32_t          parent_id;                /* I */
	char              name[PROCESS_NAME_MAX];   /* I */
	struct ledger    *ledger;                   /* I, counted */
	struct vm        *vm;                       /* I, a kernel object, counted */
	struct session   *session;                  /* I once running, counted; NULL at the end */
	struct cap_table  caps;
	struct list       threads;                  /* p, thread.process_link: those that are not GONE, by rising id. Only
	                                             * thread_create adds and only the reaper takes out, so whoever is
	                                             * in the kernel may walk it */
	uint32_t          live_threads;             /* p, of these */
	struct sched_policy policy;                 /* x, of threads and processes that it will make */
	enum process_phase phase;                   /* p */
	enum process_state end_state;               /* p, exited, crashed or killed */
	int64_t           end_status;               /* p */
	struct crash_info *crash;                   /* p, NULL unless crashed */
	struct list       waiters;                  /* p, questions: wait and wait-for-death */
	struct list       bindings;                 /* under the lock of bindings: those it made */
	struct list       enders;                   /* under the lock of bindings: those to its end */
	struct list       tree_link;                /* t, all processes by rising id */
	struct list       lane_links[PROCESS_LANES]; /* t, some of them: see process_find */
	struct reaper_work reap_work;
	uint32_t          reap_step;                /* reaper only */
	uint32_t          reap_cursor;              /* reaper only */
	uint64_t          cpu_ticks;                /* p, of threads that are GONE */
};

extern const struct object_type process_type;
extern struct spinlock process_tree_lock;
extern struct list process_tree;

/* A process in phase BUILDING with its own ledger carved from `parent_ledger`. Counted reference. */
status_t process_create(const char *name, size_t name_bytes, uint32_t parent_id, struct session *session,
		struct ledger *parent_ledger, const uint64_t limit[LEDGER_CLASSES], struct process **process,
		uint64_t *detail) MUST_USE;
/* Makes the first thread and its ring and lets it run. Once. */
status_t process_start(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
		uint64_t *detail) MUST_USE;
/* Ends it with all its threads; a second end changes nothing. `crash` (consumed, may be NULL). */
void process_end(struct process *process, enum process_state state, int64_t status, struct crash_info *crash);
/* Why the process' capability does not answer any more, as a Reason. */
static inline uint32_t process_revoked_reason(const struct process *process)
{
	return session_has_ended(process->session) ? REASON_LOGGED_OUT : REASON_REVOKED;
}

/* After grants were marked as revoked: ends what hangs off them anywhere, mappings and what is waited for (with DISCONNECTED;
 * a wait for the end: OK), before anybody hears of it. Without locks. */
void processes_sweep_revoked(void);
/* The same for one process, but for mappings (vm_end_revoked). Without locks. */
void process_sweep_revoked(struct process *process);
/* The process with this id: counted reference, or NULL. `at_least`: the first with an id not below. */
struct process *process_find(uint32_t id, bool at_least);

/* The first process: its end is the end of the system. */
void process_set_init(const struct process *process);

/* Before it starts: another session. FAILED with REASON_LOGGED_OUT when that has ended. */
status_t process_set_session(struct process *process, struct session *session, uint64_t *detail) MUST_USE;

struct crash_info *crash_info_create(void) MUST_USE;   /* NULL: no memory */
void crash_info_destroy(struct crash_info *crash);     /* may be NULL */
void process_destroy(struct object *object);

/* Its threads: the one after `thread` (NULL: the first), or NULL. */
struct thread *process_next_thread(const struct process *process, const struct thread *thread);
/* The one with this id, if it lives. Borrowed. */
struct thread *process_thread_find(const struct process *process, uint32_t id);
/* The only one that lives; NULL: there are several, or none. */
static inline struct thread *process_only_thread(const struct process *process)
{
	return process->live_threads == 1 ? process_next_thread(process, NULL) : NULL;
}
/* Processor time of all of them so far. */
uint64_t process_ticks(const struct process *process);

void process_check(struct process *process);

#endif
