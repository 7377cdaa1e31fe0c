/*
 * Budgets that go along with synchronous calls, and come back: nested calls, answers, deadlines, deaths, and contexts that
 * are taken away or run out. README.md says which name is which.
 *
 * Everything here happens in the kernel's exclusive mode, so each event is one step; what is asked is whether any order of
 * events leaves a context with two users, with a dead one, or a passive server without.
 */
#include "check.pml"

/* Threads: two clients with contexts of their own, an ordinary server and a passive one */
#define CLIENT_A 0
#define CLIENT_B 1
#define MIDDLE   2
#define PASSIVE  3
#define THREADS  4
#define NOBODY   7

/* Contexts: number c < 2 is bound to thread c; RESERVE is that of the passive server's endpoint */
#define RESERVE  2
#define CONTEXTS 3
#define NONE     7              /* runs beside the contexts, when nobody with a budget wants to */

/* Safety */
#define HOME      1             /* whoever can run on a context is whom it is bound to, or works for him, and nobody else can */
#define LIVING    2             /* nobody who is dead gives or takes; whoever takes is whom it was given to, and who gives sleeps */
#define PASSIVELY 3             /* a passive server that runs has a context */
#define PAID      4             /* what is used of the reserve is paid by the donor as well */

mtype = { RUNS, CALLS, RECEIVES, DEAD };
mtype state[THREADS] = RUNS;
byte own[THREADS] = NONE;       /* the context bound to it */
byte donor[THREADS] = NOBODY;   /* whose budget it works on */
byte donee[THREADS] = NOBODY;   /* who works on its budget */
byte used[THREADS] = NONE;      /* context_now: what it runs on, or will */
byte server_of[THREADS] = NOBODY;  /* CALLS: where to */
bool delivered[THREADS];        /* CALLS: received, and not yet answered */
bool has_budget[CONTEXTS] = true;
bool exists[CONTEXTS] = true;
hidden byte r, e, g, w, i, k;   /* within a step */

/* thread_context: its own, else that of the first in the chain of donors who has one. An ordinary thread does not wait for
 * a donated budget that ran out, a passive one takes the reserve. */
inline resolve(t)
{
	r = t;
	do
	:: own[r] == NONE && donor[r] != NOBODY -> r = donor[r]
	:: else -> break
	od;
	used[t] = own[r];
	if
	:: r != t && used[t] != NONE && !has_budget[used[t]] -> used[t] = NONE
	:: else
	fi;
#ifndef MUTANT_PASSIVE_BESIDE
	if
	:: t == PASSIVE && used[t] == NONE -> used[t] = RESERVE
	:: else
	fi;
#endif
	r = 0
}

/* donation_settle: who works at the end of the chain that begins with t has its context anew */
inline settle(t)
{
	e = t;
	do
#ifndef MUTANT_SETTLES_FIRST
	:: donee[e] != NOBODY -> e = donee[e]
#endif
	:: else -> break
	od;
	if
	:: state[e] == RUNS -> resolve(e)
	:: else
	fi
}

/* donation_begin: `c`, who sleeps for the call, gives what it has to `s`, who received it */
inline begin(c, s)
{
	if
	:: own[s] == NONE && donor[s] == NOBODY -> donor[s] = c; donee[c] = s
	:: else
	fi
}

/* donation_end: `c` sleeps no more */
inline end(c)
{
	g = donee[c];
	if
	:: g != NOBODY ->
		donee[c] = NOBODY;
		donor[g] = NOBODY;
#ifndef MUTANT_END_UNSETTLED
		settle(g);
#endif
	:: else
	fi
}

inline wake(t)
{
	state[t] = RUNS;
	resolve(t)
}

/* What an endpoint does: `c` calls `s`; at once, or when `s` receives */
inline deliver(c, s)
{
	delivered[c] = true;
	begin(c, s);
	wake(s)
}

/* The call that `s` has in service, else nobody */
inline caller_of(s, c)
{
	c = 0;
	do
	:: c < THREADS && !(state[c] == CALLS && server_of[c] == s && delivered[c]) -> c++
	:: else -> break
	od
}

inline complete(c)
{
	server_of[c] = NOBODY;
	delivered[c] = false;
	end(c);
	wake(c)
}

inline receive(s)
{
	w = 0;
	do
	:: w < THREADS && !(state[w] == CALLS && server_of[w] == s && !delivered[w]) -> w++
	:: else -> break
	od;
	if
	:: w < THREADS -> deliver(w, s)
	:: else -> state[s] = RECEIVES; used[s] = NONE
	fi
}

#define CAN_RUN(t) (state[t] == RUNS && (used[t] == NONE || has_budget[used[t]]))

inline check()
{
	i = 0;
	do
	:: i < THREADS ->
		ALWAYS(LIVING, donor[i] == NOBODY || (state[i] != DEAD && state[donor[i]] == CALLS && donee[donor[i]] == i));
		ALWAYS(LIVING, donee[i] == NOBODY || (state[i] == CALLS && donor[donee[i]] == i));
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < THREADS ->
		ALWAYS(PASSIVELY, !(i == PASSIVE && CAN_RUN(i)) || used[i] != NONE);
		k = 0;
		do
		:: k < i ->
			ALWAYS(HOME, !(CAN_RUN(i) && CAN_RUN(k) && used[i] == used[k] && used[i] < RESERVE));
			k++
		:: else -> break
		od;
		do
		:: own[k] == NONE && donor[k] != NOBODY -> k = donor[k]
		:: else -> break
		od;
		ALWAYS(HOME, !(CAN_RUN(i) && used[i] < RESERVE) || (own[k] == used[i] && exists[used[i]]));
		i++
	:: else -> break
	od
}

active proctype system()
{
	byte t, s, c;

	atomic {
		own[CLIENT_A] = CLIENT_A;
		own[CLIENT_B] = CLIENT_B;
		used[CLIENT_A] = CLIENT_A;
		used[CLIENT_B] = CLIENT_B;
		state[MIDDLE] = RECEIVES;
		state[PASSIVE] = RECEIVES;
	}
	do
	/* A client, or the ordinary server, calls a server further on */
	:: atomic {
		select(t : 0 .. MIDDLE);
		select(s : MIDDLE .. PASSIVE);
		if
		:: CAN_RUN(t) && t != s && !(t == PASSIVE) && state[s] != DEAD ->
			state[t] = CALLS;
			server_of[t] = s;
			used[t] = NONE;
			if
			:: state[s] == RECEIVES -> deliver(t, s)
			:: else
			fi
		:: else
		fi;
		check() }
	/* A server answers what it has, if anything, and receives again */
	:: atomic {
		select(s : MIDDLE .. PASSIVE);
		if
		:: CAN_RUN(s) ->
			caller_of(s, c);
			if
			:: c < THREADS -> complete(c)
			:: else
			fi;
			receive(s)
		:: else
		fi;
		check() }
	/* The deadline of a call */
	:: atomic {
		select(t : 0 .. MIDDLE);
		if
		:: state[t] == CALLS ->
#ifdef MUTANT_DEADLINE_KEEPS
			server_of[t] = NOBODY;
			delivered[t] = false;
			wake(t)
#else
			complete(t)
#endif
		:: else
		fi;
		check() }
	/* Death of anybody: its own donation and that to it end first, then its caller hears of it */
	:: atomic {
		select(t : 0 .. PASSIVE);
		if
		:: state[t] != DEAD ->
#ifndef MUTANT_DEATH_KEEPS
			end(t);
#endif
			c = donor[t];
			if
			:: c != NOBODY -> end(c)
			:: else
			fi;
			state[t] = DEAD;
			used[t] = NONE;
			server_of[t] = NOBODY;
			delivered[t] = false;
			c = 0;
			do
			:: c < THREADS ->
				if
				:: state[c] == CALLS && server_of[c] == t -> complete(c)
				:: else
				fi;
				c++
			:: else -> break
			od
		:: else
		fi;
		check() }
	/* A context is taken away: whom it was bound to goes on without, and so does who works for him */
	:: atomic {
		select(c : 0 .. 1);
		if
		:: exists[c] ->
			exists[c] = false;
			own[c] = NONE;
#ifndef MUTANT_TAKEN_UNSETTLED
			settle(c)
#endif
		:: else
		fi;
		check() }
	/* Somebody uses up what it runs on */
	:: atomic {
		select(t : 0 .. PASSIVE);
		if
		:: CAN_RUN(t) && used[t] != NONE ->
			has_budget[used[t]] = false;
			c = NOBODY;
			if
			:: used[t] == RESERVE && donor[t] != NOBODY ->
				c = donor[t];
				do
				:: own[c] == NONE && donor[c] != NOBODY -> c = donor[c]
				:: else -> break
				od;
				if
				:: own[c] != NONE ->
#ifndef MUTANT_DONOR_UNCHARGED
					has_budget[own[c]] = false;
#endif
					ALWAYS(PAID, !has_budget[own[c]])
				:: else
				fi
			:: else
			fi;
			resolve(t)
		:: else
		fi;
		check() }
	/* Budget comes back */
	:: atomic {
		select(c : 0 .. RESERVE);
		has_budget[c] = true;
		check() }
	:: break
	od;
	/* All calls end */
	atomic {
		t = 0;
		do
		:: t < THREADS ->
			if
			:: state[t] == CALLS -> complete(t)
			:: else
			fi;
			t++
		:: else -> break
		od;
		t = 0;
		do
		:: t < THREADS ->
			ALWAYS(LIVING, donor[t] == NOBODY && donee[t] == NOBODY);
			t++
		:: else -> break
		od
	}
}
