/*
 * Bindings: bits of a notification that an event sets by itself: the end of an object, a point of
 * time (once or again and again), an interrupt. Made by the methods of Signal (notification.c),
 * each a kernel object of its own.
 *
 * A binding ends when nobody holds it, when its event cannot come again, when either object ends,
 * when either grant it was made through is revoked, and with the process that made it. From then
 * on it sets nothing and keeps nothing but its record.
 */
#ifndef KERNEL_OBJECT_BINDING_H
#define KERNEL_OBJECT_BINDING_H

#include "kernel/core/list.h"
#include "kernel/object/object.h"

struct call;
struct capnp_cap;
struct cap_entry;
struct notification;
struct process;

#define BINDING_PERIOD_NS_MIN 1000000ull      /* nobody is charged for the time that firing takes */

extern const struct object_type binding_type;

/* When a timer fires. */
struct binding_times {
	uint64_t deadline_ns;
	uint64_t period_ns;      /* 0: once */
};

/*
 * Binds `bits` of the notification that was called to the event of `source`, whose type has
 * `bindings`, or to a time (`times`, not NULL). The binding is charged to the caller and put
 * among the results. An event that is there already fires at once.
 */
status_t binding_make(struct call *call, struct notification *notification, uint64_t bits, struct cap_entry *source,
		const struct binding_times *times, struct capnp_cap *cap) MUST_USE;

/* The event of these bindings has happened and may again. No lock is held. */
void bindings_fire(struct list *bindings);
/* It has happened for the last time: they end. No lock is held. */
void bindings_fire_last(struct list *bindings);
/* It will never happen: they end without setting anything. No lock is held. */
void bindings_end(struct list *bindings);
/* The same for bindings to a notification that nobody holds any more. */
void bindings_end_to(struct notification *notification);
/* Ends up to `budget` bindings that the process has made; true when there are none. */
bool bindings_end_of(struct process *process, uint32_t budget);
/* Ends those of a process that hang on a revoked grant; that of an object whose end was waited
 * for counts as that end. */
void bindings_end_revoked(struct process *process);

#endif
