# The SDK: what a program outside this tree needs, as a directory and a tarball of the same bytes each
# time. `make CONFIG=release sdk` makes $(B)/capos-sdk/ and $(B)/capos-sdk.tar.gz. tools/sdk/README.md and
# program.mk are for its users; flags.mk is written from the flags of this build.

SDK          := $(B)/capos-sdk
SDK_LIBS     = $(B)/librt.a $(B)/libcapnp.a $(B)/libqueue.a
SDK_MANIFESTS := manifests/default.capnp manifests/interfaces.capnp
# What the default manifest imports besides.
SDK_HEADERS  = $(wildcard abi/*.h lib/rt/*.h lib/rt/x86_64/*.h lib/rt/include/*.h lib/capnp/*.h lib/elf/*.h lib/queue/*.h)
# Interfaces that only tests have stay here.
SDK_SCHEMAS  = $(filter-out tests/%,$(GEN_SCHEMAS))
SDK_FLAGS    = $(filter-out -I% -isystem lib/rt/include -ffile-prefix-map=% -Werror,$(USER_CFLAGS))

.PHONY: sdk
sdk: $(SDK).tar.gz

$(SDK).tar.gz: tools/sdk/sdk.mk tools/sdk/README.md tools/sdk/program.mk $$(SDK_HEADERS) $$(SDK_LIBS) \
		lib/rt/program.ld tools/bootpack/bootpack.py $(CAPNPC) $(SCHEMAS_BIN) $(SDK_MANIFESTS) $(AUTHORITIES) \
		programs/hello/main.c tools/sdk/example/Makefile $(B)/capos.elf $(B)/boot-default.cpio
	rm -rf $(SDK)
	mkdir -p $(addprefix $(SDK)/,include lib bin manifests schema system)
	cp -r tools/sdk/README.md tools/sdk/program.mk tools/sdk/example LICENSE $(SDK)
	for d in abi rt rt/x86_64 capnp elf queue; do mkdir $(SDK)/include/$$d; done
	cp abi/*.h $(SDK)/include/abi
	cp lib/capnp/*.h $(SDK)/include/capnp
	cp lib/rt/*.h $(SDK)/include/rt
	cp lib/rt/x86_64/*.h $(SDK)/include/rt/x86_64
	cp lib/elf/*.h $(SDK)/include/elf
	cp lib/queue/*.h $(SDK)/include/queue
	cp programs/hello/main.c $(SDK)/example/hello.c
	cp -r lib/rt/include $(SDK)/include/libc
	cd $(GEN) && find . -name '*.h' -not -path './tests/*' -not -path './bench/*' | tar -cf - -T - | tar -xf - -C $(abspath $(SDK))/include
	cp $(SDK_LIBS) lib/rt/program.ld $(SDK)/lib
	cp $(CAPNPC) tools/bootpack/bootpack.py $(SDK)/bin
	cp $(SDK_MANIFESTS) $(SDK)/manifests
	for a in $(AUTHORITIES); do mkdir -p $(SDK)/$${a%/*} && cp $$a $(SDK)/$$a || exit 1; done
	cp -r schema/capos $(SDK)/schema
	for s in $(SDK_SCHEMAS); do mkdir -p $(SDK)/schema/$${s%/*} && cp $$s $(SDK)/schema/$$s || exit 1; done
	cp $(B)/capos.elf $(B)/boot-default.cpio $(SDK)/system
	printf 'SDK_CFLAGS := %s\nSDK_LDFLAGS := %s\n' '$(SDK_FLAGS)' '$(SDK_LDFLAGS)' > $(SDK)/flags.mk
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C $(B) -cf - capos-sdk | gzip -9n > $@
