#include "backends/template.h"
#include "tests/lib/cm.h"

static void fills_known_places(void **state)
{
	const struct template_var vars[] = {
	    {"url", "http://x"}, {"a", "{url}"}, {"dash", "-rf"}, {"none", NULL}, {NULL, NULL}};
	char dst[32];

	UNUSED(state);
	assert_int_equal(template_fill("{url}/version", vars, dst, sizeof(dst), NULL), ERR_OK);
	assert_string_equal(dst, "http://x/version");
	/* A value is never looked at again. */
	assert_int_equal(template_fill("{a}{b}{", vars, dst, sizeof(dst), NULL), ERR_OK);
	assert_string_equal(dst, "{url}{b}{");
	assert_int_equal(template_fill("{none}}{{url}", vars, dst, sizeof(dst), NULL), ERR_OK);
	assert_string_equal(dst, "}{http://x");
}

static void values_never_become_options(void **state)
{
	const struct template_var vars[] = {{"dash", "-rf"}, {NULL, NULL}};
	char dst[32];

	UNUSED(state);
	assert_int_equal(template_fill("{dash}", vars, dst, sizeof(dst), NULL), ERR_INVALID);
	assert_int_equal(template_fill("x{dash}", vars, dst, sizeof(dst), NULL), ERR_OK);
	assert_int_equal(template_fill("-v", vars, dst, sizeof(dst), NULL), ERR_OK);
}

static void what_does_not_fit_is_refused(void **state)
{
	const struct template_var vars[] = {{"long", "0123456789"}, {NULL, NULL}};
	char dst[11];

	UNUSED(state);
	assert_int_equal(template_fill("{long}", vars, dst, sizeof(dst), NULL), ERR_OK);
	assert_int_equal(template_fill("{long}x", vars, dst, sizeof(dst), NULL), ERR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fills_known_places),
	    cmocka_unit_test(values_never_become_options),
	    cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
