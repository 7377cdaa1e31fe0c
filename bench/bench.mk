# The benchmark package: its first process is the benchmark itself, so that nothing else runs beside it.
# `make boot-bench CONFIG=release`; tools/runner/bench.py boots it.

BENCH_SCHEMA     := bench/guest/bench.capnp
BENCH_SCHEMA_BIN := $(GEN)/bench/guest/bench.bin

# A run of its own: the schema is not part of the system.
gen: $(BENCH_SCHEMA_BIN)
$(BENCH_SCHEMA_BIN): $(BENCH_SCHEMA) $(CAPNPC) $(SCHEMAS_BIN)
	@mkdir -p $(@D)
	capnp compile -I schema -o- $(BENCH_SCHEMA) > $@.tmp
	cd $(GEN) && $(abspath $(CAPNPC)) < $(abspath $@.tmp)
	@mv $@.tmp $@
$(GEN)/bench/guest/%.capnp.c: $(BENCH_SCHEMA_BIN) ;
$(GEN)/bench/guest/%.h: $(BENCH_SCHEMA_BIN) ;

BENCH_PARTY := bench/guest/party.c bench/guest/serve.c gen/bench/guest/bench.capnp.c

$(eval $(call program,bench,bench/guest/main.c bench/guest/measure.c bench/guest/rows.c bench/guest/peer.c \
	$(BENCH_PARTY) bench/guest/buffers.c $(LIB_QUEUE_PURE)))
$(eval $(call program,bench-nothing,bench/guest/nothing.c))

.PHONY: boot-bench
boot-bench: kernel $(B)/boot-bench.cpio
$(B)/boot-bench.cpio: tools/bootpack/bootpack.py $(B)/bin/bench $(B)/bin/bench-nothing
	tools/bootpack/bootpack.py $@ bin/init=$(B)/bin/bench bin/nothing=$(B)/bin/bench-nothing
all: $(B)/boot-bench.cpio

# The same for several processors; tools/runner/bench_smp.py boots it.
$(eval $(call program,bench-smp,bench/smp/guest.c $(BENCH_PARTY)))
.PHONY: boot-bench-smp
boot-bench-smp: kernel $(B)/boot-bench-smp.cpio
$(B)/boot-bench-smp.cpio: tools/bootpack/bootpack.py $(B)/bin/bench-smp
	tools/bootpack/bootpack.py $@ bin/init=$(B)/bin/bench-smp
all: $(B)/boot-bench-smp.cpio

# Beside them: the work on the host itself, and what runs as Linux's first process.
BENCH_NATIVE := $(HOST)/bench/smp-native
$(HOST)/bench/smp-%: bench/smp/%.c bench/smp/work.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static -pthread $< -o $@
.PHONY: bench-smp-host
bench-smp-host: $(BENCH_NATIVE) $(HOST)/bench/smp-linux
all: bench-smp-host

# Cyclic work on islands; tools/runner/bench_realtime.py boots it, and the guest tests do.
$(eval $(call program,bench-realtime,bench/realtime/guest.c))
TEST_PROGRAMS += bench-realtime
GUEST_TESTS   += realtime:test-realtime
