/*
 * The boot package: the files that came with the kernel. The kernel itself finds init here.
 */
#ifndef KERNEL_OBJECT_BOOT_PACKAGE_H
#define KERNEL_OBJECT_BOOT_PACKAGE_H

#include "kernel/core/boot_info.h"
#include "kernel/core/cpio.h"

/* Checks the archive; a bad one is treated as none, with an error on the log. Once. */
void boot_package_init(const struct boot_info *boot);
/* The file of this name, borrowed for ever; false if there is none. */
bool boot_package_find(const char *name, size_t name_bytes, struct cpio_file *file);

#endif
