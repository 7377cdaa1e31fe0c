# Boot packages: the systems that can be booted, each a manifest with the programs it may start.
#
#   PROGRAMS       += hello      a fragment builds $(B)/bin/hello; every package holds it as bin/hello
#   TEST_PROGRAMS  += hostile    built the same way; only packages test-* and bench hold it
#   GEN_SCHEMAS    += x.capnp    (schema/schema.mk) also compiled into schemas.bin, for reflection
#
# Every manifests/NAME.capnp with a constant `manifest` is a system: `make boot-NAME` builds the kernel
# and $(B)/boot-NAME.cpio, an archive of manifest.bin, schemas.bin (schema/schema.mk) and bin/<program>.

MANIFESTS := $(patsubst manifests/%.capnp,%,$(shell grep -ls '^const manifest ' manifests/*.capnp))

# What drivers ask for; manifests take their grants from there.
AUTHORITIES := drivers/serial/uart16550/authority.capnp

.PHONY: all programs boot kernel $(MANIFESTS:%=boot-%)
boot: $(MANIFESTS:%=boot-%)
all: boot
$(MANIFESTS:%=boot-%): boot-%: kernel $(B)/boot-%.cpio

$(B)/manifest/%.bin: manifests/%.capnp $(wildcard manifests/*.capnp) $(AUTHORITIES) $(SYSTEM_SCHEMAS)
	@mkdir -p $(@D)
	capnp eval -b --import-path=schema $< manifest > $@.new
	@mv $@.new $@

# Fragments that are read later add programs too, so the lists are expanded a second time.
.SECONDEXPANSION:
programs: $$(addprefix $(B)/bin/,$$(PROGRAMS))
package_programs = $(PROGRAMS) $(if $(filter test-% bench,$(1)),$(TEST_PROGRAMS))

$(MANIFESTS:%=$(B)/boot-%.cpio): $(B)/boot-%.cpio: tools/bootpack/bootpack.py $(B)/manifest/%.bin \
		$(SCHEMAS_BIN) $$(addprefix $(B)/bin/,$$(call package_programs,$$*))
	tools/bootpack/bootpack.py $@ manifest.bin=$(B)/manifest/$*.bin schemas.bin=$(SCHEMAS_BIN) \
		$(foreach p,$(call package_programs,$*),bin/$(p)=$(B)/bin/$(p))

include tools/image/image.mk
include tools/sdk/sdk.mk
