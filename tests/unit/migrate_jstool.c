/* Globs, the order of words, scripts of package.json. */
#include "backends/migrate/jsglob.h"
#include "backends/migrate/jstool.h"
#include "tests/lib/cm.h"

static void globs(void **state)
{
	static const struct {
		const char *glob, *path;
		bool want;
	} rows[] = {
	    {"migrations/*.js", "migrations/1-a.js", true},
	    {"migrations/*.js", "migrations/sub/1-a.js", false},
	    {"migrations/*.js", "migrations/1-a.ts", false},
	    {"migrations/*.js", "migrations/.a.js", false},
	    {"src/**/*.ts", "src/a.ts", true},
	    {"src/**/*.ts", "src/x/y/a.ts", true},
	    {"src/**/*.ts", "srcx/a.ts", false},
	    {"src/**/*.ts", "src/.x/a.ts", false},
	    {"src/**", "src/x/y", true},
	    {"**/*.js", "a.js", true},
	    {"m/*{.ts,.js}", "m/a.ts", true},
	    {"m/*{.ts,.js}", "m/a.mjs", false},
	    {"m/*.{ts,js,{c,m}ts}", "m/a.mts", true},
	    {"m/*.{ts,js,{c,m}ts}", "m/a.xts", false},
	    {"m/[0-9]*-*.ts", "m/17-a.ts", true},
	    {"m/[0-9]*-*.ts", "m/a-a.ts", false},
	    {"m/[!0-9]?.ts", "m/ab.ts", true},
	    {"m/[!0-9]?.ts", "m/1b.ts", false},
	    {"m/a?c", "m/a/c", false},
	    {"m/[x", "m/[x", true},
	    {"m/{x", "m/{x", true},
	    {"m/\\*.ts", "m/*.ts", true},
	    {"m/\\*.ts", "m/a.ts", false},
	    {"", "", true},
	    {"*", "", true},
	    {"*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     false},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (jsglob_match(rows[i].glob, rows[i].path, false) != rows[i].want)
			fail_msg("%s with %s", rows[i].glob, rows[i].path);
	assert_true(jsglob_match("m/*.js", "m/.a.js", true));
	assert_true(jsglob_is("a*") && jsglob_is("{a}") && !jsglob_is("a/b.js"));
}

/* As node sorts them: each list is in order. */
static void sorts_words(void **state)
{
	static const char *const plain[] = {
	    "_under",       "-x",           ".hidden", "20260105", "20260211_A", "20260211_b",
	    "20260211_c_x", "20260211_c-x", "a",       "A",        "ab",         "aB",
	    "Ab",           "AB",           "b",       "zz",       "Zz",         "\xc3\xa9"};
	static const char *const numeric[] = {"1_a", "1_b", "2_a", "10_a", "010_b", "100"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		for (size_t k = 0; k < ARRAY_LEN(plain); k++) {
			const int got = jstool_locale_compare(plain[i], plain[k], 0);

			if ((got > 0) - (got < 0) != (i > k) - (i < k))
				fail_msg("%s and %s", plain[i], plain[k]);
		}
	for (size_t i = 0; i + 1 < ARRAY_LEN(numeric); i++)
		assert_true(jstool_locale_compare(numeric[i], numeric[i + 1],
		                                  JS_LOCALE_NUMERIC | JS_LOCALE_IGNORE_PUNCTUATION) < 0);
	assert_int_equal(jstool_locale_compare("a-b", "ab", JS_LOCALE_IGNORE_PUNCTUATION), 0);
	assert_true(jstool_locale_compare("a-c", "ab", JS_LOCALE_IGNORE_PUNCTUATION) > 0);
	assert_true(jstool_locale_compare("007", "7", JS_LOCALE_NUMERIC) == 0);
	/* UTF-16 has U+1F600 before U+FFFD. */
	assert_true(jstool_compare("\xf0\x9f\x98\x80", "\xef\xbf\xbd") < 0);
	assert_true(jstool_compare("B", "a") < 0);
	assert_int_equal(jstool_compare("a", "a"), 0);
}

static void reads_scripts(void **state)
{
	static const char text[] =
	    "{\"dependencies\": {\"knex\": \"3\"}, \"scripts\": {"
	    "\"a\": \"NODE_ENV=x ./node_modules/.bin/knex --knexfile=db/knexfile.ts migrate:latest\","
	    "\"b\": \"tool-b up -m 'my dir' -t \\\"t x\\\" && other -m no\","
	    "\"c\": \"other --flag value\","
	    "\"d\": \"tool-d --dir $DIR\"}}";
	static const char *const knexfile[] = {"--knexfile", NULL},
	                         *const m[] = {"-m", "--migrations-dir", NULL}, *const t[] = {"-t", NULL},
	                         *const flag[] = {"--flag", NULL}, *const dir[] = {"--dir", NULL};
	struct migrate_job j = {0};
	struct tree_file *f;
	struct error e;
	const struct jv *package;

	UNUSED(state);
	arena_init(&j.arena, ARENA_DEFAULT_MAX);
	assert_int_equal(tree_add(&j.tree, &j.arena, "api", true, &f, &e), 0);
	assert_int_equal(tree_add(&j.tree, &j.arena, "api/package.json", false, &f, &e), 0);
	f->bytes = text;
	f->n = strlen(text);
	package = jstool_package(&j, "api");
	assert_non_null(package);
	assert_null(jstool_package(&j, ""));
	assert_true(jstool_depends(package, "knex"));
	assert_false(jstool_depends(package, "kne"));
	assert_string_equal(jstool_flag(&j, package, "knex", knexfile), "db/knexfile.ts");
	assert_string_equal(jstool_flag(&j, package, "tool-b", m), "my dir");
	assert_string_equal(jstool_flag(&j, package, "tool-b", t), "t x");
	assert_null(jstool_flag(&j, package, "knex", flag));
	assert_null(jstool_flag(&j, package, "tool-d", dir));
	assert_true(jstool_is_folder(&j.tree, "api") && jstool_is_folder(&j.tree, "") &&
	            !jstool_is_folder(&j.tree, "ap"));
	assert_string_equal(jstool_in("api", "api/package.json"), "package.json");
	assert_null(jstool_in("", "api/package.json"));
	assert_null(jstool_in("ap", "api/package.json"));
	assert_string_equal(jstool_ext("a.b.js"), ".js");
	assert_string_equal(jstool_ext(".js"), "");
	arena_release(&j.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(globs),
	    cmocka_unit_test(sorts_words),
	    cmocka_unit_test(reads_scripts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
