/*
 * The health slot against a real PostgreSQL that is made busy on purpose: old and idle transactions, a blocking tree,
 * an index that failed, a constraint that nobody validated; then what a person is told of it.
 */
#include "backends/drivers.h"
#include "core/port/migrate.h"
#include "core/text.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/porttest.h"

#include <libpq-fe.h>
#include <stdio.h>

enum { NOTES_MAX = 64, WAIT_S = 20 };

struct place {
	struct loop *loop;
	char dir[PATH_LEN], database[NAME_LEN];
	struct opened o;
};

static void place_make_as(struct place *p, const char *url)
{
	char options[PATH_LEN * 2];

	file_put_n(p->dir, "db.url", url, strlen(url), 0600);
	snprintf(options, sizeof(options),
	         "{\"repo\": \"%.900s\", \"database\": {\"file\": \"%.900s/db.url\"}}", p->dir, p->dir);
	driver_open(&p->o, p->loop, &migrate_prisma.base, options, NULL);
}

static void place_make(struct place *p)
{
	memset(p, 0, sizeof(*p));
	p->loop = loop_new(NULL);
	folder_make(p->dir);
	snprintf(p->database, sizeof(p->database), "%s", pgserver_database(pgserver_shared()));
	place_make_as(p, pgserver_url(pgserver_shared(), p->database));
}

static void place_end(struct place *p)
{
	driver_close(&p->o);
	folder_remove(p->dir);
	loop_free(p->loop);
}

static struct database_health *look(struct place *p)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, p->loop, 20 * US_PER_S);

	migrate_prisma.health(p->o.priv, true, op);
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("%s: %s", outcome_name(a.outcome.kind), a.outcome.text);
	assert_non_null(a.result);
	return a.result;
}

static PGconn *session(const struct place *p, const char *sql)
{
	char url[PATH_LEN];
	PGconn *c;
	PGresult *r;

	snprintf(url, sizeof(url), "%s?application_name=nightly-report",
	         pgserver_url(pgserver_shared(), p->database));
	c = PQconnectdb(url);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	r = PQexec(c, sql);
	assert_true(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK);
	PQclear(r);
	return c;
}

static void sql(const struct place *p, const char *text)
{
	assert_true(pgserver_sql(pgserver_shared(), p->database, text));
}

static bool is_noted(const struct database_health *h, enum state s, const char *words)
{
	struct db_note notes[NOTES_MAX];
	const int n = database_notes(h, notes, NOTES_MAX);
	bool found = false;

	for (int i = 0; i < n; i++) {
		assert_true(text_is_clean(notes[i].text, strlen(notes[i].text)));
		/* The grave ones come first. */
		assert_false(i > 0 && notes[i].state == STATE_FAILED && notes[i - 1].state != STATE_FAILED);
		found |= notes[i].state == s && strstr(notes[i].text, words) != NULL;
	}
	return found;
}

static void quiet_database(void **state)
{
	struct place p;
	struct database_health *h;

	UNUSED(state);
	place_make(&p);
	sql(&p, "CREATE SCHEMA shop; CREATE TABLE shop.orders (id int); INSERT INTO shop.orders SELECT"
	        " generate_series(1, 1000); ANALYZE shop.orders");
	h = look(&p);
	assert_true(h->version >= 120000);
	assert_false(h->standby);
	assert_true(h->bytes > 0);
	assert_true(h->sees_all);
	assert_int_equal(h->n_waits, 0);
	assert_int_equal(h->n_leftovers, 0);
	assert_non_null(database_table(h, "orders"));
	assert_ptr_equal(database_table(h, "orders"), database_table(h, "shop.orders"));
	assert_null(database_table(h, "other.orders"));
	assert_int_equal(database_table(h, "orders")->rows, 1000);
	assert_true(database_table(h, "orders")->bytes > 8192);
	assert_true(is_noted(h, STATE_OK, "nobody in the way"));
	database_health_free(h);
	place_end(&p);
}

static void busy_database(void **state)
{
	struct place p;
	struct database_health *h;
	PGconn *idle, *waiter;
	int tries = 0;

	UNUSED(state);
	place_make(&p);
	sql(&p, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1), (1)");
	sql(&p, "ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > 0) NOT VALID");
	waiter = session(&p, "SELECT 1");
	/* Fails since the values are not unique, and leaves its index behind. */
	PQclear(PQexec(waiter, "CREATE UNIQUE INDEX CONCURRENTLY orders_id ON orders (id)"));
	idle = session(&p, "BEGIN; SELECT * FROM orders -- \x1b[31mreport");
	assert_int_equal(PQsendQuery(waiter, "ALTER TABLE orders ADD COLUMN note text"), 1);
	/* The query must have reached the server and wait there. */
	do {
		h = look(&p);
		if (h->n_waits > 0)
			break;
		database_health_free(h);
	} while (++tries < WAIT_S * 100);
	assert_int_equal(h->n_waits, 1);
	assert_int_equal(h->waits[0].pid, PQbackendPID(waiter));
	assert_int_equal(h->waits[0].blocker, PQbackendPID(idle));
	assert_string_equal(h->waits[0].relation, "orders");
	assert_string_equal(h->waits[0].wants, "AccessExclusiveLock");
	assert_string_equal(h->waits[0].blocker_app, "nightly-report");
	assert_ptr_equal(database_waiting(h, "nightly-report"), &h->waits[0]);
	assert_null(database_waiting(h, "nobody"));
	assert_int_equal(h->n_leftovers, 2);
	assert_true(is_noted(h, STATE_DEGRADED, "invalid index orders_id of orders"));
	assert_true(is_noted(h, STATE_DEGRADED, "positive of orders"));
	database_health_free(h);

	/* Judged by age, which a test cannot wait for. */
	h = look(&p);
	for (int i = 0; i < h->n_sessions; i++)
		if (h->sessions[i].pid == PQbackendPID(idle))
			h->sessions[i].idle_us = h->sessions[i].xact_us = 120 * US_PER_S;
	assert_true(is_noted(h, STATE_DEGRADED, "nightly-report"));
	assert_true(is_noted(h, STATE_DEGRADED, "idle in a transaction of 2m"));
	h->waits[0].waiting_us = 3 * US_PER_S;
	assert_true(is_noted(h, STATE_FAILED, "waits 3.0s"));
	h->standby = true;
	assert_true(is_noted(h, STATE_FAILED, "standby"));
	database_health_free(h);
	PQfinish(idle);
	PQfinish(waiter);
	place_end(&p);
}

/* What a run has changed, when it failed halfway and recorded nothing. */
static void half_done(void **state)
{
	struct place p;
	struct database_health *before, *after;
	struct db_note notes[NOTES_MAX];
	PGconn *c;

	UNUSED(state);
	place_make(&p);
	sql(&p, "CREATE TABLE orders (id int, name text); INSERT INTO orders VALUES (1, 'a'), (1, 'b')");
	before = look(&p);
	assert_true(before->has_catalog);
	assert_int_equal(database_changes(before, before, notes, NOTES_MAX), 0);
	sql(&p, "ALTER TABLE orders ADD note text; ALTER TABLE orders ALTER name SET NOT NULL;"
	        " ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > 0) NOT VALID");
	c = session(&p, "SELECT 1");
	PQclear(PQexec(c, "CREATE UNIQUE INDEX CONCURRENTLY orders_id ON orders (id)"));
	PQfinish(c);
	after = look(&p);
	assert_int_equal(database_changes(before, after, notes, NOTES_MAX), 4);
	assert_string_equal(notes[0].text, "column public.orders.name changed: text, now text not null");
	assert_string_equal(notes[1].text, "column public.orders.note was added");
	assert_string_equal(notes[2].text, "constraint public.orders.positive was added");
	assert_string_equal(notes[3].text, "index public.orders_id was added");
	assert_int_equal(database_changes(after, before, notes, 2), 4);
	assert_string_equal(notes[1].text, "column public.orders.note is gone");
	database_health_free(before);
	database_health_free(after);
	place_end(&p);
}

/* Nobody is cancelled who is not of this database. */
static struct outcome cancel(struct place *p, int pid, bool terminate)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, p->loop, 20 * US_PER_S);

	migrate_prisma.cancel(p->o.priv, pid, terminate, op);
	answer_wait(&a);
	return a.outcome;
}

static void cancels_only_there(void **state)
{
	struct place p, other;
	PGconn *c;
	PGresult *r;

	UNUSED(state);
	place_make(&p);
	place_make(&other);
	c = session(&p, "SELECT 1");
	assert_int_equal(PQsendQuery(c, "SELECT pg_sleep(60)"), 1);
	assert_int_equal(cancel(&other, PQbackendPID(c), false).kind, OUTCOME_FAILED);
	assert_int_equal(cancel(&p, PQbackendPID(c), false).kind, OUTCOME_OK);
	r = PQgetResult(c);
	assert_string_equal(PQresultErrorField(r, PG_DIAG_SQLSTATE), "57014");
	PQclear(r);
	while ((r = PQgetResult(c)) != NULL)
		PQclear(r);
	assert_int_equal(cancel(&p, PQbackendPID(c), true).kind, OUTCOME_OK);
	PQclear(PQexec(c, "SELECT 1"));
	assert_int_equal(PQstatus(c), CONNECTION_BAD);
	assert_int_equal(cancel(&p, PQbackendPID(c), true).kind, OUTCOME_FAILED);
	PQfinish(c);
	place_end(&p);
	place_end(&other);
}

/* A role without rights still gets an answer, and is told what it cannot see. */
static void poor_role(void **state)
{
	struct place p;
	struct database_health *h;
	char url[PATH_LEN];

	UNUSED(state);
	place_make(&p);
	sql(&p, "DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN PASSWORD 'poor'");
	driver_close(&p.o);
	pgserver_url_of(pgserver_shared(), "poor", "poor", p.database, url, sizeof(url));
	place_make_as(&p, url);
	h = look(&p);
	assert_false(h->sees_all);
	assert_true(is_noted(h, STATE_DEGRADED, "pg_read_all_stats"));
	database_health_free(h);
	place_end(&p);
}

/* EXCLUSIVE lets ACCESS SHARE pass and nothing that is stronger: whoever takes more waits here until it gives up. */
static void takes_no_more_than_access_share(void **state)
{
	struct place p;
	struct database_health *h;
	PGconn *c;

	UNUSED(state);
	place_make(&p);
	sql(&p,
	    "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 1000)");
	c = session(&p,
	            "BEGIN; LOCK TABLE orders, pg_class, pg_attribute, pg_index, pg_constraint, pg_namespace,"
	            " pg_type, pg_attrdef, pg_database, pg_authid IN EXCLUSIVE MODE");
	h = look(&p);
	assert_non_null(database_table(h, "orders"));
	assert_true(h->has_catalog);
	database_health_free(h);
	PQfinish(c);
	place_end(&p);
}

static void start_health(void *priv, struct op *op) { migrate_prisma.health(priv, false, op); }

static void laws(void **state)
{
	static const struct slot_call call = {"health", start_health};
	struct place p;

	UNUSED(state);
	place_make(&p);
	slot_laws(p.loop, p.o.priv, &call, false);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quiet_database),
	    cmocka_unit_test(busy_database),
	    cmocka_unit_test(half_done),
	    cmocka_unit_test(cancels_only_there),
	    cmocka_unit_test(poor_role),
	    cmocka_unit_test(laws),
	    cmocka_unit_test(takes_no_more_than_access_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
