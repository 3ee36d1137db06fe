/* For realpath() and mkdtemp() beside cmocka. */
#define _GNU_SOURCE
#include "tests/lib/scene.h"
#include "core/limits.h"
#include "tests/lib/cm.h"

#include <libpq-fe.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND_MS = 60000, WORDS_MAX = 24, BOARD_MS = 20000, DEAF_MS = 400, PATHS = 8 };

int64_t scene_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&ts, NULL);
}

const char *scene_bin(void)
{
	static char path[PATH_LEN];
	const char *bin = getenv("TOWPATH_BIN");
	char *real;

	if (path[0] == '\0') {
		real = realpath(bin != NULL ? bin : "./towpath", NULL);
		if (real == NULL)
			fail_msg("no program: set TOWPATH_BIN");
		snprintf(path, sizeof(path), "%s", real);
		free(real);
	}
	return path;
}

const char *scene_path(const struct scene *s, const char *fmt, ...)
{
	static char paths[PATHS][PATH_LEN];
	static int at;
	char *dst = paths[at = (at + 1) % PATHS];
	int n = snprintf(dst, PATH_LEN, "%s/", s->dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(dst + n, PATH_LEN - (size_t)n, fmt, ap);
	va_end(ap);
	return dst;
}

/* --- files ------------------------------------------------------------------------------------- */

char *scene_read(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n = 0, cap = 0;

	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	do {
		cap = cap * 2 + 4096;
		text = realloc(text, cap + 1);
		if (text == NULL)
			fail_msg("no memory");
		n += fread(text + n, 1, cap - n, f);
	} while (n == cap);
	fclose(f);
	text[n] = '\0';
	if (ret_n != NULL)
		*ret_n = n;
	return text;
}

void scene_write(const char *path, const char *text, size_t n, unsigned mode)
{
	char temporary[PATH_LEN + 8];
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.test", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n || fchmod(fd, mode) != 0 || close(fd) != 0 ||
	    rename(temporary, path) != 0)
		fail_msg("%s: %s", path, strerror(errno));
}

void scene_flip(const char *path)
{
	struct stat st;
	struct timespec times[2];
	unsigned char byte;
	int fd;

	if (stat(path, &st) != 0)
		fail_msg("%s: %s", path, strerror(errno));
	/* A file that may not be written is no wall against whoever owns it. */
	chmod(path, st.st_mode | S_IWUSR);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, &byte, 1, st.st_size / 2) != 1)
		fail_msg("%s: %s", path, strerror(errno));
	byte ^= 0xff;
	if (pwrite(fd, &byte, 1, st.st_size / 2) != 1)
		fail_msg("%s: %s", path, strerror(errno));
	fchmod(fd, st.st_mode & 07777);
	times[0] = times[1] = st.st_mtim;
	futimens(fd, times);
	close(fd);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	UNUSED(st);
	UNUSED(at);
	return flag == FTW_DP ? rmdir(path) : unlink(path);
}

/* --- commands ---------------------------------------------------------------------------------- */

static void child_run(const struct scene *s, const char *const *argv, const char *const *env)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/out", s->parent);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 1);
	snprintf(path, sizeof(path), "%s/err", s->parent);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 2);
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 0);
	for (; env != NULL && *env != NULL; env++)
		putenv((char *)(uintptr_t)*env);
	execvp(argv[0], (char **)(uintptr_t)argv);
	_exit(127);
}

static int wait_for(pid_t pid, int deadline_ms)
{
	int64_t end = scene_now_ms() + deadline_ms;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (scene_now_ms() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		pause_ms(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void parse_answer(struct scene *s, size_t n)
{
	const char *last;
	struct jv *v = NULL;
	struct error e;

	while (n > 0 && (s->out[n - 1] == '\n' || s->out[n - 1] == ' '))
		n--;
	last = n > 0 ? memrchr(s->out, '\n', n) : NULL;
	if (jv_parse(&s->arena, s->out, n, &v, &e) < 0)
		v = NULL;
	if (v == NULL && last != NULL &&
	    jv_parse(&s->arena, last + 1, (size_t)(s->out + n - last - 1), &v, &e) < 0)
		v = NULL;
	s->value = v;
}

int scene_exec(struct scene *s, const char *const *argv, const char *const *env, int deadline_ms)
{
	char path[400];
	size_t n;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child_run(s, argv, env);
	assert_true(pid > 0);
	s->code = wait_for(pid, deadline_ms);
	free(s->out);
	free(s->err);
	snprintf(path, sizeof(path), "%s/err", s->parent);
	s->err = scene_read(path, NULL);
	snprintf(path, sizeof(path), "%s/out", s->parent);
	s->out = scene_read(path, &n);
	arena_release(&s->arena);
	arena_init(&s->arena, ARENA_DEFAULT_MAX);
	parse_answer(s, n);
	return s->code;
}

static int run_words(struct scene *s, const char **argv, int n, const char *word, va_list ap)
{
	argv[n++] = word;
	while (n < WORDS_MAX - 1 && (argv[n] = va_arg(ap, const char *)) != NULL)
		n++;
	argv[n] = NULL;
	return scene_exec(s, argv, NULL, COMMAND_MS);
}

int scene_run(struct scene *s, const char *word, ...)
{
	const char *argv[WORDS_MAX] = {scene_bin(), "-c", s->config, "--json"};
	va_list ap;
	int code;

	va_start(ap, word);
	code = run_words(s, argv, 4, word, ap);
	va_end(ap);
	return code;
}

int scene_as_bo(struct scene *s, const char *word, ...)
{
	const char *argv[WORDS_MAX] = {scene_bin(), "demo", "--dir", s->dir, "as", "bo", "--json"};
	va_list ap;
	int code;

	va_start(ap, word);
	code = run_words(s, argv, 7, word, ap);
	va_end(ap);
	return code;
}

int scene_demo(struct scene *s, const char *word, ...)
{
	const char *argv[WORDS_MAX] = {scene_bin(), "demo", "--dir", s->dir};
	va_list ap;
	int code;

	va_start(ap, word);
	code = run_words(s, argv, 4, word, ap);
	va_end(ap);
	return code;
}

/* --- answers ----------------------------------------------------------------------------------- */

const struct jv *scene_deployment(const struct scene *s, const char *service, const char *env)
{
	const struct jv *services = jv_get(s->value, "services");

	for (size_t i = 0; i < jv_len(services); i++) {
		const struct jv *list = jv_get(jv_at(services, i), "deployments");

		if (strcmp(jv_get_text(jv_at(services, i), "service", ""), service) != 0)
			continue;
		for (size_t k = 0; k < jv_len(list); k++)
			if (strcmp(jv_get_text(jv_at(list, k), "env", ""), env) == 0)
				return jv_at(list, k);
	}
	return NULL;
}

const struct jv *scene_gate(const struct scene *s, const char *gate)
{
	const struct jv *list = jv_get(s->value, "gates");

	if (list == NULL)
		list = jv_get(jv_get(jv_get(s->value, "plan"), "evidence"), "gates");
	for (size_t i = 0; i < jv_len(list); i++)
		if (strcmp(jv_get_text(jv_at(list, i), "gate", ""), gate) == 0)
			return jv_at(list, i);
	return NULL;
}

const char *scene_message(const struct scene *s) { return jv_get_text(s->value, "message", ""); }

bool scene_until(struct scene *s, const char *service, const char *env, const char *member,
                 const char *wanted)
{
	int64_t end = scene_now_ms() + SCENE_WAIT_MS;
	const char *now;

	do {
		scene_run(s, "status", NULL);
		now = jv_get_text(scene_deployment(s, service, env), member, "");
		if (strcmp(now, wanted) == 0)
			return true;
		pause_ms(100);
	} while (scene_now_ms() < end);
	fprintf(stderr, "# %s/%s: %s is \"%s\", not \"%s\" (%s)\n", service, env, member, now, wanted,
	        jv_get_text(scene_deployment(s, service, env), "text", s->err));
	return false;
}

bool scene_until_gate(struct scene *s, const char *service, const char *env, const char *gate,
                      const char *verdict)
{
	int64_t end = scene_now_ms() + SCENE_WAIT_MS;
	const char *now;

	do {
		scene_run(s, "why", service, env, NULL);
		now = jv_get_text(scene_gate(s, gate), "verdict", "");
		if (strcmp(now, verdict) == 0)
			return true;
		pause_ms(100);
	} while (scene_now_ms() < end);
	fprintf(stderr, "# %s/%s: gate %s is \"%s\", not \"%s\" (%s; %s)\n", service, env, gate, now, verdict,
	        jv_get_text(scene_gate(s, gate), "evidence", ""), scene_message(s));
	return false;
}

bool scene_until_ended(struct scene *s, const char *rollout, int deadline_ms)
{
	int64_t end = scene_now_ms() + deadline_ms;
	const struct jv *r;

	do {
		scene_run(s, "rollout", rollout, NULL);
		r = jv_get(s->value, "rollout");
		if (strcmp(jv_get_text(r != NULL ? r : s->value, "state", ""), "ended") == 0)
			return true;
		pause_ms(100);
	} while (scene_now_ms() < end);
	fprintf(stderr, "# rollout %s has not ended: %s%s\n", rollout, s->out, s->err);
	return false;
}

/* --- the world --------------------------------------------------------------------------------- */

static struct scene *live;

static void at_exit(void)
{
	if (live != NULL)
		scene_stop(live);
}

void scene_bare(struct scene *s)
{
	static bool registered;
	const char *tmp = getenv("TMPDIR");
	char *real;

	memset(s, 0, sizeof(*s));
	snprintf(s->parent, sizeof(s->parent), "%.200s/towpath-e2e-XXXXXX",
	         tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
	if (mkdtemp(s->parent) == NULL)
		fail_msg("%s: %s", s->parent, strerror(errno));
	/* As root the database of the world belongs to another user, who must be able to pass. */
	chmod(s->parent, 0755);
	real = realpath(s->parent, NULL);
	assert_non_null(real);
	snprintf(s->parent, sizeof(s->parent), "%s", real);
	free(real);
	snprintf(s->dir, sizeof(s->dir), "%s/world", s->parent);
	snprintf(s->config, sizeof(s->config), "%s/towpath.yaml", s->dir);
	assert_int_equal(mkdir(s->dir, 0700), 0);
	arena_init(&s->arena, ARENA_DEFAULT_MAX);
	setenv("TOWPATH_STATE", scene_path(s, "../user"), 1);
	unsetenv("TOWPATH_CONFIG");
	unsetenv("TOWPATH_DEMO_ACTOR");
	live = s;
	if (!registered)
		atexit(at_exit);
	registered = true;
}

/*
 * Restarts wait as long as the file "hold" is there: a rollout is where a test wants it. And sources are
 * asked often.
 */
static void config_change(struct scene *s)
{
	static const char mark[] = "restart: [";
	char script[PATH_LEN * 2];
	size_t n;
	char *text = scene_read(s->config, &n), *out, *p = text, *q;
	FILE *f;
	int hits = 0;

	snprintf(script, sizeof(script), "while [ -e '%s/hold' ]; do sleep 0.05; done\nexec \"$@\"\n",
	         s->dir);
	scene_write(scene_path(s, "restart.sh"), script, strlen(script), 0700);
	f = open_memstream(&out, &n);
	assert_non_null(f);
	for (; (q = strstr(p, mark)) != NULL; p = q + sizeof(mark) - 1, hits++)
		fprintf(f, "%.*s%s/bin/sh, \"%s/restart.sh\", ", (int)(q - p), p, mark, s->dir);
	fputs(p, f);
	fclose(f);
	assert_int_equal(hits, 3);
	p = strstr(out, "poll: 2s");
	assert_non_null(p);
	p[6] = '1';
	scene_write(s->config, out, n, 0600);
	free(out);
	free(text);
}

void scene_start(struct scene *s)
{
	char *world;

	scene_bare(s);
	if (scene_demo(s, "start", NULL) != 0)
		fail_msg("the demo world does not start: %s%s", s->out, s->err);
	world = scene_read(scene_path(s, "world.json"), NULL);
	arena_release(&s->arena);
	arena_init(&s->arena, ARENA_DEFAULT_MAX);
	s->out = realloc(s->out, strlen(world) + 1);
	assert_non_null(s->out);
	memcpy(s->out, world, strlen(world) + 1);
	parse_answer(s, strlen(world));
	s->has_databases = jv_get_true(s->value, "databases", false);
	s->has_django = jv_get_true(s->value, "django", false);
	free(world);
	config_change(s);
}

void scene_stop(struct scene *s)
{
	if (live != s)
		return;
	live = NULL;
	if (access(scene_path(s, "world.json"), F_OK) == 0)
		scene_demo(s, "remove", NULL);
	nftw(s->parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_release(&s->arena);
	free(s->out);
	free(s->err);
	memset(s, 0, sizeof(*s));
}

struct tty *scene_console(struct scene *s, int rows, int cols, const char *const *env)
{
	const char *const argv[] = {scene_bin(), "-c", s->config, NULL};
	struct tty *t = tty_start(rows, cols, argv, env);

	assert_true(tty_wait_text(t, "board", BOARD_MS));
	/* It is deaf in its first moments: what was typed before it was there is not for it. */
	tty_pump(t, DEAF_MS);
	return t;
}

/* --- databases --------------------------------------------------------------------------------- */

static PGresult *query(struct scene *s, const char *service, const char *env, const char *sql, PGconn **ret)
{
	char *url = scene_read(scene_path(s, "secrets/%s-%s.url", env, service), NULL);
	PGresult *r;

	*ret = PQconnectdb(url);
	free(url);
	if (PQstatus(*ret) != CONNECTION_OK)
		fail_msg("%s/%s: %s", service, env, PQerrorMessage(*ret));
	r = PQexec(*ret, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(*ret));
	return r;
}

void scene_sql(struct scene *s, const char *service, const char *env, const char *sql)
{
	PGconn *c;

	PQclear(query(s, service, env, sql, &c));
	PQfinish(c);
}

const char *scene_ask(struct scene *s, const char *service, const char *env, const char *sql)
{
	static char cell[1024];
	PGconn *c;
	PGresult *r = query(s, service, env, sql, &c);

	snprintf(cell, sizeof(cell), "%s", PQntuples(r) > 0 && PQnfields(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	PQfinish(c);
	return cell;
}
