/* core/lookup.h against a plain search, over growth. */
#include "core/limits.h"
#include "core/lookup.h"
#include "tests/lib/cm.h"

#include <stdio.h>
#include <string.h>

enum { PAIRS = 3000 };

static struct arena arena;

static int setup(void **state)
{
	UNUSED(state);
	arena_init(&arena, ARENA_DEFAULT_MAX);
	return 0;
}

static int teardown(void **state)
{
	UNUSED(state);
	arena_release(&arena);
	return 0;
}

static void finds_what_was_added(void **state)
{
	struct lookup x;
	const char *names[PAIRS];

	UNUSED(state);
	lookup_init(&x, &arena, 0);
	assert_int_equal(lookup_find(&x, "app", "0"), -1);
	for (int i = 0; i < PAIRS; i++) {
		names[i] = arena_printf(&arena, "%d", i / 2);
		lookup_add(&x, i % 2 == 0 ? "even" : "odd", names[i], i);
	}
	for (int i = 0; i < PAIRS; i++)
		assert_int_equal(lookup_find(&x, i % 2 == 0 ? "even" : "odd", names[i]), i);
	assert_int_equal(lookup_find(&x, "even", "1500"), -1);
	assert_int_equal(lookup_find(&x, "neither", "1"), -1);
}

static void the_first_stays(void **state)
{
	struct lookup x;

	UNUSED(state);
	lookup_init(&x, &arena, 100);
	lookup_add(&x, "a", "b", 7);
	lookup_add(&x, "a", "b", 8);
	assert_int_equal(lookup_find(&x, "a", "b"), 7);
	/* The border between the two strings counts. */
	lookup_add(&x, "ab", "", 1);
	lookup_add(&x, "", "ab", 2);
	assert_int_equal(lookup_find(&x, "ab", ""), 1);
	assert_int_equal(lookup_find(&x, "", "ab"), 2);
	assert_int_equal(lookup_find(&x, "a", "b"), 7);
}

static void without_memory_nothing_is_found(void **state)
{
	static char names[1000][12];
	struct arena small;
	struct lookup x;

	UNUSED(state);
	arena_init(&small, 1024);
	lookup_init(&x, &small, 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "%d", i);
		lookup_add(&x, "same", names[i], i);
	}
	assert_true(arena_failed(&small));
	lookup_init(&x, &small, 10);
	lookup_add(&x, "a", "b", 1);
	assert_int_equal(lookup_find(&x, "a", "b"), -1);
	arena_release(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(finds_what_was_added, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_first_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_memory_nothing_is_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
