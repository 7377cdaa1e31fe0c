# Interface ids by name, for manifests. Each is the id in the schema named beside it; init refuses an id
# that no schema of the boot package has.

@0x95b4f7e2c08d361a;

const console :UInt64 = 0xc1a0e5b2d3f40601;           # schema/capos/kernel.capnp
const byteStream :UInt64 = 0xc1a0e5b2d3f40703;        # schema/capos/terminal.capnp
const terminalSession :UInt64 = 0xc1a0e5b2d3f40705;
const terminalFactory :UInt64 = 0xc1a0e5b2d3f40706;
const logSink :UInt64 = 0xc1a0e5b2d3f40801;           # schema/capos/log.capnp
const logReader :UInt64 = 0xc1a0e5b2d3f40802;
const wallClock :UInt64 = 0xc1a0e5b2d3f40861;         # schema/capos/clock.capnp
const wallClockControl :UInt64 = 0xc1a0e5b2d3f40862;
const isolation :UInt64 = 0xc1a0e5b2d3f40670;         # schema/capos/isolation.capnp
const isolationControl :UInt64 = 0xc1a0e5b2d3f40672;
const counter :UInt64 = 0xc1a0e5b2d3f40821;           # programs/counter/counter.capnp
const bulk :UInt64 = 0xc1a0e5b2d3f40841;              # programs/bulk/bulk.capnp
const bank :UInt64 = 0xc1a0e5b2d3f40831;              # programs/bank/bank.capnp
