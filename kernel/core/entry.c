/*
 * The ways into the kernel: system calls, interrupts, faults. Called by the entry code of
 * arch/<name>/ with interrupts off, on the processor's stack; each takes the kernel's lock
 * (kernel_lock.h), leaves it, and answers the context to leave with. Nothing here sleeps.
 */
#include "kernel/core/entry.h"

#include "abi/syscall.h"
#include "kernel/arch/arch.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/irq/irq.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"
#include "kernel/object/thread_event.h"
#include "kernel/ring/direct.h"
#include "kernel/ring/poller.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"
#include "kernel/time/timer_queue.h"
#include "kernel/trace/trace.h"

NO_BUFFER HOT_INLINE struct arch_context *enter_answer(struct thread *thread, int64_t result)
{
	arch_context_set_result(&thread->context, result);
	return likely(!arch_cpu()->chores) ? &thread->context : sched_leave();
}

/* Sleeps until `min_complete` completions can be read or the deadline passes, unless either is so
 * already. */
NO_BUFFER static struct arch_context *wait_for_completions(struct thread *thread, uint32_t min_complete, uint64_t deadline_ns)
{
	struct ring *ring = thread->ring;
	uint32_t available;

	spin_lock(&ring->lock);
	available = ring_available(ring);
	if (available >= min_complete) {
		spin_unlock(&ring->lock);
		return enter_answer(thread, available);
	}
	if (deadline_ns && deadline_ns <= arch_time_ns()) {
		spin_unlock(&ring->lock);
		return enter_answer(thread, STATUS_DEADLINE_EXCEEDED);
	}
	if (unlikely(thread->event_due)) {
		spin_unlock(&ring->lock);
		return enter_answer(thread, STATUS_INTERRUPTED);
	}
	thread->min_complete = min_complete;
	sched_wait(thread, THREAD_WAIT_COMPLETIONS);
	/* With the lock held: whoever wakes the thread finds the deadline and takes it out. */
	if (deadline_ns)
		timer_queue_add(&thread->deadline, deadline_ns, thread_deadline_passed);
	spin_unlock(&ring->lock);
	return sched_resume();
}

/* Sleeps until the question of the SYNC entry is answered. */
NO_BUFFER static NOINLINE struct arch_context *enter_sleep(struct ring *ring)
{
	struct thread *thread = ring->thread;

	/* Diverted on the way here. */
	if (unlikely(thread->event_due && ring->sync))
		(void)question_cancel(ring->sync, STATUS_INTERRUPTED, 0);
	spin_lock(&ring->lock);
	if (likely(ring->sync && thread->state == THREAD_RUNNING))
		sched_wait(thread, THREAD_WAIT_SYNC);
	else
		arch_context_set_result(&thread->context, ring->sync_result);
	spin_unlock(&ring->lock);
	return sched_resume();
}

NO_BUFFER HOT_INLINE struct arch_context *enter_finish(struct ring *ring)
{
	/* Whoever answers clears it; only the thread itself sets it. */
	if (likely(!READ_ONCE(ring->sync)))
		return enter_answer(ring->thread, ring->sync_result);
	return enter_sleep(ring);
}

NO_BUFFER static struct arch_context *enter(struct thread *thread, uint64_t flags, uint64_t min_complete, uint64_t deadline_ns)
{
	struct ring *ring = thread->ring;
	bool direct = flags & ENTER_SYNC, alone = min_complete == 0 && deadline_ns == 0;

	if (unlikely((flags & ~(uint64_t)ENTER_SYNC) || min_complete > RING_CQ_ENTRIES || (direct && !alone)))
		return enter_answer(thread, STATUS_BAD_ENTRY);
	if (unlikely(ring->poller))
		poller_wake(ring->poller);
	if (ring_drain(ring, !direct && alone))
		return enter_finish(ring);
	/* It ended itself, or was ended by others who were let in between two entries. */
	if (unlikely(arch_cpu()->current != thread || thread->state != THREAD_RUNNING))
		return sched_leave();
	if (direct && ring_submitted(ring) != 0)
		return enter_answer(thread, STATUS_NO_CREDIT);
	if (direct) {
		ring_take_header(ring);
		return enter_finish(ring);
	}
	return wait_for_completions(thread, (uint32_t)min_complete, deadline_ns);
}

/* Any system call, exclusive; the thread may have been ended while it waited for that. */
NO_BUFFER static NOINLINE struct arch_context *perform(uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t number)
{
	struct cpu *cpu = arch_cpu();
	struct thread *thread;

	if (cpu->door != DOOR_EXCLUSIVE)
		kernel_enter_exclusive(cpu);
	thread = cpu->current;
	if (unlikely(!thread))
		return sched_leave();
	switch (number) {
	case SYSCALL_CAP_ENTER:
		return enter(thread, arg0, arg1, arg2);
	case SYSCALL_EXIT:
		if (arg1 == EXIT_THREAD)
			thread_end(thread, PROCESS_STATE_EXITED, (int64_t)arg0);
		else
			process_end(thread->process, PROCESS_STATE_EXITED, (int64_t)arg0, NULL);
		return sched_leave();
	default:
		return enter_answer(thread, STATUS_UNIMPLEMENTED);
	}
}

NO_BUFFER struct arch_context *enter_generally(void)
{
	return perform(ENTER_SYNC, 0, 0, SYSCALL_CAP_ENTER);
}

static NOINLINE struct arch_context *perform_and_leave(uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t number)
{
	struct arch_context *context = perform(arg0, arg1, arg2, number);

	kernel_leave(arch_cpu());
	return context;
}

/*
 * cap_enter that wants nothing: most often nothing is in the queue either, and only the completions
 * are counted. Without the kernel's lock: it reads what is the thread's own, which nobody takes away
 * before this processor has been stopped. Where others take from the queue they may be at an entry.
 */
NO_BUFFER HOT_INLINE static inline struct arch_context *look(const struct cpu *cpu, struct thread *thread)
{
	struct ring *ring = thread->ring;
	uint64_t other = READ_ONCE(ring->own_head) ^ LOAD_ACQUIRE(&ring->header->sq_tail);
	uint32_t unread;

	if (unlikely((other | cpu->chores) != 0 || !ring_glance(ring, &unread)))
		return perform_and_leave(0, 0, 0, SYSCALL_CAP_ENTER);
	arch_context_set_result(&thread->context, unread);
	return &thread->context;
}

/* The entry in the header, shared if it is one of the direct way. */
NO_BUFFER static NOINLINE struct arch_context *enter_directly(struct cpu *cpu)
{
	struct arch_context *context;

	if (likely(kernel_enter_shared(cpu)))
		context = ring_enter(cpu->current->ring);
	else
		context = sched_leave();
	kernel_leave(cpu);
	return context;
}

/* Most system calls are cap_enter for the entry in the header. */
NO_BUFFER struct arch_context *kernel_syscall(uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t number)
{
	struct cpu *cpu = arch_cpu();

	STATIC_ASSERT(SYSCALL_CAP_ENTER == 0);
	if (likely((arg1 | arg2 | number) == 0)) {
		if (likely(arg0 == ENTER_SYNC))
			return enter_directly(cpu);
		if (likely(arg0 < ENTER_SYNC))
			return look(cpu, cpu->current);
	}
	return perform_and_leave(arg0, arg1, arg2, number);
}

static void take_interrupt(struct cpu *cpu, uint32_t vector)
{
	int line = arch_irq_line(vector);

	/* A line has to be masked first. */
	if (line < 0)
		arch_irq_end(vector);
	kernel_enter_exclusive(cpu);
	cpu->counters.interrupts++;
	if (unlikely(cpu->isolation.is_on))
		isolation_disturb(&cpu->isolation, arch_time_ns());
	if (line >= 0) {
		kernel_irq((uint32_t)line);
		arch_irq_end(vector);
	}
	if (vector == ARCH_VECTOR_TIMER) {
		cpu->counters.timer_interrupts++;
		sched_timer();
	}
	if (vector == ARCH_VECTOR_WAKE)
		sched_woken();
}

struct arch_context *kernel_interrupt(uint32_t vector)
{
	struct cpu *cpu = arch_cpu();
	struct arch_context *context;

	take_interrupt(cpu, vector);
	context = sched_resume();
	kernel_leave(cpu);
	return context;
}

void kernel_interrupt_idle(uint32_t vector)
{
	struct cpu *cpu = arch_cpu();

	take_interrupt(cpu, vector);
	kernel_leave_idle(cpu);
}

static struct crash_info *crash_record(const struct thread *thread, const struct arch_fault *fault)
{
	struct crash_info *crash = crash_info_create();

	if (!crash)
		return NULL;      /* the process still ends as crashed; only the details are lost */
	crash->kind = fault->kind;
	crash->vector = fault->vector;
	crash->error_code = fault->error_code;
	crash->address = fault->address;
	crash->instruction = fault->instruction;
	crash->stack = fault->stack;
	crash->register_count = arch_context_registers(&thread->context, crash->registers, CRASH_REGISTERS_MAX);
	crash->backtrace_count = arch_user_backtrace(&thread->context, &thread->process->vm->space, crash->backtrace,
			CRASH_BACKTRACE_MAX);
	return crash;
}

/* A page of paged memory is missed; false if it will never come. */
static bool wait_for_page(struct thread *thread, const struct page_miss *miss, const struct arch_fault *fault)
{
	const struct event_fault missing = { CRASH_KIND_PAGE_MISSING, fault->vector, fault->error_code, fault->address };
	struct crash_info *crash;
	enum page_wait_outcome outcome;

	/* What is due to the thread comes first; then the access is done again. */
	if (unlikely(thread->event_due)) {
		object_put(&miss->object->object);
		return true;
	}
	crash = crash_record(thread, fault);
	if (crash)
		crash->kind = CRASH_KIND_PAGE_MISSING;
	outcome = page_wait_begin(thread, miss, crash);
	if (outcome == PAGE_AWAITED)
		return true;
	if (outcome == PAGE_IS_THERE || thread_event_fault(thread, &missing)) {
		crash_info_destroy(crash);
		return true;
	}
	process_end(thread->process, PROCESS_STATE_CRASHED, 0, crash);
	return false;
}

static void take_fault(struct thread *thread, const struct arch_fault *fault)
{
	struct process *process = thread->process;
	enum vm_fault answer = VM_FAULT_CRASH;
	struct page_miss miss = { 0 };
	const struct event_fault event = { fault->kind, fault->vector, fault->error_code, fault->address };
	enum access wanted = fault->execute ? ACCESS_READ_EXECUTE : fault->write ? ACCESS_READ_WRITE : ACCESS_READ;

	if (fault->kind == CRASH_KIND_ACCESS_FAULT)
		answer = vm_fault(process->vm, fault->address, wanted, &miss);
	thread->faults++;
	if (answer == VM_FAULT_RESOLVED || (answer == VM_FAULT_MISSING && wait_for_page(thread, &miss, fault)))
		return;
	if (answer == VM_FAULT_CRASH && thread_event_fault(thread, &event))
		return;
	trace_fault(thread, fault->vector, fault->address);
	log_line(LOG_INFO, "process %u (%s) crashed: exception %u at 0x%lx, address 0x%lx.", process->id, process->name,
			fault->vector, fault->instruction, fault->address);
	if (answer == VM_FAULT_CRASH)
		process_end(process, PROCESS_STATE_CRASHED, 0, crash_record(thread, fault));
}

struct arch_context *kernel_fault(const struct arch_fault *fault)
{
	struct cpu *cpu = arch_cpu();
	struct arch_context *context;

	kernel_enter_exclusive(cpu);
	if (likely(cpu->current))
		take_fault(cpu->current, fault);
	context = sched_resume();
	kernel_leave(cpu);
	return context;
}
