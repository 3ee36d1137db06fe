/* The filter grammar: what passes, what is refused and where, the prefilter, pickers. */
#include <stdio.h>

#include "core/filter.h"
#include "core/logbuf.h"
#include "core/time.h"
#include "tests/lib/cm.h"

struct row {
	const char *text;
	const char *fields[8][2];
};

static const char *row_text(const void *row, size_t *ret_n)
{
	const struct row *r = row;

	*ret_n = strlen(r->text);
	return r->text;
}

static const char *row_field(const void *row, const char *key, char *buf, size_t cap)
{
	const struct row *r = row;

	UNUSED(buf);
	UNUSED(cap);
	for (size_t i = 0; i < ARRAY_LEN(r->fields) && r->fields[i][0] != NULL; i++)
		if (strcmp(r->fields[i][0], key) == 0)
			return r->fields[i][1];
	return NULL;
}

#define NOW INT64_C(1793069251000000) /* 2026-10-27T02:47:31Z */

static const struct row row = {
    .text = "GET /api/orders 502 upstream Timeout after 30s",
    .fields = {{"service", "Checkout"},
               {"level", "warn"},
               {"status", "502"},
               {"took", "523"},
               {"dur", "1.5s"},
               {"empty", ""},
               {"tag", "2.9.4"}},
};

static bool passes_at(const char *text, int64_t time_us)
{
	struct filter_row fr = {
	    .row = &row, .now_us = NOW, .time_us = time_us, .text = row_text, .field = row_field};
	struct filter *f = NULL;
	struct error e = {0};
	bool yes;

	if (filter_parse(text, &f, &e) != 0)
		fail_msg("%s: %s at %d", text, e.text, e.col);
	yes = filter_passes(f, &fr);
	filter_free(f);
	return yes;
}

static void rows_pass_or_not(void **state)
{
	static const char *const yes[] = {
	    "",
	    "   ",
	    "get",
	    "GET",
	    "Timeout",
	    "timeout",
	    "get timeout",
	    "!healthz",
	    "!(healthz | metrics)",
	    "(nothing | timeout)",
	    "nothing | timeout",
	    "/time(out|d)/",
	    "/\\d{3}/",
	    "\"api/orders 502\"",
	    "/\\/api\\//",
	    "service:check",
	    "service=checkout",
	    "service=Checkout",
	    "service!=web",
	    "level:warn",
	    "level>=warn",
	    "level<error",
	    "level!=error",
	    "level=WARNING",
	    "lvl!=error",
	    "status>=500",
	    "status:50",
	    "status<600",
	    "took>500ms",
	    "took>500",
	    "dur>1s",
	    "dur<=1500ms",
	    "dur>1",
	    "!nothing !other",
	    "!!timeout",
	    "empty=",
	    "none=",
	    "none!=x",
	    "service:",
	    "!none:",
	    "!empty:",
	    "service:/^Check/",
	    "service:/^check/",
	    "service:/^CHECK/i",
	    "tag:2.9",
	    "tag>=2.9.3",
	    "(get (502 | 503)) timeout",
	    "status:\"502\"",
	    "a|get",
	    "/TIMEOUT/i",
	    "/\\S+ \\D/",
	    "30s",
	    "502 | (x y)",
	    "\"Timeout after\"",
	};
	static const char *const no[] = {
	    "TIMEOUT",          "nothing",     "!timeout",      "get nothing",   "(zz | qq)",
	    "/^timeout/",       "/TIME/",      "service:web",   "service=check", "service=CHECKOUT",
	    "level>=error",     "level=error", "level>warn",    "level!=warn",   "status<500",
	    "took<500ms",       "none:",       "empty:",        "none=x",        "none:x",
	    "none>1",           "tag>3",       "!(get | post)", "http://get",    "lvl>=debug",
	    "service:/^CHECK/",
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!passes_at(yes[i], NOW))
			fail_msg("should pass: %s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (passes_at(no[i], NOW))
			fail_msg("should not pass: %s", no[i]);
}

static void times_are_compared(void **state)
{
	int64_t five_min_ago = NOW - 5 * US_PER_MIN;

	UNUSED(state);
	assert_true(passes_at("age<10m", five_min_ago));
	assert_false(passes_at("age<4m59s", five_min_ago));
	assert_true(passes_at("age>=5m", five_min_ago));
	assert_false(passes_at("age>5m", five_min_ago));
	assert_true(passes_at("since:10m", five_min_ago));
	assert_false(passes_at("since:1m", five_min_ago));
	assert_true(passes_at("until:1m", five_min_ago));
	assert_true(passes_at("since:02:40", five_min_ago));
	assert_false(passes_at("since:02:45", five_min_ago));
	assert_true(passes_at("since:02:42:31 until:02:42:31", five_min_ago));
	/* A time of day that is still to come was yesterday. */
	assert_true(passes_at("since:22:00", five_min_ago));
	assert_true(passes_at("until:2026-10-27T03:00Z", five_min_ago));
	assert_false(passes_at("until:2026-10-27T02:00Z", five_min_ago));
	assert_true(passes_at("since:2026-10-27T02:00:00+02:00", five_min_ago));
	/* A row without a time is neither young nor old. */
	assert_false(passes_at("age<10m", 0));
	assert_false(passes_at("age>10m", 0));
	assert_false(passes_at("since:10m", 0));
}

static void mistakes_are_marked(void **state)
{
	static const struct {
		const char *text;
		int col;
	} bad[] = {
	    {"a (b", 3},    {"a )", 3},         {"(", 2},         {"()", 2},     {"( | a)", 3},
	    {"a |", 4},     {"| a", 1},         {"!", 1},         {"a ! b", 3},  {"\"abc", 1},
	    {"x /abc", 3},  {"//", 1},          {"\"\"", 1},      {"x /a(/", 6}, {"level>=loud", 8},
	    {"age<old", 5}, {"since:never", 7}, {"since>10m", 7}, {"took>", 6},  {"status>/5/", 8},
	    {"key:\"x", 5}, {"age:/x/", 5},
	};
	struct filter *f = NULL;
	char big[FILTER_MAX + 2];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error e = {0};

		if (filter_parse(bad[i].text, &f, &e) != ERR_INVALID)
			fail_msg("should be refused: %s", bad[i].text);
		assert_null(f);
		assert_string_equal(e.where, "");
		if (e.col != bad[i].col)
			fail_msg("%s: column %d, not %d (%s)", bad[i].text, e.col, bad[i].col, e.text);
	}
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(filter_parse(big, &f, NULL), ERR_INVALID);
	big[FILTER_MAX] = '\0';
	assert_int_equal(filter_parse(big, &f, NULL), 0);
	filter_free(f);
	f = NULL;
	memset(big, '(', FILTER_DEPTH_MAX + 1);
	assert_int_equal(filter_parse(big, &f, NULL), ERR_INVALID);
	memset(big, '!', FILTER_DEPTH_MAX + 1);
	assert_int_equal(filter_parse(big, &f, NULL), ERR_INVALID);
	assert_null(f);
}

static void costly_patterns_never_pass(void **state)
{
	static char flood[3001];
	struct row costly = {.text = flood};
	struct filter_row fr = {.row = &costly, .text = row_text, .field = row_field};
	static const char *const texts[] = {"/^(a+)+$/", "!/^(a+)+$/", "a /^(a+)+$/", "zzz | !/^(a+)+$/"};

	UNUSED(state);
	memset(flood, 'a', sizeof(flood) - 2);
	flood[sizeof(flood) - 2] = '!';
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct filter *f = NULL;

		assert_int_equal(filter_parse(texts[i], &f, NULL), 0);
		assert_false(filter_passes(f, &fr));
		filter_free(f);
	}
}

static void literals_for_the_prefilter(void **state)
{
	static const struct {
		const char *text, *literal;
		bool ignore_case;
	} cases[] = {
	    {"", "", false},
	    {"timeout", "timeout", true},
	    {"Timeout", "Timeout", false},
	    {"ab timeout", "timeout", true},
	    {"(a | b)", "", false},
	    {"!timeout", "", false},
	    {"key:timeout", "", false},
	    {"level>=warn Refused", "Refused", false},
	    {"/Upstream timed? out/", "Upstream time", false},
	    {"/a+bcd/", "bcd", true},
	    {"/(abc)?de/", "de", true},
	    {"/a|b/", "", false},
	    {"/(?i)ABC/", "", false},
	    {"/ab{3}c/", "a", true},
	    {"/[abc]xyz/", "xyz", true},
	    {"/x[]a]yz/", "yz", true},
	    {"/\\d+ errorx/", " errorx", true},
	    {"/a\\.b/", "a.b", true},
	    {"/\\x41bc/", "", false},
	    {"/status/", "tatu", true},
	    {"gr\xc3\xbc\xc3\x9f", "", false},
	    {"(Abc Abcd)", "Abcd", false},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct filter *f = NULL;
		bool ignore = false;

		assert_int_equal(filter_parse(cases[i].text, &f, NULL), 0);
		if (strcmp(filter_literal(f, &ignore), cases[i].literal) != 0)
			fail_msg("%s: literal \"%s\", not \"%s\"", cases[i].text, filter_literal(f, NULL),
			         cases[i].literal);
		assert_int_equal(ignore, cases[i].ignore_case);
		filter_free(f);
	}
	filter_free(NULL);
}

static bool contains(const char *s, const char *needle, bool ignore_case)
{
	size_t n = strlen(needle);

	for (; *s != '\0'; s++) {
		size_t k = 0;

		while (k < n && (s[k] == needle[k] || (ignore_case && (s[k] | 0x20) == (needle[k] | 0x20) &&
		                                       (s[k] | 0x20) >= 'a' && (s[k] | 0x20) <= 'z')))
			k++;
		if (k == n)
			return true;
	}
	return n == 0;
}

/* Random filters never crash, a passing text always contains the literal, not is not. */
static void properties_hold_for_random_filters(void **state)
{
	static const char *const pieces[] = {
	    "a", "b",    "ab",    "A",      "(",        ")",    "|",    "!",   " ",  "/", "\"", "key",
	    ":", "=",    ">",     "<",      "level>=",  "warn", "age<", "5m",  "\\", ".", "*",  "+",
	    "?", "[ab]", "(ab)?", "since:", "\xc3\xa4", "\xff", "1",    "{2}", "^",  "$", "s",  "k",
	};
	struct prng p = prng_seeded();
	int parsed = 0, passed = 0;

	UNUSED(state);
	for (int i = 0; i < 60000; i++) {
		char text[64] = "", inverse[80], subject[24];
		struct row r = {.text = subject, .fields = {{"key", subject}, {"level", "warn"}}};
		struct filter_row fr = {
		    .row = &r, .now_us = NOW, .time_us = NOW, .text = row_text, .field = row_field};
		struct filter *f = NULL, *g = NULL;
		struct error e = {0};
		const char *literal;
		bool yes, ignore = false;

		for (size_t k = prng_below(&p, 9) + 1; k > 0; k--)
			strncat(text, pieces[prng_below(&p, ARRAY_LEN(pieces))],
			        sizeof(text) - strlen(text) - 1);
		for (size_t k = 0; k < sizeof(subject); k++)
			subject[k] = "abABks1 \xc3\xa4"[prng_below(&p, 10)];
		subject[prng_below(&p, sizeof(subject))] = '\0';
		subject[sizeof(subject) - 1] = '\0';
		if (filter_parse(text, &f, &e) != 0) {
			assert_in_range(e.col, 1, strlen(text) + 2);
			continue;
		}
		parsed++;
		if (f == NULL)
			continue;
		yes = filter_passes(f, &fr);
		passed += yes;
		literal = filter_literal(f, &ignore);
		if (yes && !contains(subject, literal, ignore))
			fail_msg("%s passes \"%s\" without \"%s\"", text, subject, literal);
		snprintf(inverse, sizeof(inverse), "!(%s)", text);
		/* A bracket without its fellow is part of a word only where none is open. */
		if (strchr(text, ')') == NULL && filter_parse(inverse, &g, &e) == 0 && g != NULL)
			assert_true(filter_passes(g, &fr) != yes);
		filter_free(g);
		filter_free(f);
	}
	assert_true(parsed > 5000 && passed > 500);
}

static void pickers_rank_sensibly(void **state)
{
	UNUSED(state);
	assert_int_equal(fuzzy_score("", "anything"), 0);
	assert_true(fuzzy_score("x", "abc") < 0);
	assert_true(fuzzy_score("abc", "ab") < 0);
	assert_true(fuzzy_score("ba", "ab") < 0);
	assert_true(fuzzy_score("PROD", "checkout-prod") >= 0);
	assert_true(fuzzy_score("prod", "prod-eu") > fuzzy_score("prod", "checkout-prod"));
	assert_true(fuzzy_score("cp", "checkout-prod") > fuzzy_score("cp", "recipe"));
	assert_true(fuzzy_score("che", "checkout") > fuzzy_score("che", "catch-here"));
	assert_true(fuzzy_score("web", "web") > fuzzy_score("web", "web-frontend-of-the-shop"));
	assert_true(fuzzy_score("rb", "rollBack") > fuzzy_score("rb", "turbine"));
	{
		char long_text[2000], long_pattern[200];

		memset(long_text, 'a', sizeof(long_text));
		memset(long_pattern, 'a', sizeof(long_pattern));
		long_text[sizeof(long_text) - 1] = long_pattern[sizeof(long_pattern) - 1] = '\0';
		assert_true(fuzzy_score("aaa", long_text) >= 0);
		assert_true(fuzzy_score(long_pattern, long_text) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_pass_or_not),
	    cmocka_unit_test(times_are_compared),
	    cmocka_unit_test(mistakes_are_marked),
	    cmocka_unit_test(costly_patterns_never_pass),
	    cmocka_unit_test(literals_for_the_prefilter),
	    cmocka_unit_test(properties_hold_for_random_filters),
	    cmocka_unit_test(pickers_rank_sensibly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
