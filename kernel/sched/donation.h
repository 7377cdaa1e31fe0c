/*
 * Which context a thread runs on. Its own, if one is bound to it. Else, while it works for a thread
 * that sleeps for it in a synchronous call, that one's: the caller *donates* it, along any number
 * of nested calls up to DONATION_DEPTH_MAX, until its call has ended, however it does. A passive
 * thread runs on nothing else but its reserve. Everything here is in the exclusive mode.
 *
 * The design is settled by tests/models/donation.pml, where names are the same.
 * Always true: `donor` and `donee` name each other; a donor sleeps in a synchronous call that the
 * donee has received; a thread whose `is_special` is false has none of all this.
 */
#ifndef KERNEL_SCHED_DONATION_H
#define KERNEL_SCHED_DONATION_H

#include "kernel/object/thread.h"

struct scheduling_context;

#define DONATION_DEPTH_MAX 16u

/* What the thread is to run on now; NULL: on nothing, like any other thread. */
struct scheduling_context *thread_context(const struct thread *thread);
/* Whose context that is, if it was donated: the first of the chain; else NULL. */
struct scheduling_context *thread_donated(const struct thread *thread);

/* `server` has received the synchronous call of `caller`, perhaps forwarded by another, and is given
 * what the caller has, if anything. */
void donation_pass(struct thread *caller, struct thread *server);
/* The synchronous call of `caller` has ended. */
void donation_end(struct thread *caller);
/* It will never run again. */
void donation_thread_ended(struct thread *thread);

/* Neither has another context; the thread is not passive. */
void context_bind(struct scheduling_context *context, struct thread *thread);
void context_unbind(struct scheduling_context *context);
/* Makes a thread without a context passive, with this reserve. */
void context_back(struct scheduling_context *context, struct thread *thread);
/* It is passive no more. */
void context_release(struct thread *thread);
/* For good: whom it was bound to and whom it backed run like any other. */
void context_end(struct scheduling_context *context);

#endif
