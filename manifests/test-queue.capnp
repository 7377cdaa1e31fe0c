# Shared buffers and queues of events between processes: the bulk service, a peer that misbehaves, and the test.

@0xc3d86f5ab2170e49;

using Manifest = import "/capos/manifest.capnp";
using Interface = import "interfaces.capnp";
using Bulk = import "bulk.capnp";

const peer :Manifest.Service = (
  name = "peer",
  program = "bin/test-queue-peer",
  profile = "buffers",
  provides = [(name = "peer", interface = 0xc1a0e5b2d3f40851)],      # tests/queue/queue_peer.capnp
  grants = [
    (name = "factory", source = (kernel = factory)),
    (name = "memory", source = (kernel = memory)),
    (name = "timer", source = (kernel = timer))]);

const test :Manifest.Service = (
  name = "queue-test",
  program = "bin/test-queue",
  profile = "buffers",
  essential = true,
  grants = [
    (name = "console", source = (kernel = console)),
    (name = "factory", source = (kernel = factory)),
    (name = "memory", source = (kernel = memory)),
    (name = "timer", source = (kernel = timer)),
    (name = "system", source = (kernel = system)),
    (name = "bulk", source = (service = (name = "bulk", provided = "bulk"))),
    (name = "peer", source = (service = (name = "peer", provided = "peer")))]);

const manifest :Manifest.Manifest = (
  name = "test-queue",
  profiles = [Bulk.buffersProfile],
  services = [Bulk.service, .peer, .test]);
