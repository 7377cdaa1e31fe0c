/*
 * Slabs: a slab is a block of frames, aligned to its own size, with a header and objects of one
 * size; masking an object's address finds the header. Free objects are linked through their first
 * word. In debug builds the rest of a free object is poison, looked at before it is handed out
 * again.
 * Always true: a slab is in exactly one of its cache's lists (partial, full) or is its `empty`.
 */
#include "kernel/mm/slab.h"
#include "arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/frame.h"

#define SLAB_MAGIC       0x62616c73
#define SLAB_OBJECT_STEP 16
#define SLAB_OBJECTS_MIN 4         /* a slab is made of as many pages as this needs */
#define SLAB_POISON      0x5a

#define HEAP_CLASS_MIN   16        /* bytes; classes are powers of two */
#define HEAP_CLASS_MAX   2048

struct free_object {
	struct free_object *next;
};

/* 64 bytes, so that objects after it are as aligned as their size allows. */
struct slab {
	uint32_t            magic;
	uint32_t            used;
	struct slab_cache  *cache;
	struct slab        *next;   /* in the list it is in */
	struct slab        *prev;
	struct free_object *free;
	uint32_t            capacity;
	uint32_t            reserved_44;
	uint64_t            reserved_48[2];
};

STATIC_ASSERT(sizeof(struct slab) == 64);

static struct slab_cache *all_caches;   /* pushed atomically, never removed */
static uint64_t allocations;

/* Bytes from one object to the next. */
static uint32_t object_step(const struct slab_cache *cache)
{
	return ALIGN_UP(cache->size, (uint32_t)SLAB_OBJECT_STEP);
}

static uint32_t slab_order(const struct slab_cache *cache)
{
	uint32_t order = 0;

	while (((uint32_t)PAGE_SIZE << order) - sizeof(struct slab) <
			SLAB_OBJECTS_MIN * object_step(cache))
		order++;
	return order;
}

static void slab_push(struct slab **list, struct slab *slab)
{
	slab->prev = NULL;
	slab->next = *list;
	if (*list != NULL)
		(*list)->prev = slab;
	*list = slab;
}

static void slab_remove(struct slab **list, struct slab *slab)
{
	if (slab->prev != NULL)
		slab->prev->next = slab->next;
	else
		*list = slab->next;
	if (slab->next != NULL)
		slab->next->prev = slab->prev;
}

static struct slab *slab_of(const struct slab_cache *cache, const void *object)
{
	uint64_t bytes = (uint64_t)PAGE_SIZE << slab_order(cache);

	/* In physical addresses, because alignment is theirs. */
	return arch_direct(ALIGN_DOWN(arch_direct_physical(object), bytes));
}

/* --- Poison --------------------------------------------------------------------------------- */

static void object_poison(const struct slab_cache *cache, struct free_object *object)
{
#if CONFIG_DEBUG
	memset(object + 1, SLAB_POISON, object_step(cache) - sizeof(*object));
#endif
}

static void object_check(const struct slab_cache *cache, const struct free_object *object)
{
#if CONFIG_DEBUG
	const uint8_t *bytes = (const uint8_t *)object;

	for (uint32_t i = sizeof(*object); i < object_step(cache); i++) {
		if (bytes[i] != SLAB_POISON)
			panic("%s object %p was written at offset %u after it was freed",
					cache->name, (const void *)object, i);
	}
#endif
}

/* --- Slabs ---------------------------------------------------------------------------------- */

static void cache_list(struct slab_cache *cache)
{
	if (cache->listed)
		return;
	cache->listed = true;
	cache->next_cache = __atomic_load_n(&all_caches, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&all_caches, &cache->next_cache, cache, true,
			__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		arch_relax();
}

static struct slab *slab_create(struct slab_cache *cache)
{
	uint32_t order = slab_order(cache), step = object_step(cache);
	uint64_t physical = frame_alloc(order);
	struct slab *slab;
	uint8_t *at;

	if (physical == FRAME_NONE)
		return NULL;
	slab = arch_direct(physical);
	*slab = (struct slab){ .magic = SLAB_MAGIC, .cache = cache };
	slab->capacity = (((uint32_t)PAGE_SIZE << order) - (uint32_t)sizeof(*slab)) / step;
	at = (uint8_t *)(slab + 1) + (size_t)slab->capacity * step;
	for (uint32_t i = 0; i < slab->capacity; i++) {
		struct free_object *object = (void *)(at -= step);

		object->next = slab->free;
		slab->free = object;
		object_poison(cache, object);
	}
	cache_list(cache);
	return slab;
}

static void slab_destroy(struct slab_cache *cache, struct slab *slab)
{
	slab->magic = 0;
	frame_free(arch_direct_physical(slab), slab_order(cache));
}

/* A slab with a free object, at the head of the partial list. */
static struct slab *slab_ready(struct slab_cache *cache)
{
	struct slab *slab = cache->partial;

	if (slab != NULL)
		return slab;
	slab = cache->empty;
	cache->empty = NULL;
	if (slab == NULL)
		slab = slab_create(cache);
	if (slab != NULL)
		slab_push(&cache->partial, slab);
	return slab;
}

void *slab_alloc(struct slab_cache *cache)
{
	struct free_object *object = NULL;
	struct slab *slab;

	ASSERT(cache->size <= SLAB_OBJECT_MAX);
	if (allocation_should_fail())
		return NULL;
	spin_lock(&cache->lock);
	slab = slab_ready(cache);
	if (slab != NULL) {
		object = slab->free;
		slab->free = object->next;
		cache->live++;
		if (++slab->used == slab->capacity) {
			slab_remove(&cache->partial, slab);
			slab_push(&cache->full, slab);
		}
	}
	spin_unlock(&cache->lock);
	if (object == NULL)
		return NULL;
	__atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
	object_check(cache, object);
	memset(object, 0, object_step(cache));
	return object;
}

void slab_free(struct slab_cache *cache, void *memory)
{
	struct slab *slab = slab_of(cache, memory), *spare = NULL;
	struct free_object *object = memory;

	ASSERT(slab->magic == SLAB_MAGIC && slab->cache == cache && slab->used > 0);
	object_poison(cache, object);
	spin_lock(&cache->lock);
	if (slab->used == slab->capacity) {
		slab_remove(&cache->full, slab);
		slab_push(&cache->partial, slab);
	}
	object->next = slab->free;
	slab->free = object;
	cache->live--;
	if (--slab->used == 0) {
		slab_remove(&cache->partial, slab);
		spare = cache->empty;
		cache->empty = slab;
	}
	spin_unlock(&cache->lock);
	if (spare != NULL)
		slab_destroy(cache, spare);
}

uint64_t slab_allocations(void)
{
	return __atomic_load_n(&allocations, __ATOMIC_RELAXED);
}

/* --- Heap ----------------------------------------------------------------------------------- */

#define HEAP_CLASS(bytes) \
	{ .lock = SPINLOCK_INIT(LOCK_RANK_SLAB, "heap"), .name = "heap " #bytes, .size = (bytes) }

static struct slab_cache heap_classes[] = {
	HEAP_CLASS(16), HEAP_CLASS(32), HEAP_CLASS(64), HEAP_CLASS(128),
	HEAP_CLASS(256), HEAP_CLASS(512), HEAP_CLASS(1024), HEAP_CLASS(2048),
};

STATIC_ASSERT(HEAP_CLASS_MIN << (ARRAY_LEN(heap_classes) - 1) == HEAP_CLASS_MAX);

static struct slab_cache *heap_class(size_t bytes)
{
	uint32_t class = 0;

	while (((size_t)HEAP_CLASS_MIN << class) < bytes)
		class++;
	return &heap_classes[class];
}

/* The order of the block for an amount above HEAP_CLASS_MAX; above FRAME_ORDER_MAX: none is
 * enough. */
static uint32_t heap_order(size_t bytes)
{
	uint32_t order = 0;

	while (order <= FRAME_ORDER_MAX && ((size_t)PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

void *heap_alloc_raw(size_t bytes)
{
	uint64_t physical;

	if (bytes <= HEAP_CLASS_MAX)
		return slab_alloc(heap_class(bytes));
	if (heap_order(bytes) > FRAME_ORDER_MAX)
		return NULL;
	physical = frame_alloc(heap_order(bytes));
	if (physical == FRAME_NONE)
		return NULL;
	__atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
	return arch_direct(physical);
}

void *heap_alloc(size_t bytes)
{
	void *memory = heap_alloc_raw(bytes);

	/* Smaller ones are zeroed as all objects of slabs are. */
	if (memory != NULL && bytes > HEAP_CLASS_MAX)
		memset(memory, 0, bytes);
	return memory;
}

void heap_free(void *memory, size_t bytes)
{
	if (memory == NULL)
		return;
	if (bytes <= HEAP_CLASS_MAX)
		slab_free(heap_class(bytes), memory);
	else
		frame_free(arch_direct_physical(memory), heap_order(bytes));
}

/* --- Check ---------------------------------------------------------------------------------- */

static uint32_t slab_walk(const struct slab_cache *cache, const struct slab *slab)
{
	uint32_t count = 0;

	ASSERT(slab->magic == SLAB_MAGIC && slab->cache == cache);
	for (const struct free_object *object = slab->free; object != NULL; object = object->next) {
		ASSERT(slab_of(cache, object) == slab);
		object_check(cache, object);
		count++;
	}
	ASSERT(count + slab->used == slab->capacity);
	return slab->used;
}

static void cache_check(const struct slab_cache *cache)
{
	uint64_t live = 0;

	for (const struct slab *slab = cache->partial; slab != NULL; slab = slab->next) {
		ASSERT(slab->used > 0 && slab->used < slab->capacity);
		live += slab_walk(cache, slab);
	}
	for (const struct slab *slab = cache->full; slab != NULL; slab = slab->next) {
		ASSERT(slab->used == slab->capacity);
		live += slab_walk(cache, slab);
	}
	if (cache->empty != NULL)
		ASSERT(slab_walk(cache, cache->empty) == 0);
	ASSERT(live == cache->live);
}

void slab_check(void)
{
	struct slab_cache *cache = __atomic_load_n(&all_caches, __ATOMIC_ACQUIRE);

	for (; cache != NULL; cache = cache->next_cache) {
		spin_lock(&cache->lock);
		cache_check(cache);
		spin_unlock(&cache->lock);
	}
}
