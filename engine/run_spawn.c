/* Starting the rollout's own process: it must outlive console, terminal and session. */
#define _GNU_SOURCE /* close_range */
#include "engine/run.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int run_dir(const struct setup *s, const char *below, char *dst, size_t cap, struct error *e)
{
	const char *store = jv_get_text(s->store.options, "path", NULL);
	char base[PATH_LEN];
	char *slash;
	int rc;

	if (store != NULL && store[0] == '/') {
		str_copy(base, sizeof(base), store);
		slash = strrchr(base, '/');
		*slash = '\0';
	} else {
		rc = file_state_dir(base, sizeof(base), e);
		if (rc != 0)
			return rc;
	}
	if ((size_t)snprintf(dst, cap, "%s/%s", base, below) >= cap)
		return error_set(e, ERR_NOMEM, "the path of the state folder is too long");
	return file_mkdirs(dst, 0700, e);
}

int run_log_path(const struct setup *s, const char *id, char *dst, size_t cap, struct error *e)
{
	char dir[PATH_LEN];
	int rc = run_dir(s, "rollouts", dir, sizeof(dir), e);

	if (rc != 0)
		return rc;
	if ((size_t)snprintf(dst, cap, "%s/%s.log", dir, id) >= cap)
		return error_set(e, ERR_NOMEM, "the path of the rollout's log is too long");
	return 0;
}

/* In the grandchild: only calls that are safe after fork() in a program with threads. */
static void become(const char *log, char *const argv[], int tell)
{
	sigset_t none;
	int fd, err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	fd = open("/dev/null", O_RDONLY);
	if (fd < 0 || dup2(fd, 0) < 0)
		goto fail;
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		goto fail;
	if (tell != 3) {
		if (dup2(tell, 3) < 0)
			goto fail;
		tell = 3;
	}
	if (fcntl(tell, F_SETFD, FD_CLOEXEC) != 0 || close_range(4, ~0U, 0) != 0 || chdir("/") != 0)
		goto fail;
	execv(argv[0], argv);
fail:
	err = errno;
	if (write(tell, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int run_spawn(struct app *a, const char *id, struct error *e) { return run_spawn_as(a, "__rollout", id, e); }

int run_spawn_as(struct app *a, const char *word, const char *id, struct error *e)
{
	char log[PATH_LEN], program[PATH_LEN], config[PATH_LEN], name[ID_LEN];
	char dash_c[] = "-c", command[NAME_LEN];
	char *argv[] = {program, dash_c, config, command, name, NULL};
	int tell[2], status, err = 0, rc;
	ssize_t n;
	pid_t pid;

	rc = run_log_path(app_setup(a), id, log, sizeof(log), e);
	if (rc != 0)
		return rc;
	str_copy(program, sizeof(program), app_program(a));
	str_copy(config, sizeof(config), app_setup(a)->path);
	str_copy(name, sizeof(name), id);
	str_copy(command, sizeof(command), word);
	if (pipe(tell) != 0 || fcntl(tell[0], F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(tell[1], F_SETFD, FD_CLOEXEC) != 0)
		return error_set(e, ERR_IO, "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		pid_t grandchild;

		setsid();
		grandchild = fork();
		if (grandchild == 0)
			become(log, argv, tell[1]);
		if (grandchild < 0) {
			err = errno;
			if (write(tell[1], &err, sizeof(err)) < 0)
				_exit(126);
		}
		_exit(0);
	}
	close(tell[1]);
	if (pid < 0) {
		close(tell[0]);
		return error_set(e, ERR_IO, "cannot start a process: %s", strerror(errno));
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* The end of the pipe without a word: exec worked. */
	do
		n = read(tell[0], &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(tell[0]);
	if (n == (ssize_t)sizeof(err)) {
		rc = error_set(e, ERR_IO, "the rollout's process could not start: %s", strerror(err));
		error_at(e, program, 0, 0);
		return rc;
	}
	return 0;
}
