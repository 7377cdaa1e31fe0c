/*
 * Parking: a lot with its lock (kernel/object/park.c), and a mutex that programs make of it (lib/rt/mutex.c). Threads want
 * the mutex several times; a deadline may end a park, and a thread may be killed while it parks. README.md says which
 * name is which.
 *
 * What a thread does in the kernel between taking the lot's lock and giving it back is not one step here: the word is
 * user memory, which others write meanwhile.
 */
#include "check.pml"

#define THREADS  3
#ifndef TURNS
#define TURNS    1
#endif
#define TIMEOUTS 1
#define KILLS    1

#define HELD     1               /* the word of the mutex */
#define MARKED   2               /* somebody may sleep for it */

/* Safety */
#define EXCLUDES 1               /* the mutex is one thread's at a time */
#define LOT      2               /* who is in the lot sleeps, and once */

byte word;
bool locked;                     /* the lot's lock */
chan lot = [THREADS] of { byte };
bool parked[THREADS], killed[THREADS];
byte inside, finished, timeouts, kills;

inline lot_lock()
{
	atomic { !locked -> locked = true }
}

inline lot_unlock()
{
	locked = false
}

/* Sleeps for the word as long as it is `expected`. */
inline park(expected)
{
#ifdef MUTANT_COMPARE_UNLOCKED
	if
	:: word == expected ->
		lot_lock();
#else
	lot_lock();
	if
	:: word == expected ->
#endif
		atomic { lot ! _pid; parked[_pid] = true };
		lot_unlock();
		!parked[_pid]
	:: else ->
#ifndef MUTANT_COMPARE_UNLOCKED
		lot_unlock()
#else
		skip
#endif
	fi
}

/* Wakes the oldest. */
inline unpark()
{
	lot_lock();
	atomic {
		if
		:: lot ? [who] ->
			lot ? who;
			ALWAYS(LOT, parked[who]);
			parked[who] = false
		:: else
		fi;
		who = 0
	};
	lot_unlock()
}

#ifdef MUTANT_TAKES_UNMARKED
#define TAKEN HELD
#else
#define TAKEN (HELD | MARKED)
#endif

/* Whoever has not got it at once marks it, sleeps, and takes it marked: others may still sleep. */
inline mutex_lock()
{
	atomic {
		seen = word;
		if :: seen == 0 -> word = HELD :: else fi
	};
	do
	:: seen == 0 -> break
	:: else ->
		seen = word;
		if
		:: seen == 0 ->
#ifdef MUTANT_TAKES_LATE
			word = TAKEN;
			break
#else
			atomic {
				if
				:: word == 0 -> word = TAKEN; break
				:: else -> seen = HELD
				fi
			}
#endif
		:: else ->
			atomic {
				if
				:: word == seen -> word = seen | MARKED; seen = seen | MARKED; marked = true
				:: else -> marked = false
				fi
			};
			if
			:: marked -> park(seen)
			:: else
			fi;
			marked = false
		fi;
		if :: killed[_pid] -> goto ended :: else fi
	od
}

inline mutex_unlock()
{
#ifdef MUTANT_WAKES_FIRST
	seen = word;
	if :: seen & MARKED -> unpark() :: else fi;
	word = 0
#else
	atomic { seen = word; word = 0 };
	if :: seen & MARKED -> unpark() :: else fi
#endif
}

active [THREADS] proctype thread()
{
	byte turns, seen, who;
	bool marked;

	do
	:: turns < TURNS ->
		mutex_lock();
		inside++;
		ALWAYS(EXCLUDES, inside == 1);
		inside--;
		mutex_unlock();
		turns++
	:: else -> break
	od;
ended:	seen = 0;
	finished++
}

/* A deadline or a kill takes a thread out of the lot, and it goes on, or ends, in user mode. */
active proctype kernel()
{
	byte victim, at;
	bool mine;

end:	do
	:: atomic {
		(timeouts < TIMEOUTS || kills < KILLS) && (parked[0] || parked[1] || parked[2]) ->
		if
		:: parked[0] -> victim = 0
		:: parked[1] -> victim = 1
		:: parked[2] -> victim = 2
		fi
	   };
		lot_lock();
		atomic {
			if
			:: lot ?? [eval(victim)] ->
#ifndef MUTANT_TIMEOUT_STAYS
				lot ?? eval(victim);
#endif
				mine = true
			:: else
			fi
		};
		lot_unlock();
		atomic {
			if
			:: mine && timeouts < TIMEOUTS -> timeouts++; parked[victim] = false
			:: mine && kills < KILLS -> kills++; killed[victim] = true; parked[victim] = false
			:: else
			fi;
			mine = false;
			victim = 0
		}
	/* neither need come */
	:: atomic { timeouts < TIMEOUTS -> timeouts++ }
	:: atomic { kills < KILLS -> kills++ }
	od
}

/* Whoever sleeps for a mutex gets it, or has been killed. */
ltl all_get_it { <> (finished == THREADS) }
