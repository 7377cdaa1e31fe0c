/*
 * The tests' server of Worker: see worker.h.
 */
#include "tests/capnp/worker.h"

static struct worker workers[WORKERS_MAX];
static uint32_t next_serial;
static struct call *later_call;
static struct call *held_feed;     /* a stream call that is deferred, */
static struct worker *held_worker; /* to this one, */
static uint8_t held_op;            /* which is to become of it */

struct worker *worker_make(struct capnp_text name)
{
	for (uint32_t i = 0; i < WORKERS_MAX; i++) {
		struct worker *worker = &workers[i];

		if (worker->is_used || name.bytes > sizeof(worker->name))
			continue;
		*worker = (struct worker){ .is_used = true,
			.name_bytes = name.bytes,
			.serial = ++next_serial,
			.in_order = true };
		for (uint32_t c = 0; c < name.bytes; c++)
			worker->name[c] = name.chars[c];
		return worker;
	}
	return NULL;
}

uint32_t worker_index(const struct worker *worker)
{
	return (uint32_t)(worker - workers);
}

void worker_drop(struct worker *worker)
{
	worker->is_used = false;
}

uint32_t workers_used(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		count += workers[i].is_used;
	return count;
}

static void fed(struct worker *worker, uint8_t number, uint32_t bytes)
{
	worker->in_order &= number == (uint8_t)worker->fed_calls;
	worker->fed_calls++;
	worker->fed_bytes += bytes;
}

static void answer_held_feed(void)
{
	struct call *call = held_feed;

	held_feed = NULL;
	if (call == NULL)
		return;
	if (held_op == FEED_HOLD)
		fed(held_worker, (uint8_t)held_worker->fed_calls, 0);
	worker_host_answer(call, held_op == FEED_HOLD ? STATUS_OK : STATUS_OVERLOADED);
}

static void answer_later(void)
{
	struct call *call = later_call;

	later_call = NULL;
	if (call == NULL)
		return;
	worker_later_results_set_value(worker_later_results_init_root(call_results(call)), 4711);
	worker_host_answer(call, STATUS_OK);
}

void worker_forget(struct call *call)
{
	if (later_call == call)
		later_call = NULL;
	if (held_feed == call)
		held_feed = NULL;
}

static status_t worker_do_add(void *self, struct call *call, struct worker_add_params_reader in,
		struct worker_add_results_builder *out)
{
	worker_add_results_set_sum(*out, worker_add_params_get_left(in) +
			worker_add_params_get_right(in));
	return STATUS_OK;
}

static status_t worker_do_name(void *self, struct call *call, struct worker_name_params_reader in,
		struct worker_name_results_builder *out)
{
	const struct worker *worker = self;

	answer_later();
	answer_held_feed();
	worker_name_results_set_name(*out, capnp_text_of(worker->name, worker->name_bytes));
	return STATUS_OK;
}

static status_t worker_do_child(void *self, struct call *call, struct worker_child_params_reader in,
		struct worker_child_results_builder *out)
{
	struct worker *child = worker_make(worker_child_params_get_name(in));

	if (child == NULL)
		return STATUS_OVERLOADED;
	worker_child_results_set_child(*out, worker_host_export(call, child));
	worker_child_results_set_serial(*out, child->serial);
	return STATUS_OK;
}

static status_t worker_do_adopt(void *self, struct call *call, struct worker_adopt_params_reader in,
		struct worker_adopt_results_builder *out)
{
	const struct worker *worker = worker_host_find(call, worker_adopt_params_get_worker(in));

	worker_adopt_results_set_same(*out, worker != NULL &&
			worker == worker_host_find(call, worker_adopt_params_get_any(in)));
	return STATUS_OK;
}

static status_t worker_do_describe(void *self, struct call *call, struct point_reader in,
		struct point_builder *out)
{
	point_set_x(*out, point_get_y(in));
	point_set_y(*out, point_get_x(in));
	return STATUS_OK;
}

static status_t worker_do_numbers(void *self, struct call *call,
		struct worker_numbers_params_reader in, struct worker_numbers_results_builder *out)
{
	struct capnp_list numbers = worker_numbers_params_get_numbers(in);
	int64_t total = 0;

	for (uint32_t i = 0; i < numbers.count; i++)
		total += capnp_list_i32(numbers, i);
	worker_numbers_results_set_total(*out, total);
	return STATUS_OK;
}

static status_t worker_do_feed(void *self, struct call *call, struct worker_feed_params_reader in)
{
	struct capnp_data data = worker_feed_params_get_bytes(in);
	uint8_t op = data.count > 0 ? data.bytes[0] : FEED_TAKE;

	if (op == FEED_FAIL) {
		worker_host_reason(call, capnp_text("not this one"));
		return STATUS_FAILED;
	}
	if (op == FEED_HOLD || op == FEED_HOLD_AND_FAIL) {
		if (held_feed != NULL)
			return STATUS_OVERLOADED;
		held_feed = call;
		held_worker = self;
		held_op = op;
		worker_host_defer(call);
		return STATUS_OK;
	}
	fed(self, data.count > 1 ? data.bytes[1] : 0, data.count);
	return STATUS_OK;
}

static status_t worker_do_fed(void *self, struct call *call, struct worker_fed_params_reader in,
		struct worker_fed_results_builder *out)
{
	const struct worker *worker = self;
	uint32_t serial = worker_fed_params_get_serial(in);

	for (uint32_t i = 0; serial != 0 && i < WORKERS_MAX; i++)
		if (workers[i].serial == serial)
			worker = &workers[i];
	worker_fed_results_set_calls(*out, worker->fed_calls);
	worker_fed_results_set_bytes(*out, worker->fed_bytes);
	worker_fed_results_set_in_order(*out, worker->in_order);
	return STATUS_OK;
}

static status_t worker_do_later(void *self, struct call *call, struct worker_later_params_reader in,
		struct worker_later_results_builder *out)
{
	later_call = call;
	worker_host_defer(call);
	return STATUS_OK;
}

static status_t worker_do_fail(void *self, struct call *call, struct worker_fail_params_reader in,
		struct worker_fail_results_builder *out)
{
	worker_host_reason(call, worker_fail_params_get_reason(in));
	return STATUS_FAILED;
}

const struct worker_server worker_handlers = {
	.add = worker_do_add,
	.name = worker_do_name,
	.child = worker_do_child,
	.adopt = worker_do_adopt,
	.describe = worker_do_describe,
	.numbers = worker_do_numbers,
	.feed = worker_do_feed,
	.later = worker_do_later,
	.fail = worker_do_fail,
	.fed = worker_do_fed,
};
