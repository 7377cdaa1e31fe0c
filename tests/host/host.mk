# Host tests of several modules together, against models; what needs one module only stands beside it.

HOST_TESTS            += kernel_cap
HOST_TEST_kernel_cap  := tests/host/kernel_cap_test.c $(addprefix kernel/cap/,facet.c grant.c transfer.c) \
        kernel/object/object.c kernel/object/ledger.c $(KERNEL_FAKES)
# The kernel's headers name the seam "arch/arch.h".
$(HOST)/test/tests/host/%.o: HOST_CFLAGS += -Ikernel
