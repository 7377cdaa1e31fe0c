/*
 * The ring of one thread: submission and completion indices, completion credits, SYNC entries, sleeping in cap_enter
 * and being woken. README.md says which name here is which in the sources.
 *
 * The program fills entries, hands them over, enters, reaps, as lib/rt/ring.c does; the kernel's half of an entry runs
 * in the same process, since it is the same thread. Completers finish questions at any time; a timer wakes sleepers.
 * Each section that the sources perform under ring.lock is one atomic step, and so is each unlocked look at the ring by its own thread.
 *
 * Variant HOSTILE: the program writes any index and enters with any arguments. The kernel's promises to itself
 * must hold; what the program reads is its own loss.
 */
#include "check.pml"

#define SQ        2              /* RING_SQ_ENTRIES */
#define CQ        2              /* RING_CQ_ENTRIES */
#define QUESTIONS 2
#ifndef HOSTILE
#define ENTRIES   4              /* that the program submits in all; serials 1..ENTRIES */
#define INDEX     7              /* indices run freely modulo 8 here, 2^32 there */
#else
#define ENTRIES   3
#define INDEX     3
#endif
#define NOBODY    255

/* Safety */
#define CREDIT       1           /* in flight + unread <= CQ: a completion always has a place */
#define EXACTLY_ONCE 2           /* each accepted entry completes once, and nothing else does */
#define INTACT       3           /* the program reads each completion as it was written, in order */
#define WAKES_WAITER 4           /* only a waiting thread is woken, and once */
#define SYNC_REPLY   5           /* a SYNC entry is answered in the reply slot, and cap_enter answers after that */
#define ENOUGH       6           /* without a deadline cap_enter answers when min_complete can be read, not before */
#define ACCOUNTED    7           /* in_flight counts what was accepted and has not completed, but for the SYNC entry */

mtype = { RUNNING, WAIT_SYNC, WAIT_COMPLETIONS };

/* Shared: the header, and the two queues */
byte header_sq_tail, header_sq_head, header_cq_tail, header_cq_head;
byte sq_serial[SQ];
bool sq_sync[SQ], sq_waits[SQ];
byte cq_serial[CQ];
byte reply_serial;

/* The kernel's own */
byte kernel_sq_head, kernel_cq_tail, cq_head_seen, in_flight;
byte question_serial[QUESTIONS];         /* 0: free */
bool question_sync[QUESTIONS], question_placed[QUESTIONS];
byte ring_sync = NOBODY;
mtype state = RUNNING;
byte min_complete;
bool deadline_queued, deadline_result;

/* The program's own */
byte sq_tail, cq_head;
byte filled, finished_count;
byte wanted;                             /* serial of a SYNC entry that it waits for */

/* What happened, for the properties */
bool accepted[ENTRIES + 1], completed[ENTRIES + 1], was_read[ENTRIES + 1];
byte open;                               /* accepted, not completed */
bool ended, waits_with_deadline;
#ifdef MUTANT_PUBLISH_FIRST
byte late_at, late_serial;
#endif

#define UNREAD(head) ((kernel_cq_tail - (head)) & INDEX)

/* --- The kernel ---------------------------------------------------------------------------------- */

/* ring_available: what of the program's index is believed */
inline available(result)
{
	result = (kernel_cq_tail - header_cq_head) & INDEX;
#ifndef MUTANT_BELIEVE_HEAD
	if
	:: result > ((kernel_cq_tail - cq_head_seen) & INDEX) -> result = (kernel_cq_tail - cq_head_seen) & INDEX
	:: else -> cq_head_seen = header_cq_head
	fi
#else
	cq_head_seen = header_cq_head
#endif
}

/* sched_wake */
inline wake()
{
	ALWAYS(WAKES_WAITER, state != RUNNING);
	state = RUNNING
}

inline note_completed(serial)
{
#ifndef HOSTILE
	ALWAYS(EXACTLY_ONCE, accepted[serial] && !completed[serial]);
#else
	ALWAYS(EXACTLY_ONCE, open > 0);          /* serials come again: its tail may say anything */
#endif
	open--;
	completed[serial] = true
}

/* queue_write */
inline queue_write(serial)
{
	note_completed(serial);
#ifdef HOSTILE
	ALWAYS(CREDIT, UNREAD(cq_head_seen) < CQ);
#else
	ALWAYS(CREDIT, UNREAD(header_cq_head) < CQ);
#endif
#ifndef MUTANT_PUBLISH_FIRST
	cq_serial[kernel_cq_tail % CQ] = serial;
#else
	if :: late_serial != 0 -> cq_serial[late_at] = late_serial :: else fi;
	late_serial = serial;
	late_at = kernel_cq_tail % CQ;
#endif
	kernel_cq_tail = (kernel_cq_tail + 1) & INDEX;
	header_cq_tail = kernel_cq_tail
}

inline reply_slot_write(serial)
{
	note_completed(serial);
	reply_serial = serial
}

/* question_complete: the caller has taken the question out of its place */
inline question_complete(q)
{
	byte serial, readable;

	serial = question_serial[q];
	ALWAYS(EXACTLY_ONCE, serial != 0);
	question_serial[q] = 0;
	if
	:: question_sync[q] ->
		ring_sync = NOBODY;
		reply_slot_write(serial);
		if
#ifdef MUTANT_SYNC_NOT_WOKEN
		:: state == WAIT_SYNC && serial != 2 -> wake()
#else
		:: state == WAIT_SYNC -> wake()
#endif
		:: else
		fi
	:: else ->
		in_flight--;
		queue_write(serial);
		if
		:: state == WAIT_COMPLETIONS ->
			available(readable);
			if
#ifdef MUTANT_WAKE_ONE_LATE
			:: readable > min_complete -> deadline_queued = false; wake()
#elif defined(MUTANT_WAKE_ONE_EARLY)
			:: readable + 1 >= min_complete -> deadline_queued = false; wake()
#else
			:: readable >= min_complete -> deadline_queued = false; wake()
#endif
			:: else
			fi
		:: else
		fi
	fi;
	serial = 0;
	readable = 0
}

/* One entry from ring_drain's loop; more: whether the loop goes on */
inline take_entry(count, sync_allowed, took_sync, more)
{
	byte at, q, unread;

	at = kernel_sq_head % SQ;
	more = false;
	if
	:: sq_sync[at] && count == 1 && sync_allowed ->
		took_sync = true
	:: else ->
		if
#ifdef MUTANT_NO_CREDIT
		:: true -> more = true
#else
		:: in_flight + UNREAD(cq_head_seen) < CQ -> more = true
		:: else ->
			available(unread);
			more = in_flight + unread < CQ
#endif
		fi
	fi;
	if
	:: took_sync || more ->
		accepted[sq_serial[at]] = true;
		open++;
		kernel_sq_head = (kernel_sq_head + 1) & INDEX;
		header_sq_head = kernel_sq_head;
		q = 0;
		do
		:: q < QUESTIONS && question_serial[q] != 0 -> q++
		:: else -> break
		od;
		/* A SYNC entry where it may not stand completes at once as an ordinary one; so does a busy question. */
		if
#ifndef MUTANT_MISPLACED_SYNC
		:: !sq_waits[at] || q == QUESTIONS || (sq_sync[at] && !took_sync) ->
#else
		:: !sq_waits[at] || q == QUESTIONS ->
#endif
			if
			:: took_sync -> reply_slot_write(sq_serial[at])
			:: else -> queue_write(sq_serial[at])
			fi
		:: else ->
			question_serial[q] = sq_serial[at];
			question_sync[q] = sq_sync[at];
#ifndef MUTANT_QUESTION_LOST
			question_placed[q] = true;
#else
			question_placed[q] = (q == 0);
#endif
			if
			:: question_sync[q] -> ring_sync = q
			:: else -> in_flight++
			fi
		fi
	:: else
	fi;
	ALWAYS(ACCOUNTED, open == in_flight + (ring_sync != NOBODY));
	at = 0;
	q = 0;
	unread = 0
}

/* core/entry.c: enter */
inline cap_enter(min, deadline)
{
	byte count, readable;
	bool took_sync, more, timed_out;

	atomic {
		count = (header_sq_tail - kernel_sq_head) & INDEX;
		if
		:: count > SQ -> count = SQ
		:: else
		fi;
		took_sync = false;
		timed_out = false;
		more = true
	}
	do
	:: atomic { count > 0 && more -> take_entry(count, min == 0 && !deadline, took_sync, more); count-- }
	:: atomic { else -> count = 0; more = false; break }
	od;
	if
	:: took_sync ->
#ifdef MUTANT_SYNC_CHECK_UNLOCKED
		if
		:: ring_sync != NOBODY -> skip; state = WAIT_SYNC
		:: else
		fi;
#else
		atomic {
			if
			:: ring_sync != NOBODY -> state = WAIT_SYNC
			:: else
			fi
		}
#endif
#ifndef MUTANT_SYNC_NO_SLEEP
		state == RUNNING;
#else
		state = RUNNING;
#endif
		took_sync = false
	:: else ->
#ifdef MUTANT_SLEEP_CHECK_UNLOCKED
		atomic { available(readable) };
#endif
		atomic {
#ifndef MUTANT_SLEEP_CHECK_UNLOCKED
			available(readable);
#endif
			if
			:: readable >= min
			:: else ->
				min_complete = min;
				state = WAIT_COMPLETIONS;
				waits_with_deadline = deadline;
#ifndef MUTANT_DEADLINE_NOT_QUEUED
				deadline_queued = deadline
#else
				deadline_queued = deadline && readable == 0
#endif
			fi
		}
		atomic {
			state == RUNNING;
			min_complete = 0;
			timed_out = deadline_result;
			deadline_result = false;
			waits_with_deadline = false;
#ifndef HOSTILE
			ALWAYS(ENOUGH, timed_out || UNREAD(header_cq_head) >= min);
#endif
			timed_out = false;
			readable = 0
		}
	fi
}

/* --- Those who complete ---------------------------------------------------------------------------- */

/* Whatever a question waits for, or who cancels it: takes it out of its place, then completes it. There are two of
 * them for the first question. */
proctype completer(byte q)
{
end:	do
#ifndef MUTANT_TAKEN_TWICE
	:: atomic { question_placed[q] -> question_placed[q] = false }
#else
	:: question_placed[q] -> question_placed[q] = false
#endif
		atomic { question_complete(q) }
	od
}

/* thread_deadline_passed */
active proctype timer()
{
end:	do
	:: atomic {
		deadline_queued ->
		deadline_queued = false;
		if
		:: state == WAIT_COMPLETIONS -> deadline_result = true; wake()
		:: else
		fi }
#ifdef MUTANT_STALE_DEADLINE
	:: atomic { !ended && state == RUNNING && min_complete != 0 -> wake() }
#endif
	od
}

#ifdef MUTANT_PUBLISH_FIRST
active proctype late_write()
{
end:	do
	:: atomic { late_serial != 0 -> cq_serial[late_at] = late_serial; late_serial = 0 }
	od
}
#endif

/* --- The program: lib/rt/ring.c --------------------------------------------------------------------- */

inline fill(waits)
{
	sq_serial[sq_tail % SQ] = filled + 1;
	sq_sync[sq_tail % SQ] = false;
	sq_waits[sq_tail % SQ] = waits;
	sq_tail = (sq_tail + 1) & INDEX;
	filled++
}

inline reap()
{
	byte tail, serial;

	tail = header_cq_tail;
	do
	:: atomic {
		cq_head != tail ->
		serial = cq_serial[cq_head % CQ];
		ALWAYS(INTACT, serial != 0 && completed[serial] && !was_read[serial]);
		was_read[serial] = true;
		finished_count++;
		cq_head = (cq_head + 1) & INDEX;
		serial = 0 }
	:: atomic { cq_head == tail -> tail = 0; header_cq_head = cq_head; break }
	od
}

#ifndef HOSTILE
#define ROOM        (((sq_tail - header_sq_head) & INDEX) < SQ)
#define OUTSTANDING (filled - finished_count)

active proctype program()
{
	atomic { run completer(0); run completer(0); run completer(1) }
	do
	:: atomic { filled < ENTRIES && ROOM -> fill(true) }
	:: atomic { filled < ENTRIES && ROOM -> fill(false) }
	:: header_cq_tail != cq_head -> reap()
	:: atomic { OUTSTANDING > 0 -> header_sq_tail = sq_tail }      /* ring_wait */
		cap_enter(1, false)
	:: atomic { OUTSTANDING > 1 -> header_sq_tail = sq_tail }
		cap_enter(2, false)
	:: atomic { OUTSTANDING > 0 -> header_sq_tail = sq_tail }      /* ring_turn with a deadline */
		cap_enter(2, true)
	:: atomic {                                                    /* ring_sync */
		sq_tail != header_sq_tail ->
		sq_sync[(sq_tail - 1) % SQ] = true;
		wanted = filled;
		header_sq_tail = sq_tail }
		cap_enter(0, false);
		do
		:: sq_tail != header_sq_head -> reap();
			cap_enter(0, false)
		:: else -> break
		od;
		atomic {
			ALWAYS(SYNC_REPLY, reply_serial == wanted && completed[wanted] && !was_read[wanted]);
			was_read[wanted] = true;
			finished_count++;
			wanted = 0 }
	:: filled == ENTRIES && OUTSTANDING == 0 -> break
	od;
	ended = true
}

#define sleeps_with_enough (state == WAIT_COMPLETIONS && UNREAD(header_cq_head) >= min_complete)
#define sleeps_to_deadline (state == WAIT_COMPLETIONS && waits_with_deadline)

/* Who sleeps while there is enough to read is woken. */
ltl enough_wakes { [] (sleeps_with_enough -> <> (state == RUNNING)) }
/* Who sleeps for a SYNC entry is woken, since whatever it waits for ends some time. */
ltl sync_wakes { [] ((state == WAIT_SYNC) -> <> (state == RUNNING)) }
/* A deadline ends a wait. */
ltl deadline_wakes { [] (sleeps_to_deadline -> <> (state == RUNNING)) }
/* What was accepted completes. */
ltl accepted_completes { [] (accepted[1] -> <> completed[1]) && [] (accepted[3] -> <> completed[3]) }

#else

/* Any index, any arguments; what it fills is well-formed, since an entry is copied and judged alone. */
active proctype hostile()
{
	byte any;

	atomic { run completer(0); run completer(0); run completer(1) }
	do
	:: atomic {
		filled < ENTRIES ->
		sq_serial[filled % SQ] = filled + 1;
		sq_waits[filled % SQ] = true;
		if :: sq_sync[filled % SQ] = true :: sq_sync[filled % SQ] = false fi;
		filled++;
		select(any : 0 .. INDEX);
		header_sq_tail = any;
		select(any : 0 .. INDEX);
		header_cq_head = any;
		any = 0 }
		if
		:: cap_enter(0, false)
		:: cap_enter(0, true)
		:: cap_enter(1, true)
		:: cap_enter(2, true)
		fi
	:: filled == ENTRIES -> break
	od;
	ended = true
}
#endif
