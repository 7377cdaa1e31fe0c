# Memory that two processes share to pass bytes and events without copying. Calls only set it up; what travels is in the memory
# (docs/shared-buffers.md).

@0xd8f3a1c57b20e694;

using import "annotations.capnp".local;
using import "annotations.capnp".unit;
using import "kernel.capnp".MemoryObject;
using import "kernel.capnp".Signal;

struct BufferLayout {
  # Where everything stands follows from these; neither side believes what the memory says about itself.
  streams @0 :UInt32;
  entries @1 :UInt32;                      # of each stream's queue; a power of two
  chunks @2 :UInt32;
  chunkBytes @3 :UInt32 $unit("bytes");    # a multiple of 64
}

interface SharedBuffer @0xc1a0e5b2d3f40641 $local {
  # Many streams of bytes from whoever serves this to whoever attaches.
  attach @0 (wake :Signal, bits :UInt64) -> (memory :MemoryObject, layout :BufferLayout, wake :Signal, bits :UInt64);
  # Makes the caller the receiver, once. Its bits are set when a stream has something to be received; it sets those of the answer when
  # chunks have come back and the sender waits for them. The buffer is gone when nobody holds it any more.
}

interface EventQueue @0xc1a0e5b2d3f40642 $local {
  # Which of many sources is ready for what, told to one reader.
  attach @0 (wake :Signal, bits :UInt64) -> (memory :MemoryObject, sources :UInt32);
  # Makes the caller the reader, once. Its bits are set when it waits and something has happened at a source; keys are below `sources`.
}
