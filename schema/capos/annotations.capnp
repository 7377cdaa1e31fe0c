# Annotations that the schemas of capOS use. The generator (tools/capnpc-capos) reads those of the
# first two groups; the shell, the tracer and the audit log read the others by reflection.

@0xf0cdc187e759809d;

# --- How C is generated -----------------------------------------------------------------------

annotation code @0x9c1c4c3f8d0c6b11 (enumerant) :Int32;
# The number an enumerant has in C and in the ABI, where that is not its ordinal (status codes).

annotation sentence @0xb7e2b0a5f3a41c52 (enumerant) :Text;
# One sentence for people. The generator collects them into the table behind `<enum>_sentence()`.

annotation abi @0xe83c2f6f4f0d7a93 (struct) :UInt32;
# The struct is not a message but a C layout in shared memory of this many bytes. Each field carries
# `at`; the generator emits the C struct, its explicit padding and the assertions.

annotation at @0xd15a7c0e92b86e34 (field) :UInt32;
# Byte offset of a field of an `abi` struct.

annotation times @0xa46f0b7d1c2e9585 (field) :UInt32;
# The field of an `abi` struct is an array of this many elements.

annotation replyWords @0x8d9be3f7265a40c6 (method) :UInt32;
# How many message words a client offers for the results, where the default of 64 is not enough.

# --- What a value means -----------------------------------------------------------------------

annotation unit @0xc3d84f19a6e07b27 (field, param) :Text;
# The unit of a number: "ns", "bytes", "pages".

annotation hexadecimal @0xc7a90b3e5d18f264 (field, param) :Void;
# An identity, an address or a set of bits rather than an amount: people read it in hexadecimal.

annotation sensitive @0xfa0712b8c95d3e68 (field, param) :Void;
# Redacted in traces, audit records and the shell's history.

annotation local @0x91e6d5a4b70c8f79 (interface, struct) :Void;
# Means something only on this machine: shared memory, devices, kernel objects. Never sent on a wire.

annotation idempotent @0xbe4573c21f9a068a (method) :Void;
# May be repeated after a lost answer without further effect.

annotation debug @0xa2c9f80b6e17d59b (method, interface) :Void;
# For diagnosis; no program may depend on it.

annotation example @0xd67f3e914ab02cac (method, interface, field) :Text;
# A line that a person could type at the shell.
