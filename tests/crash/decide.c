/* What people decide, heard by a rollout's process that lives, and by the next one when it does not. */
#include "core/standing.h"
#include "engine/planner.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* One approval of somebody else, and a smoke suite: a step that is not required. */
static const struct small_lines guarded = {
    .env = "",
    .gates = ", approvals: 1",
    .top = "smoke:\n  basics:\n    steps: [{name: one, command: [sh, -c, \"exit 0\"]}]\n",
    .service = "    smoke: basics\n",
};
static const struct small_lines red = {
    .env = "",
    .gates = "",
    .top = "smoke:\n  basics:\n    steps: [{name: one, command: [sh, -c, \"exit 1\"]}]\n",
    .service = "    smoke: basics\n",
};

static struct decision about(const struct small *w, enum decision_kind kind, const char *actor)
{
	struct decision d = {.kind = kind};

	str_copy(d.actor, sizeof(d.actor), actor);
	str_copy(d.reason, sizeof(d.reason), "because of the test");
	if (decision_rule(kind)->target == TARGET_ROLLOUT)
		str_copy(d.rollout, sizeof(d.rollout), w->id);
	return d;
}

static void write_down(struct small *w, const struct decision *d)
{
	const struct opened *s = app_store(w->app);
	struct small_asked a;

	STORE_OF(s)->decide(s->priv, d, small_ask(w, &a));
	free(small_get(w, &a));
	assert_int_equal(a.o.kind, OUTCOME_OK);
}

static void say(struct small *w, enum decision_kind kind, const char *actor)
{
	struct decision d = about(w, kind, actor);

	write_down(w, &d);
}

static void on_plan_of(struct small *w, enum decision_kind kind, const char *actor, const char *plan)
{
	struct decision d = about(w, kind, actor);

	str_copy(d.plan, sizeof(d.plan), plan);
	write_down(w, &d);
}

static struct plan *planned(struct small *w, int n)
{
	struct plan_want want = {.kind = PLAN_PROMOTE};
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

static enum gate_verdict gate_of(const struct plan *p, enum gate_kind kind)
{
	for (int i = 0; i < p->n_gates; i++)
		if (p->gates[i].kind == kind)
			return p->gates[i].verdict;
	fail_msg("no gate %s", gate_kind_name(kind));
	return GATE_UNKNOWN;
}

/* Stores the plan of release 2, has it approved by olga, and a rollout of it made. */
static void approved(struct small *w, char digest[DIGEST_LEN])
{
	const struct opened *s = app_store(w->app);
	struct plan *p = planned(w, 2);
	struct small_asked a;

	assert_int_equal(gate_of(p, GATE_APPROVAL), GATE_WAITS);
	STORE_OF(s)->plan_put(s->priv, p, app_model(w->app)->actor, small_ask(w, &a));
	small_get(w, &a);
	str_copy(digest, DIGEST_LEN, p->digest);
	plan_free(p);
	on_plan_of(w, DECISION_APPROVE, "olga", digest);
	small_plan(w, 2, "r0001");
}

static void wait_for_words(const struct small *w, const char *name, const char *words)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	while (!small_says(w, name, words)) {
		if (loop_mono_us() > until)
			fail_msg("%s never said %s", name, words);
		usleep(10000);
	}
}

static int ends_with(struct small *w, pid_t pid)
{
	int status = small_wait_end(pid, 0);

	UNUSED(w);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void ended(struct small *w, enum outcome_kind outcome, const char *text)
{
	struct rollout *r = small_rollout(w);

	if (r->state != ROLLOUT_ENDED || r->outcome != outcome || strstr(r->text, text) == NULL)
		fail_msg("%s %s: %s", rollout_state_name(r->state), outcome_name(r->outcome), r->text);
	free(r);
}

/* Withdrawn before the executor looks: it ends, and nothing was touched. */
static void withdrawn_before_it_begins(void **state)
{
	char digest[DIGEST_LEN];
	struct small w;

	UNUSED(state);
	small_make_with(&w, "pause", "", &guarded);
	approved(&w, digest);
	on_plan_of(&w, DECISION_WITHDRAW, "olga", digest);
	assert_int_equal(small_run(&w), EXIT_CANCELLED);
	ended(&w, OUTCOME_CANCELLED, "olga withdrew the approval");
	assert_int_equal(small_count(&w, "effects", ""), 0);
	small_end(&w);
}

/* Somebody else's word leaves enough: it goes on. */
static void enough_are_left(void **state)
{
	char digest[DIGEST_LEN];
	struct small w;

	UNUSED(state);
	small_make_with(&w, "pause", "", &guarded);
	approved(&w, digest);
	on_plan_of(&w, DECISION_APPROVE, "ben", digest);
	on_plan_of(&w, DECISION_WITHDRAW, "olga", digest);
	assert_int_equal(small_run(&w), EXIT_DONE);
	ended(&w, OUTCOME_OK, "runs in dev");
	small_end(&w);
}

/*
 * Withdrawn while the migration runs: it is finished, nothing else begins. Nobody can let it go on before enough
 * approve again, whatever they say.
 */
static void withdrawn_in_the_middle(void **state)
{
	char digest[DIGEST_LEN];
	struct rollout *r;
	struct small w;
	pid_t pid;

	UNUSED(state);
	small_make_with(&w, "pause", "", &guarded);
	approved(&w, digest);
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	on_plan_of(&w, DECISION_WITHDRAW, "olga", digest);
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_PAUSED);
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	say(&w, DECISION_CONTINUE, "ben");
	wait_for_words(&w, "run.log", "its approval does not stand");
	r = small_rollout(&w);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	free(r);
	on_plan_of(&w, DECISION_APPROVE, "ben", digest);
	say(&w, DECISION_CONTINUE, "ben");
	assert_int_equal(ends_with(&w, pid), EXIT_DONE);
	assert_int_equal(small_count(&w, "effects", "migrate"), 1);
	small_end(&w);
}

/* Fault table 25: withdrawn at each step; in the store's order no intent comes after the withdrawal. */
static void withdrawn_at_each_intent(void **state)
{
	UNUSED(state);
	for (int n = 1; n <= SMALL_STEPS + 1; n++) {
		char digest[DIGEST_LEN], fault[64];
		int64_t word = 0, intent = 0;
		struct audit_page *page;
		struct small_asked a;
		struct small w;
		const struct opened *s;
		pid_t pid;

		small_make_with(&w, "pause", "", &guarded);
		s = app_store(w.app);
		approved(&w, digest);
		/* Stopped right before the n-th intent: the executor has looked, the effect has not begun. */
		snprintf(fault, sizeof(fault), "run.before_intent@%d=stop", n);
		pid = small_start(&w, fault);
		assert_true(WIFSTOPPED(small_wait_end(pid, WUNTRACED)));
		on_plan_of(&w, DECISION_WITHDRAW, "olga", digest);
		kill(pid, SIGCONT);
		if (n <= 3) {
			assert_int_equal(ends_with(&w, pid), EXIT_CANCELLED);
			ended(&w, OUTCOME_CANCELLED, "olga withdrew the approval");
		} else {
			small_wait_state(&w, ROLLOUT_PAUSED);
			kill(pid, SIGTERM);
			small_wait_end(pid, 0);
		}
		STORE_OF(s)->history(s->priv, 0, 500, small_ask(&w, &a));
		page = small_get(&w, &a);
		for (int i = 0; i < page->n_rows; i++) {
			if (strcmp(page->rows[i].verb, "withdraw") == 0)
				word = page->rows[i].seq;
			if (strcmp(page->rows[i].verb, "intent") == 0)
				intent = MAX(intent, page->rows[i].seq);
		}
		if (word == 0 || intent > word)
			fail_msg("step %d: intent #%lld after withdrawal #%lld", n, (long long)intent,
			         (long long)word);
		audit_page_free(page);
		small_end(&w);
	}
}

/* The global stop holds what runs; continue is refused until somebody resumes. */
static void stopped_everywhere(void **state)
{
	struct store_snapshot *snap;
	char text[TEXT_LEN];
	struct plan *p;
	struct small w;
	pid_t pid;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	say(&w, DECISION_STOP, "olga");
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_PAUSED);
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	snap = small_snapshot(&w);
	assert_non_null(strstr(snap->rollouts[0].text, "olga stopped all rollouts"));
	store_snapshot_free(snap);
	p = planned(&w, 3);
	assert_int_equal(gate_of(p, GATE_CLAIM), GATE_CLOSED);
	plan_free(p);
	say(&w, DECISION_CONTINUE, "ben");
	wait_for_words(&w, "run.log", "all rollouts are stopped");
	say(&w, DECISION_RESUME, "olga");
	/* Resumed is not continued. */
	assert_int_equal(small_request(&w, DECISION_CONTINUE, text), OUTCOME_OK);
	assert_int_equal(ends_with(&w, pid), EXIT_DONE);
	small_done_once(&w, "stopped");
	small_end(&w);
}

/* The suite is red and the rollout pauses there: retry asks it again, skip goes on without it. */
static void retry_and_skip(void **state)
{
	char text[TEXT_LEN];
	struct rollout *r;
	struct small w;
	int at;
	pid_t pid;

	UNUSED(state);
	small_make_with(&w, "pause", "", &red);
	small_plan(&w, 2, "r0001");
	pid = small_start(&w, NULL);
	small_wait_state(&w, ROLLOUT_PAUSED);
	r = small_rollout(&w);
	at = r->at_step;
	assert_int_equal(r->steps[at].kind, STEP_SMOKE);
	assert_int_equal(r->runs[at].state, STEP_STATE_FAILED);
	assert_int_equal(r->runs[at].attempt, 1);
	free(r);
	assert_int_equal(small_request(&w, DECISION_RETRY, text), OUTCOME_OK);
	for (int64_t until = loop_mono_us() + 20 * US_PER_S;;) {
		bool again;

		r = small_rollout(&w);
		again = r->state == ROLLOUT_PAUSED && r->runs[at].attempt == 2;
		free(r);
		if (again)
			break;
		assert_true(loop_mono_us() < until);
		usleep(10000);
	}
	/* A step that is required, one that is over: refused, and said why. */
	{
		struct decision d = about(&w, DECISION_SKIP, "olga");

		d.step = at;
		write_down(&w, &d);
		wait_for_words(&w, "run.log", "that step is required");
	}
	say(&w, DECISION_SKIP, "olga");
	assert_int_equal(ends_with(&w, pid), EXIT_DONE);
	r = small_rollout(&w);
	assert_int_equal(r->runs[at].state, STEP_SKIPPED);
	assert_int_equal(r->outcome, OUTCOME_OK);
	free(r);
	assert_int_equal(small_count(&w, "effects", "migrate"), 1);
	small_end(&w);
}

/* Decided while no process lives: the next one hears all of it before its first effect. */
static void full_without_a_process(void **state)
{
	struct rollout *r;
	struct small w;

	UNUSED(state);
	small_make_with(&w, "pause", "", &red);
	small_plan(&w, 2, "r0001");
	say(&w, DECISION_FULL, "olga");
	assert_int_equal(small_run(&w), EXIT_DONE);
	r = small_rollout(&w);
	for (int i = 0; i < r->n_steps; i++)
		assert_int_equal(r->runs[i].state, r->steps[i].kind == STEP_SMOKE ? STEP_SKIPPED : STEP_DONE);
	free(r);
	small_end(&w);
}

/* Locks, pins and marks in a plan as it is judged, for their owner and for others. */
static void claims(void **state)
{
	static const struct {
		enum decision_kind kind, lifts;
		const char *actor; /* NULL: who runs this */
		bool warns, closed;
		const char *says;
	} rows[] = {
	    {DECISION_LOCK, DECISION_UNLOCK, "olga", false, true, "locked by olga"},
	    {DECISION_LOCK, DECISION_UNLOCK, "olga", true, false, "olga asks to wait"},
	    {DECISION_LOCK, DECISION_UNLOCK, NULL, false, false, "nobody"},
	    {DECISION_PIN, DECISION_UNPIN, "olga", false, true, "pinned to"},
	    {DECISION_MARK_BAD, DECISION_UNMARK, "olga", false, true, "marked bad in dev by olga"},
	    {DECISION_STOP, DECISION_RESUME, "olga", false, true, "stopped by olga"},
	};
	struct small w;

	UNUSED(state);
	small_make(&w, "pause", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *me = app_model(w.app)->actor;
		struct decision d = about(&w, rows[i].kind, rows[i].actor != NULL ? rows[i].actor : me);
		enum decision_target target = decision_rule(rows[i].kind)->target;
		struct release r;
		struct plan *p;

		small_release(&r, rows[i].kind == DECISION_PIN ? 1 : 2);
		if (target != TARGET_EVERYWHERE) {
			str_copy(d.env, sizeof(d.env), "dev");
			str_copy(d.service, sizeof(d.service), "web");
		}
		str_copy(d.release, sizeof(d.release),
		         target == TARGET_RELEASE || rows[i].kind == DECISION_PIN ? r.digest : "");
		d.warn_only = rows[i].warns;
		write_down(&w, &d);
		p = planned(&w, 2);
		for (int k = 0; k < p->n_gates; k++)
			if (p->gates[k].kind == GATE_CLAIM &&
			    strstr(p->gates[k].evidence, rows[i].says) == NULL)
				fail_msg("%s: %s", decision_kind_name(d.kind), p->gates[k].evidence);
		assert_int_equal(gate_of(p, GATE_CLAIM), rows[i].closed ? GATE_CLOSED : GATE_OPEN);
		plan_free(p);
		d.kind = rows[i].lifts;
		write_down(&w, &d);
		p = planned(&w, 2);
		assert_int_equal(gate_of(p, GATE_CLAIM), GATE_OPEN);
		plan_free(p);
	}
	small_end(&w);
}

/* The clock moved: a lock that ends is over then, and the plan of now still waits for it. */
static void what_if(void **state)
{
	struct plan_want want = {.kind = PLAN_PROMOTE, .release = "1.2.0"};
	struct small w;

	UNUSED(state);
	small_make(&w, "pause", "");
	{
		struct decision d = about(&w, DECISION_LOCK, "olga");

		str_copy(d.env, sizeof(d.env), "dev");
		d.until_us = loop_wall_us() + US_PER_H;
		write_down(&w, &d);
	}
	for (int later = 0; later < 2; later++) {
		struct small_planned p = {.done = false};

		want.at_us = later ? loop_wall_us() + 2 * US_PER_H : 0;
		planner_start(w.app, &want, small_on_plan, &p);
		assert_true(loop_until(app_loop(w.app), &p.done, loop_mono_us() + 20 * US_PER_S));
		assert_non_null(p.plan);
		assert_int_equal(gate_of(p.plan, GATE_CLAIM), later ? GATE_OPEN : GATE_CLOSED);
		plan_free(p.plan);
	}
	small_end(&w);
}

/* Broken glass: two people and an end, approvals give way, the rollout remembers it, and the audit says so. */
static void broken_glass(void **state)
{
	struct decision d;
	struct store_snapshot *snap;
	const struct decision *second;
	const struct opened *s;
	struct audit_page *page;
	struct small_asked a;
	struct plan *p;
	struct small w;
	bool said = false;
	pid_t pid;

	UNUSED(state);
	small_make_with(&w, "pause", "", &guarded);
	s = app_store(w.app);
	d = about(&w, DECISION_BREAK_GLASS, "olga");
	str_copy(d.env, sizeof(d.env), "dev");
	d.until_us = loop_wall_us() + US_PER_H;
	write_down(&w, &d);
	p = planned(&w, 2);
	assert_int_equal(gate_of(p, GATE_APPROVAL), GATE_WAITS);
	assert_int_equal(plan_tier(p), TIER_T1);
	plan_free(p);
	snap = small_snapshot(&w);
	d = about(&w, DECISION_SECOND, "ben");
	d.about_seq = glass_standing((struct decisions){snap->decisions, snap->n_decisions}, "web", "dev",
	                             US_PER_H, snap->now_us, &second)
	                  ->seq;
	store_snapshot_free(snap);
	str_copy(d.env, sizeof(d.env), "dev");
	write_down(&w, &d);
	p = planned(&w, 2);
	assert_int_equal(gate_of(p, GATE_APPROVAL), GATE_EXEMPT);
	assert_int_equal(plan_tier(p), TIER_T4);
	plan_free(p);
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	/* Sealed again meanwhile: what was begun under it may go on after a hold. */
	d = about(&w, DECISION_SEAL, "ben");
	str_copy(d.env, sizeof(d.env), "dev");
	write_down(&w, &d);
	say(&w, DECISION_HOLD, "ben");
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_PAUSED);
	say(&w, DECISION_CONTINUE, "ben");
	assert_int_equal(ends_with(&w, pid), EXIT_DONE);
	STORE_OF(s)->history(s->priv, 0, 500, small_ask(&w, &a));
	page = small_get(&w, &a);
	for (int i = 0; i < page->n_rows; i++)
		said = said || (strcmp(page->rows[i].verb, "result") == 0 &&
		                strstr(page->rows[i].text, "the glass is broken by olga and ben") != NULL);
	assert_true(said);
	audit_page_free(page);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(withdrawn_before_it_begins),
	    cmocka_unit_test(enough_are_left),
	    cmocka_unit_test(withdrawn_in_the_middle),
	    cmocka_unit_test(withdrawn_at_each_intent),
	    cmocka_unit_test(stopped_everywhere),
	    cmocka_unit_test(retry_and_skip),
	    cmocka_unit_test(full_without_a_process),
	    cmocka_unit_test(claims),
	    cmocka_unit_test(what_if),
	    cmocka_unit_test(broken_glass),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
