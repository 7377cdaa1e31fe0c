/*
 * The operator's rules. See rule.h.
 */
#include "services/isolation/rule.h"

#include <string.h>

#include "abi/compiler.h"
#include "rt/format.h"

#define PROCESSORS_MAX 64u
#define WHOLE          1000u
#define BILLION        UINT64_C(1000000000)
#define PERIOD_NS_MAX  (4 * BILLION) /* the kernel has no longer ones */

#define REFUSE(sentence, status, ...) \
	(format_into((sentence), RULE_SENTENCE_BYTES, __VA_ARGS__), (status))

/* --- Making ------------------------------------------------------------------------------------- */

static struct rule *find(struct rules *rules, const char *client)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		if (strcmp(rules->rows[i].client, client) == 0)
			return &rules->rows[i];
	}
	return NULL;
}

static status_t read_kinds(
		struct capnp_list kinds, uint32_t *bits, char sentence[RULE_SENTENCE_BYTES])
{
	*bits = 0;
	for (uint32_t i = 0; i < kinds.count; i++) {
		uint16_t kind = capnp_list_u16(kinds, i);

		if (kind >= LEASE_KIND_COUNT)
			return REFUSE(sentence, STATUS_INVALID_ARGUMENT,
					"kinds: there is no kind %u", kind);
		*bits |= 1u << kind;
	}
	return STATUS_OK;
}

static status_t read_rule(struct lease_rule_reader from, struct rule *rule,
		char sentence[RULE_SENTENCE_BYTES])
{
	struct capnp_text client = lease_rule_get_client(from);

	*rule = (struct rule){ .processors = lease_rule_get_processors(from),
		.longest_ns = lease_rule_get_longest_ns(from),
		.at_once = lease_rule_get_at_once(from),
		.share = lease_rule_get_share(from),
		.promised = lease_rule_get_promised(from) };
	if (client.bytes > NAME_BYTES_MAX)
		return REFUSE(sentence, STATUS_INVALID_ARGUMENT,
				"client: no service has a name of %u bytes", client.bytes);
	if (client.bytes > 0)
		memcpy(rule->client, client.chars, client.bytes);
	if (rule->longest_ns > RULE_NS_MAX)
		return REFUSE(sentence, STATUS_INVALID_ARGUMENT,
				"longestNs: no lease lasts longer than an hour");
	if (rule->share > WHOLE || rule->promised > WHOLE)
		return REFUSE(sentence, STATUS_INVALID_ARGUMENT, "%s: a whole processor is %u",
				rule->share > WHOLE ? "share" : "promised", WHOLE);
	return read_kinds(lease_rule_get_kinds(from), &rule->kinds, sentence);
}

status_t rules_set(struct rules *rules, struct lease_rule_reader from,
		char sentence[RULE_SENTENCE_BYTES])
{
	struct rule rule, *place;
	status_t st = read_rule(from, &rule, sentence);

	if (st != STATUS_OK)
		return st;
	place = find(rules, rule.client);
	if (place == NULL && rules->count == RULES_MAX)
		return REFUSE(sentence, STATUS_OVERLOADED, "there are %u rules already", RULES_MAX);
	if (place == NULL)
		place = &rules->rows[rules->count++];
	*place = rule;
	return STATUS_OK;
}

/* --- Deciding ----------------------------------------------------------------------------------- */

const struct rule *rules_find(const struct rules *rules, const char *client)
{
	static const struct rule nothing;
	const struct rule *others = &nothing;

	for (uint32_t i = 0; i < rules->count; i++) {
		if (strcmp(rules->rows[i].client, client) == 0)
			return &rules->rows[i];
		if (rules->rows[i].client[0] == 0)
			others = &rules->rows[i];
	}
	return others;
}

static bool share_is_within(uint64_t budget_ns, uint64_t period_ns, uint32_t share)
{
	return (unsigned __int128)budget_ns * WHOLE <= (unsigned __int128)period_ns * share;
}

status_t rule_check(const struct rule *rule, const struct lease_wish *wish, uint32_t active,
		char sentence[RULE_SENTENCE_BYTES])
{
	if (rule->kinds == 0 || rule->processors == 0 || rule->at_once == 0)
		return REFUSE(sentence, STATUS_FAILED,
				"the operator's rules allow this client no lease");
	if ((uint32_t)wish->kind >= LEASE_KIND_COUNT)
		return REFUSE(sentence, STATUS_INVALID_ARGUMENT, "there is no lease of kind %u",
				(unsigned int)wish->kind);
	if (wish->kind == LEASE_KIND_COMPUTE && (wish->budget_ns == 0 || wish->period_ns == 0))
		return REFUSE(sentence, STATUS_INVALID_ARGUMENT,
				"kind compute needs budgetNs and periodNs");
	if (wish->kind != LEASE_KIND_COMPUTE && (wish->budget_ns | wish->period_ns) != 0)
		return REFUSE(sentence, STATUS_INVALID_ARGUMENT,
				"budgetNs, periodNs: of kind compute only");
	if (wish->budget_ns > wish->period_ns)
		return REFUSE(sentence, STATUS_INVALID_ARGUMENT, "budgetNs: more than periodNs");
	if ((rule->kinds & 1u << wish->kind) == 0)
		return REFUSE(sentence, STATUS_FAILED,
				"the operator's rule allows no lease of kind %s",
				lease_kind_name(wish->kind));
	if (wish->processor != 0 &&
			(wish->processor >= PROCESSORS_MAX ||
					(rule->processors >> wish->processor & 1) == 0))
		return REFUSE(sentence, STATUS_FAILED,
				"the operator's rule does not allow processor %u", wish->processor);
	if (wish->duration_ns > rule->longest_ns)
		return REFUSE(sentence, STATUS_FAILED, "the operator's rule allows %lu ms at most",
				(unsigned long)(rule->longest_ns / 1000000));
	if (!share_is_within(wish->budget_ns, wish->period_ns, rule->share))
		return REFUSE(sentence, STATUS_FAILED,
				"the operator's rule allows %u thousandths of a processor",
				rule->share);
	if (active >= rule->at_once)
		return REFUSE(sentence, STATUS_OVERLOADED,
				"the operator's rule allows %u at a time, and so many are active",
				rule->at_once);
	return STATUS_OK;
}

uint64_t tasks_need(struct capnp_list tasks)
{
	uint64_t needed = 0;

	for (uint32_t i = 0; i < tasks.count; i++) {
		struct cyclic_task_reader task = cyclic_task_at(tasks, i);
		uint64_t budget_ns = cyclic_task_get_budget_ns(task),
			 period_ns = cyclic_task_get_period_ns(task);

		if (budget_ns == 0 || budget_ns > period_ns || period_ns > PERIOD_NS_MAX)
			return UINT64_MAX;
		needed += (budget_ns * BILLION + period_ns - 1) / period_ns;
	}
	return needed;
}

status_t rule_check_island(const struct rule *rule, uint32_t processor, uint64_t needed,
		uint64_t promised, char sentence[RULE_SENTENCE_BYTES])
{
	uint64_t most = (uint64_t)rule->promised * (BILLION / WHOLE);

	if (most == 0 || rule->processors == 0)
		return REFUSE(sentence, STATUS_FAILED,
				"the operator's rules allow this client no island");
	if (processor >= PROCESSORS_MAX || (rule->processors >> processor & 1) == 0)
		return REFUSE(sentence, STATUS_FAILED,
				"the operator's rule does not allow processor %u", processor);
	if (needed > most)
		return REFUSE(sentence, STATUS_FAILED,
				"the operator's rule allows islands %u thousandths of a processor",
				rule->promised);
	if (needed > most - MIN(promised, most))
		return REFUSE(sentence, STATUS_OVERLOADED,
				"the operator's rule allows islands %u thousandths of a processor, "
				"and your other islands have them",
				rule->promised);
	return STATUS_OK;
}

void rule_write(const struct rule *rule, struct lease_rule_builder to)
{
	struct capnp_list_builder kinds = lease_rule_init_kinds(
			to, (uint32_t)__builtin_popcount(rule->kinds));
	uint32_t at = 0;

	for (uint32_t kind = 0; kind < LEASE_KIND_COUNT; kind++) {
		if (rule->kinds >> kind & 1)
			capnp_list_set_u16(kinds, at++, (uint16_t)kind);
	}
	lease_rule_set_client(to, capnp_text(rule->client));
	lease_rule_set_processors(to, rule->processors);
	lease_rule_set_longest_ns(to, rule->longest_ns);
	lease_rule_set_at_once(to, rule->at_once);
	lease_rule_set_share(to, rule->share);
	lease_rule_set_promised(to, rule->promised);
}
