#include "cli/guard.h"

#include "core/base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Mouse, focus and paste reports off, synchronised output off, main screen, cursor, plain text, keypad off. */
static const char reset[] = "\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?1004l\033[?2004l\033[?2026l"
                            "\033[?1049l\033[?25h\033[0m\033(B\017\033[?1l\033>\r";

static void write_all(int fd, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, s, n);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			s += done;
			n -= (size_t)done;
		}
	}
}

static bool same_settings(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

/*
 * A child that ended in good order has put everything back itself, and leaving the alternate screen twice would
 * move the shell's cursor: so only where the settings still are the console's, or where it was killed.
 */
static void terminal_restore(const struct termios *saved, bool killed)
{
	const char *term = getenv("TERM");
	struct termios now;

	if (tcgetattr(STDIN_FILENO, &now) != 0)
		return;
	if (!killed && same_settings(&now, saved))
		return;
	/* Half a typed word must not become a command of the shell. */
	if (killed)
		tcflush(STDIN_FILENO, TCIFLUSH);
	tcsetattr(STDIN_FILENO, TCSANOW, saved);
	if (term != NULL && strcmp(term, "dumb") != 0)
		write_all(STDOUT_FILENO, reset, sizeof(reset) - 1);
}

/* The child stopped: the whole job does, as the shell knows only us. */
static void job_stop(pid_t pid, const struct termios *saved)
{
	terminal_restore(saved, false);
	raise(SIGSTOP);
	kill(pid, SIGCONT);
}

/* True once the child is gone; *ret_code is then our exit code. */
static bool child_over(pid_t pid, const struct termios *saved, int *ret_code)
{
	char text[96];
	int status, n;

	while (waitpid(pid, &status, WNOHANG | WUNTRACED) == pid) {
		if (WIFSTOPPED(status)) {
			job_stop(pid, saved);
			continue;
		}
		if (WIFEXITED(status)) {
			terminal_restore(saved, false);
			*ret_code = WEXITSTATUS(status);
			return true;
		}
		terminal_restore(saved, true);
		n = snprintf(text, sizeof(text),
		             "towpath: the console was ended by signal %d; rollouts go on\n",
		             WTERMSIG(status));
		write_all(STDERR_FILENO, text, (size_t)n);
		*ret_code = 128 + WTERMSIG(status);
		return true;
	}
	return false;
}

static int guard_wait(pid_t pid, const sigset_t *set, const struct termios *saved)
{
	int code = 0;

	while (!child_over(pid, saved, &code)) {
		siginfo_t info;
		int sig = sigwaitinfo(set, &info);

		/* What the terminal sends goes to the whole group and so to the child as well. */
		if (sig == SIGCONT || (sig > 0 && sig != SIGCHLD && info.si_code <= 0 && info.si_pid != pid))
			kill(pid, sig);
	}
	return code;
}

int guard_run(int (*child)(void *ctx), void *ctx)
{
	static const int caught[] = {SIGCHLD, SIGTERM, SIGHUP,  SIGINT, SIGQUIT,
	                             SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2};
	struct termios saved;
	sigset_t set, before;
	pid_t guard = getpid(), pid;
	int code;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &saved) != 0)
		return child(ctx);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(caught); i++)
		sigaddset(&set, caught[i]);
	sigaddset(&set, SIGTTOU); /* blocked, so that settings can be put back from the background too */
	sigprocmask(SIG_BLOCK, &set, &before);
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return child(ctx);
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGHUP);
		if (getppid() != guard)
			_exit(129);
		sigprocmask(SIG_SETMASK, &before, NULL);
		exit(child(ctx));
	}
	sigdelset(&set, SIGTTOU);
	code = guard_wait(pid, &set, &saved);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}
