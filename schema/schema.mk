# Generated headers. Schemas are listed; programs that bring their own add them to GEN_SCHEMAS.
# Everything is compiled in one run, whose request is also the compiled form that travels in the
# boot package (schemas.bin): the shell and the tracer read messages with it.

SYSTEM_SCHEMAS := annotations status ring kernel init log manifest terminal buffer trace clock isolation
SYSTEM_SCHEMAS := $(patsubst %,schema/capos/%.capnp,$(SYSTEM_SCHEMAS))
GEN_SCHEMAS    := programs/bank/bank.capnp programs/counter/counter.capnp programs/bulk/bulk.capnp

# Recursive: fragments that are read later may add to GEN_SCHEMAS.
GEN_STEMS   = $(patsubst schema/%.capnp,%,$(SYSTEM_SCHEMAS)) $(GEN_SCHEMAS:.capnp=)
# Data of the generated descriptions, to be linked by whoever uses interfaces.
GEN_SOURCES = $(patsubst %,$(GEN)/%.capnp.c,$(GEN_STEMS))
SCHEMAS_BIN := $(GEN)/schemas.bin

.PHONY: gen
gen: $(SCHEMAS_BIN)

.SECONDEXPANSION:
$(SCHEMAS_BIN): $(SYSTEM_SCHEMAS) $$(GEN_SCHEMAS) $(CAPNPC)
	@mkdir -p $(GEN)
	capnp compile -I schema --src-prefix=schema -o- $(SYSTEM_SCHEMAS) $(GEN_SCHEMAS) | \
		capnp convert --segment-size=4000000 binary:binary > $@.tmp
	cd $(GEN) && $(abspath $(CAPNPC)) < $(abspath $@.tmp)
	@mv $@.tmp $@

# The sources are made by the same run. So are those of the tests' own schema, which is not part of
# the system, by a run of its own.
TEST_SCHEMA     := tests/capnp/all.capnp
TEST_SCHEMA_BIN := $(GEN)/tests/capnp/all.bin
gen: $(TEST_SCHEMA_BIN)
$(TEST_SCHEMA_BIN): $(TEST_SCHEMA) $(CAPNPC)
	@mkdir -p $(@D)
	capnp compile -I schema -o- $(TEST_SCHEMA) > $@.tmp
	cd $(GEN) && $(abspath $(CAPNPC)) < $(abspath $@.tmp)
	@mv $@.tmp $@

$(GEN)/tests/capnp/%.capnp.c: $(TEST_SCHEMA_BIN) ;
$(GEN)/%.capnp.c: $(SCHEMAS_BIN) ;
# Headers too: without a rule make would not look at their age again after the run.
$(GEN)/tests/capnp/%.h: $(TEST_SCHEMA_BIN) ;
$(GEN)/%.h: $(SCHEMAS_BIN) ;
