#include "io/pg.h"
#include "tests/lib/pgserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pgserver *server;

enum { CELLS = 8 };

struct seen {
	bool done;
	int calls, n_results;
	struct outcome outcome;
	char sqlstate[6];
	struct {
		int n_rows, n_cols;
		bool failed;
		char sqlstate[6], text[TEXT_LEN];
		char first[CELLS][64]; /* of row 0; "(null)" for NULL */
	} results[CELLS];
};

static void on_done(void *ctx, const struct pg_reply *reply)
{
	struct seen *s = ctx;

	s->calls++;
	s->done = true;
	s->outcome = reply->outcome;
	s->n_results = reply->n_results;
	memcpy(s->sqlstate, reply->sqlstate, sizeof(s->sqlstate));
	for (int i = 0; i < reply->n_results && i < CELLS; i++) {
		const struct pg_rows *r = &reply->results[i];

		s->results[i].n_rows = r->n_rows;
		s->results[i].n_cols = r->n_cols;
		s->results[i].failed = r->failed;
		memcpy(s->results[i].sqlstate, r->sqlstate, 6);
		memcpy(s->results[i].text, r->text, sizeof(r->text));
		for (int col = 0; col < r->n_cols && col < CELLS; col++) {
			const char *cell = r->cell(r, 0, col);

			snprintf(s->results[i].first[col], 64, "%s", cell != NULL ? cell : "(null)");
		}
		assert_null(r->cell(r, r->n_rows, 0));
		assert_null(r->cell(r, 0, -1));
	}
}

static struct loop *loop_must(void)
{
	struct error e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

static void run_at(const char *url, bool read_only, const struct pg_query *q, int n, int64_t timeout_us,
                   struct seen *s)
{
	struct loop *l = loop_must();

	memset(s, 0, sizeof(*s));
	pg_run(l, url, read_only, q, n, timeout_us, on_done, s);
	assert_int_equal(s->calls, 0);
	assert_true(loop_until(l, &s->done, loop_mono_us() + 30 * US_PER_S));
	loop_free(l);
	assert_int_equal(s->calls, 1);
}

static void run(bool read_only, const struct pg_query *q, int n, struct seen *s)
{
	run_at(pgserver_url(server, NULL), read_only, q, n, 10 * US_PER_S, s);
}

static int setup(void **state)
{
	UNUSED(state);
	server = pgserver_shared();
	return !pgserver_sql(server, NULL, "CREATE TABLE kept (n int); CREATE TABLE locked (n int)");
}

static int teardown(void **state)
{
	UNUSED(state);
	pgserver_free(server);
	return 0;
}

static void test_rows_params_and_null(void **state)
{
	struct seen s;
	const char *const params[] = {"it's", "7", NULL};
	const struct pg_query q[] = {
	    {.sql = "SELECT $1::text, $2::int + 1, NULL::text, ''", .params = params},
	    {.sql = "SELECT g FROM generate_series(1, 1000) g"},
	    {.sql = "SELECT 1 WHERE false"},
	};

	UNUSED(state);
	run(true, q, 3, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_OK);
	assert_int_equal(s.n_results, 3);
	assert_string_equal(s.results[0].first[0], "it's");
	assert_string_equal(s.results[0].first[1], "8");
	assert_string_equal(s.results[0].first[2], "(null)");
	assert_string_equal(s.results[0].first[3], "");
	assert_int_equal(s.results[1].n_rows, 1000);
	assert_int_equal(s.results[2].n_rows, 0);
	assert_int_equal(s.results[2].n_cols, 1);
}

static void test_read_only_is_enforced(void **state)
{
	struct seen s;
	const struct pg_query q[] = {{.sql = "INSERT INTO kept VALUES (1)"}};
	const struct pg_query settings[] = {
	    {.sql =
	         "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'), "
	         "current_setting('statement_timeout'), current_setting('lock_timeout'), "
	         "current_setting('application_name')"}};

	UNUSED(state);
	run(true, q, 1, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_string_equal(s.sqlstate, "25006");
	assert_string_equal(pgserver_ask(server, NULL, "SELECT count(*) FROM kept"), "0");
	run(true, settings, 1, &s);
	assert_string_equal(s.results[0].first[0], "repeatable read");
	assert_string_equal(s.results[0].first[1], "on");
	assert_string_equal(s.results[0].first[2], "5s");
	assert_string_equal(s.results[0].first[3], "2s");
	assert_string_equal(s.results[0].first[4], "towpath");
}

static void test_savepoints(void **state)
{
	struct seen s;
	const struct pg_query q[] = {
	    {.sql = "SELECT 1"},
	    {.sql = "SELECT * FROM no_such_table", .may_fail = true},
	    {.sql = "SELECT 2", .may_fail = true},
	    {.sql = "SELECT 3"},
	};

	UNUSED(state);
	run(true, q, 4, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_OK);
	assert_true(s.results[1].failed);
	assert_string_equal(s.results[1].sqlstate, "42P01");
	assert_non_null(strstr(s.results[1].text, "no_such_table"));
	assert_false(s.results[2].failed);
	assert_string_equal(s.results[2].first[0], "2");
	assert_string_equal(s.results[3].first[0], "3");
	/* The same without a transaction. */
	run(false, q, 4, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_OK);
	assert_true(s.results[1].failed);
	assert_string_equal(s.results[3].first[0], "3");
}

static void test_autocommit(void **state)
{
	struct seen s;
	const struct pg_query q[] = {
	    {.sql = "INSERT INTO kept VALUES (42)"}, {.sql = "SELECT nonsense"}, {.sql = "SELECT 1"}};

	UNUSED(state);
	run(false, q, 3, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_FAILED); /* the server said no */
	assert_string_equal(s.sqlstate, "42703");
	assert_true(s.results[1].failed);
	assert_int_equal(s.results[2].n_cols, 0); /* never ran */
	assert_string_equal(pgserver_ask(server, NULL, "SELECT count(*) FROM kept WHERE n = 42"), "1");
}

static void test_cannot_connect(void **state)
{
	struct seen s;
	const struct pg_query q[] = {{.sql = "SELECT 1"}};
	char url[512];

	UNUSED(state);
	pgserver_url_of(server, PGSERVER_USER, "geheim-wrong", NULL, url, sizeof(url));
	run_at(url, true, q, 1, 10 * US_PER_S, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.outcome.text, "password authentication failed"));
	assert_null(strstr(s.outcome.text, "geheim"));
	assert_non_null(strstr(s.outcome.hint, "password"));
	pgserver_url_of(server, PGSERVER_USER, PGSERVER_PASSWORD, "no_such_db", url, sizeof(url));
	run_at(url, true, q, 1, 10 * US_PER_S, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.outcome.text, "does not exist"));
	run_at("postgresql://u:geheim@127.0.0.1:1/x", true, q, 1, 10 * US_PER_S, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_string_equal(s.outcome.source, "127.0.0.1:1/x");
	assert_non_null(strstr(s.outcome.hint, "running"));
	assert_null(strstr(s.outcome.text, "geheim"));
	run_at("postgresql://u:gehe%zzim@h/x", true, q, 1, 10 * US_PER_S, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_null(strstr(s.outcome.text, "gehe"));
	run_at("postgresql://u:p@no-such-host.invalid/x", true, q, 1, 10 * US_PER_S, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_string_equal(s.outcome.source, "no-such-host.invalid:5432/x");
}

/* "localhost" may be ::1 first, where nobody listens. */
static void test_names_and_lists(void **state)
{
	struct seen s;
	const struct pg_query q[] = {{.sql = "SELECT inet_server_addr()"}};
	char url[512];

	UNUSED(state);
	snprintf(url, sizeof(url), "host=localhost port=%d user=%s password='%s' dbname=postgres",
	         pgserver_port(server), PGSERVER_USER, PGSERVER_PASSWORD);
	run_at(url, true, q, 1, 10 * US_PER_S, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_OK);
	assert_non_null(strstr(s.results[0].first[0], "127.0.0.1"));
	/* The first of two is down. */
	snprintf(url, sizeof(url), "host=127.0.0.1,localhost port=1,%d user=%s password='%s' dbname=postgres",
	         pgserver_port(server), PGSERVER_USER, PGSERVER_PASSWORD);
	run_at(url, true, q, 1, 10 * US_PER_S, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_OK);
}

static void test_place_hides_secrets(void **state)
{
	char place[64];

	UNUSED(state);
	pg_place("postgresql://user:secret@db.example:6000/shop?sslmode=require", place, sizeof(place));
	assert_string_equal(place, "db.example:6000/shop");
	pg_place("host=h dbname=d password=secret", place, sizeof(place));
	assert_string_equal(place, "h:5432/d");
	pg_place("postgresql://u:%zz@h/x", place, sizeof(place));
	assert_string_equal(place, "postgresql");
}

static void test_lock_wait_ends(void **state)
{
	struct loop *l = loop_must();
	struct seen holder = {0}, s = {0};
	const struct pg_query hold[] = {
	    {.sql = "DO $$ BEGIN LOCK TABLE locked; PERFORM pg_sleep(60); END $$"}};
	const struct pg_query read[] = {{.sql = "SELECT * FROM locked"}};
	struct pg_call *c =
	    pg_run(l, pgserver_url(server, NULL), false, hold, 1, 120 * US_PER_S, on_done, &holder);
	bool locked = false;

	UNUSED(state);
	for (int64_t end = loop_mono_us() + 10 * US_PER_S; !locked && loop_mono_us() < end;) {
		loop_until(l, &holder.done, loop_mono_us() + 20 * US_PER_MS);
		locked =
		    strcmp(pgserver_ask(server, NULL,
		                        "SELECT count(*) FROM pg_locks WHERE relation = 'locked'::regclass "
		                        "AND mode = 'AccessExclusiveLock' AND granted"),
		           "1") == 0;
	}
	assert_true(locked);
	pg_run(l, pgserver_url(server, NULL), true, read, 1, 10 * US_PER_S, on_done, &s);
	assert_true(loop_until(l, &s.done, loop_mono_us() + 10 * US_PER_S));
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_string_equal(s.sqlstate, "55P03");
	assert_non_null(strstr(s.outcome.hint, "lock"));
	/* Cancelling ends the holder's query in the server too. */
	pg_cancel(c);
	for (int64_t end = loop_mono_us() + 10 * US_PER_S; locked && loop_mono_us() < end;)
		locked =
		    strcmp(pgserver_ask(server, NULL,
		                        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' "
		                        "AND state = 'active' AND pid <> pg_backend_pid()"),
		           "0") != 0;
	assert_false(locked);
	loop_free(l);
	assert_int_equal(holder.calls, 0);
}

static void test_statement_timeout_and_whole_timeout(void **state)
{
	struct seen s;
	const struct pg_query q[] = {{.sql = "SELECT pg_sleep(30)"}};
	int64_t begin = loop_mono_us();

	UNUSED(state);
	run_at(pgserver_url(server, NULL), true, q, 1, US_PER_S, &s);
	assert_true(loop_mono_us() - begin < 8 * US_PER_S);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	run_at(pgserver_url(server, NULL), false, q, 1, 500 * US_PER_MS, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_UNKNOWN); /* it may go on there */
	assert_non_null(strstr(s.outcome.text, "no answer within"));
}

static void test_results_have_a_limit(void **state)
{
	struct seen s;
	const struct pg_query rows[] = {{.sql = "SELECT g FROM generate_series(1, 100001) g"}};
	const struct pg_query bytes[] = {{.sql = "SELECT repeat('x', 1000000) FROM generate_series(1, 20)"}};
	const struct pg_query copy[] = {{.sql = "COPY (SELECT 1) TO STDOUT"}};

	UNUSED(state);
	run(true, rows, 1, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.outcome.text, "larger than"));
	run(true, bytes, 1, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	run(true, copy, 1, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_UNSUPPORTED);
}

static void test_foreign_text_is_clean(void **state)
{
	struct seen s;
	const struct pg_query q[] = {
	    {.sql = "DO $$ BEGIN RAISE EXCEPTION E'red \\x1b[31m\\nsecond'; END $$", .may_fail = true},
	    {.sql = "DO $$ BEGIN RAISE NOTICE 'not on our screen'; END $$"}};

	UNUSED(state);
	run(true, q, 2, &s);
	assert_int_equal(s.outcome.kind, OUTCOME_OK);
	assert_true(s.results[0].failed);
	assert_null(strchr(s.results[0].text, '\x1b'));
	assert_null(strchr(s.results[0].text, '\n'));
}

static void test_cancel_before_and_free_during(void **state)
{
	struct loop *l = loop_must();
	struct seen cancelled = {0}, ended = {0};
	const struct pg_query q[] = {{.sql = "SELECT pg_sleep(30)"}};
	bool never = false;

	UNUSED(state);
	pg_cancel(pg_run(l, pgserver_url(server, NULL), true, q, 1, US_PER_S, on_done, &cancelled));
	pg_cancel(NULL);
	pg_run(l, pgserver_url(server, NULL), true, q, 1, 20 * US_PER_S, on_done, &ended);
	loop_until(l, &never, loop_mono_us() + 100 * US_PER_MS);
	pg_run(l, pgserver_url(server, NULL), true, q, 1, 20 * US_PER_S, on_done, &cancelled);
	pg_cancel(pg_run(l, pgserver_url(server, NULL), true, q, 1, 20 * US_PER_S, on_done, &ended));
	loop_free(l);
	assert_int_equal(ended.calls, 1);
	assert_int_equal(ended.outcome.kind, OUTCOME_CANCELLED);
	assert_int_equal(cancelled.calls, 1); /* the one that was about to begin */
	assert_int_equal(cancelled.outcome.kind, OUTCOME_CANCELLED);
}

/* A server that takes the connection and says nothing. */
static void test_mute_server(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct pg_query q[] = {{.sql = "SELECT 1"}};
	struct seen s;
	char url[128];

	UNUSED(state);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(url, sizeof(url), "postgresql://u:p@127.0.0.1:%d/x", ntohs(a.sin_port));
	run_at(url, true, q, 1, 300 * US_PER_MS, &s);
	close(fd);
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.outcome.text, "no connection within"));
}

static void test_hanging_server(void **state)
{
	struct loop *l = loop_must();
	struct seen running = {0}, fresh = {0};
	const struct pg_query q[] = {{.sql = "SELECT pg_sleep(1)"}};
	int64_t begin;
	bool never = false;

	UNUSED(state);
	pg_run(l, pgserver_url(server, NULL), true, q, 1, 2 * US_PER_S, on_done, &running);
	loop_until(l, &never, loop_mono_us() + 200 * US_PER_MS);
	pgserver_freeze(server, true);
	begin = loop_mono_us();
	pg_run(l, pgserver_url(server, NULL), true, q, 1, US_PER_S, on_done, &fresh);
	assert_true(loop_until(l, &fresh.done, loop_mono_us() + 10 * US_PER_S));
	assert_true(loop_until(l, &running.done, loop_mono_us() + 10 * US_PER_S));
	/* Neither the cancel request nor the end of the loop waits for the frozen server. */
	loop_free(l);
	assert_true(loop_mono_us() - begin < 8 * US_PER_S);
	pgserver_freeze(server, false);
	assert_int_equal(running.outcome.kind, OUTCOME_ERRORED);
	assert_int_equal(fresh.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(fresh.outcome.text, "within"));
}

static void stop_in_the_middle(bool read_only, enum outcome_kind expected)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	const struct pg_query q[] = {
	    {.sql = "SELECT 1"}, {.sql = "SELECT pg_sleep(4)", .may_fail = true}, {.sql = "SELECT 2"}};
	bool active = false;

	pg_run(l, pgserver_url(server, NULL), read_only, q, 3, 20 * US_PER_S, on_done, &s);
	for (int64_t end = loop_mono_us() + 3 * US_PER_S; !active && loop_mono_us() < end;) {
		loop_until(l, &s.done, loop_mono_us() + 10 * US_PER_MS);
		active = strcmp(pgserver_ask(server, NULL,
		                             "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
		                             "'SELECT pg_sleep(4)' AND state = 'active'"),
		                "1") == 0;
	}
	assert_true(active);
	pgserver_stop(server, false);
	assert_true(loop_until(l, &s.done, loop_mono_us() + 10 * US_PER_S));
	assert_int_equal(s.outcome.kind, expected);
	loop_free(l);
	assert_int_equal(s.calls, 1);
	assert_true(pgserver_again(server));
}

static void test_server_stopped_in_the_middle(void **state)
{
	UNUSED(state);
	stop_in_the_middle(true, OUTCOME_ERRORED);
	stop_in_the_middle(false, OUTCOME_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows_params_and_null),
	    cmocka_unit_test(test_read_only_is_enforced),
	    cmocka_unit_test(test_savepoints),
	    cmocka_unit_test(test_autocommit),
	    cmocka_unit_test(test_cannot_connect),
	    cmocka_unit_test(test_names_and_lists),
	    cmocka_unit_test(test_place_hides_secrets),
	    cmocka_unit_test(test_lock_wait_ends),
	    cmocka_unit_test(test_statement_timeout_and_whole_timeout),
	    cmocka_unit_test(test_results_have_a_limit),
	    cmocka_unit_test(test_foreign_text_is_clean),
	    cmocka_unit_test(test_cancel_before_and_free_during),
	    cmocka_unit_test(test_mute_server),
	    cmocka_unit_test(test_hanging_server),
	    cmocka_unit_test(test_server_stopped_in_the_middle),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
