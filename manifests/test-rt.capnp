# The runtime's guest test: one service that holds what launching needs and powers off when it is done.

@0x9b7e40c2d15fa836;

using Manifest = import "/capos/manifest.capnp";

const large :Manifest.Profile = (name = "large", limits = [
  (class = frames, limit = 8192),
  (class = slots, limit = 4096),
  (class = objects, limit = 2048),
  (class = exports, limit = 512),
  (class = calls, limit = 512),
  (class = timers, limit = 128),
  (class = threads, limit = 64)]);

const manifest :Manifest.Manifest = (
  name = "test-rt",
  profiles = [.large],
  services = [
    (name = "rt-test", program = "bin/rt-test", profile = "large", essential = true, grants = [
      (name = "console", source = (kernel = console)),
      (name = "timer", source = (kernel = timer)),
      (name = "info", source = (kernel = info)),
      (name = "memory", source = (kernel = memory)),
      (name = "threads", source = (kernel = threads)),
      (name = "factory", source = (kernel = factory)),
      (name = "spawner", source = (kernel = spawner)),
      (name = "package", source = (kernel = package)),
      (name = "system", source = (kernel = system))])]);
