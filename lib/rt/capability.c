/*
 * Operations on capabilities: one entry each, sent as SYNC except for release, which nobody waits
 * for.
 */
#include "rt/capability.h"

#include "rt/panic.h"
#include "rt/self.h"

void detail_note(uint64_t detail)
{
	thread_self()->detail = detail;
}

uint64_t rt_detail(void)
{
	return thread_self()->detail;
}

struct client_ref rt_ref(uint32_t capability)
{
	if (capability == 0)
		return (struct client_ref){ .question = CLIENT_NO_QUESTION };
	return client_ref_of(transport_self(), capability);
}

uint32_t rt_id(struct client_ref ref)
{
	if (client_ref_is_null(ref) || client_ref_is_pipelined(ref))
		return 0;
	return ref.target;
}

/* Sends the SYNC entry that was filled last; notes why it failed. */
static status_t entry_finish(struct ring *ring)
{
	status_t status = ring_enter_sync(ring);

	if (status != STATUS_OK)
		detail_note(ring_reply(ring)->detail);
	return status;
}

void rt_release(uint32_t capability)
{
	struct ring *ring = ring_self();
	struct ring_entry *entry;

	if (capability == 0)
		return;
	entry = ring_entry(ring, CAP_OP_RELEASE, NULL);
	entry->flags = ENTRY_QUIET;
	entry->target = capability;
	ring_push(ring);
}

status_t rt_copy(uint32_t capability, uint32_t *copy)
{
	struct ring *ring = ring_self();
	status_t status;

	ring_entry_sync(ring, CAP_OP_COPY)->target = capability;
	status = entry_finish(ring);
	*copy = status == STATUS_OK ? ring_reply(ring)->id : 0;
	return status;
}

status_t rt_narrow(uint32_t capability, uint64_t interface_id, uint32_t *narrowed)
{
	struct ring *ring = ring_self();
	struct ring_entry *entry = ring_entry_sync(ring, CAP_OP_NARROW);
	status_t status;

	entry->target = capability;
	entry->interface = interface_id;
	status = entry_finish(ring);
	*narrowed = status == STATUS_OK ? ring_reply(ring)->id : 0;
	return status;
}

static status_t wait_for(uint32_t capability, uint64_t mask, uint8_t flags, uint64_t *bits)
{
	struct ring *ring = ring_self();
	uint16_t question = ring_question_take(ring);
	struct ring_entry *entry;
	status_t status;

	if (question == RING_NO_QUESTION)
		return STATUS_OVERLOADED;
	entry = ring_entry_sync(ring, CAP_OP_WAIT);
	entry->target = capability;
	entry->interface = mask;
	entry->flags |= flags;
	entry->question = question;
	status = entry_finish(ring);
	ring_question_give(ring, question);
	if (bits != NULL)
		*bits = status == STATUS_OK ? ring_reply(ring)->detail : 0;
	return status;
}

status_t rt_wait_bits(uint32_t notification, uint64_t mask, uint64_t *bits)
{
	return wait_for(notification, mask, 0, bits);
}

status_t rt_wait_end(uint32_t capability)
{
	return wait_for(capability, 0, ENTRY_DEATH, NULL);
}

status_t rt_signal(uint32_t notification, uint64_t bits)
{
	struct ring *ring = ring_self();
	struct ring_entry *entry = ring_entry_sync(ring, CAP_OP_SIGNAL);

	entry->target = notification;
	entry->interface = bits;
	return entry_finish(ring);
}

void rt_yield(void)
{
	struct ring *ring = ring_self();

	(void)ring_entry_sync(ring, CAP_OP_YIELD);
	(void)ring_enter_sync(ring);
}
