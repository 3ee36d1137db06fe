/* The keeper as others see it: start, stop, ask, and clean up behind one that is gone. */
#define _GNU_SOURCE
#include "demo/world.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { START_MS = 60000, STOP_MS = 20000, ASK_MS = 20000, CLEAN_MS = 5000, PAUSE_MS = 10 };

/* run/keeper: pid, its start time, and a word with what it adds. */
static bool read_state(const struct world *w, long *pid, long long *start, char *word, size_t cap)
{
	char path[PATH_LEN];
	struct str text;
	int n = 0;
	bool ok;

	if (!world_path(w, path, sizeof(path), "run/keeper"))
		return false;
	str_init(&text, 4096);
	tool_slurp(path, &text);
	ok = sscanf(str_text(&text), "%ld %lld %n", pid, start, &n) == 2 && n > 0;
	if (ok) {
		str_copy(word, cap, str_text(&text) + n);
		word[strcspn(word, "\n")] = '\0';
	}
	str_release(&text);
	return ok;
}

/* The lock tells whether a keeper lives; the note whose pid it has. */
static bool lock_is_held(const struct world *w)
{
	char path[PATH_LEN];
	bool held = false;
	int fd;

	if (!world_path(w, path, sizeof(path), "run/keeper.lock"))
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	held = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return held;
}

pid_t keeper_pid(const struct world *w)
{
	char word[TEXT_LEN];
	long long start;
	long pid;

	if (!lock_is_held(w) || !read_state(w, &pid, &start, word, sizeof(word)))
		return 0;
	return tool_start_time((pid_t)pid) == start ? (pid_t)pid : 0;
}

static void clean_one(const struct world *w, const char *name)
{
	char path[PATH_LEN];
	long long start = 0;
	struct str text;
	long pid = 0;

	if (!world_path(w, path, sizeof(path), "run/pids/%s", name))
		return;
	str_init(&text, 4096);
	tool_slurp(path, &text);
	if (sscanf(str_text(&text), "%ld %lld", &pid, &start) == 2 && pid > 1 && start > 0) {
		int64_t until = tool_now_ms() + CLEAN_MS;

		/* The same process by number and start time: ours, whatever runs under that number now. */
		if (tool_start_time((pid_t)pid) == start)
			kill((pid_t)pid, strcmp(name, "postgres") ? SIGKILL : SIGINT);
		while (tool_start_time((pid_t)pid) == start && tool_now_ms() < until)
			tool_sleep_ms(PAUSE_MS);
		if (tool_start_time((pid_t)pid) == start)
			kill((pid_t)pid, SIGKILL);
	}
	unlink(path);
	str_release(&text);
}

void keeper_clean(const struct world *w)
{
	char dir[PATH_LEN], path[PATH_LEN];
	char **names;
	int n;

	if (!world_path(w, dir, sizeof(dir), "run/pids"))
		return;
	names = tool_names(dir, &n);
	for (int i = 0; i < n; i++)
		clean_one(w, names[i]);
	tool_names_free(names, n);
	if (!world_path(w, dir, sizeof(dir), "run/requests"))
		return;
	names = tool_names(dir, &n);
	for (int i = 0; i < n; i++)
		if (world_path(w, path, sizeof(path), "run/requests/%s", names[i]))
			unlink(path);
	tool_names_free(names, n);
}

int keeper_start(struct world *w, bool hold, struct error *e)
{
	char path[PATH_LEN], log[PATH_LEN], word[TEXT_LEN];
	const char *const argv[] = {w->self, "__keeper", w->dir, NULL};
	struct tool t = {.argv = argv, .cwd = "/", .output_path = log, .own_session = true};
	int64_t until = tool_now_ms() + START_MS;
	long long start;
	long pid;

	if (!world_path(w, path, sizeof(path), "run/hold") ||
	    !world_path(w, log, sizeof(log), "log/keeper.log"))
		return error_set(e, ERR_NOMEM, "path too long");
	if (hold) {
		int rc = file_write(path, "", 0, 0600, e);

		if (rc < 0)
			return rc;
	} else if (!keeper_pid(w)) {
		unlink(path);
	}
	if (keeper_pid(w))
		return ERR_OK;
	if (world_path(w, path, sizeof(path), "run/keeper"))
		unlink(path);
	if (tool_run(&t, START_MS, e) != 0)
		return error_set(e, ERR_IO, "the keeper did not start");
	while (tool_now_ms() < until) {
		if (read_state(w, &pid, &start, word, sizeof(word))) {
			if (!strcmp(word, "ready"))
				return ERR_OK;
			if (!strncmp(word, "taken ", 6))
				return error_set(e, ERR_CONFLICT, "%s", word + 6);
			if (!strncmp(word, "failed ", 7))
				return error_set(e, ERR_IO, "%s", word + 7);
			if (tool_start_time((pid_t)pid) != start)
				break;
		}
		tool_sleep_ms(PAUSE_MS);
	}
	error_set(e, ERR_IO, "the keeper did not get ready");
	error_hint(e, "see %s", log);
	return ERR_IO;
}

int keeper_stop(const struct world *w, struct error *e)
{
	pid_t pid = keeper_pid(w);
	char path[PATH_LEN];
	int64_t until = tool_now_ms() + STOP_MS;

	if (world_path(w, path, sizeof(path), "run/hold"))
		unlink(path);
	if (pid > 0) {
		kill(pid, SIGTERM);
		while (lock_is_held(w) && tool_now_ms() < until)
			tool_sleep_ms(PAUSE_MS);
		if (lock_is_held(w))
			kill(pid, SIGKILL);
		while (lock_is_held(w) && tool_now_ms() < until + CLEAN_MS)
			tool_sleep_ms(PAUSE_MS);
	}
	if (lock_is_held(w))
		return error_set(e, ERR_IO, "the keeper %ld does not end", (long)pid);
	keeper_clean(w);
	if (world_path(w, path, sizeof(path), "run/keeper"))
		unlink(path);
	return ERR_OK;
}

int keeper_ask(const struct world *w, const char *request, char *answer, size_t cap, struct error *e)
{
	char ask[PATH_LEN], say[PATH_LEN];
	int64_t until = tool_now_ms() + ASK_MS;
	struct str text;
	int rc;

	if (!keeper_pid(w)) {
		error_set(e, ERR_NOT_FOUND, "the demo world does not run");
		error_hint(e, "start it: towpath demo start");
		return ERR_NOT_FOUND;
	}
	if (!world_path(w, ask, sizeof(ask), "run/requests/%ld.ask", (long)getpid()) ||
	    !world_path(w, say, sizeof(say), "run/requests/%ld.say", (long)getpid()))
		return error_set(e, ERR_NOMEM, "path too long");
	unlink(say);
	rc = file_write(ask, request, strlen(request), 0600, e);
	if (rc < 0)
		return rc;
	while (!file_exists(say)) {
		if (tool_now_ms() > until) {
			unlink(ask);
			return error_set(e, ERR_TIMEOUT, "the keeper does not answer");
		}
		tool_sleep_ms(PAUSE_MS);
	}
	str_init(&text, 4096);
	tool_slurp(say, &text);
	unlink(say);
	str_copy(answer, cap, str_text(&text));
	str_release(&text);
	return strncmp(answer, "ok", 2) ? error_set(e, ERR_IO, "%s", answer) : ERR_OK;
}
