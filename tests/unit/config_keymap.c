/* The keymap: default, refusals with their places, the user's file over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/keymap.h"
#include "core/baked.h"

static const char *const actions[] = {"move down",  "move up",     "open",    "plan",
                                      "execute",    "rollback",    "back",    "cancel",
                                      "copy value", "copy digest", "refresh", NULL};

static const char base[] = "global:\n"
                           "  - {keys: \"j Down\", action: move down, note: next, group: move}\n"
                           "  - {keys: yy, action: copy value, note: copy, group: read}\n"
                           "  - {keys: q, action: back, note: back, group: open}\n"
                           "  - {keys: P, action: plan, note: promote, group: act, footer: true}\n"
                           "board:\n"
                           "  - {keys: Enter, action: open, note: open, group: open}\n"
                           "plan:\n"
                           "  - {keys: x, action: execute, note: execute, group: plan}\n";

static void default_has_rows(void **state)
{
	const struct baked *own = baked_find("config/keymap.yaml");
	struct keymap km;
	struct error e = {0};
	bool prefix = false;

	(void)state;
	assert_non_null(own);
	if (keymap_parse(&km, own->path, (const char *)own->bytes, own->n, NULL, &e) != 0)
		fail_msg("%d:%d: %s", e.line, e.col, e.text);
	assert_true(km.n > 20);
	assert_string_equal(keymap_find(&km, "plan", "x", NULL)->action, "execute");
	assert_string_equal(keymap_find(&km, "board", "P", NULL)->action, "plan");
	assert_null(keymap_find(&km, "board", "g", &prefix));
	assert_true(prefix);
	assert_null(keymap_find(&km, "board", "x", &prefix));
	assert_false(prefix);
	keymap_free(&km);
}

struct refusal {
	const char *text;
	int line, col;
	const char *says, *hint;
	bool user;
};

static const struct refusal refusals[] = {
    {"nowhere:\n  - {keys: a, action: open, group: open}\n", 1, 1, "the context nowhere is not known",
     "towpath-keys", 0},
    {"bord:\n  - {keys: a, action: open, group: open}\n", 1, 1, "the context bord", "did you mean board?", 0},
    {"board:\n  - {keys: a, action: opne, group: open}\n", 2, 23, "the action opne", "did you mean open?", 0},
    {"board:\n  - {keys: a, action: open, group: zzz}\n", 2, 36, "the group zzz", "", 0},
    {"board:\n  - {keys: a, action: open, grup: open}\n", 2, 29, "the key grup", "did you mean group?", 0},
    {"board:\n  - {keys: a, action: open}\n", 2, 5, "no group", "add group", 0},
    {"board:\n  - {action: open, group: open}\n", 2, 5, "no keys", "", 0},
    {"board:\n  - {keys: a, group: open}\n", 2, 5, "no action", "", 0},
    {"board:\n  - open\n", 2, 5, "must be a mapping", "", 0},
    {"board: open\n", 1, 8, "must be a list", "", 0},
    {"- open\n", 1, 1, "mapping of contexts", "", 0},
    {"board:\n  - {keys: \"a b a\", action: open, group: open}\n", 2, 12, "a is bound twice in board",
     "line 2", 0},
    {"board:\n  - {keys: a, action: open, group: open}\n  - {keys: \"b a\", action: plan, group: read}\n", 3,
     12, "a is bound twice in board", "line 2: open", 0},
    {"board:\n  - {keys: yy, action: open, group: open}\n  - {keys: y, action: plan, group: read}\n", 3, 12,
     "y starts or is started", "line 2", 0},
    {"board:\n  - {keys: C-s, action: open, group: open}\n", 2, 12, "C-s belongs to the terminal", "", 0},
    {"board:\n  - {keys: C-q, action: open, group: open}\n", 2, 12, "C-q belongs to the terminal", "", 0},
    {"board:\n  - {keys: C-z, action: open, group: open}\n", 2, 12, "C-z belongs to the terminal", "", 0},
    {"board:\n  - {keys: 'C-\\', action: open, group: open}\n", 2, 12, "belongs to the terminal", "", 0},
    {"board:\n  - {keys: C-h, action: open, group: open}\n", 2, 12, "same byte", "", 0},
    {"board:\n  - {keys: C-i, action: open, group: open}\n", 2, 12, "same byte", "", 0},
    {"board:\n  - {keys: C-j, action: open, group: open}\n", 2, 12, "same byte", "", 0},
    {"board:\n  - {keys: C-m, action: open, group: open}\n", 2, 12, "same byte", "", 0},
    {"board:\n  - {keys: 'C-[', action: open, group: open}\n", 2, 12, "same byte", "", 0},
    {"board:\n  - {keys: C-a, action: open, group: open}\n", 2, 12, "multiplexers", "", 0},
    {"board:\n  - {keys: A-x, action: open, group: open}\n", 2, 12, "told from Esc", "", 0},
    {"board:\n  - {keys: Foo, action: open, group: open}\n", 2, 12, "Foo is no key", "PgDn", 0},
    {"board:\n  - {keys: '', action: open, group: open}\n", 2, 12, "names no key", "", 0},
    {"board:\n  - {keys: p, action: plan, group: act}\n", 2, 12, "p cannot open a plan", "upper-case", 0},
    {"board:\n  - {keys: F5, action: plan, group: act}\n", 2, 12, "F5 cannot open a plan", "upper-case", 0},
    {"board:\n  - {keys: x, action: open, group: open}\n", 2, 12, "x cannot be bound", "", 0},
    {"board:\n  - {keys: x, action: execute, group: plan}\n", 2, 12, "execute has no meaning in board", "",
     0},
    {"plan:\n  - {keys: e, action: execute, group: plan}\n", 2, 12, "e cannot execute", "", 0},
    {"board:\n  - {keys: a, action: open, group: open, footer: maybe}\n", 2, 50, "footer must be", "", 0},
    {"board:\n  - {keys: q, action: none}\n", 2, 12, "q cannot be changed", "another key", 1},
    {"board:\n  - {keys: Esc, action: open}\n", 2, 12, "Esc cannot be changed", "another key", 1},
    {"global:\n  - {keys: C-c, action: none}\n", 2, 12, "C-c cannot be changed", "another key", 1},
    {"plan:\n  - {keys: x, action: none}\n", 2, 12, "x cannot be changed", "another key", 1},
    {"global:\n  - {keys: p, action: plan}\n", 2, 12, "p cannot open a plan", "upper-case", 1},
    {"global:\n  - {keys: p, action: plan, group: read}\n", 2, 12, "p cannot open a plan", "upper-case", 1},
    {"global:\n  - {keys: y, action: open}\n", 2, 1, "y starts or is started", "line 3", 1},
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *c = &refusals[i];
		struct keymap km;
		struct error e = {0};
		int rc;

		if (c->user) {
			assert_int_equal(keymap_parse(&km, "base", base, strlen(base), actions, &e), 0);
			rc = keymap_merge(&km, "user", c->text, strlen(c->text), actions, &e);
			assert_int_equal(km.n, 6);
			keymap_free(&km);
		} else {
			rc = keymap_parse(&km, "file", c->text, strlen(c->text), actions, &e);
		}
		if (rc != ERR_INVALID || e.line != c->line || e.col != c->col ||
		    strstr(e.text, c->says) == NULL || strstr(e.hint, c->hint) == NULL)
			fail_msg("case %zu: %d at %d:%d: %s (%s)\n%s", i, rc, e.line, e.col, e.text, e.hint,
			         c->text);
		assert_string_equal(e.where, c->user ? "user" : "file");
	}
}

static void user_file_wins(void **state)
{
	static const char user[] = "global:\n"
	                           "  - {keys: j, action: refresh, note: mine}\n"
	                           "  - {keys: n, action: move down}\n"
	                           "  - {keys: N, action: plan}\n"
	                           "  - {keys: yy, action: none}\n"
	                           "  - {keys: y, action: copy digest}\n";
	struct keymap km;
	struct error e = {0};
	const struct binding *b;

	(void)state;
	assert_int_equal(keymap_parse(&km, "base", base, strlen(base), actions, &e), 0);
	if (keymap_merge(&km, "user", user, strlen(user), actions, &e) != 0)
		fail_msg("%d:%d: %s (%s)", e.line, e.col, e.text, e.hint);
	assert_string_equal(keymap_find(&km, "board", "j", NULL)->action, "refresh");
	assert_string_equal(keymap_find(&km, "board", "Down", NULL)->action, "move down");
	assert_string_equal(keymap_find(&km, "board", "Down", NULL)->keys, "Down");
	b = keymap_find(&km, "board", "n", NULL);
	assert_string_equal(b->note, "next");
	assert_string_equal(b->group, "move");
	b = keymap_find(&km, "board", "N", NULL);
	assert_string_equal(b->group, "act");
	assert_string_equal(keymap_find(&km, "board", "P", NULL)->action, "plan");
	assert_null(keymap_find(&km, "board", "yy", NULL));
	assert_string_equal(keymap_find(&km, "board", "y", NULL)->action, "copy digest");
	keymap_free(&km);
}

static void empty_user_file(void **state)
{
	struct keymap km;
	struct error e = {0};

	(void)state;
	assert_int_equal(keymap_parse(&km, "base", base, strlen(base), actions, &e), 0);
	assert_int_equal(keymap_merge(&km, "user", "# nothing\n", 10, actions, &e), 0);
	assert_int_equal(km.n, 6);
	keymap_free(&km);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(default_has_rows), cmocka_unit_test(refuses),
	                                   cmocka_unit_test(user_file_wins),
	                                   cmocka_unit_test(empty_user_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
