/*
 * Kernel lock: processors enter the kernel shared or exclusively, in the order of tickets where they meet, and hand over a
 * thread that sleeps on one and is claimed by another. README.md says which name is which.
 *
 * Each processor enters again and again, in either mode. Shared, it may put the one thread to sleep if it runs it, or claim
 * the thread if it sleeps and load it once its registers are saved.
 */
#include "check.pml"

#define PROCESSORS 3
#define TICKETS    4             /* more than can be out at a time; numbers wrap */
#define NOBODY     255

/* Safety */
#define ALONE   1                /* while one processor is inside exclusively, nobody else is inside */
#define SAVED   2                /* a thread is loaded after the processor on which it slept has saved it */
#define SETTLED 3                /* who is inside exclusively finds no thread half handed over by others */

mtype = { RUNNING, ASLEEP, CLAIMED };

/* The lock: a word for each processor, in a cache line of its own, and one word with two tickets */
bool announced[PROCESSORS];
byte next_ticket, serving;

/* What is so, for the properties */
bool inside[PROCESSORS];
byte exclusive = NOBODY;
bool wants_shared, wants_exclusive;      /* processor 0 stands at the door */

/* The thread: `on` is thread->cpu, set until its registers are saved */
mtype state = RUNNING;
byte on = 0;
bool saved;

/* Another processor than `p` counts as out: it has not announced itself, or not yet. */
inline wait_all_out(p)
{
	do
	:: other < PROCESSORS ->
		if
		:: other != p -> !announced[other]
		:: else
		fi;
		other++
	:: else -> break
	od;
	other = 0
}

inline enter_shared(p)
{
	wants_shared = wants_shared || p == 0;
#ifdef MUTANT_READER_RETRIES
	do
	:: announced[p] = true;
		if
		:: atomic { serving == next_ticket -> inside[p] = true; break }
		:: else -> announced[p] = false
		fi
	od;
#else
#ifndef MUTANT_LOOKS_FIRST
	announced[p] = true;      /* and nothing later is read before this can be seen */
#endif
	/* two loads; of all exclusive entries that began before the first, the last has ended at the second if they agree */
	ticket = next_ticket;
	if
	:: atomic { serving == ticket -> ticket = 0; inside[p] = true }
#ifdef MUTANT_LOOKS_FIRST
		announced[p] = true
#endif
	:: else ->
		announced[p] = false;
		atomic { ticket = next_ticket; next_ticket = (next_ticket + 1) % TICKETS };
		serving == ticket;
		atomic { announced[p] = true; inside[p] = true; ALWAYS(ALONE, exclusive == NOBODY) };
		serving = (serving + 1) % TICKETS;
		ticket = 0
	fi;
#endif
	ALWAYS(ALONE, exclusive == NOBODY);
	wants_shared = wants_shared && p != 0
}

inline leave_shared(p)
{
	atomic { inside[p] = false; announced[p] = false }
}

inline enter_exclusive(p)
{
	wants_exclusive = wants_exclusive || p == 0;
#ifdef MUTANT_UNTICKETED
	atomic { serving == next_ticket -> next_ticket = (next_ticket + 1) % TICKETS };
#else
	atomic { ticket = next_ticket; next_ticket = (next_ticket + 1) % TICKETS };
	serving == ticket;
	ticket = 0;
#endif
#ifndef MUTANT_READERS_UNASKED
	wait_all_out(p);
#endif
	atomic {
		exclusive = p;
		ALWAYS(ALONE, !inside[(p + 1) % PROCESSORS] && !inside[(p + 2) % PROCESSORS]);
		ALWAYS(SETTLED, state != CLAIMED && (state == RUNNING || on == NOBODY || on == p)) };
	wants_exclusive = wants_exclusive && p != 0
}

inline leave_exclusive()
{
	exclusive = NOBODY;
	serving = (serving + 1) % TICKETS
}

/* Before a processor waits for anything, it has saved its thread: whoever claimed it waits for that, inside. */
inline save()
{
	atomic { saved = true; on = NOBODY }
}

inline work_shared(p)
{
	if
	:: atomic { state == RUNNING && on == p -> state = ASLEEP };     /* under the lock of what it waits for */
#ifdef MUTANT_WAITS_FIRST
		if
		:: enter_exclusive(p);
			leave_exclusive()
		:: skip
		fi;
#endif
#ifdef MUTANT_LEAVES_UNSAVED
		leave_shared(p);
		save()
#else
		save();
		leave_shared(p)
#endif
	:: atomic { state == ASLEEP && on != p -> state = CLAIMED };
#ifndef MUTANT_CLAIMS_UNASKED
		on == NOBODY;
#endif
		atomic { ALWAYS(SAVED, saved); saved = false; on = p; state = RUNNING };
		leave_shared(p)
	:: leave_shared(p)
	fi
}

proctype processor(byte p)
{
	byte ticket, other;

end:	do
	:: enter_shared(p);
		work_shared(p)
	:: enter_exclusive(p);
		leave_exclusive()
	od
}

init
{
	atomic {
		run processor(0);
		run processor(1);
		run processor(2)
	}
}

/* Nobody waits at the door for ever, whoever else comes and goes. */
ltl shared_enters { [] (wants_shared -> <> !wants_shared) }
ltl exclusive_enters { [] (wants_exclusive -> <> !wants_exclusive) }
/* A thread that was claimed runs. */
ltl loads { [] ((state == CLAIMED) -> <> (state == RUNNING)) }
