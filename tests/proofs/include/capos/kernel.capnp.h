/*
 * Layouts of messages: no proof needs them.
 */
#ifndef CAPOS_KERNEL_CAPNP_H
#define CAPOS_KERNEL_CAPNP_H

#endif

