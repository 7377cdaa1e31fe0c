/*
 * What the files of this port call of one another. Nothing outside the port includes it.
 */
#ifndef KERNEL_ARCH_X86_64_INTERNAL_H
#define KERNEL_ARCH_X86_64_INTERNAL_H

#include "arch/arch.h"
#include "arch/x86_64/acpi.h"
#include "kernel/core/boot_info.h"

/* console.c */
void console_init(void);

/* boot_pvh.c, boot_multiboot2.c: fill boot_info from what the loader left; `raw` are the usable
 * regions as told. False with a sentence where the information is not usable. */
struct boot_raw {
	struct boot_region usable[BOOT_REGIONS_MAX];
	uint32_t           usable_count;
};
const char *boot_from_pvh(uint64_t address, struct boot_info *boot, struct boot_raw *raw);
const char *boot_from_multiboot2(uint64_t address, struct boot_info *boot, struct boot_raw *raw);

/* boot_map.c */
void boot_raw_add(struct boot_raw *raw, uint64_t start, uint64_t bytes);
void boot_command_line_set(struct boot_info *boot, const char *chars, size_t max);
void boot_map_finish(struct boot_info *boot, const struct boot_raw *raw);

/* features.c */
struct features {
	bool     gigabyte_pages;
	bool     umip;
	bool     random;           /* rdrand */
	bool     deadline_timer;
	bool     x2apic;
	bool     constant_counter; /* one rate, on all processors, in all states of sleep */
	uint64_t vector_mask;      /* for XCR0 */
	uint32_t vector_bytes;
};
extern struct features features;
/* A sentence about what is missing, or NULL. */
const char *features_read(void);
void features_enable(void);

/* boot.c: the tick counter when the kernel got the processor */
extern uint64_t boot_tsc_start;

/* descriptors.c */
void descriptors_init(struct arch_cpu *cpu);      /* the first processor's, and the gates of all */
void descriptors_load(struct arch_cpu *cpu);      /* this processor's */

/* entry.S */
extern const uint64_t trap_stubs[256];
void syscall_entry(void);

/* paging.c */
#define MAP_WRITE   (1u << 0)
#define MAP_EXECUTE (1u << 1)
#define MAP_DEVICE  (1u << 2)
void paging_init(struct boot_info *boot);
extern uint64_t kernel_root;       /* physical; constant after paging_init */
/* Registers at a physical address, uncached; mapped for good. Panics when the window is full. */
void *paging_map_device(uint64_t physical, uint64_t bytes);

/* Memory for another processor, zeroed; NULL: there is none. */
struct cpu *paging_map_area(uint32_t number);

/* context.c */
void vector_init(void);

/* start.S: what a processor runs first, copied to the low page; and what it then reads */
extern const uint8_t processor_start[], processor_start_end[];
extern struct cpu *processor_start_area;

/* processors.c */
void processors_init(const struct boot_info *boot);
/* The first C of any processor but the first. */
NORETURN void processor_main(struct cpu *cpu);

/* space.c: loads the kernel's own page tables, with no context of theirs: what the processor leaves
 * through next reloads all registers. */
void space_unload(void);

/* apic.c */
void apic_init(void);
uint32_t apic_id(void);                     /* this processor's */
void apic_local_enable(void);               /* on a processor but the first */
/* Whether another processor can be sent anything. */
bool apic_reaches(uint32_t id);
/* INIT, and the second message of the start sequence: to begin at a page below 1 MiB. */
void apic_send_init(uint32_t id);
void apic_send_start(uint32_t id, uint64_t page);
void apic_send(uint32_t id, uint32_t vector);
/* Vectors below this one wait, as long as it is not 0: a multiple of 16. */
void apic_hold_back(uint32_t vector);
#define VECTOR_CALL 0xfd                    /* above all that are held back */
void apic_timer_start(uint32_t count);      /* 0: off */
void apic_timer_measure(void);              /* counts down from UINT32_MAX, silently */
uint32_t apic_timer_count(void);
void apic_timer_use_count(void);
void apic_timer_use_deadline(void);

/* timer.c */
void timer_init(void);
void timer_enable(void);                    /* on a processor but the first */

/* selftest.c, debug builds */
void selftest_run(void);
void selftest_crash(const char *command_line);
extern bool selftest_running;
struct arch_context *selftest_interrupt(uint32_t vector);
struct arch_context *selftest_fault(const struct arch_fault *fault);
void selftest_interrupt_idle(uint32_t vector);

#endif
