# The counter: the smallest service with a state.

@0xe1c5f0a7b3924d68;

interface Counter @0xc1a0e5b2d3f40821 {
  # A number that only grows, and a way to wait for it.
  add @0 (amount :UInt64) -> (value :UInt64);
  # Adds and answers the sum. It stops at the largest number instead of wrapping round.
  value @1 () -> (value :UInt64);
  reach @2 (value :UInt64) -> (value :UInt64);
  # Answers when the counter has reached this value. The answer waits, the service does not.
}
