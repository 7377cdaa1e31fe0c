# The terminal library: needs nothing but memcpy, memmove, memset, memcmp and strlen.
LIB_TERM_SRCS := lib/term/keys.c lib/term/history.c lib/term/editor.c lib/term/terminal.c

HOST_TESTS            += term_editor term_terminal
HOST_TEST_term_editor   := lib/term/editor_test.c lib/term/screen.c $(LIB_TERM_SRCS)
HOST_TEST_term_terminal := lib/term/terminal_test.c lib/term/screen.c $(LIB_TERM_SRCS)

FUZZ_TARGETS  += terminal
FUZZ_terminal := tests/fuzz/terminal_fuzz.c lib/term/screen.c $(LIB_TERM_SRCS)
