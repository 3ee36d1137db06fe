/* What rollouts leave behind: checkpoints of the audit that they write by themselves. */
#include "engine/schedule.h"
#include "engine/witness.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct small_lines witnessed = {.env = "",
                                             .gates = "",
                                             .service = "",
                                             .top =
                                                 "audit: {file: witness.jsonl, every_rows: 4, every: off}\n"};

struct seen {
	bool done;
	struct outcome o;
	struct witness *w;
};

static void on_seen(void *ctx, const struct outcome *o, struct witness *w)
{
	struct seen *s = ctx;

	*s = (struct seen){true, *o, w};
}

static struct witness *seen_by(struct small *w, const char *file)
{
	struct seen s = {.done = false};

	witness_read(w->app, &(struct witness_place){file, NULL}, on_seen, &s);
	assert_true(loop_until(app_loop(w->app), &s.done, loop_mono_us() + 30 * US_PER_S));
	assert_int_equal(s.o.kind, OUTCOME_OK);
	return s.w;
}

/* All marks hold; returns the verdict. */
static struct audit_verdict checked(struct small *w, const struct witness *seen)
{
	const struct opened *s = app_store(w->app);
	struct small_asked a;
	struct audit_verdict v, *got;

	STORE_OF(s)->audit_verify(s->priv, seen->marks, seen->n_marks, small_ask(w, &a));
	got = small_get(w, &a);
	v = *got;
	free(got);
	return v;
}

static void rollouts_are_witnessed(void **state)
{
	struct small w;
	struct witness *seen;
	struct audit_verdict v;
	char file[PATH_LEN + 32];

	UNUSED(state);
	small_make_with(&w, "pause", "", &witnessed);
	snprintf(file, sizeof(file), "%s/witness.jsonl", w.dir);
	small_plan(&w, 2, "r0001");
	assert_int_equal(small_run(&w), EXIT_DONE);
	seen = seen_by(&w, file);
	assert_true(seen->n_marks >= 2);
	assert_int_equal(seen->n_strange, 0);
	v = checked(&w, seen);
	assert_int_equal(v.fault, AUDIT_WHOLE);
	/* The last one is written when all is over. */
	assert_int_equal(v.witnessed_seq, v.n_rows);
	witness_free(seen);
	small_end(&w);
}

/* Where it cannot be written the rollout goes on, and its log says so. */
static void a_witness_that_is_away_stops_nothing(void **state)
{
	struct small w;
	struct small_lines away = witnessed;

	UNUSED(state);
	away.top = "audit: {file: nowhere/witness.jsonl, every_rows: 4}\n";
	small_make_with(&w, "pause", "", &away);
	small_plan(&w, 2, "r0001");
	assert_int_equal(small_run(&w), EXIT_DONE);
	small_done_once(&w, "witness away");
	small_end(&w);
}

/* --- promotions that begin later ------------------------------------------------------------------- */

static int wait_for_it(struct small *w, const char *fault)
{
	return small_wait_end(small_start_schedule(w, fault), 0);
}

/* The last word about the schedule of web in dev; its reason into why. */
static enum decision_kind last_word(struct small *w, char why[TEXT_LEN])
{
	struct store_snapshot *s = small_snapshot(w);
	enum decision_kind k = DECISION_KIND_COUNT;

	assert_null(schedule_of(s, "web", "dev"));
	for (int i = 0; i < s->n_decisions; i++)
		if (s->decisions[i].kind == DECISION_SCHEDULE ||
		    s->decisions[i].kind == DECISION_UNSCHEDULE) {
			k = s->decisions[i].kind;
			str_copy(why, TEXT_LEN, s->decisions[i].reason);
		}
	store_snapshot_free(s);
	return k;
}

static void it_begins_at_its_time(void **state)
{
	struct small w;
	char id[ID_LEN];

	UNUSED(state);
	small_make(&w, "pause", "");
	small_schedule(&w, 400 * US_PER_MS, id);
	assert_int_equal(wait_for_it(&w, NULL), 0);
	str_copy(w.id, sizeof(w.id), id);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "scheduled");
	small_end(&w);
}

/* Killed just before it would begin: the next one begins it, once; and one after that finds nothing to do. */
static void killed_it_begins_once(void **state)
{
	struct small w;
	char id[ID_LEN];
	int status;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_schedule(&w, 0, id);
	status = wait_for_it(&w, "schedule.before_begin=kill");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(wait_for_it(&w, NULL), 0);
	assert_int_equal(wait_for_it(&w, NULL), 0);
	str_copy(w.id, sizeof(w.id), id);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "killed");
	small_end(&w);
}

static void another_plan_is_cancelled(void **state)
{
	struct small w;
	struct release three;
	char id[ID_LEN], why[TEXT_LEN] = "";

	UNUSED(state);
	small_make(&w, "pause", "");
	small_schedule(&w, 0, id);
	small_release(&three, 3);
	small_put(&w, "wanted", three.digest);
	small_put(&w, "web-1", three.digest);
	small_put(&w, "web-2", three.digest);
	assert_int_equal(wait_for_it(&w, NULL), 0);
	assert_int_equal(last_word(&w, why), DECISION_UNSCHEDULE);
	assert_non_null(strstr(why, "could not begin at its time: "));
	assert_non_null(strstr(why, "what runs there now"));
	assert_int_equal(small_count(&w, "effects", ""), 0);
	small_end(&w);
}

static void gates_are_asked_again(void **state)
{
	struct small w;
	struct decision freeze = {.kind = DECISION_FREEZE, .env = "dev", .reason = "quarter end"};
	struct small_said said = {.done = false};
	char id[ID_LEN], why[TEXT_LEN] = "";

	UNUSED(state);
	small_make(&w, "pause", "");
	small_schedule(&w, 0, id);
	request_decide(w.app, &freeze, small_on_said, &said);
	small_hear(&w, &said);
	assert_int_equal(said.o.kind, OUTCOME_OK);
	assert_int_equal(wait_for_it(&w, NULL), 0);
	assert_int_equal(last_word(&w, why), DECISION_UNSCHEDULE);
	assert_non_null(strstr(why, "freeze: "));
	assert_int_equal(small_count(&w, "effects", ""), 0);
	small_end(&w);
}

static void taken_back_it_never_begins(void **state)
{
	struct small w;
	struct decision back = {.kind = DECISION_UNSCHEDULE, .service = "web", .env = "dev"};
	struct small_said said = {.done = false};
	char id[ID_LEN], why[TEXT_LEN] = "";
	pid_t pid;

	UNUSED(state);
	small_make(&w, "pause", "");
	small_schedule(&w, US_PER_H, id);
	pid = small_start_schedule(&w, NULL);
	request_decide(w.app, &back, small_on_said, &said);
	small_hear(&w, &said);
	assert_int_equal(said.o.kind, OUTCOME_OK);
	/* The process hears it and ends. */
	assert_int_equal(small_wait_end(pid, 0), 0);
	assert_int_equal(last_word(&w, why), DECISION_UNSCHEDULE);
	assert_int_equal(small_count(&w, "effects", ""), 0);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rollouts_are_witnessed),
	    cmocka_unit_test(a_witness_that_is_away_stops_nothing),
	    cmocka_unit_test(it_begins_at_its_time),
	    cmocka_unit_test(killed_it_begins_once),
	    cmocka_unit_test(another_plan_is_cancelled),
	    cmocka_unit_test(gates_are_asked_again),
	    cmocka_unit_test(taken_back_it_never_begins),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
