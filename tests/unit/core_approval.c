/* Approvals by the rules of a policy, and roles over decisions. */
#include "core/approval.h"
#include "core/gate.h"
#include "core/roles.h"
#include "tests/lib/cm.h"

#include <stdio.h>

static const char *const leads[] = {"anna", "ben", NULL}, *const ops[] = {"carl", "dora", NULL};
static struct group_conf groups[] = {{"leads", leads}, {"ops", ops}};
static const char *const anna_git[] = {"Anna Lind", "al@example.org", NULL};
static struct person_conf people[] = {{"anna", anna_git}};
static struct env_conf envs[2];
static struct setup s;
static struct decision rows[32];
static struct policy policy;
static struct approval_facts f;
static struct approval_tally t;
static const int64_t now = 1761532200 * US_PER_S;

static int fresh(void **state)
{
	UNUSED(state);
	memset(rows, 0, sizeof(rows));
	memset(envs, 0, sizeof(envs));
	envs[0].name = "dev";
	envs[1].name = "prod";
	s = (struct setup){
	    .envs = envs, .n_envs = 2, .groups = groups, .n_groups = 2, .people = people, .n_people = 1};
	policy = (struct policy){.approvals = 1};
	f = (struct approval_facts){.decisions = rows,
	                            .plan = "sha256:p",
	                            .requester = "zoe",
	                            .policy = &policy,
	                            .setup = &s,
	                            .env = 1,
	                            .judges_commits = true,
	                            .judges_signatures = true,
	                            .now_us = now};
	return 0;
}

static struct decision *add(enum decision_kind kind, const char *actor)
{
	struct decision *d = &rows[f.n_decisions++];

	d->kind = kind;
	d->seq = f.n_decisions;
	d->at_us = now - US_PER_MIN;
	str_copy(d->actor, sizeof(d->actor), actor);
	str_copy(d->plan, sizeof(d->plan), "sha256:p");
	return d;
}

static int count(void)
{
	approvals_tally(&f, &t);
	return t.count;
}

static void groups_and_required(void **state)
{
	UNUSED(state);
	add(DECISION_APPROVE, "carl");
	add(DECISION_APPROVE, "eve");
	assert_int_equal(count(), 2);
	policy.n_approve_groups = 1;
	str_copy(policy.approve_groups[0], NAME_LEN, "ops");
	assert_int_equal(count(), 1);
	assert_string_equal(t.names, "carl");
	assert_non_null(strstr(t.refused, "eve is not in ops"));
	assert_true(approvals_suffice(&t, &policy));
	str_copy(policy.approve_required, NAME_LEN, "leads");
	policy.n_approve_groups = 2;
	str_copy(policy.approve_groups[1], NAME_LEN, "leads");
	count();
	assert_false(approvals_suffice(&t, &policy));
	assert_true(t.lacks_required);
	add(DECISION_APPROVE, "ben");
	assert_int_equal(count(), 2);
	assert_true(approvals_suffice(&t, &policy));
	/* A group that left the config has nobody in it. */
	s.n_groups = 0;
	assert_int_equal(count(), 0);
}

static void own_commits(void **state)
{
	static const struct {
		const char *name, *mail, *person;
		bool wrote;
	} cases[] = {
	    {"Anna Lind", "x@y", "anna", true},
	    {"Somebody", "AL@example.org", "anna", true},
	    {"x", "anna@example.org", "anna", true},
	    {"x", "123+anna@users.example.org", "anna", true},
	    {"x", "anna+git@example.org", "anna", true},
	    {"Ben", "b@y", "ben", true},
	    {"x", "annabel@example.org", "anna", false},
	    {"x", "joanna@example.org", "anna", false},
	    {"Anna Lindt", "x@y", "anna", false},
	    {"x", "y@anna", "anna", false},
	    {"", "", "anna", false},
	};
	struct commit_log *log = commit_log_new(1);

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct commit_log *one = commit_log_new(1);

		assert_true(commit_log_person(one, cases[i].name, cases[i].mail));
		if (person_wrote(&s, cases[i].person, one) != cases[i].wrote)
			fail_msg("%s <%s> and %s", cases[i].name, cases[i].mail, cases[i].person);
		commit_log_free(one);
	}
	add(DECISION_APPROVE, "anna");
	policy.approve_not_own = true;
	/* Nobody knows: that is no yes. */
	assert_int_equal(count(), 0);
	assert_true(t.unknown);
	commit_log_person(log, "Anna Lind", "al@example.org");
	f.commits = log;
	f.commits_known = true;
	assert_int_equal(count(), 0);
	assert_false(t.unknown);
	assert_non_null(strstr(t.refused, "anna wrote a commit of it"));
	add(DECISION_APPROVE, "carl");
	assert_int_equal(count(), 1);
	log->people_cut = true;
	assert_int_equal(count(), 0);
	assert_true(t.unknown);
	commit_log_free(log);
}

static void people_are_kept_once(void **state)
{
	struct commit_log *log = commit_log_new(0);
	char name[32];

	UNUSED(state);
	for (int i = 0; i < 3 * COMMIT_PEOPLE_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i % (COMMIT_PEOPLE_MAX + 1));
		assert_true(commit_log_person(log, name, "m"));
	}
	assert_int_equal(log->n_people, COMMIT_PEOPLE_MAX);
	assert_true(log->people_cut);
	commit_log_free(log);
}

static void validity(void **state)
{
	UNUSED(state);
	policy.approval_valid_us = 10 * US_PER_MIN;
	add(DECISION_APPROVE, "carl");
	add(DECISION_APPROVE, "anna")->until_us = now + US_PER_MIN;
	add(DECISION_APPROVE, "ben")->at_us = now - 11 * US_PER_MIN;
	assert_int_equal(count(), 2);
	assert_non_null(strstr(t.refused, "ben's has lapsed"));
	/* One is enough: the later end counts. */
	assert_int_equal(t.until_us, now + 9 * US_PER_MIN);
	policy.approvals = 2;
	count();
	assert_int_equal(t.until_us, now + US_PER_MIN);
	policy.approvals = 1;
	str_copy(policy.approve_required, NAME_LEN, "leads");
	count();
	assert_int_equal(t.until_us, now + US_PER_MIN);
	f.now_us = now + US_PER_MIN + 1;
	count();
	assert_false(approvals_suffice(&t, &policy));
}

static void once(void **state)
{
	UNUSED(state);
	add(DECISION_APPROVE, "carl");
	f.spent_us = now;
	assert_int_equal(count(), 1);
	policy.approve_once = true;
	assert_int_equal(count(), 0);
	assert_non_null(strstr(t.refused, "served an earlier rollout"));
	add(DECISION_APPROVE, "carl")->at_us = now + 1;
	assert_int_equal(count(), 1);
}

static void signatures(void **state)
{
	struct signature_verdict v[2] = {{.seq = 1, .state = SIGNATURE_GOOD},
	                                 {.seq = 2, .state = SIGNATURE_BAD, .text = "revoked key"}};

	UNUSED(state);
	str_copy(add(DECISION_APPROVE, "carl")->nonce, NONCE_LEN, "1");
	str_copy(add(DECISION_APPROVE, "anna")->nonce, NONCE_LEN, "2");
	add(DECISION_APPROVE, "ben");
	assert_int_equal(count(), 3);
	f.signatures = v;
	f.n_signatures = 2;
	policy.signing = SIGNING_OPTIONAL;
	assert_int_equal(count(), 2);
	assert_non_null(strstr(t.refused, "anna's signature: revoked key"));
	policy.signing = SIGNING_REQUIRED;
	assert_int_equal(count(), 1);
	assert_non_null(strstr(t.refused, "ben did not sign"));
	f.n_signatures = 0;
	assert_int_equal(count(), 0);
	assert_true(t.unknown);
	f.judges_signatures = false;
	assert_int_equal(count(), 2);
}

static void many_words(void **state)
{
	static struct decision lots[APPROVALS_SEEN_MAX * 2];

	UNUSED(state);
	f.decisions = lots;
	for (f.n_decisions = 0; f.n_decisions < APPROVALS_SEEN_MAX * 2; f.n_decisions++) {
		struct decision *d = &lots[f.n_decisions];

		*d = (struct decision){.kind = DECISION_APPROVE, .seq = f.n_decisions + 1, .at_us = now};
		snprintf(d->actor, sizeof(d->actor), "p%d", f.n_decisions);
		str_copy(d->plan, sizeof(d->plan), "sha256:p");
	}
	/* The last of them says no: it is heard, however many said yes. */
	lots[f.n_decisions - 1].kind = DECISION_REJECT;
	assert_int_equal(count(), APPROVALS_SEEN_MAX);
	assert_true(t.rejected);
	assert_string_equal(t.rejection->actor, lots[f.n_decisions - 1].actor);
}

/* --- roles ------------------------------------------------------------------------------------- */

static const char *const viewers[] = {"gast", NULL}, *const operators[] = {"@ops", "gast", NULL},
                         *const approvers[] = {"@leads", NULL}, *const admins[] = {"anna", NULL};

static void with_roles(struct env_conf *e)
{
	e->roles[ROLES_VIEWER] = viewers;
	e->roles[ROLES_OPERATOR] = operators;
	e->roles[ROLES_APPROVER] = approvers;
	e->roles[ROLES_ADMIN] = admins;
}

/* Every kind of decision by every kind of person: what the table of decisions says, and nothing else. */
static void matrix(void **state)
{
	static const struct {
		const char *person;
		unsigned roles;
	} who[] = {{"gast", STORE_VIEWER},
	           {"nobody", STORE_VIEWER},
	           {"carl", STORE_VIEWER | STORE_OPERATOR},
	           {"ben", STORE_VIEWER | STORE_APPROVER},
	           {"anna", STORE_VIEWER | STORE_APPROVER | STORE_ADMIN}};

	UNUSED(state);
	with_roles(&envs[1]);
	for (size_t i = 0; i < ARRAY_LEN(who); i++) {
		assert_int_equal(roles_of(&s, 1, who[i].person), who[i].roles);
		/* Without lists the store alone decides. */
		assert_int_equal(roles_of(&s, 0, who[i].person) & STORE_ADMIN, STORE_ADMIN);
		for (int k = 0; k < DECISION_KIND_COUNT; k++) {
			struct decision d = {.kind = (enum decision_kind)k};
			unsigned needs = decision_rule(d.kind)->roles;
			bool may = (needs & STORE_EXECUTOR) != 0 || (needs & who[i].roles) != 0;

			str_copy(d.actor, sizeof(d.actor), who[i].person);
			if (roles_allow(&s, 1, &d) != may)
				fail_msg("%s and %s", who[i].person, decision_kind_name(d.kind));
			str_copy(d.env, sizeof(d.env), "prod");
			assert_int_equal(roles_allow(&s, -1, &d), may);
			str_copy(d.env, sizeof(d.env), "dev");
			assert_true(roles_allow(&s, -1, &d));
		}
	}
}

static void everywhere(void **state)
{
	struct decision stop = {.kind = DECISION_STOP, .actor = "carl"},
	                resume = {.kind = DECISION_RESUME, .actor = "carl"},
	                unmark = {.kind = DECISION_UNMARK, .actor = "ben"};

	UNUSED(state);
	with_roles(&envs[1]);
	/* carl may stop here and there, and let go only where all let him. */
	assert_true(roles_allow(&s, -1, &stop));
	assert_false(roles_allow(&s, -1, &resume));
	assert_false(roles_allow(&s, -1, &unmark));
	str_copy(resume.actor, sizeof(resume.actor), "anna");
	assert_true(roles_allow(&s, -1, &resume));
	str_copy(unmark.actor, sizeof(unmark.actor), "carl");
	assert_true(roles_allow(&s, -1, &unmark));
	with_roles(&envs[0]);
	str_copy(stop.actor, sizeof(stop.actor), "gast");
	assert_false(roles_allow(&s, -1, &stop));
}

static void filter(void **state)
{
	char text[TEXT_LEN];

	UNUSED(state);
	with_roles(&envs[1]);
	str_copy(add(DECISION_UNFREEZE, "gast")->env, NAME_LEN, "prod");
	str_copy(add(DECISION_FREEZE, "ben")->env, NAME_LEN, "prod");
	rows[0].signature = strdup("x");
	assert_int_equal(roles_filter(&s, rows, 2), 1);
	assert_string_equal(rows[0].actor, "ben");
	roles_refusal(&s, 1, "ben", STORE_OPERATOR | STORE_ADMIN, "unlock", text, sizeof(text));
	assert_string_equal(
	    text, "ben may not unlock in prod: roles in the config leave that to operators @ops, gast "
	          "or admins anna");
	/* And approvals of who is no approver are told, not counted. */
	f.n_decisions = 0;
	add(DECISION_APPROVE, "carl");
	assert_int_equal(count(), 0);
	assert_non_null(strstr(t.refused, "carl is no approver here"));
	add(DECISION_REJECT, "gast");
	count();
	assert_false(t.rejected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(groups_and_required, fresh),
	                                   cmocka_unit_test_setup(own_commits, fresh),
	                                   cmocka_unit_test_setup(people_are_kept_once, fresh),
	                                   cmocka_unit_test_setup(validity, fresh),
	                                   cmocka_unit_test_setup(once, fresh),
	                                   cmocka_unit_test_setup(signatures, fresh),
	                                   cmocka_unit_test_setup(many_words, fresh),
	                                   cmocka_unit_test_setup(matrix, fresh),
	                                   cmocka_unit_test_setup(everywhere, fresh),
	                                   cmocka_unit_test_setup(filter, fresh)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
