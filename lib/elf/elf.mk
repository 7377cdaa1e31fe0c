# ELF parser: pure, depends on abi/compiler.h only. The kernel links it through $(B)/klib/%.o.

ELF_SOURCES       := lib/elf/elf.c
HOST_TESTS        += elf
HOST_TEST_elf     := lib/elf/elf_test.c lib/elf/elf.c
FUZZ_TARGETS      += elf
FUZZ_elf          := tests/fuzz/elf_fuzz.c lib/elf/elf.c
