/*
 * Promises: capabilities that are handed out and called before they lead anywhere.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "rt/capability.h"

static uint32_t endpoint, export;

struct promised {
	uint32_t promise;
	struct promise_resolver_ref resolver;
};

static status_t promise_status(uint64_t interface_id, uint16_t methods, struct promised *promised)
{
	struct object_factory_promise_params_builder params;
	struct object_factory_promise_call call = object_factory_promise_begin(
			world.factory, &params);
	struct capnp_list_builder rows = object_factory_promise_params_init_interfaces(params, 1);
	struct client_ref promise = { 0 };
	status_t status;

	interface_row_set_id(interface_row_builder_at(rows, 0), interface_id);
	interface_row_set_methods(interface_row_builder_at(rows, 0), methods);
	object_factory_promise_send(&call);
	status = object_factory_promise_wait(&call);
	*promised = (struct promised){ 0 };
	if (status == STATUS_OK)
		status = object_factory_promise_take_promise(&call, &promise);
	if (status == STATUS_OK)
		status = object_factory_promise_take_resolver(&call, &promised->resolver);
	object_factory_promise_done(&call);
	promised->promise = rt_id(promise);
	return status;
}

static struct promised promise_new(void)
{
	struct promised promised;

	CHECK_EQUAL(promise_status(TEST_INTERFACE, 3, &promised), STATUS_OK);
	return promised;
}

static void promised_drop(struct promised *promised)
{
	client_release(promised->resolver.ref);
	CHECK_EQUAL(release(promised->promise), STATUS_OK);
}

static status_t resolve(struct promised *promised, uint32_t id)
{
	return promise_resolver_resolve(promised->resolver, rt_ref(id));
}

static bool fixture_open(void)
{
	endpoint = endpoint_new();
	export = export_new(endpoint, 1, false);
	return export != 0;
}

static void fixture_close(void)
{
	CHECK_EQUAL(release(export), STATUS_OK);
	CHECK_EQUAL(release(endpoint), STATUS_OK);
	kernel_check();
}

static void serve(uint16_t question, uint64_t tag)
{
	struct ring_completion received;

	start(entry_recv(endpoint, Q0 + 7));
	received = finish(Q0 + 7);
	CHECK_EQUAL(received.detail, tag);
	CHECK_EQUAL(perform(entry_return(endpoint, received.id)).status, STATUS_OK);
	CHECK_EQUAL(finish(question).status, STATUS_OK);
}

static void calls_wait_and_go_on_in_order(void)
{
	struct usage before = usage_self();
	struct promised promised;
	struct ring_entry entry;
	uint32_t moved;

	REQUIRE(fixture_open());
	promised = promise_new();
	moved = copy_of(export);
	start(entry_call(promised.promise, Q0));
	entry = entry_call(promised.promise, Q0 + 1);
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	start(entry);
	start(entry_call(export, Q0 + 2));
	CHECK(!is_live(moved));
	CHECK_EQUAL(info_pending(endpoint), 1);
	CHECK_EQUAL(resolve(&promised, export), STATUS_OK);
	CHECK_EQUAL(info_pending(endpoint), 3);
	CHECK_EQUAL(resolve(&promised, export), STATUS_FAILED);
	CHECK_EQUAL(promise_resolver_reject(promised.resolver, STATUS_FAILED), STATUS_FAILED);
	serve(Q0 + 2, 1);
	serve(Q0, 1);
	serve(Q0 + 1, 1);
	CHECK_EQUAL(seat_records(Q0 + 7, true)[0].kind, RECORD_KIND_YOURS);
	/* What comes later goes there at once. */
	start(entry_call(promised.promise, Q0));
	serve(Q0, 1);
	promised_drop(&promised);
	fixture_close();
	CHECK(usage_settles(&before));
}

static void a_promise_that_breaks_ends_its_calls(void)
{
	struct usage before = usage_self();
	struct promised promised;
	struct ring_entry entry;
	uint32_t moved = copy_of(rt_id(world.timer.ref));

	REQUIRE(fixture_open());
	promised = promise_new();
	entry = entry_call(promised.promise, Q0);
	send_cap(&entry, TRANSFER_KIND_MOVE, moved);
	start(entry);
	CHECK_EQUAL(promise_resolver_reject(promised.resolver, 0), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(promise_resolver_reject(promised.resolver, 6), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(promise_resolver_reject(promised.resolver, STATUS_OVERLOADED), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OVERLOADED);
	CHECK(is_live(moved));
	CHECK_EQUAL(perform(entry_call(promised.promise, Q0)).status, STATUS_OVERLOADED);
	CHECK_EQUAL(perform_sync(entry_call(promised.promise, Q0)).status, STATUS_OVERLOADED);
	promised_drop(&promised);
	/* A resolver that goes. */
	promised = promise_new();
	start(entry_call(promised.promise, Q0));
	client_release(promised.resolver.ref);
	CHECK_EQUAL(finish(Q0).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(release(promised.promise), STATUS_OK);
	/* A caller that goes, or does not want to wait. */
	promised = promise_new();
	start(entry_call(promised.promise, Q0));
	CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_CANCELLED);
	entry = entry_call(promised.promise, Q0);
	entry.deadline_ns = now_ns() + 2000000;
	start(entry);
	CHECK_EQUAL(finish(Q0).status, STATUS_DEADLINE_EXCEEDED);
	entry = entry_call(promised.promise, Q0);
	entry.flags = ENTRY_FAIL_FAST;
	CHECK_EQUAL(perform(entry).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(resolve(&promised, rt_id(world.timer.ref)), STATUS_OK);
	promised_drop(&promised);
	CHECK_EQUAL(release(moved), STATUS_OK);
	fixture_close();
	CHECK(usage_settles(&before));
}

/* The promise's interfaces bound what is called, and so do those of what it leads to. */
static void a_promise_is_no_wider_than_either(void)
{
	struct ring_completion completion;
	struct promised promised;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	CHECK_EQUAL(promise_status(TIMER_INTERFACE_ID, 1, &promised), STATUS_OK);
	CHECK_EQUAL(resolve(&promised, rt_id(world.timer.ref)), STATUS_OK);
	entry = entry_call(promised.promise, Q0);
	CHECK_EQUAL(perform(entry).status, STATUS_UNIMPLEMENTED);
	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_NOW;
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	CHECK_EQUAL(perform_sync(entry).status, STATUS_OK);
	entry.method = TIMER_METHOD_SLEEP;
	CHECK_EQUAL(reason_of(perform(entry).detail), REASON_NO_METHOD);
	promised_drop(&promised);
	promised = promise_new();
	start(entry_call(promised.promise, Q0));
	CHECK_EQUAL(resolve(&promised, rt_id(world.timer.ref)), STATUS_OK);
	completion = finish(Q0);
	CHECK_EQUAL(completion.status, STATUS_UNIMPLEMENTED);
	CHECK_EQUAL(reason_of(completion.detail), REASON_NO_INTERFACE);
	promised_drop(&promised);
	CHECK_EQUAL(promise_status(0, 1, &promised), STATUS_INVALID_ARGUMENT);
	fixture_close();
}

/* The resolver, a kernel object, is called with a capability of an answer that has not come. */
static void a_resolver_takes_what_is_still_to_come(void)
{
	struct usage before = usage_self();
	struct promised promised;
	struct ring_completion base;
	struct ring_entry entry;

	REQUIRE(fixture_open());
	promised = promise_new();
	start(entry_call(promised.promise, Q0 + 2));
	start(entry_call(export, Q0));
	start(entry_recv(endpoint, Q0 + 7));
	base = finish(Q0 + 7);
	entry = entry_call(rt_id(promised.resolver.ref), Q0 + 1);
	entry.interface = PROMISE_RESOLVER_INTERFACE_ID;
	entry.method = PROMISE_RESOLVER_METHOD_RESOLVE;
	message()[0] = (uint64_t)1 << 48;
	message()[1] = 3;
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	send_cap(&entry, TRANSFER_KIND_ANSWER, Q0);
	descriptors()[0].path_len = 1;
	start(entry);
	CHECK(!is_done(Q0 + 1));
	entry = entry_return(endpoint, base.id);
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	send_cap(&entry, TRANSFER_KIND_COPY, export);
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 1).status, STATUS_OK);
	serve(Q0 + 2, 1);
	CHECK_EQUAL(release(seat_records(Q0, false)[0].id), STATUS_OK);
	promised_drop(&promised);
	fixture_close();
	CHECK(usage_settles(&before));
}

static void chains_end_somewhere(void)
{
	struct promised chain[20], first, second;
	status_t status = STATUS_OK;
	struct ring_completion refused;
	uint32_t length;

	REQUIRE(fixture_open());
	first = promise_new();
	second = promise_new();
	start(entry_call(first.promise, Q0));
	CHECK_EQUAL(resolve(&first, second.promise), STATUS_OK);
	CHECK(!is_done(Q0));
	CHECK_EQUAL(resolve(&second, first.promise), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(finish(Q0).status, STATUS_FAILED);
	CHECK_EQUAL(reason_of(finish(Q0).detail), REASON_CYCLE);
	promised_drop(&first);
	promised_drop(&second);
	first = promise_new();
	CHECK_EQUAL(resolve(&first, first.promise), STATUS_INVALID_ARGUMENT);
	promised_drop(&first);
	/* Built from its end a chain has a bound; built at its end it grows, but calls go a part of it only. */
	for (uint32_t from_end = 0; from_end < 2; from_end++) {
		for (uint32_t i = 0; i < ARRAY_LEN(chain); i++)
			chain[i] = promise_new();
		length = 0;
		start(entry_call(chain[0].promise, Q0));
		for (uint32_t n = 0; n + 1 < ARRAY_LEN(chain); n++) {
			uint32_t i = from_end ? (uint32_t)ARRAY_LEN(chain) - 2 - n : n;

			status = resolve(&chain[i], chain[i + 1].promise);
			if (status != STATUS_OK)
				break;
			length = n + 1;
		}
		CHECK_EQUAL(status, from_end ? STATUS_INVALID_ARGUMENT : STATUS_OK);
		CHECK_EQUAL(length, from_end ? 16 : 19);
		CHECK_EQUAL(resolve(&chain[19], export), STATUS_OK);
		if (from_end) {
			CHECK_EQUAL(perform(entry_cancel(Q0)).status, STATUS_OK);
			(void)finish(Q0);
		} else {
			serve(Q0, 1);
			refused = perform(entry_call(chain[0].promise, Q0));
			CHECK_EQUAL(refused.status, STATUS_FAILED);
			CHECK_EQUAL(reason_of(refused.detail), REASON_CYCLE);
		}
		start(entry_call(chain[4].promise, Q0 + 1));
		serve(Q0 + 1, 1);
		for (uint32_t i = 0; i < ARRAY_LEN(chain); i++)
			promised_drop(&chain[i]);
	}
	fixture_close();
}

/* A call that sleeps at a promise wakes, though what it leads to answers at once. */
static void a_sleeping_call_at_a_promise_wakes(void)
{
	struct process_handle_ref child;
	struct promised promised;

	REQUIRE(fixture_open());
	CHECK_EQUAL(promise_status(TIMER_INTERFACE_ID, 4, &promised), STATUS_OK);
	child = child_start(&(struct child_spec){
			.role = "ask-at-a-promise", .grants = { { "promise", promised.promise } } });
	sleep_ns(20000000);
	CHECK_EQUAL(resolve(&promised, rt_id(world.timer.ref)), STATUS_OK);
	sleep_ns(20000000);
	CHECK_EQUAL(process_handle_kill(child, 9), STATUS_OK);
	CHECK_EQUAL(child_finish(child).state, PROCESS_STATE_EXITED);
	promised_drop(&promised);
	fixture_close();
}

/* What one promise lets go of when it is settled breaks another: neither is lost. */
static void settling_that_breaks_another_promise(void)
{
	struct usage before = usage_self();
	struct promised asked, given, broken;
	struct ring_entry call;

	REQUIRE(fixture_open());
	CHECK_EQUAL(promise_status(PROMISE_RESOLVER_INTERFACE_ID, 2, &asked), STATUS_OK);
	given = promise_new();
	broken = promise_new();
	start(entry_call(broken.promise, Q0 + 2));
	message()[0] = 1ull << 48;
	message()[1] = 3;
	call = entry_call(asked.promise, Q0);
	call.interface = PROMISE_RESOLVER_INTERFACE_ID;
	call.method = PROMISE_RESOLVER_METHOD_RESOLVE;
	call.msg_off = world.message_off;
	call.msg_words = 2;
	send_cap(&call, TRANSFER_KIND_MOVE, rt_id(broken.resolver.ref));
	start(call);
	CHECK_EQUAL(release(given.promise), STATUS_OK);
	CHECK_EQUAL(resolve(&asked, rt_id(given.resolver.ref)), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0 + 2).status, STATUS_DISCONNECTED);
	CHECK_EQUAL(release(broken.promise), STATUS_OK);
	promised_drop(&asked);
	client_release(given.resolver.ref);
	fixture_close();
	CHECK(usage_settles(&before));
}

/* However many promises others make lead to one, its owner resolves it as it pleases. */
static void strangers_do_not_break_a_promise(void)
{
	struct promised owner, last, strangers[16];

	REQUIRE(fixture_open());
	owner = promise_new();
	last = promise_new();
	for (uint32_t i = 0; i < ARRAY_LEN(strangers); i++) {
		strangers[i] = promise_new();
		CHECK_EQUAL(resolve(&strangers[i], i ? strangers[i - 1].promise : owner.promise),
				STATUS_OK);
	}
	CHECK_EQUAL(resolve(&owner, last.promise), STATUS_OK);
	CHECK_EQUAL(resolve(&last, export), STATUS_OK);
	start(entry_call(owner.promise, Q0));
	serve(Q0, 1);
	for (uint32_t i = 0; i < ARRAY_LEN(strangers); i++)
		promised_drop(&strangers[i]);
	promised_drop(&owner);
	promised_drop(&last);
	fixture_close();
}

/* Each call that goes on resolves the next promise, whose call resolves the next: no stack is used up. */
static void settling_sets_off_settling(void)
{
	struct promised chain[24];
	struct ring_entry entry = { .op = CAP_OP_CALL,
		.interface = PROMISE_RESOLVER_INTERFACE_ID,
		.method = PROMISE_RESOLVER_METHOD_RESOLVE,
		.reply_words = 2 };
	uint32_t count = ARRAY_LEN(chain);

	REQUIRE(fixture_open());
	for (uint32_t i = 0; i < count; i++)
		CHECK_EQUAL(promise_status(PROMISE_RESOLVER_INTERFACE_ID, 2, &chain[i]), STATUS_OK);
	message()[0] = 1ull << 48;
	message()[1] = 3;
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	for (uint32_t i = 0; i + 2 < count; i++) {
		struct ring_entry call = entry;

		call.target = chain[i].promise;
		call.question = (uint16_t)(10 + i);
		call.reply_off = seat_off(Q0 + 6);
		send_cap(&call, TRANSFER_KIND_COPY, rt_id(chain[i + 2].resolver.ref));
		ring_put(ring_self(), &call);
		ring_submit(ring_self());
	}
	CHECK_EQUAL(resolve(&chain[0], rt_id(chain[1].resolver.ref)), STATUS_OK);
	/* All but the last have been resolved by the calls of those before. */
	CHECK_EQUAL(resolve(&chain[count - 2], export), STATUS_FAILED);
	CHECK_EQUAL(resolve(&chain[count - 1], export), STATUS_OK);
	for (uint32_t i = 0; i < count; i++)
		promised_drop(&chain[i]);
	fixture_close();
}

/* An answer may be a promise: what stands on it waits for both. */
static void a_call_on_an_answer_that_is_a_promise(void)
{
	struct promised promised;
	struct ring_entry entry;
	struct ring_completion base;

	REQUIRE(fixture_open());
	promised = promise_new();
	start(entry_call(export, Q0));
	start(entry_recv(endpoint, Q0 + 7));
	base = finish(Q0 + 7);
	entry = entry_call(Q0, Q0 + 1);
	entry.flags = ENTRY_PIPELINED;
	entry.path_len = 1;
	start(entry);
	message()[0] = 1ull << 48;
	message()[1] = 3;
	entry = entry_return(endpoint, base.id);
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	send_cap(&entry, TRANSFER_KIND_COPY, promised.promise);
	CHECK_EQUAL(perform(entry).status, STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	CHECK(!is_done(Q0 + 1));
	CHECK_EQUAL(resolve(&promised, export), STATUS_OK);
	serve(Q0 + 1, 1);
	CHECK_EQUAL(release(seat_records(Q0, false)[0].id), STATUS_OK);
	promised_drop(&promised);
	fixture_close();
}

/* A call that has waited with a deadline and then sleeps: whichever comes first ends it. */
static void a_deadline_goes_along_to_where_a_promise_leads(void)
{
	struct usage before = usage_self();
	struct promised promised;
	struct ring_entry entry;

	CHECK_EQUAL(promise_status(TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP + 1, &promised), STATUS_OK);
	message()[0] = 1ull << 32;
	message()[1] = 2000000;
	entry = entry_call(promised.promise, Q0);
	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_SLEEP;
	entry.msg_off = world.message_off;
	entry.msg_words = 2;
	entry.deadline_ns = now_ns() + WAIT_NS / 2;
	start(entry);
	CHECK_EQUAL(resolve(&promised, rt_id(world.timer.ref)), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_OK);
	promised_drop(&promised);
	CHECK_EQUAL(promise_status(TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP + 1, &promised), STATUS_OK);
	message()[0] = 1ull << 32;
	message()[1] = WAIT_NS;
	entry.target = promised.promise;
	entry.msg_off = world.message_off;
	entry.deadline_ns = now_ns() + 50000000;
	start(entry);
	CHECK_EQUAL(resolve(&promised, rt_id(world.timer.ref)), STATUS_OK);
	CHECK_EQUAL(finish(Q0).status, STATUS_DEADLINE_EXCEEDED);
	promised_drop(&promised);
	CHECK(usage_settles(&before));
	kernel_check();
}

/* Promises that lead to resolvers, their own among them, keep nobody alive. */
static void what_leads_to_its_resolver_goes(void)
{
	struct usage before = usage_self();
	struct promised first = promise_new(), second;

	CHECK_EQUAL(resolve(&first, rt_id(first.resolver.ref)), STATUS_OK);
	promised_drop(&first);
	CHECK(usage_settles(&before));
	first = promise_new();
	second = promise_new();
	CHECK_EQUAL(resolve(&first, rt_id(second.resolver.ref)), STATUS_OK);
	CHECK_EQUAL(resolve(&second, rt_id(first.resolver.ref)), STATUS_OK);
	promised_drop(&first);
	promised_drop(&second);
	CHECK(usage_settles(&before));
	/* One that nobody holds any more when it is resolved. */
	first = promise_new();
	CHECK_EQUAL(release(first.promise), STATUS_OK);
	CHECK_EQUAL(resolve(&first, rt_id(first.resolver.ref)), STATUS_OK);
	client_release(first.resolver.ref);
	CHECK(usage_settles(&before));
	kernel_check();
}

/* A builder given to its own process by a promise would never go. */
static void a_promise_leads_to_no_builder(void)
{
	struct usage before = usage_self();
	struct process_builder_ref builder = { 0 };
	struct process_spawner_create_params_builder params;
	struct process_spawner_create_call call = process_spawner_create_begin(world.spawner, &params);
	struct promised promised;

	process_spawner_create_params_set_name(params, capnp_text("unborn"));
	process_spawner_create_send(&call);
	CHECK_EQUAL(process_spawner_create_wait(&call), STATUS_OK);
	CHECK_EQUAL(process_spawner_create_take_builder(&call, &builder), STATUS_OK);
	process_spawner_create_done(&call);
	promised = promise_new();
	CHECK_EQUAL(process_builder_grant(builder, rt_ref(promised.promise), NULL), STATUS_OK);
	CHECK_EQUAL(resolve(&promised, rt_id(builder.ref)), STATUS_INVALID_ARGUMENT);
	promised_drop(&promised);
	client_release(builder.ref);
	CHECK(usage_settles(&before));
}

static const struct test tests[] = {
	{ "calls wait and go on in order", calls_wait_and_go_on_in_order },
	{ "a promise that breaks ends its calls", a_promise_that_breaks_ends_its_calls },
	{ "a promise is no wider than either", a_promise_is_no_wider_than_either },
	{ "a resolver takes what is still to come", a_resolver_takes_what_is_still_to_come },
	{ "chains end somewhere", chains_end_somewhere },
	{ "a sleeping call at a promise wakes", a_sleeping_call_at_a_promise_wakes },
	{ "settling that breaks another promise", settling_that_breaks_another_promise },
	{ "strangers do not break a promise", strangers_do_not_break_a_promise },
	{ "a promise leads to no builder", a_promise_leads_to_no_builder },
	{ "settling sets off settling", settling_sets_off_settling },
	{ "a call on an answer that is a promise", a_call_on_an_answer_that_is_a_promise },
	{ "what leads to its resolver goes", what_leads_to_its_resolver_goes },
	{ "a deadline goes along to where a promise leads", a_deadline_goes_along_to_where_a_promise_leads },
};

TEST_LIST(promise_tests, tests);
