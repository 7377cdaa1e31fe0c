/*
 * The system's version, as the log and SystemInfo tell it.
 */
#ifndef KERNEL_CORE_VERSION_H
#define KERNEL_CORE_VERSION_H

#define CAPOS_VERSION "0.1"

#if CONFIG_DEBUG
#define CAPOS_BUILD "debug"
#else
#define CAPOS_BUILD "release"
#endif

#endif
