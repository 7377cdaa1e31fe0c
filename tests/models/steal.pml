/*
 * Threads that move: two processors with a run queue each, threads that wait for a turn, sleep, are woken from anywhere, are
 * taken by a processor that has nothing to do, and are killed. README.md says which name is which.
 *
 * A section under a queue's lock is one step. No two queues are locked at once, so a thread that is taken is in none for a while.
 * Killing is exclusive: no other processor is inside the kernel then.
 */
#include "check.pml"

#define PROCESSORS 2
#define THREADS    3
#define NOBODY     255
#ifndef WAKES
#define WAKES      1
#define SLEEPINGS  0
#endif
#define NOWHERE    255

/* Safety */
#define ONE_QUEUE  1             /* a thread is in one queue at the most, and who has ended in none */
#define ONE_PLACE  2             /* its registers are one processor's, and only of one that runs it */
#define ALLOWED    3             /* nobody is queued where it may not run */
#define NOT_LOST   4             /* who can run is in a queue, or runs, when nobody is inside the kernel */
#define NOT_BESIDE 5             /* no processor sleeps with somebody in its queue and no interrupt on its way */
#define ONE_MOVE   6             /* a processor that has nothing to do takes one thread */

mtype = { RUNNABLE, RUNNING, WAITING, ENDED };

mtype state[THREADS];
byte queue[THREADS] = NOWHERE;   /* that it waits in */
byte runner[PROCESSORS] = NOBODY;
byte affinity[THREADS] = 3;
byte count[PROCESSORS];          /* of those who wait */
byte holder[THREADS] = NOBODY;   /* `thread->cpu` */
byte current[PROCESSORS] = NOBODY;
bool inside[PROCESSORS], sleeps[PROCESSORS], interrupt[PROCESSORS];
byte moves[PROCESSORS];
byte wakes = WAKES, sleepings = SLEEPINGS, turns = 1;

inline join(t, q)
{
	ALWAYS(ONE_QUEUE, queue[t] == NOWHERE && state[t] != ENDED);
	ALWAYS(ALLOWED, affinity[t] & (1 << q));
	queue[t] = q;
	count[q]++
}

inline leave(t)
{
	count[queue[t]]--;
	queue[t] = NOWHERE
}

/* Any of those who wait in q; its order is not modelled. */
inline pick(q, t)
{
	t = NOBODY;
	if
	:: queue[0] == q -> t = 0
	:: queue[1] == q -> t = 1
	:: queue[2] == q -> t = 2
	:: count[q] == 0
	fi;
	if :: t != NOBODY -> leave(t) :: else fi;
	runner[q] = t
}

inline put_down(p)
{
	if
	:: current[p] != NOBODY -> holder[current[p]] = NOBODY; current[p] = NOBODY
	:: else
	fi
}

/* Waits until the one that it ran on has let it go. */
inline claim(p, t)
{
#ifndef MUTANT_CLAIMS_AT_ONCE
	holder[t] == NOBODY;
#endif
	ALWAYS(ONE_PLACE, holder[t] == NOBODY && current[p] == NOBODY);
	holder[t] = p;
	current[p] = t;
	state[t] = RUNNING
}

/* Wakes a thread that waits: who takes it out of where it waited, and nobody else. */
inline wake(p)
{
	atomic {
		if
		:: state[0] == WAITING -> t = 0
		:: state[1] == WAITING -> t = 1
		:: state[2] == WAITING -> t = 2
		:: else -> t = NOBODY
		fi;
		if :: t != NOBODY -> state[t] = RUNNABLE; wakes-- :: else fi
	}
	if
	:: t == NOBODY
	:: else ->
		/* run_queue_choose, without locks */
		if
		:: affinity[t] & 1 -> to = 0
		:: affinity[t] & 2 -> to = 1
		fi;
		/* Its processor may not have put it to sleep yet: then that finds no runner. */
		atomic {
			if
			:: runner[0] == t -> runner[0] = NOBODY
			:: runner[1] == t -> runner[1] = NOBODY
			:: else
			fi;
			join(t, to)
		}
#ifndef MUTANT_IDLE_UNTOLD
		if :: to != p -> interrupt[to] = true :: else fi;
#endif
		ALWAYS(NOT_BESIDE, !(sleeps[to] && count[to] > 0 && !interrupt[to]))
	fi
}

/* queue_steal: out of the other's queue, then into one's own. */
inline steal(p)
{
	atomic {
		t = NOBODY;
		if
#ifdef MUTANT_AFFINITY_UNASKED
#define MAY(t) true
#else
#define MAY(t) (affinity[t] & (1 << p))
#endif
		:: queue[0] == 1 - p && MAY(0) -> t = 0
		:: queue[1] == 1 - p && MAY(1) -> t = 1
		:: queue[2] == 1 - p && MAY(2) -> t = 2
#ifdef MUTANT_TAKES_RUNNER
		:: runner[1 - p] != NOBODY && MAY(runner[1 - p]) -> t = runner[1 - p]
#endif
		:: else -> t = NOBODY
		fi;
		if
		:: t != NOBODY && queue[t] != NOWHERE -> leave(t)
		:: else
		fi;
		if :: t != NOBODY -> moves[p]++ :: else fi
	}
	if
	:: t != NOBODY ->
		atomic {
			ALWAYS(ONE_QUEUE, queue[t] == NOWHERE && state[t] != ENDED);
			ALWAYS(ALLOWED, affinity[t] & (1 << p));
			if
			:: count[p] == 0 -> runner[p] = t
			:: else ->
#ifndef MUTANT_SECOND_DROPPED
				join(t, p);
#endif
				t = NOBODY
			fi
		}
	:: else
	fi
}

inline enter(p)
{
	atomic { !killing -> inside[p] = true }
}

bool killing;

/* What must hold whenever nobody is inside. */
inline leave_kernel(p)
{
	atomic {
		inside[p] = false;
		if
		:: !inside[1 - p] ->
			t = 0;
			do
			:: t < THREADS ->
				ALWAYS(NOT_LOST, state[t] != RUNNABLE || queue[t] != NOWHERE);
				ALWAYS(ONE_PLACE, (state[t] == RUNNING) == (holder[t] != NOBODY));
				t++
			:: else -> break
			od
		:: else
		fi;
		t = NOBODY;
		to = NOBODY;
		moves[p] = 0
	}
}

proctype processor(byte p)
{
	byte t, to;

	/* It enters the kernel with a thread that runs, or for an interrupt. */
end:	do
	:: current[p] != NOBODY && (wakes > 0 || sleepings > 0 || turns > 0) ->
		enter(p);
		if
		:: current[p] != NOBODY && wakes > 0 -> wake(p)
		:: current[p] != NOBODY && sleepings > 0 ->
			atomic { sleepings--; state[current[p]] = WAITING }
			/* From here on it can be woken, and claimed as soon as it is put down. */
			put_down(p);
			atomic { runner[p] = NOBODY; pick(p, t) }
			if :: t != NOBODY -> claim(p, t) :: else fi
		:: current[p] != NOBODY && turns > 0 && count[p] > 0 ->
			turns--;
			state[current[p]] = RUNNABLE;
			atomic {
				if :: runner[p] == current[p] -> runner[p] = NOBODY :: else fi;
				if :: count[p] > 0 -> pick(p, t) :: else -> t = NOBODY fi;
				join(current[p], p);
				if :: t == NOBODY -> pick(p, t) :: else fi
			}
			if
			:: t == current[p] -> state[t] = RUNNING
			:: else -> put_down(p); claim(p, t)
			fi
		:: else
		fi;
		interrupt[p] = false;
		leave_kernel(p)
	:: current[p] == NOBODY && !sleeps[p] ->
		enter(p);
		interrupt[p] = false;
		moves[p] = 0;
		atomic { pick(p, t) }
		if :: t == NOBODY -> steal(p) :: else fi;
#ifdef MUTANT_TAKES_MORE
		if :: t != NOBODY && moves[p] > 0 -> atomic { join(t, p); runner[p] = NOBODY; count[p] > 0 }; steal(p) :: else fi;
#endif
		ALWAYS(ONE_MOVE, moves[p] <= 1);
		if
		:: t != NOBODY -> claim(p, t); leave_kernel(p)
		:: else ->
			leave_kernel(p);
			/* An interrupt that has come meanwhile ends the sleep at once. */
			atomic { if :: count[p] == 0 && !interrupt[p] -> sleeps[p] = true :: else fi }
		fi
	:: atomic { sleeps[p] && interrupt[p] -> sleeps[p] = false }
	od
}

/* Somebody with the whole kernel for itself. */
active proctype killer()
{
	byte t;

	if :: t = 0 :: t = 1 :: t = 2 fi;
	atomic {
#ifdef MUTANT_KILLS_SHARED
		(!inside[0] && !inside[1]) || (state[t] == RUNNABLE && queue[t] == NOWHERE && holder[t] == NOBODY);
#else
		!inside[0] && !inside[1];
#endif
		killing = true;
		if :: queue[t] != NOWHERE -> leave(t) :: else fi;
		if :: runner[0] == t -> runner[0] = NOBODY :: runner[1] == t -> runner[1] = NOBODY :: else fi;
		if
		:: holder[t] != NOBODY -> current[holder[t]] = NOBODY; holder[t] = NOBODY
		:: else
		fi;
		state[t] = ENDED;
		killing = false
	}
}

init {
	atomic {
		state[0] = RUNNING; holder[0] = 0; current[0] = 0; runner[0] = 0;
		state[1] = RUNNABLE; queue[1] = 0; count[0] = 1;
		state[2] = WAITING;
		if :: affinity[1] = 1 :: affinity[1] = 3 fi;
		affinity[2] = 2;
		run processor(0);
		run processor(1)
	}
}
