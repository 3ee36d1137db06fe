/*
 * The job on screen, in a real terminal on the demo world: promote, be blocked, be approved by the other one,
 * promote with the name typed in full, watch, kill the console in the middle, roll back.
 */
#include "tests/lib/cm.h"
#include "tests/lib/pty.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 60000, START_MS = 120000 };

static char dir[] = "/tmp/towpath-e2e-story-XXXXXX";
static char config[600], home[128], bin[512];

/* Runs the program; its output into dst. Returns the exit code. */
static int run(char *dst, size_t cap, const char *const *words)
{
	int fds[2];
	size_t n = 0;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const char *argv[16] = {bin};
		for (int i = 0; words[i] && i < 14; i++)
			argv[i + 1] = words[i];
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		setsid();
		execv(bin, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	for (ssize_t got; n + 1 < cap && (got = read(fds[0], dst + n, cap - 1 - n)) > 0;)
		n += (size_t)got;
	dst[n] = '\0';
	close(fds[0]);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(dst, ...) run(dst, sizeof dst, (const char *const[]){__VA_ARGS__, NULL})

static int group_setup(void **state)
{
	char out[8192];
	const char *b = getenv("TOWPATH_BIN");
	UNUSED(state);
	(void)snprintf(bin, sizeof bin, "%s", b ? b : "./towpath");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(home, sizeof home, "HOME=%s", dir);
	setenv("HOME", dir, 1);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	/* Its keeper holds the pipe open as long as it lives: the start is told by its exit code alone. */
	pid_t pid = fork();
	if (pid == 0) {
		const char *argv[] = {bin, "demo", "--dir", dir, "start", NULL};
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		setsid();
		execv(bin, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(RUN(out, "demo", "--dir", dir, "path"), 0);
	out[strcspn(out, "\n")] = '\0';
	assert_true(strlen(out) < sizeof config);
	memcpy(config, out, strlen(out) + 1);
	return 0;
}

static int group_teardown(void **state)
{
	char out[8192];
	UNUSED(state);
	(void)RUN(out, "demo", "--dir", dir, "remove");
	(void)rmdir(dir);
	return 0;
}

static struct tty *console(void)
{
	const char *argv[] = {bin, "-c", config, NULL};
	const char *env[] = {home, "LC_ALL=C.UTF-8", NULL};
	struct tty *t = tty_start(30, 100, argv, env);
	assert_true(tty_wait_text(t, "orders", WAIT_MS));
	assert_true(tty_wait_text(t, "demo world", WAIT_MS) || tty_has(t, "rollout"));
	return t;
}

/* Moves to a deployment: the title of its detail says when it is there. */
static void select_deployment(struct tty *t, const char *keys, const char *title)
{
	tty_send(t, "1gg");
	tty_pump(t, 200);
	for (const char *k = "hhhh"; *k; k++) {
		tty_sendn(t, k, 1);
		tty_pump(t, 60);
	}
	for (; *keys; keys++) {
		tty_sendn(t, keys, 1);
		tty_pump(t, 60);
	}
	assert_true(tty_wait_text(t, title, WAIT_MS));
}

/* As fingers do: not faster than a paste. */
static void type(struct tty *t, const char *keys)
{
	for (; *keys; keys++) {
		tty_sendn(t, keys, 1);
		tty_pump(t, 50);
	}
}

static void quit(struct tty *t)
{
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

static void test_promote_to_staging(void **state)
{
	UNUSED(state);
	char out[8192];
	struct tty *t = console();
	select_deployment(t, "jl", "orders / staging");
	/* A whole command line opens the same plan as the key: Enter starts nothing, whatever comes behind it. */
	type(t, ":promote orders --to staging\r");
	assert_true(tty_wait_text(t, "READY: x, then y", WAIT_MS));
	tty_pump(t, 900);
	type(t, "y\r");
	tty_pump(t, 900);
	assert_true(tty_has(t, "READY: x, then y"));
	assert_int_equal(RUN(out, "-c", config, "rollouts", "--plain"), 0);
	assert_null(strstr(out, "orders"));
	type(t, "\033");
	assert_true(tty_wait_gone(t, "READY: x, then y", WAIT_MS));
	type(t, "P");
	assert_true(tty_wait_text(t, "READY: x, then y", WAIT_MS));
	assert_true(tty_has(t, "GATES"));
	tty_pump(t, 900);
	type(t, "x");
	assert_true(tty_wait_text(t, "PROMOTE  orders > staging", WAIT_MS));
	tty_pump(t, 700);
	type(t, "y");
	assert_true(tty_wait_text(t, "step", WAIT_MS));
	assert_true(tty_wait_text(t, "it has ended", WAIT_MS));
	assert_true(tty_has(t, "runs in staging"));
	assert_int_equal(RUN(out, "-c", config, "status", "--plain"), 0);
	quit(t);
}

/* prod: blocked until the other operator signs; the name typed in full; the console dies, the rollout does not. */
static void test_prod_needs_more(void **state)
{
	UNUSED(state);
	char out[8192];
	struct tty *t = console();
	select_deployment(t, "jll", "orders / prod");
	type(t, "S");
	assert_true(tty_wait_text(t, "SMOKE TESTS", WAIT_MS));
	type(t, "\033");
	assert_true(tty_wait_gone(t, "SMOKE TESTS", WAIT_MS));
	type(t, "h");
	assert_true(tty_wait_text(t, "orders / staging", WAIT_MS));
	type(t, "S");
	assert_true(tty_wait_text(t, "SMOKE TESTS  orders / staging", WAIT_MS));
	tty_pump(t, 900);
	type(t, "x");
	assert_true(tty_wait_text(t, "passed", WAIT_MS));
	type(t, "1l");
	assert_true(tty_wait_text(t, "orders / prod", WAIT_MS));
	type(t, "P");
	assert_true(tty_wait_text(t, "BLOCKED BY", WAIT_MS));
	tty_pump(t, 900);
	type(t, "x");
	assert_true(tty_wait_text(t, "blocked by", WAIT_MS));
	type(t, "A");
	assert_true(tty_wait_text(t, "ASK FOR APPROVAL", WAIT_MS));
	tty_pump(t, 900);
	type(t, "x");
	assert_true(tty_wait_text(t, "waits for approvals", WAIT_MS));
	type(t, "5");
	assert_true(tty_wait_text(t, "ann (you)", WAIT_MS));
	quit(t);
	/* The other one, from another terminal: finds it in the inbox and signs there. */
	const char *argv[] = {bin, "-c", config, NULL};
	const char *env[] = {home, "LC_ALL=C.UTF-8", "TOWPATH_DEMO_ACTOR=bo", NULL};
	t = tty_start(30, 100, argv, env);
	assert_true(tty_wait_text(t, "bo@", WAIT_MS));
	type(t, "5");
	assert_true(tty_wait_text(t, "0 of 1", WAIT_MS));
	type(t, "\r");
	assert_true(tty_wait_text(t, "GATES", WAIT_MS));
	type(t, "A");
	assert_true(tty_wait_text(t, "APPROVE  orders > prod", WAIT_MS));
	tty_pump(t, 900);
	type(t, "prod/orders\r");
	assert_true(tty_wait_text(t, "recorded", WAIT_MS));
	quit(t);
	t = console();
	select_deployment(t, "jll", "orders / prod");
	type(t, "P");
	/* The soak opens by itself, and the screen sees it. */
	assert_true(tty_wait_text(t, "READY: x, then type its name", WAIT_MS));
	tty_pump(t, 900);
	type(t, "x");
	assert_true(tty_wait_text(t, "then Enter:", WAIT_MS));
	tty_pump(t, 900);
	/* A pasted token is not taken. */
	tty_send(t, "\033[200~prod/orders\r\033[201~");
	assert_true(tty_wait_text(t, "paste is not taken here", WAIT_MS));
	type(t, "prod/orders\r");
	assert_true(tty_wait_text(t, "has started", WAIT_MS));
	pid_t child = tty_child(t, WAIT_MS);
	assert_true(child > 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(tty_exit_code(t, WAIT_MS) > 0);
	assert_false(vt_alt_screen(tty_vt(t)));
	tty_free(t);
	/* It goes on by itself; a new console finds it. */
	t = console();
	type(t, "4\r");
	assert_true(tty_wait_text(t, "it has ended", WAIT_MS));
	assert_true(tty_has(t, "runs in prod"));
	quit(t);
	assert_int_equal(RUN(out, "-c", config, "audit", "verify"), 0);
}

/* R x token Enter: ten keys at most. */
static void test_roll_back(void **state)
{
	UNUSED(state);
	struct tty *t = console();
	select_deployment(t, "jll", "orders / prod");
	type(t, "R");
	assert_true(tty_wait_text(t, "RUNS ON THE SCHEMA NOW?", WAIT_MS));
	assert_true(tty_wait_text(t, "READY: x, then type its name", WAIT_MS));
	tty_pump(t, 900);
	type(t, "x");
	assert_true(tty_wait_text(t, "ROLL BACK  orders > prod", WAIT_MS));
	tty_pump(t, 900);
	type(t, "prod\r");
	assert_true(tty_wait_text(t, "has started", WAIT_MS));
	assert_true(tty_wait_text(t, "it has ended", WAIT_MS));
	type(t, "7");
	assert_true(tty_wait_text(t, "chain holds over", WAIT_MS));
	quit(t);
}

static bool shows_a_problem(struct tty *t, void *ctx)
{
	UNUSED(ctx);
	return tty_has(t, "FAILED") || tty_has(t, "DEGRADED");
}

/* Behind the console's back: the link is swapped, an instance dies; the screen says so. */
static void test_sees_the_world(void **state)
{
	UNUSED(state);
	char out[8192];
	struct tty *t = console();
	select_deployment(t, "ll", "web / prod");
	assert_true(tty_wait_text(t, "healthy", WAIT_MS));
	assert_int_equal(RUN(out, "demo", "--dir", dir, "fault", "kill-instance", "web", "prod"), 0);
	assert_true(tty_wait(t, shows_a_problem, NULL, WAIT_MS));
	(void)RUN(out, "demo", "--dir", dir, "fault", "clear");
	quit(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_promote_to_staging), cmocka_unit_test(test_prod_needs_more),
	    cmocka_unit_test(test_roll_back), cmocka_unit_test(test_sees_the_world)};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
