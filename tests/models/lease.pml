/*
 * Leases of processors: who may have one, what runs there, and that every end gives everything back once. README.md says which
 * name is which.
 *
 * Three processors, of which the first runs others than these, two leases, which are made anew when their objects are gone, and a context with a budget that somebody else
 * makes; two threads that run anywhere, each of which may be bound to a lease, itself or its ring. Leases end by their time, by
 * `end`, when nobody holds them, and the threads die, at any time. Everything but running is done with the kernel to itself, so
 * each is one step; a processor that has to put its thread down does so when it takes the interrupt that tells it.
 */
#include "check.pml"

#define PROCESSORS 3
#define LEASES     2
#define THREADS    2
#ifndef MAKES
#define MAKES      3             /* leases in all */
#endif
#define NOBODY     255
#define WHOLE      3             /* of a processor's time that can be promised */
#define PART       1

/* Safety */
#define FIRST    1               /* the first processor is nobody's */
#define ONE      2               /* a processor is isolated if it has a lease, and has one at most */
#define PROMISED 3               /* promises come to what was made, and to no more than there is */
#define BACK     4               /* the timer that was charged and the one that is queued are of active leases */
#define OTHERS   5               /* on a leased processor runs whom it was leased for, once others have been told */
#define BOUND    6               /* a thread is bound once, to an active lease, and lives; its ring likewise */
#define GONE     7               /* nothing is left of an object that nobody holds */

mtype = { THREAD, RING };

/* Leases: `exists` until nobody holds it */
bool exists[LEASES], held[LEASES], goes_on[LEASES], timer[LEASES];
mtype kind[LEASES] = THREAD;
byte on[LEASES] = NOBODY;        /* the processor */
byte whose[LEASES] = NOBODY;     /* the thread that is bound, or whose ring is */
byte made, charged;              /* timers in the ledger */

/* Processors */
bool isolated[PROCESSORS], interrupt[PROCESSORS];
byte promised[PROCESSORS];
byte runs[PROCESSORS] = NOBODY;

/* Threads, and the context of somebody else */
bool dead[THREADS];
byte context_on = NOBODY;

#define count_on(p) (((goes_on[0] && on[0] == p) -> 1 : 0) + ((goes_on[1] && on[1] == p) -> 1 : 0))
#define has_context(p) (context_on == p)
#define belongs(t, p) ((goes_on[0] && on[0] == p && kind[0] == THREAD && whose[0] == t) || \
		(goes_on[1] && on[1] == p && kind[1] == THREAD && whose[1] == t))
/* To what a thread may run on: its lease's processor alone, if it is bound to one. */
#define is_bound(t) ((goes_on[0] && kind[0] == THREAD && whose[0] == t) || (goes_on[1] && kind[1] == THREAD && whose[1] == t))
#define is_polled(t) ((goes_on[0] && kind[0] == RING && whose[0] == t) || (goes_on[1] && kind[1] == RING && whose[1] == t))

#define check_processor(p) \
	ALWAYS(ONE, count_on(p) <= 1 && isolated[p] == (count_on(p) == 1)); \
	ALWAYS(PROMISED, promised[p] == count_on(p) * WHOLE + (has_context(p) -> PART : 0) && promised[p] <= WHOLE); \
	ALWAYS(OTHERS, !(isolated[p] && !interrupt[p] && runs[p] != NOBODY && !belongs(runs[p], p)))

#define check_lease(l) \
	ALWAYS(BACK, timer[l] == goes_on[l]); \
	ALWAYS(BOUND, whose[l] == NOBODY || (goes_on[l] && !dead[whose[l]])); \
	ALWAYS(GONE, exists[l] || (!goes_on[l] && !timer[l] && whose[l] == NOBODY))

#ifdef MUTANT_DEAD_BOUND
#define may_be_bound(t) true
#else
#define may_be_bound(t) (!dead[t])
#endif

#ifdef MUTANT_STEALS
#define may_come(t, p) (!is_bound(t))
#else
#define may_come(t, p) (!is_bound(t) && !isolated[p])
#endif

/* At the end of each step. */
inline check()
{
	ALWAYS(FIRST, !isolated[0]);
	ALWAYS(BACK, charged == (goes_on[0] -> 1 : 0) + (goes_on[1] -> 1 : 0));
	check_processor(0);
	check_processor(1);
	check_processor(2);
	check_lease(0);
	check_lease(1);
	ALWAYS(BOUND, whose[0] == NOBODY || whose[0] != whose[1] || kind[0] != kind[1])
}

/* --- The steps ---------------------------------------------------------------------------------- */

/* isolation_lease_make: refused, or all of it. */
inline make(l, p)
{
	if
#ifndef MUTANT_FIRST_LEASED
	:: p == 0
#endif
#ifndef MUTANT_TWICE
	:: p != 0 && isolated[p]
#endif
#ifndef MUTANT_PROMISES_UNASKED
	:: p != 0 && !isolated[p] && promised[p] > 0
#endif
	:: else ->
		made++;
		charged++;
		exists[l] = true;
		held[l] = true;
		goes_on[l] = true;
		on[l] = p;
#ifndef MUTANT_TIMER_FORGOTTEN
		timer[l] = true;
#endif
		promised[p] = promised[p] + WHOLE;
		isolated[p] = true;
#ifndef MUTANT_OTHERS_UNTOLD
		interrupt[p] = true
#endif
	fi
}

/* lease_end, by whatever came first */
inline end_lease(l)
{
	if
#ifndef MUTANT_ENDS_TWICE
	:: !goes_on[l]
#endif
	:: else ->
		goes_on[l] = false;
#ifndef MUTANT_STAYS_BOUND
		whose[l] = NOBODY;
		kind[l] = THREAD;
#endif
#ifndef MUTANT_STAYS_ISOLATED
		isolated[on[l]] = false;
#endif
		interrupt[on[l]] = true;
#ifndef MUTANT_KEEPS_PROMISE
		promised[on[l]] = 0;
#endif
#ifndef MUTANT_TIMER_STAYS
		timer[l] = false;
#endif
		charged--
	fi
}

active proctype maker()
{
	byte l, p;

end:	do
	:: atomic { made < MAKES && !(exists[0] && exists[1]) ->
			if :: !exists[0] -> l = 0 :: !exists[1] -> l = 1 fi;
			if :: p = 0 :: p = 1 :: p = 2 fi;
			make(l, p);
			l = 0;
			p = 0;
			check() }
	od
}

/* Whoever holds a lease, and time. */
proctype holder(byte l)
{
	byte t;

end:	do
	:: atomic { held[l] ->      /* bind: a thread, or its ring */
			if :: t = 0 :: t = 1 fi;
			if
			:: goes_on[l] && whose[l] == NOBODY && may_be_bound(t) ->
				if
				:: kind[l] = THREAD
				:: kind[l] = RING
				fi;
				if
#ifndef MUTANT_BOUND_TWICE
				:: (kind[l] == THREAD && is_bound(t)) || (kind[l] == RING && is_polled(t))
#endif
				:: else -> whose[l] = t
				fi;
				/* one that runs elsewhere is to come here */
				if
				:: kind[l] == THREAD && whose[l] == t && runs[1] == t -> interrupt[1] = true
				:: kind[l] == THREAD && whose[l] == t && runs[2] == t -> interrupt[2] = true
				:: else
				fi
			:: else
			fi;
			t = 0;
			check() }
	:: atomic { held[l] -> end_lease(l); check() }
	:: atomic { held[l] ->      /* the last hold is dropped, its holder's death included */
			held[l] = false;
#ifndef MUTANT_DROP_FORGETS
			end_lease(l);
			on[l] = NOBODY;
#endif
			exists[l] = false;
			check() }
	od
}

inline lease_expire(l)
{
#ifndef MUTANT_TIME_IGNORED
	timer[l] = false;
	end_lease(l);
#endif
	check()
}

active proctype time()
{
end:	do
	:: atomic { timer[0] -> lease_expire(0) }
	:: atomic { timer[1] -> lease_expire(1) }
	od
}

/* Somebody else makes a context with a budget, and drops it. */
active proctype budgets()
{
	byte p;

	atomic {
		if :: p = 1 :: p = 2 fi;
		if
		:: promised[p] + PART <= WHOLE -> promised[p] = promised[p] + PART; context_on = p
		:: else
		fi;
		p = 0;
		check()
	}
	atomic {
		if
		:: context_on != NOBODY -> promised[context_on] = promised[context_on] - PART; context_on = NOBODY
		:: else
		fi;
		check()
	}
}

/* A processor in between: what it runs comes and goes. */
proctype processor(byte p)
{
	byte t;

end:	do
	:: atomic { interrupt[p] ->      /* whoever may not run here any more goes elsewhere */
			interrupt[p] = false;
			if
			:: runs[p] != NOBODY && (isolated[p] || is_bound(runs[p])) && !belongs(runs[p], p) -> runs[p] = NOBODY
			:: else
			fi;
			check() }
	:: atomic { runs[p] == NOBODY ->
			if :: t = 0 :: t = 1 fi;
			if
			:: runs[1] != t && runs[2] != t && !dead[t] && (belongs(t, p) || may_come(t, p)) -> runs[p] = t
			:: else
			fi;
			t = 0;
			check() }
	:: atomic { runs[p] != NOBODY -> runs[p] = NOBODY; check() }      /* it sleeps */
	od
}

active proctype killer()
{
	byte t;

	atomic {
		if :: t = 0 :: t = 1 fi;
		dead[t] = true;
		if :: runs[1] == t -> runs[1] = NOBODY :: runs[2] == t -> runs[2] = NOBODY :: else fi;
#ifndef MUTANT_DEATH_KEEPS
		if :: whose[0] == t -> whose[0] = NOBODY :: else fi;
		if :: whose[1] == t -> whose[1] = NOBODY :: else fi;
#endif
		t = 0;
		check()
	}
}

init
{
	atomic {
		run holder(0);
		run holder(1);
		run processor(1);
		run processor(2)
	}
}

/* A lease ends with its time at the latest. */
ltl ends { [] (goes_on[0] -> <> !goes_on[0]) }
