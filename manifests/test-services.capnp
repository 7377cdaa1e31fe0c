# Every service but terminal and shell, and a client that tests them.

@0xc9e4b2d8f6a07153;

using Manifest = import "/capos/manifest.capnp";
using Default = import "default.capnp";
using Interface = import "interfaces.capnp";

# Without a line of its own; the tests open terminals.
const terminal :Manifest.Service = (
  name = "terminal",
  program = "bin/terminal",
  provides = [
    (name = "session", interface = Interface.terminalSession),
    (name = "factory", interface = Interface.terminalFactory)],
  grants = [
    (name = "memory", source = (kernel = memory)),
    (name = "timer", source = (kernel = timer))]);

const clients :Manifest.Service = (
  name = "clients",
  program = "bin/test-clients",
  grants = [
    (name = "console", source = (kernel = console)),
    (name = "timer", source = (kernel = timer)),
    (name = "memory", source = (kernel = memory)),
    (name = "services", source = (init = supervisor)),
    (name = "log", source = (service = (name = "logger", provided = "sink"))),
    (name = "logs", source = (service = (name = "logger", provided = "reader"))),
    (name = "counter", source = (service = (name = "counter", provided = "counter"))),
    (name = "bank", source = (service = (name = "bank", provided = "bank"))),
    (name = "line", source = (service = (name = "serial", provided = "line"))),
    (name = "terminals", source = (service = (name = "terminal", provided = "factory")))],
  essential = true);

const manifest :Manifest.Manifest = (
  name = "test-services",
  logLevel = info,
  services = [Default.logger, Default.serial, .terminal, Default.counterService, Default.bankService, .clients]);
