/* Policies of an environment, judged by the rollout's process with its own config at the time when it runs. */
#include "core/roles.h"
#include "core/standing.h"
#include "engine/planner.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <stdio.h>
#include <sys/wait.h>

static void write_down(struct small *w, const struct decision *d)
{
	const struct opened *s = app_store(w->app);
	struct small_asked a;

	STORE_OF(s)->decide(s->priv, d, small_ask(w, &a));
	free(small_get(w, &a));
	assert_int_equal(a.o.kind, OUTCOME_OK);
}

static struct decision about(enum decision_kind kind, const char *actor)
{
	struct decision d = {.kind = kind};

	str_copy(d.actor, sizeof(d.actor), actor);
	str_copy(d.env, sizeof(d.env), "dev");
	str_copy(d.reason, sizeof(d.reason), "because of the test");
	return d;
}

static struct plan *planned(struct small *w, enum plan_kind kind, int n, int64_t at_us)
{
	struct plan_want want = {.kind = kind, .at_us = at_us};
	struct small_planned p = {.done = false};
	struct release to;

	small_release(&to, n);
	want.release = to.digest;
	planner_start(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	if (p.plan == NULL)
		fail_msg("no plan: %s", p.o.text);
	return p.plan;
}

static const struct gate *gate_of(const struct plan *p, enum gate_kind kind)
{
	for (int i = 0; i < p->n_gates; i++)
		if (p->gates[i].kind == kind)
			return &p->gates[i];
	fail_msg("no gate %s", gate_kind_name(kind));
	return NULL;
}

static void store_plan(struct small *w, struct plan *p)
{
	const struct opened *s = app_store(w->app);
	struct small_asked a;

	STORE_OF(s)->plan_put(s->priv, p, app_model(w->app)->actor, small_ask(w, &a));
	small_get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
}

static void approve(struct small *w, const struct plan *p, const char *actor, int64_t until_us)
{
	struct decision d = about(DECISION_APPROVE, actor);

	str_copy(d.plan, sizeof(d.plan), p->digest);
	d.until_us = until_us;
	write_down(w, &d);
}

/* As small_plan() does, for a client that asks nobody whether it may. */
static void forced(struct small *w, const struct plan *p)
{
	const struct opened *s = app_store(w->app);
	struct rollout *r = calloc(1, sizeof(*r));
	struct small_asked a;

	assert_non_null(r);
	str_copy(w->id, sizeof(w->id), "r0001");
	rollout_init(r, w->id, p, app_model(w->app)->actor, loop_wall_us());
	STORE_OF(s)->rollout_create(s->priv, r, app_model(w->app)->actor, small_ask(w, &a));
	small_get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	free(r);
}

static void wait_for_text(struct small *w, const char *words)
{
	int64_t deadline = loop_mono_us() + 20 * US_PER_S;
	bool found = false, never = false;

	while (!found) {
		struct rollout *r = small_rollout(w);

		found = strstr(r->text, words) != NULL;
		if (!found && loop_mono_us() > deadline)
			fail_msg("\"%s\" never said %s", r->text, words);
		free(r);
		loop_until(app_loop(w->app), &never, loop_mono_us() + 20 * US_PER_MS);
	}
}

static void rollout_says(struct small *w, enum rollout_state state, const char *text)
{
	struct rollout *r = small_rollout(w);
	bool found = strstr(r->text, text) != NULL;

	for (int i = 0; i < r->n_steps; i++)
		found = found || strstr(r->runs[i].text, text) != NULL;
	assert_int_equal(r->state, state);
	if (!found)
		fail_msg("\"%s\" does not say %s", r->text, text);
	free(r);
}

/* A client that does not ask whether it may has written all of it: the process does not run it. */
static void roles_at_run_time(void **state)
{
	static const struct small_lines lines = {
	    .env = "    roles: {operator: [carl], approver: [\"@leads\"]}\n",
	    .gates = ", approvals: 1",
	    .top = "groups: {leads: [olga]}\n",
	    .service = "",
	};
	char text[TEXT_LEN];
	struct decision d;
	struct small w;
	struct plan *p;

	UNUSED(state);
	small_make_with(&w, "pause", "", &lines);
	p = planned(&w, PLAN_PROMOTE, 2, 0);
	assert_int_equal(gate_of(p, GATE_CLAIM)->verdict, GATE_CLOSED);
	assert_non_null(strstr(gate_of(p, GATE_CLAIM)->evidence, "may not start rollouts in dev"));
	assert_non_null(strstr(gate_of(p, GATE_CLAIM)->evidence, "operators carl"));
	store_plan(&w, p);
	approve(&w, p, "olga", 0);
	forced(&w, p);
	assert_int_equal(small_run(&w), EXIT_NO);
	rollout_says(&w, ROLLOUT_ENDED, "may not start rollouts in dev");
	assert_int_equal(small_count(&w, "effects", "migrate") + small_count(&w, "effects", "apply"), 0);
	/* Nor does it hear who may not say so; nor is a freeze lifted by them. */
	d = about(DECISION_FREEZE, "carl");
	write_down(&w, &d);
	d = about(DECISION_UNFREEZE, "olga");
	write_down(&w, &d);
	plan_free(p);
	p = planned(&w, PLAN_PROMOTE, 2, 0);
	assert_int_equal(gate_of(p, GATE_FREEZE)->verdict, GATE_CLOSED);
	assert_int_not_equal(small_request(&w, DECISION_CONTINUE, text), OUTCOME_OK);
	assert_non_null(strstr(text, "may not continue in dev"));
	plan_free(p);
	small_end(&w);
}

/* What ends by itself ends in a rollout under way too: nothing new begins, and it goes on with a new approval. */
static void lapses_under_way(void **state)
{
	static const struct small_lines lines = {
	    .env = "", .gates = ", approvals: 1", .top = "", .service = ""};
	struct decision d;
	struct small w;
	struct plan *p;
	int64_t until;
	bool never = false;
	int status;
	pid_t pid;

	UNUSED(state);
	small_make_with(&w, "pause", "", &lines);
	p = planned(&w, PLAN_PROMOTE, 2, 0);
	store_plan(&w, p);
	until = loop_wall_us() + 3 * US_PER_S;
	approve(&w, p, "olga", until);
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	while (loop_wall_us() <= until)
		loop_until(app_loop(w.app), &never, loop_mono_us() + 20 * US_PER_MS);
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_PAUSED);
	rollout_says(&w, ROLLOUT_PAUSED, "olga's has lapsed");
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	d = about(DECISION_CONTINUE, "olga");
	str_copy(d.rollout, sizeof(d.rollout), w.id);
	write_down(&w, &d);
	wait_for_text(&w, "refused, its approval does not stand any more: olga's has lapsed");
	approve(&w, p, "olga", 0);
	write_down(&w, &d);
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE);
	small_done_once(&w, "after a second approval");
	plan_free(p);
	small_end(&w);
}

/* A lock claims a place for one's own work; going back is let through, unless the config says that it is not. */
static void locks_and_rollbacks(void **state)
{
	static const struct small_lines strict = {
	    .env = "    strict_locks: on\n", .gates = "", .top = "", .service = ""};
	static const struct small_lines usual = {.env = "", .gates = "", .top = "", .service = ""};

	UNUSED(state);
	for (int i = 0; i < 2; i++) {
		struct decision d = about(DECISION_LOCK, "olga");
		struct small w;
		struct plan *p;

		small_make_with(&w, "pause", "", i == 0 ? &usual : &strict);
		write_down(&w, &d);
		p = planned(&w, PLAN_ROLLBACK, 2, 0);
		assert_int_equal(gate_of(p, GATE_CLAIM)->verdict, i == 0 ? GATE_EXEMPT : GATE_CLOSED);
		assert_non_null(strstr(gate_of(p, GATE_CLAIM)->evidence, "locked by olga"));
		plan_free(p);
		p = planned(&w, PLAN_PROMOTE, 2, 0);
		assert_int_equal(gate_of(p, GATE_CLAIM)->verdict, GATE_CLOSED);
		plan_free(p);
		/* What stops everything stops rollbacks too. */
		d = about(DECISION_STOP, "olga");
		d.env[0] = '\0';
		write_down(&w, &d);
		p = planned(&w, PLAN_ROLLBACK, 2, 0);
		assert_int_equal(gate_of(p, GATE_CLAIM)->verdict, GATE_CLOSED);
		plan_free(p);
		small_end(&w);
	}
}

/* However long somebody wrote that the glass shall be broken, it holds for glass_max and no longer. */
static void glass_is_limited(void **state)
{
	static const struct small_lines lines = {
	    .env = "    glass_max: 20m\n", .gates = ", approvals: 1", .top = "", .service = ""};
	static const struct small_lines none = {
	    .env = "    glass_max: off\n", .gates = ", approvals: 1", .top = "", .service = ""};

	UNUSED(state);
	for (int i = 0; i < 2; i++) {
		struct decision d = about(DECISION_BREAK_GLASS, "olga");
		struct store_snapshot *snap;
		struct small w;
		struct plan *p;

		small_make_with(&w, "pause", "", i == 0 ? &lines : &none);
		d.until_us = loop_wall_us() + 10 * US_PER_H;
		write_down(&w, &d);
		snap = small_snapshot(&w);
		d = about(DECISION_SECOND, "ben");
		for (int k = 0; k < snap->n_decisions; k++)
			if (snap->decisions[k].kind == DECISION_BREAK_GLASS)
				d.about_seq = snap->decisions[k].seq;
		store_snapshot_free(snap);
		write_down(&w, &d);
		p = planned(&w, PLAN_PROMOTE, 2, 0);
		assert_int_equal(gate_of(p, GATE_APPROVAL)->verdict, i == 0 ? GATE_EXEMPT : GATE_WAITS);
		plan_free(p);
		p = planned(&w, PLAN_PROMOTE, 2, loop_wall_us() + 21 * US_PER_MIN);
		assert_int_equal(gate_of(p, GATE_APPROVAL)->verdict, GATE_WAITS);
		plan_free(p);
		small_end(&w);
	}
}

/* The same plan again after its rollout has ended: the old approval counts, or does not where it serves one alone. */
static void one_rollout_each(void **state)
{
	static const struct small_lines lines[] = {
	    {.env = "", .gates = ", approvals: 1", .top = "", .service = ""},
	    {.env = "", .gates = ", approvals: 1, approval_once: on", .top = "", .service = ""},
	};

	UNUSED(state);
	for (int i = 0; i < 2; i++) {
		struct decision d;
		struct small w;
		struct plan *p;

		small_make_with(&w, "pause", "", &lines[i]);
		p = planned(&w, PLAN_PROMOTE, 2, 0);
		store_plan(&w, p);
		approve(&w, p, "olga", 0);
		small_plan(&w, 2, "r0001");
		d = about(DECISION_ABORT, "olga");
		str_copy(d.rollout, sizeof(d.rollout), w.id);
		write_down(&w, &d);
		small_run(&w);
		plan_free(p);
		p = planned(&w, PLAN_PROMOTE, 2, 0);
		assert_int_equal(gate_of(p, GATE_APPROVAL)->verdict, i == 0 ? GATE_OPEN : GATE_WAITS);
		if (i == 1)
			assert_non_null(
			    strstr(gate_of(p, GATE_APPROVAL)->evidence, "served an earlier rollout"));
		plan_free(p);
		small_end(&w);
	}
}

/* No forge says who wrote the release: the gate is shut and says what is missing. */
static void nobody_knows_whose(void **state)
{
	static const struct small_lines lines = {
	    .env = "", .gates = ", approvals: 1, approval_not_own: on", .top = "", .service = ""};
	struct small w;
	struct plan *p;

	UNUSED(state);
	small_make_with(&w, "pause", "", &lines);
	p = planned(&w, PLAN_PROMOTE, 2, 0);
	store_plan(&w, p);
	approve(&w, p, "olga", 0);
	plan_free(p);
	p = planned(&w, PLAN_PROMOTE, 2, 0);
	assert_int_equal(gate_of(p, GATE_APPROVAL)->verdict, GATE_UNKNOWN);
	assert_non_null(strstr(gate_of(p, GATE_APPROVAL)->evidence, "who wrote its commits is not known"));
	plan_free(p);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roles_at_run_time),   cmocka_unit_test(lapses_under_way),
	    cmocka_unit_test(locks_and_rollbacks), cmocka_unit_test(glass_is_limited),
	    cmocka_unit_test(one_rollout_each),    cmocka_unit_test(nobody_knows_whose),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
