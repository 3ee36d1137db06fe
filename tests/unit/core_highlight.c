/* The parts of source texts: what is marked, and what stays open from one line to the next. */
#include "core/highlight.h"
#include "tests/lib/cm.h"

#include <stdio.h>

enum { PARTS = 64, LINES = 16 };

/* "k.s" under each character of a line: keyword, string, comment #, number, '.' plain. */
static uint32_t marks(const struct language *l, uint32_t state, const char *line, char *dst)
{
	struct highlight_part parts[PARTS];
	int n = 0;
	const size_t len = strlen(line);

	state = highlight_line(l, state, line, len, parts, PARTS, &n);
	memset(dst, '.', len);
	dst[len] = '\0';
	for (int i = 0; i < n; i++) {
		assert_true(parts[i].at + parts[i].n <= len && parts[i].n > 0);
		assert_true(i == 0 || parts[i].at >= parts[i - 1].at + parts[i - 1].n);
		memset(dst + parts[i].at, ".ks#n"[parts[i].is], parts[i].n);
	}
	return state;
}

/* Pairs of a line and its marks, NULL at the end. */
static void check(const char *path, const char *const *pairs)
{
	const struct language *l = language_of(path);
	uint32_t state = 0;
	char got[256];

	assert_non_null(l);
	for (; *pairs != NULL; pairs += 2) {
		state = marks(l, state, pairs[0], got);
		if (strcmp(got, pairs[1]) != 0)
			fail_msg("%s\n%s wanted\n%s got", pairs[0], pairs[1], got);
	}
}

static void languages(void **state)
{
	static const char *const names[][2] = {
	    {"a/V1__x.sql", "sql"},     {"a.PY", "python"}, {"m.js", "javascript"},
	    {"m.ts", "typescript"},     {"m.rb", "ruby"},   {"changelog.xml", "xml"},
	    {"changelog.yaml", "yaml"}, {"x.yml", "yaml"},  {"changelog.json", "json"}};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_string_equal(language_name(language_of(names[i][0])), names[i][1]);
	assert_null(language_of("Dockerfile"));
	assert_null(language_of(".sql"));
	assert_string_equal(language_name(NULL), "text");
}

static void sql(void **state)
{
	static const char *const lines[] = {"ALTER TABLE cart ADD x int4 DEFAULT 10.5; -- it's",
	                                    "kkkkk.kkkkk......kkk........kkkkkkk.nnnn..#######",
	                                    "/* a /* nested */ still",
	                                    "#######################",
	                                    "comment */ select 1e5",
	                                    "##########.kkkkkk.nnn",
	                                    "insert into t values ('two",
	                                    "kkkkkk.kkkk...kkkkkk..ssss",
	                                    "lines') on conflict",
	                                    "ssssss..kk.........",
	                                    "do $body$ begin perform 'x'; end $body$;",
	                                    "kk.ssssssssssssssssssssssssssssssssssss.",
	                                    "create function f() returns int as $$",
	                                    "kkkkkk.kkkkkkkk.....kkkkkkk.kkk.kk.ss",
	                                    "begin return 1; end",
	                                    "kkkkk.kkkkkk.n..kkk",
	                                    "$$ language sql; select $1",
	                                    "ss.kkkkkkkk......kkkkkk..n",
	                                    NULL};

	UNUSED(state);
	check("x.sql", lines);
	check("x.sql", (const char *const[]){"select 'it''s', E'a\\'b', \"Weird'Name\" from t1",
	                                     "kkkkkk.sssssss...ssssss..ssssssssssss.kkkk...", NULL});
}

static void python(void **state)
{
	static const char *const lines[] = {"from django.db import migrations  # x",
	                                    "kkkk...........kkkkkk.............###",
	                                    "class Migration:",
	                                    "kkkkk...........",
	                                    "    x = \"\"\"ALTER",
	                                    "........ssssssss",
	                                    "    it's \\\"\"\" open",
	                                    "ssssssssssssssssss",
	                                    "    \"\"\" + 'b'",
	                                    "sssssss...sss",
	                                    "    y = 'not closed",
	                                    "........sssssssssss",
	                                    "    z = 1_000",
	                                    "........nnnnn",
	                                    NULL};

	UNUSED(state);
	check("a.py", lines);
}

static void scripts(void **state)
{
	static const char *const js[] = {"exports.up = async (k) => { // x",
	                                 ".............kkkkk..........####",
	                                 "  return k.raw(`ALTER",
	                                 "..kkkkkk.......ssssss",
	                                 "    ${t}`)",
	                                 "sssssssss.",
	                                 NULL};
	static const char *const rb[] = {"class A < ActiveRecord::Migration[7.0]",
	                                 "kkkkk.............................nnn.",
	                                 "  def change # x",
	                                 "..kkk........###",
	                                 "  end",
	                                 "..kkk",
	                                 NULL};

	UNUSED(state);
	check("a.js", js);
	check("a.rb", rb);
}

static void data(void **state)
{
	static const char *const xml[] = {"<changeSet id=\"1\" author=\"it's\"> don't",
	                                  ".kkkkkkkkk....sss........ssssss.......",
	                                  "<!-- a",
	                                  "######",
	                                  "b --></changeSet>",
	                                  "#####..kkkkkkkkk.",
	                                  NULL};
	static const char *const yaml[] = {
	    "- changeSet: # x", "..kkkkkkkkk..###",      "    id: 'a b'",
	    "....kk..sssss",    "    remarks: it's a#b", "....kkkkkkk..........",
	    "    on: true",     "....kk..kkkk",          NULL};
	static const char *const json[] = {"{\"a\": [1, true, \"b\\\"c\"]}", ".sss...n..kkkk..ssssss..",
	                                   NULL};

	UNUSED(state);
	check("a.xml", xml);
	check("a.yaml", yaml);
	check("a.json", json);
}

/* Whatever the bytes and the state: parts stay in the line, in order, and it ends. */
static void anything(void **state)
{
	static const char *const paths[] = {"a.sql", "a.py",  "a.js",   "a.ts",
	                                    "a.rb",  "a.xml", "a.yaml", "a.json"};
	static const char bytes[] = "'\"`$-/*#<>!: aE1\\\\_.\303\251";
	uint32_t x = 2463534242u;

	UNUSED(state);
	for (int round = 0; round < 20000; round++) {
		char line[33], got[64];
		size_t n;

		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		n = x % 32;
		for (size_t i = 0; i < n; i++)
			line[i] = bytes[(x >> (i % 25)) * (i + 7) % (sizeof(bytes) - 1)];
		line[n] = '\0';
		marks(language_of(paths[x % ARRAY_LEN(paths)]), round % 3 == 0 ? x : x % 64, line, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(languages), cmocka_unit_test(sql),
	                                   cmocka_unit_test(python),    cmocka_unit_test(scripts),
	                                   cmocka_unit_test(data),      cmocka_unit_test(anything)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
