/* The console as people use it: the real program in a terminal, on a demo world. */
#define _GNU_SOURCE
#include "tests/lib/cm.h"
#include "tests/lib/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 15000, ARM_MS = 750, KEY_MS = 40 };

static struct scene scene;

/* One key after the other, as fingers do it. */
static void keys(struct tty *t, const char *text)
{
	for (; *text != '\0'; text++) {
		tty_sendn(t, text, 1);
		tty_pump(t, KEY_MS);
	}
}

struct pressing {
	const char *key, *text;
	int64_t last_ms;
};

static bool pressed(struct tty *t, void *ctx)
{
	struct pressing *p = ctx;

	if (tty_has(t, p->text))
		return true;
	if (scene_now_ms() - p->last_ms > 400) {
		tty_send(t, p->key);
		p->last_ms = scene_now_ms();
	}
	return false;
}

/* Presses a key until the text is there: screens are deaf in their first moments. */
static bool press_until(struct tty *t, const char *key, const char *text)
{
	struct pressing p = {.key = key, .text = text};

	if (tty_wait(t, pressed, &p, WAIT_MS))
		return true;
	return tty_wait_text(t, text, 0);
}

/* The selected deployment becomes this one: up and left as far as it goes, then down and right. */
static void go(struct tty *t, int service, int env, const char *title)
{
	keys(t, "\033");
	tty_pump(t, 120);
	keys(t, "1ggh");
	keys(t, "h");
	while (service-- > 0)
		keys(t, "j");
	while (env-- > 0)
		keys(t, "l");
	assert_true(tty_wait_text(t, title, WAIT_MS));
}

/* How many rollouts the store knows; the newest one's id. */
static int rollouts(char newest[64])
{
	const struct jv *list;

	assert_int_equal(scene_run(&scene, "rollouts", NULL), 0);
	list = jv_get(scene.value, "rollouts");
	if (newest != NULL)
		snprintf(newest, 64, "%s", jv_get_text(jv_at(list, 0), "id", ""));
	return (int)jv_len(list);
}

static void leave(struct tty *t)
{
	keys(t, "\033");
	tty_pump(t, 120);
	keys(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	assert_false(vt_alt_screen(tty_vt(t)));
	tty_free(t);
}

static void assert_board(struct tty *t)
{
	static const char *const all[] = {"web",   "orders", "billing", "dev",   "staging", "prod",
	                                  "1.6.0", "1.4.2",  "2.5.0",   "2.3.1", "0.10.1",  "0.9.0"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_true(tty_wait_text(t, all[i], WAIT_MS));
}

/* --- looking ----------------------------------------------------------------------------------- */

static void test_every_screen(void **state)
{
	static const struct {
		const char *key, *text;
	} screens[] = {
	    {"2", "> logs"},      {"3", "> metrics"},    {"4", "> rollouts"},
	    {"5", "> approvals"}, {"6", "> migrations"}, {"7", "> history"},
	    {"8", "> doctor"},    {"1", "> board"},      {"?", "> help"},
	};
	static const int sizes[][2] = {{24, 80}, {60, 200}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tty *t = scene_console(&scene, sizes[i][0], sizes[i][1], NULL);

		assert_board(t);
		for (size_t k = 0; k < sizeof(screens) / sizeof(screens[0]); k++) {
			tty_send(t, screens[k].key);
			assert_true(tty_wait_text(t, screens[k].text, WAIT_MS));
			tty_pump(t, KEY_MS);
		}
		/* Help: typing filters it. */
		keys(t, "freeze");
		assert_true(tty_wait_gone(t, "roll back", WAIT_MS));
		assert_true(tty_has(t, "freeze or unfreeze"));
		tty_send(t, "\033");
		assert_true(tty_wait_text(t, "> board", WAIT_MS));
		/* Palette: typing finds a command; Esc does nothing. */
		tty_send(t, ":");
		assert_true(tty_wait_text(t, "commands and keys", WAIT_MS));
		keys(t, "doctor");
		assert_true(tty_wait_text(t, "screen doctor", WAIT_MS));
		tty_send(t, "\r");
		assert_true(tty_wait_text(t, "> doctor", WAIT_MS));
		assert_true(tty_wait_text(t, "reached", WAIT_MS));
		keys(t, "1");
		leave(t);
	}
}

static void test_move_and_filter(void **state)
{
	struct tty *t = scene_console(&scene, 24, 80, NULL);

	(void)state;
	assert_board(t);
	go(t, 1, 2, "orders / prod");
	go(t, 2, 1, "billing / staging");
	go(t, 0, 0, "web / dev");
	tty_send(t, "/");
	tty_pump(t, KEY_MS);
	keys(t, "owner:finance");
	assert_true(tty_wait_gone(t, "2.5.0", WAIT_MS));
	assert_true(tty_has(t, "billing"));
	keys(t, "\r");
	assert_true(tty_wait_text(t, "1 of 3", WAIT_MS));
	tty_send(t, "\033");
	assert_true(tty_wait_text(t, "2.5.0", WAIT_MS));
	/* Logs of a deployment and their filter. */
	go(t, 0, 2, "web / prod");
	keys(t, "L");
	assert_true(tty_wait_text(t, "web > prod > logs", WAIT_MS));
	assert_true(tty_wait_text(t, "/catalog", WAIT_MS));
	keys(t, "/");
	keys(t, "nosuchword");
	assert_true(tty_wait_gone(t, "GET /catalog", WAIT_MS));
	tty_send(t, "\033");
	assert_true(tty_wait_text(t, "/catalog", WAIT_MS));
	tty_pump(t, 120);
	keys(t, "m");
	assert_true(tty_wait_text(t, "> metrics", WAIT_MS));
	assert_true(tty_wait_text(t, "rps", WAIT_MS));
	leave(t);
}

static void test_other_terminals(void **state)
{
	static const char *const vt100[] = {"TERM=vt100", NULL};
	static const char *const plain[] = {"NO_COLOR=1", NULL};
	static const char *const c_locale[] = {"LC_ALL=C", "LANG=C", NULL};
	static const char *const *const envs[] = {vt100, plain, c_locale};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct tty *t = scene_console(&scene, 24, 80, envs[i]);
		int coloured = 0, wide = 0;
		struct vt_cell c;

		assert_board(t);
		tty_wait_quiet(t, 100, 1000);
		for (int row = 0; row < 24; row++)
			for (int col = 0; col < 80; col++) {
				tty_cell(t, row, col, &c);
				coloured += c.fg != -1 || c.bg != -1;
				wide += (unsigned char)c.text[0] >= 0x80;
			}
		if (envs[i] != c_locale)
			assert_int_equal(coloured, 0);
		if (envs[i] != plain)
			assert_int_equal(wide, 0);
		else
			assert_true(wide > 0);
		leave(t);
	}
}

/*
 * Nothing changes on this screen but the clock of its header: as long as the screen is the same, no byte is
 * sent.
 */
static void test_idle_is_silent(void **state)
{
	struct tty *t = scene_console(&scene, 24, 80, NULL);
	bool silent = false;

	(void)state;
	assert_board(t);
	keys(t, "5");
	assert_true(tty_wait_text(t, "no plan waits", WAIT_MS));
	for (int i = 0; i < 4 && !silent; i++) {
		char *before, *after;
		size_t bytes;
		bool same;

		assert_true(tty_wait_quiet(t, 500, WAIT_MS));
		before = tty_screen(t);
		bytes = tty_bytes(t);
		tty_pump(t, 3000);
		after = tty_screen(t);
		same = strcmp(before, after) == 0;
		if (same)
			assert_int_equal(tty_bytes(t) - bytes, 0);
		silent = same;
		free(before);
		free(after);
	}
	assert_true(silent);
	leave(t);
}

/* The screen without its first row, where the clock is. */
static char *body_of(struct tty *t)
{
	char *screen = tty_screen(t), *nl = strchr(screen, '\n'), *body = strdup(nl != NULL ? nl : screen);

	free(screen);
	return body;
}

static void test_resize_storm(void **state)
{
	struct tty *t = scene_console(&scene, 24, 80, NULL);
	struct prng p = prng_seeded();
	char *before, *after;

	(void)state;
	assert_board(t);
	keys(t, "5");
	assert_true(tty_wait_text(t, "no plan waits", WAIT_MS));
	tty_wait_quiet(t, 300, 3000);
	before = body_of(t);
	for (int i = 0; i < 200; i++) {
		tty_resize(t, 1 + (int)prng_below(&p, 100), 1 + (int)prng_below(&p, 300));
		if (i % 10 == 0)
			tty_pump(t, 20);
	}
	tty_resize(t, 6, 30);
	assert_true(tty_wait_text(t, "needed", WAIT_MS));
	tty_resize(t, 12, 45);
	assert_true(tty_wait_gone(t, "needed", WAIT_MS));
	tty_resize(t, 24, 80);
	assert_true(tty_wait_text(t, "no plan waits", WAIT_MS));
	assert_true(tty_wait_quiet(t, 300, WAIT_MS));
	after = body_of(t);
	assert_string_equal(after, before);
	free(before);
	free(after);
	tty_pump(t, 400);
	keys(t, "1");
	assert_board(t);
	leave(t);
}

/* --- acting ------------------------------------------------------------------------------------ */

static void test_hostile_paste(void **state)
{
	static const char paste[] =
	    "\033[200~\033]52;c;QUJD\007\033[2J\033P+q544e\033\\rm -rf /\rx\033[201~Rxprod\rPxy"
	    "\033[200~Pxyprod/web\r\033[201~";
	struct tty *t = scene_console(&scene, 24, 80, NULL);
	int before = rollouts(NULL);

	(void)state;
	assert_board(t);
	go(t, 0, 1, "web / staging");
	tty_sendn(t, paste, sizeof(paste) - 1);
	tty_pump(t, 1500);
	assert_int_equal(rollouts(NULL), before);
	/* Into a field it is text, made visible. */
	tty_send(t, "\033");
	tty_pump(t, 200);
	go(t, 0, 1, "web / staging");
	keys(t, "/");
	tty_send(t, "\033[200~we\033]52;c;QUJD\007b\033[201~");
	tty_pump(t, 300);
	assert_false(tty_log_has(t, "\033]52"));
	assert_false(tty_log_has(t, "\033P+q"));
	tty_send(t, "\033");
	tty_pump(t, 200);
	assert_board(t);
	assert_int_equal(rollouts(NULL), before);
	leave(t);
}

/* Into production, with everything that stands between. */
static void test_promote_to_production(void **state)
{
	struct tty *t = scene_console(&scene, 40, 110, NULL);
	int before = rollouts(NULL);
	char id[64], plan[128];

	(void)state;
	assert_board(t);
	/* Smoke tests on staging, from the console. */
	go(t, 0, 1, "web / staging");
	tty_send(t, "S");
	assert_true(tty_wait_text(t, "SMOKE TESTS", WAIT_MS));
	assert_true(press_until(t, "x", "passed"));
	tty_send(t, "\033");
	assert_true(tty_wait_text(t, "> board", WAIT_MS));
	/* The plan says what blocks it, and x does nothing. */
	go(t, 0, 2, "web / prod");
	tty_send(t, "P");
	assert_true(tty_wait_text(t, "BLOCKED BY approval", WAIT_MS));
	assert_true(press_until(t, "x", "blocked by approval"));
	assert_int_equal(rollouts(NULL), before);
	/* Asking for approval stores the plan; bo approves it from another terminal. */
	tty_send(t, "A");
	assert_true(tty_wait_text(t, "ASK FOR APPROVAL", WAIT_MS));
	tty_pump(t, ARM_MS);
	tty_send(t, "x");
	assert_true(tty_wait_gone(t, "ASK FOR APPROVAL", WAIT_MS));
	tty_pump(t, 300);
	scene_run(&scene, "why", "web", "prod", NULL);
	snprintf(plan, sizeof(plan), "%s", jv_get_text(scene.value, "plan", ""));
	assert_int_equal(scene_as_bo(&scene, "approve", plan, NULL), 0);
	tty_send(t, "\033");
	assert_true(tty_wait_text(t, "> board", WAIT_MS));
	tty_pump(t, 100);
	tty_send(t, "P");
	assert_true(tty_wait_text(t, "READY", WAIT_MS));
	/* The word typed wrong, pasted, then typed right. */
	assert_true(press_until(t, "x", "then Enter:"));
	tty_pump(t, ARM_MS);
	keys(t, "prod/wbe\r");
	assert_true(tty_wait_text(t, "in full", WAIT_MS));
	tty_send(t, "\025");
	tty_pump(t, KEY_MS);
	tty_send(t, "\033[200~prod/web\r\033[201~\r");
	tty_pump(t, 500);
	assert_true(tty_has(t, "then Enter:"));
	assert_int_equal(rollouts(NULL), before);
	tty_send(t, "\025");
	tty_pump(t, KEY_MS);
	keys(t, "prod/web\r");
	assert_true(tty_wait_text(t, "> rollout", WAIT_MS));
	assert_true(tty_wait_text(t, "it has ended", 2 * WAIT_MS));
	assert_true(tty_has(t, "1.5.0 runs in prod"));
	assert_int_equal(rollouts(id), before + 1);
	assert_true(scene_until(&scene, "web", "prod", "tag", "1.5.0"));
	tty_send(t, "1");
	assert_true(tty_wait_text(t, "> board", WAIT_MS));
	leave(t);
}

/* R x prod Enter: seven keys. */
static void test_roll_back_production(void **state)
{
	struct tty *t = scene_console(&scene, 24, 80, NULL);
	int before = rollouts(NULL), n = 0;

	(void)state;
	assert_true(tty_wait_text(t, "billing", WAIT_MS));
	go(t, 0, 2, "web / prod");
	tty_send(t, "R"), n++;
	assert_true(tty_wait_text(t, "READY", WAIT_MS));
	tty_pump(t, ARM_MS);
	tty_send(t, "x"), n++;
	assert_true(tty_wait_text(t, "ROLL BACK", WAIT_MS));
	tty_pump(t, ARM_MS);
	keys(t, "prod\r"), n += 5;
	assert_true(n <= 10);
	assert_true(tty_wait_text(t, "> rollout", WAIT_MS));
	assert_true(tty_wait_text(t, "it has ended", 2 * WAIT_MS));
	assert_int_equal(rollouts(NULL), before + 1);
	assert_true(scene_until(&scene, "web", "prod", "tag", "1.4.2"));
	leave(t);
}

/* --- ends of the console ----------------------------------------------------------------------- */

static void hold_restarts(void) { scene_write(scene_path(&scene, "hold"), "", 0, 0600); }

static void let_restart(void) { unlink(scene_path(&scene, "hold")); }

/* Starts a promotion into staging that waits in its first restart. */
static struct tty *start_rollout(int service, const char *title, char id[64])
{
	struct tty *t = scene_console(&scene, 24, 80, NULL);

	assert_true(tty_wait_text(t, "billing", WAIT_MS));
	hold_restarts();
	go(t, service, 1, title);
	tty_send(t, "P");
	assert_true(tty_wait_text(t, "READY: x, then y", WAIT_MS));
	assert_true(press_until(t, "x", "y do it"));
	assert_true(press_until(t, "y", "> rollout"));
	assert_true(tty_wait_text(t, "% deploy", WAIT_MS));
	rollouts(id);
	return t;
}

static bool is_main_screen(struct tty *t, void *ctx)
{
	(void)ctx;
	return !vt_alt_screen(tty_vt(t));
}

static void assert_restored(struct tty *t, const struct termios *before)
{
	struct termios now;
	int row, col;
	bool visible;

	assert_true(tty_wait(t, is_main_screen, NULL, WAIT_MS));
	tty_settings(t, &now);
	assert_int_equal(now.c_lflag, before->c_lflag);
	assert_int_equal(now.c_iflag, before->c_iflag);
	assert_int_equal(now.c_oflag, before->c_oflag);
	assert_int_equal(now.c_cflag, before->c_cflag);
	assert_memory_equal(now.c_cc, before->c_cc, sizeof(now.c_cc));
	vt_cursor(tty_vt(t), &row, &col, &visible);
	assert_true(visible);
	assert_int_equal(vt_mouse(tty_vt(t)), 0);
}

static void assert_goes_on(const char *id, const char *service, const char *tag)
{
	const struct jv *r;

	scene_run(&scene, "rollout", id, NULL);
	r = jv_get(scene.value, "rollout");
	assert_string_not_equal(jv_get_text(r, "state", ""), "ended");
	let_restart();
	assert_true(scene_until_ended(&scene, id, 30000));
	r = jv_get(scene.value, "rollout");
	assert_string_equal(jv_get_text(r, "outcome", ""), "ok");
	assert_true(scene_until(&scene, service, "staging", "tag", tag));
}

static struct termios terminal_as_it_was(void)
{
	const char *const argv[] = {"true", NULL};
	struct tty *t = tty_start(24, 80, argv, NULL);
	struct termios settings;

	tty_settings(t, &settings);
	tty_free(t);
	return settings;
}

static void test_hangup(void **state)
{
	struct termios before = terminal_as_it_was();
	char id[64];
	struct tty *t = start_rollout(0, "web / staging", id);
	int64_t at = scene_now_ms();

	(void)state;
	tty_kill(t, SIGHUP);
	assert_true(tty_exit_code(t, 2000) >= 0);
	assert_true(scene_now_ms() - at <= 2000);
	assert_restored(t, &before);
	tty_free(t);
	assert_goes_on(id, "web", "1.6.0");
}

static void test_killed(void **state)
{
	struct termios before = terminal_as_it_was();
	char id[64];
	struct tty *t = start_rollout(2, "billing / staging", id);
	pid_t pid = tty_child(t, WAIT_MS);

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(tty_exit_code(t, WAIT_MS), 128 + SIGKILL);
	assert_restored(t, &before);
	tty_free(t);
	assert_goes_on(id, "billing", "0.10.1");
}

static int setup(void **state)
{
	(void)state;
	scene_start(&scene);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_stop(&scene);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_screen),
	    cmocka_unit_test(test_move_and_filter),
	    cmocka_unit_test(test_other_terminals),
	    cmocka_unit_test(test_idle_is_silent),
	    cmocka_unit_test(test_resize_storm),
	    cmocka_unit_test(test_hostile_paste),
	    cmocka_unit_test(test_promote_to_production),
	    cmocka_unit_test(test_roll_back_production),
	    cmocka_unit_test(test_hangup),
	    cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
