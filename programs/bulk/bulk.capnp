# Bulk: bytes by the gibibyte from one process to another without copying them.

@0xa7c94d01e58b3f26;

using import "/capos/buffer.capnp".SharedBuffer;

interface Bulk @0xc1a0e5b2d3f40841 {
  # Makes buffers and sends marked chunks through them.
  open @0 (streams :UInt32, active :UInt32, mebibytes :UInt32, filled :Bool) -> (buffer :SharedBuffer);
  # A buffer with so many streams, on `active` of which mebibytes are sent, evenly, once there is a receiver. filled: every word is
  # written, not only one in each page. One buffer at a time.
}
