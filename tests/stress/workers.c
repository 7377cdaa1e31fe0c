/*
 * What workers do. Each turn is short and looks at stage.stop; what a turn finds wrong is counted, since a worker
 * has no line of its own to tell on.
 */
#include "rt/capability.h"
#include "rt/park.h"
#include "rt/program.h"
#include "rt/self.h"
#include "tests/stress/stress.h"

#define PAGE        4096ull
#define MILLISECOND 1000000ull
#define CALL_WORDS  4u

struct stage stage = { .lock = MUTEX_INIT, .turned = CONDITION_INIT };

static void done(enum kind kind)
{
	__atomic_add_fetch(&stage.done[kind], 1, __ATOMIC_RELAXED);
}

static void expect(bool right)
{
	if (!right)
		__atomic_add_fetch(&stage.wrong, 1, __ATOMIC_RELAXED);
}

/* By a reference of this thread's own. */
static uint64_t time_ns(void)
{
	uint64_t now = 0;

	expect(timer_now(RT_GRANT(timer, "timer"), &now) == STATUS_OK);
	return now;
}

static void parks_turn(struct worker *worker)
{
	uint32_t *word = &stage.words[chance_below(&worker->chance, ARRAY_LEN(stage.words))];
	uint32_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	status_t status;

	if (chance_below(&worker->chance, 3) == 0) {
		__atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
		unpark(word, 1 + chance_below(&worker->chance, 3));
	} else {
		status = park(word, seen, time_ns() + chance_below(&worker->chance, 2) * MILLISECOND);
		expect(status == STATUS_OK || status == STATUS_DEADLINE_EXCEEDED);
	}
	done(KIND_PARKS);
}

/* A SYNC entry, filled in the header. */
static struct ring_entry *entry_begin(uint8_t op, uint32_t target, uint16_t question)
{
	struct ring_entry *entry = ring_entry_sync(ring_self(), op);

	entry->target = target;
	entry->question = question;
	return entry;
}

/* One call, whose server may be killed while it serves: then the deadline ends it. */
static void calls_turn(struct worker *worker)
{
	struct ring *ring = ring_self();
	uint16_t question = ring_question_take(ring);
	uint32_t off = 0;
	uint64_t word = chance_next(&worker->chance), deadline_ns = time_ns() + 20 * MILLISECOND;
	struct ring_entry *entry;
	status_t status;

	expect(ring_span_take(ring, 2 * CALL_WORDS, &off));
	ring_words_at(ring, off)[0] = word;
	entry = entry_begin(CAP_OP_CALL, stage.export, question);
	entry->interface = TEST_INTERFACE;
	entry->msg_off = off;
	entry->msg_words = 1;
	entry->reply_off = off + CALL_WORDS;
	entry->reply_words = 1;
	entry->deadline_ns = deadline_ns;
	if (chance_below(&worker->chance, 2))
		entry->flags |= ENTRY_FAIL_FAST;
	status = ring_enter_sync(ring);
	if (status == STATUS_OK) {
		expect(ring_words_at(ring, off + CALL_WORDS)[0] == ~word);
		done(KIND_CALLS);
	}
	ring_span_give(ring, off, 2 * CALL_WORDS);
	ring_question_give(ring, question);
}

/* Receives one call or event and answers it with its word, inverted. */
static void serves_turn(struct worker *worker)
{
	struct ring *ring = ring_self();
	uint16_t question = ring_question_take(ring);
	const uint32_t words = 8 + RECORDS_WORDS + MESSAGE_WORDS;
	uint32_t off = 0, id;
	struct ring_entry *entry;
	uint64_t *message_in;

	expect(ring_span_take(ring, words, &off));
	entry = entry_begin(CAP_OP_RECV, stage.endpoint, question);
	entry->reply_off = off;
	entry->reply_words = MESSAGE_WORDS;
	entry->reply_caps = MESSAGE_CAPS;
	if (ring_enter_sync(ring) == STATUS_OK) {
		id = ring_reply(ring)->id;
		message_in = ring_words_at(ring, off + 8 + RECORDS_WORDS);
		message_in[0] = ~message_in[0];
		if (chance_below(&worker->chance, 4) == 0)
			rt_yield();
		entry = ring_entry(ring, CAP_OP_RETURN, NULL);
		entry->flags = ENTRY_QUIET;
		entry->target = stage.endpoint;
		entry->interface = id;
		entry->msg_off = off + 8 + RECORDS_WORDS;
		entry->msg_words = 1;
		ring_push(ring);
		ring_submit(ring);
		ring_reap(ring);
		done(KIND_SERVES);
	}
	ring_span_give(ring, off, words);
	ring_question_give(ring, question);
}

static void touch(uint64_t address, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)(address + i * PAGE);

		expect(*word == 0);
		*word = address + i;
		expect(*word == address + i);
	}
}

/* Its own memory: made, touched for the first time, closed, opened, given back; and a window on a shared object. */
static void maps_turn(struct worker *worker)
{
	struct virtual_memory_ref memory = RT_GRANT(virtual_memory, "memory");
	struct memory_view_ref object = { rt_ref(stage.object) };
	uint64_t pages = 1 + chance_below(&worker->chance, 8), own = worker->range;
	uint64_t window = worker->range + RANGE_BYTES / 2;

	expect(virtual_memory_reserve(memory, pages * PAGE, own, &own) == STATUS_OK);
	expect(virtual_memory_commit(memory, own, pages * PAGE, ACCESS_READ_WRITE) == STATUS_OK);
	touch(own, pages);
	expect(virtual_memory_protect(memory, own, PAGE, ACCESS_READ) == STATUS_OK);
	expect(virtual_memory_protect(memory, own, PAGE, ACCESS_READ_WRITE) == STATUS_OK);
	*(volatile uint64_t *)(uintptr_t)own = 1;
	expect(virtual_memory_map(memory, object, 0, PAGE, window, ACCESS_READ_WRITE, &window) == STATUS_OK);
	__atomic_add_fetch((uint64_t *)(uintptr_t)window, 1, __ATOMIC_RELAXED);
	expect(virtual_memory_unmap(memory, window, PAGE) == STATUS_OK);
	expect(virtual_memory_unmap(memory, own, pages * PAGE) == STATUS_OK);
	done(KIND_MAPS);
}

static void yields_turn(struct worker *worker)
{
	uint64_t mine = chance_next(&worker->chance), seen;

	/* Vector registers and FS base survive being preempted; a yield keeps the FS base. */
	__asm__ volatile("wrfsbase %0" : : "r"(mine & 0x7ffffffff000ull));
	for (uint32_t i = 0; i < 2000; i++)
		__asm__ volatile("pause");
	rt_yield();
	__asm__ volatile("rdfsbase %0" : "=r"(seen));
	expect(seen == (mine & 0x7ffffffff000ull));
	done(KIND_YIELDS);
}

static void locks_turn(struct worker *worker)
{
	mutex_lock(&stage.lock);
	expect(stage.pair[0] == stage.pair[1]);
	stage.pair[0]++;
	if (chance_below(&worker->chance, 16) == 0)
		rt_yield();
	stage.pair[1]++;
	if (chance_below(&worker->chance, 8) == 0)
		(void)condition_wait_until(&stage.turned, &stage.lock, time_ns() + MILLISECOND);
	mutex_unlock(&stage.lock);
	condition_signal(&stage.turned);
	done(KIND_LOCKS);
}

int64_t worker_run(void *argument)
{
	static void (*const turns[KINDS])(struct worker *worker) = {
		[KIND_PARKS] = parks_turn,
		[KIND_CALLS] = calls_turn,
		[KIND_SERVES] = serves_turn,
		[KIND_MAPS] = maps_turn,
		[KIND_YIELDS] = yields_turn,
		[KIND_LOCKS] = locks_turn,
	};
	struct worker *worker = argument;

	while (!__atomic_load_n(&stage.stop, __ATOMIC_ACQUIRE))
		turns[worker->kind](worker);
	return 0;
}
