/*
 * The 16550 as a thing that sends and receives bytes. main.c feeds it and is called back by nobody:
 * after each interrupt it calls uart_service and looks at what changed.
 *
 * The device is behind two small queues. Received bytes wait in `received` until a client reads
 * them; while it is full the receive interrupt is off, so that bytes wait in the line's other end
 * instead of being lost. Bytes to send wait in `sending`; the transmit interrupt is on exactly
 * while there are some.
 */
#ifndef UART16550_DEVICE_H
#define UART16550_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"
#include "capos/kernel.client.h"

#define UART_QUEUE_BYTES 4096u /* power of two */

/* Bytes from `head` to `tail`, both running freely. */
struct byte_queue {
	uint8_t bytes[UART_QUEUE_BYTES];
	uint32_t head;
	uint32_t tail;
};

struct uart {
	struct io_ports_ref ports;
	struct byte_queue received;
	struct byte_queue sending;
	uint8_t enabled; /* what the interrupt enable register was last set to */
	bool fifos;
};

static inline uint32_t byte_queue_count(const struct byte_queue *queue)
{
	return queue->tail - queue->head;
}

static inline uint32_t byte_queue_room(const struct byte_queue *queue)
{
	return UART_QUEUE_BYTES - byte_queue_count(queue);
}

/* Puts the device in a known state, whatever it was in: 115200 8N1, FIFOs empty, receive interrupt
 * on. Borrows `ports` for the life of `uart`. *disconnected* where no UART answers. */
status_t uart_init(struct uart *uart, struct io_ports_ref ports) MUST_USE;

/* Serves every cause that the device reports, until it reports none. */
status_t uart_service(struct uart *uart) MUST_USE;

/* Queues bytes to send and starts sending. Answers how many of `count` had room. */
status_t uart_send(struct uart *uart, const uint8_t *bytes, uint32_t count, uint32_t *taken)
		MUST_USE;

/* Takes up to `max` received bytes, and turns receiving on again where it had to stop. */
status_t uart_take(struct uart *uart, uint8_t *bytes, uint32_t max, uint32_t *count) MUST_USE;

#endif
