# Processors for those who need one for themselves, within an operator's rule. The isolation service
# (services/isolation) answers for all of it; what a lease is stands in docs/budgets.md.

@0xe19b7d3c5a40f826;

using import "annotations.capnp".hexadecimal;
using import "annotations.capnp".unit;
using import "annotations.capnp".local;
using import "annotations.capnp".replyWords;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".example;
using import "kernel.capnp".LeaseKind;

struct LeaseRule {
  # What one client may have. What no rule allows is refused.
  client @0 :Text;                  # a service of the manifest; empty: each that no other rule names
  processors @1 :UInt64 $hexadecimal;   # that it may use: bit n is processor n; the first one for islands only
  kinds @2 :List(LeaseKind);
  longestNs @3 :UInt64 $unit("ns"); # that a lease lasts
  atOnce @4 :UInt32;                # leases that it has at a time
  share @5 :UInt32 = 1000 $unit("per mille");   # of a processor: budget over period, of kind compute
  promised @6 :UInt32 $unit("per mille");   # of a processor: budgets over periods of all its islands together
}

enum LeaseState {
  none @0;
  active @1;
  timeout @2;      # its time is over
  ended @3;        # by whoever held it
  revoked @4;      # by the operator
  died @5;         # its thread has ended
}

struct LeaseRow {
  # A lease in short, as the shell's `lease` shows it.
  id @0 :UInt64;                    # counts all that were issued, from 1
  processor @1 :UInt32;
  kind @2 :LeaseKind;
  state @3 :LeaseState;
  client @4 :Text;                  # who asked for it
  process @5 :UInt32;               # whose thread it is for
  remainingNs @6 :UInt64 $unit("ns");
  interrupts @7 :UInt64;            # that the processor took
  quietNs @8 :UInt64 $unit("ns");   # the longest time between two of them
}

const islandTasksMax :UInt32 = 8;

struct CyclicTask {
  # A thread that begins to work at the start of each period, and is to be done by its end.
  budgetNs @0 :UInt64 $unit("ns");  # that it works in a period, at most
  periodNs @1 :UInt64 $unit("ns");
}

struct TaskRow {
  budgetNs @0 :UInt64 $unit("ns");
  periodNs @1 :UInt64 $unit("ns");
  bound @2 :Bool;                   # it has a thread
  usedNs @3 :UInt64 $unit("ns");
  depletions @4 :UInt64;            # how often its budget was used up
  missed @5 :UInt64;                # how often it did not come to rest within a period
}

struct IslandRow {
  id @0 :UInt64;                    # counts islands and leases together
  processor @1 :UInt32;
  exclusive @2 :Bool;
  ended @3 :Bool;
  client @4 :Text;
  tasks @5 :UInt32;
}

interface Isolation @0xc1a0e5b2d3f40670 $local {
  # Asking for a processor, within the rule that the operator made for this client.
  lease @0 (thread :Capability, kind :LeaseKind, durationNs :UInt64 $unit("ns"), processor :UInt32,
      budgetNs :UInt64 $unit("ns"), periodNs :UInt64 $unit("ns")) -> (lease :IssuedLease);
  # A whole processor for this thread; a ProcessHandle stands for the first thread of the process. durationNs 0: as
  # long as the rule allows. processor 0: any that the rule allows and that is free, since the first is never leased.
  # budgetNs, periodNs: of kind compute only.
  rule @1 () -> (rule :LeaseRule) $idempotent $example("isolation.rule");
  # What this client may have; empty if nothing.
  island @2 (tasks :List(CyclicTask), processor :UInt32, exclusive :Bool, durationNs :UInt64 $unit("ns")) -> (island :Island);
  # Time for tasks that work in cycles: all that they need on this processor, or a refusal. Each has its budget before all
  # threads without one. exclusive: one task, for durationNs on a processor where nobody else runs, as `lease` gives it.
}

interface Island @0xc1a0e5b2d3f40673 $local {
  # Time for tasks. Ends when it is ended, when nobody holds it, when the operator revokes it, and with the isolation
  # service; an exclusive one with its time and its thread, too. Then its threads run like any other.
  bind @0 (task :UInt32, thread :Capability) -> ();
  # The thread of a ThreadHandle, or the first of a ProcessHandle, works on this task's budget from now on.
  info @1 () -> (id :UInt64, processor :UInt32, ended :Bool, tasks :List(TaskRow)) $replyWords(128);
  end @2 () -> ();
}

interface IssuedLease @0xc1a0e5b2d3f40671 $local {
  # A lease as whoever asked for it has it. It ends with its time, its thread, `end`, when nobody holds this, when the
  # operator revokes it, and with the isolation service.
  info @0 () -> (id :UInt64, state :LeaseState, processor :UInt32, kind :LeaseKind, processId :UInt32, threadId :UInt32,
      thread :Text, remainingNs :UInt64 $unit("ns"), usedNs :UInt64 $unit("ns"), interrupts :UInt64,
      quietNs :UInt64 $unit("ns"));
  # thread: its name, or its process' if it was shown by that, with threadId 0. usedNs: time that it ran; interrupts: that the
  # processor took; quietNs: the longest time between two of them.
  end @1 () -> ();
  # From now on the processor serves everybody. Once more changes nothing.
}

interface IsolationControl @0xc1a0e5b2d3f40672 $local {
  # The operator's side: the rules, and everybody's leases.
  leases @0 () -> (leases :List(LeaseRow)) $replyWords(1024) $idempotent $example("isolation_control.leases");
  # Those that somebody still holds, oldest first, as many as fit.
  revoke @1 (id :UInt64) -> (revoked :Bool);
  # Ends a lease or an island at once. revoked: it was active.
  rules @2 () -> (rules :List(LeaseRule)) $replyWords(1024) $idempotent $example("isolation_control.rules");
  setRule @3 (rule :LeaseRule) -> ();
  # For what is asked from now on, in place of the rule for the same client. What was issued stays: revoke it.
  islands @4 () -> (islands :List(IslandRow)) $replyWords(1024) $idempotent $example("isolation_control.islands");
}

struct IsolationConfig {
  # What the manifest says to the isolation service.
  rules @0 :List(LeaseRule);        # at most 32
}
