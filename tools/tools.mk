# Tools that run on the host. Each lists its sources; rules for objects are in the Makefile.

TOOL_CAPNP_OBJS := $(addprefix $(HOST)/tool/lib/capnp/,capnp.o capnp_file.o schema.o)

CAPNPC      := $(HOST)/capnpc-capos
CAPNPC_OBJS := $(addprefix $(HOST)/tool/tools/capnpc-capos/,main.o generate.o emit.o names.o types.o structs.o \
               interfaces.o clients.o) $(TOOL_CAPNP_OBJS)

$(CAPNPC): $(CAPNPC_OBJS)
	@mkdir -p $(@D)
	$(CC) -o $@ $^

# Reference pages, from the schemas and their comments.
REFERENCE      := $(HOST)/capos-reference
REFERENCE_OBJS := $(HOST)/tool/tools/reference/main.o $(TOOL_CAPNP_OBJS)

$(REFERENCE): $(REFERENCE_OBJS)
	@mkdir -p $(@D)
	$(CC) -o $@ $^

.PHONY: reference
all: reference
reference: $(REFERENCE) $(GEN)/schemas.bin
	@mkdir -p $(O)/docs/reference
	$(REFERENCE) $(SCHEMAS_BIN) $(O)/docs/reference

# Compares the schemas with what releases promised (schema/released). A release is written once, by
# `make schema-release VERSION=0.1`, and never changed.
SCHEMA_CHECK      := $(HOST)/schema-check
SCHEMA_CHECK_OBJS := $(addprefix $(HOST)/tool/tools/schema-check/,main.o compare.o golden.o) \
                     $(HOST)/tool/tests/capnp/random_message.o $(TOOL_CAPNP_OBJS) \
                     $(addprefix $(HOST)/tool/lib/capnp/,canonical.o number.o text_print.o text_parse.o)

$(SCHEMA_CHECK): $(SCHEMA_CHECK_OBJS)
	@mkdir -p $(@D)
	$(CC) -o $@ $^

.PHONY: schema-check schema-release
schema-check: $(SCHEMA_CHECK) gen
	$(SCHEMA_CHECK) $(GEN)/schemas.bin $(wildcard schema/released/*)
schema-release: $(SCHEMA_CHECK) gen
	@test -n "$(VERSION)" || { echo 'say which: make schema-release VERSION=0.1'; exit 1; }
	@mkdir -p schema/released
	$(SCHEMA_CHECK) --release $(GEN)/schemas.bin schema/released/$(VERSION)
