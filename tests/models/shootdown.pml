/*
 * TLB shootdown: a page is unmapped by who is alone in the kernel. Processors that run a thread in that address space are
 * stopped: they wait at the door. They keep the space, as do those that idle, and are told what they missed: they drop it when they
 * are inside again. When the space itself is to be destroyed its threads are killed, and each processor that has it loaded is asked
 * to leave it, which it does while it waits at the door.
 * README.md says which name is which; kernel_lock.pml is about the lock, here taking a ticket is one step.
 *
 * One page of one address space, mapped to one frame or another. Two processors run its threads, other spaces' threads, or
 * idle; a third maps and unmaps.
 */
#include "check.pml"

#define RUNNERS  2
#define FRAMES   2

/* Safety */
#define STALE    1               /* no thread reaches a frame through a mapping that was taken away and answered for */
#define DEAD     2               /* no processor has the space loaded when its tables are given back */

mtype = { OUT, IDLE, WAITING, SHARED };

mtype door[RUNNERS] = SHARED;
bool runs[RUNNERS];              /* the current thread is of the space */
bool loaded[RUNNERS];            /* CR3 names the space; an idle processor keeps what it had */
byte cached[RUNNERS];            /* the frame that the processor's TLB has for the page, 0: none */
bool flush_due[RUNNERS];         /* something stands in `stale` */
bool must_leave[RUNNERS];
bool stop_sent[RUNNERS];
bool ticket_out;                 /* the third processor is inside exclusively, or waits for the others to leave */

byte mapped = 1;                 /* the page table's entry: a frame, 0: none */
bool given[FRAMES + 1];          /* the frame belongs to somebody else by now */
bool stopping;

/* arch_space_load: writing CR3 drops all translations */
inline space_load(p, what)
{
	d_step {
		if
		:: loaded[p] != (what) -> loaded[p] = (what); cached[p] = 0
		:: else
		fi }
}

inline refresh(p)
{
	d_step {
		if
		:: flush_due[p] -> cached[p] = 0; flush_due[p] = false
		:: else
		fi }
}

/* kernel_enter_shared; the door's word is written before the tickets are read */
inline enter(p)
{
	d_step { door[p] = SHARED; stop_sent[p] = false };
	if
	:: ticket_out ->
		door[p] = WAITING;
		do
		:: atomic { !ticket_out -> door[p] = SHARED; break }
#ifndef MUTANT_STAYS
		:: must_leave[p] ->
			must_leave[p] = false;
			space_load(p, false)
#endif
		od;
#ifndef MUTANT_UNREFRESHED
		refresh(p)
#endif
	:: else
	fi
}

proctype runner(byte p)
{
end:	do
	:: door[p] == OUT ->
		if
		/* a load or store of the page: through the TLB, or by a walk that fills it */
		:: atomic { loaded[p] && cached[p] != 0 -> ALWAYS(STALE, !given[cached[p]]) }
		:: atomic { loaded[p] && cached[p] == 0 -> cached[p] = mapped }
		:: enter(p)
		:: skip
		fi;
		if
		:: stop_sent[p] && door[p] == OUT -> enter(p)
		:: else
		fi
	:: door[p] == SHARED ->
		if
		:: atomic { runs[p] = !runs[p] };
			space_load(p, runs[p])
		:: skip
		fi;
		if
		:: door[p] = OUT
		:: door[p] = IDLE
		fi
	:: door[p] == IDLE ->
		if
		:: !stop_sent[p] -> skip
#ifdef MUTANT_REFRESHES_FIRST
		:: refresh(p);
			enter(p)
#else
		:: enter(p);
			refresh(p)
#endif
		fi
	od
}

inline processor_stop(p)
{
	stopping = true;
#ifndef MUTANT_STOPS_NOBODY
	do
#ifdef MUTANT_STOPS_IDLE
	:: door[p] == WAITING -> break
#else
	:: door[p] == WAITING || door[p] == IDLE -> break
#endif
#ifndef MUTANT_UNSENT
	:: atomic { door[p] == OUT && !stop_sent[p] -> stop_sent[p] = true }
#endif
	od;
#endif
	stopping = false
}

inline flush_elsewhere(p)
{
	processor_stop(p);
#ifdef MUTANT_LOOKS_AGAIN
	if
	:: door[p] == IDLE -> flush_due[p] = true
	:: else
	fi
#elif !defined(MUTANT_IDLE_UNCOUNTED)
	flush_due[p] = true
#endif
}

inline leaf_flush()
{
	do
	:: p < RUNNERS ->
		if
		:: loaded[p] -> flush_elsewhere(p)
		:: else
		fi;
		p++
	:: else -> break
	od;
	p = 0
}

/* The end of the last thread, and arch_space_leave */
inline space_end()
{
	do
	:: p < RUNNERS ->
		if
		:: runs[p] ->
			processor_stop(p);
			runs[p] = false
		:: else
		fi;
#ifndef MUTANT_LEAVES_NONE
		if
		:: loaded[p] ->
			stopping = true;
			must_leave[p] = true;
			stop_sent[p] = true;
			!loaded[p];
			stopping = false
		:: else
		fi;
#endif
		p++
	:: else -> break
	od;
	p = 0;
	ALWAYS(DEAD, !loaded[0] && !loaded[1])
}

active proctype changer()
{
	byte p, frame;

end:	do
	:: ticket_out = true;
		door[0] != SHARED;
		door[1] != SHARED;
		if
		:: mapped != 0 ->
			frame = mapped;
			mapped = 0;
			leaf_flush();
			atomic { given[frame] = true; frame = 0 }
		:: mapped == 0 ->      /* nothing that is not there is in a TLB: nobody is asked */
			if :: frame = 1 :: frame = 2 fi;
			atomic { given[frame] = false; mapped = frame; frame = 0 }
		:: space_end()         /* and another one begins, with the same page */
		fi;
		ticket_out = false
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
