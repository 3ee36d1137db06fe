/* JSON values: parsing with its limits, reading, canonical bytes, SHA-256. */
#include <math.h>

#include "core/jv.h"
#include "core/sha256.h"
#include "tests/lib/cm.h"

struct fixture {
	struct arena a;
	struct str out;
	struct error e;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	arena_init(&f->a, 64 * 1024 * 1024);
	str_init(&f->out, 16 * 1024 * 1024);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_release(&f->a);
	str_release(&f->out);
	free(f);
	return 0;
}

static struct jv *parse(struct fixture *f, const char *text)
{
	struct jv *v = NULL;

	assert_int_equal(jv_parse(&f->a, text, strlen(text), &v, &f->e), 0);
	assert_non_null(v);
	return v;
}

static const char *print(struct fixture *f, const struct jv *v, enum jv_print how)
{
	str_clear(&f->out);
	jv_print(v, how, &f->out);
	return str_text(&f->out);
}

static void refused(struct fixture *f, const char *text, size_t n, int code)
{
	struct jv *v = NULL;

	memset(&f->e, 0, sizeof(f->e));
	assert_int_equal(jv_parse(&f->a, text, n, &v, &f->e), code);
	assert_null(v);
	assert_int_equal(f->e.code, code);
	assert_true(f->e.text[0] != '\0');
}

static void reads_every_type(void **state)
{
	struct fixture *f = *state;
	struct jv *v = parse(
	    f, " {\"s\":\"x\\u00e9\\n\",\"i\":-42,\"r\":2.5,\"w\":3.0,\"t\":true,\"f\":false,\"n\":null,"
	       "\"a\":[1,[2]],\"o\":{\"k\":\"v\"}} ");

	assert_int_equal(jv_type(v), JV_OBJ);
	assert_int_equal(jv_len(v), 9);
	assert_string_equal(jv_get_text(v, "s", NULL), "x\xc3\xa9\n");
	assert_int_equal(jv_get_num(v, "i", 0), -42);
	assert_true(fabs(jv_dbl(jv_get(v, "r"), 0) - 2.5) < 1e-12);
	assert_int_equal(jv_get_num(v, "r", 7), 7);
	assert_int_equal(jv_get_num(v, "w", 7), 3);
	assert_true(jv_get_true(v, "t", false));
	assert_false(jv_get_true(v, "f", true));
	assert_int_equal(jv_type(jv_get(v, "n")), JV_NULL);
	assert_int_equal(jv_num(jv_at(jv_at(jv_get(v, "a"), 1), 0), 0), 2);
	assert_string_equal(jv_key(v, 8), "o");
	assert_string_equal(jv_get_text(jv_get(v, "o"), "k", ""), "v");
}

static void absent_values_answer_with_the_default(void **state)
{
	UNUSED(state);
	assert_null(jv_get(NULL, "x"));
	assert_null(jv_at(NULL, 0));
	assert_null(jv_key(NULL, 0));
	assert_int_equal(jv_len(NULL), 0);
	assert_int_equal(jv_type(NULL), JV_NULL);
	assert_string_equal(jv_get_text(jv_get(NULL, "a"), "b", "none"), "none");
	assert_int_equal(jv_get_num(NULL, "a", 5), 5);
	assert_true(jv_get_true(NULL, "a", true));
}

static void set_replaces_and_push_appends(void **state)
{
	struct fixture *f = *state;
	struct jv *o = jv_obj(&f->a), *arr = jv_arr(&f->a);

	jv_set_int(&f->a, o, "b", 1);
	jv_set_str(&f->a, o, "a", "x");
	jv_set_int(&f->a, o, "b", 2);
	jv_set_str(&f->a, o, "n", NULL);
	for (int i = 0; i < 10; i++)
		jv_push(&f->a, arr, jv_int(&f->a, i));
	jv_set(&f->a, o, "l", arr);
	jv_set(&f->a, NULL, "x", arr);
	jv_set(&f->a, o, "x", NULL);
	jv_push(&f->a, o, arr);
	assert_string_equal(print(f, o, JV_COMPACT),
	                    "{\"b\":2,\"a\":\"x\",\"n\":null,\"l\":[0,1,2,3,4,5,6,7,8,9]}");
	assert_string_equal(print(f, o, JV_CANONICAL),
	                    "{\"a\":\"x\",\"b\":2,\"l\":[0,1,2,3,4,5,6,7,8,9],\"n\":null}");
}

static void canonical_form_ignores_order_and_spaces(void **state)
{
	struct fixture *f = *state;
	char one[200];

	str_copy(one, sizeof(one),
	         print(f,
	               parse(f, "{\"b\" : [ 1.0, 0.1, 1e300 ], \"a\":{\"z\":1,\"y\":\"\\u0041/\\u001f\"}}"),
	               JV_CANONICAL));
	assert_string_equal(one, "{\"a\":{\"y\":\"A/\\u001f\",\"z\":1},\"b\":[1,0.1,1e+300]}");
	assert_string_equal(
	    print(f, parse(f, "{\"a\":{\"y\":\"A/\\u001F\",\"z\":1},\"b\":[1,0.1,1e300]}"), JV_CANONICAL),
	    one);
}

static void reals_read_back_the_same(void **state)
{
	struct fixture *f = *state;
	struct prng p = prng_seeded();

	assert_string_equal(print(f, jv_real(&f->a, 1), JV_COMPACT), "1.0");
	assert_string_equal(print(f, jv_real(&f->a, 0.1), JV_COMPACT), "0.1");
	assert_string_equal(print(f, jv_real(&f->a, -0.0), JV_COMPACT), "0.0");
	assert_string_equal(print(f, jv_real(&f->a, NAN), JV_COMPACT), "null");
	assert_string_equal(print(f, jv_real(&f->a, INFINITY), JV_COMPACT), "null");
	for (int i = 0; i < 2000; i++) {
		double d = ((double)prng_next(&p) - 9e18) / (double)(prng_next(&p) | 1u);
		const struct jv *back = parse(f, print(f, jv_real(&f->a, d), JV_COMPACT));

		assert_int_equal(jv_type(back), JV_REAL);
		assert_true(jv_dbl(back, 0) <= d && jv_dbl(back, 0) >= d);
	}
}

static void strings_are_printed_without_control_characters(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(print(f, jv_str(&f->a, "a\"\\\n\t\x1b\x7f\xc2\x9b\xff z"), JV_COMPACT),
	                    "\"a\\\"\\\\\\n\\t\\u001b\\u007f\\u009b\\ufffd z\"");
	assert_string_equal(
	    print(f, parse(f, "{\"a\":[],\"b\":{},\"c\":[1,{\"d\":2}]}"), JV_PRETTY),
	    "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": 2\n    }\n  ]\n}");
}

static void mistakes_have_a_place(void **state)
{
	struct fixture *f = *state;

	refused(f, "{\n \"a\": 1,\n \"b\" 2}", 18, ERR_INVALID);
	assert_int_equal(f->e.line, 3);
	assert_true(f->e.col > 1);
	refused(f, "", 0, ERR_INVALID);
	refused(f, "{} x", 4, ERR_INVALID);
	refused(f, "{\"a\":1,\"a\":2}", 13, ERR_INVALID);
	refused(f, "\"\xff\"", 3, ERR_INVALID);
	refused(f, "\"\xc0\x80\"", 4, ERR_INVALID);
	refused(f, "\"a\\u0000b\"", 10, ERR_INVALID);
	refused(f, "[1,]", 4, ERR_INVALID);
	refused(f, "nul", 3, ERR_INVALID);
	refused(f, "\"\x1b[2J\"", 6, ERR_INVALID);
	assert_null(strchr(f->e.text, '\x1b'));
}

static void depth_is_checked_before_parsing(void **state)
{
	struct fixture *f = *state;
	size_t n = 4 * 1024 * 1024;
	char *deep = malloc(n);
	char ok[2 * JSON_DEPTH_MAX + 1];

	memset(deep, '[', n);
	refused(f, deep, n, ERR_INVALID);
	assert_int_equal(f->e.col, JSON_DEPTH_MAX + 1);
	free(deep);
	memset(ok, '[', JSON_DEPTH_MAX);
	memset(ok + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	ok[2 * JSON_DEPTH_MAX] = '\0';
	parse(f, ok);
	/* Brackets inside of strings nest nothing. */
	parse(f,
	      "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[\"");
}

static void size_and_memory_are_bounded(void **state)
{
	struct fixture *f = *state;
	char *big = malloc((size_t)JSON_BYTES_MAX + 1);
	struct arena small;
	struct jv *v = NULL;

	memset(big, ' ', (size_t)JSON_BYTES_MAX + 1);
	refused(f, big, (size_t)JSON_BYTES_MAX + 1, ERR_NOMEM);
	free(big);
	for (size_t max = 0; max < 4096; max += 64) {
		int rc;

		arena_init(&small, max);
		v = NULL;
		rc = jv_parse(&small, "[[1,2,3],{\"a\":\"bcdefghijklmnopqrstuvwxyz\"}]", 43, &v, &f->e);
		assert_true((rc == 0) == (v != NULL));
		assert_true(rc == 0 || rc == ERR_NOMEM);
		if (rc == 0)
			assert_int_equal(jv_len(v), 2);
		arena_release(&small);
	}
}

static void numbers_beyond_64_bits_become_reals(void **state)
{
	struct fixture *f = *state;
	struct jv *v = parse(f, "{\"big\":18446744073709551615,\"small\":7,\"max\":9223372036854775807}");

	assert_int_equal(jv_type(jv_get(v, "big")), JV_REAL);
	assert_int_equal(jv_get_num(v, "big", -1), -1);
	assert_int_equal(jv_get_num(v, "small", -1), 7);
	v = parse(f, "[9223372036854775807,-9223372036854775808]");
	assert_true(jv_num(jv_at(v, 0), 0) == INT64_MAX);
	assert_true(jv_num(jv_at(v, 1), 0) == INT64_MIN);
	refused(f, "1e999", 5, ERR_INVALID);
}

static void copies_are_whole_and_apart(void **state)
{
	struct fixture *f = *state;
	struct arena other;
	struct jv *copy;

	arena_init(&other, 1024 * 1024);
	copy = jv_copy(&other, parse(f, "{\"a\":[1,2.5,\"x\",null,true,{\"b\":[]}]}"));
	arena_release(&f->a);
	assert_string_equal(print(f, copy, JV_COMPACT), "{\"a\":[1,2.5,\"x\",null,true,{\"b\":[]}]}");
	assert_null(jv_copy(&other, NULL));
	arena_release(&other);
}

static struct jv *random_tree(struct fixture *f, struct prng *p, int depth)
{
	size_t kind = prng_below(p, depth > 4 ? 5 : 7);
	char text[12];
	struct jv *v;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)(1 + prng_below(p, 127));
	text[prng_below(p, sizeof(text))] = '\0';
	text[sizeof(text) - 1] = '\0';
	switch (kind) {
	case 0: return jv_null(&f->a);
	case 1: return jv_bool(&f->a, prng_below(p, 2) == 1);
	case 2: return jv_int(&f->a, (int64_t)prng_next(p));
	case 3: return jv_real(&f->a, (double)prng_next(p) / 3e9);
	case 4: return jv_str(&f->a, text);
	case 5:
		v = jv_arr(&f->a);
		for (size_t i = prng_below(p, 5); i > 0; i--)
			jv_push(&f->a, v, random_tree(f, p, depth + 1));
		return v;
	default:
		v = jv_obj(&f->a);
		for (size_t i = prng_below(p, 5); i > 0; i--) {
			text[0] = (char)('a' + prng_below(p, 26));
			jv_set(&f->a, v, text, random_tree(f, p, depth + 1));
		}
		return v;
	}
}

static void random_trees_survive_print_and_parse(void **state)
{
	struct fixture *f = *state;
	struct prng p = prng_seeded();

	for (int i = 0; i < 500; i++) {
		struct jv *v = random_tree(f, &p, 0);

		for (int how = JV_COMPACT; how <= JV_CANONICAL; how++) {
			char *first = strdup(print(f, v, (enum jv_print)how));

			assert_string_equal(print(f, parse(f, first), (enum jv_print)how), first);
			free(first);
		}
	}
}

static void sha256_known_answers(void **state)
{
	struct sha256 *h = sha256_new();
	char hex[65];

	UNUSED(state);
	sha256_of("", 0, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_of(NULL, 0, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_of("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_add(h, "a", 1);
	sha256_add(h, "", 0);
	sha256_add(h, "bc", 2);
	memset(hex, 'x', sizeof(hex));
	sha256_hex(h, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_free(sha256_new());
	sha256_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(reads_every_type),
	    TEST(absent_values_answer_with_the_default),
	    TEST(set_replaces_and_push_appends),
	    TEST(canonical_form_ignores_order_and_spaces),
	    TEST(reals_read_back_the_same),
	    TEST(strings_are_printed_without_control_characters),
	    TEST(mistakes_have_a_place),
	    TEST(depth_is_checked_before_parsing),
	    TEST(size_and_memory_are_bounded),
	    TEST(numbers_beyond_64_bits_become_reals),
	    TEST(copies_are_whole_and_apart),
	    TEST(random_trees_survive_print_and_parse),
	    TEST(sha256_known_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
