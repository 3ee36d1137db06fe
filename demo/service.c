/*
 * towpath __service: one instance of a demo service. It starts from the release folder that the link current
 * names, computes the digest of those very bytes, and reports that: what the deploy driver reads back is true.
 */
#include "demo/service.h"

#include "core/arena.h"
#include "core/jv.h"
#include "demo/demo.h"
#include "demo/world.h"
#include "io/file.h"

#include <libpq-fe.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOG_ROTATE_BYTES = 4 * 1024 * 1024, LOG_FLOOD_LINES = 2000, EXIT_PORT_TAKEN = 98 };

static volatile sig_atomic_t stop_wanted;

static void on_stop(int signum)
{
	UNUSED(signum);
	stop_wanted = 1;
}

double service_random(struct service *s)
{
	uint64_t x;

	pthread_mutex_lock(&s->lock);
	x = s->random;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	s->random = x;
	pthread_mutex_unlock(&s->lock);
	return (double)(x >> 11) / (double)(UINT64_C(1) << 53);
}

/* --- log ----------------------------------------------------------------------------------------------------- */

static void log_reopen(struct service *s)
{
	if (s->log_fd >= 0)
		close(s->log_fd);
	s->log_fd = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	s->log_bytes = s->log_fd >= 0 ? (int64_t)lseek(s->log_fd, 0, SEEK_END) : 0;
}

static void log_bytes(struct service *s, const char *line, size_t n)
{
	pthread_mutex_lock(&s->lock);
	if (s->log_bytes > LOG_ROTATE_BYTES) {
		char old[PATH_LEN + 4];

		snprintf(old, sizeof(old), "%s.1", s->log_path);
		rename(s->log_path, old);
		log_reopen(s);
	}
	if (s->log_fd >= 0 && write(s->log_fd, line, n) == (ssize_t)n)
		s->log_bytes += (int64_t)n;
	s->log_lines++;
	pthread_mutex_unlock(&s->lock);
}

void service_log(struct service *s, const char *level, const char *extra, const char *fmt, ...)
{
	char msg[TEXT_LEN];
	struct timespec t;
	struct tm tm;
	struct str line;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	str_init(&line, 4096);
	str_addf(&line, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\",\"level\":\"%s\",\"msg\":",
	         tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	         t.tv_nsec / 1000000, level);
	tool_json_string(&line, msg);
	str_addf(&line, "%s%s,\"version\":\"%s\"}\n", extra[0] ? "," : "", extra, s->version);
	if (!line.failed)
		log_bytes(s, line.data, line.len);
	str_release(&line);
}

/* --- what it is ---------------------------------------------------------------------------------------------- */

static int read_json(struct arena *a, const char *path, struct jv **ret, struct error *e)
{
	struct str text;
	int rc;

	str_init(&text, 1024 * 1024);
	rc = file_read(path, 1024 * 1024, &text, e);
	if (rc >= 0)
		rc = jv_parse(a, str_text(&text), text.len, ret, e);
	str_release(&text);
	return rc;
}

static int read_app(struct service *s, struct arena *a, struct error *e)
{
	char path[PATH_LEN + 32];
	const struct jv *list;
	struct jv *app;
	int rc;

	snprintf(path, sizeof(path), "%s/app/service.json", s->release);
	rc = read_json(a, path, &app, e);
	if (rc < 0)
		return rc;
	str_copy(s->version, sizeof(s->version), jv_get_text(app, "version", "0.0.0"));
	str_copy(s->broken, sizeof(s->broken), jv_get_text(app, "broken", ""));
	s->latency_ms = jv_dbl(jv_get(app, "latency_ms"), 12);
	s->error_pct = jv_dbl(jv_get(app, "error_pct"), 0.1);
	list = jv_get(app, "routes");
	for (size_t i = 0; i < jv_len(list) && s->n_routes < ROUTES_MAX; i++)
		str_copy(s->routes[s->n_routes++].path, sizeof(s->routes[0].path),
		         jv_text(jv_at(list, i), "/"));
	list = jv_get(app, "columns");
	for (size_t i = 0; i < jv_len(list) && s->n_requires < REQUIRES_MAX; i++)
		str_copy(s->requires[s->n_requires++], sizeof(s->requires[0]), jv_text(jv_at(list, i), ""));
	list = jv_get(app, "needs");
	for (size_t i = 0; i < jv_len(list) && s->n_needs < REQUIRES_MAX; i++)
		str_copy(s->needs[s->n_needs++], sizeof(s->needs[0]), jv_text(jv_at(list, i), ""));
	return ERR_OK;
}

/*
 * Which image these bytes are: release.json says what it was unpacked from and the digest of its files; only when
 * that is the digest that this process has just computed does it claim the image.
 */
static void read_identity(struct service *s, struct arena *a)
{
	char path[PATH_LEN + 32];
	struct error e;
	struct jv *release;

	if (file_tree_digest(s->release, "release.json", s->files, &e) < 0)
		str_copy(s->files, sizeof(s->files), "");
	str_copy(s->digest, sizeof(s->digest), s->files);
	snprintf(path, sizeof(path), "%s/release.json", s->release);
	if (read_json(a, path, &release, &e) < 0)
		return;
	if (strcmp(jv_get_text(release, "files", "-"), s->files) != 0)
		return;
	str_copy(s->digest, sizeof(s->digest), jv_get_text(release, "digest", s->files));
	str_copy(s->revision, sizeof(s->revision), jv_get_text(release, "revision", ""));
}

/* KEY=value lines of the env file: the database's address, and whether all needed keys have a value. */
static void read_env(struct service *s)
{
	char path[PATH_LEN + 8], *line, *rest;
	bool seen[REQUIRES_MAX] = {false};
	struct str text;

	snprintf(path, sizeof(path), "%s/.env", s->root);
	str_init(&text, 1024 * 1024);
	tool_slurp(path, &text);
	rest = text.data;
	while ((line = tool_cut(&rest, "\n"))) {
		char *eq = strchr(line, '=');

		if (line[0] == '#' || !eq)
			continue;
		*eq = '\0';
		if (!strcmp(line, "DATABASE_URL") && !strncmp(eq + 1, "postgres", 8))
			str_copy(s->database_url, sizeof(s->database_url), eq + 1);
		for (int i = 0; i < s->n_needs; i++)
			if (!strcmp(line, s->needs[i]) && eq[1])
				seen[i] = true;
	}
	str_release(&text);
	for (int i = 0; i < s->n_needs; i++)
		if (!seen[i] && !s->config_text[0])
			snprintf(s->config_text, sizeof(s->config_text), "configuration key %s is not set",
			         s->needs[i]);
}

/* --- the database --------------------------------------------------------------------------------------------- */

static PGconn *database_open(struct service *s)
{
	const char *keys[] = {"dbname", "connect_timeout", "options", "application_name", "gssencmode", NULL};
	const char *values[] = {s->database_url, "2",       "-c statement_timeout=2000",
	                        s->instance,     "disable", NULL};
	PGconn *db = PQconnectdbParams(keys, values, 1);

	if (PQstatus(db) == CONNECTION_OK)
		return db;
	PQfinish(db);
	return NULL;
}

/* "" when every column that this code uses is there, else the first that is not. */
static void database_columns(struct service *s, PGconn *db, char *text, size_t cap)
{
	text[0] = '\0';
	for (int i = 0; i < s->n_requires && !text[0]; i++) {
		char table[KEY_LEN], *dot;
		const char *params[2];
		PGresult *r;

		str_copy(table, sizeof(table), s->requires[i]);
		dot = strchr(table, '.');
		if (!dot)
			continue;
		*dot = '\0';
		params[0] = table;
		params[1] = dot + 1;
		r = PQexecParams(db,
		                 "select 1 from pg_attribute a where a.attrelid = to_regclass('public.' || "
		                 "quote_ident($1))"
		                 " and a.attname = $2 and not a.attisdropped",
		                 2, NULL, params, NULL, NULL, 0);
		if (PQresultStatus(r) != PGRES_TUPLES_OK)
			snprintf(text, cap, "the database does not answer");
		else if (PQntuples(r) == 0)
			snprintf(text, cap, "column %s that this release uses is not in the database",
			         s->requires[i]);
		PQclear(r);
	}
}

static void database_check(struct service *s, PGconn **db)
{
	char text[TEXT_LEN], before[TEXT_LEN];

	if (!s->database_url[0])
		return;
	if (!*db)
		*db = database_open(s);
	if (!*db)
		snprintf(text, sizeof(text), "cannot connect to the database");
	else
		database_columns(s, *db, text, sizeof(text));
	if (*db && PQstatus(*db) != CONNECTION_OK) {
		PQfinish(*db);
		*db = NULL;
	}
	pthread_mutex_lock(&s->lock);
	str_copy(before, sizeof(before), s->database_text);
	str_copy(s->database_text, sizeof(s->database_text), text);
	pthread_mutex_unlock(&s->lock);
	if (text[0] && strcmp(text, before) != 0)
		service_log(s, "error", "", "%s", text);
	else if (!text[0] && before[0])
		service_log(s, "info", "", "database is fine again");
}

/* --- faults and the turn of a second ---------------------------------------------------------------------------- */

static bool fault_file(const struct service *s, const char *fault)
{
	char path[PATH_LEN * 2], text[NAME_LEN];
	struct str body;
	bool on;

	snprintf(path, sizeof(path), "%s/%s-%s.%s", s->faults, s->env, s->name, fault);
	if (!file_exists(path))
		return false;
	/* The file may name one instance. */
	str_init(&body, 4096);
	tool_slurp(path, &body);
	str_copy(text, sizeof(text), str_text(&body));
	text[strcspn(text, "\n")] = '\0';
	on = !text[0] || !strcmp(text, s->instance);
	str_release(&body);
	return on;
}

static void faults_read(struct service *s)
{
	bool errors = fault_file(s, "errors"), slow = fault_file(s, "slow"),
	     flood = fault_file(s, "log-flood");

	pthread_mutex_lock(&s->lock);
	s->fault_errors = errors;
	s->fault_slow = slow;
	s->fault_flood = flood;
	s->recent_all -= s->recent_all / 8;
	s->recent_failed -= s->recent_failed / 8;
	pthread_mutex_unlock(&s->lock);
}

static void flood(struct service *s, int lines)
{
	char extra[64];

	for (int i = 0; i < lines && !stop_wanted; i++) {
		snprintf(extra, sizeof(extra), "\"attempt\":%d", i);
		service_log(s, i % 97 ? "debug" : "warn", extra,
		            "retrying the connection to the price cache");
	}
}

static void serve(struct service *s)
{
	struct timespec tenth = {0, 100000000L};
	PGconn *db = NULL;

	for (unsigned turn = 0; !stop_wanted; turn++) {
		if (turn % 10 == 0)
			faults_read(s);
		if (turn % 20 == 0)
			database_check(s, &db);
		if (turn % 100 == 50 && s->broken[0])
			service_log(s, "error", "", "%s", s->broken);
		if (s->fault_flood)
			flood(s, LOG_FLOOD_LINES / 10);
		nanosleep(&tenth, NULL);
	}
	if (db)
		PQfinish(db);
}

/* --- start ------------------------------------------------------------------------------------------------------ */

static bool service_args(struct service *s, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *key = argv[i], *value = argv[i + 1];
		char *dst = !strcmp(key, "--root") ? s->root : !strcmp(key, "--faults") ? s->faults : NULL;
		char *name = !strcmp(key, "--service") ? s->name
		             : !strcmp(key, "--name")  ? s->instance
		             : !strcmp(key, "--env")   ? s->env
		                                       : NULL;

		if (dst)
			str_copy(dst, PATH_LEN, value);
		else if (name)
			str_copy(name, NAME_LEN, value);
		else if (!strcmp(key, "--port"))
			s->port = (int)strtol(value, NULL, 10);
		else
			return false;
	}
	return argc % 2 == 1 && s->root[0] && s->name[0] && s->instance[0] && s->env[0] && s->port > 0;
}

static int service_load(struct service *s, struct error *e)
{
	char link[PATH_LEN + 16], *real;
	struct arena a;
	int rc;

	snprintf(link, sizeof(link), "%s/current", s->root);
	real = realpath(link, NULL);
	if (!real)
		return error_set(e, ERR_NOT_FOUND, "%s: %s", link, strerror(errno));
	rc = str_copy(s->release, sizeof(s->release), real) ? ERR_OK
	                                                    : error_set(e, ERR_NOMEM, "path too long");
	free(real);
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (rc == ERR_OK)
		rc = read_app(s, &a, e);
	if (rc >= 0) {
		read_identity(s, &a);
		read_env(s);
	}
	arena_release(&a);
	return rc;
}

int demo_service_main(int argc, char **argv, const char *self)
{
	static struct service s;
	struct sigaction stop = {.sa_handler = on_stop};
	struct MHD_Daemon *http;
	struct error e;

	UNUSED(self);
	if (!service_args(&s, argc, argv)) {
		fprintf(stderr,
		        "usage: __service --root DIR --service S --env E --name I --port N [--faults DIR]\n");
		return 2;
	}
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_mutex_init(&s.lock, NULL);
	s.log_fd = -1;
	s.started_s = (int64_t)time(NULL);
	s.random = UINT64_C(88172645463325252) ^ ((uint64_t)getpid() << 20) ^ (uint64_t)s.started_s;
	if (snprintf(s.log_path, sizeof(s.log_path), "%s/log/%s.log", s.root, s.instance) >=
	    (int)sizeof(s.log_path))
		return 2;
	log_reopen(&s);
	if (service_load(&s, &e) < 0) {
		service_log(&s, "error", "", "cannot start: %s", e.text);
		fprintf(stderr, "%s: %s\n", s.instance, e.text);
		return 1;
	}
	http = service_http_start(&s);
	if (!http) {
		service_log(&s, "error", "", "cannot listen on port %d: %s", s.port, strerror(errno));
		return EXIT_PORT_TAKEN;
	}
	service_log(&s, "info", "", "listening on port %d, %s", s.port, s.digest);
	if (s.broken[0])
		service_log(&s, "error", "", "%s", s.broken);
	if (s.config_text[0])
		service_log(&s, "error", "", "%s", s.config_text);
	serve(&s);
	service_log(&s, "info", "", "stopping");
	service_http_stop(http);
	close(s.log_fd);
	return 0;
}
