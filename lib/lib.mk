include lib/elf/elf.mk
include lib/term/term.mk
