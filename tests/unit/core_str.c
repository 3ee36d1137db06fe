/* Growing strings: the maximum is exact, failure sticks, nothing is appended by halves. */
#include "core/str.h"
#include "tests/lib/cm.h"

static void appends(void **state)
{
	struct str s;

	UNUSED(state);
	str_init(&s, 100);
	assert_string_equal(str_text(&s), "");
	str_add(&s, "ab");
	str_addc(&s, 'c');
	str_addf(&s, "%d-%s", 42, "x");
	str_addn(&s, "yz", 1);
	str_addn(&s, NULL, 0);
	assert_string_equal(str_text(&s), "abc42-xy");
	assert_int_equal(s.len, 8);
	str_clear(&s);
	assert_string_equal(str_text(&s), "");
	str_addn(&s, "a\0b", 3);
	assert_memory_equal(s.data, "a\0b", 4);
	str_release(&s);
	assert_string_equal(str_text(&s), "");
}

static void the_maximum_is_exact_at_every_size(void **state)
{
	UNUSED(state);
	for (size_t max = 0; max < 200; max++) {
		struct str s;

		str_init(&s, max);
		for (size_t i = 0; i < max; i++)
			str_addc(&s, 'x');
		assert_false(s.failed);
		assert_int_equal(s.len, max);
		str_addc(&s, 'y');
		assert_true(s.failed);
		assert_int_equal(s.len, max);
		str_addn(&s, "", 0);
		assert_true(s.failed);
		if (max > 0)
			assert_true(s.data[max - 1] == 'x' && s.data[max] == '\0');
		assert_null(str_take(&s));
		assert_false(s.failed);
		str_add(&s, "");
		str_release(&s);
	}
}

static void failure_sticks_and_adds_nothing(void **state)
{
	struct str s;

	UNUSED(state);
	str_init(&s, 5);
	str_add(&s, "abc");
	str_add(&s, "def");
	assert_true(s.failed);
	assert_string_equal(str_text(&s), "abc");
	str_add(&s, "d");
	assert_string_equal(str_text(&s), "abc");
	str_addf(&s, "%s", "d");
	assert_string_equal(str_text(&s), "abc");
	str_clear(&s);
	str_addf(&s, "%06d", 1);
	assert_true(s.failed);
	assert_string_equal(str_text(&s), "");
	str_clear(&s);
	str_addn(&s, "x", SIZE_MAX);
	assert_true(s.failed);
	str_release(&s);
}

static void take_gives_the_bytes_away(void **state)
{
	struct str s;
	char *p;

	UNUSED(state);
	str_init(&s, 50);
	p = str_take(&s);
	assert_string_equal(p, "");
	free(p);
	str_add(&s, "hello");
	p = str_take(&s);
	assert_string_equal(p, "hello");
	assert_null(s.data);
	free(p);
	str_release(&s);
}

static void fixed_copies_are_always_ended(void **state)
{
	char buf[4] = "zzz";

	UNUSED(state);
	assert_true(str_copy(buf, sizeof(buf), "abc"));
	assert_string_equal(buf, "abc");
	assert_false(str_copy(buf, sizeof(buf), "abcd"));
	assert_string_equal(buf, "abc");
	assert_true(str_copy(buf, sizeof(buf), ""));
	assert_string_equal(buf, "");
	assert_false(str_copy(buf, 1, "a"));
	assert_string_equal(buf, "");
	assert_true(str_copy(buf, 1, ""));
}

static void random_appends_keep_the_invariants(void **state)
{
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int i = 0; i < 500; i++) {
		size_t max = prng_below(&p, 2000), want = 0;
		struct str s;
		char piece[300];

		memset(piece, 'p', sizeof(piece));
		str_init(&s, max);
		for (int k = 0; k < 30; k++) {
			size_t n = prng_below(&p, sizeof(piece));
			bool fits = want + n <= max && !s.failed;

			str_addn(&s, piece, n);
			assert_true(s.failed == !fits);
			want += fits ? n : 0;
			assert_int_equal(s.len, want);
			assert_int_equal(strlen(str_text(&s)), want);
		}
		str_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appends),
	    cmocka_unit_test(the_maximum_is_exact_at_every_size),
	    cmocka_unit_test(failure_sticks_and_adds_nothing),
	    cmocka_unit_test(take_gives_the_bytes_away),
	    cmocka_unit_test(fixed_copies_are_always_ended),
	    cmocka_unit_test(random_appends_keep_the_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
