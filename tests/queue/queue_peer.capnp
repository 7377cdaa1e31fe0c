# The other side of the tests of shared buffers and queues of events.

@0xe5b07c2d94a1f863;

using import "/capos/buffer.capnp".SharedBuffer;
using import "/capos/buffer.capnp".EventQueue;

interface QueuePeer @0xc1a0e5b2d3f40851 {
  evil @0 (seed :UInt64, rounds :UInt32) -> (buffer :SharedBuffer);
  # A buffer of 16 streams whose sender scribbles over all of it that is not data, so many times, between sending; then the whole process ends.
  events @1 (sources :UInt32) -> (queue :EventQueue);
  # A queue of the events of so many sources.
  tell @2 (active :UInt32, events :UInt32) -> ();
  # Tells them of so many of these sources, spread evenly.
}
