/*
 * Endpoints and exports: where calls wait for a receiver and receivers wait for calls.
 *
 * An endpoint is the receive side of a service. Its exports are what clients hold: each has a tag
 * that names the server's object and a facet. One receive serves any number of exports. A call in
 * service has a service slot here, preallocated and paid for by the endpoint's maker; its call id
 * is slot and generation.
 *
 * One lock orders everything about a call from queueing to return: whoever holds it and finds the
 * call QUEUED or DELIVERED owns its completion.
 */
#ifndef KERNEL_OBJECT_ENDPOINT_H
#define KERNEL_OBJECT_ENDPOINT_H

#include "capnp/capnp.h"
#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"
#include "kernel/object/session.h"
#include "kernel/ring/ring.h"

struct call;
struct cap_entry;
struct facet;
struct facet_row;

#define RECV_HEADER_WORDS 8u
#define ENDPOINT_CALLS_MAX 1024u
#define ENDPOINT_CAPS_MAX 64u
#define SERVICE_SLOT_BITS 12
#ifndef SERVICE_GENERATION_BITS
#define SERVICE_GENERATION_BITS 20   /* narrowed by the tests */
#endif
#define SERVICE_SLOT_MASK ((1u << SERVICE_SLOT_BITS) - 1)
#define SERVICE_GENERATION_MASK ((1u << SERVICE_GENERATION_BITS) - 1)

enum service_state {
	SERVICE_FREE,
	SERVICE_ACTIVE,         /* `call` waits for the answer */
	SERVICE_ABANDONED,      /* the caller has gone; the server has been or will be told */
};

/* One call in service. Its id is the slot in the low bits, the generation above. */
struct service {
	enum service_state state;
	uint32_t           id;             /* of the call that it has or will have */
	uint32_t           next_free;
	struct list        event_link;     /* in the queue of cancelled calls to be told */
	struct question   *call;           /* ACTIVE */
	const struct process *server;      /* who received it; compared only */
	uint32_t           incarnation;    /* of the endpoint then */
	bool               is_plain;       /* ACTIVE, and the direct way can answer */
};

/*
 * A receiver that a server's answer armed stands by until anything else than a plain call comes:
 * the direct way (endpoint_fast.c) gives it the next call, with the service slot of the one
 * before, without any queue. Whoever else takes the lock, by endpoint_lock, finds it in
 * `receivers` and its slot free.
 *
 * I fixed after creation   e under lock   a atomic
 */
struct endpoint {
	struct object    object;
	struct spinlock  lock;
	struct ledger   *payer;                    /* I, counted: service slots */
	uint16_t         message_words;            /* I, largest call */
	uint16_t         calls;                    /* I, service slots */
	uint8_t          capabilities;             /* I, most capabilities a call may carry */
	bool             closed;                   /* e, once true stays true */
	bool             event_turn;               /* e, the next receiver gets an event if there is one */
	bool             pump_queued;              /* a, in a processor's list of endpoints to be pumped */
	struct endpoint *pump_next;                /* the next in that list */
	uint32_t         incarnation;              /* e, rises with each reset */
	struct process  *server;                   /* e, who received last, counted; NULL: not running */
	struct list      pending;                  /* e, QUEUED calls: the first of each calling ring, in turns */
	uint32_t         pending_count;            /* e, with their followers */
	struct list      receivers;                /* e, questions: armed receives */
	uint32_t         receiver_count;           /* e */
	struct service  *services;                 /* e, calls + 1; slot 0 unused */
	uint32_t         service_free;             /* e, slot; 0 none */
	uint32_t         service_count;            /* e */
	struct question *standby;                  /* e, the only receiver, asleep; or NULL */
	struct service  *standby_service;          /* e, ACTIVE, for the call to come */
	const struct process *plain_server;        /* e, `server` if nothing waits; or NULL */
	struct list      cancelled;                /* e, services to be told */
	struct list      idle_exports;             /* e, exports without holders to be told */
	struct export  **exports;                  /* e, by index; NULL: free */
	uint32_t         export_capacity;          /* e */
	uint32_t         export_count;             /* e */
	uint32_t         export_hint;              /* e, where to look for a free index */
	uint32_t         export_number;            /* e, of the export made last */
	struct list      waiters;                  /* e, questions waiting for the end */
	uint64_t         seen_session;             /* e, its number + 1, whose reference `reference` is; 0: none yet */
	struct session_reference reference;        /* e, of the session that called last */
	uint32_t         reference_key[8];         /* e, random; all zero before the first call */
	struct list      bindings;                 /* under the lock of bindings: those to the end */
};

/*  I fixed after creation   e under endpoint.lock  */
struct export {
	struct object    object;
	struct endpoint *endpoint;       /* I, counted */
	uint64_t         tag;            /* I */
	uint64_t         interface;      /* I, the object's own, of the facet it was minted with */
	uint8_t          scope;          /* I, enum transfer_scope */
	uint32_t         index;          /* I */
	uint32_t         incarnation;    /* I, 0: lasting */
	uint32_t         number;         /* I, no two exports of an endpoint share one (mod 2^32) */
	bool             retired;        /* e, no longer in `exports` */
	struct ledger   *payer;          /* I, counted: one export */
	struct list      idle_link;      /* e */
	struct list      waiters;        /* e, questions waiting for the end */
	struct list      bindings;       /* under the lock of bindings: those to the end */
};

extern const struct object_type endpoint_type;
extern const struct object_type export_type;

/* `payer` is charged one object and `calls` service calls. Counted reference. INVALID_ARGUMENT:
 * more than MESSAGE_WORDS_MAX words, ENDPOINT_CAPS_MAX capabilities or ENDPOINT_CALLS_MAX calls,
 * or no call. */
status_t endpoint_create(struct ledger *payer, uint16_t message_words, uint8_t capabilities, uint16_t calls,
		struct endpoint **endpoint, uint64_t *detail) MUST_USE;

/* Mints an export of an object whose own interface is `interface`: a counted reference, no hold
 * yet. Charges `payer` one export. */
status_t endpoint_export(struct endpoint *endpoint, struct ledger *payer, uint64_t tag, uint64_t interface, bool lasting,
		struct export **export, uint64_t *detail) MUST_USE;

/* Operations; each completes the entry or its question unless it answers a refusal. */
void endpoint_call(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target);
status_t endpoint_recv(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		uint64_t *detail) MUST_USE;
/* Answers a call; with flag REARM arms a receive if it answers OK. */
status_t endpoint_return(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		uint64_t *detail) MUST_USE;
/* Gives a call in service at `endpoint` on to the service behind `target`, which answers its
 * caller. OK: it has, or the entry's question waits for that service to take it; otherwise the
 * call stays open here (GONE: nobody waits for it). */
status_t endpoint_forward(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		struct cap_entry *target, uint64_t *detail) MUST_USE;
status_t endpoint_retire(struct endpoint *endpoint, uint64_t tag, uint64_t sequence) MUST_USE;

/* Next incarnation: calls in service end disconnected, receives are cancelled, exports that do not
 * last end. */
uint32_t endpoint_reset(struct endpoint *endpoint);
/* The end of the service: everything answers disconnected. */
void endpoint_close(struct endpoint *endpoint);
/* A process that may have received here has ended: its calls end disconnected. */
void endpoint_process_ended(struct endpoint *endpoint, const struct process *process);

/* Reads the rows of a facet that is claimed for an object, parameter `argument` of the call: 1 to
 * FACET_ROWS_MAX, no id twice, ancestors among them; INVALID_ARGUMENT. */
status_t facet_rows_read(struct call *call, uint32_t argument, struct capnp_list list, struct facet_row *rows) MUST_USE;

/* Whether `from` may give a capability to this object to `to` (NULL: to whoever comes): by the
 * scope that its service gave it. No lock of its endpoint is held, or the endpoint's own. */
bool export_may_cross(struct object *object, const struct process *from, const struct process *to);

/* Whether it depends on the session of its holder to whom the object may be given. */
bool export_keeps_to_session(struct object *object);

/* True if the capability is to a living export of this endpoint and as wide as that was minted:
 * its tag. A narrowed one is not, since the tag would stand for the whole object. For
 * transfer_deliver, lock held. */
bool export_is_served_by(struct object *object, const struct facet *facet, const struct endpoint *endpoint,
		uint64_t *tag);

/* Where calls through an export, or to an endpoint's exports, arrive. */
struct endpoint_view {
	struct object *endpoint;      /* borrowed from the object */
	uint32_t       server;        /* process id of who received last and still runs; 0: nobody */
	bool           ended;         /* the export or the whole endpoint */
};
/* False: the object is neither. */
bool endpoint_view(struct object *object, struct endpoint_view *view) MUST_USE;

void endpoint_check(struct endpoint *endpoint);

#endif
