/*
 * What a hostile program does with its ring, its capabilities, its messages, its memory and its
 * children. Each role has its own ledger and whatever was granted to it; none of it should be able
 * to do more than end itself.
 */
#include <string.h>

#include "abi/syscall.h"
#include "programs/counter/counter.capnp.h"
#include "rt/capability.h"
#include "rt/launch.h"
#include "rt/program.h"
#include "tests/hostile/hostile.h"

#define ENTRIES_EACH 10000u
#define HELD_MAX     16u
#define LEARNED      64u

/* What a role was granted, with the interface that it knows it has. */
struct held {
	uint32_t id;
	uint64_t interface;
};

static struct held held[HELD_MAX];
static uint32_t held_count;
static uint32_t learned[LEARNED]; /* ids from completions: of copies, of calls received */
static uint32_t learned_count;

static uint64_t interface_of(struct capnp_text name)
{
	static const struct {
		const char *name;
		uint64_t interface;
	} known[] = {
		{ "endpoint", ENDPOINT_INTERFACE_ID },
		{ "service", TEST_INTERFACE },
		{ "notification", NOTIFICATION_INTERFACE_ID },
		{ "timer", TIMER_INTERFACE_ID },
		{ "factory", OBJECT_FACTORY_INTERFACE_ID },
		{ "spawner", PROCESS_SPAWNER_INTERFACE_ID },
		{ "memory", VIRTUAL_MEMORY_INTERFACE_ID },
		{ "info", SYSTEM_INFO_INTERFACE_ID },
		{ "package", BOOT_PACKAGE_INTERFACE_ID },
		{ "counter", COUNTER_INTERFACE_ID },
		{ "object", MEMORY_OBJECT_INTERFACE_ID },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(known); i++) {
		if (capnp_text_equals(name, known[i].name))
			return known[i].interface;
	}
	return TEST_INTERFACE;
}

static struct chance begin(const char *seed)
{
	for (uint32_t i = 0; i < rt_grant_count() && held_count < HELD_MAX; i++) {
		struct rt_grant_info grant = rt_grant_at(i);

		held[held_count++] = (struct held){ grant.id, interface_of(grant.name) };
	}
	return (struct chance){ 0x9e3779b97f4a7c15 * (number_of(seed) + 1) };
}

static struct ring_header *header(void)
{
	return ring_self()->header;
}

static uint32_t some_learned(struct chance *chance)
{
	return learned_count ? learned[chance_below(chance, MIN(learned_count, LEARNED))] : 0;
}

/* A word that is no accident: a pointer of any kind, a descriptor, a small number. `spare`: a
 * capability that it can do without. */
static uint64_t some_word(struct chance *chance, uint32_t spare)
{
	uint64_t value = chance_next(chance);

	switch (chance_below(chance, 8)) {
	case 0: /* a struct, maybe an ancestor of itself */
		return (uint64_t)(uint32_t) - (int32_t)(4 * (value % 6)) | 1ull << 48;
	case 1: /* a list or text, maybe of itself */
		return 1 | (value % 16) << 2 | (value >> 8 & 7) << 32 | (value >> 16 & 31) << 35;
	case 2: /* a capability of the message */
		return 3 | (value & 3) << 32;
	case 3: /* a descriptor */
		return value % 2 ? TRANSFER_KIND_MOVE | (uint64_t)spare << 32
				 : TRANSFER_KIND_COPY |
						(uint64_t)held[value / 2 % held_count].id << 32;
	case 4:
		return value;
	case 5:
		return value & 0xffff;
	case 6:
		return value & 0xffff000;
	default:
		return 0;
	}
}

/* A message that begins as one: root pointer, then words. Answers its size. */
static uint16_t fill_message(struct chance *chance, uint64_t *words)
{
	uint32_t data = chance_below(chance, 4), pointers = chance_below(chance, 3),
		 count = data + pointers + 1;

	words[0] = (uint64_t)data << 32 | (uint64_t)pointers << 48;
	for (uint32_t i = 1; i < 14; i++)
		words[i] = some_word(chance, some_learned(chance));
	if (chance_below(chance, 2)) {
		for (uint32_t i = 1 + data; i < count; i++)
			words[i] = 3 | (uint64_t)chance_below(chance, 3) << 32;
	}
	if (chance_below(chance, 8) == 0)
		words[chance_below(chance, count)] = chance_next(chance);
	return (uint16_t)(chance_below(chance, 4) ? count : 1 + chance_below(chance, 13));
}

static void fill_descriptors(struct chance *chance, uint64_t *words, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		bool moves = chance_below(chance, 3) == 0;

		words[2 * i] = moves ? TRANSFER_KIND_MOVE | (uint64_t)some_learned(chance) << 32
				     : TRANSFER_KIND_COPY |
						(uint64_t)held[chance_below(chance, held_count)].id
								<< 32;
		words[2 * i + 1] = 0;
	}
}

static uint32_t some_offset(struct chance *chance)
{
	switch (chance_below(chance, 4)) {
	case 0:
		return (uint32_t)chance_next(chance);
	case 1:
		return chance_below(chance, 1100);
	case 2:
		return 4096 - chance_below(chance, 40);
	default:
		return header()->arena_off + chance_below(chance, 2800);
	}
}

/* An entry that could work. */
static struct ring_entry good_entry(struct chance *chance)
{
	static const uint8_t ops[] = { CAP_OP_CALL, CAP_OP_CALL, CAP_OP_CALL, CAP_OP_CALL,
		CAP_OP_RECV, CAP_OP_RECV, CAP_OP_RETURN, CAP_OP_RETURN, CAP_OP_COPY, CAP_OP_RELEASE,
		CAP_OP_RELEASE, CAP_OP_NARROW, CAP_OP_CANCEL, CAP_OP_WAIT, CAP_OP_SIGNAL,
		CAP_OP_YIELD, CAP_OP_RETIRE, CAP_OP_NOP };
	const struct held *target = &held[chance_below(chance, held_count)];
	struct ring_entry entry = { .op = ops[chance_below(chance, ARRAY_LEN(ops))],
		.target = target->id };
	uint32_t off = header()->arena_off + 128 * chance_below(chance, 20);

	switch (entry.op) {
	case CAP_OP_CALL:
	case CAP_OP_RETURN:
		entry.method = (uint16_t)(entry.op == CAP_OP_CALL ? chance_below(chance, 5) : 0);
		entry.interface =
				entry.op == CAP_OP_CALL ? target->interface : some_learned(chance);
		entry.msg_off = off;
		entry.msg_words = fill_message(chance, ring_self()->words + off);
		entry.cap_count = (uint8_t)chance_below(chance, 3);
		entry.caps_off = entry.cap_count ? off + 16 : 0;
		fill_descriptors(chance, ring_self()->words + off + 16, entry.cap_count);
		if (entry.op == CAP_OP_RETURN && chance_below(chance, 2))
			entry.flags = ENTRY_REARM;
		if (entry.op == CAP_OP_RETURN && !entry.flags)
			break;
		__attribute__((fallthrough));
	case CAP_OP_RECV:
		entry.reply_off = off + 32;
		entry.reply_words = (uint16_t)(MESSAGE_WORDS + chance_below(chance, 40));
		entry.reply_caps = (uint8_t)(MESSAGE_CAPS + chance_below(chance, 2));
		entry.question = (uint16_t)chance_below(chance, 64);
		break;
	case CAP_OP_WAIT:
		entry.flags = chance_below(chance, 2) ? ENTRY_DEATH : chance_below(chance, 2) ? ENTRY_MULTISHOT : 0;
		entry.interface = entry.flags & ENTRY_DEATH ? 0 : chance_below(chance, 16);
		entry.question = (uint16_t)chance_below(chance, 64);
		break;
	case CAP_OP_CANCEL:
		entry.target = 0;
		entry.question = (uint16_t)chance_below(chance, 64);
		break;
	case CAP_OP_RELEASE:
		entry.target = some_learned(chance);
		break;
	case CAP_OP_NARROW:
		entry.interface = chance_below(chance, 2) ? TEST_ANCESTOR : SIGNAL_INTERFACE_ID;
		break;
	case CAP_OP_SIGNAL:
		entry.interface = chance_below(chance, 16);
		break;
	case CAP_OP_RETIRE:
		entry.interface = 1;
		entry.deadline_ns = (uint64_t)chance_below(chance, 4) << 32;
		break;
	case CAP_OP_YIELD:
	case CAP_OP_NOP:
		entry.target = 0;
		break;
	}
	return entry;
}

/* And one in which something, or everything, is wrong. */
static struct ring_entry some_entry(struct chance *chance)
{
	struct ring_entry entry = good_entry(chance);

	switch (chance_below(chance, 12)) {
	case 0:
		entry.reply_off = some_offset(chance);
		break;
	case 1:
		entry.msg_off = some_offset(chance);
		break;
	case 2:
		entry.caps_off = some_offset(chance);
		break;
	case 3:
		entry.flags ^= (uint8_t)(1u << chance_below(chance, 8));
		break;
	case 4:
		entry.target = chance_below(chance, 300);
		break;
	case 5:
		((uint8_t *)&entry)[chance_below(chance, 64)] ^= (uint8_t)chance_next(chance);
		break;
	case 6:
		for (uint32_t i = 0; i < 64; i++)
			((uint8_t *)&entry)[i] = (uint8_t)(chance_next(chance) >> 56);
		break;
	}
	/* Nothing may make it sleep for good, nor take what it lives on. */
	entry.flags &= (uint8_t)~ENTRY_SYNC;
	entry.user_data = 0;
	if (entry.op == CAP_OP_RELEASE) {
		for (uint32_t i = 0; i < held_count; i++) {
			if (entry.target == held[i].id)
				entry.target = 0;
		}
	}
	return entry;
}

static void put(struct ring_entry entry)
{
	ring_self()->entries[header()->sq_tail % 64] = entry;
	STORE_RELEASE(&header()->sq_tail, header()->sq_tail + 1);
}

/* Reads what has completed; answers how much of it had worked. */
static uint32_t read_completions(void)
{
	uint32_t good = 0;

	for (; header()->cq_head != header()->cq_tail; header()->cq_head++) {
		const struct ring_completion *completion =
				&ring_self()->completions[header()->cq_head % 128];

		good += completion->status == STATUS_OK;
		if (completion->status == STATUS_OK && completion->id > 64)
			learned[learned_count++ % LEARNED] = completion->id;
	}
	return good;
}

/* Half sense, half nonsense. Answers how much of it worked. */
int evil_entries(const char *seed)
{
	struct chance chance = begin(seed);
	uint32_t sent = 0, good = 0;

	while (sent < ENTRIES_EACH) {
		uint32_t batch = 1 + chance_below(&chance, 32);

		for (uint32_t i = 0; i < batch; i++)
			put(some_entry(&chance));
		sent += batch;
		if (chance_below(&chance, 4))
			good += read_completions();
		(void)cap_enter(0, chance_below(&chance, 3), 1);
		if (chance_below(&chance, 4) == 0) {
			good += read_completions();
			for (uint16_t question = 0; question < 64; question++) {
				if (question == 32)
					(void)cap_enter(0, 0, 0);
				put((struct ring_entry){
						.op = CAP_OP_CANCEL, .question = question });
			}
			(void)cap_enter(0, 0, 0);
			good += read_completions();
		}
		if (chance_below(&chance, 64) == 0)
			header()->sq_tail = header()->sq_head;
	}
	process_exit(good);
}

/* Writes over header and queues. Answers in how many rounds entries were taken nevertheless; may
 * sleep for good. */
int evil_header(const char *seed)
{
	struct chance chance = begin(seed);
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)header();
	const uint32_t mine = offsetof(struct ring_header, sq_tail) / 8;
	const uint32_t kernels = offsetof(struct ring_header, sq_head) / 8;
	uint32_t taken = 0;

	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t writes = 1 + chance_below(&chance, 20);
		uint32_t sq_head = (uint32_t)words[kernels]; /* as the kernel has left them */
		uint64_t cq_tail = words[kernels] >> 32;

		for (uint32_t i = 0; i < writes; i++) {
			uint32_t end = chance_below(&chance, 2) ? 64 : 1088;

			words[chance_below(&chance, end)] = chance_below(&chance, 3)
					? chance_next(&chance)
					: 0;
		}
		/* Mostly indices that let entries be taken: all completions read, a tail beyond the queue. */
		if (chance_below(&chance, 4))
			words[mine] = cq_tail << 32 |
					(uint32_t)(sq_head + 1 + chance_below(&chance, 1000));
		(void)cap_enter(0, 0, 0);
		taken += (uint32_t)words[kernels] != sq_head;
	}
	process_exit(taken);
}

/* Every id but its own is refused by every operation. Answers how many were not. */
int evil_ids(const char *seed)
{
	struct chance chance = begin(seed);
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t id = i < 4096 ? i : (uint32_t)chance_next(&chance);
		struct ring_entry entry = entry_of(
				(uint8_t)(i % 2 ? CAP_OP_COPY : CAP_OP_RELEASE), id);
		bool own = false;

		for (uint32_t n = 0; n < held_count; n++)
			own = own || held[n].id == id;
		if (!own && perform(entry).status != STATUS_BAD_CAPABILITY)
			wrong++;
	}
	return (int)wrong;
}

/* Answers calls that it never received, at an endpoint of its own and through what it has of
 * another. */
int evil_returns(const char *seed)
{
	struct chance chance = begin(seed);
	uint32_t answered = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		struct ring_entry entry = entry_return(held[i % held_count].id,
				i < 8192 ? i : (uint32_t)chance_next(&chance));

		answered += perform(entry).status == STATUS_OK;
	}
	return (int)answered;
}

/* Messages that look like messages, to whatever it holds. Answers how many were taken. */
int evil_messages(const char *seed)
{
	struct chance chance = begin(seed);
	int good = 0;

	for (uint32_t i = 0; i < 6000; i++) {
		const struct held *target = &held[chance_below(&chance, held_count)];
		uint16_t question = (uint16_t)(Q0 + i % SEATS);
		struct ring_entry entry = entry_call(target->id, question);

		entry.interface = target->interface;
		/* Not the two methods of SystemInfo that are for tests. */
		entry.method = (uint16_t)chance_below(
				&chance, target->interface == SYSTEM_INFO_INTERFACE_ID ? 3 : 7);
		entry.msg_off = world.message_off;
		entry.msg_words = fill_message(&chance, message());
		entry.reply_words = (uint16_t)(chance_below(&chance, 8) ? 80
									: chance_below(&chance, 8));
		for (uint32_t cap = chance_below(&chance, 4); cap > 0; cap--)
			send_cap(&entry, TRANSFER_KIND_COPY,
					held[chance_below(&chance, held_count)].id);
		start(entry);
		if (!is_done(question)) {
			(void)perform(entry_cancel(question));
			(void)finish(question);
		}
		good += finish(question).status == STATUS_OK;
		/* What it was given it drops, so that its ledger lasts. */
		for (uint32_t cap = 0; cap < finish(question).cap_count; cap++)
			(void)release(seat_records(question, false)[cap].id);
	}
	return good;
}

/* Makes builders until the ledger is empty, then children of its own kind, down to nothing. */
int evil_storm(const char *depth)
{
	const struct launch_limit limits[] = { { RESOURCE_CLASS_FRAMES, 600 },
		{ RESOURCE_CLASS_SLOTS, 300 }, { RESOURCE_CLASS_OBJECTS, 100 },
		{ RESOURCE_CLASS_EXPORTS, 0 }, { RESOURCE_CLASS_CALLS, 0 },
		{ RESOURCE_CLASS_TIMERS, 0 }, { RESOURCE_CLASS_THREADS, 2 } };
	static struct process_builder_ref builders[200];
	uint64_t left = number_of(depth);
	char next[2] = { (char)('0' + left - 1), 0 };
	struct child_spec spec = { .role = left > 1 ? "storm" : "end",
		.arg = next,
		.limits = limits,
		.limit_count = left > 1 ? 0 : ARRAY_LEN(limits),
		.grants = { { "spawner", grant_id("spawner") }, { "factory", grant_id("factory") },
				{ "package", grant_id("package") }, { "memory", 0 } } };
	uint32_t made = 0;

	while (made < ARRAY_LEN(builders)) {
		struct process_spawner_create_params_builder params;
		struct process_spawner_create_call call = process_spawner_create_begin(
				world.spawner, &params);
		status_t status;

		process_spawner_create_params_set_name(params, capnp_text("storm"));
		process_spawner_create_send(&call);
		status = process_spawner_create_wait(&call);
		if (status == STATUS_OK)
			status = process_spawner_create_take_builder(&call, &builders[made]);
		process_spawner_create_done(&call);
		if (status != STATUS_OK)
			break;
		made++;
	}
	for (uint32_t i = 0; i < made; i += 2)
		client_release(builders[i].ref);
	for (uint32_t i = 0; i < 12; i++) {
		struct process_handle_ref process = { 0 };

		if (child_try(&spec, &process) == STATUS_OK && i % 3 == 0)
			(void)process_handle_kill(process, 1);
	}
	return 0; /* the other builders and all handles go with it */
}

/* Takes its own memory away under its feet. */
int evil_unmap(const char *what)
{
	uint64_t ring = header()->address, address = 0;
	struct memory_object_ref object;

	switch (*what) {
	case 'r': /* the ring, then more of it */
		(void)!virtual_memory_unmap(world.memory, ring, 32768);
		(void)cap_enter(0, 0, 0);
		header()->sq_tail++;
		break;
	case 'p':
		(void)!virtual_memory_protect(world.memory, ring, 32768, ACCESS_READ_EXECUTE);
		(void)!virtual_memory_protect(world.memory, ring, 4096, ACCESS_NONE);
		(void)cap_enter(0, 0, 0);
		header()->sq_tail++;
		break;
	case 'a': /* everything */
		(void)!virtual_memory_unmap(world.memory, 4096, 0x7fffffff0000);
		for (uint64_t at = 1ull << 46; at >= 1 << 20; at >>= 1)
			(void)!virtual_memory_unmap(world.memory, at, at);
		break;
	case 'o': /* something else where the ring was */
		if (object_factory_memory(world.factory, 32768, &object) != STATUS_OK)
			return 1;
		(void)!virtual_memory_unmap(world.memory, ring, 32768);
		(void)!virtual_memory_map(world.memory, memory_object_as_memory_view(object), 0,
				32768, ring, ACCESS_READ_WRITE, &address);
		(void)cap_enter(0, 0, 0);
		header()->sq_tail = 99;
		(void)cap_enter(0, 0, 0);
		break;
	case 's': /* the stack */
		(void)!virtual_memory_unmap(world.memory,
				ALIGN_DOWN((uint64_t)(uintptr_t)&address, 4096) - 65536, 131072);
		break;
	}
	return 0;
}

/* Calls for ever with capabilities, to be ended at any point. */
int evil_caller(const char *arg)
{
	uint32_t own = copy_of(grant_id("gift"));

	for (;;) {
		struct ring_entry entry = entry_call(grant_id("service"), Q0);
		struct ring_completion answer;

		entry.msg_off = world.message_off;
		entry.msg_words = 8;
		send_cap(&entry, TRANSFER_KIND_MOVE, own);
		answer = perform_sync(entry);
		own = seat_records(Q0, false)[0].id;
		if (answer.status != STATUS_OK || answer.cap_count != 1)
			own = copy_of(grant_id("gift"));
	}
}

/* Answers each call with what it brought. */
int evil_echo(const char *arg)
{
	uint32_t endpoint = grant_id("endpoint");
	struct ring_completion call = perform_sync(entry_recv(endpoint, Q0));

	for (;;) {
		struct ring_entry entry = entry_return_rearm(endpoint, call.id, Q0);

		for (uint32_t i = 0; i < call.cap_count; i++)
			send_cap(&entry, TRANSFER_KIND_MOVE, seat_records(Q0, true)[i].id);
		call = perform_sync(entry);
		if (call.status != STATUS_OK)
			call = perform_sync(entry_recv(endpoint, Q0));
	}
}

int evil_end(const char *arg)
{
	return (int)number_of(arg);
}
