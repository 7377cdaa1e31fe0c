# Services: what runs from boot on. Each directory's sources are listed here.

# --- init: checks the manifest and keeps the services running ---

INIT_PLAN := services/init/plan.c services/init/plan_refuse.c

$(eval $(call program,init,$(addprefix services/init/,main.c world.c wiring.c service.c supervisor.c \
	restart.c) $(INIT_PLAN)))
PROGRAMS += init

HOST_TESTS += init_plan
HOST_TEST_init_plan := services/init/plan_test.c $(INIT_PLAN) lib/capnp/capnp.c

HOST_TESTS += init_restart
HOST_TEST_init_restart := services/init/restart_test.c services/init/restart.c

FUZZ_TARGETS  += manifest
FUZZ_manifest := tests/fuzz/manifest_fuzz.c $(INIT_PLAN) lib/capnp/capnp.c

# --- logger: keeps what services say ---

$(eval $(call program,logger,services/logger/main.c services/logger/record_ring.c))
PROGRAMS += logger

HOST_TESTS += logger_record_ring
HOST_TEST_logger_record_ring := services/logger/record_ring_test.c services/logger/record_ring.c

# --- terminal: byte streams become terminals ---

$(eval $(call program,terminal,services/terminal/main.c $(LIB_TERM_SRCS)))
PROGRAMS += terminal

# --- clock: what time of day it is ---

CLOCK_PURE := services/clock/rtc.c services/clock/wall_time.c $(LIB_TIME_SRCS)

$(eval $(call program,clock,services/clock/main.c $(CLOCK_PURE)))
PROGRAMS += clock

HOST_TESTS          += rtc wall_time
HOST_TEST_rtc       := services/clock/rtc_test.c $(CLOCK_PURE)
HOST_TEST_wall_time := services/clock/wall_time_test.c $(CLOCK_PURE)

# --- isolation: processors for one thread each, by the operator's rules ---

$(eval $(call program,isolation,$(addprefix services/isolation/,main.c island.c issued.c rule.c)))
PROGRAMS += isolation

HOST_TESTS               += isolation_rule
HOST_TEST_isolation_rule := services/isolation/rule_test.c services/isolation/rule.c lib/rt/format.c $(CAPNP_SOURCES)

# --- shell: where a person works ---

include services/shell/shell.mk

# --- for the tests of init ---

$(eval $(call program,test-ender,tests/services/ender.c))
TEST_PROGRAMS += test-ender
$(eval $(call program,test-clients,tests/services/clients.c))
TEST_PROGRAMS += test-clients
GUEST_TESTS   += services:test-services
$(eval $(call program,test-storm,tests/services/storm.c))
TEST_PROGRAMS += test-storm
GUEST_TESTS   += storm:test-storm
$(eval $(call program,test-isolation,tests/services/isolation.c))
TEST_PROGRAMS += test-isolation
GUEST_TESTS   += isolation:test-isolation

# --- for the tests of terminal and shell ---

$(eval $(call program,test-reader,tests/terminal/reader.c))
TEST_PROGRAMS += test-reader
