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
