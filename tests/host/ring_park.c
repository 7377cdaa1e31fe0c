/*
 * What parking for words of memory does in the model; see ring_model.h. Nobody writes to memory here, and no
 * program has mapped any: words of objects are 0, and those at addresses are not there.
 */
#include "tests/host/ring_oracle.h"

/* The memory that a park or unpark names; NULL for an address, or with the refusal noted. */
static struct mcap *park_target(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	struct mcap *cap = entry->target ? target_find(played) : NULL;

	refuse_if(played, entry->interface % 4 != 0, STATUS_INVALID_ARGUMENT);
	refuse_if(played, cap && cap->object->type != M_MEMORY, STATUS_UNIMPLEMENTED);
	if (cap && cap->object->type == M_MEMORY)
		refuse_if(played, cap->object->bytes < 4 || entry->interface > cap->object->bytes - 4,
				STATUS_INVALID_ARGUMENT);
	return cap;
}

void park_play(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	struct mcap *cap = park_target(played);
	struct mquestion *question;

	question_check(played);
	refuse_if(played, !entry->target, STATUS_INVALID_ARGUMENT);
	if (!played_accepted(played))
		return;
	if (entry->msg_off != 0) {
		MODEL_ASSERT(played_end(played).detail == PARK_CHANGED, "a park for another value goes on");
		return;
	}
	mobj_get(cap->object);
	question = question_start(played, MQ_PARK, cap->object);
	question->grant = cap->grant;
	mgrant_use(cap->grant);
	grants_name(question);
	settle();
}

/* Who has parked longest for the word, of those that nobody has woken; NULL: nobody. */
static struct mquestion *parked_find(const struct mobj *memory, uint64_t offset)
{
	struct mquestion *oldest = NULL;

	for (struct list *link = model.processes.next; link != &model.processes; link = link->next) {
		for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
			struct mquestion *question = &PROCESS(link)->q[i];

			if (question->state == MQ_PARK && question->object == memory &&
					question->entry.interface == offset &&
					(!oldest || question->arrival < oldest->arrival))
				oldest = question;
		}
	}
	return oldest;
}

void unpark_play(struct played *played)
{
	const struct ring_entry *entry = played->entry;
	struct mcap *cap = park_target(played);
	struct mquestion *question;
	uint32_t woken = 0;

	if (!played_accepted(played))
		return;
	while (cap && woken < MIN(entry->msg_off, UNPARK_MAX) &&
			(question = parked_find(cap->object, entry->interface))) {
		question_doom(question, status_bit(STATUS_OK));
		woken++;
	}
	if (!played->sync && (entry->flags & ENTRY_QUIET))
		(void)played_end(played);
	else
		MODEL_ASSERT(played_end(played).detail == woken, "others were woken than %u", woken);
}
