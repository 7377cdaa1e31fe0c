/*
 * Facet types: which interfaces a capability answers to. A facet is an immutable list of
 * (interface id, method count, which rows are its ancestors), the object's own interface first, then every
 * ancestor once. Equal lists are one facet (interned), so a capability carries a pointer. The facet is the permission:
 * there are no rights bits.
 */
#ifndef KERNEL_CAP_FACET_H
#define KERNEL_CAP_FACET_H

#include "abi/compiler.h"
#include "abi/status.h"

#define FACET_ROWS_MAX 16

struct facet_row {
	uint64_t id;
	uint16_t methods;       /* ordinals are below this */
	uint16_t ancestors;     /* bit n: row n is an ancestor of this row */
	uint32_t reserved;
};

/*  I fixed after creation   f under the facet lock   a atomic  */
struct facet {
	struct facet    *next;        /* f, hash chain */
	uint32_t         references;  /* a */
	uint32_t         count;       /* I */
	struct facet_row rows[];      /* I, rows[0] is the object's own interface */
};

struct capnp_interface;

/* The facet with these rows: a counted reference, or NULL when there is no memory. `count` 1..FACET_ROWS_MAX. */
struct facet *facet_intern(const struct facet_row *rows, uint32_t count) MUST_USE;
/* The facet of a kernel object's interface: a counted reference, or NULL when there is no memory. */
struct facet *facet_of_interface(const struct capnp_interface *interface) MUST_USE;
/* The facet of ancestor `interface_id` of `facet`: reference, or NULL with *status unimplemented or overloaded. */
struct facet *facet_narrow(const struct facet *facet, uint64_t interface_id, status_t *status) MUST_USE;
void facet_get(struct facet *facet);
void facet_put(struct facet *facet);

/* True if the facet has the method; the first row is the fast path. *has_interface tells the two refusals apart. */
static inline bool facet_has_method(const struct facet *facet, uint64_t interface_id, uint16_t method,
		bool *has_interface)
{
	for (uint32_t i = 0; i < facet->count; i++) {
		if (facet->rows[i].id == interface_id) {
			*has_interface = true;
			return method < facet->rows[i].methods;
		}
	}
	*has_interface = false;
	return false;
}

/* True if the method is one of the facet's own interface, as most are. */
static inline bool facet_has_own_method(const struct facet *facet, uint64_t interface_id, uint16_t method)
{
	return facet->rows[0].id == interface_id && method < facet->rows[0].methods;
}

static inline bool facet_has_interface(const struct facet *facet, uint64_t interface_id)
{
	bool has;

	(void)facet_has_method(facet, interface_id, 0, &has);
	return has;
}

#endif
