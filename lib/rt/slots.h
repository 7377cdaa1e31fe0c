/*
 * Capabilities beside messages: what the slots of a capability table mean in this runtime, and
 * their forms in the ring: transfer descriptors on the way out, records on the way in.
 */
#ifndef LIB_RT_SLOTS_H
#define LIB_RT_SLOTS_H

#include <stdint.h>

#include "capnp/capnp.h"
#include "capos/ring.capnp.h"

/* Kinds of `struct capnp_cap_slot`. */
enum slot_kind {
	SLOT_NULL,
	SLOT_COPY,      /* id: to be sent, the sender keeps it */
	SLOT_MOVE,      /* id: to be sent away */
	SLOT_ANSWER,    /* id: a question, whose answer will have what is to be sent at path (of path_len) */
	SLOT_OWNED,     /* id: received; released with the message unless taken */
	SLOT_TAKEN,     /* received and taken over by somebody */
	SLOT_OWN,       /* object: the server_object that came home; NULL if it is unknown */
};

/* Writes transfer descriptors for slots that are to be sent. */
void descriptors_write(struct cap_descriptor *descriptors, const struct capnp_cap_slot *slots,
		uint32_t count);

/* Reads capability records into slots. */
void records_read(const struct cap_record *records, struct capnp_cap_slot *slots, uint32_t count);

/* Releases what the slots still own. */
void slots_release(struct capnp_cap_slot *slots, uint32_t count);

#endif
