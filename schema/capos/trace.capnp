# Tracing: what processes and kernel did, event by event. Who holds a Tracer may know of everybody's calls who calls whom,
# which method, when and with what outcome; who holds a PayloadTracer may also read what they say to each other.

@0xb7a1d4f03c925e68;

using import "annotations.capnp".unit;
using import "annotations.capnp".hexadecimal;
using import "annotations.capnp".local;
using import "annotations.capnp".replyWords;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".example;

const traceBytesMax :UInt32 = 4194304;    # what one trace may keep
const tracePayloadMax :UInt16 = 64;       # words of a message
const traceEventsRead :UInt32 = 60;       # that one answer holds
const traceSessionsMax :UInt32 = 4;       # recording at the same time

enum TraceKind {
  # What an event is about, and which of its fields mean something beside time, processor, process and `within`.
  none @0;
  call @1;           # A call was accepted: interface, method, words, capabilities, question. detail: 1 if a process serves
                     # it, which is other, as far as one is known to run; 0 if the kernel does.
  refused @2;        # A call never began: as call, and the status.
  delivery @3;       # A server received the call: process is the server, other the caller, or who forwarded it.
  answer @4;         # The call was answered: process is the server, other the caller; status, words, capabilities.
  completion @5;     # An operation ended for the process that began it: status, question; call if it was one.
  transfer @6;       # A capability went from process to other with the call: interface; detail: 1 moved, 0 copied.
  switch @7;         # The processor went from process to other; 0: from or to nobody.
  fault @8;          # An exception ended the process: status is the processor's vector, detail the address.
  processStart @9;   # process runs; other is its parent.
  processEnd @10;    # process ended: status is its ProcessState, detail its exit status.
}

struct TraceEvent {
  timeNs @0 :UInt64 $unit("ns");
  call @1 :UInt64;                  # the same in all events about one call; 0: none, or it began before the trace
  within @2 :UInt64;                # the call that the process was serving when it did this; 0: none
  interfaceId @3 :UInt64;
  detail @4 :UInt64 $hexadecimal;
  processId @5 :UInt32;
  otherId @6 :UInt32;
  status @7 :Int32;
  kind @8 :TraceKind;
  method @9 :UInt16;
  words @10 :UInt16 $unit("words"); # of the message
  question @11 :UInt16;             # of the process
  capabilities @12 :UInt8;
  processor @13 :UInt8;
}

interface Tracer @0xc1a0e5b2d3f40901 $local {
  # Starts traces of the whole system. A trace shows headers: who called whom, which method, when, with what outcome.
  start @0 (events :UInt32, kinds :List(TraceKind)) -> (trace :Trace) $example("t = tracer.start(events = 1000)");
  # Keeps at least so many events of each processor; older ones are overwritten. kinds: which; none named: all. The memory is
  # the caller's. The trace records until it is stopped or nobody holds it.
}

interface PayloadTracer @0xc1a0e5b2d3f40902 extends(Tracer) $local {
  # Also starts traces of what is said. Whoever holds it can read every message, passwords included: grant it with care.
  startPayload @0 (events :UInt32, kinds :List(TraceKind), words :UInt16 $unit("words")) -> (trace :PayloadTrace);
  # As start, and keeps the first words of each call's and answer's message, at most 64.
}

interface Trace @0xc1a0e5b2d3f40903 $local {
  # What was recorded. Each processor has its own events, numbered from 0; reading takes nothing away, so several may read.
  read @0 (processor :UInt16, position :UInt64) -> (events :List(TraceEvent), next :UInt64, lost :UInt64)
      $replyWords(512) $example("t.read(processor = 0, position = 0)");
  # Events from that number on, as many as the answer holds, at most 60. next: the number after the last of them; lost: how
  # many before the first one were overwritten already.
  stop @1 () -> () $idempotent;
  # Records no more. What was recorded can be read until the trace is dropped.
  info @2 () -> (recording :Bool, processors :UInt16, capacity :UInt32, payloadWords :UInt16 $unit("words"),
      bytes :UInt64 $unit("bytes")) $idempotent;
  # capacity: events kept of each processor.
  process @3 (processId :UInt32) -> (found :Bool, name :Text, ended :Bool);
  # The name of a process that an event names. The last 32 that ended while the trace recorded are known, too.
}

interface PayloadTrace @0xc1a0e5b2d3f40904 extends(Trace) $local {
  # Also what was said.
  payload @0 (processor :UInt16, position :UInt64) -> (found :Bool, words :List(UInt64) $hexadecimal) $replyWords(80);
  # The beginning of the message of that event; the event tells the length of the whole. found: it is not overwritten.
}
