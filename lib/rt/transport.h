/*
 * The ring as a transport of typed clients (lib/capnp/client.h).
 *
 * State is kept by question number. A call's entry is filled by send and handed to the kernel at
 * the latest by wait; a call that is waited for right after it was sent goes as a SYNC entry.
 */
#ifndef LIB_RT_TRANSPORT_H
#define LIB_RT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"
#include "capnp/capnp.h"
#include "capnp/client.h"
#include "rt/ring.h"

#define TRANSPORT_PARAM_CAPS 8u
#define TRANSPORT_REPLY_CAPS 4u

struct question {
	struct ring_operation operation;        /* first: completions lead here */
	enum question_state {
		QUESTION_FREE,
		QUESTION_BUILDING,
		QUESTION_SENT,
		QUESTION_ANSWERED,
	} state;
	status_t status;                        /* of the answer */
	struct ring_entry entry;                /* what will be sent; its constant part stays */
	struct client_ref base;                 /* the place that is called; null: entry.target */
	uint32_t entry_tail;                    /* sq_tail right after the entry was filled */
	uint32_t span_off;                      /* kept between calls, see transport.c */
	uint32_t span_words;                    /* 0: none, and the entry is not prepared */
	bool has_message;
	uint64_t detail;                        /* of a failure; 0 if the server answered */
	struct capnp_builder params;
	struct capnp_cap_slot param_slots[TRANSPORT_PARAM_CAPS];
	struct capnp_message reply;
	struct capnp_cap_slot reply_slots[TRANSPORT_REPLY_CAPS];
	client_then_fn *then;
	void *then_arg;
};

struct ring_transport {
	struct transport transport;
	struct ring *ring;
	struct ring_entry scalar_call;          /* what scalar calls have in common, SYNC */
	struct question questions[RING_QUESTIONS_MAX];
};

/* The calling thread's (self.h). */
struct transport *transport_self(void);

/* A transport over a ring that has been taken over. Zeroed memory. */
void ring_transport_init(struct ring_transport *self, struct ring *ring);

/* Keeps `detail` for rt_detail (capability.c). */
void detail_note(uint64_t detail);

#endif
