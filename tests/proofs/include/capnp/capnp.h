/*
 * Layouts of messages: no proof needs them.
 */
#ifndef CAPNP_CAPNP_H
#define CAPNP_CAPNP_H

#endif

