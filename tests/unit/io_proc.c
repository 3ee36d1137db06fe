#include "io/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
	bool done;
	int calls;
	struct proc_result r;
	char out[65536];
};

static void on_done(void *ctx, const struct proc_result *r)
{
	struct seen *s = ctx;

	s->calls++;
	s->done = true;
	s->r = *r;
	snprintf(s->out, sizeof(s->out), "%.*s", (int)r->n_out, r->out);
}

static struct loop *loop_must(void)
{
	struct error e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

static void run(const struct proc_spec *spec, struct seen *s)
{
	struct loop *l = loop_must();

	memset(s, 0, sizeof(*s));
	proc_start(l, spec, on_done, s);
	assert_false(s->done);
	assert_true(loop_until(l, &s->done, loop_mono_us() + 10 * US_PER_S));
	loop_free(l);
	assert_int_equal(s->calls, 1);
}

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)

static void test_output_of_both_streams(void **state)
{
	struct seen s;

	UNUSED(state);
	run(&(struct proc_spec){.argv = SH("echo one; echo two >&2; pwd")}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK);
	assert_int_equal(s.r.exit_code, 0);
	assert_string_equal(s.out, "one\ntwo\n/\n");
}

static void test_exit_code_and_signal(void **state)
{
	struct seen s;

	UNUSED(state);
	run(&(struct proc_spec){.argv = SH("exit 7")}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_FAILED);
	assert_int_equal(s.r.exit_code, 7);
	run(&(struct proc_spec){.argv = SH("kill -9 $$")}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_UNKNOWN);
	assert_int_equal(s.r.exit_code, -1);
	assert_int_equal(s.r.signal, SIGKILL);
}

static void test_cannot_start(void **state)
{
	struct seen s;

	UNUSED(state);
	run(&(struct proc_spec){.argv = ARGV("no-such-program-here")}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_true(s.r.outcome.hint[0] != '\0');
	run(&(struct proc_spec){.argv = ARGV("true"), .cwd = "/no/such/folder"}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.r.outcome.text, "/no/such/folder"));
	run(&(struct proc_spec){.argv = ARGV("true"), .output_path = "/no/such/folder/log"}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
}

static void test_environment_is_clean(void **state)
{
	struct seen s;

	UNUSED(state);
	setenv("TOWPATH_LEAK", "secret", 1);
	setenv("LD_PRELOAD_LIKE", "x", 1);
	run(&(struct proc_spec){.argv = ARGV("env"), .env = ARGV("EXTRA=1", "HOME=/elsewhere")}, &s);
	assert_null(strstr(s.out, "TOWPATH_LEAK"));
	assert_null(strstr(s.out, "LD_PRELOAD_LIKE"));
	assert_non_null(strstr(s.out, "EXTRA=1\n"));
	assert_non_null(strstr(s.out, "HOME=/elsewhere\n"));
	assert_non_null(strstr(s.out, "PATH="));
}

static void test_descriptors_stay_here(void **state)
{
	struct seen s;
	int fd = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */

	UNUSED(state);
	assert_true(fd > 2);
	run(&(struct proc_spec){.argv = SH("ls /proc/self/fd | wc -l")}, &s);
	close(fd);
	assert_string_equal(s.out, "4\n"); /* 0, 1, 2 and ls' own folder */
}

static void test_no_terminal_to_ask_on(void **state)
{
	struct seen s;

	UNUSED(state);
	run(&(struct proc_spec){.argv =
	                            SH("(: < /dev/tty) 2>/dev/null && echo tty; "
	                               "read x || echo eof; ps -o pid=,pgid=,sid= -p $$ | "
	                               "awk '{ print ($1 == $2 && $2 == $3) ? \"leader\" : \"member\" }'")},
	    &s);
	assert_string_equal(s.out, "eof\nleader\n");
}

static void test_output_has_a_limit(void **state)
{
	struct seen s;

	UNUSED(state);
	run(&(struct proc_spec){.argv = SH("head -c 300000 /dev/zero | tr '\\0' x; echo end"),
	                        .max_output = 1000},
	    &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK); /* it was not blocked by our limit */
	assert_int_equal(s.r.n_out, 1000);
	assert_true(s.r.cut);
}

static void test_timeout_kills_the_group(void **state)
{
	struct seen s;
	int64_t begin = loop_mono_us();
	long pid;

	UNUSED(state);
	/* It ignores SIGTERM, and so does its child. */
	run(&(struct proc_spec){.argv = SH("trap '' TERM; sleep 60 & echo $!; while :; do sleep 60; done"),
	                        .timeout_us = 300 * US_PER_MS},
	    &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_UNKNOWN);
	assert_non_null(strstr(s.r.outcome.text, "killed after"));
	assert_in_range(loop_mono_us() - begin, PROC_TERM_MS * US_PER_MS, 9 * US_PER_S);
	pid = strtol(s.out, NULL, 10);
	assert_true(pid > 1);
	for (int64_t end = loop_mono_us() + 5 * US_PER_S; proc_start_time((int)pid) != 0;)
		assert_true(loop_mono_us() < end);
}

static void test_grandchild_that_holds_the_pipe(void **state)
{
	struct seen s;
	int64_t begin = loop_mono_us();

	UNUSED(state);
	run(&(struct proc_spec){.argv = SH("echo said; sleep 30 & exit 0")}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK);
	assert_string_equal(s.out, "said\n");
	assert_true(loop_mono_us() - begin < 8 * US_PER_S);
}

static void test_output_file(void **state)
{
	char dir[] = "/tmp/towpath-proc-XXXXXX", path[64], link[64], buf[64] = "";
	struct seen s;
	struct stat st;
	FILE *f;

	UNUSED(state);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	for (int i = 0; i < 2; i++)
		run(&(struct proc_spec){.argv = SH("echo out; echo err >&2"), .output_path = path}, &s);
	assert_int_equal(s.r.n_out, 0);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(buf, 1, sizeof(buf) - 1, f), 16);
	fclose(f);
	assert_string_equal(buf, "out\nerr\nout\nerr\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(symlink(path, link), 0);
	run(&(struct proc_spec){.argv = SH("echo no"), .output_path = link}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	unlink(path);
	unlink(link);
	rmdir(dir);
}

static void test_kill_and_forget(void **state)
{
	struct loop *l = loop_must();
	struct seen killed = {0}, forgotten = {0};
	struct proc *p = proc_start(l, &(struct proc_spec){.argv = ARGV("sleep", "60")}, on_done, &killed);
	struct proc *q = proc_start(l, &(struct proc_spec){.argv = ARGV("true")}, on_done, &forgotten);
	struct proc *bad =
	    proc_start(l, &(struct proc_spec){.argv = ARGV("no-such-program")}, on_done, &forgotten);

	UNUSED(state);
	assert_true(proc_pid(p) > 0);
	assert_int_equal(proc_pid(bad), 0);
	proc_forget(q);
	proc_forget(bad);
	proc_forget(NULL);
	proc_kill(p, SIGTERM);
	assert_true(loop_until(l, &killed.done, loop_mono_us() + 5 * US_PER_S));
	assert_int_equal(killed.r.signal, SIGTERM);
	loop_free(l);
	assert_int_equal(forgotten.calls, 0);
}

static void wait_gone(int pid)
{
	for (int64_t end = loop_mono_us() + 5 * US_PER_S; proc_start_time(pid) != 0;)
		assert_true(loop_mono_us() < end);
}

/* What we started for ourselves ends with the loop; what has a session of its own goes on. */
static void test_loop_end(void **state)
{
	struct loop *l = loop_must();
	struct seen a = {0}, b = {0};
	struct proc *p = proc_start(l, &(struct proc_spec){.argv = ARGV("sleep", "60")}, on_done, &a);
	struct proc *q =
	    proc_start(l, &(struct proc_spec){.argv = ARGV("sleep", "60"), .own_session = true}, on_done, &b);
	int mine = proc_pid(p), other = proc_pid(q);

	UNUSED(state);
	loop_free(l);
	wait_gone(mine);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_int_equal(kill(other, 0), 0);
	kill(other, SIGKILL);
}

/* There with a number and not begun; begun when it is let; never begun when it is not, or when we are gone. */
static void test_gate(void **state)
{
	char dir[] = "/tmp/towpath-gate-XXXXXX", path[64], script[128];
	struct loop *l = loop_must();

	UNUSED(state);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/begun", dir);
	snprintf(script, sizeof(script), "touch %s; echo hello", path);
	for (int begin = 0; begin < 2; begin++) {
		struct proc_spec spec = {.argv = SH(script), .gated = true};
		struct seen s = {.done = false};
		struct proc *p = proc_start(l, &spec, on_done, &s);
		int64_t started = proc_start_time(proc_pid(p));
		int gate = proc_gate(p);

		assert_true(gate >= 0 && started > 0);
		loop_until(l, &s.done, loop_mono_us() + 50 * US_PER_MS);
		assert_false(s.done);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(proc_start_time(proc_pid(p)), started);
		assert_true(proc_at_gate(proc_pid(p)));
		proc_gate_end(gate, begin == 1);
		assert_true(loop_until(l, &s.done, loop_mono_us() + 10 * US_PER_S));
		assert_int_equal(s.r.exit_code, begin == 1 ? 0 : PROC_NOT_BEGUN);
		assert_string_equal(s.out, begin == 1 ? "hello\n" : "");
		assert_int_equal(access(path, F_OK), begin - 1);
	}
	unlink(path);
	{
		struct proc_spec spec = {.argv = ARGV("no-such-program"), .gated = true};
		struct seen s = {.done = false};

		proc_gate_end(proc_gate(proc_start(l, &spec, on_done, &s)), true);
		assert_true(loop_until(l, &s.done, loop_mono_us() + 10 * US_PER_S));
		assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(s.r.outcome.text, "cannot start"));
	}
	loop_free(l);
	/* Killed while it waits: the one who would have let it begin. */
	{
		int tell[2], pid = 0, status;
		pid_t parent;

		assert_int_equal(pipe(tell), 0);
		parent = fork();
		if (parent == 0) {
			struct proc_spec spec = {.argv = SH(script), .own_session = true, .gated = true};

			pid = proc_pid(proc_start(loop_must(), &spec, NULL, NULL));
			if (write(tell[1], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
				_exit(1);
			for (;;)
				pause();
		}
		assert_int_equal(read(tell[0], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
		assert_true(pid > 0);
		kill(parent, SIGKILL);
		waitpid(parent, &status, 0);
		wait_gone(pid);
		assert_int_equal(access(path, F_OK), -1);
		close(tell[0]);
		close(tell[1]);
	}
	rmdir(dir);
}

static void test_identity(void **state)
{
	char boot[64];
	int64_t start = proc_start_time((int)getpid());

	UNUSED(state);
	proc_boot_id(boot);
	assert_int_equal(strlen(boot), 36);
	assert_true(start > 0);
	assert_true(proc_is((int)getpid(), start, boot));
	assert_false(proc_is((int)getpid(), start + 1, boot));
	assert_false(proc_is((int)getpid(), start, "another boot"));
	assert_int_equal(proc_start_time(0), 0);
	assert_int_equal(proc_start_time(-1), 0);
	assert_int_equal(proc_start_time(1 << 30), 0);
	assert_false(proc_is(1 << 30, 0, boot));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_output_of_both_streams),
	    cmocka_unit_test(test_exit_code_and_signal),
	    cmocka_unit_test(test_cannot_start),
	    cmocka_unit_test(test_environment_is_clean),
	    cmocka_unit_test(test_descriptors_stay_here),
	    cmocka_unit_test(test_no_terminal_to_ask_on),
	    cmocka_unit_test(test_output_has_a_limit),
	    cmocka_unit_test(test_timeout_kills_the_group),
	    cmocka_unit_test(test_grandchild_that_holds_the_pipe),
	    cmocka_unit_test(test_output_file),
	    cmocka_unit_test(test_kill_and_forget),
	    cmocka_unit_test(test_loop_end),
	    cmocka_unit_test(test_gate),
	    cmocka_unit_test(test_identity),
	};

	proc_gate_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
