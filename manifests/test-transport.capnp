# Typed clients over the ring: one service that launches the server it calls and powers off when done.

@0xb8d1f47a2c6e9053;

using Manifest = import "/capos/manifest.capnp";

const large :Manifest.Profile = (name = "large", limits = [
  (class = frames, limit = 4096),
  (class = slots, limit = 1024),
  (class = objects, limit = 512),
  (class = exports, limit = 256),
  (class = calls, limit = 256),
  (class = timers, limit = 64),
  (class = threads, limit = 16)]);

const manifest :Manifest.Manifest = (
  name = "test-transport",
  profiles = [.large],
  services = [
    (name = "transport-test", program = "bin/transport-test", profile = "large", essential = true, grants = [
      (name = "console", source = (kernel = console)),
      (name = "memory", source = (kernel = memory)),
      (name = "factory", source = (kernel = factory)),
      (name = "spawner", source = (kernel = spawner)),
      (name = "package", source = (kernel = package)),
      (name = "system", source = (kernel = system))])]);
