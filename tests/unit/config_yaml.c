/* The strict YAML: what it refuses, and where it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/yaml.h"

static int parse(struct arena *a, const char *text, size_t n, const struct yaml **ret, struct error *e)
{
	arena_init(a, 16 * 1024 * 1024);
	memset(e, 0, sizeof(*e));
	return yaml_parse(a, "f.yaml", text, n, ret, e);
}

static void reads_all_kinds(void **state)
{
	static const char text[] = "a: 1\nb: [x, 'y', null]\nc:\n  d: \"z\"\n  e:\nf: |\n  two\n  lines\n";
	struct arena a;
	struct error e;
	const struct yaml *y = NULL, *v;

	(void)state;
	assert_int_equal(parse(&a, text, strlen(text), &y, &e), 0);
	assert_int_equal(y->type, YAML_MAP);
	assert_int_equal(y->n, 4);
	v = yaml_get(y, "a");
	assert_string_equal(v->text, "1");
	assert_false(v->quoted);
	assert_int_equal(v->line, 1);
	assert_int_equal(v->col, 4);
	v = yaml_get(y, "b");
	assert_int_equal(v->type, YAML_SEQ);
	assert_int_equal(v->n, 3);
	assert_true(v->items[1]->quoted);
	assert_int_equal(v->items[1]->col, 8);
	assert_int_equal(v->items[2]->type, YAML_NULL);
	v = yaml_get(yaml_get(y, "c"), "d");
	assert_int_equal(v->line, 4);
	assert_int_equal(v->col, 6);
	assert_int_equal(yaml_get(yaml_get(y, "c"), "e")->type, YAML_NULL);
	assert_string_equal(yaml_get(y, "f")->text, "two\nlines\n");
	assert_null(yaml_get(y, "g"));
	assert_int_equal(y->key_at[2]->line, 3);
	arena_release(&a);
}

static void empty_is_null(void **state)
{
	static const char *const texts[] = {"", "\n", "# only a comment\n", "\xef\xbb\xbf"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct arena a;
		struct error e;
		const struct yaml *y = NULL;

		assert_int_equal(parse(&a, texts[i], strlen(texts[i]), &y, &e), 0);
		assert_int_equal(y->type, YAML_NULL);
		arena_release(&a);
	}
}

static const struct {
	const char *text;
	int line, col;
	const char *says;
} refusals[] = {
    {"a: &x 1\nb: *x\n", 1, 4, "anchors"},
    {"a: 1\nb: *x\n", 2, 4, "aliases"},
    {"a: &x {b: 1}\n", 1, 4, "anchors"},
    {"a: &x [b]\n", 1, 4, "anchors"},
    {"a: !!str 1\n", 1, 4, "tags"},
    {"a: !own {b: 1}\n", 1, 4, "tags"},
    {"a: !own [b]\n", 1, 4, "tags"},
    {"a: 1\n<<: {b: 2}\n", 2, 1, "merge keys"},
    {"a: 1\nb: 2\na: 3\n", 3, 1, "the key a is here twice"},
    {"x: {a: 1, \"a\": 3}\n", 1, 11, "the key a is here twice"},
    {"? [a, b]\n: 1\n", 1, 3, "a key must be plain text"},
    {"? {a: b}\n: 1\n", 1, 3, "a key must be plain text"},
    {"a: 1\n---\nb: 2\n", 2, 1, "a second document"},
    {"a: 1\nb: \x01\n", 2, 4, "a control character"},
    {"a: 1\nb: \x7f\n", 2, 4, "a control character"},
    {"a: \xc2\x85\n", 1, 4, "a control character"},
    {"a: 1\nb: \xff\n", 2, 4, "not UTF-8"},
    {"a: \xc3\xa4\xff\n", 1, 5, "not UTF-8"},
    {"a: \xed\xa0\x80\n", 1, 4, "not UTF-8"},
    {"a: \"\\e[2J\"\n", 1, 4, "control or invisible"},
    {"a: \"x\\0y\"\n", 1, 4, "control or invisible"},
    {"a: \"\\u202e\"\n", 1, 4, "control or invisible"},
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct arena a;
		struct error e;
		const struct yaml *y = NULL;
		int rc = parse(&a, refusals[i].text, strlen(refusals[i].text), &y, &e);

		if (rc != ERR_INVALID || e.line != refusals[i].line || e.col != refusals[i].col ||
		    strstr(e.text, refusals[i].says) == NULL || e.hint[0] == '\0')
			fail_msg("case %zu: %d at %d:%d: %s (%s)\n%s", i, rc, e.line, e.col, e.text, e.hint,
			         refusals[i].text);
		assert_string_equal(e.where, "f.yaml");
		arena_release(&a);
	}
}

/* Syntax: the parser's own place and words; nothing may reach stderr. */
static void syntax_has_a_place(void **state)
{
	static const struct {
		const char *text;
		int line, col;
	} cases[] = {
	    {"a: [1, 2\nb: 3\n", 3, 1},
	    {"a: 'x\n", 1, 5},
	    {"a: 1\n  b: 2\n", 1, 4},
	    {"a: {b: s/{e}.x}\n", 1, 10},
	    {"a:\n\t- b\n", 2, 1},
	    {"a: 1\n- b\n", 2, 1},
	    {"a: \"\\q\"\n", 1, 5},
	    {"%YAML 9.9\n---\na: 1\n", 1, 1},
	    {"a: }\n", 1, 4},
	    {"a: b: c\n", 1, 5},
	    {"@x\n", 1, 1},
	};
	int saved, out[2];
	char noise[64], wrong[400] = "";
	ssize_t got;

	(void)state;
	assert_int_equal(pipe(out), 0);
	saved = dup(2);
	dup2(out[1], 2);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct error e;
		const struct yaml *y = NULL;
		int rc = parse(&a, cases[i].text, strlen(cases[i].text), &y, &e);

		if (wrong[0] == '\0' && (rc != ERR_INVALID || e.line != cases[i].line ||
		                         e.col != cases[i].col || e.text[0] == '\0'))
			snprintf(wrong, sizeof(wrong), "case %zu: %d at %d:%d: %.200s", i, rc, e.line, e.col,
			         e.text);
		arena_release(&a);
	}
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	close(out[1]);
	got = read(out[0], noise, sizeof(noise));
	close(out[0]);
	assert_int_equal(got, 0);
	assert_string_equal(wrong, "");
}

static void bomb_is_refused_at_its_first_anchor(void **state)
{
	static const char text[] = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	                           "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n";
	struct arena a;
	struct error e;
	const struct yaml *y = NULL;

	(void)state;
	assert_int_equal(parse(&a, text, strlen(text), &y, &e), ERR_INVALID);
	assert_int_equal(e.line, 1);
	assert_true(a.used_bytes < 100 * 1024);
	arena_release(&a);
}

static void size_is_bounded(void **state)
{
	size_t n = CONFIG_BYTES_MAX;
	char *text = malloc(n + 1);
	struct arena a;
	struct error e;
	const struct yaml *y = NULL;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', n + 1);
	memcpy(text, "a: 1\n#", 6);
	assert_int_equal(parse(&a, text, n, &y, &e), 0);
	arena_release(&a);
	assert_int_equal(parse(&a, text, n + 1, &y, &e), ERR_INVALID);
	assert_int_equal(e.line, 1);
	assert_non_null(strstr(e.hint, "1 MiB"));
	arena_release(&a);
	free(text);
}

static void depth_is_bounded(void **state)
{
	char text[512];
	struct arena a;
	struct error e;
	const struct yaml *y = NULL;

	(void)state;
	memset(text, '[', CONFIG_DEPTH_MAX);
	memset(text + CONFIG_DEPTH_MAX, ']', CONFIG_DEPTH_MAX);
	assert_int_equal(parse(&a, text, 2 * CONFIG_DEPTH_MAX, &y, &e), 0);
	arena_release(&a);
	memset(text, '[', CONFIG_DEPTH_MAX + 1);
	memset(text + CONFIG_DEPTH_MAX + 1, ']', CONFIG_DEPTH_MAX + 1);
	assert_int_equal(parse(&a, text, 2 * CONFIG_DEPTH_MAX + 2, &y, &e), ERR_INVALID);
	assert_int_equal(e.line, 1);
	assert_int_equal(e.col, CONFIG_DEPTH_MAX + 1);
	arena_release(&a);
}

static void many_keys_are_bounded(void **state)
{
	char *text = malloc(200000);
	size_t n = 0;
	struct arena a;
	struct error e;
	const struct yaml *y = NULL;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 2049; i++)
		n += (size_t)snprintf(text + n, 32, "k%d: 1\n", i);
	assert_int_equal(parse(&a, text, n, &y, &e), ERR_INVALID);
	assert_int_equal(e.line, 2049);
	arena_release(&a);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reads_all_kinds),
	                                   cmocka_unit_test(empty_is_null),
	                                   cmocka_unit_test(refuses),
	                                   cmocka_unit_test(syntax_has_a_place),
	                                   cmocka_unit_test(bomb_is_refused_at_its_first_anchor),
	                                   cmocka_unit_test(size_is_bounded),
	                                   cmocka_unit_test(depth_is_bounded),
	                                   cmocka_unit_test(many_keys_are_bounded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
