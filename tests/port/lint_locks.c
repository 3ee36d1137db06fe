/*
 * The locks, rewrites and scans that the lint claims, measured again on a real server: every statement runs in a
 * transaction of a session that then looks at its own pg_locks, at relfilenodes and at the rows it read; those that
 * cannot run in a transaction are looked at from another session while they wait for an older one.
 */
#include "core/lint.h"
#include "io/file.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgserver.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <time.h>

enum { FIELDS_MAX = 8, CSV_MAX = 64 * 1024, DEADLINE_S = 30 };

static struct pgserver *server;
static const char *database;
static PGconn *session, *watcher;
static struct arena arena;

/* What stands before the statements of locks.csv. */
static const char schema[] =
    "CREATE TYPE mood AS ENUM ('sad', 'ok');\n"
    "CREATE DOMAIN pos AS int CHECK (value > 0);\n"
    "CREATE SCHEMA other;\n"
    "CREATE SEQUENCE s1;\n"
    "CREATE TABLE parent (id bigint PRIMARY KEY);\n"
    "CREATE TABLE t (id bigint PRIMARY KEY, a int, b varchar(20), c text, nn int NOT NULL, n numeric(10,2), "
    "d timestamp, j json, pid bigint, dom pos);\n"
    "CREATE TABLE child (id bigint PRIMARY KEY, tid bigint CONSTRAINT child_tid_fkey REFERENCES t (id));\n"
    "CREATE TABLE solo (id bigint PRIMARY KEY, a int);\n"
    "CREATE TABLE part (id int) PARTITION BY RANGE (id);\n"
    "CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (1000);\n"
    "CREATE TABLE pnew (id int CHECK (id IS NOT NULL AND id >= 1000 AND id < 2000));\n"
    "CREATE TABLE base (id bigint NOT NULL);\n"
    "INSERT INTO parent SELECT g FROM generate_series(1, 2000) g;\n"
    "INSERT INTO t SELECT g, g, 'b', 'c', g, 1, now(), '{}', g, 1 FROM generate_series(1, 2000) g;\n"
    "INSERT INTO child SELECT g, g FROM generate_series(1, 500) g;\n"
    "INSERT INTO solo SELECT g, g FROM generate_series(1, 500) g;\n"
    "INSERT INTO part SELECT g FROM generate_series(1, 500) g;\n"
    "CREATE INDEX t_a ON t (a);\n"
    "CREATE INDEX t_b ON t (b);\n"
    "CREATE UNIQUE INDEX t_a_u ON t (a);\n"
    "CREATE UNIQUE INDEX t_nn_u ON solo (a);\n"
    "ALTER TABLE t ADD CONSTRAINT a_nn CHECK (a IS NOT NULL);\n"
    "ALTER TABLE t ADD CONSTRAINT c_nv CHECK (a > 0) NOT VALID;\n"
    "ALTER TABLE t ADD CONSTRAINT fk_nv FOREIGN KEY (pid) REFERENCES parent (id) NOT VALID;\n"
    "CREATE TABLE nopk (a int);\n"
    "INSERT INTO nopk SELECT g FROM generate_series(1, 500) g;\n"
    "CREATE UNIQUE INDEX nopk_a ON nopk (a);\n"
    "CREATE VIEW v AS SELECT id, a FROM t;\n"
    "CREATE MATERIALIZED VIEW mv AS SELECT id, a FROM t;\n"
    "CREATE UNIQUE INDEX mv_id ON mv (id);\n"
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;\n"
    "CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();\n"
    "CREATE POLICY pol ON solo USING (true);\n";

/* --- the server ---------------------------------------------------------------------------------------------- */

static void run(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
}

/* The first cell; static, valid until the next call. */
static const char *ask(PGconn *c, const char *sql)
{
	static char cell[4096];
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	snprintf(cell, sizeof(cell), "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	return cell;
}

static PGconn *connect_to(void)
{
	PGconn *c = PQconnectdb(pgserver_url(server, database));

	if (PQstatus(c) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(c));
	run(c, "SET client_min_messages = warning; SET timezone = 'UTC'");
	return c;
}

static int group_start(void **state)
{
	UNUSED(state);
	server = pgserver_shared();
	database = pgserver_database(server);
	session = connect_to();
	watcher = connect_to();
	run(session, schema);
	run(session, "CREATE ROLE postgres"); /* that locks.csv gives a table to */
	run(session, "CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'");
	run(session, "SET allow_in_place_tablespaces = on");
	run(session, "CREATE TABLESPACE elsewhere LOCATION ''");
	run(session, "CREATE SCHEMA probe; CREATE TABLE probe.files AS SELECT oid, relname, relfilenode FROM "
	             "pg_class WHERE relkind IN "
	             "('r', 'p', 'm') AND "
	             "relnamespace = 'public'::regnamespace; ANALYZE");
	return 0;
}

static int group_end(void **state)
{
	UNUSED(state);
	PQfinish(session);
	PQfinish(watcher);
	return 0;
}

/* --- measuring ----------------------------------------------------------------------------------------------- */

struct measured {
	enum lock_mode lock;
	bool rewrite, scan;
	char tables[512]; /* "t=AccessExclusiveLock ..." */
};

static enum lock_mode mode_named(const char *name)
{
	for (int i = 1; i < LOCK_MODE_COUNT; i++)
		if (strcmp(lock_mode_name((enum lock_mode)i), name) == 0)
			return (enum lock_mode)i;
	return LOCK_NONE;
}

/* Locks of a backend on tables of before; the strongest and all of them. */
static void take_locks(PGconn *c, const char *pid, struct measured *m)
{
	char sql[512];
	PGresult *r;

	snprintf(sql, sizeof(sql),
	         "SELECT DISTINCT f.relname, l.mode FROM pg_locks l JOIN probe.files f ON f.oid = l.relation "
	         "WHERE l.pid = %s AND l.granted ORDER BY 1, 2",
	         pid);
	r = PQexec(c, sql);
	assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
	for (int i = 0; i < PQntuples(r); i++) {
		const size_t n = strlen(m->tables);
		const enum lock_mode mode = mode_named(PQgetvalue(r, i, 1));

		snprintf(m->tables + n, sizeof(m->tables) - n, "%s%s=%s", n > 0 ? " " : "",
		         PQgetvalue(r, i, 0), PQgetvalue(r, i, 1));
		m->lock = MAX(m->lock, mode);
	}
	PQclear(r);
}

/* Rows read by scans so far. The server counts over transactions until it reports them: only differences count. */
static long long rows_read(void)
{
	return strtoll(ask(session, "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables "
	                            "WHERE relid IN (SELECT oid FROM probe.files)"),
	               NULL, 10);
}

/* Runs a statement in a transaction that is rolled back. */
static struct measured measure(const char *sql)
{
	struct measured m = {.lock = LOCK_NONE};
	long long before;
	PGresult *r;

	run(session, "BEGIN");
	before = rows_read();
	r = PQexec(session, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(session));
	PQclear(r);
	m.scan = rows_read() > before;
	m.rewrite =
	    strcmp(ask(session,
	               "SELECT count(*) > 0 FROM probe.files f JOIN pg_class c ON c.oid = f.oid WHERE "
	               "c.relfilenode <> f.relfilenode"),
	           "t") == 0;
	take_locks(session, ask(session, "SELECT pg_backend_pid()"), &m);
	run(session, "ROLLBACK");
	return m;
}

/* --- the claim ----------------------------------------------------------------------------------------------- */

/* Rows of the table of claims that a statement here has met. */
static bool met[256];

static void note(const char *form)
{
	const struct claim *all = claims_all();

	for (int i = 0; all[i].form != NULL; i++)
		met[i] |= strcmp(all[i].form, form) == 0;
}

static struct lint_statement claimed(const char *sql)
{
	struct lint_context ctx = {.tool = LINT_TOOL_SQL, .known = lint_known_new(&arena)};
	struct lint_statement all = {0};
	struct lint_report r;

	lint_file(&arena, "", schema, sizeof(schema) - 1, &ctx, &r);
	lint_known_next_run(ctx.known);
	lint_file(&arena, "", sql, strlen(sql), &ctx, &r);
	assert_true(r.n_statements > 0);
	for (int i = 0; i < r.acts.n; i++)
		note(claim_of(&r.acts.items[i]).form);
	for (int i = 0; i < r.n_statements; i++) {
		all.lock = MAX(all.lock, r.statements[i].lock);
		all.rewrite = MAX(all.rewrite, r.statements[i].rewrite);
		all.scan = MAX(all.scan, r.statements[i].scan);
	}
	return all;
}

/* Claims that say less, or more, than was measured here, and why that is right. */
static const struct {
	const char *sql, *reason;
} looser[] = {
    {"SELECT 1 FROM t LIMIT 1", "how much a query reads is for the planner"},
    {"COPY t TO STDOUT", "how much a query reads is for the planner"},
    {"ALTER TABLE t VALIDATE CONSTRAINT fk_nv", "also ROW SHARE on the parent, which is weaker"},
};

static bool is_looser(const char *sql)
{
	for (size_t i = 0; i < ARRAY_LEN(looser); i++)
		if (strcmp(looser[i].sql, sql) == 0)
			return true;
	return false;
}

static bool agrees(enum tri claim, bool measured) { return claim == MAYBE || (claim == YES) == measured; }

static void compare(const char *sql, const struct measured *m)
{
	const struct lint_statement c = claimed(sql);

	if (c.lock != m->lock)
		fail_msg("%s: claimed %s, measured %s", sql, lock_mode_name(c.lock), m->tables);
	if (!agrees(c.rewrite, m->rewrite))
		fail_msg("%s: rewrite claimed %d, measured %d", sql, (int)c.rewrite, m->rewrite);
	if (!is_looser(sql) && !agrees(c.scan, m->scan))
		fail_msg("%s: scan claimed %d, measured %d", sql, (int)c.scan, m->scan);
}

static int test_start(void **state)
{
	UNUSED(state);
	arena_init(&arena, ARENA_DEFAULT_MAX);
	return 0;
}

static int test_end(void **state)
{
	UNUSED(state);
	arena_release(&arena);
	return 0;
}

/* The table is of PostgreSQL 15; others take other locks here and there. */
static void needs_15(void)
{
	if (PQserverVersion(session) / 10000 != 15)
		skip();
}

/* --- the recorded statements --------------------------------------------------------------------------------- */

/* One record of a CSV with quotes; returns the next line. */
static const char *csv_fields(const char *p, char fields[FIELDS_MAX][512], int *n)
{
	size_t k = 0;
	bool quoted = false;

	for (*n = 0; *p != '\0' && *n < FIELDS_MAX; p++) {
		if (*p == '"' && quoted && p[1] == '"') {
			fields[*n][k++] = *p++;
		} else if (*p == '"') {
			quoted = !quoted;
		} else if ((*p == ',' || *p == '\n') && !quoted) {
			fields[(*n)++][k] = '\0';
			k = 0;
			if (*p == '\n')
				return p + 1;
		} else if (k + 1 < 512 && *p != '\r') {
			fields[*n][k++] = *p;
		}
	}
	return p;
}

/* The strongest mode in "t=A+B parent=C". */
static enum lock_mode strongest_in(const char *locks)
{
	enum lock_mode best = LOCK_NONE;

	for (int i = 1; i < LOCK_MODE_COUNT; i++) {
		const char *name = lock_mode_name((enum lock_mode)i);

		for (const char *at = locks; (at = strstr(at, name)) != NULL; at++)
			if (at > locks && (at[-1] == '=' || at[-1] == '+'))
				best = (enum lock_mode)i;
	}
	return best;
}

/* Claim, record and server say the same of each statement. */
static void recorded_statements(void **state)
{
	const char *top = getenv("TOWPATH_TOP");
	char path[PATH_LEN], fields[FIELDS_MAX][512];
	struct str text;
	int n, n_done = 0;

	UNUSED(state);
	needs_15();
	str_init(&text, CSV_MAX);
	snprintf(path, sizeof(path), "%.900s/tests/fixtures/lint/locks.csv", top != NULL ? top : ".");
	assert_int_equal(file_read(path, CSV_MAX, &text, NULL), 0);
	for (const char *p = csv_fields(text.data, fields, &n); *p != '\0';) {
		struct lint_statement c;
		struct measured m;

		p = csv_fields(p, fields, &n);
		if (n < 4)
			continue;
		c = claimed(fields[0]);
		/* Recorded as failing: it has no lock to measure. */
		if (n >= 5 && fields[4][0] != '\0')
			continue;
		if (c.lock != strongest_in(fields[1]))
			fail_msg("%s: claimed %s, recorded %s", fields[0], lock_mode_name(c.lock), fields[1]);
		if (!agrees(c.rewrite, fields[2][0] != '\0'))
			fail_msg("%s: rewrite claimed %d, recorded \"%s\"", fields[0], (int)c.rewrite,
			         fields[2]);
		if (!is_looser(fields[0]) && !agrees(c.scan, fields[3][0] != '\0'))
			fail_msg("%s: scan claimed %d, recorded \"%s\"", fields[0], (int)c.scan, fields[3]);
		m = measure(fields[0]);
		compare(fields[0], &m);
		n_done++;
	}
	str_release(&text);
	assert_true(n_done >= 80);
}

/* --- further statements -------------------------------------------------------------------------------------- */

static void further_statements(void **state)
{
	static const char *const statements[] = {
	    "ALTER TABLE t ADD COLUMN z bigint DEFAULT 1 REFERENCES parent (id)",
	    "ALTER TABLE t ADD COLUMN z bigint UNIQUE REFERENCES parent (id)",
	    "ALTER TABLE solo ADD COLUMN z int DEFAULT 1 CHECK (z > 0)",
	    "ALTER TABLE t ADD COLUMN z text DEFAULT lower('X')",
	    "ALTER TABLE t ADD COLUMN z bigint DEFAULT nextval('s1')",
	    "ALTER TABLE t ADD COLUMN z float8 DEFAULT random()",
	    "ALTER TABLE t ALTER COLUMN b TYPE text USING b::text",
	    "ALTER TABLE t ALTER COLUMN nn TYPE smallint",
	    "ALTER TABLE t ALTER COLUMN n TYPE numeric",
	    "ALTER TABLE t ALTER COLUMN d TYPE timestamp(3)",
	    "ALTER TABLE t ALTER COLUMN c SET STORAGE external",
	    "ALTER TABLE t ALTER COLUMN c SET COMPRESSION pglz",
	    "ALTER TABLE t ALTER COLUMN a SET (n_distinct = 5)",
	    "ALTER TABLE t ALTER COLUMN a RESET (n_distinct)",
	    "ALTER TABLE t ALTER COLUMN nn ADD GENERATED BY DEFAULT AS IDENTITY",
	    "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
	    "ALTER TABLE t RENAME CONSTRAINT c_nv TO c_nv2",
	    "ALTER TABLE child ALTER CONSTRAINT child_tid_fkey DEFERRABLE",
	    "ALTER TABLE t DROP CONSTRAINT c_nv",
	    "ALTER TABLE t CLUSTER ON t_pkey",
	    "ALTER TABLE t SET WITHOUT CLUSTER",
	    "ALTER TABLE t REPLICA IDENTITY FULL",
	    "ALTER TABLE solo INHERIT base",
	    "ALTER TABLE t RESET (fillfactor)",
	    "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
	    "ALTER TABLE t FORCE ROW LEVEL SECURITY",
	    "ALTER TABLE t NO FORCE ROW LEVEL SECURITY",
	    "ALTER TABLE t ENABLE TRIGGER trg",
	    "ALTER INDEX t_b RENAME TO t_b2",
	    "ALTER INDEX t_b SET (fillfactor = 80)",
	    "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a, b)",
	    "ALTER TABLE parent ADD COLUMN z int NOT NULL DEFAULT 1, ADD CHECK (z > 0)",
	    "ALTER DOMAIN pos ADD CONSTRAINT k CHECK (value < 100)",
	    "ALTER DOMAIN pos ADD CONSTRAINT k CHECK (value < 100) NOT VALID",
	    "CREATE TABLE n1 (id int)",
	    "CREATE TABLE n2 (id bigint, FOREIGN KEY (id) REFERENCES parent (id))",
	    "CREATE MATERIALIZED VIEW mv2 AS SELECT * FROM t",
	    "CREATE STATISTICS st ON a, nn FROM t",
	    "CREATE POLICY p2 ON t USING (true)",
	    "DROP POLICY pol ON solo",
	    "CREATE RULE ru AS ON UPDATE TO solo DO ALSO NOTHING",
	    "DROP MATERIALIZED VIEW mv",
	    "DROP INDEX t_a",
	    "COMMENT ON COLUMN t.a IS 'x'",
	    "COMMENT ON INDEX t_a IS 'x'",
	    "INSERT INTO solo VALUES (9999, 9999)",
	    "DELETE FROM solo WHERE id = 1",
	    "COPY t TO STDOUT",
	    "LOCK TABLE t IN SHARE MODE",
	    "LOCK TABLE t IN ACCESS SHARE MODE",
	    "REINDEX TABLE solo",
	    "CREATE UNIQUE INDEX q ON t (a, b)",
	    "ALTER TABLE nopk ADD CONSTRAINT k PRIMARY KEY USING INDEX nopk_a",
	    "ALTER TABLE solo SET TABLESPACE elsewhere",
	    "ALTER TABLE t ADD COLUMN z int DEFAULT own()",
	    "ALTER TYPE mood RENAME TO mood2",
	    "REVOKE SELECT ON t FROM public",
	};

	UNUSED(state);
	needs_15();
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		/* COPY TO STDOUT speaks another protocol. */
		struct measured m = strncmp(statements[i], "COPY", 4) == 0 ? measure("SELECT * FROM t")
		                                                           : measure(statements[i]);

		compare(statements[i], &m);
	}
}

/* --- those that run outside of transactions ------------------------------------------------------------------ */

/* Waits until a condition over the statement's backend holds. */
static void wait_for(PGconn *c, const char *sql)
{
	const time_t end = time(NULL) + DEADLINE_S;

	while (strcmp(ask(c, sql), "t") != 0)
		if (time(NULL) > end)
			fail_msg("never true: %s", sql);
}

static void concurrent_forms(void **state)
{
	/* What another session holds while the statement waits for it. */
	static const struct {
		const char *holds, *sql, *undo;
	} forms[] = {
	    {"SELECT 1 FROM t LIMIT 1", "CREATE INDEX CONCURRENTLY i2 ON t (nn)", "DROP INDEX i2"},
	    {"SELECT 1 FROM t LIMIT 1", "DROP INDEX CONCURRENTLY t_b", "CREATE INDEX t_b ON t (b)"},
	    {"SELECT 1 FROM t LIMIT 1", "REINDEX INDEX CONCURRENTLY t_a", ""},
	    {"SELECT 1 FROM t LIMIT 1", "REINDEX TABLE CONCURRENTLY t", ""},
	};
	char pid[32], sql[256];

	UNUSED(state);
	needs_15();
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const struct lint_statement c = claimed(forms[i].sql);
		struct measured m = {.lock = LOCK_NONE};
		PGconn *older = connect_to();
		PGresult *r;

		snprintf(pid, sizeof(pid), "%s", ask(session, "SELECT pg_backend_pid()"));
		/* A writer's transaction is waited for by all of them. */
		run(older, "BEGIN ISOLATION LEVEL REPEATABLE READ");
		run(older, forms[i].holds);
		run(older, "UPDATE t SET c = 'x' WHERE id = 1");
		assert_int_equal(PQsendQuery(session, forms[i].sql), 1);
		snprintf(sql, sizeof(sql), "SELECT count(*) > 0 FROM pg_locks WHERE pid = %s AND NOT granted",
		         pid);
		wait_for(watcher, sql);
		take_locks(watcher, pid, &m);
		/* Nothing weaker than what it holds while it waits was claimed, and reads and writes go on. */
		if (m.lock != c.lock)
			fail_msg("%s: claimed %s, measured %s", forms[i].sql, lock_mode_name(c.lock),
			         m.tables);
		run(watcher, "UPDATE t SET c = 'y' WHERE id = 2");
		run(older, "ROLLBACK");
		PQfinish(older);
		while ((r = PQgetResult(session)) != NULL) {
			assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
			PQclear(r);
		}
		if (forms[i].undo[0] != '\0')
			run(session, forms[i].undo);
	}
}

/* DETACH CONCURRENTLY holds nothing while it waits; it must not stop readers of the parent. */
static void detach_concurrently(void **state)
{
	static const char sql[] = "ALTER TABLE part DETACH PARTITION part1 CONCURRENTLY";
	const struct lint_statement c = claimed(sql);
	PGconn *older = connect_to();
	char pid[32], blocked[256];
	PGresult *r;

	UNUSED(state);
	needs_15();
	assert_int_equal(c.scan, NO);
	snprintf(pid, sizeof(pid), "%s", ask(session, "SELECT pg_backend_pid()"));
	run(older, "BEGIN");
	run(older, "SELECT count(*) FROM part");
	assert_int_equal(PQsendQuery(session, sql), 1);
	snprintf(blocked, sizeof(blocked), "SELECT count(*) > 0 FROM pg_locks WHERE pid = %s AND NOT granted",
	         pid);
	wait_for(watcher, blocked);
	assert_string_equal(ask(watcher, "SELECT count(*) >= 0 FROM part"), "t");
	run(older, "ROLLBACK");
	PQfinish(older);
	while ((r = PQgetResult(session)) != NULL) {
		assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
		PQclear(r);
	}
	run(session, "ALTER TABLE part ATTACH PARTITION part1 FOR VALUES FROM (0) TO (1000)");
}

/* VACUUM FULL refuses a transaction: what it holds is seen while it waits for a reader. */
static void outside_transactions(void **state)
{
	const struct lint_statement c = claimed("VACUUM FULL solo");
	PGconn *older = connect_to();
	char pid[32], sql[256];
	PGresult *r;

	UNUSED(state);
	needs_15();
	snprintf(pid, sizeof(pid), "%s", ask(session, "SELECT pg_backend_pid()"));
	run(older, "BEGIN");
	run(older, "SELECT 1 FROM solo LIMIT 1");
	assert_int_equal(PQsendQuery(session, "VACUUM FULL solo"), 1);
	snprintf(
	    sql, sizeof(sql),
	    "SELECT count(*) > 0 FROM pg_locks WHERE pid = %s AND NOT granted AND mode = '%s' AND relation = "
	    "'solo'::regclass",
	    pid, lock_mode_name(c.lock));
	wait_for(watcher, sql);
	run(older, "ROLLBACK");
	PQfinish(older);
	while ((r = PQgetResult(session)) != NULL) {
		assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
		PQclear(r);
	}
	assert_int_equal(c.rewrite, YES);
	assert_string_equal(
	    ask(session,
	        "SELECT c.relfilenode <> f.relfilenode FROM probe.files f JOIN pg_class c ON c.oid = f.oid "
	        "WHERE f.relname = 'solo'"),
	    "t");
	run(session,
	    "UPDATE probe.files f SET relfilenode = c.relfilenode FROM pg_class c WHERE c.oid = f.oid");
}

/* What the lint says cannot run in a transaction, PostgreSQL refuses there (25001). */
static void refused_in_transactions(void **state)
{
	static const char *const statements[] = {"CREATE INDEX CONCURRENTLY i3 ON t (a)",
	                                         "DROP INDEX CONCURRENTLY t_a",
	                                         "REINDEX TABLE CONCURRENTLY t",
	                                         "VACUUM t",
	                                         "VACUUM FULL t",
	                                         "ALTER SYSTEM SET work_mem = '5MB'",
	                                         "CREATE DATABASE zzz",
	                                         "DROP DATABASE zzz",
	                                         "ALTER TABLE part DETACH PARTITION part1 CONCURRENTLY",
	                                         "REINDEX SCHEMA public",
	                                         "CREATE TABLESPACE zz LOCATION '/nowhere'"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		const struct lint_context ctx = {.tool = LINT_TOOL_SQL, .transaction = TX_YES};
		struct lint_report r;
		bool found = false;
		PGresult *res;

		lint_file(&arena, "", statements[i], strlen(statements[i]), &ctx, &r);
		for (int k = 0; k < r.n_findings; k++)
			found |= r.findings[k].rule == RULE_IN_TRANSACTION;
		if (!found)
			fail_msg("%s: no L3", statements[i]);
		run(session, "BEGIN");
		res = PQexec(session, statements[i]);
		if (strcmp(PQresultErrorField(res, PG_DIAG_SQLSTATE) != NULL
		               ? PQresultErrorField(res, PG_DIAG_SQLSTATE)
		               : "",
		           "25001") != 0)
			fail_msg("%s: not refused as such: %s", statements[i], PQerrorMessage(session));
		PQclear(res);
		run(session, "ROLLBACK");
	}
}

/* The table holds nothing that no statement above has shown. */
static void every_claim_is_measured(void **state)
{
	static const char *const not_here[] = {
	    "VACUUM", /* too short to be seen, and it waits for nobody */
	    "TYPE text, varchar, numeric or timestamptz where the old type is not known"};
	const struct claim *all = claims_all();

	UNUSED(state);
	needs_15();
	for (int i = 0; all[i].form != NULL; i++) {
		bool known = met[i];

		for (size_t k = 0; k < ARRAY_LEN(not_here); k++)
			known |= strcmp(all[i].form, not_here[k]) == 0;
		if (!known)
			fail_msg("no statement measures: %s", all[i].form);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(recorded_statements, test_start, test_end),
	    cmocka_unit_test_setup_teardown(further_statements, test_start, test_end),
	    cmocka_unit_test_setup_teardown(concurrent_forms, test_start, test_end),
	    cmocka_unit_test_setup_teardown(detach_concurrently, test_start, test_end),
	    cmocka_unit_test_setup_teardown(outside_transactions, test_start, test_end),
	    cmocka_unit_test_setup_teardown(refused_in_transactions, test_start, test_end),
	    cmocka_unit_test(every_claim_is_measured),
	};

	return cmocka_run_group_tests(tests, group_start, group_end);
}
