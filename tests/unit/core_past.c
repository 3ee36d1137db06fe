/* The four figures on histories made by hand. */
#include "core/past.h"
#include "tests/lib/cm.h"

#include <stdio.h>

#define H US_PER_H
#define DAY(n) ((n)*US_PER_DAY)

static struct past_rollout made(const char *service, enum plan_kind kind, int64_t start, int64_t end,
                                enum outcome_kind outcome)
{
	static int n;
	struct past_rollout r = {.kind = kind,
	                         .state = ROLLOUT_ENDED,
	                         .outcome = outcome,
	                         .touched = true,
	                         .created_us = start,
	                         .started_us = start,
	                         .ended_us = end};

	snprintf(r.id, sizeof(r.id), "r%d", n++);
	str_copy(r.service, sizeof(r.service), service);
	str_copy(r.env, sizeof(r.env), "prod");
	return r;
}

static struct dora figures(struct past_rollout *r, int n, const char *service)
{
	struct store_past p = {.rollouts = r, .n_rollouts = n};
	struct dora d;

	assert_true(dora_make(&p, (const char *[]){"prod", NULL}, service, DAY(100), DAY(110), 10, &d));
	return d;
}

static void nothing_has_no_figures(void **state)
{
	struct dora d = figures(NULL, 0, NULL);

	UNUSED(state);
	assert_int_equal(d.deployments, 0);
	assert_true(d.lead_median_us == -1 && d.failure_pct < 0 && d.restore_median_us == -1);
}

static void frequency_and_lead(void **state)
{
	int64_t first[] = {DAY(100), DAY(101)}, second[] = {DAY(102), 0, DAY(109)};
	struct past_rollout r[] = {made("web", PLAN_PROMOTE, DAY(102), DAY(102) + H, OUTCOME_OK),
	                           made("api", PLAN_PROMOTE, DAY(104), DAY(104), OUTCOME_OK),
	                           made("web", PLAN_REPAIR, DAY(104), DAY(104), OUTCOME_OK)};
	struct dora d;

	UNUSED(state);
	r[0].commits_us = first;
	r[0].n_commits = 2;
	/* A time that is not known, and one after the deployment (a clock that is off), say nothing. */
	r[1].commits_us = second;
	r[1].n_commits = 3;
	d = figures(r, 3, NULL);
	assert_int_equal(d.deployments, 2);
	assert_true(d.per_day > 0.199 && d.per_day < 0.201);
	assert_int_equal(d.n_leads, 3);
	assert_true(d.lead_median_us == DAY(2));
	assert_true(d.lead_p90_us == DAY(2) + H);
	assert_true(d.bucket_deployments[2] > 0.5 && d.bucket_deployments[3] < 0.5);
	assert_true(d.bucket_lead_us[0] < 0);
	assert_int_equal(figures(r, 3, "web").deployments, 1);
}

static void failures_and_restores(void **state)
{
	struct past_rollout r[] = {
	    made("web", PLAN_PROMOTE, DAY(101), DAY(101) + H, OUTCOME_OK), /* good */
	    made("web", PLAN_PROMOTE, DAY(102), DAY(102) + H, OUTCOME_OK), /* rolled back later */
	    made("web", PLAN_ROLLBACK, DAY(102) + 2 * H, DAY(102) + 3 * H, OUTCOME_OK),
	    made("web", PLAN_PROMOTE, DAY(103), DAY(103) + H,
	         OUTCOME_FAILED), /* its policy put the old one back */
	    made("web", PLAN_PROMOTE, DAY(104), DAY(104) + H, OUTCOME_FAILED), /* restored by the next */
	    made("web", PLAN_PROMOTE, DAY(105), DAY(105) + H, OUTCOME_OK),
	    made("web", PLAN_PROMOTE, DAY(106), DAY(106) + H, OUTCOME_CANCELLED), /* had changed nothing */
	    made("web", PLAN_PROMOTE, DAY(107), DAY(107) + H, OUTCOME_UNKNOWN),   /* open */
	    made("api", PLAN_PROMOTE, DAY(108), DAY(108) + H, OUTCOME_OK), /* restores nothing of web */
	};
	struct dora d;

	UNUSED(state);
	r[3].rolled_back = true;
	r[6].touched = false;
	d = figures(r, (int)ARRAY_LEN(r), NULL);
	assert_int_equal(d.deployments, 4);
	assert_int_equal(d.changes, 7);
	assert_int_equal(d.failures, 4);
	assert_int_equal(d.n_restores, 3);
	assert_int_equal(d.n_open, 1);
	/* 2 h by the rollback, 1 h by itself, 25 h by the next promotion. */
	assert_true(d.restore_median_us == 2 * H);
	assert_true(d.bucket_failure_pct[1] > -0.5 && d.bucket_failure_pct[1] < 0.5);
	assert_true(d.bucket_failure_pct[2] > 99);
	assert_true(d.bucket_failure_pct[6] < 0);
}

static void places_are_told_apart(void **state)
{
	struct deploy_row rows[] = {{.service = "web", .env = "prod", .since_us = 50, .until_us = 0},
	                            {.service = "web", .env = "prod", .since_us = 10, .until_us = 50},
	                            {.service = "web", .env = "dev", .since_us = 5, .until_us = 0}};
	struct store_past p = {.deploys = rows, .n_deploys = 3};

	UNUSED(state);
	assert_null(past_deploy(&p, "web", "prod", 9));
	assert_ptr_equal(past_deploy(&p, "web", "prod", 10), &rows[1]);
	assert_ptr_equal(past_deploy(&p, "web", "prod", 49), &rows[1]);
	assert_ptr_equal(past_deploy(&p, "web", "prod", 50), &rows[0]);
	assert_ptr_equal(past_deploy(&p, "web", "dev", 49), &rows[2]);
	assert_null(past_deploy(&p, "api", "prod", 49));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_has_no_figures),
	    cmocka_unit_test(frequency_and_lead),
	    cmocka_unit_test(failures_and_restores),
	    cmocka_unit_test(places_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
