/*
 * Refusals in words; see reason.h. Used by the shell and by whoever tells a person why.
 * Always true: an unknown reason reads as its status alone, so newer kernels do no harm.
 */
#include "rt/reason.h"

#include <string.h>

#include "abi/compiler.h"
#include "capos/status.capnp.h"
#include "rt/format.h"

struct sentence {
	char  *out;
	size_t size;
	size_t used;
};

static void add(struct sentence *sentence, const char *chars, size_t count)
{
	sentence->used += format_into(sentence->out + sentence->used, sentence->size - sentence->used, "%.*s",
			(int)count, chars);
}

static void add_number(struct sentence *sentence, uint64_t number)
{
	sentence->used += format_into(sentence->out + sentence->used, sentence->size - sentence->used, "%lu",
			(unsigned long)number);
}

/* What stands for a name in braces: see Reason in schema/capos/status.capnp. False: no such name. */
static bool add_value(struct sentence *sentence, const char *name, size_t count, uint64_t detail)
{
	uint32_t class_ = (uint32_t)(detail >> 8) & 0xff;

	if (count == 5 && memcmp(name, "class", 5) == 0) {
		if ((detail & 0xff) == REASON_LEDGER && class_ < RESOURCE_CLASS_COUNT) {
			const char *resource = resource_class_sentence(class_);

			add(sentence, resource, strlen(resource));
		} else {
			add_number(sentence, class_);
		}
	} else if (count == 2 && memcmp(name, "id", 2) == 0) {
		add_number(sentence, detail >> 16 & 0xffff);
	} else if (count == 5 && memcmp(name, "limit", 5) == 0) {
		add_number(sentence, detail >> 32);
	} else {
		return false;
	}
	return true;
}

size_t reason_into(char *out, size_t size, status_t status, uint64_t detail)
{
	struct sentence sentence = { out, size, 0 };
	uint32_t reason = (uint32_t)detail & 0xff;
	const char *at;

	if (reason == REASON_NONE || reason >= REASON_COUNT)
		return format_into(out, size, "%s", status_sentence(status));
	for (at = reason_sentence(reason); *at;) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;

		if (end && add_value(&sentence, at + 1, (size_t)(end - at - 1), detail)) {
			at = end + 1;
		} else {
			add(&sentence, at, 1);
			at++;
		}
	}
	return sentence.used;
}

size_t reason_of_call(char *out, size_t size, const struct client_call *call)
{
	struct capnp_text words = client_reason(call);

	if (words.bytes > 0)
		return format_into(out, size, "%.*s", (int)words.bytes, words.chars);
	return reason_into(out, size, call->status, client_detail(call));
}
