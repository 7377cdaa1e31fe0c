# The user runtime, librt.a, and what programs are linked from. Depends on lib/elf, lib/capnp and the
# generated headers of schema/capos.
#
#   $(eval $(call program,NAME,sources...))     links $(B)/bin/NAME from C sources of the tree
#
# The linked file with its symbols stays as $(B)/elf/NAME; what goes into packages is stripped.

USER_CFLAGS += -isystem lib/rt/include

RT_SOURCES := entry.S start.c program.c panic.c string.c format.c reason.c arena.c ring.c transport.c slots.c \
              capability.c object.c call.c server.c server_stream.c server_forward.c loop.c heap.c malloc.c \
              layout.c launch.c clock.c park.c mutex.c thread.c thread_event.c x86_64/thread_event_entry.S \
              histogram.c cycle.c
RT_OBJECTS := $(addprefix $(B)/user/lib/rt/,$(addsuffix .o,$(basename $(RT_SOURCES)))) \
              $(B)/user/lib/elf/elf.o

# Messages and reflection, and the descriptions of every generated interface.
CAPNP_USER_OBJECTS = $(CAPNP_ALL_SOURCES:%.c=$(B)/user/%.o) \
                     $(patsubst $(O)/%.c,$(B)/user/%.o,$(GEN_SOURCES))

SDK_LDFLAGS := -static -nostdlib --gc-sections --no-dynamic-linker --build-id=none \
               -z max-page-size=4096 -z noexecstack -z norelro

.SECONDEXPANSION:
$(B)/librt.a: $(RT_OBJECTS)
	rm -f $@ && $(AR) rcsD $@ $^
$(B)/libcapnp.a: $$(CAPNP_USER_OBJECTS)
	rm -f $@ && $(AR) rcsD $@ $^
# Generated sources already live below $(O); their objects go to the same place among the user's.
$(B)/user/%.o: $(O)/%.c | gen
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -MMD -MP -c $< -o $@

define program
$(B)/elf/$(1): $(patsubst %.c,$(B)/user/%.o,$(2)) $(B)/librt.a $(B)/libcapnp.a lib/rt/program.ld
	@mkdir -p $$(@D)
	$$(LD) $$(SDK_LDFLAGS) -T lib/rt/program.ld -o $$@ $$(filter %.o,$$^) --start-group $$(filter %.a,$$^) --end-group
$(B)/bin/$(1): $(B)/elf/$(1)
	@mkdir -p $$(@D)
	$$(OBJCOPY) --strip-all $$< $$@
endef

HOST_TESTS         += rt-heap rt-arena rt-format rt-layout rt-string
HOST_TEST_rt-heap   := lib/rt/heap_test.c lib/rt/heap.c
HOST_TEST_rt-arena  := lib/rt/arena_test.c lib/rt/arena.c
HOST_TEST_rt-format := lib/rt/format_test.c lib/rt/format.c
HOST_TESTS             += rt-histogram
HOST_TEST_rt-histogram := lib/rt/histogram_test.c lib/rt/histogram.c
HOST_TESTS          += rt-reason
HOST_TEST_rt-reason := lib/rt/reason_test.c lib/rt/reason.c lib/rt/format.c $(CAPNP_SOURCES)
HOST_TEST_rt-string := lib/rt/string_test.c
HOST_TEST_rt-layout := lib/rt/layout_test.c lib/rt/layout.c lib/elf/elf.c

# The runtime's own guest test: boots, launches itself in several roles, prints TAP.
TEST_PROGRAMS += rt-test
GUEST_TESTS   += rt:test-rt
GEN_SCHEMAS   += tests/rt/flow.capnp
$(eval $(call program,rt-test,$(addprefix tests/rt/,main.c peer.c stream_test.c thread_test.c flow_peer.c front.c)))
