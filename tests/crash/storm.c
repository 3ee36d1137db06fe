/*
 * The crash harness: tries of tests/lib/trial.h side by side, each a process group of its own, on SQLite and on a real
 * PostgreSQL server.
 *
 *   storm                     the short form of the gate
 *   storm TRIES SECONDS       as many tries, no longer than that
 *   storm --seed SEED         one try again
 *
 * A failing try prints its seed. Ends with the line "crash: N tried, N survived, N lost, N doubled".
 */
#define _GNU_SOURCE /* asprintf */
#include "tests/lib/small.h"
#include "tests/lib/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 16, KINDS_MAX = 64, SHORT_TRIES = 64, SHORT_SECONDS = 25 };
#define HANGS_US (240 * US_PER_S)

static struct job {
	pid_t pid;
	uint64_t seed;
	int64_t since_us;
	char log[64];
} jobs[JOBS_MAX];

static struct sum {
	int tried, survived, lost, doubled;
} all, kinds[KINDS_MAX][TRIAL_STORES];

static const char *program;

static void start(struct job *j, uint64_t seed)
{
	j->seed = seed;
	j->since_us = loop_mono_us();
	snprintf(j->log, sizeof(j->log), "/tmp/towpath-storm-%d-%llu", (int)getpid(),
	         (unsigned long long)seed);
	fflush(NULL);
	j->pid = fork();
	if (j->pid == 0) {
		int fd = open(j->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		setpgid(0, 0);
		if (fd < 0 || dup2(fd, 2) < 0 || dup2(fd, 1) < 0)
			_exit(126);
		trial_run(seed);
	}
	setpgid(j->pid, j->pid);
}

static void show(const struct job *j, int status)
{
	enum trial_store store;
	const struct trial_kind *k = trial_kind_of(j->seed, &store);
	char line[512];
	FILE *f = fopen(j->log, "re");

	printf("# FAILED: %s on %s, ended with %s %d; again: %s --seed %llu\n", k->fault,
	       store == TRIAL_POSTGRES ? "postgres" : "sqlite", WIFSIGNALED(status) ? "signal" : "code",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), program,
	       (unsigned long long)j->seed);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		printf("#   %s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
	if (f != NULL)
		fclose(f);
	fflush(stdout);
}

static void count(struct sum *s, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	s->tried++;
	s->survived += code == TRIAL_SURVIVED;
	s->lost += code == TRIAL_LOST;
	s->doubled += code == TRIAL_DOUBLED;
}

static void end(struct job *j, int status)
{
	enum trial_store store;
	const struct trial_kind *k = trial_kind_of(j->seed, &store);

	/* Whatever a failed try left running. */
	kill(-j->pid, SIGKILL);
	count(&all, status);
	count(&kinds[k - trial_kinds][store], status);
	if (status != 0)
		show(j, status);
	unlink(j->log);
	j->pid = 0;
}

static void look(struct job *j)
{
	int status;
	pid_t pid = waitpid(j->pid, &status, WNOHANG);

	if (pid == j->pid)
		end(j, status);
	else if (loop_mono_us() - j->since_us > HANGS_US)
		kill(-j->pid, SIGKILL);
}

static void storm(int tries, int seconds, int n_jobs)
{
	int64_t until = loop_mono_us() + seconds * US_PER_S;
	uint64_t seed = (uint64_t)loop_wall_us() / 1000 * (uint64_t)trial_n_kinds;
	int begun = 0, running;

	do {
		running = 0;
		for (int i = 0; i < n_jobs; i++) {
			if (jobs[i].pid != 0)
				look(&jobs[i]);
			if (jobs[i].pid == 0 && begun < tries && loop_mono_us() < until)
				start(&jobs[i], seed + (uint64_t)begun++);
			running += jobs[i].pid != 0;
		}
		poll(NULL, 0, 5);
	} while (running > 0);
}

static void report(void)
{
	printf("# %-30s %8s %8s %9s\n", "fault", "sqlite", "postgres", "survived");
	for (int i = 0; i < trial_n_kinds; i++) {
		const struct sum *s = &kinds[i][TRIAL_SQLITE], *p = &kinds[i][TRIAL_POSTGRES];

		printf("# %-30s %8d %8d %9d\n", trial_kinds[i].fault, s->tried, p->tried,
		       s->survived + p->survived);
	}
}

static int again(const char *seed)
{
	int status;

	start(&jobs[0], strtoull(seed, NULL, 10));
	while (waitpid(jobs[0].pid, &status, 0) < 0 && errno == EINTR)
		;
	show(&jobs[0], status);
	return status == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	int rc = small_begin(argc, argv), tries = SHORT_TRIES, seconds = SHORT_SECONDS, n_jobs;
	bool good;

	if (rc >= 0)
		return rc;
	program = argv[0];
	trial_server();
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		return again(argv[2]);
	if (argc == 3) {
		tries = (int)strtol(argv[1], NULL, 10);
		seconds = (int)strtol(argv[2], NULL, 10);
	}
	/* A try waits more than it works. */
	n_jobs = (int)CLAMP(3 * sysconf(_SC_NPROCESSORS_ONLN), 2, JOBS_MAX);
	puts("1..1");
	storm(tries, seconds, n_jobs);
	report();
	good = all.tried > 0 && all.survived == all.tried;
	printf("%sok 1 - every try survived\n", good ? "" : "not ");
	printf("crash: %d tried, %d survived, %d lost, %d doubled\n", all.tried, all.survived, all.lost,
	       all.doubled);
	return good ? 0 : 1;
}
