/* What rollouts leave behind: checkpoints of the audit that they write by themselves. */
#include "engine/witness.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <stdio.h>
#include <unistd.h>

static const struct small_lines witnessed = {
    .env = "", .gates = "", .service = "", .top = "audit: {file: witness.jsonl, every_rows: 4, every: off}\n"};

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rollouts_are_witnessed),
	    cmocka_unit_test(a_witness_that_is_away_stops_nothing),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
