/*
 * Kernel objects from a program's side: memory, address spaces, time, randomness, the boot package,
 * ports and interrupts, each with its good case and its refusals. The ledger is not
 * compared before and after: page tables that a test makes stay.
 */
#include <string.h>

#include "capos/clock.capnp.h"
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "tests/guest/tests.h"

#define PAGE              4096ul
#define MILLISECOND       1000000ul

#define check(good, what) ((void)tap_check((good), __FILE__, __LINE__, (what)))

/* The call was refused with this status for this reason. */
static void check_refused(status_t status, status_t expected, enum reason reason, const char *what)
{
	uint64_t detail = rt_detail();

	if (!tap_check(status == expected && (detail & 0xff) == reason, __FILE__, __LINE__, what))
		tap_note("status %d, reason %u", status, (unsigned int)(detail & 0xff));
}

static void test_address_space(void)
{
	struct virtual_memory_ref memory = world.memory;
	uint64_t address = 0;
	uint64_t reserved;
	uint64_t committed;
	uint64_t mapped;
	uint64_t committed_before;
	uint8_t *bytes;
	status_t status;

	check(virtual_memory_info(memory, &reserved, &committed_before, &mapped) == STATUS_OK,
			"the address space tells its pages");
	status = virtual_memory_reserve(memory, 1ul << 33, 0, &address);
	check(status == STATUS_OK && address != 0, "8 GiB can be reserved");
	status = virtual_memory_commit(memory, address + 64 * PAGE, 16 * PAGE, ACCESS_READ_WRITE);
	check(status == STATUS_OK, "a part can be committed");
	bytes = (uint8_t *)(address + 64 * PAGE);
	check(bytes[0] == 0 && bytes[16 * PAGE - 1] == 0, "committed memory is zero");
	memset(bytes, 0x5a, 16 * PAGE);
	check(bytes[8 * PAGE] == 0x5a, "committed memory can be written");
	status = virtual_memory_protect(memory, address + 66 * PAGE, PAGE, ACCESS_READ);
	check(status == STATUS_OK && bytes[2 * PAGE] == 0x5a, "a page can be made read-only");
	status = virtual_memory_unmap(memory, address + 64 * PAGE, PAGE);
	check(status == STATUS_OK && bytes[PAGE] == 0x5a, "the first page can be unmapped");
	check_refused(virtual_memory_commit(memory, address + 65 * PAGE, PAGE, ACCESS_READ),
			STATUS_INVALID_ARGUMENT, REASON_OVERLAP, "committing twice is refused");
	check_refused(virtual_memory_commit(memory, address, 4097 * PAGE, ACCESS_READ),
			STATUS_INVALID_ARGUMENT, REASON_ARGUMENT,
			"committing too much at once is refused");
	check_refused(virtual_memory_reserve(memory, PAGE, address, &address),
			STATUS_INVALID_ARGUMENT, REASON_OVERLAP, "reserving twice is refused");
	check_refused(virtual_memory_unmap(memory, address + 1, PAGE), STATUS_INVALID_ARGUMENT,
			REASON_ARGUMENT, "addresses must be those of pages");
	check_refused(virtual_memory_reserve(memory, PAGE, 0xffff800000000000ul, &reserved),
			STATUS_INVALID_ARGUMENT, REASON_ARGUMENT, "the kernel's half is refused");
	check(virtual_memory_unmap(memory, address, 1ul << 33) == STATUS_OK,
			"all of it can be unmapped");
	status = virtual_memory_info(memory, &reserved, &committed, &mapped);
	check(status == STATUS_OK && committed == committed_before, "the pages are given back");
}

static void test_memory_object(void)
{
	struct virtual_memory_ref memory = world.memory;
	struct object_factory_ref factory = world.factory;
	struct memory_object_ref object = { 0 };
	struct memory_view_ref view = { 0 };
	struct memory_object_read_call read;
	struct capnp_data data;
	uint64_t one = 0;
	uint64_t other = 0;
	uint64_t bytes = 0;
	uint32_t id = 0;

	check_refused(object_factory_memory(factory, 0, &object), STATUS_INVALID_ARGUMENT,
			REASON_ARGUMENT, "an empty memory object is refused");
	check(object_factory_memory(factory, 3 * PAGE + 5, &object) == STATUS_OK, "memory is made");
	check(memory_view_info(memory_object_as_memory_view(object), &bytes) == STATUS_OK &&
					bytes == 3 * PAGE + 5,
			"it has the size asked for");
	check(memory_object_write(object, PAGE - 2, capnp_data_of("capOS", 5)) == STATUS_OK,
			"it can be written across pages");
	read = memory_object_read_start(object, PAGE - 2, 5);
	check(memory_object_read_wait(&read) == STATUS_OK, "it can be read");
	data = memory_object_read_results_get_bytes(memory_object_read_results(&read));
	check(data.count == 5 && memcmp(data.bytes, "capOS", 5) == 0, "what was written is read");
	memory_object_read_done(&read);
	check_refused(memory_object_write(object, 3 * PAGE + 4, capnp_data_of("ab", 2)),
			STATUS_INVALID_ARGUMENT, REASON_ARGUMENT,
			"writing beyond the end is refused");
	check(rt_narrow(rt_id(object.ref), MEMORY_VIEW_INTERFACE_ID, &id) == STATUS_OK,
			"it narrows to a view");
	view.ref = rt_ref(id);
	check_refused(virtual_memory_map(memory, view, 0, PAGE, 0, ACCESS_READ_WRITE, &one),
			STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE,
			"a view cannot be mapped for writing");
	check(virtual_memory_map(memory, view, 0, 4 * PAGE, 0, ACCESS_READ, &one) == STATUS_OK,
			"a view can be mapped for reading");
	check(memcmp((void *)(one + PAGE - 2), "capOS", 5) == 0, "the mapping shows the contents");
	check_refused(virtual_memory_protect(memory, one, PAGE, ACCESS_READ_WRITE),
			STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE,
			"a view's mapping cannot be made writable");
	check(virtual_memory_map(memory, memory_object_as_memory_view(object), PAGE, PAGE, 0,
			      ACCESS_READ_WRITE, &other) == STATUS_OK,
			"the object can be mapped for writing");
	*(volatile char *)(other + 3) = '!';
	check(memcmp((void *)(one + PAGE - 2), "capOS!", 6) == 0, "two mappings show one memory");
	client_release(object.ref);
	client_release(view.ref);
	check(virtual_memory_unmap(memory, other, PAGE) == STATUS_OK &&
					memcmp((void *)(one + PAGE - 2), "capOS!", 6) == 0,
			"a mapping keeps its memory");
	check(virtual_memory_unmap(memory, one, 4 * PAGE) == STATUS_OK, "the last mapping ends");
	check(virtual_memory_map(memory, (struct memory_view_ref){ factory.ref }, 0, PAGE, 0,
			      ACCESS_READ, &one) == STATUS_INVALID_ARGUMENT,
			"what is no memory cannot be mapped");
}

static void test_timer(void)
{
	struct timer_ref timer = world.timer;
	uint64_t before = 0;
	uint64_t after = 0;
	struct timer_sleep_call sleeps[8];
	bool good = true;

	check(timer_now(timer, &before) == STATUS_OK && before > 0, "there is a time");
	check(timer_sleep(timer, 20 * MILLISECOND) == STATUS_OK, "sleeping returns");
	check(timer_now(timer, &after) == STATUS_OK && after - before >= 20 * MILLISECOND,
			"and not too early");
	check(timer_sleep_until(timer, before) == STATUS_OK,
			"a deadline in the past returns at once");
	check(timer_sleep(timer, 0) == STATUS_OK, "so does no time at all");
	for (uint32_t i = 0; i < 8; i++)
		sleeps[i] = timer_sleep_start(timer, (8 - i) * 3 * MILLISECOND);
	for (uint32_t i = 0; i < 8; i++) {
		good = good && timer_sleep_wait(&sleeps[i]) == STATUS_OK;
		timer_sleep_done(&sleeps[i]);
	}
	check(good, "eight sleeps at once all end");
	sleeps[0] = timer_sleep_start(timer, UINT64_MAX);
	client_cancel(&sleeps[0].call);
	check(timer_sleep_wait(&sleeps[0]) == STATUS_CANCELLED,
			"a sleep for ever can be cancelled");
	timer_sleep_done(&sleeps[0]);
}

/* One page for everybody: whoever could write it would set the clock of all. */
static void test_clock_page(void)
{
	struct virtual_memory_ref memory = world.memory;
	struct memory_view_ref view = { rt_ref(0) };
	struct memory_object_ref clone = { rt_ref(0) };
	const struct clock_page *page;
	uint64_t one = 0, two = 0;
	bool sealed = false;
	uint32_t wide = 0;

	check(timer_clock_page(world.timer, &view) == STATUS_OK, "a timer gives its clock page");
	check(memory_view_is_sealed(view, &sealed) == STATUS_OK && sealed, "nobody can write it");
	check(virtual_memory_map(memory, view, 0, PAGE, 0, ACCESS_READ_WRITE, &one) != STATUS_OK,
			"it cannot be mapped for writing");
	check(rt_narrow(rt_id(view.ref), MEMORY_OBJECT_INTERFACE_ID, &wide) != STATUS_OK, "it is a view and no object");
	check(virtual_memory_map(memory, view, 0, PAGE, 0, ACCESS_READ, &one) == STATUS_OK, "it can be mapped");
	page = (const struct clock_page *)(uintptr_t)one;
	check(page->layout == CLOCK_LAYOUT && page->ns_per_tick != 0, "it says how the counter is read");
	check(virtual_memory_protect(memory, one, PAGE, ACCESS_READ_WRITE) != STATUS_OK, "and stays read only");
	check(memory_view_clone(view, &clone) == STATUS_OK &&
			memory_object_write(clone, 0, capnp_data_of((const uint8_t[8]){ 9 }, 8)) == STATUS_OK &&
			page->layout == CLOCK_LAYOUT, "a copy of it is another page");
	rt_release(rt_id(view.ref));
	rt_release(rt_id(clone.ref));
	check(timer_clock_page(world.timer, &view) == STATUS_OK &&
			virtual_memory_map(memory, view, 0, PAGE, 0, ACCESS_READ, &two) == STATUS_OK &&
			memcmp((const void *)(uintptr_t)two, page, sizeof(*page)) == 0, "it is the same page again");
	rt_release(rt_id(view.ref));
	check(virtual_memory_unmap(memory, one, PAGE) == STATUS_OK &&
			virtual_memory_unmap(memory, two, PAGE) == STATUS_OK, "its mappings end");
}

static void test_entropy(void)
{
	struct entropy_source_ref entropy = RT_GRANT(entropy_source, "entropy");
	struct entropy_source_fill_call one = entropy_source_fill_start(entropy, 1024);
	struct entropy_source_fill_call other = entropy_source_fill_start(entropy, 1024);
	struct entropy_source_fill_call more;
	struct capnp_data a;
	struct capnp_data b;

	check(entropy_source_fill_wait(&one) == STATUS_OK &&
					entropy_source_fill_wait(&other) == STATUS_OK,
			"random bytes are given");
	a = entropy_source_fill_results_get_bytes(entropy_source_fill_results(&one));
	b = entropy_source_fill_results_get_bytes(entropy_source_fill_results(&other));
	check(a.count == 1024 && b.count == 1024 && memcmp(a.bytes, b.bytes, 1024) != 0,
			"twice they are not the same");
	entropy_source_fill_done(&one);
	entropy_source_fill_done(&other);
	more = entropy_source_fill_start(entropy, 1025);
	check(entropy_source_fill_wait(&more) == STATUS_INVALID_ARGUMENT,
			"more than 1024 are refused");
	entropy_source_fill_done(&more);
}

static void test_package(void)
{
	struct virtual_memory_ref memory = world.memory;
	struct boot_package_ref package = world.package;
	struct boot_package_list_call list = boot_package_list_start(package, 0);
	struct boot_package_list_call past;
	struct memory_view_ref file = { 0 };
	struct memory_object_ref copy = { 0 };
	struct capnp_list files;
	bool found = false;
	uint64_t bytes = 0;
	uint64_t address = 0;
	uint32_t total = 0;
	char name[256] = { 0 };
	uint64_t pages;

	check(boot_package_list_wait(&list) == STATUS_OK, "the package's files are listed");
	files = boot_package_list_results_get_files(boot_package_list_results(&list));
	total = boot_package_list_results_get_total(boot_package_list_results(&list));
	check(files.count > 0 && total >= files.count, "there are some");
	for (uint32_t i = 0; i < files.count; i++) {
		struct capnp_text text = boot_file_get_name(boot_file_at(files, i));

		found = found || capnp_text_equals(text, "bin/init");
		memcpy(name, text.chars, text.bytes + 1);
	}
	check(found, "init is among them");
	boot_package_list_done(&list);
	past = boot_package_list_start(package, total);
	check(boot_package_list_wait(&past) == STATUS_OK &&
					boot_package_list_results_get_files(
							boot_package_list_results(&past))
									.count == 0,
			"after the last there is none");
	boot_package_list_done(&past);
	pages = free_pages();
	check(boot_package_open(package, capnp_text("bin/init"), &found, &file, &bytes) ==
							STATUS_OK &&
					found && bytes > 4,
			"init can be opened");
	check(bytes % PAGE == 0 && bytes / PAGE > 16 && pages - free_pages() < 16, "a program is given out where it is");
	check(virtual_memory_map(memory, file, 0, PAGE, 0, ACCESS_READ, &address) == STATUS_OK &&
					memcmp((void *)address,
							"\x7f"
							"ELF",
							4) == 0,
			"its bytes are there");
	(void)!virtual_memory_unmap(memory, address, PAGE);
	check(virtual_memory_map(memory, file, 0, PAGE, 0, ACCESS_READ_WRITE, &address) ==
					STATUS_INVALID_ARGUMENT,
			"a file is read-only");
	check(memory_view_clone(file, &copy) == STATUS_OK &&
					virtual_memory_map(memory, memory_object_as_memory_view(copy), 0, PAGE, 0,
							ACCESS_READ_WRITE, &address) == STATUS_OK &&
					memcmp((void *)address, "\x7f" "ELF", 4) == 0,
			"a clone of it can be written");
	*(volatile uint8_t *)address = 0;
	(void)!virtual_memory_unmap(memory, address, PAGE);
	client_release(copy.ref);
	client_release(file.ref);
	file.ref = rt_ref(0);
	check(boot_package_open(package, capnp_text("no such file"), &found, &file, &bytes) ==
							STATUS_OK &&
					!found,
			"a name that is not there is not found");
}

static void test_info(void)
{
	struct system_info_ref info = world.info;
	struct system_info_describe_call describe = system_info_describe_start(info);
	uint64_t total = 0;
	uint64_t unused = 0;
	uint64_t switches;
	uint64_t slabs[2];
	uint64_t fired;
	uint64_t calls[2] = { 0 };
	uint32_t page = 0;

	check(system_info_describe_wait(&describe) == STATUS_OK &&
					capnp_text_equals(
							system_info_describe_results_get_name(
									system_info_describe_results(
											&describe)),
							"capOS"),
			"the system has a name");
	system_info_describe_done(&describe);
	check(system_info_memory(info, &total, &unused, &page) == STATUS_OK && page == PAGE &&
					unused > 0 && unused < total,
			"memory is told");
	(void)!system_info_counters(info, &switches, &slabs[0], &fired, &calls[0], NULL);
	(void)!system_info_counters(info, &switches, &slabs[1], &fired, &calls[1], NULL);
	check(calls[1] == calls[0] + 1, "calls are counted");
	check(slabs[1] == slabs[0], "a call allocates nothing");
}

static void test_ports(void)
{
	struct io_ports_ref ports = RT_GRANT(io_ports, "ports");
	struct io_ports_ref narrow = { 0 };
	struct io_ports_ref none = { 0 };
	uint8_t value = 0;

	check(io_ports_range(ports, 0x2f8, 8, &narrow) == STATUS_OK, "a range of ports is made");
	check(io_ports_write(narrow, 7, 0xa5) == STATUS_OK &&
					io_ports_read(narrow, 7, &value) == STATUS_OK &&
					value == 0xa5,
			"the second serial line's scratch register keeps a byte");
	check_refused(io_ports_read(narrow, 8, &value), STATUS_INVALID_ARGUMENT, REASON_ARGUMENT,
			"a port beyond the range is refused");
	check_refused(io_ports_range(narrow, 4, 5, &none), STATUS_INVALID_ARGUMENT, REASON_ARGUMENT,
			"a range cannot grow");
	check_refused(io_ports_range(ports, 0x3f8, 8, &none), STATUS_INVALID_ARGUMENT,
			REASON_OVERLAP, "the kernel's serial line is refused");
	check_refused(io_ports_write(ports, 0x20, 0), STATUS_INVALID_ARGUMENT, REASON_OVERLAP,
			"the kernel's interrupt controller is refused");
	client_release(narrow.ref);
}

/* Bits of a notification bound to the line, whose interrupt is off and acknowledged. */
static void bind_interrupt(struct interrupt_ref line, struct io_ports_ref uart)
{
	uint32_t notification = notification_new();
	struct signal_ref signal = { rt_ref(notification) };
	struct ring_entry wait = entry_of(CAP_OP_WAIT, notification);
	struct binding_ref bindings[2];
	uint64_t fired = 0;
	uint8_t value;
	bool active = false;

	(void)!io_ports_read(uart, 2, &value);
	(void)!interrupt_acknowledge(line);
	wait.interface = UINT64_MAX;
	wait.question = Q0;
	check(signal_bind_interrupt(signal, 1, line, &bindings[0]) == STATUS_OK, "bits are bound to a line");
	for (uint32_t i = 0; i < 2; i++) {
		(void)!io_ports_write(uart, 1, 0x02);
		check(perform_sync(wait).detail == 1, "it sets them each time");
		if (i == 0) {
			(void)!io_ports_read(uart, 2, &value);
			(void)!io_ports_write(uart, 1, 0);
			check(interrupt_acknowledge(line) == STATUS_OK, "and is acknowledged as ever");
		}
	}
	check(signal_bind_interrupt(signal, 2, line, &bindings[1]) == STATUS_OK &&
					perform_sync(wait).detail == 2,
			"a line that has fired sets bound bits at once");
	(void)!io_ports_write(uart, 1, 0);
	check(binding_info(bindings[0], &active, &fired) == STATUS_OK && active && fired == 2,
			"the binding tells how often");
	client_release(bindings[0].ref);
	client_release(bindings[1].ref);
	check(release(notification) == STATUS_OK, "the notification is dropped");
}

/* The second serial line's transmitter-empty interrupt: line 3. */
static void test_interrupts(void)
{
	struct io_ports_ref ports = RT_GRANT(io_ports, "ports");
	struct interrupt_controller_ref interrupts = RT_GRANT(interrupt_controller, "interrupts");
	struct interrupt_ref line = { 0 };
	struct interrupt_ref again = { 0 };
	struct io_ports_ref uart = { 0 };
	struct interrupt_wait_call wait;
	uint64_t fired = 0;
	uint8_t value;

	check_refused(interrupt_controller_line(interrupts, 0, &line), STATUS_INVALID_ARGUMENT,
			REASON_ARGUMENT, "the kernel's own line is refused");
	check_refused(interrupt_controller_line(interrupts, 1000, &line), STATUS_INVALID_ARGUMENT,
			REASON_ARGUMENT, "a line that is not there is refused");
	check(interrupt_controller_line(interrupts, 3, &line) == STATUS_OK, "a line is given");
	check_refused(interrupt_controller_line(interrupts, 3, &again), STATUS_FAILED, REASON_STATE,
			"and to one owner only");
	wait = interrupt_wait_start(line);
	client_cancel(&wait.call);
	check(interrupt_wait_wait(&wait) == STATUS_CANCELLED, "waiting can be cancelled");
	interrupt_wait_done(&wait);
	check(io_ports_range(ports, 0x2f8, 8, &uart) == STATUS_OK,
			"the serial line's ports are given");
	check(io_ports_write(uart, 4, 0x08) == STATUS_OK &&
					io_ports_write(uart, 1, 0x02) == STATUS_OK,
			"its interrupt is enabled");
	check(interrupt_wait(line, &fired) == STATUS_OK && fired == 1, "it arrives");
	check(interrupt_wait(line, &fired) == STATUS_OK && fired == 1,
			"and stays until acknowledged");
	(void)!io_ports_read(uart, 2, &value);
	(void)!io_ports_write(uart, 1, 0);
	check(interrupt_acknowledge(line) == STATUS_OK, "it is acknowledged");
	wait = interrupt_wait_start(line);
	(void)!io_ports_write(uart, 1, 0x02);
	check(interrupt_wait_wait(&wait) == STATUS_OK, "it arrives again");
	interrupt_wait_done(&wait);
	(void)!io_ports_write(uart, 1, 0);
	wait = interrupt_wait_start(line);
	interrupt_wait_done(&wait);
	bind_interrupt(line, uart);
	client_release(line.ref);
	check(interrupt_controller_line(interrupts, 3, &again) == STATUS_OK,
			"a line that was given back is given again");
	client_release(again.ref);
	client_release(uart.ref);
}

static void test_console(void)
{
	char text[1024];

	memset(text, 'x', sizeof(text));
	check(console_write(world.console, capnp_text_of(text, 961)) == STATUS_INVALID_ARGUMENT,
			"961 bytes are refused");
	memset(text, '\n', sizeof(text));
	check(console_write(world.console, capnp_text_of(text, 65)) == STATUS_INVALID_ARGUMENT,
			"65 lines are refused");
	check(console_write(world.console, capnp_text("one\x1b[2J\nERROR: two")) == STATUS_OK,
			"lines are printed, each with the name");
}

/* --- Every allocation may fail ------------------------------------------------------------------ */

static status_t attempt_memory(void)
{
	struct memory_object_ref object = { 0 };
	status_t status = object_factory_memory(world.factory, 5 * PAGE, &object);

	client_release(object.ref);
	return status;
}

static status_t attempt_notification(void)
{
	struct notification_ref notification = { 0 };
	status_t status = object_factory_notification(world.factory, &notification);

	client_release(notification.ref);
	return status;
}

static status_t attempt_binding(void)
{
	struct notification_ref notification = { 0 };
	struct binding_ref binding = { 0 };
	status_t status = object_factory_notification(world.factory, &notification);

	if (status == STATUS_OK)
		status = signal_bind_timer(notification_as_signal(notification), 1, world.timer, UINT64_MAX, 0, &binding);
	client_release(binding.ref);
	client_release(notification.ref);
	return status;
}

static status_t attempt_endpoint(void)
{
	struct endpoint_ref endpoint = { 0 };
	status_t status = object_factory_endpoint(world.factory, 16, 1, 3, &endpoint);

	client_release(endpoint.ref);
	return status;
}

static status_t attempt_file(void)
{
	struct memory_view_ref file = { 0 };
	bool found;
	uint64_t bytes;
	status_t status = boot_package_open(
			world.package, capnp_text("bin/init"), &found, &file, &bytes);

	client_release(file.ref);
	return status;
}

static status_t attempt_ports(void)
{
	struct io_ports_ref range = { 0 };
	status_t status = io_ports_range(RT_GRANT(io_ports, "ports"), 0x2f8, 8, &range);

	client_release(range.ref);
	return status;
}

static status_t attempt_line(void)
{
	struct interrupt_ref line = { 0 };
	status_t status = interrupt_controller_line(
			RT_GRANT(interrupt_controller, "interrupts"), 3, &line);

	client_release(line.ref);
	return status;
}

static status_t attempt_commit(void)
{
	uint64_t address = 0;
	status_t status = virtual_memory_reserve(world.memory, 8 * PAGE, 0, &address);

	if (status != STATUS_OK)
		return status;
	status = virtual_memory_commit(world.memory, address + PAGE, 5 * PAGE, ACCESS_READ);
	/* Undoing must not need anything. */
	check(virtual_memory_unmap(world.memory, address, 8 * PAGE) == STATUS_OK,
			"unmapping succeeds");
	return status;
}

/* The first, second, ... allocation fails until the attempt needs no more; each refusal changes nothing. */
static void fail_each_allocation(status_t (*attempt)(void))
{
	struct usage usage_before;
	bool waiting = false;

	check(attempt() == STATUS_OK, "the attempt succeeds");
	usage_before = usage_self();
	for (uint64_t n = 1; n < 1000 && !waiting; n++) {
		status_t status;

		REQUIRE_OK(system_info_fail_allocation(world.info, n, NULL));
		status = attempt();
		REQUIRE_OK(system_info_fail_allocation(world.info, 0, &waiting));
		check(status == (waiting ? STATUS_OK : STATUS_OVERLOADED),
				"a failed allocation is refused");
		check(usage_settles(&usage_before), "nothing is left behind");
		kernel_check();
	}
	check(waiting, "the attempt ends");
}

static void test_allocations(void)
{
	static status_t (*const attempts[])(void) = {
		attempt_memory,
		attempt_notification,
		attempt_binding,
		attempt_endpoint,
		attempt_file,
		attempt_ports,
		attempt_line,
		attempt_commit,
	};

	/* Only debug builds let allocations fail. */
	if (system_info_fail_allocation(world.info, 0, NULL) == STATUS_UNIMPLEMENTED)
		return;
	for (uint32_t i = 0; i < ARRAY_LEN(attempts); i++)
		fail_each_allocation(attempts[i]);
}

static const struct test tests[] = {
	{ "an address space reserves, commits, protects and unmaps", test_address_space },
	{ "memory objects are read, written, narrowed and mapped", test_memory_object },
	{ "a timer tells the time and ends sleeps", test_timer },
	{ "a clock page is one page that nobody writes", test_clock_page },
	{ "random bytes differ", test_entropy },
	{ "the boot package lists and opens files", test_package },
	{ "the system tells about itself", test_info },
	{ "ports are narrowed, and the kernel's are refused", test_ports },
	{ "an interrupt line has one owner and waits for its acknowledgement", test_interrupts },
	{ "each allocation of an object may fail and nothing is left behind", test_allocations },
	{ "the console prints lines that cannot be mistaken", test_console },
};

TEST_LIST(object_tests, tests);
