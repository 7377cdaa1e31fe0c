# Cap'n Proto: messages, files, reflection, text. Freestanding; depends on abi/ only (client.h and
# server.h also on the generated status header). The kernel and programs link CAPNP_SOURCES; who prints
# or parses by reflection also links CAPNP_REFLECTION_SOURCES.

CAPNP_SOURCES            := lib/capnp/capnp.c
CAPNP_REFLECTION_SOURCES := $(addprefix lib/capnp/,capnp_file.c schema.c text_print.c text_parse.c number.c)
CAPNP_FILE_SOURCES       := $(addprefix lib/capnp/,packed.c canonical.c)
CAPNP_ALL_SOURCES        := $(CAPNP_SOURCES) $(CAPNP_REFLECTION_SOURCES) $(CAPNP_FILE_SOURCES)

HOST_TESTS               += capnp_official
HOST_TEST_capnp_official := tests/capnp/official_test.c tests/capnp/random_message.c $(CAPNP_ALL_SOURCES)

HOST_TESTS               += capnp_client
HOST_TEST_capnp_client   := $(addprefix tests/capnp/,client_test.c client_cases.c worker.c stream_transport.c) \
                            $(GEN)/tests/capnp/all.capnp.c $(CAPNP_SOURCES)
