/* The harness itself: what it shows, sends, waits for and restores. */
#include "tests/lib/pty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)
enum { WAIT_MS = 10000 };

static void test_text_and_exit(void **state)
{
	struct tty *t = tty_start(5, 20, SH("printf 'hello\\r\\nworld'; exit 3"), NULL);
	char row[128], *screen;

	UNUSED(state);
	assert_true(tty_wait_text(t, "world", WAIT_MS));
	tty_row(t, 0, row, sizeof(row));
	assert_string_equal(row, "hello");
	screen = tty_screen(t);
	assert_string_equal(screen, "hello\nworld\n\n\n\n");
	free(screen);
	assert_int_equal(tty_exit_code(t, WAIT_MS), 3);
	assert_true(tty_bytes(t) >= 12);
	assert_true(tty_log_has(t, "world"));
	assert_false(tty_log_has(t, "World"));
	tty_free(t);
	tty_free(NULL);
}

static void test_keys_size_and_environment(void **state)
{
	struct tty *t =
	    tty_start(24, 80, SH("stty size; echo $TERM $COLOUR; read x; echo got $x"), ARGV("COLOUR=blue"));

	UNUSED(state);
	assert_true(tty_wait_text(t, "24 80", WAIT_MS));
	assert_true(tty_wait_text(t, "xterm-256color blue", WAIT_MS));
	tty_send(t, "this\r");
	assert_true(tty_wait_text(t, "got this", WAIT_MS));
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_attributes_and_modes(void **state)
{
	struct tty *t =
	    tty_start(5, 40,
	              SH("printf '\\033[?1049h\\033[?25l\\033[?1000h\\033]0;title\\007\\033[1;31mred\\033[0m "
	                 "\\033[7;4mrev\\033[0m \\033[38;2;1;2;3mrgb\\033[0m \\346\\274\\242x\\007'; read x"),
	              NULL);
	struct vt_cell cell;
	int row, col;
	bool visible;

	UNUSED(state);
	assert_true(tty_wait_text(t, "rgb", WAIT_MS));
	assert_true(tty_wait_quiet(t, 50, WAIT_MS));
	assert_true(vt_find(tty_vt(t), "red", &row, &col));
	tty_cell(t, row, col, &cell);
	assert_string_equal(cell.text, "r");
	assert_true(cell.bold);
	assert_int_equal(cell.fg, 1);
	assert_int_equal(cell.bg, -1);
	assert_true(vt_find(tty_vt(t), "rev", &row, &col));
	tty_cell(t, row, col, &cell);
	assert_true(cell.reverse && cell.underline && !cell.bold);
	assert_true(vt_find(tty_vt(t), "rgb", &row, &col));
	tty_cell(t, row, col, &cell);
	assert_int_equal(cell.fg, VT_RGB | 0x010203);
	assert_true(vt_find(tty_vt(t), "x", &row, &col));
	assert_int_equal(col, 14);
	tty_cell(t, row, 12, &cell);
	assert_int_equal(cell.width, 2);
	tty_cell(t, row, 13, &cell);
	assert_string_equal(cell.text, "");
	assert_true(vt_alt_screen(tty_vt(t)));
	assert_int_equal(vt_mouse(tty_vt(t)), 1);
	assert_string_equal(vt_title(tty_vt(t)), "title");
	assert_int_equal(vt_bells(tty_vt(t)), 1);
	vt_cursor(tty_vt(t), &row, &col, &visible);
	assert_false(visible);
	assert_int_equal(col, 15);
	tty_free(t);
}

/* The program asks for the cursor's place and gets an answer, as from a terminal. */
static void test_queries_are_answered(void **state)
{
	struct tty *t =
	    tty_start(5, 40,
	              SH("stty raw -echo; printf 'abc\\033[6n'; a=$(dd bs=1 count=6 2>/dev/null); "
	                 "stty sane; echo; echo \"$a\" | tail -c 5"),
	              NULL);

	UNUSED(state);
	assert_true(tty_wait_text(t, "1;4R", WAIT_MS));
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_resize(void **state)
{
	struct tty *t = tty_start(
	    10, 40, SH("trap 'stty size; exit 0' WINCH; echo ready; while :; do read x; done"), NULL);
	int rows, cols;

	UNUSED(state);
	assert_true(tty_wait_text(t, "ready", WAIT_MS));
	tty_resize(t, 20, 100);
	tty_send(t, "\r");
	assert_true(tty_wait_text(t, "20 100", WAIT_MS));
	vt_size(tty_vt(t), &rows, &cols);
	assert_int_equal(rows, 20);
	assert_int_equal(cols, 100);
	tty_free(t);
}

static void test_signals_and_settings(void **state)
{
	struct tty *t = tty_start(5, 40, SH("stty -echo; echo quiet; read x"), NULL);
	struct termios now;

	UNUSED(state);
	tty_settings(t, &now);
	assert_true(tty_wait_text(t, "quiet", WAIT_MS));
	tty_settings(t, &now);
	assert_true((now.c_lflag & ECHO) == 0);
	tty_kill(t, SIGSTOP);
	assert_true(tty_wait_stopped(t, WAIT_MS));
	tty_kill(t, SIGCONT);
	tty_kill(t, SIGTERM);
	assert_int_equal(tty_exit_code(t, WAIT_MS), 128 + SIGTERM);
	tty_settings(t, &now);
	assert_true((now.c_lflag & ECHO) == 0); /* still readable after the end */
	tty_free(t);
}

static void test_deadlines(void **state)
{
	struct tty *t = tty_start(5, 40, SH("read x"), NULL);

	UNUSED(state);
	assert_int_equal(tty_exit_code(t, 50), -1);
	assert_false(tty_has(t, "never"));
	assert_true(tty_wait_gone(t, "never", 50));
	tty_free(t);
}

static void test_control_c_from_the_terminal(void **state)
{
	struct tty *t = tty_start(5, 40, SH("echo up; read x"), NULL);

	UNUSED(state);
	assert_true(tty_wait_text(t, "up", WAIT_MS));
	tty_send(t, "\003");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 128 + SIGINT);
	tty_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_and_exit),
	    cmocka_unit_test(test_keys_size_and_environment),
	    cmocka_unit_test(test_attributes_and_modes),
	    cmocka_unit_test(test_queries_are_answered),
	    cmocka_unit_test(test_resize),
	    cmocka_unit_test(test_signals_and_settings),
	    cmocka_unit_test(test_deadlines),
	    cmocka_unit_test(test_control_c_from_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
