/*
 * Questions about what the boot loader told.
 */
#include "kernel/core/boot_info.h"

bool boot_command_line_has(const char *command_line, const char *word)
{
	const char *at = command_line;

	while (*at != '\0') {
		const char *w = word;

		while (*at == ' ')
			at++;
		while (*w != '\0' && *at == *w) {
			at++;
			w++;
		}
		if (*w == '\0' && (*at == ' ' || *at == '\0'))
			return true;
		while (*at != ' ' && *at != '\0')
			at++;
	}
	return false;
}
