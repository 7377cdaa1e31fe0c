# Hostile programs inside a booted system, and allocations that fail. Built like tests/guest, with an honest
# service beside it as a victim.

$(eval $(call program,test-hostile,$(GUEST_SUPPORT) $(addprefix tests/hostile/,main.c evil.c processor.c evil_test.c \
	image_test.c allocation_test.c)))
$(eval $(call program,test-hostile-end,tests/hostile/end.c))

$(B)/boot-test-hostile.cpio: tools/bootpack/bootpack.py $(B)/bin/test-hostile $(B)/bin/test-hostile-end \
		$(B)/bin/counter-service
	tools/bootpack/bootpack.py $@ bin/init=$(B)/bin/test-hostile bin/end=$(B)/bin/test-hostile-end \
		bin/counter-service=$(B)/bin/counter-service
all: $(B)/boot-test-hostile.cpio

GUEST_TESTS += hostile:test-hostile
