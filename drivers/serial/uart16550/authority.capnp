# The whole authority of the serial driver: eight I/O ports, one interrupt line, and a place to log.
# It has no memory of other processes, no DMA and no other device. Its callers are whoever the manifest
# grants `line` to; in the systems of this tree that is the terminal service alone.

@0xcf41d8a2760be593;

using Manifest = import "/capos/manifest.capnp";
using Interface = import "../../../manifests/interfaces.capnp";

const com2 :Manifest.Service = (
  name = "serial",
  program = "bin/uart16550",
  provides = [(name = "line", interface = Interface.byteStream)],
  grants = [
    (name = "ports", source = (ports = (start = 0x2f8, count = 8))),
    (name = "interrupt", source = (interrupt = 3)),
    (name = "log", source = (service = (name = "logger", provided = "sink")))],
  restart = (policy = always));
# The second serial line, where the person's terminal is. The first one is the kernel's log.
