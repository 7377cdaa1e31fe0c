/*
 * Start of the kernel proper: allocators, processor, then kernel_start. Says on the log what was
 * found.
 */
#include "kernel/core/main.h"
#include "arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/string.h"
#include "kernel/core/version.h"
#include "kernel/mm/frame.h"

/* The level named by "log=" on the command line, if there is one. */
static void log_level_from(const char *command_line)
{
	static const char *const names[] = {
		[LOG_ERROR] = "log=error",
		[LOG_WARNING] = "log=warning",
		[LOG_INFO] = "log=info",
		[LOG_DEBUG] = "log=debug",
	};

	for (uint32_t level = 0; level < ARRAY_LEN(names); level++) {
		if (boot_command_line_has(command_line, names[level]))
			log_set_level(level);
	}
}

void kernel_main(const struct boot_info *boot)
{
	log_level_from(boot->command_line);
	log_line(LOG_INFO, "capOS %s (%s) for %s, started through %s.", CAPOS_VERSION, CAPOS_BUILD,
			arch_name(), boot->door);
	frame_init(boot);
	log_line(LOG_INFO, "%lu KiB of memory, %lu KiB free; boot package of %lu bytes.",
			frame_total_pages() * (PAGE_SIZE / 1024),
			frame_free_pages() * (PAGE_SIZE / 1024),
			boot->package.end - boot->package.start);
	arch_init(boot);
	kernel_start(boot);
}
