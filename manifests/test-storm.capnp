# Services that may be ended as often as a test likes, and the test.

@0xe3b1f5a9d7c62840;

using Manifest = import "/capos/manifest.capnp";
using Interface = import "interfaces.capnp";
using Default = import "default.capnp";

const tireless :Manifest.Restart = (policy = always, budget = 1000, backoffNs = 0);

const logger :Manifest.Service = (
  name = "logger",
  program = "bin/logger",
  provides = [(name = "sink", interface = Interface.logSink, perClient = true)],
  grants = [
    (name = "memory", source = (kernel = memory)),
    (name = "timer", source = (kernel = timer))],
  restart = .tireless);

const counterService :Manifest.Service = (
  name = "counter",
  program = "bin/counter-service",
  provides = [(name = "counter", interface = Interface.counter)],
  restart = .tireless);

const bankService :Manifest.Service = (
  name = "bank",
  program = "bin/bank",
  provides = [(name = "bank", interface = Interface.bank)],
  grants = [(name = "memory", source = (kernel = memory))],
  restart = .tireless);

const storm :Manifest.Service = (
  name = "storm",
  program = "bin/test-storm",
  grants = [
    (name = "console", source = (kernel = console)),
    (name = "timer", source = (kernel = timer)),
    (name = "info", source = (kernel = info)),
    (name = "services", source = (init = supervisor)),
    (name = "log", source = (service = (name = "logger", provided = "sink"))),
    (name = "counter", source = (service = (name = "counter", provided = "counter"))),
    (name = "bank", source = (service = (name = "bank", provided = "bank")))],
  essential = true);

const manifest :Manifest.Manifest = (
  name = "test-storm",
  logLevel = error,
  services = [.logger, .counterService, .bankService, .storm]);
