# The log: who may write a record and who may read them. The logger service (services/logger)
# implements both; the record's source is the holder of the sink, never the writer's own words.

@0xb0b8d14de7a35c11;

using import "annotations.capnp".unit;
using import "annotations.capnp".replyWords;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".example;

enum LogLevel {
  # How much a record matters. A limit of one level takes that level and those before it.
  none @0;
  error @1;        # something that was asked for did not happen
  warning @2;      # it went on, but somebody should look
  info @3;         # what a person wants to know of a healthy system
  debug @4;        # what a developer wants to know
}

struct LogRecord {
  sequence @0 :UInt64;             # counts every record since the logger started, from 0
  timeNs @1 :UInt64 $unit("ns");   # monotonic, when the logger took it
  level @2 :LogLevel;
  source @3 :Text;                 # the service whose sink it came through
  text @4 :Text;
}

interface LogSink @0xc1a0e5b2d3f40801 {
  # Writing records under one fixed name.
  write @0 (level :LogLevel, text :Text) -> () $example("log.write(level = info, text = \"hi\")");
  # Keeps one record. Text beyond 240 bytes is cut; records above the system's log level are ignored.
}

interface LogReader @0xc1a0e5b2d3f40802 {
  # Reading everybody's records.
  read @0 (from :UInt64, max :UInt32) -> (records :List(LogRecord), next :UInt64, dropped :UInt64)
    $replyWords(1024) $idempotent $example("logs.read(from = 0, max = 20)");
  # Records with sequence `from` and later, oldest first, at most `max` (0: as many as fit, 20 at most).
  # next: what to ask for then. dropped: how many from `from` on were no longer kept.
  status @1 () -> (kept :UInt32, capacity :UInt32, written :UInt64, dropped :UInt64) $idempotent $example("logs.status");
  # How full the log is, and how many records it has ever taken and dropped.
  follow @2 (from :UInt64) -> (next :UInt64);
  # Answers once a record with sequence `from` or later exists.
}

struct LoggerConfig {
  # What the manifest says to the logger.
  capacity @0 :UInt32 = 512;       # records, at most 65536
}
