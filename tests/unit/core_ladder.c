/* Files against rows: every state, the order of the union, and git's word on modified ones. */
#include "core/ladder.h"
#include "core/str.h"
#include "tests/lib/cm.h"

static struct ladder_file file(const char *name, const char *sum)
{
	struct ladder_file f = {.name = name, .row_matches = true};

	str_copy(f.checksum, sizeof(f.checksum), sum);
	return f;
}

static void every_state(void **state)
{
	struct ladder_file files[] = {file("01", "a"), file("02", "b"), file("03", "c"),
	                              file("05", "d"), file("06", "e"), file("07", "f")};
	const struct ladder_row rows[] = {
	    {.name = "01", .state = LADDER_DONE, .at_us = 7},
	    {.name = "02", .state = LADDER_DONE},
	    {.name = "03", .state = LADDER_FAILED, .text = "boom\x1b[0m"},
	    {.name = "04", .state = LADDER_DONE},
	    {.name = "04b", .state = LADDER_UNDONE},
	    {.name = "05", .state = LADDER_OPEN},
	    {.name = "06", .state = LADDER_UNDONE},
	};
	struct ladder in = {.tool = "tool",
	                    .revision = "rev",
	                    .files = files,
	                    .n_files = 6,
	                    .rows = rows,
	                    .n_rows = 7,
	                    .by_name = true};
	static const enum migration_state want[] = {MIGRATION_APPLIED, MIGRATION_MODIFIED, MIGRATION_FAILED,
	                                            MIGRATION_MISSING, MIGRATION_FAILED,   MIGRATION_PENDING,
	                                            MIGRATION_UNKNOWN};
	struct migration_set *set;

	UNUSED(state);
	files[1].row_matches = false;
	files[5].trouble = "cannot be read";
	set = ladder_compare(&in);
	assert_non_null(set);
	assert_int_equal(set->n_items, 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(set->items[i].state, want[i]);
	assert_string_equal(set->items[3].name, "04");
	assert_non_null(strstr(set->items[2].text, "<ESC>"));
	assert_int_equal(set->items[0].applied_us, 7);
	assert_int_equal(set->n_failed, 2);
	assert_string_equal(set->tool, "tool");
	migration_set_free(set);
	/* Somebody works: what has no end runs. */
	in.works = true;
	set = ladder_compare(&in);
	assert_int_equal(set->items[4].state, MIGRATION_RUNNING);
	assert_int_equal(set->n_failed, 1);
	migration_set_free(set);
}

static void order_without_names(void **state)
{
	struct ladder_file files[] = {file("b", ""), file("a", "")};
	const struct ladder_row rows[] = {{.name = "x", .external = true},
	                                  {.name = "a"},
	                                  {.name = "0"},
	                                  {.name = "left", .external = true, .text = "harmless"}};
	struct ladder in = {
	    .tool = "t", .revision = "r", .files = files, .n_files = 2, .rows = rows, .n_rows = 4};
	struct migration_set *set = ladder_compare(&in);

	UNUSED(state);
	assert_int_equal(set->n_items, 5);
	assert_string_equal(set->items[0].name, "b");
	assert_string_equal(set->items[1].name, "a");
	assert_string_equal(set->items[2].name, "x");
	assert_int_equal(set->items[2].state, MIGRATION_APPLIED);
	assert_true(set->items[2].external);
	assert_int_equal(set->items[3].state, MIGRATION_MISSING);
	assert_int_equal(set->items[4].state, MIGRATION_MISSING);
	assert_true(set->items[4].external);
	assert_string_equal(set->items[4].text, "harmless");
	assert_int_equal(set->n_external, 2);
	assert_int_equal(set->n_missing, 1);
	assert_int_equal(set->n_applied, 1);
	migration_set_free(set);
}

static void late_ones(void **state)
{
	struct ladder_file files[] = {file("1", ""), file("2", ""), file("3", "")};
	const struct ladder_row rows[] = {{.name = "2"}};
	struct ladder in = {.tool = "t",
	                    .revision = "r",
	                    .files = files,
	                    .n_files = 3,
	                    .rows = rows,
	                    .n_rows = 1,
	                    .by_name = true};
	struct migration_set *set = ladder_compare(&in);

	UNUSED(state);
	assert_true(set->items[0].late);
	assert_false(set->items[1].late);
	assert_false(set->items[2].late);
	migration_set_free(set);
}

static void modified_by_revision(void **state)
{
	struct ladder_file old_files[] = {file("1", "a"), file("2", "b")};
	struct ladder_file new_files[] = {file("1", "a"), file("2", "c"), file("3", "d")};
	const struct ladder_row rows[] = {{.name = "1"}, {.name = "2"}};
	struct ladder older = {
	    .tool = "t", .revision = "o", .files = old_files, .n_files = 2, .rows = rows, .n_rows = 2};
	struct ladder newer = {
	    .tool = "t", .revision = "n", .files = new_files, .n_files = 3, .rows = rows, .n_rows = 2};
	struct migration_set *deployed = ladder_compare(&older), *target = ladder_compare(&newer);

	UNUSED(state);
	assert_int_equal(ladder_mark_modified(target, NULL), 0);
	assert_int_equal(ladder_mark_modified(NULL, deployed), 0);
	assert_int_equal(ladder_mark_modified(target, deployed), 1);
	assert_int_equal(target->items[1].state, MIGRATION_MODIFIED);
	assert_int_equal(target->n_modified, 1);
	assert_int_equal(target->n_applied, 1);
	assert_int_equal(target->n_pending, 1);
	migration_set_free(deployed);
	migration_set_free(target);
}

static void too_many(void **state)
{
	struct ladder_row *rows = calloc(MIGRATIONS_MAX + 1, sizeof(*rows));
	struct ladder in = {.tool = "t", .revision = "r", .rows = rows, .n_rows = MIGRATIONS_MAX + 1};

	UNUSED(state);
	assert_non_null(rows);
	for (int i = 0; i <= MIGRATIONS_MAX; i++)
		rows[i].name = "x";
	assert_null(ladder_compare(&in));
	free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_state), cmocka_unit_test(order_without_names),
	    cmocka_unit_test(late_ones),   cmocka_unit_test(modified_by_revision),
	    cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
