# Builds a capOS program outside the source tree. A Makefile sets and includes:
#
#   PROGRAM  := greeter                     the program: build/greeter, with symbols build/greeter.elf
#   SOURCES  := greeter.c                   its C files
#   SCHEMAS  := greeter.capnp               its interfaces, if it has any; greeter.capnp.h and so on
#   MANIFEST := system.capnp                a system that starts it, if it is a service
#   include path/to/capos-sdk/program.mk
#
#   make            build/greeter
#   make package    build/boot.cpio: the default system and this program
#   make run        boots that with QEMU, the shell on this terminal; Ctrl-A x leaves

SDK := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
include $(SDK)/flags.mk

CC := clang
LD := ld.lld
SDK_INCLUDES := -I. -Ibuild/gen -I$(SDK)/include -I$(SDK)/include/abi -isystem $(SDK)/include/libc
SYSTEM_SCHEMAS := $(shell cd $(SDK)/schema && find . -name '*.capnp' | LC_ALL=C sort)
SYSTEM_SCHEMAS := $(SYSTEM_SCHEMAS:./%=$(SDK)/schema/%)
OBJECTS := $(SOURCES:%.c=build/%.o) $(SCHEMAS:%=build/gen/%.o)

.PHONY: all package run clean
.SECONDARY:
all: build/$(PROGRAM)

# One run of the generator gives headers, data and the compiled schemas that the shell reads.
build/gen/schemas.bin: $(SCHEMAS)
	@mkdir -p build/gen
	capnp compile -I $(SDK)/schema --src-prefix=$(SDK)/schema -o- $(SYSTEM_SCHEMAS) $(SCHEMAS) > $@.new
	cd build/gen && $(abspath $(SDK))/bin/capnpc-capos < schemas.bin.new
	@mv $@.new $@
build/gen/%.capnp.c: build/gen/schemas.bin ;
build/gen/%.capnp.o: build/gen/%.capnp.c
	$(CC) $(SDK_CFLAGS) $(SDK_INCLUDES) -c $< -o $@
build/%.o: %.c build/gen/schemas.bin
	@mkdir -p $(@D)
	$(CC) $(SDK_CFLAGS) $(SDK_INCLUDES) -c $< -o $@
build/$(PROGRAM).elf: $(OBJECTS) $(wildcard $(SDK)/lib/*)
	$(LD) $(SDK_LDFLAGS) -T $(SDK)/lib/program.ld -o $@ $(OBJECTS) \
		--start-group $(wildcard $(SDK)/lib/*.a) --end-group
build/$(PROGRAM): build/$(PROGRAM).elf
	llvm-objcopy --strip-all $< $@

build/manifest.bin: $(MANIFEST)
	@mkdir -p build
	capnp eval -b -I $(SDK)/schema -I $(SDK) $(MANIFEST) manifest > $@.new
	@mv $@.new $@

package: build/boot.cpio
build/boot.cpio: build/$(PROGRAM) build/gen/schemas.bin $(if $(MANIFEST),build/manifest.bin)
	$(SDK)/bin/bootpack.py --onto $(SDK)/system/boot-default.cpio $@ schemas.bin=build/gen/schemas.bin \
		$(if $(MANIFEST),manifest.bin=build/manifest.bin) bin/$(PROGRAM)=build/$(PROGRAM)

run: build/boot.cpio
	qemu-system-x86_64 -machine q35 -cpu max -m 512 -display none -nodefaults \
		-serial file:build/kernel.log -serial mon:stdio -device isa-debug-exit,iobase=0x501,iosize=2 \
		-kernel $(SDK)/system/capos.elf -initrd $< || test $$? -eq 33

clean:
	rm -rf build
