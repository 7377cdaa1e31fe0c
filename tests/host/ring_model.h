/*
 * The reference graph: what the kernel must hold after each entry, kept by other code than the kernel's. Processes, what they
 * hold by which id and as which facet, who gave it to whom, objects with their holds, exports, calls that wait or are in
 * service, questions in flight, ledgers.
 *
 * ring_model.c keeps the graph and compares it with the kernel's tables; ring_oracle.c plays the entries of a batch again and says
 * whether each completion is one that they allow.
 * Always true: the graph is what the kernel's must be whenever no batch is being played.
 */
#ifndef TESTS_HOST_RING_MODEL_H
#define TESTS_HOST_RING_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/object/endpoint.h"
#include "tests/host/machine.h"
#include "tests/ring/actor.h"

#define MODEL_SLOTS    4096u     /* table slots of a process */
#define MODEL_CAPS     64u       /* capabilities of a call that waits */
#define MODEL_EXPECTED 256u
#define MODEL_EVENTS   2048u
#define SNAP_WORDS     128u
#define JOURNAL_AFTER  UINT32_MAX

/* --- Ledgers ------------------------------------------------------------------------------------ */

struct mledger {
	struct mledger *parent;
	struct mledger *next;                     /* all of them */
	bool            closed;
	uint64_t        limit[LEDGER_CLASSES];
	uint64_t        used[LEDGER_CLASSES];     /* while open */
};

struct mledger *mledger_new(struct mledger *parent, const uint64_t limit[LEDGER_CLASSES]);
void mledger_close(struct mledger *ledger);
/* The nearest ancestor that is open. */
struct mledger *mledger_above(const struct mledger *ledger);
/* Its parent has as much; less than what is in use, with what is set aside, is that. */
void mledger_set_limit(struct mledger *ledger, uint32_t class_, uint64_t limit, uint64_t aside);
bool mledger_has(const struct mledger *ledger, uint32_t class_, uint64_t count);
void mledger_charge(struct mledger *ledger, uint32_t class_, uint64_t count);
void mledger_refund(struct mledger *ledger, uint32_t class_, uint64_t count);

/* --- Facets ------------------------------------------------------------------------------------- */

struct mfacet {
	uint32_t count;
	struct { uint64_t id; uint16_t methods; } rows[2];
};

/* The facet of a kernel interface with this id; NULL: unknown to the model. */
const struct mfacet *mfacet_of(uint64_t interface);
extern const struct mfacet mfacet_export_wide, mfacet_export_single;
/* NULL: the facet does not have the interface. */
const struct mfacet *mfacet_narrow(const struct mfacet *facet, uint64_t interface);
bool mfacet_has_method(const struct mfacet *facet, uint64_t interface, uint16_t method);
bool mfacet_has(const struct mfacet *facet, uint64_t interface);

/* --- Objects ------------------------------------------------------------------------------------ */

enum mtype { M_ROOT, M_ENDPOINT, M_EXPORT, M_NOTIFICATION, M_PROCESS, M_BUILDER, M_MEMORY, M_SPACE };

struct mproc;
struct mquestion;

struct mservice {
	enum service_state state;
	uint32_t           generation;
	bool               told;          /* ABANDONED: the server knows */
	struct mquestion  *call;
	struct mproc      *server;
	uint32_t           incarnation;
};

struct mobj {
	enum mtype      type;
	struct object  *kernel;           /* NULL: not seen yet */
	struct list     link;             /* all objects */
	uint32_t        holds;
	uint32_t        refs;             /* all holds together are one */
	struct mledger *payer;
	uint64_t        pages, bytes;     /* memory */
	struct mproc   *process;          /* process, builder, space */
	/* notification */
	uint64_t        bits;
	/* endpoint */
	uint16_t        message_words, calls;
	uint8_t         capabilities;
	bool            closed;
	uint32_t        incarnation;      /* of an export: 0 lasting */
	struct mproc   *server;
	struct list     receivers, pending, exports;
	struct mservice *services;
	/* export */
	struct mobj    *endpoint;
	struct list     export_link;
	uint64_t        tag;
	uint64_t        sequence;         /* 0: not told yet */
	bool            retired, idle, told;
	const struct mfacet *facet;
};

struct mobj *mobj_new(enum mtype type, struct mledger *payer);
void mobj_get(struct mobj *obj);
void mobj_put(struct mobj *obj);
void mobj_hold(struct mobj *obj);
void mobj_unhold(struct mobj *obj);

/* --- Grants and capabilities -------------------------------------------------------------------- */

struct mgrant {
	struct mgrant *parent;
	struct list    link;              /* all grants */
	uint32_t       uses, children, granter;
	bool           revoked;
	uint64_t       name;              /* as the manager says it; 0: not seen */
	struct grant  *kernel;            /* of the comparison that runs */
	uint64_t       compared;
};

struct mcap {
	uint32_t             id;
	uint8_t              state;       /* enum cap_state */
	uint64_t             freed_at;    /* insertions of this process until then, plus free slots */
	struct mobj         *object;
	const struct mfacet *facet;
	struct mgrant       *grant;
};

void mgrant_use(struct mgrant *grant);
void mgrant_unuse(struct mgrant *grant);
/* The name of the kernel's grant, as the manager says it. */
uint64_t mgrant_name(const struct grant *grant);
bool mgrant_is_below(const struct mgrant *grant, const struct mgrant *root);
/* How many were marked newly. */
uint32_t mgrant_revoke(struct mgrant *root, bool self);

/* --- Questions and processes -------------------------------------------------------------------- */

enum mstate {
	MQ_FREE,
	MQ_KEPT,           /* answered, and its answer can be named */
	MQ_HELD,           /* waits for the answer to another */
	MQ_RETURNING,      /* its outcome is known, but other things come first */
	MQ_FORWARDED,      /* who forwarded it waits, QUEUED, in its place */
	MQ_QUEUED,
	MQ_DELIVERED,
	MQ_RECV,
	MQ_BITS,
	MQ_DEATH,
	MQ_SLEEP,
	MQ_PROCESS,
	MQ_PARK,
};

struct mitem {
	struct mobj         *object;      /* NULL: the null capability, or one still to come */
	uint16_t             base;        /* of one still to come: the question in whose answer it will be */
	uint16_t             path_len;    /* 0: it is not */
	uint16_t             path[4];
	const struct mfacet *facet;
	struct mgrant       *grant;
	struct mcap         *moving;
};

/* A completion that is due. `words` and so on only where `answer`. */
struct mexpected {
	uint64_t user_data;
	uint64_t statuses;                /* allowed: bits by status_bit */
	bool     sync;
	bool     answer;
	uint16_t flags;
	uint16_t msg_words;
	uint16_t cap_count;
	uint64_t message_of;              /* user data whose actor_word the message is; 0: not compared */
	uint32_t reply_off, reply_caps;
	uint32_t item_count;
	struct mitem items[MODEL_CAPS];
	uint32_t granter;
};

struct mquestion {
	enum mstate       state;
	struct mproc     *process;
	struct ring_entry entry;
	struct list       link;           /* receivers or pending of the endpoint, or held by another question */
	struct list       held;           /* calls on its answer */
	uint32_t          named;          /* capabilities of its answer that held calls carry */
	uint32_t          promised;       /* HELD: capabilities that it carries and that are still to come */
	status_t          broken;         /* HELD: with what the first answer ended that brings none of them; OK */
	struct mquestion *next_settling;  /* RETURNING */
	struct mquestion *forward;        /* of a FORWARDED call that of who forwarded it, and of that the call */
	struct ring_completion answer;    /* KEPT and RETURNING */
	struct mexpected due;             /* RETURNING */
	struct mobj      *object;         /* where it waits, a reference; a call's is its endpoint, without one */
	struct mobj      *export;         /* held */
	struct mgrant    *grant;
	uint32_t          reserved;
	uint32_t          service;
	uint32_t          incarnation;
	uint64_t          arrival;
	uint64_t          deadline_ns;
	bool              patterned;      /* the message is actor_word */
	uint32_t          item_count;
	struct mitem      items[MODEL_CAPS];
};

/* An entry in the submission queue, with what it points to as it was before the kernel saw it. */
struct mentry {
	struct ring_entry entry;
	uint64_t          message[SNAP_WORDS];
	uint64_t          descriptors[SNAP_WORDS];
};

/* A completion, as the kernel made it; see ring_journal.c. */
struct mevent {
	struct mproc     *process;
	struct ring_completion completion;
	bool              sync;           /* in the reply slot */
	bool              taken;          /* accounted for */
	uint32_t          step;           /* the entry of the batch that was performed, from 1; JOURNAL_AFTER: none any more */
	uint64_t          now_ns;
	struct mquestion *call;           /* of a receive: what it received; NULL: an event */
};

/* A delivery that the journal has seen: of the call with this user data. */
struct mdelivered {
	uint64_t             user_data;
	uint32_t             id;
	const struct object *endpoint;
};

enum mphase { MP_BUILDING, MP_RUNNING, MP_ENDING, MP_ENDED };

struct mproc {
	struct mobj       obj;            /* the process as an object; payer is its parent's */
	struct list       link;           /* all processes that have not ended */
	uint32_t          id;
	enum mphase       phase;
	struct mledger   *ledger;
	struct mobj      *space;
	struct process   *kernel;
	bool              kernel_lives;   /* the kernel still has it */
	struct ring      *ring;           /* while RUNNING */
	struct actor     *actor;
	uint32_t          inserted;       /* into the table, ever */
	uint32_t          slots_seen;     /* no slot at or above is used */
	uint32_t          in_flight;
	uint32_t          cq_seen;        /* completions accounted for */
	uint32_t          cq_journal;     /* completions that the journal has */
	uint64_t          sync_sent;      /* the SYNC entry whose outcome the journal waits for; 0: none */
	struct mdelivered delivered[RING_QUESTIONS];
	uint32_t          cq_head;        /* what the program has read, as it entered last */
	uint32_t          sq_head, sq_tail;
	struct mquestion *sync;
	struct list       stalled;        /* HELD calls whose target is known, as they were sent */
	bool              is_settling;    /* in the list of those whose stalled calls are looked at */
	struct mproc     *next_settling;
	struct mentry     sq[RING_SQ_ENTRIES];
	struct mquestion  q[RING_QUESTIONS];
	uint32_t          expected_count;
	struct mexpected  expected[MODEL_EXPECTED];
	struct mcap       slots[MODEL_SLOTS];
	/* What it entered with last. */
	bool              entered, entered_sync;
	uint64_t          min_complete, deadline_ns;
	int64_t           entered_result;   /* decided at once; see ring_oracle.c */
	bool              refused_enter;
};

struct model {
	struct list     processes;
	struct list     objects;
	struct list     grants;
	struct mledger *root;
	struct mledger *ledgers;
	uint64_t        arrivals;
	uint64_t        looks;
	struct mquestion *settling;       /* the question whose held calls start next, and others that go on after it */
	struct mproc   *settling_stalled; /* processes whose stalled calls may start */
	bool            is_settling;
	uint32_t        look_every;       /* how often it is asked whether something that waits need not */
	uint64_t        compares;
	uint64_t        entries;          /* taken by the kernel */
	uint64_t        refused;
	uint64_t        course;           /* a hash of every completion, in the order in which they were accounted for */
	uint64_t        outcomes[17][64]; /* refusals by operation (16: others) and status + 32; STATUS_OK: accepted */
	uint64_t        delivered, answered, events;
	uint64_t        forwarded;        /* and delivered */
	uint64_t        reported;         /* by waits that go on */
	uint64_t        promised;         /* capabilities that came with answers */
	uint64_t        held, started;    /* calls on answers to come, and those of them that came to an object */
	struct mevent   journal[MODEL_EVENTS];
	uint32_t        journal_count;
	uint32_t        step;             /* events of later steps are not looked at yet */
	bool            kept_shows;       /* slots that the direct way keeps have changed an outcome */
	uint64_t        entered_ns;       /* when the batch that is played entered the kernel */
	bool            unsettled;        /* an ended process still holds part of its maker's ledger */
};
extern struct model model;

void model_init(struct mledger *root);
void model_fini(void);

/* A process with id `id`; its table is empty. */
struct mproc *mproc_new(struct process *kernel, struct mledger *parent, const uint64_t limit[LEDGER_CLASSES]);
void mproc_started(struct mproc *process);
/* The entry of an id whatever its state, or NULL. */
struct mcap *mcap_find(struct mproc *process, uint32_t id);
/* Enters a new id; consumes nothing, takes a hold. `grant`: shared; NULL: a new one below `parent`. */
void mcap_insert(struct mproc *process, uint32_t id, struct mobj *object, const struct mfacet *facet, struct mgrant *grant,
		struct mgrant *parent, uint32_t granter);
/* Empties the slot without the consequences for the object's hold, which is handed to the caller. */
struct mobj *mcap_remove(struct mproc *process, struct mcap *cap);
bool mproc_holds(const struct mproc *process, const struct mobj *object);

/* Compares everything with the kernel; fails on a difference. */
void model_compare(void);
NORETURN void model_fail(const char *format, ...) PRINTF_LIKE(1, 2);
#define MODEL_ASSERT(condition, ...) \
	do { \
		if (!(condition)) \
			model_fail(__VA_ARGS__); \
	} while (0)

/* --- ring_journal.c ----------------------------------------------------------------------------- */

/* The lock is about to be let go: hook of the machine. */
void journal_unlocked(struct spinlock *lock);
/* The kernel has performed the batch and goes on to others: hook of the machine. */
void journal_batch_done(void);

/* --- ring_oracle.c ------------------------------------------------------------------------------ */

/* The actor of `process` has published its batch and is about to enter the kernel with this. */
void oracle_before(struct mproc *process, struct actor_enter enter);
/* The kernel has come back and has taken ended processes apart. */
void oracle_after(struct mproc *process, struct actor_enter enter);
/* The process ended itself (system call exit). */
void oracle_exited(struct mproc *process);
/* Completions that time alone brought. */
void oracle_time(void);
/* It is the process' turn again: what cap_enter answered it. */
void oracle_resumed(struct mproc *process, int64_t result);

/* Consequences that the graph has by itself, called by ring_model.c. */
void oracle_last_hold(struct mobj *obj);

static inline uint64_t status_bit(status_t status)
{
	return 1ull << (status + 32);
}

#endif
