/*
 * The PostgreSQL store when something between it and its rows fails: a server that stops, crashes, hangs, is another
 * one now; a network that loses the answer; a pool that mixes connections. What is called saved is there once.
 */
#include "backends/drivers.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgpool.h"
#include "tests/lib/storepg.h"
#include "tests/lib/storetest.h"
#include "tests/lib/tcpcut.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pgserver *server;

static void on_change(void *ctx) { ++*(int *)ctx; }

static struct outcome note_as(struct store_world *w, struct opened *o, const char *reason, int64_t timeout_us)
{
	struct decision d = {.kind = DECISION_NOTE, .service = "web", .env = "prod"};
	struct answer a = {.keep = true};

	str_copy(d.reason, sizeof(d.reason), reason);
	S(w)->decide(o->priv, &d, answer_op(&a, w->loop, timeout_us));
	answer_wait(&a);
	free(a.result);
	return a.outcome;
}

static struct outcome note(struct store_world *w, const char *reason)
{
	return note_as(w, &w->o, reason, 15 * US_PER_S);
}

static struct outcome look(struct store_world *w)
{
	struct answer a;

	S(w)->snapshot(w->o.priv, begin(w, &a));
	answer_wait(&a);
	store_snapshot_free(a.result);
	return a.outcome;
}

/* How often a reason was written, by the server's own count. */
static long count(struct store_world *w, struct pgserver *s, const char *reason)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	         "SELECT (SELECT count(*) FROM towpath.decisions WHERE json->>'reason' = '%s') + 1000 * "
	         "(SELECT count(*) "
	         "FROM towpath.audit WHERE text = '%s')",
	         reason, reason);
	return strtol(pgserver_ask(s, w->database, sql), NULL, 10);
}

static void turn(struct store_world *w, int64_t us)
{
	bool never = false;

	loop_until(w->loop, &never, loop_mono_us() + us);
}

static void wait_more(struct store_world *w, const int *fired, int than)
{
	int64_t until = loop_mono_us() + 40 * US_PER_S;

	while (*fired <= than && loop_mono_us() < until)
		turn(w, 10 * US_PER_MS);
	assert_true(*fired > than);
}

/* --- a server that goes and comes ----------------------------------------------------------------- */

static void stopped_and_started(void **state)
{
	struct store_world *w = *state;
	int fired = 0, before;
	struct answer a;
	int64_t started;

	S(w)->watch(w->o.priv, on_change, &fired);
	assert_int_equal(note(w, "before").kind, OUTCOME_OK);
	wait_more(w, &fired, 0);
	for (int round = 0; round < 2; round++) {
		before = fired;
		pgserver_stop(server, round == 1);
		/* A console hears that it is away, asks and knows. */
		wait_more(w, &fired, before);
		for (int i = 0; i < 5; i++) {
			struct outcome o;

			started = loop_mono_us();
			o = look(w);
			assert_int_equal(o.kind, OUTCOME_ERRORED);
			assert_true(o.text[0] != '\0' && o.hint[0] != '\0');
			assert_int_equal(note(w, "away").kind, OUTCOME_ERRORED);
			assert_true(loop_mono_us() - started < 4 * US_PER_S);
		}
		/* The board of this host is still there. */
		S(w)->observe_put(w->o.priv, "deploy/web/prod", 42, "{}", begin(w, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		S(w)->observe_get(w->o.priv, begin(w, &a));
		answer_wait(&a);
		assert_int_equal(((struct observation_list *)a.result)->n_items, 1);
		observation_list_free(a.result);
		before = fired;
		assert_true(pgserver_again(server));
		/* A try that failed just now is the answer for a moment longer. */
		for (int i = 0; i < 200 && look(w).kind != OUTCOME_OK; i++)
			turn(w, 50 * US_PER_MS);
		wait_more(w, &fired, before);
		for (int i = 0; i < 200; i++) {
			a.outcome = note(w, round == 0 ? "back" : "back again");
			if (a.outcome.kind == OUTCOME_OK)
				break;
			assert_int_equal(a.outcome.kind, OUTCOME_ERRORED);
			turn(w, 50 * US_PER_MS);
		}
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		assert_int_equal(look(w).kind, OUTCOME_OK);
	}
	assert_int_equal(count(w, server, "away"), 0);
	assert_int_equal(verify(w).n_rows, 3);
	assert_int_equal(verify(w).bad_seq, 0);
	S(w)->watch(w->o.priv, NULL, NULL);
}

/* Someone else's write is heard of after the ears were cut off and grew again. */
static void ears_grow_again(void **state)
{
	struct store_world *w = *state;
	int fired = 0, before;

	S(w)->watch(w->o.priv, on_change, &fired);
	wait_more(w, &fired, 0);
	turn(w, 300 * US_PER_MS);
	for (int i = 0; i < 3; i++) {
		assert_true(pgserver_sql(
		    server, w->database,
		    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anna' AND "
		    "datname = current_database()"));
		turn(w, US_PER_S);
		before = fired;
		assert_int_equal(note_as(w, store_as(w, "ben"), "from afar", 10 * US_PER_S).kind, OUTCOME_OK);
		wait_more(w, &fired, before);
	}
	S(w)->watch(w->o.priv, NULL, NULL);
}

static void a_server_that_hangs(void **state)
{
	struct store_world *w = *state;
	struct outcome o;

	assert_int_equal(note(w, "before").kind, OUTCOME_OK);
	pgserver_freeze(server, true);
	o = note_as(w, &w->o, "into the void", 600 * US_PER_MS);
	/* It was sent: nobody knows. Not "timed out", which would mean that nothing happened. */
	assert_int_equal(o.kind, OUTCOME_UNKNOWN);
	pgserver_freeze(server, false);
	assert_int_equal(note(w, "after").kind, OUTCOME_OK);
	assert_true(count(w, server, "into the void") == 0 || count(w, server, "into the void") == 1001);
	assert_int_equal(verify(w).bad_seq, 0);
}

/* --- the answer is lost ----------------------------------------------------------------------------- */

static struct opened *through(struct store_world *w, struct opened *o, int port)
{
	storepg_user(server, "carl", "operator approver executor");
	storepg_open(o, w->loop, server, port, "carl", w->database, "");
	return o;
}

/* Committed there, unheard here: said again, answered the same, done once. */
static void lost_answers(void **state)
{
	struct store_world *w = *state;
	struct tcpcut *cut = tcpcut_start(pgserver_port(server));
	struct opened o;
	struct lease want = {.key = "web/prod", .holder = "1@x", .pid = 1, .rollout = "r1"}, *l;
	struct answer a;

	assert_non_null(cut);
	plan_stored(w, w->plan);
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	through(w, &o, tcpcut_port(cut));
	assert_int_equal(note_as(w, &o, "first", 10 * US_PER_S).kind, OUTCOME_OK);
	for (int i = 0; i < 10; i++) {
		char reason[24];

		snprintf(reason, sizeof(reason), "lost %d", i);
		tcpcut_set(cut, CUT_REPLY);
		assert_int_equal(note_as(w, &o, reason, 10 * US_PER_S).kind, OUTCOME_OK);
		assert_int_equal(tcpcut_lost(cut), i + 1);
		assert_int_equal(count(w, server, reason), 1001);
	}
	/* A lease whose answer was lost is the one that was granted, not the next. */
	tcpcut_set(cut, CUT_REPLY);
	S(w)->lease_claim(o.priv, &want, false, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	l = a.result;
	assert_int_equal(l->epoch, 1);
	w->r->state = ROLLOUT_RUNNING;
	for (int i = 0; i < 3; i++) {
		tcpcut_set(cut, CUT_REPLY);
		if (i == 0)
			S(w)->step_intent(o.priv, w->r, 0, "", l->epoch, begin(w, &a));
		else if (i == 1)
			S(w)->step_result(o.priv, w->r, 0, &(struct outcome){.kind = OUTCOME_OK}, l->epoch,
			                  begin(w, &a));
		else
			S(w)->rollout_write(o.priv, w->r, l->epoch, begin(w, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
	}
	assert_string_equal(pgserver_ask(server, w->database, "SELECT count(*) FROM towpath.steps"), "2");
	assert_int_equal(verify(w).bad_seq, 0);
	driver_close(&o);
	tcpcut_free(cut);
	free(l);
}

/* The network is away for longer than anybody waits: the answer is "unknown", and the rows tell which it was. */
static void unknown_is_said(void **state)
{
	struct store_world *w = *state;
	struct tcpcut *cut = tcpcut_start(pgserver_port(server));
	struct opened o;
	long n;

	assert_non_null(cut);
	through(w, &o, tcpcut_port(cut));
	assert_int_equal(note_as(w, &o, "first", 10 * US_PER_S).kind, OUTCOME_OK);
	tcpcut_set(cut, CUT_SILENT);
	assert_int_equal(note_as(w, &o, "half open", 700 * US_PER_MS).kind, OUTCOME_UNKNOWN);
	tcpcut_set(cut, CUT_NOTHING);
	assert_int_equal(note_as(w, &o, "after", 10 * US_PER_S).kind, OUTCOME_OK);
	n = count(w, server, "half open");
	assert_true(n == 0 || n == 1001);
	/* Never sent is no "unknown". */
	tcpcut_set(cut, CUT_ALL);
	turn(w, 100 * US_PER_MS);
	assert_int_equal(note_as(w, &o, "refused", 10 * US_PER_S).kind, OUTCOME_ERRORED);
	assert_int_equal(count(w, server, "refused"), 0);
	driver_close(&o);
	tcpcut_free(cut);
}

/* The connection is cut while the server is in the middle of it: rolled back there, said again. */
static void cut_in_the_middle(void **state)
{
	struct store_world *w = *state;
	PGconn *c = PQconnectdb(getenv(storepg_secret(server, 0, PGSERVER_USER, w->database)));
	struct decision d = {
	    .kind = DECISION_NOTE, .service = "web", .env = "prod", .reason = "in the middle"};
	struct answer a;

	assert_int_equal(note(w, "before").kind, OUTCOME_OK);
	for (int i = 0; i < 2; i++) {
		PQclear(PQexec(c, "BEGIN; SELECT * FROM towpath.head FOR UPDATE"));
		S(w)->decide(w->o.priv, &d, begin(w, &a));
		a.inside = false;
		turn(w, 300 * US_PER_MS);
		assert_false(a.done);
		assert_true(pgserver_sql(
		    server, w->database,
		    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anna' AND "
		    "datname = current_database() AND query LIKE '%decide%'"));
		turn(w, 200 * US_PER_MS);
		PQclear(PQexec(c, "ROLLBACK"));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		free(a.result);
	}
	assert_int_equal(count(w, server, "in the middle"), 2002);
	/* Locked for longer than a lock may be waited for: nothing was saved. */
	PQclear(PQexec(c, "BEGIN; SELECT * FROM towpath.head FOR UPDATE"));
	a.outcome = note(w, "locked out");
	assert_int_equal(a.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(a.outcome.hint, "pg_locks"));
	assert_int_equal(look(w).kind, OUTCOME_OK);
	PQclear(PQexec(c, "ROLLBACK"));
	PQfinish(c);
	assert_int_equal(count(w, server, "locked out"), 0);
	assert_int_equal(verify(w).bad_seq, 0);
}

/* --- another server --------------------------------------------------------------------------------- */

struct pair {
	struct pgserver *first, *second;
	const char *database;
	char url[512];
};

static void pair_make(struct pair *p, struct store_world *w)
{
	char why[2048] = "", url[256], tail[128], *at;

	p->first = pgserver_primary(why, sizeof(why));
	if (p->first == NULL)
		fail_msg("%s", why);
	p->database = storepg_make(p->first);
	storepg_user(p->first, "anna", "operator approver admin executor");
	p->second = pgserver_standby(p->first, why, sizeof(why));
	if (p->second == NULL)
		fail_msg("%s", why);
	pgserver_url_of(p->first, "anna", STOREPG_PASSWORD, p->database, url, sizeof(url));
	at = strchr(strchr(url, '@'), ':');
	str_copy(tail, sizeof(tail), strchr(at, '/'));
	*at = '\0';
	snprintf(p->url, sizeof(p->url), "%s:%d,127.0.0.1:%d%s", url, pgserver_port(p->second),
	         pgserver_port(p->first), tail);
	w->database = p->database;
}

static void replayed(struct pair *p)
{
	char sql[160];
	int64_t until = loop_mono_us() + 30 * US_PER_S;

	snprintf(sql, sizeof(sql), "SELECT pg_last_wal_replay_lsn() >= '%s'::pg_lsn",
	         pgserver_ask(p->first, NULL, "SELECT pg_current_wal_lsn()"));
	while (strcmp(pgserver_ask(p->second, NULL, sql), "t") != 0)
		assert_true(loop_mono_us() < until);
}

/* The address names both, the standby first: writes go where they are taken, before and after. */
static void failover(void **state)
{
	struct store_world *w = *state;
	struct pair p;
	struct opened o;
	struct answer a;
	int fired = 0, before;

	pair_make(&p, w);
	storepg_open_url(&o, w->loop, p.url, "");
	S(w)->watch(o.priv, on_change, &fired);
	assert_int_equal(note_as(w, &o, "on the first", 10 * US_PER_S).kind, OUTCOME_OK);
	replayed(&p);
	before = fired;
	pgserver_stop(p.first, true);
	wait_more(w, &fired, before);
	assert_int_equal(note_as(w, &o, "on none", 10 * US_PER_S).kind, OUTCOME_ERRORED);
	assert_true(pgserver_promote(p.second));
	for (int i = 0; i < 100; i++) {
		a.outcome = note_as(w, &o, "on the second", 10 * US_PER_S);
		if (a.outcome.kind == OUTCOME_OK)
			break;
		assert_int_equal(a.outcome.kind, OUTCOME_ERRORED);
		turn(w, 100 * US_PER_MS);
	}
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	assert_int_equal(count(w, p.second, "on the second"), 1001);
	assert_int_equal(count(w, p.second, "on the first"), 1001);
	assert_int_equal(count(w, p.second, "on none"), 0);
	S(w)->audit_verify(o.priv, NULL, 0, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(((struct audit_verdict *)a.result)->bad_seq, 0);
	assert_int_equal(((struct audit_verdict *)a.result)->n_rows, 2);
	free(a.result);
	S(w)->watch(o.priv, NULL, NULL);
	driver_close(&o);
	pgserver_free(p.first);
	pgserver_free(p.second);
}

static struct lease *claim_by(struct store_world *w, struct opened *o, const char *holder, int64_t pid)
{
	struct lease want = {.key = "web/prod", .pid = pid, .rollout = "r1"};
	struct answer a;

	str_copy(want.holder, sizeof(want.holder), holder);
	S(w)->lease_claim(o->priv, &want, false, begin(w, &a));
	answer_wait(&a);
	return a.result;
}

/*
 * A grant that the failover lost: its holder and the next one have the same epoch, and only one of them may write.
 */
static void the_same_epoch_twice(void **state)
{
	struct store_world *w = *state;
	struct pair p;
	struct opened o, other;
	struct answer a;
	struct lease *first, *lost, *next;

	pair_make(&p, w);
	storepg_open_url(&o, w->loop, p.url, "");
	S(w)->plan_put(o.priv, w->plan, "", begin(w, &a));
	answer_wait(&a);
	S(w)->rollout_create(o.priv, w->r, "", begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	first = claim_by(w, &o, "1@x", 1);
	S(w)->lease_release(o.priv, "web/prod", first->epoch, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	replayed(&p);
	assert_true(pgserver_sql(p.second, NULL, "ALTER SYSTEM SET primary_conninfo = ''"));
	assert_true(pgserver_sql(p.second, NULL, "SELECT pg_reload_conf()"));
	for (int i = 0;
	     strcmp(pgserver_ask(p.first, NULL, "SELECT count(*) FROM pg_stat_replication"), "0") != 0; i++) {
		assert_true(i < 3000);
		turn(w, 10 * US_PER_MS);
	}
	lost = claim_by(w, &o, "2@x", 2);
	assert_int_equal(lost->epoch, 2);
	pgserver_stop(p.first, true);
	assert_true(pgserver_promote(p.second));
	storepg_open_url(&other, w->loop, p.url, "");
	next = claim_by(w, &other, "3@x", 3);
	assert_non_null(next);
	assert_int_equal(next->epoch, 2);
	S(w)->rollout_write(o.priv, w->r, lost->epoch, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
	assert_non_null(strstr(a.outcome.text, "stale epoch"));
	S(w)->lease_renew(o.priv, "web/prod", lost->epoch, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
	S(w)->rollout_write(other.priv, w->r, next->epoch, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	free(first);
	free(lost);
	free(next);
	driver_close(&o);
	driver_close(&other);
	pgserver_free(p.first);
	pgserver_free(p.second);
}

/* --- a pool ------------------------------------------------------------------------------------------ */

static const char *const pool_users[] = {"anna", STOREPG_PASSWORD, "ben", STOREPG_PASSWORD,
                                         "carl", STOREPG_PASSWORD, NULL};

static struct pgpool *pool_make(struct store_world *w)
{
	char why[512] = "";
	struct pgpool *p = pgpool_start(server, pool_users, "carl", w->database, why, sizeof(why));

	if (p == NULL)
		fail_msg("%s", why);
	return p;
}

/* Many that share two connections each: everybody stays who they are, nothing is mixed up, changes are seen. */
static void behind_a_pool(void **state)
{
	struct store_world *w = *state;
	struct pgpool *pool;
	struct opened o[6];
	struct answer a[6];
	struct store_status *t;
	struct lease *l;
	int fired = 0, before;

	storepg_user(server, "carl", "operator approver executor");
	store_as(w, "ben");
	pool = pool_make(w);
	for (int i = 0; i < 6; i++)
		storepg_open(&o[i], w->loop, server, pgpool_port(pool), pool_users[2 * (i % 3)], w->database,
		             ", \"poll\": 200000");
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 6; i++) {
			struct decision d = {.kind = i % 3 == 1 ? DECISION_HOLD : DECISION_NOTE,
			                     .service = "web",
			                     .env = "prod",
			                     .rollout = "r1"};

			if (d.kind == DECISION_HOLD) /* ben has all roles here, but there is no rollout */
				d.kind = DECISION_FREEZE;
			str_copy(d.reason, sizeof(d.reason), pool_users[2 * (i % 3)]);
			S(w)->decide(o[i].priv, &d, begin(w, &a[i]));
			a[i].inside = false;
		}
		for (int i = 0; i < 6; i++) {
			answer_wait(&a[i]);
			if (a[i].outcome.kind != OUTCOME_OK)
				fail_msg("%s", a[i].outcome.text);
			assert_string_equal(((struct decision *)a[i].result)->actor, pool_users[2 * (i % 3)]);
			free(a[i].result);
		}
	}
	assert_string_equal(
	    pgserver_ask(server, w->database,
	                 "SELECT count(*) FROM towpath.decisions WHERE json->>'reason' <> actor"),
	    "0");
	assert_int_equal(verify(w).n_rows, 120);
	assert_int_equal(verify(w).bad_seq, 0);
	/* Really shared: no more connections than the pool may have. */
	assert_true(strtol(pgserver_ask(
	                       server, w->database,
	                       "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'towpath' AND "
	                       "datname = current_database() AND usename = 'carl'"),
	                   NULL, 10) <= 2);
	S(w)->status(o[0].priv, begin(w, &a[0]));
	answer_wait(&a[0]);
	t = a[0].result;
	assert_non_null(strstr(t->follows, "because of a pool"));
	assert_int_equal(t->n_warnings, 1);
	free(t);
	S(w)->watch(o[0].priv, on_change, &fired);
	wait_more(w, &fired, 0);
	turn(w, 500 * US_PER_MS);
	before = fired;
	assert_int_equal(note_as(w, &w->o, "from outside", 10 * US_PER_S).kind, OUTCOME_OK);
	wait_more(w, &fired, before);
	/* Who is here is seen at the next look as well, once it is known that the store can tell. */
	S(w)->snapshot(o[0].priv, begin(w, &a[0]));
	answer_wait(&a[0]);
	store_snapshot_free(a[0].result);
	turn(w, 500 * US_PER_MS);
	before = fired;
	for (int i = 0; i < 2; i++) {
		struct presence_row here = {.session = "1@x 1", .host = "x", .view = PRESENCE_PLAN};

		S(w)->presence_put(o[1].priv, &here, US_PER_MIN, begin(w, &a[0]));
		answer_wait(&a[0]);
		assert_int_equal(a[0].outcome.kind, OUTCOME_OK);
		if (i == 0)
			wait_more(w, &fired, before);
	}
	/* Quiet when nothing happens, and that somebody is still there is nothing. */
	before = fired;
	turn(w, 700 * US_PER_MS);
	assert_int_equal(fired, before);
	S(w)->watch(o[0].priv, NULL, NULL);
	/* Leases and the journal too. */
	plan_stored(w, w->plan);
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	l = claim_by(w, &o[2], "1@x", 1);
	for (int i = 0; i < 20; i++) {
		S(w)->lease_renew(o[2].priv, "web/prod", l->epoch, begin(w, &a[0]));
		answer_wait(&a[0]);
		assert_int_equal(a[0].outcome.kind, OUTCOME_OK);
		free(a[0].result);
		S(w)->rollout_write(o[2].priv, w->r, l->epoch, begin(w, &a[0]));
		answer_wait(&a[0]);
		assert_int_equal(a[0].outcome.kind, OUTCOME_OK);
	}
	free(l);
	for (int i = 0; i < 6; i++)
		driver_close(&o[i]);
	pgpool_free(pool);
}

/* With a direct connection beside the pool changes are heard, not looked for. */
static void ears_beside_the_pool(void **state)
{
	struct store_world *w = *state;
	struct pgpool *pool;
	struct opened o;
	struct store_status *t;
	struct answer a;
	char more[256];
	int fired = 0, before;

	storepg_user(server, "carl", "operator approver executor");
	pool = pool_make(w);
	snprintf(more, sizeof(more), ", \"poll\": 60000000, \"listen_url\": {\"env\": \"%s\"}",
	         storepg_secret(server, 0, "carl", w->database));
	storepg_open(&o, w->loop, server, pgpool_port(pool), "carl", w->database, more);
	S(w)->watch(o.priv, on_change, &fired);
	wait_more(w, &fired, 0);
	turn(w, US_PER_S);
	before = fired;
	assert_int_equal(note(w, "heard").kind, OUTCOME_OK);
	wait_more(w, &fired, before);
	S(w)->status(o.priv, begin(w, &a));
	answer_wait(&a);
	t = a.result;
	assert_non_null(strstr(t->follows, "connection of their own"));
	assert_int_equal(t->n_warnings, 0);
	free(t);
	S(w)->watch(o.priv, NULL, NULL);
	driver_close(&o);
	pgpool_free(pool);
}

/* A pool that makes everybody carl: nobody can be told apart, so nobody decides anything. */
static void a_forced_user(void **state)
{
	struct store_world *w = *state;
	struct pgpool *pool;
	struct opened o;
	struct outcome said;
	struct answer a;

	storepg_user(server, "carl", "operator approver executor");
	pool = pool_make(w);
	storepg_open(&o, w->loop, server, pgpool_port(pool), "anna", "forced", "");
	said = note_as(w, &o, "as somebody else", 10 * US_PER_S);
	assert_int_equal(said.kind, OUTCOME_FAILED);
	assert_non_null(strstr(said.text, "the server sees carl"));
	assert_true(said.hint[0] != '\0');
	S(w)->base.check(o.priv, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
	assert_non_null(strstr(a.outcome.text, "carl"));
	assert_int_equal(count(w, server, "as somebody else"), 0);
	driver_close(&o);
	pgpool_free(pool);
}

static int group_setup(void **state)
{
	UNUSED(state);
	store_kind = &store_kind_postgres;
	server = pgserver_shared();
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(stopped_and_started),
	    TEST(ears_grow_again),
	    TEST(a_server_that_hangs),
	    TEST(lost_answers),
	    TEST(unknown_is_said),
	    TEST(cut_in_the_middle),
	    TEST(failover),
	    TEST(the_same_epoch_twice),
	    TEST(behind_a_pool),
	    TEST(ears_beside_the_pool),
	    TEST(a_forced_user),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
