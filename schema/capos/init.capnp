# What init answers for: the services it runs. (It also serves SystemControl of kernel.capnp.)

@0xa4be13c97f60d258;

using import "annotations.capnp".unit;
using import "annotations.capnp".replyWords;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".example;

enum ServiceState {
  none @0;
  running @1;
  waiting @2;          # ended; will be restarted when its back-off has passed
  stopped @3;          # ended and allowed to, or stopped by a person
  failed @4;           # given up: its restart budget is used up, or it could not be started
}

struct ServiceStatus {
  name @0 :Text;
  state @1 :ServiceState;
  processId @2 :UInt32;             # 0: none
  starts @3 :UInt32;                # how often it was started
  lastEnd @4 :Text;                 # why it ended last, in words; empty: it never did
}

enum ServiceOutcome {
  none @0;
  done @1;
  noSuchService @2;
  notRunning @3;
  alreadyRunning @4;
  startFailed @5;
  givenUp @6;          # its clients have been told that it is gone for good
}

interface ServiceView @0xc1a0e5b2d3f40811 {
  # Seeing which services run.
  list @0 () -> (services :List(ServiceStatus)) $replyWords(1024) $idempotent $example("services.list");
  # Every service of the manifest, in the order in which they were started.
}

interface Supervisor @0xc1a0e5b2d3f40812 extends(ServiceView) {
  # Starting and ending services.
  kill @0 (name :Text) -> (outcome :ServiceOutcome) $example("services.kill(name = \"logger\")");
  # Ends the process as a crash would; the service's restart policy decides what follows.
  stop @1 (name :Text) -> (outcome :ServiceOutcome);
  # Ends it and keeps it ended. Calls to it wait for its next start.
  start @2 (name :Text) -> (outcome :ServiceOutcome);
  # Starts a stopped service with a fresh restart budget; one that failed only if it provides nothing.
}
