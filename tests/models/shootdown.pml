/*
 * TLB shootdown: a page is unmapped by who is alone in the kernel; processors that run a thread in that address space are
 * stopped at the door, and all that have it loaded flush before they run anything in user mode again, idle ones included.
 * README.md says which name is which; kernel_lock.pml is about the lock, here it is one step.
 *
 * One page of one address space, mapped to one frame or another. Two processors run its threads, other spaces' threads, or
 * idle; a third maps and unmaps.
 */
#include "check.pml"

#define RUNNERS  2
#define FRAMES   2

/* Safety */
#define STALE    1               /* no thread reaches a frame through a mapping that was taken away and answered for */
#define STOPPED  2               /* while the space is changed, no thread of it runs */

mtype = { USER, DOOR, INSIDE, IDLE };

mtype mode[RUNNERS] = INSIDE;
bool loaded[RUNNERS];            /* CR3 names the space; an idle processor keeps what it had */
byte cached[RUNNERS];            /* the frame that the processor's TLB has for the page, 0: none */
bool flush_due[RUNNERS];         /* the count of flushes wanted is ahead of that of those done */
bool stop_sent[RUNNERS];
bool alone;                      /* the third processor is inside exclusively */

byte mapped = 1;                 /* the page table's entry: a frame, 0: none */
bool given[FRAMES + 1];          /* the frame belongs to somebody else by now */
bool changing, stopping;

/* What the processor does before it leaves the kernel to user mode */
inline flush_if_wanted(p)
{
	if
	:: flush_due[p] ->
		cached[p] = 0;
		flush_due[p] = false
	:: else
	fi
}

inline to_user(p)
{
	atomic { mode[p] = USER; ALWAYS(STOPPED, !changing || !loaded[p]) }
}

proctype runner(byte p)
{
end:	do
	:: mode[p] == USER ->
		if
		/* a load or store of the page: through the TLB, or by a walk that fills it */
		:: atomic {
			mode[p] == USER && loaded[p] && cached[p] != 0 ->
			ALWAYS(STALE, !given[cached[p]]) }
		:: atomic { loaded[p] && cached[p] == 0 -> cached[p] = mapped }
		/* a system call, or the interrupt */
		:: atomic { mode[p] = DOOR; stop_sent[p] = false }
		:: skip
		fi;
		if
		:: atomic { stop_sent[p] && mode[p] == USER -> mode[p] = DOOR; stop_sent[p] = false }
		:: else
		fi
	:: mode[p] == DOOR ->
#ifdef MUTANT_FLUSHES_AT_DOOR
		atomic { flush_if_wanted(p) };
#endif
		atomic { !alone -> mode[p] = INSIDE }
	:: mode[p] == INSIDE ->
		if
		/* another space is loaded: that flushes all there is */
		:: atomic { loaded[p] = !loaded[p]; cached[p] = 0; flush_due[p] = false }
		:: skip
		fi;
		if
#ifndef MUTANT_FLUSHES_AT_DOOR
		:: atomic { flush_if_wanted(p) };
			to_user(p)
#else
		:: to_user(p)
#endif
		:: mode[p] = IDLE
		fi
	:: mode[p] == IDLE ->
		if
		:: mode[p] = DOOR
		:: skip
		fi
	od
}

/* Before it answers for what it took away */
inline stop_all()
{
	stopping = true;
	do
	:: p < RUNNERS ->
		if
#ifdef MUTANT_STOPS_IDLE
		:: loaded[p] && (mode[p] == USER || mode[p] == IDLE) ->
			stop_sent[p] = true;
			mode[p] != USER && mode[p] != IDLE
#else
		:: loaded[p] && mode[p] == USER ->
#ifndef MUTANT_UNSENT
			stop_sent[p] = true;
#endif
			mode[p] != USER
#endif
		:: else
		fi;
		p++
	:: else -> break
	od;
	p = 0;
	stopping = false
}

inline count_all()
{
	do
	:: p < RUNNERS ->
		if
#ifdef MUTANT_IDLE_UNCOUNTED
		:: loaded[p] && mode[p] != IDLE ->
#else
		:: loaded[p] ->
#endif
			flush_due[p] = true
		:: else
		fi;
		p++
	:: else -> break
	od;
	p = 0
}

active proctype changer()
{
	byte p, frame;

end:	do
	:: atomic { mode[0] != INSIDE && mode[1] != INSIDE -> alone = true };
		if
		:: mapped != 0 ->
#ifndef MUTANT_STOPS_NOBODY
			stop_all();
#endif
			atomic {
				changing = true;
				ALWAYS(STOPPED, (mode[0] != USER || !loaded[0]) && (mode[1] != USER || !loaded[1])) };
			frame = mapped;
			mapped = 0;
#ifndef MUTANT_COUNTS_NOBODY
			count_all();
#endif
			given[frame] = true;
			frame = 0;
			changing = false
		:: mapped == 0 ->      /* nothing that is not there is in a TLB: nobody is asked */
			if :: frame = 1 :: frame = 2 fi;
			atomic { given[frame] = false; mapped = frame; frame = 0 }
		fi;
		alone = false
	od
}

init
{
	atomic {
		given[2] = true;
		run runner(0);
		run runner(1)
	}
}

/* Whoever stops others gets on, though an idle processor may sleep for ever and a thread may compute for ever. */
ltl stops { [] (stopping -> <> !stopping) }
