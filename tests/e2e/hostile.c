/*
 * What comes from outside may be anything: log lines, answers of services, a store that somebody holds, a
 * full
 * disk. The console and the commands stay usable, say what is wrong, and never say saved when it was not.
 */
#define _GNU_SOURCE
#include "tests/lib/cm.h"
#include "tests/lib/scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	WAIT_MS = 15000,
	KEY_MS = 40,
	ANSWER_MS = 1000,
	HUGE_BODY = 9 * 1024 * 1024,
	HUGE_LINE = 10 * 1024 * 1024
};

static struct scene scene;

static void keys(struct tty *t, const char *text)
{
	for (; *text != '\0'; text++) {
		tty_sendn(t, text, 1);
		tty_pump(t, KEY_MS);
	}
}

static void leave(struct tty *t)
{
	keys(t, "\033");
	tty_pump(t, 120);
	keys(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

/* Keys answer: from a key to its screen in less than ANSWER_MS, again and again. */
static void assert_keys_answer(struct tty *t)
{
	static const char *const screens[][2] = {
	    {"4", "> rollouts"}, {"2", "> logs"}, {"5", "> approvals"}, {"1", "> board"}};

	for (int i = 0; i < 8; i++) {
		int64_t at = scene_now_ms();

		tty_send(t, screens[i % 4][0]);
		assert_true(tty_wait_text(t, screens[i % 4][1], WAIT_MS));
		if (scene_now_ms() - at > ANSWER_MS)
			fail_msg("key %s took %lld ms", screens[i % 4][0], (long long)(scene_now_ms() - at));
	}
}

/* --- logs -------------------------------------------------------------------------------------- */

static void append(const char *bytes, size_t n)
{
	int fd = open(scene_path(&scene, "hosts/dev/web/log/web-1.log"), O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	while (n > 0) {
		ssize_t done = write(fd, bytes, n);

		assert_true(done > 0);
		bytes += done;
		n -= (size_t)done;
	}
	close(fd);
}

static void test_log_lines(void **state)
{
	static const char escapes[] = "hostile-1 \033]0;owned\007\033[2J\033[?1049l\033c\233"
	                              "31m\r\b end\n";
	static const char broken[] = "hostile-2 \xff\xfe\xc0\x80\xed\xa0\x80 \xe2\x80\xae"
	                             "desrever end\n";
	static const char nul[] = "hostile-3 a\0b end\n";
	struct tty *t = scene_console(&scene, 24, 100, NULL);
	char *huge = malloc(HUGE_LINE);

	(void)state;
	assert_non_null(huge);
	assert_true(tty_wait_text(t, "billing", WAIT_MS));
	keys(t, "L/hostile");
	tty_send(t, "\r");
	assert_true(tty_wait_text(t, "web > dev > logs", WAIT_MS));
	append(escapes, sizeof(escapes) - 1);
	append(broken, sizeof(broken) - 1);
	append(nul, sizeof(nul) - 1);
	assert_true(tty_wait_text(t, "hostile-1", WAIT_MS));
	assert_true(tty_wait_text(t, "hostile-2", WAIT_MS));
	assert_true(tty_wait_text(t, "hostile-3", WAIT_MS));
	assert_true(vt_alt_screen(tty_vt(t)));
	assert_false(tty_log_has(t, "\033]0;owned"));
	assert_false(tty_log_has(t, "\033c"));
	assert_false(tty_log_has(t, "\xe2\x80\xae"));
	/* Ten megabytes of one line, and the line after it. */
	memset(huge, 'x', HUGE_LINE);
	append(huge, HUGE_LINE);
	append("\nhostile-4 after it\n", 20);
	free(huge);
	assert_true(tty_wait_text(t, "hostile-4 after it", WAIT_MS));
	tty_send(t, "\033");
	tty_pump(t, 120);
	assert_keys_answer(t);
	leave(t);
	/* The same through the command line. */
	assert_int_equal(scene_run(&scene, "logs", "web", "dev", NULL), 0);
	assert_null(strchr(scene.out, '\033'));
}

static void test_log_flood(void **state)
{
	struct tty *t = scene_console(&scene, 24, 100, NULL);

	(void)state;
	assert_true(tty_wait_text(t, "billing", WAIT_MS));
	keys(t, "L");
	assert_true(tty_wait_text(t, "web > dev > logs", WAIT_MS));
	assert_int_equal(scene_demo(&scene, "fault", "log-flood", "web", "dev", NULL), 0);
	tty_pump(t, 1500);
	assert_keys_answer(t);
	assert_keys_answer(t);
	assert_int_equal(scene_demo(&scene, "fault", "clear", NULL), 0);
	leave(t);
}

/* --- answers of services ----------------------------------------------------------------------- */

enum raw_mode { RAW_HANGS, RAW_GARBAGE, RAW_HUGE, RAW_LIES };

struct raw {
	volatile int mode;
	int port;
	pid_t pid;
};

static void raw_answer(int fd, int mode)
{
	static const char head[] =
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"status\":\"ok\",\"x\":\"";
	static const char garbage[] = "HTTP/1.1 banana\r\n\033]0;owned\007: \xff\r\n\r\n\033[2J{\"status\":";
	static const char lies[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{\"status\":\"\\u001b[2J\"}";
	static char chunk[65536];
	struct timeval patience = {.tv_sec = 2};
	char in[4096];

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (recv(fd, in, sizeof(in), 0) <= 0)
		return;
	if (mode == RAW_GARBAGE) {
		send(fd, garbage, sizeof(garbage) - 1, MSG_NOSIGNAL);
	} else if (mode == RAW_LIES) {
		send(fd, lies, sizeof(lies) - 1, MSG_NOSIGNAL);
	} else {
		memset(chunk, 'y', sizeof(chunk));
		send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL);
		for (int sent = 0; sent < HUGE_BODY; sent += (int)sizeof(chunk))
			if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) <= 0)
				return;
		send(fd, "\"}", 2, MSG_NOSIGNAL);
	}
}

static struct raw *raw_start(void)
{
	struct raw *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	assert_true(r != MAP_FAILED && fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	r->port = ntohs(at.sin_port);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* Does not outlive the test by much, whatever happens to that. */
		alarm(120);
		for (;;) {
			int c = accept(fd, NULL, NULL);

			if (c < 0)
				continue;
			/* One that hangs is never closed; the kernel does it at the end. */
			if (r->mode != RAW_HANGS) {
				raw_answer(c, r->mode);
				close(c);
			}
		}
	}
	close(fd);
	assert_true(pid > 0);
	r->pid = pid;
	return r;
}

static void raw_end(struct raw *r)
{
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	munmap(r, sizeof(*r));
}

static int first_port(void)
{
	size_t n;
	char *text = scene_read(scene_path(&scene, "world.json"), &n);
	struct arena a;
	struct jv *v = NULL;
	struct error e;
	int port;

	arena_init(&a, ARENA_DEFAULT_MAX);
	if (jv_parse(&a, text, n, &v, &e) < 0)
		fail_msg("world.json: %s", e.text);
	port = (int)jv_num(jv_at(jv_get(jv_get(jv_get(v, "ports"), "web"), "dev"), 0), 0);
	arena_release(&a);
	free(text);
	return port;
}

static bool is_not_ok(const struct scene *s, const char *service, const char *env)
{
	const char *now = jv_get_text(scene_deployment(s, service, env), "state", "ok");

	return strcmp(now, "ok") != 0;
}

/* Every instance answers well. Not the state as a whole: a busy machine may make a service slow. */
static bool answers(const struct scene *s, const char *service, const char *env)
{
	const struct jv *instances = jv_get(scene_deployment(s, service, env), "instances");

	for (size_t i = 0; i < jv_len(instances); i++)
		if (strcmp(jv_get_text(jv_at(instances, i), "state", ""), "ok") != 0)
			return false;
	return jv_len(instances) > 0;
}

static void test_bad_answers(void **state)
{
	struct raw *r = raw_start();
	char from[64], to[64], *before = scene_read(scene.config, NULL), *at, *edited = NULL;
	struct tty *t = scene_console(&scene, 24, 100, NULL);
	int64_t began;

	(void)state;
	assert_true(tty_wait_text(t, "1.6.0", WAIT_MS));
	/* The first instance of web in dev is this server from now on; the console takes the new file. */
	snprintf(from, sizeof(from), "127.0.0.1:%d", first_port());
	snprintf(to, sizeof(to), "127.0.0.1:%d", r->port);
	at = strstr(before, from);
	assert_non_null(at);
	assert_true(asprintf(&edited, "%.*s%s%s", (int)(at - before), before, to, at + strlen(from)) > 0);
	r->mode = RAW_HANGS;
	scene_write(scene.config, edited, strlen(edited), 0600);
	for (int mode = RAW_HANGS; mode <= RAW_LIES; mode++) {
		r->mode = mode;
		began = scene_now_ms();
		assert_int_equal(scene_run(&scene, "status", NULL), 0);
		assert_true(scene_now_ms() - began < 20000);
		assert_true(is_not_ok(&scene, "web", "dev"));
		assert_true(answers(&scene, "web", "prod"));
		assert_true(answers(&scene, "orders", "prod"));
		assert_null(strchr(scene.out, '\033'));
		assert_true(tty_wait_gone(t, "✓ web ", WAIT_MS));
		assert_keys_answer(t);
		assert_false(tty_log_has(t, "\033]0;owned"));
	}
	scene_write(scene.config, before, strlen(before), 0600);
	raw_end(r);
	assert_true(tty_wait_text(t, "✓ web ", WAIT_MS));
	assert_true(scene_until(&scene, "web", "dev", "state", "ok"));
	assert_true(tty_wait_text(t, "GET /", WAIT_MS));
	leave(t);
	free(before);
	free(edited);
}

/* --- the store --------------------------------------------------------------------------------- */

static const char *freeze_verdict(void)
{
	scene_run(&scene, "why", "web", "staging", NULL);
	return jv_get_text(scene_gate(&scene, "freeze"), "verdict", "");
}

static void test_store_is_locked(void **state)
{
	struct tty *t = scene_console(&scene, 24, 100, NULL);
	sqlite3 *db = NULL;
	int code;

	(void)state;
	assert_true(tty_wait_text(t, "1.6.0", WAIT_MS));
	assert_int_equal(sqlite3_open(scene_path(&scene, "state/store.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	code = scene_run(&scene, "freeze", "staging", "web", "--reason", "locked out", NULL);
	assert_int_not_equal(code, 0);
	assert_non_null(strstr(scene.out, "locked"));
	assert_string_equal(freeze_verdict(), "open");
	/* The console says so as well, and its keys go on. */
	keys(t, "lF");
	tty_pump(t, 200);
	keys(t, "locked out");
	tty_send(t, "\r");
	assert_true(tty_wait_text(t, "FREEZE", WAIT_MS));
	tty_pump(t, 800);
	tty_send(t, "x");
	assert_true(tty_wait_gone(t, "FREEZE", WAIT_MS));
	assert_keys_answer(t);
	assert_true(tty_wait_text(t, "locked", WAIT_MS));
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_string_equal(freeze_verdict(), "open");
	assert_int_equal(scene_run(&scene, "freeze", "staging", "web", "--reason", "now it works", NULL), 0);
	assert_string_equal(freeze_verdict(), "closed");
	assert_true(tty_wait_text(t, "# 1.5.0", WAIT_MS));
	assert_int_equal(scene_run(&scene, "unfreeze", "staging", "web", NULL), 0);
	leave(t);
}

/* Files may not grow beyond one page: the disk is full for whoever runs like this. */
static void test_disk_is_full(void **state)
{
	static const char limited[] = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
	const char *const freeze[] = {"/bin/sh", "-c",         limited,     "sh",     scene_bin(),
	                              "-c",      scene.config, "--json",    "freeze", "staging",
	                              "web",     "--reason",   "disk full", NULL};
	const char *const console[] = {"/bin/sh", "-c", limited, "sh", scene_bin(), "-c", scene.config, NULL};
	struct tty *t;

	(void)state;
	assert_int_not_equal(scene_exec(&scene, freeze, NULL, 60000), 0);
	assert_true(strlen(scene.out) + strlen(scene.err) > 10);
	assert_string_equal(freeze_verdict(), "open");
	t = tty_start(24, 100, console, NULL);
	assert_true(tty_wait_text(t, "1.6.0", WAIT_MS));
	tty_pump(t, 400);
	keys(t, "lF");
	tty_pump(t, 200);
	keys(t, "disk full");
	tty_send(t, "\r");
	assert_true(tty_wait_text(t, "FREEZE", WAIT_MS));
	tty_pump(t, 800);
	tty_send(t, "x");
	assert_true(tty_wait_gone(t, "FREEZE", WAIT_MS));
	assert_true(tty_wait_text(t, "not", WAIT_MS));
	assert_string_equal(freeze_verdict(), "open");
	leave(t);
	/* Nothing was spoilt. */
	assert_int_equal(scene_run(&scene, "audit", "verify", NULL), 0);
	assert_int_equal(scene_run(&scene, "freeze", "staging", "web", "--reason", "room again", NULL), 0);
	assert_string_equal(freeze_verdict(), "closed");
	assert_int_equal(scene_run(&scene, "unfreeze", "staging", "web", NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	scene_start(&scene);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_stop(&scene);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_log_lines),    cmocka_unit_test(test_log_flood),
	    cmocka_unit_test(test_bad_answers),  cmocka_unit_test(test_store_is_locked),
	    cmocka_unit_test(test_disk_is_full),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
