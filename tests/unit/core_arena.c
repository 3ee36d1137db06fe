/* Arenas: aligned, zeroed, bounded; a builder that fails anywhere is caught by one check. */
#include <stdalign.h>

#include "core/arena.h"
#include "core/err.h"
#include "tests/lib/cm.h"

static void memory_is_aligned_and_zeroed(void **state)
{
	struct prng p = prng_seeded();
	struct arena a;

	UNUSED(state);
	arena_init(&a, 1024 * 1024);
	for (int i = 0; i < 2000; i++) {
		size_t n = prng_below(&p, 400);
		unsigned char *m = arena_alloc(&a, n);

		assert_non_null(m);
		assert_int_equal((uintptr_t)m % alignof(max_align_t), 0);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(m[k], 0);
		memset(m, 0xa5, n);
	}
	assert_false(arena_failed(&a));
	arena_release(&a);
	arena_release(&a);
	assert_non_null(arena_alloc(&a, 10));
	arena_release(&a);
}

static void texts_are_copied(void **state)
{
	struct arena a;

	UNUSED(state);
	arena_init(&a, 100000);
	assert_string_equal(arena_strdup(&a, "abc"), "abc");
	assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(&a, "ab\0cd", 5), "ab");
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 5), "x-5");
	{
		int first[3] = {1, 2, 3}, *more = arena_grow(&a, first, 3, 6, sizeof(int));

		assert_int_equal(more[2], 3);
		assert_int_equal(more[3], 0);
	}
	arena_release(&a);
}

static void the_limit_holds_and_sticks(void **state)
{
	struct arena a;

	UNUSED(state);
	arena_init(&a, 1000);
	assert_non_null(arena_alloc(&a, 500));
	assert_null(arena_alloc(&a, 600));
	assert_true(arena_failed(&a));
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_strdup(&a, "x"));
	assert_null(arena_printf(&a, "x"));
	assert_null(arena_grow(&a, NULL, 0, 1, 1));
	arena_release(&a);
	assert_false(arena_failed(&a));
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_release(&a);
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	arena_release(&a);
	assert_null(arena_grow(&a, NULL, 0, SIZE_MAX / 4, 8));
	assert_true(arena_failed(&a));
	arena_release(&a);
	arena_init(&a, 0);
	assert_null(arena_alloc(&a, 1));
	assert_true(arena_failed(&a));
	arena_release(&a);
}

/* The n-th allocation fails, for every n that a builder does: the bytes used never pass the limit. */
static void every_step_of_a_builder_may_fail(void **state)
{
	bool built = false;

	UNUSED(state);
	for (size_t max = 0; !built; max += 16) {
		struct arena a;
		const char *texts[40] = {NULL};

		assert_true(max < 100000);
		arena_init(&a, max);
		for (int i = 0; i < 40; i++)
			texts[i] = arena_printf(&a, "text number %d %0*d", i, i * 10, i);
		assert_true(a.used_bytes <= max);
		built = !arena_failed(&a);
		for (int i = 0; i < 40; i++)
			assert_true(!built || texts[i] != NULL);
		if (!built)
			assert_null(texts[39]);
		arena_release(&a);
		assert_int_equal(a.used_bytes, 0);
	}
}

static void errors_are_formatted(void **state)
{
	struct error e;
	char buf[100];

	UNUSED(state);
	assert_int_equal(error_set(&e, ERR_INVALID, "bad %s", "thing"), ERR_INVALID);
	error_format(&e, buf, sizeof(buf));
	assert_string_equal(buf, "bad thing");
	error_at(&e, "file.yaml", 3, 7);
	error_hint(&e, "write %d", 5);
	error_format(&e, buf, sizeof(buf));
	assert_string_equal(buf, "file.yaml:3:7: bad thing (write 5)");
	error_at(&e, "host", 0, 0);
	error_format(&e, buf, 12);
	assert_string_equal(buf, "host: bad t");
	assert_int_equal(error_set(NULL, ERR_IO, "x"), ERR_IO);
	error_at(NULL, "x", 1, 1);
	error_hint(NULL, "x");
	assert_string_equal(err_name(ERR_NOT_FOUND), "not-found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_is_aligned_and_zeroed),
	    cmocka_unit_test(texts_are_copied),
	    cmocka_unit_test(the_limit_holds_and_sticks),
	    cmocka_unit_test(every_step_of_a_builder_may_fail),
	    cmocka_unit_test(errors_are_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
