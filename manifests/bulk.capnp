# A gibibyte from one process to another without copying: `./capos run --manifest bulk` prints what it took and stops.

@0xf1927b6de03c5a84;

using Manifest = import "/capos/manifest.capnp";
using Interface = import "interfaces.capnp";

# The memory of a buffer is the sender's; the receiver's tables grow with its streams.
const buffersProfile :Manifest.Profile = (name = "buffers", limits = [
  (class = frames, limit = 4096),
  (class = slots, limit = 256),
  (class = objects, limit = 128),
  (class = exports, limit = 32),
  (class = calls, limit = 64),
  (class = timers, limit = 16),
  (class = threads, limit = 1)]);

const service :Manifest.Service = (
  name = "bulk",
  program = "bin/bulk-service",
  profile = "buffers",
  provides = [(name = "bulk", interface = Interface.bulk)],
  grants = [
    (name = "factory", source = (kernel = factory)),
    (name = "memory", source = (kernel = memory))]);

const client :Manifest.Service = (
  name = "client",
  program = "bin/bulk",
  profile = "buffers",
  essential = true,
  grants = [
    (name = "log", source = (kernel = console)),
    (name = "factory", source = (kernel = factory)),
    (name = "memory", source = (kernel = memory)),
    (name = "bulk", source = (service = (name = "bulk", provided = "bulk")))]);

const manifest :Manifest.Manifest = (
  name = "bulk",
  profiles = [.buffersProfile],
  services = [.service, .client]);
