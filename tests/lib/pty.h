/*
 * A program in a real pseudo-terminal, seen by a terminal in memory. The harness answers the program's queries
 * (device attributes, cursor position) as a terminal does. Waits are for states and have deadlines; nothing is
 * read while no function runs, so a test that does not wait is a stopped terminal.
 */
#ifndef TESTS_LIB_PTY_H
#define TESTS_LIB_PTY_H

#include "tests/lib/vt.h"

#include <sys/types.h>
#include <termios.h>

struct tty;

/*
 * argv[0] is a path or found in PATH. env: "NAME=value" list, NULL-terminated, added to the test's own; TERM is
 * xterm-256color where env does not say otherwise. Aborts when no pseudo-terminal can be had.
 */
struct tty *tty_start(int rows, int cols, const char *const *argv, const char *const *env);
/* Kills what still runs in the terminal's session. Accepts NULL. */
void tty_free(struct tty *t);

void tty_send(struct tty *t, const char *keys);
void tty_sendn(struct tty *t, const void *keys, size_t n);

/* Reads and shows what comes within ms (0: only what is there). */
void tty_pump(struct tty *t, int ms);
/* True once a row contains text; prints the screen to stderr when it did not come in time. */
bool tty_wait_text(struct tty *t, const char *text, int deadline_ms);
/* True once no row contains it. */
bool tty_wait_gone(struct tty *t, const char *text, int deadline_ms);
bool tty_wait(struct tty *t, bool (*fn)(struct tty *t, void *ctx), void *ctx, int deadline_ms);
/* True once nothing came for quiet_ms. */
bool tty_wait_quiet(struct tty *t, int quiet_ms, int deadline_ms);

struct vt *tty_vt(struct tty *t);
void tty_row(struct tty *t, int row, char *dst, size_t cap);
bool tty_has(struct tty *t, const char *text);
/* Dump of the screen, free() it. */
char *tty_screen(struct tty *t);
void tty_cell(struct tty *t, int row, int col, struct vt_cell *ret);

void tty_resize(struct tty *t, int rows, int cols);
/* A signal to the started process alone. */
void tty_kill(struct tty *t, int signum);
pid_t tty_pid(const struct tty *t);
/* A child of the started process (the one behind the guard), 0 if it has none within the deadline. */
pid_t tty_child(struct tty *t, int deadline_ms);
/* Exit code, 128 + N after signal N, -1 when it still runs at the deadline. */
int tty_exit_code(struct tty *t, int deadline_ms);
/* True once the process is stopped (job control). */
bool tty_wait_stopped(struct tty *t, int deadline_ms);

/* The terminal's settings now. */
void tty_settings(const struct tty *t, struct termios *ret);
/* Bytes that were typed and that nobody has read. */
int tty_unread(const struct tty *t);
/* Bytes that the program wrote so far, and the last TTY_LOG_MAX of them. */
size_t tty_bytes(const struct tty *t);
enum { TTY_LOG_MAX = 1024 * 1024 };
const char *tty_log(const struct tty *t, size_t *ret_n);
bool tty_log_has(const struct tty *t, const char *bytes);

#endif
