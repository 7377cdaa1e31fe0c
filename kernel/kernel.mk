# The kernel: $(B)/capos.elf. Depends on the generated headers and on the library sources that
# KERNEL_UPPER_SRCS names as objects below $(B)/klib.

KERNEL_ARCH_SRCS := start.S entry.S memory.S boot.c boot_map.c boot_pvh.c boot_multiboot2.c features.c \
        descriptors.c trap.c backtrace.c console.c paging.c space.c context.c acpi.c apic.c timer.c power.c processors.c \
        arch.c
KERNEL_ARCH_SRCS := $(addprefix kernel/arch/x86_64/,$(KERNEL_ARCH_SRCS))
KERNEL_CORE_SRCS := $(addprefix kernel/core/,main.c boot_info.c log.c panic.c spinlock.c string.c symbols.c)
KERNEL_MM_SRCS   := $(addprefix kernel/mm/,frame.c slab.c)
# Everything above the seam: kernel/{cap,irq,object,ring,sched,time} and what else it needs.
KERNEL_UPPER_SRCS := $(addprefix kernel/cap/,facet.c grant.c grant_tie.c cap_table.c transfer.c) \
        $(addprefix kernel/ring/,ring.c direct.c dispatch.c completion.c pipeline.c poller.c) \
        $(addprefix kernel/object/,object.c ledger.c call.c endpoint.c endpoint_call.c endpoint_fast.c \
                endpoint_forward.c notification.c process.c reaper.c thread.c thread_event.c thread_handle.c park.c scheduling_context.c scheduling_policy.c isolation_lease.c session.c promise.c process_handle.c process_spawner.c capability_manager.c roots.c memory_object.c memory_view.c pager.c \
                virtual_memory.c console.c timer.c clock_page.c entropy.c system_info.c boot_package.c system_control.c \
                io_ports.c interrupt.c binding.c object_factory.c) \
        $(addprefix kernel/trace/,trace.c trace_ring.c) kernel/object/tracer.c \
        $(addprefix kernel/mm/,vm.c vm_region.c vm_map.c region_tree.c) \
        $(addprefix kernel/sched/,cpu.c sched.c run_queue.c balance.c budget.c reserved.c donation.c) kernel/time/timer_queue.c kernel/irq/irq.c \
        $(addprefix kernel/core/,entry.c kernel_lock.c start.c cpio.c entropy_pool.c plain_text.c heap.c)
# Objects of library sources: $(B)/klib/<path>.o
KERNEL_LIB_OBJS := $(addprefix $(B)/klib/lib/,elf/elf.o capnp/capnp.o) $(B)/kgen/kernel.capnp.o $(B)/kgen/trace.capnp.o

ifeq ($(CONFIG),debug)
KERNEL_ARCH_SRCS += kernel/arch/x86_64/selftest.c kernel/arch/x86_64/selftest_user.S
endif

# A build that says which cache lines are written: `make CONFIG=lines kernel`. Each store is announced by a call.
ifeq ($(CONFIG),lines)
KERNEL_CORE_SRCS += kernel/core/written_lines.c
$(B)/kernel/%.o $(B)/klib/%.o: private KERNEL_CFLAGS += $(KERNEL_ANNOUNCED)
$(B)/kernel/core/written_lines.o: private KERNEL_ANNOUNCED :=
KERNEL_ANNOUNCED := --target=x86_64-unknown-linux-gnu -fsanitize=kernel-address $(addprefix -mllvm -asan-,instrumentation-with-call-threshold=0 \
        instrument-reads=0 stack=0 globals=0)
KERNEL_WRAPPED   := --wrap=arch_enter_user --wrap=arch_power_off --wrap=memcpy --wrap=memset
endif

KERNEL_SRCS = $(KERNEL_ARCH_SRCS) $(KERNEL_CORE_SRCS) $(KERNEL_MM_SRCS) $(KERNEL_UPPER_SRCS)
KERNEL_OBJS = $(addprefix $(B)/,$(addsuffix .o,$(basename $(KERNEL_SRCS)))) $(KERNEL_LIB_OBJS)

KERNEL_LDFLAGS := -m elf_x86_64 -nostdlib -static --no-relax -z max-page-size=4096 -z noexecstack \
        --build-id=none --gc-sections -T kernel/kernel.ld
KERNEL_LINK     = $(LD) $(KERNEL_LDFLAGS) $(KERNEL_WRAPPED) $(KERNEL_OBJS)
SYMBOL_TABLE   := kernel/core/symbol_table.py

# Loops there must stay loops.
$(B)/kernel/core/string.o: KERNEL_CFLAGS += -fno-builtin

$(B)/kgen/%.o: $(GEN)/capos/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(KERNEL_CFLAGS) -MMD -MP -c $< -o $@

# Two links: the first gives the functions' addresses, which the table of the second does not move.
$(B)/kernel/symbols_none.S: $(SYMBOL_TABLE)
	@mkdir -p $(@D)
	$(SYMBOL_TABLE) < /dev/null > $@.tmp && mv $@.tmp $@
$(B)/kernel/symbols_all.S: $(B)/kernel/first.elf $(SYMBOL_TABLE)
	llvm-nm --numeric-sort $< > $@.nm
	$(SYMBOL_TABLE) < $@.nm > $@.tmp && mv $@.tmp $@
$(B)/kernel/symbols_%.o: $(B)/kernel/symbols_%.S
	$(CC) $(KERNEL_CFLAGS) -c $< -o $@
$(B)/kernel/first.elf: $(KERNEL_OBJS) $(B)/kernel/symbols_none.o kernel/kernel.ld
	$(KERNEL_LINK) $(B)/kernel/symbols_none.o -o $@
$(B)/capos.elf: $(KERNEL_OBJS) $(B)/kernel/symbols_all.o kernel/kernel.ld
	$(KERNEL_LINK) $(B)/kernel/symbols_all.o -o $@

.PHONY: kernel
kernel: $(B)/capos.elf
all: kernel

# --- Host tests of the kernel's pure parts -------------------------------------------------------

HOST_TESTS += frame slab boot_map boot_doors acpi log cpio entropy_pool plain_text timer_queue
KERNEL_FAKES           := kernel/core/test_fakes.c
HOST_TEST_frame        := kernel/mm/frame_test.c kernel/mm/frame.c $(KERNEL_FAKES)
HOST_TEST_slab         := kernel/mm/slab_test.c kernel/mm/slab.c kernel/mm/frame.c $(KERNEL_FAKES)
HOST_TEST_boot_map     := kernel/arch/x86_64/boot_map_test.c kernel/arch/x86_64/boot_map.c kernel/core/boot_info.c
HOST_TEST_boot_doors   := $(addprefix kernel/arch/x86_64/,boot_doors_test.c boot_pvh.c boot_multiboot2.c boot_map.c) \
                          $(KERNEL_FAKES)
HOST_TEST_acpi         := kernel/arch/x86_64/acpi_test.c kernel/arch/x86_64/acpi.c $(KERNEL_FAKES)
HOST_TEST_log          := kernel/core/log_test.c kernel/core/log.c
HOST_TEST_cpio         := kernel/core/cpio_test.c kernel/core/cpio.c
HOST_TEST_entropy_pool := kernel/core/entropy_pool_test.c kernel/core/entropy_pool.c
HOST_TEST_plain_text   := kernel/core/plain_text_test.c kernel/core/plain_text.c
HOST_TEST_timer_queue  := kernel/time/timer_queue_test.c kernel/time/timer_queue.c kernel/sched/cpu.c kernel/sched/run_queue.c kernel/core/heap.c
HOST_TESTS += vm vm_share irq ledger trace_ring budget
HOST_TEST_budget       := kernel/sched/budget_test.c kernel/sched/budget.c
HOST_TEST_trace_ring   := kernel/trace/trace_ring_test.c kernel/trace/trace_ring.c
HOST_TEST_ledger       := kernel/object/ledger_test.c kernel/object/ledger.c $(KERNEL_FAKES)
HOST_TEST_irq          := kernel/irq/irq_test.c kernel/irq/irq.c $(KERNEL_FAKES)
VM_TEST_PARTS          := $(addprefix kernel/mm/,vm_test_machine.c vm.c vm_region.c vm_map.c region_tree.c) \
        $(addprefix kernel/cap/,grant.c grant_tie.c) $(addprefix kernel/object/,memory_object.c ledger.c object.c)
HOST_TEST_vm           := kernel/mm/vm_test.c $(VM_TEST_PARTS)
HOST_TEST_vm_share     := kernel/mm/vm_share_test.c $(VM_TEST_PARTS)
# The kernel's headers name the seam "arch/arch.h".
$(HOST)/test/kernel/%.o: HOST_CFLAGS += -Ikernel
FUZZ_TARGETS           += cpio
FUZZ_cpio              := tests/fuzz/cpio_fuzz.c kernel/core/cpio.c
