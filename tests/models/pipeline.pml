/*
 * Pipelining: calls of one ring that stand on the answers of others, by the place that they go to (held), by what they carry
 * (stalled), or behind a call that stalls, while answers, failures, cancels and the end of the process race with settling.
 * README.md says which name is which.
 *
 * Question 0 is a plain call. Each later one goes to a capability that was known before, to a place in an earlier answer, or to
 * the capability that it has seen there, and carries capabilities of any earlier answers. Each section that the sources perform
 * under ring.lock is one atomic step, and so are a call's way through dispatch up to where it is held, and what one answer
 * brings to the calls that carry it. Dispatch and settling exclude each other: the ring's thread settles itself, or does not
 * run meanwhile. Everybody else may come between any two steps.
 */
#include "check.pml"

#ifndef QUESTIONS
#define QUESTIONS 3
#endif
#ifndef CANCELLERS
#define CANCELLERS 1
#endif
#define NOBODY    255
#define KNOWN     QUESTIONS      /* the capability that the program has from the beginning; the others are named after answers */

/* Safety */
#define ONCE      1              /* a call starts at most once and ends exactly once, and does not start when it has ended */
#define OUTCOME   2              /* a call starts when all that it stands on has come, and only then */
#define SEEN      3              /* when a completion can be seen, what stood on it alone has started or ended */
#define ORDER     4              /* calls through one capability start in the order of their submission */
#define FAILS     5              /* what stands on a call that failed ends as that did */
#define COUNTED   6              /* `named` is how many capabilities of an answer held calls still miss */
#define DEAD      7              /* no call is taken to be started once its process ends */
#define ENDS      8              /* every call ends, since what it stands on does */

/* Of a question. TAKEN: out of its place, by whoever starts or completes it. */
mtype:state = { FREE, HELD, IN_FLIGHT, TAKEN, RETURNING, KEPT };

mtype:state state[QUESTIONS] = FREE;
byte base[QUESTIONS] = NOBODY;           /* whose answer tells the target */
byte target[QUESTIONS] = NOBODY;         /* once it is known */
byte missing[QUESTIONS];                 /* set of questions: answers that have what it carries, still to come */
byte transfer_status[QUESTIONS];         /* why one of them will not come; 0 otherwise */
byte status[QUESTIONS];                  /* of the answer; 0: OK, otherwise who failed, plus 1 */
byte named[QUESTIONS];                   /* how many capabilities that held calls carry will be in its answer */

chan stalled = [QUESTIONS] of { byte };
chan held[QUESTIONS] = [QUESTIONS] of { byte };

/* cpu.settling, the newest last; ring.is_settling */
byte settling[QUESTIONS], settling_count;
bool ring_settling, ending;

/* What happened */
byte submitted;
byte carries[QUESTIONS];                 /* what `missing` was */
bool started[QUESTIONS], ended[QUESTIONS], excused[QUESTIONS];
byte last_started[QUESTIONS + 1] = NOBODY;
byte cancelling;

#define BIT(n)         (1 << (n))
#define IS_COMPLETE(q) (missing[q] == 0 || transfer_status[q] != 0)
#define IS_QUIET       (settling_count == 0 && !ring_settling)
#define IS_BUSY(q)     (state[q] != FREE && state[q] != KEPT)
#define ANY_BUSY       (IS_BUSY(0) || IS_BUSY(1) || IS_BUSY(2) || IS_BUSY(QUESTIONS - 1))
#define ANY_IN_FLIGHT  (state[0] == IN_FLIGHT || state[1] == IN_FLIGHT || state[2] == IN_FLIGHT || state[QUESTIONS - 1] == IN_FLIGHT)
#define HAS_COME(q)    (state[q] == RETURNING || state[q] == KEPT || (state[q] == FREE && ended[q]))

inline check_count()
{
	byte n, w, sum;

	n = 0;
	do
	:: n < QUESTIONS ->
		w = 0;
		sum = 0;
		do
		:: w < QUESTIONS -> sum = sum + ((missing[w] >> n) & 1); w++
		:: else -> break
		od;
		ALWAYS(COUNTED, sum == named[n]);
		n++
	:: else -> break
	od;
	n = 0;
	w = 0;
	sum = 0
}

/* names_count: what the call misses is waited for, or is no more */
inline names_count(q, more)
{
	byte t;

	t = 0;
	do
	:: t < QUESTIONS ->
		if
		:: (missing[q] & BIT(t)) && more -> named[t]++
		:: (missing[q] & BIT(t)) && !more -> named[t]--
		:: else
		fi;
		t++
	:: else -> break
	od;
	t = 0
}

/* --- Completion ------------------------------------------------------------------------------------- */

/* The first stalled call that can start, in the list's order: stalled_take before it takes. */
inline find_startable(found)
{
	byte turn, each, seen_targets;

	found = NOBODY;
	seen_targets = 0;
	turn = len(stalled);
	do
	:: turn > 0 ->
		stalled?each;
		stalled!each;
		if
#ifdef MUTANT_FIRST_UNASKED
		:: found == NOBODY && IS_COMPLETE(each) -> found = each
#elif defined(MUTANT_COMPLETE_UNASKED)
		:: found == NOBODY && !(seen_targets & BIT(target[each])) -> found = each
#else
		:: found == NOBODY && IS_COMPLETE(each) && !(seen_targets & BIT(target[each])) -> found = each
#endif
		:: else
		fi;
		seen_targets = seen_targets | BIT(target[each]);
		turn--
	:: else -> break
	od;
	each = 0;
	seen_targets = 0
}

/* What must be true when the completion of q becomes visible. */
inline check_seen(q)
{
	byte k, startable;

	ALWAYS(ONCE, !ended[q]);
	if
	:: !started[q] && !excused[q] ->
		/* Something that it stood on failed. */
		k = 0;
		startable = (base[q] != NOBODY && status[base[q]] != 0 && status[base[q]] == status[q]);
		do
		:: k < QUESTIONS && !startable ->
			startable = ((carries[q] & BIT(k)) && status[k] != 0 && status[k] == status[q]);
			k++
		:: else -> break
		od;
		ALWAYS(FAILS, startable)
	:: else
	fi;
	k = 0;
	do
	:: k < QUESTIONS ->
		ALWAYS(SEEN, state[k] != HELD || base[k] != q || target[k] != NOBODY);
		ALWAYS(SEEN, state[k] != HELD || !(missing[k] & BIT(q)));
		k++
	:: else -> break
	od;
	k = 0;
	if
	:: cancelling == 0 && !ring_settling && !ending ->
		find_startable(startable);
		ALWAYS(SEEN, startable == NOBODY || !(base[startable] == q || (carries[startable] & BIT(q))))
	:: else
	fi;
	startable = 0
}

/* question_complete: of a question that was taken out of its place */
inline question_complete(q)
{
	ALWAYS(ONCE, state[q] == TAKEN);
	if
#ifdef MUTANT_HELD_UNASKED
	:: named[q] != 0 ->
#elif defined(MUTANT_NAMED_UNASKED)
	:: nempty(held[q]) ->
#else
	:: nempty(held[q]) || named[q] != 0 ->
#endif
		state[q] = RETURNING;
		settling[settling_count] = q;
		settling_count++
	:: else ->
		check_seen(q);
		ended[q] = true;
		state[q] = KEPT;
		/* Nobody asks any more. */
		carries[q] = 0;
		transfer_status[q] = 0;
		started[q] = false;
		excused[q] = false
	fi
}

/* question_drop_transfer */
inline question_drop_transfer(q)
{
#ifndef MUTANT_DROP_UNCOUNTED
	names_count(q, false);
#endif
	missing[q] = 0
}

/* call_refuse_entry, of a question that waits or of none yet */
inline call_refuse_entry(q, why)
{
	question_drop_transfer(q);
	status[q] = why;
	state[q] = TAKEN;
	question_complete(q);
	check_count()
}

/* --- Starting --------------------------------------------------------------------------------------- */

/* call_start_at: its service has it, or it is refused there */
inline call_start_at(q)
{
	byte s;

	ALWAYS(ONCE, (state[q] == HELD || state[q] == FREE) && !ended[q]);
	ALWAYS(OUTCOME, missing[q] == 0 && (base[q] == NOBODY || (HAS_COME(base[q]) && status[base[q]] == 0)));
	s = 0;
	do
	:: s < QUESTIONS ->
		ALWAYS(OUTCOME, !(carries[q] & BIT(s)) || (HAS_COME(s) && status[s] == 0));
		s++
	:: else -> break
	od;
	s = 0;
	ALWAYS(ORDER, last_started[target[q]] == NOBODY || last_started[target[q]] < q);
	last_started[target[q]] = q;
	if
	:: started[q] = true; state[q] = IN_FLIGHT
	:: excused[q] = true; call_refuse_entry(q, q + 1)
	fi
}

inline stalled_start(q)
{
	if
	:: transfer_status[q] != 0 -> call_refuse_entry(q, transfer_status[q])
	:: else -> call_start_at(q)
	fi
}

/* --- Settling --------------------------------------------------------------------------------------- */

/* items_settle: what the answer has for calls that are held */
inline items_settle(q)
{
	byte m;

	m = 0;
	do
	:: m < QUESTIONS ->
		if
		:: state[m] == HELD && (missing[m] & BIT(q)) ->
			missing[m] = missing[m] & ~BIT(q);
			named[q]--;
			if
			:: status[q] != 0 && transfer_status[m] == 0 -> transfer_status[m] = status[q]
			:: else
			fi
		:: else
		fi;
		m++
	:: else -> break
	od;
	m = 0;
	check_count()
}

/* The answer tells where a held call goes: it stalls until its turn, or ends. */
inline held_aim(q)
{
	if
#ifdef MUTANT_OWN_STATUS
	:: status[base[q]] != 0 -> call_refuse_entry(q, q + 1)
#else
	:: status[base[q]] != 0 -> call_refuse_entry(q, status[base[q]])
#endif
	:: else ->
		target[q] = base[q];
		stalled!!q               /* stall: by turn */
	fi
}

inline settling_remove(q)
{
	byte i;

	i = 0;
	do
	:: settling[i] != q -> i++
	:: else -> break
	od;
	settling_count--;
	do
	:: i < settling_count -> settling[i] = settling[i + 1]; i++
	:: else -> break
	od;
	settling[settling_count] = 0;
	i = 0
}

inline stalled_take(found)
{
	find_startable(found);
	if
#ifndef MUTANT_STARTS_DEAD
	:: ending -> found = NOBODY
#endif
	:: else
	fi;
	if
	:: found != NOBODY ->
		ALWAYS(DEAD, !ending);
		ALWAYS(ONCE, state[found] == HELD);
		found = (state[found] == HELD -> found : NOBODY)
	:: else
	fi;
	if
	:: found != NOBODY ->
#ifndef MUTANT_TAKE_LEAVES
		stalled??eval(found);
#endif
		skip
	:: else
	fi
}

/* settle_all */
active proctype settler()
{
	byte top, call;

end:	do
	:: atomic {
		settling_count > 0 ->
		top = settling[settling_count - 1];
		items_settle(top);
		if
		:: nempty(held[top]) -> held[top]?call
		:: else -> call = NOBODY
		fi }
		if
		:: call != NOBODY -> atomic { held_aim(call); call = 0; top = 0 }
		:: else ->
			atomic { stalled_take(call) }
			if
			:: call != NOBODY -> atomic { stalled_start(call); call = 0; top = 0 }
			:: else -> atomic {
				settling_remove(top);
				state[top] = TAKEN;
				question_complete(top);
				call = 0;
				top = 0 }
			fi
		fi
	:: atomic {
		settling_count == 0 && ring_settling ->
		stalled_take(call);
#ifndef MUTANT_RUN_ENDS_LATE
		ring_settling = (call != NOBODY);
#endif
		skip }
		if
		:: call != NOBODY -> atomic { stalled_start(call); call = 0 }
		:: else ->
#ifdef MUTANT_RUN_ENDS_LATE
			ring_settling = false;
#endif
			call = 0
		fi
	od
}

/* --- The program ------------------------------------------------------------------------------------ */

/* hold: what it carries and has come is captured; `why`: what of it will not come, or is gone */
inline hold(q, why)
{
	byte c;

	why = 0;
	c = 0;
	do
	:: c < q ->
		if
		:: (missing[q] & BIT(c)) && state[c] == KEPT ->
			missing[q] = missing[q] & ~BIT(c);
			why = (why == 0 -> status[c] : why)
		:: (missing[q] & BIT(c)) && state[c] == FREE ->       /* finished */
			why = (why == 0 -> q + 1 : why);
			excused[q] = true
		:: else
		fi;
		c++
	:: else -> break
	od;
	c = 0;
	if
	:: why != 0 -> missing[q] = 0
	:: else -> names_count(q, true); state[q] = HELD
	fi
}

/* pipeline_stalls: whether one that stalls goes to the same capability */
inline is_behind(q, behind)
{
	byte turn, each;

	behind = false;
	turn = len(stalled);
	do
	:: turn > 0 ->
		stalled?each;
		stalled!each;
		behind = behind || target[each] == target[q];
		turn--
	:: else -> break
	od;
#ifdef MUTANT_BEHIND_UNASKED
	behind = false;
#endif
	each = 0
}

/* call_perform, with the target and what it carries chosen */
inline call_perform(q)
{
	byte why;
	bool behind;

	if
	:: base[q] != NOBODY && state[base[q]] == KEPT && status[base[q]] == 0 -> target[q] = base[q]
	:: else
	fi;
	if
	:: base[q] != NOBODY && state[base[q]] == FREE ->              /* finished */
		missing[q] = 0;
		excused[q] = true;
		call_refuse_entry(q, q + 1)
	:: base[q] != NOBODY && state[base[q]] == KEPT && status[base[q]] != 0 ->
		missing[q] = 0;
		call_refuse_entry(q, status[base[q]])
	:: target[q] != NOBODY ->
		is_behind(q, behind);
		if
		:: behind || missing[q] != 0 ->                        /* pipeline_stall */
			hold(q, why);
			if
			:: why != 0 -> call_refuse_entry(q, why)
			:: else -> stalled!!q; ring_settling = true
			fi
		:: else -> call_start_at(q)
		fi
	:: else ->                                                     /* pipeline_target */
		hold(q, why);
		if
		:: why != 0 -> call_refuse_entry(q, why)
		:: else -> held[base[q]]!q
		fi
	fi;
	check_count();
	why = 0;
	behind = false
}

#ifndef MUTANT_DISPATCH_BETWEEN
#define MAY_ENTER (IS_QUIET && !ending)
#else
#define MAY_ENTER (!ending)
#endif

active proctype program()
{
	byte chosen;

	do
	:: atomic {
		submitted < QUESTIONS && MAY_ENTER ->
		/* Where it goes */
		if
		:: submitted == 0 -> chosen = KNOWN
		:: submitted != 0 -> select(chosen : 0 .. submitted)
		fi;
		if
		:: chosen >= submitted -> target[submitted] = KNOWN
		:: chosen < submitted -> base[submitted] = chosen
		:: chosen < submitted && ended[chosen] && status[chosen] == 0 -> target[submitted] = chosen
		fi;
		/* What it carries: any set of earlier answers */
		select(chosen : 0 .. BIT(submitted) - 1);
		missing[submitted] = chosen;
		carries[submitted] = chosen;
		call_perform(submitted);
		submitted++;
		chosen = 0 }
	:: atomic { MAY_ENTER && state[0] == KEPT -> state[0] = FREE }          /* question_finish */
	:: atomic { (submitted == QUESTIONS && IS_QUIET && state[0] != KEPT) || ending -> break }
	od
}

/* --- What ends calls -------------------------------------------------------------------------------- */

/* The services of all: an answer or a failure, when they like. That others may take a call between that and its completion is
 * call.pml's matter. */
active proctype answerer()
{
	byte q;

end:	do
	:: atomic {
		ANY_IN_FLIGHT ->
		if
		:: state[0] == IN_FLIGHT
		:: state[1] == IN_FLIGHT -> q = 1
		:: state[2] == IN_FLIGHT -> q = 2
		:: state[QUESTIONS - 1] == IN_FLIGHT -> q = QUESTIONS - 1
		fi;
		state[q] = TAKEN;
		if
		:: status[q] = 0
		:: status[q] = q + 1
		fi;
		question_complete(q);
		q = 0 }
	od
}

/* question_take_back */
inline take_back(q, waited)
{
	waited = true;
	if
	:: state[q] == HELD && stalled??[eval(q)] -> stalled??eval(q); state[q] = TAKEN
	:: state[q] == HELD && target[q] == NOBODY && held[base[q]]??[eval(q)] ->
		held[base[q]]??eval(q);
		state[q] = TAKEN
	:: state[q] == IN_FLIGHT -> state[q] = TAKEN
	:: else -> waited = false
	fi;
	if
	:: waited -> excused[q] = true; cancelling++
	:: else
	fi
}

/* question_cancel, after that */
inline question_cancel(q, waited)
{
	if
	:: waited ->
		atomic { question_drop_transfer(q); check_count() }
		atomic { status[q] = q + 1; question_complete(q) }
		atomic {
			cancelling--;
			waited = false;
#ifndef MUTANT_CANCEL_NO_RUN
			if
			:: nempty(stalled) -> ring_settling = true           /* pipeline_run */
			:: else
			fi;
#endif
			skip }
	:: else
	fi
}

/* A cancel, or a deadline, of any call that is under way */
proctype canceller()
{
	byte q;
	bool waited;

	atomic {
		if
		:: IS_BUSY(0)
		:: IS_BUSY(1) -> q = 1
		:: IS_BUSY(2) -> q = 2
#if QUESTIONS > 3
		:: IS_BUSY(3) -> q = 3
#endif
		:: submitted == QUESTIONS || ending -> q = NOBODY
		fi;
		if
		:: q != NOBODY -> take_back(q, waited)
		:: else
		fi
	}
	question_cancel(q, waited)
}

/* process_end, end_questions */
proctype death()
{
	byte q;
	bool waited;

	if
	:: atomic { submitted > 0 -> ending = true }
		do
		:: q < QUESTIONS ->
			atomic { take_back(q, waited) }
			question_cancel(q, waited);
			q++
		:: q == QUESTIONS && submitted > 0 ->
			/* The reaper comes again until nothing is left. */
			if
			:: ANY_BUSY -> q = 0
			:: else -> break
			fi
		od
	:: submitted == QUESTIONS
	fi
}

/* One or some of them */
init
{
	byte n;

	atomic {
		if
		:: run death()
		:: for (n : 1 .. CANCELLERS) {
			run canceller()
		}
		fi;
		n = 0
	}
	/* When nothing moves any more; runs are finite here */
	timeout ->
	ALWAYS(ENDS, !ANY_BUSY)
}
