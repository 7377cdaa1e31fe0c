# The only build of capOS. `./capos` calls it; see docs/build-inputs.md for what it needs.
#
#   make [CONFIG=debug|release] [O=build]      kernel, programs and boot packages
#   make CONFIG=lines kernel                   one that says which cache lines are written
#   make host                                  tools and host tests
#
# Each directory lists its sources in a fragment (*.mk) that says what it depends on. Sources are
# listed, not globbed.

O       ?= build
CONFIG  ?= debug
B       := $(O)/$(CONFIG)
GEN     := $(O)/gen
HOST    := $(O)/host

CC      := clang
LD      := ld.lld
AR      := llvm-ar
OBJCOPY := llvm-objcopy

WARNINGS := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wundef -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings -Wimplicit-fallthrough \
            -Wthread-safety -Wno-unused-parameter
COMMON   := -std=gnu11 -g -O2 -ffreestanding -fno-common -fno-strict-aliasing -ffunction-sections \
            -fdata-sections -fno-omit-frame-pointer -fstack-protector-strong $(WARNINGS) \
            -ffile-prefix-map=$(CURDIR)=. -fdebug-compilation-dir=. -I. -Iabi -Ilib -I$(GEN)

ifeq ($(CONFIG),debug)
COMMON += -DCONFIG_DEBUG=1
else ifeq ($(CONFIG),lines)
COMMON += -DCONFIG_DEBUG=0
else
COMMON += -DCONFIG_DEBUG=0 -flto
endif

# A function that calls none needs no frame: panics come from functions that call.
LEAF_FRAMES := $(if $(filter release,$(CONFIG)),-momit-leaf-frame-pointer)
TARGET_FLAGS := --target=x86_64-unknown-none-elf -mno-red-zone
KERNEL_CFLAGS = $(COMMON) $(LEAF_FRAMES) $(TARGET_FLAGS) -mcmodel=kernel -mgeneral-regs-only -fno-pic -Ikernel \
                -DCAPOS_KERNEL=1 -mstack-protector-guard=global
USER_CFLAGS   = $(COMMON) $(LEAF_FRAMES) $(TARGET_FLAGS) -fno-pic -mcmodel=small -mstack-protector-guard=global
HOST_CFLAGS   = -std=gnu11 -g -O1 -fno-strict-aliasing $(WARNINGS) -I. -Iabi -Ilib -I$(GEN) -DCAPOS_HOST=1 \
                -DCONFIG_DEBUG=1 -ffile-prefix-map=$(CURDIR)=.
SANITIZE      = -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: all host clean
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

all:

include tools/tools.mk
include schema/schema.mk
include lib/lib.mk
-include kernel/kernel.mk
-include drivers/drivers.mk
-include services/services.mk
-include programs/programs.mk
-include manifests/manifests.mk
-include tests/tests.mk

# --- Rules that every fragment uses ------------------------------------------------------------

$(B)/kernel/%.o: kernel/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(KERNEL_CFLAGS) -MMD -MP -c $< -o $@
$(B)/kernel/%.o: kernel/%.S | gen
	@mkdir -p $(@D)
	$(CC) $(KERNEL_CFLAGS) -MMD -MP -c $< -o $@
# Library sources that the kernel also contains.
$(B)/klib/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(KERNEL_CFLAGS) -MMD -MP -c $< -o $@
$(B)/user/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -MMD -MP -c $< -o $@
$(B)/user/%.o: %.S | gen
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -MMD -MP -c $< -o $@
# Host: sanitized, for tests; tools have rules of their own.
$(HOST)/test/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) -MMD -MP -c $< -o $@
$(HOST)/tool/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

clean:
	rm -rf $(O)

-include $(shell test -d $(O) && find $(O) -name '*.d')
