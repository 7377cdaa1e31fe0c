/*
 * The operator's rules: what lease each client may have. Pure: what is decided here is decided by the
 * rule and by what was asked, and the words of a refusal name the part of the rule that refused.
 */
#ifndef SERVICES_ISOLATION_RULE_H
#define SERVICES_ISOLATION_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"
#include "capos/isolation.capnp.h"
#include "capos/manifest.capnp.h"

#define RULES_MAX           32u
#define RULE_SENTENCE_BYTES 160u
#define RULE_NS_MAX         3600000000000ull /* an hour: no lease lasts longer */

/* What one client may have; all zero: nothing. */
struct rule {
	char client[NAME_BYTES_MAX + 1]; /* empty: each that no other rule names */
	uint64_t processors;             /* bit n: processor n */
	uint32_t kinds;                  /* bit n: enum lease_kind */
	uint64_t longest_ns;
	uint32_t at_once;
	uint32_t share;    /* in thousandths of a processor */
	uint32_t promised; /* likewise; all its islands together */
};

struct rules {
	struct rule rows[RULES_MAX];
	uint32_t count;
};

/* A lease that somebody asks for; duration_ns 0: as long as the rule allows; processor 0: any. */
struct lease_wish {
	enum lease_kind kind;
	uint32_t processor;
	uint64_t duration_ns;
	uint64_t budget_ns;
	uint64_t period_ns;
};

/* A rule from a message takes the place of the one for the same client. STATUS_INVALID_ARGUMENT,
 * STATUS_OVERLOADED (there are RULES_MAX): nothing has changed, and the sentence says why. */
MUST_USE status_t rules_set(struct rules *rules, struct lease_rule_reader from,
		char sentence[RULE_SENTENCE_BYTES]);

/* The rule for a client; one that allows nothing where none is for it. */
const struct rule *rules_find(const struct rules *rules, const char *client);

/* Whether the rule lets a client that has `active` leases have this one; if not, the sentence says
 * what does not. STATUS_OVERLOADED: not now. */
MUST_USE status_t rule_check(const struct rule *rule, const struct lease_wish *wish,
		uint32_t active, char sentence[RULE_SENTENCE_BYTES]);

/* What tasks need of a processor, in billionths, rounded up; UINT64_MAX where one cannot be. */
uint64_t tasks_need(struct capnp_list tasks);

/* Whether the rule lets a client whose islands have `promised` billionths of a processor have one more
 * that needs `needed` on this processor. */
MUST_USE status_t rule_check_island(const struct rule *rule, uint32_t processor, uint64_t needed,
		uint64_t promised, char sentence[RULE_SENTENCE_BYTES]);

void rule_write(const struct rule *rule, struct lease_rule_builder to);

#endif
