# What the runtime's test of streams calls: flows that answer each call after a while.

@0x8f2b6d1c40e7a395;

interface FlowSource @0xc1a0e5b2d3f40852 {
  open @0 (holdNs :UInt64) -> (flow :Flow);
  # A flow of the caller's own. holdNs: how long each push is kept before it is answered; 0: not at all.
  newest @1 () -> (pushed :UInt64, inOrder :Bool, flows :UInt32);
  # What has come to the newest flow, and how many flows there are.
}

interface Flow @0xc1a0e5b2d3f40853 {
  push @0 (number :UInt64, bytes :Data) -> stream;
  # Numbers count from 0.
}
