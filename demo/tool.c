/* Blocking children and small files for the demo's own processes. */
#define _GNU_SOURCE
#include "demo/world.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

volatile sig_atomic_t tool_interrupted;

enum { TOOL_OUTPUT_MAX = 256 * 1024, TOOL_ENV_MAX = 512 };

int64_t tool_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void tool_sleep_ms(int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000L};

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

void tool_rfc3339(int64_t s, char dst[32])
{
	struct tm tm;
	time_t t = (time_t)s;

	gmtime_r(&t, &tm);
	strftime(dst, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

char *tool_cut(char **rest, const char *seps)
{
	char *start = *rest ? *rest + strspn(*rest, seps) : NULL;

	if (!start || !*start)
		return NULL;
	*rest = start + strcspn(start, seps);
	if (**rest)
		*(*rest)++ = '\0';
	return start;
}

void tool_json_string(struct str *out, const char *text)
{
	str_addc(out, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			str_addf(out, "\\%c", *p);
		else if (*p < 0x20)
			str_addf(out, "\\u%04x", *p);
		else
			str_addc(out, (char)*p);
	}
	str_addc(out, '"');
}

/* The environment with additions that win; the strings are borrowed. */
static void tool_environ(const char *const *add, const char **dst)
{
	int n = 0;

	for (int i = 0; add && add[i] && n < TOOL_ENV_MAX - 1; i++)
		dst[n++] = add[i];
	for (char **p = environ; p && *p && n < TOOL_ENV_MAX - 1; p++) {
		const char *eq = strchr(*p, '=');
		bool hidden = !eq;

		for (int i = 0; eq && add && add[i] && !hidden; i++)
			hidden = !strncmp(add[i], *p, (size_t)(eq - *p) + 1);
		if (!hidden)
			dst[n++] = *p;
	}
	dst[n] = NULL;
}

/* Between fork and exec: only calls that are safe there (this process has no other threads that matter). */
static void tool_child(const struct tool *t, const char *const *env, int out_fd, pid_t parent)
{
	sigset_t none;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	if (t->own_session)
		setsid();
	else
		setpgid(0, 0);
	if (null_fd >= 0)
		dup2(null_fd, 0);
	if (out_fd >= 0) {
		dup2(out_fd, 1);
		dup2(t->keep_stderr ? null_fd : out_fd, 2);
	}
	if (t->gid && (setgroups(0, NULL) != 0 || setgid(t->gid) != 0))
		_exit(126);
	if (t->uid && setuid(t->uid) != 0)
		_exit(126);
	/* After the change of user, which clears it. */
	if (t->death_signal) {
		prctl(PR_SET_PDEATHSIG, t->death_signal);
		if (getppid() != parent)
			_exit(126);
	}
	if (t->cwd && chdir(t->cwd) != 0)
		_exit(126);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	execvpe(t->argv[0], (char *const *)(uintptr_t)t->argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

static pid_t tool_fork(const struct tool *t, int out_fd, struct error *e)
{
	const char **env = calloc(TOOL_ENV_MAX, sizeof(*env));
	pid_t parent = getpid(), pid;

	if (!env) {
		error_set(e, ERR_NOMEM, "out of memory");
		return -1;
	}
	tool_environ(t->env, env);
	pid = fork();
	if (pid == 0)
		tool_child(t, env, out_fd, parent);
	if (pid < 0)
		error_set(e, ERR_IO, "cannot start %s: %s", t->argv[0], strerror(errno));
	free(env);
	return pid;
}

pid_t tool_start(const struct tool *t, struct error *e)
{
	int fd = -1;
	pid_t pid;

	if (t->output_path) {
		fd = open(t->output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd < 0) {
			error_set(e, ERR_IO, "cannot write %s: %s", t->output_path, strerror(errno));
			return -1;
		}
	}
	pid = tool_fork(t, fd, e);
	if (fd >= 0)
		close(fd);
	return pid;
}

static int tool_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tool_wait(pid_t pid, int timeout_ms)
{
	int64_t until = tool_now_ms() + timeout_ms;
	int status, pause = 1;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return tool_status(status);
		if (got < 0 && errno != EINTR)
			return -1;
		if (tool_now_ms() >= until || tool_interrupted)
			break;
		tool_sleep_ms(pause);
		pause = MIN(pause * 2, 20);
	}
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return -1;
}

/* Reads until the other end is closed or time is up; what is past the limit is dropped. */
static bool tool_drain(int fd, struct str *out, int64_t until)
{
	char buf[4096];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = until - tool_now_ms();
		ssize_t n;

		if (left <= 0 || tool_interrupted)
			return false;
		if (poll(&p, 1, (int)MIN(left, 1000)) <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return true;
		if (n > 0 && out->len + (size_t)n < TOOL_OUTPUT_MAX)
			str_addn(out, buf, (size_t)n);
	}
}

int tool_run(const struct tool *t, int timeout_ms, struct error *e)
{
	int64_t until = tool_now_ms() + timeout_ms;
	int fds[2], rc;
	pid_t pid;

	if (!t->out) {
		pid = tool_start(t, e);
		if (pid < 0)
			return -1;
		rc = tool_wait(pid, timeout_ms);
	} else {
		if (pipe2(fds, O_CLOEXEC) != 0)
			return error_set(e, ERR_IO, "pipe: %s", strerror(errno)), -1;
		pid = tool_fork(t, fds[1], e);
		close(fds[1]);
		if (pid >= 0)
			tool_drain(fds[0], t->out, until);
		close(fds[0]);
		if (pid < 0)
			return -1;
		rc = tool_wait(pid, (int)MAX(until - tool_now_ms(), 1));
	}
	if (rc == -1)
		error_set(e, ERR_TIMEOUT, "%s did not end within %d s", t->argv[0], timeout_ms / 1000);
	return rc;
}

long long tool_start_time(pid_t pid)
{
	char path[64], text[1024], *p, state = 0;
	unsigned long long start = 0;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	if (!p ||
	    sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	           &state, &start) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : (long long)start;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **tool_names(const char *dir, int *ret)
{
	char **names = NULL;
	int n = 0, cap = 0;
	DIR *d = opendir(dir);
	struct dirent *entry;

	*ret = 0;
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if (n == cap) {
			char **more = realloc(names, sizeof(*more) * (size_t)(cap = cap ? cap * 2 : 16));

			if (!more)
				break;
			names = more;
		}
		names[n] = strdup(entry->d_name);
		if (!names[n])
			break;
		n++;
	}
	if (d)
		closedir(d);
	if (n > 1)
		qsort(names, (size_t)n, sizeof(*names), compare_names);
	*ret = n;
	return names;
}

void tool_names_free(char **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

void tool_slurp(const char *path, struct str *out)
{
	struct error e;

	if (file_read(path, 1024 * 1024, out, &e) < 0)
		str_clear(out);
}
