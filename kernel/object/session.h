/*
 * Sessions: on whose behalf a process acts. Every process has one session for its whole life, chosen while it is built
 * (by default its maker's); the kernel knows nothing of people, accounts or policy.
 *
 * A service sees of its caller's session an opaque reference of 128 bits and an epoch. The reference is the same for all calls
 * of one session at one endpoint and says nothing at any other. The epoch rises when the session is renewed, so that what was
 * decided before can be decided anew.
 *
 * Logout ends a session for good: every grant that its processes hold is revoked with all that was derived from it,
 * what they wait for ends, and what reaches them later is revoked as it arrives.
 */
#ifndef KERNEL_OBJECT_SESSION_H
#define KERNEL_OBJECT_SESSION_H

#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"

struct process;

/*  I fixed after creation   a atomic   s under lock  */
struct session {
	struct object   object;
	struct spinlock lock;
	uint64_t        number;       /* I, no two sessions since boot share one */
	uint64_t        epoch;        /* a, from 1 */
	bool            ended;        /* a, once true stays true */
	struct list     waiters;      /* s, questions waiting for the end */
};

/* What a service may know of a session. */
struct session_reference {
	uint64_t low, high;
};

extern const struct object_type session_type;

/* The session of the first process, which never ends. */
struct session *session_system(void);

/* The reference of session `number` under a key of 256 random bits. */
struct session_reference session_reference_make(const uint32_t key[8], uint64_t number);

static inline bool session_has_ended(const struct session *session)
{
	return __atomic_load_n(&session->ended, __ATOMIC_ACQUIRE);
}

/* Ends the session; a second end changes nothing. Without locks. FAILED for the system's own. */
status_t session_end(struct session *session) MUST_USE;

/* SessionManager, which makes sessions. */
struct object *session_manager_object(void);

#endif
