/* The console in a real terminal, on a small world of files: keys, sizes, terminals, and every way to end it. */
#include "tests/lib/cm.h"
#include "tests/lib/pty.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 15000 };

static char dir[] = "/tmp/towpath-e2e-tui-XXXXXX";
static char config[128], home[128];

static void write_file(const char *name, const char *text, const char *mode)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, mode);
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int group_setup(void **state)
{
	char path[256];
	UNUSED(state);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(config, sizeof config, "%s/towpath.yaml", dir);
	(void)snprintf(home, sizeof home, "HOME=%s", dir);
	static const char *const folders[] = {"hosts", "log", "state"};
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	write_file("towpath.yaml",
	           "name: acme\n"
	           "store: {driver: sqlite, path: state/store.db}\n"
	           "environments:\n"
	           "  - {name: dev, short: dev, tier: 1}\n"
	           "  - {name: prod, short: prod, tier: 3, production: true}\n"
	           "services:\n"
	           "  - name: web\n"
	           "    owner: shop\n"
	           "    deploy: {driver: host, root: \"hosts/{env}-web\", restart: [\"true\"]}\n"
	           "    logs: {driver: file, path: \"log/{instance}.log\"}\n"
	           "    environments:\n"
	           "      dev: {instances: [{name: web-1}]}\n"
	           "      prod: {instances: [{name: web-2}]}\n"
	           "  - name: billing\n"
	           "    owner: finance\n"
	           "    deploy: {driver: host, root: \"hosts/{env}-billing\", restart: [\"true\"]}\n"
	           "    environments:\n"
	           "      dev: {instances: [{name: billing-1}]}\n"
	           "      prod: {instances: [{name: billing-2}]}\n",
	           "w");
	chmod(config, 0600);
	write_file("log/web-1.log",
	           "{\"time\":\"2026-10-27T02:46:58Z\",\"level\":\"info\",\"msg\":\"hello there\"}\n"
	           "{\"time\":\"2026-10-27T02:46:59Z\",\"level\":\"error\",\"msg\":\"it broke\"}\n",
	           "w");
	return 0;
}

static int group_teardown(void **state)
{
	char command[256];
	UNUSED(state);
	(void)snprintf(command, sizeof command, "%s", dir);
	static char rm[] = "/bin/rm";
	pid_t pid = fork();
	if (pid == 0) {
		execl(rm, "rm", "-rf", command, (char *)NULL);
		_exit(127);
	}
	return 0;
}

static struct tty *console_with(int rows, int cols, const char *a, const char *b, const char *option)
{
	const char *bin = getenv("TOWPATH_BIN");
	const char *argv[] = {bin ? bin : "./towpath", "-c", config, option, NULL};
	const char *env[] = {home, "XDG_CONFIG_HOME=/nonexistent", "LC_ALL=C.UTF-8", a, b, NULL};
	if (!a)
		env[3] = NULL;
	struct tty *t = tty_start(rows, cols, argv, env);
	assert_non_null(t);
	return t;
}

static struct tty *console(int rows, int cols)
{
	struct tty *t = console_with(rows, cols, NULL, NULL, NULL);
	assert_true(tty_wait_text(t, "SERVICE", WAIT_MS));
	assert_true(tty_wait_text(t, "hello there", WAIT_MS));
	return t;
}

/* The shell's screen and settings as before. */
static void assert_restored(struct tty *t, const struct termios *before)
{
	struct termios now;
	int row, col;
	bool visible;
	tty_pump(t, 200);
	tty_settings(t, &now);
	assert_int_equal(now.c_lflag, before->c_lflag);
	assert_int_equal(now.c_iflag, before->c_iflag);
	assert_int_equal(now.c_oflag, before->c_oflag);
	assert_false(vt_alt_screen(tty_vt(t)));
	vt_cursor(tty_vt(t), &row, &col, &visible);
	assert_true(visible);
	assert_int_equal(vt_mouse(tty_vt(t)), 0);
}

static struct termios settings_of(struct tty *t)
{
	struct termios s;
	tty_settings(t, &s);
	return s;
}

static struct termios shell_settings(void)
{
	/* A terminal that nobody has touched. */
	static const char *const argv[] = {"/bin/sleep", "30", NULL};
	static const char *const env[] = {NULL};
	struct tty *t = tty_start(24, 80, argv, env);
	struct termios s = settings_of(t);
	tty_free(t);
	return s;
}

static void test_open_move_quit(void **state)
{
	UNUSED(state);
	struct termios before = shell_settings();
	struct tty *t = console(24, 80);
	assert_true(vt_alt_screen(tty_vt(t)));
	assert_true(tty_has(t, "web"));
	tty_send(t, "j");
	assert_true(tty_wait_text(t, "billing / dev", WAIT_MS));
	tty_send(t, "\033[C");
	assert_true(tty_wait_text(t, "billing / prod", WAIT_MS));
	tty_send(t, "k\033OD");
	assert_true(tty_wait_text(t, "web / dev", WAIT_MS));
	tty_send(t, "?");
	assert_true(tty_wait_text(t, "type to filter", WAIT_MS) || tty_has(t, "Type to filter"));
	tty_send(t, "\033");
	assert_true(tty_wait_gone(t, "Type to filter", WAIT_MS));
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	assert_restored(t, &before);
	tty_free(t);
}

static void test_logs_live_and_filter(void **state)
{
	UNUSED(state);
	struct tty *t = console(24, 80);
	tty_send(t, "L");
	assert_true(tty_wait_text(t, "following", WAIT_MS));
	write_file("log/web-1.log", "a line that just came \033[31m\033]0;owned\007\n", "a");
	assert_true(tty_wait_text(t, "just came <ESC>[31m<ESC>]0;owned<BEL>", WAIT_MS));
	assert_string_not_equal(vt_title(tty_vt(t)), "owned");
	tty_send(t, "/");
	tty_pump(t, 100);
	tty_send(t, "level>=error");
	assert_true(tty_wait_gone(t, "hello there", WAIT_MS));
	assert_true(tty_has(t, "it broke"));
	tty_send(t, "\r");
	assert_true(tty_wait_text(t, "1 of 3", WAIT_MS));
	tty_send(t, "\033");
	assert_true(tty_wait_text(t, "hello there", WAIT_MS));
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_hostile_paste(void **state)
{
	UNUSED(state);
	struct tty *t = console(24, 80);
	tty_send(t, "\033[200~PxyQ\rRx\033[A:promote web --to prod\r\033[201~");
	assert_true(tty_wait_text(t, "paste dropped", WAIT_MS));
	assert_true(tty_has(t, "SERVICE"));
	/* A terminal that does not mark pastes. */
	tty_pump(t, 400);
	tty_send(t, "jjjjjjjjjjRxPxxyQ\r\rQ");
	assert_true(tty_wait_text(t, "taken for a paste", WAIT_MS));
	assert_int_equal(tty_exit_code(t, 300), -1);
	tty_pump(t, 400);
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_resize_storm(void **state)
{
	UNUSED(state);
	struct prng p = prng_seeded();
	struct tty *t = console(24, 80);
	for (int i = 0; i < 150; i++) {
		tty_resize(t, 1 + (int)prng_below(&p, 100), 1 + (int)prng_below(&p, 250));
		if (i % 10 == 0)
			tty_send(t, i % 20 ? "L" : "1");
		tty_pump(t, (int)prng_below(&p, 20));
	}
	tty_resize(t, 5, 20);
	assert_true(tty_wait_text(t, "40x10 needed", WAIT_MS));
	tty_resize(t, 1, 1);
	tty_pump(t, 300);
	tty_resize(t, 30, 100);
	tty_send(t, "1");
	assert_true(tty_wait_text(t, "SERVICE", WAIT_MS));
	assert_true(tty_wait_text(t, "? help", WAIT_MS));
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static bool same_text(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && !(a[i] >= '0' && a[i] <= '9' && b[i] >= '0' && b[i] <= '9'))
			return false;
	return true;
}

/* Clocks and ages may have gone on meanwhile. */
static void same_rows(const char *a, const char *b)
{
	for (int row = 0; *a && *b; row++) {
		size_t n = strcspn(a, "\n"), k = strcspn(b, "\n");
		if (n != k || !same_text(a, b, n))
			fail_msg("row %d was \"%.*s\", drawn anew \"%.*s\"", row, (int)n, a, (int)k, b);
		a += n + (a[n] == '\n');
		b += k + (b[k] == '\n');
	}
}

/* What many small differences made of the screen is what one whole drawing makes of it. */
static void test_differences_equal_redraw(void **state)
{
	UNUSED(state);
	static const char *const walks[] = {"L", "1",     "j", "4", "k",  "8",  "m",        "?\033",
	                                    "7", ":\033", "i", "5", "L|", "|1", "2/brok\r", "\033"};
	struct prng p = prng_seeded();
	static const int sizes[][2] = {{24, 80}, {30, 100}, {18, 64}, {50, 180}};
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct tty *t = console(24, 80);
		tty_resize(t, sizes[s][0], sizes[s][1]);
		for (int i = 0; i < 12; i++) {
			tty_send(t, walks[prng_below(&p, ARRAY_LEN(walks))]);
			tty_pump(t, 120);
			if (i % 4 != 3)
				continue;
			assert_true(tty_wait_quiet(t, 400, WAIT_MS));
			char *before = tty_screen(t);
			tty_send(t, "\014");
			assert_true(tty_wait_quiet(t, 400, WAIT_MS));
			char *after = tty_screen(t);
			same_rows(before, after);
			free(before);
			free(after);
		}
		tty_send(t, "Q");
		assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
		tty_free(t);
	}
}

static void test_ends(void **state)
{
	UNUSED(state);
	struct termios before = shell_settings();
	static const int signals[] = {SIGTERM, SIGHUP, SIGKILL, SIGSEGV};
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct tty *t = console(24, 80);
		pid_t child = tty_child(t, WAIT_MS);
		assert_true(child > 0);
		assert_int_equal(kill(child, signals[i]), 0);
		assert_true(tty_exit_code(t, WAIT_MS) > 0);
		if (signals[i] != SIGHUP)
			assert_restored(t, &before);
		tty_free(t);
	}
}

static void test_suspend(void **state)
{
	UNUSED(state);
	struct tty *t = console(24, 80);
	tty_send(t, "\032");
	assert_true(tty_wait_stopped(t, WAIT_MS));
	tty_pump(t, 200);
	assert_false(vt_alt_screen(tty_vt(t)));
	tty_kill(t, SIGCONT);
	assert_true(tty_wait_text(t, "SERVICE", WAIT_MS));
	assert_true(vt_alt_screen(tty_vt(t)));
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

/* A terminal that takes no bytes stops nothing: once it reads again the newest frame is there. */
static void test_stopped_terminal(void **state)
{
	UNUSED(state);
	struct tty *t = console(40, 200);
	for (int i = 0; i < 400; i++)
		tty_send(t, i % 2 ? "7" : "1");
	usleep(
	    700000); /* the terminal's buffer is full now; what is tested is that the keys are still read */
	tty_send(t, "8");
	assert_true(tty_wait_text(t, "doctor", WAIT_MS));
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_idle_is_silent(void **state)
{
	UNUSED(state);
	struct tty *t = console(24, 80);
	assert_true(tty_wait_quiet(t, 1500, WAIT_MS));
	size_t before = tty_bytes(t);
	tty_pump(t, 3000);
	/* At most the clock's minute and an age. */
	assert_true(tty_bytes(t) - before < 120);
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_terminals(void **state)
{
	UNUSED(state);
	static const struct {
		const char *term, *locale;
	} kinds[] = {{"TERM=vt100", "LC_ALL=C"},
	             {"TERM=linux", "LC_ALL=C.UTF-8"},
	             {"TERM=xterm", "LC_ALL=C.UTF-8"},
	             {"TERM=screen", "LC_ALL=C.UTF-8"},
	             {"TERM=vt220", "LC_ALL=C"},
	             {"TERM=tmux-256color", "LC_ALL=C.UTF-8"},
	             {"TERM=rxvt-unicode", "LC_ALL=C.UTF-8"}};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct tty *t = console_with(24, 80, kinds[i].term, kinds[i].locale, NULL);
		if (!tty_wait_text(t, "SERVICE", WAIT_MS))
			fail_msg("no board with %s", kinds[i].term);
		assert_true(tty_wait_text(t, "hello there", WAIT_MS));
		tty_send(t, "L");
		assert_true(tty_wait_text(t, "following", WAIT_MS));
		assert_true(tty_wait_text(t, "it broke", WAIT_MS));
		tty_send(t, "Q");
		assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
		tty_free(t);
	}
	/* A locale that is not installed here still says what the terminal speaks; none says nothing. */
	struct tty *t = console_with(24, 80, "TERM=xterm-256color", "LC_ALL=xx_YY.UTF-8", NULL);
	assert_true(tty_wait_text(t, "──", WAIT_MS));
	tty_free(t);
	t = console_with(24, 80, "TERM=xterm-256color", "LC_ALL=C", NULL);
	assert_true(tty_wait_text(t, "SERVICE", WAIT_MS));
	assert_true(tty_wait_text(t, ">- web / dev", WAIT_MS));
	tty_free(t);
	t = console_with(24, 80, "TERM=no-such-terminal", NULL, NULL);
	assert_true(tty_wait_text(t, "is not known here", WAIT_MS));
	assert_int_equal(tty_exit_code(t, WAIT_MS), 2);
	tty_free(t);
}

/* The row of the error line: how it is coloured. */
static bool err_cell_has_hue(const char *env, const char *option)
{
	int row = 0, col = 0;
	struct vt_cell cell;
	struct tty *t = console_with(24, 80, env, NULL, option);
	assert_true(tty_wait_text(t, "it broke", WAIT_MS));
	assert_true(vt_find(tty_vt(t), "it broke", &row, &col));
	tty_cell(t, row, col, &cell);
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
	return cell.fg != -1 && (cell.fg & VT_RGB ? true : cell.fg != 7);
}

static void test_colours(void **state)
{
	UNUSED(state);
	assert_true(err_cell_has_hue("COLORTERM=", "--colors=256"));
	assert_true(err_cell_has_hue("COLORTERM=truecolor", "--colors=auto"));
	assert_true(err_cell_has_hue("COLORTERM=", "--colors=16"));
	assert_false(err_cell_has_hue("NO_COLOR=1", "--colors=auto"));
	assert_false(err_cell_has_hue("COLORTERM=", "--colors=mono"));
}

/* A terminal that tells its background late, and a light one: the theme follows, and no letter of it is a key. */
static void test_background(void **state)
{
	UNUSED(state);
	int row = 0, col = 0;
	struct vt_cell dark, light;
	struct tty *t = console_with(24, 80, "COLORTERM=", NULL, "--colors=256");
	assert_true(tty_wait_text(t, "it broke", WAIT_MS));
	assert_true(vt_find(tty_vt(t), "it broke", &row, &col));
	tty_cell(t, row, col, &dark);
	tty_send(t, "\033]11;rgb:ffff/ffff/ffff\033\\");
	assert_true(tty_wait_quiet(t, 500, WAIT_MS));
	tty_cell(t, row, col, &light);
	assert_true(light.fg != dark.fg);
	assert_true(tty_has(t, "SERVICE"));
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_dump_and_copy(void **state)
{
	UNUSED(state);
	struct tty *t = console(24, 80);
	tty_send(t, "\017");
	assert_true(tty_wait_text(t, "any key goes back", WAIT_MS));
	assert_false(vt_alt_screen(tty_vt(t)));
	assert_true(tty_has(t, "hello there"));
	tty_send(t, "j");
	assert_true(tty_wait_gone(t, "any key goes back", WAIT_MS));
	assert_true(vt_alt_screen(tty_vt(t)));
	tty_pump(t, 200);
	tty_send(t, "L");
	assert_true(tty_wait_text(t, "following", WAIT_MS));
	tty_send(t, "yl");
	tty_pump(t, 500);
	size_t n = 0;
	const char *log = tty_log(t, &n);
	/* "towpath logs web dev" */
	static const char want[] = "\033]52;c;dG93cGF0aCBsb2dzIHdlYiBkZXY=\033\\";
	bool found = false;
	for (size_t i = 0; i + sizeof want - 1 <= n && !found; i++)
		found = memcmp(log + i, want, sizeof want - 1) == 0;
	assert_true(found);
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_open_move_quit),
	    cmocka_unit_test(test_logs_live_and_filter),
	    cmocka_unit_test(test_hostile_paste),
	    cmocka_unit_test(test_resize_storm),
	    cmocka_unit_test(test_differences_equal_redraw),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_suspend),
	    cmocka_unit_test(test_stopped_terminal),
	    cmocka_unit_test(test_idle_is_silent),
	    cmocka_unit_test(test_terminals),
	    cmocka_unit_test(test_colours),
	    cmocka_unit_test(test_dump_and_copy),
	    cmocka_unit_test(test_background),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
