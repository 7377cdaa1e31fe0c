# Services that end in different ways; the last one is essential and ends the system with it.

@0xa5c3d1e7f9b08264;

using Manifest = import "/capos/manifest.capnp";

const manifest :Manifest.Manifest = (
  name = "test-restart",
  logLevel = debug,
  services = [
    (name = "orderly", program = "bin/test-ender", restart = (policy = onFailure)),
    (name = "failing", program = "bin/test-ender", args = ["fail"]),
    (name = "crashing", program = "bin/test-ender", args = ["crash"], essential = true,
      restart = (policy = always, budget = 2, backoffNs = 10000000))]);
