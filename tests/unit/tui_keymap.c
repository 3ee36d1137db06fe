/* One table of keys: every binding has an action, every action a binding, and the help shows them all. */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include <stdio.h>

static void test_every_action_is_bound(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	for (int i = 0; ui_actions[i]; i++) {
		bool bound = false;
		for (int k = 0; k < w->keymap.n; k++)
			bound = bound || strcmp(w->keymap.items[k].action, ui_actions[i]) == 0;
		if (!bound)
			fail_msg("no key has the action %s", ui_actions[i]);
	}
	world_free(w);
}

/* Every key of every context does or says something: none is silently nothing. */
static void test_every_key_answers(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	int n = w->keymap.n;
	world_free(w);
	for (int i = 0; i < n; i++) {
		char key[KEYS_LEN];
		w = world_new(24, 80, GLYPHS_ASCII, 0);
		const struct binding *b = &w->keymap.items[i];
		assert_non_null(keys_next(b->keys, key, sizeof key));
		if (strcmp(b->context, "logs") == 0)
			world_key(w, "L");
		else if (strcmp(b->context, "plan") == 0)
			world_key(w, "P");
		else if (strcmp(b->context, "rollback") == 0)
			world_key(w, "R");
		free(world_draw(w));
		world_clear(w);
		w->ui->notice[0] = '\0';
		struct ui *before = malloc(sizeof *before);
		memcpy(before, w->ui, sizeof *before);
		if (strlen(key) == 2 && key[1] != '-')
			world_keys(w, key);
		else
			world_key(w, strcmp(key, "Space") == 0 ? " " : key);
		bool same = w->ui->n_effects == 0 && !w->ui->notice[0] && w->ui->screen == before->screen &&
		            w->ui->typing.kind == before->typing.kind &&
		            w->ui->ask.kind == before->ask.kind &&
		            memcmp(&w->ui->lists, &before->lists, sizeof before->lists) == 0 &&
		            strcmp(w->ui->env, before->env) == 0 && w->ui->pane == before->pane &&
		            memcmp(&w->ui->log, &before->log, sizeof before->log) == 0 &&
		            w->ui->n_marks == before->n_marks;
		/* At the edges of a list moving on does nothing, and rightly so. */
		if (same && strcmp(b->group, "move") != 0 && strcmp(b->action, "cancel") != 0 &&
		    strcmp(b->action, "marks clear") != 0 && strcmp(b->action, "follow") != 0)
			fail_msg("%s: %s (%s) does nothing", b->context, b->keys, b->action);
		free(before);
		world_free(w);
	}
}

static void test_help_lists_all(void **state)
{
	UNUSED(state);
	struct world *w = world_new(200, 120, GLYPHS_ASCII, 0);
	free(world_draw(w));
	world_key(w, "?");
	char *text = world_draw(w);
	for (int i = 0; i < w->keymap.n; i++) {
		const struct binding *b = &w->keymap.items[i];
		if (strcmp(b->context, "global") == 0 && !strstr(text, b->note))
			fail_msg("the help does not show: %s", b->note);
	}
	/* Typing filters, Enter does it. */
	free(text);
	world_keys(w, "freeze");
	text = world_draw(w);
	assert_non_null(strstr(text, "freeze or unfreeze"));
	assert_null(strstr(text, "next problem"));
	free(text);
	world_key(w, "Enter");
	assert_int_equal(w->ui->screen, SCREEN_BOARD);
	assert_int_equal(w->ui->typing.kind, TYPE_REASON);
	world_free(w);
}

static void test_pairs(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	world_key(w, "G");
	assert_int_equal(w->ui->lists[SCREEN_BOARD].at, 4);
	world_keys(w, "gg");
	assert_int_equal(w->ui->lists[SCREEN_BOARD].at, 0);
	world_keys(w, "gj");
	assert_int_equal(w->ui->lists[SCREEN_BOARD].at, 0);
	assert_non_null(strstr(w->ui->notice, "not bound"));
	world_keys(w, "yd");
	assert_int_equal(world_effects(w, DO_COPY), 1);
	world_free(w);
}

static void test_palette(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	world_keys(w, ":");
	assert_true(w->ui->n_palette > 40);
	world_keys(w, "rollouts");
	world_key(w, "Enter");
	assert_int_equal(w->ui->screen, SCREEN_ROLLOUTS);
	world_key(w, "1");
	/* What cannot be used now says why, and does nothing. */
	world_keys(w, ":");
	world_keys(w, "take over");
	assert_string_equal(w->ui->palette[0].off, "no rollout runs here");
	world_key(w, "Enter");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	assert_non_null(strstr(w->ui->notice, "no rollout runs here"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_action_is_bound),
	                                   cmocka_unit_test(test_every_key_answers),
	                                   cmocka_unit_test(test_help_lists_all),
	                                   cmocka_unit_test(test_pairs), cmocka_unit_test(test_palette)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
