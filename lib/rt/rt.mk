# The user runtime, librt.a: depends on lib/elf, lib/capnp and the generated headers of schema/capos.

USER_CFLAGS += -isystem lib/rt/include

HOST_TESTS         += rt-heap rt-arena rt-format
HOST_TEST_rt-heap   := lib/rt/heap_test.c lib/rt/heap.c
HOST_TEST_rt-arena  := lib/rt/arena_test.c lib/rt/arena.c
HOST_TEST_rt-format := lib/rt/format_test.c lib/rt/format.c
