/*
 * Restart policy of services. See restart.h.
 */
#include "services/init/restart.h"

#include "abi/compiler.h"

static bool restart_is_asked_for(enum restart_policy policy, bool failed)
{
	switch (policy) {
	case RESTART_POLICY_NEVER:
		return false;
	case RESTART_POLICY_ON_FAILURE:
		return failed;
	case RESTART_POLICY_ALWAYS:
		return true;
	}
	return false;
}

/* backoff_ns doubled `count` times, at most backoff_max_ns; cannot overflow, since the plan bounds
 * the maximum to an hour. */
static uint64_t restart_delay_ns(const struct plan_restart *policy, uint32_t count)
{
	uint64_t delay_ns = policy->backoff_ns;

	while (count-- > 0 && delay_ns < policy->backoff_max_ns)
		delay_ns *= 2;
	return MIN(delay_ns, policy->backoff_max_ns);
}

enum restart_verdict restart_decide(const struct plan_restart *policy,
		struct restart_history *history, bool failed, uint64_t now_ns, uint64_t *delay_ns)
{
	if (!restart_is_asked_for(policy->policy, failed))
		return RESTART_NEVER;
	if (history->count == 0 || now_ns - history->window_start_ns > policy->window_ns) {
		history->window_start_ns = now_ns;
		history->count = 0;
	}
	if (history->count >= policy->budget)
		return RESTART_GIVE_UP;
	*delay_ns = restart_delay_ns(policy, history->count);
	history->count++;
	return RESTART_LATER;
}

void restart_forget(struct restart_history *history)
{
	history->count = 0;
}
