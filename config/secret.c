/* Secrets by reference: environment variable, file, command. Blocks; never a shell. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "io/file.h"

extern char **environ;

enum { SECRET_MAX = 64 * 1024, COMMAND_MS = 5000, ARGV_MAX = 64 };

/* Overwrites bytes in a way that the compiler keeps. */
static void wipe(void *p, size_t n)
{
	volatile unsigned char *b = p;

	while (n-- > 0)
		*b++ = 0;
}

/* A secret ends before the line end that editors and programs add. */
static int finish(struct str *s, const char *what, struct error *e)
{
	while (s->len > 0 && (s->data[s->len - 1] == '\n' || s->data[s->len - 1] == '\r'))
		s->data[--s->len] = '\0';
	if (s->failed)
		return error_set(e, ERR_INVALID, "the secret of %.200s is larger than 64 KiB", what);
	if (s->len == 0) {
		error_set(e, ERR_NOT_FOUND, "the secret of %.200s is empty", what);
		error_hint(e, "put the value there, on one line");
		return ERR_NOT_FOUND;
	}
	if (memchr(s->data, '\0', s->len) != NULL)
		return error_set(e, ERR_INVALID, "the secret of %.200s has a NUL byte", what);
	return 0;
}

static int read_env(const char *name, struct str *ret, struct error *e)
{
	const char *v = getenv(name);

	if (v == NULL) {
		error_set(e, ERR_NOT_FOUND, "the environment variable %.100s is not set", name);
		error_hint(e, "set it where towpath starts, or use {file: PATH}");
		return ERR_NOT_FOUND;
	}
	str_add(ret, v);
	return finish(ret, name, e);
}

/* Reads what fd gives until its end, a failure or the deadline (0: none). The bytes on the stack are wiped. */
static int drain(int fd, struct str *ret, int64_t deadline_ms)
{
	char buf[4096];
	int rc = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		struct timespec now;
		ssize_t n;

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (deadline_ms != 0) {
			int64_t left = deadline_ms - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);

			if (left <= 0 || poll(&p, 1, (int)left) == 0) {
				rc = ERR_TIMEOUT;
				break;
			}
		}
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = ERR_IO;
		if (n <= 0)
			break;
		str_addn(ret, buf, (size_t)n);
		if (ret->failed)
			break;
	}
	wipe(buf, sizeof(buf));
	return rc;
}

/* Mode and owner are judged on the opened file, so that nobody can swap it in between. */
static int read_file(const char *path, struct str *ret, struct error *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) != 0) {
		int code = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;

		error_set(e, (enum err)code, "the secret cannot be read: %s",
		          errno == ELOOP ? "it is a symbolic link" : strerror(errno));
		error_hint(e, "a plain file of yours with mode 0600");
		rc = code;
	} else if (!S_ISREG(st.st_mode)) {
		rc = error_set(e, ERR_INVALID, "the secret is no plain file");
	} else if (st.st_uid != geteuid() && st.st_uid != 0) {
		rc = error_set(e, ERR_DENIED, "the secret belongs to another user (uid %lu)",
		               (unsigned long)st.st_uid);
		error_hint(e, "it must be yours or root's");
	} else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		rc = error_set(e, ERR_DENIED, "others may read the secret (mode %04o)",
		               (unsigned)(st.st_mode & 07777));
		error_hint(e, "chmod 600 %.300s", path);
	} else if (drain(fd, ret, 0) != 0) {
		rc = error_set(e, ERR_IO, "the secret cannot be read: %s", strerror(errno));
	} else {
		rc = finish(ret, path, e);
	}
	if (rc != 0)
		error_at(e, path, 0, 0);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Starts the command with stdout on fd, in its own process group. Returns 0 or an errno. */
static int start(const char *const *argv, int fd, pid_t *ret)
{
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	char *copy[ARGV_MAX + 1];
	int n = 0, rc;

	for (; argv[n] != NULL && n < ARGV_MAX; n++)
		copy[n] = (char *)(uintptr_t)argv[n];
	copy[n] = NULL;
	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	if (posix_spawn_file_actions_init(&acts) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&acts);
		return ENOMEM;
	}
	posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&acts, fd, 1);
	posix_spawn_file_actions_addopen(&acts, 2, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_setflags(&attr,
	                         POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	rc = posix_spawnp(ret, copy[0], &acts, &attr, copy, environ);
	posix_spawn_file_actions_destroy(&acts);
	posix_spawnattr_destroy(&attr);
	return rc;
}

/* Waits until the deadline, then kills the group. Returns the exit status, -1 when it had to be killed. */
static int reap(pid_t pid, int64_t deadline_ms)
{
	const struct timespec tick = {.tv_nsec = 2 * 1000 * 1000};
	int status = 0;

	for (;;) {
		pid_t r = waitpid(pid, &status, WNOHANG);

		if (r == pid)
			return status;
		if (r < 0 && errno != EINTR)
			return -1;
		if (now_ms() >= deadline_ms)
			break;
		nanosleep(&tick, NULL);
	}
	kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return -1;
}

static int read_command(const char *const *argv, const char *dir, struct str *ret, struct error *e)
{
	int64_t deadline = now_ms() + COMMAND_MS;
	char program[PATH_LEN];
	const char *run[ARGV_MAX + 1] = {NULL};
	int fds[2], rc, status;
	pid_t pid = -1;

	for (int i = 0; argv[i] != NULL && i < ARGV_MAX; i++)
		run[i] = argv[i];
	if (run[0] == NULL)
		return error_set(e, ERR_INVALID, "the secret's command is empty");
	/* "./helper" starts in the folder of the config file; a bare name is looked for in PATH. */
	if (strchr(run[0], '/') != NULL && file_join(program, sizeof(program), dir, run[0]) == 0)
		run[0] = program;
	if (pipe(fds) != 0)
		return error_set(e, ERR_IO, "no pipe: %s", strerror(errno));
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	rc = start(run, fds[1], &pid);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		error_set(e, ERR_IO, "the secret's command %.200s cannot be started: %s", argv[0],
		          strerror(rc));
		error_hint(e, "give its full path");
		return ERR_IO;
	}
	rc = drain(fds[0], ret, deadline);
	close(fds[0]);
	status = reap(pid, rc == ERR_TIMEOUT ? 0 : deadline);
	if (rc == ERR_TIMEOUT || status == -1) {
		error_set(e, ERR_TIMEOUT, "the secret's command %.200s did not end within 5 s", argv[0]);
		error_hint(e, "run it by hand; it may be waiting for a terminal");
		return ERR_TIMEOUT;
	}
	if (rc != 0)
		return error_set(e, ERR_IO, "the secret's command %.200s cannot be read", argv[0]);
	if (ret->failed)
		return finish(ret, argv[0], e);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		error_set(e, ERR_IO, "the secret's command %.200s ended with %d", argv[0],
		          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		error_hint(e, "run it by hand to see why");
		return ERR_IO;
	}
	return finish(ret, argv[0], e);
}

int secret_read(const struct secret_ref *ref, const char *dir, struct str *ret, struct error *e)
{
	char path[PATH_LEN];
	struct str s;
	int rc = ERR_INVALID;

	/* All the room at once: growing would leave copies of the secret behind in freed memory. */
	str_init(&s, SECRET_MAX);
	str_addf(&s, "%*s", SECRET_MAX - 1, "");
	str_clear(&s);
	switch (ref->source) {
	case SECRET_NONE: rc = error_set(e, ERR_NOT_FOUND, "no secret is configured"); break;
	case SECRET_ENV: rc = read_env(ref->name, &s, e); break;
	case SECRET_FILE:
		if (file_join(path, sizeof(path), dir, ref->name) != 0)
			rc = error_set(e, ERR_INVALID, "the path of the secret is too long");
		else
			rc = read_file(path, &s, e);
		break;
	case SECRET_COMMAND: rc = read_command(ref->argv, dir, &s, e); break;
	}
	if (rc == 0) {
		str_clear(ret);
		str_addn(ret, s.data, s.len);
		if (ret->failed)
			rc = error_set(e, ERR_NOMEM, "the secret is too long");
	}
	if (s.data != NULL)
		wipe(s.data, s.cap);
	str_release(&s);
	return rc;
}

int secret_option(const struct jv *options, const char *name, const char *dir, struct str *ret,
                  struct error *e)
{
	const struct jv *v = jv_get(options, name);
	const struct jv *argv = jv_get(v, "command");
	const char *words[ARGV_MAX + 1] = {NULL};
	struct secret_ref ref = {.source = SECRET_NONE};

	/* Only a program's own command line gives one so; the loader refuses it. */
	if (jv_get_text(v, "value", NULL) != NULL) {
		str_clear(ret);
		str_add(ret, jv_get_text(v, "value", ""));
		return finish(ret, name, e);
	}
	if ((ref.name = jv_get_text(v, "env", NULL)) != NULL) {
		ref.source = SECRET_ENV;
	} else if ((ref.name = jv_get_text(v, "file", NULL)) != NULL) {
		ref.source = SECRET_FILE;
	} else if (jv_len(argv) > 0) {
		if (jv_len(argv) > ARGV_MAX)
			return error_set(e, ERR_INVALID, "the secret's command has more than %d words",
			                 ARGV_MAX);
		for (size_t i = 0; i < jv_len(argv); i++)
			words[i] = jv_text(jv_at(argv, i), "");
		ref.source = SECRET_COMMAND;
		ref.argv = words;
	}
	return secret_read(&ref, dir, ret, e);
}
