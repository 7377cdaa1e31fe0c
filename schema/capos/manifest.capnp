# The manifest: which services a system consists of, what each is given, and what happens when it ends.
# A manifest is a constant of this type in manifests/*.capnp; the build evaluates it into the boot
# package, and init checks the whole of it (services/init/plan.c) before it starts anything.

@0xd3f2a90c5e1b7764;

using import "annotations.capnp".unit;
using import "annotations.capnp".hexadecimal;
using import "kernel.capnp".EnvironmentVariable;
using import "kernel.capnp".LatencyClass;
using import "log.capnp".LogLevel;
using import "status.capnp".ResourceClass;

const servicesMax :UInt32 = 32;
const grantsMax :UInt32 = 24;       # of one service
const providedMax :UInt32 = 8;      # of one service
const profilesMax :UInt32 = 16;
const argumentsMax :UInt32 = 16;    # and environment variables, of one service
const nameBytesMax :UInt32 = 31;
const interruptLines :UInt32 = 16;
const clientTagShift :UInt32 = 16;  # see perClient
const restartBudgetMax :UInt32 = 1000;
const weightMax :UInt32 = 10000;    # of a policy

struct Manifest {
  name @0 :Text;                    # of the system, for people
  motd @1 :Text;                    # what the shell greets with; {caps} is the number of capabilities held
  logLevel @2 :LogLevel = info;
  profiles @3 :List(Profile);
  services @4 :List(Service);       # started in this order, except that a service precedes its clients
}

struct Profile {
  # How much a service may use; its children share it. Classes not named get the kernel's small default.
  name @0 :Text;
  limits @1 :List(Limit);
}

struct Limit {
  class @0 :ResourceClass;
  limit @1 :UInt64;
}

struct Service {
  name @0 :Text;
  program @1 :Text;                 # a file of the boot package: "bin/logger"
  args @2 :List(Text);
  env @3 :List(EnvironmentVariable);
  config @4 :AnyPointer;            # arrives as `own` of ServiceConfig
  provides @5 :List(Provided);
  grants @6 :List(Grant);
  restart @7 :Restart;
  profile @8 :Text;                 # name of a profile; empty: the kernel's defaults
  essential @9 :Bool;               # when it ends for good, the system is shut down
}

struct Provided {
  # An object that the service answers for. Init makes it before the service runs and it outlives
  # restarts: calls meanwhile wait. Calls arrive with tag = number in `provides`.
  name @0 :Text;
  interface @1 :UInt64;             # id of its interface
  perClient @2 :Bool;
  # Each service that is granted it gets an object of its own; calls arrive with
  # tag = (number in `clients` of ServiceConfig + 1) << 16 | number in `provides`.
}

struct Grant {
  name @0 :Text;                    # as the program asks for it
  source :union {
    none @1 :Void;                  # refused
    kernel @2 :KernelObject;
    ports @3 :PortRange;
    interrupt @4 :UInt32;           # ISA line
    service :group {
      name @5 :Text;
      provided @6 :Text;
    }
    init @7 :InitObject;
    policy @9 :PolicyBounds;        # a SchedulingPolicy within them
  }
  narrow @8 :UInt64;                # grant the facet of this ancestor; 0: the whole interface
}

enum KernelObject {
  # What the kernel gave to init.
  none @0;
  console @1;          # Console: the kernel's log
  timer @2;            # Timer
  entropy @3;          # EntropySource
  info @4;             # SystemInfo
  memory @5;           # VirtualMemory: the service's own address space
  factory @6;          # ObjectFactory
  spawner @7;          # ProcessSpawner
  package @8;          # BootPackage
  system @9;           # SystemControl: at once, without telling any service
  authority @10;       # CapabilityManager
  interrupts @11;      # InterruptController
  tracer @12;          # PayloadTracer: everybody's calls and messages; narrow it to Tracer for headers
  sessions @13;        # SessionManager
  threads @14;         # ThreadSpawner: the making of the service's own threads
  scheduling @15;      # SchedulingControl: promising the processors' time
}

struct PortRange {
  start @0 :UInt16;
  count @1 :UInt16;
}

struct PolicyBounds {
  # What a SchedulingPolicy may set. 0, or none: whatever there is.
  weight @0 :UInt32;                # at most
  class @1 :LatencyClass;           # the most urgent
  processors @2 :UInt64 $hexadecimal;   # bit n: processor n. Those that the machine has not got are left out
}

enum InitObject {
  # What init itself answers for.
  none @0;
  system @1;           # SystemControl: stops the services in order first
  supervisor @2;       # Supervisor
}

struct Restart {
  policy @0 :RestartPolicy;
  budget @1 :UInt32 = 5;                                      # restarts within the window; then init gives up
  windowNs @2 :UInt64 = 60000000000 $unit("ns");
  backoffNs @3 :UInt64 = 20000000 $unit("ns");                # before the first restart; doubles
  backoffMaxNs @4 :UInt64 = 5000000000 $unit("ns");
}

enum RestartPolicy {
  never @0;
  onFailure @1;        # after a crash, a kill or a status that is not 0
  always @2;
}

struct ServiceConfig {
  # The config of the launch parameters that init writes for each service.
  own @0 :AnyPointer;               # the manifest's words to it
  clients @1 :List(Text);           # services that hold a perClient object
  logLevel @2 :LogLevel;
  motd @3 :Text;
}
