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

/* The door of processor 0 is DOOR_ASLEEP, for which ticket, and a call is on its way */
bool asleep, called;
byte sleepers_ticket = TICKETS;

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

/*
 * Takes a ticket and waits until it is served. Whoever is patient looks again and again; processor 0 is not, and sleeps, which
 * is announced with the ticket. A call that was not needed ends the next sleep, and that is all.
 */
inline ticket_wait(p)
{
	atomic { ticket = next_ticket; next_ticket = (next_ticket + 1) % TICKETS };
	do
	:: atomic { serving == ticket -> break }
	:: p == 0 && serving != ticket ->
		atomic { sleepers_ticket = ticket; asleep = true };
		if
#ifdef MUTANT_SLEEPS_UNLOOKED
		:: atomic { called -> called = false }
#else
		:: serving == ticket
		:: atomic { serving != ticket -> skip };
			atomic { called -> called = false }
#endif
		fi;
		atomic { asleep = false; sleepers_ticket = TICKETS }
	od
}

/* Calls the processor that sleeps for this ticket. */
inline call(number)
{
	atomic {
		if
		:: asleep && sleepers_ticket == number -> called = true
		:: else
		fi
	}
}

/* Whoever has the next ticket may come in. */
inline pass_on()
{
#ifdef MUTANT_CALLS_FIRST
	call((serving + 1) % TICKETS);
	serving = (serving + 1) % TICKETS
#else
	serving = (serving + 1) % TICKETS;
	call(serving)
#endif
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
		ticket_wait(p);
		atomic { announced[p] = true; inside[p] = true; ALWAYS(ALONE, exclusive == NOBODY) };
#ifdef MUTANT_LATE_UNCALLED
		serving = (serving + 1) % TICKETS;
#else
		pass_on();
#endif
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
	ticket_wait(p);
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
	pass_on()
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
/* Who sleeps at the door wakes when it is his turn. */
ltl called_in { [] ((asleep && serving == sleepers_ticket) -> <> !asleep) }
