/* The lasting connection: order, parameters, a server that goes, hangs and comes back, what is said twice. */
#include "io/pg_session.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgserver.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pgserver *server;

struct world {
	struct loop *loop;
	struct pg_session *s;
	char url[512];
	int n_up, n_down, n_notes;
	struct outcome why;
	char note[64];
	bool never;
};

struct heard {
	bool done;
	int times;
	struct outcome outcome;
	char cell[128], sqlstate[6], hint[128];
	int n_rows;
};

static int address(void *ctx, struct str *ret, struct error *e)
{
	const struct world *w = ctx;

	if (w->url[0] == '\0')
		return error_set(e, ERR_NOT_FOUND, "there is no address");
	str_add(ret, w->url);
	return 0;
}

static void on_state(void *ctx, bool connected, const struct outcome *why)
{
	struct world *w = ctx;

	w->n_up += connected;
	w->n_down += !connected;
	w->why = *why;
}

static void on_notify(void *ctx, const char *channel, const char *payload)
{
	struct world *w = ctx;

	w->n_notes++;
	snprintf(w->note, sizeof(w->note), "%s=%s", channel, payload);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct pg_session_conf conf = {
	    .address = address, .ctx = w, .on_state = on_state, .on_notify = on_notify, .on_ctx = w};

	assert_non_null(w);
	w->loop = loop_new(NULL);
	str_copy(w->url, sizeof(w->url), pgserver_url(server, NULL));
	w->s = pg_session_new(w->loop, &conf);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	pg_session_free(w->s);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void on_answer(void *ctx, const struct pg_answer *a)
{
	struct heard *h = ctx;
	const char *cell = a->rows->n_rows > 0 ? a->rows->cell(a->rows, 0, 0) : NULL;

	h->done = true;
	h->times++;
	h->outcome = a->outcome;
	h->n_rows = a->rows->n_rows;
	str_copy(h->cell, sizeof(h->cell), cell != NULL ? cell : "");
	str_copy(h->sqlstate, sizeof(h->sqlstate), a->rows->sqlstate);
	str_copy(h->hint, sizeof(h->hint), a->rows->hint);
}

static struct pg_ticket *ask(struct world *w, struct heard *h, const struct pg_ask *q)
{
	memset(h, 0, sizeof(*h));
	return pg_session_ask(w->s, q, on_answer, h);
}

static void wait_for(struct world *w, struct heard *h)
{
	assert_true(loop_until(w->loop, &h->done, loop_mono_us() + 30 * US_PER_S));
	assert_int_equal(h->times, 1);
}

static struct heard say(struct world *w, const char *sql)
{
	struct heard h;

	ask(w, &h, &(struct pg_ask){.sql = sql});
	wait_for(w, &h);
	return h;
}

static void turn_until(struct world *w, const int *count, int wanted)
{
	int64_t end = loop_mono_us() + 30 * US_PER_S;

	while (*count < wanted && loop_mono_us() < end)
		loop_until(w->loop, &w->never, loop_mono_us() + 10 * US_PER_MS);
	assert_true(*count >= wanted);
}

static void one_connection_in_order(void **state)
{
	struct world *w = *state;
	struct heard h[50], me;
	char number[50][12];
	const char *who[] = {pg_session_me, "x", NULL};

	for (int i = 0; i < 50; i++) {
		const char *params[] = {number[i], "it's \"q\"\n"};

		snprintf(number[i], sizeof(number[i]), "%d", i);
		ask(w, &h[i],
		    &(struct pg_ask){.sql = "SELECT pg_backend_pid() || ':' || $1 || length($2)",
		                     .params = params,
		                     .n_params = 2});
		assert_false(h[i].done);
	}
	ask(w, &me,
	    &(struct pg_ask){.sql = "SELECT ($1::text = session_user AND $3::text IS NULL)::text"
	                            " || $2",
	                     .params = who,
	                     .n_params = 3});
	wait_for(w, &me);
	assert_string_equal(me.cell, "truex");
	for (int i = 0; i < 50; i++) {
		char want[64];

		assert_int_equal(h[i].times, 1);
		assert_int_equal(h[i].outcome.kind, OUTCOME_OK);
		snprintf(want, sizeof(want), "%d:%d9", pg_session_backend(w->s), i);
		assert_string_equal(h[i].cell, want);
	}
	assert_int_equal(w->n_up, 1);
	assert_int_equal(w->n_down, 0);
}

static void refusals_are_told_apart(void **state)
{
	struct world *w = *state;
	struct heard h = say(w, "SELECT 1/0");

	assert_int_equal(h.outcome.kind, OUTCOME_FAILED);
	assert_string_equal(h.sqlstate, "22012");
	h = say(w, "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'TP001', HINT = 'do this'; END $$");
	assert_string_equal(h.sqlstate, "TP001");
	assert_string_equal(h.hint, "do this");
	/* The connection stays. */
	assert_string_equal(say(w, "SELECT 'still'").cell, "still");
	assert_int_equal(w->n_up, 1);
	/* Too much is cut off without harm. */
	h = say(w, "SELECT g FROM generate_series(1, 300000) g");
	assert_int_equal(h.outcome.kind, OUTCOME_ERRORED);
	assert_string_equal(say(w, "SELECT 'again'").cell, "again");
}

/* The server ends the connection under a statement: it is said again, unless it must not be. */
static void broken_under_a_statement(void **state)
{
	static const char kill[] = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	                           " WHERE query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid()";
	struct world *w = *state;
	struct heard h;

	for (int i = 0; i < 3; i++) {
		int up = w->n_up;

		ask(w, &h,
		    &(struct pg_ask){
		        .sql = "SELECT pg_sleep(0.7), 'slept'", .writes = i > 0, .once = i == 2});
		turn_until(w, &w->n_up, up > 0 ? up : 1);
		loop_until(w->loop, &w->never, loop_mono_us() + 200 * US_PER_MS);
		assert_string_equal(pgserver_ask(server, NULL, kill), "t");
		wait_for(w, &h);
		assert_int_equal(h.outcome.kind, i == 2 ? OUTCOME_UNKNOWN : OUTCOME_OK);
		assert_int_equal(w->n_down, i + 1);
	}
}

static void idle_connections_heal(void **state)
{
	struct world *w = *state;
	char sql[96];

	pg_session_keep(w->s, true);
	turn_until(w, &w->n_up, 1);
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)", pg_session_backend(w->s));
	pgserver_ask(server, NULL, sql);
	turn_until(w, &w->n_down, 1);
	turn_until(w, &w->n_up, 2);
	pg_session_renew(w->s);
	assert_false(pg_session_connected(w->s));
	turn_until(w, &w->n_up, 3);
}

static void notifications_arrive(void **state)
{
	struct world *w = *state;

	assert_int_equal(say(w, "LISTEN here").outcome.kind, OUTCOME_OK);
	assert_true(pgserver_sql(server, NULL, "SELECT pg_notify('here', '42')"));
	turn_until(w, &w->n_notes, 1);
	assert_string_equal(w->note, "here=42");
}

static void away_is_said_at_once(void **state)
{
	struct world *w = *state;
	struct heard h;
	int64_t started;

	assert_string_equal(say(w, "SELECT 1").cell, "1");
	pg_session_keep(w->s, true);
	pgserver_stop(server, false);
	turn_until(w, &w->n_down, 1);
	for (int i = 0; i < 20; i++) {
		started = loop_mono_us();
		ask(w, &h, &(struct pg_ask){.sql = "SELECT 1", .writes = true});
		wait_for(w, &h);
		assert_int_equal(h.outcome.kind, OUTCOME_ERRORED);
		assert_true(h.outcome.text[0] != '\0' && h.outcome.hint[0] != '\0');
		assert_true(loop_mono_us() - started < 2 * US_PER_S);
	}
	assert_true(pgserver_again(server));
	turn_until(w, &w->n_up, 2);
	assert_string_equal(say(w, "SELECT 'back'").cell, "back");
}

/* Stopped and started again under a write: who asked waits for the truth and hears it. */
static void restart_under_a_write(void **state)
{
	struct world *w = *state;
	struct heard h;

	assert_string_equal(say(w, "SELECT 1").cell, "1");
	ask(w, &h,
	    &(struct pg_ask){
	        .sql = "SELECT pg_sleep(0.5), 'slept'", .writes = true, .timeout_us = 25 * US_PER_S});
	loop_until(w->loop, &w->never, loop_mono_us() + 100 * US_PER_MS);
	pgserver_stop(server, true);
	loop_until(w->loop, &w->never, loop_mono_us() + 300 * US_PER_MS);
	assert_false(h.done);
	assert_true(pgserver_again(server));
	wait_for(w, &h);
	assert_int_equal(h.outcome.kind, OUTCOME_OK);
}

static void a_hanging_server_has_a_deadline(void **state)
{
	struct world *w = *state;
	struct heard read, write, queued;

	assert_string_equal(say(w, "SELECT 1").cell, "1");
	pgserver_freeze(server, true);
	ask(w, &read, &(struct pg_ask){.sql = "SELECT 1", .timeout_us = 300 * US_PER_MS});
	wait_for(w, &read);
	assert_int_equal(read.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(read.outcome.text, "no answer within"));
	pgserver_freeze(server, false);
	assert_string_equal(say(w, "SELECT 2").cell, "2");
	pgserver_freeze(server, true);
	ask(w, &write, &(struct pg_ask){.sql = "SELECT 1", .timeout_us = 300 * US_PER_MS, .writes = true});
	ask(w, &queued, &(struct pg_ask){.sql = "SELECT 1", .timeout_us = 200 * US_PER_MS, .writes = true});
	wait_for(w, &write);
	assert_true(queued.done);
	/* What was never sent did not happen. */
	assert_int_equal(write.outcome.kind, OUTCOME_UNKNOWN);
	assert_int_equal(queued.outcome.kind, OUTCOME_ERRORED);
	pgserver_freeze(server, false);
}

static void addresses_that_are_wrong(void **state)
{
	static const char *const urls[] = {"", "nonsense://x", "postgresql://u:secretword@127.0.0.1:1/x",
	                                   "postgresql://u:secretword@no-such-host.invalid/x"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct heard h;
		int64_t end = loop_mono_us() + 10 * US_PER_S;

		/* A try that just failed is the answer for a moment. */
		do {
			loop_until(w->loop, &w->never, loop_mono_us() + 100 * US_PER_MS);
			str_copy(w->url, sizeof(w->url), urls[i]);
			h = say(w, "SELECT 1");
			assert_int_equal(h.outcome.kind, OUTCOME_ERRORED);
			assert_null(strstr(h.outcome.text, "secretword"));
			assert_null(strstr(h.outcome.hint, "secretword"));
		} while (loop_mono_us() < end && w->n_down < (int)i + 1);
		assert_int_equal(w->n_down, i + 1);
	}
}

static void forgotten_and_closed(void **state)
{
	struct world *w = *state;
	struct heard a, b, c;
	struct pg_ticket *t;

	t = ask(w, &a, &(struct pg_ask){.sql = "SELECT 1"});
	pg_session_forget(t);
	t = ask(w, &b, &(struct pg_ask){.sql = "SELECT pg_sleep(0.2)"});
	assert_string_equal(say(w, "SELECT 'after'").cell, "after");
	assert_int_equal(a.times, 0);
	assert_int_equal(b.times, 1);
	t = ask(w, &b, &(struct pg_ask){.sql = "SELECT pg_sleep(0.2)"});
	loop_until(w->loop, &w->never, loop_mono_us() + 50 * US_PER_MS);
	pg_session_forget(t);
	assert_string_equal(say(w, "SELECT 'after'").cell, "after");
	assert_int_equal(b.times, 0);
	/* The rest is closed with the session, without an answer. */
	ask(w, &c, &(struct pg_ask){.sql = "SELECT pg_sleep(20)"});
	loop_until(w->loop, &w->never, loop_mono_us() + 50 * US_PER_MS);
	ask(w, &a, &(struct pg_ask){.sql = "SELECT 1"});
}

static void no_endless_queue(void **state)
{
	struct world *w = *state;
	static struct heard h[PG_QUEUE_MAX + 1];

	for (int i = 0; i < PG_QUEUE_MAX; i++)
		assert_non_null(ask(w, &h[i], &(struct pg_ask){.sql = "SELECT 1"}));
	assert_null(ask(w, &h[PG_QUEUE_MAX], &(struct pg_ask){.sql = "SELECT 1"}));
	wait_for(w, &h[PG_QUEUE_MAX - 1]);
	for (int i = 0; i < PG_QUEUE_MAX; i++)
		assert_int_equal(h[i].times, 1);
}

static int group_setup(void **state)
{
	UNUSED(state);
	server = pgserver_shared();
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(one_connection_in_order),  TEST(refusals_are_told_apart),
	    TEST(broken_under_a_statement), TEST(idle_connections_heal),
	    TEST(notifications_arrive),     TEST(away_is_said_at_once),
	    TEST(restart_under_a_write),    TEST(a_hanging_server_has_a_deadline),
	    TEST(addresses_that_are_wrong), TEST(forgotten_and_closed),
	    TEST(no_endless_queue),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
