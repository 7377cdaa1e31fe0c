/*
 * The diagnostics line: the first serial port, polled. Works from the first instruction in C, has
 * no state but whether a port answers, and never waits for ever.
 */
#include "arch/arch.h"
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"

/* 16550 registers and bits. */
#define UART_PORT          0x3f8
#define UART_DATA          (UART_PORT + 0)
#define UART_INTERRUPTS    (UART_PORT + 1)
#define UART_FIFO          (UART_PORT + 2)
#define UART_LINE_CONTROL  (UART_PORT + 3)
#define UART_MODEM_CONTROL (UART_PORT + 4)
#define UART_LINE_STATUS   (UART_PORT + 5)

#define UART_LINE_8N1        0x03
#define UART_LINE_DIVISOR    0x80
#define UART_FIFO_ON         0x07
#define UART_FIFO_CHARS      16
#define UART_MODEM_READY     0x03
#define UART_STATUS_DRAINED  0x20
#define UART_STATUS_NO_PORT  0xff

/* Far longer than 16 characters take at 115200 baud. */
#define UART_POLLS_MAX 1000000

static bool console_present;
static uint32_t console_room;      /* characters that fit in the queue without asking */

void console_init(void)
{
	if (in8(UART_LINE_STATUS) == UART_STATUS_NO_PORT)
		return;
	out8(UART_INTERRUPTS, 0);
	out8(UART_LINE_CONTROL, UART_LINE_DIVISOR);
	out8(UART_DATA, 1);                     /* 115200 baud */
	out8(UART_INTERRUPTS, 0);
	out8(UART_LINE_CONTROL, UART_LINE_8N1);
	out8(UART_FIFO, UART_FIFO_ON);
	out8(UART_MODEM_CONTROL, UART_MODEM_READY);
	console_present = true;
}

static void console_char(char c)
{
	if (console_room == 0) {
		uint32_t polls = 0;

		while ((in8(UART_LINE_STATUS) & UART_STATUS_DRAINED) == 0) {
			if (++polls == UART_POLLS_MAX) {
				console_present = false;
				return;
			}
			arch_relax();
		}
		console_room = UART_FIFO_CHARS;
	}
	out8(UART_DATA, (uint8_t)c);
	console_room--;
}

void arch_console_write(const char *chars, size_t count)
{
	for (size_t i = 0; i < count && console_present; i++) {
		if (chars[i] == '\n')
			console_char('\r');
		console_char(chars[i]);
	}
	/* A user-mode driver of another port cannot have changed this one, but a reset can. */
	console_room = 0;
}
