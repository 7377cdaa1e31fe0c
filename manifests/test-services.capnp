# Every service but terminal and shell, and a client that tests them.

@0xc9e4b2d8f6a07153;

using Manifest = import "/capos/manifest.capnp";
using Default = import "default.capnp";

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
    (name = "line", source = (service = (name = "serial", provided = "line")))],
  essential = true);

const manifest :Manifest.Manifest = (
  name = "test-services",
  logLevel = info,
  services = [Default.logger, Default.serial, Default.counterService, Default.bankService, .clients]);
