/*
 * Forwarding: a call whose service gives it on to another, which may give it back again, while its caller and either forwarder
 * cancel, a service dies, and an endpoint closes. README.md says which name is which.
 *
 * Two services with an endpoint each; each has one receiver and one service slot. Each section that the sources perform under one
 * endpoint's lock is one atomic step, and so is finding out under which endpoint's lock a question is.
 */
#include "check.pml"

#define FORWARDS 2
#define NOBODY   255

/* Safety */
#define ONCE      1              /* the caller's call ends exactly once */
#define FORWARDER 2              /* who forwards has one completion for it */
#define SLOT      3              /* a service slot is ACTIVE with the call DELIVERED there, or has none; none is lost */
#define ANSWERED  4              /* only the service that has the call answers it */
#define BACK      5              /* what a forwarder moves is with it again if the call was not delivered, and nowhere twice */
#define PAIRED    6              /* the caller's question is FORWARDED while that of one forwarder is QUEUED for it */
#define COMPLETES 7              /* at the end the call is done, or it waits at an open endpoint that nobody serves */

/* TAKEN: out of its place, by whoever starts or completes it (CALL_RETURNING, CALL_DONE) */
mtype:state = { FREE, QUEUED, DELIVERED, FORWARDED, TAKEN };
mtype:service = { IDLE, ACTIVE, ABANDONED };
mtype:receive = { NONE, ARMED, GOT_CALL, GOT_CANCELLED, REFUSED };
mtype:cap = { LIVE, MOVING, ARRIVED };

/* The caller's question */
mtype:state call = FREE;
byte call_at;                            /* question.object */
byte call_forward = NOBODY;              /* question.forward: of which service */
/* Those of the forwarders: service i forwards to endpoint 1 - i */
mtype:state forwarder[2] = FREE;
bool forwarder_linked[2];                /* question.forward */
mtype:cap cap[2] = LIVE;                 /* what the message moves */

/* The endpoints */
mtype:service service[2] = IDLE;
bool service_has_call[2], event_queued[2], closed[2], gone[2], in_kernel[2];
byte generation[2], received_generation[2];
mtype:receive receiver[2] = NONE;

/* What happened */
bool called, completed;
byte hops, forwarded_open[2];            /* FORWARD entries without a completion */

#define PENDING(e)   ((call == QUEUED && call_at == e) || forwarder[1 - (e)] == QUEUED)
#define CAN_MEET(e)  (receiver[e] == ARMED && service[e] == IDLE && PENDING(e))

/* --- Completion ------------------------------------------------------------------------------------- */

/* question_end_with, question_complete */
inline call_complete()
{
	ALWAYS(ONCE, call == TAKEN && called && !completed);
	completed = true;
	call = FREE
}

inline transfer_drop(mover)
{
	ALWAYS(BACK, cap[mover] == MOVING);
	cap[mover] = LIVE
}

/* A FORWARD entry's own completion */
inline entry_complete(entry)
{
	ALWAYS(FORWARDER, forwarded_open[entry] == 1);
	ALWAYS(BACK, cap[entry] != MOVING);
	cap[entry] = LIVE;                   /* the next message has another one */
	forwarded_open[entry] = 0
}

inline forwarder_complete(who, drops)
{
	ALWAYS(FORWARDER, forwarder[who] == TAKEN);
	if
	:: drops -> transfer_drop(who)
	:: else
	fi;
	forwarder[who] = FREE;
	entry_complete(who)
}

/* forward_part: the two are one no more, and whoever does this ends the other as well */
inline part(parted)
{
	ALWAYS(PAIRED, parted != NOBODY && forwarder_linked[parted] && call_forward == parted && call == FORWARDED && call_at == (1 - parted));
	if
	:: parted != NOBODY -> forwarder_linked[parted] = false
	:: else
	fi;
	call_forward = NOBODY
}

/* service_free_locked */
inline service_free(freed)
{
	ALWAYS(SLOT, service[freed] != IDLE);
	service[freed] = IDLE;
	service_has_call[freed] = false;
	event_queued[freed] = false;
	generation[freed] = (generation[freed] + 1) & 7
}

/* --- Delivery --------------------------------------------------------------------------------------- */

inline deliver_call(at)
{
	call = DELIVERED;
	service[at] = ACTIVE;
	service_has_call[at] = true;
	receiver[at] = GOT_CALL;
	received_generation[at] = generation[at]
}

/* endpoint_pump */
inline endpoint_pump(e)
{
	bool after;
	byte source;

	source = 1 - e;
	do
	:: atomic {
		receiver[e] == ARMED && event_queued[e] ->
		event_queued[e] = false;
		receiver[e] = GOT_CANCELLED }
	:: atomic {
		CAN_MEET(e) ->
		after = false;
		if
		:: forwarder[source] == QUEUED ->
			part(source);
			forwarder[source] = TAKEN;
			ALWAYS(BACK, cap[source] == MOVING);
			cap[source] = ARRIVED;
			after = true
		:: else
		fi;
		deliver_call(e) }
		if
		:: after -> atomic { forwarder_complete(source, false); after = false }
		:: else
		fi
	:: atomic { !CAN_MEET(e) && !(receiver[e] == ARMED && event_queued[e]) -> source = 0; break }
	od
}

/* --- The caller ------------------------------------------------------------------------------------- */

active proctype caller()
{
	atomic {
		called = true;
		if
		:: closed[0] -> call = TAKEN; call_complete()
		:: else -> call = QUEUED
		fi
	}
	endpoint_pump(0)
}

/* --- Services --------------------------------------------------------------------------------------- */

/* endpoint_forward, to the endpoint `to` */
inline endpoint_forward(i, to, id)
{
	byte took;

	atomic {
		hops++;
		in_kernel[i] = true;
		forwarded_open[i]++;
		cap[i] = MOVING }                                /* call_transfer_capture */
	atomic {                                                 /* forward_take */
		took = false;
		if
		:: service[i] == ACTIVE && generation[i] == id ->
			ALWAYS(SLOT, call == DELIVERED && call_at == i && service_has_call[i]);
			call = TAKEN;
			took = true;
			service_free(i)
		:: service[i] == ABANDONED && generation[i] == id -> service_free(i)
		:: else
		fi }
	if
	:: took ->
		atomic {                                         /* forward_start */
			call_at = to;
			if
#ifndef MUTANT_CLOSED_UNASKED
			:: closed[to] -> took = false
#endif
			:: else ->
				forwarder[i] = QUEUED;
				forwarder_linked[i] = true;
				call_forward = i;
				call = FORWARDED
			fi }
		if
		:: took ->
#ifndef MUTANT_START_NO_PUMP
			endpoint_pump(to)
#else
			skip
#endif
		:: else ->
#ifndef MUTANT_STALE_KEEPS_TRANSFER
			atomic { transfer_drop(i) }
#endif
			atomic { call_complete() }
			atomic { entry_complete(i) }
		fi
	:: else ->
		atomic { transfer_drop(i) }
		atomic { entry_complete(i) }
	fi;
	atomic { took = false; in_kernel[i] = false }
}

proctype server(byte i)
{
	byte id = NOBODY, to = 1 - i;
	bool again;

end:	do
	/* endpoint_recv */
	:: atomic { !gone[i] && !closed[i] && receiver[i] == NONE -> receiver[i] = ARMED }
		endpoint_pump(i)
	:: atomic {
		!gone[i] && receiver[i] == GOT_CALL && id == NOBODY ->
		receiver[i] = NONE;
		id = received_generation[i];
		received_generation[i] = 0 }
	:: atomic { !gone[i] && receiver[i] == GOT_CANCELLED -> receiver[i] = NONE }
	/* endpoint_return, also of a call that it has forwarded or that was taken back */
	:: atomic {
		!gone[i] && id != NOBODY ->
		if
#ifdef MUTANT_ANSWERS_ABANDONED
		:: service[i] != IDLE && generation[i] == id ->
#else
		:: service[i] == ACTIVE && generation[i] == id ->
#endif
			ALWAYS(ANSWERED, call == DELIVERED && call_at == i);
			call = TAKEN;
			call_complete();
			service_free(i)
#ifndef MUTANT_ANSWERS_ABANDONED
		:: service[i] == ABANDONED && generation[i] == id -> service_free(i)
#endif
		:: else
		fi;
		id = NOBODY }
		endpoint_pump(i)
	:: !gone[i] && id != NOBODY && hops < FORWARDS && forwarder[i] == FREE && forwarded_open[i] == 0 ->
		atomic {
			if
			:: gone[i] -> again = false
			:: else -> again = true; in_kernel[i] = true
			fi }
		if
		:: again ->
			endpoint_forward(i, to, id);
			atomic {
				again = false;
				if
				:: id = NOBODY
				:: true                          /* it keeps the id and answers as well */
				fi }
		:: else
		fi
	od
}

/* --- Taking back ------------------------------------------------------------------------------------ */

/* The other of the two, out of its place as well */
inline take_other(question)
{
#ifndef MUTANT_PARTED_STAYS
	question = TAKEN;
#endif
	skip
}

/* question_cancel and endpoint_cancel of the caller's question: a cancel, its deadline, its death */
inline cancel_call()
{
	byte other, drained;

	other = NOBODY;
	drained = NOBODY;
	atomic {
		if
		:: call == QUEUED -> call = TAKEN; drained = call_at
		:: call == FORWARDED ->
			other = call_forward;
			part(other);
			take_other(forwarder[other]);
			call = TAKEN;
			drained = call_at
		:: call == DELIVERED ->
			call = TAKEN;
			service[call_at] = ABANDONED;
#ifndef MUTANT_SLOT_KEEPS_CALL
			service_has_call[call_at] = false;
#endif
			event_queued[call_at] = true;
			drained = call_at
#ifdef MUTANT_TAKES_TAKEN
		:: call == TAKEN -> drained = call_at
#endif
		:: else
		fi
	}
	if
	:: other != NOBODY ->
#ifndef MUTANT_FORWARDER_FORGOTTEN
		atomic { forwarder[other] = TAKEN; forwarder_complete(other, true); other = NOBODY }
#endif
		skip
	:: else
	fi;
	if
	:: drained != NOBODY ->
		endpoint_pump(drained);
		atomic { call_complete(); drained = NOBODY }
	:: else
	fi
}

/* The same of a forwarder's */
inline cancel_forwarder(whose)
{
	bool taken;
	byte where;

	taken = false;
	where = 1 - whose;
	atomic {
		if
		:: forwarder[whose] == QUEUED ->
			part(whose);
			take_other(call);
			forwarder[whose] = TAKEN;
			taken = true
		:: else
		fi
	}
	if
	:: taken ->
		atomic { call = TAKEN; call_complete() }
		endpoint_pump(where);
		atomic { forwarder_complete(whose, true); taken = false; where = 0 }
	:: else
	fi
}

proctype caller_cancels()
{
	if
	:: call != FREE -> cancel_call()
	:: completed
	fi
}

proctype forwarder_cancels()
{
	byte i;

end:	if
	:: forwarder[0] != FREE
	:: forwarder[1] != FREE -> i = 1
	:: completed
	fi;
	cancel_forwarder(i)
}

/* One slot's end, by a sweep */
inline sweep_service(swept)
{
	bool picked;

	picked = false;
	atomic {
		if
		:: service[swept] != IDLE ->
			picked = service_has_call[swept];
			service_free(swept);
			if
			:: picked -> ALWAYS(SLOT, call == DELIVERED && call_at == swept); call = TAKEN
			:: else
			fi
		:: else
		fi
	}
	if
	:: picked -> atomic { call_complete(); picked = false }
	:: else
	fi
}

/* process_end and endpoint_process_ended; not while it runs in the kernel */
proctype death(byte i)
{
	atomic {
		!in_kernel[i] ->
		gone[i] = true;
		if :: receiver[i] == ARMED -> receiver[i] = REFUSED :: else fi
	}
	cancel_forwarder(i);
	sweep_service(i);
	endpoint_pump(i)
}

/* endpoint_close */
proctype closer(byte e)
{
	byte other = 1 - e;

	closed[e] = true;
	do
	:: atomic {
		call == QUEUED && call_at == e -> call = TAKEN }
		atomic { call_complete() }
	:: atomic {
		forwarder[other] == QUEUED ->
		part(other);
		take_other(call);
		forwarder[other] = TAKEN }
		atomic { forwarder_complete(other, true) }
#ifndef MUTANT_SWEEP_LEAVES_CALLER
		atomic { call = TAKEN; call_complete() }
#endif
	:: atomic { !PENDING(e) && receiver[e] == ARMED -> receiver[e] = REFUSED }
	:: !PENDING(e) && receiver[e] != ARMED && service[e] != IDLE -> sweep_service(e)
	:: atomic { !PENDING(e) && receiver[e] != ARMED && service[e] == IDLE -> break }
	od
}

/* Any choice of so many of them */
#ifndef ADVERSARIES
#define ADVERSARIES 2
#endif
#define may(start) if :: adversaries > 0 -> adversaries--; start :: true fi

init
{
	byte adversaries = ADVERSARIES;

	atomic {
		run server(0);
		run server(1);
		may(run caller_cancels());
		may(run forwarder_cancels());
		may(run death(0));
		may(run death(1));
		may(run closer(0));
		may(run closer(1));
		adversaries = 0
	}
	/* When nothing moves any more; runs are finite here */
	timeout ->
	ALWAYS(COMPLETES, completed || ((call == QUEUED || call == FORWARDED) && gone[call_at] && !closed[call_at]));
	ALWAYS(SLOT, service[0] == IDLE && service[1] == IDLE);
	ALWAYS(FORWARDER, (forwarder[0] == QUEUED || forwarded_open[0] == 0) && (forwarder[1] == QUEUED || forwarded_open[1] == 0));
	ALWAYS(PAIRED, (call == FORWARDED) == (forwarder[0] == QUEUED || forwarder[1] == QUEUED))
}
