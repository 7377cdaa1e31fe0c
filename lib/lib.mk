include lib/elf/elf.mk
