/*
 * Objects of a server: minting capabilities to them, finding them again by the tags of calls and
 * events, and ending their exports when nobody holds them.
 *
 * The tag of an export minted here is the address of its object: the kernel delivers no tag that
 * this process did not mint, and an object stays in place until its export has ended. Roots,
 * whose capabilities others minted, have small tags and stand in a list.
 */
#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/panic.h"
#include "rt/server_internal.h"

#define OBJECT_MARK 0x746a624fu
#define ROWS_MAX 16u

static struct server_object *roots;

/* No tag is this one: those of exports are addresses, those of roots are small. */
const struct server_object server_nobody = { .tag = UINT64_MAX };

static struct server_object *object_at(uint64_t tag)
{
	struct server_object *object = (struct server_object *)(uintptr_t)(tag & ~TAG_OBJECT);

	ASSERT(object->mark == OBJECT_MARK && object->tag == tag);
	return object;
}

struct server_object *server_object_of_tag(uint64_t tag)
{
	struct server_object *object;

	if ((tag & TAG_OBJECT) != 0)
		return object_at(tag);
	for (object = LOAD_ACQUIRE(&roots); object != NULL; object = object->next_root) {
		if (object->tag == tag)
			return object;
	}
	return NULL;
}

struct server_object *server_object_find(const struct server *server, uint64_t tag)
{
	struct server_object *object;

	if ((tag & TAG_OBJECT) != 0)
		return object_at(tag);
	for (object = LOAD_ACQUIRE(&roots); object != NULL; object = object->next_root) {
		if (object->tag == tag && object->server == server)
			return object;
	}
	return NULL;
}

void server_root(struct server *server, struct server_object *object, uint64_t tag,
		const struct server_class *class, void *self)
{
	ASSERT((tag & TAG_OBJECT) == 0 && server_object_find(server, tag) == NULL);
	*object = (struct server_object){
		.class = class, .self = self, .server = server, .tag = tag, .mark = OBJECT_MARK
	};
	/* Others may look through the list meanwhile, or add to it; nothing is ever taken out. */
	object->next_root = __atomic_load_n(&roots, __ATOMIC_ACQUIRE);
	while (!__atomic_compare_exchange_n(&roots, &object->next_root, object, false, __ATOMIC_RELEASE,
			__ATOMIC_ACQUIRE))
		;
}

static uint16_t ancestor_bits(const struct capnp_interface *interface,
		const struct capnp_interface *const *rows, uint32_t row_count)
{
	uint16_t bits = 0;
	uint32_t row;
	uint32_t i;

	for (row = 0; row < row_count; row++) {
		for (i = 0; i < interface->ancestor_count; i++) {
			if (interface->ancestors[i]->id == rows[row]->id)
				bits = (uint16_t)(bits | 1u << row);
		}
	}
	return bits;
}

static void rows_write(struct endpoint_export_params_builder params,
		const struct capnp_interface *interface)
{
	const struct capnp_interface *rows[ROWS_MAX] = { interface };
	uint32_t count = 1;
	struct capnp_list_builder list;
	uint32_t i;

	ASSERT(interface->ancestor_count < ROWS_MAX);
	for (i = 0; i < interface->ancestor_count; i++)
		rows[count++] = interface->ancestors[i];
	list = endpoint_export_params_init_interfaces(params, count);
	for (i = 0; i < count; i++) {
		struct interface_row_builder row = interface_row_builder_at(list, i);

		interface_row_set_id(row, rows[i]->id);
		interface_row_set_methods(row, rows[i]->method_count);
		interface_row_set_ancestors(row, ancestor_bits(rows[i], rows, count));
	}
}

/* A capability to what has the tag, with the interface. */
static status_t mint(const struct server *server, uint64_t tag, const struct capnp_interface *interface,
		uint32_t *capability)
{
	struct endpoint_ref endpoint = { rt_ref(server->endpoint) };
	struct endpoint_export_params_builder params;
	struct endpoint_export_call export = endpoint_export_begin(endpoint, &params);
	struct client_ref minted;
	status_t status;

	endpoint_export_params_set_tag(params, tag);
	rows_write(params, interface);
	endpoint_export_send(&export);
	status = endpoint_export_wait(&export);
	if (status == STATUS_OK)
		status = endpoint_export_take_capability(&export, &minted);
	endpoint_export_done(&export);
	*capability = status == STATUS_OK ? rt_id(minted) : 0;
	return status;
}

status_t server_object_copy(struct server_object *object, uint32_t *capability)
{
	const struct capnp_interface *interface = server_object_class(object)->interface;

	return mint(object->server, object->tag, interface, capability);
}

status_t server_export(struct server *server, struct server_object *object,
		const struct server_class *class, void *self, uint32_t *capability)
{
	const uint64_t tag = (uint64_t)(uintptr_t)object | TAG_OBJECT;
	status_t status;

	ASSERT(object->mark != OBJECT_MARK || object->server == NULL || object->self == self);
	status = mint(server, tag, class->interface, capability);
	if (status != STATUS_OK)
		return status;
	if (object->mark != OBJECT_MARK)
		*object = (struct server_object){ .mark = OBJECT_MARK };
	server_object_set_class(object, class);
	object->self = self;
	object->server = server;
	object->tag = tag;
	return STATUS_OK;
}

/* Roots are whoever minted them's to end; only exports minted here are retired. */
void server_object_retire(struct server *server, uint64_t tag, uint64_t sequence)
{
	struct ring *ring = ring_self();
	struct server_object *object;
	struct ring_entry *entry;

	if ((tag & TAG_OBJECT) == 0)
		return;
	object = object_at(tag);
	entry = ring_entry_sync(ring, CAP_OP_RETIRE);
	entry->target = server->endpoint;
	entry->interface = tag;
	entry->deadline_ns = sequence;
	if (ring_enter_sync(ring) != STATUS_OK)
		return;
	server_stream_end(server, object);
	if (server->recent == object)
		server->recent = &server_nobody;
	object->server = NULL;
	object->mark = 0;
	if (object->class->on_no_holders != NULL)
		object->class->on_no_holders(object->self);
}
