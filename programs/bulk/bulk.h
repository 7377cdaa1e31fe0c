/*
 * What both ends of a bulk transfer agree on: the marks that say which page is which.
 */
#ifndef PROGRAMS_BULK_BULK_H
#define PROGRAMS_BULK_BULK_H

#include <stdbool.h>
#include <stdint.h>

#include "programs/bulk/bulk.client.h"
#include "queue/window.h"

#define BULK_CHUNK_BYTES 65536u
#define BULK_CHUNKS      64u
#define BULK_ENTRIES     64u                    /* of a stream: all chunks may be on one */
#define BULK_PAGE_WORDS  512u
#define BULK_CHUNK_PAGES (BULK_CHUNK_BYTES / 4096u)

/* The word at `word` of page `page` (counted over the whole transfer) of a stream; only word 0
 * unless filled. */
static inline uint64_t bulk_mark(uint32_t stream, uint64_t page, uint32_t word)
{
	return ((uint64_t)stream << 40 | page << 9 | word) * 0x9e3779b97f4a7c15ull + 1;
}

/* The stream with number `index` among the active ones. */
static inline uint32_t bulk_stream(uint32_t index, uint32_t active, uint32_t streams)
{
	return index * (streams / active);
}

struct bulk_order {
	uint32_t streams;
	uint32_t active;
	uint32_t mebibytes;
	bool filled;
};

struct bulk_report {
	uint64_t chunks;        /* received and right */
	uint64_t wrong;         /* chunks with a mark that is not what it should be */
	uint64_t events;        /* of streams */
	uint64_t looks;         /* at streams */
	uint64_t sleeps;
	uint64_t signals;       /* to the sender */
	uint64_t ticks;         /* of the processor's counter, from attaching to the end */
};

/* Orders a transfer and receives all of it. DISCONNECTED: the sender has gone. */
MUST_USE status_t bulk_receive(const struct window_authority *authority, struct bulk_ref source, const struct bulk_order *order,
		struct bulk_report *report);

#endif
