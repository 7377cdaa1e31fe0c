/*
 * One-shot timer: a processor's queue of deadlines, its hardware timer that is set for the earliest, an interrupt that may
 * come late, early, or after what it was set for has gone. README.md says which name is which.
 *
 * Threads wait with deadlines; a processor adds to its own queue only. Another processor may end a wait before its deadline,
 * and the thread waits again, for something else.
 */
#include "check.pml"

#define THREADS  2
#define LAST     4               /* time ends here */
#define NEVER    255
#define ADDS     3
#define EARLIES  1

/* Safety */
#define EARLY    1               /* no deadline passes before its time */
#define STORM    2               /* no more interrupts than two for each deadline and one for each early shot */
#define OWN      3               /* a deadline ends the wait that it was set for */

byte now;

/* Hardware */
byte shot_at = NEVER;
bool shot;                       /* the interrupt is on its way */

/* struct timer_queue */
byte deadline[THREADS];
bool queued[THREADS];
byte armed = NEVER;

/* Threads: which wait, and for which one the deadline is */
byte wait_turn[THREADS], deadline_turn[THREADS];
bool inside;                     /* somebody is in the kernel: one at a time, but for the mutant */
byte adds, earlies, interrupts, expected;

inline hardware_arm(at)
{
	armed = at;
#ifdef MUTANT_PAST_STOPS
	shot_at = (at != NEVER && at > now -> at : NEVER)
#else
	shot_at = at
#endif
}

inline first_deadline()
{
	first = NEVER;
	if :: queued[0] -> first = deadline[0] :: else fi;
	if :: queued[1] && deadline[1] < first -> first = deadline[1] :: else fi
}

active proctype clock()
{
end:	do
	:: now < LAST -> now++
	:: atomic { shot_at <= now -> shot_at = NEVER; shot = true }
	/* the timer and the clock are two counters that were measured against each other */
	:: atomic { earlies < EARLIES && shot_at == now + 1 -> shot_at = NEVER; shot = true; earlies++; expected++ }
	od
}

/* The processor that has the queue: threads of it wait, and interrupts come in between. */
active proctype processor()
{
	byte first, due;
	bool fired;

end:	do
	:: atomic { !inside && adds < ADDS && (!queued[0] || !queued[1]) ->
		adds++;
		expected = expected + 2;      /* the second if it passes just before the timer is set for it anew */
		if :: !queued[0] -> due = 0 :: !queued[1] -> due = 1 fi;
		/* a deadline may have passed already, or pass while it is added */
		if :: deadline[due] = now :: deadline[due] = now + 1 :: deadline[due] = now + 2 fi;
		if :: deadline[due] > LAST -> deadline[due] = LAST :: else fi;
		deadline_turn[due] = wait_turn[due];
		queued[due] = true;
		if
		:: deadline[due] < armed -> hardware_arm(deadline[due])
		:: else
		fi;
		due = 0 }
	:: atomic { shot && !inside -> shot = false; interrupts++; inside = true };
		ALWAYS(STORM, interrupts <= expected);
#ifdef MUTANT_SHARED_HANDLER
		inside = false;
#endif
		do
		:: atomic {
#ifdef MUTANT_FIRES_UNASKED
			queued[0] && !fired ->
#else
			queued[0] && deadline[0] <= now ->
#endif
			queued[0] = false; due = 0 };
			fired = true;
			atomic {
				ALWAYS(EARLY, deadline[0] <= now);
				ALWAYS(OWN, wait_turn[0] == deadline_turn[0]);
				wait_turn[0]++ }
		:: atomic { queued[1] && deadline[1] <= now -> queued[1] = false; due = 1 };
			fired = true;
			atomic {
				ALWAYS(EARLY, deadline[1] <= now);
				ALWAYS(OWN, wait_turn[1] == deadline_turn[1]);
				wait_turn[1]++ }
		:: atomic { !(queued[0] && deadline[0] <= now) && !(queued[1] && deadline[1] <= now) -> break }
		od;
		atomic {
			first_deadline();
#ifdef MUTANT_EARLY_FORGOTTEN
			if :: fired -> hardware_arm(first) :: else fi;
#endif
#ifdef MUTANT_SPENT_KEPT
			if :: first != NEVER -> hardware_arm(first) :: else fi;
#endif
#ifdef MUTANT_ARMS_SPENT
			if :: fired -> hardware_arm(deadline[due]) :: else -> hardware_arm(first) fi;
#endif
#if !defined(MUTANT_EARLY_FORGOTTEN) && !defined(MUTANT_SPENT_KEPT) && !defined(MUTANT_ARMS_SPENT)
			hardware_arm(first);
#endif
			first = 0;
			due = 0;
			fired = false;
			inside = false }
	od
}

/* Another processor ends a wait: takes the deadline out, if it is still there; the thread goes on to wait for something else. */
active proctype waker()
{
	byte woken;

	do
	:: woken < 2 ->
		atomic { !inside -> queued[0] = false; wait_turn[0]++ };
		woken++
	:: break
	od
}

/* A deadline that was added passes, unless it is taken out. */
ltl fires { [] (queued[0] -> <> !queued[0]) && [] (queued[1] -> <> !queued[1]) }
