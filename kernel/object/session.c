/*
 * Sessions; see session.h. Made through SessionManager, given to a process by ProcessBuilder.setSession, shown to services
 * by object/endpoint_call.c.
 * Always true: no live grant of a process whose session has ended is unrevoked once session_end has returned.
 */
#include "kernel/object/session.h"

#include "capos/kernel.server.h"
#include "kernel/core/entropy_pool.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"
#include "kernel/ring/ring.h"

static struct slab_cache session_cache = SLAB_CACHE("session", struct session);
static uint64_t last_number;

struct session *session_system(void)
{
	static struct session system = {
		.object = { .type = &session_type, .references = 1 },
		.lock = SPINLOCK_INIT(LOCK_RANK_OBJECT, "session"),
		.epoch = 1,
		.waiters = LIST_INIT(system.waiters),
	};

	return &system;
}

struct session_reference session_reference_make(const uint32_t key[8], uint64_t number)
{
	const uint32_t nonce[3] = { (uint32_t)number, (uint32_t)(number >> 32), 0 };
	uint8_t block[CHACHA20_BLOCK_BYTES];
	struct session_reference reference;

	chacha20_block(key, 0, nonce, block);
	memcpy(&reference, block, sizeof(reference));
	return reference;
}

static status_t session_create(struct call *call, struct session **out)
{
	struct session *session;
	status_t status = call_charge_object(call);

	if (status != STATUS_OK)
		return status;
	session = slab_alloc(&session_cache);
	if (!session) {
		ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	}
	object_init(&session->object, &session_type, call->payer);
	spin_init(&session->lock, LOCK_RANK_OBJECT, "session");
	session->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
	session->epoch = 1;
	list_init(&session->waiters);
	*out = session;
	return STATUS_OK;
}

static void session_destroy(struct object *object)
{
	struct session *session = container_of(object, struct session, object);

	ASSERT(session != session_system() && list_empty(&session->waiters));
	slab_free(&session_cache, session);
}

/* --- The end ------------------------------------------------------------------------------------ */

static void wake_waiters(struct session *session)
{
	struct list *link;

	do {
		spin_lock(&session->lock);
		link = list_take(&session->waiters);
		spin_unlock(&session->lock);
		if (link)
			question_answer(container_of(link, struct question, link), STATUS_OK, 0, NULL, 0);
	} while (link);
}

status_t session_end(struct session *session)
{
	struct process *process;
	bool ended;

	if (session == session_system())
		return STATUS_FAILED;
	spin_lock(&session->lock);
	ended = session->ended;
	__atomic_store_n(&session->ended, true, __ATOMIC_RELEASE);
	spin_unlock(&session->lock);
	if (ended)
		return STATUS_OK;
	for (uint32_t next = 0; (process = process_find(next, true)); object_put(&process->object)) {
		next = process->id + 1;
		if (process->session == session)
			cap_table_revoke_all(&process->caps);
	}
	processes_sweep_revoked();      /* what was derived may have gone anywhere */
	wake_waiters(session);
	return STATUS_OK;
}

static status_t session_wait_death(struct object *object, struct question *question, bool *ended)
{
	struct session *session = container_of(object, struct session, object);

	spin_lock(&session->lock);
	*ended = session->ended;
	if (!*ended)
		list_append(&session->waiters, &question->link);
	spin_unlock(&session->lock);
	return STATUS_OK;
}

static bool session_cancel(struct object *object, struct question *question)
{
	struct session *session = container_of(object, struct session, object);
	bool waited;

	spin_lock(&session->lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	spin_unlock(&session->lock);
	return waited;
}

/* --- Methods ------------------------------------------------------------------------------------ */

static status_t session_info(void *self, struct call *call, struct session_info_params_reader in,
		struct session_info_results_builder *out)
{
	struct session *session = self;
	struct process *process;
	uint32_t count = 0;

	for (uint32_t next = 0; (process = process_find(next, true)); object_put(&process->object)) {
		next = process->id + 1;
		count += process->session == session;
	}
	session_info_results_set_number(*out, session->number);
	session_info_results_set_epoch(*out, __atomic_load_n(&session->epoch, __ATOMIC_RELAXED));
	session_info_results_set_ended(*out, session_has_ended(session));
	session_info_results_set_processes(*out, count);
	return STATUS_OK;
}

static status_t control_renew(void *self, struct call *call, struct session_control_renew_params_reader in,
		struct session_control_renew_results_builder *out)
{
	struct session *session = self;
	status_t status = call_ready(call);

	if (status == STATUS_OK && session_has_ended(session))
		status = call_refuse(call, STATUS_FAILED, REASON_LOGGED_OUT, 0, 0, 0);
	if (status == STATUS_OK)
		session_control_renew_results_set_epoch(*out,
				__atomic_add_fetch(&session->epoch, 1, __ATOMIC_RELAXED));
	return status;
}

static status_t control_logout(void *self, struct call *call, struct session_control_logout_params_reader in,
		struct session_control_logout_results_builder *out)
{
	status_t status = call_ready(call);

	return status == STATUS_OK ? session_end(self) : status;
}

static status_t session_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct session_control_server server = {
		.session = { .info = session_info },
		.renew = control_renew,
		.logout = control_logout,
	};

	return session_control_dispatch(&server, container_of(object, struct session, object), call, interface_id, method);
}

const struct object_type session_type = {
	.name = "session",
	.call = session_object_call,
	.destroy = session_destroy,
	.cancel = session_cancel,
	.wait_death = session_wait_death,
};

/* --- Manager ------------------------------------------------------------------------------------ */

static status_t manager_create(void *self, struct call *call, struct session_manager_create_params_reader in,
		struct session_manager_create_results_builder *out)
{
	struct session *session;
	struct capnp_cap cap;
	status_t status = session_create(call, &session);

	if (status != STATUS_OK)
		return status;
	object_hold(&session->object);
	object_put(&session->object);
	status = call_give(call, &session->object, &session_control_interface, false, &cap);
	if (status == STATUS_OK)
		session_manager_create_results_set_session(*out, cap);
	return status;
}

static status_t manager_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct session_manager_server server = { .create = manager_create };

	return session_manager_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type manager_type = {
	.name = "session_manager",
	.call = manager_object_call,
};

struct object *session_manager_object(void)
{
	static struct object manager = ROOT_OBJECT(&manager_type);

	return &manager;
}
