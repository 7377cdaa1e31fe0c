/*
 * Serving: an event loop, endpoints on it, the objects behind an endpoint's exports, and the calls
 * that arrive for them.
 *
 *   loop ---- server (one endpoint) ---- objects (one export each)
 *        |                          \--- calls (in service: being handled, or deferred)
 *        |--- timers
 *        |--- watches (bits of a notification, the end of an object)
 *        \--- callbacks of started client calls (`_then`)
 *
 * A loop belongs to one thread and runs everything on it, one thing after the other; nothing here
 * is called from elsewhere. Handlers may make blocking calls to objects of other processes; while
 * one waits, the loop does not serve. A call to an object of the same process would wait for
 * itself and answers wouldDeadlock.
 *
 * Storage is the caller's: structs below are embedded or static and must stay in place while in
 * use.
 */
#ifndef LIB_RT_SERVER_H
#define LIB_RT_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "capnp/capnp.h"
#include "capnp/client.h"
#include "capnp/server.h"
#include "rt/ring.h"

/* What an endpoint takes by convention: whoever makes an endpoint with ObjectFactory for a server
 * of this runtime passes these, and loop_serve offers room for as much. */
#define SERVER_MESSAGE_WORDS 256u
#define SERVER_MESSAGE_CAPS  8u
#define SERVER_CALLS         32u

/* How many of these may wait for something that need not come, so that there is always room for calls
 * that are answered at once: see call_may_wait. */
#define SERVER_WAITING_MAX   24u

struct loop;
struct server;
struct call;

/* --- Objects -------------------------------------------------------------------------------- */

/* What a kind of object does. Make one with SERVER_CLASS. */
struct server_class {
	const struct capnp_interface *interface;
	status_t (*dispatch)(void *self, struct call *call, uint64_t interface_id, uint16_t method);
	/* Nobody holds a capability to the object any more and nobody can again: its export has
	 * ended. The object may be freed or exported afresh. NULL: nothing to do. */
	void (*on_no_holders)(void *self);
};

/* Defines `static const struct server_class name` for interface `type` of a generated X.server.h
 * with the table of handlers `&table` (struct <type>_server):
 *     SERVER_CLASS(account_class, account, account_handlers, account_on_no_holders); */
#define SERVER_CLASS(name, type, table, no_holders)                                            \
	static status_t name##_dispatch(void *self, struct call *call, uint64_t interface_id,  \
			uint16_t method)                                                       \
	{                                                                                      \
		return type##_dispatch(&(table), self, call, interface_id, method);            \
	}                                                                                      \
	static const struct server_class name = { &type##_interface, name##_dispatch,          \
		(no_holders) }

/* What an object's stream calls are at: see server_stream.c. All zero for most objects at most
 * times. */
struct object_stream {
	const struct server_class *class; /* the object's own, while its calls wait or fail */
	struct call *running;             /* a stream call that is deferred */
	struct call *first;               /* calls that wait for it, in order */
	struct call *last;
	char *sentence;  /* of the failure; on the heap, or NULL */
	status_t broken; /* what a stream call failed with */
};

/* One object that capabilities lead to; embed it, all zero at first. */
struct server_object {
	const struct server_class *class;
	void *self;                     /* what handlers get */
	struct server *server;          /* NULL while there is no export */
	uint64_t tag;
	struct server_object *next_root;
	uint32_t mark;
	struct object_stream stream;
};

/* The object behind a tag that came home to this process; NULL if there is none. */
struct server_object *server_object_of_tag(uint64_t tag);

/* Answers for a capability that somebody else minted with a small tag (below 2^63): init gives the
 * interfaces in `provides` of the manifest the tags 0, 1, ... (perClient objects:
 * (client + 1) << 16 | number). */
void server_root(struct server *server, struct server_object *object, uint64_t tag,
		const struct server_class *class, void *self);

/* Mints a capability to an object. The caller owns it and normally gives it away in a result;
 * while the caller keeps it, the object has a holder. May be repeated for the same object. */
MUST_USE status_t server_export(struct server *server, struct server_object *object,
		const struct server_class *class, void *self, uint32_t *capability);

/*
 * Methods `-> stream`. A handler answers or defers like any other, and the runtime sees to the
 * rest: while a stream call to an object is deferred, the object's next calls wait, all of them, in
 * the order in which they came; after one that failed (and was not cancelled) every call to the
 * object fails with the same exception, and runs nothing. Both go by the object and not by the
 * caller, since a server does not know who calls: give each client an object of its own, from a
 * method like `open`, and let it go when the client lets go.
 */

/* Lets calls to an object run again after a stream call that failed: for an object that many
 * share, whose server knows that nobody relies on what was lost. */
void server_object_mend(struct server_object *object);

/* --- Calls ---------------------------------------------------------------------------------- */

/* A session as this process may know it: opaque, comparable, the same for all calls of one caller's
 * session. All zero while the system has no sessions. */
struct call_session {
	uint64_t low;
	uint64_t high;
	uint64_t epoch;
};

/* call_params and call_results are declared in capnp/server.h. Parameters, with everything
 * borrowed from them, end when the handler returns, also when the call is deferred. */

uint64_t call_tag(const struct call *call);
struct call_session call_session(const struct call *call);

/* Capabilities among the parameters: a reference that is good until the handler returns, or one
 * that the server owns from then on. Both are null for a null capability and for one of the
 * server's own. */
struct client_ref call_borrow(struct call *call, struct capnp_cap cap);
struct client_ref call_take(struct call *call, struct capnp_cap cap);

/* The object of this server, of that class, behind a capability among the parameters (a
 * capability that comes home takes no place in the table); NULL if it is anything else. */
void *call_own_object(struct call *call, struct capnp_cap cap, const struct server_class *class);

/* A capability for a setter of the results: call_give parts with the server's own (which it keeps
 * if the answer cannot be delivered: it is released then), call_copy keeps it. */
struct capnp_cap call_give(struct call *call, struct client_ref ref);
struct capnp_cap call_copy(struct call *call, struct client_ref ref);

/* Exports the object (see server_export) and gives the capability. Null, with the failure in
 * *status, if that fails. */
struct capnp_cap call_export(struct call *call, struct server_object *object,
		const struct server_class *class, void *self, status_t *status);

/* Whether one more call may be deferred for as long as its caller likes. If not, the handler answers
 * STATUS_OVERLOADED: else whoever lets many calls wait would keep the service from everybody. */
bool call_may_wait(const struct call *call);

/* The handler returns STATUS_OK and the call stays open. Answer it later, exactly once, from the
 * loop's thread: build results with call_results (through the generated results root) and call
 * call_answer. Deferring cannot fail. */
void call_defer(struct call *call);

/* Answers a deferred call: STATUS_OK sends the results built, an exception status sends that. The
 * call must not be used afterwards. */
void call_answer(struct call *call, status_t status);

/*
 * Gives a call whose handler runs on to another service, as it arrived: `return call_forward(call,
 * target);`. That service answers the caller itself, within the deadline and the room that the
 * caller gave; this one has nothing more to do with it. Capabilities that the handler took
 * (call_take) go as null. `target` stays the caller's and may be released at once.
 * Answers STATUS_OK, or why nothing was done: STATUS_OVERLOADED (as where call_may_wait is false,
 * or the ring has no room), STATUS_DISCONNECTED (target is null). What the new service refuses its
 * caller is told: an interface it does not have, a message that is too large. A kernel object is
 * no service: STATUS_UNIMPLEMENTED.
 */
MUST_USE status_t call_forward(struct call *call, struct client_ref target);

/* Fails a call with a sentence of the server's: `return call_fail(call, STATUS_FAILED, "no ...");`
 * in a handler, `call_answer(call, call_fail(call, ...))` for a deferred one. Answers `status`. */
status_t call_fail(struct call *call, status_t status, const char *sentence);

/* Asks to be told when the caller of a deferred call has gone or cancelled. The call must still be
 * answered (from `fn` or later); the answer goes nowhere. */
void call_on_cancel(struct call *call, void (*fn)(struct call *call, void *context),
		void *context);

/* --- Timers and watches --------------------------------------------------------------------- */

struct loop_timer {
	uint64_t deadline_ns;
	void (*fn)(void *context);
	void *context;
	struct loop_timer *next;
	bool armed;
};

struct loop_watch {
	struct ring_operation operation;
	/* status: STATUS_OK, or why the wait ended otherwise. bits: taken from the notification,
	 * by one signal or several. */
	void (*fn)(void *context, status_t status, uint64_t bits);
	void *context;
	uint64_t mask;                  /* 0: the end of the object */
	uint32_t capability;
	uint16_t question;
	bool armed;
};

/* Runs fn once, after `delay_ns`. Needs the "timer" grant. An armed timer is set anew. */
MUST_USE status_t loop_after(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns,
		void (*fn)(void *context), void *context);
/* The same at an absolute monotonic time; needs no grant. */
void loop_at(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns,
		void (*fn)(void *context), void *context);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

/* Runs fn each time bits of the mask were set, until loop_watch_stop or a failure. */
MUST_USE status_t loop_watch_bits(struct loop *loop, struct loop_watch *watch,
		uint32_t notification, uint64_t mask,
		void (*fn)(void *context, status_t status, uint64_t bits), void *context);
/* Runs fn once, when the object has ended. */
MUST_USE status_t loop_watch_end(struct loop *loop, struct loop_watch *watch, uint32_t capability,
		void (*fn)(void *context, status_t status, uint64_t bits), void *context);
/* fn will not run again. Waits for the kernel to let go. */
void loop_watch_stop(struct loop_watch *watch);

/* --- The loop ------------------------------------------------------------------------------- */

void loop_init(struct loop *loop);

/* Begins to receive at an Endpoint capability (borrowed until the loop ends). */
MUST_USE status_t loop_serve(struct loop *loop, struct server *server, uint32_t endpoint);

/* Serves until loop_stop; answers the status given there. Ends by itself with STATUS_DISCONNECTED
 * when the only endpoint was closed or taken away, with STATUS_OK when nothing is left to wait
 * for. */
MUST_USE status_t loop_run(struct loop *loop);

/* Lets loop_run return once the present handler is done. */
void loop_stop(struct loop *loop, status_t status);

/* --- Layouts: fields are the runtime's own -------------------------------------------------- */

enum call_state {
	CALL_FREE,
	CALL_HANDLING, /* its handler runs, on what was received; or it is ready for the next */
	CALL_WAITING,  /* for a stream call to the same object */
	CALL_RESUMED,  /* its handler runs, on what was kept while it waited */
	CALL_DEFERRED,
	CALL_FORWARDING, /* until another service has it */
	CALL_RETURNING,
};

struct call {
	struct ring_operation operation;        /* of a return that is waited for, or of the turn to run */
	struct server *server;
	struct call *next_free;
	struct call *next_waiting;
	struct call_kept *kept;                 /* what it carries, while it waits */
	uint64_t interface_id;                  /* of a call that is resumed or forwarded */
	uint64_t tag;                           /* of a call that was set aside */
	struct call_session session;            /* likewise */
	uint32_t id;                            /* once it is more than handled */
	enum call_state state;
	uint16_t method;                        /* as interface_id */
	uint16_t question;                      /* of the forward under way */
	uint32_t is_unusual;                    /* more than results without capabilities in the server's own
	                                         * span */
	uint16_t reply_words;                   /* what the caller of a deferred call offers */
	uint8_t reply_caps;
	bool has_results;                       /* the builder is ready */
	bool failed_in_words;                   /* the results are an Exception */
	bool is_refusal;                        /* the return carries nothing but a code */
	bool cancelled;
	bool is_stream; /* a stream method's handler has run or runs, and the answer is to come */
	uint32_t span_off; /* words; of the results if not the server's own span */
	uint32_t span_words;                    /* 0: none */
	struct capnp_builder results;
	struct capnp_cap_slot result_slots[SERVER_MESSAGE_CAPS];
	void (*on_cancel)(struct call *call, void *context);
	void *context;
};

struct server {
	struct ring_operation receive;
	struct loop *loop;
	struct server *next;
	uint32_t endpoint;
	uint32_t call_id; /* of the call that is handled, or was returned with re-arm; 0: a refusal */
	uint32_t receive_off;                   /* words; span of the one receive */
	uint32_t results_off;                   /* words; span of results that are sent at once */
	const struct recv_header *header;       /* of what was received */
	uint32_t sent_off;                      /* a larger one, until the kernel has read it */
	uint32_t sent_words;
	uint32_t is_unready;                    /* such words are to be given back, or no call is ready */
	uint16_t question;
	bool armed;                             /* kept in debug builds */
	bool closed;
	struct call *handling;                  /* what the next handler gets, ready; NULL: none is */
	struct call *free_calls;
	const struct server_object *recent;     /* whom the last call was for; never NULL */
	uint32_t deferred;                      /* calls in state CALL_DEFERRED, CALL_WAITING or CALL_FORWARDING */
	struct ring_entry rearm;                /* SYNC return that receives again, but for the answer */
	struct capnp_message params;            /* of the call being handled; otherwise without capabilities
	                                         * and well-formed */
	struct capnp_cap_slot param_slots[SERVER_MESSAGE_CAPS];
	struct call calls[SERVER_CALLS];
};

struct loop {
	struct server *servers;
	struct server *sync_server;             /* its receive was filled to be waited for alone */
	struct loop_timer *timers;              /* by deadline */
	bool stopped;
	uint32_t is_busy;                       /* stopped, or with a timer */
	status_t status;
};

#endif
