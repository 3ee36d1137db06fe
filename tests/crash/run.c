/* The rollout's process, killed and stopped at every point of its journal. */
#include "engine/planner.h"
#include "io/proc.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- tests ------------------------------------------------------------------------------------ */

static void plain(void **state)
{
	struct small w;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	assert_int_equal(small_run(&w), EXIT_DONE);
	small_done_once(&w, "plain");
	/* Ended is ended: the same call again does nothing. */
	assert_int_equal(small_run(&w), EXIT_DONE);
	small_done_once(&w, "again");
	small_end(&w);
}

static void killed_at(const char *point)
{
	for (int nth = 1; nth <= SMALL_STEPS; nth++) {
		struct small w;
		char fault[64];
		int status, tries = 0, rc;

		snprintf(fault, sizeof(fault), "%s@%d=kill", point, nth);
		small_make(&w, "pause", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms");
		small_plan(&w, 2, "r0001");
		status = small_wait_end(small_start(&w, fault), 0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			fail_msg("%s: the point was not reached", fault);
		/* The holder is provably dead: the next one goes on at once. */
		while ((rc = small_run(&w)) == EXIT_CONFLICT && tries++ < 3)
			;
		if (rc != EXIT_DONE)
			fail_msg("%s: resumed run ended with %d", fault, rc);
		assert_int_equal(tries, 0);
		small_done_once(&w, fault);
		small_end(&w);
	}
}

static void killed_before_intent(void **state)
{
	UNUSED(state);
	killed_at("run.before_intent");
}
static void killed_after_intent(void **state)
{
	UNUSED(state);
	killed_at("run.after_intent");
}
static void killed_after_effect(void **state)
{
	UNUSED(state);
	killed_at("run.after_effect");
}
static void killed_before_result(void **state)
{
	UNUSED(state);
	killed_at("run.before_result");
}
static void killed_after_result(void **state)
{
	UNUSED(state);
	killed_at("run.after_result");
}

/* Killed while the migration runs: its child goes on, the next process waits for it and does not run it again. */
static void child_outlives(void **state)
{
	struct small w;
	struct rollout *r;
	pid_t pid;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	/* Its number is in the journal soon after it began. */
	for (;;) {
		bool known;

		r = small_rollout(&w);
		known = r->child[0] != '\0';
		free(r);
		if (known)
			break;
		poll(NULL, 0, 5);
	}
	kill(pid, SIGKILL);
	small_wait_end(pid, 0);
	pid = small_start(&w, NULL);
	small_wait_line(&w, "run.log", "20");
	small_drop(&w, "wait");
	assert_int_equal(small_wait_end(pid, 0), 0);
	small_done_once(&w, "child");
	small_end(&w);
}

/* Two processes of one rollout: the second leaves at once. */
static void two_processes(void **state)
{
	struct small w;
	pid_t pid;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	assert_int_equal(small_run(&w), EXIT_CONFLICT);
	small_drop(&w, "wait");
	assert_int_equal(small_wait_end(pid, 0), 0);
	small_done_once(&w, "two");
	small_end(&w);
}

/* A holder that sleeps past its lease: another goes on, the sleeper wakes and may not write or act. */
static void stopped_at(const char *fault)
{
	struct small w;
	struct rollout *r;
	int64_t until = loop_mono_us() + 20 * US_PER_S, lease_ends;
	bool locked;
	pid_t pid;
	int status, rc;

	small_make(&w, "pause", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms");
	small_plan(&w, 2, "r0001");
	pid = small_start(&w, fault);
	status = small_wait_end(pid, WUNTRACED);
	assert_true(WIFSTOPPED(status));
	/*
	 * Alive and in its lease: nobody else may. Once it has run out, anybody. A holder that was stopped in the
	 * middle of a renewal keeps SQLite's lock with it: then nobody can, and is told so.
	 */
	r = small_rollout(&w);
	lease_ends = r->lease_until_us;
	free(r);
	do {
		rc = small_run(&w);
		locked = rc == EXIT_NOT_FOUND_OUT && small_says(&w, "run.log", "keeps the store locked");
		assert_true(rc == EXIT_CONFLICT || locked ||
		            (rc == EXIT_DONE && loop_wall_us() >= lease_ends));
		poll(NULL, 0, 20);
	} while (rc == EXIT_CONFLICT && loop_mono_us() < until);
	kill(pid, SIGCONT);
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), locked ? EXIT_DONE : EXIT_CONFLICT);
	small_done_once(&w, fault);
	small_end(&w);
}

static void stopped_holders(void **state)
{
	UNUSED(state);
	stopped_at("run.before_intent@4=stop");
	stopped_at("run.after_intent@5=stop");
	stopped_at("run.after_effect@5=stop");
	stopped_at("run.before_result@6=stop");
}

static void bad_build_rolls_back(void **state)
{
	struct small w;
	struct rollout *r;
	struct release one, two;

	UNUSED(state);
	small_release(&one, 1);
	small_release(&two, 2);
	small_make(&w, "rollback", "");
	small_put(&w, "bad", two.digest);
	small_plan(&w, 2, "r0001");
	assert_int_equal(small_run(&w), EXIT_NO);
	r = small_rollout(&w);
	assert_int_equal(r->state, ROLLOUT_ENDED);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	assert_true(r->rolled_back);
	free(r);
	assert_int_equal(small_count(&w, "web-1", one.digest), 1);
	assert_int_equal(small_count(&w, "web-2", one.digest), 1);
	small_end(&w);
}

/* Killed in the middle of putting back: the next process finishes it. */
static void killed_in_revert(void **state)
{
	static const char *const faults[] = {"run.before_revert=kill", "run.after_revert=kill"};
	struct release one, two;

	UNUSED(state);
	small_release(&one, 1);
	small_release(&two, 2);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct rollout *r;
		struct small w;
		int status;

		small_make(&w, "rollback", "");
		small_put(&w, "bad", two.digest);
		small_plan(&w, 2, "r0001");
		status = small_wait_end(small_start(&w, faults[i]), 0);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(small_run(&w), EXIT_NO);
		r = small_rollout(&w);
		assert_true(r->rolled_back);
		free(r);
		assert_int_equal(small_count(&w, "web-1", one.digest), 1);
		assert_int_equal(small_count(&w, "effects", "apply web-1"), 2);
		small_end(&w);
	}
}

static void migration_that_fails(void **state)
{
	struct small w;
	struct rollout *r;

	UNUSED(state);
	small_make(&w, "rollback", "");
	small_put(&w, "refuse", "");
	small_plan(&w, 2, "r0001");
	assert_int_equal(small_run(&w), EXIT_NO);
	r = small_rollout(&w);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	assert_non_null(strstr(r->text, "no such column"));
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	free(r);
	small_end(&w);
}

static void held_and_continued(void **state)
{
	struct small w;
	pid_t pid;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	small_decide(&w, DECISION_HOLD);
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_PAUSED);
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	/* Killed while it is held: held it stays. */
	kill(pid, SIGKILL);
	small_wait_end(pid, 0);
	pid = small_start(&w, NULL);
	small_wait_line(&w, "run.log", "20");
	small_wait_state(&w, ROLLOUT_PAUSED);
	small_decide(&w, DECISION_CONTINUE);
	assert_int_equal(small_wait_end(pid, 0), 0);
	small_done_once(&w, "held");
	small_end(&w);
}

static void aborted(void **state)
{
	struct small w;
	struct rollout *r;
	int status;
	pid_t pid;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	small_decide(&w, DECISION_ABORT);
	small_drop(&w, "wait");
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_CANCELLED);
	r = small_rollout(&w);
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	free(r);
	small_end(&w);
}

/* The intent changes between plan and run: preflight refuses, nothing is touched. */
static void plan_changed(void **state)
{
	struct small w;
	struct rollout *r;
	struct release three;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_release(&three, 3);
	small_put(&w, "wanted", three.digest);
	small_put(&w, "web-1", three.digest);
	small_put(&w, "web-2", three.digest);
	assert_int_equal(small_run(&w), EXIT_NO);
	r = small_rollout(&w);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	assert_non_null(strstr(r->text, "what runs there now"));
	assert_int_equal(small_count(&w, "effects", ""), 0);
	free(r);
	small_end(&w);
}

/* SIGTERM: leaves after the present effect, lets the lease go, another goes on. */
static void terminated(void **state)
{
	struct small w;
	pid_t pid;
	int status;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	kill(pid, SIGTERM);
	small_drop(&w, "wait");
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_CANCELLED);
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	assert_int_equal(small_run(&w), EXIT_DONE);
	small_done_once(&w, "terminated");
	small_end(&w);
}

/* --- what people ask for --------------------------------------------------------------------------- */

/* The whole way: plan, store, a process of its own that nobody waits for, and the second wish refused meanwhile. */
static void asked_for(void **state)
{
	struct plan_want want = {.kind = PLAN_PROMOTE, .release = "1.2.0"};
	struct small_planned p = {.done = false};
	struct small_said s = {.done = false}, again = {.done = false};
	char text[TEXT_LEN];
	struct small w;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_put(&w, "wait", "");
	planner_start(w.app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w.app), &p.done, loop_mono_us() + 20 * US_PER_S));
	assert_non_null(p.plan);
	request_execute(w.app, p.plan, "because", small_on_said, &s);
	small_hear(&w, &s);
	assert_int_equal(s.o.kind, OUTCOME_OK);
	str_copy(w.id, sizeof(w.id), s.id);
	request_execute(w.app, p.plan, "me too", small_on_said, &again);
	small_hear(&w, &again);
	assert_int_equal(again.o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(again.o.text, "is running"));
	small_wait_line(&w, "effects", "migrate");
	/* What does not fit the state is refused with its reason. */
	assert_int_equal(small_request(&w, DECISION_CONTINUE, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "not held"));
	assert_int_equal(small_request(&w, DECISION_TAKE_OVER, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "alive"));
	assert_int_equal(small_request(&w, DECISION_HOLD, text), OUTCOME_OK);
	assert_non_null(strstr(text, "after the present step"));
	assert_int_equal(small_request(&w, DECISION_CONTINUE, text), OUTCOME_OK);
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "asked for");
	assert_int_equal(small_request(&w, DECISION_ABORT, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "ended"));
	plan_free(p.plan);
	small_end(&w);
}

/* A console that sees a rollout whose process is provably dead starts another; a wish of a person does so too. */
static void orphans_go_on(void **state)
{
	struct store_snapshot *s;
	char text[TEXT_LEN];
	struct rollout *r;
	struct small w;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_wait_end(small_start(&w, "run.after_effect@5=kill"), 0);
	s = small_snapshot(&w);
	assert_true(s->rollouts[0].orphaned && s->rollouts[0].holder_dead);
	request_adopt(w.app, s);
	store_snapshot_free(s);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "adopted");
	small_end(&w);

	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_wait_end(small_start(&w, "run.after_intent@4=kill"), 0);
	assert_int_equal(small_request(&w, DECISION_ABORT, text), OUTCOME_OK);
	small_wait_state(&w, ROLLOUT_ENDED);
	r = small_rollout(&w);
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	free(r);
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	small_end(&w);
}

/* One that dies again and again is not started for ever. */
static void adoption_is_bounded(void **state)
{
	struct store_snapshot *s;
	struct small w;
	int starts = 0;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_wait_end(small_start(&w, "run.before_intent@1=kill"), 0);
	setenv("TOWPATH_FAULT", "run.before_intent@1=kill", 1);
	for (int i = 0; i < 6; i++) {
		int64_t until = loop_mono_us() + 10 * US_PER_S, epoch;

		s = small_snapshot(&w);
		epoch = s->rollouts[0].epoch;
		assert_true(s->rollouts[0].holder_dead);
		request_adopt(w.app, s);
		store_snapshot_free(s);
		if (i >= 3)
			continue;
		for (bool grown = false; !grown; starts += grown) {
			assert_true(loop_mono_us() < until);
			s = small_snapshot(&w);
			grown = s->rollouts[0].epoch > epoch && s->rollouts[0].holder_dead;
			store_snapshot_free(s);
		}
	}
	unsetenv("TOWPATH_FAULT");
	assert_int_equal(starts, 3);
	s = small_snapshot(&w);
	assert_int_equal(s->rollouts[0].epoch, 4);
	store_snapshot_free(s);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain),
	    cmocka_unit_test(killed_before_intent),
	    cmocka_unit_test(killed_after_intent),
	    cmocka_unit_test(killed_after_effect),
	    cmocka_unit_test(killed_before_result),
	    cmocka_unit_test(killed_after_result),
	    cmocka_unit_test(child_outlives),
	    cmocka_unit_test(two_processes),
	    cmocka_unit_test(stopped_holders),
	    cmocka_unit_test(bad_build_rolls_back),
	    cmocka_unit_test(killed_in_revert),
	    cmocka_unit_test(migration_that_fails),
	    cmocka_unit_test(held_and_continued),
	    cmocka_unit_test(aborted),
	    cmocka_unit_test(plan_changed),
	    cmocka_unit_test(terminated),
	    cmocka_unit_test(asked_for),
	    cmocka_unit_test(orphans_go_on),
	    cmocka_unit_test(adoption_is_bounded),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
