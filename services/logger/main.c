/*
 * The logger: takes records through sinks and lets those who hold the reader read them.
 *
 * Init mints the objects that the manifest names: object 0 is a sink for each client, object 1 the reader.
 * A sink's tag says whose it is, and the configuration says the name that belongs to it, so a record's
 * source is never the writer's own claim. Records live in record_ring.c and end with this process.
 */
#include <stdlib.h>

#include "capos/kernel.client.h"
#include "capos/log.server.h"
#include "capos/manifest.capnp.h"
#include "rt/capability.h"
#include "rt/clock.h"
#include "rt/program.h"
#include "rt/server.h"
#include "services/logger/record_ring.h"

#define OBJECT_SINK      0u
#define OBJECT_READER    1u
#define RECORDS_MAX      65536u
#define RECORDS_READ_MAX 20u

/* Words that a record takes in an answer: the struct, then both texts with their NUL. */
#define RECORD_STRUCT_WORDS (LOG_RECORD_DATA_WORDS + LOG_RECORD_POINTERS)

struct sink {
	struct server_object object;
	struct capnp_text name;
	uint16_t source;
};

/* A deferred call of `follow`. */
struct follower {
	struct follower *next;
	struct call *call;
	uint64_t from;
};

static struct loop loop;
static struct server server;
static struct server_object reader;
static struct sink sinks[SERVICES_MAX];
static struct follower *followers;
static struct record_ring ring;
static enum log_level level_max;

/* --- Writing ------------------------------------------------------------------------------------ */

static void follower_remove(struct follower *follower)
{
	struct follower **link = &followers;

	while (*link != follower)
		link = &(*link)->next;
	*link = follower->next;
	free(follower);
}

static void follower_cancelled(struct call *call, void *context)
{
	follower_remove(context);
	call_answer(call, STATUS_FAILED);
}

/* Answers those whose record has come. */
static void followers_tell(void)
{
	struct follower *next;

	for (struct follower *follower = followers; follower != NULL; follower = next) {
		struct call *call = follower->call;
		struct log_reader_follow_results_builder out;

		next = follower->next;
		if (follower->from >= ring.next)
			continue;
		out = log_reader_follow_results_init_root(call_results(call));
		log_reader_follow_results_set_next(out, ring.next);
		follower_remove(follower);
		call_answer(call, STATUS_OK);
	}
}

static status_t sink_write(void *self, struct call *call, struct log_sink_write_params_reader in,
		struct log_sink_write_results_builder *out)
{
	const struct sink *sink = self;
	enum log_level level = log_sink_write_params_get_level(in);
	uint64_t now_ns = 0;

	if (level == LOG_LEVEL_NONE || level > LOG_LEVEL_DEBUG)
		return STATUS_INVALID_ARGUMENT;
	if (level > level_max)
		return STATUS_OK;
	/* Without a clock a record has time 0, which is better than no record. */
	(void)!clock_now(&now_ns);
	record_ring_add(&ring, now_ns, level, sink->source, log_sink_write_params_get_text(in));
	followers_tell();
	return STATUS_OK;
}

static const struct log_sink_server sink_handlers = { .write = sink_write };
SERVER_CLASS(sink_class, log_sink, sink_handlers, NULL);

/* --- Reading ------------------------------------------------------------------------------------ */

static uint32_t text_words(uint32_t bytes)
{
	return bytes / 8 + 1;
}

/* How many records from `from` on fit what the caller offers for the answer. */
static uint32_t records_that_fit(const struct capnp_builder *results, uint64_t from, uint32_t max)
{
	uint32_t room = results->capacity - results->used;
	uint32_t count = 0;

	/* The list begins with a tag word. */
	for (uint32_t used = 1; count < max; count++) {
		const struct record *record = record_ring_get(&ring, from + count);

		if (record == NULL)
			break;
		used += RECORD_STRUCT_WORDS + text_words(record->text_bytes) +
				text_words(sinks[record->source].name.bytes);
		if (used > room)
			break;
	}
	return count;
}

static status_t reader_read(void *self, struct call *call, struct log_reader_read_params_reader in,
		struct log_reader_read_results_builder *out)
{
	uint64_t from = log_reader_read_params_get_from(in);
	uint64_t first = MIN(MAX(from, record_ring_oldest(&ring)), ring.next);
	uint32_t max = log_reader_read_params_get_max(in);
	struct capnp_list_builder records;
	uint32_t count;

	max = max == 0 ? RECORDS_READ_MAX : MIN(max, RECORDS_READ_MAX);
	count = records_that_fit(call_results(call), first, max);
	records = log_reader_read_results_init_records(*out, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct record *record = record_ring_get(&ring, first + i);
		struct log_record_builder to = log_record_builder_at(records, i);

		log_record_set_sequence(to, first + i);
		log_record_set_time_ns(to, record->time_ns);
		log_record_set_level(to, (enum log_level)record->level);
		log_record_set_source(to, sinks[record->source].name);
		log_record_set_text(to, capnp_text_of(record->text, record->text_bytes));
	}
	log_reader_read_results_set_next(*out, first + count);
	log_reader_read_results_set_dropped(*out, first > from ? first - from : 0);
	return STATUS_OK;
}

static status_t reader_status(void *self, struct call *call,
		struct log_reader_status_params_reader in,
		struct log_reader_status_results_builder *out)
{
	uint64_t oldest = record_ring_oldest(&ring);

	log_reader_status_results_set_kept(*out, (uint32_t)(ring.next - oldest));
	log_reader_status_results_set_capacity(*out, ring.capacity);
	log_reader_status_results_set_written(*out, ring.next);
	log_reader_status_results_set_dropped(*out, oldest);
	return STATUS_OK;
}

static status_t reader_follow(void *self, struct call *call,
		struct log_reader_follow_params_reader in,
		struct log_reader_follow_results_builder *out)
{
	uint64_t from = log_reader_follow_params_get_from(in);
	struct follower *follower;

	if (from < ring.next) {
		log_reader_follow_results_set_next(*out, ring.next);
		return STATUS_OK;
	}
	if (!call_may_wait(call))
		return STATUS_OVERLOADED;
	follower = malloc(sizeof(*follower));
	if (follower == NULL)
		return STATUS_OVERLOADED;
	*follower = (struct follower){ .next = followers, .call = call, .from = from };
	followers = follower;
	call_on_cancel(call, follower_cancelled, follower);
	call_defer(call);
	return STATUS_OK;
}

static const struct log_reader_server reader_handlers = {
	.read = reader_read,
	.status = reader_status,
	.follow = reader_follow,
};
SERVER_CLASS(reader_class, log_reader, reader_handlers, NULL);

/* --- Start -------------------------------------------------------------------------------------- */

/* A sink for each client, under the tag with which init minted it. */
static void serve_sinks(struct service_config_reader config)
{
	struct capnp_list clients = service_config_get_clients(config);

	for (uint16_t i = 0; i < clients.count && i < SERVICES_MAX; i++) {
		struct sink *sink = &sinks[i];
		uint64_t tag = ((uint64_t)i + 1) << CLIENT_TAG_SHIFT | OBJECT_SINK;

		sink->name = capnp_list_text(clients, i);
		sink->source = i;
		server_root(&server, &sink->object, tag, &sink_class, sink);
	}
}

static bool make_ring(struct service_config_reader config)
{
	struct logger_config_reader own = logger_config_of_any(service_config_get_own(config));
	uint32_t capacity = logger_config_get_capacity(own);
	struct record *records;

	capacity = MAX(MIN(capacity, RECORDS_MAX), 1);
	records = calloc(capacity, sizeof(*records));
	if (records == NULL)
		return false;
	record_ring_init(&ring, records, capacity);
	return true;
}

int main(int argc, char **argv)
{
	struct service_config_reader config = service_config_of_any(rt_config());
	status_t st;

	level_max = service_config_get_log_level(config);
	if (!make_ring(config))
		return 1;
	loop_init(&loop);
	serve_sinks(config);
	server_root(&server, &reader, OBJECT_READER, &reader_class, NULL);
	st = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (st == STATUS_OK)
		st = loop_run(&loop);
	return st == STATUS_OK ? 0 : 1;
}
