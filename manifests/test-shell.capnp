# The default system with the test programs in its boot package, for the tests of shell and terminal.

@0xe3a1b09d5c7f4286;

using Manifest = import "/capos/manifest.capnp";
using Default = import "default.capnp";

const manifest :Manifest.Manifest = Default.manifest;
