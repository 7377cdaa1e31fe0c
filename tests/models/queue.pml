/*
 * The descriptor queue of lib/queue: a producer and a consumer who share two lines and the descriptors, and sleep
 * until they are signalled. README.md says which name is which.
 *
 * Each access to shared memory is one step. A full fence is nothing here, where accesses are seen in program order; what would
 * happen without it is a mutant.
 *
 * Variants HOSTILE_PRODUCER and HOSTILE_CONSUMER: in the place of that side somebody who writes any index and any wake_at
 * at any time.
 */
#include "check.pml"

#define ENTRIES 2
#define INDEX   7                /* indices run freely modulo 8 here, 2^32 there */
#define START   6                /* and come by their end soon */
#ifndef SENT
#define SENT    4                /* descriptors that the producer has to send; descriptor n says n */
#endif

/* Safety */
#define BOUNDS   1               /* freed <= published <= filled <= freed + entries; freed <= taken <= published <= freed + entries */
#define IN_ORDER 2               /* each descriptor is received once, in order, as it was sent */
#define BELIEVED 3               /* an honest peer's index is never refused */
#define WAKES    4               /* nobody sleeps when nothing moves any more and what it sleeps for is there */

/* Shared: the two lines and the descriptors */
byte producer_index = START, producer_wake_at = START, consumer_index = START, consumer_wake_at = START;
byte descriptor[ENTRIES];

/* Private to the producer: struct queue_producer */
byte filled = START, p_published = START, p_freed = START;
/* Private to the consumer: struct queue_consumer */
byte taken = START, c_freed = START, c_published = START;

/* The notifications; what each sleeps for, 0: it is awake */
bool producer_signal, consumer_signal;
byte producer_wants, consumer_wants;
/* What happened */
byte sent, received;

#define COUNT(from, to) (((to) - (from)) & INDEX)

inline check_producer()
{
	ALWAYS(BOUNDS, COUNT(p_freed, p_published) <= COUNT(p_freed, filled) && COUNT(p_freed, filled) <= ENTRIES)
}

inline check_consumer()
{
	ALWAYS(BOUNDS, COUNT(c_freed, taken) <= COUNT(c_freed, c_published) && COUNT(c_freed, c_published) <= ENTRIES)
}

/* look: believes the peer's index if it is one */
inline look(index, believed, limit)
{
	if
#ifdef MUTANT_BELIEVES
	:: true -> believed = index
#else
	:: COUNT(believed, index) <= COUNT(believed, limit) -> believed = index
#endif
	:: else ->
#if !defined(HOSTILE_PRODUCER) && !defined(HOSTILE_CONSUMER)
		ALWAYS(BELIEVED, false);
#endif
		skip
	fi
}

/* passes: whether moving an index from `before` to `after` passed the place where the peer wants to be woken */
#define PASSES(wake_at, before, after) (COUNT(before, wake_at) < COUNT(before, after))

/* --- The producer ----------------------------------------------------------------------------------- */

#define ROOM_KNOWN (ENTRIES - COUNT(p_freed, filled))

#ifdef MUTANT_LIMIT_IS_FILLED
#define PRODUCER_LIMIT filled
#else
#define PRODUCER_LIMIT p_published
#endif
#ifdef MUTANT_LIMIT_ONE_SHORT
#define CONSUMER_LIMIT ((c_freed + ENTRIES - 1) & INDEX)
#else
#define CONSUMER_LIMIT ((c_freed + ENTRIES) & INDEX)
#endif

/* queue_room */
inline queue_room(wanted)
{
	atomic {
		if
		:: ROOM_KNOWN < wanted -> look(consumer_index, p_freed, PRODUCER_LIMIT)
		:: else
		fi;
		check_producer()
	}
}

/* queue_fill, where there is room */
inline queue_fill()
{
	atomic {
		filled = (filled + 1) & INDEX;
		sent++;
		check_producer() }
#ifndef MUTANT_PUBLISH_FIRST
	descriptor[(filled + INDEX) % ENTRIES] = sent
#endif
}

/* queue_publish: M2 to M4 */
inline queue_publish()
{
	byte before, wake_at;

	if
	:: p_published != filled ->
		atomic { before = p_published; p_published = filled; check_producer() }
#ifdef MUTANT_NO_FENCE
		wake_at = consumer_wake_at;
#endif
		producer_index = p_published;
#ifdef MUTANT_PUBLISH_FIRST
		descriptor[(filled + INDEX) % ENTRIES] = sent;
#endif
		atomic {
#ifndef MUTANT_NO_FENCE
			wake_at = consumer_wake_at;
#endif
			if
#ifdef MUTANT_PASSES_EXACTLY
			:: wake_at == ((p_published - 1) & INDEX) -> consumer_signal = true
#else
			:: PASSES(wake_at, before, p_published) -> consumer_signal = true
#endif
			:: else
			fi;
			wake_at = 0;
			before = 0 }
	:: else
	fi
}

/* queue_await_room, and sleeping: S1 to S4 */
inline sleep_for_room(wanted)
{
	queue_room(wanted);
	if
	:: ROOM_KNOWN < wanted ->
		producer_wake_at = (filled + wanted - ENTRIES - 1) & INDEX;
		queue_room(wanted);
		if
		:: ROOM_KNOWN < wanted ->
			producer_wants = wanted;
end_room:		atomic { producer_signal -> producer_signal = false; producer_wants = 0 }
		:: else
		fi
	:: else
	fi
}

#ifndef HOSTILE_PRODUCER
active proctype producer()
{
	byte wanted;

	do
	:: sent < SENT ->
		queue_room(1);
		if
		:: ROOM_KNOWN > 0 -> queue_fill()
		:: else
		fi
	:: p_published != filled -> queue_publish()
	:: atomic { sent < SENT && p_published == filled -> select(wanted : 1 .. ENTRIES) }
		sleep_for_room(wanted);
		wanted = 0
	:: sent == SENT && p_published == filled -> break
	od
}
#else
active proctype producer()
{
	byte any;

end:	do
	:: atomic { select(any : 0 .. INDEX); producer_index = any; any = 0 }
	:: atomic { select(any : 0 .. INDEX); producer_wake_at = any; any = 0 }
	:: consumer_signal = true
	od
}
#endif

/* --- The consumer ----------------------------------------------------------------------------------- */

#define AVAILABLE_KNOWN COUNT(taken, c_published)

/* queue_available */
inline queue_available(wanted)
{
	atomic {
		if
		:: AVAILABLE_KNOWN < wanted -> look(producer_index, c_published, CONSUMER_LIMIT)
		:: else
		fi;
		check_consumer()
	}
}

/* queue_take, where there is something */
inline queue_take()
{
	byte from;

	atomic { from = taken % ENTRIES; taken = (taken + 1) & INDEX; check_consumer() }
#ifdef MUTANT_FREE_FIRST
	queue_free();
#endif
	atomic {
#ifndef HOSTILE_PRODUCER
		received++;
		ALWAYS(IN_ORDER, descriptor[from] == received);
#endif
		from = 0 }
}

/* queue_free: M2 to M4 */
inline queue_free()
{
	byte before, wake_at;

	if
	:: c_freed != taken ->
		atomic { before = c_freed; c_freed = taken; check_consumer() }
		consumer_index = c_freed;
		atomic {
			wake_at = producer_wake_at;
			if
			:: PASSES(wake_at, before, c_freed) -> producer_signal = true
			:: else
			fi;
			wake_at = 0;
			before = 0 }
	:: else
	fi
}

/* queue_await, and sleeping: S1 to S4 */
inline sleep_for_more(wanted)
{
	queue_available(wanted);
	if
	:: AVAILABLE_KNOWN < wanted ->
		consumer_wake_at = (taken + wanted - 1) & INDEX;
#ifndef MUTANT_SLEEP_UNASKED
		queue_available(wanted);
#endif
		if
		:: AVAILABLE_KNOWN < wanted ->
			consumer_wants = wanted;
end_more:		atomic { consumer_signal -> consumer_signal = false; consumer_wants = 0 }
		:: else
		fi
	:: else
	fi
}

#ifndef HOSTILE_CONSUMER
active proctype consumer()
{
	byte wanted;

end:	do
	:: received < SENT ->
		queue_available(1);
		if
		:: AVAILABLE_KNOWN > 0 -> queue_take()
		:: else
		fi
	:: c_freed != taken -> queue_free()
	:: atomic { received < SENT && c_freed == taken -> select(wanted : 1 .. ENTRIES); wanted = (wanted > SENT - received -> 1 : wanted) }
		sleep_for_more(wanted);
		wanted = 0
	:: received == SENT && c_freed == taken -> break
	od
}
#else
active proctype consumer()
{
	byte any;

end:	do
	:: atomic { select(any : 0 .. INDEX); consumer_index = any; any = 0 }
	:: atomic { select(any : 0 .. INDEX); consumer_wake_at = any; any = 0 }
	:: producer_signal = true
	od
}
#endif

#if !defined(HOSTILE_PRODUCER) && !defined(HOSTILE_CONSUMER)
#define sleeps_with_room (producer_wants != 0 && ENTRIES - COUNT(consumer_index, filled) >= producer_wants)
#define sleeps_with_more (consumer_wants != 0 && COUNT(taken, producer_index) >= consumer_wants)

active proctype watcher()
{
	/* When nothing moves any more */
	timeout ->
	ALWAYS(WAKES, !sleeps_with_room && !sleeps_with_more)
}
#endif
