# Functional tests inside a booted system: packages whose first process is the test program itself. The
# runner boots them and reads TAP from the kernel log (tests/tests.mk).

GUEST_SUPPORT := tests/guest/tap.c tests/guest/world.c

GUEST_TEST_SRCS := \
	main.c \
	peer.c \
	notification_test.c \
	entry_test.c \
	call_test.c \
	pipeline_test.c \
	argument_test.c \
	direct_test.c \
	promise_test.c \
	transfer_test.c \
	export_test.c \
	grant_test.c \
	session_test.c \
	manager_test.c \
	process_test.c \
	register_test.c \
	budget_test.c \
	lease_test.c \
	policy_test.c \
	poller_test.c \
	death_test.c \
	ledger_test.c \
	memory_test.c \
	share_test.c \
	pager_test.c \
	raw_thread.c \
	thread_test.c \
	thread_control_test.c \
	event_test.c \
	park_test.c \
	object_test.c \
	knot_test.c \
	trace_test.c
$(eval $(call program,test-guest,$(GUEST_SUPPORT) $(addprefix tests/guest/,$(GUEST_TEST_SRCS))))
$(B)/elf/test-guest: $(B)/user/tests/guest/registers.o

$(B)/boot-test-guest.cpio: tools/bootpack/bootpack.py $(B)/bin/test-guest
	tools/bootpack/bootpack.py $@ bin/init=$(B)/bin/test-guest
all: $(B)/boot-test-guest.cpio

GUEST_TESTS += guest:test-guest
