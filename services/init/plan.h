/*
 * The plan: a manifest that was checked as a whole, with every name in it resolved.
 *
 * Init (main.c) makes one from the boot package before it starts anything; the host tests and the
 * fuzzer make them from arbitrary bytes. Nothing here calls anybody: what exists outside the
 * manifest is asked through `struct plan_world`.
 *
 * A plan that plan_check accepted promises:
 *  - names of services, profiles, provided objects and grants are unique where they are looked up,
 *    1 to NAME_BYTES_MAX bytes of a-z 0-9 - _, and every index in it is in range;
 *  - every source exists, and what a grant narrows to is the source's interface or an ancestor;
 *  - `order` lists each service once, services before their clients: there is no cycle;
 *  - numbers of restart policies are in range, so arithmetic on them cannot overflow;
 *  - the profiles of all services together stay within what the world offers.
 * Its texts and readers borrow the manifest's message.
 */
#ifndef INIT_PLAN_H
#define INIT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"
#include "capnp/capnp.h"
#include "capos/manifest.capnp.h"
#include "capos/status.capnp.h"

#define PLAN_ERROR_BYTES            256u
#define PLAN_SERVE_GRANT            "serve" /* the name under which a service gets its own endpoint */
#define PLAN_RESTART_WINDOW_MAX_NS  (24ull * 3600 * 1000000000)
#define PLAN_RESTART_BACKOFF_MAX_NS (3600ull * 1000000000)

/* What there is besides the manifest. Borrowed for the call. */
struct plan_world {
	void *self;
	/* Whether the boot package has this file. */
	bool (*has_file)(void *self, struct capnp_text name);
	bool (*knows_interface)(void *self, uint64_t id);
	/* Whether a capability of the known interface `id` can be used as `as`: itself or an ancestor. */
	bool (*interface_is)(void *self, uint64_t id, uint64_t as);
	/* What all services together may be promised, by enum resource_class; UINT64_MAX: not known. */
	uint64_t available[RESOURCE_CLASS_COUNT];
};

struct plan_profile {
	struct capnp_text name;
	uint64_t limits[RESOURCE_CLASS_COUNT];
	bool set[RESOURCE_CLASS_COUNT]; /* not set: the kernel's default */
};

struct plan_provided {
	struct capnp_text name;
	uint64_t interface;
	bool per_client;
};

struct plan_grant {
	struct capnp_text name;
	enum grant_source_which kind;
	uint64_t interface; /* that the service gets, after narrowing; 0: see `kind` */
	bool narrowed;
	enum kernel_object kernel; /* kind kernel */
	enum init_object init;     /* kind init */
	uint32_t interrupt;        /* kind interrupt */
	uint16_t port_start;       /* kind ports */
	uint16_t port_count;
	uint32_t policy_weight;    /* kind policy; 0: all, in each of the three */
	enum latency_class policy_class;
	uint64_t policy_processors;
	uint16_t service; /* kind service: index of it, and of what it provides */
	uint16_t provided;
	uint16_t client; /* perClient: number of this service among its clients */
};

/* Something of the new process itself, which init does not hold: its memory, the making of its threads. */
static inline bool plan_grant_is_own(const struct plan_grant *grant)
{
	return grant->kind == GRANT_SOURCE_WHICH_KERNEL &&
			(grant->kernel == KERNEL_OBJECT_MEMORY || grant->kernel == KERNEL_OBJECT_THREADS);
}

struct plan_restart {
	enum restart_policy policy;
	uint32_t budget;
	uint64_t window_ns;
	uint64_t backoff_ns;
	uint64_t backoff_max_ns;
};

struct plan_service {
	struct service_reader manifest; /* arguments, environment and config are read there */
	struct capnp_text name;
	struct capnp_text program;
	struct plan_provided provided[PROVIDED_MAX];
	struct plan_grant grants[GRANTS_MAX];
	struct plan_restart restart;
	uint16_t provided_count;
	uint16_t grant_count;
	uint16_t clients[SERVICES_MAX]; /* services that hold a perClient object of this one */
	uint16_t client_count;
	uint16_t profile; /* PLAN_NO_PROFILE: none */
	bool essential;
};
#define PLAN_NO_PROFILE UINT16_MAX

struct plan {
	struct manifest_reader manifest;
	struct plan_profile profiles[PROFILES_MAX];
	struct plan_service services[SERVICES_MAX];
	uint16_t order[SERVICES_MAX];
	uint16_t profile_count;
	uint16_t service_count;
	char error[PLAN_ERROR_BYTES]; /* ends with NUL; empty when accepted */
};

/*
 * Checks the manifest whose words `message` holds and fills `plan`. Answers false with `error`
 * naming the path of the first thing that is wrong ("services[3].grants[1].source: ...").
 * A plan is large: keep it off the stack.
 */
bool plan_check(struct plan *plan, struct capnp_message *message, const struct plan_world *world)
		MUST_USE;

/* The tag with which calls through this grant of kind service arrive at the service. */
uint64_t plan_grant_tag(const struct plan *plan, const struct plan_grant *grant);

/* The interface of a kernel object or an object of init's; 0 for none. */
uint64_t plan_kernel_interface(enum kernel_object object);
uint64_t plan_init_interface(enum init_object object);

#endif
