/*
 * The capabilities that the system begins with: kernel objects that exist once, and that the kernel
 * gives to init under these names. Whoever else has one got it from there.
 */
#ifndef KERNEL_OBJECT_ROOTS_H
#define KERNEL_OBJECT_ROOTS_H

#include "kernel/core/boot_info.h"
#include "kernel/object/object.h"

struct capnp_interface;

struct root {
	const char                   *name;
	struct object                *object;      /* lives for ever */
	const struct capnp_interface *interface;
};

#define ROOTS_MAX 16

/* Seeds the entropy pool, checks the boot package, makes the clock page, paid by `ledger`. Once, before roots_list. */
void roots_init(const struct boot_info *boot, struct ledger *ledger);
/* Fills `roots`; answers how many. "package" is left out when there is no boot package. */
uint32_t roots_list(struct root roots[ROOTS_MAX]);

struct object *console_object(void);
struct object *timer_object(void);
struct object *entropy_object(void);
struct object *system_info_object(void);
struct object *object_factory_object(void);
struct object *boot_package_object(void);      /* NULL: there is none */
struct object *scheduling_control_object(void);
struct object *system_control_object(void);
struct object *io_ports_object(void);
struct object *interrupt_controller_object(void);
struct object *tracer_object(void);

/* Not a root, but what Timer.clockPage gives: a sealed memory object. */
void clock_page_init(struct ledger *ledger);
struct object *clock_page_object(void);

/* An object that exists once and is never freed. */
#define ROOT_OBJECT(type_) { .type = (type_), .references = 1 }

#endif
