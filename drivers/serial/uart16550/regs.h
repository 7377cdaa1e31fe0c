/*
 * Registers of the 16550 UART, as offsets from its first I/O port. Source: National Semiconductor
 * PC16550D data sheet (June 1995), section 8 "Registers"; table numbers are its.
 */
#ifndef UART16550_REGS_H
#define UART16550_REGS_H

/* Offsets. With LCR_DIVISOR set, 0 and 1 are the divisor's low and high byte. */
#define UART_DATA           0u /* received byte when read, byte to send when written */
#define UART_IER            1u /* interrupt enable */
#define UART_IIR            2u /* interrupt identification, when read */
#define UART_FCR            2u /* FIFO control, when written */
#define UART_LCR            3u /* line control */
#define UART_MCR            4u /* modem control */
#define UART_LSR            5u /* line status */
#define UART_MSR            6u /* modem status */
#define UART_SCRATCH        7u
#define UART_DIVISOR_LOW    0u
#define UART_DIVISOR_HIGH   1u

#define IER_RECEIVED        0x01u
#define IER_SENT            0x02u /* the transmit FIFO has run empty */

#define IIR_NONE            0x01u /* set: nothing is pending */
#define IIR_FIFOS           0xc0u /* both set: the FIFOs work (a 16550A) */

#define FCR_ENABLE          0x01u
#define FCR_CLEAR_BOTH      0x06u
#define FCR_TRIGGER_8       0x80u /* interrupt at 8 received bytes, or when the line pauses */

#define LCR_8N1             0x03u
#define LCR_DIVISOR         0x80u

#define MCR_READY           0x03u /* DTR and RTS */
#define MCR_INTERRUPTS      0x08u /* OUT2: on a PC it lets the interrupt reach the controller */

#define LSR_RECEIVED        0x01u
#define LSR_SENDABLE        0x20u /* the transmit FIFO is empty */

#define UART_FIFO_BYTES     16u
#define UART_DIVISOR_115200 1u /* 1.8432 MHz / 16 / 115200 */

#endif
