/*
 * Promise pipelining: calls on capabilities in answers that are still to come.
 *
 * A CALL with flag PIPELINED names a question of its ring and a path of pointer fields. While that question is in flight the
 * call is held: its own question, of kind HELD, stands in the base's list. When the base's outcome is known, and before
 * it is to be seen, each held call starts with the capability that the path leads to, in the order in which they came, or
 * ends as the base did. An answer that was KEPT resolves later calls at once.
 *
 * A descriptor of kind ANSWER names such a place for a capability that the call carries. Once its own target is known such a
 * call stalls, in the ring's list, until all that it carries has come; it ends as the first base that failed. Later calls of
 * the ring through the same capability stall behind it, since calls through one capability start in order.
 *
 * The answer's message and records lie in the caller's own arena, where it can change them: what it makes the path lead to
 * is looked up in its own table, so it gains nothing that it could not have named itself.
 */
#ifndef KERNEL_RING_PIPELINE_H
#define KERNEL_RING_PIPELINE_H

#include "kernel/ring/ring.h"

struct promise;

/* The capability that `path` leads to in an answer of `words` message words with `cap_count` records: its id. FAILED with
 * REASON_NO_CAPABILITY when there is none. Each word is loaded once and nothing outside the message is read. */
status_t answer_walk(const uint64_t *records, uint32_t cap_count, const uint64_t *message, uint32_t words,
		const uint16_t *path, uint32_t path_len, uint32_t *id) MUST_USE;

/* The target of a pipelined call. OK and *held: it waits; OK without: the capability is *id. Otherwise the refusal: what the
 * base ended with, GONE (no such question in flight or kept), or why it cannot wait. */
status_t pipeline_target(struct ring *ring, const struct ring_entry *entry, uint32_t *id, bool *held,
		uint64_t *detail) MUST_USE;

/* Whether a call at the capability `id` cannot start yet: it names answers, or would overtake one that stalls. */
bool pipeline_stalls(struct ring *ring, const struct ring_entry *entry, uint32_t id);

/* Has such a call wait (or start, if what it named has come meanwhile). Its target has the method, its reply slots are
 * reserved. Completes the entry or its question. */
void pipeline_stall(struct ring *ring, const struct ring_entry *entry, uint32_t id);

/* Starts the stalled calls that can start, here or where questions are being settled already. Without locks. */
void pipeline_run(struct ring *ring);

/* A held call ends: what it carries of answers is not waited for any longer. Without locks. */
void pipeline_unname(struct question *call);

/* From now on the call is one at the capability `id`, as if it had named it. */
void question_retarget(struct question *call, uint32_t id);

/* Starts or fails the calls held by a question whose outcome is in `answer` (state RETURNING), then completes it. Without
 * locks; a chain of any length takes no stack. */
void pipeline_settle(struct question *question);

/* The same for a promise that is SETTLING; consumes a reference. */
void pipeline_settle_promise(struct promise *promise);

/* Takes a held call back; false if it has been started. Without locks. */
bool pipeline_cancel(struct question *question);

#endif
