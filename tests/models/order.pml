/*
 * Order: calls from one ring through one reference start in the order of their submission, whether they meet a waiting
 * receiver at once, queue, or are held until the answer arrives that names their target. README.md says which name is which.
 *
 * A thread makes a base call and then three more on the capability in its answer: held while the answer is still to come,
 * straight through the capability when it has seen the base complete. The service that they go to has one receiver
 * and one slot; another ring calls it too.
 */
#include "check.pml"

#define CALLS   3
#define NOBODY  255
#define RIVAL   CALLS            /* the other ring's call */

/* Safety */
#define ORDER   1                /* calls of the ring start in the order of their submission */
#define BEFORE  2                /* when the base's completion can be seen, every call on its answer has started or ended */
#define STARTED 3                /* no call is started twice, nor after it has ended */

mtype = { BUILT, IN_FLIGHT, RETURNING, KEPT };             /* of the base */
mtype:state = { NEW, HELD, QUEUED, DELIVERED, ENDED };     /* of a call on its answer */

mtype base = BUILT;
bool base_fails, base_visible;
mtype:state state[CALLS + 1] = NEW;
byte submitted, last_started = NOBODY;

/* Lists, first come first served: the base's `held`, the endpoint's pending queue (ours, and the rival's behind or before) */
chan held = [CALLS] of { byte };
chan pending = [CALLS + 1] of { byte };
bool receiver, slot_used;

/* list_take */
inline take_first(list, call)
{
#ifdef MUTANT_TAKES_LATER
	if
	:: len(list) > 1 -> list?call; list!call; list?call
	:: else -> list?call
	fi
#else
	list?call
#endif
}

/* deliver_call: the call starts */
inline deliver(call)
{
	receiver = false;
	slot_used = true;
	ALWAYS(STARTED, state[call] == NEW || state[call] == HELD || state[call] == QUEUED);
	state[call] = DELIVERED;
	if
	:: call != RIVAL ->
		ALWAYS(ORDER, last_started == NOBODY || last_started < call);
		last_started = call
	:: else
	fi
}

/* call_start, under the service endpoint's lock */
inline call_start(call)
{
	if
#ifdef MUTANT_MEET_OVERTAKES
	:: receiver && !slot_used -> deliver(call)
#else
	:: receiver && !slot_used && empty(pending) -> deliver(call)
#endif
	:: else ->
		pending!call;
		ALWAYS(STARTED, state[call] == NEW || state[call] == HELD);
		state[call] = QUEUED
	fi
}

/* endpoint_pump of the service */
inline pump()
{
	byte first;

	if
	:: receiver && !slot_used && nempty(pending) ->
		take_first(pending, first);
		deliver(first);
		first = 0
	:: else
	fi
}

/* The caller's thread: base call, then the others, each as it may at that time */
active proctype caller()
{
	atomic { base = IN_FLIGHT }
	do
	:: submitted < CALLS ->
		if
#ifndef MUTANT_HOLDS_UNLOOKED
		:: atomic {
			/* pipeline_target: the answer is still to come; a base that settles its calls takes this one too */
			base == IN_FLIGHT || base == RETURNING ->
			held!submitted;
			state[submitted] = HELD }
#else
		:: base == IN_FLIGHT || base == RETURNING ->
			atomic { held!submitted; state[submitted] = HELD }
#endif
		:: atomic {
			/* the answer is there; through (question, path) or the capability itself, it is the same start */
			base == KEPT && base_visible ->
			if
			:: base_fails -> state[submitted] = ENDED
			:: else -> call_start(submitted)
			fi }
		fi;
		submitted++
	:: else -> break
	od
}

/* The base's answer comes: question_complete, pipeline_settle */
active proctype answerer()
{
	byte call = NOBODY;

	base == IN_FLIGHT;
	atomic {
		if :: base_fails = true :: skip fi;
#ifdef MUTANT_VISIBLE_FIRST
		base = KEPT;
		base_visible = true
#else
		base = RETURNING
#endif
	}
	do
	:: atomic { nempty(held) -> take_first(held, call) }           /* held_take, ring locked */
		atomic {                                                             /* held_start */
			if
			:: base_fails -> state[call] = ENDED
#ifdef MUTANT_STARTS_AGAIN
			:: !base_fails && state[call] == HELD ->
				call_start(call);
				held!call
			:: !base_fails && state[call] != HELD -> call_start(call)
#else
			:: else -> call_start(call)
#endif
			fi;
			call = NOBODY }
	:: atomic {
#ifdef MUTANT_SETTLES_ONE
		len(held) < 2 ->
#else
		empty(held) ->
#endif
#ifndef MUTANT_VISIBLE_FIRST
		ALWAYS(BEFORE, empty(held));
		base = KEPT;
		base_visible = true;
#endif
		break }
	od
}

/* A held or queued call may be cancelled, or its deadline passes */
active proctype canceller()
{
	byte found;

	if
	:: atomic {
		nempty(held) ->
		take_first(held, found);
		state[found] = ENDED }
	:: atomic {
		nempty(pending) && !pending?[RIVAL] ->
		take_first(pending, found);
		state[found] = ENDED }
	:: base_visible
	fi
}

active proctype rival()
{
	atomic { call_start(RIVAL) }
}

active proctype server()
{
	/* Each receive and each return, with the pump that follows it, whatever the order */
end:	do
	:: atomic { !receiver -> receiver = true }
		atomic { pump() }
	:: atomic {
		slot_used ->
		slot_used = false }
#ifndef MUTANT_RETURN_NO_PUMP
		atomic { pump() }
#endif
	od
}

/* No call is held for ever. */
ltl settles { [] ((state[0] == HELD) -> <> (state[0] != HELD)) && [] ((state[2] == HELD) -> <> (state[2] != HELD)) }
/* No call stays queued for ever at a service that goes on. */
ltl starts { [] ((state[1] == QUEUED) -> <> (state[1] != QUEUED)) }
