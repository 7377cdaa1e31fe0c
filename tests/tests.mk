# Tests, fuzz targets and the SDK: how they are declared, and the rules that build them.
#
# A fragment beside the code declares, and nothing else is needed:
#
#   HOST_TESTS              += cap_table            a cmocka program, run with sanitizers
#   HOST_TEST_cap_table     := kernel/cap/table_test.c kernel/cap/table.c
#   FUZZ_TARGETS            += text_parse           a libFuzzer program, corpus in tests/fuzz/corpus/text_parse
#   FUZZ_text_parse         := tests/fuzz/text_parse_fuzz.c lib/capnp/text_parse.c
#   GUEST_TESTS             += ring:test-ring       boots manifest test-ring and reads TAP from the kernel log
#   GUEST_TESTS             += kernel::selftest     no boot package, kernel command line "selftest"
#
# GUEST_SMP has the numbers of processors with which every guest test runs besides one, GUEST_SMP_LONG
# those with which it does so in the long run: more than the host has make it wait for itself.
#
# A word of HOST_TESTS or FUZZ_TARGETS with a slash is the path of a program with a rule of its own.
# Programs for the guest are declared in the fragments included first, as manifests/manifests.mk
# says. Whole-system tests are tests/qemu/test_*.py; pytest finds them. This file comes last of all
# fragments, so every declaration is known here.

GUEST_TESTS += arch::arch-selftest
GUEST_SMP      := 2
GUEST_SMP_LONG := 2 4

-include tests/host/host.mk
-include tests/guest/guest.mk
-include tests/capnp/transport.mk
-include tests/hostile/hostile.mk
-include tests/stress/stress.mk
-include tests/ring/ring.mk
-include tests/queue/queue.mk
-include tests/sched/sched.mk
-include tests/fuzz/fuzz.mk
-include bench/bench.mk

HOST_TEST_NAMES    := $(foreach t,$(HOST_TESTS),$(if $(findstring /,$t),,$t))
HOST_TEST_PROGRAMS := $(foreach t,$(HOST_TESTS),$(if $(findstring /,$t),$t,$(HOST)/test/bin/$t))
FUZZ_NAMES         := $(foreach t,$(FUZZ_TARGETS),$(if $(findstring /,$t),,$t))
FUZZ_PROGRAMS      := $(foreach t,$(FUZZ_TARGETS),$(if $(findstring /,$t),$t,$(HOST)/fuzz/bin/$t))
FUZZ_COVERAGE      := $(FUZZ_NAMES:%=$(HOST)/coverage/bin/%)

.PHONY: host-tests fuzz-targets
host-tests: $(HOST_TEST_PROGRAMS)
fuzz-targets: $(FUZZ_PROGRAMS) $(FUZZ_COVERAGE)
host: host-tests

# Generated C sources already live below $(O); their objects go to the same place under the variant.
object_in = $(patsubst %.c,$(1)/%.o,$(patsubst $(O)/%,%,$(2)))

define host_test_rule
$(HOST)/test/bin/$(1): $$(call object_in,$(HOST)/test,$$(HOST_TEST_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(SANITIZE) $$^ -lcmocka -o $$@
endef
$(foreach t,$(HOST_TEST_NAMES),$(eval $(call host_test_rule,$t)))

# Two builds of a fuzz target: one that searches, and one that only counts the lines that the
# kept corpus reaches.
define fuzz_rule
$(HOST)/fuzz/bin/$(1): $$(call object_in,$(HOST)/fuzz,$$(FUZZ_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(SANITIZE) -fsanitize=fuzzer $$^ -o $$@
$(HOST)/coverage/bin/$(1): $$(call object_in,$(HOST)/coverage,$$(FUZZ_$(1)))
	@mkdir -p $$(@D)
	$$(CC) -fsanitize=fuzzer $$(COVERAGE) $$^ -o $$@
endef
COVERAGE := -fprofile-instr-generate -fcoverage-mapping
$(foreach t,$(FUZZ_NAMES),$(eval $(call fuzz_rule,$t)))

$(HOST)/fuzz/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(HOST)/coverage/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -fsanitize=fuzzer-no-link $(COVERAGE) -MMD -MP -c $< -o $@
$(HOST)/test/%.o: $(O)/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) -MMD -MP -c $< -o $@
$(HOST)/fuzz/%.o: $(O)/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(HOST)/coverage/%.o: $(O)/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -fsanitize=fuzzer-no-link $(COVERAGE) -MMD -MP -c $< -o $@

# What the runner asks for: `make -s print-HOST_TESTS`.
print-%:
	@echo '$*=$($*)'

# For editors; every run writes it anew.
.PHONY: compile_commands.json
compile_commands.json:
	tools/compile-commands $@ kernel programs host-tests
