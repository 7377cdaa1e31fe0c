/*
 * The other parties: a server of the runtime's own kind (serve.c), one that answers signals, one that always
 * wants to run.
 */
#include <string.h>

#include "bench/guest/bench.h"
#include "bench/guest/buffers.h"
#include "bench/guest/party.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/ring.h"

static int answer_signals(void)
{
	uint32_t ping = rt_id(rt_grant("ping", NOTIFICATION_INTERFACE_ID));
	uint32_t pong = rt_id(rt_grant("pong", NOTIFICATION_INTERFACE_ID));
	struct ring *ring = ring_self();

	for (;;) {
		struct ring_entry *entry = ring_entry_sync(ring, CAP_OP_WAIT);

		entry->target = ping;
		entry->interface = 1;
		if (ring_enter_sync(ring) != STATUS_OK)
			return 1;
		entry = ring_entry(ring, CAP_OP_SIGNAL, NULL);
		entry->flags = ENTRY_QUIET;
		entry->target = pong;
		entry->interface = 1;
		ring_push(ring);
	}
}

static int receive_bulk(void)
{
	struct memory_view_ref shared = { rt_grant("shared", MEMORY_VIEW_INTERFACE_ID) };
	uint64_t address = 0;

	if (virtual_memory_map(RT_GRANT(virtual_memory, "memory"), shared, 0, buffers_bulk_bytes(), 0,
			    ACCESS_READ_WRITE, &address) != STATUS_OK)
		return 1;
	return buffers_bulk_receive((void *)(uintptr_t)address, rt_id(rt_grant("ping", NOTIFICATION_INTERFACE_ID)),
			rt_id(rt_grant("pong", NOTIFICATION_INTERFACE_ID)));
}

int peer_main(const char *role)
{
	if (strcmp(role, "serve") == 0)
		return peer_serve();
	if (strcmp(role, "signals") == 0)
		return answer_signals();
	if (strcmp(role, "bulk") == 0)
		return receive_bulk();
	for (;;)
		rt_yield();
}
