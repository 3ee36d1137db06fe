/*
 * Findings of the lint: each rule, in SQL files of each tool; marks, sizes, severities; and agreement with squawk on
 * the corpus, where each difference stands in a table with its reason.
 */
#include "core/jv.h"
#include "core/lint.h"
#include "core/text.h"
#include "io/file.h"
#include "tests/lib/cm.h"

#include <stdio.h>

enum { CORPUS_MAX = 1024 * 1024 };

static struct arena arena;
static struct lint_report report;

static int setup(void **state)
{
	UNUSED(state);
	arena_init(&arena, ARENA_DEFAULT_MAX);
	return 0;
}

static int teardown(void **state)
{
	UNUSED(state);
	arena_release(&arena);
	return 0;
}

static const struct lint_report *lint(const char *path, const char *text, const struct lint_context *ctx)
{
	lint_file(&arena, path, text, strlen(text), ctx, &report);
	for (int i = 0; i < report.n_findings; i++) {
		const struct lint_finding *f = &report.findings[i];

		assert_true(text_is_clean(f->message, strlen(f->message)));
		assert_true(text_is_clean(f->safer, strlen(f->safer)));
		assert_true(text_is_clean(f->table, strlen(f->table)));
		assert_null(strchr(f->message, '{'));
		assert_null(strchr(f->safer, '{'));
		assert_true(f->line >= 1);
	}
	return &report;
}

/* "B1:2 L9:3" of a report: rules and lines; those in but are left out. */
static const char *word(const struct lint_report *r, const char *but)
{
	static char dst[1024];
	size_t n = 0;

	dst[0] = '\0';
	for (int i = 0; i < r->n_findings; i++) {
		const char *id = lint_rule_desc(r->findings[i].rule)->id;

		if (strstr(but, id) == NULL && n + 16 < sizeof(dst))
			n += (size_t)snprintf(dst + n, sizeof(dst) - n, "%s%s:%d", n > 0 ? " " : "", id,
			                      r->findings[i].line);
	}
	return dst;
}

/* Without the timeouts and idempotence that nearly every statement has. */
static void expect(const char *path, const char *sql, const char *want)
{
	static const struct lint_context plain = {.tool = LINT_TOOL_AUTO};
	const char *got = word(lint(path, sql, &plain), "T1 T2 T5");

	if (strcmp(got, want) != 0)
		fail_msg("%s: got \"%s\", want \"%s\"", sql, got, want);
}

static void expect_all(const char *path, const char *sql, const char *want)
{
	static const struct lint_context plain = {.tool = LINT_TOOL_AUTO};
	const char *got = word(lint(path, sql, &plain), "none");

	if (strcmp(got, want) != 0)
		fail_msg("%s: got \"%s\", want \"%s\"", sql, got, want);
}

static void breaking(void **state)
{
	UNUSED(state);
	expect("", "ALTER TABLE t\n  DROP COLUMN a,\n  DROP COLUMN b;", "B1:2 B1:3");
	expect("",
	       "DROP TABLE t;\n\nDROP SCHEMA s CASCADE;\nDROP VIEW v;\nDROP TYPE y;\nDROP FUNCTION f(int);",
	       "B2:1 B2:3 B2:4 B2:5 B2:6");
	expect("", "DROP DATABASE d", "B2:1");
	expect("", "DROP MATERIALIZED VIEW v", "B2:1");
	expect("", "ALTER TABLE t RENAME a TO b;\nALTER TABLE t RENAME TO u;\nALTER SCHEMA s RENAME TO r",
	       "B3:1 B3:2 B3:3");
	expect("", "ALTER TABLE t SET SCHEMA s;\nALTER TYPE y RENAME VALUE 'a' TO 'b'", "B3:1 B3:2");
	expect("", "ALTER TABLE t ADD a int NOT NULL", "B4:1");
	expect("", "ALTER TABLE t ADD a int NOT NULL DEFAULT 0", "");
	expect("", "ALTER TABLE t ALTER a SET NOT NULL", "B5:1 L7:1");
	expect("", "ALTER TABLE t ADD CHECK (a > 0)", "B5:1 L5:1");
	expect("", "ALTER TABLE t ADD UNIQUE (a)", "B5:1 L6:1");
	expect("", "ALTER TABLE t ADD PRIMARY KEY (a)", "B5:1 L6:1");
	expect("", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p", "B5:1 L4:1");
	expect("", "ALTER TABLE t ADD EXCLUDE USING gist (a WITH =)", "B5:1 L6:1");
	expect("", "ALTER DOMAIN d ADD CHECK (value > 0)", "B5:1");
	expect("", "ALTER DOMAIN d ADD CHECK (value > 0) NOT VALID", "");
	expect("", "ALTER TABLE t ALTER a TYPE int", "B6:1 L8:1");
	expect("", "ALTER TABLE t ADD a varchar(20);\nALTER TABLE t ALTER a TYPE text", "");
	expect("", "ALTER TABLE t ADD a text;\nALTER TABLE t ALTER a TYPE int USING a::int",
	       "M1:1 B6:2 L8:2");
	expect("", "ALTER TABLE t ALTER a DROP DEFAULT;\nALTER TABLE t ALTER a DROP NOT NULL",
	       "B7:1 M1:1 B7:2");
	expect("", "TRUNCATE a, b;\nDELETE FROM c;\nUPDATE d SET x = 1;\nDELETE FROM e WHERE x = 1",
	       "B8:1 B8:1 B8:2 T4:2 B8:3 T4:3 B8:4");
	expect("",
	       "REVOKE SELECT ON t FROM app;\nDROP POLICY p ON t;\nALTER TABLE t ENABLE ROW LEVEL SECURITY",
	       "B9:1 B9:2 B9:3");
	expect("", "CREATE POLICY p ON t USING (true);\nALTER TABLE t ENABLE ROW LEVEL SECURITY", "");
}

static void blocking(void **state)
{
	UNUSED(state);
	expect("", "CREATE INDEX i ON t (a)", "L1:1");
	expect("", "CREATE UNIQUE INDEX i ON t (a)", "B5:1 L1:1");
	expect("", "CREATE INDEX CONCURRENTLY i ON t (a)", "");
	expect("", "CREATE TABLE t (a int);\nCREATE INDEX i ON t (a)", "");
	expect("", "CREATE TABLE \"T\" (a int);\nCREATE INDEX i ON t (a)", "L1:2");
	expect("", "DROP INDEX i;\nREINDEX TABLE t", "L2:1 L2:2");
	expect("",
	       "DROP INDEX CONCURRENTLY i;\nREINDEX INDEX CONCURRENTLY j;\nREINDEX (CONCURRENTLY) TABLE t",
	       "");
	expect("", "BEGIN;\nCREATE INDEX CONCURRENTLY i ON t (a);\nCOMMIT", "L3:2");
	expect("", "BEGIN;\nVACUUM t;\nCOMMIT;\nVACUUM t", "L3:2");
	expect("", "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p NOT VALID", "");
	expect("", "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i", "");
	expect("", "ALTER TABLE t ADD a int UNIQUE;\nALTER TABLE t ADD b int CHECK (b > 0)", "L6:1 L5:2");
	expect("",
	       "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid();\nALTER TABLE t ADD b timestamptz DEFAULT "
	       "now()",
	       "L8:1");
	expect("", "ALTER TABLE t ADD a text DEFAULT my_own()", "L8:1");
	expect("", "ALTER TABLE t ADD a serial;\nALTER TABLE t ADD b int GENERATED ALWAYS AS (a * 2) STORED",
	       "L8:1 L8:2");
	expect("", "ALTER TABLE t ADD b int GENERATED ALWAYS AS (a * 2) VIRTUAL", "");
	expect("", "ALTER TABLE t SET UNLOGGED;\nCLUSTER t USING i;\nVACUUM FULL t", "L8:1 L8:2 L8:3");
	expect("", "REFRESH MATERIALIZED VIEW v;\nREFRESH MATERIALIZED VIEW CONCURRENTLY v", "L8:1");
	expect("", "BEGIN;\nALTER TABLE t ADD a int;\nCREATE INDEX i ON u (a);\nCOMMIT", "L1:3 L9:3 L10:3");
	expect("", "BEGIN;\nALTER TABLE t ADD a int;\nUPDATE t SET a = b WHERE a IS NULL;\nCOMMIT", "L9:3");
	expect("",
	       "BEGIN;\nALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;\nALTER TABLE t VALIDATE "
	       "CONSTRAINT k;\nCOMMIT",
	       "L9:3");
	expect("",
	       "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT k",
	       "");
	expect("", "ALTER TABLE p DETACH PARTITION q;\nCREATE TABLE r PARTITION OF p FOR VALUES IN (1)",
	       "B9:1 L11:1 M1:1 L11:2");
	expect("", "CREATE TABLE n (a int REFERENCES t);\nDROP TABLE o CASCADE", "L12:1 M1:1 B2:2 L12:2");
	expect("", "CREATE TABLE n (a int);\nALTER TABLE n ADD FOREIGN KEY (a) REFERENCES t", "L12:2");
	expect("", "ALTER TABLE t ADD c int;\nDROP TABLE u", "M1:1 B2:2");
}

static void running(void **state)
{
	UNUSED(state);
	expect_all("", "ALTER TABLE t ADD a int", "T1:1 T2:1 T5:1");
	expect_all("",
	           "SET lock_timeout = '2s'; SET LOCAL statement_timeout TO '1min';\nALTER TABLE t ADD IF "
	           "NOT EXISTS a int",
	           "");
	expect_all("",
	           "SET lock_timeout = 0; SET statement_timeout = 5;\nALTER TABLE t ADD IF NOT EXISTS a int",
	           "T1:2");
	expect_all("",
	           "SELECT set_config('lock_timeout', '2s', false);\nALTER TABLE t ADD IF NOT EXISTS a int",
	           "T2:2");
	expect_all("", "CREATE TABLE IF NOT EXISTS t (a int); ALTER TABLE t ALTER a SET DEFAULT 1", "");
	expect("V1__x.sql", "BEGIN;\nALTER TABLE t ADD a int;\nCOMMIT", "T3:1");
	expect("", "BEGIN;\nALTER TABLE t ADD a int", "T3:1");
	expect("", "ALTER SYSTEM SET x = 1;\nCREATE EXTENSION pgcrypto;\nALTER ROLE app SUPERUSER",
	       "T6:1 T6:2 T6:3");
	expect("", "COPY t FROM PROGRAM 'x';\nDO $$ BEGIN END $$;\nFROBNICATE", "T6:1 T6:1 T6:2 T6:3");
}

/* The same statement under each tool: is it inside a transaction, and does the file say otherwise. */
static void tools(void **state)
{
	static const char index[] = "CREATE INDEX CONCURRENTLY i ON t (a);";
	static const struct {
		const char *path, *form, *want;
	} cases[] = {
	    {"migrations/20260112101500_x/migration.sql", "%s", ""},
	    {"migrations/20260112101500_x/migration.sql", "%s\nSELECT 1;", "L3:1"},
	    {"V2__x.sql", "%s", ""},
	    {"V2__x.sql", "%s\nCREATE TABLE n (a int);", "L3:1"},
	    {"U2__x.sql", "DROP TABLE t;%s", ""},
	    {"1_x.up.sql", "%s", ""},
	    {"1_x.up.sql", "%sSELECT 1", "L3:1"},
	    {"1_x.down.sql", "DROP TABLE t;%s", ""},
	    {"1_x.sql", "-- +goose Up\n%s\n-- +goose Down\nDROP TABLE t;", "L3:2"},
	    {"1_x.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n%s\n-- +goose Down\nDROP TABLE t;", ""},
	    {"1_x.sql", "-- migrate:up\n%s\n-- migrate:down\nDROP TABLE t;", "L3:2"},
	    {"1_x.sql", "-- migrate:up transaction:false\n%s\n-- migrate:down\nDROP TABLE t;", ""},
	    {"1_x.sql", "-- Up Migration\n%s\n-- Down Migration\nDROP TABLE t;", "L3:2"},
	    {"c.sql", "--liquibase formatted sql\n--changeset a:1\n%s\n--rollback DROP TABLE t;", "L3:3"},
	    {"c.sql", "--liquibase formatted sql\n--changeset a:1 runInTransaction:false\n%s", ""},
	    {"c.sql",
	     "--liquibase formatted sql\n--changeset a:1 dbms:oracle\nDROP TABLE t;\n--changeset a:2\nSELECT "
	     "1;%s",
	     "L3:5"},
	    {"drizzle/0001_x.sql", "%s", "L3:1"},
	    {"x.sql", "-- atlas:txmode none\n%s", ""},
	    {"x.sql", "%s", ""},
	    {"deploy/x.sql", "-- Deploy app:x to pg\nBEGIN;\n%s\nCOMMIT;", "L3:3"},
	    {"revert/x.sql", "-- Revert app:x from pg\nDROP TABLE t;%s", ""},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = strstr(cases[i].form, "%s");
		char sql[512];

		assert_non_null(at);
		snprintf(sql, sizeof(sql), "%.*s%s%s", (int)(at - cases[i].form), cases[i].form, index,
		         at + 2);
		expect(cases[i].path, sql, cases[i].want);
	}
}

static void marks(void **state)
{
	UNUSED(state);
	expect("", "-- squawk-ignore ban-drop-column\nALTER TABLE t DROP a;\nALTER TABLE t DROP b;", "B1:3");
	expect("", "-- squawk-ignore\n\n-- why\nALTER TABLE t DROP a;\nALTER TABLE t DROP b;", "B1:5");
	expect("", "ALTER TABLE t DROP a; -- towpath:ignore B1\nALTER TABLE t DROP b;", "B1:2");
	expect("", "-- towpath:ignore drop-table\nALTER TABLE t DROP a;", "B1:2");
	expect(
	    "",
	    "-- towpath:ignore-file B1, L1, M1\nSELECT 1;\nALTER TABLE t DROP b;\nCREATE INDEX i ON t (a);",
	    "");
	expect("", "-- squawk-ignore-file\nALTER TABLE t DROP b;\nCREATE INDEX i ON t (a);", "");
	expect("", "-- atlas:nolint destructive\nALTER TABLE t DROP b;\nDROP TABLE t", "B2:3");
	expect("", "-- atlas:nolint DS103\n\nALTER TABLE t DROP b;\nALTER TABLE t DROP c;\nDROP TABLE t",
	       "B2:5");
	expect("", "-- eugene: ignore E6\nCREATE INDEX i ON t (a);\nCREATE INDEX j ON t (a);", "L1:3");
	expect("", "/* towpath:ignore B1 */ ALTER TABLE t DROP a;", "");
	expect("", "ALTER TABLE t\n  -- towpath:ignore B1\n  DROP a,\n  DROP b;", "B1:4");
	/* No comment, no mark. */
	expect("", "SELECT 'squawk-ignore';\nALTER TABLE t DROP a;", "B1:2");
	assert_int_equal(report.n_ignored, 0);
	/* A mark takes the finding, not the truth. */
	expect("", "-- towpath:ignore\nDROP TABLE t;", "");
	assert_true(report.summary.destructive && report.summary.loses_data);
	assert_true(report.n_ignored > 0);
}

static void severities(void **state)
{
	static const struct lint_size sizes[] = {{"t", 100, 64 * 1024},
	                                         {"public.u", 900000000, INT64_C(90) << 30}};
	const struct lint_sizes live = {sizes, ARRAY_LEN(sizes)};
	struct lint_policy p;
	struct lint_context ctx = {.tool = LINT_TOOL_SQL, .policy = &p};
	const struct lint_report *r;
	struct error e;

	UNUSED(state);
	lint_policy_init(&p);
	assert_int_equal(lint_policy_set(&p, "T", "off", &e), 0);
	r = lint("", "CREATE INDEX i ON t (a)", &ctx);
	assert_int_equal(r->n_findings, 1);
	assert_int_equal(r->findings[0].severity, SEVERITY_WARNING);
	/* A scan of a small table is nothing, one of a large is an outage. */
	ctx.sizes = &live;
	r = lint("", "CREATE INDEX i ON t (a)", &ctx);
	assert_int_equal(r->findings[0].severity, SEVERITY_INFO);
	assert_non_null(strstr(r->findings[0].message, "64 KiB, 100 rows"));
	r = lint("", "CREATE INDEX i ON u (a)", &ctx);
	assert_int_equal(r->findings[0].severity, SEVERITY_ERROR);
	assert_non_null(strstr(r->findings[0].message, "90 GiB, 900000000 rows"));
	r = lint("", "ALTER TABLE t DROP a", &ctx);
	assert_int_equal(r->findings[0].severity, SEVERITY_ERROR);
	/* By id, by name, by class. */
	assert_int_equal(lint_policy_set(&p, "drop-column", "info", &e), 0);
	assert_int_equal(lint("", "ALTER TABLE t DROP a", &ctx)->findings[0].severity, SEVERITY_INFO);
	assert_int_equal(lint_policy_set(&p, "B1", "off", &e), 0);
	assert_int_equal(lint("", "ALTER TABLE t DROP a", &ctx)->n_findings, 0);
	assert_int_equal(lint_policy_set(&p, "S", "warning", &e), 0);
	r = lint("",
	         "CREATE TABLE n (id serial, a json, b char(3), c timestamp, " /* keys, types */
	         "d_that_is_much_longer_than_what_postgresql_keeps_of_any_name_at_all int)",
	         &ctx);
	assert_string_equal(word(r, "none"), "S3:1 S8:1 S1:1 S2:1 S4:1 S5:1");
	assert_int_not_equal(lint_policy_set(&p, "B17", "info", &e), 0);
	assert_int_not_equal(lint_policy_set(&p, "B1", "fatal", &e), 0);
}

/* What is known of earlier migrations: types, and which tables are new. */
static void earlier_migrations(void **state)
{
	struct lint_context ctx = {.tool = LINT_TOOL_SQL, .known = lint_known_new(&arena)};

	UNUSED(state);
	lint("", "CREATE TABLE t (a varchar(10), b text); CREATE INDEX i ON t (a);", &ctx);
	assert_string_equal(word(lint("", "CREATE INDEX j ON t (b); DROP INDEX i", &ctx), "T5"), "");
	lint_known_next_run(ctx.known);
	assert_string_equal(word(lint("", "CREATE INDEX j ON t (b)", &ctx), "T1 T2 T5"), "L1:1");
	assert_string_equal(word(lint("", "ALTER TABLE t ALTER a TYPE varchar(20)", &ctx), "T1 T2 T5"), "");
	assert_string_equal(word(lint("", "ALTER TABLE t ALTER b TYPE varchar(20)", &ctx), "T1 T2 T5"),
	                    "B6:1 L8:1");
	assert_string_equal(lint("", "DROP INDEX i", &ctx)->findings[0].table, "t");
}

static void names_and_pairs(void **state)
{
	static const struct lint_context plain = {.tool = LINT_TOOL_SQL};
	static const char *const history[] = {
	    "CREATE TABLE c (name text)", "ALTER TABLE c ADD full_name text",
	    "UPDATE c SET full_name = name WHERE full_name IS NULL",
	    "ALTER TABLE c DROP COLUMN name; ALTER TABLE c DROP COLUMN other"};
	struct lint_report reports[ARRAY_LEN(history)];
	const struct act_list *acts[ARRAY_LEN(history)];
	struct lint_name names[8];
	struct lint_pair pairs[4];
	int n;

	UNUSED(state);
	lint("",
	     "ALTER TABLE s.t DROP a, DROP b; ALTER TABLE t RENAME x TO y; DROP TABLE u; CREATE TABLE n (a "
	     "int); "
	     "DROP TABLE n; DROP VIEW v; ALTER TABLE t RENAME TO w",
	     &plain);
	n = lint_dropped_names(&report.acts, names, ARRAY_LEN(names));
	assert_int_equal(n, 6);
	assert_string_equal(names[1].table, "t");
	assert_string_equal(names[1].column, "b");
	assert_true(names[2].renamed);
	assert_string_equal(names[4].kind, "view");
	for (size_t i = 0; i < ARRAY_LEN(history); i++) {
		lint_file(&arena, "", history[i], strlen(history[i]), &plain, &reports[i]);
		acts[i] = &reports[i].acts;
	}
	n = lint_pairs(acts, ARRAY_LEN(history), pairs, ARRAY_LEN(pairs));
	assert_int_equal(n, 1);
	assert_string_equal(pairs[0].old_column, "name");
	assert_string_equal(pairs[0].new_column, "full_name");
	assert_int_equal(pairs[0].expand, 1);
	assert_int_equal(pairs[0].backfill, 2);
	assert_int_equal(pairs[0].contract, 3);
}

static void claims_in_findings(void **state)
{
	static const struct lint_context plain = {.tool = LINT_TOOL_SQL};
	const struct lint_report *r;

	UNUSED(state);
	r = lint("", "ALTER TABLE t ALTER n TYPE bigint", &plain);
	for (int i = 0; i < r->n_findings; i++) {
		assert_string_equal(lock_mode_name(r->findings[i].lock), "AccessExclusiveLock");
		assert_int_equal(r->findings[i].rewrite, YES);
		assert_int_equal(r->findings[i].scan, YES);
	}
	r = lint("", "CREATE INDEX i ON t (a); DROP TABLE u", &plain);
	assert_int_equal(r->n_statements, 2);
	assert_string_equal(lock_mode_name(r->statements[0].lock), "ShareLock");
	assert_false(r->findings[0].breaks_old_code);
	assert_int_equal(r->statements[1].kind, ACT_DROP_TABLE);
}

/* --- squawk ---------------------------------------------------------------------------------------------- */

enum who { ONLY_SQUAWK, ONLY_WE };

/* Where we and squawk differ, and why. rule "" is any, sql a part of the statement. */
static const struct difference {
	enum who who;
	const char *rule, *sql, *reason;
} differences[] = {
    {ONLY_SQUAWK, "adding-foreign-key-constraint", "ADD COLUMN z bigint REFERENCES",
     "measured: a new column is not scanned; L12 says the lock"},
    {ONLY_SQUAWK, "prefer-bigint-over-int", "z int", "S3 is about keys, z is none"},
    {ONLY_SQUAWK, "prefer-robust-stmts", "ALTER COLUMN", "done twice it is the same"},
    {ONLY_SQUAWK, "prefer-robust-stmts", "VALIDATE", "done twice it is the same"},
    {ONLY_SQUAWK, "prefer-robust-stmts", "TRIGGER trg", "done twice it is the same"},
    {ONLY_SQUAWK, "prefer-robust-stmts", "LEVEL SECURITY", "done twice it is the same"},
    {ONLY_SQUAWK, "prefer-robust-stmts", "SET UNLOGGED", "done twice it is the same"},
    {ONLY_SQUAWK, "prefer-robust-stmts", "OWNER TO", "done twice it is the same"},
    {ONLY_SQUAWK, "prefer-robust-stmts", "INDEX CONCURRENTLY", "inside a transaction it fails at once: L3"},
    {ONLY_SQUAWK, "prefer-text-field", "", "no rule of ours: a limit is a choice"},
    {ONLY_SQUAWK, "require-lock-timeout", "CONCURRENTLY",
     "SHARE UPDATE EXCLUSIVE lets reads and writes pass while it waits"},
    {ONLY_SQUAWK, "require-lock-timeout", "SET STATISTICS", "SHARE UPDATE EXCLUSIVE"},
    {ONLY_SQUAWK, "require-lock-timeout", "VALIDATE", "SHARE UPDATE EXCLUSIVE"},
    {ONLY_SQUAWK, "require-lock-timeout", "COMMENT", "SHARE UPDATE EXCLUSIVE"},
    {ONLY_SQUAWK, "require-lock-timeout", "CREATE TABLE newt AS", "ACCESS SHARE, as every query"},
    {ONLY_SQUAWK, "require-lock-timeout", "ADD VALUE", "measured: no lock on a table"},
    {ONLY_SQUAWK, "require-lock-timeout", "ALTER INDEX", "measured: no lock on the table"},
    {ONLY_SQUAWK, "require-statement-timeout", "SET STATISTICS", "short, and SHARE UPDATE EXCLUSIVE"},
    {ONLY_SQUAWK, "require-statement-timeout", "COMMENT", "short, and SHARE UPDATE EXCLUSIVE"},
    {ONLY_SQUAWK, "require-statement-timeout", "DROP INDEX CONCURRENTLY", "it reads nothing"},
    {ONLY_SQUAWK, "require-statement-timeout", "ADD VALUE", "measured: no lock on a table"},
    {ONLY_SQUAWK, "require-statement-timeout", "ALTER INDEX", "measured: no lock on the table"},
    {ONLY_WE, "ban-concurrent-index-creation-in-transaction", "DROP INDEX CONCURRENTLY",
     "PostgreSQL refuses it too (25001)"},
    {ONLY_WE, "ban-concurrent-index-creation-in-transaction", "DETACH", "PostgreSQL refuses it too (25001)"},
    {ONLY_WE, "ban-truncate-cascade", "TRUNCATE child", "the rows are gone without CASCADE too"},
    {ONLY_WE, "prefer-repack", "SET UNLOGGED", "measured: the table is written anew"},
    {ONLY_WE, "prefer-repack", "VACUUM FULL",
     "measured: the table is written anew; only newer squawk says so"},
    {ONLY_WE, "prefer-robust-stmts", "CREATE TABLE newt AS", "a second run fails"},
    {ONLY_WE, "prefer-robust-stmts", "ADD VALUE", "a second run fails"},
    {ONLY_WE, "prefer-robust-stmts", "DROP VIEW", "a second run fails"},
    {ONLY_WE, "prefer-robust-stmts", "DROP SCHEMA", "a second run fails"},
    {ONLY_WE, "prefer-robust-stmts", "CREATE TRIGGER", "a second run fails"},
    {ONLY_WE, "prefer-robust-stmts", "ALTER DOMAIN", "a second run fails"},
    {ONLY_WE, "syntax-error", "DO $$", "code in a string cannot be judged"},
    {ONLY_WE, "syntax-error", "TRIGGER trg", "what a trigger does cannot be judged"},
};

static unsigned char used[ARRAY_LEN(differences)];

static bool lists(const char *names, const char *rule)
{
	const size_t n = strlen(rule);

	for (const char *p = names; (p = strstr(p, rule)) != NULL; p++)
		if ((p == names || p[-1] == ' ') && (p[n] == '\0' || p[n] == ','))
			return true;
	return false;
}

static void explain(enum who who, const char *rule, const char *sql, const char *where)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++)
		if (differences[i].who == who && strcmp(differences[i].rule, rule) == 0 &&
		    strstr(sql, differences[i].sql) != NULL) {
			used[i] = 1;
			return;
		}
	fail_msg("%s says %s of \"%s\" %s, and no reason is listed",
	         who == ONLY_SQUAWK ? "only squawk" : "only we", rule, sql, where);
}

static void compare(const struct jv *want, const struct lint_report *r, const char *sql, const char *where)
{
	for (size_t i = 0; i < jv_len(want); i++) {
		char rule[80];
		bool ours = false;

		snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(jv_text(jv_at(want, i), ""), ":"),
		         jv_text(jv_at(want, i), ""));
		for (int k = 0; k < r->n_findings; k++)
			ours |= lists(lint_rule_desc(r->findings[k].rule)->squawk, rule);
		if (!ours)
			explain(ONLY_SQUAWK, rule, sql, where);
	}
	for (int k = 0; k < r->n_findings; k++) {
		const char *names = lint_rule_desc(r->findings[k].rule)->squawk;
		bool theirs = names[0] == '\0';

		for (size_t i = 0; i < jv_len(want); i++) {
			char rule[80];

			snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(jv_text(jv_at(want, i), ""), ":"),
			         jv_text(jv_at(want, i), ""));
			theirs |= lists(names, rule);
		}
		if (!theirs)
			explain(ONLY_WE, names, sql, where);
	}
}

static void agrees_with_squawk(void **state)
{
	const char *top = getenv("TOWPATH_TOP");
	struct lint_policy policy;
	char path[PATH_LEN];
	struct str text;
	struct error e;
	int n_cases = 0;

	UNUSED(state);
	lint_policy_init(&policy);
	assert_int_equal(lint_policy_set(&policy, "S", "info", &e), 0);
	str_init(&text, CORPUS_MAX);
	snprintf(path, sizeof(path), "%.900s/tests/fixtures/lint/cases.jsonl", top != NULL ? top : ".");
	assert_int_equal(file_read(path, CORPUS_MAX, &text, NULL), 0);
	for (const char *line = text.data; *line != '\0';) {
		const size_t n = strcspn(line, "\n");
		const struct jv *alone, *in_tx;
		struct lint_context ctx = {.tool = LINT_TOOL_SQL, .policy = &policy, .transaction = TX_NO};
		struct arena a;
		struct jv *v;

		arena_init(&a, CORPUS_MAX);
		assert_int_equal(jv_parse(&a, line, n, &v, NULL), 0);
		alone = jv_get(v, "squawk");
		in_tx = jv_get(v, "squawk_in_tx");
		compare(alone, lint("", jv_get_text(v, "sql", ""), &ctx), jv_get_text(v, "sql", ""), "alone");
		ctx.transaction = TX_YES;
		if (jv_type(in_tx) == JV_ARR)
			compare(in_tx, lint("", jv_get_text(v, "sql", ""), &ctx), jv_get_text(v, "sql", ""),
			        "in a transaction");
		n_cases++;
		arena_release(&a);
		line += n + (line[n] == '\n');
	}
	str_release(&text);
	assert_true(n_cases > 70);
	for (size_t i = 0; i < ARRAY_LEN(differences); i++)
		if (!used[i])
			fail_msg("no case needs \"%s\" of %s any more", differences[i].reason,
			         differences[i].rule);
}

static void tables_are_whole(void **state)
{
	UNUSED(state);
	for (int i = 0; i < LINT_RULE_COUNT; i++) {
		const struct lint_rule_desc *d = lint_rule_desc((enum lint_rule)i);

		assert_non_null(strchr("BLTMS", d->id[0]));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(lint_rule_desc((enum lint_rule)k)->slug, d->slug);
		assert_true(strlen(d->message) > 5 && strlen(d->why) > 5 && strlen(d->safer) > 2);
	}
	for (int i = 0; i < ACT_KIND_COUNT; i++)
		assert_string_not_equal(act_kind_name((enum act_kind)i), "?");
	assert_int_equal(lint_tool_of("rails"), LINT_TOOL_RAILS);
	assert_int_equal(lint_tool_of("make"), LINT_TOOL_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(breaking, setup, teardown),
	    cmocka_unit_test_setup_teardown(blocking, setup, teardown),
	    cmocka_unit_test_setup_teardown(running, setup, teardown),
	    cmocka_unit_test_setup_teardown(tools, setup, teardown),
	    cmocka_unit_test_setup_teardown(marks, setup, teardown),
	    cmocka_unit_test_setup_teardown(severities, setup, teardown),
	    cmocka_unit_test_setup_teardown(earlier_migrations, setup, teardown),
	    cmocka_unit_test_setup_teardown(names_and_pairs, setup, teardown),
	    cmocka_unit_test_setup_teardown(claims_in_findings, setup, teardown),
	    cmocka_unit_test_setup_teardown(agrees_with_squawk, setup, teardown),
	    cmocka_unit_test(tables_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
