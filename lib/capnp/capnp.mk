# Cap'n Proto: messages, files, reflection, text. Freestanding; depends on abi/ only (client.h and
# server.h also on the generated status header). The kernel and programs link CAPNP_SOURCES; programs
# that call also CAPNP_CLIENT_SOURCES; who prints or parses by reflection also links CAPNP_REFLECTION_SOURCES.

CAPNP_SOURCES            := lib/capnp/capnp.c
CAPNP_CLIENT_SOURCES     := lib/capnp/stream.c
CAPNP_REFLECTION_SOURCES := $(addprefix lib/capnp/,capnp_file.c schema.c text_print.c text_parse.c number.c)
CAPNP_FILE_SOURCES       := $(addprefix lib/capnp/,packed.c canonical.c)
CAPNP_ALL_SOURCES        := $(CAPNP_SOURCES) $(CAPNP_CLIENT_SOURCES) $(CAPNP_REFLECTION_SOURCES) \
                            $(CAPNP_FILE_SOURCES)

HOST_TESTS               += capnp_official
HOST_TEST_capnp_official := tests/capnp/official_test.c tests/capnp/random_message.c $(CAPNP_ALL_SOURCES)

HOST_TESTS               += capnp_client
HOST_TEST_capnp_client   := $(addprefix tests/capnp/,client_test.c client_cases.c worker.c stream_transport.c) \
                            $(GEN)/tests/capnp/all.capnp.c $(CAPNP_SOURCES) $(CAPNP_CLIENT_SOURCES)

HOST_TESTS               += capnp
HOST_TEST_capnp          := lib/capnp/capnp_test.c $(CAPNP_SOURCES) $(CAPNP_FILE_SOURCES) lib/capnp/capnp_file.c

HOST_TESTS               += capnp_text
HOST_TEST_capnp_text     := lib/capnp/text_test.c tests/capnp/random_message.c $(CAPNP_ALL_SOURCES)
# The test opens the schema that it was compiled with.
$(HOST)/test/lib/capnp/text_test.o: HOST_CFLAGS += -DGEN_DIRECTORY='"$(GEN)"'

# Built as programs are, without sanitizers: it counts instructions.
CAPNP_COST := $(HOST)/test/bin/capnp_cost
HOST_TESTS += $(CAPNP_COST)
$(CAPNP_COST): $(addprefix tests/capnp/,cost_test.c cost_code.c cost_code.h) lib/capnp/capnp.c lib/capnp/capnp.h | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -O2 $(filter %.c,$^) -lcmocka -o $@

FUZZ_TARGETS           += capnp_reader capnp_text capnp_generator
FUZZ_capnp_reader      := tests/fuzz/capnp_reader_fuzz.c $(CAPNP_ALL_SOURCES) tests/capnp/random_message.c
FUZZ_capnp_text        := tests/fuzz/capnp_text_fuzz.c $(CAPNP_ALL_SOURCES) tests/capnp/random_message.c
FUZZ_capnp_generator   := tests/fuzz/capnp_generator_fuzz.c \
                          $(addprefix tools/capnpc-capos/,generate.c names.c types.c structs.c interfaces.c clients.c) \
                          $(CAPNP_SOURCES) lib/capnp/capnp_file.c lib/capnp/schema.c
CAPNP_FUZZ_OBJS        := $(foreach d,fuzz coverage,$(foreach t,reader text,$(HOST)/$d/tests/fuzz/capnp_$t_fuzz.o))
$(CAPNP_FUZZ_OBJS): HOST_CFLAGS += -DGEN_DIRECTORY='"$(GEN)"'

HOST_TESTS                += schema_check
HOST_TEST_schema_check    := tests/capnp/schema_check_test.c
$(HOST)/test/tests/capnp/schema_check_test.o: HOST_CFLAGS += -DGEN_DIRECTORY='"$(GEN)"' -DSCHEMA_CHECK='"$(HOST)/schema-check"'
$(HOST)/test/bin/schema_check: | $(HOST)/schema-check

HOST_TESTS                  += capnp_generator
HOST_TEST_capnp_generator   := tests/capnp/generator_test.c
$(HOST)/test/tests/capnp/generator_test.o: HOST_CFLAGS += -DGEN_DIRECTORY='"$(GEN)"' -DCAPNPC='"$(HOST)/capnpc-capos"'
$(HOST)/test/bin/capnp_generator: | $(HOST)/capnpc-capos

# These tests and no others: builds and runs each.
CAPNP_TESTS := $(foreach t,capnp capnp_text capnp_client capnp_official capnp_cost capnp_generator schema_check,$(HOST)/test/bin/$t)
.PHONY: host-test-capnp
host-test-capnp: $(CAPNP_TESTS)
	@for t in $^; do CMOCKA_MESSAGE_OUTPUT=TAP $$t || exit 1; done
