# Threads under stress inside a booted system: created, killed and joined while they call, park, fault and map.
# The kernel's command line says for how long: seconds=N. The guest run of every test is short; the long ones are
# tests/qemu/test_stress.py's.

$(eval $(call program,test-stress,$(GUEST_SUPPORT) $(addprefix tests/stress/,main.c workers.c)))

$(B)/boot-test-stress.cpio: tools/bootpack/bootpack.py $(B)/bin/test-stress
	tools/bootpack/bootpack.py $@ bin/init=$(B)/bin/test-stress
all: $(B)/boot-test-stress.cpio

GUEST_TESTS += stress:test-stress
