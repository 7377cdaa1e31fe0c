/*
 * Tests of the operator's rules: which rule is whose, what each part of one refuses and in which words,
 * and that a rule which cannot be changes nothing.
 */
#include "services/isolation/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static char sentence[RULE_SENTENCE_BYTES];
static uint64_t words[64];
static struct capnp_builder builder;
static struct lease_rule_builder draft;

/* A rule for processors 1 and 3, a second, kinds thread and compute, two at a time, half a processor. */
static int prepare(void **state)
{
	struct capnp_list_builder kinds;

	(void)state;
	memset(words, 0, sizeof(words));
	capnp_builder_init(&builder, words, 64, NULL, 0);
	draft = lease_rule_init_root(&builder);
	lease_rule_set_client(draft, capnp_text("ann"));
	lease_rule_set_processors(draft, 10);
	kinds = lease_rule_init_kinds(draft, 2);
	capnp_list_set_u16(kinds, 0, LEASE_KIND_THREAD);
	capnp_list_set_u16(kinds, 1, LEASE_KIND_COMPUTE);
	lease_rule_set_longest_ns(draft, 1000 * MS);
	lease_rule_set_at_once(draft, 2);
	lease_rule_set_share(draft, 500);
	lease_rule_set_promised(draft, 300);
	return 0;
}

static status_t set(struct rules *rules)
{
	struct capnp_message message;

	capnp_message_init(&message, words, capnp_builder_words(&builder), NULL, 0);
	return rules_set(rules, lease_rule_get_root(&message), sentence);
}

static void assert_refused(const struct rules *rules, struct lease_wish wish, uint32_t active,
		status_t status, const char *expected)
{
	assert_int_equal(rule_check(rules_find(rules, "ann"), &wish, active, sentence), status);
	assert_string_equal(sentence, expected);
}

static void each_part_refuses_in_its_own_words(void **state)
{
	struct rules rules = { 0 };

	(void)state;
	assert_int_equal(set(&rules), STATUS_OK);
	assert_refused(&rules, (struct lease_wish){ .kind = LEASE_KIND_RING }, 0, STATUS_FAILED,
			"the operator's rule allows no lease of kind ring");
	assert_refused(&rules, (struct lease_wish){ .kind = (enum lease_kind)40 }, 0,
			STATUS_INVALID_ARGUMENT, "there is no lease of kind 40");
	assert_refused(&rules, (struct lease_wish){ .processor = 2 }, 0, STATUS_FAILED,
			"the operator's rule does not allow processor 2");
	assert_refused(&rules, (struct lease_wish){ .processor = UINT32_MAX }, 0, STATUS_FAILED,
			"the operator's rule does not allow processor 4294967295");
	assert_refused(&rules, (struct lease_wish){ .duration_ns = 1000 * MS + 1 }, 0,
			STATUS_FAILED, "the operator's rule allows 1000 ms at most");
	assert_refused(&rules,
			(struct lease_wish){ .kind = LEASE_KIND_COMPUTE, .budget_ns = 50 * MS + 1, .period_ns = 100 * MS }, 0,
			STATUS_FAILED, "the operator's rule allows 500 thousandths of a processor");
	assert_refused(&rules,
			(struct lease_wish){ .kind = LEASE_KIND_COMPUTE, .budget_ns = UINT64_MAX, .period_ns = UINT64_MAX }, 0,
			STATUS_FAILED, "the operator's rule allows 500 thousandths of a processor");
	assert_refused(&rules, (struct lease_wish){ .budget_ns = 1, .period_ns = 1 }, 0, STATUS_INVALID_ARGUMENT,
			"budgetNs, periodNs: of kind compute only");
	assert_refused(&rules, (struct lease_wish){ .kind = LEASE_KIND_COMPUTE, .budget_ns = 1 }, 0,
			STATUS_INVALID_ARGUMENT, "kind compute needs budgetNs and periodNs");
	assert_refused(&rules, (struct lease_wish){ .kind = LEASE_KIND_COMPUTE, .budget_ns = 2, .period_ns = 1 }, 0,
			STATUS_INVALID_ARGUMENT, "budgetNs: more than periodNs");
	assert_refused(&rules, (struct lease_wish){ .processor = 1 }, 2, STATUS_OVERLOADED,
			"the operator's rule allows 2 at a time, and so many are active");
}

static void what_the_rule_allows_is_not_refused(void **state)
{
	const struct lease_wish wishes[] = { { 0 }, { .processor = 3, .duration_ns = 1000 * MS },
		{ .kind = LEASE_KIND_COMPUTE, .budget_ns = 50 * MS, .period_ns = 100 * MS } };
	struct rules rules = { 0 };

	(void)state;
	assert_int_equal(set(&rules), STATUS_OK);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(rule_check(rules_find(&rules, "ann"), &wishes[i], 1, sentence),
				STATUS_OK);
}

static void a_client_has_its_own_rule_or_everybodys_or_none(void **state)
{
	struct rules rules = { 0 };

	(void)state;
	assert_int_equal(set(&rules), STATUS_OK);
	assert_int_equal(rule_check(rules_find(&rules, "bob"), &(struct lease_wish){ 0 }, 0,
					 sentence),
			STATUS_FAILED);
	assert_string_equal(sentence, "the operator's rules allow this client no lease");
	lease_rule_set_client(draft, capnp_text(""));
	lease_rule_set_at_once(draft, 7);
	assert_int_equal(set(&rules), STATUS_OK);
	assert_int_equal(rules_find(&rules, "bob")->at_once, 7);
	assert_int_equal(rules_find(&rules, "ann")->at_once, 2);
	lease_rule_set_client(draft, capnp_text("ann"));
	assert_int_equal(set(&rules), STATUS_OK);
	assert_int_equal(rules_find(&rules, "ann")->at_once, 7);
	assert_int_equal(rules.count, 2);
}

static void a_rule_that_cannot_be_changes_nothing(void **state)
{
	struct rules rules = { 0 };

	(void)state;
	lease_rule_set_longest_ns(draft, RULE_NS_MAX + 1);
	assert_int_equal(set(&rules), STATUS_INVALID_ARGUMENT);
	prepare(NULL);
	lease_rule_set_share(draft, 1001);
	assert_int_equal(set(&rules), STATUS_INVALID_ARGUMENT);
	assert_string_equal(sentence, "share: a whole processor is 1000");
	prepare(NULL);
	lease_rule_set_promised(draft, 1001);
	assert_int_equal(set(&rules), STATUS_INVALID_ARGUMENT);
	assert_string_equal(sentence, "promised: a whole processor is 1000");
	prepare(NULL);
	lease_rule_set_client(draft, capnp_text("a-name-of-more-than-thirty-one-bytes"));
	assert_int_equal(set(&rules), STATUS_INVALID_ARGUMENT);
	prepare(NULL);
	capnp_list_set_u16(lease_rule_init_kinds(draft, 1), 0, 9);
	assert_int_equal(set(&rules), STATUS_INVALID_ARGUMENT);
	assert_int_equal(rules.count, 0);
	for (uint32_t i = 0; i < RULES_MAX; i++) {
		char name[3] = { (char)('a' + i / 10), (char)('0' + i % 10), 0 };

		prepare(NULL);
		lease_rule_set_client(draft, capnp_text(name));
		assert_int_equal(set(&rules), STATUS_OK);
	}
	prepare(NULL);
	assert_int_equal(set(&rules), STATUS_OVERLOADED);
	assert_int_equal(rules.count, RULES_MAX);
}

/* The sum that tasks need, from a message of their own. */
static uint64_t need(uint64_t first_budget_ns, uint64_t first_period_ns, uint64_t second_budget_ns,
		uint64_t second_period_ns)
{
	uint64_t task_words[32] = { 0 };
	struct capnp_builder tasks_builder;
	struct capnp_message message;
	struct capnp_list_builder tasks;
	struct isolation_island_params_builder params;

	capnp_builder_init(&tasks_builder, task_words, 32, NULL, 0);
	params = isolation_island_params_init_root(&tasks_builder);
	tasks = isolation_island_params_init_tasks(params, 2);
	cyclic_task_set_budget_ns(cyclic_task_builder_at(tasks, 0), first_budget_ns);
	cyclic_task_set_period_ns(cyclic_task_builder_at(tasks, 0), first_period_ns);
	cyclic_task_set_budget_ns(cyclic_task_builder_at(tasks, 1), second_budget_ns);
	cyclic_task_set_period_ns(cyclic_task_builder_at(tasks, 1), second_period_ns);
	capnp_message_init(&message, task_words, capnp_builder_words(&tasks_builder), NULL, 0);
	return tasks_need(isolation_island_params_get_tasks(
			isolation_island_params_get_root(&message)));
}

static void tasks_need_the_sum_of_their_shares(void **state)
{
	(void)state;
	assert_int_equal(need(1, 4, 1, 2), 750000000);
	assert_int_equal(need(1, 3, 1, 3), 2 * UINT64_C(333333334));
	assert_int_equal(need(4000 * MS, 4000 * MS, 1, 4000 * MS), 1000000001);
	assert_int_equal(need(0, 1, 1, 1), UINT64_MAX);
	assert_int_equal(need(2, 1, 1, 1), UINT64_MAX);
	assert_int_equal(need(1, 4000 * MS + 1, 1, 1), UINT64_MAX);
	assert_int_equal(need(0, 0, 1, 1), UINT64_MAX);
}

static void islands_share_what_the_rule_promises(void **state)
{
	const uint64_t most = 300000000;
	struct rules rules = { 0 };
	const struct rule *rule;

	(void)state;
	assert_int_equal(rule_check_island(rules_find(&rules, "ann"), 1, 1, 0, sentence),
			STATUS_FAILED);
	assert_string_equal(sentence, "the operator's rules allow this client no island");
	assert_int_equal(set(&rules), STATUS_OK);
	rule = rules_find(&rules, "ann");
	assert_int_equal(rule_check_island(rule, 1, most, 0, sentence), STATUS_OK);
	assert_int_equal(rule_check_island(rule, 1, most - 5, 5, sentence), STATUS_OK);
	assert_int_equal(rule_check_island(rule, 0, 1, 0, sentence), STATUS_FAILED);
	assert_string_equal(sentence, "the operator's rule does not allow processor 0");
	assert_int_equal(rule_check_island(rule, 64, 1, 0, sentence), STATUS_FAILED);
	assert_int_equal(rule_check_island(rule, 1, most + 1, 0, sentence), STATUS_FAILED);
	assert_string_equal(sentence,
			"the operator's rule allows islands 300 thousandths of a processor");
	assert_int_equal(rule_check_island(rule, 1, most - 4, 5, sentence), STATUS_OVERLOADED);
	assert_int_equal(rule_check_island(rule, 1, 1, UINT64_MAX, sentence), STATUS_OVERLOADED);
}

static void a_rule_is_told_as_it_was_made(void **state)
{
	uint64_t copy_words[64] = { 0 };
	struct capnp_builder copy;
	struct capnp_message message;
	struct rules rules = { 0 }, again = { 0 };

	(void)state;
	assert_int_equal(set(&rules), STATUS_OK);
	capnp_builder_init(&copy, copy_words, 64, NULL, 0);
	rule_write(rules_find(&rules, "ann"), lease_rule_init_root(&copy));
	capnp_message_init(&message, copy_words, capnp_builder_words(&copy), NULL, 0);
	assert_int_equal(rules_set(&again, lease_rule_get_root(&message), sentence), STATUS_OK);
	assert_string_equal(again.rows[0].client, "ann");
	assert_int_equal(again.rows[0].processors, 10);
	assert_int_equal(again.rows[0].kinds, 1u << LEASE_KIND_THREAD | 1u << LEASE_KIND_COMPUTE);
	assert_int_equal(again.rows[0].longest_ns, 1000 * MS);
	assert_int_equal(again.rows[0].at_once, 2);
	assert_int_equal(again.rows[0].share, 500);
	assert_int_equal(again.rows[0].promised, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_part_refuses_in_its_own_words, prepare),
		cmocka_unit_test_setup(what_the_rule_allows_is_not_refused, prepare),
		cmocka_unit_test_setup(a_client_has_its_own_rule_or_everybodys_or_none, prepare),
		cmocka_unit_test_setup(a_rule_that_cannot_be_changes_nothing, prepare),
		cmocka_unit_test(tasks_need_the_sum_of_their_shares),
		cmocka_unit_test_setup(islands_share_what_the_rule_promises, prepare),
		cmocka_unit_test_setup(a_rule_is_told_as_it_was_made, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
