# The shared-memory ring: what a thread and the kernel say to each other. Each struct here is a C
# layout (`abi`), not a message. A ring is one or more chunks of 32 KiB; the first begins with
# the header, then both queues; the rest is the message arena. Offsets count 8-byte words from the
# start of the ring; a span lies within one chunk.

@0xc620ea82422f1658;

using import "annotations.capnp".abi;
using import "annotations.capnp".at;
using import "annotations.capnp".times;

const ringMagic :UInt32 = 0x53504143;     # "CAPS"
const ringVersion :UInt32 = 1;
const chunkBytes :UInt32 = 32768;
const messageWordsMax :UInt32 = 2048;     # 16 KiB
const transferCapsMax :UInt32 = 64;
const pathMax :UInt32 = 4;

enum CapOp {
  nop @0;        # Completes with ok.
  call @1;       # Calls (interface, method) of target. Uses `question`.
  recv @2;       # Waits at an endpoint (target) for one call or event.
  return @3;     # Answers call `callId` of the endpoint (target); may re-arm a recv.
  forward @4;    # Gives call `deadlineNs` (low half; high half: the endpoint) on to target, which answers its caller.
  release @5;    # Drops one capability (target).
  copy @6;       # Copies target within the process; the completion's `id` is the copy.
  narrow @7;     # As copy, as a facet of the ancestor `interface`.
  finish @8;     # Ends a kept answer (question).
  cancel @9;     # Cancels the call or wait of `question`.
  wait @10;      # Waits for bits of a notification, or with flag death for the end of an object.
  signal @11;    # Sets bits (`interface` field) of a notification.
  park @12;      # Sleeps for a word (`interface`) as long as it has the value `msgOff`; target: its memory object, 0: own.
  unpark @13;    # Wakes up to `msgOff` of those who sleep for a word (`interface`, target as with park).
  yield @14;     # Gives up the processor.
  retire @15;    # Ends an export that has no holders (tag in `interface`, sequence in `deadlineNs`).
}

struct RingEntry $abi(64) {
  # One request. Fields that an operation does not use must be zero.
  op @0 :UInt8 $at(0);
  flags @1 :UInt8 $at(1);
  method @2 :UInt16 $at(2);
  target @3 :UInt32 $at(4);           # capability
  userData @4 :UInt64 $at(8);         # comes back in the completion
  interface @5 :UInt64 $at(16);       # call, narrow: interface id; return: call id; signal: bits; wait: mask; retire: tag;
                                      # park, unpark: address, or offset in the memory object
  deadlineNs @6 :UInt64 $at(24);      # absolute, monotonic; 0 none; retire: sequence; forward: endpoint << 32 | call id
  msgOff @7 :UInt32 $at(32);          # words from the start of the ring; park: value expected; unpark: how many
  replyOff @8 :UInt32 $at(36);
  msgWords @9 :UInt16 $at(40);
  replyWords @10 :UInt16 $at(42);     # size of the message that fits, without the records before it
  replyCaps @11 :UInt8 $at(44);       # capability records that fit
  reserved @12 :UInt8 $at(45) $times(3);
  capsOff @13 :UInt32 $at(48);        # transfer descriptors
  question @14 :UInt16 $at(52);         # call, recv, wait, park, forward, return with re-arm, cancel, finish
  capCount @15 :UInt8 $at(54);
  pathLen @16 :UInt8 $at(55);
  path @17 :UInt16 $at(56) $times(4);
}

const entrySync :UInt8 = 1;        # Last entry of the batch: sleep for this entry alone; outcome in the reply slot.
const entryKeep :UInt8 = 2;        # Call: keep the answer addressable until finish.
const entryFailFast :UInt8 = 4;    # Call: fail instead of waiting for a service that is not running or is full.
const entryException :UInt8 = 8;   # Return: the message is an Exception.
const entryRearm :UInt8 = 16;      # Return: then receive again; reply* name the span, userData is the recv's.
const entryPipelined :UInt8 = 16;  # Call: target is a question, path leads to the capability in its answer.
const entryDeath :UInt8 = 32;      # Wait: for the end of the object.
const entryMultishot :UInt8 = 64;  # Wait: complete again and again, with completionMore, until the wait ends.
const entryQuiet :UInt8 = 128;     # No completion when it succeeds (return, release, signal, retire, finish).

struct RingCompletion $abi(32) {
  userData @0 :UInt64 $at(0);
  status @1 :Int32 $at(8);            # Status
  flags @2 :UInt16 $at(12);
  capCount @3 :UInt16 $at(14);        # capability records delivered
  msgWords @4 :UInt32 $at(16);        # message words delivered
  id @5 :UInt32 $at(20);              # recv: call id; copy, narrow: the new capability; call: its question
  detail @6 :UInt64 $at(24);          # exception: see Reason; wait: the bits; recv: the tag; park: parkChanged or 0;
                                      # unpark: how many were woken
}

const parkChanged :UInt8 = 1;      # Park: nobody woke it; the word had another value.
const unparkMax :UInt32 = 128;     # One unpark wakes at most so many.

const enterSync :UInt8 = 1;        # cap_enter: the header's syncEntry is the last one, after those of the queue.

# What the header's word `poller` says of entries that are handed over without cap_enter.
const pollerNone :UInt32 = 0;      # The kernel does not look.
const pollerAwake :UInt32 = 1;     # It looks again and again.
const pollerAsleep :UInt32 = 2;    # It looks again once cap_enter has found entries in the queue.

const completionException :UInt16 = 1;   # The message is an Exception (server's words).
const completionReturn :UInt16 = 2;      # Return with re-arm: the return itself failed; nothing is armed.
const completionMore :UInt16 = 4;        # Wait with flag multishot: it goes on; the question stays in use.

struct RingHeader $abi(512) {
  # Fixed by the kernel when the thread is made.
  magic @0 :UInt32 $at(0);
  version @1 :UInt32 $at(4);
  address @2 :UInt64 $at(8);
  bytes @3 :UInt32 $at(16);
  chunkCount @4 :UInt32 $at(20);
  sqOff @5 :UInt32 $at(24);           # bytes from the start
  sqEntries @6 :UInt32 $at(28);       # power of two
  cqOff @7 :UInt32 $at(32);
  cqEntries @8 :UInt32 $at(36);       # power of two
  arenaOff @9 :UInt32 $at(40);        # words
  arenaEnd @10 :UInt32 $at(44);       # words
  questions @11 :UInt32 $at(48);      # question numbers are below this
  threadId @12 :UInt32 $at(52);
  processId @13 :UInt32 $at(56);

  # Written by the program.
  sqTail @14 :UInt32 $at(64);
  cqHead @15 :UInt32 $at(68);
  runtime @16 :UInt64 $at(72);        # the program's own word (GS-relative)

  # Written by the kernel.
  sqHead @17 :UInt32 $at(128);
  cqTail @18 :UInt32 $at(132);
  clamped @19 :UInt32 $at(136);       # how often an index was found out of range and corrected
  poller @28 :UInt32 $at(140);        # pollerNone, pollerAwake or pollerAsleep

  # Reply slot: the outcome of a SYNC entry, laid out as a RingCompletion.
  replyUserData @20 :UInt64 $at(192);
  replyStatus @21 :Int32 $at(200);
  replyFlags @22 :UInt16 $at(204);
  replyCapCount @23 :UInt16 $at(206);
  replyMsgWords @24 :UInt32 $at(208);
  replyId @25 :UInt32 $at(212);
  replyDetail @26 :UInt64 $at(216);

  # Written by the program: an entry that needs no place in the queue, laid out as a RingEntry; see enterSync.
  syncEntry @27 :UInt64 $at(256) $times(8);

  # Where this thread's events go. Written by the program; the kernel sets mask and bits when something comes.
  eventEntry @29 :UInt64 $at(448);    # address of an entry that gets the record's address in its first argument register; 0 none
  eventRecord @30 :UInt32 $at(456);   # words from the start of the ring, in the arena: an EventRecord
  eventMask @31 :UInt32 $at(460);     # not 0: nothing is delivered. Set on delivery, cleared by the program
  eventBits @32 :UInt64 $at(464);     # sent by divert while masked. Taken on delivery, else by the program: a full barrier after it unmasks
  eventOwn @33 :UInt64 $at(472) $times(5);   # the program's; the kernel leaves them alone
}

enum EventKind { none @0; divert @1; fault @2; }

struct EventRecord $abi(256) {
  # What a thread was doing when it was diverted, and why.
  kind @0 :UInt32 $at(0);             # EventKind
  fault @1 :UInt32 $at(4);            # CrashKind
  vector @2 :UInt32 $at(8);           # of the processor's exception
  errorCode @3 :UInt64 $at(16);
  address @4 :UInt64 $at(24);         # that could not be accessed
  bits @5 :UInt64 $at(32);            # of divert
  own @6 :UInt64 $at(40) $times(3);   # the program's; the kernel leaves them alone
  registers @7 :UInt64 $at(64) $times(24);   # in the order of ThreadHandle.registers
}

struct RecvHeader $abi(64) {
  # First eight words of a recv span; then `replyCaps` capability records, then the message.
  kind @0 :UInt16 $at(0);             # RecvKind
  flags @1 :UInt16 $at(2);
  method @2 :UInt16 $at(4);
  capCount @3 :UInt16 $at(6);
  tag @4 :UInt64 $at(8);              # the server's object
  interface @5 :UInt64 $at(16);
  sessionLow @6 :UInt64 $at(24);      # opaque reference to the caller's session, meaningful to this receiver only
  sessionHigh @7 :UInt64 $at(32);
  epoch @8 :UInt64 $at(40);
  sequence @9 :UInt64 $at(48);        # no holders: what retire must name; call: the caller's deadline, 0 none
  replyWords @10 :UInt16 $at(56);     # what the caller offers for the answer
  replyCaps @11 :UInt8 $at(58);
}

enum RecvKind { none @0; call @1; noHolders @2; cancelled @3; }

struct CapDescriptor $abi(16) {
  # One capability sent beside a message, in the order in which the message's capability pointers count.
  kind @0 :UInt8 $at(0);              # TransferKind
  flags @1 :UInt8 $at(1);
  pathLen @2 :UInt8 $at(2);
  id @3 :UInt32 $at(4);               # capability | question
  path @4 :UInt16 $at(8) $times(4);
}

enum TransferKind {
  none @0;       # null stays null
  copy @1;
  move @2;       # leaves the sender when the call is delivered; a failed send leaves it there
  answer @3;     # of a call: a copy of what the answer to question `id` has at `path`, still to come or kept
}

struct CapRecord $abi(16) {
  # One capability received. A record is one slot and one release.
  kind @0 :UInt8 $at(0);              # RecordKind
  id @1 :UInt32 $at(4);
  value @2 :UInt64 $at(8);            # capability: id of its first interface; yours: the tag
}

enum RecordKind { none @0; capability @1; yours @2; }

enum ThreadEventKind { none @0; interrupt @1; fault @2; }

struct ThreadEvent $abi(256) {
  # A diverted thread's registers, in a record that the thread owns and resumes from in user mode. Reserved: no
  # operation registers one yet. A sleeping cap_enter that is interrupted (ThreadHandle) answers *interrupted*.
  kind @0 :UInt32 $at(0);             # ThreadEventKind
  flags @1 :UInt32 $at(4);
  vector @2 :UInt32 $at(8);           # fault: the processor's number for the exception
  errorCode @3 :UInt64 $at(16);
  address @4 :UInt64 $at(24);         # fault: the address that could not be accessed
  instruction @5 :UInt64 $at(32);
  processorFlags @6 :UInt64 $at(40);
  fsBase @7 :UInt64 $at(48);
  registers @8 :UInt64 $at(56) $times(16);   # in the order of the processor's numbering
}
