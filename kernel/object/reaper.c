/*
 * The reaper's list; see reaper.h. Stepped by sched/sched.c on the ways out of the kernel.
 * Always true: a work is in the list once, or not at all.
 */
#include "kernel/object/reaper.h"

#include "kernel/core/spinlock.h"
#include "kernel/sched/sched.h"

static struct spinlock reaper_lock = SPINLOCK_INIT(LOCK_RANK_PROCESS_TREE, "reaper");
static struct list reaper_list = LIST_INIT(reaper_list);

void reaper_add(struct reaper_work *work)
{
	spin_lock(&reaper_lock);
	list_append(&reaper_list, &work->link);
	spin_unlock(&reaper_lock);
	sched_reap();
}

void reaper_remove(struct reaper_work *work)
{
	spin_lock(&reaper_lock);
	list_remove(&work->link);
	spin_unlock(&reaper_lock);
}

bool reaper_step(void)
{
	struct reaper_work *work = NULL;

	spin_lock(&reaper_lock);
	if (!list_empty(&reaper_list))
		work = container_of(reaper_list.next, struct reaper_work, link);
	spin_unlock(&reaper_lock);
	if (work && !work->step(work)) {
		spin_lock(&reaper_lock);
		list_remove(&work->link);
		list_append(&reaper_list, &work->link);
		spin_unlock(&reaper_lock);
	}
	return !list_empty(&reaper_list);
}
