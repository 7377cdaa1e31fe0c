# Everything the wire format has, for the tests of lib/capnp.

@0xd3c8f0b1e7a24596;

using import "/capos/annotations.capnp".sensitive;

enum Color { red @0; green @1; blueGreen @2; }

const answer :Int32 = -42;
const label :Text = "a \"label\"\n";
const primes :List(UInt16) = [2, 3, 5, 7];
const origin :Point = (x = 1, y = -2);
const blob :Data = 0x"00 ff 10";
const half :Float64 = 0.5;
const third :Float32 = 0.1;

struct Point {
  x @0 :Int32;
  y @1 :Int32;
}

struct All {
  voidField @0 :Void;
  boolField @1 :Bool;
  int8Field @2 :Int8;
  int16Field @3 :Int16;
  int32Field @4 :Int32;
  int64Field @5 :Int64;
  uint8Field @6 :UInt8;
  uint16Field @7 :UInt16;
  uint32Field @8 :UInt32;
  uint64Field @9 :UInt64;
  float32Field @10 :Float32;
  float64Field @11 :Float64;
  textField @12 :Text;
  dataField @13 :Data;
  structField @14 :All;
  enumField @15 :Color;
  voidList @16 :List(Void);
  boolList @17 :List(Bool);
  int8List @18 :List(Int8);
  int16List @19 :List(Int16);
  int32List @20 :List(Int32);
  int64List @21 :List(Int64);
  uint8List @22 :List(UInt8);
  uint16List @23 :List(UInt16);
  uint32List @24 :List(UInt32);
  uint64List @25 :List(UInt64);
  float32List @26 :List(Float32);
  float64List @27 :List(Float64);
  textList @28 :List(Text);
  dataList @29 :List(Data);
  structList @30 :List(All);
  enumList @31 :List(Color);
  nested @32 :List(List(Int16));
  points @33 :List(Point);
  return @34 :UInt8;
}

struct Defaults {
  boolField @0 :Bool = true;
  int8Field @1 :Int8 = -7;
  int32Field @2 :Int32 = -123456;
  int64Field @3 :Int64 = -1;
  uint16Field @4 :UInt16 = 65535;
  float32Field @5 :Float32 = 1.5;
  float64Field @6 :Float64 = -1e100;
  enumField @7 :Color = blueGreen;
  textField @8 :Text = "default";
  dataField @9 :Data = "bytes";
  structField @10 :Point = (x = 3, y = 4);
  listField @11 :List(Int32) = [1, -2, 3];
  pointList @12 :List(Point) = [(x = 1), (y = 2)];
}

struct Unions {
  before @0 :UInt32;
  union {
    nothing @1 :Void;
    number @2 :Int64;
    words @3 :Text;
    place :group {
      street @4 :Text;
      house @5 :UInt16;
      flag @12 :Bool = true;
    }
    point @6 :Point;
    list @11 :List(UInt8);
  }
  inner :union {
    a @7 :Bool;
    b @8 :Float64;
  }
  plain :group {
    left @9 :Int16;
    right @10 :Text;
  }
}

struct Pair(First, Second) {
  first @0 :First;
  second @1 :Second;
}

struct Pointers {
  any @0 :AnyPointer;
  pair @1 :Pair(Point, Text);
  worker @2 :Worker;
  capability @3 :Capability;
  workers @4 :List(Worker);
}

# One struct at three ages.
struct AgeOld {
  a @0 :UInt32;
  t @1 :Text;
}
struct AgeNew {
  a @0 :UInt32;
  t @1 :Text;
  b @2 :UInt64 = 77;
  u @3 :Text = "later";
  more @4 :List(UInt16);
}
struct ListOld { items @0 :List(UInt32); names @1 :List(Text); }
struct ListNew { items @0 :List(Item); names @1 :List(Named); }
struct Item { value @0 :UInt32; note @1 :Text; }
struct Named { name @0 :Text; rank @1 :UInt8 = 9; }

struct Seven {
  a @0 :UInt64;
  b @1 :UInt64;
  c @2 :UInt64;
  d @3 :UInt64;
  e @4 :UInt64;
  f @5 :UInt64;
  g @6 :UInt64;
}

struct Secret {
  user @0 :Text;
  password @1 :Text $sensitive;
}

interface Worker @0xb1d7f36c09e4a582 {
  # Does things.
  add @0 (left :Int64, right :Int64) -> (sum :Int64);
  name @1 () -> (name :Text);
  child @2 (name :Text) -> (child :Worker, serial :UInt32);
  adopt @3 (worker :Worker, any :Capability) -> (same :Bool);
  describe @4 Point -> Point;
  numbers @5 (numbers :List(Int32)) -> (total :Int64);
  feed @6 (bytes :Data) -> stream;
  later @7 () -> (value :UInt32);
  fail @8 (reason :Text) -> ();
  fed @9 (serial :UInt32) -> (calls :UInt32, bytes :UInt64, inOrder :Bool);
  # How often `feed` of the worker with that number (0: this one) ran to its end.
}

interface Boss @0xb1d7f36c09e4a583 extends(Worker, Named2) {
  hire @0 () -> (worker :Worker);
}

interface Named2 @0xb1d7f36c09e4a584 {
  title @0 () -> (size :UInt32);
}
