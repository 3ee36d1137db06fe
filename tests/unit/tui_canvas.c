/* The canvas: clipping, wide and combining characters, no cell outside of an area. */
#include "tests/lib/cm.h"
#include "tui/canvas.h"

#include <stdio.h>

static void row_is(const struct canvas *c, int row, const char *want)
{
	char got[512] = "";
	size_t n = 0;
	for (int col = 0; col < c->cols; col++)
		n += (size_t)snprintf(got + n, sizeof got - n, "%s", canvas_at(c, row, col)->text);
	assert_string_equal(got, want);
}

static void test_text(void **state)
{
	UNUSED(state);
	struct canvas c = {0};
	assert_int_equal(canvas_resize(&c, 2, 8), 0);
	struct area a = canvas_area(&c);
	assert_int_equal(area_text(a, 0, 0, ROLE_OK, "hello"), 5);
	assert_int_equal(area_text(a, 0, 5, ROLE_OK, "world"), 8);
	row_is(&c, 0, "hellowor");
	assert_int_equal(canvas_at(&c, 0, 0)->role, ROLE_OK);
	area_text(a, 7, 0, ROLE_OK, "outside");
	area_text(a, -1, 0, ROLE_OK, "outside");
	row_is(&c, 1, "        ");
	assert_int_equal(area_right(a, 1, 8, ROLE_TEXT, "end"), 5);
	row_is(&c, 1, "     end");
	canvas_release(&c);
}

static void test_wide(void **state)
{
	UNUSED(state);
	struct canvas c = {0};
	assert_int_equal(canvas_resize(&c, 1, 6), 0);
	struct area a = canvas_area(&c);
	area_text(a, 0, 0, ROLE_TEXT, "日本語");
	row_is(&c, 0, "日本語");
	/* Writing over half of a wide one leaves no other half. */
	area_text(a, 0, 1, ROLE_TEXT, "x");
	row_is(&c, 0, " x本語");
	area_text(a, 0, 4, ROLE_TEXT, "y");
	row_is(&c, 0, " x本y ");
	/* One that does not fit at the edge is left out whole. */
	canvas_clear(&c);
	area_text(a, 0, 5, ROLE_TEXT, "日");
	row_is(&c, 0, "      ");
	area_text(a, 0, 0, ROLE_TEXT, "e\xcc\x81x");
	assert_string_equal(canvas_at(&c, 0, 0)->text, "e\xcc\x81");
	assert_string_equal(canvas_at(&c, 0, 1)->text, "x");
	canvas_release(&c);
}

static void test_area(void **state)
{
	UNUSED(state);
	struct canvas c = {0};
	assert_int_equal(canvas_resize(&c, 6, 20), 0);
	struct area part = area_part(canvas_area(&c), 2, 5, 2, 8);
	for (int row = -3; row < 9; row++)
		area_text(part, row, -3, ROLE_ERR, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	area_repeat(part, 0, -5, 40, ROLE_ERR, "y");
	area_paint(part, 1, -9, 99, ROLE_ERR, ATTR_REVERSE);
	area_paint(part, 9, 0, 9, ROLE_ERR, ATTR_REVERSE);
	for (int row = 0; row < 6; row++)
		for (int col = 0; col < 20; col++) {
			bool inside = row >= 2 && row < 4 && col >= 5 && col < 13;
			if (!inside) {
				assert_string_equal(canvas_at(&c, row, col)->text, " ");
				assert_int_equal(canvas_at(&c, row, col)->role, ROLE_TEXT);
				assert_int_equal(canvas_at(&c, row, col)->attrs, 0);
			}
		}
	struct area none = area_part(part, 5, 5, 5, 5);
	assert_int_equal(none.rows, 0);
	area_text(none, 0, 0, ROLE_ERR, "x");
	area_clear(none);
	canvas_release(&c);
}

/* Long clusters are cut between code points. */
static void test_cluster(void **state)
{
	UNUSED(state);
	struct canvas c = {0};
	assert_int_equal(canvas_resize(&c, 1, 4), 0);
	char text[64] = "e";
	for (size_t i = 1; i < 30; i += 2)
		memcpy(text + i, "\xcc\x81", 3);
	area_text(canvas_area(&c), 0, 0, ROLE_TEXT, text);
	const char *cell = canvas_at(&c, 0, 0)->text;
	assert_int_equal(strlen(cell) % 2, 1);
	assert_true(strlen(cell) < CELL_BYTES);
	canvas_release(&c);
}

static void test_sizes(void **state)
{
	UNUSED(state);
	struct canvas c = {0};
	assert_int_equal(canvas_resize(&c, 0, -5), 0);
	assert_int_equal(c.rows, 1);
	assert_int_equal(c.cols, 1);
	area_text(canvas_area(&c), 0, 0, ROLE_TEXT, "xyz");
	row_is(&c, 0, "x");
	assert_int_equal(canvas_resize(&c, 100000, 100000), 0);
	assert_int_equal(c.rows, CANVAS_ROWS_MAX);
	canvas_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_wide),
	                                   cmocka_unit_test(test_area), cmocka_unit_test(test_cluster),
	                                   cmocka_unit_test(test_sizes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
