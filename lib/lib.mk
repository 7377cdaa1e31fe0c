include lib/elf/elf.mk
include lib/capnp/capnp.mk
include lib/term/term.mk
include lib/rt/rt.mk
include lib/queue/queue.mk
include lib/time/time.mk
