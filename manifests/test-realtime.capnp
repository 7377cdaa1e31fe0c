# Cyclic work beside noisy neighbours, with and without an island (bench/realtime).

@0xd4a07b9e36c1f852;

using Manifest = import "/capos/manifest.capnp";
using Isolation = import "/capos/isolation.capnp";
using Default = import "default.capnp";
using Interface = import "interfaces.capnp";

const rules :Isolation.IsolationConfig = (rules = [
  (client = "cyclic", processors = 0xffffffffffffffff, kinds = [compute], longestNs = 600000000000, atOnce = 1,
   promised = 850)]);

const isolation :Manifest.Service = (
  name = "isolation",
  program = "bin/isolation",
  config = .rules,
  provides = [(name = "isolation", interface = Interface.isolation, perClient = true)],
  grants = [
    (name = "memory", source = (kernel = memory)),
    (name = "scheduling", source = (kernel = scheduling)),
    (name = "log", source = (service = (name = "logger", provided = "sink")))]);

const cyclic :Manifest.Service = (
  name = "cyclic",
  program = "bin/bench-realtime",
  profile = "threads",
  grants = [
    (name = "console", source = (kernel = console)),
    (name = "timer", source = (kernel = timer)),
    (name = "info", source = (kernel = info)),
    (name = "factory", source = (kernel = factory)),
    (name = "memory", source = (kernel = memory)),
    (name = "threads", source = (kernel = threads)),
    (name = "isolation", source = (service = (name = "isolation", provided = "isolation")))],
  essential = true);

const manifest :Manifest.Manifest = (
  name = "test-realtime",
  profiles = [(name = "threads", limits = [
    (class = frames, limit = 2048),
    (class = slots, limit = 256),
    (class = objects, limit = 64),
    (class = exports, limit = 8),
    (class = calls, limit = 64),
    (class = timers, limit = 16),
    (class = threads, limit = 24)])],
  services = [Default.logger, .isolation, .cyclic]);
