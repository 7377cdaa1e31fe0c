/*
 * IoPorts: a range of x86 I/O ports, made narrower by `range`. The ports of devices that the kernel
 * itself drives belong to nobody else: they are refused whatever range holds them.
 * Always true: start + count <= 0x10000.
 */
#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/object/roots.h"

#define MANY_MAX 256 /* bytes a call of readMany and writeMany */

/*  I fixed after creation  */
struct io_ports {
	struct object object;
	uint32_t start; /* I */
	uint32_t count; /* I */
};

/* First and last port of what the kernel uses. */
static const struct {
	uint16_t first, last;
} kernel_ports[] = {
	{ 0x020, 0x021 },                   /* interrupt controllers (8259) */
	{ 0x0a0, 0x0a1 }, { 0x040, 0x043 }, /* interval timer (8254), for calibration */
	{ 0x061, 0x061 },                   /* its gate */
	{ 0x3f8, 0x3ff },                   /* first serial line: the kernel's log */
	{ 0x501, 0x502 },                   /* end of the emulator */
	{ 0xcf8, 0xcff },                   /* PCI configuration, reset control */
};

static const struct object_type io_ports_type;
static struct slab_cache io_ports_cache = SLAB_CACHE("io ports", struct io_ports);

static bool kernel_uses(uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < ARRAY_LEN(kernel_ports); i++) {
		if (first <= kernel_ports[i].last && kernel_ports[i].first < first + count)
			return true;
	}
	return false;
}

/* The port at `offset`, if the program may have it and the call can be answered. */
static status_t port_find(
		struct call *call, const struct io_ports *ports, uint16_t offset, uint16_t *port)
{
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (offset >= ports->count)
		return call_fail_argument(call, 0, ports->count);
	if (kernel_uses(ports->start + offset, 1))
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_OVERLAP, 0, 0, 0);
	*port = (uint16_t)(ports->start + offset);
	return STATUS_OK;
}

static status_t ports_create(
		struct call *call, uint32_t start, uint32_t count, struct capnp_cap *cap)
{
	status_t status = call_charge_object(call);
	struct io_ports *ports;

	if (status != STATUS_OK)
		return status;
	ports = slab_alloc(&io_ports_cache);
	if (!ports) {
		ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	}
	ports->start = start;
	ports->count = count;
	object_init(&ports->object, &io_ports_type, call->payer);
	object_hold(&ports->object);
	object_put(&ports->object);
	return call_give(call, &ports->object, &io_ports_interface, true, cap);
}

static status_t method_range(void *self, struct call *call, struct io_ports_range_params_reader in,
		struct io_ports_range_results_builder *out)
{
	const struct io_ports *ports = self;
	uint16_t start = io_ports_range_params_get_start(in);
	uint16_t count = io_ports_range_params_get_count(in);
	struct capnp_cap cap = CAPNP_CAP_NULL;
	status_t status;

	if (start >= ports->count)
		return call_fail_argument(call, 0, ports->count);
	if (count == 0 || count > ports->count - start)
		return call_fail_argument(call, 1, ports->count - start);
	if (kernel_uses(ports->start + start, count))
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_OVERLAP, 0, 0, 0);
	status = ports_create(call, ports->start + start, count, &cap);
	io_ports_range_results_set_ports(*out, cap);
	return status;
}

static status_t method_read(void *self, struct call *call, struct io_ports_read_params_reader in,
		struct io_ports_read_results_builder *out)
{
	uint16_t port;
	status_t status = port_find(call, self, io_ports_read_params_get_offset(in), &port);

	if (status == STATUS_OK)
		io_ports_read_results_set_value(*out, arch_port_read(port));
	return status;
}

static status_t method_write(void *self, struct call *call, struct io_ports_write_params_reader in,
		struct io_ports_write_results_builder *out)
{
	uint16_t port;
	status_t status = port_find(call, self, io_ports_write_params_get_offset(in), &port);

	if (status == STATUS_OK)
		arch_port_write(port, io_ports_write_params_get_value(in));
	return status;
}

static status_t method_read_many(void *self, struct call *call,
		struct io_ports_read_many_params_reader in,
		struct io_ports_read_many_results_builder *out)
{
	uint16_t count = io_ports_read_many_params_get_count(in);
	uint8_t *bytes;
	uint16_t port;
	status_t status = port_find(call, self, io_ports_read_many_params_get_offset(in), &port);

	if (status != STATUS_OK)
		return status;
	if (count > MANY_MAX)
		return call_fail_argument(call, 1, MANY_MAX);
	/* Reading may change the device: without room for the bytes nothing is read. */
	bytes = io_ports_read_many_results_init_bytes(*out, count);
	for (uint32_t i = 0; bytes && i < count; i++)
		bytes[i] = arch_port_read(port);
	return STATUS_OK;
}

static status_t method_write_many(void *self, struct call *call,
		struct io_ports_write_many_params_reader in,
		struct io_ports_write_many_results_builder *out)
{
	struct capnp_data data = io_ports_write_many_params_get_bytes(in);
	uint16_t port;
	status_t status = port_find(call, self, io_ports_write_many_params_get_offset(in), &port);

	if (status != STATUS_OK)
		return status;
	if (data.count > MANY_MAX)
		return call_fail_argument(call, 1, MANY_MAX);
	for (uint32_t i = 0; i < data.count; i++)
		arch_port_write(port, data.bytes[i]);
	return STATUS_OK;
}

static status_t io_ports_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct io_ports_server server = {
		.range = method_range,
		.read = method_read,
		.write = method_write,
		.read_many = method_read_many,
		.write_many = method_write_many,
	};

	return io_ports_dispatch(&server, container_of(object, struct io_ports, object), call,
			interface_id, method);
}

static void io_ports_destroy(struct object *object)
{
	slab_free(&io_ports_cache, container_of(object, struct io_ports, object));
}

static const struct object_type io_ports_type = {
	.name = "io ports",
	.call = io_ports_call,
	.destroy = io_ports_destroy,
};

struct object *io_ports_object(void)
{
	static struct io_ports all = {
		.object = ROOT_OBJECT(&io_ports_type),
		.start = 0,
		.count = 0x10000,
	};

	return &all.object;
}
