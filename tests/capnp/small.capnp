# One of each thing that the generator writes differently; its output is tests/capnp/golden.

@0xe5a1c7b3f2d84960;

using import "/capos/annotations.capnp".abi;
using import "/capos/annotations.capnp".at;
using import "/capos/annotations.capnp".code;
using import "/capos/annotations.capnp".sentence;
using import "/capos/annotations.capnp".times;
using import "/capos/annotations.capnp".idempotent;
using import "/capos/annotations.capnp".replyWords;

const entryMax :UInt16 = 32;      # A bound.

enum Outcome {
  # What came of it.
  none @0 $code(0) $sentence("nothing happened");
  worked @1 $code(-3) $sentence("it worked");
}

struct Slot $abi(16) {
  # A layout with a hole.
  kind @0 :UInt8 $at(0);
  count @1 :UInt32 $at(4) $times(2);
}

struct Item {
  # Something kept.
  name @0 :Text;
  number @1 :UInt32 = 7;
  outcome @2 :Outcome;
  union {
    plain @3 :Bool;
    detail :group { words @4 :List(Text); }
  }
}

interface Named @0xb7c2d9e0f1a35846 {
  name @0 () -> (name :Text) $idempotent;
}

interface Store @0xb7c2d9e0f1a35847 extends(Named) {
  # Keeps items.
  put @0 (number :UInt32, text :Text) -> (outcome :Outcome);
  # Puts one.
  open @1 (item :Item) -> (store :Store) $replyWords(16);
  count @2 (above :UInt32) -> (items :UInt32);
  # Scalars both ways.
  fill @3 (number :UInt32, bytes :Data) -> stream;
  # Goes on and on.
}
