#include "core/jsscan.h"
#include "tests/lib/cm.h"

#include <stdio.h>

/* Tokens with their depth: "0:name:x ". */
static const char *scan_all(const char *text)
{
	static const char *const kinds[] = {"name", "str", "tpl", "num", "re", "op", "end"};
	static char out[4096];
	struct js_token *t = NULL;
	int n = js_scan(text, strlen(text), &t);
	size_t k = 0;

	if (n < 0)
		return "bad";
	out[0] = '\0';
	for (int i = 0; i + 1 < n; i++)
		k += (size_t)snprintf(out + k, sizeof(out) - k, "%d:%s:%.*s ", t[i].depth, kinds[t[i].kind],
		                      (int)t[i].n, t[i].s);
	assert_int_equal(t[n - 1].kind, JS_END);
	free(t);
	return out;
}

static void reads_tokens(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"", ""},
	    {"#!/usr/bin/env node\nx", "0:name:x "},
	    {"\xef\xbb\xbfx", "0:name:x "},
	    {"a.b?.c ?? d", "0:name:a 0:op:. 0:name:b 0:op:?. 0:name:c 0:op:?? 0:name:d "},
	    {"a?.5:1", "0:name:a 0:op:? 0:num:.5 0:op:: 0:num:1 "},
	    {"f({x: [1]})", "0:name:f 0:op:( 1:op:{ 2:name:x 2:op:: 2:op:[ 3:num:1 2:op:] 1:op:} 0:op:) "},
	    {"// '\n/* \" */ x", "0:name:x "},
	    {"'a\\'b' \"c//d\"", "0:str:'a\\'b' 0:str:\"c//d\" "},
	    {"`a${f('}', `b${1}`)}c` d", "0:tpl:`a${f('}', `b${1}`)}c` 0:name:d "},
	    {"x = /['\"/]+\\//g; y = a / b / c", "0:name:x 0:op:= 0:re:/['\"/]+\\//g 0:op:; 0:name:y 0:op:= "
	                                         "0:name:a 0:op:/ 0:name:b 0:op:/ 0:name:c "},
	    {"return /x/.test(y)", "0:name:return 0:re:/x/ 0:op:. 0:name:test 0:op:( 1:name:y 0:op:) "},
	    {"(a) / 2 / 3", "0:op:( 1:name:a 0:op:) 0:op:/ 0:num:2 0:op:/ 0:num:3 "},
	    {"class A { #p = 1e-3 }", "0:name:class 0:name:A 0:op:{ 1:name:#p 1:op:= 1:num:1e-3 0:op:} "},
	    {"()=>{...x}", "0:op:( 0:op:) 0:op:=> 0:op:{ 1:op:... 1:name:x 0:op:} "},
	    {"'open\n'", "bad"},
	    {"`open", "bad"},
	    {"`${", "bad"},
	    {"/* open", "bad"},
	    {"(]", "bad"},
	    {"(", "bad"},
	    {"}", "bad"},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(scan_all(rows[i].text), rows[i].want);
}

static void reads_strings(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: has no plain value */
	} rows[] = {
	    {"''", ""},
	    {"'a\\n\\x41\\u00e9\\u{1F600}'", "a\nA\xc3\xa9\xf0\x9f\x98\x80"},
	    {"'\\uD83D\\uDE00'", "\xf0\x9f\x98\x80"},
	    {"'\\uD83D'", NULL},
	    {"'\\u{110000}'", NULL},
	    {"'\\u{}'", NULL},
	    {"'\\0'", NULL},
	    {"'\\x4'", NULL},
	    {"'a\\\nb'", "ab"},
	    {"'a\\\r\nb'", "ab"},
	    {"'\\q\\'\\\\'", "q'\\"},
	    {"`a\nb$c`", "a\nb$c"},
	    {"`a\\${b}`", "a${b}"},
	    {"`a${b}`", NULL},
	    {"x", NULL},
	    {"'0123456789012345678901234567890'", "0123456789012345678901234567890"},
	    {"'01234567890123456789012345678901'", NULL},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct js_token *t;
		char value[32];

		assert_true(js_scan(rows[i].text, strlen(rows[i].text), &t) > 0);
		assert_int_equal(js_string(&t[0], value, sizeof(value)), rows[i].want != NULL);
		if (rows[i].want != NULL)
			assert_string_equal(value, rows[i].want);
		free(t);
	}
}

static void finds_ends(void **state)
{
	static const char text[] = "f(a, {b: [1, 2]}, c);\nd";
	struct js_token *t;
	int n = js_scan(text, sizeof(text) - 1, &t);

	UNUSED(state);
	assert_true(n > 0);
	assert_true(js_op(&t[js_close(t, 1)], ")"));
	assert_int_equal(js_close(t, 1), n - 4);
	assert_int_equal(js_value_end(t, 2), 3);
	assert_true(js_op(&t[js_value_end(t, 4)], ","));
	assert_true(js_is(&t[js_value_end(t, 4) + 1], "c"));
	assert_true(js_op(&t[js_value_end(t, js_value_end(t, 4) + 1)], ")"));
	assert_true(js_op(&t[js_value_end(t, 0)], ";"));
	assert_int_equal(t[n - 2].line, 2);
	assert_true(t[n - 2].first);
	assert_false(t[1].first);
	free(t);
}

static void bounds_depth(void **state)
{
	char text[2048];
	struct js_token *t;

	UNUSED(state);
	memset(text, '[', 1024);
	memset(text + 1024, ']', 1024);
	assert_int_equal(js_scan(text, sizeof(text), &t), -1);
	assert_true(js_scan(text + 1024 - 200, 400, &t) > 0);
	free(t);
	for (size_t i = 0; i + 3 <= sizeof(text); i += 3)
		memcpy(text + i, "`${", 3);
	assert_int_equal(js_scan(text, sizeof(text), &t), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_tokens),
	    cmocka_unit_test(reads_strings),
	    cmocka_unit_test(finds_ends),
	    cmocka_unit_test(bounds_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
