# Time: how a program reads the monotonic clock by itself, and what time of day it is.

@0xd2c4f1a7093be658;

using import "annotations.capnp".abi;
using import "annotations.capnp".at;
using import "annotations.capnp".unit;
using import "annotations.capnp".example;
using import "annotations.capnp".idempotent;

# --- The time since boot ----------------------------------------------------------------------

const clockLayout :UInt32 = 1;

struct ClockPage $abi(64) {
  # What Timer.clockPage gives, at its start. Never changes once it can be read.
  layout @0 :UInt32 $at(0);             # clockLayout; with another one a program asks Timer.now
  flags @1 :UInt32 $at(4);
  startTicks @2 :UInt64 $at(8);         # the processor's counter at time 0
  nsPerTick @3 :UInt64 $at(16);         # in units of 2^-32: ns = (ticks - startTicks) * nsPerTick >> 32, in 128 bits
}

const clockCounterUsable :UInt32 = 1;   # flag: the counter runs at one rate, the same on all processors; else ask Timer.now

# --- The time of day --------------------------------------------------------------------------

enum TimeSource {
  # Where a time of day comes from.
  none @0;       # Nobody has said what time it is.
  rtc @1;        # The machine's battery clock, when the clock service started.
  control @2;    # Somebody who holds a WallClockControl.
}

enum TimeTrust {
  # How far to believe it. A program that decides by the time of day says here what it asks for.
  unknown @0;    # There is no time.
  untrusted @1;  # From a device that anybody could have set, and that nobody has checked.
  asserted @2;   # Somebody with the authority to say so said so.
}

interface WallClock @0xc1a0e5b2d3f40861 {
  # The time of day, and what it is worth. It can jump, back as well: durations and deadlines are the Timer's.
  now @0 () -> (unixNs :Int64 $unit("unix ns"), source :TimeSource, trust :TimeTrust,
      uncertaintyNs :UInt64 $unit("ns"), changes :UInt32) $idempotent $example("clock.now");
  # Time since 1970 in UTC, without leap seconds; 0 with source none. The true time is believed to be within
  # uncertaintyNs of it, if the source is right; that grows with time. changes: how often the clock was set or adjusted.
}

interface WallClockControl @0xc1a0e5b2d3f40862 {
  # The authority to say what time it is.
  set @0 (unixNs :Int64 $unit("unix ns"), uncertaintyNs :UInt64 $unit("ns")) -> ();
  # From now on. Refused before 1970.
  adjust @1 (offsetNs :Int64 $unit("ns"), uncertaintyNs :UInt64 $unit("ns")) -> ();
  # Moves the clock by so much. Refused while there is no time, or if that is before 1970.
}
