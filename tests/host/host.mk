# Host tests of several modules together, against models; what needs one module only stands beside it.

HOST_TESTS            += kernel_cap
HOST_TEST_kernel_cap  := tests/host/kernel_cap_test.c $(addprefix kernel/cap/,facet.c grant.c grant_tie.c transfer.c) \
        kernel/object/object.c kernel/object/ledger.c $(KERNEL_FAKES)
HOST_TESTS              += grant_space
HOST_TEST_grant_space   := tests/host/grant_space_test.c kernel/cap/grant_tie.c $(KERNEL_FAKES)
# The kernel's headers name the seam "arch/arch.h".
$(HOST)/test/tests/host/%.o: HOST_CFLAGS += -Ikernel

# The kernel on a machine of the host's: every source above the seam but the start, and who plays the programs. Twice:
# optimised, with the kernel's own slabs, for runs with a long breath; and sanitized, on the host's heap, with generations so
# narrow that numbers come round again.
MACHINE_KERNEL := $(filter-out kernel/core/start.c kernel/mm/slab.c,$(KERNEL_UPPER_SRCS)) \
        $(addprefix kernel/core/,spinlock.c boot_info.c) kernel/mm/frame.c lib/capnp/capnp.c $(addprefix $(GEN)/capos/,kernel.capnp.c trace.capnp.c)
MACHINE_FAST   := tests/host/machine.c tests/host/machine_slab.c kernel/mm/slab.c $(MACHINE_KERNEL)
MACHINE_SAFE   := tests/host/machine.c tests/host/machine_heap.c $(MACHINE_KERNEL)
MACHINE_CFLAGS := -O2 -Ikernel -DCAPOS_HOST=1 -DCONFIG_DEBUG=1 -DHOST_CLOCK=1
MACHINE_LDFLAGS := -Wl,--wrap=ring_enter -Wl,--wrap=enter_generally -Wl,--wrap=entropy_fill -Wl,--wrap=spin_debug_release \
        -Wl,--wrap=sched_resume -Wl,--wrap=sched_leave
MACHINE_NARROW := -DCAP_GENERATION_BITS=3 -DSERVICE_GENERATION_BITS=3

$(HOST)/machine/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(MACHINE_CFLAGS) -MMD -MP -c $< -o $@
$(HOST)/machine/%.o: $(O)/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(MACHINE_CFLAGS) -MMD -MP -c $< -o $@
$(HOST)/machine-safe/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(MACHINE_CFLAGS) -O1 $(SANITIZE) $(MACHINE_NARROW) -MMD -MP -c $< -o $@
$(HOST)/machine-safe/%.o: $(O)/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(MACHINE_CFLAGS) -O1 $(SANITIZE) $(MACHINE_NARROW) -MMD -MP -c $< -o $@

define machine_test
HOST_TESTS += $$(HOST)/machine/bin/$(1) $$(HOST)/machine-safe/bin/$(1)-sanitized
$$(HOST)/machine/bin/$(1): $$(call machine_objects,machine,$(2) $$(MACHINE_FAST))
	@mkdir -p $$(@D)
	$$(CC) $$(MACHINE_LDFLAGS) $$^ -lcmocka -o $$@
$$(HOST)/machine-safe/bin/$(1)-sanitized: $$(call machine_objects,machine-safe,$(2) $$(MACHINE_SAFE))
	@mkdir -p $$(@D)
	$$(CC) $$(SANITIZE) $$(MACHINE_LDFLAGS) $$^ -lcmocka -o $$@
endef
machine_objects = $(patsubst %.c,$(HOST)/$(1)/%.o,$(patsubst $(O)/%,%,$(2)))

$(eval $(call machine_test,cycle,tests/host/cycle_test.c))
$(HOST)/machine/tests/host/cycle_test.o: MACHINE_CFLAGS += -DCYCLES=1000000u

RING_FUZZ := $(addprefix tests/host/,ring_fuzz.c ring_journal.c ring_model.c ring_oracle.c ring_entries.c \
        ring_objects.c ring_effects.c ring_pipeline.c ring_park.c) tests/ring/actor.c tests/ring/actor_objects.c
$(eval $(call machine_test,ring_fuzz,$(RING_FUZZ)))
$(HOST)/machine/tests/host/ring_fuzz.o: MACHINE_CFLAGS += -DENTRIES=5000000u
$(HOST)/machine-safe/tests/host/ring_fuzz.o: MACHINE_CFLAGS += -DENTRIES=500000u

# A thread for each processor, under ThreadSanitizer (lib/queue/queue.mk has the same for queues).
HOST_TESTS += $(HOST)/processors/bin/kernel-lock-threads
$(HOST)/processors/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -Ikernel -DHOST_PER_PROCESSOR=_Thread_local -fsanitize=thread -MMD -MP -c $< -o $@
$(HOST)/processors/bin/kernel-lock-threads: $(patsubst %.c,$(HOST)/processors/%.o,tests/host/kernel_lock_threads_test.c \
		kernel/core/kernel_lock.c kernel/core/spinlock.c)
	@mkdir -p $(@D)
	$(CC) -fsanitize=thread $^ -lcmocka -lpthread -o $@
# The two halves of a ring, and the run queues of several processors. Only what the tests reach is linked.
HOST_TESTS += $(HOST)/processors/bin/ring-threads
$(HOST)/processors/lib/rt/ring.o $(HOST)/processors/tests/host/ring_program.o: HOST_CFLAGS += -include tests/host/cap_enter.h
$(HOST)/processors/kernel/ring/%.o: HOST_CFLAGS += -ffunction-sections
$(HOST)/processors/bin/ring-threads: $(patsubst %.c,$(HOST)/processors/%.o,tests/host/ring_threads_test.c tests/host/ring_program.c \
		lib/rt/ring.c lib/rt/arena.c kernel/ring/ring.c kernel/ring/completion.c kernel/core/spinlock.c)
	@mkdir -p $(@D)
	$(CC) -fsanitize=thread -Wl,--gc-sections $^ -lcmocka -lpthread -o $@
HOST_TESTS += $(HOST)/processors/bin/run-queue-threads
RUN_QUEUE_THREADS := $(patsubst %.c,$(HOST)/processors/%.o,tests/host/run_queue_threads_test.c \
		$(addprefix kernel/sched/,run_queue.c balance.c) kernel/core/heap.c)
$(RUN_QUEUE_THREADS): HOST_CFLAGS += -mllvm -tsan-distinguish-volatile=1
$(HOST)/processors/bin/run-queue-threads: $(RUN_QUEUE_THREADS) $(HOST)/processors/kernel/core/spinlock.o
	@mkdir -p $(@D)
	$(CC) -fsanitize=thread $^ -lcmocka -lpthread -o $@
