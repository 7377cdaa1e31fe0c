# The shell. Everything but main.c, tour.c and process.c is pure: it is tested on the host against
# doubles of the system's objects, with the schemas of this build.
SHELL_PURE := $(addprefix services/shell/,parse.c statement.c value.c names.c encode.c evaluate.c refusal.c print.c \
              help.c launch.c complete.c system_view.c processes.c authority.c trace.c)
SHELL_TEST := $(SHELL_PURE) services/shell/double.c services/shell/schemas_test_data.c lib/rt/format.c lib/rt/reason.c \
              lib/capnp/capnp.c lib/capnp/capnp_file.c lib/capnp/schema.c \
              lib/capnp/number.c lib/term/history.c lib/term/editor.c $(LIB_TIME_SRCS)

$(eval $(call program,shell,$(SHELL_PURE) $(addprefix services/shell/,process.c tour.c main.c) $(LIB_TERM_SRCS) $(LIB_TIME_SRCS)))
PROGRAMS += shell

HOST_TESTS               += shell_parse shell_evaluate shell_authority shell_trace shell_allocation
HOST_TEST_shell_parse    := services/shell/parse_test.c services/shell/parse.c services/shell/statement.c lib/capnp/number.c
HOST_TEST_shell_evaluate := services/shell/evaluate_test.c $(SHELL_TEST)
HOST_TEST_shell_authority := services/shell/authority_test.c $(SHELL_TEST)
HOST_TEST_shell_trace    := services/shell/trace_test.c $(SHELL_TEST)
HOST_TEST_shell_allocation := services/shell/allocation_test.c $(SHELL_TEST)
$(HOST)/test/bin/shell_allocation: private SANITIZE += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
FUZZ_TARGETS             += shell_parse
FUZZ_shell_parse         := tests/fuzz/shell_parse_fuzz.c services/shell/parse.c services/shell/statement.c lib/capnp/number.c
FUZZ_TARGETS             += shell_line
FUZZ_shell_line          := tests/fuzz/shell_line_fuzz.c $(SHELL_TEST)

$(HOST)/fuzz/services/shell/schemas_test_data.o $(HOST)/coverage/services/shell/schemas_test_data.o \
$(HOST)/test/services/shell/schemas_test_data.o: $(GEN)/schemas.bin
