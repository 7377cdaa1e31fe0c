/*
 * Which cache lines each processor writes on the direct way of calls: a build of its own (`make CONFIG=lines kernel`), in which the
 * compiler calls a function before each store of the kernel. What two processors both write there they would take from each
 * other at every call; at power-off it is printed, with the function that first wrote it.
 *
 * An entry into the kernel counts if it began shared and ended so (kernel_lock.h): then it was on the direct way. Each processor's
 * first WARM_ENTRIES of those are left out, and the next RECORDED_ENTRIES are looked at: the workload settles meanwhile.
 * Not seen: stores of assembly, which go to the thread's context and the processor's own stack.
 *
 * Always true: nothing here is instrumented; a processor writes only its own record.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/main.h"
#include "kernel/core/string.h"
#include "kernel/core/symbols.h"
#include "kernel/sched/cpu.h"

#define WARM_ENTRIES     4000u
#define RECORDED_ENTRIES 4000u
#define LINES_MAX        1024u      /* a power of two */
#define ENTRY_STORES_MAX 1024u

struct written {
	uint64_t line;      /* 0: none */
	uint64_t by;        /* an instruction */
};

/* Of one processor. */
static struct record {
	struct written entry[ENTRY_STORES_MAX];      /* since it came in */
	uint32_t entry_count;
	bool left_shared;                            /* and not come in again */
	uint64_t entries;
	struct written lines[LINES_MAX];
	uint32_t line_count;
} records[PROCESSORS_MAX];
static bool recording;

void __asan_store1_noabort(uint64_t address);
void __asan_store2_noabort(uint64_t address);
void __asan_store4_noabort(uint64_t address);
void __asan_store8_noabort(uint64_t address);
void __asan_store16_noabort(uint64_t address);
void __asan_storeN_noabort(uint64_t address, uint64_t bytes);
void __asan_loadN_noabort(uint64_t address, uint64_t bytes);
void __asan_handle_no_return(void);
NORETURN void __real_arch_enter_user(struct arch_context *context);
NORETURN void __wrap_arch_enter_user(struct arch_context *context);
NORETURN void __real_arch_power_off(uint32_t status);
NORETURN void __wrap_arch_power_off(uint32_t status);
void *__real_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__real_memset(void *to, int value, size_t bytes);
void *__wrap_memset(void *to, int value, size_t bytes);

/* The line's place, taken or free; NULL when there is no more. */
static struct written *place_of(struct record *record, uint64_t line)
{
	for (uint64_t i = 0; i < LINES_MAX; i++) {
		struct written *place = &record->lines[(line / CACHE_LINE_BYTES + i) % LINES_MAX];

		if (place->line == line || place->line == 0)
			return place;
	}
	return NULL;
}

/* An entry has ended as it began. */
static void entry_keep(struct record *record)
{
	record->entries++;
	if (record->entries <= WARM_ENTRIES || record->entries > WARM_ENTRIES + RECORDED_ENTRIES)
		return;
	for (uint32_t i = 0; i < record->entry_count; i++) {
		struct written *place = place_of(record, record->entry[i].line);

		if (place && place->line == 0) {
			*place = record->entry[i];
			record->line_count++;
		}
	}
}

/* The processor is about to write its word at the door, which still says where it was. */
static void door_turns(struct record *record, enum door from)
{
	if (from == DOOR_SHARED) {
		record->left_shared = true;
		return;
	}
	if (from == DOOR_OUT && record->left_shared)
		entry_keep(record);
	record->left_shared = false;
	record->entry_count = 0;
}

static void stored(uint64_t address, uint64_t bytes, uint64_t by)
{
	struct cpu *cpu;
	struct record *record;

	if (!LOAD_ACQUIRE(&recording))
		return;
	cpu = arch_cpu();
	record = &records[cpu->number];
	if (address == (uint64_t)&cpu->door)
		door_turns(record, cpu->door);
	if (cpu->door != DOOR_SHARED && address != (uint64_t)&cpu->door)
		return;
	for (uint64_t line = address & ~(CACHE_LINE_BYTES - 1ul); line < address + bytes; line += CACHE_LINE_BYTES) {
		if (record->entry_count < ENTRY_STORES_MAX)
			record->entry[record->entry_count++] = (struct written){ line, by };
	}
}

#define CALLER ((uint64_t)__builtin_return_address(0))

void __asan_store1_noabort(uint64_t address) { stored(address, 1, CALLER); }
void __asan_store2_noabort(uint64_t address) { stored(address, 2, CALLER); }
void __asan_store4_noabort(uint64_t address) { stored(address, 4, CALLER); }
void __asan_store8_noabort(uint64_t address) { stored(address, 8, CALLER); }
void __asan_store16_noabort(uint64_t address) { stored(address, 16, CALLER); }
void __asan_storeN_noabort(uint64_t address, uint64_t bytes) { stored(address, bytes, CALLER); }
void __asan_loadN_noabort(uint64_t address, uint64_t bytes) { (void)address; (void)bytes; }
void __asan_handle_no_return(void) { }

void *__wrap_memcpy(void *to, const void *from, size_t bytes)
{
	stored((uint64_t)to, bytes, CALLER);
	return __real_memcpy(to, from, bytes);
}

void *__wrap_memset(void *to, int value, size_t bytes)
{
	stored((uint64_t)to, bytes, CALLER);
	return __real_memset(to, value, bytes);
}

/* Each processor goes through here once, when all that it needs is set up; the last one opens the record. */
NORETURN void __wrap_arch_enter_user(struct arch_context *context)
{
	static uint32_t here;

	if (__atomic_add_fetch(&here, 1, __ATOMIC_ACQ_REL) == processor_count)
		STORE_RELEASE(&recording, true);
	__real_arch_enter_user(context);
}

static void both_wrote(const struct record *one, struct record *other)
{
	uint64_t both = 0;

	for (uint32_t i = 0; i < LINES_MAX; i++) {
		const struct written *first = &one->lines[i];
		const struct written *second = first->line ? place_of(other, first->line) : NULL;
		const char *names[2];
		uint64_t offsets[2] = { 0 };

		if (!second || second->line == 0)
			continue;
		both++;
		names[0] = kernel_symbol_lookup(first->by, &offsets[0]);
		names[1] = kernel_symbol_lookup(second->by, &offsets[1]);
		log_line(LOG_INFO, "LINES both wrote %lx: %s+%lx, %s+%lx", first->line, names[0] ? names[0] : "?",
				offsets[0], names[1] ? names[1] : "?", offsets[1]);
	}
	log_line(LOG_INFO, "LINES shared %lu", both);
}

NORETURN void __wrap_arch_power_off(uint32_t status)
{
	STORE_RELEASE(&recording, false);
	for (uint32_t i = 0; i < processor_count; i++)
		log_line(LOG_INFO, "LINES processor %u wrote %u in %lu entries", i, records[i].line_count,
				records[i].entries);
	if (processor_count == 2)
		both_wrote(&records[0], &records[1]);
	__real_arch_power_off(status);
}
