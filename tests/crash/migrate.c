/* A migration tool that is killed: what the rollout makes of what it left, and who lets it run again. */
#include "core/migration_lock.h"
#include "engine/planner.h"
#include "io/proc.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* The number of the tool's process, as the journal has it. */
static pid_t tool_of(struct small *w)
{
	const int64_t until = loop_mono_us() + 20 * US_PER_S;
	pid_t pid = 0;

	small_wait_line(w, "effects", "migrate");
	while (pid == 0) {
		struct rollout *r = small_rollout(w);

		pid = (pid_t)strtol(r->child, NULL, 10);
		free(r);
		assert_true(loop_mono_us() < until);
		poll(NULL, 0, 5);
	}
	return pid;
}

/* Starts the rollout and kills its tool in the middle; both: and then the rollout's own process. */
static pid_t begin_and_kill(struct small *w, const char *policy, bool both)
{
	pid_t pid, tool;

	small_make(w, policy, "");
	small_plan(w, 2, "r0001");
	small_put(w, "wait", "");
	pid = small_start(w, NULL);
	tool = tool_of(w);
	if (!both)
		return tool;
	kill(pid, SIGKILL);
	small_wait_end(pid, 0);
	kill(-tool, SIGKILL);
	small_drop(w, "wait");
	return 0;
}

static void assert_text(struct small *w, const char *words)
{
	struct rollout *r = small_rollout(w);

	if (strstr(r->text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", r->text, words);
	free(r);
}

/* It has left nothing, so it runs again by itself: when its own rollout sees it die, and when that dies too. */
static void runs_again(void **state)
{
	struct small w;
	pid_t tool;

	UNUSED(state);
	tool = begin_and_kill(&w, "pause", false);
	small_drop(&w, "wait");
	kill(-tool, SIGKILL);
	small_wait_state(&w, ROLLOUT_ENDED);
	assert_int_equal(small_count(&w, "effects", "migrate"), 2);
	small_end(&w);

	begin_and_kill(&w, "pause", true);
	assert_int_equal(small_run(&w), EXIT_DONE);
	assert_int_equal(small_count(&w, "effects", "migrate"), 2);
	small_end(&w);
}

/* Until the log has it so many times that nobody can tell. */
static void until_unknown(struct small *w, int times)
{
	const int64_t until = loop_mono_us() + 20 * US_PER_S;

	for (int n = 0; n < times;) {
		char path[PATH_LEN + 16], line[1024];
		FILE *f;

		snprintf(path, sizeof(path), "%s/run.log", w->dir);
		f = fopen(path, "re");
		for (n = 0; f != NULL && fgets(line, sizeof(line), f) != NULL;)
			n += strstr(line, "migrate fake: unknown") != NULL;
		if (f != NULL)
			fclose(f);
		assert_true(loop_mono_us() < until);
		poll(NULL, 0, n < times ? 5 : 0);
	}
}

/* What it did first may be there: nobody but a person lets it run again. */
static void asks_first(const char *left, const char *words)
{
	struct small w;
	pid_t pid;

	begin_and_kill(&w, "abort", true);
	small_put(&w, left, "");
	pid = small_start(&w, NULL);
	small_wait_state(&w, ROLLOUT_PAUSED);
	assert_text(&w, words);
	assert_text(&w, "towpath retry r0001");
	assert_int_equal(small_count(&w, "effects", "migrate"), 1);
	/* Going on asks again and says the same. */
	small_decide(&w, DECISION_CONTINUE);
	until_unknown(&w, 2);
	small_wait_state(&w, ROLLOUT_PAUSED);
	assert_int_equal(small_count(&w, "effects", "migrate"), 1);
	small_decide(&w, DECISION_RETRY);
	assert_int_equal(small_wait_end(pid, 0), 0);
	assert_int_equal(small_count(&w, "effects", "migrate"), 2);
	small_end(&w);
}

static void a_person_decides(void **state)
{
	UNUSED(state);
	asks_first("opaque", "fake does not run a migration as one transaction");
	asks_first("half", "the schema is not as it was before it");
}

/* The lock of the dead run stays: it fails by its policy with the remedy, and nothing is waited for. */
static void leaves_its_lock(void **state)
{
	struct small w;
	pid_t pid;

	UNUSED(state);
	begin_and_kill(&w, "abort", true);
	small_put(&w, "locked", "");
	assert_int_equal(small_run(&w), EXIT_NO);
	assert_text(&w,
	            "fake_lock is held since 2023-11-14 22:13:20 by build-7 (10.0.0.5), nobody is connected");
	assert_text(&w, "remedy: towpath migrations repair web dev");
	assert_int_equal(small_count(&w, "effects", "migrate"), 1);
	small_end(&w);

	/* One that pauses keeps its place: it names how to end it as well, and goes on when the lock is gone. */
	begin_and_kill(&w, "pause", true);
	small_put(&w, "locked", "");
	pid = small_start(&w, NULL);
	small_wait_state(&w, ROLLOUT_PAUSED);
	assert_text(&w, "towpath abort r0001, then: towpath migrations repair web dev");
	small_drop(&w, "locked");
	small_decide(&w, DECISION_RETRY);
	assert_int_equal(small_wait_end(pid, 0), 0);
	assert_int_equal(small_count(&w, "effects", "migrate"), 2);
	small_end(&w);
}

/* A dead lock before the first run: its gate is closed, and where that is off the tool is not started to hang. */
static void is_not_started(void **state)
{
	struct plan_want want = {.kind = PLAN_PROMOTE, .release = "1.2.0"};
	struct small_lines more = {.env = "", .top = "", .service = "", .gates = ", migrations: off"};
	struct small_planned p = {.done = false};
	const struct gate *gate = NULL;
	struct small w;

	UNUSED(state);
	small_make(&w, "abort", "");
	small_put(&w, "locked", "");
	planner_start(w.app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w.app), &p.done, loop_mono_us() + 20 * US_PER_S));
	assert_non_null(p.plan);
	assert_false(plan_may_run(p.plan, &gate));
	assert_int_equal(gate->kind, GATE_MIGRATIONS);
	assert_non_null(strstr(gate->evidence, "nobody is connected; fake waits for it"));
	assert_non_null(strstr(gate->next, "towpath migrations repair web dev"));
	plan_free(p.plan);
	small_end(&w);

	small_make_with(&w, "abort", "", &more);
	small_plan(&w, 2, "r0001");
	small_put(&w, "locked", "");
	assert_int_equal(small_run(&w), EXIT_NO);
	assert_text(&w, "nobody is connected");
	assert_int_equal(small_count(&w, "effects", "migrate"), 0);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(runs_again), cmocka_unit_test(a_person_decides),
	                                   cmocka_unit_test(leaves_its_lock),
	                                   cmocka_unit_test(is_not_started)};
	const int rc = small_begin(argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
