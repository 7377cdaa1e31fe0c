/*
 * Driving the 16550. See device.h. Each port access is a call on the IoPorts capability.
 */
#include "drivers/serial/uart16550/device.h"

#include "abi/compiler.h"
#include "drivers/serial/uart16550/regs.h"

static void byte_queue_put(struct byte_queue *queue, uint8_t byte)
{
	queue->bytes[queue->tail++ % UART_QUEUE_BYTES] = byte;
}

static uint8_t byte_queue_get(struct byte_queue *queue)
{
	return queue->bytes[queue->head++ % UART_QUEUE_BYTES];
}

/* The interrupts that the queues ask for now. */
static status_t uart_update_enabled(struct uart *uart)
{
	uint8_t wanted = 0;
	status_t st;

	if (byte_queue_room(&uart->received) > 0)
		wanted |= IER_RECEIVED;
	if (byte_queue_count(&uart->sending) > 0)
		wanted |= IER_SENT;
	if (wanted == uart->enabled)
		return STATUS_OK;
	st = io_ports_write(uart->ports, UART_IER, wanted);
	if (st == STATUS_OK)
		uart->enabled = wanted;
	return st;
}

status_t uart_init(struct uart *uart, struct io_ports_ref ports)
{
	static const struct {
		uint16_t offset;
		uint8_t value;
	} steps[] = {
		{ UART_IER, 0 },
		{ UART_LCR, LCR_DIVISOR },
		{ UART_DIVISOR_LOW, UART_DIVISOR_115200 },
		{ UART_DIVISOR_HIGH, 0 },
		{ UART_LCR, LCR_8N1 },
		{ UART_FCR, FCR_ENABLE | FCR_CLEAR_BOTH | FCR_TRIGGER_8 },
		{ UART_MCR, MCR_READY | MCR_INTERRUPTS },
		{ UART_SCRATCH, 0x5a },
	};
	uint8_t value = 0;
	status_t st = STATUS_OK;

	__builtin_memset(uart, 0, sizeof(*uart));
	uart->ports = ports;
	for (unsigned int i = 0; i < ARRAY_LEN(steps) && st == STATUS_OK; i++)
		st = io_ports_write(ports, steps[i].offset, steps[i].value);
	if (st != STATUS_OK)
		return st;
	st = io_ports_read(ports, UART_SCRATCH, &value);
	if (st != STATUS_OK)
		return st;
	if (value != 0x5a)
		return STATUS_DISCONNECTED;
	st = io_ports_read(ports, UART_IIR, &value);
	if (st != STATUS_OK)
		return st;
	uart->fifos = (value & IIR_FIFOS) == IIR_FIFOS;
	return uart_update_enabled(uart);
}

/* Moves received bytes out of the FIFO. Where the queue is full they stay, and the interrupt is
 * turned off by uart_update_enabled. */
static status_t uart_receive(struct uart *uart)
{
	uint8_t value;
	status_t st = STATUS_OK;

	while (st == STATUS_OK && byte_queue_room(&uart->received) > 0) {
		st = io_ports_read(uart->ports, UART_LSR, &value);
		if (st != STATUS_OK || (value & LSR_RECEIVED) == 0)
			break;
		st = io_ports_read(uart->ports, UART_DATA, &value);
		if (st == STATUS_OK)
			byte_queue_put(&uart->received, value);
	}
	return st;
}

/* Fills the FIFO if it is empty; a device without FIFOs takes one byte. */
static status_t uart_transmit(struct uart *uart)
{
	uint32_t room = uart->fifos ? UART_FIFO_BYTES : 1;
	uint8_t bytes[UART_FIFO_BYTES];
	uint32_t count = 0;
	uint8_t value;
	status_t st;

	if (byte_queue_count(&uart->sending) == 0)
		return STATUS_OK;
	st = io_ports_read(uart->ports, UART_LSR, &value);
	if (st != STATUS_OK || (value & LSR_SENDABLE) == 0)
		return st;
	while (count < room && byte_queue_count(&uart->sending) > 0)
		bytes[count++] = byte_queue_get(&uart->sending);
	return io_ports_write_many(uart->ports, UART_DATA, capnp_data_of(bytes, count));
}

status_t uart_service(struct uart *uart)
{
	uint8_t value;
	status_t st;

	do {
		st = uart_receive(uart);
		if (st == STATUS_OK)
			st = uart_transmit(uart);
		if (st == STATUS_OK)
			st = uart_update_enabled(uart);
		if (st == STATUS_OK)
			st = io_ports_read(uart->ports, UART_IIR, &value);
	} while (st == STATUS_OK && (value & IIR_NONE) == 0);
	return st;
}

status_t uart_send(struct uart *uart, const uint8_t *bytes, uint32_t count, uint32_t *taken)
{
	uint32_t n = 0;
	status_t st;

	while (n < count && byte_queue_room(&uart->sending) > 0)
		byte_queue_put(&uart->sending, bytes[n++]);
	*taken = n;
	st = uart_transmit(uart);
	return st == STATUS_OK ? uart_update_enabled(uart) : st;
}

status_t uart_take(struct uart *uart, uint8_t *bytes, uint32_t max, uint32_t *count)
{
	uint32_t n = 0;

	while (n < max && byte_queue_count(&uart->received) > 0)
		bytes[n++] = byte_queue_get(&uart->received);
	*count = n;
	return uart_update_enabled(uart);
}
