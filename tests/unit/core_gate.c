/* Gates: every verdict from facts alone; approvals, freezes, schema verdicts. */
#include "core/gate.h"
#include "core/verdict.h"
#include "tests/lib/cm.h"

#include <stdio.h>

struct world {
	struct setup setup;
	struct env_conf envs[2];
	struct service_conf service;
	struct freeze_window window;
	struct plan *plan;
	struct gate_facts facts;
	struct migration_set *migrations;
	struct var_set *vars;
	struct smoke_result *smoke;
	struct decision decisions[8];
};

static const int64_t now = 1761532200 * US_PER_S; /* 2025-10-27T02:30:00Z, a Monday */

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->envs[0].name = "staging";
	w->envs[1].name = "prod";
	w->service.name = "web";
	w->service.smoke = "basics";
	w->setup.envs = w->envs;
	w->setup.n_envs = 2;
	w->setup.services = &w->service;
	w->setup.n_services = 1;
	w->plan = plan_new();
	assert_non_null(w->plan);
	str_copy(w->plan->service, sizeof(w->plan->service), "web");
	str_copy(w->plan->env, sizeof(w->plan->env), "prod");
	str_copy(w->plan->source_env, sizeof(w->plan->source_env), "staging");
	str_copy(w->plan->to.digest, sizeof(w->plan->to.digest), "sha256:new");
	str_copy(w->plan->requester, sizeof(w->plan->requester), "anna");
	str_copy(w->plan->digest, sizeof(w->plan->digest), "sha256:plan");
	for (int i = 0; i < GATE_CHOICES; i++)
		w->plan->policy.gate_on[i] = true;
	w->migrations = migration_set_new(1);
	w->migrations->items[0].state = MIGRATION_PENDING;
	migration_set_count(w->migrations);
	w->vars = var_set_new(1);
	w->smoke = smoke_result_new(1);
	str_copy(w->smoke->release.digest, sizeof(w->smoke->release.digest), "sha256:new");
	w->smoke->ended_us = now - 12 * US_PER_MIN;
	w->facts = (struct gate_facts){.now_us = now,
	                               .setup = &w->setup,
	                               .env = 1,
	                               .image = outcome_ok(),
	                               .has_migrations = true,
	                               .migrations = w->migrations,
	                               .has_vars = true,
	                               .vars = w->vars,
	                               .smoke = w->smoke,
	                               .running_since_us = now - US_PER_H,
	                               .decisions = w->decisions};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	plan_free(w->plan);
	migration_set_free(w->migrations);
	var_set_free(w->vars);
	smoke_result_free(w->smoke);
	free(w);
	return 0;
}

static enum gate_verdict verdict(struct world *w, enum gate_kind kind)
{
	gates_eval(w->plan, &w->facts);
	for (int i = 0; i < w->plan->n_gates; i++)
		if (w->plan->gates[i].kind == kind) {
			const struct gate *g = &w->plan->gates[i];

			assert_true(g->evidence[0] != '\0');
			if (g->verdict != GATE_OPEN)
				assert_true(g->next[0] != '\0');
			return g->verdict;
		}
	fail_msg("no gate %s", gate_kind_name(kind));
	return GATE_UNKNOWN;
}

static struct decision *add(struct world *w, enum decision_kind kind, const char *actor)
{
	struct decision *d = &w->decisions[w->facts.n_decisions++];

	d->kind = kind;
	d->seq = w->facts.n_decisions;
	d->at_us = now - US_PER_MIN;
	str_copy(d->actor, sizeof(d->actor), actor);
	str_copy(d->plan, sizeof(d->plan), "sha256:plan");
	return d;
}

static void all_open(void **state)
{
	struct world *w = *state;
	const struct gate *g;

	gates_eval(w->plan, &w->facts);
	assert_int_equal(w->plan->n_gates, GATE_KIND_COUNT);
	assert_true(plan_may_run(w->plan, &g));
	/* A plan that nobody judged may not run. */
	w->plan->n_gates = 0;
	assert_false(plan_may_run(w->plan, &g));
}

static void image(void **state)
{
	struct world *w = *state;

	w->facts.image = outcome_make(OUTCOME_FAILED, "registry", "blob is missing");
	assert_int_equal(verdict(w, GATE_IMAGE), GATE_CLOSED);
	w->facts.image = outcome_make(OUTCOME_ERRORED, "registry", "no answer");
	assert_int_equal(verdict(w, GATE_IMAGE), GATE_UNKNOWN);
	w->plan->policy.gate_on[GATE_IMAGE] = false;
	assert_int_equal(verdict(w, GATE_IMAGE), GATE_OPEN);
}

static void migrations(void **state)
{
	struct world *w = *state;

	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_OPEN);
	w->migrations->items[0].state = MIGRATION_FAILED;
	migration_set_count(w->migrations);
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_CLOSED);
	/* The tools run all the same: open, and said. */
	w->migrations->items[0].state = MIGRATION_MODIFIED;
	migration_set_count(w->migrations);
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_OPEN);
	for (int i = 0; i < w->plan->n_gates; i++)
		if (w->plan->gates[i].kind == GATE_MIGRATIONS)
			assert_non_null(strstr(w->plan->gates[i].evidence, "1 applied changed since"));
	w->migrations->items[0].state = MIGRATION_UNKNOWN;
	migration_set_count(w->migrations);
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_UNKNOWN);
	w->facts.migrations = NULL;
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_UNKNOWN);
	w->facts.has_migrations = false;
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_OPEN);
	w->facts.has_migrations = true;
	w->facts.migrations = w->migrations;
	w->migrations->items[0].state = MIGRATION_APPLIED;
	migration_set_count(w->migrations);
	w->migrations->blocked = true;
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_CLOSED);
}

static const struct gate *gate_of(const struct world *w, enum gate_kind kind)
{
	for (int i = 0; i < w->plan->n_gates; i++)
		if (w->plan->gates[i].kind == kind)
			return &w->plan->gates[i];
	fail();
	return NULL;
}

/* The tool's own lock: of somebody who lives it is waited for, of a dead run it wants the remedy. */
static void locks(void **state)
{
	struct world *w = *state;
	struct migration_lock *l = migration_set_lock(w->migrations);

	str_copy(w->migrations->tool, sizeof(w->migrations->tool), "prisma");
	str_copy(w->migrations->when_locked, sizeof(w->migrations->when_locked), "waits 10 s");
	str_copy(l->what, sizeof(l->what), "advisory lock 72707369");
	str_copy(l->app, sizeof(l->app), "psql");
	str_copy(l->user, sizeof(l->user), "ana");
	str_copy(l->client, sizeof(l->client), "10.0.0.4");
	str_copy(l->doing, sizeof(l->doing), "SELECT 1");
	l->granted = l->session = true;
	l->pid = 4711;
	l->since_us = w->facts.now_us - 90 * US_PER_S;
	/* Not the tool's: it may run beside it. */
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_OPEN);
	l->of_tool = true;
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_WAITS);
	assert_string_equal(
	    gate_of(w, GATE_MIGRATIONS)->evidence,
	    "advisory lock 72707369 is held for 1m30s by psql (user ana at 10.0.0.4, pid 4711), "
	    "doing: SELECT 1; prisma waits 10 s");
	assert_non_null(strstr(gate_of(w, GATE_MIGRATIONS)->next, "towpath migrations cancel"));
	assert_non_null(strstr(gate_of(w, GATE_MIGRATIONS)->next, "--pid 4711"));
	/* Nothing would run: nothing waits. */
	w->migrations->items[0].state = MIGRATION_APPLIED;
	migration_set_count(w->migrations);
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_OPEN);
	w->migrations->items[0].state = MIGRATION_PENDING;
	migration_set_count(w->migrations);
	l->session = false;
	l->stuck = true;
	migration_set_block(w->migrations, "locked", "DELETE FROM it");
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_CLOSED);
	assert_non_null(strstr(gate_of(w, GATE_MIGRATIONS)->evidence, "by 10.0.0.4, nobody is connected"));
	/* The remedy is the tool's own only where it has one for this. */
	assert_non_null(strstr(gate_of(w, GATE_MIGRATIONS)->next, "DELETE FROM it"));
	w->migrations->repairs = l->repairable = true;
	assert_int_equal(verdict(w, GATE_MIGRATIONS), GATE_CLOSED);
	assert_non_null(strstr(gate_of(w, GATE_MIGRATIONS)->next, "towpath migrations repair"));
}

static void lint(void **state)
{
	static struct lint_finding f[] = {
	    {.rule = RULE_DROP_COLUMN, .severity = SEVERITY_ERROR, .line = 2},
	    {.rule = RULE_CREATE_INDEX, .severity = SEVERITY_WARNING, .line = 5}};
	struct preview_item item = {.read = true, .findings = f, .n_findings = 2};
	struct migration_preview v = {.items = &item, .n_items = 1};
	struct world *w = *state;

	f[0].message = f[1].message = f[0].safer = f[1].safer = "x";
	w->plan->policy.lint_block = SEVERITY_ERROR;
	w->plan->migrations = w->migrations->items;
	w->plan->n_migrations = 1;
	assert_int_equal(verdict(w, GATE_LINT), GATE_UNKNOWN);
	w->facts.preview = &v;
	assert_int_equal(verdict(w, GATE_LINT), GATE_CLOSED);
	f[0].severity = SEVERITY_WARNING;
	assert_int_equal(verdict(w, GATE_LINT), GATE_OPEN);
	w->plan->policy.lint_block = SEVERITY_WARNING;
	assert_int_equal(verdict(w, GATE_LINT), GATE_CLOSED);
	w->plan->policy.gate_on[GATE_LINT] = false;
	assert_int_equal(verdict(w, GATE_LINT), GATE_OPEN);
	w->plan->policy.gate_on[GATE_LINT] = true;
	item.n_findings = 0;
	item.read = false;
	assert_int_equal(verdict(w, GATE_LINT), GATE_OPEN);
	for (int i = 0; i < w->plan->n_gates; i++)
		if (w->plan->gates[i].kind == GATE_LINT)
			assert_non_null(strstr(w->plan->gates[i].evidence, "1 cannot be judged"));
	w->facts.migrations = NULL;
	assert_int_equal(verdict(w, GATE_LINT), GATE_UNKNOWN);
	w->plan->kind = PLAN_ROLLBACK;
	assert_int_equal(verdict(w, GATE_LINT), GATE_OPEN);
}

static void config(void **state)
{
	struct world *w = *state;

	w->vars->items[0].state = VAR_MISSING;
	str_copy(w->vars->items[0].key, sizeof(w->vars->items[0].key), "STRIPE_KEY");
	assert_int_equal(verdict(w, GATE_CONFIG), GATE_OPEN);
	w->vars->items[0].required = true;
	assert_int_equal(verdict(w, GATE_CONFIG), GATE_CLOSED);
	assert_non_null(strstr(w->plan->gates[GATE_CONFIG].evidence, "STRIPE_KEY"));
	w->vars->items[0].state = VAR_EMPTY;
	assert_int_equal(verdict(w, GATE_CONFIG), GATE_CLOSED);
	w->facts.vars = NULL;
	assert_int_equal(verdict(w, GATE_CONFIG), GATE_UNKNOWN);
}

static void smoke(void **state)
{
	struct world *w = *state;

	w->plan->policy.smoke_max_age_us = 10 * US_PER_MIN;
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_WAITS);
	w->plan->policy.smoke_max_age_us = 15 * US_PER_MIN;
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_OPEN);
	w->smoke->state = SMOKE_FAILED;
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_CLOSED);
	w->smoke->state = SMOKE_ERRORED;
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_UNKNOWN);
	w->smoke->state = SMOKE_PASSED;
	/* Of another release, or of one that changed meanwhile: it says nothing. */
	str_copy(w->smoke->release.digest, sizeof(w->smoke->release.digest), "sha256:other");
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_WAITS);
	w->smoke->release.digest[0] = '\0';
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_WAITS);
	w->plan->to.digest[0] = '\0';
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_WAITS);
	w->plan->source_env[0] = '\0';
	assert_int_equal(verdict(w, GATE_SMOKE), GATE_OPEN);
}

static void soak(void **state)
{
	struct world *w = *state;

	w->plan->policy.soak_us = 2 * US_PER_H;
	assert_int_equal(verdict(w, GATE_SOAK), GATE_WAITS);
	assert_int_equal(w->plan->gates[GATE_SOAK].open_at_us, now + US_PER_H);
	w->plan->policy.soak_us = US_PER_H;
	assert_int_equal(verdict(w, GATE_SOAK), GATE_OPEN);
	w->facts.running_since_us = 0;
	assert_int_equal(verdict(w, GATE_SOAK), GATE_WAITS);
}

static struct decision *freeze(struct world *w, enum decision_kind kind, const char *service)
{
	struct decision *d = add(w, kind, "olga");

	d->plan[0] = '\0';
	str_copy(d->env, sizeof(d->env), "prod");
	str_copy(d->service, sizeof(d->service), service);
	return d;
}

static void freezes(void **state)
{
	struct world *w = *state;

	freeze(w, DECISION_FREEZE, "");
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_CLOSED);
	/* Lifting one service's leaves the environment's. */
	freeze(w, DECISION_UNFREEZE, "web");
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_CLOSED);
	freeze(w, DECISION_UNFREEZE, "");
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_OPEN);
	freeze(w, DECISION_FREEZE, "web")->until_us = now + 1;
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_CLOSED);
	w->facts.now_us = now + 1;
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_OPEN);
	w->facts.now_us = now;
	w->facts.n_decisions = 0;
	freeze(w, DECISION_FREEZE, "other");
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_OPEN);
	w->envs[1].freezes = &w->window;
	w->envs[1].n_freezes = 1;
	w->window.reason = "quiet hours";
	assert_int_equal(window_parse("Mon 02:00-03:00", &w->window.window, NULL), 0);
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_CLOSED);
	assert_int_equal(w->plan->gates[GATE_FREEZE].open_at_us, now + 30 * US_PER_MIN);
	w->facts.now_us = now + US_PER_H;
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_OPEN);
}

static void approvals(void **state)
{
	struct world *w = *state;

	w->plan->policy.approvals = 1;
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_WAITS);
	/* The requester never counts. */
	add(w, DECISION_APPROVE, "anna");
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_WAITS);
	/* Nor does an approval of another digest. */
	str_copy(add(w, DECISION_APPROVE, "ben")->plan, DIGEST_LEN, "sha256:other");
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_WAITS);
	add(w, DECISION_APPROVE, "ben");
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_OPEN);
	/* Twice the same person is one. */
	add(w, DECISION_APPROVE, "ben");
	w->plan->policy.approvals = 2;
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_WAITS);
	add(w, DECISION_APPROVE, "carl");
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_OPEN);
	/* One rejection wins, until that person says otherwise. */
	add(w, DECISION_REJECT, "dora");
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_CLOSED);
	add(w, DECISION_APPROVE, "dora");
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_OPEN);
	w->plan->policy.approval_valid_us = 30 * US_PER_S;
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_WAITS);
	w->plan->policy.approval_valid_us = 2 * US_PER_MIN;
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_OPEN);
	/* What is withdrawn is void, and no rejection. */
	add(w, DECISION_WITHDRAW, "dora");
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_OPEN);
	w->plan->policy.approvals = 3;
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_WAITS);
	w->plan->policy.approvals = 2;
	/* No digest, no approval. */
	w->plan->digest[0] = '\0';
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_WAITS);
}

static void rollbacks_are_exempt(void **state)
{
	struct world *w = *state;
	const struct gate *g;

	w->plan->kind = PLAN_ROLLBACK;
	w->plan->policy.rollback_exempt = true;
	w->plan->policy.approvals = 1;
	w->plan->policy.soak_us = US_PER_DAY;
	freeze(w, DECISION_FREEZE, "");
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_EXEMPT);
	assert_int_equal(verdict(w, GATE_APPROVAL), GATE_EXEMPT);
	assert_true(plan_may_run(w->plan, &g));
	/* The image must be there, exempt or not. */
	w->facts.image = outcome_make(OUTCOME_FAILED, "registry", "gone");
	assert_int_equal(verdict(w, GATE_IMAGE), GATE_CLOSED);
	assert_false(plan_may_run(w->plan, &g));
	w->facts.image = outcome_ok();
	w->plan->policy.rollback_exempt = false;
	assert_int_equal(verdict(w, GATE_FREEZE), GATE_CLOSED);
}

static void schema_verdicts(void **state)
{
	struct migration_set *older = migration_set_new(2), *newer = migration_set_new(2);
	char text[TEXT_LEN];

	UNUSED(state);
	for (int i = 0; i < 2; i++) {
		snprintf(older->items[i].name, MIGRATION_LEN, "000%d", i + 1);
		snprintf(newer->items[i].name, MIGRATION_LEN, "000%d", i + 1);
	}
	migration_set_count(older);
	migration_set_count(newer);
	assert_int_equal(verdict_for(older, newer, text, sizeof(text)), SCHEMA_SAME);
	older->items[1].state = MIGRATION_MISSING;
	migration_set_count(older);
	assert_int_equal(verdict_for(older, newer, text, sizeof(text)), SCHEMA_ADDITIVE);
	newer->items[1].kind = MIGRATION_CONTRACT;
	assert_int_equal(verdict_for(older, newer, text, sizeof(text)), SCHEMA_BREAKS);
	newer->items[1].kind = MIGRATION_OPAQUE;
	assert_int_equal(verdict_for(older, newer, text, sizeof(text)), SCHEMA_UNKNOWN);
	assert_int_equal(verdict_for(older, NULL, text, sizeof(text)), SCHEMA_UNKNOWN);
	older->items[1].state = MIGRATION_PENDING;
	migration_set_count(older);
	assert_int_equal(verdict_for(older, newer, text, sizeof(text)), SCHEMA_BEHIND);
	assert_int_equal(verdict_for(NULL, newer, text, sizeof(text)), SCHEMA_UNKNOWN);
	migration_set_free(older);
	migration_set_free(newer);
}

static void backups(void **state)
{
	struct world *w = *state;
	struct backup_list *l = backup_list_new();

	assert_non_null(l);
	w->plan->policy.backup_max_age_us = 26 * US_PER_H;
	w->plan->migrations = w->migrations->items;
	w->plan->n_migrations = 1;
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_UNKNOWN);
	w->facts.backups = l;
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_CLOSED);
	/* An empty file is what a dump that failed leaves. */
	backup_add(l, "empty", 5, now, 0);
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_CLOSED);
	backup_add(l, "old", 3, now - 27 * US_PER_H, 100);
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_CLOSED);
	backup_add(l, "night", 5, now - 25 * US_PER_H, -1);
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_OPEN);
	/* Nothing changes the schema: no backup is asked for. */
	w->facts.backups = NULL;
	w->plan->n_migrations = 0;
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_OPEN);
	w->plan->n_migrations = 1;
	w->plan->kind = PLAN_ROLLBACK;
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_OPEN);
	w->plan->kind = PLAN_REPAIR;
	gates_eval(w->plan, &w->facts);
	for (int i = 0; i < w->plan->n_gates; i++)
		if (w->plan->gates[i].kind == GATE_BACKUP)
			assert_int_equal(w->plan->gates[i].verdict, GATE_EXEMPT);
	w->plan->kind = PLAN_DOWN;
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_UNKNOWN);
	w->plan->policy.gate_on[GATE_BACKUP] = false;
	assert_int_equal(verdict(w, GATE_BACKUP), GATE_OPEN);
	w->plan->migrations = NULL;
	w->plan->n_migrations = 0;
	backup_list_free(l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_open),
	    TEST(image),
	    TEST(migrations),
	    TEST(locks),
	    TEST(lint),
	    TEST(config),
	    TEST(smoke),
	    TEST(soak),
	    TEST(freezes),
	    TEST(approvals),
	    TEST(rollbacks_are_exempt),
	    TEST(schema_verdicts),
	    TEST(backups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
