/* Themes: what a file compiles to, refusals with their places, and that ours can be read by everybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "themes/theme.h"

static void ours_load(void **state)
{
	struct theme t;
	struct error e = {0};

	(void)state;
	for (int i = 0; theme_names[i] != NULL; i++) {
		if (theme_load(theme_names[i], &t, &e) != 0)
			fail_msg("%s %d:%d %s", theme_names[i], e.line, e.col, e.text);
		assert_string_equal(t.name, theme_names[i]);
	}
}

static void ours_pass_the_check(void **state)
{
	static const char *const names[] = {"dark", "light", "mono"};
	struct str out;

	(void)state;
	str_init(&out, 10000);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct theme t;
		struct error e;

		assert_int_equal(theme_load(names[i], &t, &e), 0);
		if (theme_check(&t, &out) != 0)
			fail_msg("%s: %s", names[i], str_text(&out));
	}
	str_release(&out);
}

/* The reason why classic is not the default. */
static void check_finds_red_and_green(void **state)
{
	static const char bad[] =
	    "roles: {ok: \"#00AA00\", warn: \"#B0A000\", err: \"#AA5500\", dim: \"#333333\"}\n";
	struct theme t;
	struct error e;
	struct str out;

	(void)state;
	str_init(&out, 10000);
	assert_int_equal(theme_parse("bad", bad, strlen(bad), &t, &e), 0);
	assert_true(theme_check(&t, &out) >= 3);
	assert_non_null(strstr(str_text(&out), "protanopia"));
	assert_non_null(strstr(str_text(&out), "dim: contrast"));
	str_release(&out);
}

static void compiles_by_depth(void **state)
{
	struct theme t;
	struct error e;

	(void)state;
	assert_int_equal(theme_load("dark", &t, &e), 0);
	assert_int_equal(t.style[DEPTH_RGB][ROLE_OK].fg, 0x6EACED);
	assert_int_equal(t.style[DEPTH_256][ROLE_OK].fg, 75);
	assert_int_equal(t.style[DEPTH_16][ROLE_OK].fg, 12);
	assert_int_equal(t.style[DEPTH_MONO][ROLE_OK].fg, -1);
	assert_int_equal(t.style[DEPTH_16][ROLE_ERR].attrs, ATTR_BOLD);
	assert_int_equal(t.style[DEPTH_MONO][ROLE_ERR].attrs, ATTR_REVERSE);
	assert_int_equal(t.style[DEPTH_MONO][ROLE_PROD].attrs, ATTR_BOLD | ATTR_REVERSE);
	assert_int_equal(t.style[DEPTH_RGB][ROLE_TEXT].fg, -1);
	assert_false(t.is_light);
	assert_int_equal(theme_load("light", &t, &e), 0);
	assert_true(t.is_light);
	assert_int_equal(t.style[DEPTH_RGB][ROLE_LINK].attrs, ATTR_UNDERLINE);
	assert_int_equal(theme_load("mono", &t, &e), 0);
	for (int d = 0; d < DEPTH_COUNT; d++)
		for (int i = 0; i < ROLE_COUNT; i++)
			assert_int_equal(t.style[d][i].fg, -1);
}

/* One text gives all depths: nearest colours where there are fewer. */
static void one_text_serves_all_depths(void **state)
{
	static const char text[] = "roles: {ok: \"#FF0000 on #000000 bold\"}\n";
	struct theme t;
	struct error e;

	(void)state;
	assert_int_equal(theme_parse("t", text, strlen(text), &t, &e), 0);
	assert_int_equal(t.style[DEPTH_RGB][ROLE_OK].fg, 0xFF0000);
	assert_int_equal(t.style[DEPTH_RGB][ROLE_OK].bg, 0);
	assert_int_equal(t.style[DEPTH_256][ROLE_OK].fg, 196);
	assert_int_equal(t.style[DEPTH_256][ROLE_OK].bg, 16);
	assert_int_equal(t.style[DEPTH_16][ROLE_OK].fg, 9);
	assert_int_equal(t.style[DEPTH_16][ROLE_OK].attrs, ATTR_BOLD);
}

static const struct {
	const char *text;
	int line, col;
	const char *says;
} refusals[] = {
    {"- a\n", 1, 1, "a theme must be a mapping"},
    {"name: x\nrols: {}\n", 2, 1, "no such key: rols"},
    {"roles: {okay: red}\n", 1, 9, "no role is called okay"},
    {"roles: x\n", 1, 8, "roles must be"},
    {"roles: {ok: purple}\n", 1, 13, "no colour or attribute: purple"},
    {"roles: {ok: \"#12345\"}\n", 1, 13, "no colour or attribute: #12345"},
    {"roles: {ok: red blue}\n", 1, 13, "no colour or attribute: blue"},
    {"roles: {ok: {\"256\": \"256\"}}\n", 1, 21, "no colour or attribute: 256"},
    {"roles: {ok: {\"16\": \"16\"}}\n", 1, 20, "no colour or attribute: 16"},
    {"roles: {ok: {mono: red}}\n", 1, 20, "mono has no red"},
    {"roles: {ok: {truecolor: red}}\n", 1, 14, "no colour depth: truecolor"},
    {"roles: {ok: [red]}\n", 1, 13, "no style for the role ok"},
    {"roles: {ok: {rgb: [red]}}\n", 1, 19, "a style must be one text"},
    {"inherits: darkest\n", 1, 11, "no theme is called darkest"},
    {"inherits: [dark]\n", 1, 11, "inherits must be"},
    {"background: grey\n", 1, 13, "background must be dark or light"},
    {"name: [x]\n", 1, 7, "name must be a text"},
    {"roles: {ok: red, ok: blue}\n", 1, 18, "the key ok is here twice"},
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct theme t;
		struct error e = {0};
		int rc = theme_parse("file", refusals[i].text, strlen(refusals[i].text), &t, &e);

		if (rc != ERR_INVALID || e.line != refusals[i].line || e.col != refusals[i].col ||
		    strstr(e.text, refusals[i].says) == NULL)
			fail_msg("case %zu: %d at %d:%d: %s\n%s", i, rc, e.line, e.col, e.text,
			         refusals[i].text);
	}
}

static void loads_by_path(void **state)
{
	char dir[] = "/tmp/towpath-theme-XXXXXX", path[80];
	struct theme t;
	struct error e;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/own.theme", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("name: own\ninherits: classic\nroles: {err: magenta}\n", f);
	fclose(f);
	assert_int_equal(theme_load(path, &t, &e), 0);
	assert_string_equal(t.name, "own");
	assert_int_equal(t.style[DEPTH_16][ROLE_ERR].fg, 5);
	assert_int_equal(t.style[DEPTH_256][ROLE_OK].fg, 113);
	unlink(path);
	assert_int_equal(theme_load(path, &t, &e), ERR_NOT_FOUND);
	assert_int_equal(theme_load("nothing", &t, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.hint, "classic"));
	rmdir(dir);
}

static void measures(void **state)
{
	(void)state;
	assert_float_equal(colour_contrast(0, 0xffffff), 21.0, 0.01);
	assert_float_equal(colour_contrast(0x777777, 0xffffff), 4.48, 0.01);
	assert_float_equal(colour_distance(0, 0xffffff, VISION_NORMAL), 100.0, 0.1);
	assert_float_equal(colour_distance(0x123456, 0x123456, VISION_TRITANOPIA), 0.0, 0.001);
	/* Red and green are far apart, and near for who lacks one of the cones. */
	assert_true(colour_distance(0xcc4444, 0x6a8f20, VISION_NORMAL) > 60);
	assert_true(colour_distance(0xcc4444, 0x6a8f20, VISION_DEUTERANOPIA) < 35);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ours_load),
	                                   cmocka_unit_test(ours_pass_the_check),
	                                   cmocka_unit_test(check_finds_red_and_green),
	                                   cmocka_unit_test(compiles_by_depth),
	                                   cmocka_unit_test(one_text_serves_all_depths),
	                                   cmocka_unit_test(refuses),
	                                   cmocka_unit_test(loads_by_path),
	                                   cmocka_unit_test(measures)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
