/* The union of several environments' migrations, and what filters see of a row. */
#include "core/rung_row.h"
#include "core/rungs.h"
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include <stdio.h>

static struct migration_set *set_of(const char *const *names, int n_external)
{
	int n = 0;
	while (names[n])
		n++;
	struct migration_set *set = migration_set_new(n);
	for (int i = 0; i < n; i++) {
		str_copy(set->items[i].name, MIGRATION_LEN, names[i]);
		set->items[i].external = i >= n - n_external;
	}
	return set;
}

static void check_order(struct migration_set *const *sets, int n, const char *wanted)
{
	struct rungs *r = rungs_new(sets, n);
	char got[512] = "";
	assert_non_null(r);
	for (int i = 0; i < r->n_items; i++) {
		size_t k = strlen(got);
		(void)snprintf(got + k, sizeof got - k, "%s%s", i ? " " : "", r->items[i].any->name);
		for (int e = 0; e < n; e++) {
			const struct migration *it = rung_in(&r->items[i], sets, e);
			if (it)
				assert_string_equal(it->name, r->items[i].any->name);
		}
	}
	assert_string_equal(got, wanted);
	rungs_free(r);
}

/* What only one environment knows stands where that environment has it. */
static void test_union(void **state)
{
	static const char *const a[] = {"1", "2", "4", "5", NULL}, *const b[] = {"1", "2", "3", "4", NULL},
	                         *const c[] = {"0", "1", "4", "5", "6", NULL}, *const none[] = {NULL};
	struct migration_set *sets[] = {set_of(a, 0), NULL, set_of(b, 0), set_of(c, 0), set_of(none, 0)};
	UNUSED(state);
	check_order(sets, 5, "0 1 2 3 4 5 6");
	check_order(sets, 1, "1 2 4 5");
	check_order(sets + 1, 1, "");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		migration_set_free(sets[i]);
}

static void test_external_last(void **state)
{
	static const char *const a[] = {"x", "1", "2", "y", NULL}, *const b[] = {"1", "z", NULL};
	struct migration_set *sets[] = {set_of(a, 1), set_of(b, 1)};
	struct rungs *r;
	UNUSED(state);
	/* External only where it is so everywhere. */
	sets[0]->items[0].external = true;
	check_order(sets, 2, "1 2 x z y");
	r = rungs_new(sets, 2);
	assert_int_equal(r->n_external, 3);
	rungs_free(r);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		migration_set_free(sets[i]);
}

/* Thousands of names in several environments cost no square. */
static void test_large(void **state)
{
	enum { N = MIGRATIONS_MAX, ENVS = 5 };
	struct migration_set *sets[ENVS];
	struct rungs *r;
	UNUSED(state);
	for (int e = 0; e < ENVS; e++) {
		sets[e] = migration_set_new(N);
		for (int i = 0; i < N; i++)
			(void)snprintf(sets[e]->items[i].name, MIGRATION_LEN, "%06d_some_name_%d", i,
			               i % 7 == e ? e : 9);
	}
	r = rungs_new(sets, ENVS);
	assert_non_null(r);
	assert_true(r->n_items > N && r->n_items < 2 * N);
	/* Each environment finds its own in its own order. */
	for (int e = 0; e < ENVS; e++) {
		int last = -1;
		for (int i = 0; i < r->n_items; i++)
			if (r->items[i].at[e] >= 0) {
				assert_int_equal(r->items[i].at[e], last + 1);
				last++;
			}
		assert_int_equal(last, N - 1);
	}
	rungs_free(r);
	for (int e = 0; e < ENVS; e++)
		migration_set_free(sets[e]);
}

static int shown(struct world *w, const char *filter)
{
	struct error e = {0};
	struct list *l = &w->ui->lists[SCREEN_MIGRATIONS];
	filter_free(l->filter);
	l->filter = NULL;
	if (filter_parse(filter, &l->filter, &e) != 0)
		fail_msg("%s: %s", filter, e.text);
	free(world_draw(w));
	return w->ui->n_rows;
}

static void test_filter(void **state)
{
	static const struct {
		const char *filter;
		int rows;
	} wanted[] = {
	    {"", 10}, /* nine, and those of other apps as one */
	    {"region", 6},
	    {"state:pending", 4},
	    {"env:dev state:pending", 2},
	    {"env:prod state:pending", 4},
	    {"prod:failed", 1},
	    {"env:staging state:running", 1},
	    {"state:late", 1},
	    {"state:external", 3},
	    {"kind:contract", 1},
	    {"is:destructive", 1},
	    {"kind=data !backfill", 1},
	    {"by:bo", 3},
	    {"release:2.9.2", 2},
	    {"release:unreleased", 3},
	    {"age<10d", 4},
	    {"age>20d", 1},
	    {"env:nowhere", 0},
	    {"(state:failed | state:modified)", 2},
	};
	struct world *w = world_new(40, 120, GLYPHS_ASCII, 0);
	UNUSED(state);
	str_copy(w->ui->service, sizeof w->ui->service, "checkout");
	w->ui->touched = true;
	world_key(w, "6");
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (shown(w, wanted[i].filter) != wanted[i].rows)
			fail_msg("%s: %d rows, not %d", wanted[i].filter, w->ui->n_rows, wanted[i].rows);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_union), cmocka_unit_test(test_external_last),
	                                   cmocka_unit_test(test_large), cmocka_unit_test(test_filter)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
