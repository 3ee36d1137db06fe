/* The screen as a whole under random keys, sizes and events: never outside, never down, never a mutation. */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include "tui/layout.h"

#include <stdio.h>

static const char *const key_names[] = {
    "j",   "k",   "h",   "l",   "g",   "G",         "Tab",   "S-Tab", "1",  "2",    "3",    "4",    "5",
    "6",   "7",   "8",   "-",   "[",   "]",         "Enter", "Esc",   "q",  "z",    "|",    "/",    "n",
    "N",   ".",   ",",   ":",   "?",   " ",         "u",     "b",     "'",  "L",    "m",    "c",    "d",
    "i",   "E",   "r",   "s",   "o",   "t",         "T",     "y",     "P",  "R",    "A",    "S",    "H",
    "X",   "F",   "K",   "W",   "f",   "p",         "w",     "x",     "Up", "Down", "PgDn", "PgUp", "Home",
    "End", "C-d", "C-u", "C-c", "C-o", "Backspace", "a",     "e",     "(",  "!",    "\"",   "=",    "\\"};

/* Every cell says what it should: printable, one grapheme, halves of wide ones in pairs. */
static void check_cells(const struct canvas *c)
{
	for (int row = 0; row < c->rows; row++) {
		for (int col = 0; col < c->cols; col++) {
			const struct canvas_cell *cell = canvas_at(c, row, col);
			assert_true(cell->role < ROLE_COUNT);
			if (cell->width == 0) {
				assert_true(col > 0 && canvas_at(c, row, col - 1)->width == 2);
			} else if (cell->width == 2) {
				assert_true(col + 1 < c->cols && canvas_at(c, row, col + 1)->width == 0);
			} else {
				assert_true((uint8_t)cell->text[0] >= 0x20 && cell->text[0] != 0x7f);
			}
		}
	}
}

static void test_random_sizes(void **state)
{
	UNUSED(state);
	struct prng p = prng_seeded();
	struct world *w = world_new(24, 80, GLYPHS_RICH, 20);
	for (int round = 0; round < 2500; round++) {
		world_resize(w, 1 + (int)prng_below(&p, round % 10 ? 70 : 200),
		             1 + (int)prng_below(&p, round % 10 ? 140 : 500));
		for (int i = 0; i < 6; i++)
			world_key(w, key_names[prng_below(&p, ARRAY_LEN(key_names))]);
		if (round % 7 == 0)
			world_plan(w, round % 2 ? PLAN_PROMOTE : PLAN_ROLLBACK, round % 3 == 0);
		world_wait(w, (int64_t)prng_below(&p, 2000) * US_PER_MS);
		char *a = world_draw(w);
		check_cells(&w->canvas);
		/* The same state draws the same cells. */
		char *b = world_draw(w);
		assert_string_equal(a, b);
		free(a);
		free(b);
		world_clear(w);
	}
	world_free(w);
}

static void test_tiny(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	static const int sizes[][2] = {{1, 1},   {1, 500}, {200, 1}, {2, 2},    {9, 39},
	                               {10, 40}, {15, 59}, {16, 60}, {200, 500}};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (int s = 0; s < SCREEN_COUNT; s++) {
			w->ui->screen = (enum screen)s;
			world_resize(w, sizes[i][0], sizes[i][1]);
			char *text = world_draw(w);
			if (sizes[i][0] == 9)
				assert_non_null(strstr(text, "40x10 needed"));
			if (sizes[i][0] >= 10 && sizes[i][1] >= 40)
				assert_null(strstr(text, "needed"));
			free(text);
		}
	}
	world_free(w);
}

/* A command that only reads, or one of the lowest tier: those stop harm or leave a remark. */
static bool harmless(const struct world *w, const char *line)
{
	const char *words[32];
	struct arena a;
	struct error e;
	int used = 0;
	arena_init(&a, ARENA_DEFAULT_MAX);
	int n = command_split(&a, line, words, 32, &e);
	const struct command *c = n > 0 ? command_find(w->ui->commands, n, words, &used) : NULL;
	arena_release(&a);
	return c && (!(c->flags & COMMAND_MUTATES) || (c->tier <= TIER_T1 && c->opens == OPENS_NOTHING));
}

/* Whatever is typed, nothing mutates in production without its name typed in full. */
/* Returns how many keys met an open question, so that a test that never got there does not pass. */
static int fuzz_from(enum screen screen, struct prng *p, long keys)
{
	int asked = 0;
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	str_copy(w->ui->service, sizeof w->ui->service, "checkout");
	str_copy(w->ui->env, sizeof w->ui->env, "prod");
	w->ui->touched = true;
	w->ui->screen = screen;
	/* All environments of the highest harm. */
	for (int i = 0; i < w->setup->n_envs; i++) {
		w->setup->envs[i].tier = TIER_T3;
		w->setup->envs[i].production = true;
	}
	for (long i = 0; i < keys; i++) {
		asked += w->ui->ask.kind != ASK_NONE;
		world_key(w, key_names[prng_below(p, ARRAY_LEN(key_names))]);
		world_wait(w, (int64_t)prng_below(p, 900) * US_PER_MS);
		if (i % 50 == 0)
			world_plan(w, i % 100 ? PLAN_PROMOTE : PLAN_ROLLBACK, true);
		if (i % 97 == 0)
			w->ui->screen = screen;
		assert_int_equal(world_effects(w, DO_EXECUTE), 0);
		for (int k = 0; k < w->ui->n_effects; k++) {
			const struct ui_effect *e = &w->ui->effects[k];
			/* Stopping harm, notes, requests and smoke tests take x inside a question; nothing else may. */
			if (e->want == DO_DECIDE)
				assert_true(
				    e->decision.kind == DECISION_HOLD || e->decision.kind == DECISION_ABORT ||
				    e->decision.kind == DECISION_FREEZE ||
				    e->decision.kind == DECISION_NOTE || e->decision.kind == DECISION_REJECT);
			if (e->want == DO_COMMAND)
				assert_true(harmless(w, e->text));
			assert_true(e->want != DO_RESUME);
		}
		world_clear(w);
	}
	world_free(w);
	return asked;
}

static void test_random_keys(void **state)
{
	UNUSED(state);
	struct prng p = prng_seeded();
	const char *keys = getenv("TEST_KEYS"); /* per screen; 700000 makes ten millions */
	for (int s = 0; s < SCREEN_COUNT; s++)
		assert_true(fuzz_from((enum screen)s, &p, keys ? strtol(keys, NULL, 10) : 20000) > 50);
}

/* Every other key than x, in a row of its own: not one question is answered by it. */
static void test_no_key_mutates(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(key_names); i++) {
		for (size_t k = 0; k < ARRAY_LEN(key_names); k++) {
			static struct world *w;
			if (!w || k == 0) {
				if (w)
					world_free(w);
				w = world_new(24, 80, GLYPHS_ASCII, 0);
				w->ui->touched = true;
			}
			if (strcmp(key_names[k], "x") == 0 || strcmp(key_names[i], "x") == 0)
				continue;
			w->ui->ask.kind = ASK_NONE;
			w->ui->typing.kind = TYPE_NONE;
			world_wait(w, US_PER_S);
			world_key(w, key_names[i]);
			world_wait(w, US_PER_S);
			world_key(w, key_names[k]);
			assert_int_equal(world_effects(w, DO_EXECUTE) + world_effects(w, DO_DECIDE) +
			                     world_effects(w, DO_REQUEST) + world_effects(w, DO_COMMAND) +
			                     world_effects(w, DO_RESUME),
			                 0);
			world_clear(w);
			if (i + 1 == ARRAY_LEN(key_names) && k + 1 == ARRAY_LEN(key_names)) {
				world_free(w);
				w = NULL;
			}
		}
	}
}

static void test_burst_is_paste(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	world_wait(w, US_PER_S);
	/* A terminal without paste marks: a whole line within a few milliseconds. */
	static const char hostile[] = "jjjjjjjjjjjjjjjjjRx4Hxx\r";
	for (size_t i = 0; i < sizeof hostile - 1; i++) {
		struct input in = {.kind = hostile[i] == '\r' ? INPUT_ENTER : INPUT_CHAR,
		                   .cp = (uint8_t)hostile[i]};
		struct ui_event e = {.kind = UI_INPUT, .input = &in, .mono_us = w->mono_us += 1000};
		ui_apply(w->ui, w->model, &e);
	}
	assert_int_equal(w->ui->screen, SCREEN_BOARD);
	assert_non_null(strstr(w->ui->notice, "paste"));
	/* A marked one is dropped without a word of it being a key. */
	struct input begin = {.kind = INPUT_PASTE_BEGIN}, r = {.kind = INPUT_PASTED, .cp = 'R'},
	             end = {.kind = INPUT_PASTE_END};
	const struct input *all[] = {&begin, &r, &end};
	world_wait(w, 5 * US_PER_S);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct ui_event e = {.kind = UI_INPUT, .input = all[i], .mono_us = w->mono_us};
		ui_apply(w->ui, w->model, &e);
	}
	assert_int_equal(w->ui->screen, SCREEN_BOARD);
	world_free(w);
}

/* When the list sorts itself anew, the cursor stays with its thing. */
static void test_cursor_keeps_identity(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	world_key(w, "G");
	assert_string_equal(w->ui->service, "billing");
	world_key(w, "s");
	assert_string_equal(w->ui->service, "billing");
	assert_true(w->ui->lists[SCREEN_BOARD].at != 4);
	world_keys(w, "/led");
	world_key(w, "Enter");
	assert_string_equal(w->ui->service, "ledger");
	world_key(w, "Esc");
	assert_string_equal(w->ui->service, "ledger");
	assert_int_equal(w->ui->n_rows, 5);
	world_free(w);
}

static void test_starts_at_the_worst(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	assert_string_equal(w->ui->service, "checkout");
	assert_string_equal(w->ui->env, "prod");
	world_key(w, ".");
	world_free(w);
}

static void test_filter_keeps_last_good(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	world_keys(w, "/fin");
	assert_int_equal(w->ui->n_rows, 3);
	world_keys(w, " (");
	assert_int_equal(w->ui->n_rows, 3);
	char *text = world_draw(w);
	assert_non_null(strstr(text, "3 of 5 shown"));
	free(text);
	world_key(w, "Esc");
	assert_int_equal(w->ui->n_rows, 5);
	world_free(w);
}

/* Terminal escapes in a log never reach a cell as such. */
static void test_hostile_log(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	world_key(w, "L");
	char *text = world_draw(w);
	assert_non_null(strstr(text, "<ESC>[2J"));
	assert_null(strchr(text, '\033'));
	free(text);
	check_cells(&w->canvas);
	world_free(w);
}

static void test_log_follow_and_marks(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	world_key(w, "L");
	assert_true(w->ui->log.following);
	world_keys(w, "kk");
	assert_false(w->ui->log.following);
	uint64_t at = w->ui->log.cursor;
	logbuf_append(w->logs, 0, "one more\n", 9, WORLD_NOW);
	ui_settle(w->ui, w->model);
	assert_int_equal(w->ui->log.cursor, at);
	world_key(w, " ");
	assert_int_equal(w->ui->log.n_marks, 1);
	world_keys(w, "ym");
	assert_int_equal(world_effects(w, DO_COPY), 1);
	world_key(w, "f");
	assert_true(w->ui->log.following);
	world_keys(w, "/more");
	char *text = world_draw(w);
	assert_non_null(strstr(text, "2 of 62")); /* and the gap, which no filter hides */
	free(text);
	world_free(w);
}

/* Who comes back finds the one live rollout of theirs; who named a screen, or has none, the board. */
static void test_opens_on_own_rollout(void **state)
{
	UNUSED(state);
	for (int i = 0; i < 2; i++) {
		struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
		w->ui->opens_live = true;
		if (i)
			str_copy(w->model->store->rollouts[0].requester, NAME_LEN, "bo");
		struct ui_event e = {.kind = UI_MODEL, .topics = TOPIC_ROLLOUTS, .mono_us = w->mono_us};
		ui_apply(w->ui, w->model, &e);
		assert_int_equal(w->ui->screen, i ? SCREEN_BOARD : SCREEN_ROLLOUT);
		if (!i)
			assert_string_equal(w->ui->rollout, "91ac");
		world_free(w);
	}
}

/* States stay apart when colour is gone. */
static void test_colour_strip(void **state)
{
	UNUSED(state);
	for (int set = 0; set < GLYPH_SET_COUNT; set++) {
		const struct glyphs *g = glyphs_of((enum glyph_set)set);
		for (int i = 0; i < STATE_COUNT; i++)
			for (int k = 0; k < i; k++)
				assert_string_not_equal(g->state[i], g->state[k]);
	}
}

/* Who locks, pins or stops, and why, stands beside the deployment. */
static void test_claims_are_shown(void **state)
{
	static const struct {
		enum decision_kind kind;
		const char *service, *env, *shows;
	} rows[] = {{DECISION_LOCK, "", "prod", "locked by olga: load test"},
	            {DECISION_PIN, "checkout", "prod", "by olga: load test"},
	            {DECISION_STOP, "", "", "all rollouts are stopped by olga: load test"}};
	UNUSED(state);
	struct world *w = world_new(60, 200, GLYPHS_ASCII, 0);
	struct store_snapshot *s = w->model->store;
	str_copy(w->ui->service, sizeof w->ui->service, "checkout");
	str_copy(w->ui->env, sizeof w->ui->env, "prod");
	str_copy(w->ui->lists[SCREEN_BOARD].cursor, sizeof w->ui->lists[SCREEN_BOARD].cursor, "checkout");
	w->ui->touched = true;
	s->decisions = realloc(s->decisions, ((size_t)s->n_decisions + 3) * sizeof *s->decisions);
	assert_non_null(s->decisions);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct decision *d = &s->decisions[s->n_decisions++];
		*d = (struct decision){.kind = rows[i].kind, .seq = s->n_decisions};
		str_copy(d->actor, sizeof d->actor, "olga");
		str_copy(d->reason, sizeof d->reason, "load test");
		str_copy(d->service, sizeof d->service, rows[i].service);
		str_copy(d->env, sizeof d->env, rows[i].env);
		str_copy(d->release, sizeof d->release, "sha256:0123456789abcdef");
		char *text = world_draw(w);
		if (!strstr(text, rows[i].shows))
			fail_msg("%s is not on screen:\n%s", rows[i].shows, text);
		free(text);
	}
	world_free(w);
}

/* What to do next stands at the end: it is there on a narrow screen too. */
/* What is marked on the board is planned as one, in the order of the marks; Esc goes from a member to the whole. */
static void test_marked_services_are_a_set(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	world_key(w, " ");
	assert_int_equal(w->ui->n_marks, 1);
	char second[NAME_LEN], first[NAME_LEN], both[NAME_LEN * 2];
	str_copy(second, sizeof second, w->ui->marks[0]);
	world_key(w, "P");
	assert_int_equal(world_effects(w, DO_PLAN), 1);
	assert_int_equal(w->ui->effects[w->ui->n_effects - 1].plan_kind, PLAN_PROMOTE);
	world_clear(w);
	world_key(w, "1");
	free(world_draw(w));
	world_key(w, w->ui->lists[SCREEN_BOARD].at > 0 ? "k" : "j");
	free(world_draw(w));
	world_key(w, " ");
	assert_int_equal(w->ui->n_marks, 2);
	str_copy(first, sizeof first, w->ui->marks[1]);
	world_key(w, "P");
	assert_int_equal(world_effects(w, DO_PLAN), 1);
	const struct ui_effect *e = &w->ui->effects[w->ui->n_effects - 1];
	assert_int_equal(e->plan_kind, PLAN_SET);
	assert_true(e->env >= 0);
	(void)snprintf(both, sizeof both, "%s,%s", second, first);
	assert_string_equal(e->text, both);
	/* Its plan comes: Enter looks at each member, x is of the whole alone. */
	world_set(w);
	free(world_draw(w));
	world_clear(w);
	world_key(w, "Enter");
	assert_int_equal(w->ui->plan_member, 1);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	world_key(w, "Esc");
	assert_int_equal(w->ui->plan_member, 0);
	assert_int_equal(w->ui->screen, SCREEN_PLAN);
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_EXECUTE);
	assert_string_equal(w->ui->ask.token, "prod/shop");
	assert_int_equal(world_effects(w, DO_EXECUTE), 0);
	/* What is done to one service is not done to a set. */
	world_key(w, "Esc");
	world_key(w, "F");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	assert_int_equal(w->ui->typing.kind, TYPE_NONE);
	world_free(w);
}

static void test_long_notices(void **state)
{
	static const char said[] =
	    "not approved: no key of the agent is an allowed signer (ssh-add your key, or name one: "
	    "towpath approve PLAN --key PATH)";
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	struct ui_event e = {
	    .kind = UI_DONE, .mono_us = w->mono_us, .message_kind = MESSAGE_WARN, .text = said};
	ui_apply(w->ui, w->model, &e);
	char *text = world_draw(w);
	assert_non_null(strstr(text, "! not approved"));
	assert_non_null(strstr(text, "--key PATH)"));
	/* The footer keeps its row, and the board the rest. */
	assert_non_null(strstr(text, "? help"));
	assert_non_null(strstr(text, "SERVICE"));
	free(text);
	world_free(w);
}

/* The screen so long after WORLD_NOW; free() it. */
static char *screen_at(struct world *w, int64_t after_us)
{
	struct event *e = world_event(w, EV_TICK, -1, -1);
	e->at_us = WORLD_NOW + after_us;
	world_apply(w, e);
	return world_draw(w);
}

/* What is scheduled counts down by the minute in cells, by the second only in the detail of the selected place. */
static void test_countdown_is_quiet(void **state)
{
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	UNUSED(state);
	world_marks(w);
	/* checkout/prod is selected, payments/prod begins in 4m12s. */
	char *before = screen_at(w, US_PER_S), *second = screen_at(w, 2 * US_PER_S);
	char *minute = screen_at(w, 13 * US_PER_S), *due = screen_at(w, 5 * US_PER_MIN);
	assert_non_null(strstr(before, ">4m"));
	/* The cells; graphs below move as they do. */
	assert_int_equal(strncmp(before, second, (size_t)(strstr(before, ">- checkout") - before)), 0);
	assert_non_null(strstr(minute, ">3m"));
	assert_non_null(strstr(due, ">due"));
	free(before);
	free(second);
	free(minute);
	free(due);
	world_key(w, "k");
	before = screen_at(w, 2 * US_PER_S);
	second = screen_at(w, 3 * US_PER_S);
	assert_non_null(strstr(before, "promotes 1.47.3 in 4m10s at 02:51Z, by bo: after the sale"));
	assert_non_null(strstr(second, "promotes 1.47.3 in 4m09s at 02:51Z"));
	free(before);
	free(second);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_sizes),         cmocka_unit_test(test_tiny),
	    cmocka_unit_test(test_random_keys),          cmocka_unit_test(test_no_key_mutates),
	    cmocka_unit_test(test_burst_is_paste),       cmocka_unit_test(test_cursor_keeps_identity),
	    cmocka_unit_test(test_starts_at_the_worst),  cmocka_unit_test(test_filter_keeps_last_good),
	    cmocka_unit_test(test_hostile_log),          cmocka_unit_test(test_log_follow_and_marks),
	    cmocka_unit_test(test_opens_on_own_rollout), cmocka_unit_test(test_colour_strip),
	    cmocka_unit_test(test_claims_are_shown),     cmocka_unit_test(test_marked_services_are_a_set),
	    cmocka_unit_test(test_long_notices),         cmocka_unit_test(test_countdown_is_quiet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
