/* Regular expressions: spans, groups, case, and costly patterns that must come back. */
#include "core/match.h"
#include "tests/lib/cm.h"

static struct match *compiled(const char *pattern, bool ignore_case)
{
	struct match *m = NULL;
	struct error e = {0};

	if (match_new(pattern, ignore_case, &m, &e) != 0)
		fail_msg("%s: %s", pattern, e.text);
	return m;
}

static enum match_verdict find(const char *pattern, bool ignore_case, const char *s, size_t n)
{
	struct match *m = compiled(pattern, ignore_case);
	enum match_verdict v = match_find(m, s, n, NULL, NULL);

	match_free(m);
	return v;
}

static void spans_and_groups(void **state)
{
	struct match *m = compiled("(\\w+)=(\\d+)(x)?", false);
	const char *s = "  rate=42;";
	size_t from = 0, to = 0;
	char buf[16];

	UNUSED(state);
	assert_false(match_group(m, s, 0, buf, sizeof(buf)));
	assert_int_equal(match_find(m, s, strlen(s), &from, &to), MATCH_YES);
	assert_int_equal(from, 2);
	assert_int_equal(to, 9);
	assert_true(match_group(m, s, 0, buf, sizeof(buf)));
	assert_string_equal(buf, "rate=42");
	assert_true(match_group(m, s, 2, buf, sizeof(buf)));
	assert_string_equal(buf, "42");
	assert_true(match_group(m, s, 1, buf, 3));
	assert_string_equal(buf, "ra");
	assert_false(match_group(m, s, 3, buf, sizeof(buf)));
	assert_false(match_group(m, s, 4, buf, sizeof(buf)));
	assert_false(match_group(m, s, -1, buf, sizeof(buf)));
	assert_int_equal(match_find(m, "rate=", 5, &from, &to), MATCH_NO);
	assert_false(match_group(m, s, 0, buf, sizeof(buf)));
	assert_int_equal(match_find(m, NULL, 0, NULL, NULL), MATCH_NO);
	match_free(m);
	match_free(NULL);
}

static void case_and_bytes(void **state)
{
	UNUSED(state);
	assert_int_equal(find("TimeOut", false, "timeout", 7), MATCH_NO);
	assert_int_equal(find("TimeOut", true, "timeout", 7), MATCH_YES);
	assert_int_equal(find("\xc3\x84"
	                      "b",
	                      true,
	                      "\xc3\xa4"
	                      "b",
	                      3),
	                 MATCH_YES);
	assert_int_equal(find("^a.b$", false,
	                      "a\xc3\xa4"
	                      "b",
	                      4),
	                 MATCH_YES);
	/* Subjects need not be UTF-8, nor end with a NUL. */
	assert_int_equal(find("error", false, "\xff\xfe error \x80", 10), MATCH_YES);
	assert_int_equal(find("a", false, "\0a", 2), MATCH_YES);
	assert_int_equal(find("b", false, "ab", 1), MATCH_NO);
}

static void literals_mean_themselves(void **state)
{
	static const char *const texts[] = {
	    "a.b*c", "(", "[x", "\\d", "^$", "(?i)x", "\xc3\xa4\xe6\x97\xa5", "\xff\xfe"};
	struct match *m = NULL;
	struct error e;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(texts) - 1; i++) {
		char around[64] = "zz ";

		assert_int_equal(match_new_literal(texts[i], false, &m, &e), 0);
		strncat(around, texts[i], 40);
		assert_int_equal(match_find(m, around, strlen(around), NULL, NULL), MATCH_YES);
		assert_int_equal(match_find(m, "aXbbc", 5, NULL, NULL), MATCH_NO);
		match_free(m);
	}
	assert_int_equal(match_new_literal(texts[ARRAY_LEN(texts) - 1], false, &m, &e), ERR_INVALID);
	assert_int_equal(match_new_literal("kelvin", true, &m, &e), 0);
	assert_int_equal(match_find(m, "KELVIN", 6, NULL, NULL), MATCH_YES);
	assert_int_equal(match_find(m,
	                            "\xe2\x84\xaa"
	                            "elvin",
	                            8, NULL, NULL),
	                 MATCH_NO);
	match_free(m);
}

static void mistakes_have_a_column(void **state)
{
	static const struct {
		const char *pattern;
		int col;
	} bad[] = {
	    {"(", 2},   {"a)", 2}, {"ab[", 4}, {"*a", 1}, {"a{2,1}", 7}, {"\\C", 3}, {"(?<n>a)(?<n>b)", 13},
	    {"\xff", 1}};
	struct match *m = NULL;
	char big[PATTERN_MAX + 2];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error e = {0};

		assert_int_equal(match_new(bad[i].pattern, false, &m, &e), ERR_INVALID);
		assert_true(e.text[0] != '\0');
		assert_in_range(e.col, MAX(bad[i].col - 1, 1), bad[i].col + 1);
	}
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(match_new(big, false, &m, NULL), ERR_INVALID);
	big[PATTERN_MAX] = '\0';
	assert_int_equal(match_new(big, false, &m, NULL), 0);
	match_free(m);
	memset(big, '(', 200);
	memset(big + 200, ')', 200);
	big[400] = '\0';
	assert_int_equal(match_new(big, false, &m, NULL), ERR_INVALID);
}

/* Patterns that take exponential time without limits: each must come back, and say so. */
static void costly_patterns_come_back(void **state)
{
	static const char *const patterns[] = {
	    "^(a+)+$",
	    "^([a-zA-Z]+)*$",
	    "^(a|aa)+$",
	    "^(a|a?)+$",
	    "(x+x+)+y",
	    "^(([a-z])+.)+[A-Z]([a-z])+$",
	    "^(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b$",
	    "(?:(?:a*)*)*b",
	    "^(\\w+\\s?)*$",
	    "((a*)*)*(\\1)*b",
	};
	char subject[4001];
	int costly = 0;

	UNUSED(state);
	memset(subject, 'a', sizeof(subject));
	subject[4000] = '!';
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		enum match_verdict v = find(patterns[i], false, subject, sizeof(subject));

		assert_int_not_equal(v, MATCH_YES);
		costly += v == MATCH_COSTLY;
		memset(subject, 'x', 40);
		assert_int_not_equal(find(patterns[i], true, subject, sizeof(subject)), MATCH_YES);
		memset(subject, 'a', 40);
	}
	assert_true(costly >= 5);
}

static void deep_recursion_is_refused_or_bounded(void **state)
{
	size_t n = 1024 * 1024;
	char *subject = malloc(n);

	UNUSED(state);
	memset(subject, '(', n);
	assert_int_not_equal(find("^(\\((?1)*\\))+$", false, subject, n), MATCH_YES);
	assert_int_not_equal(find("^(?:.|\\n)*z", false, subject, n), MATCH_YES);
	free(subject);
}

static void random_patterns_do_no_harm(void **state)
{
	static const char alphabet[] = "ab.*+?()[]{}|^$\\dw1,-:<=!i";
	struct prng p = prng_seeded();
	int compiled_n = 0;

	UNUSED(state);
	for (int i = 0; i < 20000; i++) {
		char pattern[24], subject[40];
		size_t n = 1 + prng_below(&p, sizeof(pattern) - 1), from = 0, to = 0;
		struct match *m = NULL;
		struct error e;

		for (size_t k = 0; k < n; k++)
			pattern[k] = alphabet[prng_below(&p, sizeof(alphabet) - 1)];
		pattern[n] = '\0';
		pattern[sizeof(pattern) - 1] = '\0';
		for (size_t k = 0; k < sizeof(subject); k++)
			subject[k] = (char)(prng_below(&p, 4) > 0 ? "ab1 "[prng_below(&p, 4)]
			                                          : (int)prng_below(&p, 256));
		if (match_new(pattern, prng_below(&p, 2) == 1, &m, &e) != 0)
			continue;
		compiled_n++;
		if (match_find(m, subject, sizeof(subject), &from, &to) == MATCH_YES)
			assert_true(from <= to && to <= sizeof(subject));
		match_free(m);
	}
	assert_true(compiled_n > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spans_and_groups),
	    cmocka_unit_test(case_and_bytes),
	    cmocka_unit_test(literals_mean_themselves),
	    cmocka_unit_test(mistakes_have_a_column),
	    cmocka_unit_test(costly_patterns_come_back),
	    cmocka_unit_test(deep_recursion_is_refused_or_bounded),
	    cmocka_unit_test(random_patterns_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
