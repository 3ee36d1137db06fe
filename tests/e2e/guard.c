/* The terminal guard in a real terminal, around a small console: whatever ends it, the shell gets its screen back. */
#include "cli/guard.h"
#include "io/proc.h"
#include "tests/lib/pty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };

/* --- the small console: this program again, as "PROGRAM --console KIND" -------------------------------------- */
static volatile sig_atomic_t got;

static void on_signal(int signum) { got = signum; }

static void say(const char *s)
{
	if (write(STDOUT_FILENO, s, strlen(s)) < 0)
		_exit(98);
}

static void screen_enter(void)
{
	struct termios raw;

	tcgetattr(STDIN_FILENO, &raw);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	say("\033[?1049h\033[?25l\033[?1002h\033[?1006h\033[?1004h\033[?2004h\033[2J\033[Hconsole is up");
}

static void screen_leave(void)
{
	struct termios sane;

	tcgetattr(STDIN_FILENO, &sane);
	sane.c_lflag |= ECHO | ICANON | ISIG;
	tcsetattr(STDIN_FILENO, TCSANOW, &sane);
	say("\033[?1002l\033[?1006l\033[?1004l\033[?2004l\033[?25h\033[?1049l");
}

/* 'q' ends in good order, 'e' exits without cleaning, 'a' aborts, 'z' stops as after Ctrl-Z. */
static int console(void *ctx)
{
	struct sigaction a = {.sa_handler = on_signal};
	sigset_t both, before_both;
	char c, text[64];

	UNUSED(ctx);
	/* Blocked but while it waits, so that none is missed between the look and the wait. */
	sigemptyset(&both);
	sigaddset(&both, SIGTERM);
	sigaddset(&both, SIGHUP);
	sigprocmask(SIG_BLOCK, &both, &before_both);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	screen_enter();
	for (;;) {
		fd_set in;

		FD_ZERO(&in);
		FD_SET(STDIN_FILENO, &in);
		if (pselect(STDIN_FILENO + 1, &in, NULL, NULL, NULL, &before_both) < 0 && errno == EINTR &&
		    got != 0) {
			screen_leave();
			snprintf(text, sizeof(text), "ended by %d\r\n", (int)got);
			say(text);
			return 10;
		}
		if (!FD_ISSET(STDIN_FILENO, &in) || read(STDIN_FILENO, &c, 1) != 1)
			continue;
		if (c == 'q') {
			screen_leave();
			say("bye\r\n");
			return 7;
		}
		if (c == 'e')
			_exit(9);
		if (c == 'a')
			abort();
		if (c == 'z') {
			raise(SIGSTOP);
			screen_enter();
			say("\033[Hconsole is back");
		}
	}
}

/* --- the tests ----------------------------------------------------------------------------------------------- */
static struct termios before;

static struct tty *start(void)
{
	const char *const argv[] = {"/proc/self/exe", "--console", NULL};
	char path[1024];
	const char *real[] = {path, "--console", NULL};
	ssize_t n = readlink(argv[0], path, sizeof(path) - 1);
	struct tty *t;

	assert_true(n > 0);
	path[n] = '\0';
	t = tty_start(24, 80, real, NULL);
	assert_true(tty_wait_text(t, "console is up", WAIT_MS));
	assert_true(vt_alt_screen(tty_vt(t)));
	return t;
}

static bool is_main_screen(struct tty *t, void *ctx)
{
	UNUSED(ctx);
	return !vt_alt_screen(tty_vt(t));
}

static void assert_restored(struct tty *t)
{
	struct termios now;
	int row, col;
	bool visible;

	assert_true(tty_wait(t, is_main_screen, NULL, WAIT_MS));
	tty_settings(t, &now);
	assert_int_equal(now.c_lflag, before.c_lflag);
	assert_int_equal(now.c_iflag, before.c_iflag);
	assert_int_equal(now.c_oflag, before.c_oflag);
	vt_cursor(tty_vt(t), &row, &col, &visible);
	assert_true(visible);
	assert_int_equal(vt_mouse(tty_vt(t)), 0);
	assert_true(tty_log_has(t, "\033[?2004l"));
	assert_true(tty_log_has(t, "\033[?1004l"));
}

static int setup(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct tty *t = tty_start(24, 80, argv, NULL);

	UNUSED(state);
	tty_settings(t, &before);
	tty_free(t);
	return 0;
}

static void test_good_end(void **state)
{
	struct tty *t = start();

	UNUSED(state);
	tty_send(t, "q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 7);
	assert_restored(t);
	assert_true(tty_has(t, "bye"));
	/* What the console put back itself is not sent twice. */
	assert_false(tty_log_has(t, "\033[?1003l"));
	tty_free(t);
}

static void killed(int signum)
{
	struct tty *t = start();
	pid_t pid = tty_child(t, WAIT_MS);

	assert_true(pid > 0);
	assert_int_equal(kill(pid, signum), 0);
	assert_int_equal(tty_exit_code(t, WAIT_MS), 128 + signum);
	assert_restored(t);
	assert_true(tty_has(t, "ended by signal"));
	tty_free(t);
}

static void test_killed(void **state)
{
	UNUSED(state);
	killed(SIGKILL);
	killed(SIGALRM);
}

static void test_abort_and_hasty_exit(void **state)
{
	struct tty *t = start();

	UNUSED(state);
	tty_send(t, "a");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 128 + SIGABRT);
	assert_restored(t);
	tty_free(t);
	t = start();
	tty_send(t, "e");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 9);
	assert_restored(t);
	tty_free(t);
}

static void test_signals_reach_the_console(void **state)
{
	static const int signals[] = {SIGTERM, SIGHUP};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct tty *t = start();
		char text[64];

		tty_kill(t, signals[i]);
		assert_int_equal(tty_exit_code(t, WAIT_MS), 10);
		snprintf(text, sizeof(text), "ended by %d", signals[i]);
		assert_true(tty_wait_text(t, text, WAIT_MS));
		assert_restored(t);
		tty_free(t);
	}
}

static void test_stop_and_continue(void **state)
{
	struct tty *t = start();

	UNUSED(state);
	tty_send(t, "z");
	assert_true(tty_wait_stopped(t, WAIT_MS));
	assert_restored(t);
	tty_kill(t, SIGCONT);
	assert_true(tty_wait_text(t, "console is back", WAIT_MS));
	assert_true(vt_alt_screen(tty_vt(t)));
	tty_send(t, "q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 7);
	assert_restored(t);
	tty_free(t);
}

/* A zombie counts: nobody may have reaped it. */
static bool is_dead(struct tty *t, void *ctx)
{
	UNUSED(t);
	return proc_start_time(*(pid_t *)ctx) == 0;
}

/* The guard itself is killed: the console hears it, puts the screen back and ends. */
static void test_guard_is_killed(void **state)
{
	struct tty *t = start();
	pid_t pid = tty_child(t, WAIT_MS);

	UNUSED(state);
	tty_kill(t, SIGKILL);
	assert_int_equal(tty_exit_code(t, WAIT_MS), 128 + SIGKILL);
	assert_restored(t);
	assert_true(tty_wait(t, is_dead, &pid, WAIT_MS));
	tty_free(t);
}

static bool is_typed(struct tty *t, void *ctx)
{
	UNUSED(ctx);
	return tty_unread(t) >= 9;
}

/* Half a typed word does not become a command of the shell. */
static void test_typed_ahead_is_dropped(void **state)
{
	struct tty *t = start();
	pid_t pid = tty_child(t, WAIT_MS);

	UNUSED(state);
	tty_kill(t, SIGSTOP);
	assert_true(tty_wait_stopped(t, WAIT_MS));
	kill(pid, SIGKILL);
	assert_true(tty_wait(t, is_dead, &pid, WAIT_MS));
	tty_send(t, "rm -rf x\r");
	assert_true(tty_wait(t, is_typed, NULL, WAIT_MS));
	tty_kill(t, SIGCONT);
	assert_int_equal(tty_exit_code(t, WAIT_MS), 128 + SIGKILL);
	assert_restored(t);
	assert_int_equal(tty_unread(t), 0);
	tty_free(t);
}

static int answer(void *ctx)
{
	*(pid_t *)ctx = getpid();
	return 5;
}

static void test_no_terminal_no_guard(void **state)
{
	pid_t pid = 0;

	UNUSED(state);
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		skip();
	assert_int_equal(guard_run(answer, &pid), 5);
	assert_int_equal(pid, getpid());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_end),
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_abort_and_hasty_exit),
	    cmocka_unit_test(test_signals_reach_the_console),
	    cmocka_unit_test(test_stop_and_continue),
	    cmocka_unit_test(test_guard_is_killed),
	    cmocka_unit_test(test_typed_ahead_is_dropped),
	    cmocka_unit_test(test_no_terminal_no_guard),
	};

	if (argc > 1 && strcmp(argv[1], "--console") == 0)
		return guard_run(console, NULL);
	return cmocka_run_group_tests(tests, setup, NULL);
}
