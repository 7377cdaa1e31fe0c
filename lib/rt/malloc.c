/*
 * malloc: the heap of lib/rt/heap.c over the process' own address space, or over a few static
 * bytes for a process that was not granted it. All threads share it, with one lock.
 *
 * Address space is reserved once, which costs no memory; memory is committed as the heap grows.
 */
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.client.h"
#include "rt/heap.h"
#include "rt/mutex.h"
#include "rt/panic.h"
#include "rt/program.h"

#define RESERVED_BYTES (1ull << 30)
#define GROW_BYTES (64u * 1024)
#define COMMIT_BYTES ((size_t)16 << 20)      /* a call: VirtualMemory's limit */
#define STATIC_BYTES (16u * 1024)

static struct mutex heap_lock = MUTEX_INIT;
static struct heap heap;
static bool ready;
static uint8_t *limit;
static _Alignas(HEAP_ALIGNMENT) uint8_t static_memory[STATIC_BYTES];

/* Makes committed memory reserved again. */
static void uncommit(struct virtual_memory_ref memory, uint64_t address, size_t bytes)
{
	if (bytes == 0)
		return;
	for (size_t done = 0; done < bytes; done += COMMIT_BYTES)
		(void)!virtual_memory_unmap(
				memory, address + done, MIN(bytes - done, COMMIT_BYTES));
	(void)!virtual_memory_reserve(memory, bytes, address, &address);
}

/* All or nothing, in as many calls as the kernel's limit on one takes. */
static status_t commit(uint8_t *from, size_t bytes)
{
	struct virtual_memory_ref memory = RT_GRANT(virtual_memory, "memory");
	uint64_t address = (uint64_t)(uintptr_t)from;
	status_t status = STATUS_OK;

	for (size_t done = 0; done < bytes && status == STATUS_OK; done += COMMIT_BYTES) {
		status = virtual_memory_commit(memory, address + done,
				MIN(bytes - done, COMMIT_BYTES), ACCESS_READ_WRITE);
		if (status != STATUS_OK)
			uncommit(memory, address, done);
	}
	return status;
}

static bool heap_commit(void *context, uint8_t *end, size_t bytes)
{
	return bytes <= (size_t)(limit - end) && commit(end, bytes) == STATUS_OK;
}

static bool heap_open_reserved(void)
{
	struct virtual_memory_ref memory = RT_GRANT(virtual_memory, "memory");
	uint64_t address = 0;
	uint8_t *start;

	if (client_ref_is_null(memory.ref) ||
			virtual_memory_reserve(memory, RESERVED_BYTES, 0, &address) != STATUS_OK)
		return false;
	start = (uint8_t *)(uintptr_t)address;
	if (commit(start, GROW_BYTES) != STATUS_OK) {
		(void)!virtual_memory_unmap(memory, address, RESERVED_BYTES);
		return false;
	}
	limit = start + RESERVED_BYTES;
	heap_init(&heap, start, GROW_BYTES, heap_commit, NULL, GROW_BYTES);
	return true;
}

static void heap_open(void)
{
	if (!heap_open_reserved())
		heap_init(&heap, static_memory, sizeof(static_memory), NULL, NULL, HEAP_ALIGNMENT);
	ready = true;
}

void *malloc(size_t bytes)
{
	return realloc(NULL, bytes);
}

void *calloc(size_t count, size_t bytes)
{
	size_t total;
	void *block;

	if (__builtin_mul_overflow(count, bytes, &total))
		return NULL;
	block = malloc(total);
	if (block != NULL)
		memset(block, 0, total);
	return block;
}

void *realloc(void *block, size_t bytes)
{
	mutex_lock(&heap_lock);
	if (unlikely(!ready))
		heap_open();
	block = heap_resize(&heap, block, bytes);
	mutex_unlock(&heap_lock);
	return block;
}

void free(void *block)
{
	mutex_lock(&heap_lock);
	heap_give(&heap, block);
	mutex_unlock(&heap_lock);
}
