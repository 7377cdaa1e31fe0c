/*
 * Makes text from a program harmless for a terminal and for readers of the log.
 */
#ifndef KERNEL_CORE_PLAIN_TEXT_H
#define KERNEL_CORE_PLAIN_TEXT_H

#include "abi/compiler.h"

/*
 * Copies `count` bytes of one line; each control character except tab (C0, DEL, and C1 in UTF-8),
 * and each byte that is not part of valid UTF-8, becomes '?'. The output has the same length.
 */
void plain_text_copy(char *out, const char *in, size_t count);

#endif
