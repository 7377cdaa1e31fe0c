/*
 * Streams between processes: what the cases of tests/capnp/client_cases.c, which every transport
 * passes, cannot see. Windows as the service sees them, system calls, time, and ends.
 */
#include "capnp/stream.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/ring.h"
#include "rt/server.h"
#include "tests/rt/flow.client.h"
#include "tests/rt/rt_test.h"

#define MILLISECOND 1000000ull
#define HOLD_NS     (20 * MILLISECOND)
#define LONG_NS     (3600000 * MILLISECOND)
#define PEERS       3u

/* A service of flows in a process of its own. */
struct flow_peer {
	struct endpoint_ref endpoint;
	struct flow_source_ref source;
	struct process_handle_ref process;
};

static struct flow_peer peers[PEERS];

static uint64_t now_ns(void)
{
	uint64_t now = 0;

	(void)!timer_now(RT_GRANT(timer, "timer"), &now);
	return now;
}

static status_t push(struct flow_ref flow, struct client_stream *stream, uint64_t number)
{
	return flow_push_stream(flow, stream, number, capnp_data_of("12345678", 8));
}

static int push_many(struct flow_ref flow, struct client_stream *stream, uint64_t from, uint64_t to)
{
	int right = 1;

	for (; from < to; from++)
		right &= push(flow, stream, from) == STATUS_OK;
	return right;
}

static struct flow_ref flow_open(const struct flow_peer *peer, uint64_t hold_ns)
{
	struct flow_ref flow = { { 0 } };

	(void)!flow_source_open(peer->source, hold_ns, &flow);
	return flow;
}

/* Whether so many pushes have come to the peer's newest flow, and one after the other. */
static int pushed_is(const struct flow_peer *peer, uint64_t expected)
{
	uint64_t pushed = 0;
	bool in_order = false;

	return flow_source_newest(peer->source, &pushed, &in_order, NULL) == STATUS_OK &&
			in_order && pushed == expected;
}

/* Calls that the peer's endpoint has: in service, or waiting for that. */
static uint32_t calls_there(const struct flow_peer *peer)
{
	uint32_t pending = 0;
	uint32_t in_service = 0;

	(void)!endpoint_info(peer->endpoint, NULL, NULL, &pending, &in_service, NULL);
	return pending + in_service;
}

/* Whether the peer's endpoint has none before long: it hears of calls that ended by events. */
static int calls_settle(const struct flow_peer *peer)
{
	int i;

	for (i = 0; i < 1000 && calls_there(peer) != 0; i++)
		(void)timer_sleep(RT_GRANT(timer, "timer"), MILLISECOND);
	return calls_there(peer) == 0;
}

static void test_window_in_one_enter(void)
{
	const struct ring_header *header = ring_self()->header;
	struct flow_ref flow = flow_open(&peers[0], 0);
	struct client_stream stream = { 0 };
	uint32_t before = header->sq_head;
	int right = push_many(flow, &stream, 0, CLIENT_STREAM_CALLS) && header->sq_head == before;

	right &= push(flow, &stream, CLIENT_STREAM_CALLS) == STATUS_OK;
	tap(right && header->sq_head == before + CLIENT_STREAM_CALLS &&
					client_stream_in_flight(&stream) <= CLIENT_STREAM_CALLS,
			"a window of a stream is one system call");
	right = push_many(flow, &stream, CLIENT_STREAM_CALLS + 1, 1000) &&
			client_stream_finish(&stream, 0) == STATUS_OK;
	tap(right && pushed_is(&peers[0], 1000), "a thousand calls of a stream arrive in order");
	client_release(flow.ref);
}

/* Where what a service holds at one moment is looked at, it holds it until it is told otherwise: no test
 * depends on being quick. */
static void test_window_of_a_slow_service(void)
{
	struct flow_ref flow = flow_open(&peers[0], LONG_NS);
	struct client_stream stream = { .calls_max = 5 };
	int right = push_many(flow, &stream, 0, 5);

	client_stream_flush(&stream);
	tap(right && pushed_is(&peers[0], 1) && calls_there(&peers[0]) == 5 &&
					!client_stream_has_room(&stream, 1),
			"a service that holds answers back has a window of calls, and runs one");
	right = client_stream_finish(&stream, now_ns() + MILLISECOND) == STATUS_DEADLINE_EXCEEDED;
	tap(right && client_stream_in_flight(&stream) == 5 && calls_there(&peers[0]) == 5,
			"finish with a deadline takes nothing away");
	client_stream_drop(&stream);
	tap(calls_settle(&peers[0]) && pushed_is(&peers[0], 1),
			"a stream that is dropped leaves nothing at the service");
	client_release(flow.ref);
}

static void test_waiting_for_room(void)
{
	struct flow_ref flow = flow_open(&peers[0], HOLD_NS);
	struct client_stream stream = { .calls_max = 5 };
	uint64_t start_ns = now_ns();
	int right = push_many(flow, &stream, 0, 6);

	tap(right && now_ns() - start_ns >= HOLD_NS && client_stream_in_flight(&stream) <= 5,
			"a call waits for room in the window");
	right = client_stream_finish(&stream, 0) == STATUS_OK;
	tap(right && now_ns() - start_ns >= 6 * HOLD_NS && pushed_is(&peers[0], 6),
			"and finish for all answers, which come one after the other");
	client_release(flow.ref);
}

static void test_deadline_of_calls(void)
{
	struct flow_ref flow = flow_open(&peers[0], LONG_NS);
	struct client_stream stream = { .deadline_ns = now_ns() + HOLD_NS };
	int right = push_many(flow, &stream, 0, 6);
	uint64_t pushed = 99;

	right &= client_stream_finish(&stream, 0) == STATUS_DEADLINE_EXCEEDED &&
			client_stream_in_flight(&stream) == 0 && calls_settle(&peers[0]);
	right &= flow_source_newest(peers[0].source, &pushed, NULL, NULL) == STATUS_OK;
	tap(right && pushed <= 1,
			"the deadline of a stream's calls ends all of them, and none runs later");
	stream.deadline_ns = 0;
	right = push(flow, &stream, pushed) == STATUS_OK;
	client_stream_flush(&stream);
	tap(right && pushed_is(&peers[0], pushed + 1), "and the object serves the next");
	client_stream_drop(&stream);
	(void)calls_settle(&peers[0]);
	client_release(flow.ref);
}

static void test_refusal_in_the_middle(void)
{
	static const uint8_t bytes[SERVER_MESSAGE_WORDS * 8];
	struct flow_ref flow = flow_open(&peers[0], 0);
	struct client_stream stream = { 0 };
	int right = push_many(flow, &stream, 0, 2);

	/* The kernel refuses this one; what is sent behind it must not arrive. */
	right &= flow_push_stream(flow, &stream, 2, capnp_data_of(bytes, sizeof(bytes))) ==
			STATUS_OK;
	right &= push(flow, &stream, 3) == STATUS_TOO_LARGE;
	tap(right && client_stream_finish(&stream, 0) == STATUS_TOO_LARGE &&
					pushed_is(&peers[0], 2),
			"nothing arrives behind a message that is too large");
	right = push_many(flow, &stream, 2, 4);
	tap(right && client_stream_finish(&stream, 0) == STATUS_OK && pushed_is(&peers[0], 4),
			"of which the object knows nothing");
	client_release(flow.ref);
}

static void test_more_than_a_service_keeps(void)
{
	struct flow_ref flow = flow_open(&peers[0], LONG_NS);
	struct client_stream stream = { .calls_max = CLIENT_STREAM_CALLS_MAX };
	int right = push_many(flow, &stream, 0, CLIENT_STREAM_CALLS_MAX);

	client_stream_flush(&stream);
	tap(right && pushed_is(&peers[0], 1) && calls_there(&peers[0]) == SERVER_WAITING_MAX,
			"a service keeps so many calls of a stream and serves others meanwhile");
	client_stream_drop(&stream);
	right = calls_settle(&peers[0]) && push(flow, &stream, 1) == STATUS_OK;
	tap(right && client_stream_finish(&stream, 0) == STATUS_OVERLOADED &&
					pushed_is(&peers[0], 1),
			"one call more breaks the stream");
	client_release(flow.ref);
}

static void test_capability_dropped(void)
{
	struct flow_ref flow = flow_open(&peers[0], MILLISECOND);
	struct client_stream stream = { 0 };
	int right = push_many(flow, &stream, 0, 7);
	uint32_t flows = 99;
	int i;

	client_release(flow.ref);
	right &= client_stream_finish(&stream, 0) == STATUS_OK && pushed_is(&peers[0], 7);
	/* The service is told by an event, which calls may overtake. */
	for (i = 0; i < 1000 && flows != 0; i++) {
		(void)timer_sleep(RT_GRANT(timer, "timer"), MILLISECOND);
		(void)!flow_source_newest(peers[0].source, NULL, NULL, &flows);
	}
	tap(right && flows == 0, "a stream outlives its capability, and its object then ends");
}

static void test_three_services(void)
{
	struct client_stream streams[PEERS] = { { .calls_max = 4 }, { .calls_max = 4 },
		{ .calls_max = 4 } };
	struct flow_ref flows[PEERS];
	uint64_t number;
	int right = 1;
	uint32_t i;

	for (i = 0; i < PEERS; i++)
		flows[i] = flow_open(&peers[i], LONG_NS);
	for (i = 0; i < PEERS; i++)
		right &= push_many(flows[i], &streams[i], 0, 3);
	client_stream_flush(&streams[0]);
	for (i = 0; i < PEERS; i++)
		right &= pushed_is(&peers[i], 1) && calls_there(&peers[i]) == 3;
	tap(right, "three services have calls of three streams at once");
	for (i = 0; i < PEERS; i++) {
		client_stream_drop(&streams[i]);
		client_release(flows[i].ref);
		flows[i] = flow_open(&peers[i], MILLISECOND);
	}
	for (number = 0; number < 10; number++)
		for (i = 0; i < PEERS; i++)
			right &= push(flows[i], &streams[i], number) == STATUS_OK;
	for (i = 0; i < PEERS; i++) {
		right &= client_stream_finish(&streams[i], 0) == STATUS_OK &&
				pushed_is(&peers[i], 10);
		client_release(flows[i].ref);
	}
	tap(right, "and each gets its own in order");
}

static void test_service_dies(void)
{
	struct flow_ref flow = flow_open(&peers[1], LONG_NS);
	struct client_stream stream = { 0 };
	int right = push_many(flow, &stream, 0, 5);
	uint32_t incarnation;

	client_stream_flush(&stream);
	/* It answers this when it has taken what came before. */
	right &= pushed_is(&peers[1], 1) && calls_there(&peers[1]) == 5;
	right &= process_handle_kill(peers[1].process, 9) == STATUS_OK;
	right &= rt_wait_end(rt_id(peers[1].process.ref)) == STATUS_OK;
	tap(right && client_stream_finish(&stream, 0) == STATUS_DISCONNECTED,
			"a stream to a service that dies ends disconnected");
	/* What had not been received goes with the incarnation that made the object. */
	right = push_many(flow, &stream, 0, 5);
	client_stream_flush(&stream);
	right &= endpoint_reset(peers[1].endpoint, &incarnation) == STATUS_OK;
	tap(right && client_stream_finish(&stream, 0) == STATUS_DISCONNECTED,
			"and is not taken up by the next incarnation");
	client_release(flow.ref);
}

static status_t peer_start(struct flow_peer *peer)
{
	struct launch_result result = { 0 };
	status_t status = object_factory_endpoint(RT_GRANT(object_factory, "factory"),
			SERVER_MESSAGE_WORDS, SERVER_MESSAGE_CAPS, SERVER_CALLS, &peer->endpoint);

	if (status == STATUS_OK)
		status = export_root(peer->endpoint, 0, &flow_source_interface, &peer->source.ref);
	if (status == STATUS_OK)
		status = launch_server("flow", peer->endpoint, &result);
	peer->process = result.process;
	return status;
}

void test_streams(void)
{
	uint32_t i;

	for (i = 0; i < PEERS; i++) {
		if (peer_start(&peers[i]) != STATUS_OK) {
			tap(0, "services of flows start");
			return;
		}
	}
	test_window_in_one_enter();
	test_window_of_a_slow_service();
	test_waiting_for_room();
	test_deadline_of_calls();
	test_refusal_in_the_middle();
	test_more_than_a_service_keeps();
	test_capability_dropped();
	test_three_services();
	test_service_dies();
	for (i = 0; i < PEERS; i++) {
		(void)!process_handle_kill(peers[i].process, 9);
		client_release(peers[i].process.ref);
		client_release(peers[i].source.ref);
		client_release(peers[i].endpoint.ref);
	}
}
