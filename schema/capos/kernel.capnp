# The kernel's objects. Each is called like any other capability; nothing else exists to be asked.
# Parameters are at most 1 KiB, results at most 4 KiB.

@0xaf20a34bc4191a0e;

using import "annotations.capnp".hexadecimal;
using import "annotations.capnp".unit;
using import "annotations.capnp".local;
using import "annotations.capnp".sensitive;
using import "annotations.capnp".replyWords;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".example;
using import "annotations.capnp".debug;
using import "status.capnp".ResourceClass;

interface Console @0xc1a0e5b2d3f40601 {
  # Somewhere to print lines: the kernel's log, or a person's terminal.
  write @0 (text :Text) -> () $example("console.write(text = \"hi\")");
  # Prints text. The kernel's console takes at most 960 bytes in 64 lines and adds a line end where there is none.
}

interface Timer @0xc1a0e5b2d3f40602 {
  # Monotonic time since boot, and waiting for it.
  now @0 () -> (monotonicNs :UInt64 $unit("ns")) $idempotent $example("timer.now");
  # The time since boot.
  sleep @1 (durationNs :UInt64 $unit("ns")) -> ();
  # Returns after at least this long.
  sleepUntil @2 (deadlineNs :UInt64 $unit("ns")) -> ();
  # Returns once the monotonic time has reached deadlineNs.
  clockPage @3 () -> (page :MemoryView);
  # A page with a ClockPage (clock.capnp) at its start, to be mapped for reading: with it a program computes
  # the time since boot from the processor's counter, without a call.
}

interface EntropySource @0xc1a0e5b2d3f40603 {
  # Random bytes fit for keys.
  fill @0 (count :UInt32 $unit("bytes")) -> (bytes :Data $sensitive) $replyWords(256);
  # At most 1024 bytes a call.
}

interface SystemInfo @0xc1a0e5b2d3f40604 {
  # What machine and system this is. Read only.
  describe @0 () -> (name :Text, version :Text, architecture :Text, build :Text, processors :UInt32) $idempotent;
  memory @1 () -> (totalPages :UInt64 $unit("pages"), freePages :UInt64 $unit("pages"), pageBytes :UInt32 $unit("bytes")) $idempotent;
  # Physical memory that the kernel manages, and what of it is free now.
  counters @2 () -> (contextSwitches :UInt64, slabAllocations :UInt64, interrupts :UInt64, calls :UInt64, timerInterrupts :UInt64);
  # Totals since boot. The call path makes no slab allocation; the benchmark asserts it with these.
  check @3 () -> () $debug;
  # Walks every table, queue, tree and ledger of the kernel; a contradiction stops the system. Debug builds only.
  failAllocation @4 (number :UInt64) -> (waiting :Bool) $debug;
  # The kernel allocation of this number from now on fails, once; 0: none. waiting: an earlier order
  # has not been met yet (it is replaced). Debug builds only.
}

# --- Memory -----------------------------------------------------------------------------------

enum Access {
  # What a mapping allows. Writable and executable together cannot be said.
  none @0;
  read @1;
  readWrite @2;
  readExecute @3;
}

interface MemoryView @0xc1a0e5b2d3f40605 $local {
  # Memory that may be mapped for reading or executing.
  info @0 () -> (bytes :UInt64 $unit("bytes")) $idempotent;
  clone @1 () -> (object :MemoryObject);
  # A new object with the contents of now, charged to the caller in full. Pages are shared until one side
  # writes; where somebody has this object mapped for writing, they are copied at once.
  isSealed @2 () -> (sealed :Bool) $idempotent;
  # Whether nobody can write it any more.
}

interface MemoryObject @0xc1a0e5b2d3f40606 extends(MemoryView) $local {
  # Memory that may also be mapped for writing. Narrow it to MemoryView to share it read-only.
  read @0 (offset :UInt64, count :UInt32) -> (bytes :Data) $replyWords(512);
  # At most 3 KiB a call.
  write @1 (offset :UInt64, bytes :Data) -> ();
  # At most 900 bytes a call.
  seal @2 () -> (sealed :Bool, writablePages :UInt64 $unit("pages"));
  # From now on nobody writes, maps for writing, or makes a mapping writable. Not sealed while writablePages
  # are mapped for writing, by whomever: who does not trust its peers seals a clone.
}

interface Pager @0xc1a0e5b2d3f40616 $local {
  # The supplying side of paged memory. A program that touches a page which is not there waits for whoever holds
  # this. If the page is refused, nobody holds the pager, or the memory's deadline passes, the program crashes.
  next @0 () -> (page :UInt64);
  # A page that somebody waits for and that was not told yet. Answers when there is one.
  supply @1 (page :UInt64, source :MemoryView, offset :UInt64 $unit("bytes")) -> (accepted :Bool);
  # Fills a page with a copy of one of source's. Not accepted: it is there already, and stays as it is.
  refuse @2 (page :UInt64) -> ();
  # Who waits for the page now, waits no more. Whoever touches it later asks again.
}

interface VirtualMemory @0xc1a0e5b2d3f40607 $local {
  # One process' address space. Addresses and sizes are multiples of the page size. One commit, protect or map
  # covers at most 4096 pages, and one unmap as many that have memory.
  reserve @0 (bytes :UInt64 $unit("bytes"), address :UInt64) -> (address :UInt64);
  # Sets a range aside; costs no memory. address 0 lets the kernel choose.
  commit @1 (address :UInt64, bytes :UInt64 $unit("bytes"), access :Access) -> ();
  # Backs part of a reserved range with zeroed memory, charged to the process' ledger and set aside now; a page
  # is made when it is first touched, which cannot fail.
  protect @2 (address :UInt64, bytes :UInt64 $unit("bytes"), access :Access) -> ();
  map @3 (object :MemoryView, offset :UInt64, bytes :UInt64 $unit("bytes"), address :UInt64, access :Access) -> (address :UInt64);
  # Maps part of a memory object. address 0 lets the kernel choose; readWrite needs a MemoryObject.
  unmap @4 (address :UInt64, bytes :UInt64 $unit("bytes")) -> ();
  # Ends mappings, commitments and reservations in the range; what reaches beyond it stays.
  info @5 () -> (reservedPages :UInt64 $unit("pages"), committedPages :UInt64 $unit("pages"), mappedPages :UInt64 $unit("pages"));
}

# --- Making objects ---------------------------------------------------------------------------

interface ObjectFactory @0xc1a0e5b2d3f40608 $local {
  # Makes kernel objects, charged to the caller's ledger. Holding one is no authority over anything else.
  memory @0 (bytes :UInt64 $unit("bytes")) -> (object :MemoryObject);
  # Zeroed memory, at most 64 MiB.
  endpoint @1 (messageWords :UInt16, capabilities :UInt8, calls :UInt16) -> (endpoint :Endpoint);
  # messageWords and capabilities: the largest call it takes; calls: how many may be in service at once.
  notification @2 () -> (notification :Notification);
  pagedMemory @3 (bytes :UInt64 $unit("bytes"), deadlineNs :UInt64 $unit("ns")) -> (object :MemoryObject, pager :Pager);
  # Memory whose pages come from whoever holds the pager; charged in full. Nobody waits for a page longer than
  # deadlineNs, at most a minute. It can be mapped, but not read, written, cloned or sealed by method.
  promise @4 (interfaces :List(InterfaceRow)) -> (promise :Capability, resolver :PromiseResolver);
  # A capability that can be handed out and called before it leads anywhere: calls wait until it is resolved.
  # interfaces: what it may be called as, as in Endpoint.export.
}

interface PromiseResolver @0xc1a0e5b2d3f40653 $local {
  # Says, once, what a promise leads to. Dropping it unresolved ends the promise's calls *disconnected*.
  resolve @0 (capability :Capability) -> ();
  # Calls that wait go on there, in order, and later ones at once. Whoever holds the promise can call
  # the interfaces that it was made with and no others, whatever it leads to.
  reject @1 (exception :UInt16) -> ();
  # Every call ends with this exception (1 failed to 5 invalidArgument).
}

struct InterfaceRow {
  id @0 :UInt64;
  methods @1 :UInt16;      # method ordinals are below this
  ancestors @2 :UInt16;    # bit n: row n of the list is an ancestor of this one
}

interface Endpoint @0xc1a0e5b2d3f40609 $local {
  # The receive side of a service. recv and return name it; whoever holds it answers the calls.
  export @0 (tag :UInt64, interfaces :List(InterfaceRow), lasting :Bool, scope :TransferScope) -> (capability :Capability);
  # Mints a capability whose calls arrive with this tag. interfaces: the object's own first, then every
  # ancestor once, at most 16. A lasting export outlives incarnations of the service; others end with theirs.
  reset @1 () -> (incarnation :UInt32);
  # Begins the next incarnation: calls in service end disconnected, calls not yet received wait on.
  close @2 () -> ();
  # Ends the service for good: every export answers disconnected.
  info @3 () -> (incarnation :UInt32, exports :UInt32, pending :UInt32, inService :UInt32, receivers :UInt32);
}

interface Signal @0xc1a0e5b2d3f4060a $local {
  # The sending side of a notification.
  signal @0 (bits :UInt64) -> ();
  bindEnd @1 (bits :UInt64, object :Capability) -> (binding :Binding);
  # Sets the bits when the object ends: a process, an endpoint, the object of a service. At once if it has.
  bindTimer @2 (bits :UInt64, timer :Timer, deadlineNs :UInt64 $unit("ns"), periodNs :UInt64 $unit("ns")) -> (binding :Binding);
  # Sets the bits when the time has come, and then every periodNs (0: once; otherwise at least 1 ms). What is missed is not made up for.
  bindInterrupt @3 (bits :UInt64, interrupt :Interrupt) -> (binding :Binding);
  # Sets the bits each time the line fires; at once if it has since the last acknowledge.
  bindContext @4 (bits :UInt64, context :SchedulingContext) -> (binding :Binding);
  # Sets the bits each time the context's budget is used up, and when its deadline is missed.
}

interface Binding @0xc1a0e5b2d3f40640 $local {
  # Bits of a notification that an event sets by itself. Ends when dropped, with its last event, with either object,
  # with the grant of either capability that it was made with, and with the process that made it.
  info @0 () -> (active :Bool, fired :UInt64);
  # active: it can still set bits. fired: how often it has.
}

interface Notification @0xc1a0e5b2d3f4060b extends(Signal) $local {
  # A word of bits that interrupts, deaths and programs set and a waiter takes. Wait with the ring operation.
  take @0 () -> (bits :UInt64);
  # Takes the bits that are set now, without waiting.
}

# --- Processes --------------------------------------------------------------------------------

struct ResourceLimit {
  class @0 :ResourceClass;
  limit @1 :UInt64;
  used @2 :UInt64;
}

interface ProcessSpawner @0xc1a0e5b2d3f4060c $local {
  # Makes processes. What a child may use is carved from the ledger of the spawner's caller.
  create @0 (name :Text, limits :List(ResourceLimit)) -> (builder :ProcessBuilder);
  # name: at most 31 bytes, for people. limits: classes not named get a small default.
}

interface ProcessBuilder @0xc1a0e5b2d3f4060d $local {
  # A process that has not started. Dropping the builder undoes it.
  memory @0 () -> (memory :VirtualMemory);
  # The child's address space.
  grant @1 (capability :Capability) -> (id :UInt32);
  # Puts a capability in the child's table and answers its id there.
  grantMemory @2 () -> (id :UInt32);
  # Gives the child its own address space as a capability.
  start @3 (entry :UInt64, stack :UInt64, argument :UInt64) -> (process :ProcessHandle);
  # Runs it: ring address in the first argument register, argument in the second. Once.
  setSession @4 (session :Session) -> ();
  # On whose behalf it acts, for ever. Without, on its maker's. Failed (state) once it was granted a
  # capability that keeps to a session.
  furnish @5 (parts :List(MemoryPart)) -> ();
  # Fills the child's address space, part after part. At most 4096 pages a call. The first part that is refused ends
  # it (the detail tells its number), and what came before stays.
  write @6 (address :UInt64, bytes :Data) -> ();
  # Copies into zeroed memory of the child's own, also where the child itself may not write. At most 900 bytes a call.
  grantThreads @7 () -> (id :UInt32);
  # Gives the child the making of threads of its own.
}

struct MemoryPart {
  # A stretch of a new process' address space: a window on an object, or without one zeroed memory of its own, charged
  # to its ledger. With access none: no memory, and nothing else comes there.
  address @0 :UInt64;
  bytes @1 :UInt64 $unit("bytes");
  access @2 :Access;
  object @3 :MemoryView;
  offset @4 :UInt64 $unit("bytes");   # of the window in the object
}

# --- Sessions -----------------------------------------------------------------------------------

interface Session @0xc1a0e5b2d3f40650 $local {
  # On whose behalf processes act. Holding one allows starting processes in it, and waiting for its end.
  info @0 () -> (number :UInt64, epoch :UInt64, ended :Bool, processes :UInt32) $idempotent;
}

interface SessionControl @0xc1a0e5b2d3f40651 extends(Session) $local {
  # Renewing and ending a session.
  renew @0 () -> (epoch :UInt64);
  # Raises the epoch that services see, so that they decide anew what they decided on its behalf.
  logout @1 () -> ();
  # Ends it for good: every capability of its processes and all that was derived from them is revoked,
  # and what they wait for ends. The processes themselves go on, without any authority, until somebody ends them.
}

interface SessionManager @0xc1a0e5b2d3f40652 $local {
  # Making sessions. Whoever holds it can act as somebody whom no service has seen before.
  create @0 () -> (session :SessionControl);
}

enum TransferScope {
  # Whom the holder of a capability may give it to. Its service, and whoever gives it back there, always may.
  shareable @0;        # anybody
  sameSession @1;      # processes of the holder's own session
  serviceOnly @2;      # nobody
}

enum ProcessState { none @0; running @1; exited @2; crashed @3; killed @4; }

struct ExitStatus {
  state @0 :ProcessState;
  status @1 :Int64;             # exited, killed: the number given
}

struct CrashRecord {
  # What a process was doing when an exception ended it.
  kind @0 :CrashKind;
  vector @1 :UInt32;            # the processor's number for the exception
  errorCode @2 :UInt64 $hexadecimal;
  address @3 :UInt64 $hexadecimal;   # the address that could not be accessed
  instruction @4 :UInt64 $hexadecimal;
  stack @5 :UInt64 $hexadecimal;
  registers @6 :List(Register);
  backtrace @7 :List(UInt64) $hexadecimal;   # return addresses, innermost first, at most 16
}

enum CrashKind { none @0; accessFault @1; illegalInstruction @2; arithmetic @3; protection @4; breakpoint @5; other @6; pageMissing @7; }

struct Register {
  name @0 :Text;
  value @1 :UInt64 $hexadecimal;
}

interface ProcessObserver @0xc1a0e5b2d3f4060e $local {
  # Watching a process.
  info @0 () -> (processId :UInt32, name :Text, state :ProcessState, parentId :UInt32);
  wait @1 () -> (exit :ExitStatus);
  # Answers when the process has ended. Any number may wait.
  crash @2 () -> (record :CrashRecord) $replyWords(256);
  # The record of a crashed process; empty otherwise.
  usage @3 () -> (resources :List(ResourceLimit)) $replyWords(64);
}

interface ProcessHandle @0xc1a0e5b2d3f4060f extends(ProcessObserver) $local {
  # Watching and ending a process.
  kill @0 (status :Int64) -> ();
}

# --- Threads ----------------------------------------------------------------------------------

interface ThreadSpawner @0xc1a0e5b2d3f40617 $local {
  # Making threads of one process. Each is charged to it: one thread, and the pages of its ring.
  spawn @0 (entry :UInt64, stack :UInt64, argument :UInt64, tlsBase :UInt64, name :Text) -> (thread :ThreadHandle);
  # Runs one: the address of its own ring in the first argument register and the GS base, argument in the second,
  # tlsBase as FS base. name: at most 31 bytes, for people.
  open @1 (threadId :UInt32) -> (found :Bool, thread :ThreadHandle);
  # A handle on any living thread of the process, the first one included.
}

enum ThreadCondition { none @0; runnable @1; waiting @2; ended @3; suspended @4; }

interface ThreadHandle @0xc1a0e5b2d3f40618 $local {
  # One thread. Dropping the handle changes nothing for it; its record counts as a thread until it has ended and
  # all handles are dropped.
  info @0 () -> (threadId :UInt32, name :Text, condition :ThreadCondition, processId :UInt32, cpuNs :UInt64 $unit("ns"), weight :UInt32, class :LatencyClass, processors :UInt64 $hexadecimal, processor :UInt32, budgeted :Bool, faults :UInt64);
  # processors: bit n, it may run on processor n; processor: where it runs, or waits, or ran last; budgeted: it runs on the
  # budget of a SchedulingContext now, on that one's processor, whatever `processors` says. faults: how often it touched a page that had to be made first.
  join @1 () -> (exit :ExitStatus);
  # Answers when the thread has ended and its ring is gone. Any number may wait. Refused (wouldDeadlock) to itself.
  detach @2 () -> ();
  # Nobody will join it: joins that wait and later ones fail (state). Once.
  kill @3 (status :Int64) -> ();
  # Ends it at once, wherever it is; what it waits for ends with it. Calls that it has received stay with its process. The
  # last thread's end is the process'.
  rename @4 (name :Text) -> ();
  interrupt @5 () -> (asleep :Bool);
  # Ends the thread's sleep in cap_enter with *interrupted*; a SYNC entry that it slept for ends so, as if it had been
  # cancelled. asleep: there was such a sleep; otherwise nothing has happened.
  registers @6 () -> (registers :List(Register)) $replyWords(256);
  # What its registers are now; the thread goes on. Of one that has entered the kernel by itself only those mean
  # something that a system call keeps. Empty when it has ended.
  suspend @7 () -> ();
  # It runs no more from when this answers until it has been resumed as often as it was suspended. What it waits for ends
  # as ever, but it goes on only then. Of a thread itself this answers when it has been resumed. Refused (state) when it
  # has ended, and beyond 255 times.
  resume @8 () -> (suspended :Bool);
  # Takes one suspension back, whoever made it. suspended: others are left. Refused (state) where there is none.
  setRegisters @9 (registers :List(Register)) -> ();
  # Of a suspended thread that does not sleep in a system call (interrupt it first); else refused (state). Names as
  # registers has them, others and an instruction pointer outside of programs' addresses are refused with nothing changed.
  # Of the flags only those are taken that a program can change itself.
  divert @10 (bits :UInt64 $hexadecimal) -> ();
  # Sends the thread to the entry for events that its ring's header names, with its registers in the record there; a sleep of
  # its in cap_enter ends with *interrupted*. While it is masked the bits wait, together with others. Refused (state) where
  # there is no entry.
}

# --- Time ---------------------------------------------------------------------------------------

interface SchedulingContext @0xc1a0e5b2d3f40660 $local {
  # So much time of one processor in every so much time: a limit for the thread that it is bound to, and a promise. Threads
  # with budget run before all others. It ends when nobody holds it any more.
  info @0 () -> (processor :UInt32, budgetNs :UInt64 $unit("ns"), periodNs :UInt64 $unit("ns"), usedNs :UInt64 $unit("ns"), availableNs :UInt64 $unit("ns"), depletions :UInt64, missedDeadlines :UInt64, bound :Bool, backed :UInt32, ended :Bool);
  # usedNs: in all; availableNs: of the budget, now; depletions: how often it was used up; missedDeadlines: how often
  # somebody who ran on it did not come to rest within a period; backed: how many passive threads it is the reserve of.
  bind @1 (thread :Capability) -> ();
  # thread: a ProcessHandle stands for the process' first thread. From now on the thread runs on this budget and
  # on no other. While it sleeps in a synchronous call whoever works on the call runs on it, unless it has its own.
  unbind @2 () -> ();
  # The thread runs like any other again.
  back @3 (thread :Capability) -> ();
  # Makes a thread passive: it runs on the budgets of those whose calls it works on, and on this, its reserve, when it
  # has none or that is used up. The donor pays for it, too: its budget comes back that much later.
  release @4 (thread :Capability) -> ();
  # A thread that is passive by `back` runs like any other again.
  end @5 () -> ();
  # Ends it for good. Whoever was bound to it or backed by it runs like any other, the caller included.
}

interface SchedulingControl @0xc1a0e5b2d3f40661 $local {
  # Promising the processors' time.
  create @0 (budgetNs :UInt64 $unit("ns"), periodNs :UInt64 $unit("ns"), processor :UInt32) -> (context :SchedulingContext);
  # A budget of at least 10 us in a period of 100 us to 4 s. Overloaded where the processor has promised too much already.
  capacity @1 (processor :UInt32) -> (promised :UInt64, most :UInt64, whole :UInt64, contexts :UInt32) $idempotent;
  # What part of the processor's time has been promised, and at most can be, in parts of `whole`.
  lease @2 (processor :UInt32, kind :LeaseKind, durationNs :UInt64 $unit("ns"), budgetNs :UInt64 $unit("ns"), periodNs :UInt64 $unit("ns")) -> (lease :CpuIsolationLease);
  # A whole processor for one thread or one ring, for 1 ms to an hour. Processor 0 serves everybody and is never leased;
  # neither is one that has promised budgets. budgetNs, periodNs: of kind compute only.
  policy @3 () -> (policy :SchedulingPolicy);
  # With all processors, classes and weights in its bounds.
}

enum LatencyClass {
  # How long a slice of time is, and so how soon it comes. A class is no priority and gives no more time.
  none @0;                      # what it was
  interactive @1;               # wakes often for little
  normal @2;
  batch @3;                     # computes, and is interrupted rarely
}

interface SchedulingPolicy @0xc1a0e5b2d3f40663 $local {
  # Saying how threads share the processors, within bounds. What was said stays when this is dropped or revoked.
  info @0 () -> (weight :UInt32, class :LatencyClass, processors :UInt64 $hexadecimal) $idempotent;
  # The bounds: the greatest weight, the most urgent class, and a bit for each processor.
  apply @1 (target :Capability, weight :UInt32, class :LatencyClass, processors :UInt64 $hexadecimal) -> ();
  # target: a ThreadHandle; a ProcessHandle stands for all threads of the process, those that it makes later, and the
  # processes that it makes later. weight: 1 to 10000, two threads that compute have time in proportion to theirs.
  # processors: bit n, may run on processor n. What is 0 or none stays as it is; what is beyond the bounds is refused.
  narrow @2 (weight :UInt32, class :LatencyClass, processors :UInt64 $hexadecimal) -> (policy :SchedulingPolicy) $example("policy.narrow(weight = 150)");
  # One with tighter bounds, that ends with the grant of this one. What is 0 or none stays as it is.
}

enum LeaseKind {
  thread @0;                    # one thread, with nothing beside it
  ring @1;                      # a thread's ring, which the kernel polls there; the thread itself runs elsewhere
  compute @2;                   # one thread with a budget; the rest of the processor's time is idle
}

interface CpuIsolationLease @0xc1a0e5b2d3f40662 $local {
  # A processor that runs one thread and nothing else: no other thread is placed there, and no timer fires but the lease's. It
  # ends with its time, when it is ended, or when nobody holds it: then the processor serves everybody again, and the thread
  # runs like any other.
  info @0 () -> (processor :UInt32, kind :LeaseKind, active :Bool, expired :Bool, remainingNs :UInt64 $unit("ns"), usedNs :UInt64 $unit("ns"), interrupts :UInt64, longestQuietNs :UInt64 $unit("ns"), depletions :UInt64, missedDeadlines :UInt64);
  # usedNs: time that the thread ran; interrupts: taken by the processor meanwhile; longestQuietNs: between two of them;
  # depletions, missedDeadlines: of kind compute, as SchedulingContext.info.
  bind @1 (thread :Capability) -> ();
  # Whose processor it is; as SchedulingContext.bind. Of kind ring: whose ring is polled; it may have a context of its own,
  # and must not be polled already.
  end @2 () -> ();
  poller @3 () -> (bound :Bool, asleep :Bool, entries :UInt64, sleeps :UInt64, wakes :UInt64) $idempotent;
  # Of kind ring: entries that were taken without cap_enter; how often the poller went to sleep, and was woken by cap_enter.
}

# --- System -----------------------------------------------------------------------------------

interface BootPackage @0xc1a0e5b2d3f40610 $local {
  # The files that came with the kernel. Read only.
  list @0 (start :UInt32) -> (files :List(BootFile), total :UInt32) $replyWords(512);
  # Up to 32 files from number start on.
  open @1 (name :Text) -> (found :Bool, file :MemoryView, bytes :UInt64) $replyWords(32);
  # A file's contents as memory.
}

struct BootFile {
  name @0 :Text;
  bytes @1 :UInt64 $unit("bytes");
}

interface SystemControl @0xc1a0e5b2d3f40611 $local {
  # Ending the system.
  powerOff @0 (status :UInt32) -> ();
  reboot @1 () -> ();
}

interface IoPorts @0xc1a0e5b2d3f40612 $local {
  # A range of x86 I/O ports. Offsets count from its start.
  range @0 (start :UInt16, count :UInt16) -> (ports :IoPorts);
  # A narrower range.
  read @1 (offset :UInt16) -> (value :UInt8);
  write @2 (offset :UInt16, value :UInt8) -> ();
  readMany @3 (offset :UInt16, count :UInt16) -> (bytes :Data);
  # Reads one port count times, at most 256.
  writeMany @4 (offset :UInt16, bytes :Data) -> ();
  # Writes each byte to one port.
}

interface InterruptController @0xc1a0e5b2d3f40613 $local {
  # Every interrupt line.
  line @0 (number :UInt32) -> (interrupt :Interrupt);
  # The line with this ISA number. A line has one owner at a time.
}

interface Interrupt @0xc1a0e5b2d3f40614 $local {
  # One interrupt line. It is masked from its arrival until acknowledge.
  wait @0 () -> (count :UInt64);
  # Answers when the line has fired since the last acknowledge; count: how often since the start.
  acknowledge @1 () -> ();
}

interface CapabilityManager @0xc1a0e5b2d3f40615 $local {
  # Who holds what. Reading it is reading everybody's authority; revoking is ending it.
  processes @0 (start :UInt32) -> (processes :List(ProcessRow), next :UInt32) $replyWords(512);
  # Up to 16 processes with ids of at least start; next is 0 after the last.
  holders @1 (capability :Capability, start :UInt32, startSlot :UInt32) -> (holders :List(Holder), next :UInt32, nextSlot :UInt32, object :UInt64) $replyWords(512);
  # Who holds this object directly, as any facet; revoked grants are left out. A page may be short or
  # empty: go on with start = next and startSlot = nextSlot until both are 0. object: its number.
  revoke @2 (grant :UInt64 $hexadecimal) -> (revoked :UInt32);
  # Ends one grant and all derived from it.
  revokeDerived @3 (capability :Capability) -> (revoked :UInt32);
  # Ends everything that was derived from the caller's own grant of this capability.
  open @4 (processId :UInt32) -> (found :Bool, process :ProcessHandle);
  # A handle on any process.
  capabilities @5 (processId :UInt32, start :UInt32) -> (capabilities :List(CapabilityRow), next :UInt32, found :Bool) $replyWords(512) $example("authority.capabilities(processId = 1)");
  # What a process holds. A page may be short or empty; next is 0 after the last. found: there is such a process.
  setLimit @6 (processId :UInt32, class :ResourceClass, limit :UInt64) -> (found :Bool, limit :UInt64, used :UInt64);
  # Changes how much of a class a running process may use. More is carved from whoever started it, as far
  # as that goes; what is given up returns there. A limit below what is in use becomes what is in use: nothing
  # is taken away, it only cannot grow. Answers what is in force.
}

struct ProcessRow {
  processId @0 :UInt32;
  name @1 :Text;
  state @2 :ProcessState;
  parentId @3 :UInt32;
  capabilities @4 :UInt32;
  memoryPages @5 :UInt64 $unit("pages");
  cpuNs @6 :UInt64 $unit("ns");
  threads @7 :UInt32;           # that live
  weight @8 :UInt32;            # what its new threads have, as the next two: SchedulingPolicy
  class @9 :LatencyClass;
  processors @10 :UInt64 $hexadecimal;   # bit n: may run on processor n
  runsOn @11 :UInt64 $hexadecimal;       # bit n: a thread of its runs on processor n, or waits there, or ran there last
  budgetNs @12 :UInt64 $unit("ns");      # of the first thread's with a SchedulingContext or reserve; 0: none has
  periodNs @13 :UInt64 $unit("ns");
  availableNs @14 :UInt64 $unit("ns");   # of that budget, now
}

struct Holder {
  processId @0 :UInt32;
  processName @1 :Text;
  capabilityId @2 :UInt32;
  grant @3 :UInt64 $hexadecimal;
  grantedBy @4 :UInt32;         # process id; 0: made by the holder or the kernel
  interfaceId @5 :UInt64;       # the facet's own interface
  parentGrant @6 :UInt64 $hexadecimal;   # it was derived from; 0: from none
}

struct CapabilityRow {
  capabilityId @0 :UInt32;
  grantedBy @1 :UInt32;         # process id; 0: made by the holder or the kernel
  object @2 :UInt64;            # the object's number: its own as long as the system runs
  kind @3 :Text;                # what the kernel calls such objects
  interfaceId @4 :UInt64;       # the facet's own interface
  grant @5 :UInt64 $hexadecimal;         # copies in one process share it
  parentGrant @6 :UInt64 $hexadecimal;   # it was derived from; 0: from none. May be of a process that holds it no more
  endpoint @7 :UInt64;          # export, endpoint: the number of the endpoint where calls arrive; else 0
  server @8 :UInt32;            # export, endpoint: the process that serves it; 0: none does now
  process @9 :UInt32;           # process: its id; else 0
  revoked @10 :Bool;            # only releasing it is left
  ended @11 :Bool;              # export, endpoint: the object has ended
  moving @12 :Bool;             # on its way in a call that nobody has received yet
}

# --- What a process starts with ---------------------------------------------------------------

struct Exception {
  # The message of a call that failed with words of the server's.
  reason @0 :Text;
}

struct LaunchParameters {
  # Mapped read-only into a new process; the second argument register holds its address. At that
  # address stands one word with the message's length in words, then the message.
  name @0 :Text;
  args @1 :List(Text);
  env @2 :List(EnvironmentVariable);
  grants @3 :List(NamedGrant);
  config @4 :AnyPointer;        # what the program's own schema says
}

struct EnvironmentVariable {
  name @0 :Text;
  value @1 :Text;
}

struct NamedGrant {
  name @0 :Text;
  id @1 :UInt32;                # in the process' capability table
  interfaces @2 :List(InterfaceRow);   # its own first, then the ancestors
}
