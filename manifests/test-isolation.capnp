# Leases by an operator's rule: the service, a client that tests it, and one that is there to be ended.

@0xb71d94e08a3c52f6;

using Manifest = import "/capos/manifest.capnp";
using Isolation = import "/capos/isolation.capnp";
using Interface = import "interfaces.capnp";
using Default = import "default.capnp";

const rules :Isolation.IsolationConfig = (rules = [
  (client = "tester", processors = 3, kinds = [thread, compute],
   longestNs = 10000000000, atOnce = 1, share = 500, promised = 600)]);

const isolation :Manifest.Service = (
  name = "isolation",
  program = "bin/isolation",
  config = .rules,
  provides = [
    (name = "isolation", interface = Interface.isolation, perClient = true),
    (name = "control", interface = Interface.isolationControl)],
  grants = [
    (name = "memory", source = (kernel = memory)),
    (name = "scheduling", source = (kernel = scheduling)),
    (name = "log", source = (service = (name = "logger", provided = "sink")))],
  restart = (policy = always, backoffNs = 0));

const holder :Manifest.Service = (
  name = "holder",
  program = "bin/test-isolation",
  grants = [
    (name = "threads", source = (kernel = threads)),
    (name = "isolation", source = (service = (name = "isolation", provided = "isolation")))]);

const tester :Manifest.Service = (
  name = "tester",
  program = "bin/test-isolation",
  profile = "threads",
  grants = [
    (name = "console", source = (kernel = console)),
    (name = "timer", source = (kernel = timer)),
    (name = "info", source = (kernel = info)),
    (name = "memory", source = (kernel = memory)),
    (name = "threads", source = (kernel = threads)),
    (name = "services", source = (init = supervisor)),
    (name = "isolation", source = (service = (name = "isolation", provided = "isolation"))),
    (name = "control", source = (service = (name = "isolation", provided = "control")))],
  essential = true);

const manifest :Manifest.Manifest = (
  name = "test-isolation",
  profiles = [(name = "threads", limits = [
    (class = frames, limit = 512),
    (class = slots, limit = 256),
    (class = objects, limit = 64),
    (class = exports, limit = 8),
    (class = calls, limit = 64),
    (class = timers, limit = 16),
    (class = threads, limit = 4)])],
  services = [Default.logger, .isolation, .holder, .tester]);
