/* What stands between a key and an effect: tiers, arming, pastes, and a ground that moves. */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

static int mutations(const struct world *w)
{
	return world_effects(w, DO_EXECUTE) + world_effects(w, DO_REQUEST) + world_effects(w, DO_DECIDE) +
	       world_effects(w, DO_RAISE) + world_effects(w, DO_RESUME) + world_effects(w, DO_COMMAND);
}

/* On the plan of checkout in an environment, ready to run. */
static struct world *at_plan(const char *env, bool open)
{
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	str_copy(w->ui->service, sizeof w->ui->service, "checkout");
	str_copy(w->ui->env, sizeof w->ui->env, env);
	str_copy(w->ui->lists[SCREEN_BOARD].cursor, sizeof w->ui->lists[SCREEN_BOARD].cursor, "checkout");
	w->ui->touched = true;
	world_key(w, "P");
	assert_int_equal(world_effects(w, DO_PLAN), 1);
	assert_int_equal(w->ui->screen, SCREEN_PLAN);
	world_plan(w, PLAN_PROMOTE, open);
	world_clear(w);
	return w;
}

static void test_tier1_x(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("dev", true);
	/* The plan has just come up: this x was meant for something else. */
	world_key(w, "x");
	assert_int_equal(mutations(w), 0);
	world_wait(w, US_PER_S);
	world_key(w, "Enter");
	world_key(w, "P");
	world_plan(w, PLAN_PROMOTE, true);
	world_clear(w);
	assert_int_equal(mutations(w), 0);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(world_effects(w, DO_EXECUTE), 1);
	assert_string_equal(w->ui->effects[w->ui->n_effects - 1].digest, w->model->plan->digest);
	world_free(w);
}

/* A waiting plan is computed again without a key; one that came out different has to be read before x counts. */
static void test_plan_looks_again(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("dev", false);
	world_wait(w, 5 * US_PER_S);
	assert_int_equal(world_effects(w, DO_PLAN), 1);
	world_clear(w);
	world_plan(w, PLAN_PROMOTE, true);
	/* The same digest, its gates open now: x counts at once. */
	world_key(w, "x");
	assert_int_equal(world_effects(w, DO_EXECUTE), 1);
	world_clear(w);
	world_wait(w, US_PER_S);
	world_plan(w, PLAN_ROLLBACK, true);
	assert_non_null(strstr(w->ui->notice, "the plan changed"));
	world_key(w, "x");
	assert_int_equal(mutations(w), 0);
	world_free(w);
}

static void test_tier2_x_then_y(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("staging", true);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_EXECUTE);
	world_key(w, "y"); /* 200 ms: too soon */
	world_key(w, "x"); /* the same key does not confirm */
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	world_wait(w, US_PER_S);
	world_key(w, "y");
	assert_int_equal(world_effects(w, DO_EXECUTE), 1);
	world_free(w);
}

static void test_tier3_token(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("prod", true);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	world_keys(w, "pr"); /* deaf for its first moments */
	assert_string_equal(w->ui->ask.typed, "");
	world_wait(w, US_PER_S);
	world_keys(w, "prod");
	world_key(w, "Enter");
	world_keys(w, "/checkou");
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	world_keys(w, "x");
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	world_key(w, "Backspace");
	world_keys(w, "t");
	assert_int_equal(mutations(w), 0);
	world_key(w, "Enter");
	assert_int_equal(world_effects(w, DO_EXECUTE), 1);
	assert_string_equal(w->ui->effects[w->ui->n_effects - 1].token, "prod/checkout");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	world_free(w);
}

static void test_rollback_token_is_short(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("prod", true);
	world_key(w, "Esc");
	world_key(w, "R");
	world_plan(w, PLAN_ROLLBACK, true);
	world_clear(w);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	world_wait(w, US_PER_S);
	world_keys(w, "prod");
	world_key(w, "Enter");
	assert_int_equal(world_effects(w, DO_EXECUTE), 1);
	world_free(w);
}

static void palette(struct world *w, const char *line)
{
	world_keys(w, ":");
	world_keys(w, line);
	world_key(w, "Enter");
}

/* A repair carries both: the migration and the release whose files it reads; computing it again does, too. */
static void test_repair_line(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	palette(w, "migrations repair checkout staging --name 0412_orders_total --release 2.9.4");
	assert_int_equal(w->ui->screen, SCREEN_PLAN);
	for (int again = 0; again < 2; again++) {
		const struct ui_effect *e = NULL;
		for (int i = 0; i < w->ui->n_effects; i++)
			if (w->ui->effects[i].want == DO_PLAN)
				e = &w->ui->effects[i];
		assert_non_null(e);
		assert_int_equal(e->plan_kind, PLAN_REPAIR);
		assert_string_equal(e->release, "0412_orders_total");
		assert_string_equal(e->reads, "2.9.4");
		w->ui->n_effects = 0;
		world_key(w, "r");
	}
	world_free(w);
}

/* A whole line in the palette opens what the key would open; Enter starts nothing. */
static void test_lines_open_plans(void **state)
{
	static const struct {
		const char *line;
		enum effect_want want;
		const char *env;
	} rows[] = {{"promote checkout --to staging", DO_PLAN, "staging"},
	            {"promote checkout --to prod --confirm prod/checkout", DO_PLAN, "prod"},
	            {"rollback checkout prod --confirm prod", DO_PLAN, "prod"}};
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
		free(world_draw(w));
		palette(w, rows[i].line);
		assert_int_equal(w->ui->screen, SCREEN_PLAN);
		assert_int_equal(world_effects(w, rows[i].want), 1);
		assert_string_equal(w->ui->service, "checkout");
		assert_string_equal(w->ui->env, rows[i].env);
		assert_int_equal(mutations(w), 0);
		assert_int_equal(w->ui->ask.kind, ASK_NONE);
		world_free(w);
	}
	/* A line that is not right stays, and says why. */
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	palette(w, "promote checkout --to nowhere");
	assert_int_equal(w->ui->typing.kind, TYPE_PALETTE);
	assert_non_null(strstr(w->ui->notice, "no environment is called nowhere"));
	/* What decides something without a plan asks first; a grave place wants its name, and the line carries it. */
	world_key(w, "Esc");
	palette(w, "unfreeze prod checkout");
	assert_int_equal(w->ui->ask.kind, ASK_COMMAND);
	assert_int_equal(w->ui->ask.friction, FRICTION_TOKEN);
	assert_string_equal(w->ui->ask.command, "towpath unfreeze prod checkout --confirm prod");
	assert_string_equal(w->ui->ask.token, "prod/checkout");
	assert_int_equal(mutations(w), 0);
	world_free(w);
}

/* The line beside every question is one that the shell takes. */
static void line_is_right(const struct world *w)
{
	const char *words[32], *values[COMMAND_ARGS_MAX] = {NULL};
	struct arena a;
	struct error e = {0};
	int used = 0;
	arena_init(&a, ARENA_DEFAULT_MAX);
	int n = command_split(&a, w->ui->ask.command, words, 32, &e);
	assert_true(n > 1);
	assert_string_equal(words[0], "towpath");
	const struct command *c = command_find(w->ui->commands, n - 1, words + 1, &used);
	if (!c || command_parse(c, w->setup, &a, n - 1 - used, words + 1 + used, values, &e) != 0)
		fail_msg("%s: %s", w->ui->ask.command, e.text);
	arena_release(&a);
}

static void test_lines_to_copy(void **state)
{
	static const char *const keys[] = {"S", "H", "X", "K", "F", "x", "A"};
	int n = 0;
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		for (int env = 0; env < 3; env++) {
			static const char *const envs[] = {"dev", "staging", "prod"};
			struct world *w = at_plan(envs[env], true);
			world_wait(w, US_PER_S);
			world_keys(w, keys[i]);
			if (w->ui->typing.kind == TYPE_REASON) {
				world_keys(w, "it's_on_fire");
				world_key(w, "Enter");
			}
			if (w->ui->ask.kind != ASK_NONE) {
				line_is_right(w);
				n++;
			}
			world_free(w);
		}
	}
	assert_true(n >= 8);
}

static void test_blocked(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("prod", false);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	assert_non_null(strstr(w->ui->notice, "blocked by approval"));
	assert_int_equal(mutations(w), 0);
	world_free(w);
}

static void test_read_only(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("dev", true);
	model_set_read_only(w->model, true, "no right to decide");
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(mutations(w), 0);
	assert_non_null(strstr(w->ui->notice, "read only"));
	world_free(w);
}

static void header_has(struct world *w, const char *words)
{
	char *text = world_draw(w), *end = strchr(text, '\n');
	if (end)
		*end = '\0';
	if (!strstr(text, words))
		fail_msg("the header has no \"%s\": %s", words, text);
	free(text);
}

static void raise_answer(struct world *w, enum message_kind kind, const char *text)
{
	struct ui_event e = {.kind = UI_RAISED, .mono_us = w->mono_us, .message_kind = kind, .text = text};
	ui_apply(w->ui, w->model, &e);
}

/* prod is read-only: nothing acts until it is raised with a reason, for a while; brakes work all the time. */
static void test_raise(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("prod", true);
	w->setup->envs[setup_env(w->setup, "prod")].read_only = true;
	header_has(w, "ro");
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	assert_non_null(strstr(w->ui->notice, "prod is read-only here"));
	world_key(w, "F");
	world_keys(w, "it burns");
	world_key(w, "Enter");
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(world_effects(w, DO_DECIDE), 1);
	assert_int_equal(w->ui->effects[w->ui->n_effects - 1].decision.kind, DECISION_FREEZE);
	world_clear(w);
	/* The same by command lines. */
	palette(w, "unfreeze prod");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	palette(w, "stop --reason fire");
	assert_int_equal(w->ui->ask.kind, ASK_COMMAND);
	world_key(w, "Esc");
	world_clear(w);
	/* A time alone is no reason, and nobody raises it for a week. */
	static const char *const no[] = {"30m", "7d for good", "10s quick"};
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		world_key(w, "U");
		world_keys(w, no[i]);
		world_key(w, "Enter");
		assert_int_equal(mutations(w), 0);
	}
	header_has(w, "ro");
	world_key(w, "U");
	world_keys(w, "30m the leak");
	world_key(w, "Enter");
	/* Nothing may be done before the store has the reason, and not at all when it has not. */
	assert_int_equal(world_effects(w, DO_RAISE), 1);
	header_has(w, "ro");
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	raise_answer(w, MESSAGE_ERROR, "the store is away");
	assert_string_equal(w->ui->notice, "prod is not raised: the store is away");
	header_has(w, "ro");
	world_key(w, "U");
	world_keys(w, "30m the leak");
	world_key(w, "Enter");
	assert_int_equal(world_effects(w, DO_RAISE), 2);
	assert_int_equal(w->ui->effects[w->ui->n_effects - 1].decision.kind, DECISION_NOTE);
	assert_string_equal(w->ui->effects[w->ui->n_effects - 1].decision.reason,
	                    "raised prod to act for 30m: the leak");
	world_clear(w);
	raise_answer(w, MESSAGE_OK, "");
	header_has(w, "prod up 30m");
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_EXECUTE);
	world_key(w, "Esc");
	/* A question that is open when the time ends is answered in vain. */
	for (int i = 0; i < 29; i++) {
		world_wait(w, US_PER_MIN);
		world_key(w, "j");
	}
	header_has(w, "prod up 1m");
	world_wait(w, 50 * US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_EXECUTE);
	world_wait(w, 20 * US_PER_S);
	assert_int_equal(w->ui->raised_until_us, 0);
	world_keys(w, "prod/checkout");
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	assert_non_null(strstr(w->ui->notice, "prod is read-only here"));
	header_has(w, "ro");
	/* dev never was. */
	world_key(w, "Esc");
	str_copy(w->ui->env, sizeof w->ui->env, "dev");
	header_has(w, "rw");
	world_free(w);
}

/* Ten minutes without a key: an open question closes, acting keys ask for a word, looking goes on. */
static void test_idle_lock(void **state)
{
	UNUSED(state);
	struct world *w = at_plan("prod", true);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_EXECUTE);
	world_wait(w, 11 * US_PER_MIN);
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	header_has(w, "locked");
	world_key(w, "x");
	assert_int_equal(w->ui->ask.kind, ASK_UNLOCK);
	world_key(w, "Esc");
	world_key(w, "1");
	assert_int_equal(w->ui->screen, SCREEN_BOARD);
	world_key(w, "P");
	assert_int_equal(w->ui->ask.kind, ASK_UNLOCK);
	world_wait(w, US_PER_S);
	world_keys(w, "unloc");
	world_key(w, "Enter");
	assert_true(w->ui->idle);
	world_keys(w, "k");
	world_key(w, "Enter");
	assert_false(w->ui->idle);
	header_has(w, "rw");
	world_key(w, "P");
	assert_int_equal(w->ui->screen, SCREEN_PLAN);
	assert_int_equal(mutations(w), 0);
	/* Switched off it never locks. */
	w->setup->idle_lock_us = 0;
	world_wait(w, US_PER_DAY);
	assert_false(w->ui->idle);
	world_free(w);
}

static struct world *asked(void)
{
	struct world *w = at_plan("prod", true);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	world_wait(w, US_PER_S);
	world_keys(w, "prod/check");
	assert_string_equal(w->ui->ask.typed, "prod/check");
	return w;
}

static void input(struct world *w, enum input_kind kind, uint32_t cp)
{
	struct input in = {.kind = kind, .cp = cp};
	struct ui_event e = {.kind = UI_INPUT, .input = &in, .mono_us = w->mono_us};
	ui_apply(w->ui, w->model, &e);
}

static void test_paste_refused(void **state)
{
	UNUSED(state);
	struct world *w = asked();
	input(w, INPUT_PASTE_BEGIN, 0);
	for (const char *s = "prod/checkout"; *s; s++)
		input(w, INPUT_PASTED, (uint32_t)*s);
	input(w, INPUT_PASTED, '\r');
	input(w, INPUT_PASTE_END, 0);
	assert_string_equal(w->ui->ask.typed, "");
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	world_free(w);
}

static void test_ground_moves(void **state)
{
	UNUSED(state);
	/* Another plan. */
	struct world *w = asked();
	str_copy(w->ui->env, sizeof w->ui->env, "prod");
	w->model->plan->digest[10] ^= 1;
	world_resize(w, 24, 80);
	ui_settle(w->ui, w->model);
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	assert_non_null(strstr(w->ui->notice, "the plan changed"));
	world_free(w);
	/* Other bytes run there. */
	w = asked();
	struct event *e = world_event(w, EV_DEPLOYED, 1, 2);
	e->deployed = deployed_new(0);
	str_copy(e->deployed->release.digest, DIGEST_LEN, "sha256:0000");
	world_apply(w, e);
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	world_free(w);
	/* The terminal lost focus. */
	w = asked();
	input(w, INPUT_FOCUS_OUT, 0);
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	world_free(w);
	/* A resize keeps the question but not what was typed. */
	w = asked();
	world_resize(w, 30, 100);
	assert_int_equal(w->ui->ask.kind, ASK_EXECUTE);
	assert_string_equal(w->ui->ask.typed, "");
	world_free(w);
}

static void test_escape_sends_nothing(void **state)
{
	UNUSED(state);
	struct world *w = asked();
	world_keys(w, "out");
	world_key(w, "Esc");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	world_free(w);
}

/* Stopping harm is cheap: hold and abort take x, no name; going on in production takes the name. */
static void test_hold_abort(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	world_key(w, "4");
	world_key(w, "H");
	assert_int_equal(w->ui->ask.kind, ASK_DECIDE);
	world_key(w, "x");
	assert_int_equal(mutations(w), 0); /* deaf */
	world_wait(w, US_PER_S);
	world_key(w, "Enter");
	world_key(w, "H");
	assert_int_equal(mutations(w), 0);
	world_key(w, "x");
	assert_int_equal(world_effects(w, DO_DECIDE), 1);
	const struct ui_effect *e = &w->ui->effects[w->ui->n_effects - 1];
	assert_int_equal(e->decision.kind, DECISION_HOLD);
	assert_string_equal(e->decision.rollout, "91ac");
	world_clear(w);
	world_key(w, "X");
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->effects[w->ui->n_effects - 1].decision.kind, DECISION_ABORT);
	world_free(w);
}

static void test_freeze_and_unfreeze(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	w->ui->touched = true;
	str_copy(w->ui->service, sizeof w->ui->service, "checkout");
	str_copy(w->ui->lists[SCREEN_BOARD].cursor, sizeof w->ui->lists[SCREEN_BOARD].cursor, "checkout");
	str_copy(w->ui->env, sizeof w->ui->env, "prod");
	world_key(w, "F");
	world_keys(w, "quarter end");
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(world_effects(w, DO_DECIDE), 1);
	assert_int_equal(w->ui->effects[w->ui->n_effects - 1].decision.kind, DECISION_FREEZE);
	world_clear(w);
	/* billing is frozen in prod: lifting that asks for its name. */
	str_copy(w->ui->service, sizeof w->ui->service, "billing");
	str_copy(w->ui->lists[SCREEN_BOARD].cursor, sizeof w->ui->lists[SCREEN_BOARD].cursor, "billing");
	world_key(w, "F");
	world_wait(w, US_PER_S);
	world_key(w, "x");
	world_key(w, "Enter");
	assert_int_equal(mutations(w), 0);
	world_key(w, "Backspace");
	world_keys(w, "prod/billing");
	world_key(w, "Enter");
	assert_int_equal(world_effects(w, DO_DECIDE), 1);
	assert_int_equal(w->ui->effects[w->ui->n_effects - 1].decision.kind, DECISION_UNFREEZE);
	world_free(w);
}

static void test_approve(void **state)
{
	UNUSED(state);
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	world_key(w, "5");
	world_key(w, "Enter");
	assert_int_equal(world_effects(w, DO_RECHECK), 1);
	assert_string_equal(w->ui->service, "payments");
	assert_int_equal(w->ui->screen, SCREEN_PLAN);
	world_plan(w, PLAN_PROMOTE, false);
	/* The stored plan is the one on screen. */
	str_copy(w->model->store->plans[0].digest, DIGEST_LEN, w->model->plan->digest);
	world_clear(w);
	world_key(w, "A");
	assert_int_equal(w->ui->ask.kind, ASK_DECIDE);
	world_wait(w, US_PER_S);
	world_keys(w, "prod/payments");
	world_key(w, "Enter");
	assert_int_equal(world_effects(w, DO_DECIDE), 1);
	const struct ui_effect *e = &w->ui->effects[w->ui->n_effects - 1];
	assert_int_equal(e->decision.kind, DECISION_APPROVE);
	assert_string_equal(e->decision.plan, w->model->plan->digest);
	world_clear(w);
	/* Who asked cannot sign. */
	str_copy(w->model->store->plans[0].requester, NAME_LEN, "ann");
	world_key(w, "A");
	assert_int_equal(w->ui->ask.kind, ASK_NONE);
	assert_int_equal(mutations(w), 0);
	/* Reject needs a reason and its own x. */
	str_copy(w->model->store->plans[0].requester, NAME_LEN, "bo");
	world_key(w, "A");
	world_wait(w, US_PER_S);
	world_key(w, "Tab");
	world_keys(w, "not today");
	world_key(w, "Enter");
	world_wait(w, US_PER_S);
	world_key(w, "x");
	assert_int_equal(w->ui->effects[w->ui->n_effects - 1].decision.kind, DECISION_REJECT);
	assert_string_equal(w->ui->effects[w->ui->n_effects - 1].decision.reason, "not today");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tier1_x),
	    cmocka_unit_test(test_plan_looks_again),
	    cmocka_unit_test(test_tier2_x_then_y),
	    cmocka_unit_test(test_tier3_token),
	    cmocka_unit_test(test_rollback_token_is_short),
	    cmocka_unit_test(test_lines_open_plans),
	    cmocka_unit_test(test_repair_line),
	    cmocka_unit_test(test_lines_to_copy),
	    cmocka_unit_test(test_blocked),
	    cmocka_unit_test(test_read_only),
	    cmocka_unit_test(test_raise),
	    cmocka_unit_test(test_idle_lock),
	    cmocka_unit_test(test_paste_refused),
	    cmocka_unit_test(test_ground_moves),
	    cmocka_unit_test(test_escape_sends_nothing),
	    cmocka_unit_test(test_hold_abort),
	    cmocka_unit_test(test_freeze_and_unfreeze),
	    cmocka_unit_test(test_approve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
