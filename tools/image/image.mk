# The ISO with the default system: `make CONFIG=release image`, $(B)/capos.iso.

.PHONY: image
image: $(B)/capos.iso

$(B)/capos.iso: tools/image/build.py $(B)/capos.elf $(B)/boot-default.cpio
	tools/image/build.py $@ $(B)/capos.elf $(B)/boot-default.cpio
