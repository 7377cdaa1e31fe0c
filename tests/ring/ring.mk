# The ring fuzzer's programs in a booted system. On the host they are tests/host/ring_fuzz.c.

$(eval $(call program,test-ring-fuzz,$(GUEST_SUPPORT) tests/ring/guest.c tests/ring/actor.c tests/ring/actor_objects.c))

$(B)/boot-test-ring-fuzz.cpio: tools/bootpack/bootpack.py $(B)/bin/test-ring-fuzz
	tools/bootpack/bootpack.py $@ bin/init=$(B)/bin/test-ring-fuzz
all: $(B)/boot-test-ring-fuzz.cpio

GUEST_TESTS += ring_fuzz:test-ring-fuzz
