/*
 * The roles that children of the guest tests play. A role's result is the child's exit status: 0 if
 * all went as it should, else the number of the step that did not.
 *
 * Roles that spoil their ring leave with process_exit, without the runtime's last look at it.
 */
#include "tests/guest/tests.h"

#include <string.h>

#include "abi/syscall.h"
#include "rt/capability.h"
#include "rt/program.h"

#define STEP(number, condition)               \
	do {                                  \
		if (!(condition))             \
			process_exit(number); \
	} while (0)

static int end(const char *arg)
{
	return (int)number_of(arg);
}

/* --- Queues ----------------------------------------------------------------------------------- */

static struct ring_header *header(void)
{
	return ring_self()->header;
}

static void raw_put(struct ring_entry entry)
{
	ring_self()->entries[header()->sq_tail % header()->sq_entries] = entry;
	STORE_RELEASE(&header()->sq_tail, header()->sq_tail + 1);
}

static uint32_t unread(void)
{
	return header()->cq_tail - header()->cq_head;
}

static int credits(const char *arg)
{
	const struct ring_entry nop = { .op = CAP_OP_NOP };
	uint32_t head;

	for (uint32_t i = 0; i < header()->cq_entries; i++) {
		raw_put(nop);
		STEP(1, cap_enter(0, 0, 0) == i + 1);
	}
	head = header()->sq_head;
	for (uint32_t i = 0; i < 10; i++)
		raw_put(nop);
	STEP(2, cap_enter(0, 0, 0) == header()->cq_entries);
	STEP(3, header()->sq_head == head && unread() == header()->cq_entries);
	header()->cq_head += 4;
	STEP(4, cap_enter(0, 0, 0) == header()->cq_entries);
	STEP(5, header()->sq_head == head + 4);
	/* A SYNC entry behind entries without credit is not reached, wherever it stands. */
	*ring_entry_sync(ring_self(), CAP_OP_NOP) = (struct ring_entry){ .op = CAP_OP_NOP, .flags = ENTRY_SYNC, .user_data = 76 };
	STEP(10, cap_enter(ENTER_SYNC, 0, 0) == STATUS_NO_CREDIT && header()->reply_user_data != 76);
	raw_put((struct ring_entry){ .op = CAP_OP_NOP, .flags = ENTRY_SYNC, .user_data = 77 });
	STEP(6, cap_enter(0, 0, 0) == header()->cq_entries);
	STEP(7, header()->reply_user_data != 77);
	header()->cq_head = header()->cq_tail;
	STEP(8, cap_enter(0, 0, 0) == STATUS_OK);
	STEP(9,
			header()->reply_user_data == 77 && header()->sq_head == header()->sq_tail &&
					unread() == 6);
	process_exit(0);
}

static int bad_tail(const char *arg)
{
	static const uint32_t wrong[] = { 1000, 65, 0x80000000, 0xffffffff };

	for (uint32_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint32_t head = header()->sq_head;

		header()->cq_head = header()->cq_tail;
		header()->sq_tail = head + wrong[i];
		memset(ring_self()->entries, 0, header()->sq_entries * sizeof(struct ring_entry));
		STEP(1, cap_enter(0, 0, 0) == header()->sq_entries);
		STEP(2, header()->clamped == i + 1);
		STEP(3, header()->sq_head == head + header()->sq_entries);
		header()->sq_tail = header()->sq_head;
	}
	header()->cq_head = header()->cq_tail;
	raw_put((struct ring_entry){ .op = CAP_OP_NOP });
	STEP(4, cap_enter(0, 0, 0) == 1);
	process_exit(0);
}

static int bad_head(const char *arg)
{
	static const uint32_t wrong[] = { 1, 1000, 0x80000000, 0xffffffff };
	uint32_t clamped;

	for (uint32_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint32_t good;

		raw_put((struct ring_entry){ .op = CAP_OP_NOP });
		(void)cap_enter(0, 0, 0);
		good = header()->cq_tail;
		header()->cq_head = good;
		STEP(1, cap_enter(0, 0, 0) == 0);
		clamped = header()->clamped;
		header()->cq_head = good + wrong[i];
		STEP(2, cap_enter(0, 0, 0) == 0);
		STEP(3, header()->clamped > clamped);
		header()->cq_head = good;
	}
	process_exit(0);
}

static int64_t system_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
			 : "0"(number)
			 : "rcx", "r8", "r9", "r10", "r11", "memory");
	return result;
}

/* The entry in the header: alone, again as it was left, behind the queue's, and where it may not
 * be taken. */
static int header_entry(const char *arg)
{
	struct ring_entry *entry = ring_entry_sync(ring_self(), CAP_OP_NOP);
	uint32_t head = header()->sq_head;

	entry->user_data = 7;
	STEP(1, cap_enter(ENTER_SYNC, 0, 0) == STATUS_OK && header()->reply_user_data == 7);
	header()->reply_user_data = 0;
	STEP(2, cap_enter(ENTER_SYNC, 0, 0) == STATUS_OK && header()->reply_user_data == 7);
	STEP(3, header()->sq_head == head && unread() == 0);
	raw_put((struct ring_entry){ .op = CAP_OP_NOP });
	entry->user_data = 8;
	STEP(4, cap_enter(ENTER_SYNC, 0, 0) == STATUS_OK && header()->reply_user_data == 8);
	STEP(5, header()->sq_head == head + 1 && unread() == 1);
	/* With the one in the header none of the queue's is the last. */
	raw_put((struct ring_entry){ .op = CAP_OP_NOP, .flags = ENTRY_SYNC });
	STEP(6, cap_enter(ENTER_SYNC, 0, 0) == STATUS_OK && unread() == 2);
	header()->reply_user_data = 0;
	STEP(7, cap_enter(ENTER_SYNC, 1, 0) == STATUS_BAD_ENTRY);
	STEP(8, cap_enter(ENTER_SYNC, 0, 1) == STATUS_BAD_ENTRY);
	entry->flags = 0;
	STEP(9, cap_enter(ENTER_SYNC, 0, 0) == STATUS_BAD_ENTRY);
	STEP(10, header()->reply_user_data == 0 && unread() == 2);
	entry->flags = ENTRY_SYNC;
	entry->op = 200;
	STEP(11, cap_enter(ENTER_SYNC, 0, 0) == STATUS_UNIMPLEMENTED);
	entry->op = CAP_OP_NOP;
	entry->question = 1;
	STEP(12, cap_enter(ENTER_SYNC, 0, 0) == STATUS_BAD_ENTRY);
	process_exit(0);
}

static int enter_arguments(const char *arg)
{
	STEP(1, cap_enter(2, 0, 0) == STATUS_BAD_ENTRY);
	STEP(2, cap_enter(1ull << 63, 0, 0) == STATUS_BAD_ENTRY);
	STEP(3, cap_enter(0, header()->cq_entries + 1, 0) == STATUS_BAD_ENTRY);
	STEP(4, cap_enter(0, UINT64_MAX, 0) == STATUS_BAD_ENTRY);
	STEP(5, cap_enter(0, 1ull << 32, 1) == STATUS_BAD_ENTRY);
	STEP(6, system_call(2, 0, 0, 0) == STATUS_UNIMPLEMENTED);
	STEP(7, system_call(UINT64_MAX, 0, 0, 0) == STATUS_UNIMPLEMENTED);
	STEP(8, system_call(1ull << 32, 0, 0, 0) == STATUS_UNIMPLEMENTED);
	STEP(9, cap_enter(0, 0, 0) == 0);
	return 0;
}

static int deadline(const char *arg)
{
	uint64_t started = now_ns();

	STEP(1, started != 0);
	STEP(2, cap_enter(0, 1, 1) == STATUS_DEADLINE_EXCEEDED);
	STEP(3, cap_enter(0, 1, started + 3000000) == STATUS_DEADLINE_EXCEEDED);
	STEP(4, now_ns() >= started + 3000000);
	ring_put(ring_self(), &(struct ring_entry){ .op = CAP_OP_NOP });
	STEP(5, cap_enter(0, 1, 1) == 1);
	STEP(6, cap_enter(0, 2, 1) == STATUS_DEADLINE_EXCEEDED);
	process_exit(0);
}

/* What is kept is kept, and nothing else has an address of the kernel in it. */
static int registers(const char *arg)
{
	uint64_t scratch[9], kept[2];
	register uint64_t *scratch_at __asm__("r15") = scratch;

	__asm__ volatile(
			"push %%rbp\n\t"
			"mov $0x1111, %%ebx; mov $0x2222, %%ebp; mov $0x3333, %%r12d\n\t"
			"mov $0x4444, %%r13d; mov $0x5555, %%r14d\n\t"
			"xor %%eax, %%eax; xor %%edi, %%edi; xor %%esi, %%esi; xor %%edx, %%edx\n\t"
			"syscall\n\t"
			"mov %%rdi, 0(%0); mov %%rsi, 8(%0); mov %%rdx, 16(%0)\n\t"
			"mov %%r8, 24(%0); mov %%r9, 32(%0); mov %%r10, 40(%0)\n\t"
			"mov %%r12, 48(%0); mov %%r13, 56(%0); mov %%r14, 64(%0)\n\t"
			"mov %%rbp, %%rax; pop %%rbp"
			: "+r"(scratch_at), "=&a"(kept[1]), "=&b"(kept[0])
			:
			: "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			"memory");
	STEP(1, kept[0] == 0x1111 && kept[1] == 0x2222);
	STEP(2, scratch[6] == 0x3333 && scratch[7] == 0x4444 && scratch[8] == 0x5555);
	for (int i = 0; i < 6; i++)
		STEP(3 + i, scratch[i] >> 47 == 0);
	return 0;
}

/* --- Clients ---------------------------------------------------------------------------------- */

/* Calls "service" arg times and ends; the first failure ends it with that status (positive), and
 * a revoked or restarted service with 100 and the kernel's reason. */
static int calls(const char *arg)
{
	uint64_t count = number_of(arg);

	for (uint64_t i = 0; count == 0 || i < count; i++) {
		struct ring_completion reply = perform_sync(entry_call(grant_id("service"), Q0));

		if (reply.status != STATUS_OK)
			return (int)(100 + reason_of(reply.detail));
	}
	return 0;
}

/* Receives at "endpoint" once; ends with 100 and the kernel's reason when that is refused. */
static int receive(const char *arg)
{
	struct ring_completion reply = perform_sync(entry_recv(grant_id("endpoint"), Q0));

	return reply.status == STATUS_DISCONNECTED ? (int)(100 + reason_of(reply.detail)) : reply.status;
}

/* Has arg calls to "service" under way at once, for ever. */
static int flood(const char *arg)
{
	uint16_t count = (uint16_t)number_of(arg);

	for (uint16_t i = 0; i < count; i++)
		start(entry_call(grant_id("service"), (uint16_t)(Q0 + i)));
	for (;;) {
		(void)ring_turn(ring_self(), 0);
		for (uint16_t i = 0; i < count; i++) {
			if (is_done((uint16_t)(Q0 + i)))
				start(entry_call(grant_id("service"), (uint16_t)(Q0 + i)));
		}
	}
}

/* Sends a copy of "service" to "sink", then calls "service" as `calls` does. */
static int pass_on(const char *arg)
{
	struct ring_entry entry = entry_call(grant_id("sink"), Q0);

	send_cap(&entry, TRANSFER_KIND_COPY, grant_id("service"));
	if (perform_sync(entry).status != STATUS_OK)
		return 1;
	return calls("0");
}

/* Sends "service" to "sink"; ends with 100 and the kernel's reason when that is refused. */
static int give(const char *arg)
{
	struct ring_entry entry = entry_call(grant_id("sink"), Q0);
	struct ring_completion reply;

	send_cap(&entry, TRANSFER_KIND_COPY, grant_id("service"));
	reply = perform_sync(entry);
	return reply.status == STATUS_OK ? 0 : (int)(100 + reason_of(reply.detail));
}

/* Receives one capability at "endpoint", answers, and calls it until it is refused. */
static int receiver_of_one(const char *arg)
{
	uint32_t endpoint = grant_id("endpoint"), id;
	status_t returned;

	if (perform_sync(entry_recv(endpoint, Q0)).status != STATUS_OK)
		return 1;
	id = seat_records(Q0, true)[0].id;
	/* Who sent it may be gone by now. */
	returned = perform(entry_return(endpoint, ring_reply(ring_self())->id)).status;
	if (returned != STATUS_OK && returned != STATUS_GONE)
		return 2;
	for (;;) {
		struct ring_completion reply = perform_sync(entry_call(id, Q0));

		if (reply.status != STATUS_OK)
			return (int)(100 + reason_of(reply.detail));
	}
}

/* Waits for the end of what "service" leads to. */
static int await_death(const char *arg)
{
	struct ring_entry entry = entry_of(CAP_OP_WAIT, grant_id("service"));

	entry.flags = ENTRY_DEATH;
	entry.question = Q0;
	if (*arg && perform_sync(entry_call(grant_id("service"), Q0)).status != STATUS_OK)
		return 1;
	return perform_sync(entry).status == STATUS_OK ? 0 : 2;
}

/* Takes bits of "notification" in one wait, says "done" for each, and answers how often it was, from 100 on, once that is over. */
static int multishot(const char *arg)
{
	struct ring_operation operation = { 0 };
	struct ring_entry *entry = ring_entry(ring_self(), CAP_OP_WAIT, &operation), signal;
	int count = 0;

	entry->target = grant_id("notification");
	entry->interface = 1;
	entry->flags = ENTRY_MULTISHOT;
	entry->question = Q0;
	ring_push(ring_self());
	signal = entry_of(CAP_OP_SIGNAL, grant_id("done"));
	signal.interface = 1;
	for (;;) {
		ring_wait(ring_self(), &operation);
		operation.done = false;
		if (!(operation.completion.flags & COMPLETION_MORE))
			break;
		count++;
		(void)perform_sync(signal);
	}
	if (operation.completion.status != STATUS_DISCONNECTED ||
			reason_of(operation.completion.detail) != REASON_REVOKED)
		return 1;
	return 100 + count;
}

/* Binds bit 0 of "signal" to the end of "service" and bit 1 to each millisecond, says "ready" and waits for ever. */
static int bind_and_wait(const char *arg)
{
	struct signal_ref target = { rt_ref(grant_id("signal")) };
	struct timer_ref timer = { rt_ref(grant_id("timer")) };
	struct ring_entry signal = entry_of(CAP_OP_SIGNAL, grant_id("ready"));
	struct binding_ref end, tick;

	signal.interface = 1;
	if (signal_bind_end(target, 1, rt_ref(grant_id("service")), &end) != STATUS_OK ||
			signal_bind_timer(target, 2, timer, 1, 1000000, &tick) != STATUS_OK ||
			perform_sync(signal).status != STATUS_OK)
		return 1;
	for (;;)
		sleep_ns(1000000000ull);
}

/* Moves a capability to "service" in a call that is never received, and waits. */
static int send_and_hang(const char *arg)
{
	struct ring_entry entry = entry_call(grant_id("service"), Q0);

	send_cap(&entry, TRANSFER_KIND_MOVE, grant_id("gift"));
	return perform_sync(entry).status == STATUS_OK ? 0 : 1;
}

/* Calls "service" and gives what that will answer to two calls more, of which it sleeps for one. */
static int stall_and_hang(const char *arg)
{
	struct ring_entry base = entry_call(grant_id("service"), Q0);
	struct ring_entry entry = entry_call(grant_id("service"), Q0 + 1);

	base.flags = ENTRY_KEEP;
	start(base);
	send_cap(&entry, TRANSFER_KIND_ANSWER, Q0);
	descriptors()[0].path_len = 1;
	start(entry);
	entry.question = Q0 + 2;
	entry.reply_off = seat_off(Q0 + 2);
	return perform_sync(entry).status == STATUS_OK ? 0 : 1;
}

/* Gives what "base" will answer to "service", which is then called plainly as well: not before the other call. */
static int stall_and_follow(const char *arg)
{
	struct ring_entry base = entry_call(grant_id("base"), Q0);
	struct ring_entry entry = entry_call(grant_id("service"), Q0 + 1);
	struct ring_entry plain = entry_call(grant_id("service"), Q0 + 2);

	plain.msg_off = world.message_off;
	plain.msg_words = 1;
	plain.reply_caps = 0;
	STEP(1, perform_sync(plain).status == STATUS_OK);
	base.flags = ENTRY_KEEP;
	start(base);
	send_cap(&entry, TRANSFER_KIND_ANSWER, Q0);
	descriptors()[0].path_len = 1;
	start(entry);
	STEP(2, !is_done(Q0 + 1));
	STEP(3, perform_sync(plain).status == STATUS_OK);
	STEP(4, is_done(Q0 + 1));
	process_exit(0);
}

/* Sleeps twice for the same bit. */
static int wait_twice(const char *arg)
{
	struct ring_entry wait = { .op = CAP_OP_WAIT,
		.target = grant_id("notification"),
		.interface = 1,
		.question = Q0 };

	for (uint32_t i = 0; i < 2; i++) {
		if (perform_sync(wait).status != STATUS_OK)
			return 1;
	}
	return 0;
}

/* Asks a timer at "promise" for the time, without room for capabilities in the answer. */
static int ask_at_a_promise(const char *arg)
{
	struct ring_entry entry = entry_call(grant_id("promise"), Q0);

	entry.interface = TIMER_INTERFACE_ID;
	entry.method = TIMER_METHOD_NOW;
	entry.reply_caps = 0;
	return perform_sync(entry).status == STATUS_OK ? 0 : 1;
}

/* --- Servers ---------------------------------------------------------------------------------- */

/* Serves "endpoint" for ever: each call is answered at once with its own words. */
static int echo(const char *arg)
{
	uint32_t endpoint = grant_id("endpoint");
	struct ring_completion reply = perform_sync(entry_recv(endpoint, Q0));

	while (reply.status == STATUS_OK) {
		struct ring_entry entry = entry_return_rearm(endpoint, reply.id, Q0);

		entry.msg_off = reply.msg_words ? seat_off(Q0) + 8 + RECORDS_WORDS : 0;
		entry.msg_words = (uint16_t)reply.msg_words;
		reply = perform_sync(entry);
	}
	return (int)(100 + reason_of(reply.detail));
}

/* Receives arg calls and ends without an answer; "let-go" gives the receive side back before. */
static int take_calls(uint64_t count, bool let_go)
{
	uint32_t endpoint = grant_id("endpoint");

	for (uint64_t i = 0; i < count; i++) {
		if (perform_sync(entry_recv(endpoint, Q0)).status != STATUS_OK)
			return 1;
	}
	if (let_go && release(endpoint) != STATUS_OK)
		return 2;
	process_exit(0);
}

static int take_and_end(const char *arg)
{
	return take_calls(number_of(arg), false);
}

/* Receives at the endpoint, and its own waiting call is all that still holds the export. */
static int hold_by_a_call_and_end(const char *arg)
{
	struct ring_entry carrier = entry_call(grant_id("other"), Q0);

	start(entry_recv(grant_id("endpoint"), Q0 + 1));
	send_cap(&carrier, TRANSFER_KIND_COPY, grant_id("export"));
	start(carrier);
	STEP(1, release(grant_id("export")) == STATUS_OK);
	STEP(2, !is_done(Q0) && !is_done(Q0 + 1));
	return 0;
}

static int take_let_go_and_end(const char *arg)
{
	return take_calls(number_of(arg), true);
}

/* Receives for ever and never answers. */
static int take_and_hang(const char *arg)
{
	for (;;)
		(void)perform_sync(entry_recv(grant_id("endpoint"), Q0));
}

static int arm_and_hang(const char *arg)
{
	for (uint16_t i = 0; i < 3; i++)
		start(entry_recv(grant_id("endpoint"), (uint16_t)(Q0 + i)));
	for (;;)
		(void)cap_enter(0, 128, 0);
}

/* Answers a call by calling "service", whose server waits for this very answer. */
static int call_back(const char *arg)
{
	uint32_t endpoint = grant_id("endpoint");
	struct ring_completion reply = perform_sync(entry_recv(endpoint, Q0));
	status_t status = perform_sync(entry_call(grant_id("service"), Q0 + 1)).status;

	(void)perform(entry_return(endpoint, reply.id));
	return status == STATUS_WOULD_DEADLOCK ? 0 : 1;
}

/* --- Others ----------------------------------------------------------------------------------- */

static int spin(const char *arg)
{
	for (;;)
		(void)perform(entry_of(CAP_OP_YIELD, 0));
}

/* Never enters the kernel. */
static int busy(const char *arg)
{
	for (;;)
		__asm__ volatile("");
}

static int hang(const char *arg)
{
	for (;;)
		(void)cap_enter(0, 1, 0);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static status_t map_first_page(uint32_t object, enum access access, uint64_t *address)
{
	return virtual_memory_map(world.memory, (struct memory_view_ref){ rt_ref(object) }, 0, 4096,
			0, access, address);
}

static status_t map_granted(enum access access, uint64_t *address)
{
	return map_first_page(grant_id("object"), access, address);
}

/* Counts in the first word for as long as it is let. */
static NORETURN void scribble_at(uint64_t address)
{
	for (;;) {
		++*(volatile uint64_t *)(uintptr_t)address;
		(void)perform(entry_of(CAP_OP_YIELD, 0));
	}
}

/* Maps what it was given and writes to it. 'k': keeps the capability; 'r': releases it; 'c': maps three
 * pages and makes three pieces of them. */
static int scribble(const char *arg)
{
	struct memory_view_ref object = { rt_ref(grant_id("object")) };
	uint64_t address = 0, pages = *arg == 'c' ? 3 : 1;

	STEP(1, virtual_memory_map(world.memory, object, 0, pages * 4096, 0, ACCESS_READ_WRITE,
				       &address) == STATUS_OK);
	if (*arg == 'r')
		STEP(2, release(grant_id("object")) == STATUS_OK);
	if (*arg == 'c')
		STEP(3, virtual_memory_protect(world.memory, address + 4096, 4096, ACCESS_READ) ==
						STATUS_OK);
	scribble_at(address);
}

/* Gives what it was given to a service. */
static int hand_on(const char *arg)
{
	struct ring_entry entry = entry_call(grant_id("sink"), Q0);

	send_cap(&entry, TRANSFER_KIND_COPY, grant_id("object"));
	return perform(entry).status;
}

static int scribble_received(const char *arg)
{
	struct ring_completion received = perform(entry_recv(grant_id("endpoint"), Q0));
	uint64_t address = 0;

	STEP(1, received.status == STATUS_OK && received.cap_count == 1);
	STEP(2, map_first_page(seat_records(Q0, true)[0].id, ACCESS_READ_WRITE, &address) ==
					STATUS_OK);
	STEP(3, perform(entry_return(grant_id("endpoint"), received.id)).status == STATUS_OK);
	scribble_at(address);
}

/* Tries each way to write to an object that is sealed. */
static int write_sealed(const char *arg)
{
	struct memory_object_ref object = { rt_ref(grant_id("object")) };
	uint64_t address = 0;

	STEP(1, map_granted(ACCESS_READ_WRITE, &address) == STATUS_INVALID_ARGUMENT);
	STEP(2, reason_of(rt_detail()) == REASON_SEALED);
	STEP(3, map_granted(ACCESS_READ, &address) == STATUS_OK);
	STEP(4,
			virtual_memory_protect(world.memory, address, 4096, ACCESS_READ_WRITE) ==
					STATUS_INVALID_ARGUMENT);
	STEP(5, reason_of(rt_detail()) == REASON_SEALED);
	STEP(6,
			memory_object_write(object, 0,
					(struct capnp_data){ (const uint8_t *)"no", 2 }) ==
					STATUS_INVALID_ARGUMENT);
	return 0;
}

/* Reads the first word of each of four pages, which is what their pager made it, and writes it. */
static int touch(const char *arg)
{
	struct memory_view_ref object = { rt_ref(grant_id("object")) };
	uint64_t address = 0;

	STEP(2, virtual_memory_map(world.memory, object, 0, 4 * 4096, 0, ACCESS_READ_WRITE,
				       &address) == STATUS_OK);
	for (uint64_t i = 0; i < 4; i++) {
		volatile uint64_t *word = (uint64_t *)(uintptr_t)(address + i * 4096);

		STEP(1, *word == 1000 + i);
		*word = 0;
	}
	return 0;
}

/* Takes one page's name from a pager and never supplies it. */
static int next_and_end(const char *arg)
{
	uint64_t page;

	STEP(1, pager_next((struct pager_ref){ rt_ref(grant_id("pager")) }, &page) == STATUS_OK);
	return 0;
}

static int crash(const char *arg)
{
	switch (*arg) {
	case 'w':
		*(volatile uint64_t *)0x10 = 1;
		break;
	case 'x':
		((void (*)(void))(uintptr_t)ring_self()->words)();
		break;
	case 't':
		*(volatile uint8_t *)(uintptr_t)crash = 0x90; /* text */
		break;
	case 'd':
		__asm__ volatile("xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx");
		break;
	case 'u':
		__asm__ volatile("ud2");
		break;
	case 'b':
		__asm__ volatile("int3");
		break;
	case 'p':
		__asm__ volatile("hlt");
		break;
	}
	return 0;
}

/* Uses up one class of its ledger; ends with the class that was named. */
static int exhaust(const char *arg)
{
	struct ring_completion last = { .status = STATUS_OK };
	status_t status = STATUS_OK;
	uint64_t address = 0, detail = 0;
	uint32_t endpoint = 0, id;

	if (*arg == 'e')
		endpoint = endpoint_new();
	if (*arg == 'f')
		(void)!virtual_memory_reserve(world.memory, 1 << 30, 0, &address);
	for (uint32_t i = 0; i < 5000 && status == STATUS_OK; i++) {
		switch (*arg) {
		case 'f':
			status = virtual_memory_commit(world.memory, address + i * 4096ul, 4096,
					ACCESS_READ_WRITE);
			detail = rt_detail();
			break;
		case 's':
			last = perform(entry_of(CAP_OP_COPY, rt_id(world.timer.ref)));
			status = last.status;
			detail = last.detail;
			break;
		case 'o':
			status = notification_new() ? STATUS_OK : STATUS_OVERLOADED;
			detail = rt_detail();
			break;
		case 'e':
			status = export_status(endpoint, i, false, &id);
			detail = rt_detail();
			break;
		case 'c':
			status = endpoint_sized(4, 0, 16) ? STATUS_OK : STATUS_OVERLOADED;
			detail = rt_detail();
			break;
		case 't': {
			struct ring_entry entry = entry_call(
					rt_id(world.timer.ref), (uint16_t)(Q0 + i % SEATS));

			if (i == SEATS)
				return 97;
			entry.interface = TIMER_INTERFACE_ID;
			entry.method = TIMER_METHOD_SLEEP;
			entry.reply_caps = 0;
			entry.msg_off = world.message_off;
			entry.msg_words = 2;
			message()[0] = 1ull << 32; /* a struct of one word */
			message()[1] = 1000000000000;
			start(entry);
			if (is_done(entry.question)) {
				status = finish(entry.question).status;
				detail = finish(entry.question).detail;
			}
			break;
		}
		default:
			return 99;
		}
	}
	if (status != STATUS_OVERLOADED || reason_of(detail) != REASON_LEDGER)
		return 98;
	return (int)class_of(detail);
}

/* arg times: makes objects until it is refused, and tells "service" how many it were. */
static int grow(const char *arg)
{
	for (uint64_t turns = number_of(arg); turns > 0; turns--) {
		struct ring_entry entry = entry_call(grant_id("service"), Q0);
		uint64_t made = 0;

		while (notification_new())
			made++;
		STEP(1, reason_of(rt_detail()) == REASON_LEDGER);
		entry.msg_off = world.message_off;
		entry.msg_words = 2;
		message()[0] = 1ull << 32; /* a struct of one word */
		message()[1] = made;
		STEP(2, perform_sync(entry).status == STATUS_OK);
	}
	return 0;
}

#define LINKS         40u
#define LINK_QUESTION 20u

/* Endpoints of which each is held by nothing but a call that waits at the one before; "next" is
 * the last. */
static int chain(const char *arg)
{
	static struct ring_operation links[LINKS];
	uint32_t target = grant_id("head");
	struct ring_entry signal = entry_of(CAP_OP_SIGNAL, grant_id("done"));

	for (uint32_t i = 0; i < LINKS; i++) {
		bool last = i + 1 == LINKS;
		uint32_t next = last ? grant_id("next")
				     : endpoint_sized(MESSAGE_WORDS, MESSAGE_CAPS, 1);
		uint32_t next_target = last ? 0 : export_new(next, 1, false);
		struct ring_entry call = { .op = CAP_OP_CALL,
			.target = target,
			.interface = TEST_INTERFACE,
			.question = (uint16_t)(LINK_QUESTION + i) };
		struct ring_entry *place;

		send_cap(&call, TRANSFER_KIND_COPY, next);
		place = ring_entry(ring_self(), CAP_OP_CALL, &links[i]);
		call.user_data = place->user_data;
		*place = call;
		ring_push(ring_self());
		STEP(1, release(next) == STATUS_OK && release(target) == STATUS_OK);
		target = next_target;
	}
	signal.interface = 1;
	STEP(2, perform(signal).status == STATUS_OK);
	for (uint32_t i = 0; i < LINKS; i++) {
		ring_wait(ring_self(), &links[i]);
		STEP(3, links[i].completion.status == STATUS_DISCONNECTED);
	}
	return 0;
}

const struct role peer_roles[] = {
	{ "end", end },
	{ "credits", credits },
	{ "bad-tail", bad_tail },
	{ "bad-head", bad_head },
	{ "enter-arguments", enter_arguments },
	{ "header-entry", header_entry },
	{ "deadline", deadline },
	{ "registers", registers },
	{ "calls", calls },
	{ "flood", flood },
	{ "receive", receive },
	{ "give", give },
	{ "pass-on", pass_on },
	{ "receiver-of-one", receiver_of_one },
	{ "await-death", await_death },
	{ "multishot", multishot },
	{ "bind-and-wait", bind_and_wait },
	{ "send-and-hang", send_and_hang },
	{ "stall-and-hang", stall_and_hang },
	{ "stall-and-follow", stall_and_follow },
	{ "wait-twice", wait_twice },
	{ "ask-at-a-promise", ask_at_a_promise },
	{ "echo", echo },
	{ "take-and-end", take_and_end },
	{ "take-let-go-and-end", take_let_go_and_end },
	{ "hold-by-a-call-and-end", hold_by_a_call_and_end },
	{ "take-and-hang", take_and_hang },
	{ "arm-and-hang", arm_and_hang },
	{ "call-back", call_back },
	{ "spin", spin },
	{ "busy", busy },
	{ "hang", hang },
	{ "scribble", scribble },
	{ "write-sealed", write_sealed },
	{ "hand-on", hand_on },
	{ "touch", touch },
	{ "next-and-end", next_and_end },
	{ "scribble-received", scribble_received },
	{ "crash", crash },
	{ "trace", trace_role },
	{ "threads", threads_role },
	{ "thread-control", thread_control_role },
	{ "event", event_role },
	{ "park", park_role },
	{ "serve-full", register_serve_role },
	{ "spin-full", register_spin_role },
	{ "budget-work", budget_work_role },
	{ "budget-call", budget_call_role },
	{ "policy-again", policy_again_role },
	{ "poll-flood", poll_flood_role },
	{ "poll-spoil", poll_spoil_role },
	{ "exhaust", exhaust },
	{ "grow", grow },
	{ "chain", chain },
};
const uint32_t peer_role_count = ARRAY_LEN(peer_roles);
