# The system that `./capos run` boots: a serial line, a terminal on it, a log, two teaching services
# and a shell that a person uses.

@0x8e0d3b6fa1c57294;

using Manifest = import "/capos/manifest.capnp";
using Log = import "/capos/log.capnp";
using Isolation = import "/capos/isolation.capnp";
using Interface = import "interfaces.capnp";
using Uart = import "../drivers/serial/uart16550/authority.capnp";

# The shell's children live within its profile.
const personProfile :Manifest.Profile = (name = "person", limits = [
  (class = frames, limit = 6144),
  (class = slots, limit = 1024),
  (class = objects, limit = 512),
  (class = exports, limit = 256),
  (class = calls, limit = 256),
  (class = timers, limit = 128),
  (class = threads, limit = 64)]);

const restarted :Manifest.Restart = (policy = onFailure);
const kept :Manifest.Restart = (policy = always);

const serial :Manifest.Service = Uart.com2;

const terminal :Manifest.Service = (
  name = "terminal",
  program = "bin/terminal",
  provides = [
    (name = "session", interface = Interface.terminalSession),
    (name = "factory", interface = Interface.terminalFactory)],
  grants = [
    (name = "memory", source = (kernel = memory)),
    (name = "stream", source = (service = (name = "serial", provided = "line"))),
    (name = "timer", source = (kernel = timer)),
    (name = "log", source = (service = (name = "logger", provided = "sink")))],
  restart = .kept);

const loggerConfig :Log.LoggerConfig = (capacity = 512);
const logger :Manifest.Service = (
  name = "logger",
  program = "bin/logger",
  config = .loggerConfig,
  provides = [
    (name = "sink", interface = Interface.logSink, perClient = true),
    (name = "reader", interface = Interface.logReader)],
  grants = [
    (name = "memory", source = (kernel = memory)),
    (name = "timer", source = (kernel = timer))],
  restart = .kept);

# The only one that reads the battery clock.
const clock :Manifest.Service = (
  name = "clock",
  program = "bin/clock",
  provides = [
    (name = "clock", interface = Interface.wallClock),
    (name = "control", interface = Interface.wallClockControl)],
  grants = [
    (name = "ports", source = (ports = (start = 0x70, count = 2))),
    (name = "memory", source = (kernel = memory)),
    (name = "timer", source = (kernel = timer)),
    (name = "log", source = (service = (name = "logger", provided = "sink")))],
  restart = .kept);

const counterService :Manifest.Service = (
  name = "counter",
  program = "bin/counter-service",
  provides = [(name = "counter", interface = Interface.counter)],
  restart = .restarted);

const bankService :Manifest.Service = (
  name = "bank",
  program = "bin/bank",
  provides = [(name = "bank", interface = Interface.bank)],
  grants = [(name = "memory", source = (kernel = memory))],
  restart = .restarted);

# The only one that can promise processors' time. A person may have any processor that can be leased, for ten minutes, and
# half of one for islands.
const leaseRules :Isolation.IsolationConfig = (rules = [
  (client = "shell", processors = 0xffffffffffffffff, kinds = [thread, ring, compute],
   longestNs = 600000000000, atOnce = 16, promised = 500)]);
const isolation :Manifest.Service = (
  name = "isolation",
  program = "bin/isolation",
  config = .leaseRules,
  provides = [
    (name = "isolation", interface = Interface.isolation, perClient = true),
    (name = "control", interface = Interface.isolationControl)],
  grants = [
    (name = "memory", source = (kernel = memory)),
    (name = "scheduling", source = (kernel = scheduling)),
    (name = "log", source = (service = (name = "logger", provided = "sink")))],
  restart = .kept);

const shell :Manifest.Service = (
  name = "shell",
  program = "bin/shell",
  profile = "person",
  grants = [
    (name = "term", source = (service = (name = "terminal", provided = "session"))),
    (name = "console", narrow = Interface.console,
      source = (service = (name = "terminal", provided = "session"))),
    (name = "timer", source = (kernel = timer)),
    (name = "entropy", source = (kernel = entropy)),
    (name = "info", source = (kernel = info)),
    (name = "factory", source = (kernel = factory)),
    (name = "spawner", source = (kernel = spawner)),
    (name = "package", source = (kernel = package)),
    (name = "authority", source = (kernel = authority)),
    (name = "tracer", source = (kernel = tracer)),
    (name = "memory", source = (kernel = memory)),
    (name = "system", source = (init = system)),
    (name = "services", source = (init = supervisor)),
    (name = "log", source = (service = (name = "logger", provided = "sink"))),
    (name = "logs", source = (service = (name = "logger", provided = "reader"))),
    (name = "clock", source = (service = (name = "clock", provided = "clock"))),
    (name = "clock_control", source = (service = (name = "clock", provided = "control"))),
    # Ten times the usual share at the most.
    (name = "policy", source = (policy = (weight = 1000))),
    (name = "isolation", source = (service = (name = "isolation", provided = "isolation"))),
    (name = "isolation_control", source = (service = (name = "isolation", provided = "control"))),
    (name = "counter", source = (service = (name = "counter", provided = "counter"))),
    (name = "bank", source = (service = (name = "bank", provided = "bank")))],
  restart = (policy = always, budget = 10),
  essential = true);

const manifest :Manifest.Manifest = (
  name = "default",
  motd = "capOS 0.1 · you hold {caps} capabilities\nTry `tour`, `caps`, `help` · leave: `poweroff`",
  logLevel = info,
  profiles = [.personProfile],
  services = [.logger, .serial, .terminal, .counterService, .bankService, .clock, .isolation, .shell]);
