/*
 * Return addresses by frame pointers, of the kernel's own stack and of a program's. Both read only
 * what is known to be there: a broken chain ends the walk and nothing else.
 */
#include "arch/x86_64/internal.h"
#include "kernel/sched/cpu.h"

static bool frame_readable(uint64_t frame, uint64_t stack)
{
	uint64_t area = (stack - 1) & ~(uint64_t)(CPU_AREA_BYTES - 1);

	/* Both words lie in the same stack as the frame we came from, above it. */
	return frame >= stack && (frame & 7) == 0 && frame + 16 <= area + CPU_AREA_BYTES &&
			frame - area >= CPU_STACK_GUARD + PAGE_SIZE;
}

uint32_t arch_backtrace_from(uint64_t instruction, uint64_t frame, uint64_t *out, uint32_t max)
{
	uint64_t stack = (uint64_t)__builtin_frame_address(0);
	uint64_t area = (uint64_t)arch_cpu();
	uint32_t count = 0;

	if (instruction != 0 && count < max)
		out[count++] = instruction;
	/* A trap on a stack of its own reports a frame of the main stack. */
	if (frame >= area + CPU_STACK_GUARD + PAGE_SIZE && frame < area + CPU_STACK_TOP)
		stack = frame;
	while (count < max && frame_readable(frame, stack)) {
		const uint64_t *words = (const uint64_t *)frame;

		if (words[1] == 0)
			break;
		out[count++] = words[1];
		stack = frame + 16;
		frame = words[0];
	}
	return count;
}

uint32_t arch_backtrace(uint64_t *out, uint32_t max)
{
	return arch_backtrace_from(0, (uint64_t)__builtin_frame_address(0), out, max);
}

/* A word of the program's memory; aligned words never cross a page. */
static bool user_word(const struct arch_space *space, uint64_t address, uint64_t *word)
{
	uint64_t physical;
	enum access access;

	if ((address & 7) != 0 || !arch_space_lookup(space, address, &physical, &access) ||
			access == ACCESS_NONE)
		return false;
	*word = *(const uint64_t *)arch_direct(physical);
	return true;
}

uint32_t arch_user_backtrace(const struct arch_context *context, const struct arch_space *space,
		uint64_t *out, uint32_t max)
{
	uint64_t frame = context->rbp, next, address;
	uint32_t count = 0;

	while (count < max && user_word(space, frame, &next) &&
			user_word(space, frame + 8, &address) && address != 0) {
		out[count++] = address;
		if (next <= frame)
			break;
		frame = next;
	}
	return count;
}
