/*
 * Refusals of the plan checker (plan.c): an error names its place in the manifest, then says why.
 * plan_refuse.c writes them into the plan's `error`. Each answers false, so that a check can end
 * with `return plan_refuse(...)`.
 */
#ifndef INIT_PLAN_INTERNAL_H
#define INIT_PLAN_INTERNAL_H

#include "services/init/plan.h"

/* Where in the manifest: list[i].list[j].field; parts that are NULL are left out. */
struct plan_place {
	const char *list;
	uint32_t index;
	const char *inner;
	uint32_t inner_index;
	const char *field;
};

static inline struct plan_place at(const char *list, uint32_t index, const char *field)
{
	return (struct plan_place){ .list = list, .index = index, .field = field };
}

static inline struct plan_place within(
		struct plan_place outer, const char *inner, uint32_t index, const char *field)
{
	outer.inner = inner;
	outer.inner_index = index;
	outer.field = field;
	return outer;
}

static inline struct plan_place field_of(struct plan_place place, const char *field)
{
	place.field = field;
	return place;
}

bool plan_refuse(struct plan *plan, struct plan_place place, const char *why);
/* As plan_refuse; then the manifest's own words in quotes, a number, or an interface id. */
bool plan_refuse_text(struct plan *plan, struct plan_place place, const char *why,
		struct capnp_text text);
bool plan_refuse_number(
		struct plan *plan, struct plan_place place, const char *why, uint64_t number);
bool plan_refuse_id(struct plan *plan, struct plan_place place, const char *why, uint64_t id);

/* Append to the error; what does not fit is left out. */
void plan_put(struct plan *plan, const char *string);
void plan_put_number(struct plan *plan, uint64_t number);
/* In quotes; what does not print appears as a question mark. */
void plan_put_quoted(struct plan *plan, struct capnp_text text);

#endif
