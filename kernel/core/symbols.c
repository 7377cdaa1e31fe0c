/*
 * Looks addresses up in the table that symbol_table.py generates: entries sorted by address, names
 * in one run of terminated strings.
 */
#include <stddef.h>

#include "kernel/core/symbols.h"

struct symbol {
	uint32_t offset;       /* from kernel_start_address */
	uint32_t name;         /* from symbol_names */
};

extern const struct symbol symbol_entries[];
extern const uint32_t symbol_count;
extern const char symbol_names[];
extern const char kernel_start_address[], kernel_text_end[];

const char *kernel_symbol_lookup(uint64_t address, uint64_t *offset)
{
	uint64_t start = (uint64_t)kernel_start_address, distance = address - start;
	uint32_t low = 0, high = symbol_count;

	if (address < start || address >= (uint64_t)kernel_text_end)
		return NULL;
	/* The last entry that is not above: entries below `low` are not, from `high` on are. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (symbol_entries[middle].offset <= distance)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*offset = distance - symbol_entries[low - 1].offset;
	return symbol_names + symbol_entries[low - 1].name;
}
