/*
 * What the parts of the oracle share: ring_oracle.c (completions), ring_entries.c (operations), ring_objects.c (methods of kernel
 * objects) and ring_effects.c (what those bring about).
 */
#ifndef TESTS_HOST_RING_ORACLE_H
#define TESTS_HOST_RING_ORACLE_H

#include "capos/kernel.capnp.h"
#include "tests/host/ring_model.h"

/* One entry that is played again. */
struct played {
	struct mproc            *process;
	const struct mentry     *sent;
	const struct ring_entry *entry;
	bool                     sync;        /* taken as SYNC entry */
	uint64_t                 refusals;    /* statuses with which it must be refused; 0: it must be accepted */
	uint64_t                 maybe;       /* with which it may be refused all the same */
	bool                     found;       /* it completed already */
	bool                     keeps;       /* a call whose question is free: with flag KEEP its outcome can be named */
	struct ring_completion   outcome;     /* if found */
};

static inline void refuse_if(struct played *played, bool condition, status_t status)
{
	if (condition)
		played->refusals |= status_bit(status);
}

#define PROCESS(link_) container_of(link_, struct mproc, link)
#define QUESTION(link_) container_of(link_, struct mquestion, link)
#define EXPORT(link_) container_of(link_, struct mobj, export_link)

/* --- Completions, as the kernel wrote them ------------------------------------------------------ */

static inline const uint64_t *words_at(const struct mproc *process, uint32_t off)
{
	return process->ring->words + off;
}

static inline const struct ring_completion *reply_slot(const struct mproc *process)
{
	return (const struct ring_completion *)(const void *)&process->ring->header->reply_user_data;
}

/* --- ring_journal.c ----------------------------------------------------------------------------- */

/* `process` is about to enter with at most so many entries. */
void journal_begin(struct mproc *process, uint32_t entries);
/* The process is ending: what came to it does not count. */
void journal_forget(const struct mproc *process);
/* All of it must have been accounted for. */
void journal_end(void);
/* The next event of a process, of the steps so far; NULL: there is none. */
struct mevent *event_next(const struct mproc *process);
/* That of an entry with this user data, however much stands before it. */
struct mevent *event_of(const struct mproc *process, uint64_t user_data, bool sync);
void event_take(struct mevent *event);

/* --- ring_entries.c ----------------------------------------------------------------------------- */

void entry_play(struct mproc *process, struct mentry *sent, bool sync);

/* Whether the kernel accepted it, which must be as foretold. Consumes the completion of a refused one. */
bool played_accepted(struct played *played);
/* The completion of an entry without a question of its own, after its effects. */
struct ring_completion played_take(struct played *played);

/* Looks an id up as the kernel does: STATUS_OK, BAD_CAPABILITY, DISCONNECTED. */
status_t mcap_lookup(struct mproc *process, uint32_t id, struct mcap **cap);

/* What there is to refuse of a call at this export. */
void export_check(struct played *played, const struct mobj *export);
/* The call, which has begun, waits at the export's endpoint. */
void call_wait(struct mquestion *call, struct mobj *export, bool patterned);
/* Looks for the completion of the entry. */
void outcome_find(struct played *played);

/* What plays of operations share: the target, or NULL with the refusal noted; whether the question is free; the end of
 * an entry without a question. */
struct mcap *target_find(struct played *played);
void question_check(struct played *played);
struct ring_completion played_end(struct played *played);
/* Notes the names of the grants that a new question hangs on. */
void grants_name(struct mquestion *question);

/* Operations that stand in ring_park.c. */
void park_play(struct played *played);
void unpark_play(struct played *played);

/* The question of the entry begins. `reserved` slots are charged. */
struct mquestion *question_start(struct played *played, enum mstate state, struct mobj *object);

/* --- ring_pipeline.c ---------------------------------------------------------------------------- */

/* The question is known to end so, but has calls on its answer; they start when held_run is called, then it ends. */
void held_push(struct mquestion *base, const struct mexpected *due);
void held_run(void);
/* A call that was held has been played, and completes as soon as those have started that wait for it. */
void held_run_at_once(struct mquestion *base, const struct played *played);
/* The capability at a place in the answer of `base`: OK, what the base ended with, or FAILED. */
status_t answer_place(const struct mquestion *base, const uint16_t *path, uint32_t path_len,
		uint32_t *id);
/* Whether calls stand on its answer. */
bool others_wait(const struct mquestion *question);
/* What the items name in answers that have come is captured, or refused; others are promised. */
status_t places_check(struct mproc *process, struct mitem *items, uint32_t count);
/* The call has begun, and names what it was promised. */
void promises_note(struct mquestion *call);
/* It does not any more. */
void promises_drop(struct mquestion *call);
/* Whether a call at the capability `id` waits behind another. */
bool stalls_behind(const struct mproc *process, uint32_t id);
/* A call that was held stalls at the capability `id`. */
void stall(struct mquestion *call, uint32_t id);
/* Stalled calls that can start do. */
void stalled_run(struct mproc *process);

/* --- ring_oracle.c ------------------------------------------------------------------------------ */

/* Every completion that the graph allows now is consumed. */
void settle(void);

/* --- ring_effects.c ----------------------------------------------------------------------------- */

void items_drop(struct mquestion *question);
void question_end(struct mquestion *question);
/* Something else ends the question: it completes with one of these statuses. */
void question_doom(struct mquestion *question, uint64_t statuses);
/* The completion of the question is due as `due` says. */
void expect(const struct mquestion *question, const struct mexpected *due);
/* Whether a capability that the call carries was revoked. */
bool carries_revoked(const struct mquestion *call);
void service_free(struct mservice *service);
void service_abandon(struct mquestion *call);
/* It is taken back, by its own process' deed or because its time is over. */
void question_take_back(struct mquestion *question, uint64_t statuses);
/* A waiting call fails, and with it one that was forwarded. */
void pending_fail(struct mquestion *call);
/* The other one of a call and who forwarded it, from now on apart; NULL: it is no such. */
struct mquestion *forward_part(struct mquestion *question);
bool export_is_stale(const struct mobj *export);
void export_retire(struct mobj *export);
void endpoint_set_server(struct mobj *endpoint, struct mproc *server);
void items_leave(struct mproc *sender, struct mitem *items, uint32_t count);
void items_arrive(struct mproc *receiver, const uint64_t *records, struct mitem *items, uint32_t count,
		const struct mobj *serving, uint32_t granter);
bool deliver_call(struct mquestion *receiver, const struct mevent *event);
bool deliver_event(struct mquestion *receiver, const struct ring_completion *completion);
/* What a process drops, and its consequences. */
void capability_release(struct mproc *process, struct mcap *cap);

/* Grants were revoked: what waits through them ends. */
void questions_end_revoked(void);
void endpoint_end_incarnation(struct mobj *endpoint);
void endpoint_end(struct mobj *endpoint);
void process_end_in_model(struct mproc *process);
/* Its capabilities, its share of ledgers: after the kernel took it apart. */
void process_take_apart(struct mproc *process);
bool object_has_ended(const struct mobj *object);

/* --- ring_objects.c ----------------------------------------------------------------------------- */

/* A CALL of a kernel object; spans, question and facet have been looked at. */
void object_method_play(struct played *played, struct mcap *target);

#endif
