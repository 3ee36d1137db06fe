/* The gate of the migration lint from a plan to the rollout's own process: it blocks, an override lets it pass. */
#include "engine/planner.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <stdio.h>
#include <sys/wait.h>

static const char drop[] = "SELECT 1;\nALTER TABLE cart DROP COLUMN zone;\n";

static const struct gate *gate_of(const struct plan *p)
{
	for (int i = 0; i < p->n_gates; i++)
		if (p->gates[i].kind == GATE_LINT)
			return &p->gates[i];
	fail_msg("the plan has no such gate");
	abort();
}

static struct plan *planned(struct small *w)
{
	struct plan_want want = {.kind = PLAN_PROMOTE};
	struct small_planned p = {.done = false};
	struct release to;

	small_release(&to, 2);
	want.release = to.digest;
	planner_start(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	if (p.plan == NULL)
		fail_msg("no plan: %s", p.o.text);
	return p.plan;
}

static void make(struct small *w, const char *gates, const char *top, const char *service, const char *env)
{
	const struct small_lines lines = {.env = env, .top = top, .service = service, .gates = gates};

	small_make_with(w, "abort", "", &lines);
	small_put(w, "migration.sql", drop);
}

/* A plan under these lines: its gate's verdict, and what it says. */
/* The world has no database whose tables could be measured. */
static bool says_sizes(const struct plan *p)
{
	for (int i = 0; i < p->n_risks; i++)
		if (strstr(p->risks[i].text, "table sizes not known") != NULL &&
		    strstr(p->risks[i].text, "no database") != NULL)
			return true;
	return false;
}

static void expect(const char *gates, const char *top, const char *env, enum gate_verdict verdict,
                   const char *says)
{
	const struct gate *g;
	struct plan *p;
	struct small w;

	make(&w, gates, top, "", env);
	p = planned(&w);
	g = gate_of(p);
	if (g->verdict != verdict || strstr(g->evidence, says) == NULL)
		fail_msg("%s%s%s: %s: %s", gates, top, env, gate_verdict_name(g->verdict), g->evidence);
	assert_true(says_sizes(p));
	plan_free(p);
	small_end(&w);
}

static void blocks_by_severity(void **state)
{
	UNUSED(state);
	expect("", "", "", GATE_CLOSED,
	       "B1 drops column cart.zone with its data: code that still names it fails, and ORMs "
	       "name every column (0001_first:2)");
	expect(", migration_lint: off", "", "", GATE_OPEN, "off for dev");
	expect("", "lint: {B1: warning}\n", "", GATE_OPEN, "none blocks");
	expect(", migration_lint: warning", "lint: {B1: warning}\n", "", GATE_CLOSED, "B1 ");
	/* A rule counts more than its class, the environment more than the file. */
	expect("", "lint: {drop-column: info, B: error}\n", "", GATE_OPEN, "none blocks");
	expect("", "lint: {drop-column: info}\n", "    lint: {B: error}\n", GATE_CLOSED, "B1 ");
	expect("", "", "    lint: {B: off}\n", GATE_OPEN, "none blocks");
}

static void the_service_has_a_word(void **state)
{
	struct plan *p;
	struct small w;

	UNUSED(state);
	/* With lines of the service small worlds have their smoke gate on. */
	make(&w, "", "smoke: {basics: {steps: [{name: one, command: [\"true\"]}]}}\n",
	     "    smoke: basics\n    lint: {B1: info}\n", "");
	p = planned(&w);
	assert_int_equal(gate_of(p)->verdict, GATE_OPEN);
	plan_free(p);
	small_end(&w);
}

/* The way past it: an override, and the whole rollout. */
static void an_override_lets_it_pass(void **state)
{
	const struct gate *g = NULL;
	struct plan *p;
	struct small w;

	UNUSED(state);
	make(&w, "", "", "", "");
	p = planned(&w);
	assert_false(plan_may_run(p, &g));
	assert_int_equal(g->kind, GATE_LINT);
	assert_non_null(strstr(g->next, "release code that does not use it"));
	assert_non_null(strstr(g->next, "lint: {B1: .."));
	plan_free(p);
	small_end(&w);

	make(&w, "", "lint: {B1: warning}\n", "", "");
	small_plan(&w, 2, "passes");
	assert_true(WIFEXITED(small_run(&w)));
	small_done_once(&w, "with an override");
	small_end(&w);
}

/* The rollout's process judges anew: what became dangerous meanwhile, or a stricter config, stops it before it acts. */
static void judged_again_before_it_runs(void **state)
{
	struct rollout *r;
	struct small w;

	UNUSED(state);
	make(&w, "", "", "", "");
	small_put(&w, "migration.sql", "SELECT 1;\n");
	small_plan(&w, 2, "sours");
	small_put(&w, "migration.sql", drop);
	small_run(&w);
	assert_int_equal(small_count(&w, "effects", "migrate"), 0);
	r = small_rollout(&w);
	assert_non_null(strstr(r->text, "migration-lint"));
	free(r);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_by_severity),
	    cmocka_unit_test(the_service_has_a_word),
	    cmocka_unit_test(an_override_lets_it_pass),
	    cmocka_unit_test(judged_again_before_it_runs),
	};
	const int code = small_begin(argc, argv);

	return code >= 0 ? code : cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
