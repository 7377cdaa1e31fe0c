/*
 * The registers of an event's record on x86_64, in the order of ThreadHandle.registers, and what the entry for events
 * (thread_event_entry.S) knows of layouts; thread_event.c asserts it.
 */
#ifndef LIB_RT_X86_64_EVENT_REGISTERS_H
#define LIB_RT_X86_64_EVENT_REGISTERS_H

#define EVENT_RIP     0
#define EVENT_RSP     1
#define EVENT_RFLAGS  2
#define EVENT_RBP     3
#define EVENT_RAX     4
#define EVENT_RBX     5
#define EVENT_RCX     6
#define EVENT_RDX     7
#define EVENT_RSI     8
#define EVENT_RDI     9
#define EVENT_R8      10
#define EVENT_R9      11
#define EVENT_R10     12
#define EVENT_R11     13
#define EVENT_R12     14
#define EVENT_R13     15
#define EVENT_R14     16
#define EVENT_R15     17
#define EVENT_REGISTERS 18

/* Of struct event_record and struct ring_header. */
#define RECORD_KIND       0
#define RECORD_KIND_DIVERT 1
#define RECORD_BITS       32
#define RECORD_AREA       40      /* own[0]: the area at the top of the handler's stack */
#define RECORD_EVENTS     48      /* own[1]: struct thread_events, of which the first word leads to the header */
#define RECORD_REGISTERS  64
#define HEADER_EVENT_MASK 460
#define HEADER_EVENT_BITS 464
#define HEADER_EVENT_RIP  472     /* event_own[0] and [1]: where to, while a thread resumes */
#define HEADER_EVENT_RSP  480

/* The area: what XSAVE writes of x87, SSE and AVX. Right below it the frame that the thread resumes from. */
#define EVENT_AREA_BYTES  1024
#define EVENT_AREA_HEADER 512
#define EVENT_FRAME_BYTES 192

#endif
