# The shell. Its language (parse.c) is pure and is tested and fuzzed on the host.
HOST_TESTS            += shell_parse
HOST_TEST_shell_parse := services/shell/parse_test.c services/shell/parse.c
FUZZ_TARGETS          += shell_parse
FUZZ_shell_parse      := tests/fuzz/shell_parse_fuzz.c services/shell/parse.c
