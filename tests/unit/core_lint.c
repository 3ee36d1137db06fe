/* The summary of the lint: phases, what is lost, what breaks; squawk's word on what breaks; any bytes. */
#include "core/jv.h"
#include "core/lint.h"
#include "core/sqlscan.h"
#include "core/text.h"
#include "io/file.h"
#include "tests/lib/cm.h"

#include <stdio.h>

enum { CORPUS_MAX = 1024 * 1024 };

static struct lint lint_of(const char *sql)
{
	struct lint l = {0};

	lint_sql(&l, sql, strlen(sql));
	assert_true(text_is_clean(l.text, strlen(l.text)));
	return l;
}

/* kind, then D for destructive, L for data loss. */
static void expect(const char *sql, const char *word)
{
	struct lint l = lint_of(sql);
	char got[32];

	snprintf(got, sizeof(got), "%s%s%s", migration_kind_name(lint_kind(&l)), l.destructive ? " D" : "",
	         l.loses_data ? " L" : "");
	if (strcmp(got, word) != 0)
		fail_msg("%s: got \"%s\", want \"%s\" (%s)", sql, got, word, l.text);
}

static void statements(void **state)
{
	UNUSED(state);
	expect("", "expand");
	expect("-- nothing\n/* at /* all */ */ ;;", "expand");
	expect("ALTER TABLE t ADD COLUMN z int", "expand");
	expect("ALTER TABLE t ADD z int NOT NULL DEFAULT 1", "expand");
	expect("ALTER TABLE t ADD COLUMN z int NOT NULL", "contract D");
	expect("ALTER TABLE t ADD COLUMN z serial NOT NULL", "expand");
	expect("ALTER TABLE t ADD COLUMN z int CHECK (z IS NOT NULL OR a > 0)", "expand");
	expect("ALTER TABLE \"a;b\" DROP COLUMN \"x y\"", "contract D L");
	expect("ALTER TABLE t DROP z", "contract D L");
	expect("alter table only s.t drop constraint k", "expand");
	expect("ALTER TABLE t ADD z int, DROP COLUMN y", "mixed D L");
	expect("ALTER TABLE t RENAME COLUMN a TO b", "contract D");
	expect("ALTER TABLE t RENAME a TO b", "contract D");
	expect("ALTER TABLE t RENAME TO u", "contract D");
	expect("ALTER TABLE t RENAME CONSTRAINT a TO b", "expand");
	expect("ALTER TABLE t ALTER a SET NOT NULL", "contract D");
	expect("ALTER TABLE t ALTER a DROP NOT NULL", "expand");
	expect("ALTER TABLE t ALTER a DROP DEFAULT", "contract D");
	expect("ALTER TABLE t ALTER a SET DEFAULT 5", "expand");
	expect("ALTER TABLE t ALTER a SET DATA TYPE text", "opaque");
	expect("ALTER TABLE t ALTER a TYPE int USING a::int", "opaque");
	expect("ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i", "verify");
	expect("ALTER TABLE t ADD CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t ADD z int", "expand");
	expect("ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID", "expand");
	expect("ALTER TABLE t ADD CHECK (a > 0)", "contract D");
	expect("ALTER TABLE t VALIDATE CONSTRAINT k", "verify");
	expect("ALTER TABLE t SET SCHEMA other", "contract D");
	expect("ALTER TABLE t SOMETHING NEW", "opaque");
	expect("CREATE UNIQUE INDEX i ON t (a)", "contract D");
	expect("CREATE INDEX CONCURRENTLY i ON t (a)", "expand");
	expect("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; DROP TABLE t; $$",
	       "opaque");
	expect("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ DROP TABLE t; $$ $x$", "expand");
	expect("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; DELETE FROM t; END; SELECT 1",
	       "expand");
	expect("CREATE MATERIALIZED VIEW v AS SELECT 1", "expand");
	expect("DROP TABLE IF EXISTS a, s.b", "contract D L");
	expect("DROP VIEW v", "contract D");
	expect("DROP INDEX i", "expand");
	expect("DROP SCHEMA s CASCADE", "contract D L");
	expect("DROP TRIGGER x ON t", "opaque");
	expect("ALTER TYPE mood ADD VALUE 'x'", "expand");
	expect("ALTER TYPE mood RENAME VALUE 'x' TO 'y'", "contract D");
	expect("UPDATE t SET a = 1", "data");
	expect("INSERT INTO t VALUES (1), (2)", "data");
	expect("DELETE FROM t WHERE a = 1", "data L");
	expect("TRUNCATE TABLE t", "data L");
	expect("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "data L");
	expect("WITH x AS (SELECT 1) UPDATE t SET a = 1", "data");
	expect("SELECT 1", "expand");
	expect("SELECT do_things()", "opaque");
	expect("SELECT pg_catalog.set_config('search_path', '', false)", "expand");
	expect("DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$", "opaque");
	expect("CALL f()", "opaque");
	expect("REVOKE ALL ON t FROM app", "contract D");
	expect("GRANT SELECT ON t TO app", "expand");
	expect("COPY t FROM PROGRAM 'x'", "opaque");
	expect("\\set x 1\nSELECT 1;", "opaque");
	expect("FROBNICATE t", "opaque");
}

static void scripts(void **state)
{
	UNUSED(state);
	/* What frames a change does not mix it. */
	expect("BEGIN; SET lock_timeout = '2s'; ALTER TABLE t DROP COLUMN c; COMMIT;", "contract D L");
	expect("ALTER TABLE t ADD c int; UPDATE t SET c = b;", "data");
	expect("ALTER TABLE t ADD c int; UPDATE t SET c = b; ALTER TABLE t DROP b;", "mixed D L");
	/* A table of this very script has no old readers. */
	expect("CREATE TABLE n (a int); CREATE UNIQUE INDEX i ON n (a); ALTER TABLE n ALTER a SET NOT NULL;",
	       "expand");
	expect("CREATE TABLE \"N\" (a int); DELETE FROM \"N\"; DROP TABLE \"N\";", "data");
	expect("CREATE TABLE n (a int); DROP TABLE m;", "mixed D L");
	/* A checked column may become required without breaking anybody. */
	expect("ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k; "
	       "ALTER TABLE t ALTER a SET NOT NULL",
	       "verify");
	/* The old type is known from before: longer is free, shorter breaks. */
	expect("ALTER TABLE t ADD b varchar(20); ALTER TABLE t ALTER b TYPE varchar(40)", "expand");
	expect("ALTER TABLE t ADD b varchar(20); ALTER TABLE t ALTER b TYPE varchar(10)", "mixed D");
	/* Strings, comments and data are not statements. */
	expect("SELECT 'it''s; DROP TABLE t;', E'\\'; DROP TABLE t;' -- ; DROP TABLE t;\n", "expand");
	expect("COPY t FROM stdin;\n1\tDROP TABLE t;\n\\.\nSELECT 1;", "data");
	expect("SELECT $1; SELECT $a$ ; DROP TABLE t; $b$ $a$;", "expand");
	expect("\xef\xbb\xbf"
	       "ALTER TABLE t ADD c int",
	       "expand");
	expect("SELECT 'no end; DROP TABLE t", "opaque");
	expect("CREATE TABLE t (a int); /* no end", "opaque");
}

static void findings_are_sentences(void **state)
{
	struct lint l;

	UNUSED(state);
	l = lint_of("ALTER TABLE shop.\"Order\" DROP COLUMN Amount; DROP TABLE old");
	assert_string_equal(l.text, "drops column shop.Order.amount with its data; drops table old with its data");
	l = lint_of("DROP TABLE \"a\x1b[31m\xff\"");
	assert_non_null(strstr(l.text, "<ESC>"));
	l = lint_of("SELECT 1; SELECT 2; INSERT INTO t VALUES (1)");
	assert_string_equal(l.text, "");
}

/* What squawk calls a breach of old code must be one for us; what we call one, squawk may not have looked for. */
static void agrees_with_squawk(void **state)
{
	static const char *const breaking[] = {"ban-drop-column",       "ban-drop-table",
	                                       "renaming-column",       "renaming-table",
	                                       "adding-required-field", "ban-drop-database"};
	const char *top = getenv("TOWPATH_TOP");
	char path[PATH_LEN];
	struct str text;
	int n_cases = 0, n_breaking = 0;

	UNUSED(state);
	str_init(&text, CORPUS_MAX);
	snprintf(path, sizeof(path), "%.900s/tests/fixtures/lint/cases.jsonl", top != NULL ? top : ".");
	assert_int_equal(file_read(path, CORPUS_MAX, &text, NULL), 0);
	for (const char *line = text.data; *line != '\0';) {
		const size_t n = strcspn(line, "\n");
		struct arena a;
		struct jv *v;
		struct lint l;

		arena_init(&a, CORPUS_MAX);
		assert_int_equal(jv_parse(&a, line, n, &v, NULL), 0);
		l = lint_of(jv_get_text(v, "sql", ""));
		n_cases++;
		for (size_t i = 0; i < jv_len(jv_get(v, "squawk")); i++) {
			const char *rule = jv_text(jv_at(jv_get(v, "squawk"), i), "");

			for (size_t k = 0; k < ARRAY_LEN(breaking); k++)
				if (strncmp(rule, breaking[k], strlen(breaking[k])) == 0) {
					n_breaking++;
					if (!l.destructive)
						fail_msg("%s: squawk says %s", jv_get_text(v, "sql", ""),
						         rule);
				}
		}
		arena_release(&a);
		line += n + (line[n] == '\n');
	}
	str_release(&text);
	assert_true(n_cases > 70);
	assert_true(n_breaking > 5);
}

/* Any bytes: no crash, and the split agrees with itself when statements are judged one by one. */
static void survives_any_bytes(void **state)
{
	static const char *const pieces[] = {
	    "DROP",  " ",      "TABLE", ";",  "'",     "\"",   "$$",   "$a$", "(",   ")",
	    "/*",    "*/",     "--",    "\n", "ALTER", ",",    ".",    "\\",  "t",   "COPY t FROM stdin;\n",
	    "BEGIN", "ATOMIC", "END",   "E'", "U&\"",  "\x1b", "\xff", "ADD", "NOT", "CREATE",
	    "IF",    "EXISTS"};
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int i = 0; i < 3000; i++) {
		char sql[512];
		size_t n = 0;

		for (size_t k = prng_below(&p, 24); k > 0; k--)
			n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%s",
			                      pieces[prng_below(&p, ARRAY_LEN(pieces))]);
		sql[n] = '\0';
		lint_of(sql);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(statements),
	    cmocka_unit_test(scripts),
	    cmocka_unit_test(findings_are_sentences),
	    cmocka_unit_test(agrees_with_squawk),
	    cmocka_unit_test(survives_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
