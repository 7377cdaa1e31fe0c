# What the benchmark's client calls and its server answers.

@0xd3a90f4be1275c86;

using import "/capos/annotations.capnp".replyWords;

interface BenchTarget @0xc1a0e5b2d3f40891 {
  # Calls of three sizes, the same each way.
  nothing @0 () -> ();
  seven @1 (a :UInt64, b :UInt64, c :UInt64, d :UInt64, e :UInt64, f :UInt64, g :UInt64)
      -> (a :UInt64, b :UInt64, c :UInt64, d :UInt64, e :UInt64, f :UInt64, g :UInt64);
  # 64 bytes with the pointer to them; each answered one more.
  list @2 (values :List(UInt64)) -> (values :List(UInt64)) $replyWords(160);
  # 120 numbers, 960 bytes; each answered one more.
  put @3 (a :UInt64, b :UInt64, c :UInt64, d :UInt64, e :UInt64, f :UInt64, g :UInt64) -> stream;
  # Seven numbers in a stream: 1 to 7, else it fails.
}
