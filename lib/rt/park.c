/*
 * The ring operations park and unpark, as SYNC entries.
 */
#include "rt/park.h"

#include "rt/self.h"

status_t park_shared(uint32_t memory, uint64_t offset, uint32_t expected, uint64_t deadline_ns)
{
	struct thread_self *self = thread_self();
	struct ring_entry *entry = ring_entry_sync(&self->ring, CAP_OP_PARK);

	entry->target = memory;
	entry->interface = offset;
	entry->msg_off = expected;
	entry->deadline_ns = deadline_ns;
	entry->question = self->park_question;
	return ring_enter_sync(&self->ring);
}

status_t unpark_shared(uint32_t memory, uint64_t offset, uint32_t count)
{
	struct ring *ring = ring_self();
	status_t status;

	do {
		struct ring_entry *entry = ring_entry_sync(ring, CAP_OP_UNPARK);

		entry->target = memory;
		entry->interface = offset;
		entry->msg_off = count;
		status = ring_enter_sync(ring);
		if (status != STATUS_OK || ring_reply(ring)->detail < UNPARK_MAX)
			break;
		count -= UNPARK_MAX;
	} while (count > 0);
	return status;
}

status_t park(const uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
	return park_shared(0, (uint64_t)(uintptr_t)word, expected, deadline_ns);
}

void unpark(const uint32_t *word, uint32_t count)
{
	/* Nobody sleeps for what is no word. */
	(void)!unpark_shared(0, (uint64_t)(uintptr_t)word, count);
}
