/*
 * Tests of the 16550 driver's device part against a model of the chip.
 *
 * The model is behind a transport that carries one IoPorts call at a time, so the driver runs as it
 * is. It has both FIFOs of 16 bytes, the two interrupts that the driver uses and their identification;
 * what is sent leaves the FIFO when the test says so.
 */
#include "drivers/serial/uart16550/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/serial/uart16550/regs.h"

/* --- The chip ------------------------------------------------------------------------------------ */

static struct {
	uint8_t registers[8];
	uint8_t received[64]; /* FIFO, then what waits on the line */
	uint32_t received_count;
	uint8_t sending[UART_FIFO_BYTES];
	uint32_t sending_count;
	uint8_t line[8192]; /* what has been sent */
	uint32_t line_count;
	bool sent_pending; /* the "transmitter empty" interrupt */
	bool late;         /* the FIFO runs empty just before the next identification */
	bool absent;
	uint32_t lost; /* bytes written to a full FIFO */
} chip;

static uint8_t chip_status(void)
{
	return (uint8_t)((chip.received_count > 0 ? LSR_RECEIVED : 0) |
			(chip.sending_count == 0 ? LSR_SENDABLE : 0));
}

static bool chip_interrupts(void)
{
	uint8_t enabled = chip.registers[UART_IER];

	return ((enabled & IER_RECEIVED) != 0 && chip.received_count > 0) ||
			((enabled & IER_SENT) != 0 && chip.sent_pending);
}

/* The FIFO goes out on the line. */
static void chip_transmit(void)
{
	memcpy(chip.line + chip.line_count, chip.sending, chip.sending_count);
	chip.line_count += chip.sending_count;
	chip.sending_count = 0;
	chip.sent_pending = true;
}

/* Reading the identification clears the transmitter's interrupt if that is what is reported. */
static uint8_t chip_identify(void)
{
	uint8_t enabled = chip.registers[UART_IER];

	if (chip.late) {
		chip.late = false;
		chip_transmit();
	}
	if ((enabled & IER_RECEIVED) != 0 && chip.received_count > 0)
		return IIR_FIFOS | 0x04;
	if ((enabled & IER_SENT) != 0 && chip.sent_pending) {
		chip.sent_pending = false;
		return IIR_FIFOS | 0x02;
	}
	return IIR_FIFOS | IIR_NONE;
}

static uint8_t chip_read(uint16_t offset)
{
	uint8_t byte;

	if (chip.absent)
		return 0xff;
	if (offset == UART_IIR)
		return chip_identify();
	if (offset == UART_LSR)
		return chip_status();
	if (offset != UART_DATA || chip.received_count == 0)
		return chip.registers[offset & 7];
	byte = chip.received[0];
	memmove(chip.received, chip.received + 1, --chip.received_count);
	return byte;
}

static void chip_write(uint16_t offset, uint8_t value)
{
	uint8_t rising = (uint8_t)(value & ~chip.registers[UART_IER]);

	if (offset == UART_DATA && (chip.registers[UART_LCR] & LCR_DIVISOR) == 0) {
		if (chip.sending_count == UART_FIFO_BYTES)
			chip.lost++;
		else
			chip.sending[chip.sending_count++] = value;
		chip.sent_pending = false;
		return;
	}
	if (offset == UART_IER && (rising & IER_SENT) != 0 && chip.sending_count == 0)
		chip.sent_pending = true;
	chip.registers[offset & 7] = value;
}

static void chip_receive(const char *bytes)
{
	memcpy(chip.received + chip.received_count, bytes, strlen(bytes));
	chip.received_count += (uint32_t)strlen(bytes);
}

/* --- A transport for one call at a time ------------------------------------------------------------ */

static uint16_t method;
static uint64_t params_words[256];
static uint64_t results_words[64];
static struct capnp_builder params_builder;
static struct capnp_builder results_builder;

static status_t ports_begin(
		struct transport *transport, const struct client_begin *what, uint32_t *question)
{
	assert_int_equal(what->interface_id, IO_PORTS_INTERFACE_ID);
	method = what->method;
	*question = 0;
	capnp_builder_init(&params_builder, params_words, what->params_words, NULL, 0);
	capnp_builder_init(&results_builder, results_words, what->reply_words, NULL, 0);
	return STATUS_OK;
}

static struct capnp_builder *ports_params(struct transport *transport, uint32_t question)
{
	return &params_builder;
}

static void ports_write_many(struct io_ports_write_many_params_reader in)
{
	struct capnp_data bytes = io_ports_write_many_params_get_bytes(in);

	for (uint32_t i = 0; i < bytes.count; i++)
		chip_write(io_ports_write_many_params_get_offset(in), bytes.bytes[i]);
}

static status_t ports_send(struct transport *transport, uint32_t question, uint64_t deadline_ns)
{
	struct capnp_message *message = capnp_builder_view(&params_builder);

	if (method == IO_PORTS_METHOD_READ) {
		struct io_ports_read_params_reader in = io_ports_read_params_get_root(message);

		io_ports_read_results_set_value(io_ports_read_results_init_root(&results_builder),
				chip_read(io_ports_read_params_get_offset(in)));
	} else if (method == IO_PORTS_METHOD_WRITE) {
		struct io_ports_write_params_reader in = io_ports_write_params_get_root(message);

		chip_write(io_ports_write_params_get_offset(in),
				io_ports_write_params_get_value(in));
	} else {
		assert_int_equal(method, IO_PORTS_METHOD_WRITE_MANY);
		ports_write_many(io_ports_write_many_params_get_root(message));
	}
	return STATUS_OK;
}

static status_t ports_wait(struct transport *transport, uint32_t question)
{
	return STATUS_OK;
}

static struct capnp_message *ports_results(struct transport *transport, uint32_t question)
{
	return capnp_builder_view(&results_builder);
}

static void ports_done(struct transport *transport, uint32_t question)
{
}

static const struct transport_ops ports_ops = {
	.begin = ports_begin,
	.params = ports_params,
	.send = ports_send,
	.wait = ports_wait,
	.ask_scalars = client_ask_in_parts,
	.results = ports_results,
	.done = ports_done,
};

static struct client_scalars ports_scalars;
static struct transport ports_transport = { .ops = &ports_ops, .scalars = &ports_scalars };

/* --- Tests ------------------------------------------------------------------------------------------ */

static struct uart uart;

static int ready(void **state)
{
	struct io_ports_ref ports = { client_ref_of(&ports_transport, 1) };

	(void)state;
	memset(&chip, 0, sizeof(chip));
	chip.registers[UART_IER] = 0x0f; /* whatever the one before left */
	assert_int_equal(uart_init(&uart, ports), STATUS_OK);
	return 0;
}

static uint32_t send(const char *bytes)
{
	uint32_t taken;

	assert_int_equal(uart_send(&uart, (const uint8_t *)bytes, (uint32_t)strlen(bytes), &taken),
			STATUS_OK);
	return taken;
}

static void service(void)
{
	assert_int_equal(uart_service(&uart), STATUS_OK);
	assert_false(chip_interrupts());
}

static void starting_sets_the_line_up(void **state)
{
	(void)state;
	assert_int_equal(chip.registers[UART_LCR], LCR_8N1);
	assert_int_equal(chip.registers[UART_MCR], MCR_READY | MCR_INTERRUPTS);
	assert_int_equal(chip.registers[UART_IER], IER_RECEIVED);
	assert_true(uart.fifos);
}

static void no_chip_is_noticed(void **state)
{
	struct io_ports_ref ports = { client_ref_of(&ports_transport, 1) };

	(void)state;
	chip.absent = true;
	assert_int_equal(uart_init(&uart, ports), STATUS_DISCONNECTED);
}

static void received_bytes_wait_until_taken(void **state)
{
	uint8_t bytes[8];
	uint32_t count;

	(void)state;
	chip_receive("hello");
	assert_true(chip_interrupts());
	service();
	assert_int_equal(byte_queue_count(&uart.received), 5);
	assert_int_equal(uart_take(&uart, bytes, 3, &count), STATUS_OK);
	assert_int_equal(count, 3);
	assert_memory_equal(bytes, "hel", 3);
	assert_int_equal(uart_take(&uart, bytes, 8, &count), STATUS_OK);
	assert_int_equal(count, 2);
	assert_memory_equal(bytes, "lo", 2);
}

static void a_full_queue_stops_receiving_and_loses_nothing(void **state)
{
	uint8_t bytes[UART_QUEUE_BYTES];
	uint32_t count;

	(void)state;
	for (uint32_t i = 0; i < UART_QUEUE_BYTES / 8; i++) {
		chip_receive("01234567");
		service();
	}
	assert_int_equal(byte_queue_room(&uart.received), 0);
	chip_receive("rest");
	service();
	assert_int_equal(chip.received_count, 4);
	assert_int_equal(chip.registers[UART_IER] & IER_RECEIVED, 0);
	assert_int_equal(uart_take(&uart, bytes, sizeof(bytes), &count), STATUS_OK);
	assert_int_equal(count, UART_QUEUE_BYTES);
	assert_true(chip_interrupts());
	service();
	assert_int_equal(uart_take(&uart, bytes, sizeof(bytes), &count), STATUS_OK);
	assert_memory_equal(bytes, "rest", 4);
}

static void a_short_text_goes_out_at_once(void **state)
{
	(void)state;
	assert_int_equal(send("hi"), 2);
	assert_int_equal(chip.sending_count, 2);
	assert_int_equal(chip.registers[UART_IER], IER_RECEIVED);
	chip_transmit();
	assert_memory_equal(chip.line, "hi", 2);
}

static void a_long_text_goes_out_by_fifos(void **state)
{
	char text[101];
	uint32_t rounds = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		text[i] = (char)('a' + i % 26);
	text[100] = 0;
	assert_int_equal(send(text), 100);
	while (byte_queue_count(&uart.sending) > 0 || chip.sending_count > 0) {
		chip_transmit();
		service();
		assert_true(++rounds < 20);
	}
	assert_int_equal(rounds, 7);
	assert_int_equal(chip.lost, 0);
	assert_int_equal(chip.line_count, 100);
	assert_memory_equal(chip.line, text, 100);
	assert_int_equal(chip.registers[UART_IER], IER_RECEIVED);
}

static void sending_takes_what_has_room(void **state)
{
	static char text[UART_QUEUE_BYTES + 2];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(send("y"), 1);
	assert_int_equal(send(text), UART_QUEUE_BYTES);
	assert_int_equal(send("z"), 0);
}

/* The FIFO runs empty after its state was read and before the interrupts are identified. */
static void an_interrupt_that_comes_late_is_not_lost(void **state)
{
	(void)state;
	assert_int_equal(send("0123456789abcdefgh"), 18);
	assert_int_equal(byte_queue_count(&uart.sending), 2);
	chip.sent_pending = false;
	chip.late = true;
	service();
	assert_int_equal(byte_queue_count(&uart.sending), 0);
	assert_int_equal(chip.sending_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(starting_sets_the_line_up, ready),
		cmocka_unit_test_setup(no_chip_is_noticed, ready),
		cmocka_unit_test_setup(received_bytes_wait_until_taken, ready),
		cmocka_unit_test_setup(a_full_queue_stops_receiving_and_loses_nothing, ready),
		cmocka_unit_test_setup(a_short_text_goes_out_at_once, ready),
		cmocka_unit_test_setup(a_long_text_goes_out_by_fifos, ready),
		cmocka_unit_test_setup(sending_takes_what_has_room, ready),
		cmocka_unit_test_setup(an_interrupt_that_comes_late_is_not_lost, ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
