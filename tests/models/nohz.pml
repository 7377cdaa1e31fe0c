/*
 * A processor without a tick: it runs threads with a timer only while one waits behind another, sleeps when it has none, and,
 * leased for a ring, takes the ring's entries while nobody calls it; then it sleeps too, and is called. README.md says which
 * name is which.
 *
 * Processor P is the one that is looked at. The producer is the thread whose ring is polled, on another processor; others make
 * a thread runnable, lease P, bind the ring, end the lease, and kill the producer, at any time. What has the kernel to itself is
 * one step, while nobody is inside shared; what is shared goes step by step.
 */
#include "check.pml"

#define ENTRIES 2
#define CREDITS 1
#define BATCH   1

/* Safety */
#define ONCE   1                 /* an entry is taken once, and with a credit */
#define OWN    2                 /* the ring is not looked at after it was given back */
#define TICK   3                 /* no thread waits behind another without a timer or an interrupt on its way */
#define BESIDE 4                 /* P does not sleep beside a thread that waits for it */
#define ALONE  5                 /* when a lease has settled no thread runs on P, or waits there */

mtype = { NONE, AWAKE, FALLEN };

/* The ring: what the program writes, what the kernel writes */
byte sq_tail, cq_head;
byte sq_head;
mtype word = NONE;
byte taken[ENTRIES];

/* The kernel: who is inside shared, and how many want to be alone there */
bool shared_p, shared_t;
byte wanted;
bool bound, is_asleep, rest;
byte seen_tail, seen_cq_head;
bool has_more;
bool dead, given_back;

/* P */
bool isolated, running = true, slice, interrupt, sleeps;
byte waiting;

#define want() atomic { wanted++ }
#define is_alone (!shared_p && !shared_t)
#define may_enter (wanted == 0)

inline take_one()
{
	entry = sq_head;
	taken[entry]++;
	ALWAYS(ONCE, taken[entry] == 1 && entry - cq_head < CREDITS);
	sq_head = entry + 1;
	entry = 0
}

#define may_take (sq_head < sq_tail && sq_head - cq_head < CREDITS)

/* --- The producer ------------------------------------------------------------------------------- */

inline take_all()
{
	do
	:: may_take -> take_one()
	:: else -> break
	od
}

inline cap_enter()
{
	want();
	atomic {
		is_alone;
		wanted--;
		if
		:: !dead && bound && is_asleep && sq_tail != sq_head ->
			is_asleep = false;
			word = AWAKE;
#ifndef MUTANT_WAKE_UNSENT
			interrupt = true
#endif
		:: else
		fi;
		if :: !dead -> take_all() :: else fi
	}
}

/* ENTER_SYNC by the direct way: quiet entries first, and others may be inside. */
inline cap_enter_directly()
{
	atomic { may_enter -> shared_t = true };
	do
	:: !dead && may_take -> take_one()
	:: else -> break
	od;
	shared_t = false
}

/* What has been written can be seen before the word is read. */
inline look_at_word()
{
#ifndef MUTANT_READS_FIRST
	read = word;
#endif
	if
	:: read != AWAKE && sq_tail != sq_head -> cap_enter()
	:: else
	fi;
	read = NONE
}

proctype producer()
{
	byte entry;
	mtype read = NONE;

	do
	:: !dead && sq_tail < ENTRIES ->
#ifdef MUTANT_READS_FIRST
		read = word;
#endif
		sq_tail++;
		look_at_word()
	:: !dead && cq_head < sq_head ->
#ifdef MUTANT_READS_FIRST
		read = word;
#endif
		cq_head++;
#ifndef MUTANT_CREDIT_UNTOLD
		look_at_word()
#endif
	:: !dead && sq_tail == 1 && sq_head == 0 -> cap_enter_directly()
	:: dead || (sq_tail == ENTRIES && cq_head == ENTRIES) -> break
	od
}

/* --- P ------------------------------------------------------------------------------------------ */

inline sees(answer)
{
	ALWAYS(OWN, !given_back);
	answer = sq_tail != sq_head && (has_more || sq_tail != seen_tail
#ifndef MUTANT_CREDIT_UNSEEN
		|| cq_head != seen_cq_head
#endif
		)
}

/* In user mode on P, or asleep there, nothing is missed. */
inline check_p()
{
	ALWAYS(TICK, !(running && waiting > 0 && !slice && !interrupt));
	ALWAYS(BESIDE, !(sleeps && waiting > 0 && !interrupt))
}

/* Whose turn it is after one that waits or ended its turn. */
inline next()
{
	if
	:: waiting > 0 -> waiting--; running = true; slice = waiting > 0
	:: else -> running = false; slice = false
	fi
}

/* A batch, of one. */
inline take()
{
	seen_tail = sq_tail;
	seen_cq_head = cq_head;
	if
	:: may_take -> take_one(); has_more = true
	:: else -> has_more = false
	fi;
	if
	:: is_asleep -> is_asleep = false; word = AWAKE
	:: else
	fi
}

inline poller_turn()
{
	sees(found);
	if
	:: found ->
#ifdef MUTANT_TAKES_SHARED
		take();
		shared_p = false
#else
		/* from shared to exclusive, and it may have been taken away on the way */
		shared_p = false;
		want();
		atomic {
			is_alone;
			wanted--;
			if :: bound -> take() :: else fi
		}
#endif
	:: !found && is_asleep -> shared_p = false
	:: !found && !is_asleep -> shared_p = false; found = true      /* not yet */
	:: !found && !is_asleep ->
		word = FALLEN;
#ifndef MUTANT_SLEEPS_UNLOOKED
		sees(found);
#endif
		if
		:: found -> word = AWAKE
		:: else -> is_asleep = true
		fi;
		shared_p = false
	fi
}

proctype processor()
{
	byte entry;
	bool found;

end:	do
	:: atomic { running && interrupt && is_alone ->
			interrupt = false;
			if
			:: isolated -> running = false; slice = false      /* goes on elsewhere */
			:: else -> slice = waiting > 0
			fi;
			check_p() }
	:: atomic { running && slice && is_alone ->
			slice = !isolated && waiting > 0;      /* the other's turn */
			check_p() }
	:: atomic { running && !interrupt && is_alone -> next(); check_p() }      /* it goes to sleep */
	:: !running ->
		/* the idle loop: a thread first, then the ring, then sleep */
#ifdef MUTANT_LOOKS_OUTSIDE
		if
		:: waiting == 0 && bound -> sees(found)
		:: else
		fi;
#endif
		atomic { may_enter -> shared_p = true };
		if
		:: atomic { waiting > 0 -> next(); check_p(); shared_p = false }
		:: waiting == 0 && bound -> poller_turn()
		:: waiting == 0 && !bound -> shared_p = false
		fi;
		if
		:: !running && !found ->
			/* An interrupt that has come meanwhile ends the sleep at once. */
			atomic { sleeps = true; check_p() };
endsleep:		atomic { interrupt -> interrupt = false; sleeps = false }
		:: else
		fi;
		found = false
	od
}

/* --- The others --------------------------------------------------------------------------------- */

/* A thread becomes runnable, and P is chosen for it. */
active proctype waker()
{
	want();
	atomic {
		is_alone;
		wanted--;
		if
		:: isolated
		:: !isolated ->
			waiting++;
#ifdef MUTANT_FIRST_UNTOLD
			if :: !running -> interrupt = true :: else fi;
#else
#ifdef MUTANT_IDLE_UNTOLD
			if :: running -> interrupt = true :: else fi;
#else
			interrupt = true;
#endif
#endif
			check_p()
		fi
	}
}

active proctype holder()
{
	want();
	atomic {
		is_alone;
		wanted--;
		isolated = true;
#ifndef MUTANT_QUEUE_STAYS
		waiting = 0;
#endif
		interrupt = true
	}
	want();
	atomic {
		is_alone;
		wanted--;
		if
		:: !dead -> bound = true; is_asleep = false; has_more = true; word = AWAKE; interrupt = true
		:: else
		fi;
		ALWAYS(ALONE, waiting == 0 && (!running || interrupt))
	}
	/* What the program handed over to a poller that was awake is taken soon; or the lease lasts. */
	if
	:: want();
		atomic {
			is_alone;
			wanted--;
#ifndef MUTANT_END_FORGETS
			rest = bound && sq_tail != sq_head;
#endif
			bound = false;
			word = NONE;
			is_asleep = false;
			isolated = false;
			interrupt = true
		}
	:: skip
	fi
}

/* The timer that the end of polling sets. */
proctype rest_taker()
{
	byte entry;

end:	do
	:: rest ->
		want();
		atomic {
			is_alone;
			wanted--;
			if :: rest && !dead -> take_all() :: else fi;
			rest = false
		}
	od
}

active proctype killer()
{
	if
	:: want();
		atomic {
			is_alone;
			wanted--;
			dead = true;
#ifndef MUTANT_DEAD_POLLED
			bound = false;
			rest = false;
			word = NONE;
			is_asleep = false
#endif
		};
		want();
		atomic { is_alone; wanted--; given_back = true }
	:: skip
	fi
}

init
{
	atomic {
		run producer();
		run processor();
		run rest_taker()
	}
}

/* What was handed over is taken, whatever sleeps and ends. */
ltl all_taken { <> (sq_head == ENTRIES || dead) }
