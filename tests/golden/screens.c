/*
 * Every screen from a fixed world, compared cell by cell with the files beside this one. GOLDEN_UPDATE=1 rewrites
 * them (make golden); look at the difference before you commit it.
 */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include <stdio.h>

struct screen_case {
	const char *name;
	const char *keys; /* words: keys from the board on; "plan", "rollback" and "source" bring an answer */
};

static const struct screen_case cases[] = {
    {"board", ""},
    {"board-metrics", "Tab Tab"},
    {"board-past", "{ past"},
    {"board-marks", "marks k"},
    {"board-marks-bad", "marks"},
    {"board-filter", "/ f i n"},
    {"logs", "L"},
    {"logs-filter", "L / l e v e l > = w a r n"},
    {"logs-split", "L |"},
    {"metrics", "m"},
    {"rollouts", "4"},
    {"rollout", "4 Enter"},
    {"approvals", "5"},
    {"migrations", "6"},
    {"migrations-contract", "6 j j j j j"},
    {"migrations-filter", "6 / e n v : p r o d Space s t a t e : f a i l e d"},
    {"migrations-external", "6 G Enter j"},
    {"migration", "6 j j j j j Enter source"},
    {"migration-search", "6 j j j j j Enter source / c a r t Enter n"},
    {"migration-diff", "6 j d source"},
    {"migration-commit", "6 j j j j j c source"},
    {"history", "7 j"},
    {"doctor", "8 j"},
    {"detail", "i"},
    {"errors", "E"},
    {"plan", "P plan"},
    {"plan-waits", "P"},
    {"plan-blocked", "P blocked"},
    {"plan-confirm", "P plan wait x wait p r o d"},
    {"plan-set", "P set"},
    {"plan-set-member", "P set Enter"},
    {"plan-set-confirm", "P set wait x wait p r o d"},
    {"rollouts-set", "setruns 4"},
    {"rollout-set", "setruns 4 Enter"},
    {"rollback", "R rollback"},
    {"rollback-marks", "marks R rollback Down"},
    {"who-board", "who"},
    {"who-plan", "P plan tick who"},
    {"who-acts", "P plan tick acts"},
    {"who-confirm", "P plan acts wait x wait p r o d"},
    {"who-rollout", "4 Enter who"},
    {"help", "?"},
    {"palette", ": u n f r e e"},
    {"reason", "F q u a r"},
    {"hold", "4 H wait"},
};

static void press(struct world *w, const char *keys)
{
	char word[32];
	while (*keys) {
		size_t n = strcspn(keys, " ");
		(void)snprintf(word, sizeof word, "%.*s", (int)n, keys);
		keys += n + (keys[n] == ' ');
		if (strcmp(word, "plan") == 0)
			world_plan(w, PLAN_PROMOTE, true);
		else if (strcmp(word, "blocked") == 0)
			world_plan(w, PLAN_PROMOTE, false);
		else if (strcmp(word, "rollback") == 0)
			world_plan(w, PLAN_ROLLBACK, true);
		else if (strcmp(word, "set") == 0)
			world_set(w);
		else if (strcmp(word, "setruns") == 0)
			world_set_runs(w);
		else if (strcmp(word, "marks") == 0)
			world_marks(w);
		else if (strcmp(word, "who") == 0 || strcmp(word, "acts") == 0)
			world_presence(w, *word == 'a');
		else if (strcmp(word, "tick") == 0)
			world_tell(w, TOPIC_TIME);
		else if (strcmp(word, "past") == 0)
			world_past(w);
		else if (strcmp(word, "source") == 0)
			world_source(w);
		else if (strcmp(word, "wait") == 0)
			world_wait(w, US_PER_S);
		else if (*word)
			world_key(w, word);
	}
}

/* Roles by letter, one per cell: what colours would say. */
static void roles_text(const struct canvas *c, struct str *s)
{
	for (int row = 0; row < c->rows; row++) {
		int end = c->cols;
		while (end > 0 && canvas_at(c, row, end - 1)->role == ROLE_TEXT &&
		       !canvas_at(c, row, end - 1)->attrs)
			end--;
		for (int col = 0; col < end; col++) {
			const struct canvas_cell *cell = canvas_at(c, row, col);
			char letter = (char)('a' + cell->role);
			str_addc(s, cell->role == ROLE_TEXT      ? (cell->attrs & ATTR_REVERSE ? '=' : '.')
			            : cell->attrs & ATTR_REVERSE ? (char)(letter - 32)
			                                         : letter);
		}
		str_addc(s, '\n');
	}
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	char *text = calloc(1, 1024 * 1024);
	size_t n = text ? fread(text, 1, 1024 * 1024 - 1, f) : 0;
	(void)n;
	(void)fclose(f);
	return text;
}

static void compare(const char *name, const char *suffix, const char *got)
{
	char path[512];
	const char *top = getenv("TOWPATH_TOP");
	(void)snprintf(path, sizeof path, "%s/tests/golden/%s.%s.txt", top ? top : ".", name, suffix);
	if (getenv("GOLDEN_UPDATE")) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_true(fputs(got, f) >= 0);
		assert_int_equal(fclose(f), 0);
		return;
	}
	char *want = file_text(path);
	if (!want)
		fail_msg("%s is missing: make golden writes it", path);
	if (strcmp(want, got) != 0) {
		print_error("--- %s, wanted:\n%s--- got:\n%s", path, want, got);
		free(want);
		fail();
	}
	free(want);
}

static void each(int rows, int cols, enum glyph_set glyphs, const char *suffix, bool roles)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(rows, cols, glyphs, 0);
		free(world_draw(w));
		press(w, cases[i].keys);
		char *text = world_draw(w);
		compare(cases[i].name, suffix, text);
		free(text);
		if (roles) {
			struct str s;
			str_init(&s, 1024 * 1024);
			roles_text(&w->canvas, &s);
			compare(cases[i].name, "roles", str_text(&s));
			str_release(&s);
		}
		world_free(w);
	}
}

static void test_80x24(void **state)
{
	UNUSED(state);
	each(24, 80, GLYPHS_ASCII, "80x24", true);
}

static void test_200x60(void **state)
{
	UNUSED(state);
	each(60, 200, GLYPHS_RICH, "200x60", false);
}

static void test_60x16(void **state)
{
	UNUSED(state);
	each(16, 60, GLYPHS_ASCII, "60x16", false);
}

/* The least that works: a list, what runs, the keys, and questions that can be answered. */
static void test_40x10(void **state)
{
	UNUSED(state);
	each(10, 40, GLYPHS_ASCII, "40x10", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_80x24), cmocka_unit_test(test_200x60),
	                                   cmocka_unit_test(test_60x16), cmocka_unit_test(test_40x10)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
