/*
 * Writing down why a manifest is refused. See plan_internal.h. Called by plan.c alone.
 */
#include "services/init/plan_internal.h"

static void put_char(struct plan *plan, char c)
{
	size_t used = __builtin_strlen(plan->error);

	if (used + 1 < sizeof(plan->error)) {
		plan->error[used] = c;
		plan->error[used + 1] = 0;
	}
}

void plan_put(struct plan *plan, const char *string)
{
	while (*string != 0)
		put_char(plan, *string++);
}

void plan_put_number(struct plan *plan, uint64_t number)
{
	if (number >= 10)
		plan_put_number(plan, number / 10);
	put_char(plan, (char)('0' + number % 10));
}

static void put_id(struct plan *plan, uint64_t id)
{
	plan_put(plan, "0x");
	for (unsigned int shift = 64; shift > 0; shift -= 4)
		put_char(plan, "0123456789abcdef"[(id >> (shift - 4)) & 15]);
}

/* The manifest's own words, in quotes; what does not print appears as a question mark. */
void plan_put_quoted(struct plan *plan, struct capnp_text text)
{
	put_char(plan, '"');
	for (uint32_t i = 0; i < text.bytes && i < 40; i++) {
		bool prints = text.chars[i] >= ' ' && text.chars[i] <= '~';

		put_char(plan, prints ? text.chars[i] : '?');
	}
	plan_put(plan, text.bytes > 40 ? "...\"" : "\"");
}

static void put_element(struct plan *plan, const char *list, uint32_t index)
{
	plan_put(plan, list);
	put_char(plan, '[');
	plan_put_number(plan, index);
	put_char(plan, ']');
}

/* Begins the error with its place. Returns false, so that a refusal can be `return plan_refuse(...)`. */
bool plan_refuse(struct plan *plan, struct plan_place place, const char *why)
{
	plan->error[0] = 0;
	if (place.list != NULL)
		put_element(plan, place.list, place.index);
	if (place.inner != NULL) {
		put_char(plan, '.');
		put_element(plan, place.inner, place.inner_index);
	}
	if (place.field != NULL) {
		if (place.list != NULL)
			put_char(plan, '.');
		plan_put(plan, place.field);
	}
	plan_put(plan, ": ");
	plan_put(plan, why);
	return false;
}

bool plan_refuse_text(
		struct plan *plan, struct plan_place place, const char *why, struct capnp_text text)
{
	(void)plan_refuse(plan, place, why);
	plan_put_quoted(plan, text);
	return false;
}

bool plan_refuse_number(
		struct plan *plan, struct plan_place place, const char *why, uint64_t number)
{
	(void)plan_refuse(plan, place, why);
	plan_put_number(plan, number);
	return false;
}

bool plan_refuse_id(struct plan *plan, struct plan_place place, const char *why, uint64_t id)
{
	(void)plan_refuse(plan, place, why);
	put_id(plan, id);
	return false;
}
