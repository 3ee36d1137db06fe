/* For memmem(). */
#define _GNU_SOURCE
#include "tests/lib/pty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tty {
	int master, slave; /* the slave stays open here, so settings can be read after the end */
	pid_t pid;
	struct vt *vt;
	size_t bytes, n_log;
	char *log;
	bool over, stopped;
	int status;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "pty: %s: %s\n", what, strerror(errno));
	abort();
}

static void child_run(const struct tty *t, const char *name, const char *const *argv, const char *const *env)
{
	sigset_t none;
	int fd;

	setsid();
	fd = open(name, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0)
		_exit(126);
	close(t->master);
	close(t->slave);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setenv("TERM", "xterm-256color", 1);
	unsetenv("NO_COLOR");
	unsetenv("COLORTERM");
	for (; env != NULL && *env != NULL; env++) {
		char *copy = strdup(*env), *eq = copy != NULL ? strchr(copy, '=') : NULL;

		if (eq == NULL)
			_exit(126);
		*eq = '\0';
		setenv(copy, eq + 1, 1);
	}
	execvp(argv[0], (char **)(uintptr_t)argv);
	_exit(127);
}

struct tty *tty_start(int rows, int cols, const char *const *argv, const char *const *env)
{
	struct tty *t = calloc(1, sizeof(*t));
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
	char name[128];

	if (t == NULL)
		abort();
	t->log = malloc(TTY_LOG_MAX);
	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->log == NULL || t->master < 0 || grantpt(t->master) != 0 || unlockpt(t->master) != 0)
		die("no pseudo-terminal");
	snprintf(name, sizeof(name), "%s", ptsname(t->master));
	t->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0 || ioctl(t->slave, TIOCSWINSZ, &size) != 0)
		die(name);
	t->vt = vt_new(rows, cols);
	fflush(NULL);
	t->pid = fork();
	if (t->pid < 0)
		die("fork");
	if (t->pid == 0)
		child_run(t, name, argv, env);
	fcntl(t->master, F_SETFL, O_NONBLOCK);
	return t;
}

/* Reaps; a stopped child is noted and goes on to be watched. */
static void status_take(struct tty *t)
{
	int status;

	while (!t->over && waitpid(t->pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == t->pid) {
		if (WIFSTOPPED(status)) {
			t->stopped = true;
		} else if (WIFCONTINUED(status)) {
			t->stopped = false;
		} else {
			t->over = true;
			t->status = status;
		}
	}
}

/* Signals each process of the terminal's session: they may have groups of their own. */
static void session_kill(pid_t session, int signum)
{
	struct dirent *d;
	DIR *dir = opendir("/proc");

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		long pid = strtol(d->d_name, NULL, 10);

		if (pid > 0 && getsid((pid_t)pid) == session)
			kill((pid_t)pid, signum);
	}
	if (dir != NULL)
		closedir(dir);
}

void tty_free(struct tty *t)
{
	if (t == NULL)
		return;
	session_kill(t->pid, SIGKILL);
	while (!t->over && waitpid(t->pid, &t->status, 0) < 0 && errno == EINTR)
		;
	close(t->slave);
	close(t->master);
	vt_free(t->vt);
	free(t->log);
	free(t);
}

static void log_add(struct tty *t, const char *bytes, size_t n)
{
	t->bytes += n;
	if (n > TTY_LOG_MAX / 2) {
		bytes += n - TTY_LOG_MAX / 2;
		n = TTY_LOG_MAX / 2;
	}
	if (t->n_log + n > TTY_LOG_MAX) {
		memmove(t->log, t->log + TTY_LOG_MAX / 2, t->n_log - TTY_LOG_MAX / 2);
		t->n_log -= TTY_LOG_MAX / 2;
	}
	memcpy(t->log + t->n_log, bytes, n);
	t->n_log += n;
}

/* True if something came. */
static bool take(struct tty *t)
{
	char buf[16 * 1024], answer[1024];
	ssize_t n = read(t->master, buf, sizeof(buf));
	size_t k;

	if (n <= 0)
		return false;
	log_add(t, buf, (size_t)n);
	vt_feed(t->vt, buf, (size_t)n);
	while ((k = vt_answer(t->vt, answer, sizeof(answer))) > 0)
		tty_sendn(t, answer, k);
	return true;
}

/* Waits at most ms for output or the end; false when neither came. */
static bool turn(struct tty *t, int ms)
{
	struct pollfd p = {.fd = t->master, .events = POLLIN};
	bool any = false;

	poll(&p, 1, ms);
	while (take(t))
		any = true;
	status_take(t);
	return any;
}

void tty_pump(struct tty *t, int ms)
{
	int64_t end = now_ms() + ms;

	do
		turn(t, (int)MAX(end - now_ms(), 0));
	while (now_ms() < end);
}

bool tty_wait(struct tty *t, bool (*fn)(struct tty *t, void *ctx), void *ctx, int deadline_ms)
{
	int64_t end = now_ms() + deadline_ms;

	for (;;) {
		turn(t, 0);
		if (fn(t, ctx))
			return true;
		if (now_ms() >= end)
			return false;
		/* States other than the screen (a process, a file) have no event here: look again soon. */
		turn(t, (int)CLAMP(end - now_ms(), 0, 20));
	}
}

static void complain(struct tty *t, const char *what, const char *text)
{
	char *screen = tty_screen(t);

	fprintf(stderr, "# %s: \"%s\"; the screen:\n%s#%s\n", what, text, screen != NULL ? screen : "",
	        t->over ? " the program has ended" : "");
	free(screen);
}

static bool text_there(struct tty *t, void *ctx) { return tty_has(t, ctx); }

static bool text_gone(struct tty *t, void *ctx) { return !tty_has(t, ctx); }

bool tty_wait_text(struct tty *t, const char *text, int deadline_ms)
{
	if (tty_wait(t, text_there, (void *)(uintptr_t)text, deadline_ms))
		return true;
	complain(t, "did not appear", text);
	return false;
}

bool tty_wait_gone(struct tty *t, const char *text, int deadline_ms)
{
	if (tty_wait(t, text_gone, (void *)(uintptr_t)text, deadline_ms))
		return true;
	complain(t, "did not go", text);
	return false;
}

bool tty_wait_quiet(struct tty *t, int quiet_ms, int deadline_ms)
{
	int64_t end = now_ms() + deadline_ms, last = now_ms();

	while (now_ms() < end) {
		if (turn(t, (int)CLAMP(last + quiet_ms - now_ms(), 1, 1000)))
			last = now_ms();
		else if (now_ms() - last >= quiet_ms)
			return true;
	}
	return false;
}

void tty_sendn(struct tty *t, const void *keys, size_t n)
{
	const char *p = keys;
	int64_t end = now_ms() + 5000;

	while (n > 0 && now_ms() < end) {
		ssize_t done = write(t->master, p, n);

		if (done > 0) {
			p += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			struct pollfd w = {.fd = t->master, .events = POLLOUT};

			poll(&w, 1, 50);
		} else if (errno != EINTR) {
			return;
		}
	}
}

void tty_send(struct tty *t, const char *keys) { tty_sendn(t, keys, strlen(keys)); }

struct vt *tty_vt(struct tty *t) { return t->vt; }

void tty_row(struct tty *t, int row, char *dst, size_t cap) { vt_row(t->vt, row, dst, cap); }

bool tty_has(struct tty *t, const char *text)
{
	int row, col;

	return vt_find(t->vt, text, &row, &col);
}

char *tty_screen(struct tty *t) { return vt_screen(t->vt); }

void tty_cell(struct tty *t, int row, int col, struct vt_cell *ret) { vt_cell(t->vt, row, col, ret); }

void tty_resize(struct tty *t, int rows, int cols)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

	turn(t, 0);
	vt_resize(t->vt, rows, cols);
	ioctl(t->master, TIOCSWINSZ, &size);
}

void tty_kill(struct tty *t, int signum)
{
	status_take(t);
	if (!t->over)
		kill(t->pid, signum);
}

pid_t tty_pid(const struct tty *t) { return t->pid; }

static bool child_there(struct tty *t, void *ctx)
{
	char path[96];
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)t->pid, (long)t->pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	*(pid_t *)ctx = pid;
	return pid > 0;
}

pid_t tty_child(struct tty *t, int deadline_ms)
{
	pid_t pid = 0;

	return tty_wait(t, child_there, &pid, deadline_ms) ? pid : 0;
}

static bool is_over(struct tty *t, void *ctx)
{
	UNUSED(ctx);
	return t->over;
}

int tty_exit_code(struct tty *t, int deadline_ms)
{
	if (!tty_wait(t, is_over, NULL, deadline_ms))
		return -1;
	turn(t, 0);
	return WIFEXITED(t->status) ? WEXITSTATUS(t->status) : 128 + WTERMSIG(t->status);
}

static bool is_stopped(struct tty *t, void *ctx)
{
	UNUSED(ctx);
	return t->stopped;
}

bool tty_wait_stopped(struct tty *t, int deadline_ms) { return tty_wait(t, is_stopped, NULL, deadline_ms); }

void tty_settings(const struct tty *t, struct termios *ret)
{
	memset(ret, 0, sizeof(*ret));
	tcgetattr(t->slave, ret);
}

int tty_unread(const struct tty *t)
{
	int n = 0;

	return ioctl(t->slave, FIONREAD, &n) == 0 ? n : -1;
}

size_t tty_bytes(const struct tty *t) { return t->bytes; }

const char *tty_log(const struct tty *t, size_t *ret_n)
{
	*ret_n = t->n_log;
	return t->log;
}

bool tty_log_has(const struct tty *t, const char *bytes)
{
	return memmem(t->log, t->n_log, bytes, strlen(bytes)) != NULL;
}
