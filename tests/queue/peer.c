/*
 * The other side: a sender that scribbles over the memory it shares, and one that tells events.
 */
#include <stdlib.h>

#include "capos/kernel.capnp.h"
#include "queue/window.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"
#include "tests/queue/queue_peer.server.h"

#define PERIOD_NS    200000ull
#define SCRIBBLES    24u
#define EVIL_STREAMS 16u

static struct loop loop;
static struct server server;
static struct server_object root;
static struct window_authority authority;
/* --- The scribbler ---------------------------------------------------------------------------- */

static struct window_sender evil;
static struct loop_timer timer;
static uint32_t rounds_left;
static uint64_t chance;

static uint32_t chance_below(uint32_t end)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (uint32_t)(chance >> 32) % end;
}

static void scribble(void *context);

static void next_round(void)
{
	if (loop_after(&loop, &timer, PERIOD_NS, scribble, NULL) != STATUS_OK)
		loop_stop(&loop, STATUS_FAILED);
}

static void scribble(void *context)
{
	uint8_t *bytes = evil.window.bytes;
	uint32_t control = (uint32_t)(evil.buffer.data - bytes);
	bool signal = false;

	for (uint32_t i = 0; i < SCRIBBLES; i++) {
		uint32_t chunk = buffer_take(&evil.buffer);

		if (chunk != BUFFER_NONE && buffer_send(&evil.buffer, chance_below(EVIL_STREAMS), chunk, chance_below(4096),
				&signal) != STATUS_OK)
			buffer_put_back(&evil.buffer, chunk);
		bytes[chance_below(control)] = (uint8_t)chance_below(256);
		/* Indices and sizes of the queues at the beginning, more often. */
		bytes[chance_below(4096)] = (uint8_t)chance_below(chance_below(2) ? 16 : 256);
	}
	window_signal(&evil.window);
	if (rounds_left-- == 0)
		rt_exit(7);
	next_round();
}

static void evil_work(struct window_sender *self)
{
	if (!timer.armed)
		next_round();
}

static void evil_gone(struct window_sender *self)
{
	loop_timer_stop(&loop, &timer);
	window_sender_close(&evil);
}

static status_t method_evil(void *self, struct call *call, struct queue_peer_evil_params_reader in,
		struct queue_peer_evil_results_builder *out)
{
	struct buffer_layout layout = { EVIL_STREAMS, 16, 32, 4096 };
	status_t status;

	chance = queue_peer_evil_params_get_seed(in) | 1;
	rounds_left = queue_peer_evil_params_get_rounds(in);
	evil.work = evil_work;
	evil.gone = evil_gone;
	status = window_sender_open(&evil, &loop, &authority, &layout);
	if (status == STATUS_OK)
		queue_peer_evil_results_set_buffer(*out, window_sender_give(&evil, call, &status));
	return status;
}

/* --- The teller ------------------------------------------------------------------------------- */

static struct window_teller teller;
static struct event_source *sources;

static void teller_gone(struct window_teller *self)
{
	window_teller_close(&teller);
	free(sources);
	sources = NULL;
}

static status_t method_events(void *self, struct call *call, struct queue_peer_events_params_reader in,
		struct queue_peer_events_results_builder *out)
{
	uint32_t count = queue_peer_events_params_get_sources(in);
	status_t status;

	teller.gone = teller_gone;
	sources = calloc(count, sizeof(*sources));
	if (sources == NULL)
		return STATUS_OVERLOADED;
	for (uint32_t i = 0; i < count; i++)
		sources[i].key = i;
	status = window_teller_open(&teller, &authority, count);
	if (status == STATUS_OK)
		queue_peer_events_results_set_queue(*out, window_teller_give(&teller, call, &status));
	if (status != STATUS_OK) {
		free(sources);
		sources = NULL;
	}
	return status;
}

static status_t method_tell(void *self, struct call *call, struct queue_peer_tell_params_reader in,
		struct queue_peer_tell_results_builder *out)
{
	uint32_t active = queue_peer_tell_params_get_active(in);

	if (sources == NULL || active == 0 || active > teller.sources)
		return STATUS_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < active; i++)
		window_tell(&teller, &sources[i * (teller.sources / active)], queue_peer_tell_params_get_events(in));
	return STATUS_OK;
}

static const struct queue_peer_server handlers = { .evil = method_evil, .events = method_events, .tell = method_tell };
SERVER_CLASS(peer_class, queue_peer, handlers, NULL);

int main(int argc, char **argv)
{
	status_t status;

	authority.factory = RT_GRANT(object_factory, "factory");
	authority.memory = RT_GRANT(virtual_memory, "memory");
	loop_init(&loop);
	server_root(&server, &root, 0, &peer_class, NULL);
	status = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (status == STATUS_OK)
		status = loop_run(&loop);
	return status == STATUS_OK ? 0 : 1;
}
