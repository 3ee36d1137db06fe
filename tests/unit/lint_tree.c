/*
 * Two readings of SQL, by PostgreSQL's grammar and by tokens, of every case of the lint and of every SQL file of the
 * migration tools' fixtures: the same acts, but for the differences that are listed with their reasons.
 */
#include "backends/migrate/pgquery.h"

#include "core/jv.h"
#include "core/limits.h"
#include "core/lint.h"
#include "core/str.h"
#include "io/file.h"
#include "tests/lib/cm.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_PG_QUERY

enum { CORPUS_MAX = 1024 * 1024, TEXT_MAX = 4096 };

/* --- acts as text ---------------------------------------------------------------------------------------- */

static void tell(struct str *s, const char *name, const char *value)
{
	if (value[0] != '\0')
		str_addf(s, " %s=%s", name, value);
}

static void act_text(const struct act *x, struct str *s)
{
	str_addf(s, "%s", act_kind_name(x->kind));
	tell(s, "schema", x->schema);
	tell(s, "table", x->table);
	tell(s, "column", x->column);
	tell(s, "to", x->to);
	tell(s, "type", x->type);
	tell(s, "text", x->text);
	if (x->flags != 0)
		str_addf(s, " flags=%x", x->flags);
	str_add(s, "; ");
}

static void list_text(const struct act_list *l, struct str *s)
{
	for (int i = 0; i < l->n; i++)
		act_text(&l->items[i], s);
}

static void by_tokens(struct arena *a, const char *sql, size_t n, struct str *s)
{
	struct sql_text text = {sql, n, 1, NULL, 0};
	struct act_list l;

	act_list_init(&l, a);
	sql_read(&l, &text, NULL);
	list_text(&l, s);
}

/* --- the differences ------------------------------------------------------------------------------------- */

/* What the tree sees and the tokens cannot, or by design do not. */
static const struct {
	const char *sql, *reason;
} differences[] = {
    {"ALTER TABLE t ADD c char", "the grammar writes the length out: char(1)"},
    {"ALTER TABLE t ADD c bit", "the grammar writes the length out: bit(1)"},
    {"ALTER TABLE t ADD c float(20)", "the grammar resolves the precision: real"},
    {"ALTER TABLE t ADD c interval day to second(3)", "fields of an interval are a mask there, and left out"},
    {"ALTER TABLE t ADD c text DEFAULT NULL::text", "NULL with a cast is no default"},
    {"ALTER TABLE t ALTER c SET DEFAULT (NULL::text)", "NULL with a cast is no default"},
    {"ALTER TYPE mood ADD VALUE 'it''s'", "the grammar takes the quotes off"},
    {"SELECT a INTO n FROM t", "SELECT INTO makes a table"},
    {"WITH x AS (SELECT f(a) FROM t) SELECT * FROM x",
     "behind WITH the tokens cannot tell calls from columns"},
    {"SELECT a, f(b) FROM t", "the name of the function is told, not the second word"},
    {"UPDATE t SET (a, b) = (c, d)", "the tokens pair single columns only"},
    {"UPDATE t SET a = (SELECT b FROM u)", "the tokens take the table for a column too"},
};
static bool used[ARRAY_LEN(differences)];
static int n_read, n_left, n_differ;

static bool is_listed(const char *sql, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++)
		if (strlen(differences[i].sql) == n && memcmp(differences[i].sql, sql, n) == 0) {
			used[i] = true;
			return true;
		}
	return false;
}

/* The tree's reading of one statement beside that of the tokens. */
static bool compare(struct act_list *out, const char *sql, size_t n)
{
	struct act_list l;
	struct str tree, tokens;
	struct arena a;

	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&tree, CORPUS_MAX);
	str_init(&tokens, CORPUS_MAX);
	act_list_init(&l, &a);
	UNUSED(out);
	if (!pgquery_parser.read(&l, sql, n)) {
		n_left++;
	} else {
		n_read++;
		list_text(&l, &tree);
		by_tokens(&a, sql, n, &tokens);
		if (strcmp(str_text(&tree), str_text(&tokens)) != 0 && !is_listed(sql, n)) {
			n_differ++;
			print_message("%.*s\n    tree:   %s\n    tokens: %s\n", (int)n, sql, str_text(&tree),
			              str_text(&tokens));
		}
	}
	str_release(&tree);
	str_release(&tokens);
	arena_release(&a);
	return false;
}

static const struct sql_parser comparing = {.name = "both", .read = compare};

static void compare_all(const char *sql, size_t n)
{
	struct sql_text text = {sql, n, 1, NULL, 0};
	struct act_list l;
	struct arena a;

	arena_init(&a, ARENA_DEFAULT_MAX);
	act_list_init(&l, &a);
	sql_read(&l, &text, &comparing);
	arena_release(&a);
}

static void path_of(char path[PATH_LEN], const char *below)
{
	const char *top = getenv("TOWPATH_TOP");

	snprintf(path, PATH_LEN, "%.900s/tests/fixtures/%s", top != NULL ? top : ".", below);
}

static void cases(void **state)
{
	char path[PATH_LEN];
	struct str text;

	UNUSED(state);
	n_read = n_left = n_differ = 0;
	path_of(path, "lint/cases.jsonl");
	str_init(&text, CORPUS_MAX);
	assert_int_equal(file_read(path, CORPUS_MAX, &text, NULL), 0);
	for (const char *line = text.data; *line != '\0';) {
		const size_t n = strcspn(line, "\n");
		struct arena a;
		struct jv *v;

		arena_init(&a, CORPUS_MAX);
		assert_int_equal(jv_parse(&a, line, n, &v, NULL), 0);
		compare_all(jv_get_text(v, "sql", ""), strlen(jv_get_text(v, "sql", "")));
		arena_release(&a);
		line += n + (line[n] == '\n');
	}
	str_release(&text);
	assert_true(n_read > 60);
	assert_int_equal(n_differ, 0);
}

static int each_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	const size_t n = strlen(path);
	struct str text;

	UNUSED(st);
	UNUSED(where);
	if (type != FTW_F || n < 4 || strcmp(path + n - 4, ".sql") != 0 || strstr(path, "/db.sql") != NULL)
		return 0;
	str_init(&text, CORPUS_MAX);
	if (file_read(path, CORPUS_MAX, &text, NULL) == 0)
		compare_all(str_text(&text), text.len);
	str_release(&text);
	return 0;
}

static void fixtures(void **state)
{
	char path[PATH_LEN];

	UNUSED(state);
	n_read = n_left = n_differ = 0;
	path_of(path, "migrations");
	assert_int_equal(nftw(path, each_file, 16, FTW_PHYS), 0);
	assert_true(n_read > 1000);
	/* BEGIN and COMMIT, what another database speaks, and what the tools' own markers make of a file are left. */
	assert_true(n_left < n_read);
	assert_int_equal(n_differ, 0);
}

/* Forms that the corpora lack, each read by the tree. */
static const char *const forms[] = {
    "ALTER TABLE ONLY \"S\".\"T\" ADD COLUMN IF NOT EXISTS \"C\" numeric(10,2) DEFAULT 0 NOT NULL, DROP d "
    "CASCADE",
    "ALTER TABLE t ADD c timestamp(3) with time zone DEFAULT clock_timestamp()",
    "ALTER TABLE t ADD c uuid DEFAULT gen_random_uuid() PRIMARY KEY, ADD d text[] DEFAULT '{}'::text[]",
    "ALTER TABLE t ADD c geometry(Point,4326), ADD d \"Mood\" DEFAULT my_default(), ADD e double precision",
    "ALTER TABLE t ADD c bigserial, ADD d int GENERATED ALWAYS AS IDENTITY, ADD e int GENERATED ALWAYS AS (a "
    "+ 1) STORED",
    "ALTER TABLE t ADD c int REFERENCES s.p (id) ON DELETE CASCADE, ADD d int UNIQUE CHECK (d > 0)",
    "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a, b) REFERENCES s.p (x, y) NOT VALID, VALIDATE CONSTRAINT "
    "k",
    "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i, ADD PRIMARY KEY (a, b), ADD UNIQUE (c)",
    "ALTER TABLE t ADD CONSTRAINT k CHECK ((a IS NOT NULL)) NOT VALID, ADD CHECK (a > 0 AND b IS NOT NULL)",
    "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING gist (r WITH &&)",
    "ALTER TABLE t ALTER a TYPE bigint, ALTER b SET DATA TYPE varchar(20) USING b::varchar(20), ALTER c TYPE "
    "int USING f(c)",
    "ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP NOT NULL, ALTER c SET DEFAULT 5, ALTER d DROP DEFAULT",
    "ALTER TABLE t ALTER a SET DEFAULT NULL, ALTER b SET STATISTICS 100, ALTER c SET (n_distinct = 5), ALTER "
    "d SET STORAGE PLAIN",
    "ALTER TABLE t ALTER a SET COMPRESSION lz4, ALTER b ADD GENERATED ALWAYS AS IDENTITY, ALTER c DROP "
    "IDENTITY IF EXISTS",
    "ALTER TABLE t ALTER a DROP EXPRESSION, ALTER b SET GENERATED BY DEFAULT, ALTER c RESTART, ALTER "
    "CONSTRAINT k DEFERRABLE",
    "ALTER TABLE t SET (fillfactor = 70), RESET (fillfactor), SET TABLESPACE x, SET UNLOGGED, OWNER TO me, "
    "CLUSTER ON i",
    "ALTER TABLE t SET WITHOUT CLUSTER, SET ACCESS METHOD heap, REPLICA IDENTITY FULL, INHERIT p, NO INHERIT "
    "q",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY, NO FORCE "
    "ROW LEVEL SECURITY",
    "ALTER TABLE t DISABLE TRIGGER x, ENABLE ALWAYS TRIGGER y, ENABLE REPLICA TRIGGER z, DISABLE TRIGGER "
    "ALL, ENABLE TRIGGER USER",
    "ALTER TABLE t ENABLE RULE r, DISABLE RULE r, DROP CONSTRAINT IF EXISTS k, DROP COLUMN IF EXISTS c",
    "ALTER TABLE t ATTACH PARTITION s.p FOR VALUES FROM (1) TO (2)",
    "ALTER TABLE t DETACH PARTITION s.p",
    "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    "ALTER TABLE IF EXISTS s.t RENAME TO u",
    "ALTER TABLE t RENAME COLUMN a TO b",
    "ALTER TABLE t RENAME CONSTRAINT a TO b",
    "ALTER TABLE s.t SET SCHEMA \"Other\"",
    "ALTER FOREIGN TABLE t DROP COLUMN c",
    "CREATE TABLE IF NOT EXISTS s.t (id int PRIMARY KEY, a varchar(5) NOT NULL DEFAULT 'x', b int REFERENCES "
    "p, UNIQUE (a))",
    "CREATE TABLE t (a int, b int, PRIMARY KEY (a), FOREIGN KEY (b) REFERENCES s.p (id), CHECK (a > b), LIKE "
    "x INCLUDING ALL)",
    "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)) PARTITION BY RANGE (a)",
    "CREATE TABLE p PARTITION OF s.t FOR VALUES IN (1, 2)",
    "CREATE TEMP TABLE t (a int REFERENCES p)",
    "CREATE UNLOGGED TABLE t (a int) WITH (fillfactor = 70)",
    "CREATE TABLE t AS SELECT * FROM u",
    "CREATE TEMPORARY TABLE IF NOT EXISTS t (a, b) AS SELECT 1, 2 WITH NO DATA",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS s.v AS SELECT f(a) FROM u",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t USING gin (a, lower(b), c text_pattern_ops "
    "DESC) INCLUDE (d) WHERE e",
    "CREATE INDEX ON t (a)",
    "DROP TABLE IF EXISTS s.a, b CASCADE",
    "DROP FOREIGN TABLE t",
    "DROP VIEW v, w",
    "DROP MATERIALIZED VIEW IF EXISTS v",
    "DROP SEQUENCE s",
    "DROP TYPE a.b CASCADE",
    "DROP DOMAIN d",
    "DROP SCHEMA IF EXISTS s CASCADE",
    "DROP EXTENSION e CASCADE",
    "DROP FUNCTION s.f(int, text), g",
    "DROP PROCEDURE p()",
    "DROP ROUTINE r",
    "DROP AGGREGATE a(int)",
    "DROP INDEX CONCURRENTLY IF EXISTS i, s.j",
    "DROP TRIGGER IF EXISTS x ON s.t",
    "DROP RULE r ON t",
    "DROP POLICY p ON s.t CASCADE",
    "ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'x' BEFORE 'y'",
    "ALTER TYPE mood ADD VALUE 'x'",
    "ALTER TYPE mood RENAME VALUE 'x' TO 'y'",
    "SELECT a, count(*) FROM s.t WHERE b > 1 GROUP BY a",
    "SELECT pg_catalog.set_config('lock_timeout', '2s', true)",
    "SELECT do_things()",
    "SELECT 1 UNION SELECT a FROM t",
    "WITH x AS (SELECT 1) SELECT * FROM x JOIN y USING (a)",
    "WITH x AS (DELETE FROM t WHERE a RETURNING *), y AS (UPDATE u SET b = c) INSERT INTO z SELECT * FROM x",
    "INSERT INTO s.t (a, b) VALUES (1, 2), (3, f(4)) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
    "UPDATE ONLY s.t SET a = b, c = upper(d) || e WHERE f IS NULL",
    "UPDATE t SET a = u.b FROM u WHERE t.id = u.id",
    "UPDATE t SET a = u.b::text FROM u",
    "UPDATE t SET a = 1",
    "DELETE FROM ONLY s.t",
    "DELETE FROM t USING u WHERE t.a = u.a RETURNING *",
    "MERGE INTO s.t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE ONLY a, s.b RESTART IDENTITY CASCADE",
};

/* Each of them still differs. */
static void told_differences(void **state)
{
	UNUSED(state);
	memset(used, 0, sizeof(used));
	n_differ = 0;
	for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
		compare_all(differences[i].sql, strlen(differences[i].sql));
		if (!used[i])
			fail_msg("no difference any more: %s (%s)", differences[i].sql,
			         differences[i].reason);
	}
	assert_int_equal(n_differ, 0);
}

static bool tree_reads(const char *sql)
{
	struct act_list l;
	struct arena a;
	bool ok;

	arena_init(&a, ARENA_DEFAULT_MAX);
	act_list_init(&l, &a);
	ok = pgquery_parser.read(&l, sql, strlen(sql));
	assert_true(ok || l.n == 0);
	arena_release(&a);
	return ok;
}

/* What its grammar does not know, what is too long, and what would come out cut is left to the tokens. */
static void leaves_the_rest(void **state)
{
	static const char *const rest[] = {
	    "",
	    "FROBNICATE t",
	    "ALTER TABLE t ADD c ${type}",
	    "SELECT * FROM :table",
	    "DO $$ BEGIN END $$",
	    "ALTER TABLE t ADD c int; DROP TABLE u",
	    "ALTER TABLE t SOMETHING NEW",
	    "VACUUM t",
	    "ALTER TABLE t ADD a_name_that_is_longer_than_what_postgresql_keeps_of_a_name_today int",
	    "ALTER TABLE t ADD \"a name that is longer than what postgresql keeps of a name in quotes\" int",
	};
	struct str s;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		if (tree_reads(rest[i]))
			fail_msg("read: %s", rest[i]);
	str_init(&s, CORPUS_MAX);
	str_add(&s, "UPDATE t SET a = a");
	while (s.len <= SQL_PARSE_MAX)
		str_add(&s, "+a");
	assert_false(tree_reads(str_text(&s)));
	str_release(&s);
}

/* The worst shapes below the bound: no crash on a small stack, whatever the answer is. */
static void *deep_shapes(void *arg)
{
	static const char *const shapes[][4] = {
	    {"UPDATE t SET a = a", "+a", "", ""},
	    {"SELECT a", "::b", "", ""},
	    {"SELECT ", "f(", "a", ")"},
	    {"SELECT ARRAY", "[", "1", "]"},
	    {"SELECT ", "-+", "a", ""},
	    {"SELECT 1", " UNION SELECT 1", "", ""},
	    {"SELECT ", "(SELECT ", "1", ")"},
	    {"SELECT ", "NOT ", "a", ""},
	    {"SELECT a", " IN (a)", "", ""},
	    {"SELECT a", " ISNULL", "", ""},
	    {"SELECT ", "CASE a WHEN ", "a", " THEN a END"},
	    {"", "EXPLAIN ", "SELECT 1", ""},
	    {"SELECT * FROM a", " JOIN a ON a", "", ""},
	};
	int *done = arg;

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		const char *const *p = shapes[i];
		const size_t room = SQL_PARSE_MAX - strlen(p[0]) - strlen(p[2]);
		const size_t levels = room / (strlen(p[1]) + strlen(p[3]));
		struct str s;

		str_init(&s, CORPUS_MAX);
		str_add(&s, p[0]);
		for (size_t k = 0; k < levels; k++)
			str_add(&s, p[1]);
		str_add(&s, p[2]);
		for (size_t k = 0; k < levels; k++)
			str_add(&s, p[3]);
		tree_reads(str_text(&s));
		str_release(&s);
		++*done;
	}
	return NULL;
}

static void bounded_stack(void **state)
{
	enum { STACK = 2 * 1024 * 1024 };
	pthread_attr_t attr;
	pthread_t thread;
	int done = 0;

	UNUSED(state);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, STACK), 0);
	assert_int_equal(pthread_create(&thread, &attr, deep_shapes, &done), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	assert_int_equal(done, 13);
}

/* Errors in one thread leave the readings of the others alone; threads come and go. */
static void *read_many(void *arg)
{
	int *good = arg;

	for (int i = 0; i < 200; i++) {
		*good += tree_reads("ALTER TABLE t ADD c numeric(10,2) DEFAULT now() NOT NULL");
		*good += !tree_reads("ALTER TABLE t ADD (((");
		*good += !tree_reads("SELECT 'no end");
	}
	return NULL;
}

static void in_threads(void **state)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	int good[THREADS] = {0};

	UNUSED(state);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_many, &good[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(good[i], 600);
	}
}

/* Actions in several lines keep their lines. */
static void lines(void **state)
{
	static const char sql[] =
	    "SELECT 1;\nALTER TABLE t\n  ADD a int,\n  DROP b,\n  DROP c;\nDROP TABLE u";
	const struct sql_text text = {sql, sizeof(sql) - 1, 1, NULL, 0};
	struct act_list l;
	struct arena a;

	UNUSED(state);
	arena_init(&a, ARENA_DEFAULT_MAX);
	act_list_init(&l, &a);
	sql_read(&l, &text, &pgquery_parser);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.items[1].line, 3);
	assert_int_equal(l.items[2].line, 4);
	assert_int_equal(l.items[3].line, 5);
	assert_int_equal(l.items[4].line, 6);
	assert_int_equal(l.items[4].statement, 3);
	arena_release(&a);
}

static void other_forms(void **state)
{
	UNUSED(state);
	n_read = n_left = n_differ = 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const int before = n_read;

		compare_all(forms[i], strlen(forms[i]));
		if (n_read != before + 1)
			fail_msg("not read: %s", forms[i]);
	}
	assert_int_equal(n_differ, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cases),           cmocka_unit_test(fixtures),
	    cmocka_unit_test(other_forms),     cmocka_unit_test(told_differences),
	    cmocka_unit_test(leaves_the_rest), cmocka_unit_test(bounded_stack),
	    cmocka_unit_test(in_threads),      cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests_name("lint_tree", tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..0 # SKIP built without libpg_query");
	return 0;
}
#endif
