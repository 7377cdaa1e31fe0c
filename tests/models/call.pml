/*
 * The call slot: a caller's question and the service slot that it occupies while it is served, with everything that may end
 * a call racing with its delivery and its answer: cancel and death of the caller, its deadline, death of the server,
 * the end of the endpoint, revocation of the capability that the call moves. README.md says which name is which.
 *
 * Each section that the sources perform under endpoint.lock is one atomic step (delivery and answer, with the bytes and capabilities
 * that they move, are inside it); all that is done before taking it or after dropping it is a step of its own, and
 * everybody may come between. That is more than one processor can do, and what several would.
 */
#include "check.pml"

#define QUESTIONS 2
#define CALLS     2              /* of the first caller, one after the other with the same question; the second makes one */
#define SERIALS   3
#define NOBODY    255

/* Safety */
#define ONCE      1              /* a call completes exactly once */
#define BACK      2              /* a call that was not delivered completes with its capability back at the sender */
#define CONSERVED 3              /* a moved capability is never in two tables, nor in none */
#define ANSWERED  4              /* an answer completes the call that it answers, and no other */
#define SLOT      5              /* a service slot is ACTIVE with a DELIVERED call of its own, or has none */
#define FREED     6              /* a service slot is freed once, and none is lost */
#define REVOKED   7              /* after a revocation nobody can use what was derived from the capability */
#define EXPIRY    8              /* a deadline ends no call but its own */

mtype:call = { FREE, QUEUED, DELIVERED, DONE };                 /* question.call_state, FREE: kind */
mtype:service = { IDLE, ACTIVE, ABANDONED };                    /* service.state */
mtype:cap = { LIVE, MOVING, ARRIVED };                          /* where the moved capability is */
mtype:receive = { NONE, ARMED, GOT_CALL, GOT_CANCELLED, REFUSED };

/* Questions, and the call that each is at present: serial = question * CALLS + number */
mtype:call call_state[QUESTIONS];
byte serial_of[QUESTIONS];
bool timer_queued[QUESTIONS];
byte timer_serial[QUESTIONS];            /* of the call that the deadline was given for */

/* The endpoint: one service slot */
mtype:service service = IDLE;
byte service_call = NOBODY;
byte generation;                         /* modulo 4 */
bool event_queued;
bool closed, server_gone, pump_queued, with_deadlines;
mtype:receive receiver = NONE;
byte received_generation, received_serial;

/* What happened */
bool called[SERIALS], completed[SERIALS], delivered[SERIALS];
bool revoked[SERIALS], usable[SERIALS];
mtype:cap cap[SERIALS];

#define PENDING    (call_state[0] == QUEUED || call_state[1] == QUEUED)
#define CAN_MEET   (receiver == ARMED && service == IDLE && PENDING)

/* --- Completion ------------------------------------------------------------------------------------- */

/* question_complete: the caller of this has taken the question out of its place */
inline question_complete(q)
{
	ALWAYS(ONCE, call_state[q] == DONE && called[serial_of[q]] && !completed[serial_of[q]]);
	ALWAYS(BACK, delivered[serial_of[q]] || cap[serial_of[q]] == LIVE);
	completed[serial_of[q]] = true;
#ifndef MUTANT_TIMER_STAYS
	timer_queued[q] = false;
#endif
	call_state[q] = FREE
}

/* Out of its place, under the lock: whoever does this completes it */
inline take(q)
{
	ALWAYS(ONCE, call_state[q] == QUEUED || call_state[q] == DELIVERED);
	call_state[q] = DONE
}

/* transfer_drop: the capability comes back */
inline transfer_drop(serial)
{
	ALWAYS(CONSERVED, cap[serial] == MOVING);
	cap[serial] = LIVE
}

/* service_free_locked */
inline service_free()
{
	ALWAYS(FREED, service != IDLE);
	service = IDLE;
	service_call = NOBODY;
	event_queued = false;
#ifndef MUTANT_SAME_GENERATION
	generation = (generation + 1) & 3
#endif
}

/* --- Delivery --------------------------------------------------------------------------------------- */

/* deliver_call: bytes, capability, service slot, receiver, all under the lock */
inline deliver_call(q)
{
	ALWAYS(CONSERVED, cap[serial_of[q]] == MOVING);
	cap[serial_of[q]] = ARRIVED;
#ifndef MUTANT_BORN_USABLE
	usable[serial_of[q]] = !revoked[serial_of[q]];        /* grant_create_locked: a child of a revoked grant is revoked */
#else
	usable[serial_of[q]] = true;
#endif
	delivered[serial_of[q]] = true;
	call_state[q] = DELIVERED;
	service = ACTIVE;
	service_call = q;
	receiver = GOT_CALL;
	received_generation = generation;
	received_serial = serial_of[q]
}

/* pump_all: one meeting after the other until there is none */
inline endpoint_pump()
{
	byte chosen;
	bool pumps;

	atomic { pumps = !pump_queued; pump_queued = true }
	if
	:: pumps ->
		pump_queued = false;
		do
		:: atomic {
			receiver == ARMED && event_queued ->
			event_queued = false;
			receiver = GOT_CANCELLED;
			received_generation = generation }
		:: atomic {
			CAN_MEET ->
			if
			:: call_state[0] == QUEUED -> chosen = 0
			:: call_state[1] == QUEUED -> chosen = 1
			fi;
			if
			:: revoked[serial_of[chosen]] ->          /* fail_pending */
				take(chosen)
			:: else ->
				deliver_call(chosen);
				chosen = NOBODY
			fi }
			if
			:: chosen != NOBODY ->
				atomic { transfer_drop(serial_of[chosen]) }
				atomic { question_complete(chosen) }
			:: else
			fi
		:: atomic { !CAN_MEET && !(receiver == ARMED && event_queued) -> chosen = 0; pumps = false; break }
		od
	:: else
	fi
}

/* --- The caller ------------------------------------------------------------------------------------- */

/* question_begin with a deadline or without */
inline question_begin(q)
{
	if
	:: with_deadlines -> timer_queued[q] = true; timer_serial[q] = serial_of[q]
	:: true
	fi
}

proctype caller(byte q)
{
	byte number, serial;
	bool refused;

	do
	:: number < CALLS - q ->
		serial = q * CALLS + number;
		if
		:: atomic { !revoked[serial] -> cap[serial] = MOVING }           /* transfer_capture */
			atomic {                                                 /* call_start */
				called[serial] = true;
				if
				:: closed -> refused = true
				:: !closed && receiver == ARMED && !PENDING && service == IDLE ->
					serial_of[q] = serial;
					question_begin(q);
					deliver_call(q)
				:: else ->
					serial_of[q] = serial;
					question_begin(q);
					call_state[q] = QUEUED
				fi
			}
			if
			:: refused ->
				atomic { transfer_drop(serial) }
				atomic {                                         /* call_refuse_entry */
					ALWAYS(ONCE, !completed[serial]);
					ALWAYS(BACK, cap[serial] == LIVE);
					completed[serial] = true;
					refused = false }
			:: else ->
endless:			completed[serial]                /* it reads the completion; without a service that may be never */
			fi
		:: atomic { revoked[serial] -> skip }
		fi;
		number++;
		serial = 0
	:: else -> number = 0; break
	od
}

/* --- Taking back ------------------------------------------------------------------------------------ */

/* endpoint_cancel, under the lock */
inline take_back(q, waited, drops)
{
	waited = true;
	drops = false;
	if
	:: call_state[q] == QUEUED -> take(q); drops = true
	:: call_state[q] == DELIVERED ->
		take(q);
#ifndef MUTANT_SLOT_KEEPS_CALL
		service_call = NOBODY;
		service = ABANDONED;
#endif
#ifdef MUTANT_CANCEL_DROPS_DELIVERED
		drops = true;
#endif
		event_queued = true
#ifdef MUTANT_TAKES_DONE
	:: call_state[q] == DONE -> take(q)
#endif
	:: else -> waited = false
	fi
}

/* question_cancel after the lock: what was taken back completes */
inline cancel_finish(q, waited, drops, serial)
{
	if
	:: waited ->
		serial = serial_of[q];
#ifdef MUTANT_COMPLETE_BEFORE_DROP
		atomic { question_complete(q) }
#endif
		if
		:: drops -> atomic { transfer_drop(serial) }
		:: else
		fi;
		endpoint_pump();
#ifndef MUTANT_COMPLETE_BEFORE_DROP
		atomic { question_complete(q); serial = 0; waited = false; drops = false }
#endif
	:: else -> drops = false
	fi
}

/* The caller's own cancel, or its death */
proctype canceller(byte q)
{
	byte serial;
	bool waited, drops;

	if
	:: call_state[q] != FREE ->
		atomic { take_back(q, waited, drops) }
		cancel_finish(q, waited, drops, serial)
	:: completed[1]                                  /* it had no reason to */
	fi
}

/* Its deadline: the timer interrupt takes the node out and the call back with nobody between */
proctype deadline(byte q)
{
	byte serial;
	bool waited, drops;

end:	do
	:: atomic {
		timer_queued[q] ->
		timer_queued[q] = false;
		take_back(q, waited, drops);
		ALWAYS(EXPIRY, !waited || timer_serial[q] == serial_of[q]) }
		cancel_finish(q, waited, drops, serial)
	od
}

/* --- The service ------------------------------------------------------------------------------------ */

proctype server()
{
	byte id_generation = NOBODY, id_serial;
	bool work, answered_twice;

endidle: do
	/* endpoint_recv; also while it has a call to answer */
	:: atomic { !server_gone && receiver == NONE && !closed -> receiver = ARMED; work = PENDING || event_queued }
		if
#ifndef MUTANT_RECV_NO_PUMP
		:: work -> endpoint_pump()
#endif
		:: else
		fi
	:: atomic {
		!server_gone && receiver == GOT_CALL && id_generation == NOBODY ->
		receiver = NONE;
		id_generation = received_generation;
		id_serial = received_serial;
		received_generation = 0;
		received_serial = 0;
		answered_twice = false }
	:: atomic { !server_gone && receiver == GOT_CANCELLED -> receiver = NONE; received_generation = 0 }
	/* endpoint_return, of a call that may have been taken back, or once more of one that it has answered */
	:: atomic {
		!server_gone && id_generation != NOBODY ->
		if
#ifdef MUTANT_GENERATION_IGNORED
		:: service == ACTIVE ->
#else
		:: service == ACTIVE && generation == id_generation ->
#endif
			ALWAYS(SLOT, call_state[service_call] == DELIVERED);
			ALWAYS(ANSWERED, serial_of[service_call] == id_serial);
			call_state[service_call] = DONE;
			question_complete(service_call);
			service_free()
		:: service == ABANDONED && generation == id_generation ->
#ifndef MUTANT_GONE_KEEPS_SLOT
			service_free()
#else
			skip
#endif
#ifdef MUTANT_GENERATION_IGNORED
		:: service != ACTIVE && !(service == ABANDONED && generation == id_generation)
#else
		:: else
#endif
		fi;
		if
		:: !answered_twice -> answered_twice = true
		:: id_generation = NOBODY; id_serial = 0; answered_twice = false
		fi;
		work = receiver == ARMED && (PENDING || event_queued) }
		if
#ifndef MUTANT_RETURN_NO_PUMP
		:: work -> endpoint_pump()
#endif
		:: else
		fi
	:: atomic { server_gone || closed -> work = false; break }
	od
}

/* process_end and endpoint_process_ended */
proctype server_death()
{
	byte picked = NOBODY;

	atomic {
		server_gone = true;
		if :: receiver == ARMED -> receiver = REFUSED :: else fi
	}
	atomic {
		if
		:: service == ACTIVE ->
			picked = service_call;
			ALWAYS(SLOT, call_state[picked] == DELIVERED);
			take(picked);
			service_free()
		:: service == ABANDONED -> service_free()
		:: else
		fi
	}
	if
#ifndef MUTANT_SWEEP_LOSES
	:: picked != NOBODY -> atomic { question_complete(picked); picked = NOBODY }
#endif
	:: else
	fi;
	endpoint_pump()
}

/* endpoint_close */
proctype closer()
{
	byte picked = NOBODY;
	bool drops;

	closed = true;
	do
	:: atomic {                                      /* endpoint_sweep: sweep_one */
		PENDING ->
		if
		:: call_state[0] == QUEUED -> picked = 0
		:: call_state[1] == QUEUED -> picked = 1
		fi;
		take(picked) }
		atomic { transfer_drop(serial_of[picked]) }
		atomic { question_complete(picked) }
	:: atomic { !PENDING && receiver == ARMED -> receiver = REFUSED }
	:: atomic {
		!PENDING && receiver != ARMED && service != IDLE ->
		picked = service_call;
		service_free();
		if
		:: picked != NOBODY ->
			ALWAYS(SLOT, call_state[picked] == DELIVERED);
			take(picked)
		:: else
		fi }
		if
		:: picked != NOBODY -> atomic { question_complete(picked) }
		:: else
		fi
	:: atomic { !PENDING && receiver != ARMED && service == IDLE -> break }
	od
}

/* grant_revoke_locked, of the capability that the first call moves */
proctype revoker()
{
	atomic { revoked[0] = true; usable[0] = false }
}

/* Any choice of so many of them */
#ifndef ADVERSARIES
#define ADVERSARIES 2
#endif
#define may(start) if :: adversaries > 0 -> adversaries--; start :: true fi

init
{
	byte serial, adversaries = ADVERSARIES;

	atomic {
		for (serial : 0 .. SERIALS - 1) {
			cap[serial] = LIVE
		}
		for (serial : 0 .. QUESTIONS - 1) {
			call_state[serial] = FREE
		}
		serial = 0;
		run caller(0);
		run caller(1);
		run server();
		may(run canceller(0));
		may(with_deadlines = true; run deadline(0));
		may(run server_death());
		may(run closer());
		may(run revoker());
		adversaries = 0
	}
	/* When nothing moves any more */
	timeout ->
	ALWAYS(REVOKED, !(revoked[0] && usable[0]));
	ALWAYS(FREED, service == IDLE);
	ALWAYS(CONSERVED, cap[0] != MOVING || call_state[0] == QUEUED)
}

/* Whatever was called completes, when the service ends at the latest. */
ltl completes { (<> closed) -> [] (called[0] -> <> completed[0]) && [] (called[2] -> <> completed[2]) }
/* A call and a receive that could meet do. */
ltl meets { [] (CAN_MEET -> <> !CAN_MEET) }
