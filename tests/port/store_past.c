/* The past as both stores tell it: a life of three rollouts, asked about at several moments. */
#include "core/past.h"
#include "tests/lib/cm.h"
#include "tests/lib/storetest.h"

#include <stdio.h>

static struct store_past *past(struct store_world *w, int64_t since, int64_t until, bool commits)
{
	struct answer a;

	S(w)->past(w->o.priv, &(struct past_ask){since, until, commits}, begin(w, &a));
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("past: %s", a.outcome.text);
	return a.result;
}

/* A promotion with two migrations and two commits, driven to its end at once; how many hours ago it ended. */
static void rollout_made(struct store_world *w, const char *id, int nth, int hours_ago,
                         enum outcome_kind outcome)
{
	static struct instance_conf instances[] = {{"web-1", ""}};
	struct deployment_conf dep = {.present = true, .instances = instances, .n_instances = 1};
	struct plan *p = plan_new();
	int64_t end = loop_wall_us() - hours_ago * US_PER_H;
	struct lease *l;

	str_copy(p->service, sizeof(p->service), "web");
	str_copy(p->env, sizeof(p->env), "prod");
	snprintf(p->to.digest, sizeof(p->to.digest), "sha256:d%d", nth);
	snprintf(p->to.tag, sizeof(p->to.tag), "%d.0", nth);
	p->migrations = arena_alloc(&p->arena, 2 * sizeof(*p->migrations));
	p->n_migrations = 2;
	for (int i = 0; i < 2; i++)
		snprintf(p->migrations[i].name, sizeof(p->migrations[i].name), "%04d_step", nth * 10 + i);
	p->commits = commit_log_new(2);
	for (int i = 0; i < 2; i++)
		p->commits->items[i].time_us = end - (i + 1) * US_PER_DAY;
	plan_make_steps(p, &dep, false, NULL);
	assert_int_equal(plan_seal(p, NULL), 0);
	plan_stored(w, p);
	rollout_init(w->r, id, p, "anna", end - US_PER_MIN);
	assert_int_equal(create_only(w, w->r, NULL), OUTCOME_OK);
	l = claim(w, "1@x", 1, 1, false);
	assert_non_null(l);
	w->r->state = ROLLOUT_ENDED;
	w->r->outcome = outcome;
	w->r->started_us = end - US_PER_MIN;
	w->r->ended_us = end;
	for (int i = 0; i < w->r->n_steps; i++) {
		w->r->runs[i].state = STEP_DONE;
		w->r->runs[i].started_us = w->r->runs[i].ended_us = end - US_PER_S;
	}
	assert_int_equal(write_at(w, l->epoch), OUTCOME_OK);
	assert_int_equal(lease_do(w, l->epoch, true), OUTCOME_OK);
	free(l);
	plan_free(p);
}

static void deployed(struct store_world *w, int nth, int hours_ago, const char *rollout)
{
	struct deploy_row d = {.service = "web", .env = "prod", .good = true};
	struct answer a;

	d.since_us = loop_wall_us() - hours_ago * US_PER_H;
	snprintf(d.release.digest, sizeof(d.release.digest), "sha256:d%d", nth);
	snprintf(d.release.tag, sizeof(d.release.tag), "%d.0", nth);
	str_copy(d.by, sizeof(d.by), "anna");
	str_copy(d.rollout, sizeof(d.rollout), rollout);
	S(w)->deploy_note(w->o.priv, &d, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	free(a.result);
}

static void every_moment_has_its_board(void **state)
{
	struct store_world *w = *state;
	int64_t now = loop_wall_us();
	struct store_past *p;
	struct store_snapshot *s;
	const struct deploy_row *d;

	rollout_made(w, "r1", 1, 30, OUTCOME_OK);
	deployed(w, 1, 30, "r1");
	rollout_made(w, "r2", 2, 20, OUTCOME_OK);
	deployed(w, 2, 20, "r2");
	rollout_made(w, "r3", 3, 10, OUTCOME_FAILED);

	p = past(w, now - 25 * US_PER_H, now - 25 * US_PER_H, false);
	d = past_deploy(p, "web", "prod", now - 25 * US_PER_H);
	assert_non_null(d);
	assert_string_equal(d->release.tag, "1.0");
	assert_string_equal(d->by, "anna");
	assert_string_equal(d->rollout, "r1");
	assert_null(past_live(p, "web", "prod", now - 25 * US_PER_H));
	assert_string_equal(past_migrated(p, "web", "prod", now - 25 * US_PER_H)->head, "0011_step");
	store_past_free(p);

	/* In the middle of r2. */
	p = past(w, now - 20 * US_PER_H - 30 * US_PER_S, now - 20 * US_PER_H - 30 * US_PER_S, false);
	assert_string_equal(past_live(p, "web", "prod", now - 20 * US_PER_H - 30 * US_PER_S)->id, "r2");
	assert_string_equal(past_migrated(p, "web", "prod", now - 20 * US_PER_H - 30 * US_PER_S)->head,
	                    "0011_step");
	store_past_free(p);

	p = past(w, now, now, false);
	assert_string_equal(past_deploy(p, "web", "prod", now)->release.tag, "2.0");
	assert_string_equal(past_migrated(p, "web", "prod", now)->head, "0031_step");
	assert_null(past_deploy(p, "web", "dev", now));
	store_past_free(p);

	p = past(w, now - 40 * US_PER_H, now - 40 * US_PER_H, false);
	assert_int_equal(p->n_deploys, 0);
	assert_int_equal(p->n_rollouts, 0);
	store_past_free(p);

	/* Stepping from event to event. */
	s = snapshot(w);
	assert_true(past_next_event(s, now, false) > now - 11 * US_PER_H);
	assert_true(past_next_event(s, now - 15 * US_PER_H, true) > now - 11 * US_PER_H);
	assert_true(past_next_event(s, now - 15 * US_PER_H, false) < now - 19 * US_PER_H);
	assert_int_equal(past_next_event(s, now - 40 * US_PER_H, false), 0);
	store_snapshot_free(s);
}

static void figures_come_from_plans_and_rollouts(void **state)
{
	struct store_world *w = *state;
	int64_t now = loop_wall_us();
	struct store_past *p;
	struct dora d;

	rollout_made(w, "r1", 1, 30, OUTCOME_OK);
	rollout_made(w, "r2", 2, 20, OUTCOME_FAILED);
	rollout_made(w, "r3", 3, 10, OUTCOME_OK);
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "odd").kind, OUTCOME_OK);
	p = past(w, now - 48 * US_PER_H, now + US_PER_H, true);
	assert_int_equal(p->n_rollouts, 3);
	assert_string_equal(p->rollouts[0].id, "r3");
	assert_int_equal(p->rollouts[0].n_commits, 2);
	assert_int_equal(p->rollouts[0].n_migrations, 2);
	assert_int_equal(p->n_decisions, 1);
	assert_string_equal(p->decisions[0].reason, "odd");
	assert_false(p->cut);
	assert_true(dora_make(p, (const char *[]){"prod", NULL}, NULL, now - 48 * US_PER_H, now, 4, &d));
	assert_int_equal(d.deployments, 2);
	assert_int_equal(d.n_leads, 4);
	assert_true(llabs((long long)(d.lead_median_us - 36 * US_PER_H)) < US_PER_S);
	assert_int_equal(d.changes, 3);
	assert_int_equal(d.failures, 1);
	/* From the start of r2 to the end of r3. */
	assert_true(llabs((long long)(d.restore_median_us - 10 * US_PER_H - US_PER_MIN)) < US_PER_S);
	store_past_free(p);
	/* Without commits asked for none are read. */
	p = past(w, now - 48 * US_PER_H, now + US_PER_H, false);
	assert_int_equal(p->rollouts[0].n_commits, 0);
	store_past_free(p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(every_moment_has_its_board),
	                                   TEST(figures_come_from_plans_and_rollouts)};
	int failed = 0;

	store_kind = &store_kind_sqlite;
	failed += cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	store_kind = &store_kind_postgres;
	failed += cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
	return failed;
}
